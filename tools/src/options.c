#include "options.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define LINE_SIZE 512

/* Every command has these. --json is there for commands that have something to tell. */
static const struct option json_option = {
    .name = "json",
    .kind = VALUE_FLAG,
    .help = "print one JSON object instead of text, also when the command fails",
};
static const struct option help_option = {
    .name = "help",
    .letter = 'h',
    .kind = VALUE_FLAG,
    .help = "show this help and exit",
};

struct parser {
    struct call *call;
    uint8_t *arguments;
    char **words;
    int count, next;
    size_t operand;       /* row that the next operand goes to */
    size_t operand_words; /* words that this row has taken */
    uint64_t seen;        /* bit per option row */
    bool help;
};

const struct option *option_at(const struct command *command, size_t index)
{
    size_t own = 0;
    while (command->options != NULL && command->options[own].name != NULL) {
        own++;
    }
    if (index < own) {
        return &command->options[index];
    }
    index -= own;
    if (command->json && index-- == 0) {
        return &json_option;
    }
    return index == 0 ? &help_option : NULL;
}

bool number_parse(const char *text, uint32_t *value)
{
    unsigned base = 10;
    if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
        base = 16;
        text += 2;
    }
    uint64_t sum = 0;
    const char *at = text;
    for (; *at != '\0'; at++) {
        unsigned digit = 16;
        if (*at >= '0' && *at <= '9') {
            digit = (unsigned)(*at - '0');
        } else if ((*at | 0x20) >= 'a' && (*at | 0x20) <= 'f') {
            digit = (unsigned)((*at | 0x20) - 'a') + 10;
        }
        if (digit >= base) {
            break;
        }
        sum = sum * base + digit;
        if (sum > UINT32_MAX) {
            return false;
        }
    }
    if (at == text) {
        return false;
    }
    bool kilo = *at == 'K' || *at == 'k', mega = *at == 'M' || *at == 'm';
    if (kilo || mega) {
        sum *= kilo ? 1024 : 1048576;
        at++;
        at += *at == 'B'; /* as flash sizes are called: 4MB */
    }
    if (*at != '\0' || sum > UINT32_MAX) {
        return false;
    }
    *value = (uint32_t)sum;
    return true;
}

bool word_in(const char *word, const char *const *list, uint32_t *index)
{
    for (uint32_t i = 0; list[i] != NULL; i++) {
        if (strcasecmp(word, list[i]) == 0) {
            *index = i;
            return true;
        }
    }
    return false;
}

/* Edits (insert, drop, change, swap neighbours) from one word to another; words are cut at 31. */
static unsigned distance(const char *one, const char *other)
{
    unsigned rows[3][32];
    size_t width = strnlen(other, 31), height = strnlen(one, 31);

    for (size_t x = 0; x <= width; x++) {
        rows[0][x] = (unsigned)x;
    }
    for (size_t y = 1; y <= height; y++) {
        unsigned *row = rows[y % 3], *above = rows[(y - 1) % 3], *higher = rows[(y + 1) % 3];
        row[0] = (unsigned)y;
        for (size_t x = 1; x <= width; x++) {
            unsigned best = above[x - 1] + (one[y - 1] != other[x - 1]);
            best = above[x] + 1 < best ? above[x] + 1 : best;
            best = row[x - 1] + 1 < best ? row[x - 1] + 1 : best;
            if (y > 1 && x > 1 && one[y - 1] == other[x - 2] && one[y - 2] == other[x - 1] &&
                higher[x - 2] + 1 < best) {
                best = higher[x - 2] + 1;
            }
            row[x] = best;
        }
    }
    return rows[height % 3][width];
}

const char *word_nearer(const char *word, const char *best, const char *candidate)
{
    unsigned limit = (unsigned)strlen(word) / 3 + 1;
    if (best != NULL) {
        unsigned nearest = distance(word, best);
        limit = nearest > 0 ? nearest - 1 : 0;
        if (nearest == 0) {
            return best;
        }
    }
    return distance(word, candidate) <= limit ? candidate : best;
}

/* One line: what is wrong, and where the right thing is written. */
static bool refuse(struct parser *parser, const char *what)
{
    const struct command *command = parser->call->command;
    fail(parser->call, EXIT_USAGE, "usage", "%s; see 'updraft %s%s%s --help'", what,
         command->group != NULL ? command->group : "", command->group != NULL ? " " : "",
         command->name);
    return false;
}

static bool refuse_choice(struct parser *parser, const char *subject, const char *value,
                          const char *const *choices)
{
    char line[LINE_SIZE];
    int length = snprintf(line, sizeof line, "%s: '%.60s' is none of", subject, value);
    for (size_t i = 0; choices[i] != NULL && length < (int)sizeof line; i++) {
        length += snprintf(line + length, sizeof line - (size_t)length, "%s %s", i > 0 ? "," : "",
                           choices[i]);
    }
    return refuse(parser, line);
}

static bool add_word(struct parser *parser, struct words *words, const char *word)
{
    if (words->word == NULL) {
        words->word = calloc((size_t)parser->count, sizeof *words->word);
        if (words->word == NULL) {
            return refuse(parser, "out of memory");
        }
    }
    words->word[words->count++] = word;
    return true;
}

static bool store_number(struct parser *parser, const char *subject, const struct option *row,
                         const char *text)
{
    struct number *number = (struct number *)(void *)(parser->arguments + row->at);
    char line[LINE_SIZE];
    uint32_t max = row->max != 0 ? row->max : UINT32_MAX;

    if (!number_parse(text, &number->value)) {
        snprintf(line, sizeof line,
                 "%s: '%.60s' is not a number (such as 4096, 0x1000, 4K or 1M) below 4 GiB",
                 subject, text);
        return refuse(parser, line);
    }
    if (number->value < row->min || number->value > max) {
        snprintf(line, sizeof line, "%s: %.60s is not in %u .. %u", subject, text, row->min, max);
        return refuse(parser, line);
    }
    number->given = true;
    return true;
}

/* Put one value where its row says. `subject` is what the user calls the row. */
static bool store(struct parser *parser, const char *subject, const struct option *row,
                  const char *text)
{
    void *target = parser->arguments + row->at;

    switch (row->kind) {
    case VALUE_FLAG:
        *(bool *)target = true;
        return true;
    case VALUE_TEXT:
    case VALUE_INPUT:
    case VALUE_OUTPUT:
    case VALUE_FOLDER:
        *(const char **)target = text;
        return true;
    case VALUE_NUMBER:
        return store_number(parser, subject, row, text);
    case VALUE_CHOICE: {
        struct choice *choice = target;
        if (!word_in(text, row->choices, &choice->index)) {
            return refuse_choice(parser, subject, text, row->choices);
        }
        choice->word = row->choices[choice->index];
        return true;
    }
    case VALUE_WORDS:
    case VALUE_INPUTS:
        return add_word(parser, target, text);
    }
    assert(!"every kind has its case");
    return false;
}

/* An option whose row is known. `value` is what stood behind = or the letter, or NULL. */
static bool take_option(struct parser *parser, size_t index, const char *subject, const char *value)
{
    const struct option *row = option_at(parser->call->command, index);
    char line[LINE_SIZE];

    if (row->kind == VALUE_FLAG && value != NULL) {
        snprintf(line, sizeof line, "%s takes no value", subject);
        return refuse(parser, line);
    }
    if (row == &help_option) {
        parser->help = true;
        return true;
    }
    if (row == &json_option) {
        return true; /* seen by look_for_json() before anything could fail */
    }
    if (row->kind != VALUE_FLAG && value == NULL) {
        if (parser->next == parser->count) {
            snprintf(line, sizeof line, "%s needs a value: %s", subject, row->value);
            return refuse(parser, line);
        }
        value = parser->words[parser->next++];
    }
    if (parser->seen & UINT64_C(1) << index && !kind_repeats(row->kind)) {
        snprintf(line, sizeof line, "%s is given twice", subject);
        return refuse(parser, line);
    }
    parser->seen |= UINT64_C(1) << index;
    return store(parser, subject, row, value);
}

static bool take_long(struct parser *parser, const char *word)
{
    const char *name = word + 2, *value = strchr(name, '=');
    size_t length = value != NULL ? (size_t)(value - name) : strlen(name);
    const struct option *row;
    const char *near = NULL;
    char line[LINE_SIZE], given[64];

    snprintf(given, sizeof given, "%.*s", (int)(length < 60 ? length : 60), name);
    for (size_t i = 0; (row = option_at(parser->call->command, i)) != NULL; i++) {
        if (strlen(row->name) == length && memcmp(row->name, name, length) == 0) {
            snprintf(line, sizeof line, "--%s", row->name);
            return take_option(parser, i, line, value != NULL ? value + 1 : NULL);
        }
        near = word_nearer(given, near, row->name);
    }
    if (near != NULL) {
        snprintf(line, sizeof line, "unknown option --%s, did you mean --%s?", given, near);
    } else {
        snprintf(line, sizeof line, "unknown option --%s", given);
    }
    return refuse(parser, line);
}

/* -o FILE, -oFILE, and flags in a row. */
static bool take_short(struct parser *parser, const char *letters)
{
    const struct option *row;
    char subject[3] = {'-', *letters, '\0'}, line[LINE_SIZE];

    for (size_t i = 0; (row = option_at(parser->call->command, i)) != NULL; i++) {
        if (row->letter != *letters) {
            continue;
        }
        if (row->kind == VALUE_FLAG) {
            return take_option(parser, i, subject, NULL) &&
                   (letters[1] == '\0' || take_short(parser, letters + 1));
        }
        return take_option(parser, i, subject, letters[1] != '\0' ? letters + 1 : NULL);
    }
    snprintf(line, sizeof line, "unknown option -%c", *letters);
    return refuse(parser, line);
}

static bool take_operand(struct parser *parser, const char *word)
{
    const struct operand *row = parser->call->command->operands;
    char line[LINE_SIZE];

    if (row != NULL) {
        row += parser->operand;
    }
    if (row == NULL || row->name == NULL) {
        snprintf(line, sizeof line, "'%.200s' is one word too many", word);
        return refuse(parser, line);
    }
    const struct option as_option = {
        .kind = row->kind, .choices = row->choices, .at = row->at, .name = row->name};
    if (kind_repeats(row->kind)) {
        parser->operand_words++;
    } else {
        parser->operand++;
    }
    return store(parser, row->name, &as_option, word);
}

/* What is still missing when all words are used up. */
static bool check_complete(struct parser *parser)
{
    const struct command *command = parser->call->command;
    const struct operand *operand =
        command->operands != NULL ? command->operands + parser->operand : NULL;
    const struct option *option;
    char line[LINE_SIZE];

    if (operand != NULL && operand->name != NULL && !operand->optional &&
        parser->operand_words == 0) {
        snprintf(line, sizeof line, "%s is missing: %s", operand->name, operand->help);
        return refuse(parser, line);
    }
    for (size_t i = 0; (option = option_at(command, i)) != NULL; i++) {
        if (option->required && !(parser->seen & UINT64_C(1) << i)) {
            snprintf(line, sizeof line, "--%s %s is missing: %s", option->name, option->value,
                     option->help);
            return refuse(parser, line);
        }
    }
    return true;
}

/* --json counts wherever it stands, so that a wrong command line is answered in JSON too. */
static void look_for_json(struct parser *parser)
{
    for (int i = 0; i < parser->count && strcmp(parser->words[i], "--") != 0; i++) {
        if (parser->call->command->json && strcmp(parser->words[i], "--json") == 0) {
            parser->call->json = json_object();
            return;
        }
    }
}

enum parse_result options_parse(struct call *call, void *arguments, char **words, int count)
{
    struct parser parser = {.call = call, .arguments = arguments, .words = words, .count = count};
    bool only_operands = false;

    look_for_json(&parser);
    while (parser.next < parser.count) {
        const char *word = words[parser.next++];
        bool ok = true;
        if (!only_operands && strcmp(word, "--") == 0) {
            only_operands = true;
        } else if (!only_operands && word[0] == '-' && word[1] == '-') {
            ok = take_long(&parser, word);
        } else if (!only_operands && word[0] == '-' && word[1] != '\0') {
            ok = take_short(&parser, word + 1);
        } else {
            ok = take_operand(&parser, word);
        }
        if (parser.help) {
            return PARSE_HELP;
        }
        if (!ok) {
            return PARSE_FAILED;
        }
    }
    return check_complete(&parser) ? PARSE_DONE : PARSE_FAILED;
}

void options_free(const struct command *command, void *arguments)
{
    uint8_t *base = arguments;
    for (size_t i = 0; command->options != NULL && command->options[i].name != NULL; i++) {
        if (kind_repeats(command->options[i].kind)) {
            free(((struct words *)(void *)(base + command->options[i].at))->word);
        }
    }
    for (size_t i = 0; command->operands != NULL && command->operands[i].name != NULL; i++) {
        if (kind_repeats(command->operands[i].kind)) {
            free(((struct words *)(void *)(base + command->operands[i].at))->word);
        }
    }
}
