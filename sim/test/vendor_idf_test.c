/*
 * Goal: the functions of ESP-IDF and of the RTOS SDK give what the originals give: each return
 * value of each function, by both rule sets, and the same erases and records of otadata. Method: a
 * table of partitions and genuine images on the simulated flash; for each function the rows of what
 * goes wrong, in the order of the vendors' checks; then the walks that the originals were seen to
 * make.
 */
#include <esp_ota.h>

#include <stdio.h>
#include <string.h>

#include <updraft/bytes.h>
#include <updraft/otadata.h>
#include <updraft/sim_flash.h>

#include "check.h"

enum { OTADATA = 0xD000, FACTORY = 0x10000, ROOM = 0x10000, SECTOR = 4096, LOG = 2048 };
/* Rows of the table. */
enum { R_OTADATA, R_FACTORY, R_SLOT_0, R_SLOT_1, R_SLOT_2, R_TEST, R_NVS, R_READONLY, R_COUNT };

static struct upd_partition rows[R_COUNT];
static esp_partition_t table[R_COUNT];
static struct sim_flash sim;
static struct upd_esp esp;
static struct sim_op ops[LOG];
static uint64_t seen;
static uint32_t fuse, burns, restarts, assertions;
static uint8_t image[8192];
static uint32_t image_size;

/* Says what came when it is not what was expected. */
static bool is_same(int64_t got, int64_t expected)
{
    if (got != expected) {
        printf("got 0x%llx, expected 0x%llx\n", (long long)got, (long long)expected);
    }
    return got == expected;
}
#define CHECK_SAME(got, expected) CHECK(is_same((got), (expected)))

static enum upd_err fuse_read(void *ctx, uint32_t *version)
{
    (void)ctx;
    *version = fuse;
    return UPD_OK;
}

static enum upd_err fuse_burn(void *ctx, uint32_t version)
{
    (void)ctx;
    fuse = version;
    burns++;
    return UPD_OK;
}

static void restart(void *ctx)
{
    (void)ctx;
    restarts++;
}

static void assertion(void *ctx, const char *what)
{
    (void)ctx;
    CHECK(what != NULL);
    assertions++;
}

static struct upd_partition row(uint8_t type, uint8_t subtype, uint32_t offset, uint32_t size)
{
    return (struct upd_partition){
        .offset = offset, .size = size, .type = type, .subtype = subtype, .name = "part"};
}

static bool is_rtos(enum upd_otadata_loader loader)
{
    return loader == UPD_OTADATA_LOADER_RTOS;
}

/* A chip that runs `running`, with images in it and in no other slot. */
static void begin(enum upd_otadata_loader loader, uint32_t running)
{
    const struct upd_esp_config config = {
        .flash = &sim.flash,
        .rows = rows,
        .count = R_COUNT,
        .table = table,
        .running = FACTORY + ROOM * (running - R_FACTORY),
        .loader = loader,
        .chip = is_rtos(loader) ? UPD_CHIP_ESP8266 : UPD_CHIP_ESP32,
        .chip_revision = UPD_IMAGE_ANY_REVISION,
        .efuse_revision = UPD_IMAGE_ANY_REVISION,
        .fuse_read = fuse_read,
        .fuse_burn = fuse_burn,
        .restart = restart,
        .assertion = assertion,
    };
    int32_t size = check_load(is_rtos(loader) ? UPD_IMAGES "rtos.bin" : UPD_IMAGES "esp32.bin",
                              image, sizeof image);

    CHECK(size > 0);
    image_size = (uint32_t)size;
    rows[R_OTADATA] = row(UPD_PARTITION_DATA, UPD_PARTITION_DATA_OTA, OTADATA, 2 * SECTOR);
    rows[R_FACTORY] = row(UPD_PARTITION_APP, UPD_PARTITION_APP_FACTORY, FACTORY, ROOM);
    for (uint32_t i = 0; i < 3; i++) {
        rows[R_SLOT_0 + i] = row(UPD_PARTITION_APP, (uint8_t)(UPD_PARTITION_APP_OTA_0 + i),
                                 FACTORY + ROOM * (i + 1), ROOM);
    }
    rows[R_TEST] = row(UPD_PARTITION_APP, UPD_PARTITION_APP_TEST, FACTORY + 4 * ROOM, ROOM);
    rows[R_NVS] = row(UPD_PARTITION_DATA, UPD_PARTITION_DATA_NVS, FACTORY + 5 * ROOM, ROOM);
    rows[R_READONLY] = row(UPD_PARTITION_DATA, UPD_PARTITION_DATA_PHY, FACTORY + 6 * ROOM, ROOM);
    rows[R_READONLY].flags = UPD_PARTITION_READONLY;
    memcpy(rows[R_NVS].name, "nvs\0", 5);
    sim_flash_init(&sim, &sim_flash_1m, 1);
    sim_flash_load(&sim, config.running, image, image_size);
    sim_flash_log(&sim, ops, LOG);
    seen = fuse = burns = restarts = assertions = 0;
    CHECK(upd_esp_init(&esp, &config) == UPD_OK);
}

static void end(void)
{
    sim_flash_free(&sim);
}

static void put_image(uint32_t which)
{
    sim_flash_load(&sim, table[which].address, image, image_size);
}

/* The RTOS vector is linked for one place. */
static uint32_t rtos_place(void)
{
    return R_FACTORY;
}

static void put_record(uint32_t copy, uint32_t sequence, uint32_t state)
{
    uint8_t record[UPD_OTADATA_RECORD_SIZE];

    upd_otadata_encode(record, sequence, state);
    sim_flash_load(&sim, OTADATA + copy * SECTOR, record, sizeof record);
}

static uint32_t sequence(uint32_t copy)
{
    uint8_t record[UPD_OTADATA_RECORD_SIZE];

    sim_flash_peek(&sim, OTADATA + copy * SECTOR, record, sizeof record);
    return upd_otadata_sequence(record);
}

static uint32_t state(uint32_t copy)
{
    uint8_t record[UPD_OTADATA_RECORD_SIZE];

    sim_flash_peek(&sim, OTADATA + copy * SECTOR, record, sizeof record);
    return upd_otadata_state(record);
}

/* Erases since the last call, as a list of sectors relative to a partition. */
static uint32_t erases(uint32_t which, uint32_t sectors[LOG])
{
    uint32_t count = 0;

    for (; seen < sim.counters.operations; seen++) {
        const struct sim_op *op = &ops[seen % LOG];
        if (op->kind == SIM_ERASE && op->offset >= table[which].address &&
            op->offset < table[which].address + table[which].size) {
            sectors[count++] = (op->offset - table[which].address) / SECTOR;
        }
    }
    return count;
}

static const enum upd_otadata_loader loaders[] = {
    UPD_OTADATA_LOADER_IDF, UPD_OTADATA_LOADER_IDF_ROLLBACK, UPD_OTADATA_LOADER_IDF_ANTI_ROLLBACK,
    UPD_OTADATA_LOADER_RTOS};
enum { LOADERS = sizeof loaders / sizeof loaders[0] };

/* --- esp_ota_begin --------------------------------------------------------------------------- */

static void test_begin_refuses(void)
{
    for (uint32_t i = 0; i < LOADERS; i++) {
        bool rtos = is_rtos(loaders[i]);
        bool rollback = loaders[i] == UPD_OTADATA_LOADER_IDF_ROLLBACK ||
                        loaders[i] == UPD_OTADATA_LOADER_IDF_ANTI_ROLLBACK;
        esp_ota_handle_t handle = 77, other = 0;
        begin(loaders[i], R_SLOT_0);
        esp_partition_t stranger = table[R_SLOT_1];
        stranger.address += SECTOR;
        const struct {
            const esp_partition_t *partition;
            uint32_t size;
            esp_err_t expected;
        } cases[] = {
            {NULL, 1, 0x102},
            {&stranger, 1, 0x105},
            {&table[R_FACTORY], 1, 0x102},
            {&table[R_TEST], 1, 0x102},
            {&table[R_SLOT_0], 1, 0x1501},
            {&table[R_SLOT_1], ROOM + 1, 0x104},
            {&table[R_SLOT_1], ROOM + SECTOR, 0x104},
            {&table[R_SLOT_1], 0xFFFFFFFD, 0x104},
            /* The RTOS SDK erases a sector too many. */
            {&table[R_SLOT_1], ROOM, rtos ? 0x104 : 0},
            {&table[R_SLOT_1], ROOM - 1, rtos ? 0 : 0x1507},
        };
        CHECK(esp_ota_begin(&table[R_SLOT_1], 1, NULL) == 0x102);
        for (uint32_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
            uint64_t before = sim.counters.operations;
            esp_err_t got = esp_ota_begin(cases[k].partition, cases[k].size, &handle);
            CHECK_SAME(got, cases[k].expected);
            CHECK(got == ESP_OK || sim.counters.operations == before);
        }
        CHECK(handle == 1);
        CHECK(esp_ota_end(handle) == 0x102);
        /* Handles count up, and there are two. */
        CHECK(esp_ota_begin(&table[R_SLOT_1], 1, &handle) == ESP_OK && handle == 2);
        CHECK(esp_ota_begin(&table[R_SLOT_2], 1, &other) == ESP_OK && other == 3);
        CHECK_SAME(esp_ota_begin(&table[R_NVS], 1, &other), rtos ? 0x102 : 0x101);
        CHECK(esp_ota_end(handle) == 0x102);
        CHECK_SAME(esp_ota_begin(&table[R_NVS], 1, &handle), rtos ? 0x102 : 0);
        CHECK(esp_ota_abort(other) == ESP_OK && esp_ota_abort(other) == 0x105);
        /* What runs is on trial. */
        put_record(0, 1, UPD_OTADATA_PENDING);
        CHECK_SAME(esp_ota_begin(&table[R_SLOT_2], 1, &handle), rollback ? 0x1506 : 0);
        end();
    }
}

static void test_begin_tells_of_a_flash_that_fails(void)
{
    for (uint32_t i = 0; i < LOADERS; i++) {
        esp_ota_handle_t handle = 0;
        begin(loaders[i], R_SLOT_0);
        sim_flash_fault(&sim, &(struct sim_fault){.kind = SIM_FAULT_ERASE_FAILS,
                                                  .at = table[R_SLOT_1].address,
                                                  .count = UINT32_MAX});
        CHECK_SAME(esp_ota_begin(&table[R_SLOT_1], 0, &handle),
                   is_rtos(loaders[i]) ? 0x10011 : 0x6001);
        CHECK(handle == 0 && esp_ota_abort(1) == 0x105);
        end();
    }
}

static void test_begin_erases_as_the_originals(void)
{
    static const struct {
        uint32_t size, idf, rtos; /* sectors */
    } cases[] = {{0, 16, 16},    {OTA_SIZE_UNKNOWN, 16, 16}, {1, 1, 1},         {SECTOR - 1, 1, 1},
                 {SECTOR, 1, 2}, {SECTOR + 1, 2, 2},         {5 * SECTOR, 5, 6}};

    for (uint32_t i = 0; i < LOADERS; i++) {
        begin(loaders[i], R_SLOT_0);
        for (uint32_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
            esp_ota_handle_t handle = 0;
            uint32_t sectors[LOG];
            CHECK(esp_ota_begin(&table[R_SLOT_1], cases[k].size, &handle) == ESP_OK);
            CHECK_SAME(erases(R_SLOT_1, sectors),
                       is_rtos(loaders[i]) ? cases[k].rtos : cases[k].idf);
            CHECK(esp_ota_abort(handle) == ESP_OK);
        }
        end();
    }
}

/* With rollback, the record of a slot that is written to goes; that of what runs stays. */
static void test_begin_forgets_the_other_copy(void)
{
    for (uint32_t i = 0; i < LOADERS; i++) {
        esp_ota_handle_t handle = 0;
        bool plain = loaders[i] == UPD_OTADATA_LOADER_IDF || is_rtos(loaders[i]);
        begin(loaders[i], R_SLOT_0);
        put_record(0, 4, UPD_OTADATA_VALID);
        put_record(1, 2, UPD_OTADATA_VALID);
        CHECK(esp_ota_begin(&table[R_SLOT_1], 100, &handle) == ESP_OK);
        CHECK_SAME(sequence(0), 4);
        CHECK_SAME(sequence(1), plain ? 2 : UINT32_MAX);
        end();
    }
}

/* --- esp_ota_write, esp_ota_end -------------------------------------------------------------- */

static void test_writes_in_sequence_erase_when_they_reach_a_sector(void)
{
    static const struct {
        uint32_t size, first, count;
    } writes[] = {{10, 0, 1}, {4090, 1, 1}, {9000, 2, 2}};
    static uint8_t data[9000];
    esp_ota_handle_t handle = 0;
    uint32_t sectors[LOG];

    begin(UPD_OTADATA_LOADER_IDF, R_SLOT_0);
    memset(data, 0xE9, sizeof data);
    /* 10 + 4090 ends in sector 1, and 9000 more in sector 3. */
    CHECK(esp_ota_begin(&table[R_SLOT_1], OTA_WITH_SEQUENTIAL_WRITES, &handle) == ESP_OK);
    CHECK(erases(R_SLOT_1, sectors) == 0);
    for (uint32_t i = 0; i < 3; i++) {
        CHECK(esp_ota_write(handle, data, writes[i].size) == ESP_OK);
        uint32_t count = erases(R_SLOT_1, sectors);
        CHECK_SAME(count, writes[i].count);
        CHECK_SAME(sectors[0], writes[i].first);
    }
    CHECK(esp_ota_write(handle, data, ROOM) == 0x104);
    CHECK(esp_ota_write_with_offset(handle, data, 4, 0) == 0x103 && assertions == 1);
    end();
}

static void test_write_refuses(void)
{
    static uint8_t data[ROOM + 1] = {0xE9};

    for (uint32_t i = 0; i < LOADERS; i++) {
        bool rtos = is_rtos(loaders[i]);
        esp_ota_handle_t handle = 0, nvs = 0;
        begin(loaders[i], R_SLOT_0);
        CHECK(esp_ota_begin(&table[R_SLOT_1], 0, &handle) == ESP_OK);
        CHECK(esp_ota_write(handle, NULL, 1) == 0x102);
        CHECK_SAME(esp_ota_write(handle + 1, data, 0), rtos ? 0x102 : 0);
        CHECK(esp_ota_write(handle + 1, data, 1) == 0x102);
        CHECK(esp_ota_write(0, data, 1) == 0x102);
        CHECK(esp_ota_write(handle, data + 1, 1) == 0x1503);
        /* The handle stays open. */
        CHECK(esp_ota_write(handle, data, 1) == ESP_OK);
        CHECK(esp_ota_write(handle, data + 1, ROOM - 1) == ESP_OK);
        CHECK(esp_ota_write(handle, data, 1) == 0x104);
        CHECK(esp_ota_write_with_offset(handle, NULL, 1, 0) == 0x102);
        CHECK(esp_ota_write_with_offset(handle + 1, data, 1, 0) == 0x102);
        CHECK(esp_ota_write_with_offset(handle, data, 1, ROOM) == 0x104);
        CHECK(esp_ota_write_with_offset(handle, data, 1, ROOM + 1) == 0x102);
        CHECK(esp_ota_end(handle) == 0x1503);
        CHECK(esp_ota_end(handle) == 0x105);
        if (!rtos) { /* data has no magic number and no verification */
            CHECK(esp_ota_begin(&table[R_NVS], 0, &nvs) == ESP_OK);
            CHECK(esp_ota_write(nvs, data + 1, 100) == ESP_OK && esp_ota_end(nvs) == ESP_OK);
        }
        end();
    }
}

/* In pieces of every size up to 70, so that no alignment is left out. */
static void test_an_image_comes_in_any_pieces(void)
{
    static uint8_t back[sizeof image];

    for (uint32_t piece = 1; piece <= 70; piece += piece < 20 ? 1 : 7) {
        esp_ota_handle_t handle = 0;
        begin(UPD_OTADATA_LOADER_IDF, R_SLOT_0);
        CHECK(esp_ota_begin(&table[R_SLOT_1], OTA_WITH_SEQUENTIAL_WRITES, &handle) == ESP_OK);
        for (uint32_t done = 0; done < image_size; done += piece) {
            uint32_t now = image_size - done < piece ? image_size - done : piece;
            CHECK(esp_ota_write(handle, image + done, now) == ESP_OK);
        }
        CHECK(esp_ota_end(handle) == ESP_OK);
        sim_flash_peek(&sim, table[R_SLOT_1].address, back, image_size);
        CHECK(memcmp(back, image, image_size) == 0);
        end();
    }
}

/* --- Selecting ------------------------------------------------------------------------------- */

static void test_three_slots_are_walked_as_by_the_originals(void)
{
    static const struct {
        uint32_t slot, copy_0, copy_1;
    } walk[] = {{0, 1, UINT32_MAX}, {2, 1, 3}, {1, 5, 3}, {2, 5, 6}, {0, 7, 6}};

    for (uint32_t i = 0; i < LOADERS - 1; i++) { /* the RTOS vector suits one place */
        begin(loaders[i], R_FACTORY);
        for (uint32_t k = 0; k < 3; k++) {
            put_image(R_SLOT_0 + k);
        }
        CHECK(esp_ota_get_boot_partition() == &table[R_FACTORY]);
        for (uint32_t k = 0; k < sizeof walk / sizeof walk[0]; k++) {
            const esp_partition_t *to = &table[R_SLOT_0 + walk[k].slot];
            CHECK(esp_ota_set_boot_partition(to) == ESP_OK);
            CHECK_SAME(sequence(0), walk[k].copy_0);
            CHECK_SAME(sequence(1), walk[k].copy_1);
            CHECK(esp_ota_get_boot_partition() == to);
            esp_ota_img_states_t got = ESP_OTA_IMG_VALID;
            CHECK(esp_ota_get_state_partition(to, &got) == ESP_OK);
            CHECK(got == (i == 0 ? ESP_OTA_IMG_UNDEFINED : ESP_OTA_IMG_NEW));
        }
        CHECK(esp_ota_set_boot_partition(&table[R_FACTORY]) == ESP_OK);
        CHECK(sequence(0) == UINT32_MAX && sequence(1) == UINT32_MAX);
        end();
    }
}

static void test_set_boot_refuses(void)
{
    for (uint32_t i = 0; i < LOADERS; i++) {
        bool rtos = is_rtos(loaders[i]);
        begin(loaders[i], rtos ? rtos_place() : R_FACTORY);
        CHECK(esp_ota_set_boot_partition(NULL) == 0x102);
        CHECK(esp_ota_set_boot_partition(&table[R_SLOT_1]) == 0x1503); /* blank */
        CHECK(esp_ota_set_boot_partition(&table[R_NVS]) == 0x1503);
        if (!rtos) {
            put_image(R_NVS);
            put_image(R_TEST);
            CHECK(esp_ota_set_boot_partition(&table[R_NVS]) == 0x102);
            CHECK(esp_ota_set_boot_partition(&table[R_TEST]) == 0x102);
            put_image(R_SLOT_1);
            sim_flash_flip(&sim, table[R_SLOT_1].address + image_size - 1, 1);
            CHECK(esp_ota_set_boot_partition(&table[R_SLOT_1]) == 0x1503);
            sim_flash_flip(&sim, table[R_SLOT_1].address + image_size - 1, 1);
            /* A gap in front of it: slot 2 is not counted. */
            put_image(R_SLOT_2);
            rows[R_SLOT_1].subtype = UPD_PARTITION_APP_OTA_0 + 7;
            CHECK(esp_ota_set_boot_partition(&table[R_SLOT_2]) == 0x102);
            rows[R_SLOT_1].subtype = UPD_PARTITION_APP_OTA_0 + 1;
            sim_flash_fault(&sim, &(struct sim_fault){.kind = SIM_FAULT_PROGRAM_FAILS,
                                                      .at = OTADATA,
                                                      .count = UINT32_MAX});
            CHECK_SAME(esp_ota_set_boot_partition(&table[R_SLOT_1]), 0x6001);
            sim_flash_heal(&sim);
        }
        if (loaders[i] == UPD_OTADATA_LOADER_IDF_ANTI_ROLLBACK) {
            uint32_t sectors[LOG];
            fuse = 1000;
            (void)erases(R_SLOT_1, sectors);
            CHECK(esp_ota_set_boot_partition(&table[R_SLOT_1]) == 0x1504);
            CHECK(erases(R_SLOT_1, sectors) == ROOM / SECTOR);
        }
        table[R_OTADATA].subtype = ESP_PARTITION_SUBTYPE_DATA_NVS;
        CHECK(esp_ota_set_boot_partition(&table[R_FACTORY]) == 0x105);
        CHECK(esp_ota_get_boot_partition() == NULL);
        end();
    }
}

static void test_the_next_partition(void)
{
    begin(UPD_OTADATA_LOADER_IDF, R_FACTORY);
    static const uint32_t next[][2] = {{R_FACTORY, R_SLOT_0},
                                       {R_SLOT_0, R_SLOT_1},
                                       {R_SLOT_1, R_SLOT_2},
                                       {R_SLOT_2, R_SLOT_0},
                                       {R_TEST, R_SLOT_0}};
    CHECK(esp_ota_get_running_partition() == &table[R_FACTORY]);
    CHECK(esp_ota_get_app_partition_count() == 3);
    CHECK(esp_ota_get_next_update_partition(NULL) == &table[R_SLOT_0]);
    for (uint32_t i = 0; i < sizeof next / sizeof next[0]; i++) {
        CHECK(esp_ota_get_next_update_partition(&table[next[i][0]]) == &table[next[i][1]]);
    }
    esp_partition_t stranger = table[R_SLOT_0];
    stranger.size--;
    CHECK(esp_ota_get_next_update_partition(&stranger) == NULL && assertions == 1);
    end();
}

/* --- States ---------------------------------------------------------------------------------- */

static void test_states_are_told(void)
{
    esp_ota_img_states_t got = ESP_OTA_IMG_NEW;

    begin(UPD_OTADATA_LOADER_IDF_ROLLBACK, R_SLOT_0);
    CHECK(esp_ota_get_state_partition(NULL, &got) == 0x102);
    CHECK(esp_ota_get_state_partition(&table[R_SLOT_0], NULL) == 0x102);
    CHECK(esp_ota_get_state_partition(&table[R_FACTORY], &got) == 0x106);
    CHECK(esp_ota_get_state_partition(&table[R_NVS], &got) == 0x106);
    CHECK(esp_ota_get_state_partition(&table[R_SLOT_0], &got) == 0x105);
    for (uint32_t value = 0; value <= UPD_OTADATA_ABORTED; value++) {
        put_record(1, 1, value);
        CHECK(esp_ota_get_state_partition(&table[R_SLOT_0], &got) == ESP_OK && got == value);
    }
    table[R_OTADATA].subtype = ESP_PARTITION_SUBTYPE_DATA_NVS;
    CHECK(esp_ota_get_state_partition(&table[R_SLOT_0], &got) == 0x105);
    CHECK(esp_ota_mark_app_valid_cancel_rollback() == 0x105);
    CHECK(esp_ota_mark_app_invalid_rollback() == 0x105);
    CHECK(!esp_ota_check_rollback_is_possible());
    CHECK(esp_ota_get_last_invalid_partition() == NULL);
    CHECK(esp_ota_erase_last_boot_app_partition() == ESP_FAIL);
    CHECK(esp_ota_invalidate_inactive_ota_data_slot() == ESP_FAIL);
    end();
}

static void test_a_trial_ends_well(void)
{
    for (uint32_t i = 0; i < LOADERS - 1; i++) {
        begin(loaders[i], R_SLOT_1);
        CHECK(esp_ota_mark_app_valid_cancel_rollback() == ESP_FAIL); /* no record */
        put_record(0, 1, UPD_OTADATA_VALID);
        put_record(1, 2, UPD_OTADATA_PENDING);
        CHECK(esp_ota_mark_app_valid_cancel_rollback() == ESP_OK);
        CHECK(state(1) == UPD_OTADATA_VALID && sequence(1) == 2);
        uint64_t before = sim.counters.operations;
        CHECK(esp_ota_mark_app_valid_cancel_rollback() == ESP_OK);
        CHECK(sim.counters.operations == before);
        /* The version is burned once, by the call that changed the state. */
        bool has_fuse = loaders[i] == UPD_OTADATA_LOADER_IDF_ANTI_ROLLBACK;
        CHECK_SAME(burns, has_fuse);
        CHECK_SAME(fuse, has_fuse ? upd_get_le32(image + 36) : 0);
        end();
    }
}

static void test_a_trial_ends_badly(void)
{
    begin(UPD_OTADATA_LOADER_IDF_ROLLBACK, R_SLOT_1);
    CHECK(esp_ota_mark_app_invalid_rollback() == ESP_FAIL);
    put_record(0, 1, UPD_OTADATA_VALID);
    put_record(1, 2, UPD_OTADATA_PENDING);
    /* Nothing verifies in slot 0, nor in factory. */
    CHECK(!esp_ota_check_rollback_is_possible());
    CHECK(esp_ota_mark_app_invalid_rollback_and_reboot() == 0x1505);
    CHECK(restarts == 0 && state(1) == UPD_OTADATA_PENDING);
    put_image(R_SLOT_0);
    CHECK(esp_ota_check_rollback_is_possible());
    CHECK(esp_ota_get_last_invalid_partition() == NULL);
    CHECK(esp_ota_mark_app_invalid_rollback_and_reboot() == ESP_OK && restarts == 1);
    CHECK(state(1) == UPD_OTADATA_INVALID && sequence(1) == 2);
    CHECK(esp_ota_get_last_invalid_partition() == &table[R_SLOT_1]);
    CHECK(esp_ota_get_boot_partition() == &table[R_SLOT_0]);
    end();
}

/* Factory runs because slot 1 did not verify: that is what is given up. */
static void test_the_active_record_is_given_up_whatever_runs(void)
{
    begin(UPD_OTADATA_LOADER_IDF_ROLLBACK, R_FACTORY);
    put_image(R_SLOT_0);
    put_record(0, 1, UPD_OTADATA_VALID);
    put_record(1, 2, UPD_OTADATA_VALID);
    CHECK(esp_ota_mark_app_invalid_rollback() == ESP_OK && restarts == 0);
    CHECK(state(0) == UPD_OTADATA_VALID && state(1) == UPD_OTADATA_INVALID);
    end();
}

static void test_the_last_app_is_forgotten(void)
{
    uint32_t sectors[LOG];

    for (uint32_t erase = 0; erase < 2; erase++) {
        esp_err_t (*forget)(void) = erase != 0 ? esp_ota_erase_last_boot_app_partition
                                               : esp_ota_invalidate_inactive_ota_data_slot;
        begin(UPD_OTADATA_LOADER_IDF, R_SLOT_1);
        CHECK(forget() == ESP_FAIL);
        put_record(1, 2, UPD_OTADATA_VALID);
        CHECK(forget() == ESP_FAIL);
        put_record(0, 5, UPD_OTADATA_INVALID); /* names what runs */
        CHECK(forget() == ESP_FAIL);
        put_record(0, 1, UPD_OTADATA_VALID);
        CHECK(forget() == ESP_OK);
        CHECK(sequence(0) == UINT32_MAX && sequence(1) == 2);
        CHECK_SAME(erases(R_SLOT_0, sectors), erase != 0 ? ROOM / SECTOR : 0);
        end();
    }
}

static void test_descriptions_are_read(void)
{
    esp_app_desc_t desc;

    for (uint32_t i = 0; i < LOADERS; i++) {
        begin(loaders[i], R_SLOT_0);
        CHECK(esp_ota_get_partition_description(NULL, &desc) == 0x102);
        CHECK(esp_ota_get_partition_description(&table[R_SLOT_0], NULL) == 0x102);
        CHECK(esp_ota_get_partition_description(&table[R_NVS], &desc) == 0x106);
        CHECK(esp_ota_get_partition_description(&table[R_SLOT_1], &desc) == 0x105);
        CHECK(esp_ota_get_partition_description(&table[R_SLOT_0], &desc) == ESP_OK);
        CHECK(memcmp(&desc, image + (is_rtos(loaders[i]) ? 16 : 32), sizeof desc) == 0);
        sim_flash_fault(&sim, &(struct sim_fault){.kind = SIM_FAULT_READ_FAILS, .count = 1});
        CHECK_SAME(esp_ota_get_partition_description(&table[R_SLOT_0], &desc),
                   is_rtos(loaders[i]) ? 0x10011 : 0x6001);
        end();
    }
}

/* --- Partitions ------------------------------------------------------------------------------ */

static void test_ranges_are_refused(void)
{
    uint8_t byte = 0x5A;

    for (uint32_t i = 0; i < LOADERS; i++) {
        bool rtos = is_rtos(loaders[i]);
        begin(loaders[i], R_FACTORY);
        const esp_partition_t *nvs = &table[R_NVS];
        CHECK(esp_partition_read(nvs, ROOM + 1, &byte, 0) == 0x102);
        CHECK(esp_partition_read(nvs, ROOM, &byte, 1) == 0x104);
        CHECK(esp_partition_read(nvs, ROOM - 1, &byte, 1) == ESP_OK && byte == 0xFF);
        CHECK(esp_partition_write(nvs, ROOM + 1, &byte, 0) == 0x102);
        CHECK(esp_partition_write(nvs, ROOM, &byte, 1) == 0x104);
        CHECK(esp_partition_write(nvs, 1, &byte, SIZE_MAX) == 0x104);
        CHECK(esp_partition_write(&table[R_READONLY], 0, &byte, 1) == 0x10D);
        CHECK(esp_partition_erase_range(nvs, ROOM + SECTOR, 0) == 0x102);
        CHECK(esp_partition_erase_range(nvs, SECTOR, ROOM) == 0x104);
        CHECK_SAME(esp_partition_erase_range(nvs, 0, 100), rtos ? 0x10011 : 0x104);
        CHECK_SAME(esp_partition_erase_range(nvs, 4, SECTOR), rtos ? 0x10011 : 0x102);
        CHECK(esp_partition_erase_range(&table[R_READONLY], 0, SECTOR) == 0x10D);
        CHECK(esp_partition_erase_range(nvs, 0, ROOM) == ESP_OK);
        CHECK(esp_partition_find_first(ESP_PARTITION_TYPE_ANY, ESP_PARTITION_SUBTYPE_ANY, "nvs") ==
              nvs);
        CHECK(esp_partition_find_first(ESP_PARTITION_TYPE_DATA, ESP_PARTITION_SUBTYPE_ANY, "nv") ==
              NULL);
        CHECK(esp_partition_verify(NULL) == NULL);
        end();
    }
}

/* --- The demo's whole way -------------------------------------------------------------------- */

static void test_the_demos_sequence(void)
{
    esp_ota_handle_t handle = 0;

    for (uint32_t i = 0; i < LOADERS - 1; i++) {
        begin(loaders[i], R_FACTORY);
        const esp_partition_t *next = esp_ota_get_next_update_partition(NULL);
        CHECK(esp_ota_begin(next, OTA_SIZE_UNKNOWN, &handle) == ESP_OK);
        CHECK(esp_ota_write(handle, image, image_size) == ESP_OK);
        CHECK(esp_ota_end(handle) == ESP_OK);
        CHECK(esp_ota_set_boot_partition(next) == ESP_OK);
        CHECK(esp_ota_get_boot_partition() == next && sequence(0) == 1);
        end();
    }
}

static void test_resume_refuses(void)
{
    static const esp_partition_t unknown = {.type = ESP_PARTITION_TYPE_APP, .address = 0x7000};
    esp_ota_handle_t handle = 0;
    esp_ota_handle_t other = 0;

    begin(UPD_OTADATA_LOADER_IDF, R_SLOT_0);
    CHECK_SAME(esp_ota_resume(NULL, 0, 0, &handle), 0x102);
    CHECK_SAME(esp_ota_resume(&table[R_SLOT_1], 0, 0, NULL), 0x102);
    CHECK_SAME(esp_ota_resume(&table[R_SLOT_1], 0, ROOM + 1, &handle), 0x102);
    CHECK_SAME(esp_ota_resume(&unknown, 0, 0, &handle), 0x105);
    CHECK_SAME(esp_ota_resume(&table[R_FACTORY], 0, 0, &handle), 0x102);
    CHECK_SAME(esp_ota_resume(&table[R_TEST], 0, 0, &handle), 0x102);
    CHECK_SAME(esp_ota_resume(&table[R_SLOT_0], 0, 0, &handle), 0x1501);
    CHECK_SAME(esp_ota_resume(&table[R_SLOT_1], 0, ROOM, &handle), ESP_OK);
    CHECK_SAME(esp_ota_resume(&table[R_SLOT_1], 0, 0, &other), 0x1507);
    CHECK_SAME(esp_ota_resume(&table[R_SLOT_2], 0, 0, &other), ESP_OK);
    CHECK_SAME(esp_ota_resume(&table[R_NVS], 0, 0, &other), 0x101);
    CHECK(sim.counters.erases == 0);
    CHECK_SAME(esp_ota_write(handle, image, 1), 0x104);
    end();

    begin(UPD_OTADATA_LOADER_IDF_ROLLBACK, R_SLOT_0);
    put_record(0, 1, UPD_OTADATA_PENDING);
    CHECK_SAME(esp_ota_resume(&table[R_SLOT_1], 0, 0, &handle), 0x1506);
    end();

    /* The rest of an image, from any byte: nothing that is there is erased. */
    for (uint32_t from = 1; from < image_size; from++) {
        begin(UPD_OTADATA_LOADER_IDF, R_SLOT_0);
        sim_flash_load(&sim, table[R_SLOT_1].address, image, from);
        CHECK(esp_ota_resume(&table[R_SLOT_1], OTA_WITH_SEQUENTIAL_WRITES, from, &handle) ==
              ESP_OK);
        CHECK(esp_ota_write(handle, image + from, image_size - from) == ESP_OK);
        CHECK(esp_ota_end(handle) == ESP_OK && sim.counters.erases == 0);
        end();
    }
}

static void test_selecting_without_a_look(void)
{
    for (uint32_t i = 0; i < LOADERS; i++) {
        begin(loaders[i], R_SLOT_0);
        CHECK_SAME(esp_ota_set_boot_partition_skip_validate(NULL), 0x102);
        CHECK_SAME(esp_ota_set_boot_partition_skip_validate(&table[R_NVS]), 0x102);
        CHECK_SAME(esp_ota_set_boot_partition(&table[R_SLOT_1]), 0x1503);
        if (loaders[i] != UPD_OTADATA_LOADER_IDF_ANTI_ROLLBACK) {
            CHECK_SAME(esp_ota_set_boot_partition_skip_validate(&table[R_SLOT_1]), ESP_OK);
            CHECK(esp_ota_get_boot_partition() == &table[R_SLOT_1]);
        }
        end();
    }
}

static void test_images_are_judged_by_their_header(void)
{
    static const uint8_t qio = 1;
    static const struct {
        uint16_t chip, least, most, revision;
        esp_err_t err;
    } cases[] = {
        {0, 0, 0, 100, ESP_OK},
        {0, 100, 100, 100, ESP_OK},
        {0, 101, 0xFFFF, 100, 0x10A},
        {0, 0, 99, 100, 0x10A},
        {0, 0, 0xFFFF, 100, ESP_OK},
        {5, 0, 0, 100, 0x10A},
        {0, 101, 0, UPD_IMAGE_ANY_REVISION, ESP_OK},
    };
    esp_image_header_t head = {.magic = 0xE9};

    begin(UPD_OTADATA_LOADER_IDF, R_SLOT_0);
    CHECK_SAME(esp_ota_check_image_validity(ESP_PARTITION_TYPE_APP, NULL, NULL), 0x102);
    CHECK_SAME(esp_ota_check_image_validity(ESP_PARTITION_TYPE_DATA, &head, NULL), 0x102);
    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        head.chip_id = cases[i].chip;
        head.min_chip_rev_full = cases[i].least;
        head.max_chip_rev_full = cases[i].most;
        esp.config.chip_revision = cases[i].revision;
        CHECK_SAME(esp_ota_check_image_validity(ESP_PARTITION_TYPE_APP, &head, NULL), cases[i].err);
        CHECK_SAME(esp_ota_check_image_validity(ESP_PARTITION_TYPE_BOOTLOADER, &head, NULL),
                   cases[i].err);
    }
    head.chip_id = 0;
    esp_app_desc_t desc = {.spi_flash_mode = 3};
    CHECK_SAME(esp_ota_check_image_validity(ESP_PARTITION_TYPE_APP, &head, &desc), ESP_OK);
    sim_flash_load(&sim, table[R_SLOT_0].address + 32 + 181, &qio, 1);
    CHECK_SAME(esp_ota_check_image_validity(ESP_PARTITION_TYPE_APP, &head, &desc), 0x1508);
    desc.spi_flash_mode = 0;
    CHECK_SAME(esp_ota_check_image_validity(ESP_PARTITION_TYPE_APP, &head, &desc), ESP_OK);
    end();
}

static void test_a_final_partition(void)
{
    static const esp_partition_t unknown = {.type = ESP_PARTITION_TYPE_APP, .address = 0x7000};
    static uint8_t cells[sizeof image];
    esp_ota_handle_t handle = 0;
    esp_ota_handle_t other = 0;

    begin(UPD_OTADATA_LOADER_IDF, R_SLOT_0);
    CHECK(esp_ota_begin(&table[R_SLOT_1], OTA_WITH_SEQUENTIAL_WRITES, &handle) == ESP_OK);
    CHECK_SAME(esp_ota_set_final_partition(handle, NULL, true), 0x102);
    CHECK_SAME(esp_ota_set_final_partition(handle + 1, &table[R_SLOT_2], true), 0x105);
    CHECK_SAME(esp_ota_set_final_partition(handle, &unknown, true), 0x105);
    CHECK_SAME(esp_ota_set_final_partition(handle, &table[R_SLOT_2], true), ESP_OK);
    CHECK_SAME(esp_ota_begin(&table[R_SLOT_2], 1, &other), 0x1507);
    CHECK(esp_ota_write(handle, image, image_size) == ESP_OK);
    CHECK_SAME(esp_ota_set_final_partition(handle, &table[R_SLOT_1], true), 0x103);
    CHECK_SAME(esp_ota_end(handle), ESP_OK);
    sim_flash_peek(&sim, table[R_SLOT_2].address, cells, image_size);
    CHECK(memcmp(cells, image, image_size) == 0);
    CHECK(sim_flash_wear(&sim, table[R_SLOT_2].address + ROOM - 1) == 1);

    /* Bytes that are no image suit a data partition, and come to no harm in a slot on their way. */
    CHECK(esp_ota_begin(&table[R_SLOT_1], OTA_WITH_SEQUENTIAL_WRITES, &handle) == ESP_OK);
    CHECK(esp_ota_set_final_partition(handle, &table[R_NVS], false) == ESP_OK);
    CHECK(esp_ota_write(handle, "data", 4) == ESP_OK && esp_ota_end(handle) == ESP_OK);
    CHECK(esp_ota_resume(&table[R_SLOT_1], 0, 4, &handle) == ESP_OK);
    CHECK(esp_ota_set_final_partition(handle, &table[R_NVS], true) == ESP_OK);
    CHECK(esp_ota_end(handle) == ESP_OK);
    sim_flash_peek(&sim, table[R_NVS].address, cells, 4);
    CHECK(memcmp(cells, "data", 4) == 0);

    /* A fault of the flash on the way there. */
    CHECK(esp_ota_begin(&table[R_SLOT_1], OTA_WITH_SEQUENTIAL_WRITES, &handle) == ESP_OK);
    CHECK(esp_ota_set_final_partition(handle, &table[R_NVS], true) == ESP_OK);
    CHECK(esp_ota_write(handle, "data", 4) == ESP_OK);
    sim_flash_fault(&sim, &(struct sim_fault){.kind = SIM_FAULT_FAILS, .count = 1});
    CHECK_SAME(esp_ota_end(handle), 0x6001);
    end();
}

static void test_copies(void)
{
    begin(UPD_OTADATA_LOADER_IDF, R_SLOT_0);
    const esp_partition_t *from = &table[R_SLOT_0];
    const esp_partition_t *to = &table[R_NVS];
    CHECK_SAME(esp_partition_copy(NULL, 0, from, 0, 4), 0x102);
    CHECK_SAME(esp_partition_copy(to, 0, NULL, 0, 4), 0x102);
    CHECK_SAME(esp_partition_copy(to, 0, to, 4096, 4), 0x102);
    CHECK_SAME(esp_partition_copy(to, 0, from, 4, ROOM), 0x104);
    CHECK_SAME(esp_partition_copy(to, 4096, from, 0, ROOM), 0x104);
    CHECK_SAME(esp_partition_copy(to, 4, from, 0, 4), 0x102);
    CHECK_SAME(esp_partition_copy(&table[R_READONLY], 0, from, 0, 4), 0x10D);
    CHECK(sim.counters.erases == 0);
    CHECK_SAME(esp_partition_copy(to, 4096, from, 0, image_size), ESP_OK);
    static uint8_t cells[sizeof image];
    sim_flash_peek(&sim, to->address + 4096, cells, image_size);
    CHECK(memcmp(cells, image, image_size) == 0);
    end();
}

/* Other images than applications are judged by what they are. */
static void test_tables_and_loaders(void)
{
    static uint8_t table_bytes[UPD_PARTITION_TABLE_SIZE];
    esp_ota_handle_t handle = 0;

    for (uint32_t damage = 0; damage <= 9 * 32; damage++) {
        begin(UPD_OTADATA_LOADER_IDF, R_SLOT_0);
        CHECK(upd_partition_build(rows, R_COUNT, true, table_bytes) == UPD_OK);
        table[R_NVS].type = ESP_PARTITION_TYPE_PARTITION_TABLE;
        if (damage > 0) {
            table_bytes[damage - 1] ^= 1;
        }
        CHECK(esp_ota_begin(&table[R_NVS], sizeof table_bytes, &handle) == ESP_OK);
        const esp_err_t err = esp_ota_write(handle, table_bytes, sizeof table_bytes);
        /* Behind "EB EB", fourteen bytes of the MD5's row are nobody's. */
        const bool counts = damage > 0 && (damage <= 8 * 32 + 2 || damage > 8 * 32 + 16);
        CHECK_SAME(err, damage == 1 || damage == 2 ? 0x1503 : ESP_OK);
        if (err == ESP_OK) {
            CHECK_SAME(esp_ota_end(handle), counts ? 0x1503 : ESP_OK);
        }
        end();
    }

    esp_bootloader_desc_t desc = {0};
    static uint8_t loader[512];
    begin(UPD_OTADATA_LOADER_IDF, R_SLOT_0);
    table[R_NVS].type = ESP_PARTITION_TYPE_BOOTLOADER;
    const int32_t size = check_load(UPD_IMAGES "esp32-loader.bin", loader, sizeof loader);
    CHECK(size > 0 && esp_ota_begin(&table[R_NVS], (size_t)size, &handle) == ESP_OK);
    CHECK(esp_ota_write(handle, loader, (size_t)size) == ESP_OK);
    CHECK_SAME(esp_ota_end(handle), ESP_OK);
    loader[100] ^= 1;
    CHECK(esp_ota_begin(&table[R_NVS], (size_t)size, &handle) == ESP_OK);
    CHECK(esp_ota_write(handle, loader, (size_t)size) == ESP_OK);
    CHECK_SAME(esp_ota_end(handle), 0x1503);

    CHECK_SAME(esp_ota_get_bootloader_description(NULL, NULL), 0x102);
    CHECK_SAME(esp_ota_get_bootloader_description(NULL, &desc), 0x105);
    static const uint8_t made[] = {80, 0, 0, 7, 1, 2, 0, 0, '6', '.', '1', 0};
    sim_flash_load(&sim, 0x1000 + 32, made, sizeof made);
    CHECK_SAME(esp_ota_get_bootloader_description(NULL, &desc), ESP_OK);
    CHECK(desc.secure_version == 7 && desc.version == 0x201 && strcmp(desc.idf_ver, "6.1") == 0);
    CHECK_SAME(esp_ota_get_bootloader_description(&table[R_SLOT_1], &desc), 0x105);
    sim_flash_load(&sim, table[R_SLOT_1].address + 32, made, sizeof made);
    CHECK_SAME(esp_ota_get_bootloader_description(&table[R_SLOT_1], &desc), ESP_OK);
    sim_flash_fault(&sim, &(struct sim_fault){.kind = SIM_FAULT_READ_FAILS, .count = 1});
    CHECK_SAME(esp_ota_get_bootloader_description(NULL, &desc), 0x6001);
    for (uint32_t key = 0; key < 3; key++) {
        CHECK_SAME(
            esp_ota_revoke_secure_boot_public_key((esp_ota_secure_boot_public_key_index_t)key), -1);
    }
    CHECK_SAME(esp_ota_revoke_secure_boot_public_key((esp_ota_secure_boot_public_key_index_t)3),
               0x102);
    end();
}

/* Walks give what find_first() gives, and all the others, in the order of the table. */
static void test_walks_over_partitions(void)
{
    esp_partition_iterator_t walks[UPD_ESP_WALKS];
    uint32_t count = 0;

    begin(UPD_OTADATA_LOADER_IDF, R_FACTORY);
    for (esp_partition_iterator_t it =
             esp_partition_find(ESP_PARTITION_TYPE_ANY, ESP_PARTITION_SUBTYPE_ANY, NULL);
         it != NULL; it = esp_partition_next(it)) {
        CHECK(esp_partition_get(it) == &table[count++]);
    }
    CHECK(count == R_COUNT);
    count = 0;
    for (esp_partition_iterator_t it =
             esp_partition_find(ESP_PARTITION_TYPE_APP, ESP_PARTITION_SUBTYPE_ANY, "part");
         it != NULL; it = esp_partition_next(it)) {
        CHECK(esp_partition_get(it) == &table[R_FACTORY + count++]);
    }
    CHECK(count == R_TEST - R_FACTORY + 1);
    CHECK(esp_partition_find(ESP_PARTITION_TYPE_ANY, ESP_PARTITION_SUBTYPE_APP_OTA_0, NULL) ==
          NULL);
    CHECK(esp_partition_find(ESP_PARTITION_TYPE_APP, ESP_PARTITION_SUBTYPE_ANY, "no") == NULL);
    for (uint32_t round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < UPD_ESP_WALKS; i++) {
            walks[i] =
                esp_partition_find(ESP_PARTITION_TYPE_DATA, ESP_PARTITION_SUBTYPE_DATA_NVS, "nvs");
            CHECK(walks[i] != NULL && esp_partition_get(walks[i]) == &table[R_NVS]);
        }
        CHECK(esp_partition_find(ESP_PARTITION_TYPE_DATA, ESP_PARTITION_SUBTYPE_ANY, NULL) == NULL);
        for (uint32_t i = 0; i < UPD_ESP_WALKS; i++) {
            esp_partition_iterator_release(walks[i]);
        }
    }
    esp_partition_iterator_release(NULL);
    end();
}

int main(void)
{
    CHECK_RUN(test_begin_refuses);
    CHECK_RUN(test_begin_tells_of_a_flash_that_fails);
    CHECK_RUN(test_begin_erases_as_the_originals);
    CHECK_RUN(test_begin_forgets_the_other_copy);
    CHECK_RUN(test_writes_in_sequence_erase_when_they_reach_a_sector);
    CHECK_RUN(test_write_refuses);
    CHECK_RUN(test_an_image_comes_in_any_pieces);
    CHECK_RUN(test_three_slots_are_walked_as_by_the_originals);
    CHECK_RUN(test_set_boot_refuses);
    CHECK_RUN(test_the_next_partition);
    CHECK_RUN(test_states_are_told);
    CHECK_RUN(test_a_trial_ends_well);
    CHECK_RUN(test_a_trial_ends_badly);
    CHECK_RUN(test_the_active_record_is_given_up_whatever_runs);
    CHECK_RUN(test_the_last_app_is_forgotten);
    CHECK_RUN(test_descriptions_are_read);
    CHECK_RUN(test_ranges_are_refused);
    CHECK_RUN(test_the_demos_sequence);
    CHECK_RUN(test_a_final_partition);
    CHECK_RUN(test_copies);
    CHECK_RUN(test_tables_and_loaders);
    CHECK_RUN(test_resume_refuses);
    CHECK_RUN(test_selecting_without_a_look);
    CHECK_RUN(test_images_are_judged_by_their_header);
    CHECK_RUN(test_walks_over_partitions);
    check_end();
}
