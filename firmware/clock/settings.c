#include "settings.h"

#include <updraft/bytes.h>
#include <updraft/memo.h>

enum { SECTOR = 4096, PLACES = SECTOR / UPD_MEMO_SIZE };
enum { MEMOS, COPY_0, COPY_1, FLAG };
enum { KEY = 0, TOKEN = 40, ACTIVE = 80, IDENTITY_SIZE = 84, ACTIVATED = 1 };

static uint32_t sector(const struct settings *settings, uint32_t number)
{
    return settings->address + number * SECTOR;
}

static enum upd_err read(const struct settings *settings, uint32_t offset, void *data,
                         uint32_t size)
{
    return settings->flash->read(settings->flash->ctx, offset, data, size);
}

/* Into a sector that is erased before. */
static enum upd_err rewrite(const struct settings *settings, uint32_t offset, const void *data,
                            uint32_t size)
{
    const struct upd_flash *flash = settings->flash;

    enum upd_err err = flash->erase(flash->ctx, offset);
    return err == UPD_OK ? flash->write(flash->ctx, offset, data, size) : err;
}

/* --- The identity ------------------------------------------------------------------------------ */

static bool is_key(const uint8_t *bytes)
{
    for (uint32_t i = 0; i < SETTINGS_KEY_SIZE - 1u; i++) {
        const uint8_t c = bytes[i];
        const bool is_digit = c >= '0' && c <= '9';
        const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!is_digit && !is_letter) {
            return false;
        }
    }
    return true;
}

static void take_key(char key[SETTINGS_KEY_SIZE], const uint8_t *bytes)
{
    key[0] = '\0';
    if (is_key(bytes)) {
        memcpy(key, bytes, SETTINGS_KEY_SIZE - 1u);
        key[SETTINGS_KEY_SIZE - 1] = '\0';
    }
}

/* Which copy is valid, and what it holds. */
static enum upd_err read_identity(const struct settings *settings, uint32_t *copy,
                                  uint8_t identity[IDENTITY_SIZE])
{
    uint8_t flag = 0;
    enum upd_err err = read(settings, sector(settings, FLAG), &flag, 1);

    *copy = flag == 0 ? COPY_0 : COPY_1;
    return err == UPD_OK ? read(settings, sector(settings, *copy), identity, IDENTITY_SIZE) : err;
}

enum upd_err settings_open(struct settings *settings, const struct upd_flash *flash,
                           const struct upd_flash_map *map)
{
    uint8_t identity[IDENTITY_SIZE];
    struct upd_flash_span span = {0, 0};
    uint32_t copy = 0;

    *settings = (struct settings){.flash = flash};
    enum upd_err err = upd_flash_map_region(map, UPD_REGION_USER_PARAM, &span);
    if (err != UPD_OK) {
        return err;
    }
    settings->address = span.address;
    err = read_identity(settings, &copy, identity);
    if (err != UPD_OK) {
        return err;
    }
    take_key(settings->key, identity + KEY);
    take_key(settings->token, identity + TOKEN);
    settings->is_activated = identity[ACTIVE] == ACTIVATED;
    return settings->key[0] != '\0' ? UPD_OK : UPD_E_NOT_FOUND;
}

/* As the SDK's system_param_save_with_protect(): the other copy, then the flag. */
enum upd_err settings_activate(struct settings *settings)
{
    uint8_t identity[IDENTITY_SIZE];
    uint32_t copy = 0;

    enum upd_err err = read_identity(settings, &copy, identity);
    if (err != UPD_OK) {
        return err;
    }
    const uint32_t other = copy == COPY_0 ? COPY_1 : COPY_0;
    const uint8_t flag[4] = {(uint8_t)(other - COPY_0), 0xFF, 0xFF, 0xFF};
    identity[ACTIVE] = ACTIVATED;
    err = rewrite(settings, sector(settings, other), identity, sizeof identity);
    if (err == UPD_OK) {
        err = rewrite(settings, sector(settings, FLAG), flag, sizeof flag);
    }
    settings->is_activated = err == UPD_OK;
    return err;
}

/* --- The memo ---------------------------------------------------------------------------------- */

static enum upd_err read_place(const struct settings *settings, uint32_t place, uint8_t *memo)
{
    return read(settings, sector(settings, MEMOS) + place * UPD_MEMO_SIZE, memo, UPD_MEMO_SIZE);
}

static bool is_erased(const uint8_t *memo)
{
    for (uint32_t i = 0; i < UPD_MEMO_SIZE; i++) {
        if (memo[i] != 0xFF) {
            return false;
        }
    }
    return true;
}

/* The first place behind all that was ever written to. */
static enum upd_err find_end(const struct settings *settings, uint32_t *end)
{
    uint8_t memo[UPD_MEMO_SIZE];

    for (*end = PLACES; *end > 0; (*end)--) {
        enum upd_err err = read_place(settings, *end - 1, memo);
        if (err != UPD_OK) {
            return err;
        }
        if (!is_erased(memo)) {
            break;
        }
    }
    return UPD_OK;
}

enum upd_err settings_save_memo(const struct settings *settings, const uint8_t *memo)
{
    const struct upd_flash *flash = settings->flash;
    uint32_t place = 0;

    enum upd_err err = find_end(settings, &place);
    if (err != UPD_OK) {
        return err;
    }
    if (place == PLACES) {
        return rewrite(settings, sector(settings, MEMOS), memo, UPD_MEMO_SIZE);
    }
    return flash->write(flash->ctx, sector(settings, MEMOS) + place * UPD_MEMO_SIZE, memo,
                        UPD_MEMO_SIZE);
}

enum upd_err settings_load_memo(const struct settings *settings, uint8_t *memo)
{
    struct upd_memo decoded;
    uint32_t place = 0;

    for (enum upd_err err = find_end(settings, &place); place > 0; place--) {
        if (err == UPD_OK) {
            err = read_place(settings, place - 1, memo);
        }
        if (err != UPD_OK) {
            return err;
        }
        if (upd_memo_decode(memo, &decoded) == UPD_OK) {
            return UPD_OK;
        }
    }
    return UPD_E_NOT_FOUND;
}
