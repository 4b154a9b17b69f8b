/*
 * updraft-boot-model: the boot loader for NONOS flash maps as the simulation has it (sim_boot.h),
 * over a flash image in a file. It takes the same orders as the emulated chip, one a line, so that
 * a test can give both the same flash and the same cut and compare what they make of it:
 *
 *     boot [WORD...]      a power-on
 *       new               the flash is another one: the file is read anew, no cell is unstable
 *       cut N TEAR        power goes at flash operation N, torn as a kind of sim_tear.h
 *       amount N, seed N  of that tear
 *       cells HOW         how unstable cells read: random, ones, zeros
 *
 * The answer to each is a line, `starts`, `nothing`, `erase` or `program`, and two hexadecimal
 * numbers: the flash address of what starts, or of the operation that was cut; and how many erases
 * and page programs were begun. The file then holds what the flash holds.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <updraft/sim_boot.h>

enum { LINE_MAX = 256, PATH_MAX_HERE = 4096, MAP_BYTE = 3 };

struct model {
    const char *path;
    bool open;
    struct sim_flash flash;
    struct sim_rtc rtc;
    struct sim_loader loader;
};

static _Noreturn void fail(const char *what, const char *why)
{
    fprintf(stderr, "updraft-boot-model: %s: %s\n", what, why);
    exit(EXIT_FAILURE);
}

static void close_flash(struct model *model)
{
    if (model->open) {
        sim_flash_free(&model->flash);
        model->open = false;
    }
}

static void open_flash(struct model *model)
{
    struct sim_geometry geometry = sim_flash_4m;
    char unstable[PATH_MAX_HERE];
    uint8_t head[MAP_BYTE + 1];
    struct stat about;

    close_flash(model);
    (void)snprintf(unstable, sizeof unstable, "%s.unstable", model->path);
    (void)unlink(unstable);
    if (stat(model->path, &about) != 0) {
        fail(model->path, strerror(errno));
    }
    geometry.total_size = (uint32_t)about.st_size;
    if (sim_flash_open(&model->flash, model->path, &geometry, 0) != UPD_OK) {
        fail(model->path, strerror(errno));
    }
    model->open = true;
    sim_flash_peek(&model->flash, 0, head, sizeof head);
    model->loader = (struct sim_loader){
        .kind = SIM_LOADER_NONOS,
        .of.nonos = {upd_flash_map(head[MAP_BYTE] >> 4), UPD_BOOT_V1_7, false},
    };
    if (model->loader.of.nonos.map == NULL || !model->loader.of.nonos.map->fota ||
        model->loader.of.nonos.map->size > geometry.total_size) {
        fail(model->path, "its flash map has no two slots, or is larger than the flash");
    }
}

static const char *word(void)
{
    const char *text = strtok(NULL, " \n");

    return text == NULL ? "" : text;
}

static uint32_t number(void)
{
    const char *text = word();
    char *end;
    unsigned long value = strtoul(text, &end, 0);

    if (end == text || *end != '\0' || value > UINT32_MAX) {
        fail("not a number", text);
    }
    return (uint32_t)value;
}

static enum sim_tear_kind tear_kind(const char *name)
{
    for (uint32_t kind = 0; kind < SIM_TEAR_COUNT; kind++) {
        if (strcmp(name, sim_tear_name((enum sim_tear_kind)kind)) == 0) {
            return (enum sim_tear_kind)kind;
        }
    }
    fail("not a kind of tear", name);
}

static enum sim_reads reads(const char *how)
{
    static const struct {
        const char *name;
        enum sim_reads how;
    } known[] = {
        {"random", SIM_READS_RANDOM}, {"ones", SIM_READS_ONES}, {"zeros", SIM_READS_ZEROS}};

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(how, known[i].name) == 0) {
            return known[i].how;
        }
    }
    fail("not a way to read", how);
}

/* Power on over the flash, and tell what came of it. */
static void boot(struct model *model, const struct sim_cut *cut, enum sim_reads how)
{
    uint64_t before = model->flash.counters.operations;
    struct sim_op last = {0};
    struct sim_boot result;
    uint32_t fuse = 0;

    sim_flash_power_on(&model->flash);
    sim_flash_seed(&model->flash, cut->tear.seed);
    sim_flash_set_reads(&model->flash, how, 0);
    sim_flash_allow_overwrite(&model->flash, true);
    sim_flash_cut(&model->flash, cut, cut->op == UINT32_MAX ? 0 : 1, false);
    sim_flash_log(&model->flash, &last, 1);
    sim_rtc_power_on(&model->rtc, SIM_RTC_LOST, cut->tear.seed);
    sim_boot(&model->loader, &model->flash, &model->rtc, &fuse, &result);
    bool cut_now = result.end == SIM_BOOT_CUT;
    const char *event = result.end == SIM_BOOT_STARTS ? "starts"
                        : !cut_now                    ? "nothing"
                        : last.kind == SIM_ERASE      ? "erase"
                                                      : "program";
    printf("%s %" PRIx32 " %" PRIx64 "\n", event, cut_now ? last.offset : result.address,
           model->flash.counters.operations - before);
    sim_flash_log(&model->flash, NULL, 0);
}

static void obey(struct model *model, char *line)
{
    struct sim_cut cut = {UINT32_MAX, {SIM_TEAR_ANY, SIM_TEAR_SEEDED, 1}};
    enum sim_reads how = SIM_READS_RANDOM;
    const char *order = strtok(line, " \n");

    if (order == NULL || strcmp(order, "boot") != 0) {
        fail("not an order", order == NULL ? "an empty line" : order);
    }
    for (order = word(); *order != '\0'; order = word()) {
        if (strcmp(order, "new") == 0) {
            open_flash(model);
        } else if (strcmp(order, "cut") == 0) {
            cut.op = number();
            cut.tear.kind = tear_kind(word());
        } else if (strcmp(order, "amount") == 0) {
            cut.tear.amount = number();
        } else if (strcmp(order, "seed") == 0) {
            cut.tear.seed = number();
        } else if (strcmp(order, "cells") == 0) {
            how = reads(word());
        } else {
            fail("not understood", order);
        }
    }
    if (!model->open) {
        open_flash(model);
    }
    boot(model, &cut, how);
}

int main(int argc, char **argv)
{
    struct model model = {0};
    char line[LINE_MAX];

    if (argc != 2) {
        fputs("usage: updraft-boot-model FLASH <ORDERS\n", stderr);
        return 2;
    }
    model.path = argv[1];
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    while (fgets(line, sizeof line, stdin) != NULL) {
        obey(&model, line);
    }
    close_flash(&model);
    return EXIT_SUCCESS;
}
