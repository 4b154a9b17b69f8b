/* The network of the emulated chip: registers that a real one does not have (docs/emulator.md). */
#ifndef CLOCK_RADIO_H
#define CLOCK_RADIO_H

#include <updraft/transport.h>

#include "net.h"

/** The radio's connections. Where each leads is said where the radio is started. */
enum {
    RADIO_IMAGES, /* the update server, by HTTP */
    RADIO_ORDERS, /* its link */
};

/** Connection RADIO_IMAGES, as a clock with a server of files has it. */
extern const struct net radio_net;

/** A connection as updraft's library has it. */
struct radio_wire {
    struct upd_transport transport; /* hand this to the library */
    uint32_t number;
    bool was_open;
};

/** @param wire  out; must stay where it is */
void radio_wire_init(struct radio_wire *wire, uint32_t number);

#endif
