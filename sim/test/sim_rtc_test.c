/* Goal: RTC memory is read and written in its blocks and nowhere else, and each fate at power-on
 * leaves what it is named for, the same for the same seed. */
#include <updraft/sim_rtc.h>

#include <string.h>

#include "check.h"

static const struct {
    const char *name;
    uint32_t block, size;
    enum upd_err err;
} ranges[] = {
    {"all of it", 0, 768, UPD_OK},
    {"the user's part", SIM_RTC_USER_BLOCK, 512, UPD_OK},
    {"part of the last block", 191, 3, UPD_OK},
    {"nothing, at the end", 192, 0, UPD_OK},
    {"one byte too long", 0, 769, UPD_E_ARG},
    {"past the last block", 191, 5, UPD_E_ARG},
    {"behind the end", 192, 1, UPD_E_ARG},
    {"nothing, behind the end", 193, 0, UPD_E_ARG},
    {"a block that wraps around", UINT32_MAX / 4 + 2, 4, UPD_E_ARG},
    {"a size that wraps around", 64, UINT32_MAX, UPD_E_ARG},
};

static void test_accesses_stay_inside(void)
{
    for (uint32_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        struct sim_rtc rtc, expected;
        uint8_t data[SIM_RTC_SIZE], back[SIM_RTC_SIZE];
        bool fits = ranges[i].err == UPD_OK;
        sim_rtc_power_on(&rtc, SIM_RTC_GARBAGE, i);
        memset(data, 0x5A, sizeof data);
        expected = rtc;
        if (fits) {
            memcpy(expected.bytes + ranges[i].block * 4, data, ranges[i].size);
        }
        CHECK_THAT(ranges[i].name,
                   sim_rtc_write(&rtc, ranges[i].block, data, ranges[i].size) == ranges[i].err);
        CHECK_THAT(ranges[i].name, memcmp(&rtc, &expected, sizeof rtc) == 0);
        memset(back, 0, sizeof back);
        CHECK_THAT(ranges[i].name,
                   sim_rtc_read(&rtc, ranges[i].block, back, ranges[i].size) == ranges[i].err);
        CHECK_THAT(ranges[i].name, memcmp(back, data, fits ? ranges[i].size : 0) == 0);
        CHECK_THAT(ranges[i].name, fits ? ranges[i].size == 768 || back[767] == 0 : back[0] == 0);
    }
}

static void test_data_is_needed_unless_there_is_none(void)
{
    struct sim_rtc rtc;

    sim_rtc_power_on(&rtc, SIM_RTC_LOST, 0);
    CHECK(sim_rtc_read(&rtc, 0, NULL, 4) == UPD_E_ARG);
    CHECK(sim_rtc_write(&rtc, 0, NULL, 4) == UPD_E_ARG);
    CHECK(sim_rtc_read(&rtc, 0, NULL, 0) == UPD_OK && sim_rtc_write(&rtc, 0, NULL, 0) == UPD_OK);
}

static uint32_t turned_bits(const struct sim_rtc *one, const struct sim_rtc *other)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < 8 * SIM_RTC_SIZE; i++) {
        count += (one->bytes[i / 8] ^ other->bytes[i / 8]) >> i % 8 & 1;
    }
    return count;
}

static void test_each_fate_leaves_what_it_is_named_for(void)
{
    static const struct sim_rtc zeros;
    uint32_t most = 0;

    for (uint64_t seed = 0; seed < 1000; seed++) {
        struct sim_rtc start, kept, lost, garbage, decayed, again;
        sim_rtc_power_on(&start, SIM_RTC_GARBAGE, seed);
        kept = lost = garbage = decayed = again = start;
        sim_rtc_power_on(&kept, SIM_RTC_KEPT, seed);
        CHECK(memcmp(&kept, &start, sizeof kept) == 0);
        sim_rtc_power_on(&lost, SIM_RTC_LOST, seed);
        CHECK(memcmp(&lost, &zeros, sizeof lost) == 0);
        sim_rtc_power_on(&garbage, SIM_RTC_GARBAGE, seed + 1);
        CHECK(turned_bits(&garbage, &start) > 2000);
        sim_rtc_power_on(&decayed, SIM_RTC_DECAYED, seed);
        uint32_t turned = turned_bits(&decayed, &start);
        CHECK(turned >= 1 && turned <= 7);
        most = turned > most ? turned : most;
        sim_rtc_power_on(&again, SIM_RTC_DECAYED, seed);
        CHECK(memcmp(&again, &decayed, sizeof again) == 0);
    }
    CHECK(most == 7);
}

int main(void)
{
    CHECK_RUN(test_accesses_stay_inside);
    CHECK_RUN(test_data_is_needed_unless_there_is_none);
    CHECK_RUN(test_each_fate_leaves_what_it_is_named_for);
    check_end();
}
