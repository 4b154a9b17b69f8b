/* Every command; each is defined in cmd_GROUP_NAME.c. */
#ifndef UPDRAFT_TOOL_COMMANDS_H
#define UPDRAFT_TOOL_COMMANDS_H

#include "command.h"

extern const struct command completion_command;
extern const struct command help_command;

#endif
