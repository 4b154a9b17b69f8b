#include "options.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_problem(const char *verb, const char *format, va_list arguments)
{
    fprintf(stderr, "updraft-sim %s: ", verb);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
}

void misuse(const char *verb, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    print_problem(verb, format, arguments);
    va_end(arguments);
    fprintf(stderr, "See updraft-sim %s --help.\n", verb);
    exit(EXIT_USAGE);
}

void fail(const char *verb, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    print_problem(verb, format, arguments);
    va_end(arguments);
    exit(EXIT_FAILURE);
}

static uint32_t number(const char *verb, const struct option_row *row, const char *text)
{
    char *end = NULL;
    unsigned long long value = *text >= '0' && *text <= '9' ? strtoull(text, &end, 0) : 0;

    if (end != NULL && (*end == 'K' || *end == 'M')) {
        value = value < UINT32_MAX ? value << (*end == 'K' ? 10 : 20) : value;
        end++;
    }
    if (end == NULL || *end != '\0' || value < row->least || value > row->most) {
        misuse(verb, "%s: a number from %u to %u, not '%s'", row->name, (unsigned)row->least,
               (unsigned)row->most, text);
    }
    return (uint32_t)value;
}

static double percent(const char *verb, const struct option_row *row, const char *text)
{
    char *end = NULL;
    const double value = strtod(text, &end);

    if (end == text || *end != '\0' || !(value >= 0 && value <= 100)) {
        misuse(verb, "%s: a number from 0 to 100, not '%s'", row->name, text);
    }
    return value;
}

static void take(const char *verb, const struct option_row *row, void *values, const char *text)
{
    char *at = (char *)values + row->offset;

    switch (row->kind) {
    case OPTION_FLAG:
        memcpy(at, &(bool){true}, sizeof(bool));
        break;
    case OPTION_TEXT:
        memcpy(at, &text, sizeof text);
        break;
    case OPTION_NUMBER: {
        const uint32_t value = number(verb, row, text);
        memcpy(at, &value, sizeof value);
        break;
    }
    case OPTION_PERCENT: {
        const double value = percent(verb, row, text);
        memcpy(at, &value, sizeof value);
        break;
    }
    case OPTION_LIST: {
        struct option_list list;
        memcpy(&list, at, sizeof list);
        if (list.count == OPTION_LIST_MOST) {
            misuse(verb, "%s: at most %d of them", row->name, OPTION_LIST_MOST);
        }
        list.texts[list.count++] = text;
        memcpy(at, &list, sizeof list);
        break;
    }
    }
}

static _Noreturn void help(const char *usage, const struct option_row *rows)
{
    fputs(usage, stdout);
    for (; rows->name != NULL; rows++) {
        char left[40];
        snprintf(left, sizeof left, "%s%s%s", rows->name, rows->argument != NULL ? " " : "",
                 rows->argument != NULL ? rows->argument : "");
        printf("    %-26s %s\n", left, rows->help);
    }
    exit(EXIT_SUCCESS);
}

void options_read(const char *verb, const char *usage, const struct option_row *rows, void *values,
                  int argc, char **argv)
{
    for (int i = 2; i < argc; i++) {
        const struct option_row *row = rows;
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            help(usage, rows);
        }
        while (row->name != NULL && strcmp(row->name, argv[i]) != 0) {
            row++;
        }
        if (row->name == NULL) {
            misuse(verb, "there is no option '%s'", argv[i]);
        }
        if (row->kind != OPTION_FLAG && i + 1 == argc) {
            misuse(verb, "%s wants %s", row->name, row->argument);
        }
        take(verb, row, values, row->kind == OPTION_FLAG ? NULL : argv[++i]);
    }
}
