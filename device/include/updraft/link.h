/*
 * updraft: the device link, Espressif's channel of JSON lines, from the device's side: a connection
 * that stays, over which the server orders updates and restarts (docs/formats/espressif-link.md).
 *
 *     struct upd_link link;
 *     upd_link_init(&link, &link_config, now_ms);
 *     agent_config.protocol = &upd_protocol_espressif;
 *     agent_config.orders = &upd_link_orders;
 *     agent_config.orders_ctx = &link;
 *
 * When it connects it says who the device is: activates it, where a token is given and it was not
 * activated, else identifies it, with the version that runs and what has to be reported. After 50 s
 * without a byte it pings; a server that does not answer is left, and found again after a pause that
 * grows and is random. Lines that are malformed or too long end the connection: who sends such is no
 * server.
 *
 * Cost: the struct, 200 bytes on lx106, and the buffer; stack below 500 bytes.
 */
#ifndef UPDRAFT_LINK_H
#define UPDRAFT_LINK_H

#include <updraft/orders.h>
#include <updraft/transport.h>

/** Least size of the buffer in bytes: 1460 for a line of the server, 640 for one of the device. */
#define UPD_LINK_BUFFER 2100u

struct upd_link_config {
    const struct upd_transport *transport; /* of its own: the agent's is another one */
    const char *host;
    uint16_t port;
    bool tls;
    const char *token; /* to activate with; NULL: the device is activated */
    uint8_t *buffer;
    uint32_t buffer_size;   /* at least UPD_LINK_BUFFER */
    uint32_t silence_ms;    /* before a ping; 0: 50000 */
    uint32_t answer_ms;     /* for an answer; 0: 20000 */
    uint32_t pause_ms;      /* before the second try, doubling; 0: 1000 */
    uint32_t pause_most_ms; /* 0: 60000 */
    uint32_t (*random)(void *ctx);
    void *ctx;
};

/** Of a server's time of day, "2017-05-31 15:03:07", in the server's zone; updraftd's is UTC. */
#define UPD_LINK_DATETIME 20u

/** The caller's memory. `trouble`, `failures`, `activated` and `datetime` are for reading. */
struct upd_link {
    enum upd_trouble trouble; /* why the last connection ended */
    uint32_t failures;        /* in a row */
    bool activated;           /* by this link: the token is not needed any more */

    struct upd_link_config config;
    uint8_t state;
    uint8_t said;  /* the report that was told with the last identify */
    bool is_said;  /* an identify is on its way */
    bool is_known; /* and was answered */
    bool is_told;  /* and said all that there is to report */
    bool wants_ping;
    bool pinged; /* and it was not answered yet */
    bool wants_ack;
    bool has_restart;
    bool has_update;
    uint8_t tale;       /* 1 + enum upd_tale; 0: nothing to tell */
    uint32_t nonce;     /* of what has to be acknowledged */
    uint32_t own_nonce; /* of the identify */
    uint32_t in;        /* bytes of the line that comes */
    uint32_t out;       /* bytes of the line that goes, */
    uint32_t sent;      /* and of them that went */
    uint32_t since_ms;
    uint32_t heard_ms;
    uint32_t pause_ms;
    char version[UPD_VERSION_SIZE];
    char datetime[UPD_LINK_DATETIME]; /* heard with the last answer to identify; "": not */
};

/** @param config  copied; not NULL; what it points to stays valid */
void upd_link_init(struct upd_link *link, const struct upd_link_config *config, uint32_t now_ms);

/** Its ctx is a struct upd_link. */
extern const struct upd_orders upd_link_orders;

#endif
