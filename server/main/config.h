/*
 * The configuration: one row per key. File, environment, flags, --help, the man page and
 * check-config come from the same rows.
 *
 * A key `http_threads` is `http_threads = 4` in the file, UPDRAFT_HTTP_THREADS in the environment
 * and
 * --http-threads on the command line; the later wins. An unknown key, or a value that is none,
 * stops the start.
 */
#ifndef UPDRAFT_SERVER_CONFIG_H
#define UPDRAFT_SERVER_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CONFIG_LIST_MAX = 16 };

enum config_kind {
    CONFIG_TEXT,   /* const char *; "" for nothing */
    CONFIG_LIST,   /* struct config_list: texts between commas or blanks */
    CONFIG_NUMBER, /* int64_t */
    CONFIG_BOOL,   /* bool: yes or no */
    CONFIG_CHOICE, /* const char *: one of `choices` */
};

struct config_list {
    const char *item[CONFIG_LIST_MAX + 1]; /* ended by NULL */
    size_t count;
};

struct config {
    const char *data;
    struct config_list listen, link, link_tls;
    struct config_list names;
    const char *certificate, *key, *key_kind;
    bool link_old_tls;
    struct config_list proxies;
    const char *accel;
    const char *log;
    bool log_requests;
    int64_t threads, workers, connections, head_seconds, idle_seconds, stop_seconds, body_rate;
    const char *file; /* the file that was read; NULL: none */
};

struct config_key {
    const char *name;
    enum config_kind kind;
    const char *fallback;
    int64_t min, max;           /* CONFIG_NUMBER */
    const char *const *choices; /* CONFIG_CHOICE, NULL-terminated */
    size_t at;                  /* offset in struct config */
    const char *value;          /* its name in help */
    const char *help;           /* a phrase */
};
extern const struct config_key config_keys[]; /* ended by a row of NULLs */

/** A key set by a flag. */
struct config_flag {
    const struct config_key *key;
    const char *text;
};

/**
 * Put the configuration together: defaults, file, environment, flags.
 *
 * @param file  from --config; NULL: DATA/updraftd.conf when it is there, DATA being what
 * environment and flags say
 * @param problem  out: one sentence with file and line, or the variable's or flag's name
 * @return false  *config is not to be used
 *
 * Texts live until config_free().
 */
bool config_read(struct config *config, const char *file, const struct config_flag *flags,
                 size_t count, char *problem, size_t size);
void config_free(struct config *config);

/** The row of a name with '_' or '-'; NULL when there is none. */
const struct config_key *config_find(const char *name, size_t size);
/** A value as it would stand in the file, into `text`. */
void config_show(const struct config *config, const struct config_key *key, char *text,
                 size_t size);

#endif
