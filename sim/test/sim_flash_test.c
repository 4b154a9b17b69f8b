/* Goal: the simulated flash keeps the contract of struct upd_flash when nothing is asked of it,
 * breaks each promise when asked, and notices each promise that its user breaks.
 * Method: small chips, every operation, tables of the lies; what it holds is compared with plain
 * arrays that the test keeps. */
#define _POSIX_C_SOURCE 200809L

#include <updraft/sim_flash.h>

#include <string.h>

#include <updraft/sim_random.h>

#include "check.h"
#include "ends.h"

enum { SECTOR = 512, PAGE = 64, TOTAL = 8 * SECTOR, SEED = 20 };

static const struct sim_geometry small = {TOTAL, SECTOR, PAGE, 4};

static uint8_t pattern[TOTAL]; /* no two pages are alike */

static bool erases(struct sim_flash *sim, uint32_t offset)
{
    return sim->flash.erase(sim->flash.ctx, offset) == UPD_OK;
}

static bool writes(struct sim_flash *sim, uint32_t offset, const void *data, uint32_t size)
{
    return sim->flash.write(sim->flash.ctx, offset, data, size) == UPD_OK;
}

static bool holds(struct sim_flash *sim, uint32_t offset, const void *data, uint32_t size)
{
    uint8_t bytes[TOTAL];

    return sim->flash.read(sim->flash.ctx, offset, bytes, size) == UPD_OK &&
           memcmp(bytes, data, size) == 0;
}

static bool holds_only(struct sim_flash *sim, uint32_t offset, uint8_t value, uint32_t size)
{
    uint8_t bytes[TOTAL];

    memset(bytes, value, size);
    return holds(sim, offset, bytes, size);
}

/* --------------------------------------------------------------------------- without mischief */

static void test_a_new_flash_is_blank(void)
{
    static const struct sim_geometry *chips[] = {&small,        &sim_flash_512k, &sim_flash_1m,
                                                 &sim_flash_2m, &sim_flash_4m,   &sim_flash_16m};

    for (uint32_t i = 0; i < sizeof chips / sizeof chips[0]; i++) {
        struct sim_flash sim;
        sim_flash_init(&sim, chips[i], SEED);
        CHECK(sim.flash.total_size == chips[i]->total_size);
        CHECK(sim.flash.sector_size == chips[i]->sector_size);
        CHECK(sim.flash.page_size == chips[i]->page_size);
        CHECK(sim.flash.write_size == chips[i]->write_size);
        CHECK(holds_only(&sim, 0, 0xFF, TOTAL));
        CHECK(holds_only(&sim, sim.flash.total_size - TOTAL, 0xFF, TOTAL));
        sim_flash_free(&sim);
    }
}

static void test_programs_clear_bits_and_erases_set_one_sector(void)
{
    struct sim_flash sim;
    const uint8_t first[4] = {0xF0, 0xFF, 0x3C, 0x81}, second[4] = {0x50, 0x0F, 0x3C, 0x00};

    sim_flash_init(&sim, &small, SEED);
    CHECK(writes(&sim, 0, pattern, TOTAL) && holds(&sim, 0, pattern, TOTAL));
    CHECK(erases(&sim, 3 * SECTOR));
    CHECK(holds(&sim, 0, pattern, 3 * SECTOR));
    CHECK(holds_only(&sim, 3 * SECTOR, 0xFF, SECTOR));
    CHECK(holds(&sim, 4 * SECTOR, pattern + 4 * SECTOR, 4 * SECTOR));
    CHECK(writes(&sim, 3 * SECTOR + 8, first, 4) && holds(&sim, 3 * SECTOR + 8, first, 4));
    CHECK(writes(&sim, 3 * SECTOR + 8, second, 4) && holds(&sim, 3 * SECTOR + 8, second, 4));
    CHECK(holds_only(&sim, 3 * SECTOR, 0xFF, 8) && holds_only(&sim, 3 * SECTOR + 12, 0xFF, 4));
    CHECK(writes(&sim, TOTAL, NULL, 0) && sim.flash.read(&sim, TOTAL, NULL, 0) == UPD_OK);
    sim_flash_free(&sim);
}

static void test_a_write_is_a_program_for_each_page_in_rising_order(void)
{
    struct sim_flash sim;
    struct sim_op log[8];
    static const struct sim_op expected[] = {
        {0, SIM_ERASE, SECTOR, SECTOR, SIM_DONE},
        {1, SIM_PROGRAM, SECTOR - 12, 12, SIM_DONE},
        {2, SIM_PROGRAM, SECTOR, PAGE, SIM_DONE},
        {3, SIM_PROGRAM, SECTOR + PAGE, PAGE, SIM_DONE},
        {4, SIM_PROGRAM, SECTOR + 2 * PAGE, 8, SIM_DONE},
        {5, SIM_ERASE, 0, SECTOR, SIM_CUT},
    };

    sim_flash_init(&sim, &small, SEED);
    sim_flash_log(&sim, log, 8);
    CHECK(erases(&sim, SECTOR));
    CHECK(writes(&sim, SECTOR - 12, pattern, 12 + 2 * PAGE + 8));
    sim_flash_cut_at(&sim, 0, SIM_TEAR_BEFORE);
    CHECK(!erases(&sim, 0) && !erases(&sim, 0));
    CHECK(sim.counters.operations == 6);
    for (uint32_t i = 0; i < 6; i++) {
        CHECK(log[i].sequence == expected[i].sequence && log[i].kind == expected[i].kind);
        CHECK(log[i].offset == expected[i].offset && log[i].size == expected[i].size);
        CHECK(log[i].outcome == expected[i].outcome);
    }
    sim_flash_free(&sim);
}

static void test_counters_and_wear_tell_what_was_done(void)
{
    struct sim_flash sim;
    struct sim_op log[2];
    uint8_t byte;

    sim_flash_init(&sim, &small, SEED);
    sim_flash_log(&sim, log, 2);
    CHECK(writes(&sim, 2 * SECTOR, pattern, PAGE + 4));
    CHECK(writes(&sim, 2 * SECTOR + PAGE + 4, pattern, 4));
    CHECK(sim_flash_programs(&sim, 2 * SECTOR) == 1);
    CHECK(sim_flash_programs(&sim, 2 * SECTOR + PAGE) == 2);
    CHECK(sim_flash_programs(&sim, 2 * SECTOR + 2 * PAGE) == 0);
    CHECK(erases(&sim, 2 * SECTOR) && erases(&sim, 2 * SECTOR));
    CHECK(sim_flash_programs(&sim, 2 * SECTOR + PAGE) == 0);
    CHECK(sim_flash_wear(&sim, 2 * SECTOR + 5) == 2 && sim_flash_wear(&sim, 0) == 0);
    CHECK(log[1].sequence == 3 && log[0].sequence == 4);

    sim_flash_cut_at(&sim, 0, SIM_TEAR_MIXED);
    CHECK(!erases(&sim, 2 * SECTOR) && !erases(&sim, 2 * SECTOR));
    CHECK(sim.flash.read(&sim, 0, &byte, 1) == UPD_E_IO);
    sim_flash_power_on(&sim);
    CHECK(sim.flash.read(&sim, 0, &byte, 1) == UPD_OK);
    CHECK(sim_flash_wear(&sim, 2 * SECTOR) == 3);
    CHECK(sim.counters.operations == 6 && sim.counters.erases == 3 && sim.counters.programs == 3);
    CHECK(sim.counters.programmed == PAGE + 8);
    CHECK(sim.counters.refused == 2 && sim.counters.cuts == 1);
    CHECK(sim.counters.reads == 1 && sim.counters.read == 1);

    for (uint32_t i = 0; i < 300; i++) {
        CHECK(writes(&sim, 0, "\xFF\xFF\xFF\xFF", 4));
    }
    CHECK(sim_flash_programs(&sim, 0) == 255);
    sim_flash_free(&sim);
}

/* ---------------------------------------------------------------- the library's own promises */

enum call { READ, WRITE, ERASE };

static const struct {
    const char *name;
    enum call call;
    uint32_t offset, size;
    bool data;
    enum sim_violation_kind kind;
} wrongs[] = {
    {"read past the end", READ, TOTAL - 4, 8, true, SIM_OUTSIDE},
    {"read behind the end", READ, TOTAL + 4, 0, true, SIM_OUTSIDE},
    {"read that wraps around", READ, 4, UINT32_MAX, true, SIM_OUTSIDE},
    {"read into nothing", READ, 0, 4, false, SIM_NO_DATA},
    {"write past the end", WRITE, TOTAL - 4, 8, true, SIM_OUTSIDE},
    {"write that wraps around", WRITE, 4, UINT32_MAX - 3, true, SIM_OUTSIDE},
    {"write of nothing", WRITE, 0, 4, false, SIM_NO_DATA},
    {"write at half a word", WRITE, 2, 4, true, SIM_UNALIGNED},
    {"write of half a word", WRITE, 4, 2, true, SIM_UNALIGNED},
    {"write over zeros", WRITE, SECTOR, 4, true, SIM_SETS_A_BIT},
    {"write of one bit over a zero", WRITE, SECTOR + 4, 4, true, SIM_SETS_A_BIT},
    {"erase behind the end", ERASE, TOTAL, 0, true, SIM_OUTSIDE},
    {"erase far behind the end", ERASE, 0u - SECTOR, 0, true, SIM_OUTSIDE},
    {"erase within a sector", ERASE, PAGE, 0, true, SIM_UNALIGNED},
};

static enum upd_err call(struct sim_flash *sim, uint32_t row, const uint8_t *data)
{
    static uint8_t bytes[8];

    switch (wrongs[row].call) {
    case READ:
        return sim->flash.read(sim, wrongs[row].offset, wrongs[row].data ? bytes : NULL,
                               wrongs[row].size);
    case WRITE:
        return sim->flash.write(sim, wrongs[row].offset, wrongs[row].data ? data : NULL,
                                wrongs[row].size);
    case ERASE:
        break;
    }
    return sim->flash.erase(sim, wrongs[row].offset);
}

static void test_each_breach_of_the_contract_is_recorded(void)
{
    const uint8_t flash[8] = {0, 0, 0, 0, 0xFF, 0xFE, 0xFF, 0xFF};
    uint8_t data[8] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};

    for (uint32_t i = 0; i < sizeof wrongs / sizeof wrongs[0]; i++) {
        struct sim_flash sim;
        uint8_t before[TOTAL], after[TOTAL];
        sim_flash_init(&sim, &small, SEED);
        sim_flash_load(&sim, 0, pattern, TOTAL);
        sim_flash_load(&sim, SECTOR, flash, sizeof flash);
        sim_flash_peek(&sim, 0, before, TOTAL);
        CHECK_THAT(wrongs[i].name, call(&sim, i, data) == UPD_E_ARG);
        sim_flash_peek(&sim, 0, after, TOTAL);
        struct sim_violation violation = sim_flash_violation(&sim);
        CHECK_THAT(wrongs[i].name, memcmp(before, after, TOTAL) == 0);
        CHECK_THAT(wrongs[i].name, violation.count == 1 && violation.kind == wrongs[i].kind);
        CHECK_THAT(wrongs[i].name, violation.offset == wrongs[i].offset);
        CHECK_THAT(wrongs[i].name, sim.counters.operations == 0);
        sim_flash_free(&sim);
    }
}

static void test_the_first_breach_is_kept_and_all_are_counted(void)
{
    struct sim_flash sim;

    sim_flash_init(&sim, &small, SEED);
    CHECK(sim_flash_violation(&sim).count == 0 && erases(&sim, 0));
    CHECK(sim.flash.erase(&sim, PAGE) == UPD_E_ARG);
    CHECK(sim.flash.erase(&sim, TOTAL) == UPD_E_ARG);
    struct sim_violation violation = sim_flash_violation(&sim);
    CHECK(violation.count == 2 && violation.kind == SIM_UNALIGNED && violation.offset == PAGE);
    CHECK(violation.size == SECTOR && violation.sequence == 1);
    sim_flash_free(&sim);
}

/* The pages before the offending one are programmed, as the contract's order has it. */
static void test_a_breach_in_the_third_page_leaves_two_pages_written(void)
{
    struct sim_flash sim;

    sim_flash_init(&sim, &small, SEED);
    sim_flash_flip(&sim, 2 * PAGE + 9, 0x10);
    CHECK(sim.flash.write(&sim, 0, pattern, 4 * PAGE) == UPD_E_ARG);
    CHECK(holds(&sim, 0, pattern, 2 * PAGE) && holds_only(&sim, 3 * PAGE, 0xFF, PAGE));
    CHECK(sim_flash_violation(&sim).offset == 2 * PAGE);
    sim_flash_free(&sim);
}

static void test_chips_leave_a_zero_where_overwriting_is_allowed(void)
{
    struct sim_flash sim;
    const uint8_t first[4] = {0xF0, 0, 0, 0}, second[4] = {0x3C, 0xFF, 0, 1}, both[4] = {0x30};

    sim_flash_init(&sim, &small, SEED);
    sim_flash_allow_overwrite(&sim, true);
    CHECK(writes(&sim, 0, first, 4) && writes(&sim, 0, second, 4) && holds(&sim, 0, both, 4));
    CHECK(sim_flash_violation(&sim).count == 0);
    sim_flash_free(&sim);
}

static void forget_a_breach(void)
{
    struct sim_flash sim;

    sim_flash_init(&sim, &small, SEED);
    (void)!sim.flash.erase(&sim, 1);
    sim_flash_free(&sim);
}

static void forget_the_second_breach(void)
{
    struct sim_flash sim;

    sim_flash_init(&sim, &small, SEED);
    (void)!sim.flash.erase(&sim, 1);
    (void)sim_flash_violation(&sim);
    (void)!sim.flash.erase(&sim, 1);
    sim_flash_free(&sim);
}

static void never_give_up(void)
{
    struct sim_flash sim;

    sim_flash_init(&sim, &small, SEED);
    sim_flash_power_off(&sim);
    for (uint32_t i = 0; i < 2000000; i++) {
        (void)!sim.flash.erase(&sim, 0);
    }
}

static void tear_an_erase_as_only_programs_are(void)
{
    struct sim_flash sim;

    sim_flash_init(&sim, &small, SEED);
    sim_flash_cut_at(&sim, 0, SIM_TEAR_DISTURB);
    (void)!sim.flash.erase(&sim, 0);
}

static void restore_a_stranger(void)
{
    struct sim_flash one, other;

    sim_flash_init(&one, &small, SEED);
    sim_flash_init(&other, &small, SEED);
    sim_flash_restore(&one, sim_flash_snapshot(&other));
}

static void add_seventeen_faults(void)
{
    struct sim_flash sim;
    const struct sim_fault fault = {.kind = SIM_FAULT_FAILS};

    sim_flash_init(&sim, &small, SEED);
    for (uint32_t i = 0; i < 17; i++) {
        sim_flash_fault(&sim, &fault);
    }
}

static void load_behind_the_end(void)
{
    struct sim_flash sim;

    sim_flash_init(&sim, &small, SEED);
    sim_flash_load(&sim, TOTAL - 1, pattern, 2);
}

static void make_pages_larger_than_sectors(void)
{
    struct sim_flash sim;

    sim_flash_init(&sim, &(struct sim_geometry){TOTAL, PAGE, SECTOR, 4}, SEED);
}

static void make_half_a_sector(void)
{
    struct sim_flash sim;

    sim_flash_init(&sim, &(struct sim_geometry){SECTOR + SECTOR / 2, SECTOR, PAGE, 4}, SEED);
}

static void do_nothing(void)
{
}

static void test_what_must_not_pass_ends_the_program(void)
{
    CHECK(!ends_the_program(do_nothing));
    CHECK(ends_the_program(forget_a_breach));
    CHECK(ends_the_program(forget_the_second_breach));
    CHECK(ends_the_program(never_give_up));
    CHECK(ends_the_program(tear_an_erase_as_only_programs_are));
    CHECK(ends_the_program(restore_a_stranger));
    CHECK(ends_the_program(add_seventeen_faults));
    CHECK(ends_the_program(load_behind_the_end));
    CHECK(ends_the_program(make_pages_larger_than_sectors));
    CHECK(ends_the_program(make_half_a_sector));
}

/* ---------------------------------------------------------------------------------- power cuts */

enum { OPS = 10 };

/* Ten operations: erase, 4 pages, erase, 4 pages. The number of calls that said UPD_OK. */
static uint32_t work(struct sim_flash *sim)
{
    uint32_t done = erases(sim, SECTOR);

    done += writes(sim, SECTOR, pattern, 4 * PAGE);
    done += erases(sim, 2 * SECTOR);
    done += writes(sim, 2 * SECTOR, pattern + SECTOR, 4 * PAGE);
    return done;
}

/* The bytes that operation `op` of work() may change when it is torn: its sector, or its page. */
static void reach(uint32_t op, uint32_t *first, uint32_t *limit)
{
    uint32_t sector = SECTOR + (op / 5) * SECTOR;

    *first = op % 5 == 0 ? sector : sector + (op % 5 - 1) * PAGE;
    *limit = op % 5 == 0 ? sector + SECTOR : *first + PAGE;
}

static void test_a_cut_tears_its_operation_and_touches_nothing_else(void)
{
    struct sim_flash sim, whole;
    uint8_t before[OPS + 1][TOTAL], after[TOTAL];

    sim_flash_init(&sim, &small, SEED);
    sim_flash_load(&sim, 0, pattern, TOTAL);
    struct sim_snapshot *start = sim_flash_snapshot(&sim);

    /* What the cells hold before each operation: power goes just before it. */
    sim_flash_fork(&whole, &sim);
    for (uint32_t op = 0; op <= OPS; op++) {
        sim_flash_restore(&whole, start);
        sim_flash_cut_at(&whole, op, SIM_TEAR_BEFORE);
        CHECK((work(&whole) == 4) == (op == OPS));
        sim_flash_peek(&whole, 0, before[op], TOTAL);
    }

    for (uint32_t op = 0; op < OPS; op++) {
        for (uint32_t kind = 0; kind < SIM_TEAR_SECTOR_DISTURB; kind++) {
            enum sim_op_kind what = op % 5 == 0 ? SIM_ERASE : SIM_PROGRAM;
            uint32_t first, limit;
            if (!sim_tear_exists((enum sim_tear_kind)kind, what)) {
                continue;
            }
            sim_flash_restore(&sim, start);
            sim_flash_cut_at(&sim, op, (enum sim_tear_kind)kind);
            CHECK(work(&sim) < 4 && !sim_flash_has_power(&sim));
            CHECK(sim.flash.read(&sim, 0, after, 4) == UPD_E_IO);
            sim_flash_power_on(&sim);
            sim_flash_peek(&sim, 0, after, TOTAL);
            reach(op, &first, &limit);
            CHECK_THAT(sim_tear_name((enum sim_tear_kind)kind),
                       memcmp(after, before[op], first) == 0 &&
                           memcmp(after + limit, before[op] + limit, TOTAL - limit) == 0);
            CHECK(sim_flash_unstable(&sim, 0, TOTAL) ==
                  sim_flash_unstable(&sim, first, limit - first));
            if (kind == SIM_TEAR_BEFORE || kind == SIM_TEAR_AFTER) {
                CHECK(memcmp(after, before[op + (kind == SIM_TEAR_AFTER)], TOTAL) == 0);
            }
            CHECK(sim_flash_has_power(&sim) && work(&sim) == 4);
        }
    }
    sim_snapshot_free(start);
    sim_flash_free(&whole);
    sim_flash_free(&sim);
}

static void test_sector_disturb_goes_beyond_the_page_but_not_the_sector(void)
{
    struct sim_flash sim;
    bool beyond = false;

    for (uint32_t seed = 0; seed < 50; seed++) {
        sim_flash_init(&sim, &small, seed);
        sim_flash_cut_at(&sim, 0, SIM_TEAR_SECTOR_DISTURB);
        CHECK(!writes(&sim, SECTOR + PAGE, pattern, PAGE));
        sim_flash_power_on(&sim);
        sim_flash_set_reads(&sim, SIM_READS_ZEROS, 0);
        CHECK(holds_only(&sim, 0, 0xFF, SECTOR));
        CHECK(holds_only(&sim, 2 * SECTOR, 0xFF, TOTAL - 2 * SECTOR));
        beyond |= !holds_only(&sim, SECTOR, 0xFF, PAGE);
        sim_flash_free(&sim);
    }
    CHECK(beyond);
}

static void test_cuts_follow_a_schedule(void)
{
    struct sim_flash sim;
    const struct sim_cut cuts[] = {
        {2, {SIM_TEAR_BEFORE, 0, 0}},
        {0, {SIM_TEAR_AFTER, 0, 0}},
        {1, {SIM_TEAR_ANY, SIM_TEAR_SEEDED, 9}},
    };

    sim_flash_init(&sim, &small, SEED);
    CHECK(erases(&sim, 0));
    sim_flash_cut(&sim, cuts, 3, false);
    CHECK(erases(&sim, 0) && erases(&sim, 0) && !erases(&sim, 0) && !erases(&sim, 0));
    sim_flash_power_on(&sim);
    CHECK(!erases(&sim, 0));
    sim_flash_power_on(&sim);
    sim_flash_power_on(&sim);
    CHECK(erases(&sim, 0) && !erases(&sim, 0));
    sim_flash_power_on(&sim);
    for (uint32_t i = 0; i < 100; i++) {
        CHECK(erases(&sim, 0));
    }
    CHECK(sim.counters.cuts == 3);
    sim_flash_free(&sim);
}

static void test_a_cut_every_k_operations_never_ends_and_never_tears_alike(void)
{
    struct sim_flash sim;

    for (uint32_t k = 1; k <= 5; k++) {
        const struct sim_cut cut = {k - 1, {SIM_TEAR_BITS, 0, 4}};
        struct sim_snapshot *torn[20];
        uint32_t equal = 0;
        sim_flash_init(&sim, &small, SEED);
        sim_flash_load(&sim, 0, pattern, SECTOR);
        sim_flash_cut(&sim, &cut, 1, true);
        for (uint32_t i = 0; i < 20; i++) {
            for (uint32_t op = 0; op < k - 1; op++) {
                CHECK(erases(&sim, SECTOR));
            }
            sim_flash_load(&sim, 0, pattern, SECTOR);
            CHECK(!erases(&sim, 0));
            torn[i] = sim_flash_snapshot(&sim);
            sim_flash_power_on(&sim);
        }
        for (uint32_t i = 0; i < 20; i++) {
            for (uint32_t m = 0; m < i; m++) {
                equal += sim_snapshot_equal(torn[i], torn[m]);
            }
        }
        for (uint32_t i = 0; i < 20; i++) {
            sim_snapshot_free(torn[i]);
        }
        CHECK(equal == 0 && sim.counters.cuts == 20);
        sim_flash_free(&sim);
    }
}

static void test_power_goes_between_operations_too(void)
{
    struct sim_flash sim;
    uint8_t byte;

    sim_flash_init(&sim, &small, SEED);
    CHECK(writes(&sim, 0, pattern, PAGE));
    sim_flash_power_off(&sim);
    sim_flash_power_off(&sim);
    CHECK(!writes(&sim, 0, pattern, PAGE) && !erases(&sim, 0));
    CHECK(sim.flash.read(&sim, 0, &byte, 1) == UPD_E_IO);
    sim_flash_power_on(&sim);
    CHECK(holds(&sim, 0, pattern, PAGE) && sim.counters.cuts == 1 && sim.counters.refused == 3);
    sim_flash_free(&sim);
}

/* ------------------------------------------------------------------------------ unstable cells */

static void test_unstable_cells_read_as_chosen(void)
{
    static const struct {
        const char *name;
        enum sim_reads how;
        uint32_t first;
        uint8_t values[4];
    } rows[] = {
        {"ones", SIM_READS_ONES, 0, {0xFF, 0xFF, 0xFF, 0xFF}},
        {"zeros", SIM_READS_ZEROS, 0, {0xC3, 0xC3, 0xC3, 0xC3}},
        {"alternate", SIM_READS_ALTERNATE, 0, {0xFF, 0xC3, 0xFF, 0xC3}},
        {"one good read", SIM_READS_ONES_THEN_ZEROS, 1, {0xFF, 0xC3, 0xC3, 0xC3}},
        {"three bad reads", SIM_READS_ZEROS_THEN_ONES, 3, {0xC3, 0xC3, 0xC3, 0xFF}},
        {"no good read", SIM_READS_ONES_THEN_ZEROS, 0, {0xC3, 0xC3, 0xC3, 0xC3}},
    };
    struct sim_flash sim;

    sim_flash_init(&sim, &small, SEED);
    sim_flash_weaken(&sim, 77, 0x3C);
    CHECK(sim_flash_unstable(&sim, 0, TOTAL) == 4 && sim_flash_unstable(&sim, 77, 1) == 4);
    for (uint32_t row = 0; row < sizeof rows / sizeof rows[0]; row++) {
        sim_flash_set_reads(&sim, rows[row].how, rows[row].first);
        for (uint32_t i = 0; i < 4; i++) {
            CHECK_THAT(rows[row].name, holds_only(&sim, 77, rows[row].values[i], 1));
        }
    }
    CHECK(holds_only(&sim, 0, 0xFF, 77) && holds_only(&sim, 78, 0xFF, 100));
    sim_flash_free(&sim);
}

static void test_random_readings_differ_and_replay_from_the_seed(void)
{
    struct sim_flash sim;
    uint8_t first[100][8], again[8];
    uint32_t changes = 0;

    sim_flash_init(&sim, &small, SEED);
    for (uint32_t i = 0; i < 8; i++) {
        sim_flash_weaken(&sim, SECTOR - 4 + i, 0x0F);
    }
    for (uint32_t i = 0; i < 100; i++) {
        CHECK(sim.flash.read(&sim, SECTOR - 4, first[i], 8) == UPD_OK);
        changes += i > 0 && memcmp(first[i], first[i - 1], 8) != 0;
        for (uint32_t k = 0; k < 8; k++) {
            CHECK((first[i][k] & 0xF0) == 0xF0);
        }
    }
    CHECK(changes > 95);
    sim_flash_seed(&sim, SEED);
    for (uint32_t i = 0; i < 100; i++) {
        CHECK(sim.flash.read(&sim, SECTOR - 4, again, 8) == UPD_OK);
        CHECK(memcmp(again, first[i], 8) == 0);
    }
    sim_flash_seed(&sim, SEED + 1);
    CHECK(sim.flash.read(&sim, SECTOR - 4, again, 8) == UPD_OK);
    CHECK(memcmp(again, first[0], 8) != 0);
    sim_flash_free(&sim);
}

static void test_cells_are_unstable_until_erased(void)
{
    struct sim_flash sim;
    const uint8_t zeros[4] = {0};

    for (uint32_t cure = 0; cure < 2; cure++) {
        sim_flash_init(&sim, &small, SEED);
        sim_flash_cure_by_program(&sim, cure != 0);
        sim_flash_weaken(&sim, 5, 0xFF);
        sim_flash_weaken(&sim, 9, 0xFF);
        sim_flash_set_reads(&sim, SIM_READS_ONES, 0);
        CHECK(writes(&sim, 4, zeros, 4));
        CHECK(sim_flash_unstable(&sim, 5, 1) == (cure ? 0 : 8));
        CHECK(sim_flash_unstable(&sim, 9, 1) == 8);
        CHECK(holds_only(&sim, 5, cure ? 0 : 0xFF, 1) && holds_only(&sim, 4, 0, 1));
        CHECK(erases(&sim, 0) && sim_flash_unstable(&sim, 0, TOTAL) == 0);
        sim_flash_set_reads(&sim, SIM_READS_ZEROS, 0);
        CHECK(holds_only(&sim, 0, 0xFF, SECTOR));
        sim_flash_free(&sim);
    }
}

static void test_torn_programs_settle_and_torn_erases_do_not(void)
{
    uint8_t zeros[256] = {0};

    for (uint32_t settle = 0; settle < 2; settle++) {
        struct sim_flash sim;
        struct sim_flash fork;
        uint32_t programs = 0, erases = 0, done = 0;

        sim_flash_init(&fork, &small, SEED);
        sim_flash_settle_programs(&fork, settle != 0);
        sim_flash_fork(&sim, &fork); /* which takes the choice along */
        sim_flash_free(&fork);
        for (uint32_t seed = 0; seed < 40; seed++) {
            const struct sim_tear tear = {SIM_TEAR_MIXED, SIM_TEAR_SEEDED, seed};
            const struct sim_cut cut = {.op = 0, .tear = tear};
            uint8_t seen[256];

            sim_flash_load(&sim, 0, pattern, TOTAL);
            sim_flash_cut(&sim, &cut, 1, false);
            CHECK(sim.flash.erase(&sim, 0) == UPD_E_IO);
            erases += sim_flash_unstable(&sim, 0, TOTAL);
            sim_flash_power_on(&sim);
            sim_flash_cut(&sim, NULL, 0, false);
            CHECK(sim.flash.erase(&sim, 0) == UPD_OK);
            sim_flash_cut(&sim, &cut, 1, false);
            CHECK(sim.flash.write(&sim, 0, zeros, sizeof zeros) == UPD_E_IO);
            programs += sim_flash_unstable(&sim, 0, TOTAL);
            sim_flash_power_on(&sim);
            sim_flash_cut(&sim, NULL, 0, false);
            sim_flash_peek(&sim, 0, seen, sizeof seen);
            for (uint32_t i = 0; i < sizeof seen; i++) {
                done += seen[i] != 0 && seen[i] != 0xFF;
            }
        }
        CHECK(erases > 0 && done > 0);
        CHECK((programs == 0) == (settle != 0));
        sim_flash_free(&sim);
    }
}

static void test_a_bench_programmer_sets_what_it_likes(void)
{
    struct sim_flash sim;

    sim_flash_init(&sim, &small, SEED);
    sim_flash_weaken(&sim, 3, 0x01);
    sim_flash_weaken(&sim, SECTOR + 1, 0x80);
    sim_flash_load(&sim, 0, pattern, TOTAL);
    CHECK(sim_flash_unstable(&sim, 0, TOTAL) == 0 && holds(&sim, 0, pattern, TOTAL));
    sim_flash_flip(&sim, 3, 0x81);
    uint8_t byte = pattern[3] ^ 0x81;
    CHECK(holds(&sim, 3, &byte, 1) && holds(&sim, 4, pattern + 4, TOTAL - 4));
    sim_flash_load(&sim, SECTOR - 3, pattern, 6);
    CHECK(holds(&sim, SECTOR - 3, pattern, 6));
    CHECK(sim.counters.operations == 0);
    sim_flash_free(&sim);
}

/* -------------------------------------------------------------------------------------- faults */

enum { NOTHING, ALL, PART };

static const struct {
    const char *name;
    struct sim_fault fault;
    enum sim_op_kind op;
    bool ok;       /* what the library is told */
    uint32_t done; /* what is done to the cells */
} op_faults[] = {
    {"fails", {SIM_FAULT_FAILS, 0, 1, 0, {0}}, SIM_ERASE, false, NOTHING},
    {"fails", {SIM_FAULT_FAILS, 0, 1, 0, {0}}, SIM_PROGRAM, false, NOTHING},
    {"fails, but done", {SIM_FAULT_FAILS_DONE, 0, 1, 0, {0}}, SIM_ERASE, false, ALL},
    {"fails, but done", {SIM_FAULT_FAILS_DONE, 0, 1, 0, {0}}, SIM_PROGRAM, false, ALL},
    {"fails half-way",
     {SIM_FAULT_FAILS_TORN, 0, 1, 0, {SIM_TEAR_PREFIX, 20, 0}},
     SIM_ERASE,
     false,
     PART},
    {"fails half-way",
     {SIM_FAULT_FAILS_TORN, 0, 1, 0, {SIM_TEAR_PREFIX, 20, 0}},
     SIM_PROGRAM,
     false,
     PART},
    {"ignored", {SIM_FAULT_IGNORED, 0, 1, 0, {0}}, SIM_ERASE, true, NOTHING},
    {"ignored", {SIM_FAULT_IGNORED, 0, 1, 0, {0}}, SIM_PROGRAM, true, NOTHING},
    {"torn in silence", {SIM_FAULT_TORN, 0, 1, 0, {SIM_TEAR_PREFIX, 20, 0}}, SIM_ERASE, true, PART},
    {"torn in silence",
     {SIM_FAULT_TORN, 0, 1, 0, {SIM_TEAR_PREFIX, 20, 0}},
     SIM_PROGRAM,
     true,
     PART},
    {"dead sector, said so",
     {SIM_FAULT_ERASE_FAILS, SECTOR + 3, 0, 0, {0}},
     SIM_ERASE,
     false,
     NOTHING},
    {"dead sector, in silence",
     {SIM_FAULT_ERASE_IGNORED, SECTOR, 0, 0, {0}},
     SIM_ERASE,
     true,
     NOTHING},
    {"sector without programs, said so",
     {SIM_FAULT_PROGRAM_FAILS, SECTOR, 0, 0, {0}},
     SIM_PROGRAM,
     false,
     NOTHING},
    {"sector without programs, in silence",
     {SIM_FAULT_PROGRAM_IGNORED, 2 * SECTOR - 1, 0, 0, {0}},
     SIM_PROGRAM,
     true,
     NOTHING},
    {"dead for erases only", {SIM_FAULT_ERASE_FAILS, SECTOR, 0, 0, {0}}, SIM_PROGRAM, true, ALL},
    {"dead for programs only", {SIM_FAULT_PROGRAM_FAILS, SECTOR, 0, 0, {0}}, SIM_ERASE, true, ALL},
    {"another sector is dead",
     {SIM_FAULT_ERASE_FAILS, 2 * SECTOR, 0, 0, {0}},
     SIM_ERASE,
     true,
     ALL},
    {"the operation before", {SIM_FAULT_FAILS, 0, 0, 0, {0}}, SIM_ERASE, true, ALL},
    {"the operation after", {SIM_FAULT_FAILS, 1, 1, 0, {0}}, SIM_ERASE, true, ALL},
};

static void test_a_faulty_operation_does_and_says_what_its_row_tells(void)
{
    for (uint32_t i = 0; i < sizeof op_faults / sizeof op_faults[0]; i++) {
        struct sim_flash sim;
        uint8_t expected[PAGE], bytes[PAGE];
        bool program = op_faults[i].op == SIM_PROGRAM;
        uint32_t done = op_faults[i].done == NOTHING ? 0 : op_faults[i].done == ALL ? PAGE : 20;
        memset(expected, program ? 0xFF : 0x00, PAGE);
        memset(expected, program ? 0x00 : 0xFF, done);
        sim_flash_init(&sim, &small, SEED);
        memset(bytes, 0, PAGE);
        if (!program) {
            sim_flash_load(&sim, SECTOR, bytes, PAGE);
        }
        sim_flash_fault(&sim, &op_faults[i].fault);
        bool ok = program ? writes(&sim, SECTOR, bytes, PAGE) : erases(&sim, SECTOR);
        CHECK_THAT(op_faults[i].name, ok == op_faults[i].ok);
        CHECK_THAT(op_faults[i].name, holds(&sim, SECTOR, expected, PAGE));
        CHECK_THAT(op_faults[i].name, sim_flash_has_power(&sim));
        CHECK_THAT(op_faults[i].name, sim.counters.erases + sim.counters.programs == (done > 0));
        sim_flash_heal(&sim);
        CHECK_THAT(op_faults[i].name, erases(&sim, SECTOR) && writes(&sim, SECTOR, bytes, PAGE));
        CHECK_THAT(op_faults[i].name, holds_only(&sim, SECTOR, 0, PAGE));
        sim_flash_free(&sim);
    }
}

static void test_a_fault_hits_the_operations_of_its_window(void)
{
    struct sim_flash sim;
    const struct sim_fault some = {.kind = SIM_FAULT_FAILS, .at = 2, .count = 3};
    const struct sim_fault ever = {.kind = SIM_FAULT_FAILS, .at = 1, .count = UINT32_MAX};

    sim_flash_init(&sim, &small, SEED);
    CHECK(erases(&sim, 0));
    sim_flash_fault(&sim, &some);
    for (uint32_t i = 0; i < 20; i++) {
        CHECK(erases(&sim, 0) == (i < 2 || i > 4));
    }
    sim_flash_fault(&sim, &ever);
    CHECK(erases(&sim, 0));
    for (uint32_t i = 0; i < 20; i++) {
        CHECK(!erases(&sim, 0));
    }
    sim_flash_free(&sim);
}

/* A failing page ends the write: the pages before are written, those after are not tried. */
static void test_a_write_ends_at_the_first_failing_page(void)
{
    struct sim_flash sim;
    const struct sim_fault fault = {.kind = SIM_FAULT_FAILS, .at = 2, .count = 1};

    sim_flash_init(&sim, &small, SEED);
    sim_flash_fault(&sim, &fault);
    CHECK(sim.flash.write(&sim, 0, pattern, 5 * PAGE) == UPD_E_IO);
    CHECK(holds(&sim, 0, pattern, 2 * PAGE) && holds_only(&sim, 2 * PAGE, 0xFF, 3 * PAGE));
    CHECK(sim.counters.operations == 3);
    sim_flash_free(&sim);
}

/* The library was told that the sector is erased: that it is not is no breach of its promises. */
static void test_writing_over_what_was_not_erased_in_spite_of_the_answer_is_no_breach(void)
{
    struct sim_flash sim;
    const struct sim_fault fault = {.kind = SIM_FAULT_IGNORED, .at = 0, .count = 1};
    const uint8_t old[4] = {0xF0, 0, 0, 0}, new[4] = {0x3C, 0xFF, 0, 1}, both[4] = {0x30};

    sim_flash_init(&sim, &small, SEED);
    sim_flash_load(&sim, 0, old, 4);
    sim_flash_fault(&sim, &fault);
    CHECK(erases(&sim, 0) && writes(&sim, 0, new, 4) && holds(&sim, 0, both, 4));
    CHECK(sim_flash_violation(&sim).count == 0);
    CHECK(erases(&sim, 0) && writes(&sim, 0, old, 4));
    CHECK(sim.flash.write(&sim, 0, new, 4) == UPD_E_ARG && sim_flash_violation(&sim).count == 1);
    sim_flash_free(&sim);
}

static void test_reads_fail_and_flip_in_their_window(void)
{
    struct sim_flash sim;
    const struct sim_fault fails = {.kind = SIM_FAULT_READ_FAILS, .at = 1, .count = 2};
    const struct sim_fault flips = {.kind = SIM_FAULT_READ_FLIPS, .at = 4, .count = 1};
    uint8_t bytes[PAGE];
    uint32_t wrong = 0;

    sim_flash_init(&sim, &small, SEED);
    sim_flash_load(&sim, 0, pattern, PAGE);
    CHECK(erases(&sim, SECTOR) && holds(&sim, 0, pattern, PAGE));
    sim_flash_fault(&sim, &fails);
    sim_flash_fault(&sim, &flips);
    for (uint32_t i = 0; i < 8; i++) {
        memset(bytes, 0x55, PAGE);
        enum upd_err err = sim.flash.read(&sim, 0, bytes, PAGE);
        CHECK((err == UPD_E_IO) == (i == 1 || i == 2));
        CHECK(err == UPD_OK || (bytes[0] == 0x55 && bytes[PAGE - 1] == 0x55));
        for (uint32_t k = 0; i == 4 && k < PAGE; k++) {
            uint8_t turned = bytes[k] ^ pattern[k];
            CHECK((turned & (turned - 1)) == 0);
            wrong += turned != 0;
        }
        CHECK(err != UPD_OK || i == 4 || memcmp(bytes, pattern, PAGE) == 0);
    }
    CHECK(wrong == 1);
    sim_flash_free(&sim);
}

static void test_stuck_bits_read_as_they_are_stuck(void)
{
    struct sim_flash sim;
    const struct sim_fault zero = {.kind = SIM_FAULT_STUCK_0, .at = SECTOR + 1, .mask = 0x81};
    const struct sim_fault one = {.kind = SIM_FAULT_STUCK_1, .at = SECTOR + 2, .mask = 0x18};
    const uint8_t data[4] = {0}, erased[4] = {0xFF, 0x7E, 0xFF, 0xFF}, written[4] = {0, 0, 0x18, 0};

    sim_flash_init(&sim, &small, SEED);
    sim_flash_fault(&sim, &zero);
    sim_flash_fault(&sim, &one);
    CHECK(erases(&sim, SECTOR) && holds(&sim, SECTOR, erased, 4));
    CHECK(holds(&sim, SECTOR + 1, erased + 1, 1));
    CHECK(holds_only(&sim, SECTOR - 4, 0xFF, 5) && holds_only(&sim, SECTOR + 3, 0xFF, 5));
    CHECK(writes(&sim, SECTOR, data, 4) && holds(&sim, SECTOR, written, 4));
    sim_flash_heal(&sim);
    CHECK(holds(&sim, SECTOR, data, 4));
    sim_flash_free(&sim);
}

static void test_a_cut_comes_before_a_fault(void)
{
    struct sim_flash sim;
    const struct sim_fault fault = {.kind = SIM_FAULT_IGNORED, .at = 0, .count = UINT32_MAX};

    sim_flash_init(&sim, &small, SEED);
    sim_flash_load(&sim, 0, pattern, PAGE);
    sim_flash_fault(&sim, &fault);
    sim_flash_cut_at(&sim, 0, SIM_TEAR_AFTER);
    CHECK(!erases(&sim, 0));
    sim_flash_power_on(&sim);
    CHECK(holds_only(&sim, 0, 0xFF, SECTOR));
    sim_flash_free(&sim);
}

int main(void)
{
    for (uint32_t i = 0; i < TOTAL; i++) {
        pattern[i] = (uint8_t)sim_random_at(1, i);
    }
    pattern[2 * PAGE + 9] |= 0x10; /* for the breach in the third page */

    CHECK_RUN(test_a_new_flash_is_blank);
    CHECK_RUN(test_programs_clear_bits_and_erases_set_one_sector);
    CHECK_RUN(test_a_write_is_a_program_for_each_page_in_rising_order);
    CHECK_RUN(test_counters_and_wear_tell_what_was_done);
    CHECK_RUN(test_each_breach_of_the_contract_is_recorded);
    CHECK_RUN(test_the_first_breach_is_kept_and_all_are_counted);
    CHECK_RUN(test_a_breach_in_the_third_page_leaves_two_pages_written);
    CHECK_RUN(test_chips_leave_a_zero_where_overwriting_is_allowed);
    CHECK_RUN(test_what_must_not_pass_ends_the_program);
    CHECK_RUN(test_a_cut_tears_its_operation_and_touches_nothing_else);
    CHECK_RUN(test_sector_disturb_goes_beyond_the_page_but_not_the_sector);
    CHECK_RUN(test_cuts_follow_a_schedule);
    CHECK_RUN(test_a_cut_every_k_operations_never_ends_and_never_tears_alike);
    CHECK_RUN(test_power_goes_between_operations_too);
    CHECK_RUN(test_unstable_cells_read_as_chosen);
    CHECK_RUN(test_random_readings_differ_and_replay_from_the_seed);
    CHECK_RUN(test_cells_are_unstable_until_erased);
    CHECK_RUN(test_torn_programs_settle_and_torn_erases_do_not);
    CHECK_RUN(test_a_bench_programmer_sets_what_it_likes);
    CHECK_RUN(test_a_faulty_operation_does_and_says_what_its_row_tells);
    CHECK_RUN(test_a_fault_hits_the_operations_of_its_window);
    CHECK_RUN(test_a_write_ends_at_the_first_failing_page);
    CHECK_RUN(test_writing_over_what_was_not_erased_in_spite_of_the_answer_is_no_breach);
    CHECK_RUN(test_reads_fail_and_flip_in_their_window);
    CHECK_RUN(test_stuck_bits_read_as_they_are_stuck);
    CHECK_RUN(test_a_cut_comes_before_a_fault);
    check_end();
}
