/*
 * The image checker of core/ in the browser: what a file is, before it is sent anywhere.
 *
 * The page copies pieces of the file into inspect_input() and calls inspect_feed() for each; at the
 * end it reads the JSON text at inspect_text(), of inspect_finish() bytes. One file at a time. A
 * file in gzip is unpacked by the page first.
 */
#include <stddef.h>
#include <stdint.h>

#include <updraft/bytes.h>
#include <updraft/flash_map.h>
#include <updraft/image_json.h>

#define EXPORT(name) __attribute__((export_name(#name)))

enum { INPUT_SIZE = 65536 };

static uint8_t input[INPUT_SIZE];
static char text[UPD_IMAGE_JSON_SIZE];
static uint8_t descriptor[256];
static struct upd_image_checker checker;

/** Where a piece of the file goes; inspect_room() bytes. */
EXPORT(inspect_input) uint8_t *inspect_input(void)
{
    return input;
}

EXPORT(inspect_room) uint32_t inspect_room(void)
{
    return INPUT_SIZE;
}

/** Begin a file. */
EXPORT(inspect_begin) void inspect_begin(void)
{
    struct upd_image_options options = {.descriptor = descriptor};

    memset(descriptor, 0, sizeof descriptor);
    (void)!upd_image_begin(&checker, &options);
}

/** Look at the first `size` bytes of inspect_input(). @return whether more are wanted */
EXPORT(inspect_feed) uint32_t inspect_feed(uint32_t size)
{
    if (upd_image_feed(&checker, input, size < INPUT_SIZE ? size : INPUT_SIZE) != UPD_OK) {
        return 0;
    }
    return upd_image_wants_more(&checker);
}

EXPORT(inspect_text) const char *inspect_text(void)
{
    return text;
}

/** End the file. @return bytes of the description */
EXPORT(inspect_finish) uint32_t inspect_finish(void)
{
    struct upd_json json = upd_json_on(text, sizeof text);

    (void)!upd_image_end(&checker);
    upd_json_open(&json, NULL, '{');
    upd_image_json(&json, &checker.info, descriptor);
    upd_image_problem_json(&json, &checker.info);
    upd_json_close(&json, '}');
    return json.text.length;
}

/** Describe a flash map of the NONOS SDK, 0 .. 9, for drawing. @return bytes at inspect_text(); 0:
 * there is none */
EXPORT(inspect_map) uint32_t inspect_map(uint32_t number)
{
    const struct upd_flash_map *map = upd_flash_map(number);
    struct upd_json json = upd_json_on(text, sizeof text);
    struct upd_flash_span span;

    if (map == NULL) {
        return 0;
    }
    upd_json_open(&json, NULL, '{');
    upd_json_number(&json, "map", map->number);
    upd_json_number(&json, "size", map->size);
    upd_json_number(&json, "limit", upd_flash_map_image_limit(map, UPD_SDK_ANY));
    upd_json_open(&json, "regions", '[');
    for (uint32_t region = 0; region < UPD_REGION_COUNT; region++) {
        if (upd_flash_map_region(map, region, &span) == UPD_OK) {
            enum upd_flash_region parent = upd_flash_map_region_parent(map, region);
            upd_json_open(&json, NULL, '{');
            upd_json_string(&json, "name", upd_flash_region_name(region));
            upd_json_number(&json, "address", span.address);
            upd_json_number(&json, "size", span.size);
            if (parent != UPD_REGION_COUNT) {
                upd_json_string(&json, "within", upd_flash_region_name(parent));
            }
            upd_json_close(&json, '}');
        }
    }
    upd_json_close(&json, ']');
    upd_json_close(&json, '}');
    return json.text.length;
}

/* The four functions of <string.h> that core/ uses, as a page has no C library. Three are an
 * instruction each. */

void *memcpy(void *restrict target, const void *restrict source, size_t size)
{
    return __builtin_memcpy(target, source, size);
}

void *memmove(void *target, const void *source, size_t size)
{
    return __builtin_memmove(target, source, size);
}

void *memset(void *target, int value, size_t size)
{
    return __builtin_memset(target, value, size);
}

int memcmp(const void *one, const void *other, size_t size)
{
    const uint8_t *a = one, *b = other;

    for (size_t i = 0; i < size; i++) {
        if (a[i] != b[i]) {
            return a[i] < b[i] ? -1 : 1;
        }
    }
    return 0;
}
