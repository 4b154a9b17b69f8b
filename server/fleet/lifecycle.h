/*
 * updraftd: the life cycle of an update, one device x one release.
 *
 *     offered -> accepted -> downloading -> downloaded -> rebooting -> running -> confirmed
 *        \-> declined     any of these -> failed | cancelled      rebooting, running -> rolled_back
 *
 * Downloaded is not updated: `running` means that the device itself was heard to run the new
 * version, `confirmed` that it stayed healthy. The table is in lifecycle.c; nothing else moves a
 * state.
 */
#ifndef UPDRAFT_SERVER_LIFECYCLE_H
#define UPDRAFT_SERVER_LIFECYCLE_H

#include <stdbool.h>

/* X(NAME, "word", over): over: nothing moves it any more. */
#define UPDATE_STATES(X)                                                                           \
    X(OFFERED, "offered", false)                                                                   \
    X(ACCEPTED, "accepted", false)                                                                 \
    X(DECLINED, "declined", true)                                                                  \
    X(DOWNLOADING, "downloading", false)                                                           \
    X(DOWNLOADED, "downloaded", false)                                                             \
    X(REBOOTING, "rebooting", false)                                                               \
    X(RUNNING, "running", false)                                                                   \
    X(CONFIRMED, "confirmed", true)                                                                \
    X(FAILED, "failed", true)                                                                      \
    X(CANCELLED, "cancelled", true)                                                                \
    X(ROLLED_BACK, "rolled_back", true)

/* X(NAME, "word") */
#define UPDATE_EVENTS(X)                                                                           \
    X(ACCEPT, "accept") /* by the owner, or because nobody needs to be asked */                    \
    X(DECLINE, "decline")                                                                          \
    X(BEGIN, "begin")       /* the first byte was asked for; again after an interruption */        \
    X(FETCHED, "fetched")   /* the last byte was sent, or the device said that it has all */       \
    X(REBOOT, "reboot")     /* was told to reboot, or does it by itself */                         \
    X(RUNS_NEW, "runs-new") /* the device said that it runs the new version */                     \
    X(RUNS_OLD, "runs-old") /* it came back from a reboot with another version */                  \
    X(HEALTHY, "healthy")   /* it said so, or was heard again after a while */                     \
    X(FAIL, "fail")                                                                                \
    X(CANCEL, "cancel")

enum update_state {
#define X(name, word, over) UPDATE_##name,
    UPDATE_STATES(X)
#undef X
};

enum update_event {
#define X(name, word) UPDATE_ON_##name,
    UPDATE_EVENTS(X)
#undef X
};

/** The word of a state or an event; "unknown" for a value without one. */
const char *update_state_word(enum update_state state);
const char *update_event_word(enum update_event event);
/** The state of a word; false and *state unchanged when there is none. */
bool update_state_find(const char *word, enum update_state *state);
/** True when nothing moves this state any more. */
bool update_state_over(enum update_state state);

/**
 * Apply one event.
 *
 * @param state  in and out
 * @return true   *state is the next state, which may be the same one (BEGIN again)
 * @return false  there is no such row: *state is unchanged
 */
bool update_step(enum update_state *state, enum update_event event);

#endif
