#include <updraft/sim_flash.h>

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim_chip.h"

const struct sim_geometry sim_flash_512k = SIM_GEOMETRY(0x80000);
const struct sim_geometry sim_flash_1m = SIM_GEOMETRY(0x100000);
const struct sim_geometry sim_flash_2m = SIM_GEOMETRY(0x200000);
const struct sim_geometry sim_flash_4m = SIM_GEOMETRY(0x400000);
const struct sim_geometry sim_flash_16m = SIM_GEOMETRY(0x1000000);

_Noreturn void sim_die(const char *format, ...)
{
    va_list args;

    fflush(stdout);
    va_start(args, format);
    fprintf(stderr, "sim_flash: ");
    vfprintf(stderr, format, args);
    fprintf(stderr, "\n");
    va_end(args);
    abort();
}

void sim_write_through(const struct sim_chip *chip, uint32_t index)
{
    if (chip->mirror != NULL) {
        const struct sim_sector *sector = sim_sector_at(chip->root, index);
        uint32_t size = chip->store->geometry.sector_size;
        sim_mirror_put(chip->mirror, index * size, sector->bits, sector->unstable, size);
    }
}

/* Beginning and end. */

static bool power_of_two(uint32_t value)
{
    return value != 0 && (value & (value - 1)) == 0;
}

static void check_geometry(const struct sim_geometry *geometry)
{
    if (!power_of_two(geometry->write_size) || !power_of_two(geometry->page_size) ||
        !power_of_two(geometry->sector_size) || geometry->total_size == 0 ||
        geometry->page_size % geometry->write_size != 0 ||
        geometry->sector_size % geometry->page_size != 0 ||
        geometry->total_size % geometry->sector_size != 0) {
        sim_die("no such chip: %" PRIu32 " bytes, sectors of %" PRIu32 ", pages of %" PRIu32
                ", writes of %" PRIu32,
                geometry->total_size, geometry->sector_size, geometry->page_size,
                geometry->write_size);
    }
}

/* Takes over one reference to the root. */
static void begin(struct sim_flash *sim, struct sim_snapshot *root, uint64_t seed)
{
    const struct sim_geometry *geometry = &root->store->geometry;
    struct sim_chip *chip = sim_allocate(sizeof *chip);

    chip->store = sim_store_share(root->store);
    chip->root = root;
    chip->seed = seed;
    chip->power = true;
    chip->wear = sim_allocate(chip->store->sector_count * sizeof *chip->wear);
    *sim = (struct sim_flash){
        .flash =
            {
                .total_size = geometry->total_size,
                .sector_size = geometry->sector_size,
                .page_size = geometry->page_size,
                .write_size = geometry->write_size,
            },
        .chip = chip,
    };
    sim_port_connect(sim);
}

void sim_flash_init(struct sim_flash *sim, const struct sim_geometry *geometry, uint64_t seed)
{
    check_geometry(geometry);
    struct sim_store *store = sim_store_new(geometry);
    begin(sim, sim_snapshot_blank(store), seed);
    sim_store_release(store);
}

static void weaken(struct sim_chip *chip, uint32_t offset, uint8_t mask)
{
    uint32_t index = offset / chip->store->geometry.sector_size;
    struct sim_sector *sector = sim_sector_own(&chip->root, index);
    struct sim_cells cells = sim_sector_open(chip->store, sector);

    cells.bits[offset % cells.size] |= mask;
    cells.unstable[offset % cells.size] |= mask;
    sim_sector_close(chip->store, sector);
    sim_write_through(chip, index);
}

/* Take over what the files hold. */
static void load_mirror(struct sim_chip *chip, const struct sim_mirror *mirror)
{
    const uint8_t *bits = sim_mirror_bits(mirror);
    const uint8_t *unstable = sim_mirror_unstable(mirror);
    const struct sim_geometry *geometry = &chip->store->geometry;
    uint32_t size = geometry->sector_size;

    for (uint32_t i = 0; i < chip->store->sector_count; i++, bits += size) {
        if (memcmp(bits, chip->store->blank->bits, size) != 0) {
            memcpy(sim_sector_own(&chip->root, i)->bits, bits, size);
        }
    }
    for (uint32_t i = 0; unstable != NULL && i < geometry->total_size; i++) {
        if (unstable[i] != 0) {
            weaken(chip, i, unstable[i]);
        }
    }
}

enum upd_err sim_flash_open(struct sim_flash *sim, const char *path,
                            const struct sim_geometry *geometry, uint64_t seed)
{
    struct sim_mirror *mirror;

    check_geometry(geometry);
    enum upd_err err = sim_mirror_open(&mirror, path, geometry->total_size);
    if (err != UPD_OK) {
        return err;
    }
    sim_flash_init(sim, geometry, seed);
    load_mirror(sim->chip, mirror);
    sim->chip->mirror = mirror;
    return UPD_OK;
}

void sim_flash_fork(struct sim_flash *sim, const struct sim_flash *source)
{
    begin(sim, sim_flash_snapshot(source), source->chip->seed);
    sim->chip->reads = source->chip->reads;
    sim->chip->reads_turn = source->chip->reads_turn;
    sim->chip->allow_overwrite = source->chip->allow_overwrite;
    sim->chip->cure_by_program = source->chip->cure_by_program;
    sim->chip->settle_programs = source->chip->settle_programs;
}

static const char *violation_text(enum sim_violation_kind kind)
{
    switch (kind) {
    case SIM_NO_VIOLATION:
        break;
    case SIM_OUTSIDE:
        return "access beyond the end of the chip";
    case SIM_UNALIGNED:
        return "offset or size not aligned";
    case SIM_NO_DATA:
        return "no data";
    case SIM_SETS_A_BIT:
        return "program of a 1 over a 0";
    }
    return "none";
}

void sim_flash_free(struct sim_flash *sim)
{
    struct sim_chip *chip = sim->chip;
    const struct sim_violation *violation = &chip->violation;

    if (violation->count > 0 && !chip->violation_seen) {
        sim_die("the contract was broken %" PRIu32 " times, first before operation %" PRIu64
                ": %s at 0x%" PRIx32 ", %" PRIu32 " bytes",
                violation->count, violation->sequence, violation_text(violation->kind),
                violation->offset, violation->size);
    }
    sim_mirror_close(chip->mirror);
    sim_snapshot_free(chip->root);
    sim_store_release(chip->store);
    free(chip->cuts);
    free(chip->wear);
    free(chip);
    *sim = (struct sim_flash){0};
}

/* Content. */

static void check_range(const struct sim_flash *sim, uint32_t offset, uint32_t size)
{
    if (!upd_flash_contains(&sim->flash, offset, size)) {
        sim_die("no such bytes: %" PRIu32 " at 0x%" PRIx32, size, offset);
    }
}

void sim_flash_load(struct sim_flash *sim, uint32_t offset, const void *data, uint32_t size)
{
    struct sim_chip *chip = sim->chip;
    const uint8_t *bytes = data;

    check_range(sim, offset, size);
    while (size > 0) {
        uint32_t at = offset % sim->flash.sector_size;
        uint32_t room = sim->flash.sector_size - at;
        uint32_t part = size < room ? size : room;
        uint32_t index = offset / sim->flash.sector_size;
        struct sim_sector *sector = sim_sector_own(&chip->root, index);
        memcpy(sector->bits + at, bytes, part);
        if (sector->unstable != NULL) {
            memset(sector->unstable + at, 0, part);
            sim_sector_close(chip->store, sector);
        }
        sim_write_through(chip, index);
        offset += part;
        bytes += part;
        size -= part;
    }
}

void sim_flash_peek(const struct sim_flash *sim, uint32_t offset, void *data, uint32_t size)
{
    uint8_t *bytes = data;

    check_range(sim, offset, size);
    while (size > 0) {
        uint32_t at = offset % sim->flash.sector_size;
        uint32_t room = sim->flash.sector_size - at;
        uint32_t part = size < room ? size : room;
        memcpy(bytes, sim_sector_at(sim->chip->root, offset / sim->flash.sector_size)->bits + at,
               part);
        offset += part;
        bytes += part;
        size -= part;
    }
}

void sim_flash_flip(struct sim_flash *sim, uint32_t offset, uint8_t mask)
{
    uint8_t byte;

    sim_flash_peek(sim, offset, &byte, 1);
    byte ^= mask;
    sim_flash_load(sim, offset, &byte, 1);
}

void sim_flash_weaken(struct sim_flash *sim, uint32_t offset, uint8_t mask)
{
    check_range(sim, offset, 1);
    weaken(sim->chip, offset, mask);
}

uint32_t sim_flash_unstable(const struct sim_flash *sim, uint32_t offset, uint32_t size)
{
    uint32_t count = 0;

    check_range(sim, offset, size);
    for (uint32_t i = offset, end; i < offset + size; i = end) {
        uint32_t base = i - i % sim->flash.sector_size;
        const struct sim_sector *sector =
            sim_sector_at(sim->chip->root, i / sim->flash.sector_size);
        end = base + sim->flash.sector_size < offset + size ? base + sim->flash.sector_size
                                                            : offset + size;
        for (uint32_t k = i; sector->unstable != NULL && k < end; k++) {
            for (uint32_t mask = sector->unstable[k - base]; mask != 0; mask &= mask - 1) {
                count++;
            }
        }
    }
    return count;
}

/* From here, all that is left to chance follows from the seed and the calls to come. */
static void begin_choices(struct sim_flash *sim)
{
    sim->chip->reads_base = sim->counters.reads;
    sim->chip->choices_base = sim->counters.operations;
}

void sim_flash_set_reads(struct sim_flash *sim, enum sim_reads how, uint32_t first)
{
    sim->chip->reads = how;
    sim->chip->reads_turn = first;
    sim->chip->reads_base = sim->counters.reads;
}

void sim_flash_seed(struct sim_flash *sim, uint64_t seed)
{
    sim->chip->seed = seed;
    begin_choices(sim);
}

void sim_flash_cure_by_program(struct sim_flash *sim, bool cure)
{
    sim->chip->cure_by_program = cure;
}

void sim_flash_settle_programs(struct sim_flash *sim, bool settle)
{
    sim->chip->settle_programs = settle;
}

void sim_flash_allow_overwrite(struct sim_flash *sim, bool allow)
{
    sim->chip->allow_overwrite = allow;
}

/* What happened. */

struct sim_violation sim_flash_violation(struct sim_flash *sim)
{
    sim->chip->violation_seen = true;
    return sim->chip->violation;
}

void sim_flash_log(struct sim_flash *sim, struct sim_op *entries, uint32_t capacity)
{
    sim->chip->log = capacity == 0 ? NULL : entries;
    sim->chip->log_capacity = capacity;
}

uint32_t sim_flash_wear(const struct sim_flash *sim, uint32_t offset)
{
    check_range(sim, offset, 1);
    return sim->chip->wear[offset / sim->flash.sector_size];
}

uint32_t sim_flash_programs(const struct sim_flash *sim, uint32_t offset)
{
    check_range(sim, offset, 1);
    return sim_sector_at(sim->chip->root, offset / sim->flash.sector_size)
        ->programs[offset % sim->flash.sector_size / sim->flash.page_size];
}

void sim_flash_set_hook(struct sim_flash *sim, sim_hook *hook, void *ctx)
{
    sim->chip->hook = hook;
    sim->chip->hook_ctx = ctx;
}

/* Snapshots. */

struct sim_snapshot *sim_flash_snapshot(const struct sim_flash *sim)
{
    return sim_snapshot_share(sim->chip->root);
}

void sim_flash_restore(struct sim_flash *sim, struct sim_snapshot *snapshot)
{
    struct sim_chip *chip = sim->chip;
    struct sim_snapshot *before = chip->root;

    if (snapshot->store != chip->store) {
        sim_die("a snapshot of another flash");
    }
    chip->root = sim_snapshot_share(snapshot);
    for (uint32_t i = 0; chip->mirror != NULL && i < chip->store->sector_count; i++) {
        if (sim_sector_at(before, i) != sim_sector_at(snapshot, i)) {
            sim_write_through(chip, i);
        }
    }
    sim_snapshot_free(before);

    sim_flash_cut(sim, NULL, 0, false);
    sim_flash_heal(sim);
    sim_flash_power_on(sim);
    begin_choices(sim);
}
