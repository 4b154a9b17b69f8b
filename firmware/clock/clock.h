/*
 * The smart clock: what it shows, and when it looks for an update. Pure: the caller has the time,
 * the button, the network and the flash; clock_step() says what to do with them. So the same clock
 * runs on the chip, in a terminal, and through a year in a unit test.
 *
 *     struct clock clock;
 *     clock_init(&clock, &config);
 *     for (;;) {
 *         enum clock_action action = clock_step(&clock, now_ms, &inputs);
 *         ... do the action; show clock.display ...
 *     }
 *
 * It updates at power up, at an interval, and when its Mode button is held for seven seconds. An
 * image on trial first has to prove that it reaches its server, because one that does not could
 * never be replaced.
 */
#ifndef CLOCK_CLOCK_H
#define CLOCK_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "display.h"

enum { CLOCK_VERSION_SIZE = 16 };                  /* bytes of a version, with its NUL */
enum { CLOCK_TROUBLE_SIZE = DISPLAY_COLUMNS + 1 }; /* of a reason, with its NUL */

/** How this start came about. */
enum clock_boot {
    CLOCK_BOOT_ORDINARY,
    CLOCK_BOOT_TRIAL,  /* the running image has to confirm itself */
    CLOCK_BOOT_BROKEN, /* it is on trial, and failed its self test */
    CLOCK_BOOT_FALLEN, /* the image that was activated is not the one that runs */
};

struct clock_config {
    const char *version;    /* shorter than CLOCK_VERSION_SIZE */
    const char *id;         /* of the device: up to 8 characters are shown */
    uint32_t check_every_s; /* 0: only at power up, and by the button */
    uint32_t retry_ms;      /* between two tries to reach the server */
    uint32_t tries;         /* that many failures in a row are waited for: 1 to 100 */
    uint32_t trial_ms;      /* how long an image on trial has to reach its server */
    enum clock_boot boot;
    uint8_t starts;     /* TRIAL: which of its starts this is; 0: not known */
    const char *fallen; /* FALLEN: the version given up; "" when not known */
    const char *fall;   /* FALLEN: why, in 20 characters */
};

/** X(NAME): what can happen. Those of update and cloud come from outside, one at a step. */
#define CLOCK_EVENTS(X)                                                                            \
    X(NONE)                                                                                        \
    /* of the update */                                                                            \
    X(CURRENT)  /* the server has the version that runs */                                         \
    X(OFFERED)  /* it has another one; the download begins, if one was asked for */                \
    X(RECEIVED) /* all of it is there, and will be verified */                                     \
    X(READY)    /* the next reset starts it */                                                     \
    X(FAILED)   /* to try again may help */                                                        \
    X(REFUSED)  /* to try again does not help */                                                   \
    /* of a cloud, which tells instead of being asked */                                           \
    X(ACTIVATED) /* it knows this device from now on */                                            \
    X(LINKED)    /* it is there, and knows what runs; what is on trial has confirmed itself */     \
    X(LOADED)    /* the other image is in flash; the cloud says when it starts */                  \
    /* of the clock itself */                                                                      \
    X(ORDINARY)                                                                                    \
    X(TRIAL)                                                                                       \
    X(BROKEN)                                                                                      \
    X(FALLEN)                                                                                      \
    X(TIMEOUT)                                                                                     \
    X(TRIES_OVER)                                                                                  \
    X(TRIAL_OVER)                                                                                  \
    X(DUE)                                                                                         \
    X(PRESSED)                                                                                     \
    X(RELEASED)                                                                                    \
    X(HELD)

enum clock_event {
#define X(name) CLOCK_EVENT_##name,
    CLOCK_EVENTS(X)
#undef X
};

/** What the clock sees at one step. */
struct clock_inputs {
    bool mode_pressed;
    uint32_t unix_s;       /* seconds since 1970, when just heard from the server; else 0 */
    enum clock_event news; /* of the update; NONE as a rule */
    uint8_t percent;       /* of the download */
    const char *version;   /* OFFERED: which */
    const char *trouble;   /* FAILED, REFUSED: why, in 20 characters */
    const char *note;      /* below the time, in 20 characters; NULL or "": nothing */
};

/** What the caller shall do. */
enum clock_action {
    CLOCK_DO_NOTHING,
    CLOCK_DO_PROBE,     /* ask the server for its version, and no more */
    CLOCK_DO_CHECK,     /* ask, and install what it has; also what was given up, if clock.by_hand */
    CLOCK_DO_CONFIRM,   /* the running image is good */
    CLOCK_DO_ROLL_BACK, /* the running image is bad */
    CLOCK_DO_RESTART,
};

/** The clock. `display` and `by_hand` are for reading; the rest is its own. */
struct clock {
    struct display display;
    bool by_hand; /* somebody asked for this update with the button */
    struct clock_config config;
    uint8_t state;
    bool started;
    /* time */
    uint32_t last_ms, rest_ms, uptime_s;
    uint32_t entered_ms, born_ms;
    uint32_t unix_at_boot_s; /* 0: not known */
    uint32_t check_at_s;     /* of the uptime; UINT32_MAX: never */
    /* button */
    bool raw, pressed, used;
    uint32_t raw_ms, pressed_ms;
    /* update */
    uint32_t failures;
    uint8_t percent;
    char version[CLOCK_VERSION_SIZE];
    char trouble[CLOCK_TROUBLE_SIZE];
    char note[CLOCK_TROUBLE_SIZE];
};

/** @param config  copied; its texts must stay valid */
void clock_init(struct clock *clock, const struct clock_config *config);

/**
 * Let the clock go on.
 *
 * @param now_ms  milliseconds from any start; wraps. At most 49 days after the step before
 * @param inputs  not NULL; copied
 * @return what to do before the next step
 */
enum clock_action clock_step(struct clock *clock, uint32_t now_ms,
                             const struct clock_inputs *inputs);

/** Seconds since 1970; 0 when not known. */
uint32_t clock_unix_s(const struct clock *clock);

/** Tell it the time, as from a battery. */
void clock_set_unix_s(struct clock *clock, uint32_t unix_s);

#endif
