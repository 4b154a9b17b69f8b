/* Command lines: from words to a command's struct, as the command's rows say. */
#ifndef UPDRAFT_TOOL_OPTIONS_H
#define UPDRAFT_TOOL_OPTIONS_H

#include "command.h"

enum parse_result {
    PARSE_DONE,
    PARSE_HELP,   /* --help was given: nothing else was looked at */
    PARSE_FAILED, /* reported; the exit code is EXIT_USAGE */
};

/**
 * Fill the command's struct.
 *
 * @param call       command set; `json` becomes an object when --json is given
 * @param arguments  the command's struct, all zero; owned by the caller. Texts point into `words`
 * @param words      the words after the command's name
 * @param count      how many
 *
 * Whatever the result, options_free() releases what `arguments` holds.
 */
enum parse_result options_parse(struct call *call, void *arguments, char **words, int count);
void options_free(const struct command *command, void *arguments);

/**
 * The rows of a command, those that every command has included.
 *
 * @return row `index`, or NULL after the last
 */
const struct option *option_at(const struct command *command, size_t index);

/** Whether an option or operand of this kind may be given more than once. */
static inline bool kind_repeats(enum value_kind kind)
{
    return kind == VALUE_WORDS || kind == VALUE_INPUTS;
}

/**
 * Read a number: decimal or 0x…, with K or KB (1024), M or MB (1048576) behind it.
 *
 * @return true   *value is the number
 * @return false  not a number, or larger than 32 bits; *value is unchanged
 */
bool number_parse(const char *text, uint32_t *value);

/** True for one word of a NULL-terminated list, case ignored; *index is its place. */
bool word_in(const char *word, const char *const *list, uint32_t *index);

/**
 * The word that a misspelt one was probably meant to be.
 *
 * @param best  the best word so far, or NULL; words are compared one after the other
 * @return `best` or `candidate`; NULL while nothing is near enough to be worth saying
 */
const char *word_nearer(const char *word, const char *best, const char *candidate);

#endif
