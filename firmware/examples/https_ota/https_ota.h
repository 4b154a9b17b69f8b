#ifndef EXAMPLE_HTTPS_OTA_H
#define EXAMPLE_HTTPS_OTA_H

#include <esp_err.h>

/** The main task; the caller restarts when it gives ESP_OK. */
esp_err_t https_ota_main(void);

#endif
