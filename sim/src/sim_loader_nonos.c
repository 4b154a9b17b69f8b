/* The boot loaders of the NONOS SDK. */
#include "sim_loader.h"

#include <string.h>

#include <updraft/boot_original.h>
#include <updraft/bytes.h>
#include <updraft/nonos_boot.h>

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

/* --- updraft's -------------------------------------------------------------------------------- */

/* A loader of updraft's at work: upd_nonos_boot() with a flash. */
struct nonos {
    struct sim_machine *machine;
    struct upd_nonos_state state;
    uint32_t params;  /* flash offset of the parameter area */
    uint32_t journal; /* and of the journal's sector */
    uint32_t frame;   /* and of the frame in it that counts */
};

static uint32_t params_sector(const struct nonos *nonos, uint32_t index)
{
    return nonos->params + index * (uint32_t)SIM_SECTOR;
}

static uint32_t copy_sector(const struct nonos *nonos, uint32_t copy)
{
    return params_sector(nonos, UPD_SYSPARAM_SECTOR_COPY0 + copy);
}

/* A read as the loader does it: one that fails is heard of. */
static bool get(struct nonos *nonos, uint32_t offset, void *data, uint32_t size)
{
    const struct upd_flash *flash = &nonos->machine->sim->flash;

    return flash->read(flash->ctx, offset, data, size) == UPD_OK;
}

/* False when something could not be read: what is made of that may look like a new chip. */
static bool read_select_area(struct nonos *nonos)
{
    struct upd_select_area *area = &nonos->state.area;
    uint8_t mark[UPD_JOURNAL_MARK_SIZE], seal[UPD_SEAL_SIZE];
    uint32_t flag = params_sector(nonos, UPD_SYSPARAM_SECTOR_FLAG);
    bool all = get(nonos, flag, area->params.flag, sizeof area->params.flag) &&
               get(nonos, flag + UPD_FLAG_SEALS_OFFSET, area->flag_seals, sizeof area->flag_seals);

    for (uint32_t copy = 0; copy < 2 && all; copy++) {
        uint32_t sector = copy_sector(nonos, copy);
        all = get(nonos, sector, area->params.head[copy], sizeof area->params.head[copy]);
        area->copy[copy] = (struct upd_copy_sealing){.sealed = false};
        for (uint32_t place = 0; place < UPD_COPY_SEALS && all; place++) {
            all = get(nonos, sector + UPD_COPY_MARK_OFFSET(place), mark, sizeof mark) &&
                  get(nonos, sector + UPD_COPY_SEAL_OFFSET(place), seal, sizeof seal);
            if (all) {
                upd_copy_see_seal(&area->copy[copy], place, mark, seal);
            }
        }
    }
    return all;
}

static bool read_frame(struct nonos *nonos)
{
    struct upd_nonos_state *state = &nonos->state;
    struct upd_journal_head head;
    uint8_t bytes[UPD_JOURNAL_BODY_SIZE];

    state->framed = false;
    state->marks = 0;
    for (uint32_t i = UPD_JOURNAL_FRAMES; i > 0 && !state->framed; i--) {
        nonos->frame = nonos->journal + upd_journal_frame_offset(i - 1);
        if (!sim_loader_read(nonos->machine, nonos->frame, bytes, sizeof bytes)) {
            return false;
        }
        state->framed = upd_journal_head_decode(bytes, &head) == UPD_OK;
    }
    state->slot = state->framed ? head.slot : 0;
    for (uint32_t mark = 0; mark < UPD_MARK_COUNT && state->framed; mark++) {
        uint32_t at = nonos->frame + upd_journal_mark_offset((enum upd_journal_mark)mark);
        if (!sim_loader_read(nonos->machine, at, bytes, UPD_JOURNAL_MARK_SIZE)) {
            return false;
        }
        state->marks |= (uint16_t)(upd_journal_mark_is_set(bytes) ? UPD_MARK_BIT(mark) : 0);
    }
    return true;
}

static bool verify_slot(struct nonos *nonos, uint32_t slot)
{
    const struct upd_flash_map *map = nonos->machine->loader->of.nonos.map;
    struct upd_image_target target = {.chip = UPD_CHIP_ESP8266,
                                      .place = UPD_PLACE_NONOS,
                                      .offset = upd_flash_map_slot(map, (enum upd_slot)slot),
                                      .size = upd_flash_map_image_limit(map, UPD_SDK_ANY),
                                      .flash_size = UPD_IMAGE_ANY_SIZE,
                                      .slot = (uint8_t)(slot + 1),
                                      .flash_map = UPD_IMAGE_ANY,
                                      .flash_mode = UPD_IMAGE_ANY};
    struct upd_image_info info;
    bool good = sim_loader_verify(nonos->machine, target.offset, target.size, &target, &info) &&
                (info.digests & UPD_IMAGE_HAS_CRC32) != 0;

    nonos->state.verdict[slot] = good ? UPD_VERDICT_GOOD : UPD_VERDICT_BAD;
    return sim_flash_has_power(nonos->machine->sim);
}

/* As boot/nonos does it: the sector is always written anew, with a brief record. */
static bool write_flag(struct nonos *nonos, uint32_t copy)
{
    uint8_t bytes[UPD_FLAG_BYTES];
    uint32_t sector = params_sector(nonos, UPD_SYSPARAM_SECTOR_FLAG);

    upd_flag_brief(copy, bytes);
    for (uint32_t i = 0; i < UPD_FLAG_ANEW_COUNT; i++) {
        const struct upd_flag_write *row = &upd_flag_anew[i];
        if (!(row->size == 0 ? sim_loader_erase(nonos->machine, sector)
                             : sim_loader_program(nonos->machine, sector + row->offset,
                                                  &bytes[row->data], row->size))) {
            return false;
        }
    }
    return true;
}

static bool clear(struct nonos *nonos, uint32_t offset)
{
    static const uint8_t zeros[UPD_JOURNAL_MARK_SIZE];

    return sim_loader_program(nonos->machine, offset, zeros, sizeof zeros);
}

/* Select a slot by writing the other copy, without marks and places, then the flag sector. */
static bool write_block(struct nonos *nonos, uint32_t slot)
{
    enum { SETTINGS_SIZE = UPD_COPY_MARK_OFFSET(0), VERSION_BITS = 0x1F, FIRST_TRY = 4 };
    uint8_t current = upd_select_current(&nonos->state.area);
    uint32_t target = copy_sector(nonos, current ^ 1u);
    uint8_t settings[SETTINGS_SIZE];

    if (upd_flag_trust(&nonos->state.area) == UPD_FLAG_DOUBT) {
        return write_flag(nonos, current);
    }
    for (uint32_t place = 0; place < UPD_COPY_SEALS; place++) {
        if (!clear(nonos, target + UPD_COPY_SEAL_OFFSET(place))) {
            return false;
        }
    }
    if (!sim_loader_read(nonos->machine, copy_sector(nonos, current), settings, sizeof settings)) {
        return false;
    }
    if ((settings[1] & VERSION_BITS) != nonos->state.version) {
        memset(settings, 0xFF, UPD_BOOT_BLOCK_SIZE);
    }
    settings[0] = (uint8_t)((settings[0] & 0xF8) | FIRST_TRY | slot);
    settings[1] = (uint8_t)((settings[1] & 0x20) | 0xC0 | nonos->state.version);
    return sim_loader_erase(nonos->machine, target) &&
           sim_loader_program(nonos->machine, target, settings, sizeof settings) &&
           write_flag(nonos, current ^ 1u);
}

/* The block names no slot, or another loader wrote it. */
static bool is_foreign(const struct nonos *nonos, const uint8_t block[UPD_BOOT_BLOCK_SIZE])
{
    enum { VERSION_BITS = 0x1F, NO_INDEX = 2 };

    return (block[1] & VERSION_BITS) != nonos->state.version || (block[0] & NO_INDEX) != 0;
}

static bool set_mark(struct nonos *nonos, enum upd_journal_mark mark)
{
    nonos->state.sure |= (uint16_t)UPD_MARK_BIT(mark);
    return clear(nonos, nonos->frame + upd_journal_mark_offset(mark));
}

/* False when power is gone. */
static bool do_step(struct nonos *nonos, struct upd_nonos_step step)
{
    switch (step.what) {
    case UPD_SELECT_FLAG:
        nonos->state.tries++;
        return write_flag(nonos, step.which);
    case UPD_NONOS_MARK:
        return set_mark(nonos, (enum upd_journal_mark)step.which);
    case UPD_NONOS_RETRY:
        nonos->state.tries++;
        return write_block(nonos, step.which);
    case UPD_NONOS_VERIFY:
        return verify_slot(nonos, step.which);
    default:
        return sim_loader_die(nonos->machine, "the loader is told what it cannot do");
    }
}

bool sim_loader_nonos(struct sim_machine *machine)
{
    enum { STEPS_MAX = 50 };
    const struct upd_flash_map *map = machine->loader->of.nonos.map;
    struct upd_flash_span journal = {0};
    struct nonos nonos = {.machine = machine,
                          .state.version = machine->loader->of.nonos.version,
                          .params = upd_flash_map_sysparam(map)};

    if (upd_flash_map_region(map, UPD_REGION_RESERVED, &journal) != UPD_OK) {
        return sim_loader_die(machine, "the map has no two slots");
    }
    nonos.journal = journal.address;
    for (uint32_t i = 0; i < STEPS_MAX; i++) {
        if (!read_select_area(&nonos)) {
            continue;
        }
        if (!read_frame(&nonos)) {
            return false;
        }
        const uint8_t *block = nonos.state.area.params.head[upd_select_current(&nonos.state.area)];
        if (is_foreign(&nonos, block)) {
            /* A slot is kept as the loader that wrote the block understands it. */
            if (!write_block(&nonos, upd_block_slot(block, block[1] & 0x1F))) {
                return false;
            }
            continue;
        }
        struct upd_nonos_step step = upd_nonos_boot(&nonos.state);
        if (step.what == UPD_NONOS_START) {
            return sim_loader_start(machine, upd_flash_map_slot(map, (enum upd_slot)step.which));
        }
        if (step.what == UPD_NONOS_HALT) {
            return sim_loader_die(machine, "neither slot holds an image that verifies");
        }
        if (!do_step(&nonos, step)) {
            return false;
        }
    }
    return sim_loader_die(machine, "the loader finds no end");
}
