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
extern const struct command login_command;
extern const struct command product_create_command;
extern const struct command product_list_command;
extern const struct command product_show_command;
extern const struct command release_upload_command;
extern const struct command release_current_command;
extern const struct command release_withdraw_command;
extern const struct command release_list_command;
extern const struct command release_show_command;
extern const struct command device_create_command;
extern const struct command device_list_command;
extern const struct command device_show_command;
extern const struct command device_update_command;
extern const struct command device_decide_command;
extern const struct command device_explain_command;
extern const struct command device_reboot_command;
extern const struct command device_rpc_command;
extern const struct command user_create_command;
extern const struct command user_list_command;
extern const struct command user_disable_command;
extern const struct command user_enable_command;
extern const struct command token_create_command;
extern const struct command token_list_command;
extern const struct command token_revoke_command;
extern const struct command events_command;
extern const struct command push_command;
extern const struct command member_list_command;
extern const struct command member_set_command;
extern const struct command member_remove_command;
extern const struct command completion_command;
extern const struct command help_command;

#endif
