/*
 * Any number of cuts: a breadth-first search over the states in which a device can be at a reset.
 *
 * From each state one session is lived, with each reading of unstable cells; at each of its
 * operations power is cut in every way, and what each cut leaves is a state to look at; so is what
 * the session leaves when it is not cut. The search ends when no new state appears. There are two
 * of it: `closure`, in which a torn erase leaves unstable cells and a torn program leaves each bit
 * done or not; and `undecided`, in which a torn program leaves unstable cells as well.
 *
 * Two things make it end. A state is first brought into its normal form (fold.h), which leaves out
 * what nobody reads. Then two states are the same when the device cannot tell them apart: lived on
 * without a cut, they make the same operations with the same data in the same order, with the same
 * images started, under each reading. Counters that only grow are left out.
 *
 * That two states which are the same now stay the same under further cuts is not proven by this, so
 * it is tried: random lives with many cuts, torn at random and never folded, must not lead to any
 * state whose normal form the search has not seen. One that does is added, and the search goes on
 * from there.
 */
#include "verbs.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <updraft/bytes.h>
#include <updraft/copy_log.h>
#include <updraft/sim_random.h>

#include "fold.h"
#include "life.h"
#include "map.h"
#include "pool.h"

enum { READINGS = 3, STATES_MAX = 400000 };

/* --- What a device does from a state on ------------------------------------------------------- */

struct search {
    struct life life;   /* lives sessions whose operations are cut */
    struct life probe;  /* finds out what a state is */
    struct map exact;   /* hash of a normal form, with RTC memory and fuse -> 1 */
    struct map futures; /* the same, each reading by itself */
    struct map known;   /* hash of what happens -> 1 */
    struct state *queue;
    uint32_t count, next;
    uint32_t limit; /* of states to go on from */
    uint64_t trace; /* of the probe's session */
    uint64_t transitions;
    uint64_t dead;
    uint64_t late;   /* states that random lives found and the search had not */
    uint64_t spent;  /* states that are not gone on from: see fold_is_spent() */
    uint64_t vendor; /* random lives that ended with life_has_doubtful_trial() */
    uint64_t seed;
    bool settle;    /* torn programs leave no unstable cell */
    uint32_t draws; /* of what each kind of tear leaves to chance */
    char first[300];
};

static uint64_t mix(uint64_t hash, uint64_t value)
{
    return sim_random_mix(hash ^ sim_random_mix(value + SIM_RANDOM_GAMMA));
}

static uint64_t mix_bytes(uint64_t hash, const uint8_t *data, uint32_t size)
{
    for (uint32_t i = 0; i < size; i++) {
        hash = (hash ^ data[i]) * 0x100000001B3u;
    }
    return sim_random_mix(hash);
}

/* Counters only grow: of otadata the slot counts, of the SDK's record nothing. */
static uint64_t mix_data(const struct setup *setup, uint64_t hash, const struct sim_op *op,
                         const void *data)
{
    uint8_t bytes[PAGE];
    uint32_t within = op->offset % SECTOR;
    uint32_t flag = setup->area[setup->metadata_count - 1].offset + 2 * SECTOR;

    memcpy(bytes, data, op->size);
    if (setup->scheme == NONOS && op->offset - within == flag && within < 12 &&
        within + op->size > 8) {
        for (uint32_t i = 8; i < 12; i++) {
            if (i >= within) {
                bytes[i - within] = 0;
            }
        }
    }
    if (setup->scheme == EBOOT && op->size == UPD_COPY_ENTRY_SIZE && bytes[0] == 'U' &&
        bytes[1] == 'C') {
        memset(bytes + 4, 0, 4);
        memset(bytes + op->size - 4, 0, 4);
    }
    bool record = setup->scheme == OTADATA && within < UPD_OTADATA_RECORD_SIZE &&
                  op->offset - setup->area[0].offset < setup->area[0].size;
    if (record && within == 0) {
        upd_put_le32(bytes, (upd_get_le32(bytes) - 1) % setup->slot_count);
    }
    if (record && within + op->size == UPD_OTADATA_RECORD_SIZE) {
        memset(bytes + op->size - 4, 0, 4);
    }
    return mix_bytes(hash, bytes, op->size);
}

static void note(void *ctx, struct life *life, const struct sim_op *op, const void *data)
{
    struct search *search = ctx;

    search->trace = mix(search->trace, op->offset * 2u + (op->kind == SIM_ERASE));
    if (op->kind == SIM_PROGRAM) {
        fold_learn(data, op->size);
        search->trace = mix_data(life->setup, search->trace, op, data);
    }
}

static void set_reading(struct sim_flash *sim, uint32_t reading)
{
    static const enum sim_reads ways[READINGS] = {SIM_READS_ONES, SIM_READS_ZEROS,
                                                  SIM_READS_RANDOM};

    sim_flash_seed(sim, 77 + reading);
    sim_flash_set_reads(sim, ways[reading], 0);
}

static bool is_unstable(const struct life *life)
{
    for (uint32_t i = 0; i < life->setup->area_count; i++) {
        if (sim_flash_unstable(&life->sim, life->setup->area[i].offset, life->setup->area[i].size) >
            0) {
            return true;
        }
    }
    return false;
}

static uint64_t hash_of(struct state *state)
{
    uint64_t hash = sim_snapshot_hash(state->flash);

    hash = mix_bytes(hash, state->rtc.bytes, sizeof state->rtc.bytes);
    return mix(hash, state->fuse) | 1;
}

static void complain(struct search *search, const struct life *life, const char *what)
{
    search->dead++;
    if (search->first[0] == 0) {
        snprintf(search->first, sizeof search->first, "%s %s %s: %s: %s %s", life->setup->name,
                 kind_names[life->kind], outcome_names[life->outcome], what,
                 life->complaint[0] != 0 ? life->complaint : life->during,
                 life->complaint[0] != 0 ? "" : upd_err_text(life->err));
    }
}

/*
 * What happens from the probe's state on, without a cut, with one reading; 0 when it never ends. At
 * a reset all but the state is forgotten, so what was found out for a state is found out for good.
 */
static uint64_t live_on(struct search *search, uint32_t reading)
{
    struct life *probe = &search->probe;
    uint64_t at[SESSIONS_MAX], happens[SESSIONS_MAX];
    uint64_t hash = 0;
    uint32_t count = 0;
    enum end end = END_RESTART;

    while (end == END_RESTART && hash == 0 && count < SESSIONS_MAX) {
        struct state state = life_save(probe);
        at[count] = mix(hash_of(&state), reading) | 1;
        state_free(&state);
        hash = *map_at(&search->futures, at[count]);
        if (hash == 0) {
            search->trace = 1;
            set_reading(&probe->sim, reading);
            end = life_session(probe);
            fold(probe);
            happens[count++] =
                mix(search->trace, (uint64_t)end * 1000 + probe->place * 10 + probe->runs);
        }
    }
    if (hash == 0 && end != END_DONE) {
        probe->during = end == END_RESTART ? "it never ends" : probe->during;
        complain(search, probe, "dead");
        return 0;
    }
    while (count > 0) {
        count--;
        hash = mix(happens[count], hash) | 1;
        *map_at(&search->futures, at[count]) = hash;
    }
    return hash;
}

/* What happens from the probe's state on, for all readings: what a state is known by. */
static uint64_t find_out(struct search *search, struct state *state)
{
    uint32_t readings = is_unstable(&search->probe) ? READINGS : 1;
    uint64_t first = 0, sum = 1;
    bool differ = false;

    for (uint32_t i = 0; i < readings; i++) {
        life_restore(&search->probe, state);
        uint64_t future = live_on(search, i);
        differ |= i > 0 && future != first;
        first = i == 0 ? future : first;
        sum = mix(sum, future);
    }
    /* Unstable cells that change nothing are as good as none. */
    return (differ ? sum : first) | 1;
}

/* Look at a state: known already, or one to go on from. Takes the state over. */
static bool look(struct search *search, struct state *raw)
{
    life_restore(&search->probe, raw);
    state_free(raw);
    fold(&search->probe);
    struct state state = life_save(&search->probe);
    uint64_t *seen = map_at(&search->exact, hash_of(&state));
    if (*seen != 0) {
        state_free(&state);
        return false;
    }
    *seen = 1;
    if (!search->settle && fold_is_spent(&search->probe)) {
        search->spent++;
        state_free(&state);
        return false;
    }
    uint64_t *known = map_at(&search->known, find_out(search, &state));
    if (*known != 0) {
        state_free(&state);
        return false;
    }
    if (search->count == STATES_MAX) {
        die("%s: more than %d states: the search does not end", search->life.setup->name,
            STATES_MAX);
    }
    *known = 1;
    search->queue[search->count++] = state;
    return true;
}

/* --- One step --------------------------------------------------------------------------------- */

/* The normal form knows the values that were written. */
static void learn(void *ctx, struct life *life, const struct sim_op *op, const void *data)
{
    (void)ctx;
    (void)life;
    if (op->kind == SIM_PROGRAM) {
        fold_learn(data, op->size);
    }
}

static void cut_everywhere(void *ctx, struct life *life, const struct sim_op *op, const void *data)
{
    struct search *search = ctx;
    struct state before = life_save(life);

    learn(ctx, life, op, data);
    for (uint32_t i = 0; i < search->draws * SIM_TEAR_COUNT; i++) {
        struct sim_tear tear = {(enum sim_tear_kind)(i % SIM_TEAR_COUNT), SIM_TEAR_SEEDED,
                                sim_random_at(search->seed, i * 2u + op->kind)};
        if (tear.kind == SIM_TEAR_ANY || !sim_tear_exists(tear.kind, op->kind) ||
            !sim_tear_in_contract(tear.kind)) {
            continue;
        }
        life_restore(&search->probe, &before);
        life_tear(&search->probe, op, data, &tear);
        struct state after = life_save(&search->probe);
        search->transitions++;
        (void)look(search, &after);
    }
    state_free(&before);
}

/* All that can follow on a state within one session. */
static void step(struct search *search, struct state *state)
{
    life_restore(&search->life, state);
    uint32_t readings = is_unstable(&search->life) ? READINGS : 1;

    for (uint32_t i = 0; i < readings; i++) {
        life_restore(&search->life, state);
        set_reading(&search->life.sim, i);
        enum end end = life_session(&search->life);
        if (end == END_DEAD || end == END_FAILED) {
            complain(search, &search->life, "dead");
        }
        struct state after = life_save(&search->life);
        search->transitions++;
        (void)look(search, &after);
    }
}

/* A life with many cuts. Each state on the way has to be one that is known. */
static void wander(struct search *search, struct state *from, uint64_t seed)
{
    enum { CUTS = 12 };
    struct sim_random random = {seed};
    struct life *life = &search->life;

    life->hook = learn;
    life_restore(life, from);
    for (uint32_t i = 0; i < CUTS; i++) {
        uint64_t noise = sim_random_next(&random);
        sim_flash_seed(&life->sim, noise);
        sim_flash_set_reads(&life->sim, SIM_READS_RANDOM, 0);
        sim_flash_cut_at(&life->sim, (uint32_t)(noise % 40), SIM_TEAR_ANY);
        if (life_has_doubtful_trial(life)) {
            search->vendor++;
            break;
        }
        enum end end = life_session(life);
        sim_flash_cut(&life->sim, NULL, 0, false);
        sim_flash_power_on(&life->sim);
        if (end == END_DEAD || end == END_FAILED) {
            complain(search, life, "a random life");
            break;
        }
        if (life_has_doubtful_trial(life)) {
            continue;
        }
        struct state after = life_save(life);
        search->late += look(search, &after);
    }
    life->hook = cut_everywhere;
}

static void search_all(struct search *search)
{
    while (search->next < search->count && search->next < search->limit) {
        step(search, &search->queue[search->next++]);
    }
}

/* --- All of them ------------------------------------------------------------------------------ */

static const struct {
    const char *setup;
    const char *name;
} searched[] = {
    {"nonos-map0", "nonos"},      {"nonos-v1.7-map0", "nonos-v1.7"},
    {"idf-two_ota_large", "idf"}, {"idf-rollback-two_ota_large", "idf-rollback"},
    {"rtos-two_ota.1MB", "rtos"},
#ifndef WITHOUT_EBOOT
    {"eboot-512k", "eboot"},
#endif
};

struct found {
    uint64_t states, transitions, dead, exact, late, walks;
    uint64_t open; /* states that were found and not gone on from */
    uint64_t spent, vendor;
    char first[300];
};

struct job {
    const char *pattern;
    uint32_t walks;
    uint32_t outcomes; /* bits */
    uint32_t kinds;    /* bits */
    uint32_t limit;    /* states of each search to go on from */
    uint32_t draws;    /* of what each kind of tear leaves to chance */
    bool settle;       /* torn programs leave no unstable cell */
};

static void work(uint32_t index, void *ctx, void *result)
{
    const struct job *job = ctx;
    struct found *found = result;
    struct setup setup;
    struct search search = {
        .seed = 5, .limit = job->limit, .settle = job->settle, .draws = job->draws};
    enum outcome outcome = (enum outcome)(index % OUTCOME_COUNT);
    enum kind kind = (enum kind)(index / OUTCOME_COUNT % KIND_COUNT);
    uint32_t row = index / OUTCOME_COUNT / KIND_COUNT;

    if (job->pattern != NULL && strcmp(job->pattern, searched[row].name) != 0) {
        return;
    }
    if ((job->outcomes >> outcome & job->kinds >> kind & 1) == 0) {
        return;
    }
    setup_make(&setup, setup_find(searched[row].setup),
               kind == KIND_RESUMED ? SIZES_TINY : SIZES_MINI);
    life_begin(&search.life, &setup, kind, outcome, 1);
    sim_flash_settle_programs(&search.life.sim, job->settle);
    fold_begin(&search.life);
    life_fork(&search.probe, &search.life);
    search.life.hook = cut_everywhere;
    search.life.hook_ctx = &search;
    search.probe.hook = note;
    search.probe.hook_ctx = &search;
    search.queue = take(STATES_MAX * sizeof *search.queue);
    struct state start = life_save(&search.life);
    (void)look(&search, &start);
    search_all(&search);
    bool open = search.next < search.count;
    for (uint32_t i = 0; i < job->walks && search.dead == 0 && !open; i++) {
        uint64_t seed = sim_random_at(search.seed, 1000 + i);
        wander(&search, &search.queue[seed % search.count], seed);
        search_all(&search);
    }
    found->states = search.count;
    found->transitions = search.transitions;
    found->dead = search.dead;
    found->exact = search.exact.count;
    found->late = search.late;
    found->spent = search.spent;
    found->vendor = search.vendor;
    found->walks = open ? 0 : job->walks;
    found->open = search.count - search.next;
    memcpy(found->first, search.first, sizeof found->first);
    for (uint32_t i = 0; i < search.count; i++) {
        state_free(&search.queue[i]);
    }
    free(search.queue);
    map_free(&search.exact);
    map_free(&search.futures);
    map_free(&search.known);
    fold_end(&search.life);
    life_end(&search.probe);
    life_end(&search.life);
    setup_free(&setup);
}

static int close_all(bool settle, int argc, char **argv)
{
    enum { ROWS = sizeof searched / sizeof searched[0], COUNT = ROWS * KIND_COUNT * OUTCOME_COUNT };
    struct found *found = take(COUNT * sizeof *found);
    struct job job = {argc > 0 ? argv[0] : NULL,
                      argc > 1 ? (uint32_t)atoi(argv[1]) : 20,
                      argc > 2 ? (uint32_t)atoi(argv[2]) : 7,
                      argc > 3 ? (uint32_t)atoi(argv[3]) : 7,
                      argc > 4 ? (uint32_t)atoi(argv[4]) : STATES_MAX,
                      argc > 5 ? (uint32_t)atoi(argv[5]) : 1,
                      settle};
    bool good = true;

    pool_run(COUNT, work, &job, found, sizeof *found);
    for (uint32_t i = 0; i < COUNT; i += OUTCOME_COUNT) {
        struct found sum = {0};
        for (uint32_t k = i; k < i + OUTCOME_COUNT; k++) {
            if (found[k].first[0] != 0) {
                printf("FAILED %s\n", found[k].first);
            }
            sum.states += found[k].states;
            sum.transitions += found[k].transitions;
            sum.dead += found[k].dead;
            sum.open += found[k].open;
            sum.late += found[k].late;
            sum.spent += found[k].spent;
            sum.vendor += found[k].vendor;
            good &= found[k].dead == 0;
        }
        if (sum.states == 0) {
            continue;
        }
        printf("closure %s%s %s: %" PRIu64 " states, %" PRIu64 " transitions, %" PRIu64 " dead",
               settle ? "" : "undecided ", searched[i / OUTCOME_COUNT / KIND_COUNT].name,
               kind_names[i / OUTCOME_COUNT % KIND_COUNT], sum.states, sum.transitions, sum.dead);
        if (sum.open > 0) {
            printf("; open: %" PRIu64 " of them not gone on from", sum.open);
        } else {
            printf("; closed; random lives added %" PRIu64, sum.late);
        }
        if (sum.vendor > 0) {
            printf("; ended where IDF's loader left a trial in doubt: %" PRIu64, sum.vendor);
        }
        if (sum.spent > 0) {
            printf("; not gone on from: %" PRIu64 " whose places are used up", sum.spent);
        }
        putchar('\n');
    }
    free(found);
    return good ? 0 : 1;
}

int verb_closure(int argc, char **argv)
{
    return close_all(true, argc, argv);
}

int verb_undecided(int argc, char **argv)
{
    return close_all(false, argc, argv);
}
