#include "flash_ops.h"

#include <updraft/bytes.h>
#include <updraft/crc32.h>

enum { CHUNK = 64, ZEROS = 64 };

static enum upd_err noted(struct upd_device *device, uint32_t offset, enum upd_err err)
{
    if (err != UPD_OK) {
        device->trouble = offset - offset % UPD_JOURNAL_SIZE;
    }
    return err;
}

static uint32_t smaller(uint32_t one, uint32_t other)
{
    return one < other ? one : other;
}

enum upd_err upd_flash_read(struct upd_device *device, uint32_t offset, void *data, uint32_t size)
{
    const struct upd_flash *flash = device->flash;

    return noted(device, offset, flash->read(flash->ctx, offset, data, size));
}

enum upd_err upd_flash_erase(struct upd_device *device, uint32_t offset)
{
    const struct upd_flash *flash = device->flash;

    return noted(device, offset, flash->erase(flash->ctx, offset));
}

enum upd_err upd_flash_crc32(struct upd_device *device, uint32_t offset, uint32_t size,
                             uint32_t *crc32)
{
    uint8_t chunk[CHUNK];
    enum upd_err err = UPD_OK;

    while (err == UPD_OK && size > 0) {
        uint32_t now = smaller(size, CHUNK);
        err = upd_flash_read(device, offset, chunk, now);
        *crc32 = upd_crc32(*crc32, chunk, now);
        offset += now;
        size -= now;
    }
    return err;
}

enum upd_err upd_flash_compare(struct upd_device *device, uint32_t offset, const void *data,
                               uint32_t size)
{
    const uint8_t *wanted = data;
    uint8_t found[CHUNK];
    enum upd_err err = UPD_OK;

    while (err == UPD_OK && size > 0) {
        uint32_t now = smaller(size, CHUNK);
        err = upd_flash_read(device, offset, found, now);
        if (err == UPD_OK && memcmp(found, wanted, now) != 0) {
            err = noted(device, offset, UPD_E_VERIFY);
        }
        offset += now;
        wanted += now;
        size -= now;
    }
    return err;
}

enum upd_err upd_flash_program(struct upd_device *device, uint32_t offset, const void *data,
                               uint32_t size)
{
    const struct upd_flash *flash = device->flash;

    size += (0u - size) & (flash->write_size - 1);
    enum upd_err err = noted(device, offset, flash->write(flash->ctx, offset, data, size));
    return err == UPD_OK ? upd_flash_compare(device, offset, data, size) : err;
}

static uint32_t ones(const uint8_t *bytes, uint32_t size)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < size; i++) {
        for (uint32_t bits = bytes[i]; bits != 0; bits &= bits - 1) {
            count++;
        }
    }
    return count;
}

enum upd_err upd_flash_clear(struct upd_device *device, uint32_t offset, uint32_t size,
                             uint32_t most_ones)
{
    const struct upd_flash *flash = device->flash;
    uint8_t bytes[ZEROS];
    uint32_t left = 0;

    for (uint32_t done = 0; done < size; done += ZEROS) {
        uint32_t now = smaller(size - done, ZEROS);
        memset(bytes, 0, sizeof bytes);
        enum upd_err err = flash->write(flash->ctx, offset + done, bytes, now);
        if (err == UPD_OK) {
            err = flash->read(flash->ctx, offset + done, bytes, now);
        }
        if (err != UPD_OK) {
            return noted(device, offset, err);
        }
        left += ones(bytes, now);
    }
    return noted(device, offset, left <= most_ones ? UPD_OK : UPD_E_VERIFY);
}
