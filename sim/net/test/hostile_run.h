/*
 * What every device of the hostile cases has: its patience, a server to ask, and how often it may.
 */
#ifndef SIM_TEST_HOSTILE_RUN_H
#define SIM_TEST_HOSTILE_RUN_H

#include "hostile_server.h"
#include "wire.h"

enum { HOUR_MS = 3600000, TRIES = 3 };

static const struct upd_patience patience = {
    .connect_ms = 15000,
    .answer_ms = 20000,
    .idle_ms = 15000,
    .rate_ms = 10000,
    .rate_bytes = 256,
    .pause_ms = 2000,
    .pause_most_ms = 60000,
    .tries = TRIES,
    .redirects = 3,
};

/** What there is to start after a row. */
enum ran { INSTALLED_NOTHING, INSTALLED_RIGHT, INSTALLED_WRONG };

/** @return whom devices trust: this server */
static inline struct sim_net_trust *begin_server(void)
{
    const char *why = "";

    pki_open(&server.pki);
    peer_open(&server.peer, &server.pki);
    server.peer.greet = greet;
    server.peer.reply = reply;
    struct sim_net_trust *trust =
        sim_net_trust_new_from(server.pki.ca_pem.data, server.pki.ca_pem.size, &why);
    CHECK_THAT(why, trust != NULL);
    return trust;
}

static inline void end_server(struct sim_net_trust *trust)
{
    sim_net_trust_free(trust);
    peer_close(&server.peer);
    pki_close(&server.pki);
}

/** For a row in which nobody listens. */
static inline void shut_door(const struct hostile *row)
{
    if (row->door == DOOR_SHUT) {
        close(server.peer.listener);
        server.peer.listener = -1;
    }
}

static inline void open_door(void)
{
    if (server.peer.listener < 0) {
        peer_listen(&server.peer);
    }
}

/*
 * How often a server is connected to within the two hours. After what may pass, checks are a minute
 * apart, then two, four ...: 8 of them, of TRIES tries, one more for a part, and one that progress forgives. After what does not
 * pass there is none before the next interval, but for a report of what was bad and its answer.
 */
static inline uint32_t connections_allowed(enum upd_trouble trouble)
{
    return upd_trouble_remedy(trouble) == UPD_REMEDY_AGAIN ? 8 * (TRIES + 2)
           : trouble == UPD_TROUBLE_TOO_MANY_REDIRECTS     ? 2 * (patience.redirects + 1u)
                                                           : 5;
}

#endif
