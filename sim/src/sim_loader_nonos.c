/* The boot loaders of the NONOS SDK. */
#include "sim_loader.h"

#include <string.h>

#include <updraft/boot_original.h>
#include <updraft/bytes.h>

/* Where v1.7 counts failures: 0x600011DC, in the system's part of the RTC memory. */
enum { RTC_WORD = 0xDC / SIM_RTC_BLOCK };

/* --- Loading an image, as the originals do ---------------------------------------------------- */

enum load { LOADED, NO_IMAGE, SHOT };

/*
 * Copy the segments to where they belong, and then look whether the sum was right: by then an
 * application lies over the loader, so that nothing that can be called a decision follows from a
 * wrong sum. Neither irom nor CRC is looked at.
 */
static enum load load(struct sim_machine *machine, uint32_t address)
{
    uint8_t header[16], chunk[SIM_SECTOR], stored;
    uint8_t sum = 0xEF;

    if (!sim_loader_read(machine, address, header, sizeof header)) {
        return NO_IMAGE;
    }
    if (header[0] == 0xEA && header[1] == 4) {
        address += (uint32_t)sizeof header + upd_get_le32(header + 12);
        if (!sim_loader_read(machine, address, header, 8)) {
            return NO_IMAGE;
        }
    }
    if (header[0] != 0xE9) {
        return NO_IMAGE;
    }
    uint32_t at = 8;
    for (uint32_t i = 0; i < header[1]; i++) {
        uint8_t segment[8];
        if (!sim_loader_read(machine, address + at, segment, sizeof segment)) {
            return NO_IMAGE;
        }
        at += (uint32_t)sizeof segment;
        uint32_t size = upd_get_le32(segment + 4);
        if (size > machine->sim->flash.total_size) {
            return SHOT;
        }
        for (uint32_t end = at + size; at < end;) {
            uint32_t step = end - at < sizeof chunk ? end - at : (uint32_t)sizeof chunk;
            if (!sim_loader_read(machine, address + at, chunk, step)) {
                return NO_IMAGE;
            }
            for (uint32_t k = 0; k < step; k++) {
                sum ^= chunk[k];
            }
            at += step;
        }
    }
    if (!sim_loader_read(machine, address + (at | 15), &stored, 1)) {
        return NO_IMAGE;
    }
    return header[1] == 0 || stored == sum ? LOADED : SHOT;
}

/* --- The parameter area, as the originals write it -------------------------------------------- */

static bool read_area(struct sim_machine *machine, uint32_t base, struct upd_sysparam *area)
{
    return sim_loader_read(machine, base + UPD_SYSPARAM_SECTOR_FLAG * SIM_SECTOR, area->flag,
                           sizeof area->flag) &&
           sim_loader_read(machine, base + UPD_SYSPARAM_SECTOR_COPY0 * SIM_SECTOR, area->head[0],
                           sizeof area->head[0]) &&
           sim_loader_read(machine, base + UPD_SYSPARAM_SECTOR_COPY1 * SIM_SECTOR, area->head[1],
                           sizeof area->head[1]);
}

static bool carry_out(struct sim_machine *machine, uint32_t base,
                      const struct upd_sysparam_plan *plan, const struct upd_sysparam_step *step)
{
    uint32_t offset = base + step->sector * (uint32_t)SIM_SECTOR;
    uint8_t copy[SIM_SECTOR];

    switch ((enum upd_sysparam_action)step->action) {
    case UPD_SYSPARAM_ERASE:
        return sim_loader_erase(machine, offset);
    case UPD_SYSPARAM_PROGRAM:
        return sim_loader_program(machine, offset + step->offset, upd_sysparam_data(plan, step),
                                  step->size);
    case UPD_SYSPARAM_COPY:
        if (!sim_loader_read(machine, base + step->source * (uint32_t)SIM_SECTOR, copy,
                             step->size)) {
            return false;
        }
        memcpy(copy, upd_sysparam_data(plan, step), UPD_BOOT_BLOCK_SIZE);
        return sim_loader_program(machine, offset, copy, step->size);
    }
    return sim_loader_die(machine, "a plan with an unknown step");
}

static bool save(struct sim_machine *machine, uint32_t base, const struct upd_sysparam *area,
                 const uint8_t block[UPD_BOOT_BLOCK_SIZE])
{
    struct upd_sysparam_plan plan;

    upd_sysparam_plan_block(area,
                            machine->loader->of.nonos.version == UPD_BOOT_V1_2
                                ? UPD_SYSPARAM_AS_BOOT_1_2
                                : UPD_SYSPARAM_AS_BOOT,
                            block, &plan);
    for (uint32_t i = 0; i < plan.count; i++) {
        if (!carry_out(machine, base, &plan, &plan.step[i])) {
            return false;
        }
    }
    return true;
}

/* --- The originals ---------------------------------------------------------------------------- */

static bool failed(struct sim_machine *machine, uint32_t base, const struct upd_sysparam *area,
                   const struct upd_boot_decision *decision)
{
    struct upd_boot_failure failure;
    uint8_t word[4];

    (void)!sim_rtc_read(machine->rtc, RTC_WORD, word, sizeof word);
    upd_boot_original_failed((enum upd_boot_version)machine->loader->of.nonos.version, decision,
                             upd_get_le32(word), &failure);
    upd_put_le32(word, failure.rtc);
    (void)!sim_rtc_write(machine->rtc, RTC_WORD, word, sizeof word);
    if (failure.save && !save(machine, base, area, failure.block)) {
        return false;
    }
    return failure.reset ||
           sim_loader_die(machine, "the loader found no image and returned to the ROM");
}

bool sim_loader_nonos_original(struct sim_machine *machine)
{
    const struct sim_loader *loader = machine->loader;
    enum upd_boot_version version = (enum upd_boot_version)loader->of.nonos.version;
    uint32_t number = loader->of.nonos.map->number;
    struct upd_flash_boot_view view = upd_flash_map_boot_view(version, number);
    struct upd_sysparam area;
    struct upd_boot_decision decision;

    if (!read_area(machine, view.sysparam, &area)) {
        return false;
    }
    upd_boot_original_decide(version, number, upd_sysparam_block(&area),
                             version == UPD_BOOT_V1_7 && !loader->of.nonos.sees_all, &decision);
    if (decision.save) {
        if (!save(machine, view.sysparam, &area, decision.block) ||
            !read_area(machine, view.sysparam, &area)) {
            return false;
        }
    }
    if (decision.start == UPD_BOOT_START_NOTHING) {
        return sim_loader_die(machine, upd_boot_reason_text(decision.reason));
    }
    switch (load(machine, decision.address)) {
    case LOADED:
        return sim_loader_start(machine, decision.address);
    case SHOT:
        return sim_loader_die(machine, "the checksum was wrong after the loader was overwritten");
    case NO_IMAGE:
        break;
    }
    return sim_flash_has_power(machine->sim) && failed(machine, view.sysparam, &area, &decision);
}

bool sim_loader_nonos(struct sim_machine *machine)
{
    return sim_loader_die(machine, "not yet");
}
