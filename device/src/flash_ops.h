/*
 * Flash as the engine uses it: what is written is read back, and after an error device->trouble names
 * the sector. Private to device/.
 *
 * Errors stick. The first one of a call into the library is kept in device->err, and from then on,
 * until the application calls again, nothing is written and whatever is read is all FF. So a
 * sequence of operations needs no check between them: it stops at the first that fails, as if power
 * had been cut there. Who decides by what was read, keeps something in memory, or loops until he
 * finds something, asks device->err first.
 *
 * All functions return device->err, which may be an error of the flash port as it is. Cost: 64
 * bytes of stack and the port's.
 */
#ifndef UPDRAFT_FLASH_OPS_H
#define UPDRAFT_FLASH_OPS_H

#include <stdint.h>

#include <updraft/scheme.h>

/** No error stands any more: a call into the library begins, or the error is one that does no harm. */
void upd_flash_forgive(struct upd_device *device);

/** Of writing what may be missing as well: forgive UPD_E_VERIFY. Returns the error that is left. */
enum upd_err upd_flash_tolerate(struct upd_device *device);

/** Note that the flash does not hold at `offset` what it should: UPD_E_VERIFY, if no other error
 * stands. */
enum upd_err upd_flash_trouble(struct upd_device *device, uint32_t offset);

/** Read `size` bytes. */
enum upd_err upd_flash_read(struct upd_device *device, uint32_t offset, void *data, uint32_t size);

/** Erase the sector at a sector-aligned offset. What it holds then is found out by
 * upd_flash_program(). */
enum upd_err upd_flash_erase(struct upd_device *device, uint32_t offset);

/** Continue the CRC-32 of zlib, which the caller began, over `size` bytes. */
enum upd_err upd_flash_crc32(struct upd_device *device, uint32_t offset, uint32_t size,
                             uint32_t *crc32);

/** @return UPD_E_VERIFY  the flash does not hold `data`, `size` bytes */
enum upd_err upd_flash_compare(struct upd_device *device, uint32_t offset, const void *data,
                               uint32_t size);

/**
 * Program bytes, and read them back. Offset is a multiple of the flash's write_size, and size is
 * rounded up to one: what lies behind `data` is programmed too.
 *
 * @return UPD_E_VERIFY  the flash does not hold `data` afterwards
 */
enum upd_err upd_flash_program(struct upd_device *device, uint32_t offset, const void *data,
                               uint32_t size);

/**
 * Program at most 64 bytes to 0, for marks and to wipe. They are not read back: cells that a cut left unstable
 * may stay so, and the caller asks what it wants to know of them.
 */
enum upd_err upd_flash_clear(struct upd_device *device, uint32_t offset, uint32_t size);

#endif
