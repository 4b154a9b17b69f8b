/*
 * The journal in flash: docs/formats/journal.md says what it is and core/journal.h what holds.
 * Here it is read and written. Private to device/.
 *
 * device->frame is the frame that counts: the highest one with a valid head. Errors are those of
 * flash_ops.h, and stick as there; then a mark counts as not set, and whatever is asked for as not
 * there or blank. Cost: 160 bytes of stack and the port's.
 */
#ifndef UPDRAFT_FRAME_H
#define UPDRAFT_FRAME_H

#include <stdint.h>

#include <updraft/scheme.h>

/** True when device->frame holds a frame. */
static inline bool upd_frame_exists(const struct upd_frame *frame)
{
    return frame->index < UPD_JOURNAL_FRAMES;
}

/** True when a mark was read, or set by this session. */
static inline bool upd_frame_has(const struct upd_frame *frame, enum upd_journal_mark mark)
{
    return (frame->marks & UPD_MARK_BIT(mark)) != 0;
}

/**
 * Find the frame that counts in the journal at flash offset `sector`, and read its marks: the
 * highest with a valid head, whatever the cover says. What this session knows for sure of the same
 * frame is kept.
 *
 * @return UPD_OK  device->frame is it; its index is UPD_JOURNAL_FRAMES when there is none
 */
enum upd_err upd_frame_find(struct upd_device *device, uint32_t sector);

/** Tell whether `sector` has the cover of a journal. */
bool upd_frame_is_covered(struct upd_device *device, uint32_t sector);

/** Write the cover of `sector`, in which there is none: all that was written before is complete. */
enum upd_err upd_frame_write_cover(struct upd_device *device, uint32_t sector);

/** Tell whether any frame in `sector`, valid or not, has the mark ARMED. */
bool upd_frame_any_armed(struct upd_device *device, uint32_t sector);

/**
 * Empty a journal: wipe the cover and all heads, erase the sector, write the cover. (J3)
 *
 * `sector` may be one that never was a journal. Afterwards device->frame holds none.
 */
enum upd_err upd_frame_clear(struct upd_device *device, uint32_t sector);

/**
 * Take the next free frame of the journal in `sector`, for `head`; a journal that is full or not
 * sound is emptied first. (J2) Frames before it count no more.
 */
enum upd_err upd_frame_take(struct upd_device *device, uint32_t sector,
                            const struct upd_journal_head *head);

/** Set a mark of device->frame, which exists. Setting it again makes a torn one whole. */
enum upd_err upd_frame_mark(struct upd_device *device, enum upd_journal_mark mark);

/**
 * Tell whether a mark of device->frame, which exists, looks as if it was never set: one that a cut
 * tore may count as set at one time and as not set at another.
 */
bool upd_frame_is_blank(struct upd_device *device, enum upd_journal_mark mark);

/** Read `count` bytes of progress from unit `first` on. */
enum upd_err upd_frame_progress(struct upd_device *device, uint32_t first, uint8_t *bytes,
                                uint32_t count);

/** Write the progress byte of one unit; those before it have been written. */
enum upd_err upd_frame_advance(struct upd_device *device, uint32_t unit, uint8_t byte);

/** Units from `first` on whose progress lies in the same page as that of `first`. */
uint32_t upd_frame_progress_room(uint32_t first);

/**
 * Write the progress of `count` units of one page at once, `first` being the page's first unit.
 *
 * @param bytes  as many as fill the last word, the rest of them FF
 */
enum upd_err upd_frame_restore(struct upd_device *device, uint32_t first, const uint8_t *bytes,
                               uint32_t count);

/** Read eboot's note of device->frame; false when there is none, as upd_journal_note_decode() says. */
bool upd_frame_read_note(struct upd_device *device, struct upd_journal_note *note);

enum upd_err upd_frame_write_note(struct upd_device *device, const struct upd_journal_note *note);

/** Tell whether the note of device->frame looks as if it was never written. */
bool upd_frame_note_is_blank(struct upd_device *device);

/** Make a note, torn or not, none: the loader has nothing to do with this frame any more. */
enum upd_err upd_frame_wipe_note(struct upd_device *device);

#endif
