/*
 * Any bytes as CSV, under every kind of rules; the last byte chooses them.
 *
 * Held: memory of any size is respected (it is allocated to the byte, so that AddressSanitizer sees
 * a step outside); failure and message go together; what is accepted builds a binary that reads
 * back as the same rows.
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

#define CAPACITY 100

static struct upd_partition rows[CAPACITY], again[CAPACITY];
static struct upd_partition_source sources[CAPACITY], again_sources[CAPACITY];
static char error[512], warnings[512], listing[512];
static uint8_t table[UPD_PARTITION_TABLE_SIZE];

static struct upd_partition_log new_log(void)
{
    return (struct upd_partition_log){upd_text_on(error, sizeof error),
                                      upd_text_on(warnings, sizeof warnings),
                                      upd_text_on(listing, sizeof listing)};
}

static const char *variable(void *ctx, const char *name, uint32_t size)
{
    (void)ctx;
    if (size == 3 && memcmp(name, "ROW", 3) == 0) {
        return "variable, app, ota_1, , ";
    }
    return size == 4 && memcmp(name, "SIZE", 4) == 0 ? "64K" : NULL;
}

static void read_back(const struct upd_partition_rules *rules,
                      const struct upd_partition_list *list)
{
    struct upd_partition_list back = {again, again_sources, CAPACITY, 0};
    struct upd_partition_log log = new_log();
    enum upd_err err = upd_partition_csv_build(rules, list, table, &log);

    HOLD((err == UPD_OK) == (log.error.length == 0));
    if (err != UPD_OK) {
        return;
    }
    err = upd_partition_table_read(rules, table, sizeof table, &back, &log);
    if (err == UPD_OK) {
        HOLD(back.count == list->count && log.warnings.length == 0);
        HOLD(memcmp(again, rows, list->count * sizeof rows[0]) == 0);
    } else {
        /* A name that was cut inside a character is no text any more. */
        HOLD(err == UPD_E_FORMAT && memcmp(error, "Partition row ", 14) == 0);
    }
}

static void read_text(const struct upd_partition_rules *rules, const uint8_t *data, uint32_t size,
                      uint32_t scratch_size, uint32_t capacity)
{
    struct upd_partition_list list = {rows, sources, capacity, 0};
    struct upd_partition_log log = new_log();
    char *scratch = malloc(scratch_size + 1);

    HOLD(scratch != NULL);
    enum upd_err err =
        upd_partition_csv_read(rules, data, size, scratch, scratch_size, &list, &log);
    HOLD((err == UPD_OK) == (log.error.length == 0));
    HOLD(err == UPD_OK || list.count == 0);
    for (uint32_t i = 0; i < list.count; i++) {
        HOLD(sources[i].name >= scratch &&
             sources[i].name + sources[i].name_size <= scratch + scratch_size);
        HOLD(sources[i].line != 0);
    }
    if (err == UPD_OK) {
        read_back(rules, &list);
        err = upd_partition_verify(rules, &list, &log);
        HOLD((err == UPD_OK) == (log.error.length == 0));
        if (err == UPD_OK) {
            (void)upd_partition_fits(rules, &list, 1u << 20, &log);
        }
    }
    free(scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct upd_partition_rules rules = UPD_PARTITION_RULES(UPD_PARTITION_IDF);
    uint32_t length = size > 8192 ? 8192 : (uint32_t)size;
    uint8_t choice = length == 0 ? 0 : data[length - 1];
    uint8_t *copy = malloc(length + 1);

    HOLD(copy != NULL);
    if (length != 0) {
        memcpy(copy, data, length);
    }
    rules.dialect = (choice & 1) != 0 ? UPD_PARTITION_RTOS : UPD_PARTITION_IDF;
    rules.md5 = (choice & 2) == 0;
    rules.secure = (choice & 4) != 0 ? UPD_PARTITION_SECURE_V1 : UPD_PARTITION_SECURE_NONE;
    rules.variable = (choice & 8) != 0 ? variable : NULL;
    rules.primary_bootloader = (choice & 16) != 0 ? 0x1000 : UPD_PARTITION_NOWHERE;
    rules.recovery_bootloader = (choice & 32) != 0 ? 0x3F0000 : UPD_PARTITION_NOWHERE;
    read_text(&rules, copy, length, 16 * length + 64, CAPACITY);
    read_text(&rules, copy, length, choice * 2u, 1 + choice % 4u);
    free(copy);
    return 0;
}
