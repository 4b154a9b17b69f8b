/* updraft help: the table of commands as text, as man pages, as JSON. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "files.h"
#include "help.h"

struct arguments {
    struct words words;
    bool man;
    const char *man_folder;
};

static const struct option options[] = {
    {.name = "man",
     .kind = VALUE_FLAG,
     .at = offsetof(struct arguments, man),
     .help = "print a man page"},
    {.name = "man-dir",
     .kind = VALUE_FOLDER,
     .value = "DIR",
     .at = offsetof(struct arguments, man_folder),
     .help = "write the man pages of all commands into DIR"},
    {0},
};
static const struct operand operands[] = {
    {.name = "COMMAND",
     .kind = VALUE_WORDS,
     .optional = true,
     .at = offsetof(struct arguments, words),
     .help = "the words of a command, or of a group"},
    {0},
};
static const struct example examples[] = {
    {"updraft help image info", "what 'updraft image info' does"},
    {"updraft help --man image info | man -l -", "the same as a man page"},
    {"updraft help --man-dir man", "all man pages, into the folder man/"},
    {"updraft help --json", "the table from which help, man pages and completions are made"},
    {0},
};

static bool write_page(struct call *call, const char *folder, const struct command *command)
{
    char name[64], path[4096], *text = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&text, &size);

    if (memory == NULL) {
        fail(call, EXIT_FAILED, "memory", "out of memory");
        return false;
    }
    man_print(memory, command);
    bool ok = fclose(memory) == 0;
    man_name(name, sizeof name, command);
    if (!ok || snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path) {
        fail(call, EXIT_FAILED, "write", "%s: the path is too long", folder);
        ok = false;
    }
    ok = ok && output_store(call, path, text, size);
    free(text);
    return ok;
}

static enum exit_code write_pages(struct call *call, const char *folder)
{
    if (!folder_make(call, folder) || !write_page(call, folder, NULL)) {
        return EXIT_FAILED;
    }
    for (size_t i = 0; commands[i] != NULL; i++) {
        if (!write_page(call, folder, commands[i])) {
            return EXIT_FAILED;
        }
    }
    return EXIT_DONE;
}

static enum exit_code run(struct call *call)
{
    const struct arguments *arguments = call->arguments;
    const struct words *words = &arguments->words;
    const struct group *group = words->count > 0 ? find_group(words->word[0]) : NULL;
    const struct command *command = NULL;

    if (call->json != NULL) {
        json_object_set_new(call->json, "commands", help_json());
        return EXIT_DONE;
    }
    if (arguments->man_folder != NULL) {
        return write_pages(call, arguments->man_folder);
    }
    if (words->count == (group != NULL ? 2 : 1)) {
        command = find_command(group != NULL ? group->name : NULL, words->word[words->count - 1]);
    }
    bool whole = words->count == 0, whole_group = group != NULL && words->count == 1;
    if (command == NULL && !whole && !whole_group) {
        return fail(call, EXIT_USAGE, "usage", "no command '%s%s%s'; see 'updraft --help'",
                    words->word[0], words->count > 1 ? " " : "",
                    words->count > 1 ? words->word[1] : "");
    }
    if (arguments->man) {
        man_print(stdout, command);
    } else if (command != NULL) {
        help_print_command(stdout, command);
    } else if (whole_group) {
        help_print_group(stdout, group);
    } else {
        help_print_program(stdout);
    }
    return EXIT_DONE;
}

const struct command help_command = {
    .name = "help",
    .summary = "show help, and make man pages",
    .text = "Without words, help of the whole program.",
    .examples = examples,
    .options = options,
    .operands = operands,
    .json = true,
    .size = sizeof(struct arguments),
    .run = run,
};
