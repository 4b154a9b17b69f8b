/* Partition tables as commands get them: CSV or binary, from a file or built in, with messages. */
#ifndef UPDRAFT_TOOL_TABLE_H
#define UPDRAFT_TOOL_TABLE_H

#include <updraft/partition_csv.h>

#include "command.h"

/** More rows than a binary table takes, so that the message for too many of them is exact. */
#define TABLE_ROWS 1024

struct table {
    struct upd_partition_rules rules;
    struct upd_partition_list list;
    bool binary;   /* the input was a binary table */
    uint8_t *data; /* the input */
    size_t size;
    char *memory; /* texts, and the names that list.sources points to */
    struct upd_partition rows[TABLE_ROWS];
    struct upd_partition_source sources[TABLE_ROWS];
};

/**
 * Read and place a table, and verify it.
 *
 * @param path     file, or "-"; NULL: `builtin` instead
 * @param builtin  name of a table that comes with the SDK of `rules`
 * @param rules    what the command line says; kept as a copy
 * @param verify   false: as --no-verify
 * @param table    out: allocated, to be released with table_free(); NULL after a failure
 *
 * @return EXIT_DONE
 * @return EXIT_USAGE   the table is wrong: the original tool's message was printed, and its exit
 *                      status is this one too
 * @return EXIT_FAILED  the file could not be read: reported
 */
enum exit_code table_load(struct call *call, const char *path, const char *builtin,
                          const struct upd_partition_rules *rules, bool verify,
                          struct table **table);
/** The same for bytes in memory, which are copied; they are not verified. */
enum exit_code table_take(struct call *call, const char *path, const uint8_t *data, size_t size,
                          const struct upd_partition_rules *rules, struct table **table);
void table_free(struct table *table);

/** Check that a table fits a flash, with the original tool's message. */
enum exit_code table_fits(struct call *call, struct table *table, uint32_t flash_size);

/** Write the binary table into data[UPD_PARTITION_TABLE_SIZE]. */
enum exit_code table_build(struct call *call, struct table *table, uint8_t *data);

/** A row as JSON. New reference. */
json_t *partition_json(const struct table *table, const struct upd_partition *row);

/** Type and subtype in words where there are any, else as numbers: "app", "0x40". */
const char *partition_type(const struct table *table, const struct upd_partition *row, char *text,
                           size_t size);
const char *partition_subtype(const struct table *table, const struct upd_partition *row,
                              char *text, size_t size);

#endif
