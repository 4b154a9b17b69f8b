#ifndef EXAMPLE_APP_MAIN_H
#define EXAMPLE_APP_MAIN_H

#include <esp_err.h>

/** The application's main task; whoever calls it restarts when it gives ESP_OK. */
esp_err_t app_main(void);

#endif
