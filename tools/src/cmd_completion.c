/* updraft completion: scripts for three shells, made from the table of commands. */
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "help.h"
#include "options.h"

struct arguments {
    struct choice shell;
};

static const char *const shells[] = {"bash", "zsh", "fish", NULL};

static const struct operand operands[] = {
    {.name = "SHELL",
     .kind = VALUE_CHOICE,
     .choices = shells,
     .at = offsetof(struct arguments, shell),
     .help = "bash, zsh or fish"},
    {0},
};
static const struct example examples[] = {
    {"updraft completion bash > updraft.bash",
     "to be sourced, or put as 'updraft' into /usr/share/bash-completion/completions"},
    {"updraft completion zsh > _updraft", "to be put into a folder of $fpath"},
    {"updraft completion fish > updraft.fish", "to be put into ~/.config/fish/completions"},
    {0},
};

static bool takes_file(enum value_kind kind)
{
    return kind == VALUE_INPUT || kind == VALUE_INPUTS || kind == VALUE_OUTPUT;
}

static void put_choices(const char *const *choices)
{
    for (size_t i = 0; choices[i] != NULL; i++) {
        printf("%s%s", i > 0 ? " " : "", choices[i]);
    }
}

/* The names in a group (or of commands without one), each behind a blank. */
static void put_names(const char *group)
{
    for (size_t i = 0; commands[i] != NULL; i++) {
        if (find_command(group, commands[i]->name) == commands[i]) {
            printf(" %s", commands[i]->name);
        }
    }
}

static void put_groups(const char *separator)
{
    for (const struct group *group = groups; group->name != NULL; group++) {
        printf("%s%s", group > groups ? separator : "", group->name);
    }
}

/* Text inside single quotes; `special` are the characters that also need a backslash there. */
static void put_quoted(const char *text, const char *special)
{
    for (; *text != '\0'; text++) {
        if (*text == '\'') {
            fputs("'\\''", stdout);
        } else {
            printf("%s%c", strchr(special, *text) != NULL ? "\\" : "", *text);
        }
    }
}

static void bash_value(const struct option *option)
{
    if (option->kind == VALUE_FLAG) {
        return;
    }
    printf("        --%s", option->name);
    if (option->letter != 0) {
        printf("|-%c", option->letter);
    }
    fputs(") ", stdout);
    if (option->kind == VALUE_CHOICE) {
        fputs("_updraft_words \"", stdout);
        put_choices(option->choices);
        fputs("\"", stdout);
    } else if (takes_file(option->kind)) {
        fputs("_updraft_files", stdout);
    } else if (option->kind == VALUE_FOLDER) {
        fputs("_updraft_folders", stdout);
    } else {
        fputs(":", stdout);
    }
    fputs("; return ;;\n", stdout);
}

static void bash_operand(const struct operand *operand)
{
    fputs("        *) ", stdout);
    if (operand == NULL || operand->name == NULL) {
        fputs(":", stdout);
    } else if (operand->kind == VALUE_CHOICE) {
        fputs("_updraft_words \"", stdout);
        put_choices(operand->choices);
        fputs("\"", stdout);
    } else if (takes_file(operand->kind)) {
        fputs("_updraft_files", stdout);
    } else {
        fputs(":", stdout);
    }
    fputs(" ;;\n", stdout);
}

static void bash_command(const struct command *command)
{
    const struct option *option;

    printf("    \"%s%s%s\")\n        case \"$previous\" in\n",
           command->group != NULL ? command->group : "", command->group != NULL ? " " : "",
           command->name);
    for (size_t i = 0; (option = option_at(command, i)) != NULL; i++) {
        bash_value(option);
    }
    fputs("        esac\n        case \"$current\" in\n        -*) _updraft_words \"", stdout);
    for (size_t i = 0; (option = option_at(command, i)) != NULL; i++) {
        printf("%s--%s", i > 0 ? " " : "", option->name);
        if (option->letter != 0) {
            printf(" -%c", option->letter);
        }
    }
    fputs("\" ;;\n", stdout);
    bash_operand(command->operands);
    fputs("        esac ;;\n", stdout);
}

static void print_bash(void)
{
    fputs(
        "# bash completion for updraft\n"
        "_updraft_words() { COMPREPLY=($(compgen -W \"$1\" -- \"$current\")); }\n"
        "_updraft_files() { compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f "
        "-- \"$current\"); }\n"
        "_updraft_folders() { compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen "
        "-d -- \"$current\"); }\n"
        "_updraft()\n{\n"
        "    local current=\"${COMP_WORDS[COMP_CWORD]}\"\n"
        "    local previous=\"${COMP_WORDS[COMP_CWORD - 1]}\" command=\"${COMP_WORDS[1]}\"\n"
        "    COMPREPLY=()\n"
        "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n        _updraft_words \"",
        stdout);
    put_groups(" ");
    put_names(NULL);
    fputs(" --help --version\"\n        return\n    fi\n", stdout);
    fputs("    case \"$command\" in\n", stdout);
    for (const struct group *group = groups; group->name != NULL; group++) {
        printf("    %s)\n        if [ \"$COMP_CWORD\" -eq 2 ]; then\n            _updraft_words \"",
               group->name);
        put_names(group->name);
        fputs(" --help\"\n            return\n        fi\n"
              "        command=\"$command ${COMP_WORDS[2]}\" ;;\n",
              stdout);
    }
    fputs("    esac\n    case \"$command\" in\n", stdout);
    for (size_t i = 0; commands[i] != NULL; i++) {
        bash_command(commands[i]);
    }
    fputs("    esac\n}\ncomplete -F _updraft updraft\n", stdout);
}

static void zsh_action(enum value_kind kind, const char *const *choices)
{
    if (kind == VALUE_CHOICE) {
        fputs("(", stdout);
        put_choices(choices);
        fputs(")", stdout);
    } else if (takes_file(kind)) {
        fputs("_files", stdout);
    } else if (kind == VALUE_FOLDER) {
        fputs("_files -/", stdout);
    } else {
        fputs(" ", stdout);
    }
}

static void zsh_option(const struct option *option)
{
    bool many = kind_repeats(option->kind);

    fputs(" \\\n            ", stdout);
    if (option->letter != 0) {
        printf("'(-%c --%s)'{-%c,--%s}", option->letter, option->name, option->letter,
               option->name);
    } else {
        printf("'%s--%s", many ? "*" : "", option->name);
    }
    fputs(option->letter != 0 ? "'[" : "[", stdout);
    put_quoted(option->help, "[]:\\");
    fputs("]", stdout);
    if (option->kind != VALUE_FLAG) {
        printf(":%s:", option->value);
        zsh_action(option->kind, option->choices);
    }
    fputs("'", stdout);
}

static void zsh_command(const struct command *command)
{
    const struct option *option;

    printf("    \"%s%s%s\")\n        shift %d words; (( CURRENT -= %d ))\n        _arguments -S",
           command->group != NULL ? command->group : "", command->group != NULL ? " " : "",
           command->name, command->group != NULL ? 2 : 1, command->group != NULL ? 2 : 1);
    for (size_t i = 0; (option = option_at(command, i)) != NULL; i++) {
        zsh_option(option);
    }
    for (const struct operand *operand = command->operands;
         operand != NULL && operand->name != NULL; operand++) {
        bool many = kind_repeats(operand->kind);
        printf(" \\\n            '%s:%s:",
               many                ? "*"
               : operand->optional ? ":"
                                   : "",
               operand->name);
        zsh_action(operand->kind, operand->choices);
        fputs("'", stdout);
    }
    fputs(" ;;\n", stdout);
}

/* The commands of a group, or the first words, with their summaries. */
static void zsh_list(const char *group, const char *indent)
{
    printf("%slocal -a list=(", indent);
    for (const struct group *row = groups; group == NULL && row->name != NULL; row++) {
        printf("'%s:", row->name);
        put_quoted(row->summary, "");
        fputs("' ", stdout);
    }
    for (size_t i = 0; commands[i] != NULL; i++) {
        if (find_command(group, commands[i]->name) == commands[i]) {
            printf("'%s:", commands[i]->name);
            put_quoted(commands[i]->summary, "");
            fputs("' ", stdout);
        }
    }
    printf(")\n%s_describe command list\n%sreturn\n", indent, indent);
}

static void print_zsh(void)
{
    fputs("#compdef updraft\n_updraft()\n{\n    local command=\"$words[2]\"\n"
          "    if (( CURRENT == 2 )); then\n",
          stdout);
    zsh_list(NULL, "        ");
    fputs("    fi\n    case \"$command\" in\n", stdout);
    for (const struct group *group = groups; group->name != NULL; group++) {
        printf("    %s)\n        if (( CURRENT == 3 )); then\n", group->name);
        zsh_list(group->name, "            ");
        fputs("        fi\n        command=\"$command $words[3]\" ;;\n", stdout);
    }
    fputs("    esac\n    case \"$command\" in\n", stdout);
    for (size_t i = 0; commands[i] != NULL; i++) {
        zsh_command(commands[i]);
    }
    fputs("    esac\n}\n"
          "if [ \"$funcstack[1]\" = _updraft ]; then\n    _updraft \"$@\"\nelse\n"
          "    compdef _updraft updraft\nfi\n",
          stdout);
}

/* Text in single quotes for fish, which takes backslashes there. */
static void fish_quoted(const char *text)
{
    putchar('\'');
    for (; *text != '\0'; text++) {
        printf("%s%c", *text == '\'' || *text == '\\' ? "\\" : "", *text);
    }
    putchar('\'');
}

static void fish_option(const char *words, const struct option *option)
{
    printf("complete -c updraft -n '__updraft_is %s' -l %s", words, option->name);
    if (option->letter != 0) {
        printf(" -s %c", option->letter);
    }
    if (option->kind == VALUE_CHOICE) {
        fputs(" -x -a '", stdout);
        put_choices(option->choices);
        fputs("'", stdout);
    } else if (option->kind == VALUE_FOLDER) {
        fputs(" -x -a '(__fish_complete_directories)'", stdout);
    } else if (option->kind != VALUE_FLAG) {
        fputs(takes_file(option->kind) ? " -r -F" : " -x", stdout);
    }
    fputs(" -d ", stdout);
    fish_quoted(option->help);
    putchar('\n');
}

static void fish_command(const struct command *command)
{
    const struct operand *operand = command->operands;
    const struct option *option;
    char words[64];

    snprintf(words, sizeof words, "%s%s%s", command->group != NULL ? command->group : "",
             command->group != NULL ? " " : "", command->name);
    printf("complete -c updraft -n '__updraft_next %s' -a %s -d ",
           command->group != NULL ? command->group : "", command->name);
    fish_quoted(command->summary);
    putchar('\n');
    if (operand != NULL && operand->kind == VALUE_CHOICE) {
        printf("complete -c updraft -n '__updraft_is %s' -a '", words);
        put_choices(operand->choices);
        fputs("'\n", stdout);
    } else if (operand != NULL && takes_file(operand->kind)) {
        printf("complete -c updraft -n '__updraft_is %s' -F\n", words);
    }
    for (size_t i = 0; (option = option_at(command, i)) != NULL; i++) {
        fish_option(words, option);
    }
}

static void print_fish(void)
{
    fputs("# fish completion for updraft\n"
          "function __updraft_is\n    set -l words (commandline -opc)\n"
          "    set -l last (math 1 + (count $argv))\n"
          "    test (count $words) -ge $last; and test \"$words[2..$last]\" = \"$argv\"\nend\n"
          "function __updraft_next\n    set -l words (commandline -opc)\n"
          "    test (count $words) -eq (math 1 + (count $argv)); or return 1\n"
          "    test (count $argv) -eq 0; or test \"$words[2..-1]\" = \"$argv\"\nend\n"
          "complete -c updraft -f\n"
          "complete -c updraft -n __updraft_next -l version -d 'print the version and exit'\n"
          "complete -c updraft -n __updraft_next -l help -d 'show help and exit'\n",
          stdout);
    for (const struct group *group = groups; group->name != NULL; group++) {
        printf("complete -c updraft -n __updraft_next -a %s -d ", group->name);
        fish_quoted(group->summary);
        putchar('\n');
    }
    for (size_t i = 0; commands[i] != NULL; i++) {
        fish_command(commands[i]);
    }
}

static enum exit_code run(struct call *call)
{
    const struct arguments *arguments = call->arguments;
    static void (*const printers[])(void) = {print_bash, print_zsh, print_fish};

    printers[arguments->shell.index]();
    return EXIT_DONE;
}

const struct command completion_command = {
    .name = "completion",
    .summary = "print a completion script for a shell",
    .text = "The script completes commands, options, the words that an option allows, and files.",
    .examples = examples,
    .operands = operands,
    .size = sizeof(struct arguments),
    .run = run,
};
