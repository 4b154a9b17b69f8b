#include "check.h"

struct check_totals check_totals;

static void print_number(uint32_t value)
{
    char text[11];
    char *at = &text[10];

    *at = '\0';
    do {
        *--at = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    check_print(at);
}

void check_failed(const char *file, int line, const char *what, const char *row)
{
    check_totals.failing = true;
    check_print(file);
    check_print(":");
    print_number((uint32_t)line);
    check_print(": ");
    if (row != NULL) {
        check_print(row);
        check_print(": ");
    }
    check_print(what);
    check_print("\n");
}

void check_skip(const char *reason)
{
    check_totals.skipping = true;
    check_print("skipped: ");
    check_print(reason);
    check_print("\n");
}

void check_run(const char *name, void (*test)(void))
{
    check_totals.failing = false;
    check_totals.skipping = false;
    test();
    if (check_totals.failing) {
        check_totals.failed++;
        check_print("FAILED ");
    } else if (check_totals.skipping) {
        check_totals.skipped++;
        check_print("skipped ");
    } else {
        check_totals.passed++;
        check_print("passed ");
    }
    check_print(name);
    check_print("\n");
}

void check_end(void)
{
    print_number(check_totals.passed);
    check_print(" passed, ");
    print_number(check_totals.failed);
    check_print(" failed, ");
    print_number(check_totals.skipped);
    check_print(" skipped\n");
    /* A program that ran nothing proves nothing. */
    check_exit(check_totals.failed != 0 || check_totals.passed + check_totals.skipped == 0);
}
