/*
 * The checker on any bytes, with every kind of knowledge before. Each input is fed twice, in one
 * piece and in many; then once more with its digests put right, which no fuzzer would guess, so
 * that what lies behind them is reached.
 *
 * Held: the two answers are the same; what is accepted has every digest right and covers bytes that
 * are there; what is refused says where, within the input; the place asked while streaming and
 * afterwards gives the same answer to an image that is right; every helper takes what comes out.
 */
#include <updraft/bytes.h>
#include <updraft/image.h>
#include <updraft/image_info.h>

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HOLD(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* Padding counts too: a checker begins as zeros. */
static bool same(const void *one, const void *other, size_t size)
{
    return memcmp(one, other, size) == 0;
}

static const struct upd_image_target targets[] = {
    {.chip = UPD_CHIP_ESP8266,
     .place = UPD_PLACE_NONOS,
     .offset = 0x1000,
     .size = 0x7B000,
     .flash_size = 0x100000,
     .slot = 1,
     .flash_map = 2},
    {.chip = UPD_CHIP_ESP8266,
     .place = UPD_PLACE_PARTITION,
     .offset = 0x10000,
     .size = 0xF0000,
     .flash_size = 0x400000,
     .flash_mode = UPD_IMAGE_ANY},
    {.chip = UPD_CHIP_ESP32,
     .place = UPD_PLACE_PARTITION,
     .offset = 0x10000,
     .size = 0x100000,
     .flash_size = 0x400000,
     .chip_revision = 300,
     .flash_mode = UPD_IMAGE_ANY},
    {.chip = UPD_CHIP_ESP8266,
     .place = UPD_PLACE_SKETCH,
     .size = 0x1100,
     .flash_size = 0x400000,
     .flash_mode = UPD_IMAGE_ANY},
};

static void check(struct upd_image_checker *checker, const struct upd_image_options *options,
                  const uint8_t *data, uint32_t size, uint32_t seed)
{
    enum upd_err err = upd_image_begin(checker, options);

    for (uint32_t at = 0; at < size;) {
        /* Pieces of 1 to 64 bytes and now and then many more; or all at once. */
        uint32_t piece = size - at;

        if (seed != 0) {
            seed = seed * 1103515245u + 12345u;
            piece = (seed >> 16) % 64 + 1 + ((seed >> 24) % 16 == 0 ? 4000 : 0);
            piece = piece < size - at ? piece : size - at;
        }
        HOLD(err == upd_image_problem_err(checker->info.problem));
        err = upd_image_feed(checker, data + at, piece);
        at += piece;
    }
    err = upd_image_end(checker);
    HOLD(err == upd_image_problem_err(checker->info.problem));
    HOLD((err == UPD_OK) == checker->info.complete);
}

static void hold_accepted(const struct upd_image_info *info, uint32_t size, bool in_flash)
{
    struct upd_image_range range = {0, 0};
    bool v2 = info->format == UPD_FORMAT_ESP8266_V2;

    HOLD(in_flash ? info->size <= size : info->size == size);
    HOLD(info->image_size <= info->size && info->chip != UPD_CHIP_NONE);
    HOLD((info->digests & UPD_IMAGE_HAS_CHECKSUM) != 0);
    HOLD(info->checksum_stored == info->checksum_computed);
    if ((info->digests & UPD_IMAGE_HAS_CRC32) != 0) {
        HOLD(info->crc32_stored == info->crc32_computed);
    } else {
        HOLD(!v2 || info->slot == 0);
        HOLD(info->format != UPD_FORMAT_ARDUINO && info->format != UPD_FORMAT_ESP8266_V1_SLOT);
    }
    if ((info->digests & UPD_IMAGE_HAS_SHA256) != 0) {
        HOLD(memcmp(info->sha256_stored, info->sha256_computed, 32) == 0);
    } else {
        HOLD(info->format != UPD_FORMAT_ESP8266_V3);
    }
    for (uint8_t i = 0; upd_image_covered(info, i, &range) == UPD_OK; i++) {
        HOLD(range.offset <= size && range.size <= size - range.offset);
    }
    for (uint8_t i = 0; upd_image_segment_range(info, i, &range) == UPD_OK; i++) {
        HOLD(range.offset <= size && range.size <= size - range.offset);
    }
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
        (void)upd_image_fits(info, &targets[i], NULL);
    }
    (void)upd_image_home(info);
}

static void hold(const uint8_t *data, uint32_t size, struct upd_image_options options)
{
    uint8_t kept[256] = {0};
    uint8_t many[256] = {0};
    struct upd_image_checker checker, other;
    struct upd_image_app app;

    options.descriptor = kept;
    check(&checker, &options, data, size, 0);
    options.descriptor = many;
    check(&other, &options, data, size, size + 1);
    HOLD(same(&checker.info, &other.info, sizeof other.info));

    if (checker.info.complete) {
        hold_accepted(&checker.info, size, options.in_flash);
        HOLD(memcmp(kept, many, sizeof kept) == 0);
        if (options.target != NULL) {
            HOLD(upd_image_fits(&checker.info, options.target, NULL) == UPD_IMAGE_OK);
        }
        if (checker.info.descriptor == UPD_IMAGE_APP_DESCRIPTOR) {
            HOLD(upd_image_app_read(kept, &app) == UPD_OK);
        }
    } else if (options.target == NULL) {
        HOLD(checker.info.problem_offset <= size);
    }
}

/* Puts right the digest that is wrong; false when that is not what is wrong. */
static bool repair(uint8_t *data, uint32_t size)
{
    struct upd_image_checker checker;
    const struct upd_image_info *info = &checker.info;
    uint32_t room = 0;

    check(&checker, NULL, data, size, 0);
    room = size - (info->problem_offset < size ? info->problem_offset : size);
    data += size - room;
    if (info->problem == UPD_IMAGE_CHECKSUM && room >= 1) {
        *data = info->checksum_computed;
    } else if (info->problem == UPD_IMAGE_CRC32 && room >= 4) {
        upd_put_le32(data, info->crc32_computed);
    } else if (info->problem == UPD_IMAGE_SHA256 && room >= 32) {
        memcpy(data, info->sha256_computed, 32);
    } else {
        return false;
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t repaired[0x20000];
    uint32_t turns = 0;

    if (size > sizeof repaired) {
        return 0;
    }
    memcpy(repaired, data, size);
    do {
        struct upd_image_options options = {.size = 0};

        hold(repaired, (uint32_t)size, options);
        for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
            options.target = &targets[i];
            hold(repaired, (uint32_t)size, options);
        }
        options.target = NULL;
        options.in_flash = true;
        hold(repaired, (uint32_t)size, options);
        options.in_flash = false;
        options.size = (uint32_t)size;
        hold(repaired, (uint32_t)size, options);
    } while (turns++ < 4 && repair(repaired, (uint32_t)size));
    return 0;
}
