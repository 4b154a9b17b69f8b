#include "table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "display.h"
#include "files.h"

#define INPUT_LIMIT (1u << 20)
#define TEXT_SIZE (256u << 10)

/* Environment variables stand in CSV files as $NAME. */
static const char *variable(void *ctx, const char *name, uint32_t size)
{
    char copy[256];
    (void)ctx;

    if (size >= sizeof copy) {
        return NULL;
    }
    memcpy(copy, name, size);
    copy[size] = '\0';
    return getenv(copy);
}

/* The three texts of a log, each in its part of `memory`. */
static struct upd_partition_log make_log(char *memory)
{
    return (struct upd_partition_log){.error = upd_text_on(memory, TEXT_SIZE),
                                      .warnings = upd_text_on(memory + TEXT_SIZE, TEXT_SIZE),
                                      .listing = upd_text_on(memory + 2 * TEXT_SIZE, TEXT_SIZE)};
}

/* Say what the log holds, in the original tool's order and without anything in front. */
static enum exit_code say_log(struct call *call, const struct upd_partition_log *log,
                              enum upd_err err)
{
    char *rest = NULL;

    for (char *line = strtok_r(log->warnings.start, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        warn_plainly(call, "%s", line);
    }
    if (log->listing.length > 0) {
        fprintf(stderr, "%s%s", log->listing.start,
                log->listing.start[strlen(log->listing.start) - 1] == '\n' ? "" : "\n");
    }
    if (err == UPD_OK) {
        return EXIT_DONE;
    }
    return fail_plainly(call, EXIT_USAGE, "table", "%s", log->error.start);
}

static bool find_builtin(struct call *call, struct table *table, const char *name)
{
    const struct upd_partition_builtin *builtin = upd_partition_builtin(table->rules.dialect, name);
    char line[1024] = "";

    if (builtin != NULL) {
        table->size = strlen(builtin->csv);
        table->data = (uint8_t *)strdup(builtin->csv);
        table->rules.table_offset = builtin->table_offset;
        table->rules.md5 = table->rules.md5 && builtin->md5;
        return table->data != NULL;
    }
    for (uint32_t i = 0; i < upd_partition_builtin_count; i++) {
        if (upd_partition_builtins[i].dialect == table->rules.dialect) {
            size_t length = strlen(line);
            snprintf(line + length, sizeof line - length, "%s%s", length > 0 ? ", " : "",
                     upd_partition_builtins[i].name);
        }
    }
    fail(call, EXIT_USAGE, "usage", "--builtin: '%.60s' is none of %s", name, line);
    return false;
}

static enum exit_code read_rows(struct call *call, struct table *table, bool verify)
{
    struct upd_partition_log log = make_log(table->memory);
    uint32_t size = (uint32_t)table->size;
    enum upd_err err = upd_partition_rules_check(&table->rules, &log.error);

    table->list = (struct upd_partition_list){
        .rows = table->rows, .sources = table->sources, .capacity = TABLE_ROWS};
    table->binary = upd_partition_is_binary(table->data, size);
    if (err == UPD_OK && table->binary) {
        err = upd_partition_table_read(&table->rules, table->data, size, &table->list, &log);
    } else if (err == UPD_OK) {
        err =
            upd_partition_csv_read(&table->rules, table->data, size, table->memory + 3 * TEXT_SIZE,
                                   2 * size + TEXT_SIZE, &table->list, &log);
    }
    if (err == UPD_OK && verify) {
        err = upd_partition_verify(&table->rules, &table->list, &log);
    }
    return say_log(call, &log, err);
}

static struct table *make_table(const struct upd_partition_rules *rules, const char *name)
{
    struct table *table = calloc(1, sizeof *table);

    if (table != NULL) {
        table->rules = *rules;
        table->rules.variable = variable;
        table->rules.input = name;
    }
    return table;
}

/* The rows of table->data; releases the table unless they are good. */
static enum exit_code finish_table(struct call *call, bool verify, struct table **table)
{
    enum exit_code code = EXIT_FAILED;

    (*table)->memory = malloc(4 * TEXT_SIZE + 2 * (*table)->size);
    if ((*table)->memory == NULL) {
        fail(call, EXIT_FAILED, "memory", "out of memory");
    } else {
        code = read_rows(call, *table, verify);
    }
    if (code != EXIT_DONE) {
        table_free(*table);
        *table = NULL;
    }
    return code;
}

enum exit_code table_load(struct call *call, const char *path, const char *builtin,
                          const struct upd_partition_rules *rules, bool verify,
                          struct table **table)
{
    enum exit_code code = EXIT_DONE;

    *table = make_table(rules, path != NULL ? path : builtin);
    if (*table == NULL) {
        return fail(call, EXIT_FAILED, "memory", "out of memory");
    }
    if (path == NULL) {
        code = find_builtin(call, *table, builtin) ? EXIT_DONE : EXIT_USAGE;
    } else if (!input_load(call, path, INPUT_LIMIT, "a partition table", &(*table)->data,
                           &(*table)->size)) {
        code = EXIT_FAILED;
    }
    if (code != EXIT_DONE) {
        table_free(*table);
        *table = NULL;
        return code;
    }
    return finish_table(call, verify, table);
}

enum exit_code table_take(struct call *call, const char *path, const uint8_t *data, size_t size,
                          const struct upd_partition_rules *rules, struct table **table)
{
    *table = make_table(rules, path);
    if (*table == NULL || ((*table)->data = malloc(size)) == NULL) {
        table_free(*table);
        *table = NULL;
        return fail(call, EXIT_FAILED, "memory", "out of memory");
    }
    memcpy((*table)->data, data, size);
    (*table)->size = size;
    return finish_table(call, false, table);
}

void table_free(struct table *table)
{
    if (table != NULL) {
        free(table->data);
        free(table->memory);
    }
    free(table);
}

enum exit_code table_fits(struct call *call, struct table *table, uint32_t flash_size)
{
    struct upd_partition_log log = make_log(table->memory);
    enum upd_err err = upd_partition_fits(&table->rules, &table->list, flash_size, &log);
    return say_log(call, &log, err);
}

enum exit_code table_build(struct call *call, struct table *table, uint8_t *data)
{
    struct upd_partition_log log = make_log(table->memory);
    enum upd_err err = upd_partition_csv_build(&table->rules, &table->list, data, &log);
    return say_log(call, &log, err);
}

/* A keyword of core/, which is not terminated, or a number. */
static const char *word_or_number(const char *word, uint32_t length, uint8_t value, char *text,
                                  size_t size)
{
    if (word != NULL) {
        snprintf(text, size, "%.*s", (int)length, word);
    } else {
        snprintf(text, size, "0x%02x", value);
    }
    return text;
}

const char *partition_type(const struct table *table, const struct upd_partition *row, char *text,
                           size_t size)
{
    uint32_t length = 0;
    const char *word = upd_partition_type_name(&table->rules, row->type, &length);
    return word_or_number(word, length, row->type, text, size);
}

const char *partition_subtype(const struct table *table, const struct upd_partition *row,
                              char *text, size_t size)
{
    uint32_t length = 0;
    const char *word = upd_partition_subtype_name(&table->rules, row->type, row->subtype, &length);
    return word_or_number(word, length, row->subtype, text, size);
}

json_t *partition_json(const struct table *table, const struct upd_partition *row)
{
    char type[64], subtype[64];

    partition_type(table, row, type, sizeof type);
    partition_subtype(table, row, subtype, sizeof subtype);
    return json_pack("{s:o, s:o, s:o, s:i, s:i, s:I, s:I, s:b, s:b, s:I}", "name",
                     display_json(row->name, upd_partition_name_size(row)), "type",
                     display_json(type, sizeof type), "subtype",
                     display_json(subtype, sizeof subtype), "type_code", row->type, "subtype_code",
                     row->subtype, "offset", (json_int_t)row->offset, "size", (json_int_t)row->size,
                     "encrypted", (row->flags & UPD_PARTITION_ENCRYPTED) != 0, "readonly",
                     (row->flags & UPD_PARTITION_READONLY) != 0, "flags", (json_int_t)row->flags);
}
