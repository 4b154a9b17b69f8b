/* The HTTP server: sockets, TLS, limits, and the router behind them. */
#ifndef UPDRAFT_SERVER_HTTP_SERVER_H
#define UPDRAFT_SERVER_HTTP_SERVER_H

#include "http/http.h"

struct http_tls;

/** A request that has been served. Texts live as long as the call. */
struct http_logged {
    const char *peer;
    const char *user; /* NULL: nobody */
    const char *method;
    const char *target;
    unsigned status; /* 0: the client left before an answer */
    uint64_t duration_us;
    uint64_t size; /* bytes of the answer's body */
    bool tls;
};

struct http_settings {
    const char *const *listen; /* "127.0.0.1:8070", "[::]:8070", ":0"; NULL-terminated */
    const struct http_table *tables;
    size_t table_count;
    const struct http_guard *guard; /* NULL: as http_router_new() */
    struct http_tls *tls;           /* NULL: plain HTTP only */
    const char *const *proxies;     /* addresses whose X-Forwarded-* are believed; NULL for none */
    const char *accel;      /* internal location of a proxy, such as "/blobs/"; NULL: none */
    unsigned threads;       /* that read sockets, for each of HTTP and HTTPS; 0: as processors */
    unsigned workers;       /* that run handlers which wait; 0: 8 */
    unsigned connections;   /* being served, at most, and as many that wait for it; 0: 10,000 */
    uint32_t first_byte_ms; /* until a client says something; 0: 10,000 */
    uint32_t head_ms;       /* for a whole request line with headers; 0: 20,000 */
    uint32_t idle_ms;       /* between two requests, and while a client takes nothing; 0: 75,000 */
    uint32_t body_rate;     /* bytes per second that a body must bring, after 30 s; 0: 512 */
    void (*log)(void *ctx,
                const struct http_logged *request); /* on a thread of the sockets; NULL */
    void *log_ctx;
};

struct http_stats {
    uint64_t requests[6];   /* by hundreds of the status; [0]: no answer */
    uint64_t accepted;      /* connections so far */
    uint64_t refused;       /* of them: no first byte, a wrong one, or no room in time */
    uint64_t timed_out;     /* closed because they were too slow */
    uint64_t body_received; /* bytes */
    uint64_t connections;   /* open now, waiting ones included */
    uint64_t exchanges;     /* being served now, event streams included */
    uint64_t streams;       /* of them: events */
};

struct http_server;

/**
 * Listen and serve.
 *
 * @param settings  read during the call; what its pointers lead to must outlive the server
 * @param problem   out: one sentence when NULL is returned
 */
struct http_server *http_server_start(const struct http_settings *settings, char *problem,
                                      size_t problem_size);

/** The port of the index-th listener, as the system chose it; 0 after the last. */
uint16_t http_server_port(const struct http_server *server, size_t index);

void http_server_stats(struct http_server *server, struct http_stats *stats);

/**
 * Stop: no new connections, event streams end, held answers are cancelled, requests that are being
 * served are finished for at most `grace_ms`; then all that is left is cut. The handlers' contexts
 * may go after it.
 */
void http_server_stop(struct http_server *server, uint32_t grace_ms);

#endif
