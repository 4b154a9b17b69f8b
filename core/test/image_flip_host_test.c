/*
 * Goal: of real firmware, no byte that a digest covers can change, and no byte can be missing,
 * without the image being refused for the right reason.
 *
 * Method: of three images (a boot loader, of the NONOS SDK, of Arduino) every byte is changed, and
 * every length is tried; of all others of the corpus, positions spread over the image.
 *
 * To look at the rest of a large image after every change of it would take hours. A changed byte is
 * followed up to the next checkpoint, at most CHECKPOINT bytes further. There the checker must
 * stand where it stands for the right image, but for its digests, and the digest that covers the
 * byte must differ. From there on both see the same bytes; the next value of a checksum and of a
 * CRC-32 is a reversible function of the one before, so they still differ when they are compared
 * with what is stored. Where the checker stands elsewhere, and at every 509th byte, the rest is
 * looked at too, and the very problem and its offset are compared.
 */
#include <updraft/bytes.h>
#include <updraft/image.h>
#include <updraft/image_info.h>

#include "check.h"

enum { CHECKPOINT = 256, LARGEST = 2 * 1024 * 1024, WHOLE_EVERY = 509 };

static uint8_t image[LARGEST];
static uint32_t image_size;
static struct upd_image_checker checkpoints[LARGEST / CHECKPOINT + 1];
static struct upd_image_checker good;

static const char *const exhaustive[] = {
    "boot-esp8266-71fca3dd7c9d.bin",
    "nonos-at-esp8266-30f55d973d47.bin",
    "ratgdo8266-esp8266-515bf1dfb27d.bin",
};

static uint32_t length(const char *text)
{
    uint32_t size = 0;

    while (text[size] != '\0') {
        size++;
    }
    return size;
}

/* Reads corpus/NAME; false when it is not there. */
static bool load(const char *folder, const char *name, uint32_t name_size, uint8_t *data,
                 uint32_t room, uint32_t *size)
{
    char path[512];
    const char *shared = check_shared();
    uint32_t at = length(shared);
    int32_t got = -1;

    if (at + length(folder) + name_size < sizeof path) {
        memcpy(path, shared, at);
        memcpy(path + at, folder, length(folder));
        at += length(folder);
        memcpy(path + at, name, name_size);
        path[at + name_size] = '\0';
        got = check_load(path, data, room);
    }
    *size = got > 0 ? (uint32_t)got : 0;
    return got > 0;
}

/* The right image, with a copy of the checker every CHECKPOINT bytes. */
static void check_good(const char *name)
{
    CHECK_THAT(name, upd_image_begin(&good, NULL) == UPD_OK);
    for (uint32_t at = 0; at < image_size; at += CHECKPOINT) {
        uint32_t left = image_size - at;

        checkpoints[at / CHECKPOINT] = good;
        CHECK_THAT(name, upd_image_feed(&good, image + at, left < CHECKPOINT ? left : CHECKPOINT) ==
                             UPD_OK);
    }
    CHECK_THAT(name, upd_image_end(&good) == UPD_OK);
}

/* The checker, having seen the first `at` bytes. */
static struct upd_image_checker checker_at(uint32_t at)
{
    struct upd_image_checker checker = checkpoints[at / CHECKPOINT];

    (void)!upd_image_feed(&checker, image + at / CHECKPOINT * CHECKPOINT, at % CHECKPOINT);
    return checker;
}

static bool is_covered(uint32_t at)
{
    struct upd_image_range range = {0, 0};

    for (uint8_t i = 0; upd_image_covered(&good.info, i, &range) == UPD_OK; i++) {
        if (at >= range.offset && at - range.offset < range.size) {
            return true;
        }
    }
    return false;
}

/* The segment whose data a byte is of, and for which it is nothing but data; -1: none. */
static int32_t data_segment(uint32_t at)
{
    struct upd_image_range range = {0, 0};
    bool words = good.info.format == UPD_FORMAT_ARDUINO && at >= 0x1010 && at < 0x1018;

    for (uint8_t i = 0; upd_image_segment_range(&good.info, i, &range) == UPD_OK; i++) {
        if (at >= range.offset && at - range.offset < range.size && !words) {
            return i;
        }
    }
    return -1;
}

/* Whether the byte is in the irom part of a v2 image, which the checksum does not cover. */
static bool is_irom(int32_t segment)
{
    return segment == 0 && good.info.format == UPD_FORMAT_ESP8266_V2;
}

/* The checksum that covers a segment is the last byte of the line that follows its part. */
static uint32_t checksum_offset(int32_t segment)
{
    bool loader = segment < good.info.loader_segments;
    uint8_t count = loader ? good.info.loader_segments : good.info.segment_count;
    struct upd_image_range last = {0, 0};

    CHECK(upd_image_segment_range(&good.info, (uint8_t)(count - 1), &last) == UPD_OK);
    return (last.offset + last.size) | 15;
}

static void check_answer(const char *name, uint32_t at, const struct upd_image_info *info)
{
    int32_t segment = data_segment(at);

    CHECK_THAT(name, info->problem != UPD_IMAGE_OK && !info->complete);
    CHECK_THAT(name, info->problem_offset <= image_size);
    if (is_irom(segment)) {
        CHECK_THAT(name, info->problem == UPD_IMAGE_CRC32);
        CHECK_THAT(name, info->problem_offset == image_size - 4);
    } else if (segment >= 0) {
        CHECK_THAT(name, info->problem == UPD_IMAGE_CHECKSUM);
        CHECK_THAT(name, info->problem_offset == checksum_offset(segment));
    }
}

/* The rest of the image from `at` on, with its first byte changed. */
static void change_and_look_at_all(const char *name, const struct upd_image_checker *before,
                                   uint32_t at, uint8_t mask)
{
    struct upd_image_checker checker = *before;

    image[at] ^= mask;
    (void)!upd_image_feed(&checker, image + at, image_size - at);
    CHECK_THAT(name, upd_image_end(&checker) == upd_image_problem_err(checker.info.problem));
    check_answer(name, at, &checker.info);
    image[at] ^= mask;
}

static bool same(const void *one, const void *other, size_t size)
{
    return memcmp(one, other, size) == 0;
}

/* True when both stand at the same place, digests aside. Padding counts too: a checker begins as
 * zeros, and is copied whole. */
static bool stand_alike(const struct upd_image_checker *one, const struct upd_image_checker *other)
{
    struct upd_image_checker copy;

    memcpy(&copy, one, sizeof copy);
    copy.crc32 = other->crc32;
    copy.checksum = other->checksum;
    return same(&copy, other, sizeof copy);
}

/* As the head of this file says. True when that was proof. */
static bool change_up_to_checkpoint(const char *name, const struct upd_image_checker *before,
                                    uint32_t at, uint8_t mask)
{
    uint32_t next = at / CHECKPOINT * CHECKPOINT + CHECKPOINT;
    const struct upd_image_checker *right = &checkpoints[next / CHECKPOINT];
    struct upd_image_checker checker;
    int32_t segment = data_segment(at);

    if (next >= image_size) {
        return false;
    }
    memcpy(&checker, before, sizeof checker);
    image[at] ^= mask;
    (void)!upd_image_feed(&checker, image + at, next - at);
    image[at] ^= mask;
    if (!stand_alike(&checker, right)) {
        return false;
    }
    if (segment < 0 || is_irom(segment)) {
        CHECK_THAT(name, checker.crc32 != right->crc32);
    } else {
        CHECK_THAT(name, checker.checksum != right->checksum);
    }
    return true;
}

static void change_every_byte(const char *name)
{
    struct upd_image_checker before;

    CHECK_THAT(name, upd_image_begin(&before, NULL) == UPD_OK);
    for (uint32_t at = 0; at < image_size; at++) {
        const uint8_t masks[] = {(uint8_t)(1u << at % 8), 0xFF};

        for (uint32_t i = 0; is_covered(at) && i < sizeof masks; i++) {
            if (at % WHOLE_EVERY == 0 || !change_up_to_checkpoint(name, &before, at, masks[i])) {
                change_and_look_at_all(name, &before, at, masks[i]);
            }
        }
        CHECK_THAT(name, upd_image_feed(&before, image + at, 1) == UPD_OK);
    }
}

/* What is left of an image after `size` bytes is refused as cut short. */
static void check_cut(const char *name, uint32_t size, const struct upd_image_checker *before)
{
    struct upd_image_checker checker = *before;

    CHECK_THAT(name, upd_image_end(&checker) == UPD_E_SHORT);
    CHECK_THAT(name, checker.info.problem == (size == 0 ? UPD_IMAGE_EMPTY : UPD_IMAGE_TRUNCATED));
    CHECK_THAT(name, checker.info.problem_offset == size);
}

static void cut_everywhere(const char *name)
{
    struct upd_image_checker before;

    CHECK_THAT(name, upd_image_begin(&before, NULL) == UPD_OK);
    for (uint32_t size = 0; size < image_size; size++) {
        check_cut(name, size, &before);
        CHECK_THAT(name, upd_image_feed(&before, image + size, 1) == UPD_OK);
    }
}

static void test_every_byte_of_three_images_counts(void)
{
    for (uint32_t i = 0; i < sizeof exhaustive / sizeof exhaustive[0]; i++) {
        const char *name = exhaustive[i];

        if (!load("/corpus/img/", name, length(name), image, sizeof image, &image_size)) {
            check_skip("no real images in corpus/ of the folder that UPDRAFT_SHARED names");
            return;
        }
        check_good(name);
        change_every_byte(name);
        cut_everywhere(name);
    }
}

/* Positions of an image, some in each of its parts. */
static void sample(const char *name)
{
    enum { SAMPLES = 48 };
    uint32_t seed = image_size;

    check_good(name);
    for (uint32_t i = 0; i < SAMPLES; i++) {
        uint32_t at = (uint32_t)((uint64_t)image_size * i / SAMPLES);

        seed = seed * 1103515245u + 12345u;
        at += (seed >> 8) % (image_size / SAMPLES);
        if (is_covered(at)) {
            struct upd_image_checker before = checker_at(at);
            change_and_look_at_all(name, &before, at, (uint8_t)(1u << (seed >> 5) % 8));
        }
        struct upd_image_checker cut = checker_at(at);
        check_cut(name, at, &cut);
    }
    /* The headers, and what is behind the segments. */
    for (uint32_t at = 0; at < 64; at++) {
        struct upd_image_checker first = checker_at(at);
        struct upd_image_checker last = checker_at(image_size - 1 - at);

        check_cut(name, at, &first);
        check_cut(name, image_size - 1 - at, &last);
        if (is_covered(image_size - 1 - at)) {
            change_and_look_at_all(name, &last, image_size - 1 - at, (uint8_t)(1u << at % 8));
        }
    }
}

/* The next image that corpus.tsv names, and how long its name is. */
static const char *next_name(const char **at, const char *end, uint32_t *size)
{
    static const char mark[] = "\timg/";
    const char *found = *at;

    while (end - found >= 5 && memcmp(found, mark, 5) != 0) {
        found++;
    }
    if (end - found < 5) {
        return NULL;
    }
    found += 5;
    *size = 0;
    while (found + *size < end && found[*size] != '\t') {
        ++*size;
    }
    *at = found + *size;
    return found;
}

static void test_samples_of_every_image_count(void)
{
    static char list[65536];
    uint32_t list_size = 0;
    uint32_t count = 0;

    if (!load("/corpus/", "corpus.tsv", 10, (uint8_t *)list, sizeof list, &list_size)) {
        check_skip("no real images in corpus/ of the folder that UPDRAFT_SHARED names");
        return;
    }
    for (const char *at = list;; count++) {
        uint32_t size = 0;
        const char *name = next_name(&at, list + list_size, &size);
        char text[128] = "";

        if (name == NULL) {
            break;
        }
        CHECK(size < sizeof text);
        memcpy(text, name, size < sizeof text ? size : 0);
        CHECK_THAT(text, load("/corpus/img/", name, size, image, sizeof image, &image_size));
        sample(text);
    }
    CHECK(count > 0);
}

int main(void)
{
    CHECK_RUN(test_every_byte_of_three_images_counts);
    CHECK_RUN(test_samples_of_every_image_count);
    check_end();
}
