/*
 * Goal: rows and tables have the published bytes; each reader sees what its chip sees, and stops
 * where it stops; finding and counting follow the SDKs' rules.
 * Method: the built-in tables' vectors; tables of lies; every flip of every bit of a table.
 */
#include <updraft/bytes.h>
#include <updraft/partition.h>

#include "check.h"

#define FLASH (4u << 20)

static uint8_t table[UPD_PARTITION_TABLE_SIZE];
static struct upd_partition rows[UPD_PARTITION_MAX + 1];
static uint32_t count;

static struct upd_partition make(const char *name, uint8_t type, uint8_t subtype, uint32_t offset,
                                 uint32_t size)
{
    struct upd_partition row = {.type = type, .subtype = subtype, .offset = offset, .size = size};

    for (uint32_t i = 0; i < UPD_PARTITION_NAME_SIZE && name[i] != '\0'; i++) {
        row.name[i] = (uint8_t)name[i];
    }
    return row;
}

/* The table that most tests start from: ESP-IDF's two_ota. */
static void make_two_ota(void)
{
    rows[0] = make("nvs", UPD_PARTITION_DATA, UPD_PARTITION_DATA_NVS, 0x9000, 0x4000);
    rows[1] = make("otadata", UPD_PARTITION_DATA, UPD_PARTITION_DATA_OTA, 0xD000, 0x2000);
    rows[2] = make("phy_init", UPD_PARTITION_DATA, UPD_PARTITION_DATA_PHY, 0xF000, 0x1000);
    rows[3] = make("factory", UPD_PARTITION_APP, UPD_PARTITION_APP_FACTORY, 0x10000, 0x100000);
    rows[4] = make("ota_0", UPD_PARTITION_APP, 0x10, 0x110000, 0x100000);
    rows[5] = make("ota_1", UPD_PARTITION_APP, 0x11, 0x210000, 0x100000);
    count = 6;
}

static void test_two_ota_has_the_published_bytes(void)
{
    static const uint8_t first[32] = {0xAA, 0x50, 0x01, 0x02, 0x00, 0x90, 0x00, 0x00,
                                      0x00, 0x40, 0x00, 0x00, 0x6E, 0x76, 0x73};
    static const uint8_t last[64] = {
        0xAA, 0x50, 0x00, 0x11, 0x00, 0x00, 0x21, 0x00, 0x00, 0x00, 0x10, 0x00, 0x6F,
        0x74, 0x61, 0x5F, 0x31, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xEB, 0xEB, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
        0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xBF, 0x25, 0x82, 0x2C,
        0x0F, 0xA6, 0xD8, 0x64, 0x1B, 0xD9, 0x30, 0x25, 0x1E, 0x06, 0xB4, 0xC4};
    uint8_t file[UPD_PARTITION_TABLE_SIZE];

    make_two_ota();
    CHECK(upd_partition_build(rows, count, true, table) == UPD_OK);
    CHECK(memcmp(table, first, 32) == 0);
    CHECK(memcmp(table + 0xA0, last, 64) == 0);
    CHECK(check_load(UPD_VECTORS "/partition/idf-two_ota.bin", file, sizeof file) == sizeof file);
    CHECK(memcmp(table, file, sizeof file) == 0);
    CHECK(upd_partition_is_binary(table, 2) && !upd_partition_is_binary(table, 1));
    CHECK(!upd_partition_is_binary("# Name", 6) && !upd_partition_is_binary(NULL, 0));
}

static void test_a_row_keeps_all_that_it_holds(void)
{
    uint8_t bytes[32];
    struct upd_partition row = {.offset = 0x89ABCDEF,
                                .size = 0x12345678,
                                .flags = 0xDEADBEEF,
                                .type = 0x40,
                                .subtype = 0xFE,
                                .name = "sixteen_bytes_16"};
    struct upd_partition got = {0};

    upd_partition_encode(&row, bytes);
    CHECK(bytes[4] == 0xEF && bytes[7] == 0x89 && bytes[28] == 0xEF && bytes[31] == 0xDE);
    CHECK(upd_partition_decode(bytes, &got) == UPD_OK);
    CHECK(memcmp(&row, &got, sizeof row) == 0);
    CHECK(upd_partition_name_size(&got) == 16);
    bytes[1] = 0x51;
    got.type = 7;
    CHECK(upd_partition_decode(bytes, &got) == UPD_E_FORMAT && got.type == 7);
}

static void test_a_full_table_leaves_one_row_for_its_end(void)
{
    for (uint32_t i = 0; i < UPD_PARTITION_MAX + 1; i++) {
        rows[i] = make("p", 0x40, 0, 0x9000 + i * 0x1000, 0x1000);
    }
    memset(table, 0x5A, sizeof table);
    CHECK(upd_partition_build(rows, 96, false, table) == UPD_E_SPACE && table[0] == 0x5A);
    CHECK(upd_partition_build(rows, 95, true, table) == UPD_E_SPACE && table[0] == 0x5A);
    CHECK(upd_partition_build(rows, 95, false, table) == UPD_OK);
    CHECK(table[0xBDF] == 0 && table[0xBE0] == 0xFF && table[0xBFF] == 0xFF);
    CHECK(upd_partition_read(UPD_PARTITION_BY_IDF_BOOT, table, sizeof table, FLASH, rows, &count,
                             NULL) == UPD_OK &&
          count == 95);
    CHECK(upd_partition_build(rows, 94, true, table) == UPD_OK);
    CHECK(table[0xBC0] == 0xEB && table[0xBE0] == 0xFF);
    CHECK(upd_partition_read(UPD_PARTITION_BY_IDF_APP, table, sizeof table, 0, rows, &count,
                             NULL) == UPD_OK &&
          count == 94);
}

static void test_an_empty_table_can_be_built(void)
{
    CHECK(upd_partition_build(NULL, 0, false, table) == UPD_OK);
    CHECK(table[0] == 0xFF && table[UPD_PARTITION_TABLE_SIZE - 1] == 0xFF);
    CHECK(upd_partition_build(NULL, 0, true, table) == UPD_OK && table[0] == 0xEB);
}

static void build(uint32_t rows_in_it)
{
    CHECK(upd_partition_build(rows, rows_in_it, true, table) == UPD_OK);
}

/* --- What each chip makes of a table -------------------------------------------------------- */

static void copy_row(uint32_t from, uint32_t to)
{
    memmove(table + to * 32, table + from * 32, 32);
}

static void erase_row(uint32_t row)
{
    memset(table + row * 32, 0xFF, 32);
}

/* What is done to two_ota, which has its MD5 in row 6 and its end in row 7. */
static void as_it_is(void)
{
}
static void without_md5(void)
{
    erase_row(6);
}
static void wrong_md5(void)
{
    table[6 * 32 + 16] ^= 1;
}
static void changed_row(void)
{
    table[13] ^= 1;
}
static void two_md5(void)
{
    copy_row(6, 7);
}
static void md5_before_the_last_row(void)
{
    build(5);
    upd_partition_encode(&rows[5], table + 6 * 32);
}
static void erased(void)
{
    memset(table, 0xFF, sizeof table);
}
static void only_md5(void)
{
    build(0);
}
static void bad_magic(void)
{
    table[2 * 32] = 0xAB;
}
static void nearly_an_end(void)
{
    erase_row(6);
    table[6 * 32 + 3] = 0xFE;
}
static void an_end_with_rubbish(void)
{
    erase_row(6);
    memset(table + 6 * 32 + 4, 0x11, 28);
}
static void no_end(void)
{
    for (uint32_t i = 6; i < 96; i++) {
        copy_row(0, i);
    }
}
static void past_the_flash(void)
{
    rows[5].size += 0x1000; /* ends at 0x311000 */
    build(6);
}
static void offset_and_size_wrap(void)
{
    rows[5].offset = 0x200000;
    rows[5].size = 0xFFF00000;
    build(6);
}
static void empty_at_the_end_of_flash(void)
{
    rows[5].offset = 0x310000;
    rows[5].size = 0;
    build(6);
}
static void starts_past_the_flash(void)
{
    rows[5].offset = 0x310001;
    rows[5].size = 0;
    build(6);
}

static const struct {
    const char *name;
    void (*change)(void);
    struct {
        enum upd_err err;
        uint32_t count, at;
    } by[4]; /* in the order of enum upd_partition_reader */
} readings[] = {
/* clang-format off */
#define SEES(count, at) {UPD_OK, count, at}
#define STOPS(err, at) {UPD_E_##err, 0, at}
    {"as it is", as_it_is, {SEES(6, 7), SEES(6, 6), SEES(6, 6), SEES(6, 7)}},
    {"without MD5", without_md5, {SEES(6, 6), STOPS(NOT_FOUND, 6), SEES(6, 6), SEES(6, 6)}},
    {"wrong MD5", wrong_md5, {STOPS(AUTH, 6), STOPS(AUTH, 6), SEES(6, 6), SEES(6, 7)}},
    {"changed row", changed_row, {STOPS(AUTH, 6), STOPS(AUTH, 6), SEES(6, 6), SEES(6, 7)}},
    {"two MD5 rows", two_md5, {STOPS(FORMAT, 7), SEES(6, 6), SEES(6, 6), SEES(6, 8)}},
    {"MD5 before the last row", md5_before_the_last_row,
     {SEES(5, 7), SEES(5, 5), SEES(5, 5), SEES(6, 7)}},
    {"erased", erased, {STOPS(FORMAT, 0), STOPS(NOT_FOUND, 0), SEES(0, 0), SEES(0, 0)}},
    {"only MD5", only_md5, {SEES(0, 1), SEES(0, 0), SEES(0, 0), SEES(0, 1)}},
    {"bad magic", bad_magic, {STOPS(FORMAT, 2), STOPS(NOT_FOUND, 2), SEES(2, 2), STOPS(FORMAT, 2)}},
    {"nearly an end", nearly_an_end,
     {STOPS(FORMAT, 6), STOPS(NOT_FOUND, 6), SEES(6, 6), STOPS(FORMAT, 6)}},
    {"an end with rubbish", an_end_with_rubbish,
     {SEES(6, 6), STOPS(NOT_FOUND, 6), SEES(6, 6), SEES(6, 6)}},
    {"no end", no_end, {STOPS(FORMAT, 96), STOPS(NOT_FOUND, 96), SEES(96, 96), STOPS(FORMAT, 96)}},
    {"past the flash", past_the_flash, {STOPS(SPACE, 5), SEES(6, 6), SEES(6, 6), STOPS(SPACE, 5)}},
    {"offset and size wrap", offset_and_size_wrap,
     {STOPS(SPACE, 5), SEES(6, 6), SEES(6, 6), STOPS(SPACE, 5)}},
    {"empty at the end of flash", empty_at_the_end_of_flash,
     {SEES(6, 7), SEES(6, 6), SEES(6, 6), SEES(6, 7)}},
    {"starts past the flash", starts_past_the_flash,
     {STOPS(SPACE, 5), SEES(6, 6), SEES(6, 6), STOPS(SPACE, 5)}},
    /* clang-format on */
};

static void test_what_each_chip_sees(void)
{
    for (size_t i = 0; i < sizeof readings / sizeof readings[0]; i++) {
        make_two_ota();
        build(count);
        readings[i].change();
        for (uint32_t k = 0; k < 4; k++) {
            struct upd_partition seen[UPD_PARTITION_MAX + 1];
            uint32_t seen_count = 77, at = 77;
            enum upd_err err = upd_partition_read((enum upd_partition_reader)k, table, sizeof table,
                                                  0x310000, seen, &seen_count, &at);
            CHECK_THAT(readings[i].name, err == readings[i].by[k].err);
            CHECK_THAT(readings[i].name, seen_count == readings[i].by[k].count);
            CHECK_THAT(readings[i].name, at == readings[i].by[k].at);
        }
    }
}

static void test_a_table_cut_short_has_no_end(void)
{
    make_two_ota();
    build(count);
    for (uint32_t size = 0; size < 8 * 32; size++) {
        CHECK(upd_partition_read(UPD_PARTITION_BY_IDF_BOOT, table, size, FLASH, rows, &count,
                                 NULL) == UPD_E_FORMAT &&
              count == 0);
        CHECK(upd_partition_read(UPD_PARTITION_BY_IDF_APP, table, size, FLASH, rows, &count,
                                 NULL) == (size < 7 * 32 ? UPD_E_NOT_FOUND : UPD_OK));
    }
    CHECK(upd_partition_read(UPD_PARTITION_BY_IDF_BOOT, table, 8 * 32, FLASH, rows, &count, NULL) ==
          UPD_OK);
}

/* Every bit of the rows and of their MD5 is covered, for whoever looks at the MD5. */
static void test_every_flip_is_seen_where_md5_is_checked(void)
{
    make_two_ota();
    build(count);
    for (uint32_t bit = 0; bit < 7 * 32 * 8; bit++) {
        bool is_filler = bit >= (6 * 32 + 2) * 8 && bit < (6 * 32 + 16) * 8;
        table[bit / 8] ^= (uint8_t)(1u << bit % 8);
        CHECK((upd_partition_read(UPD_PARTITION_BY_IDF_BOOT, table, sizeof table, FLASH, rows,
                                  &count, NULL) == UPD_OK) == is_filler);
        CHECK((upd_partition_read(UPD_PARTITION_BY_IDF_APP, table, sizeof table, FLASH, rows,
                                  &count, NULL) == UPD_OK) == is_filler);
        table[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

/* --- Finding -------------------------------------------------------------------------------- */

static void test_finding(void)
{
    make_two_ota();
    rows[count++] = make("sixteen_bytes_16", 0x40, 1, 0x310000, 0x1000);
    CHECK(upd_partition_by_name(rows, count, "ota_1") == &rows[5]);
    CHECK(upd_partition_by_name(rows, count, "sixteen_bytes_16") == &rows[6]);
    CHECK(upd_partition_by_name(rows, count, "sixteen_bytes_1") == NULL);
    CHECK(upd_partition_by_name(rows, count, "sixteen_bytes_167") == NULL);
    CHECK(upd_partition_by_name(rows, count, "ota") == NULL);
    CHECK(upd_partition_by_name(rows, count, "") == NULL);
    CHECK(upd_partition_by_name(rows, 0, "nvs") == NULL);
    CHECK(upd_partition_by_type(rows, count, UPD_PARTITION_DATA, UPD_PARTITION_DATA_OTA) ==
          &rows[1]);
    CHECK(upd_partition_by_type(rows, count, UPD_PARTITION_DATA, 0x82) == NULL);
    rows[2].subtype = UPD_PARTITION_DATA_OTA;
    CHECK(upd_partition_by_type(rows, count, UPD_PARTITION_DATA, UPD_PARTITION_DATA_OTA) ==
          &rows[1]);
}

static void test_the_default_boot_partition(void)
{
    make_two_ota();
    CHECK(upd_partition_boot_default(rows, count) == &rows[3]);
    rows[3].subtype = UPD_PARTITION_APP_TEST;
    CHECK(upd_partition_boot_default(rows, count) == &rows[4]);
    rows[4].subtype = 0x1F; /* lies before ota_1 in the table, but comes after it */
    CHECK(upd_partition_boot_default(rows, count) == &rows[5]);
    rows[5].type = UPD_PARTITION_DATA;
    CHECK(upd_partition_boot_default(rows, count) == &rows[4]);
    rows[4].subtype = 0x30;
    CHECK(upd_partition_boot_default(rows, count) == NULL);
}

static void test_counting_slots(void)
{
    make_two_ota();
    CHECK(upd_partition_slot_count(rows, count) == 2);
    rows[5].subtype = 0x12; /* a gap: the application sees one slot, the boot loader counts two */
    CHECK(upd_partition_slot_count(rows, count) == 1);
    struct upd_boot_layout layout = upd_partition_layout(rows, count);
    CHECK(layout.slot_count == 2 && layout.slots == 0x5);
    rows[4].subtype = 0x11;
    CHECK(upd_partition_slot_count(rows, count) == 0);
    for (uint32_t i = 0; i < 17; i++) {
        rows[i] = make("p", UPD_PARTITION_APP, (uint8_t)(0x10 + i), 0x10000 * (i + 1), 0x10000);
    }
    CHECK(upd_partition_slot_count(rows, 17) == 16);
    layout = upd_partition_layout(rows, 17);
    CHECK(layout.slots == 0xFFFF && layout.slot_count == 16 && layout.test && !layout.factory);
}

static void test_what_a_boot_loader_takes_out(void)
{
    make_two_ota();
    struct upd_boot_layout layout = upd_partition_layout(rows, count);
    CHECK(layout.otadata_offset == 0xD000 && layout.otadata_size == 0x2000);
    CHECK(layout.slots == 3 && layout.slot_count == 2 && layout.factory && !layout.test);

    rows[0] = make("otadata2", UPD_PARTITION_DATA, UPD_PARTITION_DATA_OTA, 0x310000, 0x1000);
    rows[count++] = make("again", UPD_PARTITION_APP, 0x10, 0x320000, 0);
    layout = upd_partition_layout(rows, count);
    CHECK(layout.otadata_offset == 0xD000); /* the later row */
    CHECK(layout.slots == 2 && layout.slot_count == 3);
    layout = upd_partition_layout(rows, 0);
    CHECK(layout.otadata_offset == 0 && layout.slots == 0 && !layout.factory);
}

int main(void)
{
    CHECK_RUN(test_two_ota_has_the_published_bytes);
    CHECK_RUN(test_a_row_keeps_all_that_it_holds);
    CHECK_RUN(test_a_full_table_leaves_one_row_for_its_end);
    CHECK_RUN(test_an_empty_table_can_be_built);
    CHECK_RUN(test_what_each_chip_sees);
    CHECK_RUN(test_a_table_cut_short_has_no_end);
    CHECK_RUN(test_every_flip_is_seen_where_md5_is_checked);
    CHECK_RUN(test_finding);
    CHECK_RUN(test_the_default_boot_partition);
    CHECK_RUN(test_counting_slots);
    CHECK_RUN(test_what_a_boot_loader_takes_out);
    check_end();
}
