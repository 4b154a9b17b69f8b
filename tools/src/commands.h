/* Every command; each is defined in cmd_GROUP_NAME.c. */
#ifndef UPDRAFT_TOOL_COMMANDS_H
#define UPDRAFT_TOOL_COMMANDS_H

#include "command.h"

extern const struct command image_info_command;
extern const struct command image_verify_command;
extern const struct command image_build_command;
extern const struct command image_split_command;
extern const struct command partition_build_command;
extern const struct command partition_show_command;
extern const struct command partition_check_command;
extern const struct command flash_build_command;
extern const struct command flash_info_command;
extern const struct command flash_extract_command;
extern const struct command flash_burn_command;
extern const struct command bootflag_show_command;
extern const struct command bootflag_set_command;
extern const struct command otadata_show_command;
extern const struct command otadata_set_command;
extern const struct command otadata_erase_command;
extern const struct command rom_version_check_command;
extern const struct command rom_version_compare_command;
extern const struct command rom_version_allowed_command;
extern const struct command completion_command;
extern const struct command help_command;

#endif
