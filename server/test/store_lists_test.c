/*
 * Goal: a database of an earlier form is taken over with all that is counted in it; the counts that
 * are kept are what counting finds, whatever is written; and what several queries find, merged, is
 * what sorting all of it gives.
 * Method: earlier forms are made by the schema's own first steps, without the store. Records are
 * written, changed, moved and removed, and each count is held against one by hand. Merged pages are
 * held against one query over everything, for each order, page and way to look.
 */
#include "cm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

#include "fleet/lifecycle.h"
#include "store/schema.h"
#include "store/store.h"

enum { PRODUCTS = 3, DEVICES = 300, VALUES = 12 };

static char directory[64], path[96];
static struct store *store;

static void open_store(void)
{
    char why[SENTENCE_SIZE];
    assert_int_equal(store_open(path, NULL, &store, why), STORE_OK);
}

static int set_up(void **state)
{
    (void)state;
    strcpy(directory, "/tmp/updraft-lists-XXXXXX");
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/updraft.db", directory);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    store_close(store);
    store = NULL;
    for (size_t i = 0; i < 3; i++) {
        char name[128];
        snprintf(name, sizeof name, "%s%s", path, suffixes[i]);
        unlink(name);
    }
    return rmdir(directory);
}

static void describe(int64_t i, struct device *device)
{
    *device = (struct device){.product = i % PRODUCTS + 1,
                              .standing = i % 5 == 0 ? STANDING_NEW : STANDING_ADMITTED};
    snprintf(device->id, sizeof device->id, "d_%d", (int)i);
    /* No version is a version of its own; names come twice, and neither in the order of numbers. */
    if (i % 4 != 0) {
        snprintf(device->version, sizeof device->version, "1.%d", (int)(i % 4));
    }
    snprintf(device->name, sizeof device->name, "%d", (int)(i * 7919 % (DEVICES / 2)));
    device->last_seen = i * 104729 % 1000;
    device->failed = i % 6 == 0;
}

static enum store_result fill(struct store_view *view, void *ctx)
{
    (void)ctx;
    enum store_result result = STORE_OK;
    for (int64_t i = 0; i < DEVICES && result == STORE_OK; i++) {
        struct device device;
        describe(i, &device);
        result = store_insert(view, STORE_DEVICE, &device);
        struct update update = {
            .device = device.no, .product = device.product, .state = (int32_t)(i % 9)};
        snprintf(update.id, sizeof update.id, "x_%d", (int)i);
        if (result == STORE_OK && i % 2 == 0) {
            result = store_insert(view, STORE_UPDATE, &update);
        }
    }
    return result;
}

/* --- Counts ------------------------------------------------------------------------------------ */

struct counts {
    char values[VALUES][VERSION_SIZE];
    int64_t counts[VALUES];
    size_t count;
};

static void note_count(void *ctx, const char *value, int64_t count)
{
    struct counts *counts = ctx;
    assert_true(counts->count < VALUES);
    snprintf(counts->values[counts->count], VERSION_SIZE, "%s", value);
    counts->counts[counts->count++] = count;
}

static void compare(enum store_kind kind, const char *field)
{
    for (int64_t product = 1; product <= PRODUCTS + 1; product++) {
        struct store_view *view = store_read(store);
        struct store_where where = STORE_NUMBER("product", product);
        struct store_query query = {.where = &where, .count = 1};
        struct counts kept = {.count = 0}, found = {.count = 0};
        assert_int_equal(store_kept(view, kind, field, product, note_count, &kept), STORE_OK);
        assert_int_equal(store_tally(view, kind, field, &query, note_count, &found), STORE_OK);
        store_end(view);
        assert_int_equal(kept.count, found.count);
        for (size_t i = 0; i < kept.count; i++) {
            assert_string_equal(kept.values[i], found.values[i]);
            assert_int_equal(kept.counts[i], found.counts[i]);
        }
    }
}

static void compare_all(void)
{
    compare(STORE_DEVICE, "version");
    compare(STORE_DEVICE, "standing");
    compare(STORE_UPDATE, "state");
}

static enum store_result change(struct store_view *view, void *ctx)
{
    const bool *undo = ctx;
    enum store_result result = STORE_OK;
    for (int64_t no = 1; no <= DEVICES && result == STORE_OK; no++) {
        struct device device;
        struct update update;
        struct store_where itself = STORE_NUMBER("no", no), of = STORE_NUMBER("device", no);
        struct store_query one = {.where = &itself, .count = 1};
        struct store_query its = {.where = &of, .count = 1};
        result = store_get_no(view, STORE_DEVICE, no, &device);
        if (result != STORE_OK) {
            return result;
        }
        switch (no % 7) {
        case 0: /* what a device tells changes no count */
            device.last_seen++;
            break;
        case 1:
            snprintf(device.version, sizeof device.version, "1.1");
            break;
        case 2:
            device.version[0] = '\0';
            break;
        case 3:
            device.standing = STANDING_BLOCKED;
            break;
        case 4:
            device.product = device.product % PRODUCTS + 1;
            break;
        case 5:
            result = store_remove(view, STORE_DEVICE, &one, NULL);
            if (result == STORE_OK) {
                result = store_remove(view, STORE_UPDATE, &its, NULL);
            }
            continue;
        default:
            if (store_get(view, STORE_UPDATE, &its, &update) == STORE_OK) {
                update.state = UPDATE_FAILED;
                result = store_update(view, STORE_UPDATE, &update);
            }
            break;
        }
        if (result == STORE_OK) {
            result = store_update(view, STORE_DEVICE, &device);
        }
    }
    return result == STORE_OK && *undo ? STORE_UNDONE : result;
}

static void test_kept_counts_are_what_is_there(void **state)
{
    (void)state;
    bool undo = true;
    open_store();
    compare_all();
    assert_int_equal(store_write(store, fill, NULL), STORE_OK);
    compare_all();
    assert_int_equal(store_write(store, change, &undo), STORE_UNDONE);
    compare_all();
    undo = false;
    assert_int_equal(store_write(store, change, &undo), STORE_OK);
    compare_all();
}

/* --- Earlier forms ------------------------------------------------------------------------------ */

static void run(sqlite3 *db, const char *text)
{
    char *why = NULL;
    if (sqlite3_exec(db, text, NULL, NULL, &why) != SQLITE_OK) {
        fail_msg("%s", why);
    }
}

/** A record as a row, by SQL alone. */
static void put_row(sqlite3 *db, enum store_kind kind, const void *record)
{
    const struct schema_kind *schema = schema_kind(kind);
    char sql[4096];
    size_t used = (size_t)snprintf(sql, sizeof sql, "INSERT INTO [%s] VALUES (", schema->table);
    for (size_t i = 0; i < schema->count; i++) {
        const struct schema_field *field = &schema->fields[i];
        const uint8_t *member = (const uint8_t *)record + field->offset;
        long long number = 0;
        if (field->type == FIELD_TEXT) {
            used += (size_t)snprintf(sql + used, sizeof sql - used,
                                     *member == 0 ? "%sNULL%s" : "%s'%s'", i == 0 ? "" : ",",
                                     *member == 0 ? "" : (const char *)member);
            continue;
        }
        if (field->size == sizeof(int64_t)) {
            number = *(const int64_t *)(const void *)member;
        } else if (field->size == sizeof(int32_t)) {
            number = *(const int32_t *)(const void *)member;
        } else {
            number = *member;
        }
        used +=
            (size_t)snprintf(sql + used, sizeof sql - used, "%s%lld", i == 0 ? "" : ",", number);
    }
    snprintf(sql + used, sizeof sql - used, ")");
    run(db, sql);
}

static void test_a_database_of_an_earlier_form_is_taken_over(void **state)
{
    (void)state;
    for (int form = 1; schema_steps[form] != NULL; form++) {
        sqlite3 *db;
        assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
        for (int step = 0; step < form; step++) {
            run(db, schema_steps[step]);
        }
        char version[40];
        snprintf(version, sizeof version, "PRAGMA user_version=%d", form);
        run(db, version);
        run(db, "BEGIN");
        for (int64_t i = 0; i < DEVICES; i++) {
            struct device device;
            describe(i, &device);
            device.no = i + 1;
            put_row(db, STORE_DEVICE, &device);
            struct update update = {
                .no = i + 1, .device = i + 1, .product = device.product, .state = (int32_t)(i % 9)};
            snprintf(update.id, sizeof update.id, "x_%d", (int)i);
            put_row(db, STORE_UPDATE, &update);
        }
        run(db, "COMMIT");
        assert_int_equal(sqlite3_close(db), SQLITE_OK);

        open_store();
        struct store_view *view = store_read(store);
        struct device device, was;
        int64_t count = 0;
        assert_int_equal(store_count(view, STORE_DEVICE, NULL, &count), STORE_OK);
        assert_int_equal(count, DEVICES);
        for (int64_t i = 0; i < DEVICES; i++) {
            describe(i, &was);
            assert_int_equal(store_get_no(view, STORE_DEVICE, i + 1, &device), STORE_OK);
            assert_string_equal(device.name, was.name);
            assert_string_equal(device.version, was.version);
        }
        store_end(view);
        compare_all();
        bool undo = false;
        assert_int_equal(store_write(store, change, &undo), STORE_OK);
        compare_all();
        store_close(store);
        store = NULL;
        unlink(path);
    }
}

/* --- Merging ------------------------------------------------------------------------------------ */

struct numbers {
    int64_t numbers[DEVICES];
    size_t count;
};

static bool note_number(void *ctx, const void *record)
{
    struct numbers *numbers = ctx;
    numbers->numbers[numbers->count++] = ((const struct device *)record)->no;
    return true;
}

static void test_what_is_merged_is_in_order(void **state)
{
    (void)state;
    static const char *const orders[] = {"no", "name", "version", "last_seen"};
    static const int64_t pages[][2] = {{0, 10},      {7, 1},    {95, 20},
                                       {0, DEVICES}, {280, 40}, {400, 9}};
    open_store();
    assert_int_equal(store_write(store, fill, NULL), STORE_OK);
    struct store_view *view = store_read(store);
    for (size_t i = 0; i < 4 * 2 * 3; i++) {
        /* The same devices found in three ways: all, by a rare condition, within a set. */
        struct store_where where[PRODUCTS][2];
        struct store_query all = {
            .where = &where[0][1], .order = orders[i % 4], .descending = i / 4 % 2 != 0};
        struct store_query queries[PRODUCTS];
        struct store_set *sets[PRODUCTS] = {NULL};
        all.count = i / 8 == 0 ? 0 : 1;
        for (int product = 0; product < PRODUCTS; product++) {
            where[product][0] = STORE_NUMBER("product", product + 1);
            where[product][1] = (struct store_where){"failed", STORE_GT, 0, NULL};
            queries[product] = all;
            queries[product].where = where[product];
            queries[product].count = all.count + 1;
            queries[product].by = i / 8 == 1 ? 2 : 0;
            if (i / 8 == 2) {
                sets[product] = store_set_new();
                assert_non_null(sets[product]);
                assert_int_equal(store_gather(view, STORE_DEVICE, &queries[product], sets[product]),
                                 STORE_OK);
                queries[product].count = 1;
                queries[product].within = sets[product];
            }
        }
        struct numbers expected = {.count = 0};
        assert_int_equal(store_each(view, STORE_DEVICE, &all, note_number, &expected), STORE_OK);
        assert_int_equal(expected.count, all.count == 0 ? DEVICES : DEVICES / 6);
        for (size_t p = 0; p < sizeof pages / sizeof pages[0]; p++) {
            int64_t found[DEVICES];
            size_t count = 99, first = (size_t)pages[p][0], limit = (size_t)pages[p][1];
            size_t left = first < expected.count ? expected.count - first : 0;
            assert_int_equal(store_merge(view, STORE_DEVICE, queries, PRODUCTS, pages[p][0],
                                         pages[p][1], found, &count),
                             STORE_OK);
            assert_int_equal(count, left < limit ? left : limit);
            if (count != 0) {
                assert_memory_equal(found, expected.numbers + first, count * sizeof found[0]);
            }
        }
        for (int product = 0; product < PRODUCTS; product++) {
            store_set_free(sets[product]);
        }
    }
    store_end(view);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(test_kept_counts_are_what_is_there),
        CASE(test_a_database_of_an_earlier_form_is_taken_over),
        CASE(test_what_is_merged_is_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
