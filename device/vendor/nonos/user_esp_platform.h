/*
 * Updates from Espressif's cloud, as the SDK's IoT_Demo makes them: the request for the other slot's
 * file, and the report of what came of it. What they stand on: upd_platform_open(), called once.
 *
 * Differences from the demo's: the request stands in the memory of struct upd_platform, and not in a
 * heap, so that rsp() frees nothing; a port that is set already stays (the demo's is 80 always).
 */
#ifndef USER_ESP_PLATFORM_H
#define USER_ESP_PLATFORM_H

#include "espconn.h"
#include "upgrade.h"

enum { UPD_PLATFORM_KEY = 40, UPD_PLATFORM_TEXT = 512 };

/** The caller's memory. */
struct upd_platform {
    char device_key[UPD_PLATFORM_KEY + 1];
    /* Send on a connection; NULL: there is none. @return false: it does not take it */
    bool (*send)(void *ctx, struct espconn *espconn, const void *data, uint16_t size);
    void *ctx;
    char text[UPD_PLATFORM_TEXT]; /* the functions' own: the request, then the report */
};

/** @param platform  must stay valid; key and send are set */
void upd_platform_open(struct upd_platform *platform);

/**
 * Begin to download a version from the server of a connection.
 *
 * @param server   pre_version is set; must stay valid until user_esp_platform_upgrade_rsp()
 * @param version  NULL: server->upgrade_version is set already
 */
void user_esp_platform_upgrade_begin(struct espconn *pespconn, struct upgrade_server_info *server,
                                     const char *version);
/** The end of it: tells the server "device_upgrade_success" or "device_upgrade_failed". */
void user_esp_platform_upgrade_rsp(void *arg);

#endif
