/*
 * updraft's flash port for an ESP8266 without SDK, over the mask ROM's SPI functions. While they
 * use the flash, its window is shut: all of the port runs from RAM.
 */
#ifndef CLOCK_CHIP_FLASH_H
#define CLOCK_CHIP_FLASH_H

#include <updraft/flash.h>

struct chip_flash {
    struct upd_flash flash; /* hand this to the library */
    uint8_t megabyte;       /* of flash, that the window shows */
};

/** Open the window on a megabyte of flash. */
void chip_flash_open_window(uint8_t megabyte);

/** Byte 3 of flash, which tells the map, as the boot loader was flashed. The window must be shut.
 */
uint8_t chip_flash_setting(void);

/**
 * Fill in the port.
 *
 * @param port      out; must stay where it is while the flash is used
 * @param size      bytes of the chip
 * @param megabyte  that the window shows
 */
void chip_flash_init(struct chip_flash *port, uint32_t size, uint8_t megabyte);

#endif
