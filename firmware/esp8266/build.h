/* What tells one image of the clock from another; build.c is compiled once for each. */
#ifndef CLOCK_BUILD_H
#define CLOCK_BUILD_H

#include <stdint.h>

#include "application.h"
#include "label.h"

/** What an image does wrong on purpose, to show that it is given up. */
enum fault {
    FAULT_NONE,
    FAULT_CRASH, /* at its start, by an illegal instruction */
    FAULT_HANG,  /* at its start, in a loop without end */
    FAULT_MUTE,  /* it never hears its server, and so never confirms itself */
};

struct build {
    const char *version;
    const char *check_every; /* calendar_parse_interval() reads it */
    const struct application_way *way;
    const char *server; /* with application_cloud */
    uint8_t slot;       /* 1 user1, 2 user2 */
    uint8_t fault;
};

extern const struct build build;

/** At the start of the flash window's part of the image. Only 32-bit loads reach it there. */
extern const struct label build_label;

#endif
