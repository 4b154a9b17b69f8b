#include "boot.h"

#include <stdio.h>
#include <string.h>

#include <updraft/boot_original.h>
#include <updraft/image_info.h>
#include <updraft/otadata.h>
#include <updraft/sysparam.h>

#include "display.h"

/* The four originals first, in the order of versions[]; then those of partition tables; then ours.
 */
const char *const boot_loaders[] = {"1.2",          "1.4",  "1.6",   "1.7",     "idf",
                                    "idf-rollback", "rtos", "eboot", "updraft", NULL};
enum { LOADER_IDF = 4, LOADER_IDF_ROLLBACK, LOADER_RTOS, LOADER_EBOOT, LOADER_UPDRAFT };

static const enum upd_boot_version versions[] = {UPD_BOOT_V1_2, UPD_BOOT_V1_4, UPD_BOOT_V1_6,
                                                 UPD_BOOT_V1_7};

/* An original says on the console which it is; the text is in its data. */
uint8_t boot_version_of(const uint8_t *loader, uint32_t size)
{
    static const char text[] = "2nd boot version : ";
    const size_t length = sizeof text - 1;
    const uint8_t *found = memmem(loader, size, text, length);

    for (size_t i = 0; i < sizeof versions / sizeof versions[0] && found != NULL; i++) {
        if (loader + size - found >= (ptrdiff_t)length + 3 &&
            memcmp(found + length, boot_loaders[i], 3) == 0) {
            return (uint8_t)versions[i];
        }
    }
    return 0;
}

bool boot_version(struct flash *flash, uint8_t *version)
{
    uint8_t loader[UPD_FLASH_SECTOR];
    struct inspection found;

    *version = 0;
    if (!flash_inspect(flash, 0, sizeof loader, &found) ||
        !flash_read(flash, 0, loader, sizeof loader)) {
        return false;
    }
    if (found.problem.name == NULL) { /* what an older loader left behind it does not count */
        *version = boot_version_of(loader, found.info.image_size);
    }
    return true;
}

static struct boot_trial *add_trial(struct boot_story *story, const char *name, uint32_t address,
                                    const char *why)
{
    struct boot_trial *last = story->count > 0 ? &story->trial[story->count - 1] : NULL;

    if (last != NULL && strcmp(last->name, name) == 0) {
        last->times++;
        return last;
    }
    if (story->count == BOOT_TRIALS) {
        return last;
    }
    struct boot_trial *trial = &story->trial[story->count++];
    *trial = (struct boot_trial){.address = address, .times = 1};
    snprintf(trial->name, sizeof trial->name, "%s", name);
    snprintf(trial->why, sizeof trial->why, "%s", why);
    return trial;
}

/* --- NONOS ----------------------------------------------------------------------------------- */

/*
 * The original loaders look at the magic and at the checksum of the RAM segments. A wrong CRC-32 is
 * nothing to them: the image starts, with damaged code in flash.
 */
static bool original_loads(struct flash *flash, struct boot_trial *trial)
{
    struct inspection found;
    uint32_t limit = trial->address < flash->map->size ? flash->map->size - trial->address : 0;

    if (!flash_inspect(flash, trial->address, limit, &found)) {
        return false;
    }
    trial->starts = found.problem.name == NULL || found.info.problem == UPD_IMAGE_CRC32;
    if (found.problem.name != NULL) {
        snprintf(trial->problem, sizeof trial->problem, "%s%s", found.problem.text,
                 trial->starts ? ", which the boot loader does not notice" : "");
    }
    return true;
}

static const char *start_name(const struct upd_boot_decision *decision, char *text, size_t size)
{
    switch (decision->start) {
    case UPD_BOOT_START_USER1:
        return "user1";
    case UPD_BOOT_START_USER2:
        return "user2";
    case UPD_BOOT_START_NOTHING:
    case UPD_BOOT_START_TEST:
    case UPD_BOOT_START_PRIMARY:
    case UPD_BOOT_START_BACKUP:
        break;
    }
    snprintf(text, size, "0x%x", decision->address);
    return text;
}

bool boot_read_area(struct flash *flash, uint32_t address, struct upd_sysparam *area)
{
    area->same_settings = false; /* asked for repairs after real power cuts only */
    return flash_read(flash, address + UPD_SYSPARAM_SECTOR_FLAG * UPD_FLASH_SECTOR, area->flag,
                      sizeof area->flag) &&
           flash_read(flash, address + UPD_SYSPARAM_SECTOR_COPY0 * UPD_FLASH_SECTOR, area->head[0],
                      sizeof area->head[0]) &&
           flash_read(flash, address + UPD_SYSPARAM_SECTOR_COPY1 * UPD_FLASH_SECTOR, area->head[1],
                      sizeof area->head[1]);
}

static enum exit_code tell_nonos(struct flash *flash, enum upd_boot_version version,
                                 struct boot_story *story)
{
    struct upd_sysparam area;
    uint8_t block[UPD_BOOT_BLOCK_SIZE];
    uint32_t number = flash->map->number, rtc = 0;
    struct upd_flash_boot_view view = upd_flash_map_boot_view(version, number);

    if (!boot_read_area(flash, view.sysparam, &area)) {
        return EXIT_FAILED;
    }
    memcpy(block, upd_sysparam_block(&area), sizeof block);
    for (int tries = 0; tries < BOOT_TRIALS; tries++) {
        struct upd_boot_decision decision;
        struct upd_boot_failure failure;
        char text[16];

        upd_boot_original_decide(version, number, block, true, &decision);
        story->writes += decision.save ? 2 : 0;
        if (decision.start == UPD_BOOT_START_NOTHING) {
            struct boot_trial *last =
                add_trial(story, "nothing", 0, upd_boot_reason_text(decision.reason));
            last->times = 0;
            return EXIT_DONE;
        }
        struct boot_trial *trial =
            add_trial(story, start_name(&decision, text, sizeof text), decision.address,
                      upd_boot_reason_text(decision.reason));
        if (!original_loads(flash, trial)) {
            return EXIT_FAILED;
        }
        if (trial->starts) {
            story->starts = trial->name;
            return EXIT_DONE;
        }
        upd_boot_original_failed(version, &decision, rtc, &failure);
        if (!failure.reset) {
            return EXIT_DONE;
        }
        story->writes += failure.save ? 2 : 0;
        memcpy(block, failure.block, sizeof block);
        rtc = failure.rtc;
    }
    return EXIT_DONE;
}

/* --- Partition tables ------------------------------------------------------------------------ */

struct apps {
    struct flash *flash;
    bool failed; /* to read the file */
};

static const struct upd_partition *app_row(const struct flash *flash, int8_t app)
{
    const struct upd_partition_list *list = &flash->table->list;
    uint8_t subtype = app == UPD_OTADATA_FACTORY ? UPD_PARTITION_APP_FACTORY
                      : app == UPD_OTADATA_TEST  ? UPD_PARTITION_APP_TEST
                                                 : (uint8_t)(UPD_PARTITION_APP_OTA_0 + app);
    return upd_partition_by_type(list->rows, list->count, UPD_PARTITION_APP, subtype);
}

static bool inspect_app(struct apps *apps, int8_t app, struct inspection *found)
{
    const struct upd_partition *row = app_row(apps->flash, app);

    if (row == NULL || !flash_inspect(apps->flash, row->offset, row->size, found)) {
        apps->failed = apps->failed || row != NULL;
        return false;
    }
    return true;
}

static bool verifies(void *ctx, int8_t app)
{
    struct inspection found;
    return inspect_app(ctx, app, &found) && found.problem.name == NULL;
}

static const char *app_name(int8_t app, char *text, size_t size)
{
    if (app == UPD_OTADATA_FACTORY || app == UPD_OTADATA_TEST) {
        return app == UPD_OTADATA_FACTORY ? "factory" : "test";
    }
    snprintf(text, size, "ota_%d", app);
    return text;
}

static void tell_order(struct apps *apps, const struct upd_otadata_decision *decision,
                       struct boot_story *story)
{
    for (uint8_t i = 0; i < decision->tried && story->count < BOOT_TRIALS; i++) {
        int8_t app = decision->order[i];
        const struct upd_partition *row = app_row(apps->flash, app);
        struct inspection found;
        char text[16];
        struct boot_trial *trial = add_trial(
            story, app_name(app, text, sizeof text), row != NULL ? row->offset : 0,
            i == 0 ? upd_otadata_reason_text(decision->reason) : "the ones before it do not start");
        trial->starts = app == decision->chosen;
        if (trial->starts) {
            story->starts = trial->name;
        } else if (inspect_app(apps, app, &found) && found.problem.name != NULL) {
            snprintf(trial->problem, sizeof trial->problem, "%s", found.problem.text);
        }
    }
}

static enum exit_code tell_partitions(struct flash *flash, enum upd_otadata_loader loader,
                                      struct boot_story *story)
{
    const struct upd_partition_list *list = &flash->table->list;
    struct apps apps = {.flash = flash};
    struct upd_otadata_boot boot = {.loader = loader,
                                    .layout = upd_partition_layout(list->rows, list->count),
                                    .verifies = verifies,
                                    .ctx = &apps};
    struct upd_otadata_decision decision;

    for (uint32_t copy = 0; copy < 2; copy++) {
        if (!flash_read(flash, boot.layout.otadata_offset + copy * UPD_OTADATA_COPY_DISTANCE,
                        boot.copy[copy], UPD_OTADATA_RECORD_SIZE)) {
            return EXIT_FAILED;
        }
    }
    upd_otadata_decide(&boot, &decision);
    tell_order(&apps, &decision, story);
    story->writes = decision.write_count;
    return apps.failed ? EXIT_FAILED : EXIT_DONE;
}

/* --- Arduino --------------------------------------------------------------------------------- */

static enum exit_code tell_arduino(struct flash *flash, struct boot_story *story)
{
    struct inspection found;
    struct boot_trial *trial = add_trial(
        story, "sketch", 0x1000, "eboot starts it unless RTC memory holds a command to copy");

    if (!flash_inspect(flash, 0, flash->size, &found)) {
        return EXIT_FAILED;
    }
    trial->starts = found.problem.name == NULL;
    if (trial->starts) {
        story->starts = trial->name;
    } else {
        snprintf(trial->problem, sizeof trial->problem, "%s", found.problem.text);
    }
    return EXIT_DONE;
}

/*
 * Whether updraft's loader goes by the slots: in enhanced mode, and with an image on the original
 * loaders' own kind of test, it does what v1.7 does.
 */
static bool is_normal(const uint8_t block[UPD_BOOT_BLOCK_SIZE])
{
    enum { NORMAL = 0x80, NO_TEST = 0x40, TEST_NOT_PASSED = 0x20, VERSION_BITS = 0x1F };

    return (block[1] & VERSION_BITS) != UPD_BOOT_V1_7 ||
           ((block[1] & NORMAL) != 0 &&
            (block[1] & (NO_TEST | TEST_NOT_PASSED)) != TEST_NOT_PASSED);
}

/* @return EXIT_DONE with story->loader set when it was updraft's and all is told */
static enum exit_code tell_own(struct flash *flash, const char *loader, struct boot_story *story)
{
    struct upd_loader_record record;
    struct upd_sysparam area;
    bool ours = loader != NULL && strcmp(loader, boot_loaders[LOADER_UPDRAFT]) == 0;

    if ((loader == NULL && !boot_is_updraft(flash, &record, &ours)) ||
        !boot_read_area(flash, upd_flash_map_sysparam(flash->map), &area)) {
        return EXIT_FAILED;
    }
    if (!ours || !flash->map->fota) {
        return EXIT_DONE;
    }
    enum exit_code code = is_normal(upd_sysparam_block(&area))
                              ? boot_tell_updraft(flash, story)
                              : tell_nonos(flash, UPD_BOOT_V1_7, story);
    story->loader = boot_loaders[LOADER_UPDRAFT];
    return code;
}

static enum exit_code choose_original(struct flash *flash, const char *loader,
                                      struct boot_story *story, enum upd_boot_version *version)
{
    uint8_t found = 0;
    uint32_t index = 3;

    if (loader == NULL && !boot_version(flash, &found)) {
        return EXIT_FAILED;
    }
    for (uint32_t i = 0; i < sizeof versions / sizeof versions[0]; i++) {
        if (loader != NULL ? strcmp(loader, boot_loaders[i]) == 0 : versions[i] == found) {
            index = i;
            found = (uint8_t)versions[i];
        }
    }
    story->loader = boot_loaders[index];
    story->assumed = loader == NULL && found == 0;
    *version = versions[index];
    return loader == NULL || found != 0
               ? EXIT_DONE
               : fail(flash->call, EXIT_USAGE, "usage",
                      "--loader %s does not go with a NONOS flash", loader);
}

enum exit_code boot_tell(struct flash *flash, const char *loader, struct boot_story *story)
{
    enum upd_boot_version version;
    uint32_t index = flash->chip == UPD_CHIP_ESP8266 ? LOADER_RTOS : LOADER_IDF;

    *story = (struct boot_story){0};
    if (flash->kind == FLASH_NONOS) {
        enum exit_code code = tell_own(flash, loader, story);
        if (code != EXIT_DONE || story->loader != NULL) {
            return code;
        }
        code = choose_original(flash, loader, story, &version);
        return code != EXIT_DONE ? code : tell_nonos(flash, version, story);
    }
    if (flash->kind == FLASH_ARDUINO) {
        story->loader = boot_loaders[LOADER_EBOOT];
        return tell_arduino(flash, story);
    }
    for (uint32_t i = LOADER_IDF; loader != NULL && i <= LOADER_RTOS; i++) {
        index = strcmp(loader, boot_loaders[i]) == 0 ? i : index;
    }
    story->loader = boot_loaders[index];
    if (loader != NULL && strcmp(loader, story->loader) != 0) {
        return fail(flash->call, EXIT_USAGE, "usage",
                    "--loader %s does not go with a partition table", loader);
    }
    return tell_partitions(flash,
                           index == LOADER_RTOS           ? UPD_OTADATA_LOADER_RTOS
                           : index == LOADER_IDF_ROLLBACK ? UPD_OTADATA_LOADER_IDF_ROLLBACK
                                                          : UPD_OTADATA_LOADER_IDF,
                           story);
}

static json_t *story_json(const struct boot_story *story)
{
    json_t *trials = json_array();

    for (size_t i = 0; i < story->count; i++) {
        const struct boot_trial *trial = &story->trial[i];
        json_array_append_new(trials, json_pack("{s:s, s:I, s:i, s:b, s:s, s:s?}", "name",
                                                trial->name, "address", (json_int_t)trial->address,
                                                "times", (int)trial->times, "starts", trial->starts,
                                                "why", trial->why, "problem",
                                                trial->problem[0] != '\0' ? trial->problem : NULL));
    }
    return json_pack("{s:s, s:b, s:s?, s:o, s:i}", "loader", story->loader, "assumed",
                     story->assumed, "starts", story->starts, "trials", trials, "writes",
                     (int)story->writes);
}

static void print_story(const struct boot_story *story)
{
    printf("boot loader %s%s: ", story->loader,
           story->assumed ? " (assumed: the one at 0 is not known)" : "");
    if (story->starts != NULL) {
        printf("%s%s starts%s\n", colour_good(), story->starts, colour_end());
    } else {
        printf("%snothing starts%s\n", colour_bad(), colour_end());
    }
    for (size_t i = 0; i < story->count; i++) {
        const struct boot_trial *trial = &story->trial[i];
        printf("  %s", trial->name);
        if (trial->times > 0) {
            printf(" at 0x%x", trial->address);
        }
        printf(": %s", trial->why);
        if (trial->problem[0] != '\0') {
            printf("; %s%s", trial->problem, trial->starts ? "" : ": does not start");
        }
        if (trial->times > 1) {
            printf(", %u times", trial->times);
        }
        putchar('\n');
    }
}

enum exit_code boot_say(struct call *call, struct flash *flash, const char *loader)
{
    struct boot_story story;
    enum exit_code code = boot_tell(flash, loader, &story);

    if (code == EXIT_DONE && call->json != NULL) {
        json_object_set_new(call->json, "boot", story_json(&story));
    } else if (code == EXIT_DONE) {
        print_story(&story);
    }
    return code;
}
