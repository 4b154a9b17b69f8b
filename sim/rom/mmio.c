/*
 * The chip's registers at 0x60000000. An access raises an exception (rom.S), and rom_exception()
 * does the load or store here. A register without a meaning of its own keeps what was written to
 * it, as most do on the chip. The few registers at 0x3FF00000 share a protection region with the
 * chip's RAM and cannot be served this way: they read as 0.
 */
#include "rom.h"

#define RTC_MEMORY 0x60001100u /* 64 words of the SDK, 128 words of the user */
enum { RTC_WORDS = 192 };
#define UART0_FIFO 0x60000000u
#define UART0_STATUS 0x6000001Cu
#define GPIO_IN 0x60000318u
#define WATCHDOG_CONTROL 0x60000900u
#define WATCHDOG_FEED 0x60000914u
enum { WATCHDOG_ENABLED = 1, WATCHDOG_FOOD = 0x73 };
enum { STRAPPED_TO_FLASH = 3 };

static uint32_t rtc[RTC_WORDS];
static uint32_t pins;

/* Registers without a meaning of their own: address and value, in order of first use. */
static struct {
    uint32_t address, value;
} kept[128];
static uint32_t kept_count;

static struct {
    bool enabled;
    uint32_t last_fed; /* CPU cycles */
} watchdog;
/* About as many cycles as the chip's longest time-out has at 80 MHz; virtual time, not the host's.
 */
#define WATCHDOG_CYCLES 64000000u

static uint32_t cycles(void)
{
    uint32_t value;
    __asm__ volatile("rsr %0, ccount" : "=r"(value));
    return value;
}

void mmio_rtc(uint32_t keep, uint32_t seed)
{
    for (uint32_t i = 0; i < RTC_WORDS && keep != 1; i++) {
        seed = seed * 1664525 + 1013904223;
        rtc[i] = keep == 2 ? seed ^ seed >> 16 : 0;
    }
}

void mmio_power_on(void)
{
    pins = 0xFFFF;
    mmio_restart();
}

void mmio_restart(void)
{
    kept_count = 0;
    watchdog.enabled = false;
}

void mmio_pin(uint32_t pin, uint32_t level)
{
    pins = (pins & ~((uint32_t)1 << pin)) | level << pin;
}

bool mmio_watchdog_enabled(void)
{
    return watchdog.enabled;
}

bool mmio_watchdog_starving(void)
{
    return watchdog.enabled && cycles() - watchdog.last_fed > WATCHDOG_CYCLES;
}

static bool is_register(uint32_t address)
{
    return address >= 0x60000000 && address < 0x60002000;
}

static uint32_t *rtc_word(uint32_t address)
{
    uint32_t index = (address - RTC_MEMORY) / 4;
    return address >= RTC_MEMORY && index < RTC_WORDS ? &rtc[index] : NULL;
}

bool mmio_load(uint32_t address, uint32_t *value)
{
    if (!is_register(address)) {
        return false;
    }
    uint32_t *word = rtc_word(address);
    *value = 0;
    if (word != NULL) {
        *value = *word;
    } else if (address == GPIO_IN) {
        *value = pins | (uint32_t)STRAPPED_TO_FLASH << 16;
    } else if (address != UART0_STATUS) {
        for (uint32_t i = 0; i < kept_count; i++) {
            if (kept[i].address == address) {
                *value = kept[i].value;
            }
        }
    }
    return true;
}

bool mmio_store(uint32_t address, uint32_t value)
{
    if (!is_register(address)) {
        return false;
    }
    uint32_t *word = rtc_word(address);
    if (word != NULL) {
        *word = value;
        return true;
    }
    if (address == UART0_FIFO) {
        ets_printf("%c", (int)(value & 0xFF));
        return true;
    }
    if (address == WATCHDOG_CONTROL) {
        watchdog.enabled = (value & WATCHDOG_ENABLED) != 0;
        watchdog.last_fed = cycles();
    } else if (address == WATCHDOG_FEED && value == WATCHDOG_FOOD) {
        watchdog.last_fed = cycles();
    }
    for (uint32_t i = 0; i < kept_count; i++) {
        if (kept[i].address == address) {
            kept[i].value = value;
            return true;
        }
    }
    if (kept_count == sizeof kept / sizeof kept[0]) {
        machine_fail("more registers in use than", "mmio.c keeps");
    }
    kept[kept_count].address = address;
    kept[kept_count++].value = value;
    return true;
}
