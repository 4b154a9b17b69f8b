/* updraft image build: images of the NONOS SDK, from a linked program or from its two old files. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <updraft/flash_map.h>
#include <updraft/image_build.h>
#include <updraft/image_info.h>

#include "commands.h"
#include "display.h"
#include "elf.h"
#include "files.h"
#include "inspect.h"
#include "target.h"

/* Debug data make a program much longer than its image. */
#define ELF_LIMIT (64u << 20)

struct arguments {
    const char *elf;
    const char *flash_bin, *irom_bin;
    const char *output, *irom_output;
    struct choice boot, slot, map, mode, freq;
    const char *entry;
    bool any_link;
};

static const char *const boot_words[] = {"new", "old", "none", NULL};
static const enum upd_image_boot boots[] = {UPD_IMAGE_BOOT_NEW, UPD_IMAGE_BOOT_OLD,
                                            UPD_IMAGE_BOOT_NONE};
static const enum upd_link_mode links[] = {UPD_LINK_NEW, UPD_LINK_OLD, UPD_LINK_NONE};
static const char *const mode_words[] = {"qio", "qout", "dio", "dout", NULL};
static const char *const freq_words[] = {"40m",  "26m", "20m", "80m", "40",
                                         "26.7", "20",  "80",  NULL};
static const uint8_t freq_codes[] = {0, 1, 2, 15, 0, 1, 2, 15};

static const struct option options[] = {
    {.name = "output",
     .letter = 'o',
     .required = true,
     .kind = VALUE_OUTPUT,
     .value = "FILE",
     .at = offsetof(struct arguments, output),
     .help = "the image; '-' is standard output"},
    {.name = "slot",
     .kind = VALUE_CHOICE,
     .value = "SLOT",
     .choices = slot_words,
     .at = offsetof(struct arguments, slot),
     .help = "slot that the program was linked for; needed unless --boot none"},
    {.name = "map",
     .kind = VALUE_CHOICE,
     .value = "N",
     .choices = map_words,
     .at = offsetof(struct arguments, map),
     .help = "flash map of the chip; as in --flash-bin, or 0, without this option"},
    {.name = "flash-mode",
     .kind = VALUE_CHOICE,
     .value = "MODE",
     .choices = mode_words,
     .at = offsetof(struct arguments, mode),
     .help = "as in --flash-bin, or qio, without this option"},
    {.name = "flash-freq",
     .kind = VALUE_CHOICE,
     .value = "FREQ",
     .choices = freq_words,
     .at = offsetof(struct arguments, freq),
     .help = "as in --flash-bin, or 40m, without this option"},
    {.name = "boot",
     .kind = VALUE_CHOICE,
     .value = "BOOT",
     .choices = boot_words,
     .at = offsetof(struct arguments, boot),
     .help = "boot loader: v1.2 and later (without this option), v1.1, or none"},
    {.name = "flash-bin",
     .kind = VALUE_INPUT,
     .value = "FILE",
     .at = offsetof(struct arguments, flash_bin),
     .help = "instead of a program: eagle.flash.bin, with --irom-bin"},
    {.name = "irom-bin",
     .kind = VALUE_INPUT,
     .value = "FILE",
     .at = offsetof(struct arguments, irom_bin),
     .help = "eagle.irom0text.bin"},
    {.name = "irom-output",
     .kind = VALUE_OUTPUT,
     .value = "FILE",
     .at = offsetof(struct arguments, irom_output),
     .help = "with --boot none: the part for flash offset 0x10000"},
    {.name = "entry",
     .kind = VALUE_TEXT,
     .value = "SYMBOL",
     .at = offsetof(struct arguments, entry),
     .help = "where the program starts; call_user_start1 without this option"},
    {.name = "any-link",
     .kind = VALUE_FLAG,
     .at = offsetof(struct arguments, any_link),
     .help = "do not mind a program that is linked for another place in flash"},
    {0},
};
static const struct operand operands[] = {
    {.name = "ELF",
     .kind = VALUE_INPUT,
     .optional = true,
     .at = offsetof(struct arguments, elf),
     .help = "the linked program"},
    {0},
};
static const struct example examples[] = {
    {"updraft image build --slot user1 --map 2 --flash-mode qio --flash-freq 40m app1.elf "
     "-o user1.new.bin",
     "user1 of a chip with 1 MiB, from the program linked for it"},
    {"updraft image build --slot user2 --map 2 app2.elf -o user2.new.bin",
     "its pair: link again, for the other slot"},
    {"updraft image build --boot none --map 2 app0.elf -o eagle.flash.bin "
     "--irom-output eagle.irom0text.bin",
     "the two files of a chip without boot loader"},
    {"updraft image build --slot user1 --flash-bin eagle.flash.bin --irom-bin eagle.irom0text.bin "
     "-o user1.new.bin",
     "the same image from those two files"},
    {0},
};

/* What the image is made of; the recipe points into the two buffers. */
struct source {
    struct upd_image_recipe recipe;
    uint8_t *data, *irom;
    bool linked; /* `irom_address` is known: it comes from a program */
    uint32_t irom_address;
};

static bool find_section(struct call *call, const char *path, const struct elf *elf,
                         const char *name, struct upd_image_section *section)
{
    struct elf_section found;

    if (!elf_find_section(elf, name, &found)) {
        fail(call, EXIT_FAILED, "elf", "%s: has no section %s", path, name);
        return false;
    }
    *section = (struct upd_image_section){found.address, found.size, found.data};
    return true;
}

static bool find_symbol(struct call *call, const char *path, const struct elf *elf,
                        const char *name, uint32_t *value)
{
    if (!elf_find_symbol(elf, name, value)) {
        fail(call, EXIT_FAILED, "elf", "%s: has no symbol %.100s", path, name);
        return false;
    }
    return true;
}

/* As the SDK's generator: addresses of data and rodata come from their symbols. */
static bool take_program(struct call *call, struct source *source)
{
    const struct arguments *arguments = call->arguments;
    struct upd_image_recipe *recipe = &source->recipe;
    const char *path = arguments->elf, *problem = NULL;
    struct elf elf;
    size_t size;

    if (!input_load(call, path, ELF_LIMIT, "a program", &source->data, &size)) {
        return false;
    }
    if (!elf_open(source->data, (uint32_t)size, &elf, &problem)) {
        fail(call, EXIT_FAILED, "elf", "%s: %s", path, problem);
        return false;
    }
    if (!find_section(call, path, &elf, ".text", &recipe->text) ||
        !find_section(call, path, &elf, ".data", &recipe->data) ||
        !find_section(call, path, &elf, ".rodata", &recipe->rodata) ||
        !find_section(call, path, &elf, ".irom0.text", &recipe->irom) ||
        !find_symbol(call, path, &elf,
                     arguments->entry != NULL ? arguments->entry : "call_user_start1",
                     &recipe->entry) ||
        !find_symbol(call, path, &elf, "_data_start", &recipe->data.address) ||
        !find_symbol(call, path, &elf, "_rodata_start", &recipe->rodata.address)) {
        return false;
    }
    source->linked = true;
    source->irom_address = recipe->irom.address;
    return true;
}

static bool take_segment(const struct inspection *found, const uint8_t *data, uint8_t index,
                         struct upd_image_section *section)
{
    struct upd_image_range range;

    if (upd_image_segment_range(&found->info, index, &range) != UPD_OK) {
        return false;
    }
    *section = (struct upd_image_section){found->info.segments[index].address, range.size,
                                          data + range.offset};
    return true;
}

/* eagle.flash.bin holds entry, text, data and rodata, and the flash settings. */
static bool take_files(struct call *call, struct source *source)
{
    const struct arguments *arguments = call->arguments;
    struct upd_image_recipe *recipe = &source->recipe;
    struct inspection found;
    size_t size;

    if (!input_load(call, arguments->flash_bin, IMAGE_LIMIT, "an image", &source->data, &size)) {
        return false;
    }
    inspect_bytes(arguments->flash_bin, source->data, (uint32_t)size, &found);
    if (found.problem.name != NULL) {
        inspect_fail(call, &found);
        return false;
    }
    if (found.info.format != UPD_FORMAT_ESP8266_V1 || found.info.segment_count != 3 ||
        !take_segment(&found, source->data, 0, &recipe->text) ||
        !take_segment(&found, source->data, 1, &recipe->data) ||
        !take_segment(&found, source->data, 2, &recipe->rodata)) {
        fail(call, EXIT_FAILED, "format",
             "%s: is no eagle.flash.bin: a v1 image of three segments (text, data, rodata)",
             arguments->flash_bin);
        return false;
    }
    if (!input_load(call, arguments->irom_bin, IMAGE_LIMIT, "an irom part", &source->irom, &size)) {
        return false;
    }
    recipe->entry = found.info.entry;
    recipe->irom = (struct upd_image_section){0, (uint32_t)size, source->irom};
    recipe->flash_mode = found.info.flash_mode;
    recipe->flash_freq = found.info.flash_freq;
    recipe->flash_map = found.info.flash_size;
    return true;
}

/* The SDK's make files refuse what its scripts cannot do; so does this, before anything is read. */
static bool check_options(struct call *call)
{
    const struct arguments *arguments = call->arguments;
    bool files = arguments->flash_bin != NULL || arguments->irom_bin != NULL;
    bool none = boots[arguments->boot.index] == UPD_IMAGE_BOOT_NONE;
    const char *problem = NULL;

    if ((arguments->elf != NULL) == files ||
        (arguments->flash_bin == NULL) != (arguments->irom_bin == NULL)) {
        problem = "name a program, or --flash-bin and --irom-bin";
    } else if (none && arguments->slot.word != NULL) {
        problem = "--boot none has no slots: leave --slot out";
    } else if (!none && arguments->slot.word == NULL) {
        problem = "--slot is missing: the slot that the program was linked for";
    } else if (none != (arguments->irom_output != NULL)) {
        problem = "--boot none and --irom-output go together";
    }
    if (problem != NULL) {
        fail(call, EXIT_USAGE, "usage", "%s; see 'updraft image build --help'", problem);
    }
    return problem == NULL;
}

/* Flash code that is linked for another place would crash at its first jump. */
static bool check_link(struct call *call, const struct source *source)
{
    const struct arguments *arguments = call->arguments;
    const struct upd_flash_map *map = upd_flash_map(source->recipe.flash_map);
    struct upd_flash_link link;

    if (!source->linked || arguments->any_link || map == NULL ||
        upd_flash_map_link(map, links[arguments->boot.index], (enum upd_slot)arguments->slot.index,
                           &link) != UPD_OK ||
        link.irom_address == source->irom_address) {
        return true;
    }
    fail(call, EXIT_FAILED, "wrong-link",
         "%s: .irom0.text is linked for 0x%08x, and this place needs 0x%08x: link with %s",
         arguments->elf, source->irom_address, link.irom_address, link.script);
    return false;
}

static bool finish_recipe(struct call *call, struct source *source)
{
    const struct arguments *arguments = call->arguments;
    struct upd_image_recipe *recipe = &source->recipe;

    recipe->boot = boots[arguments->boot.index];
    recipe->slot = recipe->boot == UPD_IMAGE_BOOT_NONE ? 0 : (uint8_t)(arguments->slot.index + 1);
    if (arguments->mode.word != NULL) {
        recipe->flash_mode = (uint8_t)arguments->mode.index;
    }
    if (arguments->freq.word != NULL) {
        recipe->flash_freq = freq_codes[arguments->freq.index];
    }
    if (arguments->map.word != NULL) {
        recipe->flash_map = (uint8_t)arguments->map.index;
    }
    enum upd_image_recipe_fault fault = upd_image_recipe_check(recipe);
    if (fault == UPD_IMAGE_RECIPE_FLASH_MAP) {
        fail(
            call, EXIT_USAGE, "recipe",
            "--map %u: no image of this boot mode is for this map; maps 0, 2 to 6, 8 and 9 have slots",
            recipe->flash_map);
        return false;
    }
    if (fault != UPD_IMAGE_RECIPE_OK) {
        fail(call, EXIT_FAILED, "recipe", "%s: %s",
             arguments->elf != NULL ? arguments->elf : arguments->flash_bin,
             upd_image_recipe_fault_text(fault));
        return false;
    }
    return check_link(call, source);
}

/* The image goes to the file and, on its way, through the checker that devices use. */
struct sink {
    struct output output;
    struct upd_image_checker checker;
};

static enum upd_err take_bytes(void *ctx, const void *data, uint32_t size)
{
    struct sink *sink = ctx;

    (void)!upd_image_feed(&sink->checker, data, size);
    return output_write(&sink->output, data, size) ? UPD_OK : UPD_E_IO;
}

/* What was made must be what was meant: a good image for this slot, and not too long for it. */
static bool check_made(struct call *call, struct sink *sink, const struct upd_image_recipe *recipe)
{
    struct inspection found = {.path = sink->output.path};
    const struct upd_flash_map *map = upd_flash_map(recipe->flash_map);

    (void)!upd_image_end(&sink->checker);
    inspect_take(&found, &sink->checker.info);
    if (found.problem.name != NULL) {
        inspect_fail(call, &found);
        return false;
    }
    uint32_t limit = map != NULL && recipe->slot != 0 ? upd_flash_map_image_limit(map, UPD_SDK_ANY)
                                                      : found.info.size;
    if (found.info.size > limit) {
        fail(call, EXIT_FAILED, "too-large", "%s: %u bytes do not fit a slot of map %u: %u bytes",
             found.path, found.info.size, recipe->flash_map, limit);
        return false;
    }
    return true;
}

static void say_made(struct call *call, const struct sink *sink,
                     const struct upd_image_recipe *recipe)
{
    const struct arguments *arguments = call->arguments;
    const struct upd_image_info *info = &sink->checker.info;
    const struct upd_flash_map *map = upd_flash_map(recipe->flash_map);
    uint32_t address = recipe->slot == 0 || map == NULL
                           ? 0
                           : upd_flash_map_slot(map, (enum upd_slot)arguments->slot.index);
    char size[64];

    if (call->json != NULL) {
        struct inspection found = {.path = arguments->output, .size = info->size, .info = *info};
        inspect_json(&found, call->json);
        json_object_set_new(call->json, "address", json_integer(address));
    } else if (strcmp(arguments->output, "-") != 0) {
        printf("%s: %s, %s, for flash offset 0x%x\n", arguments->output,
               upd_image_format_text(info->format), size_text(info->size, size, sizeof size),
               address);
    }
}

static void write_image(struct call *call, const struct source *source)
{
    const struct arguments *arguments = call->arguments;
    struct output irom = {.fd = -1};
    struct sink sink;

    (void)!upd_image_begin(&sink.checker, NULL);
    if (!output_open(call, arguments->output, &sink.output) ||
        upd_image_build(&source->recipe, take_bytes, &sink, NULL) != UPD_OK ||
        !check_made(call, &sink, &source->recipe) || !output_sync(&sink.output)) {
        goto out;
    }
    if (arguments->irom_output != NULL &&
        (!output_open(call, arguments->irom_output, &irom) ||
         !output_write(&irom, source->recipe.irom.data, source->recipe.irom.size) ||
         !output_commit(&irom))) {
        goto out;
    }
    if (output_commit(&sink.output)) {
        say_made(call, &sink, &source->recipe);
    }
out:
    output_close(&irom);
    output_close(&sink.output);
}

static enum exit_code run(struct call *call)
{
    const struct arguments *arguments = call->arguments;
    struct source source = {0};

    if (check_options(call) &&
        (arguments->elf != NULL ? take_program(call, &source) : take_files(call, &source)) &&
        finish_recipe(call, &source)) {
        write_image(call, &source);
    }
    free(source.data);
    free(source.irom);
    return call->code;
}

const struct command image_build_command = {
    .group = "image",
    .name = "build",
    .summary = "make an image of the NONOS SDK from a linked program",
    .text = "Does what the last steps of the SDK's build do: takes .text, .data, .rodata and "
            ".irom0.text, the addresses of _data_start and _rodata_start, and the entry "
            "call_user_start1 from the program, and puts the image with its checksum and CRC-32 "
            "together. A program that is linked for another slot is refused.\n\n"
            "What is made is checked as a device would check it before the file gets its name.",
    .examples = examples,
    .options = options,
    .operands = operands,
    .json = true,
    .size = sizeof(struct arguments),
    .run = run,
};
