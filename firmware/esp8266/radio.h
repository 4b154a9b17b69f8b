/* The network of the emulated chip: registers that a real one does not have (docs/emulator.md). */
#ifndef CLOCK_RADIO_H
#define CLOCK_RADIO_H

#include "net.h"

/** Connection 0 of the radio: the update server. */
extern const struct net radio_net;

#endif
