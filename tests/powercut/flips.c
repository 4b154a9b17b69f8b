/*
 * Bits that turn by themselves: every single bit of all that a loader reads to choose, and every
 * pair of bits within a record, in each state that an update passes through. Whatever the metadata
 * say then, a whole image starts. Loaders that verify nothing cannot promise that; they are left
 * out.
 */
#include "verbs.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <updraft/sysparam.h>

#include "life.h"
#include "pool.h"

/* Records are as long as the longest of them, a journal's head, and aligned to their length. */
enum { RECORD = 64, BITS = 8 * RECORD };

struct found {
    uint64_t states, singles, pairs, unverified, dead;
    char first[300];
};

struct flip {
    uint32_t offset;
    uint8_t mask;
};

static struct flip bit_of(uint32_t record, uint32_t bit)
{
    return (struct flip){record + bit / 8, (uint8_t)(1u << bit % 8)};
}

static void boot(struct life *life, struct state *state, struct found *found, struct flip one,
                 struct flip other)
{
    enum end end;

    life_restore(life, state);
    sim_flash_flip(&life->sim, one.offset, one.mask);
    sim_flash_flip(&life->sim, other.offset, other.mask);
    (void)life_boot(life, &end);
    found->unverified += life->unverified;
    found->dead += life->brick;
    if ((life->unverified || life->brick) && found->first[0] == 0) {
        snprintf(found->first, sizeof found->first, "%s: bits %02x at 0x%x, %02x at 0x%x: %s",
                 life->setup->name, one.mask, one.offset, other.mask, other.offset,
                 life->complaint);
    }
}

/* Something was written there; of the SDK's settings no loader reads more than the boot block. */
static bool is_record(struct life *life, uint32_t offset)
{
    uint8_t record[RECORD];
    bool blank = true;
    const struct upd_area *params = &life->setup->area[life->setup->metadata_count - 1];
    bool settings = life->setup->scheme == NONOS && offset >= params->offset + RECORD &&
                    offset < params->offset + params->size && offset % SECTOR >= RECORD &&
                    offset % SECTOR < UPD_SYSPARAM_SDK_SIZE;

    sim_flash_peek(&life->sim, offset, record, sizeof record);
    for (uint32_t i = 0; i < sizeof record; i++) {
        blank &= record[i] == 0xFF;
    }
    return !blank && !settings;
}

/* Each bit of an area; each pair within a record, or every `stride`th of them. */
static void flip_area(struct life *life, struct state *state, struct found *found,
                      const struct upd_area *area, uint32_t stride)
{
    uint32_t turn = 0;

    for (uint32_t at = area->offset; at < area->offset + area->size; at += RECORD) {
        life_restore(life, state);
        bool paired = is_record(life, at);
        for (uint32_t bit = 0; bit < BITS; bit++) {
            boot(life, state, found, bit_of(at, bit), (struct flip){0, 0});
            found->singles++;
            for (uint32_t other = bit + 1; paired && other < BITS; other++) {
                if (turn++ % stride == 0) {
                    boot(life, state, found, bit_of(at, bit), bit_of(at, other));
                    found->pairs++;
                }
            }
        }
    }
}

static const char *const flipped[] = {
    "nonos-map2",   "nonos-map5-from-user2", "idf-two_ota_large", "idf-rollback-two_ota_large",
    "rtos-two_ota",
#ifndef WITHOUT_EBOOT
    "eboot-1m64",
#endif
};

struct job {
    uint32_t stride;
};

static void work(uint32_t index, void *ctx, void *result)
{
    const struct job *job = ctx;
    struct found *found = result;
    struct setup setup;
    struct life life, other;
    enum outcome outcome = (enum outcome)(index % OUTCOME_COUNT);
    enum end end = END_RESTART;

    if (outcome == OUTCOME_CRASHES) {
        return; /* its states are those of one that never confirms itself */
    }
    setup_make(&setup, setup_find(flipped[index / OUTCOME_COUNT]), SIZES_MINI);
    life_begin(&life, &setup, KIND_FULL, outcome, 1);
    life_fork(&other, &life);
    for (uint32_t i = 0; end == END_RESTART && i < SESSIONS_MAX; i++) {
        struct state state = life_save(&life);
        for (uint32_t k = 0; k < setup.metadata_count; k++) {
            flip_area(&other, &state, found, &setup.area[k], job->stride);
        }
        found->states++;
        state_free(&state);
        end = life_session(&life);
    }
    if (end != END_DONE) {
        die("%s: without a flip it does not end", setup.name);
    }
    life_end(&other);
    life_end(&life);
    setup_free(&setup);
}

int verb_flips(int argc, char **argv)
{
    enum { COUNT = sizeof flipped / sizeof flipped[0] * OUTCOME_COUNT };
    struct found *found = take(COUNT * sizeof *found);
    struct found sum = {0};
    struct job job = {argc > 0 && strcmp(argv[0], "all") == 0 ? 1 : 127};

    pool_run(COUNT, work, &job, found, sizeof *found);
    for (uint32_t i = 0; i < COUNT; i++) {
        if (found[i].unverified + found[i].dead > 0) {
            printf("FAILED %s\n", found[i].first);
        }
        sum.states += found[i].states;
        sum.singles += found[i].singles;
        sum.pairs += found[i].pairs;
        sum.unverified += found[i].unverified;
        sum.dead += found[i].dead;
    }
    free(found);
    printf("bit flips: %" PRIu64 " states, %" PRIu64 " single bits, %" PRIu64
           " pairs of bits: %" PRIu64 " unverified boots, %" PRIu64 " dead\n",
           sum.states, sum.singles, sum.pairs, sum.unverified, sum.dead);
    return sum.states > 0 && sum.unverified + sum.dead == 0 ? 0 : 1;
}
