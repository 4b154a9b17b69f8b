#include "crc32_engines.h"

/* What four bits that leave the register do to the rest of it. */
static const uint32_t lsb[16] = {
    0x00000000, 0x1DB71064, 0x3B6E20C8, 0x26D930AC, 0x76DC4190, 0x6B6B51F4, 0x4DB26158, 0x5005713C,
    0xEDB88320, 0xF00F9344, 0xD6D6A3E8, 0xCB61B38C, 0x9B64C2B0, 0x86D3D2D4, 0xA00AE278, 0xBDBDF21C,
};

static const uint32_t msb[16] = {
    0x00000000, 0x04C11DB7, 0x09823B6E, 0x0D4326D9, 0x130476DC, 0x17C56B6B, 0x1A864DB2, 0x1E475005,
    0x2608EDB8, 0x22C9F00F, 0x2F8AD6D6, 0x2B4BCB61, 0x350C9B64, 0x31CD86D3, 0x3C8EA00A, 0x384FBDBD,
};

uint32_t upd_crc32_small_lsb(uint32_t reg, const uint8_t *data, uint32_t size)
{
    for (; size != 0; size--) {
        reg ^= *data++;
        reg = reg >> 4 ^ lsb[reg & 15];
        reg = reg >> 4 ^ lsb[reg & 15];
    }
    return reg;
}

uint32_t upd_crc32_small_msb(uint32_t reg, const uint8_t *data, uint32_t size)
{
    for (; size != 0; size--) {
        reg ^= (uint32_t)*data++ << 24;
        reg = reg << 4 ^ msb[reg >> 28];
        reg = reg << 4 ^ msb[reg >> 28];
    }
    return reg;
}
