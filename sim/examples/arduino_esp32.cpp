/* Runs a sketch of firmware/examples/ as an ESP32 with the Arduino core does, which stands on ESP-IDF. */
#include <Arduino.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <upd_arduino.h>
#include <upd_esp_c.h>

#define _Static_assert static_assert
#define _Noreturn [[noreturn]]
#pragma GCC diagnostic ignored "-Wshadow"
extern "C" {
#include "stage.h"

#include <esp_https_ota.h>
#include <esp_ota.h>
}

void setup();
void loop();

namespace
{

struct upd_esp esp;
struct upd_https_ota ota;
esp_partition_t table[STAGE_ROWS];
uint8_t buffer[4096];
char http[1024];
char client[1024];

uint32_t now(void *)
{
    return stage_millis();
}

void pause(void *, uint32_t ms)
{
    stage_delay(ms);
}

void rest(void *)
{
    stage_delay(1);
}

void print(void *, const char *text, size_t size)
{
    fwrite(text, 1, size, stdout);
}

void restart(void *)
{
    stage_restart();
}

void assertion(void *, const char *what)
{
    fprintf(stderr, "example: assertion: %s\n", what);
    abort();
}

/* ESP-IDF, below the core. */
bool beginIdf()
{
    struct upd_esp_config config = {};
    struct upd_https_ota_config https = {};

    config.flash = &stage.flash.flash;
    config.rows = stage.rows;
    config.count = stage.count;
    config.table = table;
    config.running = stage.boot.address;
    config.loader = stage.loader.of.otadata.loader;
    config.chip = UPD_CHIP_ESP32;
    config.chip_revision = UPD_IMAGE_ANY_REVISION;
    config.efuse_revision = UPD_IMAGE_ANY_REVISION;
    config.restart = restart;
    config.assertion = assertion;
    https.transport = &stage.net.transport;
    https.now_ms = now;
    https.rest = rest;
    https.buffer = client;
    https.buffer_size = sizeof client;
    upd_https_ota_open(&ota, &https);
    return upd_esp_init(&esp, &config) == UPD_OK;
}

} // namespace

int main(int argc, char **argv)
{
    static const uint8_t mac[] = {0x24, 0x0A, 0xC4, 0x01, 0x02, 0xFF};
    UpdArduinoConfig config = {};

    stage_open("idf", argc, argv);
    if (!beginIdf()) {
        fprintf(stderr, "example: the sketch is in no partition\n");
        return 2;
    }
    updHost.transport = &stage.net.transport;
    updHost.millis = now;
    updHost.delay = pause;
    updHost.print = print;
    config.flash = &stage.flash.flash;
    config.buffer = buffer;
    config.buffer_size = sizeof buffer;
    config.http = http;
    config.http_size = sizeof http;
    config.sketch_size = 65536; /* what the images of the tests have */
    config.flash_size = stage.flash.flash.total_size;
    config.sdk_version = "v5.5.1";
    memcpy(config.sta_mac, mac, sizeof mac);
    memcpy(config.ap_mac, mac, sizeof mac);
    config.restart = restart;
    updArduinoBegin(config);

    const uint32_t started = stage_millis();
    setup();
    do {
        loop();
    } while (stage_millis() - started < 60000);
    stage_end();
}
