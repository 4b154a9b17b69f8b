/*
 * The least that a sketch needs to keep itself up to date: ask every minute, and say what happens.
 */
#include <Arduino.h>
#include <ESP8266WiFi.h>
#include <ESP8266httpUpdate.h>
#include <Esp.h>

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
    ESPhttpUpdate.onStart([]() { Serial.println("update: begins"); });
    ESPhttpUpdate.onEnd([]() { Serial.println("update: done"); });
    ESPhttpUpdate.onProgress(
        [](int done, int all) { Serial.printf("update: %d of %d bytes\n", done, all); });
    ESPhttpUpdate.onError([](int error) { Serial.printf("update: error %d\n", error); });
    ESPhttpUpdate.rebootOnUpdate(false); /* first say goodbye */
}

void loop()
{
    WiFiClient client;
    const String url = String(example.server) + "/update/" + example.product;

    switch (ESPhttpUpdate.update(client, url, example.version)) {
    case HTTP_UPDATE_FAILED:
        Serial.printf("update: failed: %s\n", ESPhttpUpdate.getLastErrorString().c_str());
        break;
    case HTTP_UPDATE_NO_UPDATES:
        Serial.println("update: none");
        break;
    case HTTP_UPDATE_OK:
        Serial.println("update: restarting");
        ESP.restart();
        break;
    }
    delay(60000);
}
