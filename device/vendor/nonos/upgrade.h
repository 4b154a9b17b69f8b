/*
 * The NONOS SDK's upgrade functions: names, types, values and behaviour of SDK 3.0, over updraft's
 * flash port. What they stand on: nonos_upgrade.h, which also lists the differences.
 */
#ifndef UPGRADE_H
#define UPGRADE_H

#include <stdbool.h>
#include <stdint.h>

typedef uint8_t uint8;
typedef uint16_t uint16;
typedef uint32_t uint32;

#define UPGRADE_FLAG_IDLE 0x00
#define UPGRADE_FLAG_START 0x01
#define UPGRADE_FLAG_FINISH 0x02

#define UPGRADE_FW_BIN1 0x00
#define UPGRADE_FW_BIN2 0x01

#define LIMIT_ERASE_SIZE 0x10000

struct espconn;

typedef void (*upgrade_states_check_callback)(void *arg);

struct upgrade_server_info {
    uint8 ip[4];
    uint16 port;
    uint8 upgrade_flag; /* out, before check_cb is called: 1 success, 0 failure */
    uint8 pre_version[16];
    uint8 upgrade_version[16];
    uint32 check_times; /* milliseconds that all of it may take */
    uint8 *url;         /* the text of the whole HTTP request */
    upgrade_states_check_callback check_cb;
    struct espconn *pespconn;
};

/** Flag IDLE, and the slot that does not run, from its beginning. */
void system_upgrade_init(void);
void system_upgrade_deinit(void);

/** @return false: it would leave the slot. NULL and no bytes are no error. Erases nothing. */
bool system_upgrade(uint8 *data, uint16 len);
/** Erase so many bytes, in whole sectors, behind what was erased. After a failure all fail. */
bool system_upgrade_erase_flash(uint16 len);

/** @return false: NULL, or a download goes on already */
bool system_upgrade_start(struct upgrade_server_info *server);
/** Percent of the download: 100 when FINISH, 0 when IDLE. */
uint8 upgrade_get_process_rate(void);

/** The slot that runs: UPGRADE_FW_BIN1 or 2. */
uint8 system_upgrade_userbin_check(void);

uint8 system_upgrade_flag_check(void);
/** Values above FINISH change nothing. */
void system_upgrade_flag_set(uint8 flag);

/** Only when FINISH: toggle the selection, and restart. */
void system_upgrade_reboot(void);

#endif
