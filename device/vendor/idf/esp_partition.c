#include "esp_inner.h"

enum { CHUNK = 64 };

struct upd_esp *upd_esp;

enum upd_err upd_esp_init(struct upd_esp *esp, const struct upd_esp_config *config)
{
    bool runs = false;

    if (config->flash == NULL || config->rows == NULL || config->table == NULL ||
        config->restart == NULL || config->assertion == NULL ||
        (config->loader == UPD_OTADATA_LOADER_IDF_ANTI_ROLLBACK &&
         (config->fuse_read == NULL || config->fuse_burn == NULL))) {
        return UPD_E_ARG;
    }
    *esp = (struct upd_esp){.config = *config};
    for (uint32_t i = 0; i < config->count; i++) {
        const struct upd_partition *row = &config->rows[i];
        esp_partition_t *entry = &config->table[i];
        *entry = (esp_partition_t){.type = (esp_partition_type_t)row->type,
                                   .subtype = (esp_partition_subtype_t)row->subtype,
                                   .address = row->offset,
                                   .size = row->size,
                                   .erase_size = config->flash->sector_size,
                                   .encrypted = (row->flags & UPD_PARTITION_ENCRYPTED) != 0,
                                   .readonly = (row->flags & UPD_PARTITION_READONLY) != 0};
        for (uint32_t k = 0; k < upd_partition_name_size(row); k++) {
            entry->label[k] = (char)row->name[k];
        }
        runs = runs || (row->type == UPD_PARTITION_APP && row->offset == config->running);
    }
    upd_esp = esp;
    return runs ? UPD_OK : UPD_E_ARG;
}

esp_err_t upd_esp_flash_failed(void)
{
    return upd_esp_is_rtos() ? ESP_ERR_FLASH_OP_FAIL_RTOS : ESP_ERR_FLASH_OP_FAIL;
}

static bool has_label(const esp_partition_t *entry, const char *label)
{
    uint32_t i = 0;

    while (label[i] != '\0' && entry->label[i] == label[i]) {
        i++;
    }
    return label[i] == entry->label[i];
}

/* The first one from row `from` on. */
static const esp_partition_t *find_from(uint32_t from, esp_partition_type_t type,
                                        esp_partition_subtype_t subtype, const char *label)
{
    for (uint32_t i = from; i < upd_esp->config.count; i++) {
        const esp_partition_t *entry = &upd_esp->config.table[i];
        if ((type == ESP_PARTITION_TYPE_ANY || type == entry->type) &&
            (subtype == ESP_PARTITION_SUBTYPE_ANY || subtype == entry->subtype) &&
            (label == NULL || has_label(entry, label))) {
            return entry;
        }
    }
    return NULL;
}

const esp_partition_t *esp_partition_find_first(esp_partition_type_t type,
                                                esp_partition_subtype_t subtype, const char *label)
{
    return find_from(0, type, subtype, label);
}

esp_partition_iterator_t esp_partition_find(esp_partition_type_t type,
                                            esp_partition_subtype_t subtype, const char *label)
{
    if (type == ESP_PARTITION_TYPE_ANY && subtype != ESP_PARTITION_SUBTYPE_ANY) {
        return NULL;
    }
    for (uint32_t i = 0; i < UPD_ESP_WALKS; i++) {
        struct upd_esp_walk *walk = &upd_esp->walks[i];
        if (walk->at == NULL) {
            *walk = (struct upd_esp_walk){
                .at = find_from(0, type, subtype, label),
                .type = type,
                .subtype = subtype,
                .label = label,
            };
            return walk->at != NULL ? walk : NULL;
        }
    }
    return NULL;
}

const esp_partition_t *esp_partition_get(esp_partition_iterator_t iterator)
{
    return iterator->at;
}

esp_partition_iterator_t esp_partition_next(esp_partition_iterator_t iterator)
{
    const uint32_t next = (uint32_t)(iterator->at - upd_esp->config.table) + 1;

    iterator->at = find_from(next, iterator->type, iterator->subtype, iterator->label);
    return iterator->at != NULL ? iterator : NULL;
}

void esp_partition_iterator_release(esp_partition_iterator_t iterator)
{
    if (iterator != NULL) {
        iterator->at = NULL;
    }
}

const esp_partition_t *esp_partition_verify(const esp_partition_t *partition)
{
    for (uint32_t i = 0; partition != NULL && i < upd_esp->config.count; i++) {
        const esp_partition_t *entry = &upd_esp->config.table[i];
        if (entry->type == partition->type && entry->subtype == partition->subtype &&
            entry->address == partition->address && entry->size == partition->size) {
            return entry;
        }
    }
    return NULL;
}

static esp_err_t check_range(const esp_partition_t *partition, size_t offset, size_t size)
{
    if (offset > partition->size) {
        return ESP_ERR_INVALID_ARG;
    }
    return size > partition->size - offset ? ESP_ERR_INVALID_SIZE : ESP_OK;
}

static esp_err_t result_of(enum upd_err err)
{
    return err == UPD_OK ? ESP_OK : upd_esp_flash_failed();
}

esp_err_t esp_partition_read(const esp_partition_t *partition, size_t offset, void *data,
                             size_t size)
{
    const struct upd_flash *flash = upd_esp->config.flash;

    if (partition == NULL || data == NULL) {
        return ESP_ERR_INVALID_ARG;
    }
    esp_err_t err = check_range(partition, offset, size);
    if (err != ESP_OK) {
        return err;
    }
    return result_of(
        flash->read(flash->ctx, partition->address + (uint32_t)offset, data, (uint32_t)size));
}

/* Whole words go to the port; what is around the bytes, and bits that are 0 already, stay. */
static enum upd_err program(uint32_t offset, const uint8_t *data, uint32_t size)
{
    const struct upd_flash *flash = upd_esp->config.flash;
    uint8_t chunk[CHUNK];
    enum upd_err err = UPD_OK;

    while (size > 0 && err == UPD_OK) {
        uint32_t skip = offset % flash->write_size;
        uint32_t now = size < CHUNK - skip ? size : CHUNK - skip;
        uint32_t whole = (skip + now + flash->write_size - 1) & ~(flash->write_size - 1);
        err = flash->read(flash->ctx, offset - skip, chunk, whole);
        for (uint32_t i = 0; i < now; i++) {
            chunk[skip + i] &= data[i];
        }
        if (err == UPD_OK) {
            err = flash->write(flash->ctx, offset - skip, chunk, whole);
        }
        offset += now;
        data += now;
        size -= now;
    }
    return err;
}

esp_err_t esp_partition_write(const esp_partition_t *partition, size_t offset, const void *data,
                              size_t size)
{
    if (partition == NULL || data == NULL) {
        return ESP_ERR_INVALID_ARG;
    }
    if (partition->readonly) {
        return ESP_ERR_NOT_ALLOWED;
    }
    esp_err_t err = check_range(partition, offset, size);
    if (err != ESP_OK) {
        return err;
    }
    return result_of(program(partition->address + (uint32_t)offset, data, (uint32_t)size));
}

esp_err_t esp_partition_erase_range(const esp_partition_t *partition, size_t offset, size_t size)
{
    const struct upd_flash *flash = upd_esp->config.flash;
    enum upd_err done = UPD_OK;

    if (partition == NULL) {
        return ESP_ERR_INVALID_ARG;
    }
    if (partition->readonly) {
        return ESP_ERR_NOT_ALLOWED;
    }
    esp_err_t err = check_range(partition, offset, size);
    if (err != ESP_OK) {
        return err;
    }
    if (offset % flash->sector_size != 0 || size % flash->sector_size != 0) {
        if (upd_esp_is_rtos()) {
            return ESP_ERR_FLASH_OP_FAIL_RTOS;
        }
        return size % flash->sector_size != 0 ? ESP_ERR_INVALID_SIZE : ESP_ERR_INVALID_ARG;
    }
    for (uint32_t at = 0; at < size && done == UPD_OK; at += flash->sector_size) {
        done = flash->erase(flash->ctx, partition->address + (uint32_t)offset + at);
    }
    return result_of(done);
}

esp_err_t esp_partition_copy(const esp_partition_t *dest_part, uint32_t dest_offset,
                             const esp_partition_t *src_part, uint32_t src_offset, size_t size)
{
    uint8_t chunk[CHUNK];

    if (dest_part == NULL || src_part == NULL || dest_part == src_part) {
        return ESP_ERR_INVALID_ARG;
    }
    if (check_range(dest_part, dest_offset, size) != ESP_OK ||
        check_range(src_part, src_offset, size) != ESP_OK) {
        return ESP_ERR_INVALID_SIZE;
    }
    const uint32_t sector = dest_part->erase_size;
    esp_err_t err =
        esp_partition_erase_range(dest_part, dest_offset, (size + sector - 1) / sector * sector);
    for (size_t at = 0; at < size && err == ESP_OK; at += CHUNK) {
        const size_t now = size - at < CHUNK ? size - at : CHUNK;
        err = esp_partition_read(src_part, src_offset + at, chunk, now);
        if (err == ESP_OK) {
            err = esp_partition_write(dest_part, dest_offset + at, chunk, now);
        }
    }
    return err;
}
