/* Does, on the bare lx106, the mistake that the first byte of the file "fault" names: fault_test's
 * other half. */
#include "check.h"

static volatile uint32_t zero;

static uint32_t recurse(volatile uint32_t *above)
{
    volatile uint32_t frame[64];
    frame[0] = *above + 1;
    return zero != 0 ? 0 : recurse(frame) + frame[0];
}

int main(void)
{
    uint8_t fault = 0;
    static const uint8_t bytes[8] = {0};

    if (check_load("fault", &fault, 1) != 1) {
        check_print("no file of the name \"fault\"\n");
        check_exit(2);
    }
    switch (fault) {
    case 'a':
        return *(const volatile uint8_t *)bytes;
    case 'b':
        return 3;
    case 'c':
        return (int)*(const volatile uint32_t *)(uintptr_t)(bytes + zero + 1);
    case 'd':
        return (int)*(const volatile uint32_t *)(uintptr_t)0x70000000;
    case 'e':
        *(volatile uint32_t *)(uintptr_t)zero = 1;
        return 0;
    case 'f':
        ((void (*)(void))(uintptr_t)0x70000000)();
        return 0;
    case 'g':
        return (int)(7 / zero);
    case 'h':
        return (int)recurse(&zero);
    case 'i':
        for (;;) {
        }
    default:
        return 2;
    }
}
