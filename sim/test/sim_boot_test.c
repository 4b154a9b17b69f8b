/* Goal: the loaders start what the originals would start, write what they would write, and die
 * where they would die. Method: small images in a flash, a reset, and a look at what runs. What a
 * loader decides is tested where it is decided, in core/; here it is the reading, the writing and
 * the cuts. */
#include <updraft/sim_boot.h>

#include <string.h>

#include <updraft/boot_original.h>
#include <updraft/eboot.h>
#include <updraft/sysparam.h>

#include "check.h"

enum { SECTOR = 4096, SEED = 3, OTADATA = 0xD000, SLOT_0 = 0x10000, SLOT_1 = 0x20000 };

struct chip {
    struct sim_loader loader;
    struct sim_flash sim;
    struct sim_rtc rtc;
    uint32_t fuse;
    struct sim_boot boot;
};

static void begin(struct chip *chip, const struct sim_loader *loader)
{
    chip->loader = *loader;
    chip->fuse = 0;
    sim_flash_init(&chip->sim, &sim_flash_1m, SEED);
    sim_rtc_power_on(&chip->rtc, SIM_RTC_LOST, SEED);
}

static void put(struct chip *chip, uint32_t offset, const char *name)
{
    static uint8_t image[3 * SECTOR];
    int32_t size = check_load(name, image, sizeof image);

    CHECK_THAT(name, size > 0);
    sim_flash_load(&chip->sim, offset, image, size > 0 ? (uint32_t)size : 0);
}

static void reset(struct chip *chip)
{
    sim_boot(&chip->loader, &chip->sim, &chip->rtc, &chip->fuse, &chip->boot);
}

static bool starts(struct chip *chip, uint32_t address)
{
    reset(chip);
    return chip->boot.end == SIM_BOOT_STARTS && chip->boot.address == address;
}

static bool dies(struct chip *chip)
{
    reset(chip);
    return chip->boot.end == SIM_BOOT_DEAD && chip->boot.why != NULL;
}

static void power_on(struct chip *chip, enum sim_rtc_fate fate)
{
    sim_flash_power_on(&chip->sim);
    sim_rtc_power_on(&chip->rtc, fate, SEED);
}

/* --- ESP-IDF ---------------------------------------------------------------------------------- */

static const struct upd_partition table[] = {
    {.offset = OTADATA, .size = 0x2000, .type = UPD_PARTITION_DATA},
    {.offset = SLOT_0, .size = 0x10000, .subtype = UPD_PARTITION_APP_OTA_0},
    {.offset = SLOT_1, .size = 0x10000, .subtype = UPD_PARTITION_APP_OTA_0 + 1},
};

static void begin_idf(struct chip *chip, enum upd_otadata_loader loader, uint32_t state)
{
    struct sim_loader idf = {.kind = SIM_LOADER_OTADATA, .of.otadata = {loader, table, 3, 31}};
    uint8_t record[UPD_OTADATA_RECORD_SIZE];

    begin(chip, &idf);
    put(chip, SLOT_0, UPD_IMAGES "esp32.bin");
    put(chip, SLOT_1, UPD_IMAGES "esp32.bin");
    upd_otadata_encode(record, 2, state);
    sim_flash_load(&chip->sim, OTADATA, record, sizeof record);
}

static void test_idf_starts_what_otadata_names_if_it_verifies(void)
{
    struct chip chip;

    begin_idf(&chip, UPD_OTADATA_LOADER_IDF, UPD_OTADATA_VALID);
    CHECK(starts(&chip, SLOT_1) && chip.boot.writes == 0);
    sim_flash_flip(&chip.sim, SLOT_1 + 100, 1);
    CHECK(starts(&chip, SLOT_0));
    sim_flash_flip(&chip.sim, SLOT_0 + 100, 1);
    CHECK(dies(&chip));
    sim_flash_free(&chip.sim);
}

static void test_idf_notes_the_trial_before_it_starts_it(void)
{
    struct chip chip;
    uint8_t record[UPD_OTADATA_RECORD_SIZE];

    begin_idf(&chip, UPD_OTADATA_LOADER_IDF_ROLLBACK, UPD_OTADATA_NEW);
    CHECK(starts(&chip, SLOT_1) && chip.boot.writes == 2);
    sim_flash_peek(&chip.sim, OTADATA, record, sizeof record);
    CHECK(upd_otadata_state(record) == UPD_OTADATA_PENDING);
    CHECK(starts(&chip, SLOT_0));
    sim_flash_free(&chip.sim);
}

static void test_a_cut_of_any_write_of_a_loader_ends_the_boot(void)
{
    for (uint32_t op = 0; op < 2; op++) {
        struct chip chip;
        begin_idf(&chip, UPD_OTADATA_LOADER_IDF_ROLLBACK, UPD_OTADATA_NEW);
        sim_flash_cut_at(&chip.sim, op, SIM_TEAR_BEFORE);
        reset(&chip);
        CHECK(chip.boot.end == SIM_BOOT_CUT && chip.boot.writes == op + 1);
        power_on(&chip, SIM_RTC_KEPT);
        CHECK(starts(&chip, op == 0 ? SLOT_1 : SLOT_0)); /* between both the record is gone */
        sim_flash_free(&chip.sim);
    }
}

/* --- NONOS SDK -------------------------------------------------------------------------------- */

enum { USER1 = 0x1000, USER2 = 0x81000, PARAMS = 0xFC000, INNER = 32 };

static void begin_nonos(struct chip *chip, enum upd_boot_version version)
{
    struct sim_loader original = {.kind = SIM_LOADER_NONOS_ORIGINAL,
                                  .of.nonos = {upd_flash_map(2), (uint8_t)version, false}};

    begin(chip, &original);
    put(chip, USER1, UPD_IMAGES "v2-sdk.bin");
    put(chip, USER2, UPD_IMAGES "v2-sdk.bin");
}

static void test_the_originals_set_the_block_up_and_start_user1(void)
{
    static const enum upd_boot_version versions[] = {UPD_BOOT_V1_2, UPD_BOOT_V1_4, UPD_BOOT_V1_6,
                                                     UPD_BOOT_V1_7};

    for (uint32_t i = 0; i < 4; i++) {
        struct chip chip;
        begin_nonos(&chip, versions[i]);
        CHECK(starts(&chip, USER1) && chip.boot.writes > 0);
        CHECK(starts(&chip, USER1) && chip.boot.writes == 0);
        sim_flash_free(&chip.sim);
    }
}

static void test_the_originals_start_user2_when_the_block_selects_it(void)
{
    uint8_t block[UPD_BOOT_BLOCK_SIZE];
    struct chip chip;

    begin_nonos(&chip, UPD_BOOT_V1_6);
    memset(block, 0xFF, sizeof block);
    CHECK(upd_boot_block_select(block, UPD_BOOT_V1_6, UPD_SLOT_USER2) == UPD_OK);
    sim_flash_load(&chip.sim, PARAMS + 2 * SECTOR, block, sizeof block);
    CHECK(starts(&chip, USER2));
    sim_flash_free(&chip.sim);
}

static void test_the_originals_fall_back_from_no_image_alone(void)
{
    struct chip chip;
    uint32_t resets[] = {1, 4};

    for (uint32_t i = 0; i < 2; i++) {
        begin_nonos(&chip, i == 0 ? UPD_BOOT_V1_6 : UPD_BOOT_V1_7);
        sim_flash_flip(&chip.sim, USER1, 1);
        CHECK(starts(&chip, USER2) && chip.boot.resets == resets[i]);
        sim_flash_flip(&chip.sim, USER2, 1);
        CHECK(dies(&chip));
        sim_flash_free(&chip.sim);
        begin_nonos(&chip, i == 0 ? UPD_BOOT_V1_6 : UPD_BOOT_V1_7);
        sim_flash_flip(&chip.sim, USER1 + INNER + 17, 1); /* in a segment for RAM */
        CHECK(dies(&chip) && chip.boot.resets == 0);
        sim_flash_free(&chip.sim);
        begin_nonos(&chip, i == 0 ? UPD_BOOT_V1_6 : UPD_BOOT_V1_7);
        sim_flash_flip(&chip.sim, USER1 + INNER - 4, 1); /* in irom: nobody looks */
        CHECK(starts(&chip, USER1));
        sim_flash_free(&chip.sim);
    }
}

/* --- Arduino ---------------------------------------------------------------------------------- */

enum { STAGED = 0x80000, SKETCH = 2 * SECTOR };

static void begin_eboot(struct chip *chip)
{
    struct sim_loader eboot = {.kind = SIM_LOADER_EBOOT_ORIGINAL};

    begin(chip, &eboot);
    put(chip, 0, UPD_IMAGES "arduino.bin");
    put(chip, STAGED, UPD_IMAGES "arduino.bin");
    sim_flash_flip(&chip->sim, STAGED + SKETCH - 1, 1); /* that is how the new one differs */
}

static void command(struct chip *chip)
{
    struct upd_eboot_command copy = {UPD_EBOOT_COPY, STAGED, 0, SKETCH};
    uint8_t block[UPD_EBOOT_COMMAND_SIZE];

    upd_eboot_build(&copy, block);
    CHECK(sim_rtc_write(&chip->rtc, SIM_RTC_USER_BLOCK, block, sizeof block) == UPD_OK);
}

static bool is_installed(struct chip *chip)
{
    uint8_t one[SKETCH], other[SKETCH];

    sim_flash_peek(&chip->sim, 0, one, sizeof one);
    sim_flash_peek(&chip->sim, STAGED, other, sizeof other);
    return memcmp(one, other, sizeof one) == 0;
}

static void test_eboot_copies_once_and_leaves_its_own_sector_alone(void)
{
    struct chip chip;

    begin_eboot(&chip);
    CHECK(starts(&chip, 0) && chip.boot.writes == 0 && !is_installed(&chip));
    command(&chip);
    CHECK(starts(&chip, 0) && is_installed(&chip));
    CHECK(chip.boot.writes == 2 && sim_flash_wear(&chip.sim, 0) == 0);
    CHECK(starts(&chip, 0) && chip.boot.writes == 0);
    sim_flash_free(&chip.sim);
}

static void test_eboot_repairs_a_cut_copy_only_while_rtc_memory_holds(void)
{
    for (uint32_t kept = 0; kept < 2; kept++) {
        struct chip chip;
        begin_eboot(&chip);
        command(&chip);
        sim_flash_cut_at(&chip.sim, 1, SIM_TEAR_BEFORE);
        reset(&chip);
        CHECK(chip.boot.end == SIM_BOOT_CUT);
        power_on(&chip, kept == 1 ? SIM_RTC_KEPT : SIM_RTC_LOST);
        CHECK(kept == 1 ? starts(&chip, 0) && is_installed(&chip) : dies(&chip));
        sim_flash_free(&chip.sim);
    }
}

static void test_the_rom_starts_no_loader_that_is_damaged(void)
{
    struct chip chip;

    begin_eboot(&chip);
    sim_flash_flip(&chip.sim, 20, 1);
    CHECK(dies(&chip));
    sim_flash_free(&chip.sim);
}

int main(void)
{
    CHECK_RUN(test_idf_starts_what_otadata_names_if_it_verifies);
    CHECK_RUN(test_idf_notes_the_trial_before_it_starts_it);
    CHECK_RUN(test_a_cut_of_any_write_of_a_loader_ends_the_boot);
    CHECK_RUN(test_the_originals_set_the_block_up_and_start_user1);
    CHECK_RUN(test_the_originals_start_user2_when_the_block_selects_it);
    CHECK_RUN(test_the_originals_fall_back_from_no_image_alone);
    CHECK_RUN(test_eboot_copies_once_and_leaves_its_own_sector_alone);
    CHECK_RUN(test_eboot_repairs_a_cut_copy_only_while_rtc_memory_holds);
    CHECK_RUN(test_the_rom_starts_no_loader_that_is_damaged);
    check_end();
}
