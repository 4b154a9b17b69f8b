/*
 * CRC-32 for the boot loader, in place of core's: a word at a time, because code lies in RAM of
 * which only words can be read, with a table that is computed instead of stored.
 */
#include "crc32.h"

#include <updraft/crc32.h>

#define POLYNOMIAL 0xEDB88320u

static uint32_t table[256];

void boot_crc32_prepare(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t value = i;
        for (uint32_t bit = 0; bit < 8; bit++) {
            value = value >> 1 ^ (POLYNOMIAL & (0 - (value & 1)));
        }
        table[i] = value;
    }
}

/* `data` is aligned to 4 bytes, and `size` a multiple of 4. */
uint32_t upd_crc32(uint32_t crc, const void *data, uint32_t size)
{
    const uint32_t *word = data;

    crc = ~crc;
    for (; size > 0; size -= 4) {
        crc ^= *word++;
        for (uint32_t i = 0; i < 4; i++) {
            crc = crc >> 8 ^ table[crc & 0xFF];
        }
    }
    return ~crc;
}
