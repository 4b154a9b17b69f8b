/* ESP-IDF's functions for C++: what the classes of the ESP32 stand on. */
#ifndef UPDRAFT_ARDUINO_ESP_C_H
#define UPDRAFT_ARDUINO_ESP_C_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define _Static_assert static_assert
extern "C" {
#include <esp_ota_ops.h>
}
#undef _Static_assert

#endif
