/*
 * Goal: with every boot loader that reads otadata and every shape of partition table, an update
 * ends as it should, its end is told for the right reason, and no cut of power leaves a device that
 * does not start one of its versions or cannot be updated any more. Method: whole lives on the
 * simulated flash, with the vendors' boot loaders as core/otadata knows them; small images that are
 * genuine; then every operation of these lives torn in every way.
 */
#include <updraft/bytes.h>
#include <updraft/sha256.h>

#include "life.h"

#define OTADATA 0xD000u
#define FIRST 0x10000u
enum { ROOM = 0x10000 };

/* --- Images ------------------------------------------------------------------------------------
 */

static uint8_t esp32[512], rtos[512];
static int32_t esp32_size, rtos_size;

/* A vector with a longer first segment, for a place and a version of it. */
static void make_image(struct file *file, bool is_rtos, uint32_t offset, uint32_t more,
                       uint32_t version)
{
    const uint8_t *vector = is_rtos ? rtos : esp32;
    uint32_t header = is_rtos ? 8 : 24;
    uint32_t size = (uint32_t)(is_rtos ? rtos_size : esp32_size);
    uint32_t descriptor = header + 8, segment = upd_get_le32(vector + header + 4);
    uint32_t body = descriptor + segment, noise = version + 1, at = header;
    uint8_t sum = 0xEF;

    memcpy(file->bytes, vector, body);
    for (uint32_t i = 0; i < more; i++) {
        noise = noise * 1664525 + 1013904223;
        file->bytes[body + i] = (uint8_t)(noise >> 24);
    }
    memcpy(file->bytes + body + more, vector + body, size - body);
    upd_put_le32(file->bytes + header + 4, segment + more);
    upd_put_le32(file->bytes + descriptor + 4, 1); /* secure version */
    if (is_rtos) {                                 /* is linked for its place */
        upd_put_le32(file->bytes + 4, 0x40200100 + offset);
        upd_put_le32(file->bytes + header, 0x40200010 + offset);
    }
    for (uint32_t i = 0; i < file->bytes[1]; i++) {
        uint32_t bytes = upd_get_le32(file->bytes + at + 4);
        for (at += 8; bytes > 0; bytes--, at++) {
            sum ^= file->bytes[at];
        }
    }
    memset(file->bytes + at, 0, 16);
    file->bytes[at | 15] = sum;
    at = (at | 15) + 1;
    struct upd_sha256 sha256;
    upd_sha256_init(&sha256);
    upd_sha256_update(&sha256, file->bytes, at);
    upd_sha256_final(&sha256, file->bytes + at);
    file->size = at + UPD_SHA256_SIZE;
}

/* --- Devices -----------------------------------------------------------------------------------
 */

enum { ROWS_MAX = 8 };

static const struct shape {
    const char *name;
    bool factory;
    uint8_t slots;
} shapes[] = {{"factory and one slot", true, 1},
              {"two slots", false, 2},
              {"factory and two slots", true, 2},
              {"three slots", false, 3}};

static const struct kind {
    const char *name;
    enum upd_otadata_loader loader;
    bool states;
} kinds[] = {{"IDF", UPD_OTADATA_LOADER_IDF, false},
             {"IDF with rollback", UPD_OTADATA_LOADER_IDF_ROLLBACK, true},
             {"IDF with anti-rollback", UPD_OTADATA_LOADER_IDF_ANTI_ROLLBACK, true},
             {"RTOS", UPD_OTADATA_LOADER_RTOS, false}};

static struct file images[VERSIONS][PLACES];
static struct upd_partition rows[ROWS_MAX];

static enum upd_err fuse_read(void *ctx, uint32_t *version)
{
    *version = ((struct life *)ctx)->fuse;
    return UPD_OK;
}

static enum upd_err fuse_burn(void *ctx, uint32_t version)
{
    struct life *life = ctx;

    CHECK(version >= life->fuse);
    life->fuse = version;
    return UPD_OK;
}

static enum upd_err open_device(struct life *life)
{
    enum upd_otadata_loader loader = life->setup->loader.of.otadata.loader;
    bool burns = loader == UPD_OTADATA_LOADER_IDF_ANTI_ROLLBACK;

    life->config.otadata = (struct upd_otadata_config){
        .rows = rows,
        .count = life->setup->loader.of.otadata.count,
        .running = life->boot.address,
        .loader = loader,
        .chip = loader == UPD_OTADATA_LOADER_RTOS ? UPD_CHIP_ESP8266 : UPD_CHIP_ESP32,
        .chip_revision = UPD_IMAGE_ANY_REVISION,
        .efuse_revision = UPD_IMAGE_ANY_REVISION,
        .fuse_read = burns ? fuse_read : NULL,
        .fuse_burn = burns ? fuse_burn : NULL,
        .ctx = life};
    return upd_otadata_open(&life->device, &life->sim.flash, &life->config.otadata);
}

static bool has_factory;

static uint32_t target(const struct life *life)
{
    return life->view.target < 0 ? 0 : (uint32_t)life->view.target + has_factory;
}

static struct setup make_setup(const struct kind *kind, const struct shape *shape, uint32_t more)
{
    static char name[80];
    uint32_t count = 0;

    memset(rows, 0, sizeof rows);
    rows[count++] = (struct upd_partition){.offset = OTADATA,
                                           .size = UPD_OTADATA_SIZE,
                                           .type = UPD_PARTITION_DATA,
                                           .subtype = UPD_PARTITION_DATA_OTA};
    has_factory = shape->factory;
    struct setup setup = {.name = name,
                          .image = {images[OLD], images[NEW]},
                          .by_loader = kind->states,
                          .has_way_back = true,
                          .metadata = {OTADATA, OTADATA + SECTOR},
                          .metadata_count = 2,
                          .open = open_device,
                          .target = target};
    snprintf(name, sizeof name, "%s, %s", kind->name, shape->name);
    setup.places = (uint32_t)shape->factory + shape->slots;
    for (uint32_t i = 0; i < setup.places; i++) {
        uint32_t slot = i - shape->factory;
        bool factory = shape->factory && i == 0;
        setup.place[i] = FIRST + i * ROOM;
        rows[count++] =
            (struct upd_partition){.offset = setup.place[i],
                                   .size = ROOM,
                                   .type = UPD_PARTITION_APP,
                                   .subtype = factory ? UPD_PARTITION_APP_FACTORY
                                                      : (uint8_t)(UPD_PARTITION_APP_OTA_0 + slot)};
        for (uint32_t version = 0; version < VERSIONS; version++) {
            make_image(&images[version][i], kind->loader == UPD_OTADATA_LOADER_RTOS, setup.place[i],
                       more, version * 10 + i);
        }
    }
    setup.loader = (struct sim_loader){
        .kind = SIM_LOADER_OTADATA,
        .of.otadata = {.loader = kind->loader, .rows = rows, .count = count, .fuse_size = 16}};
    return setup;
}

static void begin(struct life *life, const struct setup *setup, enum plan plan)
{
    memset(life, 0, sizeof *life);
    life->setup = setup;
    life->plan = plan;
    life->fuse = 1;
    sim_flash_init(&life->sim, &sim_flash_4m, 7);
    sim_flash_load(&life->sim, setup->place[0], images[OLD][0].bytes, images[OLD][0].size);
}

static const enum upd_fall falls[PLANS][2] = {
    [NEVER_CONFIRMS] = {UPD_FALL_EXHAUSTED, UPD_FALL_UNCONFIRMED},
    [CRASHES] = {UPD_FALL_EXHAUSTED, UPD_FALL_UNCONFIRMED},
    [REFUSES] = {UPD_FALL_REFUSED, UPD_FALL_REFUSED},
};

/* Kinds that the library was built for: see UPD_OTADATA_FOR in CMakeLists.txt. */
static bool is_built(const struct kind *kind)
{
    return (UPD_OTADATA_FOR >> kind->loader & 1) != 0;
}

#define FOR_EACH_KIND                                                                              \
    for (uint32_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++)                                  \
        if (is_built(&kinds[k]))
#define FOR_EACH_SETUP(more)                                                                       \
    FOR_EACH_KIND                                                                                  \
    for (uint32_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++)                                \
        for (struct setup setup = make_setup(&kinds[k], &shapes[s], (more)), *once = &setup;       \
             once != NULL; once = NULL)

/* --- Tests -------------------------------------------------------------------------------------
 */

static uint32_t metadata_wear(const struct life *life)
{
    return sim_flash_wear(&life->sim, OTADATA) + sim_flash_wear(&life->sim, OTADATA + SECTOR);
}

static void swap_versions(void)
{
    static struct file spare;

    for (uint32_t i = 0; i < PLACES; i++) {
        spare = images[OLD][i];
        images[OLD][i] = images[NEW][i];
        images[NEW][i] = spare;
    }
}

static void test_update_after_update_is_confirmed_at_two_erases_each(void)
{
    struct life life;

    FOR_EACH_SETUP(5000)
    {
        begin(&life, &setup, CONFIRMS);
        life.fuse = 0;
        for (uint32_t round = 0; round < (shapes[s].slots == 1 ? 1 : 7); round++) {
            /* The loader's own erases are not the library's: PENDING costs it one. */
            uint32_t wear = metadata_wear(&life) + kinds[k].states;
            CHECK_THAT(setup.name, life_to_end(&life) == END_DONE && life.runs == NEW);
            CHECK_THAT(setup.name, life.view.on_trial && life.fall == UPD_FALL_NONE);
            CHECK_THAT(setup.name,
                       life.fuse == (kinds[k].loader == UPD_OTADATA_LOADER_IDF_ANTI_ROLLBACK));
            CHECK_THAT(setup.name, metadata_wear(&life) - wear <= (round == 0 ? 3 : 2));
            CHECK_THAT(setup.name, life_session(&life) == END_DONE && !life.view.on_trial);
            CHECK_THAT(setup.name, life.view.selected == life.view.running);
            /* Nothing is written on an ordinary boot, nor by a second confirmation. */
            uint64_t operations = life.sim.counters.operations;
            CHECK_THAT(setup.name, life_session(&life) == END_DONE);
            CHECK_THAT(setup.name, operations == life.sim.counters.operations);
            swap_versions();
        }
        sim_flash_free(&life.sim);
    }
}

static void test_a_bad_version_is_given_up_for_the_right_reason(void)
{
    struct life life;

    FOR_EACH_SETUP(100)
    {
        for (uint32_t before = 0; before < (shapes[s].slots == 1 ? 1 : 3); before++) {
            for (uint32_t plan = NEVER_CONFIRMS; plan < PLANS; plan++) {
                begin(&life, &setup, CONFIRMS);
                for (uint32_t i = 0; i < before; i++) {
                    CHECK_THAT(setup.name, life_to_end(&life) == END_DONE);
                    swap_versions();
                }
                life.plan = (enum plan)plan;
                uint32_t wear = metadata_wear(&life);
                CHECK_THAT(setup.name, life_to_end(&life) == END_DONE && life.runs == OLD);
                CHECK_THAT(setup.name, life.fall == falls[plan][kinds[k].states]);
                /* One by the library. Boot loaders: a first boot, PENDING, ABORTED or INVALID. */
                uint32_t most = 1u + (before == 0 && !shapes[s].factory) + 2u * kinds[k].states;
                CHECK_THAT(setup.name, metadata_wear(&life) - wear <= most);
                /* Told once, and the next attempt is free to begin. */
                CHECK_THAT(setup.name, life.view.fall == UPD_FALL_NONE && !life.view.pending);
                life.plan = CONFIRMS;
                CHECK_THAT(setup.name, life_to_end(&life) == END_DONE && life.runs == NEW);
                sim_flash_free(&life.sim);
                if (before % 2 == 1) {
                    swap_versions();
                }
            }
        }
    }
}

static void test_the_only_slot_is_updated_from_factory(void)
{
    struct life life;

    FOR_EACH_KIND
    {
        struct setup setup = make_setup(&kinds[k], &shapes[0], 100);
        begin(&life, &setup, CONFIRMS);
        CHECK_THAT(setup.name, life_to_end(&life) == END_DONE && life.place == 1);
        swap_versions();
        images[OLD][0] = images[NEW][0];
        CHECK_THAT(setup.name, life_session(&life) == END_FAILED && life.err == UPD_E_NOT_FOUND);
        CHECK_THAT(setup.name, life.view.target == UPD_SLOT_NONE);
        enum upd_err err = life.device.scheme->roll_back(&life.device);
        /* With anti-rollback no way back leads to factory. */
        CHECK_THAT(setup.name, err == UPD_OK);
        if (err == UPD_OK) {
            CHECK_THAT(setup.name, life_to_end(&life) == END_DONE && life.place == 1);
            CHECK_THAT(setup.name, life.runs == NEW && life.fall == UPD_FALL_REFUSED);
        }
        sim_flash_free(&life.sim);
    }
}

static void test_what_the_boot_loader_refuses_is_told_and_forgotten(void)
{
    struct life life;

    FOR_EACH_SETUP(100)
    {
        begin(&life, &setup, NEVER_CONFIRMS);
        CHECK_THAT(setup.name, life_session(&life) == END_RESTART);
        CHECK_THAT(setup.name, life_holds(&life, target(&life), NEW));
        sim_flash_flip(&life.sim, setup.place[target(&life)] + 0x140, 1);
        CHECK_THAT(setup.name, life_session(&life) == END_DONE);
        CHECK_THAT(setup.name, life.runs == OLD && life.fall == UPD_FALL_LOADER);
        CHECK_THAT(setup.name, life.view.selected == life.view.running);
        life.plan = CONFIRMS;
        CHECK_THAT(setup.name, life_to_end(&life) == END_DONE && life.runs == NEW);
        sim_flash_free(&life.sim);
    }
}

/* With rollback: the new image runs on trial, and its record, at *sector, says PENDING. */
static void begin_trial(struct life *life, const struct setup *setup, uint8_t slots,
                        uint32_t *sector)
{
    struct upd_otadata data = {.slots = slots};

    begin(life, setup, NEVER_CONFIRMS);
    CHECK_THAT(setup->name, life_session(life) == END_RESTART);
    CHECK_THAT(setup->name, life_session(life) == END_RESTART && life->runs == NEW);
    for (uint32_t copy = 0; copy < 2; copy++) {
        sim_flash_peek(&life->sim, OTADATA + copy * SECTOR, data.copy[copy],
                       UPD_OTADATA_RECORD_SIZE);
    }
    int own = upd_otadata_active(&data);
    CHECK_THAT(setup->name, own >= 0);
    CHECK_THAT(setup->name, upd_otadata_state(data.copy[own & 1]) == UPD_OTADATA_PENDING);
    *sector = OTADATA + (uint32_t)(own & 1) * SECTOR;
}

enum { STATE_AT = 24 };

/*
 * IDF's boot loader writes PENDING over a record that a cut may leave such that it reads in one way
 * when the image is started, and in another later.
 */
static void test_an_image_whose_record_is_doubtful_is_on_trial(void)
{
    static const struct {
        const char *name;
        uint8_t at, mask; /* what reads otherwise now */
    } doubts[] = {{"the number", 0, 0x80},
                  {"the state, as ABORTED", STATE_AT, UPD_OTADATA_PENDING ^ UPD_OTADATA_ABORTED},
                  {"the state, as INVALID", STATE_AT, UPD_OTADATA_PENDING ^ UPD_OTADATA_INVALID},
                  {"the state, as none", STATE_AT + 1, 0x10},
                  {"the CRC", UPD_OTADATA_CRC_OFFSET, 0x01}};
    static const struct upd_update nothing_known = {0};
    struct upd_writer writer;
    struct life life;
    uint32_t own;

    FOR_EACH_SETUP(100)
    {
        for (uint32_t i = 0; setup.by_loader && i < sizeof doubts / sizeof doubts[0]; i++) {
            const char *name = doubts[i].name;
            begin_trial(&life, &setup, shapes[s].slots, &own);
            sim_flash_flip(&life.sim, own + doubts[i].at, doubts[i].mask);
            CHECK_THAT(name, upd_device_view(&life.device, &life.view) == UPD_OK);
            CHECK_THAT(name, life.view.on_trial && life.view.fall == UPD_FALL_NONE);
            CHECK_THAT(name,
                       upd_writer_begin(&writer, &life.device, &nothing_known) == UPD_E_STATE);
            CHECK_THAT(name, upd_device_confirm(&life.device) == UPD_OK);
            CHECK_THAT(name, upd_device_view(&life.device, &life.view) == UPD_OK);
            CHECK_THAT(name, !life.view.on_trial && life.view.selected == life.view.running);
            life.plan = CONFIRMS;
            CHECK_THAT(name, life_session(&life) == END_DONE && life.runs == NEW);
            sim_flash_free(&life.sim);
        }
    }
}

/* A state that the boot loader does not know is none to it: it would start the image for ever. */
static void test_a_state_that_is_not_known_does_not_end_the_trial(void)
{
    struct life life;
    uint32_t own;

    FOR_EACH_SETUP(100)
    {
        if (setup.by_loader) {
            begin_trial(&life, &setup, shapes[s].slots, &own);
            sim_flash_flip(&life.sim, own + STATE_AT + 1, 0x10);
            CHECK_THAT(setup.name, life_session(&life) == END_RESTART && life.runs == NEW);
            CHECK_THAT(setup.name, life_session(&life) == END_DONE && life.runs == OLD);
            CHECK_THAT(setup.name, life.fall == UPD_FALL_UNCONFIRMED);
            sim_flash_free(&life.sim);
        }
    }
}

static void test_a_factory_reset_forgets_every_slot(void)
{
    struct life life;

    FOR_EACH_SETUP(100)
    {
        /* With anti-rollback the boot loader goes to slot 0 when otadata is blank. */
        if (!shapes[s].factory || kinds[k].loader == UPD_OTADATA_LOADER_IDF_ANTI_ROLLBACK) {
            continue;
        }
        begin(&life, &setup, CONFIRMS);
        CHECK_THAT(setup.name, life_to_end(&life) == END_DONE && life.place != 0);
        /* What the loader does with its pin held: both copies erased. */
        const struct upd_flash *flash = &life.sim.flash;
        CHECK(flash->erase(flash->ctx, OTADATA) == UPD_OK);
        CHECK(flash->erase(flash->ctx, OTADATA + SECTOR) == UPD_OK);
        CHECK_THAT(setup.name, life_session(&life) == END_RESTART && life.place == 0);
        CHECK_THAT(setup.name,
                   life.fall == UPD_FALL_NONE && life.view.selected == UPD_SLOT_FACTORY);
        CHECK_THAT(setup.name, life_to_end(&life) == END_DONE && life.runs == NEW);
        sim_flash_free(&life.sim);
    }
}

static void test_an_image_below_the_burned_version_is_refused(void)
{
    struct setup setup = make_setup(&kinds[2], &shapes[1], 100);
    struct life life;

    if (!is_built(&kinds[2])) {
        return;
    }
    begin(&life, &setup, CONFIRMS);
    CHECK(life_to_end(&life) == END_DONE && life.fuse == 1);
    swap_versions();
    life.fuse = 2;
    /* The boot loader would start nothing; an application that still runs is told so at once. */
    CHECK(open_device(&life) == UPD_OK);
    CHECK(life_update(&life) == END_FAILED && life.err == UPD_E_ROLLBACK);
    sim_flash_free(&life.sim);
}

/* Also where it has another boot loader than the library was built for. */
static void test_a_device_is_opened_only_where_its_table_says_so(void)
{
    struct life life;

    for (uint32_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        struct setup setup = make_setup(&kinds[k], &shapes[1], 100);
        begin(&life, &setup, CONFIRMS);
        CHECK_THAT(setup.name, (life_session(&life) == END_RESTART) == is_built(&kinds[k]));
        CHECK_THAT(setup.name, (open_device(&life) == UPD_E_ARG) == !is_built(&kinds[k]));
        sim_flash_free(&life.sim);
    }
    struct setup setup = make_setup(&kinds[0], &shapes[1], 100);
    if (!is_built(&kinds[0])) {
        return;
    }
    begin(&life, &setup, CONFIRMS);
    CHECK(life_session(&life) == END_RESTART);
    struct upd_otadata_config config = life.config.otadata;
    config.running += SECTOR;
    CHECK(upd_otadata_open(&life.device, &life.sim.flash, &config) == UPD_E_ARG);
    config = life.config.otadata;
    config.loader = UPD_OTADATA_LOADER_IDF_ANTI_ROLLBACK;
    CHECK(upd_otadata_open(&life.device, &life.sim.flash, &config) == UPD_E_ARG);
    config = life.config.otadata;
    config.rows++;
    config.count--;
    CHECK(upd_otadata_open(&life.device, &life.sim.flash, &config) == UPD_E_NOT_FOUND);
    config = life.config.otadata;
    config.count = 1;
    CHECK(upd_otadata_open(&life.device, &life.sim.flash, &config) == UPD_E_NOT_FOUND);
    sim_flash_free(&life.sim);
}

/* By ESP-IDF: with anti-rollback its boot loader goes to slot 0 whatever runs. */
static bool is_ruled_out(const struct kind *kind, const struct shape *shape)
{
    return shape->factory && kind->loader == UPD_OTADATA_LOADER_IDF_ANTI_ROLLBACK;
}

static void test_every_operation_torn_in_every_way(void)
{
    struct life life;
    uint32_t cuts = 0;

    FOR_EACH_SETUP(700)
    {
        if (is_ruled_out(&kinds[k], &shapes[s])) {
            continue;
        }
        for (uint32_t before = 0; before < (shapes[s].slots == 1 ? 1 : 2); before++) {
            for (uint32_t plan = CONFIRMS; plan < PLANS; plan++) {
                struct cutter cutter = {.life = &life, .name = setup.name};
                begin(&life, &setup, CONFIRMS);
                if (before == 1) {
                    CHECK(life_to_end(&life) == END_DONE);
                    swap_versions();
                }
                life.plan = (enum plan)plan;
                sim_flash_set_hook(&life.sim, life_cut, &cutter);
                CHECK_THAT(setup.name, life_to_end(&life) == END_DONE);
                CHECK_THAT(setup.name, cutter.bad == 0 && cutter.cuts > 150);
                cuts += cutter.cuts;
                sim_flash_set_hook(&life.sim, NULL, NULL);
                sim_flash_free(&life.sim);
                if (before == 1) {
                    swap_versions();
                }
            }
        }
    }
    printf("%u cuts\n", (unsigned)cuts);
}

static void test_two_cuts_in_a_row(void)
{
    struct life life;

    /* The library's trial and the loader's; a way back to a slot and to factory. */
    for (uint32_t k = 0; k < 2; k++) {
        for (uint32_t s = 0; s < 2; s++) {
            for (uint32_t plan = CONFIRMS; plan < PLANS; plan++) {
                struct setup setup = make_setup(&kinds[k], &shapes[s], 100);
                struct cutter cutter = {.life = &life, .name = setup.name, .seconds = 30};
                begin(&life, &setup, (enum plan)plan);
                sim_flash_set_hook(&life.sim, life_cut, &cutter);
                CHECK_THAT(setup.name, life_to_end(&life) == END_DONE);
                CHECK_THAT(setup.name, cutter.bad == 0 && cutter.cuts > 500);
                sim_flash_set_hook(&life.sim, NULL, NULL);
                sim_flash_free(&life.sim);
            }
        }
    }
}

/*
 * Rules O2 and O5: a record's CRC is programmed by itself, when all else of the record is there;
 * and no good record is erased, unless to write it again with another state. The tears of the model
 * find a breach too seldom: they would have to spare a word, or take just one.
 */
struct rules {
    struct life *life;
    uint32_t erased[2]; /* number of a good record that was erased; UINT32_MAX: none */
    uint32_t records;
};

static void watch_rules(void *ctx, struct sim_flash *sim, const struct sim_op *op, const void *data)
{
    struct rules *rules = ctx;
    uint32_t copy = op->offset / SECTOR * SECTOR == OTADATA + SECTOR;
    uint32_t within = op->offset - OTADATA - copy * SECTOR;
    uint8_t record[UPD_OTADATA_RECORD_SIZE];

    if (!rules->life->in_library || within >= sizeof record) {
        return;
    }
    sim_flash_peek(sim, OTADATA + copy * SECTOR, record, sizeof record);
    uint32_t number = upd_otadata_sequence(record);
    if (op->kind == SIM_ERASE) {
        rules->erased[copy] = upd_otadata_crc_is_good(record) ? number : UINT32_MAX;
    } else if (within + op->size > UPD_OTADATA_CRC_OFFSET && upd_get_le32(data) != 0) {
        CHECK_THAT(rules->life->setup->name, within == UPD_OTADATA_CRC_OFFSET && op->size == 4);
        CHECK_THAT(rules->life->setup->name,
                   rules->erased[copy] == UINT32_MAX || rules->erased[copy] == number);
        rules->erased[copy] = UINT32_MAX;
        rules->records++;
    }
}

static void test_records_are_written_by_the_rules(void)
{
    struct life life;

    FOR_EACH_SETUP(100)
    {
        for (uint32_t plan = CONFIRMS; plan < PLANS; plan++) {
            struct rules rules = {.life = &life, .erased = {UINT32_MAX, UINT32_MAX}};
            begin(&life, &setup, (enum plan)plan);
            sim_flash_set_hook(&life.sim, watch_rules, &rules);
            CHECK_THAT(setup.name, life_to_end(&life) == END_DONE);
            life.plan = CONFIRMS;
            for (uint32_t round = 0; round < (shapes[s].slots == 1 ? 1 : 5); round++) {
                CHECK_THAT(setup.name, life_to_end(&life) == END_DONE);
                swap_versions();
            }
            CHECK_THAT(setup.name, rules.records > 0 && rules.erased[0] == UINT32_MAX &&
                                       rules.erased[1] == UINT32_MAX);
            sim_flash_set_hook(&life.sim, NULL, NULL);
            sim_flash_free(&life.sim);
        }
    }
}

static void test_a_damaged_image_is_no_way_back(void)
{
    struct life life;

    FOR_EACH_KIND
    {
        struct setup setup = make_setup(&kinds[k], &shapes[1], 100);
        begin(&life, &setup, NEVER_CONFIRMS);
        for (uint32_t i = 0; i < 8 && life_session(&life) == END_RESTART && life.runs != NEW; i++) {
        }
        CHECK_THAT(setup.name, life.runs == NEW && life.view.on_trial);
        sim_flash_flip(&life.sim, setup.place[0] + 100, 1);
        CHECK_THAT(setup.name, upd_device_roll_back(&life.device) == UPD_E_NOT_FOUND);
        CHECK_THAT(setup.name,
                   upd_device_view(&life.device, &life.view) == UPD_OK && life.view.on_trial);
        sim_flash_free(&life.sim);
    }
}

static void test_each_fault_is_told_with_its_sector(void)
{
    struct life life;

    FOR_EACH_KIND
    {
        for (uint32_t s = 0; s < 2; s++) {
            struct setup setup = make_setup(&kinds[k], &shapes[s], 100);
            for (uint32_t plan = CONFIRMS; plan < PLANS && !is_ruled_out(&kinds[k], &shapes[s]);
                 plan++) {
                begin(&life, &setup, CONFIRMS);
                /* The first update, the second one, and so on: each sector was a journal by then.
                 */
                for (uint32_t i = 0; i < plan && shapes[s].slots > 1; i++) {
                    CHECK_THAT(setup.name, life_to_end(&life) == END_DONE);
                    swap_versions();
                }
                life.plan = (enum plan)plan;
                life_fault_everywhere(&life);
                sim_flash_free(&life.sim);
                if (plan % 2 == 1 && shapes[s].slots > 1) {
                    swap_versions();
                }
            }
        }
    }
}

int main(void)
{
    esp32_size = check_load(UPD_IMAGES "esp32.bin", esp32, sizeof esp32);
    rtos_size = check_load(UPD_IMAGES "rtos.bin", rtos, sizeof rtos);
    if (esp32_size != 352 || rtos_size != 352) {
        check_print("the images in " UPD_IMAGES " are missing or not the ones expected\n");
        check_exit(1);
    }
    CHECK_RUN(test_update_after_update_is_confirmed_at_two_erases_each);
    CHECK_RUN(test_a_bad_version_is_given_up_for_the_right_reason);
    CHECK_RUN(test_the_only_slot_is_updated_from_factory);
    CHECK_RUN(test_what_the_boot_loader_refuses_is_told_and_forgotten);
    CHECK_RUN(test_an_image_whose_record_is_doubtful_is_on_trial);
    CHECK_RUN(test_a_state_that_is_not_known_does_not_end_the_trial);
    CHECK_RUN(test_a_factory_reset_forgets_every_slot);
    CHECK_RUN(test_an_image_below_the_burned_version_is_refused);
    CHECK_RUN(test_a_device_is_opened_only_where_its_table_says_so);
    CHECK_RUN(test_every_operation_torn_in_every_way);
    if (UPD_OTADATA_FOR == UPD_OTADATA_FOR_ANY) {
        CHECK_RUN(test_two_cuts_in_a_row);
    }
    CHECK_RUN(test_records_are_written_by_the_rules);
    CHECK_RUN(test_a_damaged_image_is_no_way_back);
    CHECK_RUN(test_each_fault_is_told_with_its_sector);
    check_end();
}
