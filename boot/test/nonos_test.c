/*
 * Goal: what the NONOS boot loader computes in fewer bytes than core/ is what core/ says.
 *
 * Method: every number of a map beside core's table; the CRC-32 beside core's, over words.
 */
#include "check.h"

#include <updraft/crc32.h>
#include <updraft/flash_map.h>

#include <crc32.h>
#include <map.h>

/* As boot/ compiles it here: beside core's. */
uint32_t boot_crc32(uint32_t crc, const void *data, uint32_t size);

static void test_every_map_is_as_core_has_it(void)
{
    for (uint32_t number = 0; number < 16; number++) {
        const struct upd_flash_map *map = upd_flash_map(number);
        struct boot_map found;
        struct upd_flash_span span = {0, 0};
        bool slots = boot_map(number, &found);

        CHECK(slots == (map != NULL && map->fota));
        if (!slots) {
            continue;
        }
        CHECK(found.size == map->size);
        CHECK(found.user2 == map->user2);
        CHECK(found.sysparam == upd_flash_map_sysparam(map));
        CHECK(upd_flash_map_region(map, UPD_REGION_USER2, &span) == UPD_OK);
        CHECK(found.room == span.size);
        CHECK(upd_flash_map_region(map, UPD_REGION_USER1, &span) == UPD_OK);
        CHECK(found.room == span.size);
    }
}

static void test_crc_of_words_is_cores(void)
{
    uint32_t words[64];
    uint32_t crc = UPD_CRC32_INIT;

    boot_crc32_prepare();
    for (uint32_t i = 0; i < 64; i++) {
        words[i] = i * 0x9E3779B9u ^ i << 7;
        CHECK(boot_crc32(UPD_CRC32_INIT, words, 4 * i) == upd_crc32(UPD_CRC32_INIT, words, 4 * i));
        crc = boot_crc32(crc, &words[i], 4); /* in pieces */
    }
    CHECK(crc == upd_crc32(UPD_CRC32_INIT, words, sizeof words));
    words[0] = 0x34333231;
    words[1] = 0x38373635;
    CHECK(boot_crc32(UPD_CRC32_INIT, words, 8) == 0x9AE0DAAFu); /* "12345678" */
}

int main(void)
{
    CHECK_RUN(test_every_map_is_as_core_has_it);
    CHECK_RUN(test_crc_of_words_is_cores);
    check_end();
}
