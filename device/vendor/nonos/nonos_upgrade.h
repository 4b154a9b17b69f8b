/*
 * updraft: what the NONOS SDK's upgrade functions (upgrade.h) stand on. The port calls
 * upd_upgrade_open() once, before the first of them.
 *
 * They give what the SDK's give: nothing is verified but what the program verifies, nothing is on
 * trial, and system_upgrade_reboot() toggles. Applications that want more use the writer.
 *
 * Differences from the SDK's:
 *   - The selection is written in updraft's order (UPD_SYSPARAM_SAFE), which the SDK and every boot
 *     loader read. When flash fails, system_upgrade_reboot() returns; the SDK's tries for ever.
 *   - system_upgrade() before system_upgrade_init() gives false; the SDK's crashes.
 *   - The connection is the port's: system_upgrade_start() calls config.start(), which feeds
 *     system_upgrade_erase_flash() and system_upgrade() and ends by upd_upgrade_done(). The one of
 *     nonos_http.h does as the SDK's.
 */
#ifndef UPDRAFT_NONOS_UPGRADE_H
#define UPDRAFT_NONOS_UPGRADE_H

#include <updraft/flash.h>
#include <updraft/flash_map.h>

#include "upgrade.h"

struct upd_upgrade_config {
    const struct upd_flash *flash;   /* must stay valid */
    const struct upd_flash_map *map; /* one with two slots */
    /* Begin a download; NULL: there is no network, and system_upgrade_start() gives false. */
    void (*start)(void *ctx, struct upgrade_server_info *server);
    void (*restart)(void *ctx);
    void *ctx;
};

/** The caller's memory; its fields are the functions' own. */
struct upd_upgrade {
    struct upd_upgrade_config config;
    struct upgrade_server_info *server;
    uint32_t slot;   /* flash offset that is written to; 0: not initialised */
    uint32_t room;   /* bytes of it */
    uint32_t erased; /* bytes */
    uint32_t written;
    uint32_t total; /* of the download; 0: not known */
    uint8_t flag;
    uint8_t rest[4]; /* bytes that do not make a word yet */
    uint8_t rest_size;
    bool failed; /* an erase */
};

/**
 * @return UPD_OK
 * @return UPD_E_ARG     flash or restart is missing
 * @return UPD_E_TARGET  the map has no two slots, or is larger than the flash
 */
UPD_MUST_CHECK enum upd_err upd_upgrade_open(struct upd_upgrade *upgrade,
                                             const struct upd_upgrade_config *config);

/** For config.start(): so many bytes will come. @return false: they do not fit */
bool upd_upgrade_expect(uint32_t total);
/** For config.start(): are the last four bytes in flash the CRC of all those before them? */
bool upd_upgrade_crc_matches(void);
/** For config.start(): it is over. Sets flag and server->upgrade_flag, and calls check_cb. */
void upd_upgrade_done(bool good);

#endif
