/*
 * ELF programs of the ESP8266's CPU, to be read only: what the image generator needs of them.
 * Every offset and every size in the file is checked before it is followed.
 */
#ifndef UPDRAFT_TOOL_ELF_H
#define UPDRAFT_TOOL_ELF_H

#include <stdbool.h>
#include <stdint.h>

/** A checked ELF file. The bytes belong to the caller of elf_open() and must outlive it. */
struct elf {
    const uint8_t *data;
    uint32_t size;
    const uint8_t *sections; /* section headers */
    uint32_t section_count;
    const uint8_t *names; /* section names, a NUL at their end */
    uint32_t names_size;
    uint32_t entry;
};

/** A section's bytes, inside the file. `size` is 0 for one that takes no room in the file. */
struct elf_section {
    uint32_t address;
    const uint8_t *data;
    uint32_t size;
};

/**
 * Check the frame of an ELF file: 32 bits, little-endian, Xtensa, linked.
 *
 * @param problem  out, when false: a sentence without its first capital and full stop
 * @return false   not such a file; *elf is not to be used
 */
bool elf_open(const uint8_t *data, uint32_t size, struct elf *elf, const char **problem);

/** Find a section. False: there is none of this name, or its bytes are not inside the file. */
bool elf_find_section(const struct elf *elf, const char *name, struct elf_section *section);

/** Find a symbol that is defined. False: there is none of this name. */
bool elf_find_symbol(const struct elf *elf, const char *name, uint32_t *value);

#endif
