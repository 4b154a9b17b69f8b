/*
 * The clock's update: asks a web server for a release, and installs its image through updraft's
 * writer. Any server of static files will do; below a folder of it lie
 *
 *     release.txt                      one line: the version to run, such as "1.0.1"
 *     clock-1.0.1-user1.bin            the image for slot user1 of that version
 *     clock-1.0.1-user2.bin            and for slot user2 (the middle may hold the flash map)
 *
 * A step does a bounded piece of work and never waits, so that the clock goes on meanwhile. What
 * breaks off is resumed, also after a power cut, when the server still has the same version; with a
 * server that ignores ranges, by skipping what is there.
 */
#ifndef CLOCK_UPDATE_H
#define CLOCK_UPDATE_H

#include <stdbool.h>
#include <stdint.h>

#include <updraft/writer.h>

#include "clock.h"
#include "http.h"
#include "net.h"

enum { UPDATE_PATH_SIZE = 112 }; /* of a path on the server, with its NUL */
enum { UPDATE_PIECE = 256 };     /* bytes that one step handles */

struct update_config {
    const char *folder;   /* on the server, with its slashes: "/" */
    const char *version;  /* that runs */
    const char *flavour;  /* between version and slot in file names: "" or "-map6" */
    uint8_t slot;         /* that images are wanted for: 1 or 2 */
    const char *fallen;   /* version that was given up: it is not installed again; "" for none */
    uint32_t patience_ms; /* without a byte from the server, before the try has failed */
};

/** How far an update goes. */
enum update_goal {
    UPDATE_PROBE,   /* hear which version the server has */
    UPDATE_INSTALL, /* and install it, unless it runs or was given up */
    UPDATE_ANYWAY,  /* and install it, unless it runs */
};

/** An update. The caller's memory; about 1.7 KiB. */
struct update {
    struct update_config config;
    struct net net;
    struct upd_device *device;
    uint8_t step;
    uint8_t goal;
    uint32_t heard_ms; /* when the server last gave a sign of life */
    uint32_t size;     /* of the image */
    uint32_t from;     /* offset that was asked for */
    uint32_t skip;     /* bytes that come and are not wanted */
    uint32_t left;     /* bytes of the body to come */
    struct http_head head;
    char version[CLOCK_VERSION_SIZE];
    char trouble[CLOCK_TROUBLE_SIZE];
    uint32_t piece_size;
    uint8_t piece[UPDATE_PIECE];
    struct upd_writer writer;
};

/**
 * @param config  copied; its texts must stay valid
 * @param net     copied
 * @param device  opened and started; must stay valid
 */
void update_init(struct update *update, const struct update_config *config, const struct net *net,
                 struct upd_device *device);

/** Begin; what was going on is dropped. */
void update_begin(struct update *update, enum update_goal goal, uint32_t now_ms);

/**
 * Go on.
 *
 * @param news  in and out: all fields but the button are set. After CURRENT, READY, FAILED or
 *              REFUSED, or OFFERED of a probe, nothing goes on until update_begin(). Its texts are
 *              valid until the next call
 * @return true when there was something to do, and another step may find more at once
 */
bool update_step(struct update *update, uint32_t now_ms, struct clock_inputs *news);

#endif
