#include <updraft/bytes.h>
#include <updraft/md5.h>
#include <updraft/partition.h>

/* Rows that fit a table, the one that ends it included. */
#define ROWS_MAX (UPD_PARTITION_TABLE_SIZE / UPD_PARTITION_ROW_SIZE)
_Static_assert(UPD_PARTITION_MAX == ROWS_MAX - 1, "one row of FF must be left");

/* The first two bytes of a row, as a number. */
#define MAGIC 0x50AA
#define MAGIC_MD5 0xEBEB
#define MAGIC_END 0xFFFF

#define MD5_OFFSET 16 /* of the digest in its row */

uint32_t upd_partition_name_size(const struct upd_partition *row)
{
    uint32_t size = 0;

    while (size < UPD_PARTITION_NAME_SIZE && row->name[size] != '\0') {
        size++;
    }
    return size;
}

bool upd_partition_is_binary(const void *data, uint32_t size)
{
    return size >= 2 && upd_get_le16(data) == MAGIC;
}

enum upd_err upd_partition_decode(const uint8_t bytes[UPD_PARTITION_ROW_SIZE],
                                  struct upd_partition *row)
{
    if (upd_get_le16(bytes) != MAGIC) {
        return UPD_E_FORMAT;
    }
    row->type = bytes[2];
    row->subtype = bytes[3];
    row->offset = upd_get_le32(bytes + 4);
    row->size = upd_get_le32(bytes + 8);
    memcpy(row->name, bytes + 12, UPD_PARTITION_NAME_SIZE);
    row->flags = upd_get_le32(bytes + 28);
    return UPD_OK;
}

void upd_partition_encode(const struct upd_partition *row, uint8_t bytes[UPD_PARTITION_ROW_SIZE])
{
    upd_put_le16(bytes, MAGIC);
    bytes[2] = row->type;
    bytes[3] = row->subtype;
    upd_put_le32(bytes + 4, row->offset);
    upd_put_le32(bytes + 8, row->size);
    memcpy(bytes + 12, row->name, UPD_PARTITION_NAME_SIZE);
    upd_put_le32(bytes + 28, row->flags);
}

static void digest_of(const uint8_t *data, uint32_t size, uint8_t digest[UPD_MD5_SIZE])
{
    struct upd_md5 md5;

    upd_md5_init(&md5);
    upd_md5_update(&md5, data, size);
    upd_md5_final(&md5, digest);
}

enum upd_err upd_partition_build(const struct upd_partition *rows, uint32_t count, bool md5,
                                 uint8_t data[UPD_PARTITION_TABLE_SIZE])
{
    uint32_t size;

    if (count > UPD_PARTITION_MAX - (md5 ? 1u : 0u)) {
        return UPD_E_SPACE;
    }
    size = count * UPD_PARTITION_ROW_SIZE;
    memset(data + size, 0xFF, UPD_PARTITION_TABLE_SIZE - size);
    for (uint32_t i = 0; i < count; i++) {
        upd_partition_encode(&rows[i], data + i * UPD_PARTITION_ROW_SIZE);
    }
    if (md5) {
        upd_put_le16(data + size, MAGIC_MD5);
        digest_of(data, size, data + size + MD5_OFFSET);
    }
    return UPD_OK;
}

static bool md5_matches(const uint8_t *table, uint32_t index)
{
    const uint8_t *row = table + index * UPD_PARTITION_ROW_SIZE;
    uint8_t digest[UPD_MD5_SIZE];

    digest_of(table, index * UPD_PARTITION_ROW_SIZE, digest);
    return memcmp(row + MD5_OFFSET, digest, sizeof digest) == 0;
}

/* The application: rows up to the first that is none; that one has to be the MD5. */
static enum upd_err read_as_app(const uint8_t *table, uint32_t row_count, bool wants_md5,
                                struct upd_partition *rows, uint32_t *seen, uint32_t *at)
{
    for (*at = 0; *at < row_count; (*at)++) {
        if (upd_partition_decode(table + *at * UPD_PARTITION_ROW_SIZE, &rows[*at]) != UPD_OK) {
            break;
        }
    }
    *seen = *at;
    if (!wants_md5) {
        return UPD_OK;
    }
    if (*at == row_count || upd_get_le16(table + *at * UPD_PARTITION_ROW_SIZE) != MAGIC_MD5) {
        return UPD_E_NOT_FOUND;
    }
    return md5_matches(table, *at) ? UPD_OK : UPD_E_AUTH;
}

/*
 * The boot loaders: every row up to the end must be a partition that fits the flash, or an MD5.
 *
 * IDF counts the rows before the end, takes off one for the MD5 row wherever it is, and then uses
 * that many rows from the first on: with an MD5 row in the middle the last partition is not seen.
 */
static enum upd_err read_as_boot(const uint8_t *table, uint32_t row_count, bool idf,
                                 uint32_t flash_size, struct upd_partition *rows, uint32_t *seen,
                                 uint32_t *at)
{
    bool md5_found = false, md5_is_last = false;
    uint32_t count = 0;

    for (*at = 0; *at < row_count; (*at)++) {
        const uint8_t *row = table + *at * UPD_PARTITION_ROW_SIZE;
        uint16_t magic = upd_get_le16(row);

        if (upd_partition_decode(row, &rows[count]) == UPD_OK) {
            if (rows[count].offset > flash_size ||
                rows[count].size > flash_size - rows[count].offset) {
                return UPD_E_SPACE;
            }
            count++;
            md5_is_last = false;
        } else if (magic == MAGIC_MD5) {
            if (idf && md5_found) {
                return UPD_E_FORMAT;
            }
            if (idf && !md5_matches(table, *at)) {
                return UPD_E_AUTH;
            }
            md5_found = true;
            md5_is_last = true;
        } else if (magic == MAGIC_END && row[2] == 0xFF && row[3] == 0xFF) {
            if (idf && *at == 0) {
                return UPD_E_FORMAT;
            }
            *seen = idf && md5_found && !md5_is_last ? count - 1 : count;
            return UPD_OK;
        } else {
            return UPD_E_FORMAT;
        }
    }
    return UPD_E_FORMAT;
}

enum upd_err upd_partition_read(enum upd_partition_reader reader, const void *data, uint32_t size,
                                uint32_t flash_size, struct upd_partition *rows, uint32_t *count,
                                uint32_t *at)
{
    uint32_t row_count = size / UPD_PARTITION_ROW_SIZE;
    uint32_t seen = 0, last = 0;
    enum upd_err err;

    if (row_count > ROWS_MAX) {
        row_count = ROWS_MAX;
    }
    if (reader == UPD_PARTITION_BY_IDF_APP || reader == UPD_PARTITION_BY_IDF_APP_NO_MD5) {
        err = read_as_app(data, row_count, reader == UPD_PARTITION_BY_IDF_APP, rows, &seen, &last);
    } else {
        err = read_as_boot(data, row_count, reader == UPD_PARTITION_BY_IDF_BOOT, flash_size, rows,
                           &seen, &last);
    }
    *count = err == UPD_OK ? seen : 0;
    if (at != NULL) {
        *at = last;
    }
    return err;
}

static bool has_name(const struct upd_partition *row, const char *name)
{
    uint32_t size = upd_partition_name_size(row);

    for (uint32_t i = 0; i < size; i++) {
        /* A name that ends here differs: no byte of the row's name is NUL. */
        if ((uint8_t)name[i] != row->name[i]) {
            return false;
        }
    }
    return name[size] == '\0';
}

const struct upd_partition *upd_partition_by_name(const struct upd_partition *rows, uint32_t count,
                                                  const char *name)
{
    for (uint32_t i = 0; i < count; i++) {
        if (has_name(&rows[i], name)) {
            return &rows[i];
        }
    }
    return NULL;
}

const struct upd_partition *upd_partition_by_type(const struct upd_partition *rows, uint32_t count,
                                                  uint8_t type, uint8_t subtype)
{
    for (uint32_t i = 0; i < count; i++) {
        if (rows[i].type == type && rows[i].subtype == subtype) {
            return &rows[i];
        }
    }
    return NULL;
}

const struct upd_partition *upd_partition_boot_default(const struct upd_partition *rows,
                                                       uint32_t count)
{
    const struct upd_partition *app =
        upd_partition_by_type(rows, count, UPD_PARTITION_APP, UPD_PARTITION_APP_FACTORY);

    for (uint8_t i = 0; app == NULL && i < UPD_PARTITION_SLOT_MAX; i++) {
        app = upd_partition_by_type(rows, count, UPD_PARTITION_APP,
                                    (uint8_t)(UPD_PARTITION_APP_OTA_0 + i));
    }
    return app;
}

uint32_t upd_partition_slot_count(const struct upd_partition *rows, uint32_t count)
{
    uint32_t slots = 0;

    while (slots < UPD_PARTITION_SLOT_MAX &&
           upd_partition_by_type(rows, count, UPD_PARTITION_APP,
                                 (uint8_t)(UPD_PARTITION_APP_OTA_0 + slots)) != NULL) {
        slots++;
    }
    return slots;
}

static void add_app(struct upd_boot_layout *layout, const struct upd_partition *row)
{
    if (row->subtype == UPD_PARTITION_APP_FACTORY) {
        layout->factory = row->offset != 0;
    } else if (row->subtype == UPD_PARTITION_APP_TEST) {
        layout->test = row->offset != 0;
    } else if ((row->subtype & 0xF0) == UPD_PARTITION_APP_OTA_0) {
        uint16_t bit = (uint16_t)(1u << (row->subtype & 0x0F));
        layout->slots = (uint16_t)(row->size != 0 ? layout->slots | bit : layout->slots & ~bit);
        layout->slot_count++;
    }
}

struct upd_boot_layout upd_partition_layout(const struct upd_partition *rows, uint32_t count)
{
    struct upd_boot_layout layout = {0};

    for (uint32_t i = 0; i < count; i++) {
        if (rows[i].type == UPD_PARTITION_APP) {
            add_app(&layout, &rows[i]);
        } else if (rows[i].type == UPD_PARTITION_DATA &&
                   rows[i].subtype == UPD_PARTITION_DATA_OTA) {
            layout.otadata_offset = rows[i].offset;
            layout.otadata_size = rows[i].size;
        }
    }
    return layout;
}
