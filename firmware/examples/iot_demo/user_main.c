/*
 * A device of the NONOS SDK that updates itself from Espressif's cloud when that orders it, and
 * restarts into what it got, as the SDK's IoT_Demo does.
 */
#include "user_main.h"

#include <upgrade.h>
#include <user_esp_platform.h>

#include "../settings.h"

static struct upgrade_server_info server;
static esp_tcp tcp;
static struct espconn cloud = {.proto = {.tcp = &tcp}};

static void copy_version(uint8 *to, const char *from)
{
    for (uint32_t i = 0; i < sizeof server.pre_version; i++) {
        to[i] = (uint8)*from;
        from += *from != '\0';
    }
}

/* The cloud's message "sys_upgrade". */
void user_upgrade(const char *version)
{
    for (uint32_t i = 0; i < 4; i++) {
        tcp.remote_ip[i] = example.cloud_address[i];
    }
    server = (struct upgrade_server_info){.port = example.cloud_port};
    copy_version(server.pre_version, example.version);
    user_esp_platform_upgrade_begin(&cloud, &server, version);
}

/* The cloud's message "sys_reboot": without a finished upgrade it does nothing here. */
void user_reboot(void)
{
    if (system_upgrade_flag_check() == UPGRADE_FLAG_FINISH) {
        system_upgrade_deinit();
        system_upgrade_reboot();
    }
}
