/* A CRC is the same in any two pieces, and by either engine. */
#include <stdlib.h>

#include "../src/crc32_engines.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint32_t whole = (uint32_t)size, split = size == 0 ? 0 : data[0] * 3u % whole;
    uint32_t zlib = upd_crc32(UPD_CRC32_INIT, data, split);
    uint32_t mpeg2 = upd_crc32_mpeg2(UPD_CRC32_MPEG2_INIT, data, split);

    zlib = upd_crc32(zlib, data + split, whole - split);
    mpeg2 = upd_crc32_mpeg2(mpeg2, data + split, whole - split);
    if (zlib != ~upd_crc32_small_lsb(0xFFFFFFFFu, data, whole) ||
        mpeg2 != upd_crc32_small_msb(0xFFFFFFFFu, data, whole)) {
        abort();
    }
    return 0;
}
