/* updraft flash info: what lies where, and what would start. */
#include <stdio.h>
#include <string.h>

#include <updraft/image_info.h>

#include "boot.h"
#include "commands.h"
#include "display.h"
#include "flash.h"

/* Columns of the bar that shows the chip to scale. */
#define BAR_WIDTH 64

struct arguments {
    const char *file;
    struct flash_options flash;
    struct choice loader;
};

static const struct option options[] = {
    {.name = "loader",
     .kind = VALUE_CHOICE,
     .value = "LOADER",
     .choices = boot_loaders,
     .at = offsetof(struct arguments, loader),
     .help = "decide as this boot loader does, instead of the one that is there"},
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
    {"updraft flash info flash.bin", "the map, and which slot would start"},
    {"updraft flash info --json flash.bin | jq -r .boot.starts", "for a script"},
    {"updraft flash info --loader 1.2 flash.bin", "what if boot v1.2 were there?"},
    {0},
};

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/* Regions inside others have no letter of their own. */
static char letter_of(const struct flash *flash, size_t index)
{
    size_t place = 0;
    for (size_t i = 0; i < index; i++) {
        place += flash->regions[i].nested ? 0 : 1;
    }
    return place < sizeof letters - 1 ? letters[place] : '+';
}

/* Bytes that a region and a stretch of the chip have in common. */
static uint32_t common(const struct flash_region *region, uint64_t from, uint64_t to)
{
    uint64_t start = region->address > from ? region->address : from;
    uint64_t end = (uint64_t)region->address + region->size;
    end = end < to ? end : to;
    return end > start ? (uint32_t)(end - start) : 0;
}

/* Each column is the region that has most of it; what no region has is a dot. */
static void print_bar(const struct flash *flash, uint64_t size)
{
    putchar('[');
    for (uint64_t column = 0; column < BAR_WIDTH; column++) {
        uint64_t from = size * column / BAR_WIDTH, to = size * (column + 1) / BAR_WIDTH;
        uint32_t most = 0;
        char letter = '.';
        for (size_t i = 0; i < flash->region_count; i++) {
            uint32_t bytes = flash->regions[i].nested ? 0 : common(&flash->regions[i], from, to);
            if (bytes > most) {
                most = bytes;
                letter = letter_of(flash, i);
            }
        }
        putchar(letter);
    }
    printf("]\n");
}

/* The chip is as large as its header says, or as its last region or its file reaches. */
static uint64_t chip_size(const struct flash *flash)
{
    uint64_t size = flash->kind == FLASH_NONOS
                        ? flash->map->size
                        : upd_image_flash_bytes(flash->chip, flash->header[3] >> 4);
    for (size_t i = 0; i < flash->region_count; i++) {
        uint64_t end = (uint64_t)flash->regions[i].address + flash->regions[i].size;
        size = end > size ? end : size;
    }
    return size > flash->size ? size : flash->size;
}

/* What lies in a region. Slots hold images; of others the bytes that are used are counted. */
static bool look(struct flash *flash, const struct flash_region *region, uint32_t *used,
                 struct inspection *found)
{
    *found = (struct inspection){0};
    if (!flash_used(flash, region, used)) {
        return false;
    }
    return !region->slot || *used == 0 ||
           flash_inspect(flash, region->address, region->size, found);
}

static void print_region(const struct flash_region *region, char letter, uint32_t used,
                         const struct inspection *found)
{
    const struct upd_image_info *info = &found->info;
    char size[64];

    printf("  %c %-*s0x%08x  0x%08x  ", region->nested ? ' ' : letter, 18, region->name,
           region->address, region->address + region->size);
    if (used == 0) {
        puts("erased");
        return;
    }
    printf("%s", size_text(info->image_size > 0 ? info->image_size : used, size, sizeof size));
    if (info->format != UPD_FORMAT_UNKNOWN) {
        printf(", %s", upd_image_format_text(info->format));
        if (info->slot != 0) {
            printf(" for user%u", info->slot);
        }
    }
    if (region->slot) {
        bool good = found->problem.name == NULL;
        printf(", %s%s%s", good ? colour_good() : colour_bad(), good ? "ok" : found->problem.text,
               colour_end());
    }
    putchar('\n');
}

static json_t *image_json(const struct inspection *found)
{
    json_t *image = json_object();

    inspect_json(found, image);
    json_object_del(image, "file");
    json_object_del(image, "segments");
    json_object_del(image, "covered");
    return image;
}

static json_t *region_json(const struct flash *flash, const struct flash_region *region,
                           uint32_t used, const struct inspection *found)
{
    json_t *row = json_pack("{s:s, s:I, s:I, s:b, s:I}", "name", region->name, "address",
                            (json_int_t)region->address, "size", (json_int_t)region->size, "nested",
                            region->nested, "used", (json_int_t)used);
    if (region->row != NULL) {
        json_object_set_new(row, "partition", partition_json(flash->table, region->row));
    }
    if (region->slot && used > 0) {
        json_object_set_new(row, "image", image_json(found));
    }
    return row;
}

static json_t *map_json(const struct flash *flash)
{
    if (flash->kind != FLASH_NONOS) {
        return json_null();
    }
    const struct upd_flash_map_names *names = upd_flash_map_names(flash->map);
    return json_pack("{s:i, s:I, s:b, s:s, s:s}", "number", flash->map->number, "size",
                     (json_int_t)flash->map->size, "fota", flash->map->fota, "sdk", names->sdk,
                     "esptool", names->esptool);
}

static void print_title(const struct flash *flash)
{
    char size[64];

    printf("%s: %s, %s flash of %s", flash->path, size_text(flash->size, size, sizeof size),
           flash_kinds[flash->kind],
           flash->chip == UPD_CHIP_NONE ? "an unknown chip" : upd_chip_text(flash->chip));
    if (flash->kind == FLASH_NONOS) {
        printf(", map %u (%s)", flash->map->number, upd_flash_map_names(flash->map)->sdk);
    }
    printf(", mode %s, freq %s\n", upd_image_flash_mode_text(flash->header[2]),
           upd_image_flash_freq_text(flash->chip, flash->header[3] & 0xF));
}

static enum exit_code show_regions(struct call *call, struct flash *flash)
{
    json_t *rows = call->json != NULL ? json_array() : NULL;
    struct inspection found;
    uint32_t used;

    if (rows != NULL) {
        json_object_set_new(call->json, "regions", rows);
    }
    for (size_t i = 0; i < flash->region_count; i++) {
        if (!look(flash, &flash->regions[i], &used, &found)) {
            return EXIT_FAILED;
        }
        if (rows != NULL) {
            json_array_append_new(rows, region_json(flash, &flash->regions[i], used, &found));
        } else {
            print_region(&flash->regions[i], letter_of(flash, i), used, &found);
        }
    }
    return EXIT_DONE;
}

static enum exit_code run(struct call *call)
{
    const struct arguments *arguments = call->arguments;
    struct flash *flash;
    enum exit_code code = flash_open(call, arguments->file, &arguments->flash, false, &flash);

    if (code != EXIT_DONE) {
        return code;
    }
    if (call->json != NULL) {
        json_object_set_new(call->json, "path", display_json(flash->path, SIZE_MAX));
        json_object_set_new(call->json, "size", json_integer(flash->size));
        json_object_set_new(call->json, "kind", json_string(flash_kinds[flash->kind]));
        json_object_set_new(call->json, "chip",
                            flash->chip == UPD_CHIP_NONE ? json_null()
                                                         : json_string(upd_chip_text(flash->chip)));
        json_object_set_new(call->json, "chip_size", json_integer((json_int_t)chip_size(flash)));
        json_object_set_new(call->json, "map", map_json(flash));
    } else {
        print_title(flash);
        print_bar(flash, chip_size(flash));
    }
    code = show_regions(call, flash);
    if (code == EXIT_DONE) {
        code = boot_say(call, flash, arguments->loader.word);
    }
    flash_close(flash);
    return code;
}

const struct command flash_info_command = {
    .group = "flash",
    .name = "info",
    .summary = "draw the map of a flash image, and say what would start",
    .text =
        "Tells how the flash is divided (by a map of the NONOS SDK, by a partition table, or as "
        "the Arduino core has it), draws it to scale, says what each part holds, and follows "
        "the boot loader through its decision: what it turns to, why, and what it would start.",
    .examples = examples,
    .options = options,
    .operands = operands,
    .json = true,
    .size = sizeof(struct arguments),
    .run = run,
};
