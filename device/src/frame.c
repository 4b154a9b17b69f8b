#include "frame.h"

#include <updraft/bytes.h>

#include "flash_ops.h"

static uint32_t frame_offset(const struct upd_frame *frame)
{
    return frame->sector + upd_journal_frame_offset(frame->index);
}

bool upd_frame_is_covered(struct upd_device *device, uint32_t sector)
{
    uint8_t cover[UPD_JOURNAL_COVER_SIZE];

    upd_flash_read(device, sector + UPD_JOURNAL_COVER_OFFSET, cover, sizeof cover);
    return upd_journal_cover_is_valid(cover);
}

static bool read_mark(struct upd_device *device, uint32_t frame, enum upd_journal_mark mark)
{
    uint8_t bytes[UPD_JOURNAL_MARK_SIZE];

    upd_flash_read(device, frame + upd_journal_mark_offset(mark), bytes, sizeof bytes);
    return upd_journal_mark_is_set(bytes);
}

enum upd_err upd_frame_find(struct upd_device *device, uint32_t sector)
{
    struct upd_frame *frame = &device->frame;
    uint8_t body[UPD_JOURNAL_BODY_SIZE];
    uint32_t index = UPD_JOURNAL_FRAMES;
    bool same = frame->sector == sector;

    for (uint32_t i = UPD_JOURNAL_FRAMES; i > 0 && index == UPD_JOURNAL_FRAMES; i--) {
        upd_flash_read(device, sector + upd_journal_frame_offset(i - 1), body, sizeof body);
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
    for (uint32_t mark = 0; upd_frame_exists(frame) && mark < UPD_MARK_COUNT; mark++) {
        if (read_mark(device, frame_offset(frame), (enum upd_journal_mark)mark)) {
            frame->marks |= (uint16_t)UPD_MARK_BIT(mark);
        }
    }
    return device->err;
}

bool upd_frame_any_armed(struct upd_device *device, uint32_t sector)
{
    bool armed = false;

    for (uint32_t i = 0; i < UPD_JOURNAL_FRAMES && !armed; i++) {
        armed = read_mark(device, sector + upd_journal_frame_offset(i), UPD_MARK_ARMED);
    }
    return armed;
}

static bool is_blank(struct upd_device *device, uint32_t offset, uint32_t size)
{
    uint8_t body[UPD_JOURNAL_BODY_SIZE];
    uint32_t all = 0xFF;

    upd_flash_read(device, offset, body, size);
    for (uint32_t i = 0; i < size; i++) {
        all &= body[i];
    }
    return all == 0xFF;
}

bool upd_frame_is_blank(struct upd_device *device, enum upd_journal_mark mark)
{
    return is_blank(device, frame_offset(&device->frame) + upd_journal_mark_offset(mark),
                    UPD_JOURNAL_MARK_SIZE);
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
static void wipe(struct upd_device *device, uint32_t at)
{
    uint8_t body[UPD_JOURNAL_BODY_SIZE];

    if (is_blank(device, at, sizeof body)) {
        return;
    }
    upd_flash_clear(device, at, sizeof body);
    upd_flash_read(device, at, body, sizeof body);
    if (upd_journal_cover_is_valid(body) || upd_journal_head_slot(body) >= 0) {
        upd_flash_trouble(device, at);
    }
}

enum upd_err upd_frame_clear(struct upd_device *device, uint32_t sector)
{
    device->frame.index = UPD_JOURNAL_FRAMES;
    device->frame.sector = sector;
    device->frame.marks = device->frame.sure = 0;
    wipe(device, sector + UPD_JOURNAL_COVER_OFFSET);
    for (uint32_t frame = UPD_JOURNAL_FRAMES; frame > 0; frame--) {
        wipe(device, sector + upd_journal_frame_offset(frame - 1));
    }
    upd_flash_erase(device, sector);
    return upd_frame_write_cover(device, sector);
}

/* Tell whether the pages of HEAD and TAKEN were never touched: a torn TAKEN may not look like one,
 * and may have disturbed the progress beside it. */
static bool is_free(struct upd_device *device, uint32_t frame)
{
    bool blank = true;

    for (uint32_t at = 0; at < 2 * UPD_JOURNAL_PAGE_SIZE && blank; at += UPD_JOURNAL_BODY_SIZE) {
        blank = is_blank(device, frame + at, UPD_JOURNAL_BODY_SIZE);
    }
    return blank;
}

/* The first frame that was never touched, and none behind it. (J2) */
static uint32_t first_free(struct upd_device *device, uint32_t sector)
{
    uint32_t index = UPD_JOURNAL_FRAMES;

    while (index > 0 && is_free(device, sector + upd_journal_frame_offset(index - 1))) {
        index--;
    }
    return index;
}

enum upd_err upd_frame_take(struct upd_device *device, uint32_t sector,
                            const struct upd_journal_head *head)
{
    struct upd_frame *frame = &device->frame;
    uint8_t body[UPD_JOURNAL_BODY_SIZE];
    uint32_t index = UPD_JOURNAL_FRAMES;

    if (upd_frame_is_covered(device, sector)) {
        index = first_free(device, sector);
    }
    if (index == UPD_JOURNAL_FRAMES) {
        upd_frame_clear(device, sector);
        index = 0;
    }
    frame->sector = sector;
    frame->index = (uint8_t)index;
    frame->head = *head;
    frame->marks = frame->sure = 0;
    upd_frame_mark(device, UPD_MARK_TAKEN);
    upd_journal_head_encode(head, body);
    upd_flash_program(device, frame_offset(frame), body, sizeof body);
    if (device->err != UPD_OK) {
        frame->index = UPD_JOURNAL_FRAMES;
    }
    return device->err;
}

/* A frame that was there a moment ago may not be found again, by a fault of reading. */
static void expect_frame(struct upd_device *device)
{
    if (!upd_frame_exists(&device->frame)) {
        upd_flash_trouble(device, device->frame.sector);
    }
}

enum upd_err upd_frame_mark(struct upd_device *device, enum upd_journal_mark mark)
{
    struct upd_frame *frame = &device->frame;
    uint32_t at = frame_offset(frame) + upd_journal_mark_offset(mark);

    expect_frame(device);
    upd_flash_clear(device, at, UPD_JOURNAL_MARK_SIZE);
    if (!read_mark(device, frame_offset(frame), mark)) {
        return upd_flash_trouble(device, at);
    }
    frame->marks |= (uint16_t)UPD_MARK_BIT(mark);
    frame->sure |= (uint16_t)UPD_MARK_BIT(mark);
    return UPD_OK;
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
    upd_frame_progress(device, unit - within, word, write_size);
    word[within] &= byte;
    return upd_frame_restore(device, unit - within, word, write_size);
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

bool upd_frame_read_note(struct upd_device *device, struct upd_journal_note *note)
{
    uint8_t body[UPD_JOURNAL_NOTE_SIZE];

    upd_flash_read(device, note_offset(device), body, sizeof body);
    return upd_journal_note_decode(body, note) == UPD_OK;
}

enum upd_err upd_frame_write_note(struct upd_device *device, const struct upd_journal_note *note)
{
    uint8_t body[UPD_JOURNAL_NOTE_SIZE];

    expect_frame(device);
    upd_journal_note_encode(note, body);
    return upd_flash_program(device, note_offset(device), body, sizeof body);
}

bool upd_frame_note_is_blank(struct upd_device *device)
{
    return is_blank(device, note_offset(device), UPD_JOURNAL_NOTE_SIZE);
}

enum upd_err upd_frame_wipe_note(struct upd_device *device)
{
    struct upd_journal_note note;

    upd_flash_clear(device, note_offset(device), UPD_JOURNAL_NOTE_SIZE);
    if (upd_frame_read_note(device, &note)) {
        upd_flash_trouble(device, device->frame.sector);
    }
    return device->err;
}
