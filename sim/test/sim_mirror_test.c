/* Goal: a flash over a file behaves as one in memory, the file always holds what the cells hold,
 * and a flash opened again is the one that was closed, unstable cells included.
 * Method: the same random work with cuts on both, comparing after each piece of it. */
#define _POSIX_C_SOURCE 200809L

#include <updraft/sim_flash.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <updraft/sim_random.h>

#include "check.h"

enum { SECTOR = 512, TOTAL = 70 * SECTOR, SEED = 31 };

static const struct sim_geometry chip = {TOTAL, SECTOR, 64, 4};

static char folder[64], path[80], weak_path[96];

static void work(struct sim_flash *sim, uint32_t steps, uint64_t seed, enum sim_tear_kind tear)
{
    struct sim_random random = {seed};
    uint8_t data[64];

    sim_flash_allow_overwrite(sim, true);
    for (uint32_t i = 0; i < steps; i++) {
        uint32_t offset = sim_random_below(&random, TOTAL / 64) * 64;
        uint32_t what = sim_random_below(&random, 8);
        for (uint32_t k = 0; k < sizeof data; k++) {
            data[k] = (uint8_t)sim_random_next(&random);
        }
        if (what % 2 == 0) {
            sim_flash_cut_at(sim, 0, tear);
        }
        if (what < 3) {
            (void)!sim->flash.erase(sim, offset - offset % SECTOR);
        } else if (what < 7) {
            (void)!sim->flash.write(sim, offset, data, sizeof data);
        } else {
            sim_flash_load(sim, offset, data, sizeof data);
        }
        sim_flash_cut(sim, NULL, 0, false);
        sim_flash_power_on(sim);
    }
}

static bool same(struct sim_flash *one, struct sim_flash *other)
{
    static uint8_t first[TOTAL], second[TOTAL];
    bool equal = true;

    for (uint32_t i = 0; i < 2; i++) {
        enum sim_reads how = i == 0 ? SIM_READS_ZEROS : SIM_READS_ONES;
        sim_flash_set_reads(one, how, 0);
        sim_flash_set_reads(other, how, 0);
        equal &= one->flash.read(one, 0, first, TOTAL) == UPD_OK;
        equal &= other->flash.read(other, 0, second, TOTAL) == UPD_OK;
        equal &= memcmp(first, second, TOTAL) == 0;
    }
    return equal;
}

/* The image file holds what the cells do, a 1 for an unstable one. */
static bool file_holds(struct sim_flash *sim)
{
    static uint8_t file[TOTAL], cells[TOTAL];

    sim_flash_peek(sim, 0, cells, TOTAL);
    return check_load(path, file, TOTAL) == TOTAL && memcmp(file, cells, TOTAL) == 0;
}

static bool exists(const char *name)
{
    return access(name, F_OK) == 0;
}

static void remove_files(void)
{
    (void)unlink(path);
    (void)unlink(weak_path);
}

static void test_a_new_file_is_a_blank_flash(void)
{
    struct sim_flash file, memory;

    remove_files();
    sim_flash_init(&memory, &chip, SEED);
    CHECK(sim_flash_open(&file, path, &chip, SEED) == UPD_OK);
    CHECK(same(&file, &memory) && file_holds(&file) && !exists(weak_path));
    sim_flash_free(&file);
    sim_flash_free(&memory);
}

static void test_file_and_memory_behave_alike(void)
{
    struct sim_flash file, memory;

    remove_files();
    sim_flash_init(&memory, &chip, SEED);
    CHECK(sim_flash_open(&file, path, &chip, SEED) == UPD_OK);
    for (uint32_t i = 0; i < 20; i++) {
        work(&file, 20, i, SIM_TEAR_ANY);
        work(&memory, 20, i, SIM_TEAR_ANY);
        CHECK(same(&file, &memory) && file_holds(&file));
        if (i % 3 == 2) {
            sim_flash_free(&file);
            CHECK(sim_flash_open(&file, path, &chip, SEED) == UPD_OK);
            CHECK(same(&file, &memory) && file_holds(&file));
            sim_flash_seed(&memory, SEED);
        }
    }
    CHECK(sim_flash_unstable(&memory, 0, TOTAL) > 0 && exists(weak_path));
    CHECK(sim_flash_unstable(&file, 0, TOTAL) == sim_flash_unstable(&memory, 0, TOTAL));
    sim_flash_free(&file);
    sim_flash_free(&memory);
}

static void test_the_second_file_is_made_for_unstable_cells_only(void)
{
    struct sim_flash file;
    static uint8_t mask[TOTAL];

    remove_files();
    CHECK(sim_flash_open(&file, path, &chip, SEED) == UPD_OK);
    work(&file, 100, 1, SIM_TEAR_BITS);
    CHECK(!exists(weak_path));
    sim_flash_weaken(&file, 3 * SECTOR + 7, 0x42);
    CHECK(check_load(weak_path, mask, TOTAL) == TOTAL && mask[3 * SECTOR + 7] == 0x42);
    CHECK(file.flash.erase(&file, 3 * SECTOR) == UPD_OK);
    CHECK(check_load(weak_path, mask, TOTAL) == TOTAL && mask[3 * SECTOR + 7] == 0);
    sim_flash_free(&file);
}

static void test_restoring_a_snapshot_restores_the_file(void)
{
    struct sim_flash file;

    remove_files();
    CHECK(sim_flash_open(&file, path, &chip, SEED) == UPD_OK);
    work(&file, 60, 1, SIM_TEAR_ANY);
    struct sim_snapshot *start = sim_flash_snapshot(&file);
    for (uint32_t i = 0; i < 10; i++) {
        work(&file, 30, i, SIM_TEAR_ANY);
        sim_flash_restore(&file, start);
        CHECK(file_holds(&file));
    }
    struct sim_flash memory;
    sim_flash_fork(&memory, &file);
    sim_snapshot_free(start);
    sim_flash_free(&file);
    CHECK(sim_flash_open(&file, path, &chip, SEED) == UPD_OK && same(&file, &memory));
    sim_flash_free(&file);
    sim_flash_free(&memory);
}

static void make_file(const char *name, uint32_t size)
{
    FILE *file = fopen(name, "wb");

    CHECK(file != NULL && ftruncate(fileno(file), size) == 0);
    if (file != NULL) {
        fclose(file);
    }
}

static void test_files_of_another_size_are_refused_and_left_alone(void)
{
    static const uint32_t sizes[] = {0, TOTAL - 1, TOTAL + 1};

    for (uint32_t i = 0; i < 3; i++) {
        struct sim_flash file;
        struct stat status;
        remove_files();
        make_file(path, sizes[i]);
        CHECK(sim_flash_open(&file, path, &chip, SEED) == UPD_E_SPACE);
        CHECK(stat(path, &status) == 0 && status.st_size == (off_t)sizes[i]);
        remove_files();
        make_file(path, TOTAL);
        make_file(weak_path, sizes[i]);
        CHECK(sim_flash_open(&file, path, &chip, SEED) == UPD_E_SPACE);
        CHECK(stat(weak_path, &status) == 0 && status.st_size == (off_t)sizes[i]);
    }
    remove_files();
}

static void test_files_that_cannot_be_opened_are_reported(void)
{
    struct sim_flash file;

    CHECK(sim_flash_open(&file, "/nonexistent/flash.bin", &chip, SEED) == UPD_E_IO);
    CHECK(errno == ENOENT);
    CHECK(sim_flash_open(&file, folder, &chip, SEED) == UPD_E_IO);
    CHECK(errno == EISDIR);
}

int main(void)
{
    const char *base = getenv("TMPDIR");

    snprintf(folder, sizeof folder, "%.40s/updraft.XXXXXX", base == NULL ? "/tmp" : base);
    if (mkdtemp(folder) == NULL) {
        perror(folder);
        return 1;
    }
    snprintf(path, sizeof path, "%s/flash.bin", folder);
    snprintf(weak_path, sizeof weak_path, "%s.unstable", path);

    CHECK_RUN(test_a_new_file_is_a_blank_flash);
    CHECK_RUN(test_file_and_memory_behave_alike);
    CHECK_RUN(test_the_second_file_is_made_for_unstable_cells_only);
    CHECK_RUN(test_restoring_a_snapshot_restores_the_file);
    CHECK_RUN(test_files_of_another_size_are_refused_and_left_alone);
    CHECK_RUN(test_files_that_cannot_be_opened_are_reported);
    remove_files();
    (void)rmdir(folder);
    check_end();
}
