#include "api/events.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/inside.h"
#include "api/show.h"

/* Messages that wait for a slow client; one that falls further behind is told to start anew. */
enum { QUEUE_MAX = 256, BATCH = 128 };

/* Being heard of is no event: millions of devices are, each minute. A client says which devices it
 * shows; those are looked at each LOOK_MS, and it is told what changed once in HEARD_MS at most. */
enum { WATCHED_MAX = 100, LOOK_MS = 250, HEARD_MS = 1000 };

struct watched {
    char id[ID_SIZE];
    int64_t last_seen; /* as it was told, or as it was when the client came */
    bool online, known;
};

struct message {
    uint64_t id;
    const char *name; /* NULL: a change */
    char *data;
};

/* Of one client. Its lock is the feeds' lock, which nobody holds while he waits for anything. */
struct feed {
    struct api_feeds *feeds;
    struct feed *next;
    struct actor actor;
    int64_t seq; /* the last event that was read for it */
    char product[ID_SIZE];
    char device[ID_SIZE];
    struct watched *watched;
    size_t watched_count;
    int64_t told_ms; /* what is watched */
    struct message queue[QUEUE_MAX];
    size_t first, count;
    char *shown; /* the data that the library writes now */
    bool behind; /* it is to be told `reset` */
    bool busy;   /* it is being read for: it stays in the list, and is not freed */
    bool closed; /* the client has gone */
    struct http_events_handle *handle;
};

struct api_feeds {
    struct fleet *fleet;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t thread;
    struct feed *feeds;
    bool news, stop;
};

/* --- The change feed ----------------------------------------------------------------------------
 */

/* On the writer's thread: only says that there is something. */
static void hear(void *ctx, int64_t newest)
{
    struct api_feeds *feeds = ctx;

    (void)newest;
    pthread_mutex_lock(&feeds->lock);
    feeds->news = true;
    pthread_cond_signal(&feeds->changed);
    pthread_mutex_unlock(&feeds->lock);
}

static void put(struct feed *feed, uint64_t id, const char *name, char *data)
{
    if (data == NULL || feed->count == QUEUE_MAX) {
        free(data);
        feed->behind = true;
        return;
    }
    feed->queue[(feed->first + feed->count++) % QUEUE_MAX] = (struct message){id, name, data};
}

struct batch {
    struct event events[BATCH];
    size_t count;
};

static void take_event(void *ctx, const struct event *event)
{
    struct batch *batch = ctx;

    if (batch->count < BATCH) {
        batch->events[batch->count++] = *event;
    }
}

/* {"kind": "device.changed", ...what the event says} */
static char *event_text(const struct event *event)
{
    json_t *object = json_pack("{s:s}", "kind", event->kind);
    json_t *told = event->json[0] != '\0' ? json_loads(event->json, 0, NULL) : NULL;

    if (json_is_object(told)) {
        json_object_update_missing(object, told);
    }
    json_object_set_new(object, "time", show_time(event->time));
    char *text = json_dumps(object, JSON_COMPACT);
    json_decref(object);
    json_decref(told);
    return text;
}

static bool is_wanted(const char *text, const char *key, const char *id)
{
    char part[64];

    if (id[0] == '\0') {
        return true;
    }
    snprintf(part, sizeof part, "\"%s\":\"%s\"", key, id);
    return strstr(text, part) != NULL;
}

static void ignore(void *ctx, const struct event *event)
{
    (void)ctx;
    (void)event;
}

int64_t api_events_newest(struct fleet *fleet, const struct actor *actor)
{
    int64_t newest = 0;
    struct fleet_error error;

    (void)fleet_events(fleet, actor, -1, 1, ignore, NULL, &newest, &error);
    return newest;
}

/* What the client asked for, of what was read; with the lock held. */
static void put_events(struct feed *feed, const struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        char *text = event_text(&batch->events[i]);
        if (text != NULL && is_wanted(text, "product", feed->product) &&
            is_wanted(text, "device", feed->device)) {
            put(feed, (uint64_t)batch->events[i].no, NULL, text);
        } else {
            free(text);
        }
    }
}

/* Read what is new for one client. The lock is held before and after, and not while the database is
 * read. */
static void read_feed(struct api_feeds *feeds, struct feed *feed, struct batch *batch)
{
    bool more = true;

    feed->busy = true;
    while (more && !feed->closed) {
        struct actor actor = feed->actor;
        int64_t seq = feed->seq, newest = seq;
        struct fleet_error error;

        batch->count = 0;
        pthread_mutex_unlock(&feeds->lock);
        enum fleet_status status =
            fleet_events(feeds->fleet, &actor, seq, BATCH, take_event, batch, &newest, &error);
        if (status == FLEET_CONFLICT) { /* what it missed is no longer kept */
            newest = api_events_newest(feeds->fleet, &actor);
        }
        pthread_mutex_lock(&feeds->lock);
        if (status == FLEET_CONFLICT) {
            feed->behind = true;
            feed->seq = newest;
        } else if (status == FLEET_OK) {
            put_events(feed, batch);
            feed->seq = newest > seq ? newest : seq;
        }
        more = status == FLEET_OK && newest > seq && batch->count == BATCH;
    }
    feed->busy = false;
}

/* --- What is watched --------------------------------------------------------------------------- */

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* What changed of what a client shows; without the lock. Who may no longer see a device hears no more
 * of it. NULL: nothing did. */
static char *look(struct api_feeds *feeds, const struct actor *actor, struct feed *feed)
{
    json_t *devices = json_array();

    for (size_t i = 0; i < feed->watched_count; i++) {
        struct watched *watched = &feed->watched[i];
        struct device device;
        struct fleet_error error;
        if (fleet_device_show(feeds->fleet, actor, watched->id, &device, &error) != FLEET_OK) {
            continue;
        }
        bool online = fleet_device_online(feeds->fleet, &device);
        bool differs = device.last_seen != watched->last_seen || online != watched->online;
        /* The first time too: the page asked before it was listened for. */
        if (!watched->known || differs) {
            json_array_append_new(devices, json_string(watched->id));
        }
        watched->last_seen = device.last_seen;
        watched->online = online;
        watched->known = true;
    }
    json_t *told = json_array_size(devices) == 0 ? NULL : json_pack("{s:O}", "devices", devices);
    char *text = told == NULL ? NULL : json_dumps(told, JSON_COMPACT);
    json_decref(told);
    json_decref(devices);
    return text;
}

/* As read_feed(): the lock is held before and after. */
static void look_for(struct api_feeds *feeds, struct feed *feed)
{
    struct actor actor = feed->actor;
    int64_t now = now_ms();

    if (feed->watched_count == 0 || feed->closed || now - feed->told_ms < HEARD_MS) {
        return;
    }
    feed->busy = true;
    pthread_mutex_unlock(&feeds->lock);
    char *text = look(feeds, &actor, feed);
    pthread_mutex_lock(&feeds->lock);
    feed->busy = false;
    if (text != NULL) {
        feed->told_ms = now;
        put(feed, (uint64_t)feed->seq, "heard", text);
    }
}

static bool is_watching(const struct api_feeds *feeds)
{
    bool any = false;
    for (const struct feed *feed = feeds->feeds; feed != NULL; feed = feed->next) {
        any = any || feed->watched_count != 0;
    }
    return any;
}

/* "d_1,d_2": the devices that the client shows. Others than its own are never found. */
static void watch(struct feed *feed, const char *ids)
{
    feed->watched = calloc(WATCHED_MAX, sizeof *feed->watched);
    if (feed->watched == NULL) {
        abort();
    }
    while (*ids != '\0' && feed->watched_count < WATCHED_MAX) {
        size_t size = strcspn(ids, ",");
        if (size != 0 && size < ID_SIZE) {
            memcpy(feed->watched[feed->watched_count++].id, ids, size);
        }
        ids += size + (ids[size] == ',');
    }
}

static void free_feed(struct feed *feed)
{
    free(feed->watched);
    for (; feed->count > 0; feed->count--) {
        free(feed->queue[feed->first].data);
        feed->first = (feed->first + 1) % QUEUE_MAX;
    }
    free(feed->shown);
    free(feed);
}

static void take_out(struct api_feeds *feeds, struct feed *feed)
{
    struct feed **at = &feeds->feeds;

    while (*at != feed) {
        at = &(*at)->next;
    }
    *at = feed->next;
}

static void read_all(struct api_feeds *feeds, struct batch *batch, bool news)
{
    struct feed *next;

    for (struct feed *feed = feeds->feeds; feed != NULL; feed = next) {
        size_t before = feed->count;

        if (news) {
            read_feed(feeds, feed, batch);
        }
        look_for(feeds, feed);
        next = feed->next;
        if (feed->closed) {
            take_out(feeds, feed);
            free_feed(feed);
        } else if (feed->count > before || feed->behind) {
            http_events_wake(feed->handle);
        }
    }
}

/* False: none came, and it is time to look. */
static bool wait_for_news(struct api_feeds *feeds)
{
    int64_t until = now_ms() + LOOK_MS;
    const struct timespec when = {until / 1000, until % 1000 * 1000000};

    while (!feeds->news && !feeds->stop && now_ms() < until) {
        pthread_cond_timedwait(&feeds->changed, &feeds->lock, &when);
    }
    return feeds->news || feeds->stop;
}

static void *run(void *ctx)
{
    struct api_feeds *feeds = ctx;
    struct batch *batch = malloc(sizeof *batch);

    if (batch == NULL) {
        abort();
    }
    pthread_mutex_lock(&feeds->lock);
    while (!feeds->stop) {
        if (feeds->news) {
            feeds->news = false;
            read_all(feeds, batch, true);
        } else if (!is_watching(feeds)) {
            pthread_cond_wait(&feeds->changed, &feeds->lock);
        } else if (!wait_for_news(feeds)) {
            read_all(feeds, batch, false);
        }
    }
    pthread_mutex_unlock(&feeds->lock);
    free(batch);
    return NULL;
}

struct api_feeds *api_feeds_new(struct fleet *fleet)
{
    struct api_feeds *feeds = calloc(1, sizeof *feeds);

    if (feeds == NULL) {
        abort();
    }
    feeds->fleet = fleet;
    pthread_mutex_init(&feeds->lock, NULL);
    pthread_condattr_t clock;
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&feeds->changed, &clock);
    pthread_condattr_destroy(&clock);
    if (!store_listen(fleet_store(fleet), hear, feeds) ||
        pthread_create(&feeds->thread, NULL, run, feeds) != 0) {
        abort();
    }
    return feeds;
}

void api_feeds_free(struct api_feeds *feeds)
{
    if (feeds == NULL) {
        return;
    }
    store_unlisten(fleet_store(feeds->fleet), hear, feeds);
    pthread_mutex_lock(&feeds->lock);
    feeds->stop = true;
    pthread_cond_signal(&feeds->changed);
    pthread_mutex_unlock(&feeds->lock);
    pthread_join(feeds->thread, NULL);
    pthread_cond_destroy(&feeds->changed);
    pthread_mutex_destroy(&feeds->lock);
    free(feeds);
}

/* --- One client
 * ----------------------------------------------------------------------------------- */

/* On a thread of the sockets: takes what was put ready. */
static enum http_next next(void *ctx, struct http_event *event)
{
    struct feed *feed = ctx;
    enum http_next answer = HTTP_WAIT;

    pthread_mutex_lock(&feed->feeds->lock);
    free(feed->shown);
    feed->shown = NULL;
    if (feed->count > 0) {
        const struct message *message = &feed->queue[feed->first];
        feed->shown = message->data;
        *event = (struct http_event){message->id, message->name, message->data};
        feed->first = (feed->first + 1) % QUEUE_MAX;
        feed->count--;
        answer = HTTP_EVENT;
    } else if (feed->behind) {
        feed->behind = false;
        *event = (struct http_event){(uint64_t)feed->seq, "reset", "{}"};
        answer = HTTP_EVENT;
    }
    pthread_mutex_unlock(&feed->feeds->lock);
    return answer;
}

static void end(void *ctx)
{
    struct feed *feed = ctx;
    struct api_feeds *feeds = feed->feeds;
    bool busy;

    pthread_mutex_lock(&feeds->lock);
    feed->closed = true;
    busy = feed->busy; /* then who reads for it frees it */
    if (!busy) {
        take_out(feeds, feed);
    }
    pthread_mutex_unlock(&feeds->lock);
    if (!busy) {
        free_feed(feed);
    }
}

static bool read_after(const char *text, int64_t *seq)
{
    if (text == NULL || text[0] == '\0' || strlen(text) > 18 ||
        strspn(text, "0123456789") != strlen(text)) {
        return false;
    }
    *seq = strtoll(text, NULL, 10);
    return true;
}

void api_events(struct http_exchange *x)
{
    struct api_feeds *feeds = api_of(x)->feeds;
    struct feed *feed = calloc(1, sizeof *feed);
    const char *product = http_query(x, "product"), *device = http_query(x, "device");
    const char *shown = http_query(x, "watch"), *after = http_query(x, "after");
    uint64_t last;
    char text[64];

    if (feed == NULL) {
        abort();
    }
    feed->feeds = feeds;
    feed->actor = *api_actor(x);
    snprintf(feed->product, sizeof feed->product, "%s", product != NULL ? product : "");
    snprintf(feed->device, sizeof feed->device, "%s", device != NULL ? device : "");
    watch(feed, shown != NULL ? shown : "");
    if (http_last_event(x, &last) && last <= INT64_MAX) {
        feed->seq = (int64_t)last;
    } else if (read_after(after, &feed->seq)) {
        /* A page that shows other devices now goes on where its stream before stood. */
    } else {
        feed->seq = api_events_newest(feeds->fleet, &feed->actor);
        snprintf(text, sizeof text, "{\"seq\":%lld}", (long long)feed->seq);
        put(feed, (uint64_t)feed->seq, "hello", strdup(text));
    }
    const struct http_events events = {next, end, feed};
    pthread_mutex_lock(&feeds->lock);
    feed->handle = http_answer_events(x, &events);
    feed->next = feeds->feeds;
    feeds->feeds = feed;
    feeds->news = true; /* what it missed */
    pthread_cond_signal(&feeds->changed);
    pthread_mutex_unlock(&feeds->lock);
}
