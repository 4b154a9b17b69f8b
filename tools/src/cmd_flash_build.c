/* updraft flash build: the flash of a factory-fresh chip, put together from its files. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <updraft/flash_map.h>
#include <updraft/image_info.h>
#include <updraft/sha256.h>

#include "boot.h"
#include "commands.h"
#include "display.h"
#include "files.h"
#include "inspect.h"
#include "options.h"
#include "pieces.h"
#include "table.h"
#include "target.h"

struct arguments {
    struct choice map;
    const char *boot, *user1, *user2, *init_data, *device_key;
    const char *table;
    struct words partitions, extra;
    struct number table_offset, boot_offset, flash_size;
    struct choice mode, freq;
    const char *output;
    bool force;
};

static const char *const mode_words[] = {"qio", "qout", "dio", "dout", NULL};
static const char *const freq_words[] = {"12m", "13m", "15m", "16m", "20m", "24m", "26m",
                                         "30m", "40m", "48m", "60m", "80m", NULL};

static const struct option options[] = {
    {.name = "output",
     .letter = 'o',
     .required = true,
     .kind = VALUE_OUTPUT,
     .value = "FLASH",
     .at = offsetof(struct arguments, output),
     .help = "the flash image; '-' is standard output"},
    {.name = "boot",
     .required = true,
     .kind = VALUE_INPUT,
     .value = "FILE",
     .at = offsetof(struct arguments, boot),
     .help = "the boot loader"},
    {.name = "map",
     .kind = VALUE_CHOICE,
     .value = "N",
     .choices = map_words,
     .at = offsetof(struct arguments, map),
     .help = "a NONOS chip with this flash map"},
    {.name = "user1",
     .kind = VALUE_INPUT,
     .value = "FILE",
     .at = offsetof(struct arguments, user1),
     .help = "with --map: the image for slot user1"},
    {.name = "user2",
     .kind = VALUE_INPUT,
     .value = "FILE",
     .at = offsetof(struct arguments, user2),
     .help = "with --map: the image for slot user2; a fresh chip has none"},
    {.name = "init-data",
     .kind = VALUE_INPUT,
     .value = "FILE",
     .at = offsetof(struct arguments, init_data),
     .help = "with --map: esp_init_data_default.bin"},
    {.name = "device-key",
     .kind = VALUE_INPUT,
     .value = "FILE",
     .at = offsetof(struct arguments, device_key),
     .help = "with --map: master_device_key.bin"},
    {.name = "partition-table",
     .kind = VALUE_INPUT,
     .value = "FILE",
     .at = offsetof(struct arguments, table),
     .help = "a chip with this partition table, binary or CSV"},
    {.name = "partition",
     .kind = VALUE_WORDS,
     .value = "NAME=FILE",
     .at = offsetof(struct arguments, partitions),
     .help = "with --partition-table: what goes into a partition; may be repeated"},
    {.name = "table-offset",
     .kind = VALUE_NUMBER,
     .value = "OFFSET",
     .at = offsetof(struct arguments, table_offset),
     .help = "where the table lies; 0x8000 without this option"},
    {.name = "boot-offset",
     .kind = VALUE_NUMBER,
     .value = "OFFSET",
     .at = offsetof(struct arguments, boot_offset),
     .help = "where the boot loader lies, if not where the ROM of its chip looks"},
    {.name = "flash-size",
     .kind = VALUE_NUMBER,
     .value = "SIZE",
     .at = offsetof(struct arguments, flash_size),
     .help = "with --partition-table: size of the flash; as the boot loader says without this "
             "option"},
    {.name = "flash-mode",
     .kind = VALUE_CHOICE,
     .value = "MODE",
     .choices = mode_words,
     .at = offsetof(struct arguments, mode),
     .help = "put this into the boot loader's header; without it, as in user1 or the "
             "boot loader"},
    {.name = "flash-freq",
     .kind = VALUE_CHOICE,
     .value = "FREQ",
     .choices = freq_words,
     .at = offsetof(struct arguments, freq),
     .help = "likewise; without it, as in user1 or the boot loader"},
    {.name = "at",
     .kind = VALUE_WORDS,
     .value = "OFFSET=FILE",
     .at = offsetof(struct arguments, extra),
     .help = "anything else, at its offset; may be repeated"},
    {.name = "force",
     .kind = VALUE_FLAG,
     .at = offsetof(struct arguments, force),
     .help = "also put in images that are damaged or made for another place"},
    {0},
};
static const struct example examples[] = {
    {"updraft flash build --map 2 --boot boot.bin --user1 user1.bin -o flash.bin",
     "a NONOS chip with 1 MiB"},
    {"updraft flash build --map 2 --boot boot.bin --user1 user1.bin --user2 user2.bin "
     "--init-data esp_init_data_default.bin --flash-mode dio --flash-freq 40m -o flash.bin",
     "the same with both slots filled"},
    {"updraft flash build --partition-table partitions.csv --boot bootloader.bin "
     "--partition factory=app.bin --flash-size 4M -o esp32-flash.bin",
     "an ESP32"},
    {0},
};

struct build {
    struct call *call;
    const struct arguments *arguments;
    struct pieces pieces;
    struct table *table; /* with --partition-table */
};

/* --- Images ---------------------------------------------------------------------------------- */

/* Refuses what would not start there; with --force only says so. */
static bool check_image(struct build *build, const struct piece *piece,
                        const struct upd_image_target *place, struct inspection *found)
{
    struct call *call = build->call;
    uint32_t offset;

    inspect_bytes(piece->path, piece->data, piece->size, found);
    if (found->problem.name == NULL) {
        enum upd_image_problem problem = upd_image_fits(&found->info, place, &offset);
        if (problem == UPD_IMAGE_OK) {
            return true;
        }
        found->problem.name = upd_image_problem_name(problem);
        found->problem.offset = offset;
        snprintf(found->problem.text, sizeof found->problem.text, "does not fit %.60s: %s",
                 piece->name, upd_image_problem_text(problem));
    }
    if (build->arguments->force) {
        warn(call, "%s: at 0x%x: %s", piece->path, found->problem.offset, found->problem.text);
        return true;
    }
    inspect_fail(call, found);
    return false;
}

/* Settings of the flash chip, as a header has them. */
static uint8_t freq_code(enum upd_chip chip, const char *word)
{
    for (uint8_t code = 0; code < 16; code++) {
        if (strcasecmp(upd_image_flash_freq_text(chip, code), word) == 0) {
            return code;
        }
    }
    return 0xFF;
}

static uint8_t size_code(enum upd_chip chip, uint32_t size)
{
    for (uint8_t code = 0; code < 16; code++) {
        if (upd_image_flash_bytes(chip, code) == size) {
            return code;
        }
    }
    return 0xFF;
}

/*
 * Bytes 2 and 3 of the boot loader are the settings of the whole flash, and the flashing tool
 * writes them. They lie outside of the checksum, but inside an appended SHA-256.
 */
static bool patch_header(struct build *build, struct piece *boot, const struct inspection *found,
                         uint8_t mode, uint8_t size_freq)
{
    const struct upd_image_info *info = &found->info;
    bool hashed = info->digests & UPD_IMAGE_HAS_SHA256;

    if (boot->size < 4 || (boot->data[2] == mode && boot->data[3] == size_freq)) {
        return true;
    }
    if (info->signature != UPD_IMAGE_UNSIGNED) {
        fail(build->call, EXIT_FAILED, "signature",
             "%s: is signed, so its flash settings cannot be changed", boot->path);
        return false;
    }
    boot->data[2] = mode;
    boot->data[3] = size_freq;
    if (hashed && info->image_size >= 32 && info->image_size <= boot->size) {
        struct upd_sha256 sha;
        upd_sha256_init(&sha);
        upd_sha256_update(&sha, boot->data, info->image_size - 32);
        upd_sha256_final(&sha, boot->data + info->image_size - 32);
    }
    return true;
}

/* --- NONOS ----------------------------------------------------------------------------------- */

/* A file for a region of the map; NULL: reported. */
static struct piece *load_region(struct build *build, const struct upd_flash_map *map,
                                 enum upd_flash_region region, const char *path)
{
    struct upd_flash_span span;

    if (upd_flash_map_region(map, region, &span) != UPD_OK) {
        fail(build->call, EXIT_USAGE, "usage", "map %u has no region %s", map->number,
             upd_flash_region_name(region));
        return NULL;
    }
    struct piece *piece = pieces_load(build->call, &build->pieces, upd_flash_region_name(region),
                                      path, span.address, span.size);
    enum upd_flash_region next = upd_flash_map_region_at(map, span.address + span.size);
    enum upd_flash_region around = upd_flash_map_region_parent(map, next);
    if (around != UPD_REGION_COUNT && around != upd_flash_map_region_parent(map, region)) {
        next = around; /* the whole neighbour, unless both are parts of it */
    }
    if (piece != NULL && next != UPD_REGION_COUNT) {
        snprintf(piece->next, sizeof piece->next, "%s", upd_flash_region_name(next));
    }
    return piece;
}

static bool load_optional(struct build *build, const struct upd_flash_map *map,
                          enum upd_flash_region region, const char *path)
{
    return path == NULL || load_region(build, map, region, path) != NULL;
}

static bool load_slot(struct build *build, const struct upd_flash_map *map, enum upd_slot slot,
                      const char *path, struct inspection *found)
{
    enum upd_flash_region region = slot == UPD_SLOT_USER1 ? UPD_REGION_USER1 : UPD_REGION_USER2;
    const struct piece *piece = load_region(build, map, region, path);

    if (piece == NULL) {
        return false;
    }
    const struct upd_image_target place = {.chip = UPD_CHIP_ESP8266,
                                           .place = UPD_PLACE_NONOS,
                                           .offset = piece->address,
                                           .size = upd_flash_map_image_limit(map, UPD_SDK_ANY),
                                           .flash_size = map->size,
                                           .slot = (uint8_t)(slot + 1),
                                           .flash_map = map->number,
                                           .flash_mode = UPD_IMAGE_ANY};
    /* An overflow is told later, with its neighbour. */
    return piece->size > piece->room || check_image(build, piece, &place, found);
}

static bool load_boot(struct build *build, const struct upd_flash_map *map, struct piece **boot,
                      struct inspection *found)
{
    const struct upd_image_target place = {.chip = UPD_CHIP_ESP8266,
                                           .place = UPD_PLACE_LOADER,
                                           .size = UPD_FLASH_SECTOR,
                                           .flash_size = UPD_IMAGE_ANY_SIZE,
                                           .flash_map = UPD_IMAGE_ANY,
                                           .flash_mode = UPD_IMAGE_ANY};

    *boot = load_region(build, map, UPD_REGION_BOOT, build->arguments->boot);
    return *boot != NULL &&
           ((*boot)->size > (*boot)->room || check_image(build, *boot, &place, found));
}

static void warn_of_old_boot(struct build *build, const struct upd_flash_map *map,
                             const struct piece *boot)
{
    uint8_t version = boot_version_of(boot->data, boot->size);

    if (version != 0 && map->boot_min > version) {
        warn(build->call, "%s: boot v1.%u does not know map %u, which needs v1.%u", boot->path,
             version, map->number, map->boot_min);
    }
}

static bool build_nonos(struct build *build)
{
    const struct arguments *arguments = build->arguments;
    const struct upd_flash_map *map = upd_flash_map(arguments->map.index);
    struct inspection boot_found = {0}, found = {0};
    struct piece *boot;

    if (!map->fota || arguments->user1 == NULL) {
        fail(build->call, EXIT_USAGE, "usage",
             map->fota ? "--user1 is missing: the image for slot user1" : "map %u has no slots",
             map->number);
        return false;
    }
    build->pieces.flash_size = map->size;
    if (!load_boot(build, map, &boot, &boot_found) ||
        !load_slot(build, map, UPD_SLOT_USER1, arguments->user1, &found)) {
        return false;
    }
    uint8_t mode = found.info.flash_mode <= 3 ? found.info.flash_mode : 0;
    uint8_t freq = found.info.flash_freq <= 15 ? found.info.flash_freq : 0;
    if (arguments->mode.word != NULL) {
        mode = (uint8_t)arguments->mode.index;
    }
    if (arguments->freq.word != NULL) {
        freq = freq_code(UPD_CHIP_ESP8266, arguments->freq.word);
    }
    if (freq > 15) {
        fail(build->call, EXIT_USAGE, "usage", "--flash-freq: the esp8266 has no %s",
             arguments->freq.word);
        return false;
    }
    warn_of_old_boot(build, map, boot);
    return patch_header(build, boot, &boot_found, mode, (uint8_t)(map->number << 4 | freq)) &&
           (arguments->user2 == NULL ||
            load_slot(build, map, UPD_SLOT_USER2, arguments->user2, &found)) &&
           load_optional(build, map, UPD_REGION_INIT_DATA, arguments->init_data) &&
           load_optional(build, map, UPD_REGION_DEVICE_KEY, arguments->device_key);
}

/* --- Partition tables ------------------------------------------------------------------------ */

/* "NAME=FILE" -> its two parts; `name` is filled, the file points into the word. */
static const char *split_word(struct call *call, const char *option, const char *word, char *name,
                              size_t size)
{
    const char *equal = strchr(word, '=');

    if (equal == NULL || equal == word || equal[1] == '\0' || (size_t)(equal - word) >= size) {
        fail(call, EXIT_USAGE, "usage", "--%s %.100s: is not %s", option, word,
             strcmp(option, "at") == 0 ? "OFFSET=FILE" : "NAME=FILE");
        return NULL;
    }
    snprintf(name, size, "%.*s", (int)(equal - word), word);
    return equal + 1;
}

static bool load_partition(struct build *build, const char *word, enum upd_chip chip)
{
    const struct upd_partition_list *list = &build->table->list;
    struct inspection found;
    char name[256], shown[256];
    const char *path = split_word(build->call, "partition", word, name, sizeof name);

    if (path == NULL) {
        return false;
    }
    const struct upd_partition *row = upd_partition_by_name(list->rows, list->count, name);
    if (row == NULL) {
        fail(build->call, EXIT_USAGE, "usage", "%s: has no partition '%s'", build->arguments->table,
             display(name, sizeof name, shown, sizeof shown));
        return false;
    }
    struct piece *piece =
        pieces_load(build->call, &build->pieces, name, path, row->offset, row->size);
    if (piece == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < list->count; i++) {
        if (list->rows[i].offset == row->offset + row->size) {
            display(list->rows[i].name, upd_partition_name_size(&list->rows[i]), piece->next,
                    sizeof piece->next);
        }
    }
    const struct upd_image_target place = {.chip = chip,
                                           .place = UPD_PLACE_PARTITION,
                                           .offset = row->offset,
                                           .size = row->size,
                                           .flash_size = UPD_IMAGE_ANY_SIZE,
                                           .chip_revision = UPD_IMAGE_ANY_REVISION,
                                           .efuse_revision = UPD_IMAGE_ANY_REVISION,
                                           .flash_map = UPD_IMAGE_ANY,
                                           .flash_mode = UPD_IMAGE_ANY};
    return row->type != UPD_PARTITION_APP || piece->size > piece->room ||
           check_image(build, piece, &place, &found);
}

/* The boot loader says for which chip all this is, and what the flash is like. */
static bool load_loader(struct build *build, uint32_t table_offset, enum upd_chip *chip)
{
    const struct arguments *arguments = build->arguments;
    struct inspection found;
    struct piece *boot;

    build->pieces.flash_size = UINT32_MAX;
    boot = pieces_load(build->call, &build->pieces, "boot loader", arguments->boot, 0, UINT32_MAX);
    if (boot == NULL) {
        return false;
    }
    inspect_bytes(boot->path, boot->data, boot->size, &found);
    const struct upd_image_target place = {.chip = found.info.chip,
                                           .place = UPD_PLACE_LOADER,
                                           .size = UPD_IMAGE_ANY_SIZE,
                                           .flash_size = UPD_IMAGE_ANY_SIZE,
                                           .chip_revision = UPD_IMAGE_ANY_REVISION,
                                           .efuse_revision = UPD_IMAGE_ANY_REVISION,
                                           .flash_map = UPD_IMAGE_ANY,
                                           .flash_mode = UPD_IMAGE_ANY};
    if (!check_image(build, boot, &place, &found)) {
        return false;
    }
    if (found.info.chip == UPD_CHIP_NONE) { /* forced, and still nothing can be told from it */
        fail(build->call, EXIT_FAILED, "chip", "%s: does not tell its chip", boot->path);
        return false;
    }
    *chip = found.info.chip;
    boot->address =
        arguments->boot_offset.given ? arguments->boot_offset.value : upd_chip_boot_offset(*chip);
    boot->room = boot->address < table_offset ? table_offset - boot->address : boot->size;
    snprintf(boot->next, sizeof boot->next, "the partition table");

    uint8_t mode = arguments->mode.word != NULL ? (uint8_t)arguments->mode.index : boot->data[2];
    uint8_t freq =
        arguments->freq.word != NULL ? freq_code(*chip, arguments->freq.word) : boot->data[3] & 0xF;
    uint8_t size = arguments->flash_size.given ? size_code(*chip, arguments->flash_size.value)
                                               : boot->data[3] >> 4;
    if (freq > 15 || size > 15) {
        fail(build->call, EXIT_USAGE, "usage", "%s: the %s has no such setting",
             freq > 15 ? "--flash-freq" : "--flash-size", upd_chip_text(*chip));
        return false;
    }
    build->pieces.flash_size = upd_image_flash_bytes(*chip, size);
    return patch_header(build, boot, &found, mode, (uint8_t)(size << 4 | freq));
}

static bool load_table(struct build *build, uint32_t table_offset, enum upd_chip chip)
{
    const struct arguments *arguments = build->arguments;
    struct upd_partition_rules rules =
        UPD_PARTITION_RULES(chip == UPD_CHIP_ESP8266 ? UPD_PARTITION_RTOS : UPD_PARTITION_IDF);
    uint8_t data[UPD_PARTITION_TABLE_SIZE];

    rules.table_offset = table_offset;
    rules.md5 = chip != UPD_CHIP_ESP8266; /* as each SDK builds it */
    if (table_load(build->call, arguments->table, NULL, &rules, true, &build->table) != EXIT_DONE ||
        table_fits(build->call, build->table, build->pieces.flash_size) != EXIT_DONE) {
        return false;
    }
    if (build->table->binary) { /* as it is, a signature behind it included */
        return pieces_add(build->call, &build->pieces, "partition table", build->table->data,
                          (uint32_t)build->table->size, table_offset,
                          UPD_PARTITION_SECTOR_SIZE) != NULL;
    }
    return table_build(build->call, build->table, data) == EXIT_DONE &&
           pieces_add(build->call, &build->pieces, "partition table", data, sizeof data,
                      table_offset, UPD_PARTITION_SECTOR_SIZE) != NULL;
}

static bool build_partitions(struct build *build)
{
    const struct arguments *arguments = build->arguments;
    uint32_t table_offset =
        arguments->table_offset.given ? arguments->table_offset.value : UPD_PARTITION_TABLE_OFFSET;
    enum upd_chip chip = UPD_CHIP_NONE;

    if (!load_loader(build, table_offset, &chip) || !load_table(build, table_offset, chip)) {
        return false;
    }
    for (size_t i = 0; i < arguments->partitions.count; i++) {
        if (!load_partition(build, arguments->partitions.word[i], chip)) {
            return false;
        }
    }
    return true;
}

/* --- Both ------------------------------------------------------------------------------------ */

static bool load_extra(struct build *build)
{
    const struct words *extra = &build->arguments->extra;
    char place[64];
    uint32_t address;

    for (size_t i = 0; i < extra->count; i++) {
        const char *path = split_word(build->call, "at", extra->word[i], place, sizeof place);
        if (path == NULL) {
            return false;
        }
        if (!number_parse(place, &address) || address >= build->pieces.flash_size) {
            fail(build->call, EXIT_USAGE, "usage", "--at %s: is no offset in a flash of %u bytes",
                 place, build->pieces.flash_size);
            return false;
        }
        char name[72];
        snprintf(name, sizeof name, "--at %s", place);
        if (pieces_load(build->call, &build->pieces, name, path, address,
                        build->pieces.flash_size - address) == NULL) {
            return false;
        }
    }
    return true;
}

static bool check_options(struct call *call, const struct arguments *arguments)
{
    bool nonos = arguments->map.word != NULL, table = arguments->table != NULL;
    const char *problem = NULL;

    if (nonos == table) {
        problem = "say how the flash is divided: --map, or --partition-table";
    } else if (table && (arguments->user1 != NULL || arguments->user2 != NULL ||
                         arguments->init_data != NULL || arguments->device_key != NULL)) {
        problem = "--user1, --user2, --init-data and --device-key go with --map";
    } else if (nonos && (arguments->partitions.count > 0 || arguments->table_offset.given ||
                         arguments->boot_offset.given || arguments->flash_size.given)) {
        problem = "--partition, --table-offset, --boot-offset and --flash-size go with "
                  "--partition-table";
    }
    if (problem != NULL) {
        fail(call, EXIT_USAGE, "usage", "%s; see 'updraft flash build --help'", problem);
    }
    return problem == NULL;
}

static void print_made(const struct build *build)
{
    const char *output = build->arguments->output;
    char size[64];

    if (strcmp(output, "-") == 0) {
        return;
    }
    printf("%s: %s\n", output, size_text(build->pieces.flash_size, size, sizeof size));
    for (size_t i = 0; i < build->pieces.count; i++) {
        const struct piece *piece = &build->pieces.piece[i];
        printf("  0x%08x  %-16s  %s%s%s\n", piece->address, piece->name,
               size_text(piece->size, size, sizeof size), piece->path != NULL ? ", " : "",
               piece->path != NULL ? piece->path : "");
    }
}

static void say_made(struct call *call, const struct build *build)
{
    if (call->json == NULL) {
        print_made(build);
        return;
    }
    json_t *rows = json_array();
    for (size_t i = 0; i < build->pieces.count; i++) {
        const struct piece *piece = &build->pieces.piece[i];
        json_array_append_new(
            rows,
            json_pack("{s:o, s:I, s:I, s:o}", "name", display_json(piece->name, sizeof piece->name),
                      "address", (json_int_t)piece->address, "size", (json_int_t)piece->size,
                      "path",
                      piece->path != NULL ? display_json(piece->path, SIZE_MAX) : json_null()));
    }
    json_object_set_new(call->json, "path", display_json(build->arguments->output, SIZE_MAX));
    json_object_set_new(call->json, "size", json_integer(build->pieces.flash_size));
    json_object_set_new(call->json, "pieces", rows);
}

static enum exit_code run(struct call *call)
{
    struct build *build = calloc(1, sizeof *build);

    if (build == NULL) {
        return fail(call, EXIT_FAILED, "memory", "out of memory");
    }
    build->call = call;
    build->arguments = call->arguments;
    if (check_options(call, build->arguments) &&
        (build->arguments->map.word != NULL ? build_nonos(build) : build_partitions(build)) &&
        load_extra(build) && pieces_check(call, &build->pieces) &&
        pieces_write(call, &build->pieces, build->arguments->output)) {
        say_made(call, build);
    }
    pieces_free(&build->pieces);
    table_free(build->table);
    free(build);
    return call->code;
}

const struct command flash_build_command = {
    .group = "flash",
    .name = "build",
    .summary = "make the flash image of a factory-fresh chip",
    .text =
        "Puts boot loader, images and data where the flash map of the NONOS SDK or the partition "
        "table says, and FF everywhere else: the system parameters are blank, otadata is empty. "
        "The settings of the flash chip are written into the boot loader's header, as the flashing "
        "tool does. Images are checked, and what overlaps or overflows is refused.",
    .examples = examples,
    .options = options,
    .json = true,
    .size = sizeof(struct arguments),
    .run = run,
};
