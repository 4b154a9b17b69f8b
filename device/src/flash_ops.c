#include "flash_ops.h"

#include <updraft/bytes.h>
#include <updraft/crc32.h>

enum { CHUNK = 64 };

static enum upd_err noted(struct upd_device *device, uint32_t offset, enum upd_err err)
{
    if (err != UPD_OK) {
        device->trouble = offset - offset % UPD_JOURNAL_SIZE;
    }
    return err;
}

enum upd_err upd_flash_trouble(struct upd_device *device, uint32_t offset)
{
    return noted(device, offset, UPD_E_VERIFY);
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
            err = upd_flash_trouble(device, offset);
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

enum upd_err upd_flash_clear(struct upd_device *device, uint32_t offset, uint32_t size)
{
    const struct upd_flash *flash = device->flash;
    uint8_t zeros[CHUNK];
    enum upd_err err = UPD_OK;

    memset(zeros, 0, sizeof zeros);
    for (uint32_t done = 0; done < size && err == UPD_OK; done += CHUNK) {
        err = flash->write(flash->ctx, offset + done, zeros, smaller(size - done, CHUNK));
    }
    return noted(device, offset, err);
}
