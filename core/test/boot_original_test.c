/*
 * Goal: the original loaders are known to the last value. Method: all 65536 values of the two bytes
 * that decide, on all 16 map numbers, for each version, against the tables of
 * docs/formats/boot_original.md written as tables; every byte of the test pin; whole lives of a
 * device, from boot to boot.
 */
#include <updraft/boot_original.h>
#include <updraft/bytes.h>

#include "check.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const enum upd_boot_version versions[] = {UPD_BOOT_V1_2, UPD_BOOT_V1_4, UPD_BOOT_V1_6,
                                                 UPD_BOOT_V1_7};
static const char *const names[] = {"v1.2", "v1.4", "v1.6", "v1.7"};

/* user2 by map number; '4' 41000, '2' 21000, '8' 81000, '1' 101000, '-' not supported. */
static const char user2_of[4][17] = {"4288844444444444", "4288811444444444", "4288811444444444",
                                     "4488811-11444444"};

/* What B0 & 7 starts: 1 user1, 2 user2, e error. 3 and 7 never get here. */
static const char slot_of[4][9] = {"", "11e?12e?", "21e?12e?", "21e?12e?"};

static uint32_t user2_address(size_t v, uint32_t number)
{
    switch (user2_of[v][number]) {
    case '4':
        return 0x41000;
    case '2':
        return 0x21000;
    case '8':
        return 0x81000;
    case '1':
        return 0x101000;
    default:
        return 0;
    }
}

static const uint8_t tail[6] = {0x11, 0x22, 0x33, 0x44, 0x55, 0x66};

/* What must come out, in the words of the tables. */
struct outcome {
    char start; /* 0 nothing, 1, 2, t, p, b */
    uint32_t address;
    bool save;
    uint8_t block[UPD_BOOT_BLOCK_SIZE];
};

static void expect_v1_2(struct outcome *out, uint32_t b0, uint32_t b1, uint32_t user2)
{
    out->block[0] = (uint8_t)(b0 == 0xFF ? 0 : b0);
    out->block[1] = 2;
    out->save = b1 != 2;
    switch (out->block[0] % 16) {
    case 0:
        out->start = '1';
        out->address = 0x1000;
        break;
    case 1:
        out->start = '2';
        out->address = user2;
        break;
    default:
        break;
    }
}

static void expect_newer(struct outcome *out, size_t v, uint32_t user2)
{
    static const uint8_t own[4] = {2, 4, 6, 7};
    uint8_t *block = out->block;

    if ((block[1] & 31) != own[v] || (block[0] & 3) == 3) {
        memset(block, 0xFF, UPD_BOOT_BLOCK_SIZE);
        block[0] = 0xFC;
        block[1] = (uint8_t)(0xE0 + own[v]);
        out->save = true;
    }
    bool bit5 = block[1] / 32 % 2 != 0, bit6 = block[1] / 64 % 2 != 0, bit7 = block[1] >= 128;
    bool bit2 = block[0] / 4 % 2 != 0;

    if (!bit6 && bit5) {
        out->start = 't';
        out->address = 0x332211;
    } else if (!bit7) {
        out->start = bit2 ? 'p' : 'b';
        out->address = bit2 ? 0x665544 : 0x332211;
    } else if (slot_of[v][block[0] % 8] != 'e') {
        out->start = slot_of[v][block[0] % 8];
        out->address = out->start == '1' ? 0x1000 : user2;
    }
}

static void test_every_block_on_every_map(void)
{
    static const char letters[] = "012tpb";

    for (size_t v = 0; v < COUNT(versions); v++) {
        bool right = true;
        for (uint32_t i = 0; i < 0x100000; i++) {
            uint32_t b0 = i & 255, b1 = i >> 8 & 255, number = i >> 16;
            struct outcome out = {.start = '0', .block = {(uint8_t)b0, (uint8_t)b1}};
            struct upd_boot_decision decision;
            uint8_t block[UPD_BOOT_BLOCK_SIZE];

            memcpy(out.block + 2, tail, sizeof tail);
            memcpy(block, out.block, sizeof block);
            if (user2_of[v][number] != '-') {
                if (v == 0) {
                    expect_v1_2(&out, b0, b1, user2_address(v, number));
                } else {
                    expect_newer(&out, v, user2_address(v, number));
                }
            }
            upd_boot_original_decide(versions[v], number, block, false, &decision);
            right = right && letters[decision.start] == out.start &&
                    decision.address == out.address && decision.save == out.save &&
                    memcmp(decision.block, out.block, sizeof block) == 0;
        }
        CHECK_THAT(names[v], right);
    }
}

/* The chip as it is: v1.7 does not see what lies above 4 MB, and nobody else looks there. */
static void test_v1_7_is_blind_above_4_mb(void)
{
    static const uint8_t user2[UPD_BOOT_BLOCK_SIZE] = {0xFD, 0xE7, 0xFF, 0xFF,
                                                       0xFF, 0xFF, 0xFF, 0xFF};

    for (size_t v = 0; v < COUNT(versions); v++) {
        for (uint32_t number = 0; number < 16; number++) {
            struct upd_boot_decision blind, sees;

            upd_boot_original_decide(versions[v], number, user2, true, &blind);
            upd_boot_original_decide(versions[v], number, user2, false, &sees);
            if (versions[v] == UPD_BOOT_V1_7 && (number == 8 || number == 9)) {
                CHECK(blind.start == UPD_BOOT_START_USER1 && blind.address == 0x1000);
                CHECK(blind.reason == UPD_BOOT_REASON_BLIND && !blind.save);
                CHECK(sees.start == UPD_BOOT_START_USER2 && sees.address == 0x101000);
            } else {
                CHECK(blind.start == sees.start && blind.reason == sees.reason);
            }
        }
    }
}

/* Block, version, map: start and reason. */
static const struct {
    const char *name;
    enum upd_boot_version version;
    uint8_t map, b0, b1;
    enum upd_boot_start start;
    enum upd_boot_reason reason;
} reasons[] = {
    {"erased, v1.7", UPD_BOOT_V1_7, 2, 0xFF, 0xFF, UPD_BOOT_START_USER1, UPD_BOOT_REASON_FRESH},
    {"erased, v1.2", UPD_BOOT_V1_2, 2, 0xFF, 0xFF, UPD_BOOT_START_USER1, UPD_BOOT_REASON_FRESH},
    {"v1.6's", UPD_BOOT_V1_7, 2, 0xFD, 0xE6, UPD_BOOT_START_USER1, UPD_BOOT_REASON_FRESH},
    {"user1", UPD_BOOT_V1_6, 2, 0xFC, 0xE6, UPD_BOOT_START_USER1, UPD_BOOT_REASON_SELECTED},
    {"user2", UPD_BOOT_V1_4, 5, 0xFD, 0xE4, UPD_BOOT_START_USER2, UPD_BOOT_REASON_SELECTED},
    {"user2, v1.2", UPD_BOOT_V1_2, 2, 0x01, 0x02, UPD_BOOT_START_USER2, UPD_BOOT_REASON_SELECTED},
    {"FC after a newer loader", UPD_BOOT_V1_2, 2, 0xFC, 0xE7, UPD_BOOT_START_NOTHING,
     UPD_BOOT_REASON_BAD_INDEX},
    {"FD after a newer loader", UPD_BOOT_V1_2, 2, 0xFD, 0xE7, UPD_BOOT_START_NOTHING,
     UPD_BOOT_REASON_BAD_INDEX},
    {"user1 failed", UPD_BOOT_V1_6, 2, 0xF8, 0xE6, UPD_BOOT_START_USER2, UPD_BOOT_REASON_FELL_BACK},
    {"user1 failed, v1.4", UPD_BOOT_V1_4, 2, 0xF8, 0xE4, UPD_BOOT_START_USER1,
     UPD_BOOT_REASON_RETRY_BUG},
    {"user2 failed", UPD_BOOT_V1_7, 2, 0xF9, 0xE7, UPD_BOOT_START_USER1, UPD_BOOT_REASON_FELL_BACK},
    {"index 2", UPD_BOOT_V1_7, 2, 0xFE, 0xE7, UPD_BOOT_START_NOTHING, UPD_BOOT_REASON_BAD_INDEX},
    {"test", UPD_BOOT_V1_7, 2, 0xFC, 0xA7, UPD_BOOT_START_TEST, UPD_BOOT_REASON_TEST},
    {"test passed", UPD_BOOT_V1_7, 2, 0xFC, 0x87, UPD_BOOT_START_USER1, UPD_BOOT_REASON_SELECTED},
    {"enhanced", UPD_BOOT_V1_7, 2, 0xFC, 0x67, UPD_BOOT_START_PRIMARY, UPD_BOOT_REASON_ENHANCED},
    {"enhanced, failed", UPD_BOOT_V1_7, 2, 0xF8, 0x67, UPD_BOOT_START_BACKUP,
     UPD_BOOT_REASON_FELL_BACK},
    {"map 7", UPD_BOOT_V1_7, 7, 0xFC, 0xE7, UPD_BOOT_START_NOTHING, UPD_BOOT_REASON_BAD_MAP},
};

static void test_why(void)
{
    for (size_t i = 0; i < COUNT(reasons); i++) {
        struct upd_boot_decision decision;
        uint8_t block[UPD_BOOT_BLOCK_SIZE] = {reasons[i].b0, reasons[i].b1};

        upd_boot_original_decide(reasons[i].version, reasons[i].map, block, false, &decision);
        CHECK_THAT(reasons[i].name, decision.start == reasons[i].start);
        CHECK_THAT(reasons[i].name, decision.reason == reasons[i].reason);
    }
    const char *unknown = upd_boot_reason_text((enum upd_boot_reason)9);
    for (uint32_t i = 0; i < 9; i++) {
        CHECK(upd_boot_reason_text((enum upd_boot_reason)i) != unknown);
    }
    CHECK(unknown[0] == 'u');
}

/* The files that the fuzz target starts from: version, map, blind, block, RTC word. */
static void test_stored_blocks(void)
{
    static const struct {
        const char *path;
        enum upd_boot_start start;
        uint32_t address;
    } files[] = {
        {UPD_VECTORS "/boot_original/user2.bin", UPD_BOOT_START_USER2, 0x81000},
        {UPD_VECTORS "/boot_original/enhanced.bin", UPD_BOOT_START_PRIMARY, 0x100000},
    };

    for (size_t i = 0; i < COUNT(files); i++) {
        uint8_t bytes[16];
        struct upd_boot_decision decision;

        CHECK_THAT(files[i].path, check_load(files[i].path, bytes, sizeof bytes) == 15);
        upd_boot_original_decide((enum upd_boot_version)bytes[0], bytes[1], bytes + 3,
                                 bytes[2] != 0, &decision);
        CHECK_THAT(files[i].path, decision.start == files[i].start);
        CHECK_THAT(files[i].path, decision.address == files[i].address && !decision.save);
    }
}

/* A slot that upd_boot_block_select() sets is the one that starts, and nothing is set up anew. */
static void test_a_selected_slot_starts(void)
{
    for (size_t v = 0; v < COUNT(versions); v++) {
        bool right = true;
        for (uint32_t i = 0; i < 0x20000; i++) {
            enum upd_slot slot = i >> 16 != 0 ? UPD_SLOT_USER2 : UPD_SLOT_USER1;
            uint8_t block[UPD_BOOT_BLOCK_SIZE] = {(uint8_t)i, (uint8_t)(i >> 8)};
            struct upd_boot_decision decision;

            right = right && upd_boot_block_select(block, (uint8_t)versions[v], slot) == UPD_OK;
            upd_boot_original_decide(versions[v], 6, block, false, &decision);
            right = right && !decision.save && decision.reason == UPD_BOOT_REASON_SELECTED;
            right = right && decision.start == (slot == UPD_SLOT_USER2 ? UPD_BOOT_START_USER2
                                                                       : UPD_BOOT_START_USER1);
            right = right && upd_sdk_userbin_check(block) == slot;
        }
        CHECK_THAT(names[v], right);
    }
}

static void test_the_test_pin(void)
{
    for (uint32_t byte = 0; byte < 256; byte++) {
        int pin = byte >= 0xA0 && byte <= 0xAF ? (int)byte - 0xA0 : UPD_BOOT_PIN_WRONG;

        CHECK(upd_boot_original_pin(UPD_BOOT_V1_2, (uint8_t)byte) == UPD_BOOT_PIN_OFF);
        CHECK(upd_boot_original_pin(UPD_BOOT_V1_4, (uint8_t)byte) == UPD_BOOT_PIN_OFF);
        CHECK(upd_boot_original_pin(UPD_BOOT_V1_6, (uint8_t)byte) ==
              (byte == 0 ? UPD_BOOT_PIN_OFF : pin));
        CHECK(upd_boot_original_pin(UPD_BOOT_V1_7, (uint8_t)byte) ==
              (byte == 0 || byte == 255 ? UPD_BOOT_PIN_OFF : pin));
    }
}

/* Power-up with both images bad: what starts at each boot, until nothing does. */
static void live(enum upd_boot_version version, uint8_t b0, uint8_t b1, const char *starts,
                 const char *name)
{
    static const char letters[] = "012tpb";
    uint8_t block[UPD_BOOT_BLOCK_SIZE] = {b0, b1, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66};
    uint32_t rtc = 0xDEAD0003;

    for (const char *expected = starts; *expected != '\0'; expected++) {
        struct upd_boot_decision decision;
        struct upd_boot_failure failure;

        upd_boot_original_decide(version, 2, block, true, &decision);
        CHECK_THAT(name, letters[decision.start] == *expected);
        upd_boot_original_failed(version, &decision, rtc, &failure);
        CHECK_THAT(name, failure.reset == (expected[1] != '\0'));
        CHECK_THAT(name, !failure.save || failure.reset);
        if (decision.save) {
            memcpy(block, decision.block, sizeof block);
        }
        if (failure.save) {
            memcpy(block, failure.block, sizeof block);
        } else {
            CHECK_THAT(name, memcmp(failure.block, decision.block, sizeof block) == 0);
        }
        rtc = failure.rtc;
    }
}

static void test_lives_of_a_device_with_bad_images(void)
{
    live(UPD_BOOT_V1_2, 0x00, 0x02, "1", "v1.2 does not fall back");
    live(UPD_BOOT_V1_4, 0xFC, 0xE4, "11", "v1.4 takes user1 for its own backup");
    live(UPD_BOOT_V1_4, 0xFD, 0xE4, "21", "v1.4 from user2");
    live(UPD_BOOT_V1_6, 0xFC, 0xE6, "12", "v1.6 from user1");
    live(UPD_BOOT_V1_6, 0xFF, 0xFF, "12", "v1.6 from an erased block");
    live(UPD_BOOT_V1_6, 0xFD, 0xE6, "21", "v1.6 from user2");
    live(UPD_BOOT_V1_6, 0xF9, 0xE6, "1", "v1.6 from the backup");
    live(UPD_BOOT_V1_6, 0xFC, 0x66, "pb", "v1.6 enhanced");
    live(UPD_BOOT_V1_6, 0xFC, 0xA6, "t", "v1.6 test");
    live(UPD_BOOT_V1_6, 0xFE, 0xE6, "0", "v1.6 bad index");
    live(UPD_BOOT_V1_7, 0xFD, 0xE7, "22221111", "v1.7 tries each four times");
    live(UPD_BOOT_V1_7, 0xFC, 0xE7, "11112222", "v1.7 from user1");
    live(UPD_BOOT_V1_7, 0xFC, 0x67, "ppppbbbb", "v1.7 enhanced");
    live(UPD_BOOT_V1_7, 0xFC, 0xA7, "t", "v1.7 test");
}

static const struct {
    uint32_t rtc;
    uint8_t b0;
    bool reset, save;
    uint8_t b0_after;
    uint32_t rtc_after;
} counters[] = {
    {0x00000000, 0xFD, true, false, 0xFD, 0x5A5A5A01},
    {0x12345678, 0xF9, true, false, 0xF9, 0x5A5A5A01},
    {0x5A5A5A00, 0xFD, true, false, 0xFD, 0x5A5A5A01},
    {0x5A5A5A02, 0xFD, true, false, 0xFD, 0x5A5A5A03},
    {0x5A5A5A03, 0xFD, true, true, 0xF9, 0x12345678},
    {0x5A5A5A03, 0xF9, false, false, 0xF9, 0x5A5A5A03},
    {0x5A5A5AFF, 0xFD, true, true, 0xF9, 0x12345678},
    {0x5A5A5B03, 0xFD, true, true, 0xF9, 0x12345678}, /* the mark is bits, not a value */
    {0xFFFFFF02, 0xFD, true, false, 0xFD, 0x5A5A5A03},
    {0x5A5A4A03, 0xFD, true, false, 0xFD, 0x5A5A5A01},
    {0x1A5A5A03, 0xFD, true, false, 0xFD, 0x5A5A5A01},
};

static void test_the_counter_of_v1_7(void)
{
    for (size_t i = 0; i < COUNT(counters); i++) {
        uint8_t block[UPD_BOOT_BLOCK_SIZE] = {counters[i].b0, 0xE7};
        struct upd_boot_decision decision;
        struct upd_boot_failure failure;

        upd_boot_original_decide(UPD_BOOT_V1_7, 2, block, false, &decision);
        upd_boot_original_failed(UPD_BOOT_V1_7, &decision, counters[i].rtc, &failure);
        CHECK(failure.reset == counters[i].reset && failure.save == counters[i].save);
        CHECK(failure.block[0] == counters[i].b0_after && failure.block[1] == 0xE7);
        CHECK(failure.rtc == counters[i].rtc_after);

        /* The others leave the word alone. */
        block[1] = 0xE6;
        upd_boot_original_decide(UPD_BOOT_V1_6, 2, block, false, &decision);
        upd_boot_original_failed(UPD_BOOT_V1_6, &decision, counters[i].rtc, &failure);
        CHECK(failure.rtc == counters[i].rtc);
    }
}

int main(void)
{
    CHECK_RUN(test_every_block_on_every_map);
    CHECK_RUN(test_v1_7_is_blind_above_4_mb);
    CHECK_RUN(test_why);
    CHECK_RUN(test_stored_blocks);
    CHECK_RUN(test_a_selected_slot_starts);
    CHECK_RUN(test_the_test_pin);
    CHECK_RUN(test_lives_of_a_device_with_bad_images);
    CHECK_RUN(test_the_counter_of_v1_7);
    check_end();
}
