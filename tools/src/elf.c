#include "elf.h"

#include <string.h>

#include <updraft/bytes.h>

enum {
    HEADER_SIZE = 52,
    SECTION_SIZE = 40,
    SYMBOL_SIZE = 16,
    TYPE_EXEC = 2,
    MACHINE_XTENSA = 94,
    SECTION_SYMBOLS = 2,
    SECTION_STRINGS = 3,
    SECTION_NO_BITS = 8,
};

/* Offsets into a section header and into a symbol. */
enum { NAME = 0, TYPE = 4, ADDRESS = 12, OFFSET = 16, SIZE = 20, LINK = 24 };
enum { SYMBOL_NAME = 0, SYMBOL_VALUE = 4, SYMBOL_SECTION = 14 };

static uint32_t field(const uint8_t *header, uint32_t at)
{
    return upd_get_le32(header + at);
}

/* The bytes [offset, offset + size) of the file. */
static bool slice(const struct elf *elf, uint32_t offset, uint32_t size, const uint8_t **bytes)
{
    struct upd_reader in = {elf->data, elf->size};
    return upd_take(&in, offset, bytes) && upd_take(&in, size, bytes);
}

static const uint8_t *section_header(const struct elf *elf, uint32_t index)
{
    return elf->sections + index * SECTION_SIZE;
}

/* A table of names is usable when it is not empty and its last byte ends the last name. */
static bool string_table(const struct elf *elf, uint32_t index, const uint8_t **names,
                         uint32_t *size)
{
    if (index >= elf->section_count) {
        return false;
    }
    const uint8_t *header = section_header(elf, index);
    *size = field(header, SIZE);
    return field(header, TYPE) == SECTION_STRINGS && *size > 0 &&
           slice(elf, field(header, OFFSET), *size, names) && (*names)[*size - 1] == '\0';
}

static bool is_name(const uint8_t *names, uint32_t size, uint32_t at, const char *name)
{
    return at < size && strcmp((const char *)names + at, name) == 0;
}

bool elf_open(const uint8_t *data, uint32_t size, struct elf *elf, const char **problem)
{
    static const uint8_t ident[7] = {0x7F, 'E', 'L', 'F', 1, 1, 1};

    *elf = (struct elf){.data = data, .size = size};
    if (size < 4 || memcmp(data, ident, 4) != 0) {
        *problem = "is not an ELF file";
        return false;
    }
    if (size < HEADER_SIZE || memcmp(data, ident, sizeof ident) != 0 ||
        upd_get_le16(data + 18) != MACHINE_XTENSA) {
        *problem = "is not an ELF file for the Xtensa CPU (32 bits, little-endian)";
        return false;
    }
    if (upd_get_le16(data + 16) != TYPE_EXEC) {
        *problem = "is not a linked program";
        return false;
    }
    elf->entry = upd_get_le32(data + 24);
    elf->section_count = upd_get_le16(data + 48);
    if (upd_get_le16(data + 46) != SECTION_SIZE ||
        !slice(elf, upd_get_le32(data + 32), elf->section_count * SECTION_SIZE, &elf->sections) ||
        !string_table(elf, upd_get_le16(data + 50), &elf->names, &elf->names_size)) {
        *problem = "is damaged: its section table does not lie inside the file";
        return false;
    }
    return true;
}

bool elf_find_section(const struct elf *elf, const char *name, struct elf_section *section)
{
    for (uint32_t i = 0; i < elf->section_count; i++) {
        const uint8_t *header = section_header(elf, i);
        if (is_name(elf->names, elf->names_size, field(header, NAME), name)) {
            section->address = field(header, ADDRESS);
            section->size = field(header, TYPE) == SECTION_NO_BITS ? 0 : field(header, SIZE);
            return slice(elf, section->size > 0 ? field(header, OFFSET) : 0, section->size,
                         &section->data);
        }
    }
    return false;
}

static bool find_in_table(const struct elf *elf, const uint8_t *header, const char *name,
                          uint32_t *value)
{
    const uint8_t *names, *symbols;
    uint32_t names_size, size = field(header, SIZE);

    if (!string_table(elf, field(header, LINK), &names, &names_size) ||
        !slice(elf, field(header, OFFSET), size, &symbols)) {
        return false;
    }
    for (; size >= SYMBOL_SIZE; size -= SYMBOL_SIZE, symbols += SYMBOL_SIZE) {
        if (upd_get_le16(symbols + SYMBOL_SECTION) != 0 &&
            is_name(names, names_size, field(symbols, SYMBOL_NAME), name)) {
            *value = field(symbols, SYMBOL_VALUE);
            return true;
        }
    }
    return false;
}

bool elf_find_symbol(const struct elf *elf, const char *name, uint32_t *value)
{
    for (uint32_t i = 0; i < elf->section_count; i++) {
        const uint8_t *header = section_header(elf, i);
        if (field(header, TYPE) == SECTION_SYMBOLS && find_in_table(elf, header, name, value)) {
            return true;
        }
    }
    return false;
}
