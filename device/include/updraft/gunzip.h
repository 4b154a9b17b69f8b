/*
 * updraft: gzip in front of the writer.
 *
 *     struct upd_gunzip gunzip;
 *     err = upd_writer_begin(...) or upd_writer_resume(...)          with update.gzip = true
 *     err = upd_gunzip_begin(&gunzip, &writer, window, sizeof window);
 *     err = upd_gunzip_write(&gunzip, data, size);                   as often as needed
 *     err = upd_gunzip_end(&gunzip);                                 in place of upd_writer_end()
 *
 * What is inflated is bounded by the slot, so a small file cannot fill more. A download that is
 * resumed begins at its first byte again; what is in flash already is compared, not rewritten.
 *
 * Cost: the struct, 1160 bytes; the window, 32768 bytes unless the compressor used a smaller one.
 */
#ifndef UPDRAFT_GUNZIP_H
#define UPDRAFT_GUNZIP_H

#include <stdint.h>

#include <updraft/gzip.h>
#include <updraft/writer.h>

/** `gzip` tells, after an error, what was wrong with the compressed bytes, and where. */
struct upd_gunzip {
    struct upd_gzip gzip;
    struct upd_writer *writer;
};

/**
 * Begin.
 *
 * @param writer       open, begun with update.gzip set; must stay valid
 * @param window       `window_size` bytes; must stay valid
 * @param window_size  power of two, 256 to 32768
 *
 * @return UPD_OK
 * @return UPD_E_STATE  the writer is not open
 * @return UPD_E_ARG    window_size
 */
UPD_MUST_CHECK enum upd_err upd_gunzip_begin(struct upd_gunzip *gunzip, struct upd_writer *writer,
                                             uint8_t *window, uint32_t window_size);

/**
 * Take the next bytes of the compressed image.
 *
 * @return UPD_OK
 * @return UPD_E_SPACE   more than the slot takes, or a smaller window than the bytes need
 * @return UPD_E_FORMAT  not gzip, damaged, or bytes follow the member
 * @return UPD_E_AUTH    its CRC-32 does not match
 * @return others        as upd_writer_write(). After an error the update is given up
 */
UPD_MUST_CHECK enum upd_err upd_gunzip_write(struct upd_gunzip *gunzip, const void *data,
                                             uint32_t size);

/**
 * No more bytes come.
 *
 * @return UPD_E_SHORT  the compressed bytes are not complete; can be resumed
 * @return others       as upd_writer_end()
 */
UPD_MUST_CHECK enum upd_err upd_gunzip_end(struct upd_gunzip *gunzip);

#endif
