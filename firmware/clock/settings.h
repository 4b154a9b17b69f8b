/*
 * What the clock keeps in the user parameters of its flash map, where the SDK's demo keeps the same:
 *
 *     sector 0   the agent's memos, one a page; the last that is whole counts
 *     sector 1   identity, copy 0    } byte 0 of the flag sector tells which one is valid: 0x00
 *     sector 2   identity, copy 1    } copy 0, everything else copy 1
 *     sector 3   flag sector
 *
 * The identity is the demo's: the device's key, 40 characters; an activation token, 40 characters, or
 * erased; a byte that is 1 once the device is activated. So master_device_key.bin, which is flashed
 * to sector 2, is an identity, and a device that ran the demo keeps its own.
 */
#ifndef CLOCK_SETTINGS_H
#define CLOCK_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include <updraft/flash.h>
#include <updraft/flash_map.h>

enum { SETTINGS_KEY_SIZE = 41 }; /* of a key or a token, with its NUL */

/** For reading. */
struct settings {
    const struct upd_flash *flash;
    uint32_t address; /* of the user parameters */
    char key[SETTINGS_KEY_SIZE];
    char token[SETTINGS_KEY_SIZE]; /* "": none */
    bool is_activated;
};

/**
 * Read them.
 *
 * @param flash  must stay valid
 * @param map    with two slots
 *
 * @return UPD_OK
 * @return UPD_E_NOT_FOUND  there is no key: this device has no identity
 * @return UPD_E_IO         from the flash
 */
UPD_MUST_CHECK enum upd_err settings_open(struct settings *settings, const struct upd_flash *flash,
                                          const struct upd_flash_map *map);

/**
 * Keep that the device is activated. After a power cut it is so, or it is not yet; its key is there.
 *
 * @return UPD_OK
 * @return UPD_E_IO  from the flash
 */
UPD_MUST_CHECK enum upd_err settings_activate(struct settings *settings);

/** Keep UPD_MEMO_SIZE bytes for the agent. @return UPD_OK, UPD_E_IO */
UPD_MUST_CHECK enum upd_err settings_save_memo(const struct settings *settings,
                                               const uint8_t *memo);

/** Bring them back. @return UPD_OK, UPD_E_IO, or UPD_E_NOT_FOUND: there are none */
UPD_MUST_CHECK enum upd_err settings_load_memo(const struct settings *settings, uint8_t *memo);

#endif
