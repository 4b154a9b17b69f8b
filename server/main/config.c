#include "main/config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ini.h>

static const char *const logs[] = {"text", "json", NULL};
static const char *const key_kinds[] = {"rsa", "ecdsa", NULL};

#define AT(member) offsetof(struct config, member)

const struct config_key config_keys[] = {
    {.name = "data",
     .kind = CONFIG_TEXT,
     .fallback = "/var/lib/updraft",
     .at = AT(data),
     .value = "DIR",
     .help = "data directory: database, images, certificates"},
    {.name = "listen",
     .kind = CONFIG_LIST,
     .fallback = ":8070",
     .at = AT(listen),
     .value = "ADDR:PORT",
     .help = "where HTTP and HTTPS are served, on one port; port 0 picks one"},
    {.name = "link",
     .kind = CONFIG_LIST,
     .fallback = ":8000",
     .at = AT(link),
     .value = "ADDR:PORT",
     .help = "where devices keep a link; empty for none"},
    {.name = "link_tls",
     .kind = CONFIG_LIST,
     .fallback = ":8443",
     .at = AT(link_tls),
     .value = "ADDR:PORT",
     .help = "the same by TLS; empty for none"},
    {.name = "link_old_tls",
     .kind = CONFIG_BOOL,
     .fallback = "no",
     .at = AT(link_old_tls),
     .value = "yes|no",
     .help = "allow TLS 1.0 and 1.1 on the link, for old devices"},
    {.name = "names",
     .kind = CONFIG_LIST,
     .fallback = "localhost, 127.0.0.1, ::1",
     .at = AT(names),
     .value = "NAME,...",
     .help = "names and addresses of this server, for its own certificate"},
    {.name = "key_kind",
     .kind = CONFIG_CHOICE,
     .fallback = "rsa",
     .choices = key_kinds,
     .at = AT(key_kind),
     .value = "rsa|ecdsa",
     .help = "keys of the own certificates; the oldest devices know only RSA"},
    {.name = "certificate",
     .kind = CONFIG_TEXT,
     .fallback = "",
     .at = AT(certificate),
     .value = "FILE",
     .help = "certificate with its chain (PEM), instead of the own one"},
    {.name = "key",
     .kind = CONFIG_TEXT,
     .fallback = "",
     .at = AT(key),
     .value = "FILE",
     .help = "its key (PEM)"},
    {.name = "proxies",
     .kind = CONFIG_LIST,
     .fallback = "",
     .at = AT(proxies),
     .value = "ADDR,...",
     .help = "proxies whose X-Forwarded-For, -Proto and -Host are believed"},
    {.name = "accel",
     .kind = CONFIG_TEXT,
     .fallback = "",
     .at = AT(accel),
     .value = "PATH",
     .help = "the proxy's internal location of DATA/blobs (X-Accel-Redirect)"},
    {.name = "log",
     .kind = CONFIG_CHOICE,
     .fallback = "text",
     .choices = logs,
     .at = AT(log),
     .value = "text|json",
     .help = "form of the log on standard error"},
    {.name = "log_requests",
     .kind = CONFIG_BOOL,
     .fallback = "no",
     .at = AT(log_requests),
     .value = "yes|no",
     .help = "a line for each request; queries are left out, since they hold keys"},
    {.name = "threads",
     .kind = CONFIG_NUMBER,
     .fallback = "0",
     .min = 0,
     .max = 256,
     .at = AT(threads),
     .value = "N",
     .help = "threads that read sockets; 0: as many as processors"},
    {.name = "workers",
     .kind = CONFIG_NUMBER,
     .fallback = "8",
     .min = 1,
     .max = 256,
     .at = AT(workers),
     .value = "N",
     .help = "threads for what waits for the disk"},
    {.name = "connections",
     .kind = CONFIG_NUMBER,
     .fallback = "10000",
     .min = 16,
     .max = 1000000,
     .at = AT(connections),
     .value = "N",
     .help = "HTTP connections at a time"},
    {.name = "head_seconds",
     .kind = CONFIG_NUMBER,
     .fallback = "20",
     .min = 1,
     .max = 3600,
     .at = AT(head_seconds),
     .value = "N",
     .help = "time for a request's head"},
    {.name = "idle_seconds",
     .kind = CONFIG_NUMBER,
     .fallback = "75",
     .min = 1,
     .max = 86400,
     .at = AT(idle_seconds),
     .value = "N",
     .help = "time between two requests, or without progress"},
    {.name = "body_rate",
     .kind = CONFIG_NUMBER,
     .fallback = "512",
     .min = 1,
     .max = 1000000000,
     .at = AT(body_rate),
     .value = "N",
     .help = "bytes per second that an upload must bring, after 30 s"},
    {.name = "stop_seconds",
     .kind = CONFIG_NUMBER,
     .fallback = "10",
     .min = 0,
     .max = 3600,
     .at = AT(stop_seconds),
     .value = "N",
     .help = "time for requests to finish when the server stops"},
    {0},
};

/* --- Values ----------------------------------------------------------------------------------- */

static bool set_number(const struct config_key *key, const char *text, int64_t *value)
{
    char *end;

    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (text[0] == 0 || *end != 0 || errno != 0 || number < key->min || number > key->max) {
        return false;
    }
    *value = number;
    return true;
}

static bool set_list(const char *text, struct config_list *list)
{
    /* Lists are read once and live as long as the program's configuration. */
    char *copy = strdup(text);
    char *rest = NULL;

    free((void *)(uintptr_t)list->item[CONFIG_LIST_MAX]);
    memset(list, 0, sizeof *list);
    if (copy == NULL) {
        return false;
    }
    for (char *word = strtok_r(copy, ", \t", &rest); word != NULL;
         word = strtok_r(NULL, ", \t", &rest)) {
        if (list->count == CONFIG_LIST_MAX - 1) {
            free(copy);
            list->count = 0;
            return false;
        }
        list->item[list->count++] = word;
    }
    list->item[CONFIG_LIST_MAX] = copy; /* behind the end: what config_free() gives back */
    return true;
}

static bool set_choice(const struct config_key *key, const char *text, const char **value)
{
    for (const char *const *choice = key->choices; *choice != NULL; choice++) {
        if (strcmp(text, *choice) == 0) {
            *value = *choice;
            return true;
        }
    }
    return false;
}

static bool set_bool(const char *text, bool *value)
{
    *value = strcmp(text, "yes") == 0;
    return *value || strcmp(text, "no") == 0;
}

static bool set_text(const char *text, const char **value)
{
    free((void *)(uintptr_t)*value);
    *value = strdup(text);
    return *value != NULL;
}

static bool set(struct config *config, const struct config_key *key, const char *text)
{
    void *at = (char *)config + key->at;

    switch (key->kind) {
    case CONFIG_TEXT:
        return set_text(text, at);
    case CONFIG_LIST:
        return set_list(text, at);
    case CONFIG_NUMBER:
        return set_number(key, text, at);
    case CONFIG_BOOL:
        return set_bool(text, at);
    case CONFIG_CHOICE:
        return set_choice(key, text, at);
    }
    return false;
}

/* What a key wants, for messages: "a number from 1 to 256". */
static void describe(const struct config_key *key, char *text, size_t size)
{
    switch (key->kind) {
    case CONFIG_NUMBER:
        snprintf(text, size, "a number from %lld to %lld", (long long)key->min,
                 (long long)key->max);
        break;
    case CONFIG_LIST:
        snprintf(text, size, "a list of at most %d", CONFIG_LIST_MAX - 1);
        break;
    default:
        snprintf(text, size, "%s", key->value);
        break;
    }
}

const struct config_key *config_find(const char *name, size_t size)
{
    for (const struct config_key *key = config_keys; key->name != NULL; key++) {
        bool same = strlen(key->name) == size;

        for (size_t i = 0; same && i < size; i++) {
            same = key->name[i] == (name[i] == '-' ? '_' : name[i]);
        }
        if (same) {
            return key;
        }
    }
    return NULL;
}

void config_show(const struct config *config, const struct config_key *key, char *text, size_t size)
{
    const char *at = (const char *)config + key->at;
    const struct config_list *list = (const void *)at;

    text[0] = 0;
    switch (key->kind) {
    case CONFIG_TEXT:
    case CONFIG_CHOICE:
        snprintf(text, size, "%s", *(const char *const *)(const void *)at);
        break;
    case CONFIG_LIST:
        for (size_t i = 0; i < list->count; i++) {
            size_t used = strlen(text);
            snprintf(text + used, size - used, "%s%s", i > 0 ? ", " : "", list->item[i]);
        }
        break;
    case CONFIG_NUMBER:
        snprintf(text, size, "%lld", (long long)*(const int64_t *)(const void *)at);
        break;
    case CONFIG_BOOL:
        snprintf(text, size, "%s", *(const bool *)(const void *)at ? "yes" : "no");
        break;
    }
}

/* --- Sources ---------------------------------------------------------------------------------- */

struct reading {
    struct config *config;
    const char *file;
    char *problem;
    size_t size;
    bool good;
    int line;
    uint64_t seen; /* keys of the file, by their place in the table */
};
_Static_assert(sizeof config_keys / sizeof config_keys[0] <= 64,
               "the set of seen keys is one uint64_t");

static bool try_set(struct reading *reading, const struct config_key *key, const char *text,
                    const char *where)
{
    char wanted[160];

    if (set(reading->config, key, text)) {
        return true;
    }
    describe(key, wanted, sizeof wanted);
    snprintf(reading->problem, reading->size, "%s: \"%s\" is not %s", where, text, wanted);
    return false;
}

static bool refuse_line(struct reading *reading, const char *what, const char *name)
{
    snprintf(reading->problem, reading->size,
             "%s:%d: %s \"%s\"; 'updraftd serve --help' lists the keys", reading->file,
             reading->line, what, name);
    reading->good = false;
    return false;
}

static int on_key(void *ctx, const char *section, const char *name, const char *value)
{
    struct reading *reading = ctx;
    const struct config_key *key = config_find(name, strlen(name));
    char where[512];

    if (!reading->good) {
        return 0;
    }
    if (section[0] != 0) {
        return refuse_line(reading, "there are no sections, and here is", section);
    }
    if (key == NULL || strchr(name, '-') != NULL) {
        return refuse_line(reading, "there is no key", name);
    }
    /* The library gives an indented line to the key before it: that too is the key a second time.
     */
    if (reading->seen >> (key - config_keys) & 1) {
        return refuse_line(reading, "a second value for the key", name);
    }
    reading->seen |= (uint64_t)1 << (key - config_keys);
    snprintf(where, sizeof where, "%s:%d: %s", reading->file, reading->line, name);
    reading->good = try_set(reading, key, value, where);
    return reading->good;
}

struct source {
    FILE *file;
    struct reading *reading;
};

/* A line for the library, counted: it does not tell the number of a key's line. */
static char *next_line(char *line, int size, void *ctx)
{
    struct source *source = ctx;

    source->reading->line += source->reading->good;
    return fgets(line, size, source->file);
}

static bool read_file(struct reading *reading)
{
    struct source source = {fopen(reading->file, "re"), reading};

    if (source.file == NULL) {
        snprintf(reading->problem, reading->size, "%s: %s", reading->file, strerror(errno));
        return false;
    }
    int line = ini_parse_stream(next_line, &source, on_key, reading);
    fclose(source.file);
    if (reading->good && line != 0) {
        snprintf(reading->problem, reading->size, "%s:%d: this is not KEY = VALUE", reading->file,
                 line);
    }
    return line == 0 && reading->good;
}

/* UPDRAFT_HTTP_THREADS for http_threads. */
static const char *variable(const struct config_key *key, char *name, size_t size)
{
    snprintf(name, size, "UPDRAFT_%s", key->name);
    for (char *at = name; *at != 0; at++) {
        *at = (char)(*at >= 'a' && *at <= 'z' ? *at - 'a' + 'A' : *at);
    }
    return getenv(name);
}

static bool read_environment(struct reading *reading)
{
    char name[64];

    for (const struct config_key *key = config_keys; key->name != NULL; key++) {
        const char *text = variable(key, name, sizeof name);
        if (text != NULL && !try_set(reading, key, text, name)) {
            return false;
        }
    }
    return true;
}

static bool read_flags(struct reading *reading, const struct config_flag *flags, size_t count)
{
    char where[64];

    for (size_t i = 0; i < count; i++) {
        snprintf(where, sizeof where, "--%s", flags[i].key->name);
        for (char *at = where; *at != 0; at++) {
            *at = *at == '_' ? '-' : *at;
        }
        if (!try_set(reading, flags[i].key, flags[i].text, where)) {
            return false;
        }
    }
    return true;
}

/* What only the keys together can be wrong in. */
static bool check(struct reading *reading)
{
    const struct config *config = reading->config;

    if ((config->certificate[0] != 0) != (config->key[0] != 0)) {
        snprintf(reading->problem, reading->size,
                 "certificate and key: one is given without the other");
        return false;
    }
    if (config->listen.count == 0) {
        snprintf(reading->problem, reading->size, "listen: there has to be an address");
        return false;
    }
    if (config->accel[0] != 0 &&
        (config->accel[0] != '/' || config->accel[strlen(config->accel) - 1] != '/')) {
        snprintf(reading->problem, reading->size, "accel: \"%s\" has to begin and end with '/'",
                 config->accel);
        return false;
    }
    return true;
}

bool config_read(struct config *config, const char *file, const struct config_flag *flags,
                 size_t count, char *problem, size_t size)
{
    struct reading reading = {.config = config, .problem = problem, .size = size, .good = true};
    char path[4096];

    memset(config, 0, sizeof *config);
    for (const struct config_key *key = config_keys; key->name != NULL; key++) {
        if (!set(config, key, key->fallback)) {
            snprintf(problem, size, "%s: the default is wrong", key->name);
            return false;
        }
    }
    /* The data directory says where the file is, so environment and flags are read before it, and
     * again after it. */
    if (!read_environment(&reading) || !read_flags(&reading, flags, count)) {
        return false;
    }
    snprintf(path, sizeof path, "%s/updraftd.conf", config->data);
    if (file != NULL || access(path, F_OK) == 0) {
        config->file = strdup(file != NULL ? file : path);
        reading.file = config->file;
        if (config->file == NULL || !read_file(&reading)) {
            return false;
        }
    }
    return read_environment(&reading) && read_flags(&reading, flags, count) && check(&reading);
}

void config_free(struct config *config)
{
    for (const struct config_key *key = config_keys; key->name != NULL; key++) {
        void *at = (char *)config + key->at;

        if (key->kind == CONFIG_TEXT) {
            free(*(void **)at);
        } else if (key->kind == CONFIG_LIST) {
            free((void *)(uintptr_t)((struct config_list *)at)->item[CONFIG_LIST_MAX]);
        }
    }
    free((void *)(uintptr_t)config->file);
    memset(config, 0, sizeof *config);
}
