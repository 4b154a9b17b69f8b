/*
 * The boot loader's view of a user image: verify all of it in flash, then load its RAM segments.
 *
 * Only the SDK's images with an appended CRC-32 are accepted (docs/formats/image.md, ESP8266 v2):
 * nothing else protects the part that runs from flash.
 */
#ifndef BOOT_NONOS_IMAGE_H
#define BOOT_NONOS_IMAGE_H

#include <stdint.h>

/*
 * RAM that an image may fill. The loader's code is above the code window and its data above the
 * data window (nonos.ld), so that loading cannot touch the loader.
 */
#define BOOT_CODE_FIRST 0x40100000u
#define BOOT_CODE_SIZE 0xE000u
#define BOOT_DATA_FIRST 0x3FFE8000u
#define BOOT_DATA_SIZE 0x12000u

/** Bytes of flash read at a time; one sector, because the loader also copies sectors with it. */
#define BOOT_BUFFER_SIZE 4096u

/**
 * A place in an image, and what was found up to there. `room` counts down, so that no length in
 * the image leads out of the slot; what is wrong stays in `wrong`, and is asked at the end. It is
 * kept twice: an instruction that is skipped, by a glitch of the supply, spoils one of them.
 */
struct boot_image {
    uint32_t at; /* flash address */
    uint32_t room;
    uint32_t crc;
    uint32_t wrong[2]; /* 0: nothing */
};

/**
 * Verify an image: headers, segments within RAM, entry in one of them, XOR checksum, CRC-32 over
 * all.
 *
 * @param image    `at` and `room` say where it is and how many bytes it may take; afterwards what
 *                 boot_image_load() needs
 * @param buffer   BOOT_BUFFER_SIZE bytes, overwritten
 *
 * @return true when it is good. No RAM but the buffer was touched
 *
 * Cost: reads each byte of the image once.
 */
uint32_t boot_image_verify(struct boot_image *image, uint32_t *buffer);

/**
 * Load the RAM segments of a verified image; checksum and CRC are computed again, from what is in
 * RAM now.
 *
 * @return the entry address; 0 when what was loaded is not what was verified
 */
uint32_t boot_image_load(const struct boot_image *image, uint32_t *buffer);

#endif
