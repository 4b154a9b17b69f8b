/*
 * Time of the chip: the CPU's cycle counter, plus what ets_delay_us() skips. A program that waits
 * costs the host nothing, and a year passes in seconds; two things take the host's time instead: a
 * run that was ordered `live`, and waiting while a connection of the radio is open, because its
 * other end lives in the host's time.
 */
#include "rom.h"

enum { CYCLES_PER_US = 40 }; /* of the emulator's lx106 */

static struct {
    uint64_t now_us;
    uint32_t cycles; /* the counter, when now_us was brought up to date */
    uint32_t rest;   /* cycles that are no whole microsecond yet */
} state;

static uint32_t cycles(void)
{
    uint32_t value;
    __asm__ volatile("rsr %0, ccount" : "=r"(value));
    return value;
}

/* The timer's interrupt asks for the time, too: one update at a time, or the older one sees the
 * counter run backwards, which is 107 seconds. */
static uint32_t lock(void)
{
    uint32_t ps;
    __asm__ volatile("rsil %0, 15" : "=r"(ps) : : "memory");
    return ps;
}

static void unlock(uint32_t ps)
{
    __asm__ volatile("wsr.ps %0\n\trsync" : : "r"(ps) : "memory");
}

void time_power_on(void)
{
    state.now_us = 0;
    state.cycles = cycles();
    state.rest = 0;
}

/* The counter wraps after 107 seconds; the timer's interrupt comes here much earlier. */
uint64_t time_us(void)
{
    uint32_t ps = lock();
    uint32_t now = cycles();
    uint32_t passed = now - state.cycles + state.rest;

    state.cycles = now;
    state.now_us += passed / CYCLES_PER_US;
    state.rest = passed % CYCLES_PER_US;
    uint64_t now_us = state.now_us;
    unlock(ps);
    return now_us;
}

void time_wait(uint32_t us, bool live)
{
    uint64_t end = time_us() + us;

    if (live) {
        host_sleep(us);
    } else if (radio_is_open()) {
        radio_wait(us);
    }
    uint32_t ps = lock();
    if (time_us() < end) {
        state.now_us = end;
    }
    unlock(ps);
}
