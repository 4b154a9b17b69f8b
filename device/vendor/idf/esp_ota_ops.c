#include "esp_ota_ops.h"

#include <updraft/bytes.h>
#include <updraft/md5.h>

#include "esp_inner.h"
#include "flash_verify.h"

enum { IMAGE_MAGIC = 0xE9, TABLE_MAGIC_0 = 0xAA, TABLE_MAGIC_1 = 0x50, RTOS_HEADER = 8 + 8 };
enum {
    TABLE_MD5 = 0xEB,
    IDF_HEADER = 24 + 8
}; /* the image's header and that of the first segment */

static bool has_rollback(void)
{
    return upd_esp->config.loader == UPD_OTADATA_LOADER_IDF_ROLLBACK ||
           upd_esp->config.loader == UPD_OTADATA_LOADER_IDF_ANTI_ROLLBACK;
}

static bool has_fuse(void)
{
    return upd_esp->config.loader == UPD_OTADATA_LOADER_IDF_ANTI_ROLLBACK;
}

static enum upd_otadata_style style(void)
{
    return upd_esp_is_rtos() ? UPD_OTADATA_AS_RTOS : UPD_OTADATA_AS_IDF;
}

/* --- Partitions ------------------------------------------------------------------------------ */

static bool is_slot(const esp_partition_t *partition)
{
    return partition->type == ESP_PARTITION_TYPE_APP &&
           partition->subtype >= ESP_PARTITION_SUBTYPE_APP_OTA_MIN &&
           partition->subtype < ESP_PARTITION_SUBTYPE_APP_OTA_MAX;
}

static int8_t app_of(const esp_partition_t *partition)
{
    if (is_slot(partition)) {
        return (int8_t)(partition->subtype - ESP_PARTITION_SUBTYPE_APP_OTA_MIN);
    }
    return partition->subtype == ESP_PARTITION_SUBTYPE_APP_FACTORY ? UPD_OTADATA_FACTORY
                                                                   : UPD_OTADATA_TEST;
}

static const esp_partition_t *find_app(int8_t app)
{
    esp_partition_subtype_t subtype = ESP_PARTITION_SUBTYPE_APP_FACTORY;

    if (app == UPD_OTADATA_NONE) {
        return NULL;
    }
    if (app == UPD_OTADATA_TEST) {
        subtype = ESP_PARTITION_SUBTYPE_APP_TEST;
    } else if (app != UPD_OTADATA_FACTORY) {
        subtype = (esp_partition_subtype_t)(ESP_PARTITION_SUBTYPE_APP_OTA_MIN + app);
    }
    return esp_partition_find_first(ESP_PARTITION_TYPE_APP, subtype, NULL);
}

static const esp_partition_t *find_otadata(void)
{
    return esp_partition_find_first(ESP_PARTITION_TYPE_DATA, ESP_PARTITION_SUBTYPE_DATA_OTA, NULL);
}

const esp_partition_t *esp_ota_get_running_partition(void)
{
    for (uint32_t i = 0; i < upd_esp->config.count; i++) {
        const esp_partition_t *entry = &upd_esp->config.table[i];
        if (entry->type == ESP_PARTITION_TYPE_APP && entry->address == upd_esp->config.running) {
            return entry;
        }
    }
    upd_esp->config.assertion(upd_esp->config.ctx, "what runs is no partition");
    return NULL;
}

uint8_t esp_ota_get_app_partition_count(void)
{
    return (uint8_t)upd_partition_slot_count(upd_esp->config.rows, upd_esp->config.count);
}

/* Does a partition hold an image that this chip would start? Reads all of it. */
static esp_err_t verify_as(const esp_partition_t *partition, enum upd_place place)
{
    const struct upd_esp_config *config = &upd_esp->config;
    struct upd_device device = {.flash = config->flash};
    const struct upd_image_target target = {
        .chip = config->chip,
        .place = place,
        .offset = partition->address,
        .size = partition->size,
        .flash_size = UPD_IMAGE_ANY_SIZE,
        .chip_revision = config->chip_revision,
        .efuse_revision = config->efuse_revision,
        .flash_map = UPD_IMAGE_ANY,
        .flash_mode = UPD_IMAGE_ANY,
    };

    return upd_flash_verify(&device, &target) == UPD_OK ? ESP_OK : ESP_ERR_OTA_VALIDATE_FAILED;
}

static esp_err_t verify(const esp_partition_t *partition)
{
    return verify_as(partition, UPD_PLACE_PARTITION);
}

/* A partition table: rows, and behind them their MD5. */
static esp_err_t verify_table(const esp_partition_t *partition)
{
    uint8_t bytes[UPD_PARTITION_ROW_SIZE];
    uint8_t digest[UPD_MD5_SIZE];
    struct upd_partition row;
    struct upd_md5 md5;

    upd_md5_init(&md5);
    for (uint32_t at = 0; at < UPD_PARTITION_TABLE_SIZE; at += UPD_PARTITION_ROW_SIZE) {
        if (esp_partition_read(partition, at, bytes, sizeof bytes) != ESP_OK) {
            break;
        }
        if (upd_partition_decode(bytes, &row) == UPD_OK) {
            upd_md5_update(&md5, bytes, sizeof bytes);
            continue;
        }
        upd_md5_final(&md5, digest);
        return at > 0 && bytes[0] == TABLE_MD5 && bytes[1] == TABLE_MD5 &&
                       memcmp(bytes + UPD_PARTITION_ROW_SIZE - UPD_MD5_SIZE, digest,
                              UPD_MD5_SIZE) == 0
                   ? ESP_OK
                   : ESP_ERR_OTA_VALIDATE_FAILED;
    }
    return ESP_ERR_OTA_VALIDATE_FAILED;
}

esp_err_t esp_ota_get_bootloader_description(const esp_partition_t *partition,
                                             esp_bootloader_desc_t *desc)
{
    const struct upd_flash *flash = upd_esp->config.flash;
    const uint32_t at =
        (partition != NULL ? partition->address : upd_chip_boot_offset(upd_esp->config.chip)) +
        IDF_HEADER;

    if (desc == NULL) {
        return ESP_ERR_INVALID_ARG;
    }
    if (!upd_flash_contains(flash, at, sizeof *desc) ||
        flash->read(flash->ctx, at, desc, sizeof *desc) != UPD_OK) {
        return upd_esp_flash_failed();
    }
    return desc->magic_byte == ESP_BOOTLOADER_DESC_MAGIC_BYTE ? ESP_OK : ESP_ERR_NOT_FOUND;
}

esp_err_t esp_ota_revoke_secure_boot_public_key(esp_ota_secure_boot_public_key_index_t index)
{
    return (uint32_t)index > SECURE_BOOT_PUBLIC_KEY_INDEX_2 ? ESP_ERR_INVALID_ARG : ESP_FAIL;
}

esp_err_t esp_ota_get_partition_description(const esp_partition_t *partition,
                                            esp_app_desc_t *app_desc)
{
    uint8_t magic[4];

    if (partition == NULL || app_desc == NULL) {
        return ESP_ERR_INVALID_ARG;
    }
    if (partition->type != ESP_PARTITION_TYPE_APP) {
        return ESP_ERR_NOT_SUPPORTED;
    }
    uint32_t offset = upd_esp_is_rtos() ? RTOS_HEADER : IDF_HEADER;
    esp_err_t err = esp_partition_read(partition, offset, magic, sizeof magic);
    if (err == ESP_OK && upd_get_le32(magic) != ESP_APP_DESC_MAGIC_WORD) {
        err = ESP_ERR_NOT_FOUND;
    }
    return err == ESP_OK ? esp_partition_read(partition, offset, app_desc, sizeof *app_desc) : err;
}

static uint16_t chip_id(enum upd_chip chip)
{
    switch (chip) {
#define X(name, id, text)                                                                          \
    case UPD_CHIP_##name:                                                                          \
        return id;
        UPD_CHIPS(X)
#undef X
    case UPD_CHIP_NONE:
        break;
    }
    return 0xFFFF;
}

/* As the descriptor of the application that runs says it; 0: it does not. */
static uint8_t running_spi_mode(void)
{
    const esp_partition_t *running = esp_ota_get_running_partition();
    uint8_t magic[4];
    uint8_t mode = 0;

    return running != NULL &&
                   esp_partition_read(running, IDF_HEADER, magic, sizeof magic) == ESP_OK &&
                   upd_get_le32(magic) == ESP_APP_DESC_MAGIC_WORD &&
                   esp_partition_read(running,
                                      IDF_HEADER + offsetof(esp_app_desc_t, spi_flash_mode), &mode,
                                      sizeof mode) == ESP_OK
               ? mode
               : 0;
}

esp_err_t esp_ota_check_image_validity(esp_partition_type_t type, const esp_image_header_t *img_hdr,
                                       const esp_app_desc_t *app_desc)
{
    const uint16_t revision = upd_esp->config.chip_revision;

    if (img_hdr == NULL ||
        (type != ESP_PARTITION_TYPE_APP && type != ESP_PARTITION_TYPE_BOOTLOADER)) {
        return ESP_ERR_INVALID_ARG;
    }
    const uint8_t *bytes = (const uint8_t *)img_hdr;
    const uint16_t least = upd_get_le16(bytes + 15);
    const uint16_t most = upd_get_le16(bytes + 17);
    if (upd_get_le16(bytes + 12) != chip_id(upd_esp->config.chip)) {
        return ESP_ERR_INVALID_VERSION;
    }
    if (revision != UPD_IMAGE_ANY_REVISION &&
        (revision < least || (most != 0 && most != 0xFFFF && revision > most))) {
        return ESP_ERR_INVALID_VERSION;
    }
    if (app_desc != NULL && app_desc->spi_flash_mode != 0) {
        const uint8_t mode = running_spi_mode();
        return mode == 0 || mode == app_desc->spi_flash_mode ? ESP_OK
                                                             : ESP_ERR_OTA_SPI_MODE_MISMATCH;
    }
    return ESP_OK;
}

/* The secure version of an image is at least that of the fuse. */
static bool is_new_enough(const esp_partition_t *partition)
{
    uint32_t fuse = UINT32_MAX;
    uint8_t version[4];

    return upd_esp->config.fuse_read(upd_esp->config.ctx, &fuse) == UPD_OK &&
           esp_partition_read(partition, IDF_HEADER + 4, version, sizeof version) == ESP_OK &&
           upd_get_le32(version) >= fuse;
}

/* --- otadata --------------------------------------------------------------------------------- */

/* @return ESP_ERR_NOT_FOUND when there is no otadata */
static esp_err_t read_otadata(struct upd_otadata *data)
{
    const esp_partition_t *partition = find_otadata();
    const esp_partition_t *running = esp_ota_get_running_partition();

    *data = (struct upd_otadata){
        .slots = esp_ota_get_app_partition_count(),
        .running = running == NULL ? UPD_OTADATA_NONE : app_of(running),
        .rtos = upd_esp_is_rtos(),
    };
    esp_err_t err = partition == NULL ? ESP_ERR_NOT_FOUND : ESP_OK;
    for (uint32_t copy = 0; copy < 2 && err == ESP_OK; copy++) {
        err = esp_partition_read(partition, copy * UPD_OTADATA_COPY_DISTANCE, data->copy[copy],
                                 UPD_OTADATA_RECORD_SIZE);
    }
    return err;
}

static bool is_blank(const uint8_t record[UPD_OTADATA_RECORD_SIZE])
{
    uint8_t all = 0xFF;

    for (uint32_t i = 0; i < UPD_OTADATA_RECORD_SIZE; i++) {
        all &= record[i];
    }
    return all == 0xFF;
}

static esp_err_t carry_out(const struct upd_otadata_plan *plan)
{
    const esp_partition_t *otadata = find_otadata();
    esp_err_t err = ESP_OK;

    for (uint32_t i = 0; i < plan->count && err == ESP_OK; i++) {
        const struct upd_otadata_write *write = &plan->write[i];
        uint32_t at = write->copy * UPD_OTADATA_COPY_DISTANCE;
        err = esp_partition_erase_range(otadata, at, UPD_OTADATA_COPY_DISTANCE);
        if (err == ESP_OK && !is_blank(write->record)) {
            err = esp_partition_write(otadata, at, write->record, UPD_OTADATA_CRC_OFFSET);
            if (err == ESP_OK) {
                err = esp_partition_write(otadata, at + UPD_OTADATA_CRC_OFFSET,
                                          write->record + UPD_OTADATA_CRC_OFFSET,
                                          UPD_OTADATA_RECORD_SIZE - UPD_OTADATA_CRC_OFFSET);
            }
        }
    }
    return err;
}

const esp_partition_t *esp_ota_get_boot_partition(void)
{
    struct upd_otadata data;
    const struct upd_boot_layout layout =
        upd_partition_layout(upd_esp->config.rows, upd_esp->config.count);

    return read_otadata(&data) == ESP_OK ? find_app(upd_otadata_configured(&data, &layout)) : NULL;
}

const esp_partition_t *esp_ota_get_next_update_partition(const esp_partition_t *start_from)
{
    const struct upd_otadata data = {.slots = esp_ota_get_app_partition_count()};
    const esp_partition_t *from =
        start_from == NULL ? esp_ota_get_running_partition() : esp_partition_verify(start_from);

    if (from == NULL) {
        upd_esp->config.assertion(upd_esp->config.ctx, "start_from is no partition");
        return NULL;
    }
    return find_app((int8_t)upd_otadata_next_slot(&data, app_of(from)));
}

esp_err_t esp_ota_get_state_partition(const esp_partition_t *partition,
                                      esp_ota_img_states_t *ota_state)
{
    struct upd_otadata data;
    uint32_t state = 0;

    if (partition == NULL || ota_state == NULL) {
        return ESP_ERR_INVALID_ARG;
    }
    if (!is_slot(partition)) {
        return ESP_ERR_NOT_SUPPORTED;
    }
    esp_err_t err = read_otadata(&data);
    if (err != ESP_OK) {
        return err;
    }
    if (upd_otadata_state_of(&data, app_of(partition), &state) != UPD_OK) {
        return ESP_ERR_NOT_FOUND;
    }
    *ota_state = (esp_ota_img_states_t)state;
    return ESP_OK;
}

/* --- Updates --------------------------------------------------------------------------------- */

static struct upd_esp_update *find_update(esp_ota_handle_t handle)
{
    for (uint32_t i = 0; i < UPD_ESP_HANDLES; i++) {
        if (upd_esp->updates[i].handle == handle && handle != 0) {
            return &upd_esp->updates[i];
        }
    }
    return NULL;
}

static struct upd_esp_update *find_free(void)
{
    for (uint32_t i = 0; i < UPD_ESP_HANDLES; i++) {
        if (upd_esp->updates[i].handle == 0) {
            return &upd_esp->updates[i];
        }
    }
    return NULL;
}

static bool is_open(const esp_partition_t *partition)
{
    for (uint32_t i = 0; i < UPD_ESP_HANDLES; i++) {
        const struct upd_esp_update *update = &upd_esp->updates[i];
        if (update->handle != 0 && (update->partition == partition || update->final == partition)) {
            return true;
        }
    }
    return false;
}

/* What stands in the way of an update of a partition of the table. */
static esp_err_t may_begin(const esp_partition_t *partition)
{
    const esp_partition_t *running = esp_ota_get_running_partition();
    esp_ota_img_states_t state = ESP_OTA_IMG_UNDEFINED;
    bool is_app = partition->type == ESP_PARTITION_TYPE_APP;

    if (!is_slot(partition) && (is_app || upd_esp_is_rtos())) {
        return ESP_ERR_INVALID_ARG;
    }
    if (partition == running) {
        return ESP_ERR_OTA_PARTITION_CONFLICT;
    }
    if (is_app && has_rollback() && esp_ota_get_state_partition(running, &state) == ESP_OK &&
        state == ESP_OTA_IMG_PENDING_VERIFY) {
        return ESP_ERR_OTA_ROLLBACK_INVALID_STATE;
    }
    return !upd_esp_is_rtos() && is_open(partition) ? ESP_ERR_OTA_ALREADY_IN_PROGRESS : ESP_OK;
}

static esp_err_t erase_for(const esp_partition_t *partition, uint32_t image_size)
{
    uint32_t sector = partition->erase_size;

    if (image_size == 0 || image_size == OTA_SIZE_UNKNOWN) {
        return esp_partition_erase_range(partition, 0, partition->size);
    }
    if (upd_esp_is_rtos()) {
        /* One sector more than a whole number of them needs, as in the original. */
        return image_size / sector >= partition->size / sector
                   ? ESP_ERR_INVALID_SIZE
                   : esp_partition_erase_range(partition, 0, (image_size / sector + 1) * sector);
    }
    if (image_size == OTA_WITH_SEQUENTIAL_WRITES) {
        return ESP_OK;
    }
    return image_size > partition->size
               ? ESP_ERR_INVALID_SIZE
               : esp_partition_erase_range(partition, 0,
                                           (image_size + sector - 1) / sector * sector);
}

/* ESP-IDF with rollback: no record may lead to a slot that is half written. */
static esp_err_t forget_other_copy(const esp_partition_t *partition)
{
    struct upd_otadata data;
    struct upd_otadata_plan plan;

    if (!has_rollback() || !is_slot(partition) || read_otadata(&data) != ESP_OK ||
        upd_otadata_plan_begin(&data, style(), app_of(partition), &plan) != UPD_OK) {
        return ESP_OK;
    }
    return carry_out(&plan);
}

esp_err_t esp_ota_begin(const esp_partition_t *partition, size_t image_size,
                        esp_ota_handle_t *out_handle)
{
    struct upd_esp_update *update = find_free();

    if (partition == NULL || out_handle == NULL) {
        return ESP_ERR_INVALID_ARG;
    }
    partition = esp_partition_verify(partition);
    if (partition == NULL) {
        return ESP_ERR_NOT_FOUND;
    }
    esp_err_t err = may_begin(partition);
    if (err == ESP_OK && update == NULL && !upd_esp_is_rtos()) {
        err = ESP_ERR_NO_MEM;
    }
    if (err == ESP_OK) {
        err = erase_for(partition, (uint32_t)image_size);
    }
    if (err == ESP_OK && update == NULL) {
        err = ESP_ERR_NO_MEM;
    }
    if (err == ESP_OK) {
        err = forget_other_copy(partition);
    }
    if (err != ESP_OK) {
        return err;
    }
    *update = (struct upd_esp_update){.handle = ++upd_esp->last_handle,
                                      .partition = partition,
                                      .sequential = !upd_esp_is_rtos() &&
                                                    image_size == OTA_WITH_SEQUENTIAL_WRITES};
    *out_handle = update->handle;
    return ESP_OK;
}

esp_err_t esp_ota_resume(const esp_partition_t *partition, size_t erase_size, size_t image_offset,
                         esp_ota_handle_t *out_handle)
{
    struct upd_esp_update *update = find_free();

    if (partition == NULL || out_handle == NULL || image_offset > partition->size) {
        return ESP_ERR_INVALID_ARG;
    }
    partition = esp_partition_verify(partition);
    if (partition == NULL) {
        return ESP_ERR_NOT_FOUND;
    }
    const esp_err_t err = may_begin(partition);
    if (err != ESP_OK) {
        return err;
    }
    if (update == NULL) {
        return ESP_ERR_NO_MEM;
    }
    *update = (struct upd_esp_update){.handle = ++upd_esp->last_handle,
                                      .partition = partition,
                                      .written = (uint32_t)image_offset,
                                      .resumed = true,
                                      .sequential = erase_size == OTA_WITH_SEQUENTIAL_WRITES};
    *out_handle = update->handle;
    return ESP_OK;
}

esp_err_t esp_ota_set_final_partition(esp_ota_handle_t handle, const esp_partition_t *final,
                                      bool copy)
{
    struct upd_esp_update *update = find_update(handle);

    if (final == NULL) {
        return ESP_ERR_INVALID_ARG;
    }
    if (update == NULL) {
        return ESP_ERR_NOT_FOUND;
    }
    if (update->written != 0 && !update->resumed) {
        return ESP_ERR_INVALID_STATE;
    }
    final = esp_partition_verify(final);
    if (final == NULL) {
        return ESP_ERR_NOT_FOUND;
    }
    update->final = final;
    update->copies = copy;
    return ESP_OK;
}

/* The type that the image is judged by. */
static esp_partition_type_t type_of(const struct upd_esp_update *update)
{
    return update->final != NULL ? update->final->type : update->partition->type;
}

/* Each sector when its first byte comes. */
static esp_err_t erase_ahead(const struct upd_esp_update *update, uint32_t size)
{
    uint32_t sector = update->partition->erase_size;
    uint32_t first = update->written / sector + (update->written % sector != 0);
    uint32_t last = (update->written + size - 1) / sector;

    return first > last ? ESP_OK
                        : esp_partition_erase_range(update->partition, first * sector,
                                                    (last - first + 1) * sector);
}

static bool begins_well(esp_partition_type_t type, const uint8_t *data, uint32_t size)
{
    if (type == ESP_PARTITION_TYPE_APP || type == ESP_PARTITION_TYPE_BOOTLOADER) {
        return data[0] == IMAGE_MAGIC;
    }
    return type != ESP_PARTITION_TYPE_PARTITION_TABLE ||
           (size >= 2 && data[0] == TABLE_MAGIC_0 && data[1] == TABLE_MAGIC_1);
}

esp_err_t esp_ota_write(esp_ota_handle_t handle, const void *data, size_t size)
{
    struct upd_esp_update *update = find_update(handle);
    esp_err_t err = ESP_OK;

    if (data == NULL) {
        return ESP_ERR_INVALID_ARG;
    }
    if (size == 0 && !upd_esp_is_rtos()) {
        return ESP_OK;
    }
    if (update == NULL) {
        return ESP_ERR_INVALID_ARG;
    }
    if (update->sequential && size > update->partition->size - update->written) {
        return ESP_ERR_INVALID_SIZE;
    }
    if (update->sequential) {
        err = erase_ahead(update, (uint32_t)size);
    }
    if (err == ESP_OK && update->written == 0 && size > 0 &&
        !begins_well(type_of(update), data, (uint32_t)size)) {
        err = ESP_ERR_OTA_VALIDATE_FAILED;
    }
    if (err == ESP_OK) {
        err = esp_partition_write(update->partition, update->written, data, size);
    }
    if (err == ESP_OK) {
        update->written += (uint32_t)size;
    }
    return err;
}

esp_err_t esp_ota_write_with_offset(esp_ota_handle_t handle, const void *data, size_t size,
                                    uint32_t offset)
{
    struct upd_esp_update *update = find_update(handle);

    if (data == NULL || update == NULL) {
        return ESP_ERR_INVALID_ARG;
    }
    if (update->sequential) {
        upd_esp->config.assertion(upd_esp->config.ctx, "an update in sequence has no offsets");
        return ESP_ERR_INVALID_STATE;
    }
    esp_err_t err = esp_partition_write(update->partition, offset, data, size);
    if (err == ESP_OK) {
        update->written += (uint32_t)size;
    }
    return err;
}

static esp_err_t verify_written(const struct upd_esp_update *update)
{
    switch (type_of(update)) {
    case ESP_PARTITION_TYPE_APP:
        return verify(update->partition);
    case ESP_PARTITION_TYPE_BOOTLOADER:
        return verify_as(update->partition, UPD_PLACE_LOADER);
    case ESP_PARTITION_TYPE_PARTITION_TABLE:
        return verify_table(update->partition);
    default:
        return ESP_OK;
    }
}

esp_err_t esp_ota_end(esp_ota_handle_t handle)
{
    struct upd_esp_update *update = find_update(handle);
    esp_err_t err = ESP_OK;

    if (update == NULL) {
        return ESP_ERR_NOT_FOUND;
    }
    if (update->written == 0) {
        err = ESP_ERR_INVALID_ARG;
    } else {
        err = verify_written(update);
    }
    if (err == ESP_OK && update->copies && update->final != update->partition) {
        err = esp_partition_copy(update->final, 0, update->partition, 0, update->final->size);
    }
    update->handle = 0;
    return err;
}

esp_err_t esp_ota_abort(esp_ota_handle_t handle)
{
    struct upd_esp_update *update = find_update(handle);

    if (update == NULL) {
        return ESP_ERR_NOT_FOUND;
    }
    update->handle = 0;
    return ESP_OK;
}

/* --- Selecting, confirming, going back ------------------------------------------------------- */

esp_err_t esp_ota_set_boot_partition(const esp_partition_t *partition)
{
    if (partition == NULL) {
        return ESP_ERR_INVALID_ARG;
    }
    const esp_err_t err = verify(partition);
    return err == ESP_OK ? esp_ota_set_boot_partition_skip_validate(partition) : err;
}

esp_err_t esp_ota_set_boot_partition_skip_validate(const esp_partition_t *partition)
{
    struct upd_otadata data;
    struct upd_otadata_plan plan;
    esp_err_t err = ESP_OK;

    if (partition == NULL) {
        return ESP_ERR_INVALID_ARG;
    }
    if (partition->type != ESP_PARTITION_TYPE_APP) {
        return ESP_ERR_INVALID_ARG;
    }
    if (has_fuse() && is_slot(partition) && !is_new_enough(partition)) {
        err = esp_partition_erase_range(partition, 0, partition->size);
        return err == ESP_OK ? ESP_ERR_OTA_SMALL_SEC_VER : err;
    }
    int8_t app = app_of(partition);
    if (app == UPD_OTADATA_TEST ||
        (app != UPD_OTADATA_FACTORY && app >= esp_ota_get_app_partition_count())) {
        return ESP_ERR_INVALID_ARG;
    }
    err = read_otadata(&data);
    if (err != ESP_OK) {
        return err;
    }
    if (upd_otadata_plan_boot(&data, style(), app, has_rollback(), &plan) != UPD_OK) {
        return ESP_FAIL; /* the sequence numbers are used up */
    }
    return carry_out(&plan);
}

static esp_err_t burn_running_version(void)
{
    const esp_partition_t *running = esp_ota_get_running_partition();
    uint8_t version[4];

    esp_err_t err = esp_partition_read(running, IDF_HEADER + 4, version, sizeof version);
    if (err != ESP_OK) {
        return err;
    }
    return upd_esp->config.fuse_burn(upd_esp->config.ctx, upd_get_le32(version)) == UPD_OK
               ? ESP_OK
               : ESP_FAIL;
}

esp_err_t esp_ota_mark_app_valid_cancel_rollback(void)
{
    struct upd_otadata data;
    struct upd_otadata_plan plan;

    esp_err_t err = read_otadata(&data);
    if (err != ESP_OK) {
        return err;
    }
    if (upd_otadata_plan_confirm(&data, style(), &plan) != UPD_OK) {
        return ESP_FAIL;
    }
    if (plan.count == 0) {
        return ESP_OK;
    }
    err = carry_out(&plan);
    return err == ESP_OK && has_fuse() ? burn_running_version() : err;
}

/* Which images would start. */
static struct upd_otadata_images find_images(void)
{
    struct upd_otadata_images images = {0};

    for (uint32_t i = 0; i < upd_esp->config.count; i++) {
        const esp_partition_t *entry = &upd_esp->config.table[i];
        if (entry->type != ESP_PARTITION_TYPE_APP ||
            entry->subtype == ESP_PARTITION_SUBTYPE_APP_TEST || verify(entry) != ESP_OK) {
            continue;
        }
        if (!is_slot(entry)) {
            images.factory = !has_fuse();
        } else if (!has_fuse() || is_new_enough(entry)) {
            images.slots = (uint16_t)(images.slots | 1u << app_of(entry));
        }
    }
    return images;
}

esp_err_t esp_ota_mark_app_invalid_rollback(void)
{
    struct upd_otadata data;
    struct upd_otadata_plan plan;

    esp_err_t err = read_otadata(&data);
    if (err != ESP_OK) {
        return err;
    }
    const struct upd_otadata_images images = find_images();
    data.running = UPD_OTADATA_NONE; /* the active record is given up, whatever it names */
    switch (upd_otadata_plan_reject(&data, &images, &plan)) {
    case UPD_OK:
        return carry_out(&plan);
    case UPD_E_NOT_FOUND:
        return ESP_ERR_OTA_ROLLBACK_FAILED;
    default:
        return ESP_FAIL;
    }
}

esp_err_t esp_ota_mark_app_invalid_rollback_and_reboot(void)
{
    esp_err_t err = esp_ota_mark_app_invalid_rollback();

    if (err == ESP_OK) {
        upd_esp->config.restart(upd_esp->config.ctx);
    }
    return err;
}

bool esp_ota_check_rollback_is_possible(void)
{
    struct upd_otadata data;

    if (read_otadata(&data) != ESP_OK) {
        return false;
    }
    const struct upd_otadata_images images = find_images();
    return upd_otadata_can_roll_back(&data, &images);
}

const esp_partition_t *esp_ota_get_last_invalid_partition(void)
{
    struct upd_otadata data;

    if (read_otadata(&data) != ESP_OK) {
        return NULL;
    }
    const struct upd_otadata_images images = find_images();
    return find_app(upd_otadata_last_invalid(&data, &images));
}

static esp_err_t forget_last(bool erase)
{
    struct upd_otadata data;
    struct upd_otadata_plan plan;
    int8_t slot = UPD_OTADATA_NONE;

    if (read_otadata(&data) != ESP_OK || upd_otadata_plan_forget(&data, &slot, &plan) != UPD_OK) {
        return ESP_FAIL;
    }
    const esp_partition_t *partition = find_app(slot);
    esp_err_t err = partition == NULL ? ESP_FAIL : ESP_OK;
    if (err == ESP_OK && erase) {
        err = esp_partition_erase_range(partition, 0, partition->size);
    }
    return err == ESP_OK ? carry_out(&plan) : err;
}

esp_err_t esp_ota_erase_last_boot_app_partition(void)
{
    return forget_last(true);
}

esp_err_t esp_ota_invalidate_inactive_ota_data_slot(void)
{
    return forget_last(false);
}
