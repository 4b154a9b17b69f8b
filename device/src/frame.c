#include "frame.h"

#include <updraft/bytes.h>

#include "flash_ops.h"

static uint32_t frame_offset(const struct upd_frame *frame)
{
    return frame->sector + upd_journal_frame_offset(frame->index);
}

enum upd_err upd_frame_read_cover(struct upd_device *device, uint32_t sector, bool *valid)
{
    uint8_t cover[UPD_JOURNAL_COVER_SIZE];
    enum upd_err err =
        upd_flash_read(device, sector + UPD_JOURNAL_COVER_OFFSET, cover, sizeof cover);

    *valid = err == UPD_OK && upd_journal_cover_is_valid(cover);
    return err;
}

static enum upd_err read_mark(struct upd_device *device, uint32_t frame, enum upd_journal_mark mark,
                              bool *set)
{
    uint8_t bytes[UPD_JOURNAL_MARK_SIZE];
    enum upd_err err =
        upd_flash_read(device, frame + upd_journal_mark_offset(mark), bytes, sizeof bytes);

    *set = err == UPD_OK && upd_journal_mark_is_set(bytes);
    return err;
}

static enum upd_err read_marks(struct upd_device *device, uint16_t *marks)
{
    *marks = 0;
    for (uint32_t mark = 0; mark < UPD_MARK_COUNT; mark++) {
        bool set;
        enum upd_err err =
            read_mark(device, frame_offset(&device->frame), (enum upd_journal_mark)mark, &set);
        if (err != UPD_OK) {
            return err;
        }
        if (set) {
            *marks |= (uint16_t)UPD_MARK_BIT(mark);
        }
    }
    return UPD_OK;
}

enum upd_err upd_frame_find(struct upd_device *device, uint32_t sector)
{
    struct upd_frame *frame = &device->frame;
    uint8_t body[UPD_JOURNAL_BODY_SIZE];
    uint32_t index = UPD_JOURNAL_FRAMES;
    bool same = frame->sector == sector;
    enum upd_err err = UPD_OK;

    for (uint32_t i = UPD_JOURNAL_FRAMES; i > 0 && index == UPD_JOURNAL_FRAMES; i--) {
        err = upd_flash_read(device, sector + upd_journal_frame_offset(i - 1), body, sizeof body);
        if (err != UPD_OK) {
            return err;
        }
        if (upd_journal_head_decode(body, &frame->head) == UPD_OK) {
            index = i - 1;
        }
    }
    if (!same || index != frame->index) {
        frame->sure = 0;
    }
    frame->sector = sector;
    frame->index = (uint8_t)index;
    frame->marks = 0;
    return upd_frame_exists(frame) ? read_marks(device, &frame->marks) : UPD_OK;
}

enum upd_err upd_frame_any_armed(struct upd_device *device, uint32_t sector, bool *armed)
{
    enum upd_err err = UPD_OK;

    *armed = false;
    for (uint32_t i = 0; i < UPD_JOURNAL_FRAMES && err == UPD_OK && !*armed; i++) {
        err = read_mark(device, sector + upd_journal_frame_offset(i), UPD_MARK_ARMED, armed);
    }
    return err;
}

static enum upd_err read_blank(struct upd_device *device, uint32_t offset, uint32_t size,
                               bool *blank)
{
    uint8_t body[UPD_JOURNAL_BODY_SIZE];
    enum upd_err err = upd_flash_read(device, offset, body, size);

    *blank = err == UPD_OK;
    for (uint32_t i = 0; i < size && err == UPD_OK; i++) {
        *blank = *blank && body[i] == 0xFF;
    }
    return err;
}

enum upd_err upd_frame_is_blank(struct upd_device *device, enum upd_journal_mark mark, bool *blank)
{
    return read_blank(device, frame_offset(&device->frame) + upd_journal_mark_offset(mark),
                      UPD_JOURNAL_MARK_SIZE, blank);
}

enum upd_err upd_frame_write_cover(struct upd_device *device, uint32_t sector)
{
    uint8_t cover[UPD_JOURNAL_COVER_SIZE];

    upd_journal_cover_encode(cover);
    return upd_flash_program(device, sector + UPD_JOURNAL_COVER_OFFSET, cover, sizeof cover);
}

/*
 * Make what may look like a cover or a head look like none. Cells that a cut left unstable stay so
 * whatever is programmed, and a torn erase may have left half of it like that: so it is not asked
 * whether all of it is 0.
 */
static enum upd_err wipe(struct upd_device *device, uint32_t at)
{
    uint8_t body[UPD_JOURNAL_BODY_SIZE];
    bool blank;

    enum upd_err err = read_blank(device, at, sizeof body, &blank);
    if (err != UPD_OK || blank) {
        return err;
    }
    err = upd_flash_clear(device, at, sizeof body);
    if (err == UPD_OK) {
        err = upd_flash_read(device, at, body, sizeof body);
    }
    if (err == UPD_OK && (upd_journal_cover_is_valid(body) || upd_journal_head_slot(body) >= 0)) {
        err = upd_flash_trouble(device, at);
    }
    return err;
}

enum upd_err upd_frame_clear(struct upd_device *device, uint32_t sector)
{
    device->frame.index = UPD_JOURNAL_FRAMES;
    device->frame.sector = sector;
    device->frame.marks = device->frame.sure = 0;
    enum upd_err err = wipe(device, sector + UPD_JOURNAL_COVER_OFFSET);
    for (uint32_t frame = UPD_JOURNAL_FRAMES; frame > 0 && err == UPD_OK; frame--) {
        err = wipe(device, sector + upd_journal_frame_offset(frame - 1));
    }
    if (err == UPD_OK) {
        err = upd_flash_erase(device, sector);
    }
    return err == UPD_OK ? upd_frame_write_cover(device, sector) : err;
}

/* Tell whether the pages of HEAD and TAKEN were never touched: a torn TAKEN may not look like one,
 * and may have disturbed the progress beside it. */
static enum upd_err is_free(struct upd_device *device, uint32_t frame, bool *blank)
{
    enum upd_err err = UPD_OK;

    *blank = true;
    for (uint32_t at = 0; at < 2 * UPD_JOURNAL_PAGE_SIZE && err == UPD_OK && *blank;
         at += UPD_JOURNAL_BODY_SIZE) {
        err = read_blank(device, frame + at, UPD_JOURNAL_BODY_SIZE, blank);
    }
    return err;
}

/* The first frame that was never touched. (J2) */
static enum upd_err first_free(struct upd_device *device, uint32_t sector, uint32_t *index)
{
    for (*index = UPD_JOURNAL_FRAMES; *index > 0; (*index)--) {
        bool blank;
        enum upd_err err = is_free(device, sector + upd_journal_frame_offset(*index - 1), &blank);
        if (err != UPD_OK) {
            return err;
        }
        if (!blank) {
            break;
        }
    }
    return UPD_OK;
}

enum upd_err upd_frame_take(struct upd_device *device, uint32_t sector,
                            const struct upd_journal_head *head)
{
    struct upd_frame *frame = &device->frame;
    uint8_t body[UPD_JOURNAL_BODY_SIZE];
    bool covered;
    uint32_t index = UPD_JOURNAL_FRAMES;

    enum upd_err err = upd_frame_read_cover(device, sector, &covered);
    if (err == UPD_OK && covered) {
        err = first_free(device, sector, &index);
    }
    if (err == UPD_OK && index == UPD_JOURNAL_FRAMES) {
        err = upd_frame_clear(device, sector);
        index = 0;
    }
    if (err != UPD_OK) {
        return err;
    }
    frame->sector = sector;
    frame->index = (uint8_t)index;
    frame->head = *head;
    frame->marks = frame->sure = 0;
    err = upd_frame_mark(device, UPD_MARK_TAKEN);
    if (err == UPD_OK) {
        upd_journal_head_encode(head, body);
        err = upd_flash_program(device, frame_offset(frame), body, sizeof body);
    }
    if (err != UPD_OK) {
        frame->index = UPD_JOURNAL_FRAMES;
    }
    return err;
}

/* A frame that was there a moment ago may not be found again, by a fault of reading. */
static enum upd_err check_frame(struct upd_device *device)
{
    if (upd_frame_exists(&device->frame)) {
        return UPD_OK;
    }
    return upd_flash_trouble(device, device->frame.sector);
}

enum upd_err upd_frame_mark(struct upd_device *device, enum upd_journal_mark mark)
{
    struct upd_frame *frame = &device->frame;
    uint32_t at = frame_offset(frame) + upd_journal_mark_offset(mark);
    bool set;

    enum upd_err err = check_frame(device);
    if (err == UPD_OK) {
        err = upd_flash_clear(device, at, UPD_JOURNAL_MARK_SIZE);
    }
    if (err == UPD_OK) {
        err = read_mark(device, frame_offset(frame), mark, &set);
    }
    if (err == UPD_OK && !set) {
        err = upd_flash_trouble(device, at);
    }
    if (err == UPD_OK) {
        frame->marks |= (uint16_t)UPD_MARK_BIT(mark);
        frame->sure |= (uint16_t)UPD_MARK_BIT(mark);
    }
    return err;
}

enum upd_err upd_frame_progress(struct upd_device *device, uint32_t first, uint8_t *bytes,
                                uint32_t count)
{
    return upd_flash_read(device, frame_offset(&device->frame) + upd_journal_progress_offset(first),
                          bytes, count);
}

enum upd_err upd_frame_advance(struct upd_device *device, uint32_t unit, uint8_t byte)
{
    uint32_t write_size = device->flash->write_size;
    uint32_t within = unit & (write_size - 1);
    uint8_t word[16];

    /* The flash is written in words: bytes before this one are there, those behind stay blank. */
    if (write_size > sizeof word) {
        return UPD_E_ARG;
    }
    enum upd_err err = upd_frame_progress(device, unit - within, word, write_size);
    if (err == UPD_OK) {
        word[within] &= byte;
        err = upd_frame_restore(device, unit - within, word, write_size);
    }
    return err;
}

uint32_t upd_frame_progress_room(uint32_t first)
{
    return UPD_JOURNAL_PAGE_SIZE - upd_journal_progress_offset(first) % UPD_JOURNAL_PAGE_SIZE;
}

enum upd_err upd_frame_restore(struct upd_device *device, uint32_t first, const uint8_t *bytes,
                               uint32_t count)
{
    return upd_flash_program(
        device, frame_offset(&device->frame) + upd_journal_progress_offset(first), bytes, count);
}

static uint32_t note_offset(const struct upd_device *device)
{
    return frame_offset(&device->frame) + UPD_JOURNAL_NOTE_OFFSET;
}

enum upd_err upd_frame_read_note(struct upd_device *device, struct upd_journal_note *note)
{
    uint8_t body[UPD_JOURNAL_NOTE_SIZE];
    enum upd_err err = upd_flash_read(device, note_offset(device), body, sizeof body);

    return err == UPD_OK ? upd_journal_note_decode(body, note) : err;
}

enum upd_err upd_frame_write_note(struct upd_device *device, const struct upd_journal_note *note)
{
    uint8_t body[UPD_JOURNAL_NOTE_SIZE];
    enum upd_err err = check_frame(device);

    upd_journal_note_encode(note, body);
    return err == UPD_OK ? upd_flash_program(device, note_offset(device), body, sizeof body) : err;
}

enum upd_err upd_frame_note_is_blank(struct upd_device *device, bool *blank)
{
    return read_blank(device, note_offset(device), UPD_JOURNAL_NOTE_SIZE, blank);
}

enum upd_err upd_frame_wipe_note(struct upd_device *device)
{
    struct upd_journal_note note;

    enum upd_err err = upd_flash_clear(device, note_offset(device), UPD_JOURNAL_NOTE_SIZE);
    if (err == UPD_OK) {
        err = upd_frame_read_note(device, &note);
        err = err == UPD_OK         ? upd_flash_trouble(device, device->frame.sector)
              : err == UPD_E_FORMAT ? UPD_OK
                                    : err;
    }
    return err;
}
