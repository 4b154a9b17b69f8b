/* updraftd: the audit log, and the change feed. */
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/** Each field with its length in front, so that no two lines read the same. */
static void hash_line(const char *previous, const struct audit *line, char hash[HEX64_SIZE])
{
    char text[2 * 2048 + NAME_SIZE + 512];
    snprintf(text, sizeof text, "%s|%lld|%lld|%zu:%s|%zu:%s|%zu:%s|%zu:%s|%zu:%s", previous,
             (long long)line->no, (long long)line->time, strlen(line->who), line->who,
             strlen(line->what), line->what, strlen(line->object), line->object,
             strlen(line->before), line->before, strlen(line->after), line->after);
    fleet_sha256_hex(text, hash);
}

static void set_json(char *to, size_t size, const char *json)
{
    if (json == NULL) {
        json = "";
    }
    if (strlen(json) >= size) {
        json = "{\"cut\":true}";
    }
    memcpy(to, json, strlen(json) + 1);
}

enum store_result fleet_audit(struct store_view *view, const struct operation *operation,
                              const char *what, const char *object, const char *before,
                              const char *after)
{
    struct audit last = {0}, line = {.time = fleet_now(operation->fleet)};
    struct store_query query = {.order = "no", .descending = true};
    enum store_result result = store_get(view, STORE_AUDIT, &query, &last);
    if (result != STORE_OK && result != STORE_NONE) {
        return result;
    }
    /* The next number without a gap: a line that is taken out is missed. */
    line.no = last.no + 1;
    snprintf(line.who, sizeof line.who, "%s", operation->actor->name);
    snprintf(line.what, sizeof line.what, "%s", what);
    snprintf(line.object, sizeof line.object, "%s", object);
    set_json(line.before, sizeof line.before, before);
    set_json(line.after, sizeof line.after, after);
    hash_line(last.hash, &line, line.hash);
    return store_insert(view, STORE_AUDIT, &line);
}

struct each_line {
    void (*each)(void *ctx, const struct audit *line);
    void *ctx;
};

static bool give_line(void *ctx, const void *record)
{
    struct each_line *give = ctx;
    give->each(give->ctx, record);
    return true;
}

enum fleet_status fleet_audit_list(struct fleet *fleet, const struct actor *actor,
                                   const struct fleet_query *query,
                                   void (*each)(void *ctx, const struct audit *line), void *ctx,
                                   struct fleet_page *page, struct fleet_error *error)
{
    struct store_query list = {.order = "no", .descending = true};
    struct each_line give = {each, ctx};
    int64_t total = 0;
    struct store_view *view = fleet_view(fleet, error);
    if (view == NULL) {
        return error->status;
    }
    enum fleet_status status =
        fleet_allowed(view, actor, ACTION_AUDIT, 0, NULL, "audit log", error);
    if (status == FLEET_OK) {
        status = fleet_paging(query, "no", &list, error);
    }
    if (status == FLEET_OK) {
        enum store_result result = store_count(view, STORE_AUDIT, NULL, &total);
        if (result == STORE_OK) {
            result = store_each(view, STORE_AUDIT, &list, give_line, &give);
        }
        status = fleet_store_error(error, result);
        fleet_page_end(&list, total, page);
    }
    store_end(view);
    return status;
}

struct chain {
    struct fleet_chain *result;
    char previous[HEX64_SIZE];
};

static bool check_line(void *ctx, const void *record)
{
    struct chain *chain = ctx;
    const struct audit *line = record;
    char hash[HEX64_SIZE];
    hash_line(chain->previous, line, hash);
    if (line->no != chain->result->checked + 1 || strcmp(hash, line->hash) != 0) {
        chain->result->broken_at = line->no;
        return false;
    }
    chain->result->checked++;
    memcpy(chain->previous, line->hash, sizeof chain->previous);
    return true;
}

enum fleet_status fleet_audit_check(struct fleet *fleet, const struct actor *actor,
                                    struct fleet_chain *result, struct fleet_error *error)
{
    struct chain chain = {.result = result};
    struct store_query query = {.order = "no"};
    struct store_view *view = fleet_view(fleet, error);
    if (view == NULL) {
        return error->status;
    }
    *result = (struct fleet_chain){0};
    enum fleet_status status =
        fleet_allowed(view, actor, ACTION_AUDIT, 0, NULL, "audit log", error);
    if (status == FLEET_OK) {
        status =
            fleet_store_error(error, store_each(view, STORE_AUDIT, &query, check_line, &chain));
    }
    store_end(view);
    return status;
}

/* --- Events ------------------------------------------------------------------------------------
 */

/* `"device":"d_..."` before the members of `json`, unless it says that itself. (In a text of somebody's
 * the quotes are escaped: it is not taken for a member.) */
static void add_id(char *ids, size_t size, const char *json, const char *name, const char *id)
{
    char member[16];
    size_t used = strlen(ids);
    snprintf(member, sizeof member, "\"%s\":", name);
    if (strstr(json, member) == NULL) {
        snprintf(ids + used, size - used, "%s%s\"%s\"", used > 1 ? "," : "", member, id);
    }
}

enum store_result fleet_event(struct store_view *view, struct fleet *fleet, const char *kind,
                              int64_t product, const struct device *device, const char *json)
{
    struct event event = {.time = fleet_now(fleet), .product = product};
    struct product of;
    char ids[2 * ID_SIZE + 64] = "{", whole[sizeof event.json + sizeof ids];
    json = json != NULL ? json : "{}";
    if (store_get_no(view, STORE_PRODUCT, product, &of) == STORE_OK) {
        add_id(ids, sizeof ids, json, "product", of.id);
    }
    if (device != NULL) {
        event.device = device->no;
        event.user = device->owner;
        add_id(ids, sizeof ids, json, "device", device->id);
    }
    snprintf(whole, sizeof whole, "%s%s%s", ids, ids[1] != '\0' && json[1] != '}' ? "," : "",
             json + 1);
    if (strlen(whole) >= sizeof event.json) {
        snprintf(whole, sizeof whole, "%s}", ids);
    }
    snprintf(event.kind, sizeof event.kind, "%s", kind);
    set_json(event.json, sizeof event.json, whole);
    return store_insert(view, STORE_EVENT, &event);
}

struct each_event {
    struct store_view *view;
    const struct actor *actor;
    void (*each)(void *ctx, const struct event *event);
    void *ctx;
    int64_t newest;
    int64_t product; /* the role below is of this one */
    enum role role;
};

static bool may_see(struct each_event *give, const struct event *event)
{
    const struct actor *actor = give->actor;
    if (actor->kind == ACTOR_SYSTEM || (actor->administrator && actor->device == 0)) {
        return true;
    }
    if (event->user != 0 && event->user == actor->user &&
        (actor->device == 0 || actor->device == event->device)) {
        return true;
    }
    if (event->product == 0 || actor->device != 0) {
        return false;
    }
    if (event->product != give->product) {
        give->product = event->product;
        give->role = fleet_role(give->view, actor->user, event->product);
    }
    return give->role >= ROLE_VIEWER;
}

static bool give_event(void *ctx, const void *record)
{
    struct each_event *give = ctx;
    const struct event *event = record;
    give->newest = event->no;
    if (may_see(give, event)) {
        give->each(give->ctx, event);
    }
    return true;
}

enum fleet_status fleet_events(struct fleet *fleet, const struct actor *actor, int64_t seq,
                               int64_t limit, void (*each)(void *ctx, const struct event *event),
                               void *ctx, int64_t *newest, struct fleet_error *error)
{
    struct event first = {0}, last = {0};
    struct store_query oldest = {.order = "no"}, newest_first = {.order = "no", .descending = true};
    struct store_where after = {"no", STORE_GT, seq, NULL};
    struct store_query query = {.where = &after, .count = 1, .order = "no", .limit = limit};
    struct store_view *view = fleet_view(fleet, error);
    if (view == NULL) {
        return error->status;
    }
    struct each_event give = {
        .view = view, .actor = actor, .each = each, .ctx = ctx, .newest = seq};
    enum fleet_status status = FLEET_OK;
    (void)store_get(view, STORE_EVENT, &newest_first, &last); /* none: number 0 */
    if (actor->kind != ACTOR_USER && actor->kind != ACTOR_SYSTEM) {
        status = fleet_fail(error, FLEET_UNKNOWN, REFUSAL_NOT_LOGGED_IN, NULL, NULL);
    } else if (seq < 0) {
        give.newest = last.no;
    } else if (seq > last.no) {
        /* The database is older than what was told of it: a backup came back. */
        status = fleet_fail(error, FLEET_CONFLICT, REFUSAL_GONE_AHEAD, NULL,
                            VALUES({"event", NULL, seq}, {"newest", NULL, last.no}));
    } else if (store_get(view, STORE_EVENT, &oldest, &first) == STORE_OK && seq + 1 < first.no) {
        status = fleet_fail(error, FLEET_CONFLICT, REFUSAL_GONE, NULL,
                            VALUES({"event", NULL, seq}, {"oldest", NULL, first.no}));
    } else {
        status = fleet_store_error(error, store_each(view, STORE_EVENT, &query, give_event, &give));
    }
    store_end(view);
    *newest = give.newest;
    return status;
}
