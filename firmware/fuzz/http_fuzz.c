/* An answer cut anywhere is read as the same answer fed byte by byte. */
#include <stddef.h>
#include <stdlib.h>

#include "http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct http_head whole, pieces;
    uint32_t used = 0, step = 0, at = 0;

    http_begin(&whole);
    http_begin(&pieces);
    enum upd_err err = http_feed(&whole, data, (uint32_t)size, &used);
    enum upd_err other = UPD_E_SHORT;
    while (at < size && other == UPD_E_SHORT) {
        other = http_feed(&pieces, data + at, 1, &step);
        at += step;
    }
    if (err != other || used != at || used > size || whole.status != pieces.status ||
        whole.length != pieces.length || whole.first != pieces.first || whole.date != pieces.date) {
        abort();
    }
    return 0;
}
