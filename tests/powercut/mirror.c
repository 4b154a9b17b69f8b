/*
 * The mirror: the same cuts under what the vendors' SDKs and loaders do by themselves, without
 * updraft. It shows what the cuts are worth: where nothing breaks here, the proof proves nothing.
 *
 * NONOS: the application erases and writes the other slot, has the SDK store a boot block that
 * selects it, and restarts into Espressif's loader. Arduino: the application stages the sketch as
 * Updater does, leaves eboot's command in RTC memory, and restarts; stock eboot copies it. RTC
 * memory is cut in each way, too. Each image is whole and good, and nothing but power fails.
 */
#include "verbs.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <updraft/eboot.h>
#include <updraft/sim_random.h>
#include <updraft/sysparam.h>

#include "life.h"
#include "pool.h"

enum { READINGS = 2 }; /* unstable cells, until the next cut: all ones, or all zeros */

struct found {
    uint64_t cuts;     /* single ones, or pairs */
    uint64_t bricks;   /* nothing runs, or what runs is no whole image */
    uint64_t settings; /* something runs, without the settings of the SDK */
    uint64_t stuck;    /* the new image never runs */
};

/* What is done at each operation of a life. */
struct mirror {
    struct life trial;
    uint32_t op;
    struct found *found;
    struct mirror *second; /* what is done at each operation of a trial; NULL: nothing */
};

/* --- The applications ------------------------------------------------------------------------- */

static bool store(struct life *life, uint32_t offset, const struct file *file)
{
    const struct upd_flash *flash = &life->sim.flash;
    uint8_t page[PAGE];

    for (uint32_t at = 0; at < file->size; at += PAGE) {
        uint32_t size = file->size - at < PAGE ? file->size - at : PAGE;
        memset(page, 0xFF, sizeof page);
        memcpy(page, file->data + at, size);
        if ((at % SECTOR == 0 && flash->erase(flash->ctx, offset + at) != UPD_OK) ||
            flash->write(flash->ctx, offset + at, page, sizeof page) != UPD_OK) {
            return false;
        }
    }
    return true;
}

static bool carry_out(const struct upd_flash *flash, uint32_t base,
                      const struct upd_sysparam_plan *plan, const struct upd_sysparam_step *step)
{
    uint32_t offset = base + step->sector * (uint32_t)SECTOR;
    uint8_t copy[SECTOR];

    if (step->action == UPD_SYSPARAM_ERASE) {
        return flash->erase(flash->ctx, offset) == UPD_OK;
    }
    if (step->action == UPD_SYSPARAM_PROGRAM) {
        return flash->write(flash->ctx, offset + step->offset, upd_sysparam_data(plan, step),
                            step->size) == UPD_OK;
    }
    if (flash->read(flash->ctx, base + step->source * (uint32_t)SECTOR, copy, step->size) !=
        UPD_OK) {
        return false;
    }
    memcpy(copy, upd_sysparam_data(plan, step), UPD_BOOT_BLOCK_SIZE);
    for (uint32_t at = 0; at < step->size; at += PAGE) {
        uint32_t size = step->size - at < PAGE ? step->size - at : PAGE;
        if (flash->write(flash->ctx, offset + at, copy + at, size) != UPD_OK) {
            return false;
        }
    }
    return true;
}

static bool read_area(const struct upd_flash *flash, uint32_t base, struct upd_sysparam *area)
{
    memset(area, 0, sizeof *area);
    return flash->read(flash->ctx, base + UPD_SYSPARAM_SECTOR_FLAG * SECTOR, area->flag,
                       sizeof area->flag) == UPD_OK &&
           flash->read(flash->ctx, base + UPD_SYSPARAM_SECTOR_COPY0 * SECTOR, area->head[0],
                       sizeof area->head[0]) == UPD_OK &&
           flash->read(flash->ctx, base + UPD_SYSPARAM_SECTOR_COPY1 * SECTOR, area->head[1],
                       sizeof area->head[1]) == UPD_OK;
}

static bool update_nonos(struct life *life)
{
    const struct upd_flash *flash = &life->sim.flash;
    uint8_t version = life->setup->loader.of.nonos.version;
    uint32_t base = upd_flash_map_sysparam(life->setup->loader.of.nonos.map);
    uint32_t place = life->place == 0 ? 1 : 0;
    struct upd_sysparam area;
    struct upd_sysparam_plan plan;

    if (!store(life, life->setup->slot[place].offset, &life->setup->image[NEW][place]) ||
        !read_area(flash, base, &area) ||
        upd_sysparam_plan_slot(&area, UPD_SYSPARAM_AS_SDK, version, (enum upd_slot)place, &plan) !=
            UPD_OK) {
        return false;
    }
    for (uint32_t i = 0; i < plan.count; i++) {
        if (!carry_out(flash, base, &plan, &plan.step[i])) {
            return false;
        }
    }
    return true;
}

static bool update_eboot(struct life *life)
{
    const struct file *sketch = &life->setup->image[NEW][0];
    uint32_t room = (sketch->size + SECTOR - 1) / SECTOR * SECTOR;
    struct upd_eboot_command command = {.action = UPD_EBOOT_COPY,
                                        .source = life->setup->arduino.fs_start - room,
                                        .size = sketch->size};
    uint8_t block[UPD_EBOOT_COMMAND_SIZE];

    upd_eboot_build(&command, block);
    return store(life, command.source, sketch) &&
           sim_rtc_write(&life->rtc, SIM_RTC_USER_BLOCK, block, sizeof block) == UPD_OK;
}

/* --- Cuts ------------------------------------------------------------------------------------- */

/* Until the new version runs: true. */
static bool live(struct life *life, struct found *found)
{
    enum end end;

    for (uint32_t i = 0; i < SESSIONS_MAX; i++) {
        if (!life_boot(life, &end)) {
            found->bricks++;
            return false;
        }
        if (life->setup->scheme == NONOS && !life_has_settings(life)) {
            found->settings++;
            return false;
        }
        if (life->runs == NEW) {
            return true;
        }
        if (!(life->setup->scheme == NONOS ? update_nonos(life) : update_eboot(life))) {
            break;
        }
    }
    found->stuck++;
    return false;
}

static void cut_everywhere(void *ctx, struct life *life, const struct sim_op *op, const void *data);

static void try_tear(struct mirror *mirror, const struct state *before, const struct sim_op *op,
                     const void *data, enum sim_tear_kind kind, uint32_t way)
{
    static const enum sim_reads readings[READINGS] = {SIM_READS_ONES, SIM_READS_ZEROS};

    struct life *trial = &mirror->trial;
    uint64_t noise = sim_random_at(mirror->op + 1u, kind);
    struct sim_tear tear = {kind, SIM_TEAR_SEEDED, noise};
    struct found first = {0};

    life_restore(trial, before);
    life_tear(trial, op, data, &tear);
    sim_rtc_power_on(&trial->rtc, (enum sim_rtc_fate)(way / READINGS), noise);
    sim_flash_seed(&trial->sim, noise);
    sim_flash_set_reads(&trial->sim, readings[way % READINGS], 0);
    if (mirror->second == NULL) {
        mirror->found->cuts++;
        (void)live(trial, mirror->found);
    } else if (sim_flash_unstable(&trial->sim, trial->setup->area[1].offset,
                                  trial->setup->area[1].size) > 0) {
        trial->hook = cut_everywhere;
        trial->hook_ctx = mirror->second;
        mirror->second->op = mirror->op * 1000;
        (void)live(trial, &first);
    }
}

static bool is_metadata(const struct setup *setup, uint32_t offset)
{
    return setup->scheme == NONOS && offset >= setup->area[1].offset &&
           offset - setup->area[1].offset < setup->area[1].size;
}

static void cut_everywhere(void *ctx, struct life *life, const struct sim_op *op, const void *data)
{
    struct mirror *mirror = ctx;
    struct state before = life_save(life);
    uint32_t count = READINGS * (life->setup->scheme == EBOOT ? SIM_RTC_FATES : 1u);

    /* Of two cuts the first one leaves an unstable cell in the selection. Other first cuts leave what
     * a single one does: something that is written anew, or nothing. */
    bool counts = mirror->second == NULL || is_metadata(life->setup, op->offset);

    for (uint32_t kind = 1; kind < SIM_TEAR_COUNT && counts; kind++) {
        if (!sim_tear_exists((enum sim_tear_kind)kind, op->kind) ||
            !sim_tear_in_contract((enum sim_tear_kind)kind)) {
            continue;
        }
        for (uint32_t way = 0; way < count; way++) {
            try_tear(mirror, &before, op, data, (enum sim_tear_kind)kind, way);
        }
    }
    state_free(&before);
    mirror->op++;
}

static const struct {
    const char *setup;
    bool twice; /* power is cut twice */
} mirrored[] = {
    {"nonos-v1.2-map2", false}, {"nonos-v1.2-map2", true},   {"nonos-v1.7-map2", false},
    {"nonos-v1.7-map2", true},  {"eboot-stock-4m2m", false},
};

static void work(uint32_t index, void *ctx, void *result)
{
    struct mirror second = {.found = result};
    struct mirror mirror = {.found = result, .second = mirrored[index].twice ? &second : NULL};
    struct found uncut = {0};
    struct setup setup;
    struct life life;

    (void)ctx;
    setup_make(&setup, setup_find(mirrored[index].setup), SIZES_SMALL);
    life_begin(&life, &setup, KIND_FULL, OUTCOME_CONFIRMED, 1);
    sim_rtc_power_on(&life.rtc, SIM_RTC_LOST, 1);
    life_fork(&mirror.trial, &life);
    life_fork(&second.trial, &life);
    life.hook = cut_everywhere;
    life.hook_ctx = &mirror;
    if (!live(&life, &uncut)) {
        die("%s: an update that nothing cuts fails: %s", setup.name, life.complaint);
    }
    /* The originals read where a damaged header sends them, and be it beyond the chip. */
    (void)sim_flash_violation(&second.trial.sim);
    (void)sim_flash_violation(&mirror.trial.sim);
    life_end(&second.trial);
    life_end(&mirror.trial);
    life_end(&life);
    setup_free(&setup);
}

int verb_mirror(int argc, char **argv)
{
    enum { COUNT = sizeof mirrored / sizeof mirrored[0] };
    struct found found[COUNT];
    uint64_t harm = 0;
    bool good = true;

    (void)argc;
    (void)argv;
    pool_run(COUNT, work, NULL, found, sizeof found[0]);
    for (uint32_t i = 0; i < COUNT; i++) {
        printf("mirror %s, %s: %" PRIu64 ", bricks: %" PRIu64 ", settings lost: %" PRIu64
               ", not finished: %" PRIu64 "\n",
               mirrored[i].setup, mirrored[i].twice ? "pairs of cuts" : "cuts", found[i].cuts,
               found[i].bricks, found[i].settings, found[i].stuck);
        harm = mirrored[i].twice ? harm : 0; /* of both rows of a device */
        harm += found[i].bricks + found[i].settings + found[i].stuck;
        if (harm == 0 && (i + 1 == COUNT || !mirrored[i + 1].twice)) {
            printf("FAILED %s: the cuts harm nobody\n", mirrored[i].setup);
            good = false;
        }
    }
    return good ? 0 : 1;
}
