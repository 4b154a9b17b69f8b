/*
 * updraft: firmware images, checked while they stream by.
 *
 *     struct upd_image_checker checker;
 *
 *     err = upd_image_begin(&checker, &options);
 *     err = upd_image_feed(&checker, data, size);     as often as needed, pieces of any size
 *     err = upd_image_end(&checker);                  UPD_OK: every digest was there and matched
 *
 * Bytes are looked at once, in order, and not kept. What is known so far is in checker.info at any
 * moment; a problem is reported at the first byte that shows it, so that a writer stops before it
 * erases more. The result does not depend on how the bytes were cut into pieces.
 *
 *     format                begins with            protected by
 *     ESP8266 v1            E9, 8-byte header      XOR checksum of the segments
 *     ESP8266 v1, slot      E9, irom at 0x10000    XOR checksum; CRC-32 of all (boot v1.1)
 *     ESP8266 v2            EA 04                  XOR checksum of the RAM segments; the SDK's also
 *                                                  CRC-32 of all, rBoot's not
 *     ESP8266 v3            E9, flash segments     XOR checksum; SHA-256 of all (RTOS SDK)
 *     Arduino ESP8266       E9, again at 0x1000    XOR checksums; length and CRC-32 of all
 *     ESP32 family          E9, 24-byte header     XOR checksum; SHA-256 of all when the header
 * says so; secure boot signature blocks gzip                  1F 8B                  never accepted
 * as it is: the caller inflates it and feeds another checker
 *
 * Signatures are recognised, described and checked for damage; whose they are is not verified.
 *
 * Cost: at most 512 bytes of state; no heap; on lx106 at most 450 bytes of stack, and 200 in a
 * build without a kind that has a SHA-256. Format: docs/formats/image.md
 */
#ifndef UPDRAFT_IMAGE_H
#define UPDRAFT_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <updraft/chip.h>
#include <updraft/err.h>
#include <updraft/sha256.h>

/**
 * The kinds of image that this build knows: the sum of the UPD_IMAGE_WITH_... below. A device needs
 * but its own; each one left out makes the code smaller: all are 7 KiB for lx106, one is 4.2
 * to 4.6. Images of a kind left out are refused with UPD_IMAGE_EXCLUDED.
 *
 * Range: 1 .. 31. Default: all of them.
 */
#ifndef UPD_IMAGE_WITH
#define UPD_IMAGE_WITH 31
#endif
#define UPD_IMAGE_WITH_NONOS 1      /* ESP8266 v1 and v2 */
#define UPD_IMAGE_WITH_RTOS 2       /* ESP8266 v3 */
#define UPD_IMAGE_WITH_ARDUINO 4    /* Arduino ESP8266 */
#define UPD_IMAGE_WITH_ESP32 8      /* ESP32 family */
#define UPD_IMAGE_WITH_SIGNATURE 16 /* signatures behind images of the two kinds above */
_Static_assert(UPD_IMAGE_WITH >= 1 && UPD_IMAGE_WITH <= 31, "UPD_IMAGE_WITH: see its comment");

/**
 * Of the ESP32 family: the one chip that this build is for, which makes it 0.2 KiB smaller. Images
 * for others, known or not, are refused with UPD_IMAGE_WRONG_CHIP. Default: UPD_CHIP_NONE, any.
 */
#ifndef UPD_IMAGE_FOR
#define UPD_IMAGE_FOR UPD_CHIP_NONE
#endif

/* X(name, text). The texts are the names in the API and in the tool's JSON; they are stable. */
#define UPD_IMAGE_FORMATS(X)                                                                       \
    X(UNKNOWN, "unknown")                                                                          \
    X(ESP8266_V1, "esp8266-v1")           /* a boot loader, eagle.flash.bin */                     \
    X(ESP8266_V1_SLOT, "esp8266-v1-slot") /* user image for boot v1.1 */                           \
    X(ESP8266_V2, "esp8266-v2")                                                                    \
    X(ESP8266_V3, "esp8266-v3")                                                                    \
    X(ARDUINO, "arduino")                                                                          \
    X(ESP32, "esp32") /* any chip of the family: see upd_image_info.chip */                        \
    X(GZIP, "gzip")

enum upd_image_format {
#define X(name, text) UPD_FORMAT_##name,
    UPD_IMAGE_FORMATS(X)
#undef X
};

/*
 * X(name, word, error code, text): everything that can be wrong with an image, first by itself,
 * then for the place that it is meant for. The words are the names in the API and in the tool's
 * JSON; they are stable. A text is a sentence without its first capital and its full stop.
 */
#define UPD_IMAGE_PROBLEMS(X)                                                                      \
    X(OK, "ok", OK, "ok")                                                                          \
    X(UNCHECKED, "unchecked", E_STATE, "the image has not been checked to its end")                \
    X(EMPTY, "empty", E_SHORT, "there are no bytes")                                               \
    X(MAGIC, "magic", E_FORMAT,                                                                    \
      "no firmware image begins like this (E9, EA 04 or, with gzip, 1F 8B)")                       \
    X(COMPRESSED, "compressed", E_FORMAT,                                                          \
      "compressed with gzip; what is inside has not been looked at")                               \
    X(EXCLUDED, "excluded", E_FORMAT, "an image of a kind that this build of updraft leaves out")  \
    X(SEGMENT_COUNT, "segment-count", E_FORMAT, "the number of segments is not within 1 to 16")    \
    X(FLASH_CODE, "flash-code", E_FORMAT,                                                          \
      "the flash mode, frequency or size in the header does not exist")                            \
    X(ENTRY, "entry", E_FORMAT, "the entry address is not in code memory")                         \
    X(CHIP, "chip", E_FORMAT, "neither a load address of the ESP8266 nor the id of a known chip")  \
    X(HASH_FLAG, "hash-flag", E_FORMAT,                                                            \
      "the header byte that announces a SHA-256 is neither 0 nor 1")                               \
    X(INNER_MAGIC, "inner-magic", E_FORMAT, "the image inside does not begin with E9")             \
    X(SEGMENT_ADDRESS, "segment-address", E_FORMAT,                                                \
      "a segment lies outside the memory of the chip")                                             \
    X(SEGMENT_ALIGN, "segment-align", E_FORMAT,                                                    \
      "the size of a segment is not a multiple of 4 (irom: 16)")                                   \
    X(SEGMENT_SIZE, "segment-size", E_FORMAT, "the size of a segment is 16 MiB or more")           \
    X(SEGMENT_MAP, "segment-map", E_FORMAT,                                                        \
      "a flash segment's offset and address differ within an MMU page")                            \
    X(FILLER, "filler", E_FORMAT, "the bytes between two parts of the image are not filler")       \
    X(LENGTH, "length", E_FORMAT,                                                                  \
      "the length that the image states is not where its segments end")                            \
    X(CHECKSUM, "checksum", E_AUTH, "the checksum does not match")                                 \
    X(CRC32, "crc32", E_AUTH, "the CRC-32 does not match")                                         \
    X(SHA256, "sha256", E_AUTH, "the SHA-256 does not match")                                      \
    X(SIGNATURE, "signature", E_FORMAT, "the signature does not follow its format")                \
    X(SIGNATURE_CRC, "signature-crc", E_AUTH, "the CRC-32 of a signature block does not match")    \
    X(SIGNATURE_DIGEST, "signature-digest", E_AUTH,                                                \
      "the digest in a signature block is not that of the image")                                  \
    X(TRUNCATED, "truncated", E_SHORT, "the image ends before it is complete")                     \
    X(TRAILING, "trailing", E_FORMAT, "bytes follow the end of the image")                         \
    X(JOINED, "joined", E_FORMAT,                                                                  \
      "another image follows the end of the image; split the file first")                          \
    X(WRONG_FORMAT, "wrong-format", E_TARGET, "an image of this format does not belong there")     \
    X(WRONG_CHIP, "wrong-chip", E_TARGET, "made for another chip")                                 \
    X(CHIP_TOO_OLD, "chip-too-old", E_TARGET, "needs a newer revision of the chip")                \
    X(CHIP_TOO_NEW, "chip-too-new", E_TARGET, "does not know this revision of the chip")           \
    X(EFUSE_REVISION, "efuse-revision", E_TARGET,                                                  \
      "does not suit the chip's revision of the eFuse block")                                      \
    X(NOT_AN_APP, "not-an-app", E_TARGET, "a boot loader or other RAM image, not an application")  \
    X(NO_SLOT, "no-slot", E_TARGET,                                                                \
      "names no slot, as images of other boot loaders than the SDK's do")                          \
    X(WRONG_SLOT, "wrong-slot", E_TARGET, "made for the other slot")                               \
    X(WRONG_LINK, "wrong-link", E_TARGET, "linked for another place in flash")                     \
    X(WRONG_MAP, "wrong-map", E_TARGET, "made for another flash map")                              \
    X(WRONG_FLASH_MODE, "wrong-flash-mode", E_TARGET, "made for another flash mode")               \
    X(FLASH_TOO_SMALL, "flash-too-small", E_TARGET, "made for a larger flash chip")                \
    X(WINDOW, "window", E_SPACE, "reaches beyond the 1 MiB of flash that the chip maps at a time") \
    X(TOO_LARGE, "too-large", E_SPACE, "larger than the place that it is meant for")               \
    X(ROLLBACK, "rollback", E_ROLLBACK, "its secure version is older than the chip allows")

enum upd_image_problem {
#define X(name, word, err, text) UPD_IMAGE_##name,
    UPD_IMAGE_PROBLEMS(X)
#undef X
};

/** Waives a question of struct upd_image_target, where the field says that it can be waived. */
#define UPD_IMAGE_ANY 0xFF
#define UPD_IMAGE_ANY_REVISION 0xFFFF
#define UPD_IMAGE_ANY_SIZE 0xFFFFFFFFu

/** A code of struct upd_image_info that the image does not tell. */
#define UPD_IMAGE_UNTOLD 0xFF

/** Where an image shall lie, which decides the rules that it must satisfy. */
enum upd_place {
    UPD_PLACE_NONE,      /* nowhere: nothing fits, so that a forgotten field refuses */
    UPD_PLACE_ANY,       /* no rule but chip, revision, flash and size */
    UPD_PLACE_NONOS,     /* slot user1 or user2 of the NONOS SDK */
    UPD_PLACE_PARTITION, /* app partition of ESP-IDF, or of the RTOS SDK on the ESP8266 */
    UPD_PLACE_SKETCH,    /* from 0 on an Arduino ESP8266 (eboot copies it there) */
    UPD_PLACE_LOADER,    /* a second-stage boot loader */
};

/**
 * A place in the flash of one chip. Every field asks its question; one that was forgotten is zero,
 * and refuses rather than waives.
 */
struct upd_image_target {
    enum upd_chip chip; /* UPD_CHIP_NONE suits no image */
    enum upd_place place;
    uint32_t offset;         /* bytes from the start of flash */
    uint32_t size;           /* bytes that may be used; UPD_IMAGE_ANY_SIZE waives */
    uint32_t flash_size;     /* bytes of the flash chip; UPD_IMAGE_ANY_SIZE waives */
    uint32_t secure_version; /* lowest that is allowed: eFuse of the ESP32 family; 0 allows all */
    uint16_t chip_revision;  /* major x 100 + minor, of the ESP32 family; UPD_IMAGE_ANY_REVISION */
    uint16_t efuse_revision; /* of the eFuse block, likewise; the ESP32 itself is not asked */
    uint8_t slot;            /* UPD_PLACE_NONOS: 1 is user1, 2 is user2 */
    uint8_t flash_map;       /* UPD_PLACE_NONOS: 0 to 9, of header byte 3; UPD_IMAGE_ANY waives */
    uint8_t flash_mode;      /* 0 QIO, 1 QOUT, 2 DIO, 3 DOUT; UPD_IMAGE_ANY waives */
};

/** What is known before the first byte. All zero: nothing. */
struct upd_image_options {
    /* The place that the image must fit, asked while it streams; NULL: none. Kept until the end. */
    const struct upd_image_target *target;
    /* 256 bytes that take the descriptor (see upd_image_info.descriptor) as it is; NULL: dropped.
     */
    uint8_t *descriptor;
    /* Bytes that will come, so that an image too short or too long is found early; 0: not known. */
    uint32_t size;
    /* The image is read from flash and other bytes follow it: they are not looked at. The checker
     * finds the end by itself; signatures are outside of it. */
    bool in_flash;
};

struct upd_image_segment {
    uint32_t address; /* load address; 0 for the irom part of a v2 image and for ESP32 padding */
    uint32_t size;    /* bytes */
};

enum { UPD_IMAGE_SEGMENTS = 16 };

/** Digests, as bits of upd_image_info.digests. */
enum { UPD_IMAGE_HAS_CHECKSUM = 1, UPD_IMAGE_HAS_CRC32 = 2, UPD_IMAGE_HAS_SHA256 = 4 };

enum upd_image_descriptor {
    UPD_IMAGE_NO_DESCRIPTOR,
    UPD_IMAGE_APP_DESCRIPTOR,    /* 256 bytes: ESP-IDF, RTOS SDK */
    UPD_IMAGE_LOADER_DESCRIPTOR, /* 80 bytes: boot loaders of ESP-IDF */
};

enum upd_image_signature {
    UPD_IMAGE_UNSIGNED,
    UPD_IMAGE_SECURE_BOOT_V1,    /* 68 bytes: ECDSA P-256 */
    UPD_IMAGE_SECURE_BOOT_RSA,   /* v2 sector whose first block is RSA-3072 */
    UPD_IMAGE_SECURE_BOOT_ECDSA, /* v2 sector whose first block is ECDSA */
    UPD_IMAGE_ARDUINO_SIGNED,    /* signature and its length after an Arduino image */
};

/** What the checker found. Fields are filled in as the bytes come; until then, and when the format
 *  lacks them, they are zero, if nothing else is said. */
struct upd_image_info {
    enum upd_image_format format;
    enum upd_chip chip;             /* UPD_CHIP_NONE until it is known */
    enum upd_image_problem problem; /* the first one; UPD_IMAGE_OK also while still streaming */
    uint32_t problem_offset;        /* byte offset of the field that shows it */
    uint32_t size;         /* bytes, signature included; while streaming: at least so many */
    uint32_t image_size;   /* bytes up to the end of the image's own digests */
    uint32_t entry;        /* address; of the inner header when there are two */
    uint32_t loader_entry; /* Arduino: of the boot loader in the first 4 KiB */
    uint32_t link;         /* address that the flash code is linked for; 0: not told */
    uint32_t crc32_stored; /* with UPD_IMAGE_HAS_CRC32 */
    uint32_t crc32_computed;
    uint32_t secure_version;   /* of the descriptor */
    uint32_t signature_offset; /* byte offset */
    uint32_t signature_size;   /* bytes: 68, 4096, or for Arduino without the length word */
    uint16_t min_revision; /* ESP32 family, bytes 15 and 17 of the header: major x 100 + minor */
    uint16_t max_revision; /* 0 and 65535: no limit */
    uint16_t min_efuse_revision; /* of the application descriptor */
    uint16_t max_efuse_revision;
    uint8_t min_revision_legacy; /* byte 14 */
    uint8_t pins[4];             /* ESP32 family, bytes 8 to 11: WP pin, drive strengths */
    uint8_t slot;                /* 1 user1, 2 user2; 0: the image does not say */
    uint8_t flash_mode;          /* codes of the header; UPD_IMAGE_UNTOLD */
    uint8_t flash_freq;
    uint8_t flash_size;      /* on the ESP8266 this is the flash map */
    uint8_t mmu_page;        /* of the application descriptor: log2 of bytes, 0: not told */
    uint8_t spi_mode;        /* of the application descriptor: 0 not told, 1 QIO ... 5 OPI */
    uint8_t digests;         /* UPD_IMAGE_HAS_...: stored and computed are both known */
    uint8_t checksum_stored; /* of the part checked last, when there are two */
    uint8_t checksum_computed;
    uint8_t sha256_stored[32];
    uint8_t sha256_computed[32];
    uint8_t descriptor;       /* enum upd_image_descriptor */
    uint8_t signature;        /* enum upd_image_signature */
    uint8_t signature_blocks; /* secure boot v2: 1 to 3 */
    bool signature_digest;    /* a block's digest is SHA-256, was computed, and matches */
    uint8_t segment_count;    /* of segments[]; all parts together */
    uint8_t loader_segments;  /* Arduino: so many of them, the first, are the boot loader's */
    bool mapped;              /* a segment is executed or read in flash: an application */
    bool complete;            /* upd_image_end() found no problem */
    char version[33];         /* of the application descriptor; NUL-terminated, any bytes */
    struct upd_image_segment segments[UPD_IMAGE_SEGMENTS];
};

/** An image being checked. Plain data: a copy of it goes on by itself. `info` is for reading; the
 *  other fields are the module's own. */
struct upd_image_checker {
    uint32_t limit; /* no byte may come at this offset */
    uint32_t at;    /* bytes consumed */
    uint32_t left;  /* bytes that the step still takes */
    uint32_t base;  /* offset of the header read last */
    uint32_t crc32;
    uint8_t field[16]; /* the field that is being read */
    uint8_t got;       /* bytes of it */
    uint8_t step;
    uint8_t then; /* the step after filler */
    uint8_t filler;
    uint8_t digest; /* which digest runs over the bytes */
    uint8_t checksum;
    uint8_t todo; /* segments of this header still to come */
    bool hashed;  /* a SHA-256 follows the checksum */
    bool in_flash;
    bool announced; /* limit is the size that the caller announced */
    struct upd_image_info info;
    const struct upd_image_target *target;
    uint8_t *descriptor;
    struct upd_sha256 sha256;
};
_Static_assert(sizeof(struct upd_image_checker) <= 512, "image.h states the size");

/**
 * Begin to check an image.
 *
 * @param checker  state, not NULL; what it held before does not matter
 * @param options  what is known before, copied; NULL: nothing. options->target and
 *                 options->descriptor must stay valid until the end
 *
 * @return UPD_OK
 * @return UPD_E_SPACE  options->size is larger than the target; checker->info says so too, and the
 *                      checker takes no bytes
 */
UPD_MUST_CHECK enum upd_err upd_image_begin(struct upd_image_checker *checker,
                                            const struct upd_image_options *options);

/**
 * Look at the next bytes.
 *
 * @param checker  begun; not NULL
 * @param data     `size` bytes at any alignment; may be NULL when size is 0
 * @param size     bytes, 0 allowed
 *
 * @return UPD_OK  no problem so far
 * @return upd_image_problem_err(checker->info.problem)  the image is refused; problem and
 *                 problem_offset say why and where. The rest of `data` was not looked at, and every
 *                 later call returns the same
 *
 * Cost: goes over the bytes once for the checksum and once for the CRC-32 or the SHA-256.
 */
UPD_MUST_CHECK enum upd_err upd_image_feed(struct upd_image_checker *checker, const void *data,
                                           uint32_t size);

/**
 * Say that no more bytes come, and judge.
 *
 * @param checker  begun; not NULL; only upd_image_begin() may be called on it next
 *
 * @return UPD_OK  the image is complete, every digest that its format demands was there, and every
 *                 one that was there matched; info.complete is true, all of info is final
 * @return upd_image_problem_err(checker->info.problem)  as for upd_image_feed(); now also
 *                 UPD_IMAGE_EMPTY and UPD_IMAGE_TRUNCATED, whose offset is the number of bytes fed
 */
UPD_MUST_CHECK enum upd_err upd_image_end(struct upd_image_checker *checker);

/**
 * Say whether more bytes would be looked at. False after a problem, and, with options.in_flash, as
 * soon as the end of the image has been reached: then upd_image_end() may be called.
 */
bool upd_image_wants_more(const struct upd_image_checker *checker);

/**
 * Tell whether a checked image fits a place and would run there.
 *
 * @param info    of a checker whose upd_image_end() returned UPD_OK, or a copy; not NULL
 * @param target  the place, not NULL
 * @param offset  out: byte offset in the image of the field that decides; 0 when it fits. May be
 *                NULL
 *
 * @return UPD_IMAGE_OK         it does
 * @return info->problem        the image itself was refused
 * @return UPD_IMAGE_UNCHECKED  it was not checked to its end
 * @return any problem from UPD_IMAGE_WRONG_FORMAT on: it does not, and this is why. A checker that
 *         is given the same target in its options finds the same, as soon as the bytes allow; of
 *         several that apply it may name another one, whose bytes come first
 */
enum upd_image_problem upd_image_fits(const struct upd_image_info *info,
                                      const struct upd_image_target *target, uint32_t *offset);

/** The error code of a problem: the third column of UPD_IMAGE_PROBLEMS. */
enum upd_err upd_image_problem_err(enum upd_image_problem problem);

/**
 * The bytes of flash that a header's size code stands for.
 *
 * @param chip  UPD_CHIP_ESP8266 has codes of its own; all others share theirs
 * @param code  upd_image_info.flash_size
 *
 * @return bytes; 0 for a code that does not exist
 */
uint32_t upd_image_flash_bytes(enum upd_chip chip, uint8_t code);

#endif
