/*
 * Goal: every kind of image is recognised and described; whatever is wrong with one, or with it for
 * its place, is refused for the right reason, at the right offset, as early as its bytes allow, and
 * however they were cut into pieces.
 * Method: a small image of each kind, composed by make_image_vectors.py, which shares no code with
 * core: whole, cut into pieces anywhere, cut short anywhere, changed in every byte; and tables of
 * lies, each one small change of such an image.
 */
#include <updraft/bytes.h>
#include <updraft/image.h>
#include <updraft/image_info.h>

#include "check.h"
#include "hex.h"

/* Of images up to this size every position is tried, of larger ones about as many. */
enum { SMALL = 600 };

static uint8_t sample[0x10000 + 64];
static uint32_t sample_size;

static void load(const char *name)
{
    char path[sizeof UPD_VECTORS + 40] = UPD_VECTORS "/image/";
    char *at = path + sizeof UPD_VECTORS - 1 + 7;
    int32_t size = 0;

    while (*name != '\0') {
        *at++ = *name++;
    }
    memcpy(at, ".bin", 5);
    size = check_load(path, sample, sizeof sample - 2);
    CHECK_THAT(path, size > 0);
    sample_size = size > 0 ? (uint32_t)size : 0;
}

/* The distance of the positions that are tried. */
static uint32_t stride(void)
{
    return sample_size <= SMALL ? 1 : sample_size / (SMALL / 2);
}

/* Padding counts too: a checker begins as zeros, and is copied whole. */
static bool same(const void *one, const void *other, size_t size)
{
    return memcmp(one, other, size) == 0;
}

/* The problems that a test expected and saw. */
static bool produced[100];

static bool is_problem(const struct upd_image_info *info, enum upd_image_problem problem,
                       uint32_t offset)
{
    produced[problem] = true;
    return info->problem == problem && info->problem_offset == offset && !info->complete;
}

/* The whole sample in one piece. */
static enum upd_err check_sample(struct upd_image_checker *checker,
                                 const struct upd_image_options *options)
{
    enum upd_err err = upd_image_begin(checker, options);

    if (err == UPD_OK) {
        err = upd_image_feed(checker, sample, sample_size);
    }
    return err == UPD_OK ? upd_image_end(checker) : err;
}

/* The sample byte by byte: how many bytes it took until it was refused, 0 when it was in the end.
 */
static uint32_t bytes_until_refused(struct upd_image_checker *checker,
                                    const struct upd_image_options *options)
{
    enum upd_err err = upd_image_begin(checker, options);

    CHECK(err == UPD_OK);
    for (uint32_t i = 0; i < sample_size; i++) {
        err = upd_image_feed(checker, sample + i, 1);
        CHECK(err == upd_image_problem_err(checker->info.problem));
        if (err != UPD_OK) {
            return i + 1;
        }
    }
    CHECK(upd_image_end(checker) == upd_image_problem_err(checker->info.problem));
    return 0;
}

/*
 * Truths.
 */

enum { CHECKSUM = UPD_IMAGE_HAS_CHECKSUM, CRC = UPD_IMAGE_HAS_CRC32, SHA = UPD_IMAGE_HAS_SHA256 };
enum { UNTOLD = UPD_IMAGE_UNTOLD };

static const struct truth {
    const char *name;
    enum upd_image_format format;
    enum upd_chip chip;
    uint32_t size, image_size;
    uint32_t entry, loader_entry;
    uint32_t link;
    uint8_t slot;
    uint8_t mode, freq, flash_size;
    uint8_t loader_segments, segment_count;
    struct upd_image_segment last;
    uint8_t digests;
    uint8_t checksum;
    uint32_t crc32;
    const char *sha256;
    uint8_t descriptor;
    uint8_t signature, signature_blocks;
    bool signature_digest;
} truths[] = {
    {.name = "v1",
     .format = UPD_FORMAT_ESP8266_V1,
     .chip = UPD_CHIP_ESP8266,
     .size = 64,
     .image_size = 64,
     .entry = 0x40100004,
     .flash_size = 2,
     .segment_count = 3,
     .last = {0x3FFE8004, 8},
     .digests = CHECKSUM,
     .checksum = 0xD0},
    {.name = "v1-slot",
     .format = UPD_FORMAT_ESP8266_V1_SLOT,
     .chip = UPD_CHIP_ESP8266,
     .size = 0x10014,
     .image_size = 0x10014,
     .entry = 0x40100004,
     .slot = 2,
     .mode = UNTOLD,
     .freq = UNTOLD,
     .flash_size = UNTOLD,
     .segment_count = 4,
     .last = {0, 16},
     .digests = CHECKSUM | CRC,
     .checksum = 0xD0,
     .crc32 = 0x332469AA},
    {.name = "v2-sdk",
     .format = UPD_FORMAT_ESP8266_V2,
     .chip = UPD_CHIP_ESP8266,
     .size = 100,
     .image_size = 100,
     .entry = 0x40100004,
     .slot = 1,
     .flash_size = 2,
     .segment_count = 4,
     .last = {0x3FFE8004, 8},
     .digests = CHECKSUM | CRC,
     .checksum = 0xD0,
     .crc32 = 0x66DFA408},
    {.name = "v2-rboot",
     .format = UPD_FORMAT_ESP8266_V2,
     .chip = UPD_CHIP_ESP8266,
     .size = 96,
     .image_size = 96,
     .entry = 0x40100004,
     .flash_size = 2,
     .segment_count = 4,
     .last = {0x3FFE8004, 8},
     .digests = CHECKSUM,
     .checksum = 0xD0},
    {.name = "v2-esptool",
     .format = UPD_FORMAT_ESP8266_V2,
     .chip = UPD_CHIP_ESP8266,
     .size = 100,
     .image_size = 100,
     .entry = 0x40100004,
     .flash_size = 4,
     .segment_count = 4,
     .last = {0x3FFE8004, 8},
     .digests = CHECKSUM | CRC,
     .checksum = 0xD0,
     .crc32 = 0x62C0F7B3},
    {.name = "rtos",
     .format = UPD_FORMAT_ESP8266_V3,
     .chip = UPD_CHIP_ESP8266,
     .size = 352,
     .image_size = 352,
     .entry = 0x40210100,
     .link = 0x40210010,
     .mode = 2,
     .flash_size = 3,
     .segment_count = 3,
     .last = {0x40100000, 16},
     .digests = CHECKSUM | SHA,
     .checksum = 0xC4,
     .sha256 = "749f38b5e4272e6a6ac71eca07a00fd6c6c6368863d88759e4933d174625101e",
     .descriptor = UPD_IMAGE_APP_DESCRIPTOR},
    {.name = "arduino",
     .format = UPD_FORMAT_ARDUINO,
     .chip = UPD_CHIP_ESP8266,
     .size = 4224,
     .image_size = 4224,
     .entry = 0x40100008,
     .loader_entry = 0x4010F480,
     .link = 0x40201010,
     .mode = 2,
     .flash_size = 4,
     .loader_segments = 2,
     .segment_count = 7,
     .last = {0x3FFE8010, 6},
     .digests = CHECKSUM | CRC,
     .checksum = 0x92,
     .crc32 = 0xB01B0353},
    {.name = "arduino-signed",
     .format = UPD_FORMAT_ARDUINO,
     .chip = UPD_CHIP_ESP8266,
     .size = 4484,
     .image_size = 4224,
     .entry = 0x40100008,
     .loader_entry = 0x4010F480,
     .link = 0x40201010,
     .mode = 2,
     .flash_size = 4,
     .loader_segments = 2,
     .segment_count = 7,
     .last = {0x3FFE8010, 6},
     .digests = CHECKSUM | CRC,
     .checksum = 0x92,
     .crc32 = 0xB01B0353,
     .signature = UPD_IMAGE_ARDUINO_SIGNED},
/* What the images of the ESP32 family have in common. */
#define FAMILY(first, mapped_chip, address)                                                        \
    .name = (first), .format = UPD_FORMAT_ESP32, .chip = UPD_CHIP_##mapped_chip,                   \
    .entry = (address), .mode = 2, .flash_size = 2, .segment_count = 2, .last = {(address), 16},   \
    .descriptor = UPD_IMAGE_APP_DESCRIPTOR
#define SHA_ESP32 "622fe5b4ce3118e45dec99a0c356c5da9a1952c3d6d0d8a5e2432b597da4d5d9"
    {FAMILY("esp32", ESP32, 0x40080000), .size = 352, .image_size = 352, .digests = CHECKSUM | SHA,
     .checksum = 0xC0, .sha256 = SHA_ESP32},
    {FAMILY("esp32c3", ESP32C3, 0x4037C000), .size = 352, .image_size = 352,
     .digests = CHECKSUM | SHA, .checksum = 0xC0,
     .sha256 = "594efa7a33d66aaef463c0949c0c572434a1993c232a5b4e7d3d612fdfabfa71"},
    {FAMILY("esp32s3", ESP32S3, 0x40374000), .size = 352, .image_size = 352,
     .digests = CHECKSUM | SHA, .checksum = 0xC0,
     .sha256 = "8edb442fe98e48ebc06711f6f8d4edf3260d9101327cce74254009b4c8cf3bc8"},
    {FAMILY("esp32c6", ESP32C6, 0x40800000), .size = 352, .image_size = 352,
     .digests = CHECKSUM | SHA, .checksum = 0xDF,
     .sha256 = "7abc74e8cf21704872591119b40661e4717ce89fbd6ba9b33f1104e561359381"},
    {FAMILY("esp32-unhashed", ESP32, 0x40080000), .size = 320, .image_size = 320,
     .digests = CHECKSUM, .checksum = 0xC0},
    {.name = "esp32-loader",
     .format = UPD_FORMAT_ESP32,
     .chip = UPD_CHIP_ESP32,
     .size = 192,
     .image_size = 192,
     .entry = 0x40080400,
     .mode = 2,
     .flash_size = 2,
     .segment_count = 2,
     .last = {0x40080400, 32},
     .digests = CHECKSUM | SHA,
     .checksum = 0x94,
     .sha256 = "2c212692ded84f56a3755e36635ca3e01fe5cb3afe2a67ad60bc0697a066c309",
     .descriptor = UPD_IMAGE_LOADER_DESCRIPTOR},
    {FAMILY("signed-v1", ESP32, 0x40080000), .size = 420, .image_size = 352,
     .digests = CHECKSUM | SHA, .checksum = 0xC0, .sha256 = SHA_ESP32,
     .signature = UPD_IMAGE_SECURE_BOOT_V1},
    {FAMILY("signed-ecdsa", ESP32, 0x40080000), .size = 8192, .image_size = 352,
     .digests = CHECKSUM | SHA, .checksum = 0xC0, .sha256 = SHA_ESP32,
     .signature = UPD_IMAGE_SECURE_BOOT_ECDSA, .signature_blocks = 1, .signature_digest = true},
    {.name = "signed-aligned",
     .format = UPD_FORMAT_ESP32,
     .chip = UPD_CHIP_ESP32,
     .size = 8192,
     .image_size = 4096,
     .entry = 0x40080000,
     .mode = 2,
     .flash_size = 2,
     .segment_count = 2,
     .last = {0x40080000, 3764},
     .digests = CHECKSUM | SHA,
     .checksum = 0xC0,
     .sha256 = "0355912bf729922cf2060fd61d7f2e284abb6924b5cf9ff1d7ee46781c47c84e",
     .descriptor = UPD_IMAGE_APP_DESCRIPTOR,
     .signature = UPD_IMAGE_SECURE_BOOT_ECDSA,
     .signature_blocks = 1,
     .signature_digest = true},
    {FAMILY("signed-p384", ESP32, 0x40080000), .size = 8192, .image_size = 352,
     .digests = CHECKSUM | SHA, .checksum = 0xC0, .sha256 = SHA_ESP32,
     .signature = UPD_IMAGE_SECURE_BOOT_ECDSA, .signature_blocks = 1},
    {FAMILY("signed-three", ESP32, 0x40080000), .size = 8192, .image_size = 320,
     .digests = CHECKSUM, .checksum = 0xC0, .signature = UPD_IMAGE_SECURE_BOOT_RSA,
     .signature_blocks = 3, .signature_digest = true},
};
enum { TRUTHS = sizeof truths / sizeof truths[0] };

static void check_truth(const struct truth *truth, const struct upd_image_info *info)
{
    const struct upd_image_segment *last = &info->segments[truth->segment_count - 1];
    bool app = truth->descriptor == UPD_IMAGE_APP_DESCRIPTOR;

    CHECK_THAT(truth->name, info->complete && info->problem == UPD_IMAGE_OK);
    CHECK_THAT(truth->name, info->format == truth->format && info->chip == truth->chip);
    CHECK_THAT(truth->name, info->size == truth->size && info->image_size == truth->image_size);
    CHECK_THAT(truth->name, info->entry == truth->entry);
    CHECK_THAT(truth->name, info->loader_entry == truth->loader_entry);
    CHECK_THAT(truth->name, info->link == truth->link && info->slot == truth->slot);
    CHECK_THAT(truth->name, info->flash_mode == truth->mode && info->flash_freq == truth->freq);
    CHECK_THAT(truth->name, info->flash_size == truth->flash_size);
    CHECK_THAT(truth->name, info->segment_count == truth->segment_count);
    CHECK_THAT(truth->name, info->loader_segments == truth->loader_segments);
    CHECK_THAT(truth->name, last->address == truth->last.address && last->size == truth->last.size);
    CHECK_THAT(truth->name, info->digests == truth->digests);
    CHECK_THAT(truth->name, info->checksum_stored == truth->checksum);
    CHECK_THAT(truth->name, info->checksum_computed == truth->checksum);
    CHECK_THAT(truth->name, info->crc32_stored == truth->crc32);
    CHECK_THAT(truth->name, info->crc32_computed == truth->crc32);
    CHECK_THAT(truth->name, memcmp(info->sha256_stored, info->sha256_computed, 32) == 0);
    if (truth->sha256 != NULL) {
        CHECK_THAT(truth->name, hex_is(info->sha256_stored, 32, truth->sha256));
    }
    CHECK_THAT(truth->name, info->descriptor == truth->descriptor);
    CHECK_THAT(truth->name, memcmp(info->version, app ? "1.2.3" : "", app ? 6 : 1) == 0);
    CHECK_THAT(truth->name, info->signature == truth->signature);
    CHECK_THAT(truth->name, info->signature_blocks == truth->signature_blocks);
    CHECK_THAT(truth->name, info->signature_digest == truth->signature_digest);
}

static void test_each_kind_is_described(void)
{
    struct upd_image_checker checker;

    for (size_t i = 0; i < TRUTHS; i++) {
        load(truths[i].name);
        CHECK_THAT(truths[i].name, check_sample(&checker, NULL) == UPD_OK);
        check_truth(&truths[i], &checker.info);
    }
}

/* The fields of single families. */
static void test_the_fields_of_a_family_are_told(void)
{
    static const uint8_t pins[4] = {0xEE, 0, 0, 0};
    struct upd_image_checker checker;
    struct upd_image_info *info = &checker.info;

    load("esp32c6");
    CHECK(check_sample(&checker, NULL) == UPD_OK);
    CHECK(info->min_revision == 1 && info->max_revision == 99 && info->min_revision_legacy == 0);
    CHECK(info->min_efuse_revision == 0 && info->max_efuse_revision == 99);
    CHECK(info->mmu_page == 15 && info->spi_mode == 3 && info->secure_version == 0);
    CHECK(memcmp(info->pins, pins, sizeof pins) == 0 && info->mapped);

    load("esp32-loader");
    CHECK(check_sample(&checker, NULL) == UPD_OK);
    CHECK(info->secure_version == 7 && !info->mapped);

    load("rtos");
    CHECK(check_sample(&checker, NULL) == UPD_OK);
    CHECK(info->max_efuse_revision == 0 && info->mmu_page == 0 && info->spi_mode == 0);

    load("arduino-signed");
    CHECK(check_sample(&checker, NULL) == UPD_OK);
    CHECK(info->signature_offset == 4224 && info->signature_size == 256);

    load("signed-v1");
    CHECK(check_sample(&checker, NULL) == UPD_OK);
    CHECK(info->signature_offset == 352 && info->signature_size == 68);

    load("signed-three");
    CHECK(check_sample(&checker, NULL) == UPD_OK);
    CHECK(info->signature_offset == 4096 && info->signature_size == 4096);
}

static void test_the_descriptor_is_handed_over_as_it_is(void)
{
    uint8_t descriptor[256];
    struct upd_image_options options = {.descriptor = descriptor};
    struct upd_image_checker checker;

    load("esp32");
    CHECK(bytes_until_refused(&checker, &options) == 0 && checker.info.complete);
    CHECK(memcmp(descriptor, sample + 32, 256) == 0);
    load("rtos");
    CHECK(check_sample(&checker, &options) == UPD_OK);
    CHECK(memcmp(descriptor, sample + 16, 256) == 0);
    load("esp32-loader");
    CHECK(check_sample(&checker, &options) == UPD_OK);
    CHECK(memcmp(descriptor, sample + 32, 80) == 0);

    /* Without its magic word it is none, and tells no version. */
    load("esp32");
    sample[32] ^= 1;
    CHECK(upd_image_begin(&checker, NULL) == UPD_OK);
    CHECK(upd_image_feed(&checker, sample, 300) == UPD_OK);
    CHECK(checker.info.descriptor == UPD_IMAGE_NO_DESCRIPTOR && checker.info.version[0] == '\0');
}

/* Goal: what an image is does not depend on how its bytes arrive. Method: every cut into two pieces
 * (the first of which is fed byte by byte), against one piece. */
static void test_pieces_of_any_size_give_the_same(void)
{
    struct upd_image_checker whole, bytes, rest;

    for (size_t i = 0; i < TRUTHS; i++) {
        load(truths[i].name);
        CHECK(check_sample(&whole, NULL) == UPD_OK);
        CHECK(upd_image_begin(&bytes, NULL) == UPD_OK);
        for (uint32_t cut = 0; cut <= sample_size; cut++) {
            if (cut % stride() == 0 || cut == sample_size) {
                rest = bytes;
                CHECK_THAT(truths[i].name,
                           upd_image_feed(&rest, sample + cut, sample_size - cut) == UPD_OK);
                CHECK_THAT(truths[i].name, upd_image_end(&rest) == UPD_OK);
                CHECK_THAT(truths[i].name, same(&rest.info, &whole.info, sizeof rest.info));
            }
            CHECK(upd_image_feed(&bytes, sample + cut, cut < sample_size ? 1 : 0) == UPD_OK);
        }
    }
}

/*
 * Cut short.
 */

/* Cuts that leave a complete image of another kind, which no checker can know. */
static const struct {
    const char *name;
    uint32_t size;
    enum upd_image_format format;
} complete_cuts[] = {
    {"v1-slot", 64, UPD_FORMAT_ESP8266_V1},       /* byte 3 is read as a flash size and frequency */
    {"v2-esptool", 96, UPD_FORMAT_ESP8266_V2},    /* as rBoot's images */
    {"arduino-signed", 4224, UPD_FORMAT_ARDUINO}, /* unsigned, as all of the following */
    {"signed-v1", 352, UPD_FORMAT_ESP32},         {"signed-ecdsa", 352, UPD_FORMAT_ESP32},
    {"signed-p384", 352, UPD_FORMAT_ESP32},       {"signed-three", 320, UPD_FORMAT_ESP32},
    {"signed-aligned", 4096, UPD_FORMAT_ESP32},
};

static bool same_text(const char *one, const char *other)
{
    while (*one != '\0' && *one == *other) {
        one++;
        other++;
    }
    return *one == *other;
}

static bool is_complete_cut(const char *name, uint32_t size, const struct upd_image_info *info)
{
    for (size_t i = 0; i < sizeof complete_cuts / sizeof complete_cuts[0]; i++) {
        if (same_text(name, complete_cuts[i].name) && size == complete_cuts[i].size) {
            return info->complete && info->format == complete_cuts[i].format &&
                   info->signature == UPD_IMAGE_UNSIGNED && info->size == size;
        }
    }
    return false;
}

/* What is left of the sample after a cut is refused, unless it is in the table above. */
static void check_cut(const char *name, uint32_t size, const struct upd_image_info *info)
{
    if (info->complete) {
        CHECK_THAT(name, is_complete_cut(name, size, info));
    } else if (size == 0) {
        CHECK_THAT(name, is_problem(info, UPD_IMAGE_EMPTY, 0));
    } else if (size >= 0x10004 && same_text(name, "v1-slot")) {
        /* Its length is told by nothing, so its last four bytes are taken for the CRC-32. */
        CHECK_THAT(name, is_problem(info, UPD_IMAGE_CRC32, size - 4));
    } else if (size > 4224 && same_text(name, "arduino-signed")) {
        CHECK_THAT(name, is_problem(info, UPD_IMAGE_TRAILING, 4224));
    } else {
        CHECK_THAT(name, is_problem(info, UPD_IMAGE_TRUNCATED, size));
    }
}

static void test_an_image_cut_short_is_refused(void)
{
    struct upd_image_checker bytes, cut;

    for (size_t i = 0; i < TRUTHS; i++) {
        load(truths[i].name);
        CHECK(upd_image_begin(&bytes, NULL) == UPD_OK);
        for (uint32_t size = 0; size < sample_size; size++) {
            cut = bytes;
            CHECK(upd_image_end(&cut) == upd_image_problem_err(cut.info.problem));
            check_cut(truths[i].name, size, &cut.info);
            CHECK(upd_image_feed(&bytes, sample + size, 1) == UPD_OK);
        }
    }
}

/* Goal: with the size announced, the answer is the same, and comes before the bytes end; and so
 * does that to a sender who sends more or less than he announced. */
static void test_an_announced_size_is_used_early(void)
{
    struct upd_image_checker checker;
    struct upd_image_options options = {.size = 0};

    for (size_t i = 0; i < TRUTHS; i++) {
        load(truths[i].name);
        for (uint32_t size = 1; size < sample_size; size += stride()) {
            uint32_t whole = sample_size;

            options.size = size;
            sample_size = size;
            CHECK(check_sample(&checker, &options) != UPD_OK || checker.info.complete);
            check_cut(truths[i].name, size, &checker.info);
            sample_size = whole;
            /* And with all the bytes, which are too many. */
            CHECK_THAT(truths[i].name, check_sample(&checker, &options) != UPD_OK);
            CHECK_THAT(truths[i].name, checker.info.problem == UPD_IMAGE_TRAILING ||
                                           checker.info.problem == UPD_IMAGE_TRUNCATED);
            CHECK_THAT(truths[i].name, checker.info.problem_offset == size);
        }
        options.size = sample_size;
        CHECK_THAT(truths[i].name, check_sample(&checker, &options) == UPD_OK);
        check_truth(&truths[i], &checker.info);
        options.size = sample_size + 1;
        CHECK_THAT(truths[i].name, check_sample(&checker, &options) == UPD_E_SHORT);
        CHECK_THAT(truths[i].name, is_problem(&checker.info, UPD_IMAGE_TRUNCATED, sample_size));
    }

    /* The second segment ends beyond what was announced: known with its header. */
    load("esp32");
    options.size = 351;
    CHECK(bytes_until_refused(&checker, &options) == 296);
    CHECK(is_problem(&checker.info, UPD_IMAGE_TRUNCATED, 351));
    /* In a signed image no part is cut, but one byte more comes than was announced. */
    load("signed-v1");
    options.size = 352;
    CHECK(bytes_until_refused(&checker, &options) == 353);
    CHECK(is_problem(&checker.info, UPD_IMAGE_TRAILING, 352));
    CHECK(check_sample(&checker, &options) == UPD_E_FORMAT);
    CHECK(is_problem(&checker.info, UPD_IMAGE_TRAILING, 352));
}

/*
 * Changed.
 */

/* Where the checksum that covers a segment is, and whether there is one. */
static bool checksum_offset(const struct upd_image_info *info, uint8_t index, uint32_t *offset)
{
    uint32_t last = index < info->loader_segments ? info->loader_segments : info->segment_count;
    struct upd_image_range range = {0, 0};

    if (info->segments[index].address == 0) {
        return false; /* irom */
    }
    while (info->segments[last - 1].address == 0) {
        last--;
    }
    CHECK(upd_image_segment_range(info, (uint8_t)(last - 1), &range) == UPD_OK);
    *offset = (range.offset + range.size) | 15;
    return true;
}

/* A changed byte at `at` is refused: within a segment by the checksum that covers it. */
static void check_change(const char *name, const struct upd_image_info *good, uint32_t at,
                         const struct upd_image_info *changed)
{
    struct upd_image_range range = {0, 0};
    uint32_t offset = 0;

    CHECK_THAT(name, changed->problem != UPD_IMAGE_OK && !changed->complete);
    CHECK_THAT(name, changed->problem_offset <= good->size);
    for (uint8_t i = 0; upd_image_segment_range(good, i, &range) == UPD_OK; i++) {
        bool words = good->format == UPD_FORMAT_ARDUINO && at >= 0x1010 && at < 0x1018;
        bool page = good->chip == UPD_CHIP_ESP32C6 && at == 32 + 180;

        if (at < range.offset || at >= range.offset + range.size || words || page) {
            continue;
        }
        if (checksum_offset(good, i, &offset)) {
            CHECK_THAT(name, is_problem(changed, UPD_IMAGE_CHECKSUM, offset));
        } else {
            CHECK_THAT(name, is_problem(changed, UPD_IMAGE_CRC32, good->size - 4));
        }
    }
}

static bool is_covered(const struct upd_image_info *info, uint32_t at)
{
    struct upd_image_range range = {0, 0};

    for (uint8_t i = 0; upd_image_covered(info, i, &range) == UPD_OK; i++) {
        if (at >= range.offset && at < range.offset + range.size) {
            return true;
        }
    }
    return false;
}

/* Goal: a change of any one byte that a digest covers is refused. Method: each byte, each bit of it
 * and all its bits; what is in front of it is fed once. */
static void test_a_changed_byte_is_refused(void)
{
    struct upd_image_checker good, bytes, changed;

    for (size_t i = 0; i < TRUTHS; i++) {
        load(truths[i].name);
        CHECK(check_sample(&good, NULL) == UPD_OK);
        CHECK(upd_image_begin(&bytes, NULL) == UPD_OK);
        for (uint32_t at = 0; at < sample_size; at++) {
            if (at % stride() == 0 && is_covered(&good.info, at)) {
                for (uint32_t mask = 1; mask <= 256; mask *= 2) {
                    uint8_t kept = sample[at];

                    sample[at] ^= (uint8_t)(mask < 256 ? mask : 0xFF);
                    changed = bytes;
                    (void)!upd_image_feed(&changed, sample + at, sample_size - at);
                    CHECK(upd_image_end(&changed) == upd_image_problem_err(changed.info.problem));
                    check_change(truths[i].name, &good.info, at, &changed.info);
                    sample[at] = kept;
                }
            }
            CHECK(upd_image_feed(&bytes, sample + at, 1) == UPD_OK);
        }
    }
}

/*
 * Lies: a sample with some bytes changed, and with bytes added, and what comes of it.
 */

/* A change: `size` bytes at `offset`. */
#define AT(offset, text) (offset), sizeof(text) - 1, (text)
#define ADD(text) sizeof(text) - 1, (text)
#define AS_IS 0, 0, NULL
#define NO_MORE 0, NULL

static const struct lie {
    const char *name;
    const char *sample;
    uint32_t offset, size;
    const char *bytes;
    uint32_t more_size; /* bytes behind the sample */
    const char *more;
    enum upd_image_problem problem;
    uint32_t problem_offset;
    uint32_t seen; /* bytes until it is refused; 0: when there are no more */
} lies[] = {
#define LIE(name, sample, change, more, problem, offset, seen)                                     \
    {                                                                                              \
        name, sample, change, more, UPD_IMAGE_##problem, offset, seen                              \
    }
    LIE("no magic", "v1", AT(0, "\0"), NO_MORE, MAGIC, 0, 1),
    LIE("an ELF file", "v1",
        AT(0, "\x7F"
              "ELF"),
        NO_MORE, MAGIC, 0, 1),
    LIE("erased flash", "v1", AT(0, "\xFF\xFF"), NO_MORE, MAGIC, 0, 1),
    LIE("EA without 04", "v2-sdk", AT(1, "\x03"), NO_MORE, MAGIC, 1, 2),
    LIE("gzip", "v1", AT(0, "\x1F\x8B"), NO_MORE, COMPRESSED, 0, 2),
    LIE("half of gzip", "v1", AT(0, "\x1F\x8C"), NO_MORE, MAGIC, 1, 2),
    LIE("no segments", "v1", AT(1, "\0"), NO_MORE, SEGMENT_COUNT, 1, 2),
    LIE("17 segments", "esp32", AT(1, "\x11"), NO_MORE, SEGMENT_COUNT, 1, 2),
    LIE("255 segments", "rtos", AT(1, "\xFF"), NO_MORE, SEGMENT_COUNT, 1, 2),
    LIE("no inner segments", "v2-sdk", AT(0x21, "\0"), NO_MORE, SEGMENT_COUNT, 0x21, 0x22),
    LIE("irom and 16 more", "v2-sdk", AT(0x21, "\x10"), NO_MORE, SEGMENT_COUNT, 0x21, 0x22),
    LIE("15 behind the loader's", "arduino", AT(0x1001, "\x0F"), NO_MORE, SEGMENT_COUNT, 0x1001,
        0x1002),
    LIE("mode 4, ESP8266", "v1", AT(2, "\x04"), NO_MORE, FLASH_CODE, 2, 12),
    LIE("mode 4, inner", "v2-sdk", AT(0x22, "\x04"), NO_MORE, FLASH_CODE, 0x22, 0x24),
    LIE("mode 4, sketch", "arduino", AT(0x1002, "\x04"), NO_MORE, FLASH_CODE, 0x1002, 0x1004),
    LIE("mode 6, ESP32", "esp32", AT(2, "\x06"), NO_MORE, FLASH_CODE, 2, 12),
    LIE("frequency 3", "rtos", AT(3, "\x33"), NO_MORE, FLASH_CODE, 3, 12),
    LIE("frequency 14", "esp32", AT(3, "\x2E"), NO_MORE, FLASH_CODE, 3, 12),
    LIE("size 10, ESP8266", "v1", AT(3, "\xA0"), NO_MORE, FLASH_CODE, 3, 12),
    LIE("size 8, ESP32", "esp32", AT(3, "\x80"), NO_MORE, FLASH_CODE, 3, 12),
    LIE("entry in data RAM", "v1", AT(4, "\0\x80\xFE\x3F"), NO_MORE, ENTRY, 4, 12),
    LIE("entry in ROM", "arduino", AT(4, "\0\0\0\x40"), NO_MORE, ENTRY, 4, 12),
    LIE("outer entry 0", "v2-sdk", AT(4, "\0\0\0\0"), NO_MORE, ENTRY, 4, 8),
    LIE("inner entry beyond flash", "v2-sdk", AT(0x24, "\0\0\x30\x40"), NO_MORE, ENTRY, 0x24, 0x28),
    LIE("entry beyond IRAM, sketch", "arduino", AT(0x1004, "\0\0\x11\x40"), NO_MORE, ENTRY, 0x1004,
        0x1008),
    LIE("chip 1", "esp32", AT(12, "\x01"), NO_MORE, CHIP, 12, 14),
    LIE("chip 0xFFFF", "esp32", AT(12, "\xFF\xFF"), NO_MORE, CHIP, 12, 14),
    LIE("chip 0x0105", "esp32c3", AT(13, "\x01"), NO_MORE, CHIP, 12, 14),
    LIE("no load address", "v1", AT(8, "\0\0\0\0"), NO_MORE, CHIP, 12, 14),
    LIE("hash flag 2", "esp32", AT(23, "\x02"), NO_MORE, HASH_FLAG, 23, 24),
    LIE("no inner image", "v2-sdk", AT(0x20, "\xEA"), NO_MORE, INNER_MAGIC, 0x20, 0x21),
    LIE("no sketch", "arduino", AT(0x1000, "\xFF"), NO_MORE, INNER_MAGIC, 0x1000, 0x1001),
    LIE("segment in ROM", "v1", AT(8, "\0\0\0\x40"), NO_MORE, SEGMENT_ADDRESS, 8, 12),
    LIE("segment in peripherals", "v1", AT(8, "\0\0\x00\x3F"), NO_MORE, SEGMENT_ADDRESS, 8, 12),
    LIE("2nd segment in flash, v1", "v1", AT(24, "\x10\x10\x20\x40"), NO_MORE, SEGMENT_ADDRESS, 24,
        28),
    LIE("2nd segment in flash, v2", "v2-sdk", AT(0x38, "\x10\x10\x20\x40"), NO_MORE,
        SEGMENT_ADDRESS, 0x38, 0x3C),
    LIE("segment below data RAM", "v1", AT(24, "\xFC\x7F\xFE\x3F"), NO_MORE, SEGMENT_ADDRESS, 24,
        28),
    LIE("segment out of IRAM", "v1", AT(12, "\x04\0\x01\0"), NO_MORE, SEGMENT_ADDRESS, 12, 16),
    LIE("segment out of data RAM", "v1", AT(24, "\xFC\xFF\xFF\x3F\x08\0\0\0"), NO_MORE,
        SEGMENT_ADDRESS, 28, 32),
    LIE("segment out of flash", "rtos", AT(12, "\0\0\x0F\0"), NO_MORE, SEGMENT_ADDRESS, 12, 16),
    LIE("irom in RAM", "v2-sdk", AT(8, "\0\0\x10\x40"), NO_MORE, SEGMENT_ADDRESS, 8, 12),
    LIE("irom out of the window", "v2-sdk", AT(12, "\x10\0\x10\0"), NO_MORE, SEGMENT_ADDRESS, 12,
        16),
    LIE("irom not behind the words", "arduino", AT(0x1008, "\x20"), NO_MORE, SEGMENT_ADDRESS,
        0x1008, 0x100C),
    LIE("segment of 6 bytes", "v1", AT(12, "\x06"), NO_MORE, SEGMENT_ALIGN, 12, 16),
    LIE("segment of 257 bytes", "esp32", AT(28, "\x01"), NO_MORE, SEGMENT_ALIGN, 28, 32),
    LIE("irom of 20 bytes", "v2-sdk", AT(12, "\x14"), NO_MORE, SEGMENT_ALIGN, 12, 16),
    LIE("segment of 16 MiB", "esp32", AT(28, "\0\0\0\x01"), NO_MORE, SEGMENT_SIZE, 28, 32),
    LIE("segment around the end", "esp32", AT(28, "\xFC\xFF\xFF\xFF"), NO_MORE, SEGMENT_SIZE, 28,
        32),
    LIE("segment around, v1", "v1", AT(12, "\xFC\xFF\xFF\xFF"), NO_MORE, SEGMENT_SIZE, 12, 16),
    LIE("segment longer than the file", "esp32", AT(28, "\xFC\xFF\xFF\x00"), NO_MORE, TRUNCATED,
        352, 0),
    LIE("segment off its page", "esp32", AT(24, "\x24"), NO_MORE, SEGMENT_MAP, 24, 28),
    LIE("code off its page", "esp32", AT(288, "\0\0\x0D\x40"), NO_MORE, SEGMENT_MAP, 288, 292),
    LIE("page of 64 KiB in the descriptor", "esp32c6", AT(32 + 180, "\x10"), NO_MORE, SEGMENT_MAP,
        24, 288),
    LIE("no filler, loader's", "arduino", AT(0xFFF, "\xAB"), NO_MORE, FILLER, 0xFFF, 0x1000),
    LIE("no filler, first byte", "arduino", AT(64, "\0"), NO_MORE, FILLER, 64, 65),
    LIE("no filler, irom's", "v1-slot", AT(0x8000, "\xFE"), NO_MORE, FILLER, 0x8000, 0x8001),
    LIE("length too small", "arduino", AT(0x1010, "\x70"), NO_MORE, LENGTH, 0x1010, 0x106D),
    LIE("length too large", "arduino", AT(0x1010, "\x90"), NO_MORE, LENGTH, 0x1010, 0x1079),
    LIE("length less than irom", "arduino", AT(0x1010, "\x20"), NO_MORE, LENGTH, 0x1010, 0x1018),
    LIE("length zero", "arduino", AT(0x1010, "\0\0"), NO_MORE, LENGTH, 0x1010, 0x1018),
    LIE("irom without words", "arduino", AT(0x100C, "\x04"), NO_MORE, LENGTH, 0x100C, 0x1010),
    LIE("checksum", "v1", AT(63, "\xD1"), NO_MORE, CHECKSUM, 63, 64),
    LIE("checksum of the loader", "arduino", AT(63, "\0"), NO_MORE, CHECKSUM, 63, 64),
    LIE("checksum of the sketch", "arduino", AT(4223, "\0"), NO_MORE, CHECKSUM, 4223, 4224),
    LIE("CRC-32, SDK", "v2-sdk", AT(96, "\x09"), NO_MORE, CRC32, 96, 100),
    LIE("CRC-32, esptool", "v2-esptool", AT(99, "\0"), NO_MORE, CRC32, 96, 100),
    LIE("CRC-32, Arduino", "arduino", AT(0x1014, "\0"), NO_MORE, CRC32, 0x1014, 4224),
    LIE("CRC-32, slot", "v1-slot", AT(0x10010, "\0"), NO_MORE, CRC32, 0x10010, 0),
    LIE("CRC-32, loader's entry", "arduino", AT(4, "\0"), NO_MORE, CRC32, 0x1014, 4224),
    LIE("SHA-256", "esp32", AT(351, "\0"), NO_MORE, SHA256, 320, 352),
    LIE("SHA-256, RTOS", "rtos", AT(320, "\0"), NO_MORE, SHA256, 320, 352),
    LIE("SHA-256, WP pin", "esp32", AT(8, "\0"), NO_MORE, SHA256, 320, 352),
    LIE("one byte more, v1", "v1", AS_IS, ADD("\0"), TRAILING, 64, 65),
    LIE("no slot's image", "v1", AS_IS, ADD("\xFF"), TRAILING, 64, 65),
    LIE("one byte more, SDK", "v2-sdk", AS_IS, ADD("\0"), TRAILING, 100, 101),
    LIE("one byte more, rBoot", "v2-rboot", AS_IS, ADD("\0"), TRUNCATED, 97, 0),
    LIE("four bytes more, rBoot", "v2-rboot", AS_IS, ADD("\0\0\0\0"), CRC32, 96, 100),
    LIE("one byte more, RTOS", "rtos", AS_IS, ADD("\xFF"), TRAILING, 352, 353),
    LIE("one byte more, ESP32", "esp32", AS_IS, ADD("\x01"), TRAILING, 352, 353),
    LIE("one FF more, ESP32", "esp32", AS_IS, ADD("\xFF"), TRUNCATED, 353, 0),
    LIE("one 00 more, C3", "esp32c3", AS_IS, ADD("\0"), TRAILING, 352, 353),
    LIE("no v1 signature", "esp32", AS_IS, ADD("\0\0\0\x01"), TRAILING, 352, 356),
    LIE("one byte more, v1 signature", "signed-v1", AS_IS, ADD("\0"), TRAILING, 420, 421),
    LIE("one byte more, v2 signature", "signed-ecdsa", AS_IS, ADD("\xFF"), TRAILING, 8192, 8193),
    LIE("one byte more, Arduino", "arduino", AS_IS, ADD("\0"), TRAILING, 4224, 0),
    LIE("one byte more, Arduino signed", "arduino-signed", AS_IS, ADD("\0"), TRAILING, 4224, 0),
    LIE("length of a signature", "arduino-signed", AT(4480, "\xFF\0"), NO_MORE, TRAILING, 4224, 0),
    LIE("another image, RTOS", "rtos", AS_IS, ADD("\xE9"), JOINED, 352, 353),
    LIE("another image, ESP32", "esp32", AS_IS, ADD("\xE9"), JOINED, 352, 353),
    LIE("another image, SDK", "v2-sdk", AS_IS, ADD("\xEA"), JOINED, 100, 101),
    LIE("another image, v1", "v1", AS_IS, ADD("\xE9"), JOINED, 64, 65),
    LIE("no sector", "signed-ecdsa", AT(4096, "\xE8"), NO_MORE, TRAILING, 352, 4097),
    LIE("no FF before the sector", "signed-ecdsa", AT(4000, "\0"), NO_MORE, FILLER, 4000, 4001),
    LIE("block version 1", "signed-ecdsa", AT(4097, "\x01"), NO_MORE, SIGNATURE, 4097, 4100),
    LIE("block version 4", "signed-ecdsa", AT(4097, "\x04"), NO_MORE, SIGNATURE, 4097, 4100),
    LIE("hash 2", "signed-ecdsa", AT(4098, "\x02"), NO_MORE, SIGNATURE, 4097, 4100),
    LIE("hash 1 of RSA", "signed-three", AT(4098, "\x01"), NO_MORE, SIGNATURE, 4097, 4100),
    LIE("byte 3 of a block", "signed-p384", AT(4099, "\x01"), NO_MORE, SIGNATURE, 4097, 4100),
    LIE("second block's magic", "signed-three", AT(4096 + 1216, "\0"), NO_MORE, SIGNATURE,
        4096 + 1216, 4096 + 1217),
    LIE("digest of a block", "signed-ecdsa", AT(4100 + 31, "\0"), NO_MORE, SIGNATURE_DIGEST, 4100,
        4132),
    LIE("digest of the last block", "signed-three", AT(4096 + 2432 + 4, "\0"), NO_MORE,
        SIGNATURE_DIGEST, 4096 + 2432 + 4, 4096 + 2432 + 5),
    LIE("image of an unhashed one", "signed-three", AT(319 - 4, "\x01"), NO_MORE, SIGNATURE_DIGEST,
        4100, 4101),
    LIE("CRC-32 of a block", "signed-p384", AT(4096 + 1196, "\0"), NO_MORE, SIGNATURE_CRC,
        4096 + 1196, 4096 + 1200),
    LIE("key in a block", "signed-p384", AT(4096 + 60, "\0"), NO_MORE, SIGNATURE_CRC, 4096 + 1196,
        4096 + 1200),
    LIE("no zeros behind a block", "signed-ecdsa", AT(4096 + 1215, "\x01"), NO_MORE, FILLER,
        4096 + 1215, 4096 + 1216),
    LIE("no FF behind one block", "signed-ecdsa", AT(8191, "\xFE"), NO_MORE, FILLER, 8191, 8192),
    LIE("fourth block", "signed-three", AT(4096 + 3648, "\xE7"), NO_MORE, FILLER, 4096 + 3648,
        4096 + 3649),
};

/* The sample of a lie, and the lie in it. */
static void tell(const struct lie *lie)
{
    load(lie->sample);
    if (lie->bytes != NULL) {
        memcpy(sample + lie->offset, lie->bytes, lie->size);
    }
    if (lie->more != NULL) {
        memcpy(sample + sample_size, lie->more, lie->more_size);
        sample_size += lie->more_size;
    }
}

static void test_lies_are_refused_as_early_as_can_be(void)
{
    struct upd_image_checker checker;

    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        const struct lie *lie = &lies[i];

        tell(lie);
        CHECK_THAT(lie->name, bytes_until_refused(&checker, NULL) == lie->seen);
        CHECK_THAT(lie->name, is_problem(&checker.info, lie->problem, lie->problem_offset));
        CHECK_THAT(lie->name, check_sample(&checker, NULL) == upd_image_problem_err(lie->problem));
        CHECK_THAT(lie->name, is_problem(&checker.info, lie->problem, lie->problem_offset));
        /* Refused is refused. */
        CHECK_THAT(lie->name, upd_image_feed(&checker, sample, 1) != UPD_OK);
        CHECK_THAT(lie->name, upd_image_end(&checker) != UPD_OK);
        CHECK_THAT(lie->name, is_problem(&checker.info, lie->problem, lie->problem_offset));
        CHECK_THAT(lie->name, !upd_image_wants_more(&checker));
    }
}

/* Goal: what follows an Arduino image is a signature when its last word says how long it is, and a
 * signature has that length; too many bytes for any are refused before the last one comes. */
static void test_an_arduino_signature_has_a_length(void)
{
    static const uint32_t good[] = {128, 256, 512, 1024};
    static const uint32_t bad[] = {0, 1, 64, 127, 1025};
    struct upd_image_checker checker;

    for (size_t i = 0; i < sizeof good / sizeof good[0] + sizeof bad / sizeof bad[0]; i++) {
        bool is_good = i < sizeof good / sizeof good[0];
        uint32_t size = is_good ? good[i] : bad[i - sizeof good / sizeof good[0]];

        load("arduino");
        memset(sample + sample_size, 0x5A, size);
        upd_put_le32(sample + sample_size + size, size);
        sample_size += size + 4;
        CHECK(check_sample(&checker, NULL) == (is_good ? UPD_OK : UPD_E_FORMAT));
        if (is_good) {
            CHECK(checker.info.signature == UPD_IMAGE_ARDUINO_SIGNED);
            CHECK(checker.info.signature_size == size && checker.info.size == 4224 + size + 4);
        } else {
            CHECK(is_problem(&checker.info, UPD_IMAGE_TRAILING, 4224));
        }
    }
    memset(sample + 4224, 0, 4096);
    sample_size = 4224 + 4096;
    CHECK(bytes_until_refused(&checker, NULL) == 4224 + 1029);
    CHECK(is_problem(&checker.info, UPD_IMAGE_TRAILING, 4224));
}

/* A loader part that would reach over the sketch: no field of the sample can be made so by a small
 * change. */
static void test_a_loader_part_beyond_its_sector_is_refused(void)
{
    static uint8_t zeros[0x1000];
    struct upd_image_checker checker;
    uint8_t last = 0xEF;

    load("arduino");
    upd_put_le32(sample + 12, 0xFF0); /* the first segment */
    sample[1] = 1;
    CHECK(upd_image_begin(&checker, NULL) == UPD_OK);
    CHECK(upd_image_feed(&checker, sample, 16) == UPD_OK);
    CHECK(upd_image_feed(&checker, zeros, 0xFF0) == UPD_OK);
    CHECK(upd_image_feed(&checker, zeros, 15) == UPD_OK);
    CHECK(upd_image_feed(&checker, &last, 1) == UPD_E_FORMAT);
    CHECK(is_problem(&checker.info, UPD_IMAGE_INNER_MAGIC, 0x1000));
}

/*
 * The place that an image is meant for.
 */

enum base { USER1, RTOS_SLOT, ESP32_SLOT, C6_SLOT, SKETCH, LOADER };

static const struct upd_image_target bases[] = {
    [USER1] = {.chip = UPD_CHIP_ESP8266,
               .place = UPD_PLACE_NONOS,
               .offset = 0x1000,
               .size = 0x7B000,
               .flash_size = 0x100000,
               .slot = 1,
               .flash_map = 2},
    [RTOS_SLOT] = {.chip = UPD_CHIP_ESP8266,
                   .place = UPD_PLACE_PARTITION,
                   .offset = 0x10000,
                   .size = 0xF0000,
                   .flash_size = 0x200000,
                   .flash_mode = 2},
    [ESP32_SLOT] = {.chip = UPD_CHIP_ESP32,
                    .place = UPD_PLACE_PARTITION,
                    .offset = 0x10000,
                    .size = 0x100000,
                    .flash_size = 0x400000,
                    .chip_revision = 300,
                    .flash_mode = 2},
    [C6_SLOT] = {.chip = UPD_CHIP_ESP32C6,
                 .place = UPD_PLACE_PARTITION,
                 .offset = 0x1F0000,
                 .size = 0x100000,
                 .flash_size = 0x400000,
                 .chip_revision = 1,
                 .efuse_revision = 99,
                 .flash_mode = 2},
    [SKETCH] = {.chip = UPD_CHIP_ESP8266,
                .place = UPD_PLACE_SKETCH,
                .size = 0x100000,
                .flash_size = 0x400000,
                .flash_mode = 2},
    [LOADER] = {.chip = UPD_CHIP_ESP8266,
                .place = UPD_PLACE_LOADER,
                .size = 0x1000,
                .flash_size = 0x100000},
};

/* One field of a target, changed to `value`. */
#define FIELD(field, value)                                                                        \
    offsetof(struct upd_image_target, field), sizeof(((struct upd_image_target *)0)->field), (value)
#define NO_FIELD 0, 0, 0

static const struct fit {
    const char *name;
    const char *sample;
    enum base base;
    size_t field_offset, field_size;
    uint32_t value;
    enum upd_image_problem problem;
    uint32_t offset;
    uint32_t seen; /* bytes until the checker refuses, when the target is asked while streaming */
} fits[] = {
#define FIT(name, sample, base, change, problem, offset, seen)                                     \
    {                                                                                              \
        name, sample, base, change, UPD_IMAGE_##problem, offset, seen                              \
    }
    FIT("user1", "v2-sdk", USER1, NO_FIELD, OK, 0, 0),
    FIT("user1, filled", "v2-sdk", USER1, FIELD(size, 100), OK, 0, 0),
    FIT("user1, too small", "v2-sdk", USER1, FIELD(size, 99), TOO_LARGE, 99, 76),
    FIT("user1, any size", "v2-sdk", USER1, FIELD(size, UPD_IMAGE_ANY_SIZE), OK, 0, 0),
    FIT("no size", "v2-sdk", USER1, FIELD(size, 0), TOO_LARGE, 0, 1),
    FIT("user2", "v2-sdk", USER1, FIELD(slot, 2), WRONG_SLOT, 3, 4),
    FIT("no slot asked", "v2-sdk", USER1, FIELD(slot, 0), WRONG_SLOT, 3, 4),
    FIT("map 3", "v2-sdk", USER1, FIELD(flash_map, 3), WRONG_MAP, 0x23, 0x24),
    FIT("map 5", "v2-sdk", USER1, FIELD(flash_map, 5), WRONG_MAP, 0x23, 0x24),
    FIT("any map", "v2-sdk", USER1, FIELD(flash_map, UPD_IMAGE_ANY), OK, 0, 0),
    FIT("512 KiB chip", "v2-sdk", USER1, FIELD(flash_size, 0x80000), FLASH_TOO_SMALL, 0x23, 0x24),
    FIT("QOUT", "v2-sdk", USER1, FIELD(flash_mode, 1), WRONG_FLASH_MODE, 0x22, 0x24),
    FIT("any mode", "v2-sdk", USER1, FIELD(flash_mode, UPD_IMAGE_ANY), OK, 0, 0),
    FIT("ESP32", "v2-sdk", USER1, FIELD(chip, UPD_CHIP_ESP32), WRONG_CHIP, 0, 1),
    FIT("no chip", "v2-sdk", USER1, FIELD(chip, UPD_CHIP_NONE), WRONG_CHIP, 0, 1),
    FIT("no place", "v2-sdk", USER1, FIELD(place, UPD_PLACE_NONE), WRONG_FORMAT, 0, 4),
    FIT("end of the window", "v2-sdk", USER1, FIELD(offset, 0xFFF9C), OK, 0, 0),
    FIT("beyond the window", "v2-sdk", USER1, FIELD(offset, 0x1FFF9D), WINDOW, 99, 76),
    FIT("rBoot's", "v2-rboot", USER1, NO_FIELD, NO_SLOT, 3, 4),
    FIT("rBoot's, no slot asked", "v2-rboot", USER1, FIELD(slot, 0), NO_SLOT, 3, 4),
    FIT("esptool's", "v2-esptool", USER1, NO_FIELD, NO_SLOT, 3, 4),
    FIT("boot v1.1's", "v1-slot", USER1, FIELD(slot, 2), OK, 0, 0),
    FIT("boot v1.1's, user1", "v1-slot", USER1, NO_FIELD, WRONG_SLOT, 3, 12),
    FIT("boot v1.1's, too small", "v1-slot", USER1, FIELD(size, 0x8000), WRONG_SLOT, 3, 12),
    FIT("boot loader", "v1", USER1, NO_FIELD, WRONG_FORMAT, 0, 12),
    FIT("RTOS", "rtos", USER1, NO_FIELD, WRONG_FORMAT, 0, 12),
    FIT("sketch", "arduino", USER1, NO_FIELD, WRONG_FORMAT, 0, 12),
    FIT("ESP32's", "esp32", USER1, NO_FIELD, WRONG_CHIP, 12, 14),

    FIT("ota_0", "rtos", RTOS_SLOT, NO_FIELD, OK, 0, 0),
    FIT("ota_1 in the next MiB", "rtos", RTOS_SLOT, FIELD(offset, 0x110000), OK, 0, 0),
    FIT("ota_1 of 1 MiB", "rtos", RTOS_SLOT, FIELD(offset, 0x80000), WRONG_LINK, 8, 12),
    FIT("entry outside", "rtos", RTOS_SLOT, FIELD(size, 0xF0), WRONG_LINK, 4, 12),
    FIT("entry inside", "rtos", RTOS_SLOT, FIELD(size, 0xF1), TOO_LARGE, 0xF1, 16),
    FIT("1 MiB chip", "rtos", RTOS_SLOT, FIELD(flash_size, 0x100000), FLASH_TOO_SMALL, 3, 12),
    FIT("DOUT", "rtos", RTOS_SLOT, FIELD(flash_mode, 3), WRONG_FLASH_MODE, 2, 12),
    FIT("SDK's", "v2-sdk", RTOS_SLOT, NO_FIELD, WRONG_FORMAT, 0, 4),
    FIT("C3 in RTOS slot", "esp32c3", RTOS_SLOT, NO_FIELD, WRONG_CHIP, 12, 14),

    FIT("app", "esp32", ESP32_SLOT, NO_FIELD, OK, 0, 0),
    FIT("signed app", "signed-ecdsa", ESP32_SLOT, NO_FIELD, OK, 0, 0),
    FIT("signed app, filled", "signed-ecdsa", ESP32_SLOT, FIELD(size, 8192), OK, 0, 0),
    FIT("signature too large", "signed-ecdsa", ESP32_SLOT, FIELD(size, 8191), TOO_LARGE, 8191,
        4097),
    FIT("v1 signature too large", "signed-v1", ESP32_SLOT, FIELD(size, 419), TOO_LARGE, 419, 356),
    FIT("2 MiB chip", "esp32", ESP32_SLOT, FIELD(flash_size, 0x200000), FLASH_TOO_SMALL, 3, 14),
    FIT("QIO", "esp32", ESP32_SLOT, FIELD(flash_mode, 0), WRONG_FLASH_MODE, 2, 14),
    FIT("revision 3.99", "esp32", ESP32_SLOT, FIELD(chip_revision, 399), OK, 0, 0),
    FIT("revision 4.0", "esp32", ESP32_SLOT, FIELD(chip_revision, 400), CHIP_TOO_NEW, 17, 19),
    FIT("any revision", "esp32", ESP32_SLOT, FIELD(chip_revision, UPD_IMAGE_ANY_REVISION), OK, 0,
        0),
    FIT("secure version 1", "esp32", ESP32_SLOT, FIELD(secure_version, 1), ROLLBACK, 36, 288),
    FIT("C3", "esp32c3", ESP32_SLOT, NO_FIELD, WRONG_CHIP, 12, 14),
    FIT("S3", "esp32s3", ESP32_SLOT, FIELD(chip, UPD_CHIP_ESP32C3), WRONG_CHIP, 12, 14),
    FIT("loader", "esp32-loader", ESP32_SLOT, NO_FIELD, NOT_AN_APP, 28, 32),
    FIT("an ESP8266's", "rtos", ESP32_SLOT, NO_FIELD, WRONG_CHIP, 0, 12),
    FIT("as loader", "esp32-loader", ESP32_SLOT, FIELD(place, UPD_PLACE_LOADER), OK, 0, 0),
    FIT("app as loader", "esp32", ESP32_SLOT, FIELD(place, UPD_PLACE_LOADER), WRONG_FORMAT, 0, 28),

    FIT("app, C6", "esp32c6", C6_SLOT, NO_FIELD, OK, 0, 0),
    FIT("revision 0.0", "esp32c6", C6_SLOT, FIELD(chip_revision, 0), CHIP_TOO_OLD, 15, 19),
    FIT("eFuse 1.0", "esp32c6", C6_SLOT, FIELD(efuse_revision, 100), EFUSE_REVISION, 208, 288),
    FIT("any eFuse", "esp32c6", C6_SLOT, FIELD(efuse_revision, UPD_IMAGE_ANY_REVISION), OK, 0, 0),

    FIT("sketch", "arduino", SKETCH, NO_FIELD, OK, 0, 0),
    FIT("signed sketch", "arduino-signed", SKETCH, NO_FIELD, OK, 0, 0),
    FIT("sketch, filled", "arduino", SKETCH, FIELD(size, 4224), OK, 0, 0),
    FIT("sketch, too small", "arduino", SKETCH, FIELD(size, 4223), TOO_LARGE, 4223, 0x1018),
    FIT("signature, too small", "arduino-signed", SKETCH, FIELD(size, 4483), TOO_LARGE, 4483, 4484),
    FIT("2 MiB chip, sketch", "arduino", SKETCH, FIELD(flash_size, 0x200000), FLASH_TOO_SMALL, 3,
        12),
    FIT("QIO, sketch", "arduino", SKETCH, FIELD(flash_mode, 0), WRONG_FLASH_MODE, 2, 12),
    FIT("SDK's for a sketch", "v2-sdk", SKETCH, NO_FIELD, WRONG_FORMAT, 0, 4),

    FIT("boot loader in its sector", "v1", LOADER, NO_FIELD, OK, 0, 0),
    FIT("slot's image as loader", "v2-sdk", LOADER, NO_FIELD, WRONG_FORMAT, 0, 4),
    FIT("anything", "v2-rboot", LOADER, FIELD(place, UPD_PLACE_ANY), OK, 0, 0),
    FIT("anything, chip asked", "esp32", LOADER, FIELD(place, UPD_PLACE_ANY), WRONG_CHIP, 12, 14),
};

static struct upd_image_target target_of(const struct fit *fit)
{
    struct upd_image_target target = bases[fit->base];
    uint8_t *field = (uint8_t *)&target + fit->field_offset;
    uint16_t half = (uint16_t)fit->value;
    uint8_t byte = (uint8_t)fit->value;

    if (fit->field_size == sizeof byte) {
        memcpy(field, &byte, sizeof byte);
    } else if (fit->field_size == sizeof half) {
        memcpy(field, &half, sizeof half);
    } else {
        memcpy(field, &fit->value, fit->field_size);
    }
    return target;
}

static void test_a_checked_image_is_judged_for_its_place(void)
{
    struct upd_image_checker checker;
    uint32_t offset = 1;

    for (size_t i = 0; i < sizeof fits / sizeof fits[0]; i++) {
        const struct upd_image_target target = target_of(&fits[i]);

        load(fits[i].sample);
        CHECK_THAT(fits[i].name, check_sample(&checker, NULL) == UPD_OK);
        CHECK_THAT(fits[i].name,
                   upd_image_fits(&checker.info, &target, &offset) == fits[i].problem);
        CHECK_THAT(fits[i].name, offset == fits[i].offset);
        CHECK_THAT(fits[i].name, upd_image_fits(&checker.info, &target, NULL) == fits[i].problem);
    }
}

/* Goal: a writer is told before it erases more. The answers are those of the test before. */
static void test_the_place_is_asked_while_streaming(void)
{
    struct upd_image_checker checker;

    for (size_t i = 0; i < sizeof fits / sizeof fits[0]; i++) {
        const struct fit *fit = &fits[i];
        const struct upd_image_target target = target_of(fit);
        struct upd_image_options options = {.target = &target};

        load(fit->sample);
        CHECK_THAT(fit->name, bytes_until_refused(&checker, &options) == fit->seen);
        if (fit->problem == UPD_IMAGE_OK) {
            CHECK_THAT(fit->name, checker.info.complete);
        } else {
            CHECK_THAT(fit->name, is_problem(&checker.info, fit->problem, fit->offset));
        }
        CHECK_THAT(fit->name,
                   check_sample(&checker, &options) == upd_image_problem_err(fit->problem));
        CHECK_THAT(fit->name, checker.info.problem == fit->problem &&
                                  checker.info.problem_offset == fit->offset);
    }
}

/* With its size announced, an image that is too large is refused before its first byte. */
static void test_an_announced_size_is_compared_first(void)
{
    struct upd_image_options options = {.target = &bases[LOADER], .size = 0x1001};
    struct upd_image_checker checker;

    CHECK(upd_image_begin(&checker, &options) == UPD_E_SPACE);
    CHECK(is_problem(&checker.info, UPD_IMAGE_TOO_LARGE, 0x1000));
    CHECK(!upd_image_wants_more(&checker));
    CHECK(upd_image_feed(&checker, sample, 1) == UPD_E_SPACE);
    CHECK(upd_image_end(&checker) == UPD_E_SPACE);
    options.size = 0x1000;
    CHECK(upd_image_begin(&checker, &options) == UPD_OK);
}

static void test_an_image_that_was_not_checked_fits_nowhere(void)
{
    struct upd_image_checker checker;
    uint32_t offset = 1;

    load("v2-sdk");
    CHECK(upd_image_begin(&checker, NULL) == UPD_OK);
    CHECK(upd_image_feed(&checker, sample, sample_size) == UPD_OK);
    CHECK(upd_image_fits(&checker.info, &bases[USER1], &offset) == UPD_IMAGE_UNCHECKED);
    CHECK(offset == 0);
    produced[UPD_IMAGE_UNCHECKED] = true;

    sample[99] ^= 1;
    CHECK(check_sample(&checker, NULL) == UPD_E_AUTH);
    CHECK(upd_image_fits(&checker.info, &bases[USER1], &offset) == UPD_IMAGE_CRC32);
    CHECK(offset == 96);
}

/* Goal: which format belongs where is a table, and nothing fits a target that was forgotten. */
static void test_each_place_takes_its_formats(void)
{
    static const struct {
        const char *sample;
        uint8_t places; /* bit of each that takes it */
    } rows[] = {
#define IN(place) (1u << UPD_PLACE_##place)
        {"v1", IN(ANY) | IN(LOADER)},
        {"v1-slot", IN(ANY) | IN(NONOS)},
        {"v2-sdk", IN(ANY) | IN(NONOS)},
        {"v2-rboot", IN(ANY)},
        {"v2-esptool", IN(ANY)},
        {"rtos", IN(ANY) | IN(PARTITION)},
        {"arduino", IN(ANY) | IN(SKETCH)},
        {"esp32", IN(ANY) | IN(PARTITION)},
        {"esp32-unhashed", IN(ANY) | IN(PARTITION)},
        {"esp32-loader", IN(ANY) | IN(LOADER)},
    };
    static const struct upd_image_target forgotten;
    struct upd_image_checker checker;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        load(rows[i].sample);
        CHECK_THAT(rows[i].sample, check_sample(&checker, NULL) == UPD_OK);
        CHECK_THAT(rows[i].sample, upd_image_fits(&checker.info, &forgotten, NULL) != UPD_IMAGE_OK);
        for (uint32_t place = UPD_PLACE_NONE; place <= UPD_PLACE_LOADER; place++) {
            struct upd_image_target target = {
                .chip = checker.info.chip,
                .place = (enum upd_place)place,
                .offset = checker.info.format == UPD_FORMAT_ESP8266_V3 ? 0x10000 : 0,
                .size = UPD_IMAGE_ANY_SIZE,
                .flash_size = UPD_IMAGE_ANY_SIZE,
                .slot = checker.info.slot,
                .flash_map = UPD_IMAGE_ANY,
                .flash_mode = UPD_IMAGE_ANY,
            };
            bool takes = upd_image_fits(&checker.info, &target, NULL) == UPD_IMAGE_OK;

            CHECK_THAT(rows[i].sample, takes == ((rows[i].places >> place & 1) != 0));
        }
    }
}

/* Goal: byte 14, which old images have alone, is a major revision, and on the C3 a minor one; and
 * what else no sample shows. */
static void test_revisions_of_old_images_are_asked(void)
{
    struct upd_image_info info = {.format = UPD_FORMAT_ESP32,
                                  .chip = UPD_CHIP_ESP32,
                                  .min_revision_legacy = 3,
                                  .mapped = true,
                                  .complete = true};
    struct upd_image_target target = bases[ESP32_SLOT];
    uint32_t offset = 0;

    info.segments[0].size = 256;
    info.segment_count = 1;
    target.flash_mode = UPD_IMAGE_ANY;
    target.chip_revision = 299;
    CHECK(upd_image_fits(&info, &target, &offset) == UPD_IMAGE_CHIP_TOO_OLD && offset == 14);
    target.chip_revision = 300;
    CHECK(upd_image_fits(&info, &target, &offset) == UPD_IMAGE_OK);
    info.chip = target.chip = UPD_CHIP_ESP32C3;
    target.chip_revision = 2;
    CHECK(upd_image_fits(&info, &target, &offset) == UPD_IMAGE_CHIP_TOO_OLD && offset == 14);
    target.chip_revision = 3;
    CHECK(upd_image_fits(&info, &target, &offset) == UPD_IMAGE_OK);
    /* No segment of it runs in flash. */
    info.mapped = false;
    CHECK(upd_image_fits(&info, &target, &offset) == UPD_IMAGE_NOT_AN_APP && offset == 32);
    info.mapped = true;
    /* The ESP32 itself is not asked for a revision of its eFuse block. */
    info.descriptor = UPD_IMAGE_APP_DESCRIPTOR;
    info.min_efuse_revision = 5;
    target.efuse_revision = 4;
    CHECK(upd_image_fits(&info, &target, &offset) == UPD_IMAGE_EFUSE_REVISION && offset == 208);
    info.chip = target.chip = UPD_CHIP_ESP32;
    target.chip_revision = 300;
    CHECK(upd_image_fits(&info, &target, &offset) == UPD_IMAGE_OK);
}

/*
 * In flash.
 */

/* Goal: from flash, where an image has no end of its own, the checker finds it, and says the same
 * of the image. Method: erased flash, zeros and another image behind it. */
static void test_an_image_in_flash_ends_where_it_ends(void)
{
    static const struct {
        const char *sample;
        uint32_t end;
        uint32_t slack; /* bytes beyond it that must be read to know that there is no CRC-32 */
    } rows[] = {
        {"v1", 64, 0},         {"v2-sdk", 100, 0},
        {"v2-rboot", 96, 4},   {"v2-esptool", 100, 0},
        {"rtos", 352, 0},      {"arduino", 4224, 0},
        {"esp32", 352, 0},     {"esp32-unhashed", 320, 0},
        {"signed-v1", 352, 0}, {"signed-three", 320, 0},
    };
    static const uint8_t behind[] = {0xFF, 0, 0xE9};
    struct upd_image_options options = {.in_flash = true};
    struct upd_image_checker checker, alone;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (size_t k = 0; k < sizeof behind; k++) {
            uint32_t at = 0;

            load(rows[i].sample);
            sample_size = rows[i].end;
            CHECK_THAT(rows[i].sample, check_sample(&alone, NULL) == UPD_OK);
            memset(sample + rows[i].end, behind[k], sizeof sample - rows[i].end);
            CHECK(upd_image_begin(&checker, &options) == UPD_OK);
            while (upd_image_wants_more(&checker)) {
                CHECK_THAT(rows[i].sample, upd_image_feed(&checker, sample + at, 1) == UPD_OK);
                at++;
            }
            CHECK_THAT(rows[i].sample, at == rows[i].end + rows[i].slack);
            CHECK_THAT(rows[i].sample, upd_image_feed(&checker, sample + at, 99) == UPD_OK);
            CHECK_THAT(rows[i].sample, upd_image_end(&checker) == UPD_OK);
            CHECK_THAT(rows[i].sample, same(&checker.info, &alone.info, sizeof alone.info));
        }
    }
}

static void test_an_image_in_flash_that_is_cut_is_refused(void)
{
    struct upd_image_options options = {.in_flash = true, .size = 100};
    struct upd_image_checker checker;

    load("v2-sdk");
    memset(sample + 96, 0xFF, 4);
    CHECK(check_sample(&checker, &options) == UPD_E_AUTH);
    CHECK(is_problem(&checker.info, UPD_IMAGE_CRC32, 96));
    /* The end of flash is the end of bytes. */
    load("v2-sdk");
    sample_size = 99;
    options.size = 99;
    CHECK(check_sample(&checker, &options) == UPD_E_SHORT);
    CHECK(is_problem(&checker.info, UPD_IMAGE_TRUNCATED, 99));
    load("v2-rboot");
    options.size = 96;
    CHECK(check_sample(&checker, &options) == UPD_OK && checker.info.size == 96);
}

static void test_sizes_of_flash_chips(void)
{
    static const uint32_t esp8266[16] = {0x80000,  0x40000,  0x100000, 0x200000, 0x400000,
                                         0x200000, 0x400000, 0x400000, 0x800000, 0x1000000};
    static const uint32_t others[16] = {0x100000,  0x200000,  0x400000,  0x800000,
                                        0x1000000, 0x2000000, 0x4000000, 0x8000000};

    for (uint8_t code = 0; code < 16; code++) {
        CHECK(upd_image_flash_bytes(UPD_CHIP_ESP8266, code) == esp8266[code]);
        CHECK(upd_image_flash_bytes(UPD_CHIP_ESP32S31, code) == others[code]);
    }
    CHECK(upd_image_flash_bytes(UPD_CHIP_ESP8266, UPD_IMAGE_UNTOLD) == 0);
}

/* Goal: the tests before leave out no problem. EXCLUDED is of builds that leave formats out, and
 * has a test of its own. */
static void test_every_problem_was_produced(void)
{
#define X(name, word, err, text)                                                                   \
    CHECK_THAT(word, produced[UPD_IMAGE_##name] || UPD_IMAGE_##name == UPD_IMAGE_OK ||             \
                         UPD_IMAGE_##name == UPD_IMAGE_EXCLUDED);
    UPD_IMAGE_PROBLEMS(X)
#undef X
}

int main(void)
{
    CHECK_RUN(test_each_kind_is_described);
    CHECK_RUN(test_the_fields_of_a_family_are_told);
    CHECK_RUN(test_the_descriptor_is_handed_over_as_it_is);
    CHECK_RUN(test_pieces_of_any_size_give_the_same);
    CHECK_RUN(test_an_image_cut_short_is_refused);
    CHECK_RUN(test_an_announced_size_is_used_early);
    CHECK_RUN(test_a_changed_byte_is_refused);
    CHECK_RUN(test_lies_are_refused_as_early_as_can_be);
    CHECK_RUN(test_an_arduino_signature_has_a_length);
    CHECK_RUN(test_a_loader_part_beyond_its_sector_is_refused);
    CHECK_RUN(test_a_checked_image_is_judged_for_its_place);
    CHECK_RUN(test_the_place_is_asked_while_streaming);
    CHECK_RUN(test_an_announced_size_is_compared_first);
    CHECK_RUN(test_an_image_that_was_not_checked_fits_nowhere);
    CHECK_RUN(test_each_place_takes_its_formats);
    CHECK_RUN(test_revisions_of_old_images_are_asked);
    CHECK_RUN(test_an_image_in_flash_ends_where_it_ends);
    CHECK_RUN(test_an_image_in_flash_that_is_cut_is_refused);
    CHECK_RUN(test_sizes_of_flash_chips);
    CHECK_RUN(test_every_problem_was_produced);
    check_end();
}
