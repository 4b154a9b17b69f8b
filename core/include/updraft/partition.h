/*
 * updraft: partition tables of ESP-IDF and the ESP8266 RTOS SDK, in binary form.
 *
 * This is the part that runs on a chip. The CSV form, with the original tools' rules and messages,
 * is in partition_csv.h.
 *
 * Format: docs/formats/partition.md
 */
#ifndef UPDRAFT_PARTITION_H
#define UPDRAFT_PARTITION_H

#include <stdbool.h>
#include <stdint.h>

#include <updraft/err.h>

#define UPD_PARTITION_ROW_SIZE 32
/** Bytes of a table; the rest of its sector is left to a signature. */
#define UPD_PARTITION_TABLE_SIZE 0xC00
/** Rows that fit a table when it has no MD5 row; with one it is one row less. */
#define UPD_PARTITION_MAX 95
#define UPD_PARTITION_NAME_SIZE 16
#define UPD_PARTITION_SLOT_MAX 16
/** Where a table lies unless the project moves it; it occupies this one sector. */
#define UPD_PARTITION_TABLE_OFFSET 0x8000
#define UPD_PARTITION_SECTOR_SIZE 0x1000

enum {
    UPD_PARTITION_APP = 0x00,
    UPD_PARTITION_DATA = 0x01,
    UPD_PARTITION_BOOTLOADER = 0x02,
    UPD_PARTITION_TABLE = 0x03,
};

enum {
    UPD_PARTITION_APP_FACTORY = 0x00,
    UPD_PARTITION_APP_OTA_0 = 0x10, /* ota_15 is 0x1F */
    UPD_PARTITION_APP_TEST = 0x20,
    UPD_PARTITION_DATA_OTA = 0x00,
    UPD_PARTITION_DATA_PHY = 0x01,
    UPD_PARTITION_DATA_NVS = 0x02,
    UPD_PARTITION_DATA_COREDUMP = 0x03,
    UPD_PARTITION_DATA_NVS_KEYS = 0x04,
    UPD_PARTITION_DATA_EFUSE = 0x05,
    UPD_PARTITION_DATA_UNDEFINED = 0x06,
    UPD_PARTITION_DATA_TEE_OTA = 0x90,
    UPD_PARTITION_PRIMARY = 0x00,  /* of bootloader and partition_table */
    UPD_PARTITION_RECOVERY = 0x02, /* of bootloader */
};

#define UPD_PARTITION_ENCRYPTED 0x1u
#define UPD_PARTITION_READONLY 0x2u

/** One row. */
struct upd_partition {
    uint32_t offset; /* bytes from the start of the flash */
    uint32_t size;   /* bytes */
    uint32_t
        flags; /* UPD_PARTITION_ENCRYPTED, UPD_PARTITION_READONLY, and bits that are not known */
    uint8_t type;
    uint8_t subtype;
    uint8_t name[UPD_PARTITION_NAME_SIZE]; /* padded with NUL; a 16-byte name has no NUL */
};

/** Bytes of a row's name: those before the first NUL, at most 16. */
uint32_t upd_partition_name_size(const struct upd_partition *row);

/** True when the bytes begin as a binary table does (AA 50), and so are not CSV text. */
bool upd_partition_is_binary(const void *data, uint32_t size);

/**
 * Decode one row.
 *
 * @return UPD_OK
 * @return UPD_E_FORMAT  the row does not begin with the magic bytes: it is an MD5 row, the end, or
 *                       garbage; *row is unchanged
 */
UPD_MUST_CHECK enum upd_err upd_partition_decode(const uint8_t bytes[UPD_PARTITION_ROW_SIZE],
                                                 struct upd_partition *row);
void upd_partition_encode(const struct upd_partition *row, uint8_t bytes[UPD_PARTITION_ROW_SIZE]);

/**
 * Write a whole table: rows, MD5 row if asked for, and FF to the end.
 *
 * @param rows  `count` rows, in the order in which they are written
 * @param data  out: the table
 *
 * @return UPD_OK
 * @return UPD_E_SPACE  more rows than leave one FF row at the end (95 without MD5 row, 94 with it);
 *                      *data is unchanged
 *
 * Cost: no heap; 288 bytes of stack on lx106 with MD5.
 */
UPD_MUST_CHECK enum upd_err upd_partition_build(const struct upd_partition *rows, uint32_t count,
                                                bool md5, uint8_t data[UPD_PARTITION_TABLE_SIZE]);

/**
 * Who reads a table; each has its own rules, docs/formats/partition.md section 6. By default an
 * ESP-IDF application is built with CONFIG_PARTITION_TABLE_MD5.
 */
enum upd_partition_reader {
    UPD_PARTITION_BY_IDF_BOOT, /* ESP-IDF's second-stage boot loader */
    UPD_PARTITION_BY_IDF_APP,
    UPD_PARTITION_BY_IDF_APP_NO_MD5,
    UPD_PARTITION_BY_RTOS_BOOT, /* the RTOS SDK's second-stage boot loader */
};

/**
 * Read a table as a chip would: which partitions are there for it, or why it stops.
 *
 * @param data        the table as it lies in flash; rows past UPD_PARTITION_TABLE_SIZE do not count
 * @param size        bytes of `data`; a chip has all 0xC00, so a shorter one lacks what is missing
 * @param flash_size  bytes of flash that the reader believes in: for a boot loader the size in its
 *                    own image header. Applications do not look at it
 * @param rows        out: room for UPD_PARTITION_MAX + 1 rows
 * @param count       out: rows that the chip sees
 * @param at          out, may be NULL: index of the row in which the reading stopped
 *
 * @return UPD_OK
 * @return UPD_E_SPACE      a partition does not fit the flash (ESP_ERR_INVALID_SIZE, 0x104)
 * @return UPD_E_FORMAT     bad magic, a second MD5 row, no rows, or no end (ESP_ERR_INVALID_STATE,
 *                          0x103)
 * @return UPD_E_AUTH       the MD5 does not match (0x103)
 * @return UPD_E_NOT_FOUND  the MD5 row is missing although the reader demands it (0x105)
 *         After a failure the chip sees nothing: *count is 0.
 *
 * Cost: no heap; 352 bytes of stack on lx106.
 */
UPD_MUST_CHECK enum upd_err upd_partition_read(enum upd_partition_reader reader, const void *data,
                                               uint32_t size, uint32_t flash_size,
                                               struct upd_partition *rows, uint32_t *count,
                                               uint32_t *at);

/* Finding. Each gives the first match in table order, or NULL. */
const struct upd_partition *upd_partition_by_name(const struct upd_partition *rows, uint32_t count,
                                                  const char *name);
const struct upd_partition *upd_partition_by_type(const struct upd_partition *rows, uint32_t count,
                                                  uint8_t type, uint8_t subtype);
/** The app that runs when nothing else was chosen: factory, else the lowest of ota_0 … ota_15. */
const struct upd_partition *upd_partition_boot_default(const struct upd_partition *rows,
                                                       uint32_t count);
/** How many OTA slots an application sees: it counts from ota_0 up to the first gap. */
uint32_t upd_partition_slot_count(const struct upd_partition *rows, uint32_t count);

/** What a boot loader takes out of a table to choose an app; see otadata.h. */
struct upd_boot_layout {
    uint32_t otadata_offset; /* bytes; 0 when there is no data/ota partition */
    uint32_t otadata_size;   /* bytes */
    uint16_t slots;          /* bit i: ota_i is there and not empty */
    uint8_t slot_count;      /* rows that are OTA slots, as a boot loader counts them; at most 95 */
    bool factory;
    bool test;
};
/** Later rows of one kind win, as in the boot loaders. */
struct upd_boot_layout upd_partition_layout(const struct upd_partition *rows, uint32_t count);

#endif
