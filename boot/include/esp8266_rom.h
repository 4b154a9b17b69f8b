/*
 * The ESP8266's mask ROM, as far as the boot loader uses it; rom_calls.S has the addresses.
 * Functions of the flash return 0 when they did it, 1 for an error, 2 for a time-out; addresses of
 * flash and RAM, and sizes, are multiples of 4.
 */
#ifndef UPDRAFT_ESP8266_ROM_H
#define UPDRAFT_ESP8266_ROM_H

#include <stdint.h>

int SPIRead(uint32_t address, void *data, uint32_t size);
int SPIWrite(uint32_t address, const void *data, uint32_t size);
int SPIEraseSector(uint32_t sector_number);
int ets_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
/** The levels of GPIO 0 to 15. */
uint32_t gpio_input_get(void);

/** Parameters of the flash chip as the ROM believes them: accesses beyond chip_size fail. */
struct rom_flashchip {
    uint32_t device_id, chip_size, block_size, sector_size, page_size, status_mask;
};
#define flashchip (*(struct rom_flashchip **)0x3FFFC714)

#endif
