/*
 * Goal: on an Arduino ESP8266 with updraft's loader an update ends as it should, its end is told
 * for the right reason, and no cut of power leaves a device that does not start one of its sketches
 * or cannot be updated any more; with the stock loader it works as long as power stays. Method:
 * whole lives on the simulated flash; small sketches that are genuine; then every operation of
 * these lives torn in every way. The mirror counts what the same cuts do to the stock loader.
 */
#include <updraft/bytes.h>
#include <updraft/crc32.h>
#include <updraft/gunzip.h>
#include <updraft/loader_record.h>

#include <zlib.h>

#include "life.h"

enum { FS_START = 0x10000, JOURNAL = FS_START - SECTOR, MAX_SKETCH = 0xC000 };

static struct file vector, images[VERSIONS][PLACES];
static bool accept;

/* The vector with a longer first segment. */
static void make_image(struct file *file, uint32_t more, uint32_t version)
{
    enum { APP = 0x1000, IROM = APP + 16, WORDS = IROM };
    uint32_t irom = upd_get_le32(vector.bytes + IROM - 4), noise = version + 1, at = APP + 8;
    uint8_t sum = 0xEF;

    memcpy(file->bytes, vector.bytes, IROM + irom);
    for (uint32_t i = 0; i < more; i++) {
        noise = noise * 1664525 + 1013904223;
        file->bytes[IROM + irom + i] = (uint8_t)(noise >> 24);
    }
    memcpy(file->bytes + IROM + irom + more, vector.bytes + IROM + irom, vector.size - IROM - irom);
    upd_put_le32(file->bytes + IROM - 4, irom + more);
    memset(file->bytes + WORDS, 0, 8);
    for (uint32_t i = 0; i < file->bytes[APP + 1]; i++) {
        uint32_t bytes = upd_get_le32(file->bytes + at + 4);
        for (at += 8; bytes > 0; bytes--, at++) {
            sum ^= file->bytes[at];
        }
    }
    memset(file->bytes + at, 0, 16);
    file->bytes[at | 15] = sum;
    file->size = (at | 15) + 1;
    uint32_t crc = upd_crc32_mpeg2(UPD_CRC32_MPEG2_INIT, file->bytes, file->size);
    upd_put_le32(file->bytes + WORDS, file->size);
    upd_put_le32(file->bytes + WORDS + 4, crc);
}

static enum upd_err rtc_write(void *ctx, const uint8_t block[UPD_EBOOT_COMMAND_SIZE])
{
    return sim_rtc_write(&((struct life *)ctx)->rtc, SIM_RTC_USER_BLOCK, block,
                         UPD_EBOOT_COMMAND_SIZE);
}

static enum upd_err open_device(struct life *life)
{
    life->config.eboot = (struct upd_eboot_config){.sketch_size = images[life->runs][0].size,
                                                   .fs_start = FS_START,
                                                   .max_sketch = MAX_SKETCH,
                                                   .accept_no_way_back = accept,
                                                   .rtc_write = rtc_write,
                                                   .ctx = life};
    return upd_eboot_open(&life->device, &life->sim.flash, &life->config.eboot);
}

static uint32_t target(const struct life *life)
{
    (void)life;
    return 0;
}

static const struct setup ours = {.name = "updraft's loader",
                                  .loader = {.kind = SIM_LOADER_EBOOT},
                                  .places = 1,
                                  .image = {images[OLD], images[NEW]},
                                  .skip = SECTOR,
                                  .by_loader = true,
                                  .has_way_back = true,
                                  .open = open_device,
                                  .target = target};
static const struct setup stock = {.name = "stock eboot",
                                   .loader = {.kind = SIM_LOADER_EBOOT_ORIGINAL},
                                   .places = 1,
                                   .image = {images[OLD], images[NEW]},
                                   .skip = SECTOR,
                                   .open = open_device,
                                   .target = target};

/* A device with the old sketch, and a file system that nothing may touch. */
static void begin(struct life *life, const struct setup *setup, enum plan plan, uint32_t old_more,
                  uint32_t new_more)
{
    static const uint8_t files[64] = "the user's files";
    struct upd_loader_record record = {
        .version = 1, .counts = true, .installs = true, .journal = JOURNAL};
    uint8_t bytes[UPD_LOADER_RECORD_SIZE];

    memset(life, 0, sizeof *life);
    life->setup = setup;
    life->plan = plan;
    accept = false;
    make_image(&images[OLD][0], old_more, 1);
    make_image(&images[NEW][0], new_more, 2);
    sim_flash_init(&life->sim, &sim_flash_4m, 5);
    sim_flash_load(&life->sim, 0, images[OLD][0].bytes, images[OLD][0].size);
    sim_flash_load(&life->sim, FS_START, files, sizeof files);
    if (setup == &ours) {
        upd_loader_record_encode(&record, bytes);
        sim_flash_load(&life->sim, UPD_LOADER_RECORD_OFFSET, bytes, sizeof bytes);
    }
}

static bool others_are_whole(const struct life *life)
{
    for (uint32_t at = FS_START; at < 0x400000; at += SECTOR) {
        if (sim_flash_wear(&life->sim, at) != 0 || sim_flash_programs(&life->sim, at) != 0) {
            return false;
        }
    }
    return life->setup != &ours ||
           (sim_flash_wear(&life->sim, 0) == 0 && sim_flash_programs(&life->sim, 0) == 0);
}

static void swap_versions(void)
{
    static struct file spare;

    spare = images[OLD][0];
    images[OLD][0] = images[NEW][0];
    images[NEW][0] = spare;
}

/* --- Tests -------------------------------------------------------------------------------------
 */

static void test_update_after_update_is_confirmed(void)
{
    struct life life;

    begin(&life, &ours, CONFIRMS, 4200, 5000);
    for (uint32_t round = 0; round < 7; round++) {
        uint32_t wear = sim_flash_wear(&life.sim, JOURNAL);
        CHECK(life_to_end(&life) == END_DONE && life.runs == NEW);
        CHECK(life.view.on_trial && life.view.starts == 1 && life.fall == UPD_FALL_NONE);
        CHECK(sim_flash_wear(&life.sim, JOURNAL) - wear <= 1);
        CHECK(life_session(&life) == END_DONE && !life.view.on_trial && !life.view.pending);
        uint64_t operations = life.sim.counters.operations;
        CHECK(life_session(&life) == END_DONE);
        CHECK(operations == life.sim.counters.operations && others_are_whole(&life));
        swap_versions();
    }
    CHECK(sim_flash_wear(&life.sim, JOURNAL) <= 3); /* three frames to a sector */
    sim_flash_free(&life.sim);
}

static void test_a_bad_sketch_is_taken_back_for_the_right_reason(void)
{
    static const enum upd_fall falls[PLANS] = {[NEVER_CONFIRMS] = UPD_FALL_EXHAUSTED,
                                               [CRASHES] = UPD_FALL_EXHAUSTED,
                                               [REFUSES] = UPD_FALL_REFUSED};
    struct life life;

    for (uint32_t plan = NEVER_CONFIRMS; plan < PLANS; plan++) {
        for (uint32_t more = 100; more < 9000; more += 4096) {
            begin(&life, &ours, (enum plan)plan, 4200, more);
            CHECK(life_to_end(&life) == END_DONE && life.runs == OLD);
            CHECK(life.fall == falls[plan] && life.view.fall == UPD_FALL_NONE);
            life.plan = CONFIRMS;
            CHECK(life_to_end(&life) == END_DONE && life.runs == NEW && others_are_whole(&life));
            sim_flash_free(&life.sim);
        }
    }
}

static void test_a_sketch_that_is_damaged_on_trial_is_taken_back(void)
{
    struct life life;

    begin(&life, &ours, NEVER_CONFIRMS, 4200, 5000);
    CHECK(life_session(&life) == END_RESTART && life_session(&life) == END_RESTART);
    CHECK(life.runs == NEW);
    /* Once it is installed anew; where the staged one is no better, it is given up. */
    sim_flash_flip(&life.sim, 0x1800, 4);
    CHECK(life_session(&life) == END_RESTART && life.runs == NEW && life.view.starts == 2);
    sim_flash_flip(&life.sim, 0x1800, 4);
    sim_flash_flip(&life.sim, JOURNAL - SECTOR + 8, 4);
    CHECK(life_session(&life) == END_DONE && life.runs == OLD && life.fall == UPD_FALL_DAMAGED);
    sim_flash_free(&life.sim);

    /* Staged, and damaged before it is installed: nothing is lost. */
    begin(&life, &ours, NEVER_CONFIRMS, 4200, 5000);
    CHECK(life_session(&life) == END_RESTART);
    sim_flash_flip(&life.sim, JOURNAL - SECTOR + 8, 4);
    CHECK(life_session(&life) == END_DONE && life.runs == OLD && life.fall == UPD_FALL_DAMAGED);
    sim_flash_free(&life.sim);
}

static void test_no_way_back_must_be_accepted(void)
{
    struct life life;

    /* There is room for two sketches but not for three. */
    begin(&life, &ours, CONFIRMS, 18000, 18000);
    CHECK(life_session(&life) == END_FAILED && life.err == UPD_E_ROLLBACK);
    CHECK(life.sim.counters.operations == 0);
    accept = true;
    CHECK(life_to_end(&life) == END_DONE && life.runs == NEW && !life.view.on_trial);
    CHECK(life.device.scheme->roll_back(&life.device) == UPD_E_NOT_FOUND);
    sim_flash_free(&life.sim);

    begin(&life, &stock, CONFIRMS, 100, 200);
    CHECK(life_session(&life) == END_FAILED && life.err == UPD_E_ROLLBACK);
    accept = true;
    CHECK(life_to_end(&life) == END_DONE && life.runs == NEW && !life.view.on_trial);
    sim_flash_free(&life.sim);

    /* What would overwrite its own staged copy has no place at all. */
    begin(&life, &ours, CONFIRMS, 100, 100);
    accept = true;
    CHECK(open_device(&life) == UPD_OK);
    struct upd_writer writer;
    struct upd_update update = {.size = 0x9000};
    CHECK(upd_writer_begin(&writer, &life.device, &update) == UPD_E_SPACE);
    update.size = MAX_SKETCH + 1;
    CHECK(upd_writer_begin(&writer, &life.device, &update) == UPD_E_SPACE);
    CHECK(life.sim.counters.operations == 0);
    sim_flash_free(&life.sim);
}

static void test_a_size_that_is_not_known_leaves_room_for_the_way_back(void)
{
    struct upd_writer writer;
    struct upd_update update = {0};
    struct life life;

    begin(&life, &ours, CONFIRMS, 4200, 8000);
    life.runs = OLD;
    CHECK(open_device(&life) == UPD_OK);
    CHECK(upd_writer_begin(&writer, &life.device, &update) == UPD_OK);
    CHECK(upd_writer_write(&writer, images[NEW][0].bytes, images[NEW][0].size) == UPD_OK);
    CHECK(upd_writer_end(&writer) == UPD_OK && upd_writer_activate(&writer) == UPD_OK);
    CHECK(upd_writer_begin(&writer, &life.device, &update) == UPD_E_STATE);
    CHECK(life_to_end(&life) == END_DONE && life.runs == NEW && life.view.on_trial);
    sim_flash_free(&life.sim);
}

static void test_hostile_sketches_are_refused(void)
{
    static uint8_t packed[IMAGE_MAX], window[32768];
    static struct upd_gunzip gunzip;
    struct upd_writer writer;
    struct life life;

    /* Four bytes behind the gzip member, which make the stock loader copy nothing for ever. */
    begin(&life, &ours, CONFIRMS, 100, 200);
    z_stream stream = {.next_in = images[NEW][0].bytes,
                       .avail_in = images[NEW][0].size,
                       .next_out = packed,
                       .avail_out = sizeof packed};
    CHECK(deflateInit2(&stream, 9, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    CHECK(deflate(&stream, Z_FINISH) == Z_STREAM_END && deflateEnd(&stream) == Z_OK);
    uint32_t size = (uint32_t)stream.total_out;
    for (uint32_t lie = 0; lie < 2; lie++) {
        struct upd_update update = {.gzip = true};
        CHECK(open_device(&life) == UPD_OK);
        CHECK(upd_writer_begin(&writer, &life.device, &update) == UPD_OK);
        CHECK(upd_gunzip_begin(&gunzip, &writer, window, sizeof window) == UPD_OK);
        enum upd_err err = upd_gunzip_write(&gunzip, packed, size + 4 * lie);
        err = err == UPD_OK ? upd_gunzip_end(&gunzip) : err;
        CHECK(err == (lie == 1 ? UPD_E_FORMAT : UPD_OK));
    }
    CHECK(upd_writer_activate(&writer) == UPD_E_STATE);

    /* For a larger flash than this one: code 8 is 8 MiB. */
    struct file wrong = images[NEW][0];
    struct upd_update update = {.size = wrong.size};
    wrong.bytes[3] = wrong.bytes[0x1003] = 0x80;
    upd_put_le32(wrong.bytes + 0x1010, 0);
    upd_put_le32(wrong.bytes + 0x1014, 0);
    uint32_t crc = upd_crc32_mpeg2(UPD_CRC32_MPEG2_INIT, wrong.bytes, wrong.size);
    upd_put_le32(wrong.bytes + 0x1010, wrong.size);
    upd_put_le32(wrong.bytes + 0x1014, crc);
    CHECK(open_device(&life) == UPD_OK);
    CHECK(upd_writer_begin(&writer, &life.device, &update) == UPD_OK);
    enum upd_err err = upd_writer_write(&writer, wrong.bytes, wrong.size);
    err = err == UPD_OK ? upd_writer_end(&writer) : err;
    CHECK(err == UPD_E_TARGET && life_holds(&life, 0, OLD) && others_are_whole(&life));
    sim_flash_free(&life.sim);
}

static void test_a_device_is_opened_only_where_its_layout_says_so(void)
{
    struct life life;

    begin(&life, &ours, CONFIRMS, 100, 200);
    CHECK(open_device(&life) == UPD_OK && life.device.loader_counts);
    struct upd_eboot_config config = life.config.eboot;
    config.fs_start += 4;
    CHECK(upd_eboot_open(&life.device, &life.sim.flash, &config) == UPD_E_ARG);
    config = life.config.eboot;
    config.fs_start = 2 * SECTOR;
    CHECK(upd_eboot_open(&life.device, &life.sim.flash, &config) == UPD_E_ARG);
    config = life.config.eboot;
    config.rtc_write = NULL;
    CHECK(upd_eboot_open(&life.device, &life.sim.flash, &config) == UPD_E_ARG);
    /* A loader that was built for another layout looks elsewhere: it is none of ours. */
    config = life.config.eboot;
    config.fs_start += SECTOR;
    CHECK(upd_eboot_open(&life.device, &life.sim.flash, &config) == UPD_OK);
    CHECK(!life.device.loader_counts);
    sim_flash_free(&life.sim);
}

static void test_every_operation_torn_in_every_way(void)
{
    struct life life;
    uint32_t cuts = 0;

    for (uint32_t shape = 0; shape < 2; shape++) {
        for (uint32_t plan = CONFIRMS; plan < PLANS; plan++) {
            struct cutter cutter = {.life = &life, .name = ours.name};
            begin(&life, &ours, (enum plan)plan, shape == 0 ? 4200 : 100, shape == 0 ? 100 : 4200);
            sim_flash_set_hook(&life.sim, life_cut, &cutter);
            CHECK(life_to_end(&life) == END_DONE);
            CHECK(cutter.bad == 0 && cutter.cuts > 400);
            cuts += cutter.cuts;
            sim_flash_set_hook(&life.sim, NULL, NULL);
            sim_flash_free(&life.sim);
        }
    }
    printf("%u cuts\n", (unsigned)cuts);
}

static void test_two_cuts_in_a_row(void)
{
    struct life life;

    for (uint32_t plan = CONFIRMS; plan < PLANS; plan++) {
        struct cutter cutter = {.life = &life, .name = ours.name, .seconds = 40};
        begin(&life, &ours, (enum plan)plan, 100, 200);
        sim_flash_set_hook(&life.sim, life_cut, &cutter);
        CHECK(life_to_end(&life) == END_DONE);
        CHECK(cutter.bad == 0 && cutter.cuts > 1000);
        sim_flash_set_hook(&life.sim, NULL, NULL);
        sim_flash_free(&life.sim);
    }
}

/* The mirror: the same cuts, while the stock loader copies. */
static void test_the_stock_loader_is_bricked_by_cuts_of_its_copy(void)
{
    struct life life;
    struct cutter cutter = {.life = &life, .name = stock.name, .is_mirror = true};

    begin(&life, &stock, CONFIRMS, 100, 4200);
    accept = true;
    CHECK(life_session(&life) == END_RESTART);
    sim_flash_set_hook(&life.sim, life_cut, &cutter);
    CHECK(life_session(&life) == END_DONE && life.runs == NEW);
    CHECK(cutter.bad > cutter.cuts / 2);
    printf("stock eboot: %u of %u cuts of its copy leave no sketch\n", (unsigned)cutter.bad,
           (unsigned)cutter.cuts);
    sim_flash_set_hook(&life.sim, NULL, NULL);
    sim_flash_free(&life.sim);
}

/* A large sketch that runs, and a new one that would fit if it were not for it. */
static void test_nothing_is_staged_over_what_runs(void)
{
    struct life life;
    struct upd_area area;
    uint32_t journal;

    begin(&life, &ours, CONFIRMS, 100, 100);
    for (uint32_t size = 0x9000; size <= 0xE000; size += SECTOR) {
        struct upd_eboot_config config = {.sketch_size = size,
                                          .fs_start = FS_START,
                                          .max_sketch = MAX_SKETCH,
                                          .accept_no_way_back = true,
                                          .rtc_write = rtc_write,
                                          .ctx = &life};
        CHECK(upd_eboot_open(&life.device, &life.sim.flash, &config) == UPD_OK);
        enum upd_err err = life.device.scheme->prepare(&life.device, 0x4000, true, &area, &journal);
        /* Where there is no backup, a sector below what is staged is the log's. */
        CHECK(err == (size <= JOURNAL - 0x5000 ? UPD_OK : UPD_E_SPACE));
        CHECK(err != UPD_OK || area.offset >= size + SECTOR);
    }
    sim_flash_free(&life.sim);
}

static void test_a_damaged_backup_is_no_way_back(void)
{
    struct life life;

    begin(&life, &ours, NEVER_CONFIRMS, 100, 300);
    while (life_session(&life) == END_RESTART && life.runs != NEW) {
    }
    CHECK(life.runs == NEW && life.view.on_trial);
    for (uint32_t at = 2 * SECTOR + 16; at < JOURNAL; at += SECTOR) {
        sim_flash_flip(&life.sim, at, 1);
    }
    CHECK(upd_device_roll_back(&life.device) == UPD_E_NOT_FOUND);
    CHECK(upd_device_view(&life.device, &life.view) == UPD_OK && life.view.on_trial);
    sim_flash_free(&life.sim);
}

static void test_each_fault_is_told_with_its_sector(void)
{
    struct life life;

    for (uint32_t plan = CONFIRMS; plan < PLANS; plan++) {
        begin(&life, &ours, (enum plan)plan, 100, 300);
        life_fault_everywhere(&life);
        sim_flash_free(&life.sim);
    }
}

int main(void)
{
    int32_t size = check_load(UPD_IMAGES "arduino.bin", vector.bytes, sizeof vector.bytes);

    if (size != 4224) {
        check_print("arduino.bin in " UPD_IMAGES " is missing or not the one expected\n");
        check_exit(1);
    }
    vector.size = (uint32_t)size;
    CHECK_RUN(test_update_after_update_is_confirmed);
    CHECK_RUN(test_a_bad_sketch_is_taken_back_for_the_right_reason);
    CHECK_RUN(test_a_sketch_that_is_damaged_on_trial_is_taken_back);
    CHECK_RUN(test_no_way_back_must_be_accepted);
    CHECK_RUN(test_a_size_that_is_not_known_leaves_room_for_the_way_back);
    CHECK_RUN(test_hostile_sketches_are_refused);
    CHECK_RUN(test_a_device_is_opened_only_where_its_layout_says_so);
    CHECK_RUN(test_every_operation_torn_in_every_way);
    CHECK_RUN(test_two_cuts_in_a_row);
    CHECK_RUN(test_nothing_is_staged_over_what_runs);
    CHECK_RUN(test_a_damaged_backup_is_no_way_back);
    CHECK_RUN(test_each_fault_is_told_with_its_sector);
    CHECK_RUN(test_the_stock_loader_is_bricked_by_cuts_of_its_copy);
    check_end();
}
