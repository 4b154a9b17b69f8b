/* The RTOS SDK has its random numbers here. */
#ifndef ESP_SYSTEM_H
#define ESP_SYSTEM_H

#include <stdint.h>

void esp_restart(void);
uint32_t esp_random(void);

#endif
