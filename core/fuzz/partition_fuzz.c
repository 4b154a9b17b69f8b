/*
 * Any bytes as a binary table, by the tools' rules and by each chip's.
 *
 * Held: what the tool accepts, the chips' decoding gives too; a table that verifies and that CSV
 * can carry comes back from CSV byte for byte; what is refused has a message.
 */
#include <updraft/bytes.h>
#include <updraft/partition_csv.h>

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HOLD(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

#define CAPACITY 96

static struct upd_partition rows[CAPACITY], again[CAPACITY];
static struct upd_partition_source sources[CAPACITY], again_sources[CAPACITY];
static char csv[65536], scratch[262144], error[4096], warnings[65536], listing[65536];
static uint8_t table[UPD_PARTITION_TABLE_SIZE], second[UPD_PARTITION_TABLE_SIZE];

static struct upd_partition_log new_log(void)
{
    return (struct upd_partition_log){upd_text_on(error, sizeof error),
                                      upd_text_on(warnings, sizeof warnings),
                                      upd_text_on(listing, sizeof listing)};
}

static void read_as_chips(const uint8_t *data, uint32_t size)
{
    uint32_t count, at;

    for (int reader = UPD_PARTITION_BY_IDF_BOOT; reader <= UPD_PARTITION_BY_RTOS_BOOT; reader++) {
        enum upd_err err = upd_partition_read((enum upd_partition_reader)reader, data, size,
                                              4u << 20, again, &count, &at);
        HOLD(at <= CAPACITY && count <= CAPACITY && (err == UPD_OK || count == 0));
        struct upd_boot_layout layout = upd_partition_layout(again, count);
        HOLD(layout.slot_count <= count);
        (void)upd_partition_slot_count(again, count);
        (void)upd_partition_boot_default(again, count);
    }
}

/* CSV cannot carry every table: it wants rising offsets, plain names, and known flags. */
static bool fits_csv(const struct upd_partition_rules *rules, const struct upd_partition_list *list)
{
    uint64_t end = rules->table_offset + UPD_PARTITION_SECTOR_SIZE;
    uint32_t known = rules->dialect == UPD_PARTITION_IDF ? 3 : 1;

    for (uint32_t i = 0; i < list->count; i++) {
        const struct upd_partition *row = &list->rows[i];
        uint32_t name_size = upd_partition_name_size(row);
        bool has_place =
            rules->dialect == UPD_PARTITION_IDF &&
            (row->type == UPD_PARTITION_BOOTLOADER || row->type == UPD_PARTITION_TABLE);
        if (has_place || row->offset < end || (row->flags & ~known) != 0 ||
            !upd_partition_name_fits_csv(row)) {
            return false;
        }
        for (uint32_t k = name_size; k < UPD_PARTITION_NAME_SIZE; k++) {
            if (row->name[k] != 0) {
                return false; /* what hides behind a NUL is lost */
            }
        }
        end = (uint64_t)row->offset + row->size;
    }
    return true;
}

static void round_trip(const struct upd_partition_rules *rules,
                       const struct upd_partition_list *list)
{
    struct upd_partition_list back = {again, again_sources, CAPACITY, 0};
    struct upd_partition_log log = new_log();
    struct upd_text text = upd_text_on(csv, sizeof csv);

    upd_partition_csv_write(rules, list, &text);
    HOLD(upd_text_is_whole(&text));
    HOLD(upd_partition_csv_read(rules, csv, text.length, scratch, sizeof scratch, &back, &log) ==
         UPD_OK);
    HOLD(back.count == list->count);
    HOLD(memcmp(again, rows, list->count * sizeof rows[0]) == 0);
    if (upd_partition_csv_build(rules, list, table, &log) == UPD_OK) {
        HOLD(upd_partition_csv_build(rules, &back, second, &log) == UPD_OK);
        HOLD(memcmp(table, second, sizeof table) == 0);
    } else {
        HOLD(log.error.length != 0);
    }
}

static void read_as_tool(struct upd_partition_rules rules, const uint8_t *data, uint32_t size)
{
    struct upd_partition_list list = {rows, sources, CAPACITY, 0};
    struct upd_partition_log log = new_log();
    enum upd_err err = upd_partition_table_read(&rules, data, size, &list, &log);

    HOLD((err == UPD_OK) == (log.error.length == 0));
    if (err != UPD_OK) {
        HOLD(list.count == 0);
        return;
    }
    for (uint32_t i = 0; i < list.count; i++) {
        HOLD(sources[i].name_size == upd_partition_name_size(&rows[i]));
    }
    err = upd_partition_verify(&rules, &list, &log);
    HOLD((err == UPD_OK) == (log.error.length == 0));
    if (err == UPD_OK && fits_csv(&rules, &list)) {
        round_trip(&rules, &list);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct upd_partition_rules rules = UPD_PARTITION_RULES(UPD_PARTITION_IDF);
    uint32_t length = size > 8192 ? 8192 : (uint32_t)size;

    read_as_chips(data, length);
    read_as_tool(rules, data, length);
    rules.md5 = false;
    read_as_tool(rules, data, length);
    rules.dialect = UPD_PARTITION_RTOS;
    read_as_tool(rules, data, length);
    return 0;
}
