#include <updraft/sim_flash.h>

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <updraft/sim_random.h>

#include "sim_mirror.h"
#include "sim_store.h"

enum { FAULTS_MAX = 16, REFUSED_MAX = 1000000 };

struct armed_fault {
    struct sim_fault fault;
    uint64_t first; /* operation or read, as counted by the counters */
};

/* How an operation ends. SIM_TEAR_AFTER: all of it is done; SIM_TEAR_BEFORE: nothing. */
struct ending {
    enum sim_outcome outcome;
    struct sim_tear tear;
};

struct sim_chip {
    struct sim_store *store;
    struct sim_snapshot *root;
    struct sim_mirror *mirror; /* NULL: in memory only */
    uint64_t seed;

    enum sim_reads reads;
    uint32_t reads_turn;
    uint64_t reads_base;   /* the counters' reads when the readings of unstable cells began anew */
    uint64_t choices_base; /* the counters' operations when the choices of tears began anew */

    bool power;
    bool allow_overwrite;
    bool cure_by_program;
    uint32_t refused; /* since power went */

    struct sim_cut *cuts;
    uint32_t cut_count;
    uint32_t cut_next;
    bool cut_repeat;
    uint64_t cut_round;
    uint64_t cut_base; /* operation number 0 of the next cut */

    struct armed_fault faults[FAULTS_MAX];
    uint32_t fault_count;

    struct sim_op *log;
    uint32_t log_capacity;
    sim_hook *hook;
    void *hook_ctx;

    struct sim_violation violation;
    bool violation_seen;
    uint32_t *wear; /* per sector */
};

const struct sim_geometry sim_flash_512k = SIM_GEOMETRY(0x80000);
const struct sim_geometry sim_flash_1m = SIM_GEOMETRY(0x100000);
const struct sim_geometry sim_flash_2m = SIM_GEOMETRY(0x200000);
const struct sim_geometry sim_flash_4m = SIM_GEOMETRY(0x400000);
const struct sim_geometry sim_flash_16m = SIM_GEOMETRY(0x1000000);

_Noreturn static void die(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A test that makes no sense, or a library that must not go on: there is nobody to return to. */
_Noreturn static void die(const char *format, ...)
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

struct sim_violation sim_flash_violation(struct sim_flash *sim)
{
    sim->chip->violation_seen = true;
    return sim->chip->violation;
}

void sim_flash_allow_overwrite(struct sim_flash *sim, bool allow)
{
    sim->chip->allow_overwrite = allow;
}

static enum upd_err refuse(struct sim_flash *sim)
{
    sim->counters.refused++;
    if (++sim->chip->refused > REFUSED_MAX) {
        die("%d calls since power was cut: the caller does not give up", REFUSED_MAX);
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

static bool in_window(const struct armed_fault *armed, uint64_t number)
{
    return number >= armed->first && number - armed->first < armed->fault.count;
}

/* True when the fault meets the operation; *ending then tells what it does to it. */
static bool meets(const struct sim_flash *sim, const struct armed_fault *armed,
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

    if (chip->fault_count == FAULTS_MAX) {
        die("more than %d faults", FAULTS_MAX);
    }
    uint64_t now = fault_effects[fault->kind].scope == IN_READS ? sim->counters.reads
                                                                : sim->counters.operations;
    chip->faults[chip->fault_count++] = (struct armed_fault){*fault, now + fault->at};
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

static void write_through(const struct sim_chip *chip, uint32_t index)
{
    if (chip->mirror != NULL) {
        const struct sim_sector *sector = sim_sector_at(chip->root, index);
        uint32_t size = chip->store->geometry.sector_size;
        sim_mirror_put(chip->mirror, index * size, sector->bits, sector->unstable, size);
    }
}

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
        die("an operation of kind %d at 0x%" PRIx32 " cannot be torn as %s", (int)op->kind,
            op->offset, sim_tear_name(tear->kind));
    }
    if (op->kind == SIM_ERASE) {
        sim_cells_erase(&cells, tear);
    } else {
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
    write_through(chip, offset / sim->flash.sector_size);

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
            struct sim_random random = {chip->seed ^ number};
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
        die("no such chip: %" PRIu32 " bytes, sectors of %" PRIu32 ", pages of %" PRIu32
            ", writes of %" PRIu32,
            geometry->total_size, geometry->sector_size, geometry->page_size, geometry->write_size);
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
                .read = port_read,
                .write = port_write,
                .erase = port_erase,
                .ctx = sim,
                .total_size = geometry->total_size,
                .sector_size = geometry->sector_size,
                .page_size = geometry->page_size,
                .write_size = geometry->write_size,
            },
        .chip = chip,
    };
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
    write_through(chip, index);
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
}

void sim_flash_free(struct sim_flash *sim)
{
    struct sim_chip *chip = sim->chip;
    const struct sim_violation *violation = &chip->violation;

    if (violation->count > 0 && !chip->violation_seen) {
        die("the contract was broken %" PRIu32 " times, first before operation %" PRIu64
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
        die("no such bytes: %" PRIu32 " at 0x%" PRIx32, size, offset);
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
        write_through(chip, index);
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
    for (uint32_t i = offset; i < offset + size; i++) {
        const struct sim_sector *sector =
            sim_sector_at(sim->chip->root, i / sim->flash.sector_size);
        uint32_t mask = sector->unstable == NULL ? 0 : sector->unstable[i % sim->flash.sector_size];
        for (; mask != 0; mask &= mask - 1) {
            count++;
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

/* What happened. */

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
        die("a snapshot of another flash");
    }
    chip->root = sim_snapshot_share(snapshot);
    for (uint32_t i = 0; chip->mirror != NULL && i < chip->store->sector_count; i++) {
        if (sim_sector_at(before, i) != sim_sector_at(snapshot, i)) {
            write_through(chip, i);
        }
    }
    sim_snapshot_free(before);

    sim_flash_cut(sim, NULL, 0, false);
    sim_flash_heal(sim);
    sim_flash_power_on(sim);
    begin_choices(sim);
}
