#include "setup.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <updraft/arduino_layout.h>
#include <updraft/flash_map.h>
#include <updraft/journal.h>
#include <updraft/loader_record.h>
#include <updraft/partition_csv.h>
#include <updraft/sim_random.h>
#include <updraft/sysparam.h>

#include "images.h"

void die(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    fputs("powercut: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(3);
}

void *take(size_t size)
{
    void *memory = malloc(size);

    if (memory == NULL) {
        die("out of memory");
    }
    return memory;
}

/* --- What there is ---------------------------------------------------------------------------- */

/* Tables that no SDK brings along. */
static const char factory_and_one[] = "nvs, data, nvs, , 0x4000\n"
                                      "otadata, data, ota, , 0x2000\n"
                                      "phy_init, data, phy, , 0x1000\n"
                                      "factory, app, factory, , 1M\n"
                                      "ota_0, app, ota_0, , 1M\n";
static const char three_slots[] = "nvs, data, nvs, , 0x4000\n"
                                  "otadata, data, ota, , 0x2000\n"
                                  "phy_init, data, phy, , 0x1000\n"
                                  "ota_0, app, ota_0, , 1M\n"
                                  "ota_1, app, ota_1, , 1M\n"
                                  "ota_2, app, ota_2, , 1M\n";

enum { OURS = 0, FACTORY_FIRST = 0, OTA_0_FIRST = 1 };

/* One row for each setup. `number`: flash map, or index of the loader. */
static const struct row {
    const char *name;
    enum scheme scheme;
    uint8_t version;    /* NONOS: original loader, or OURS. OTADATA: enum upd_otadata_loader */
    uint8_t map;        /* NONOS */
    uint8_t first;      /* NONOS: slot that runs. OTADATA: index among the places */
    const char *layout; /* OTADATA: name or text of the table. EBOOT: name of the layout */
} rows[] = {
    {"nonos-map0", NONOS, OURS, 0, 0, NULL},
    {"nonos-map0-from-user2", NONOS, OURS, 0, 1, NULL},
    {"nonos-map2", NONOS, OURS, 2, 0, NULL},
    {"nonos-map2-from-user2", NONOS, OURS, 2, 1, NULL},
    {"nonos-map3", NONOS, OURS, 3, 0, NULL},
    {"nonos-map4", NONOS, OURS, 4, 1, NULL},
    {"nonos-map5", NONOS, OURS, 5, 0, NULL},
    {"nonos-map5-from-user2", NONOS, OURS, 5, 1, NULL},
    {"nonos-map6", NONOS, OURS, 6, 0, NULL},
    {"nonos-map8", NONOS, OURS, 8, 1, NULL},
    {"nonos-map9", NONOS, OURS, 9, 0, NULL},
    {"nonos-v1.7-map0", NONOS, UPD_BOOT_V1_7, 0, 1, NULL},
    {"nonos-v1.7-map2", NONOS, UPD_BOOT_V1_7, 2, 0, NULL},
    {"nonos-v1.7-map2-from-user2", NONOS, UPD_BOOT_V1_7, 2, 1, NULL},
    {"nonos-v1.7-map3", NONOS, UPD_BOOT_V1_7, 3, 1, NULL},
    {"nonos-v1.7-map4", NONOS, UPD_BOOT_V1_7, 4, 0, NULL},
    {"nonos-v1.7-map5", NONOS, UPD_BOOT_V1_7, 5, 1, NULL},
    {"nonos-v1.7-map6", NONOS, UPD_BOOT_V1_7, 6, 0, NULL},
    {"nonos-v1.6-map2", NONOS, UPD_BOOT_V1_6, 2, 0, NULL},
    {"nonos-v1.4-map2", NONOS, UPD_BOOT_V1_4, 2, 1, NULL},
    {"nonos-v1.2-map2", NONOS, UPD_BOOT_V1_2, 2, 0, NULL},
    {"idf-two_ota", OTADATA, UPD_OTADATA_LOADER_IDF, 0, FACTORY_FIRST, "two_ota"},
    {"idf-two_ota-from-ota_0", OTADATA, UPD_OTADATA_LOADER_IDF, 0, OTA_0_FIRST, "two_ota"},
    {"idf-two_ota_large", OTADATA, UPD_OTADATA_LOADER_IDF, 0, 0, "two_ota_large"},
    {"idf-factory-and-one", OTADATA, UPD_OTADATA_LOADER_IDF, 0, 0, factory_and_one},
    {"idf-three-slots", OTADATA, UPD_OTADATA_LOADER_IDF, 0, 0, three_slots},
    {"idf-rollback-two_ota", OTADATA, UPD_OTADATA_LOADER_IDF_ROLLBACK, 0, FACTORY_FIRST, "two_ota"},
    {"idf-rollback-two_ota_large", OTADATA, UPD_OTADATA_LOADER_IDF_ROLLBACK, 0, 0, "two_ota_large"},
    {"idf-rollback-factory-and-one", OTADATA, UPD_OTADATA_LOADER_IDF_ROLLBACK, 0, 0,
     factory_and_one},
    {"idf-rollback-three-slots", OTADATA, UPD_OTADATA_LOADER_IDF_ROLLBACK, 0, 1, three_slots},
    {"idf-anti-rollback-two_ota_large", OTADATA, UPD_OTADATA_LOADER_IDF_ANTI_ROLLBACK, 0, 0,
     "two_ota_large"},
    {"rtos-two_ota", OTADATA, UPD_OTADATA_LOADER_RTOS, 0, 0, "two_ota"},
    {"rtos-two_ota-from-ota_1", OTADATA, UPD_OTADATA_LOADER_RTOS, 0, 1, "two_ota"},
    {"rtos-two_ota.1MB", OTADATA, UPD_OTADATA_LOADER_RTOS, 0, 0, "two_ota.1MB"},
#ifndef WITHOUT_EBOOT
    {"eboot-512k", EBOOT, OURS, 0, 0, "512k"},
    {"eboot-1m64", EBOOT, OURS, 0, 0, "1m64"},
    {"eboot-1m512", EBOOT, OURS, 0, 0, "1m512"},
    {"eboot-2m", EBOOT, OURS, 0, 0, "2m"},
    {"eboot-4m1m", EBOOT, OURS, 0, 0, "4m1m"},
    {"eboot-4m2m", EBOOT, OURS, 0, 0, "4m2m"},
    {"eboot-4m3m", EBOOT, OURS, 0, 0, "4m3m"},
    {"eboot-8m6m", EBOOT, OURS, 0, 0, "8m6m"},
    {"eboot-16m14m", EBOOT, OURS, 0, 0, "16m14m"},
    {"eboot-stock-4m2m", EBOOT, 1, 0, 0, "4m2m"},
#endif
};

uint32_t setup_count(void)
{
    return sizeof rows / sizeof rows[0];
}

const char *setup_name(uint32_t number)
{
    return rows[number].name;
}

bool setup_is_wanted(uint32_t number, const char *pattern)
{
    return pattern == NULL || strncmp(rows[number].name, pattern, strlen(pattern)) == 0;
}

uint32_t setup_find(const char *name)
{
    for (uint32_t i = 0; i < setup_count(); i++) {
        if (strcmp(rows[i].name, name) == 0) {
            return i;
        }
    }
    die("no such setup: %s", name);
}

/* --- Sizes of images -------------------------------------------------------------------------- */

/* Neither version ends with a sector or a page, and the old one is the shorter one. */
static uint32_t size_of(enum sizes sizes, enum version version, uint32_t room)
{
    static const uint32_t wanted[][VERSIONS] = {
        [SIZES_MINI] = {500, 700},
        [SIZES_TINY] = {700, 4096 + 400},
        [SIZES_SMALL] = {2 * 4096 + 1000, 3 * 4096 + 700},
        [SIZES_LARGE] = {20 * 4096 + 1000, 30 * 4096 + 700},
        [SIZES_FULL] = {0xFFFFFFFF, 0xFFFFFFFF},
    };
    uint32_t size = wanted[sizes][version];

    if (size < room) {
        return size;
    }
    return version == NEW ? room : room - 3 * 4096 - 1000;
}

static struct upd_area *add_area(struct setup *setup, uint32_t offset, uint32_t size)
{
    if (setup->area_count == AREAS_MAX) {
        die("%s: too many areas", setup->name);
    }
    setup->area[setup->area_count] = (struct upd_area){offset, size};
    return &setup->area[setup->area_count++];
}

/* --- NONOS ------------------------------------------------------------------------------------ */

static void make_nonos(struct setup *setup, const struct row *row, enum sizes sizes)
{
    const struct upd_flash_map *map = upd_flash_map(row->map);
    uint32_t room = upd_flash_map_image_limit(map, UPD_SDK_ANY);
    struct upd_flash_span journal;

    setup->geometry = (struct sim_geometry)SIM_GEOMETRY(map->size);
    setup->loader.kind = row->version == OURS ? SIM_LOADER_NONOS : SIM_LOADER_NONOS_ORIGINAL;
    setup->loader.of.nonos.map = map;
    setup->loader.of.nonos.version = row->version == OURS ? UPD_BOOT_V1_7 : row->version;
    setup->counts = row->version == OURS;
    setup->way_back = true;
    setup->first = row->first;
    if (upd_flash_map_region(map, UPD_REGION_RESERVED, &journal) != UPD_OK) {
        die("%s: no reserved sector", setup->name);
    }
    (void)add_area(setup, journal.address, journal.size);
    (void)add_area(setup, upd_flash_map_sysparam(map) + SECTOR, 3 * SECTOR);
    setup->metadata_count = setup->area_count;
    setup->slot_count = 2;
    for (uint32_t i = 0; i < 2; i++) {
        setup->slot[i] = *add_area(setup, upd_flash_map_slot(map, (enum upd_slot)i), room);
        for (uint32_t version = 0; version < VERSIONS; version++) {
            struct sim_recipe recipe = {.size = size_of(sizes, version, room),
                                        .seed = 10 * row->map + 2 * version + i,
                                        .slot = (uint8_t)(i + 1),
                                        .map = row->map};
            setup->image[version][i] = file_of(sim_image_nonos(&recipe));
        }
    }
}

/* --- otadata ---------------------------------------------------------------------------------- */

static void read_table(struct setup *setup, const char *layout, bool rtos)
{
    enum upd_partition_dialect dialect = rtos ? UPD_PARTITION_RTOS : UPD_PARTITION_IDF;
    const struct upd_partition_builtin *builtin = upd_partition_builtin(dialect, layout);
    const char *csv = builtin == NULL ? layout : builtin->csv;
    struct upd_partition_rules rules = UPD_PARTITION_RULES(dialect);
    char error[256], scratch[4096];
    struct upd_partition_log log = {.error = upd_text_on(error, sizeof error)};
    struct upd_partition_source sources[ROWS_MAX];
    struct upd_partition_list list = {
        .rows = setup->rows, .sources = sources, .capacity = ROWS_MAX};

    if (upd_partition_csv_read(&rules, csv, (uint32_t)strlen(csv), scratch, sizeof scratch, &list,
                               &log) != UPD_OK) {
        die("%s: %s", setup->name, error);
    }
    setup->row_count = list.count;
}

static bool is_app(const struct upd_partition *row)
{
    return row->type == UPD_PARTITION_APP;
}

static void make_otadata(struct setup *setup, const struct row *row, enum sizes sizes)
{
    bool rtos = row->version == UPD_OTADATA_LOADER_RTOS;
    uint32_t end = 0;

    read_table(setup, row->layout, rtos);
    setup->loader.kind = SIM_LOADER_OTADATA;
    setup->loader.of.otadata.loader = (enum upd_otadata_loader)row->version;
    setup->loader.of.otadata.rows = setup->rows;
    setup->loader.of.otadata.count = setup->row_count;
    setup->loader.of.otadata.fuse_size = 31;
    setup->counts = row->version == UPD_OTADATA_LOADER_IDF_ROLLBACK ||
                    row->version == UPD_OTADATA_LOADER_IDF_ANTI_ROLLBACK;
    setup->way_back = true;
    setup->first = row->first;
    for (uint32_t i = 0; i < setup->row_count; i++) {
        const struct upd_partition *part = &setup->rows[i];
        end = part->offset + part->size > end ? part->offset + part->size : end;
        if (part->type == UPD_PARTITION_DATA && part->subtype == UPD_PARTITION_DATA_OTA) {
            (void)add_area(setup, part->offset, part->size);
        }
    }
    setup->metadata_count = setup->area_count;
    for (uint32_t i = 0; i < setup->row_count; i++) {
        const struct upd_partition *part = &setup->rows[i];
        if (!is_app(part)) {
            continue;
        }
        uint32_t place = setup->slot_count++;
        setup->slot[place] = (struct upd_area){part->offset, part->size};
        if (part->subtype != UPD_PARTITION_APP_FACTORY) {
            (void)add_area(setup, part->offset, part->size);
        }
        for (uint32_t version = 0; version < VERSIONS; version++) {
            struct sim_recipe recipe = {.size = size_of(sizes, version, part->size),
                                        .seed = 1000 + version + (rtos ? 2 * place : 0),
                                        .offset = part->offset,
                                        .version = version};
            setup->image[version][place] =
                file_of(rtos ? sim_image_rtos(&recipe) : sim_image_idf(&recipe));
        }
    }
    uint32_t size = 0x100000;
    while (size < end) {
        size *= 2;
    }
    setup->geometry = (struct sim_geometry)SIM_GEOMETRY(size);
}

/* --- eboot ------------------------------------------------------------------------------------ */

static void make_eboot(struct setup *setup, const struct row *row, enum sizes sizes)
{
    struct upd_arduino_layout layout;

    if (upd_arduino_layout_find(row->layout, strlen(row->layout), &layout) != UPD_OK) {
        die("%s: no such layout", setup->name);
    }
    setup->geometry = (struct sim_geometry)SIM_GEOMETRY(layout.chip_size);
    setup->loader.kind = row->version == OURS ? SIM_LOADER_EBOOT : SIM_LOADER_EBOOT_ORIGINAL;
    setup->counts = row->version == OURS;
    setup->way_back = row->version == OURS;
    setup->arduino.ours = row->version == OURS;
    setup->arduino.fs_start = layout.fs_start;
    setup->arduino.max_sketch = layout.max_file;
    setup->arduino.journal = layout.fs_start - SECTOR;
    if (setup->arduino.ours) {
        (void)add_area(setup, setup->arduino.journal, SECTOR);
    }
    setup->metadata_count = setup->area_count;
    (void)add_area(setup, SECTOR, layout.fs_start - SECTOR);
    setup->slot_count = 1;
    setup->slot[0] = (struct upd_area){0, layout.fs_start};
    /* The old sketch where it runs, the new one staged, and a copy of the old one: three areas. */
    uint32_t third = (layout.fs_start - SECTOR) / 3 / SECTOR * SECTOR;
    uint32_t room = third < layout.max_file ? third : layout.max_file / SECTOR * SECTOR;
    for (uint32_t version = 0; version < VERSIONS; version++) {
        uint32_t size = size_of(sizes, version, room - SECTOR) + SECTOR;
        struct sim_recipe recipe = {.size = size, .seed = 2000 + version};
        setup->image[version][0] = file_of(sim_image_arduino(&recipe));
    }
}

/* --- All of them ------------------------------------------------------------------------------ */

void setup_make(struct setup *setup, uint32_t number, enum sizes sizes)
{
    const struct row *row = &rows[number];

    memset(setup, 0, sizeof *setup);
    snprintf(setup->name, sizeof setup->name, "%s", row->name);
    setup->scheme = row->scheme;
    switch (row->scheme) {
    case NONOS:
        make_nonos(setup, row, sizes);
        break;
    case OTADATA:
        make_otadata(setup, row, sizes);
        break;
    case EBOOT:
        make_eboot(setup, row, sizes);
        break;
    }
    for (uint32_t i = 0; i < setup->slot_count; i++) {
        const struct sim_image image = {setup->image[NEW][i].data, setup->image[NEW][i].size};
        setup->gzip[i] = file_of(sim_image_gzip(&image));
    }
}

void setup_free(struct setup *setup)
{
    for (uint32_t i = 0; i < setup->slot_count; i++) {
        free(setup->image[OLD][i].data);
        free(setup->image[NEW][i].data);
        free(setup->gzip[i].data);
    }
}

/* --- A new device ----------------------------------------------------------------------------- */

static void load(struct sim_flash *sim, uint32_t offset, const void *data, uint32_t size)
{
    sim_flash_load(sim, offset, data, size);
}

static void load_file(struct sim_flash *sim, uint32_t offset, const struct file *file)
{
    load(sim, offset, file->data, file->size);
}

/* No byte of the chip is blank by chance: users' data, and what was in the slots before. */
static void load_residue(struct sim_flash *sim, uint64_t seed)
{
    struct sim_random random = {seed};
    uint8_t sector[SECTOR];

    for (uint32_t i = 0; i < SECTOR; i++) {
        sector[i] = (uint8_t)sim_random_next(&random);
    }
    for (uint32_t at = 0; at < sim->flash.total_size; at += SECTOR) {
        for (uint32_t i = 0; i < 4; i++) {
            sector[i] = (uint8_t)(at >> (8 * i));
        }
        load(sim, at, sector, SECTOR);
    }
}

static void load_blank(struct sim_flash *sim, uint32_t offset, uint32_t size)
{
    uint8_t blank[SECTOR];

    memset(blank, 0xFF, sizeof blank);
    for (uint32_t at = 0; at < size; at += SECTOR) {
        load(sim, offset + at, blank, SECTOR);
    }
}

static void load_nonos(const struct setup *setup, struct sim_flash *sim)
{
    const struct upd_flash_map *map = setup->loader.of.nonos.map;
    uint32_t base = upd_flash_map_sysparam(map);
    uint8_t copy[SECTOR];
    uint8_t flag[UPD_SYSPARAM_HEAD_SIZE];
    const uint8_t header[4] = {0xE9, 3, 0, (uint8_t)(map->number << 4)};
    uint32_t current = setup->first == 0 ? 1 : 0;

    load(sim, 0, header, sizeof header);
    load_blank(sim, base + SECTOR, 3 * SECTOR);
    memset(copy, 0xFF, sizeof copy);
    for (uint32_t i = 0; i < UPD_SYSPARAM_SDK_SIZE; i++) {
        copy[i] = (uint8_t)(i * 7 + (i >> 8));
    }
    memset(copy, 0xFF, UPD_BOOT_BLOCK_SIZE);
    if (upd_boot_block_select(copy, setup->loader.of.nonos.version, (enum upd_slot)setup->first) !=
        UPD_OK) {
        die("%s: no boot block", setup->name);
    }
    load(sim, base + SECTOR + current * SECTOR, copy, sizeof copy);
    if (current == 0) {
        /* As the SDK leaves it; copy 1 is as fresh chips have it, flag sector and all. */
        struct upd_sysparam_record record = {.flag = 0,
                                             .kept = {0xFF, 0xFF, 0xFF},
                                             .magic = UPD_SYSPARAM_MAGIC,
                                             .counter = 1,
                                             .length = {32, 0xFFFFFFFF},
                                             .checksum = {upd_sysparam_checksum(copy), 0xFFFFFFFF},
                                             .magic_end = UPD_SYSPARAM_MAGIC_END};
        upd_sysparam_record_encode(&record, flag);
        load(sim, base + 3 * SECTOR, flag, sizeof flag);
    }
}

static void load_otadata(const struct setup *setup, struct sim_flash *sim)
{
    uint8_t table[UPD_PARTITION_TABLE_SIZE];
    uint8_t record[UPD_OTADATA_RECORD_SIZE];
    uint32_t first_slot = 0;

    if (upd_partition_build(setup->rows, setup->row_count, true, table) != UPD_OK) {
        die("%s: no table", setup->name);
    }
    load_blank(sim, UPD_PARTITION_TABLE_OFFSET, SECTOR);
    load(sim, UPD_PARTITION_TABLE_OFFSET, table, sizeof table);
    load_blank(sim, setup->area[0].offset, setup->area[0].size);
    for (uint32_t i = 0; i < setup->row_count; i++) {
        first_slot +=
            is_app(&setup->rows[i]) && setup->rows[i].subtype == UPD_PARTITION_APP_FACTORY;
    }
    if (setup->first >= first_slot) {
        upd_otadata_encode(record, setup->first - first_slot + 1, UPD_OTADATA_VALID);
        load(sim, setup->area[0].offset, record, sizeof record);
    }
}

static void load_record(const struct setup *setup, struct sim_flash *sim)
{
    uint8_t bytes[UPD_LOADER_RECORD_SIZE];
    struct upd_loader_record record = {.version = 1, .counts = true};

    record.installs = setup->scheme == EBOOT;
    record.journal = setup->scheme == EBOOT ? setup->arduino.journal : UPD_LOADER_NO_JOURNAL;
    upd_loader_record_encode(&record, bytes);
    load(sim, UPD_LOADER_RECORD_OFFSET, bytes, sizeof bytes);
}

void setup_flash(const struct setup *setup, struct sim_flash *sim, uint64_t seed)
{
    static const uint8_t none[UPD_LOADER_RECORD_SIZE] = {0xAA, 0xAA, 0xAA, 0xAA};

    sim_flash_init(sim, &setup->geometry, seed);
    load_residue(sim, seed);
    load_file(sim, setup->slot[setup->first].offset, &setup->image[OLD][setup->first]);
    load(sim, UPD_LOADER_RECORD_OFFSET, none, sizeof none);
    switch (setup->scheme) {
    case NONOS:
        load_nonos(setup, sim);
        break;
    case OTADATA:
        load_otadata(setup, sim);
        break;
    case EBOOT:
        break;
    }
    if (setup->loader.kind == SIM_LOADER_NONOS || setup->loader.kind == SIM_LOADER_EBOOT) {
        load_record(setup, sim);
    }
}
