#include "intake.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <updraft/flash_map.h>
#include <updraft/gzip.h>
#include <updraft/image_info.h>
#include <updraft/image_json.h>
#include <updraft/md5.h>
#include <updraft/partition.h>
#include <updraft/partition_csv.h>

enum {
    IMAGE_LIMIT = 64 << 20, /* bytes that are taken at most, and that a gzip may inflate to */
    TAIL = 192,             /* what is looked through again, for a marker across two pieces */
    ROWS = 96,
    /* The longest signature behind an Arduino image, and its length. */
    SIGNATURE_MAX = 512 + 4,
};

struct intake {
    struct product product;
    bool filesystem, gzip_file;
    int64_t size; /* bytes of the file so far */
    struct upd_image_checker checker;
    uint8_t descriptor[256];
    struct upd_gzip gzip;
    uint8_t window[UPD_GZIP_WINDOW_SIZE];
    struct upd_md5 md5;          /* of the payload but for `held` */
    uint8_t held[SIGNATURE_MAX]; /* its last bytes, which may turn out to be a signature */
    size_t held_size;
    int64_t payload; /* bytes */
    char tail[TAIL];
    size_t tail_size;
    char key[KEY_SIZE], version[VERSION_SIZE]; /* of the marker */
    struct intake_problem problem;
};

enum problem {
#define X(name, code, sentence) PROBLEM_##name,
    INTAKE_PROBLEMS(X)
#undef X
};

static const struct {
    const char *code, *sentence;
} problems[] = {
#define X(name, code, sentence) {code, sentence},
    INTAKE_PROBLEMS(X)
#undef X
};

static bool refuse_with(struct intake *intake, const char *code, int64_t offset, const char *form,
                        const struct value *values)
{
    struct intake_problem *problem = &intake->problem;
    problem->code = code;
    problem->offset = offset;
    sentence_write(problem->text, sizeof problem->text, form, values);
    sentence_detail(problem->detail, sizeof problem->detail, form, values);
    return false;
}

static bool refuse(struct intake *intake, enum problem problem, int64_t offset,
                   const struct value *values)
{
    return refuse_with(intake, problems[problem].code, offset, problems[problem].sentence, values);
}

static bool refuse_image(struct intake *intake)
{
    const struct upd_image_info *info = &intake->checker.info;
    return refuse_with(intake, upd_image_problem_name(info->problem), info->problem_offset,
                       upd_image_problem_text(info->problem), NULL);
}

struct intake *intake_begin(const struct product *product, enum part part)
{
    struct intake *intake = calloc(1, sizeof *intake);
    if (intake == NULL) {
        return NULL;
    }
    struct upd_image_options options = {.descriptor = intake->descriptor};
    intake->product = *product;
    intake->filesystem = part == PART_FILESYSTEM;
    upd_md5_init(&intake->md5);
    if (upd_image_begin(&intake->checker, &options) != UPD_OK) {
        free(intake);
        return NULL;
    }
    return intake;
}

void intake_free(struct intake *intake)
{
    free(intake);
}

const struct intake_problem *intake_problem(const struct intake *intake)
{
    return &intake->problem;
}

/* --- OTAdrive's marker -------------------------------------------------------------------------
 */

/** Printable text up to `end`; false when it is too long, empty, or goes on beyond the bytes. */
static bool take_until(const char **at, const char *limit, const char *end, char *out, size_t room)
{
    const char *found = memmem(*at, (size_t)(limit - *at), end, strlen(end));
    if (found == NULL || found == *at || (size_t)(found - *at) >= room) {
        return false;
    }
    for (const char *c = *at; c < found; c++) {
        if (*c < 0x21 || *c > 0x7E) {
            return false;
        }
    }
    memcpy(out, *at, (size_t)(found - *at));
    out[found - *at] = '\0';
    *at = found + strlen(end);
    return true;
}

static void find_marker(struct intake *intake, const char *data, size_t size)
{
    static const char head[] = "_FirmwareInfo&k=";
    const char *limit = data + size;
    for (const char *at = data; (at = memmem(at, (size_t)(limit - at), head, sizeof head - 1));) {
        char key[KEY_SIZE], version[VERSION_SIZE];
        at += sizeof head - 1;
        const char *from = at;
        if (take_until(&from, limit, "&v=", key, sizeof key) &&
            take_until(&from, limit, "&FirmwareInfo_", version, sizeof version)) {
            strcpy(intake->key, key);
            strcpy(intake->version, version);
        }
    }
}

static void scan(struct intake *intake, const uint8_t *data, size_t size)
{
    char buffer[TAIL + UPD_GZIP_PIECE_SIZE];
    while (size != 0) {
        size_t piece = size < UPD_GZIP_PIECE_SIZE ? size : UPD_GZIP_PIECE_SIZE;
        memcpy(buffer, intake->tail, intake->tail_size);
        memcpy(buffer + intake->tail_size, data, piece);
        size_t all = intake->tail_size + piece;
        find_marker(intake, buffer, all);
        intake->tail_size = all < TAIL ? all : TAIL;
        memcpy(intake->tail, buffer + all - intake->tail_size, intake->tail_size);
        data += piece;
        size -= piece;
    }
}

/* --- What belongs where
 * --------------------------------------------------------------------------- */

/** The OTA partitions of the product's table; how many. */
static uint32_t ota_partitions(const struct product *product, struct upd_partition slots[16])
{
    static const struct upd_partition_rules idf = UPD_PARTITION_RULES(UPD_PARTITION_IDF);
    static const struct upd_partition_rules rtos = UPD_PARTITION_RULES(UPD_PARTITION_RTOS);
    struct upd_partition rows[ROWS];
    struct upd_partition_source sources[ROWS];
    struct upd_partition_list list = {rows, sources, ROWS, 0};
    char message[SENTENCE_SIZE];
    struct upd_partition_log log = {
        .error = upd_text_on(message, sizeof message),
        .warnings = upd_text_on(NULL, 0),
        .listing = upd_text_on(NULL, 0),
    };
    size_t size = strlen(product->table);
    uint32_t scratch_size = (uint32_t)(3 * size + 256), count = 0;
    char *scratch = size == 0 ? NULL : malloc(scratch_size);
    if (scratch != NULL &&
        upd_partition_csv_read(product->kind == KIND_RTOS ? &rtos : &idf, product->table,
                               (uint32_t)size, scratch, scratch_size, &list, &log) == UPD_OK) {
        for (uint8_t i = 0; i < 16; i++) {
            const struct upd_partition *slot = upd_partition_by_type(
                rows, list.count, UPD_PARTITION_APP, (uint8_t)(UPD_PARTITION_APP_OTA_0 + i));
            if (slot != NULL) {
                slots[count++] = *slot;
            }
        }
    }
    free(scratch);
    return count;
}

int64_t intake_limit(const struct product *product)
{
    struct upd_partition slots[16];
    if (product->kind == KIND_NONOS && product->map >= 0) {
        const struct upd_flash_map *map = upd_flash_map((uint32_t)product->map);
        return map == NULL ? 0 : upd_flash_map_image_limit(map, UPD_SDK_ANY);
    }
    int64_t limit = 0;
    uint32_t count = ota_partitions(product, slots);
    for (uint32_t i = 0; i < count; i++) {
        if (limit == 0 || slots[i].size < limit) {
            limit = slots[i].size;
        }
    }
    return limit;
}

static enum upd_place place_of(const struct product *product, const struct upd_image_info *info)
{
    if (info->chip != UPD_CHIP_ESP8266) {
        return UPD_PLACE_PARTITION;
    }
    switch (product->kind) {
    case KIND_NONOS:
        return UPD_PLACE_NONOS;
    case KIND_ARDUINO:
    case KIND_OTADRIVE:
        return UPD_PLACE_SKETCH;
    case KIND_IDF:
    case KIND_RTOS:
        return UPD_PLACE_PARTITION;
    case KIND_UPDRAFT:
        return info->format == UPD_FORMAT_ARDUINO      ? UPD_PLACE_SKETCH
               : info->format == UPD_FORMAT_ESP8266_V3 ? UPD_PLACE_PARTITION
                                                       : UPD_PLACE_NONOS;
    }
    return UPD_PLACE_NONE;
}

/** Ask core/ whether the image fits the product; with several OTA partitions, any of them. */
static bool fits(struct intake *intake)
{
    struct upd_image_info *info = &intake->checker.info;
    const struct product *product = &intake->product;
    struct upd_partition slots[16];
    uint32_t offset = 0, count = 0, home = upd_image_home(info);
    int64_t limit = intake_limit(product);
    struct upd_image_target target = {
        .chip = product->chip,
        .place = place_of(product, info),
        .offset = home == UPD_IMAGE_ANYWHERE ? 0x10000 : home,
        .size = limit != 0 ? (uint32_t)limit : UPD_IMAGE_ANY_SIZE,
        .flash_size = UPD_IMAGE_ANY_SIZE,
        .chip_revision = UPD_IMAGE_ANY_REVISION,
        .efuse_revision = UPD_IMAGE_ANY_REVISION,
        .slot = info->slot,
        .flash_map = product->map >= 0 ? (uint8_t)product->map : UPD_IMAGE_ANY,
        .flash_mode = UPD_IMAGE_ANY,
    };
    if (target.place == UPD_PLACE_NONOS) {
        const struct upd_flash_map *map =
            product->map >= 0 ? upd_flash_map((uint32_t)product->map) : NULL;
        if (map != NULL && (info->slot == 1 || info->slot == 2)) {
            target.offset = upd_flash_map_slot(map, (enum upd_slot)(info->slot - 1));
        }
    } else if (target.place == UPD_PLACE_PARTITION) {
        count = ota_partitions(product, slots);
    } else {
        target.offset = 0;
    }
    enum upd_image_problem problem = UPD_IMAGE_OK;
    for (uint32_t i = 0; i < count; i++) {
        target.offset = slots[i].offset;
        target.size = slots[i].size;
        problem = upd_image_fits(info, &target, &offset);
        if (problem == UPD_IMAGE_OK) {
            return true;
        }
    }
    if (count == 0) {
        problem = upd_image_fits(info, &target, &offset);
    }
    if (problem == UPD_IMAGE_OK) {
        return true;
    }
    info->problem = problem;
    info->problem_offset = offset;
    info->complete = false;
    return refuse_image(intake);
}

/* --- Bytes
 * ------------------------------------------------------------------------------------------ */

/* What is not among the last bytes any more goes into the digest. */
static void digest(struct intake *intake, const uint8_t *data, size_t size)
{
    if (size >= SIGNATURE_MAX) {
        upd_md5_update(&intake->md5, intake->held, (uint32_t)intake->held_size);
        upd_md5_update(&intake->md5, data, (uint32_t)(size - SIGNATURE_MAX));
        memcpy(intake->held, data + size - SIGNATURE_MAX, SIGNATURE_MAX);
        intake->held_size = SIGNATURE_MAX;
        return;
    }
    size_t all = intake->held_size + size;
    size_t done = all > SIGNATURE_MAX ? all - SIGNATURE_MAX : 0;
    upd_md5_update(&intake->md5, intake->held, (uint32_t)done);
    memmove(intake->held, intake->held + done, intake->held_size - done);
    intake->held_size -= done;
    memcpy(intake->held + intake->held_size, data, size);
    intake->held_size += size;
}

/* What a device computes over what it runs: without the signature, which it does not keep. */
static void end_digest(struct intake *intake, uint8_t md5[UPD_MD5_SIZE])
{
    const struct upd_image_info *info = &intake->checker.info;
    size_t behind = 0;

    if (!intake->filesystem && info->signature == UPD_IMAGE_ARDUINO_SIGNED) {
        behind = info->signature_size + 4;
        behind = behind < intake->held_size ? behind : intake->held_size;
    }
    upd_md5_update(&intake->md5, intake->held, (uint32_t)(intake->held_size - behind));
    upd_md5_final(&intake->md5, md5);
}

static bool feed_payload(struct intake *intake, const uint8_t *data, size_t size)
{
    struct upd_image_info *info = &intake->checker.info;
    digest(intake, data, size);
    intake->payload += (int64_t)size;
    scan(intake, data, size);
    if (intake->filesystem) {
        return true;
    }
    enum upd_err verdict = upd_image_feed(&intake->checker, data, (uint32_t)size);
    /* First, so that it is the reason however the bytes came: what else is wrong with an image for
     * another chip does not matter. */
    if (info->chip != UPD_CHIP_NONE && info->chip != intake->product.chip) {
        info->problem = UPD_IMAGE_WRONG_CHIP;
        info->problem_offset = 0;
        return refuse(intake, PROBLEM_OTHER_CHIP, 0,
                      VALUES({"chip", upd_chip_text(info->chip), 0},
                             {"own", upd_chip_text(intake->product.chip), 0}));
    }
    if (verdict != UPD_OK) {
        return refuse_image(intake);
    }
    return true;
}

static bool begin_gzip(struct intake *intake)
{
    if (intake->product.kind != KIND_ARDUINO && intake->product.kind != KIND_UPDRAFT) {
        return refuse(intake, PROBLEM_NOT_INFLATED, 0, NULL);
    }
    intake->gzip_file = true;
    return upd_gzip_init(&intake->gzip, intake->window, sizeof intake->window, IMAGE_LIMIT) ==
           UPD_OK;
}

static bool refuse_gzip(struct intake *intake)
{
    enum upd_gzip_reason reason = (enum upd_gzip_reason)intake->gzip.reason;
    return refuse(intake, reason == UPD_GZIP_TRAILING ? PROBLEM_GZIP_TRAILING : PROBLEM_GZIP,
                  intake->gzip.offset, VALUES({"problem", upd_gzip_reason_text(reason), 0}));
}

static bool feed_gzip(struct intake *intake, const uint8_t *data, size_t size)
{
    struct upd_reader in = {data, (uint32_t)size}, out;
    do {
        if (upd_gzip_step(&intake->gzip, &in, &out) != UPD_OK) {
            return refuse_gzip(intake);
        }
        if (out.left != 0 && !feed_payload(intake, out.at, out.left)) {
            return false;
        }
    } while (in.left != 0 || out.left != 0);
    return true;
}

bool intake_feed(struct intake *intake, const void *data, size_t size)
{
    const uint8_t *bytes = data;
    if (intake->problem.code != NULL || size == 0) {
        return intake->problem.code == NULL;
    }
    if (intake->size + (int64_t)size > IMAGE_LIMIT) {
        return refuse(intake, PROBLEM_TOO_LARGE, IMAGE_LIMIT, NULL);
    }
    if (intake->size == 0 && bytes[0] == 0x1F && !intake->filesystem && !begin_gzip(intake)) {
        return false;
    }
    intake->size += (int64_t)size;
    return intake->gzip_file ? feed_gzip(intake, bytes, size) : feed_payload(intake, bytes, size);
}

static enum part part_of(const struct intake *intake)
{
    if (intake->filesystem) {
        return PART_FILESYSTEM;
    }
    if (place_of(&intake->product, &intake->checker.info) != UPD_PLACE_NONOS) {
        return PART_APP;
    }
    return intake->checker.info.slot == 2 ? PART_USER2 : PART_USER1;
}

bool intake_end(struct intake *intake, struct image *image)
{
    uint8_t md5[UPD_MD5_SIZE];
    if (intake->problem.code != NULL) {
        return false;
    }
    if (intake->size == 0) {
        return refuse(intake, PROBLEM_EMPTY, 0, NULL);
    }
    if (intake->gzip_file && upd_gzip_end(&intake->gzip) != UPD_OK) {
        return refuse_gzip(intake);
    }
    if (!intake->filesystem) {
        if (upd_image_end(&intake->checker) != UPD_OK) {
            return refuse_image(intake);
        }
        if (!fits(intake)) {
            return false;
        }
    }
    end_digest(intake, md5);
    for (size_t i = 0; i < sizeof md5; i++) {
        snprintf(image->payload_md5 + 2 * i, 3, "%02x", md5[i]);
    }
    const struct upd_image_info *info = &intake->checker.info;
    image->part = part_of(intake);
    image->chip = intake->filesystem ? intake->product.chip : info->chip;
    image->payload_size = intake->payload;
    image->flash_size = intake->filesystem || info->flash_size == UPD_IMAGE_UNTOLD
                            ? 0
                            : upd_image_flash_bytes(info->chip, info->flash_size);
    strcpy(image->marker_key, intake->key);
    strcpy(image->marker_version, intake->version);
    return true;
}

void intake_describe(const struct intake *intake, char *text, size_t room)
{
    struct upd_json json = upd_json_on(text, (uint32_t)room);
    upd_json_open(&json, NULL, '{');
    if (intake->filesystem) {
        upd_json_null(&json, "format");
        upd_json_number(&json, "size", intake->size);
        upd_json_bool(&json, "ok", true);
        upd_json_null(&json, "problem");
    } else {
        upd_image_json(
            &json, &intake->checker.info,
            intake->checker.info.descriptor == UPD_IMAGE_NO_DESCRIPTOR ? NULL : intake->descriptor);
        upd_image_problem_json(&json, &intake->checker.info);
        if (intake->gzip_file) {
            upd_json_number(&json, "compressed_size", intake->size);
        }
    }
    upd_json_close(&json, '}');
}
