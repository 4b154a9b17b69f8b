/*
 * Goal: each layout is what the linker scripts of the Arduino core say, in every column. Method:
 * the table of docs/formats/arduino_layout.md, copied, against what is computed; names that are
 * none.
 */
#include <updraft/arduino_layout.h>
#include <updraft/bytes.h>

#include "check.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static size_t length_of(const char *text)
{
    size_t length = 0;

    while (text[length] != '\0') {
        length++;
    }
    return length;
}

/* name, largest sketch, FS start, end, bytes, block, EEPROM, largest sketch by OTA in KiB. */
static const struct {
    const char *name;
    uint32_t max_sketch, fs_start, fs_end, fs_bytes, fs_block, eeprom, ota_kib;
} rows[] = {
    {"512k", 499696, 0x07B000, 0x07B000, 0, 0, 0x07B000, 246},
    {"512k32", 466928, 0x073000, 0x07B000, 32768, 0x1000, 0x07B000, 230},
    {"512k64", 434160, 0x06B000, 0x07B000, 65536, 0x1000, 0x07B000, 214},
    {"512k128", 368624, 0x05B000, 0x07B000, 131072, 0x1000, 0x07B000, 182},
    {"1m", 1023984, 0x0FB000, 0x0FB000, 0, 0, 0x0FB000, 502},
    {"1m64", 958448, 0x0EB000, 0x0FB000, 65536, 0x1000, 0x0FB000, 470},
    {"1m128", 892912, 0x0DB000, 0x0FB000, 131072, 0x1000, 0x0FB000, 438},
    {"1m144", 876528, 0x0D7000, 0x0FB000, 147456, 0x1000, 0x0FB000, 430},
    {"1m160", 860144, 0x0D3000, 0x0FB000, 163840, 0x1000, 0x0FB000, 422},
    {"1m192", 827376, 0x0CB000, 0x0FB000, 196608, 0x1000, 0x0FB000, 406},
    {"1m256", 761840, 0x0BB000, 0x0FB000, 262144, 0x1000, 0x0FB000, 374},
    {"1m512", 499696, 0x07B000, 0x0FB000, 524288, 0x2000, 0x0FB000, 246},
    {"2m", 1044464, 0x1FB000, 0x1FB000, 0, 0, 0x1FB000, 1014},
    {"2m64", 1044464, 0x1F0000, 0x1FB000, 45056, 0x1000, 0x1FB000, 992},
    {"2m128", 1044464, 0x1E0000, 0x1FB000, 110592, 0x1000, 0x1FB000, 960},
    {"2m256", 1044464, 0x1C0000, 0x1FB000, 241664, 0x1000, 0x1FB000, 896},
    {"2m512", 1044464, 0x180000, 0x1FA000, 499712, 0x2000, 0x1FB000, 768},
    {"2m1m", 1044464, 0x100000, 0x1FA000, 1024000, 0x2000, 0x1FB000, 512},
    {"4m", 1044464, 0x3FB000, 0x3FB000, 0, 0, 0x3FB000, 1019},
    {"4m1m", 1044464, 0x300000, 0x3FA000, 1024000, 0x2000, 0x3FB000, 1019},
    {"4m2m", 1044464, 0x200000, 0x3FA000, 2072576, 0x2000, 0x3FB000, 1019},
    {"4m3m", 1044464, 0x100000, 0x3FA000, 3121152, 0x2000, 0x3FB000, 512},
    {"8m6m", 1044464, 0x200000, 0x7FA000, 6266880, 0x2000, 0x7FB000, 1019},
    {"8m7m", 1044464, 0x100000, 0x7FA000, 7315456, 0x2000, 0x7FB000, 512},
    {"16m14m", 1044464, 0x200000, 0xFFA000, 14655488, 0x2000, 0xFFB000, 1019},
    {"16m15m", 1044464, 0x100000, 0xFFA000, 15704064, 0x2000, 0xFFB000, 512},
};

static void check_row(size_t i, const struct upd_arduino_layout *layout)
{
    const char *name = rows[i].name;
    uint32_t chip = rows[i].eeprom + 0x5000;

    CHECK_THAT(name, length_of(layout->name) == length_of(name));
    CHECK_THAT(name, memcmp(layout->name, name, length_of(name)) == 0);
    CHECK_THAT(name, layout->chip_size == chip);
    CHECK_THAT(name, layout->max_sketch == rows[i].max_sketch);
    CHECK_THAT(name, layout->fs_start == rows[i].fs_start);
    CHECK_THAT(name, layout->fs_end == rows[i].fs_end);
    CHECK_THAT(name, layout->fs_end - layout->fs_start == rows[i].fs_bytes);
    CHECK_THAT(name, layout->fs_block == rows[i].fs_block);
    CHECK_THAT(name, layout->eeprom == rows[i].eeprom);
    CHECK_THAT(name, layout->rf_cal == chip - 16 * 1024);
    CHECK_THAT(name, layout->sdk_params == chip - 12 * 1024);
    CHECK_THAT(name, layout->max_ota / 1024 == rows[i].ota_kib);
}

static void test_every_cell_of_the_table(void)
{
    char text[8];
    struct upd_arduino_layout stored = {.name = ""};
    int32_t size = check_load(UPD_VECTORS "/arduino_layout/4m2m.txt", text, sizeof text);

    CHECK(size > 0 && upd_arduino_layout_find(text, (size_t)size, &stored) == UPD_OK);
    check_row(20, &stored);
    CHECK(COUNT(rows) == UPD_ARDUINO_LAYOUT_COUNT);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct upd_arduino_layout layout, found;
        CHECK_THAT(rows[i].name, upd_arduino_layout(i, &layout) == UPD_OK);
        check_row(i, &layout);
        CHECK_THAT(rows[i].name, upd_arduino_layout_find(rows[i].name, length_of(rows[i].name),
                                                         &found) == UPD_OK);
        check_row(i, &found);
    }
}

/* A file of max_ota_file bytes fits above a running one of the same size, and one sector more does
 * not, unless the second MiB is the limit. */
static void test_the_largest_file_that_replaces_its_like(void)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct upd_arduino_layout layout;
        CHECK(upd_arduino_layout(i, &layout) == UPD_OK);
        uint32_t file = layout.max_ota_file;

        CHECK_THAT(rows[i].name, file % 4096 == 0 && file <= layout.max_file);
        CHECK_THAT(rows[i].name, file <= layout.fs_start - file);
        CHECK_THAT(rows[i].name, file + 4096 > layout.fs_start - (file + 4096) || file == 1 << 20);
        CHECK_THAT(rows[i].name, layout.max_file == layout.max_sketch + 4112);
        CHECK_THAT(rows[i].name, layout.max_file <= layout.fs_start);
    }
}

static void test_layouts_that_are_none(void)
{
    static const char *const lies[] = {"",     "512", "512kb", "1m64k", "2m1",
                                       "4m4m", "16m", "32m",   " 4m"};
    struct upd_arduino_layout layout = {.chip_size = 7};

    for (size_t i = 0; i < COUNT(lies); i++) {
        CHECK_THAT(lies[i], upd_arduino_layout_find(lies[i], length_of(lies[i]), &layout) ==
                                UPD_E_NOT_FOUND);
    }
    CHECK(upd_arduino_layout_find("16m15m", 3, &layout) == UPD_E_NOT_FOUND);
    CHECK(upd_arduino_layout(UPD_ARDUINO_LAYOUT_COUNT, &layout) == UPD_E_NOT_FOUND);
    CHECK(upd_arduino_layout(SIZE_MAX, &layout) == UPD_E_NOT_FOUND);
    CHECK(layout.chip_size == 7);
    CHECK(upd_arduino_layout_find("4M2m", 4, &layout) == UPD_OK && layout.fs_start == 0x200000);
    CHECK(upd_arduino_layout_find("4m2m", 2, &layout) == UPD_OK && layout.fs_start == 0x3FB000);
}

int main(void)
{
    CHECK_RUN(test_every_cell_of_the_table);
    CHECK_RUN(test_the_largest_file_that_replaces_its_like);
    CHECK_RUN(test_layouts_that_are_none);
    check_end();
}
