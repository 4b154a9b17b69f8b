#include "partition_rules.h"

#include <updraft/bytes.h>
#include <updraft/md5.h>

#define IDF (1u << UPD_PARTITION_IDF)
#define RTOS (1u << UPD_PARTITION_RTOS)

#define SECTOR UPD_PARTITION_SECTOR_SIZE
#define OTADATA_SIZE 0x2000u
#define NVS_WRITABLE_MIN 0x3000u

/* --- Keywords ------------------------------------------------------------------------------- */

/* One row per keyword, in the order in which the original tools define and list them. */
static const struct keyword {
    const char *name;
    uint16_t type; /* of which it is a subtype, or UPD_PARTITION_TYPES */
    uint8_t value;
    uint8_t dialects;
} keywords[] = {
    {"bootloader", UPD_PARTITION_TYPES, UPD_PARTITION_BOOTLOADER, IDF},
    {"partition_table", UPD_PARTITION_TYPES, UPD_PARTITION_TABLE, IDF},
    {"app", UPD_PARTITION_TYPES, UPD_PARTITION_APP, IDF | RTOS},
    {"data", UPD_PARTITION_TYPES, UPD_PARTITION_DATA, IDF | RTOS},

    {"primary", UPD_PARTITION_BOOTLOADER, UPD_PARTITION_PRIMARY, IDF},
    {"ota", UPD_PARTITION_BOOTLOADER, 0x01, IDF},
    {"recovery", UPD_PARTITION_BOOTLOADER, UPD_PARTITION_RECOVERY, IDF},

    {"primary", UPD_PARTITION_TABLE, UPD_PARTITION_PRIMARY, IDF},
    {"ota", UPD_PARTITION_TABLE, 0x01, IDF},

    {"factory", UPD_PARTITION_APP, UPD_PARTITION_APP_FACTORY, IDF | RTOS},
    {"test", UPD_PARTITION_APP, UPD_PARTITION_APP_TEST, IDF | RTOS},
    {"ota_0", UPD_PARTITION_APP, 0x10, IDF | RTOS},
    {"ota_1", UPD_PARTITION_APP, 0x11, IDF | RTOS},
    {"ota_2", UPD_PARTITION_APP, 0x12, IDF | RTOS},
    {"ota_3", UPD_PARTITION_APP, 0x13, IDF | RTOS},
    {"ota_4", UPD_PARTITION_APP, 0x14, IDF | RTOS},
    {"ota_5", UPD_PARTITION_APP, 0x15, IDF | RTOS},
    {"ota_6", UPD_PARTITION_APP, 0x16, IDF | RTOS},
    {"ota_7", UPD_PARTITION_APP, 0x17, IDF | RTOS},
    {"ota_8", UPD_PARTITION_APP, 0x18, IDF | RTOS},
    {"ota_9", UPD_PARTITION_APP, 0x19, IDF | RTOS},
    {"ota_10", UPD_PARTITION_APP, 0x1A, IDF | RTOS},
    {"ota_11", UPD_PARTITION_APP, 0x1B, IDF | RTOS},
    {"ota_12", UPD_PARTITION_APP, 0x1C, IDF | RTOS},
    {"ota_13", UPD_PARTITION_APP, 0x1D, IDF | RTOS},
    {"ota_14", UPD_PARTITION_APP, 0x1E, IDF | RTOS},
    {"ota_15", UPD_PARTITION_APP, 0x1F, IDF | RTOS},
    {"tee_0", UPD_PARTITION_APP, 0x30, IDF},
    {"tee_1", UPD_PARTITION_APP, 0x31, IDF},

    {"ota", UPD_PARTITION_DATA, UPD_PARTITION_DATA_OTA, IDF | RTOS},
    {"phy", UPD_PARTITION_DATA, UPD_PARTITION_DATA_PHY, IDF | RTOS},
    {"nvs", UPD_PARTITION_DATA, UPD_PARTITION_DATA_NVS, IDF | RTOS},
    {"coredump", UPD_PARTITION_DATA, UPD_PARTITION_DATA_COREDUMP, IDF | RTOS},
    {"nvs_keys", UPD_PARTITION_DATA, UPD_PARTITION_DATA_NVS_KEYS, IDF | RTOS},
    {"efuse", UPD_PARTITION_DATA, UPD_PARTITION_DATA_EFUSE, IDF | RTOS},
    {"undefined", UPD_PARTITION_DATA, UPD_PARTITION_DATA_UNDEFINED, IDF},
    {"esphttpd", UPD_PARTITION_DATA, 0x80, IDF | RTOS},
    {"fat", UPD_PARTITION_DATA, 0x81, IDF | RTOS},
    {"spiffs", UPD_PARTITION_DATA, 0x82, IDF | RTOS},
    {"littlefs", UPD_PARTITION_DATA, 0x83, IDF},
    {"tee_ota", UPD_PARTITION_DATA, UPD_PARTITION_DATA_TEE_OTA, IDF},
};
#define KEYWORD_COUNT (sizeof keywords / sizeof keywords[0])

bool upd_partition_keyword(const struct upd_partition_rules *rules, uint32_t type, uint32_t index,
                           struct slice *name, uint8_t *value)
{
    for (uint32_t i = 0; i < KEYWORD_COUNT; i++) {
        if (keywords[i].type == type && (keywords[i].dialects >> rules->dialect & 1) != 0 &&
            index-- == 0) {
            *name = upd_slice_of(keywords[i].name);
            *value = keywords[i].value;
            return true;
        }
    }
    for (uint32_t i = 0; i < rules->extra_count; i++) {
        const struct upd_partition_subtype *extra = &rules->extra[i];
        if (extra->type == type && index-- == 0) {
            *name = (struct slice){extra->name, extra->name_size};
            *value = extra->value;
            return true;
        }
    }
    return false;
}

bool upd_partition_keyword_value(const struct upd_partition_rules *rules, uint32_t type,
                                 struct slice name, uint8_t *value)
{
    struct slice keyword;

    for (uint32_t i = 0; upd_partition_keyword(rules, type, i, &keyword, value); i++) {
        if (upd_slice_equal(keyword, name)) {
            return true;
        }
    }
    return false;
}

static struct slice keyword_of(const struct upd_partition_rules *rules, uint32_t type,
                               uint8_t value)
{
    struct slice keyword;
    uint8_t its_value;

    for (uint32_t i = 0; upd_partition_keyword(rules, type, i, &keyword, &its_value); i++) {
        if (its_value == value) {
            return keyword;
        }
    }
    return (struct slice){NULL, 0};
}

const char *upd_partition_type_name(const struct upd_partition_rules *rules, uint8_t type,
                                    uint32_t *size)
{
    struct slice name = keyword_of(rules, UPD_PARTITION_TYPES, type);

    *size = name.size;
    return name.at;
}

const char *upd_partition_subtype_name(const struct upd_partition_rules *rules, uint8_t type,
                                       uint8_t subtype, uint32_t *size)
{
    struct slice name = keyword_of(rules, type, subtype);

    *size = name.size;
    return name.at;
}

bool upd_partition_flag(const struct upd_partition_rules *rules, uint32_t index, struct slice *name,
                        uint32_t *bit)
{
    static const char *const names[] = {"encrypted", "readonly"};

    if (index >= (rules->dialect == UPD_PARTITION_IDF ? 2u : 1u)) {
        return false;
    }
    *name = upd_slice_of(names[index]);
    *bit = 1u << index;
    return true;
}

/* --- Rules ---------------------------------------------------------------------------------- */

enum upd_err upd_partition_rules_check(const struct upd_partition_rules *rules,
                                       struct upd_text *error)
{
    if (rules->primary_bootloader == UPD_PARTITION_NOWHERE ||
        rules->primary_bootloader < rules->table_offset) {
        return UPD_OK;
    }
    upd_text_add(error, "Unsupported configuration. Primary bootloader must be below partition "
                        "table. Check --primary-bootloader-offset=0x");
    upd_text_hex(error, rules->primary_bootloader, 1);
    upd_text_add(error, " and --offset=0x");
    upd_text_hex(error, rules->table_offset, 1);
    return UPD_E_ARG;
}

/* int(text, 16) of Python, for what fits a byte. */
static bool hex_byte(struct slice text, uint8_t *value)
{
    uint32_t sum = 0;

    if (text.size > 2 && text.at[0] == '0' && (text.at[1] == 'x' || text.at[1] == 'X')) {
        text.at += 2;
        text.size -= 2;
    }
    for (uint32_t i = 0; i < text.size; i++) {
        char c = text.at[i];
        uint32_t digit = c >= '0' && c <= '9'   ? (uint32_t)(c - '0')
                         : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a' + 10)
                         : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A' + 10)
                                                : 16;
        sum = sum * 16 + digit;
        if (digit == 16 || sum > 0xFF) {
            return false;
        }
    }
    *value = (uint8_t)sum;
    return text.size != 0;
}

static enum upd_err refuse_subtype(struct upd_text *error, const char *why, struct slice what)
{
    upd_text_add(error, "Error parsing custom subtypes: ");
    upd_text_add(error, why);
    upd_text_slice(error, what);
    return UPD_E_FORMAT;
}

enum upd_err upd_partition_subtype_read(const struct upd_partition_rules *rules, const char *text,
                                        struct upd_partition_subtype *subtype,
                                        struct upd_text *error)
{
    const struct slice none = {text, 0};
    struct slice rest = upd_slice_of(text);
    struct slice type_name = upd_slice_trim(upd_slice_split(&rest, ','));
    struct slice name = upd_slice_trim(upd_slice_split(&rest, ','));
    struct slice value_text = upd_slice_trim(upd_slice_split(&rest, ','));
    uint8_t type, value, old;

    if (!upd_partition_keyword_value(rules, UPD_PARTITION_TYPES, type_name, &type)) {
        return refuse_subtype(error, "Invalid partition type", none);
    }
    if (name.size == 0 || value_text.size == 0) {
        return refuse_subtype(error, "A subtype is given as \"type, name, value\"", none);
    }
    if (!hex_byte(value_text, &value)) {
        return refuse_subtype(error, "Invalid field value ", value_text);
    }
    if (keyword_of(rules, type, value).at != NULL) {
        return refuse_subtype(error, "Found duplicate value in partition subtype", none);
    }
    if (upd_partition_keyword_value(rules, type, name, &old)) {
        return refuse_subtype(error, "Found duplicate name in partition subtype", none);
    }
    *subtype = (struct upd_partition_subtype){name.at, name.size, type, value};
    return UPD_OK;
}

bool upd_partition_is_primary(const struct upd_partition_rules *rules,
                              const struct upd_partition *row)
{
    return rules->dialect == UPD_PARTITION_IDF && row->subtype == UPD_PARTITION_PRIMARY &&
           (row->type == UPD_PARTITION_BOOTLOADER || row->type == UPD_PARTITION_TABLE);
}

uint32_t upd_partition_alignment(const struct upd_partition_rules *rules, uint8_t type)
{
    if (rules->dialect == UPD_PARTITION_RTOS) {
        return type == UPD_PARTITION_APP ? SECTOR : 4;
    }
    return type == UPD_PARTITION_APP ? 0x10000 : SECTOR;
}

/* --- CSV output ----------------------------------------------------------------------------- */

static void say_keyword(struct upd_text *text, struct slice keyword, uint8_t value)
{
    if (keyword.at != NULL) {
        upd_text_slice(text, keyword);
    } else {
        upd_text_decimal(text, value);
    }
}

static void say_size(struct upd_text *text, uint32_t size)
{
    if ((size & 0xFFFFF) == 0) {
        upd_text_decimal(text, size >> 20);
        upd_text_add(text, "M");
    } else if ((size & 0x3FF) == 0) {
        upd_text_decimal(text, size >> 10);
        upd_text_add(text, "K");
    } else {
        upd_text_add(text, "0x");
        upd_text_hex(text, size, 1);
    }
}

static struct slice name_of(const struct upd_partition_list *list, uint32_t index)
{
    return (struct slice){list->sources[index].name, list->sources[index].name_size};
}

static void say_row(const struct upd_partition_rules *rules, const struct upd_partition_list *list,
                    uint32_t index, struct upd_text *text)
{
    const struct upd_partition *row = &list->rows[index];
    const char *separator = "";
    struct slice flag;
    uint32_t bit;

    upd_text_slice(text, name_of(list, index));
    upd_text_add(text, ",");
    say_keyword(text, keyword_of(rules, UPD_PARTITION_TYPES, row->type), row->type);
    upd_text_add(text, ",");
    say_keyword(text, keyword_of(rules, row->type, row->subtype), row->subtype);
    upd_text_add(text, ",0x");
    upd_text_hex(text, row->offset, 1);
    upd_text_add(text, ",");
    say_size(text, row->size);
    upd_text_add(text, ",");
    for (uint32_t i = 0; upd_partition_flag(rules, i, &flag, &bit); i++) {
        if ((row->flags & bit) != 0) {
            upd_text_add(text, separator);
            upd_text_slice(text, flag);
            separator = ":";
        }
    }
    upd_text_add(text, "\n");
}

void upd_partition_csv_write(const struct upd_partition_rules *rules,
                             const struct upd_partition_list *list, struct upd_text *csv)
{
    upd_text_add(csv, rules->dialect == UPD_PARTITION_IDF ? "# ESP-IDF Partition Table\n"
                                                          : "# Espressif ESP32 Partition Table\n");
    upd_text_add(csv, "# Name, Type, SubType, Offset, Size, Flags\n");
    for (uint32_t i = 0; i < list->count; i++) {
        say_row(rules, list, i, csv);
    }
}

bool upd_partition_name_fits_csv(const struct upd_partition *row)
{
    struct slice name = {(const char *)row->name, upd_partition_name_size(row)};
    struct slice rest = name;

    if (upd_slice_trim(name).size != name.size || (name.size != 0 && name.at[0] == '#')) {
        return false;
    }
    while (rest.size != 0) {
        uint32_t point;
        uint32_t size = upd_utf8_decode(rest.at, rest.size, &point);
        if (size == 0 || point == ',' || upd_is_line_end(point)) {
            return false;
        }
        /* Would be taken for a variable; "{" needs no "}" in the name, a later cell may have it. */
        if (point == '$' && rest.size > 1 && (upd_is_word(rest.at[1]) || rest.at[1] == '{')) {
            return false;
        }
        rest.at += size;
        rest.size -= size;
    }
    return true;
}

/* --- Binary --------------------------------------------------------------------------------- */

void upd_partition_say_too_long(const struct upd_partition_rules *rules, uint32_t count,
                                struct upd_partition_log *log)
{
    upd_text_add(&log->error, "Binary partition table length (");
    upd_text_decimal(&log->error,
                     (int64_t)(count + (rules->md5 ? 1u : 0u)) * UPD_PARTITION_ROW_SIZE);
    upd_text_add(&log->error, ") longer than max");
}

enum upd_err upd_partition_csv_build(const struct upd_partition_rules *rules,
                                     const struct upd_partition_list *list,
                                     uint8_t data[UPD_PARTITION_TABLE_SIZE],
                                     struct upd_partition_log *log)
{
    enum upd_err err = upd_partition_build(list->rows, list->count, rules->md5, data);

    if (err != UPD_OK) {
        upd_partition_say_too_long(rules, list->count, log);
    }
    return err;
}

/* repr() of two bytes in Python, as the message about a bad magic shows them. */
static void say_repr(struct upd_text *text, const uint8_t bytes[2])
{
    bool has_single = bytes[0] == '\'' || bytes[1] == '\'';
    bool has_double = bytes[0] == '"' || bytes[1] == '"';
    char quote = has_single && !has_double ? '"' : '\'';

    upd_text_add(text, "b");
    upd_text_bytes(text, &quote, 1);
    for (uint32_t i = 0; i < 2; i++) {
        char c = (char)bytes[i];
        if (c == '\t' || c == '\n' || c == '\r') {
            upd_text_add(text, c == '\t' ? "\\t" : c == '\n' ? "\\n" : "\\r");
        } else if (bytes[i] < 0x20 || bytes[i] >= 0x7F) {
            upd_text_add(text, "\\x");
            upd_text_hex(text, bytes[i], 2);
        } else {
            if (c == '\\' || c == quote) {
                upd_text_add(text, "\\");
            }
            upd_text_bytes(text, &c, 1);
        }
    }
    upd_text_bytes(text, &quote, 1);
}

static void say_digest(struct upd_text *text, const uint8_t digest[UPD_MD5_SIZE])
{
    for (uint32_t i = 0; i < UPD_MD5_SIZE; i++) {
        upd_text_hex(text, digest[i], 2);
    }
}

static enum upd_err check_md5(const struct upd_md5 *so_far, const uint8_t *row,
                              struct upd_text *error)
{
    struct upd_md5 md5 = *so_far;
    uint8_t digest[UPD_MD5_SIZE];

    upd_md5_final(&md5, digest);
    if (memcmp(row + 16, digest, sizeof digest) == 0) {
        return UPD_OK;
    }
    upd_text_add(error, "MD5 checksums don't match! (computed: 0x");
    say_digest(error, digest);
    /* The original prints the second one as a bytes object. */
    upd_text_add(error, ", parsed: 0xb'");
    say_digest(error, row + 16);
    upd_text_add(error, "')");
    return UPD_E_AUTH;
}

/* Decode a row that has the magic bytes, and look at what the original looks at. */
static enum upd_err take_row(const struct upd_partition_rules *rules, const uint8_t *bytes,
                             uint32_t number, struct upd_partition_list *list,
                             struct upd_partition_log *log)
{
    struct upd_partition row;
    struct slice name, flag;
    uint32_t bit, unknown, point, size;

    if (upd_partition_decode(bytes, &row) != UPD_OK) {
        upd_text_add(&log->error, "Invalid magic bytes (");
        say_repr(&log->error, bytes);
        upd_text_add(&log->error, ") for partition definition");
        return UPD_E_FORMAT;
    }
    name = (struct slice){(const char *)bytes + 12, upd_partition_name_size(&row)};
    for (uint32_t at = 0; at < name.size; at += size) {
        size = upd_utf8_decode(name.at + at, name.size - at, &point);
        if (size == 0) {
            upd_text_add(&log->error, "Partition row ");
            upd_text_decimal(&log->error, number);
            upd_text_add(&log->error, " has a name that is not UTF-8 text");
            return UPD_E_FORMAT;
        }
    }
    unknown = row.flags;
    for (uint32_t i = 0; upd_partition_flag(rules, i, &flag, &bit); i++) {
        unknown &= ~bit;
    }
    if (unknown != 0) {
        upd_text_add(&log->warnings, "WARNING: Partition definition had unknown flag(s) 0x");
        upd_text_hex(&log->warnings, unknown, 8);
        upd_text_add(&log->warnings, ". Newer binary format?\n");
    }
    if (list->count == list->capacity) {
        upd_partition_say_too_long(rules, list->count + 1, log);
        return UPD_E_SPACE;
    }
    list->sources[list->count] =
        (struct upd_partition_source){name.at, name.size, number, row.offset, row.size, true};
    list->rows[list->count++] = row;
    return UPD_OK;
}

static bool is_end(const uint8_t *row)
{
    for (uint32_t i = 0; i < UPD_PARTITION_ROW_SIZE; i++) {
        if (row[i] != 0xFF) {
            return false;
        }
    }
    return true;
}

/* As the original reads: an MD5 row may stand anywhere and more than once, if each is right. */
static enum upd_err read_rows(const struct upd_partition_rules *rules, struct upd_reader *in,
                              struct upd_partition_list *list, struct upd_partition_log *log)
{
    struct upd_md5 md5;
    const uint8_t *row;

    upd_md5_init(&md5);
    for (uint32_t number = 1; upd_take(in, UPD_PARTITION_ROW_SIZE, &row); number++) {
        enum upd_err err;
        if (is_end(row)) {
            return UPD_OK;
        }
        if (rules->md5 && row[0] == 0xEB && row[1] == 0xEB) {
            err = check_md5(&md5, row, &log->error);
        } else {
            upd_md5_update(&md5, row, UPD_PARTITION_ROW_SIZE);
            err = take_row(rules, row, number, list, log);
        }
        if (err != UPD_OK) {
            return err;
        }
    }
    upd_text_add(&log->error, in->left != 0
                                  ? "Partition table length must be a multiple of 32 bytes"
                                  : "Partition table is missing an end-of-table marker");
    return UPD_E_FORMAT;
}

enum upd_err upd_partition_table_read(const struct upd_partition_rules *rules, const void *data,
                                      uint32_t size, struct upd_partition_list *list,
                                      struct upd_partition_log *log)
{
    struct upd_reader in = {data, size};
    enum upd_err err;

    list->count = 0;
    err = read_rows(rules, &in, list, log);
    if (err != UPD_OK) {
        list->count = 0;
    }
    return err;
}

/* --- Verification --------------------------------------------------------------------------- */

/* What the functions below need of a table; `log` gets what they say. */
struct check {
    const struct upd_partition_rules *rules;
    const struct upd_partition_list *list;
    struct upd_partition_log *log;
};

static struct upd_text *invalid(const struct check *check, uint32_t index)
{
    struct upd_text *error = &check->log->error;

    upd_text_add(error, "Partition ");
    upd_text_slice(error, name_of(check->list, index));
    upd_text_add(error, " invalid: ");
    return error;
}

static enum upd_err misaligned(const struct check *check, uint32_t index, const char *what,
                               uint32_t value, uint32_t alignment)
{
    struct upd_text *error = invalid(check, index);

    upd_text_add(error, what);
    upd_text_add(error, " 0x");
    upd_text_hex(error, value, 1);
    upd_text_add(error, " is not aligned to 0x");
    upd_text_hex(error, alignment, 1);
    return UPD_E_FORMAT;
}

static enum upd_err check_alignment(const struct check *check, uint32_t index)
{
    const struct upd_partition_rules *rules = check->rules;
    const struct upd_partition *row = &check->list->rows[index];
    uint32_t alignment = upd_partition_alignment(rules, row->type);

    if ((row->offset & (alignment - 1)) != 0) {
        return misaligned(check, index, "Offset", row->offset, alignment);
    }
    if (rules->dialect == UPD_PARTITION_RTOS) {
        if (rules->secure == UPD_PARTITION_SECURE_NONE) {
            return UPD_OK;
        }
    } else {
        if (row->type != UPD_PARTITION_APP) {
            return UPD_OK;
        }
        alignment = rules->secure == UPD_PARTITION_SECURE_V1 ? 0x10000 : SECTOR;
    }
    if ((row->size & (alignment - 1)) != 0) {
        return misaligned(check, index, "Size", row->size, alignment);
    }
    return UPD_OK;
}

static void warn_of_name(const struct check *check, uint32_t index)
{
    const struct upd_partition *row = &check->list->rows[index];
    struct upd_text *warnings = &check->log->warnings;
    struct slice name = name_of(check->list, index);
    bool known = false;
    uint8_t value;

    if (upd_partition_keyword_value(check->rules, UPD_PARTITION_TYPES, name, &value) &&
        value != row->type) {
        upd_text_add(warnings, "WARNING: Partition has name '");
        upd_text_slice(warnings, name);
        upd_text_add(warnings, "' which is a partition type, but does not match this partition's "
                               "type (0x");
        upd_text_hex(warnings, row->type, 1);
        upd_text_add(warnings, "). Mistake in partition table?\n");
    }
    for (uint32_t type = 0; type <= UPD_PARTITION_TABLE && !known; type++) {
        known = upd_partition_keyword_value(check->rules, type, name, &value);
    }
    if (known && !(upd_partition_keyword_value(check->rules, row->type, name, &value) &&
                   value == row->subtype)) {
        upd_text_add(warnings, "WARNING: Partition has name '");
        upd_text_slice(warnings, name);
        upd_text_add(warnings, "' which is a partition subtype, but this partition has "
                               "non-matching type 0x");
        upd_text_hex(warnings, row->type, 1);
        upd_text_add(warnings, " and subtype 0x");
        upd_text_hex(warnings, row->subtype, 1);
        upd_text_add(warnings, ". Mistake in partition table?\n");
    }
}

static struct upd_text *bad_data(const struct check *check, uint32_t index, const char *how)
{
    struct upd_text *error = invalid(check, index);

    upd_text_add(error, "'");
    upd_text_slice(error, name_of(check->list, index));
    upd_text_add(error, "' partition of type 1 and subtype ");
    upd_text_decimal(error, check->list->rows[index].subtype);
    upd_text_add(error, how);
    return error;
}

/* IDF: what is always written to must not be read-only, and NVS must have room to be written to. */
static enum upd_err check_writable(const struct check *check, uint32_t index)
{
    const struct upd_partition *row = &check->list->rows[index];
    bool readonly = (row->flags & UPD_PARTITION_READONLY) != 0;

    if (check->rules->dialect != UPD_PARTITION_IDF || row->type != UPD_PARTITION_DATA) {
        return UPD_OK;
    }
    if (readonly &&
        (row->subtype == UPD_PARTITION_DATA_OTA || row->subtype == UPD_PARTITION_DATA_COREDUMP)) {
        (void)bad_data(check, index, " is always read-write and cannot be read-only");
        return UPD_E_FORMAT;
    }
    if (!readonly && row->subtype == UPD_PARTITION_DATA_NVS && row->size < NVS_WRITABLE_MIN) {
        struct upd_text *error = bad_data(check, index, " of this size (0x");
        upd_text_hex(error, row->size, 1);
        upd_text_add(error, ") must be flagged as 'readonly' (the size of read/write NVS has to be "
                            "at least 0x");
        upd_text_hex(error, NVS_WRITABLE_MIN, 1);
        upd_text_add(error, ")");
        return UPD_E_FORMAT;
    }
    return UPD_OK;
}

/* Where row `one` comes in a list sorted by name; equal names keep their order. */
static bool name_comes_before(const struct upd_partition_list *list, uint32_t one, uint32_t other)
{
    int order = upd_slice_compare(name_of(list, one), name_of(list, other));
    return order < 0 || (order == 0 && one < other);
}

static bool offset_comes_before(const struct upd_partition_list *list, uint32_t one, uint32_t other)
{
    uint32_t first = list->rows[one].offset, second = list->rows[other].offset;
    return first < second || (first == second && one < other);
}

/*
 * Walk a list in sorted order without sorting it: the next row after `*index` (or the first one,
 * when it is list->count). A table has at most a few hundred rows.
 */
static bool next_sorted(const struct upd_partition_list *list,
                        bool (*comes_before)(const struct upd_partition_list *, uint32_t, uint32_t),
                        uint32_t *index)
{
    uint32_t last = *index, best = list->count;

    for (uint32_t i = 0; i < list->count; i++) {
        if ((last == list->count || comes_before(list, last, i)) &&
            (best == list->count || comes_before(list, i, best))) {
            best = i;
        }
    }
    *index = best;
    return best != list->count;
}

static bool has_namesake(const struct upd_partition_list *list, uint32_t index)
{
    for (uint32_t i = 0; i < list->count; i++) {
        if (i != index && upd_slice_equal(name_of(list, i), name_of(list, index))) {
            return true;
        }
    }
    return false;
}

static enum upd_err check_names(const struct check *check)
{
    const struct upd_partition_list *list = check->list;
    uint32_t index = list->count;
    bool found = false;

    while (next_sorted(list, name_comes_before, &index)) {
        if (has_namesake(list, index)) {
            if (!found) {
                upd_text_add(&check->log->listing,
                             "A list of partitions that have the same name:\n");
            }
            found = true;
            say_row(check->rules, list, index, &check->log->listing);
        }
    }
    if (found) {
        upd_text_add(&check->log->error, "Partition names must be unique");
        return UPD_E_FORMAT;
    }
    return UPD_OK;
}

static enum upd_err check_places(const struct check *check)
{
    const struct upd_partition_list *list = check->list;
    struct upd_text *error = &check->log->error;
    uint64_t usable = (uint64_t)check->rules->table_offset + SECTOR;
    const struct upd_partition *last = NULL;

    for (uint32_t i = list->count; next_sorted(list, offset_comes_before, &i);) {
        const struct upd_partition *row = &list->rows[i];
        if (row->offset < usable && !upd_partition_is_primary(check->rules, row)) {
            upd_text_add(error, "Partition offset 0x");
            upd_text_hex(error, row->offset, 1);
            upd_text_add(error, " is below 0x");
            upd_text_hex(error, (int64_t)usable, 1);
            return UPD_E_FORMAT;
        }
        if (last != NULL && row->offset < (uint64_t)last->offset + last->size) {
            upd_text_add(error, "Partition at 0x");
            upd_text_hex(error, row->offset, 1);
            upd_text_add(error, " overlaps 0x");
            upd_text_hex(error, last->offset, 1);
            upd_text_add(error, "-0x");
            upd_text_hex(error, (int64_t)last->offset + last->size - 1, 1);
            return UPD_E_FORMAT;
        }
        last = row;
    }
    return UPD_OK;
}

/* IDF: at most one otadata of each kind, and of the right size. */
static const struct otadata_kind {
    uint8_t subtype;
    const char *several, *wrong_size;
} otadata_kinds[] = {
    {UPD_PARTITION_DATA_OTA,
     "Found multiple otadata partitions. Only one partition can be defined with type=\"data\"(1) "
     "and subtype=\"ota\"(0).",
     "otadata partition must have size = 0x2000"},
    {UPD_PARTITION_DATA_TEE_OTA,
     "Found multiple TEE otadata partitions. Only one partition can be defined with "
     "type=\"data\"(1) and subtype=\"tee_ota\"(0x90).",
     "TEE otadata partition must have size = 0x2000"},
};

static enum upd_err check_otadata(const struct check *check, const struct otadata_kind *kind)
{
    const struct upd_partition_list *list = check->list;
    uint32_t found = 0;
    bool fits = true;

    for (uint32_t i = 0; i < list->count; i++) {
        const struct upd_partition *row = &list->rows[i];
        if (row->type == UPD_PARTITION_DATA && row->subtype == kind->subtype) {
            found++;
            fits = row->size == OTADATA_SIZE;
        }
    }
    if (found == 0 || (found == 1 && fits)) {
        return UPD_OK;
    }
    for (uint32_t i = 0; i < list->count; i++) {
        const struct upd_partition *row = &list->rows[i];
        if (row->type == UPD_PARTITION_DATA && row->subtype == kind->subtype) {
            say_row(check->rules, list, i, &check->log->listing);
        }
    }
    upd_text_add(&check->log->error, found > 1 ? kind->several : kind->wrong_size);
    return UPD_E_FORMAT;
}

enum upd_err upd_partition_verify(const struct upd_partition_rules *rules,
                                  const struct upd_partition_list *list,
                                  struct upd_partition_log *log)
{
    const struct check check = {rules, list, log};
    enum upd_err err = UPD_OK;

    for (uint32_t i = 0; i < list->count && err == UPD_OK; i++) {
        err = check_alignment(&check, i);
        if (err == UPD_OK) {
            warn_of_name(&check, i);
            err = check_writable(&check, i);
        }
    }
    if (err == UPD_OK) {
        err = check_names(&check);
    }
    if (err == UPD_OK) {
        err = check_places(&check);
    }
    if (rules->dialect == UPD_PARTITION_IDF) {
        for (uint32_t i = 0; i < 2 && err == UPD_OK; i++) {
            err = check_otadata(&check, &otadata_kinds[i]);
        }
    }
    return err;
}

/* "%.1f" of MiB: to the nearest tenth, to the even one when it lies in the middle. */
static void say_megabytes(struct upd_text *text, uint64_t size)
{
    uint64_t tenfold = size * 10;
    uint32_t rest = (uint32_t)tenfold & 0xFFFFF;
    uint32_t tenths = (uint32_t)(tenfold >> 20);

    if (rest > 0x80000 || (rest == 0x80000 && tenths % 2 != 0)) {
        tenths++;
    }
    upd_text_decimal(text, tenths / 10);
    upd_text_add(text, ".");
    upd_text_decimal(text, tenths % 10);
}

enum upd_err upd_partition_fits(const struct upd_partition_rules *rules,
                                const struct upd_partition_list *list, uint32_t flash_size,
                                struct upd_partition_log *log)
{
    const struct upd_partition *last = NULL;
    struct upd_text *error = &log->error;
    uint64_t end;

    for (uint32_t i = 0; i < list->count; i++) {
        if (last == NULL || list->rows[i].offset > last->offset) {
            last = &list->rows[i];
        }
    }
    end = last == NULL ? 0 : (uint64_t)last->offset + last->size;
    if (end <= flash_size) {
        return UPD_OK;
    }
    if (rules->dialect == UPD_PARTITION_IDF) {
        upd_text_add(error, "Partitions tables occupies ");
    } else {
        upd_text_add(error, "Partitions defined in '");
        upd_text_add(error, rules->input);
        upd_text_add(error, "' occupy ");
    }
    say_megabytes(error, end);
    upd_text_add(error, "MB of flash (");
    upd_text_decimal(error, (int64_t)end);
    upd_text_add(error, " bytes) which does not fit in configured flash size ");
    upd_text_decimal(error, flash_size >> 20);
    upd_text_add(error, "MB. Change the flash size in menuconfig under the 'Serial Flasher Config' "
                        "menu.");
    return UPD_E_SPACE;
}
