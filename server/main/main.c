/* updraftd: the update server. */
#include "main/verbs.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { FLAGS_MAX = 64 };

/* What a command line says. */
struct line {
    const struct verb *verb;
    const char *config_file;
    const char *operand;
    struct config_flag flags[FLAGS_MAX];
    size_t flag_count;
    bool json, help;
};

static const struct verb *find_verb(const char *name)
{
    for (const struct verb *verb = verbs; verb->name != NULL; verb++) {
        if (strcmp(verb->name, name) == 0) {
            return verb;
        }
    }
    return NULL;
}

static enum exit_code wrong(const struct line *line, const char *what, const char *word)
{
    return complain(EXIT_USAGE, "%s %s; see 'updraftd %s --help'", what, word,
                    line->verb != NULL ? line->verb->name : "help");
}

/* "--listen=X" or "--listen X"; *index moves over the second word. */
static enum exit_code read_flag(struct line *line, char **words, int count, int *index)
{
    const char *word = words[*index] + 2;
    size_t size = strcspn(word, "=");
    const char *text = word[size] == '=' ? word + size + 1 : NULL;
    bool file = size == strlen("config") && strncmp(word, "config", size) == 0;
    const struct config_key *key = memchr(word, '_', size) == NULL ? config_find(word, size) : NULL;

    if (!line->verb->keys || (!file && key == NULL)) {
        return wrong(line, "unknown option", words[*index]);
    }
    if (text == NULL) {
        if (*index + 1 == count) {
            return wrong(line, "a value is missing after", words[*index]);
        }
        text = words[++*index];
    }
    if (file) {
        line->config_file = text;
    } else if (line->flag_count == FLAGS_MAX) {
        return wrong(line, "too many options:", words[*index]);
    } else {
        line->flags[line->flag_count++] = (struct config_flag){.key = key, .text = text};
    }
    return EXIT_DONE;
}

static enum exit_code read_word(struct line *line, char **words, int count, int *index)
{
    const char *word = words[*index];

    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
        line->help = true;
        return EXIT_DONE;
    }
    if (strcmp(word, "--json") == 0 && line->verb->json) {
        line->json = true;
        return EXIT_DONE;
    }
    if (strncmp(word, "--", 2) == 0) {
        return read_flag(line, words, count, index);
    }
    if (word[0] == '-' && word[1] != 0) {
        return wrong(line, "unknown option", word);
    }
    if (line->verb->operand == NULL || line->operand != NULL) {
        return wrong(line, "nothing is expected at", word);
    }
    line->operand = word;
    return EXIT_DONE;
}

int main(int count, char **words)
{
    struct line line = {0};
    struct config config = {0};
    char problem[1024];

    if (count < 2 || strcmp(words[1], "--help") == 0 || strcmp(words[1], "-h") == 0) {
        enum exit_code code = run_help(&(struct run){0});
        return (int)(count < 2 ? EXIT_USAGE : code);
    }
    line.verb = find_verb(strcmp(words[1], "--version") == 0 ? "version" : words[1]);
    if (line.verb == NULL) {
        return (int)wrong(&line, "there is no command", words[1]);
    }
    for (int i = 2; i < count; i++) {
        enum exit_code code = read_word(&line, words, count, &i);
        if (code != EXIT_DONE) {
            return (int)code;
        }
    }
    struct run run = {.config = &config, .operand = line.operand, .json = line.json};
    if (line.help) {
        run.operand = line.verb->name;
        return (int)run_help(&run);
    }
    if (line.verb->keys && !config_read(&config, line.config_file, line.flags, line.flag_count,
                                        problem, sizeof problem)) {
        config_free(&config);
        return (int)complain(EXIT_USAGE, "%s", problem);
    }
    enum exit_code code = line.verb->run(&run);
    config_free(&config);
    return (int)code;
}
