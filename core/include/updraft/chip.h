/* updraft: the chips that firmware is made for. */
#ifndef UPDRAFT_CHIP_H
#define UPDRAFT_CHIP_H

#include <stdint.h>

/*
 * X(name, image id, text). The id is what bytes 12 and 13 of an image of the ESP32 family say; the
 * ESP8266 has none. Values of the enumerators may change; texts do not: they are the names in the
 * API and on the command line.
 */
#define UPD_CHIPS(X)                                                                               \
    X(ESP8266, 0xFFFF, "esp8266")                                                                  \
    X(ESP32, 0, "esp32")                                                                           \
    X(ESP32S2, 2, "esp32s2")                                                                       \
    X(ESP32C3, 5, "esp32c3")                                                                       \
    X(ESP32S3, 9, "esp32s3")                                                                       \
    X(ESP32C2, 12, "esp32c2")                                                                      \
    X(ESP32C6, 13, "esp32c6")                                                                      \
    X(ESP32H2, 16, "esp32h2")                                                                      \
    X(ESP32P4, 18, "esp32p4")                                                                      \
    X(ESP32C61, 20, "esp32c61")                                                                    \
    X(ESP32C5, 23, "esp32c5")                                                                      \
    X(ESP32H21, 25, "esp32h21")                                                                    \
    X(ESP32H4, 28, "esp32h4")                                                                      \
    X(ESP32E22, 31, "esp32e22")                                                                    \
    X(ESP32S31, 32, "esp32s31")

enum upd_chip {
    UPD_CHIP_NONE, /* not known, or not asked: the function says which */
#define X(name, id, text) UPD_CHIP_##name,
    UPD_CHIPS(X)
#undef X
};

/** The name of a chip, as "esp32c3"; "none" for UPD_CHIP_NONE and any other value. Never NULL. */
const char *upd_chip_text(enum upd_chip chip);

/** The chip of a name, as "esp32c3", letter by letter; UPD_CHIP_NONE when there is none. */
enum upd_chip upd_chip_find(const char *text);

/**
 * Where the chip's ROM looks for the boot loader.
 *
 * @return flash offset, bytes; 0xFFFFFFFF for UPD_CHIP_NONE and any other value
 */
uint32_t upd_chip_boot_offset(enum upd_chip chip);

#endif
