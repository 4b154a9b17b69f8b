#include "compat/espressif.h"

#include "link/wire.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct espressif {
    struct fleet *fleet;
    struct link_service *link;
    pthread_t thread; /* follows the change feed */
    pthread_mutex_t lock;
    pthread_cond_t more;
    bool following, changed, stop;
    int64_t seen; /* the last event that was looked at */
};

static void *must(void *memory)
{
    if (memory == NULL) {
        fputs("updraftd: out of memory\n", stderr);
        abort();
    }
    return memory;
}

struct fleet *espressif_fleet(const struct espressif *espressif)
{
    return espressif->fleet;
}

struct link_service *espressif_link(const struct espressif *espressif)
{
    return espressif->link;
}

/* --- What the cloud shows --------------------------------------------------------------------- */

/* As the cloud writes times; what never happened has a time of its own. */
static json_t *time_json(int64_t milliseconds)
{
    const time_t seconds = (time_t)(milliseconds / 1000);
    struct tm parts;
    char text[32];

    if (milliseconds == 0 || gmtime_r(&seconds, &parts) == NULL ||
        strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &parts) == 0) {
        return json_string("0001-01-01 08:05:57");
    }
    return json_string(text);
}

/* The apps want a number; ours are texts. This one is stable, and opens nothing. */
static json_int_t number_of(const char *id)
{
    uint32_t hash = 2166136261u;

    for (; *id != '\0'; id++) {
        hash = (hash ^ (unsigned char)*id) * 16777619u;
    }
    return (json_int_t)(hash & INT32_MAX);
}

static void latest_version(struct fleet *fleet, const struct device *device,
                           char version[VERSION_SIZE])
{
    struct store_where where[] = {STORE_NUMBER("product", device->product),
                                  STORE_NUMBER("current", 1)};
    const struct store_query query = {.where = where, .count = 2};
    struct release *release = must(malloc(sizeof *release));
    struct store_view *view = store_read(fleet_store(fleet));

    version[0] = '\0';
    if (view != NULL && store_get(view, STORE_RELEASE, &query, release) == STORE_OK) {
        memcpy(version, release->version, VERSION_SIZE);
    }
    if (view != NULL) {
        store_end(view);
    }
    free(release);
}

/* What the apps take for the running version: once a device has said that it downloaded one, that,
 * because they wait for it before they order the reboot. The fleet itself knows better. */
static void shown_version(struct fleet *fleet, const struct device *device,
                          char version[VERSION_SIZE])
{
    struct update update;
    struct store_view *view = store_read(fleet_store(fleet));

    memcpy(version, device->version, VERSION_SIZE);
    if (view != NULL && device->update != 0 &&
        store_get_no(view, STORE_UPDATE, device->update, &update) == STORE_OK &&
        (update.state == UPDATE_DOWNLOADED || update.state == UPDATE_REBOOTING)) {
        memcpy(version, update.version, VERSION_SIZE);
    }
    if (view != NULL) {
        store_end(view);
    }
}

bool espressif_device_at(struct espressif *espressif, int64_t number, struct device *device)
{
    struct store_view *view = store_read(fleet_store(espressif->fleet));
    bool found =
        view != NULL && number != 0 && store_get_no(view, STORE_DEVICE, number, device) == STORE_OK;

    if (view != NULL) {
        store_end(view);
    }
    return found;
}

json_t *espressif_device_json(struct espressif *espressif, const struct device *device, bool full)
{
    char running[VERSION_SIZE], latest[VERSION_SIZE];
    struct product *product = must(calloc(1, sizeof *product));
    struct store_view *view = store_read(fleet_store(espressif->fleet));
    json_t *json;

    if (view != NULL) {
        (void)store_get_no(view, STORE_PRODUCT, device->product, product);
        store_end(view);
    }
    shown_version(espressif->fleet, device, running);
    latest_version(espressif->fleet, device, latest);
    json = json_pack("{s:I, s:s, s:I, s:i, s:s, s:s, s:i, s:i, s:i, s:s, s:s}", "id",
                     number_of(device->id), "updraft_id", device->id, "ptype",
                     (json_int_t)product->ptype, "visibly", 1, "serial", device->serial, "bssid",
                     device->mac, "status", 2, "is_private", 1, "activate_status",
                     device->activated != 0, "rom_version", running, "latest_rom_version", latest);
    if (full) {
        json_object_update_new(
            json,
            json_pack("{s:I, s:s, s:s, s:s, s:s, s:i, s:o, s:o, s:o, s:o, s:o, s:o}", "product_id",
                      number_of(product->id), "name", device->name, "description", "", "metadata",
                      "", "location", "", "is_frozen", 0, "created", time_json(device->created),
                      "updated", time_json(device->last_seen), "last_active",
                      time_json(device->last_seen), "last_push", time_json(0), "last_pull",
                      time_json(device->last_seen), "activated_at", time_json(device->activated)));
    }
    free(product);
    return json;
}

/* --- What devices are told -------------------------------------------------------------------- */

/* With every member that the cloud sent but the keys of the owner, which a device has no use for
 * and a listener on the way would have. */
json_t *espressif_rpc_message(json_t *get)
{
    return json_pack("{s:{}, s:o, s:{}, s:s, s:{}, s:s, s:b}", "body", "get", get, "meta", "path",
                     "/v1/device/rpc/", "post", "method", "GET", "deliver_to_device", 1);
}

struct sending {
    struct espressif *espressif;
    char id[ID_SIZE];
    bool reboot;
    link_done *done;
    void *ctx;
};

static void is_sent(void *ctx, enum link_outcome outcome, int64_t nonce, const json_t *answer)
{
    struct sending *sending = ctx;
    struct fleet *fleet = sending->espressif->fleet;
    struct fleet_error error;

    if (sending->reboot && outcome == LINK_RPC_SENT) {
        (void)fleet_device_said(fleet, sending->id, SAYING_REBOOTING, NULL, NULL, &error);
    } else if (!sending->reboot && outcome == LINK_RPC_ANSWERED &&
               json_integer_value(json_object_get(answer, "status")) == 200) {
        (void)fleet_device_said(fleet, sending->id, SAYING_ACKED, NULL, NULL, &error);
    }
    if (sending->done != NULL) {
        sending->done(sending->ctx, outcome, nonce, answer);
    }
    free(sending);
}

void espressif_send(struct espressif *espressif, const struct device *device, json_t *get,
                    link_done *done, void *ctx)
{
    struct sending *sending = must(calloc(1, sizeof *sending));
    const char *action = link_text(get, "action");
    json_t *message;

    sending->espressif = espressif;
    sending->reboot = action != NULL && strcmp(action, "sys_reboot") == 0;
    sending->done = done;
    sending->ctx = ctx;
    memcpy(sending->id, device->id, sizeof sending->id);
    if (action == NULL || (!sending->reboot && strcmp(action, "sys_upgrade") != 0)) {
        free(sending);
        sending = NULL;
    }
    message = espressif_rpc_message(get);
    if (espressif->link == NULL) {
        (sending != NULL ? is_sent : done)(sending != NULL ? sending : ctx, LINK_RPC_ABSENT, 0,
                                           NULL);
    } else if (sending != NULL) {
        link_rpc(espressif->link, device->no, message, !sending->reboot, is_sent, sending);
    } else {
        link_rpc(espressif->link, device->no, message, true, done, ctx);
    }
    json_decref(message);
}

/* Of a device that has just come, and still runs what it ran: it lost power, or the connection, before
 * it said that it has the release. What it did say it has, it is not told to fetch again. */
static bool has_to_go_on(const struct update *update)
{
    return update->state == UPDATE_DOWNLOADING ||
           (update->state == UPDATE_DOWNLOADED && update->inferred);
}

/* What to do now is the fleet's decision. `fresh`: the device has just come, so that a download
 * which was going on has ended without a word. */
static void decide_for(struct espressif *espressif, int64_t number, bool fresh)
{
    struct device *device = must(malloc(sizeof *device));
    struct fleet_answer *answer = must(malloc(sizeof *answer));
    struct device_facts facts = DEVICE_FACTS_INIT;
    struct fleet_error error;

    facts.protocol = PROTOCOL_ESPRESSIF_LINK;
    facts.asked = ASKED_APP;
    if (espressif_device_at(espressif, number, device)) {
        facts.device_key = device->device_key;
        if (fleet_check(espressif->fleet, &facts, answer, &error) == FLEET_OK &&
            answer->recognised == RECOGNISED) {
            const int32_t state = answer->update.state;
            if (answer->reboot) {
                espressif_send(
                    espressif, device,
                    json_pack("{s:s, s:s}", "action", "sys_reboot", "deliver_to_device", "true"),
                    NULL, NULL);
            } else if (answer->reason == REASON_OFFER && answer->update.no != 0 &&
                       (state == UPDATE_OFFERED || state == UPDATE_ACCEPTED ||
                        (fresh && has_to_go_on(&answer->update)))) {
                espressif_send(espressif, device,
                               json_pack("{s:s, s:s, s:s}", "action", "sys_upgrade", "version",
                                         answer->version, "deliver_to_device", "true"),
                               NULL, NULL);
            }
        }
    }
    free(answer);
    free(device);
}

struct considering {
    struct espressif *espressif;
    int64_t device;
};

static void consider(void *ctx)
{
    struct considering *considering = ctx;

    decide_for(considering->espressif, considering->device, false);
    free(considering);
}

void espressif_consider(struct espressif *espressif, int64_t device)
{
    struct considering *considering = must(malloc(sizeof *considering));

    *considering = (struct considering){espressif, device};
    if (espressif->link == NULL) {
        free(considering);
        return;
    }
    link_work(espressif->link, device, consider, considering);
}

/* --- What devices say ------------------------------------------------------------------------- */

/* Texts of answers keep clear of the words that stock firmware looks for: "device", "timers". */
static json_t *refusal(int status, const char *why)
{
    return json_pack("{s:i, s:s}", "status", status, "message", why);
}

static void becomes(struct link_peer *peer, const struct device *device, const char *key)
{
    peer->device = device->no;
    snprintf(peer->id, sizeof peer->id, "%s", device->id);
    snprintf(peer->key, sizeof peer->key, "%s", key);
}

/* What updraft's own agent reports, in the words of its other protocols. */
static void read_report(const json_t *body, char *report, size_t size)
{
    const char *word = link_text(body, "updraft");
    const char *reason = link_text(body, "reason");
    const char *fallen = link_text(body, "fallen");

    snprintf(report, size, "%.20s %.40s %.60s", word != NULL ? word : "",
             reason != NULL ? reason : "", fallen != NULL ? fallen : "");
}

/* Whose key is it? NULL: known, and the link is its; else the refusal. */
static json_t *recognise(struct espressif *espressif, struct link_peer *peer,
                         const struct link_message *message, struct fleet_answer *answer)
{
    struct device_facts facts = DEVICE_FACTS_INIT;
    struct fleet_error error;
    enum fleet_status status;

    char report[160] = "";

    facts.protocol = PROTOCOL_ESPRESSIF_LINK;
    facts.device_key = message->key != NULL ? message->key : "";
    facts.address = peer->address;
    facts.only_asks = true;
    if (message->topic == LINK_IDENTIFY) {
        facts.version = link_text(message->body, "rom_version");
        facts.counts_as_boot = peer->device == 0;
        read_report(message->body, report, sizeof report);
        device_facts_report(&facts, report);
    }
    status = fleet_check(espressif->fleet, &facts, answer, &error);
    if (status != FLEET_OK && status != FLEET_FULL) {
        return refusal(500, "the server cannot read its database");
    }
    if (answer->device.no == 0 || answer->recognised == RECOGNISED_BLOCKED) {
        return refusal(403, "this key is not known");
    }
    becomes(peer, &answer->device, facts.device_key);
    return NULL;
}

static json_t *on_activate(struct espressif *espressif, struct link_peer *peer,
                           const struct link_message *message)
{
    struct device *device = must(malloc(sizeof *device));
    struct fleet_error error;
    json_t *answer;

    if (fleet_device_activate(espressif->fleet, message->key, link_text(message->body, "token"),
                              link_text(message->body, "bssid"),
                              link_text(message->body, "rom_version"), device,
                              &error) == FLEET_OK) {
        becomes(peer, device, message->key);
        answer = json_pack("{s:i, s:i, s:s, s:o}", "activate_status", 1, "status", 200, "message",
                           "device activated", "device",
                           espressif_device_json(espressif, device, false));
    } else {
        answer = json_pack("{s:i, s:i, s:s}", "activate_status", 0, "status", 403, "message",
                           "this key is not known");
    }
    free(device);
    return answer;
}

static json_t *on_identify(struct espressif *espressif, const struct fleet_answer *answer)
{
    return json_pack("{s:o, s:o, s:s, s:i}", "datetime", time_json(fleet_now(espressif->fleet)),
                     "device", espressif_device_json(espressif, &answer->device, false), "message",
                     "device identified", "status", 200);
}

static json_t *on_saying(struct espressif *espressif, const struct link_peer *peer,
                         const struct link_message *message)
{
    const char *version = link_text(message->body, "rom_version");
    const char *action = message->action != NULL ? message->action : "";
    struct fleet_error error = {.status = FLEET_OK};

    if (strcmp(action, "device_upgrade_success") == 0) {
        (void)fleet_device_said(espressif->fleet, peer->id, SAYING_DOWNLOADED, version, NULL,
                                &error);
        espressif_consider(espressif, peer->device);
    } else if (strcmp(action, "device_upgrade_failed") == 0) {
        (void)fleet_device_said(espressif->fleet, peer->id, SAYING_FAILED, version, NULL, &error);
    }
    return error.status == FLEET_OK || error.status == FLEET_NOT_FOUND
               ? json_pack("{s:i, s:s}", "status", 200, "message", "send message success")
               : refusal(500, "this could not be recorded");
}

/* Stock firmware takes the seconds up to the next comma, and a list between quotes: none of ours.
 */
static json_t *on_timers(struct espressif *espressif)
{
    return json_pack("{s:I, s:s, s:i}", "timestamp",
                     (json_int_t)(fleet_now(espressif->fleet) / 1000), "timers", "", "status", 200);
}

static json_t *on_known(struct espressif *espressif, struct link_peer *peer,
                        const struct link_message *message, const struct fleet_answer *answer)
{
    switch (message->topic) {
    case LINK_IDENTIFY:
        return on_identify(espressif, answer);
    case LINK_PING:
        return json_pack("{s:i, s:s}", "status", 200, "message", "ping success");
    case LINK_SAYING:
        return on_saying(espressif, peer, message);
    case LINK_TIMERS:
        return on_timers(espressif);
    case LINK_DATAPOINT:
    case LINK_DATAPOINTS:
        return json_pack("{s:i, s:s}", "status", 200, "message", "send message success");
    case LINK_ACTIVATE:
    case LINK_ANSWER:
    case LINK_UNKNOWN:
        break;
    }
    return refusal(404, "there is no such path");
}

static json_t *on_message(void *ctx, struct link_peer *peer, const struct link_message *message)
{
    struct espressif *espressif = ctx;
    struct fleet_answer *answer;
    json_t *reply = NULL;

    if (message->key == NULL || strlen(message->key) >= LINK_KEY_SIZE) {
        return refusal(403, "this key is not known");
    }
    if (message->topic == LINK_ACTIVATE) {
        return on_activate(espressif, peer, message);
    }
    answer = must(calloc(1, sizeof *answer));
    if (message->topic == LINK_IDENTIFY || peer->device == 0 ||
        strcmp(peer->key, message->key) != 0) {
        reply = recognise(espressif, peer, message, answer);
    }
    if (reply == NULL) {
        reply = on_known(espressif, peer, message, answer);
    }
    free(answer);
    return reply;
}

static void on_presence(void *ctx, const struct link_peer *peer, bool open)
{
    struct espressif *espressif = ctx;
    struct fleet_error error;

    (void)fleet_device_linked(espressif->fleet, peer->id, open, &error);
    if (open) {
        decide_for(espressif, peer->device, true);
    }
}

static void on_ping(void *ctx, int64_t device)
{
    struct espressif *espressif = ctx;
    const struct telemetry heard = {.device = device, .last_seen = fleet_now(espressif->fleet)};

    store_note(fleet_store(espressif->fleet), &heard);
}

/* --- A release became current ------------------------------------------------------------------
 */

struct following {
    struct espressif *espressif;
    bool released;
    int64_t *devices;
    size_t count;
};

static void look_at_event(void *ctx, const struct event *event)
{
    struct following *following = ctx;

    following->espressif->seen = event->no;
    following->released |= strcmp(event->kind, "release.current") == 0;
}

static void note_device(void *ctx, int64_t device)
{
    struct following *following = ctx;

    following->devices =
        must(realloc(following->devices, (following->count + 1) * sizeof *following->devices));
    following->devices[following->count++] = device;
}

static void follow_events(struct espressif *espressif)
{
    struct following following = {.espressif = espressif};
    struct fleet_error error;
    int64_t newest = espressif->seen, before;
    enum fleet_status status;

    do {
        before = espressif->seen;
        status = fleet_events(espressif->fleet, &fleet_system, before, 500, look_at_event,
                              &following, &newest, &error);
        espressif->seen = newest > espressif->seen ? newest : espressif->seen;
    } while (status == FLEET_OK && espressif->seen > before);
    if (status == FLEET_CONFLICT) {
        following.released = true; /* events are gone: ask for all */
    }
    if (following.released) {
        link_each(espressif->link, note_device, &following);
        for (size_t i = 0; i < following.count; i++) {
            espressif_consider(espressif, following.devices[i]);
        }
    }
    free(following.devices);
}

static void *follow(void *ctx)
{
    struct espressif *espressif = ctx;

    pthread_mutex_lock(&espressif->lock);
    while (!espressif->stop) {
        if (!espressif->changed) {
            pthread_cond_wait(&espressif->more, &espressif->lock);
            continue;
        }
        espressif->changed = false;
        pthread_mutex_unlock(&espressif->lock);
        follow_events(espressif);
        pthread_mutex_lock(&espressif->lock);
    }
    pthread_mutex_unlock(&espressif->lock);
    return NULL;
}

static void on_commit(void *ctx, int64_t newest)
{
    struct espressif *espressif = ctx;

    (void)newest;
    pthread_mutex_lock(&espressif->lock);
    espressif->changed = true;
    pthread_cond_signal(&espressif->more);
    pthread_mutex_unlock(&espressif->lock);
}

/* --- The whole -------------------------------------------------------------------------------- */

static int64_t newest_event(struct espressif *espressif)
{
    const struct store_query query = {.order = "no", .descending = true, .limit = 1};
    struct event *event = must(calloc(1, sizeof *event));
    struct store_view *view = store_read(fleet_store(espressif->fleet));
    int64_t newest;

    if (view != NULL) {
        (void)store_get(view, STORE_EVENT, &query, event);
        store_end(view);
    }
    newest = event->no;
    free(event);
    return newest;
}

struct espressif *espressif_open(struct fleet *fleet, const struct link_options *options, char *why)
{
    struct espressif *espressif = must(calloc(1, sizeof *espressif));
    const struct link_protocol protocol = {on_message, on_presence, on_ping, espressif};

    espressif->fleet = fleet;
    pthread_mutex_init(&espressif->lock, NULL);
    pthread_cond_init(&espressif->more, NULL);
    if ((options->plain == NULL || options->plain[0] == NULL) &&
        (options->tls == NULL || options->tls[0] == NULL)) {
        return espressif;
    }
    espressif->seen = newest_event(espressif);
    espressif->link = link_open(options, &protocol, why);
    if (espressif->link == NULL) {
        espressif_close(espressif);
        return NULL;
    }
    espressif->following = pthread_create(&espressif->thread, NULL, follow, espressif) == 0 &&
                           store_listen(fleet_store(fleet), on_commit, espressif);
    return espressif;
}

void espressif_stop_waiting(struct espressif *espressif)
{
    if (espressif != NULL && espressif->link != NULL) {
        link_end_rpcs(espressif->link);
    }
}

void espressif_close(struct espressif *espressif)
{
    if (espressif == NULL) {
        return;
    }
    if (espressif->following) {
        store_unlisten(fleet_store(espressif->fleet), on_commit, espressif);
        pthread_mutex_lock(&espressif->lock);
        espressif->stop = true;
        pthread_cond_signal(&espressif->more);
        pthread_mutex_unlock(&espressif->lock);
        pthread_join(espressif->thread, NULL);
    }
    link_close(espressif->link);
    pthread_cond_destroy(&espressif->more);
    pthread_mutex_destroy(&espressif->lock);
    free(espressif);
}

uint16_t espressif_port(const struct espressif *espressif, bool tls, size_t index)
{
    return espressif->link != NULL ? link_port(espressif->link, tls, index) : 0;
}

bool espressif_reload(struct espressif *espressif, char *why)
{
    return espressif->link == NULL || link_reload(espressif->link, why);
}

struct http_table espressif_table(struct espressif *espressif)
{
    return (struct http_table){espressif_routes, espressif_route_count, espressif};
}

/* --- For the API ------------------------------------------------------------------------------ */

static bool find_linked(struct espressif *espressif, const char *id, struct device *device)
{
    struct store_view *view = store_read(fleet_store(espressif->fleet));
    bool found = view != NULL && store_get_text(view, STORE_DEVICE, "id", id, device) == STORE_OK;

    if (view != NULL) {
        store_end(view);
    }
    return found && espressif->link != NULL && link_has(espressif->link, device->no);
}

static bool api_notify(void *ctx, const char *id)
{
    struct device *device = must(malloc(sizeof *device));
    const bool found = find_linked(ctx, id, device);

    if (found) {
        espressif_consider(ctx, device->no);
    }
    free(device);
    return found;
}

/* An rpc that somebody waits for. Each rpc ends, so that nobody waits for ever. */
struct waiting {
    pthread_mutex_t lock;
    pthread_cond_t done;
    struct espressif_outcome *outcome;
    bool over;
};

static void wake(void *ctx, enum link_outcome outcome, int64_t nonce, const json_t *answer)
{
    struct waiting *waiting = ctx;

    pthread_mutex_lock(&waiting->lock);
    *waiting->outcome = (struct espressif_outcome){outcome, nonce, json_deep_copy(answer)};
    waiting->over = true;
    pthread_cond_signal(&waiting->done);
    pthread_mutex_unlock(&waiting->lock);
}

void espressif_call(struct espressif *espressif, const struct device *device, json_t *get,
                    struct espressif_outcome *outcome)
{
    struct waiting waiting = {.outcome = outcome};

    pthread_mutex_init(&waiting.lock, NULL);
    pthread_cond_init(&waiting.done, NULL);
    espressif_send(espressif, device, get, wake, &waiting);
    pthread_mutex_lock(&waiting.lock);
    while (!waiting.over) {
        pthread_cond_wait(&waiting.done, &waiting.lock);
    }
    pthread_mutex_unlock(&waiting.lock);
    pthread_mutex_destroy(&waiting.lock);
    pthread_cond_destroy(&waiting.done);
}

/* The link's own time-out ends the wait. */
static bool api_rpc(void *ctx, const char *id, const json_t *body, uint32_t timeout_ms,
                    json_t **answer)
{
    struct device *device = must(malloc(sizeof *device));
    struct espressif_outcome outcome = {.outcome = LINK_RPC_ABSENT};

    (void)timeout_ms;
    if (find_linked(ctx, id, device)) {
        espressif_call(ctx, device, json_deep_copy(body), &outcome);
    }
    free(device);
    /* Stock firmware reboots instead of answering. */
    *answer = outcome.outcome == LINK_RPC_SENT ? json_pack("{s:b}", "sent", 1) : outcome.answer;
    return *answer != NULL;
}

struct api_link espressif_api_link(struct espressif *espressif)
{
    /* The order to reboot is recorded before: the fleet's decision sends it. */
    return (struct api_link){
        .notify = api_notify, .reboot = api_notify, .rpc = api_rpc, .ctx = espressif};
}
