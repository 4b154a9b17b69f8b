/* "Does it fit there?": options that name a place in the flash of a chip. */
#ifndef UPDRAFT_TOOL_TARGET_H
#define UPDRAFT_TOOL_TARGET_H

#include <updraft/image.h>

#include "command.h"

extern const char *const slot_words[]; /* user1, user2 */
extern const char *const map_words[];  /* 0 .. 9 */
extern const char *const chip_words[]; /* esp8266, esp32, ... */

struct target_arguments {
    struct choice slot;
    struct choice map;
    const char *table;
    const char *partition;
    const char *layout;
    struct choice chip;
};

/* First in the command's struct. */
#define TARGET_OPTIONS                                                                             \
    {.name = "slot",                                                                               \
     .kind = VALUE_CHOICE,                                                                         \
     .value = "SLOT",                                                                              \
     .choices = slot_words,                                                                        \
     .at = offsetof(struct target_arguments, slot),                                                \
     .help = "must fit this slot of a NONOS chip; needs --map"},                                   \
        {.name = "map",                                                                            \
         .kind = VALUE_CHOICE,                                                                     \
         .value = "N",                                                                             \
         .choices = map_words,                                                                     \
         .at = offsetof(struct target_arguments, map),                                             \
         .help = "flash map of that chip"},                                                        \
        {.name = "partition-table",                                                                \
         .kind = VALUE_INPUT,                                                                      \
         .value = "FILE",                                                                          \
         .at = offsetof(struct target_arguments, table),                                           \
         .help = "must fit a partition of this table; needs --partition"},                         \
        {.name = "partition",                                                                      \
         .kind = VALUE_TEXT,                                                                       \
         .value = "NAME",                                                                          \
         .at = offsetof(struct target_arguments, partition),                                       \
         .help = "name of that partition"},                                                        \
        {.name = "layout",                                                                         \
         .kind = VALUE_TEXT,                                                                       \
         .value = "NAME",                                                                          \
         .at = offsetof(struct target_arguments, layout),                                          \
         .help = "must fit this layout of the Arduino core, such as 4m2m"},                        \
    {                                                                                              \
        .name = "chip", .kind = VALUE_CHOICE, .value = "CHIP", .choices = chip_words,              \
        .at = offsetof(struct target_arguments, chip), .help = "must be made for this chip"        \
    }

/** A place that images are asked about. */
struct target {
    bool asked;    /* false: nothing was asked, everything fits */
    bool any_chip; /* the image's own chip is taken */
    char name[64]; /* for messages: "slot user2 of map 3" */
    struct upd_image_target place;
};

/** Make a place of the options; EXIT_DONE, or the reported failure. */
enum exit_code target_make(struct call *call, const struct target_arguments *arguments,
                           struct target *target);

/** Whether a good image fits. @param offset out: of the byte that decides */
enum upd_image_problem target_fits(const struct target *target, const struct upd_image_info *info,
                                   uint32_t *offset);

#endif
