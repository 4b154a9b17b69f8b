/*
 * Goal: the device's key is never lost, whatever a power cut leaves of an activation; a memo is
 * brought back as it was kept, or an older one, or none. Method: a flash in memory, whose power goes
 * in each operation in turn and leaves that sector or page damaged.
 */
#include "settings.h"

#include <string.h>

#include <updraft/memo.h>

#include "check.h"
#include "text.h"

enum { FLASH_SIZE = 1 << 20, SECTOR = 4096, PARAMETERS = 0x7C000, NEVER = 1000 };

static uint8_t bytes[FLASH_SIZE];
static uint32_t operations, cut_at;

static const char key[] = "0123456789abcdef0123456789abcdef01234567";
static const char token[] = "cccccccccccccccccccccccccccccccccccccccc";

static enum upd_err flash_read(void *ctx, uint32_t offset, void *data, uint32_t size)
{
    (void)ctx;
    memcpy(data, bytes + offset, size);
    return UPD_OK;
}

static enum upd_err flash_write(void *ctx, uint32_t offset, const void *data, uint32_t size)
{
    const uint32_t done = operations == cut_at ? size / 2 : size;

    (void)ctx;
    CHECK(offset % 4 == 0 && size % 4 == 0);
    if (operations > cut_at) {
        return UPD_E_IO;
    }
    for (uint32_t i = 0; i < done; i++) {
        CHECK((((const uint8_t *)data)[i] & ~bytes[offset + i]) == 0);
        bytes[offset + i] &= ((const uint8_t *)data)[i];
    }
    return operations++ == cut_at ? UPD_E_IO : UPD_OK;
}

static enum upd_err flash_erase(void *ctx, uint32_t offset)
{
    (void)ctx;
    CHECK(offset % SECTOR == 0);
    if (operations > cut_at) {
        return UPD_E_IO;
    }
    memset(bytes + offset, 0xFF, operations == cut_at ? SECTOR / 2 : SECTOR);
    return operations++ == cut_at ? UPD_E_IO : UPD_OK;
}

static const struct upd_flash flash = {flash_read, flash_write, flash_erase, NULL,
                                       FLASH_SIZE, SECTOR,      256,         4};

/* master_device_key.bin is in its place. */
static void new_flash(void)
{
    memset(bytes, 0xFF, sizeof bytes);
    memcpy(bytes + PARAMETERS + 2 * SECTOR, key, 40);
    operations = 0;
    cut_at = NEVER;
}

static enum upd_err open(struct settings *settings)
{
    return settings_open(settings, &flash, upd_flash_map(2));
}

static void test_the_key_that_was_flashed(void)
{
    struct settings settings;

    new_flash();
    CHECK(open(&settings) == UPD_OK);
    CHECK(text_same(settings.key, key) && settings.token[0] == '\0' && !settings.is_activated);
    memcpy(bytes + PARAMETERS + 2 * SECTOR + 40, token, 40);
    bytes[PARAMETERS + 2 * SECTOR + 80] = 0; /* as the demo writes it when the app gave the token */
    CHECK(open(&settings) == UPD_OK);
    CHECK(text_same(settings.token, token) && !settings.is_activated);

    memset(bytes, 0xFF, sizeof bytes);
    CHECK(open(&settings) == UPD_E_NOT_FOUND);
    memcpy(bytes + PARAMETERS + 2 * SECTOR, "0123456789abcdef0123456789abcdef0123456\"", 40);
    CHECK(open(&settings) == UPD_E_NOT_FOUND);
    CHECK(settings_open(&settings, &flash, upd_flash_map(1)) == UPD_E_NOT_FOUND);
}

static void test_an_activation_is_kept_and_stays(void)
{
    struct settings settings;

    new_flash();
    memcpy(bytes + PARAMETERS + 2 * SECTOR + 40, token, 40);
    for (uint32_t round = 0; round < 3; round++) {
        CHECK(open(&settings) == UPD_OK && settings.is_activated == (round > 0));
        CHECK(settings_activate(&settings) == UPD_OK && settings.is_activated);
        CHECK(open(&settings) == UPD_OK && settings.is_activated);
        CHECK(text_same(settings.key, key) && text_same(settings.token, token));
        CHECK(bytes[PARAMETERS + 3 * SECTOR] == round % 2);
    }
}

static void test_no_cut_of_an_activation_loses_the_key(void)
{
    struct settings settings;
    uint32_t cuts = 0;

    for (uint32_t before = 0; before < 2; before++) {
        for (uint32_t cut = 0; cut < 4; cut++, cuts++) {
            new_flash();
            CHECK(open(&settings) == UPD_OK);
            for (uint32_t i = 0; i < before; i++) {
                CHECK(settings_activate(&settings) == UPD_OK);
            }
            cut_at = operations + cut;
            CHECK(settings_activate(&settings) == UPD_E_IO && !settings.is_activated);
            cut_at = NEVER;
            CHECK(open(&settings) == UPD_OK && text_same(settings.key, key));
            CHECK(settings_activate(&settings) == UPD_OK);
            CHECK(open(&settings) == UPD_OK && settings.is_activated);
        }
    }
    CHECK(cuts == 8);
}

static void make_memo(uint8_t *memo, uint32_t number)
{
    const struct upd_memo fields = {.tried = number};

    upd_memo_encode(&fields, memo);
}

static uint32_t number_of(const uint8_t *memo)
{
    struct upd_memo fields;

    CHECK(upd_memo_decode(memo, &fields) == UPD_OK);
    return fields.tried;
}

static void test_the_last_memo_comes_back(void)
{
    struct settings settings;
    uint8_t memo[UPD_MEMO_SIZE];

    new_flash();
    CHECK(open(&settings) == UPD_OK);
    CHECK(settings_load_memo(&settings, memo) == UPD_E_NOT_FOUND);
    for (uint32_t i = 1; i < 50; i++) {
        make_memo(memo, i);
        CHECK(settings_save_memo(&settings, memo) == UPD_OK);
        memset(memo, 0, sizeof memo);
        CHECK(settings_load_memo(&settings, memo) == UPD_OK && number_of(memo) == i);
    }
    CHECK(open(&settings) == UPD_OK); /* and the key is another matter */
}

static void test_a_cut_costs_the_last_memo_at_most_and_the_next_is_kept(void)
{
    struct settings settings;
    uint8_t memo[UPD_MEMO_SIZE];

    for (uint32_t cut = 0; cut < 40; cut++) {
        uint32_t kept = 0;
        new_flash();
        CHECK(open(&settings) == UPD_OK);
        cut_at = cut;
        for (uint32_t i = 1; i < 50; i++) {
            make_memo(memo, i);
            if (settings_save_memo(&settings, memo) != UPD_OK) {
                break;
            }
            kept = i;
        }
        cut_at = NEVER;
        enum upd_err err = settings_load_memo(&settings, memo);
        CHECK(err == UPD_E_NOT_FOUND || (err == UPD_OK && number_of(memo) <= kept));
        for (uint32_t i = 100; i < 120; i++) {
            make_memo(memo, i);
            CHECK(settings_save_memo(&settings, memo) == UPD_OK);
        }
        CHECK(settings_load_memo(&settings, memo) == UPD_OK && number_of(memo) == 119);
    }
}

int main(void)
{
    CHECK_RUN(test_the_key_that_was_flashed);
    CHECK_RUN(test_an_activation_is_kept_and_stays);
    CHECK_RUN(test_no_cut_of_an_activation_loses_the_key);
    CHECK_RUN(test_the_last_memo_comes_back);
    CHECK_RUN(test_a_cut_costs_the_last_memo_at_most_and_the_next_is_kept);
    check_end();
}
