/* Goal: each kind of tear leaves what its line in the list says, all of it somewhere among the
 * seeds, nothing else, and the same on every platform.
 * Method: tear programs and erases of a sector with random content, some of its cells unstable,
 * with many seeds; compare each cell before and after. */
#include <string.h>

#include <updraft/sim_random.h>
#include <updraft/sim_tear.h>

#include "check.h"

enum { SECTOR = 512, PAGE = 128, SEEDS = 300 };

/* What happened to a cell. */
enum {
    D = 1,   /* done: as if the operation had ended */
    U = 2,   /* untouched, although there was something to do */
    W = 4,   /* became unstable */
    Z = 8,   /* programmed to 0 by an erase */
    E = 16,  /* hit elsewhere in the page */
    B = 32,  /* hit beyond the page */
    S = 64,  /* an unstable cell that is still unstable: untouched, or weak again */
    X = 128, /* what no tear may do */
};

struct sector {
    uint8_t bits[SECTOR];
    uint8_t unstable[SECTOR];
};

struct program {
    uint32_t offset, size;
    uint8_t data[PAGE];
};

static struct sector make_sector(uint64_t seed)
{
    struct sector sector;
    struct sim_random random = {seed};

    for (uint32_t i = 0; i < SECTOR; i++) {
        uint64_t noise = sim_random_next(&random);
        sector.unstable[i] = (uint8_t)(noise % 8 == 0 ? 1u << (noise >> 8) % 8 : 0);
        sector.bits[i] = (uint8_t)(noise >> 16 | sector.unstable[i]);
    }
    return sector;
}

static struct program make_program(uint64_t seed)
{
    struct sim_random random = {~seed};
    struct program program;
    uint32_t first = sim_random_below(&random, PAGE / 4);

    program.size = (sim_random_below(&random, PAGE / 4 - first) + 1) * 4;
    program.offset = sim_random_below(&random, SECTOR / PAGE) * PAGE + first * 4;
    for (uint32_t i = 0; i < PAGE; i++) {
        program.data[i] = (uint8_t)sim_random_next(&random);
    }
    return program;
}

static uint32_t program_outcome(const struct program *program, uint32_t at, uint32_t before,
                                uint32_t was_unstable, uint32_t after, uint32_t is_unstable,
                                uint32_t wanted)
{
    bool in_page = at / PAGE == program->offset / PAGE;

    if (was_unstable || !before) {
        return after == before && is_unstable == was_unstable ? 0 : X;
    }
    if (at >= program->offset && at < program->offset + program->size && !wanted) {
        return is_unstable ? W : after ? U : D;
    }
    if (is_unstable || !after) {
        return in_page ? E : B;
    }
    return 0;
}

static uint32_t erase_outcome(uint32_t before, uint32_t was_unstable, uint32_t after,
                              uint32_t is_unstable)
{
    if (is_unstable) {
        return was_unstable ? S : W;
    }
    if (was_unstable) {
        return after ? D : X;
    }
    return before ? (after ? 0 : Z) : (after ? D : U);
}

/* All that happened between two states of a sector. */
static uint32_t outcomes(const struct sector *before, const struct sector *after,
                         const struct program *program)
{
    uint32_t seen = 0;

    for (uint32_t i = 0; i < SECTOR; i++) {
        if ((after->unstable[i] & ~after->bits[i]) != 0) {
            seen |= X; /* an unstable cell is 1 in `bits` */
        }
        for (uint32_t bit = 0; bit < 8; bit++) {
            uint32_t b = before->bits[i] >> bit & 1, bu = before->unstable[i] >> bit & 1;
            uint32_t a = after->bits[i] >> bit & 1, au = after->unstable[i] >> bit & 1;
            uint32_t wanted = 1;
            if (program != NULL && i >= program->offset) {
                wanted = program->data[(i - program->offset) % PAGE] >> bit & 1;
            }
            seen |= program == NULL ? erase_outcome(b, bu, a, au)
                                    : program_outcome(program, i, b, bu, a, au, wanted);
        }
    }
    return seen;
}

static struct sector tear_it(const struct sector *before, const struct program *program,
                             const struct sim_tear *tear)
{
    struct sector after = *before;
    struct sim_cells cells = {.bits = after.bits, .unstable = after.unstable, .size = SECTOR};

    if (program == NULL) {
        sim_cells_erase(&cells, tear);
    } else {
        sim_cells_program(&cells, PAGE, program->offset, program->data, program->size, tear);
    }
    return after;
}

/* What each kind leaves: all of it over the seeds, and nothing else with any seed. */
static const struct {
    const char *name;
    enum sim_tear_kind kind;
    uint32_t erase, program; /* 0: does not exist */
} leaves[] = {
    {"ANY", SIM_TEAR_ANY, D | U | W | Z, D | U | W | E},
    {"BEFORE", SIM_TEAR_BEFORE, U, U},
    {"AFTER", SIM_TEAR_AFTER, D, D},
    {"PREFIX", SIM_TEAR_PREFIX, D | U, D | U},
    {"SUFFIX", SIM_TEAR_SUFFIX, D | U, D | U},
    {"LAST_WORD", SIM_TEAR_LAST_WORD, D | U, D | U},
    {"BITS", SIM_TEAR_BITS, D | U, D | U},
    {"WEAK_BEFORE", SIM_TEAR_WEAK_BEFORE, U | W, U | W},
    {"WEAK_AFTER", SIM_TEAR_WEAK_AFTER, D | W, D | W},
    {"MIXED", SIM_TEAR_MIXED, D | U | W, D | U | W},
    {"ZERO_PREFIX", SIM_TEAR_ZERO_PREFIX, U | Z, 0},
    {"ZERO_SUFFIX", SIM_TEAR_ZERO_SUFFIX, U | Z, 0},
    {"ZERO_BITS", SIM_TEAR_ZERO_BITS, U | Z, 0},
    {"DISTURB", SIM_TEAR_DISTURB, 0, D | U | W | E},
    {"SECTOR_DISTURB", SIM_TEAR_SECTOR_DISTURB, 0, D | U | W | E | B},
};

static void check_kind(uint32_t row, enum sim_op_kind op, uint32_t expected)
{
    uint32_t all = 0;

    CHECK_THAT(leaves[row].name, sim_tear_exists(leaves[row].kind, op) == (expected != 0));
    for (uint64_t seed = 0; expected != 0 && seed < SEEDS; seed++) {
        struct sector before = make_sector(seed);
        struct program program = make_program(seed);
        const struct program *what = op == SIM_PROGRAM ? &program : NULL;
        struct sim_tear tear = {leaves[row].kind, SIM_TEAR_SEEDED, seed * 977};
        struct sector after = tear_it(&before, what, &tear);
        uint32_t seen = outcomes(&before, &after, what);
        bool has_work = (outcomes(&before, &before, what) & U) != 0;
        bool weak =
            leaves[row].kind == SIM_TEAR_WEAK_BEFORE || leaves[row].kind == SIM_TEAR_WEAK_AFTER;
        CHECK_THAT(leaves[row].name, (seen & ~(expected | S)) == 0);
        CHECK_THAT(leaves[row].name, !(seen & S) || (expected & (U | W)) != 0);
        CHECK_THAT(leaves[row].name, !weak || !has_work || op == SIM_ERASE || (seen & W) != 0);
        all |= seen & ~(uint32_t)S;
    }
    CHECK_THAT(leaves[row].name, all == expected);
}

static void test_each_kind_leaves_what_its_line_says(void)
{
    CHECK(sizeof leaves / sizeof leaves[0] == SIM_TEAR_COUNT);
    for (uint32_t i = 0; i < SIM_TEAR_COUNT; i++) {
        CHECK(strcmp(leaves[i].name, sim_tear_name(leaves[i].kind)) == 0);
        CHECK(sim_tear_in_contract(leaves[i].kind) == ((leaves[i].program & B) == 0));
        check_kind(i, SIM_ERASE, leaves[i].erase);
        check_kind(i, SIM_PROGRAM, leaves[i].program);
    }
}

static void test_no_tear_is_the_whole_operation(void)
{
    const struct sim_tear after = {.kind = SIM_TEAR_AFTER};

    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct sector before = make_sector(seed);
        struct program program = make_program(seed);
        struct sector one = tear_it(&before, &program, NULL);
        struct sector other = tear_it(&before, &program, &after);
        CHECK(memcmp(&one, &other, sizeof one) == 0);
        one = tear_it(&before, NULL, NULL);
        CHECK(outcomes(&before, &one, NULL) == D);
    }
}

/* Every amount, not only random ones: the border lies where it was asked for. */
static void test_amounts_are_exact(void)
{
    static const struct {
        const char *name;
        enum sim_tear_kind kind;
        bool at_end;
        uint8_t value;
    } rows[] = {
        {"PREFIX", SIM_TEAR_PREFIX, false, 0xFF},
        {"SUFFIX", SIM_TEAR_SUFFIX, true, 0xFF},
        {"ZERO_PREFIX", SIM_TEAR_ZERO_PREFIX, false, 0},
        {"ZERO_SUFFIX", SIM_TEAR_ZERO_SUFFIX, true, 0},
    };

    for (uint32_t row = 0; row < sizeof rows / sizeof rows[0]; row++) {
        for (uint32_t amount = 0; amount <= SECTOR + 1; amount++) {
            struct sector before = {{0}, {0}};
            struct sim_tear tear = {rows[row].kind, amount, 5};
            uint32_t done = amount < SECTOR ? amount : SECTOR;
            uint32_t border = rows[row].at_end ? SECTOR - done : done;
            memset(before.bits, 0xA5, SECTOR);
            struct sector after = tear_it(&before, NULL, &tear);
            for (uint32_t i = 0; i < SECTOR; i++) {
                bool reached = (i < border) != rows[row].at_end;
                CHECK_THAT(rows[row].name, after.bits[i] == (reached ? rows[row].value : 0xA5));
            }
        }
    }
    for (uint32_t amount = 0; amount <= PAGE; amount++) {
        struct sector before = {{0}, {0}};
        struct program program = {.offset = PAGE, .size = PAGE};
        struct sim_tear tear = {SIM_TEAR_PREFIX, amount, 5};
        memset(before.bits, 0xA5, SECTOR);
        struct sector after = tear_it(&before, &program, &tear);
        for (uint32_t i = 0; i < SECTOR; i++) {
            CHECK(after.bits[i] == (i >= PAGE && i < PAGE + amount ? 0 : 0xA5));
        }
    }
}

static void test_a_seeded_amount_is_often_whole_words_and_reaches_both_ends(void)
{
    uint32_t words = 0, nothing = 0, all = 0;

    for (uint64_t seed = 0; seed < 2000; seed++) {
        struct sector before = {{0}, {0}};
        struct sim_tear tear = {SIM_TEAR_PREFIX, SIM_TEAR_SEEDED, seed};
        struct program program = {.offset = 0, .size = 16};
        memset(before.bits, 0xFF, SECTOR);
        struct sector after = tear_it(&before, &program, &tear);
        uint32_t done = 0;
        while (done < 16 && after.bits[done] == 0) {
            done++;
        }
        words += done % 4 == 0;
        nothing += done == 0;
        all += done == 16;
    }
    CHECK(words > 1000 && words < 1500);
    CHECK(nothing > 0 && all > 0);
}

static void test_the_last_word_is_the_only_one_torn(void)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct sector before = make_sector(seed);
        struct program program = make_program(seed);
        struct sim_tear tear = {SIM_TEAR_LAST_WORD, 0, seed};
        struct sector whole = tear_it(&before, &program, NULL);
        struct sector after = tear_it(&before, &program, &tear);
        for (uint32_t i = 0; i < SECTOR; i++) {
            bool last = i + 4 >= program.offset + program.size && i < program.offset + program.size;
            CHECK(last || after.bits[i] == whole.bits[i]);
        }
    }
}

/* A caller with no place for unstable cells gets the same tear, and a value for each of them. */
static void test_unstable_cells_get_a_value_without_a_mask(void)
{
    for (uint32_t kind = 0; kind < SIM_TEAR_COUNT; kind++) {
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
            struct sector before = make_sector(seed);
            struct sim_tear tear = {(enum sim_tear_kind)kind, SIM_TEAR_SEEDED, seed};
            memset(before.unstable, 0, SECTOR);
            struct sector bare = before;
            struct sim_cells cells = {.bits = bare.bits, .size = SECTOR};
            if (!sim_tear_exists(tear.kind, SIM_ERASE)) {
                continue;
            }
            sim_cells_erase(&cells, &tear);
            struct sector after = tear_it(&before, NULL, &tear);
            for (uint32_t i = 0; i < SECTOR; i++) {
                CHECK_THAT(sim_tear_name(tear.kind),
                           ((bare.bits[i] ^ after.bits[i]) & ~after.unstable[i]) == 0);
            }
        }
    }
}

static uint64_t digest(uint64_t hash, const struct sector *sector)
{
    for (uint32_t i = 0; i < SECTOR; i++) {
        hash = sim_random_mix(hash ^ sector->bits[i] ^ (uint64_t)sector->unstable[i] << 8);
    }
    return hash;
}

/* Recorded values: what was found with a seed on one machine is found again on any other. */
static void test_tears_are_the_same_everywhere_and_for_ever(void)
{
    uint64_t erases = 0, programs = 0;

    CHECK(sim_random_at(0, 0) == 0xE220A8397B1DCDAF);
    CHECK(sim_random_at(0, 2) == 0x06C45D188009454F);
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct sector before = make_sector(seed);
        struct program program = make_program(seed);
        for (uint32_t i = 0; i < SIM_TEAR_COUNT; i++) {
            struct sim_tear tear = {leaves[i].kind, SIM_TEAR_SEEDED, seed};
            struct sector after;
            if (leaves[i].erase != 0) {
                after = tear_it(&before, NULL, &tear);
                erases = digest(erases, &after);
            }
            if (leaves[i].program != 0) {
                after = tear_it(&before, &program, &tear);
                programs = digest(programs, &after);
            }
        }
    }
    CHECK(erases == 0x3E6266418B1899FB);
    CHECK(programs == 0x6E00FE6D1EA85A99);
}

static void test_random_numbers_are_a_sequence_with_direct_access(void)
{
    struct sim_random random = {77};

    for (uint64_t i = 0; i < 1000; i++) {
        CHECK(sim_random_next(&random) == sim_random_at(77, i));
    }
    CHECK(sim_random_below(&random, 0) == 0 && sim_random_below(&random, 1) == 0);
    for (uint32_t i = 0; i < 1000; i++) {
        CHECK(sim_random_below(&random, 7) < 7);
    }
}

int main(void)
{
    CHECK_RUN(test_each_kind_leaves_what_its_line_says);
    CHECK_RUN(test_no_tear_is_the_whole_operation);
    CHECK_RUN(test_amounts_are_exact);
    CHECK_RUN(test_a_seeded_amount_is_often_whole_words_and_reaches_both_ends);
    CHECK_RUN(test_the_last_word_is_the_only_one_torn);
    CHECK_RUN(test_unstable_cells_get_a_value_without_a_mask);
    CHECK_RUN(test_tears_are_the_same_everywhere_and_for_ever);
    CHECK_RUN(test_random_numbers_are_a_sequence_with_direct_access);
    check_end();
}
