/*
 * Goal: the ELF reader finds what is there, and nothing outside of the file.
 * Method: a small program put together by hand; every truncation of it, and every field that says
 * where something lies set to values that point outside.
 */
#include <string.h>

#include <updraft/bytes.h>

#include "check.h"
#include "elf.h"

enum {
    TEXT_AT = 64,
    NAMES_AT = 80,
    SYMBOLS_AT = 144,
    SYMBOL_NAMES_AT = 192,
    SECTIONS_AT = 224,
    SECTION_COUNT = 6,
    FILE_SIZE = SECTIONS_AT + SECTION_COUNT * 40,
};

static const char names[] = "\0.text\0.shstrtab\0.symtab\0.strtab\0.bss";
static const char symbol_names[] = "\0call_user_start1\0_elsewhere";

static void put_section(uint8_t *file, uint32_t index, uint32_t name, uint32_t type,
                        uint32_t address, uint32_t offset, uint32_t size, uint32_t link)
{
    uint8_t *header = file + SECTIONS_AT + index * 40;
    upd_put_le32(header, name);
    upd_put_le32(header + 4, type);
    upd_put_le32(header + 12, address);
    upd_put_le32(header + 16, offset);
    upd_put_le32(header + 20, size);
    upd_put_le32(header + 24, link);
}

static void put_symbol(uint8_t *at, uint32_t name, uint32_t value, uint16_t section)
{
    upd_put_le32(at, name);
    upd_put_le32(at + 4, value);
    upd_put_le16(at + 14, section);
}

static void make_file(uint8_t file[FILE_SIZE])
{
    static const uint8_t ident[7] = {0x7F, 'E', 'L', 'F', 1, 1, 1};

    memset(file, 0, FILE_SIZE);
    memcpy(file, ident, sizeof ident);
    upd_put_le16(file + 16, 2);
    upd_put_le16(file + 18, 94);
    upd_put_le32(file + 24, 0x40100004);
    upd_put_le32(file + 32, SECTIONS_AT);
    upd_put_le16(file + 46, 40);
    upd_put_le16(file + 48, SECTION_COUNT);
    upd_put_le16(file + 50, 2);
    memcpy(file + TEXT_AT, "0123456789abcdef", 16);
    memcpy(file + NAMES_AT, names, sizeof names);
    put_symbol(file + SYMBOLS_AT + 16, 1, 0x40100004, 1);
    put_symbol(file + SYMBOLS_AT + 32, 18, 0x1234, 0);
    memcpy(file + SYMBOL_NAMES_AT, symbol_names, sizeof symbol_names);
    put_section(file, 1, 1, 1, 0x40100000, TEXT_AT, 16, 0);
    put_section(file, 2, 7, 3, 0, NAMES_AT, sizeof names, 0);
    put_section(file, 3, 17, 2, 0, SYMBOLS_AT, 48, 4);
    put_section(file, 4, 25, 3, 0, SYMBOL_NAMES_AT, sizeof symbol_names, 0);
    put_section(file, 5, 33, 8, 0x3FFE8000, 0xFFFFFFFF, 4096, 0);
}

static void test_a_program_is_read(void)
{
    uint8_t file[FILE_SIZE];
    struct elf elf;
    struct elf_section section;
    const char *problem = NULL;
    uint32_t value = 0;

    make_file(file);
    CHECK(elf_open(file, sizeof file, &elf, &problem));
    CHECK(elf.entry == 0x40100004);
    CHECK(elf_find_section(&elf, ".text", &section));
    CHECK(section.address == 0x40100000 && section.size == 16);
    CHECK(section.data == file + TEXT_AT);
    CHECK(elf_find_section(&elf, ".bss", &section) && section.size == 0);
    CHECK(!elf_find_section(&elf, ".tex", &section));
    CHECK(!elf_find_section(&elf, ".text1", &section));
    CHECK(elf_find_symbol(&elf, "call_user_start1", &value) && value == 0x40100004);
    CHECK(!elf_find_symbol(&elf, "call_user_start", &value));
}

static void test_a_symbol_that_is_only_used_is_not_found(void)
{
    uint8_t file[FILE_SIZE];
    struct elf elf;
    const char *problem = NULL;
    uint32_t value = 7;

    make_file(file);
    CHECK(elf_open(file, sizeof file, &elf, &problem));
    CHECK(!elf_find_symbol(&elf, "_elsewhere", &value) && value == 7);
}

/* Look for everything: the sanitizers watch. */
static void look(const uint8_t *file, uint32_t size)
{
    struct elf elf;
    struct elf_section section;
    const char *problem = NULL;
    uint32_t value, sum = 0;

    if (elf_open(file, size, &elf, &problem)) {
        if (elf_find_section(&elf, ".text", &section)) {
            CHECK(section.data >= file && section.size <= size &&
                  section.data + section.size <= file + size);
            for (uint32_t i = 0; i < section.size; i++) {
                sum += section.data[i];
            }
        }
        (void)elf_find_symbol(&elf, "call_user_start1", &value);
        CHECK(sum < UINT32_MAX);
    } else {
        CHECK(problem != NULL);
    }
}

/* A copy of exactly this size, so that one byte too far is seen. */
static uint8_t exact[FILE_SIZE];

static void test_every_truncation_is_refused(void)
{
    uint8_t file[FILE_SIZE];

    make_file(file);
    for (uint32_t size = 0; size < FILE_SIZE; size++) {
        struct elf elf;
        const char *problem = NULL;
        memcpy(exact + FILE_SIZE - size, file, size);
        CHECK(!elf_open(exact + FILE_SIZE - size, size, &elf, &problem) && problem != NULL);
    }
}

static void test_no_field_leads_outside(void)
{
    static const uint32_t lies[] = {0,          1,          15,         FILE_SIZE - 1, FILE_SIZE,
                                    0x7FFFFFFF, 0x80000000, 0xFFFFFFD8, 0xFFFFFFFF};
    uint8_t file[FILE_SIZE];

    for (uint32_t at = 16; at + 4 <= FILE_SIZE; at += 2) {
        for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
            make_file(file);
            upd_put_le32(file + at, lies[i]);
            memcpy(exact, file, sizeof file);
            look(exact, sizeof exact);
        }
    }
}

static const struct row {
    const char *name;
    uint32_t at;
    uint8_t value;
} wrong[] = {
    {"not ELF", 1, 'e'},
    {"64 bits", 4, 2},
    {"big-endian", 5, 2},
    {"another CPU", 18, 40},
    {"an object file", 16, 1},
    {"a library", 16, 3},
    {"longer section headers", 46, 64},
    {"names in no section", 50, 6},
    {"names in code", 50, 1},
};

static void test_other_files_are_refused(void)
{
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        uint8_t file[FILE_SIZE];
        struct elf elf;
        const char *problem = NULL;

        make_file(file);
        file[wrong[i].at] = wrong[i].value;
        CHECK_THAT(wrong[i].name, !elf_open(file, sizeof file, &elf, &problem));
        CHECK_THAT(wrong[i].name, problem != NULL);
    }
}

int main(void)
{
    CHECK_RUN(test_a_program_is_read);
    CHECK_RUN(test_a_symbol_that_is_only_used_is_not_found);
    CHECK_RUN(test_every_truncation_is_refused);
    CHECK_RUN(test_no_field_leads_outside);
    CHECK_RUN(test_other_files_are_refused);
    check_end();
}
