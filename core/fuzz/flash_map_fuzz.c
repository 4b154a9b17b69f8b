/* Any name and any address: every map answers without reading too far, and agrees with itself. */
#include <updraft/flash_map.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool truth)
{
    if (!truth) {
        __builtin_trap();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct upd_flash_map *map = upd_flash_map_find((const char *)data, size);
    enum upd_flash_region region = UPD_REGION_COUNT;
    uint32_t address = 0;

    require(map == NULL || upd_flash_map(map->number) == map);
    if (upd_flash_region_find((const char *)data, size, &region) == UPD_OK) {
        require((uint32_t)region < UPD_REGION_COUNT);
    }
    for (size_t i = 0; i < size; i++) {
        address = address << 8 | data[i];
    }
    for (uint32_t number = 0; number < UPD_FLASH_MAP_COUNT; number++) {
        struct upd_flash_span span;
        map = upd_flash_map(number);
        region = upd_flash_map_region_at(map, address);
        require((region == UPD_REGION_COUNT) == (address >= map->size));
        if (region != UPD_REGION_COUNT) {
            require(upd_flash_map_region(map, region, &span) == UPD_OK);
            require(address >= span.address && address - span.address < span.size);
        }
    }
    (void)upd_flash_map_boot_view((enum upd_boot_version)(address & 31), address >> 8);
    return 0;
}
