/*
 * One port for HTTP and HTTPS: a thread that waits for the first byte of each connection, which
 * tells which of the two it is.
 *
 * A client that says nothing costs an entry in an epoll set, and after a time nothing at all. One that
 * has spoken waits, the oldest first, until there is room for it: what is begun is finished, and what
 * cannot be begun yet costs nothing. When too many wait, the rest stay in the kernel's queue.
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
    uint32_t room_ms;     /* that one which has spoken waits for room */
    unsigned waiting_max; /* that have said nothing, or wait for room */
    /** Whether one more is welcome now; if not, acceptor_wake() says when. */
    bool (*room)(void *ctx, bool tls);
    /** Take over a connection whose first byte is there; after room() only. */
    void (*give)(void *ctx, int fd, const struct sockaddr *peer, socklen_t size, bool tls);
    /** About four times a second, on the acceptor's thread. `crowd`: that wait for room. */
    void (*tick)(void *ctx, int64_t now_ms, size_t crowd);
    /** A socket of acceptor_watch() can be read, or is at its end. */
    void (*readable)(void *ctx, void *what);
    void *ctx;
};

/** NULL with a sentence in `problem` when an address cannot be listened on. */
struct acceptor *acceptor_start(const struct acceptor_settings *settings, char *problem,
                                size_t problem_size);
uint16_t acceptor_port(const struct acceptor *acceptor, size_t index);
/** Connections so far, and those that ended without reaching give(). */
void acceptor_counts(struct acceptor *acceptor, uint64_t *accepted, uint64_t *refused,
                     uint64_t *waiting);
/** There is room again. From any thread. */
void acceptor_wake(struct acceptor *acceptor);
/**
 * Call readable() once, on the acceptor's thread, when a socket has something to read. From any thread.
 *
 * @param again  it was watched before, and readable() was called
 * @return false  it cannot be watched
 */
bool acceptor_watch(struct acceptor *acceptor, int fd, void *what, bool again);
/** No connection is accepted any more; the ticks go on. */
void acceptor_close(struct acceptor *acceptor);
/** Ends the thread: no call of ours comes any more. */
void acceptor_end(struct acceptor *acceptor);
/** After acceptor_end(), and after the last acceptor_wake(). */
void acceptor_free(struct acceptor *acceptor);

/** Milliseconds of a clock that never jumps. */
int64_t http_now_ms(void);

#endif
