/*
 * A test of the checker as a device builds it: with some kinds of image alone. The test program
 * defines UPD_IMAGE_WITH, may define UPD_IMAGE_FOR, and includes this file, which has the checker in it.
 *
 * Goal: what is left in is checked as by a whole build; every other kind is refused by name.
 */
#ifndef UPDRAFT_TEST_IMAGE_REDUCED_H
#define UPDRAFT_TEST_IMAGE_REDUCED_H

#include "../src/image.c" /* NOLINT(bugprone-suspicious-include): built here as a device would */

#include "check.h"

static uint8_t sample[0x10000 + 64];

static const struct reduced {
    const char *path;
    uint32_t needs;               /* of UPD_IMAGE_WITH_... */
    enum upd_image_format format; /* as far as a build knows it that leaves it out */
} images[] = {
#define IMAGE(name, needs, format)                                                                 \
    {                                                                                              \
        UPD_VECTORS "/image/" name ".bin", needs, UPD_FORMAT_##format                              \
    }
    IMAGE("v1", UPD_IMAGE_WITH_NONOS, ESP8266_V1),
    IMAGE("v1-slot", UPD_IMAGE_WITH_NONOS, ESP8266_V1),
    IMAGE("v2-sdk", UPD_IMAGE_WITH_NONOS, ESP8266_V2),
    IMAGE("v2-rboot", UPD_IMAGE_WITH_NONOS, ESP8266_V2),
    IMAGE("v2-esptool", UPD_IMAGE_WITH_NONOS, ESP8266_V2),
    IMAGE("rtos", UPD_IMAGE_WITH_RTOS, ESP8266_V3),
    IMAGE("arduino", UPD_IMAGE_WITH_ARDUINO, ARDUINO),
    IMAGE("arduino-signed", UPD_IMAGE_WITH_ARDUINO | UPD_IMAGE_WITH_SIGNATURE, ARDUINO),
    IMAGE("esp32", UPD_IMAGE_WITH_ESP32, UNKNOWN),
    IMAGE("esp32-unhashed", UPD_IMAGE_WITH_ESP32, UNKNOWN),
    IMAGE("esp32-loader", UPD_IMAGE_WITH_ESP32, UNKNOWN),
    IMAGE("esp32c3", UPD_IMAGE_WITH_ESP32, UNKNOWN),
    IMAGE("signed-v1", UPD_IMAGE_WITH_ESP32 | UPD_IMAGE_WITH_SIGNATURE, UNKNOWN),
    IMAGE("signed-ecdsa", UPD_IMAGE_WITH_ESP32 | UPD_IMAGE_WITH_SIGNATURE, UNKNOWN),
    IMAGE("signed-three", UPD_IMAGE_WITH_ESP32 | UPD_IMAGE_WITH_SIGNATURE, UNKNOWN),
};

static enum upd_err check_image(struct upd_image_checker *checker, uint32_t size, uint32_t piece)
{
    enum upd_err err = upd_image_begin(checker, NULL);

    for (uint32_t at = 0; at < size && err == UPD_OK; at += piece) {
        err = upd_image_feed(checker, sample + at, size - at < piece ? size - at : piece);
    }
    return err == UPD_OK ? upd_image_end(checker) : err;
}

static void check_answer(const struct reduced *image, const struct upd_image_info *info)
{
    uint32_t kind = image->needs & ~(uint32_t)UPD_IMAGE_WITH_SIGNATURE;

    if ((UPD_IMAGE_WITH & kind) == 0) {
        CHECK_THAT(image->path, info->problem == UPD_IMAGE_EXCLUDED);
        CHECK_THAT(image->path, info->format == image->format);
    } else if (kind == UPD_IMAGE_WITH_ESP32 && UPD_IMAGE_FOR != UPD_CHIP_NONE &&
               upd_get_le16(sample + 12) != chip_ids[UPD_IMAGE_FOR]) {
        CHECK_THAT(image->path, info->problem == UPD_IMAGE_WRONG_CHIP);
        CHECK_THAT(image->path, info->problem_offset == 12);
    } else if ((UPD_IMAGE_WITH & image->needs) != image->needs) {
        /* Without signatures, one is bytes that follow the image. */
        CHECK_THAT(image->path, info->problem == UPD_IMAGE_TRAILING);
    } else {
        CHECK_THAT(image->path, info->complete && info->problem == UPD_IMAGE_OK);
    }
}

static void test_only_what_is_built_in_is_taken(void)
{
    struct upd_image_checker checker;

    for (size_t i = 0; i < sizeof images / sizeof images[0]; i++) {
        int32_t size = check_load(images[i].path, sample, sizeof sample);

        CHECK_THAT(images[i].path, size > 0);
        for (uint32_t piece = 1; piece <= sizeof sample; piece = piece * 7 + 1) {
            CHECK_THAT(images[i].path, check_image(&checker, (uint32_t)size, piece) ==
                                           upd_image_problem_err(checker.info.problem));
            check_answer(&images[i], &checker.info);
        }
    }
}

static void test_a_changed_byte_is_refused(void)
{
    struct upd_image_checker checker;

    for (size_t i = 0; i < sizeof images / sizeof images[0]; i++) {
        int32_t size = check_load(images[i].path, sample, sizeof sample);
        bool taken = size <= 600 && check_image(&checker, (uint32_t)size, 64) == UPD_OK;
        bool all = (checker.info.digests & (UPD_IMAGE_HAS_CRC32 | UPD_IMAGE_HAS_SHA256)) != 0 &&
                   checker.info.signature == UPD_IMAGE_UNSIGNED;

        for (int32_t at = 0; taken && all && at < size; at++) {
            sample[at] ^= 0x10;
            CHECK_THAT(images[i].path, check_image(&checker, (uint32_t)size, 64) != UPD_OK);
            sample[at] ^= 0x10;
        }
    }
}

int main(void)
{
    CHECK_RUN(test_only_what_is_built_in_is_taken);
    CHECK_RUN(test_a_changed_byte_is_refused);
    check_end();
}

#endif
