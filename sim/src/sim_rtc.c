#include <updraft/sim_rtc.h>

#include <stdbool.h>
#include <string.h>

#include <updraft/sim_random.h>

void sim_rtc_power_on(struct sim_rtc *rtc, enum sim_rtc_fate fate, uint64_t seed)
{
    struct sim_random random = {seed};

    switch (fate) {
    case SIM_RTC_LOST:
        memset(rtc->bytes, 0, sizeof rtc->bytes);
        break;
    case SIM_RTC_GARBAGE:
        for (uint32_t i = 0; i < SIM_RTC_SIZE; i++) {
            rtc->bytes[i] = (uint8_t)sim_random_next(&random);
        }
        break;
    case SIM_RTC_DECAYED:
        /* An odd number of turns: where two meet in one bit, another one is left. */
        for (uint32_t i = 2 * sim_random_below(&random, 4) + 1; i > 0; i--) {
            uint32_t bit = sim_random_below(&random, 8 * SIM_RTC_SIZE);
            rtc->bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        break;
    case SIM_RTC_KEPT:
    case SIM_RTC_FATES:
        break;
    }
}

static bool inside(uint32_t block, uint32_t size)
{
    return block <= SIM_RTC_BLOCKS && size <= SIM_RTC_SIZE - block * SIM_RTC_BLOCK;
}

enum upd_err sim_rtc_read(const struct sim_rtc *rtc, uint32_t block, void *data, uint32_t size)
{
    if (!inside(block, size) || (data == NULL && size > 0)) {
        return UPD_E_ARG;
    }
    if (size > 0) {
        memcpy(data, rtc->bytes + block * SIM_RTC_BLOCK, size);
    }
    return UPD_OK;
}

enum upd_err sim_rtc_write(struct sim_rtc *rtc, uint32_t block, const void *data, uint32_t size)
{
    if (!inside(block, size) || (data == NULL && size > 0)) {
        return UPD_E_ARG;
    }
    if (size > 0) {
        memcpy(rtc->bytes + block * SIM_RTC_BLOCK, data, size);
    }
    return UPD_OK;
}
