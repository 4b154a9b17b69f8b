/*
 * Goal: on a device of the NONOS SDK an update becomes the running image, on trial; it stays when
 * it confirms itself and is left when it does not; the original boot loaders read what is written
 * as intended, the settings that share its sectors survive, and no flash is worn more than said.
 * Method: whole lives on the simulated flash: boot loader, application, update, and again; with the
 * originals' loaders, where the library counts the starts, and with updraft's. Then a cut at each
 * operation of an update.
 */
#include <updraft/bytes.h>
#include <updraft/image_build.h>
#include <updraft/loader_record.h>
#include <updraft/nonos_select.h>
#include <updraft/sim_boot.h>
#include <updraft/writer.h>

#include <string.h>

#include "check.h"

enum { SECTOR = 4096, PAGE = 256, IMAGE_MAX = 0x3000, SETTINGS = 1188 };
/* The 1 MB map. */
#define USER1 0x1000u
#define USER2 0x81000u
#define JOURNAL 0x80000u
#define COPY_0 0xFD000u
#define COPY_1 0xFE000u
#define FLAG 0xFF000u

/* --- A device and its images ------------------------------------------------------------------ */

static uint8_t image[IMAGE_MAX];
static uint32_t image_size;

static enum upd_err append(void *ctx, const void *data, uint32_t size)
{
    (void)ctx;
    if (size > sizeof image - image_size) {
        return UPD_E_SPACE;
    }
    memcpy(&image[image_size], data, size);
    image_size += size;
    return UPD_OK;
}

/* An image for a slot; another version has other bytes. */
static void make_image(uint32_t slot, uint32_t version, uint32_t irom)
{
    static uint8_t bytes[IMAGE_MAX];
    uint32_t noise = version;
    uint32_t size;

    for (uint32_t i = 0; i < sizeof bytes; i++) {
        noise = noise * 1664525 + 1013904223;
        bytes[i] = (uint8_t)(noise >> 24);
    }
    struct upd_image_recipe recipe = {.boot = UPD_IMAGE_BOOT_NEW,
                                      .entry = 0x40100004,
                                      .text = {0x40100000, 64, bytes},
                                      .data = {0x3FFE8000, 16, bytes},
                                      .rodata = {0x3FFE8010, 16, bytes},
                                      .irom = {0, irom, bytes},
                                      .slot = (uint8_t)(slot + 1),
                                      .flash_map = 2};
    image_size = 0;
    CHECK(upd_image_build(&recipe, append, NULL, &size) == UPD_OK && size == image_size);
}

struct bench {
    struct sim_flash sim;
    struct sim_rtc rtc;
    struct sim_loader loader;
    struct upd_device device;
    uint32_t running; /* flash offset */
};

static void load_settings(struct sim_flash *sim)
{
    uint8_t settings[SETTINGS];

    for (uint32_t i = 0; i < sizeof settings; i++) {
        settings[i] = (uint8_t)(i * 7 + 1);
    }
    memcpy(settings, "\xFC\xE7\xFF\xFF\xFF\xFF\xFF\xFF", UPD_BOOT_BLOCK_SIZE);
    sim_flash_load(sim, COPY_0, settings, sizeof settings);
    sim_flash_load(sim, FLAG, "\0", 1);
}

/* A chip with a boot loader, user1, and the settings that its application stored. */
static void open_bench(struct bench *bench, enum sim_loader_kind kind, uint8_t version,
                       uint64_t seed)
{
    static const uint8_t header[4] = {0xE9, 3, 0, 2 << 4};

    memset(bench, 0, sizeof *bench);
    sim_flash_init(&bench->sim, &sim_flash_1m, seed);
    sim_flash_load(&bench->sim, 0, header, sizeof header);
    if (kind == SIM_LOADER_NONOS) {
        struct upd_loader_record record = {
            .version = 1, .counts = true, .journal = UPD_LOADER_NO_JOURNAL};
        uint8_t bytes[UPD_LOADER_RECORD_SIZE];
        upd_loader_record_encode(&record, bytes);
        sim_flash_load(&bench->sim, UPD_LOADER_RECORD_OFFSET, bytes, sizeof bytes);
    }
    bench->loader.kind = kind;
    bench->loader.of.nonos.map = upd_flash_map(2);
    bench->loader.of.nonos.version = version;
    sim_rtc_power_on(&bench->rtc, SIM_RTC_LOST, seed);
    make_image(0, 1, 0x100);
    sim_flash_load(&bench->sim, USER1, image, image_size);
    if (version == UPD_BOOT_V1_7) {
        load_settings(&bench->sim);
    }
}

static struct upd_nonos_config config(uint32_t running)
{
    return (struct upd_nonos_config){.running = running, .flash_map = UPD_IMAGE_ANY};
}

/* Reset: the boot loader, then the first call of the application. */
static enum upd_start boot(struct bench *bench)
{
    struct sim_boot result;
    enum upd_start todo = UPD_START_RESTART;
    uint32_t fuse = 0;

    sim_boot(&bench->loader, &bench->sim, &bench->rtc, &fuse, &result);
    CHECK(result.end == SIM_BOOT_STARTS);
    bench->running = result.address;
    struct upd_nonos_config now = config(bench->running);
    CHECK(upd_nonos_open(&bench->device, &bench->sim.flash, &now) == UPD_OK);
    CHECK(upd_device_start(&bench->device, &todo) == UPD_OK);
    return todo;
}

/* Boot until an application is left alone, and tell the flash offset of it. */
static uint32_t settle(struct bench *bench)
{
    for (uint32_t i = 0; i < 10; i++) {
        if (boot(bench) == UPD_START_GO_ON) {
            return bench->running;
        }
    }
    CHECK(false);
    return 0;
}

static struct upd_view view_of(struct bench *bench)
{
    struct upd_view view = {0};

    CHECK(upd_device_view(&bench->device, &view) == UPD_OK);
    return view;
}

/* Download `image` and select it. */
static enum upd_err update(struct bench *bench)
{
    struct upd_writer writer;
    struct upd_update about = {
        .size = image_size, .validator = image, .validator_size = image_size};
    uint32_t from = 0;

    enum upd_err err = upd_writer_resume(&writer, &bench->device, &about, &from);
    if (err == UPD_E_NOT_FOUND || err == UPD_E_CHANGED) {
        from = 0;
        err = upd_writer_begin(&writer, &bench->device, &about);
    }
    if (err == UPD_OK) {
        err = upd_writer_write(&writer, image + from, image_size - from);
    }
    if (err == UPD_OK) {
        err = upd_writer_end(&writer);
    }
    return err == UPD_OK ? upd_writer_activate(&writer) : err;
}

static bool settings_are_whole(struct bench *bench)
{
    uint8_t flag, found[SETTINGS];

    sim_flash_peek(&bench->sim, FLAG, &flag, 1);
    sim_flash_peek(&bench->sim, flag == 0 ? COPY_0 : COPY_1, found, sizeof found);
    for (uint32_t i = UPD_BOOT_BLOCK_SIZE; i < sizeof found; i++) {
        if (found[i] != (uint8_t)(i * 7 + 1)) {
            return false;
        }
    }
    return true;
}

/* --- Opening ---------------------------------------------------------------------------------- */

static void test_a_device_that_has_no_two_slots_is_refused(void)
{
    static const struct {
        const char *name;
        uint8_t map;
        uint32_t running;
        enum upd_err err;
    } rows[] = {
        {"user1", UPD_IMAGE_ANY, USER1, UPD_OK},
        {"user2", UPD_IMAGE_ANY, USER2, UPD_OK},
        {"map given", 2, USER1, UPD_OK},
        {"no slots on this map", 1, USER1, UPD_E_TARGET},
        {"map 7", 7, USER1, UPD_E_TARGET},
        {"no such map", 10, USER1, UPD_E_TARGET},
        {"map of a larger chip", 4, USER1, UPD_E_TARGET},
        {"runs from nowhere", UPD_IMAGE_ANY, 0, UPD_E_ARG},
        {"runs from user2 of another map", UPD_IMAGE_ANY, 0x101000, UPD_E_ARG},
    };
    struct bench bench;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        open_bench(&bench, SIM_LOADER_NONOS_ORIGINAL, UPD_BOOT_V1_7, i);
        struct upd_nonos_config now = {.running = rows[i].running, .flash_map = rows[i].map};
        CHECK_THAT(rows[i].name,
                   upd_nonos_open(&bench.device, &bench.sim.flash, &now) == rows[i].err);
        CHECK(bench.sim.counters.operations == 0);
        sim_flash_free(&bench.sim);
    }
    static const struct sim_geometry odd = {0x100000, 1024, 256, 4};
    sim_flash_init(&bench.sim, &odd, 1);
    struct upd_nonos_config now = config(USER1);
    CHECK(upd_nonos_open(&bench.device, &bench.sim.flash, &now) == UPD_E_ARG);
    sim_flash_free(&bench.sim);
}

/* --- Whole lives ------------------------------------------------------------------------------ */

static const struct {
    const char *name;
    enum sim_loader_kind kind;
    uint8_t version;
} loaders[] = {
    {"v1.2", SIM_LOADER_NONOS_ORIGINAL, UPD_BOOT_V1_2},
    {"v1.4", SIM_LOADER_NONOS_ORIGINAL, UPD_BOOT_V1_4},
    {"v1.6", SIM_LOADER_NONOS_ORIGINAL, UPD_BOOT_V1_6},
    {"v1.7", SIM_LOADER_NONOS_ORIGINAL, UPD_BOOT_V1_7},
    {"updraft's", SIM_LOADER_NONOS, UPD_BOOT_V1_7},
};
enum { LOADERS = sizeof loaders / sizeof loaders[0] };

static void test_updates_follow_one_another_from_slot_to_slot(void)
{
    for (size_t i = 0; i < LOADERS; i++) {
        const char *name = loaders[i].name;
        struct bench bench;
        open_bench(&bench, loaders[i].kind, loaders[i].version, i);
        CHECK_THAT(name, boot(&bench) == UPD_START_GO_ON && bench.running == USER1);
        for (uint32_t round = 0; round < 7; round++) {
            uint32_t target = bench.running == USER1 ? 1 : 0;
            struct upd_view view = view_of(&bench);
            CHECK_THAT(name, view.running != view.target && view.target == (int8_t)target);
            CHECK_THAT(name, !view.on_trial && !view.pending && view.fall == UPD_FALL_NONE);
            CHECK_THAT(name, view.loader_counts == (loaders[i].kind == SIM_LOADER_NONOS));
            make_image(target, round + 2, 0x400);
            CHECK_THAT(name, update(&bench) == UPD_OK);
            CHECK_THAT(name, view_of(&bench).pending && update(&bench) == UPD_E_STATE);
            CHECK_THAT(name, boot(&bench) == UPD_START_GO_ON);
            CHECK_THAT(name, bench.running == (target == 1 ? USER2 : USER1));
            view = view_of(&bench);
            CHECK_THAT(name, view.on_trial && view.starts == 1 && !view.pending);
            CHECK_THAT(name, update(&bench) == UPD_E_STATE); /* not while on trial */
            CHECK_THAT(name, upd_device_confirm(&bench.device) == UPD_OK);
            CHECK_THAT(name, !view_of(&bench).on_trial);
            /* From here on starts are ordinary: nothing is written. */
            uint64_t operations = bench.sim.counters.operations;
            for (uint32_t again = 0; again < 4; again++) {
                CHECK_THAT(name, boot(&bench) == UPD_START_GO_ON);
                CHECK_THAT(name, bench.running == (target == 1 ? USER2 : USER1));
                CHECK_THAT(name, upd_device_confirm(&bench.device) == UPD_OK);
            }
            CHECK_THAT(name, bench.sim.counters.operations == operations);
        }
        CHECK_THAT(name, loaders[i].version != UPD_BOOT_V1_7 || settings_are_whole(&bench));
        sim_flash_free(&bench.sim);
    }
}

static void test_an_image_that_never_confirms_is_left_after_three_starts(void)
{
    for (size_t i = 0; i < LOADERS; i++) {
        const char *name = loaders[i].name;
        struct bench bench;
        open_bench(&bench, loaders[i].kind, loaders[i].version, i);
        CHECK_THAT(name, boot(&bench) == UPD_START_GO_ON);
        make_image(1, 2, 0x400);
        CHECK_THAT(name, update(&bench) == UPD_OK);
        for (uint8_t start = 1; start <= UPD_TRIAL_STARTS; start++) {
            CHECK_THAT(name, boot(&bench) == UPD_START_GO_ON && bench.running == USER2);
            CHECK_THAT(name, view_of(&bench).starts == start);
        }
        CHECK_THAT(name, settle(&bench) == USER1);
        struct upd_view view = view_of(&bench);
        CHECK_THAT(name, view.fall == UPD_FALL_EXHAUSTED && view.fallen == 1 && !view.on_trial);
        CHECK_THAT(name, upd_device_acknowledge(&bench.device) == UPD_OK);
        CHECK_THAT(name, view_of(&bench).fall == UPD_FALL_NONE);
        CHECK_THAT(name, settle(&bench) == USER1);
        CHECK_THAT(name, loaders[i].version != UPD_BOOT_V1_7 || settings_are_whole(&bench));
        /* It may be offered again, and behave. */
        CHECK_THAT(name, update(&bench) == UPD_OK && settle(&bench) == USER2);
        CHECK_THAT(name, upd_device_confirm(&bench.device) == UPD_OK);
        CHECK_THAT(name, settle(&bench) == USER2);
        sim_flash_free(&bench.sim);
    }
}

static void test_an_application_may_refuse_itself_on_trial_and_later(void)
{
    for (size_t i = 0; i < LOADERS; i++) {
        for (uint32_t confirmed = 0; confirmed < 2; confirmed++) {
            const char *name = loaders[i].name;
            struct bench bench;
            open_bench(&bench, loaders[i].kind, loaders[i].version, i);
            CHECK_THAT(name, boot(&bench) == UPD_START_GO_ON);
            CHECK_THAT(name, upd_device_roll_back(&bench.device) == UPD_E_NOT_FOUND);
            make_image(1, 2, 0x400);
            CHECK_THAT(name, update(&bench) == UPD_OK && settle(&bench) == USER2);
            if (confirmed != 0) {
                CHECK_THAT(name, upd_device_confirm(&bench.device) == UPD_OK);
            }
            CHECK_THAT(name, upd_device_roll_back(&bench.device) == UPD_OK);
            CHECK_THAT(name, upd_device_confirm(&bench.device) == UPD_E_STATE || confirmed != 0 ||
                                 view_of(&bench).pending);
            CHECK_THAT(name, settle(&bench) == USER1);
            CHECK_THAT(name, view_of(&bench).fall == UPD_FALL_REFUSED);
            CHECK_THAT(name, settle(&bench) == USER1);
            CHECK_THAT(name, loaders[i].version != UPD_BOOT_V1_7 || settings_are_whole(&bench));
            sim_flash_free(&bench.sim);
        }
    }
}

static void test_nothing_is_left_for_an_image_that_does_not_verify(void)
{
    struct bench bench;

    open_bench(&bench, SIM_LOADER_NONOS_ORIGINAL, UPD_BOOT_V1_7, 1);
    CHECK(boot(&bench) == UPD_START_GO_ON);
    make_image(1, 2, 0x400);
    CHECK(update(&bench) == UPD_OK && settle(&bench) == USER2);
    sim_flash_flip(&bench.sim, USER1 + 40, 1); /* the old image rots */
    CHECK(upd_device_roll_back(&bench.device) == UPD_E_NOT_FOUND);
    for (uint32_t i = 0; i < 6; i++) {
        CHECK(settle(&bench) == USER2);
    }
    CHECK(upd_device_confirm(&bench.device) == UPD_OK && settle(&bench) == USER2);
    sim_flash_free(&bench.sim);
}

/* v1.7 notices a bad magic, and leaves the slot by itself. */
static void test_what_an_original_loader_refused_is_told(void)
{
    struct bench bench;

    open_bench(&bench, SIM_LOADER_NONOS_ORIGINAL, UPD_BOOT_V1_7, 1);
    CHECK(boot(&bench) == UPD_START_GO_ON);
    make_image(1, 2, 0x400);
    CHECK(update(&bench) == UPD_OK);
    sim_flash_flip(&bench.sim, USER2, 0xFF);
    CHECK(settle(&bench) == USER1);
    CHECK(view_of(&bench).fall == UPD_FALL_LOADER && view_of(&bench).fallen == 1);
    CHECK(upd_device_acknowledge(&bench.device) == UPD_OK);
    CHECK(view_of(&bench).fall == UPD_FALL_NONE);
    CHECK(update(&bench) == UPD_OK && settle(&bench) == USER2);
    sim_flash_free(&bench.sim);
}

/* --- Bytes, work and wear --------------------------------------------------------------------- */

static bool holds(struct bench *bench, uint32_t offset, const void *bytes, uint32_t size)
{
    uint8_t found[64];

    sim_flash_peek(&bench->sim, offset, found, size);
    return memcmp(found, bytes, size) == 0;
}

/* The SDK's own sequence, of a device whose application stored nothing. */
static void test_the_parameters_are_written_as_the_sdk_writes_them(void)
{
    static const uint8_t blank[24] = {
        0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
        0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
    };
    static const uint8_t record[32] = {
        0x01, 0xFF, 0xFF, 0xFF, 0xAA, 0x55, 0xAA, 0x55, 0x01, 0x00, 0x00,
        0x00, 0xFF, 0xFF, 0xFF, 0xFF, 0x20, 0x00, 0x00, 0x00, 0xFF, 0xFF,
        0xFF, 0xFF, 0xF4, 0x00, 0x00, 0x00, 0x55, 0xAA, 0x55, 0xAA,
    };
    struct bench bench;

    open_bench(&bench, SIM_LOADER_NONOS_ORIGINAL, UPD_BOOT_V1_6, 1);
    CHECK(boot(&bench) == UPD_START_GO_ON);
    CHECK(holds(&bench, COPY_0, "\xFC\xE6\xFF\xFF\xFF\xFF\xFF\xFF", 8));
    CHECK(holds(&bench, FLAG, "\x00\xFF\xFF\xFF", 4));
    make_image(1, 2, 0x400);
    CHECK(update(&bench) == UPD_OK);
    CHECK(holds(&bench, COPY_0, "\xFC\xE6\xFF\xFF\xFF\xFF\xFF\xFF", 8));
    CHECK(holds(&bench, COPY_1, "\xFD\xE6\xFF\xFF\xFF\xFF\xFF\xFF", 8));
    CHECK(holds(&bench, COPY_1 + 8, blank, sizeof blank));
    /* The counter is 2: the flag sector was written once more before, for the running slot. */
    CHECK(holds(&bench, FLAG, record, 8) && holds(&bench, FLAG + 12, record + 12, 20));
    CHECK(boot(&bench) == UPD_START_GO_ON && bench.running == USER2);
    sim_flash_free(&bench.sim);
}

static uint32_t metadata_wear(const struct bench *bench)
{
    return sim_flash_wear(&bench->sim, COPY_0) + sim_flash_wear(&bench->sim, COPY_1) +
           sim_flash_wear(&bench->sim, FLAG) + sim_flash_wear(&bench->sim, JOURNAL);
}

static bool within(uint32_t value, uint32_t low, uint32_t high)
{
    return value >= low && value <= high;
}

/* 10,000 updates: at most two erases of metadata for each, spread evenly. */
static void test_ten_thousand_updates_wear_the_metadata_evenly(void)
{
    enum { UPDATES = 10000 };
    struct bench bench;

    open_bench(&bench, SIM_LOADER_NONOS_ORIGINAL, UPD_BOOT_V1_7, 1);
    CHECK(boot(&bench) == UPD_START_GO_ON);
    for (uint32_t i = 0; i < UPDATES && !check_totals.failing; i++) {
        make_image(bench.running == USER1 ? 1 : 0, i, 0x10);
        CHECK(update(&bench) == UPD_OK);
        CHECK(boot(&bench) == UPD_START_GO_ON);
        CHECK(upd_device_confirm(&bench.device) == UPD_OK);
    }
    CHECK(metadata_wear(&bench) <= 2 * UPDATES);
    CHECK(within(sim_flash_wear(&bench.sim, COPY_0), UPDATES / 2 - 2, UPDATES / 2 + 2));
    CHECK(within(sim_flash_wear(&bench.sim, COPY_1), UPDATES / 2 - 2, UPDATES / 2 + 2));
    CHECK(within(sim_flash_wear(&bench.sim, FLAG), UPDATES / 2 - 2, UPDATES / 2 + 2));
    CHECK(within(sim_flash_wear(&bench.sim, JOURNAL), UPDATES / 3 - 2, UPDATES / 3 + 2));
    CHECK(within(sim_flash_wear(&bench.sim, USER1), UPDATES / 2 - 2, UPDATES / 2 + 2));
    CHECK(within(sim_flash_wear(&bench.sim, USER2), UPDATES / 2 - 2, UPDATES / 2 + 2));
    CHECK(settings_are_whole(&bench));
    sim_flash_free(&bench.sim);
}

/* What an update costs beside the image: docs/update-engine.md has the table. */
static void test_an_update_does_no_more_metadata_work_than_stated(void)
{
    struct bench bench;

    open_bench(&bench, SIM_LOADER_NONOS_ORIGINAL, UPD_BOOT_V1_7, 1);
    CHECK(boot(&bench) == UPD_START_GO_ON);
    for (uint32_t round = 0; round < 12; round++) {
        uint32_t target = bench.running == USER1 ? 1 : 0;
        make_image(target, round + 2, 0x900); /* 10 pages, 1 sector */
        uint32_t image_pages = (image_size + PAGE - 1) / PAGE;
        struct sim_counters before = bench.sim.counters;
        uint32_t journal = sim_flash_wear(&bench.sim, JOURNAL);
        uint32_t flag = sim_flash_wear(&bench.sim, FLAG);
        CHECK(update(&bench) == UPD_OK);
        uint32_t cleared = sim_flash_wear(&bench.sim, JOURNAL) - journal;
        uint32_t erased = sim_flash_wear(&bench.sim, FLAG) - flag;
        uint64_t erases = bench.sim.counters.erases - before.erases;
        uint64_t programs = bench.sim.counters.programs - before.programs;
        CHECK(erases == 1 + 1 + erased + cleared);
        if (round > 3) {
            uint32_t wiped = cleared != 0 ? 4 + 1 : 0; /* cover and heads, and the new cover */
            uint32_t hold = 2, frame = 2, armed = 1;
            uint32_t copy = (SETTINGS + PAGE - 1) / PAGE + 2;
            CHECK(programs ==
                  image_pages + hold + frame + armed + copy + (erased != 0 ? 6 : 4) + wiped);
        }
        before = bench.sim.counters;
        CHECK(boot(&bench) == UPD_START_GO_ON);
        CHECK(upd_device_confirm(&bench.device) == UPD_OK);
        CHECK(bench.sim.counters.erases == before.erases);
        if (round > 3) {
            /* The start; to hold: a seal, and three of the other copy broken; closed, proven. */
            CHECK(bench.sim.counters.programs - before.programs == 1 + 2 + 3 + 2);
        }
    }
    sim_flash_free(&bench.sim);
}

/* --- Cuts ------------------------------------------------------------------------------------- */

/* After a cut: boot, try the update again, and let it confirm itself. */
static void recover(struct bench *bench, const char *name, bool confirms)
{
    sim_flash_power_on(&bench->sim);
    sim_rtc_power_on(&bench->rtc, SIM_RTC_GARBAGE, 1);
    uint32_t running = settle(bench);
    CHECK_THAT(name, settings_are_whole(bench));
    if (running == USER1) {
        CHECK_THAT(name, update(bench) == UPD_OK);
        running = settle(bench);
    }
    CHECK_THAT(name, running == USER2);
    if (confirms) {
        CHECK_THAT(name, upd_device_confirm(&bench->device) == UPD_OK);
        for (uint32_t i = 0; i < 4; i++) {
            CHECK_THAT(name, settle(bench) == USER2);
        }
    }
    CHECK_THAT(name, settings_are_whole(bench));
}

/* Update, boot and confirm; false when power went. */
static bool live(struct bench *bench)
{
    struct sim_boot result;
    enum upd_start todo;
    uint32_t fuse = 0;

    if (update(bench) != UPD_OK) {
        return false;
    }
    sim_boot(&bench->loader, &bench->sim, &bench->rtc, &fuse, &result);
    if (result.end != SIM_BOOT_STARTS) {
        CHECK(result.end == SIM_BOOT_CUT);
        return false;
    }
    bench->running = result.address;
    struct upd_nonos_config now = config(bench->running);
    return upd_nonos_open(&bench->device, &bench->sim.flash, &now) == UPD_OK &&
           upd_device_start(&bench->device, &todo) == UPD_OK &&
           upd_device_confirm(&bench->device) == UPD_OK;
}

static void test_a_cut_at_any_operation_leaves_a_device_that_goes_on(void)
{
    for (size_t i = 3; i < LOADERS; i++) {
        const char *name = loaders[i].name;
        for (uint32_t tear = 0; tear < SIM_TEAR_COUNT; tear++) {
            bool done = false;
            for (uint32_t op = 0; !done && !check_totals.failing; op++) {
                struct bench bench;
                open_bench(&bench, loaders[i].kind, loaders[i].version, tear * 1000 + op);
                CHECK_THAT(name, boot(&bench) == UPD_START_GO_ON);
                make_image(1, 2, 0x1400);
                if (sim_tear_exists((enum sim_tear_kind)tear, SIM_ERASE) &&
                    sim_tear_exists((enum sim_tear_kind)tear, SIM_PROGRAM)) {
                    sim_flash_cut_at(&bench.sim, op, (enum sim_tear_kind)tear);
                } else {
                    sim_flash_cut_at(&bench.sim, op, SIM_TEAR_ANY);
                }
                done = live(&bench);
                if (!done) {
                    recover(&bench, name, true);
                }
                sim_flash_free(&bench.sim);
            }
        }
    }
}

/* Power is cut at every `period`th operation, for ever. True when the update got through. */
static bool survives_cuts_every(uint32_t period, enum sim_loader_kind kind, uint32_t *sessions)
{
    enum { SESSIONS_MAX = 400 };
    struct sim_cut cut = {.op = period, .tear = {SIM_TEAR_ANY, SIM_TEAR_SEEDED, period}};
    struct bench bench;
    bool confirmed = false;

    open_bench(&bench, kind, UPD_BOOT_V1_7, period);
    CHECK(boot(&bench) == UPD_START_GO_ON);
    make_image(1, 2, 0x2800);
    sim_flash_cut(&bench.sim, &cut, 1, true);
    for (*sessions = 1; *sessions < SESSIONS_MAX && !confirmed; (*sessions)++) {
        struct sim_boot result;
        enum upd_start todo = UPD_START_RESTART;
        uint32_t fuse = 0;
        sim_flash_power_on(&bench.sim);
        sim_rtc_power_on(&bench.rtc, SIM_RTC_GARBAGE, *sessions);
        do {
            sim_boot(&bench.loader, &bench.sim, &bench.rtc, &fuse, &result);
            CHECK(result.end != SIM_BOOT_DEAD);
            struct upd_nonos_config now = config(result.address);
            if (result.end != SIM_BOOT_STARTS ||
                upd_nonos_open(&bench.device, &bench.sim.flash, &now) != UPD_OK ||
                upd_device_start(&bench.device, &todo) != UPD_OK) {
                break; /* power is gone */
            }
            if (result.address == USER2 && todo == UPD_START_GO_ON) {
                confirmed = upd_device_confirm(&bench.device) == UPD_OK;
            } else if (todo == UPD_START_GO_ON) {
                (void)(update(&bench) == UPD_OK);
            }
        } while (sim_flash_has_power(&bench.sim) && !confirmed);
    }
    sim_flash_power_on(&bench.sim);
    CHECK(settings_are_whole(&bench));
    sim_flash_free(&bench.sim);
    return confirmed;
}

/* docs/update-engine.md states the bound. */
static void test_an_update_gets_through_cuts_every_48_operations(void)
{
    for (uint32_t period = 48; period < 400; period += period < 100 ? 1 : 37) {
        for (uint32_t i = 0; i < 2; i++) {
            uint32_t sessions;
            CHECK(survives_cuts_every(period, i == 0 ? SIM_LOADER_NONOS_ORIGINAL : SIM_LOADER_NONOS,
                                      &sessions));
        }
    }
}

int main(void)
{
    CHECK_RUN(test_a_device_that_has_no_two_slots_is_refused);
    CHECK_RUN(test_updates_follow_one_another_from_slot_to_slot);
    CHECK_RUN(test_an_image_that_never_confirms_is_left_after_three_starts);
    CHECK_RUN(test_an_application_may_refuse_itself_on_trial_and_later);
    CHECK_RUN(test_nothing_is_left_for_an_image_that_does_not_verify);
    CHECK_RUN(test_what_an_original_loader_refused_is_told);
    CHECK_RUN(test_the_parameters_are_written_as_the_sdk_writes_them);
    CHECK_RUN(test_ten_thousand_updates_wear_the_metadata_evenly);
    CHECK_RUN(test_an_update_does_no_more_metadata_work_than_stated);
    CHECK_RUN(test_a_cut_at_any_operation_leaves_a_device_that_goes_on);
    CHECK_RUN(test_an_update_gets_through_cuts_every_48_operations);
    check_end();
}
