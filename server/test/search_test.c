/*
 * Goal: a page of devices or updates is what filtering and sorting all of them by hand gives, for
 * whoever asks, whatever he filters and sorts by, and however the server chose to look.
 * Method: some hundred devices that differ in all that is filtered by. Each filter and each pair of
 * filters is asked by those who see differently much, with the bounds by which the server chooses its
 * way set so that it takes each: nothing is frequent, most is, everything is; products merged, and
 * asked by one query. The orders and pages take turns.
 */
#include "fleet_stand.h"

#include <strings.h>

#include "fleet/internal.h"

enum { PRODUCTS = 4, DEVICES = 420, UPDATES = 300, MINUTE = 60000, LATELY = 150000 };

static struct product products[PRODUCTS];
static struct device devices[DEVICES];
static struct update updates[UPDATES];
static const int64_t now = 1700000000000;

static struct actor vic = {.kind = ACTOR_USER, .name = "vic"}, narrow;

static int64_t test_clock(void *ctx)
{
    (void)ctx;
    return now;
}

/* --- What there is ------------------------------------------------------------------------------ */

static void describe_device(int i, struct device *device)
{
    static const char *const versions[] = {"1.0", "1.0", "1.1", "", "2.0"};
    static const char *const names[] = {"device", "Device", "dEv", "x-device", "", "zebra"};
    *device = (struct device){.product = products[i * 7 % 11 % PRODUCTS].no, .map = -1};
    snprintf(device->id, sizeof device->id, "d_%016d", i);
    snprintf(device->version, sizeof device->version, "%s", versions[i / 3 % 5]);
    snprintf(device->family, sizeof device->family, "%s", i % 9 == 0 ? "" : i % 2 ? "a" : "b");
    if (names[i % 6][0] != '\0') {
        snprintf(device->name, sizeof device->name, "%s %d", names[i % 6], i * 37 % 100);
    }
    if (i % 4 != 0) {
        snprintf(device->serial, sizeof device->serial, "%c%d", i % 8 < 4 ? 'S' : 's', i);
    }
    snprintf(device->chip_id, sizeof device->chip_id, "%d", i * 31 % 1000 * 10 + i % 2);
    device->standing = i % 6 == 0    ? STANDING_NEW
                       : i % 17 == 0 ? STANDING_BLOCKED
                                     : STANDING_ADMITTED;
    /* Equal times, and those that were never heard of; most were not lately. */
    device->last_seen = i % 10 == 0 ? 0 : now - (i % 40) * (int64_t)MINUTE;
    device->linked = i % 23 == 0;
    device->failed = i % 5 == 0;
    device->owner = i % 13 == 0 ? vic.user : 0;
}

static void describe_update(int i, struct update *update)
{
    int of = i * 5 % DEVICES;
    *update = (struct update){.device = devices[of].no,
                              .product = devices[of].product,
                              .release = 1,
                              .state = (int32_t)(i * 3 % (UPDATE_ROLLED_BACK + 1)),
                              .started = now - i % 50 * (int64_t)MINUTE,
                              .changed = now - i % 30 * (int64_t)MINUTE};
    snprintf(update->id, sizeof update->id, "x_%016d", i);
    snprintf(update->version, sizeof update->version, "1.%d", i % 3);
    if (update->state == UPDATE_FAILED) {
        snprintf(update->reason, sizeof update->reason, "%s", i % 4 == 0 ? "md5" : "sys_timeout");
    }
}

static enum store_result fill(struct store_view *view, void *ctx)
{
    (void)ctx;
    enum store_result result = STORE_OK;
    for (int i = 0; i < DEVICES && result == STORE_OK; i++) {
        describe_device(i, &devices[i]);
        result = store_insert(view, STORE_DEVICE, &devices[i]);
    }
    for (int i = 0; i < UPDATES && result == STORE_OK; i++) {
        describe_update(i, &updates[i]);
        result = store_insert(view, STORE_UPDATE, &updates[i]);
        struct device *device = &devices[i * 5 % DEVICES];
        if (result == STORE_OK && !update_state_over((enum update_state)updates[i].state)) {
            device->update = updates[i].no;
            result = store_update(view, STORE_DEVICE, device);
        }
    }
    return result;
}

static int set_up(void **state)
{
    (void)state;
    struct user user;
    begin_fleet();
    fleet_set_clock(fleet, test_clock, NULL);
    GOOD(fleet_user_create(fleet, &root, "vic", "vic's password", false, &user, &error));
    vic.user = user.no;
    for (int i = 0; i < PRODUCTS; i++) {
        products[i] = (struct product){.kind = KIND_ARDUINO, .chip = UPD_CHIP_ESP8266, .map = -1};
        snprintf(products[i].name, sizeof products[i].name, "p%d", i);
        GOOD(fleet_product_create(fleet, &root, &products[i], &error));
    }
    GOOD(fleet_member_set(fleet, &root, products[0].id, "vic", ROLE_VIEWER, &error));
    GOOD(fleet_member_set(fleet, &root, products[2].id, "vic", ROLE_OPERATOR, &error));
    assert_int_equal(store_write(fleet_store(fleet), fill, NULL), STORE_OK);
    narrow = vic;
    narrow.device = devices[13].no;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    return end_fleet();
}

/* --- By hand ------------------------------------------------------------------------------------ */

static const struct device *device_of(int64_t no)
{
    for (int i = 0; i < DEVICES; i++) {
        if (devices[i].no == no) {
            return &devices[i];
        }
    }
    fail_msg("there is no such device");
    return NULL;
}

static bool may_see(const struct actor *actor, int64_t product, const struct device *device)
{
    if (actor->device != 0) {
        return device->no == actor->device;
    }
    return actor->administrator || product == products[0].no || product == products[2].no ||
           device->owner == actor->user;
}

static bool text_finds(const char *value, const char *text, bool beginning)
{
    size_t size = strlen(text);
    for (const char *at = value; strlen(at) >= size; at++) {
        if (strncasecmp(at, text, size) == 0) {
            return true;
        }
        if (beginning) {
            break;
        }
    }
    return false;
}

static bool is_one(const struct fleet_query *query, const struct device *device)
{
    const struct update *going = device->update == 0 ? NULL : &updates[device->update - 1];
    if (query->text != NULL) {
        bool begins = strlen(query->text) <= 2 && fleet->lists.few <= DEVICES;
        if (!text_finds(device->name, query->text, begins) &&
            !text_finds(device->serial, query->text, begins) &&
            !text_finds(device->chip_id, query->text, begins)) {
            return false;
        }
    }
    if (query->state != NULL) {
        bool is =
            strcmp(query->state, "updating") == 0 ? going != NULL
            : strcmp(query->state, "failed") == 0
                ? device->failed != 0
                : going != NULL &&
                      strcmp(query->state, update_state_word((enum update_state)going->state)) == 0;
        if (!is) {
            return false;
        }
    }
    bool lately = device->last_seen >= now - LATELY;
    return (query->version == NULL || strcmp(query->version, device->version) == 0) &&
           (query->family == NULL || strcmp(query->family, device->family) == 0) &&
           (query->standing == NULL ||
            strcmp(query->standing, standing_word((enum standing)device->standing)) == 0) &&
           (query->heard_before == 0 || device->last_seen < query->heard_before) &&
           (query->online == 0 || (query->online > 0 ? lately : !lately && !device->linked)) &&
           (query->product == NULL || device->product == products[query->product[1] - '0'].no);
}

static const char *sorted_by;
static bool backwards;

static int compare_numbers(int64_t one, int64_t other)
{
    return (one > other) - (one < other);
}

static int compare_devices(const void *one_, const void *other_)
{
    const struct device *one = *(const struct device *const *)one_;
    const struct device *other = *(const struct device *const *)other_;
    int order = strcmp(sorted_by, "name") == 0      ? strcmp(one->name, other->name)
                : strcmp(sorted_by, "serial") == 0  ? strcmp(one->serial, other->serial)
                : strcmp(sorted_by, "version") == 0 ? strcmp(one->version, other->version)
                : strcmp(sorted_by, "family") == 0  ? strcmp(one->family, other->family)
                : strcmp(sorted_by, "last_seen") == 0
                    ? compare_numbers(one->last_seen, other->last_seen)
                    : 0;
    order = order != 0 ? order : compare_numbers(one->no, other->no);
    return backwards ? -order : order;
}

static int compare_updates(const void *one_, const void *other_)
{
    const struct update *one = *(const struct update *const *)one_;
    const struct update *other = *(const struct update *const *)other_;
    int order = strcmp(sorted_by, "version") == 0   ? strcmp(one->version, other->version)
                : strcmp(sorted_by, "started") == 0 ? compare_numbers(one->started, other->started)
                : strcmp(sorted_by, "changed") == 0 ? compare_numbers(one->changed, other->changed)
                : strcmp(sorted_by, "state") == 0   ? compare_numbers(one->state, other->state)
                                                    : 0;
    order = order != 0 ? order : compare_numbers(one->no, other->no);
    return backwards ? -order : order;
}

static void sort_as(const struct fleet_query *query)
{
    backwards = query->sort[0] == '-';
    sorted_by = query->sort + backwards;
}

/* --- Held against each other -------------------------------------------------------------------- */

struct found {
    char ids[UPDATES + DEVICES][ID_SIZE];
    size_t count;
};

static void collect_device(void *ctx, const struct device *device)
{
    struct found *found = ctx;
    strcpy(found->ids[found->count++], device->id);
}

static void collect_update(void *ctx, const struct update *update)
{
    struct found *found = ctx;
    strcpy(found->ids[found->count++], update->id);
}

static char *tell(const struct actor *actor, const struct fleet_query *query)
{
    static char text[1024];
    snprintf(
        text, sizeof text,
        "%s%s: product %s version %s state %s standing %s family %s text %s before %lld online "
        "%d sort %s after %s limit %lld (few %lld, products %zu)",
        actor->name, actor->device != 0 ? " (one device)" : "", query->product, query->version,
        query->state, query->standing, query->family, query->text, (long long)query->heard_before,
        query->online, query->sort, query->after, (long long)query->limit,
        (long long)fleet->lists.few, fleet->lists.products);
    return text;
}

/** `expected` are the ids of the whole list, in order. */
static void compare(const struct actor *actor, const struct fleet_query *query,
                    const struct found *found, const struct fleet_page *page,
                    const char *const *expected, size_t count)
{
    size_t first = (size_t)strtoul(query->after, NULL, 10), limit = (size_t)query->limit;
    size_t left = first < count ? count - first : 0, want = left < limit ? left : limit;
    if (page->total != (int64_t)count || page->more || found->count != want ||
        (page->next[0] != '\0') != (left > limit)) {
        fail_msg("%s: %zu of %lld%s, not %zu of %zu", tell(actor, query), found->count,
                 (long long)page->total, page->more ? " and more" : "", want, count);
    }
    for (size_t i = 0; i < want; i++) {
        if (strcmp(found->ids[i], expected[first + i]) != 0) {
            fail_msg("%s: %s at %zu, not %s", tell(actor, query), found->ids[i], i,
                     expected[first + i]);
        }
    }
}

static void compare_device_list(const struct actor *actor, const struct fleet_query *query)
{
    static const struct device *those[DEVICES];
    static const char *ids[DEVICES];
    static struct found found;
    struct fleet_page page;
    size_t count = 0;
    for (int i = 0; i < DEVICES; i++) {
        if (may_see(actor, devices[i].product, &devices[i]) && is_one(query, &devices[i])) {
            those[count++] = &devices[i];
        }
    }
    sort_as(query);
    qsort(those, count, sizeof those[0], compare_devices);
    for (size_t i = 0; i < count; i++) {
        ids[i] = those[i]->id;
    }
    found.count = 0;
    GOOD(fleet_device_list(fleet, actor, query, collect_device, &found, &page, &error));
    compare(actor, query, &found, &page, ids, count);
}

static void compare_update_list(const struct actor *actor, const struct fleet_query *query)
{
    static const struct update *those[UPDATES];
    static const char *ids[UPDATES];
    static struct found found;
    struct fleet_page page;
    size_t count = 0;
    for (int i = 0; i < UPDATES; i++) {
        const struct update *update = &updates[i];
        const struct device *device = device_of(update->device);
        if (may_see(actor, update->product, device) &&
            (query->version == NULL || strcmp(query->version, update->version) == 0) &&
            (query->text == NULL || strcmp(query->text, update->reason) == 0) &&
            (query->device == NULL || strcmp(query->device, device->id) == 0) &&
            (query->state == NULL ||
             strcmp(query->state, update_state_word((enum update_state)update->state)) == 0) &&
            (query->product == NULL || update->product == products[query->product[1] - '0'].no)) {
            those[count++] = update;
        }
    }
    sort_as(query);
    qsort(those, count, sizeof those[0], compare_updates);
    for (size_t i = 0; i < count; i++) {
        ids[i] = those[i]->id;
    }
    found.count = 0;
    GOOD(fleet_update_list(fleet, actor, query, collect_update, &found, &page, &error));
    compare(actor, query, &found, &page, ids, count);
}

/* What the server may hold for frequent, and the products it merges. */
static const struct {
    int64_t few;
    size_t products;
} bounds[] = {{20000, 256}, {1, 256}, {60, 256}, {20000, 1}, {1, 1}, {9, 1}};
enum { BOUNDS = sizeof bounds / sizeof bounds[0] };

static void turn(size_t i, const char *const *sorts, size_t sort_count, struct fleet_query *query)
{
    static const struct {
        const char *after;
        int64_t limit;
    } pages[] = {{"0", 100}, {"0", 7}, {"5", 11}, {"90", 20}, {"200", 500}};
    query->sort = sorts[i % sort_count];
    query->after = pages[i % 5].after;
    query->limit = pages[i % 5].limit;
}

/* The bit of a field, so that no two conditions are on one. */
static const struct {
    int field;
    struct fleet_query query;
} filters[] = {
    {1, {.version = "1.0"}},
    {1, {.version = "2.0"}},
    {1, {.version = ""}},
    {1, {.version = "none"}},
    {2, {.family = "a"}},
    {2, {.family = ""}},
    {4, {.online = 1}},
    {4, {.online = -1}},
    {8, {.heard_before = 1700000000000 - 20 * MINUTE}},
    {8, {.heard_before = 1700000000000 - MINUTE}},
    {16, {.standing = "admitted"}},
    {16, {.standing = "new"}},
    {16, {.standing = "blocked"}},
    {32, {.state = "updating"}},
    {32, {.state = "downloading"}},
    {32, {.state = "failed"}},
    {64, {.text = "d"}},
    {64, {.text = "DE"}},
    {64, {.text = "s1"}},
    {64, {.text = "9"}},
    {64, {.text = "device"}},
    {64, {.text = "EV 3"}},
    {64, {.text = "nobody"}},
};
enum { FILTERS = sizeof filters / sizeof filters[0] };

static struct fleet_query both(const struct fleet_query *one, const struct fleet_query *other)
{
    struct fleet_query query = *one;
    query.version = other->version != NULL ? other->version : one->version;
    query.family = other->family != NULL ? other->family : one->family;
    query.standing = other->standing != NULL ? other->standing : one->standing;
    query.state = other->state != NULL ? other->state : one->state;
    query.text = other->text != NULL ? other->text : one->text;
    query.online = other->online != 0 ? other->online : one->online;
    query.heard_before = other->heard_before != 0 ? other->heard_before : one->heard_before;
    return query;
}

static void test_lists_of_devices(void **state)
{
    (void)state;
    static const char *const sorts[] = {"no",        "name",       "-name",  "-no",
                                        "last_seen", "-last_seen", "serial", "-version",
                                        "family",    "-family",    "version"};
    const struct actor *const actors[] = {&root, &vic, &narrow};
    size_t turns = 0;
    for (size_t b = 0; b < BOUNDS; b++) {
        fleet->lists.few = bounds[b].few;
        fleet->lists.products = bounds[b].products;
        for (size_t one = 0; one <= FILTERS; one++) {
            for (size_t other = one; other <= FILTERS; other++) {
                struct fleet_query query = {0};
                if (other != one && other < FILTERS && filters[one].field == filters[other].field) {
                    continue;
                }
                query = one < FILTERS ? both(&query, &filters[one].query) : query;
                query = other < FILTERS ? both(&query, &filters[other].query) : query;
                turn(turns++, sorts, sizeof sorts / sizeof sorts[0], &query);
                compare_device_list(actors[turns % 3], &query);
                compare_device_list(actors[turns % 2], &query);
                query.product = turns % 2 != 0 ? "p0" : "p2";
                compare_device_list(actors[turns / 2 % 2], &query);
            }
        }
    }
}

static void test_lists_of_updates(void **state)
{
    (void)state;
    static const char *const sorts[] = {"no",      "-changed", "changed", "started", "-started",
                                        "version", "-version", "state",   "-state",  "-no"};
    static const struct fleet_query asked[] = {
        {0},
        {.state = "failed"},
        {.state = "failed", .text = "md5"},
        {.text = "sys_timeout"},
        {.text = "nothing"},
        {.version = "1.1"},
        {.version = "1.1", .state = "confirmed"},
        {.state = "downloading"},
        {.product = "p0"},
        {.product = "p2", .state = "confirmed"},
        {.product = "p2", .version = "1.2", .text = "md5"},
        {.device = "d_0000000000000000"},
        {.device = "d_0000000000000000", .state = "offered"},
        {.device = "d_0000000000000000", .product = "p0"},
        {.device = "d_0000000000000000", .product = "p2"},
    };
    const struct actor *const actors[] = {&root, &vic, &narrow};
    size_t turns = 0;
    for (size_t b = 0; b < BOUNDS; b++) {
        fleet->lists.few = bounds[b].few;
        fleet->lists.products = bounds[b].products;
        for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
            for (size_t k = 0; k < 3 * 10; k++) {
                struct fleet_query query = asked[i];
                turn(turns++, sorts, sizeof sorts / sizeof sorts[0], &query);
                bool his = query.product == NULL && query.device == NULL;
                compare_update_list(actors[his ? k % 3 : k % 2], &query);
            }
        }
    }
}

static enum store_result add_many(struct store_view *view, void *ctx)
{
    enum store_result result = STORE_OK;
    for (int i = 0; i < *(int *)ctx && result == STORE_OK; i++) {
        struct device device = {.product = products[i % PRODUCTS].no, .map = -1};
        snprintf(device.id, sizeof device.id, "d_m%d", i);
        snprintf(device.name, sizeof device.name, "of many %d", i);
        result = store_insert(view, STORE_DEVICE, &device);
    }
    return result;
}

static void test_what_is_not_counted_to_the_end_says_so(void **state)
{
    (void)state;
    struct fleet_query query = {.text = "of many", .limit = 500, .sort = "name"};
    struct fleet_page page;
    static struct found found;
    int many = 2100;
    assert_int_equal(store_write(fleet_store(fleet), add_many, &many), STORE_OK);
    for (size_t b = 0; b < BOUNDS; b++) {
        int listed = 0;
        fleet->lists.few = bounds[b].few;
        fleet->lists.products = bounds[b].products;
        query.after = NULL;
        do {
            char after[sizeof page.next];
            found.count = 0;
            GOOD(fleet_device_list(fleet, &root, &query, collect_device, &found, &page, &error));
            assert_true(page.more);
            assert_int_equal(page.total, 2000);
            listed += (int)found.count;
            snprintf(after, sizeof after, "%s", page.next);
            query.after = after[0] == '\0' ? NULL : strcpy(page.next, after);
        } while (query.after != NULL);
        assert_int_equal(listed, many);
    }
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(test_lists_of_devices),
        CASE(test_lists_of_updates),
        CASE(test_what_is_not_counted_to_the_end_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
