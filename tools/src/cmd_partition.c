/* updraft partition build, show, check */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "display.h"
#include "files.h"
#include "table.h"

/* Rows that say by which rules a table is read; the first in each command's struct. */
struct rule_arguments {
    struct choice rules;
    const char *builtin;
    struct number offset;
    struct number flash_size;
    struct number primary, recovery;
    struct choice secure;
    struct words subtypes;
    bool no_verify;
};

static const char *const dialects[] = {"idf", "rtos", NULL};
static const char *const secures[] = {"v1", "v2", NULL};

#define RULE_OPTIONS                                                                               \
    {.name = "rules",                                                                              \
     .kind = VALUE_CHOICE,                                                                         \
     .value = "RULES",                                                                             \
     .choices = dialects,                                                                          \
     .at = offsetof(struct rule_arguments, rules),                                                 \
     .help = "whose rules hold, ESP-IDF's (as without this option) or those of the ESP8266 RTOS "  \
             "SDK"},                                                                               \
        {.name = "builtin",                                                                        \
         .kind = VALUE_TEXT,                                                                       \
         .value = "NAME",                                                                          \
         .at = offsetof(struct rule_arguments, builtin),                                           \
         .help = "instead of a file, a table that comes with the SDK, such as two_ota"},           \
        {.name = "flash-size",                                                                     \
         .kind = VALUE_NUMBER,                                                                     \
         .value = "SIZE",                                                                          \
         .min = 1 << 20,                                                                           \
         .at = offsetof(struct rule_arguments, flash_size),                                        \
         .help = "the table must fit this flash, such as 4M"},                                     \
        {.name = "offset",                                                                         \
         .kind = VALUE_NUMBER,                                                                     \
         .value = "OFFSET",                                                                        \
         .at = offsetof(struct rule_arguments, offset),                                            \
         .help = "where the table lies in flash; 0x8000 without this option"},                     \
        {.name = "primary-bootloader-offset",                                                      \
         .kind = VALUE_NUMBER,                                                                     \
         .value = "OFFSET",                                                                        \
         .at = offsetof(struct rule_arguments, primary),                                           \
         .help = "where the primary boot loader lies, for rows of type bootloader"},               \
        {.name = "recovery-bootloader-offset",                                                     \
         .kind = VALUE_NUMBER,                                                                     \
         .value = "OFFSET",                                                                        \
         .at = offsetof(struct rule_arguments, recovery),                                          \
         .help = "where the recovery boot loader lies"},                                           \
        {.name = "secure",                                                                         \
         .kind = VALUE_CHOICE,                                                                     \
         .value = "VERSION",                                                                       \
         .choices = secures,                                                                       \
         .at = offsetof(struct rule_arguments, secure),                                            \
         .help = "app sizes as this version of secure boot needs them"},                           \
        {.name = "extra-subtype",                                                                  \
         .kind = VALUE_WORDS,                                                                      \
         .value = "ROW",                                                                           \
         .at = offsetof(struct rule_arguments, subtypes),                                          \
         .help = "a subtype of the project's own, 'type, name, value'; may be repeated"},          \
    {                                                                                              \
        .name = "no-verify", .kind = VALUE_FLAG, .at = offsetof(struct rule_arguments, no_verify), \
        .help = "skip the checks that come after placing the rows"                                 \
    }

/* The rules that the command line asks for. `extra` holds as many rows as there are subtypes. */
static bool make_rules(struct call *call, const struct rule_arguments *arguments,
                       struct upd_partition_subtype *extra, struct upd_partition_rules *rules)
{
    char message[1024];

    *rules = (struct upd_partition_rules)UPD_PARTITION_RULES(
        arguments->rules.index == 0 ? UPD_PARTITION_IDF : UPD_PARTITION_RTOS);
    rules->extra = extra;
    if (arguments->offset.given) {
        rules->table_offset = arguments->offset.value;
    }
    if (arguments->primary.given) {
        rules->primary_bootloader = arguments->primary.value;
    }
    if (arguments->recovery.given) {
        rules->recovery_bootloader = arguments->recovery.value;
    }
    if (arguments->secure.word != NULL) {
        rules->secure =
            arguments->secure.index == 0 ? UPD_PARTITION_SECURE_V1 : UPD_PARTITION_SECURE_V2;
    }
    for (size_t i = 0; i < arguments->subtypes.count; i++) {
        struct upd_text text = upd_text_on(message, sizeof message);
        if (upd_partition_subtype_read(rules, arguments->subtypes.word[i], &extra[i], &text) !=
            UPD_OK) {
            fail_plainly(call, EXIT_USAGE, "usage", "%s", message);
            return false;
        }
        rules->extra_count = (uint32_t)i + 1;
    }
    if (arguments->flash_size.given && arguments->flash_size.value % (1u << 20) != 0) {
        fail(call, EXIT_USAGE, "usage", "--flash-size: %u is not a whole number of MiB",
             arguments->flash_size.value);
        return false;
    }
    return true;
}

/* A table as the command line asks for it; NULL: reported. `extra` must outlive it; the caller
 * frees both. */
static struct table *load(struct call *call, const struct rule_arguments *arguments,
                          const char *file, bool md5, struct upd_partition_subtype **extra)
{
    struct upd_partition_rules rules;
    struct table *table = NULL;

    *extra = calloc(arguments->subtypes.count + 1, sizeof **extra);
    if (*extra == NULL) {
        fail(call, EXIT_FAILED, "memory", "out of memory");
        return NULL;
    }
    if ((file == NULL) == (arguments->builtin == NULL)) {
        fail(call, EXIT_USAGE, "usage", "name one table: a file, or one with --builtin");
        return NULL;
    }
    if (!make_rules(call, arguments, *extra, &rules)) {
        return NULL;
    }
    rules.md5 = md5;
    if (table_load(call, file, arguments->builtin, &rules, !arguments->no_verify, &table) ==
            EXIT_DONE &&
        arguments->flash_size.given &&
        table_fits(call, table, arguments->flash_size.value) != EXIT_DONE) {
        table_free(table);
        table = NULL;
    }
    return table;
}

/* The table, as every command of this group tells it in JSON. */
static void add_rows(const struct table *table, json_t *object)
{
    json_t *rows = json_array();

    for (uint32_t i = 0; i < table->list.count; i++) {
        json_array_append_new(rows, partition_json(table, &table->list.rows[i]));
    }
    json_object_set_new(object, "binary", json_boolean(table->binary));
    json_object_set_new(object, "partitions", rows);
    json_object_set_new(
        object, "slots",
        json_integer(upd_partition_slot_count(table->list.rows, table->list.count)));
}

/* --- build ----------------------------------------------------------------------------------- */

struct build_arguments {
    struct rule_arguments rules;
    const char *file;
    const char *output;
    bool no_md5;
};

static const struct option build_options[] = {
    {.name = "output",
     .letter = 'o',
     .kind = VALUE_OUTPUT,
     .value = "FILE",
     .at = offsetof(struct build_arguments, output),
     .help = "write the table to FILE instead of standard output"},
    RULE_OPTIONS,
    {.name = "no-md5",
     .kind = VALUE_FLAG,
     .at = offsetof(struct build_arguments, no_md5),
     .help = "leave the MD5 row out, as the RTOS SDK does"},
    {0},
};
static const struct operand build_operands[] = {
    {.name = "CSV",
     .kind = VALUE_INPUT,
     .optional = true,
     .at = offsetof(struct build_arguments, file),
     .help = "the table as text; '-' is standard input"},
    {0},
};
static const struct example build_examples[] = {
    {"updraft partition build partitions.csv -o partitions.bin", "as ESP-IDF builds it"},
    {"updraft partition build --rules rtos --no-md5 --flash-size 2M partitions.csv -o rtos.bin",
     "as the ESP8266 RTOS SDK builds it, for a chip with 2 MiB"},
    {"updraft partition build --builtin two_ota -o two_ota.bin", "a table that ESP-IDF brings"},
    {0},
};

static void build(struct call *call, struct table *table)
{
    const struct build_arguments *arguments = call->arguments;
    uint8_t data[UPD_PARTITION_TABLE_SIZE];

    if (table->binary) {
        fail(call, EXIT_USAGE, "usage",
             "%s: is a binary table already; 'updraft partition show --csv' makes text of it",
             table->rules.input);
        return;
    }
    if (table->size == 0) { /* no error to the original either */
        warn(call, "%s: is empty: it gives a table without partitions", table->rules.input);
    }
    if (table_build(call, table, data) == EXIT_DONE &&
        output_store(call, arguments->output != NULL ? arguments->output : "-", data,
                     sizeof data) &&
        call->json != NULL) {
        add_rows(table, call->json);
    }
}

static enum exit_code run_build(struct call *call)
{
    const struct build_arguments *arguments = call->arguments;
    struct upd_partition_subtype *extra = NULL;
    struct table *table =
        load(call, &arguments->rules, arguments->file, !arguments->no_md5, &extra);

    if (table != NULL) {
        build(call, table);
    }
    table_free(table);
    free(extra);
    return call->code;
}

const struct command partition_build_command = {
    .group = "partition",
    .name = "build",
    .summary = "make a binary partition table from CSV",
    .text = "Gives the same bytes and says the same as the SDK's gen_esp32part.py; a table that "
            "breaks a rule ends with exit status 2, as there. Rows without an offset are placed "
            "behind the one before them, and $NAME stands for an environment variable.",
    .examples = build_examples,
    .options = build_options,
    .operands = build_operands,
    .json = true,
    .size = sizeof(struct build_arguments),
    .run = run_build,
};

/* --- show ------------------------------------------------------------------------------------ */

struct show_arguments {
    struct rule_arguments rules;
    const char *file;
    bool csv;
};

static const struct option show_options[] = {
    {.name = "csv",
     .kind = VALUE_FLAG,
     .at = offsetof(struct show_arguments, csv),
     .help = "print CSV, every row placed"},
    RULE_OPTIONS,
    {0},
};
static const struct operand table_operands[] = {
    {.name = "TABLE",
     .kind = VALUE_INPUT,
     .optional = true,
     .at = offsetof(struct show_arguments, file),
     .help = "the table, binary or CSV; '-' is standard input"},
    {0},
};
static const struct example show_examples[] = {
    {"updraft partition show partitions.bin", "the rows, readable"},
    {"updraft partition show --csv partitions.bin", "back to text"},
    {"updraft partition show --json partitions.bin", "for a script"},
    {0},
};

/* A size as tables in CSV have it: 1M, 16K, or the number. */
static const char *short_size(uint32_t size, char *text, size_t room)
{
    bool mega = size % (1u << 20) == 0, kilo = size % 1024 == 0;
    snprintf(text, room, "%u%s",
             mega   ? size >> 20
             : kilo ? size >> 10
                    : size,
             size == 0 ? ""
             : mega    ? "M"
             : kilo    ? "K"
                       : "");
    return text;
}

static void print_rows(const struct table *table)
{
    char name[4 * UPD_PARTITION_NAME_SIZE + 1], type[64], subtype[64], size[64];

    printf("%-16s  %-12s  %-12s  %-10s  %-10s  %s\n", "name", "type", "subtype", "offset", "end",
           "size");
    for (uint32_t i = 0; i < table->list.count; i++) {
        const struct upd_partition *row = &table->list.rows[i];
        printf("%-16s  %-12s  %-12s  0x%08x  0x%08llx  %s%s%s\n",
               display(row->name, upd_partition_name_size(row), name, sizeof name),
               partition_type(table, row, type, sizeof type),
               partition_subtype(table, row, subtype, sizeof subtype), row->offset,
               (unsigned long long)row->offset + row->size,
               short_size(row->size, size, sizeof size),
               row->flags & UPD_PARTITION_ENCRYPTED ? ", encrypted" : "",
               row->flags & UPD_PARTITION_READONLY ? ", readonly" : "");
    }
}

static void print_csv(struct call *call, const struct table *table)
{
    struct upd_text text = upd_text_on(NULL, 0);

    for (uint32_t i = 0; i < table->list.count; i++) {
        if (!upd_partition_name_fits_csv(&table->list.rows[i])) {
            warn(call, "row %u: its name will be read back as another one", i + 1);
        }
    }
    upd_partition_csv_write(&table->rules, &table->list, &text);
    char *csv = malloc(text.length + 1);
    if (csv == NULL) {
        fail(call, EXIT_FAILED, "memory", "out of memory");
        return;
    }
    text = upd_text_on(csv, text.length + 1);
    upd_partition_csv_write(&table->rules, &table->list, &text);
    fwrite(csv, 1, text.length, stdout);
    free(csv);
}

static void show(struct call *call, struct table *table)
{
    const struct show_arguments *arguments = call->arguments;

    if (call->json != NULL) {
        add_rows(table, call->json);
    } else if (arguments->csv) {
        print_csv(call, table);
    } else {
        print_rows(table);
    }
}

/* Show and check: looking at nothing is a mistake, unlike building an empty table. */
static enum exit_code look(struct call *call, void (*at)(struct call *call, struct table *table))
{
    const struct show_arguments *arguments = call->arguments;
    struct upd_partition_subtype *extra = NULL;
    struct table *table = load(call, &arguments->rules, arguments->file, true, &extra);

    if (table != NULL && table->size == 0) {
        fail(call, EXIT_USAGE, "empty", "%s: is empty", table->rules.input);
    } else if (table != NULL) {
        at(call, table);
    }
    table_free(table);
    free(extra);
    return call->code;
}

static enum exit_code run_show(struct call *call)
{
    const struct show_arguments *arguments = call->arguments;

    if (arguments->csv && call->json != NULL) {
        return fail(call, EXIT_USAGE, "usage", "--csv and --json cannot be had together");
    }
    return look(call, show);
}

const struct command partition_show_command = {
    .group = "partition",
    .name = "show",
    .summary = "show a partition table",
    .text = "Reads binary tables and CSV. With --csv the text is what the SDK's gen_esp32part.py "
            "makes of a binary table.",
    .examples = show_examples,
    .options = show_options,
    .operands = table_operands,
    .json = true,
    .size = sizeof(struct show_arguments),
    .run = run_show,
};

/* --- check ----------------------------------------------------------------------------------- */

static const struct option check_options[] = {
    RULE_OPTIONS,
    {0},
};
static const struct example check_examples[] = {
    {"updraft partition check --flash-size 4M partitions.csv", "before it is built"},
    {"updraft partition check partitions.bin", "would chips accept this table?"},
    {0},
};

/* Who reads a table on the chip. Applications do not look at the size of the flash. */
static const struct reader {
    enum upd_partition_reader reader;
    enum upd_partition_dialect dialect;
    const char *name;
    const char *says;
} readers[] = {
    {UPD_PARTITION_BY_IDF_BOOT, UPD_PARTITION_IDF, "idf-boot", "ESP-IDF's boot loader"},
    {UPD_PARTITION_BY_IDF_APP, UPD_PARTITION_IDF, "idf-app", "an ESP-IDF application"},
    {UPD_PARTITION_BY_IDF_APP_NO_MD5, UPD_PARTITION_IDF, "idf-app-no-md5",
     "an ESP-IDF application without CONFIG_PARTITION_TABLE_MD5"},
    {UPD_PARTITION_BY_RTOS_BOOT, UPD_PARTITION_RTOS, "rtos-boot", "the RTOS SDK's boot loader"},
};

static const char *reader_problem(enum upd_err err)
{
    switch (err) {
    case UPD_E_SPACE:
        return "a partition does not fit the flash";
    case UPD_E_AUTH:
        return "the MD5 does not match";
    case UPD_E_NOT_FOUND:
        return "the MD5 row is missing";
    default:
        return "the rows do not follow the format";
    }
}

/* What each reader of the dialect makes of a binary table; false when the boot loader refuses. */
static bool try_readers(struct call *call, const struct table *table, uint32_t flash_size)
{
    struct upd_partition rows[UPD_PARTITION_MAX + 1];
    json_t *list = json_array();
    bool boots = true;

    for (size_t i = 0; i < sizeof readers / sizeof readers[0]; i++) {
        const struct reader *reader = &readers[i];
        uint32_t count = 0, at = 0;
        if (reader->dialect != table->rules.dialect) {
            continue;
        }
        enum upd_err err = upd_partition_read(reader->reader, table->data, (uint32_t)table->size,
                                              flash_size, rows, &count, &at);
        const char *problem = err == UPD_OK ? NULL : reader_problem(err);
        boots = boots && (err == UPD_OK || strstr(reader->name, "boot") == NULL);
        json_array_append_new(list, json_pack("{s:s, s:b, s:s*}", "reader", reader->name, "accepts",
                                              err == UPD_OK, "reason", problem));
        if (call->json == NULL && problem == NULL) {
            printf("  %s accepts it\n", reader->says);
        } else if (call->json == NULL) {
            printf("  %s refuses it: %s, in row %u\n", reader->says, problem, at + 1);
        }
    }
    if (call->json != NULL) {
        json_object_set_new(call->json, "readers", list);
    } else {
        json_decref(list);
    }
    return boots;
}

static void check(struct call *call, struct table *table)
{
    const struct show_arguments *arguments = call->arguments;
    uint32_t flash_size =
        arguments->rules.flash_size.given ? arguments->rules.flash_size.value : UINT32_MAX;

    if (call->json != NULL) {
        add_rows(table, call->json);
    } else {
        printf("%s: %u partitions, %u slots for updates: ok\n", table->rules.input,
               table->list.count, upd_partition_slot_count(table->list.rows, table->list.count));
    }
    if (table->binary && !try_readers(call, table, flash_size)) {
        fail(call, EXIT_USAGE, "table", "%s: a chip does not start with this table",
             table->rules.input);
    }
}

static enum exit_code run_check(struct call *call)
{
    return look(call, check);
}

const struct command partition_check_command = {
    .group = "partition",
    .name = "check",
    .summary = "check a partition table by the rules, and as chips do",
    .text = "Says what is wrong in the words of the SDK's gen_esp32part.py, with exit status 2. Of "
            "a binary table it also says what boot loader and application make of it.",
    .examples = check_examples,
    .options = check_options,
    .operands = table_operands,
    .json = true,
    .size = sizeof(struct show_arguments),
    .run = run_check,
};
