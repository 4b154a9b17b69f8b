/* docs/formats/flash_map.md */
#include <updraft/flash_map.h>

#include "spelled.h"

#define SECTOR UPD_FLASH_SECTOR
/* What the last sectors of every chip hold: calibration, then four sectors of parameters. */
#define SYSPARAM_SIZE (4 * SECTOR)
#define TAIL_SIZE (5 * SECTOR)

/* Bytes from user1 to user2. Each slot ends four sectors, the parameters, before this is used up.
 */
#define NEAR 0x40000u
#define MIDDLE 0x80000u
#define FAR 0x100000u

static const struct upd_flash_map maps[UPD_FLASH_MAP_COUNT] = {
    {0x080000, NEAR + SECTOR, 0, 2, true},   {0x040000, 0, 1, 0, false},
    {0x100000, MIDDLE + SECTOR, 2, 2, true}, {0x200000, MIDDLE + SECTOR, 3, 2, true},
    {0x400000, MIDDLE + SECTOR, 4, 2, true}, {0x200000, FAR + SECTOR, 5, 4, true},
    {0x400000, FAR + SECTOR, 6, 4, true},    {0x400000, 0, 7, 0, false},
    {0x800000, FAR + SECTOR, 8, 7, true},    {0x1000000, FAR + SECTOR, 9, 7, true},
};

const struct upd_flash_map *upd_flash_map(uint32_t number)
{
    return number < UPD_FLASH_MAP_COUNT ? &maps[number] : NULL;
}

static uint32_t slot_distance(const struct upd_flash_map *map)
{
    return map->user2 - UPD_USER1_ADDRESS;
}

/* Size 0: the map has no such region. */
static struct upd_flash_span span_of(const struct upd_flash_map *map, enum upd_flash_region region)
{
    const struct upd_flash_span none = {0, 0};
    uint32_t sysparam = map->size - SYSPARAM_SIZE;

    switch (region) {
    case UPD_REGION_RF_CAL:
        return (struct upd_flash_span){map->size - TAIL_SIZE, SECTOR};
    case UPD_REGION_SYSPARAM:
        return (struct upd_flash_span){sysparam, SYSPARAM_SIZE};
    case UPD_REGION_INIT_DATA:
    case UPD_REGION_COPY0:
    case UPD_REGION_COPY1:
    case UPD_REGION_FLAG:
        return (struct upd_flash_span){
            sysparam + ((uint32_t)region - UPD_REGION_INIT_DATA) * SECTOR, SECTOR};
    case UPD_REGION_APP:
        return map->fota ? none : (struct upd_flash_span){0, map->size - TAIL_SIZE};
    default:
        break;
    }
    if (!map->fota) {
        return none;
    }

    uint32_t distance = slot_distance(map);
    uint32_t slots_end = 2 * distance;
    uint32_t slot_size = distance - TAIL_SIZE;
    bool gap = distance == FAR && map->size > slots_end;
    uint32_t data = gap ? slots_end : slots_end - SYSPARAM_SIZE;

    switch (region) {
    case UPD_REGION_BOOT:
        return (struct upd_flash_span){0, SECTOR};
    case UPD_REGION_USER1:
        return (struct upd_flash_span){UPD_USER1_ADDRESS, slot_size};
    case UPD_REGION_USER_PARAM:
        return (struct upd_flash_span){distance - SYSPARAM_SIZE, SYSPARAM_SIZE};
    case UPD_REGION_DEVICE_KEY:
        return (struct upd_flash_span){distance - 2 * SECTOR, SECTOR};
    case UPD_REGION_RESERVED:
        return (struct upd_flash_span){distance, SECTOR};
    case UPD_REGION_USER2:
        return (struct upd_flash_span){map->user2, slot_size};
    case UPD_REGION_UNUSED:
        return gap ? (struct upd_flash_span){slots_end - SYSPARAM_SIZE, SYSPARAM_SIZE} : none;
    case UPD_REGION_USER_DATA:
        return map->size > slots_end ? (struct upd_flash_span){data, map->size - TAIL_SIZE - data}
                                     : none;
    default:
        return none;
    }
}

enum upd_err upd_flash_map_region(const struct upd_flash_map *map, enum upd_flash_region region,
                                  struct upd_flash_span *span)
{
    struct upd_flash_span found = span_of(map, region);

    if (found.size == 0) {
        return UPD_E_NOT_FOUND;
    }
    *span = found;
    return UPD_OK;
}

/* The smallest region, but for one, that holds all of a span. */
static enum upd_flash_region around(const struct upd_flash_map *map, struct upd_flash_span span,
                                    enum upd_flash_region except)
{
    enum upd_flash_region best = UPD_REGION_COUNT;
    uint32_t best_size = UINT32_MAX;

    for (uint32_t i = 0; i < UPD_REGION_COUNT; i++) {
        struct upd_flash_span other = span_of(map, (enum upd_flash_region)i);
        if (i != (uint32_t)except && other.size < best_size && span.address >= other.address &&
            span.size <= other.size && span.address - other.address <= other.size - span.size) {
            best = (enum upd_flash_region)i;
            best_size = other.size;
        }
    }
    return best;
}

enum upd_flash_region upd_flash_map_region_at(const struct upd_flash_map *map, uint32_t address)
{
    return around(map, (struct upd_flash_span){address, 1}, UPD_REGION_COUNT);
}

enum upd_flash_region upd_flash_map_region_parent(const struct upd_flash_map *map,
                                                  enum upd_flash_region region)
{
    struct upd_flash_span span = span_of(map, region);

    return span.size == 0 ? UPD_REGION_COUNT : around(map, span, region);
}

uint32_t upd_flash_map_slot(const struct upd_flash_map *map, enum upd_slot slot)
{
    if (!map->fota) {
        return 0;
    }
    return slot == UPD_SLOT_USER2 ? map->user2 : UPD_USER1_ADDRESS;
}

uint32_t upd_flash_map_sysparam(const struct upd_flash_map *map)
{
    return map->size - SYSPARAM_SIZE;
}

uint32_t upd_flash_map_image_limit(const struct upd_flash_map *map, enum upd_sdk sdk)
{
    /* Sectors that one queued task each erases; the SDK's download gives up above this. */
    const uint32_t sdk3_limit = 240 * SECTOR;

    if (!map->fota || (sdk == UPD_SDK_3 && map->number == 0)) {
        return 0;
    }
    uint32_t limit = slot_distance(map) - TAIL_SIZE;
    bool shares_rf_cal = map->size == 2 * slot_distance(map);

    if (sdk == UPD_SDK_2_2 || (sdk != UPD_SDK_2_0 && shares_rf_cal)) {
        limit -= SECTOR;
    }
    return sdk == UPD_SDK_3 && limit > sdk3_limit ? sdk3_limit : limit;
}

/* Linker scripts; one row per kind of boot loader and distance of the slots. */
static const struct link_row {
    uint32_t distance;
    uint32_t irom_limit;
    const char *script[2];
    uint8_t mode;
} links[] = {
    {NEAR, 0x2B000, {"eagle.app.v6.new.512.app1.ld", "eagle.app.v6.new.512.app2.ld"}, UPD_LINK_NEW},
    {MIDDLE,
     0x6B000,
     {"eagle.app.v6.new.1024.app1.ld", "eagle.app.v6.new.1024.app2.ld"},
     UPD_LINK_NEW},
    {FAR, 0xE0000, {"eagle.app.v6.new.2048.ld", "eagle.app.v6.new.2048.ld"}, UPD_LINK_NEW},
    {NEAR, 0x2B000, {"eagle.app.v6.old.512.app1.ld", "eagle.app.v6.old.512.app2.ld"}, UPD_LINK_OLD},
    {MIDDLE,
     0x6B000,
     {"eagle.app.v6.old.1024.app1.ld", "eagle.app.v6.old.1024.app2.ld"},
     UPD_LINK_OLD},
};

enum upd_err upd_flash_map_link(const struct upd_flash_map *map, enum upd_link_mode mode,
                                enum upd_slot slot, struct upd_flash_link *link)
{
    if (mode == UPD_LINK_NONE) {
        *link = (struct upd_flash_link){UPD_FLASH_WINDOW + 0x10000, 0x5C000, "eagle.app.v6.ld"};
        return UPD_OK;
    }
    for (size_t i = 0; map->fota && i < sizeof links / sizeof links[0]; i++) {
        const struct link_row *row = &links[i];
        if (row->mode == (uint8_t)mode && row->distance == slot_distance(map)) {
            uint32_t in_window = upd_flash_map_slot(map, slot) % UPD_FLASH_WINDOW_SIZE;
            uint32_t head = mode == UPD_LINK_NEW ? 0x10 : 0x10000;
            link->irom_address = UPD_FLASH_WINDOW + in_window + head;
            link->irom_limit = row->irom_limit;
            link->script = row->script[slot == UPD_SLOT_USER2];
            return UPD_OK;
        }
    }
    return UPD_E_NOT_FOUND;
}

struct upd_flash_boot_view upd_flash_map_boot_view(enum upd_boot_version version, uint32_t number)
{
    /* Maps that a loader knows; it takes every other for map 0. */
    uint32_t known = version >= UPD_BOOT_V1_7 ? 10 : version >= UPD_BOOT_V1_4 ? 7 : 5;

    number &= 15;
    const struct upd_flash_map *map = &maps[number < known ? number : 0];
    struct upd_flash_boot_view view = {true, map->user2, upd_flash_map_sysparam(map)};

    if (map->number == 1) {
        /* Half of the chip, or the default of v1.7's table, which is beyond the chip. */
        view.user2 = (version >= UPD_BOOT_V1_7 ? NEAR : map->size / 2) + SECTOR;
    }
    if (map->number == 7) {
        view = (struct upd_flash_boot_view){false, 0, 0};
    }
    return view;
}

static const char *const region_names[] = {
#define X(name, text) text,
    UPD_FLASH_REGIONS(X)
#undef X
};

const char *upd_flash_region_name(enum upd_flash_region region)
{
    return (uint32_t)region < UPD_REGION_COUNT ? region_names[region] : "none";
}

enum upd_err upd_flash_region_find(const char *text, size_t size, enum upd_flash_region *region)
{
    for (uint32_t i = 0; i < UPD_REGION_COUNT; i++) {
        if (spelled(text, size, region_names[i])) {
            *region = (enum upd_flash_region)i;
            return UPD_OK;
        }
    }
    return UPD_E_NOT_FOUND;
}

static const struct upd_flash_map_names map_names[UPD_FLASH_MAP_COUNT] = {
    {"FLASH_SIZE_4M_MAP_256_256", "512KB", "4Mbit"},
    {"FLASH_SIZE_2M", "256KB", "2Mbit"},
    {"FLASH_SIZE_8M_MAP_512_512", "1MB", "8Mbit"},
    {"FLASH_SIZE_16M_MAP_512_512", "2MB", "16Mbit"},
    {"FLASH_SIZE_32M_MAP_512_512", "4MB", "32Mbit"},
    {"FLASH_SIZE_16M_MAP_1024_1024", "2MB-c1", "16Mbit-C1"},
    {"FLASH_SIZE_32M_MAP_1024_1024", "4MB-c1", "32Mbit-C1"},
    {"FLASH_SIZE_32M_MAP_2048_2048", "", ""},
    {"FLASH_SIZE_64M_MAP_1024_1024", "8MB", "64Mbit"},
    {"FLASH_SIZE_128M_MAP_1024_1024", "16MB", "128Mbit"},
};

const struct upd_flash_map_names *upd_flash_map_names(const struct upd_flash_map *map)
{
    return &map_names[map->number];
}

const struct upd_flash_map *upd_flash_map_find(const char *text, size_t size)
{
    if (size == 0) {
        return NULL; /* not the name of a map that lacks one */
    }
    for (uint32_t i = 0; i < UPD_FLASH_MAP_COUNT; i++) {
        const struct upd_flash_map_names *names = &map_names[i];
        bool numbered = size == 1 && text[0] == (char)('0' + i);
        if (numbered || spelled(text, size, names->sdk) || spelled(text, size, names->esptool) ||
            spelled(text, size, names->mbit)) {
            return &maps[i];
        }
    }
    return NULL;
}
