/* updraft image split: the parts of an image as files. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <updraft/gzip.h>
#include <updraft/image_info.h>

#include "commands.h"
#include "display.h"
#include "files.h"
#include "inspect.h"

/* An Arduino image starts with its boot loader, which fills one sector. */
#define LOADER_SIZE 0x1000u
#define PARTS (UPD_IMAGE_SEGMENTS + 4)

struct arguments {
    const char *file;
    const char *folder;
    bool segments;
};

static const struct option options[] = {
    {.name = "output-dir",
     .letter = 'd',
     .kind = VALUE_FOLDER,
     .value = "DIR",
     .at = offsetof(struct arguments, folder),
     .help = "put the files there instead of here; it is made when missing"},
    {.name = "segments",
     .kind = VALUE_FLAG,
     .at = offsetof(struct arguments, segments),
     .help = "always one file a segment, also where larger parts are known"},
    {0},
};
static const struct operand operands[] = {
    {.name = "FILE",
     .kind = VALUE_INPUT,
     .at = offsetof(struct arguments, file),
     .help = "an image, also one packed with gzip"},
    {0},
};
static const struct example examples[] = {
    {"updraft image split -d parts user1.bin",
     "user1.flash.bin and user1.irom0text.bin, of which 'image build' makes the image again"},
    {"updraft image split -d parts --segments user1.bin", "its segments"},
    {0},
};

struct part {
    char name[64]; /* what follows the stem of the file's name */
    uint32_t offset, size;
    uint32_t address; /* of a segment */
    bool segment;
};

struct parts {
    struct part part[PARTS];
    size_t count;
};

static struct part *add_part(struct parts *parts, const char *name, uint32_t offset, uint32_t size)
{
    struct part *part = &parts->part[parts->count++];
    *part = (struct part){.offset = offset, .size = size};
    snprintf(part->name, sizeof part->name, "%s", name);
    return part;
}

static void add_segments(struct parts *parts, const struct upd_image_info *info)
{
    struct upd_image_range range;
    char name[64];

    for (uint8_t i = 0; i < info->segment_count; i++) {
        if (upd_image_segment_range(info, i, &range) == UPD_OK) {
            snprintf(name, sizeof name, "segment%u-%08x", i, info->segments[i].address);
            struct part *part = add_part(parts, name, range.offset, range.size);
            part->address = info->segments[i].address;
            part->segment = true;
        }
    }
}

/* The parts that are files of their own elsewhere; segments where there are none. */
static void find_parts(struct parts *parts, const struct upd_image_info *info, bool segments)
{
    struct upd_image_range irom;

    if (segments) {
        add_segments(parts, info);
    } else if (info->format == UPD_FORMAT_ARDUINO) {
        add_part(parts, "eboot", 0, LOADER_SIZE);
        add_part(parts, "app", LOADER_SIZE, info->image_size - LOADER_SIZE);
    } else if (info->format == UPD_FORMAT_ESP8266_V2 &&
               upd_image_segment_range(info, 0, &irom) == UPD_OK) {
        uint32_t end = info->image_size - (info->digests & UPD_IMAGE_HAS_CRC32 ? 4 : 0);
        add_part(parts, "irom0text", irom.offset, irom.size);
        add_part(parts, "flash", irom.offset + irom.size, end - irom.offset - irom.size);
    } else {
        add_segments(parts, info);
    }
    if (info->signature != UPD_IMAGE_UNSIGNED) {
        add_part(parts, "signature", info->signature_offset, info->signature_size);
    }
}

/* Two images of one length in one file, as the RTOS SDK makes for chips with 1 MB. */
static bool find_halves(struct parts *parts, const char *path, const uint8_t *data, uint32_t size)
{
    struct inspection first, second;

    if (size % 2 != 0) {
        return false;
    }
    inspect_bytes(path, data, size / 2, &first);
    inspect_bytes(path, data + size / 2, size / 2, &second);
    if (first.problem.name != NULL || second.problem.name != NULL) {
        return false;
    }
    add_part(parts, "app1", 0, size / 2);
    add_part(parts, "app2", size / 2, size / 2);
    return true;
}

/* Replaces gzip by what is inside. */
static bool unpack(struct call *call, const char *path, uint8_t **data, size_t *size)
{
    uint8_t *window = malloc(UPD_GZIP_WINDOW_SIZE), *inside = malloc(IMAGE_LIMIT);
    struct upd_reader in = {*data, (uint32_t)*size}, out;
    struct upd_gzip gzip;
    uint32_t length = 0;
    bool ok = false;

    if (window == NULL || inside == NULL ||
        upd_gzip_init(&gzip, window, UPD_GZIP_WINDOW_SIZE, IMAGE_LIMIT) != UPD_OK) {
        fail(call, EXIT_FAILED, "memory", "out of memory");
        goto out;
    }
    do { /* a signature may follow: it is not looked at here */
        if (upd_gzip_complete(&gzip)) {
            break;
        }
        if (upd_gzip_step(&gzip, &in, &out) != UPD_OK) {
            break;
        }
        memcpy(inside + length, out.at, out.left);
        length += out.left;
    } while (in.left != 0 || out.left != 0);
    if (!upd_gzip_complete(&gzip)) {
        fail(call, EXIT_VERIFY, "gzip", "%s: at 0x%x: the gzip file %s", path, gzip.offset,
             gzip.reason == UPD_GZIP_OK ? upd_gzip_reason_text(UPD_GZIP_SHORT)
                                        : upd_gzip_reason_text((enum upd_gzip_reason)gzip.reason));
        goto out;
    }
    free(*data);
    *data = inside;
    *size = length;
    inside = NULL;
    ok = true;
out:
    free(window);
    free(inside);
    return ok;
}

/* "dir/user1.bin.gz" -> "user1" */
static void make_stem(const char *path, char *stem, size_t size)
{
    static const char *const endings[] = {".gz", ".bin", ".ota"};
    const char *slash = strrchr(path, '/');

    snprintf(stem, size, "%s", strcmp(path, "-") == 0 ? "image" : slash != NULL ? slash + 1 : path);
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        size_t length = strlen(stem), ending = strlen(endings[i]);
        if (length > ending && strcmp(stem + length - ending, endings[i]) == 0) {
            stem[length - ending] = '\0';
        }
    }
}

static void say_part(struct call *call, const struct part *part, const char *path)
{
    char size[64];

    if (call->json == NULL) {
        printf("%s: %s at 0x%x\n", path, size_text(part->size, size, sizeof size), part->offset);
        return;
    }
    json_t *row = json_pack("{s:o, s:I, s:I}", "path", display_json(path, SIZE_MAX), "offset",
                            (json_int_t)part->offset, "size", (json_int_t)part->size);
    if (part->segment) {
        json_object_set_new(row, "address", json_integer(part->address));
    }
    json_array_append_new(json_object_get(call->json, "parts"), row);
}

/* All files or none: they get their names when all of them are on the disk. */
static bool write_parts(struct call *call, const struct parts *parts, const uint8_t *data)
{
    const struct arguments *arguments = call->arguments;
    const char *folder = arguments->folder != NULL ? arguments->folder : ".";
    struct output outputs[PARTS];
    char paths[PARTS][1024], stem[256];
    size_t opened = 0;
    bool ok = arguments->folder == NULL || folder_make(call, folder);

    make_stem(arguments->file, stem, sizeof stem);
    for (size_t i = 0; ok && i < parts->count; i++) {
        const struct part *part = &parts->part[i];
        snprintf(paths[i], sizeof paths[i], "%s/%s.%s.bin", folder, stem, part->name);
        opened++;
        ok = output_open(call, paths[i], &outputs[i]) &&
             output_write(&outputs[i], data + part->offset, part->size) && output_sync(&outputs[i]);
    }
    for (size_t i = 0; ok && i < parts->count; i++) {
        ok = output_commit(&outputs[i]);
        if (ok) {
            say_part(call, &parts->part[i], paths[i]);
        }
    }
    for (size_t i = 0; i < opened; i++) {
        output_close(&outputs[i]);
    }
    return ok;
}

static enum exit_code run(struct call *call)
{
    const struct arguments *arguments = call->arguments;
    enum exit_code code = EXIT_FAILED;
    struct parts parts = {.count = 0};
    struct inspection found;
    uint8_t *data = NULL;
    size_t size = 0;

    if (!input_load(call, arguments->file, IMAGE_LIMIT, "an image", &data, &size)) {
        goto out;
    }
    if (size >= 2 && data[0] == 0x1F && data[1] == 0x8B &&
        !unpack(call, arguments->file, &data, &size)) {
        code = EXIT_VERIFY;
        goto out;
    }
    inspect_bytes(arguments->file, data, (uint32_t)size, &found);
    if (found.problem.name == NULL) {
        find_parts(&parts, &found.info, arguments->segments);
    } else if (!find_halves(&parts, arguments->file, data, (uint32_t)size)) {
        code = inspect_fail(call, &found);
        goto out;
    }
    if (call->json != NULL) {
        json_object_set_new(call->json, "parts", json_array());
    }
    code = write_parts(call, &parts, data) ? EXIT_DONE : EXIT_FAILED;
out:
    free(data);
    return code;
}

const struct command image_split_command = {
    .group = "image",
    .name = "split",
    .summary = "write the parts of an image into files",
    .text =
        "The files are called as the image, with the part's name: user1.irom0text.bin. Of a NONOS "
        "user image the parts are irom0text and flash, of an Arduino image eboot and app, of a file "
        "with two images (the RTOS SDK's .ota.bin for 1 MB) app1 and app2, of all others their "
        "segments. A damaged image is not split.",
    .examples = examples,
    .options = options,
    .operands = operands,
    .json = true,
    .size = sizeof(struct arguments),
    .run = run,
};
