/* docs/formats/nonos_partition.md */
#include <updraft/nonos_partition.h>

#include "spelled.h"

#define SECTOR UPD_FLASH_SECTOR
#define SLOT_LIMIT UPD_FLASH_WINDOW_SIZE

static const struct {
    uint8_t type;
    const char *name;
} types[] = {
#define X(name, value, text) {(value), text},
    UPD_NONOS_PARTITION_TYPES(X)
#undef X
};
#define TYPE_COUNT (sizeof types / sizeof types[0])

const char *upd_nonos_partition_type_name(uint32_t type)
{
    for (size_t i = 0; i < TYPE_COUNT; i++) {
        if (types[i].type == type) {
            return types[i].name;
        }
    }
    return type > UPD_NONOS_CUSTOMER ? "customer" : "unknown";
}

enum upd_err upd_nonos_partition_type_find(const char *text, size_t size, uint32_t *type)
{
    for (size_t i = 0; i < TYPE_COUNT; i++) {
        if (spelled(text, size, types[i].name)) {
            *type = types[i].type;
            return UPD_OK;
        }
    }
    return UPD_E_NOT_FOUND;
}

const char *upd_nonos_partition_problem_text(enum upd_nonos_partition_code code)
{
    static const char *const texts[] = {
#define X(name, text) text,
        UPD_NONOS_PARTITION_PROBLEMS(X)
#undef X
    };

    return (uint32_t)code < sizeof texts / sizeof texts[0] ? texts[code] : "unknown";
}

/* Where problems go, and how many there have been. */
struct report {
    struct upd_nonos_partition_problem *problems;
    uint32_t room;
    uint32_t count;
};

static void tell(struct report *report, enum upd_nonos_partition_code code, uint32_t item,
                 uint32_t other)
{
    if (report->count < report->room) {
        report->problems[report->count] = (struct upd_nonos_partition_problem){code, item, other};
    }
    report->count++;
}

static bool is_supported(const struct upd_flash_map *map)
{
    return map != NULL && map->fota && map->number != 0;
}

/* The rules of one type. */
static void check_type(const struct upd_nonos_partition *item, const struct upd_flash_map *map,
                       struct report *report, uint32_t index, uint32_t count)
{
    switch (item->type) {
    case UPD_NONOS_BOOTLOADER:
        if (item->address != 0 || item->size != SECTOR) {
            tell(report, UPD_NONOS_PARTITION_BOOTLOADER, index, count);
        }
        break;
    case UPD_NONOS_OTA_1:
        if (item->address != UPD_USER1_ADDRESS || item->size > SLOT_LIMIT) {
            tell(report, UPD_NONOS_PARTITION_OTA_1, index, count);
        }
        break;
    case UPD_NONOS_OTA_2:
        if ((is_supported(map) && item->address != map->user2) || item->size > SLOT_LIMIT) {
            tell(report, UPD_NONOS_PARTITION_OTA_2, index, count);
        }
        break;
    case UPD_NONOS_RF_CAL:
    case UPD_NONOS_PHY_DATA:
        if (item->size != SECTOR) {
            tell(report, UPD_NONOS_PARTITION_ONE_SECTOR, index, count);
        }
        break;
    case UPD_NONOS_SYSTEM_PARAMETER:
        if (item->size != 3 * SECTOR) {
            tell(report, UPD_NONOS_PARTITION_THREE_SECTORS, index, count);
        }
        break;
    default:
        break;
    }
}

static bool overlap(const struct upd_nonos_partition *one, const struct upd_nonos_partition *other)
{
    return one->address <= other->address ? other->address - one->address < one->size
                                          : one->address - other->address < other->size;
}

static void check_item(const struct upd_nonos_partition *items, uint32_t index, uint32_t count,
                       const struct upd_flash_map *map, struct report *report)
{
    const struct upd_nonos_partition *item = &items[index];

    if (item->address % SECTOR != 0 || item->size % SECTOR != 0) {
        tell(report, UPD_NONOS_PARTITION_UNALIGNED, index, count);
    }
    if (item->size == 0) {
        tell(report, UPD_NONOS_PARTITION_EMPTY, index, count);
    }
    check_type(item, map, report, index, count);
    for (uint32_t i = 0; i < index; i++) {
        if (items[i].type == item->type && item->type >= UPD_NONOS_BOOTLOADER &&
            item->type <= UPD_NONOS_SYSTEM_PARAMETER) {
            tell(report, UPD_NONOS_PARTITION_TWICE, index, i);
        }
        if (items[i].size != 0 && item->size != 0 && overlap(&items[i], item)) {
            tell(report, UPD_NONOS_PARTITION_OVERLAP, index, i);
        }
    }
    if (map != NULL && (item->address > map->size || item->size > map->size - item->address)) {
        tell(report, UPD_NONOS_PARTITION_BEYOND, index, count);
    }
}

uint32_t upd_nonos_partition_check(const struct upd_nonos_partition *items, uint32_t count,
                                   uint32_t map, uint32_t header,
                                   struct upd_nonos_partition_problem *problems, uint32_t room)
{
    static const struct {
        uint8_t type;
        uint8_t code;
    } needed[] = {
        {UPD_NONOS_RF_CAL, UPD_NONOS_PARTITION_NO_RF_CAL},
        {UPD_NONOS_PHY_DATA, UPD_NONOS_PARTITION_NO_PHY_DATA},
        {UPD_NONOS_SYSTEM_PARAMETER, UPD_NONOS_PARTITION_NO_SYSTEM_PARAMETER},
    };
    struct report report = {problems, room, 0};
    const struct upd_flash_map *layout = upd_flash_map(map);

    if (map != header) {
        tell(&report, UPD_NONOS_PARTITION_OTHER_MAP, count, count);
    }
    if (!is_supported(layout)) {
        tell(&report, UPD_NONOS_PARTITION_BAD_MAP, count, count);
    }
    for (uint32_t i = 0; i < count; i++) {
        check_item(items, i, count, layout, &report);
    }
    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++) {
        if (upd_nonos_partition_find(items, count, needed[i].type) == count) {
            tell(&report, (enum upd_nonos_partition_code)needed[i].code, count, count);
        }
    }
    return report.count;
}

uint32_t upd_nonos_partition_find(const struct upd_nonos_partition *items, uint32_t count,
                                  uint32_t type)
{
    uint32_t i = 0;

    while (i < count && items[i].type != type) {
        i++;
    }
    return i;
}

uint32_t upd_nonos_partition_ota_size(const struct upd_nonos_partition *items, uint32_t count,
                                      enum upd_slot running)
{
    uint32_t type = running == UPD_SLOT_USER1 ? UPD_NONOS_OTA_2 : UPD_NONOS_OTA_1;
    uint32_t i = upd_nonos_partition_find(items, count, type);

    if (i == count) {
        return 0;
    }
    return items[i].size < SLOT_LIMIT ? items[i].size : SLOT_LIMIT;
}
