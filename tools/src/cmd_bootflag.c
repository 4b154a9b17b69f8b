/* updraft bootflag show, set: which slot of a NONOS chip starts. */
#include <stdio.h>
#include <string.h>

#include <updraft/sysparam.h>

#include "boot.h"
#include "commands.h"
#include "display.h"
#include "target.h"

struct arguments {
    const char *file;
    struct choice slot;
    struct choice loader;
};

/* The original boot loaders, in the order of loader_versions[]. */
static const char *const loader_words[] = {"1.2", "1.4", "1.6", "1.7", NULL};
static const uint8_t loader_versions[] = {UPD_BOOT_V1_2, UPD_BOOT_V1_4, UPD_BOOT_V1_6,
                                          UPD_BOOT_V1_7};

#define LOADER_OPTION                                                                              \
    {                                                                                              \
        .name = "loader", .kind = VALUE_CHOICE, .value = "VERSION", .choices = loader_words,       \
        .at = offsetof(struct arguments, loader),                                                  \
        .help = "version of the boot loader, where it cannot be told from its bytes"               \
    }

/* A NONOS flash with slots, and its parameter area. */
static enum exit_code open_area(struct call *call, bool change, struct flash **flash,
                                struct upd_sysparam *area)
{
    const struct arguments *arguments = call->arguments;
    const struct flash_options options = {
        .kind = {.word = flash_kinds[FLASH_NONOS], .index = FLASH_NONOS}};
    enum exit_code code = flash_open(call, arguments->file, &options, change, flash);

    if (code != EXIT_DONE) {
        return code;
    }
    if (!(*flash)->map->fota) {
        return fail(call, EXIT_FAILED, "format", "%s: map %u has no slots", (*flash)->path,
                    (*flash)->map->number);
    }
    return boot_read_area(*flash, upd_flash_map_sysparam((*flash)->map), area) ? EXIT_DONE
                                                                               : EXIT_FAILED;
}

static json_t *block_json(const uint8_t block[UPD_BOOT_BLOCK_SIZE])
{
    struct upd_boot_block fields;

    upd_boot_block_decode(block, &fields);
    return json_pack("{s:o, s:i, s:i, s:b, s:b, s:b, s:b, s:b, s:[II]}", "bytes",
                     hex_json(block, UPD_BOOT_BLOCK_SIZE), "version", fields.version, "index",
                     fields.index, "first_try", fields.first_try, "keeps_dio", fields.keeps_dio,
                     "test_passed", fields.test_passed, "test_selected", fields.test_selected,
                     "enhanced", fields.enhanced, "addresses", (json_int_t)fields.address[0],
                     (json_int_t)fields.address[1]);
}

static void show_area(struct call *call, const struct flash *flash, const struct upd_sysparam *area)
{
    uint8_t current = upd_sysparam_current(area);
    const uint8_t *block = upd_sysparam_block(area);
    const char *flag = upd_sysparam_flag_text(upd_sysparam_flag(area));
    uint32_t base = upd_flash_map_sysparam(flash->map);
    char hex[3][2 * UPD_SYSPARAM_HEAD_SIZE + 1];

    if (call->json != NULL) {
        json_object_set_new(call->json, "map", json_integer(flash->map->number));
        json_object_set_new(call->json, "sysparam",
                            json_pack("{s:I, s:i, s:o, s:s, s:b, s:[oo]}", "address",
                                      (json_int_t)base, "current", current, "flag",
                                      hex_json(area->flag, UPD_SYSPARAM_HEAD_SIZE), "flag_state",
                                      flag, "sdk_accepts", upd_sysparam_sdk_accepts(area), "copies",
                                      hex_json(area->head[0], UPD_SYSPARAM_HEAD_SIZE),
                                      hex_json(area->head[1], UPD_SYSPARAM_HEAD_SIZE)));
        json_object_set_new(call->json, "block", block_json(block));
        return;
    }
    printf("%s: map %u, parameters at 0x%x\n", flash->path, flash->map->number, base);
    printf("  flag    %s  %s\n", hex_text(area->flag, 8, hex[0]), flag);
    for (uint8_t copy = 0; copy < 2; copy++) {
        printf("  copy %u  %s%s\n", copy,
               hex_text(area->head[copy], UPD_BOOT_BLOCK_SIZE, hex[1 + copy]),
               copy == current ? "  this one counts" : "");
    }
}

/* --- show ------------------------------------------------------------------------------------ */

static const struct option show_options[] = {
    LOADER_OPTION,
    {0},
};
static const struct operand show_operands[] = {
    {.name = "FLASH",
     .kind = VALUE_INPUT,
     .at = offsetof(struct arguments, file),
     .help = "an image of a whole flash"},
    {0},
};
static const struct example show_examples[] = {
    {"updraft bootflag show flash.bin", "the flag, both copies, and what starts"},
    {0},
};

static enum exit_code run_show(struct call *call)
{
    const struct arguments *arguments = call->arguments;
    struct flash *flash;
    struct upd_sysparam area;
    enum exit_code code = open_area(call, false, &flash, &area);

    if (code == EXIT_DONE) {
        show_area(call, flash, &area);
        code = boot_say(call, flash, arguments->loader.word);
    }
    flash_close(flash);
    return code;
}

const struct command bootflag_show_command = {
    .group = "bootflag",
    .name = "show",
    .summary = "show which slot a NONOS chip starts, and why",
    .text = "Shows the flag sector and both copies of the boot block, and follows the boot loader "
            "through its decision.",
    .examples = show_examples,
    .options = show_options,
    .operands = show_operands,
    .json = true,
    .size = sizeof(struct arguments),
    .run = run_show,
};

/* --- set ------------------------------------------------------------------------------------- */

static const struct option set_options[] = {
    LOADER_OPTION,
    {0},
};
static const struct operand set_operands[] = {
    {.name = "FLASH",
     .kind = VALUE_INPUT,
     .at = offsetof(struct arguments, file),
     .help = "an image of a whole flash; it is changed in place"},
    {.name = "SLOT",
     .kind = VALUE_CHOICE,
     .choices = slot_words,
     .at = offsetof(struct arguments, slot),
     .help = "user1 or user2"},
    {0},
};
static const struct example set_examples[] = {
    {"updraft bootflag set flash.bin user2", "from now on user2 starts"},
    {0},
};

/* One write of the plan, on the file. */
static bool do_step(struct flash *flash, const struct upd_sysparam_plan *plan,
                    const struct upd_sysparam_step *step)
{
    uint32_t base = upd_flash_map_sysparam(flash->map);
    uint32_t target = base + step->sector * UPD_FLASH_SECTOR;
    uint8_t sector[UPD_FLASH_SECTOR];

    switch ((enum upd_sysparam_action)step->action) {
    case UPD_SYSPARAM_ERASE:
        return flash_erase(flash, target);
    case UPD_SYSPARAM_COPY:
        if (!flash_read(flash, base + step->source * UPD_FLASH_SECTOR, sector, step->size)) {
            return false;
        }
        memcpy(sector, upd_sysparam_data(plan, step), UPD_BOOT_BLOCK_SIZE);
        return flash_program(flash, target, sector, step->size);
    case UPD_SYSPARAM_PROGRAM:
        return flash_program(flash, target + step->offset, upd_sysparam_data(plan, step),
                             step->size);
    }
    return false;
}

/* The version that is on the chip: as said, as the loader's bytes say, as the block says. */
static enum exit_code find_version(struct flash *flash, const struct arguments *arguments,
                                   const struct upd_sysparam *area, uint8_t *version)
{
    if (arguments->loader.word != NULL) {
        *version = loader_versions[arguments->loader.index];
        return EXIT_DONE;
    }
    if (!boot_version(flash, version)) {
        return EXIT_FAILED;
    }
    if (*version == 0) {
        *version = upd_sdk_boot_version(upd_sysparam_block(area));
    }
    if (*version < 2 || *version > 30) {
        return fail(flash->call, EXIT_USAGE, "usage",
                    "%s: the boot loader at 0 is not known; name its version with --loader",
                    flash->path);
    }
    return EXIT_DONE;
}

/* One plan for the slot, one for a flag sector that a cut left torn, and one that is empty. */
#define PLANS 4

/*
 * Plan, carry out, and read and plan again until nothing is left to do. A file does not read
 * differently each time, as a torn sector of a chip may, so its flag sector can be trusted.
 */
static bool select_slot(struct call *call, struct flash *flash, struct upd_sysparam *area,
                        uint8_t version, unsigned *writes)
{
    const struct arguments *arguments = call->arguments;
    struct upd_sysparam_plan plan;

    *writes = 0;
    for (int round = 0; round < PLANS; round++) {
        if (upd_sysparam_plan_slot(area, UPD_SYSPARAM_SAFE, version,
                                   (enum upd_slot)arguments->slot.index, &plan) != UPD_OK) {
            fail(call, EXIT_FAILED, "format", "%s: no boot loader reads a block of version %u",
                 flash->path, version);
            return false;
        }
        if (plan.count == 0) {
            return true;
        }
        for (uint8_t i = 0; i < plan.count; i++) {
            if (!do_step(flash, &plan, &plan.step[i])) {
                return false;
            }
        }
        *writes += plan.count;
        if (!boot_read_area(flash, upd_flash_map_sysparam(flash->map), area)) {
            return false;
        }
    }
    fail(call, EXIT_FAILED, "write", "%s: does not keep what is written to it", flash->path);
    return false;
}

/* The choice stands: an image may come later. But as it is, something else starts, or nothing. */
static bool warn_of_slot(struct call *call, struct flash *flash, enum upd_slot slot)
{
    uint32_t address = upd_flash_map_slot(flash->map, slot);
    uint32_t size = upd_flash_map_image_limit(flash->map, UPD_SDK_ANY);
    struct inspection found;

    if (!flash_inspect(flash, address, size, &found)) {
        return false;
    }
    if (found.problem.name != NULL) {
        warn(call, "%s: %s, at 0x%x, holds no image that verifies: %s", flash->path,
             slot_words[slot], address, found.problem.text);
    }
    return true;
}

static enum exit_code run_set(struct call *call)
{
    const struct arguments *arguments = call->arguments;
    struct flash *flash;
    struct upd_sysparam area;
    uint8_t version;
    unsigned writes;

    if (open_area(call, true, &flash, &area) == EXIT_DONE &&
        find_version(flash, arguments, &area, &version) == EXIT_DONE &&
        select_slot(call, flash, &area, version, &writes)) {
        if (call->json != NULL) {
            json_object_set_new(call->json, "slot", json_string(arguments->slot.word));
            json_object_set_new(call->json, "writes", json_integer(writes));
        } else if (writes == 0) {
            printf("%s: %s is selected already\n", flash->path, arguments->slot.word);
        }
        if (warn_of_slot(call, flash, (enum upd_slot)arguments->slot.index)) {
            boot_say(call, flash, arguments->loader.word);
        }
    }
    flash_close(flash);
    return call->code;
}

const struct command bootflag_set_command = {
    .group = "bootflag",
    .name = "set",
    .summary = "choose the slot that a NONOS chip starts",
    .text = "Changes the flash image in place, by the writes that a chip would do and in their "
            "order: wherever it is cut off, the boot loader finds the old choice or the new one. "
            "Wi-Fi settings and the like, which lie in the same sectors, stay.",
    .examples = set_examples,
    .options = set_options,
    .operands = set_operands,
    .json = true,
    .size = sizeof(struct arguments),
    .run = run_set,
};
