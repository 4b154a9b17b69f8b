/*
 * An application of ESP-IDF that updates itself over HTTPS in one call; built with UPD_ESP_AS_RTOS,
 * one of the RTOS SDK for the ESP8266.
 */
#include "../app_main.h"

#include <stdio.h>

#include <esp_https_ota.h>
#include <esp_ota_ops.h>

#include "../settings.h"

esp_err_t app_main(void)
{
    char url[256];

    /* What runs has come as far as this: it need not be rolled back any more. */
    if (esp_ota_mark_app_valid_cancel_rollback() != ESP_OK) {
        printf("ota: what runs is not known to the boot loader\n");
    }
    snprintf(url, sizeof url, "%s/%s/app.bin?serial=%s&version=%s", example.server, example.product,
             example.serial, example.version);
    printf("ota: starting, %s\n", url);

    const esp_http_client_config_t client = {.url = url, .cert_pem = example.certificate};
#ifdef UPD_ESP_AS_RTOS
    const esp_err_t err = esp_https_ota(&client);
#else
    const esp_https_ota_config_t config = {.http_config = &client};
    const esp_err_t err = esp_https_ota(&config);
#endif
    printf(err == ESP_OK ? "ota: succeeded, restarting\n" : "ota: firmware upgrade failed: 0x%x\n",
           (unsigned)err);
    return err;
}
