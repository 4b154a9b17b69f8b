/*
 * A smart clock, as an Arduino sketch: it looks for an update of itself at each start, when its
 * button is held for seven seconds, and once a week. The server is one that speaks OTAdrive's
 * /DeviceApi, updraft's among them.
 */
#include <Arduino.h>
#include <ESP8266WiFi.h>
#include <ESP8266httpUpdate.h>
#include <Esp.h>
#include <LiquidCrystal_I2C.h>

#include "../settings.h"

static constexpr int BUTTON_MODE = 14;
static constexpr int PRESSED = LOW;
static constexpr uint32_t HOLD_MS = 7000;
static constexpr uint32_t WEEK_MS = 7UL * 24 * 60 * 60 * 1000;
static constexpr int TRIES = 100;

static LiquidCrystal_I2C lcd(0x27, 20, 4);
static uint32_t checked_ms;

void setup();
void loop();

/* Texts fill the line, so that nothing of the last one stays. */
static void show(uint8_t row, const String &text)
{
    lcd.setCursor(0, row);
    lcd.print(text);
    for (size_t i = text.length(); i < 20; i++) {
        lcd.print(' ');
    }
}

/* Key and version in the form that a server finds in an image too. */
static String makeFirmwareInfo(const String &key, const String &version)
{
    return String("&_FirmwareInfo&k=") + key + "&v=" + version + "&FirmwareInfo_&";
}

void update_FOTA()
{
    Serial.printf("update_FOTA: version %s, chip %u\n", example.version, ESP.getChipId());
    lcd.clear();
    show(0, "Version Firmware:");
    show(1, String(example.version) + " - " + String(static_cast<unsigned long>(ESP.getChipId())));
    show(2, "Checking for updates");

    for (int left = TRIES; left >= 0; left--) {
        String url = String(example.server) + "/DeviceApi/update?";
        WiFiClient client;
        url += String("&s=") + String(static_cast<unsigned long>(ESP.getChipId()));
        url += makeFirmwareInfo(example.product, example.version);

        switch (ESPhttpUpdate.update(client, url, example.version)) {
        case HTTP_UPDATE_FAILED:
            Serial.printf("update_FOTA: %s\n", ESPhttpUpdate.getLastErrorString().c_str());
            show(3, String("> Please waiting ") + String(left));
            delay(1000);
            break;
        case HTTP_UPDATE_NO_UPDATES:
            Serial.println("update_FOTA: the current version is the latest");
            show(2, "The current version");
            show(3, "is the latest.");
            delay(1500);
            return;
        case HTTP_UPDATE_OK:
            return; /* the chip restarts by itself */
        }
    }
    Serial.println("update_FOTA: not now: the server is busy, or does not know this device");
    show(3, "> Skip updated...");
    delay(2000);
}

void setup()
{
    Serial.begin(115200);
    pinMode(BUTTON_MODE, INPUT_PULLUP);
    lcd.init();
    lcd.backlight();
    WiFi.mode(WIFI_STA);
    while (WiFi.status() != WL_CONNECTED) {
        delay(500);
    }
    if (example.at_start) {
        update_FOTA();
    }
    checked_ms = millis();
}

void loop()
{
    if (digitalRead(BUTTON_MODE) == PRESSED) {
        const uint32_t since_ms = millis();
        while (digitalRead(BUTTON_MODE) == PRESSED) {
            const uint32_t held_ms = millis() - since_ms;
            show(1, held_ms >= HOLD_MS ? "Mode: >> Update OTA" : "Mode Selection");
            delay(100);
        }
        if (millis() - since_ms >= HOLD_MS) {
            update_FOTA();
            checked_ms = millis();
        }
    }
    if (millis() - checked_ms >= WEEK_MS) {
        update_FOTA();
        checked_ms = millis();
    }
    show(0, String(static_cast<unsigned long>(millis() / 1000)));
    delay(1000);
}
