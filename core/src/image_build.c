#include <updraft/image_build.h>

#include <stdbool.h>

#include <updraft/bytes.h>
#include <updraft/crc32.h>

enum {
    SEGMENTS = 3,
    HEADER_SIZE = 8,
    LINE = 16, /* the checksum is the last byte of a line */
    OLD_IROM_OFFSET = 0x10000,
    CRC_SIZE = 4,
    MAPS = 10,
};

/* RAM of the chip that a program may be loaded into; the cache takes the rest of it. */
#define IRAM 0x40100000u
#define IRAM_SIZE 0xC000u
#define DRAM 0x3FFE8000u
#define DRAM_SIZE 0x14000u

/* Bytes of a slot, by flash map; 0 where the SDK knows no slots. */
static const uint32_t slot_sizes[MAPS] = {
    0x3B000, 0, 0x7B000, 0x7B000, 0x7B000, 0xFB000, 0xFB000, 0, 0xFB000, 0xFB000,
};

const char *upd_image_recipe_fault_text(enum upd_image_recipe_fault fault)
{
    switch (fault) {
#define X(name, text)                                                                              \
    case UPD_IMAGE_RECIPE_##name:                                                                  \
        return text;
        UPD_IMAGE_RECIPE_FAULTS(X)
#undef X
    }
    return "unknown fault";
}

static uint32_t round_up(uint32_t size, uint32_t unit)
{
    return (size + unit - 1) & ~(unit - 1);
}

/* Whether a section has bytes, and lies within [first, first + room). Cannot overflow. */
static bool lies_in(const struct upd_image_section *section, uint32_t first, uint32_t room)
{
    return section->size > 0 && section->data != NULL && section->address >= first &&
           section->address - first < room && section->size <= room - (section->address - first);
}

/* Bytes of header, segments and checksum line. */
static uint32_t ram_size(const struct upd_image_recipe *recipe)
{
    uint32_t data = round_up(recipe->text.size, 4) + round_up(recipe->data.size, 4) +
                    round_up(recipe->rodata.size, 4);

    return round_up(HEADER_SIZE + SEGMENTS * HEADER_SIZE + data + 1, LINE);
}

static uint32_t image_size(const struct upd_image_recipe *recipe)
{
    switch (recipe->boot) {
    case UPD_IMAGE_BOOT_OLD:
        return OLD_IROM_OFFSET + recipe->irom.size + CRC_SIZE;
    case UPD_IMAGE_BOOT_NEW:
        return HEADER_SIZE + HEADER_SIZE + round_up(recipe->irom.size, LINE) + ram_size(recipe) +
               CRC_SIZE;
    default:
        return ram_size(recipe);
    }
}

enum upd_image_recipe_fault upd_image_recipe_check(const struct upd_image_recipe *recipe)
{
    bool alone = recipe->boot == UPD_IMAGE_BOOT_NONE;

    if (!alone && recipe->boot != UPD_IMAGE_BOOT_OLD && recipe->boot != UPD_IMAGE_BOOT_NEW) {
        return UPD_IMAGE_RECIPE_BOOT;
    }
    if (alone ? recipe->slot != 0 : recipe->slot != 1 && recipe->slot != 2) {
        return UPD_IMAGE_RECIPE_SLOT;
    }
    if (recipe->flash_mode > 3) {
        return UPD_IMAGE_RECIPE_FLASH_MODE;
    }
    if (recipe->flash_freq > 2 && recipe->flash_freq != 15) {
        return UPD_IMAGE_RECIPE_FLASH_FREQ;
    }
    if (recipe->flash_map >= MAPS ||
        (slot_sizes[recipe->flash_map] == 0 && !(alone && recipe->flash_map == 1))) {
        return UPD_IMAGE_RECIPE_FLASH_MAP;
    }
    if (!lies_in(&recipe->text, IRAM, IRAM_SIZE)) {
        return UPD_IMAGE_RECIPE_TEXT;
    }
    if (!lies_in(&recipe->data, DRAM, DRAM_SIZE)) {
        return UPD_IMAGE_RECIPE_DATA;
    }
    if (!lies_in(&recipe->rodata, DRAM, DRAM_SIZE)) {
        return UPD_IMAGE_RECIPE_RODATA;
    }
    if (recipe->entry < recipe->text.address ||
        recipe->entry - recipe->text.address >= recipe->text.size) {
        return UPD_IMAGE_RECIPE_ENTRY;
    }
    if (recipe->boot != UPD_IMAGE_BOOT_NEW && ram_size(recipe) > OLD_IROM_OFFSET) {
        return UPD_IMAGE_RECIPE_RAM_SIZE;
    }
    if (!alone && (recipe->irom.size == 0 || recipe->irom.data == NULL)) {
        return UPD_IMAGE_RECIPE_IROM;
    }
    /* Compared alone first, so that the sum cannot overflow. */
    if (!alone && (recipe->irom.size > slot_sizes[recipe->flash_map] ||
                   image_size(recipe) > slot_sizes[recipe->flash_map])) {
        return UPD_IMAGE_RECIPE_SLOT_SIZE;
    }
    return UPD_IMAGE_RECIPE_OK;
}

struct output {
    upd_image_write *write;
    void *ctx;
    uint32_t crc32;
    uint8_t checksum;
    enum upd_err err;
};

static void put(struct output *out, const void *data, uint32_t size)
{
    if (out->err == UPD_OK && size > 0) {
        out->crc32 = upd_crc32(out->crc32, data, size);
        out->err = out->write(out->ctx, data, size);
    }
}

static void put_filler(struct output *out, uint8_t filler, uint32_t size)
{
    uint8_t block[64];

    memset(block, filler, sizeof block);
    for (; size > sizeof block; size -= (uint32_t)sizeof block) {
        put(out, block, sizeof block);
    }
    put(out, block, size);
}

static void put_header(struct output *out, uint8_t magic, uint8_t count, uint8_t byte_2,
                       uint8_t byte_3, uint32_t entry)
{
    uint8_t header[HEADER_SIZE] = {magic, count, byte_2, byte_3};

    upd_put_le32(header + 4, entry);
    put(out, header, sizeof header);
}

static void put_segment(struct output *out, uint32_t address,
                        const struct upd_image_section *section, uint32_t unit)
{
    uint8_t header[HEADER_SIZE];
    uint32_t size = round_up(section->size, unit);

    upd_put_le32(header, address);
    upd_put_le32(header + 4, size);
    put(out, header, sizeof header);
    put(out, section->data, section->size);
    put_filler(out, 0, size - section->size);
}

static void put_loaded_segment(struct output *out, const struct upd_image_section *section)
{
    put_segment(out, section->address, section, 4);
    for (uint32_t i = 0; i < section->size; i++) {
        out->checksum ^= section->data[i];
    }
}

/* Header, three segments, and a line that ends with the checksum. */
static void put_ram_part(struct output *out, const struct upd_image_recipe *recipe, uint8_t byte_2,
                         uint8_t byte_3)
{
    uint32_t used = HEADER_SIZE + SEGMENTS * HEADER_SIZE + round_up(recipe->text.size, 4) +
                    round_up(recipe->data.size, 4) + round_up(recipe->rodata.size, 4);

    put_header(out, 0xE9, SEGMENTS, byte_2, byte_3, recipe->entry);
    put_loaded_segment(out, &recipe->text);
    put_loaded_segment(out, &recipe->data);
    put_loaded_segment(out, &recipe->rodata);
    put_filler(out, 0, ram_size(recipe) - used - 1);
    put(out, &out->checksum, 1);
}

static void put_crc32(struct output *out)
{
    uint8_t stored[CRC_SIZE];

    upd_put_le32(stored, upd_crc32_nonos(out->crc32));
    put(out, stored, sizeof stored);
}

enum upd_err upd_image_build(const struct upd_image_recipe *recipe, upd_image_write *write,
                             void *ctx, uint32_t *size)
{
    struct output out = {write, ctx, UPD_CRC32_INIT, 0xEF, UPD_OK};
    uint8_t settings = 0;

    if (upd_image_recipe_check(recipe) != UPD_IMAGE_RECIPE_OK) {
        return UPD_E_ARG;
    }
    settings = (uint8_t)(recipe->flash_map << 4 | recipe->flash_freq);
    switch (recipe->boot) {
    case UPD_IMAGE_BOOT_NONE:
        put_ram_part(&out, recipe, recipe->flash_mode, settings);
        break;
    case UPD_IMAGE_BOOT_OLD:
        put_ram_part(&out, recipe, 0, recipe->slot);
        put_filler(&out, 0xFF, OLD_IROM_OFFSET - ram_size(recipe));
        put(&out, recipe->irom.data, recipe->irom.size);
        put_crc32(&out);
        break;
    case UPD_IMAGE_BOOT_NEW:
        put_header(&out, 0xEA, 4, 0, recipe->slot, recipe->entry);
        put_segment(&out, 0, &recipe->irom, LINE);
        put_ram_part(&out, recipe, recipe->flash_mode, settings);
        put_crc32(&out);
        break;
    }
    if (size != NULL) {
        *size = image_size(recipe);
    }
    return out.err;
}
