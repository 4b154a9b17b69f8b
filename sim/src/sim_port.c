#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <updraft/sim_random.h>

#include "sim_chip.h"

enum { REFUSED_MAX = 1000000 };

/* How an operation ends. SIM_TEAR_AFTER: all of it is done; SIM_TEAR_BEFORE: nothing. */
struct ending {
    enum sim_outcome outcome;
    struct sim_tear tear;
};

static enum upd_err violate(struct sim_flash *sim, enum sim_violation_kind kind, uint32_t offset,
                            uint32_t size)
{
    struct sim_violation *violation = &sim->chip->violation;

    if (violation->count++ == 0) {
        violation->kind = kind;
        violation->offset = offset;
        violation->size = size;
        violation->sequence = sim->counters.operations;
    }
    sim->chip->violation_seen = false;
    return UPD_E_ARG;
}

static enum upd_err refuse(struct sim_flash *sim)
{
    sim->counters.refused++;
    if (++sim->chip->refused > REFUSED_MAX) {
        sim_die("%d calls since power was cut: the caller does not give up", REFUSED_MAX);
    }
    return UPD_E_IO;
}

/* Faults. */

enum scope { IN_OPERATIONS, IN_READS, IN_BYTE, IN_SECTOR };

/* What a fault does to an operation. SIM_TEAR_ANY stands for the tear that the fault brings. */
static const struct {
    enum scope scope;
    enum sim_op_kind op; /* IN_SECTOR only */
    enum sim_outcome outcome;
    enum sim_tear_kind tear;
} fault_effects[] = {
    [SIM_FAULT_FAILS] = {IN_OPERATIONS, 0, SIM_FAILED, SIM_TEAR_BEFORE},
    [SIM_FAULT_FAILS_DONE] = {IN_OPERATIONS, 0, SIM_FAILED, SIM_TEAR_AFTER},
    [SIM_FAULT_FAILS_TORN] = {IN_OPERATIONS, 0, SIM_FAILED, SIM_TEAR_ANY},
    [SIM_FAULT_IGNORED] = {IN_OPERATIONS, 0, SIM_LIED, SIM_TEAR_BEFORE},
    [SIM_FAULT_TORN] = {IN_OPERATIONS, 0, SIM_LIED, SIM_TEAR_ANY},
    [SIM_FAULT_READ_FAILS] = {.scope = IN_READS},
    [SIM_FAULT_READ_FLIPS] = {.scope = IN_READS},
    [SIM_FAULT_STUCK_0] = {.scope = IN_BYTE},
    [SIM_FAULT_STUCK_1] = {.scope = IN_BYTE},
    [SIM_FAULT_ERASE_FAILS] = {IN_SECTOR, SIM_ERASE, SIM_FAILED, SIM_TEAR_BEFORE},
    [SIM_FAULT_ERASE_IGNORED] = {IN_SECTOR, SIM_ERASE, SIM_LIED, SIM_TEAR_BEFORE},
    [SIM_FAULT_PROGRAM_FAILS] = {IN_SECTOR, SIM_PROGRAM, SIM_FAILED, SIM_TEAR_BEFORE},
    [SIM_FAULT_PROGRAM_IGNORED] = {IN_SECTOR, SIM_PROGRAM, SIM_LIED, SIM_TEAR_BEFORE},
};

static bool in_window(const struct sim_armed_fault *armed, uint64_t number)
{
    return number >= armed->first && number - armed->first < armed->fault.count;
}

/* True when the fault meets the operation; *ending then tells what it does to it. */
static bool meets(const struct sim_flash *sim, const struct sim_armed_fault *armed,
                  const struct sim_op *op, struct ending *ending)
{
    const struct sim_fault *fault = &armed->fault;
    uint32_t sector_size = sim->flash.sector_size;

    *ending = (struct ending){fault_effects[fault->kind].outcome, fault->tear};
    if (fault_effects[fault->kind].tear != SIM_TEAR_ANY) {
        ending->tear.kind = fault_effects[fault->kind].tear;
    }
    switch (fault_effects[fault->kind].scope) {
    case IN_OPERATIONS:
        return in_window(armed, op->sequence);
    case IN_SECTOR:
        return fault_effects[fault->kind].op == op->kind &&
               fault->at / sector_size == op->offset / sector_size;
    case IN_READS:
    case IN_BYTE:
        break;
    }
    return false;
}

void sim_flash_fault(struct sim_flash *sim, const struct sim_fault *fault)
{
    struct sim_chip *chip = sim->chip;

    if (chip->fault_count == SIM_FAULTS_MAX) {
        sim_die("more than %d faults", SIM_FAULTS_MAX);
    }
    uint64_t now = fault_effects[fault->kind].scope == IN_READS ? sim->counters.reads
                                                                : sim->counters.operations;
    chip->faults[chip->fault_count++] = (struct sim_armed_fault){*fault, now + fault->at};
}

void sim_flash_heal(struct sim_flash *sim)
{
    sim->chip->fault_count = 0;
}

/* Power. */

bool sim_flash_has_power(const struct sim_flash *sim)
{
    return sim->chip->power;
}

void sim_flash_power_off(struct sim_flash *sim)
{
    if (sim->chip->power) {
        sim->chip->power = false;
        sim->counters.cuts++;
    }
}

void sim_flash_power_on(struct sim_flash *sim)
{
    if (!sim->chip->power) {
        sim->chip->power = true;
        sim->chip->refused = 0;
        sim->chip->cut_base = sim->counters.operations;
    }
}

void sim_flash_cut(struct sim_flash *sim, const struct sim_cut *cuts, uint32_t count, bool repeat)
{
    struct sim_chip *chip = sim->chip;
    struct sim_cut *copy = NULL;

    if (count > 0) {
        copy = sim_allocate(count * sizeof *copy);
        memcpy(copy, cuts, count * sizeof *copy);
    }
    free(chip->cuts);
    chip->cuts = copy;
    chip->cut_count = count;
    chip->cut_next = 0;
    chip->cut_repeat = repeat;
    chip->cut_round = 0;
    chip->cut_base = sim->counters.operations;
}

void sim_flash_cut_at(struct sim_flash *sim, uint32_t op, enum sim_tear_kind kind)
{
    uint64_t number = sim->counters.operations - sim->chip->choices_base + op;
    const struct sim_cut cut = {
        .op = op,
        .tear = {kind, SIM_TEAR_SEEDED, sim_random_at(~sim->chip->seed, number)},
    };

    sim_flash_cut(sim, &cut, 1, false);
}

/* True when the operation is to be cut; *ending then tells how. */
static bool cut_is_due(struct sim_chip *chip, const struct sim_op *op, struct ending *ending)
{
    if (chip->cut_next == chip->cut_count ||
        op->sequence - chip->cut_base != chip->cuts[chip->cut_next].op) {
        return false;
    }

    *ending = (struct ending){SIM_CUT, chip->cuts[chip->cut_next].tear};
    if (chip->cut_round > 0) {
        ending->tear.seed = sim_random_at(ending->tear.seed, chip->cut_round);
    }
    if (++chip->cut_next == chip->cut_count && chip->cut_repeat) {
        chip->cut_next = 0;
        chip->cut_round++;
    }
    return true;
}

/* Operations. */

/* An unstable cell keeps its 1 unless programs cure it. */
static void program_fully(struct sim_chip *chip, struct sim_sector *sector, uint32_t at,
                          const uint8_t *data, uint32_t size)
{
    if (sector->unstable == NULL) {
        for (uint32_t i = 0; i < size; i++) {
            sector->bits[at + i] &= data[i];
        }
        return;
    }
    for (uint32_t i = 0; i < size; i++) {
        if (chip->cure_by_program) {
            sector->unstable[at + i] &= data[i];
        }
        sector->bits[at + i] &= data[i] | sector->unstable[at + i];
    }
    sim_sector_close(chip->store, sector);
}

static void tear_operation(struct sim_chip *chip, struct sim_sector *sector,
                           const struct sim_op *op, const uint8_t *data,
                           const struct sim_tear *tear)
{
    struct sim_cells cells = sim_sector_open(chip->store, sector);

    if (!sim_tear_exists(tear->kind, op->kind)) {
        sim_die("an operation of kind %d at 0x%" PRIx32 " cannot be torn as %s", (int)op->kind,
                op->offset, sim_tear_name(tear->kind));
    }
    if (op->kind == SIM_ERASE) {
        sim_cells_erase(&cells, tear);
    } else {
        cells.settles = chip->settle_programs;
        sim_cells_program(&cells, chip->store->geometry.page_size, op->offset % cells.size, data,
                          op->size, tear);
    }
    sim_sector_close(chip->store, sector);
}

/* Do to the cells what the ending of the operation leaves to be done. */
static void act(struct sim_flash *sim, const struct sim_op *op, const uint8_t *data,
                const struct sim_tear *tear)
{
    struct sim_chip *chip = sim->chip;
    const struct sim_geometry *geometry = &chip->store->geometry;
    uint32_t index = op->offset / geometry->sector_size;
    uint32_t at = op->offset % geometry->sector_size;

    if (tear->kind == SIM_TEAR_BEFORE) {
        return;
    }
    if (op->kind == SIM_ERASE && tear->kind == SIM_TEAR_AFTER) {
        sim_sector_blank(&chip->root, index);
    } else {
        struct sim_sector *sector = sim_sector_own(&chip->root, index);
        if (tear->kind == SIM_TEAR_AFTER) {
            program_fully(chip, sector, at, data, op->size);
        } else {
            tear_operation(chip, sector, op, data, tear);
        }
        if (op->kind == SIM_PROGRAM && sector->programs[at / geometry->page_size] < UINT8_MAX) {
            sector->programs[at / geometry->page_size]++;
        }
    }

    if (op->kind == SIM_ERASE) {
        sim->counters.erases++;
        chip->wear[index]++;
    } else {
        sim->counters.programs++;
        sim->counters.programmed += op->size;
    }
}

static struct ending find_ending(struct sim_flash *sim, const struct sim_op *op)
{
    struct sim_chip *chip = sim->chip;
    struct ending ending;

    if (cut_is_due(chip, op, &ending)) {
        sim_flash_power_off(sim);
        return ending;
    }
    for (uint32_t i = 0; i < chip->fault_count; i++) {
        if (meets(sim, &chip->faults[i], op, &ending)) {
            return ending;
        }
    }
    return (struct ending){SIM_DONE, {.kind = SIM_TEAR_AFTER}};
}

static enum upd_err operate(struct sim_flash *sim, enum sim_op_kind kind, uint32_t offset,
                            const uint8_t *data, uint32_t size)
{
    struct sim_chip *chip = sim->chip;
    struct sim_op op = {sim->counters.operations++, kind, offset, size, SIM_DONE};

    if (chip->hook != NULL) {
        chip->hook(chip->hook_ctx, sim, &op, data);
    }

    struct ending ending = find_ending(sim, &op);
    act(sim, &op, data, &ending.tear);
    if (ending.outcome == SIM_LIED && kind == SIM_ERASE) {
        sim_sector_own(&chip->root, offset / sim->flash.sector_size)->deceived = true;
    }
    sim_write_through(chip, offset / sim->flash.sector_size);

    op.outcome = ending.outcome;
    if (chip->log != NULL) {
        chip->log[op.sequence % chip->log_capacity] = op;
    }
    return op.outcome == SIM_DONE || op.outcome == SIM_LIED ? UPD_OK : UPD_E_IO;
}

/* True when the program asks for a 1 where the sector holds a 0, and should know better. */
static bool sets_a_bit(const struct sim_chip *chip, const struct sim_sector *sector, uint32_t at,
                       const uint8_t *data, uint32_t size)
{
    uint8_t set = 0;

    for (uint32_t i = 0; i < size; i++) {
        set |= data[i] & (uint8_t)~sector->bits[at + i];
    }
    return set != 0 && !chip->allow_overwrite && !sector->deceived;
}

/* The three functions of the port. */

static enum upd_err port_erase(void *ctx, uint32_t offset)
{
    struct sim_flash *sim = ctx;

    if (!sim->chip->power) {
        return refuse(sim);
    }
    if (!upd_flash_contains(&sim->flash, offset, sim->flash.sector_size)) {
        return violate(sim, SIM_OUTSIDE, offset, sim->flash.sector_size);
    }
    if (offset % sim->flash.sector_size != 0) {
        return violate(sim, SIM_UNALIGNED, offset, sim->flash.sector_size);
    }
    return operate(sim, SIM_ERASE, offset, NULL, sim->flash.sector_size);
}

static enum upd_err port_write(void *ctx, uint32_t offset, const void *data, uint32_t size)
{
    struct sim_flash *sim = ctx;
    const struct upd_flash *flash = &sim->flash;
    const uint8_t *bytes = data;

    if (!sim->chip->power) {
        return refuse(sim);
    }
    if (!upd_flash_contains(flash, offset, size)) {
        return violate(sim, SIM_OUTSIDE, offset, size);
    }
    if (offset % flash->write_size != 0 || size % flash->write_size != 0) {
        return violate(sim, SIM_UNALIGNED, offset, size);
    }
    if (data == NULL && size > 0) {
        return violate(sim, SIM_NO_DATA, offset, size);
    }
    while (size > 0) {
        uint32_t room = flash->page_size - offset % flash->page_size;
        uint32_t part = size < room ? size : room;
        const struct sim_sector *sector =
            sim_sector_at(sim->chip->root, offset / flash->sector_size);
        if (sets_a_bit(sim->chip, sector, offset % flash->sector_size, bytes, part)) {
            return violate(sim, SIM_SETS_A_BIT, offset, part);
        }
        enum upd_err err = operate(sim, SIM_PROGRAM, offset, bytes, part);
        if (err != UPD_OK) {
            return err;
        }
        offset += part;
        bytes += part;
        size -= part;
    }
    return UPD_OK;
}

/* What an unstable cell reads; one bit for each cell of the byte. */
static uint8_t unstable_reading(const struct sim_flash *sim, uint32_t offset)
{
    const struct sim_chip *chip = sim->chip;
    uint64_t number = sim->counters.reads - chip->reads_base;

    switch (chip->reads) {
    case SIM_READS_RANDOM:
        return (uint8_t)sim_random_at(sim_random_at(chip->seed, number), offset);
    case SIM_READS_ONES:
        return 0xFF;
    case SIM_READS_ZEROS:
        return 0;
    case SIM_READS_ALTERNATE:
        return number % 2 == 0 ? 0xFF : 0;
    case SIM_READS_ONES_THEN_ZEROS:
        return number < chip->reads_turn ? 0xFF : 0;
    case SIM_READS_ZEROS_THEN_ONES:
        return number < chip->reads_turn ? 0 : 0xFF;
    }
    return 0xFF;
}

/* Read within one sector. */
static void read_sector(const struct sim_flash *sim, uint32_t offset, uint8_t *bytes, uint32_t size)
{
    const struct sim_sector *sector =
        sim_sector_at(sim->chip->root, offset / sim->flash.sector_size);
    uint32_t at = offset % sim->flash.sector_size;

    memcpy(bytes, sector->bits + at, size);
    for (uint32_t i = 0; sector->unstable != NULL && i < size; i++) {
        if (sector->unstable[at + i] != 0) {
            bytes[i] &= (uint8_t)(~sector->unstable[at + i] | unstable_reading(sim, offset + i));
        }
    }
}

/* Let the faults have their way with what was read. */
static void spoil_read(const struct sim_flash *sim, uint32_t offset, uint8_t *bytes, uint32_t size)
{
    const struct sim_chip *chip = sim->chip;
    uint64_t number = sim->counters.reads;

    for (uint32_t i = 0; i < chip->fault_count; i++) {
        const struct sim_fault *fault = &chip->faults[i].fault;
        bool here = fault->at >= offset && fault->at - offset < size;
        if (fault->kind == SIM_FAULT_STUCK_0 && here) {
            bytes[fault->at - offset] &= (uint8_t)~fault->mask;
        } else if (fault->kind == SIM_FAULT_STUCK_1 && here) {
            bytes[fault->at - offset] |= fault->mask;
        } else if (fault->kind == SIM_FAULT_READ_FLIPS && size > 0 &&
                   in_window(&chip->faults[i], number)) {
            struct sim_random random = {chip->seed ^ (number - chip->reads_base)};
            uint32_t at = sim_random_below(&random, size);
            bytes[at] ^= (uint8_t)(1u << sim_random_below(&random, 8));
        }
    }
}

static bool read_fails(const struct sim_flash *sim)
{
    const struct sim_chip *chip = sim->chip;

    for (uint32_t i = 0; i < chip->fault_count; i++) {
        if (chip->faults[i].fault.kind == SIM_FAULT_READ_FAILS &&
            in_window(&chip->faults[i], sim->counters.reads)) {
            return true;
        }
    }
    return false;
}

static enum upd_err port_read(void *ctx, uint32_t offset, void *data, uint32_t size)
{
    struct sim_flash *sim = ctx;

    if (!sim->chip->power) {
        return refuse(sim);
    }
    if (!upd_flash_contains(&sim->flash, offset, size)) {
        return violate(sim, SIM_OUTSIDE, offset, size);
    }
    if (data == NULL && size > 0) {
        return violate(sim, SIM_NO_DATA, offset, size);
    }

    bool fails = read_fails(sim);
    for (uint32_t done = 0; done < size && !fails;) {
        uint32_t room = sim->flash.sector_size - (offset + done) % sim->flash.sector_size;
        uint32_t part = size - done < room ? size - done : room;
        read_sector(sim, offset + done, (uint8_t *)data + done, part);
        done += part;
    }
    if (!fails) {
        spoil_read(sim, offset, data, size);
    }
    sim->counters.reads++;
    sim->counters.read += size;
    return fails ? UPD_E_IO : UPD_OK;
}

void sim_port_connect(struct sim_flash *sim)
{
    sim->flash.read = port_read;
    sim->flash.write = port_write;
    sim->flash.erase = port_erase;
    sim->flash.ctx = sim;
}
