/*
 * Goal: a partition table is judged as SDK 3.x judges it. Method: for each map a table that the SDK
 * takes; then that table with one thing wrong in it, for every rule; every map number; overlaps
 * against a map of sectors.
 */
#include <updraft/bytes.h>
#include <updraft/nonos_partition.h>

#include "check.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
enum { ITEMS = 8 };
/* One past the last code: no problem at all. */
#define NONE ((enum upd_nonos_partition_code)(UPD_NONOS_PARTITION_NO_SYSTEM_PARAMETER + 1))

/* A table as the SDK's examples have it: sizes of the OTA partitions, places by the map. */
static void make_table(struct upd_nonos_partition items[ITEMS], uint32_t number)
{
    const struct upd_flash_map *map = upd_flash_map(number);
    uint32_t end = map->size, ota = map->user2 == 0x101000 ? 0xE0000 : 0x6A000;
    const struct upd_nonos_partition table[ITEMS] = {
        {UPD_NONOS_BOOTLOADER, 0x0, 0x1000},
        {UPD_NONOS_OTA_1, 0x1000, ota},
        {UPD_NONOS_OTA_2, map->user2, ota},
        {UPD_NONOS_RF_CAL, end - 0x5000, 0x1000},
        {UPD_NONOS_PHY_DATA, end - 0x4000, 0x1000},
        {UPD_NONOS_SYSTEM_PARAMETER, end - 0x3000, 0x3000},
        {UPD_NONOS_AT_PARAMETER, map->user2 - 0x5000, 0x3000},
        {UPD_NONOS_CUSTOMER + 1, map->user2 - 0x2000, 0x1000},
    };

    memcpy(items, table, sizeof table);
}

static void test_the_tables_of_every_map(void)
{
    for (uint32_t number = 0; number < UPD_FLASH_MAP_COUNT; number++) {
        struct upd_nonos_partition items[ITEMS];
        bool supported = number >= 2 && number != 7;

        if (!supported) {
            continue;
        }
        make_table(items, number);
        CHECK(upd_nonos_partition_check(items, ITEMS, number, number, NULL, 0) == 0);
    }
}

/* A table as the fuzz target reads it: map, header map, rows of three words. */
static void test_the_stored_table(void)
{
    uint8_t bytes[2 + 12 * ITEMS];
    struct upd_nonos_partition items[ITEMS], meant[ITEMS];
    int32_t size = check_load(UPD_VECTORS "/nonos_partition/map6.bin", bytes, sizeof bytes);
    const uint32_t count = 6;

    CHECK(size == (int32_t)(2 + 12 * count) && bytes[0] == 6 && bytes[1] == 6);
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *row = bytes + 2 + 12 * i;
        items[i] = (struct upd_nonos_partition){upd_get_le32(row), upd_get_le32(row + 4),
                                                upd_get_le32(row + 8)};
    }
    make_table(meant, 6);
    CHECK(memcmp(items, meant, count * sizeof items[0]) == 0);
    CHECK(upd_nonos_partition_check(items, count, 6, 6, NULL, 0) == 0);
}

static void test_every_pair_of_map_numbers(void)
{
    for (uint32_t i = 0; i < 17 * 17; i++) {
        uint32_t map = i % 17, header = i / 17, count;
        struct upd_nonos_partition items[ITEMS];
        struct upd_nonos_partition_problem problems[4];
        bool supported =
            map == 2 || map == 3 || map == 4 || map == 5 || map == 6 || map == 8 || map == 9;
        uint32_t at = 0;

        make_table(items, supported ? map : 2);
        if (!supported) {
            items[2].type = 200; /* OTA 2 is judged by the map */
        }
        count = upd_nonos_partition_check(items, supported ? ITEMS : 3, map, header, problems, 4);
        if (map != header) {
            CHECK(problems[at].code == UPD_NONOS_PARTITION_OTHER_MAP);
            CHECK(problems[at].item == (supported ? ITEMS : 3u));
            at++;
        }
        if (!supported) {
            CHECK(problems[at].code == UPD_NONOS_PARTITION_BAD_MAP);
        }
        CHECK((count == 0) == (supported && map == header));
    }
}

/* What is changed in the table of map 5, and the one problem that must come of it. */
static const struct {
    const char *name;
    uint8_t item, field; /* 0 type, 1 address, 2 size */
    uint32_t value;
    enum upd_nonos_partition_code code;
    uint8_t other;
} lies[] = {
    {"boot loader elsewhere", 0, 1, 0x1FA000, UPD_NONOS_PARTITION_BOOTLOADER, ITEMS},
    {"OTA 1 above 1 MiB", 1, 2, 0x101000, UPD_NONOS_PARTITION_OTA_1, ITEMS},
    {"OTA 1 elsewhere", 1, 1, 0x2000, UPD_NONOS_PARTITION_OTA_1, ITEMS},
    {"OTA 2 for another map", 2, 1, 0x102000, UPD_NONOS_PARTITION_OTA_2, ITEMS},
    {"RF calibration of two sectors", 3, 2, 0x2000, UPD_NONOS_PARTITION_ONE_SECTOR, ITEMS},
    {"PHY data of two sectors", 4, 2, 0x2000, UPD_NONOS_PARTITION_ONE_SECTOR, ITEMS},
    {"system parameters of two", 5, 2, 0x2000, UPD_NONOS_PARTITION_THREE_SECTORS, ITEMS},
    {"odd address", 6, 1, 0xFC001, UPD_NONOS_PARTITION_UNALIGNED, ITEMS},
    {"odd size", 6, 2, 0x2800, UPD_NONOS_PARTITION_UNALIGNED, ITEMS},
    {"empty", 6, 2, 0, UPD_NONOS_PARTITION_EMPTY, ITEMS},
    {"empty of a type that nobody knows", 7, 2, 0, UPD_NONOS_PARTITION_EMPTY, ITEMS},
    {"a second PHY data", 7, 0, 5, UPD_NONOS_PARTITION_TWICE, 4},
    {"a second RF calibration", 7, 0, 4, UPD_NONOS_PARTITION_TWICE, 3},
    {"a second of the AT firmware", 7, 0, 7, NONE, ITEMS},
    {"overlap", 7, 1, 0xFE000, UPD_NONOS_PARTITION_OVERLAP, 6},
    {"overlap from below", 7, 2, 0x100000, UPD_NONOS_PARTITION_OVERLAP, 2},
    {"behind the chip", 7, 1, 0x200000, UPD_NONOS_PARTITION_BEYOND, ITEMS},
    {"far behind the chip", 7, 1, 0xFFFFF000, UPD_NONOS_PARTITION_BEYOND, ITEMS},
    {"no RF calibration", 3, 0, 101, UPD_NONOS_PARTITION_NO_RF_CAL, ITEMS},
    {"no PHY data", 4, 0, 101, UPD_NONOS_PARTITION_NO_PHY_DATA, ITEMS},
    {"no system parameters", 5, 0, 101, UPD_NONOS_PARTITION_NO_SYSTEM_PARAMETER, ITEMS},
    {"no boot loader", 0, 0, 101, NONE, ITEMS},
    {"no OTA 1", 1, 0, 101, NONE, ITEMS},
    {"no OTA 2", 2, 0, 101, NONE, ITEMS},
};

static void test_one_thing_wrong(void)
{
    for (size_t i = 0; i < COUNT(lies); i++) {
        struct upd_nonos_partition items[ITEMS];
        struct upd_nonos_partition_problem problems[8];
        bool found = false;

        make_table(items, 5);
        struct upd_nonos_partition *item = &items[lies[i].item];
        uint32_t *field = lies[i].field == 0   ? &item->type
                          : lies[i].field == 1 ? &item->address
                                               : &item->size;
        *field = lies[i].value;
        uint32_t count = upd_nonos_partition_check(items, ITEMS, 5, 5, problems, 8);
        if (lies[i].code == NONE) {
            CHECK_THAT(lies[i].name, count == 0);
            continue;
        }
        for (uint32_t k = 0; k < count && k < 8; k++) {
            bool whole = lies[i].code >= UPD_NONOS_PARTITION_NO_RF_CAL;
            found = found || (problems[k].code == lies[i].code &&
                              problems[k].item == (whole ? (uint32_t)ITEMS : lies[i].item) &&
                              problems[k].other == lies[i].other);
        }
        CHECK_THAT(lies[i].name, found);
    }
}

static void test_an_empty_table_lacks_three_things(void)
{
    struct upd_nonos_partition_problem problems[3];

    CHECK(upd_nonos_partition_check(NULL, 0, 4, 4, problems, 3) == 3);
    CHECK(problems[0].code == UPD_NONOS_PARTITION_NO_RF_CAL);
    CHECK(problems[1].code == UPD_NONOS_PARTITION_NO_PHY_DATA);
    CHECK(problems[2].code == UPD_NONOS_PARTITION_NO_SYSTEM_PARAMETER);
    CHECK(problems[2].item == 0 && problems[2].other == 0);
}

static void test_no_more_is_written_than_there_is_room(void)
{
    struct upd_nonos_partition items[ITEMS];
    struct upd_nonos_partition_problem problems[4] = {{.item = 77}, {.item = 77}, {.item = 77}};

    memset(items, 0xFF, sizeof items);
    CHECK(upd_nonos_partition_check(items, ITEMS, 4, 4, problems, 2) > 20);
    CHECK(problems[1].item != 77 && problems[2].item == 77);
}

/* Two partitions of the application in every place among sixteen sectors. */
static void test_overlaps_everywhere(void)
{
    for (uint32_t i = 0; i < 16 * 16 * 4 * 4; i++) {
        uint32_t first[2] = {i % 16, i / 16 % 16}, size[2] = {i / 256 % 4, i / 1024};
        struct upd_nonos_partition items[ITEMS + 1];
        struct upd_nonos_partition_problem problems[4];
        uint32_t covered[2] = {0, 0};
        bool found = false;

        make_table(items, 4);
        for (uint32_t k = 0; k < 2; k++) {
            items[ITEMS - 1 + k] =
                (struct upd_nonos_partition){100 + k, 0x200000 + first[k] * 4096, size[k] * 4096};
            covered[k] = ((1u << size[k]) - 1) << first[k];
        }
        uint32_t count = upd_nonos_partition_check(items, ITEMS + 1, 4, 4, problems, 4);
        for (uint32_t k = 0; k < count; k++) {
            found = found || problems[k].code == UPD_NONOS_PARTITION_OVERLAP;
        }
        CHECK(found == ((covered[0] & covered[1]) != 0));
        CHECK((count == 0) == (!found && size[0] != 0 && size[1] != 0));
    }
}

static void test_what_limits_a_download(void)
{
    struct upd_nonos_partition items[ITEMS];

    make_table(items, 6);
    items[1].size = 0x78000;
    CHECK(upd_nonos_partition_ota_size(items, ITEMS, UPD_SLOT_USER1) == 0xE0000);
    CHECK(upd_nonos_partition_ota_size(items, ITEMS, UPD_SLOT_USER2) == 0x78000);
    items[2].size = 0x200000;
    CHECK(upd_nonos_partition_ota_size(items, ITEMS, UPD_SLOT_USER1) == 0x100000);
    CHECK(upd_nonos_partition_ota_size(items, 2, UPD_SLOT_USER1) == 0);
    CHECK(upd_nonos_partition_ota_size(NULL, 0, UPD_SLOT_USER2) == 0);
    CHECK(upd_nonos_partition_find(items, ITEMS, UPD_NONOS_RF_CAL) == 3);
    CHECK(upd_nonos_partition_find(items, ITEMS, UPD_NONOS_WPA2_CA) == ITEMS);
}

static bool same_text(const char *one, const char *other)
{
    while (*one != '\0' && *one == *other) {
        one++;
        other++;
    }
    return *one == *other;
}

static size_t length_of(const char *text)
{
    size_t length = 0;

    while (text[length] != '\0') {
        length++;
    }
    return length;
}

static void test_types_and_texts(void)
{
    for (uint32_t type = 0; type < 120; type++) {
        const char *name = upd_nonos_partition_type_name(type);
        uint32_t found = 999;
        enum upd_err err = upd_nonos_partition_type_find(name, length_of(name), &found);

        if (type <= 13 || type == 100) {
            CHECK_THAT(name, err == UPD_OK && found == type);
        } else if (type < 100) {
            CHECK_THAT(name, same_text(name, "unknown") && err == UPD_E_NOT_FOUND && found == 999);
        } else {
            CHECK_THAT(name, same_text(name, "customer"));
        }
    }
    uint32_t type = 999;
    CHECK(upd_nonos_partition_type_find("OTA-1", 5, &type) == UPD_OK && type == 2);
    CHECK(upd_nonos_partition_type_find("ota", 3, &type) == UPD_E_NOT_FOUND && type == 2);
    for (uint32_t i = 0; i < (uint32_t)NONE; i++) {
        CHECK(!same_text(upd_nonos_partition_problem_text((enum upd_nonos_partition_code)i),
                         "unknown"));
    }
    CHECK(same_text(upd_nonos_partition_problem_text(NONE), "unknown"));
}

int main(void)
{
    CHECK_RUN(test_the_tables_of_every_map);
    CHECK_RUN(test_the_stored_table);
    CHECK_RUN(test_every_pair_of_map_numbers);
    CHECK_RUN(test_one_thing_wrong);
    CHECK_RUN(test_an_empty_table_lacks_three_things);
    CHECK_RUN(test_no_more_is_written_than_there_is_room);
    CHECK_RUN(test_overlaps_everywhere);
    CHECK_RUN(test_what_limits_a_download);
    CHECK_RUN(test_types_and_texts);
    check_end();
}
