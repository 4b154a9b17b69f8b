#include <updraft/writer.h>

#include <updraft/bytes.h>
#include <updraft/crc32.h>

#include "flash_ops.h"
#include "frame.h"

/*
 *            begin, resume            end                  activate
 *     IDLE --------------> OPEN ------------> VERIFIED --------------> ACTIVE
 *      ^                    |                    |
 *      +---- any error, abort ------------------+
 *
 * (1) No byte is programmed that the image checker has not seen and accepted.
 * (2) A sector is erased only when the first byte for it is there.
 * (3) The journal says of a unit of sectors that it is complete only after each of its pages was
 *     read back.
 * (4) VERIFIED is about the bytes that the flash holds, read anew.
 */

enum { CHUNK = 64 };

/* The first 4 KiB of an Arduino image are its boot loader, which updraft's own may stand in for. */
enum { LOADER_PART = 0x1000 };

static uint32_t smaller(uint32_t one, uint32_t other)
{
    return one < other ? one : other;
}

static enum upd_err fail(struct upd_writer *writer, enum upd_err err)
{
    writer->state = UPD_WRITER_IDLE;
    writer->err = err;
    return err;
}

static enum upd_err begun(struct upd_writer *writer, enum upd_err err)
{
    if (err != UPD_OK) {
        return fail(writer, err);
    }
    writer->state = UPD_WRITER_OPEN;
    return UPD_OK;
}

/*
 * The download is worth nothing: nobody shall go on with it.
 *
 * After an interruption that is not for sure the image's fault: what was kept was known by a byte
 * for each unit, which a cut may have torn. Only gzip has compared it with what came.
 */
static enum upd_err give_up(struct upd_writer *writer, enum upd_err err)
{
    /* Whether or not the mark can be written, the first error is the one to tell. */
    upd_frame_mark(writer->device, UPD_MARK_CLOSED);
    bool blind = writer->kept > 0 && !writer->device->frame.head.gzip;
    return fail(writer, blind ? UPD_E_CHANGED : err);
}

/* Bytes of a unit, of which the journal knows one by one whether they are complete. */
static uint32_t unit_size(const struct upd_writer *writer)
{
    return writer->device->frame.head.stride * UPD_JOURNAL_SIZE;
}

/* --- Begin, resume ---------------------------------------------------------------------------- */

/* Sectors that one byte of progress stands for. */
static uint8_t stride_for(uint32_t size)
{
    uint32_t sectors = size / UPD_JOURNAL_SIZE;

    return (uint8_t)((sectors + UPD_JOURNAL_PROGRESS_COUNT - 1) / UPD_JOURNAL_PROGRESS_COUNT);
}

/* What is kept of a validator, to know it again. */
static void take_validator(struct upd_writer *writer, const struct upd_update *update,
                           uint8_t kept[UPD_JOURNAL_VALIDATOR_SIZE])
{
    struct upd_sha256 *sha256 = &writer->work.digest.sha256;
    uint8_t digest[UPD_SHA256_SIZE];

    if (UPD_WRITER_WITH_SHA256) {
        upd_sha256_init(sha256);
        upd_sha256_update(sha256, update->validator, update->validator_size);
        upd_sha256_final(sha256, digest);
        memcpy(kept, digest, UPD_JOURNAL_VALIDATOR_SIZE);
    } else {
        upd_put_le32(kept, upd_crc32(UPD_CRC32_INIT, update->validator, update->validator_size));
    }
}

/* The frame of an update, but for the area. */
static void make_head(struct upd_writer *writer, const struct upd_update *update, int8_t slot,
                      struct upd_journal_head *head)
{
    head->size = writer->size;
    head->slot = (uint8_t)slot;
    head->gzip = update->gzip;
    head->resumable = update->validator != NULL && update->validator_size > 0;
    memset(head->validator, 0xFF, sizeof head->validator);
    if (head->resumable) {
        take_validator(writer, update, head->validator);
    }
}

/* The interrupted update is this one, as far as can be told without touching the flash. */
static enum upd_err compare_old(const struct upd_frame *frame, const struct upd_journal_head *head)
{
    const uint32_t over = UPD_MARKS_GIVEN_UP | UPD_MARK_BIT(UPD_MARK_CLOSED);
    const struct upd_journal_head *old = &frame->head;

    if (!upd_frame_exists(frame) || (frame->marks & over) != 0 || !old->resumable) {
        return UPD_E_NOT_FOUND;
    }
    return head->resumable && old->size == head->size && old->gzip == head->gzip &&
                   old->slot == head->slot &&
                   memcmp(old->validator, head->validator, sizeof head->validator) == 0
               ? UPD_OK
               : UPD_E_CHANGED;
}

/* The progress byte that a unit in flash ought to have. */
static uint8_t read_unit(struct upd_writer *writer, uint32_t unit)
{
    uint32_t size = unit_size(writer);
    uint32_t crc32 = UPD_CRC32_INIT;

    upd_flash_crc32(writer->device, writer->area.offset + unit * size, size, &crc32);
    return upd_journal_progress_byte(crc32);
}

/* Units from the first one on that are complete, as far as the old frame and the flash agree. */
static void find_kept(struct upd_writer *writer)
{
    uint32_t limit = smaller(writer->size, writer->area.size);
    uint32_t size = unit_size(writer);
    uint8_t progress;

    for (uint32_t unit = 0; limit - writer->kept >= size; unit++) {
        upd_frame_progress(writer->device, unit, &progress, 1);
        if (progress != read_unit(writer, unit) || writer->device->err != UPD_OK) {
            break;
        }
        writer->kept += size;
    }
}

/* The progress of the old frame into the new one, a program for each page of it. */
static enum upd_err keep_progress(struct upd_writer *writer)
{
    uint32_t units = writer->kept / unit_size(writer);
    uint8_t *page = writer->work.page;

    for (uint32_t first = 0; first < units;) {
        uint32_t count = smaller(units - first, upd_frame_progress_room(first));
        memset(page, 0xFF, sizeof writer->work.page);
        for (uint32_t i = 0; i < count; i++) {
            page[i] = read_unit(writer, first + i);
        }
        upd_frame_restore(writer->device, first, page, count);
        /* A cut of the mark beside it may have left unstable cells there. Progress that does not
         * read well is no harm: it ends what a resumed download finds. */
        upd_flash_tolerate(writer->device);
        first += count;
    }
    return writer->device->err;
}

/*
 * Begin the image checker for an image of `size` bytes, if that is known, and the digests; and let
 * the first bytes of the area, `there` of them, go through them as the flash holds them.
 */
static enum upd_err check(struct upd_writer *writer, uint32_t size, uint32_t there)
{
    struct upd_image_options options = {.target = &writer->device->target,
                                        .size = size == UPD_SIZE_UNKNOWN ? 0 : size};
    uint8_t chunk[CHUNK];

    writer->crc32 = UPD_CRC32_INIT;
    if (UPD_WRITER_WITH_MD5) {
        upd_md5_init(&writer->work.digest.md5);
    }
    if (UPD_WRITER_WITH_SHA256) {
        upd_sha256_init(&writer->work.digest.sha256);
    }
    enum upd_err err = upd_image_begin(&writer->checker, &options);
    for (uint32_t done = 0; done < there && err == UPD_OK;) {
        uint32_t now = smaller(there - done, CHUNK);
        err = upd_flash_read(writer->device, writer->area.offset + done, chunk, now);
        if (err != UPD_OK) {
            return err;
        }
        err = upd_image_feed(&writer->checker, chunk, now);
        if (UPD_WRITER_WITH_MD5 && writer->md5 != NULL) {
            upd_md5_update(&writer->work.digest.md5, chunk, now);
        }
        if (UPD_WRITER_WITH_SHA256 && writer->sha256 != NULL) {
            upd_sha256_update(&writer->work.digest.sha256, chunk, now);
        }
        if (done >= LOADER_PART) {
            writer->crc32 = upd_crc32(writer->crc32, chunk, now);
        }
        done += now;
    }
    return err;
}

/* From the first byte, or where `from` is given from what an interrupted update left. */
static enum upd_err start(struct upd_writer *writer, struct upd_device *device,
                          const struct upd_update *update, uint32_t *from)
{
    const struct upd_journal_head *old = &device->frame.head;
    struct upd_journal_head head;
    uint32_t journal;
    struct upd_view view;

    memset(writer, 0, sizeof *writer);
    writer->device = device;
    writer->size = update->size == 0 ? UPD_SIZE_UNKNOWN : update->size;
    writer->md5 = update->md5;
    writer->sha256 = update->sha256;
    enum upd_err err = upd_device_view(device, &view);
    if (err != UPD_OK) {
        return err;
    }
    make_head(writer, update, view.target, &head);
    if (from != NULL) {
        err = compare_old(&device->frame, &head);
        if (err != UPD_OK) {
            return err;
        }
    }
    if (view.on_trial || view.pending) {
        return UPD_E_STATE;
    }
    if (view.target == UPD_SLOT_NONE) {
        return UPD_E_NOT_FOUND;
    }
    if ((!UPD_WRITER_WITH_MD5 && update->md5 != NULL) ||
        (!UPD_WRITER_WITH_SHA256 && update->sha256 != NULL)) {
        return UPD_E_ARG;
    }
    err = device->scheme->prepare(device, writer->size, from == NULL, &writer->area, &journal);
    if (err != UPD_OK) {
        return err;
    }
    if (from != NULL) {
        if (old->offset != writer->area.offset || old->room != writer->area.size) {
            return UPD_E_CHANGED;
        }
        find_kept(writer);
    }
    err = check(writer, writer->size, update->gzip ? 0 : writer->kept);
    if (err != UPD_OK) {
        return from != NULL ? give_up(writer, err) : err;
    }
    writer->crc32 = UPD_CRC32_INIT;
    /*
     * Activation may have been cut when it had written already what selects the target, so that it
     * reads as not there now, and as there later. That has to be gone before the target is touched.
     */
    if (from != NULL && upd_frame_any_armed(device, journal)) {
        err = device->scheme->prepare(device, writer->size, true, &writer->area, &journal);
        if (err != UPD_OK) {
            return err;
        }
    }
    /* A cut may have torn the page of the progress: what is known goes into a new frame. */
    head.offset = writer->area.offset;
    head.room = writer->area.size;
    head.stride = stride_for(writer->area.size);
    upd_frame_take(device, journal, &head);
    return device->err == UPD_OK ? keep_progress(writer) : device->err;
}

enum upd_err upd_writer_begin(struct upd_writer *writer, struct upd_device *device,
                              const struct upd_update *update)
{
    return begun(writer, start(writer, device, update, NULL));
}

enum upd_err upd_writer_resume(struct upd_writer *writer, struct upd_device *device,
                               const struct upd_update *update, uint32_t *from)
{
    enum upd_err err = begun(writer, start(writer, device, update, from));

    if (err == UPD_OK) {
        writer->written = update->gzip ? 0 : writer->kept;
        *from = writer->written;
    }
    return err;
}

/* --- Bytes ------------------------------------------------------------------------------------ */

/* Program the page that ends at `written`, of which `size` bytes are there. */
static enum upd_err program_page(struct upd_writer *writer, uint32_t size)
{
    struct upd_device *device = writer->device;
    uint32_t first = writer->written - size;
    uint32_t offset = writer->area.offset + first;

    memset(&writer->work.page[size], 0xFF, UPD_JOURNAL_PAGE_SIZE - size);
    if (first % UPD_JOURNAL_SIZE == 0) {
        upd_flash_erase(device, offset);
    }
    if (upd_flash_program(device, offset, writer->work.page, size) != UPD_OK) {
        return device->err;
    }
    writer->crc32 = upd_crc32(writer->crc32, writer->work.page, size);
    uint32_t units = writer->written / unit_size(writer);
    if (units * unit_size(writer) == writer->written) {
        upd_frame_advance(device, units - 1, upd_journal_progress_byte(writer->crc32));
        upd_flash_tolerate(device); /* as in keep_progress() */
        writer->crc32 = UPD_CRC32_INIT;
    }
    return device->err;
}

/* Bytes that are in flash already must be the same. */
static enum upd_err compare(struct upd_writer *writer, const uint8_t *data, uint32_t size)
{
    enum upd_err err =
        upd_flash_compare(writer->device, writer->area.offset + writer->written, data, size);

    writer->written += size;
    return err == upd_flash_tolerate(writer->device) ? err : UPD_E_CHANGED;
}

static enum upd_err store(struct upd_writer *writer, const uint8_t *data, uint32_t size)
{
    uint32_t within = writer->written % UPD_JOURNAL_PAGE_SIZE;

    memcpy(&writer->work.page[within], data, size);
    writer->written += size;
    return within + size == UPD_JOURNAL_PAGE_SIZE ? program_page(writer, UPD_JOURNAL_PAGE_SIZE)
                                                  : UPD_OK;
}

enum upd_err upd_writer_write(struct upd_writer *writer, const void *data, uint32_t size)
{
    const uint8_t *at = data;

    if (writer->state != UPD_WRITER_OPEN) {
        return UPD_E_STATE;
    }
    upd_flash_forgive(writer->device);
    while (size > 0) {
        bool kept = writer->written < writer->kept;
        uint32_t limit = kept ? writer->kept : smaller(writer->size, writer->area.size);
        uint32_t now =
            smaller(size, UPD_JOURNAL_PAGE_SIZE - writer->written % UPD_JOURNAL_PAGE_SIZE);
        now = smaller(now, limit - writer->written);
        if (now == 0) {
            return give_up(writer, UPD_E_SPACE);
        }
        enum upd_err err = upd_image_feed(&writer->checker, at, now);
        if (err != UPD_OK) {
            return give_up(writer, err);
        }
        err = kept ? compare(writer, at, now) : store(writer, at, now);
        if (err != UPD_OK) {
            return err == UPD_E_CHANGED ? give_up(writer, err) : fail(writer, err);
        }
        at += now;
        size -= now;
    }
    return UPD_OK;
}

/* --- The end ---------------------------------------------------------------------------------- */

static bool matches(const uint8_t *wanted, const uint8_t *digest, uint32_t size)
{
    return wanted == NULL || memcmp(wanted, digest, size) == 0;
}

/* Check the image that the flash holds, and the digests that were given. */
static enum upd_err verify(struct upd_writer *writer)
{
    uint8_t digest[UPD_SHA256_SIZE];

    enum upd_err err = check(writer, writer->written, writer->written);
    if (err == UPD_OK) {
        err = upd_image_end(&writer->checker);
    }
    if (err != UPD_OK) {
        return err;
    }
    if (UPD_WRITER_WITH_MD5) {
        upd_md5_final(&writer->work.digest.md5, digest);
        if (!matches(writer->md5, digest, UPD_MD5_SIZE)) {
            return UPD_E_AUTH;
        }
    }
    if (UPD_WRITER_WITH_SHA256) {
        upd_sha256_final(&writer->work.digest.sha256, digest);
        if (!matches(writer->sha256, digest, UPD_SHA256_SIZE)) {
            return UPD_E_AUTH;
        }
    }
    return UPD_OK;
}

/* Some digest covers every byte: the image's own, or one that came with the update. */
static bool is_protected(const struct upd_writer *writer)
{
    return writer->md5 != NULL || writer->sha256 != NULL ||
           (writer->checker.info.digests & (UPD_IMAGE_HAS_CRC32 | UPD_IMAGE_HAS_SHA256)) != 0;
}

enum upd_err upd_writer_end(struct upd_writer *writer)
{
    if (writer->state != UPD_WRITER_OPEN) {
        return UPD_E_STATE;
    }
    upd_flash_forgive(writer->device);
    if ((writer->size != UPD_SIZE_UNKNOWN && writer->written != writer->size) ||
        writer->written < writer->kept) {
        return fail(writer, UPD_E_SHORT);
    }
    enum upd_err err = upd_image_end(&writer->checker);
    if (err != UPD_OK) {
        return err == UPD_E_SHORT ? fail(writer, err) : give_up(writer, err);
    }
    uint32_t rest = writer->written % UPD_JOURNAL_PAGE_SIZE;
    if (rest > 0) {
        err = program_page(writer, rest);
        if (err != UPD_OK) {
            return fail(writer, err);
        }
    }
    err = is_protected(writer) ? verify(writer) : UPD_E_AUTH;
    if (err != UPD_OK) {
        return give_up(writer, err);
    }
    writer->state = UPD_WRITER_VERIFIED;
    return UPD_OK;
}

enum upd_err upd_writer_activate(struct upd_writer *writer)
{
    struct upd_install install = {
        .area = writer->area, .size = writer->written, .crc32 = writer->crc32};

    if (writer->state != UPD_WRITER_VERIFIED) {
        return UPD_E_STATE;
    }
    upd_flash_forgive(writer->device);
    enum upd_err err = writer->device->scheme->activate(writer->device, &install);
    if (err != UPD_OK) {
        return fail(writer, err);
    }
    writer->state = UPD_WRITER_ACTIVE;
    return UPD_OK;
}

enum upd_err upd_writer_abort(struct upd_writer *writer)
{
    if (writer->state == UPD_WRITER_ACTIVE) {
        return UPD_E_STATE;
    }
    if (writer->state == UPD_WRITER_OPEN || writer->state == UPD_WRITER_VERIFIED) {
        upd_flash_forgive(writer->device);
        enum upd_err err = upd_frame_mark(writer->device, UPD_MARK_CLOSED);
        if (err != UPD_OK) {
            return fail(writer, err);
        }
    }
    writer->state = UPD_WRITER_IDLE;
    writer->err = UPD_OK;
    return UPD_OK;
}
