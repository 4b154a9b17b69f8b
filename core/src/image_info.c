#include <updraft/image_info.h>

#include <updraft/bytes.h>

/* Texts for codes that are small numbers. */
#define TEXT(list, code) ((code) < sizeof(list) / sizeof(list)[0] ? (list)[code] : "unknown")

const char *upd_image_format_text(enum upd_image_format format)
{
    static const char *const texts[] = {
#define X(name, text) text,
        UPD_IMAGE_FORMATS(X)
#undef X
    };
    return TEXT(texts, (uint32_t)format);
}

const char *upd_image_problem_text(enum upd_image_problem problem)
{
    switch (problem) {
#define X(name, word, err, text)                                                                   \
    case UPD_IMAGE_##name:                                                                         \
        return text;
        UPD_IMAGE_PROBLEMS(X)
#undef X
    }
    return "unknown problem";
}

const char *upd_image_problem_name(enum upd_image_problem problem)
{
    static const char *const words[] = {
#define X(name, word, err, text) word,
        UPD_IMAGE_PROBLEMS(X)
#undef X
    };
    return TEXT(words, (uint32_t)problem);
}

const char *upd_image_signature_text(uint8_t signature)
{
    switch ((enum upd_image_signature)signature) {
    case UPD_IMAGE_UNSIGNED:
        break;
    case UPD_IMAGE_SECURE_BOOT_V1:
        return "secure-boot-v1";
    case UPD_IMAGE_SECURE_BOOT_RSA:
        return "secure-boot-v2-rsa";
    case UPD_IMAGE_SECURE_BOOT_ECDSA:
        return "secure-boot-v2-ecdsa";
    case UPD_IMAGE_ARDUINO_SIGNED:
        return "arduino";
    }
    return "none";
}

const char *upd_image_flash_mode_text(uint8_t code)
{
    static const char *const texts[] = {"qio", "qout", "dio", "dout", "fast_read", "slow_read"};

    return TEXT(texts, code);
}

const char *upd_image_flash_freq_text(enum upd_chip chip, uint8_t code)
{
    /* Of the codes 0, 1, 2 and 15: the flash clock divided by 2, 3, 4 and 1. Where it is missing,
     * the chip's tools do not know the code. */
    static const char *const clock_80[] = {"40m", "26m", "20m", "80m"};
    static const char *const clock_80_even[] = {"40m", "unknown", "20m", "80m"};
    static const char *const clock_c6[] = {"80m", "unknown", "20m", "unknown"};
    static const char *const clock_60[] = {"30m", "20m", "15m", "60m"};
    static const char *const clock_48[] = {"24m", "16m", "12m", "48m"};
    static const char *const clock_48_half[] = {"24m", "unknown", "unknown", "48m"};
    static const char *const *const clocks[] = {
        [UPD_CHIP_ESP8266] = clock_80,       [UPD_CHIP_ESP32] = clock_80,
        [UPD_CHIP_ESP32S2] = clock_80,       [UPD_CHIP_ESP32C3] = clock_80,
        [UPD_CHIP_ESP32S3] = clock_80,       [UPD_CHIP_ESP32C2] = clock_60,
        [UPD_CHIP_ESP32C6] = clock_c6,       [UPD_CHIP_ESP32H2] = clock_48,
        [UPD_CHIP_ESP32P4] = clock_80,       [UPD_CHIP_ESP32C61] = clock_80_even,
        [UPD_CHIP_ESP32C5] = clock_80_even,  [UPD_CHIP_ESP32H21] = clock_48_half,
        [UPD_CHIP_ESP32H4] = clock_48_half,  [UPD_CHIP_ESP32E22] = clock_80,
        [UPD_CHIP_ESP32S31] = clock_80_even,
    };
    uint32_t index = code == 15 ? 3 : code < 3 ? code : 4;

    if (index == 4 || (uint32_t)chip >= sizeof clocks / sizeof clocks[0] || clocks[chip] == NULL) {
        return "unknown";
    }
    return clocks[chip][index];
}

const char *upd_image_flash_size_text(enum upd_chip chip, uint8_t code)
{
    static const char *const esp8266[] = {"512KB",  "256KB",  "1MB",    "2MB", "4MB",
                                          "2MB-c1", "4MB-c1", "4MB-c2", "8MB", "16MB"};
    static const char *const others[] = {"1MB",  "2MB",  "4MB",  "8MB",
                                         "16MB", "32MB", "64MB", "128MB"};

    return chip == UPD_CHIP_ESP8266 ? TEXT(esp8266, code) : TEXT(others, code);
}

enum upd_err upd_image_segment_range(const struct upd_image_info *info, uint8_t index,
                                     struct upd_image_range *range)
{
    const struct upd_image_segment *segment = info->segments;
    uint32_t offset = info->format == UPD_FORMAT_ESP32 ? 24 : 8;

    if (index >= info->segment_count) {
        return UPD_E_NOT_FOUND;
    }
    for (uint8_t i = 0;; i++, segment++) {
        if (i == 1 && info->format == UPD_FORMAT_ESP8266_V2) {
            offset += 8; /* the inner header */
        } else if (i == info->loader_segments && i != 0) {
            offset = 0x1000 + 8; /* the application of an Arduino image */
        } else if (segment->address == 0 && info->format == UPD_FORMAT_ESP8266_V1_SLOT) {
            offset = 0x10000 - 8; /* irom has no header, and its place is fixed */
        }
        offset += 8;
        if (i == index) {
            range->offset = offset;
            range->size = segment->size;
            return UPD_OK;
        }
        offset += segment->size;
    }
}

/* What the image's own digests cover, piece by piece. */
static enum upd_err covered_image(const struct upd_image_info *info, uint8_t index,
                                  struct upd_image_range *range)
{
    /* The checksum leaves out the irom part of a v2 image. */
    uint8_t first = info->format == UPD_FORMAT_ESP8266_V2 ? 1 : 0;
    uint32_t digest = 0;

    if (info->signature_digest) {
        digest = info->image_size - info->signature_offset;
    } else if ((info->digests & UPD_IMAGE_HAS_SHA256) != 0) {
        digest = 32;
    } else if (info->format == UPD_FORMAT_ARDUINO) {
        digest = 0;
    } else if ((info->digests & UPD_IMAGE_HAS_CRC32) != 0) {
        digest = 4;
    } else if (index < UPD_IMAGE_SEGMENTS) {
        return upd_image_segment_range(info, (uint8_t)(first + index), range);
    }
    if (index > 0) {
        return UPD_E_NOT_FOUND;
    }
    range->offset = 0;
    range->size = info->image_size - digest;
    return UPD_OK;
}

enum upd_err upd_image_covered(const struct upd_image_info *info, uint8_t index,
                               struct upd_image_range *range)
{
    uint8_t pieces = 0;

    if (!info->complete) {
        return UPD_E_NOT_FOUND;
    }
    if (covered_image(info, index, range) == UPD_OK) {
        return UPD_OK;
    }
    while (pieces < index &&
           covered_image(info, pieces, &(struct upd_image_range){0, 0}) == UPD_OK) {
        pieces++;
    }
    if (index - pieces >= info->signature_blocks) {
        return UPD_E_NOT_FOUND;
    }
    range->offset = info->signature_offset + (uint32_t)(index - pieces) * 1216u;
    range->size = 1196;
    return UPD_OK;
}

uint32_t upd_image_home(const struct upd_image_info *info)
{
    /* In units of 4 KiB, by flash map. */
    static const uint16_t user2[] = {0x41, 0, 0x81, 0x81, 0x81, 0x101, 0x101, 0, 0x101, 0x101};

    switch (info->format) {
    case UPD_FORMAT_ESP8266_V1_SLOT:
    case UPD_FORMAT_ESP8266_V2:
        if (info->slot == 1) {
            return 0x1000;
        }
        if (info->slot == 2 && info->flash_size < sizeof user2 / sizeof user2[0] &&
            user2[info->flash_size] != 0) {
            return user2[info->flash_size] * 4096u;
        }
        return UPD_IMAGE_ANYWHERE;
    case UPD_FORMAT_ESP8266_V3:
        return (info->link - 16) % 0x100000;
    case UPD_FORMAT_ARDUINO:
        return 0;
    default:
        return UPD_IMAGE_ANYWHERE;
    }
}

/* A text of a field that need not end with NUL. */
static void copy_text(char *text, const uint8_t *field, uint32_t size)
{
    memcpy(text, field, size);
    text[size] = '\0';
}

enum upd_err upd_image_app_read(const uint8_t descriptor[256], struct upd_image_app *app)
{
    if (upd_get_le32(descriptor) != 0xABCD5432u) {
        return UPD_E_FORMAT;
    }
    app->secure_version = upd_get_le32(descriptor + 4);
    copy_text(app->version, descriptor + 16, 32);
    copy_text(app->project, descriptor + 48, 32);
    copy_text(app->time, descriptor + 80, 16);
    copy_text(app->date, descriptor + 96, 16);
    copy_text(app->idf_version, descriptor + 112, 32);
    memcpy(app->elf_sha256, descriptor + 144, sizeof app->elf_sha256);
    app->min_efuse_revision = upd_get_le16(descriptor + 176);
    app->max_efuse_revision = upd_get_le16(descriptor + 178);
    app->mmu_page = descriptor[180];
    app->spi_mode = descriptor[181];
    return UPD_OK;
}

enum upd_err upd_image_loader_read(const uint8_t descriptor[80], struct upd_image_loader *loader)
{
    if (descriptor[0] != 0x50) {
        return UPD_E_FORMAT;
    }
    loader->secure_version = descriptor[3];
    loader->version = upd_get_le32(descriptor + 4);
    copy_text(loader->idf_version, descriptor + 8, 32);
    copy_text(loader->date_time, descriptor + 40, 24);
    return UPD_OK;
}
