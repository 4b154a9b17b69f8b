/*
 * updraft: the host's transport port: <updraft/transport.h> over TCP, and over TLS by GnuTLS.
 *
 *     const char *why = NULL;
 *     struct sim_net_trust *trust = sim_net_trust_new("ca.pem", &why);
 *     struct sim_net net;
 *     sim_net_open(&net, trust);
 *     ... hand &net.transport to the library; poll() on sim_net_fd() while it waits ...
 *     sim_net_close(&net);
 *     sim_net_trust_free(trust);
 *
 * Made for thousands in one process: no threads, nothing global, and no memory but the struct and,
 * while a TLS connection is there, its session. The network can be made a bad one, by a seed.
 *
 * One thing waits: a name that is neither a numeric address nor "localhost" is looked up within
 * connect(), by getaddrinfo().
 */
#ifndef UPDRAFT_SIM_NET_H
#define UPDRAFT_SIM_NET_H

#include <stdbool.h>
#include <stdint.h>

#include <updraft/transport.h>

/** Whom devices trust. Shared by any number of them; never changes. */
struct sim_net_trust;

/**
 * @param ca_file  certificates of authorities, PEM; not NULL
 * @param why      out: after a failure, a text that lives as long as the program
 *
 * @return NULL when the file cannot be read, or holds no certificate
 */
struct sim_net_trust *sim_net_trust_new(const char *ca_file, const char **why);
/** As above, from memory. */
struct sim_net_trust *sim_net_trust_new_from(const void *pem, uint32_t size, const char **why);
/** After all that were opened with it are closed. NULL is ignored. */
void sim_net_trust_free(struct sim_net_trust *trust);

/** What is bad about a network. All zero: nothing. */
struct sim_net_weather {
    uint32_t seed;
    uint32_t cut_permille; /* of 1000 connections, so many break ... */
    uint32_t cut_most;     /* ... after 0 to so many bytes came; TLS's own bytes count */
    uint32_t dribble;      /* bytes that come at once, at most; 0: no such limit */
};

struct sim_net_session; /* TLS */
struct addrinfo;

/** One device's network. The caller's memory; it must stay where it is while it is open. */
struct sim_net {
    struct upd_transport transport; /* for the library */
    /* Counted from the opening on, for reading. */
    uint32_t connections; /* begun */
    uint64_t sent;        /* bytes of TCP, TLS's own included */
    uint64_t received;

    const struct sim_net_trust *trust;
    struct sim_net_session *session; /* NULL: no TLS */
    struct addrinfo *addresses;      /* while connecting to a name: all of its addresses, */
    struct addrinfo *address;        /* and the one that is being tried */
    struct sim_net_weather weather;
    uint32_t random;
    uint32_t left; /* bytes until the weather cuts; UINT32_MAX: it does not */
    int socket;    /* -1: none */
    enum upd_wire state;
    enum upd_trouble why;
    bool shakes; /* TCP is there, TLS is on its way */
    bool full;   /* the last send() could not take all */
    bool owes;   /* TLS keeps a record that TCP has not taken */
    bool lost;   /* TCP itself broke */
    bool babble; /* what answered a TLS greeting is no TLS */
    bool greets; /* the first byte from a TLS peer is still to come */
};

/**
 * Open: everything closed, the weather fine.
 *
 * @param trust  must stay valid until the end; NULL: a device without TLS
 */
void sim_net_open(struct sim_net *net, const struct sim_net_trust *trust);
/** Let the weather be so from the next connection on. */
void sim_net_set_weather(struct sim_net *net, const struct sim_net_weather *weather);
/** The socket to poll() on while the library waits, or -1: there is none. */
int sim_net_fd(const struct sim_net *net);
/** What to poll() for: POLLIN, POLLOUT. */
short sim_net_events(const struct sim_net *net);
/** Release everything. */
void sim_net_close(struct sim_net *net);

#endif
