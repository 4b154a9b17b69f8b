/* Goal: snapshots hold all that a flash holds and cost what changed; what happens follows from the
 * seed and the calls alone; every cut of a run can be tried from its snapshots.
 * Method: random work with cuts, on small chips, beside a plain array of readings that needs no
 * sharing; counts of live sectors for the cost. */
#include <updraft/sim_flash.h>

#include <stdlib.h>
#include <string.h>

#include <updraft/sim_random.h>

#include "check.h"
#include "sim_store.h"

enum { SEED = 11 };

/* Chips with fewer sectors than a chunk, exactly one, not a multiple of it, and many chunks. */
static const struct sim_geometry chips[] = {
    {1 * 128, 128, 32, 4},   {8 * 128, 128, 32, 4},      {64 * 128, 128, 32, 4},
    {100 * 128, 128, 32, 4}, {3 * 64 * 128, 128, 32, 4}, {40 * 4096, 4096, 256, 4},
};
enum { CHIPS = sizeof chips / sizeof chips[0] };

/* One random operation; power comes back when it was cut. What it answered, for replays. */
static uint64_t step(struct sim_flash *sim, struct sim_random *random)
{
    uint8_t data[64], read[64];
    uint32_t offset = sim_random_below(random, sim->flash.total_size / 4) * 4;
    uint32_t size = sim->flash.total_size - offset < 64 ? sim->flash.total_size - offset : 64;
    uint64_t answer = 0;

    if (sim_random_below(random, 4) == 0) {
        sim_flash_cut_at(sim, 0, SIM_TEAR_ANY);
    }
    for (uint32_t i = 0; i < size; i++) {
        data[i] = (uint8_t)sim_random_next(random);
    }
    switch (sim_random_below(random, 3)) {
    case 0:
        answer = (uint64_t)sim->flash.erase(sim, offset - offset % sim->flash.sector_size);
        break;
    case 1:
        answer = (uint64_t)sim->flash.write(sim, offset, data, size);
        break;
    default:
        sim_flash_load(sim, offset, data, size);
        break;
    }
    sim_flash_cut(sim, NULL, 0, false);
    sim_flash_power_on(sim);
    if (sim->flash.read(sim, offset, read, size) == UPD_OK) {
        for (uint32_t i = 0; i < size; i++) {
            answer = sim_random_mix(answer ^ read[i]);
        }
    }
    return answer;
}

static uint64_t work(struct sim_flash *sim, uint32_t steps, uint64_t seed)
{
    struct sim_random random = {seed};
    uint64_t answers = 0;

    sim_flash_allow_overwrite(sim, true);
    for (uint32_t i = 0; i < steps; i++) {
        answers = sim_random_mix(answers ^ step(sim, &random));
    }
    return answers;
}

/* All that can be seen of the cells: both readings, and the programs of the pages. */
struct reading {
    uint32_t size;
    uint8_t bytes[];
};

static struct reading *read_all(struct sim_flash *sim)
{
    uint32_t size = sim->flash.total_size, pages = size / sim->flash.page_size;
    struct reading *reading = sim_allocate(sizeof *reading + 2 * size + pages);

    reading->size = 2 * size + pages;
    sim_flash_set_reads(sim, SIM_READS_ZEROS, 0);
    CHECK(sim->flash.read(sim, 0, reading->bytes, size) == UPD_OK);
    sim_flash_set_reads(sim, SIM_READS_ONES, 0);
    CHECK(sim->flash.read(sim, 0, reading->bytes + size, size) == UPD_OK);
    sim_flash_set_reads(sim, SIM_READS_RANDOM, 0);
    for (uint32_t i = 0; i < pages; i++) {
        reading->bytes[2 * size + i] = (uint8_t)sim_flash_programs(sim, i * sim->flash.page_size);
    }
    return reading;
}

static bool same_cells(const struct reading *one, const struct reading *other, uint32_t total_size)
{
    return memcmp(one->bytes, other->bytes, 2 * (size_t)total_size) == 0;
}

/* Make one byte of a flash what it is in another one, unstable cells included. */
static void copy_cell(struct sim_flash *target, const struct sim_flash *source, uint32_t at)
{
    struct sim_snapshot *root = sim_flash_snapshot(source);
    uint32_t size = source->flash.sector_size;
    const struct sim_sector *sector = sim_sector_at(root, at / size);

    sim_flash_load(target, at, sector->bits + at % size, 1);
    if (sector->unstable != NULL && sector->unstable[at % size] != 0) {
        sim_flash_weaken(target, at, sector->unstable[at % size]);
    }
    sim_snapshot_free(root);
}

static void test_restored_snapshots_read_as_they_were_taken(void)
{
    enum { TAKEN = 12 };

    for (uint32_t chip = 0; chip < CHIPS; chip++) {
        struct sim_flash sim;
        struct sim_random random = {chip};
        struct sim_snapshot *snapshots[TAKEN];
        struct reading *readings[TAKEN];
        sim_flash_init(&sim, &chips[chip], SEED);
        for (uint32_t i = 0; i < TAKEN; i++) {
            (void)work(&sim, 30, i);
            if (i > 0 && i % 4 == 0) {
                sim_flash_restore(&sim, snapshots[i - 2]);
                (void)work(&sim, 5, i);
            }
            snapshots[i] = sim_flash_snapshot(&sim);
            readings[i] = read_all(&sim);
        }
        for (uint32_t i = 0; i < 10 * TAKEN; i++) {
            uint32_t which = sim_random_below(&random, TAKEN);
            (void)work(&sim, sim_random_below(&random, 10), i);
            sim_flash_restore(&sim, snapshots[which]);
            struct reading *reading = read_all(&sim);
            CHECK(memcmp(reading->bytes, readings[which]->bytes, reading->size) == 0);
            free(reading);
        }
        sim_flash_free(&sim);
        for (uint32_t i = 0; i < TAKEN; i++) {
            sim_snapshot_free(snapshots[i]);
            free(readings[i]);
        }
    }
    sim_snapshot_free(NULL);
}

/* Copies made for sharing, and parts of hashes that are remembered, change nothing: a flash from
 * which snapshots are taken at any time, and kept or not, is the same as one that is left alone. */
static void test_taking_snapshots_changes_nothing(void)
{
    for (uint32_t chip = 0; chip < CHIPS; chip++) {
        struct sim_flash alone, watched;
        struct sim_random random = {chip};
        struct sim_snapshot *kept = NULL;
        sim_flash_init(&alone, &chips[chip], SEED);
        sim_flash_init(&watched, &chips[chip], SEED);
        for (uint32_t i = 0; i < 150; i++) {
            CHECK(work(&alone, 2, i) == work(&watched, 2, i));
            struct sim_snapshot *seen = sim_flash_snapshot(&watched);
            uint64_t hash = sim_snapshot_hash(seen);
            if (sim_random_below(&random, 3) == 0) {
                sim_snapshot_free(kept);
                kept = seen;
            } else {
                sim_snapshot_free(seen);
            }
            struct sim_flash fresh;
            sim_flash_init(&fresh, &chips[chip], SEED);
            for (uint32_t at = 0; at < chips[chip].total_size; at++) {
                copy_cell(&fresh, &alone, at);
            }
            struct sim_snapshot *expected = sim_flash_snapshot(&fresh);
            CHECK(sim_snapshot_hash(expected) == hash);
            sim_snapshot_free(expected);
            sim_flash_free(&fresh);
        }
        struct reading *one = read_all(&alone), *other = read_all(&watched);
        CHECK(memcmp(one->bytes, other->bytes, one->size) == 0);
        free(one);
        free(other);
        sim_snapshot_free(kept);
        sim_flash_free(&alone);
        sim_flash_free(&watched);
    }
}

/* A sector that is copied keeps the mark that its erase was only pretended. */
static void test_a_copy_remembers_a_pretended_erase(void)
{
    struct sim_flash sim;
    const struct sim_fault fault = {.kind = SIM_FAULT_IGNORED, .count = 1};
    const uint8_t zero[4] = {0}, one[4] = {0xFF, 0xFF, 0xFF, 0xFF};

    sim_flash_init(&sim, &chips[1], SEED);
    sim_flash_load(&sim, 0, zero, 4);
    sim_flash_fault(&sim, &fault);
    CHECK(sim.flash.erase(&sim, 0) == UPD_OK);
    struct sim_snapshot *snapshot = sim_flash_snapshot(&sim);
    CHECK(sim.flash.write(&sim, 8, zero, 4) == UPD_OK);
    CHECK(sim.flash.write(&sim, 0, one, 4) == UPD_OK && sim_flash_violation(&sim).count == 0);
    sim_snapshot_free(snapshot);
    sim_flash_free(&sim);
}

/* Few different states, so that equal ones are met by different ways. */
static void test_equality_and_hash_tell_what_the_cells_tell(void)
{
    enum { STATES = 200 };
    const struct sim_geometry *tiny = &chips[1];
    struct sim_flash sim;
    struct sim_random random = {3};
    struct sim_snapshot *snapshots[STATES];
    struct reading *readings[STATES];
    uint32_t equal = 0, mixed = 0;

    sim_flash_init(&sim, tiny, SEED);
    for (uint32_t i = 0; i < STATES; i++) {
        uint32_t offset = sim_random_below(&random, 4) * tiny->sector_size;
        const uint8_t zero[4] = {0};
        switch (sim_random_below(&random, 4)) {
        case 0:
            CHECK(sim.flash.erase(&sim, offset) == UPD_OK);
            break;
        case 1:
            CHECK(sim.flash.write(&sim, offset + 8, zero, 4) == UPD_OK);
            break;
        case 2:
            sim_flash_weaken(&sim, offset + 8, (uint8_t)(1u << sim_random_below(&random, 2)));
            break;
        default:
            sim_flash_load(&sim, offset, zero, 4);
            break;
        }
        snapshots[i] = sim_flash_snapshot(&sim);
        readings[i] = read_all(&sim);
        for (uint32_t k = 0; k <= i; k++) {
            bool same = same_cells(readings[i], readings[k], tiny->total_size);
            CHECK(sim_snapshot_equal(snapshots[i], snapshots[k]) == same);
            CHECK((sim_snapshot_hash(snapshots[i]) == sim_snapshot_hash(snapshots[k])) == same);
            equal += same && snapshots[i] != snapshots[k];
            mixed += !same;
        }
    }
    CHECK(equal > 100 && mixed > 1000);
    for (uint32_t i = 0; i < STATES; i++) {
        sim_snapshot_free(snapshots[i]);
        free(readings[i]);
    }
    sim_flash_free(&sim);
}

static void test_a_hash_sees_each_bit_and_where_it_is(void)
{
    for (uint32_t chip = 0; chip < 4; chip++) {
        struct sim_flash sim;
        uint32_t total = chips[chip].total_size;
        sim_flash_init(&sim, &chips[chip], SEED);
        struct sim_snapshot *blank = sim_flash_snapshot(&sim);
        uint64_t seen = 0;
        for (uint32_t i = 0; i < total; i++) {
            sim_flash_flip(&sim, i, (uint8_t)(1u << i % 8));
            struct sim_snapshot *flipped = sim_flash_snapshot(&sim);
            sim_flash_flip(&sim, i, (uint8_t)(1u << i % 8));
            sim_flash_weaken(&sim, i, (uint8_t)(1u << i % 8));
            struct sim_snapshot *weak = sim_flash_snapshot(&sim);
            CHECK(sim_snapshot_hash(flipped) != sim_snapshot_hash(blank));
            CHECK(sim_snapshot_hash(weak) != sim_snapshot_hash(blank));
            CHECK(sim_snapshot_hash(weak) != sim_snapshot_hash(flipped));
            CHECK(sim_snapshot_hash(flipped) != seen && !sim_snapshot_equal(flipped, weak));
            seen = sim_snapshot_hash(flipped);
            sim_snapshot_free(flipped);
            sim_snapshot_free(weak);
            sim_flash_restore(&sim, blank);
        }
        sim_snapshot_free(blank);
        sim_flash_free(&sim);
    }
}

/* A recorded value: reports of states mean the same on every machine. */
static void test_a_hash_is_the_same_everywhere_and_for_ever(void)
{
    struct sim_flash sim;

    sim_flash_init(&sim, &chips[3], SEED);
    (void)work(&sim, 500, SEED);
    struct sim_snapshot *snapshot = sim_flash_snapshot(&sim);
    CHECK(sim_snapshot_hash(snapshot) == 0x9B15432F7CD14E43);
    sim_snapshot_free(snapshot);
    sim_flash_free(&sim);
}

static void test_states_of_different_chips_are_different(void)
{
    struct sim_flash one, other;

    sim_flash_init(&one, &chips[1], SEED);
    sim_flash_init(&other, &chips[2], SEED);
    struct sim_snapshot *first = sim_flash_snapshot(&one), *second = sim_flash_snapshot(&other);
    CHECK(!sim_snapshot_equal(first, second) && sim_snapshot_equal(first, first));
    sim_snapshot_free(first);
    sim_snapshot_free(second);
    sim_flash_free(&one);
    sim_flash_free(&other);
}

static void test_a_restored_flash_has_no_past(void)
{
    struct sim_flash sim;
    const struct sim_fault fault = {.kind = SIM_FAULT_FAILS, .count = UINT32_MAX};
    uint8_t first[8], again[8];

    sim_flash_init(&sim, &chips[1], SEED);
    sim_flash_weaken(&sim, 3, 0xFF);
    struct sim_snapshot *start = sim_flash_snapshot(&sim);
    sim_flash_restore(&sim, start);
    CHECK(sim.flash.read(&sim, 0, first, 8) == UPD_OK);
    sim_flash_fault(&sim, &fault);
    sim_flash_cut_at(&sim, 1, SIM_TEAR_ANY);
    CHECK(sim.flash.erase(&sim, 0) == UPD_E_IO && sim.flash.erase(&sim, 0) == UPD_E_IO);
    CHECK(!sim_flash_has_power(&sim));
    sim_flash_cut_at(&sim, 0, SIM_TEAR_ANY);
    sim_flash_restore(&sim, start);
    CHECK(sim_flash_has_power(&sim));
    CHECK(sim.flash.read(&sim, 0, again, 8) == UPD_OK && memcmp(first, again, 8) == 0);
    CHECK(sim.flash.erase(&sim, 0) == UPD_OK && sim.flash.erase(&sim, 128) == UPD_OK);

    /* What a seed leaves to a fault starts anew, too. */
    for (uint32_t i = 0; i < 20; i++) {
        const struct sim_fault flip = {.kind = SIM_FAULT_READ_FLIPS, .count = 1};
        uint8_t *bytes = i == 0 ? first : again;
        sim_flash_restore(&sim, start);
        sim_flash_fault(&sim, &flip);
        CHECK(sim.flash.read(&sim, 128, bytes, 8) == UPD_OK);
        CHECK(i == 0 || memcmp(first, again, 8) == 0);
    }
    sim_snapshot_free(start);
    sim_flash_free(&sim);
}

static void test_a_run_replays_from_its_seed(void)
{
    for (uint32_t chip = 0; chip < CHIPS; chip++) {
        struct sim_flash one, other, third;
        sim_flash_init(&one, &chips[chip], 5);
        sim_flash_init(&other, &chips[chip], 5);
        sim_flash_init(&third, &chips[chip], 6);
        uint64_t answer = work(&one, 300, 1);
        CHECK(work(&other, 300, 1) == answer);
        CHECK(work(&third, 300, 1) != answer);
        struct sim_snapshot *first = sim_flash_snapshot(&one);
        struct sim_snapshot *second = sim_flash_snapshot(&other);
        CHECK(sim_snapshot_equal(first, second));
        CHECK(sim_snapshot_hash(first) == sim_snapshot_hash(second));
        CHECK(one.counters.operations == other.counters.operations);
        CHECK(one.counters.cuts == other.counters.cuts && one.counters.cuts > 20);
        sim_snapshot_free(first);
        sim_snapshot_free(second);
        sim_flash_free(&one);
        sim_flash_free(&other);
        sim_flash_free(&third);
    }
}

static void test_a_fork_starts_equal_and_goes_its_own_way(void)
{
    struct sim_flash sim, fork;
    uint8_t one[128], other[128];

    sim_flash_init(&sim, &chips[3], SEED);
    (void)work(&sim, 200, 4);
    sim_flash_set_reads(&sim, SIM_READS_ZEROS, 0);
    sim_flash_power_off(&sim);
    sim_flash_fork(&fork, &sim);
    sim_flash_power_on(&sim);
    CHECK(sim_flash_has_power(&fork) && fork.counters.operations == 0);
    for (uint32_t i = 0; i < 100; i++) {
        CHECK(sim.flash.read(&sim, i * 128, one, 128) == UPD_OK);
        CHECK(fork.flash.read(&fork, i * 128, other, 128) == UPD_OK);
        CHECK(memcmp(one, other, 128) == 0);
    }
    struct reading *before = read_all(&sim);
    (void)work(&fork, 200, 5);
    struct reading *after = read_all(&sim);
    CHECK(memcmp(before->bytes, after->bytes, before->size) == 0);
    free(before);
    free(after);
    sim_flash_free(&sim);
    CHECK(work(&fork, 10, 6) != 0);
    sim_flash_free(&fork);
}

/* Costs: a node for each sector that differs, and none for a blank one. */
static void test_states_share_what_they_have_in_common(void)
{
    struct sim_flash sim;
    const uint8_t zero[4] = {0};

    sim_flash_init(&sim, &sim_flash_16m, SEED);
    struct sim_snapshot *blank = sim_flash_snapshot(&sim);
    struct sim_store *store = sim_store_share(blank->store);
    CHECK(store->sector_count == 4096 && store->sectors_alive == 1);
    for (uint32_t i = 0; i < 100; i++) {
        CHECK(sim.flash.write(&sim, i * 40 * 4096, zero, 4) == UPD_OK);
    }
    CHECK(store->sectors_alive == 101);
    struct sim_snapshot *written = sim_flash_snapshot(&sim);
    CHECK(sim.flash.write(&sim, 4, zero, 4) == UPD_OK);
    CHECK(sim.flash.write(&sim, 8, zero, 4) == UPD_OK);
    CHECK(store->sectors_alive == 102);
    CHECK(sim.flash.erase(&sim, 0) == UPD_OK && store->sectors_alive == 101);
    sim_flash_restore(&sim, written);
    sim_snapshot_free(written);
    CHECK(store->sectors_alive == 101);
    CHECK(sim.flash.write(&sim, 4, zero, 4) == UPD_OK && store->sectors_alive == 101);
    sim_flash_restore(&sim, blank);
    CHECK(store->sectors_alive == 1);
    sim_snapshot_free(blank);
    sim_flash_free(&sim);
    CHECK(store->refs == 1);
    sim_store_release(store);
}

/* ----------------------------------------------------- every cut of a run, without running it */

struct tries {
    struct sim_flash fork;
    struct sim_snapshot *left[400];
    uint32_t count;
};

static uint32_t page_writes(struct sim_flash *sim)
{
    uint8_t data[100];
    uint32_t done = 0;

    for (uint32_t i = 0; i < 3; i++) {
        memset(data, (int)(0x11 * i), sizeof data);
        done += sim->flash.erase(sim, i * 128) == UPD_OK;
        done += sim->flash.write(sim, i * 128 + 20, data, sizeof data) == UPD_OK;
    }
    return done;
}

static struct sim_tear tear_for(uint64_t sequence, uint32_t kind)
{
    return (struct sim_tear){(enum sim_tear_kind)kind, SIM_TEAR_SEEDED, sequence * 100 + kind};
}

static void try_each_tear(void *ctx, struct sim_flash *sim, const struct sim_op *op,
                          const void *data)
{
    struct tries *tries = ctx;
    struct sim_snapshot *before = sim_flash_snapshot(sim);

    for (uint32_t kind = 0; kind < SIM_TEAR_COUNT; kind++) {
        struct sim_cut cut = {0, tear_for(op->sequence, kind)};
        if (!sim_tear_exists(cut.tear.kind, op->kind)) {
            continue;
        }
        sim_flash_restore(&tries->fork, before);
        sim_flash_cut(&tries->fork, &cut, 1, false);
        enum upd_err err = op->kind == SIM_ERASE
                               ? tries->fork.flash.erase(&tries->fork, op->offset)
                               : tries->fork.flash.write(&tries->fork, op->offset, data, op->size);
        CHECK(err == UPD_E_IO);
        tries->left[tries->count++] = sim_flash_snapshot(&tries->fork);
    }
    sim_snapshot_free(before);
}

static void test_cuts_from_a_hook_leave_what_cut_runs_leave(void)
{
    struct sim_flash sim;
    struct tries tries = {.count = 0};
    struct sim_op log[32];
    uint32_t next = 0;

    sim_flash_init(&sim, &chips[1], SEED);
    (void)work(&sim, 50, 8);
    struct sim_snapshot *start = sim_flash_snapshot(&sim);
    uint64_t base = sim.counters.operations;
    sim_flash_fork(&tries.fork, &sim);
    sim_flash_set_hook(&sim, try_each_tear, &tries);
    sim_flash_log(&sim, log, 32);
    CHECK(page_writes(&sim) == 6);
    uint32_t operations = (uint32_t)(sim.counters.operations - base);
    CHECK(operations == 15);

    sim_flash_set_hook(&sim, NULL, NULL);
    sim_flash_log(&sim, NULL, 0);
    for (uint32_t op = 0; op < operations; op++) {
        for (uint32_t kind = 0; kind < SIM_TEAR_COUNT; kind++) {
            struct sim_cut cut = {op, tear_for(base + op, kind)};
            if (!sim_tear_exists(cut.tear.kind, log[(base + op) % 32].kind)) {
                continue;
            }
            sim_flash_restore(&sim, start);
            sim_flash_cut(&sim, &cut, 1, false);
            CHECK(page_writes(&sim) < 6);
            struct sim_snapshot *left = sim_flash_snapshot(&sim);
            CHECK_THAT(sim_tear_name(cut.tear.kind), sim_snapshot_equal(left, tries.left[next]));
            sim_snapshot_free(left);
            sim_snapshot_free(tries.left[next++]);
        }
    }
    CHECK(next == tries.count && next == 3 * 13 + 12 * 12);
    sim_snapshot_free(start);
    sim_flash_free(&tries.fork);
    sim_flash_free(&sim);
}

int main(void)
{
    CHECK_RUN(test_restored_snapshots_read_as_they_were_taken);
    CHECK_RUN(test_taking_snapshots_changes_nothing);
    CHECK_RUN(test_a_copy_remembers_a_pretended_erase);
    CHECK_RUN(test_equality_and_hash_tell_what_the_cells_tell);
    CHECK_RUN(test_a_hash_sees_each_bit_and_where_it_is);
    CHECK_RUN(test_a_hash_is_the_same_everywhere_and_for_ever);
    CHECK_RUN(test_states_of_different_chips_are_different);
    CHECK_RUN(test_a_restored_flash_has_no_past);
    CHECK_RUN(test_a_run_replays_from_its_seed);
    CHECK_RUN(test_a_fork_starts_equal_and_goes_its_own_way);
    CHECK_RUN(test_states_share_what_they_have_in_common);
    CHECK_RUN(test_cuts_from_a_hook_leave_what_cut_runs_leave);
    check_end();
}
