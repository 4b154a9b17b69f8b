#include "crc32_engines.h"

#include <updraft/bytes.h>

uint32_t upd_crc32(uint32_t crc, const void *data, uint32_t size)
{
    return ~upd_crc32_fast_lsb(~crc, data, size);
}

uint32_t upd_crc32_otadata(uint32_t sequence)
{
    uint8_t bytes[4];

    upd_put_le32(bytes, sequence);
    return upd_crc32(UPD_CRC32_OTADATA_INIT, bytes, sizeof bytes);
}

uint32_t upd_crc32_mpeg2(uint32_t crc, const void *data, uint32_t size)
{
    return upd_crc32_fast_msb(crc, data, size);
}
