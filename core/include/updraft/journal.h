/*
 * updraft: the journal, one sector in which an update leaves what a power cut must not take: how
 * far the download came, that the new image is on trial, and what became of the trial.
 *
 *     page 0         cover: 32 bytes of the scheme's own, and the record that the sector is sound
 *     pages 1..5     frame 0 \
 *     pages 6..10    frame 1  > one update each, or a part of one between two power cuts
 *     pages 11..15   frame 2 /
 *
 *     a frame:  HEAD      what is written where; never programmed again but to wipe it
 *               PROGRESS  two pages: a byte for each sector that is complete; behind them eboot's
 *                         note of what is to be installed and put back
 *               TRIAL     marks of the trial
 *               END       marks of the end
 *
 * A mark is 32 bytes that are programmed to 0. Programs only clear bits, so a mark that was set
 * stays set whatever is torn later, and setting it again makes it whole where a cut had torn it.
 * Bodies, which need their ones, are in pages of which nothing else is written from then on.
 *
 * What holds at every moment, and what every user of the journal keeps to:
 *   (J1) Of the frames with a valid head the highest counts, and no other.
 *   (J2) A frame's HEAD page is programmed only after its mark TAKEN is complete, and only when the
 *        cover was valid. So the cells of HEAD are sound, although a cut may leave a torn page that
 *        looks blank.
 *   (J3) Before the sector is erased the cover and all heads are programmed to 0, so that a torn
 *        erase revives none of them. The cover is written after the erase, before anything else.
 *   (J4) A mark that was only read may be torn. Who begins something that cannot be begun again
 *        sets it first, in the same session.
 *   (J5) On an ordinary boot nothing is written.
 *
 * Nothing here touches flash. Cost: no heap; 64 bytes of stack.
 * Format: docs/formats/journal.md
 */
#ifndef UPDRAFT_JOURNAL_H
#define UPDRAFT_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include <updraft/err.h>

#define UPD_JOURNAL_SIZE 4096u
#define UPD_JOURNAL_PAGE_SIZE 256u
#ifndef UPD_JOURNAL_FRAMES /* a proof that looks at every state takes fewer */
#define UPD_JOURNAL_FRAMES 3u
#endif
#define UPD_JOURNAL_FRAME_SIZE (5u * UPD_JOURNAL_PAGE_SIZE)

/** Where the cover's record lies, and its size; bytes 0..31 of the sector are the scheme's own. */
#define UPD_JOURNAL_COVER_OFFSET 128u
#define UPD_JOURNAL_COVER_SIZE 16u

/** Bytes of a head, at the start of its frame, and of a note. */
#define UPD_JOURNAL_BODY_SIZE 64u
/** Bytes of eboot's note, and where it lies, counted from the start of the frame. */
#define UPD_JOURNAL_NOTE_SIZE 32u
#define UPD_JOURNAL_NOTE_OFFSET (2u * UPD_JOURNAL_PAGE_SIZE + 224u)

#define UPD_JOURNAL_MARK_SIZE 32u

/** Sectors of which a frame can tell that they are complete; larger areas use a larger stride. */
#define UPD_JOURNAL_PROGRESS_COUNT 448u

/** A size that is not known. */
#define UPD_SIZE_UNKNOWN 0xFFFFFFFFu

/** Bytes that tell one content from another: the first ones of a SHA-256. */
#define UPD_JOURNAL_VALIDATOR_SIZE 16u

/** Starts that an image on trial gets to confirm itself. */
#define UPD_TRIAL_STARTS 3u

/*
 * X(NAME, page of the frame, place in the page in units of marks, what a set mark says).
 *
 * A page is shared only by marks for which it does no harm when a torn write of one sets a later
 * one too.
 */
#define UPD_JOURNAL_MARKS(X)                                                                       \
    X(TAKEN, 1, 0, "the frame is in use, or was")                                                  \
    X(ARMED, 3, 0, "all is ready: the selection may be changing now")                              \
    X(SWITCHED, 3, 1, "otadata: the record is complete")                                           \
    X(START_1, 3, 2, "the image was started once")                                                 \
    X(START_2, 3, 3, "twice")                                                                      \
    X(START_3, 3, 4, "three times")                                                                \
    X(EXHAUSTED, 3, 5, "given up: its starts are used and it did not confirm itself")              \
    X(DAMAGED, 3, 6, "given up: it does not verify")                                               \
    X(REFUSED, 3, 7, "given up: the application asked for it")                                     \
    X(CLOSED, 4, 1, "the frame is in force no more")                                               \
    X(PROVEN, 4, 2, "CLOSED was complete")                                                         \
    X(REPORTED, 4, 3, "the application knows why the image was given up")

enum upd_journal_mark {
#define X(name, page, place, text) UPD_MARK_##name,
    UPD_JOURNAL_MARKS(X)
#undef X
        UPD_MARK_COUNT
};

/** A set of marks. */
#define UPD_MARK_BIT(mark) (1u << (mark))
#define UPD_MARKS_GIVEN_UP                                                                         \
    (UPD_MARK_BIT(UPD_MARK_EXHAUSTED) | UPD_MARK_BIT(UPD_MARK_DAMAGED) |                           \
     UPD_MARK_BIT(UPD_MARK_REFUSED))

/** Offset of a mark from the start of its frame. */
uint32_t upd_journal_mark_offset(enum upd_journal_mark mark);

/**
 * Tell whether a mark is set: at least 80 of its 256 bits are 0.
 *
 * Flips of single bits change nothing, nor does a torn write of another mark in the page; and a
 * mark that was torn and then set again is set however its unstable cells read.
 */
bool upd_journal_mark_is_set(const uint8_t mark[UPD_JOURNAL_MARK_SIZE]);

/** How many starts a set of marks counts, 0 to UPD_TRIAL_STARTS. */
uint32_t upd_journal_starts(uint32_t marks);

/** Offset of a frame from the start of the sector; `frame` is below UPD_JOURNAL_FRAMES. */
uint32_t upd_journal_frame_offset(uint32_t frame);

/** Fill in the cover's record. */
void upd_journal_cover_encode(uint8_t bytes[UPD_JOURNAL_COVER_SIZE]);
bool upd_journal_cover_is_valid(const uint8_t bytes[UPD_JOURNAL_COVER_SIZE]);

/** What a frame is about. */
struct upd_journal_head {
    uint32_t offset; /* first byte of the area that is written */
    uint32_t room;   /* bytes of that area */
    uint32_t size;   /* bytes that come from the transport, or UPD_SIZE_UNKNOWN */
    uint8_t slot;    /* scheme's number of the slot that is written */
    uint8_t stride;  /* sectors that one byte of progress stands for, 1 or more */
    bool gzip;       /* what comes is compressed */
    bool resumable;  /* `validator` holds something */
    uint8_t validator[UPD_JOURNAL_VALIDATOR_SIZE];
};

void upd_journal_head_encode(const struct upd_journal_head *head,
                             uint8_t bytes[UPD_JOURNAL_BODY_SIZE]);

/**
 * @return UPD_OK
 * @return UPD_E_FORMAT  never written, torn, wiped or of another version; *head is unchanged
 */
UPD_MUST_CHECK enum upd_err upd_journal_head_decode(const uint8_t bytes[UPD_JOURNAL_BODY_SIZE],
                                                    struct upd_journal_head *head);

/** The slot of a valid head, -1 when it is not one. For a boot loader, which needs no more of it.
 */
int upd_journal_head_slot(const uint8_t bytes[UPD_JOURNAL_BODY_SIZE]);

/** The set of marks of a frame that was read whole. */
uint32_t upd_journal_marks(const uint8_t frame[UPD_JOURNAL_FRAME_SIZE]);

/** eboot: what updraft's loader installs, and what it puts back when the trial fails. */
struct upd_journal_note {
    uint32_t source;       /* staged sketch: flash offset, sector-aligned */
    uint32_t size;         /* bytes, from flash 0 on, the loader's sector included */
    uint32_t crc32;        /* of the bytes from 0x1000 on, upd_crc32() */
    uint32_t backup;       /* copy of the sketch that ran: flash offset, sector-aligned */
    uint32_t backup_size;  /* bytes as above; 0: there is no way back */
    uint32_t backup_crc32; /* of the bytes from 0x1000 on */
};

void upd_journal_note_encode(const struct upd_journal_note *note,
                             uint8_t bytes[UPD_JOURNAL_NOTE_SIZE]);
/** As upd_journal_head_decode(). */
UPD_MUST_CHECK enum upd_err upd_journal_note_decode(const uint8_t bytes[UPD_JOURNAL_NOTE_SIZE],
                                                    struct upd_journal_note *note);

/**
 * The two sectors of the log of copies (copy_log.h), which no copy reads or writes: 0 is the first
 * one of the backup, or without one the sector below what is staged; 1 is the first one staged.
 */
uint32_t upd_journal_note_log(const struct upd_journal_note *note, uint32_t sector);

/** Offset of a progress byte from the start of its frame; index below UPD_JOURNAL_PROGRESS_COUNT.
 */
uint32_t upd_journal_progress_offset(uint32_t index);

/**
 * The progress byte of complete sectors: bit 7 is 0, the others are the low bits of upd_crc32() of
 * their bytes. So a byte that a torn write made up is found out, by 127 of 128 at least; the check
 * of the whole image at the end finds the rest.
 */
uint8_t upd_journal_progress_byte(uint32_t crc32);

#endif
