/*
 * Goal: commands are built and read as eboot does it, a copy is known before it is done, and an
 * offer that eboot would turn into a broken or never-ending update is refused. Method: vectors,
 * every bit of a block, and the copy carried out on a small flash for every placement, so that
 * "safe" and "repeatable" are what was seen and not what was reckoned.
 */
#include <updraft/arduino_layout.h>
#include <updraft/bytes.h>
#include <updraft/crc32.h>
#include <updraft/eboot.h>

#include "check.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
enum { SECTOR = 4096 };

static const struct {
    struct upd_eboot_command command;
    uint32_t crc;
} vectors[] = {
    {{UPD_EBOOT_COPY, 0x1CF000, 0, 0x30D40}, 0x2271C2EA},
    {{UPD_EBOOT_COPY, 0x100000, 0, 0x50000}, 0x0A5D70E6},
};

static void test_vectors(void)
{
    for (size_t i = 0; i < COUNT(vectors); i++) {
        uint8_t block[UPD_EBOOT_COMMAND_SIZE];
        struct upd_eboot_command command;

        upd_eboot_build(&vectors[i].command, block);
        CHECK(upd_get_le32(block) == 0xEB001000 && upd_get_le32(block + 4) == 1);
        CHECK(upd_get_le32(block + 8) == vectors[i].command.source);
        CHECK(upd_get_le32(block + 12) == vectors[i].command.target);
        CHECK(upd_get_le32(block + 16) == vectors[i].command.size);
        CHECK(upd_get_le32(block + 124) == vectors[i].crc);
        CHECK(upd_eboot_parse(block, &command) == UPD_OK);
        CHECK(memcmp(&command, &vectors[i].command, sizeof command) == 0);
    }
}

/* The block as real files have it, byte for byte. */
static void test_the_stored_block(void)
{
    static const char *const files[] = {UPD_VECTORS "/eboot/copy-0x1cf000.bin",
                                        UPD_VECTORS "/eboot/copy-0x100000.bin"};

    for (size_t i = 0; i < COUNT(files); i++) {
        uint8_t block[UPD_EBOOT_COMMAND_SIZE], stored[UPD_EBOOT_COMMAND_SIZE + 1];

        upd_eboot_build(&vectors[i].command, block);
        CHECK_THAT(files[i], check_load(files[i], stored, sizeof stored) == UPD_EBOOT_COMMAND_SIZE);
        CHECK_THAT(files[i], memcmp(block, stored, sizeof block) == 0);
    }
}

/* Arguments that nobody set are covered by the CRC, and nothing is read from them. */
static void test_what_lies_on_the_stack(void)
{
    uint8_t block[UPD_EBOOT_COMMAND_SIZE];
    struct upd_eboot_command command;

    upd_eboot_build(&vectors[0].command, block);
    for (uint32_t i = 20; i < 124; i++) {
        block[i] = (uint8_t)(i * 37);
    }
    CHECK(upd_eboot_parse(block, &command) == UPD_E_FORMAT);
    upd_put_le32(block + 124, upd_crc32_mpeg2(UPD_CRC32_MPEG2_INIT, block, 124));
    CHECK(upd_eboot_parse(block, &command) == UPD_OK);
    CHECK(memcmp(&command, &vectors[0].command, sizeof command) == 0);
}

static void test_every_bit_of_a_block(void)
{
    for (uint32_t bit = 0; bit < 8 * UPD_EBOOT_COMMAND_SIZE; bit++) {
        uint8_t block[UPD_EBOOT_COMMAND_SIZE];
        struct upd_eboot_command command = {7, 7, 7, 7};
        struct upd_eboot_decision decision;

        upd_eboot_build(&vectors[0].command, block);
        block[bit / 8] ^= (uint8_t)(1u << bit % 8);
        /* The low twelve bits of the magic are not looked at, but the CRC covers them. */
        CHECK(upd_eboot_parse(block, &command) ==
              (bit >= 12 && bit < 32 ? UPD_E_NOT_FOUND : UPD_E_FORMAT));
        CHECK(command.action == 7 && command.source == 7 && command.size == 7);
        upd_eboot_decide(block, &decision);
        CHECK(decision.next == UPD_EBOOT_NEXT_LOAD && decision.address == 0 && !decision.clear);

        if (bit < 12) {
            upd_put_le32(block + 124, upd_crc32_mpeg2(UPD_CRC32_MPEG2_INIT, block, 124));
            CHECK(upd_eboot_parse(block, &command) == UPD_OK);
        }
    }
}

static void test_clearing(void)
{
    uint8_t block[UPD_EBOOT_COMMAND_SIZE];
    struct upd_eboot_command command;

    upd_eboot_build(&vectors[0].command, block);
    upd_eboot_clear(block);
    CHECK(upd_get_le32(block) == 0 && upd_get_le32(block + 124) == 0);
    CHECK(upd_get_le32(block + 8) == 0x1CF000);
    CHECK(upd_eboot_parse(block, &command) == UPD_E_NOT_FOUND);
    memset(block, 0, sizeof block);
    CHECK(upd_eboot_parse(block, &command) == UPD_E_NOT_FOUND);
    memset(block, 0xFF, sizeof block);
    CHECK(upd_eboot_parse(block, &command) == UPD_E_NOT_FOUND);
}

static const struct {
    const char *name;
    int32_t action;
    enum upd_eboot_next next;
    uint32_t address;
} actions[] = {
    {"copy", UPD_EBOOT_COPY, UPD_EBOOT_NEXT_COPY, 0},
    {"load", UPD_EBOOT_LOAD, UPD_EBOOT_NEXT_LOAD, 0x1CF000},
    {"nothing", 0, UPD_EBOOT_NEXT_RESET, 0},
    {"unknown", 2, UPD_EBOOT_NEXT_RESET, 0},
    {"unknown", INT32_MIN, UPD_EBOOT_NEXT_RESET, 0},
};

static void test_what_eboot_does(void)
{
    for (size_t i = 0; i < COUNT(actions); i++) {
        uint8_t block[UPD_EBOOT_COMMAND_SIZE];
        struct upd_eboot_decision decision;
        struct upd_eboot_command command = {actions[i].action, 0x1CF000, 0x3000, 0x30D40};

        upd_eboot_build(&command, block);
        upd_eboot_decide(block, &decision);
        CHECK_THAT(actions[i].name, decision.next == actions[i].next && decision.clear);
        CHECK_THAT(actions[i].name, decision.address == actions[i].address);
    }
    for (int result = -1; result < 11; result++) {
        struct upd_eboot_command command = {UPD_EBOOT_COPY, 0x1CF000, 0x3000, 0x30D40};
        struct upd_eboot_decision decision;

        upd_eboot_after_copy(&command, (enum upd_eboot_result)result, &decision);
        CHECK(decision.clear);
        CHECK(decision.next == (result == 0 ? UPD_EBOOT_NEXT_LOAD : UPD_EBOOT_NEXT_RESET));
        CHECK(decision.address == (result == 0 ? 0x3000u : 0));
    }
}

/* --- The copy -------------------------------------------------------------------------------- */

/*
 * A flash of 16 sectors, one byte each: a sector number as its content. Raw copy as eboot does it,
 * read then erase then write; stopped after `stop` sectors when it is not negative.
 */
enum { FLASH = 16 };

static void copy_sectors(uint8_t flash[FLASH], uint32_t source, uint32_t target, uint32_t count,
                         uint32_t stop)
{
    for (uint32_t i = 0; i < count && i < stop; i++) {
        flash[target + i] = flash[source + i];
    }
}

static bool holds(const uint8_t flash[FLASH], uint32_t target, uint32_t source, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (flash[target + i] != source + i) {
            return false;
        }
    }
    return true;
}

static void fill(uint8_t flash[FLASH])
{
    for (uint32_t i = 0; i < FLASH; i++) {
        flash[i] = (uint8_t)i;
    }
}

/* Starting over after a reset at any sector, half of which may have been erased already. */
static bool survives_a_reset(uint32_t source, uint32_t target, uint32_t count)
{
    bool survives = true;

    for (uint32_t stop = 0; stop < count; stop++) {
        uint8_t flash[FLASH];
        fill(flash);
        copy_sectors(flash, source, target, count, stop);
        flash[target + stop] = 0xFF;
        copy_sectors(flash, source, target, count, count);
        survives = survives && holds(flash, target, source, count);
    }
    return survives;
}

static void test_raw_copies_everywhere(void)
{
    for (uint32_t source = 0; source < FLASH; source++) {
        for (uint32_t target = 0; target < FLASH; target++) {
            for (uint32_t count = 1; count <= FLASH - (source > target ? source : target);
                 count++) {
                struct upd_eboot_command command = {UPD_EBOOT_COPY, source * SECTOR,
                                                    target * SECTOR, count * SECTOR - 7};
                struct upd_eboot_copy copy;
                uint8_t flash[FLASH];

                CHECK(upd_eboot_copy(&command, false, 0, &copy) == UPD_OK);
                CHECK(copy.read == count * SECTOR && copy.write == count * SECTOR);
                CHECK(copy.boot == (target == 0));
                fill(flash);
                copy_sectors(flash, source, target, count, count);
                CHECK(copy.safe == holds(flash, target, source, count));
                CHECK(copy.repeatable == survives_a_reset(source, target, count));
            }
        }
    }
}

/* Inflating may want any input at any time: nothing that is read may be written. */
static void test_gzip_copies_everywhere(void)
{
    for (uint32_t i = 0; i < 8 * 8 * 4 * 8; i++) {
        uint32_t source = i % 8, target = i / 8 % 8, staged = i / 64 % 4 + 1, out = i / 256 + 1;
        struct upd_eboot_command command = {UPD_EBOOT_COPY, source * SECTOR, target * SECTOR,
                                            staged * SECTOR};
        struct upd_eboot_copy copy;
        bool apart = source + staged <= target || target + out <= source;

        CHECK(upd_eboot_copy(&command, true, out * SECTOR - 1, &copy) == UPD_OK);
        CHECK(copy.read == staged * SECTOR && copy.write == out * SECTOR);
        CHECK(copy.safe == apart && copy.repeatable == apart);
    }
}

static const struct {
    const char *name;
    struct upd_eboot_command command;
    bool gzip;
    uint32_t isize;
    enum upd_err err;
} copies[] = {
    {"source off a sector", {UPD_EBOOT_COPY, 0x1001, 0, 1}, false, 0, UPD_E_FORMAT},
    {"target off a sector", {UPD_EBOOT_COPY, 0x1000, 0x800, 1}, false, 0, UPD_E_FORMAT},
    {"empty", {UPD_EBOOT_COPY, 0x1000, 0, 0}, false, 0, UPD_E_FORMAT},
    {"one byte", {UPD_EBOOT_COPY, 0x1000, 0, 1}, false, 0, UPD_OK},
    {"largest", {UPD_EBOOT_COPY, 0x1000, 0, 0x7FFFF000}, false, 0, UPD_OK},
    {"a negative count", {UPD_EBOOT_COPY, 0x1000, 0, 0x7FFFF001}, false, 0, UPD_E_FORMAT},
    {"a count that wraps", {UPD_EBOOT_COPY, 0x1000, 0, 0xFFFFFFFF}, false, 0, UPD_E_FORMAT},
    {"inflates to nothing", {UPD_EBOOT_COPY, 0x1000, 0, 99}, true, 0, UPD_E_FORMAT},
    {"inflates to 2 GiB", {UPD_EBOOT_COPY, 0x1000, 0, 99}, true, 0x80000000, UPD_E_FORMAT},
    {"nothing to inflate", {UPD_EBOOT_COPY, 0x1000, 0, 0}, true, 99, UPD_E_FORMAT},
    {"behind all addresses", {UPD_EBOOT_COPY, 0xFFFFF000, 0, 1}, false, 0, UPD_E_ARG},
    {"up to the last address", {UPD_EBOOT_COPY, 0, 0xFFFFE000, 1}, false, 0, UPD_OK},
    {"over the last address", {UPD_EBOOT_COPY, 0, 0xFFFFE000, 4097}, false, 0, UPD_E_ARG},
    {"not a copy", {UPD_EBOOT_LOAD, 0x1000, 0, 1}, false, 0, UPD_E_ARG},
};

static void test_copies_that_are_none(void)
{
    for (size_t i = 0; i < COUNT(copies); i++) {
        struct upd_eboot_copy copy = {.read = 77};

        CHECK_THAT(copies[i].name, upd_eboot_copy(&copies[i].command, copies[i].gzip,
                                                  copies[i].isize, &copy) == copies[i].err);
        CHECK_THAT(copies[i].name, (copy.read == 77) == (copies[i].err != UPD_OK));
    }
}

/* --- Staging and offers ---------------------------------------------------------------------- */

static const struct {
    const char *name;
    uint32_t running, fs_start, size;
    enum upd_err err;
    uint32_t start;
} stages[] = {
    {"observed: 4M with 2 MiB of files", 400000, 0x200000, 200000, UPD_OK, 0x1CF000},
    {"touching", 0x100000, 0x200000, 0x100000, UPD_OK, 0x100000},
    {"a byte more to run", 0x100001, 0x200000, 0x100000, UPD_E_SPACE, 0},
    {"a byte more to stage", 0x100000, 0x200000, 0x100001, UPD_E_SPACE, 0},
    {"nothing", 400000, 0x200000, 0, UPD_E_ARG, 0},
    {"all of the flash", 1, 0x200000, 0x200000, UPD_E_SPACE, 0},
    {"no running sketch", 0, 0x200000, 0x200000, UPD_OK, 0},
    {"more than the flash", 0, 0x200000, 0x200001, UPD_E_SPACE, 0},
    {"rounding wraps", 0, 0x200000, 0xFFFFFFFF, UPD_E_SPACE, 0},
    {"running wraps", 0xFFFFFFFF, 0x200000, 1, UPD_E_SPACE, 0},
};

static void test_where_a_sketch_is_staged(void)
{
    for (size_t i = 0; i < COUNT(stages); i++) {
        uint32_t start = 1;

        CHECK_THAT(stages[i].name, upd_eboot_stage(stages[i].running, stages[i].fs_start,
                                                   stages[i].size, &start) == stages[i].err);
        CHECK_THAT(stages[i].name, start == (stages[i].err == UPD_OK ? stages[i].start : 1));
    }
}

/* What the layouts call the largest file by OTA can be staged above one like it; a sector more not.
 */
static void test_the_limits_of_the_layouts(void)
{
    for (size_t i = 0; i < UPD_ARDUINO_LAYOUT_COUNT; i++) {
        struct upd_arduino_layout layout;
        uint32_t start = 1, file;

        CHECK(upd_arduino_layout(i, &layout) == UPD_OK);
        file = layout.max_ota_file;
        CHECK_THAT(layout.name, upd_eboot_stage(file, layout.fs_start, file, &start) == UPD_OK);
        CHECK_THAT(layout.name, start == layout.fs_start - file);
        enum upd_err err = upd_eboot_stage(file + 1, layout.fs_start, file + 1, &start);
        CHECK_THAT(layout.name, err == UPD_E_SPACE || file == layout.max_file);
    }
}

/* running, free, limit, file, trailer, inflated, isize, member, gzip, repeatable */
static const struct {
    const char *name;
    struct upd_eboot_question question;
    enum upd_eboot_offer answer;
} offers[] = {
    {"a raw sketch",
     {400000, 0x19E000, 0x100000, 400000, 0, 0, 0, 0, false, true},
     UPD_EBOOT_OFFER_OK},
    {"empty", {400000, 0x19E000, 0x100000, 0, 0, 0, 0, 0, false, true}, UPD_EBOOT_OFFER_EMPTY},
    {"nothing but a signature",
     {400000, 0x19E000, 0x100000, 260, 260, 0, 0, 0, false, true},
     UPD_EBOOT_OFFER_EMPTY},
    {"fills the space",
     {0x80000, 0x80000, 0x100000, 0x80000, 0, 0, 0, 0, false, true},
     UPD_EBOOT_OFFER_OK},
    {"a byte more",
     {0x80000, 0x80000, 0x100000, 0x80001, 0, 0, 0, 0, false, true},
     UPD_EBOOT_OFFER_NO_SPACE},
    {"a length that wraps",
     {0x80000, 0x80000, 0x100000, 0xFFFFFFFF, 0, 0, 0, 0, false, true},
     UPD_EBOOT_OFFER_NO_SPACE},
    {"space that wraps",
     {0x80000, 0xFFFFF000, 0x100000, 0x80000, 0, 0, 0, 0, false, true},
     UPD_EBOOT_OFFER_NO_SPACE},
    {"at the limit",
     {0x80000, 0x300000, 0x100000, 0x100000, 0, 0, 0, 0, false, true},
     UPD_EBOOT_OFFER_OK},
    {"above the limit",
     {0x80000, 0x300000, 0x100000, 0x100001, 0, 0, 0, 0, false, true},
     UPD_EBOOT_OFFER_TOO_LARGE},
    {"the signature does not count",
     {0x80000, 0x300000, 0x100000, 0x100104, 0x104, 0, 0, 0, false, true},
     UPD_EBOOT_OFFER_OK},
    {"larger than what it replaces",
     {0x40000, 0xC0000, 0x100000, 0x90000, 0, 0, 0, 0, false, true},
     UPD_EBOOT_OFFER_NOT_REPEATABLE},
    {"the same, accepted",
     {0x40000, 0xC0000, 0x100000, 0x90000, 0, 0, 0, 0, false, false},
     UPD_EBOOT_OFFER_OK},
    {"gzip",
     {0x60000, 0x90000, 0xFB000, 0x50000, 0, 0x90000, 0x90000, 0x50000, true, false},
     UPD_EBOOT_OFFER_OK},
    {"gzip, signed",
     {0x60000, 0x90000, 0xFB000, 0x50104, 0x104, 0x90000, 0x90000, 0x50000, true, false},
     UPD_EBOOT_OFFER_OK},
    {"gzip, signed, no verifier",
     {0x60000, 0x90000, 0xFB000, 0x50104, 0, 0x90000, 0x100, 0x50000, true, false},
     UPD_EBOOT_OFFER_TRAILING},
    {"gzip with four zero bytes behind",
     {0x60000, 0x90000, 0xFB000, 0x50004, 0, 0x90000, 0, 0x50000, true, false},
     UPD_EBOOT_OFFER_TRAILING},
    {"two members",
     {0x60000, 0x90000, 0xFB000, 0x50000, 0, 0x48000, 0x48000, 0x28000, true, false},
     UPD_EBOOT_OFFER_TRAILING},
    {"of nothing",
     {0x60000, 0x90000, 0xFB000, 20, 0, 0, 0, 20, true, false},
     UPD_EBOOT_OFFER_NO_LENGTH},
    {"wrong length at the end",
     {0x60000, 0x90000, 0xFB000, 0x50000, 0, 0x90000, 0x90001, 0x50000, true, false},
     UPD_EBOOT_OFFER_NO_LENGTH},
    {"too short for gzip",
     {0x60000, 0x90000, 0xFB000, 17, 0, 1, 1, 17, true, false},
     UPD_EBOOT_OFFER_NOT_GZIP},
    {"inflates above the limit",
     {0x60000, 0x90000, 0x80000, 0x50000, 0, 0x80001, 0x80001, 0x50000, true, false},
     UPD_EBOOT_OFFER_TOO_LARGE},
    {"a bomb",
     {0x60000, 0x90000, 0xFFFFFFFF, 0x50000, 0, 0xFFFFFFFF, 0xFFFFFFFF, 0x50000, true, false},
     UPD_EBOOT_OFFER_TOO_LARGE},
    {"inflated up to the staged data",
     {0x60000, 0x90000, 0xFB000, 0x50000, 0, 0xA0000, 0xA0000, 0x50000, true, false},
     UPD_EBOOT_OFFER_OK},
    {"inflated into the staged data",
     {0x60000, 0x90000, 0xFB000, 0x50000, 0, 0xA0001, 0xA0001, 0x50000, true, false},
     UPD_EBOOT_OFFER_OVERLAP},
};

static void test_offers(void)
{
    for (size_t i = 0; i < COUNT(offers); i++) {
        CHECK_THAT(offers[i].name, upd_eboot_offer(&offers[i].question) == offers[i].answer);
    }
}

/* Whatever is offered can be staged, and copied as the offer says. */
static void test_offers_agree_with_staging_and_copying(void)
{
    for (uint32_t i = 0; i < 8 * 8 * 12 * 12 * 2; i++) {
        struct upd_eboot_question question = {
            .running = (i % 8 + 1) * SECTOR - 5,
            .free = (i / 8 % 8) * SECTOR,
            .limit = 16 * SECTOR,
            .file = (i / 64 % 12 + 1) * SECTOR - 3,
            .inflated = (i / 768 % 12 + 1) * SECTOR - 1,
            .gzip = i / 9216 != 0,
            .repeatable = true,
        };
        question.isize = question.inflated;
        question.member = question.file;
        uint32_t fs_start = (i % 8 + 1) * SECTOR + question.free;
        uint32_t start = 0;
        enum upd_err err = upd_eboot_stage(question.running, fs_start, question.file, &start);
        enum upd_eboot_offer offer = upd_eboot_offer(&question);
        struct upd_eboot_command command = {UPD_EBOOT_COPY, start, 0, question.file};
        struct upd_eboot_copy copy;

        CHECK((offer == UPD_EBOOT_OFFER_NO_SPACE) == (err == UPD_E_SPACE));
        if (err == UPD_OK) {
            CHECK(upd_eboot_copy(&command, question.gzip, question.isize, &copy) == UPD_OK);
            CHECK((offer == UPD_EBOOT_OFFER_OK) == copy.repeatable);
        }
    }
}

static void test_texts(void)
{
    const char *unknown = upd_eboot_offer_text((enum upd_eboot_offer)9);

    CHECK(unknown[0] == 'u' && upd_eboot_result_text((enum upd_eboot_result)7)[0] == 'u');
    CHECK(upd_eboot_result_text(UPD_EBOOT_RESULT_OK)[0] == 'c');
    CHECK(upd_eboot_result_text(UPD_EBOOT_RESULT_GZIP_DATA)[0] == 't');
    for (uint32_t i = 0; i < 9; i++) {
        CHECK(upd_eboot_offer_text((enum upd_eboot_offer)i) != unknown);
    }
}

int main(void)
{
    CHECK_RUN(test_vectors);
    CHECK_RUN(test_the_stored_block);
    CHECK_RUN(test_what_lies_on_the_stack);
    CHECK_RUN(test_every_bit_of_a_block);
    CHECK_RUN(test_clearing);
    CHECK_RUN(test_what_eboot_does);
    CHECK_RUN(test_raw_copies_everywhere);
    CHECK_RUN(test_gzip_copies_everywhere);
    CHECK_RUN(test_copies_that_are_none);
    CHECK_RUN(test_where_a_sketch_is_staged);
    CHECK_RUN(test_the_limits_of_the_layouts);
    CHECK_RUN(test_offers);
    CHECK_RUN(test_offers_agree_with_staging_and_copying);
    CHECK_RUN(test_texts);
    check_end();
}
