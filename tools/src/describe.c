/* An inspected image, told in JSON and in text. */
#include <stdio.h>
#include <string.h>

#include <updraft/bytes.h>
#include <updraft/image_info.h>
#include <updraft/image_json.h>

#include "display.h"
#include "inspect.h"

static json_t *file_json(const struct inspection *found)
{
    json_t *file = json_pack("{s:o, s:I}", "path", display_json(found->path, strlen(found->path)),
                             "size", (json_int_t)found->size);
    if (found->digested) {
        json_object_set_new(file, "md5", hex_json(found->md5, UPD_MD5_SIZE));
        json_object_set_new(file, "sha256", hex_json(found->sha256, UPD_SHA256_SIZE));
    }
    return file;
}

/* What core/ tells of the image. */
static void add_image(const struct inspection *found, json_t *object)
{
    char text[UPD_IMAGE_JSON_SIZE];
    struct upd_json json = upd_json_on(text, sizeof text);

    upd_json_open(&json, NULL, '{');
    upd_image_json(&json, &found->info, found->descriptor);
    upd_json_close(&json, '}');
    json_t *image = json_loads(text, 0, NULL);
    json_object_update(object, image);
    json_decref(image);
}

void inspect_json(const struct inspection *found, json_t *object)
{
    json_object_set_new(object, "file", file_json(found));
    add_image(found, object);
    json_object_set_new(object, "packed",
                        !found->packed ? json_null()
                                       : json_pack("{s:s, s:I}", "method", "gzip", "size",
                                                   (json_int_t)found->member_size));
    if (found->updraft_loader) {
        json_object_set_new(object, "loader_record",
                            json_pack("{s:i, s:b, s:b}", "version", found->loader.version, "counts",
                                      found->loader.counts, "installs", found->loader.installs));
    }
    if (found->packed_signature > 0) {
        json_array_append_new(json_object_get(object, "signatures"),
                              json_pack("{s:s, s:I, s:I}", "scheme",
                                        upd_image_signature_text(UPD_IMAGE_ARDUINO_SIGNED),
                                        "offset", (json_int_t)found->member_size, "size",
                                        (json_int_t)found->packed_signature));
    }
    json_object_set_new(object, "ok", json_boolean(found->problem.name == NULL));
    json_object_set_new(object, "problem", inspect_problem_json(found));
}

static void print_segments(const struct upd_image_info *info)
{
    struct upd_image_range range;

    for (uint8_t i = 0; i < info->segment_count; i++) {
        if (upd_image_segment_range(info, i, &range) == UPD_OK) {
            printf("  segment %-4u address 0x%08x  size 0x%06x  at 0x%06x%s\n", i,
                   info->segments[i].address, info->segments[i].size, range.offset,
                   i < info->loader_segments                         ? "  (boot loader)"
                   : i == 0 && info->format == UPD_FORMAT_ESP8266_V2 ? "  (irom)"
                                                                     : "");
        }
    }
}

static void print_digest(const char *name, const uint8_t *stored, const uint8_t *computed,
                         size_t size)
{
    char hex[65];
    bool same = memcmp(stored, computed, size) == 0;

    printf("  %-12s %s ", name, hex_text(stored, size, hex));
    if (same) {
        printf("%sok%s\n", colour_good(), colour_end());
    } else {
        printf("%sdoes not match: %s%s\n", colour_bad(), hex_text(computed, size, hex),
               colour_end());
    }
}

static void print_digests(const struct upd_image_info *info)
{
    uint8_t stored[4], computed[4];

    if (info->digests & UPD_IMAGE_HAS_CHECKSUM) {
        print_digest("checksum", &info->checksum_stored, &info->checksum_computed, 1);
    }
    if (info->digests & UPD_IMAGE_HAS_CRC32) {
        upd_put_be32(stored, info->crc32_stored);
        upd_put_be32(computed, info->crc32_computed);
        print_digest("crc32", stored, computed, 4);
    }
    if (info->digests & UPD_IMAGE_HAS_SHA256) {
        print_digest("sha256", info->sha256_stored, info->sha256_computed, 32);
    }
}

static void print_app(const struct inspection *found)
{
    struct upd_image_app app;
    struct upd_image_loader loader;
    char shown[4][4 * 33];

    if (found->info.descriptor == UPD_IMAGE_APP_DESCRIPTOR &&
        upd_image_app_read(found->descriptor, &app) == UPD_OK) {
        printf("  %-12s %s %s, built %s %s\n", "app",
               display(app.project, 32, shown[0], sizeof shown[0]),
               display(app.version, 32, shown[1], sizeof shown[1]),
               display(app.date, 16, shown[2], sizeof shown[2]),
               display(app.time, 16, shown[3], sizeof shown[3]));
        printf("  %-12s %s, secure version %u\n", "made with",
               display(app.idf_version, 32, shown[0], sizeof shown[0]), app.secure_version);
    }
    if (found->info.descriptor == UPD_IMAGE_LOADER_DESCRIPTOR &&
        upd_image_loader_read(found->descriptor, &loader) == UPD_OK) {
        printf("  %-12s version %u, built %s with %s\n", "boot loader", loader.version,
               display(loader.date_time, 24, shown[0], sizeof shown[0]),
               display(loader.idf_version, 32, shown[1], sizeof shown[1]));
    }
}

static void print_loader(const struct inspection *found)
{
    if (found->updraft_loader) {
        printf("  %-12s updraft's, version %u%s%s\n", "boot loader", found->loader.version,
               found->loader.counts ? ", counts starts on trial" : "",
               found->loader.installs ? ", installs staged sketches" : "");
    }
}

static void print_signatures(const struct inspection *found)
{
    const struct upd_image_info *info = &found->info;

    if (info->signature != UPD_IMAGE_UNSIGNED) {
        printf("  %-12s %s, %u bytes at 0x%x; whose it is was not checked\n", "signature",
               upd_image_signature_text(info->signature), info->signature_size,
               info->signature_offset);
    }
    if (found->packed_signature > 0) {
        printf("  %-12s %s, %u bytes at 0x%x; whose it is was not checked\n", "signature",
               upd_image_signature_text(UPD_IMAGE_ARDUINO_SIGNED), found->packed_signature,
               found->member_size);
    }
}

static void print_covered(const struct upd_image_info *info)
{
    struct upd_image_range range;
    uint32_t bytes = 0, count = 0;
    char size[64];

    for (uint8_t i = 0; info->complete && upd_image_covered(info, i, &range) == UPD_OK; i++) {
        bytes += range.size;
        count++;
    }
    if (count > 0) {
        printf("  %-12s %s of %u by a digest\n", "protected", size_text(bytes, size, sizeof size),
               info->size);
    }
}

static void print_header(const struct upd_image_info *info)
{
    uint32_t home = upd_image_home(info);

    printf("  %-12s 0x%08x\n", "entry", info->entry);
    printf("  %-12s mode %s, freq %s, size %s", "flash",
           upd_image_flash_mode_text(info->flash_mode),
           upd_image_flash_freq_text(info->chip, info->flash_freq),
           upd_image_flash_size_text(info->chip, info->flash_size));
    if (info->chip == UPD_CHIP_ESP8266 && info->flash_size != UPD_IMAGE_UNTOLD) {
        printf(" (map %u)", info->flash_size);
    }
    putchar('\n');
    if (info->slot != 0) {
        printf("  %-12s user%u\n", "slot", info->slot);
    }
    if (info->link != 0) {
        printf("  %-12s linked for 0x%08x", "place", info->link);
        if (home != UPD_IMAGE_ANYWHERE) {
            printf(", flash offset 0x%x", home);
        }
        putchar('\n');
    }
    if (info->format == UPD_FORMAT_ESP32) {
        printf("  %-12s %u.%u up to ", "revision", info->min_revision / 100,
               info->min_revision % 100);
        if (info->max_revision == 0 || info->max_revision == 65535) {
            puts("any");
        } else {
            printf("%u.%u\n", info->max_revision / 100, info->max_revision % 100);
        }
    }
}

void inspect_print(const struct inspection *found)
{
    const struct upd_image_info *info = &found->info;
    char size[64];

    printf("%s: %s", found->path, size_text(found->size, size, sizeof size));
    if (info->format != UPD_FORMAT_UNKNOWN) {
        printf(", %s", upd_image_format_text(info->format));
        if (info->chip != UPD_CHIP_NONE) {
            printf(" for %s", upd_chip_text(info->chip));
        }
    }
    if (found->packed) {
        printf(", packed with gzip, %s inflated", size_text(info->size, size, sizeof size));
    }
    printf(": %s%s%s\n", found->problem.name == NULL ? colour_good() : colour_bad(),
           found->problem.name == NULL ? "ok" : found->problem.text, colour_end());
    if (info->format == UPD_FORMAT_UNKNOWN || info->size == 0) {
        return;
    }
    print_header(info);
    print_app(found);
    print_loader(found);
    print_segments(info);
    print_digests(info);
    print_signatures(found);
    print_covered(info);
}
