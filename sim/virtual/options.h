/*
 * The command line of updraft-sim: a table of options for each verb, read into a struct by offsets.
 * What is wrong ends the program with status 2 and a sentence.
 */
#ifndef UPDRAFT_SIM_OPTIONS_H
#define UPDRAFT_SIM_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { EXIT_USAGE = 2, EXIT_NETWORK = 4 };

enum option_kind {
    OPTION_FLAG,    /* bool */
    OPTION_TEXT,    /* const char * */
    OPTION_NUMBER,  /* uint32_t: 4096, 0x1000, 4K, 1M; from `least` to `most` */
    OPTION_PERCENT, /* double, 0 to 100 */
    OPTION_LIST,    /* struct option_list */
};

enum { OPTION_LIST_MOST = 8 };
struct option_list {
    uint32_t count;
    const char *texts[OPTION_LIST_MOST];
};

struct option_row {
    const char *name; /* "--flash"; NULL ends a table */
    enum option_kind kind;
    size_t offset;
    const char *argument; /* NULL for flags */
    const char *help;
    uint32_t least, most;
};

/**
 * Read argv[2] and those behind it.
 *
 * @param verb   for messages
 * @param usage  the text above the options
 */
void options_read(const char *verb, const char *usage, const struct option_row *rows, void *values,
                  int argc, char **argv);

/** End the program: "updraft-sim VERB: ..." and status 2. */
_Noreturn void misuse(const char *verb, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/** The same with status 1. */
_Noreturn void fail(const char *verb, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

int verb_image(int argc, char **argv);
int verb_device(int argc, char **argv);
int verb_fleet(int argc, char **argv);

#endif
