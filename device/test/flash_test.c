/* Goal: no range outside of a chip counts as inside, however large its numbers are. */
#include <updraft/flash.h>

#include "check.h"

#define MAX UINT32_MAX

static const struct {
    const char *name;
    uint32_t total_size, offset, size;
    bool inside;
} ranges[] = {
    {"whole chip", 0x100000, 0, 0x100000, true},
    {"last byte", 0x100000, 0xFFFFF, 1, true},
    {"nothing, at the end", 0x100000, 0x100000, 0, true},
    {"one byte too long", 0x100000, 0, 0x100001, false},
    {"one byte too far", 0x100000, 0x100000, 1, false},
    {"nothing, behind the end", 0x100000, 0x100001, 0, false},
    {"sum wraps to 0", 0x100000, 0x1000, MAX - 0xFFF, false},
    {"sum wraps into the chip", 0x100000, 0x2000, MAX - 0xFFF, false},
    {"offset beyond all", 0x100000, MAX, 1, false},
    {"largest chip, last byte", MAX, MAX - 1, 1, true},
    {"largest chip, one too far", MAX, MAX, 1, false},
    {"no chip", 0, 0, 1, false},
};

static void test_contains_is_right_at_every_border(void)
{
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        struct upd_flash flash = {.total_size = ranges[i].total_size};
        CHECK_THAT(ranges[i].name, upd_flash_contains(&flash, ranges[i].offset, ranges[i].size) ==
                                       ranges[i].inside);
    }
}

int main(void)
{
    CHECK_RUN(test_contains_is_right_at_every_border);
    check_end();
}
