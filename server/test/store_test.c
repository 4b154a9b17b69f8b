/*
 * Goal: what the store acknowledged is there, what it refused left no trace, and many writes share
 * one commit.
 * Method: through store.h alone, so that another implementation can be held against it. Processes
 * are killed in the middle of writes, and files are kept from growing.
 */
#include "cm.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/store.h"

struct place {
    char directory[64];
    char path[128];
    struct store *store;
};

static int set_up(void **state)
{
    static struct place place;
    char why[SENTENCE_SIZE];
    strcpy(place.directory, "/tmp/updraft-store-XXXXXX");
    assert_non_null(mkdtemp(place.directory));
    snprintf(place.path, sizeof place.path, "%s/updraft.db", place.directory);
    assert_int_equal(store_open(place.path, NULL, &place.store, why), STORE_OK);
    *state = &place;
    return 0;
}

static int tear_down(void **state)
{
    struct place *place = *state;
    static const char *const suffixes[] = {"updraft.db", "updraft.db-wal", "updraft.db-shm",
                                           "copy.db"};
    store_close(place->store);
    for (size_t i = 0; i < 4; i++) {
        char path[160];
        snprintf(path, sizeof path, "%s/%s", place->directory, suffixes[i]);
        unlink(path);
    }
    return rmdir(place->directory);
}

/* --- Helpers: one device at a time
 * ----------------------------------------------------------------- */

struct put {
    const char *serial;
    int64_t no; /* out */
    bool fail, twice, event;
};

static enum store_result put_device(struct store_view *view, void *ctx)
{
    struct put *put = ctx;
    struct device device = {.product = 1, .map = -1};
    snprintf(device.id, sizeof device.id, "%s", put->serial);
    snprintf(device.serial, sizeof device.serial, "%s", put->serial);
    enum store_result result = store_insert(view, STORE_DEVICE, &device);
    put->no = device.no;
    if (result == STORE_OK && put->event) {
        struct event event = {.kind = "test", .json = "{}"};
        result = store_insert(view, STORE_EVENT, &event);
    }
    if (result == STORE_OK && put->twice) {
        device.no = 0;
        result = store_insert(view, STORE_DEVICE, &device);
    }
    return result != STORE_OK ? result : put->fail ? STORE_UNDONE : STORE_OK;
}

static bool is_there(struct store *store, const char *serial)
{
    struct device device;
    struct store_view *view = store_read(store);
    assert_non_null(view);
    enum store_result result = store_get_text(view, STORE_DEVICE, "serial", serial, &device);
    store_end(view);
    assert_true(result == STORE_OK || result == STORE_NONE);
    return result == STORE_OK;
}

static int64_t count_devices(struct store *store)
{
    int64_t count = -1;
    struct store_view *view = store_read(store);
    assert_non_null(view);
    assert_int_equal(store_count(view, STORE_DEVICE, NULL, &count), STORE_OK);
    store_end(view);
    return count;
}

/* --- Records
 * --------------------------------------------------------------------------------------- */

static enum store_result put_full(struct store_view *view, void *ctx)
{
    return store_insert(view, STORE_DEVICE, ctx);
}

static void test_every_field_comes_back(void **state)
{
    struct place *place = *state;
    struct device device = {.product = 7,
                            .id = "d_1",
                            .name = "L\303\242m \360\237\222\241 \"x\"",
                            .serial = "s",
                            .mac = "18:fe:34:00:00:01",
                            .owner = INT64_MAX,
                            .created = INT64_MIN,
                            .failures = -5,
                            .map = -1,
                            .standing = STANDING_BLOCKED,
                            .linked = true,
                            .reboot_accepted = true};
    struct device back;
    assert_int_equal(store_write(place->store, put_full, &device), STORE_OK);
    assert_int_equal(device.no, 1);
    struct store_view *view = store_read(place->store);
    assert_int_equal(store_get_no(view, STORE_DEVICE, 1, &back), STORE_OK);
    store_end(view);
    assert_memory_equal(&device, &back, sizeof device);
}

static bool collect(void *ctx, const void *record)
{
    char *list = ctx;
    const struct device *device = record;
    strcat(list, device->serial);
    strcat(list, " ");
    return true;
}

static void test_queries(void **state)
{
    struct place *place = *state;
    static const char *const serials[] = {"a1", "b_2", "a%3", "A4", "c5"};
    for (size_t i = 0; i < 5; i++) {
        struct put put = {.serial = serials[i]};
        assert_int_equal(store_write(place->store, put_device, &put), STORE_OK);
    }
    static const struct {
        const char *name;
        struct store_where where[2];
        size_t count;
        const char *order;
        bool descending;
        int64_t limit, offset;
        const char *answer;
    } rows[] = {
        {"all, in order", {{0}}, 0, "no", false, 0, 0, "a1 b_2 a%3 A4 c5 "},
        {"backwards", {{0}}, 0, "no", true, 0, 0, "c5 A4 a%3 b_2 a1 "},
        {"a page", {{0}}, 0, "no", false, 2, 1, "b_2 a%3 "},
        {"beyond the last", {{0}}, 0, "no", false, 2, 9, ""},
        {"equal", {{"serial", STORE_EQ, 0, "A4"}}, 1, "no", false, 0, 0, "A4 "},
        {"holds, case ignored",
         {{"serial", STORE_LIKE, 0, "a"}},
         1,
         "no",
         false,
         0,
         0,
         "a1 a%3 A4 "},
        {"a percent sign is one", {{"serial", STORE_LIKE, 0, "%"}}, 1, "no", false, 0, 0, "a%3 "},
        {"an underscore is one", {{"serial", STORE_LIKE, 0, "_"}}, 1, "no", false, 0, 0, "b_2 "},
        {"one of several fields",
         {{"name|serial", STORE_LIKE, 0, "c5"}},
         1,
         "no",
         false,
         0,
         0,
         "c5 "},
        {"an attempt at SQL", {{"serial", STORE_EQ, 0, "' OR 1=1 --"}}, 1, "no", false, 0, 0, ""},
        {"numbers",
         {{"no", STORE_GT, 1, NULL}, {"no", STORE_LE, 3, NULL}},
         2,
         "no",
         false,
         0,
         0,
         "b_2 a%3 "},
        {"empty is equal to empty", {{"name", STORE_EQ, 0, ""}}, 1, "no", false, 1, 0, "a1 "},
        {"not empty", {{"serial", STORE_NE, 0, ""}}, 1, "no", false, 1, 0, "a1 "},
    };
    struct store_view *view = store_read(place->store);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char list[256] = "";
        struct store_query query = {.where = rows[i].where,
                                    .count = rows[i].count,
                                    .order = rows[i].order,
                                    .descending = rows[i].descending,
                                    .limit = rows[i].limit,
                                    .offset = rows[i].offset};
        assert_int_equal(store_each(view, STORE_DEVICE, &query, collect, list), STORE_OK);
        if (strcmp(list, rows[i].answer) != 0) {
            fail_msg("%s: %s and not %s", rows[i].name, list, rows[i].answer);
        }
    }
    struct store_where wrong = STORE_TEXT("serial; DROP TABLE device", "x");
    struct device device;
    assert_int_equal(
        store_get(view, STORE_DEVICE, &(struct store_query){.where = &wrong, .count = 1}, &device),
        STORE_FAILED);
    store_end(view);
    assert_int_equal(count_devices(place->store), 5);
}

static void test_a_failed_write_leaves_nothing(void **state)
{
    struct place *place = *state;
    struct put undone = {.serial = "undone", .fail = true, .event = true};
    struct put clash = {.serial = "clash", .twice = true};
    struct put good = {.serial = "good"};
    assert_int_equal(store_write(place->store, put_device, &undone), STORE_UNDONE);
    assert_int_equal(store_write(place->store, put_device, &clash), STORE_CLASH);
    assert_int_equal(store_write(place->store, put_device, &good), STORE_OK);
    assert_false(is_there(place->store, "undone"));
    assert_false(is_there(place->store, "clash"));
    assert_true(is_there(place->store, "good"));
}

static void test_reading_cannot_write(void **state)
{
    struct place *place = *state;
    struct put put = {.serial = "x"};
    struct store_view *view = store_read(place->store);
    assert_int_equal(put_device(view, &put), STORE_FAILED);
    store_end(view);
    assert_int_equal(count_devices(place->store), 0);
}

static void test_a_view_is_of_one_moment(void **state)
{
    struct place *place = *state;
    struct put put = {.serial = "later"};
    int64_t count = -1;
    struct store_view *view = store_read(place->store);
    assert_int_equal(store_count(view, STORE_DEVICE, NULL, &count), STORE_OK);
    assert_int_equal(store_write(place->store, put_device, &put), STORE_OK);
    assert_int_equal(store_count(view, STORE_DEVICE, NULL, &count), STORE_OK);
    assert_int_equal(count, 0);
    store_end(view);
    assert_int_equal(count_devices(place->store), 1);
}

/* --- Groups
 * ---------------------------------------------------------------------------------------- */

enum { WRITERS = 64 };

struct gate {
    pthread_mutex_t lock;
    pthread_cond_t open;
    bool is_open, inside;
};

/** Keeps the writer busy until the others have queued up behind it. */
static enum store_result wait_at_gate(struct store_view *view, void *ctx)
{
    struct gate *gate = ctx;
    (void)view;
    pthread_mutex_lock(&gate->lock);
    gate->inside = true;
    pthread_cond_broadcast(&gate->open);
    while (!gate->is_open) {
        pthread_cond_wait(&gate->open, &gate->lock);
    }
    pthread_mutex_unlock(&gate->lock);
    return STORE_OK;
}

struct writer {
    struct store *store;
    struct gate *gate;
    char serial[16];
    bool fail;
    enum store_result result;
};

static void *hold_gate(void *argument)
{
    struct writer *writer = argument;
    writer->result = store_write(writer->store, wait_at_gate, writer->gate);
    return NULL;
}

static void *write_one(void *argument)
{
    struct writer *writer = argument;
    struct put put = {.serial = writer->serial, .fail = writer->fail};
    writer->result = store_write(writer->store, put_device, &put);
    return NULL;
}

static void test_many_writes_share_a_commit(void **state)
{
    struct place *place = *state;
    struct gate gate = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, false};
    struct writer first = {.store = place->store, .gate = &gate}, writers[WRITERS];
    pthread_t holder, threads[WRITERS];
    struct store_stats before, after;

    store_stats(place->store, &before);
    pthread_create(&holder, NULL, hold_gate, &first);
    pthread_mutex_lock(&gate.lock);
    while (!gate.inside) {
        pthread_cond_wait(&gate.open, &gate.lock);
    }
    pthread_mutex_unlock(&gate.lock);
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){.store = place->store, .fail = i % 8 == 3};
        snprintf(writers[i].serial, sizeof writers[i].serial, "w%d", i);
        pthread_create(&threads[i], NULL, write_one, &writers[i]);
    }
    /* Each writer is either in the queue by now or comes in a later group: the number of commits
     * below only says that the groups were few, not how they fell. */
    struct timespec moment = {0, 200000000};
    nanosleep(&moment, NULL);
    pthread_mutex_lock(&gate.lock);
    gate.is_open = true;
    pthread_cond_broadcast(&gate.open);
    pthread_mutex_unlock(&gate.lock);
    pthread_join(holder, NULL);
    for (int i = 0; i < WRITERS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(writers[i].result, writers[i].fail ? STORE_UNDONE : STORE_OK);
        assert_int_equal(is_there(place->store, writers[i].serial), !writers[i].fail);
    }
    store_stats(place->store, &after);
    assert_int_equal(after.writes - before.writes, WRITERS + 1);
    assert_true(after.transactions - before.transactions <= WRITERS / 2);
}

/* --- Events and notes
 * --------------------------------------------------------------------------------- */

static void heard(void *ctx, int64_t newest)
{
    *(int64_t *)ctx = newest;
}

static void test_listeners_hear_of_committed_events_only(void **state)
{
    struct place *place = *state;
    int64_t newest = 0;
    struct put quiet = {.serial = "a"}, loud = {.serial = "b", .event = true};
    struct put undone = {.serial = "c", .event = true, .fail = true};
    assert_true(store_listen(place->store, heard, &newest));
    assert_int_equal(store_write(place->store, put_device, &quiet), STORE_OK);
    assert_int_equal(newest, 0);
    assert_int_equal(store_write(place->store, put_device, &undone), STORE_UNDONE);
    assert_int_equal(newest, 0);
    assert_int_equal(store_write(place->store, put_device, &loud), STORE_OK);
    assert_int_equal(newest, 1);
    store_unlisten(place->store, heard, &newest);
    struct put late = {.serial = "d", .event = true};
    assert_int_equal(store_write(place->store, put_device, &late), STORE_OK);
    assert_int_equal(newest, 1);
}

static void test_notes_are_seen_at_once_and_written_later(void **state)
{
    struct place *place = *state;
    struct put put = {.serial = "n"};
    struct telemetry noted;
    struct device device;
    assert_int_equal(store_write(place->store, put_device, &put), STORE_OK);
    store_note(place->store,
               &(struct telemetry){.device = put.no, .last_seen = 50, .address = "::1"});
    store_note(place->store, &(struct telemetry){.device = put.no, .last_seen = 40, .polls = 3});
    assert_true(store_noted(place->store, put.no, &noted));
    assert_int_equal(noted.last_seen, 50);
    assert_int_equal(noted.polls, 3);
    assert_string_equal(noted.address, "::1");
    assert_false(store_noted(place->store, put.no + 1, &noted));
    assert_int_equal(store_flush(place->store), STORE_OK);
    assert_false(store_noted(place->store, put.no, &noted));
    struct store_view *view = store_read(place->store);
    assert_int_equal(store_get_no(view, STORE_DEVICE, put.no, &device), STORE_OK);
    store_end(view);
    assert_int_equal(device.last_seen, 50);
    assert_int_equal(device.polls, 3);
    assert_string_equal(device.address, "::1");
}

static void test_closing_writes_the_notes(void **state)
{
    struct place *place = *state;
    struct put put = {.serial = "n"};
    struct device device;
    char why[SENTENCE_SIZE];
    assert_int_equal(store_write(place->store, put_device, &put), STORE_OK);
    store_note(place->store, &(struct telemetry){.device = put.no, .last_seen = 50});
    store_close(place->store);
    assert_int_equal(store_open(place->path, NULL, &place->store, why), STORE_OK);
    struct store_view *view = store_read(place->store);
    assert_int_equal(store_get_no(view, STORE_DEVICE, put.no, &device), STORE_OK);
    store_end(view);
    assert_int_equal(device.last_seen, 50);
}

/* --- Files
 * ---------------------------------------------------------------------------------------------- */

static void test_a_backup_can_be_opened(void **state)
{
    struct place *place = *state;
    struct put put = {.serial = "kept"};
    char path[160], why[SENTENCE_SIZE];
    struct store *copy;
    snprintf(path, sizeof path, "%s/copy.db", place->directory);
    assert_int_equal(store_write(place->store, put_device, &put), STORE_OK);
    assert_int_equal(store_backup(place->store, path), STORE_OK);
    assert_int_equal(store_open(path, NULL, &copy, why), STORE_OK);
    assert_true(is_there(copy, "kept"));
    store_close(copy);
}

static void test_what_is_no_database_is_refused(void **state)
{
    struct place *place = *state;
    char path[160], why[SENTENCE_SIZE];
    struct store *store;
    snprintf(path, sizeof path, "%s/copy.db", place->directory);
    FILE *file = fopen(path, "w");
    fputs("this is a letter to the editor, and by far long enough to be looked at", file);
    fclose(file);
    assert_int_equal(store_open(path, NULL, &store, why), STORE_FAILED);
    assert_null(store);
    assert_true(why[0] != '\0');
    assert_int_equal(store_open("/nonexistent/updraft.db", NULL, &store, why), STORE_FAILED);
}

/** A child that writes one device after the other, and says which are acknowledged. */
static void write_until_killed(const char *path, int to_parent)
{
    struct store *store;
    char why[SENTENCE_SIZE];
    if (store_open(path, NULL, &store, why) != STORE_OK) {
        _exit(2);
    }
    for (int i = 0;; i++) {
        char serial[16];
        struct put put = {.serial = serial, .event = true};
        snprintf(serial, sizeof serial, "k%d", i);
        if (store_write(store, put_device, &put) != STORE_OK ||
            write(to_parent, &i, sizeof i) != (ssize_t)sizeof i) {
            _exit(3);
        }
    }
}

static void test_kill_9_loses_nothing_acknowledged(void **state)
{
    struct place *place = *state;
    char why[SENTENCE_SIZE];
    /* After so many acknowledgements: the moment of the kill differs by what the writer does then.
     */
    for (int least = 1; least <= 10; least++) {
        store_close(place->store);
        unlink(place->path);
        int ends[2], last = -1, got;
        assert_int_equal(pipe(ends), 0);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            close(ends[0]);
            write_until_killed(place->path, ends[1]);
        }
        close(ends[1]);
        while (last + 1 < least && read(ends[0], &got, sizeof got) == (ssize_t)sizeof got) {
            last = got;
        }
        assert_int_equal(last + 1, least);
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        while (read(ends[0], &got, sizeof got) == (ssize_t)sizeof got) {
            last = got;
        }
        close(ends[0]);
        assert_int_equal(store_open(place->path, NULL, &place->store, why), STORE_OK);
        for (int i = 0; i <= last; i++) {
            char serial[16];
            snprintf(serial, sizeof serial, "k%d", i);
            assert_true(is_there(place->store, serial));
        }
        /* One more may have been written and not told; and no half of a write is there. */
        int64_t count = count_devices(place->store), events = -1;
        assert_in_range(count, last + 1, last + 2);
        struct store_view *view = store_read(place->store);
        assert_int_equal(store_count(view, STORE_EVENT, NULL, &events), STORE_OK);
        store_end(view);
        assert_int_equal(events, count);
    }
}

/** Write until it fails, with a view held open so that the log is not reused; how many went well.
 */
static int64_t write_until_refused(struct store *store, enum store_result *result)
{
    int64_t good = 0, none = -1;
    struct store_view *view = store_read(store);
    assert_int_equal(store_count(view, STORE_DEVICE, NULL, &none), STORE_OK);
    *result = STORE_OK;
    for (int i = 0; i < 4000 && *result == STORE_OK; i++) {
        char serial[16];
        struct put put = {.serial = serial};
        snprintf(serial, sizeof serial, "f%d", i);
        *result = store_write(store, put_device, &put);
        good += *result == STORE_OK;
    }
    store_end(view);
    return good;
}

static void test_a_file_that_cannot_grow_fails_clean(void **state)
{
    struct place *place = *state;
    struct rlimit before, small;
    enum store_result result;

    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    small = before;
    small.rlim_cur = 600 * 1024; /* of any one file: the log reaches it first */
    setrlimit(RLIMIT_FSIZE, &small);
    int64_t good = write_until_refused(place->store, &result);
    setrlimit(RLIMIT_FSIZE, &before);
    /* SQLite tells a full disk from other failures, but not this limit. */
    assert_true(result == STORE_FULL || result == STORE_FAILED);
    assert_true(good > 0);
    /* Reading sees exactly what was acknowledged, and writing goes on once there is room. */
    assert_int_equal(count_devices(place->store), good);
    struct put after = {.serial = "after"};
    assert_int_equal(store_write(place->store, put_device, &after), STORE_OK);
    assert_int_equal(count_devices(place->store), good + 1);
}

static void test_a_full_disk_fails_clean(void **state)
{
    struct place *place = *state;
    char disk[96], path[128], why[SENTENCE_SIZE];
    struct store *store;
    enum store_result result;
    snprintf(disk, sizeof disk, "%s/disk", place->directory);
    assert_int_equal(mkdir(disk, 0700), 0);
    if (mount("tmpfs", disk, "tmpfs", 0, "size=2m") != 0) {
        printf("skipped test_a_full_disk_fails_clean: no tmpfs may be mounted here\n");
        rmdir(disk);
        skip();
    }
    snprintf(path, sizeof path, "%s/updraft.db", disk);
    assert_int_equal(store_open(path, NULL, &store, why), STORE_OK);
    int64_t good = write_until_refused(store, &result);
    assert_int_equal(result, STORE_FULL);
    assert_true(good > 0);
    assert_int_equal(count_devices(store), good);
    store_close(store);
    /* And again from a new start on the same full disk. */
    assert_int_equal(store_open(path, NULL, &store, why), STORE_OK);
    assert_int_equal(count_devices(store), good);
    store_close(store);
    umount(disk);
    rmdir(disk);
}

/* --- Searching --------------------------------------------------------------------------------- */

/* As many as make a text of all of them frequent, and one of a few rare, for the store. */
enum { CROWD = 21000 };

static void name_of(int number, struct device *device)
{
    snprintf(device->id, sizeof device->id, "d%d", number);
    snprintf(device->name, sizeof device->name, "Lämpe %d\"%c", number % 1000, 'a' + number % 26);
    snprintf(device->serial, sizeof device->serial, "S%06d", number);
    snprintf(device->mac, sizeof device->mac, "18:fe:34:%02x:%02x:00", number % 7, number % 256);
}

static enum store_result put_crowd(struct store_view *view, void *ctx)
{
    enum store_result result = STORE_OK;
    (void)ctx;
    for (int i = 0; i < CROWD && result == STORE_OK; i++) {
        struct device device = {.product = i % 2 + 1, .map = -1};
        name_of(i, &device);
        result = store_insert(view, STORE_DEVICE, &device);
    }
    return result;
}

static enum store_result change_crowd(struct store_view *view, void *ctx)
{
    struct device device;
    struct store_where last = STORE_TEXT("serial", "S020999");
    (void)ctx;
    assert_int_equal(store_get_text(view, STORE_DEVICE, "serial", "S000500", &device), STORE_OK);
    strcpy(device.name, "moved");
    assert_int_equal(store_update(view, STORE_DEVICE, &device), STORE_OK);
    return store_remove(view, STORE_DEVICE, &(struct store_query){.where = &last, .count = 1},
                        NULL);
}

static bool contains(const char *field, const char *text)
{
    return strcasestr(field, text) != NULL;
}

struct found {
    const char *text;
    int64_t product; /* 0: any */
    int64_t count;
};

static bool count_by_hand(void *ctx, const void *record)
{
    struct found *found = ctx;
    const struct device *device = record;
    bool hit = contains(device->name, found->text) || contains(device->serial, found->text) ||
               contains(device->chip_id, found->text) || contains(device->mac, found->text);
    found->count += hit && (found->product == 0 || device->product == found->product);
    return true;
}

static bool count_all(void *ctx, const void *record)
{
    (void)record;
    *(int64_t *)ctx += 1;
    return true;
}

/** What a search finds is what looking at each record finds; in order, and with another condition. */
static void compare_search(struct store *store, const char *text)
{
    struct store_view *view = store_read(store);
    for (int64_t product = 0; product < 2; product++) {
        struct found by_hand = {.text = text, .product = product};
        struct store_where where[] = {{STORE_DEVICE_TEXTS, STORE_LIKE, 0, text},
                                      STORE_NUMBER("product", product)};
        struct store_query query = {.where = where, .count = product == 0 ? 1 : 2, .order = "name"};
        int64_t counted = 0, listed = 0;
        assert_int_equal(store_each(view, STORE_DEVICE, NULL, count_by_hand, &by_hand), STORE_OK);
        assert_int_equal(store_count(view, STORE_DEVICE, &query, &counted), STORE_OK);
        assert_int_equal(store_each(view, STORE_DEVICE, &query, count_all, &listed), STORE_OK);
        if (counted != by_hand.count || listed != by_hand.count) {
            fail_msg("\"%s\": %lld counted, %lld listed, and there are %lld", text,
                     (long long)counted, (long long)listed, (long long)by_hand.count);
        }
        query.count_max = 100;
        assert_int_equal(store_count(view, STORE_DEVICE, &query, &counted), STORE_OK);
        assert_int_equal(counted, by_hand.count < 100 ? by_hand.count : 100);
    }
    store_end(view);
}

static void test_a_text_finds_what_holds_it(void **state)
{
    struct place *place = *state;
    static const char *const texts[] = {
        "S000500", "s0005",   "000",
        "S0",      "7",       "mpe 7",
        "MPE 7",   "ämp",     "8:fe:3",
        "06:ff",   "999\"",   "\"z",
        "\"\"",    "nobody",  "moved",
        "S020999", "% ",      "_00",
        "L%e",     "'",       "\" OR \"000",
        "000*",    "name:S0", "NEAR(S",
        "(",       "-",       "S000500S000500S000500S000500S0005",
    };
    assert_int_equal(store_write(place->store, put_crowd, NULL), STORE_OK);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        compare_search(place->store, texts[i]);
    }
    static const char *const changed[] = {"S000500", "moved", "S020999", "000"};
    assert_int_equal(store_write(place->store, change_crowd, NULL), STORE_OK);
    for (size_t i = 0; i < sizeof changed / sizeof changed[0]; i++) {
        compare_search(place->store, changed[i]);
    }
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(test_every_field_comes_back),
        CASE(test_queries),
        CASE(test_a_failed_write_leaves_nothing),
        CASE(test_reading_cannot_write),
        CASE(test_a_view_is_of_one_moment),
        CASE(test_many_writes_share_a_commit),
        CASE(test_listeners_hear_of_committed_events_only),
        CASE(test_notes_are_seen_at_once_and_written_later),
        CASE(test_closing_writes_the_notes),
        CASE(test_a_backup_can_be_opened),
        CASE(test_what_is_no_database_is_refused),
        CASE(test_kill_9_loses_nothing_acknowledged),
        CASE(test_a_file_that_cannot_grow_fails_clean),
        CASE(test_a_full_disk_fails_clean),
        CASE(test_a_text_finds_what_holds_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
