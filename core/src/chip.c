#include <updraft/chip.h>

#include <stdbool.h>

const char *upd_chip_text(enum upd_chip chip)
{
    switch (chip) {
    case UPD_CHIP_NONE:
        break;
#define X(name, id, text)                                                                          \
    case UPD_CHIP_##name:                                                                          \
        return text;
        UPD_CHIPS(X)
#undef X
    }
    return "none";
}

static bool same(const char *one, const char *other)
{
    while (*one != '\0' && *one == *other) {
        one++;
        other++;
    }
    return *one == *other;
}

enum upd_chip upd_chip_find(const char *text)
{
#define X(name, id, chip_text)                                                                     \
    if (same(text, chip_text)) {                                                                   \
        return UPD_CHIP_##name;                                                                    \
    }
    UPD_CHIPS(X)
#undef X
    return UPD_CHIP_NONE;
}

uint32_t upd_chip_boot_offset(enum upd_chip chip)
{
    switch (chip) {
    case UPD_CHIP_ESP8266:
    case UPD_CHIP_ESP32S3:
    case UPD_CHIP_ESP32C2:
    case UPD_CHIP_ESP32C3:
    case UPD_CHIP_ESP32C6:
    case UPD_CHIP_ESP32C61:
    case UPD_CHIP_ESP32H2:
    case UPD_CHIP_ESP32H21:
    case UPD_CHIP_ESP32E22:
        return 0;
    case UPD_CHIP_ESP32:
    case UPD_CHIP_ESP32S2:
        return 0x1000;
    case UPD_CHIP_ESP32C5:
    case UPD_CHIP_ESP32P4:
    case UPD_CHIP_ESP32H4:
    case UPD_CHIP_ESP32S31:
        return 0x2000;
    case UPD_CHIP_NONE:
        break;
    }
    return 0xFFFFFFFF;
}
