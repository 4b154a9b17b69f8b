#include "flash_ops.h"

#include <updraft/bytes.h>
#include <updraft/crc32.h>

enum { CHUNK = 64 };

static enum upd_err noted(struct upd_device *device, uint32_t offset, enum upd_err err)
{
    if (err != UPD_OK) {
        device->trouble = offset - offset % UPD_JOURNAL_SIZE;
        device->err = err;
    }
    return err;
}

void upd_flash_forgive(struct upd_device *device)
{
    device->trouble = UINT32_MAX;
    device->err = UPD_OK;
}

enum upd_err upd_flash_tolerate(struct upd_device *device)
{
    if (device->err == UPD_E_VERIFY) {
        upd_flash_forgive(device);
    }
    return device->err;
}

/* Called from many places, each of which the compiler would give a copy that is larger than a call. */
__attribute__((noinline)) enum upd_err upd_flash_trouble(struct upd_device *device, uint32_t offset)
{
    return device->err == UPD_OK ? noted(device, offset, UPD_E_VERIFY) : device->err;
}

static uint32_t smaller(uint32_t one, uint32_t other)
{
    return one < other ? one : other;
}

enum upd_err upd_flash_read(struct upd_device *device, uint32_t offset, void *data, uint32_t size)
{
    const struct upd_flash *flash = device->flash;

    if (device->err == UPD_OK) {
        noted(device, offset, flash->read(flash->ctx, offset, data, size));
    }
    if (device->err != UPD_OK) {
        memset(data, 0xFF, size);
    }
    return device->err;
}

enum upd_err upd_flash_erase(struct upd_device *device, uint32_t offset)
{
    const struct upd_flash *flash = device->flash;

    return device->err == UPD_OK ? noted(device, offset, flash->erase(flash->ctx, offset))
                                 : device->err;
}

enum upd_err upd_flash_crc32(struct upd_device *device, uint32_t offset, uint32_t size,
                             uint32_t *crc32)
{
    uint8_t chunk[CHUNK];

    while (size > 0 && device->err == UPD_OK) {
        uint32_t now = smaller(size, CHUNK);
        upd_flash_read(device, offset, chunk, now);
        *crc32 = upd_crc32(*crc32, chunk, now);
        offset += now;
        size -= now;
    }
    return device->err;
}

enum upd_err upd_flash_compare(struct upd_device *device, uint32_t offset, const void *data,
                               uint32_t size)
{
    const uint8_t *wanted = data;
    uint8_t found[CHUNK];

    while (size > 0) {
        uint32_t now = smaller(size, CHUNK);
        upd_flash_read(device, offset, found, now);
        if (memcmp(found, wanted, now) != 0) {
            upd_flash_trouble(device, offset);
        }
        offset += now;
        wanted += now;
        size -= now;
    }
    return device->err;
}

static enum upd_err write(struct upd_device *device, uint32_t offset, const void *data,
                          uint32_t size)
{
    const struct upd_flash *flash = device->flash;

    return device->err == UPD_OK
               ? noted(device, offset, flash->write(flash->ctx, offset, data, size))
               : device->err;
}

enum upd_err upd_flash_program(struct upd_device *device, uint32_t offset, const void *data,
                               uint32_t size)
{
    size += (0u - size) & (device->flash->write_size - 1);
    write(device, offset, data, size);
    return upd_flash_compare(device, offset, data, size);
}

enum upd_err upd_flash_clear(struct upd_device *device, uint32_t offset, uint32_t size)
{
    uint8_t zeros[CHUNK];

    memset(zeros, 0, sizeof zeros);
    return write(device, offset, zeros, size);
}
