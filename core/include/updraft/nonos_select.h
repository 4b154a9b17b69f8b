/*
 * updraft: which slot an ESP8266 with the NONOS SDK's flash maps starts, as a register that no cut
 * of power damages.
 *
 * The SDK keeps two copies of its parameters, each with the boot block in front, and a flag sector
 * whose byte 0 selects one of them. A cut while that byte is written leaves one that may read
 * differently each time; whoever then writes "the other copy" may hit the one that is read next
 * time, and the settings with it. SDK and original loaders take that risk. updraft adds seals, in
 * pages of these sectors that neither of them reads:
 *
 *   (S1) The flag sector's seal is made invalid before anything else of the sector changes, and is
 *        valid again when all of it is written. So while it reads as valid, byte 0 is sound.
 *   (S2) A copy is written only while the flag sector is SOUND and selects the other copy, and only
 *        after that other copy was sealed in the same power session. The seals of the copy that is
 *        written are made invalid first. So of two copies one is always whole and can be told.
 *   (S3) A flag sector that is not SOUND is written anew before anything is started, to select a
 *        copy that is sealed, if any is.
 *   (S4) The selection is set, never toggled.
 *   (S5) When cuts have used up the current copy's places, (S2) does without its seal. On a NEW chip
 *        the flag sector is then written first, while there is no other copy that it could select.
 *
 * A seal is 16 bytes of a pattern. A torn one may read as valid or not: at that moment what it
 * seals is whole. Once it is programmed to 0 nothing torn makes it valid.
 *
 * Pure. Cost: no heap; 112 bytes of stack.                    Format: docs/formats/nonos_select.md
 */
#ifndef UPDRAFT_NONOS_SELECT_H
#define UPDRAFT_NONOS_SELECT_H

#include <stdbool.h>
#include <stdint.h>

#include <updraft/journal.h>
#include <updraft/sysparam.h>

#define UPD_SEAL_SIZE 16u

/** The flag sector's seals: three places at this offset. */
#define UPD_FLAG_SEALS_OFFSET 256u
#define UPD_FLAG_SEALS_SIZE (3u * UPD_SEAL_SIZE)

/*
 * A copy's seals: four places, filled one after the other. Each has a page of its own, since a torn
 * write may change all that is in the page; and a mark as in journal.h, in one page for all, which
 * is set before the place is used. So a place whose mark is not set was never touched, although a
 * torn seal may look blank.
 */
#ifndef UPD_COPY_SEALS /* a proof that looks at every state takes fewer */
#define UPD_COPY_SEALS 4u
#endif
#define UPD_COPY_MARK_OFFSET(place) (0x700u + UPD_JOURNAL_MARK_SIZE * (place))
#define UPD_COPY_SEAL_OFFSET(place) (0x800u + UPD_JOURNAL_PAGE_SIZE * (place))

/** What the seals of a copy say. */
struct upd_copy_sealing {
    bool sealed;
    uint8_t free; /* first place that can take a seal; UPD_COPY_SEALS when there is none */
};

/** What was read of the area. */
struct upd_select_area {
    struct upd_sysparam params;              /* the first 32 bytes of flag sector and copies */
    uint8_t flag_seals[UPD_FLAG_SEALS_SIZE]; /* of the flag sector */
    struct upd_copy_sealing copy[2];         /* by upd_copy_see_seal() */
};

/**
 * Look at one place.
 *
 * @param sealing  what the places before it said; all zero for place 0
 * @param mark     the mark of the place
 * @param seal     the place
 */
void upd_copy_see_seal(struct upd_copy_sealing *sealing, uint32_t place,
                       const uint8_t mark[UPD_JOURNAL_MARK_SIZE],
                       const uint8_t seal[UPD_SEAL_SIZE]);

/** The bytes of a copy's seal. */
void upd_copy_seal(uint8_t seal[UPD_SEAL_SIZE]);

/** How far the flag sector can be trusted. */
enum upd_flag_trust {
    UPD_FLAG_SOUND, /* sealed, or written by the SDK or by an original loader */
    UPD_FLAG_NEW, /* erased, on a chip that has no second copy yet: good to boot from, to be written
                     before a copy is */
    UPD_FLAG_DOUBT, /* a write was cut */
};

enum upd_flag_trust upd_flag_trust(const struct upd_select_area *area);

/** The copy that counts, 0 or 1: the one that the flag selects, unless it is not SOUND and the other
 * is sealed or, in DOUBT, the only one with a boot block. */
uint8_t upd_select_current(const struct upd_select_area *area);

/** The slot that a boot loader of a version starts by a block, when both images are good. */
enum upd_slot upd_block_slot(const uint8_t block[UPD_BOOT_BLOCK_SIZE], uint8_t version);

/** What is to be done next for a selection. */
enum upd_select_do {
    UPD_SELECT_DONE,  /* nothing is left to do, and the flag sector is not in DOUBT */
    UPD_SELECT_SEAL,  /* seal the current copy: set the mark of its first free place, if there is
                         one, then program upd_copy_seal() there; then `sealed` is true */
    UPD_SELECT_BREAK, /* program the places of the other copy to 0, those before the first free one;
                         then `broken` is true */
    UPD_SELECT_COPY,  /* write the other copy: BREAK; erase it; carry over the current one's sector,
                         but with upd_boot_block_select() of slot `which` in its block and with
                         marks and places left blank; SEAL it. It is not yet the current one */
    UPD_SELECT_FLAG,  /* make copy `which` current, by upd_flag_writes() or by upd_flag_anew; then
                         all of the progress is false */
};

/** Small, so that it is returned in a register. */
struct upd_select_step {
    uint8_t what;  /* enum upd_select_do */
    uint8_t which; /* of COPY enum upd_slot, of FLAG a copy; else 0 */
};

/** What was done since the last reset, and since something else was wanted; all false at first. */
struct upd_select_progress {
    bool sealed;
    bool broken;
};

/**
 * The next step to make a slot the one that starts. Read the area, ask, do it, and again. When the
 * other copy is sealed and selects the slot already, only the flag sector is written.
 *
 * @param version  loader that reads the block, 2..30
 */
struct upd_select_step upd_select_slot(const struct upd_select_area *area,
                                       const struct upd_select_progress *progress, uint8_t version,
                                       enum upd_slot slot);

/**
 * The next step to make sure that the slot which is selected now stays so, whatever is cut, until
 * upd_select_slot() is asked for another one: only the current copy is sealed then.
 */
struct upd_select_step upd_select_hold(const struct upd_select_area *area,
                                       const struct upd_select_progress *progress);

/*
 * How the flag sector is written: rows in their order, each on the chip and read back before the
 * next one begins. Data comes from a buffer that upd_flag_bytes() fills in.
 */
struct upd_flag_write {
    uint16_t offset; /* bytes from the start of the sector, multiple of 4 */
    uint8_t size;    /* bytes, multiple of 4; 0: erase the sector; all others program */
    uint8_t data;    /* where the bytes are in the buffer; UPD_FLAG_ZEROS: they are all 0 */
};
#define UPD_FLAG_ZEROS 0u

/** The rows that always do. */
#define UPD_FLAG_ANEW_COUNT 7u
extern const struct upd_flag_write upd_flag_anew[UPD_FLAG_ANEW_COUNT];

#define UPD_FLAG_BYTES (UPD_FLAG_SEALS_SIZE + UPD_SYSPARAM_HEAD_SIZE + UPD_SEAL_SIZE)

/** Fill in the buffer for upd_flag_anew: zeros, the SDK's record, the seal. */
void upd_flag_bytes(const struct upd_select_area *area, uint8_t copy,
                    uint8_t bytes[UPD_FLAG_BYTES]);

/**
 * The same with a record as brief as those of the original boot loaders: the copy, and no checksum,
 * which the SDK takes without a word. For a boot loader, where every byte of code counts.
 */
void upd_flag_brief(uint32_t copy, uint8_t bytes[UPD_FLAG_BYTES]);

/**
 * The rows that need the least: from copy 1 to copy 0 of a SOUND sector no erase, which only clears
 * bits. Fills in the buffer for them.
 *
 * @param count  out: number of rows
 */
const struct upd_flag_write *upd_flag_writes(const struct upd_select_area *area, uint8_t copy,
                                             uint8_t bytes[UPD_FLAG_BYTES], uint32_t *count);

#endif
