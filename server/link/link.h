/*
 * updraftd: the device link, a long-lived connection on which a device is told to update.
 *
 * One thread waits for all sockets; it reads, cuts lines, answers pings and writes. Everything that
 * may wait for a disk runs on workers: one message of a link at a time, and no further byte is read
 * from a link before its message is answered. So a link that talks too much is slowed down by TCP,
 * and memory is bounded by the number of links.
 *
 * An idle link costs one small struct, no buffer; on TLS the session of the library besides.
 */
#ifndef UPDRAFT_SERVER_LINK_LINK_H
#define UPDRAFT_SERVER_LINK_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "link/message.h"

enum {
    LINK_KEY_SIZE = 44,
    LINK_ID_SIZE = 20,
    LINK_ADDRESS_SIZE = 48,
    LINK_WHY_SIZE = 256,
    LINK_LISTENERS = 16,
};

/** Who is at the other end. `device` 0: has not identified itself. */
struct link_peer {
    int64_t device; /* number in the store */
    char id[LINK_ID_SIZE];
    char key[LINK_KEY_SIZE];
    char address[LINK_ADDRESS_SIZE];
    bool tls;
};

/** What the link does not know by itself. */
struct link_protocol {
    /**
     * Answer a message; on a worker, may wait. May set peer->device, id and key: from then on the
     * link is that device's, and an older link of it is closed.
     *
     * @return the answer, an object that the link takes over; NULL: none. The nonce is added.
     */
    json_t *(*message)(void *ctx, struct link_peer *peer, const struct link_message *message);
    /** A device's link is there (open) or gone; on a worker, may wait. In order for one device. */
    void (*presence)(void *ctx, const struct link_peer *peer, bool open);
    /** A ping came from this device; on the link's own thread: must not wait. */
    void (*heard)(void *ctx, int64_t device);
    void *ctx;
};

/** All zero: nothing listens. Times of 0 are the defaults in brackets. */
struct link_options {
    const char *const *plain; /* "ADDRESS:PORT", port 0 picks one; NULL ends; NULL: no plain link */
    const char *const *tls;   /* likewise for TLS; of both LINK_LISTENERS at most */
    const char *certificate;  /* PEM files; needed for tls */
    const char *private_key;
    bool old_tls;         /* also TLS 1.0 and 1.1 and RSA key exchange, for SDKs of 2014 to 2018 */
    uint32_t workers;     /* [32]: they wait for commits, which they share */
    uint32_t links_max;   /* [200,000] more are closed at once */
    uint32_t idle_ms;     /* [165,000] closed when nothing was heard: three beacons of 50 s */
    uint32_t identify_ms; /* [60,000] closed when it has not identified itself by then */
    uint32_t stuck_ms;    /* [30,000] closed when it has not taken a message for so long */
    uint32_t answer_ms;   /* [10,000] what a device has to answer an rpc */
};

struct link_service;

/**
 * Listen and start. `protocol` is copied; its ctx must outlive the service.
 * @return NULL  `why`, LINK_WHY_SIZE bytes, says what to do
 */
struct link_service *link_open(const struct link_options *options,
                               const struct link_protocol *protocol, char *why);
/** Close all links, fail what waits, wait for the workers, free. NULL: nothing. */
void link_close(struct link_service *service);
/** The port in use at the address of an index; 0: there is none. */
uint16_t link_port(const struct link_service *service, bool tls, size_t index);
/** Read certificate and key again, for links to come. @return false  `why`; nothing has changed */
bool link_reload(struct link_service *service, char *why);

/* X(NAME, "sentence"): what became of an rpc. */
#define LINK_OUTCOMES(X)                                                                           \
    X(ANSWERED, "answered")                                                                        \
    X(SENT, "sent; no answer is expected")                                                         \
    X(ABSENT, "remote peer is disconnected")                                                       \
    X(SILENT, "remote peer did not answer in time")                                                \
    X(LOST, "remote peer disconnected before it answered")                                         \
    X(TOO_LONG, "the message does not fit a segment")                                              \
    X(CROWDED, "too many messages wait for this peer")                                             \
    X(STOPPED, "the server stops")

enum link_outcome {
#define X(name, text) LINK_RPC_##name,
    LINK_OUTCOMES(X)
#undef X
};
const char *link_outcome_text(enum link_outcome outcome);

/**
 * What became of it, exactly once; on a worker, may wait. `answer` is the device's message with
 * ANSWERED, else NULL; it is borrowed.
 */
typedef void link_done(void *ctx, enum link_outcome outcome, int64_t nonce, const json_t *answer);

/**
 * Send an rpc to a device; from any thread, returns at once.
 *
 * @param message  without nonce; borrowed
 * @param answers  false: the device does not answer this one (sys_reboot)
 * @param done     NULL: nobody wants to know
 */
void link_rpc(struct link_service *service, int64_t device, const json_t *message, bool answers,
              link_done *done, void *ctx);

/** The server stops: whoever waits for a device's answer is told so now, and who asks later too. */
void link_end_rpcs(struct link_service *service);

/** Run a function on a worker; those of one device run in order. `done` frees ctx itself; it runs
 *  also while the service stops. From any thread. */
void link_work(struct link_service *service, int64_t device, void (*work)(void *ctx), void *ctx);

/** Whether the device is linked now; from any thread. The fleet's record follows a moment later. */
bool link_has(struct link_service *service, int64_t device);

/** The devices that are linked now, each a call under a lock: the function only takes notes. */
void link_each(struct link_service *service, void (*each)(void *ctx, int64_t device), void *ctx);

/** As of the last quarter of a second. */
struct link_stats {
    uint64_t links;
    uint64_t devices;
    uint64_t waiting_rpcs;
    uint64_t messages;  /* taken since the start */
    uint64_t refused;   /* closed: malformed, too long, too many */
    uint64_t link_size; /* bytes of the struct of a link */
};
void link_stats(struct link_service *service, struct link_stats *stats);

#endif
