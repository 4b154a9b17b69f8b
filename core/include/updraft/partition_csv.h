/*
 * updraft: partition tables as CSV text, with the rules and the messages of the original tools.
 *
 * This part is for host tools and the server. It says the same as gen_esp32part.py does, word for
 * word: version 1.5 of ESP-IDF, version 1.2 of the ESP8266 RTOS SDK. Where the original dies with a
 * Python traceback, a message of our own says what is wrong; docs/formats/partition.md section 5
 * lists these and the few other differences.
 *
 * In the order of the original, whose status lines stand on the left:
 *
 *     Parsing CSV input...               upd_partition_csv_read()
 *     Parsing binary partition input...  upd_partition_table_read()
 *     Verifying table...                 upd_partition_verify(), unless --no-verify
 *                                        upd_partition_fits(), with --flash-size
 *                                        upd_partition_csv_build() or upd_partition_csv_write()
 *
 * Any of them that fails puts one message into log->error, and the original's exit status is 2.
 *
 * Format: docs/formats/partition.md
 */
#ifndef UPDRAFT_PARTITION_CSV_H
#define UPDRAFT_PARTITION_CSV_H

#include <stdbool.h>
#include <stdint.h>

#include <updraft/err.h>
#include <updraft/partition.h>
#include <updraft/text.h>

enum upd_partition_dialect {
    UPD_PARTITION_IDF,
    UPD_PARTITION_RTOS,
};

enum upd_partition_secure {
    UPD_PARTITION_SECURE_NONE,
    UPD_PARTITION_SECURE_V1,
    UPD_PARTITION_SECURE_V2, /* the RTOS tool has one kind: V1 and V2 mean the same to it */
};

/** As an offset in the rules: not given. */
#define UPD_PARTITION_NOWHERE UINT32_MAX

/** A subtype's name of the project's own. */
struct upd_partition_subtype {
    const char *name; /* `name_size` bytes, not terminated; owned by the caller */
    uint32_t name_size;
    uint8_t type;
    uint8_t value;
};

/** Everything that a command line can set. UPD_PARTITION_RULES(dialect) has the defaults. */
struct upd_partition_rules {
    enum upd_partition_dialect dialect;
    enum upd_partition_secure secure; /* --secure */
    bool md5;                         /* false: --disable-md5sum */
    uint32_t table_offset;            /* --offset; bytes */
    uint32_t primary_bootloader;      /* --primary-bootloader-offset, or UPD_PARTITION_NOWHERE */
    uint32_t recovery_bootloader;     /* --recovery-bootloader-offset, or UPD_PARTITION_NOWHERE */
    const struct upd_partition_subtype *extra; /* --extra-partition-subtypes; may be NULL */
    uint32_t extra_count;
    const char *input; /* name of the input in a message of the RTOS tool; not NULL */
    /**
     * Value of an environment variable, NUL-terminated, or NULL when it is not set. The name has
     * `size` bytes and no NUL. The function may be NULL: then no variable is set.
     */
    const char *(*variable)(void *ctx, const char *name, uint32_t size);
    void *ctx;
};

#define UPD_PARTITION_RULES(which)                                                                 \
    {                                                                                              \
        .dialect = (which), .md5 = true, .table_offset = UPD_PARTITION_TABLE_OFFSET,               \
        .primary_bootloader = UPD_PARTITION_NOWHERE, .recovery_bootloader = UPD_PARTITION_NOWHERE, \
        .input = "-"                                                                               \
    }

/** What is said. Texts are appended; a text that is cut short does not change the result. */
struct upd_partition_log {
    struct upd_text error;    /* one message without a newline at its end; empty when all is well */
    struct upd_text warnings; /* lines for standard error */
    struct upd_text listing;  /* lines that come before the error: standard error; RTOS: output */
};

/** Where a row of a list came from. */
struct upd_partition_source {
    const char *name; /* not terminated; whole, where the row has the first 16 bytes only */
    uint32_t name_size;
    uint32_t line;  /* of the CSV, from 1; of a binary table the row's number, from 1 */
    int64_t offset; /* as written; what the row has once placed */
    int64_t size;
    bool is_placed; /* an offset was given */
};

/** A table with what only text has. Arrays are the caller's; names point into input or scratch. */
struct upd_partition_list {
    struct upd_partition *rows;
    struct upd_partition_source *sources;
    uint32_t capacity; /* of both arrays; 96 do, 1024 let the message for too many rows be exact */
    uint32_t count;
};

/**
 * Check the rules against each other: the primary boot loader must lie below the table.
 *
 * @return UPD_OK, or UPD_E_ARG with the message in *error
 */
UPD_MUST_CHECK enum upd_err upd_partition_rules_check(const struct upd_partition_rules *rules,
                                                      struct upd_text *error);

/**
 * Read one "type, name, value" of --extra-partition-subtypes; the value is hexadecimal.
 *
 * @param rules    with the extra subtypes so far: values and names must be new
 * @param text     NUL-terminated, and must live as long as *subtype, which points into it
 * @param subtype  out
 *
 * @return UPD_OK, or UPD_E_FORMAT with the message in *error and *subtype unchanged
 */
UPD_MUST_CHECK enum upd_err upd_partition_subtype_read(const struct upd_partition_rules *rules,
                                                       const char *text,
                                                       struct upd_partition_subtype *subtype,
                                                       struct upd_text *error);

/**
 * Read CSV text, and place what has no offset.
 *
 * @param data     `size` bytes: UTF-8, or what a byte order mark says (IDF: UTF-8, UTF-16, UTF-32)
 * @param scratch  room for names and for the line being read; owned by the caller, and used by
 *                 list->sources afterwards. Three times `size` is enough unless variables are long
 * @param list     in: arrays and capacity; out: rows, sources and count
 *
 * @return UPD_OK
 * @return UPD_E_FORMAT  a line is wrong: log->error says which and why
 * @return UPD_E_SPACE   more rows than list->capacity, or scratch is too small: log->error says so
 *         After a failure count is 0.
 */
UPD_MUST_CHECK enum upd_err upd_partition_csv_read(const struct upd_partition_rules *rules,
                                                   const void *data, uint32_t size, char *scratch,
                                                   uint32_t scratch_size,
                                                   struct upd_partition_list *list,
                                                   struct upd_partition_log *log);

/**
 * Read a binary table as the original tool does; it is stricter than chips, see
 * upd_partition_read().
 *
 * @return UPD_OK
 * @return UPD_E_FORMAT  log->error says what is wrong
 * @return UPD_E_AUTH    the MD5 does not match
 * @return UPD_E_SPACE   more rows than list->capacity
 *         After a failure count is 0.
 */
UPD_MUST_CHECK enum upd_err upd_partition_table_read(const struct upd_partition_rules *rules,
                                                     const void *data, uint32_t size,
                                                     struct upd_partition_list *list,
                                                     struct upd_partition_log *log);

/**
 * Verify a table, unless --no-verify was given.
 *
 * @return UPD_OK, with or without warnings; or UPD_E_FORMAT with log->error
 */
UPD_MUST_CHECK enum upd_err upd_partition_verify(const struct upd_partition_rules *rules,
                                                 const struct upd_partition_list *list,
                                                 struct upd_partition_log *log);

/**
 * Check that a table fits a flash.
 *
 * @param flash_size  bytes, a multiple of 1 MiB
 * @return UPD_OK, or UPD_E_SPACE with log->error
 */
UPD_MUST_CHECK enum upd_err upd_partition_fits(const struct upd_partition_rules *rules,
                                               const struct upd_partition_list *list,
                                               uint32_t flash_size, struct upd_partition_log *log);

/**
 * Write the binary table; as upd_partition_build(), with the message.
 *
 * @return UPD_OK, or UPD_E_SPACE with log->error and *data unchanged
 */
UPD_MUST_CHECK enum upd_err upd_partition_csv_build(const struct upd_partition_rules *rules,
                                                    const struct upd_partition_list *list,
                                                    uint8_t data[UPD_PARTITION_TABLE_SIZE],
                                                    struct upd_partition_log *log);

/** Write a table as CSV, header lines included. */
void upd_partition_csv_write(const struct upd_partition_rules *rules,
                             const struct upd_partition_list *list, struct upd_text *csv);

/**
 * True when CSV can carry the row's name: the original writes names as they are, and one with a
 * comma, a line break, blanks around it, or with # or $ in front is read back as something else.
 */
bool upd_partition_name_fits_csv(const struct upd_partition *row);

/** Keyword of a type or subtype under these rules: *size bytes, not terminated; NULL when none. */
const char *upd_partition_type_name(const struct upd_partition_rules *rules, uint8_t type,
                                    uint32_t *size);
const char *upd_partition_subtype_name(const struct upd_partition_rules *rules, uint8_t type,
                                       uint8_t subtype, uint32_t *size);

/** A table that comes with an SDK. */
struct upd_partition_builtin {
    const char *name; /* as in the SDK's menu and file names: "two_ota" */
    enum upd_partition_dialect dialect;
    bool md5;              /* whether the SDK builds it with an MD5 row */
    uint32_t table_offset; /* bytes */
    const char *csv;       /* NUL-terminated */
};

/** All of them, `upd_partition_builtin_count` long. */
extern const struct upd_partition_builtin upd_partition_builtins[];
extern const uint32_t upd_partition_builtin_count;

/** By dialect and name, or NULL. */
const struct upd_partition_builtin *upd_partition_builtin(enum upd_partition_dialect dialect,
                                                          const char *name);

#endif
