/*
 * updraft: the system parameter area of the ESP8266 NONOS SDK, where the chip remembers which slot
 * to start.
 *
 *     sector 0   radio calibration data            address: upd_flash_map_sysparam()
 *     sector 1   parameters, copy 0     } byte 0 of the flag sector tells which one is valid:
 *     sector 2   parameters, copy 1     } 0x00 copy 0, everything else copy 1
 *     sector 3   flag sector: 32 bytes
 *
 * A copy begins with the boot block, eight bytes for the boot loader; the Wi-Fi settings follow.
 * Nothing here touches flash: functions look at what was read and say what is to be written.
 *
 * What a write in updraft's own style keeps true, and why a power cut anywhere is harmless:
 * (1) A copy is touched only while the flag sector is sure to select the other one.
 * (2) The flag sector is touched only while both copies are complete and hold the same settings, so
 *     that it does not matter which one a torn flag sector selects.
 * (3) So after a cut at most one of the two is torn: the copy that is not selected, which is erased
 *     and written again, or the flag sector, which may read differently each time and must be
 *     repaired before (1) holds again. The bytes cannot always tell; the caller's journal does: it
 *     says so before the first step on the flag sector, `flag_from`, and until the last is done.
 * (4) A slot is set, not toggled: what is written follows from what is wanted and what is there, so
 *     it can be begun again after a cut, and doing it twice writes nothing the second time.
 *
 *     for (;;) {
 *         read the area;
 *         the journal says that the flag sector is being written
 *             ? upd_sysparam_plan_flag(...) : upd_sysparam_plan_slot(...);
 *         carry out plan.step[i] for i = 0 .. count - 1, telling the journal at i == flag_from;
 *         tell the journal that the flag sector is written;
 *         when count was 0 and plan_slot made the plan: done;
 *     }
 *
 * Cost: no heap; a plan is 82 bytes, making one takes 350 bytes of stack.
 * Format: docs/formats/sysparam.md
 */
#ifndef UPDRAFT_SYSPARAM_H
#define UPDRAFT_SYSPARAM_H

#include <stdbool.h>
#include <stdint.h>

#include <updraft/err.h>
#include <updraft/flash_map.h>

/** Bytes that matter of the flag sector, and of each copy for its checksum. */
#define UPD_SYSPARAM_HEAD_SIZE 32
/** Bytes of a copy that SDK 3.x stores; updraft carries over the whole sector. */
#define UPD_SYSPARAM_SDK_SIZE 0x4A4
#define UPD_BOOT_BLOCK_SIZE 8

/** Sectors of the area, counted from upd_flash_map_sysparam(). Copy n is sector COPY0 + n. */
enum {
    UPD_SYSPARAM_SECTOR_INIT,
    UPD_SYSPARAM_SECTOR_COPY0,
    UPD_SYSPARAM_SECTOR_COPY1,
    UPD_SYSPARAM_SECTOR_FLAG,
};

/** What was read of the area: the first 32 bytes of the flag sector and of both copies. */
struct upd_sysparam {
    uint8_t flag[UPD_SYSPARAM_HEAD_SIZE];
    uint8_t head[2][UPD_SYSPARAM_HEAD_SIZE];
    /*
     * The two copies are equal from byte UPD_BOOT_BLOCK_SIZE to the end of their sectors. Only
     * upd_sysparam_plan_flag() looks at it; false where it is not known.
     */
    bool same_settings;
};

/* --- What is there --------------------------------------------------------------------------- */

/** The copy that boot loader and SDK use, 0 or 1. */
uint8_t upd_sysparam_current(const struct upd_sysparam *area);

/** The boot block that boot loader and SDK use: eight bytes inside *area. */
const uint8_t *upd_sysparam_block(const struct upd_sysparam *area);

/** Checksum of a copy: 0xEF XOR its first 32 bytes. */
uint8_t upd_sysparam_checksum(const uint8_t head[UPD_SYSPARAM_HEAD_SIZE]);

/** The flag sector's record, as the SDK writes it. */
struct upd_sysparam_record {
    uint8_t flag;         /* byte 0: 0 for copy 0 */
    uint8_t kept[3];      /* bytes 1..3, carried from record to record */
    uint32_t magic;       /* UPD_SYSPARAM_MAGIC */
    uint32_t counter;     /* of writes */
    uint32_t length[2];   /* bytes that the checksum of copy n covers: 32, or FFFFFFFF */
    uint32_t checksum[2]; /* of copy n, 0..255, or FFFFFFFF */
    uint32_t magic_end;   /* UPD_SYSPARAM_MAGIC_END */
};

#define UPD_SYSPARAM_MAGIC 0x55AA55AAu
#define UPD_SYSPARAM_MAGIC_END 0xAA55AA55u

void upd_sysparam_record_decode(const uint8_t bytes[UPD_SYSPARAM_HEAD_SIZE],
                                struct upd_sysparam_record *record);
void upd_sysparam_record_encode(const struct upd_sysparam_record *record,
                                uint8_t bytes[UPD_SYSPARAM_HEAD_SIZE]);

/*
 * What a flag sector holds. X(NAME, sentence).
 */
#define UPD_SYSPARAM_FLAGS(X)                                                                      \
    X(ERASED, "erased: copy 1 is used")                                                            \
    X(BOOT, "written by a boot loader, which stores no checksum")                                  \
    X(WHOLE, "written by the SDK; magics, length and checksum are right")                          \
    X(DOUBTFUL, "neither erased nor whole: a write was cut, or the copy's checksum is wrong")

enum upd_sysparam_flag {
#define X(name, text) UPD_SYSPARAM_FLAG_##name,
    UPD_SYSPARAM_FLAGS(X)
#undef X
};

enum upd_sysparam_flag upd_sysparam_flag(const struct upd_sysparam *area);
/** The sentence; "unknown" for a value that is not in the list. */
const char *upd_sysparam_flag_text(enum upd_sysparam_flag flag);

/**
 * What SDK 3.x thinks of the area when an application starts.
 *
 * @return true   it says nothing
 * @return false  it prints "system param error, use last saved param!", and uses the copy anyway
 */
bool upd_sysparam_sdk_accepts(const struct upd_sysparam *area);

/* --- The boot block -------------------------------------------------------------------------- */

/** Fields of a boot block of v1.3 and later. Of a v1.2 block only `version` and `nibble` count. */
struct upd_boot_block {
    uint8_t version;     /* B1 4:0: loader that wrote it; 31: none did */
    uint8_t nibble;      /* B0 3:0, the slot of a v1.2 block: 0 user1, 1 user2 */
    uint8_t index;       /* B0 1:0: 0 user1, 1 user2 is the flagged image; 2 error, 3 not set */
    bool first_try;      /* B0 bit 2: start the flagged image; false: it failed, start the other */
    bool keeps_dio;      /* B0 bit 3 = 1: the SDK does not switch from DIO to QIO */
    bool test_passed;    /* B1 bit 5 = 0 */
    bool test_selected;  /* B1 bit 6 = 0 */
    bool enhanced;       /* B1 bit 7 = 0: start explicit addresses instead of slots */
    uint32_t address[2]; /* [0] B2..B4: backup image or test image; [1] B5..B7: primary image */
};

void upd_boot_block_decode(const uint8_t block[UPD_BOOT_BLOCK_SIZE], struct upd_boot_block *fields);

/**
 * The inverse. B0 bits 7:4, which mean nothing, become 1. Of `nibble` nothing is used: `index`,
 * `first_try` and `keeps_dio` make B0. Fields larger than their bits lose the rest.
 */
void upd_boot_block_encode(const struct upd_boot_block *fields, uint8_t block[UPD_BOOT_BLOCK_SIZE]);

/**
 * Make a block start a slot, once and for all: what is not about the slot stays.
 *
 * With a loader of v1.3 or later: flagged image = slot, first try, normal mode, no test. A block
 * that another version wrote would be thrown away by the loader at its next start, so it is
 * replaced by what the loader would write, with the slot in it; the explicit addresses go with it.
 * With v1.2 the low nibble and the version are set.
 *
 * @param block    changed in place. Doing it twice is doing it once
 * @param version  loader that is on the chip, 2..30: the SDK's upd_sdk_boot_version(), or known
 *                 from its file
 *
 * @return UPD_OK
 * @return UPD_E_ARG  version below 2 or above 30: no loader reads the block; *block is unchanged
 */
UPD_MUST_CHECK enum upd_err upd_boot_block_select(uint8_t block[UPD_BOOT_BLOCK_SIZE],
                                                  uint8_t version, enum upd_slot slot);

/* What the SDK's functions answer to an application, given the block. */

/** system_get_boot_version(): 31 without a boot loader. */
uint8_t upd_sdk_boot_version(const uint8_t block[UPD_BOOT_BLOCK_SIZE]);
/** system_get_boot_mode(): 1 normal, 0 enhanced. */
uint8_t upd_sdk_boot_mode(const uint8_t block[UPD_BOOT_BLOCK_SIZE]);
/** system_upgrade_userbin_check(): the slot that runs. */
enum upd_slot upd_sdk_userbin_check(const uint8_t block[UPD_BOOT_BLOCK_SIZE]);
/** system_get_userbin_addr(): flash address of what runs; 0 without a boot loader. */
uint32_t upd_sdk_userbin_addr(const uint8_t block[UPD_BOOT_BLOCK_SIZE],
                              const struct upd_flash_map *map);

/**
 * What system_upgrade_reboot() does to the block once a download is finished: it toggles. Twice
 * without a restart between selects the old slot again. For comparison; upd_boot_block_select() is
 * what updraft uses.
 */
void upd_sdk_upgrade_reboot(uint8_t block[UPD_BOOT_BLOCK_SIZE]);

/** The kinds of system_restart_enhance(). */
enum upd_sdk_restart { UPD_SDK_RESTART_NORMAL, UPD_SDK_RESTART_TEST };

/**
 * What system_restart_enhance(type, address) does to the block before it restarts.
 *
 * @param block    changed in place when UPD_OK
 * @param type     NORMAL: enhanced mode, primary = address, backup = what runs now; TEST: start the
 *                 test image at the address
 * @param address  flash address, below 16 MiB
 *
 * @return UPD_OK
 * @return UPD_E_STATE   the loader is older than v1.3, or TEST and the test has been passed
 * @return UPD_E_TARGET  NORMAL on a map other than 0, 2, 3, 4
 * @return UPD_E_ARG     neither type, or address of 16 MiB and above. The block is unchanged
 */
UPD_MUST_CHECK enum upd_err upd_sdk_restart_enhance(uint8_t block[UPD_BOOT_BLOCK_SIZE],
                                                    const struct upd_flash_map *map,
                                                    enum upd_sdk_restart type, uint32_t address);

/* --- What to write --------------------------------------------------------------------------- */

/** Whose way of writing. docs/formats/sysparam.md section 5 compares them. */
enum upd_sysparam_style {
    /*
     * updraft's own, which every boot loader and SDK reads: the SDK's record, (3) above, the whole
     * copy carried over, and no erase of the flag sector for the step from copy 1 to copy 0, which
     * only clears bits. 1.5 erases per change on average.
     */
    UPD_SYSPARAM_SAFE,
    UPD_SYSPARAM_AS_SDK,      /* SDK 3.x: carries 0x4A4 bytes over, record of 32 bytes */
    UPD_SYSPARAM_AS_BOOT,     /* boot v1.4 and later: whole copy, 4 bytes of the flag sector */
    UPD_SYSPARAM_AS_BOOT_1_2, /* boot v1.2: 8 bytes of the copy, 4 bytes of the flag sector */
};

enum upd_sysparam_action {
    UPD_SYSPARAM_ERASE,   /* erase `sector` */
    UPD_SYSPARAM_COPY,    /* program `sector` with the first `size` bytes of sector `source`, but
                             its first UPD_BOOT_BLOCK_SIZE bytes from upd_sysparam_data() */
    UPD_SYSPARAM_PROGRAM, /* program `size` bytes of upd_sysparam_data() at `offset` of `sector` */
};

/** One write. Sectors count from upd_flash_map_sysparam(); offsets and sizes are multiples of 4. */
struct upd_sysparam_step {
    uint8_t action; /* enum upd_sysparam_action */
    uint8_t sector;
    uint8_t source; /* COPY only */
    uint8_t offset; /* bytes; PROGRAM only */
    uint16_t size;  /* bytes; 0 for ERASE */
    uint8_t data;   /* where upd_sysparam_data() looks */
};

/**
 * Writes, in the order in which they must reach the flash. Each must be on the chip, and read back,
 * before the next one begins. Programming bytes that are 0xFF already may be left out.
 */
struct upd_sysparam_plan {
    uint8_t count;     /* 0: nothing has to change */
    uint8_t flag_from; /* first step on the flag sector; all before it are on the other copy */
    struct upd_sysparam_step step[5];
    uint8_t bytes[UPD_BOOT_BLOCK_SIZE + UPD_SYSPARAM_HEAD_SIZE];
};

/** The bytes of a COPY or PROGRAM step, inside *plan. */
const uint8_t *upd_sysparam_data(const struct upd_sysparam_plan *plan,
                                 const struct upd_sysparam_step *step);

/**
 * Plan the writes that make a boot block the current one, trusting the flag sector.
 *
 * With UPD_SYSPARAM_SAFE a flag sector that reads torn is repaired first, by a plan of its own:
 * read and plan again after it, until a plan is empty. That makes two plans at most.
 *
 * @param area   as read from flash just now
 * @param style  see there. The AS_ styles toggle the copy as the originals do, and AS_BOOT writes
 *               even when nothing changed
 * @param block  wanted
 * @param plan   out; all of it is written
 */
void upd_sysparam_plan_block(const struct upd_sysparam *area, enum upd_sysparam_style style,
                             const uint8_t block[UPD_BOOT_BLOCK_SIZE],
                             struct upd_sysparam_plan *plan);

/**
 * Plan the writes that make a slot the one that starts from now on: upd_boot_block_select() on the
 * current block, then upd_sysparam_plan_block().
 *
 * @param version  loader that is on the chip, 2..30
 *
 * @return UPD_OK
 * @return UPD_E_ARG  version below 2 or above 30; *plan is unchanged
 */
UPD_MUST_CHECK enum upd_err upd_sysparam_plan_slot(const struct upd_sysparam *area,
                                                   enum upd_sysparam_style style, uint8_t version,
                                                   enum upd_slot slot,
                                                   struct upd_sysparam_plan *plan);

/**
 * Plan the repair of a flag sector that was being written when power went, whatever it reads now.
 *
 * It is written anew, to select the copy that names the slot, or the current one when neither does.
 * When the copies are not both complete and equal in their settings, the flag sector cannot have
 * been touched by (2), and the plan is empty: go on with upd_sysparam_plan_slot().
 *
 * @param area     as read from flash just now, same_settings included
 * @param version  loader that is on the chip
 * @param slot     wanted
 * @param plan     out; all of it is written
 */
void upd_sysparam_plan_flag(const struct upd_sysparam *area, uint8_t version, enum upd_slot slot,
                            struct upd_sysparam_plan *plan);

/**
 * The record of a flag sector that makes one of two complete copies the current one. No copy is
 * touched. For who writes copy and flag sector apart.
 *
 * @param copy    0 or 1: the one to be current
 * @param fresh   true: the record for a sector that is erased before
 * @param record  out: the 32 bytes
 *
 * @return true   the flag sector must be erased before it is programmed
 * @return false  programming is enough: only bits are cleared
 */
bool upd_sysparam_flag_record(const struct upd_sysparam *area, uint8_t copy, bool fresh,
                              uint8_t record[UPD_SYSPARAM_HEAD_SIZE]);

#endif
