/*
 * The least that a sketch for the ESP32 needs to keep itself up to date: ask every minute, and say what
 * happens. The core restarts the chip by itself.
 */
#include <Arduino.h>
#include <HTTPUpdate.h>
#include <WiFi.h>

#include <esp_ota_ops.h>

#include "../settings.h"

void setup();
void loop();

void setup()
{
    Serial.begin(115200);
    WiFi.mode(WIFI_STA);
    while (WiFi.status() != WL_CONNECTED) {
        delay(500);
    }
    /* The network is there: what runs need not be rolled back any more. */
    if (esp_ota_mark_app_valid_cancel_rollback() != ESP_OK) {
        Serial.println("update: what runs is not known to the boot loader");
    }
    httpUpdate.onStart([]() { Serial.println("update: begins"); });
    httpUpdate.onEnd([]() { Serial.println("update: done"); });
    httpUpdate.onProgress(
        [](int done, int all) { Serial.printf("update: %d of %d bytes\n", done, all); });
    httpUpdate.onError([](int error) { Serial.printf("update: error %d\n", error); });
}

void loop()
{
    WiFiClient client;
    const String url = String(example.server) + "/update/" + example.product;

    switch (httpUpdate.update(client, url, example.version)) {
    case HTTP_UPDATE_FAILED:
        Serial.printf("update: failed: %s\n", httpUpdate.getLastErrorString().c_str());
        break;
    case HTTP_UPDATE_NO_UPDATES:
        Serial.println("update: none");
        break;
    case HTTP_UPDATE_OK:
        Serial.println("update: ok"); /* the chip has restarted before */
        break;
    }
    delay(60000);
}
