#include "rom.h"

/* Numbers of the emulator's simcalls; open flags are those of Linux. */
enum {
    CALL_EXIT = 1,
    CALL_READ = 3,
    CALL_WRITE = 4,
    CALL_OPEN = 5,
    CALL_SEEK = 19,
    CALL_SELECT_ONE = 29,
    CALL_ARGUMENT_COUNT = 1000,
    CALL_ARGUMENT_SIZE = 1001,
    CALL_ARGUMENTS = 1002,
};
enum { SEEK_FROM_START = 0, SEEK_FROM_END = 2 };
enum { SELECT_READABLE = 1, SELECT_WRITABLE = 2, SELECT_EXCEPTIONAL = 3 };

static uint32_t as_word(const void *pointer)
{
    return (uint32_t)(uintptr_t)pointer;
}

int32_t host_open(const char *path, uint32_t how)
{
    return host_call(CALL_OPEN, as_word(path), how, 0, 0, 0);
}

static void seek(int32_t file, uint32_t offset)
{
    if (host_call(CALL_SEEK, (uint32_t)file, offset, SEEK_FROM_START, 0, 0) < 0) {
        machine_fail("cannot seek in", "the flash file");
    }
}

void host_read_at(int32_t file, uint32_t offset, void *data, uint32_t size)
{
    uint8_t *at = data;
    seek(file, offset);
    while (size > 0) {
        int32_t got = host_read(file, at, size);
        if (got <= 0) {
            machine_fail("cannot read", "the flash file");
        }
        at += got;
        size -= (uint32_t)got;
    }
}

void host_write_at(int32_t file, uint32_t offset, const void *data, uint32_t size)
{
    seek(file, offset);
    host_write(file, data, size);
}

uint32_t host_size(int32_t file)
{
    int32_t size = host_call(CALL_SEEK, (uint32_t)file, 0, SEEK_FROM_END, 0, 0);
    if (size < 0) {
        machine_fail("no size of", "the flash file");
    }
    return (uint32_t)size;
}

int32_t host_read(int32_t file, void *data, uint32_t size)
{
    return host_call(CALL_READ, (uint32_t)file, as_word(data), size, 0, 0);
}

void host_write(int32_t file, const void *data, uint32_t size)
{
    const uint8_t *at = data;
    while (size > 0) {
        int32_t put = host_call(CALL_WRITE, (uint32_t)file, as_word(at), size, 0, 0);
        if (put <= 0) {
            host_exit(2);
        }
        at += put;
        size -= (uint32_t)put;
    }
}

int32_t host_put(int32_t file, const void *data, uint32_t size)
{
    return host_call(CALL_WRITE, (uint32_t)file, as_word(data), size, 0, 0);
}

static bool select_one(int32_t file, uint32_t what, uint32_t us)
{
    uint32_t wait[2] = {us / 1000000, us % 1000000}; /* struct timeval */
    return host_call(CALL_SELECT_ONE, (uint32_t)file, what, as_word(wait), 0, 0) > 0;
}

bool host_readable(int32_t file, uint32_t us)
{
    return select_one(file, SELECT_READABLE, us);
}

bool host_writable(int32_t file, uint32_t us)
{
    return select_one(file, SELECT_WRITABLE, us);
}

/* The emulator has no call that sleeps, but regular files never have an exceptional condition. */
void host_sleep(uint32_t us)
{
    (void)select_one(spi_file(), SELECT_EXCEPTIONAL, us);
}

void host_exit(uint32_t status)
{
    for (;;) {
        host_call(CALL_EXIT, status, 0, 0, 0, 0);
    }
}

const char *host_argument(uint32_t index)
{
    static uint32_t block[1024]; /* argv as the emulator lays it out: pointers, then texts */

    uint32_t count = (uint32_t)host_call(CALL_ARGUMENT_COUNT, 0, 0, 0, 0, 0);
    uint32_t size = (uint32_t)host_call(CALL_ARGUMENT_SIZE, 0, 0, 0, 0, 0);
    /* Argument 0 is the kernel's own name. */
    if (index + 1 >= count || size > sizeof block) {
        return "";
    }
    host_call(CALL_ARGUMENTS, as_word(block), 0, 0, 0, 0);
    return (const char *)(uintptr_t)block[index + 1];
}
