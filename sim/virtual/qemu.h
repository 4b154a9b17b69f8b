/*
 * A device that is emulated instead of modelled: qemu-system-xtensa with updraft's stand-in for the mask ROM
 * (docs/emulator.md), over the flash image, with updraft-radio between the chip and a server.
 */
#ifndef UPDRAFT_SIM_QEMU_H
#define UPDRAFT_SIM_QEMU_H

#include <stdbool.h>
#include <stdint.h>

struct qemu_options {
    const char *rom;   /* rom.elf */
    const char *flash; /* image */
    const char *peer;  /* HOST:PORT that the chip's connection 0 leads to */
    const char *link;  /* and its connection 1; NULL: nowhere */
    const char *until; /* a text on its console ends it; NULL: nothing does */
    uint32_t seconds;  /* 0: no limit */
};

/**
 * Run it, and show its console, until it ends, `until` was shown, time is over or *stopped.
 *
 * @return exit status: 0 shown or ended by itself, 1 time is over or a program is missing, 130 stopped
 */
int qemu_run(const struct qemu_options *options, volatile const int *stopped);

#endif
