/*
 * updraft: the writer, which makes a bootable image in the other slot out of bytes that come from
 * anywhere.
 *
 *     struct upd_writer writer;
 *     err = upd_writer_resume(&writer, &device, &update, &from);       after a cut, or at first
 *     if (err == UPD_E_NOT_FOUND || err == UPD_E_CHANGED) {
 *         err = upd_writer_begin(&writer, &device, &update);           from = 0
 *     }
 *     ... ask the server for the bytes from `from` on ...
 *     err = upd_writer_write(&writer, data, size);                     as often as needed
 *     err = upd_writer_end(&writer);                                   the flash holds the image
 *     err = upd_writer_activate(&writer);                              the next reset starts it
 *
 * Each byte goes through the image checker first: at the first wrong one nothing more is erased.
 * Each sector is erased once, just ahead; each page programmed once and read back. end() checks the
 * flash, not the bytes that came. After an error the writer takes nothing more; the running slot is
 * as it was, and begin() or resume() may be called anew.
 *
 * Between two sectors at most 1 erase and 17 programs are done: 16 pages and the journal's byte.
 *
 * Cost: the struct below, at most UPD_WRITER_SIZE bytes, a page buffer and the image checker
 * included; no heap; stack below 600 bytes with those of the flash port on top.
 */
#ifndef UPDRAFT_WRITER_H
#define UPDRAFT_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include <updraft/err.h>
#include <updraft/image.h>
#include <updraft/md5.h>
#include <updraft/scheme.h>
#include <updraft/sha256.h>

#define UPD_WRITER_SIZE 1024u

/**
 * Whether updates may come with an MD5. 0 leaves it out, which is 1.3 KiB less for lx106: such an
 * update is then refused with UPD_E_ARG. Default: 1.
 */
#ifndef UPD_WRITER_WITH_MD5
#define UPD_WRITER_WITH_MD5 1
#endif

/**
 * Whether updates may come with a SHA-256, as of UPD_WRITER_WITH_MD5; 0.9 KiB less. For images that
 * carry a digest of their own which is none (NONOS: a CRC-32), from servers that give none
 * (Espressif's cloud). What a download is resumed by is then told by a CRC-32 of it, too: kept bytes
 * of another content are found out when the image is verified, as ever. Default: 1.
 */
#ifndef UPD_WRITER_WITH_SHA256
#define UPD_WRITER_WITH_SHA256 1
#endif

/** What is known of an update before its first byte. All zero is allowed, and knows nothing. */
struct upd_update {
    uint32_t size; /* bytes of the image; 0 or UPD_SIZE_UNKNOWN: not known */
    /*
     * Digests of the whole image, or NULL. An image that carries none over all of its bytes
     * (rBoot's ESP8266 images, ESP32 images without SHA-256) is refused unless one is given.
     */
    const uint8_t *md5;    /* 16 bytes, kept until end() */
    const uint8_t *sha256; /* 32 bytes, kept until end() */
    /*
     * Whatever tells this content from any other: the ETag, or the digest; NULL: the download
     * cannot be resumed. Not kept.
     */
    const void *validator;
    uint32_t validator_size; /* bytes */
    /* The transport's bytes are compressed: resume() then gives 0, and what is in flash already is
     * compared instead of written. Set by upd_gunzip; false for the writer's own input. */
    bool gzip;
};

enum upd_writer_state {
    UPD_WRITER_IDLE, /* nothing begun, or ended by an error: see writer.err */
    UPD_WRITER_OPEN, /* takes bytes */
    UPD_WRITER_VERIFIED,
    UPD_WRITER_ACTIVE, /* the next reset starts the image */
};

/** Bytes on their way into flash. The caller's memory; `state`, `err`, `written` and
 *  `checker.info` are for reading, the rest is the writer's own. */
struct upd_writer {
    struct upd_device *device;
    enum upd_writer_state state;
    enum upd_err err; /* why it is IDLE; UPD_OK when nothing was begun or it was aborted */
    uint32_t written; /* bytes of the image taken so far, those found in flash included */
    struct upd_area area;
    uint32_t size;
    uint32_t kept;  /* bytes that are in flash already: compared, not written */
    uint32_t crc32; /* of the sectors since the last byte of progress */
    const uint8_t *md5;
    const uint8_t *sha256;
    struct upd_image_checker checker; /* .info says what was found, and what was wrong where */
    union {
        uint8_t page[UPD_JOURNAL_PAGE_SIZE];
        struct {
            struct upd_md5 md5;
            struct upd_sha256 sha256;
        } digest;
    } work;
};
_Static_assert(sizeof(struct upd_writer) <= UPD_WRITER_SIZE, "writer.h states the size");

/**
 * Begin an update from its first byte. Whatever was there to resume is given up.
 *
 * @param writer  state, not NULL; what it held before does not matter
 * @param device  opened, and upd_device_start() called; must stay valid
 * @param update  not NULL; copied but for the digests
 *
 * @return UPD_OK           takes bytes
 * @return UPD_E_STATE      the running image is on trial, or has to be left by a restart first
 * @return UPD_E_NOT_FOUND  there is no slot to write to
 * @return UPD_E_SPACE      update->size is larger than the slot; nothing was erased
 * @return UPD_E_ROLLBACK   eboot: there would be no way back, and the configuration does not accept
 *                          that
 * @return errors of the flash and UPD_E_VERIFY: device->trouble tells the sector
 */
UPD_MUST_CHECK enum upd_err upd_writer_begin(struct upd_writer *writer, struct upd_device *device,
                                             const struct upd_update *update);

/**
 * Go on with an update that was interrupted, from the last whole sector.
 *
 * The sectors found are read and go through the image checker.
 *
 * @param from  out: offset of the first byte that is still needed. It may be the size of the whole
 *              image: then only end() is left
 *
 * @return UPD_OK           takes the bytes from *from on
 * @return UPD_E_NOT_FOUND  nothing was interrupted, or it had no validator: begin()
 * @return UPD_E_CHANGED    size, validator, slot or compression differ from what was interrupted,
 *                          or what was found is no such image: begin()
 * @return others           as upd_writer_begin()
 */
UPD_MUST_CHECK enum upd_err upd_writer_resume(struct upd_writer *writer, struct upd_device *device,
                                              const struct upd_update *update, uint32_t *from);

/**
 * Take the next bytes of the image.
 *
 * @param data  `size` bytes; may be NULL when size is 0
 *
 * @return UPD_OK
 * @return UPD_E_STATE    the writer is not open
 * @return UPD_E_SPACE    more bytes than were announced, or than the slot takes
 * @return UPD_E_CHANGED  after resume(): what was kept and what comes are no image together. Nobody can
 *                        tell which of them is bad: begin()
 * @return UPD_E_FORMAT, UPD_E_AUTH, UPD_E_TARGET, UPD_E_ROLLBACK  the image is refused:
 *                        writer->checker.info tells why and where. What is in flash stays resumable
 *                        only if the bytes were good
 * @return errors of the flash and UPD_E_VERIFY: device->trouble tells the sector
 *
 * Cost: erases and programs what is due: with 256 bytes or less at most one erase and one page.
 */
UPD_MUST_CHECK enum upd_err upd_writer_write(struct upd_writer *writer, const void *data,
                                             uint32_t size);

/**
 * No more bytes come: write the last page, and verify what the flash holds.
 *
 * @return UPD_OK       the slot holds a complete image that fits the device and matches every
 * digest
 * @return UPD_E_SHORT  fewer bytes than announced, or the image is not complete. Can be resumed
 * @return UPD_E_AUTH   a digest does not match: what was written is given up
 * @return others       as upd_writer_write()
 */
UPD_MUST_CHECK enum upd_err upd_writer_end(struct upd_writer *writer);

/**
 * Make the image the one that the next reset starts, on trial. Only after end() was UPD_OK.
 *
 * @return UPD_OK
 * @return UPD_E_STATE  end() did not verify it
 * @return errors of the flash and UPD_E_VERIFY. The old image or the new one starts then; call
 *         resume(), end() and activate() again, or upd_device_start() after a restart
 */
UPD_MUST_CHECK enum upd_err upd_writer_activate(struct upd_writer *writer);

/**
 * Give the update up, so that it cannot be resumed. (To stop and go on later, just stop.)
 *
 * @return UPD_OK       also when nothing was begun
 * @return UPD_E_STATE  it was activated: upd_device_roll_back() is for the new image
 */
UPD_MUST_CHECK enum upd_err upd_writer_abort(struct upd_writer *writer);

#endif
