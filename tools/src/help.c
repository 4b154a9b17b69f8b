#include "help.h"

#include <stdlib.h>
#include <string.h>

#include "options.h"

#define WIDTH 80
#define LABEL_WIDTH 26

const struct section sections[] = {
    {"Numbers", "Sizes and addresses are written 4096, 0x1000, 4K or 1M."},
    {"Exit status",
     "0 done; 1 failed; 2 the command line or a table is wrong; 3 an image does not verify; "
     "4 the network or the server failed; 130 interrupted."},
    {"Output",
     "Data go to standard output, messages and progress to standard error. Files appear under "
     "their name only when they are complete. Commands that take --json print one object with "
     "\"schema\": 1, \"ok\", and \"problem\" when they fail. Colours appear on a terminal only, "
     "and never when NO_COLOR is set."},
    {NULL, NULL},
};

const struct group *find_group(const char *name)
{
    for (const struct group *group = groups; group->name != NULL; group++) {
        if (strcmp(group->name, name) == 0) {
            return group;
        }
    }
    return NULL;
}

static bool in_group(const struct command *command, const char *group)
{
    return group == NULL ? command->group == NULL
                         : command->group != NULL && strcmp(command->group, group) == 0;
}

const struct command *find_command(const char *group, const char *name)
{
    for (size_t i = 0; commands[i] != NULL; i++) {
        if (in_group(commands[i], group) && strcmp(commands[i]->name, name) == 0) {
            return commands[i];
        }
    }
    return NULL;
}

/* One paragraph, words broken before WIDTH. The first line stands at `column` already. */
static void print_wrapped(FILE *to, const char *text, int indent, int column)
{
    bool first = true;
    while (*text != '\0' && *text != '\n') {
        int length = (int)strcspn(text, " \n");
        if (!first && column + 1 + length > WIDTH) {
            fprintf(to, "\n%*s", indent, "");
            column = indent;
            first = true;
        }
        fprintf(to, "%s%.*s", first ? "" : " ", length, text);
        column += length + (first ? 0 : 1);
        first = false;
        text += length;
        text += *text == ' ';
    }
    fputc('\n', to);
}

/* Paragraphs are separated by an empty line; one that begins with a blank is kept as it is. */
static void print_paragraphs(FILE *to, const char *text, int indent)
{
    while (*text != '\0') {
        const char *end = strstr(text, "\n\n");
        int length = end != NULL ? (int)(end - text) : (int)strlen(text);
        if (*text == ' ') {
            fprintf(to, "%.*s\n", length, text);
        } else {
            char *copy = strndup(text, (size_t)length);
            if (copy != NULL) {
                fprintf(to, "%*s", indent, "");
                print_wrapped(to, copy, indent, indent);
                free(copy);
            }
        }
        text += length;
        if (*text != '\0') {
            fputc('\n', to);
            text += 2;
        }
    }
}

void option_label(char *label, size_t size, const struct option *option)
{
    char letter[8] = "";
    if (option->letter != 0) {
        snprintf(letter, sizeof letter, "-%c, ", option->letter);
    }
    snprintf(label, size, "%s--%s%s%s", letter, option->name, option->kind != VALUE_FLAG ? " " : "",
             option->kind != VALUE_FLAG ? option->value : "");
}

/* snprintf at the end of what is there; a line that is too long is cut. */
static void append(char *line, size_t size, const char *before, const char *text, const char *value,
                   const char *after)
{
    size_t length = strlen(line);
    snprintf(line + length, size - length, "%s%s%s%s%s", before, text,
             value != NULL && *value != '\0' ? " " : "", value != NULL ? value : "", after);
}

/* The command's name, its options, its operands: one of them a call, until there are no more. */
static bool usage_part(const struct command *command, size_t index, char *part, size_t size)
{
    const struct option *option;
    const struct operand *operand = command->operands;

    part[0] = '\0';
    if (index-- == 0) {
        append(part, size, "", command->group != NULL ? command->group : command->name,
               command->group != NULL ? command->name : NULL, "");
        return true;
    }
    for (size_t i = 0; (option = option_at(command, i)) != NULL; i++) {
        if (strcmp(option->name, "help") != 0 && index-- == 0) {
            append(part, size, option->required ? "--" : "[--", option->name,
                   option->kind != VALUE_FLAG ? option->value : NULL,
                   option->required             ? ""
                   : kind_repeats(option->kind) ? " ...]"
                                                : "]");
            return true;
        }
    }
    for (; operand != NULL && operand->name != NULL; operand++) {
        if (index-- == 0) {
            append(part, size, operand->optional ? "[" : "", operand->name,
                   kind_repeats(operand->kind) ? "..." : NULL, operand->optional ? "]" : "");
            return true;
        }
    }
    return false;
}

void usage_line(char *line, size_t size, const struct command *command)
{
    char part[128];

    line[0] = '\0';
    for (size_t i = 0; usage_part(command, i, part, sizeof part); i++) {
        append(line, size, i > 0 ? " " : "", part, NULL, "");
    }
}

/* The same, broken between the parts and not inside them. */
static void print_usage(FILE *to, const struct command *command)
{
    size_t column = (size_t)fprintf(to, "Usage: updraft");
    char part[128];

    for (size_t i = 0; usage_part(command, i, part, sizeof part); i++) {
        if (column + 1 + strlen(part) > WIDTH) {
            column = (size_t)fprintf(to, "\n          ") - 1;
        }
        column += (size_t)fprintf(to, " %s", part);
    }
    fputs("\n\n", to);
}

static void print_row(FILE *to, const char *label, const char *text)
{
    fprintf(to, "  %-*s", LABEL_WIDTH - 2, label);
    if ((int)strlen(label) >= LABEL_WIDTH - 3) {
        fprintf(to, "\n%*s", LABEL_WIDTH, "");
    }
    print_wrapped(to, text, LABEL_WIDTH, LABEL_WIDTH);
}

/* The words that a choice allows stand behind its help. */
static void print_option(FILE *to, const struct option *option)
{
    char label[128], text[1024];

    option_label(label, sizeof label, option);
    snprintf(text, sizeof text, "%s", option->help);
    for (size_t i = 0; option->kind == VALUE_CHOICE && option->choices[i] != NULL; i++) {
        append(text, sizeof text, i == 0 ? ": " : ", ", option->choices[i], NULL, "");
    }
    print_row(to, label, text);
}

static void print_examples(FILE *to, const struct example *examples)
{
    fputs("Examples:\n", to);
    for (; examples->line != NULL; examples++) {
        fprintf(to, "  %s\n      ", examples->line);
        print_wrapped(to, examples->says, 6, 6);
    }
    fputc('\n', to);
}

void help_print_command(FILE *to, const struct command *command)
{
    const struct option *option;
    char name[64];

    usage_part(command, 0, name, sizeof name);
    fprintf(to, "updraft %s: %s\n\n", name, command->summary);
    print_examples(to, command->examples);
    print_usage(to, command);
    print_paragraphs(to, command->text, 0);
    if (command->operands != NULL) {
        fputs("\nOperands:\n", to);
        for (const struct operand *operand = command->operands; operand->name != NULL; operand++) {
            print_row(to, operand->name, operand->help);
        }
    }
    fputs("\nOptions:\n", to);
    for (size_t i = 0; (option = option_at(command, i)) != NULL; i++) {
        print_option(to, option);
    }
}

static void print_commands(FILE *to, const char *group)
{
    for (size_t i = 0; commands[i] != NULL; i++) {
        if (in_group(commands[i], group)) {
            char name[64] = "";
            append(name, sizeof name, group != NULL ? group : "", group != NULL ? " " : "", NULL,
                   commands[i]->name);
            print_row(to, name, commands[i]->summary);
        }
    }
}

void help_print_group(FILE *to, const struct group *group)
{
    fprintf(to, "updraft %s: %s\n\nExamples:\n", group->name, group->summary);
    for (size_t i = 0; commands[i] != NULL; i++) {
        if (in_group(commands[i], group->name)) {
            fprintf(to, "  %s\n", commands[i]->examples[0].line);
        }
    }
    fputs("\nCommands:\n", to);
    print_commands(to, group->name);
    fprintf(to, "\n'updraft %s COMMAND --help' tells more.\n", group->name);
}

void help_print_program(FILE *to)
{
    fputs("updraft: firmware over the air for ESP8266 and ESP32 class chips\n\nExamples:\n", to);
    for (const struct group *group = groups; group->name != NULL; group++) {
        for (size_t i = 0; commands[i] != NULL; i++) {
            if (in_group(commands[i], group->name)) {
                fprintf(to, "  %s\n", commands[i]->examples[0].line);
                break;
            }
        }
    }
    fputs("\nUsage: updraft COMMAND [OPTION ...] [OPERAND ...]\n", to);
    for (const struct group *group = groups; group->name != NULL; group++) {
        fprintf(to, "\n%s:\n", group->summary);
        print_commands(to, group->name);
    }
    fputs("\nThe program itself:\n", to);
    print_commands(to, NULL);
    print_row(to, "--version", "print the version and exit");
    for (const struct section *section = sections; section->heading != NULL; section++) {
        fprintf(to, "\n%s:\n  ", section->heading);
        print_wrapped(to, section->text, 2, 2);
    }
    fputs("\n'updraft COMMAND --help' tells more of each command.\n", to);
}

static json_t *words_json(const char *const *words)
{
    json_t *list = json_array();
    for (size_t i = 0; words != NULL && words[i] != NULL; i++) {
        json_array_append_new(list, json_string(words[i]));
    }
    return list;
}

static json_t *command_json(const struct command *command)
{
    json_t *options = json_array(), *operands = json_array(), *examples = json_array();
    const struct option *option;
    char line[1024];

    for (size_t i = 0; (option = option_at(command, i)) != NULL; i++) {
        char letter[2] = {option->letter, '\0'};
        json_array_append_new(
            options,
            json_pack("{s:s, s:s, s:s*, s:b, s:b, s:I, s:o, s:s}", "name", option->name, "letter",
                      letter, "value", option->value, "required", option->required, "repeatable",
                      kind_repeats(option->kind), "min", (json_int_t)option->min, "choices",
                      words_json(option->kind == VALUE_CHOICE ? option->choices : NULL), "help",
                      option->help));
    }
    for (const struct operand *operand = command->operands;
         operand != NULL && operand->name != NULL; operand++) {
        json_array_append_new(
            operands, json_pack("{s:s, s:b, s:b, s:o, s:s}", "name", operand->name, "required",
                                !operand->optional, "repeatable", kind_repeats(operand->kind),
                                "choices", words_json(operand->choices), "help", operand->help));
    }
    for (const struct example *example = command->examples; example->line != NULL; example++) {
        json_array_append_new(
            examples, json_pack("{s:s, s:s}", "line", example->line, "says", example->says));
    }
    usage_line(line, sizeof line, command);
    return json_pack("{s:s*, s:s, s:s, s:s, s:o, s:o, s:o}", "group", command->group, "name",
                     command->name, "summary", command->summary, "usage", line, "options", options,
                     "operands", operands, "examples", examples);
}

json_t *help_json(void)
{
    json_t *list = json_array();
    for (size_t i = 0; commands[i] != NULL; i++) {
        json_array_append_new(list, command_json(commands[i]));
    }
    return list;
}
