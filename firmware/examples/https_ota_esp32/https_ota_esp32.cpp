/*
 * A sketch for the ESP32 that updates itself over HTTPS by ESP-IDF's own functions, which its core has,
 * too: step by step, so that the loop goes on.
 */
#include <Arduino.h>
#include <Esp.h>
#include <WiFi.h>

#include <cstdio>

#include <esp_https_ota.h>
#include <esp_ota_ops.h>

#include "../settings.h"

void setup();
void loop();

static char url[256];
static esp_https_ota_handle_t update;

static void beginUpdate()
{
    esp_http_client_config_t client = {};
    esp_https_ota_config_t config = {};

    client.url = url;
    client.cert_pem = example.certificate;
    config.http_config = &client;
    const esp_err_t err = esp_https_ota_begin(&config, &update);
    if (err != ESP_OK) {
        update = nullptr;
        Serial.printf("ota: none: 0x%x\n", static_cast<unsigned>(err));
    }
}

static void goOn()
{
    const esp_err_t err = esp_https_ota_perform(update);

    if (err == ESP_ERR_HTTPS_OTA_IN_PROGRESS) {
        return;
    }
    const bool whole = err == ESP_OK && esp_https_ota_is_complete_data_received(update);
    const esp_err_t end = whole ? esp_https_ota_finish(update) : esp_https_ota_abort(update);
    update = nullptr;
    if (whole && end == ESP_OK) {
        Serial.println("ota: succeeded, restarting");
        ESP.restart();
    }
    Serial.printf("ota: failed: 0x%x\n", static_cast<unsigned>(err != ESP_OK ? err : end));
}

void setup()
{
    Serial.begin(115200);
    WiFi.mode(WIFI_STA);
    while (WiFi.status() != WL_CONNECTED) {
        delay(500);
    }
    if (esp_ota_mark_app_valid_cancel_rollback() != ESP_OK) {
        Serial.println("ota: what runs is not known to the boot loader");
    }
    snprintf(url, sizeof url, "%s/%s/app.bin?serial=%s&version=%s", example.server, example.product,
             example.serial, example.version);
    beginUpdate();
}

void loop()
{
    if (update != nullptr) {
        goOn();
    } else {
        delay(60000);
    }
}
