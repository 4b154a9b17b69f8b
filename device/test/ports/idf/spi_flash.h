/* Of the RTOS SDK. */
#ifndef SPI_FLASH_H
#define SPI_FLASH_H

#include <esp_err.h>

esp_err_t spi_flash_erase_sector(size_t sector);
esp_err_t spi_flash_write(size_t dest_addr, const void *src, size_t size);
esp_err_t spi_flash_read(size_t src_addr, void *dest, size_t size);

#endif
