/*
 * Goal: what people read about an image is true of its bytes. Method: texts against their lists;
 * ranges against the sample images, whose bytes are known. That a change of a covered byte is found
 * is proved in image_test.c.
 */
#include <updraft/bytes.h>
#include <updraft/image_info.h>

#include "check.h"
#include "hex.h"

static uint8_t sample[0x10000 + 64];
static struct upd_image_checker checker;
static uint8_t descriptor[256];

static bool is_text(const char *one, const char *other)
{
    while (*one != '\0' && *one == *other) {
        one++;
        other++;
    }
    return *one == *other;
}

static uint32_t load(const char *path)
{
    struct upd_image_options options = {.descriptor = descriptor};
    int32_t size = check_load(path, sample, sizeof sample);

    CHECK_THAT(path, size > 0 && upd_image_begin(&checker, &options) == UPD_OK);
    CHECK_THAT(path, upd_image_feed(&checker, sample, (uint32_t)size) == UPD_OK);
    CHECK_THAT(path, upd_image_end(&checker) == UPD_OK);
    return (uint32_t)size;
}
#define LOAD(name) load(UPD_VECTORS "/image/" name ".bin")

static void test_every_format_and_problem_has_its_text(void)
{
    static const enum upd_image_problem problems[] = {
#define X(name, word, err, text) UPD_IMAGE_##name,
        UPD_IMAGE_PROBLEMS(X)
#undef X
    };
#define X(name, text) CHECK(is_text(upd_image_format_text(UPD_FORMAT_##name), text));
    UPD_IMAGE_FORMATS(X)
#undef X
#define X(name, word, err, text)                                                                   \
    CHECK(is_text(upd_image_problem_text(UPD_IMAGE_##name), text));                                \
    CHECK(is_text(upd_image_problem_name(UPD_IMAGE_##name), word));                                \
    CHECK(upd_image_problem_err(UPD_IMAGE_##name) == UPD_##err);
    UPD_IMAGE_PROBLEMS(X)
#undef X
    for (size_t i = 0; i < sizeof problems / sizeof problems[0]; i++) {
        for (size_t k = 0; k < i; k++) {
            CHECK(
                !is_text(upd_image_problem_name(problems[i]), upd_image_problem_name(problems[k])));
            CHECK(
                !is_text(upd_image_problem_text(problems[i]), upd_image_problem_text(problems[k])));
        }
    }
    CHECK(is_text(upd_image_format_text((enum upd_image_format)99), "unknown"));
    CHECK(is_text(upd_image_problem_name((enum upd_image_problem)99), "unknown"));
    CHECK(is_text(upd_image_problem_text((enum upd_image_problem)99), "unknown problem"));
}

static void test_signatures_have_names(void)
{
    static const char *const texts[] = {
        "none", "secure-boot-v1", "secure-boot-v2-rsa", "secure-boot-v2-ecdsa", "arduino", "none"};

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        CHECK(is_text(upd_image_signature_text((uint8_t)i), texts[i]));
    }
}

/* One row per chip: the texts of the frequency codes 0, 1, 2 and 15, as esptool names them. */
static const struct {
    enum upd_chip chip;
    const char *freqs[4];
} clocks[] = {
    {UPD_CHIP_ESP8266, {"40m", "26m", "20m", "80m"}},
    {UPD_CHIP_ESP32, {"40m", "26m", "20m", "80m"}},
    {UPD_CHIP_ESP32S2, {"40m", "26m", "20m", "80m"}},
    {UPD_CHIP_ESP32C3, {"40m", "26m", "20m", "80m"}},
    {UPD_CHIP_ESP32S3, {"40m", "26m", "20m", "80m"}},
    {UPD_CHIP_ESP32C2, {"30m", "20m", "15m", "60m"}},
    {UPD_CHIP_ESP32C6, {"80m", "unknown", "20m", "unknown"}},
    {UPD_CHIP_ESP32H2, {"24m", "16m", "12m", "48m"}},
    {UPD_CHIP_ESP32P4, {"40m", "26m", "20m", "80m"}},
    {UPD_CHIP_ESP32C61, {"40m", "unknown", "20m", "80m"}},
    {UPD_CHIP_ESP32C5, {"40m", "unknown", "20m", "80m"}},
    {UPD_CHIP_ESP32H21, {"24m", "unknown", "unknown", "48m"}},
    {UPD_CHIP_ESP32H4, {"24m", "unknown", "unknown", "48m"}},
    {UPD_CHIP_ESP32E22, {"40m", "26m", "20m", "80m"}},
    {UPD_CHIP_ESP32S31, {"40m", "unknown", "20m", "80m"}},
    {UPD_CHIP_NONE, {"unknown", "unknown", "unknown", "unknown"}},
    {(enum upd_chip)99, {"unknown", "unknown", "unknown", "unknown"}},
};

static void test_codes_of_the_flash_chip_have_texts(void)
{
    static const char *const modes[] = {"qio", "qout", "dio", "dout", "fast_read", "slow_read"};
    static const char *const esp8266[] = {"512KB",  "256KB",  "1MB",    "2MB", "4MB",
                                          "2MB-c1", "4MB-c1", "4MB-c2", "8MB", "16MB"};
    static const char *const esp32[] = {"1MB",  "2MB",  "4MB",  "8MB",
                                        "16MB", "32MB", "64MB", "128MB"};

    for (uint32_t code = 0; code < 256; code++) {
        uint8_t byte = (uint8_t)code;

        CHECK(is_text(upd_image_flash_mode_text(byte), code < 6 ? modes[code] : "unknown"));
        CHECK(is_text(upd_image_flash_size_text(UPD_CHIP_ESP8266, byte),
                      code < 10 ? esp8266[code] : "unknown"));
        CHECK(is_text(upd_image_flash_size_text(UPD_CHIP_ESP32, byte),
                      code < 8 ? esp32[code] : "unknown"));
        for (size_t i = 0; i < sizeof clocks / sizeof clocks[0]; i++) {
            uint32_t index = code == 15 ? 3 : code;

            CHECK(is_text(upd_image_flash_freq_text(clocks[i].chip, byte),
                          index < 4 && code != 3 ? clocks[i].freqs[index] : "unknown"));
        }
    }
}

/* Where the data of segments is: in the sample images, told by a byte of it and of its end. */
static const struct {
    const char *path;
    uint8_t index;
    uint32_t offset, size;
} ranges[] = {
#define RANGE(name, index, offset, size)                                                           \
    {                                                                                              \
        UPD_VECTORS "/image/" name ".bin", index, offset, size                                     \
    }
    RANGE("v1", 0, 16, 8),
    RANGE("v1", 1, 32, 4),
    RANGE("v1", 2, 44, 8),
    RANGE("v1-slot", 2, 44, 8),
    RANGE("v1-slot", 3, 0x10000, 16),
    RANGE("v2-sdk", 0, 16, 16),
    RANGE("v2-sdk", 1, 48, 8),
    RANGE("v2-sdk", 2, 64, 4),
    RANGE("v2-sdk", 3, 76, 8),
    RANGE("rtos", 0, 16, 256),
    RANGE("rtos", 1, 280, 4),
    RANGE("rtos", 2, 292, 16),
    RANGE("esp32", 0, 32, 256),
    RANGE("esp32", 1, 296, 16),
    RANGE("arduino", 0, 16, 16),
    RANGE("arduino", 1, 40, 16),
    RANGE("arduino", 2, 0x1010, 42),
    RANGE("arduino", 3, 0x1042, 22),
    RANGE("arduino", 6, 0x1079, 6),
};

static void test_segments_are_where_their_data_is(void)
{
    struct upd_image_range range = {0, 0};

    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        load(ranges[i].path);
        CHECK_THAT(ranges[i].path,
                   upd_image_segment_range(&checker.info, ranges[i].index, &range) == UPD_OK);
        CHECK_THAT(ranges[i].path, range.offset == ranges[i].offset);
        CHECK_THAT(ranges[i].path, range.size == ranges[i].size);
        range = (struct upd_image_range){1, 2};
        CHECK(upd_image_segment_range(&checker.info, checker.info.segment_count, &range) ==
              UPD_E_NOT_FOUND);
        CHECK(range.offset == 1 && range.size == 2);
    }
    LOAD("v2-sdk");
    CHECK(upd_image_segment_range(&checker.info, 3, &range) == UPD_OK);
    CHECK(memcmp(sample + range.offset, "rodata\0\0", 8) == 0);
    LOAD("arduino");
    CHECK(upd_image_segment_range(&checker.info, 4, &range) == UPD_OK);
    CHECK(range.size == 5 && memcmp(sample + range.offset, "text1", 5) == 0);
}

static const struct {
    const char *path;
    uint8_t count;
    struct upd_image_range ranges[4];
} covers[] = {
#define COVER(name, ...)                                                                           \
    {                                                                                              \
        UPD_VECTORS "/image/" name ".bin", __VA_ARGS__                                             \
    }
    COVER("v1", 3, {{16, 8}, {32, 4}, {44, 8}}),
    COVER("v1-slot", 1, {{0, 0x10010}}),
    COVER("v2-sdk", 1, {{0, 96}}),
    COVER("v2-rboot", 3, {{48, 8}, {64, 4}, {76, 8}}),
    COVER("v2-esptool", 1, {{0, 96}}),
    COVER("rtos", 1, {{0, 320}}),
    COVER("esp32", 1, {{0, 320}}),
    COVER("esp32-unhashed", 2, {{32, 256}, {296, 16}}),
    COVER("arduino", 1, {{0, 4224}}),
    COVER("arduino-signed", 1, {{0, 4224}}),
    COVER("signed-v1", 1, {{0, 320}}),
    COVER("signed-ecdsa", 2, {{0, 4096}, {4096, 1196}}),
    COVER("signed-p384", 2, {{0, 320}, {4096, 1196}}),
    COVER("signed-three", 4, {{0, 4096}, {4096, 1196}, {5312, 1196}, {6528, 1196}}),
};

static void test_covered_bytes_are_enumerated(void)
{
    struct upd_image_range range = {0, 0};

    for (size_t i = 0; i < sizeof covers / sizeof covers[0]; i++) {
        load(covers[i].path);
        for (uint8_t k = 0; k < covers[i].count; k++) {
            CHECK_THAT(covers[i].path, upd_image_covered(&checker.info, k, &range) == UPD_OK);
            CHECK_THAT(covers[i].path, range.offset == covers[i].ranges[k].offset);
            CHECK_THAT(covers[i].path, range.size == covers[i].ranges[k].size);
        }
        CHECK_THAT(covers[i].path,
                   upd_image_covered(&checker.info, covers[i].count, &range) == UPD_E_NOT_FOUND);
        CHECK_THAT(covers[i].path,
                   upd_image_covered(&checker.info, 255, &range) == UPD_E_NOT_FOUND);
    }
    checker.info.complete = false;
    CHECK(upd_image_covered(&checker.info, 0, &range) == UPD_E_NOT_FOUND);
}

/* Goal: where an image says that it belongs. Method: the user2 offsets of every map; the images of
 * the RTOS SDK by their link address. */
static void test_an_image_tells_its_home(void)
{
    static const uint32_t user2[] = {
        0x41000,  UPD_IMAGE_ANYWHERE, 0x81000,  0x81000,  0x81000,           0x101000,
        0x101000, UPD_IMAGE_ANYWHERE, 0x101000, 0x101000, UPD_IMAGE_ANYWHERE};

    LOAD("v2-sdk");
    for (size_t map = 0; map < sizeof user2 / sizeof user2[0]; map++) {
        checker.info.flash_size = (uint8_t)map;
        checker.info.slot = 1;
        CHECK(upd_image_home(&checker.info) == 0x1000);
        checker.info.slot = 2;
        CHECK(upd_image_home(&checker.info) == user2[map]);
        checker.info.slot = 0;
        CHECK(upd_image_home(&checker.info) == UPD_IMAGE_ANYWHERE);
    }
    LOAD("v1-slot");
    CHECK(upd_image_home(&checker.info) == UPD_IMAGE_ANYWHERE); /* its header has no map */
    LOAD("rtos");
    CHECK(upd_image_home(&checker.info) == 0x10000);
    checker.info.link = 0x40290010;
    CHECK(upd_image_home(&checker.info) == 0x90000);
    LOAD("arduino");
    CHECK(upd_image_home(&checker.info) == 0);
    LOAD("esp32");
    CHECK(upd_image_home(&checker.info) == UPD_IMAGE_ANYWHERE);
    LOAD("v1");
    CHECK(upd_image_home(&checker.info) == UPD_IMAGE_ANYWHERE);
}

static void test_an_application_descriptor_is_read(void)
{
    struct upd_image_app app;

    LOAD("esp32c6");
    CHECK(upd_image_app_read(descriptor, &app) == UPD_OK);
    CHECK(is_text(app.version, "1.2.3") && is_text(app.project, "updraft"));
    CHECK(is_text(app.time, "12:34:56") && is_text(app.date, "Jan  2 2026"));
    CHECK(is_text(app.idf_version, "v5.4") && app.secure_version == 0);
    CHECK(hex_is(app.elf_sha256, 32,
                 "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"));
    CHECK(app.min_efuse_revision == 0 && app.max_efuse_revision == 99);
    CHECK(app.mmu_page == 15 && app.spi_mode == 3);

    /* A version that fills its field ends all the same. */
    memset(descriptor + 16, 'x', 32);
    CHECK(upd_image_app_read(descriptor, &app) == UPD_OK);
    CHECK(is_text(app.version, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"));
    descriptor[0] ^= 1;
    app.mmu_page = 77;
    CHECK(upd_image_app_read(descriptor, &app) == UPD_E_FORMAT && app.mmu_page == 77);
}

static void test_a_loader_descriptor_is_read(void)
{
    struct upd_image_loader loader;

    LOAD("esp32-loader");
    CHECK(upd_image_loader_read(descriptor, &loader) == UPD_OK);
    CHECK(loader.version == 3 && loader.secure_version == 7);
    CHECK(is_text(loader.idf_version, "v5.4"));
    CHECK(is_text(loader.date_time, "Jan  2 2026 12:34:56"));
    descriptor[0] = 0;
    loader.version = 9;
    CHECK(upd_image_loader_read(descriptor, &loader) == UPD_E_FORMAT && loader.version == 9);
}

int main(void)
{
    CHECK_RUN(test_every_format_and_problem_has_its_text);
    CHECK_RUN(test_signatures_have_names);
    CHECK_RUN(test_codes_of_the_flash_chip_have_texts);
    CHECK_RUN(test_segments_are_where_their_data_is);
    CHECK_RUN(test_covered_bytes_are_enumerated);
    CHECK_RUN(test_an_image_tells_its_home);
    CHECK_RUN(test_an_application_descriptor_is_read);
    CHECK_RUN(test_a_loader_descriptor_is_read);
    check_end();
}
