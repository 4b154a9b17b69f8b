/*
 * Flash as the engine uses it: what is written is read back, and after an error device->trouble names
 * the sector. Private to device/.
 *
 * All functions return an error of the flash port as it is. Cost: 64 bytes of stack and the port's.
 */
#ifndef UPDRAFT_FLASH_OPS_H
#define UPDRAFT_FLASH_OPS_H

#include <stdint.h>

#include <updraft/scheme.h>

/** Note that the flash does not hold at `offset` what it should; returns UPD_E_VERIFY. */
enum upd_err upd_flash_trouble(struct upd_device *device, uint32_t offset);

/** Read `size` bytes. */
UPD_MUST_CHECK enum upd_err upd_flash_read(struct upd_device *device, uint32_t offset, void *data,
                                           uint32_t size);

/** Erase the sector at a sector-aligned offset. What it holds then is found out by
 * upd_flash_program(). */
UPD_MUST_CHECK enum upd_err upd_flash_erase(struct upd_device *device, uint32_t offset);

/** Continue the CRC-32 of zlib, which the caller began, over `size` bytes. */
UPD_MUST_CHECK enum upd_err upd_flash_crc32(struct upd_device *device, uint32_t offset,
                                            uint32_t size, uint32_t *crc32);

/** @return UPD_E_VERIFY  the flash does not hold `data`, `size` bytes */
UPD_MUST_CHECK enum upd_err upd_flash_compare(struct upd_device *device, uint32_t offset,
                                              const void *data, uint32_t size);

/**
 * Program bytes, and read them back. Offset is a multiple of the flash's write_size, and size is
 * rounded up to one: what lies behind `data` is programmed too.
 *
 * @return UPD_E_VERIFY  the flash does not hold `data` afterwards
 */
UPD_MUST_CHECK enum upd_err upd_flash_program(struct upd_device *device, uint32_t offset,
                                              const void *data, uint32_t size);

/**
 * Program bytes to 0, for marks and to wipe. They are not read back: cells that a cut left unstable
 * may stay so, and the caller asks what it wants to know of them.
 */
UPD_MUST_CHECK enum upd_err upd_flash_clear(struct upd_device *device, uint32_t offset,
                                            uint32_t size);

#endif
