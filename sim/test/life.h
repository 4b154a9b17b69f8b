/*
 * The life of one device, for the tests of the schemes: resets, its boot loader, an application
 * that updates itself, and power that goes in the middle of any operation.
 *
 * The application wants the new version until it runs confirmed, or was given up and that was told.
 * What must never happen ends in `wrong`: nothing runs, or something that is neither version.
 */
#ifndef SIM_TEST_LIFE_H
#define SIM_TEST_LIFE_H

#include <updraft/otadata.h>
#include <updraft/sim_boot.h>
#include <updraft/sim_rtc.h>
#include <updraft/writer.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

enum { SECTOR = 4096, PLACES = 4, IMAGE_MAX = 0x6000 };
enum version { OLD, NEW, VERSIONS };

/** What the new version does. */
enum plan { CONFIRMS, NEVER_CONFIRMS, CRASHES, REFUSES, PLANS };

struct file {
    uint8_t bytes[IMAGE_MAX];
    uint32_t size;
};

struct life;

/** A kind of device: what the scheme's test says once. */
struct setup {
    const char *name;
    struct sim_loader loader;
    uint32_t places; /* that a loader can start */
    uint32_t place[PLACES];
    struct file *image[VERSIONS]; /* for each place */
    uint32_t skip;  /* bytes of an image in flash that are not compared: the boot loader's */
    bool by_loader; /* the loader counts the starts, or gives up at the second one */
    bool has_way_back;
    uint32_t metadata[2]; /* sectors with boot metadata; erases of them are counted */
    uint32_t metadata_count;
    enum upd_err (*open)(struct life *life);
    uint32_t (*target)(const struct life *life); /* place of which the image is to be sent */
};

enum end { END_CUT, END_RESTART, END_DONE, END_FAILED, END_WRONG };

struct life {
    const struct setup *setup;
    struct sim_flash sim;
    struct sim_rtc rtc;
    uint32_t fuse;
    enum plan plan;
    /* Of the last session. */
    struct upd_device device;
    struct upd_view view;
    struct sim_boot boot;
    enum version runs;
    uint32_t place;
    enum upd_err err;
    enum upd_fall fall; /* the last one that was told */
    const char *wrong;
    uint32_t sessions;
    bool in_library; /* the boot loader has done its part */
    union {
        struct upd_otadata_config otadata;
        struct upd_eboot_config eboot;
    } config;
};

static inline bool life_holds(const struct life *life, uint32_t place, enum version version)
{
    static uint8_t held[IMAGE_MAX];
    const struct file *file = &life->setup->image[version][place];
    uint32_t skip = life->setup->skip;

    sim_flash_peek(&life->sim, life->setup->place[place], held, file->size);
    return memcmp(held + skip, file->bytes + skip, file->size - skip) == 0 &&
           sim_flash_unstable(&life->sim, life->setup->place[place] + skip, file->size - skip) == 0;
}

static inline bool life_identify(struct life *life)
{
    for (life->place = 0; life->place < life->setup->places; life->place++) {
        for (uint32_t version = 0; version < VERSIONS; version++) {
            life->runs = (enum version)version;
            if (life->setup->place[life->place] == life->boot.address &&
                life_holds(life, life->place, life->runs)) {
                return true;
            }
        }
    }
    return false;
}

static inline enum end life_failed(struct life *life, enum upd_err err)
{
    life->err = err;
    return sim_flash_has_power(&life->sim) ? END_FAILED : END_CUT;
}

static inline enum end life_update(struct life *life)
{
    static const char etag[] = "v2";
    const struct file *file = &life->setup->image[NEW][life->setup->target(life)];
    struct upd_update update = {
        .size = file->size, .validator = etag, .validator_size = sizeof etag - 1};
    struct upd_writer writer;
    uint32_t from = 0;

    enum upd_err err = upd_writer_resume(&writer, &life->device, &update, &from);
    if (err == UPD_E_NOT_FOUND || err == UPD_E_CHANGED) {
        from = 0;
        err = upd_writer_begin(&writer, &life->device, &update);
    }
    if (err == UPD_OK) {
        err = upd_writer_write(&writer, file->bytes + from, file->size - from);
    }
    if (err == UPD_OK) {
        err = upd_writer_end(&writer);
    }
    if (err == UPD_OK) {
        err = upd_writer_activate(&writer);
    }
    /* STATE: what a cut left unstable reads otherwise than a moment ago. Start again, and ask. */
    return err == UPD_OK || (err == UPD_E_STATE && sim_flash_has_power(&life->sim))
               ? END_RESTART
               : life_failed(life, err);
}

/* From a reset to the next one. */
static inline enum end life_session(struct life *life)
{
    const struct upd_scheme *scheme;
    enum upd_start todo = UPD_START_GO_ON;

    life->sessions++;
    life->in_library = false;
    sim_flash_power_on(&life->sim);
    sim_boot(&life->setup->loader, &life->sim, &life->rtc, &life->fuse, &life->boot);
    if (life->boot.end != SIM_BOOT_STARTS) {
        life->wrong = life->boot.why;
        return life->boot.end == SIM_BOOT_CUT ? END_CUT : END_WRONG;
    }
    if (!life_identify(life)) {
        life->wrong = "what runs is neither version";
        return END_WRONG;
    }
    if (life->runs == NEW && life->plan == CRASHES && life->setup->by_loader) {
        return END_RESTART;
    }
    life->in_library = true;
    enum upd_err err = life->setup->open(life);
    scheme = life->device.scheme;
    if (err == UPD_OK) {
        err = scheme->start(&life->device, &todo);
    }
    if (err != UPD_OK || todo == UPD_START_RESTART ||
        (life->runs == NEW && life->plan == CRASHES)) {
        return err == UPD_OK ? END_RESTART : life_failed(life, err);
    }
    err = scheme->view(&life->device, &life->view);
    if (err == UPD_OK && life->runs == NEW && life->plan == CONFIRMS) {
        err = scheme->confirm(&life->device);
        return err == UPD_OK ? END_DONE : life_failed(life, err);
    }
    if (err == UPD_OK && life->runs == NEW) {
        if (life->plan == REFUSES) {
            err = scheme->roll_back(&life->device);
        }
        return err == UPD_OK ? END_RESTART : life_failed(life, err);
    }
    /* The old version is good: where a cut made it look as if it were on trial, it says so. */
    if (err == UPD_OK && life->view.on_trial) {
        err = scheme->confirm(&life->device);
    }
    if (err == UPD_OK && life->view.fall != UPD_FALL_NONE) {
        life->fall = life->view.fall;
        err = scheme->acknowledge(&life->device);
        if (err == UPD_OK) {
            err = scheme->view(&life->device, &life->view);
        }
        if (err == UPD_OK && life->plan != CONFIRMS) {
            return END_DONE;
        }
    }
    return err == UPD_OK ? life_update(life) : life_failed(life, err);
}

/* Sessions, until the new version is confirmed or its end was told; cuts that are due come. */
static inline enum end life_to_end(struct life *life)
{
    enum end end = END_RESTART;

    for (uint32_t i = 0; i < 20 && (end == END_RESTART || end == END_CUT); i++) {
        end = life_session(life);
        if (end == END_CUT) {
            sim_rtc_power_on(&life->rtc, SIM_RTC_LOST, 0);
        }
    }
    return end;
}

/* --- Every cut --------------------------------------------------------------------------------
 */

struct cutter {
    struct life *life;
    uint32_t cuts, bad;
    uint32_t seconds; /* so many operations after the first cut there is another one; 0: none */
    bool is_mirror;   /* what is bad is counted and not complained of */
    const char *name;
};

static inline void life_complain(const struct cutter *cutter, const struct sim_op *op,
                                 enum sim_tear_kind tear, const struct life *life, enum end end)
{
    static const char *const ends[] = {"cut", "restarts for ever", "done", "failed", "wrong"};
    char text[240];

    snprintf(text, sizeof text,
             "%s, plan %d, %s at 0x%x + %u torn %s: %s, error %d, session %u, %s runs at 0x%x: %s",
             cutter->name, (int)life->plan, op->kind == SIM_ERASE ? "erase" : "program",
             (unsigned)op->offset, (unsigned)op->size, sim_tear_name(tear), ends[end],
             (int)life->err, (unsigned)life->sessions, life->runs == NEW ? "new" : "old",
             (unsigned)life->boot.address, life->wrong != NULL ? life->wrong : "");
    CHECK_THAT(text, false);
}

/* One operation torn in one way, on a copy of the device, and another one later; it lives on. */
static inline void life_cut_once(struct cutter *cutter, const struct sim_flash *sim,
                                 const struct sim_op *op, const void *data, enum sim_tear_kind tear,
                                 uint32_t second)
{
    struct life *copy = malloc(sizeof *copy);

    CHECK(copy != NULL);
    *copy = *cutter->life;
    copy->sessions = 0;
    sim_rtc_power_on(&copy->rtc, SIM_RTC_LOST, 0);
    sim_flash_fork(&copy->sim, sim);
    sim_flash_seed(&copy->sim, op->sequence * 31 + tear + second * 1009);
    struct sim_cut cuts[2] = {
        {0, {tear, SIM_TEAR_SEEDED, op->sequence * 7 + second}},
        {second, {SIM_TEAR_ANY, SIM_TEAR_SEEDED, op->sequence * 13 + second}},
    };
    sim_flash_cut(&copy->sim, cuts, cutter->seconds == 0 ? 1 : 2, false);
    const struct upd_flash *flash = &copy->sim.flash;
    enum upd_err err = op->kind == SIM_ERASE ? flash->erase(flash->ctx, op->offset)
                                             : flash->write(flash->ctx, op->offset, data, op->size);
    CHECK(err == UPD_E_IO);
    enum end end = life_to_end(copy);
    if (end == END_DONE && copy->plan != CONFIRMS) {
        /* A later attempt, of a version that is good. */
        copy->plan = CONFIRMS;
        end = life_to_end(copy);
    }
    /* What was confirmed stays, whatever unstable cells read from then on. */
    sim_flash_cut(&copy->sim, NULL, 0, false);
    for (uint32_t i = 0; i < 3 && end == END_DONE && copy->runs == NEW; i++) {
        static const enum sim_reads ways[] = {SIM_READS_ONES, SIM_READS_ZEROS, SIM_READS_RANDOM};
        sim_flash_set_reads(&copy->sim, ways[i], 0);
        end = life_session(copy);
    }
    cutter->cuts++;
    if (end != END_DONE || copy->runs != NEW) {
        cutter->bad++;
        if (cutter->bad <= 3 && !cutter->is_mirror) {
            life_complain(cutter, op, tear, copy, end);
        }
    }
    sim_flash_free(&copy->sim);
    free(copy);
}

/* A hook: the operation torn in every way. */
static inline void life_cut(void *ctx, struct sim_flash *sim, const struct sim_op *op,
                            const void *data)
{
    struct cutter *cutter = ctx;

    for (uint32_t tear = SIM_TEAR_BEFORE; tear < SIM_TEAR_COUNT; tear++) {
        bool exists = sim_tear_exists((enum sim_tear_kind)tear, op->kind) &&
                      sim_tear_in_contract((enum sim_tear_kind)tear);
        /* Of two cuts, the first one is of a kind that leaves cells which read as they like. */
        bool wanted = cutter->seconds == 0 || tear == SIM_TEAR_WEAK_AFTER || tear == SIM_TEAR_MIXED;
        for (uint32_t second = 0; exists && wanted && second <= cutter->seconds; second++) {
            life_cut_once(cutter, sim, op, data, (enum sim_tear_kind)tear, second);
        }
    }
}

/* --- Every fault ------------------------------------------------------------------------------ */

enum { LIFE_OPS = 2048 };
#define LIFE_NOWHERE UINT32_MAX

/* The operations of an update without a fault, and the sector of each; NOWHERE: a loader's. */
struct life_ops {
    struct life *life;
    uint32_t count;
    uint32_t sector[LIFE_OPS];
    bool wanted[LIFE_OPS]; /* by the library: it changes something that nothing else does */
    bool paired[LIFE_OPS]; /* it and the next one change the same, and one of them has to */
};

static inline void life_note(void *ctx, struct sim_flash *sim, const struct sim_op *op,
                             const void *data)
{
    static uint8_t held[SECTOR];
    struct life_ops *ops = ctx;
    const uint8_t *wanted = data;
    uint32_t changes = 0, cleared = 0;

    sim_flash_peek(sim, op->offset, held, op->size);
    for (uint32_t i = 0; i < op->size; i++) {
        changes += op->kind == SIM_ERASE ? held[i] != 0xFF : (held[i] & ~wanted[i]) != 0;
        cleared += op->kind == SIM_PROGRAM && wanted[i] == 0;
    }
    CHECK(ops->count < LIFE_OPS);
    ops->sector[ops->count % LIFE_OPS] =
        ops->life->in_library ? op->offset / SECTOR * SECTOR : LIFE_NOWHERE;
    /* Progress may get lost. A record of otadata is made invalid twice, in its CRC and its number.
     */
    bool one_of_two = op->size == 4 && cleared == 4;
    bool is_progress = op->kind == SIM_PROGRAM && op->size == 4 && changes == 1;
    /* The slot may hold the very same image already: then its erase is not missed. */
    bool of_slot = op->kind == SIM_ERASE && op->offset >= ops->life->setup->place[0];
    ops->wanted[ops->count % LIFE_OPS] = changes != 0 && !one_of_two && !is_progress && !of_slot;
    ops->paired[ops->count % LIFE_OPS] =
        one_of_two && op->offset % SECTOR == UPD_OTADATA_CRC_OFFSET && changes != 0;
    ops->count++;
}

/* A copy of the device meets a fault; when that is gone, it goes on. */
static inline void life_with_fault(const struct life *life, const struct sim_fault *fault,
                                   uint32_t sector, bool must_tell)
{
    struct life *copy = malloc(sizeof *copy);
    char text[120];

    CHECK(copy != NULL);
    *copy = *life;
    sim_flash_fork(&copy->sim, &life->sim);
    sim_flash_fault(&copy->sim, fault);
    enum end end = life_to_end(copy);
    bool told = end == END_FAILED && (copy->err == UPD_E_IO || copy->err == UPD_E_VERIFY) &&
                copy->device.trouble != LIFE_NOWHERE &&
                (sector == LIFE_NOWHERE || copy->device.trouble == sector);
    /* Whether there is a way back was asked of a flash that does not answer. */
    told = told || (fault->kind == SIM_FAULT_READ_FAILS && end == END_FAILED &&
                    copy->err == UPD_E_NOT_FOUND);
    snprintf(text, sizeof text, "%s, plan %d, fault %d at %u: end %d, error %d, trouble 0x%x",
             life->setup->name, (int)life->plan, (int)fault->kind, (unsigned)fault->at, (int)end,
             (int)copy->err, (unsigned)copy->device.trouble);
    CHECK_THAT(text, told || !copy->in_library || (end == END_DONE && !must_tell));
    sim_flash_heal(&copy->sim);
    if (end != END_DONE) {
        CHECK_THAT(text, life_to_end(copy) == END_DONE);
    }
    sim_flash_free(&copy->sim);
    free(copy);
}

/*
 * From this state to the end, each operation once not done, silently or with an error; and reads
 * failed once, with each plan others of them. What the library needs and did not get, it notices at
 * once.
 */
static inline void life_fault_everywhere(struct life *life)
{
    static struct life_ops ops;
    struct life *copy = malloc(sizeof *copy);

    CHECK(copy != NULL);
    *copy = *life;
    ops.life = copy;
    ops.count = 0;
    sim_flash_fork(&copy->sim, &life->sim);
    sim_flash_set_hook(&copy->sim, life_note, &ops);
    CHECK_THAT(life->setup->name, life_to_end(copy) == END_DONE);
    uint32_t reads = (uint32_t)copy->sim.counters.reads;
    sim_flash_free(&copy->sim);
    free(copy);
    for (uint32_t i = 0; i < ops.count; i++) {
        struct sim_fault ignored = {.kind = SIM_FAULT_IGNORED, .at = i, .count = 1};
        struct sim_fault fails = {.kind = SIM_FAULT_FAILS, .at = i, .count = 1};
        if (ops.sector[i] != LIFE_NOWHERE) {
            life_with_fault(life, &ignored, ops.sector[i], ops.wanted[i]);
            if (ops.paired[i]) {
                ignored.count = 2;
                life_with_fault(life, &ignored, ops.sector[i], true);
            }
            life_with_fault(life, &fails, ops.sector[i], true);
        }
    }
    for (uint32_t i = (uint32_t)life->plan; i < reads; i += PLANS) {
        struct sim_fault fault = {.kind = SIM_FAULT_READ_FAILS, .at = i, .count = 1};
        life_with_fault(life, &fault, LIFE_NOWHERE, false);
    }
}

#endif
