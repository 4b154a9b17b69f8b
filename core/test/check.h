/*
 * The test harness of core/ and boot/: it must run on a bare lx106 too, so it needs nothing but
 * the first functions below, which check_host.c or the bare runtime supply.
 *
 *     static void test_empty_input_is_refused(void) { CHECK(...); }
 *     int main(void) { CHECK_RUN(test_empty_input_is_refused); check_end(); }
 *
 * A failed CHECK prints file, line and condition, counts the test as failed and goes on, so one run
 * tells all. CHECK_THAT adds the row's name in table tests. The last line is "N passed, N failed, N
 * skipped".
 */
#ifndef UPDRAFT_CHECK_H
#define UPDRAFT_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Print a NUL-terminated text to the console. */
void check_print(const char *text);
/** End the program with an exit status. */
_Noreturn void check_exit(int status);
/**
 * Read a file whole.
 *
 * @param path  file; tests build it from UPD_VECTORS, or from the corpus
 * @param data  buffer of `size` bytes
 * @return bytes read, or -1 when the file is missing or longer than `size`
 */
int32_t check_load(const char *path, void *data, uint32_t size);
/**
 * Read a part of a file, for those that are larger than memory.
 *
 * @param path    file
 * @param offset  byte offset of the part
 * @param data    buffer of `size` bytes
 * @return bytes read, fewer than `size` at the end of the file, or -1 when it cannot be read
 */
int32_t check_read(const char *path, uint32_t offset, void *data, uint32_t size);
/**
 * The folder of real firmware, which is beside the repository and not in it: tests that want it are
 * skipped where it is absent. On a machine with an environment, UPDRAFT_SHARED names another one.
 */
const char *check_shared(void);

struct check_totals {
    uint32_t passed, failed, skipped;
    bool failing; /* the running test */
    bool skipping;
};
extern struct check_totals check_totals;

void check_failed(const char *file, int line, const char *what, const char *row);
/** Count the running test as skipped, by name and reason. The test returns after it. */
void check_skip(const char *reason);
void check_run(const char *name, void (*test)(void));
_Noreturn void check_end(void);

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            check_failed(__FILE__, __LINE__, #condition, NULL);                                    \
        }                                                                                          \
    } while (0)

/** As CHECK, and names the table row (or any text) that was being tried. */
#define CHECK_THAT(row, condition)                                                                 \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            check_failed(__FILE__, __LINE__, #condition, row);                                     \
        }                                                                                          \
    } while (0)

#define CHECK_RUN(test) check_run(#test, test)

#endif
