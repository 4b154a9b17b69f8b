/*
 * libmicrohttpd behind http.h: two daemons (plain, TLS) that read the sockets which the acceptor
 * hands over, each with a pool of threads that must never wait; workers for handlers that do.
 *
 * An exchange's way through the library's callbacks:
 *
 *     uri        the request line is there: the exchange is made
 *     access     1st call, headers are there: route; admit (suspended when on a worker)
 *                calls with bytes: take
 *                last call: admit if there was no body, handle (suspended when on a worker or
 * held), answer completed  the answer is out, or the client has left: the exchange ends
 *
 * What must stay true:
 *
 * (1) Who suspends a connection has said so in `suspended` before anybody may resume it, both under
 * the exchange's lock. settle() alone resumes, and only when nobody holds, runs, or cancels the
 * exchange. (2) The library's thread that calls back is the only one that reads or writes an
 * exchange, but for the time in which the connection is suspended: then it is the worker's, or the
 * holder's. (3) A connection is in the list as long as its socket is open: the library tells that
 * it ends before it closes the socket, so the ticker may shut down what it finds there.
 */
#include "http/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/tcp.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "http/acceptor.h"
#include "http/exchange.h"
#include "http/tls.h"

enum {
    /* Head, answer's head and a piece of the body share it. */
    MEMORY_OF_CONNECTION = 20 * 1024,
    /* A refused body up to this size is read and dropped, so that the client reads the answer. */
    DRAINED_MAX = 1024 * 1024,
    BODY_START_MS = 30000,
    PING_MS = 15000,
    PROGRESS_MS = 1000,
    /*
     * Unsent bytes of a file that lie in the kernel. When its progress counts, what was handed over is
     * nearly out. And what a client takes decides when the next piece follows: the library (0.9.75) sends
     * the head as a segment of its own, after which a whole window at once, at the speed of memory, makes
     * Linux at the other end believe in a round trip of microseconds and never widen its window.
     *
     * More than two segments: the library holds back a part of one (TCP_CORK) while it waits until less
     * than half of this is unsent, and would wait for the cork's 200 ms.
     */
    UNSENT_MAX = 64 * 1024,
    TLS_BLOCK = 16 * 1024, /* of a file: a record */
    /* Connections whose TLS hello is not answered yet. When more were begun at once, each would wait for
     * the price of all the others, and past a number all clients would give up before any is served. */
    HELLOS_MAX = 64,
    /* A connection without a request gives up its place to somebody who waits, but not between two
     * requests of one visit. */
    IDLE_LEAST_MS = 1000,
    /* The library counts a connection a little longer than we do. */
    LIMIT_SLACK = 64,
    WORKERS_MAX = 256,
};

struct connection {
    struct http_server *server;
    struct MHD_Connection *mhd;
    struct connection *next, *previous;
    int fd;
    bool tls;
    struct http_tls_pipe pipe; /* with tls */
    bool hello;                /* counts among the server's */
    bool was_watched;
    bool asleep;     /* its handshake waits for the client; the list's lock */
    bool few_unsent; /* UNSENT_MAX is set */
    struct http_peer peer;
    bool is_proxy;
    /* When it is cut; 0: not by us. Of the thread that serves it, read by the ticker. */
    atomic_int_least64_t end_ms;
    atomic_bool busy; /* an exchange is on its way */
    /* Since when there is none; 0: there is one, or there was none yet. */
    atomic_int_least64_t idle_since_ms;
    struct live
        *sending; /* its file is on its way, and somebody wants to know how far; the list's lock */
};

enum step {
    STEP_LINE,    /* the request line is there */
    STEP_HEAD,    /* a worker admits */
    STEP_BODY,    /* bytes, and the call after them */
    STEP_HANDLER, /* a worker handles, or somebody holds */
    STEP_ANSWER,  /* queued */
};

/* What an exchange has while it belongs to a connection. */
struct live {
    struct http_exchange *x;
    struct http_server *server;
    struct connection *connection;
    struct MHD_Connection *mhd;
    enum step step;
    int64_t start_us;
    int64_t body_start_ms;
    const char *uri_at; /* in the library's buffer: where the target began */
    size_t uri_size;
    uint64_t sent_size;
    uint64_t acked;  /* bytes that the client had acknowledged before its file began */
    int64_t told_ms; /* when its progress was told */

    struct live *next,
        *previous; /* held exchanges and streams, for the ticker; next: the workers' queue */
    bool listed;

    pthread_mutex_t lock;
    bool suspended, running, canceling, timed_out;
    int64_t hold_end_ms;
    /* Of a stream. */
    bool woken, ping, is_stream;
    int64_t ping_ms;
    char *event;
    size_t event_size, event_at;
};

struct http_server {
    struct http_settings settings;
    struct http_router *router;
    struct acceptor *_Atomic acceptor;
    struct MHD_Daemon *plain, *secure;
    struct sockaddr_storage proxies[8];
    size_t proxy_count;

    pthread_mutex_t lock;
    struct connection connections; /* heads of rings */
    struct live waiters;
    bool sleepless; /* handshakes do not sleep any more */
    atomic_bool stopping;

    pthread_mutex_t queue_lock;
    pthread_cond_t queue_filled;
    struct live *queue, **queue_end;
    bool queue_closed;
    pthread_t workers[WORKERS_MAX];
    unsigned worker_count;

    atomic_uint_least32_t number;
    atomic_uint_least64_t requests[6];
    atomic_uint_least64_t refused, timed_out, body_received, open, exchanges, streams;
    atomic_uint hellos;  /* see HELLOS_MAX */
    atomic_bool wanting; /* the acceptor was told that there is no room */
};

static int64_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* --- Suspending and resuming ------------------------------------------------------------------ */

/* With the lock held. */
static void settle(struct live *live)
{
    if (live->suspended && !live->running && !live->canceling && !live->x->held) {
        live->suspended = false;
        MHD_resume_connection(live->mhd);
    }
}

static void suspend(struct live *live)
{
    pthread_mutex_lock(&live->lock);
    live->suspended = true;
    MHD_suspend_connection(live->mhd);
    pthread_mutex_unlock(&live->lock);
}

static void list(struct live *live)
{
    struct http_server *server = live->server;

    pthread_mutex_lock(&server->lock);
    if (!live->listed) {
        live->listed = true;
        live->next = &server->waiters;
        live->previous = server->waiters.previous;
        live->previous->next = live;
        server->waiters.previous = live;
    }
    pthread_mutex_unlock(&server->lock);
}

static void unlist(struct live *live)
{
    struct http_server *server = live->server;

    if (!live->listed && live->connection->sending != live) {
        return; /* as most; nobody else writes either any more */
    }
    pthread_mutex_lock(&server->lock);
    live->connection->sending = NULL;
    if (live->listed) {
        live->listed = false;
        live->next->previous = live->previous;
        live->previous->next = live->next;
    }
    pthread_mutex_unlock(&server->lock);
}

static void on_hold(struct http_exchange *x, uint32_t timeout_ms)
{
    struct live *live = x->live;

    live->hold_end_ms = http_now_ms() + timeout_ms;
    list(live);
}

static void on_release(struct http_exchange *x)
{
    struct live *live = x->live;

    pthread_mutex_lock(&live->lock);
    x->held = false;
    settle(live);
    pthread_mutex_unlock(&live->lock);
}

static void wake(struct live *live, bool ping)
{
    pthread_mutex_lock(&live->lock);
    live->woken = true;
    live->ping = live->ping || ping;
    settle(live);
    pthread_mutex_unlock(&live->lock);
}

static void on_wake(struct http_exchange *x)
{
    wake(x->live, false);
}

static void on_end(struct http_exchange *x)
{
    struct live *live = x->live;

    /* Whoever resumed the connection may not have left his locked part yet. */
    pthread_mutex_lock(&live->lock);
    pthread_mutex_unlock(&live->lock);
    pthread_mutex_destroy(&live->lock);
    free(live->event);
}

/* --- Workers ---------------------------------------------------------------------------------- */

static void handle(struct http_exchange *x)
{
    if (x->phase < PHASE_ADMITTED) {
        http_router_admit(x);
    }
    http_router_handle(x);
}

static void *work(void *ctx)
{
    struct http_server *server = ctx;

    for (;;) {
        pthread_mutex_lock(&server->queue_lock);
        while (server->queue == NULL && !server->queue_closed) {
            pthread_cond_wait(&server->queue_filled, &server->queue_lock);
        }
        struct live *live = server->queue;
        if (live != NULL) {
            server->queue = live->next;
            if (server->queue == NULL) {
                server->queue_end = &server->queue;
            }
        }
        pthread_mutex_unlock(&server->queue_lock);
        if (live == NULL) {
            return NULL;
        }
        if (live->step == STEP_HEAD) {
            http_router_admit(live->x);
        } else {
            handle(live->x);
        }
        pthread_mutex_lock(&live->lock);
        live->running = false;
        settle(live);
        pthread_mutex_unlock(&live->lock);
    }
}

/* Hand an exchange to a worker; its connection sleeps meanwhile. False when there are none any
 * more. */
static bool enqueue(struct live *live, enum step step)
{
    struct http_server *server = live->server;

    pthread_mutex_lock(&server->queue_lock);
    bool open = !server->queue_closed;
    if (open) {
        live->step = step;
        live->running = true;
        suspend(live);
        live->next = NULL;
        *server->queue_end = live;
        server->queue_end = &live->next;
        pthread_cond_signal(&server->queue_filled);
    }
    pthread_mutex_unlock(&server->queue_lock);
    return open;
}

/* --- The request ------------------------------------------------------------------------------ */

static bool same_address(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
    if (a->ss_family != b->ss_family) {
        return false;
    }
    if (a->ss_family == AF_INET) {
        return ((const struct sockaddr_in *)a)->sin_addr.s_addr ==
               ((const struct sockaddr_in *)b)->sin_addr.s_addr;
    }
    return memcmp(&((const struct sockaddr_in6 *)a)->sin6_addr,
                  &((const struct sockaddr_in6 *)b)->sin6_addr, sizeof(struct in6_addr)) == 0;
}

/* An IPv4 client of a socket for both families, as IPv4. */
static void unmap(const struct sockaddr *address, struct sockaddr_storage *plain)
{
    const struct sockaddr_in6 *six = (const void *)address;

    memset(plain, 0, sizeof *plain);
    if (address->sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&six->sin6_addr)) {
        struct sockaddr_in *four = (struct sockaddr_in *)plain;
        four->sin_family = AF_INET;
        four->sin_port = six->sin6_port;
        memcpy(&four->sin_addr, &six->sin6_addr.s6_addr[12], 4);
    } else if (address->sa_family == AF_INET6) {
        memcpy(plain, address, sizeof(struct sockaddr_in6));
    } else if (address->sa_family == AF_INET) {
        memcpy(plain, address, sizeof(struct sockaddr_in));
    }
}

static bool is_loopback(const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_INET) {
        return (ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr) >> 24) == 127;
    }
    return address->ss_family == AF_INET6 &&
           IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)address)->sin6_addr);
}

/* The last of the addresses in X-Forwarded-For is the one that the proxy itself saw. */
static void believe_proxy(struct http_exchange *x)
{
    const char *header = http_header(x, "X-Forwarded-For");
    const char *protocol = http_header(x, "X-Forwarded-Proto");
    struct in6_addr parsed;

    x->proxied = true;
    x->peer.loopback = false;
    x->peer.tls = protocol != NULL && strcasecmp(protocol, "https") == 0;
    if (header == NULL) {
        return;
    }
    const char *comma = strrchr(header, ',');
    const char *last = comma != NULL ? comma + 1 : header;
    last += strspn(last, " \t");
    if (inet_pton(AF_INET, last, &parsed) == 1 || inet_pton(AF_INET6, last, &parsed) == 1) {
        snprintf(x->peer.address, sizeof x->peer.address, "%s", last);
        x->peer.port = 0;
    }
}

/* Who is at the other end: the same for all requests of a connection. */
static void know_peer(struct connection *connection)
{
    const struct http_server *server = connection->server;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection->mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    struct http_peer *peer = &connection->peer;
    struct sockaddr_storage address;

    peer->tls = connection->tls;
    if (info == NULL) {
        return;
    }
    unmap(info->client_addr, &address);
    if (address.ss_family == AF_INET) {
        const struct sockaddr_in *four = (const struct sockaddr_in *)&address;
        inet_ntop(AF_INET, &four->sin_addr, peer->address, sizeof peer->address);
        peer->port = ntohs(four->sin_port);
    } else if (address.ss_family == AF_INET6) {
        const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)&address;
        inet_ntop(AF_INET6, &six->sin6_addr, peer->address, sizeof peer->address);
        peer->port = ntohs(six->sin6_port);
    }
    peer->loopback = is_loopback(&address);
    for (size_t i = 0; i < server->proxy_count; i++) {
        connection->is_proxy = connection->is_proxy || same_address(&address, &server->proxies[i]);
    }
}

static void read_peer(struct live *live)
{
    struct http_exchange *x = live->x;

    x->peer = live->connection->peer;
    if (live->connection->is_proxy) {
        believe_proxy(x);
        x->accel = live->server->settings.accel;
        return;
    }
    /* Somebody passes on what others say, and nobody told us that he may: not this machine's own
     * word. */
    if (http_header(x, "X-Forwarded-For") != NULL || http_header(x, "Forwarded") != NULL) {
        x->peer.loopback = false;
    }
}

/* Where the next line of the head has to begin, if every line so far ended in CR LF. */
struct walk {
    struct http_exchange *x;
    const char *next;
    bool straight;
};

static bool blanks(const char *from, const char *to)
{
    while (from < to && (*from == ' ' || *from == '\t')) {
        from++;
    }
    return from == to;
}

static enum MHD_Result take_header(void *ctx, enum MHD_ValueKind kind, const char *name,
                                   size_t name_size, const char *value, size_t value_size)
{
    struct walk *walk = ctx;
    struct http_exchange *x = walk->x;

    (void)kind;
    if (value == NULL) {
        walk->straight = false;
        return MHD_YES;
    }
    walk->straight = walk->straight && name == walk->next && value > name + name_size &&
                     strlen(name) == name_size && strlen(value) == value_size &&
                     blanks(name + name_size + 1, value);
    walk->next = value + value_size + 2;
    if (x->header_count < HTTP_HEADERS_MAX) {
        while (value_size > 0 && (value[value_size - 1] == ' ' || value[value_size - 1] == '\t')) {
            value_size--;
        }
        char *copy = http_alloc(x, name_size + value_size + 2);
        memcpy(copy, name, name_size);
        copy[name_size] = 0;
        memcpy(copy + name_size + 1, value, value_size);
        copy[name_size + 1 + value_size] = 0;
        x->headers[x->header_count].name = copy;
        x->headers[x->header_count].value = copy + name_size + 1;
    }
    x->header_count++;
    return MHD_YES;
}

/*
 * Read the headers, and find out whether the head was written in the one way that everybody reads
 * alike: one blank between the words of its first line, lines that end in CR LF, no folded line, no
 * NUL.
 *
 * The library (0.9.75) takes bare LF, folded lines and NUL without a word. But it takes the head
 * apart where it lies and counts its bytes: names and values must then follow each other without a
 * gap, CR LF between them, up to the last byte counted.
 */
static bool read_head(struct live *live, const char *method, const char *version)
{
    struct http_exchange *x = live->x;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(live->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    struct walk walk = {.x = x, .next = version + strlen(version) + 2};

    walk.straight =
        live->uri_at == method + strlen(method) + 1 && version == live->uri_at + live->uri_size + 1;
    MHD_get_connection_values_n(live->mhd, MHD_HEADER_KIND, take_header, &walk);
    if (x->header_count > HTTP_HEADERS_MAX) {
        x->header_count = HTTP_HEADERS_MAX;
        http_answer_error(x, 431, REFUSAL_BAD_REQUEST_HEADERS, NULL, NULL);
        return false;
    }
    if (!walk.straight || info == NULL || walk.next + 2 != method + info->header_size) {
        http_answer_error(x, 400, REFUSAL_BAD_REQUEST_HEAD, NULL, NULL);
        return false;
    }
    if (info->header_size > HTTP_HEAD_MAX) {
        http_answer_error(x, 431, REFUSAL_BAD_REQUEST_LONG, NULL,
                          VALUES({"most", NULL, HTTP_HEAD_MAX}));
        return false;
    }
    return true;
}

static bool read_method(struct http_exchange *x, const char *method)
{
    for (int i = HTTP_GET; i <= HTTP_OPTIONS; i++) {
        if (strcmp(method, http_method_name((enum http_method)i)) == 0) {
            x->method = (enum http_method)i;
            x->method_name = http_method_name(x->method);
            return true;
        }
    }
    x->method_name = "?";
    http_answer_error(x, 501, REFUSAL_UNKNOWN_METHOD, NULL, NULL);
    return false;
}

static bool read_version(struct http_exchange *x, const char *version)
{
    if (strcmp(version, "HTTP/1.1") != 0 && strcmp(version, "HTTP/1.0") != 0) {
        http_answer_error(x, 505, REFUSAL_BAD_HTTP_VERSION, NULL, NULL);
        return false;
    }
    x->minor = version[7] - '0';
    return true;
}

static void begin(struct live *live, const char *method, const char *version)
{
    struct http_exchange *x = live->x;
    bool good =
        read_version(x, version) && read_method(x, method) && read_head(live, method, version);

    read_peer(live);
    if (good) {
        http_router_route(live->server->router, x);
    } else {
        x->phase = PHASE_ROUTED;
        http_answer_close(x);
    }
}

static void *on_uri(void *ctx, const char *uri, struct MHD_Connection *mhd)
{
    struct http_server *server = ctx;
    struct http_exchange *x = http_exchange_new();
    struct live *live = http_alloc(x, sizeof *live);
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    memset(live, 0, sizeof *live);
    live->x = x;
    live->server = server;
    live->mhd = mhd;
    live->connection = info->socket_context;
    live->start_us = now_us();
    live->uri_at = uri;
    live->uri_size = uri != NULL ? strlen(uri) : 0;
    pthread_mutex_init(&live->lock, NULL);
    char *target = http_alloc(x, live->uri_size + 1);
    memcpy(target, uri != NULL ? uri : "", live->uri_size + 1);
    x->target = target;
    x->method_name = "?";
    x->live = live;
    x->on_hold = on_hold;
    x->on_release = on_release;
    x->on_wake = on_wake;
    x->on_end = on_end;
    if (live->connection->tls) {
        info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);
        http_tls_settle(info->tls_session);
    }
    atomic_store(&live->connection->busy, true);
    atomic_store(&live->connection->idle_since_ms, 0);
    atomic_fetch_add(&server->exchanges, 1);
    return x;
}

/* --- The answer ------------------------------------------------------------------------------- */

/* Fill the buffer with what is left of an event; true when there is nothing left of it. */
static bool put_event(struct live *live, char *buffer, size_t room, size_t *filled)
{
    size_t left = live->event_size - live->event_at;
    size_t count = left < room - *filled ? left : room - *filled;

    if (count > 0) {
        memcpy(buffer + *filled, live->event + live->event_at, count);
    }
    live->event_at += count;
    *filled += count;
    return live->event_at == live->event_size;
}

static bool format_event(struct live *live, const struct http_event *event)
{
    size_t size = http_event_write(event, NULL, 0);
    char *text = realloc(live->event, size);

    if (text == NULL) {
        return false;
    }
    live->event = text;
    live->event_size = http_event_write(event, text, size);
    live->event_at = 0;
    return true;
}

static bool take_flag(struct live *live, bool *flag)
{
    pthread_mutex_lock(&live->lock);
    bool was = *flag;
    *flag = false;
    pthread_mutex_unlock(&live->lock);
    return was;
}

/* Nothing new: sleep, unless somebody has woken us since we looked. */
static bool sleep_stream(struct live *live)
{
    pthread_mutex_lock(&live->lock);
    bool sleep = !live->woken;
    if (sleep) {
        live->suspended = true;
        MHD_suspend_connection(live->mhd);
    }
    pthread_mutex_unlock(&live->lock);
    return sleep;
}

/* A comment, so that a connection that is gone is found. */
static const char ping_line[] = {':', '\n', '\n'};

static ssize_t read_events(void *ctx, uint64_t position, char *buffer, size_t room)
{
    struct live *live = ctx;
    struct http_answer *answer = &live->x->answer;
    size_t filled = 0;

    (void)position;
    for (;;) {
        struct http_event event = {0};

        if (!put_event(live, buffer, room, &filled)) {
            return (ssize_t)filled;
        }
        take_flag(live, &live->woken);
        enum http_next next = atomic_load(&live->server->stopping)
                                  ? HTTP_END
                                  : answer->events.next(answer->events.ctx, &event);
        if (next == HTTP_EVENT && format_event(live, &event)) {
            continue;
        }
        if (filled > 0) {
            return (ssize_t)filled;
        }
        if (next != HTTP_WAIT) {
            return MHD_CONTENT_READER_END_OF_STREAM;
        }
        if (take_flag(live, &live->ping) && room >= sizeof ping_line) {
            memcpy(buffer, ping_line, sizeof ping_line);
            return sizeof ping_line;
        }
        if (sleep_stream(live)) {
            return 0;
        }
    }
}

/* What the other end has acknowledged since the connection began: its system has it, whatever lies in
 * ours. */
static uint64_t acknowledged(int fd)
{
    struct tcp_info info = {0};
    socklen_t size = sizeof info;

    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 ? info.tcpi_bytes_acked : 0;
}

/* Of the connection, from its first file on. */
static void limit_unsent(struct connection *connection)
{
    const int unsent = UNSENT_MAX;

    if (!connection->few_unsent) {
        (void)setsockopt(connection->fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent);
        connection->few_unsent = true;
    }
}

static void begin_progress(struct live *live)
{
    struct http_server *server = live->server;

    if (live->x->answer.file.progress != NULL) {
        limit_unsent(live->connection);
        live->acked = acknowledged(live->connection->fd);
        pthread_mutex_lock(&server->lock);
        live->connection->sending = live;
        pthread_mutex_unlock(&server->lock);
    }
}

/* With the list's lock, so that the exchange does not end meanwhile. The head of the answer, and what TLS
 * adds, count as if they were of the file. */
static void tell_progress(struct live *live, int64_t now_ms)
{
    const struct http_answer *answer = &live->x->answer;
    if (now_ms < live->told_ms + PROGRESS_MS) {
        return;
    }
    live->told_ms = now_ms;
    uint64_t acked = acknowledged(live->connection->fd) - live->acked;

    answer->file.progress(answer->file.ctx,
                          answer->first + (acked < answer->count ? acked : answer->count));
}

/* For TLS, which sendfile() cannot help: the library itself would read, encrypt and send 4 KB at a
 * time. */
static ssize_t read_file(void *ctx, uint64_t position, char *buffer, size_t room)
{
    const struct http_answer *answer = ctx;
    uint64_t left = answer->count - position;
    ssize_t got;

    do {
        got = pread(answer->file.fd, buffer, room < left ? room : (size_t)left,
                    (off_t)(answer->file.offset + answer->first + position));
    } while (got < 0 && errno == EINTR);
    return got > 0 ? got : MHD_CONTENT_READER_END_WITH_ERROR;
}

static struct MHD_Response *make_file(struct live *live)
{
    struct http_answer *answer = &live->x->answer;
    int fd = answer->file.fd;

    if (fd < 0) {
        return MHD_create_response_from_buffer(
            answer->count, (char *)(uintptr_t)answer->file.bytes + answer->first,
            MHD_RESPMEM_PERSISTENT);
    }
    if (live->connection->tls) {
        /* The file is closed with the exchange, which ends after the response. */
        return MHD_create_response_from_callback(answer->count, TLS_BLOCK, read_file, answer, NULL);
    }
    limit_unsent(live->connection);
    struct MHD_Response *response = MHD_create_response_from_fd_at_offset64(
        answer->count, fd, answer->file.offset + answer->first);
    if (response != NULL) {
        answer->file.fd = -1; /* The library closes it. */
    }
    return response;
}

static struct MHD_Response *make_response(struct live *live)
{
    struct http_exchange *x = live->x;
    struct http_answer *answer = &x->answer;

    switch (answer->kind) {
    case ANSWER_FILE:
        live->sent_size = answer->count;
        begin_progress(live);
        return make_file(live);
    case ANSWER_EVENTS:
        live->is_stream = true;
        live->ping_ms = http_now_ms() + PING_MS;
        atomic_fetch_add(&live->server->streams, 1);
        list(live);
        return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 4096, read_events, live, NULL);
    case ANSWER_NONE:
    case ANSWER_BYTES:
        break;
    }
    live->sent_size = answer->size;
    return MHD_create_response_from_buffer(answer->size, (void *)(uintptr_t)answer->bytes,
                                           MHD_RESPMEM_PERSISTENT);
}

/* Bytes of the header as the library writes it: with its own Date, Content-Length, and Connection as
 * the client wants it. */
static size_t header_size(const struct live *live)
{
    const struct http_exchange *x = live->x;
    const struct http_answer *answer = &x->answer;
    const char *connection = http_header(x, "Connection");
    char length[48];
    size_t size = strlen("HTTP/1.1 200 \r\n") + strlen(MHD_get_reason_phrase_for(answer->status)) +
                  strlen("Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n") + strlen("\r\n");

    for (size_t i = 0; i < answer->header_count; i++) {
        size += strlen(answer->headers[i].name) + strlen(answer->headers[i].value) + 4;
    }
    size += (size_t)snprintf(length, sizeof length, "Content-Length: %llu\r\n",
                             (unsigned long long)answer->count);
    bool kept = connection != NULL && strcasecmp(connection, "keep-alive") == 0;
    if (answer->close || (connection != NULL && strcasecmp(connection, "close") == 0) ||
        (x->minor == 0 && !kept)) {
        size += strlen("Connection: close\r\n");
    } else if (x->minor == 0) {
        size += strlen("Connection: Keep-Alive\r\n");
    }
    return size;
}

static void align_header(const struct live *live, struct MHD_Response *response)
{
    size_t over = (header_size(live) + strlen("X-Pad: \r\n")) % 4;

    MHD_add_response_header(response, "X-Pad", &"----"[over]);
}

static enum MHD_Result respond(struct live *live)
{
    struct http_exchange *x = live->x;
    struct http_answer *answer = &x->answer;

    if (answer->kind == ANSWER_NONE) {
        http_answer_error(x, live->timed_out ? 504 : 503,
                          live->timed_out ? REFUSAL_TIMEOUT : REFUSAL_STOPPING, NULL, NULL);
    }
    http_answer_finish(x);
    live->step = STEP_ANSWER;
    atomic_store(&live->connection->end_ms, 0);
    struct MHD_Response *response = make_response(live);
    if (response == NULL) {
        return MHD_NO;
    }
    for (size_t i = 0; i < answer->header_count; i++) {
        MHD_add_response_header(response, answer->headers[i].name, answer->headers[i].value);
    }
    if (answer->aligned) {
        align_header(live, response);
    }
    if (answer->close || atomic_load(&live->server->stopping) || x->framing.chunked) {
        /* The library reads chunks more generously than a proxy may: nothing may come behind them.
         */
        MHD_add_response_header(response, "Connection", "close");
    }
    enum MHD_Result queued = MHD_queue_response(live->mhd, answer->status, response);
    MHD_destroy_response(response);
    return queued;
}

/* --- The library's calls ---------------------------------------------------------------------- */

static void set_body_end(struct live *live)
{
    int64_t end = live->body_start_ms + BODY_START_MS +
                  (int64_t)(live->x->body_seen * 1000 / live->server->settings.body_rate);

    atomic_store_explicit(&live->connection->end_ms, end, memory_order_relaxed);
}

/* The first call: headers are there. Answering now makes the library close the connection after it.
 */
static enum MHD_Result on_head(struct live *live)
{
    struct http_exchange *x = live->x;
    bool body = http_exchange_has_body(x);

    live->body_start_ms = http_now_ms();
    set_body_end(live);
    if (http_answered(x)) {
        bool drain = !x->answer.close && !x->framing.chunked && x->framing.size <= DRAINED_MAX &&
                     http_header(x, "Expect") == NULL;
        live->step = STEP_BODY;
        return drain ? MHD_YES : respond(live);
    }
    if (body && x->phase < PHASE_ADMITTED) {
        if (http_router_waits(x)) {
            atomic_store(&live->connection->end_ms, 0);
            return enqueue(live, STEP_HEAD) ? MHD_YES : respond(live);
        }
        http_router_admit(x);
        return on_head(live);
    }
    live->step = STEP_BODY;
    return MHD_YES;
}

static enum MHD_Result on_bytes(struct live *live, const char *bytes, size_t *size)
{
    struct http_exchange *x = live->x;

    atomic_fetch_add_explicit(&live->server->body_received, *size, memory_order_relaxed);
    if (x->route == NULL) {
        x->body_seen += *size;
    } else {
        http_router_take(x, bytes, *size);
    }
    *size = 0;
    set_body_end(live);
    /* Refused while it comes: the rest is dropped, and there is an end to that too. */
    bool endless =
        http_answered(x) && x->body_seen > (x->route != NULL ? x->route->body : 0) + DRAINED_MAX;
    return endless ? MHD_NO : MHD_YES;
}

/* The last call: the request is complete. */
static enum MHD_Result on_complete(struct live *live)
{
    struct http_exchange *x = live->x;

    atomic_store(&live->connection->end_ms, 0);
    if (http_answered(x)) {
        return respond(live);
    }
    if (http_router_waits(x)) {
        return enqueue(live, STEP_HANDLER) ? MHD_YES : respond(live);
    }
    live->step = STEP_HANDLER;
    live->running = true;
    x->brief = x->route != NULL && (x->route->flags & HTTP_BRIEF) != 0;
    handle(x);
    x->brief = false;
    if (x->deferred) {
        x->deferred = false;
        live->running = false;
        return enqueue(live, STEP_HANDLER) ? MHD_YES : respond(live);
    }
    pthread_mutex_lock(&live->lock);
    live->running = false;
    bool wait = x->held || live->canceling;
    if (wait) {
        live->suspended = true;
        MHD_suspend_connection(live->mhd);
    }
    pthread_mutex_unlock(&live->lock);
    return wait ? MHD_YES : respond(live);
}

static enum MHD_Result on_access(void *ctx, struct MHD_Connection *mhd, const char *url,
                                 const char *method, const char *version, const char *bytes,
                                 size_t *size, void **exchange)
{
    struct http_exchange *x = *exchange;
    struct live *live = x->live;

    (void)ctx;
    (void)mhd;
    (void)url;
    switch (live->step) {
    case STEP_LINE:
        begin(live, method, version);
        return on_head(live);
    case STEP_HEAD:
        return on_head(live);
    case STEP_BODY:
        return *size > 0 ? on_bytes(live, bytes, size) : on_complete(live);
    case STEP_HANDLER:
        if (live->listed) {
            unlist(live);
        }
        return respond(live);
    case STEP_ANSWER:
        *size = 0;
        return MHD_YES;
    }
    return MHD_NO;
}

static void log_exchange(struct live *live, bool whole)
{
    struct http_server *server = live->server;
    struct http_exchange *x = live->x;
    unsigned status = live->step == STEP_ANSWER ? x->answer.status : 0;

    atomic_fetch_add_explicit(&server->requests[status / 100 < 6 ? status / 100 : 0], 1,
                              memory_order_relaxed);
    if (server->settings.log != NULL) {
        struct http_logged line = {
            .peer = x->peer.address,
            .user = x->principal.name,
            .method = x->method_name,
            .target = x->target,
            .status = status,
            .duration_us = (uint64_t)(now_us() - live->start_us),
            .size = whole && x->method != HTTP_HEAD ? live->sent_size : 0,
            .tls = x->peer.tls,
        };
        server->settings.log(server->settings.log_ctx, &line);
    }
}

static void on_completed(void *ctx, struct MHD_Connection *mhd, void **exchange,
                         enum MHD_RequestTerminationCode how)
{
    struct http_server *server = ctx;
    struct http_exchange *x = *exchange;

    (void)mhd;
    if (x == NULL) {
        return;
    }
    struct live *live = x->live;
    bool whole = how == MHD_REQUEST_TERMINATED_COMPLETED_OK && live->step == STEP_ANSWER;
    unlist(live);
    log_exchange(live, whole);
    if (live->is_stream) {
        atomic_fetch_sub(&server->streams, 1);
    }
    x->sent_whole = whole && x->method != HTTP_HEAD;
    int64_t now_ms = http_now_ms();
    atomic_store(&live->connection->end_ms,
                 now_ms + server->settings.idle_ms + server->settings.head_ms);
    atomic_store(&live->connection->idle_since_ms, now_ms);
    atomic_store(&live->connection->busy, false);
    http_exchange_free(x);
    *exchange = NULL;
    atomic_fetch_sub(&server->exchanges, 1);
}

/* --- Room ------------------------------------------------------------------------------------- */

static bool has_room(struct http_server *server, bool tls)
{
    return atomic_load(&server->open) < server->settings.connections &&
           (!tls || atomic_load(&server->hellos) < HELLOS_MAX);
}

static bool on_room(void *ctx, bool tls)
{
    struct http_server *server = ctx;

    if (has_room(server, tls)) {
        return true;
    }
    /* What became free before this was said, was not told. */
    atomic_store(&server->wanting, true);
    return has_room(server, tls);
}

static void tell_room(struct http_server *server)
{
    struct acceptor *acceptor = atomic_load(&server->acceptor);

    /* At the very start it may be at work before we know it; its next tick comes by itself. */
    if (acceptor != NULL && atomic_load(&server->wanting) &&
        atomic_exchange(&server->wanting, false)) {
        acceptor_wake(acceptor);
    }
}

static void leave(struct http_server *server)
{
    atomic_fetch_sub(&server->open, 1);
    tell_room(server);
}

static void leave_hello(struct http_server *server)
{
    /* Half of them at once, so that the acceptor is not woken for each. */
    if (atomic_fetch_sub(&server->hellos, 1) <= HELLOS_MAX / 2 + 1) {
        tell_room(server);
    }
}

static void on_begun(void *ctx)
{
    struct connection *connection = ctx;

    connection->hello = false;
    leave_hello(connection->server);
}

/* --- Handshakes that wait ----------------------------------------------------------------------
 *
 * The library (0.9.75) calls GnuTLS again and again while the client computes its answer, each time with
 * hashes over all that was said: a few devices, which take a second for it, kept a processor busy. So the
 * connection sleeps, and the acceptor says when there is something to read.
 */

static void awake(struct http_server *server, struct connection *connection)
{
    pthread_mutex_lock(&server->lock);
    if (connection->asleep) {
        connection->asleep = false;
        MHD_resume_connection(connection->mhd);
    }
    pthread_mutex_unlock(&server->lock);
}

static void on_readable(void *ctx, void *what)
{
    awake(ctx, what);
}

static void on_stalled(void *ctx)
{
    struct connection *connection = ctx;
    struct http_server *server = connection->server;
    struct acceptor *acceptor = atomic_load(&server->acceptor);
    const bool again = connection->was_watched;

    pthread_mutex_lock(&server->lock);
    bool sleep = !server->sleepless && acceptor != NULL;
    if (sleep) {
        connection->asleep = connection->was_watched = true;
        MHD_suspend_connection(connection->mhd);
    }
    pthread_mutex_unlock(&server->lock);
    if (sleep && !acceptor_watch(acceptor, connection->fd, connection, again)) {
        awake(server, connection);
    }
}

/* The library must not stop under a connection that sleeps. */
static void awake_all(struct http_server *server)
{
    pthread_mutex_lock(&server->lock);
    server->sleepless = true;
    for (struct connection *at = server->connections.next; at != &server->connections;
         at = at->next) {
        if (at->asleep) {
            at->asleep = false;
            MHD_resume_connection(at->mhd);
        }
    }
    pthread_mutex_unlock(&server->lock);
}

/* ---------------------------------------------------------------------------------------------- */

static void on_give(void *ctx, int fd, const struct sockaddr *peer, socklen_t size, bool tls)
{
    struct http_server *server = ctx;

    atomic_fetch_add(&server->open, 1);
    if (tls) {
        atomic_fetch_add(&server->hellos, 1);
    }
    /* The library closes the socket when it cannot take it. */
    if (MHD_add_connection(tls ? server->secure : server->plain, fd, peer, size) != MHD_YES) {
        atomic_fetch_add(&server->refused, 1);
        leave(server);
        if (tls) {
            leave_hello(server);
        }
    }
}

static void on_connection(void *ctx, struct MHD_Connection *mhd, void **context,
                          enum MHD_ConnectionNotificationCode what)
{
    struct http_server *server = ctx;

    if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
        struct connection *connection = *context;
        pthread_mutex_lock(&server->lock);
        connection->next->previous = connection->previous;
        connection->previous->next = connection->next;
        pthread_mutex_unlock(&server->lock);
        if (connection->hello) {
            leave_hello(server);
        }
        free(connection);
        leave(server);
        return;
    }
    struct connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL) {
        abort();
    }
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
    connection->server = server;
    connection->mhd = mhd;
    connection->fd = info->connect_fd;
    connection->peer.number = atomic_fetch_add(&server->number, 1) + 1;
    atomic_store(&connection->end_ms, http_now_ms() + server->settings.head_ms);
    info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    if (info != NULL && info->tls_session != NULL) {
        connection->tls = connection->hello = true;
        connection->pipe.fd = connection->fd;
        connection->pipe.begun = on_begun;
        connection->pipe.stalled = on_stalled;
        connection->pipe.ctx = connection;
        http_tls_attach(server->settings.tls, info->tls_session, &connection->pipe);
    }
    know_peer(connection);
    *context = connection;
    pthread_mutex_lock(&server->lock);
    connection->next = &server->connections;
    connection->previous = server->connections.previous;
    connection->previous->next = connection;
    server->connections.previous = connection;
    pthread_mutex_unlock(&server->lock);
}

/* --- The ticker ------------------------------------------------------------------------------- */

/*
 * The library (0.9.75) takes a read that leaves room in its buffer for the last one until the next
 * edge of epoll; an end of stream that came together with those bytes is then never seen. Shutting
 * down the direction that has ended makes an edge. What is on its way to the client is not touched.
 */
static void show_end(int fd)
{
    char byte;

    if (recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0) {
        shutdown(fd, SHUT_RD);
    }
}

static bool is_idle(const struct connection *connection, int64_t now_ms)
{
    const int64_t since_ms = atomic_load(&connection->idle_since_ms);

    return since_ms != 0 && since_ms + IDLE_LEAST_MS <= now_ms;
}

/*
 * Cut what is over its time, and tell how far files are. A plain client is told why; in the middle of TLS
 * nothing can be said.
 *
 * @param idle_too  all without a request
 * @param crowd     so many that are idle, because others want their places
 */
static void visit_connections(struct http_server *server, int64_t now_ms, bool idle_too,
                              size_t crowd)
{
    static const char said[] =
        "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

    pthread_mutex_lock(&server->lock);
    for (struct connection *at = server->connections.next; at != &server->connections;
         at = at->next) {
        int64_t end_ms = atomic_load_explicit(&at->end_ms, memory_order_relaxed);
        bool late = end_ms != 0 && end_ms <= now_ms;

        if (late && !at->tls) {
            ssize_t sent = send(at->fd, said, sizeof said - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
            (void)sent; /* Whether it arrives or not, the connection ends. */
        }
        bool ceded = crowd > 0 && end_ms != 0 && is_idle(at, now_ms);

        crowd -= ceded;
        if (late || ceded || (idle_too && !atomic_load(&at->busy))) {
            shutdown(at->fd, SHUT_RDWR);
            atomic_store(&at->end_ms, 0);
            atomic_fetch_add(&server->timed_out, late);
        } else if (end_ms != 0 && atomic_load(&at->busy)) {
            show_end(at->fd);
        }
        if (at->sending != NULL) {
            tell_progress(at->sending, now_ms);
        }
    }
    pthread_mutex_unlock(&server->lock);
}

/* Cancel a held exchange. Called with the server's lock, which is given up meanwhile. */
static void cancel(struct http_server *server, struct live *live, bool timed_out)
{
    pthread_mutex_lock(&live->lock);
    bool held = live->x->held && !live->canceling;
    if (held) {
        live->canceling = true;
        live->timed_out = timed_out;
    }
    live->hold_end_ms = INT64_MAX;
    pthread_mutex_unlock(&live->lock);
    if (!held) {
        return;
    }
    pthread_mutex_unlock(&server->lock);
    live->x->cancel(live->x, live->x->cancel_ctx);
    /* The list's lock first, as everywhere: the exchange may end as soon as it is settled. */
    pthread_mutex_lock(&server->lock);
    pthread_mutex_lock(&live->lock);
    live->canceling = false;
    settle(live);
    pthread_mutex_unlock(&live->lock);
}

static bool visit_waiter(struct http_server *server, struct live *live, int64_t now_ms,
                         bool stopping)
{
    if (live->is_stream) {
        if (stopping || live->ping_ms <= now_ms) {
            live->ping_ms = now_ms + PING_MS;
            wake(live, true);
        }
        return false;
    }
    if (live->hold_end_ms == INT64_MAX || (!stopping && live->hold_end_ms > now_ms)) {
        return false; /* cancelled before, or not yet */
    }
    cancel(server, live, !stopping);
    return true;
}

static void visit_waiters(struct http_server *server, int64_t now_ms, bool stopping)
{
    pthread_mutex_lock(&server->lock);
    for (struct live *at = server->waiters.next; at != &server->waiters;) {
        /* The lock was given up: begin again, this one does not come twice. */
        at = visit_waiter(server, at, now_ms, stopping) ? server->waiters.next : at->next;
    }
    pthread_mutex_unlock(&server->lock);
}

static void on_tick(void *ctx, int64_t now_ms, size_t crowd)
{
    struct http_server *server = ctx;
    bool stopping = atomic_load(&server->stopping);

    const bool is_full = atomic_load(&server->open) >= server->settings.connections;

    visit_connections(server, now_ms, stopping, is_full ? crowd : 0);
    visit_waiters(server, now_ms, stopping);
}

/* --- Start and stop --------------------------------------------------------------------------- */

static size_t keep_escapes(void *ctx, struct MHD_Connection *mhd, char *text)
{
    /* Targets are decoded once, and not here. */
    (void)ctx;
    (void)mhd;
    return strlen(text);
}

static struct MHD_Daemon *start_daemon(struct http_server *server, bool tls)
{
    const struct http_settings *settings = &server->settings;
    struct MHD_OptionItem secure[] = {
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)http_tls_priorities},
        {MHD_OPTION_HTTPS_CERT_CALLBACK2, 0, (void *)(uintptr_t)http_tls_retrieve},
        {MHD_OPTION_END, 0, NULL},
    };
    struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};

    return MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ITC | MHD_USE_NO_LISTEN_SOCKET |
            MHD_ALLOW_SUSPEND_RESUME | (tls ? MHD_USE_TLS : 0u),
        0, NULL, NULL, on_access, server, MHD_OPTION_URI_LOG_CALLBACK, on_uri, server,
        MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL, MHD_OPTION_NOTIFY_COMPLETED, on_completed,
        server, MHD_OPTION_NOTIFY_CONNECTION, on_connection, server, MHD_OPTION_THREAD_POOL_SIZE,
        settings->threads, MHD_OPTION_CONNECTION_LIMIT,
        /* Of each thread. The limit is ours to keep, see has_room(): at its own, the library (0.9.75)
         * leaves a mutex locked, and that thread never answers again. */
        (settings->connections + LIMIT_SLACK) * settings->threads, MHD_OPTION_CONNECTION_TIMEOUT,
        (settings->idle_ms + 999) / 1000, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)MEMORY_OF_CONNECTION, MHD_OPTION_ARRAY, tls ? secure : none, MHD_OPTION_END);
}

static bool read_proxies(struct http_server *server, char *problem, size_t size)
{
    for (const char *const *at = server->settings.proxies; at != NULL && *at != NULL; at++) {
        struct sockaddr_storage *to = &server->proxies[server->proxy_count];

        if (server->proxy_count == sizeof server->proxies / sizeof server->proxies[0]) {
            snprintf(problem, size, "more than %zu proxies", server->proxy_count);
            return false;
        }
        if (inet_pton(AF_INET, *at, &((struct sockaddr_in *)to)->sin_addr) == 1) {
            to->ss_family = AF_INET;
        } else if (inet_pton(AF_INET6, *at, &((struct sockaddr_in6 *)to)->sin6_addr) == 1) {
            to->ss_family = AF_INET6;
        } else {
            snprintf(problem, size, "\"%s\" is not the address of a proxy", *at);
            return false;
        }
        server->proxy_count++;
    }
    return true;
}

static void set_defaults(struct http_settings *settings)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);

    if (settings->threads == 0) {
        settings->threads = processors > 2 ? (unsigned)processors : 2;
    }
    settings->workers = settings->workers != 0 ? settings->workers : 8;
    settings->workers = settings->workers < WORKERS_MAX ? settings->workers : WORKERS_MAX;
    settings->connections = settings->connections != 0 ? settings->connections : 10000;
    settings->first_byte_ms = settings->first_byte_ms != 0 ? settings->first_byte_ms : 10000;
    settings->head_ms = settings->head_ms != 0 ? settings->head_ms : 20000;
    settings->idle_ms = settings->idle_ms != 0 ? settings->idle_ms : 75000;
    settings->body_rate = settings->body_rate != 0 ? settings->body_rate : 512;
}

static void stop_workers(struct http_server *server)
{
    pthread_mutex_lock(&server->queue_lock);
    server->queue_closed = true;
    pthread_cond_broadcast(&server->queue_filled);
    pthread_mutex_unlock(&server->queue_lock);
    for (unsigned i = 0; i < server->worker_count; i++) {
        pthread_join(server->workers[i], NULL);
    }
}

static void free_server(struct http_server *server)
{
    if (server->plain != NULL) {
        MHD_stop_daemon(server->plain);
    }
    if (server->secure != NULL) {
        MHD_stop_daemon(server->secure);
    }
    if (server->acceptor != NULL) {
        acceptor_free(server->acceptor); /* connections that ended woke it until now */
    }
    http_router_free(server->router);
    free(server);
}

static bool start_parts(struct http_server *server, char *problem, size_t size)
{
    struct http_settings *settings = &server->settings;
    struct acceptor_settings acceptor = {
        .listen = settings->listen,
        .tls = settings->tls != NULL,
        .first_byte_ms = settings->first_byte_ms,
        .room_ms = settings->head_ms,
        .waiting_max = settings->connections,
        .room = on_room,
        .give = on_give,
        .tick = on_tick,
        .readable = on_readable,
        .ctx = server,
    };

    server->router = http_router_new(settings->tables, settings->table_count, settings->guard);
    if (server->router == NULL) {
        snprintf(problem, size, "the table of routes is wrong");
        return false;
    }
    if (!read_proxies(server, problem, size)) {
        return false;
    }
    server->plain = start_daemon(server, false);
    if (settings->tls != NULL) {
        server->secure = start_daemon(server, true);
    }
    if (server->plain == NULL || (settings->tls != NULL && server->secure == NULL)) {
        snprintf(problem, size, "the HTTP library does not start");
        return false;
    }
    while (server->worker_count < settings->workers &&
           pthread_create(&server->workers[server->worker_count], NULL, work, server) == 0) {
        pthread_setname_np(server->workers[server->worker_count++], "worker");
    }
    if (server->worker_count == 0) {
        snprintf(problem, size, "cannot start a thread");
        return false;
    }
    atomic_store(&server->acceptor, acceptor_start(&acceptor, problem, size));
    return atomic_load(&server->acceptor) != NULL;
}

struct http_server *http_server_start(const struct http_settings *settings, char *problem,
                                      size_t problem_size)
{
    struct http_server *server = calloc(1, sizeof *server);

    if (server == NULL) {
        snprintf(problem, problem_size, "out of memory");
        return NULL;
    }
    server->settings = *settings;
    set_defaults(&server->settings);
    pthread_mutex_init(&server->lock, NULL);
    pthread_mutex_init(&server->queue_lock, NULL);
    pthread_cond_init(&server->queue_filled, NULL);
    server->queue_end = &server->queue;
    server->connections.next = server->connections.previous = &server->connections;
    server->waiters.next = server->waiters.previous = &server->waiters;
    if (!start_parts(server, problem, problem_size)) {
        stop_workers(server);
        free_server(server);
        return NULL;
    }
    return server;
}

uint16_t http_server_port(const struct http_server *server, size_t index)
{
    return acceptor_port(server->acceptor, index);
}

void http_server_stats(struct http_server *server, struct http_stats *stats)
{
    uint64_t refused, waiting;

    for (size_t i = 0; i < 6; i++) {
        stats->requests[i] = atomic_load(&server->requests[i]);
    }
    acceptor_counts(server->acceptor, &stats->accepted, &refused, &waiting);
    stats->refused = refused + atomic_load(&server->refused);
    stats->timed_out = atomic_load(&server->timed_out);
    stats->body_received = atomic_load(&server->body_received);
    stats->connections = atomic_load(&server->open) + waiting;
    stats->exchanges = atomic_load(&server->exchanges);
    stats->streams = atomic_load(&server->streams);
}

static bool held_left(struct http_server *server)
{
    bool left = false;

    pthread_mutex_lock(&server->lock);
    for (struct live *at = server->waiters.next; at != &server->waiters; at = at->next) {
        left = left || !at->is_stream;
    }
    pthread_mutex_unlock(&server->lock);
    return left;
}

void http_server_stop(struct http_server *server, uint32_t grace_ms)
{
    int64_t end_ms = http_now_ms() + grace_ms;

    atomic_store(&server->stopping, true);
    acceptor_close(server->acceptor);
    /* The ticker ends streams, cancels what is held and closes what is idle. */
    while (atomic_load(&server->exchanges) > 0 && http_now_ms() < end_ms) {
        usleep(5000);
    }
    stop_workers(server);
    /* Whoever still holds an exchange has been told; the library must not stop under a connection
     * that sleeps. */
    for (int i = 0; i < 200 && held_left(server); i++) {
        usleep(25000);
    }
    acceptor_end(server->acceptor);
    awake_all(server);
    visit_waiters(server, http_now_ms(), true);
    free_server(server);
}
