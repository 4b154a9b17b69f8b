/*
 * updraft, the host program: the table from which everything about its commands comes.
 *
 * A command is one constant: what it is called, what it takes, what it does, and command lines that
 * show it. The parser, --help, the man pages, the completions and the tests read the same constant,
 * so none of them can say something else than the program does.
 */
#ifndef UPDRAFT_TOOL_COMMAND_H
#define UPDRAFT_TOOL_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

/** What the shell is told. The list is part of the interface. */
enum exit_code {
    EXIT_DONE = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_VERIFY = 3,
    EXIT_NETWORK = 4,
    EXIT_INTERRUPTED = 130,
};

/* What an option or an operand leaves in the command's own struct, at the offset of its row. */

/** A number that may be absent. */
struct number {
    bool given;
    uint32_t value;
};

/** One word of a list that may be absent (word NULL). `index` is its place in the list. */
struct choice {
    const char *word;
    uint32_t index;
};

/** The words of an operand or of an option that may be repeated, in the order given. */
struct words {
    const char **word;
    size_t count;
};

enum value_kind {
    VALUE_FLAG,   /* bool */
    VALUE_TEXT,   /* const char *, NULL when absent */
    VALUE_INPUT,  /* const char *: a file to read */
    VALUE_OUTPUT, /* const char *: a file to write */
    VALUE_FOLDER, /* const char *: a folder to write files into */
    VALUE_NUMBER, /* struct number: 0x1000, 4096, 4K, 1M */
    VALUE_CHOICE, /* struct choice */
    VALUE_WORDS,  /* struct words: text, may be repeated */
    VALUE_INPUTS, /* struct words: files to read, may be repeated */
};

struct option {
    const char *name; /* long name without its dashes */
    char letter;      /* short name, or 0 */
    bool required;
    enum value_kind kind;
    const char *value;          /* the value's name in help; NULL for a flag */
    const char *const *choices; /* VALUE_CHOICE: NULL-terminated */
    uint32_t min, max;          /* VALUE_NUMBER: inclusive; max 0 means no limit */
    size_t at;                  /* offset into the command's struct */
    const char *help;           /* a phrase: lower case, no full stop */
};

struct operand {
    const char *name; /* as in help: FILE */
    enum value_kind kind;
    bool optional;
    const char *const *choices; /* VALUE_CHOICE: NULL-terminated */
    size_t at;
    const char *help;
};

struct example {
    const char *line; /* runs in a shell, in a folder with the files of the tests' workbench */
    const char *says;
};

struct call;

struct command {
    const char *group; /* first word, or NULL */
    const char *name;
    const char *summary;            /* a phrase, as in the list of commands */
    const char *text;               /* paragraphs, separated by an empty line */
    const struct example *examples; /* ended by a row of NULLs; at least one row */
    const struct option *options;   /* ended by a row of NULLs; NULL for none */
    const struct operand *operands; /* ended by a row of NULLs; NULL for none */
    bool json;                      /* takes --json */
    size_t size;                    /* of the struct that the rows' offsets point into */
    enum exit_code (*run)(struct call *call);
};

/**
 * A command of the usual kind, as a constant: it takes --json, its rows' offsets point into the
 * `struct arguments` of its file, and its examples are `id`_examples.
 *
 * @param id     of C: the command is `id`_command
 * @param first  `group`, as text, or NULL
 * @param word   `name`, as text
 */
#define COMMAND_AS(id, first, word, what, about, option_rows, operand_rows, function)              \
    const struct command id##_command = {                                                          \
        .group = first,                                                                            \
        .name = word,                                                                              \
        .summary = what,                                                                           \
        .text = about,                                                                             \
        .examples = id##_examples,                                                                 \
        .options = option_rows,                                                                    \
        .operands = operand_rows,                                                                  \
        .json = true,                                                                              \
        .size = sizeof(struct arguments),                                                          \
        .run = function,                                                                           \
    }

/** `updraft first second`, which is `first`_`second`_command. */
#define COMMAND(first, second, what, about, option_rows, operand_rows, function)                   \
    COMMAND_AS(first##_##second, #first, #second, what, about, option_rows, operand_rows, function)

/** A first word that stands before others. */
struct group {
    const char *name;
    const char *summary;
};

/* commands.c */
extern const struct group groups[];            /* ended by a row of NULLs */
extern const struct command *const commands[]; /* ended by NULL */

/** A command that is running. */
struct call {
    const struct command *command;
    const void *arguments; /* the command's struct, filled by the parser */
    json_t *json;          /* object to fill when --json was given, else NULL: print text */
    json_t *problem;       /* first failure as JSON, NULL when none or when text is wanted */
    enum exit_code code;   /* of the first failure; EXIT_DONE when there was none */
};

/**
 * Report a failure: one line on standard error, and `problem` of the JSON object. When several
 * are reported, the object holds the first.
 *
 * @param call    running command
 * @param code    exit code that the failure means
 * @param reason  a stable word for scripts, such as "read"
 * @param format  printf format of the sentence, without "updraft:" and line end
 * @return `code`
 */
enum exit_code fail(struct call *call, enum exit_code code, const char *reason, const char *format,
                    ...) __attribute__((format(printf, 4, 5)));

/** As fail(), but the line stands on standard error as it is, with nothing in front. */
enum exit_code fail_plainly(struct call *call, enum exit_code code, const char *reason,
                            const char *format, ...) __attribute__((format(printf, 4, 5)));

/** Add a key to the failure just reported. Takes over `value`; drops it when text is wanted. */
void problem_add(struct call *call, const char *key, json_t *value);

/** Say on standard error, and in `warnings` of the JSON object, what does not stop the command. */
void warn(struct call *call, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** As warn(), with nothing in front. */
void warn_plainly(struct call *call, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
