/* The table of commands: one line each, in the order of the help. */
#include "commands.h"

const struct group groups[] = {
    {"image", "firmware images"},
    {"partition", "partition tables of ESP-IDF and the ESP8266 RTOS SDK"},
    {"flash", "images of a whole flash"},
    {"bootflag", "which slot a chip with Espressif's NONOS boot loader starts"},
    {"otadata", "which app a chip with ESP-IDF or the RTOS SDK starts"},
    {"rom-version", "names of versions on Espressif's cloud"},
    {NULL, NULL},
};

const struct command *const commands[] = {
    &image_info_command,
    &image_verify_command,
    &image_build_command,
    &image_split_command,
    &partition_build_command,
    &partition_show_command,
    &partition_check_command,
    &flash_build_command,
    &flash_info_command,
    &flash_extract_command,
    &flash_burn_command,
    &bootflag_show_command,
    &bootflag_set_command,
    &otadata_show_command,
    &otadata_set_command,
    &otadata_erase_command,
    &rom_version_check_command,
    &rom_version_compare_command,
    &rom_version_allowed_command,
    &completion_command,
    &help_command,
    NULL,
};
