#include "compat/espressif.h"

#include "compat/compat.h"

#include <stdlib.h>
#include <string.h>

/*
 * Answers are JSON with the status in it, and one space after each colon: the AT firmware looks for
 * `recommended_rom_version": "` to the letter.
 */
static void answer(struct http_exchange *x, unsigned status, json_t *json)
{
    char *text;

    json_object_set_new(json, "status", json_integer(status));
    text = json_dumps(json, JSON_ENSURE_ASCII);
    json_decref(json);
    if (text == NULL) {
        abort();
    }
    http_answer(x, status, "application/json", text, strlen(text));
    free(text);
}

static void refuse(struct http_exchange *x, unsigned status, const char *message)
{
    answer(x, status, json_pack("{s:s}", "message", message));
}

static bool failed(struct http_exchange *x, enum fleet_status status,
                   const struct fleet_error *error)
{
    if (status == FLEET_OK) {
        return false;
    }
    refuse(x, (unsigned)fleet_status_http(status), error->message);
    return true;
}

static struct espressif *espressif_of(const struct http_exchange *x)
{
    return http_context(x);
}

static const char *key_of(struct http_exchange *x)
{
    return http_credentials(x)->token;
}

/* The cloud's answer for a key that opens nothing, its status included: the apps know it by both. */
static void unknown_key(struct http_exchange *x)
{
    refuse(x, 500, "devicekey not exists");
}

/* --- Who asks --------------------------------------------------------------------------------- */

/* The device of a device key, recorded as heard of. */
static bool by_device_key(struct http_exchange *x, struct device_facts *facts,
                          struct fleet_answer *found)
{
    struct fleet_error error;
    enum fleet_status status;

    facts->protocol = PROTOCOL_ESPRESSIF_HTTP;
    facts->device_key = key_of(x) != NULL ? key_of(x) : "";
    facts->address = http_peer(x)->address;
    status = fleet_check(espressif_fleet(espressif_of(x)), facts, found, &error);
    return (status == FLEET_OK || status == FLEET_FULL) && found->device.no != 0 &&
           found->recognised != RECOGNISED_BLOCKED;
}

/* The one who asks by a user's or an owner's key; false: answered. */
static bool by_user_key(struct http_exchange *x, struct actor *actor)
{
    struct fleet_error error;

    if (key_of(x) == NULL || fleet_authenticate(espressif_fleet(espressif_of(x)), key_of(x), false,
                                                actor, &error) != FLEET_OK) {
        refuse(x, 401, "this key is not known");
        return false;
    }
    return true;
}

/* The device that the key opens: an owner key one, a user key the one that device_id names. A
 * device of somebody else is answered like one that does not exist. False: answered. */
static bool by_owner_key(struct http_exchange *x, struct actor *actor, struct device *device)
{
    struct fleet *fleet = espressif_fleet(espressif_of(x));
    const char *id = http_query(x, "device_id");
    struct fleet_error error;

    if (key_of(x) == NULL ||
        fleet_authenticate(fleet, key_of(x), false, actor, &error) != FLEET_OK) {
        unknown_key(x);
        return false;
    }
    if (actor->device != 0) {
        if (!espressif_device_at(espressif_of(x), actor->device, device)) {
            unknown_key(x);
            return false;
        }
        id = http_printf(x, "%s", device->id);
    }
    if (id == NULL) {
        refuse(x, 422, "a user's key has to name the device: device_id=");
        return false;
    }
    if (fleet_device_show(fleet, actor, id, device, &error) != FLEET_OK) {
        if (actor->device != 0) {
            unknown_key(x);
        } else {
            refuse(x, 404, "there is no such device");
        }
        return false;
    }
    return true;
}

/* --- Rpc -------------------------------------------------------------------------------------- */

static void answer_outcome(struct http_exchange *x, struct espressif_outcome *outcome)
{
    switch (outcome->outcome) {
    case LINK_RPC_ANSWERED: {
        const json_int_t status = json_integer_value(json_object_get(outcome->answer, "status"));
        answer(x, status >= 200 && status < 600 ? (unsigned)status : 502, outcome->answer);
        return;
    }
    case LINK_RPC_SENT:
        answer(
            x, 200,
            json_pack("{s:I, s:b}", "nonce", (json_int_t)outcome->nonce, "deliver_to_device", 1));
        return;
    case LINK_RPC_ABSENT:
    case LINK_RPC_LOST:
        refuse(x, 404, link_outcome_text(outcome->outcome));
        return;
    case LINK_RPC_SILENT:
        refuse(x, 504, link_outcome_text(outcome->outcome));
        return;
    case LINK_RPC_TOO_LONG:
        refuse(x, 413, link_outcome_text(outcome->outcome));
        return;
    case LINK_RPC_CROWDED:
    case LINK_RPC_STOPPED:
        refuse(x, 503, link_outcome_text(outcome->outcome));
        return;
    }
}

/* The query as the device gets it: all texts. */
static json_t *query_json(const struct http_exchange *x)
{
    json_t *get = json_object();
    const char *name, *value;

    for (size_t i = 0; http_query_at(x, i, &name, &value); i++) {
        const char *plain = http_query_plus(x, name);
        json_object_set_new(get, name, json_string(plain != NULL ? plain : value));
    }
    return get;
}

/*
 * Whether the device may get this version now. Who may order does; the owner's wish is his consent,
 * and the fleet then offers it or says why not. False: answered.
 */
static bool may_upgrade(struct http_exchange *x, const struct actor *actor,
                        const struct device *device, const char *version)
{
    struct fleet *fleet = espressif_fleet(espressif_of(x));
    struct update *update = http_alloc(x, sizeof *update);
    struct fleet_answer *found = http_alloc(x, sizeof *found);
    struct device_facts facts = DEVICE_FACTS_INIT;
    struct device *whole = http_alloc(x, sizeof *whole);
    struct fleet_why why;
    struct fleet_error error;
    enum fleet_status status =
        fleet_device_order(fleet, actor, device->id, version, false, update, &error);

    if (status == FLEET_OK) {
        return true;
    }
    if (status != FLEET_FORBIDDEN) {
        return !failed(x, status, &error);
    }
    facts.protocol = PROTOCOL_ESPRESSIF_LINK;
    facts.wanted_version = version;
    facts.wanted_file =
        "user2.bin"; /* either is part of the release; which one, the device knows */
    if (!espressif_device_at(espressif_of(x), device->no, whole)) {
        unknown_key(x);
        return false;
    }
    facts.device_key = whole->device_key;
    status = fleet_device_answer(fleet, actor, device->id, ANSWER_NOW, 0, &error);
    if (status != FLEET_OK && status != FLEET_CONFLICT) {
        return !failed(x, status, &error);
    }
    if (failed(x, fleet_check(fleet, &facts, found, &error), &error)) {
        return false;
    }
    if (found->recognised != RECOGNISED || found->reason != REASON_OFFER) {
        /* In the words of the same decision, when it was not of the version's name alone. */
        bool told = fleet_device_explain(fleet, actor, device->id, &why, &error) == FLEET_OK &&
                    why.reason == found->reason;
        refuse(x, 409, told ? why.words.text : "it is not offered to this device");
        return false;
    }
    return true;
}

static void rpc(struct http_exchange *x)
{
    struct actor *actor = http_alloc(x, sizeof *actor);
    struct device *device = http_alloc(x, sizeof *device);
    const char *action = http_query(x, "action");
    struct fleet_error error;
    struct espressif_outcome outcome = {.outcome = LINK_RPC_ABSENT};

    if (!by_owner_key(x, actor, device)) {
        return;
    }
    const char *deliver = http_query(x, "deliver_to_device");
    if (action == NULL || deliver == NULL || strcmp(deliver, "true") != 0) {
        refuse(x, 422, "deliver_to_device=true and action= are needed");
        return;
    }
    struct link_service *link = espressif_link(espressif_of(x));
    if (link == NULL || !link_has(link, device->no)) {
        answer_outcome(x, &outcome);
        return;
    }
    if (strcmp(action, "sys_upgrade") == 0) {
        const char *version = http_query_plus(x, "version");
        if (version == NULL) {
            refuse(x, 422, "version= is needed");
            return;
        }
        if (!may_upgrade(x, actor, device, version)) {
            return;
        }
    } else if (strcmp(action, "sys_reboot") == 0) {
        if (failed(x,
                   fleet_device_reboot(espressif_fleet(espressif_of(x)), actor, device->id, &error),
                   &error)) {
            return;
        }
    } else if (actor->device == 0 && device->owner != actor->user && !actor->administrator) {
        refuse(x, 403, "requests to this device are its owner's");
        return;
    }
    espressif_call(espressif_of(x), device, query_json(x), &outcome);
    answer_outcome(x, &outcome);
}

/* --- Devices ---------------------------------------------------------------------------------- */

static void show_device(struct http_exchange *x)
{
    struct device_facts facts = DEVICE_FACTS_INIT;
    struct fleet_answer *found = http_alloc(x, sizeof *found);
    struct actor *actor = http_alloc(x, sizeof *actor);
    struct device *device = &found->device;

    facts.only_asks = true;
    facts.asked = ASKED_VERSION;
    if (!by_device_key(x, &facts, found) && !by_owner_key(x, actor, device)) {
        return;
    }
    answer(x, 200,
           json_pack("{s:o}", "device", espressif_device_json(espressif_of(x), device, true)));
}

struct roms {
    json_t *list;
    const char *recommended;
    struct http_exchange *x;
    bool simple;
};

static void add_rom(void *ctx, const struct release *release)
{
    struct roms *roms = ctx;
    json_t *rom;

    if (release->withdrawn != 0) {
        return;
    }
    rom = json_pack("{s:s, s:i, s:s}", "version", release->version, "recommended", release->current,
                    "life_cycle", release->version[0] == 'b' ? "beta" : "release");
    if (!roms->simple) {
        json_object_set_new(rom, "files",
                            json_pack("[{s:s}, {s:s}]", "name", "user1.bin", "name", "user2.bin"));
    }
    json_array_append_new(roms->list, rom);
    if (release->current) {
        roms->recommended = http_printf(roms->x, "%s", release->version);
    }
}

static void list_roms(struct http_exchange *x)
{
    struct device_facts facts = DEVICE_FACTS_INIT;
    struct fleet_answer *found = http_alloc(x, sizeof *found);
    struct fleet_query query = {.limit = 500};
    struct fleet_page page;
    struct fleet_error error;
    const char *simple = http_query(x, "is_format_simple");
    struct roms roms = {json_array(), "", x, simple != NULL && strcmp(simple, "true") == 0};

    facts.only_asks = true;
    facts.asked = ASKED_VERSION;
    if (!by_device_key(x, &facts, found)) {
        json_decref(roms.list);
        unknown_key(x);
        return;
    }
    query.product = found->product;
    if (failed(x,
               fleet_release_list(espressif_fleet(espressif_of(x)), &fleet_system, &query, add_rom,
                                  &roms, &page, &error),
               &error)) {
        json_decref(roms.list);
        return;
    }
    answer(x, 200,
           json_pack("{s:i, s:s, s:o}", "status", 200, "recommended_rom_version", roms.recommended,
                     "productRoms", roms.list));
}

/* --- ROM download ----------------------------------------------------------------------------- */

struct download {
    struct espressif *espressif;
    struct fleet_answer answer;
    bool whole;
};

static void record(void *ctx)
{
    struct download *download = ctx;
    struct fleet_error error;

    if (download->whole) {
        (void)fleet_download_finished(espressif_fleet(download->espressif), &download->answer,
                                      &error);
    }
    free(download);
}

/* On a thread of sockets, which does not wait for a disk. */
static void sent(void *ctx, uint64_t first, uint64_t count, bool complete)
{
    const struct download *download = ctx;
    struct download *copy = malloc(sizeof *copy);

    if (copy == NULL) {
        abort();
    }
    *copy = *download;
    copy->whole = complete && first + count == (uint64_t)download->answer.image.size;
    if (espressif_link(download->espressif) == NULL) {
        record(copy);
    } else {
        link_work(espressif_link(download->espressif), download->answer.device.no, record, copy);
    }
}

/* Likewise, on the ticker's. */
static void progress(void *ctx, uint64_t offset)
{
    const struct download *it = ctx;

    fleet_download_progress(espressif_fleet(it->espressif), &it->answer, (int64_t)offset);
}

/*
 * Stock firmware takes any answer with a length for the file, erases its slot for it and fails much
 * later: a refusal has Content-Length: 0 and nothing else.
 */
static void download(struct http_exchange *x)
{
    struct espressif *espressif = espressif_of(x);
    struct download *it = http_alloc(x, sizeof *it);
    struct device_facts facts = DEVICE_FACTS_INIT;
    struct fleet_error error;
    int fd = -1;

    facts.wanted_version = http_query_plus(x, "version");
    facts.wanted_file = http_query(x, "filename");
    facts.only_asks = http_method(x) == HTTP_HEAD;
    facts.again = compat_range_start(x) > 0;
    if (facts.wanted_version == NULL || facts.wanted_file == NULL) {
        http_answer_empty(x, 400);
        return;
    }
    if (!by_device_key(x, &facts, &it->answer)) {
        http_answer_empty(x, 401);
        return;
    }
    if (it->answer.recognised != RECOGNISED || it->answer.reason != REASON_OFFER) {
        http_answer_empty(x,
                          it->answer.recognised == RECOGNISED ? 404 : (unsigned)it->answer.reply);
        return;
    }
    if (fleet_answer_open(espressif_fleet(espressif), &it->answer, &fd, &error) != FLEET_OK) {
        http_answer_empty(x, 500);
        return;
    }
    if (http_method(x) != HTTP_HEAD) {
        (void)fleet_download_begun(espressif_fleet(espressif), &it->answer, compat_range_start(x),
                                   &error);
    }
    it->espressif = espressif;
    const struct http_file file = {
        .fd = fd,
        .size = (uint64_t)it->answer.image.size,
        .type = "application/octet-stream",
        .etag = it->answer.image.sha256,
        .sent = sent,
        .progress = progress,
        .ctx = it,
    };
    http_answer_file(x, &file);
    http_answer_aligned(x);
}

static void rom(struct http_exchange *x)
{
    const char *action = http_query(x, "action");

    if (action == NULL) {
        list_roms(x);
    } else if (strcmp(action, "download_rom") == 0) {
        download(x);
    } else {
        http_answer_empty(x, 400);
    }
}

/* --- Keys and users --------------------------------------------------------------------------- */

/* A body is read leniently: the apps send members that we do not know. */
static json_t *read_body(struct http_exchange *x)
{
    size_t size;
    const char *body = http_body(x, &size);
    json_t *json = json_loadb(body, size, JSON_REJECT_DUPLICATES, NULL);

    if (!json_is_object(json)) {
        json_decref(json);
        refuse(x, 400, "the body is not an object of JSON");
        return NULL;
    }
    return json;
}

static const char *member(struct http_exchange *x, const json_t *json, const char *name)
{
    const char *text = link_text(json, name);

    if (text == NULL) {
        refuse(x, 422, http_printf(x, "%s is missing or not a text", name));
    }
    return text;
}

static void authorize(struct http_exchange *x)
{
    struct actor *actor = http_alloc(x, sizeof *actor);
    struct device *device = http_alloc(x, sizeof *device);
    struct fleet_error error;
    char key[SECRET_SIZE];
    json_t *body;
    const char *token;

    if (!by_user_key(x, actor) || (body = read_body(x)) == NULL) {
        return;
    }
    token = member(x, body, "token");
    if (token != NULL && !failed(x,
                                 fleet_key_authorize(espressif_fleet(espressif_of(x)), actor, token,
                                                     key, device, &error),
                                 &error)) {
        json_t *shown = espressif_device_json(espressif_of(x), device, true);
        answer(x, 200,
               json_pack("{s:{s:s, s:i, s:O}, s:o}", "key", "token", key, "is_owner_key", 1,
                         "device_id", json_object_get(shown, "id"), "device", shown));
    }
    json_decref(body);
}

static void login(struct http_exchange *x)
{
    struct fleet *fleet = espressif_fleet(espressif_of(x));
    struct actor *actor = http_alloc(x, sizeof *actor);
    struct token *token = http_alloc(x, sizeof *token);
    struct fleet_error error;
    char session[SECRET_SIZE], key[SECRET_SIZE];
    json_t *body = read_body(x);
    const char *name = body != NULL ? member(x, body, "email") : NULL;
    const char *password = name != NULL ? member(x, body, "password") : NULL;

    if (password != NULL &&
        !failed(x,
                fleet_login(fleet, name, password, http_peer(x)->address, session, actor, &error),
                &error)) {
        const enum fleet_status status = fleet_token_create(
            fleet, actor, TOKEN_USER_KEY, "Espressif app", NULL, 0, key, token, &error);
        struct fleet_error ignored;
        (void)fleet_logout(fleet, actor, &ignored); /* the app goes on with the key */
        if (!failed(x, status, &error)) {
            answer(x, 200,
                   json_pack("{s:{s:i, s:s, s:s}, s:{s:s}}", "user", "id", 1, "username", name,
                             "email", name, "key", "token", key));
        }
    }
    json_decref(body);
}

struct my_devices {
    struct espressif *espressif;
    json_t *list;
};

static void add_device(void *ctx, const struct device *device)
{
    struct my_devices *mine = ctx;

    json_array_append_new(mine->list, espressif_device_json(mine->espressif, device, true));
}

static void user_devices(struct http_exchange *x)
{
    struct actor *actor = http_alloc(x, sizeof *actor);
    struct my_devices mine = {espressif_of(x), json_array()};
    struct fleet_error error;
    const char *grouped = http_query(x, "list_by_group");

    if (!by_user_key(x, actor) ||
        failed(x,
               fleet_my_devices(espressif_fleet(espressif_of(x)), actor, add_device, &mine, &error),
               &error)) {
        json_decref(mine.list);
    } else if (grouped != NULL && strcmp(grouped, "true") == 0) {
        answer(x, 200,
               json_pack("{s:[{s:i, s:s, s:o}]}", "deviceGroups", "id", 0, "name", "", "devices",
                         mine.list));
    } else {
        answer(x, 200, json_pack("{s:o}", "devices", mine.list));
    }
}

static void ping(struct http_exchange *x)
{
    answer(x, 200, json_pack("{s:s}", "message", "ping success"));
}

/* Accounts are made by an administrator, devices are shared by roles, and given up and passed on in
 * the web page. */
static void not_here(struct http_exchange *x)
{
    refuse(x, 403, "this is done by an administrator of this server");
}

enum { BODY = 16384 };

const struct http_route espressif_routes[] = {
    {HTTP_GET, "/v1/device/rpc/", HTTP_DEVICE, HTTP_PLAIN, 0, rpc, NULL, NULL},
    {HTTP_GET, "/v1/device/rom/", HTTP_DEVICE, HTTP_PLAIN, 0, rom, NULL, NULL},
    {HTTP_GET, "/v1/device/", HTTP_DEVICE, HTTP_PLAIN, 0, show_device, NULL, NULL},
    {HTTP_POST, "/v1/key/authorize/", HTTP_DEVICE, HTTP_PLAIN, BODY, authorize, NULL, NULL},
    {HTTP_POST, "/v1/key/", HTTP_DEVICE, HTTP_PLAIN, BODY, not_here, NULL, NULL},
    {HTTP_POST, "/v1/key/share/", HTTP_DEVICE, HTTP_PLAIN, BODY, not_here, NULL, NULL},
    {HTTP_POST, "/v1/user/login/", HTTP_PUBLIC, HTTP_PLAIN, BODY, login, NULL, NULL},
    {HTTP_POST, "/v1/user/join/", HTTP_PUBLIC, HTTP_PLAIN, BODY, not_here, NULL, NULL},
    {HTTP_GET, "/v1/user/devices/", HTTP_DEVICE, HTTP_PLAIN, 0, user_devices, NULL, NULL},
    {HTTP_GET, "/v1/ping/", HTTP_PUBLIC, HTTP_PLAIN, 0, ping, NULL, NULL},
    {HTTP_POST, "/v1/ping/", HTTP_PUBLIC, HTTP_PLAIN, BODY, ping, NULL, NULL},
};
const size_t espressif_route_count = sizeof espressif_routes / sizeof espressif_routes[0];
