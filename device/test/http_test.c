/*
 * Goal: URLs, heads and chunks are read in one way, whatever they were cut into, and what could be
 * read in two ways is refused with a reason of its own. Method: tables; lies get more rows than
 * truths. Chunks are fed whole, byte by byte, and cut in two at every place.
 */
#include <updraft/bytes.h>
#include <updraft/http.h>

#include "../src/http_date.h"
#include "check.h"

#define TEN "0123456789"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN

static uint32_t length_of(const char *text)
{
    uint32_t length = 0;

    while (text[length] != '\0') {
        length++;
    }
    return length;
}

static bool equal(const char *one, const char *other)
{
    uint32_t size = length_of(one);

    return size == length_of(other) && memcmp(one, other, size) == 0;
}

/* --- URLs ------------------------------------------------------------------------------------- */

static const struct {
    const char *url;
    uint8_t trouble;
    const char *host;
    uint16_t port;
    const char *path;
    bool tls;
} urls[] = {
    {"http://h/", UPD_TROUBLE_NONE, "h", 80, "/", false},
    {"https://h/", UPD_TROUBLE_NONE, "h", 443, "/", true},
    {"http://h", UPD_TROUBLE_NONE, "h", 80, "/", false},
    {"HTTP://Host.Example:8070/a/b?c=d", UPD_TROUBLE_NONE, "Host.Example", 8070, "/a/b?c=d", false},
    {"http://h?q=1", UPD_TROUBLE_NONE, "h", 80, "/?q=1", false},
    {"http://h/a#b", UPD_TROUBLE_NONE, "h", 80, "/a", false},
    {"http://h#b", UPD_TROUBLE_NONE, "h", 80, "/", false},
    {"http://192.0.2.1:1/x", UPD_TROUBLE_NONE, "192.0.2.1", 1, "/x", false},
    {"https://[2001:db8::1]:8443/x", UPD_TROUBLE_NONE, "2001:db8::1", 8443, "/x", true},
    {"http://[::1]", UPD_TROUBLE_NONE, "::1", 80, "/", false},
    {"http://a_b-c/", UPD_TROUBLE_NONE, "a_b-c", 80, "/", false},
    {"http://h:65535/", UPD_TROUBLE_NONE, "h", 65535, "/", false},
    {"http://h/v@2.5.5(a)\"", UPD_TROUBLE_NONE, "h", 80, "/v@2.5.5(a)\"", false},

    {"", UPD_TROUBLE_BAD_URL, 0, 0, 0, 0},
    {"/", UPD_TROUBLE_BAD_URL, 0, 0, 0, 0},
    {"h/", UPD_TROUBLE_BAD_URL, 0, 0, 0, 0},
    {"ftp://h/", UPD_TROUBLE_BAD_URL, 0, 0, 0, 0},
    {"http:h/", UPD_TROUBLE_BAD_URL, 0, 0, 0, 0},
    {"http:/h/", UPD_TROUBLE_BAD_URL, 0, 0, 0, 0},
    {"http:///", UPD_TROUBLE_BAD_URL, 0, 0, 0, 0},
    {"http://", UPD_TROUBLE_BAD_URL, 0, 0, 0, 0},
    {"http://:80/", UPD_TROUBLE_BAD_URL, 0, 0, 0, 0},
    {"http://h:/", UPD_TROUBLE_BAD_URL, 0, 0, 0, 0},
    {"http://h:0/", UPD_TROUBLE_BAD_URL, 0, 0, 0, 0},
    {"http://h:65536/", UPD_TROUBLE_BAD_URL, 0, 0, 0, 0},
    {"http://h:4294967376/", UPD_TROUBLE_BAD_URL, 0, 0, 0, 0},
    {"http://h:-1/", UPD_TROUBLE_BAD_URL, 0, 0, 0, 0},
    {"http://h:80x/", UPD_TROUBLE_BAD_URL, 0, 0, 0, 0},
    {"http://u@h/", UPD_TROUBLE_BAD_URL, 0, 0, 0, 0},
    {"http://u:p@h/", UPD_TROUBLE_BAD_URL, 0, 0, 0, 0},
    {"http://good\\@bad/", UPD_TROUBLE_BAD_URL, 0, 0, 0, 0},
    {"http://h h/", UPD_TROUBLE_BAD_URL, 0, 0, 0, 0},
    {"http://h%2e/", UPD_TROUBLE_BAD_URL, 0, 0, 0, 0},
    {"http://h\r\nX: y/", UPD_TROUBLE_BAD_URL, 0, 0, 0, 0},
    {"http://h/a b", UPD_TROUBLE_BAD_URL, 0, 0, 0, 0},
    {"http://h/a\r\nX: y", UPD_TROUBLE_BAD_URL, 0, 0, 0, 0},
    {"http://h/\x7f", UPD_TROUBLE_BAD_URL, 0, 0, 0, 0},
    {"http://h/\xc3\xa9", UPD_TROUBLE_BAD_URL, 0, 0, 0, 0},
    {"http://[::1/", UPD_TROUBLE_BAD_URL, 0, 0, 0, 0},
    {"http://[]/", UPD_TROUBLE_BAD_URL, 0, 0, 0, 0},
    {"http://[::1]x/", UPD_TROUBLE_BAD_URL, 0, 0, 0, 0},
    {"http://[g::1]/", UPD_TROUBLE_BAD_URL, 0, 0, 0, 0},
    {"http://::1/", UPD_TROUBLE_BAD_URL, 0, 0, 0, 0},
    {"http://" HUNDRED "/", UPD_TROUBLE_URL_TOO_LONG, 0, 0, 0, 0},
    {"http://h/" HUNDRED, UPD_TROUBLE_URL_TOO_LONG, 0, 0, 0, 0},
};

static void test_a_url_is_host_port_and_path_or_refused(void)
{
    for (uint32_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        char text[64 + 1];
        struct upd_url url = {.text = text, .room = 64};

        text[64] = 'x';
        CHECK_THAT(urls[i].url,
                   upd_url_set(&url, urls[i].url) == (enum upd_trouble)urls[i].trouble);
        CHECK_THAT(urls[i].url, text[64] == 'x');
        if (urls[i].trouble == UPD_TROUBLE_NONE) {
            CHECK_THAT(urls[i].url, equal(url.text, urls[i].host));
            CHECK_THAT(urls[i].url, equal(url.text + url.path, urls[i].path));
            CHECK_THAT(urls[i].url, url.port == urls[i].port && url.tls == urls[i].tls);
            CHECK_THAT(urls[i].url, !url.foreign);
        }
    }
}

static void test_a_url_fits_its_room_to_the_byte(void)
{
    static const char text[] = "http://host/path"; /* "host\0/path\0": 11 bytes */

    for (uint16_t room = 8; room < 16; room++) {
        char bytes[17] = "xxxxxxxxxxxxxxxx";
        struct upd_url url = {.text = bytes, .room = room};
        const enum upd_trouble trouble = upd_url_set(&url, text);

        CHECK(trouble == (room >= 11 ? UPD_TROUBLE_NONE : UPD_TROUBLE_URL_TOO_LONG));
        CHECK(bytes[room] == 'x');
    }
}

static const struct {
    const char *from, *location;
    uint8_t trouble;
    const char *host;
    uint16_t port;
    const char *path;
    bool tls, foreign;
} redirects[] = {
    {"http://h/a", "/b?c", UPD_TROUBLE_NONE, "h", 80, "/b?c", false, false},
    {"http://h:8070/a", "/b", UPD_TROUBLE_NONE, "h", 8070, "/b", false, false},
    {"https://h/a", "/b", UPD_TROUBLE_NONE, "h", 443, "/b", true, false},
    {"http://h/a", "http://h/b", UPD_TROUBLE_NONE, "h", 80, "/b", false, false},
    {"http://h/a", "HTTP://H:80/b", UPD_TROUBLE_NONE, "H", 80, "/b", false, false},
    {"http://h/a", "http://h2/b", UPD_TROUBLE_NONE, "h2", 80, "/b", false, true},
    {"http://h2/a", "http://h/b", UPD_TROUBLE_NONE, "h", 80, "/b", false, true},
    {"http://h/a", "http://h:81/b", UPD_TROUBLE_NONE, "h", 81, "/b", false, true},
    {"http://h/a", "https://h/b", UPD_TROUBLE_NONE, "h", 443, "/b", true, true},
    {"http://h/a", "//i/b", UPD_TROUBLE_NONE, "i", 80, "/b", false, true},
    {"https://h/a", "//i/b", UPD_TROUBLE_NONE, "i", 443, "/b", true, true},
    {"https://h/a", "https://i/b", UPD_TROUBLE_NONE, "i", 443, "/b", true, true},
    {"https://h/a", "http://h/b", UPD_TROUBLE_REDIRECT_TO_PLAIN, 0, 0, 0, 0, 0},
    {"https://h/a", "HtTp://i:443/b", UPD_TROUBLE_REDIRECT_TO_PLAIN, 0, 0, 0, 0, 0},
    {"http://h/a", "", UPD_TROUBLE_BAD_REDIRECT, 0, 0, 0, 0, 0},
    {"http://h/a", "b", UPD_TROUBLE_BAD_REDIRECT, 0, 0, 0, 0, 0},
    {"http://h/a", "?b", UPD_TROUBLE_BAD_REDIRECT, 0, 0, 0, 0, 0},
    {"http://h/a", "http:b", UPD_TROUBLE_BAD_REDIRECT, 0, 0, 0, 0, 0},
    {"http://h/a", "ftp://h/b", UPD_TROUBLE_BAD_REDIRECT, 0, 0, 0, 0, 0},
    {"http://h/a", "file:///etc/passwd", UPD_TROUBLE_BAD_REDIRECT, 0, 0, 0, 0, 0},
    {"http://h/a", "http://u@h/b", UPD_TROUBLE_BAD_REDIRECT, 0, 0, 0, 0, 0},
    {"http://h/a", "/b c", UPD_TROUBLE_BAD_REDIRECT, 0, 0, 0, 0, 0},
    {"http://h/a", "http://h:99999/", UPD_TROUBLE_BAD_REDIRECT, 0, 0, 0, 0, 0},
    {"http://h/a", "/" HUNDRED, UPD_TROUBLE_URL_TOO_LONG, 0, 0, 0, 0, 0},
    {"http://h/a", "http://" HUNDRED "/", UPD_TROUBLE_URL_TOO_LONG, 0, 0, 0, 0, 0},
};

static void test_a_redirect_never_leads_to_plain_http_and_says_when_it_leaves(void)
{
    for (uint32_t i = 0; i < sizeof redirects / sizeof redirects[0]; i++) {
        char text[64];
        struct upd_url url = {.text = text, .room = sizeof text};

        CHECK(upd_url_set(&url, redirects[i].from) == UPD_TROUBLE_NONE);
        CHECK_THAT(redirects[i].location, upd_url_follow(&url, redirects[i].location) ==
                                              (enum upd_trouble)redirects[i].trouble);
        if (redirects[i].trouble == UPD_TROUBLE_NONE) {
            CHECK_THAT(redirects[i].location, equal(url.text, redirects[i].host));
            CHECK_THAT(redirects[i].location, equal(url.text + url.path, redirects[i].path));
            CHECK_THAT(redirects[i].location,
                       url.port == redirects[i].port && url.tls == redirects[i].tls);
            CHECK_THAT(redirects[i].location, url.foreign == redirects[i].foreign);
            /* Once abroad, always abroad. */
            CHECK(upd_url_follow(&url, url.tls ? "https://h/" : "http://h/") == UPD_TROUBLE_NONE);
            CHECK_THAT(redirects[i].location, url.foreign || !redirects[i].foreign);
        }
    }
}

/* --- Heads ------------------------------------------------------------------------------------ */

static const struct {
    const char *line;
    uint16_t status;
    uint8_t trouble;
} statuses[] = {
    {"HTTP/1.1 200 OK", 200, UPD_TROUBLE_NONE},   {"HTTP/1.0 304", 304, UPD_TROUBLE_NONE},
    {"http/1.1 206 ", 206, UPD_TROUBLE_NONE},     {"HTTP/1.1 100 Continue", 100, UPD_TROUBLE_NONE},
    {"HTTP/1.1 599 x", 599, UPD_TROUBLE_NONE},    {"", 0, UPD_TROUBLE_NOT_HTTP},
    {"HTTP/2 200", 0, UPD_TROUBLE_NOT_HTTP},      {"HTTP/1.2 200", 0, UPD_TROUBLE_NOT_HTTP},
    {"HTTP/1.10 200", 0, UPD_TROUBLE_NOT_HTTP},   {"HTTP/0.9 200", 0, UPD_TROUBLE_NOT_HTTP},
    {" HTTP/1.1 200", 0, UPD_TROUBLE_NOT_HTTP},   {"ICY 200 OK", 0, UPD_TROUBLE_NOT_HTTP},
    {"SSH-2.0-OpenSSH", 0, UPD_TROUBLE_NOT_HTTP}, {"<html>", 0, UPD_TROUBLE_NOT_HTTP},
    {"HTTP/1.1200 OK", 0, UPD_TROUBLE_NOT_HTTP},  {"HTTP/1.1 OK", 0, UPD_TROUBLE_BAD_STATUS},
    {"HTTP/1.1  200", 0, UPD_TROUBLE_BAD_STATUS}, {"HTTP/1.1 20", 0, UPD_TROUBLE_BAD_STATUS},
    {"HTTP/1.1 2000", 0, UPD_TROUBLE_BAD_STATUS}, {"HTTP/1.1 0200", 0, UPD_TROUBLE_BAD_STATUS},
    {"HTTP/1.1 -200", 0, UPD_TROUBLE_BAD_STATUS}, {"HTTP/1.1 099", 0, UPD_TROUBLE_BAD_STATUS},
    {"HTTP/1.1 600", 0, UPD_TROUBLE_BAD_STATUS},  {"HTTP/1.1 200OK", 0, UPD_TROUBLE_BAD_STATUS},
    {"HTTP/1.1 ", 0, UPD_TROUBLE_BAD_STATUS},
};

static void test_a_status_line_is_of_http_1_and_has_three_digits(void)
{
    for (uint32_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        struct upd_http_head head = {.status = 1, .seen = 0xFF};

        CHECK_THAT(statuses[i].line, upd_http_status(&head, statuses[i].line) ==
                                         (enum upd_trouble)statuses[i].trouble);
        CHECK_THAT(statuses[i].line, head.status == statuses[i].status && head.seen == 0);
    }
}

/* Fields of a head, each on a line of its own. */
static const struct {
    const char *name;
    const char *status;
    const char *lines[3];
    uint8_t trouble;
    uint32_t length, first, until, total;
    const char *etag;
} heads[] = {
    {"a length", "HTTP/1.1 200", {"Content-Length: 5"}, UPD_TROUBLE_NONE, 5, 0, 0, 0, ""},
    {"in any case", "HTTP/1.1 200", {"CONTENT-length:\t5 \t"}, UPD_TROUBLE_NONE, 5, 0, 0, 0, ""},
    {"no blank", "HTTP/1.1 200", {"Content-Length:5"}, UPD_TROUBLE_NONE, 5, 0, 0, 0, ""},
    {"the longest",
     "HTTP/1.1 200",
     {"Content-Length: 4294967294"},
     UPD_TROUBLE_NONE,
     4294967294u,
     0,
     0,
     0,
     ""},
    {"leading zeros", "HTTP/1.1 200", {"Content-Length: 0005"}, UPD_TROUBLE_NONE, 5, 0, 0, 0, ""},
    {"unknown fields",
     "HTTP/1.1 200",
     {"X: y", "Content-Length: 5", "Empty:"},
     UPD_TROUBLE_NONE,
     5,
     0,
     0,
     0,
     ""},
    {"a part", "HTTP/1.1 206", {"Content-Range: bytes 4-7/8"}, UPD_TROUBLE_NONE, 0, 4, 8, 8, ""},
    {"a part of 200", "HTTP/1.1 200", {"Content-Range: bytes x"}, UPD_TROUBLE_NONE, 0, 0, 0, 0, ""},
    {"an etag", "HTTP/1.1 200", {"ETag: \"a-b\""}, UPD_TROUBLE_NONE, 0, 0, 0, 0, "\"a-b\""},
    {"an empty etag", "HTTP/1.1 200", {"ETag: \"\""}, UPD_TROUBLE_NONE, 0, 0, 0, 0, "\"\""},
    {"a weak etag is none", "HTTP/1.1 200", {"ETag: W/\"a\""}, UPD_TROUBLE_NONE, 0, 0, 0, 0, ""},
    {"a long etag is none",
     "HTTP/1.1 200",
     {"ETag: \"" HUNDRED "\""},
     UPD_TROUBLE_NONE,
     0,
     0,
     0,
     0,
     ""},
    {"chunks", "HTTP/1.1 200", {"Transfer-Encoding: Chunked"}, UPD_TROUBLE_NONE, 0, 0, 0, 0, ""},
    {"not compressed",
     "HTTP/1.1 200",
     {"Content-Encoding: identity"},
     UPD_TROUBLE_NONE,
     0,
     0,
     0,
     0,
     ""},

    {"two lengths",
     "HTTP/1.1 200",
     {"Content-Length: 5", "Content-Length: 6"},
     UPD_TROUBLE_TWO_LENGTHS,
     0,
     0,
     0,
     0,
     ""},
    {"one length twice",
     "HTTP/1.1 200",
     {"Content-Length: 5", "content-length: 5"},
     UPD_TROUBLE_TWO_LENGTHS,
     0,
     0,
     0,
     0,
     ""},
    {"a list of lengths",
     "HTTP/1.1 200",
     {"Content-Length: 5, 5"},
     UPD_TROUBLE_BAD_LENGTH,
     0,
     0,
     0,
     0,
     ""},
    {"negative", "HTTP/1.1 200", {"Content-Length: -5"}, UPD_TROUBLE_BAD_LENGTH, 0, 0, 0, 0, ""},
    {"signed", "HTTP/1.1 200", {"Content-Length: +5"}, UPD_TROUBLE_BAD_LENGTH, 0, 0, 0, 0, ""},
    {"hexadecimal",
     "HTTP/1.1 200",
     {"Content-Length: 0x5"},
     UPD_TROUBLE_BAD_LENGTH,
     0,
     0,
     0,
     0,
     ""},
    {"a fraction", "HTTP/1.1 200", {"Content-Length: 5.0"}, UPD_TROUBLE_BAD_LENGTH, 0, 0, 0, 0, ""},
    {"an exponent",
     "HTTP/1.1 200",
     {"Content-Length: 1e3"},
     UPD_TROUBLE_BAD_LENGTH,
     0,
     0,
     0,
     0,
     ""},
    {"none", "HTTP/1.1 200", {"Content-Length:"}, UPD_TROUBLE_BAD_LENGTH, 0, 0, 0, 0, ""},
    {"2^32 - 1",
     "HTTP/1.1 200",
     {"Content-Length: 4294967295"},
     UPD_TROUBLE_BAD_LENGTH,
     0,
     0,
     0,
     0,
     ""},
    {"2^32",
     "HTTP/1.1 200",
     {"Content-Length: 4294967296"},
     UPD_TROUBLE_BAD_LENGTH,
     0,
     0,
     0,
     0,
     ""},
    {"2^64 + 5",
     "HTTP/1.1 200",
     {"Content-Length: 18446744073709551621"},
     UPD_TROUBLE_BAD_LENGTH,
     0,
     0,
     0,
     0,
     ""},
    {"a hundred digits",
     "HTTP/1.1 200",
     {"Content-Length: " HUNDRED},
     UPD_TROUBLE_BAD_LENGTH,
     0,
     0,
     0,
     0,
     ""},
    {"digits with a blank",
     "HTTP/1.1 200",
     {"Content-Length: 5 5"},
     UPD_TROUBLE_BAD_LENGTH,
     0,
     0,
     0,
     0,
     ""},
    {"gzip and chunks",
     "HTTP/1.1 200",
     {"Transfer-Encoding: gzip, chunked"},
     UPD_TROUBLE_BAD_CODING,
     0,
     0,
     0,
     0,
     ""},
    {"chunks twice",
     "HTTP/1.1 200",
     {"Transfer-Encoding: chunked", "Transfer-Encoding: chunked"},
     UPD_TROUBLE_BAD_CODING,
     0,
     0,
     0,
     0,
     ""},
    {"chunks of identity",
     "HTTP/1.1 200",
     {"Transfer-Encoding: identity"},
     UPD_TROUBLE_BAD_CODING,
     0,
     0,
     0,
     0,
     ""},
    {"chunks, nearly",
     "HTTP/1.1 200",
     {"Transfer-Encoding: xchunked"},
     UPD_TROUBLE_BAD_CODING,
     0,
     0,
     0,
     0,
     ""},
    {"chunks of 1.0",
     "HTTP/1.0 200",
     {"Transfer-Encoding: chunked"},
     UPD_TROUBLE_BAD_CODING,
     0,
     0,
     0,
     0,
     ""},
    {"compressed",
     "HTTP/1.1 200",
     {"Content-Encoding: gzip"},
     UPD_TROUBLE_COMPRESSED,
     0,
     0,
     0,
     0,
     ""},
    {"range backwards",
     "HTTP/1.1 206",
     {"Content-Range: bytes 7-4/8"},
     UPD_TROUBLE_BAD_PART,
     0,
     0,
     0,
     0,
     ""},
    {"range beyond",
     "HTTP/1.1 206",
     {"Content-Range: bytes 4-8/8"},
     UPD_TROUBLE_BAD_PART,
     0,
     0,
     0,
     0,
     ""},
    {"range of unknown",
     "HTTP/1.1 206",
     {"Content-Range: bytes 4-7/*"},
     UPD_TROUBLE_BAD_PART,
     0,
     0,
     0,
     0,
     ""},
    {"range of nothing",
     "HTTP/1.1 206",
     {"Content-Range: bytes */8"},
     UPD_TROUBLE_BAD_PART,
     0,
     0,
     0,
     0,
     ""},
    {"range of lines",
     "HTTP/1.1 206",
     {"Content-Range: lines 4-7/8"},
     UPD_TROUBLE_BAD_PART,
     0,
     0,
     0,
     0,
     ""},
    {"negative range",
     "HTTP/1.1 206",
     {"Content-Range: bytes -4-7/8"},
     UPD_TROUBLE_BAD_PART,
     0,
     0,
     0,
     0,
     ""},
    {"huge range",
     "HTTP/1.1 206",
     {"Content-Range: bytes 4-4294967295/4294967296"},
     UPD_TROUBLE_BAD_PART,
     0,
     0,
     0,
     0,
     ""},
    {"range and more",
     "HTTP/1.1 206",
     {"Content-Range: bytes 4-7/8, 1-2/8"},
     UPD_TROUBLE_BAD_PART,
     0,
     0,
     0,
     0,
     ""},
    {"two ranges",
     "HTTP/1.1 206",
     {"Content-Range: bytes 4-7/8", "Content-Range: bytes 4-7/8"},
     UPD_TROUBLE_BAD_PART,
     0,
     0,
     0,
     0,
     ""},
    {"etag without quotes", "HTTP/1.1 200", {"ETag: abc"}, UPD_TROUBLE_BAD_ETAG, 0, 0, 0, 0, ""},
    {"etag with one quote", "HTTP/1.1 200", {"ETag: \"abc"}, UPD_TROUBLE_BAD_ETAG, 0, 0, 0, 0, ""},
    {"one quote", "HTTP/1.1 200", {"ETag: \""}, UPD_TROUBLE_BAD_ETAG, 0, 0, 0, 0, ""},
    {"a list of etags",
     "HTTP/1.1 200",
     {"ETag: \"a\", \"b\""},
     UPD_TROUBLE_BAD_ETAG,
     0,
     0,
     0,
     0,
     ""},
    {"etag with a blank", "HTTP/1.1 200", {"ETag: \"a b\""}, UPD_TROUBLE_BAD_ETAG, 0, 0, 0, 0, ""},
    {"two etags",
     "HTTP/1.1 200",
     {"ETag: \"a\"", "ETag: \"b\""},
     UPD_TROUBLE_BAD_ETAG,
     0,
     0,
     0,
     0,
     ""},
    {"a weak and a strong one",
     "HTTP/1.1 200",
     {"ETag: W/\"a\"", "ETag: \"b\""},
     UPD_TROUBLE_BAD_ETAG,
     0,
     0,
     0,
     0,
     ""},
    {"two places",
     "HTTP/1.1 302",
     {"Location: /a", "Location: /b"},
     UPD_TROUBLE_BAD_REDIRECT,
     0,
     0,
     0,
     0,
     ""},
    {"no place", "HTTP/1.1 302", {"Location:"}, UPD_TROUBLE_BAD_REDIRECT, 0, 0, 0, 0, ""},
    {"folded",
     "HTTP/1.1 200",
     {"X: y", " Content-Length: 5"},
     UPD_TROUBLE_BAD_LINE,
     0,
     0,
     0,
     0,
     ""},
    {"folded by a tab", "HTTP/1.1 200", {"X: y", "\tz"}, UPD_TROUBLE_BAD_LINE, 0, 0, 0, 0, ""},
    {"blank before the colon",
     "HTTP/1.1 200",
     {"Content-Length : 5"},
     UPD_TROUBLE_BAD_LINE,
     0,
     0,
     0,
     0,
     ""},
    {"no colon", "HTTP/1.1 200", {"Content-Length 5"}, UPD_TROUBLE_BAD_LINE, 0, 0, 0, 0, ""},
    {"no name", "HTTP/1.1 200", {": 5"}, UPD_TROUBLE_BAD_LINE, 0, 0, 0, 0, ""},
    {"name of other letters",
     "HTTP/1.1 200",
     {"Content-L\xc3\xa4nge: 5"},
     UPD_TROUBLE_BAD_LINE,
     0,
     0,
     0,
     0,
     ""},
};

static void test_a_head_is_read_in_one_way_or_refused(void)
{
    for (uint32_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        struct upd_http_head head;
        enum upd_trouble trouble = upd_http_status(&head, heads[i].status);

        for (uint32_t k = 0; k < 3 && heads[i].lines[k] != NULL && trouble == UPD_TROUBLE_NONE;
             k++) {
            char line[160];
            const char *name = NULL, *value = NULL;
            uint32_t size = length_of(heads[i].lines[k]);

            memcpy(line, heads[i].lines[k], size);
            line[size + 1] = 'x';
            trouble = upd_http_field(&head, line, size, true, &name, &value);
            CHECK_THAT(heads[i].name, line[size + 1] == 'x');
        }
        CHECK_THAT(heads[i].name, trouble == (enum upd_trouble)heads[i].trouble);
        if (trouble == UPD_TROUBLE_NONE) {
            CHECK_THAT(heads[i].name,
                       head.length == heads[i].length && head.first == heads[i].first &&
                           head.until == heads[i].until && head.total == heads[i].total);
            CHECK_THAT(heads[i].name, equal(head.etag, heads[i].etag));
        }
    }
}

static void test_a_line_that_is_too_long_is_refused_where_it_matters(void)
{
    static const struct {
        const char *line;
        uint8_t trouble;
    } rows[] = {
        {"X-Anything: abc", UPD_TROUBLE_NONE},
        {"Date: abc", UPD_TROUBLE_NONE},
        {"ETag: \"abc", UPD_TROUBLE_NONE},
        {"Content-Length: 000", UPD_TROUBLE_BAD_LENGTH},
        {"Transfer-Encoding: chu", UPD_TROUBLE_BAD_CODING},
        {"Content-Encoding: ident", UPD_TROUBLE_COMPRESSED},
        {"Content-Range: bytes 0", UPD_TROUBLE_BAD_PART},
        {"Location: /abc", UPD_TROUBLE_URL_TOO_LONG},
        {"NoColonSoFar", UPD_TROUBLE_BAD_LINE},
    };

    for (uint32_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct upd_http_head head;
        char line[40];
        const char *name = NULL, *value = NULL;
        uint32_t size = length_of(rows[i].line);

        memcpy(line, rows[i].line, size);
        CHECK(upd_http_status(&head, "HTTP/1.1 200 OK") == UPD_TROUBLE_NONE);
        CHECK_THAT(rows[i].line, upd_http_field(&head, line, size, false, &name, &value) ==
                                     (enum upd_trouble)rows[i].trouble);
    }
}

static void test_dates(void)
{
    static const struct {
        const char *text;
        uint32_t seconds;
    } rows[] = {
        {"Sat, 21 Nov 2026 02:57:35 GMT", 1795229855},
        {"Wed, 01 Jan 2020 00:00:00 GMT", 1577836800},
        {"Sat, 29 Feb 2020 12:00:00 GMT", 1582977600},
        {"Sun, 01 Mar 2020 00:00:00 GMT", 1583020800},
        {"Thu, 31 Dec 2099 23:59:59 GMT", 4102444799u},
        {"Mon, 01 Mar 2100 00:00:00 GMT", 4107542400u},
        {"Sat, 01 Jan 2101 00:00:00 GMT", 4133980800u},
        {"Thu, 31 Dec 2105 23:59:59 GMT", 4291747199u},
        {"Fri, 31 Dec 1999 23:59:59 GMT", 0},
        {"Sat, 21 Nov 2026 02:57:35 CET", 0},
        {"Sat, 21 Nov 2026 02:57:35 GMT ", 0},
        {"Sat, 21 Nov 2026 02:57:35", 0},
        {"Sat, 21 Nov 2026 24:57:35 GMT", 0},
        {"Sat, 00 Nov 2026 02:57:35 GMT", 0},
        {"Sat, 21 Foo 2026 02:57:35 GMT", 0},
        {"Sat, 2x Nov 2026 02:57:35 GMT", 0},
        {"Saturday, 21-Nov-26 02:57:35 GMT", 0},
        {"1795229855", 0},
        {"", 0},
    };

    for (uint32_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CHECK_THAT(rows[i].text, upd_http_date(rows[i].text) == rows[i].seconds);
    }
}

/* --- Chunks ----------------------------------------------------------------------------------- */

enum { GOOD, CUT, BAD };

static const struct {
    const char *name, *bytes, *data;
    uint8_t end;
} bodies[] = {
    {"one", "5\r\nhello\r\n0\r\n\r\n", "hello", GOOD},
    {"two", "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", "hello", GOOD},
    {"none", "0\r\n\r\n", "", GOOD},
    {"hexadecimal", "0a\r\n0123456789\r\n0\r\n\r\n", TEN, GOOD},
    {"capital", "A\r\n0123456789\r\n000\r\n\r\n", TEN, GOOD},
    {"an extension", "5;a=\"b\"\r\nhello\r\n0;c\r\n\r\n", "hello", GOOD},
    {"blanks behind the size", "5  \r\nhello\r\n0\r\n\r\n", "hello", GOOD},
    {"trailers", "5\r\nhello\r\n0\r\nA: b\r\nC: d\r\n\r\n", "hello", GOOD},
    {"CR LF within data", "4\r\n\r\n\r\n\r\n0\r\n\r\n", "\r\n\r\n", GOOD},
    {"what follows is not looked at", "0\r\n\r\nHTTP/1.1 200 OK", "", GOOD},

    {"cut in the size", "5", "", CUT},
    {"cut in the data", "5\r\nhel", "hel", CUT},
    {"cut behind the data", "5\r\nhello\r\n", "hello", CUT},
    {"cut in the last chunk", "5\r\nhello\r\n0\r\n", "hello", CUT},
    {"cut in the trailer", "0\r\nA: b\r\n\r", "", CUT},

    {"no size", "\r\nhello\r\n", "", BAD},
    {"an extension without size", ";a\r\nhello", "", BAD},
    {"no number", "x\r\nhello", "", BAD},
    {"negative", "-5\r\nhello", "", BAD},
    {"0x", "0x5\r\nhello", "", BAD},
    {"nine digits", "000000005\r\nhello", "", BAD},
    {"2^32", "100000000\r\nhello", "", BAD},
    {"bare LF behind the size", "5\nhello\r\n0\r\n\r\n", "", BAD},
    {"bare CR behind the size", "5\rhello\r\n0\r\n\r\n", "", BAD},
    {"bare LF behind the data", "5\r\nhello\n0\r\n\r\n", "hello", BAD},
    {"more data than stated", "5\r\nhello!\r\n0\r\n\r\n", "hello", BAD},
    {"less data than stated", "5\r\nhell\r\n0\r\n\r\n", "hell\r", BAD},
    {"bare LF in the trailer", "0\r\n\n", "", BAD},
    {"bare CR in the trailer", "0\r\nA\rB\r\n\r\n", "", BAD},
    {"a control character", "5;\x01\r\nhello", "", BAD},
    {"an extension without end",
     "5;" HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED TEN TEN
         TEN,
     "", BAD},
    {"trailers without end",
     "0\r\n" HUNDRED "\r\n" HUNDRED "\r\n" HUNDRED "\r\n" HUNDRED "\r\n" HUNDRED "\r\n" HUNDRED
     "\r\n" HUNDRED "\r\n" HUNDRED "\r\n" HUNDRED "\r\n" HUNDRED "\r\n" HUNDRED "\r\n",
     "", BAD},
};

struct unchunked {
    struct upd_chunks chunks;
    char data[64];
    uint32_t size;
    bool bad;
};

static void feed(struct unchunked *to, const char *bytes, uint32_t size)
{
    while (size > 0 && !to->bad && !upd_chunks_over(&to->chunks)) {
        uint32_t used = 0;

        to->bad = !upd_chunks_take(&to->chunks, (const uint8_t *)bytes, size, &used);
        bytes += used;
        size -= used;
        uint32_t data = upd_chunks_data(&to->chunks);
        data = data < size ? data : size;
        if (!to->bad && data > 0) {
            CHECK(to->size + data <= sizeof to->data);
            memcpy(to->data + to->size, bytes, data);
            to->size += data;
            to->chunks.left -= data;
            bytes += data;
            size -= data;
        }
    }
}

static void check_body(uint32_t row, uint32_t first, uint32_t piece)
{
    struct unchunked body = {.size = 0};
    const char *bytes = bodies[row].bytes;
    uint32_t size = length_of(bytes);

    if (first > 0) {
        feed(&body, bytes, first);
    }
    for (uint32_t at = first; at < size; at += piece) {
        feed(&body, bytes + at, piece < size - at ? piece : size - at);
    }
    const uint8_t end = body.bad ? BAD : upd_chunks_over(&body.chunks) ? GOOD : CUT;
    CHECK_THAT(bodies[row].name, end == bodies[row].end);
    CHECK_THAT(bodies[row].name, body.size == length_of(bodies[row].data) &&
                                     memcmp(body.data, bodies[row].data, body.size) == 0);
}

static void test_chunks_are_the_same_however_they_are_cut(void)
{
    for (uint32_t row = 0; row < sizeof bodies / sizeof bodies[0]; row++) {
        uint32_t size = length_of(bodies[row].bytes);

        check_body(row, 0, 1);
        for (uint32_t first = 0; first <= size; first++) {
            check_body(row, first, size + 1);
        }
    }
}

int main(void)
{
    CHECK_RUN(test_a_url_is_host_port_and_path_or_refused);
    CHECK_RUN(test_a_url_fits_its_room_to_the_byte);
    CHECK_RUN(test_a_redirect_never_leads_to_plain_http_and_says_when_it_leaves);
    CHECK_RUN(test_a_status_line_is_of_http_1_and_has_three_digits);
    CHECK_RUN(test_a_head_is_read_in_one_way_or_refused);
    CHECK_RUN(test_a_line_that_is_too_long_is_refused_where_it_matters);
    CHECK_RUN(test_dates);
    CHECK_RUN(test_chunks_are_the_same_however_they_are_cut);
    check_end();
}
