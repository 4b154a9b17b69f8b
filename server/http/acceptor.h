/*
 * One port for HTTP and HTTPS: a thread that waits for the first byte of each connection, which
 * tells which of the two it is.
 *
 * A client that says nothing costs an entry in an epoll set, and after a time nothing at all.
 */
#ifndef UPDRAFT_SERVER_HTTP_ACCEPTOR_H
#define UPDRAFT_SERVER_HTTP_ACCEPTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct acceptor;

struct acceptor_settings {
    const char *const *listen; /* NULL-terminated */
    bool tls;                  /* a TLS hello is welcome */
    uint32_t first_byte_ms;
    unsigned
        waiting_max; /* connections without a first byte; the oldest goes when there are more */
    /** Take over a connection whose first byte is there. */
    void (*give)(void *ctx, int fd, const struct sockaddr *peer, socklen_t size, bool tls);
    /** About four times a second, on the acceptor's thread. */
    void (*tick)(void *ctx, int64_t now_ms);
    void *ctx;
};

/** NULL with a sentence in `problem` when an address cannot be listened on. */
struct acceptor *acceptor_start(const struct acceptor_settings *settings, char *problem,
                                size_t problem_size);
uint16_t acceptor_port(const struct acceptor *acceptor, size_t index);
/** Connections so far, and those that ended without reaching give(). */
void acceptor_counts(struct acceptor *acceptor, uint64_t *accepted, uint64_t *refused,
                     uint64_t *waiting);
/** No connection is accepted any more; the ticks go on. */
void acceptor_close(struct acceptor *acceptor);
/** Ends the thread. */
void acceptor_free(struct acceptor *acceptor);

/** Milliseconds of a clock that never jumps. */
int64_t http_now_ms(void);

#endif
