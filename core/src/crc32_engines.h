/*
 * The two ways in which crc32.c may compute: UPD_SMALL chooses. Private to crc32*.c and their
 * test, which compares the two. All work on the register: inverting it is the caller's.
 */
#ifndef UPDRAFT_CRC32_ENGINES_H
#define UPDRAFT_CRC32_ENGINES_H

#include <updraft/config.h>
#include <updraft/crc32.h>

/** Four bits a step; `lsb` with the low bit of a byte first, `msb` with the high bit first. */
uint32_t upd_crc32_small_lsb(uint32_t reg, const uint8_t *data, uint32_t size);
uint32_t upd_crc32_small_msb(uint32_t reg, const uint8_t *data, uint32_t size);

#if !UPD_SMALL

/** As their namesakes, eight bytes a step. */
uint32_t upd_crc32_fast_lsb(uint32_t reg, const uint8_t *data, uint32_t size);
uint32_t upd_crc32_fast_msb(uint32_t reg, const uint8_t *data, uint32_t size);

#else

#define upd_crc32_fast_lsb upd_crc32_small_lsb
#define upd_crc32_fast_msb upd_crc32_small_msb

#endif
#endif
