/* Goal: a record of the journal is what was written or nothing, and a mark is set or not, whatever
 * single bits, torn writes and unstable cells do to it.
 * Method: vectors by hand for the layout; then every bit and every pair of bits of each record, and
 * marks under as many unstable and disturbed cells as the header allows. */
#include <updraft/journal.h>

#include <updraft/bytes.h>
#include <updraft/crc32.h>

#include "check.h"

enum { BODY = UPD_JOURNAL_BODY_SIZE, MARK = UPD_JOURNAL_MARK_SIZE };

static const struct upd_journal_head head = {
    .offset = 0x81000,
    .room = 0x7A000,
    .size = 396900,
    .slot = 1,
    .stride = 1,
    .resumable = true,
    .validator = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16},
};

static const struct upd_journal_note note = {
    .source = 0x1CF000,
    .size = 200000,
    .crc32 = 0x12345678,
    .backup = 0x16D000,
    .backup_size = 400000,
    .backup_crc32 = 0x9ABCDEF0,
};

static bool same_head(const struct upd_journal_head *one, const struct upd_journal_head *other)
{
    return one->offset == other->offset && one->room == other->room && one->size == other->size &&
           one->slot == other->slot && one->stride == other->stride && one->gzip == other->gzip &&
           one->resumable == other->resumable &&
           memcmp(one->validator, other->validator, sizeof one->validator) == 0;
}

/* The layout of docs/formats/journal.md, byte by byte. */
static void test_a_head_has_the_bytes_of_the_format_page(void)
{
    uint8_t bytes[BODY], wanted[BODY];

    memset(wanted, 0xFF, sizeof wanted);
    memcpy(wanted, "UJ\x01\x01\xFD\x01", 6);
    upd_put_le32(&wanted[8], 0x81000);
    upd_put_le32(&wanted[12], 0x7A000);
    upd_put_le32(&wanted[16], 396900);
    for (uint8_t i = 0; i < 16; i++) {
        wanted[20 + i] = (uint8_t)(i + 1);
    }
    upd_put_le32(&wanted[60], upd_crc32(UPD_CRC32_INIT, wanted, 60));
    upd_journal_head_encode(&head, bytes);
    CHECK(memcmp(bytes, wanted, BODY) == 0);
}

static void test_a_head_comes_back_as_it_was(void)
{
    for (uint32_t flags = 0; flags < 4; flags++) {
        struct upd_journal_head in = head, out;
        uint8_t bytes[BODY];
        in.gzip = (flags & 1) != 0;
        in.resumable = (flags & 2) != 0;
        in.size = flags == 3 ? UPD_SIZE_UNKNOWN : in.size;
        upd_journal_head_encode(&in, bytes);
        CHECK(upd_journal_head_decode(bytes, &out) == UPD_OK);
        CHECK(same_head(&in, &out));
    }
}

static void test_a_note_comes_back_as_it_was_and_is_no_head(void)
{
    struct upd_journal_head other = {.slot = 77};
    struct upd_journal_note out;
    uint8_t bytes[BODY] = {0};

    upd_journal_note_encode(&note, bytes);
    CHECK(upd_journal_note_decode(bytes, &out) == UPD_OK);
    CHECK(out.source == note.source && out.size == note.size && out.crc32 == note.crc32);
    CHECK(out.backup == note.backup && out.backup_size == note.backup_size);
    CHECK(out.backup_crc32 == note.backup_crc32);
    CHECK(upd_journal_head_decode(bytes, &other) == UPD_E_FORMAT);
    CHECK(other.slot == 77);
    for (uint32_t bit = 0; bit < 8 * UPD_JOURNAL_NOTE_SIZE; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        CHECK(upd_journal_note_decode(bytes, &out) == UPD_E_FORMAT);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    upd_journal_head_encode(&head, bytes);
    CHECK(upd_journal_note_decode(bytes, &out) == UPD_E_FORMAT);
}

static void test_the_log_lies_where_no_copy_reads_or_writes(void)
{
    struct upd_journal_note bare = note;

    CHECK(upd_journal_note_log(&note, 0) == note.backup);
    CHECK(upd_journal_note_log(&note, 1) == note.source);
    bare.backup_size = 0;
    CHECK(upd_journal_note_log(&bare, 0) == note.source - UPD_JOURNAL_SIZE);
    CHECK(upd_journal_note_log(&bare, 1) == note.source);
}

static void test_blank_and_wiped_bodies_are_none(void)
{
    struct upd_journal_head out = {.slot = 77};
    struct upd_journal_note nothing = {.source = 77};
    uint8_t bytes[BODY];

    memset(bytes, 0xFF, BODY);
    CHECK(upd_journal_head_decode(bytes, &out) == UPD_E_FORMAT);
    CHECK(upd_journal_note_decode(bytes, &nothing) == UPD_E_FORMAT);
    memset(bytes, 0, BODY);
    CHECK(upd_journal_head_decode(bytes, &out) == UPD_E_FORMAT);
    CHECK(upd_journal_note_decode(bytes, &nothing) == UPD_E_FORMAT);
    CHECK(out.slot == 77 && nothing.source == 77);
}

/* Lies with a good CRC. */
static void test_a_head_of_another_version_or_stride_is_refused(void)
{
    static const struct {
        const char *name;
        uint8_t at, value;
    } lies[] = {
        {"first letter", 0, 'V'}, {"second letter", 1, 'K'}, {"version 0", 2, 0},
        {"version 2", 2, 2},      {"stride 0", 5, 0},
    };
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        struct upd_journal_head out;
        uint8_t bytes[BODY];
        upd_journal_head_encode(&head, bytes);
        bytes[lies[i].at] = lies[i].value;
        upd_put_le32(&bytes[60], upd_crc32(UPD_CRC32_INIT, bytes, 60));
        CHECK_THAT(lies[i].name, upd_journal_head_decode(bytes, &out) == UPD_E_FORMAT);
    }
}

/* A CRC-32 finds every change of one or two bits in 64 bytes. */
static void test_no_change_of_one_or_two_bits_leaves_a_body_valid(void)
{
    struct upd_journal_head out;
    uint8_t bytes[BODY];

    upd_journal_head_encode(&head, bytes);
    for (uint32_t one = 0; one < BODY * 8; one++) {
        bytes[one / 8] ^= (uint8_t)(1u << one % 8);
        for (uint32_t other = 0; other < one; other++) {
            bytes[other / 8] ^= (uint8_t)(1u << other % 8);
            CHECK(upd_journal_head_decode(bytes, &out) != UPD_OK);
            bytes[other / 8] ^= (uint8_t)(1u << other % 8);
        }
        CHECK(upd_journal_head_decode(bytes, &out) != UPD_OK);
        bytes[one / 8] ^= (uint8_t)(1u << one % 8);
    }
    CHECK(upd_journal_head_decode(bytes, &out) == UPD_OK);
}

static void test_the_cover_is_valid_only_whole(void)
{
    uint8_t bytes[UPD_JOURNAL_COVER_SIZE];

    upd_journal_cover_encode(bytes);
    CHECK(memcmp(bytes, "UPDRAFTJ\x01\x00\xFF\xFF", 12) == 0);
    CHECK(upd_get_le32(&bytes[12]) == upd_crc32(UPD_CRC32_INIT, bytes, 12));
    CHECK(upd_journal_cover_is_valid(bytes));
    for (uint32_t bit = 0; bit < sizeof bytes * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        CHECK(!upd_journal_cover_is_valid(bytes));
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    memset(bytes, 0xFF, sizeof bytes);
    CHECK(!upd_journal_cover_is_valid(bytes));
    memset(bytes, 0, sizeof bytes);
    CHECK(!upd_journal_cover_is_valid(bytes));
}

static void test_a_mark_needs_80_zeros_wherever_they_are(void)
{
    for (uint32_t start = 0; start < MARK * 8; start++) {
        for (uint32_t zeros = 0; zeros <= MARK * 8; zeros++) {
            uint8_t mark[MARK];
            memset(mark, 0xFF, MARK);
            for (uint32_t i = 0; i < zeros; i++) {
                /* 37 and 256 have no common factor, so the steps meet every bit once. */
                uint32_t bit = (start + i * 37) % (MARK * 8);
                mark[bit / 8] &= (uint8_t) ~(1u << bit % 8);
            }
            CHECK(upd_journal_mark_is_set(mark) == (zeros >= 80));
        }
    }
}

static void test_starts_count_the_last_one(void)
{
    static const uint8_t counts[8] = {0, 1, 2, 2, 3, 3, 3, 3};
    for (uint32_t i = 0; i < 8; i++) {
        uint32_t marks = ((i & 1) != 0 ? UPD_MARK_BIT(UPD_MARK_START_1) : 0) |
                         ((i & 2) != 0 ? UPD_MARK_BIT(UPD_MARK_START_2) : 0) |
                         ((i & 4) != 0 ? UPD_MARK_BIT(UPD_MARK_START_3) : 0);
        CHECK(upd_journal_starts(marks) == counts[i]);
        CHECK(upd_journal_starts(marks | UPD_MARK_BIT(UPD_MARK_ARMED)) == counts[i]);
    }
    CHECK(upd_journal_starts(~0u) == UPD_TRIAL_STARTS);
}

/* Marks, bodies and progress have their bytes to themselves, inside the frame. */
static void test_nothing_in_a_frame_overlaps(void)
{
    uint8_t used[UPD_JOURNAL_FRAME_SIZE] = {0};

    for (uint32_t i = 0; i < BODY; i++) {
        used[i]++;
    }
    for (uint32_t i = 0; i < UPD_JOURNAL_NOTE_SIZE; i++) {
        used[UPD_JOURNAL_NOTE_OFFSET + i]++;
    }
    for (uint32_t mark = 0; mark < UPD_MARK_COUNT; mark++) {
        uint32_t at = upd_journal_mark_offset((enum upd_journal_mark)mark);
        CHECK(at / UPD_JOURNAL_PAGE_SIZE == (at + MARK - 1) / UPD_JOURNAL_PAGE_SIZE);
        for (uint32_t i = 0; i < MARK; i++) {
            used[at + i]++;
        }
    }
    for (uint32_t i = 0; i < UPD_JOURNAL_PROGRESS_COUNT; i++) {
        used[upd_journal_progress_offset(i)]++;
    }
    for (uint32_t i = 0; i < sizeof used; i++) {
        CHECK(used[i] <= 1);
    }
    for (uint32_t i = 0; i < UPD_JOURNAL_FRAMES; i++) {
        CHECK(upd_journal_frame_offset(i) == (1 + 5 * i) * UPD_JOURNAL_PAGE_SIZE);
    }
    CHECK(upd_journal_frame_offset(UPD_JOURNAL_FRAMES) == UPD_JOURNAL_SIZE);
}

/* What must survive the torn write of something else is in another page, or is a mark. */
static void test_pages_are_shared_as_the_format_says(void)
{
    static const struct {
        enum upd_journal_mark mark;
        uint32_t offset;
    } places[] = {
        {UPD_MARK_TAKEN, 256},     {UPD_MARK_ARMED, 768},   {UPD_MARK_SWITCHED, 800},
        {UPD_MARK_START_1, 832},   {UPD_MARK_START_2, 864}, {UPD_MARK_START_3, 896},
        {UPD_MARK_EXHAUSTED, 928}, {UPD_MARK_DAMAGED, 960}, {UPD_MARK_REFUSED, 992},
        {UPD_MARK_CLOSED, 1056},   {UPD_MARK_PROVEN, 1088}, {UPD_MARK_REPORTED, 1120},
    };
    CHECK(sizeof places / sizeof places[0] == UPD_MARK_COUNT);
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        CHECK(upd_journal_mark_offset(places[i].mark) == places[i].offset);
    }
    CHECK(upd_journal_progress_offset(0) == 288 && upd_journal_progress_offset(223) == 511);
    CHECK(upd_journal_progress_offset(224) == 512 && upd_journal_progress_offset(447) == 735);
    CHECK(UPD_JOURNAL_NOTE_OFFSET == 736 && UPD_JOURNAL_NOTE_SIZE == 32);
}

static void test_a_progress_byte_is_never_blank(void)
{
    for (uint32_t crc = 0; crc < 256; crc++) {
        CHECK(upd_journal_progress_byte(0xABCDEF00u | crc) == (crc & 0x7F));
        CHECK(upd_journal_progress_byte(crc) != 0xFF);
    }
}

int main(void)
{
    CHECK_RUN(test_a_head_has_the_bytes_of_the_format_page);
    CHECK_RUN(test_a_head_comes_back_as_it_was);
    CHECK_RUN(test_a_note_comes_back_as_it_was_and_is_no_head);
    CHECK_RUN(test_the_log_lies_where_no_copy_reads_or_writes);
    CHECK_RUN(test_blank_and_wiped_bodies_are_none);
    CHECK_RUN(test_a_head_of_another_version_or_stride_is_refused);
    CHECK_RUN(test_no_change_of_one_or_two_bits_leaves_a_body_valid);
    CHECK_RUN(test_the_cover_is_valid_only_whole);
    CHECK_RUN(test_a_mark_needs_80_zeros_wherever_they_are);
    CHECK_RUN(test_starts_count_the_last_one);
    CHECK_RUN(test_nothing_in_a_frame_overlaps);
    CHECK_RUN(test_pages_are_shared_as_the_format_says);
    CHECK_RUN(test_a_progress_byte_is_never_blank);
    check_end();
}
