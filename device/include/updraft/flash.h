/*
 * updraft: the flash port. Porting updraft to a new chip starts with the three functions of
 * struct upd_flash; everything above them relies on the promises listed here and on nothing else.
 * The simulated flash (sim/) breaks each promise on demand. Why the list reads as it does, with the
 * literature: docs/flash-model.md.
 */
#ifndef UPDRAFT_FLASH_H
#define UPDRAFT_FLASH_H

#include <stdbool.h>
#include <stdint.h>

#include <updraft/err.h>

/**
 * A NOR flash chip, as the library sees it.
 *
 * What the library promises to every port:
 *   - Offsets count bytes from the start of the chip, and no access leaves [0, total_size).
 *   - read() may have any offset and size. erase() has a sector-aligned offset. write() has an
 *     offset and a size which are multiples of write_size, and may cross pages and sectors.
 *   - `data` is not NULL, unless size is 0; it may lie at any address. Size 0 does nothing.
 *   - write() never asks for a 1 where the flash holds a 0.
 *   - One call at a time: no function is entered while another one runs.
 *
 * What every port promises to the library:
 *   - erase() sets each bit of one sector to 1 and changes no other sector.
 *   - write() only clears bits, only those that are 0 in `data`, and only in [offset, offset +
 *     size). It programs page after page, in rising order of address. Bytes may be written again
 *     without an erase, to clear more bits.
 *   - UPD_OK means done: the cells hold the new content, and no later power cut takes it back. It
 *     is not a proof: the library reads back what it wrote.
 *   - Any other result, UPD_E_IO by rule, is returned unchanged to the application. What a failed
 *     write() or erase() leaves is then as if power had been cut.
 *
 * What a power cut may leave, and the library has to survive:
 *   - During write(): pages before the current one are done, later ones untouched. In the current
 *     page each bit that was to be cleared is cleared, or still 1, or unstable; and other bits of
 *     that page that were 1, inside or outside of [offset, offset + size), may be cleared or
 *     unstable too. What must survive the cut of a write therefore lies in another page.
 *   - During erase(): any bits in that one sector, 0 where there was 1 included, because chips
 *     program a sector to 0 before they erase it. Any cell may be unstable.
 *   - An unstable cell reads as 0 or 1, anew at each read, until its sector is erased. Bytes that
 *     once read well are therefore no proof that they will: whoever depends on bytes that a cut may
 *     have touched erases and writes them again.
 *   - No cell of another sector changes, whatever was cut.
 */
struct upd_flash {
    enum upd_err (*read)(void *ctx, uint32_t offset, void *data, uint32_t size);
    enum upd_err (*write)(void *ctx, uint32_t offset, const void *data, uint32_t size);
    enum upd_err (*erase)(void *ctx, uint32_t offset);
    void *ctx;            /* handed back untouched; owned by the port */
    uint32_t total_size;  /* bytes, multiple of sector_size */
    uint32_t sector_size; /* bytes, power of two, multiple of page_size; 4096 on ESP8266, ESP32 */
    uint32_t page_size;   /* bytes, power of two, multiple of write_size; 256 on ESP8266, ESP32 */
    uint32_t write_size;  /* bytes, power of two; 4 on ESP8266 */
};

/** True when [offset, offset + size) lies on the chip; cannot overflow. */
static inline bool upd_flash_contains(const struct upd_flash *flash, uint32_t offset, uint32_t size)
{
    return offset <= flash->total_size && size <= flash->total_size - offset;
}

#endif
