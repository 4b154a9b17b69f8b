#include "target.h"

#include <stdio.h>
#include <string.h>

#include <updraft/arduino_layout.h>
#include <updraft/flash_map.h>
#include <updraft/partition.h>

#include "display.h"
#include "table.h"

const char *const slot_words[] = {"user1", "user2", NULL};
const char *const map_words[] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", NULL};
const char *const chip_words[] = {
#define X(name, id, text) text,
    UPD_CHIPS(X)
#undef X
        NULL,
};

static enum exit_code make_slot(struct call *call, const struct target_arguments *arguments,
                                struct target *target)
{
    if (arguments->slot.word == NULL || arguments->map.word == NULL) {
        return fail(call, EXIT_USAGE, "usage", "--slot and --map name a place together");
    }
    const struct upd_flash_map *map = upd_flash_map(arguments->map.index);
    struct upd_flash_span span;
    enum upd_flash_region region = arguments->slot.index == 0 ? UPD_REGION_USER1 : UPD_REGION_USER2;
    if (map == NULL || upd_flash_map_region(map, region, &span) != UPD_OK) {
        return fail(call, EXIT_USAGE, "usage", "map %s has no slots", arguments->map.word);
    }
    target->place.place = UPD_PLACE_NONOS;
    target->place.chip = UPD_CHIP_ESP8266;
    target->place.offset = span.address;
    target->place.size = upd_flash_map_image_limit(map, UPD_SDK_ANY);
    target->place.slot = (uint8_t)(arguments->slot.index + 1);
    target->place.flash_map = map->number;
    target->place.flash_size = map->size;
    snprintf(target->name, sizeof target->name, "slot %s of map %u", arguments->slot.word,
             map->number);
    return EXIT_DONE;
}

static enum exit_code make_partition(struct call *call, const struct target_arguments *arguments,
                                     struct target *target)
{
    const struct upd_partition_rules rules = UPD_PARTITION_RULES(UPD_PARTITION_IDF);
    struct table *table = NULL;
    char shown[256];

    if (arguments->table == NULL || arguments->partition == NULL) {
        return fail(call, EXIT_USAGE, "usage",
                    "--partition-table and --partition name a place together");
    }
    enum exit_code code = table_load(call, arguments->table, NULL, &rules, false, &table);
    if (code != EXIT_DONE) {
        return code;
    }
    const struct upd_partition *row =
        upd_partition_by_name(table->list.rows, table->list.count, arguments->partition);
    if (row == NULL) {
        code = fail(call, EXIT_USAGE, "usage", "%s: has no partition '%s'", arguments->table,
                    display(arguments->partition, 60, shown, sizeof shown));
    } else {
        target->place.place = UPD_PLACE_PARTITION;
        target->place.offset = row->offset;
        target->place.size = row->size;
        target->any_chip = true;
        snprintf(target->name, sizeof target->name, "partition %s",
                 display(arguments->partition, 16, shown, sizeof shown));
    }
    table_free(table);
    return code;
}

static enum exit_code make_layout(struct call *call, const struct target_arguments *arguments,
                                  struct target *target)
{
    struct upd_arduino_layout layout;

    if (upd_arduino_layout_find(arguments->layout, strlen(arguments->layout), &layout) != UPD_OK) {
        return fail(call, EXIT_USAGE, "usage", "--layout: the Arduino core has no layout '%.60s'",
                    arguments->layout);
    }
    target->place.place = UPD_PLACE_SKETCH;
    target->place.chip = UPD_CHIP_ESP8266;
    target->place.size = layout.max_file;
    target->place.flash_size = layout.chip_size;
    snprintf(target->name, sizeof target->name, "layout %s", layout.name);
    return EXIT_DONE;
}

enum exit_code target_make(struct call *call, const struct target_arguments *arguments,
                           struct target *target)
{
    bool slot = arguments->slot.word != NULL || arguments->map.word != NULL;
    bool partition = arguments->table != NULL || arguments->partition != NULL;
    bool layout = arguments->layout != NULL;
    enum exit_code code = EXIT_DONE;

    *target = (struct target){.asked = slot || partition || layout || arguments->chip.word != NULL,
                              .place = {.place = UPD_PLACE_ANY,
                                        .size = UPD_IMAGE_ANY_SIZE,
                                        .flash_size = UPD_IMAGE_ANY_SIZE,
                                        .chip_revision = UPD_IMAGE_ANY_REVISION,
                                        .efuse_revision = UPD_IMAGE_ANY_REVISION,
                                        .flash_map = UPD_IMAGE_ANY,
                                        .flash_mode = UPD_IMAGE_ANY}};
    if (slot + partition + layout > 1) {
        return fail(call, EXIT_USAGE, "usage", "an image is asked about one place at a time");
    }
    if (slot) {
        code = make_slot(call, arguments, target);
    } else if (partition) {
        code = make_partition(call, arguments, target);
    } else if (layout) {
        code = make_layout(call, arguments, target);
    }
    if (code == EXIT_DONE && arguments->chip.word != NULL) {
        target->place.chip = upd_chip_find(arguments->chip.word);
        target->any_chip = false;
        if (target->name[0] == '\0') {
            snprintf(target->name, sizeof target->name, "chip %s", arguments->chip.word);
        }
    }
    return code;
}

enum upd_image_problem target_fits(const struct target *target, const struct upd_image_info *info,
                                   uint32_t *offset)
{
    struct upd_image_target place = target->place;

    *offset = 0;
    if (!target->asked) {
        return UPD_IMAGE_OK;
    }
    if (target->any_chip) {
        place.chip = info->chip;
    }
    return upd_image_fits(info, &place, offset);
}
