/*
 * What the chip's ROM does with flash: read the image at offset 0, copy its segments to RAM, check
 * the XOR checksum, jump to the entry. The ROM trusts the addresses in the segment headers; the
 * stand-in refuses those that are not RAM of the chip, because its own code would be overwritten.
 */
#include "rom.h"

enum { IMAGE_MAGIC = 0xE9, MAX_SEGMENTS = 16, CHECKSUM_SEED = 0xEF };
enum { HEADER_SIZE = 8, SEGMENT_HEADER_SIZE = 8 };

static bool is_ram(uint32_t address, uint32_t size)
{
    static const struct {
        uint32_t first, size;
    } windows[] = {{0x3FFE8000, 0x14000}, {0x40100000, 0x10000}};

    for (size_t i = 0; i < sizeof windows / sizeof windows[0]; i++) {
        if (address >= windows[i].first && size <= windows[i].size &&
            address - windows[i].first <= windows[i].size - size) {
            return true;
        }
    }
    return false;
}

static _Noreturn void give_up(const char *why, uint32_t value)
{
    ets_printf("%s\n", why);
    machine_end("rom", value);
}

void rom_boot(void)
{
    uint32_t header[2];
    uint8_t sum = CHECKSUM_SEED;
    uint32_t at = HEADER_SIZE;

    ets_printf("\n ets Jan  8 2013,rst cause:%d, boot mode:(3,7)\n\n", (int)machine_cause());
    if (SPIRead(0, header, sizeof header) != 0 || (header[0] & 0xFF) != IMAGE_MAGIC) {
        give_up("invalid header: no image at flash 0", 0);
    }
    uint32_t count = header[0] >> 8 & 0xFF;
    if (count == 0 || count > MAX_SEGMENTS) {
        give_up("invalid header: segment count", count);
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t segment[2];
        if (SPIRead(at, segment, sizeof segment) != 0 || segment[1] % 4 != 0 ||
            !is_ram(segment[0], segment[1])) {
            give_up("segment outside of RAM", i);
        }
        uint8_t *target = (uint8_t *)(uintptr_t)segment[0];
        if (SPIRead(at + SEGMENT_HEADER_SIZE, target, segment[1]) != 0) {
            give_up("cannot read a segment", i);
        }
        ets_printf("load 0x%08x, len %d\n", segment[0], (int)segment[1]);
        for (uint32_t k = 0; k < segment[1]; k++) {
            sum ^= target[k];
        }
        at += SEGMENT_HEADER_SIZE + segment[1];
    }
    uint8_t last[4];
    at |= 15;
    if (SPIRead(at & ~3u, last, sizeof last) != 0 || last[3] != sum) {
        ets_printf("csum err\n");
        give_up("ets_main.c", sum);
    }
    ets_printf("csum 0x%02x\n", sum);
    rom_start_code(header[1], STACK_TOP);
}

void rom_returned(void)
{
    ets_printf("user code done\n");
    machine_end("returned", 0);
}
