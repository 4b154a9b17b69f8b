#include "chip.h"

#include "text.h"

#define FRC2_LOAD 0x60000620u
#define FRC2_COUNT 0x60000624u
#define FRC2_CONTROL 0x60000628u
enum { FRC2_ON = 0x80, FRC2_BY_256 = 0x08 };
#define GPIO_IN 0x60000318u
#define MAC_LOW 0x3FF00050u
#define MAC_HIGH 0x3FF00054u
#define MAC_VENDOR 0x3FF0005Cu
/* In the user's half; in front of it the SDK and boot loaders of Arduino leave their notes. */
#define KEPT_TIME 0x60001300u
#define KEPT_MAGIC 0x636C6F63u

void chip_start_time(struct chip_time *time)
{
    *chip_register(FRC2_CONTROL) = FRC2_ON | FRC2_BY_256;
    *chip_register(FRC2_LOAD) = 0;
    *time = (struct chip_time){.last_ticks = *chip_register(FRC2_COUNT)};
}

uint32_t chip_time_ms(struct chip_time *time)
{
    uint32_t ticks = *chip_register(FRC2_COUNT);

    /* A tick is 3.2 us: 2 of 625 parts of a millisecond. */
    time->rest += 2 * (ticks - time->last_ticks);
    time->last_ticks = ticks;
    time->ms += time->rest / 625;
    time->rest %= 625;
    return time->ms;
}

bool chip_button_is_pressed(void)
{
    return (*chip_register(GPIO_IN) & 1) == 0;
}

uint32_t chip_id(void)
{
    return (*chip_register(MAC_HIGH) & 0xFFFF) << 8 | *chip_register(MAC_LOW) >> 24;
}

/* The first half says which series the chip is of; from the third on it is stored. */
static uint32_t vendor(void)
{
    static const uint32_t vendors[] = {0x18FE34, 0xACD074};
    const uint32_t series = *chip_register(MAC_HIGH) >> 16 & 0xFF;

    return series < sizeof vendors / sizeof vendors[0] ? vendors[series]
                                                       : *chip_register(MAC_VENDOR) & 0xFFFFFF;
}

void chip_mac(char text[CHIP_MAC_SIZE])
{
    const uint32_t halves[] = {vendor(), chip_id()};
    struct text mac = text_on(text, CHIP_MAC_SIZE);

    for (uint32_t i = 0; i < 6; i++) {
        text_add(&mac, i > 0 ? ":" : "");
        text_hex(&mac, halves[i / 3] >> (16 - 8 * (i % 3)), 2);
    }
}

void chip_keep_time(uint32_t unix_s)
{
    *chip_register(KEPT_TIME) = KEPT_MAGIC;
    *chip_register(KEPT_TIME + 4) = unix_s;
    *chip_register(KEPT_TIME + 8) = ~unix_s;
}

uint32_t chip_kept_time(void)
{
    uint32_t unix_s = *chip_register(KEPT_TIME + 4);

    return rtc_get_reset_reason() != RESET_POWER && *chip_register(KEPT_TIME) == KEPT_MAGIC &&
                   *chip_register(KEPT_TIME + 8) == ~unix_s
               ? unix_s
               : 0;
}
