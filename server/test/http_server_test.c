/*
 * Goal: what goes over a socket is what the handlers said, whatever way and in whatever pieces the
 * client speaks; a request that two programs could read in two ways is refused and its connection
 * closed. Method: the server on a port of this machine, with rows of each kind; clients that write
 * raw bytes, whole and cut into single ones. A client that has to see the end of an answer waits
 * for the end of the connection.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"
#include "http/server.h"

enum { FILE_SIZE = 400000, ANSWER_MAX = 1 << 20 };

static struct http_server *server;
static uint16_t port;
static char file_path[] = "/tmp/updraft-http-test-XXXXXX";

/* --- Rows ------------------------------------------------------------------------------------- */

static void answer_hello(struct http_exchange *x)
{
    http_answer_text(x, 200, "hello %s", http_path(x, "name"));
}

static void answer_size(struct http_exchange *x)
{
    size_t size;
    const char *body = http_body(x, &size);
    unsigned sum = 0;

    for (size_t i = 0; i < size; i++) {
        sum += (unsigned char)body[i];
    }
    http_answer_text(x, 200, "%zu %u", size, sum);
}

struct upload {
    size_t size;
    unsigned sum;
};
static atomic_int uploads_open;

static void upload_open(struct http_exchange *x)
{
    atomic_fetch_add(&uploads_open, 1);
    http_state_set(x, calloc(1, sizeof(struct upload)));
}

static void upload_take(struct http_exchange *x, const void *bytes, size_t size)
{
    struct upload *upload = http_state(x);

    upload->size += size;
    for (size_t i = 0; i < size; i++) {
        upload->sum += ((const unsigned char *)bytes)[i];
    }
    if (memchr(bytes, '!', size) != NULL) {
        http_answer_text(x, 422, "refused");
    }
}

static void upload_close(struct http_exchange *x)
{
    free(http_state(x));
    atomic_fetch_sub(&uploads_open, 1);
}

static void upload_answer(struct http_exchange *x)
{
    struct upload *upload = http_state(x);

    http_answer_text(x, 201, "%zu %u", upload->size, upload->sum);
}

static const struct http_stream upload_stream = {upload_open, upload_take, upload_close};

static atomic_uint_least64_t sent_whole, sent_cut;

static void on_sent(void *ctx, uint64_t first, uint64_t count, bool complete)
{
    (void)ctx;
    (void)first;
    (void)count;
    atomic_fetch_add(complete ? &sent_whole : &sent_cut, 1);
}

static void answer_file(struct http_exchange *x)
{
    struct http_file file = {
        .fd = open(file_path, O_RDONLY),
        .size = FILE_SIZE,
        .type = "application/octet-stream",
        .etag = "abc",
        .sent = on_sent,
    };
    http_answer_file(x, &file);
}

/* One stream at a time: numbers up to `newest`. */
static struct {
    pthread_mutex_t lock;
    uint64_t newest, at;
    struct http_events_handle *handle;
    char text[32];
} feed = {.lock = PTHREAD_MUTEX_INITIALIZER};

static enum http_next feed_next(void *ctx, struct http_event *event)
{
    enum http_next next = HTTP_WAIT;

    (void)ctx;
    pthread_mutex_lock(&feed.lock);
    if (feed.at < feed.newest) {
        feed.at++;
        snprintf(feed.text, sizeof feed.text, "number %u", (unsigned)feed.at);
        *event = (struct http_event){.id = feed.at, .data = feed.text};
        next = HTTP_EVENT;
    }
    pthread_mutex_unlock(&feed.lock);
    return next;
}

static bool feed_is_open(void)
{
    pthread_mutex_lock(&feed.lock);
    const bool open = feed.handle != NULL;
    pthread_mutex_unlock(&feed.lock);
    return open;
}

static void feed_close(void *ctx)
{
    (void)ctx;
    pthread_mutex_lock(&feed.lock);
    feed.handle = NULL;
    pthread_mutex_unlock(&feed.lock);
}

static void answer_events(struct http_exchange *x)
{
    static const struct http_events events = {.next = feed_next, .close = feed_close};

    pthread_mutex_lock(&feed.lock);
    feed.at = 0;
    http_last_event(x, &feed.at);
    feed.handle = http_answer_events(x, &events);
    pthread_mutex_unlock(&feed.lock);
}

static void feed_put(uint64_t count)
{
    pthread_mutex_lock(&feed.lock);
    feed.newest += count;
    if (feed.handle != NULL) {
        http_events_wake(feed.handle);
    }
    pthread_mutex_unlock(&feed.lock);
}

static struct http_exchange *_Atomic held;

static void on_cancel(struct http_exchange *x, void *ctx)
{
    (void)ctx;
    atomic_store(&held, NULL);
    http_release(x);
}

static void answer_later(struct http_exchange *x)
{
    int64_t timeout_ms;

    if (http_query_number(x, "timeout", 1, 60000, 60000, &timeout_ms)) {
        http_hold(x, (uint32_t)timeout_ms, on_cancel, NULL);
        atomic_store(&held, x);
    }
}

static void *release_held(void *ctx)
{
    struct http_exchange *x;

    (void)ctx;
    while ((x = atomic_exchange(&held, NULL)) == NULL) {
        usleep(1000);
    }
    http_answer_text(x, 200, "later");
    http_release(x);
    return NULL;
}

static const struct http_route routes[] = {
    {HTTP_GET, "/hello/{name}", HTTP_PUBLIC, HTTP_INLINE, 0, answer_hello, NULL, NULL},
    {HTTP_GET, "/slow/{name}", HTTP_PUBLIC, 0, 0, answer_hello, NULL, NULL},
    {HTTP_POST, "/size", HTTP_PUBLIC, HTTP_INLINE, 200000, answer_size, NULL, NULL},
    {HTTP_POST, "/slow-size", HTTP_PUBLIC, 0, 200000, answer_size, NULL, NULL},
    {HTTP_POST, "/upload", HTTP_PUBLIC, 0, 50000000, upload_answer, &upload_stream, NULL},
    {HTTP_GET, "/file", HTTP_DEVICE, HTTP_INLINE, 0, answer_file, NULL, NULL},
    {HTTP_GET, "/events", HTTP_PUBLIC, HTTP_INLINE, 0, answer_events, NULL, NULL},
    {HTTP_GET, "/later", HTTP_PUBLIC, HTTP_INLINE, 0, answer_later, NULL, NULL},
    {HTTP_GET, "/slow-later", HTTP_PUBLIC, 0, 0, answer_later, NULL, NULL},
};

/* @param connections  at a time; 0: as it is shipped */
static void start(unsigned connections)
{
    static const char *const listen_on[] = {"127.0.0.1:0", NULL};
    static const struct http_table table = {HTTP_TABLE(routes), NULL};
    struct http_settings settings = {.listen = listen_on,
                                     .tables = &table,
                                     .table_count = 1,
                                     .connections = connections,
                                     .head_ms = 600000}; /* a slow machine is not refused */
    char problem[256] = "";

    server = http_server_start(&settings, problem, sizeof problem);
    if (server == NULL) {
        fprintf(stderr, "%s\n", problem);
        exit(1);
    }
    port = http_server_port(server, 0);
}

/* --- A client --------------------------------------------------------------------------------- */

static int dial(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct timeval limit = {.tv_sec = 20};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    CHECK(connect(fd, (struct sockaddr *)&to, sizeof to) == 0);
    return fd;
}

/* `piece` bytes at a time. The server may close before all is sent. */
static void say(int fd, const char *bytes, size_t size, size_t piece)
{
    for (size_t at = 0; at < size; at += piece) {
        size_t count = size - at < piece ? size - at : piece;
        if (send(fd, bytes + at, count, MSG_NOSIGNAL) != (ssize_t)count) {
            return;
        }
    }
}

static void say_text(int fd, const char *text)
{
    say(fd, text, strlen(text), strlen(text));
}

/* All that comes until the server closes. */
static char *hear(int fd, size_t *size)
{
    static char bytes[ANSWER_MAX + 1];
    ssize_t got;

    *size = 0;
    while (*size < ANSWER_MAX && (got = recv(fd, bytes + *size, ANSWER_MAX - *size, 0)) > 0) {
        *size += (size_t)got;
    }
    bytes[*size] = 0;
    close(fd);
    return bytes;
}

static char *ask(const char *bytes, size_t size, size_t piece, size_t *answer_size)
{
    int fd = dial();

    say(fd, bytes, size, piece);
    return hear(fd, answer_size);
}

static unsigned status_of(const char *answer)
{
    unsigned status = 0;

    return sscanf(answer, "HTTP/1.1 %3u", &status) == 1 ||
                   sscanf(answer, "HTTP/1.0 %3u", &status) == 1
               ? status
               : 0;
}

static const char *body_of(const char *answer)
{
    const char *end = strstr(answer, "\r\n\r\n");
    return end != NULL ? end + 4 : "";
}

/* --- Tests ------------------------------------------------------------------------------------ */

#define HOST "Host: h\r\n"
#define CLOSE "Connection: close\r\n"
#define END CLOSE "\r\n"

/* Each row whole, and in single bytes: the same status. What is refused is the last thing on its
 * connection, so no byte of a second request hidden in it is answered. */
static void test_requests_and_lies(void)
{
    static const struct {
        const char *name, *bytes;
        unsigned status;
        size_t size; /* 0: up to the NUL */
    } rows[] = {
        {"plain", "GET /hello/a HTTP/1.1\r\n" HOST END, 200, 0},
        {"no blank after the colon", "GET /hello/a HTTP/1.1\r\nHost:h\r\n" END, 200, 0},
        {"blanks around a value", "GET /hello/a HTTP/1.1\r\nHost: \t h \t\r\n" END, 200, 0},
        {"empty value", "GET /hello/a HTTP/1.1\r\n" HOST "X:\r\n" END, 200, 0},
        {"HTTP/1.0 without Host", "GET /hello/a HTTP/1.0\r\n\r\n", 200, 0},
        {"on a worker", "GET /slow/a HTTP/1.1\r\n" HOST END, 200, 0},
        {"HEAD", "HEAD /hello/a HTTP/1.1\r\n" HOST END, 200, 0},
        {"empty lines before", "\r\n\r\nGET /hello/a HTTP/1.1\r\n" HOST END, 200, 0},
        {"body", "POST /size HTTP/1.1\r\n" HOST "Content-Length: 5\r\n" END "abcde", 200, 0},
        {"body on a worker",
         "POST /slow-size HTTP/1.1\r\n" HOST "Content-Length: 5\r\n" END "abcde", 200, 0},
        {"chunks",
         "POST /size HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n" END
         "2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n",
         200, 0},
        {"stream", "POST /upload HTTP/1.1\r\n" HOST "Content-Length: 5\r\n" END "abcde", 201, 0},
        {"stream that the handler refuses",
         "POST /upload HTTP/1.1\r\n" HOST "Content-Length: 5\r\n" END "ab!de", 422, 0},
        {"unknown path", "GET /nothing HTTP/1.1\r\n" HOST END, 404, 0},
        {"unknown method", "BREW /hello/a HTTP/1.1\r\n" HOST END, 501, 0},
        {"method of another row", "DELETE /hello/a HTTP/1.1\r\n" HOST END, 405, 0},
        {"method in lower case", "get /hello/a HTTP/1.1\r\n" HOST END, 501, 0},
        {"bare LF everywhere", "GET /hello/a HTTP/1.1\nHost: h\nConnection: close\n\n", 400, 0},
        {"bare LF after the first line", "GET /hello/a HTTP/1.1\n" HOST END, 400, 0},
        {"bare LF after a header", "GET /hello/a HTTP/1.1\r\nHost: h\n" END, 400, 0},
        {"bare LF after a header, evened out", "GET /hello/a HTTP/1.1\r\nHost:  h\n" END, 400, 0},
        {"bare LF as the last line", "GET /hello/a HTTP/1.1\r\n" HOST CLOSE "\n", 400, 0},
        {"bare CR in a value", "GET /hello/a HTTP/1.1\r\n" HOST "X: a\rb\r\n" END, 400, 0},
        {"folded line", "GET /hello/a HTTP/1.1\r\n" HOST "X: a\r\n b\r\n" END, 400, 0},
        {"folded line with a tab", "GET /hello/a HTTP/1.1\r\n" HOST "X: a\r\n\tb\r\n" END, 400, 0},
        {"folded line that hides a length",
         "POST /size HTTP/1.1\r\n" HOST "X: a\r\n Content-Length: 5\r\n" END, 400, 0},
        {"folded first line", "GET /hello/a HTTP/1.1\r\n X: y\r\n" HOST END, 400, 0},
        {"NUL in a value",
         "GET /hello/a HTTP/1.1\r\nHost: h\r\nX: a\0b\r\nConnection: close\r\n\r\n", 400, 61},
        {"NUL at the end of a value",
         "GET /hello/a HTTP/1.1\r\nHost: h\r\nX: ab\0\r\nConnection: close\r\n\r\n", 400, 61},
        {"NUL in a name",
         "GET /hello/a HTTP/1.1\r\nHost: h\r\nX\0: ab\r\nConnection: close\r\n\r\n", 400, 61},
        {"NUL in the target", "GET /hello/a\0 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
         400, 54},
        {"blank before the colon", "GET /hello/a HTTP/1.1\r\nHost : h\r\n" END, 400, 0},
        {"no colon", "GET /hello/a HTTP/1.1\r\n" HOST "nonsense\r\n" END, 400, 0},
        {"empty name", "GET /hello/a HTTP/1.1\r\n" HOST ": a\r\n" END, 400, 0},
        {"no Host", "GET /hello/a HTTP/1.1\r\n" END, 400, 0},
        {"two Hosts", "GET /hello/a HTTP/1.1\r\n" HOST HOST END, 400, 0},
        {"a Host that is none", "GET /hello/a HTTP/1.1\r\nHost: a/b\r\n" END, 400, 0},
        {"two lengths",
         "POST /size HTTP/1.1\r\n" HOST "Content-Length: 5\r\nContent-Length: 5\r\n" END "abcde",
         400, 0},
        {"two different lengths",
         "POST /size HTTP/1.1\r\n" HOST "Content-Length: 5\r\nContent-Length: 6\r\n" END "abcde",
         400, 0},
        {"length and chunks",
         "POST /size HTTP/1.1\r\n" HOST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n" END
         "0\r\n\r\n",
         400, 0},
        {"chunks and length",
         "POST /size HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n" END
         "0\r\n\r\n",
         400, 0},
        {"chunks twice",
         "POST /size HTTP/1.1\r\n" HOST
         "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n" END "0\r\n\r\n",
         400, 0},
        {"chunks in HTTP/1.0",
         "POST /size HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n" END "0\r\n\r\n", 400, 0},
        {"another coding",
         "POST /size HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n" END, 501, 0},
        {"no coding", "POST /size HTTP/1.1\r\n" HOST "Transfer-Encoding: identity\r\n" END, 501, 0},
        {"length with a sign", "POST /size HTTP/1.1\r\n" HOST "Content-Length: +5\r\n" END "abcde",
         400, 0},
        {"negative length", "POST /size HTTP/1.1\r\n" HOST "Content-Length: -5\r\n" END "abcde",
         400, 0},
        {"length in hex", "POST /size HTTP/1.1\r\n" HOST "Content-Length: 0x5\r\n" END "abcde", 400,
         0},
        {"list of lengths", "POST /size HTTP/1.1\r\n" HOST "Content-Length: 5, 5\r\n" END "abcde",
         400, 0},
        {"empty length", "POST /size HTTP/1.1\r\n" HOST "Content-Length: \r\n" END "abcde", 400, 0},
        {"length that overflows",
         "POST /size HTTP/1.1\r\n" HOST "Content-Length: 99999999999999999999999\r\n" END, 413, 0},
        {"body too large",
         "POST /size HTTP/1.1\r\n" HOST "Content-Length: 200001\r\nExpect: 100-continue\r\n" END,
         413, 0},
        {"body where none belongs",
         "GET /hello/a HTTP/1.1\r\n" HOST "Content-Length: 3\r\n" END "abc", 413, 0},
        {"chunk size that is none",
         "POST /size HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n" END "x\r\nab\r\n0\r\n\r\n",
         400, 0},
        {"compressed body",
         "POST /size HTTP/1.1\r\n" HOST "Content-Length: 1\r\nContent-Encoding: gzip\r\n" END "a",
         415, 0},
        {"two blanks", "GET  /hello/a HTTP/1.1\r\n" HOST END, 400, 0},
        {"two blanks at the end", "GET /hello/a  HTTP/1.1\r\n" HOST END, 400, 0},
        {"blank behind the version", "GET /hello/a HTTP/1.1 \r\n" HOST END, 400, 0},
        {"blank in the target", "GET /hello/a b HTTP/1.1\r\n" HOST END, 400, 0},
        {"version 2", "GET /hello/a HTTP/2.0\r\n" HOST END, 505, 0},
        {"version 1.2", "GET /hello/a HTTP/1.2\r\n" HOST END, 505, 0},
        {"absolute target", "GET http://h/hello/a HTTP/1.1\r\n" HOST END, 200, 0},
        {"absolute target, capitals", "GET HTTPS://H/hello/a?b=c HTTP/1.1\r\n" HOST END, 200, 0},
        {"absolute target by HTTP/1.0", "GET http://h:80/hello/a HTTP/1.0\r\n\r\n", 200, 0},
        {"absolute target without a path", "GET http://h?a HTTP/1.1\r\n" HOST END, 404, 0},
        {"absolute target without Host", "GET http://h/hello/a HTTP/1.1\r\n" END, 400, 0},
        {"absolute target of another host", "GET http://hh/hello/a HTTP/1.1\r\n" HOST END, 400, 0},
        {"absolute target with a port", "GET http://h:80/hello/a HTTP/1.1\r\n" HOST END, 400, 0},
        {"absolute target of nobody", "GET http:///hello/a HTTP/1.1\r\n" HOST END, 400, 0},
        {"absolute target with a user", "GET http://u@h/hello/a HTTP/1.1\r\n" HOST END, 400, 0},
        {"absolute target twice", "GET http://h/http://h/hello/a HTTP/1.1\r\n" HOST END, 400, 0},
        {"another scheme", "GET ftp://h/hello/a HTTP/1.1\r\n" HOST END, 400, 0},
        {"traversal", "GET /hello/../hello/a HTTP/1.1\r\n" HOST END, 400, 0},
        {"encoded traversal", "GET /hello/%2e%2E/hello/a HTTP/1.1\r\n" HOST END, 400, 0},
        {"encoded NUL", "GET /hello/a%00 HTTP/1.1\r\n" HOST END, 400, 0},
        {"encoded line end", "GET /hello/a%0d%0aX: HTTP/1.1\r\n" HOST END, 400, 0},
        {"half an escape", "GET /hello/a%2 HTTP/1.1\r\n" HOST END, 400, 0},
        {"not UTF-8", "GET /hello/%ff HTTP/1.1\r\n" HOST END, 400, 0},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (size_t piece = 1; piece <= 100000; piece = piece == 1 ? 100000 : piece + 1) {
            char bytes[1024];
            size_t size = rows[i].size != 0 ? rows[i].size : strlen(rows[i].bytes);
            size_t answer_size;

            memcpy(bytes, rows[i].bytes, size);
            const char *answer = ask(bytes, size, piece, &answer_size);
            if (status_of(answer) != rows[i].status) {
                fprintf(stderr, "%s, pieces of %zu: %u, not %u\n%s\n", rows[i].name, piece,
                        status_of(answer), rows[i].status, answer);
            }
            CHECK_THAT(rows[i].name, status_of(answer) == rows[i].status);
        }
    }
}

static void test_a_second_request_hidden_in_a_refused_one_is_not_answered(void)
{
    static const char hidden[] = "GET /hello/hidden HTTP/1.1\r\n" HOST END;
    static const char *const rows[] = {
        "POST /size HTTP/1.1\r\n" HOST
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /size HTTP/1.1\r\n" HOST "Transfer-Encoding: xchunked\r\n\r\n",
        "POST /size HTTP/1.1\r\n" HOST "Content-Length: 0\r\nContent-Length: 44\r\n\r\n",
        "POST /size HTTP/1.1\r\n" HOST "X: a\nContent-Length: 0\r\n\r\n",
        "POST /size HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\n\n",
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char bytes[1024];
        size_t size;

        snprintf(bytes, sizeof bytes, "%s%s", rows[i], hidden);
        const char *answer = ask(bytes, strlen(bytes), strlen(bytes), &size);
        CHECK_THAT(rows[i], strstr(answer, "hello hidden") == NULL);
    }
}

static void test_requests_on_one_connection(void)
{
    size_t size;
    static const char bytes[] = "GET /hello/1 HTTP/1.1\r\n" HOST "\r\n"
                                "GET /slow/2 HTTP/1.1\r\n" HOST "\r\n"
                                "POST /size HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc"
                                "GET /nothing HTTP/1.1\r\n" HOST "\r\n"
                                "POST /slow-size HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc"
                                "DELETE /hello/1 HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc"
                                "GET /hello/last HTTP/1.1\r\n" HOST END;

    for (size_t piece = 1; piece < 2000; piece += 331) {
        const char *answer = ask(bytes, strlen(bytes), piece, &size);
        CHECK(strstr(answer, "hello 1HTTP") != NULL);
        CHECK(strstr(answer, "hello 2HTTP") != NULL);
        CHECK(strstr(answer, "3 294HTTP") != NULL);
        CHECK(strstr(answer, " 404 ") != NULL);
        CHECK(strstr(answer, " 405 ") != NULL);
        CHECK(strstr(answer, "Allow: GET, HEAD, OPTIONS\r\n") != NULL);
        CHECK(strstr(answer, "hello last") != NULL);
    }
}

static void test_an_upload_arrives_whole_and_in_chunks(void)
{
    enum { SIZE = 3000000 };
    char *bytes = malloc(SIZE + 200);
    int head = sprintf(bytes, "POST /upload HTTP/1.1\r\n" HOST "Content-Length: %d\r\n" END, SIZE);
    unsigned sum = 0;
    char expected[64];
    size_t size;

    for (int i = 0; i < SIZE; i++) {
        bytes[head + i] = (char)(i * 7 % 32);
        sum += (unsigned char)bytes[head + i];
    }
    snprintf(expected, sizeof expected, "%d %u", SIZE, sum);
    CHECK(strcmp(body_of(ask(bytes, (size_t)head + SIZE, 70001, &size)), expected) == 0);
    CHECK(atomic_load(&uploads_open) == 0);

    int fd = dial();
    static const char chunked[] =
        "POST /upload HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n";
    say(fd, chunked, strlen(chunked), 60);
    for (int at = 0; at < SIZE; at += 50000) {
        char line[16];
        int count = snprintf(line, sizeof line, "%x\r\n", 50000);
        say(fd, line, (size_t)count, 99);
        say(fd, bytes + head + at, 50000, 50000);
        say(fd, "\r\n", 2, 2);
    }
    say(fd, "0\r\n\r\n", 5, 5);
    CHECK(strcmp(body_of(hear(fd, &size)), expected) == 0);
    free(bytes);
}

static void test_an_upload_that_stops_leaves_nothing(void)
{
    static const char head[] = "POST /upload HTTP/1.1\r\n" HOST "Content-Length: 1000000\r\n\r\n";

    for (size_t count = 0; count < 50; count++) {
        int fd = dial();
        say(fd, head, strlen(head), 99);
        for (size_t i = 0; i < count; i++) {
            say(fd, "0123456789", 10, 10);
        }
        if (count % 2 == 0) {
            struct linger reset = {.l_onoff = 1};
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        }
        close(fd);
    }
    for (int i = 0; i < 1000 && atomic_load(&uploads_open) != 0; i++) {
        usleep(10000);
    }
    CHECK(atomic_load(&uploads_open) == 0);
}

static unsigned char file_byte(size_t at)
{
    return (unsigned char)(at * 31 >> 3);
}

static void test_a_file_goes_out_as_asked(void)
{
    static const struct {
        const char *name, *headers;
        unsigned status;
        size_t first, count;
    } rows[] = {
        {"whole", "", 200, 0, FILE_SIZE},
        {"first byte", "Range: bytes=0-0\r\n", 206, 0, 1},
        {"middle", "Range: bytes=100000-299999\r\n", 206, 100000, 200000},
        {"open end", "Range: bytes=399000-\r\n", 206, 399000, 1000},
        {"last bytes", "Range: bytes=-5\r\n", 206, FILE_SIZE - 5, 5},
        {"behind the end", "Range: bytes=400000-\r\n", 416, 0, 0},
        {"several", "Range: bytes=0-1,5-6\r\n", 200, 0, FILE_SIZE},
        {"If-Range that matches", "Range: bytes=10-19\r\nIf-Range: \"abc\"\r\n", 206, 10, 10},
        {"If-Range that does not", "Range: bytes=10-19\r\nIf-Range: \"abd\"\r\n", 200, 0,
         FILE_SIZE},
        {"known", "If-None-Match: \"abc\"\r\n", 304, 0, 0},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char request[256], length[64];
        size_t size;
        bool same = true;

        snprintf(request, sizeof request, "GET /file HTTP/1.1\r\n" HOST "%s" END, rows[i].headers);
        const char *answer = ask(request, strlen(request), 999, &size);
        const char *body = body_of(answer);
        size_t count = size - (size_t)(body - answer);
        CHECK_THAT(rows[i].name, status_of(answer) == rows[i].status);
        CHECK_THAT(rows[i].name, strstr(answer, "ETag: \"abc\"\r\n") != NULL);
        CHECK_THAT(rows[i].name, count == rows[i].count);
        snprintf(length, sizeof length, "Content-Length: %zu\r\n", rows[i].count);
        CHECK_THAT(rows[i].name, rows[i].status == 304 || strstr(answer, length) != NULL);
        for (size_t at = 0; at < count && at < rows[i].count; at++) {
            same = same && (unsigned char)body[at] == file_byte(rows[i].first + at);
        }
        CHECK_THAT(rows[i].name, same);
    }
}

static void test_what_became_of_a_file_is_told(void)
{
    static const char request[] = "GET /file HTTP/1.1\r\n" HOST END;
    static const char head[] = "HEAD /file HTTP/1.1\r\n" HOST END;
    uint64_t whole = atomic_load(&sent_whole);
    uint64_t cut = atomic_load(&sent_cut);
    size_t size;

    ask(request, strlen(request), 999, &size);
    ask(head, strlen(head), 999, &size);
    for (int i = 0; i < 1000 && atomic_load(&sent_cut) < cut + 1; i++) {
        usleep(10000);
    }
    CHECK(atomic_load(&sent_whole) == whole + 1);
    CHECK(atomic_load(&sent_cut) == cut + 1);
}

static void test_events_come_as_they_happen(void)
{
    char bytes[16384] = "";
    size_t size = 0;
    int fd = dial();

    feed.newest = 0;
    say_text(fd, "GET /events HTTP/1.1\r\n" HOST "Last-Event-ID: 2\r\n\r\n");
    for (int round = 0; round < 50; round++) {
        char expected[64];
        feed_put(3);
        snprintf(expected, sizeof expected, "id: %d\ndata: number %d\n\n", 3 * round + 3,
                 3 * round + 3);
        while (strstr(bytes, expected) == NULL) {
            ssize_t got = recv(fd, bytes + size, sizeof bytes - 1 - size, 0);
            CHECK(got > 0);
            if (got <= 0) {
                return;
            }
            size += (size_t)got;
            bytes[size] = 0;
        }
    }
    CHECK(strstr(bytes, "number 2\n") == NULL);
    CHECK(strstr(bytes, "Content-Type: text/event-stream\r\n") != NULL);
    close(fd);
    /* A client that has left is noticed when something is written to it, and again. */
    for (int i = 0; feed_is_open() && i < 10000; i++) {
        feed_put(1);
        usleep(1000);
    }
    CHECK(!feed_is_open());
}

static void test_answers_that_wait(void)
{
    static const char *const rows[] = {"GET /later HTTP/1.1\r\n" HOST END,
                                       "GET /slow-later HTTP/1.1\r\n" HOST END};
    size_t size;

    for (int i = 0; i < 40; i++) {
        pthread_t thread;
        pthread_create(&thread, NULL, release_held, NULL);
        const char *answer = ask(rows[i % 2], strlen(rows[i % 2]), 999, &size);
        CHECK(strcmp(body_of(answer), "later") == 0);
        pthread_join(thread, NULL);
    }
    const char *late = "GET /later?timeout=1 HTTP/1.1\r\n" HOST END;
    CHECK(status_of(ask(late, strlen(late), 999, &size)) == 504);
}

static void test_a_first_byte_of_no_protocol_is_refused(void)
{
    static const char *const rows[] = {"\x80\x2e\x01\x03\x01", "\x16\x03\x01\x02", "\x01garbage"};
    size_t size;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ask(rows[i], strlen(rows[i]), 99, &size);
        CHECK(size == 0);
    }
}

/* Far more than are served at a time come in one instant, and all are answered in the end: those that
 * stay after their answer cede their places. */
static void test_a_crowd_is_served_in_the_end(void)
{
    static const struct {
        const char *name, *request;
        int count;
    } rows[] = {
        {"that leave", "GET /hello/a HTTP/1.1\r\n" HOST END, 500},
        {"that leave, on workers", "GET /slow/a HTTP/1.1\r\n" HOST END, 500},
        {"that stay", "GET /slow/a HTTP/1.1\r\n" HOST "\r\n", 100},
    };
    enum { PLACES = 50, MOST = 500 };
    static int crowd[MOST];

    start(PLACES);
    for (size_t row = 0; row < sizeof rows / sizeof rows[0]; row++) {
        int served = 0;

        for (int i = 0; i < rows[row].count; i++) {
            crowd[i] = dial();
            say_text(crowd[i], rows[row].request);
        }
        for (int i = 0; i < rows[row].count; i++) {
            char answer[1024];
            size_t size = 0;
            ssize_t got = 1;

            while (got > 0 && (size < 7 || memcmp(answer + size - 7, "hello a", 7) != 0)) {
                got = recv(crowd[i], answer + size, sizeof answer - size, 0);
                size += got > 0 ? (size_t)got : 0;
            }
            served += got > 0;
        }
        CHECK_THAT(rows[row].name, served == rows[row].count);
        for (int i = 0; i < rows[row].count; i++) {
            close(crowd[i]);
        }
    }
    http_server_stop(server, 5000);
}

/* Stopping ends streams and what is held, and does not wait for those who only sit there. */
static void test_stopping_tells_everybody(void)
{
    int stream = dial();
    int waiting = dial();
    int silent = dial();
    int idle = dial();
    size_t size;
    bool ready;

    say_text(stream, "GET /events HTTP/1.1\r\n" HOST "\r\n");
    say_text(waiting, "GET /later HTTP/1.1\r\n" HOST "\r\n");
    say_text(idle, "GET /hel");
    do {
        usleep(1000);
        pthread_mutex_lock(&feed.lock);
        ready = feed.handle != NULL && atomic_load(&held) != NULL;
        pthread_mutex_unlock(&feed.lock);
    } while (!ready);
    http_server_stop(server, 5000);
    CHECK(strstr(hear(stream, &size), "\r\n0\r\n\r\n") != NULL);
    CHECK(status_of(hear(waiting, &size)) == 503);
    hear(silent, &size);
    CHECK(size == 0);
    CHECK_THAT(hear(idle, &size), size == 0);
}

int main(void)
{
    int fd = mkstemp(file_path);
    static unsigned char bytes[FILE_SIZE];

    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < FILE_SIZE; i++) {
        bytes[i] = file_byte(i);
    }
    if (fd < 0 || write(fd, bytes, FILE_SIZE) != FILE_SIZE) {
        return 1;
    }
    close(fd);
    start(0);
    CHECK_RUN(test_requests_and_lies);
    CHECK_RUN(test_a_second_request_hidden_in_a_refused_one_is_not_answered);
    CHECK_RUN(test_requests_on_one_connection);
    CHECK_RUN(test_an_upload_arrives_whole_and_in_chunks);
    CHECK_RUN(test_an_upload_that_stops_leaves_nothing);
    CHECK_RUN(test_a_file_goes_out_as_asked);
    CHECK_RUN(test_what_became_of_a_file_is_told);
    CHECK_RUN(test_events_come_as_they_happen);
    CHECK_RUN(test_answers_that_wait);
    CHECK_RUN(test_a_first_byte_of_no_protocol_is_refused);
    CHECK_RUN(test_stopping_tells_everybody);
    CHECK_RUN(test_a_crowd_is_served_in_the_end);
    unlink(file_path);
    check_end();
}
