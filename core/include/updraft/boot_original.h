/*
 * updraft: what Espressif's own NONOS boot loaders v1.2, v1.4, v1.6 and v1.7 decide.
 *
 * Pure functions of what they read, defects included. updraft's boot loader is compared with them,
 * and `updraft flash info` says by them which slot would start and why.
 *
 *     reset -> decide() -> load what it names -> runs
 *                                   | bad magic or checksum
 *                                   v
 *                              failed() -> write the block, reset, decide() again
 *                                   \----> return to the ROM: dead until power-up or reflash
 *
 * Cost: no heap, no state; constant tables.                  Format: docs/formats/boot_original.md
 */
#ifndef UPDRAFT_BOOT_ORIGINAL_H
#define UPDRAFT_BOOT_ORIGINAL_H

#include <stdbool.h>
#include <stdint.h>

#include <updraft/flash_map.h>
#include <updraft/sysparam.h>

/** What is loaded. */
enum upd_boot_start {
    UPD_BOOT_START_NOTHING, /* returns to the ROM, which prints "user code done" */
    UPD_BOOT_START_USER1,
    UPD_BOOT_START_USER2,
    UPD_BOOT_START_TEST,    /* test image at the block's address 1 */
    UPD_BOOT_START_PRIMARY, /* enhanced mode, image at address 2 */
    UPD_BOOT_START_BACKUP,  /* enhanced mode, image at address 1 */
};

/* Why. X(NAME, sentence). */
#define UPD_BOOT_REASONS(X)                                                                        \
    X(SELECTED, "the boot block selects it")                                                       \
    X(FRESH, "the boot block was empty or of another loader version, so it was set up anew")       \
    X(FELL_BACK, "the image that the boot block selects failed, so the other one")                 \
    X(RETRY_BUG, "v1.4 starts user1 again when user1 failed")                                      \
    X(TEST, "a test image is selected and has not passed its test")                                \
    X(ENHANCED, "enhanced mode: the boot block gives the address")                                 \
    X(BAD_INDEX, "the boot block selects neither user1 nor user2: \"error user bin flag\"")        \
    X(BAD_MAP, "\"flash map not support\"")                                                        \
    X(BLIND, "v1.7 cannot read above 4 MB, where the boot block of this map lies")

enum upd_boot_reason {
#define X(name, text) UPD_BOOT_REASON_##name,
    UPD_BOOT_REASONS(X)
#undef X
};

/** The sentence; "unknown" for a value that is not in the list. */
const char *upd_boot_reason_text(enum upd_boot_reason reason);

struct upd_boot_decision {
    enum upd_boot_start start;
    enum upd_boot_reason reason;
    uint32_t address;                   /* flash address of what is loaded; 0 for NOTHING */
    bool save;                          /* the loader writes `block` before it loads anything */
    uint8_t block[UPD_BOOT_BLOCK_SIZE]; /* as it stands when the image is loaded */
};

/**
 * What a loader starts. The test pin is asked separately: upd_boot_original_pin().
 *
 * @param version  of the loader
 * @param number   map, high nibble of flash byte 3
 * @param block    current block of the parameter area that this loader uses, which on maps it
 *                 does not know is not where the SDK has it: upd_flash_map_boot_view()
 * @param blind    true as on the chip: the ROM reads 4 MB, and v1.7 does not see the block of maps
 * 8 and 9. False when something has told the ROM the chip's size
 * @param decision out; all of it is written
 */
void upd_boot_original_decide(enum upd_boot_version version, uint32_t number,
                              const uint8_t block[UPD_BOOT_BLOCK_SIZE], bool blind,
                              struct upd_boot_decision *decision);

/** What byte 119 of the radio's init data says about a test pin. */
enum { UPD_BOOT_PIN_OFF = -1, UPD_BOOT_PIN_WRONG = -2 };

/** Offset of that byte in the first sector of the system parameter area. */
#define UPD_BOOT_PIN_OFFSET 119

/**
 * Which GPIO a loader looks at: when it is low, the image at the block's address 1 is loaded first;
 * when that returns, the decision stands.
 *
 * @return 0..15  the GPIO
 * @return UPD_BOOT_PIN_OFF    v1.2 and v1.4 have no such thing; or the byte is 0x00, on v1.7 also
 * 0xFF
 * @return UPD_BOOT_PIN_WRONG  "no GPIO select!"; the decision stands
 */
int upd_boot_original_pin(enum upd_boot_version version, uint8_t byte);

/** What a loader does after an image could not be loaded. */
struct upd_boot_failure {
    bool reset;                         /* false: returns to the ROM, nothing runs */
    bool save;                          /* writes `block` before the reset */
    uint8_t block[UPD_BOOT_BLOCK_SIZE]; /* as it stands afterwards */
    uint32_t rtc;                       /* word at 0x600011DC afterwards */
};

/** v1.7 counts failures in the RTC word, in its low byte, when these bits of it are set. */
#define UPD_BOOT_RTC_MARK 0x5A5A5A00u
/** What v1.7 leaves in the RTC word when it gives up on the first image. */
#define UPD_BOOT_RTC_FALLEN 0x12345678u

/**
 * What a loader does when the image of a decision has a bad magic or a bad checksum. (A crash of
 * an image that was started is noticed by none of them.)
 *
 * @param decision of the same loader
 * @param rtc      word at 0x600011DC of RTC memory, which survives resets but not power loss
 * @param failure  out; all of it is written
 */
void upd_boot_original_failed(enum upd_boot_version version,
                              const struct upd_boot_decision *decision, uint32_t rtc,
                              struct upd_boot_failure *failure);

#endif
