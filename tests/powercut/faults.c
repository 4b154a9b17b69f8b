/*
 * A chip that has power and does not do as it is told: each fault of the model at each operation
 * and read of an update, and each sector dead. A device goes on running a whole image; an error
 * names the sector; and when the fault is gone, the update can be finished.
 */
#include "verbs.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <updraft/sysparam.h>

#include "life.h"
#include "pool.h"

enum { LOG = 1024, SECTORS_MAX = 64 };

struct found {
    uint64_t faults, errors, bricks, unverified, lost, stuck, unnamed;
    uint64_t hopeless; /* where a sketch has to lie to run, and no other place will do */
    char first[300];
};

/* An update without a fault: what there is to go wrong. */
struct plan {
    struct sim_op ops[LOG];
    uint64_t op_count, read_count;
    uint32_t sector[SECTORS_MAX];
    uint32_t sector_count;
};

static void note_op(void *ctx, struct life *life, const struct sim_op *op, const void *data)
{
    struct plan *plan = ctx;
    uint32_t sector = op->offset - op->offset % SECTOR;
    uint32_t i = 0;

    (void)life;
    (void)data;
    while (i < plan->sector_count && plan->sector[i] != sector) {
        i++;
    }
    if (i == plan->sector_count && i < SECTORS_MAX) {
        plan->sector[plan->sector_count++] = sector;
    }
    if (plan->op_count < LOG) {
        plan->ops[plan->op_count++] = *op;
    }
}

static void complain(struct found *found, const struct life *life, const struct sim_fault *fault,
                     const char *what)
{
    if (found->first[0] == 0) {
        snprintf(found->first, sizeof found->first,
                 "%s %s: fault %d at 0x%x: %s (%s: %s; trouble 0x%x) %s", life->setup->name,
                 kind_names[life->kind], (int)fault->kind, fault->at, what,
                 life->during == NULL ? "" : life->during, upd_err_text(life->err),
                 life->device.trouble, life->complaint);
    }
}

/* An Arduino sketch runs from one place: when that is broken for good, no image can run. */
static bool is_hopeless(const struct life *life, const struct sim_fault *fault)
{
    return life->setup->scheme == EBOOT && fault->kind >= SIM_FAULT_STUCK_0 &&
           fault->at < life->setup->image[NEW][0].size;
}

static void count_damage(struct found *found, struct life *life, const struct sim_fault *fault)
{
    if ((life->brick || life->unverified) && !life->lost && is_hopeless(life, fault)) {
        found->hopeless++;
        return;
    }
    found->bricks += life->brick;
    found->unverified += life->unverified;
    found->lost += life->lost;
    if (life->brick || life->unverified || life->lost) {
        complain(found, life, fault, "damage");
    }
}

/* A read that went wrong once: whoever cannot go on then is reset. */
static bool is_passing(const struct sim_fault *fault)
{
    return fault->kind == SIM_FAULT_READ_FAILS || fault->kind == SIM_FAULT_READ_FLIPS;
}

/*
 * Live with a fault for some sessions, then without.
 *
 * @param sector  that an error has to name; UINT32_MAX: any
 */
static void live(struct life *life, struct state *start, struct found *found,
                 const struct sim_fault *fault, uint32_t sector)
{
    enum { SESSIONS = 6 };
    enum end end = END_RESTART;
    bool damaged = false;

    life_restore(life, start);
    sim_flash_fault(&life->sim, fault);
    found->faults++;
    for (uint32_t i = 0; i < SESSIONS && end != END_DONE && !damaged; i++) {
        end = life_session(life);
        if (end == END_DEAD && life->brick && is_passing(fault)) {
            end = END_RESTART; /* the watchdog resets it, and the fault is over */
            life->brick = false;
            life->complaint[0] = 0;
        }
        damaged = end == END_DEAD;
        if (end == END_FAILED) {
            found->errors++;
            bool named = life->device.trouble == sector ||
                         (sector == UINT32_MAX && life->device.trouble != UINT32_MAX);
            bool of_flash = life->err == UPD_E_IO || life->err == UPD_E_VERIFY;
            if (of_flash && !named) {
                found->unnamed++;
                complain(found, life, fault, "the error names another sector");
            }
        }
    }
    sim_flash_heal(&life->sim);
    if (!damaged && end != END_DONE) {
        end = life_to_end(life);
        if (end != END_DONE && end != END_DEAD) {
            found->stuck++;
            complain(found, life, fault, "not finished when the fault was gone");
        }
    }
    count_damage(found, life, fault);
}

static void fail_operations(struct life *life, struct state *start, const struct plan *plan,
                            struct found *found)
{
    static const enum sim_fault_kind kinds[] = {SIM_FAULT_FAILS, SIM_FAULT_FAILS_DONE,
                                                SIM_FAULT_FAILS_TORN, SIM_FAULT_IGNORED,
                                                SIM_FAULT_TORN};
    /* A chip that says done and leaves cells which read well and later badly breaks its contract.
     */
    static const enum sim_tear_kind tears[] = {SIM_TEAR_PREFIX, SIM_TEAR_BITS, SIM_TEAR_LAST_WORD};

    for (uint32_t i = 0; i < plan->op_count; i++) {
        uint32_t sector = plan->ops[i].offset - plan->ops[i].offset % SECTOR;
        for (uint32_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
            struct sim_fault fault = {.kind = kinds[k],
                                      .at = i,
                                      .count = 1,
                                      .tear = {tears[(i + k) % 3], SIM_TEAR_SEEDED, i}};
            live(life, start, found, &fault, sector);
        }
    }
}

static void fail_reads(struct life *life, struct state *start, const struct plan *plan,
                       struct found *found)
{
    for (uint32_t i = 0; i < plan->read_count; i++) {
        struct sim_fault fault = {.kind = SIM_FAULT_READ_FAILS, .at = i, .count = 1};
        live(life, start, found, &fault, UINT32_MAX);
        fault.kind = SIM_FAULT_READ_FLIPS;
        live(life, start, found, &fault, UINT32_MAX);
    }
}

/* The fault by itself changes a bit of the SDK's settings as they are: nothing to do with updates.
 */
static bool breaks_settings(struct life *life, struct state *start, const struct sim_fault *fault)
{
    const struct upd_area *params = &life->setup->area[life->setup->metadata_count - 1];
    uint32_t within = fault->at % SECTOR;
    uint8_t byte;

    life_restore(life, start);
    sim_flash_peek(&life->sim, fault->at, &byte, 1);
    return life->setup->scheme == NONOS && fault->at - params->offset < params->size &&
           within >= UPD_BOOT_BLOCK_SIZE && within < UPD_SYSPARAM_SDK_SIZE &&
           ((byte & fault->mask) != 0) == (fault->kind == SIM_FAULT_STUCK_0);
}

static void fail_sectors(struct life *life, struct state *start, const struct plan *plan,
                         struct found *found)
{
    static const enum sim_fault_kind kinds[] = {SIM_FAULT_ERASE_FAILS, SIM_FAULT_ERASE_IGNORED,
                                                SIM_FAULT_PROGRAM_FAILS, SIM_FAULT_PROGRAM_IGNORED};

    for (uint32_t i = 0; i < plan->sector_count; i++) {
        for (uint32_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
            struct sim_fault fault = {.kind = kinds[k], .at = plan->sector[i], .count = UINT32_MAX};
            live(life, start, found, &fault, plan->sector[i]);
        }
        for (uint32_t at = 0; at < SECTOR; at += 173) {
            struct sim_fault fault = {.kind = at % 2 == 0 ? SIM_FAULT_STUCK_0 : SIM_FAULT_STUCK_1,
                                      .at = plan->sector[i] + at,
                                      .count = UINT32_MAX,
                                      .mask = (uint8_t)(1u << at % 8)};
            if (breaks_settings(life, start, &fault)) {
                continue;
            }
            live(life, start, found, &fault, plan->sector[i]);
        }
    }
}

static const char *const faulty[] = {
    "nonos-map2",        "nonos-map5-from-user2",      "nonos-v1.7-map2",
    "idf-two_ota_large", "idf-rollback-two_ota_large", "rtos-two_ota.1MB",
#ifndef WITHOUT_EBOOT
    "eboot-1m64",
#endif
};

static void work(uint32_t index, void *ctx, void *result)
{
    struct setup setup;
    struct life life, other;
    struct plan *plan = take(sizeof *plan);

    (void)ctx;
    memset(plan, 0, sizeof *plan);
    setup_make(&setup, setup_find(faulty[index / KIND_COUNT]), SIZES_TINY);
    life_begin(&life, &setup, (enum kind)(index % KIND_COUNT), OUTCOME_CONFIRMED, 1);
    struct state start = life_save(&life);
    life_fork(&other, &life);
    life.hook = note_op;
    life.hook_ctx = plan;
    if (life_to_end(&life) != END_DONE) {
        die("%s: without a fault it does not end", setup.name);
    }
    plan->read_count = life.sim.counters.reads;
    fail_operations(&other, &start, plan, result);
    fail_reads(&other, &start, plan, result);
    fail_sectors(&other, &start, plan, result);
    state_free(&start);
    life_end(&other);
    life_end(&life);
    setup_free(&setup);
    free(plan);
}

int verb_faults(int argc, char **argv)
{
    enum { COUNT = sizeof faulty / sizeof faulty[0] * KIND_COUNT };
    struct found *found = take(COUNT * sizeof *found);
    struct found sum = {0};

    (void)argc;
    (void)argv;
    pool_run(COUNT, work, NULL, found, sizeof *found);
    for (uint32_t i = 0; i < COUNT; i++) {
        if (found[i].first[0] != 0) {
            printf("FAILED %s\n", found[i].first);
        }
        sum.faults += found[i].faults;
        sum.errors += found[i].errors;
        sum.bricks += found[i].bricks;
        sum.unverified += found[i].unverified;
        sum.lost += found[i].lost;
        sum.stuck += found[i].stuck;
        sum.unnamed += found[i].unnamed;
        sum.hopeless += found[i].hopeless;
    }
    free(found);
    printf("faults that break the place from which a sketch runs: %" PRIu64 "\n", sum.hopeless);
    printf("faults: %" PRIu64 ", errors: %" PRIu64 ", of the wrong sector: %" PRIu64
           ", bricks: %" PRIu64 ", unverified boots: %" PRIu64 ", user data lost: %" PRIu64
           ", not finished: %" PRIu64 "\n",
           sum.faults, sum.errors, sum.unnamed, sum.bricks, sum.unverified, sum.lost, sum.stuck);
    return sum.unnamed + sum.bricks + sum.unverified + sum.lost + sum.stuck == 0 ? 0 : 1;
}
