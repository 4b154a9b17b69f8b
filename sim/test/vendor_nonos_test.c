/*
 * Goal: the NONOS SDK's upgrade functions give what the SDK's give, value by value, and leave the
 * selection that the SDK's would leave. Method: a program as the SDK's guide has it, over the
 * simulated flash, with every map, and each call out of order.
 */
#include <nonos_upgrade.h>

#include <stddef.h>
#include <string.h>

#include <updraft/sim_flash.h>
#include <updraft/sysparam.h>

#include "check.h"

enum { SECTOR = 4096, USER1 = 0x1000 };
/* upgrade.h of the SDK on the chip, where a pointer has four bytes, gives 56. */
_Static_assert(offsetof(struct upgrade_server_info, port) == 4 &&
                   offsetof(struct upgrade_server_info, upgrade_flag) == 6 &&
                   offsetof(struct upgrade_server_info, pre_version) == 7 &&
                   offsetof(struct upgrade_server_info, upgrade_version) == 23 &&
                   offsetof(struct upgrade_server_info, check_times) == 40,
               "the layout is the SDK's");

static struct sim_flash sim;
static struct upd_upgrade upgrade;
static const struct upd_flash_map *map;
static uint32_t restarts, starts, calls;

static void restart(void *ctx)
{
    (void)ctx;
    restarts++;
}

static void start(void *ctx, struct upgrade_server_info *server)
{
    (void)ctx;
    CHECK(server != NULL && system_upgrade_flag_check() == UPGRADE_FLAG_START);
    starts++;
}

static void called(void *server)
{
    CHECK(server != NULL);
    calls++;
}

static struct upd_upgrade_config config_of(void)
{
    return (struct upd_upgrade_config){
        .flash = &sim.flash, .map = map, .start = start, .restart = restart};
}

/* After the first start of a chip by boot v1.7, and a store of settings by the application. */
static void begin(uint32_t number)
{
    static const uint8_t block[] = {0xFC, 0xE7};

    map = upd_flash_map(number);
    const struct upd_upgrade_config config = config_of();
    sim_flash_init(&sim, &sim_flash_16m, 1);
    sim_flash_load(&sim, upd_flash_map_sysparam(map) + SECTOR, block, sizeof block);
    sim_flash_load(&sim, upd_flash_map_sysparam(map) + SECTOR + 100, "settings", 8);
    sim_flash_load(&sim, upd_flash_map_sysparam(map) + 3 * SECTOR, "", 1);
    restarts = starts = calls = 0;
    CHECK(upd_upgrade_open(&upgrade, &config) == UPD_OK);
}

static void end(void)
{
    sim_flash_free(&sim);
}

static uint8_t at(uint32_t offset)
{
    uint8_t byte = 0;

    sim_flash_peek(&sim, offset, &byte, 1);
    return byte;
}

static void test_there_and_back_on_every_map(void)
{
    static uint8_t image[3 * SECTOR + 5];
    static uint8_t back[sizeof image];
    static const uint32_t maps[] = {0, 2, 3, 4, 5, 6, 8, 9};

    for (uint32_t i = 0; i < sizeof image; i++) {
        image[i] = (uint8_t)(i * 7 + i / 256);
    }
    for (uint32_t i = 0; i < sizeof maps / sizeof maps[0]; i++) {
        begin(maps[i]);
        for (uint32_t life = 0; life < 4; life++) {
            uint32_t target = life % 2 == 0 ? map->user2 : USER1;
            CHECK(system_upgrade_userbin_check() == life % 2);
            system_upgrade_init();
            CHECK(system_upgrade_flag_check() == UPGRADE_FLAG_IDLE);
            CHECK(system_upgrade_erase_flash(sizeof image));
            /* Pieces of 1, 2, 3, ... bytes: every alignment comes. */
            for (uint32_t done = 0, piece = 1; done < sizeof image; done += piece++) {
                uint32_t left = (uint32_t)sizeof image - done;
                CHECK(system_upgrade(image + done, (uint16)(left < piece ? left : piece)));
            }
            uint32_t whole = sizeof image & ~3u; /* the last bytes make no word */
            sim_flash_peek(&sim, target, back, whole);
            CHECK(memcmp(back, image, whole) == 0 && at(target + whole) == 0xFF);
            system_upgrade_reboot();
            CHECK(restarts == life);
            system_upgrade_flag_set(UPGRADE_FLAG_FINISH);
            system_upgrade_deinit();
            system_upgrade_reboot();
            CHECK(restarts == life + 1);
        }
        uint32_t copy = upd_flash_map_sysparam(map) + SECTOR;
        copy += at(upd_flash_map_sysparam(map) + 3 * SECTOR) == 0 ? 0 : SECTOR;
        CHECK(at(copy + 100) == 's');
        end();
    }
}

/* The block after each call, from both readings of bit 2, as the sheet of the SDK says. */
static void test_reboot_toggles(void)
{
    static const struct {
        const char *name;
        uint8_t before, after;
    } cases[] = {{"user1, first try", 0xFC, 0xFD},
                 {"user2, first try", 0xFD, 0xFC},
                 {"user1 failed", 0xF8, 0xFC},
                 {"user2 failed", 0xF9, 0xFD}};

    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        begin(2);
        uint32_t base = upd_flash_map_sysparam(map);
        sim_flash_load(&sim, base + SECTOR, &cases[i].before, 1);
        system_upgrade_flag_set(UPGRADE_FLAG_FINISH);
        system_upgrade_reboot();
        CHECK(restarts == 1 && at(base + 3 * SECTOR) != 0);
        CHECK_THAT(cases[i].name, at(base + 2 * SECTOR) == cases[i].after);
        CHECK(at(base + 2 * SECTOR + 1) == 0xE7);
        /* Once more without a restart: back again. */
        system_upgrade_reboot();
        CHECK(restarts == 2 && at(base + 3 * SECTOR) == 0);
        CHECK_THAT(cases[i].name, at(base + SECTOR) == (cases[i].after ^ 1));
        end();
    }
}

static void test_the_flag_takes_its_three_values(void)
{
    begin(2);
    for (uint32_t value = 0; value < 256; value++) {
        system_upgrade_flag_set(UPGRADE_FLAG_START);
        system_upgrade_flag_set((uint8)value);
        CHECK(system_upgrade_flag_check() == (value <= 2 ? value : UPGRADE_FLAG_START));
    }
    end();
}

static void test_what_does_not_fit_is_rejected(void)
{
    static uint8_t data[0xFFFF];

    begin(2);
    CHECK(!system_upgrade(data, 1)); /* before init */
    CHECK(system_upgrade(NULL, 1) && system_upgrade(data, 0));
    system_upgrade_init();
    uint32_t room = upgrade.room;
    for (uint32_t erased = 0; erased < room; erased += 16 * SECTOR) {
        uint32_t left = room - erased;
        CHECK(system_upgrade_erase_flash((uint16)(left < 0xFFFF ? left : 0xFFFF)));
    }
    CHECK(!system_upgrade_erase_flash(1));
    uint64_t before = sim.counters.programs;
    for (uint32_t done = 0; done < room; done += SECTOR) {
        CHECK(system_upgrade(data, SECTOR));
    }
    CHECK(sim.counters.programs > before);
    CHECK(!system_upgrade(data, 1) && system_upgrade(data, 0));
    end();
}

static void test_an_erase_that_fails_is_remembered(void)
{
    begin(2);
    system_upgrade_init();
    sim_flash_fault(&sim, &(struct sim_fault){.kind = SIM_FAULT_FAILS, .count = 1});
    CHECK(!system_upgrade_erase_flash(SECTOR));
    system_upgrade_init();
    CHECK(!system_upgrade_erase_flash(SECTOR));
    end();
}

static void test_a_selection_that_cannot_be_stored_restarts_nothing(void)
{
    begin(2);
    system_upgrade_flag_set(UPGRADE_FLAG_FINISH);
    sim_flash_fault(&sim, &(struct sim_fault){.kind = SIM_FAULT_FAILS, .count = UINT32_MAX});
    system_upgrade_reboot();
    CHECK(restarts == 0 && system_upgrade_flag_check() == UPGRADE_FLAG_FINISH);
    sim_flash_heal(&sim);
    system_upgrade_reboot();
    CHECK(restarts == 1 && system_upgrade_userbin_check() == UPGRADE_FW_BIN2);
    end();
}

static void test_a_download_begins_and_ends(void)
{
    static uint8_t data[100];
    struct upgrade_server_info server = {.check_cb = called, .upgrade_flag = 9};

    begin(2);
    CHECK(upgrade_get_process_rate() == 0);
    CHECK(!system_upgrade_start(NULL) && starts == 0);
    CHECK(system_upgrade_start(&server) && starts == 1);
    CHECK(!system_upgrade_start(&server) && starts == 1);
    CHECK(!upd_upgrade_expect(0) && !upd_upgrade_expect(upgrade.room + 1));
    CHECK(upd_upgrade_expect(sizeof data) && upgrade_get_process_rate() == 0);
    CHECK(system_upgrade_erase_flash(sizeof data) && system_upgrade(data, 37));
    CHECK(upgrade_get_process_rate() == 37);
    upd_upgrade_done(false);
    CHECK(calls == 1 && server.upgrade_flag == 0);
    CHECK(system_upgrade_flag_check() == UPGRADE_FLAG_IDLE && upgrade_get_process_rate() == 0);

    server.check_cb = NULL;
    CHECK(system_upgrade_start(&server) && upd_upgrade_expect(sizeof data));
    upd_upgrade_done(true);
    CHECK(calls == 1 && server.upgrade_flag == 1);
    CHECK(system_upgrade_flag_check() == UPGRADE_FLAG_FINISH && upgrade_get_process_rate() == 100);
    system_upgrade_reboot();
    CHECK(restarts == 1 && system_upgrade_userbin_check() == UPGRADE_FW_BIN2);
    end();
}

static void test_open_refuses_what_cannot_work(void)
{
    begin(2);
    struct upd_upgrade_config config = config_of();
    config.restart = NULL;
    CHECK(upd_upgrade_open(&upgrade, &config) == UPD_E_ARG);
    config = config_of();
    config.flash = NULL;
    CHECK(upd_upgrade_open(&upgrade, &config) == UPD_E_ARG);
    config = config_of();
    config.map = upd_flash_map(1);
    CHECK(upd_upgrade_open(&upgrade, &config) == UPD_E_TARGET);
    config.map = NULL;
    CHECK(upd_upgrade_open(&upgrade, &config) == UPD_E_TARGET);
    config = config_of();
    config.start = NULL;
    struct upgrade_server_info server = {0};
    CHECK(upd_upgrade_open(&upgrade, &config) == UPD_OK && !system_upgrade_start(&server));
    end();
}

int main(void)
{
    CHECK_RUN(test_there_and_back_on_every_map);
    CHECK_RUN(test_reboot_toggles);
    CHECK_RUN(test_the_flag_takes_its_three_values);
    CHECK_RUN(test_what_does_not_fit_is_rejected);
    CHECK_RUN(test_an_erase_that_fails_is_remembered);
    CHECK_RUN(test_a_selection_that_cannot_be_stored_restarts_nothing);
    CHECK_RUN(test_a_download_begins_and_ends);
    CHECK_RUN(test_open_refuses_what_cannot_work);
    check_end();
}
