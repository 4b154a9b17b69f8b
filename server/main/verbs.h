/* updraftd: what its verbs are, for main.c, help and tests. */
#ifndef UPDRAFT_SERVER_VERBS_H
#define UPDRAFT_SERVER_VERBS_H

#include "main/config.h"

/** What the shell is told; the same numbers as the tool's. */
enum exit_code {
    EXIT_DONE = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_VERIFY = 3,
    EXIT_NETWORK = 4,
};

/** A verb that runs. */
struct run {
    const struct config *config;
    const char *operand; /* NULL: none was given */
    bool json;
};

struct verb {
    const char *name;
    const char *summary; /* a phrase */
    const char *operand; /* its name in help; NULL: takes none */
    const char *operand_help;
    bool json; /* takes --json */
    bool keys; /* takes the configuration's flags */
    const char *text;
    enum exit_code (*run)(const struct run *run);
};
extern const struct verb verbs[]; /* ended by a row of NULLs */

enum exit_code run_init(const struct run *run);
enum exit_code run_serve(const struct run *run);
enum exit_code run_check_config(const struct run *run);
enum exit_code run_backup(const struct run *run);
enum exit_code run_restore(const struct run *run);
enum exit_code run_routes(const struct run *run);
enum exit_code run_version(const struct run *run);
enum exit_code run_help(const struct run *run);
enum exit_code run_completion(const struct run *run);

/** One line on standard error: "updraftd: …"; gives back `code`. */
enum exit_code complain(enum exit_code code, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** Make the data directory and what is missing of its certificates; false was said. */
bool prepare_data(const struct config *config, char *problem, size_t size);

#endif
