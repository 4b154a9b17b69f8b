/*
 * Goal: whatever arrives, and whenever it stops, the writer leaves a verified image or none, erases
 * and programs no more than needed, and touches nothing outside of the slot and the journal.
 * Method: a scheme that only says where the slot is, on the simulated flash; an image of some
 * sectors; every byte, every operation and every lie in turn.
 */
#include <updraft/bytes.h>
#include <updraft/gunzip.h>
#include <updraft/image_build.h>
#include <updraft/sim_flash.h>
#include <updraft/writer.h>

#include <string.h>
#include <zlib.h>

#include "../../device/src/frame.h"
#include "check.h"

#define SLOT 0x81000u
#define ROOM 0x7B000u
#define JOURNAL 0x80000u
enum { SECTOR = 4096, PAGE = 256, IMAGE_MAX = 0x8000 };

/* --- A scheme of which the writer needs three functions ----------------------------------------
 */

static struct {
    bool on_trial, pending, esp32;
    int8_t target;
    enum upd_err prepare;
    struct upd_install installed;
    uint32_t activations;
} fake;

static enum upd_err fake_view(struct upd_device *device, struct upd_view *view)
{
    enum upd_err err = upd_frame_find(device, JOURNAL);

    *view = (struct upd_view){.running = 0,
                              .selected = 0,
                              .target = fake.target,
                              .on_trial = fake.on_trial,
                              .pending = fake.pending,
                              .fallen = UPD_SLOT_NONE};
    return err;
}

static enum upd_err fake_prepare(struct upd_device *device, uint32_t size, bool fresh,
                                 struct upd_area *area, uint32_t *journal)
{
    (void)size;
    (void)fresh;
    *area = (struct upd_area){SLOT, ROOM};
    *journal = JOURNAL;
    device->target = (struct upd_image_target){.chip = UPD_CHIP_ESP8266,
                                               .place = UPD_PLACE_NONOS,
                                               .offset = SLOT,
                                               .size = ROOM,
                                               .flash_size = 0x100000,
                                               .slot = 2,
                                               .flash_map = 2,
                                               .flash_mode = UPD_IMAGE_ANY,
                                               .chip_revision = UPD_IMAGE_ANY_REVISION,
                                               .efuse_revision = UPD_IMAGE_ANY_REVISION};
    if (fake.esp32) {
        device->target.chip = UPD_CHIP_ESP32;
        device->target.place = UPD_PLACE_PARTITION;
        device->target.flash_map = UPD_IMAGE_ANY;
        device->target.flash_size = 0x400000;
    }
    return fake.prepare;
}

static enum upd_err fake_activate(struct upd_device *device, const struct upd_install *install)
{
    (void)device;
    fake.installed = *install;
    fake.activations++;
    return UPD_OK;
}

static const struct upd_scheme scheme = {
    .name = "fake", .view = fake_view, .prepare = fake_prepare, .activate = fake_activate};

/* --- The device and the image ------------------------------------------------------------------
 */

static uint8_t image[IMAGE_MAX];
static uint32_t image_size;
static const uint8_t etag[] = "\"v1.0.1\"";

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

/* A user2 image for map 2 of about `irom` bytes. */
static void make_image(uint32_t irom, uint8_t slot)
{
    static uint8_t bytes[IMAGE_MAX];
    uint32_t noise = 1;
    uint32_t size;

    for (uint32_t i = 0; i < sizeof bytes; i++) {
        noise = noise * 1664525 + 1013904223;
        bytes[i] = (uint8_t)(noise >> 28); /* such that gzip halves it */
    }
    struct upd_image_recipe recipe = {.boot = UPD_IMAGE_BOOT_NEW,
                                      .entry = 0x40100004,
                                      .text = {0x40100000, 64, bytes},
                                      .data = {0x3FFE8000, 16, bytes},
                                      .rodata = {0x3FFE8010, 16, bytes},
                                      .irom = {0, irom, bytes},
                                      .slot = slot,
                                      .flash_map = 2};
    image_size = 0;
    CHECK(upd_image_build(&recipe, append, NULL, &size) == UPD_OK && size == image_size);
}

struct bench {
    struct sim_flash sim;
    struct upd_device device;
};

static void restart(struct bench *bench)
{
    sim_flash_power_on(&bench->sim);
    memset(&bench->device, 0, sizeof bench->device);
    bench->device.scheme = &scheme;
    bench->device.flash = &bench->sim.flash;
    bench->device.frame.index = UPD_JOURNAL_FRAMES;
    bench->device.frame.sector = JOURNAL;
}

static void open_bench(struct bench *bench)
{
    static const uint8_t old[64] = "what the slot held before";

    memset(&fake, 0, sizeof fake);
    fake.target = 1;
    sim_flash_init(&bench->sim, &sim_flash_1m, 1);
    for (uint32_t at = 0; at < 0x100000; at += SECTOR) {
        if (at != JOURNAL) {
            sim_flash_load(&bench->sim, at, old, sizeof old);
        }
    }
    restart(bench);
}

static struct upd_update whole_update(void)
{
    return (struct upd_update){
        .size = image_size, .validator = etag, .validator_size = sizeof etag - 1};
}

static bool slot_holds_image(const struct bench *bench)
{
    static uint8_t held[IMAGE_MAX];

    sim_flash_peek(&bench->sim, SLOT, held, image_size);
    return memcmp(held, image, image_size) == 0;
}

/* Nothing but the slot and the journal was touched. */
static bool others_are_whole(const struct bench *bench)
{
    for (uint32_t at = 0; at < 0x100000; at += SECTOR) {
        bool ours = at == JOURNAL || (at >= SLOT && at < SLOT + ROOM);
        if (!ours &&
            (sim_flash_wear(&bench->sim, at) != 0 || sim_flash_programs(&bench->sim, at) != 0)) {
            return false;
        }
    }
    return true;
}

static uint32_t sectors(uint32_t size)
{
    return (size + SECTOR - 1) / SECTOR;
}

static uint32_t pages(uint32_t size)
{
    return (size + PAGE - 1) / PAGE;
}

/* --- Tests -------------------------------------------------------------------------------------
 */

static void test_an_update_takes_the_least_work_that_it_can(void)
{
    struct bench bench;
    struct upd_writer writer;

    make_image(0x4321, 2);
    for (uint32_t piece = 1; piece <= 5000; piece = piece * 3 + 1) {
        open_bench(&bench);
        struct upd_update update = whole_update();
        CHECK(upd_writer_begin(&writer, &bench.device, &update) == UPD_OK);
        struct sim_counters before = bench.sim.counters;
        for (uint32_t at = 0; at < image_size; at += piece) {
            uint32_t now = piece < image_size - at ? piece : image_size - at;
            CHECK(upd_writer_write(&writer, image + at, now) == UPD_OK);
            CHECK(writer.written == at + now);
        }
        CHECK(upd_writer_activate(&writer) == UPD_E_STATE && writer.state == UPD_WRITER_OPEN);
        CHECK(upd_writer_end(&writer) == UPD_OK && writer.state == UPD_WRITER_VERIFIED);
        CHECK(upd_writer_end(&writer) == UPD_E_STATE &&
              upd_writer_write(&writer, image, 1) == UPD_E_STATE);
        CHECK(bench.sim.counters.erases - before.erases == sectors(image_size));
        /* A page each, and a byte of progress for each whole sector. */
        CHECK(bench.sim.counters.programs - before.programs ==
              pages(image_size) + image_size / SECTOR);
        CHECK(slot_holds_image(&bench) && others_are_whole(&bench));
        CHECK(fake.activations == 0);
        CHECK(upd_writer_activate(&writer) == UPD_OK && fake.activations == 1);
        CHECK(fake.installed.area.offset == SLOT && fake.installed.size == image_size);
        CHECK(upd_writer_abort(&writer) == UPD_E_STATE);
        sim_flash_free(&bench.sim);
    }
}

static void test_a_size_that_is_not_known_is_found_out(void)
{
    struct bench bench;
    struct upd_writer writer;
    struct upd_update update = {0};

    make_image(0x3000, 2);
    open_bench(&bench);
    CHECK(upd_writer_begin(&writer, &bench.device, &update) == UPD_OK);
    CHECK(upd_writer_write(&writer, image, image_size) == UPD_OK);
    CHECK(upd_writer_end(&writer) == UPD_OK && slot_holds_image(&bench));
    sim_flash_free(&bench.sim);
}

static void test_a_download_goes_on_from_its_last_whole_sector_wherever_it_stopped(void)
{
    struct bench bench;
    struct upd_writer writer;
    struct upd_update update;
    uint32_t from;

    make_image(0x3210, 2);
    update = whole_update();
    for (uint32_t stop = 0; stop <= image_size;
         stop += stop % SECTOR < 3 || stop % SECTOR > 4092 ? 1 : 61) {
        open_bench(&bench);
        CHECK(upd_writer_resume(&writer, &bench.device, &update, &from) == UPD_E_NOT_FOUND);
        CHECK(upd_writer_begin(&writer, &bench.device, &update) == UPD_OK);
        CHECK(upd_writer_write(&writer, image, stop) == UPD_OK);
        restart(&bench);
        CHECK(upd_writer_resume(&writer, &bench.device, &update, &from) == UPD_OK);
        CHECK(from == stop / SECTOR * SECTOR);
        uint64_t erases = bench.sim.counters.erases;
        CHECK(upd_writer_write(&writer, image + from, image_size - from) == UPD_OK);
        CHECK(upd_writer_end(&writer) == UPD_OK);
        CHECK(bench.sim.counters.erases - erases == sectors(image_size) - from / SECTOR);
        CHECK(slot_holds_image(&bench) && others_are_whole(&bench));
        sim_flash_free(&bench.sim);
    }
}

static void test_a_download_that_was_resumed_may_be_interrupted_again(void)
{
    struct bench bench;
    struct upd_writer writer;
    struct upd_update update;
    uint32_t from;

    make_image(0x5210, 2);
    update = whole_update();
    open_bench(&bench);
    CHECK(upd_writer_begin(&writer, &bench.device, &update) == UPD_OK);
    CHECK(upd_writer_write(&writer, image, 3 * SECTOR) == UPD_OK);
    for (uint32_t again = 0; again < 5; again++) { /* more than a journal has frames */
        restart(&bench);
        CHECK(upd_writer_resume(&writer, &bench.device, &update, &from) == UPD_OK);
        CHECK(from == 3 * SECTOR);
    }
    CHECK(upd_writer_write(&writer, image + from, SECTOR) == UPD_OK);
    restart(&bench);
    CHECK(upd_writer_resume(&writer, &bench.device, &update, &from) == UPD_OK);
    CHECK(from == 4 * SECTOR);
    sim_flash_free(&bench.sim);
}

/* What the journal says counts only where the flash agrees, and the first lie ends it. */
static void test_progress_that_the_flash_does_not_bear_out_is_not_believed(void)
{
    struct bench bench;
    struct upd_writer writer;
    struct upd_update update;
    uint32_t from;

    make_image(0x5210, 2);
    update = whole_update();
    for (uint32_t bad = 0; bad < 4; bad++) {
        open_bench(&bench);
        CHECK(upd_writer_begin(&writer, &bench.device, &update) == UPD_OK);
        CHECK(upd_writer_write(&writer, image, 4 * SECTOR) == UPD_OK);
        sim_flash_flip(&bench.sim, SLOT + bad * SECTOR + 1234, 0x10);
        restart(&bench);
        CHECK(upd_writer_resume(&writer, &bench.device, &update, &from) == UPD_OK);
        CHECK(from == bad * SECTOR);
        CHECK(upd_writer_write(&writer, image + from, image_size - from) == UPD_OK);
        CHECK(upd_writer_end(&writer) == UPD_OK && slot_holds_image(&bench));
        sim_flash_free(&bench.sim);
    }
}

/* A byte of progress that cannot be written costs that progress, and not the update. */
static void test_progress_that_cannot_be_noted_does_not_stop_an_update(void)
{
    struct bench bench;
    struct upd_writer writer;
    struct upd_update update;
    uint32_t from;

    make_image(0x5210, 2);
    update = whole_update();
    for (uint32_t unit = 0; unit < 3; unit++) {
        open_bench(&bench);
        CHECK(upd_writer_begin(&writer, &bench.device, &update) == UPD_OK);
        sim_flash_weaken(&bench.sim,
                         JOURNAL + upd_journal_frame_offset(0) + upd_journal_progress_offset(unit),
                         0xFF);
        sim_flash_set_reads(&bench.sim, SIM_READS_ONES, 0);
        CHECK(upd_writer_write(&writer, image, 4 * SECTOR) == UPD_OK);
        CHECK(bench.device.trouble == UPD_SIZE_UNKNOWN);
        restart(&bench);
        CHECK(upd_writer_resume(&writer, &bench.device, &update, &from) == UPD_OK);
        CHECK(from == unit * SECTOR);
        CHECK(upd_writer_write(&writer, image + from, image_size - from) == UPD_OK);
        CHECK(upd_writer_end(&writer) == UPD_OK && slot_holds_image(&bench));
        sim_flash_free(&bench.sim);
    }
}

static void test_power_may_go_at_every_operation_again_and_again(void)
{
    struct bench bench;
    struct upd_writer writer;
    struct upd_update update;

    make_image(0x2100, 2);
    update = whole_update();
    /* Power goes at operation `each` of every session, torn in a way that the session chooses. */
    for (uint32_t each = 0; each < 70; each++) {
        for (uint64_t seed = 0; seed < 6; seed++) {
            open_bench(&bench);
            bool done = false;
            for (uint32_t session = 0; session < 100 && !done; session++) {
                uint32_t from = 0;
                struct sim_cut cut = {each, {SIM_TEAR_ANY, SIM_TEAR_SEEDED, seed * 1000 + session}};
                restart(&bench);
                /* Below 26 operations a session is too short: later ones get more. */
                cut.op += session * 4;
                sim_flash_cut(&bench.sim, &cut, 1, false);
                enum upd_err err = upd_writer_resume(&writer, &bench.device, &update, &from);
                if (err == UPD_E_NOT_FOUND) {
                    err = upd_writer_begin(&writer, &bench.device, &update);
                }
                if (err == UPD_OK) {
                    err = upd_writer_write(&writer, image + from, image_size - from);
                }
                if (err == UPD_OK) {
                    err = upd_writer_end(&writer);
                }
                done = err == UPD_OK;
                CHECK(done || !sim_flash_has_power(&bench.sim) || err == UPD_E_VERIFY);
            }
            CHECK(done && slot_holds_image(&bench) && others_are_whole(&bench));
            sim_flash_free(&bench.sim);
        }
    }
}

static void test_another_update_is_not_taken_for_the_interrupted_one(void)
{
    static const uint8_t other[] = "\"v1.0.2\"";
    struct bench bench;
    struct upd_writer writer;
    uint32_t from;

    make_image(0x3000, 2);
    for (uint32_t what = 0; what < 5; what++) {
        struct upd_update update = whole_update();
        open_bench(&bench);
        CHECK(upd_writer_begin(&writer, &bench.device, &update) == UPD_OK);
        CHECK(upd_writer_write(&writer, image, 2 * SECTOR) == UPD_OK);
        restart(&bench);
        update.size -= what == 0;
        update.validator = what == 1 ? other : update.validator;
        update.validator_size -= what == 2;
        update.gzip = what == 3;
        fake.target = what == 4 ? 0 : 1;
        uint64_t programs = bench.sim.counters.programs;
        CHECK(upd_writer_resume(&writer, &bench.device, &update, &from) == UPD_E_CHANGED);
        CHECK(bench.sim.counters.programs == programs);
        update = whole_update();
        update.validator = NULL;
        fake.target = 1;
        CHECK(upd_writer_resume(&writer, &bench.device, &update, &from) == UPD_E_CHANGED);
        CHECK(upd_writer_write(&writer, image, 1) == UPD_E_STATE);
        sim_flash_free(&bench.sim);
    }
}

/*
 * A cut may tear the progress such that a unit which was not written counts as kept: a byte tells,
 * and one of 256 fits. The image is not to be blamed for that.
 */
static void test_what_was_kept_wrongly_is_not_the_images_fault(void)
{
    static uint8_t sent[IMAGE_MAX];
    struct bench bench;
    struct upd_writer writer;
    uint32_t from = 0;

    make_image(0x3000, 2);
    struct upd_update update = whole_update();
    for (uint32_t who = 0; who < 2; who++) {
        bool kept_is_bad = who == 0;
        memcpy(sent, image, image_size);
        sent[kept_is_bad ? SECTOR + 100 : 2 * SECTOR + 100] ^= 0x04;
        open_bench(&bench);
        CHECK(upd_writer_begin(&writer, &bench.device, &update) == UPD_OK);
        CHECK(upd_writer_write(&writer, sent, 2 * SECTOR) == UPD_OK);
        restart(&bench);
        CHECK(upd_writer_resume(&writer, &bench.device, &update, &from) == UPD_OK);
        CHECK(from == 2 * SECTOR);
        const uint8_t *rest = kept_is_bad ? image : sent;
        enum upd_err err = upd_writer_write(&writer, rest + from, image_size - from);
        CHECK((err != UPD_OK ? err : upd_writer_end(&writer)) == UPD_E_CHANGED);
        restart(&bench);
        CHECK(upd_writer_resume(&writer, &bench.device, &update, &from) == UPD_E_NOT_FOUND);
        CHECK(upd_writer_begin(&writer, &bench.device, &update) == UPD_OK);
        err = upd_writer_write(&writer, rest, image_size);
        err = err != UPD_OK ? err : upd_writer_end(&writer);
        CHECK(err == (kept_is_bad ? UPD_OK : UPD_E_AUTH));
        CHECK(!kept_is_bad || slot_holds_image(&bench));
        CHECK(others_are_whole(&bench));
        sim_flash_free(&bench.sim);
    }
}

/* One lie: a byte of the image, its length, or what was announced. */
struct lie {
    const char *name;
    int64_t flip;     /* offset of a byte that is wrong; -1 none */
    uint8_t mask;     /* what is wrong in it */
    int32_t length;   /* so many bytes more or fewer come than the image has */
    int32_t announce; /* so many bytes more or fewer are announced; 0 with announce_none: none */
    enum upd_err err;
    uint32_t most_sectors; /* of the slot that may have been erased by then */
};

static const struct lie lies[] = {
    {"not an image", 0, 0x0F, 0, 0, UPD_E_FORMAT, 0},
    {"for the other slot", 3, 0x03, 0, 0, UPD_E_TARGET, 0},
    {"for another map", 0x3028, 0, 0, 0, UPD_OK, 99},
    {"irom byte wrong", 0x1234, 0x40, 0, 0, UPD_E_AUTH, 99},
    {"last byte of the CRC wrong", -2, 0x80, 0, 0, UPD_E_AUTH, 99},
    {"too long by one byte", -1, 0, 1, 1, UPD_E_FORMAT, 99},
    {"too short by one byte", -1, 0, -1, -1, UPD_E_SHORT, 99},
    {"more than was announced", -1, 0, 0, -1, UPD_E_SHORT, 99},
    {"less than was announced", -1, 0, 0, 1, UPD_E_SHORT, 99},
    {"growing while it comes", -1, 0, 1, 0, UPD_E_SPACE, 99},
    {"larger than the slot", -1, 0, 0, 0x80000, UPD_E_SPACE, 0},
};

static void test_lies_are_refused_and_the_rest_of_the_flash_is_whole(void)
{
    static uint8_t sent[IMAGE_MAX + 16];
    struct bench bench;
    struct upd_writer writer;

    make_image(0x3000, 2);
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        const struct lie *lie = &lies[i];
        struct upd_update update = whole_update();
        memset(sent, 0, sizeof sent);
        memcpy(sent, image, image_size);
        int64_t flip = lie->flip == -2 ? image_size - 1 : lie->flip;
        if (flip >= 0) {
            sent[flip] ^= lie->mask;
        }
        update.size = (uint32_t)((int64_t)image_size + lie->announce);
        uint32_t length = (uint32_t)((int64_t)image_size + lie->length);
        open_bench(&bench);
        enum upd_err err = upd_writer_begin(&writer, &bench.device, &update);
        for (uint32_t at = 0; at < length && err == UPD_OK; at++) {
            err = upd_writer_write(&writer, sent + at, 1);
        }
        if (err == UPD_OK) {
            err = upd_writer_end(&writer);
        }
        CHECK_THAT(lie->name, err == lie->err);
        CHECK_THAT(lie->name, lie->err == UPD_OK || writer.state == UPD_WRITER_IDLE);
        CHECK_THAT(lie->name, lie->err == UPD_OK || upd_writer_activate(&writer) == UPD_E_STATE);
        CHECK_THAT(lie->name, others_are_whole(&bench));
        /* What was refused is not gone on with; what was only too short may yet be completed. */
        uint32_t from;
        restart(&bench);
        CHECK_THAT(lie->name, lie->err == UPD_OK || lie->err == UPD_E_SHORT ||
                                  upd_writer_resume(&writer, &bench.device, &update, &from) ==
                                      UPD_E_NOT_FOUND);
        uint32_t erased = 0;
        for (uint32_t at = SLOT; at < SLOT + ROOM; at += SECTOR) {
            erased += sim_flash_wear(&bench.sim, at);
        }
        CHECK_THAT(lie->name, erased <= lie->most_sectors);
        sim_flash_free(&bench.sim);
    }
}

/* Of what a build cannot check it takes nothing, and nothing was erased. */
static void test_digests_that_a_build_does_not_have_are_refused(void)
{
    struct bench bench;
    struct upd_writer writer;
    const uint8_t digest[UPD_SHA256_SIZE] = {0};

    make_image(0x2000, 2);
    for (uint32_t with = 1; with < 4; with++) {
        struct upd_update update = whole_update();
        update.md5 = (with & 1) != 0 ? digest : NULL;
        update.sha256 = (with & 2) != 0 ? digest : NULL;
        bool known =
            ((with & 1) == 0 || UPD_WRITER_WITH_MD5) && ((with & 2) == 0 || UPD_WRITER_WITH_SHA256);
        open_bench(&bench);
        CHECK(upd_writer_begin(&writer, &bench.device, &update) == (known ? UPD_OK : UPD_E_ARG));
        CHECK(known || bench.sim.counters.erases == 0);
        sim_flash_free(&bench.sim);
    }
}

static void test_digests_that_came_with_the_update_must_match_the_flash(void)
{
    struct bench bench;
    struct upd_writer writer;
    uint8_t md5[UPD_MD5_SIZE], sha256[UPD_SHA256_SIZE];
    struct upd_md5 md5_state;
    struct upd_sha256 sha256_state;

    make_image(0x2000, 2);
    upd_md5_init(&md5_state);
    upd_md5_update(&md5_state, image, image_size);
    upd_md5_final(&md5_state, md5);
    upd_sha256_init(&sha256_state);
    upd_sha256_update(&sha256_state, image, image_size);
    upd_sha256_final(&sha256_state, sha256);
    for (uint32_t wrong = 0; wrong < 3; wrong++) {
        struct upd_update update = whole_update();
        if ((wrong == 1 && !UPD_WRITER_WITH_MD5) || (wrong == 2 && !UPD_WRITER_WITH_SHA256)) {
            continue;
        }
        update.md5 = UPD_WRITER_WITH_MD5 ? md5 : NULL;
        update.sha256 = UPD_WRITER_WITH_SHA256 ? sha256 : NULL;
        md5[15] ^= wrong == 1;
        sha256[31] ^= wrong == 2;
        open_bench(&bench);
        CHECK(upd_writer_begin(&writer, &bench.device, &update) == UPD_OK);
        CHECK(upd_writer_write(&writer, image, image_size) == UPD_OK);
        CHECK(upd_writer_end(&writer) == (wrong == 0 ? UPD_OK : UPD_E_AUTH));
        md5[15] ^= wrong == 1;
        sha256[31] ^= wrong == 2;
        sim_flash_free(&bench.sim);
    }
}

/* An image that brings no digest: the sum of one byte protects next to nothing. */
static void test_what_no_digest_protects_is_refused(void)
{
    struct bench bench;
    struct upd_writer writer;
    uint8_t md5[UPD_MD5_SIZE];
    struct upd_md5 md5_state;

    int32_t size = check_load(UPD_IMAGES "esp32-unhashed.bin", image, sizeof image);
    CHECK(size > 0);
    image_size = (uint32_t)size;
    upd_md5_init(&md5_state);
    upd_md5_update(&md5_state, image, image_size);
    upd_md5_final(&md5_state, md5);
    for (uint32_t announced = 0; announced <= UPD_WRITER_WITH_MD5; announced++) {
        struct upd_update update = whole_update();
        update.md5 = announced ? md5 : NULL;
        open_bench(&bench);
        fake.esp32 = true;
        CHECK(upd_writer_begin(&writer, &bench.device, &update) == UPD_OK);
        CHECK(upd_writer_write(&writer, image, image_size) == UPD_OK);
        CHECK(upd_writer_end(&writer) == (announced ? UPD_OK : UPD_E_AUTH));
        sim_flash_free(&bench.sim);
    }
}

static void test_begin_is_refused_while_the_running_image_is_on_trial(void)
{
    struct bench bench;
    struct upd_writer writer;
    struct upd_update update = {0};

    make_image(0x1000, 2);
    open_bench(&bench);
    fake.on_trial = true;
    CHECK(upd_writer_begin(&writer, &bench.device, &update) == UPD_E_STATE);
    fake.on_trial = false;
    fake.pending = true;
    CHECK(upd_writer_begin(&writer, &bench.device, &update) == UPD_E_STATE);
    fake.pending = false;
    fake.target = UPD_SLOT_NONE;
    CHECK(upd_writer_begin(&writer, &bench.device, &update) == UPD_E_NOT_FOUND);
    fake.target = 1;
    fake.prepare = UPD_E_ROLLBACK;
    CHECK(upd_writer_begin(&writer, &bench.device, &update) == UPD_E_ROLLBACK);
    CHECK(bench.sim.counters.erases == 0 && bench.sim.counters.programs == 0);
    sim_flash_free(&bench.sim);
}

static void test_an_update_that_was_given_up_is_not_resumed(void)
{
    struct bench bench;
    struct upd_writer writer;
    struct upd_update update;
    uint32_t from;

    make_image(0x3000, 2);
    update = whole_update();
    open_bench(&bench);
    CHECK(upd_writer_begin(&writer, &bench.device, &update) == UPD_OK);
    CHECK(upd_writer_write(&writer, image, 2 * SECTOR) == UPD_OK);
    CHECK(upd_writer_abort(&writer) == UPD_OK && writer.state == UPD_WRITER_IDLE);
    restart(&bench);
    CHECK(upd_writer_resume(&writer, &bench.device, &update, &from) == UPD_E_NOT_FOUND);
    sim_flash_free(&bench.sim);
}

static void test_a_flash_that_does_not_take_a_page_is_found_out_at_once(void)
{
    struct bench bench;
    struct upd_writer writer;
    struct upd_update update;

    make_image(0x3000, 2);
    update = whole_update();
    open_bench(&bench);
    CHECK(upd_writer_begin(&writer, &bench.device, &update) == UPD_OK);
    CHECK(upd_writer_write(&writer, image, SECTOR + 10 * PAGE) == UPD_OK);
    struct sim_fault fault = {.kind = SIM_FAULT_IGNORED, .at = 0, .count = 1};
    sim_flash_fault(&bench.sim, &fault);
    CHECK(upd_writer_write(&writer, image + SECTOR + 10 * PAGE, PAGE) == UPD_E_VERIFY);
    CHECK(bench.device.trouble == SLOT + SECTOR && writer.err == UPD_E_VERIFY);
    sim_flash_free(&bench.sim);
}

/* --- gzip --------------------------------------------------------------------------------------
 */

static uint8_t packed[IMAGE_MAX];
static uint32_t packed_size;

static void pack(const uint8_t *data, uint32_t size)
{
    z_stream stream = {0};

    CHECK(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    stream.next_in = (Bytef *)(uintptr_t)data;
    stream.avail_in = size;
    stream.next_out = packed;
    stream.avail_out = sizeof packed;
    CHECK(deflate(&stream, Z_FINISH) == Z_STREAM_END);
    packed_size = (uint32_t)stream.total_out;
    deflateEnd(&stream);
}

static enum upd_err send_packed(struct upd_writer *writer, uint32_t size)
{
    static uint8_t window[32768];
    static struct upd_gunzip gunzip;

    enum upd_err err = upd_gunzip_begin(&gunzip, writer, window, sizeof window);
    for (uint32_t at = 0; at < size && err == UPD_OK; at += 100) {
        err = upd_gunzip_write(&gunzip, packed + at, size - at < 100 ? size - at : 100);
    }
    return err == UPD_OK ? upd_gunzip_end(&gunzip) : err;
}

static void test_a_compressed_image_is_inflated_on_its_way(void)
{
    struct bench bench;
    struct upd_writer writer;
    struct upd_update update = {.gzip = true, .validator = etag, .validator_size = 4};
    uint32_t from;

    make_image(0x5000, 2);
    pack(image, image_size);
    open_bench(&bench);
    CHECK(upd_writer_begin(&writer, &bench.device, &update) == UPD_OK);
    CHECK(send_packed(&writer, packed_size) == UPD_OK && slot_holds_image(&bench));
    sim_flash_free(&bench.sim);

    /* Stopped half-way: asked for anew, but not written anew. */
    open_bench(&bench);
    CHECK(upd_writer_begin(&writer, &bench.device, &update) == UPD_OK);
    CHECK(send_packed(&writer, packed_size / 2) == UPD_E_SHORT);
    uint32_t whole = writer.written / SECTOR;
    restart(&bench);
    CHECK(upd_writer_resume(&writer, &bench.device, &update, &from) == UPD_OK && from == 0);
    uint64_t erases = bench.sim.counters.erases;
    CHECK(send_packed(&writer, packed_size) == UPD_OK && slot_holds_image(&bench));
    CHECK(whole > 0 && bench.sim.counters.erases - erases == sectors(image_size) - whole);
    sim_flash_free(&bench.sim);

    /* Stopped half-way, and what comes then under the same name is another image. */
    open_bench(&bench);
    CHECK(upd_writer_begin(&writer, &bench.device, &update) == UPD_OK);
    CHECK(send_packed(&writer, packed_size / 2) == UPD_E_SHORT);
    restart(&bench);
    CHECK(upd_writer_resume(&writer, &bench.device, &update, &from) == UPD_OK && from == 0);
    CHECK(writer.kept > 0x1000);
    image[0x1000] ^= 1;
    pack(image, image_size);
    erases = bench.sim.counters.erases;
    CHECK(send_packed(&writer, packed_size) == UPD_E_CHANGED);
    CHECK(bench.sim.counters.erases == erases);
    restart(&bench);
    CHECK(upd_writer_resume(&writer, &bench.device, &update, &from) == UPD_E_NOT_FOUND);
    sim_flash_free(&bench.sim);
}

static void test_compressed_lies_are_refused(void)
{
    static uint8_t zeros[ROOM + SECTOR];
    struct bench bench;
    struct upd_writer writer;
    struct upd_update update = {.gzip = true};

    /* A bomb: more than the slot takes. It begins like an image, so that it is not refused before.
     */
    make_image(0x3000, 2);
    for (uint32_t lie = 0; lie < 3; lie++) {
        enum upd_err expected = lie == 0 ? UPD_E_FORMAT : lie == 1 ? UPD_E_FORMAT : UPD_E_AUTH;
        if (lie == 0) {
            memcpy(zeros, image, image_size);
            pack(zeros, sizeof zeros);
        } else {
            pack(image, image_size);
        }
        if (lie == 1) { /* four bytes behind the end: eboot would copy nothing, for ever */
            memset(packed + packed_size, 0, 4);
            packed_size += 4;
        } else if (lie == 2) {
            packed[packed_size - 8] ^= 1;
        }
        open_bench(&bench);
        CHECK(upd_writer_begin(&writer, &bench.device, &update) == UPD_OK);
        CHECK(send_packed(&writer, packed_size) == expected);
        CHECK(writer.state == UPD_WRITER_IDLE && writer.err == expected);
        CHECK(others_are_whole(&bench));
        sim_flash_free(&bench.sim);
    }
}

int main(void)
{
    CHECK_RUN(test_an_update_takes_the_least_work_that_it_can);
    CHECK_RUN(test_a_size_that_is_not_known_is_found_out);
    CHECK_RUN(test_a_download_goes_on_from_its_last_whole_sector_wherever_it_stopped);
    CHECK_RUN(test_a_download_that_was_resumed_may_be_interrupted_again);
    CHECK_RUN(test_progress_that_the_flash_does_not_bear_out_is_not_believed);
    CHECK_RUN(test_progress_that_cannot_be_noted_does_not_stop_an_update);
    CHECK_RUN(test_power_may_go_at_every_operation_again_and_again);
    CHECK_RUN(test_another_update_is_not_taken_for_the_interrupted_one);
    CHECK_RUN(test_what_was_kept_wrongly_is_not_the_images_fault);
    CHECK_RUN(test_lies_are_refused_and_the_rest_of_the_flash_is_whole);
    CHECK_RUN(test_digests_that_a_build_does_not_have_are_refused);
    CHECK_RUN(test_digests_that_came_with_the_update_must_match_the_flash);
    CHECK_RUN(test_what_no_digest_protects_is_refused);
    CHECK_RUN(test_begin_is_refused_while_the_running_image_is_on_trial);
    CHECK_RUN(test_an_update_that_was_given_up_is_not_resumed);
    CHECK_RUN(test_a_flash_that_does_not_take_a_page_is_found_out_at_once);
    CHECK_RUN(test_a_compressed_image_is_inflated_on_its_way);
    CHECK_RUN(test_compressed_lies_are_refused);
    check_end();
}
