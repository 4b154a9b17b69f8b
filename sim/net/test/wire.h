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

/**
 * Let a device run with its peers until it says that it is over, or the time is.
 *
 * @param wires        each with wire_begin() behind it
 * @param now_ms       goes on when nobody has anything to do
 * @param poll_device  once; sets how long there is nothing to do for it. @return true: it is over
 * @return false: it never came to rest
 */
static inline bool wire_run(struct wire *wires, uint32_t count, uint32_t *now_ms, uint32_t limit_ms,
                            bool (*poll_device)(uint32_t *wait_ms))
{
    const uint32_t begin_ms = *now_ms;
    uint32_t idle = 0;
    uint32_t waits = 0;

    for (uint32_t polls = 0; polls < 3000000; polls++) {
        bool moved = false;
        uint32_t wait = UINT32_MAX;
        for (uint32_t i = 0; i < count; i++) {
            moved = peer_pump(wires[i].peer, *now_ms) || moved;
        }
        if (poll_device(&wait) || *now_ms - begin_ms >= limit_ms) {
            return true;
        }
        for (uint32_t i = 0; i < count; i++) {
            wire_look(&wires[i]);
        }
        idle = moved || wait == 0 ? 0 : idle + 1;
        waits = idle == 0 ? 0 : waits;
        if (idle < 2 || wire_wait(wires, count, &waits)) {
            continue;
        }
        for (uint32_t i = 0; i < count; i++) {
            const uint32_t next = peer_wait(wires[i].peer, *now_ms);
            wait = wait < next ? wait : next;
        }
        const uint32_t left = limit_ms - (*now_ms - begin_ms);
        *now_ms += wait < left ? wait : left;
    }
    return false;
}

#endif
