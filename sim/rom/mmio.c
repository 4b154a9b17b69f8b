/*
 * The chip's registers at 0x60000000 and 0x3FF00000. An access raises an exception (rom.S; nothing
 * is mapped at the latter), and rom_exception() does the load or store here. A register without a
 * meaning of its own keeps what was written to it, as most do on the chip.
 */
#include "rom.h"

#define MAC_LOW 0x3FF00050u  /* the MAC address: its last byte on top, */
#define MAC_HIGH 0x3FF00054u /* and the two before it */
#define MICROSECONDS 0x3FF20C00u
#define NOISE 0x3FF20E44u      /* another random word at each load */
#define RTC_MEMORY 0x60001100u /* 64 words of the SDK, 128 words of the user */
enum { RTC_WORDS = 192 };
#define UART0_FIFO 0x60000000u
#define UART0_STATUS 0x6000001Cu
#define GPIO_IN 0x60000318u
#define TIMER_LOAD 0x60000620u /* FRC2, which counts up */
#define TIMER_COUNT 0x60000624u
#define TIMER_CONTROL 0x60000628u
#define WATCHDOG_CONTROL 0x60000900u
#define WATCHDOG_FEED 0x60000914u
enum { WATCHDOG_ENABLED = 1, WATCHDOG_FOOD = 0x73 };
enum { STRAPPED_TO_FLASH = 3 };

static uint32_t rtc[RTC_WORDS];
static uint32_t pins;
static uint32_t id;                 /* the last three bytes of the MAC address */
static uint32_t noise = 0x2545F491; /* goes on over restarts; the same from run to run */

/* Levels that come later. */
static struct change {
    bool waits;
    uint32_t at_ms;
    uint32_t pin, level;
} changes[16];
enum { CHANGES = sizeof changes / sizeof changes[0] };

/* Registers without a meaning of their own: address and value, in order of first use. */
static struct {
    uint32_t address, value;
} kept[128];
static uint32_t kept_count;

static struct {
    bool enabled;
    uint64_t last_fed_us;
} watchdog;
#define WATCHDOG_US 1600000u /* of the chip's time, not the host's */

static struct {
    uint32_t start; /* count at start_us */
    uint64_t start_us;
} timer;
enum { BUS_CYCLES_PER_US = 80 };
static uint64_t restarted_us;

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
    for (uint32_t i = 0; i < CHANGES; i++) {
        changes[i].waits = false;
    }
    mmio_restart();
}

void mmio_restart(void)
{
    kept_count = 0;
    watchdog.enabled = false;
    timer.start = 0;
    timer.start_us = restarted_us = time_us();
}

void mmio_id(uint32_t number)
{
    id = number & 0xFFFFFF;
}

void mmio_pin(uint32_t pin, uint32_t level, uint32_t at_ms)
{
    for (uint32_t i = 0; i < CHANGES; i++) {
        if (!changes[i].waits) {
            changes[i] = (struct change){true, at_ms, pin, level};
            return;
        }
    }
    machine_fail("more changes of pins than", "mmio.c keeps");
}

/* Those that are due, the earliest first. */
static void change_pins(void)
{
    for (;;) {
        struct change *next = NULL;
        for (uint32_t i = 0; i < CHANGES; i++) {
            if (changes[i].waits && (uint64_t)changes[i].at_ms * 1000 <= time_us() &&
                (next == NULL || changes[i].at_ms < next->at_ms)) {
                next = &changes[i];
            }
        }
        if (next == NULL) {
            return;
        }
        next->waits = false;
        pins = (pins & ~((uint32_t)1 << next->pin)) | next->level << next->pin;
    }
}

bool mmio_watchdog_enabled(void)
{
    return watchdog.enabled;
}

bool mmio_watchdog_starving(void)
{
    return watchdog.enabled && time_us() - watchdog.last_fed_us > WATCHDOG_US;
}

static bool is_register(uint32_t address)
{
    return (address >= 0x60000000 && address < 0x60002000) ||
           (address >= 0x3FF00000 && address < 0x3FF80000);
}

static uint32_t *rtc_word(uint32_t address)
{
    uint32_t index = (address - RTC_MEMORY) / 4;
    return address >= RTC_MEMORY && index < RTC_WORDS ? &rtc[index] : NULL;
}

static uint32_t kept_value(uint32_t address)
{
    for (uint32_t i = 0; i < kept_count; i++) {
        if (kept[i].address == address) {
            return kept[i].value;
        }
    }
    return 0;
}

/* Bit 7 of the control register lets the timer run; bits 3:2 choose how the bus clock is divided.
 */
static uint32_t timer_count(void)
{
    static const uint8_t divisor_bits[] = {0, 4, 8, 8};
    uint32_t control = kept_value(TIMER_CONTROL);

    if ((control & 0x80) == 0) {
        return timer.start;
    }
    uint64_t bus_cycles = (time_us() - timer.start_us) * BUS_CYCLES_PER_US;
    return timer.start + (uint32_t)(bus_cycles >> divisor_bits[control >> 2 & 3]);
}

static uint32_t next_noise(void)
{
    noise ^= noise << 13;
    noise ^= noise >> 17;
    noise ^= noise << 5;
    return noise;
}

bool mmio_load(uint32_t address, uint32_t *value)
{
    if (!is_register(address)) {
        return false;
    }
    uint32_t *word = rtc_word(address);
    if (word != NULL) {
        *value = *word;
    } else if (address >= RADIO_REGISTERS && address - RADIO_REGISTERS < RADIO_REGISTERS_SIZE) {
        return radio_load(address - RADIO_REGISTERS, value);
    } else if (address == MAC_LOW) {
        *value = id << 24;
    } else if (address == MAC_HIGH) {
        *value = id >> 8;
    } else if (address == MICROSECONDS) {
        *value = (uint32_t)(time_us() - restarted_us);
    } else if (address == NOISE) {
        *value = next_noise();
    } else if (address == GPIO_IN) {
        change_pins();
        *value = pins | (uint32_t)STRAPPED_TO_FLASH << 16;
    } else if (address == TIMER_COUNT) {
        *value = timer_count();
    } else if (address == UART0_STATUS) {
        *value = 0; /* there is always room for a character */
    } else {
        *value = kept_value(address);
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
    if (address >= RADIO_REGISTERS && address - RADIO_REGISTERS < RADIO_REGISTERS_SIZE) {
        return radio_store(address - RADIO_REGISTERS, value);
    }
    if (address == UART0_FIFO) {
        ets_printf("%c", (int)(value & 0xFF));
        return true;
    }
    if (address == WATCHDOG_CONTROL) {
        watchdog.enabled = (value & WATCHDOG_ENABLED) != 0;
        watchdog.last_fed_us = time_us();
    } else if (address == WATCHDOG_FEED && value == WATCHDOG_FOOD) {
        watchdog.last_fed_us = time_us();
    } else if (address == TIMER_LOAD || address == TIMER_CONTROL) {
        timer.start = address == TIMER_LOAD ? value : timer_count();
        timer.start_us = time_us();
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
