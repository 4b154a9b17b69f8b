/* Help in three shapes (text, man page, JSON), all made from the table of commands. */
#ifndef UPDRAFT_TOOL_HELP_H
#define UPDRAFT_TOOL_HELP_H

#include <stdio.h>

#include "command.h"

/** --help of the whole program, of one group's commands, and of one command. */
void help_print_program(FILE *to);
void help_print_group(FILE *to, const struct group *group);
void help_print_command(FILE *to, const struct command *command);

/** A man page in roff; command NULL is the page of the whole program. */
void man_print(FILE *to, const struct command *command);
/** File name of that page, such as "updraft-image-info.1". */
void man_name(char *name, size_t size, const struct command *command);

/** The table as JSON: what scripts and tests read instead of help texts. New reference, or NULL. */
json_t *help_json(void);

/** "updraft image info [--json] FILE": the usage line without the program's name. */
void usage_line(char *line, size_t size, const struct command *command);

/** How an option is shown: "-o, --output FILE". */
void option_label(char *label, size_t size, const struct option *option);

/** The group or the command that words name; NULL when there is none. */
const struct group *find_group(const char *name);
const struct command *find_command(const char *group, const char *name);

/** Shared texts of the program's page: { heading, paragraphs }, ended by a row of NULLs. */
struct section {
    const char *heading;
    const char *text;
};
extern const struct section sections[];

#endif
