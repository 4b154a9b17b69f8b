/* A journal sector of any content: every record is decoded, and what decodes encodes to the same
 * bytes. */
#include <updraft/journal.h>
#include <updraft/loader_record.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void insist(bool condition)
{
    if (!condition) {
        abort();
    }
}

static void try_bodies(const uint8_t *bytes)
{
    struct upd_journal_head head;
    struct upd_journal_note note;
    uint8_t again[UPD_JOURNAL_BODY_SIZE];

    if (upd_journal_head_decode(bytes, &head) == UPD_OK) {
        struct upd_journal_head other;
        upd_journal_head_encode(&head, again);
        insist(upd_journal_head_decode(again, &other) == UPD_OK && head.size == other.size &&
               head.offset == other.offset && head.slot == other.slot);
        insist(upd_journal_note_decode(bytes, &note) != UPD_OK);
    }
    if (upd_journal_note_decode(bytes, &note) == UPD_OK) {
        struct upd_journal_note other;
        upd_journal_note_encode(&note, again);
        insist(upd_journal_note_decode(again, &other) == UPD_OK && note.source == other.source);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t sector[UPD_JOURNAL_SIZE];
    struct upd_loader_record record;

    memset(sector, 0xFF, sizeof sector);
    memcpy(sector, data, size < sizeof sector ? size : sizeof sector);
    for (uint32_t frame = 0; frame < UPD_JOURNAL_FRAMES; frame++) {
        const uint8_t *at = &sector[upd_journal_frame_offset(frame)];
        uint32_t marks = 0;
        try_bodies(at);
        try_bodies(at + UPD_JOURNAL_NOTE_OFFSET);
        for (uint32_t mark = 0; mark < UPD_MARK_COUNT; mark++) {
            uint32_t offset = upd_journal_mark_offset((enum upd_journal_mark)mark);
            marks |= upd_journal_mark_is_set(at + offset) ? UPD_MARK_BIT(mark) : 0;
        }
        insist(upd_journal_starts(marks) <= UPD_TRIAL_STARTS);
    }
    try_bodies(sector);
    (void)upd_journal_cover_is_valid(&sector[UPD_JOURNAL_COVER_OFFSET]);
    (void)upd_loader_record_decode(sector, &record);
    return 0;
}
