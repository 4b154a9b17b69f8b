/* Runs an app_main() of firmware/examples/ as an ESP32 with ESP-IDF, or an ESP8266 with the RTOS SDK, does. */
#include <stdio.h>
#include <stdlib.h>

#include <esp_https_ota.h>
#include <esp_ota.h>

#include "../../firmware/examples/app_main.h"
#include "stage.h"

static struct upd_esp esp;
static struct upd_https_ota ota;
static esp_partition_t table[STAGE_ROWS];
static char buffer[1024];

static uint32_t now(void *ctx)
{
    (void)ctx;
    return stage_millis();
}

static void rest(void *ctx)
{
    (void)ctx;
    stage_delay(1);
}

static void restart(void *ctx)
{
    (void)ctx;
    stage_restart();
}

static _Noreturn void assertion(void *ctx, const char *what)
{
    (void)ctx;
    fprintf(stderr, "example: assertion: %s\n", what);
    abort();
}

int main(int argc, char **argv)
{
#ifdef UPD_ESP_AS_RTOS
    const bool rtos = true;
#else
    const bool rtos = false;
#endif

    stage_open(rtos ? "rtos" : "idf", argc, argv);
    const struct upd_esp_config config = {
        .flash = &stage.flash.flash,
        .rows = stage.rows,
        .count = stage.count,
        .table = table,
        .running = stage.boot.address,
        .loader = stage.loader.of.otadata.loader,
        .chip = rtos ? UPD_CHIP_ESP8266 : UPD_CHIP_ESP32,
        .chip_revision = UPD_IMAGE_ANY_REVISION,
        .efuse_revision = UPD_IMAGE_ANY_REVISION,
        .restart = restart,
        .assertion = assertion,
    };
    const struct upd_https_ota_config https = {
        .transport = &stage.net.transport,
        .now_ms = now,
        .rest = rest,
        .buffer = buffer,
        .buffer_size = sizeof buffer,
    };
    if (upd_esp_init(&esp, &config) != UPD_OK) {
        fprintf(stderr, "example: the application is in no partition\n");
        return 2;
    }
    upd_https_ota_open(&ota, &https);
    if (app_main() == ESP_OK) {
        stage_restart();
    }
    stage_end();
}
