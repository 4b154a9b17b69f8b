/*
 * Goal: each chip is found by its name and by nothing else, no two share a name or an id, and the
 * boot loader's place is the one that flashing tools write it to.
 */
#include <updraft/bytes.h>
#include <updraft/chip.h>

#include "check.h"

static const struct {
    enum upd_chip chip;
    uint32_t id;
    const char *text;
} chips[] = {
#define X(name, id, text) {UPD_CHIP_##name, id, text},
    UPD_CHIPS(X)
#undef X
};
enum { CHIPS = sizeof chips / sizeof chips[0] };

static void test_a_chip_is_found_by_its_name(void)
{
    for (size_t i = 0; i < CHIPS; i++) {
        CHECK_THAT(chips[i].text, upd_chip_find(chips[i].text) == chips[i].chip);
        CHECK_THAT(chips[i].text, upd_chip_find(upd_chip_text(chips[i].chip)) == chips[i].chip);
        for (size_t k = 0; k < i; k++) {
            CHECK_THAT(chips[i].text, chips[i].id != chips[k].id);
        }
    }
}

static void test_other_names_are_no_chip(void)
{
    static const char *const texts[] = {"",       "e",     "esp",      "esp3",
                                        "esp322", "ESP32", "esp32-c3", "none"};

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        CHECK_THAT(texts[i], upd_chip_find(texts[i]) == UPD_CHIP_NONE);
    }
    CHECK(memcmp(upd_chip_text(UPD_CHIP_NONE), "none", 5) == 0);
    CHECK(memcmp(upd_chip_text((enum upd_chip)99), "none", 5) == 0);
}

/* Every chip has a row: one that is added to the list and not here fails the count. */
static void test_the_boot_loader_lies_where_the_rom_looks(void)
{
    static const struct {
        enum upd_chip chip;
        uint32_t offset;
    } rows[] = {
        {UPD_CHIP_ESP8266, 0},      {UPD_CHIP_ESP32, 0x1000},   {UPD_CHIP_ESP32S2, 0x1000},
        {UPD_CHIP_ESP32C3, 0},      {UPD_CHIP_ESP32S3, 0},      {UPD_CHIP_ESP32C2, 0},
        {UPD_CHIP_ESP32C6, 0},      {UPD_CHIP_ESP32H2, 0},      {UPD_CHIP_ESP32P4, 0x2000},
        {UPD_CHIP_ESP32C61, 0},     {UPD_CHIP_ESP32C5, 0x2000}, {UPD_CHIP_ESP32H21, 0},
        {UPD_CHIP_ESP32H4, 0x2000}, {UPD_CHIP_ESP32E22, 0},     {UPD_CHIP_ESP32S31, 0x2000},
    };

    CHECK(sizeof rows / sizeof rows[0] == CHIPS);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CHECK_THAT(upd_chip_text(rows[i].chip),
                   upd_chip_boot_offset(rows[i].chip) == rows[i].offset);
    }
    CHECK(upd_chip_boot_offset(UPD_CHIP_NONE) == 0xFFFFFFFF);
    CHECK(upd_chip_boot_offset((enum upd_chip)99) == 0xFFFFFFFF);
}

int main(void)
{
    CHECK_RUN(test_the_boot_loader_lies_where_the_rom_looks);
    CHECK_RUN(test_a_chip_is_found_by_its_name);
    CHECK_RUN(test_other_names_are_no_chip);
    check_end();
}
