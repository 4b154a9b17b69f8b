#include "build.h"

const struct build build = {
    .version = CLOCK_VERSION,
    .check_every = CLOCK_CHECK_EVERY,
#ifdef CLOCK_SERVER
    .way = &application_cloud,
    .server = CLOCK_SERVER,
#else
    .way = &application_files,
#endif
    .slot = CLOCK_SLOT,
    .fault = CLOCK_FAULT,
};

const struct label build_label __attribute__((section(".irom.label"))) = {
    .magic = {'u', 'p', 'd', 'c', 'l', 'o', 'c', 'k'},
    .version = CLOCK_VERSION,
    .slot = CLOCK_SLOT,
};

_Static_assert(sizeof CLOCK_VERSION <= CLOCK_VERSION_SIZE, "a version has at most 15 characters");
