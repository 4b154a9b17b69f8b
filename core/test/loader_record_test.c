/* Goal: a chip without updraft's loader is never taken for one with it.
 * Method: the record's bytes by hand, every change of one or two bits, and the bytes that the
 * original loaders have in its place. */
#include <updraft/loader_record.h>

#include <updraft/bytes.h>
#include <updraft/crc32.h>

#include "check.h"

enum { SIZE = UPD_LOADER_RECORD_SIZE };

static void test_a_record_has_the_bytes_of_the_format_page(void)
{
    static const struct upd_loader_record record = {
        .version = 3, .counts = true, .installs = false, .journal = 0x3FA000};
    uint8_t bytes[SIZE];

    upd_loader_record_encode(&record, bytes);
    CHECK(memcmp(bytes, "UPDL\x03\xFE\xFF\xFF\x00\xA0\x3F\x00", 12) == 0);
    CHECK(upd_get_le32(&bytes[12]) == upd_crc32(UPD_CRC32_INIT, bytes, 12));
}

static void test_a_record_comes_back_as_it_was(void)
{
    for (uint32_t flags = 0; flags < 4; flags++) {
        struct upd_loader_record in = {.version = 1,
                                       .counts = (flags & 1) != 0,
                                       .installs = (flags & 2) != 0,
                                       .journal = UPD_LOADER_NO_JOURNAL};
        struct upd_loader_record out;
        uint8_t bytes[SIZE];
        upd_loader_record_encode(&in, bytes);
        CHECK(upd_loader_record_decode(bytes, &out) == UPD_OK);
        CHECK(out.version == 1 && out.counts == in.counts && out.installs == in.installs);
        CHECK(out.journal == UPD_LOADER_NO_JOURNAL);
    }
}

static void check_absent(const char *name, const uint8_t bytes[SIZE])
{
    struct upd_loader_record out = {.version = 9, .counts = true, .installs = true};

    CHECK_THAT(name, upd_loader_record_decode(bytes, &out) == UPD_E_NOT_FOUND);
    CHECK_THAT(name, out.version == 0 && !out.counts && !out.installs);
    CHECK_THAT(name, out.journal == UPD_LOADER_NO_JOURNAL);
}

static void test_what_original_loaders_leave_is_no_record(void)
{
    static const uint8_t fills[] = {0xFF, 0xAA, 0x00};

    for (size_t i = 0; i < sizeof fills; i++) {
        uint8_t bytes[SIZE];
        memset(bytes, fills[i], SIZE);
        check_absent("one byte repeated", bytes);
    }
}

static void test_no_change_of_one_or_two_bits_leaves_a_record(void)
{
    static const struct upd_loader_record record = {.version = 1, .counts = true};
    uint8_t bytes[SIZE];

    upd_loader_record_encode(&record, bytes);
    for (uint32_t one = 0; one < SIZE * 8; one++) {
        bytes[one / 8] ^= (uint8_t)(1u << one % 8);
        check_absent("one bit", bytes);
        for (uint32_t other = 0; other < one; other++) {
            bytes[other / 8] ^= (uint8_t)(1u << other % 8);
            check_absent("two bits", bytes);
            bytes[other / 8] ^= (uint8_t)(1u << other % 8);
        }
        bytes[one / 8] ^= (uint8_t)(1u << one % 8);
    }
}

int main(void)
{
    CHECK_RUN(test_a_record_has_the_bytes_of_the_format_page);
    CHECK_RUN(test_a_record_comes_back_as_it_was);
    CHECK_RUN(test_what_original_loaders_leave_is_no_record);
    CHECK_RUN(test_no_change_of_one_or_two_bits_leaves_a_record);
    check_end();
}
