/*
 * The bare lx106's side of check.h, over the emulator's simcalls, and the four memory functions
 * that a freestanding compiler calls by itself. On the chip they are in the mask ROM.
 */
#include <check.h>

enum {
    CALL_EXIT = 1,
    CALL_READ = 3,
    CALL_WRITE = 4,
    CALL_OPEN = 5,
    CALL_CLOSE = 6,
    CALL_SEEK = 19
};
enum { CONSOLE = 1, EXIT_EXCEPTION = 70, EXIT_DOUBLE_EXCEPTION = 71 };

int32_t bare_call(uint32_t number, uint32_t a, uint32_t b, uint32_t c);
_Noreturn void bare_exception(uint32_t cause, uint32_t pc, uint32_t address, uint32_t caller);
_Noreturn void bare_double_exception(void);
void *memcpy(void *restrict target, const void *restrict source, size_t size);
void *memmove(void *target, const void *source, size_t size);
void *memset(void *target, int value, size_t size);
int memcmp(const void *one, const void *other, size_t size);

void check_print(const char *text)
{
    uint32_t size = 0;
    while (text[size] != '\0') {
        size++;
    }
    bare_call(CALL_WRITE, CONSOLE, (uint32_t)(uintptr_t)text, size);
}

void check_exit(int status)
{
    for (;;) {
        bare_call(CALL_EXIT, (uint32_t)status, 0, 0);
    }
}

/* As many bytes as there are, up to `size`; -1 when the file cannot be read. */
static int32_t read_all(int32_t file, void *data, uint32_t size)
{
    uint8_t *at = data;
    uint32_t left = size;
    while (left > 0) {
        int32_t got = bare_call(CALL_READ, (uint32_t)file, (uint32_t)(uintptr_t)at, left);
        if (got < 0) {
            return -1;
        }
        if (got == 0) {
            break;
        }
        at += got;
        left -= (uint32_t)got;
    }
    return (int32_t)(size - left);
}

int32_t check_load(const char *path, void *data, uint32_t size)
{
    int32_t file = bare_call(CALL_OPEN, (uint32_t)(uintptr_t)path, 0, 0);
    if (file < 0) {
        return -1;
    }
    uint8_t beyond;
    int32_t got = read_all(file, data, size);
    if (got == (int32_t)size && read_all(file, &beyond, 1) != 0) {
        got = -1;
    }
    bare_call(CALL_CLOSE, (uint32_t)file, 0, 0);
    return got;
}

int32_t check_read(const char *path, uint32_t offset, void *data, uint32_t size)
{
    int32_t file = bare_call(CALL_OPEN, (uint32_t)(uintptr_t)path, 0, 0);
    if (file < 0) {
        return -1;
    }
    int32_t got = -1;
    if (bare_call(CALL_SEEK, (uint32_t)file, offset, 0) == (int32_t)offset) {
        got = read_all(file, data, size);
    }
    bare_call(CALL_CLOSE, (uint32_t)file, 0, 0);
    return got;
}

const char *check_shared(void)
{
    return UPD_SHARED;
}

static void print_hex(const char *name, uint32_t value)
{
    char text[11] = "0x";
    for (uint32_t i = 0; i < 8; i++) {
        uint32_t digit = value >> (28 - 4 * i) & 15;
        text[2 + i] = (char)(digit < 10 ? '0' + digit : 'a' + digit - 10);
    }
    text[10] = '\0';
    check_print(name);
    check_print(text);
}

/* Where start.S sends every exception: nothing here recovers from one. */
void bare_exception(uint32_t cause, uint32_t pc, uint32_t address, uint32_t caller)
{
    static const char *const causes[] = {
        [0] = "illegal instruction",
        [1] = "system call",
        [2] = "instruction fetch",
        [3] = "load or store",
        [4] = "interrupt",
        [6] = "division by zero",
        [8] = "privileged",
        [9] = "unaligned load or store",
        [12] = "instruction data bus",
        [13] = "load or store data bus",
        [14] = "no memory to execute",
        [15] = "no memory to load or store",
        [20] = "fetch prohibited",
        [28] = "load prohibited",
        [29] = "store prohibited",
    };
    const char *text = cause < sizeof causes / sizeof causes[0] ? causes[cause] : NULL;

    print_hex("exception: cause ", cause);
    check_print(" (");
    check_print(text != NULL ? text : "see the CPU's manual");
    print_hex(") pc ", pc);
    print_hex(" address ", address);
    print_hex(" return address ", caller);
    check_print("\n");
    check_exit(EXIT_EXCEPTION);
}

/* An exception within the handler above: do as little as possible. */
void bare_double_exception(void)
{
    check_exit(EXIT_DOUBLE_EXCEPTION);
}

void *memcpy(void *restrict target, const void *restrict source, size_t size)
{
    uint8_t *to = target;
    const uint8_t *from = source;
    for (size_t i = 0; i < size; i++) {
        to[i] = from[i];
    }
    return target;
}

void *memmove(void *target, const void *source, size_t size)
{
    uint8_t *to = target;
    const uint8_t *from = source;
    if ((uintptr_t)to < (uintptr_t)from) {
        for (size_t i = 0; i < size; i++) {
            to[i] = from[i];
        }
    } else {
        for (size_t i = size; i > 0; i--) {
            to[i - 1] = from[i - 1];
        }
    }
    return target;
}

void *memset(void *target, int value, size_t size)
{
    uint8_t *to = target;
    for (size_t i = 0; i < size; i++) {
        to[i] = (uint8_t)value;
    }
    return target;
}

int memcmp(const void *one, const void *other, size_t size)
{
    const uint8_t *left = one;
    const uint8_t *right = other;
    for (size_t i = 0; i < size; i++) {
        if (left[i] != right[i]) {
            return left[i] < right[i] ? -1 : 1;
        }
    }
    return 0;
}
