/* The gzip reader and zlib say the same of every file, whole or in pieces, whatever the window. */
#include "../test/host/zlib_witness.h"

#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* Limits of the output, and sizes of pieces: one of each for a file, since speed finds more. */
    static const uint32_t limits[] = {8192, 1000}, pieces[] = {0, 1, 17};
    uint32_t limit = limits[size % 2], piece = pieces[size % 3];
    const char *what = disagreement(data, (uint32_t)size, piece, limit);

    if (what != NULL) {
        fprintf(stderr, "limit %u, pieces of about %u: they differ in %s\n", limit, piece, what);
        abort();
    }
    if (size % 5 == 0 && !small_window_agrees(data, (uint32_t)size, 3, 256, limit)) {
        abort();
    }
    return 0;
}
