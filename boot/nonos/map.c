#include "map.h"

#include <updraft/flash_map.h>

/* For each map three bits: the chip has 2^(17 + n) bytes; 0: the map has no slots. */
#define SIZES                                                                                      \
    (2u << 3 * 0 | 3u << 3 * 2 | 4u << 3 * 3 | 5u << 3 * 4 | 4u << 3 * 5 | 5u << 3 * 6 |           \
     6u << 3 * 8 | 7u << 3 * 9)

bool boot_map(uint32_t number, struct boot_map *map)
{
    uint32_t code = number < 10 ? SIZES >> 3 * number & 7 : 0;
    uint32_t distance = number == 0 ? 0x40000 : number < 5 ? 0x80000 : 0x100000;

    map->size = 0x20000u << code;
    map->sysparam = map->size - 4 * UPD_FLASH_SECTOR;
    map->user2 = distance + UPD_USER1_ADDRESS;
    map->room = distance - 5 * UPD_FLASH_SECTOR;
    return code != 0;
}
