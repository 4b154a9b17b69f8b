/*
 * Goal: the operations do what fleet.h says: images are judged, devices get what they should, an
 * update lives its life as the devices tell it, people may do what is theirs.
 * Method: whole stories through fleet.h, in a fresh data directory, with a clock that the test
 * moves.
 */
#include "fleet_stand.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include <zlib.h>

#define IMAGES UPD_CORE_VECTORS "/image/"

static int64_t now;

static int64_t test_clock(void *ctx)
{
    (void)ctx;
    return now;
}

static int set_up(void **state)
{
    (void)state;
    now = 1700000000000;
    begin_fleet();
    fleet_set_clock(fleet, test_clock, NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    return end_fleet();
}

#define REFUSED(call, wanted, word)                                                                \
    do {                                                                                           \
        enum fleet_status got_ = (call);                                                           \
        if (got_ != (wanted) || strcmp(error.code, (word)) != 0 || error.message[0] == '\0') {     \
            fail_msg("%s: %d %s: %s", #call, (int)got_, error.code, error.message);                \
        }                                                                                          \
    } while (0)

/* --- Images
 * ------------------------------------------------------------------------------------------ */

static void load(struct bytes *bytes, const char *name)
{
    char path[512];
    snprintf(path, sizeof path, IMAGES "%s", name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    bytes->size = fread(bytes->data, 1, sizeof bytes->data, file);
    fclose(file);
    assert_true(bytes->size > 0);
}

static void compress_into(struct bytes *to, const struct bytes *from)
{
    z_stream stream = {0};
    assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    stream.next_in = (uint8_t *)(uintptr_t)from->data;
    stream.avail_in = (uInt)from->size;
    stream.next_out = to->data;
    stream.avail_out = sizeof to->data;
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    to->size = stream.total_out;
    deflateEnd(&stream);
}

static enum fleet_status upload(const struct actor *actor, const char *product, enum part part,
                                const struct bytes *bytes, size_t piece, struct image *image)
{
    struct fleet_upload *begun;
    enum fleet_status status = fleet_upload_begin(fleet, actor, product, part, &begun, &error);
    for (size_t at = 0; at < bytes->size && status == FLEET_OK; at += piece) {
        size_t size = bytes->size - at < piece ? bytes->size - at : piece;
        status = fleet_upload_feed(begun, bytes->data + at, size, &error);
        if (status != FLEET_OK) {
            fleet_upload_abort(begun);
            return status;
        }
    }
    return status == FLEET_OK ? fleet_upload_end(begun, image, NULL, 0, &error) : status;
}

static void make_product(struct product *product, const char *name, enum product_kind kind,
                         enum consent consent)
{
    *product = (struct product){.kind = kind,
                                .chip = UPD_CHIP_ESP8266,
                                .consent = consent,
                                .strangers = STRANGERS_ADMIT,
                                .map = kind == KIND_NONOS ? 2 : -1,
                                .ptype = kind == KIND_NONOS ? 45772 : 0};
    strcpy(product->name, name);
    GOOD(fleet_product_create(fleet, &root, product, &error));
}

static struct bytes scratch, other;

static void release_app(const struct product *product, const char *version)
{
    struct image image;
    struct release release;
    load(&scratch, "arduino.bin");
    GOOD(upload(&root, product->id, PART_APP, &scratch, 4096, &image));
    struct fleet_release_image one = {PART_APP, image.sha256, NULL};
    struct fleet_release_new wanted = {
        .version = version, .images = &one, .image_count = 1, .current = true};
    GOOD(fleet_release_create(fleet, &root, product->id, &wanted, &release, NULL, &error));
}

static void release_pair(const struct product *product, const char *version, bool current)
{
    struct image first, second;
    struct release release;
    make_slot(&scratch, 1, (uint8_t)version[3]);
    GOOD(upload(&root, product->id, PART_APP, &scratch, 1000, &first));
    make_slot(&scratch, 2, (uint8_t)version[3]);
    GOOD(upload(&root, product->id, PART_APP, &scratch, 1000, &second));
    struct fleet_release_image pair[] = {{PART_USER1, first.sha256, NULL},
                                         {PART_USER2, second.sha256, NULL}};
    struct fleet_release_new wanted = {
        .version = version, .images = pair, .image_count = 2, .current = current};
    GOOD(fleet_release_create(fleet, &root, product->id, &wanted, &release, NULL, &error));
}

/* --- Intake
 * ------------------------------------------------------------------------------------------ */

static void test_images_are_refused_with_reason_and_offset(void **state)
{
    (void)state;
    struct product nonos, arduino;
    struct image image;
    make_product(&nonos, "nonos", KIND_NONOS, CONSENT_AUTOMATIC);
    make_product(&arduino, "arduino", KIND_ARDUINO, CONSENT_AUTOMATIC);

    load(&scratch, "esp32.bin");
    REFUSED(upload(&root, nonos.id, PART_APP, &scratch, 512, &image), FLEET_INVALID, "wrong-chip");
    assert_string_equal(error.detail, "{\"chip\":\"esp32\",\"own\":\"esp8266\"}");
    assert_string_equal(error.message, "At offset 0: made for another chip: esp32, and the "
                                       "product's is esp8266.");
    load(&scratch, "arduino.bin");
    REFUSED(upload(&root, nonos.id, PART_APP, &scratch, 512, &image), FLEET_INVALID,
            "wrong-format");
    GOOD(upload(&root, arduino.id, PART_APP, &scratch, 1, &image));
    assert_int_equal(image.part, PART_APP);
    assert_int_equal(image.size, (int64_t)scratch.size);
    compress_into(&other, &scratch);
    GOOD(upload(&root, arduino.id, PART_APP, &other, 100, &image));
    assert_int_equal(image.payload_size, (int64_t)scratch.size);
    assert_int_equal(image.size, (int64_t)other.size);
    memset(other.data + other.size, 0, 4);
    other.size += 4;
    REFUSED(upload(&root, arduino.id, PART_APP, &other, 100, &image), FLEET_INVALID,
            "gzip-trailing");
    assert_int_equal(error.offset, (int64_t)other.size - 4);
    REFUSED(upload(&root, nonos.id, PART_APP, &other, 100, &image), FLEET_INVALID, "compressed");

    make_slot(&scratch, 1, 7);
    scratch.data[100] ^= 1;
    REFUSED(upload(&root, nonos.id, PART_APP, &scratch, 512, &image), FLEET_INVALID, "crc32");
    scratch.data[100] ^= 1;
    scratch.size -= 1;
    REFUSED(upload(&root, nonos.id, PART_APP, &scratch, 512, &image), FLEET_INVALID, "truncated");
    scratch.size = 0;
    REFUSED(upload(&root, nonos.id, PART_APP, &scratch, 512, &image), FLEET_INVALID, "empty");
    memset(scratch.data, 'x', 100);
    scratch.size = 100;
    REFUSED(upload(&root, nonos.id, PART_APP, &scratch, 512, &image), FLEET_INVALID, "magic");

    /* A refused file leaves nothing. */
    char tmp[128];
    snprintf(tmp, sizeof tmp, "%s/blobs/tmp", directory);
    assert_int_equal(rmdir(tmp), 0);
}

static void test_otadrive_marker_is_read_at_any_cut(void **state)
{
    (void)state;
    struct product product;
    struct image image;
    static const char marker[] = "&_FirmwareInfo&k=12345678-abcd&v=2.0.1&FirmwareInfo_&";
    make_product(&product, "drive", KIND_OTADRIVE, CONSENT_AUTOMATIC);
    memset(scratch.data, 0xAA, 9000);
    memcpy(scratch.data + 4090, marker, sizeof marker - 1);
    scratch.size = 9000;
    static const size_t pieces[] = {1, 7, 4096, 4097, 9000};
    for (size_t i = 0; i < 5; i++) {
        GOOD(upload(&root, product.id, PART_FILESYSTEM, &scratch, pieces[i], &image));
        assert_string_equal(image.marker_key, "12345678-abcd");
        assert_string_equal(image.marker_version, "2.0.1");
    }
}

static void test_releases_follow_the_rules(void **state)
{
    (void)state;
    struct product product;
    struct image one, two;
    struct release release;
    make_product(&product, "clock", KIND_NONOS, CONSENT_AUTOMATIC);
    make_slot(&scratch, 1, 1);
    GOOD(upload(&root, product.id, PART_APP, &scratch, 4096, &one));
    assert_int_equal(one.part, PART_USER1);
    make_slot(&scratch, 2, 1);
    GOOD(upload(&root, product.id, PART_APP, &scratch, 4096, &two));
    assert_int_equal(two.part, PART_USER2);

    struct fleet_release_image pair[] = {{PART_USER1, one.sha256, NULL},
                                         {PART_USER2, two.sha256, NULL}};
    struct fleet_release_image swapped[] = {{PART_USER1, two.sha256, NULL},
                                            {PART_USER2, one.sha256, NULL}};
    struct fleet_release_image twice[] = {{PART_USER1, one.sha256, NULL},
                                          {PART_USER1, one.sha256, NULL}};
    struct fleet_release_image unknown[] = {
        {PART_USER1, one.sha256, NULL},
        {PART_USER2, "0000000000000000000000000000000000000000000000000000000000000000", NULL}};
    const struct {
        const char *version, *letter, *channel;
        const struct fleet_release_image *images;
        size_t count;
        enum fleet_status status;
        const char *code, *field;
    } rows[] = {
        {"v1.0.0t45772(a)", NULL, NULL, pair, 2, FLEET_OK, "", ""},
        {"v1.0.0t45772(a)", NULL, NULL, pair, 2, FLEET_CONFLICT, "version_exists", "version"},
        {"b1.0.0t45772(o)", NULL, NULL, pair, 2, FLEET_CONFLICT, "version_clash", "version"},
        {"v1.0.0t45772(n)", NULL, NULL, pair, 2, FLEET_OK, "", ""},
        {"b1.0.0t45772(n)", NULL, NULL, pair, 2, FLEET_CONFLICT, "version_clash", "version"},
        {"v1.0.1t23701(a)", NULL, NULL, pair, 2, FLEET_INVALID, "wrong_ptype", "version"},
        {"v1.0.1.t45772(a)", NULL, NULL, pair, 2, FLEET_INVALID, "bad_version", "version"},
        {"1.0.1", NULL, NULL, pair, 2, FLEET_INVALID, "bad_version", "version"},
        {"", NULL, NULL, pair, 2, FLEET_INVALID, "bad_version", "version"},
        {NULL, NULL, NULL, pair, 2, FLEET_INVALID, "bad_version", "version"},
        {"v1.0.1t45772(a)", "o", NULL, pair, 2, FLEET_INVALID, "bad_letter", "letter"},
        {"v1.0.1t45772(a)", "x", NULL, pair, 2, FLEET_INVALID, "bad_letter", "letter"},
        {"v1.0.1t45772(a)", NULL, "night", pair, 2, FLEET_INVALID, "no_such_channel", "channel"},
        {"v1.0.1t45772(a)", NULL, NULL, pair, 1, FLEET_INVALID, "pair_incomplete", "user2"},
        {"v1.0.1t45772(a)", NULL, NULL, pair + 1, 1, FLEET_INVALID, "pair_incomplete", "user1"},
        {"v1.0.1t45772(a)", NULL, NULL, pair, 0, FLEET_INVALID, "no_images", "images"},
        {"v1.0.1t45772(a)", NULL, NULL, swapped, 2, FLEET_INVALID, "wrong-slot", "user1"},
        {"v1.0.1t45772(a)", NULL, NULL, twice, 2, FLEET_INVALID, "image_twice", "user1"},
        {"v1.0.1t45772(a)", NULL, NULL, unknown, 2, FLEET_INVALID, "no_such_image", "user2"},
        {"v1.0.1t45772(a)", "a", "beta", pair, 2, FLEET_OK, "", ""},
    };
    int good = 0;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fleet_release_new wanted = {.version = rows[i].version,
                                           .letter = rows[i].letter,
                                           .channel = rows[i].channel,
                                           .images = rows[i].images,
                                           .image_count = rows[i].count};
        enum fleet_status status =
            fleet_release_create(fleet, &root, product.id, &wanted, &release, NULL, &error);
        if (status != rows[i].status || strcmp(error.code, rows[i].code) != 0 ||
            strcmp(error.field, rows[i].field) != 0) {
            fail_msg("row %zu: %d %s %s: %s", i, (int)status, error.code, error.field,
                     error.message);
        }
        good += status == FLEET_OK;
    }
    /* What was refused left no release and no image of one. */
    int64_t releases = 0, images = 0;
    struct store_where where = {"release", STORE_NE, 0, NULL};
    struct store_view *view = store_read(fleet_store(fleet));
    assert_int_equal(store_count(view, STORE_RELEASE, NULL, &releases), STORE_OK);
    assert_int_equal(
        store_count(view, STORE_IMAGE, &(struct store_query){.where = &where, .count = 1}, &images),
        STORE_OK);
    store_end(view);
    assert_int_equal(releases, good);
    assert_int_equal(images, 2 * good);
}

/* --- Lives
 * ------------------------------------------------------------------------------------------- */

static struct fleet_answer ask(const struct product *product, const char *serial,
                               const char *version)
{
    static struct fleet_answer answer;
    struct device_facts facts = DEVICE_FACTS_INIT;
    facts.protocol = PROTOCOL_ESPHTTPUPDATE;
    facts.product_key = product->key;
    facts.chip_id = serial;
    facts.version = version;
    facts.free_space = 1 << 20;
    facts.chip_size = 4 << 20;
    GOOD(fleet_check(fleet, &facts, &answer, &error));
    return answer;
}

struct some_devices {
    struct device *devices;
    int count;
};

static enum store_result put_them(struct store_view *view, void *ctx)
{
    const struct some_devices *some = ctx;
    enum store_result result = STORE_OK;
    for (int i = 0; i < some->count && result == STORE_OK; i++) {
        result = store_insert(view, STORE_DEVICE, &some->devices[i]);
    }
    return result;
}

/** As they are, without having been heard of. */
static void put_devices(struct device *devices, int count)
{
    struct some_devices some = {devices, count};
    assert_int_equal(store_write(fleet_store(fleet), put_them, &some), STORE_OK);
}

static void expect_state(const char *update, enum update_state state, bool inferred)
{
    struct update found;
    GOOD(fleet_update_show(fleet, &root, update, &found, &error));
    if (found.state != (int)state || found.inferred != inferred) {
        fail_msg("%s%s, and not %s", update_state_word((enum update_state)found.state),
                 found.inferred ? " (inferred)" : "", update_state_word(state));
    }
}

static void collect_states(void *ctx, const struct step *step)
{
    strcat(ctx, update_state_word((enum update_state)step->state));
    strcat(ctx, step->inferred ? "? " : " ");
}

static void last_step(void *ctx, const struct step *step)
{
    memcpy(ctx, step, sizeof *step);
}

static void test_a_stock_sketch_is_updated(void **state)
{
    (void)state;
    struct product product;
    make_product(&product, "lamp", KIND_ARDUINO, CONSENT_AUTOMATIC);
    release_app(&product, "1.1.0");

    struct fleet_answer answer = ask(&product, "123", "1.0.0");
    assert_int_equal(answer.recognised, RECOGNISED);
    assert_int_equal(answer.reason, REASON_OFFER);
    assert_string_equal(answer.version, "1.1.0");
    char id[ID_SIZE];
    strcpy(id, answer.update.id);
    int fd;
    GOOD(fleet_answer_open(fleet, &answer, &fd, &error));
    assert_int_equal(lseek(fd, 0, SEEK_END), answer.image.size);
    close(fd);
    GOOD(fleet_download_begun(fleet, &answer, 0, &error));
    expect_state(id, UPDATE_DOWNLOADING, true);
    fleet_download_progress(fleet, &answer, 1000);
    struct update update;
    GOOD(fleet_update_show(fleet, &root, id, &update, &error));
    assert_int_equal(update.bytes, 1000);
    GOOD(fleet_download_finished(fleet, &answer, &error));
    expect_state(id, UPDATE_DOWNLOADED, true);
    now += 20000;
    answer = ask(&product, "123", "1.1.0");
    assert_int_equal(answer.reason, REASON_CURRENT);
    expect_state(id, UPDATE_RUNNING, false);
    now += 10000;
    (void)ask(&product, "123", "1.1.0");
    expect_state(id, UPDATE_RUNNING, false);
    now += 30000;
    (void)ask(&product, "123", "1.1.0");
    expect_state(id, UPDATE_CONFIRMED, true);

    char steps[256] = "";
    GOOD(fleet_update_steps(fleet, &root, id, collect_states, steps, &error));
    assert_string_equal(steps, "offered accepted downloading? downloaded? running confirmed? ");
    struct step step;
    GOOD(fleet_update_steps(fleet, &root, id, last_step, &step, &error));
    assert_string_equal(step.code, "heard_again");
    assert_string_equal(step.cause, "heard again with the new version");
    assert_string_equal(step.detail, "{}");
}

static void test_a_poll_that_changes_nothing_writes_nothing(void **state)
{
    (void)state;
    struct product product;
    struct store_stats before, after;
    make_product(&product, "lamp", KIND_ARDUINO, CONSENT_AUTOMATIC);
    release_app(&product, "1.1.0");
    (void)ask(&product, "123", "1.1.0");
    store_stats(fleet_store(fleet), &before);
    for (int i = 0; i < 100; i++) {
        now += 1000;
        (void)ask(&product, "123", "1.1.0");
    }
    store_stats(fleet_store(fleet), &after);
    assert_int_equal(after.writes, before.writes);
}

/* --- What is remembered of quiet checks: never longer than it is true. */

static struct device_facts lamp_facts(const struct product *product)
{
    struct device_facts facts = DEVICE_FACTS_INIT;
    facts.protocol = PROTOCOL_ESPHTTPUPDATE;
    facts.product_key = product->key;
    facts.serial = "S1";
    facts.chip_id = "123";
    facts.version = "1.1.0";
    return facts;
}

static struct product lamp;
static struct device lamp_device, other_device;

static void do_block(void)
{
    GOOD(fleet_device_block(fleet, &root, lamp_device.id, true, &error));
}
static void do_unblock(void)
{
    GOOD(fleet_device_block(fleet, &root, lamp_device.id, false, &error));
}
static void do_make_current(void)
{
    release_app(&lamp, "1.2.0");
}
static void do_withdraw(void)
{
    GOOD(fleet_release_withdraw(fleet, &root, lamp.id, "1.2.0", &error));
}
static void do_set_current(void)
{
    GOOD(fleet_release_set_current(fleet, &root, lamp.id, "1.1.0", &error));
}
static void do_order(void)
{
    struct update update;
    GOOD(fleet_device_order(fleet, &root, lamp_device.id, "1.0.0", true, &update, &error));
}
/* The serial comes before the chip's number: whoever has it is the one that asks. */
static void do_rename(void)
{
    strcpy(other_device.serial, "S1");
    GOOD(fleet_device_edit(fleet, &root, &other_device, &error));
}
static void do_delete(void)
{
    GOOD(fleet_device_delete(fleet, &root, lamp_device.id, &error));
}
static void do_say_another_version(void)
{
    static struct fleet_answer answer;
    struct device_facts facts = lamp_facts(&lamp);
    facts.version = "1.0.9";
    facts.only_asks = true;
    GOOD(fleet_check(fleet, &facts, &answer, &error));
}
static void do_nothing(void)
{
}
static void do_speak_of_another(void)
{
    GOOD(fleet_device_block(fleet, &root, other_device.id, true, &error));
}

static void test_a_quiet_check_is_not_remembered_beyond_a_change(void **state)
{
    static const struct {
        void (*change)(void);
        bool quiet; /* what was remembered may stay */
        enum recognised recognised;
        bool offered, another;
    } rows[] = {
        {do_nothing, true, RECOGNISED, false, false},
        {do_speak_of_another, true, RECOGNISED, false, false},
        {do_block, false, RECOGNISED_BLOCKED, false, false},
        {do_unblock, false, RECOGNISED, false, false},
        {do_make_current, false, RECOGNISED, true, false},
        {do_withdraw, false, RECOGNISED, false, false},
        {do_set_current, false, RECOGNISED, false, false},
        {do_say_another_version, false, RECOGNISED, false, false},
        {do_rename, false, RECOGNISED, false, true},
        {do_delete, false, RECOGNISED, false, true},
    };
    static struct fleet_answer answer;
    (void)state;
    make_product(&lamp, "lamp", KIND_ARDUINO, CONSENT_AUTOMATIC);
    release_app(&lamp, "1.0.0");
    release_app(&lamp, "1.1.0");
    memset(&other_device, 0, sizeof other_device);
    other_device.map = -1;
    GOOD(fleet_device_create(fleet, &root, lamp.id, &other_device, &error));
    struct device_facts facts = lamp_facts(&lamp);
    facts.serial = NULL;
    GOOD(fleet_check(fleet, &facts, &answer, &error)); /* registers it: without a serial */
    lamp_device = answer.device;
    facts.serial = "S1";
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        now += 60000;
        /* Twice: the first may have something to record. */
        GOOD(fleet_check(fleet, &facts, &answer, &error));
        GOOD(fleet_check(fleet, &facts, &answer, &error));
        bool quiet = answer.recognised == RECOGNISED && answer.update.no == 0;
        assert_int_equal(fleet_check_quiet(fleet, &facts), quiet);
        rows[i].change();
        if (fleet_check_quiet(fleet, &facts) != rows[i].quiet) {
            fail_msg("row %zu: it was remembered, or was not", i);
        }
        GOOD(fleet_check(fleet, &facts, &answer, &error));
        if (answer.recognised != rows[i].recognised ||
            (answer.reason == REASON_OFFER) != rows[i].offered ||
            (answer.device.no == other_device.no) != rows[i].another) {
            fail_msg("row %zu: %d, %s", i, (int)answer.recognised, reason_code(answer.reason));
        }
    }
}

static void test_an_order_and_a_poll_are_remembered_apart(void **state)
{
    static struct fleet_answer answer;
    (void)state;
    make_product(&lamp, "lamp", KIND_ARDUINO, CONSENT_AUTOMATIC);
    release_app(&lamp, "1.0.0");
    release_app(&lamp, "1.1.0");
    struct device_facts facts = lamp_facts(&lamp), another = facts;
    GOOD(fleet_check(fleet, &facts, &answer, &error));
    lamp_device = answer.device;
    GOOD(fleet_check(fleet, &facts, &answer, &error));
    assert_true(fleet_check_quiet(fleet, &facts));
    /* Whatever it tells otherwise is another question. */
    another.version = "1.0.0";
    assert_false(fleet_check_quiet(fleet, &another));
    another = facts;
    another.chip_id = "124";
    assert_false(fleet_check_quiet(fleet, &another));
    another = facts;
    another.asked = ASKED_FILESYSTEM;
    assert_false(fleet_check_quiet(fleet, &another));
    another = facts;
    another.serial = "S11"; /* the ends of texts count: not "S1" "123" as "S11" "23" */
    another.chip_id = "23";
    assert_false(fleet_check_quiet(fleet, &another));
    do_order();
    assert_false(fleet_check_quiet(fleet, &facts));
    GOOD(fleet_check(fleet, &facts, &answer, &error));
    assert_int_equal(answer.reason, REASON_OFFER);
    assert_false(fleet_check_quiet(fleet, &facts));
}

static void test_quiet_checks_are_contacts(void **state)
{
    struct telemetry noted;
    static struct fleet_answer answer;
    (void)state;
    make_product(&lamp, "lamp", KIND_ARDUINO, CONSENT_AUTOMATIC);
    release_app(&lamp, "1.1.0");
    struct device_facts facts = lamp_facts(&lamp);
    GOOD(fleet_check(fleet, &facts, &answer, &error));
    for (int i = 0; i < 5; i++) {
        now += 3600000;
        if (!fleet_check_quiet(fleet, &facts)) {
            GOOD(fleet_check(fleet, &facts, &answer, &error));
        }
        /* What was written meanwhile is not forgotten: the habit goes on from it. */
        assert_int_equal(store_flush(fleet_store(fleet)), STORE_OK);
    }
    assert_false(store_noted(fleet_store(fleet), answer.device.no, &noted));
    GOOD(fleet_device_show(fleet, &root, answer.device.id, &lamp_device, &error));
    assert_int_equal(lamp_device.last_seen, now);
    assert_int_equal(lamp_device.poll_every, 3600000);
    assert_int_equal(lamp_device.polls, 5);
}

/* Threads that ask without end, so that at every moment of a change somebody is about to remember
 * what was before it. */
static atomic_bool asking;

static void *ask_on(void *ctx)
{
    const struct device_facts *facts = ctx;
    struct fleet_answer *answer = malloc(sizeof *answer);
    struct fleet_error problem;
    while (answer != NULL && atomic_load(&asking)) {
        if (!fleet_check_quiet(fleet, facts)) {
            (void)fleet_check(fleet, facts, answer, &problem);
        }
    }
    free(answer);
    return NULL;
}

static void test_the_very_next_check_sees_a_change(void **state)
{
    enum { THREADS = 3, TURNS = 200 };
    pthread_t threads[THREADS];
    static struct fleet_answer answer;
    (void)state;
    make_product(&lamp, "lamp", KIND_ARDUINO, CONSENT_AUTOMATIC);
    release_app(&lamp, "1.1.0");
    const struct product made = lamp; /* that which is edited is not theirs to read */
    struct device_facts facts = lamp_facts(&made);
    GOOD(fleet_check(fleet, &facts, &answer, &error));
    lamp_device = answer.device;
    atomic_store(&asking, true);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, ask_on, &facts), 0);
    }
    for (int i = 0; i < TURNS; i++) {
        do_block();
        assert_false(fleet_check_quiet(fleet, &facts));
        GOOD(fleet_check(fleet, &facts, &answer, &error));
        assert_int_equal(answer.recognised, RECOGNISED_BLOCKED);
        /* The same for what belongs to the product. */
        lamp.reply_blocked = i % 2 == 0 ? 404 : 403;
        GOOD(fleet_product_edit(fleet, &root, &lamp, &error));
        GOOD(fleet_check(fleet, &facts, &answer, &error));
        assert_int_equal(answer.reply, lamp.reply_blocked);
        do_unblock();
        GOOD(fleet_check(fleet, &facts, &answer, &error));
        assert_int_equal(answer.recognised, RECOGNISED);
    }
    release_app(&lamp, "1.2.0");
    lamp.consent = CONSENT_AUTOMATIC;
    GOOD(fleet_product_edit(fleet, &root, &lamp, &error));
    assert_false(fleet_check_quiet(fleet, &facts));
    atomic_store(&asking, false);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
}

static void test_a_device_that_never_changes_is_left_alone(void **state)
{
    (void)state;
    struct product product;
    struct fleet_answer answer;
    make_product(&product, "lamp", KIND_ARDUINO, CONSENT_AUTOMATIC);
    release_app(&product, "1.1.0");
    for (int i = 0; i < DECIDE_LOOP_LIMIT; i++) {
        answer = ask(&product, "123", "1.0.0");
        assert_int_equal(answer.reason, REASON_OFFER);
        GOOD(fleet_download_begun(fleet, &answer, 0, &error));
        GOOD(fleet_download_finished(fleet, &answer, &error));
        now += 60000;
    }
    answer = ask(&product, "123", "1.0.0");
    assert_int_equal(answer.reason, REASON_LOOP);
    /* An order is one more try. */
    struct update update;
    GOOD(fleet_device_order(fleet, &root, answer.device.id, NULL, false, &update, &error));
    assert_int_equal(ask(&product, "123", "1.0.0").reason, REASON_OFFER);
}

static void test_strangers_and_blocked_ones(void **state)
{
    (void)state;
    struct product product;
    make_product(&product, "lamp", KIND_ARDUINO, CONSENT_AUTOMATIC);
    release_app(&product, "1.1.0");
    product.strangers = STRANGERS_REFUSE;
    product.reply_unknown = 404;
    product.reply_blocked = 403;
    GOOD(fleet_product_edit(fleet, &root, &product, &error));
    struct fleet_answer answer = ask(&product, "1", "1.0.0");
    assert_int_equal(answer.recognised, RECOGNISED_STRANGER);
    assert_int_equal(answer.reply, 404);
    assert_int_equal(answer.device.no, 0);
    product.strangers = STRANGERS_HOLD;
    GOOD(fleet_product_edit(fleet, &root, &product, &error));
    answer = ask(&product, "1", "1.0.0");
    assert_int_equal(answer.recognised, RECOGNISED_NOT_ADMITTED);
    assert_true(answer.device.no != 0);
    assert_int_equal(answer.update.no, 0);
    answer.device.standing = STANDING_ADMITTED;
    GOOD(fleet_device_edit(fleet, &root, &answer.device, &error));
    assert_int_equal(ask(&product, "1", "1.0.0").reason, REASON_OFFER);
    GOOD(fleet_device_block(fleet, &root, answer.device.id, true, &error));
    answer = ask(&product, "1", "1.0.0");
    assert_int_equal(answer.recognised, RECOGNISED_BLOCKED);
    assert_int_equal(answer.reply, 403);
    REFUSED(fleet_answer_open(fleet, &answer, &(int){0}, &error), FLEET_NOT_FOUND, "no_such_image");
    REFUSED(fleet_answer_open(fleet, &answer, NULL, &error), FLEET_NOT_FOUND, "no_such_image");
    strcpy(product.key, "00000000-0000-0000-0000-000000000000");
    assert_int_equal(ask(&product, "1", "1.0.0").recognised, RECOGNISED_NOBODY);
}

static void test_espressifs_procedure(void **state)
{
    (void)state;
    struct product product;
    struct user owner;
    struct device device = {.serial = "a1"}, claimed;
    struct update update;
    struct fleet_answer answer;
    struct token token;
    char activation[SECRET_SIZE], key[SECRET_SIZE];
    make_product(&product, "clock", KIND_NONOS, CONSENT_ASK_REBOOT);
    release_pair(&product, "v1.0.0t45772(a)", true);
    release_pair(&product, "v1.1.0t45772(a)", false);
    GOOD(fleet_user_create(fleet, &root, "owner", "owner's word", false, &owner, &error));
    struct actor person = {.kind = ACTOR_USER, .user = owner.no, .name = "owner"};
    GOOD(fleet_device_create(fleet, &root, product.id, &device, &error));
    assert_int_equal(strlen(device.device_key), 40);

    /* Activation and authorisation. */
    GOOD(fleet_token_create(fleet, &person, TOKEN_ACTIVATION, "phone", NULL, 0, activation, &token,
                            &error));
    GOOD(fleet_device_activate(fleet, device.device_key, activation, "18:FE:34:00:00:01",
                               "v1.0.0t45772(a)", &claimed, &error));
    assert_string_equal(claimed.version, "v1.0.0t45772(a)");
    GOOD(fleet_key_authorize(fleet, &person, activation, key, &claimed, &error));
    REFUSED(fleet_key_authorize(fleet, &person, activation, key, &claimed, &error), FLEET_NOT_FOUND,
            "no_such_token");

    /* Set as current, upgrade, both requests of the download. */
    GOOD(fleet_release_set_current(fleet, &root, product.id, "v1.1.0t45772(a)", &error));
    GOOD(fleet_device_order(fleet, &root, device.id, NULL, false, &update, &error));
    assert_int_equal(update.state, UPDATE_ACCEPTED);
    GOOD(fleet_device_said(fleet, device.id, SAYING_ACKED, NULL, NULL, &error));
    struct device_facts facts = DEVICE_FACTS_INIT;
    facts.protocol = PROTOCOL_ESPRESSIF_HTTP;
    facts.device_key = device.device_key;
    facts.wanted_version = "v1.1.0t45772(a)\"";
    facts.wanted_file = "user2.bin";
    facts.only_asks = true;
    GOOD(fleet_check(fleet, &facts, &answer, &error));
    assert_int_equal(answer.reason, REASON_OFFER);
    assert_int_equal(answer.image.part, PART_USER2);
    facts.only_asks = false;
    GOOD(fleet_check(fleet, &facts, &answer, &error));
    assert_string_equal(answer.update.id, update.id);
    assert_string_equal(answer.device.slot, "user1");
    GOOD(fleet_download_begun(fleet, &answer, 0, &error));
    GOOD(fleet_download_finished(fleet, &answer, &error));
    expect_state(update.id, UPDATE_DOWNLOADED, true);
    GOOD(fleet_device_said(fleet, device.id, SAYING_DOWNLOADED, "v1.1.0t45772(a)", NULL, &error));
    expect_state(update.id, UPDATE_DOWNLOADED, false);

    /* The owner decides about the reboot. */
    facts = (struct device_facts)DEVICE_FACTS_INIT;
    facts.protocol = PROTOCOL_ESPRESSIF_LINK;
    facts.device_key = device.device_key;
    GOOD(fleet_check(fleet, &facts, &answer, &error));
    assert_false(answer.reboot);
    GOOD(fleet_device_answer(fleet, &person, device.id, ANSWER_NOW, 0, &error));
    GOOD(fleet_check(fleet, &facts, &answer, &error));
    assert_true(answer.reboot);
    GOOD(fleet_device_said(fleet, device.id, SAYING_REBOOTING, NULL, NULL, &error));
    GOOD(fleet_check(fleet, &facts, &answer, &error));
    assert_false(answer.reboot);
    GOOD(fleet_device_said(fleet, device.id, SAYING_RUNNING, "v1.1.0t45772(a)", NULL, &error));
    expect_state(update.id, UPDATE_RUNNING, false);
    GOOD(fleet_device_said(fleet, device.id, SAYING_HEALTHY, NULL, NULL, &error));
    expect_state(update.id, UPDATE_CONFIRMED, false);

    /* A file of a release that is neither current nor ordered is not given. */
    facts.protocol = PROTOCOL_ESPRESSIF_HTTP;
    facts.wanted_version = "v1.0.0t45772(a)";
    facts.wanted_file = "user1.bin";
    GOOD(fleet_check(fleet, &facts, &answer, &error));
    assert_int_not_equal(answer.reason, REASON_OFFER);
}

static void test_a_rolled_back_device_is_explained(void **state)
{
    (void)state;
    struct product product;
    struct device device = {.serial = "a1"};
    struct update update;
    struct fleet_why why;
    make_product(&product, "clock", KIND_NONOS, CONSENT_AUTOMATIC);
    release_pair(&product, "v1.1.0t45772(a)", true);
    GOOD(fleet_device_create(fleet, &root, product.id, &device, &error));
    GOOD(fleet_device_said(fleet, device.id, SAYING_RUNNING, "v1.0.0t45772(a)", NULL, &error));
    GOOD(fleet_device_order(fleet, &root, device.id, NULL, false, &update, &error));
    GOOD(fleet_device_said(fleet, device.id, SAYING_DOWNLOADED, NULL, NULL, &error));
    GOOD(fleet_device_said(fleet, device.id, SAYING_REBOOTING, NULL, NULL, &error));
    GOOD(fleet_device_said(fleet, device.id, SAYING_RUNNING, "v1.1.0t45772(a)", NULL, &error));
    GOOD(fleet_device_said(fleet, device.id, SAYING_ROLLED_BACK, "v1.0.0t45772(a)", "no Wi-Fi",
                           &error));
    expect_state(update.id, UPDATE_ROLLED_BACK, false);
    struct step step;
    GOOD(fleet_update_steps(fleet, &root, update.id, last_step, &step, &error));
    assert_string_equal(step.code, "rolled_back_says");
    assert_string_equal(step.cause, "the device went back: no Wi-Fi");
    assert_string_equal(step.detail, "{\"words\":\"no Wi-Fi\"}");
    GOOD(fleet_update_show(fleet, &root, update.id, &update, &error));
    assert_string_equal(update.reason, "rolled_back");
    assert_string_equal(update.text, step.cause);
    GOOD(fleet_device_said(fleet, device.id, SAYING_RUNNING, "v1.0.0t45772(a)", NULL, &error));
    GOOD(fleet_device_explain(fleet, &root, device.id, &why, &error));
    assert_int_equal(why.reason, REASON_ROLLED_BACK);
    assert_int_equal(why.rules[REASON_ROLLED_BACK], RULE_FAILED);
    assert_string_equal(why.words.text, "the device went back from v1.1.0t45772(a) to "
                                        "v1.0.0t45772(a) by itself; an order tries again");
    assert_string_equal(why.words.detail,
                        "{\"release\":\"v1.1.0t45772(a)\",\"version\":\"v1.0.0t45772(a)\"}");
}

static void test_consent_before_the_download(void **state)
{
    (void)state;
    struct product product;
    struct user owner;
    make_product(&product, "lamp", KIND_ARDUINO, CONSENT_ASK_DOWNLOAD);
    release_app(&product, "1.1.0");
    GOOD(fleet_user_create(fleet, &root, "owner", "owner's word", false, &owner, &error));
    struct actor person = {.kind = ACTOR_USER, .user = owner.no, .name = "owner"};
    struct fleet_answer answer = ask(&product, "1", "1.0.0");
    struct device device, claimed;
    assert_int_equal(answer.reason, REASON_WAITS_OWNER);
    expect_state(answer.update.id, UPDATE_OFFERED, false);
    GOOD(fleet_device_show(fleet, &root, answer.device.id, &device, &error));
    REFUSED(fleet_device_claim(fleet, &person, "", &claimed, &error), FLEET_NOT_FOUND,
            "no_such_code");
    GOOD(fleet_device_claim(fleet, &person, device.claim_code, &claimed, &error));
    REFUSED(fleet_device_claim(fleet, &person, device.claim_code, &claimed, &error),
            FLEET_NOT_FOUND, "no_such_code");
    GOOD(fleet_device_answer(fleet, &person, device.id, ANSWER_TONIGHT, 0, &error));
    assert_int_equal(ask(&product, "1", "1.0.0").reason, REASON_POSTPONED);
    now += 26LL * 3600 * 1000;
    answer = ask(&product, "1", "1.0.0");
    assert_int_equal(answer.reason, REASON_OFFER);
    expect_state(answer.update.id, UPDATE_ACCEPTED, false);
    GOOD(fleet_device_answer(fleet, &person, device.id, ANSWER_NO, 0, &error));
    assert_int_equal(ask(&product, "1", "1.0.0").reason, REASON_DECLINED);
    REFUSED(fleet_device_answer(fleet, &person, device.id, ANSWER_NOW, 0, &error), FLEET_CONFLICT,
            "nothing_to_answer");
}

static void test_tonight_is_where_the_owner_is(void **state)
{
    (void)state;
    enum { HOUR = 3600000 };
    static const struct {
        int hour, minute; /* of UTC, when the owner answers */
        int32_t east;     /* minutes */
        int waits;        /* minutes, until three o'clock there and an hour at least */
    } rows[] = {
        {0, 0, 0, 180},
        {1, 59, 0, 61},
        {2, 0, 0, 60},
        {2, 1, 0, 24 * 60 + 59},
        {23, 0, 0, 240},
        {20, 0, 7 * 60, 24 * 60},
        {18, 30, 7 * 60, 90},
        {19, 30, 7 * 60, 23 * 60 + 30 + 60},
        {0, 0, -5 * 60, 480},
        {6, 30, -5 * 60, 90},
        {0, 0, 14 * 60, 780},
        {0, 0, -14 * 60, 1020},
        {12, 0, 5 * 60 + 45, 555},
    };
    struct product product;
    struct user owner;
    make_product(&product, "lamp", KIND_ARDUINO, CONSENT_ASK_DOWNLOAD);
    release_app(&product, "1.1.0");
    GOOD(fleet_user_create(fleet, &root, "owner", "owner's word", false, &owner, &error));
    struct actor person = {.kind = ACTOR_USER, .user = owner.no, .name = "owner"};
    int64_t midnight = now - now % (24 * HOUR) + 24 * HOUR;
    now = midnight;
    struct fleet_answer answer = ask(&product, "1", "1.0.0");
    struct device device, claimed;
    GOOD(fleet_device_show(fleet, &root, answer.device.id, &device, &error));
    GOOD(fleet_device_claim(fleet, &person, device.claim_code, &claimed, &error));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        now = midnight + rows[i].hour * HOUR + rows[i].minute * 60000;
        GOOD(fleet_device_answer(fleet, &person, device.id, ANSWER_TONIGHT, rows[i].east, &error));
        GOOD(fleet_device_show(fleet, &root, device.id, &device, &error));
        if (device.not_before != now + rows[i].waits * 60000LL) {
            fail_msg("row %zu waits %lld minutes and not %d", i,
                     (long long)(device.not_before - now) / 60000, rows[i].waits);
        }
    }
}

/* Brings an update of a fresh device into a state; its id. */
static void begin_update(const struct product *product, const char *serial, int64_t habit,
                         enum update_state state, char id[ID_SIZE])
{
    struct fleet_answer answer;
    for (int i = 0; habit != 0 && i < 8; i++) {
        (void)ask(product, serial, "1.2.0"); /* newer than what is there: nothing is offered */
        now += habit;
    }
    answer = ask(product, serial, "1.0.0");
    assert_int_equal(answer.reason, REASON_OFFER);
    strcpy(id, answer.update.id);
    if (state >= UPDATE_DOWNLOADING) {
        GOOD(fleet_download_begun(fleet, &answer, 0, &error));
    }
    if (state >= UPDATE_DOWNLOADED) {
        GOOD(fleet_download_finished(fleet, &answer, &error));
    }
    if (state == UPDATE_REBOOTING) {
        GOOD(fleet_device_said(fleet, answer.device.id, SAYING_REBOOTING, NULL, NULL, &error));
    }
    if (state == UPDATE_RUNNING) {
        (void)ask(product, serial, "1.1.0");
    }
}

static void test_what_nothing_is_heard_of_is_given_up(void **state)
{
    (void)state;
    enum { MINUTE = 60000, HOUR = 60 * MINUTE, DAY = 24 * HOUR };
    static const struct {
        enum update_state state;
        int64_t habit;   /* 0: none yet */
        int64_t silence; /* as long as is allowed */
    } rows[] = {
        {UPDATE_ACCEPTED, 0, 0},
        {UPDATE_ACCEPTED, HOUR, 0},
        {UPDATE_DOWNLOADING, 0, DAY},
        {UPDATE_DOWNLOADING, 5 * MINUTE, HOUR},
        {UPDATE_DOWNLOADING, DAY, 2 * DAY},
        {UPDATE_DOWNLOADED, 0, DAY},
        {UPDATE_DOWNLOADED, 5 * MINUTE, HOUR},
        {UPDATE_REBOOTING, 5 * MINUTE, HOUR},
        {UPDATE_REBOOTING, 0, DAY},
        {UPDATE_RUNNING, 5 * MINUTE, DAY},
        {UPDATE_RUNNING, DAY, 2 * DAY},
    };
    struct product product;
    make_product(&product, "lamp", KIND_ARDUINO, CONSENT_AUTOMATIC);
    release_app(&product, "1.1.0");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char serial[16], id[ID_SIZE];
        struct update update;
        snprintf(serial, sizeof serial, "%zu", i);
        begin_update(&product, serial, rows[i].habit, rows[i].state, id);
        now += rows[i].silence != 0 ? rows[i].silence : 100LL * DAY;
        fleet_housekeeping(fleet);
        GOOD(fleet_update_show(fleet, &root, id, &update, &error));
        if (update.state != (int)rows[i].state) {
            fail_msg("row %zu: %s too early: %s", i,
                     update_state_word((enum update_state)update.state), update.text);
        }
        now += rows[i].silence != 0 ? rows[i].silence : 0;
        fleet_housekeeping(fleet);
        GOOD(fleet_update_show(fleet, &root, id, &update, &error));
        if (rows[i].silence == 0) {
            assert_int_equal(update.state, rows[i].state);
            continue;
        }
        if (update.state != UPDATE_FAILED) {
            fail_msg("row %zu: still %s", i, update_state_word((enum update_state)update.state));
        }
        assert_string_equal(update.reason, "not_heard_of");
        assert_true(update.inferred);
        assert_non_null(strstr(update.text, "not heard of for"));
        struct step step;
        GOOD(fleet_update_steps(fleet, &root, id, last_step, &step, &error));
        assert_string_equal(step.code, "not_heard_of");
        assert_non_null(strstr(step.detail, "\"hours\":"));
        assert_true(step.inferred);
    }
}

static void test_an_update_of_a_device_that_is_heard_lasts_longer(void **state)
{
    (void)state;
    enum { HOUR = 3600000, DAY = 24 * HOUR };
    struct product product;
    struct update update;
    char id[ID_SIZE];
    make_product(&product, "lamp", KIND_ARDUINO, CONSENT_AUTOMATIC);
    release_app(&product, "1.1.0");
    begin_update(&product, "1", HOUR, UPDATE_DOWNLOADING, id);
    for (int64_t begun = now; now - begun <= 7LL * DAY; now += HOUR) {
        (void)ask(&product, "1", NULL);
        fleet_housekeeping(fleet);
        GOOD(fleet_update_show(fleet, &root, id, &update, &error));
        assert_int_equal(update.state, UPDATE_DOWNLOADING);
    }
    (void)ask(&product, "1", NULL);
    fleet_housekeeping(fleet);
    GOOD(fleet_update_show(fleet, &root, id, &update, &error));
    assert_int_equal(update.state, UPDATE_FAILED);
    assert_string_equal(update.reason, "stuck");
}

static struct forecast foretell(const struct product *product, const char *version)
{
    struct forecast found;
    GOOD(fleet_release_forecast(fleet, &root, product->id, version, &found, &error));
    return found;
}

static void test_a_release_is_foretold(void **state)
{
    (void)state;
    enum { MINUTE = 60000, HOUR = 60 * MINUTE };
    struct product product;
    struct device silent = {.serial = "new"};
    char id[ID_SIZE];
    make_product(&product, "lamp", KIND_ARDUINO, CONSENT_AUTOMATIC);
    release_app(&product, "1.0.0");
    GOOD(fleet_device_create(fleet, &root, product.id, &silent, &error));
    /* Hourly ones, ten minutes apart; one that came once; one that stays away; one blocked. */
    for (int hour = 0; hour < 8; hour++) {
        for (int i = 0; i < 6; i++) {
            char serial[8];
            snprintf(serial, sizeof serial, "%d", i);
            (void)ask(&product, serial, "1.0.0");
            if (hour < 4) {
                (void)ask(&product, "away", "1.0.0");
            }
            now += 10 * MINUTE;
        }
    }
    (void)ask(&product, "once", "1.0.0");
    struct fleet_answer blocked = ask(&product, "blocked", "1.0.0");
    GOOD(fleet_device_block(fleet, &root, blocked.device.id, true, &error));

    struct forecast found = foretell(&product, "1.0.0");
    assert_int_equal(found.done, 9);
    assert_int_equal(found.unknown, 1); /* it never said what it runs */
    assert_int_equal(found.expected + found.silent + found.people + found.refused, 0);

    release_app(&product, "1.1.0");
    found = foretell(&product, "1.1.0");
    assert_int_equal(found.done, 0);
    assert_int_equal(found.expected, 6);
    assert_int_equal(found.unknown, 2);
    assert_int_equal(found.silent, 1);
    assert_int_equal(found.refused, 1);
    assert_int_equal(found.per_hour, 0);
    /* The sixth came last, ten minutes ago. */
    assert_int_equal(found.half, now + 20 * MINUTE);
    assert_int_equal(found.most, now + 50 * MINUTE);
    assert_int_equal(found.all, now + 50 * MINUTE);

    /* Nobody waits for the one before any more. */
    found = foretell(&product, "1.0.0");
    assert_int_equal(found.expected + found.silent + found.unknown + found.refused, 0);

    /* The first one needs five minutes, and so will the others. */
    begin_update(&product, "0", 0, UPDATE_DOWNLOADED, id);
    assert_int_equal(foretell(&product, "1.1.0").expected, 6);
    now += 5 * MINUTE;
    (void)ask(&product, "0", "1.1.0");
    found = foretell(&product, "1.1.0");
    assert_int_equal(found.done, 1);
    assert_int_equal(found.expected, 5);
    assert_int_equal(found.per_hour, 12); /* one in the five minutes of its life */
    assert_int_equal(found.all, now + 45 * MINUTE + 5 * MINUTE);

    /* Whoever has to agree is waited for. */
    struct product plug;
    make_product(&plug, "plug", KIND_ARDUINO, CONSENT_ASK_DOWNLOAD);
    (void)ask(&plug, "7", "1.0.0");
    release_app(&plug, "1.1.0");
    found = foretell(&plug, "1.1.0");
    assert_int_equal(found.people, 1);
    assert_int_equal(found.expected + found.unknown, 0);
    REFUSED(fleet_release_forecast(fleet, &root, plug.id, "9.9.9", &found, &error), FLEET_NOT_FOUND,
            "no_such_release");
}

static void test_a_sample_foretells_a_large_fleet(void **state)
{
    (void)state;
    enum { DEVICES = 9000, DAY = 24 * 3600000 };
    static struct device devices[DEVICES];
    struct product product;
    make_product(&product, "lamp", KIND_ARDUINO, CONSENT_AUTOMATIC);
    release_app(&product, "2.0.0");
    for (int i = 0; i < DEVICES; i++) {
        devices[i] = (struct device){.product = product.no,
                                     .map = -1,
                                     .standing = STANDING_ADMITTED,
                                     .protocol = PROTOCOL_ESPHTTPUPDATE,
                                     .free_space = 1 << 20,
                                     .chip_size = 4 << 20,
                                     .last_seen = now - (int64_t)i * DAY / DEVICES,
                                     .poll_every = i % 3 == 0 ? 0 : DAY};
        snprintf(devices[i].id, sizeof devices[i].id, "d_%d", i);
        snprintf(devices[i].version, sizeof devices[i].version, "%s",
                 i % 10 == 0  ? "1.0.0"
                 : i % 2 == 0 ? "2.0.0"
                              : "1.9.0");
    }
    put_devices(devices, DEVICES);
    struct forecast found = foretell(&product, "2.0.0");
    assert_int_equal(found.done, DEVICES * 4 / 10);
    assert_in_range(found.expected + found.unknown, DEVICES * 6 / 10 - 1, DEVICES * 6 / 10 + 1);
    assert_in_range(found.expected, DEVICES * 35 / 100, DEVICES * 45 / 100);
    assert_in_range(found.most - now, DAY / 100 * 75, DAY / 100 * 95);
    assert_in_range(found.all - now, DAY / 100 * 95, DAY);
}

static void test_withdrawing_cancels_what_has_not_begun(void **state)
{
    (void)state;
    struct product product;
    make_product(&product, "lamp", KIND_ARDUINO, CONSENT_AUTOMATIC);
    release_app(&product, "1.1.0");
    struct fleet_answer first = ask(&product, "1", "1.0.0");
    struct fleet_answer second = ask(&product, "2", "1.0.0");
    GOOD(fleet_download_begun(fleet, &second, 0, &error));
    GOOD(fleet_release_withdraw(fleet, &root, product.id, "1.1.0", &error));
    expect_state(first.update.id, UPDATE_CANCELLED, false);
    expect_state(second.update.id, UPDATE_DOWNLOADING, true);
    assert_int_equal(ask(&product, "1", "1.0.0").reason, REASON_NO_RELEASE);
    REFUSED(fleet_release_set_current(fleet, &root, product.id, "1.1.0", &error), FLEET_CONFLICT,
            "withdrawn");
}

/* --- People
 * ------------------------------------------------------------------------------------------ */

static void test_what_is_another_s_does_not_exist(void **state)
{
    (void)state;
    struct product product, found;
    struct device device = {.serial = "s"}, seen;
    struct user user;
    struct fleet_error one, two;
    make_product(&product, "lamp", KIND_ARDUINO, CONSENT_AUTOMATIC);
    GOOD(fleet_device_create(fleet, &root, product.id, &device, &error));
    GOOD(fleet_user_create(fleet, &root, "eve", "eve's password", false, &user, &error));
    struct actor eve = {.kind = ACTOR_USER, .user = user.no, .name = "eve"};

    assert_int_equal(fleet_product_show(fleet, &eve, product.id, &found, NULL, &one),
                     FLEET_NOT_FOUND);
    assert_int_equal(fleet_product_show(fleet, &eve, "p_0000000000000000", &found, NULL, &two),
                     FLEET_NOT_FOUND);
    assert_memory_equal(&one, &two, sizeof one);
    assert_int_equal(fleet_device_show(fleet, &eve, device.id, &seen, &one), FLEET_NOT_FOUND);
    assert_int_equal(fleet_device_show(fleet, &eve, "d_0000000000000000", &seen, &two),
                     FLEET_NOT_FOUND);
    assert_memory_equal(&one, &two, sizeof one);
    assert_int_equal(fleet_device_reboot(fleet, &eve, device.id, &one), FLEET_NOT_FOUND);

    GOOD(fleet_member_set(fleet, &root, product.id, "eve", ROLE_VIEWER, &error));
    GOOD(fleet_device_show(fleet, &eve, device.id, &seen, &error));
    assert_string_equal(seen.device_key, "");
    REFUSED(fleet_device_reboot(fleet, &eve, device.id, &error), FLEET_FORBIDDEN, "forbidden");
    GOOD(fleet_member_set(fleet, &root, product.id, "eve", ROLE_OPERATOR, &error));
    GOOD(fleet_device_reboot(fleet, &eve, device.id, &error));
    GOOD(fleet_device_show(fleet, &eve, device.id, &seen, &error));
    assert_int_equal(strlen(seen.device_key), 40);
    GOOD(fleet_member_set(fleet, &root, product.id, "eve", ROLE_NONE, &error));
    assert_int_equal(fleet_device_show(fleet, &eve, device.id, &seen, &one), FLEET_NOT_FOUND);
}

static void collect_devices(void *ctx, const struct device *device)
{
    strcat(ctx, device->name);
    strcat(ctx, " ");
}

static void test_a_list_has_what_its_reader_may_see(void **state)
{
    (void)state;
    static const char *const names[] = {"a", "b", "c"};
    struct product products[3];
    struct user user;
    struct device device, claimed;
    GOOD(fleet_user_create(fleet, &root, "vic", "vic's password", false, &user, &error));
    struct actor vic = {.kind = ACTOR_USER, .user = user.no, .name = "vic"};
    for (int i = 0; i < 3; i++) {
        make_product(&products[i], names[i], KIND_ARDUINO, CONSENT_AUTOMATIC);
        for (int k = 0; k < 3; k++) {
            device = (struct device){.map = -1};
            snprintf(device.name, sizeof device.name, "%s%d", names[i], k);
            GOOD(fleet_device_create(fleet, &root, products[i].id, &device, &error));
        }
    }
    /* The last one is his own; of the first product he is a viewer, of the second he was. */
    GOOD(fleet_device_claim(fleet, &vic, device.claim_code, &claimed, &error));
    GOOD(fleet_member_set(fleet, &root, products[0].id, "vic", ROLE_VIEWER, &error));
    GOOD(fleet_member_set(fleet, &root, products[1].id, "vic", ROLE_OPERATOR, &error));
    GOOD(fleet_member_set(fleet, &root, products[1].id, "vic", ROLE_NONE, &error));
    static const struct {
        struct fleet_query query;
        const char *devices;
        int64_t total;
    } rows[] = {
        {{.sort = "name"}, "a0 a1 a2 c2 ", 4},
        {{.sort = "-name", .limit = 3}, "c2 a2 a1 ", 4},
        {{.sort = "name", .limit = 2, .after = "2"}, "a2 c2 ", 4},
        {{.text = "2"}, "a2 c2 ", 2},
        {{.product = "a"}, "a0 a1 a2 ", 3},
        {{.online = -1}, "a0 a1 a2 c2 ", 4},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char found[64] = "";
        struct fleet_page page;
        GOOD(fleet_device_list(fleet, &vic, &rows[i].query, collect_devices, found, &page, &error));
        assert_string_equal(found, rows[i].devices);
        assert_int_equal(page.total, rows[i].total);
    }
    /* A key of one device opens that one alone, and nobody sees anything. */
    struct actor narrow = vic, nobody = {.kind = ACTOR_NOBODY};
    char found[64] = "";
    struct fleet_page page;
    struct fleet_query query = {0};
    narrow.device = claimed.no;
    GOOD(fleet_device_list(fleet, &narrow, &query, collect_devices, found, &page, &error));
    assert_string_equal(found, "c2 ");
    found[0] = '\0';
    (void)fleet_device_list(fleet, &nobody, &query, collect_devices, found, &page, &error);
    assert_string_equal(found, "");
}

static void test_the_first_start_and_log_in(void **state)
{
    (void)state;
    char setup[SECRET_SIZE], secret[SECRET_SIZE], api[SECRET_SIZE];
    struct user user, same;
    struct actor actor;
    struct token token;
    assert_true(fleet_needs_setup(fleet));
    GOOD(fleet_setup_token(fleet, api, &error));
    GOOD(fleet_setup_token(fleet, setup, &error));
    /* Programs use the newest token at once, as an administrator's. */
    REFUSED(fleet_authenticate(fleet, api, false, &actor, &error), FLEET_UNKNOWN, "bad_token");
    GOOD(fleet_authenticate(fleet, setup, false, &actor, &error));
    assert_true(actor.administrator && fleet_needs_setup(fleet));
    REFUSED(fleet_login(fleet, "admin", "", "::1", secret, &actor, &error), FLEET_UNKNOWN,
            "bad_login");
    REFUSED(fleet_setup(fleet, "wrong", "ann", "ann's password", &user, &error), FLEET_UNKNOWN,
            "bad_token");
    REFUSED(fleet_setup(fleet, setup, "ann", "short", &user, &error), FLEET_INVALID,
            "bad_password");
    GOOD(fleet_setup(fleet, setup, "ann", "ann's password", &user, &error));
    REFUSED(fleet_setup(fleet, setup, "bob", "bob's password", &user, &error), FLEET_UNKNOWN,
            "bad_token");
    assert_false(fleet_needs_setup(fleet));
    GOOD(fleet_authenticate(fleet, setup, false, &actor, &error));
    assert_string_equal(actor.name, "ann");

    GOOD(fleet_login(fleet, "ann", "ann's password", "::1", secret, &actor, &error));
    assert_true(actor.administrator);
    GOOD(fleet_authenticate(fleet, secret, true, &actor, &error));
    assert_int_equal(strlen(actor.csrf), 32);
    /* A cookie opens nothing as a bearer token, nor the other way round. */
    REFUSED(fleet_authenticate(fleet, secret, false, &actor, &error), FLEET_UNKNOWN, "bad_token");
    GOOD(fleet_authenticate(fleet, secret, true, &actor, &error));
    GOOD(fleet_token_create(fleet, &actor, TOKEN_API, "laptop", NULL, 1000, api, &token, &error));
    REFUSED(fleet_authenticate(fleet, api, true, &actor, &error), FLEET_UNKNOWN, "bad_token");
    GOOD(fleet_authenticate(fleet, api, false, &actor, &error));
    now += 1001;
    REFUSED(fleet_authenticate(fleet, api, false, &actor, &error), FLEET_UNKNOWN, "bad_token");
    GOOD(fleet_authenticate(fleet, secret, true, &actor, &error));
    GOOD(fleet_logout(fleet, &actor, &error));
    REFUSED(fleet_authenticate(fleet, secret, true, &actor, &error), FLEET_UNKNOWN, "bad_token");
    REFUSED(fleet_authenticate(fleet, "", false, &actor, &error), FLEET_UNKNOWN, "bad_token");

    /* The last administrator stays. */
    GOOD(fleet_user_show(fleet, &root, "ann", &same, &error));
    same.disabled = true;
    REFUSED(fleet_user_edit(fleet, &root, &same, NULL, &error), FLEET_CONFLICT,
            "last_administrator");

    /* Wrong passwords are throttled, and right ones with them; time heals. */
    enum fleet_status status = FLEET_UNKNOWN;
    int tries = 0;
    for (; status == FLEET_UNKNOWN && tries < 20; tries++) {
        status = fleet_login(fleet, "ann", "a wrong guess", "::1", secret, &actor, &error);
    }
    assert_int_equal(status, FLEET_THROTTLED);
    assert_int_equal(tries, 6);
    assert_true(error.retry_after > 0);
    REFUSED(fleet_login(fleet, "ann", "ann's password", "::1", secret, &actor, &error),
            FLEET_THROTTLED, "throttled");
    now += 10 * 60 * 1000;
    GOOD(fleet_login(fleet, "ann", "ann's password", "::1", secret, &actor, &error));
}

/* --- Audit and events
 * -------------------------------------------------------------------------------- */

static enum store_result tamper(struct store_view *view, void *ctx)
{
    struct audit line;
    (void)ctx;
    enum store_result result = store_get_no(view, STORE_AUDIT, 2, &line);
    strcpy(line.who, "somebody else");
    return result == STORE_OK ? store_update(view, STORE_AUDIT, &line) : result;
}

static void test_the_audit_log_shows_tampering(void **state)
{
    (void)state;
    struct fleet_chain chain;
    struct product product;
    make_product(&product, "one", KIND_ARDUINO, CONSENT_AUTOMATIC);
    make_product(&product, "two", KIND_ARDUINO, CONSENT_AUTOMATIC);
    make_product(&product, "three", KIND_ARDUINO, CONSENT_AUTOMATIC);
    GOOD(fleet_audit_check(fleet, &root, &chain, &error));
    assert_int_equal(chain.checked, 3);
    assert_int_equal(chain.broken_at, 0);
    assert_int_equal(store_write(fleet_store(fleet), tamper, NULL), STORE_OK);
    GOOD(fleet_audit_check(fleet, &root, &chain, &error));
    assert_int_equal(chain.broken_at, 2);
    struct actor nobody = {0};
    assert_int_not_equal(fleet_audit_check(fleet, &nobody, &chain, &error), FLEET_OK);
}

static void count_event(void *ctx, const struct event *event)
{
    (void)event;
    (*(int *)ctx)++;
}

static void test_events_resume_and_are_for_those_who_may(void **state)
{
    (void)state;
    struct product product;
    struct user user;
    int all = 0, some = 0, none = 0;
    int64_t newest, last;
    make_product(&product, "one", KIND_ARDUINO, CONSENT_AUTOMATIC);
    release_app(&product, "1.1.0");
    (void)ask(&product, "1", "1.0.0");
    GOOD(fleet_events(fleet, &root, 0, 100, count_event, &all, &newest, &error));
    assert_true(all >= 5);
    GOOD(fleet_events(fleet, &root, 0, 2, count_event, &some, &last, &error));
    assert_int_equal(some, 2);
    GOOD(fleet_events(fleet, &root, last, 100, count_event, &some, &last, &error));
    assert_int_equal(some, all);
    assert_int_equal(last, newest);
    GOOD(fleet_user_create(fleet, &root, "eve", "eve's password", false, &user, &error));
    struct actor eve = {.kind = ACTOR_USER, .user = user.no, .name = "eve"};
    GOOD(fleet_events(fleet, &eve, 0, 100, count_event, &none, &last, &error));
    assert_int_equal(none, 0);
    assert_true(last >= newest);
    /* From now on; and after what never was, as after a backup came back. */
    GOOD(fleet_events(fleet, &root, -1, 100, count_event, &none, &last, &error));
    assert_int_equal(none, 0);
    GOOD(fleet_events(fleet, &root, last, 100, count_event, &none, &newest, &error));
    assert_int_equal(none, 0);
    assert_int_equal(newest, last);
    assert_int_equal(fleet_events(fleet, &root, last + 1, 1, count_event, &none, &last, &error),
                     FLEET_CONFLICT);
}

static void keep_event(void *ctx, const struct event *event)
{
    *(struct event *)ctx = *event;
}

static void test_events_name_what_they_are_about(void **state)
{
    (void)state;
    struct product product;
    struct event event = {0};
    int64_t newest;
    char names[2 * ID_SIZE + 64];
    make_product(&product, "one", KIND_ARDUINO, CONSENT_AUTOMATIC);
    struct fleet_answer answer = ask(&product, "1", "1.0.0");
    GOOD(fleet_events(fleet, &root, 0, 100, keep_event, &event, &newest, &error));
    snprintf(names, sizeof names, "\"product\":\"%s\",\"device\":\"%s\"", product.id,
             answer.device.id);
    assert_non_null(strstr(event.json, names));
}

static void test_a_restart_keeps_everything(void **state)
{
    (void)state;
    struct product product, again;
    make_product(&product, "\xE1\xBB\x93", KIND_ARDUINO, CONSENT_AUTOMATIC);
    release_app(&product, "1.1.0");
    struct fleet_answer answer = ask(&product, "1", "1.0.0");
    GOOD(fleet_device_linked(fleet, answer.device.id, true, &error));
    fleet_close(fleet);
    assert_int_equal(fleet_open(directory, &fleet, &error), FLEET_OK);
    fleet_set_clock(fleet, test_clock, NULL);
    GOOD(fleet_product_show(fleet, &root, product.name, &again, NULL, &error));
    assert_memory_equal(&product, &again, sizeof product);
    struct device device;
    GOOD(fleet_device_show(fleet, &root, answer.device.id, &device, &error));
    assert_false(device.linked);
    assert_int_equal(device.last_seen, now);
    answer = ask(&product, "1", "1.0.0");
    assert_int_equal(answer.reason, REASON_OFFER);
    fleet_housekeeping(fleet);
    int fd;
    GOOD(fleet_answer_open(fleet, &answer, &fd, &error));
    close(fd);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(test_images_are_refused_with_reason_and_offset),
        CASE(test_otadrive_marker_is_read_at_any_cut),
        CASE(test_releases_follow_the_rules),
        CASE(test_a_stock_sketch_is_updated),
        CASE(test_a_poll_that_changes_nothing_writes_nothing),
        CASE(test_a_quiet_check_is_not_remembered_beyond_a_change),
        CASE(test_an_order_and_a_poll_are_remembered_apart),
        CASE(test_quiet_checks_are_contacts),
        CASE(test_the_very_next_check_sees_a_change),
        CASE(test_a_device_that_never_changes_is_left_alone),
        CASE(test_strangers_and_blocked_ones),
        CASE(test_espressifs_procedure),
        CASE(test_a_rolled_back_device_is_explained),
        CASE(test_consent_before_the_download),
        CASE(test_tonight_is_where_the_owner_is),
        CASE(test_what_nothing_is_heard_of_is_given_up),
        CASE(test_an_update_of_a_device_that_is_heard_lasts_longer),
        CASE(test_a_release_is_foretold),
        CASE(test_a_sample_foretells_a_large_fleet),
        CASE(test_withdrawing_cancels_what_has_not_begun),
        CASE(test_what_is_another_s_does_not_exist),
        CASE(test_a_list_has_what_its_reader_may_see),
        CASE(test_the_first_start_and_log_in),
        CASE(test_the_audit_log_shows_tampering),
        CASE(test_events_resume_and_are_for_those_who_may),
        CASE(test_events_name_what_they_are_about),
        CASE(test_a_restart_keeps_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
