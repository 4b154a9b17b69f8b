/*
 * updraft: CRC-32 in the forms in which the formats use it.
 *
 *     form            polynomial, order        starts with   at the end     "123456789"
 *     zlib            0x04C11DB7, LSB first    0xFFFFFFFF    inverted       0xCBF43926
 *     NONOS appended  the zlib form, folded by upd_crc32_nonos()            0x340BC6D9
 *     otadata         the zlib form, started with 0                         0xD202D277
 *     MPEG-2          0x04C11DB7, MSB first    0xFFFFFFFF    as it is       0x0376E6E7
 *
 * A CRC in the making is one uint32_t, and what each call returns is finished: there is no last
 * call. So the CRC of the bytes up to here may be looked at any time.
 *
 *     uint32_t crc = UPD_CRC32_INIT;
 *     crc = upd_crc32(crc, data, size);      as often as needed
 *
 * Cost: 16 bytes of stack; tables of 64 bytes for each bit order, 8 KiB unless UPD_SMALL.
 * Format: docs/formats/crc32.md
 */
#ifndef UPDRAFT_CRC32_H
#define UPDRAFT_CRC32_H

#include <stdint.h>

/** What upd_crc32() takes for the first piece, and the CRC of no bytes. */
#define UPD_CRC32_INIT 0u

/** What upd_crc32() takes for the first piece of the form that otadata uses. */
#define UPD_CRC32_OTADATA_INIT 0xFFFFFFFFu

/** What upd_crc32_mpeg2() takes for the first piece, and the CRC of no bytes. */
#define UPD_CRC32_MPEG2_INIT 0xFFFFFFFFu

/**
 * Continue the CRC-32 of zlib, gzip and PNG over the next bytes.
 *
 * @param crc   UPD_CRC32_INIT (or UPD_CRC32_OTADATA_INIT) for the first piece, afterwards what the
 *              call before returned
 * @param data  `size` bytes at any alignment; may be NULL when size is 0
 * @param size  bytes, 0 allowed
 *
 * @return the CRC of all bytes so far, finished
 */
uint32_t upd_crc32(uint32_t crc, const void *data, uint32_t size);

/**
 * The form in which the NONOS SDK appends a CRC to an image: the absolute value of the register,
 * which has not been inverted at the end, taken as a signed number.
 *
 * @param crc  what upd_crc32() returned for the image without its last four bytes
 *
 * @return the word to store, at most 0x80000000; stored with the low byte first
 */
static inline uint32_t upd_crc32_nonos(uint32_t crc)
{
    return (crc & 0x80000000u) != 0 ? ~crc : crc + 1;
}

/**
 * The CRC word of an otadata record. It covers the sequence number and nothing else of the record.
 *
 * @param sequence  ota_seq, as a number
 *
 * @return the word to store; stored with the low byte first
 */
uint32_t upd_crc32_otadata(uint32_t sequence);

/**
 * Continue the CRC-32 of Arduino images and of eboot's command block over the next bytes.
 *
 * @param crc   UPD_CRC32_MPEG2_INIT for the first piece, afterwards what the call before returned
 * @param data  `size` bytes at any alignment; may be NULL when size is 0
 * @param size  bytes, 0 allowed
 *
 * @return the CRC of all bytes so far, finished
 */
uint32_t upd_crc32_mpeg2(uint32_t crc, const void *data, uint32_t size);

#endif
