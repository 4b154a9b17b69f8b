#include <updraft/sim_boot.h>

#include <string.h>

#include "sim_loader.h"

/* A loader that has reset the chip so often does so for ever: the most that one needs is eight. */
enum { RESETS_MAX = 100 };

static bool run(struct sim_machine *machine)
{
    switch (machine->loader->kind) {
    case SIM_LOADER_NONOS_ORIGINAL:
        return sim_loader_nonos_original(machine);
    case SIM_LOADER_NONOS:
        return sim_loader_nonos(machine);
    case SIM_LOADER_OTADATA:
        return sim_loader_otadata(machine);
    case SIM_LOADER_EBOOT_ORIGINAL:
        return sim_loader_eboot_original(machine);
    case SIM_LOADER_EBOOT:
        return sim_loader_eboot(machine);
    }
    return sim_loader_die(machine, "there is no such loader");
}

void sim_boot(const struct sim_loader *loader, struct sim_flash *flash, struct sim_rtc *rtc,
              uint32_t *fuse, struct sim_boot *boot)
{
    struct sim_machine machine = {loader, flash, rtc, fuse, boot};

    *boot = (struct sim_boot){.end = SIM_BOOT_DEAD};
    while (run(&machine)) {
        if (++boot->resets == RESETS_MAX) {
            (void)sim_loader_die(&machine, "the loader resets the chip for ever");
            return;
        }
    }
}

/* --- What loaders have in common -------------------------------------------------------------- */

static bool has_power(struct sim_machine *machine)
{
    if (!sim_flash_has_power(machine->sim)) {
        machine->boot->end = SIM_BOOT_CUT;
        return false;
    }
    return true;
}

bool sim_loader_read(struct sim_machine *machine, uint32_t offset, void *data, uint32_t size)
{
    const struct upd_flash *flash = &machine->sim->flash;

    if (flash->read(flash->ctx, offset, data, size) != UPD_OK) {
        memset(data, 0xFF, size);
    }
    return has_power(machine);
}

bool sim_loader_erase(struct sim_machine *machine, uint32_t offset)
{
    const struct upd_flash *flash = &machine->sim->flash;

    machine->boot->writes++;
    return flash->erase(flash->ctx, offset) == UPD_OK || has_power(machine);
}

bool sim_loader_program(struct sim_machine *machine, uint32_t offset, const void *data,
                        uint32_t size)
{
    const struct upd_flash *flash = &machine->sim->flash;

    machine->boot->writes++;
    return flash->write(flash->ctx, offset, data, size) == UPD_OK || has_power(machine);
}

bool sim_loader_verify(struct sim_machine *machine, uint32_t offset, uint32_t size,
                       const struct upd_image_target *target, struct upd_image_info *info)
{
    struct upd_image_options options = {.target = target, .in_flash = true};
    struct upd_image_checker checker;
    uint8_t chunk[SIM_SECTOR];
    bool good = upd_image_begin(&checker, &options) == UPD_OK;

    for (uint32_t at = 0; good && at < size && upd_image_wants_more(&checker);) {
        uint32_t step = size - at < sizeof chunk ? size - at : (uint32_t)sizeof chunk;
        good = sim_loader_read(machine, offset + at, chunk, step) &&
               upd_image_feed(&checker, chunk, step) == UPD_OK;
        at += step;
    }
    good = good && upd_image_end(&checker) == UPD_OK;
    *info = checker.info;
    return good;
}

bool sim_loader_start(struct sim_machine *machine, uint32_t address)
{
    machine->boot->end = SIM_BOOT_STARTS;
    machine->boot->address = address;
    return false;
}

bool sim_loader_die(struct sim_machine *machine, const char *why)
{
    machine->boot->end = SIM_BOOT_DEAD;
    machine->boot->why = why;
    return false;
}
