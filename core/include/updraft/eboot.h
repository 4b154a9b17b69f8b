/*
 * updraft: eboot, the boot loader of the Arduino core for the ESP8266, and what the updater of that
 * core hands to it: a command of 128 bytes in RTC memory.
 *
 * The new sketch is staged right below the file system; eboot copies it over the old one at the
 * next start, inflating it when it is gzip. RTC memory survives a reset and not a power cut.
 *
 * Cost: no heap; at most 64 bytes of stack.                           Format: docs/formats/eboot.md
 */
#ifndef UPDRAFT_EBOOT_H
#define UPDRAFT_EBOOT_H

#include <stdbool.h>
#include <stdint.h>

#include <updraft/err.h>

/** Bytes of a command, and where it lies in RTC memory. */
#define UPD_EBOOT_COMMAND_SIZE 128
#define UPD_EBOOT_COMMAND_ADDRESS 0x60001200u

enum upd_eboot_action {
    UPD_EBOOT_COPY = 1,  /* COPY_RAW */
    UPD_EBOOT_LOAD = -1, /* LOAD_APP, stored as FFFFFFFF */
};

/** A command. Addresses are flash offsets; COPY uses all three, LOAD the source alone. */
struct upd_eboot_command {
    int32_t action;  /* enum upd_eboot_action, or whatever a valid block held */
    uint32_t source; /* COPY: of the staged image; LOAD: of the image to start */
    uint32_t target;
    uint32_t size; /* bytes staged */
};

/** Build the block: magic, command, zeroes, CRC. */
void upd_eboot_build(const struct upd_eboot_command *command,
                     uint8_t block[UPD_EBOOT_COMMAND_SIZE]);

/**
 * Read a block.
 *
 * @param command out; not NULL
 *
 * @return UPD_OK           magic and CRC are right; *command is filled
 * @return UPD_E_NOT_FOUND  no magic: no command was left. *command is unchanged
 * @return UPD_E_FORMAT     magic, but the CRC is wrong; *command is unchanged
 */
UPD_MUST_CHECK enum upd_err upd_eboot_parse(const uint8_t block[UPD_EBOOT_COMMAND_SIZE],
                                            struct upd_eboot_command *command);

/** Clear a block as eboot does: first and last word zero, the rest stays. */
void upd_eboot_clear(uint8_t block[UPD_EBOOT_COMMAND_SIZE]);

/** What eboot does next. */
enum upd_eboot_next {
    UPD_EBOOT_NEXT_COPY,  /* copy, then ask upd_eboot_after_copy() */
    UPD_EBOOT_NEXT_LOAD,  /* load the image at `address`; when that fails, reset */
    UPD_EBOOT_NEXT_RESET, /* reset; RTC memory is kept */
};

struct upd_eboot_decision {
    enum upd_eboot_next next;
    bool clear;       /* the command is cleared: before LOAD and RESET, after COPY */
    uint32_t address; /* LOAD: flash offset; the image header is 0x1000 behind it */
};

/** What eboot does at its start, given the block. A block without a valid command starts 0. */
void upd_eboot_decide(const uint8_t block[UPD_EBOOT_COMMAND_SIZE],
                      struct upd_eboot_decision *decision);

/* Results of the copy, as eboot prints them after "cp:". X(NAME, value, sentence). */
#define UPD_EBOOT_RESULTS(X)                                                                       \
    X(OK, 0, "copied")                                                                             \
    X(ALIGN, 1, "source or target is not sector-aligned")                                          \
    X(ERASE, 2, "a sector could not be erased")                                                    \
    X(READ, 3, "the staged image could not be read")                                               \
    X(WRITE, 4, "a sector could not be written")                                                   \
    X(GZIP_HEADER, 5, "the gzip header is bad")                                                    \
    X(GZIP_DATA, 6, "the compressed data is bad")

enum upd_eboot_result {
#define X(name, value, text) UPD_EBOOT_RESULT_##name = (value),
    UPD_EBOOT_RESULTS(X)
#undef X
};

/** The sentence; "unknown" for a value that is not in the list. */
const char *upd_eboot_result_text(enum upd_eboot_result result);

/** What eboot does after the copy that a decision asked for. */
void upd_eboot_after_copy(const struct upd_eboot_command *command, enum upd_eboot_result result,
                          struct upd_eboot_decision *decision);

/** What a copy will do to the flash. */
struct upd_eboot_copy {
    uint32_t read;  /* bytes of flash from the source that are read, whole sectors */
    uint32_t write; /* bytes from the target that are erased and written, whole sectors */
    bool boot;      /* the target holds eboot: sector 0 is rewritten if it differs */
    bool safe; /* uncut, the target ends as the image: no input is overwritten before it is read */
    bool repeatable; /* a reset in the middle is repaired by starting over: nothing overlaps at all
                      */
};

/**
 * Work out a copy before it is done.
 *
 * @param command  COPY
 * @param gzip     the staged data begins with 1F 8B
 * @param isize    its last four bytes as a number, the inflated length; not used for raw data
 * @param copy     out; not NULL
 *
 * @return UPD_OK
 * @return UPD_E_ARG     not a COPY, or the regions pass the end of 32-bit addresses
 * @return UPD_E_FORMAT  eboot would return result ALIGN, or copy nothing and start the old sketch:
 * size or inflated length is 0 or above 2 GiB. *copy is unchanged in both cases
 */
UPD_MUST_CHECK enum upd_err upd_eboot_copy(const struct upd_eboot_command *command, bool gzip,
                                           uint32_t isize, struct upd_eboot_copy *copy);

/**
 * Where the core's updater stages a sketch: right-aligned below the file system.
 *
 * @param running   bytes of the running sketch, as ESP.getSketchSize() has it
 * @param fs_start  flash offset of the file system
 * @param size      bytes to be staged
 * @param start     out; flash offset of the first byte, a multiple of a sector
 *
 * @return UPD_OK
 * @return UPD_E_ARG    size is 0 (the updater's error 5)
 * @return UPD_E_SPACE  it would reach into the running sketch (error 4). *start is unchanged in
 *                      both cases
 */
UPD_MUST_CHECK enum upd_err upd_eboot_stage(uint32_t running, uint32_t fs_start, uint32_t size,
                                            uint32_t *start);

/* What is wrong with an offer, X(NAME, sentence). */
#define UPD_EBOOT_OFFERS(X)                                                                        \
    X(OK, "fits")                                                                                  \
    X(EMPTY, "the file is empty")                                                                  \
    X(NO_SPACE, "the file does not fit between the running sketch and the file system")            \
    X(NOT_GZIP, "shorter than any gzip file")                                                      \
    X(TRAILING, "bytes follow the gzip member: eboot would take a wrong length from them")         \
    X(NO_LENGTH,                                                                                   \
      "the gzip file ends in a wrong inflated length, or in 0: eboot would copy nothing")          \
    X(TOO_LARGE, "the sketch is longer than the layout allows")                                    \
    X(OVERLAP, "inflated, the sketch would overwrite the compressed data before it is read")       \
    X(NOT_REPEATABLE,                                                                              \
      "the sketch overwrites its own staged copy: a reset in the middle leaves no sketch")

enum upd_eboot_offer {
#define X(name, text) UPD_EBOOT_OFFER_##name,
    UPD_EBOOT_OFFERS(X)
#undef X
};

/** The sentence; "unknown" for a value that is not in the list. */
const char *upd_eboot_offer_text(enum upd_eboot_offer offer);

/** What a device reports, and what is to be sent to it. All in bytes. */
struct upd_eboot_question {
    uint32_t running;  /* sketch-size */
    uint32_t free;     /* free-space; running rounded up + free = start of the file system */
    uint32_t limit;    /* longest file: struct upd_arduino_layout.max_file */
    uint32_t file;     /* length of what is sent */
    uint32_t trailer;  /* of that, bytes behind the image which the device's verifier takes off: its
                          signature. 0 for a device without verifier, even when the file is signed */
    uint32_t inflated; /* gzip: length of the content, as inflating it gave; raw: not used */
    uint32_t isize;    /* gzip: the last four bytes as a number; raw: not used */
    uint32_t
        member; /* gzip: bytes of the first member, header and trailer included; raw: not used */
    bool gzip;
    bool repeatable; /* refuse what a reset in the middle of the copy would destroy */
};

/**
 * Would the updater take this sketch and eboot copy it as meant? The server asks before it offers.
 *
 * @return UPD_EBOOT_OFFER_OK, or the first reason why not, in the order of the list
 */
enum upd_eboot_offer upd_eboot_offer(const struct upd_eboot_question *question);

#endif
