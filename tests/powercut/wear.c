/*
 * Ten thousand updates: what they cost the sectors that are not a slot.
 */
#include "verbs.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "life.h"
#include "pool.h"

enum { SECTORS_MAX = 8 };

struct found {
    uint64_t updates;
    uint64_t by_library, by_loader; /* erases of metadata */
    uint64_t sector[SECTORS_MAX];   /* of them, each sector's */
    uint32_t sector_count;
    bool failed;
};

static void count_erase(void *ctx, struct life *life, const struct sim_op *op, const void *data)
{
    struct found *found = ctx;
    uint32_t sector = 0;

    (void)data;
    for (uint32_t i = 0; i < life->setup->metadata_count; i++) {
        const struct upd_area *area = &life->setup->area[i];
        if (op->kind == SIM_ERASE && op->offset >= area->offset &&
            op->offset - area->offset < area->size) {
            *(life->in_loader ? &found->by_loader : &found->by_library) += 1;
            found->sector[sector + (op->offset - area->offset) / SECTOR]++;
        }
        sector += area->size / SECTOR;
    }
    found->sector_count = sector;
}

static const char *const worn[] = {
    "nonos-map2",   "nonos-v1.7-map2", "idf-two_ota_large", "idf-rollback-two_ota_large",
    "rtos-two_ota",
#ifndef WITHOUT_EBOOT
    "eboot-1m64",
#endif
};

struct job {
    uint32_t updates;
};

static void swap_versions(struct setup *setup)
{
    struct file file[SLOTS_MAX];

    memcpy(file, setup->image[OLD], sizeof file);
    memcpy(setup->image[OLD], setup->image[NEW], sizeof file);
    memcpy(setup->image[NEW], file, sizeof file);
}

static void work(uint32_t index, void *ctx, void *result)
{
    const struct job *job = ctx;
    struct found *found = result;
    struct setup setup;
    struct life life;

    setup_make(&setup, setup_find(worn[index]), SIZES_MINI);
    life_begin(&life, &setup, KIND_FULL, OUTCOME_CONFIRMED, 1);
    life.hook = count_erase;
    life.hook_ctx = found;
    for (uint32_t i = 0; i < job->updates && !found->failed; i++) {
        found->failed = life_to_end(&life) != END_DONE;
        found->updates += !found->failed;
        swap_versions(&setup);
    }
    life_end(&life);
    setup_free(&setup);
}

int verb_wear(int argc, char **argv)
{
    enum { COUNT = sizeof worn / sizeof worn[0] };
    struct found found[COUNT];
    struct job job = {argc > 0 ? (uint32_t)atoi(argv[0]) : 10000};
    bool good = true;

    pool_run(COUNT, work, &job, found, sizeof found[0]);
    for (uint32_t i = 0; i < COUNT; i++) {
        uint64_t most = 0;
        printf("wear %s: %" PRIu64 " updates; erases of metadata per update: %.2f by the library, "
               "%.2f by the loader; by sector:",
               worn[i], found[i].updates, (double)found[i].by_library / (double)found[i].updates,
               (double)found[i].by_loader / (double)found[i].updates);
        for (uint32_t k = 0; k < found[i].sector_count; k++) {
            printf(" %" PRIu64, found[i].sector[k]);
            most = found[i].sector[k] > most ? found[i].sector[k] : most;
        }
        printf("\n");
        /* Two by the library at the most, and no sector takes more than one and a half of all. */
        good &= !found[i].failed && found[i].by_library <= 2 * found[i].updates &&
                2 * most <= 3 * found[i].updates;
    }
    return good ? 0 : 1;
}
