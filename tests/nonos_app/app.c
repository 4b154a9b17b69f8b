/*
 * The smallest application of the NONOS SDK's kind: code in RAM and in the flash window, variables
 * and constants in RAM, no SDK. It prints a line through the mask ROM and stands still.
 *
 *     xtensa-lx106-elf-gcc -Os -ffreestanding -nostdlib -mlongcalls -mtext-section-literals \
 *         -Wl,--defsym=IROM=0x40201010 -T app.ld app.c -o user1.elf
 *
 * IROM is 0x40200000 + (the slot's address in flash modulo 1 MiB) + 0x10.
 */
#include <stdint.h>

#ifndef APP_VERSION
#define APP_VERSION "1.0.0"
#endif

typedef int print_function(const char *format, ...);
typedef void cache_function(uint8_t odd_even, uint8_t mb_pair, uint8_t size);

/* Functions of the mask ROM have fixed addresses. */
#define rom_printf ((print_function *)0x400024cc)
#define rom_cache_read_enable ((cache_function *)0x40004678)

/* The emulated chip ends a run when a word is stored here. */
#define REPORT ((volatile uint32_t *)0x60001FFC)

void call_user_start1(void);

static uint32_t starts = 1;

/* Runs from the flash window. */
static __attribute__((section(".irom0.text"), noinline)) uint32_t where(void)
{
    return (uint32_t)(uintptr_t)where;
}

void call_user_start1(void)
{
    /* The boot loader leaves the window to the application; the slot is in the first megabyte. */
    rom_cache_read_enable(0, 0, 0);
    rom_printf("application " APP_VERSION " runs at 0x%x, start %d\n", where(), starts++);
    for (;;) {
        *REPORT = starts;
    }
}
