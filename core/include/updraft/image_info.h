/*
 * updraft: what people read about an image that image.h has checked. Names, sentences, and what
 * follows from the fields of struct upd_image_info. Devices do not need it.
 *
 * Format: docs/formats/image.md
 */
#ifndef UPDRAFT_IMAGE_INFO_H
#define UPDRAFT_IMAGE_INFO_H

#include <updraft/image.h>

/** The name of a format, as "esp8266-v2"; "unknown" for a value that is not in the list. */
const char *upd_image_format_text(enum upd_image_format format);

/** The sentence of a problem; "unknown problem" for a value that is not in the list. */
const char *upd_image_problem_text(enum upd_image_problem problem);

/** The word for a problem, as "wrong-slot"; "unknown" for a value that is not in the list. */
const char *upd_image_problem_name(enum upd_image_problem problem);

/** The name of a signature scheme, as "secure-boot-v2-rsa"; "none" for UPD_IMAGE_UNSIGNED and any
 *  other value. */
const char *upd_image_signature_text(uint8_t signature);

/** "qio", "qout", "dio", "dout", "fast_read", "slow_read"; "unknown" for any other code. */
const char *upd_image_flash_mode_text(uint8_t code);

/** The SPI clock that a frequency code means on a chip, as "40m"; "unknown" where it means none. */
const char *upd_image_flash_freq_text(enum upd_chip chip, uint8_t code);

/** The flash size that a size code means on a chip, as "2MB-c1"; "unknown" where it means none. */
const char *upd_image_flash_size_text(enum upd_chip chip, uint8_t code);

/** A piece of an image. */
struct upd_image_range {
    uint32_t offset; /* bytes from the start of the image */
    uint32_t size;   /* bytes */
};

/**
 * Tell where the data of a segment lies in the file; its header of 8 bytes is in front.
 *
 * @param info   of a checker, not NULL
 * @param index  0 .. info->segment_count - 1
 * @param range  out, not NULL
 *
 * @return UPD_OK
 * @return UPD_E_NOT_FOUND  there is no such segment; *range is unchanged
 */
UPD_MUST_CHECK enum upd_err upd_image_segment_range(const struct upd_image_info *info,
                                                    uint8_t index, struct upd_image_range *range);

/**
 * Enumerate the bytes that a digest protects: a change of any one of them is found by
 * upd_image_feed() or upd_image_end(). With a CRC-32 or a SHA-256 that is all of the image; with
 * the checksum alone it is the data of each segment that the checksum covers. Blocks of a secure
 * boot v2 signature protect what is in front of them, and themselves.
 *
 * @param info   of a checker that ended without a problem, not NULL; with one nothing is covered
 * @param index  0, 1, 2, ... until the answer is UPD_E_NOT_FOUND
 * @param range  out, not NULL
 *
 * @return UPD_OK           *range is the next one, in ascending order
 * @return UPD_E_NOT_FOUND  there are no more; *range is unchanged
 */
UPD_MUST_CHECK enum upd_err upd_image_covered(const struct upd_image_info *info, uint8_t index,
                                              struct upd_image_range *range);

/** No place of its own: runs from wherever the boot loader maps it, or does not tell. */
#define UPD_IMAGE_ANYWHERE 0xFFFFFFFFu

/**
 * The flash offset that an image was made for.
 *
 * @return 0x1000, 0x41000, 0x81000 or 0x101000 for user1 and user2 of the NONOS SDK; 0 for Arduino;
 *         offset modulo 1 MiB for the RTOS SDK, where images for the same offset in different MiB
 *         are the same
 * @return UPD_IMAGE_ANYWHERE  for all others, and when slot or map are not told
 */
uint32_t upd_image_home(const struct upd_image_info *info);

/** An application descriptor; texts end with NUL and may hold any bytes before. */
struct upd_image_app {
    uint32_t secure_version;
    char version[33];
    char project[33];
    char time[17];
    char date[17];
    char idf_version[33];
    uint8_t elf_sha256[32];
    uint16_t min_efuse_revision; /* major x 100 + minor */
    uint16_t max_efuse_revision;
    uint8_t mmu_page; /* log2 of bytes, 0: not told */
    uint8_t spi_mode; /* 0: not told, 1 QIO, 2 QOUT, 3 DIO, 4 DOUT, 5 OPI */
};

/**
 * Read an application descriptor.
 *
 * @param descriptor  256 bytes, as options.descriptor took them; not NULL
 * @param app         out, not NULL
 *
 * @return UPD_OK
 * @return UPD_E_FORMAT  the magic word is missing; *app is unchanged
 */
UPD_MUST_CHECK enum upd_err upd_image_app_read(const uint8_t descriptor[256],
                                               struct upd_image_app *app);

/** A boot loader descriptor; texts as above. */
struct upd_image_loader {
    uint32_t version;
    uint8_t secure_version;
    char idf_version[33];
    char date_time[25];
};

/** As upd_image_app_read(), for the 80 bytes of a boot loader descriptor. */
UPD_MUST_CHECK enum upd_err upd_image_loader_read(const uint8_t descriptor[80],
                                                  struct upd_image_loader *loader);

#endif
