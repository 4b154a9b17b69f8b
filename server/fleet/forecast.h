/*
 * updraftd: when a release will be where it is going: by when each device that waits for it is due,
 * and how quickly devices came to run it so far.
 *
 * A device comes when its habit says (habit.h), and runs the release as long after that as others
 * took. All of them come no faster than the fastest that was seen, when enough have come to tell.
 * Nothing is said of devices that have no habit yet, or are silent against it, nor of those that a
 * person has to agree for: they are counted.
 *
 * Pure functions, no heap.
 */
#ifndef UPDRAFT_SERVER_FORECAST_H
#define UPDRAFT_SERVER_FORECAST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What becomes of a device as things stand, before its habit is looked at. */
enum forecast_fate {
    FORECAST_RUNS,    /* it has what it shall have */
    FORECAST_GETS,    /* it is offered the release when it comes */
    FORECAST_PEOPLE,  /* once somebody agrees */
    FORECAST_REFUSED, /* it is refused the release, or declined it */
    FORECAST_ASIDE,   /* the release is not for it */
};

struct forecast_device {
    enum forecast_fate fate;
    bool linked;        /* it can be told at once */
    bool going;         /* it has begun */
    int64_t last_seen;  /* 0: never */
    int64_t every;      /* of its habit, milliseconds; 0: none yet */
    int64_t not_before; /* it gets nothing before that; 0: at once */
    double weight;      /* how many devices it stands for */
    int64_t comes;      /* set by forecast(): when it will run the release */
};

/* Windows that arrivals are counted in, up to now; the longest first. */
enum { FORECAST_WINDOWS = 4, FORECAST_HOUR = 3600000 };
extern const int64_t forecast_windows[FORECAST_WINDOWS];
/* Counting ends there: a window that has so many tells nothing but that there are more. */
enum { FORECAST_ARRIVALS_MAX = 50000 };
/* So many have to have come in a window before its speed says how fast they can come. */
enum { FORECAST_ARRIVALS_MIN = 10 };

struct forecast_input {
    int64_t now;
    int64_t age;   /* of the release, milliseconds: no window is longer */
    int64_t done;  /* devices that run it, besides `devices` */
    int64_t lasts; /* from the device's request until it runs the release; 0: not known */
    int64_t arrived[FORECAST_WINDOWS]; /* that came to run it within each window */
    struct forecast_device *devices;   /* all that wait, or some that stand for all; gets sorted */
    size_t count;
};

struct forecast {
    int64_t done;     /* devices that run it */
    int64_t expected; /* that will, at times that are known */
    int64_t silent;   /* that would, and are silent for more than twice their habit */
    int64_t unknown;  /* that would, and have no habit yet */
    int64_t people;   /* that wait for somebody's word */
    int64_t refused;  /* that get none as things stand */
    int64_t per_hour; /* that come to run it, as in the longest window that could be counted */
    /* When half, nine tenths and all of those done and expected will run it; 0: they do already. */
    int64_t half, most, all;
};

/** Foretell. Writes all of *forecast. Time: sorts the devices. */
void forecast(const struct forecast_input *input, struct forecast *forecast);

#endif
