/*
 * The life of one device: resets, boot loader, application, update, over and over, with whatever
 * the power does. The application is the one that <updraft/scheme.h> asks for; it wants the new
 * version until it runs confirmed, or until it was given up.
 */
#ifndef POWERCUT_LIFE_H
#define POWERCUT_LIFE_H

#include "setup.h"

#include <updraft/writer.h>

/** How the new image comes. */
#define KINDS(X)                                                                                   \
    X(FULL, "full")       /* raw, from its first byte, whatever was there before */                \
    X(GZIP, "gzip")       /* compressed */                                                         \
    X(RESUMED, "resumed") /* raw; the first half in one session, the rest after a restart */

/** What becomes of the new version. */
#define OUTCOMES(X)                                                                                \
    X(CONFIRMED, "confirmed") /* it is good */                                                     \
    X(CRASHES,                                                                                     \
      "crashes")      /* as soon as it runs; before upd_device_start() where a loader counts */    \
    X(NEVER, "never") /* it runs, and never confirms itself */

enum kind {
#define X(name, text) KIND_##name,
    KINDS(X)
#undef X
        KIND_COUNT
};
enum outcome {
#define X(name, text) OUTCOME_##name,
    OUTCOMES(X)
#undef X
        OUTCOME_COUNT
};
extern const char *const kind_names[KIND_COUNT];
extern const char *const outcome_names[OUTCOME_COUNT];

/** How a session, from a reset on, ends. */
enum end {
    END_CUT,     /* power went */
    END_RESTART, /* the application restarts, or crashed */
    END_DONE,    /* the new version is confirmed, or was given up and that was told */
    END_FAILED,  /* an error although power is there: see `err` */
    END_DEAD,    /* nothing runs, or the wrong thing: see `complaint` */
};

struct life;
/** Called before each operation, of loader and application. */
typedef void life_hook(void *ctx, struct life *life, const struct sim_op *op, const void *data);

struct life {
    const struct setup *setup;
    enum kind kind;
    enum outcome outcome;
    struct sim_flash sim;
    struct sim_rtc rtc;
    uint32_t fuse;
    life_hook *hook;
    void *hook_ctx;
    bool in_loader; /* a loader is at work, not the application */

    /* Of the last session. */
    struct upd_device device;
    struct sim_boot boot;
    struct upd_view view;
    enum upd_err err;
    const char *during; /* which call returned `err` */
    enum version runs;
    uint32_t place; /* that runs */

    /* What must not happen. */
    bool brick;          /* nothing runs, or an image on trial may overwrite its way back */
    bool lost_trial;     /* `brick`, where the word of the trial reads differently each time */
    bool unverified;     /* something runs that is not exactly one of the two versions */
    bool lost;           /* a byte of the user's was touched, or the image that runs */
    uint32_t violations; /* of the flash's contract, so far */
    char complaint[160];
};

/** Everything that outlives power. */
struct state {
    struct sim_snapshot *flash;
    struct sim_rtc rtc;
    uint32_t fuse;
};

void life_begin(struct life *life, const struct setup *setup, enum kind kind, enum outcome outcome,
                uint64_t seed);
/** Another life over a related flash: same setup, same content. */
void life_fork(struct life *life, const struct life *source);
void life_end(struct life *life);

/** Print what happens. */
extern bool life_verbose;

/** From a reset to the first instruction of an application; false: *end says why there is none. */
bool life_boot(struct life *life, enum end *end);

/** NONOS: true when the SDK finds its settings where the boot loader looks. */
bool life_has_settings(struct life *life);

/** From a reset to the next one. */
enum end life_session(struct life *life);

/**
 * IDF's loader keeps the trial in a word of the record, which no CRC covers, and erases it to write
 * the next one. Cut there, the word may read as VALID by chance, or as nothing that it knows and so
 * takes for none: the trial is over for loader and library alike, and a bad image stays. True where
 * that may be so.
 */
bool life_has_doubtful_trial(const struct life *life);

enum { SESSIONS_MAX = 20 };

/**
 * Sessions without a cut until DONE.
 *
 * @return END_DONE; END_FAILED also when it takes more than SESSIONS_MAX; END_DEAD
 */
enum end life_to_end(struct life *life);

struct state life_save(const struct life *life);
void life_restore(struct life *life, const struct state *state);
void state_free(struct state *state);

/**
 * Tear one operation in the state before it. The device has no power afterwards.
 */
void life_tear(struct life *life, const struct sim_op *op, const void *data,
               const struct sim_tear *tear);

#endif
