/* ESP-IDF's partitions, as far as updates need them, over updraft's flash port. See esp_ota.h. */
#ifndef ESP_PARTITION_H
#define ESP_PARTITION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "esp_err.h"

typedef enum {
    ESP_PARTITION_TYPE_APP = 0x00,
    ESP_PARTITION_TYPE_DATA = 0x01,
    ESP_PARTITION_TYPE_BOOTLOADER = 0x02,
    ESP_PARTITION_TYPE_PARTITION_TABLE = 0x03,
    ESP_PARTITION_TYPE_ANY = 0xff,
} esp_partition_type_t;

typedef enum {
    ESP_PARTITION_SUBTYPE_APP_FACTORY = 0x00,
    ESP_PARTITION_SUBTYPE_APP_OTA_MIN = 0x10,
    ESP_PARTITION_SUBTYPE_APP_OTA_0 = 0x10,
    ESP_PARTITION_SUBTYPE_APP_OTA_1 = 0x11,
    ESP_PARTITION_SUBTYPE_APP_OTA_15 = 0x1f,
    ESP_PARTITION_SUBTYPE_APP_OTA_MAX = 0x20,
    ESP_PARTITION_SUBTYPE_APP_TEST = 0x20,
    ESP_PARTITION_SUBTYPE_DATA_OTA = 0x00,
    ESP_PARTITION_SUBTYPE_DATA_PHY = 0x01,
    ESP_PARTITION_SUBTYPE_DATA_NVS = 0x02,
    ESP_PARTITION_SUBTYPE_DATA_SPIFFS = 0x82,
    ESP_PARTITION_SUBTYPE_ANY = 0xff,
} esp_partition_subtype_t;

typedef struct {
    void *flash_chip; /* NULL: the main one */
    esp_partition_type_t type;
    esp_partition_subtype_t subtype;
    uint32_t address;
    uint32_t size;
    uint32_t erase_size;
    char label[17];
    bool encrypted;
    bool readonly;
} esp_partition_t;

/** The first in table order; label NULL: any. NULL: there is none. */
const esp_partition_t *esp_partition_find_first(esp_partition_type_t type,
                                                esp_partition_subtype_t subtype, const char *label);
/** A walk over the partitions that fit. */
typedef struct upd_esp_walk *esp_partition_iterator_t;

/**
 * Begin a walk, at the first that fits.
 *
 * @param label  NULL: any; must stay valid until the end of the walk
 *
 * @return NULL  there is none; or any type was asked for, and not any subtype; or UPD_ESP_WALKS are
 *               under way
 */
esp_partition_iterator_t esp_partition_find(esp_partition_type_t type,
                                            esp_partition_subtype_t subtype, const char *label);
/** The one that the walk is at. */
const esp_partition_t *esp_partition_get(esp_partition_iterator_t iterator);
/** @return NULL: there are no more, and the walk is released */
esp_partition_iterator_t esp_partition_next(esp_partition_iterator_t iterator);
/** End a walk; NULL is nothing. */
void esp_partition_iterator_release(esp_partition_iterator_t iterator);

/** The table's own partition with the same type, subtype, address and size; NULL. */
const esp_partition_t *esp_partition_verify(const esp_partition_t *partition);

/**
 * Read, write and erase within a partition. Bytes that are written again lose bits, and gain none.
 *
 * @return ESP_OK
 * @return ESP_ERR_INVALID_ARG   a NULL, an offset beyond the end, an erase that does not begin with
 *                               a sector
 * @return ESP_ERR_INVALID_SIZE  the range leaves the partition, an erase does not end with a sector
 * @return ESP_ERR_NOT_ALLOWED   the partition is read-only
 * @return ESP_ERR_FLASH_OP_FAIL, by its RTOS value with those rules; as is an erase that does not
 *         begin or end with a sector there
 */
esp_err_t esp_partition_read(const esp_partition_t *partition, size_t offset, void *data,
                             size_t size);
esp_err_t esp_partition_write(const esp_partition_t *partition, size_t offset, const void *data,
                              size_t size);
/**
 * Copy within flash. The range at the target is erased first, so that a cut destroys it.
 *
 * INVALID_ARG a NULL, or one partition only · INVALID_SIZE a range leaves its partition · as the
 * functions above
 */
esp_err_t esp_partition_copy(const esp_partition_t *dest_part, uint32_t dest_offset,
                             const esp_partition_t *src_part, uint32_t src_offset, size_t size);
esp_err_t esp_partition_erase_range(const esp_partition_t *partition, size_t offset, size_t size);

#endif
