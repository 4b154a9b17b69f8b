#include "forecast.h"

#include <stdlib.h>

#include "habit.h"

/* Silence of that much is none, however often the device comes. */
enum { PATIENCE_MS = 10 * 60000, MINUTE_MS = 60000 };

const int64_t forecast_windows[FORECAST_WINDOWS] = {FORECAST_HOUR, FORECAST_HOUR / 4,
                                                    FORECAST_HOUR / 12, MINUTE_MS};

/** Devices per millisecond in a window; 0: too few to tell, or too many to have been counted. */
static double pace(const struct forecast_input *input, size_t window, int64_t least)
{
    int64_t length = forecast_windows[window];
    length = input->age < length ? input->age : length;
    length = length < MINUTE_MS ? MINUTE_MS : length;
    int64_t arrived = input->arrived[window];
    return arrived < least ? 0 : (double)arrived / (double)length;
}

static int64_t per_hour(const struct forecast_input *input)
{
    size_t window = 0;
    while (window + 1 < FORECAST_WINDOWS && input->arrived[window] >= FORECAST_ARRIVALS_MAX) {
        window++;
    }
    return (int64_t)(pace(input, window, 1) * FORECAST_HOUR + 0.5);
}

/** The fastest that was seen. */
static double fastest(const struct forecast_input *input)
{
    double most = 0;
    for (size_t i = 0; i < FORECAST_WINDOWS; i++) {
        double one = pace(input, i, FORECAST_ARRIVALS_MIN);
        most = one > most ? one : most;
    }
    return most;
}

/** The first time of `from`, `from` + `every` ... that is not before `least`. */
static int64_t next(int64_t from, int64_t every, int64_t least)
{
    return from >= least ? from : from + (least - from + every - 1) / every * every;
}

enum outlook { EXPECTED, SILENT, UNKNOWN };

/** When a device that gets the release will run it, if that can be foreseen. */
static enum outlook look_at(const struct forecast_input *input, struct forecast_device *device)
{
    struct habit habit = {.every = device->every};
    int64_t least = device->not_before > input->now ? device->not_before : input->now;
    if (device->linked) {
        device->comes = least + input->lasts;
        return EXPECTED;
    }
    int64_t due = habit_due(habit, device->last_seen);
    if (due == 0 && !device->going) {
        return UNKNOWN;
    }
    if (due != 0 && habit_silent(habit, device->last_seen, input->now, PATIENCE_MS)) {
        return SILENT;
    }
    device->comes = input->lasts + (device->going ? input->now : next(due, device->every, least));
    return EXPECTED;
}

static int earlier(const void *one_, const void *other_)
{
    const struct forecast_device *one = one_, *other = other_;
    return one->comes < other->comes ? -1 : one->comes > other->comes;
}

static int64_t whole(double count)
{
    return (int64_t)(count + 0.5);
}

/** Put those that are expected in front, and count the others; returns how many are in front. */
static size_t sort_out(const struct forecast_input *input, struct forecast *forecast,
                       double *expected)
{
    double silent = 0, unknown = 0, people = 0, refused = 0, runs = 0;
    size_t front = 0;
    for (size_t i = 0; i < input->count; i++) {
        struct forecast_device *device = &input->devices[i];
        double weight = device->weight;
        runs += device->fate == FORECAST_RUNS ? weight : 0;
        people += device->fate == FORECAST_PEOPLE ? weight : 0;
        refused += device->fate == FORECAST_REFUSED ? weight : 0;
        if (device->fate != FORECAST_GETS) {
            continue;
        }
        enum outlook outlook = look_at(input, device);
        silent += outlook == SILENT ? weight : 0;
        unknown += outlook == UNKNOWN ? weight : 0;
        if (outlook == EXPECTED) {
            struct forecast_device moved = *device;
            *device = input->devices[front];
            input->devices[front++] = moved;
            *expected += weight;
        }
    }
    *forecast = (struct forecast){.done = input->done + whole(runs),
                                  .expected = whole(*expected),
                                  .silent = whole(silent),
                                  .unknown = whole(unknown),
                                  .people = whole(people),
                                  .refused = whole(refused),
                                  .per_hour = per_hour(input)};
    return front;
}

void forecast(const struct forecast_input *input, struct forecast *forecast)
{
    double expected = 0;
    size_t count = sort_out(input, forecast, &expected);
    const double done = (double)forecast->done, all = done + expected, limit = fastest(input);
    double reached = done, at = (double)input->now;
    qsort(input->devices, count, sizeof input->devices[0], earlier);
    for (size_t i = 0; i < count; i++) {
        const struct forecast_device *device = &input->devices[i];
        double comes = (double)device->comes;
        at += limit > 0 ? device->weight / limit : 0;
        at = comes > at ? comes : at;
        /* The last one is all of them, whatever adding up fractions came to. */
        double now = i + 1 == count ? all : reached + device->weight;
        if (reached < 0.5 * all && now >= 0.5 * all) {
            forecast->half = (int64_t)at;
        }
        if (reached < 0.9 * all && now >= 0.9 * all) {
            forecast->most = (int64_t)at;
        }
        reached = now;
    }
    forecast->all = count == 0 ? 0 : (int64_t)at;
}
