/*
 * ESP-IDF's and the RTOS SDK's native OTA functions: their names, types, values, preconditions and
 * results, over updraft's flash port and otadata. Which of the two rule sets is followed, and on
 * what, says upd_esp_init(); see esp_ota.h, which also lists the differences.
 *
 * The results of each function are in the vendors' order of checks; RTOS: only with those rules.
 */
#ifndef ESP_OTA_OPS_H
#define ESP_OTA_OPS_H

#include "esp_partition.h"

#define OTA_SIZE_UNKNOWN 0xffffffffu
#define OTA_WITH_SEQUENTIAL_WRITES 0xfffffffeu

#define ESP_ERR_OTA_BASE 0x1500
#define ESP_ERR_OTA_PARTITION_CONFLICT (ESP_ERR_OTA_BASE + 0x01)
#define ESP_ERR_OTA_SELECT_INFO_INVALID (ESP_ERR_OTA_BASE + 0x02)
#define ESP_ERR_OTA_VALIDATE_FAILED (ESP_ERR_OTA_BASE + 0x03)
#define ESP_ERR_OTA_SMALL_SEC_VER (ESP_ERR_OTA_BASE + 0x04)
#define ESP_ERR_OTA_ROLLBACK_FAILED (ESP_ERR_OTA_BASE + 0x05)
#define ESP_ERR_OTA_ROLLBACK_INVALID_STATE (ESP_ERR_OTA_BASE + 0x06)
#define ESP_ERR_OTA_ALREADY_IN_PROGRESS (ESP_ERR_OTA_BASE + 0x07)
#define ESP_ERR_OTA_SPI_MODE_MISMATCH (ESP_ERR_OTA_BASE + 0x08)

typedef uint32_t esp_ota_handle_t;

typedef enum {
    ESP_OTA_IMG_NEW = 0x0,
    ESP_OTA_IMG_PENDING_VERIFY = 0x1,
    ESP_OTA_IMG_VALID = 0x2,
    ESP_OTA_IMG_INVALID = 0x3,
    ESP_OTA_IMG_ABORTED = 0x4,
    ESP_OTA_IMG_UNDEFINED = 0xFFFFFFFFU,
} esp_ota_img_states_t;

/** 256 bytes, as they lie in flash. */
typedef struct {
    uint32_t magic_word;
    uint32_t secure_version;
    uint32_t reserv1[2];
    char version[32];
    char project_name[32];
    char time[16];
    char date[16];
    char idf_ver[32];
    uint8_t app_elf_sha256[32];
    uint16_t min_efuse_blk_rev_full;
    uint16_t max_efuse_blk_rev_full;
    uint8_t mmu_page_size;
    uint8_t spi_flash_mode;
    uint8_t reserv3[2];
    uint32_t reserv2[18];
} esp_app_desc_t;
_Static_assert(sizeof(esp_app_desc_t) == 256, "the descriptor's layout is that of the image");

#define ESP_APP_DESC_MAGIC_WORD 0xABCD5432u

/** 80 bytes, as they lie in flash. */
typedef struct {
    uint8_t magic_byte;
    uint8_t reserved[2];
    uint8_t secure_version;
    uint32_t version;
    char idf_ver[32];
    char date_time[24];
    uint8_t reserved2[16];
} esp_bootloader_desc_t;
_Static_assert(sizeof(esp_bootloader_desc_t) == 80, "the descriptor's layout is that of the image");

#define ESP_BOOTLOADER_DESC_MAGIC_BYTE 80

typedef enum {
    SECURE_BOOT_PUBLIC_KEY_INDEX_0,
    SECURE_BOOT_PUBLIC_KEY_INDEX_1,
    SECURE_BOOT_PUBLIC_KEY_INDEX_2,
} esp_ota_secure_boot_public_key_index_t;

/** 24 bytes, as they lie in flash. */
typedef struct {
    uint8_t magic;
    uint8_t segment_count;
    uint8_t spi_mode;
    uint8_t spi_speed : 4;
    uint8_t spi_size : 4;
    uint32_t entry_addr;
    uint8_t wp_pin;
    uint8_t spi_pin_drv[3];
    uint16_t chip_id;
    uint8_t min_chip_rev;
    uint16_t min_chip_rev_full;
    uint16_t max_chip_rev_full; /* 0, 0xFFFF: no limit */
    uint8_t reserved[4];
    uint8_t hash_appended;
} __attribute__((packed)) esp_image_header_t;
_Static_assert(sizeof(esp_image_header_t) == 24, "the header's layout is that of the image");

/**
 * INVALID_ARG a NULL · NOT_FOUND not in the table · INVALID_ARG an app that is no OTA slot ·
 * PARTITION_CONFLICT it runs · ROLLBACK_INVALID_STATE what runs is on trial · ALREADY_IN_PROGRESS ·
 * NO_MEM more than UPD_ESP_HANDLES are open · INVALID_SIZE larger than the partition; RTOS: also
 * when exactly as large · a flash error.
 */
esp_err_t esp_ota_begin(const esp_partition_t *partition, size_t image_size,
                        esp_ota_handle_t *out_handle);
/**
 * ESP-IDF: go on with an image of which `image_offset` bytes are in flash. Nothing is erased now;
 * with OTA_WITH_SEQUENTIAL_WRITES for erase_size, sectors are when they are reached.
 *
 * INVALID_ARG a NULL · INVALID_ARG an offset beyond the end · NOT_FOUND not in the table · INVALID_ARG
 * an app that is no OTA slot · PARTITION_CONFLICT · ROLLBACK_INVALID_STATE · ALREADY_IN_PROGRESS ·
 * NO_MEM
 */
esp_err_t esp_ota_resume(const esp_partition_t *partition, size_t erase_size, size_t image_offset,
                         esp_ota_handle_t *out_handle);
/**
 * ESP-IDF: where the image belongs, when it is written to another place first. It is judged as one
 * of the final partition's type; with `copy`, esp_ota_end() copies it there.
 *
 * INVALID_ARG final NULL · NOT_FOUND no such handle · INVALID_STATE something was written · NOT_FOUND
 * final is not in the table
 */
esp_err_t esp_ota_set_final_partition(esp_ota_handle_t handle, const esp_partition_t *final,
                                      bool copy);
/** INVALID_ARG NULL or no such handle · VALIDATE_FAILED the first byte · INVALID_SIZE too many. */
esp_err_t esp_ota_write(esp_ota_handle_t handle, const void *data, size_t size);
/** INVALID_ARG NULL or no such handle · INVALID_SIZE. The handle must not write in sequence. */
esp_err_t esp_ota_write_with_offset(esp_ota_handle_t handle, const void *data, size_t size,
                                    uint32_t offset);
/** NOT_FOUND no such handle · INVALID_ARG nothing was written · VALIDATE_FAILED · as
 *  esp_partition_copy(). It is closed. */
esp_err_t esp_ota_end(esp_ota_handle_t handle);
/** NOT_FOUND no such handle. Flash stays as it is. */
esp_err_t esp_ota_abort(esp_ota_handle_t handle);

/**
 * INVALID_ARG NULL · VALIDATE_FAILED · INVALID_ARG no app · SMALL_SEC_VER, and the partition is
 * erased · INVALID_ARG no slot of this number · NOT_FOUND no otadata · a flash error.
 */
esp_err_t esp_ota_set_boot_partition(const esp_partition_t *partition);
/** The same, without a look at the image. */
esp_err_t esp_ota_set_boot_partition_skip_validate(const esp_partition_t *partition);
const esp_partition_t *esp_ota_get_boot_partition(void);
const esp_partition_t *esp_ota_get_running_partition(void);
/** @param start_from  NULL: what runs */
const esp_partition_t *esp_ota_get_next_update_partition(const esp_partition_t *start_from);
uint8_t esp_ota_get_app_partition_count(void);

/** INVALID_ARG NULL · NOT_SUPPORTED no OTA slot · NOT_FOUND no otadata, or no record of it. */
esp_err_t esp_ota_get_state_partition(const esp_partition_t *partition,
                                      esp_ota_img_states_t *ota_state);
/** NOT_FOUND no otadata · ESP_FAIL what runs has no record. Writes only what is not so yet. */
esp_err_t esp_ota_mark_app_valid_cancel_rollback(void);
/** NOT_FOUND · ESP_FAIL as above · ROLLBACK_FAILED there is nothing to go back to. */
esp_err_t esp_ota_mark_app_invalid_rollback(void);
/** As above, and restarts. */
esp_err_t esp_ota_mark_app_invalid_rollback_and_reboot(void);
/**
 * Is an image for this chip? INVALID_ARG NULL, or another type than app and boot loader ·
 * INVALID_VERSION another chip, or another revision of it · SPI_MODE_MISMATCH the flash is wired in
 * another way than for the application that runs.
 *
 * @param app_desc  NULL: the last is not asked
 */
esp_err_t esp_ota_check_image_validity(esp_partition_type_t type, const esp_image_header_t *img_hdr,
                                       const esp_app_desc_t *app_desc);
/** INVALID_ARG NULL · NOT_FOUND no descriptor · a flash error. @param partition  NULL: the chip's */
esp_err_t esp_ota_get_bootloader_description(const esp_partition_t *partition,
                                             esp_bootloader_desc_t *desc);
/** INVALID_ARG there is no such key · ESP_FAIL: secure boot is not what updraft's ports have. */
esp_err_t esp_ota_revoke_secure_boot_public_key(esp_ota_secure_boot_public_key_index_t index);
bool esp_ota_check_rollback_is_possible(void);
const esp_partition_t *esp_ota_get_last_invalid_partition(void);
/** ESP_FAIL there is none, or it runs · a flash error. */
esp_err_t esp_ota_erase_last_boot_app_partition(void);
esp_err_t esp_ota_invalidate_inactive_ota_data_slot(void);
/** INVALID_ARG NULL · NOT_SUPPORTED no app · NOT_FOUND no descriptor · a flash error. */
esp_err_t esp_ota_get_partition_description(const esp_partition_t *partition,
                                            esp_app_desc_t *app_desc);

#endif
