/* A digest is the same in any two pieces, and by either engine. */
#include <stdlib.h>
#include <string.h>

#include <updraft/sha256.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void digest(const uint8_t *data, uint32_t size, uint32_t split, bool portable,
                   uint8_t result[UPD_SHA256_SIZE])
{
    struct upd_sha256 sha;

    upd_sha256_init(&sha);
    sha.accelerated = sha.accelerated && !portable;
    upd_sha256_update(&sha, data, split);
    upd_sha256_update(&sha, data + split, size - split);
    upd_sha256_final(&sha, result);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t whole[UPD_SHA256_SIZE], result[UPD_SHA256_SIZE];
    uint32_t split = size == 0 ? 0 : data[0] * 3u % (uint32_t)size;

    digest(data, (uint32_t)size, 0, true, whole);
    for (int portable = 0; portable < 2; portable++) {
        digest(data, (uint32_t)size, split, portable != 0, result);
        if (memcmp(whole, result, sizeof whole) != 0) {
            abort();
        }
    }
    return 0;
}
