/* updraftd: the forecast of a release: its devices and its pace so far, for forecast.h. */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

enum {
    SAMPLE = 2048,  /* devices that are looked at; all of them when there are twice as many */
    RUN = 8,        /* neighbours that are looked at in one place */
    VERSIONS = 256, /* of what devices that wait run; those of further ones are not foretold */
    FINISHED = 50,  /* updates that say how long one takes */
};

struct gathering {
    struct fleet *fleet;
    struct store_view *view;
    const struct release *release;
    struct decide_input decide;
    struct forecast_device *devices; /* room for 2 * SAMPLE and RUN for each version */
    size_t count, room;
    int64_t next; /* where to look on */
};

/* --- Devices ---------------------------------------------------------------------------------- */

static bool begun(const struct update *update)
{
    return update->state == UPDATE_DOWNLOADING || update->state == UPDATE_DOWNLOADED ||
           update->state == UPDATE_REBOOTING;
}

static enum forecast_fate fate(const struct decision *decision, const struct release *release)
{
    if (decision->release == NULL || decision->release->no != release->no) {
        return FORECAST_ASIDE;
    }
    switch (decision->reason) {
    case REASON_OFFER:
    case REASON_POSTPONED:
    /* It tells when it comes. */
    case REASON_UNKNOWN_VERSION:
    case REASON_SLOT_UNKNOWN:
        return FORECAST_GETS;
    case REASON_CURRENT:
    case REASON_SAME_IMAGE:
        return FORECAST_RUNS;
    case REASON_WAITS_OWNER:
    case REASON_WAITS_OPERATOR:
        return FORECAST_PEOPLE;
    default:
        return FORECAST_REFUSED;
    }
}

/** The answer that the device would get now, and its habit, with what is not written of it yet. */
static bool take_device(void *ctx, const void *record)
{
    struct gathering *all = ctx;
    const struct device *device = record;
    struct forecast_device *found = &all->devices[all->count];
    struct update update = {0};
    struct telemetry noted;
    struct decision decision;

    all->next = device->no + 1;
    all->decide.device = device;
    bool going = fleet_going(all->view, device, &update) && update.release == all->release->no;
    all->decide.served = going ? update.served : 0;
    decide(&all->decide, &decision);
    *found = (struct forecast_device){.fate = fate(&decision, all->release),
                                      .linked = device->linked,
                                      .going = going && begun(&update),
                                      .last_seen = device->last_seen,
                                      .every = device->poll_every,
                                      .not_before = device->not_before};
    if (store_noted(all->fleet->store, device->no, &noted)) {
        found->last_seen = noted.last_seen;
        found->every = noted.poll_every != 0 ? noted.poll_every : found->every;
    }
    /* The download is done, and it restarts when its owner says so. */
    if (going && update.state == UPDATE_DOWNLOADED &&
        all->decide.product->consent == CONSENT_ASK_REBOOT && !device->reboot_accepted) {
        found->fate = FORECAST_PEOPLE;
    }
    return ++all->count < all->room;
}

/** Those of one version: all, or short runs of them from places that are evenly apart. */
static enum store_result take_version(struct gathering *all, const char *version, int64_t count,
                                      int64_t share)
{
    struct store_where where[] = {STORE_NUMBER("product", all->release->product),
                                  STORE_TEXT("version", version),
                                  {"no", STORE_GE, 0, NULL}};
    struct store_query query = {.where = where, .count = 2, .order = "no", .limit = count};
    const size_t first = all->count;
    enum store_result result = STORE_OK;
    if (count <= share) {
        result = store_each(all->view, STORE_DEVICE, &query, take_device, all);
    } else {
        struct device lowest, highest;
        query.limit = 1;
        result = store_get(all->view, STORE_DEVICE, &query, &lowest);
        query.descending = true;
        if (result == STORE_OK) {
            result = store_get(all->view, STORE_DEVICE, &query, &highest);
        }
        int64_t places = (share + RUN - 1) / RUN, span = highest.no - lowest.no + 1;
        query = (struct store_query){.where = where, .count = 3, .order = "no", .limit = RUN};
        all->next = lowest.no;
        for (int64_t i = 0; i < places && result == STORE_OK && all->count < all->room; i++) {
            int64_t place = lowest.no + span / places * i;
            where[2].number = place > all->next ? place : all->next;
            result = store_each(all->view, STORE_DEVICE, &query, take_device, all);
        }
    }
    for (size_t i = first; i < all->count; i++) {
        all->devices[i].weight = (double)count / (double)(all->count - first);
    }
    return result == STORE_NONE ? STORE_OK : result;
}

struct versions {
    const char *released;
    int64_t done, waiting;
    size_t count;
    struct {
        char version[VERSION_SIZE];
        int64_t devices;
    } list[VERSIONS];
};

static void add_version(void *ctx, const char *version, int64_t devices)
{
    struct versions *versions = ctx;
    if (strcmp(version, versions->released) == 0) {
        versions->done += devices;
    } else if (versions->count < VERSIONS) {
        text_copy(versions->list[versions->count].version, VERSION_SIZE, version);
        versions->list[versions->count++].devices = devices;
        versions->waiting += devices;
    }
}

static enum store_result take_devices(struct gathering *all, const struct versions *versions)
{
    enum store_result result = STORE_OK;
    for (size_t i = 0; i < versions->count && result == STORE_OK; i++) {
        int64_t devices = versions->list[i].devices;
        int64_t share =
            versions->waiting <= 2 * SAMPLE ? devices : SAMPLE * devices / versions->waiting + 1;
        result = take_version(all, versions->list[i].version, devices, share);
    }
    return result;
}

/* --- The pace so far -------------------------------------------------------------------------- */

static enum store_result count_arrivals(struct store_view *view, const struct release *release,
                                        struct forecast_input *input)
{
    static const int64_t arrived[] = {UPDATE_RUNNING, UPDATE_CONFIRMED};
    enum store_result result = STORE_OK;
    for (size_t window = 0; window < FORECAST_WINDOWS; window++) {
        for (size_t i = 0; i < 2 && result == STORE_OK; i++) {
            const struct store_where where[] = {
                STORE_NUMBER("release", release->no),
                STORE_NUMBER("state", arrived[i]),
                {"changed", STORE_GE, input->now - forecast_windows[window], NULL}};
            const struct store_query query = {
                .where = where, .count = 3, .count_max = FORECAST_ARRIVALS_MAX};
            int64_t count = 0;
            result = store_count(view, STORE_UPDATE, &query, &count);
            input->arrived[window] += count;
        }
    }
    return result;
}

struct duration {
    struct store_view *view;
    int64_t found[FINISHED];
    size_t count;
    int64_t begun, runs; /* of the update that is looked at */
};

static bool add_step(void *ctx, const void *record)
{
    struct duration *duration = ctx;
    const struct step *step = record;
    if (step->state == UPDATE_DOWNLOADING && duration->begun == 0) {
        duration->begun = step->time;
    }
    if (step->state == UPDATE_RUNNING) {
        duration->runs = step->time;
    }
    return true;
}

static bool add_update(void *ctx, const void *record)
{
    struct duration *duration = ctx;
    const struct update *update = record;
    const struct store_where where = STORE_NUMBER("update", update->no);
    const struct store_query steps = {.where = &where, .count = 1, .order = "no"};
    duration->begun = duration->runs = 0;
    if (store_each(duration->view, STORE_STEP, &steps, add_step, duration) == STORE_OK &&
        duration->begun != 0 && duration->runs >= duration->begun) {
        duration->found[duration->count++] = duration->runs - duration->begun;
    }
    return duration->count < FINISHED;
}

static int shorter(const void *one, const void *other)
{
    int64_t a = *(const int64_t *)one, b = *(const int64_t *)other;
    return a < b ? -1 : a > b;
}

/** From the first request for the image until the device ran it: the median of the newest updates. */
static enum store_result take_duration(struct store_view *view, const struct release *release,
                                       int64_t *lasts)
{
    static const int64_t arrived[] = {UPDATE_CONFIRMED, UPDATE_RUNNING};
    struct duration duration = {.view = view};
    enum store_result result = STORE_OK;
    for (size_t i = 0; i < 2 && result == STORE_OK && duration.count < FINISHED; i++) {
        const struct store_where where[] = {STORE_NUMBER("release", release->no),
                                            STORE_NUMBER("state", arrived[i])};
        const struct store_query query = {
            .where = where, .count = 2, .order = "changed", .descending = true, .limit = FINISHED};
        result = store_each(view, STORE_UPDATE, &query, add_update, &duration);
    }
    qsort(duration.found, duration.count, sizeof duration.found[0], shorter);
    *lasts = duration.count == 0 ? 0 : duration.found[duration.count / 2];
    return result;
}

/* --- The forecast ----------------------------------------------------------------------------- */

static enum store_result gather(struct gathering *all, struct forecast_input *input)
{
    struct versions *versions = calloc(1, sizeof *versions);
    if (versions == NULL) {
        return STORE_FAILED;
    }
    versions->released = all->release->version;
    enum store_result result = store_kept(all->view, STORE_DEVICE, "version", all->release->product,
                                          add_version, versions);
    if (result == STORE_OK) {
        result = take_devices(all, versions);
    }
    if (result == STORE_OK) {
        result = count_arrivals(all->view, all->release, input);
    }
    if (result == STORE_OK) {
        result = take_duration(all->view, all->release, &input->lasts);
    }
    input->done = versions->done;
    input->devices = all->devices;
    input->count = all->count;
    free(versions);
    return result;
}

enum fleet_status fleet_release_forecast(struct fleet *fleet, const struct actor *actor,
                                         const char *product, const char *version,
                                         struct forecast *found, struct fleet_error *error)
{
    struct store_view *view = fleet_view(fleet, error);
    struct product its;
    struct release release;
    if (view == NULL) {
        return error->status;
    }
    enum fleet_status status = fleet_find_release(view, actor, ACTION_RELEASE_SHOW, product,
                                                  version, &its, &release, error);
    struct snapshot *snapshot = status == FLEET_OK ? fleet_snapshot(fleet) : NULL;
    struct gathering all = {.fleet = fleet,
                            .view = view,
                            .release = &release,
                            .decide = {.product = &its, .now = fleet_now(fleet)},
                            .room = 2 * SAMPLE + VERSIONS * RUN};
    all.devices = calloc(all.room + 1, sizeof *all.devices);
    if (status == FLEET_OK && (snapshot == NULL || all.devices == NULL)) {
        status = fleet_fail(error, FLEET_FAILED, REFUSAL_MEMORY, NULL, NULL);
    }
    if (status == FLEET_OK) {
        struct forecast_input input = {.now = all.decide.now,
                                       .age = all.decide.now - release.created};
        snapshot_releases(snapshot, &its, &all.decide);
        status = fleet_store_error(error, gather(&all, &input));
        if (status == FLEET_OK) {
            forecast(&input, found);
        }
    }
    fleet_snapshot_release(fleet, snapshot);
    free(all.devices);
    store_end(view);
    return status;
}
