/*
 * Every single cut: a device lives through an update, and at each operation, of loader and library,
 * the power goes in every way that flash knows. Each time the device has to start a whole image
 * again, keep what is the user's, and finish the update later.
 */
#include "verbs.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <updraft/bytes.h>
#include <updraft/sim_random.h>

#include "life.h"
#include "pool.h"

struct effort {
    enum sizes sizes;
    uint32_t draws; /* of each tear that leaves something to chance, each with another reading */
};
static const struct effort gate = {SIZES_SMALL, 1}, full = {SIZES_SMALL, 12};

struct found {
    uint64_t operations;
    uint64_t cuts;
    uint64_t bricks;
    uint64_t unverified;
    uint64_t lost;
    uint64_t stuck;
    uint64_t vendor; /* crashes for ever because the chip's own loader lost the trial: see below */
    char first[600]; /* the first thing that went wrong */
};

/* One device, kind and outcome, and the cut that is being tried. */
struct campaign {
    const struct effort *effort;
    uint64_t seed;
    struct life trial;
    uint32_t op;
    struct found *found;
    /* To replay a single cut: */
    bool only;
    uint32_t only_op;
    enum sim_tear_kind only_tear;
    uint32_t only_draw;
    /* To show what the cuts leave, instead of living on: */
    uint32_t show_every; /* 0: not */
    const struct sim_flash *shown_first;
};

/* Tears that are the same whatever the seed says. */
static bool is_certain(enum sim_tear_kind tear)
{
    return tear == SIM_TEAR_BEFORE || tear == SIM_TEAR_AFTER;
}

static void choose_reading(struct sim_flash *sim, uint64_t noise, uint32_t which)
{
    static const enum sim_reads ways[] = {SIM_READS_RANDOM,          SIM_READS_ONES,
                                          SIM_READS_ZEROS,           SIM_READS_ALTERNATE,
                                          SIM_READS_ONES_THEN_ZEROS, SIM_READS_ZEROS_THEN_ONES};
    uint32_t way = ((uint32_t)(noise >> 8) % 6 + which) % 6;

    sim_flash_seed(sim, noise);
    sim_flash_set_reads(sim, ways[way], (uint32_t)(noise >> 32) % 64);
}

static void judge(struct campaign *campaign, const struct life *main_life, const struct sim_op *op,
                  const struct sim_tear *tear, uint32_t draw, enum end end)
{
    struct life *trial = &campaign->trial;
    struct found *found = campaign->found;
    bool bad = end != END_DONE || trial->brick || trial->unverified || trial->lost;

    /*
     * What life_has_doubtful_trial() tells of. An image that crashes before any of the library runs
     * is then started for ever, and one that never confirms runs on for good where the library,
     * too, reads a state that is no trial's: nothing that the library could have done helps.
     */
    bool crashes_for_ever = bad && trial->outcome == OUTCOME_CRASHES && trial->runs == NEW &&
                            main_life->setup->loader.kind == SIM_LOADER_OTADATA && !trial->brick;
    if (main_life->in_loader && (crashes_for_ever || trial->lost_trial) && !trial->unverified &&
        !trial->lost) {
        found->vendor++;
        return;
    }
    found->bricks += trial->brick;
    found->unverified += trial->unverified;
    found->lost += trial->lost;
    found->stuck += end != END_DONE && !trial->brick && !trial->unverified && !trial->lost;
    if (!bad || found->first[0] != 0) {
        return;
    }
    char why[200];
    if (trial->complaint[0] != 0) {
        snprintf(why, sizeof why, "%s", trial->complaint);
    } else {
        snprintf(why, sizeof why, "%s: %s", trial->during, upd_err_text(trial->err));
    }
    snprintf(found->first, sizeof found->first,
             "%s %s %s: %s of %" PRIu32 " bytes at 0x%" PRIx32 "%s: %s\n"
             "  again: powercut replay %s %s %s %" PRIu32 " %s %" PRIu32 " %" PRIu64,
             trial->setup->name, kind_names[trial->kind], outcome_names[trial->outcome],
             op->kind == SIM_ERASE ? "erase" : "program", op->size, op->offset,
             main_life->in_loader ? " by the loader" : "", why, trial->setup->name,
             kind_names[trial->kind], outcome_names[trial->outcome], campaign->op,
             sim_tear_name(tear->kind), draw, campaign->seed);
}

/* Print how a flash reads where it is not as the first one: a line with the number of sectors, then
 * for each its number, as 4 little-endian bytes, and its bytes. */
static void show(struct sim_flash *sim, const struct sim_flash *first)
{
    uint32_t count = sim->flash.total_size / SECTOR, differ = 0;
    uint8_t *bytes = take(count * SECTOR), *was = take(count * SECTOR);

    if (sim->flash.read(sim->flash.ctx, 0, bytes, count * SECTOR) != UPD_OK) {
        die("a flash that cannot be read");
    }
    memset(was, 0xFF, count * SECTOR);
    if (first != NULL) {
        sim_flash_peek(first, 0, was, count * SECTOR);
    }
    for (uint32_t i = 0; i < count; i++) {
        differ += memcmp(&bytes[i * SECTOR], &was[i * SECTOR], SECTOR) != 0;
    }
    printf("%" PRIu32 "\n", differ);
    for (uint32_t i = 0; i < count; i++) {
        if (memcmp(&bytes[i * SECTOR], &was[i * SECTOR], SECTOR) != 0) {
            uint8_t number[4];
            upd_put_le32(number, i);
            fwrite(number, sizeof number, 1, stdout);
            fwrite(&bytes[i * SECTOR], SECTOR, 1, stdout);
        }
    }
    free(was);
    free(bytes);
}

static void show_tear(struct campaign *campaign, uint64_t noise)
{
    struct sim_flash *sim = &campaign->trial.sim;

    if (++campaign->found->cuts % campaign->show_every == 0) {
        sim_flash_power_on(sim);
        sim_flash_set_reads(sim, noise >> 63 ? SIM_READS_ONES : SIM_READS_ZEROS, 0);
        show(sim, campaign->shown_first);
    }
}

static void try_tear(struct campaign *campaign, const struct life *main_life,
                     const struct state *before, const struct sim_op *op, const void *data,
                     enum sim_tear_kind kind, uint32_t draw)
{
    struct life *trial = &campaign->trial;
    uint64_t noise = sim_random_at(sim_random_at(campaign->seed, campaign->op), kind * 64u + draw);
    struct sim_tear tear = {kind, SIM_TEAR_SEEDED, noise};

    life_restore(trial, before);
    life_tear(trial, op, data, &tear);
    if (campaign->show_every != 0) {
        show_tear(campaign, noise);
        return;
    }
    sim_rtc_power_on(&trial->rtc, (enum sim_rtc_fate)(noise % SIM_RTC_FATES), noise);
    choose_reading(&trial->sim, noise, draw);
    campaign->found->cuts++;
    life_verbose = campaign->only;
    judge(campaign, main_life, op, &tear, draw, life_to_end(trial));
    life_verbose = false;
}

static void try_all(void *ctx, struct life *life, const struct sim_op *op, const void *data)
{
    struct campaign *campaign = ctx;
    struct state before = life_save(life);
    /* What eboot itself does when power goes while it copies is no secret: see `mirror`. */
    bool hopeless = life->in_loader && life->setup->loader.kind == SIM_LOADER_EBOOT_ORIGINAL;

    for (uint32_t kind = 1; kind < SIM_TEAR_COUNT && !hopeless; kind++) {
        enum sim_tear_kind tear = (enum sim_tear_kind)kind;
        if (!sim_tear_exists(tear, op->kind) || !sim_tear_in_contract(tear)) {
            continue;
        }
        uint32_t draws = is_certain(tear) ? 1 : campaign->effort->draws;
        for (uint32_t draw = 0; draw < draws; draw++) {
            if (!campaign->only || (campaign->op == campaign->only_op &&
                                    tear == campaign->only_tear && draw == campaign->only_draw)) {
                try_tear(campaign, life, &before, op, data, tear, draw);
            }
        }
    }
    state_free(&before);
    campaign->op++;
    campaign->found->operations++;
}

/* What an update may not touch is as it was at the beginning. */
static bool is_intact(const struct life *life)
{
    struct sim_flash fresh;
    uint8_t was[SECTOR], is[SECTOR];
    bool intact = true;

    setup_flash(life->setup, &fresh, 1);
    for (uint32_t at = 0; at < fresh.flash.total_size; at += SECTOR) {
        bool allowed = false;
        for (uint32_t i = 0; i < life->setup->area_count; i++) {
            const struct upd_area *area = &life->setup->area[i];
            allowed |= at - area->offset < area->size && at >= area->offset;
        }
        sim_flash_peek(&fresh, at, was, SECTOR);
        sim_flash_peek(&life->sim, at, is, SECTOR);
        intact &= allowed || memcmp(was, is, SECTOR) == 0;
    }
    sim_flash_free(&fresh);
    return intact;
}

static bool lives_without_a_cut(struct campaign *campaign, struct life *life)
{
    struct found *found = campaign->found;
    enum end end = life_to_end(life);

    found->lost += life->lost || !is_intact(life);
    found->stuck += end != END_DONE;
    if (end == END_DONE && found->lost == 0) {
        return true;
    }
    snprintf(found->first, sizeof found->first, "%s %s %s: without a cut: %s: %s %s",
             life->setup->name, kind_names[life->kind], outcome_names[life->outcome],
             life->during == NULL ? "?" : life->during, upd_err_text(life->err), life->complaint);
    return false;
}

static void run_campaign(struct campaign *campaign, const struct setup *setup, enum kind kind,
                         enum outcome outcome)
{
    struct life life, uncut;

    life_begin(&life, setup, kind, outcome, 1);
    life_fork(&uncut, &life);
    if (lives_without_a_cut(campaign, &uncut)) {
        life_fork(&campaign->trial, &life);
        life.hook = try_all;
        life.hook_ctx = campaign;
        if (life_to_end(&life) != END_DONE) {
            die("the same life ended differently");
        }
        life_end(&campaign->trial);
    }
    life_end(&uncut);
    life_end(&life);
}

/* --- All of them ------------------------------------------------------------------------------ */

enum { FAILURES_SHOWN = 12 };

struct job {
    const struct effort *effort;
    const char *pattern;
};

/* Piece number i of the work is a setup, a kind and an outcome. */
static void work(uint32_t index, void *ctx, void *result)
{
    const struct job *job = ctx;
    struct setup setup;
    enum outcome outcome = (enum outcome)(index % OUTCOME_COUNT);
    enum kind kind = (enum kind)(index / OUTCOME_COUNT % KIND_COUNT);
    uint32_t number = index / OUTCOME_COUNT / KIND_COUNT;

    if (!setup_is_wanted(number, job->pattern)) {
        return;
    }
    setup_make(&setup, number, job->effort->sizes);
    /* What cannot be taken back has one outcome. */
    if (setup.way_back || outcome == OUTCOME_CONFIRMED) {
        struct campaign campaign = {.effort = job->effort, .seed = index + 1, .found = result};
        run_campaign(&campaign, &setup, kind, outcome);
    }
    setup_free(&setup);
}

static void add(struct found *sum, const struct found *one)
{
    sum->operations += one->operations;
    sum->cuts += one->cuts;
    sum->bricks += one->bricks;
    sum->unverified += one->unverified;
    sum->lost += one->lost;
    sum->stuck += one->stuck;
    sum->vendor += one->vendor;
}

int verb_cuts(int argc, char **argv)
{
    uint32_t count = setup_count() * KIND_COUNT * OUTCOME_COUNT;
    struct found *found = take(count * sizeof *found);
    struct found sum = {0};
    bool all = argc > 0 && strcmp(argv[0], "all") == 0;
    struct job job = {all ? &full : &gate, argc > all ? argv[all] : NULL};
    uint32_t shown = 0;

    pool_run(count, work, &job, found, sizeof *found);
    for (uint32_t i = 0; i < count; i += KIND_COUNT * OUTCOME_COUNT) {
        struct found setup_sum = {0};
        for (uint32_t k = i; k < i + KIND_COUNT * OUTCOME_COUNT; k++) {
            add(&setup_sum, &found[k]);
            if (found[k].first[0] != 0 && shown++ < FAILURES_SHOWN) {
                printf("FAILED %s\n", found[k].first);
            }
        }
        if (setup_sum.operations > 0) {
            printf("%-32s %6" PRIu64 " operations %8" PRIu64 " cuts\n",
                   setup_name(i / (KIND_COUNT * OUTCOME_COUNT)), setup_sum.operations,
                   setup_sum.cuts);
        }
        add(&sum, &setup_sum);
    }
    free(found);
    printf("trials that IDF's loader lost: %" PRIu64 "\n", sum.vendor);
    printf("updates that were not finished: %" PRIu64 "\n", sum.stuck);
    printf("power cuts: %" PRIu64 ", bricks: %" PRIu64 ", unverified boots: %" PRIu64
           ", user data lost: %" PRIu64 "\n",
           sum.cuts, sum.bricks, sum.unverified, sum.lost);
    return sum.cuts > 0 && sum.stuck + sum.bricks + sum.unverified + sum.lost == 0 ? 0 : 1;
}

/* --- One of them ------------------------------------------------------------------------------ */

static uint32_t find(const char *const *names, uint32_t count, const char *name)
{
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0) {
            return i;
        }
    }
    die("no such kind or outcome: %s", name);
}

static enum sim_tear_kind find_tear(const char *name)
{
    for (uint32_t i = 0; i < SIM_TEAR_COUNT; i++) {
        if (strcmp(sim_tear_name((enum sim_tear_kind)i), name) == 0) {
            return (enum sim_tear_kind)i;
        }
    }
    die("no such tear: %s", name);
}

int verb_replay(int argc, char **argv)
{
    struct setup setup;
    struct found found = {0};
    struct campaign campaign = {.effort = &full, .found = &found, .only = true};

    if (argc != 7) {
        die("usage: powercut replay SETUP KIND OUTCOME OPERATION TEAR DRAW SEED");
    }
    setup_make(&setup, setup_find(argv[0]), gate.sizes);
    campaign.only_op = (uint32_t)strtoul(argv[3], NULL, 0);
    campaign.only_tear = find_tear(argv[4]);
    campaign.only_draw = (uint32_t)strtoul(argv[5], NULL, 0);
    campaign.seed = strtoull(argv[6], NULL, 0);
    run_campaign(&campaign, &setup, (enum kind)find(kind_names, KIND_COUNT, argv[1]),
                 (enum outcome)find(outcome_names, OUTCOME_COUNT, argv[2]));
    setup_free(&setup);
    printf("%s\n", found.first[0] != 0 ? found.first : "all is well");
    return found.first[0] != 0;
}

/* --- What they leave -------------------------------------------------------------------------- */

int verb_states(int argc, char **argv)
{
    struct setup setup;
    struct sim_flash first;
    struct found found = {0};

    if (argc != 2 || strtoul(argv[1], NULL, 0) == 0) {
        die("usage: powercut states SETUP EVERY");
    }
    setup_make(&setup, setup_find(argv[0]), gate.sizes);
    setup_flash(&setup, &first, 1);
    show(&first, NULL);
    for (uint32_t kind = 0; kind < KIND_COUNT; kind++) {
        for (uint32_t outcome = 0; outcome < OUTCOME_COUNT; outcome++) {
            struct campaign campaign = {.effort = &gate,
                                        .seed = kind * OUTCOME_COUNT + outcome + 1,
                                        .found = &found,
                                        .show_every = (uint32_t)strtoul(argv[1], NULL, 0),
                                        .shown_first = &first};
            run_campaign(&campaign, &setup, (enum kind)kind, (enum outcome)outcome);
        }
    }
    sim_flash_free(&first);
    setup_free(&setup);
    return found.first[0] != 0;
}
