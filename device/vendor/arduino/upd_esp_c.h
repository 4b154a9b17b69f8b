/* ESP-IDF's functions for C++: what the classes of the ESP32 stand on, and what its sketches call. */
#ifndef UPDRAFT_ARDUINO_ESP_C_H
#define UPDRAFT_ARDUINO_ESP_C_H

#include "upd_c.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#define _Static_assert static_assert
#define _Alignas alignas
extern "C" {
#include "../idf/esp_https_ota.h"
#include "../idf/esp_ota_ops.h"
}
#undef _Alignas
#undef _Static_assert
#pragma GCC diagnostic pop

#endif
