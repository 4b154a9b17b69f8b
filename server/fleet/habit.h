/*
 * updraftd: when a device that only wakes to poll is due: learnt from when it came.
 *
 * The habit is the usual distance of two contacts: a mean that follows slowly, deaf to the burst of
 * requests that one update makes and to a single long silence.
 */
#ifndef UPDRAFT_SERVER_HABIT_H
#define UPDRAFT_SERVER_HABIT_H

#include <stdbool.h>
#include <stdint.h>

struct habit {
    int64_t every; /* milliseconds; 0: none yet */
    int64_t polls; /* contacts that taught it */
};

/** Contacts closer than this are one. */
#define HABIT_SAME_CONTACT_MS 2000

/** Learn from a contact at `now`, the one before having been at `before` (0: there was none). */
struct habit habit_learn(struct habit habit, int64_t before, int64_t now);

/** When the device is due after a contact at `last`; 0: there is no habit. */
int64_t habit_due(struct habit habit, int64_t last);

/** True when it is silent for more than twice its habit and `least` milliseconds. */
bool habit_silent(struct habit habit, int64_t last, int64_t now, int64_t least);

#endif
