#include "inspect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <updraft/bytes.h>
#include <updraft/flash_map.h>
#include <updraft/gzip.h>
#include <updraft/image_info.h>

#include "files.h"

/* The longest signature that may stand behind a gzip member: RSA-4096, and its length. */
#define TAIL_SIZE (512 + 4)

struct work {
    struct inspection *found;
    struct upd_image_checker checker;
    struct upd_gzip gzip;
    struct upd_md5 md5;
    struct upd_sha256 sha256;
    bool digests;
    bool loader_sector; /* the piece is all of a file of one sector, with a loader record */
    uint8_t *piece;
    uint8_t *window;         /* of the gzip reader */
    uint8_t tail[TAIL_SIZE]; /* what follows the gzip member */
    uint32_t tail_size;      /* TAIL_SIZE + 1: more than fits */
};

static void set_problem(struct inspection *found, const char *name, const char *text,
                        uint32_t offset, bool inside)
{
    if (found->problem.name == NULL) {
        found->problem.name = name;
        found->problem.offset = offset;
        found->problem.inside = inside;
        snprintf(found->problem.text, sizeof found->problem.text, "%s", text);
    }
}

/* The checker's verdict, with the values that differ: they tell a flipped byte from another file.
 */
static void take_problem(struct inspection *found)
{
    const struct upd_image_info *info = &found->info;
    char text[sizeof found->problem.text], values[64] = "";

    if (info->problem == UPD_IMAGE_OK) {
        return;
    }
    if (info->problem == UPD_IMAGE_CHECKSUM) {
        snprintf(values, sizeof values, ": %02x is stored, %02x was computed",
                 info->checksum_stored, info->checksum_computed);
    } else if (info->problem == UPD_IMAGE_CRC32) {
        snprintf(values, sizeof values, ": %08x is stored, %08x was computed", info->crc32_stored,
                 info->crc32_computed);
    }
    snprintf(text, sizeof text, "%s%s", upd_image_problem_text(info->problem), values);
    set_problem(found, upd_image_problem_name(info->problem), text, info->problem_offset,
                found->packed);
}

static void keep_tail(struct work *work, const uint8_t *data, uint32_t size)
{
    if (size > TAIL_SIZE - (work->tail_size < TAIL_SIZE ? work->tail_size : TAIL_SIZE)) {
        work->tail_size = TAIL_SIZE + 1;
        return;
    }
    memcpy(work->tail + work->tail_size, data, size);
    work->tail_size += size;
}

static void feed_packed(struct work *work, const uint8_t *data, uint32_t size)
{
    struct upd_reader in = {data, size}, out = {NULL, 0};
    struct inspection *found = work->found;

    while (found->problem.name == NULL) {
        if (upd_gzip_complete(&work->gzip)) {
            keep_tail(work, in.at, in.left);
            return;
        }
        if (upd_gzip_step(&work->gzip, &in, &out) != UPD_OK) {
            char text[sizeof found->problem.text];
            snprintf(text, sizeof text, "the gzip file %s",
                     upd_gzip_reason_text((enum upd_gzip_reason)work->gzip.reason));
            set_problem(found, "gzip", text, work->gzip.offset, false);
            return;
        }
        if (upd_image_feed(&work->checker, out.at, out.left) != UPD_OK) {
            found->info = work->checker.info;
            take_problem(found);
        }
        if (in.left == 0 && out.left == 0) {
            return;
        }
    }
}

static void feed(struct work *work, const uint8_t *data, uint32_t size)
{
    struct inspection *found = work->found;

    if (found->packed) {
        feed_packed(work, data, size);
    } else if (upd_image_feed(&work->checker, data, size) != UPD_OK) {
        found->info = work->checker.info;
        take_problem(found);
    }
}

/* What follows a gzip member: nothing, or a signature and its length (Arduino). */
static void judge_tail(struct work *work)
{
    struct inspection *found = work->found;

    found->member_size = work->gzip.consumed;
    if (work->tail_size == 0) {
        return;
    }
    if (work->tail_size >= 4 && work->tail_size <= TAIL_SIZE &&
        upd_get_le32(work->tail + work->tail_size - 4) == work->tail_size - 4 &&
        work->tail_size > 4) {
        found->packed_signature = work->tail_size - 4;
        return;
    }
    set_problem(found, "gzip", "the gzip file goes on after its end, and not with a signature",
                work->gzip.consumed, false);
}

static void finish(struct work *work)
{
    struct inspection *found = work->found;

    if (found->packed && found->problem.name == NULL) {
        if (upd_gzip_end(&work->gzip) != UPD_OK) {
            set_problem(found, "gzip", "the gzip file ends before it is complete",
                        work->gzip.offset, false);
        }
        judge_tail(work);
    }
    if (found->problem.name == NULL) {
        if (upd_image_end(&work->checker) != UPD_OK) {
            found->info = work->checker.info;
            take_problem(found);
        }
    }
    found->info = work->checker.info;
    found->digested = work->digests && found->size <= IMAGE_LIMIT;
    if (found->digested) {
        upd_md5_final(&work->md5, found->md5);
        upd_sha256_final(&work->sha256, found->sha256);
    }
}

static void refuse_size(struct inspection *found)
{
    char text[sizeof found->problem.text];
    snprintf(text, sizeof text, "more than the %u bytes that a chip can map", IMAGE_LIMIT);
    set_problem(found, upd_image_problem_name(UPD_IMAGE_TOO_LARGE), text, IMAGE_LIMIT, false);
}

/*
 * updraft's boot loaders are files of one sector: the image, FF, and a record in the last bytes
 * (docs/formats/loader_record.md), which the checker of images does not look at.
 */
static bool is_loader_sector(const uint8_t *data, size_t size)
{
    return size == UPD_FLASH_SECTOR && memcmp(data + UPD_LOADER_RECORD_OFFSET, "UPDL", 4) == 0;
}

static void judge_loader_sector(struct inspection *found, const uint8_t *data)
{
    uint32_t end = found->info.image_size;

    if (found->problem.name != NULL) {
        return;
    }
    if (upd_loader_record_decode(data + UPD_LOADER_RECORD_OFFSET, &found->loader) != UPD_OK) {
        set_problem(found, "loader-record", "the CRC-32 of the boot loader's record does not match",
                    UPD_LOADER_RECORD_OFFSET, false);
        return;
    }
    while (end < UPD_LOADER_RECORD_OFFSET && data[end] == 0xFF) {
        end++;
    }
    if (end < UPD_LOADER_RECORD_OFFSET) {
        set_problem(found, upd_image_problem_name(UPD_IMAGE_FILLER),
                    "the bytes between the boot loader and its record are not FF", end, false);
        return;
    }
    found->updraft_loader = true;
    found->info.size = UPD_FLASH_SECTOR;
}

static void begin_image(struct work *work)
{
    const struct upd_image_options options = {.descriptor = work->found->descriptor,
                                              .in_flash = work->loader_sector};

    (void)!upd_image_begin(&work->checker, &options); /* no target: nothing to refuse yet */
}

/* True for a file that was read to its end, or as far as its verdict needs. */
static bool read_pieces(struct work *work, struct input *input)
{
    struct inspection *found = work->found;
    size_t got;

    do {
        if (!input_read(input, work->piece, PIECE_SIZE, &got)) {
            return false;
        }
        if (found->size == 0) {
            found->packed = got >= 2 && work->piece[0] == 0x1F && work->piece[1] == 0x8B;
            work->loader_sector = is_loader_sector(work->piece, got);
            begin_image(work);
        }
        found->size += got;
        if (found->size > IMAGE_LIMIT) {
            refuse_size(found);
            return true;
        }
        if (work->digests) {
            upd_md5_update(&work->md5, work->piece, (uint32_t)got);
            upd_sha256_update(&work->sha256, work->piece, (uint32_t)got);
        }
        if (found->problem.name == NULL) {
            feed(work, work->piece, (uint32_t)got);
        }
    } while (got == PIECE_SIZE && (work->digests || found->problem.name == NULL));
    return true;
}

static void begin(struct work *work, struct inspection *found, bool digests)
{
    *work = (struct work){.found = found, .digests = digests};
    if (digests) {
        upd_md5_init(&work->md5);
        upd_sha256_init(&work->sha256);
    }
}

enum exit_code inspect(struct call *call, const char *path, bool digests, struct inspection *found)
{
    enum exit_code code = EXIT_FAILED;
    struct input input;
    struct work *work = calloc(1, sizeof *work);

    *found = (struct inspection){.path = path};
    if (work == NULL) {
        return fail(call, EXIT_FAILED, "memory", "out of memory");
    }
    if (!input_open(call, path, &input)) {
        goto out;
    }
    found->path = input.path;
    begin(work, found, digests);
    if (input.sized && input.size > IMAGE_LIMIT) {
        found->size = input.size;
        refuse_size(found);
        code = EXIT_VERIFY;
        goto out;
    }
    work->piece = malloc(PIECE_SIZE);
    work->window = malloc(UPD_GZIP_WINDOW_SIZE);
    if (work->piece == NULL || work->window == NULL ||
        upd_gzip_init(&work->gzip, work->window, UPD_GZIP_WINDOW_SIZE, IMAGE_LIMIT) != UPD_OK) {
        fail(call, EXIT_FAILED, "memory", "%s: out of memory", found->path);
        goto out;
    }
    if (read_pieces(work, &input)) {
        finish(work);
        if (work->loader_sector) {
            judge_loader_sector(found, work->piece);
        }
        code = found->problem.name == NULL ? EXIT_DONE : EXIT_VERIFY;
    }
out:
    free(work->piece);
    free(work->window);
    free(work);
    input_close(&input);
    return code;
}

void inspect_bytes(const char *path, const uint8_t *data, uint32_t size, struct inspection *found)
{
    struct work work;

    *found = (struct inspection){.path = path, .size = size};
    begin(&work, found, false);
    work.loader_sector = is_loader_sector(data, size);
    begin_image(&work);
    feed(&work, data, size);
    finish(&work);
    if (work.loader_sector) {
        judge_loader_sector(found, data);
    }
}

void inspect_take(struct inspection *found, const struct upd_image_info *info)
{
    found->info = *info;
    found->size = info->size;
    take_problem(found);
}

json_t *inspect_problem_json(const struct inspection *found)
{
    if (found->problem.name == NULL) {
        return json_null();
    }
    json_t *problem = json_pack("{s:s, s:s, s:I}", "reason", found->problem.name, "text",
                                found->problem.text, "offset", (json_int_t)found->problem.offset);
    if (found->problem.inside) {
        json_object_set_new(problem, "inside", json_string("gzip"));
    }
    return problem;
}

enum exit_code inspect_fail(struct call *call, const struct inspection *found)
{
    if (found->size == 0) {
        return fail(call, EXIT_VERIFY, found->problem.name, "%s: is empty", found->path);
    }
    return fail(call, EXIT_VERIFY, found->problem.name, "%s: at 0x%x%s: %s", found->path,
                found->problem.offset, found->problem.inside ? " of what is packed" : "",
                found->problem.text);
}
