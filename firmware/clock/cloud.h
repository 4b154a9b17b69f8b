/*
 * The clock as a device of Espressif's cloud, or of updraftd, which speaks the same: it activates
 * itself with the key from its flash, says over its link who it is and what it runs, and is told
 * when to update and when to restart. updraft's agent and link do all of it; here their events
 * become what the clock shows.
 *
 * The link stays while an image is downloaded, as with stock firmware: two connections at a time.
 */
#ifndef CLOCK_CLOUD_H
#define CLOCK_CLOUD_H

#include <stdbool.h>
#include <stdint.h>

#include <updraft/agent.h>
#include <updraft/link.h>

#include "clock.h"
#include "settings.h"

enum { CLOUD_PENDING = 4, CLOUD_URL_SIZE = 64, CLOUD_LINK_PORT = 8000, CLOUD_FETCH_BUFFER = 1024 };

struct cloud_config {
    const char *server;                 /* name or address: of the link, and of images by HTTP */
    const char *version;                /* that runs */
    const char *mac;                    /* "18:FE:34:C1:0C:33" */
    const struct upd_transport *images; /* the connection for downloads */
    const struct upd_transport *orders; /* the connection of the link */
    const struct upd_flash_map *map;
    uint32_t trial_s; /* how long an image on trial has to reach its server */
    bool mute;        /* on trial it hears nothing: made to be given up */
    uint32_t (*random)(void *ctx);
    /** A line for whoever watches. */
    void (*log)(void *ctx, const char *line);
    void *ctx;
};

/** The caller's memory; about 5.5 KiB. */
struct cloud {
    struct cloud_config config;
    struct upd_device *device;
    struct settings settings;
    struct upd_identity identity;
    struct upd_link link;
    struct upd_agent agent;
    bool runs;                        /* the agent was started */
    bool was_activated;               /* when link.activated was looked at last */
    bool asked;                       /* the clock wants to hear whether its server is there */
    uint32_t failures;                /* of the link, that the clock knows of */
    char datetime[UPD_LINK_DATETIME]; /* the last one that was handed on */
    uint8_t pending_count;
    uint8_t pending[CLOUD_PENDING]; /* events that the clock has not taken yet */
    char trouble[CLOCK_TROUBLE_SIZE];
    char url[CLOUD_URL_SIZE];
    uint8_t fetch_buffer[CLOUD_FETCH_BUFFER];
    uint8_t link_buffer[UPD_LINK_BUFFER];
};

/**
 * @param config  copied; what it points to must stay valid
 * @param device  opened and started; must stay valid
 *
 * @return UPD_OK
 * @return UPD_E_NOT_FOUND  the flash has no key: there will be no updates
 * @return UPD_E_IO         from the flash
 */
UPD_MUST_CHECK enum upd_err cloud_init(struct cloud *cloud, const struct cloud_config *config,
                                       struct upd_device *device);

/**
 * The clock wants to hear whether its server is there: LINKED, for an image on trial once it has
 * confirmed itself and told so; or FAILED.
 *
 * @param again  say who this is once more, so that the server thinks it over
 */
void cloud_begin(struct cloud *cloud, bool again);

/**
 * Go on.
 *
 * @param news  in and out: all fields but the button are set; texts are valid until the next call
 * @return true when there was something to do, and another step may find more at once
 */
bool cloud_step(struct cloud *cloud, uint32_t now_ms, struct clock_inputs *news);

#endif
