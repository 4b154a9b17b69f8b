/* ESP-IDF's and the RTOS SDK's error codes, as far as their OTA functions return them. */
#ifndef ESP_ERR_H
#define ESP_ERR_H

#include <stdint.h>

typedef int32_t esp_err_t;

#define ESP_OK 0
#define ESP_FAIL (-1)
#define ESP_ERR_NO_MEM 0x101
#define ESP_ERR_INVALID_ARG 0x102
#define ESP_ERR_INVALID_STATE 0x103
#define ESP_ERR_INVALID_SIZE 0x104
#define ESP_ERR_NOT_FOUND 0x105
#define ESP_ERR_NOT_SUPPORTED 0x106
#define ESP_ERR_INVALID_VERSION 0x10A
#define ESP_ERR_NOT_ALLOWED 0x10D
/* ESP-IDF from 4.0 on; the RTOS SDK has its own base. */
#define ESP_ERR_FLASH_OP_FAIL 0x6001
#define ESP_ERR_FLASH_OP_FAIL_RTOS 0x10011

#endif
