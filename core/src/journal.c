#include <updraft/journal.h>

#include <updraft/bytes.h>
#include <updraft/crc32.h>

enum {
    VERSION = 1,
    CRC_SIZE = 4,
    FLAG_GZIP = 1,
    FLAG_RESUMABLE = 2,
    MARK_IS_SET = 80, /* zero bits; see the header */
    FIRST_PROGRESS_PAGE = 1,
};

/* The magic number, VERSION, and the CRC-32 of what is before it: nothing in it varies. */
static const uint8_t cover[UPD_JOURNAL_COVER_SIZE] = {
    'U', 'P', 'D', 'R', 'A', 'F', 'T', 'J', VERSION, 0, 0xFF, 0xFF, 0xDE, 0x05, 0x6C, 0x2D,
};

/* Where the marks are in a frame, in units of marks. */
static const uint8_t marks[UPD_MARK_COUNT] = {
#define X(name, page, place, text) (page) * UPD_JOURNAL_PAGE_SIZE / UPD_JOURNAL_MARK_SIZE + (place),
    UPD_JOURNAL_MARKS(X)
#undef X
};

uint32_t upd_journal_mark_offset(enum upd_journal_mark mark)
{
    return marks[mark] * UPD_JOURNAL_MARK_SIZE;
}

bool upd_journal_mark_is_set(const uint8_t mark[UPD_JOURNAL_MARK_SIZE])
{
    uint32_t zeros = 0;

    for (uint32_t i = 0; i < UPD_JOURNAL_MARK_SIZE; i++) {
        for (uint32_t bits = mark[i] ^ 0xFFu; bits != 0; bits &= bits - 1) {
            zeros++;
        }
    }
    return zeros >= MARK_IS_SET;
}

uint32_t upd_journal_starts(uint32_t set)
{
    /* The last one counts, whatever became of those before it. */
    return (set & UPD_MARK_BIT(UPD_MARK_START_3)) != 0   ? 3
           : (set & UPD_MARK_BIT(UPD_MARK_START_2)) != 0 ? 2
           : (set & UPD_MARK_BIT(UPD_MARK_START_1)) != 0 ? 1
                                                         : 0;
}

uint32_t upd_journal_frame_offset(uint32_t frame)
{
    return UPD_JOURNAL_PAGE_SIZE + frame * UPD_JOURNAL_FRAME_SIZE;
}

void upd_journal_cover_encode(uint8_t bytes[UPD_JOURNAL_COVER_SIZE])
{
    memcpy(bytes, cover, sizeof cover);
}

bool upd_journal_cover_is_valid(const uint8_t bytes[UPD_JOURNAL_COVER_SIZE])
{
    return memcmp(bytes, cover, sizeof cover) == 0;
}

/* Begin a body: all FF but its two letters and its version. */
static void begin(uint8_t *bytes, uint32_t size, char letter)
{
    memset(bytes, 0xFF, size);
    bytes[0] = 'U';
    bytes[1] = (uint8_t)letter;
    bytes[2] = VERSION;
}

/* The CRC-32 of a body ends it. */
static uint32_t crc_of(const uint8_t *bytes, uint32_t size)
{
    return upd_crc32(UPD_CRC32_INIT, bytes, size - CRC_SIZE);
}

static void seal(uint8_t *bytes, uint32_t size)
{
    upd_put_le32(&bytes[size - CRC_SIZE], crc_of(bytes, size));
}

static bool is_body(const uint8_t *bytes, uint32_t size, char letter)
{
    uint32_t begun = (uint32_t)'U' | (uint32_t)(uint8_t)letter << 8 | VERSION << 16;

    return upd_get_le24(bytes) == begun &&
           upd_get_le32(&bytes[size - CRC_SIZE]) == crc_of(bytes, size);
}

void upd_journal_head_encode(const struct upd_journal_head *head,
                             uint8_t bytes[UPD_JOURNAL_BODY_SIZE])
{
    begin(bytes, UPD_JOURNAL_BODY_SIZE, 'J');
    bytes[3] = head->slot;
    bytes[4] = (uint8_t) ~((head->gzip ? FLAG_GZIP : 0) | (head->resumable ? FLAG_RESUMABLE : 0));
    bytes[5] = head->stride;
    upd_put_le32(&bytes[8], head->offset);
    upd_put_le32(&bytes[12], head->room);
    upd_put_le32(&bytes[16], head->size);
    memcpy(&bytes[20], head->validator, UPD_JOURNAL_VALIDATOR_SIZE);
    seal(bytes, UPD_JOURNAL_BODY_SIZE);
}

enum upd_err upd_journal_head_decode(const uint8_t bytes[UPD_JOURNAL_BODY_SIZE],
                                     struct upd_journal_head *head)
{
    if (!is_body(bytes, UPD_JOURNAL_BODY_SIZE, 'J') || bytes[5] == 0) {
        return UPD_E_FORMAT;
    }
    head->slot = bytes[3];
    head->gzip = (bytes[4] & FLAG_GZIP) == 0;
    head->resumable = (bytes[4] & FLAG_RESUMABLE) == 0;
    head->stride = bytes[5];
    head->offset = upd_get_le32(&bytes[8]);
    head->room = upd_get_le32(&bytes[12]);
    head->size = upd_get_le32(&bytes[16]);
    memcpy(head->validator, &bytes[20], UPD_JOURNAL_VALIDATOR_SIZE);
    return UPD_OK;
}

int upd_journal_head_slot(const uint8_t bytes[UPD_JOURNAL_BODY_SIZE])
{
    return is_body(bytes, UPD_JOURNAL_BODY_SIZE, 'J') ? bytes[3] : -1;
}

uint32_t upd_journal_marks(const uint8_t frame[UPD_JOURNAL_FRAME_SIZE])
{
    uint32_t set = 0;

    for (uint32_t mark = 0; mark < UPD_MARK_COUNT; mark++) {
        uint32_t offset = upd_journal_mark_offset((enum upd_journal_mark)mark);
        set |= upd_journal_mark_is_set(&frame[offset]) ? UPD_MARK_BIT(mark) : 0;
    }
    return set;
}

void upd_journal_note_encode(const struct upd_journal_note *note,
                             uint8_t bytes[UPD_JOURNAL_NOTE_SIZE])
{
    begin(bytes, UPD_JOURNAL_NOTE_SIZE, 'N');
    upd_put_le32(&bytes[4], note->source);
    upd_put_le32(&bytes[8], note->size);
    upd_put_le32(&bytes[12], note->crc32);
    upd_put_le32(&bytes[16], note->backup);
    upd_put_le32(&bytes[20], note->backup_size);
    upd_put_le32(&bytes[24], note->backup_crc32);
    seal(bytes, UPD_JOURNAL_NOTE_SIZE);
}

enum upd_err upd_journal_note_decode(const uint8_t bytes[UPD_JOURNAL_NOTE_SIZE],
                                     struct upd_journal_note *note)
{
    if (!is_body(bytes, UPD_JOURNAL_NOTE_SIZE, 'N')) {
        return UPD_E_FORMAT;
    }
    note->source = upd_get_le32(&bytes[4]);
    note->size = upd_get_le32(&bytes[8]);
    note->crc32 = upd_get_le32(&bytes[12]);
    note->backup = upd_get_le32(&bytes[16]);
    note->backup_size = upd_get_le32(&bytes[20]);
    note->backup_crc32 = upd_get_le32(&bytes[24]);
    return UPD_OK;
}

uint32_t upd_journal_note_log(const struct upd_journal_note *note, uint32_t sector)
{
    return sector == 1              ? note->source
           : note->backup_size != 0 ? note->backup
                                    : note->source - UPD_JOURNAL_SIZE;
}

uint32_t upd_journal_progress_offset(uint32_t index)
{
    return FIRST_PROGRESS_PAGE * UPD_JOURNAL_PAGE_SIZE + UPD_JOURNAL_MARK_SIZE + index;
}

uint8_t upd_journal_progress_byte(uint32_t crc32)
{
    return (uint8_t)(crc32 & 0x7F);
}
