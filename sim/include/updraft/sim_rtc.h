/*
 * updraft: the RTC memory of an ESP8266: RAM that outlives a reset, and sometimes a power cut.
 *
 * 768 bytes in 192 blocks of 4: blocks 0 to 63 belong to the system, 64 to 191 to the user. A
 * struct sim_rtc is copied by assignment, and that is its snapshot.
 */
#ifndef UPDRAFT_SIM_RTC_H
#define UPDRAFT_SIM_RTC_H

#include <stdint.h>

#include <updraft/err.h>

#define SIM_RTC_BLOCK 4
#define SIM_RTC_BLOCKS 192
#define SIM_RTC_USER_BLOCK 64
#define SIM_RTC_SIZE (SIM_RTC_BLOCK * SIM_RTC_BLOCKS)

struct sim_rtc {
    uint8_t bytes[SIM_RTC_SIZE];
};

/** What the memory holds when power comes back. */
enum sim_rtc_fate {
    SIM_RTC_KEPT,    /* what it held: a reset, or a cut too short to notice */
    SIM_RTC_LOST,    /* all 0 */
    SIM_RTC_GARBAGE, /* random */
    SIM_RTC_DECAYED, /* what it held, with one to seven random bits turned */
    SIM_RTC_FATES
};

/**
 * Start the chip. A new device starts with SIM_RTC_GARBAGE.
 *
 * @param seed  decides what is random
 */
void sim_rtc_power_on(struct sim_rtc *rtc, enum sim_rtc_fate fate, uint64_t seed);

/**
 * Read or write, as system_rtc_mem_read() and system_rtc_mem_write() do.
 *
 * @param block  first block, 0 to 191
 * @param data   `size` bytes, at any address; not NULL unless size is 0
 * @param size   bytes; a block that is taken in part is read or written in part
 *
 * @return UPD_OK
 * @return UPD_E_ARG  the range leaves the memory; nothing changed
 */
UPD_MUST_CHECK enum upd_err sim_rtc_read(const struct sim_rtc *rtc, uint32_t block, void *data,
                                         uint32_t size);
UPD_MUST_CHECK enum upd_err sim_rtc_write(struct sim_rtc *rtc, uint32_t block, const void *data,
                                          uint32_t size);

#endif
