/*
 * Power that goes again and again, every so many operations, for ever: from how many on does a
 * device still get its update?
 */
#include "verbs.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "life.h"
#include "pool.h"

enum { POWER_UPS_MAX = 3000 };

struct found {
    uint32_t least; /* from so many operations on the update is finished, as far as was tried */
    uint32_t power_ups;
};

/*
 * Each with what docs/powercut.md promises: progress from so many operations on; and how many are
 * tried. IDF's loader gives a trial one start: where the cut hits that each time, it never ends.
 */
static const struct {
    const char *setup;
    enum sizes sizes;
    uint32_t promised, tried;
} lived[] = {
    {"nonos-map2", SIZES_SMALL, 56, 64},        {"nonos-v1.7-map2", SIZES_SMALL, 56, 64},
    {"idf-two_ota_large", SIZES_SMALL, 56, 64}, {"idf-rollback-two_ota_large", SIZES_SMALL, 56, 64},
    {"rtos-two_ota", SIZES_SMALL, 56, 64},      {"eboot-1m64", SIZES_LARGE, 72, 88},
};

/* Power-ups until the update is done, or 0. */
static uint32_t live(struct life *life, struct state *start, uint32_t every,
                     enum sim_tear_kind tear)
{
    life_restore(life, start);
    for (uint32_t i = 1; i <= POWER_UPS_MAX; i++) {
        enum end end = END_RESTART;
        sim_flash_set_reads(&life->sim, SIM_READS_RANDOM, 0);
        sim_flash_seed(&life->sim, every * 10000u + i);
        sim_flash_cut_at(&life->sim, every, tear);
        while (end == END_RESTART) {
            end = life_session(life);
        }
        if (end == END_DONE) {
            return i;
        }
        if (end == END_DEAD) {
            die("%s: dead: %s", life->setup->name, life->complaint);
        }
        sim_flash_cut(&life->sim, NULL, 0, false);
        sim_flash_power_on(&life->sim);
    }
    return 0;
}

static void work(uint32_t index, void *ctx, void *result)
{
    struct found *found = result;
    struct setup setup;
    struct life life;

    (void)ctx;
    setup_make(&setup, setup_find(lived[index / KIND_COUNT].setup),
               lived[index / KIND_COUNT].sizes);
    life_begin(&life, &setup, (enum kind)(index % KIND_COUNT), OUTCOME_CONFIRMED, 1);
    struct state start = life_save(&life);
    found->least = 1;
    for (uint32_t every = lived[index / KIND_COUNT].tried; every > 0 && found->least == 1;
         every--) {
        uint32_t before = live(&life, &start, every, SIM_TEAR_BEFORE);
        uint32_t torn = live(&life, &start, every, SIM_TEAR_ANY);
        if (before == 0 || torn == 0) {
            found->least = every + 1;
        } else if (torn > found->power_ups) {
            found->power_ups = torn;
        }
    }
    state_free(&start);
    life_end(&life);
    setup_free(&setup);
}

int verb_liveness(int argc, char **argv)
{
    enum { COUNT = sizeof lived / sizeof lived[0] * KIND_COUNT };
    struct found found[COUNT];
    bool good = true;

    (void)argc;
    (void)argv;
    pool_run(COUNT, work, NULL, found, sizeof found[0]);
    for (uint32_t i = 0; i < COUNT; i++) {
        bool whole = i % KIND_COUNT != KIND_RESUMED;
        printf("liveness %s %s: finished when power goes every %" PRIu32 " operations or more%s\n",
               lived[i / KIND_COUNT].setup, kind_names[i % KIND_COUNT], found[i].least,
               whole ? " (an update that is not resumed has to fit)" : "");
        good &= whole || found[i].least <= lived[i / KIND_COUNT].promised;
    }
    return good ? 0 : 1;
}
