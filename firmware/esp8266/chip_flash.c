#include "chip_flash.h"

#include "chip.h"

enum { SECTOR = 4096, PAGE = 256, BLOCK = 65536 };
enum { LARGE_CACHE = 1 }; /* 32 KiB, and 32 KiB of instruction RAM left */

IN_RAM void chip_flash_open_window(uint8_t megabyte)
{
    Cache_Read_Enable(megabyte & 1, megabyte >> 1, LARGE_CACHE);
}

IN_RAM uint8_t chip_flash_setting(void)
{
    uint32_t word = 0;

    return SPIRead(0, &word, sizeof word) == 0 ? (uint8_t)(word >> 24) : 0xFF;
}

/* The ROM reads and writes whole words, to and from whole words. */
static IN_RAM enum upd_err read(void *ctx, uint32_t offset, void *data, uint32_t size)
{
    const struct chip_flash *port = ctx;
    uint8_t *to = data;
    uint32_t piece[PAGE / 4];
    int problem = 0;

    chip_feed_watchdog();
    Cache_Read_Disable();
    while (size > 0 && problem == 0) {
        uint32_t skip = offset % 4;
        uint32_t now = size < sizeof piece - skip ? size : (uint32_t)sizeof piece - skip;
        problem = SPIRead(offset - skip, piece, (skip + now + 3) & ~3u);
        memcpy(to, (const uint8_t *)piece + skip, now);
        offset += now;
        to += now;
        size -= now;
    }
    chip_flash_open_window(port->megabyte);
    return problem == 0 ? UPD_OK : UPD_E_IO;
}

static IN_RAM enum upd_err write(void *ctx, uint32_t offset, const void *data, uint32_t size)
{
    const struct chip_flash *port = ctx;
    const uint8_t *from = data;
    uint32_t piece[PAGE / 4];
    int problem = 0;

    chip_feed_watchdog();
    Cache_Read_Disable();
    while (size > 0 && problem == 0) {
        uint32_t now = size < sizeof piece ? size : (uint32_t)sizeof piece;
        memcpy(piece, from, now);
        problem = SPIWrite(offset, piece, now);
        offset += now;
        from += now;
        size -= now;
    }
    chip_flash_open_window(port->megabyte);
    return problem == 0 ? UPD_OK : UPD_E_IO;
}

static IN_RAM enum upd_err erase(void *ctx, uint32_t offset)
{
    const struct chip_flash *port = ctx;

    chip_feed_watchdog();
    Cache_Read_Disable();
    int problem = SPIEraseSector(offset / SECTOR);
    chip_flash_open_window(port->megabyte);
    return problem == 0 ? UPD_OK : UPD_E_IO;
}

/* The ROM believes in 4 MiB until it is told otherwise; a fresh chip may be write-protected. */
static IN_RAM void set_up(uint32_t size, uint8_t megabyte)
{
    const uint32_t any_chip = 0;
    const uint32_t all_status_bits = 0xFFFF;

    Cache_Read_Disable();
    SPIParamCfg(any_chip, size, BLOCK, SECTOR, PAGE, all_status_bits);
    SPIUnlock();
    chip_flash_open_window(megabyte);
}

void chip_flash_init(struct chip_flash *port, uint32_t size, uint8_t megabyte)
{
    port->flash = (struct upd_flash){read, write, erase, port, size, SECTOR, PAGE, 4};
    port->megabyte = megabyte;
    set_up(size, megabyte);
}
