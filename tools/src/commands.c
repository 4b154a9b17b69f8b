/* The table of commands: one line each, in the order of the help. */
#include "commands.h"

const struct group groups[] = {
    {NULL, NULL},
};

const struct command *const commands[] = {
    &completion_command,
    &help_command,
    NULL,
};
