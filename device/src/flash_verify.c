#include "flash_verify.h"

#include "flash_ops.h"

enum { CHUNK = 64 };

enum upd_err upd_flash_verify(struct upd_device *device, const struct upd_image_target *target)
{
    struct upd_image_options options = {.target = target, .in_flash = true};
    struct upd_image_checker checker;
    uint8_t chunk[CHUNK];

    enum upd_err err = upd_image_begin(&checker, &options);
    for (uint32_t done = 0;
         err == UPD_OK && done < target->size && upd_image_wants_more(&checker);) {
        uint32_t now = target->size - done < CHUNK ? target->size - done : CHUNK;
        err = upd_flash_read(device, target->offset + done, chunk, now);
        if (err == UPD_OK) {
            err = upd_image_feed(&checker, chunk, now);
        }
        done += now;
    }
    return err == UPD_OK ? upd_image_end(&checker) : err;
}
