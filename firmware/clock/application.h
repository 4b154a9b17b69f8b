/*
 * The whole clock over updraft's engine: opens the device, tells how this start came about, lets
 * clock and update go on, and does what they ask for. What is below it (flash, network, restart,
 * where text goes) is a port: the chip's in esp8266/, the host's in sim/clock/.
 */
#ifndef CLOCK_APPLICATION_H
#define CLOCK_APPLICATION_H

#include <stdbool.h>
#include <stdint.h>

#include <updraft/scheme.h>

#include "clock.h"
#include "cloud.h"
#include "label.h"
#include "update.h"

/** What the clock stands on. */
struct application_port {
    const struct upd_flash *flash;
    const struct net *net; /* for application_files */
    /* For application_cloud: a connection for images, and one for the link. */
    const struct upd_transport *images, *orders;
    uint32_t (*random)(void *ctx);
    /** Start anew, through the boot loader. May return: then no step follows. */
    void (*restart)(void *ctx);
    /** A line for whoever watches, without its end. */
    void (*log)(void *ctx, const char *line);
    /** Does the code that runs see this label? NULL: nothing shows it. */
    bool (*sees)(void *ctx, const struct label *label);
    void *ctx;
};

struct application;

/** Where updates come from: a constant of functions. A way that nobody names is not linked. */
struct application_way {
    /** The device was opened. @return UPD_OK, or why there will be no updates */
    enum upd_err (*start)(struct application *application);
    /** Ask: for CLOCK_DO_PROBE and CLOCK_DO_CHECK. */
    void (*begin)(struct application *application, enum clock_action what, uint32_t now_ms);
    /** Go on; application->inputs hears the news. @return true when there may be more at once */
    bool (*step)(struct application *application, uint32_t now_ms);
    bool is_told; /* of updates, instead of asking at an interval; and confirms what runs itself */
};

extern const struct application_way application_files; /* a web server of files: update.h */
extern const struct application_way application_cloud; /* Espressif's, or updraftd: cloud.h */

/** Which image this is, and where. */
struct application_config {
    const char *version;
    const char *check_every; /* calendar_parse_interval() reads it */
    const char *id;          /* of the device */
    const struct application_way *way;
    const char *server; /* application_cloud: name or address */
    const char *mac;    /* application_cloud: "18:FE:34:C1:0C:33" */
    uint8_t slot;       /* 1 user1, 2 user2 */
    uint8_t map;        /* flash map, of two slots */
    bool mute;          /* on trial it hears nothing: made to be given up */
};

enum { APPLICATION_LINE = 96 }; /* of a line of the log, with its NUL */

/** The caller's memory; about 6.5 KiB. `clock` is for reading. */
struct application {
    struct application_port port;
    struct application_config config;
    struct upd_device device;
    struct upd_view view;
    enum upd_err device_err; /* why there is no updating; UPD_OK: there is */
    struct clock clock;
    struct clock_inputs inputs;
    union { /* what the way needs */
        struct update update;
        struct cloud cloud;
    } of;
    bool is_broken; /* on trial, and failed its self test: it does not update itself */
    char flavour[8];
    char fallen[CLOCK_VERSION_SIZE];
};

/**
 * Start. First of all that an application does: it counts the start of an image on trial.
 *
 * @param port    copied; what it points to must stay valid
 * @param config  copied; its texts must stay valid
 * @param unix_s  the time of day, kept over a restart; 0: not known
 *
 * @return false: this image was given up, and the restart was asked for
 */
bool application_start(struct application *application, const struct application_port *port,
                       const struct application_config *config, uint32_t unix_s);

/**
 * Go on by a bounded piece of work.
 *
 * @return true when another step may find more to do at once
 */
bool application_step(struct application *application, uint32_t now_ms, bool mode_pressed);

#endif
