/*
 * Goal: every map has its regions where the SDK has them, and every loader's own reckoning is
 * known. Method: the tables of docs/formats/flash_map.md written out again, cell by cell; what is
 * not in a table must not exist. Then every sector of every chip, and every header byte.
 */
#include <updraft/bytes.h>
#include <updraft/flash_map.h>

#include "check.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static size_t length_of(const char *text)
{
    size_t length = 0;

    while (text[length] != '\0') {
        length++;
    }
    return length;
}

static bool same_text(const char *one, const char *other)
{
    return length_of(one) == length_of(other) && memcmp(one, other, length_of(one)) == 0;
}

static const struct {
    uint32_t size, user2;
    bool fota;
    uint8_t boot_min;
    const char *sdk, *esptool, *mbit;
} maps[] = {
    {512 << 10, 0x41000, true, 2, "FLASH_SIZE_4M_MAP_256_256", "512KB", "4Mbit"},
    {256 << 10, 0, false, 0, "FLASH_SIZE_2M", "256KB", "2Mbit"},
    {1 << 20, 0x81000, true, 2, "FLASH_SIZE_8M_MAP_512_512", "1MB", "8Mbit"},
    {2 << 20, 0x81000, true, 2, "FLASH_SIZE_16M_MAP_512_512", "2MB", "16Mbit"},
    {4 << 20, 0x81000, true, 2, "FLASH_SIZE_32M_MAP_512_512", "4MB", "32Mbit"},
    {2 << 20, 0x101000, true, 4, "FLASH_SIZE_16M_MAP_1024_1024", "2MB-c1", "16Mbit-C1"},
    {4 << 20, 0x101000, true, 4, "FLASH_SIZE_32M_MAP_1024_1024", "4MB-c1", "32Mbit-C1"},
    {4 << 20, 0, false, 0, "FLASH_SIZE_32M_MAP_2048_2048", "", ""},
    {8 << 20, 0x101000, true, 7, "FLASH_SIZE_64M_MAP_1024_1024", "8MB", "64Mbit"},
    {16 << 20, 0x101000, true, 7, "FLASH_SIZE_128M_MAP_1024_1024", "16MB", "128Mbit"},
};

static void test_every_header_byte_has_its_map(void)
{
    for (uint32_t byte = 0; byte < 256; byte++) {
        const struct upd_flash_map *map = upd_flash_map(byte >> 4);
        if (byte >> 4 >= COUNT(maps)) {
            CHECK(map == NULL);
            continue;
        }
        const char *row = maps[byte >> 4].sdk;
        CHECK_THAT(row, map->number == byte >> 4);
        CHECK_THAT(row, map->size == maps[byte >> 4].size);
        CHECK_THAT(row, map->user2 == maps[byte >> 4].user2);
        CHECK_THAT(row, map->fota == maps[byte >> 4].fota);
        CHECK_THAT(row, map->boot_min == maps[byte >> 4].boot_min);
        CHECK_THAT(row, upd_flash_map_slot(map, UPD_SLOT_USER1) == (map->fota ? 0x1000 : 0));
        CHECK_THAT(row, upd_flash_map_slot(map, UPD_SLOT_USER2) == map->user2);
    }
    CHECK(upd_flash_map(16) == NULL);
    CHECK(upd_flash_map(UINT32_MAX) == NULL);
}

/* Ranges are inclusive, as the documents give them. */
struct cell {
    enum upd_flash_region region;
    uint32_t first, last;
};

static const struct cell map0[] = {
    {UPD_REGION_BOOT, 0x00000, 0x00FFF},       {UPD_REGION_USER1, 0x01000, 0x3BFFF},
    {UPD_REGION_USER_PARAM, 0x3C000, 0x3FFFF}, {UPD_REGION_DEVICE_KEY, 0x3E000, 0x3EFFF},
    {UPD_REGION_RESERVED, 0x40000, 0x40FFF},   {UPD_REGION_USER2, 0x41000, 0x7BFFF},
    {UPD_REGION_RF_CAL, 0x7B000, 0x7BFFF},     {UPD_REGION_SYSPARAM, 0x7C000, 0x7FFFF},
    {UPD_REGION_INIT_DATA, 0x7C000, 0x7CFFF},  {UPD_REGION_COPY0, 0x7D000, 0x7DFFF},
    {UPD_REGION_COPY1, 0x7E000, 0x7EFFF},      {UPD_REGION_FLAG, 0x7F000, 0x7FFFF},
};
static const struct cell map1[] = {
    {UPD_REGION_APP, 0x00000, 0x3AFFF},      {UPD_REGION_RF_CAL, 0x3B000, 0x3BFFF},
    {UPD_REGION_SYSPARAM, 0x3C000, 0x3FFFF}, {UPD_REGION_INIT_DATA, 0x3C000, 0x3CFFF},
    {UPD_REGION_COPY0, 0x3D000, 0x3DFFF},    {UPD_REGION_COPY1, 0x3E000, 0x3EFFF},
    {UPD_REGION_FLAG, 0x3F000, 0x3FFFF},
};
static const struct cell map2[] = {
    {UPD_REGION_BOOT, 0x00000, 0x00FFF},       {UPD_REGION_USER1, 0x01000, 0x7BFFF},
    {UPD_REGION_USER_PARAM, 0x7C000, 0x7FFFF}, {UPD_REGION_DEVICE_KEY, 0x7E000, 0x7EFFF},
    {UPD_REGION_RESERVED, 0x80000, 0x80FFF},   {UPD_REGION_USER2, 0x81000, 0xFBFFF},
    {UPD_REGION_RF_CAL, 0xFB000, 0xFBFFF},     {UPD_REGION_SYSPARAM, 0xFC000, 0xFFFFF},
    {UPD_REGION_INIT_DATA, 0xFC000, 0xFCFFF},  {UPD_REGION_COPY0, 0xFD000, 0xFDFFF},
    {UPD_REGION_COPY1, 0xFE000, 0xFEFFF},      {UPD_REGION_FLAG, 0xFF000, 0xFFFFF},
};
static const struct cell map3[] = {
    {UPD_REGION_BOOT, 0x00000, 0x00FFF},       {UPD_REGION_USER1, 0x01000, 0x7BFFF},
    {UPD_REGION_USER_PARAM, 0x7C000, 0x7FFFF}, {UPD_REGION_DEVICE_KEY, 0x7E000, 0x7EFFF},
    {UPD_REGION_RESERVED, 0x80000, 0x80FFF},   {UPD_REGION_USER2, 0x81000, 0xFBFFF},
    {UPD_REGION_USER_DATA, 0xFC000, 0x1FAFFF}, {UPD_REGION_RF_CAL, 0x1FB000, 0x1FBFFF},
    {UPD_REGION_SYSPARAM, 0x1FC000, 0x1FFFFF}, {UPD_REGION_INIT_DATA, 0x1FC000, 0x1FCFFF},
    {UPD_REGION_COPY0, 0x1FD000, 0x1FDFFF},    {UPD_REGION_COPY1, 0x1FE000, 0x1FEFFF},
    {UPD_REGION_FLAG, 0x1FF000, 0x1FFFFF},
};
static const struct cell map4[] = {
    {UPD_REGION_BOOT, 0x00000, 0x00FFF},       {UPD_REGION_USER1, 0x01000, 0x7BFFF},
    {UPD_REGION_USER_PARAM, 0x7C000, 0x7FFFF}, {UPD_REGION_DEVICE_KEY, 0x7E000, 0x7EFFF},
    {UPD_REGION_RESERVED, 0x80000, 0x80FFF},   {UPD_REGION_USER2, 0x81000, 0xFBFFF},
    {UPD_REGION_USER_DATA, 0xFC000, 0x3FAFFF}, {UPD_REGION_RF_CAL, 0x3FB000, 0x3FBFFF},
    {UPD_REGION_SYSPARAM, 0x3FC000, 0x3FFFFF}, {UPD_REGION_INIT_DATA, 0x3FC000, 0x3FCFFF},
    {UPD_REGION_COPY0, 0x3FD000, 0x3FDFFF},    {UPD_REGION_COPY1, 0x3FE000, 0x3FEFFF},
    {UPD_REGION_FLAG, 0x3FF000, 0x3FFFFF},
};
static const struct cell map5[] = {
    {UPD_REGION_BOOT, 0x00000, 0x00FFF},        {UPD_REGION_USER1, 0x01000, 0xFBFFF},
    {UPD_REGION_USER_PARAM, 0xFC000, 0xFFFFF},  {UPD_REGION_DEVICE_KEY, 0xFE000, 0xFEFFF},
    {UPD_REGION_RESERVED, 0x100000, 0x100FFF},  {UPD_REGION_USER2, 0x101000, 0x1FBFFF},
    {UPD_REGION_RF_CAL, 0x1FB000, 0x1FBFFF},    {UPD_REGION_SYSPARAM, 0x1FC000, 0x1FFFFF},
    {UPD_REGION_INIT_DATA, 0x1FC000, 0x1FCFFF}, {UPD_REGION_COPY0, 0x1FD000, 0x1FDFFF},
    {UPD_REGION_COPY1, 0x1FE000, 0x1FEFFF},     {UPD_REGION_FLAG, 0x1FF000, 0x1FFFFF},
};
static const struct cell map6[] = {
    {UPD_REGION_BOOT, 0x00000, 0x00FFF},        {UPD_REGION_USER1, 0x01000, 0xFBFFF},
    {UPD_REGION_USER_PARAM, 0xFC000, 0xFFFFF},  {UPD_REGION_DEVICE_KEY, 0xFE000, 0xFEFFF},
    {UPD_REGION_RESERVED, 0x100000, 0x100FFF},  {UPD_REGION_USER2, 0x101000, 0x1FBFFF},
    {UPD_REGION_UNUSED, 0x1FC000, 0x1FFFFF},    {UPD_REGION_USER_DATA, 0x200000, 0x3FAFFF},
    {UPD_REGION_RF_CAL, 0x3FB000, 0x3FBFFF},    {UPD_REGION_SYSPARAM, 0x3FC000, 0x3FFFFF},
    {UPD_REGION_INIT_DATA, 0x3FC000, 0x3FCFFF}, {UPD_REGION_COPY0, 0x3FD000, 0x3FDFFF},
    {UPD_REGION_COPY1, 0x3FE000, 0x3FEFFF},     {UPD_REGION_FLAG, 0x3FF000, 0x3FFFFF},
};
static const struct cell map7[] = {
    {UPD_REGION_APP, 0x00000, 0x3FAFFF},       {UPD_REGION_RF_CAL, 0x3FB000, 0x3FBFFF},
    {UPD_REGION_SYSPARAM, 0x3FC000, 0x3FFFFF}, {UPD_REGION_INIT_DATA, 0x3FC000, 0x3FCFFF},
    {UPD_REGION_COPY0, 0x3FD000, 0x3FDFFF},    {UPD_REGION_COPY1, 0x3FE000, 0x3FEFFF},
    {UPD_REGION_FLAG, 0x3FF000, 0x3FFFFF},
};
static const struct cell map8[] = {
    {UPD_REGION_BOOT, 0x00000, 0x00FFF},        {UPD_REGION_USER1, 0x01000, 0xFBFFF},
    {UPD_REGION_USER_PARAM, 0xFC000, 0xFFFFF},  {UPD_REGION_DEVICE_KEY, 0xFE000, 0xFEFFF},
    {UPD_REGION_RESERVED, 0x100000, 0x100FFF},  {UPD_REGION_USER2, 0x101000, 0x1FBFFF},
    {UPD_REGION_UNUSED, 0x1FC000, 0x1FFFFF},    {UPD_REGION_USER_DATA, 0x200000, 0x7FAFFF},
    {UPD_REGION_RF_CAL, 0x7FB000, 0x7FBFFF},    {UPD_REGION_SYSPARAM, 0x7FC000, 0x7FFFFF},
    {UPD_REGION_INIT_DATA, 0x7FC000, 0x7FCFFF}, {UPD_REGION_COPY0, 0x7FD000, 0x7FDFFF},
    {UPD_REGION_COPY1, 0x7FE000, 0x7FEFFF},     {UPD_REGION_FLAG, 0x7FF000, 0x7FFFFF},
};
static const struct cell map9[] = {
    {UPD_REGION_BOOT, 0x00000, 0x00FFF},        {UPD_REGION_USER1, 0x01000, 0xFBFFF},
    {UPD_REGION_USER_PARAM, 0xFC000, 0xFFFFF},  {UPD_REGION_DEVICE_KEY, 0xFE000, 0xFEFFF},
    {UPD_REGION_RESERVED, 0x100000, 0x100FFF},  {UPD_REGION_USER2, 0x101000, 0x1FBFFF},
    {UPD_REGION_UNUSED, 0x1FC000, 0x1FFFFF},    {UPD_REGION_USER_DATA, 0x200000, 0xFFAFFF},
    {UPD_REGION_RF_CAL, 0xFFB000, 0xFFBFFF},    {UPD_REGION_SYSPARAM, 0xFFC000, 0xFFFFFF},
    {UPD_REGION_INIT_DATA, 0xFFC000, 0xFFCFFF}, {UPD_REGION_COPY0, 0xFFD000, 0xFFDFFF},
    {UPD_REGION_COPY1, 0xFFE000, 0xFFEFFF},     {UPD_REGION_FLAG, 0xFFF000, 0xFFFFFF},
};

#define MAP(cells)                                                                                 \
    {                                                                                              \
        cells, COUNT(cells)                                                                        \
    }
static const struct {
    const struct cell *cells;
    size_t count;
} layouts[] = {
    MAP(map0), MAP(map1), MAP(map2), MAP(map3), MAP(map4),
    MAP(map5), MAP(map6), MAP(map7), MAP(map8), MAP(map9),
};

static const struct cell *find_cell(uint32_t number, enum upd_flash_region region)
{
    for (size_t i = 0; i < layouts[number].count; i++) {
        if (layouts[number].cells[i].region == region) {
            return &layouts[number].cells[i];
        }
    }
    return NULL;
}

static void test_every_region_of_every_map(void)
{
    for (uint32_t number = 0; number < UPD_FLASH_MAP_COUNT; number++) {
        for (uint32_t i = 0; i <= UPD_REGION_COUNT; i++) {
            enum upd_flash_region region = (enum upd_flash_region)i;
            const struct cell *cell = find_cell(number, region);
            struct upd_flash_span span = {1, 2};
            enum upd_err err = upd_flash_map_region(upd_flash_map(number), region, &span);

            if (cell == NULL) {
                CHECK_THAT(maps[number].sdk, err == UPD_E_NOT_FOUND);
                CHECK_THAT(maps[number].sdk, span.address == 1 && span.size == 2);
            } else {
                CHECK_THAT(maps[number].sdk, err == UPD_OK);
                CHECK_THAT(maps[number].sdk, span.address == cell->first);
                CHECK_THAT(maps[number].sdk, span.size == cell->last - cell->first + 1);
            }
        }
    }
}

/* Names of the figures in the documents, the regions apart from each other. */
static void test_what_lies_where(void)
{
    CHECK(upd_flash_map_sysparam(upd_flash_map(0)) == 0x7C000);
    CHECK(upd_flash_map_sysparam(upd_flash_map(1)) == 0x3C000);
    CHECK(upd_flash_map_sysparam(upd_flash_map(2)) == 0xFC000);
    CHECK(upd_flash_map_sysparam(upd_flash_map(9)) == 0xFFC000);
}

/* By the tables alone: of the cells that hold an address, the smallest. */
static const struct cell *innermost(uint32_t number, uint32_t address)
{
    const struct cell *best = NULL;

    for (size_t i = 0; i < layouts[number].count; i++) {
        const struct cell *cell = &layouts[number].cells[i];
        if (address >= cell->first && address <= cell->last &&
            (best == NULL || cell->last - cell->first < best->last - best->first)) {
            best = cell;
        }
    }
    return best;
}

static void test_every_sector_belongs_to_a_region(void)
{
    for (uint32_t number = 0; number < UPD_FLASH_MAP_COUNT; number++) {
        const struct upd_flash_map *map = upd_flash_map(number);
        bool right = true;

        for (uint32_t address = 0; address < map->size; address += UPD_FLASH_SECTOR) {
            enum upd_flash_region region = innermost(number, address)->region;
            right = right && upd_flash_map_region_at(map, address) == region &&
                    upd_flash_map_region_at(map, address + UPD_FLASH_SECTOR - 1) == region;
        }
        CHECK_THAT(maps[number].sdk, right);
        CHECK(upd_flash_map_region_at(map, map->size) == UPD_REGION_COUNT);
        CHECK(upd_flash_map_region_at(map, UINT32_MAX) == UPD_REGION_COUNT);
    }
}

static void test_nested_regions_name_what_holds_them(void)
{
    for (uint32_t number = 0; number < UPD_FLASH_MAP_COUNT; number++) {
        const struct upd_flash_map *map = upd_flash_map(number);
        bool shares = number == 0 || number == 2 || number == 5;

        for (uint32_t i = 0; i <= UPD_REGION_COUNT; i++) {
            enum upd_flash_region region = (enum upd_flash_region)i;
            enum upd_flash_region parent = UPD_REGION_COUNT;
            if (region >= UPD_REGION_INIT_DATA && region <= UPD_REGION_FLAG) {
                parent = UPD_REGION_SYSPARAM;
            } else if (region == UPD_REGION_DEVICE_KEY && map->fota) {
                parent = UPD_REGION_USER_PARAM;
            } else if (region == UPD_REGION_RF_CAL && shares) {
                parent = UPD_REGION_USER2;
            }
            CHECK_THAT(maps[number].sdk, upd_flash_map_region_parent(map, region) == parent);
        }
    }
}

static void test_image_limits(void)
{
    /* Sectors: flash, SDK 2.0, SDK 2.2, SDK 3. */
    static const uint16_t limits[UPD_FLASH_MAP_COUNT][4] = {
        {58, 59, 58, 0},      {0, 0, 0, 0},         {122, 123, 122, 122}, {123, 123, 122, 123},
        {123, 123, 122, 123}, {250, 251, 250, 240}, {251, 251, 250, 240}, {0, 0, 0, 0},
        {251, 251, 250, 240}, {251, 251, 250, 240},
    };

    for (uint32_t number = 0; number < UPD_FLASH_MAP_COUNT; number++) {
        for (uint32_t sdk = 0; sdk < 4; sdk++) {
            CHECK_THAT(maps[number].sdk,
                       upd_flash_map_image_limit(upd_flash_map(number), (enum upd_sdk)sdk) ==
                           limits[number][sdk] * 4096u);
        }
    }
}

static const struct {
    const char *maps; /* digits */
    enum upd_link_mode mode;
    enum upd_slot slot;
    uint32_t address, limit;
    const char *script;
} links[] = {
    {"0", UPD_LINK_NEW, UPD_SLOT_USER1, 0x40201010, 0x2B000, "eagle.app.v6.new.512.app1.ld"},
    {"0", UPD_LINK_NEW, UPD_SLOT_USER2, 0x40241010, 0x2B000, "eagle.app.v6.new.512.app2.ld"},
    {"234", UPD_LINK_NEW, UPD_SLOT_USER1, 0x40201010, 0x6B000, "eagle.app.v6.new.1024.app1.ld"},
    {"234", UPD_LINK_NEW, UPD_SLOT_USER2, 0x40281010, 0x6B000, "eagle.app.v6.new.1024.app2.ld"},
    {"5689", UPD_LINK_NEW, UPD_SLOT_USER1, 0x40201010, 0xE0000, "eagle.app.v6.new.2048.ld"},
    {"5689", UPD_LINK_NEW, UPD_SLOT_USER2, 0x40201010, 0xE0000, "eagle.app.v6.new.2048.ld"},
    {"0", UPD_LINK_OLD, UPD_SLOT_USER1, 0x40211000, 0x2B000, "eagle.app.v6.old.512.app1.ld"},
    {"0", UPD_LINK_OLD, UPD_SLOT_USER2, 0x40251000, 0x2B000, "eagle.app.v6.old.512.app2.ld"},
    {"234", UPD_LINK_OLD, UPD_SLOT_USER1, 0x40211000, 0x6B000, "eagle.app.v6.old.1024.app1.ld"},
    {"234", UPD_LINK_OLD, UPD_SLOT_USER2, 0x40291000, 0x6B000, "eagle.app.v6.old.1024.app2.ld"},
    {"0123456789", UPD_LINK_NONE, UPD_SLOT_USER1, 0x40210000, 0x5C000, "eagle.app.v6.ld"},
    {"0123456789", UPD_LINK_NONE, UPD_SLOT_USER2, 0x40210000, 0x5C000, "eagle.app.v6.ld"},
};

static void test_link_addresses(void)
{
    uint32_t found = 0, meant = 0;

    for (size_t i = 0; i < COUNT(links); i++) {
        for (const char *digit = links[i].maps; *digit != '\0'; digit++) {
            struct upd_flash_link link = {0, 0, NULL};
            const struct upd_flash_map *map = upd_flash_map((uint32_t)(*digit - '0'));

            CHECK_THAT(links[i].script,
                       upd_flash_map_link(map, links[i].mode, links[i].slot, &link) == UPD_OK);
            CHECK_THAT(links[i].script, link.irom_address == links[i].address);
            CHECK_THAT(links[i].script, link.irom_limit == links[i].limit);
            CHECK_THAT(links[i].script, same_text(link.script, links[i].script));
            meant++;
        }
    }
    /* No other map and mode has a script. */
    for (uint32_t i = 0; i < UPD_FLASH_MAP_COUNT * 3 * 2; i++) {
        struct upd_flash_link link = {1, 2, NULL};
        enum upd_err err = upd_flash_map_link(upd_flash_map(i / 6), (enum upd_link_mode)(i % 3),
                                              (enum upd_slot)(i / 3 % 2), &link);
        found += err == UPD_OK;
        CHECK(err == UPD_OK || (err == UPD_E_NOT_FOUND && link.irom_address == 1));
    }
    CHECK(found == meant);
}

/* user2 and parameter area by loader; 0: the loader supports nothing there. */
static const struct {
    uint8_t version;
    uint32_t user2[16], sysparam[16];
} views[] = {
    {2,
     {0x41000, 0x21000, 0x81000, 0x81000, 0x81000, 0x41000, 0x41000, 0x41000, 0x41000, 0x41000,
      0x41000, 0x41000, 0x41000, 0x41000, 0x41000, 0x41000},
     {0x7C000, 0x3C000, 0xFC000, 0x1FC000, 0x3FC000, 0x7C000, 0x7C000, 0x7C000, 0x7C000, 0x7C000,
      0x7C000, 0x7C000, 0x7C000, 0x7C000, 0x7C000, 0x7C000}},
    {4,
     {0x41000, 0x21000, 0x81000, 0x81000, 0x81000, 0x101000, 0x101000, 0x41000, 0x41000, 0x41000,
      0x41000, 0x41000, 0x41000, 0x41000, 0x41000, 0x41000},
     {0x7C000, 0x3C000, 0xFC000, 0x1FC000, 0x3FC000, 0x1FC000, 0x3FC000, 0x7C000, 0x7C000, 0x7C000,
      0x7C000, 0x7C000, 0x7C000, 0x7C000, 0x7C000, 0x7C000}},
    {7,
     {0x41000, 0x41000, 0x81000, 0x81000, 0x81000, 0x101000, 0x101000, 0, 0x101000, 0x101000,
      0x41000, 0x41000, 0x41000, 0x41000, 0x41000, 0x41000},
     {0x7C000, 0x3C000, 0xFC000, 0x1FC000, 0x3FC000, 0x1FC000, 0x3FC000, 0, 0x7FC000, 0xFFC000,
      0x7C000, 0x7C000, 0x7C000, 0x7C000, 0x7C000, 0x7C000}},
};

static void test_addresses_as_the_loaders_reckon_them(void)
{
    /* Each version, and which row of the table it follows. */
    static const uint8_t versions[][2] = {{0, 0}, {2, 0}, {3, 0}, {4, 1}, {5, 1},
                                          {6, 1}, {7, 2}, {8, 2}, {31, 2}};

    for (size_t i = 0; i < COUNT(versions); i++) {
        for (uint32_t number = 0; number < 32; number++) {
            struct upd_flash_boot_view view =
                upd_flash_map_boot_view((enum upd_boot_version)versions[i][0], number);
            uint32_t user2 = views[versions[i][1]].user2[number % 16];

            CHECK(view.user2 == user2);
            CHECK(view.sysparam == views[versions[i][1]].sysparam[number % 16]);
            CHECK(view.supported == (user2 != 0));
        }
    }
}

static void test_names_lead_back_to_their_map(void)
{
    for (uint32_t number = 0; number < UPD_FLASH_MAP_COUNT; number++) {
        const struct upd_flash_map *map = upd_flash_map(number);
        const struct upd_flash_map_names *names = upd_flash_map_names(map);
        const char digit = (char)('0' + number);

        CHECK_THAT(maps[number].sdk, same_text(names->sdk, maps[number].sdk));
        CHECK_THAT(maps[number].sdk, same_text(names->esptool, maps[number].esptool));
        CHECK_THAT(maps[number].sdk, same_text(names->mbit, maps[number].mbit));
        CHECK(upd_flash_map_find(&digit, 1) == map);
        CHECK(upd_flash_map_find(names->sdk, length_of(names->sdk)) == map);
        if (number != 7) {
            CHECK(upd_flash_map_find(names->esptool, length_of(names->esptool)) == map);
            CHECK(upd_flash_map_find(names->mbit, length_of(names->mbit)) == map);
        }
    }
    CHECK(upd_flash_map_find("4mb-C1", 6) == upd_flash_map(6));
    CHECK(upd_flash_map_find("flash_size_2m", 13) == upd_flash_map(1));
}

static void test_stored_names(void)
{
    char text[40];
    enum upd_flash_region region = UPD_REGION_COUNT;
    int32_t size = check_load(UPD_VECTORS "/flash_map/esptool.txt", text, sizeof text);

    CHECK(size > 0 && upd_flash_map_find(text, (size_t)size) == upd_flash_map(5));
    size = check_load(UPD_VECTORS "/flash_map/sdk.txt", text, sizeof text);
    CHECK(size > 0 && upd_flash_map_find(text, (size_t)size) == upd_flash_map(6));
    size = check_load(UPD_VECTORS "/flash_map/region.txt", text, sizeof text);
    CHECK(size > 0 && upd_flash_region_find(text, (size_t)size, &region) == UPD_OK);
    CHECK(region == UPD_REGION_USER_PARAM);
}

static void test_names_that_are_none(void)
{
    static const char *const lies[] = {
        "",     "10",   ":",     "/",      "-1",      "00",   "4M",
        "4MB ", " 4MB", "4MB-c", "4MB-c2", "4MB-c11", "32MB", "FLASH_SIZE_32M",
        "1MBit"};

    for (size_t i = 0; i < COUNT(lies); i++) {
        CHECK_THAT(lies[i], upd_flash_map_find(lies[i], length_of(lies[i])) == NULL);
    }
    CHECK(upd_flash_map_find("4MB-c1", 3) == upd_flash_map(4));
    CHECK(upd_flash_map_find("4MB\0", 4) == NULL);
}

static void test_region_names(void)
{
    static const char *const names[] = {
        "boot",     "app",       "user1",          "user-param",     "device-key",
        "reserved", "user2",     "unused",         "user-data",      "rf-cal",
        "sysparam", "init-data", "sysparam-copy0", "sysparam-copy1", "sysparam-flag"};

    CHECK(COUNT(names) == UPD_REGION_COUNT);
    for (uint32_t i = 0; i < UPD_REGION_COUNT; i++) {
        enum upd_flash_region region = UPD_REGION_COUNT;
        CHECK_THAT(names[i], same_text(upd_flash_region_name((enum upd_flash_region)i), names[i]));
        CHECK_THAT(names[i],
                   upd_flash_region_find(names[i], length_of(names[i]), &region) == UPD_OK);
        CHECK_THAT(names[i], region == (enum upd_flash_region)i);
    }
    enum upd_flash_region region = UPD_REGION_FLAG;
    CHECK(same_text(upd_flash_region_name(UPD_REGION_COUNT), "none"));
    CHECK(same_text(upd_flash_region_name((enum upd_flash_region)99), "none"));
    CHECK(upd_flash_region_find("none", 4, &region) == UPD_E_NOT_FOUND);
    CHECK(upd_flash_region_find("user", 4, &region) == UPD_E_NOT_FOUND);
    CHECK(upd_flash_region_find("", 0, &region) == UPD_E_NOT_FOUND);
    CHECK(region == UPD_REGION_FLAG);
}

int main(void)
{
    CHECK_RUN(test_every_header_byte_has_its_map);
    CHECK_RUN(test_every_region_of_every_map);
    CHECK_RUN(test_what_lies_where);
    CHECK_RUN(test_every_sector_belongs_to_a_region);
    CHECK_RUN(test_nested_regions_name_what_holds_them);
    CHECK_RUN(test_image_limits);
    CHECK_RUN(test_link_addresses);
    CHECK_RUN(test_addresses_as_the_loaders_reckon_them);
    CHECK_RUN(test_names_lead_back_to_their_map);
    CHECK_RUN(test_stored_names);
    CHECK_RUN(test_names_that_are_none);
    CHECK_RUN(test_region_names);
    check_end();
}
