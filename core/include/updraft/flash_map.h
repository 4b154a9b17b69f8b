/*
 * updraft: flash maps of the ESP8266 NONOS SDK.
 *
 * The high nibble of byte 3 of flash is the number of a map: the size of the chip and where the two
 * slots, the parameters and the radio calibration lie. ROM, boot loader and application all
 * read it.
 *
 * Cost: no heap, 160 bytes of stack. The table of maps is 120 bytes; names are in tables of their
 * own, which are linked only where they are used.             Format: docs/formats/flash_map.md
 */
#ifndef UPDRAFT_FLASH_MAP_H
#define UPDRAFT_FLASH_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <updraft/err.h>

/** Smallest erase of the chip, bytes. */
#define UPD_FLASH_SECTOR 4096u
/** One mebibyte of flash appears here; instructions run from it. */
#define UPD_FLASH_WINDOW 0x40200000u
#define UPD_FLASH_WINDOW_SIZE 0x100000u
/** Address of user1 on every map. */
#define UPD_USER1_ADDRESS 0x1000u

/** The two slots; the value is the "bin index" of the boot block. Byte 3 of an image is slot + 1.
 */
enum upd_slot { UPD_SLOT_USER1, UPD_SLOT_USER2 };

/** Maps are numbered from 0. */
enum { UPD_FLASH_MAP_COUNT = 10 };

/** One map. Constants; where `fota` is false there are no slots and `user2` is 0. */
struct upd_flash_map {
    uint32_t size;  /* bytes of the chip */
    uint32_t user2; /* flash address of slot user2 = distance of the slots + 0x1000; 0: no slots */
    uint8_t number; /* 0..9 */
    uint8_t boot_min; /* oldest original boot loader that knows it: 2, 4, 7 for v1.2, v1.4, v1.7; 0:
                         none */
    bool fota;        /* two slots */
};

/**
 * The map of a number.
 *
 * @param number  high nibble of flash byte 3: `byte3 >> 4`
 * @return the map, a constant; NULL for 10 and above. Map 7 is returned although nothing of the SDK
 *         supports it: its `fota` is false.
 */
const struct upd_flash_map *upd_flash_map(uint32_t number);

/*
 * Regions in the order of their addresses, X(NAME, "name").
 *
 * APP exists on maps without slots only. UNUSED is the gap behind user2 on 1024+1024 maps of larger
 * chips. RF_CAL takes the last sector of the user2 region on maps 0, 2 and 5. SYSPARAM holds
 * INIT_DATA, COPY0, COPY1 and FLAG; a fresh chip gets blank.bin at COPY1. DEVICE_KEY is the third
 * sector of USER_PARAM: master_device_key.bin, or a second blank.bin.
 */
#define UPD_FLASH_REGIONS(X)                                                                       \
    X(BOOT, "boot")                                                                                \
    X(APP, "app")                                                                                  \
    X(USER1, "user1")                                                                              \
    X(USER_PARAM, "user-param")                                                                    \
    X(DEVICE_KEY, "device-key")                                                                    \
    X(RESERVED, "reserved")                                                                        \
    X(USER2, "user2")                                                                              \
    X(UNUSED, "unused")                                                                            \
    X(USER_DATA, "user-data")                                                                      \
    X(RF_CAL, "rf-cal")                                                                            \
    X(SYSPARAM, "sysparam")                                                                        \
    X(INIT_DATA, "init-data")                                                                      \
    X(COPY0, "sysparam-copy0")                                                                     \
    X(COPY1, "sysparam-copy1")                                                                     \
    X(FLAG, "sysparam-flag")

enum upd_flash_region {
#define X(name, text) UPD_REGION_##name,
    UPD_FLASH_REGIONS(X)
#undef X
        UPD_REGION_COUNT
};

/** Bytes of flash: [address, address + size). */
struct upd_flash_span {
    uint32_t address;
    uint32_t size;
};

/**
 * Where a region lies.
 *
 * @param map     from upd_flash_map(); not NULL
 * @param region  any value
 * @param span    out; not NULL
 *
 * @return UPD_OK           *span is filled; its size is at least one sector
 * @return UPD_E_NOT_FOUND  this map has no such region; *span is unchanged
 */
UPD_MUST_CHECK enum upd_err upd_flash_map_region(const struct upd_flash_map *map,
                                                 enum upd_flash_region region,
                                                 struct upd_flash_span *span);

/**
 * Which region holds a byte of flash: the innermost one (0xFB000 of map 2 is RF_CAL, not USER2).
 *
 * @return a region; UPD_REGION_COUNT when the address lies beyond the chip. Every byte of the chip
 *         belongs to a region.
 */
enum upd_flash_region upd_flash_map_region_at(const struct upd_flash_map *map, uint32_t address);

/**
 * The region that a region lies inside of, for drawing: SYSPARAM for COPY0, USER2 for RF_CAL of
 * map 2.
 *
 * @return a region; UPD_REGION_COUNT when it stands alone, or the map does not have it
 */
enum upd_flash_region upd_flash_map_region_parent(const struct upd_flash_map *map,
                                                  enum upd_flash_region region);

/** Flash address of a slot; 0 when the map has no slots. */
uint32_t upd_flash_map_slot(const struct upd_flash_map *map, enum upd_slot slot);

/** Flash address of the system parameter area, the last four sectors of the chip. */
uint32_t upd_flash_map_sysparam(const struct upd_flash_map *map);

/** Which SDK wrote the firmware: its upgrade library has its own limit of an image. */
enum upd_sdk {
    UPD_SDK_ANY, /* the flash alone limits; RF calibration is kept out of user2 */
    UPD_SDK_2_0, /* v2.0.0: the whole slot, RF calibration sector of maps 0, 2, 5 included */
    UPD_SDK_2_2, /* v2.2.1: one sector less on every map */
    UPD_SDK_3    /* 3.x downloads at most 240 sectors, and no map 0 */
};

/**
 * Largest image, in bytes, that either slot takes: the smaller of the two slots counts, because the
 * pair grows together.
 *
 * @return bytes, whole sectors; 0 when the map has no slots, or the SDK does not serve it.
 *         SDK 3.x lowers it further to the size of the registered OTA partition.
 */
uint32_t upd_flash_map_image_limit(const struct upd_flash_map *map, enum upd_sdk sdk);

/** Kind of boot loader that an application is linked for: the boot_mode of the SDK's generator. */
enum upd_link_mode {
    UPD_LINK_NONE, /* 0: no boot loader; eagle.flash.bin at 0, eagle.irom0text.bin at 0x10000 */
    UPD_LINK_OLD,  /* 1: boot v1.1; irom 0x10000 behind the start of the slot */
    UPD_LINK_NEW   /* 2: boot v1.2 and later; irom 0x10 behind the start of the slot */
};

/** What an application of one slot must be linked for. */
struct upd_flash_link {
    uint32_t irom_address; /* of the first byte of irom */
    uint32_t irom_limit;   /* bytes of irom, as the SDK's linker script has it */
    const char *script;    /* name of that script */
};

/**
 * Link address, irom limit and linker script of a slot.
 *
 * @param map   not NULL
 * @param mode  UPD_LINK_NONE ignores the slot and exists on every map
 * @param link  out; not NULL. `script` is a constant
 *
 * @return UPD_OK
 * @return UPD_E_NOT_FOUND  no linker script exists for this map and mode; *link is unchanged
 */
UPD_MUST_CHECK enum upd_err upd_flash_map_link(const struct upd_flash_map *map,
                                               enum upd_link_mode mode, enum upd_slot slot,
                                               struct upd_flash_link *link);

/** The original boot loaders of which the behaviour is known, as their block's version field has
 * it. */
enum upd_boot_version {
    UPD_BOOT_V1_2 = 2,
    UPD_BOOT_V1_4 = 4,
    UPD_BOOT_V1_6 = 6,
    UPD_BOOT_V1_7 = 7,
    UPD_BOOT_NONE = 31 /* no boot loader: an erased boot block */
};

/** What an original boot loader takes from the header byte. It may be wrong: that is the point. */
struct upd_flash_boot_view {
    bool supported;    /* false: prints "flash map not support" and returns to the ROM */
    uint32_t user2;    /* flash address where it looks for user2 */
    uint32_t sysparam; /* flash address of the parameter area that it uses */
};

/**
 * Addresses as an original boot loader computes them, for comparison with the map's own.
 *
 * @param version  one of the four; any other value is treated as the newest original below it
 * @param number   0..15, high nibble of flash byte 3; of a larger value the low four bits count
 */
struct upd_flash_boot_view upd_flash_map_boot_view(enum upd_boot_version version, uint32_t number);

/** Name as a user types it: "boot", "user1", "sysparam-flag"; "none" for UPD_REGION_COUNT. */
const char *upd_flash_region_name(enum upd_flash_region region);

/**
 * The region of a name.
 *
 * @param text  `size` bytes, case ignored
 * @return UPD_OK, or UPD_E_NOT_FOUND with *region unchanged
 */
UPD_MUST_CHECK enum upd_err upd_flash_region_find(const char *text, size_t size,
                                                  enum upd_flash_region *region);

/** Names of one map. Constants; "" where the world has none. */
struct upd_flash_map_names {
    char sdk[30];    /* "FLASH_SIZE_16M_MAP_1024_1024" */
    char esptool[8]; /* "2MB-c1" */
    char mbit[10];   /* "16Mbit-C1", of Espressif's flash download tool */
};

const struct upd_flash_map_names *upd_flash_map_names(const struct upd_flash_map *map);

/**
 * The map that a person or a tool names: a number "0".."9", or any of its names, case ignored.
 *
 * @param text  `size` bytes
 * @return the map, or NULL
 */
const struct upd_flash_map *upd_flash_map_find(const char *text, size_t size);

#endif
