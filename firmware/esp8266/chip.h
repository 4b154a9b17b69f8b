/*
 * What the clock needs of an ESP8266 beside its flash: functions of the mask ROM and registers, at
 * their addresses. The sources of the addresses: the SDK's eagle.rom.addr.v6.ld and eagle_soc.h.
 */
#ifndef CLOCK_CHIP_H
#define CLOCK_CHIP_H

#include <stdbool.h>
#include <stdint.h>

/* --- Mask ROM; its SPI functions answer 0 when all is well --- */

int ets_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
void ets_delay_us(uint32_t us);
uint32_t rtc_get_reset_reason(void);
_Noreturn void software_reset(void);
int SPIRead(uint32_t address, void *data, uint32_t size);
int SPIWrite(uint32_t address, const void *data, uint32_t size);
int SPIEraseSector(uint32_t sector);
int SPIUnlock(void);
int SPIParamCfg(uint32_t device_id, uint32_t chip_size, uint32_t block_size, uint32_t sector_size,
                uint32_t page_size, uint32_t status_mask);
void Cache_Read_Enable(uint8_t odd_even, uint8_t mb_pair, uint8_t cache_size);
void Cache_Read_Disable(void);
void *memcpy(void *restrict target, const void *restrict source, __SIZE_TYPE__ size);
void *memset(void *target, int value, __SIZE_TYPE__ size);

enum { RESET_POWER = 1 }; /* of rtc_get_reset_reason() */

/** For code that runs while the flash window is shut. Everything else runs from the window. */
#define IN_RAM __attribute__((section(".iram.text"), noinline))

/** The register at an address. */
static inline volatile uint32_t *chip_register(uint32_t address)
{
    return (volatile uint32_t *)(uintptr_t)address;
}

/* --- Watchdog: bites after 1.6 seconds without food, with a reset of the chip --- */

static inline void chip_feed_watchdog(void)
{
    *chip_register(0x60000914) = 0x73;
}

static inline void chip_start_watchdog(void)
{
    const uint32_t milliseconds_log2 = 11; /* of 0.8 each */

    *chip_register(0x60000900) = 0;
    *chip_register(0x60000904) = milliseconds_log2;
    *chip_register(0x60000908) = milliseconds_log2;
    *chip_register(0x60000900) = 7 << 3 | 2 << 1 | 1; /* longest reset pulse, reset, on */
    chip_feed_watchdog();
}

/* --- Timer FRC2, which counts up, 312,500 times a second --- */

struct chip_time {
    uint32_t last_ticks;
    uint32_t rest; /* of 625 parts of a millisecond */
    uint32_t ms;
};

/** Start the timer, at 0 ms. */
void chip_start_time(struct chip_time *time);
/** Milliseconds since then; wraps. To be called every two hours at least. */
uint32_t chip_time_ms(struct chip_time *time);

/** True while the button between GPIO0 and ground is pressed. */
bool chip_button_is_pressed(void);

/** The chip's number, 24 bits of its MAC address. */
uint32_t chip_id(void);

enum { CHIP_MAC_SIZE = 18 };
/** The chip's MAC address, as text: "18:FE:34:C1:0C:33". */
void chip_mac(char text[CHIP_MAC_SIZE]);

/** 32 bits from the chip's noise. */
static inline uint32_t chip_random(void)
{
    return *chip_register(0x3FF20E44);
}

/* --- RTC memory: kept over restarts, not over power cuts --- */

/** Keep the time of day. */
void chip_keep_time(uint32_t unix_s);
/** The time of day before the restart; 0 when not known. */
uint32_t chip_kept_time(void);

#endif
