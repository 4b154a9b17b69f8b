/*
 * What is on its way between a device and the other end, which the kernel delivers when it likes. The
 * time of a test does not go on while something is.
 */
#ifndef SIM_TEST_WIRE_H
#define SIM_TEST_WIRE_H

#include <poll.h>

#include <updraft/sim_net.h>

#include "peer.h"

struct wire {
    struct sim_net *net;
    struct peer *peer;
    uint32_t connections; /* of the device, when the peer's count began */
    uint32_t last;
    uint64_t sent, received; /* when the last connection began */
};

/** The peer's counters are 0. */
static inline void wire_begin(struct wire *wire)
{
    wire->connections = wire->last = wire->net->connections;
}

/** After each poll of the device. */
static inline void wire_look(struct wire *wire)
{
    const struct sim_net *net = wire->net;

    if (net->connections != wire->last) {
        wire->last = net->connections;
        wire->sent = net->sent;
        wire->received = net->received;
    }
}

static inline bool wire_is_busy(const struct wire *wire)
{
    const struct peer *peer = wire->peer;
    const struct sim_net *net = wire->net;

    if (net->socket < 0) {
        return false;
    }
    if ((net->state == UPD_WIRE_OPENING && !net->shakes) || peer->socket < 0 ||
        net->connections - wire->connections != peer->connections) {
        return true;
    }
    return net->received - wire->received != peer->wire ||
           (!peer->ready && peer->door != DOOR_SILENT && net->sent - wire->sent != peer->got);
}

/** Wait for one of them. @return false: nothing is on its way, or it takes too long */
static inline bool wire_wait(const struct wire *wires, uint32_t count, uint32_t *waits)
{
    struct pollfd ends[6];
    bool busy = false;

    for (uint32_t i = 0; i < count; i++) {
        const struct wire *wire = &wires[i];
        ends[3 * i] = (struct pollfd){.fd = wire->net->socket, .events = sim_net_events(wire->net)};
        ends[3 * i + 1] = (struct pollfd){.fd = wire->peer->socket, .events = POLLIN};
        ends[3 * i + 2] = (struct pollfd){.fd = wire->peer->listener, .events = POLLIN};
        busy = busy || wire_is_busy(wire);
    }
    if (*waits >= 200 || !busy) {
        return false;
    }
    ++*waits;
    (void)poll(ends, 3 * count, 1);
    return true;
}

#endif
