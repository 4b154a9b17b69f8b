/*
 * Goal: what fetch.h promises. (F1) never more content than is acceptable or was stated, each byte
 * once and in order; (F2) DONE only after the end that was stated; (F3) every fetch ends in bounded
 * time by itself. And that each thing that can go wrong is named as what it is.
 *
 * Method: a server in memory that follows a script, one line for each connection. Each row of the
 * tables is run with all the bytes at once, and byte by byte; rows of the first table also with
 * their answer cut into two pieces at every place. Every answer is also broken off at every place: then
 * the end must be one of those that the place allows. Time is a number.
 */
#include <string.h>

#include <updraft/fetch.h>

#include "wire.h"

enum { GOT_SIZE = 70000, MOST = 60000, DAY_MS = 86400000 };

static struct {
    struct wire wire;
    struct upd_fetch fetch;
    uint8_t buffer[2048];
    uint8_t got[GOT_SIZE];
    uint32_t got_size;
    uint32_t seek; /* at HEAD */
    uint32_t heads;
    uint32_t pauses; /* seen as trouble while it waits */
    uint32_t longest_ms;
    uint32_t now_ms;
    uint32_t random;
    char fields[400]; /* heard: "name=value;" */
} t;

static const struct upd_patience patience = {
    .connect_ms = 5000,
    .answer_ms = 6000,
    .idle_ms = 7000,
    .rate_ms = 4000,
    .rate_bytes = 8,
    .pause_ms = 1000,
    .pause_most_ms = 8000,
    .tries = 4,
    .redirects = 3,
};

static uint32_t next_random(void *ctx)
{
    (void)ctx;
    t.random = t.random * 1664525 + 1013904223;
    return t.random >> 7;
}

static void open_with(const struct wire_line *lines, uint32_t count, uint32_t buffer_size)
{
    static const struct upd_transport *transport = &t.wire.transport;
    const struct upd_fetch_config config = {.transport = transport,
                                            .patience = &patience,
                                            .buffer = t.buffer,
                                            .buffer_size = buffer_size,
                                            .random = next_random};

    memset(&t, 0, sizeof t);
    t.now_ms = UINT32_MAX - 3000; /* it wraps */
    wire_open(&t.wire, lines, count);
    upd_fetch_init(&t.fetch, &config);
}

/* Take news and check what must hold of them. */
static void take(const char *row, const struct upd_request *request, enum upd_fetch_news news)
{
    const struct upd_fetch *fetch = &t.fetch;

    if (news == UPD_FETCH_HEAD) {
        CHECK_THAT(row, t.heads == 0);
        t.heads++;
        if (t.seek != 0) {
            upd_fetch_seek(&t.fetch, t.seek, t.now_ms);
        }
    }
    if (news == UPD_FETCH_BODY) {
        CHECK_THAT(row, t.heads == 1 && fetch->status == 200);
        CHECK_THAT(row, fetch->piece_size > 0 && fetch->piece_size <= UPD_FETCH_PIECE);
        CHECK_THAT(row, fetch->offset == t.seek + t.got_size);
        CHECK_THAT(row, fetch->offset + fetch->piece_size <= request->most);
        CHECK_THAT(row, !fetch->has_size || fetch->offset + fetch->piece_size <= fetch->size);
        CHECK_THAT(row, fetch->piece >= t.buffer &&
                            fetch->piece + fetch->piece_size <= t.buffer + sizeof t.buffer);
        if (t.got_size + fetch->piece_size <= sizeof t.got) {
            memcpy(t.got + t.got_size, fetch->piece, fetch->piece_size);
        }
        t.got_size += fetch->piece_size;
    }
    if (news == UPD_FETCH_DONE) {
        CHECK_THAT(row, t.heads == 1 && fetch->trouble == UPD_TROUBLE_NONE);
        CHECK_THAT(row, fetch->offset == t.seek + t.got_size);
        if (fetch->has_size && fetch->status == 200 && !request->head) {
            CHECK_THAT(row, fetch->offset == fetch->size);
        }
    }
    if (news == UPD_FETCH_FAILED) {
        CHECK_THAT(row, fetch->trouble != UPD_TROUBLE_NONE && fetch->failures > 0);
    }
}

/* Until it ends. @param piece  bytes that the wire gives and takes at once */
static enum upd_fetch_news run(const char *row, const struct upd_request *request, uint32_t piece)
{
    const uint32_t begin_ms = t.now_ms;
    enum upd_fetch_news news = UPD_FETCH_WAITS;
    uint32_t failures = 0;
    uint32_t busy = 0;

    t.wire.piece = piece;
    upd_fetch_begin(&t.fetch, request, t.now_ms);
    for (;;) {
        news = upd_fetch_poll(&t.fetch, t.now_ms);
        take(row, request, news);
        if (news == UPD_FETCH_DONE || news == UPD_FETCH_FAILED || check_totals.failing) {
            break;
        }
        busy = news == UPD_FETCH_WAITS ? 0 : busy + 1;
        t.now_ms += news == UPD_FETCH_WAITS ? 50 : 0;
        if (t.fetch.failures != failures) {
            failures = t.fetch.failures;
            t.longest_ms = t.fetch.pause_ms > t.longest_ms ? t.fetch.pause_ms : t.longest_ms;
        }
        if (busy > 400000 || t.now_ms - begin_ms > DAY_MS) {
            CHECK_THAT(row, busy <= 400000 && t.now_ms - begin_ms <= DAY_MS);
            break;
        }
    }
    CHECK_THAT(row, t.wire.line == NULL); /* it was hung up */
    CHECK_THAT(row, upd_fetch_poll(&t.fetch, t.now_ms + DAY_MS / 2) == news);
    return news;
}

/* --- One answer ------------------------------------------------------------------------------- */

#define OK "HTTP/1.1 200 OK\r\n"
#define BODY "0123456789abcdef"

struct row {
    const char *name;
    const char *answer;
    enum wire_end end;
    enum upd_trouble trouble; /* the last one; NONE: DONE */
    uint16_t status;
    uint32_t size; /* bytes of BODY handed out */
    bool again; /* what comes to pass is tried again, so there are as many connections as tries */
};

#define T(name) UPD_TROUBLE_##name
static const struct row rows[] = {
    {"a length", OK "Content-Length: 16\r\n\r\n" BODY, WIRE_HANGS, T(NONE), 200, 16, false},
    {"a length, then the end", OK "Content-Length: 16\r\n\r\n" BODY, WIRE_ENDS, T(NONE), 200, 16,
     0},
    {"a length, then more", OK "Content-Length: 16\r\n\r\n" BODY "xx", WIRE_HANGS, T(NONE), 200, 16,
     false},
    {"a length, then it breaks", OK "Content-Length: 16\r\n\r\n" BODY, WIRE_BREAKS, T(NONE), 200,
     16, false},
    {"nothing at all", OK "Content-Length: 0\r\n\r\n", WIRE_HANGS, T(NONE), 200, 0, false},
    {"a length with blanks around it", OK "Content-Length:  16 \t\r\n\r\n" BODY, WIRE_HANGS,
     T(NONE), 200, 16, false},
    {"chunks", OK "Transfer-Encoding: chunked\r\n\r\n10\r\n" BODY "\r\n0\r\n\r\n", WIRE_HANGS,
     T(NONE), 200, 16, false},
    {"chunks of one byte",
     OK "Transfer-Encoding: Chunked\r\n\r\n1\r\n0\r\n1\r\n1\r\n1\r\n2\r\n0\r\n\r\n", WIRE_HANGS,
     T(NONE), 200, 3, false},
    {"chunks with extensions and trailers",
     OK "Transfer-Encoding: chunked\r\n\r\n10;a=b\r\n" BODY "\r\n000;x\r\nA: b\r\nC: d\r\n\r\n",
     WIRE_HANGS, T(NONE), 200, 16, false},
    {"no chunk", OK "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", WIRE_HANGS, T(NONE), 200, 0, 0},
    {"up to the end", OK "\r\n" BODY, WIRE_ENDS, T(NONE), 200, 16, false},
    {"up to the end, of nothing", OK "\r\n", WIRE_ENDS, T(NONE), 200, 0, false},
    {"HTTP/1.0", "HTTP/1.0 200\r\n\r\n" BODY, WIRE_ENDS, T(NONE), 200, 16, false},
    {"HTTP/1.0 with a length", "HTTP/1.0 200 OK\r\nContent-length: 16\r\n\r\n" BODY, WIRE_HANGS,
     T(NONE), 200, 16, false},
    {"after an informational answer",
     "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nContent-Length: 3\r\n\r\n" OK
     "Content-Length: 16\r\n\r\n" BODY,
     WIRE_HANGS, T(NONE), 200, 16, false},
    {"not modified", "HTTP/1.1 304 Not Modified\r\nContent-Length: 16\r\n\r\n", WIRE_HANGS, T(NONE),
     304, 0, false},
    {"not found", "HTTP/1.1 404 no\r\nContent-Length: 16\r\n\r\n" BODY, WIRE_HANGS, T(NONE), 404, 0,
     false},
    {"no content", "HTTP/1.1 204 no\r\n\r\n", WIRE_HANGS, T(NONE), 204, 0, false},
    {"a list of fields",
     OK
     "Date: Sat, 21 Nov 2026 08:00:00 GMT\r\nETag: W/\"x\"\r\nX:\r\nServer: a b\r\nContent-Length: "
     "16\r\nAccept-Ranges: bytes\r\nContent-Type: a/b\r\nConnection: close\r\n\r\n" BODY,
     WIRE_HANGS, T(NONE), 200, 16, false},

    {"nothing, and the end", "", WIRE_ENDS, T(NO_ANSWER), 0, 0, true},
    {"nothing, and it breaks", "", WIRE_BREAKS, T(CONNECTION_LOST), 0, 0, true},
    {"nothing, for ever", "", WIRE_HANGS, T(ANSWER_TIMEOUT), 0, 0, true},
    {"half a head, and the end", OK "Content-Le", WIRE_ENDS, T(HEAD_CUT), 0, 0, true},
    {"half a head, for ever", OK "Content-Le", WIRE_HANGS, T(ANSWER_TIMEOUT), 0, 0, true},
    {"half a length", OK "Content-Length: 16\r\n\r\n0123456", WIRE_ENDS, T(BODY_CUT), 200, 7, true},
    {"half a length, and it breaks", OK "Content-Length: 16\r\n\r\n0123456", WIRE_BREAKS,
     T(CONNECTION_LOST), 200, 7, true},
    {"half a length, for ever", OK "Content-Length: 16\r\n\r\n0123456", WIRE_HANGS, T(TOO_SLOW),
     200, 7, true},
    {"half a chunk", OK "Transfer-Encoding: chunked\r\n\r\n10\r\n0123", WIRE_ENDS, T(BODY_CUT), 200,
     4, true},
    {"no last chunk", OK "Transfer-Encoding: chunked\r\n\r\n10\r\n" BODY "\r\n", WIRE_ENDS,
     T(BODY_CUT), 200, 16, true},
    {"no end of the trailers",
     OK "Transfer-Encoding: chunked\r\n\r\n10\r\n" BODY "\r\n0\r\nA: b\r\n", WIRE_ENDS, T(BODY_CUT),
     200, 16, true},
    {"up to a break", OK "\r\n" BODY, WIRE_BREAKS, T(CONNECTION_LOST), 200, 16, true},
    {"busy", "HTTP/1.1 503 Busy\r\nRetry-After: 3\r\n\r\n", WIRE_HANGS, T(BUSY), 0, 0, true},
    {"too many requests", "HTTP/1.1 429 Slowly\r\n\r\n", WIRE_HANGS, T(BUSY), 0, 0, true},
    {"failed", "HTTP/1.1 500 Oh\r\n\r\n", WIRE_HANGS, T(SERVER_FAILED), 0, 0, true},

    {"no HTTP", "SSH-2.0-x\r\n", WIRE_HANGS, T(NOT_HTTP), 0, 0, false},
    {"no HTTP, and no line", "\x16\x03\x01\n\n", WIRE_HANGS, T(NOT_HTTP), 0, 0, false},
    {"HTTP/2", "HTTP/2 200 OK\r\n\r\n", WIRE_HANGS, T(NOT_HTTP), 0, 0, false},
    {"an empty line first", "\r\n" OK "\r\n", WIRE_HANGS, T(NOT_HTTP), 0, 0, false},
    {"LF alone", "HTTP/1.1 200 OK\n\n" BODY, WIRE_HANGS, T(NOT_HTTP), 0, 0, false},
    {"LF alone in a field", OK "A: b\nContent-Length: 16\r\n\r\n" BODY, WIRE_HANGS, T(BAD_LINE), 0,
     0, false},
    {"CR alone in a field", OK "A: b\rC: d\r\n\r\n" BODY, WIRE_HANGS, T(BAD_LINE), 0, 0, false},
    {"a status of four digits", "HTTP/1.1 2000 OK\r\n\r\n", WIRE_HANGS, T(BAD_STATUS), 0, 0, false},
    {"a status of 099", "HTTP/1.1 099 OK\r\n\r\n", WIRE_HANGS, T(BAD_STATUS), 0, 0, false},
    {"a folded line", OK "A: b\r\n c\r\n\r\n", WIRE_HANGS, T(BAD_LINE), 0, 0, false},
    {"a blank before the colon", OK "Content-Length : 16\r\n\r\n" BODY, WIRE_HANGS, T(BAD_LINE), 0,
     0, false},
    {"no colon", OK "Content-Length 16\r\n\r\n" BODY, WIRE_HANGS, T(BAD_LINE), 0, 0, false},
    {"a negative length", OK "Content-Length: -1\r\n\r\n" BODY, WIRE_HANGS, T(BAD_LENGTH), 0, 0, 0},
    {"a length with a sign", OK "Content-Length: +16\r\n\r\n" BODY, WIRE_HANGS, T(BAD_LENGTH), 0, 0,
     0},
    {"a length in hexadecimal", OK "Content-Length: 0x10\r\n\r\n" BODY, WIRE_HANGS, T(BAD_LENGTH),
     0, 0, false},
    {"no length in the field", OK "Content-Length:\r\n\r\n" BODY, WIRE_HANGS, T(BAD_LENGTH), 0, 0,
     0},
    {"a length beyond 32 bits", OK "Content-Length: 4294967312\r\n\r\n" BODY, WIRE_HANGS,
     T(BAD_LENGTH), 0, 0, false},
    {"a length beyond 64 bits", OK "Content-Length: 18446744073709551632\r\n\r\n" BODY, WIRE_HANGS,
     T(BAD_LENGTH), 0, 0, false},
    {"two lengths", OK "Content-Length: 16\r\nContent-Length: 17\r\n\r\n" BODY, WIRE_HANGS,
     T(TWO_LENGTHS), 0, 0, false},
    {"the same length twice", OK "Content-Length: 16\r\nContent-Length: 16\r\n\r\n" BODY,
     WIRE_HANGS, T(TWO_LENGTHS), 0, 0, false},
    {"a list of lengths", OK "Content-Length: 16, 16\r\n\r\n" BODY, WIRE_HANGS, T(BAD_LENGTH), 0, 0,
     0},
    {"a length and chunks",
     OK "Content-Length: 16\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n" BODY "\r\n0\r\n\r\n",
     WIRE_HANGS, T(LENGTH_AND_CHUNKS), 0, 0, false},
    {"chunks in HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     WIRE_HANGS, T(BAD_CODING), 0, 0, false},
    {"another coding", OK "Transfer-Encoding: gzip, chunked\r\n\r\n", WIRE_HANGS, T(BAD_CODING), 0,
     0, false},
    {"compressed", OK "Content-Encoding: gzip\r\n\r\n", WIRE_HANGS, T(COMPRESSED), 0, 0, false},
    {"two ETags", OK "ETag: \"a\"\r\nETag: \"a\"\r\n\r\n", WIRE_HANGS, T(BAD_ETAG), 0, 0, false},
    {"a length above the most", OK "Content-Length: 60001\r\n\r\n" BODY, WIRE_HANGS, T(TOO_LONG),
     200, 0, false},
    {"a huge length", OK "Content-Length: 4294967294\r\n\r\n" BODY, WIRE_HANGS, T(TOO_LONG), 200, 0,
     0},
    {"a part that nobody asked for",
     "HTTP/1.1 206 Part\r\nContent-Range: bytes 0-15/16\r\nContent-Length: 16\r\n\r\n" BODY,
     WIRE_HANGS, T(NO_PART), 0, 0, false},
    {"another protocol", "HTTP/1.1 101 Switching\r\n\r\n", WIRE_HANGS, T(UNEXPECTED_STATUS), 0, 0,
     0},
    {"a chunk without a size", OK "Transfer-Encoding: chunked\r\n\r\n\r\n", WIRE_HANGS,
     T(BAD_CHUNK), 200, 0, false},
    {"a negative chunk", OK "Transfer-Encoding: chunked\r\n\r\n-1\r\n", WIRE_HANGS, T(BAD_CHUNK),
     200, 0, false},
    {"a chunk's size of nine digits", OK "Transfer-Encoding: chunked\r\n\r\n000000010\r\n" BODY,
     WIRE_HANGS, T(BAD_CHUNK), 200, 0, false},
    {"a chunk that is longer than it said",
     OK "Transfer-Encoding: chunked\r\n\r\nf\r\n" BODY "\r\n0\r\n\r\n", WIRE_HANGS, T(BAD_CHUNK),
     200, 15, false},
    {"LF alone after a chunk's size", OK "Transfer-Encoding: chunked\r\n\r\n10\n" BODY, WIRE_HANGS,
     T(BAD_CHUNK), 200, 0, false},
    {"a redirect to nowhere", "HTTP/1.1 302 Found\r\n\r\n", WIRE_HANGS, T(BAD_REDIRECT), 0, 0,
     false},
    {"a redirect to nothing", "HTTP/1.1 302 Found\r\nLocation:\r\n\r\n", WIRE_HANGS,
     T(BAD_REDIRECT), 0, 0, false},
    {"a redirect to another scheme", "HTTP/1.1 302 Found\r\nLocation: ftp://a/b\r\n\r\n",
     WIRE_HANGS, T(BAD_REDIRECT), 0, 0, false},
    {"two redirects", "HTTP/1.1 302 Found\r\nLocation: /a\r\nLocation: /b\r\n\r\n", WIRE_HANGS,
     T(BAD_REDIRECT), 0, 0, false},
    {"a redirect to itself", "HTTP/1.1 301 Moved\r\nLocation: /file\r\n\r\n", WIRE_HANGS,
     T(TOO_MANY_REDIRECTS), 0, 0, false},
};

static const struct upd_request get = {.url = "http://host/file", .most = MOST};

static void check_row(const struct row *row, enum upd_fetch_news news)
{
    CHECK_THAT(row->name, news == (row->trouble == T(NONE) ? UPD_FETCH_DONE : UPD_FETCH_FAILED));
    CHECK_THAT(row->name, t.fetch.trouble == row->trouble);
    CHECK_THAT(row->name, t.fetch.status == row->status);
    CHECK_THAT(row->name, t.got_size == row->size && memcmp(t.got, BODY, row->size) == 0);
    if (row->trouble == T(TOO_MANY_REDIRECTS)) {
        CHECK_THAT(row->name, t.wire.connections == patience.redirects + 1u);
    } else {
        CHECK_THAT(row->name, t.wire.connections == (row->again ? patience.tries : 1u));
    }
    CHECK_THAT(row->name, t.fetch.failures == (row->again                ? patience.tries
                                               : row->trouble != T(NONE) ? 1u
                                                                         : 0u));
}

static void test_each_answer_means_what_the_table_says(void)
{
    static const uint32_t sizes[] = {UPD_FETCH_BUFFER, 1000, 2048};

    for (uint32_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct wire_line line = {.answer = rows[i].answer, .end = rows[i].end};
        for (uint32_t s = 0; s < 3; s++) {
            for (uint32_t piece = 0; piece < 8; piece++) {
                open_with(&line, 1, sizes[s]);
                check_row(&rows[i], run(rows[i].name, &get, piece));
            }
        }
    }
}

/* What came before the cut decides; none of it may become a whole. */
static void test_an_answer_that_ends_anywhere_is_not_taken_for_a_whole(void)
{
    static const enum wire_end ends[] = {WIRE_ENDS, WIRE_BREAKS, WIRE_HANGS};

    for (uint32_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const uint32_t whole = wire_length(rows[i].answer);
        for (uint32_t cut = 1; cut < whole; cut++) {
            struct wire_line line = {.answer = rows[i].answer, .size = cut};
            line.end = ends[cut % 3];
            open_with(&line, 1, 600);
            const enum upd_fetch_news news = run(rows[i].name, &get, cut % 5);
            if (news == UPD_FETCH_DONE && rows[i].trouble == T(NONE) && t.fetch.status == 200) {
                const bool by_end = !t.fetch.has_size && line.end == WIRE_ENDS;
                CHECK_THAT(rows[i].name, by_end || t.got_size == rows[i].size);
            }
            if (rows[i].trouble != T(NONE) && news == UPD_FETCH_DONE) {
                /* Its first part may be a whole answer up to an orderly end. */
                CHECK_THAT(rows[i].name, t.fetch.status != 200 || !t.fetch.has_size);
            }
        }
    }
}

/* --- Several answers -------------------------------------------------------------------------- */

#define TAGGED(tag, length) OK "ETag: \"" tag "\"\r\nContent-Length: " length "\r\n\r\n"
#define PART(tag, range, length)                                                                   \
    "HTTP/1.1 206 Partial Content\r\nETag: \"" tag "\"\r\nContent-Range: bytes " range             \
    "\r\nContent-Length: " length "\r\n\r\n"
#define GO(where) "HTTP/1.1 302 Found\r\nLocation: " where "\r\n\r\n"

static const struct story {
    const char *name;
    struct wire_line lines[6];
    uint32_t count;
    enum upd_trouble trouble;
    uint32_t connections;
    uint32_t seek;
    const char *asks; /* is in the last request; NULL: it does not matter */
    const char *lacks;
} stories[] = {
    {"resumed by a part",
     {{TAGGED("a", "16") "01234", 0, WIRE_BREAKS, 0, 0, 0},
      {PART("a", "5-15/16", "11") "56789abcdef", 0, WIRE_HANGS, 0, 0, 0}},
     2,
     T(NONE),
     2,
     0,
     "Range: bytes=5-\r\nIf-Range: \"a\"\r\n",
     NULL},
    {"resumed by two parts, the first of which is too short",
     {{TAGGED("a", "16") "01234", 0, WIRE_ENDS, 0, 0, 0},
      {PART("a", "5-9/16", "5") "56789", 0, WIRE_HANGS, 0, 0, 0},
      {PART("a", "10-15/16", "6") "abcdef", 0, WIRE_HANGS, 0, 0, 0}},
     3,
     T(NONE),
     3,
     0,
     "Range: bytes=10-\r\n",
     NULL},
    {"resumed by a part in chunks",
     {{TAGGED("a", "16") "01234", 0, WIRE_ENDS, 0, 0, 0},
      {"HTTP/1.1 206 P\r\nETag: \"a\"\r\nContent-Range: bytes 5-15/16\r\nTransfer-Encoding: "
       "chunked\r\n\r\nb\r\n56789abcdef\r\n0\r\n\r\n",
       0, WIRE_HANGS, 0, 0, 0}},
     2,
     T(NONE),
     2,
     0,
     NULL,
     NULL},
    {"the range is ignored, the content is the same",
     {{TAGGED("a", "16") "01234", 0, WIRE_ENDS, 0, 0, 0},
      {TAGGED("a", "16") BODY, 0, WIRE_HANGS, 0, 0, 0}},
     2,
     T(NONE),
     2,
     0,
     "Range: bytes=5-\r\n",
     NULL},
    {"without an ETag it begins anew, and skips",
     {{OK "Content-Length: 16\r\n\r\n01234", 0, WIRE_ENDS, 0, 0, 0},
      {OK "Content-Length: 16\r\n\r\n" BODY, 0, WIRE_HANGS, 0, 0, 0}},
     2,
     T(NONE),
     2,
     0,
     NULL,
     "Range:"},
    {"with a weak ETag, too",
     {{OK "ETag: W/\"a\"\r\nContent-Length: 16\r\n\r\n01234", 0, WIRE_ENDS, 0, 0, 0},
      {OK "ETag: W/\"a\"\r\nContent-Length: 16\r\n\r\n" BODY, 0, WIRE_HANGS, 0, 0, 0}},
     2,
     T(NONE),
     2,
     0,
     NULL,
     "Range:"},
    {"chunks are begun anew, and skipped",
     {{OK "Transfer-Encoding: chunked\r\n\r\n10\r\n012345678", 0, WIRE_ENDS, 0, 0, 0},
      {OK "Transfer-Encoding: chunked\r\n\r\n10\r\n" BODY "\r\n0\r\n\r\n", 0, WIRE_HANGS, 0, 0, 0}},
     2,
     T(NONE),
     2,
     0,
     NULL,
     NULL},
    {"chunks are resumed by a part, which says how long it is",
     {{OK "ETag: \"a\"\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n01234", 0, WIRE_ENDS, 0, 0, 0},
      {PART("a", "5-15/16", "11") "56789abcdef", 0, WIRE_HANGS, 0, 0, 0}},
     2,
     T(NONE),
     2,
     0,
     NULL,
     NULL},
    {"chunks, a part that is cut, and all of it in chunks",
     {{OK "ETag: \"a\"\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n01234", 0, WIRE_ENDS, 0, 0, 0},
      {PART("a", "5-15/16", "11") "567", 0, WIRE_ENDS, 0, 0, 0},
      {OK "ETag: \"a\"\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n" BODY "\r\n0\r\n\r\n", 0,
       WIRE_HANGS, 0, 0, 0}},
     3,
     T(NONE),
     3,
     0,
     NULL,
     NULL},
    {"it failed, was busy, refused, and works",
     {{"HTTP/1.1 500 Oh\r\n\r\n", 0, WIRE_ENDS, 0, 0, 0},
      {"HTTP/1.1 503 Wait\r\nRetry-After: 2\r\n\r\n", 0, WIRE_ENDS, 0, 0, 0},
      {NULL, 0, WIRE_ENDS, T(UNREACHABLE), 0, 0},
      {TAGGED("a", "16") BODY, 0, WIRE_HANGS, 0, 0, 0}},
     4,
     T(NONE),
     4,
     0,
     NULL,
     NULL},
    {"a redirect within the server",
     {{GO("/other?x=1#frag"), 0, WIRE_HANGS, 0, 0, 0}, {TAGGED("a", "16") BODY, 0, 0, 0, 0, 0}},
     2,
     T(NONE),
     2,
     0,
     "GET /other?x=1 HTTP/1.1\r\nHost: host\r\n",
     NULL},
    {"a redirect elsewhere",
     {{GO("http://other:81/x"), 0, WIRE_HANGS, 0, 0, 0}, {TAGGED("a", "16") BODY, 0, 0, 0, 0, 0}},
     2,
     T(NONE),
     2,
     0,
     "GET /x HTTP/1.1\r\nHost: other:81\r\n",
     "Secret"},
    {"after a redirect, a cut begins at the first server again",
     {{GO("/other"), 0, WIRE_HANGS, 0, 0, 0},
      {TAGGED("a", "16") "01234", 0, WIRE_ENDS, 0, 0, 0},
      {PART("a", "5-15/16", "11") "56789abcdef", 0, WIRE_HANGS, 0, 0, 0}},
     3,
     T(NONE),
     3,
     0,
     "GET /file HTTP/1.1\r\n",
     NULL},
    {"seek, with an ETag",
     {{TAGGED("a", "16") BODY, 0, WIRE_HANGS, 0, 0, 0},
      {PART("a", "7-15/16", "9") "789abcdef", 0, WIRE_HANGS, 0, 0, 0}},
     2,
     T(NONE),
     2,
     7,
     "Range: bytes=7-\r\n",
     NULL},
    {"seek, without one",
     {{OK "Content-Length: 16\r\n\r\n" BODY, 0, WIRE_HANGS, 0, 0, 0}},
     1,
     T(NONE),
     1,
     7,
     NULL,
     NULL},
    {"seek to the end",
     {{TAGGED("a", "16") BODY, 0, WIRE_HANGS, 0, 0, 0}},
     1,
     T(NONE),
     1,
     16,
     NULL,
     NULL},
    {"seek, and a range that is ignored",
     {{TAGGED("a", "16") BODY, 0, WIRE_HANGS, 0, 0, 0},
      {TAGGED("a", "16") BODY, 0, WIRE_HANGS, 0, 0, 0}},
     2,
     T(NONE),
     2,
     7,
     NULL,
     NULL},

    {"another ETag in the part",
     {{TAGGED("a", "16") "01234", 0, WIRE_ENDS, 0, 0, 0},
      {PART("b", "5-15/16", "11") "56789abcdef", 0, WIRE_HANGS, 0, 0, 0}},
     2,
     T(CHANGED),
     2,
     0,
     NULL,
     NULL},
    {"no ETag in the part",
     {{TAGGED("a", "16") "01234", 0, WIRE_ENDS, 0, 0, 0},
      {"HTTP/1.1 206 P\r\nContent-Range: bytes 5-15/16\r\n\r\n56789abcdef", 0, WIRE_ENDS, 0, 0, 0}},
     2,
     T(BAD_PART),
     2,
     0,
     NULL,
     NULL},
    {"another ETag of all",
     {{TAGGED("a", "16") "01234", 0, WIRE_ENDS, 0, 0, 0},
      {TAGGED("b", "16") BODY, 0, WIRE_HANGS, 0, 0, 0}},
     2,
     T(CHANGED),
     2,
     0,
     NULL,
     NULL},
    {"no ETag of all any more",
     {{TAGGED("a", "16") "01234", 0, WIRE_ENDS, 0, 0, 0},
      {OK "Content-Length: 16\r\n\r\n" BODY, 0, WIRE_HANGS, 0, 0, 0}},
     2,
     T(CHANGED),
     2,
     0,
     NULL,
     NULL},
    {"another length",
     {{OK "Content-Length: 16\r\n\r\n01234", 0, WIRE_ENDS, 0, 0, 0},
      {OK "Content-Length: 15\r\n\r\n" BODY, 0, WIRE_HANGS, 0, 0, 0}},
     2,
     T(CHANGED),
     2,
     0,
     NULL,
     NULL},
    {"another length in the part",
     {{TAGGED("a", "16") "01234", 0, WIRE_ENDS, 0, 0, 0},
      {PART("a", "5-16/17", "12") "56789abcdefg", 0, WIRE_HANGS, 0, 0, 0}},
     2,
     T(CHANGED),
     2,
     0,
     NULL,
     NULL},
    {"the range cannot be satisfied",
     {{TAGGED("a", "16") "01234", 0, WIRE_ENDS, 0, 0, 0},
      {"HTTP/1.1 416 No\r\nContent-Range: bytes */3\r\n\r\n", 0, WIRE_HANGS, 0, 0, 0}},
     2,
     T(CHANGED),
     2,
     0,
     NULL,
     NULL},
    {"a part from elsewhere",
     {{TAGGED("a", "16") "01234", 0, WIRE_ENDS, 0, 0, 0},
      {PART("a", "6-15/16", "10") "6789abcdef", 0, WIRE_HANGS, 0, 0, 0}},
     2,
     T(BAD_PART),
     2,
     0,
     NULL,
     NULL},
    {"a part whose length is another",
     {{TAGGED("a", "16") "01234", 0, WIRE_ENDS, 0, 0, 0},
      {PART("a", "5-15/16", "12") "56789abcdefg", 0, WIRE_HANGS, 0, 0, 0}},
     2,
     T(BAD_PART),
     2,
     0,
     NULL,
     NULL},
    {"a part without a range",
     {{TAGGED("a", "16") "01234", 0, WIRE_ENDS, 0, 0, 0},
      {"HTTP/1.1 206 P\r\nETag: \"a\"\r\nContent-Length: 11\r\n\r\n56789abcdef", 0, 0, 0, 0, 0}},
     2,
     T(BAD_PART),
     2,
     0,
     NULL,
     NULL},
    {"several parts at once",
     {{TAGGED("a", "16") "01234", 0, WIRE_ENDS, 0, 0, 0},
      {"HTTP/1.1 206 P\r\nETag: \"a\"\r\nContent-Type: multipart/byteranges; boundary=x\r\n\r\n--x",
       0, WIRE_HANGS, 0, 0, 0}},
     2,
     T(BAD_PART),
     2,
     0,
     NULL,
     NULL},
    {"a part of unknown total",
     {{TAGGED("a", "16") "01234", 0, WIRE_ENDS, 0, 0, 0},
      {PART("a", "5-15/*", "11") "56789abcdef", 0, WIRE_HANGS, 0, 0, 0}},
     2,
     T(BAD_PART),
     2,
     0,
     NULL,
     NULL},
    {"a part that is longer than its range",
     {{TAGGED("a", "16") "01234", 0, WIRE_ENDS, 0, 0, 0},
      {"HTTP/1.1 206 P\r\nETag: \"a\"\r\nContent-Range: bytes 5-15/16\r\nTransfer-Encoding: "
       "chunked\r\n\r\nc\r\n56789abcdefg\r\n0\r\n\r\n",
       0, WIRE_HANGS, 0, 0, 0}},
     2,
     T(TOO_LONG),
     2,
     0,
     NULL,
     NULL},
    {"chunks, and a part that says it is too long",
     {{OK "ETag: \"a\"\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n01234", 0, WIRE_ENDS, 0, 0, 0},
      {PART("a", "5-60000/60001", "59996") "56789abcdef", 0, WIRE_HANGS, 0, 0, 0}},
     2,
     T(TOO_LONG),
     2,
     0,
     NULL,
     NULL},
    {"gone in the middle",
     {{TAGGED("a", "16") "01234", 0, WIRE_ENDS, 0, 0, 0},
      {"HTTP/1.1 404 Gone\r\n\r\n", 0, WIRE_HANGS, 0, 0, 0}},
     2,
     T(NOT_FOUND),
     2,
     0,
     NULL,
     NULL},
    {"not modified in the middle",
     {{TAGGED("a", "16") "01234", 0, WIRE_ENDS, 0, 0, 0},
      {"HTTP/1.1 304 Same\r\n\r\n", 0, WIRE_HANGS, 0, 0, 0}},
     2,
     T(UNEXPECTED_STATUS),
     2,
     0,
     NULL,
     NULL},
    {"a part although none was asked for, the second time",
     {{OK "Content-Length: 16\r\n\r\n01234", 0, WIRE_ENDS, 0, 0, 0},
      {PART("a", "5-15/16", "11") "56789abcdef", 0, WIRE_HANGS, 0, 0, 0}},
     2,
     T(NO_PART),
     2,
     0,
     NULL,
     NULL},
    {"redirects in a circle",
     {{GO("/a"), 0, 0, 0, 0, 0},
      {GO("http://b/"), 0, 0, 0, 0, 0},
      {GO("http://host/file"), 0, 0, 0, 0, 0},
      {GO("/a"), 0, 0, 0, 0, 0}},
     4,
     T(TOO_MANY_REDIRECTS),
     4,
     0,
     NULL,
     NULL},
    {"never connected", {{NULL, 0, 0, 0, true, false}}, 1, T(CONNECT_TIMEOUT), 4, 0, NULL, NULL},
    {"refused", {{NULL, 0, 0, T(UNREACHABLE), 0, 0}}, 1, T(UNREACHABLE), 4, 0, NULL, NULL},
    {"no trust", {{NULL, 0, 0, T(TLS_UNKNOWN_CA), 0, 0}}, 1, T(TLS_UNKNOWN_CA), 1, 0, NULL, NULL},
    {"takes no request", {{NULL, 0, 0, 0, 0, true}}, 1, T(SEND_TIMEOUT), 4, 0, NULL, NULL},
    {"always cut at the same place",
     {{TAGGED("a", "16") "01234", 0, WIRE_ENDS, 0, 0, 0},
      {PART("a", "5-15/16", "11"), 0, WIRE_ENDS, 0, 0, 0}},
     2,
     T(BODY_CUT),
     4,
     0,
     NULL,
     NULL},
};

static bool secret(void *ctx, uint32_t index, struct upd_text *line)
{
    (void)ctx;
    if (index == 0) {
        upd_text_add(line, "Secret: 42");
    }
    return index == 0;
}

static void test_each_story_ends_as_the_table_says(void)
{
    const struct upd_request request = {.url = "http://host/file", .most = MOST, .field = secret};

    for (uint32_t i = 0; i < sizeof stories / sizeof stories[0]; i++) {
        const struct story *story = &stories[i];
        for (uint32_t piece = 0; piece < 8; piece++) {
            open_with(story->lines, story->count, 512 + piece * 64);
            t.seek = story->seek;
            const enum upd_fetch_news news = run(story->name, &request, piece);
            CHECK_THAT(story->name, t.fetch.trouble == story->trouble);
            CHECK_THAT(story->name, (news == UPD_FETCH_DONE) == (story->trouble == T(NONE)));
            CHECK_THAT(story->name, t.wire.connections == story->connections);
            CHECK_THAT(story->name, memcmp(t.got, &BODY[story->seek], t.got_size) == 0);
            if (story->trouble == T(NONE)) {
                CHECK_THAT(story->name, t.got_size == 16 - story->seek);
            }
            if (story->asks != NULL) {
                CHECK_THAT(story->name, strstr(t.wire.request, story->asks) != NULL);
            }
            if (story->lacks != NULL) {
                CHECK_THAT(story->name, strstr(t.wire.request, story->lacks) == NULL);
            }
        }
    }
}

/* Every answer of every story, cut at every place: whatever comes of it, F1 to F3 hold, which run() checks. */
static void test_a_story_that_is_cut_anywhere_gives_only_right_bytes(void)
{
    static const enum wire_end ends[] = {WIRE_ENDS, WIRE_BREAKS, WIRE_HANGS};

    for (uint32_t i = 0; i < sizeof stories / sizeof stories[0]; i++) {
        const struct story *story = &stories[i];
        for (uint32_t which = 0; which < story->count; which++) {
            for (uint32_t cut = 1; cut < wire_length(story->lines[which].answer); cut++) {
                struct wire_line lines[6];
                memcpy(lines, story->lines, sizeof lines);
                lines[which].size = cut;
                lines[which].end = ends[cut % 3];
                open_with(lines, story->count, 512);
                t.seek = story->seek;
                const enum upd_fetch_news news = run(story->name, &get, 0);
                CHECK_THAT(story->name, memcmp(t.got, &BODY[story->seek], t.got_size) == 0);
                if (news == UPD_FETCH_DONE && t.fetch.has_size && t.fetch.status == 200) {
                    CHECK_THAT(story->name, t.got_size == t.fetch.size - story->seek);
                }
            }
        }
    }
}

/* --- Long answers ----------------------------------------------------------------------------- */

static char long_answer[2 * GOT_SIZE];

static uint32_t append(uint32_t at, const char *text)
{
    const uint32_t size = wire_length(text);

    memcpy(long_answer + at, text, size + 1);
    return at + size;
}

static uint32_t append_body(uint32_t at, uint32_t from, uint32_t size)
{
    for (uint32_t i = 0; i < size; i++) {
        long_answer[at + i] = (char)((from + i) * 7 + (from + i) / 251);
    }
    return at + size;
}

static bool got_is_right(uint32_t size)
{
    for (uint32_t i = 0; i < size; i++) {
        if (t.got[i] != (uint8_t)(i * 7 + i / 251)) {
            return false;
        }
    }
    return t.got_size == size;
}

static void test_content_of_the_most_is_taken_and_one_byte_more_is_not(void)
{
    static const char *const heads[] = {OK "\r\n", OK "Transfer-Encoding: chunked\r\n\r\nea60\r\n",
                                        OK "Transfer-Encoding: chunked\r\n\r\nea61\r\n"};
    for (uint32_t i = 0; i < 3; i++) {
        for (uint32_t more = 0; more < 2; more++) {
            uint32_t size = append_body(append(0, heads[i]), 0, MOST + more);
            size = i > 0 ? append(size, "\r\n0\r\n\r\n") : size;
            const struct wire_line line = {.answer = long_answer, .size = size, .end = WIRE_ENDS};
            open_with(&line, 1, 700);
            const enum upd_fetch_news news = run(heads[i], &get, 0);
            if (i == 0 ? more == 0 : i == 1 + more && more == 0) {
                CHECK_THAT(heads[i], news == UPD_FETCH_DONE && got_is_right(MOST));
            } else {
                CHECK_THAT(heads[i], news == UPD_FETCH_FAILED && t.got_size <= MOST);
                CHECK_THAT(heads[i], i == 1   ? t.fetch.trouble == T(BAD_CHUNK)
                                     : i == 2 ? t.fetch.trouble == T(TOO_LONG) ||
                                                    t.fetch.trouble == T(BAD_CHUNK)
                                              : t.fetch.trouble == T(TOO_LONG));
            }
        }
    }
}

/* Broken off again and again, each time a little further: it never gives up, for there is progress. */
static void test_progress_forgives_failures(void)
{
    static struct wire_line lines[10];
    static char answers[10][12000];
    uint32_t from = 0;

    for (uint32_t i = 0; i < 10; i++) {
        const uint32_t step = 6000;
        struct upd_text head = upd_text_on(answers[i], sizeof answers[i]);
        if (i == 0) {
            upd_text_add(&head, TAGGED("a", "60000"));
        } else {
            upd_text_add(&head, "HTTP/1.1 206 P\r\nETag: \"a\"\r\nContent-Range: bytes ");
            upd_text_decimal(&head, from);
            upd_text_add(&head, "-59999/60000\r\n\r\n");
        }
        append_body(0, from, step);
        memcpy(answers[i] + head.length, long_answer, step);
        lines[i] = (struct wire_line){
            .answer = answers[i], .size = head.length + step, .end = WIRE_BREAKS};
        from += step;
    }
    open_with(lines, 10, 1024);
    CHECK(run("progress", &get, 0) == UPD_FETCH_DONE);
    CHECK(got_is_right(60000));
    CHECK(t.fetch.failures == 9 && t.wire.connections == 10);
    CHECK(t.longest_ms <= patience.pause_most_ms);
}

static void test_a_head_that_does_not_end_is_given_up(void)
{
    uint32_t at = append(0, OK);
    while (at < 9000) {
        at = append(at, "X-Y: aaaaaaaaaaaaaaaaaaaaaaaaa\r\n");
    }
    struct wire_line line = {.answer = long_answer, .size = at, .end = WIRE_HANGS};
    for (uint32_t piece = 0; piece < 3; piece++) {
        open_with(&line, 1, 512);
        CHECK(run("fields", &get, piece) == UPD_FETCH_FAILED &&
              t.fetch.trouble == T(HEAD_TOO_LONG));
    }
    at = append(0, OK "X: ");
    while (at < 9000) {
        at = append(at, "a");
    }
    line.size = at;
    for (uint32_t piece = 0; piece < 3; piece++) {
        open_with(&line, 1, 512);
        CHECK(run("a line", &get, piece) == UPD_FETCH_FAILED &&
              t.fetch.trouble == T(HEAD_TOO_LONG));
    }
    at = append(0, "");
    while (at < 9000) {
        at = append(at, "HTTP/1.1 100 Continue\r\n\r\n");
    }
    line.size = at;
    open_with(&line, 1, 512);
    CHECK(run("heads", &get, 0) == UPD_FETCH_FAILED && t.fetch.trouble == T(HEAD_TOO_LONG));
}

/* A long line is skipped when it does not matter, and fails by its name when it does; at every length around
 * the room there is. */
static void test_long_lines_are_skipped_or_named(void)
{
    static const struct {
        const char *before, *after;
        enum upd_trouble trouble;
    } lines[] = {
        {OK "X: ", "\r\nContent-Length: 16\r\n\r\n" BODY, T(NONE)},
        {OK "ETag: \"", "\"\r\nContent-Length: 16\r\n\r\n" BODY, T(NONE)},
        {OK "Content-Length: ", "16\r\n\r\n" BODY, T(BAD_LENGTH)},
        {"HTTP/1.1 302 F\r\nLocation: /", "\r\n\r\n", T(URL_TOO_LONG)},
        {"HTTP/1.1 200 ", "\r\nContent-Length: 16\r\n\r\n" BODY, T(NOT_HTTP)},
    };

    for (uint32_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        for (uint32_t fill = 200; fill < 320; fill++) {
            uint32_t at = append(0, lines[i].before);
            for (uint32_t k = 0; k < fill; k++) {
                at = append(at, "0");
            }
            at = append(at, lines[i].after);
            const struct wire_line line = {.answer = long_answer, .size = at, .end = WIRE_HANGS};
            open_with(&line, 1, 512);
            const enum upd_fetch_news news = run(lines[i].before, &get, fill % 4);
            const bool fits = fill < 240;
            if (lines[i].trouble == T(NONE) || (fits && i != 3)) {
                CHECK_THAT(lines[i].before, news == UPD_FETCH_DONE && t.got_size == 16);
            } else if (fill > 275 || i == 3) {
                CHECK_THAT(lines[i].before, news == UPD_FETCH_FAILED);
                CHECK_THAT(lines[i].before,
                           t.fetch.trouble == lines[i].trouble ||
                               (i == 3 && t.fetch.trouble == T(TOO_MANY_REDIRECTS) && fill < 240));
            }
        }
    }
}

/* --- Requests --------------------------------------------------------------------------------- */

static const struct wire_line good = {.answer = TAGGED("a", "16") BODY, .end = WIRE_HANGS};

static void test_requests_are_what_they_should_be(void)
{
    static const struct {
        const char *url;
        const char *request, *host;
        uint16_t port;
        bool tls, head, http_1_0;
    } requests[] = {
        {"http://host/file", "GET /file HTTP/1.1\r\nHost: host\r\nConnection: close\r\n\r\n",
         "host", 80, false, false, false},
        {"https://Host", "GET / HTTP/1.1\r\nHost: Host\r\nConnection: close\r\n\r\n", "Host", 443,
         true, false, false},
        {"HTTPS://h:8443?a=b#c", "GET /?a=b HTTP/1.1\r\nHost: h:8443\r\nConnection: close\r\n\r\n",
         "h", 8443, true, false, false},
        {"http://[::1]:8080/x", "GET /x HTTP/1.1\r\nHost: [::1]:8080\r\nConnection: close\r\n\r\n",
         "::1", 8080, false, false, false},
        {"http://h/f", "HEAD /f HTTP/1.0\r\nHost: h\r\nConnection: close\r\n\r\n", "h", 80, false,
         true, true},
    };

    for (uint32_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        const struct upd_request request = {.url = requests[i].url,
                                            .head = requests[i].head,
                                            .http_1_0 = requests[i].http_1_0,
                                            .most = MOST};
        for (uint32_t piece = 0; piece < 4; piece++) {
            open_with(&good, 1, 512);
            CHECK_THAT(requests[i].url, run(requests[i].url, &request, piece) == UPD_FETCH_DONE);
            CHECK_THAT(requests[i].url, strcmp(t.wire.request, requests[i].request) == 0);
            CHECK_THAT(requests[i].url, strcmp(t.wire.host, requests[i].host) == 0);
            CHECK_THAT(requests[i].url, t.wire.port == requests[i].port);
            CHECK_THAT(requests[i].url, t.wire.tls == requests[i].tls);
            CHECK_THAT(requests[i].url, t.fetch.size == 16 && strcmp(t.fetch.etag, "\"a\"") == 0);
            CHECK_THAT(requests[i].url, t.got_size == (requests[i].head ? 0 : 16));
        }
    }
}

static void test_bad_urls_are_refused_without_a_connection(void)
{
    static const char *const urls[] = {"",
                                       "host/file",
                                       "ftp://h/",
                                       "http://",
                                       "http:///x",
                                       "http://u@h/",
                                       "http://h:0/",
                                       "http://h:65536/",
                                       "http://h/a b",
                                       "http://h/\r\nX: y",
                                       "http://[::1/"};

    for (uint32_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        const struct upd_request request = {.url = urls[i], .most = MOST};
        open_with(&good, 1, 512);
        CHECK_THAT(urls[i], run(urls[i], &request, 0) == UPD_FETCH_FAILED);
        CHECK_THAT(urls[i], t.fetch.trouble == T(BAD_URL) && t.wire.connections == 0);
    }
}

/* The longest URL and the longest field that header promises fit, in every split of the sum; one byte more is
 * named as what it is. */
static uint32_t wanted_length;

static void long_target(void *ctx, struct upd_text *url)
{
    (void)ctx;
    while (url->length < wanted_length) {
        upd_text_add(url, "x");
    }
}

static bool long_field(void *ctx, uint32_t index, struct upd_text *line)
{
    (void)ctx;
    if (index == 3) {
        return false;
    }
    upd_text_add(line, "X: ");
    for (uint32_t i = 3; i < (index == 1 ? wanted_length : 30); i++) {
        upd_text_add(line, "y");
    }
    return true;
}

static void test_what_is_too_long_for_the_buffer_is_named(void)
{
    const struct upd_request by_url = {.url = "http://h/", .most = MOST, .target = long_target};
    const struct upd_request by_field = {.url = "http://h/", .most = MOST, .field = long_field};

    for (wanted_length = 200; wanted_length < 300; wanted_length++) {
        open_with(&good, 1, UPD_FETCH_BUFFER);
        const enum upd_fetch_news news = run("url", &by_url, 0);
        CHECK(wanted_length > 239 || news == UPD_FETCH_DONE);
        CHECK(wanted_length < 260 || news == UPD_FETCH_FAILED);
        CHECK(news == UPD_FETCH_DONE || t.fetch.trouble == T(URL_TOO_LONG) ||
              t.fetch.trouble == T(FIELD_TOO_LONG));
        open_with(&good, 1, UPD_FETCH_BUFFER);
        const enum upd_fetch_news other = run("field", &by_field, wanted_length % 3);
        CHECK(wanted_length > 268 || other == UPD_FETCH_DONE);
        CHECK(wanted_length < 275 || other == UPD_FETCH_FAILED);
        CHECK(other == UPD_FETCH_DONE || t.fetch.trouble == T(FIELD_TOO_LONG));
        if (other == UPD_FETCH_DONE) {
            CHECK(t.wire.request_size == 16 + 9 + 19 + 2 * 32 + wanted_length + 2 + 2);
        }
    }
}

/* Such as 413, or 401: it has not read the request to its end, and need not. */
static void test_an_answer_before_the_request_was_read_counts(void)
{
    const struct wire_line yes = {.answer = TAGGED("a", "16") BODY};
    const struct wire_line no = {.answer = "HTTP/1.1 401 Who\r\n\r\n"};
    const struct wire_line nothing = {.answer = ""};

    for (uint32_t piece = 1; piece < 9; piece++) {
        open_with(&yes, 1, 512);
        t.wire.early = true;
        CHECK(run("200", &get, piece) == UPD_FETCH_DONE && t.got_size == 16);
        open_with(&no, 1, 512);
        t.wire.early = true;
        CHECK(run("401", &get, piece) == UPD_FETCH_DONE && t.fetch.status == 401);
        open_with(&nothing, 1, 512);
        t.wire.early = true;
        CHECK(run("nothing", &get, piece) == UPD_FETCH_FAILED);
        CHECK(t.fetch.trouble == T(CONNECTION_LOST) && t.wire.connections == patience.tries);
    }
}

static bool field_that_is_not_told(void *ctx, uint32_t index, struct upd_text *line)
{
    (void)ctx;
    upd_text_add(line, index == 1 ? "X: 1" : index == 4 ? "Y: 2" : "");
    return index < 6;
}

static void test_fields_that_are_not_told_leave_no_line(void)
{
    const struct upd_request request = {
        .url = "http://h/", .most = MOST, .field = field_that_is_not_told};

    open_with(&good, 1, 512);
    CHECK(run("fields", &request, 0) == UPD_FETCH_DONE);
    CHECK(strcmp(t.wire.request, "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nX: 1\r\n"
                                 "Y: 2\r\n\r\n") == 0);
}

static void test_downgrades_are_refused(void)
{
    const struct upd_request request = {.url = "https://host/file", .most = MOST, .field = secret};
    const struct wire_line plain = {.answer = GO("http://host/file"), .end = WIRE_HANGS};
    const struct wire_line other[] = {{.answer = GO("//other/file"), .end = WIRE_HANGS}, good};

    open_with(&plain, 1, 512);
    CHECK(run("plain", &request, 0) == UPD_FETCH_FAILED);
    CHECK(t.fetch.trouble == T(REDIRECT_TO_PLAIN) && t.wire.connections == 1);
    open_with(other, 2, 512);
    CHECK(run("other", &request, 0) == UPD_FETCH_DONE);
    CHECK(t.wire.tls && strstr(t.wire.request, "Secret") == NULL);
}

/* --- Fields that the caller hears ------------------------------------------------------------- */

static enum upd_trouble hear(void *ctx, const char *name, const char *value)
{
    struct upd_text text =
        upd_text_on(t.fields + strlen(t.fields), (uint32_t)(sizeof t.fields - strlen(t.fields)));
    (void)ctx;
    upd_text_add(&text, name != NULL ? name : "*");
    upd_text_add(&text, name != NULL ? "=" : "");
    upd_text_add(&text, name != NULL ? value : "");
    upd_text_add(&text, ";");
    return name != NULL && strcmp(name, "x-bad") == 0 ? T(BAD_VERSION) : T(NONE);
}

static void test_fields_are_heard_of_each_answer_but_of_redirects(void)
{
    const struct upd_request request = {.url = "http://h/", .most = MOST, .heard = hear};
    const struct wire_line lines[] = {
        {.answer = "HTTP/1.1 302 F\r\nX-Lie: 1\r\nLocation: /b\r\n\r\n", .end = WIRE_HANGS},
        {.answer = OK "X-A: 1 2\r\nETag: \"a\"\r\nContent-Length: 16\r\n\r\n0", .end = WIRE_BREAKS},
        {.answer = OK "X-A: 3\r\nX-Bad: 4\r\n\r\n", .end = WIRE_HANGS},
    };

    open_with(lines, 3, 512);
    CHECK(run("heard", &request, 1) == UPD_FETCH_FAILED);
    CHECK(t.fetch.trouble == T(BAD_VERSION));
    CHECK(strstr(t.fields, "x-lie") == NULL);
    CHECK(strstr(t.fields, "*;x-a=1 2;etag=\"a\";content-length=16;") != NULL);
    CHECK(strstr(t.fields, "*;x-a=3;x-bad=4;") != NULL);
}

/* --- Time ------------------------------------------------------------------------------------- */

/* A server that gives one byte now and then. */
static enum upd_trouble dribble(uint32_t every_ms, uint32_t bytes, uint32_t *took_ms)
{
    const uint32_t begin_ms = t.now_ms;
    uint32_t last_ms = begin_ms - every_ms;
    enum upd_fetch_news news = UPD_FETCH_WAITS;

    upd_fetch_begin(&t.fetch, &get, t.now_ms);
    while (t.now_ms - begin_ms < DAY_MS) {
        /* The wire gives `bytes` and then nothing until it is time again. */
        t.wire.piece = bytes;
        t.wire.muted = t.wire.request_size > 0 && t.now_ms - last_ms < every_ms;
        const uint32_t before = t.wire.at;
        news = upd_fetch_poll(&t.fetch, t.now_ms);
        last_ms = t.wire.at != before ? t.now_ms : last_ms;
        if (news == UPD_FETCH_DONE || news == UPD_FETCH_FAILED || t.fetch.failures > 0) {
            break;
        }
        t.now_ms += news == UPD_FETCH_WAITS ? 100 : 0;
    }
    *took_ms = t.now_ms - begin_ms;
    return t.fetch.trouble;
}

static void test_slow_servers_are_given_up_and_those_that_are_quick_enough_are_not(void)
{
    static const struct {
        const char *name;
        uint32_t every_ms, bytes;
        enum upd_trouble trouble;
    } speeds[] = {
        {"a byte in 100 ms", 100, 1, T(NONE)},
        {"a byte in 400 ms of the body", 400, 1, T(ANSWER_TIMEOUT)},
        {"20 bytes in 500 ms", 500, 20, T(NONE)},
        {"20 bytes in 5 s", 5000, 20, T(TOO_SLOW)},
        {"a head at once, and silence", 100000000, 500, T(STALLED)},
    };

    for (uint32_t i = 0; i < sizeof speeds / sizeof speeds[0]; i++) {
        uint32_t took_ms = 0;
        const uint32_t size = append_body(append(0, OK "Content-Length: 900\r\n\r\n"), 0, 900);
        const struct wire_line line = {.answer = long_answer, .size = size, .end = WIRE_HANGS};
        open_with(&line, 1, 512);
        const enum upd_trouble trouble = dribble(speeds[i].every_ms, speeds[i].bytes, &took_ms);
        CHECK_THAT(speeds[i].name, trouble == speeds[i].trouble);
    }
}

static void test_a_body_that_comes_too_slowly_is_named_so(void)
{
    /* One line that is the head, at once; then two bytes in a second: 8 in the 4 seconds are wanted. */
    const struct wire_line line = {.answer = OK "\r\n" BODY BODY BODY BODY, .end = WIRE_HANGS};

    for (uint32_t quick = 0; quick < 2; quick++) {
        open_with(&line, 1, 512);
        upd_fetch_begin(&t.fetch, &get, t.now_ms);
        enum upd_fetch_news news = UPD_FETCH_WAITS;
        while (news != UPD_FETCH_HEAD) {
            t.wire.piece = wire_length(OK "\r\n");
            news = upd_fetch_poll(&t.fetch, t.now_ms);
        }
        const uint32_t begin_ms = t.now_ms;
        while (t.fetch.failures == 0 && t.fetch.offset < 60) {
            t.wire.piece = quick ? 3 : 1;
            t.wire.muted = false;
            (void)upd_fetch_poll(&t.fetch, t.now_ms); /* hands out */
            (void)upd_fetch_poll(&t.fetch, t.now_ms); /* receives */
            t.now_ms += 1000;
        }
        if (quick) {
            CHECK(t.fetch.failures == 0);
        } else {
            CHECK(t.fetch.trouble == T(TOO_SLOW));
            CHECK(t.now_ms - begin_ms >= patience.rate_ms);
            CHECK(t.now_ms - begin_ms <= 2 * patience.rate_ms + 1000);
        }
    }
}

static void test_pauses_double_up_to_a_bound_and_half_of_them_is_random(void)
{
    for (uint32_t failures = 1; failures < 40; failures++) {
        uint32_t whole = 1000;
        for (uint32_t i = 1; i < failures && whole < 8000; i++) {
            whole *= 2;
        }
        uint32_t least = UINT32_MAX;
        uint32_t most = 0;
        for (uint32_t random = 0; random < 20000; random += 7) {
            const uint32_t pause = upd_pause_ms(1000, 8000, failures, random);
            least = pause < least ? pause : least;
            most = pause > most ? pause : most;
        }
        CHECK(most == whole && least >= whole / 2 && least < whole / 2 + 7);
    }
    CHECK(upd_pause_ms(0, 0, 5, 7) == 0);
    CHECK(upd_pause_ms(UINT32_MAX, UINT32_MAX, 9, 0) == UINT32_MAX);
    CHECK(upd_pause_ms(9000, 8000, 1, 0) == 8000);
}

static void test_retry_after_is_waited_for(void)
{
    const struct wire_line lines[] = {
        {.answer = "HTTP/1.1 503 Busy\r\nRetry-After: 100\r\n\r\n", .end = WIRE_HANGS}, good};
    open_with(lines, 2, 512);
    const uint32_t begin_ms = t.now_ms;

    CHECK(run("busy", &get, 0) == UPD_FETCH_DONE);
    CHECK(t.now_ms - begin_ms >= 100500 && t.now_ms - begin_ms < 103000);
}

static void test_stop_ends_it_and_begin_begins_anew(void)
{
    open_with(&good, 1, 512);
    for (uint32_t polls = 0; polls < 12; polls++) {
        upd_fetch_begin(&t.fetch, &get, t.now_ms);
        for (uint32_t i = 0; i < polls; i++) {
            (void)upd_fetch_poll(&t.fetch, t.now_ms);
        }
        upd_fetch_stop(&t.fetch);
        CHECK(t.wire.line == NULL);
        CHECK(upd_fetch_poll(&t.fetch, t.now_ms) == UPD_FETCH_WAITS);
        t.heads = t.got_size = 0;
        CHECK(run("anew", &get, 0) == UPD_FETCH_DONE && t.got_size == 16);
    }
}

static void test_statuses_have_their_troubles(void)
{
    for (uint16_t status = 100; status < 600; status++) {
        const enum upd_trouble trouble = upd_trouble_of_status(status);
        CHECK((trouble == T(NONE)) == (status == 200 || status == 206 || status == 304));
        CHECK(status < 500 || trouble == (status == 503 ? T(BUSY) : T(SERVER_FAILED)));
    }
    CHECK(upd_trouble_of_status(401) == T(UNAUTHORIZED));
    CHECK(upd_trouble_of_status(403) == T(FORBIDDEN));
    CHECK(upd_trouble_of_status(404) == T(NOT_FOUND));
    CHECK(upd_trouble_of_status(429) == T(BUSY));
    CHECK(upd_trouble_of_status(302) == T(UNEXPECTED_STATUS));
}

int main(void)
{
    CHECK_RUN(test_each_answer_means_what_the_table_says);
    CHECK_RUN(test_an_answer_that_ends_anywhere_is_not_taken_for_a_whole);
    CHECK_RUN(test_each_story_ends_as_the_table_says);
    CHECK_RUN(test_a_story_that_is_cut_anywhere_gives_only_right_bytes);
    CHECK_RUN(test_content_of_the_most_is_taken_and_one_byte_more_is_not);
    CHECK_RUN(test_progress_forgives_failures);
    CHECK_RUN(test_a_head_that_does_not_end_is_given_up);
    CHECK_RUN(test_long_lines_are_skipped_or_named);
    CHECK_RUN(test_requests_are_what_they_should_be);
    CHECK_RUN(test_bad_urls_are_refused_without_a_connection);
    CHECK_RUN(test_what_is_too_long_for_the_buffer_is_named);
    CHECK_RUN(test_an_answer_before_the_request_was_read_counts);
    CHECK_RUN(test_fields_that_are_not_told_leave_no_line);
    CHECK_RUN(test_downgrades_are_refused);
    CHECK_RUN(test_fields_are_heard_of_each_answer_but_of_redirects);
    CHECK_RUN(test_slow_servers_are_given_up_and_those_that_are_quick_enough_are_not);
    CHECK_RUN(test_a_body_that_comes_too_slowly_is_named_so);
    CHECK_RUN(test_pauses_double_up_to_a_bound_and_half_of_them_is_random);
    CHECK_RUN(test_retry_after_is_waited_for);
    CHECK_RUN(test_stop_ends_it_and_begin_begins_anew);
    CHECK_RUN(test_statuses_have_their_troubles);
    check_end();
}
