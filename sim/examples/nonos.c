/* Runs firmware/examples/iot_demo/ as an ESP8266 with the NONOS SDK, 4 MB and boot v1.7 does. */
#include <stdio.h>
#include <string.h>

#include <nonos_http.h>
#include <user_esp_platform.h>

#include "../../firmware/examples/iot_demo/user_main.h"
#include "../../firmware/examples/settings.h"
#include "stage.h"

enum { PATIENCE_MS = 130000 };

static struct upd_upgrade upgrade;
static struct upd_upgrade_http http;
static struct upd_platform platform;
static bool is_told;

/* The message channel to the cloud: here what goes there is shown. */
static bool send_to_cloud(void *ctx, struct espconn *espconn, const void *data, uint16_t size)
{
    (void)ctx;
    (void)espconn;
    printf("%.*s", (int)size, (const char *)data);
    is_told = true;
    return true;
}

static void restart(void *ctx)
{
    (void)ctx;
    stage_restart();
}

int main(int argc, char **argv)
{
    stage_open("nonos", argc, argv);
    const struct upd_upgrade_config config = {
        .flash = &stage.flash.flash,
        .map = stage.loader.of.nonos.map,
        .start = upd_upgrade_http_start,
        .restart = restart,
        .ctx = &http,
    };
    upd_upgrade_http_open(&http, &stage.net.transport);
    if (upd_upgrade_open(&upgrade, &config) != UPD_OK || example.cloud_version == NULL ||
        strlen(example.product) != UPD_PLATFORM_KEY) {
        fprintf(stderr, "example: --order and a device key of 40 characters are needed\n");
        return 2;
    }
    memcpy(platform.device_key, example.product, UPD_PLATFORM_KEY + 1);
    platform.send = send_to_cloud;
    upd_platform_open(&platform);

    user_upgrade(example.cloud_version);
    const uint32_t since = stage_millis();
    while (!is_told && stage_millis() - since < PATIENCE_MS) {
        upd_upgrade_http_poll(&http, stage_millis());
        stage_delay(1);
    }
    user_reboot();
    stage_end();
}
