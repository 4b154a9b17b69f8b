/*
 * core/flash_map in the few bytes that a boot loader has: computed from the number of the map.
 * boot/test/nonos_test.c compares all sixteen.
 */
#ifndef BOOT_NONOS_MAP_H
#define BOOT_NONOS_MAP_H

#include <stdbool.h>
#include <stdint.h>

struct boot_map {
    uint32_t size;     /* bytes of the chip */
    uint32_t sysparam; /* flash address of the parameter area */
    uint32_t user2;    /* flash address of slot user2 */
    uint32_t room;     /* bytes that a slot has */
};

/**
 * @param number  0..15, the high nibble of flash byte 3
 * @return false: this map has no slots; *map is then of no use
 */
bool boot_map(uint32_t number, struct boot_map *map);

#endif
