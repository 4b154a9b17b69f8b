/*
 * The other end of a device's connections: a server in the test's own process, over real sockets and
 * real TLS, that does with each connection what it is told. It never waits; time is the test's.
 */
#ifndef SIM_TEST_PEER_H
#define SIM_TEST_PEER_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pki.h"

/** How a connection is received. */
enum door {
    DOOR_OPEN,
    DOOR_SHUT,    /* nobody listens */
    DOOR_SILENT,  /* accepted, and then nothing */
    DOOR_CLOSES,  /* accepted, and ended in good order */
    DOOR_RESETS,  /* accepted, and broken */
    DOOR_BABBLES, /* says answer.bytes at once, without TLS, and hangs */
    DOOR_OTHER,   /* TLS where plain HTTP is expected, and the other way round */
    DOOR_OLD,     /* TLS 1.0 and 1.1 only */
};

/** How it ends when the answer was said. */
enum end {
    END_HANG,
    END_CLOSE, /* in good order: TLS's mark, and TCP's */
    END_BREAK, /* plain: TCP is reset; TLS: TCP ends, and TLS has not said so */
    END_RESET, /* TCP is reset */
};

enum { ANSWER_MAX = 300000, ASK_MAX = 2048 };

/** What is said to one request. */
struct answer {
    uint32_t size;
    uint32_t head;     /* bytes of the answer's head, for whoever looks for places in it */
    uint32_t burst;    /* bytes that are said every ... */
    uint32_t every_ms; /* ... milliseconds; 0: all at once */
    uint32_t loop;     /* endless: what is said again from here; 0: it ends */
    uint32_t quick;    /* bytes at the beginning that are said at once, whatever the burst */
    uint32_t damage; /* number of the byte on the wire, TLS's included, that is damaged; 0: none */
    uint32_t cut;    /* number of bytes on the wire after which TCP ends; 0: no such */
    enum end end;
    uint8_t bytes[ANSWER_MAX];
};

/** What was asked. */
struct ask {
    char text[ASK_MAX];
    uint32_t size;
    bool is_part;
    uint32_t first; /* of the part */
};

struct peer;

struct peer {
    const struct pki *pki;
    bool tls; /* what devices expect */
    bool
        lines; /* requests are lines, of which a connection has any number; else heads of HTTP, one */
    /** The next connection: fill in door and kind, and the answer's damage and cut; others are 0. */
    void (*greet)(void *ctx, struct peer *peer);
    /** A request has come: fill in the answer. */
    void (*reply)(void *ctx, struct peer *peer);
    void *ctx;
    enum door door;
    enum pki_kind kind;
    struct answer answer;
    struct ask ask;
    uint16_t port;
    /* Counted. */
    uint32_t connections;
    uint32_t requests;
    uint64_t said; /* bytes of answers */

    int listener;
    int socket; /* -1: no connection */
    gnutls_session_t session;
    bool shakes, ready, asked, over;
    uint32_t at;
    uint32_t wire; /* bytes that were sent on this connection, TLS's own included */
    uint32_t got;  /* and received */
    uint32_t next_ms;
    bool moved; /* bytes came or went */
};

static inline ssize_t peer_pull(gnutls_transport_ptr_t ctx, void *data, size_t size)
{
    struct peer *peer = ctx;
    const ssize_t got = recv(peer->socket, data, size, MSG_DONTWAIT);

    peer->moved = peer->moved || got > 0;
    peer->got += got > 0 ? (uint32_t)got : 0;
    if (got < 0 && peer->session != NULL) {
        gnutls_transport_set_errno(peer->session, errno);
    }
    return got;
}

static inline ssize_t peer_push(gnutls_transport_ptr_t ctx, const void *data, size_t size)
{
    static uint8_t copy[70000];
    struct peer *peer = ctx;
    const struct answer *answer = &peer->answer;

    size = size < sizeof copy ? size : sizeof copy;
    if (answer->cut != 0 && size > answer->cut - peer->wire) {
        size = answer->cut - peer->wire;
    }
    if (size == 0) {
        if (peer->session != NULL) {
            gnutls_transport_set_errno(peer->session, EPIPE);
        }
        peer->over = true;
        return -1;
    }
    memcpy(copy, data, size);
    if (answer->damage > peer->wire && answer->damage - peer->wire <= size) {
        copy[answer->damage - peer->wire - 1] ^= 0x10;
    }
    const ssize_t sent = send(peer->socket, copy, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) {
        peer->moved = true;
        peer->wire += (uint32_t)sent;
    } else if (sent < 0 && peer->session != NULL) {
        gnutls_transport_set_errno(peer->session, errno);
    }
    return sent;
}

static inline void peer_listen(struct peer *peer)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    const int yes = 1;

    address.sin_port = htons(peer->port);
    peer->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(peer->listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(peer->listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(peer->listener, 8) != 0 ||
        getsockname(peer->listener, (struct sockaddr *)&address, &size) != 0) {
        check_print("no port to listen on\n");
        exit(2);
    }
    peer->port = ntohs(address.sin_port);
}

static inline void peer_hang_up(struct peer *peer, bool reset)
{
    const struct linger now = {.l_onoff = 1};

    if (peer->session != NULL) {
        gnutls_deinit(peer->session);
        peer->session = NULL;
    }
    if (peer->socket >= 0) {
        if (reset) {
            setsockopt(peer->socket, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        }
        close(peer->socket);
        peer->socket = -1;
        peer->moved = true;
    }
}

static inline void peer_begin_tls(struct peer *peer)
{
    pki_must(gnutls_init(&peer->session, GNUTLS_SERVER | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL));
    pki_must(gnutls_priority_set(peer->session,
                                 peer->door == DOOR_OLD ? peer->pki->old : peer->pki->usual));
    pki_must(gnutls_credentials_set(peer->session, GNUTLS_CRD_CERTIFICATE,
                                    peer->pki->kinds[peer->kind]));
    gnutls_transport_set_ptr(peer->session, peer);
    gnutls_transport_set_pull_function(peer->session, peer_pull);
    gnutls_transport_set_push_function(peer->session, peer_push);
    gnutls_handshake_set_timeout(peer->session, 0);
    peer->shakes = true;
}

static inline void peer_accept(struct peer *peer)
{
    const int socket = accept4(peer->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (socket < 0) {
        return;
    }
    peer_hang_up(peer, false); /* a device has one connection at a time: the old one is gone */
    peer->socket = socket;
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)); /* time is the test's */
    peer->moved = true;
    peer->connections++;
    peer->shakes = peer->ready = peer->asked = peer->over = false;
    peer->at = peer->wire = peer->got = peer->ask.size = 0;
    peer->answer.size = peer->answer.head = peer->answer.burst = peer->answer.every_ms = 0;
    peer->answer.loop = peer->answer.quick = peer->answer.damage = peer->answer.cut = 0;
    peer->answer.end = END_HANG;
    peer->door = DOOR_OPEN;
    peer->kind = PKI_GOOD;
    peer->greet(peer->ctx, peer);
    if (peer->door == DOOR_CLOSES || peer->door == DOOR_RESETS) {
        peer_hang_up(peer, peer->door == DOOR_RESETS);
    } else if (peer->door == DOOR_BABBLES) {
        peer->ready = true;
    } else if (peer->door != DOOR_SILENT && (peer->tls != (peer->door == DOOR_OTHER))) {
        peer_begin_tls(peer);
    }
}

/* A request of HTTP ends with an empty line; there is no body in any. */
static inline void peer_hear(struct peer *peer, uint32_t now_ms)
{
    struct ask *ask = &peer->ask;
    char *to = ask->text + ask->size;
    const size_t room = sizeof ask->text - 1 - ask->size;
    const ssize_t got = peer->session != NULL ? gnutls_record_recv(peer->session, to, room)
                                              : peer_pull(peer, to, room);

    if (got <= 0) {
        const bool later = peer->session != NULL
                               ? got < 0 && gnutls_error_is_fatal((int)got) == 0
                               : got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
        if (!later) {
            peer_hang_up(peer, false);
        }
        return;
    }
    ask->size += (uint32_t)got;
    ask->text[ask->size] = '\0';
    if (peer->door == DOOR_OTHER && peer->session == NULL) {
        /* What a server of plain HTTP says to a TLS greeting. */
        peer->answer.size =
            (uint32_t)snprintf((char *)peer->answer.bytes, 64, "HTTP/1.1 400 Bad Request\r\n\r\n");
        peer->ready = true;
    } else if (strstr(ask->text, peer->lines ? "\n" : "\r\n\r\n") != NULL) {
        const char *range = strstr(ask->text, "Range: bytes=");
        ask->is_part = range != NULL;
        ask->first = range != NULL ? (uint32_t)strtoul(range + 13, NULL, 10) : 0;
        peer->requests++;
        peer->asked = peer->ready = true;
        peer->next_ms = now_ms;
        peer->reply(peer->ctx, peer);
    }
}

static inline void peer_say(struct peer *peer, uint32_t now_ms)
{
    struct answer *answer = &peer->answer;
    uint32_t size = answer->size - peer->at;

    if (peer->at < answer->quick) {
        size = answer->quick - peer->at;
        peer->next_ms = now_ms + answer->every_ms;
    } else if (answer->every_ms != 0) {
        if ((int32_t)(now_ms - peer->next_ms) < 0) {
            return;
        }
        size = size < answer->burst ? size : answer->burst;
    }
    if (size > 0) {
        const ssize_t sent = peer->session != NULL
                                 ? gnutls_record_send(peer->session, answer->bytes + peer->at, size)
                                 : peer_push(peer, answer->bytes + peer->at, size);
        if (sent <= 0) {
            if (peer->over || (peer->session != NULL && gnutls_error_is_fatal((int)sent)) ||
                (peer->session == NULL && errno != EAGAIN)) {
                peer_hang_up(peer, false);
            }
            return;
        }
        peer->at += (uint32_t)sent;
        peer->said += (uint64_t)sent;
        peer->next_ms = now_ms + answer->every_ms;
    }
    if (peer->at < answer->size) {
        return;
    }
    if (answer->loop != 0) {
        peer->at = answer->loop;
        return;
    }
    if (peer->lines && answer->end == END_HANG) {
        peer->ready = false;
        peer->ask.size = peer->at = answer->size = 0;
        return;
    }
    if (answer->end == END_CLOSE && peer->session != NULL) {
        (void)gnutls_bye(peer->session, GNUTLS_SHUT_WR);
    }
    if (answer->end != END_HANG) {
        peer_hang_up(peer, answer->end == END_RESET ||
                               (answer->end == END_BREAK && peer->session == NULL));
    }
}

/** Go on. @return true when something was done */
static inline bool peer_pump(struct peer *peer, uint32_t now_ms)
{
    peer->moved = false;
    peer_accept(peer);
    if (peer->socket >= 0 && peer->shakes) {
        const int error = gnutls_handshake(peer->session);
        peer->shakes = error != 0;
        if (error != 0 && (gnutls_error_is_fatal(error) || peer->over)) {
            gnutls_alert_send_appropriate(peer->session, error);
            peer_hang_up(peer, false);
        }
    }
    if (peer->socket >= 0 && !peer->shakes && !peer->ready && peer->door != DOOR_SILENT) {
        peer_hear(peer, now_ms);
    }
    if (peer->socket >= 0 && peer->ready && !peer->over) {
        peer_say(peer, now_ms);
    }
    return peer->moved;
}

/** Milliseconds until it says something by itself; UINT32_MAX: it does not. */
static inline uint32_t peer_wait(const struct peer *peer, uint32_t now_ms)
{
    if (peer->socket < 0 || !peer->ready || peer->answer.every_ms == 0 ||
        peer->at >= peer->answer.size) {
        return UINT32_MAX;
    }
    return (int32_t)(peer->next_ms - now_ms) > 0 ? peer->next_ms - now_ms : 0;
}

static inline void peer_open(struct peer *peer, const struct pki *pki)
{
    memset(peer, 0, sizeof *peer);
    peer->pki = pki;
    peer->socket = -1;
    peer_listen(peer);
}

static inline void peer_close(struct peer *peer)
{
    peer_hang_up(peer, true);
    if (peer->listener >= 0) {
        close(peer->listener);
    }
}

#endif
