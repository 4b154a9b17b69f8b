/* Man pages in roff, one for the program and one a command. */
#include <ctype.h>
#include <string.h>

#include "help.h"
#include "options.h"

/* Text for roff: a backslash, a dash and a dot at the start of a line mean something to it. */
static void put(FILE *to, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        switch (text[i]) {
        case '\\':
            fputs("\\e", to);
            break;
        case '-':
            fputs("\\-", to);
            break;
        case '\n':
            fputs("\n\\&", to);
            break;
        case '\'':
            fputs("\\(aq", to);
            break;
        case '.':
            fputs(i == 0 ? "\\&." : ".", to);
            break;
        default:
            fputc(text[i], to);
        }
    }
}

static void put_text(FILE *to, const char *text)
{
    put(to, text, strlen(text));
}

static void heading(FILE *to, const char *text)
{
    fputs(".SH ", to);
    for (; *text != '\0'; text++) {
        fputc(toupper((unsigned char)*text), to);
    }
    fputc('\n', to);
}

static void put_paragraphs(FILE *to, const char *text)
{
    while (*text != '\0') {
        const char *end = strstr(text, "\n\n");
        size_t length = end != NULL ? (size_t)(end - text) : strlen(text);
        bool as_it_is = *text == ' ';
        fputs(as_it_is ? ".PP\n.nf\n" : ".PP\n", to);
        put(to, text, length);
        fputs(as_it_is ? "\n.fi\n" : "\n", to);
        text += length;
        text += *text != '\0' ? 2 : 0;
    }
}

static void put_row(FILE *to, const char *label, const char *text)
{
    fputs(".TP\n\\fB", to);
    put_text(to, label);
    fputs("\\fR\n", to);
    put_text(to, text);
    fputs("\n", to);
}

static void put_examples(FILE *to, const struct example *examples)
{
    heading(to, "examples");
    for (; examples->line != NULL; examples++) {
        put_row(to, examples->line, examples->says);
    }
}

void man_name(char *name, size_t size, const struct command *command)
{
    if (command == NULL) {
        snprintf(name, size, "updraft.1");
    } else {
        snprintf(name, size, "updraft-%s%s%s.1", command->group != NULL ? command->group : "",
                 command->group != NULL ? "-" : "", command->name);
    }
}

/* .TH and the NAME section, which `man -k` reads: "name \- summary" on one line. */
static void put_title(FILE *to, const struct command *command, const char *summary)
{
    char name[64];

    man_name(name, sizeof name, command);
    name[strlen(name) - 2] = '\0';
    fputs(".TH ", to);
    for (const char *at = name; *at != '\0'; at++) {
        fputc(toupper((unsigned char)*at), to);
    }
    fprintf(to, " 1 \"\" \"updraft %s\" \"updraft manual\"\n", UPD_VERSION);
    heading(to, "name");
    put_text(to, name);
    fputs(" \\- ", to);
    put_text(to, summary);
    fputc('\n', to);
}

static void put_option(FILE *to, const struct option *option)
{
    char label[128], text[1024];

    option_label(label, sizeof label, option);
    size_t length = (size_t)snprintf(text, sizeof text, "%s", option->help);
    for (size_t i = 0;
         option->kind == VALUE_CHOICE && option->choices[i] != NULL && length < sizeof text; i++) {
        length += (size_t)snprintf(text + length, sizeof text - length, "%s%s",
                                   i == 0 ? ": " : ", ", option->choices[i]);
    }
    put_row(to, label, text);
}

static void put_command(FILE *to, const struct command *command)
{
    const struct option *option;
    char line[1024];

    put_title(to, command, command->summary);
    put_examples(to, command->examples);
    heading(to, "synopsis");
    usage_line(line, sizeof line, command);
    fputs("updraft ", to);
    put_text(to, line);
    fputc('\n', to);
    heading(to, "description");
    put_paragraphs(to, command->text);
    if (command->operands != NULL) {
        heading(to, "operands");
        for (const struct operand *operand = command->operands; operand->name != NULL; operand++) {
            put_row(to, operand->name, operand->help);
        }
    }
    heading(to, "options");
    for (size_t i = 0; (option = option_at(command, i)) != NULL; i++) {
        put_option(to, option);
    }
}

static void put_program(FILE *to)
{
    char name[64];

    put_title(to, NULL, "firmware over the air for ESP8266 and ESP32 class chips");
    heading(to, "examples");
    for (const struct group *group = groups; group->name != NULL; group++) {
        for (size_t i = 0; commands[i] != NULL; i++) {
            if (commands[i]->group != NULL && strcmp(commands[i]->group, group->name) == 0) {
                put_row(to, commands[i]->examples[0].line, commands[i]->examples[0].says);
                break;
            }
        }
    }
    heading(to, "synopsis");
    fputs("updraft COMMAND [OPTION ...] [OPERAND ...]\n", to);
    heading(to, "commands");
    for (size_t i = 0; commands[i] != NULL; i++) {
        snprintf(name, sizeof name, "%s%s%s", commands[i]->group != NULL ? commands[i]->group : "",
                 commands[i]->group != NULL ? " " : "", commands[i]->name);
        put_row(to, name, commands[i]->summary);
    }
}

/* The program's page names every page, a command's page its group's. */
static void put_see_also(FILE *to, const struct command *command)
{
    char name[64];

    heading(to, "see also");
    if (command != NULL) {
        fputs(".BR updraft (1)", to);
    }
    bool first = command == NULL;
    for (size_t i = 0; commands[i] != NULL; i++) {
        bool near = command == NULL ||
                    (command->group != NULL && commands[i]->group != NULL &&
                     strcmp(command->group, commands[i]->group) == 0 && command != commands[i]);
        if (near) {
            man_name(name, sizeof name, commands[i]);
            name[strlen(name) - 2] = '\0';
            fputs(first ? ".BR " : ",\n.BR ", to);
            put_text(to, name);
            fputs(" (1)", to);
            first = false;
        }
    }
    fputc('\n', to);
}

void man_print(FILE *to, const struct command *command)
{
    if (command != NULL) {
        put_command(to, command);
    } else {
        put_program(to);
    }
    for (const struct section *section = sections; section->heading != NULL; section++) {
        heading(to, section->heading);
        put_text(to, section->text);
        fputc('\n', to);
    }
    put_see_also(to, command);
}
