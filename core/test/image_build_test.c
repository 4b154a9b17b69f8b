/*
 * Goal: the builder writes what the SDK's generator writes, and nothing from a recipe that the chip
 * could not run. Method: the documented image of 100 bytes, byte for byte; every boot mode through
 * the checker, which shares no code with the builder; each fault of a recipe by itself.
 */
#include <updraft/bytes.h>
#include <updraft/image.h>
#include <updraft/image_build.h>

#include "check.h"

static const uint8_t text[8] = {0xDE, 0xAD, 0xBE, 0xEF, 0x00, 0x11, 0x22, 0x33};
static const uint8_t data[4] = "data";
static const uint8_t rodata[8] = "rodata\0";
static const uint8_t irom[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

static const struct upd_image_recipe user1 = {
    .boot = UPD_IMAGE_BOOT_NEW,
    .entry = 0x40100004,
    .text = {0x40100000, sizeof text, text},
    .data = {0x3FFE8000, sizeof data, data},
    .rodata = {0x3FFE8004, sizeof rodata, rodata},
    .irom = {0, sizeof irom, irom},
    .slot = 1,
    .flash_map = 2,
};

/* docs/formats/image.md, "A small image". */
static const uint8_t documented[100] = {
    0xEA, 0x04, 0x00, 0x01, 0x04, 0x00, 0x10, 0x40, 0x00, 0x00, 0x00, 0x00, 0x10, 0x00, 0x00,
    0x00, 0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0A, 0x0B, 0x0C, 0x0D,
    0x0E, 0x0F, 0xE9, 0x03, 0x00, 0x20, 0x04, 0x00, 0x10, 0x40, 0x00, 0x00, 0x10, 0x40, 0x08,
    0x00, 0x00, 0x00, 0xDE, 0xAD, 0xBE, 0xEF, 0x00, 0x11, 0x22, 0x33, 0x00, 0x80, 0xFE, 0x3F,
    0x04, 0x00, 0x00, 0x00, 0x64, 0x61, 0x74, 0x61, 0x04, 0x80, 0xFE, 0x3F, 0x08, 0x00, 0x00,
    0x00, 0x72, 0x6F, 0x64, 0x61, 0x74, 0x61, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0xD0, 0x08, 0xA4, 0xDF, 0x66,
};

/* Where built images go; the largest of these tests is an image for boot v1.1. */
static uint8_t image[0x10000 + 64];
static uint32_t image_size;
static uint32_t room; /* write() fails when an image becomes larger */

static enum upd_err keep(void *ctx, const void *bytes, uint32_t size)
{
    CHECK(ctx == image && size > 0);
    if (size > room - image_size) {
        return UPD_E_IO;
    }
    memcpy(image + image_size, bytes, size);
    image_size += size;
    return UPD_OK;
}

static enum upd_err build(const struct upd_image_recipe *recipe)
{
    uint32_t size = 0;
    enum upd_err err = UPD_OK;

    image_size = 0;
    room = sizeof image;
    err = upd_image_build(recipe, keep, image, &size);
    CHECK(size == image_size);
    return err;
}

static void test_the_documented_image_is_built_byte_for_byte(void)
{
    static const uint8_t user2_crc[4] = {0xD3, 0x75, 0x72, 0x6B};
    struct upd_image_recipe recipe = user1;

    CHECK(build(&recipe) == UPD_OK && image_size == sizeof documented);
    CHECK(memcmp(image, documented, sizeof documented) == 0);

    recipe.slot = 2;
    CHECK(build(&recipe) == UPD_OK && image_size == sizeof documented);
    CHECK(image[3] == 2 && memcmp(image + 96, user2_crc, sizeof user2_crc) == 0);
    image[3] = 1;
    CHECK(memcmp(image, documented, 96) == 0);
}

/* The pieces of an image for boot v1.1 stand where its loader looks for them. */
static void test_an_old_image_has_its_irom_at_64_kib(void)
{
    struct upd_image_recipe recipe = user1;

    recipe.boot = UPD_IMAGE_BOOT_OLD;
    recipe.slot = 2;
    recipe.irom.size = 13; /* not padded here */
    CHECK(build(&recipe) == UPD_OK && image_size == 0x10000 + 13 + 4);
    CHECK(image[0] == 0xE9 && image[1] == 3 && image[2] == 0 && image[3] == 2);
    CHECK(memcmp(image + 4, documented + 36, 60) == 0);
    for (uint32_t i = 64; i < 0x10000; i++) {
        CHECK(image[i] == 0xFF);
    }
    CHECK(memcmp(image + 0x10000, irom, 13) == 0);
}

static void test_without_boot_loader_there_is_but_the_ram_part(void)
{
    struct upd_image_recipe recipe = user1;

    recipe.boot = UPD_IMAGE_BOOT_NONE;
    recipe.slot = 0;
    recipe.flash_mode = 2;
    recipe.flash_freq = 15;
    recipe.flash_map = 6;
    CHECK(build(&recipe) == UPD_OK && image_size == 64);
    CHECK(image[2] == 2 && image[3] == 0x6F);
    CHECK(memcmp(image + 4, documented + 36, 60) == 0);
    recipe.flash_map = 1;
    CHECK(build(&recipe) == UPD_OK && image[3] == 0x1F);
    CHECK(upd_image_build(&recipe, keep, image, NULL) == UPD_OK);
}

/* Goal: the checker takes every image built, with every length of each section, so with every
 * padding; and it reads back what the recipe says. */
static void test_the_checker_takes_what_is_built(void)
{
    static const enum upd_image_format formats[] = {
        [UPD_IMAGE_BOOT_NONE] = UPD_FORMAT_ESP8266_V1,
        [UPD_IMAGE_BOOT_OLD] = UPD_FORMAT_ESP8266_V1_SLOT,
        [UPD_IMAGE_BOOT_NEW] = UPD_FORMAT_ESP8266_V2,
    };
    struct upd_image_recipe recipe = user1;
    struct upd_image_checker checker;

    for (uint32_t boot = 0; boot < 3; boot++) {
        for (uint32_t sizes = 0; sizes < 8 * 8 * 16; sizes += boot == UPD_IMAGE_BOOT_OLD ? 7 : 1) {
            recipe.boot = (enum upd_image_boot)boot;
            recipe.slot = boot == UPD_IMAGE_BOOT_NONE ? 0 : 1 + sizes % 2;
            recipe.text.size = 5 + sizes % 4;
            recipe.data.size = 1 + sizes / 4 % 4;
            recipe.rodata.size = 1 + sizes / 8 % 8;
            recipe.irom.size = 1 + sizes / 64;
            CHECK(build(&recipe) == UPD_OK);
            CHECK(upd_image_begin(&checker, NULL) == UPD_OK);
            CHECK(upd_image_feed(&checker, image, image_size) == UPD_OK);
            CHECK(upd_image_end(&checker) == UPD_OK);
            CHECK(checker.info.format == formats[boot] && checker.info.slot == recipe.slot);
            CHECK(checker.info.entry == recipe.entry && checker.info.size == image_size);
        }
    }
}

static void test_a_failing_write_ends_the_work(void)
{
    uint32_t size = 0;

    for (uint32_t limit = 0; limit < sizeof documented; limit++) {
        image_size = 0;
        room = limit;
        CHECK(upd_image_build(&user1, keep, image, &size) == UPD_E_IO);
        CHECK(image_size <= limit && memcmp(image, documented, image_size) == 0);
    }
}

/* One field of the recipe is wrong: [offset, offset + size) of it holds `value`. */
#define WRONG(field, value)                                                                        \
    offsetof(struct upd_image_recipe, field), sizeof(((struct upd_image_recipe *)0)->field), value

static const struct {
    const char *name;
    size_t offset, size;
    uint32_t value;
    enum upd_image_boot boot;
    enum upd_image_recipe_fault fault;
} faults[] = {
    {"boot mode", WRONG(boot, 3), UPD_IMAGE_BOOT_NEW, UPD_IMAGE_RECIPE_BOOT},
    {"no slot", WRONG(slot, 0), UPD_IMAGE_BOOT_NEW, UPD_IMAGE_RECIPE_SLOT},
    {"third slot", WRONG(slot, 3), UPD_IMAGE_BOOT_NEW, UPD_IMAGE_RECIPE_SLOT},
    {"third slot, old", WRONG(slot, 3), UPD_IMAGE_BOOT_OLD, UPD_IMAGE_RECIPE_SLOT},
    {"slot without boot loader", WRONG(slot, 1), UPD_IMAGE_BOOT_NONE, UPD_IMAGE_RECIPE_SLOT},
    {"mode 4", WRONG(flash_mode, 4), UPD_IMAGE_BOOT_NEW, UPD_IMAGE_RECIPE_FLASH_MODE},
    {"frequency 3", WRONG(flash_freq, 3), UPD_IMAGE_BOOT_NEW, UPD_IMAGE_RECIPE_FLASH_FREQ},
    {"frequency 14", WRONG(flash_freq, 14), UPD_IMAGE_BOOT_NEW, UPD_IMAGE_RECIPE_FLASH_FREQ},
    {"frequency 16", WRONG(flash_freq, 16), UPD_IMAGE_BOOT_NEW, UPD_IMAGE_RECIPE_FLASH_FREQ},
    {"map 1 with slots", WRONG(flash_map, 1), UPD_IMAGE_BOOT_NEW, UPD_IMAGE_RECIPE_FLASH_MAP},
    {"map 7", WRONG(flash_map, 7), UPD_IMAGE_BOOT_NEW, UPD_IMAGE_RECIPE_FLASH_MAP},
    {"map 7, old", WRONG(flash_map, 7), UPD_IMAGE_BOOT_OLD, UPD_IMAGE_RECIPE_FLASH_MAP},
    {"map 10", WRONG(flash_map, 10), UPD_IMAGE_BOOT_NEW, UPD_IMAGE_RECIPE_FLASH_MAP},
    {"no text", WRONG(text.size, 0), UPD_IMAGE_BOOT_NEW, UPD_IMAGE_RECIPE_TEXT},
    {"text before IRAM", WRONG(text.address, 0x400FFFFC), UPD_IMAGE_BOOT_NEW,
     UPD_IMAGE_RECIPE_TEXT},
    {"text after IRAM", WRONG(text.address, 0x4010BFFC), UPD_IMAGE_BOOT_NEW, UPD_IMAGE_RECIPE_TEXT},
    {"text around", WRONG(text.size, 0xFFFFFFFF), UPD_IMAGE_BOOT_NEW, UPD_IMAGE_RECIPE_TEXT},
    {"no data", WRONG(data.size, 0), UPD_IMAGE_BOOT_NEW, UPD_IMAGE_RECIPE_DATA},
    {"data in IRAM", WRONG(data.address, 0x40100100), UPD_IMAGE_BOOT_NEW, UPD_IMAGE_RECIPE_DATA},
    {"data at the end of RAM", WRONG(data.address, 0x3FFFBFFE), UPD_IMAGE_BOOT_NEW,
     UPD_IMAGE_RECIPE_DATA},
    {"no rodata", WRONG(rodata.size, 0), UPD_IMAGE_BOOT_NEW, UPD_IMAGE_RECIPE_RODATA},
    {"rodata nowhere", WRONG(rodata.address, 0), UPD_IMAGE_BOOT_NEW, UPD_IMAGE_RECIPE_RODATA},
    {"entry before text", WRONG(entry, 0x400FFFFF), UPD_IMAGE_BOOT_NEW, UPD_IMAGE_RECIPE_ENTRY},
    {"entry after text", WRONG(entry, 0x40100008), UPD_IMAGE_BOOT_NEW, UPD_IMAGE_RECIPE_ENTRY},
    {"no irom", WRONG(irom.size, 0), UPD_IMAGE_BOOT_NEW, UPD_IMAGE_RECIPE_IROM},
    {"irom around", WRONG(irom.size, 0xFFFFFFFF), UPD_IMAGE_BOOT_NEW, UPD_IMAGE_RECIPE_SLOT_SIZE},
    {"irom around, old", WRONG(irom.size, 0xFFFFFFFF), UPD_IMAGE_BOOT_OLD,
     UPD_IMAGE_RECIPE_SLOT_SIZE},
};

static void test_faults_of_a_recipe_are_told_and_nothing_is_written(void)
{
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        struct upd_image_recipe recipe = user1;
        uint8_t narrow = (uint8_t)faults[i].value;
        uint32_t size = 99;

        recipe.boot = faults[i].boot;
        recipe.slot = recipe.boot == UPD_IMAGE_BOOT_NONE ? 0 : 1;
        CHECK_THAT(faults[i].name, upd_image_recipe_check(&recipe) == UPD_IMAGE_RECIPE_OK);
        memcpy((uint8_t *)&recipe + faults[i].offset,
               faults[i].size == 1 ? (const void *)&narrow : &faults[i].value, faults[i].size);
        CHECK_THAT(faults[i].name, upd_image_recipe_check(&recipe) == faults[i].fault);
        image_size = 0;
        CHECK_THAT(faults[i].name, upd_image_build(&recipe, keep, image, &size) == UPD_E_ARG);
        CHECK_THAT(faults[i].name, image_size == 0 && size == 99);
    }
}

/* Goal: the slot is filled to its last byte, and not beyond; likewise the 64 KiB of an old image's
 * RAM part. Bytes are counted, not kept. */
static uint32_t counted;

static enum upd_err count(void *ctx, const void *bytes, uint32_t size)
{
    CHECK(ctx == NULL && bytes != NULL);
    counted += size;
    return UPD_OK;
}

static void test_a_slot_is_filled_to_its_last_byte(void)
{
    static uint8_t bytes[0x8000];
    static const struct {
        uint8_t map;
        uint32_t slot;
    } maps[] = {{0, 0x3B000}, {2, 0x7B000}, {3, 0x7B000}, {4, 0x7B000},
                {5, 0xFB000}, {6, 0xFB000}, {8, 0xFB000}, {9, 0xFB000}};

    for (size_t i = 0; i < sizeof maps / sizeof maps[0]; i++) {
        struct upd_image_recipe recipe = user1;

        recipe.flash_map = maps[i].map;
        /* 16 + irom + 64 + 4: the irom part is padded to 16, so 12 bytes of the slot stay free. */
        recipe.irom.size = maps[i].slot - 96;
        CHECK(upd_image_recipe_check(&recipe) == UPD_IMAGE_RECIPE_OK);
        recipe.irom.size++;
        CHECK(upd_image_recipe_check(&recipe) == UPD_IMAGE_RECIPE_SLOT_SIZE);
        recipe.boot = UPD_IMAGE_BOOT_OLD;
        recipe.irom.size = maps[i].slot - 0x10004;
        CHECK(upd_image_recipe_check(&recipe) == UPD_IMAGE_RECIPE_OK);
        recipe.irom.size++;
        CHECK(upd_image_recipe_check(&recipe) == UPD_IMAGE_RECIPE_SLOT_SIZE);
    }

    struct upd_image_recipe full = user1;

    full.boot = UPD_IMAGE_BOOT_OLD;
    full.text.data = full.data.data = full.rodata.data = bytes;
    full.text.size = 0x6000;
    full.data.size = 0x8000;
    full.rodata.size = 0x2000 - 32 - 1 - 3;
    CHECK(upd_image_build(&full, count, NULL, NULL) == UPD_OK);
    CHECK(counted == 0x10000 + sizeof irom + 4);
    full.rodata.size += 4;
    CHECK(upd_image_recipe_check(&full) == UPD_IMAGE_RECIPE_RAM_SIZE);
}

static void test_every_fault_has_its_text(void)
{
#define X(name, text)                                                                              \
    CHECK(memcmp(upd_image_recipe_fault_text(UPD_IMAGE_RECIPE_##name), text, sizeof text) == 0);
    UPD_IMAGE_RECIPE_FAULTS(X)
#undef X
    CHECK(memcmp(upd_image_recipe_fault_text((enum upd_image_recipe_fault)99), "unknown fault",
                 sizeof "unknown fault") == 0);
}

int main(void)
{
    CHECK_RUN(test_the_documented_image_is_built_byte_for_byte);
    CHECK_RUN(test_an_old_image_has_its_irom_at_64_kib);
    CHECK_RUN(test_without_boot_loader_there_is_but_the_ram_part);
    CHECK_RUN(test_the_checker_takes_what_is_built);
    CHECK_RUN(test_a_failing_write_ends_the_work);
    CHECK_RUN(test_faults_of_a_recipe_are_told_and_nothing_is_written);
    CHECK_RUN(test_every_fault_has_its_text);
    CHECK_RUN(test_a_slot_is_filled_to_its_last_byte);
    check_end();
}
