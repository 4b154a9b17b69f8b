/* Goal: no bytes make the ELF reader read outside of them. */
#include "elf.h"

#include <stddef.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {".text", ".data", ".rodata", ".irom0.text"};
    struct elf elf;
    struct elf_section section;
    const char *problem;
    volatile uint8_t sum = 0;
    uint32_t value;

    if (size > UINT32_MAX || !elf_open(data, (uint32_t)size, &elf, &problem)) {
        return 0;
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (elf_find_section(&elf, names[i], &section)) {
            for (uint32_t k = 0; k < section.size; k++) {
                sum = (uint8_t)(sum + section.data[k]);
            }
        }
    }
    (void)elf_find_symbol(&elf, "call_user_start1", &value);
    (void)elf_find_symbol(&elf, "_data_start", &value);
    return 0;
}
