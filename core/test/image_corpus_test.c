/*
 * Goal: real firmware, as it was released, is described alike on every CPU, and as esptool
 * describes it. Method: images of each world, read in pieces as a device would receive them; the
 * numbers below are esptool's (of an Arduino image it knows the loader part only, the rest is
 * Python's; so are the CRC-32s). The images are not part of the repository.
 */
#include <updraft/bytes.h>
#include <updraft/image.h>

#include "check.h"
#include "hex.h"

static uint8_t piece[16384];

static const struct row {
    const char *name; /* in corpus/img/ */
    enum upd_image_format format;
    enum upd_chip chip;
    uint32_t size;
    uint32_t entry;
    uint8_t flash_mode;
    uint8_t flash_codes; /* byte 3 of the header */
    uint8_t slot;
    uint8_t segment_count;
    struct upd_image_segment last;
    uint8_t checksum;
    uint32_t crc32;
    const char *sha256;
    const char *version;
} rows[] = {
    {.name = "boot-esp8266-71fca3dd7c9d.bin",
     .format = UPD_FORMAT_ESP8266_V1,
     .chip = UPD_CHIP_ESP8266,
     .size = 4080,
     .entry = 0x4010057C,
     .segment_count = 3,
     .last = {0x3FFE82FC, 0x2A4},
     .checksum = 0x22},
    {.name = "nonos-at-esp8266-30f55d973d47.bin",
     .format = UPD_FORMAT_ESP8266_V2,
     .chip = UPD_CHIP_ESP8266,
     .size = 407796,
     .entry = 0x40100004,
     .flash_codes = 0x20,
     .slot = 1,
     .segment_count = 4,
     .last = {0x3FFE8870, 0x258C},
     .checksum = 0x1D,
     .crc32 = 0x7AF03DF7},
    {.name = "nonos-at-esp8266-3c5ab3d6944c.bin",
     .format = UPD_FORMAT_ESP8266_V2,
     .chip = UPD_CHIP_ESP8266,
     .size = 407796,
     .entry = 0x40100004,
     .flash_codes = 0x20,
     .slot = 2,
     .segment_count = 4,
     .last = {0x3FFE8870, 0x258C},
     .checksum = 0x09,
     .crc32 = 0x053B7ACF},
    {.name = "wifi-repeater-esp8266-54cce803e154.bin",
     .format = UPD_FORMAT_ESP8266_V2,
     .chip = UPD_CHIP_ESP8266,
     .size = 299472,
     .entry = 0x40100004,
     .segment_count = 4,
     .last = {0x3FFE8810, 0x16C0},
     .checksum = 0xF0},
    {.name = "lcm-esp8266-f9f2fef105b0.bin",
     .format = UPD_FORMAT_ESP8266_V2,
     .chip = UPD_CHIP_ESP8266,
     .size = 432640,
     .entry = 0x4010023C,
     .flash_codes = 0x20,
     .segment_count = 4,
     .last = {0x3FFE8A80, 0xA68},
     .checksum = 0xA4},
    {.name = "ratgdo8266-esp8266-515bf1dfb27d.bin",
     .format = UPD_FORMAT_ARDUINO,
     .chip = UPD_CHIP_ESP8266,
     .size = 597808,
     .entry = 0x401000BC,
     .flash_mode = 2,
     .flash_codes = 0x40,
     .segment_count = 7,
     .last = {0x3FFE8F50, 0x1CC0},
     .checksum = 0x1E,
     .crc32 = 0x2E488ED0},
    {.name = "nat-router-esp32-4fb1a310e35c.bin",
     .format = UPD_FORMAT_ESP32,
     .chip = UPD_CHIP_ESP32,
     .size = 1058576,
     .entry = 0x40081720,
     .flash_mode = 2,
     .flash_codes = 0x10,
     .segment_count = 6,
     .last = {0x50000000, 0x98},
     .checksum = 0x3C,
     .sha256 = "83c0123d7e3dfef3c7716d9ad088cacd6346c86308e14ebde385f4e7db5102b9",
     .version = "79f6e3a-dirty"},
    {.name = "nat-router-esp32c3-916434af46a4.bin",
     .format = UPD_FORMAT_ESP32,
     .chip = UPD_CHIP_ESP32C3,
     .size = 1183184,
     .entry = 0x403802E8,
     .flash_mode = 2,
     .flash_codes = 0x1F,
     .segment_count = 6,
     .last = {0x50000000, 0x3C},
     .checksum = 0x9B,
     .sha256 = "9b9942158d3a25c977ce3195d25521b35e9b53ab3cb5fe2a96d1b02dcee1e231",
     .version = "8db04d1-dirty"},
    {.name = "nat-router-esp32c6-8a2f5baa2ad6.bin",
     .format = UPD_FORMAT_ESP32,
     .chip = UPD_CHIP_ESP32C6,
     .size = 1534384,
     .entry = 0x408002E8,
     .flash_mode = 2,
     .flash_codes = 0x20,
     .segment_count = 6,
     .last = {0x50000000, 0x44},
     .checksum = 0x88,
     .sha256 = "10519742bc9152768b27ac2ba0057957f402b7ec5bc99b7ea13835ab7f3d973b",
     .version = "2.4.8"},
};

static uint32_t length(const char *text)
{
    uint32_t size = 0;

    while (text[size] != '\0') {
        size++;
    }
    return size;
}

/* Check an image from its file; false when there is none. */
static bool check_file(const char *name, struct upd_image_checker *checker, uint32_t piece_size)
{
    char path[512];
    const char *parts[] = {check_shared(), "/corpus/img/", name};
    uint32_t at = 0;
    int32_t got = 0;

    for (uint32_t i = 0; i < 3; i++) {
        uint32_t size = length(parts[i]);
        if (size >= sizeof path - at) {
            return false;
        }
        memcpy(path + at, parts[i], size + 1);
        at += size;
    }
    CHECK_THAT(name, upd_image_begin(checker, NULL) == UPD_OK);
    for (uint32_t offset = 0;; offset += (uint32_t)got) {
        got = check_read(path, offset, piece, piece_size);
        if (got <= 0) {
            break;
        }
        CHECK_THAT(name, upd_image_feed(checker, piece, (uint32_t)got) == UPD_OK);
    }
    return got == 0;
}

static void check_row(const struct row *row, const struct upd_image_info *info)
{
    const struct upd_image_segment *last = &info->segments[row->segment_count - 1];
    uint32_t digests = UPD_IMAGE_HAS_CHECKSUM;

    digests |= row->crc32 != 0 ? UPD_IMAGE_HAS_CRC32 : 0;
    digests |= row->sha256 != NULL ? UPD_IMAGE_HAS_SHA256 : 0;
    CHECK_THAT(row->name, info->complete && info->problem == UPD_IMAGE_OK);
    CHECK_THAT(row->name, info->format == row->format && info->chip == row->chip);
    CHECK_THAT(row->name, info->size == row->size && info->image_size == row->size);
    CHECK_THAT(row->name, info->entry == row->entry && info->slot == row->slot);
    CHECK_THAT(row->name, info->flash_mode == row->flash_mode);
    CHECK_THAT(row->name, (info->flash_size << 4 | info->flash_freq) == row->flash_codes);
    CHECK_THAT(row->name, info->segment_count == row->segment_count);
    CHECK_THAT(row->name, last->address == row->last.address && last->size == row->last.size);
    CHECK_THAT(row->name, info->digests == digests);
    CHECK_THAT(row->name, info->checksum_computed == row->checksum);
    CHECK_THAT(row->name, info->crc32_computed == row->crc32);
    CHECK_THAT(row->name, row->sha256 == NULL || hex_is(info->sha256_computed, 32, row->sha256));
    CHECK_THAT(row->name, row->version == NULL ||
                              memcmp(info->version, row->version, length(row->version) + 1) == 0);
}

static void test_real_images_are_described(void)
{
    struct upd_image_checker checker;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        /* Pieces of a prime size, so that no field is ever at the same place in one. */
        if (!check_file(rows[i].name, &checker, i % 2 == 0 ? sizeof piece : 1459)) {
            check_skip("no real images in corpus/img/ of the folder that UPDRAFT_SHARED names");
            return;
        }
        CHECK_THAT(rows[i].name, upd_image_end(&checker) == UPD_OK);
        check_row(&rows[i], &checker.info);
    }
}

int main(void)
{
    CHECK_RUN(test_real_images_are_described);
    check_end();
}
