/* Goal: each chip is found by its name and by nothing else, and no two share a name or an id. */
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

int main(void)
{
    CHECK_RUN(test_a_chip_is_found_by_its_name);
    CHECK_RUN(test_other_names_are_no_chip);
    check_end();
}
