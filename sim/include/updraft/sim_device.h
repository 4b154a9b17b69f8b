/*
 * updraft: a whole device without hardware: the device library and its agent over a simulated flash,
 * started by the boot loader's own code, talking by a transport of the caller's.
 *
 *     struct sim_device device;
 *     sim_device_make(&device, &config);          or a flash image in a file
 *     for (;;) {
 *         wait = sim_device_poll(&device, now_ms);
 *         if (device.state == SIM_DEVICE_DEAD) ...  a brick: it must never come to this
 *     }
 *
 * What runs is read from flash: the version and the plan of the image that the boot loader started
 * (sim_image.h; other images by their application descriptor or OTAdrive's marker). A version that
 * crashes, hangs or is mute does so.
 */
#ifndef UPDRAFT_SIM_DEVICE_H
#define UPDRAFT_SIM_DEVICE_H

#include <updraft/agent.h>
#include <updraft/link.h>
#include <updraft/sim_boot.h>
#include <updraft/sim_image.h>
#include <updraft/sim_random.h>

/* X(NAME, "name", "text"): kinds of devices. */
#define SIM_KINDS(X)                                                                               \
    X(NONOS, "nonos", "ESP8266, NONOS SDK, 4 MB in map 6 (1024+1024)")                             \
    X(RTOS, "rtos", "ESP8266, RTOS SDK, two_ota on 2 MB")                                          \
    X(IDF, "idf", "ESP32, ESP-IDF with rollback, two_ota on 4 MB")                                 \
    X(ARDUINO, "arduino", "ESP8266, Arduino, 4 MB with 2 MB of files")

enum sim_kind {
#define X(NAME, name, text) SIM_KIND_##NAME,
    SIM_KINDS(X)
#undef X
        SIM_KIND_COUNT
};
const char *sim_kind_name(enum sim_kind kind);
bool sim_kind_find(const char *name, enum sim_kind *kind);

/** Places for which an image is made: two for NONOS and RTOS, whose images know where they lie. */
uint32_t sim_kind_places(enum sim_kind kind);

/**
 * Make an image for a place of such a device.
 *
 * @param place  below sim_kind_places()
 * @param size   bytes, of the whole file
 */
struct sim_image sim_kind_image(enum sim_kind kind, uint32_t place, const char *version,
                                enum sim_plan plan, uint32_t size, uint64_t seed);

enum sim_device_state {
    SIM_DEVICE_OFF,   /* power was cut: sim_device_power_on() */
    SIM_DEVICE_RUNS,  /* an image runs, and polls its agent */
    SIM_DEVICE_HANGS, /* an image runs, and does nothing until the watchdog bites */
    SIM_DEVICE_DEAD,  /* nothing starts: see boot.why */
};

struct sim_device;

struct sim_device_config {
    enum sim_kind kind;
    const char *file;              /* flash image, made when there is none; NULL: in memory */
    const struct sim_flash *base;  /* in memory: a flash to be forked; NULL: blank, then image */
    const struct sim_image *image; /* for place 0, to begin with; NULL: the flash holds one */
    /* As in struct upd_agent_config; version and those below are set by the device. */
    const struct upd_protocol *protocol;
    const char *url;
    struct upd_identity identity;
    const struct upd_patience *patience;
    const struct upd_transport *transport;
    const struct upd_inflate *inflate; /* NULL: compressed images are refused */
    void *inflate_ctx;
    uint32_t every_s, trial_s;
    uint8_t consent;
    bool quiet_start;                /* it checks at a start only when a check is due */
    uint32_t (*clock)(void *device); /* seconds since 1970; NULL: it does not know */
    /* The link, when the protocol wants one. */
    const struct upd_transport *link_transport;
    const char *link_host;
    uint16_t link_port;
    bool link_tls;
    const char *token;
    uint64_t seed;
    /* Hear what the agent does, and starts and resets. */
    void (*event)(struct sim_device *device, enum upd_agent_event event);
    void (*started)(struct sim_device *device);
    void *ctx;
};

/** The caller's memory; not to be moved. The first fields are for reading. */
struct sim_device {
    enum sim_device_state state;
    char version[UPD_VERSION_SIZE]; /* of what runs */
    enum sim_plan plan;
    struct sim_boot boot;   /* the last one */
    struct upd_view view;   /* at the last start */
    struct upd_agent agent; /* while it runs */
    struct upd_link link;
    uint32_t resets;
    uint32_t cuts; /* of power */

    struct sim_device_config config;
    struct sim_flash flash;
    struct sim_rtc rtc;
    struct sim_loader loader;
    struct upd_device device;
    struct sim_random random;
    uint32_t fuse;
    uint32_t now_ms;
    uint32_t since_ms;           /* HANGS: when it began */
    uint8_t memo[UPD_MEMO_SIZE]; /* in a part of flash that updates leave alone, as it were */
    bool has_memo;
    struct upd_identity identity;
    union {
        struct upd_otadata_config otadata;
        struct upd_eboot_config eboot;
    } of;
    uint8_t buffer[1024];
    uint8_t *link_buffer; /* malloc'ed, where there is a link */
};

/**
 * Make a device, and give it power.
 *
 * @param memo  UPD_MEMO_SIZE bytes that its agent kept; NULL: none
 *
 * @return UPD_OK
 * @return errors of sim_flash_open(), and then *device is not made
 */
UPD_MUST_CHECK enum upd_err sim_device_make(struct sim_device *device,
                                            const struct sim_device_config *config,
                                            const uint8_t *memo, uint32_t now_ms);
void sim_device_free(struct sim_device *device);

/** A flash in memory with loader and an image in place 0, for sim_device_config.base. */
void sim_device_base(enum sim_kind kind, const struct sim_image *image, struct sim_flash *flash);

/** Go on. @return milliseconds that may pass before the next call, unless a transport has news */
uint32_t sim_device_poll(struct sim_device *device, uint32_t now_ms);

/** Cut power, now; in the middle of a later operation: sim_flash_cut_at(&device->flash, ...). */
void sim_device_power_off(struct sim_device *device);
void sim_device_power_on(struct sim_device *device, uint32_t now_ms);

#endif
