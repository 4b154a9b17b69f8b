#include <updraft/image_json.h>

#include <updraft/bytes.h>
#include <updraft/image_info.h>

static bool is_unknown(const char *text)
{
    static const char unknown[] = "unknown";

    for (uint32_t i = 0; text[i] == unknown[i]; i++) {
        if (text[i] == '\0') {
            return true;
        }
    }
    return false;
}

/* A word from a table, or null for what the table does not have. */
static void word(struct upd_json *json, const char *key, const char *text)
{
    if (is_unknown(text)) {
        upd_json_null(json, key);
    } else {
        upd_json_string(json, key, text);
    }
}

static void number_or_null(struct upd_json *json, const char *key, bool told, uint32_t value)
{
    if (told) {
        upd_json_number(json, key, value);
    } else {
        upd_json_null(json, key);
    }
}

static void segments(struct upd_json *json, const struct upd_image_info *info)
{
    struct upd_image_range range;

    upd_json_open(json, "segments", '[');
    for (uint8_t i = 0; i < info->segment_count; i++) {
        if (upd_image_segment_range(info, i, &range) == UPD_OK) {
            upd_json_open(json, NULL, '{');
            upd_json_number(json, "address", info->segments[i].address);
            upd_json_number(json, "size", info->segments[i].size);
            upd_json_number(json, "offset", range.offset);
            upd_json_close(json, '}');
        }
    }
    upd_json_close(json, ']');
}

static void flash(struct upd_json *json, const struct upd_image_info *info)
{
    upd_json_open(json, "flash", '{');
    word(json, "mode", upd_image_flash_mode_text(info->flash_mode));
    word(json, "freq", upd_image_flash_freq_text(info->chip, info->flash_freq));
    word(json, "size", upd_image_flash_size_text(info->chip, info->flash_size));
    if (info->chip == UPD_CHIP_ESP8266 && info->flash_size != UPD_IMAGE_UNTOLD) {
        upd_json_number(json, "map", info->flash_size);
    }
    upd_json_close(json, '}');
}

static void digest(struct upd_json *json, const char *key, const uint8_t *stored,
                   const uint8_t *computed, uint32_t size)
{
    upd_json_open(json, key, '{');
    upd_json_hex(json, "stored", stored, size);
    upd_json_hex(json, "computed", computed, size);
    upd_json_bool(json, "ok", memcmp(stored, computed, size) == 0);
    upd_json_close(json, '}');
}

static void digests(struct upd_json *json, const struct upd_image_info *info)
{
    uint8_t stored[4], computed[4];

    if (info->digests & UPD_IMAGE_HAS_CHECKSUM) {
        digest(json, "checksum", &info->checksum_stored, &info->checksum_computed, 1);
    }
    if (info->digests & UPD_IMAGE_HAS_CRC32) {
        upd_put_be32(stored, info->crc32_stored);
        upd_put_be32(computed, info->crc32_computed);
        digest(json, "crc32", stored, computed, 4);
    }
    if (info->digests & UPD_IMAGE_HAS_SHA256) {
        digest(json, "sha256", info->sha256_stored, info->sha256_computed, 32);
    }
}

/* What only the ESP32 family has in its header. */
static void esp32(struct upd_json *json, const struct upd_image_info *info)
{
    if (info->format != UPD_FORMAT_ESP32) {
        return;
    }
    upd_json_open(json, "chip_revision", '{');
    upd_json_number(json, "min", info->min_revision);
    upd_json_number(json, "max", info->max_revision);
    upd_json_number(json, "min_legacy", info->min_revision_legacy);
    upd_json_close(json, '}');
    upd_json_open(json, "pins", '{');
    upd_json_number(json, "wp", info->pins[0]);
    upd_json_hex(json, "drive", info->pins + 1, 3);
    upd_json_close(json, '}');
}

static void application(struct upd_json *json, const struct upd_image_info *info,
                        const uint8_t *descriptor)
{
    struct upd_image_app app;

    if (descriptor == NULL || info->descriptor != UPD_IMAGE_APP_DESCRIPTOR ||
        upd_image_app_read(descriptor, &app) != UPD_OK) {
        upd_json_null(json, "app");
        return;
    }
    upd_json_open(json, "app", '{');
    upd_json_bytes(json, "version", app.version, sizeof app.version);
    upd_json_bytes(json, "project", app.project, sizeof app.project);
    upd_json_bytes(json, "time", app.time, sizeof app.time);
    upd_json_bytes(json, "date", app.date, sizeof app.date);
    upd_json_bytes(json, "idf_version", app.idf_version, sizeof app.idf_version);
    upd_json_hex(json, "elf_sha256", app.elf_sha256, sizeof app.elf_sha256);
    upd_json_number(json, "secure_version", app.secure_version);
    upd_json_number(json, "min_efuse_revision", app.min_efuse_revision);
    upd_json_number(json, "max_efuse_revision", app.max_efuse_revision);
    upd_json_number(json, "mmu_page", app.mmu_page);
    upd_json_number(json, "spi_mode", app.spi_mode);
    upd_json_close(json, '}');
}

static void loader(struct upd_json *json, const struct upd_image_info *info,
                   const uint8_t *descriptor)
{
    struct upd_image_loader told;

    if (descriptor == NULL || info->descriptor != UPD_IMAGE_LOADER_DESCRIPTOR ||
        upd_image_loader_read(descriptor, &told) != UPD_OK) {
        return;
    }
    upd_json_open(json, "loader", '{');
    upd_json_number(json, "version", told.version);
    upd_json_number(json, "secure_version", told.secure_version);
    upd_json_bytes(json, "idf_version", told.idf_version, sizeof told.idf_version);
    upd_json_bytes(json, "date_time", told.date_time, sizeof told.date_time);
    upd_json_close(json, '}');
}

static void signatures(struct upd_json *json, const struct upd_image_info *info)
{
    upd_json_open(json, "signatures", '[');
    if (info->signature != UPD_IMAGE_UNSIGNED) {
        upd_json_open(json, NULL, '{');
        upd_json_string(json, "scheme", upd_image_signature_text(info->signature));
        upd_json_number(json, "offset", info->signature_offset);
        upd_json_number(json, "size", info->signature_size);
        if (info->signature_blocks > 0) {
            upd_json_number(json, "blocks", info->signature_blocks);
        }
        upd_json_close(json, '}');
    }
    upd_json_close(json, ']');
}

/* What a flipped byte would be noticed in: of an image with a problem, nothing can be promised. */
static void covered(struct upd_json *json, const struct upd_image_info *info)
{
    struct upd_image_range range;
    uint32_t bytes = 0;

    upd_json_open(json, "covered", '{');
    upd_json_open(json, "ranges", '[');
    for (uint8_t i = 0; info->complete && upd_image_covered(info, i, &range) == UPD_OK; i++) {
        upd_json_open(json, NULL, '{');
        upd_json_number(json, "offset", range.offset);
        upd_json_number(json, "size", range.size);
        upd_json_close(json, '}');
        bytes += range.size;
    }
    upd_json_close(json, ']');
    upd_json_number(json, "bytes", bytes);
    upd_json_close(json, '}');
}

void upd_image_json(struct upd_json *json, const struct upd_image_info *info,
                    const uint8_t *descriptor)
{
    uint32_t home = upd_image_home(info);

    word(json, "format", upd_image_format_text(info->format));
    if (info->chip == UPD_CHIP_NONE) {
        upd_json_null(json, "chip");
    } else {
        upd_json_string(json, "chip", upd_chip_text(info->chip));
    }
    upd_json_number(json, "size", info->size);
    upd_json_number(json, "image_size", info->image_size);
    upd_json_number(json, "entry", info->entry);
    segments(json, info);
    if (info->slot == 0) {
        upd_json_null(json, "slot");
    } else {
        upd_json_string(json, "slot", info->slot == 1 ? "user1" : "user2");
    }
    flash(json, info);
    number_or_null(json, "link", info->link != 0, info->link);
    number_or_null(json, "home", home != UPD_IMAGE_ANYWHERE, home);
    digests(json, info);
    esp32(json, info);
    application(json, info, descriptor);
    loader(json, info, descriptor);
    signatures(json, info);
    covered(json, info);
}

void upd_image_problem_json(struct upd_json *json, const struct upd_image_info *info)
{
    upd_json_bool(json, "ok", info->problem == UPD_IMAGE_OK);
    if (info->problem == UPD_IMAGE_OK) {
        upd_json_null(json, "problem");
        return;
    }
    upd_json_open(json, "problem", '{');
    upd_json_string(json, "reason", upd_image_problem_name(info->problem));
    upd_json_string(json, "text", upd_image_problem_text(info->problem));
    upd_json_number(json, "offset", info->problem_offset);
    upd_json_close(json, '}');
}
