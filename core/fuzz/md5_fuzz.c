/* A digest is the same in any two pieces. */
#include <stdlib.h>
#include <string.h>

#include <updraft/md5.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void digest(const uint8_t *data, uint32_t size, uint32_t split, uint8_t result[UPD_MD5_SIZE])
{
    struct upd_md5 md5;

    upd_md5_init(&md5);
    upd_md5_update(&md5, data, split);
    upd_md5_update(&md5, data + split, size - split);
    upd_md5_final(&md5, result);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t whole[UPD_MD5_SIZE], result[UPD_MD5_SIZE];
    uint32_t split = size == 0 ? 0 : data[0] * 3u % (uint32_t)size;

    digest(data, (uint32_t)size, 0, whole);
    digest(data, (uint32_t)size, split, result);
    if (memcmp(whole, result, sizeof whole) != 0) {
        abort();
    }
    return 0;
}
