/*
 * Flash images: a file that holds what a chip's flash holds, from offset 0 on.
 *
 * A change in place is made of the steps that a chip would take, in their order, and each one is on
 * the disk before the next one begins. So whatever a boot loader can recover from after a power cut
 * can be recovered from here too.
 */
#ifndef UPDRAFT_TOOL_FLASH_H
#define UPDRAFT_TOOL_FLASH_H

#include <updraft/flash_map.h>
#include <updraft/image.h>

#include "command.h"
#include "inspect.h"
#include "table.h"

/** The largest flash of these families. */
#define FLASH_LIMIT (128u << 20)
#define FLASH_REGIONS 224

/** How the flash is divided, and so how its chip knows what to start. */
enum flash_kind {
    FLASH_NONOS,      /* a map of the NONOS SDK */
    FLASH_PARTITIONS, /* a partition table of ESP-IDF or the RTOS SDK */
    FLASH_ARDUINO,    /* a sketch of the Arduino core for the ESP8266, with eboot */
};
extern const char *const flash_kinds[]; /* the names, NULL-terminated */

struct flash_region {
    char name[68]; /* as displayed; a partition's name may hold anything */
    uint32_t address;
    uint32_t size;
    bool nested;                     /* lies inside another region */
    bool slot;                       /* something is started here */
    const struct upd_partition *row; /* of the table, or NULL */
};

struct flash {
    struct call *call;
    const char *path;
    int fd;
    uint32_t size; /* bytes of the file */
    enum flash_kind kind;
    enum upd_chip chip;              /* as the image at its start says, else UPD_CHIP_NONE */
    uint8_t header[4];               /* first bytes of the image at its start; FF when none */
    uint32_t header_at;              /* where that lies */
    const struct upd_flash_map *map; /* FLASH_NONOS */
    struct table *table;             /* FLASH_PARTITIONS */
    uint32_t table_offset;
    struct flash_region regions[FLASH_REGIONS]; /* by address; nested ones behind theirs */
    size_t region_count;
};

/** What the command line says about the file. */
struct flash_options {
    struct choice kind; /* of flash_kinds; word NULL: find out */
    struct number table_offset;
};

#define FLASH_OPTIONS(type, field)                                                                 \
    {.name = "kind",                                                                               \
     .kind = VALUE_CHOICE,                                                                         \
     .value = "KIND",                                                                              \
     .choices = flash_kinds,                                                                       \
     .at = offsetof(type, field.kind),                                                             \
     .help = "how the flash is divided, where it cannot be told from its bytes"},                  \
    {                                                                                              \
        .name = "table-offset", .kind = VALUE_NUMBER, .value = "OFFSET",                           \
        .at = offsetof(type, field.table_offset),                                                  \
        .help = "where the partition table lies; 0x8000 without this option"                       \
    }

/**
 * Open a flash image and find out what it is.
 *
 * @param change  it is going to be changed in place
 * @param flash   out: allocated; to be released with flash_close(); NULL after a failure
 * @return EXIT_DONE, or the reported failure
 */
enum exit_code flash_open(struct call *call, const char *path, const struct flash_options *options,
                          bool change, struct flash **flash);
void flash_close(struct flash *flash);

/**
 * Read bytes. What lies behind the end of the file, but inside a chip, is erased.
 *
 * @return false  reported
 */
bool flash_read(struct flash *flash, uint32_t offset, void *data, uint32_t size);

/** Erase a sector, or program bytes: it clears bits, as the chip does. Durable on return. */
bool flash_erase(struct flash *flash, uint32_t offset);
bool flash_program(struct flash *flash, uint32_t offset, const void *data, uint32_t size);

/**
 * Check the image that begins at an offset. Its end is found by itself.
 *
 * @param limit  bytes that it may reach
 * @return false  the file could not be read: reported
 */
bool flash_inspect(struct flash *flash, uint32_t offset, uint32_t limit, struct inspection *found);

/** The region of a name, or NULL. */
const struct flash_region *flash_region(const struct flash *flash, const char *name);

/**
 * How much of a region is not erased.
 *
 * @param used  out: bytes from its start to the last one that is not FF
 * @return false  reported
 */
bool flash_used(struct flash *flash, const struct flash_region *region, uint32_t *used);

#endif
