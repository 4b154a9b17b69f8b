/*
 * Goal: each form of CRC-32 gives the numbers of its format, whatever the pieces, the alignment and
 * the engine.
 * Method: the check values of docs/formats/crc32.md; the definition of a CRC, one bit at a time,
 * written again below, against both engines at every length, split and alignment.
 */
#include <updraft/bytes.h>
#include <updraft/crc32.h>

#include "check.h"
#include "crc32_engines.h"

enum { PATTERN = 200 };

static void make_pattern(uint8_t pattern[PATTERN])
{
    for (uint32_t i = 0; i < PATTERN; i++) {
        pattern[i] = (uint8_t)(7 * i + 3);
    }
}

/* The register after one more byte, by the definition: low bit first. */
static uint32_t lsb_by_bits(uint32_t reg, const uint8_t *data, uint32_t size)
{
    for (uint32_t i = 0; i < 8 * size; i++) {
        uint32_t out = (reg ^ (uint32_t)data[i / 8] >> i % 8) & 1;

        reg = reg >> 1 ^ (out != 0 ? 0xEDB88320u : 0);
    }
    return reg;
}

/* The same with the high bit first. */
static uint32_t msb_by_bits(uint32_t reg, const uint8_t *data, uint32_t size)
{
    for (uint32_t i = 0; i < 8 * size; i++) {
        uint32_t out = (reg >> 31 ^ (uint32_t)data[i / 8] >> (7 - i % 8)) & 1;

        reg = reg << 1 ^ (out != 0 ? 0x04C11DB7u : 0);
    }
    return reg;
}

static void test_check_values(void)
{
    static const uint8_t digits[9] = "123456789";
    uint8_t pattern[PATTERN];

    make_pattern(pattern);
    CHECK(upd_crc32(UPD_CRC32_INIT, digits, 9) == 0xCBF43926);
    CHECK(upd_crc32(UPD_CRC32_INIT, pattern, PATTERN) == 0x0FF16903);
    CHECK(upd_crc32(UPD_CRC32_OTADATA_INIT, digits, 9) == 0xD202D277);
    CHECK(upd_crc32_mpeg2(UPD_CRC32_MPEG2_INIT, digits, 9) == 0x0376E6E7);
    CHECK(upd_crc32(UPD_CRC32_INIT, NULL, 0) == UPD_CRC32_INIT);
    CHECK(upd_crc32_mpeg2(UPD_CRC32_MPEG2_INIT, NULL, 0) == UPD_CRC32_MPEG2_INIT);
}

/* The zlib form beside the word that the SDK stores; the last two rows are where the sign changes.
 */
static const struct {
    const char *name;
    uint32_t crc, stored;
} nonos[] = {
    {"123456789", 0xCBF43926, 0x340BC6D9},
    {"user1 of 100 bytes", 0x66DFA407, 0x66DFA408},
    {"user2 of 100 bytes", 0x948D8A2C, 0x6B7275D3},
    {"AT user1.1024.new.2", 0x74A62BB3, 0x74A62BB4},
    {"AT user2.1024.new.2", 0x8F20514B, 0x70DFAEB4},
    {"smallest", 0xFFFFFFFF, 0x00000000},
    {"largest, not complemented", 0x7FFFFFFF, 0x80000000},
    {"largest, complemented", 0x80000000, 0x7FFFFFFF},
};

static void test_nonos_stores_the_absolute_value(void)
{
    for (size_t i = 0; i < sizeof nonos / sizeof nonos[0]; i++) {
        CHECK_THAT(nonos[i].name, upd_crc32_nonos(nonos[i].crc) == nonos[i].stored);
    }
}

/* The image of docs/formats/crc32.md, and the same for the other slot. */
static void test_nonos_over_a_whole_image(void)
{
    uint8_t image[100] = {
        0xEA, 0x04, 0x00, 0x01, 0x04, 0x00, 0x10, 0x40, 0x00, 0x00, 0x00, 0x00, 0x10, 0x00, 0x00,
        0x00, 0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0A, 0x0B, 0x0C, 0x0D,
        0x0E, 0x0F, 0xE9, 0x03, 0x00, 0x20, 0x04, 0x00, 0x10, 0x40, 0x00, 0x00, 0x10, 0x40, 0x08,
        0x00, 0x00, 0x00, 0xDE, 0xAD, 0xBE, 0xEF, 0x00, 0x11, 0x22, 0x33, 0x00, 0x80, 0xFE, 0x3F,
        0x04, 0x00, 0x00, 0x00, 'd',  'a',  't',  'a',  0x04, 0x80, 0xFE, 0x3F, 0x08, 0x00, 0x00,
        0x00, 'r',  'o',  'd',  'a',  't',  'a',  0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x00, 0x00, 0xD0, 0x08, 0xA4, 0xDF, 0x66,
    };

    CHECK(upd_crc32_nonos(upd_crc32(UPD_CRC32_INIT, image, 96)) == upd_get_le32(image + 96));
    image[3] = 2;
    CHECK(upd_crc32_nonos(upd_crc32(UPD_CRC32_INIT, image, 96)) == 0x6B7275D3);
}

static const struct {
    uint32_t sequence, crc;
} otadata[] = {
    {0, 0xFFFFFFFF}, {1, 0x4743989A}, {2, 0x55F63774}, {3, 0xED4A5011},          {4, 0x709D68A8},
    {5, 0xC8210FCD}, {6, 0xDA94A023}, {7, 0x6228C746}, {0xFFFFFFFE, 0x99F8B879},
};

static void test_otadata_sequences(void)
{
    for (size_t i = 0; i < sizeof otadata / sizeof otadata[0]; i++) {
        CHECK(upd_crc32_otadata(otadata[i].sequence) == otadata[i].crc);
    }
}

/* eboot's command block: 32 words, the last of which is the CRC of the others. */
static void test_eboot_commands(void)
{
    static const struct {
        uint32_t source, size, crc;
    } commands[] = {{0x1CF000, 0x30D40, 0x2271C2EA}, {0x100000, 0x50000, 0x0A5D70E6}};

    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        uint8_t block[124] = {0};

        upd_put_le32(block, 0xEB001000);
        upd_put_le32(block + 4, 1);
        upd_put_le32(block + 8, commands[i].source);
        upd_put_le32(block + 16, commands[i].size);
        CHECK(upd_crc32_mpeg2(UPD_CRC32_MPEG2_INIT, block, sizeof block) == commands[i].crc);
    }
}

static const struct {
    const char *name;
    uint32_t (*engine)(uint32_t reg, const uint8_t *data, uint32_t size);
    uint32_t (*by_bits)(uint32_t reg, const uint8_t *data, uint32_t size);
} engines[] = {
    {"small, low bit first", upd_crc32_small_lsb, lsb_by_bits},
    {"small, high bit first", upd_crc32_small_msb, msb_by_bits},
    {"fast, low bit first", upd_crc32_fast_lsb, lsb_by_bits},
    {"fast, high bit first", upd_crc32_fast_msb, msb_by_bits},
};

static void test_every_length_split_and_alignment(void)
{
    uint8_t pattern[PATTERN];

    make_pattern(pattern);
    for (size_t i = 0; i < sizeof engines / sizeof engines[0]; i++) {
        for (uint32_t size = 0; size <= PATTERN; size++) {
            uint32_t first = engines[i].engine(0x12345678, pattern, size);
            uint32_t last = engines[i].engine(first, pattern + size, PATTERN - size);

            CHECK_THAT(engines[i].name, first == engines[i].by_bits(0x12345678, pattern, size));
            CHECK_THAT(engines[i].name, last == engines[i].by_bits(0x12345678, pattern, PATTERN));
            CHECK_THAT(engines[i].name, engines[i].engine(0, pattern + size, PATTERN - size) ==
                                            engines[i].by_bits(0, pattern + size, PATTERN - size));
        }
    }
}

/* Every table entry is used: each byte value, at each of the eight places of a step. */
static void test_every_byte_at_every_place(void)
{
    for (size_t i = 0; i < sizeof engines / sizeof engines[0]; i++) {
        for (uint32_t value = 0; value < 256; value++) {
            uint8_t data[16] = {0};

            for (uint32_t at = 0; at < 8; at++) {
                data[at] = (uint8_t)value;
                CHECK_THAT(engines[i].name,
                           engines[i].engine(0, data, 16) == engines[i].by_bits(0, data, 16));
                data[at] = 0;
            }
        }
    }
}

int main(void)
{
    CHECK_RUN(test_check_values);
    CHECK_RUN(test_nonos_stores_the_absolute_value);
    CHECK_RUN(test_nonos_over_a_whole_image);
    CHECK_RUN(test_otadata_sequences);
    CHECK_RUN(test_eboot_commands);
    CHECK_RUN(test_every_length_split_and_alignment);
    CHECK_RUN(test_every_byte_at_every_place);
    check_end();
}
