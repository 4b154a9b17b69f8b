/* The boot loaders of the Arduino core for the ESP8266. */
#include "sim_loader.h"

#include <string.h>

#include <updraft/bytes.h>
#include <updraft/eboot.h>

/* What the ROM does before any loader runs: sector 0 is an image of its own. */
static bool rom_starts(struct sim_machine *machine)
{
    uint8_t sector[SIM_SECTOR];
    uint8_t sum = 0xEF;

    if (!sim_loader_read(machine, 0, sector, sizeof sector)) {
        return false;
    }
    uint32_t at = 8;
    for (uint32_t i = 0; i < sector[1]; i++) {
        uint32_t size = at + 8 <= sizeof sector ? upd_get_le32(sector + at + 4) : UINT32_MAX;
        at += 8;
        if (at > sizeof sector || size > sizeof sector - at) {
            return sim_loader_die(machine, "the ROM finds no loader in sector 0");
        }
        for (uint32_t k = 0; k < size; k++, at++) {
            sum ^= sector[at];
        }
    }
    if (sector[0] != 0xE9 || (at | 15) >= sizeof sector || sector[at | 15] != sum) {
        return sim_loader_die(machine, "the ROM finds no loader in sector 0");
    }
    return true;
}

/* Sector by sector; sector 0 is left alone when it is the same already. */
static enum upd_eboot_result copy(struct sim_machine *machine,
                                  const struct upd_eboot_command *command)
{
    uint8_t sector[SIM_SECTOR], there[SIM_SECTOR];

    if ((command->source | command->target) % SIM_SECTOR != 0) {
        return UPD_EBOOT_RESULT_ALIGN;
    }
    for (uint32_t at = 0; at < command->size; at += SIM_SECTOR) {
        uint32_t target = command->target + at;
        if (!sim_loader_read(machine, command->source + at, sector, sizeof sector)) {
            return UPD_EBOOT_RESULT_READ;
        }
        if (target == 0 && (!sim_loader_read(machine, 0, there, sizeof there) ||
                            memcmp(sector, there, sizeof there) == 0)) {
            continue;
        }
        if (!sim_loader_erase(machine, target)) {
            return UPD_EBOOT_RESULT_ERASE;
        }
        if (!sim_loader_program(machine, target, sector, sizeof sector)) {
            return UPD_EBOOT_RESULT_WRITE;
        }
    }
    return UPD_EBOOT_RESULT_OK;
}

/* Magic and segments; no sum is looked at. */
static bool load(struct sim_machine *machine, uint32_t address)
{
    uint8_t header[8];

    if (!sim_loader_read(machine, address + SIM_SECTOR, header, sizeof header)) {
        return false;
    }
    if (header[0] != 0xE9) {
        return true; /* "e:1", and a reset */
    }
    return sim_loader_start(machine, address);
}

bool sim_loader_eboot_original(struct sim_machine *machine)
{
    uint8_t block[UPD_EBOOT_COMMAND_SIZE];
    struct upd_eboot_command command;
    struct upd_eboot_decision decision;

    if (!rom_starts(machine)) {
        return false;
    }
    (void)!sim_rtc_read(machine->rtc, SIM_RTC_USER_BLOCK, block, sizeof block);
    upd_eboot_decide(block, &decision);
    if (decision.next == UPD_EBOOT_NEXT_COPY && upd_eboot_parse(block, &command) == UPD_OK) {
        enum upd_eboot_result result = copy(machine, &command);
        if (!sim_flash_has_power(machine->sim)) {
            return false;
        }
        upd_eboot_after_copy(&command, result, &decision);
    }
    if (decision.clear) {
        upd_eboot_clear(block);
        (void)!sim_rtc_write(machine->rtc, SIM_RTC_USER_BLOCK, block, sizeof block);
    }
    return decision.next == UPD_EBOOT_NEXT_RESET || load(machine, decision.address);
}

bool sim_loader_eboot(struct sim_machine *machine)
{
    return sim_loader_die(machine, "not yet");
}
