#include <updraft/sim_tear.h>

#include <stddef.h>

#include <updraft/sim_random.h>

enum { WORD = 4 };

/* What happens to the bits of one byte; bits in none of the masks are untouched. */
struct fate {
    uint8_t done;
    uint8_t weak;
    uint8_t zero;
};

/* A tear with everything chosen that its seed chooses once for the whole operation. */
struct plan {
    enum sim_tear_kind kind;
    uint32_t amount;
    uint32_t density;  /* 0: few bits, 1: half of them, 2: most */
    uint32_t rarity;   /* of unstable cells: 1 of 8, 64 or 512, or 3: a single one */
    uint32_t weak_at;  /* the cell that WEAK_* leaves unstable in any case: its byte, */
    uint8_t weak_mask; /* and its bit */
    struct sim_random random;
};

static const struct {
    const char *name;
    bool exists[2];
} kinds[] = {
#define X(name, erase, program, text) {#name, {(erase) != 0, (program) != 0}},
    SIM_TEARS(X)
#undef X
};

bool sim_tear_exists(enum sim_tear_kind tear, enum sim_op_kind op)
{
    return (uint32_t)tear < SIM_TEAR_COUNT && kinds[tear].exists[op];
}

bool sim_tear_in_contract(enum sim_tear_kind tear)
{
    return tear != SIM_TEAR_SECTOR_DISTURB;
}

const char *sim_tear_name(enum sim_tear_kind tear)
{
    return (uint32_t)tear < SIM_TEAR_COUNT ? kinds[tear].name : "unknown";
}

static enum sim_tear_kind choose_kind(struct sim_random *random, enum sim_op_kind op)
{
    enum sim_tear_kind tear;

    do {
        tear = (enum sim_tear_kind)sim_random_below(random, SIM_TEAR_COUNT);
    } while (tear == SIM_TEAR_ANY || !sim_tear_exists(tear, op) || !sim_tear_in_contract(tear));
    return tear;
}

static bool is_weak(enum sim_tear_kind tear)
{
    return tear == SIM_TEAR_WEAK_BEFORE || tear == SIM_TEAR_WEAK_AFTER;
}

static struct plan make_plan(const struct sim_tear *tear, enum sim_op_kind op, uint32_t size)
{
    struct plan plan = {.kind = tear->kind, .amount = tear->amount, .random = {tear->seed}};

    if (plan.kind == SIM_TEAR_ANY) {
        plan.kind = choose_kind(&plan.random, op);
    }
    if (plan.amount == SIM_TEAR_SEEDED) {
        plan.amount = sim_random_below(&plan.random, size + 1);
        plan.amount -= sim_random_next(&plan.random) >> 63 ? plan.amount % WORD : 0;
    } else if (plan.amount > size) {
        plan.amount = size;
    }
    plan.density = sim_random_below(&plan.random, 3);
    plan.rarity = sim_random_below(&plan.random, is_weak(plan.kind) ? 4 : 3);
    return plan;
}

/* A random mask: of its bits 1, 4 or 7 in 8 are set. */
static uint8_t dense_mask(const struct plan *plan, uint64_t noise)
{
    switch (plan->density) {
    case 0:
        return (uint8_t)(noise & (noise >> 8) & (noise >> 16));
    case 1:
        return (uint8_t)noise;
    default:
        return (uint8_t)(noise | (noise >> 8) | (noise >> 16));
    }
}

/* A random mask: of its bits 1 in 8, 64 or 512 are set, or none. */
static uint8_t rare_mask(const struct plan *plan, uint64_t noise)
{
    uint8_t mask = plan->rarity == 3 ? 0 : 0xFF;

    for (uint32_t i = 0; i <= plan->rarity && mask != 0; i++) {
        mask &= (uint8_t)(noise & (noise >> 8) & (noise >> 16));
        noise = sim_random_mix(noise);
    }
    return mask;
}

/* The fate of byte `i` of the `size` bytes that an operation works on. */
static struct fate decide(struct plan *plan, uint32_t i, uint32_t size)
{
    uint64_t noise = sim_random_next(&plan->random);
    uint8_t first = i < plan->amount ? 0xFF : 0;
    uint8_t last = i >= size - plan->amount ? 0xFF : 0;
    struct fate fate = {0};

    switch (plan->kind) {
    case SIM_TEAR_AFTER:
        fate.done = 0xFF;
        break;
    case SIM_TEAR_PREFIX:
        fate.done = first;
        break;
    case SIM_TEAR_SUFFIX:
        fate.done = last;
        break;
    case SIM_TEAR_LAST_WORD:
        fate.done = i + WORD < size ? 0xFF : (uint8_t)noise;
        break;
    case SIM_TEAR_BITS:
        fate.done = dense_mask(plan, noise);
        break;
    case SIM_TEAR_WEAK_BEFORE:
    case SIM_TEAR_WEAK_AFTER:
        fate.weak = rare_mask(plan, noise);
        fate.weak |= i == plan->weak_at ? plan->weak_mask : 0;
        fate.done = plan->kind == SIM_TEAR_WEAK_AFTER ? (uint8_t)~fate.weak : 0;
        break;
    case SIM_TEAR_MIXED:
    case SIM_TEAR_DISTURB:
    case SIM_TEAR_SECTOR_DISTURB:
        fate.done = dense_mask(plan, noise);
        fate.weak = (uint8_t)((noise >> 24) & ~fate.done);
        break;
    case SIM_TEAR_ZERO_PREFIX:
        fate.zero = first;
        break;
    case SIM_TEAR_ZERO_SUFFIX:
        fate.zero = last;
        break;
    case SIM_TEAR_ZERO_BITS:
        fate.zero = dense_mask(plan, noise);
        break;
    case SIM_TEAR_BEFORE:
    case SIM_TEAR_ANY:
    case SIM_TEAR_COUNT:
        break;
    }
    return fate;
}

static uint8_t unstable_at(const struct sim_cells *cells, uint32_t at)
{
    return cells->unstable == NULL ? 0 : cells->unstable[at];
}

static void settle(const struct sim_cells *cells, uint32_t at, uint8_t mask)
{
    if (cells->unstable != NULL) {
        cells->unstable[at] &= (uint8_t)~mask;
    }
}

/* Make cells unstable or, where none shall be or can be noted, give them one of their values. */
static void weaken(const struct sim_cells *cells, uint32_t at, uint8_t mask, uint64_t noise)
{
    if (cells->unstable != NULL && !cells->settles) {
        cells->bits[at] |= mask;
        cells->unstable[at] |= mask;
    } else {
        cells->bits[at] = (uint8_t)((cells->bits[at] & ~mask) | (mask & noise));
    }
}

/* The cells of byte `at` that a program of `data` has to clear. */
static uint8_t to_clear(const struct sim_cells *cells, uint32_t at, uint8_t data)
{
    return (uint8_t)(cells->bits[at] & ~data & ~unstable_at(cells, at));
}

/* One random cell among those to clear, for WEAK_*; none when there is nothing to do. */
static void choose_weak_cell(struct plan *plan, const struct sim_cells *cells, uint32_t offset,
                             const uint8_t *data, uint32_t size)
{
    uint32_t start = sim_random_below(&plan->random, size);

    for (uint32_t i = 0; i < size; i++) {
        uint32_t at = start + i < size ? start + i : start + i - size;
        uint8_t mask = to_clear(cells, offset + at, data[at]);
        if (mask != 0) {
            plan->weak_at = at;
            plan->weak_mask = (uint8_t)(mask & (~mask + 1));
            return;
        }
    }
}

/* Some of the cells in [offset, offset + size) that hold a 1 are cleared or unstable. */
static void disturb(const struct sim_cells *cells, struct plan *plan, uint32_t offset,
                    uint32_t size)
{
    for (uint32_t i = offset; i < offset + size; i++) {
        uint64_t noise = sim_random_next(&plan->random);
        uint8_t hit = (uint8_t)(rare_mask(plan, noise) & to_clear(cells, i, 0));
        uint8_t cleared = (uint8_t)(hit & (noise >> 32));
        cells->bits[i] &= (uint8_t)~cleared;
        weaken(cells, i, (uint8_t)(hit & ~cleared), noise >> 40);
    }
}

void sim_cells_program(const struct sim_cells *cells, uint32_t page_size, uint32_t offset,
                       const uint8_t *data, uint32_t size, const struct sim_tear *tear)
{
    static const struct sim_tear none = {.kind = SIM_TEAR_AFTER};
    struct plan plan = make_plan(tear == NULL ? &none : tear, SIM_PROGRAM, size);

    choose_weak_cell(&plan, cells, offset, data, size);
    for (uint32_t i = 0; i < size; i++) {
        struct fate fate = decide(&plan, i, size);
        uint8_t mask = to_clear(cells, offset + i, data[i]);
        cells->bits[offset + i] &= (uint8_t) ~(mask & fate.done);
        weaken(cells, offset + i, mask & fate.weak, sim_random_next(&plan.random));
    }
    if (plan.kind == SIM_TEAR_DISTURB) {
        disturb(cells, &plan, offset - offset % page_size, page_size);
    } else if (plan.kind == SIM_TEAR_SECTOR_DISTURB) {
        disturb(cells, &plan, 0, cells->size);
    }
}

void sim_cells_erase(const struct sim_cells *cells, const struct sim_tear *tear)
{
    static const struct sim_tear none = {.kind = SIM_TEAR_AFTER};
    struct plan plan = make_plan(tear == NULL ? &none : tear, SIM_ERASE, cells->size);

    /* The chip has programmed every cell of the sector, so any of them may be the weak one. */
    plan.weak_at = sim_random_below(&plan.random, cells->size);
    plan.weak_mask = (uint8_t)(1u << sim_random_below(&plan.random, 8));
    for (uint32_t i = 0; i < cells->size; i++) {
        struct fate fate = decide(&plan, i, cells->size);
        cells->bits[i] |= fate.done;
        settle(cells, i, fate.done);
        weaken(cells, i, fate.weak, sim_random_next(&plan.random));
        cells->bits[i] &= (uint8_t) ~(fate.zero & ~unstable_at(cells, i));
    }
}
