#include "http/acceptor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum {
    LISTENERS_MAX = 16,
    TICK_MS = 250,
    TLS_HANDSHAKE = 0x16,
    /* A silent connection goes before its time when others want its place, but not at once: of many
     * that come together, none had the time to speak. */
    SILENT_MS = 1000,
    /* After so long a client may have given up. */
    STALE_MS = 1000,
    /* Bytes in a segment: only the loopback has larger ones, see UNSENT_MAX in server.c. A record of TLS
     * fits into one. */
    SEGMENT_MAX = 32000,
};

/* What a connection waits for. */
enum queue { SILENT, READY_PLAIN, READY_TLS, QUEUES };

/* A connection that has said nothing yet, or that waits for room. All of a queue have the same time, so
 * that it is in the order of their ends. */
struct waiting {
    struct waiting *next, *previous;
    int fd;
    enum queue queue;
    int64_t since_ms;
    struct sockaddr_storage peer;
    socklen_t peer_size;
};

struct acceptor {
    struct acceptor_settings settings;
    pthread_t thread;
    int epoll, wake;
    int watched; /* an epoll set in that one: sockets of others */
    int listeners[LISTENERS_MAX];
    size_t listener_count;
    uint16_t ports[LISTENERS_MAX];
    struct waiting queues[QUEUES]; /* heads of rings */
    size_t waiting_count, silent_count;
    bool deaf;               /* the listeners are not looked at */
    int64_t paused_until_ms; /* no file descriptor was left */
    atomic_bool closing, stopping;
    atomic_uint_least64_t accepted, refused, waiting_now;
};

int64_t http_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* --- Listening -------------------------------------------------------------------------------- */

/* "127.0.0.1:8070", "[::1]:8070", ":8070": host (may be empty) and port. */
static bool split(const char *address, char *host, size_t host_size, const char **port)
{
    const char *colon = strrchr(address, ':');
    size_t size;

    if (colon == NULL || strspn(colon + 1, "0123456789") != strlen(colon + 1) || colon[1] == 0) {
        return false;
    }
    size = (size_t)(colon - address);
    if (size >= 2 && address[0] == '[' && address[size - 1] == ']') {
        address++;
        size -= 2;
    }
    if (size >= host_size) {
        return false;
    }
    memcpy(host, address, size);
    host[size] = 0;
    *port = colon + 1;
    return true;
}

static int open_listener(const struct addrinfo *address)
{
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int segment = SEGMENT_MAX;
    int on = 1;
    int off = 0;

    if (fd < 0) {
        return -1;
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof segment);
    if (address->ai_family == AF_INET6) {
        /* "[::]" is for both families, as most expect. */
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    }
    if (bind(fd, address->ai_addr, address->ai_addrlen) != 0 || listen(fd, 4096) != 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

static uint16_t bound_port(int fd)
{
    struct sockaddr_storage bound;
    socklen_t size = sizeof bound;

    if (getsockname(fd, (struct sockaddr *)&bound, &size) != 0) {
        return 0;
    }
    return ntohs(bound.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&bound)->sin6_port
                                             : ((struct sockaddr_in *)&bound)->sin_port);
}

static bool listen_on(struct acceptor *acceptor, const char *text, char *problem, size_t size)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found;
    struct epoll_event event = {.events = EPOLLIN};
    char host[256];
    const char *port;

    if (!split(text, host, sizeof host, &port)) {
        snprintf(problem, size, "\"%s\" is not ADDRESS:PORT", text);
        return false;
    }
    if (acceptor->listener_count == LISTENERS_MAX) {
        snprintf(problem, size, "more than %d addresses to listen on", LISTENERS_MAX);
        return false;
    }
    int error = getaddrinfo(host[0] != 0 ? host : NULL, port, &hints, &found);
    if (error != 0) {
        snprintf(problem, size, "cannot listen on %s: %s", text, gai_strerror(error));
        return false;
    }
    int fd = open_listener(found);
    error = errno;
    freeaddrinfo(found);
    if (fd < 0) {
        snprintf(problem, size, "cannot listen on %s: %s", text, strerror(error));
        return false;
    }
    acceptor->ports[acceptor->listener_count] = bound_port(fd);
    event.data.ptr = &acceptor->listeners[acceptor->listener_count];
    acceptor->listeners[acceptor->listener_count++] = fd;
    return epoll_ctl(acceptor->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

/* --- Waiting connections ---------------------------------------------------------------------- */

static struct waiting *first(struct acceptor *acceptor, enum queue queue)
{
    struct waiting *head = &acceptor->queues[queue];

    return head->next != head ? head->next : NULL;
}

static void unlink_waiting(struct acceptor *acceptor, struct waiting *waiting)
{
    waiting->next->previous = waiting->previous;
    waiting->previous->next = waiting->next;
    acceptor->silent_count -= waiting->queue == SILENT;
    acceptor->waiting_count--;
    atomic_store_explicit(&acceptor->waiting_now, acceptor->waiting_count, memory_order_relaxed);
}

static void link_waiting(struct acceptor *acceptor, struct waiting *waiting, enum queue queue)
{
    struct waiting *head = &acceptor->queues[queue];

    waiting->queue = queue;
    waiting->since_ms = http_now_ms();
    waiting->next = head;
    waiting->previous = head->previous;
    waiting->previous->next = waiting;
    head->previous = waiting;
    acceptor->silent_count += queue == SILENT;
    acceptor->waiting_count++;
    atomic_store_explicit(&acceptor->waiting_now, acceptor->waiting_count, memory_order_relaxed);
}

static void refuse(struct acceptor *acceptor, struct waiting *waiting)
{
    unlink_waiting(acceptor, waiting);
    close(waiting->fd);
    free(waiting);
    atomic_fetch_add_explicit(&acceptor->refused, 1, memory_order_relaxed);
}

/* A TLS client that has closed its side before the handshake does not wait for us any more. Of a plain
 * one that may be the end of its request. */
static bool has_left(const struct waiting *waiting, int64_t now_ms)
{
    struct tcp_info info = {0};
    socklen_t size = sizeof info;

    return waiting->since_ms + STALE_MS <= now_ms &&
           getsockopt(waiting->fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 &&
           (info.tcpi_state == TCP_CLOSE ||
            (waiting->queue == READY_TLS && info.tcpi_state != TCP_ESTABLISHED));
}

/* Those that have spoken, in the order in which they did, as long as there is room. */
static void admit(struct acceptor *acceptor, enum queue queue)
{
    const struct acceptor_settings *settings = &acceptor->settings;
    const bool tls = queue == READY_TLS;
    struct waiting *waiting;

    while ((waiting = first(acceptor, queue)) != NULL && settings->room(settings->ctx, tls)) {
        if (has_left(waiting, http_now_ms())) {
            refuse(acceptor, waiting);
            continue;
        }
        unlink_waiting(acceptor, waiting);
        settings->give(settings->ctx, waiting->fd, (struct sockaddr *)&waiting->peer,
                       waiting->peer_size, tls);
        free(waiting);
    }
}

/* It has spoken. */
static void promote(struct acceptor *acceptor, struct waiting *waiting, enum queue queue)
{
    epoll_ctl(acceptor->epoll, EPOLL_CTL_DEL, waiting->fd, NULL);
    unlink_waiting(acceptor, waiting);
    link_waiting(acceptor, waiting, queue);
}

/* Looks at the first byte, which stays in the socket. A letter begins a method, 0x16 a TLS hello.
 */
static void look(struct acceptor *acceptor, struct waiting *waiting)
{
    unsigned char byte;
    ssize_t got = recv(waiting->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (got != 1) {
        refuse(acceptor, waiting);
    } else if (byte == TLS_HANDSHAKE && acceptor->settings.tls) {
        promote(acceptor, waiting, READY_TLS);
    } else if (byte == '\r' || byte == '\n' || (byte >= '!' && byte <= '~')) {
        promote(acceptor, waiting, READY_PLAIN);
    } else {
        refuse(acceptor, waiting);
    }
}

/* Whether a new connection finds a place, if need be that of one which has been silent for long. */
static bool has_place(struct acceptor *acceptor)
{
    const struct waiting *oldest = first(acceptor, SILENT);

    return acceptor->waiting_count < acceptor->settings.waiting_max ||
           (oldest != NULL && oldest->since_ms + SILENT_MS <= http_now_ms());
}

/* After has_place(). */
static bool accept_one(struct acceptor *acceptor, int listener)
{
    struct waiting *waiting = malloc(sizeof *waiting);
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP, .data.ptr = waiting};

    if (waiting == NULL) {
        return false;
    }
    waiting->peer_size = sizeof waiting->peer;
    waiting->fd = accept4(listener, (struct sockaddr *)&waiting->peer, &waiting->peer_size,
                          SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (waiting->fd < 0) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            /* The connection stays in the kernel's queue until others have ended. */
            acceptor->paused_until_ms = http_now_ms() + TICK_MS;
        }
        free(waiting);
        return false;
    }
    atomic_fetch_add_explicit(&acceptor->accepted, 1, memory_order_relaxed);
    if (acceptor->waiting_count >= acceptor->settings.waiting_max) {
        refuse(acceptor, first(acceptor, SILENT)); /* as has_place() found */
    }
    link_waiting(acceptor, waiting, SILENT);
    if (epoll_ctl(acceptor->epoll, EPOLL_CTL_ADD, waiting->fd, &event) != 0) {
        refuse(acceptor, waiting);
    }
    return true;
}

/* --- The loop --------------------------------------------------------------------------------- */

static bool is_listener(const struct acceptor *acceptor, const void *ptr)
{
    return (const int *)ptr >= acceptor->listeners &&
           (const int *)ptr < acceptor->listeners + LISTENERS_MAX;
}

static void close_listeners(struct acceptor *acceptor)
{
    for (size_t i = 0; i < acceptor->listener_count; i++) {
        if (acceptor->listeners[i] >= 0) {
            close(acceptor->listeners[i]);
            acceptor->listeners[i] = -1;
        }
    }
    for (enum queue queue = 0; queue < QUEUES; queue++) {
        while (first(acceptor, queue) != NULL) {
            refuse(acceptor, first(acceptor, queue));
        }
    }
}

/* A listener that has connections for which there is no place would wake us again and again. */
static void set_deaf(struct acceptor *acceptor, bool deaf)
{
    if (acceptor->deaf == deaf) {
        return;
    }
    acceptor->deaf = deaf;
    for (size_t i = 0; i < acceptor->listener_count; i++) {
        struct epoll_event event = {.events = deaf ? 0 : EPOLLIN,
                                    .data.ptr = &acceptor->listeners[i]};
        if (acceptor->listeners[i] >= 0) {
            epoll_ctl(acceptor->epoll, EPOLL_CTL_MOD, acceptor->listeners[i], &event);
        }
    }
}

static void serve_listener(struct acceptor *acceptor, int fd)
{
    /* Others have a turn after so many. */
    for (int i = 0; i < 64 && fd >= 0; i++) {
        if (!has_place(acceptor)) {
            set_deaf(acceptor, true);
            return;
        }
        if (!accept_one(acceptor, fd)) {
            set_deaf(acceptor, http_now_ms() < acceptor->paused_until_ms);
            return;
        }
    }
}

static void tell_readable(struct acceptor *acceptor)
{
    struct epoll_event events[64];
    const int count = epoll_wait(acceptor->watched, events, 64, 0);

    for (int i = 0; i < count; i++) {
        acceptor->settings.readable(acceptor->settings.ctx, events[i].data.ptr);
    }
}

/* Those whose time is over. */
static void expire(struct acceptor *acceptor, int64_t now_ms)
{
    for (enum queue queue = 0; queue < QUEUES; queue++) {
        const uint32_t most_ms =
            queue == SILENT ? acceptor->settings.first_byte_ms : acceptor->settings.room_ms;
        struct waiting *waiting;

        while ((waiting = first(acceptor, queue)) != NULL &&
               waiting->since_ms + most_ms <= now_ms) {
            refuse(acceptor, waiting);
        }
    }
}

static void *run(void *ctx)
{
    struct acceptor *acceptor = ctx;
    struct epoll_event events[64];
    int64_t next_tick_ms = 0;

    while (!atomic_load(&acceptor->stopping)) {
        int count = epoll_wait(acceptor->epoll, events, 64, TICK_MS);

        if (atomic_load(&acceptor->closing)) {
            close_listeners(acceptor);
            count = 0;
        }
        /* Listeners last: a connection that is refused for a new one must not be in what follows.
         */
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr == &acceptor->watched) {
                tell_readable(acceptor);
            } else if (events[i].data.ptr != NULL && !is_listener(acceptor, events[i].data.ptr)) {
                look(acceptor, events[i].data.ptr);
            }
        }
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr != NULL && is_listener(acceptor, events[i].data.ptr)) {
                serve_listener(acceptor, *(int *)events[i].data.ptr);
            }
        }
        admit(acceptor, READY_PLAIN);
        admit(acceptor, READY_TLS);
        int64_t now_ms = http_now_ms();
        expire(acceptor, now_ms);
        if (now_ms >= next_tick_ms) {
            next_tick_ms = now_ms + TICK_MS;
            acceptor->settings.tick(acceptor->settings.ctx, now_ms,
                                    acceptor->waiting_count - acceptor->silent_count);
        }
        if (acceptor->deaf && now_ms >= acceptor->paused_until_ms && has_place(acceptor)) {
            set_deaf(acceptor, false);
        }
    }
    return NULL;
}

struct acceptor *acceptor_start(const struct acceptor_settings *settings, char *problem,
                                size_t problem_size)
{
    struct acceptor *acceptor = calloc(1, sizeof *acceptor);
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = NULL};
    struct epoll_event watched = {.events = EPOLLIN};

    if (acceptor == NULL) {
        snprintf(problem, problem_size, "out of memory");
        return NULL;
    }
    watched.data.ptr = &acceptor->watched;
    acceptor->settings = *settings;
    for (enum queue queue = 0; queue < QUEUES; queue++) {
        struct waiting *head = &acceptor->queues[queue];
        head->next = head->previous = head;
    }
    acceptor->epoll = epoll_create1(EPOLL_CLOEXEC);
    acceptor->watched = epoll_create1(EPOLL_CLOEXEC);
    acceptor->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    bool good = acceptor->epoll >= 0 && acceptor->wake >= 0 && acceptor->watched >= 0 &&
                epoll_ctl(acceptor->epoll, EPOLL_CTL_ADD, acceptor->wake, &event) == 0 &&
                epoll_ctl(acceptor->epoll, EPOLL_CTL_ADD, acceptor->watched, &watched) == 0;
    if (!good) {
        snprintf(problem, problem_size, "cannot make an epoll set: %s", strerror(errno));
    }
    for (const char *const *address = settings->listen; good && *address != NULL; address++) {
        good = listen_on(acceptor, *address, problem, problem_size);
    }
    if (good && pthread_create(&acceptor->thread, NULL, run, acceptor) != 0) {
        snprintf(problem, problem_size, "cannot start a thread");
        good = false;
    }
    if (!good) {
        close_listeners(acceptor);
        close(acceptor->epoll);
        close(acceptor->watched);
        close(acceptor->wake);
        free(acceptor);
        return NULL;
    }
    pthread_setname_np(acceptor->thread, "acceptor");
    return acceptor;
}

uint16_t acceptor_port(const struct acceptor *acceptor, size_t index)
{
    return index < acceptor->listener_count ? acceptor->ports[index] : 0;
}

void acceptor_counts(struct acceptor *acceptor, uint64_t *accepted, uint64_t *refused,
                     uint64_t *waiting)
{
    *accepted = atomic_load(&acceptor->accepted);
    *refused = atomic_load(&acceptor->refused);
    *waiting = atomic_load(&acceptor->waiting_now);
}

void acceptor_wake(struct acceptor *acceptor)
{
    uint64_t one = 1;
    ssize_t written = write(acceptor->wake, &one, sizeof one);

    (void)written; /* It cannot fill up within anybody's life. */
}

void acceptor_close(struct acceptor *acceptor)
{
    atomic_store(&acceptor->closing, true);
    acceptor_wake(acceptor);
}

bool acceptor_watch(struct acceptor *acceptor, int fd, void *what, bool again)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLONESHOT, .data.ptr = what};

    return epoll_ctl(acceptor->watched, again ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event) == 0;
}

void acceptor_end(struct acceptor *acceptor)
{
    atomic_store(&acceptor->stopping, true);
    acceptor_wake(acceptor);
    pthread_join(acceptor->thread, NULL);
    close_listeners(acceptor);
}

void acceptor_free(struct acceptor *acceptor)
{
    close(acceptor->epoll);
    close(acceptor->watched);
    close(acceptor->wake);
    free(acceptor);
}
