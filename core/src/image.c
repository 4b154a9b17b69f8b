/*
 * The streaming checker: a machine of steps. A step collects a field of a few bytes or runs over
 * many; its end decides the next one. A header and its segments are read the same way in every
 * format, and some formats have two of them:
 *
 *     MAGIC COUNT FLASH ENTRY [FORK: ESP8266 or ESP32? [CHIP_ID REVISION HASH]]
 *     then for each segment  ADDRESS SIZE [WORDS | DESCRIPTOR] DATA
 *     then                   PAD CHECKSUM
 *
 *     v1          header, segments, NEXT_V1, and for boot v1.1 FILL HELD
 *     v2          header, irom as its only segment; header, segments, CRC
 *     Arduino     header, segments, FILL; header, segments, HELD
 *     v3, ESP32   header, segments, [SHA] NEXT, and when signed
 *                 V1_SIGNATURE SIGNATURE   or   FILL, up to three times
 *                 (MARK BLOCK_HEAD [BLOCK_DIGEST] BLOCK_REST BLOCK_CRC FILL), FILL
 *
 * and END after all of them, where any byte is one too many.
 *
 * (1) `at` never passes `limit`: what the caller announced, else what the target has room for.
 * (2) A field is judged when its last byte arrives. What the target asks is asked after each step,
 *     of what is known by then.
 * (3) Nothing depends on how the bytes were cut into pieces: look() treats a byte the same in every
 *     piece, and the end of a step sees only what look() collected.
 */
#include <updraft/image.h>

#include <updraft/bytes.h>
#include <updraft/config.h>
#include <updraft/crc32.h>

/* Constant, so that the compiler drops what a build leaves out. */
#define WITH(kind) ((UPD_IMAGE_WITH & UPD_IMAGE_WITH_##kind) != 0)

/* Whether an image that got past the fork is of a kind: in a build that knows no other kind, every
 * one is, since others were refused there. */
#define IS(info, kind, name)                                                                       \
    (WITH(kind) && (UPD_IMAGE_WITH == UPD_IMAGE_WITH_##kind || (info)->format == UPD_FORMAT_##name))

/* The steps of which not every build has some. */
enum {
    ONE_CHIP = UPD_IMAGE_FOR != UPD_CHIP_NONE, /* NOLINT(misc-redundant-expression): by default */
    WITH_ESP8266 = WITH(NONOS) || WITH(RTOS) || WITH(ARDUINO),
    WITH_INNER = WITH(NONOS) || WITH(ARDUINO), /* a second header */
    WITH_DESCRIPTOR = WITH(ESP32) || WITH(RTOS),
    WITH_FILL = WITH(NONOS) || WITH(ARDUINO) || WITH(SIGNATURE),
    WITH_HELD = WITH(NONOS) || (WITH(ARDUINO) && WITH(SIGNATURE)),
};

enum step {
    /* Fields. */
    MAGIC,
    COUNT,
    FLASH,
    ENTRY,
    FORK,
    CHIP_ID,
    REVISION,
    HASH,
    ADDRESS,
    SIZE,
    WORDS,
    CHECKSUM,
    CRC,
    SHA,
    NEXT_V1,
    NEXT,
    V1_SIGNATURE,
    MARK,
    BLOCK_HEAD,
    BLOCK_CRC,
    END,
    /* Runs. */
    DESCRIPTOR,
    DATA,
    PAD,
    FILL,
    HELD,
    SIGNATURE,
    BLOCK_DIGEST,
    BLOCK_REST,
    STEPS,
};

/* What a step reads: see the table behind the steps. Bytes of a field; 0 for a run, whose length is
 * found while it is begun. */
static const uint8_t field_sizes[STEPS];

/* The digest that runs over the bytes. */
enum digest { NO_DIGEST, ZLIB_CRC, MPEG2_CRC, SHA256 };

enum {
    IMAGE_MAGIC = 0xE9,
    IROM_MAGIC = 0xEA,
    IROM_MAGIC_2 = 0x04,
    GZIP_MAGIC = 0x1F,
    GZIP_MAGIC_2 = 0x8B,
    LOADER_MAGIC = 0x50,
    BLOCK_MAGIC = 0xE7,

    SECTOR = 4096,
    MEBIBYTE = 0x100000,
    SEGMENT_LIMIT = 0x1000000,
    APP_DESCRIPTOR_SIZE = 256,
    LOADER_DESCRIPTOR_SIZE = 80,

    SKETCH_OFFSET = 0x1000, /* of the application in an Arduino image */
    WORDS_OFFSET = 0x1010,  /* of its length and its CRC-32 */
    WORDS_SIZE = 8,
    IROM_OFFSET = 0x10000, /* in an image for boot v1.1 */

    V1_SIGNATURE_SIZE = 68,
    BLOCK_SIZE = 1216,
    BLOCK_SIGNED_SIZE = 1196, /* bytes of a block that its CRC-32 covers */
    BLOCK_COUNT = 3,
    RSA_1024_SIZE = 128, /* the smallest and the largest Arduino signature that are believed */
    RSA_8192_SIZE = 1024,
};
#define APP_MAGIC 0xABCD5432u

/* Memory of the ESP8266. */
#define DRAM 0x3FFE8000u
#define DRAM_LIMIT 0x40000000u
#define IRAM 0x40100000u
#define IRAM_LIMIT 0x40110000u
#define EBOOT_ADDRESS 0x4010F000u /* of Arduino's boot loader */
#define WINDOW 0x40200000u        /* flash, 1 MiB at a time */
#define WINDOW_LIMIT 0x40300000u
#define SKETCH_LINK (WINDOW + WORDS_OFFSET)

/* The ids in images; that of the ESP8266, which has none, is the one that means no chip. */
static const uint16_t chip_ids[] = {0xFFFF, /* UPD_CHIP_NONE */
#define X(name, id, text) (id),
                                    UPD_CHIPS(X)
#undef X
};
enum { CHIPS = sizeof chip_ids / sizeof chip_ids[0] };

/* Where the ESP32 family maps flash, in steps of 64 KiB, and the sizes that an MMU page may be
 * given, as log2. */
static const struct windows {
    uint16_t data_first, data_limit;
    uint16_t code_first, code_limit;
    uint8_t page_min, page_max;
} windows[] = {
    [UPD_CHIP_ESP32] = {0x3F40, 0x3F80, 0x400D, 0x4040, 16, 16},
    [UPD_CHIP_ESP32S2] = {0x3F00, 0x3FF8, 0x4008, 0x4080, 16, 16},
    [UPD_CHIP_ESP32C3] = {0x3C00, 0x3C80, 0x4200, 0x4280, 16, 16},
    [UPD_CHIP_ESP32S3] = {0x3C00, 0x3E00, 0x4200, 0x4400, 16, 16},
    [UPD_CHIP_ESP32C2] = {0x3C00, 0x3C40, 0x4200, 0x4240, 14, 16},
    [UPD_CHIP_ESP32C6] = {0x4200, 0x4300, 0x4200, 0x4300, 13, 16},
    [UPD_CHIP_ESP32H2] = {0x4200, 0x4300, 0x4200, 0x4300, 13, 16},
    [UPD_CHIP_ESP32P4] = {0x4000, 0x4C00, 0x4000, 0x4C00, 16, 16},
    [UPD_CHIP_ESP32C61] = {0x4200, 0x4400, 0x4200, 0x4400, 13, 16},
    [UPD_CHIP_ESP32C5] = {0x4200, 0x4400, 0x4200, 0x4400, 16, 16},
    [UPD_CHIP_ESP32H21] = {0x4200, 0x4300, 0x4200, 0x4300, 13, 16},
    [UPD_CHIP_ESP32H4] = {0x4200, 0x4400, 0x4200, 0x4400, 13, 16},
    [UPD_CHIP_ESP32E22] = {0x3C00, 0x4000, 0x3C00, 0x4000, 16, 16},
    [UPD_CHIP_ESP32S31] = {0x4000, 0x5400, 0x4000, 0x5400, 15, 18},
};
_Static_assert(sizeof windows / sizeof windows[0] == CHIPS, "a chip without its flash windows");

enum upd_err upd_image_problem_err(enum upd_image_problem problem)
{
    static const int8_t codes[] = {
#define X(name, word, err, text) UPD_##err,
        UPD_IMAGE_PROBLEMS(X)
#undef X
    };
    return (enum upd_err)codes[problem];
}

uint32_t upd_image_flash_bytes(enum upd_chip chip, uint8_t code)
{
    /* Of the ESP8266, in units of 256 KiB. */
    static const uint8_t units[] = {2, 1, 4, 8, 16, 8, 16, 16, 32, 64};

    if (chip == UPD_CHIP_ESP8266) {
        return code < sizeof units ? units[code] * 0x40000u : 0;
    }
    return code < 8 ? (uint32_t)MEBIBYTE << code : 0;
}

/* Of an image of the ESP32 family, once it is known. */
static enum upd_chip chip_of(const struct upd_image_info *info)
{
    return ONE_CHIP ? UPD_IMAGE_FOR : info->chip;
}

/*
 * Does it fit? The judges pass over what is not known yet; with info->complete all is known.
 */

static enum upd_image_problem judge_revision(const struct upd_image_info *info,
                                             const struct upd_image_target *target,
                                             uint32_t *offset)
{
    uint32_t lowest = info->min_revision;

    *offset = 15;
    if (lowest == 0) {
        /* Written before bytes 15 to 18 had a meaning. The C3 counted minor revisions here. */
        lowest = info->min_revision_legacy * (chip_of(info) == UPD_CHIP_ESP32C3 ? 1u : 100u);
        *offset = 14;
    }
    if (target->chip_revision < lowest) {
        return UPD_IMAGE_CHIP_TOO_OLD;
    }
    *offset = 17;
    if (info->max_revision != 0 && info->max_revision < target->chip_revision &&
        target->chip_revision != UPD_IMAGE_ANY_REVISION && target->place != UPD_PLACE_LOADER) {
        return UPD_IMAGE_CHIP_TOO_NEW;
    }
    *offset = 32 + 176;
    if (info->descriptor == UPD_IMAGE_APP_DESCRIPTOR && chip_of(info) != UPD_CHIP_ESP32 &&
        target->efuse_revision != UPD_IMAGE_ANY_REVISION &&
        (target->efuse_revision < info->min_efuse_revision ||
         (info->max_efuse_revision != 0 && target->efuse_revision > info->max_efuse_revision))) {
        return UPD_IMAGE_EFUSE_REVISION;
    }
    return UPD_IMAGE_OK;
}

/* Likewise of an image that got past the fork. */
static bool is_esp8266(const struct upd_image_info *info)
{
    return WITH_ESP8266 && (!WITH(ESP32) || info->chip == UPD_CHIP_ESP8266);
}

#define FORMAT(name) (1u << UPD_FORMAT_##name)

/* An image for boot v1.1 is told from a v1 image only by what follows its segments. Until then byte
 * 3 may be a slot, or codes of the flash chip. */
static bool may_be_slot(const struct upd_image_info *info)
{
    return WITH(NONOS) && info->format == UPD_FORMAT_ESP8266_V1 && info->slot != 0;
}

static enum upd_image_problem judge_place(const struct upd_image_info *info,
                                          const struct upd_image_target *target, uint32_t *offset)
{
    static const uint8_t allowed[] = {
        [UPD_PLACE_NONE] = 0,
        [UPD_PLACE_ANY] = FORMAT(ESP8266_V1) | FORMAT(ESP8266_V1_SLOT) | FORMAT(ESP8266_V2) |
                          FORMAT(ESP8266_V3) | FORMAT(ARDUINO) | FORMAT(ESP32),
        [UPD_PLACE_NONOS] = FORMAT(ESP8266_V1_SLOT) | FORMAT(ESP8266_V2),
        [UPD_PLACE_PARTITION] = FORMAT(ESP8266_V3) | FORMAT(ESP32),
        [UPD_PLACE_SKETCH] = FORMAT(ARDUINO),
        [UPD_PLACE_LOADER] = FORMAT(ESP8266_V1) | FORMAT(ESP32),
    };
    uint32_t formats = 1u << info->format;

    if (may_be_slot(info)) {
        formats |= FORMAT(ESP8266_V1_SLOT);
    }
    *offset = 0;
    if ((allowed[target->place] & formats) == 0 ||
        (target->place == UPD_PLACE_LOADER && info->mapped)) {
        return UPD_IMAGE_WRONG_FORMAT;
    }
    if (WITH(NONOS) && target->place == UPD_PLACE_NONOS) {
        *offset = 3;
        if (info->slot == 0) {
            return UPD_IMAGE_NO_SLOT;
        }
        if (info->slot != target->slot) {
            return UPD_IMAGE_WRONG_SLOT;
        }
    }
    return UPD_IMAGE_OK;
}

/* In a partition of the RTOS SDK the image must be linked for it. */
static enum upd_image_problem judge_link(const struct upd_image_info *info,
                                         const struct upd_image_target *target, uint32_t *offset)
{
    *offset = 8;
    if (info->link != WINDOW + target->offset % MEBIBYTE + 16) {
        return UPD_IMAGE_WRONG_LINK;
    }
    /* The running application asks this of what it received, before it lets it start. */
    *offset = 4;
    if (info->entry <= info->link || info->entry - info->link >= target->size) {
        return UPD_IMAGE_WRONG_LINK;
    }
    return UPD_IMAGE_OK;
}

/* In a partition of ESP-IDF there must be an application, and a recent one. */
static enum upd_image_problem judge_app(const struct upd_image_info *info,
                                        const struct upd_image_target *target, uint32_t *offset)
{
    *offset = 28;
    if (info->segment_count > 0 && info->segments[0].size < APP_DESCRIPTOR_SIZE) {
        return UPD_IMAGE_NOT_AN_APP;
    }
    *offset = 32;
    if (info->descriptor == UPD_IMAGE_LOADER_DESCRIPTOR || (info->complete && !info->mapped)) {
        return UPD_IMAGE_NOT_AN_APP;
    }
    *offset = 36;
    if (info->secure_version < target->secure_version &&
        (info->descriptor == UPD_IMAGE_APP_DESCRIPTOR || info->complete)) {
        return UPD_IMAGE_ROLLBACK;
    }
    return UPD_IMAGE_OK;
}

static enum upd_image_problem judge_flash(const struct upd_image_info *info,
                                          const struct upd_image_target *target, uint32_t *offset)
{
    /* The settings of a v2 image are in its inner header. */
    *offset =
        WITH(NONOS) && info->format == UPD_FORMAT_ESP8266_V2 ? 16 + info->segments[0].size + 3 : 3;
    if (info->flash_size != UPD_IMAGE_UNTOLD && !may_be_slot(info)) {
        enum upd_chip chip = is_esp8266(info) ? UPD_CHIP_ESP8266 : UPD_CHIP_ESP32;
        if (upd_image_flash_bytes(chip, info->flash_size) > target->flash_size) {
            return UPD_IMAGE_FLASH_TOO_SMALL;
        }
        if (WITH(NONOS) && target->place == UPD_PLACE_NONOS && target->flash_map != UPD_IMAGE_ANY &&
            target->flash_map != info->flash_size) {
            return UPD_IMAGE_WRONG_MAP;
        }
        if (target->flash_mode != UPD_IMAGE_ANY && target->flash_mode != info->flash_mode) {
            *offset -= 1;
            return UPD_IMAGE_WRONG_FLASH_MODE;
        }
    }
    *offset = target->size;
    if (info->size > target->size) {
        return UPD_IMAGE_TOO_LARGE;
    }
    *offset = MEBIBYTE - target->offset % MEBIBYTE;
    if (is_esp8266(info) && target->place != UPD_PLACE_ANY && info->size > *offset) {
        return UPD_IMAGE_WINDOW;
    }
    return UPD_IMAGE_OK;
}

static enum upd_image_problem judge(const struct upd_image_info *info,
                                    const struct upd_image_target *target, uint32_t *offset)
{
    enum upd_image_problem problem = UPD_IMAGE_OK;

    if (info->chip == UPD_CHIP_NONE) {
        return UPD_IMAGE_OK;
    }
    if (info->chip != target->chip) {
        *offset = IS(info, ESP32, ESP32) ? 12 : 0;
        return UPD_IMAGE_WRONG_CHIP;
    }
    if (info->format == UPD_FORMAT_UNKNOWN) {
        return UPD_IMAGE_OK;
    }
    problem = judge_place(info, target, offset);
    if (problem == UPD_IMAGE_OK && IS(info, ESP32, ESP32)) {
        problem = judge_revision(info, target, offset);
    }
    if (problem == UPD_IMAGE_OK && target->place == UPD_PLACE_PARTITION) {
        if (IS(info, ESP32, ESP32)) {
            problem = judge_app(info, target, offset);
        } else if (WITH(RTOS)) {
            problem = judge_link(info, target, offset);
        }
    }
    return problem == UPD_IMAGE_OK ? judge_flash(info, target, offset) : problem;
}

enum upd_image_problem upd_image_fits(const struct upd_image_info *info,
                                      const struct upd_image_target *target, uint32_t *offset)
{
    enum upd_image_problem problem = info->problem;
    uint32_t where = info->problem_offset;

    if (problem == UPD_IMAGE_OK) {
        problem = info->complete ? judge(info, target, &where) : UPD_IMAGE_UNCHECKED;
    }
    if (offset != NULL) {
        *offset = problem == UPD_IMAGE_OK ? 0 : where;
    }
    return problem;
}

/*
 * Steps. A refusal does not end the function that makes it: the machine stands still after it.
 */

static void refuse(struct upd_image_checker *checker, enum upd_image_problem problem,
                   uint32_t offset)
{
    if (checker->info.problem == UPD_IMAGE_OK) {
        checker->info.problem = problem;
        checker->info.problem_offset = offset;
    }
}

static void run(struct upd_image_checker *checker, enum step step, uint32_t size)
{
    checker->step = (uint8_t)step;
    checker->left = size;
    checker->got = 0;
}

static void read(struct upd_image_checker *checker, enum step step)
{
    run(checker, step, field_sizes[step]);
}

/* The first fields of a header are kept together: offsets in `field` are those in the header. */
static void read_on(struct upd_image_checker *checker, enum step step)
{
    checker->step = (uint8_t)step;
    checker->left = field_sizes[step];
}

static void fill(struct upd_image_checker *checker, uint8_t filler, uint32_t size, enum step then)
{
    run(checker, FILL, size);
    checker->filler = filler;
    checker->then = (uint8_t)then;
}

/* Bytes up to the next multiple of a power of two. */
static uint32_t gap(uint32_t at, uint32_t unit)
{
    return (0u - at) & (unit - 1);
}

/* In the second header of an image, or behind it. */
static bool is_inner(const struct upd_image_checker *checker)
{
    return WITH_INNER && checker->base != 0;
}

/* In the outer header of a v2 image, which announces the irom part. */
static bool in_irom(const struct upd_image_checker *checker)
{
    return WITH(NONOS) && !is_inner(checker) && checker->info.format == UPD_FORMAT_ESP8266_V2;
}

static bool is_arduino(const struct upd_image_checker *checker)
{
    return IS(&checker->info, ARDUINO, ARDUINO);
}

/* In the application of an Arduino image, behind its boot loader. */
static bool in_sketch(const struct upd_image_checker *checker)
{
    return is_arduino(checker) && is_inner(checker);
}

static bool is_esp32(const struct upd_image_checker *checker)
{
    return IS(&checker->info, ESP32, ESP32);
}

static bool is_v3(const struct upd_image_checker *checker)
{
    return IS(&checker->info, RTOS, ESP8266_V3);
}

/* A SHA-256 follows the checksum. */
static bool is_hashed(const struct upd_image_checker *checker)
{
    return is_v3(checker) || (WITH(ESP32) && checker->hashed);
}

static void take_digest(struct upd_image_checker *checker, const uint8_t *bytes, uint32_t size)
{
    if (WITH(NONOS) || WITH(SIGNATURE)) {
        if (checker->digest == ZLIB_CRC) {
            checker->crc32 = upd_crc32(checker->crc32, bytes, size);
        }
    }
    if (WITH(ARDUINO) && checker->digest == MPEG2_CRC) {
        checker->crc32 = upd_crc32_mpeg2(checker->crc32, bytes, size);
    }
    if ((WITH(ESP32) || WITH(RTOS)) && checker->digest == SHA256) {
        upd_sha256_update(&checker->sha256, bytes, size);
    }
}

static void start_digest(struct upd_image_checker *checker, enum digest digest)
{
    checker->digest = (uint8_t)digest;
    if (digest == ZLIB_CRC) {
        checker->crc32 = UPD_CRC32_INIT;
    } else if (digest == MPEG2_CRC) {
        checker->crc32 = UPD_CRC32_MPEG2_INIT;
    } else if ((WITH(ESP32) || WITH(RTOS)) && digest == SHA256) {
        upd_sha256_init(&checker->sha256);
    }
}

/* No image with these bytes can end before `end`: tell now when it may not last so long. */
static void expect(struct upd_image_checker *checker, uint32_t end)
{
    checker->info.size = end;
    if (end > checker->limit) {
        refuse(checker, checker->announced ? UPD_IMAGE_TRUNCATED : UPD_IMAGE_TOO_LARGE,
               checker->limit);
    }
}

/*
 * Steps of a header.
 */

static void begin_header(struct upd_image_checker *checker)
{
    checker->base = checker->at;
    checker->checksum = 0xEF;
    read(checker, MAGIC);
}

static void take_magic(struct upd_image_checker *checker)
{
    uint8_t magic = checker->field[0];

    if (is_inner(checker)) {
        if (magic != IMAGE_MAGIC) {
            refuse(checker, UPD_IMAGE_INNER_MAGIC, checker->base);
        }
    } else if (magic == IROM_MAGIC) {
        checker->info.chip = UPD_CHIP_ESP8266;
    } else if (magic != IMAGE_MAGIC && magic != GZIP_MAGIC) {
        refuse(checker, UPD_IMAGE_MAGIC, 0);
    }
    read_on(checker, COUNT);
}

static void take_count(struct upd_image_checker *checker)
{
    uint8_t magic = checker->field[0];
    uint8_t count = checker->field[1];

    checker->todo = count;
    if (magic == IMAGE_MAGIC) {
        if (count == 0 || count > UPD_IMAGE_SEGMENTS - checker->info.segment_count) {
            refuse(checker, UPD_IMAGE_SEGMENT_COUNT, checker->base + 1);
        }
    } else if (magic == IROM_MAGIC && count == IROM_MAGIC_2) {
        checker->todo = 1;
    } else if (magic == GZIP_MAGIC && count == GZIP_MAGIC_2) {
        checker->info.format = UPD_FORMAT_GZIP;
        refuse(checker, UPD_IMAGE_COMPRESSED, 0);
    } else {
        refuse(checker, UPD_IMAGE_MAGIC, 1);
    }
    read_on(checker, FLASH);
}

/* Flash mode, frequency and size: the codes must be among the first `modes` and `sizes`. */
static void take_settings(struct upd_image_checker *checker, uint8_t modes, uint8_t sizes)
{
    struct upd_image_info *info = &checker->info;
    uint8_t mode = checker->field[2];
    uint8_t freq = checker->field[3] & 15;
    uint8_t size = checker->field[3] >> 4;

    if (mode >= modes) {
        refuse(checker, UPD_IMAGE_FLASH_CODE, checker->base + 2);
    }
    if ((freq > 2 && freq != 15) || size >= sizes) {
        refuse(checker, UPD_IMAGE_FLASH_CODE, checker->base + 3);
    }
    /* The chip obeys the first bytes of flash, so those of the sketch mean nothing. */
    if (!in_sketch(checker)) {
        info->flash_mode = mode;
        info->flash_freq = freq;
        info->flash_size = size;
    }
}

static void take_flash(struct upd_image_checker *checker)
{
    uint8_t slot = checker->field[3];

    if (is_inner(checker)) {
        take_settings(checker, 4, 10);
    } else if (checker->field[0] == IROM_MAGIC) {
        checker->info.format = UPD_FORMAT_ESP8266_V2;
        checker->info.slot = slot == 1 || slot == 2 ? slot : 0;
        start_digest(checker, ZLIB_CRC);
        take_digest(checker, checker->field, 4);
        if (!WITH(NONOS)) {
            refuse(checker, UPD_IMAGE_EXCLUDED, 0);
        }
    }
    read_on(checker, ENTRY);
}

/* On the ESP8266 the entry is in instruction RAM or in mapped flash. */
static void check_entry(struct upd_image_checker *checker)
{
    uint32_t entry = upd_get_le32(checker->field + 4);

    checker->info.entry = entry;
    if (is_esp8266(&checker->info) && !(entry >= IRAM && entry < IRAM_LIMIT) &&
        !(entry >= WINDOW && entry < WINDOW_LIMIT)) {
        refuse(checker, UPD_IMAGE_ENTRY, checker->base + 4);
    }
}

static void take_entry(struct upd_image_checker *checker)
{
    if (!WITH_INNER || checker->info.chip == UPD_CHIP_NONE) {
        read_on(checker, FORK);
    } else {
        check_entry(checker);
        read(checker, ADDRESS);
    }
}

static void begin_segment(struct upd_image_checker *checker, uint32_t address);

/*
 * Bytes 8 to 11 are the load address of the first segment on the ESP8266, and on the ESP32 family
 * the WP pin and drive strengths. Each strength is 0 to 3, so byte 11 can be 0x3F or 0x40 on the
 * ESP8266 alone.
 */
static void take_fork(struct upd_image_checker *checker)
{
    struct upd_image_info *info = &checker->info;
    uint32_t address = upd_get_le32(checker->field + 8);
    enum digest digest = SHA256;
    bool known = WITH(ESP32);

    if (address >> 24 == 0x3F || address >> 24 == 0x40) {
        info->chip = UPD_CHIP_ESP8266;
        if (address >= WINDOW && address < WINDOW_LIMIT) {
            info->format = UPD_FORMAT_ESP8266_V3;
            known = WITH(RTOS);
        } else if (address == EBOOT_ADDRESS) {
            info->format = UPD_FORMAT_ARDUINO;
            digest = MPEG2_CRC;
            known = WITH(ARDUINO);
        } else {
            info->format = UPD_FORMAT_ESP8266_V1;
            digest = ZLIB_CRC;
            known = WITH(NONOS);
            if (checker->field[2] == 0 && (checker->field[3] == 1 || checker->field[3] == 2)) {
                info->slot = checker->field[3];
            }
        }
        take_settings(checker, 4, 10);
    } else {
        take_settings(checker, 6, 8);
        memcpy(info->pins, checker->field + 8, sizeof info->pins);
    }
    if (!known) {
        refuse(checker, UPD_IMAGE_EXCLUDED, 0);
    }
    check_entry(checker);
    start_digest(checker, digest);
    take_digest(checker, checker->field, 12);
    if (info->chip == UPD_CHIP_ESP8266) {
        info->loader_entry = digest == MPEG2_CRC ? info->entry : 0;
        begin_segment(checker, address);
    } else {
        read(checker, CHIP_ID);
    }
}

static void take_chip_id(struct upd_image_checker *checker)
{
    uint16_t id = upd_get_le16(checker->field);
    uint32_t chip = UPD_CHIP_ESP32;

    if (ONE_CHIP) {
        chip = chip_ids[UPD_IMAGE_FOR] == id ? UPD_IMAGE_FOR : CHIPS;
    }
    while (!ONE_CHIP && chip < CHIPS && chip_ids[chip] != id) {
        chip++;
    }
    if (chip == CHIPS) {
        refuse(checker, ONE_CHIP ? UPD_IMAGE_WRONG_CHIP : UPD_IMAGE_CHIP, 12);
    } else {
        checker->info.chip = (enum upd_chip)chip;
        checker->info.format = UPD_FORMAT_ESP32;
    }
    read(checker, REVISION);
}

static void take_revision(struct upd_image_checker *checker)
{
    checker->info.min_revision_legacy = checker->field[0];
    checker->info.min_revision = upd_get_le16(checker->field + 1);
    checker->info.max_revision = upd_get_le16(checker->field + 3);
    read(checker, HASH);
}

static void take_hash(struct upd_image_checker *checker)
{
    /* The four bytes in front are reserved. */
    if (checker->field[4] > 1) {
        refuse(checker, UPD_IMAGE_HASH_FLAG, 23);
    }
    checker->hashed = checker->field[4] != 0;
    read(checker, ADDRESS);
}

/*
 * Steps of a segment.
 */

/* Whether the segment about to be read is the first of its part. */
static bool is_first(const struct upd_image_checker *checker)
{
    return checker->info.segment_count == checker->info.loader_segments;
}

/* How large a segment at `address` may be; 0 when none may be there. */
static uint32_t room(const struct upd_image_checker *checker, uint32_t address)
{
    if (is_esp32(checker)) {
        return SEGMENT_LIMIT;
    }
    if (in_irom(checker) && address == 0) {
        return MEBIBYTE;
    }
    if (in_irom(checker) || in_sketch(checker) || is_v3(checker)) {
        if (address >= WINDOW && address < WINDOW_LIMIT) {
            return WINDOW_LIMIT - address;
        }
    }
    if (address >= IRAM && address < IRAM_LIMIT && !in_irom(checker)) {
        return IRAM_LIMIT - address;
    }
    return address >= DRAM && address < DRAM_LIMIT && !in_irom(checker) ? DRAM_LIMIT - address : 0;
}

/* The chip maps whole pages of flash: offset and address must be alike below the page size. */
static void check_page(struct upd_image_checker *checker, uint32_t offset, uint32_t address)
{
    const struct windows *row = &windows[chip_of(&checker->info)];
    uint32_t unit = address >> 16;
    uint8_t page = checker->info.mmu_page;

    if ((unit < row->data_first || unit >= row->data_limit) &&
        (unit < row->code_first || unit >= row->code_limit)) {
        return;
    }
    checker->info.mapped = true;
    /* The descriptor, which tells the page, is itself in the first segment. */
    if (page < row->page_min || page > row->page_max) {
        page = row->page_min;
    }
    if (((offset ^ address) & ((1u << page) - 1)) != 0) {
        refuse(checker, UPD_IMAGE_SEGMENT_MAP, offset - 8);
    }
}

static void begin_segment(struct upd_image_checker *checker, uint32_t address)
{
    struct upd_image_info *info = &checker->info;

    info->segments[info->segment_count].address = address;
    if (is_esp32(checker)) {
        check_page(checker, checker->at + 4, address);
    } else if (room(checker, address) == 0 ||
               (in_sketch(checker) && is_first(checker) && address != SKETCH_LINK)) {
        refuse(checker, UPD_IMAGE_SEGMENT_ADDRESS, checker->at - 4);
    } else if (address >= WINDOW || in_irom(checker)) {
        info->mapped = true;
        info->link = is_first(checker) ? address : info->link;
    }
    read(checker, SIZE);
}

static void take_address(struct upd_image_checker *checker)
{
    begin_segment(checker, upd_get_le32(checker->field));
}

/* A segment ends at `end`: so long is the image at least, and with its last segment exactly. */
static void expect_segment(struct upd_image_checker *checker, uint32_t end)
{
    struct upd_image_info *info = &checker->info;

    if (in_irom(checker)) {
        expect(checker, end + 16);
        return;
    }
    end += 1 + gap(end + 1 - checker->base, 16);
    if (in_sketch(checker)) {
        /* Zero until the word is read, which is in the first segment. */
        if (info->image_size != 0 &&
            (checker->todo == 0 ? end != info->image_size : end > info->image_size)) {
            refuse(checker, UPD_IMAGE_LENGTH, WORDS_OFFSET);
        }
    } else if (is_hashed(checker)) {
        end += UPD_SHA256_SIZE;
    } else if (WITH(NONOS) && info->format == UPD_FORMAT_ESP8266_V2 && info->slot != 0) {
        end += 4;
    }
    expect(checker, end);
}

static void take_size(struct upd_image_checker *checker)
{
    struct upd_image_info *info = &checker->info;
    struct upd_image_segment *segment = &info->segments[info->segment_count];
    uint32_t size = upd_get_le32(checker->field);
    bool first = is_first(checker);

    if (size >= SEGMENT_LIMIT) {
        refuse(checker, UPD_IMAGE_SEGMENT_SIZE, checker->at - 4);
        return;
    }
    /* Arduino's linker script does not round its sections up. */
    if (!is_arduino(checker) && gap(size, in_irom(checker) ? 16 : 4) != 0) {
        refuse(checker, UPD_IMAGE_SEGMENT_ALIGN, checker->at - 4);
    }
    if (size > room(checker, segment->address)) {
        refuse(checker, UPD_IMAGE_SEGMENT_ADDRESS, checker->at - 4);
    }
    segment->size = size;
    info->segment_count++;
    checker->todo--;
    if (in_sketch(checker) && first) {
        if (size < WORDS_SIZE) {
            refuse(checker, UPD_IMAGE_LENGTH, checker->at - 4);
        }
        checker->digest = NO_DIGEST;
        read(checker, WORDS);
    } else if (first && (is_esp32(checker) || is_v3(checker))) {
        run(checker, DESCRIPTOR, size < APP_DESCRIPTOR_SIZE ? size : APP_DESCRIPTOR_SIZE);
    } else {
        run(checker, DATA, size);
    }
    expect_segment(checker, checker->at + size);
}

/* Length and CRC-32 of an Arduino image, which count as zero in its checksum and its CRC-32. */
static void take_words(struct upd_image_checker *checker)
{
    static const uint8_t zeros[WORDS_SIZE] = {0};
    struct upd_image_info *info = &checker->info;
    uint32_t left = info->segments[info->segment_count - 1].size - WORDS_SIZE;

    info->image_size = upd_get_le32(checker->field);
    info->crc32_stored = upd_get_le32(checker->field + 4);
    checker->digest = MPEG2_CRC;
    take_digest(checker, zeros, WORDS_SIZE);
    run(checker, DATA, left);
    if (info->image_size == 0) {
        refuse(checker, UPD_IMAGE_LENGTH, WORDS_OFFSET);
    }
    expect_segment(checker, checker->at + left);
    expect(checker, info->image_size);
}

/* Keeps what is needed of the first bytes of the first segment, should they be a descriptor. */
static void look_descriptor(struct upd_image_checker *checker, const uint8_t *bytes, uint32_t size)
{
    uint32_t whole = checker->info.segments[0].size;
    uint32_t offset = (whole < APP_DESCRIPTOR_SIZE ? whole : APP_DESCRIPTOR_SIZE) - checker->left;

    if (checker->descriptor != NULL) {
        memcpy(checker->descriptor + offset, bytes, size);
    }
    for (; size > 0; size--, offset++, bytes++) {
        if (offset < 8) {
            checker->field[offset] = *bytes; /* magic, secure version */
        } else if (offset >= 16 && offset < 48) {
            checker->info.version[offset - 16] = (char)*bytes;
        } else if (offset >= 176 && offset < 182) {
            checker->field[offset - 168] = *bytes; /* eFuse revisions, MMU page, SPI mode */
        }
    }
}

static void take_descriptor(struct upd_image_checker *checker)
{
    struct upd_image_info *info = &checker->info;
    const uint8_t *field = checker->field;
    uint32_t size = info->segments[0].size;
    uint32_t left = 0;

    if (size >= APP_DESCRIPTOR_SIZE && upd_get_le32(field) == APP_MAGIC) {
        info->descriptor = UPD_IMAGE_APP_DESCRIPTOR;
        info->secure_version = upd_get_le32(field + 4);
        if (is_esp32(checker)) {
            info->min_efuse_revision = upd_get_le16(field + 8);
            info->max_efuse_revision = upd_get_le16(field + 10);
            info->mmu_page = field[12];
            info->spi_mode = field[13];
            check_page(checker, checker->at - APP_DESCRIPTOR_SIZE, info->segments[0].address);
        }
    } else {
        memset(info->version, 0, sizeof info->version);
        if (size >= LOADER_DESCRIPTOR_SIZE && field[0] == LOADER_MAGIC && is_esp32(checker) &&
            !info->mapped) {
            info->descriptor = UPD_IMAGE_LOADER_DESCRIPTOR;
            info->secure_version = field[3];
        }
    }
    if (size > APP_DESCRIPTOR_SIZE) {
        left = size - APP_DESCRIPTOR_SIZE;
    }
    run(checker, DATA, left);
}

static void end_segment(struct upd_image_checker *checker)
{
    if (checker->todo > 0) {
        read(checker, ADDRESS);
    } else if (in_irom(checker)) {
        begin_header(checker);
    } else {
        run(checker, PAD, gap(checker->at + 1 - checker->base, 16));
    }
}

/*
 * Steps behind the segments.
 */

static void compute_sha256(struct upd_image_checker *checker)
{
    if (WITH(SIGNATURE)) {
        /* A copy is finished: signature blocks digest on. */
        struct upd_sha256 copy = checker->sha256;
        upd_sha256_final(&copy, checker->info.sha256_computed);
    } else {
        upd_sha256_final(&checker->sha256, checker->info.sha256_computed);
        checker->digest = NO_DIGEST;
    }
}

/* The digest of all that a signature sector covers; it is kept where the running one was. */
static void finish_sha256(struct upd_image_checker *checker)
{
    uint8_t digest[UPD_SHA256_SIZE];

    upd_sha256_final(&checker->sha256, digest);
    memcpy(checker->sha256.block, digest, sizeof digest);
    checker->digest = NO_DIGEST;
}

/* The image's own bytes are complete; a signature may follow. */
static void end_image(struct upd_image_checker *checker)
{
    checker->info.image_size = checker->at;
    if (checker->in_flash) {
        read(checker, END);
    } else if (WITH(SIGNATURE) && is_arduino(checker)) {
        checker->digest = NO_DIGEST;
        run(checker, HELD, RSA_8192_SIZE + 4 + 1);
    } else if (WITH(SIGNATURE) && is_esp32(checker)) {
        if (gap(checker->at, SECTOR) == 0) {
            finish_sha256(checker);
        }
        read(checker, NEXT);
    } else if (WITH(NONOS) && checker->info.format == UPD_FORMAT_ESP8266_V1) {
        read(checker, NEXT_V1);
    } else {
        read(checker, END);
    }
}

static void take_checksum(struct upd_image_checker *checker)
{
    struct upd_image_info *info = &checker->info;

    info->checksum_stored = checker->field[0];
    info->checksum_computed = checker->checksum;
    info->digests |= UPD_IMAGE_HAS_CHECKSUM;
    if (info->checksum_stored != info->checksum_computed) {
        refuse(checker, UPD_IMAGE_CHECKSUM, checker->at - 1);
    } else if (is_arduino(checker) && !in_sketch(checker)) {
        info->loader_segments = info->segment_count;
        if (checker->at > SKETCH_OFFSET) {
            refuse(checker, UPD_IMAGE_INNER_MAGIC, SKETCH_OFFSET);
        }
        fill(checker, 0xAA, SKETCH_OFFSET - checker->at, MAGIC);
    } else if (is_arduino(checker)) {
        info->crc32_computed = checker->crc32;
        info->digests |= UPD_IMAGE_HAS_CRC32;
        if (info->crc32_stored != info->crc32_computed) {
            refuse(checker, UPD_IMAGE_CRC32, WORDS_OFFSET + 4);
        }
        end_image(checker);
    } else if (is_hashed(checker)) {
        compute_sha256(checker);
        read(checker, SHA);
    } else if (WITH(NONOS) && info->format == UPD_FORMAT_ESP8266_V2) {
        info->image_size = checker->at;
        checker->digest = NO_DIGEST;
        read(checker, CRC);
    } else {
        end_image(checker);
    }
}

/* The CRC-32 of a v2 image; rBoot's images have none, and from flash one cannot tell them apart. */
static void take_crc(struct upd_image_checker *checker)
{
    struct upd_image_info *info = &checker->info;
    uint32_t stored = upd_get_le32(checker->field);
    uint32_t computed = upd_crc32_nonos(checker->crc32);

    if (stored == computed || info->slot != 0 || !checker->in_flash) {
        info->crc32_stored = stored;
        info->crc32_computed = computed;
        info->digests |= UPD_IMAGE_HAS_CRC32;
        if (stored != computed) {
            refuse(checker, UPD_IMAGE_CRC32, checker->at - 4);
        }
        end_image(checker);
    }
    read(checker, END);
}

static void take_sha256(struct upd_image_checker *checker)
{
    struct upd_image_info *info = &checker->info;

    info->digests |= UPD_IMAGE_HAS_SHA256;
    if (memcmp(info->sha256_stored, info->sha256_computed, UPD_SHA256_SIZE) != 0) {
        refuse(checker, UPD_IMAGE_SHA256, checker->at - UPD_SHA256_SIZE);
    }
    end_image(checker);
}

/* The byte read last is behind the end of the image. */
static void refuse_trailing(struct upd_image_checker *checker)
{
    uint8_t byte = checker->field[0];
    bool image = byte == IMAGE_MAGIC || byte == IROM_MAGIC;

    refuse(checker, image ? UPD_IMAGE_JOINED : UPD_IMAGE_TRAILING, checker->at - 1);
}

/* An image for boot v1.1 is a v1 image, filled with FF up to its irom part. */
static void take_next_v1(struct upd_image_checker *checker)
{
    struct upd_image_info *info = &checker->info;

    if (checker->field[0] != 0xFF || info->slot == 0 || checker->at > IROM_OFFSET) {
        refuse_trailing(checker);
        return;
    }
    info->format = UPD_FORMAT_ESP8266_V1_SLOT;
    info->flash_mode = info->flash_freq = info->flash_size = UPD_IMAGE_UNTOLD;
    info->mapped = true;
    expect(checker, IROM_OFFSET + 4);
    fill(checker, 0xFF, IROM_OFFSET - checker->at, HELD);
}

/*
 * The last four bytes are held back, because they are the CRC-32 of an image for boot v1.1, or the
 * length of an Arduino signature: which they are is known only when no more come.
 */
static void look_held(struct upd_image_checker *checker, const uint8_t *bytes, uint32_t size)
{
    for (; size > 0; size--, bytes++) {
        if (checker->got == 4) {
            take_digest(checker, checker->field, 1);
            memmove(checker->field, checker->field + 1, 3);
            checker->got = 3;
        }
        checker->field[checker->got++] = *bytes;
    }
}

/*
 * Steps of a signature behind an image of the ESP32 family.
 */

/* A sector of up to three blocks, as the first byte of a block or of what follows the last tells.
 */
static void take_mark(struct upd_image_checker *checker)
{
    struct upd_image_info *info = &checker->info;
    uint8_t byte = checker->field[0];

    if (byte == BLOCK_MAGIC) {
        if (info->signature_blocks == 0) {
            info->signature_offset = checker->at - 1;
            info->signature_size = SECTOR;
            expect(checker, info->signature_offset + SECTOR);
        }
        start_digest(checker, ZLIB_CRC);
        take_digest(checker, checker->field, 1);
        read(checker, BLOCK_HEAD);
    } else if (info->signature_blocks == 0) {
        refuse(checker, UPD_IMAGE_TRAILING, info->image_size);
    } else if (byte == 0xFF) {
        fill(checker, 0xFF, gap(checker->at, SECTOR), END);
    } else {
        refuse(checker, UPD_IMAGE_SIGNATURE, checker->at - 1);
    }
}

static void take_next(struct upd_image_checker *checker)
{
    uint8_t byte = checker->field[0];
    bool aligned = gap(checker->at - 1, SECTOR) == 0;

    if (aligned && byte == BLOCK_MAGIC) {
        take_mark(checker);
    } else if (!aligned && byte == 0xFF) {
        fill(checker, 0xFF, gap(checker->at, SECTOR), MARK);
    } else if (byte == 0 && checker->info.chip == UPD_CHIP_ESP32) {
        read(checker, V1_SIGNATURE);
    } else {
        refuse_trailing(checker);
    }
}

/* Secure boot v1: a word that is zero, and the signature itself. */
static void take_v1_signature(struct upd_image_checker *checker)
{
    struct upd_image_info *info = &checker->info;

    if (upd_get_le24(checker->field) != 0) {
        refuse(checker, UPD_IMAGE_TRAILING, info->image_size);
    }
    info->signature = UPD_IMAGE_SECURE_BOOT_V1;
    info->signature_offset = info->image_size;
    info->signature_size = V1_SIGNATURE_SIZE;
    expect(checker, info->image_size + V1_SIGNATURE_SIZE);
    run(checker, SIGNATURE, V1_SIGNATURE_SIZE - 4);
}

/* Version 2 is RSA. Version 3 is ECDSA, and may digest with SHA-384, which is not computed here. */
static void take_block_head(struct upd_image_checker *checker)
{
    struct upd_image_info *info = &checker->info;
    uint8_t version = checker->field[0];
    uint8_t hash = checker->field[1];

    if ((version != 2 && version != 3) || hash > version - 2 || checker->field[2] != 0) {
        refuse(checker, UPD_IMAGE_SIGNATURE, checker->at - 3);
    }
    if (info->signature_blocks == 0) {
        info->signature = version == 2 ? UPD_IMAGE_SECURE_BOOT_RSA : UPD_IMAGE_SECURE_BOOT_ECDSA;
    }
    info->signature_blocks++;
    if (hash == 0) {
        run(checker, BLOCK_DIGEST, UPD_SHA256_SIZE);
    } else {
        run(checker, BLOCK_REST, BLOCK_SIGNED_SIZE - 4);
    }
}

static void take_block_crc(struct upd_image_checker *checker)
{
    if (upd_get_le32(checker->field) != checker->crc32) {
        refuse(checker, UPD_IMAGE_SIGNATURE_CRC, checker->at - 4);
    }
    fill(checker, 0, BLOCK_SIZE - BLOCK_SIGNED_SIZE - 4, MARK);
}

/* Filler ends, and `then` begins. */
static void end_filler(struct upd_image_checker *checker)
{
    struct upd_image_info *info = &checker->info;

    if (WITH(ARDUINO) && checker->then == MAGIC) {
        begin_header(checker);
    } else if (WITH(NONOS) && checker->then == HELD) {
        run(checker, HELD, UINT32_MAX - checker->at);
    } else if (WITH(SIGNATURE) && checker->then == MARK) {
        if (info->signature_blocks == 0) {
            finish_sha256(checker);
        }
        if (info->signature_blocks < BLOCK_COUNT) {
            read(checker, MARK);
        } else {
            fill(checker, 0xFF, gap(checker->at, SECTOR), END);
        }
    } else {
        read(checker, END);
    }
}

static void end_pad(struct upd_image_checker *checker)
{
    read(checker, CHECKSUM);
}
static void end_signature(struct upd_image_checker *checker)
{
    read(checker, END);
}
static void end_block_digest(struct upd_image_checker *checker)
{
    checker->info.signature_digest = true;
    run(checker, BLOCK_REST, BLOCK_SIGNED_SIZE - 4 - UPD_SHA256_SIZE);
}
static void end_block_rest(struct upd_image_checker *checker)
{
    checker->digest = NO_DIGEST;
    read(checker, BLOCK_CRC);
}
static void end_held(struct upd_image_checker *checker)
{
    refuse(checker, UPD_IMAGE_TRAILING, checker->info.image_size);
}

static const uint8_t field_sizes[STEPS] = {
    [MAGIC] = 1,   [COUNT] = 1,        [FLASH] = 2, [ENTRY] = 4,      [FORK] = 4,
    [CHIP_ID] = 2, [REVISION] = 5,     [HASH] = 5,  [ADDRESS] = 4,    [SIZE] = 4,
    [WORDS] = 8,   [CHECKSUM] = 1,     [CRC] = 4,   [SHA] = 32,       [NEXT_V1] = 1,
    [NEXT] = 1,    [V1_SIGNATURE] = 3, [MARK] = 1,  [BLOCK_HEAD] = 3, [BLOCK_CRC] = 4,
    [END] = 1,
};

/* A step is complete. What a build leaves out is never begun. */
static void take(struct upd_image_checker *checker)
{
    switch ((enum step)checker->step) {
    case MAGIC:
        take_magic(checker);
        break;
    case COUNT:
        take_count(checker);
        break;
    case FLASH:
        take_flash(checker);
        break;
    case ENTRY:
        take_entry(checker);
        break;
    case FORK:
        take_fork(checker);
        break;
    case CHIP_ID:
        if (WITH(ESP32)) {
            take_chip_id(checker);
        }
        break;
    case REVISION:
        if (WITH(ESP32)) {
            take_revision(checker);
        }
        break;
    case HASH:
        if (WITH(ESP32)) {
            take_hash(checker);
        }
        break;
    case ADDRESS:
        take_address(checker);
        break;
    case SIZE:
        take_size(checker);
        break;
    case WORDS:
        if (WITH(ARDUINO)) {
            take_words(checker);
        }
        break;
    case DESCRIPTOR:
        if (WITH_DESCRIPTOR) {
            take_descriptor(checker);
        }
        break;
    case DATA:
        end_segment(checker);
        break;
    case PAD:
        end_pad(checker);
        break;
    case CHECKSUM:
        take_checksum(checker);
        break;
    case CRC:
        if (WITH(NONOS)) {
            take_crc(checker);
        }
        break;
    case SHA:
        if (WITH(ESP32) || WITH(RTOS)) {
            take_sha256(checker);
        }
        break;
    case NEXT_V1:
        if (WITH(NONOS)) {
            take_next_v1(checker);
        }
        break;
    case FILL:
        if (WITH_FILL) {
            end_filler(checker);
        }
        break;
    case HELD:
        if (WITH_HELD) {
            end_held(checker);
        }
        break;
    case NEXT:
        if (WITH(SIGNATURE)) {
            take_next(checker);
        }
        break;
    case V1_SIGNATURE:
        if (WITH(SIGNATURE)) {
            take_v1_signature(checker);
        }
        break;
    case SIGNATURE:
        if (WITH(SIGNATURE)) {
            end_signature(checker);
        }
        break;
    case MARK:
        if (WITH(SIGNATURE)) {
            take_mark(checker);
        }
        break;
    case BLOCK_HEAD:
        if (WITH(SIGNATURE)) {
            take_block_head(checker);
        }
        break;
    case BLOCK_DIGEST:
        if (WITH(SIGNATURE)) {
            end_block_digest(checker);
        }
        break;
    case BLOCK_REST:
        if (WITH(SIGNATURE)) {
            end_block_rest(checker);
        }
        break;
    case BLOCK_CRC:
        if (WITH(SIGNATURE)) {
            take_block_crc(checker);
        }
        break;
    case END:
        refuse_trailing(checker);
        break;
    case STEPS:
        break;
    }
}

static uint8_t xor_bytes(uint8_t sum, const uint8_t *bytes, uint32_t size)
{
    uint32_t words = 0;

    for (; !UPD_SMALL && size > 0 && ((uintptr_t)bytes & 3) != 0; size--) {
        sum ^= *bytes++;
    }
    for (; !UPD_SMALL && size >= 4; size -= 4, bytes += 4) {
        uint32_t word;
        /* By its builtin name, which is one load also where the standard one would be a call. */
        __builtin_memcpy(&word, __builtin_assume_aligned(bytes, 4), 4);
        words ^= word;
    }
    for (; size > 0; size--) {
        sum ^= *bytes++;
    }
    words ^= words >> 16;
    return (uint8_t)(sum ^ words ^ words >> 8);
}

/* The step takes `size` bytes, which are at most `left`. */
static void look(struct upd_image_checker *checker, const uint8_t *bytes, uint32_t size)
{
    enum step step = (enum step)checker->step;
    uint32_t done = UPD_SHA256_SIZE - checker->left;
    uint8_t *field = step == SHA ? checker->info.sha256_stored : checker->field;

    if (WITH_HELD && step == HELD) {
        look_held(checker, bytes, size);
        return;
    }
    if (WITH_DESCRIPTOR && step == DESCRIPTOR) {
        look_descriptor(checker, bytes, size);
    }
    if ((WITH_DESCRIPTOR && step == DESCRIPTOR) || (step == DATA && !in_irom(checker))) {
        checker->checksum = xor_bytes(checker->checksum, bytes, size);
    } else if (WITH_FILL && step == FILL) {
        for (uint32_t i = 0; i < size; i++) {
            if (bytes[i] != checker->filler) {
                refuse(checker, UPD_IMAGE_FILLER, checker->at + i);
            }
        }
    } else if (WITH(SIGNATURE) && step == BLOCK_DIGEST) {
        if (memcmp(bytes, checker->sha256.block + done, size) != 0) {
            refuse(checker, UPD_IMAGE_SIGNATURE_DIGEST, checker->at - done);
        }
    } else if (step <= END) {
        memcpy(field + checker->got, bytes, size);
        checker->got = (uint8_t)(checker->got + size);
    }
    take_digest(checker, bytes, size);
}

/*
 * From outside.
 */

static enum upd_err result(const struct upd_image_checker *checker)
{
    return upd_image_problem_err(checker->info.problem);
}

static void ask_target(struct upd_image_checker *checker)
{
    uint32_t offset = 0;

    if (checker->target != NULL && checker->info.problem == UPD_IMAGE_OK) {
        enum upd_image_problem problem = judge(&checker->info, checker->target, &offset);

        if (problem != UPD_IMAGE_OK) {
            refuse(checker, problem, offset);
        }
    }
}

enum upd_err upd_image_begin(struct upd_image_checker *checker,
                             const struct upd_image_options *options)
{
    memset(checker, 0, sizeof *checker);
    checker->limit = UINT32_MAX;
    checker->info.flash_mode = UPD_IMAGE_UNTOLD;
    checker->info.flash_freq = UPD_IMAGE_UNTOLD;
    checker->info.flash_size = UPD_IMAGE_UNTOLD;
    begin_header(checker);
    if (options != NULL) {
        checker->target = options->target;
        checker->descriptor = options->descriptor;
        checker->in_flash = options->in_flash;
        if (options->target != NULL) {
            checker->limit = options->target->size;
        }
        if (options->size > checker->limit) {
            refuse(checker, UPD_IMAGE_TOO_LARGE, checker->limit);
        } else if (options->size != 0) {
            checker->limit = options->size;
            checker->announced = true;
        }
    }
    return result(checker);
}

bool upd_image_wants_more(const struct upd_image_checker *checker)
{
    return checker->info.problem == UPD_IMAGE_OK && !(checker->in_flash && checker->step == END);
}

enum upd_err upd_image_feed(struct upd_image_checker *checker, const void *data, uint32_t size)
{
    struct upd_reader in = {data, size};

    while (in.left > 0 && upd_image_wants_more(checker)) {
        const uint8_t *bytes = in.at;
        uint32_t piece = in.left;

        if (checker->at == checker->limit) {
            refuse(checker, checker->announced ? UPD_IMAGE_TRAILING : UPD_IMAGE_TOO_LARGE,
                   checker->limit);
            break;
        }
        piece = piece < checker->left ? piece : checker->left;
        piece = piece < checker->limit - checker->at ? piece : checker->limit - checker->at;
        (void)upd_take(&in, piece, &bytes);
        look(checker, bytes, piece);
        checker->at += piece;
        checker->left -= piece;
        while (checker->left == 0 && checker->info.problem == UPD_IMAGE_OK) {
            take(checker);
            ask_target(checker);
        }
    }
    return result(checker);
}

/* The CRC-32 of an image for boot v1.1 is its last four bytes, and its irom part ends there. */
static void end_slot(struct upd_image_checker *checker)
{
    struct upd_image_info *info = &checker->info;

    info->image_size = checker->at;
    info->crc32_stored = upd_get_le32(checker->field);
    info->crc32_computed = upd_crc32_nonos(checker->crc32);
    info->digests |= UPD_IMAGE_HAS_CRC32;
    if (checker->got < 4) {
        refuse(checker, UPD_IMAGE_TRUNCATED, checker->at);
    } else if (info->crc32_stored != info->crc32_computed) {
        refuse(checker, UPD_IMAGE_CRC32, checker->at - 4);
    }
    if (info->segment_count < UPD_IMAGE_SEGMENTS) {
        info->segments[info->segment_count].address = 0;
        info->segments[info->segment_count].size = checker->at - 4 - IROM_OFFSET;
        info->segment_count++;
    }
}

/* The length word of an Arduino signature is the last, and counts what is between image and it. */
static void end_sketch(struct upd_image_checker *checker)
{
    struct upd_image_info *info = &checker->info;
    uint32_t size = checker->at - info->image_size - 4;

    if (checker->got == 0) {
        return;
    }
    if (checker->got < 4 || size < RSA_1024_SIZE || size != upd_get_le32(checker->field)) {
        refuse(checker, UPD_IMAGE_TRAILING, info->image_size);
    }
    info->signature = UPD_IMAGE_ARDUINO_SIGNED;
    info->signature_offset = info->image_size;
    info->signature_size = size;
}

/* No more bytes come: whether they could end in this step. */
static void end_step(struct upd_image_checker *checker)
{
    struct upd_image_info *info = &checker->info;

    switch (checker->step) {
    case NEXT_V1:
    case NEXT:
    case END:
        return;
    case HELD:
        if (WITH(SIGNATURE) && is_arduino(checker)) {
            end_sketch(checker);
        } else if (WITH(NONOS)) {
            end_slot(checker);
        }
        return;
    case CRC:
        if (checker->got == 0 && info->slot == 0) {
            return;
        }
        break;
    default:
        break;
    }
    refuse(checker, checker->at == 0 ? UPD_IMAGE_EMPTY : UPD_IMAGE_TRUNCATED, checker->at);
}

enum upd_err upd_image_end(struct upd_image_checker *checker)
{
    struct upd_image_info *info = &checker->info;

    if (info->problem == UPD_IMAGE_OK) {
        end_step(checker);
    }
    if (info->problem == UPD_IMAGE_OK) {
        info->size = checker->in_flash ? info->image_size : checker->at;
        if (checker->announced && info->size < checker->limit && !checker->in_flash) {
            refuse(checker, UPD_IMAGE_TRUNCATED, info->size);
        }
        if (info->format == UPD_FORMAT_ESP8266_V1) {
            info->slot =
                0; /* nothing of a slot's image followed: it was a code of the flash chip */
        }
        info->complete = true;
        ask_target(checker);
        info->complete = info->problem == UPD_IMAGE_OK;
    }
    return result(checker);
}
