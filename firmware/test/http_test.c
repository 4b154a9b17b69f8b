/*
 * Goal: heads of answers are read the same however they were cut into pieces, and what could be
 * read in two ways is refused. Method: a table of answers, each fed whole, byte by byte, and cut in
 * two at every place.
 */
#include "check.h"
#include "http.h"
#include "text.h"

#define OK_LINE "HTTP/1.0 200 OK\r\n"
#define TEN "0123456789"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN

static const struct {
    const char *name, *text;
    enum upd_err err;
    uint32_t status, length, first, date;
} answers[] = {
    {"python",
     "HTTP/1.0 200 OK\r\nServer: SimpleHTTP/0.6 Python/3.11.7\r\n"
     "Date: Sat, 21 Nov 2026 02:57:35 GMT\r\nContent-type: application/octet-stream\r\n"
     "Content-Length: 38420\r\nLast-Modified: Fri, 20 Nov 2026 10:00:00 GMT\r\n\r\n",
     UPD_OK, 200, 38420, 0, 1795229855},
    {"version 1.1, any case", "HTTP/1.1 200\r\nCONTENT-LENGTH:  7 \t\r\n\r\n", UPD_OK, 200, 7, 0,
     0},
    {"empty body", OK_LINE "Content-Length: 0\r\n\r\n", UPD_OK, 200, 0, 0, 0},
    {"largest length", OK_LINE "Content-Length: 4294967295\r\n\r\n", UPD_OK, 200, 4294967295u, 0,
     0},
    {"no field", OK_LINE "\r\n", UPD_OK, 200, 0, 0, 0},
    {"not found", "HTTP/1.0 404 Not Found\r\nContent-Length: 9\r\n\r\n", UPD_OK, 404, 9, 0, 0},
    {"partial",
     "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 4096-8191/8192\r\n"
     "Content-Length: 4096\r\n\r\n",
     UPD_OK, 206, 4096, 4096, 0},
    {"long field that does not matter",
     OK_LINE "X-Long: " HUNDRED HUNDRED "\r\nContent-Length: 5\r\n\r\n", UPD_OK, 200, 5, 0, 0},
    {"a date that is none", OK_LINE "Date: yesterday\r\nContent-Length: 5\r\n\r\n", UPD_OK, 200, 5,
     0, 0},
    {"an empty field", OK_LINE "X-Empty:\r\nContent-Length: 5\r\n\r\n", UPD_OK, 200, 5, 0, 0},

    {"never ends", OK_LINE "Content-Length: 5\r\n", UPD_E_SHORT, 0, 0, 0, 0},
    {"nothing", "", UPD_E_SHORT, 0, 0, 0, 0},
    {"an empty line first", "\r\n" OK_LINE "\r\n", UPD_E_FORMAT, 0, 0, 0, 0},
    {"HTTP/2", "HTTP/2 200\r\n\r\n", UPD_E_FORMAT, 0, 0, 0, 0},
    {"HTTP/0.9", "<html>\r\n\r\n", UPD_E_FORMAT, 0, 0, 0, 0},
    {"another protocol", "SSH-2.0-OpenSSH\r\n", UPD_E_FORMAT, 0, 0, 0, 0},
    {"informational", "HTTP/1.1 100 Continue\r\n\r\n", UPD_E_FORMAT, 0, 0, 0, 0},
    {"status of four digits", "HTTP/1.0 2000 OK\r\n\r\n", UPD_E_FORMAT, 0, 0, 0, 0},
    {"status without number", "HTTP/1.0 OK\r\n\r\n", UPD_E_FORMAT, 0, 0, 0, 0},
    {"status and letter", "HTTP/1.0 200x\r\n\r\n", UPD_E_FORMAT, 0, 0, 0, 0},
    {"bare LF", "HTTP/1.0 200 OK\nContent-Length: 5\n\n", UPD_E_FORMAT, 0, 0, 0, 0},
    {"bare CR", OK_LINE "Content-Length: 5\rX: y\r\n\r\n", UPD_E_FORMAT, 0, 0, 0, 0},
    {"two lengths", OK_LINE "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", UPD_E_FORMAT, 0, 0, 0,
     0},
    {"the same length twice", OK_LINE "Content-Length: 5\r\nContent-Length: 5\r\n\r\n",
     UPD_E_FORMAT, 0, 0, 0, 0},
    {"a list of lengths", OK_LINE "Content-Length: 5, 5\r\n\r\n", UPD_E_FORMAT, 0, 0, 0, 0},
    {"negative length", OK_LINE "Content-Length: -5\r\n\r\n", UPD_E_FORMAT, 0, 0, 0, 0},
    {"signed length", OK_LINE "Content-Length: +5\r\n\r\n", UPD_E_FORMAT, 0, 0, 0, 0},
    {"hexadecimal length", OK_LINE "Content-Length: 0x5\r\n\r\n", UPD_E_FORMAT, 0, 0, 0, 0},
    {"length without number", OK_LINE "Content-Length:\r\n\r\n", UPD_E_FORMAT, 0, 0, 0, 0},
    {"length too large", OK_LINE "Content-Length: 4294967296\r\n\r\n", UPD_E_FORMAT, 0, 0, 0, 0},
    {"length behind blanks",
     OK_LINE
     "Content-Length: "
     "                                        "
     "                                                                                     5\r\n\r\n",
     UPD_E_FORMAT, 0, 0, 0, 0},
    {"chunked", OK_LINE "Transfer-Encoding: chunked\r\n\r\n", UPD_E_FORMAT, 0, 0, 0, 0},
    {"chunked and length", OK_LINE "Content-Length: 5\r\ntransfer-encoding: chunked\r\n\r\n",
     UPD_E_FORMAT, 0, 0, 0, 0},
    {"compressed", OK_LINE "Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\n", UPD_E_FORMAT, 0,
     0, 0, 0},
    {"folded line", OK_LINE "X: y\r\n Content-Length: 5\r\n\r\n", UPD_E_FORMAT, 0, 0, 0, 0},
    {"blank before the colon", OK_LINE "Content-Length : 5\r\n\r\n", UPD_E_FORMAT, 0, 0, 0, 0},
    {"no colon", OK_LINE "Content-Length 5\r\n\r\n", UPD_E_FORMAT, 0, 0, 0, 0},
    {"no name", OK_LINE ": 5\r\n\r\n", UPD_E_FORMAT, 0, 0, 0, 0},
    {"a name that never ends", OK_LINE HUNDRED HUNDRED "\r\n\r\n", UPD_E_FORMAT, 0, 0, 0, 0},
    {"range that runs backwards", "HTTP/1.1 206 P\r\nContent-Range: bytes 9-8/10\r\n\r\n",
     UPD_E_FORMAT, 0, 0, 0, 0},
    {"range beyond its end", "HTTP/1.1 206 P\r\nContent-Range: bytes 0-10/10\r\n\r\n", UPD_E_FORMAT,
     0, 0, 0, 0},
    {"range of unknown size", "HTTP/1.1 206 P\r\nContent-Range: bytes 0-9/*\r\n\r\n", UPD_E_FORMAT,
     0, 0, 0, 0},
    {"two ranges",
     "HTTP/1.1 206 P\r\nContent-Range: bytes 0-9/10\r\nContent-Range: bytes 0-9/10\r\n\r\n",
     UPD_E_FORMAT, 0, 0, 0, 0},
};

/* Feed pieces [0, cut), [cut, size), or with cut 0 byte by byte. */
static enum upd_err feed(struct http_head *head, const char *text, uint32_t size, uint32_t cut)
{
    enum upd_err err = UPD_E_SHORT;
    uint32_t done = 0;

    http_begin(head);
    while (done < size && err == UPD_E_SHORT) {
        uint32_t used = 0;
        uint32_t piece = cut == 0 ? 1 : done < cut ? cut - done : size - done;
        err = http_feed(head, (const uint8_t *)text + done, piece, &used);
        CHECK(used <= piece && (err != UPD_E_SHORT || used == piece));
        done += used;
    }
    CHECK(err != UPD_OK || done == size);
    return err;
}

static void test_answers(void)
{
    for (uint32_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        uint32_t size = text_length(answers[i].text);
        for (uint32_t cut = 0; cut <= size; cut++) {
            struct http_head head;
            enum upd_err err = feed(&head, answers[i].text, size, cut);
            CHECK_THAT(answers[i].name, err == answers[i].err);
            if (err == UPD_OK) {
                CHECK_THAT(answers[i].name, head.status == answers[i].status);
                CHECK_THAT(answers[i].name, head.length == answers[i].length);
                CHECK_THAT(answers[i].name, head.first == answers[i].first);
                CHECK_THAT(answers[i].name, head.date == answers[i].date);
                CHECK_THAT(answers[i].name, head.has_range == (answers[i].status == 206));
            }
        }
    }
    struct http_head head;
    CHECK(feed(&head, OK_LINE "\r\n", 19, 19) == UPD_OK && !head.has_length);
}

static void test_a_byte_of_zero_is_refused_everywhere(void)
{
    const char *good = answers[0].text;
    uint32_t size = text_length(good);
    char bad[400];

    for (uint32_t at = 0; at < size; at++) {
        struct http_head head;
        for (uint32_t i = 0; i < size; i++) {
            bad[i] = i == at ? '\0' : good[i];
        }
        CHECK(feed(&head, bad, size, size) == UPD_E_FORMAT);
    }
}

static void test_a_head_has_an_end(void)
{
    struct http_head head;
    uint32_t used = 0, fed = 0;
    enum upd_err err = UPD_E_SHORT;

    http_begin(&head);
    err = http_feed(&head, (const uint8_t *)OK_LINE, 17, &used);
    while (err == UPD_E_SHORT && fed < 2 * HTTP_HEAD) {
        err = http_feed(&head, (const uint8_t *)"X: y\r\n", 6, &used);
        fed += used;
    }
    CHECK(err == UPD_E_FORMAT && fed + 17 == HTTP_HEAD + 1);
}

static void test_what_follows_the_head_is_left(void)
{
    static const char text[] = OK_LINE "Content-Length: 5\r\n\r\n1.0.1 and more";
    struct http_head head;
    uint32_t used = 0;

    http_begin(&head);
    CHECK(http_feed(&head, (const uint8_t *)text, sizeof text - 1, &used) == UPD_OK);
    CHECK(text_same(text + used, "1.0.1 and more"));
}

static void test_requests(void)
{
    char request[100];

    CHECK(http_request(request, sizeof request, "/release.txt", 0) == text_length(request));
    CHECK(text_same(request, "GET /release.txt HTTP/1.0\r\nUser-Agent: updraft-clock\r\n\r\n"));
    CHECK(http_request(request, sizeof request, "/a.bin", 4096) == text_length(request));
    CHECK(text_same(
        request, "GET /a.bin HTTP/1.0\r\nRange: bytes=4096-\r\nUser-Agent: updraft-clock\r\n\r\n"));
    for (uint32_t size = 1; size <= 57; size++) {
        CHECK(http_request(request, size, "/release.txt", 0) == 0);
    }
}

int main(void)
{
    CHECK_RUN(test_answers);
    CHECK_RUN(test_a_byte_of_zero_is_refused_everywhere);
    CHECK_RUN(test_a_head_has_an_end);
    CHECK_RUN(test_what_follows_the_head_is_left);
    CHECK_RUN(test_requests);
    check_end();
}
