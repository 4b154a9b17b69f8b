/*
 * Goal: a gzip file of one member gives its content, however it arrives and however little room
 * there is; and everything else is refused, for the right reason, at the right place, the same way
 * however it arrives.
 * Method: the files of make_gzip_vectors.py, on which Python's zlib agrees, in pieces of every
 * kind; every truncation, flips of every bit, limits of the output at every place. And
 * test/host/gzip_zlib_test.c asks zlib itself.
 */
#include <updraft/bytes.h>
#include <updraft/crc32.h>
#include <updraft/gzip.h>

#include "check.h"

enum { PAYLOAD_SIZE = 5375, FILE_SIZE = 6000, NO_LIMIT = 0x7FFFFFFF };

static uint8_t payload[PAYLOAD_SIZE];
static uint8_t file[FILE_SIZE];
static uint8_t window[UPD_GZIP_WINDOW_SIZE];

/* What became of a file. */
struct outcome {
    enum upd_err err;
    enum upd_gzip_reason reason;
    uint32_t offset, consumed, produced, crc;
    bool is_payload; /* as far as it goes */
};

static uint32_t load(const char *name)
{
    char path[sizeof UPD_VECTORS + 64] = UPD_VECTORS "/gzip/";
    size_t at = sizeof UPD_VECTORS + 5;
    int32_t size;

    for (; *name != '\0'; name++) {
        path[at++] = *name;
    }
    path[at] = '\0';
    size = check_load(path, file, sizeof file);
    CHECK_THAT(path, size > 0);
    return size > 0 ? (uint32_t)size : 0;
}

/* What every step must keep, whatever it is given. */
static void check_step(const struct upd_gzip *gzip, const struct upd_reader *out)
{
    uint32_t first = gzip->produced - out->left;

    CHECK(out->left <= UPD_GZIP_PIECE_SIZE);
    CHECK(out->at >= gzip->window && out->left <= gzip->window_size);
    CHECK(out->at + out->left <= gzip->window + gzip->window_size);
    CHECK(out->left == 0 ||
          first / UPD_GZIP_PIECE_SIZE == (gzip->produced - 1) / UPD_GZIP_PIECE_SIZE);
    CHECK(gzip->produced <= gzip->max_output);
}

static enum upd_err feed(struct upd_gzip *gzip, struct upd_reader in, struct outcome *outcome)
{
    struct upd_reader out, nothing = {NULL, 0};

    /* What is over is over, and nothing more comes of nothing. */
    if (upd_gzip_step(gzip, &nothing, &out) == UPD_OK) {
        CHECK(out.left == 0);
    }
    do {
        enum upd_err err = upd_gzip_step(gzip, &in, &out);

        if (err != UPD_OK) {
            CHECK(out.left == 0);
            return err;
        }
        check_step(gzip, &out);
        outcome->is_payload = outcome->is_payload && outcome->produced + out.left <= PAYLOAD_SIZE &&
                              memcmp(out.at, payload + outcome->produced, out.left) == 0;
        outcome->produced += out.left;
        outcome->crc = upd_crc32(outcome->crc, out.at, out.left);
    } while (in.left != 0 || out.left != 0);
    return UPD_OK;
}

static struct outcome inflate(uint32_t size, uint32_t piece, uint32_t window_size,
                              uint32_t max_output)
{
    struct outcome outcome = {.is_payload = true, .crc = UPD_CRC32_INIT};
    struct upd_gzip gzip;

    CHECK(upd_gzip_init(&gzip, window, window_size, max_output) == UPD_OK);
    for (uint32_t at = 0; at < size && outcome.err == UPD_OK; at += piece) {
        struct upd_reader in = {file + at, piece < size - at ? piece : size - at};

        outcome.err = feed(&gzip, in, &outcome);
    }
    CHECK(upd_gzip_complete(&gzip) ? outcome.err == UPD_OK : true);
    CHECK(outcome.err == UPD_OK || upd_gzip_end(&gzip) == outcome.err);
    outcome.err = upd_gzip_end(&gzip);
    outcome.reason = (enum upd_gzip_reason)gzip.reason;
    outcome.offset = gzip.offset;
    outcome.consumed = gzip.consumed;
    return outcome;
}

static const uint32_t pieces[] = {1, 2, 3, 5, 7, 64, 1000, FILE_SIZE};

enum { PIECE_COUNT = sizeof pieces / sizeof pieces[0] };

static const struct {
    const char *name;
    uint32_t produced; /* bytes; PAYLOAD_SIZE says that they are the payload */
    uint32_t window;   /* the smallest that will do */
} good[] = {
    {"stored.gz", PAYLOAD_SIZE, 256},
    {"fixed.gz", PAYLOAD_SIZE, 8192},
    {"dynamic-1.gz", PAYLOAD_SIZE, 8192},
    {"dynamic-9.gz", PAYLOAD_SIZE, 8192},
    {"window-512.gz", PAYLOAD_SIZE, 256},
    {"huffman-only.gz", PAYLOAD_SIZE, 256},
    {"run-length.gz", PAYLOAD_SIZE, 256},
    {"flushed.gz", PAYLOAD_SIZE, 1024},
    {"header-all.gz", PAYLOAD_SIZE, 8192},
    {"header-empty-extra.gz", PAYLOAD_SIZE, 8192},
    {"header-name.gz", PAYLOAD_SIZE, 8192},
    {"header-comment-check.gz", PAYLOAD_SIZE, 8192},
    {"empty.gz", 0, 256},
    {"empty-stored.gz", 0, 256},
    {"no-distances.gz", 1, 256},
    {"one-distance.gz", 5, 256},
    {"one-literal.gz", 0, 256},
    {"longest-codes.gz", 3, 256},
    {"length-258-the-long-way.gz", 259, 256},
    {"distance-256.gz", 259, 256},
    {"distance-257.gz", 260, 512},
    {"distance-512.gz", 515, 512},
    {"distance-513.gz", 516, 1024},
    {"distance-24577.gz", 24580, 32768},
    {"distance-32768.gz", 32771, 32768},
    {"zeros-1048576.gz", 1048576, 256},
};

enum { GOOD_COUNT = sizeof good / sizeof good[0] };

static void check_good(size_t i, uint32_t size, uint32_t piece, uint32_t window_size)
{
    struct outcome outcome = inflate(size, piece, window_size, good[i].produced);

    CHECK_THAT(good[i].name, outcome.err == UPD_OK && outcome.reason == UPD_GZIP_OK);
    CHECK_THAT(good[i].name, outcome.consumed == size && outcome.produced == good[i].produced);
    CHECK_THAT(good[i].name, outcome.crc == upd_get_le32(file + size - 8));
    CHECK_THAT(good[i].name, good[i].produced != PAYLOAD_SIZE || outcome.is_payload);
}

static void test_good_files_in_pieces_of_any_size(void)
{
    for (size_t i = 0; i < GOOD_COUNT; i++) {
        uint32_t size = load(good[i].name);

        for (size_t k = good[i].produced > 100000 ? PIECE_COUNT - 1 : 0; k < PIECE_COUNT; k++) {
            check_good(i, size, pieces[k], UPD_GZIP_WINDOW_SIZE);
        }
    }
}

static void test_every_split_in_two(void)
{
    uint32_t size = load("header-all.gz");

    for (uint32_t split = 0; split <= size; split++) {
        struct outcome outcome = {.is_payload = true, .crc = UPD_CRC32_INIT};
        struct upd_gzip gzip;

        CHECK(upd_gzip_init(&gzip, window, sizeof window, NO_LIMIT) == UPD_OK);
        CHECK(feed(&gzip, (struct upd_reader){file, split}, &outcome) == UPD_OK);
        CHECK(upd_gzip_complete(&gzip) == (split == size));
        CHECK(feed(&gzip, (struct upd_reader){file + split, size - split}, &outcome) == UPD_OK);
        CHECK(upd_gzip_end(&gzip) == UPD_OK && outcome.is_payload);
        CHECK(outcome.produced == PAYLOAD_SIZE);
    }
}

/* Any window that is large enough gives the content; any that is not is what the file is refused
 * for. */
static void test_every_window(void)
{
    for (size_t i = 0; i < GOOD_COUNT; i++) {
        uint32_t size = load(good[i].name);

        for (uint32_t window_size = 256; window_size <= UPD_GZIP_WINDOW_SIZE; window_size *= 2) {
            struct outcome outcome;

            if (window_size >= good[i].window) {
                check_good(i, size, 1000, window_size);
                continue;
            }
            outcome = inflate(size, 1000, window_size, NO_LIMIT);
            CHECK_THAT(good[i].name, outcome.err == UPD_E_SPACE);
            CHECK_THAT(good[i].name, outcome.reason == UPD_GZIP_WINDOW);
        }
    }
}

static void test_windows_of_other_sizes_are_refused(void)
{
    for (uint32_t size = 0; size <= 70000; size++) {
        bool usable = size >= 256 && size <= 32768 && (size & (size - 1)) == 0;
        struct upd_gzip gzip = {.reason = 99};

        CHECK(upd_gzip_init(&gzip, window, size, 1) == (usable ? UPD_OK : UPD_E_ARG));
        CHECK(gzip.reason == (usable ? UPD_GZIP_OK : 99));
    }
}

/* Each file has one thing wrong; the offset is that of the byte with which this is certain. */
static const struct {
    const char *name;
    enum upd_gzip_reason reason;
    uint32_t offset;
} bad[] = {
    {"bad-magic-first.gz", UPD_GZIP_MAGIC, 0},
    {"bad-magic-second.gz", UPD_GZIP_MAGIC, 1},
    {"bad-method.gz", UPD_GZIP_METHOD, 2},
    {"bad-flag-20.gz", UPD_GZIP_FLAGS, 3},
    {"bad-flag-40.gz", UPD_GZIP_FLAGS, 3},
    {"bad-flag-80.gz", UPD_GZIP_FLAGS, 3},
    {"bad-header-check-low.gz", UPD_GZIP_HEADER_CRC, 10},
    {"bad-header-check-high.gz", UPD_GZIP_HEADER_CRC, 11},
    {"bad-block-type.gz", UPD_GZIP_BLOCK_TYPE, 10},
    {"bad-stored-size.gz", UPD_GZIP_STORED_SIZE, 14},
    {"bad-literal-count.gz", UPD_GZIP_CODE_COUNT, 12},
    {"bad-distance-count.gz", UPD_GZIP_CODE_COUNT, 12},
    {"bad-lengths-over.gz", UPD_GZIP_LENGTHS_CODE, 19},
    {"bad-lengths-short.gz", UPD_GZIP_LENGTHS_CODE, 19},
    {"bad-lengths-one.gz", UPD_GZIP_LENGTHS_CODE, 19},
    {"bad-lengths-none.gz", UPD_GZIP_LENGTHS_CODE, 19},
    {"bad-literals-over.gz", UPD_GZIP_LITERAL_CODE, 25},
    {"bad-literals-short.gz", UPD_GZIP_LITERAL_CODE, 24},
    {"bad-literals-one-of-two-bits.gz", UPD_GZIP_LITERAL_CODE, 23},
    {"bad-distances-over.gz", UPD_GZIP_DISTANCE_CODE, 24},
    {"bad-distances-short.gz", UPD_GZIP_DISTANCE_CODE, 24},
    {"bad-distances-one-of-two-bits.gz", UPD_GZIP_DISTANCE_CODE, 24},
    {"bad-endless.gz", UPD_GZIP_ENDLESS, 22},
    {"bad-repeat-first.gz", UPD_GZIP_REPEAT, 19},
    {"bad-repeat-past-end.gz", UPD_GZIP_REPEAT, 21},
    {"bad-symbol-286.gz", UPD_GZIP_SYMBOL, 11},
    {"bad-symbol-287.gz", UPD_GZIP_SYMBOL, 11},
    {"bad-symbol-unassigned.gz", UPD_GZIP_SYMBOL, 22},
    {"bad-distance-30.gz", UPD_GZIP_DISTANCE, 12},
    {"bad-distance-31.gz", UPD_GZIP_DISTANCE, 12},
    {"bad-distance-unassigned.gz", UPD_GZIP_DISTANCE, 26},
    {"bad-distance-without-code.gz", UPD_GZIP_DISTANCE, 26},
    {"bad-too-far.gz", UPD_GZIP_TOO_FAR, 12},
    {"bad-too-far-at-once.gz", UPD_GZIP_TOO_FAR, 11},
    {"bad-crc.gz", UPD_GZIP_CRC, 2070},
    {"bad-size.gz", UPD_GZIP_SIZE, 2074},
    {"bad-trailing-zero.gz", UPD_GZIP_TRAILING, 2075},
    {"bad-trailing-four-zeros.gz", UPD_GZIP_TRAILING, 2075},
    {"bad-two-members.gz", UPD_GZIP_TRAILING, 2075},
    {"bad-nothing-after-header.gz", UPD_GZIP_SHORT, 10},
};

static void test_bad_files_are_refused_for_the_right_reason(void)
{
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint32_t size = load(bad[i].name);

        for (size_t k = 0; k < PIECE_COUNT; k++) {
            struct outcome outcome = inflate(size, pieces[k], sizeof window, NO_LIMIT);

            CHECK_THAT(bad[i].name, outcome.reason == bad[i].reason);
            CHECK_THAT(bad[i].name, outcome.offset == bad[i].offset);
            CHECK_THAT(bad[i].name, outcome.err == upd_gzip_reason_code(bad[i].reason));
        }
    }
}

static void test_every_truncation_is_short(void)
{
    for (size_t i = 0; i < GOOD_COUNT; i++) {
        uint32_t size = load(good[i].name);

        /* Of the long ones three, with all kinds of blocks and fields: a chip's CPU is slow to
         * emulate. */
        if (good[i].produced > PAYLOAD_SIZE || (good[i].produced == PAYLOAD_SIZE && i % 4 != 0)) {
            continue;
        }
        for (uint32_t cut = 0; cut < size; cut++) {
            struct outcome outcome = inflate(cut, 1000, sizeof window, NO_LIMIT);

            CHECK_THAT(good[i].name, outcome.err == UPD_E_SHORT);
            CHECK_THAT(good[i].name, outcome.reason == UPD_GZIP_SHORT && outcome.offset == cut);
            CHECK_THAT(good[i].name, good[i].produced != PAYLOAD_SIZE || outcome.is_payload);
        }
    }
}

/*
 * A flip that nothing notices must be one that changes nothing: in the time, the system and the
 * text flag, in padding, in the size of a code that is not used.
 */
static void test_no_flip_of_a_bit_changes_the_content(void)
{
    static const char *const names[] = {"longest-codes.gz", "one-distance.gz", "no-distances.gz",
                                        "empty-stored.gz", "length-258-the-long-way.gz"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        uint32_t size = load(names[i]);
        struct outcome whole = inflate(size, FILE_SIZE, sizeof window, NO_LIMIT);

        for (uint32_t bit = 0; bit < 8 * size; bit++) {
            bool idle = bit == 24 || (bit >= 32 && bit < 80), trailer = bit >= 8 * size - 64;
            struct outcome outcome;

            file[bit / 8] ^= (uint8_t)(1 << bit % 8);
            outcome = inflate(size, FILE_SIZE, sizeof window, NO_LIMIT);
            file[bit / 8] ^= (uint8_t)(1 << bit % 8);
            CHECK_THAT(names[i], outcome.err == UPD_OK || !idle);
            CHECK_THAT(names[i], outcome.err != UPD_OK || !trailer);
            CHECK_THAT(names[i], outcome.err != UPD_OK || (outcome.crc == whole.crc &&
                                                           outcome.produced == whole.produced));
        }
    }
}

/* With a header that has a CRC, nothing in it is idle. */
static void test_a_checked_header_covers_itself(void)
{
    uint32_t size = load("header-all.gz"), header = 10 + 7 + 12 + 10 + 2;

    for (uint32_t bit = 0; bit < 8 * header; bit++) {
        struct outcome outcome;

        file[bit / 8] ^= (uint8_t)(1 << bit % 8);
        outcome = inflate(size, FILE_SIZE, sizeof window, NO_LIMIT);
        file[bit / 8] ^= (uint8_t)(1 << bit % 8);
        CHECK(outcome.err != UPD_OK);
    }
}

/* Nothing beyond the limit is given, and the limit itself is enough. */
static void test_every_limit_of_the_output(void)
{
    static const char *const names[] = {"stored.gz", "fixed.gz", "huffman-only.gz",
                                        "run-length.gz"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        uint32_t size = load(names[i]);

        for (uint32_t limit = 0; limit <= PAYLOAD_SIZE; limit += limit % 512 < 500 ? 37 : 1) {
            struct outcome outcome = inflate(size, 1000, sizeof window, limit);

            CHECK_THAT(names[i], outcome.produced <= limit && outcome.is_payload);
            CHECK_THAT(names[i], outcome.err == UPD_E_SPACE || limit == PAYLOAD_SIZE);
            CHECK_THAT(names[i], outcome.reason == UPD_GZIP_OUTPUT || limit == PAYLOAD_SIZE);
        }
        CHECK_THAT(names[i], inflate(size, 1000, sizeof window, PAYLOAD_SIZE).err == UPD_OK);
        CHECK_THAT(names[i],
                   inflate(size, 1000, sizeof window, PAYLOAD_SIZE - 1).err == UPD_E_SPACE);
    }
}

static void test_every_limit_within_one_copy(void)
{
    uint32_t size = load("length-258-the-long-way.gz");

    for (uint32_t limit = 0; limit <= 300; limit++) {
        struct outcome outcome = inflate(size, FILE_SIZE, sizeof window, limit);

        CHECK(outcome.reason == (limit < 259 ? UPD_GZIP_OUTPUT : UPD_GZIP_OK));
        CHECK(outcome.produced <= limit);
    }
}

/* 1051 bytes that would fill a megabyte: refused once the slot is full. */
static void test_a_bomb_fills_the_slot_and_no_more(void)
{
    uint32_t size = load("zeros-1048576.gz");
    struct outcome outcome = inflate(size, FILE_SIZE, sizeof window, 3 * 4096 + 100);

    CHECK(outcome.err == UPD_E_SPACE && outcome.reason == UPD_GZIP_OUTPUT);
    CHECK(outcome.produced <= 3 * 4096 + 100 && outcome.offset < size - 8);
}

static void test_an_error_stays(void)
{
    uint32_t size = load("bad-crc.gz");
    struct upd_reader in = {file, size}, out = {NULL, 0};
    struct upd_gzip gzip;
    enum upd_err err;

    CHECK(upd_gzip_init(&gzip, window, sizeof window, NO_LIMIT) == UPD_OK);
    do {
        err = upd_gzip_step(&gzip, &in, &out);
    } while (err == UPD_OK && (in.left != 0 || out.left != 0));
    CHECK(err == UPD_E_AUTH && gzip.offset == 2070);
    for (int i = 0; i < 3; i++) {
        in = (struct upd_reader){file, size};
        out.left = 1;
        CHECK(upd_gzip_step(&gzip, &in, &out) == UPD_E_AUTH && out.left == 0 && in.left == size);
        CHECK(upd_gzip_end(&gzip) == UPD_E_AUTH && gzip.offset == 2070);
        CHECK(!upd_gzip_complete(&gzip));
    }
}

/* A file cut short is over, even when the missing bytes come after all. */
static void test_an_end_is_an_end(void)
{
    uint32_t size = load("dynamic-9.gz");
    struct outcome outcome = {0};
    struct upd_gzip gzip;

    CHECK(upd_gzip_init(&gzip, window, sizeof window, NO_LIMIT) == UPD_OK);
    CHECK(upd_gzip_end(&gzip) == UPD_E_SHORT && gzip.offset == 0);
    CHECK(upd_gzip_init(&gzip, window, sizeof window, NO_LIMIT) == UPD_OK);
    CHECK(feed(&gzip, (struct upd_reader){file, 1000}, &outcome) == UPD_OK);
    CHECK(upd_gzip_end(&gzip) == UPD_E_SHORT && gzip.offset == 1000);
    CHECK(feed(&gzip, (struct upd_reader){file + 1000, size - 1000}, &outcome) == UPD_E_SHORT);
}

/* As the caller does who expects a signature behind the member. */
static void test_what_follows_the_member_can_be_had(void)
{
    uint32_t size = load("bad-trailing-four-zeros.gz");
    struct upd_reader in = {file, size}, out;
    struct upd_gzip gzip;

    CHECK(upd_gzip_init(&gzip, window, sizeof window, NO_LIMIT) == UPD_OK);
    while (!upd_gzip_complete(&gzip)) {
        if (upd_gzip_step(&gzip, &in, &out) != UPD_OK || in.left == 0) {
            CHECK(false);
            return;
        }
    }
    CHECK(in.left == 4 && in.at == file + size - 4 && gzip.consumed == size - 4);
    CHECK(upd_gzip_end(&gzip) == UPD_OK && gzip.produced == PAYLOAD_SIZE);
    CHECK(upd_gzip_step(&gzip, &in, &out) == UPD_E_FORMAT && gzip.reason == UPD_GZIP_TRAILING);
}

static const struct {
    const char *name;
    uint32_t size; /* of the header */
} headers[] = {
    {"dynamic-9.gz", 10},          {"header-name.gz", 11},
    {"header-empty-extra.gz", 12}, {"header-comment-check.gz", 14},
    {"header-all.gz", 41},
};

static void test_the_header_alone(void)
{
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        uint32_t size = load(headers[i].name);

        for (uint32_t cut = 0; cut <= headers[i].size + 3; cut++) {
            struct upd_reader first = {file, cut}, rest = {file + cut, size - cut};
            struct upd_gzip_head head;

            upd_gzip_head_init(&head);
            CHECK_THAT(headers[i].name, upd_gzip_head_step(&head, &first) == UPD_GZIP_OK);
            CHECK_THAT(headers[i].name, upd_gzip_head_complete(&head) == (cut >= headers[i].size));
            CHECK_THAT(headers[i].name, upd_gzip_head_step(&head, &rest) == UPD_GZIP_OK);
            CHECK_THAT(headers[i].name, upd_gzip_head_complete(&head));
            CHECK_THAT(headers[i].name, head.size == headers[i].size);
            CHECK_THAT(headers[i].name, first.left + rest.left == size - headers[i].size);
        }
    }
}

static bool same_text(const char *one, const char *other)
{
    while (*one != '\0' && *one == *other) {
        one++;
        other++;
    }
    return *one == *other;
}

static void test_every_reason_has_its_own_text_and_a_code(void)
{
    const enum upd_gzip_reason none = (enum upd_gzip_reason)99;

    CHECK(upd_gzip_reason_code(none) == UPD_E_ARG);
    for (int i = UPD_GZIP_OK; i <= UPD_GZIP_SHORT; i++) {
        const char *text = upd_gzip_reason_text((enum upd_gzip_reason)i);

        CHECK(!same_text(text, upd_gzip_reason_text(none)));
        CHECK((upd_gzip_reason_code((enum upd_gzip_reason)i) == UPD_OK) == (i == UPD_GZIP_OK));
        for (int k = 0; k < i; k++) {
            CHECK(!same_text(text, upd_gzip_reason_text((enum upd_gzip_reason)k)));
        }
    }
}

int main(void)
{
    if (check_load(UPD_VECTORS "/gzip/payload.bin", payload, sizeof payload) != PAYLOAD_SIZE) {
        check_print("no payload.bin\n");
        check_exit(1);
    }
    CHECK_RUN(test_good_files_in_pieces_of_any_size);
    CHECK_RUN(test_every_split_in_two);
    CHECK_RUN(test_every_window);
    CHECK_RUN(test_windows_of_other_sizes_are_refused);
    CHECK_RUN(test_bad_files_are_refused_for_the_right_reason);
    CHECK_RUN(test_every_truncation_is_short);
    CHECK_RUN(test_no_flip_of_a_bit_changes_the_content);
    CHECK_RUN(test_a_checked_header_covers_itself);
    CHECK_RUN(test_every_limit_of_the_output);
    CHECK_RUN(test_every_limit_within_one_copy);
    CHECK_RUN(test_a_bomb_fills_the_slot_and_no_more);
    CHECK_RUN(test_an_error_stays);
    CHECK_RUN(test_an_end_is_an_end);
    CHECK_RUN(test_what_follows_the_member_can_be_had);
    CHECK_RUN(test_the_header_alone);
    CHECK_RUN(test_every_reason_has_its_own_text_and_a_code);
    check_end();
}
