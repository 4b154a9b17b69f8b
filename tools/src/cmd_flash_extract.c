/* updraft flash extract: regions of a flash image as files. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "display.h"
#include "files.h"
#include "flash.h"

struct arguments {
    const char *file;
    struct words regions;
    const char *output, *folder;
    bool whole;
    struct flash_options flash;
};

static const struct option options[] = {
    {.name = "region",
     .kind = VALUE_WORDS,
     .value = "NAME",
     .at = offsetof(struct arguments, regions),
     .help = "only this region; may be repeated. Without it, all that are not erased"},
    {.name = "output",
     .letter = 'o',
     .kind = VALUE_OUTPUT,
     .value = "FILE",
     .at = offsetof(struct arguments, output),
     .help = "with one --region: the file; '-' is standard output"},
    {.name = "output-dir",
     .letter = 'd',
     .kind = VALUE_FOLDER,
     .value = "DIR",
     .at = offsetof(struct arguments, folder),
     .help = "put the files there instead of here; it is made when missing"},
    {.name = "whole",
     .kind = VALUE_FLAG,
     .at = offsetof(struct arguments, whole),
     .help = "of a slot the whole region, not its image alone"},
    FLASH_OPTIONS(struct arguments, flash),
    {0},
};
static const struct operand operands[] = {
    {.name = "FLASH",
     .kind = VALUE_INPUT,
     .at = offsetof(struct arguments, file),
     .help = "an image of a whole flash"},
    {0},
};
static const struct example examples[] = {
    {"updraft flash extract --region user1 -o user1.copy.bin flash.bin", "the image in slot user1"},
    {"updraft flash extract -d regions flash.bin", "every region that holds something"},
    {0},
};

/* Bytes of a region that are taken: of a good image its own, else all of it. */
static bool extent(struct flash *flash, const struct flash_region *region, bool whole,
                   uint32_t *size)
{
    struct inspection found;

    *size = region->size;
    if (whole || !region->slot) {
        return true;
    }
    if (!flash_inspect(flash, region->address, region->size, &found)) {
        return false;
    }
    if (found.problem.name == NULL) {
        *size = found.info.image_size;
    }
    return true;
}

static bool copy_region(struct flash *flash, const struct flash_region *region, uint32_t size,
                        const char *path)
{
    uint8_t piece[UPD_FLASH_SECTOR];
    struct output output;
    bool ok = output_open(flash->call, path, &output);

    for (uint32_t at = 0; ok && at < size; at += UPD_FLASH_SECTOR) {
        uint32_t count = size - at < UPD_FLASH_SECTOR ? size - at : UPD_FLASH_SECTOR;
        ok = flash_read(flash, region->address + at, piece, count) &&
             output_write(&output, piece, count);
    }
    ok = ok && output_commit(&output);
    output_close(&output);
    return ok;
}

static void say(struct call *call, const struct flash_region *region, uint32_t size,
                const char *path)
{
    char text[64];

    if (call->json != NULL) {
        json_array_append_new(json_object_get(call->json, "files"),
                              json_pack("{s:s, s:o, s:I, s:I}", "region", region->name, "path",
                                        display_json(path, SIZE_MAX), "address",
                                        (json_int_t)region->address, "size", (json_int_t)size));
    } else if (strcmp(path, "-") != 0) {
        printf("%s: %s, %s at 0x%x\n", path, region->name, size_text(size, text, sizeof text),
               region->address);
    }
}

/* A partition's name may hold anything; in a file's name it is letters, digits, - _ and dots. */
static void make_path(char *path, size_t size, const char *folder, const char *name)
{
    int length = snprintf(path, size, "%s/", folder);
    for (; *name != '\0' && (size_t)length + 5 < size; name++) {
        bool plain = strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.",
                            *name) != NULL &&
                     !(*name == '.' && path[length - 1] == '/');
        path[length++] = plain ? *name : '_';
    }
    snprintf(path + length, size - (size_t)length, ".bin");
}

static bool extract(struct call *call, struct flash *flash, const struct flash_region *region)
{
    const struct arguments *arguments = call->arguments;
    char path[4096];
    uint32_t size;

    if (arguments->output != NULL) {
        snprintf(path, sizeof path, "%s", arguments->output);
    } else {
        make_path(path, sizeof path, arguments->folder != NULL ? arguments->folder : ".",
                  region->name);
    }
    if (!extent(flash, region, arguments->whole, &size) ||
        !copy_region(flash, region, size, path)) {
        return false;
    }
    say(call, region, size, path);
    return true;
}

static bool extract_named(struct call *call, struct flash *flash)
{
    const struct words *names = &((const struct arguments *)call->arguments)->regions;

    for (size_t i = 0; i < names->count; i++) {
        const struct flash_region *region = flash_region(flash, names->word[i]);
        if (region == NULL) {
            fail(call, EXIT_USAGE, "usage",
                 "%s: has no region '%.60s'; 'updraft flash info' lists "
                 "them",
                 flash->path, names->word[i]);
            return false;
        }
        if (!extract(call, flash, region)) {
            return false;
        }
    }
    return true;
}

static bool extract_used(struct call *call, struct flash *flash)
{
    uint32_t used;

    for (size_t i = 0; i < flash->region_count; i++) {
        const struct flash_region *region = &flash->regions[i];
        if (region->nested) {
            continue;
        }
        if (!flash_used(flash, region, &used) || (used > 0 && !extract(call, flash, region))) {
            return false;
        }
    }
    return true;
}

static enum exit_code run(struct call *call)
{
    const struct arguments *arguments = call->arguments;
    struct flash *flash = NULL;

    if (arguments->output != NULL && (arguments->regions.count != 1 || arguments->folder != NULL)) {
        return fail(call, EXIT_USAGE, "usage", "--output goes with one --region");
    }
    if (call->json != NULL) {
        json_object_set_new(call->json, "files", json_array());
    }
    if (flash_open(call, arguments->file, &arguments->flash, false, &flash) == EXIT_DONE &&
        (arguments->folder == NULL || folder_make(call, arguments->folder))) {
        (void)(arguments->regions.count > 0 ? extract_named(call, flash)
                                            : extract_used(call, flash));
    }
    flash_close(flash);
    return call->code;
}

const struct command flash_extract_command = {
    .group = "flash",
    .name = "extract",
    .summary = "write regions of a flash image into files",
    .text = "The files are called as their regions: user1.bin, sysparam.bin. Of a slot with a good "
            "image the file is that image; everything else is the whole region.",
    .examples = examples,
    .options = options,
    .operands = operands,
    .json = true,
    .size = sizeof(struct arguments),
    .run = run,
};
