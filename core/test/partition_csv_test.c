/*
 * Goal: CSV becomes the same bytes and the same words as with the original tools.
 * Method: the built-in tables against published digests; one row per message and per rule of the
 * grammar, for both dialects; every encoding; every size of the caller's memory.
 */
#include <updraft/bytes.h>
#include <updraft/partition_csv.h>
#include <updraft/sha256.h>

#include "check.h"

#define IDF UPD_PARTITION_IDF
#define RTOS UPD_PARTITION_RTOS

/* The hint that ends every message about a row, in IDF's tool. */
#define HINT "\nPlease check extra_partition_subtypes.inc file in build/config directory"
#define APP_KEYWORDS                                                                               \
    "factory, test, ota_0, ota_1, ota_2, ota_3, ota_4, ota_5, ota_6, ota_7, ota_8, ota_9, "        \
    "ota_10, ota_11, ota_12, ota_13, ota_14, ota_15"

/* --- One run of the tool --------------------------------------------------------------------- */

static struct upd_partition rows[128];
static struct upd_partition_source sources[128];
static struct upd_partition_list list = {rows, sources, 128, 0};
static char scratch[16384], error[1024], warnings[1024], listing[1024], csv[8192];
static struct upd_partition_log log_;
static uint8_t table[UPD_PARTITION_TABLE_SIZE];

static uint32_t length(const char *text)
{
    uint32_t size = 0;

    while (text[size] != '\0') {
        size++;
    }
    return size;
}

static bool same(const char *one, const char *other)
{
    return length(one) == length(other) && memcmp(one, other, length(one)) == 0;
}

/* A test that fails shows what was said. */
static void check_said(const char *name, const char *said, const char *expected)
{
    if (!same(said, expected)) {
        check_failed(__FILE__, __LINE__, said, name);
    }
}

static void clear_log(void)
{
    log_.error = upd_text_on(error, sizeof error);
    log_.warnings = upd_text_on(warnings, sizeof warnings);
    log_.listing = upd_text_on(listing, sizeof listing);
}

static const char *variable(void *ctx, const char *name, uint32_t size)
{
    (void)ctx;
    if (size == 4 && memcmp(name, "SIZE", 4) == 0) {
        return "64K";
    }
    if (size == 3 && memcmp(name, "ROW", 3) == 0) {
        return "app0, app, ota_0, , 1M";
    }
    if (size == 4 && memcmp(name, "SELF", 4) == 0) {
        return "$SIZE";
    }
    if (size == 4 && memcmp(name, "JUNK", 4) == 0) {
        return "a \x80"; /* a variable's value need not be UTF-8 */
    }
    return size == 5 && memcmp(name, "EMPTY", 5) == 0 ? "" : NULL;
}

/* Read, verify, compare with a flash size (0: none), and write the binary. */
static enum upd_err convert_bytes(const struct upd_partition_rules *rules, const void *data,
                                  uint32_t size, uint32_t flash_size)
{
    enum upd_err err;

    clear_log();
    err = upd_partition_csv_read(rules, data, size, scratch, sizeof scratch, &list, &log_);
    if (err == UPD_OK) {
        err = upd_partition_verify(rules, &list, &log_);
    }
    if (err == UPD_OK && flash_size != 0) {
        err = upd_partition_fits(rules, &list, flash_size, &log_);
    }
    if (err == UPD_OK) {
        err = upd_partition_csv_build(rules, &list, table, &log_);
    }
    CHECK((err == UPD_OK) == (log_.error.length == 0));
    return err;
}

static enum upd_err convert(const struct upd_partition_rules *rules, const char *text)
{
    return convert_bytes(rules, text, length(text), 0);
}

static const struct upd_partition_rules idf = UPD_PARTITION_RULES(IDF);

/* --- Built-in tables -------------------------------------------------------------------------- */

static void test_built_in_tables_have_the_published_digests(void)
{
    static const struct {
        enum upd_partition_dialect dialect;
        const char *name;
        uint8_t sha256[4]; /* of the file: its first bytes */
        uint8_t md5[4];    /* in the MD5 row */
    } digests[] = {
        /* clang-format off */
        {IDF, "singleapp", {0x7F, 0x00, 0xB6, 0xC0}, {0xF4, 0xAD, 0x4F, 0x45}},
        {IDF, "singleapp_large", {0x52, 0x95, 0xE8, 0xC4}, {0x04, 0x23, 0x59, 0x8F}},
        {IDF, "two_ota", {0xD1, 0xC0, 0xE9, 0xD0}, {0xBF, 0x25, 0x82, 0x2C}},
        {IDF, "two_ota_large", {0x41, 0xD8, 0xEF, 0x79}, {0x37, 0xF3, 0x8B, 0x32}},
        {IDF, "two_ota_coredump", {0x72, 0x55, 0xF5, 0x03}, {0xFB, 0xE5, 0x21, 0x77}},
        {IDF, "two_ota_encr_nvs", {0x0A, 0xE0, 0xAB, 0xB9}, {0x76, 0xD5, 0x09, 0xEE}},
        {IDF, "two_ota_tee", {0x8C, 0xB6, 0x14, 0xC8}, {0x5B, 0x78, 0x1E, 0x73}},
        {RTOS, "singleapp", {0x5D, 0x1D, 0xBC, 0x1E}, {0xFF, 0xFF, 0xFF, 0xFF}},
        {RTOS, "two_ota", {0x4C, 0x4B, 0x6F, 0x3C}, {0xFF, 0xFF, 0xFF, 0xFF}},
        {RTOS, "two_ota.1MB", {0x7D, 0x0A, 0x0E, 0x4F}, {0xFF, 0xFF, 0xFF, 0xFF}},
        /* clang-format on */
    };

    for (size_t i = 0; i < sizeof digests / sizeof digests[0]; i++) {
        const struct upd_partition_builtin *builtin =
            upd_partition_builtin(digests[i].dialect, digests[i].name);
        struct upd_partition_rules rules = UPD_PARTITION_RULES(digests[i].dialect);
        struct upd_sha256 sha256;
        uint8_t digest[UPD_SHA256_SIZE];
        CHECK(builtin != NULL);
        if (builtin == NULL) {
            return;
        }
        rules.md5 = builtin->md5;
        CHECK_THAT(builtin->name, convert(&rules, builtin->csv) == UPD_OK);
        upd_sha256_init(&sha256);
        upd_sha256_update(&sha256, table, sizeof table);
        upd_sha256_final(&sha256, digest);
        CHECK_THAT(builtin->name, memcmp(digest, digests[i].sha256, 4) == 0);
        CHECK_THAT(builtin->name, memcmp(table + list.count * 32 + 16, digests[i].md5, 4) == 0);
    }
}

static void file_name(char path[200], const struct upd_partition_builtin *builtin,
                      const char *folder, const char *extension)
{
    struct upd_text text = upd_text_on(path, 200);

    upd_text_add(&text, UPD_VECTORS);
    upd_text_add(&text, folder);
    upd_text_add(&text, builtin->dialect == IDF ? "idf-" : "rtos-");
    upd_text_add(&text, builtin->name);
    upd_text_add(&text, extension);
}

/* Every built-in table is its vector, text and binary, and comes back from the binary unchanged. */
static void test_built_in_tables_round_trip(void)
{
    for (uint32_t i = 0; i < upd_partition_builtin_count; i++) {
        const struct upd_partition_builtin *builtin = &upd_partition_builtins[i];
        struct upd_partition_rules rules = UPD_PARTITION_RULES(builtin->dialect);
        uint8_t file[UPD_PARTITION_TABLE_SIZE];
        char path[200];

        rules.md5 = builtin->md5;
        rules.table_offset = builtin->table_offset;
        file_name(path, builtin, "/partition_csv/", ".csv");
        int32_t size = check_load(path, file, sizeof file);
        CHECK_THAT(path, size == (int32_t)length(builtin->csv));
        CHECK_THAT(path, memcmp(file, builtin->csv, length(builtin->csv)) == 0);
        CHECK_THAT(path, convert(&rules, builtin->csv) == UPD_OK);
        CHECK_THAT(path, log_.warnings.length == 0);
        file_name(path, builtin, "/partition/", ".bin");
        CHECK_THAT(path, check_load(path, file, sizeof file) == sizeof file);
        CHECK_THAT(path, memcmp(file, table, sizeof file) == 0);

        clear_log();
        CHECK_THAT(path,
                   upd_partition_table_read(&rules, file, sizeof file, &list, &log_) == UPD_OK);
        CHECK_THAT(path, upd_partition_verify(&rules, &list, &log_) == UPD_OK);
        struct upd_text text = upd_text_on(csv, sizeof csv);
        upd_partition_csv_write(&rules, &list, &text);
        CHECK_THAT(path, upd_text_is_whole(&text) && convert(&rules, csv) == UPD_OK);
        CHECK_THAT(path, memcmp(file, table, sizeof file) == 0);
    }
    CHECK(upd_partition_builtin(IDF, "two_ota.1MB") == NULL);
    CHECK(upd_partition_builtin(RTOS, "two_ota_large") == NULL);
}

/* The places of those whose digest is not published. */
static void test_the_other_built_in_tables_lie_where_published(void)
{
    static const struct {
        enum upd_partition_dialect dialect;
        const char *table, *partition;
        uint32_t offset, size;
    } places[] = {
        {IDF, "singleapp_coredump", "coredump", 0x110000, 0x10000},
        {IDF, "singleapp_encr_nvs", "nvs_key", 0x110000, 0x1000},
        {IDF, "singleapp_large_coredump", "coredump", 0x187000, 0x10000},
        {IDF, "singleapp_tee", "tee", 0x10000, 0x40000},
        {IDF, "singleapp_tee", "secure_storage", 0x50000, 0x10000},
        {IDF, "singleapp_tee", "factory", 0x60000, 0x180000},
        {IDF, "singleapp_tee", "nvs", 0x1E0000, 0x6000},
        {IDF, "singleapp_tee", "phy_init", 0x1E6000, 0x1000},
        {RTOS, "two_ota_v2tov3.2MB", "ota_0", 0x10000, 0xEC000},
        {RTOS, "two_ota_v2tov3.2MB", "ota_1", 0x110000, 0xEC000},
        {RTOS, "two_ota_v2tov3.1MB", "phy_init", 0x6000, 0x1000},
        {RTOS, "two_ota_v2tov3.1MB", "ota_0", 0x7000, 0x77000},
        {RTOS, "two_ota_v2tov3.1MB", "nvs", 0x7F000, 0x4000},
        {RTOS, "two_ota_v2tov3.1MB", "otadata", 0x83000, 0x2000},
        {RTOS, "two_ota_v2tov3.1MB", "ota_1", 0x85000, 0x77000},
    };

    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        const struct upd_partition_builtin *builtin =
            upd_partition_builtin(places[i].dialect, places[i].table);
        struct upd_partition_rules rules = UPD_PARTITION_RULES(places[i].dialect);
        rules.md5 = builtin->md5;
        rules.table_offset = builtin->table_offset;
        CHECK_THAT(places[i].table, convert(&rules, builtin->csv) == UPD_OK);
        const struct upd_partition *row =
            upd_partition_by_name(rows, list.count, places[i].partition);
        CHECK_THAT(places[i].partition,
                   row != NULL && row->offset == places[i].offset && row->size == places[i].size);
    }
}

/* --- Messages --------------------------------------------------------------------------------- */

/* What a row of the tables below sets, beside the dialect. */
struct options {
    enum upd_partition_secure secure;
    uint32_t flash_size;
    uint32_t primary_bootloader; /* 0: not given */
};

static const struct refusal {
    const char *name;
    enum upd_partition_dialect dialect;
    const char *text, *error, *listing;
    struct options options;
} refusals[] = {
    /* clang-format off */
    {"below the table", IDF, "a, data, nvs, 0x8000, 0x4000",
     "CSV Error at line 1: Partitions overlap. Partition sets offset 0x8000. But partition table "
     "occupies the whole sector 0x8000. Use a free offset 0x9000 or higher.", "", {0}},
    {"a negative offset", IDF, "a, data, nvs, -0x1000, 0x4000",
     "CSV Error at line 1: Partitions overlap. Partition sets offset 0x-1000. But partition table "
     "occupies the whole sector 0x8000. Use a free offset 0x9000 or higher.", "", {0}},
    {"below the one before", IDF, "a, data, nvs, , 0x4000\n\n# c\nb, data, phy, 0xC000, 0x1000",
     "CSV Error at line 4: Partitions overlap. Partition sets offset 0xc000. Previous partition "
     "ends 0xd000", "", {0}},
    {"a copy of the first row", IDF, "a, data, nvs, 0x9000, 0x4000\na, data, nvs, 0x9000, 0x4000",
     "CSV Error at line 2: Partitions overlap. Partition sets offset 0x9000. But partition table "
     "occupies the whole sector 0x8000. Use a free offset 0xd000 or higher.", "", {0}},
    {"below the table, RTOS", RTOS, "a, data, nvs, 0x8000, 0x4000",
     "CSV Error: First partition offset 0x8000 overlaps end of partition table 0x9000", "", {0}},
    {"below the one before, RTOS", RTOS, "a, data, nvs, , 0x4000\nb, data, phy, 0xC000, 0x1000",
     "CSV Error: Partitions overlap. Partition at line 2 sets offset 0xc000. Previous partition "
     "ends 0xd000", "", {0}},

    {"empty type", IDF, "a, , nvs, , 1M",
     "Error at line 1: Field 'type' can't be left empty." HINT, "", {0}},
    {"a name only", IDF, "a", "Error at line 1: Field 'type' can't be left empty." HINT, "", {0}},
    {"empty type, RTOS", RTOS, "\n a", "Error at line 2: Field 'type' can't be left empty.", "",
     {0}},
    {"unknown type", IDF, "a, dat, nvs, , 1M",
     "Error at line 1: Value 'dat' is not valid. Known keywords: bootloader, partition_table, app, "
     "data" HINT, "", {0}},
    {"unknown type, RTOS", RTOS, "a, bootloader, 0, , 1M",
     "Error at line 1: Value 'bootloader' is not valid. Known keywords: app, data", "", {0}},
    {"a type that ends as a suffix does", IDF, "a, dak, nvs, , 1M",
     "Error at line 1: Value 'da' is not valid. Known keywords: bootloader, partition_table, app, "
     "data" HINT, "", {0}},
    {"unknown subtype of app", IDF, "a, app, ota_16, , 1M",
     "Error at line 1: Value 'ota_16' is not valid. Known keywords: " APP_KEYWORDS
     ", tee_0, tee_1" HINT, "", {0}},
    {"unknown subtype of app, RTOS", RTOS, "a, app, tee_0, , 1M",
     "Error at line 1: Value 'tee_0' is not valid. Known keywords: " APP_KEYWORDS, "", {0}},
    {"unknown subtype of data", IDF, "a, data, fact, , 1M",
     "Error at line 1: Value 'fact' is not valid. Known keywords: ota, phy, nvs, coredump, "
     "nvs_keys, efuse, undefined, esphttpd, fat, spiffs, littlefs, tee_ota" HINT, "", {0}},
    {"unknown subtype of data, RTOS", RTOS, "a, data, littlefs, , 1M",
     "Error at line 1: Value 'littlefs' is not valid. Known keywords: ota, phy, nvs, coredump, "
     "nvs_keys, efuse, esphttpd, fat, spiffs", "", {0}},
    {"unknown subtype of bootloader", IDF, "a, bootloader, nvs, , 1M",
     "Error at line 1: Value 'nvs' is not valid. Known keywords: primary, ota, recovery" HINT, "",
     {0}},
    {"unknown subtype of partition_table", IDF, "a, partition_table, nvs, , 1M",
     "Error at line 1: Value 'nvs' is not valid. Known keywords: primary, ota" HINT, "", {0}},
    {"a word for a type without keywords", IDF, "a, 0x40, nvs, , 1M",
     "Error at line 1: Invalid field value nvs" HINT, "", {0}},
    {"app without subtype", IDF, "a, app, , , 1M",
     "Error at line 1: App partition cannot have an empty subtype" HINT, "", {0}},
    {"empty size", IDF, "a, app, ota_0, ,",
     "Error at line 1: Size field can't be empty" HINT, "", {0}},
    {"bad size", IDF, "a, app, ota_0, , 1G", "Error at line 1: Invalid field value 1G" HINT, "",
     {0}},
    {"bad offset", IDF, "a, app, ota_0, N/A, 1M",
     "Error at line 1: Invalid field value N/A" HINT, "", {0}},
    {"suffix only", IDF, "a, app, ota_0, , K", "Error at line 1: Invalid field value " HINT, "",
     {0}},
    {"unknown flag", IDF, "a, app, ota_0, , 1M, encrypted:secret",
     "Error at line 1: CSV flag column contains unknown flag 'secret'" HINT, "", {0}},
    {"a blank in the flags", IDF, "a, app, ota_0, , 1M, encrypted: readonly",
     "Error at line 1: CSV flag column contains unknown flag ' readonly'" HINT, "", {0}},
    {"flags look at case", IDF, "a, app, ota_0, , 1M, Encrypted",
     "Error at line 1: CSV flag column contains unknown flag 'Encrypted'" HINT, "", {0}},
    {"readonly, RTOS", RTOS, "a, app, ota_0, , 1M, readonly",
     "Error at line 1: CSV flag column contains unknown flag 'readonly'", "", {0}},
    {"no primary boot loader", IDF, "b, bootloader, primary, N/A, N/A",
     "Error at line 1: Primary bootloader offset is not defined. Please use "
     "--primary-bootloader-offset" HINT, "", {0}},
    {"no primary boot loader for the size of another", IDF, "b, bootloader, ota, , ",
     "Error at line 1: Primary bootloader offset is not defined. Please use "
     "--primary-bootloader-offset" HINT, "", {0}},
    {"no recovery boot loader", IDF, "b, bootloader, recovery, N/A, N/A",
     "Error at line 1: Recovery bootloader offset is not defined. Please use "
     "--recovery-bootloader-offset" HINT, "", {0, 0, 0x1000}},
    {"unknown variable", IDF, "$NAME, app, ota_0, , 1M", "unknown variable 'NAME'", "", {0}},

    {"misaligned app", IDF, "a, app, ota_0, 0x11000, 1M",
     "Partition a invalid: Offset 0x11000 is not aligned to 0x10000", "", {0}},
    {"misaligned data", IDF, "a, data, nvs, 0x9004, 0x4000",
     "Partition a invalid: Offset 0x9004 is not aligned to 0x1000", "", {0}},
    {"misaligned app, RTOS", RTOS, "a, app, ota_0, 0x10800, 1M",
     "Partition a invalid: Offset 0x10800 is not aligned to 0x1000", "", {0}},
    {"misaligned data, RTOS", RTOS, "a, data, nvs, 0x9002, 0x4000",
     "Partition a invalid: Offset 0x9002 is not aligned to 0x4", "", {0}},
    {"misaligned app size", IDF, "a, app, ota_0, , 0x10800",
     "Partition a invalid: Size 0x10800 is not aligned to 0x1000", "", {0}},
    {"misaligned app size, secure boot v1", IDF, "a, app, ota_0, , 0x11000",
     "Partition a invalid: Size 0x11000 is not aligned to 0x10000", "",
     {UPD_PARTITION_SECURE_V1, 0, 0}},
    {"misaligned app size, secure boot v2", IDF, "a, app, ota_0, , 0x11001",
     "Partition a invalid: Size 0x11001 is not aligned to 0x1000", "",
     {UPD_PARTITION_SECURE_V2, 0, 0}},
    {"misaligned size, secure, RTOS", RTOS, "a, data, nvs, , 0x4001",
     "Partition a invalid: Size 0x4001 is not aligned to 0x4", "", {UPD_PARTITION_SECURE_V1, 0, 0}},
    {"duplicate names", IDF,
     "b, data, nvs, , 16K\na, app, ota_0, , 1M\nc, data, fat, , 4K\nb, 0x40, 7, , 0x801\n"
     "a, data, phy, , 4K",
     "Partition names must be unique",
     "A list of partitions that have the same name:\na,app,ota_0,0x10000,1M,\n"
     "a,data,phy,0x112000,4K,\nb,data,nvs,0x9000,16K,\nb,64,7,0x111000,0x801,\n", {0}},
    {"duplicate names, RTOS", RTOS, "a, data, nvs, , 4K\na, data, phy, , 4K",
     "Partition names must be unique",
     "A list of partitions that have the same name:\na,data,nvs,0x9000,4K,\n"
     "a,data,phy,0xa000,4K,\n", {0}},
    {"two otadata", IDF, "a, data, ota, , 8K\nb, data, ota, , 8K, encrypted",
     "Found multiple otadata partitions. Only one partition can be defined with type=\"data\"(1) "
     "and subtype=\"ota\"(0).",
     "a,data,ota,0x9000,8K,\nb,data,ota,0xb000,8K,encrypted\n", {0}},
    {"size of otadata", IDF, "a, data, ota, , 4K",
     "otadata partition must have size = 0x2000", "a,data,ota,0x9000,4K,\n", {0}},
    {"two TEE otadata", IDF, "a, data, tee_ota, , 8K\nb, data, tee_ota, , 8K",
     "Found multiple TEE otadata partitions. Only one partition can be defined with "
     "type=\"data\"(1) and subtype=\"tee_ota\"(0x90).",
     "a,data,tee_ota,0x9000,8K,\nb,data,tee_ota,0xb000,8K,\n", {0}},
    {"size of TEE otadata", IDF, "a, data, tee_ota, , 12K",
     "TEE otadata partition must have size = 0x2000", "a,data,tee_ota,0x9000,12K,\n", {0}},
    {"read-only otadata", IDF, "a, data, ota, , 8K, readonly",
     "Partition a invalid: 'a' partition of type 1 and subtype 0 is always read-write and cannot "
     "be read-only", "", {0}},
    {"read-only core dump", IDF, "a, data, coredump, , 64K, encrypted:readonly",
     "Partition a invalid: 'a' partition of type 1 and subtype 3 is always read-write and cannot "
     "be read-only", "", {0}},
    {"small NVS", IDF, "a, data, nvs, , 0x2000",
     "Partition a invalid: 'a' partition of type 1 and subtype 2 of this size (0x2000) must be "
     "flagged as 'readonly' (the size of read/write NVS has to be at least 0x3000)", "", {0}},
    {"too large for the flash", IDF, "a, app, factory, 0x10000, 1M\nb, data, fat, , 0xF1000",
     "Partitions tables occupies 2.0MB of flash (2101248 bytes) which does not fit in configured "
     "flash size 2MB. Change the flash size in menuconfig under the 'Serial Flasher Config' menu.",
     "", {0, 2u << 20, 0}},
    {"too large for the flash, RTOS", RTOS, "a, app, factory, 0x10000, 1M",
     "Partitions defined in 'p.csv' occupy 1.1MB of flash (1114112 bytes) which does not fit in "
     "configured flash size 1MB. Change the flash size in menuconfig under the 'Serial Flasher "
     "Config' menu.", "", {0, 1u << 20, 0}},
    {"half of a tenth goes to the even one", IDF, "a, data, fat, 0x200000, 0x1199A\n"
     "b, data, fat, 0x240000, 0",
     "Partitions tables occupies 2.2MB of flash (2359296 bytes) which does not fit in configured "
     "flash size 1MB. Change the flash size in menuconfig under the 'Serial Flasher Config' menu.",
     "", {0, 1u << 20, 0}},
    {"half of a tenth goes to the even one, upwards", IDF, "a, data, fat, , 0x2B7000",
     "Partitions tables occupies 2.8MB of flash (2883584 bytes) which does not fit in configured "
     "flash size 1MB. Change the flash size in menuconfig under the 'Serial Flasher Config' menu.",
     "", {0, 1u << 20, 0}},

    /* Where the originals end with a traceback. */
    {"type above a byte", IDF, "a, 256, 0, , 4K",
     "Error at line 1: Value '256' does not fit in one byte: it must be 0 to 255" HINT, "", {0}},
    {"a keyword with a suffix is a number", IDF, "a, datak, 0, , 4K",
     "Error at line 1: Value 'datak' does not fit in one byte: it must be 0 to 255" HINT, "", {0}},
    {"negative subtype", IDF, "a, data, -1, , 4K",
     "Error at line 1: Value '-1' does not fit in one byte: it must be 0 to 255" HINT, "", {0}},
    {"a number beyond all flash", IDF, "a, data, nvs, , 99999999999999999999999999999",
     "Error at line 1: Value '99999999999999999999999999999' is too large for a partition table"
     HINT, "", {0}},
    {"suffixes beyond all flash", IDF, "a, data, nvs, , 1kkkkkkkkkkkk",
     "Error at line 1: Value '1kkkkkkkkkkkk' is too large for a partition table" HINT, "", {0}},
    {"offset above 32 bits", IDF, "a, data, nvs, 0x100000000, 16K",
     "CSV Error at line 1: Partition has offset 0x100000000 and size 0x4000, which do not fit in "
     "32 bits", "", {0}},
    {"size above 32 bits", IDF, "a, data, nvs, , 4096M",
     "CSV Error at line 1: Partition has offset 0x9000 and size 0x100000000, which do not fit in "
     "32 bits", "", {0}},
    {"an end before the offset", IDF, "a, data, nvs, , -0x8000",
     "CSV Error at line 1: Partition ends at 0x8000, below its offset 0x9000", "", {0}},
    {"not UTF-8", IDF, "# fine\na\xFF, data, nvs, , 16K",
     "Line 2: byte 8 of the file does not belong to any text; save it as UTF-8", "", {0}},
    /* clang-format on */
};

static void test_every_refusal_has_its_words(void)
{
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        const struct refusal *row = &refusals[i];
        struct upd_partition_rules rules = UPD_PARTITION_RULES(row->dialect);
        rules.secure = row->options.secure;
        rules.input = "p.csv";
        if (row->options.primary_bootloader != 0) {
            rules.primary_bootloader = row->options.primary_bootloader;
        }
        enum upd_err err =
            convert_bytes(&rules, row->text, length(row->text), row->options.flash_size);
        CHECK_THAT(row->name, err == (row->options.flash_size != 0 ? UPD_E_SPACE : UPD_E_FORMAT));
        check_said(row->name, error, row->error);
        check_said(row->name, listing, row->listing);
        check_said(row->name, warnings, "");
    }
}

static void test_warnings_do_not_refuse(void)
{
    static const struct {
        const char *name, *text, *warning;
    } rows_[] = {
        /* clang-format off */
        {"a type's name", "data, app, ota_0, , 1M",
         "WARNING: Partition has name 'data' which is a partition type, but does not match this "
         "partition's type (0x0). Mistake in partition table?\n"},
        {"its own type's name", "app, app, ota_0, , 1M", ""},
        {"a subtype's name", "ota_1, app, ota_0, , 1M",
         "WARNING: Partition has name 'ota_1' which is a partition subtype, but this partition has "
         "non-matching type 0x0 and subtype 0x10. Mistake in partition table?\n"},
        {"a subtype's name on another type", "nvs, app, ota_0, , 1M",
         "WARNING: Partition has name 'nvs' which is a partition subtype, but this partition has "
         "non-matching type 0x0 and subtype 0x10. Mistake in partition table?\n"},
        {"a subtype's name on a type without subtypes", "nvs, 0x40, 1, , 1M",
         "WARNING: Partition has name 'nvs' which is a partition subtype, but this partition has "
         "non-matching type 0x40 and subtype 0x1. Mistake in partition table?\n"},
        {"its own subtype's name", "nvs, data, nvs, , 1M", ""},
        {"names look at case", "NVS, app, ota_0, , 1M", ""},
        /* clang-format on */
    };

    for (size_t i = 0; i < sizeof rows_ / sizeof rows_[0]; i++) {
        CHECK_THAT(rows_[i].name, convert(&idf, rows_[i].text) == UPD_OK);
        check_said(rows_[i].name, warnings, rows_[i].warning);
    }
}

static void test_rtos_does_not_know_the_younger_checks(void)
{
    static const char *const texts[] = {"a, data, ota, , 8K\nb, data, ota, , 4K",
                                        "a, data, nvs, , 0x1000", "a, app, , , 1M",
                                        "a, app, ota_0, , 0x10800", "a, app, ota_0, 0x11000, 1M"};
    struct upd_partition_rules rules = UPD_PARTITION_RULES(RTOS);

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        CHECK_THAT(texts[i], convert(&rules, texts[i]) == UPD_OK);
        check_said(texts[i], warnings, "");
    }
}

static void test_the_boot_loader_lies_below_the_table(void)
{
    struct upd_partition_rules rules = UPD_PARTITION_RULES(IDF);

    clear_log();
    CHECK(upd_partition_rules_check(&rules, &log_.error) == UPD_OK);
    rules.primary_bootloader = 0x7000;
    CHECK(upd_partition_rules_check(&rules, &log_.error) == UPD_OK && log_.error.length == 0);
    rules.primary_bootloader = 0x8000;
    CHECK(upd_partition_rules_check(&rules, &log_.error) == UPD_E_ARG);
    check_said("at the table", error,
               "Unsupported configuration. Primary bootloader must be below partition table. Check "
               "--primary-bootloader-offset=0x8000 and --offset=0x8000");
}

/* --- Grammar -----------------------------------------------------------------------------------
 */

static void test_numbers(void)
{
    static const struct {
        const char *text;
        int64_t value; /* -1: not a number */
    } numbers[] = {
        /* clang-format off */
        {"8192", 8192}, {"0x2000", 8192}, {"0X2000", 8192}, {"0o20000", 8192}, {"0O20000", 8192},
        {"0b10000000000000", 8192}, {"8K", 8192}, {"8k", 8192}, {"0x8K", 8192}, {"+8K", 8192},
        {"1M", 1048576}, {"1m", 1048576}, {"1KK", 1048576}, {"2Mk", -2}, {"1_024K", 1048576},
        {"0x_10_00", 4096}, {"4 K", 4096}, {"0K", 0}, {"000", 0}, {"0_0", 0}, {"-0", 0},
        {"010", -1}, {"0x", -1}, {"0x_", -1}, {"1__0", -1}, {"_1", -1}, {"1_", -1}, {"0xG", -1},
        {"0b2", -1}, {"0o8", -1}, {"--1", -1}, {"+", -1}, {"1.5K", -1}, {"1e3", -1}, {"K1", -1},
        {"0_7", -1}, {"0x1 0", -1},
        /* clang-format on */
    };

    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        char line[64];
        struct upd_text text = upd_text_on(line, sizeof line);
        upd_text_add(&text, "a, 0x40, 0, , ");
        upd_text_add(&text, numbers[i].text);
        enum upd_err err = convert(&idf, line);
        if (numbers[i].value >= 0) {
            CHECK_THAT(numbers[i].text, err == UPD_OK && rows[0].size == numbers[i].value);
        } else if (numbers[i].value == -1) {
            CHECK_THAT(numbers[i].text, err == UPD_E_FORMAT && error[6] == 'a');
        } else {
            CHECK_THAT(numbers[i].text, err == UPD_OK && rows[0].size == 0x80000000);
        }
    }
}

/* One row each: what it gives. */
static void test_rows(void)
{
    static const struct {
        const char *text;
        struct upd_partition row;
    } good[] = {
        /* clang-format off */
        {"nvs,data,nvs,,16K", {0x9000, 0x4000, 0, 1, 2, "nvs"}},
        {" \t nvs , DATA , Nvs , , 16K \r", {0x9000, 0x4000, 0, 1, 2, "nvs"}},
        {"\xC2\xA0nvs\xE3\x80\x80,data,nvs,,16K", {0x9000, 0x4000, 0, 1, 2, "nvs"}},
        {"a,1,0x2,36864,0x4000", {0x9000, 0x4000, 0, 1, 2, "a"}},
        {"a,app,OTA_15,,1M", {0x10000, 0x100000, 0, 0, 0x1F, "a"}},
        {"a,app,tee_1,,1M", {0x10000, 0x100000, 0, 0, 0x31, "a"}},
        {"a,data,,,1M", {0x9000, 0x100000, 0, 1, 6, "a"}},
        {"a,0x40,,,1M", {0x9000, 0x100000, 0, 0x40, 6, "a"}},
        {"a,255,255,,0", {0x9000, 0, 0, 255, 255, "a"}},
        {"a,data,fat,0x10000,-1M", {0x10000, 0xF0000, 0, 1, 0x81, "a"}},
        {"a,data,fat,,-2M", {0x9000, 0x1F7000, 0, 1, 0x81, "a"}},
        {"a,data,fat,,-0x9000", {0x9000, 0, 0, 1, 0x81, "a"}},
        {"a,data,fat,,4K,encrypted", {0x9000, 0x1000, 1, 1, 0x81, "a"}},
        {"a,data,fat,,4K,readonly", {0x9000, 0x1000, 2, 1, 0x81, "a"}},
        {"a,data,fat,,4K,:readonly::encrypted:", {0x9000, 0x1000, 3, 1, 0x81, "a"}},
        {"a,data,fat,,4K,,ignored,x", {0x9000, 0x1000, 0, 1, 0x81, "a"}},
        {",data,fat,,4K", {0x9000, 0x1000, 0, 1, 0x81, ""}},
        {"sixteen_bytes_16,data,fat,,4K", {0x9000, 0x1000, 0, 1, 0x81, "sixteen_bytes_16"}},
        {"sixteen_bytes_16more,data,fat,,4K", {0x9000, 0x1000, 0, 1, 0x81, "sixteen_bytes_16"}},
        {"fifteen_bytes_1\xC3\xA9,data,fat,,4K", {0x9000, 0x1000, 0, 1, 0x81, "fifteen_bytes_1\xC3"}},
        /* clang-format on */
    };

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        CHECK_THAT(good[i].text, convert(&idf, good[i].text) == UPD_OK);
        CHECK_THAT(good[i].text, list.count == 1);
        CHECK_THAT(good[i].text, memcmp(&rows[0], &good[i].row, sizeof rows[0]) == 0);
        check_said(good[i].text, warnings, "");
    }
}

static void test_lines(void)
{
    static const char text[] = "\n# c\n \t# c\r\nfirst,data,fat,,4K\rsecond,data,fat,,4K\v"
                               "third,data,fat,,4K\xE2\x80\xA8" /* U+2028 */
                               "fourth,data,fat,,4K\xC2\x85\f\n\n\rlast,data,fat,,4K";
    static const uint32_t lines[] = {4, 5, 6, 7, 12};

    CHECK(convert(&idf, text) == UPD_OK && list.count == 5);
    for (uint32_t i = 0; i < 5; i++) {
        CHECK(sources[i].line == lines[i]);
    }
    CHECK(upd_partition_by_name(rows, list.count, "last") == &rows[4]);
    CHECK(convert(&idf, "") == UPD_OK && list.count == 0);
    CHECK(convert(&idf, "# only a comment") == UPD_OK && list.count == 0);
}

static void test_variables(void)
{
    static const struct {
        const char *text, *error; /* error NULL: reads as one row of 64K, or of 1M */
    } cases[] = {
        {"a, app, ota_0, , $SIZE", NULL},
        {"a, app, ota_0, , ${SIZE}", NULL},
        {"$ROW", NULL},
        {"${ROW}, encrypted", NULL},
        {"a, app, ota_0, ${EMPTY}, ${SIZE}$EMPTY", NULL},
        {"$EMPTY a, app, ota_0, , $SIZE", NULL},
        {"${NONE}, app, ota_0, , $SIZE", NULL},
        {"$1, app, ota_0, , $SIZE", NULL},
        {"$, app, ota_0, , $SIZE", NULL},
        {"\\$NONE, app, ota_0, , $SIZE", NULL},
        {"$NONE, app, ota_0, , $SIZE", "unknown variable 'NONE'"},
        {"$SIZES, app, ota_0, , 1M", "unknown variable 'SIZES'"},
        {"$SELF, app, ota_0, , 1M", "unknown variable 'SIZE'"},
        {"a, app, ota_0, , $NONE", "Error at line 1: Invalid field value $NONE" HINT},
        {"a, app, ota_0, , $SELF", "Error at line 1: Invalid field value $SIZE" HINT},
        {"a, app, ota_0, , ${SIZE", "Error at line 1: Invalid field value ${SIZE" HINT},
    };
    struct upd_partition_rules rules = UPD_PARTITION_RULES(IDF);

    rules.variable = variable;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        enum upd_err err = convert(&rules, cases[i].text);
        if (cases[i].error != NULL) {
            check_said(cases[i].text, error, cases[i].error);
        } else {
            CHECK_THAT(cases[i].text, err == UPD_OK && list.count == 1);
            CHECK_THAT(cases[i].text, rows[0].size == 0x10000 || rows[0].size == 0x100000);
        }
    }
    CHECK(convert(&idf, "a, app, ota_0, , $SIZE") == UPD_E_FORMAT);
    CHECK(convert(&rules, " $JUNK , app, ota_0, , 1M") == UPD_OK && sources[0].name_size == 3);
}

static void test_rows_with_a_place_of_their_own(void)
{
    static const char text[] = "bootloader, bootloader, primary, N/A, N/A\n"
                               "partition_table, partition_table, primary, 0x1, 5G\n"
                               "recovery, bootloader, recovery, N/A, N/A\n"
                               "staged, bootloader, ota, , N/A\n"
                               "staged_table, partition_table, ota, , N/A\n"
                               "nvs, data, nvs, , 16K";
    struct upd_partition_rules rules = UPD_PARTITION_RULES(IDF);

    rules.primary_bootloader = 0x1000;
    rules.recovery_bootloader = 0x3F0000;
    CHECK(convert(&rules, text) == UPD_OK && list.count == 6);
    CHECK(rows[0].offset == 0x1000 && rows[0].size == 0x7000);
    CHECK(rows[1].offset == 0x8000 && rows[1].size == 0x1000);
    CHECK(rows[2].offset == 0x3F0000 && rows[2].size == 0x7000);
    /* Placed after the recovery boot loader, which takes part in the placing. */
    CHECK(rows[3].offset == 0x3F7000 && rows[3].size == 0x7000);
    CHECK(rows[4].offset == 0x3FE000 && rows[4].size == 0x1000);
    CHECK(rows[5].offset == 0x3FF000);
    check_said("all of them", warnings, "");
}

static void test_extra_subtypes(void)
{
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"data, disk, 0x42", ""},
        {" app ,my_app,7f", ""},
        {"data, Mixed, 43", ""},
        {"data, two, 0x01", "Error parsing custom subtypes: Found duplicate value in partition "
                            "subtype"},
        {"data, three, 0x42", "Error parsing custom subtypes: Found duplicate value in partition "
                              "subtype"},
        {"data, disk, 0x44", "Error parsing custom subtypes: Found duplicate name in partition "
                             "subtype"},
        {"date, four, 0x44", "Error parsing custom subtypes: Invalid partition type"},
        {"data, five", "Error parsing custom subtypes: A subtype is given as \"type, name, "
                       "value\""},
        {"data, , 0x45", "Error parsing custom subtypes: A subtype is given as \"type, name, "
                         "value\""},
        {"data, six, 0x100", "Error parsing custom subtypes: Invalid field value 0x100"},
        {"data, seven, 0x", "Error parsing custom subtypes: Invalid field value 0x"},
        {"data, eight, x1", "Error parsing custom subtypes: Invalid field value x1"},
    };
    struct upd_partition_subtype extra[3];
    struct upd_partition_rules rules = UPD_PARTITION_RULES(IDF);

    rules.extra = extra;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct upd_partition_subtype got = {.value = 99};
        clear_log();
        enum upd_err err = upd_partition_subtype_read(&rules, cases[i].text, &got, &log_.error);
        check_said(cases[i].text, error, cases[i].error);
        CHECK_THAT(cases[i].text, (err == UPD_OK) == (got.value != 99));
        if (err == UPD_OK && rules.extra_count < 3) {
            extra[rules.extra_count++] = got;
        }
    }
    CHECK(rules.extra_count == 3 && extra[1].value == 0x7F && extra[1].type == UPD_PARTITION_APP);

    CHECK(convert(&rules, "a, app, MY_APP, , 1M\nb, data, 0x42, , 4K") == UPD_OK);
    CHECK(rows[0].subtype == 0x7F);
    struct upd_text text = upd_text_on(csv, sizeof csv);
    upd_partition_csv_write(&rules, &list, &text);
    check_said("keywords in CSV", csv,
               "# ESP-IDF Partition Table\n# Name, Type, SubType, Offset, Size, Flags\n"
               "a,app,my_app,0x10000,1M,\nb,data,disk,0x110000,4K,\n");
    /* As in the original: the suffix is taken off first, and capitals are never found. */
    CHECK(convert(&rules, "a, data, disk, , 4K") == UPD_E_FORMAT);
    CHECK(memcmp(error, "Error at line 1: Value 'dis' is not valid.", 42) == 0);
    CHECK(convert(&rules, "a, data, Mixed, , 4K") == UPD_E_FORMAT);
    CHECK(convert(&rules, "disk, data, fat, , 4K") == UPD_OK && log_.warnings.length != 0);

    uint32_t size;
    const char *name = upd_partition_subtype_name(&rules, UPD_PARTITION_DATA, 0x42, &size);
    CHECK(size == 4 && name != NULL && memcmp(name, "disk", 4) == 0);
    CHECK(upd_partition_subtype_name(&rules, UPD_PARTITION_DATA, 0x99, &size) == NULL);
    name = upd_partition_type_name(&rules, UPD_PARTITION_BOOTLOADER, &size);
    CHECK(size == 10 && name != NULL && memcmp(name, "bootloader", 10) == 0);
    CHECK(upd_partition_type_name(&rules, 0x40, &size) == NULL && size == 0);
}

/* --- Encodings ----------------------------------------------------------------------------------
 */

static const char utf8[] =
    "n\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80,data,fat,,4K\n"; /* né€ + U+1F600 */
static const uint32_t points[] = {'n', 0xE9, 0x20AC, 0x1F600, ',', 'd', 'a', 't', 'a',
                                  ',', 'f',  'a',    't',     ',', ',', '4', 'K', '\n'};

/* Write the points, and a byte order mark before them, in units of 2 or 4 bytes. */
static uint32_t encode(uint8_t *bytes, uint32_t unit_size, bool is_little)
{
    uint32_t units[64], count = 0;

    units[count++] = 0xFEFF;
    for (uint32_t i = 0; i < sizeof points / sizeof points[0]; i++) {
        if (unit_size == 2 && points[i] > 0xFFFF) {
            units[count++] = 0xD800 + ((points[i] - 0x10000) >> 10);
            units[count++] = 0xDC00 + ((points[i] - 0x10000) & 0x3FF);
        } else {
            units[count++] = points[i];
        }
    }
    for (uint32_t i = 0; i < count * unit_size; i++) {
        uint32_t at = i % unit_size;
        uint32_t shift = 8 * (is_little ? at : unit_size - 1 - at);
        bytes[i] = (uint8_t)(units[i / unit_size] >> shift);
    }
    return count * unit_size;
}

static void check_name(const char *what)
{
    CHECK_THAT(what, list.count == 1 && sources[0].name_size == 10);
    CHECK_THAT(what, memcmp(rows[0].name, utf8, 10) == 0);
}

static void test_every_encoding_gives_the_same_name(void)
{
    uint8_t bytes[256];

    CHECK(convert(&idf, utf8) == UPD_OK);
    check_name("UTF-8");
    memcpy(bytes, "\xEF\xBB\xBF", 3);
    memcpy(bytes + 3, utf8, sizeof utf8 - 1);
    CHECK(convert_bytes(&idf, bytes, sizeof utf8 + 2, 0) == UPD_OK);
    check_name("UTF-8 with a mark");
    for (uint32_t unit_size = 2; unit_size <= 4; unit_size += 2) {
        for (uint32_t is_little = 0; is_little < 2; is_little++) {
            uint32_t size = encode(bytes, unit_size, is_little != 0);
            CHECK(convert_bytes(&idf, bytes, size, 0) == UPD_OK);
            check_name(unit_size == 2 ? "UTF-16" : "UTF-32");
            /* Cut inside a unit, or between the halves of a pair. */
            CHECK(convert_bytes(&idf, bytes, size - 1, 0) == UPD_E_FORMAT);
            CHECK(memcmp(error, "Line 1: byte", 12) == 0);
            CHECK(unit_size == 4 || convert_bytes(&idf, bytes, 10, 0) == UPD_E_FORMAT);
        }
    }
    /* The RTOS tool does not know the mark: it becomes part of the first cell. */
    struct upd_partition_rules rules = UPD_PARTITION_RULES(RTOS);
    memcpy(bytes, "\xEF\xBB\xBF", 3);
    memcpy(bytes + 3, utf8, sizeof utf8 - 1);
    CHECK(convert_bytes(&rules, bytes, sizeof utf8 + 2, 0) == UPD_OK);
    CHECK(rows[0].name[0] == 0xEF && sources[0].name_size == 13);
}

static void test_what_is_no_text_is_refused(void)
{
    static const char *const bad[] = {"\x80",
                                      "\xC0\x80",
                                      "\xC1\xBF",
                                      "\xE0\x80\x80",
                                      "\xED\xA0\x80",
                                      "\xF0\x80\x80\x80",
                                      "\xF4\x90\x80\x80",
                                      "\xF8\x88\x80\x80",
                                      "\xC3",
                                      "\xE2\x82",
                                      "\xF0\x9F\x98",
                                      "\xE2\x28\xA1",
                                      "\xFE",
                                      "\xFF"};

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CHECK_THAT(bad[i], convert(&idf, bad[i]) == UPD_E_FORMAT);
        CHECK_THAT(bad[i], memcmp(error, "Line 1: byte 0 ", 15) == 0);
    }
    /* UTF-16: a half of a pair alone; UTF-32: above all code points, and a half of a pair. */
    CHECK(convert_bytes(&idf, "\xFF\xFE\x00\xDC", 4, 0) == UPD_E_FORMAT);
    CHECK(convert_bytes(&idf, "\xFE\xFF\xD8\x00\x00\x41", 6, 0) == UPD_E_FORMAT);
    CHECK(convert_bytes(&idf, "\x00\x00\xFE\xFF\x00\x11\x00\x00", 8, 0) == UPD_E_FORMAT);
    CHECK(convert_bytes(&idf, "\x00\x00\xFE\xFF\x00\x00\xD8\x00", 8, 0) == UPD_E_FORMAT);
}

/* --- Binary tables ------------------------------------------------------------------------------
 */

static enum upd_err read_binary(const struct upd_partition_rules *rules, const void *data,
                                uint32_t size)
{
    clear_log();
    return upd_partition_table_read(rules, data, size, &list, &log_);
}

static void test_what_is_wrong_with_a_binary(void)
{
    struct upd_partition_rules no_md5 = UPD_PARTITION_RULES(IDF);
    struct upd_partition_rules rtos = UPD_PARTITION_RULES(RTOS);

    no_md5.md5 = false;
    CHECK(convert(&idf, "a, data, fat, , 4K, readonly\nb, data, fat, , 4K") == UPD_OK);
    for (uint32_t size = 0; size < 4 * 32; size++) {
        CHECK(read_binary(&idf, table, size) == UPD_E_FORMAT && list.count == 0);
        check_said("cut short", error,
                   size % 32 != 0 ? "Partition table length must be a multiple of 32 bytes"
                                  : "Partition table is missing an end-of-table marker");
    }
    CHECK(read_binary(&idf, table, 4 * 32) == UPD_OK && list.count == 2);
    CHECK(sources[1].line == 2 && sources[1].name_size == 1 && sources[1].name[0] == 'b');

    CHECK(read_binary(&no_md5, table, sizeof table) == UPD_E_FORMAT);
    check_said("an MD5 row that is not expected", error,
               "Invalid magic bytes (b'\\xeb\\xeb') for partition definition");
    table[32] = '\'';
    table[33] = '\n';
    CHECK(read_binary(&idf, table, sizeof table) == UPD_E_FORMAT);
    check_said("bytes as Python shows them", error,
               "Invalid magic bytes (b\"'\\n\") for partition definition");
    table[32] = '"';
    table[33] = '\'';
    CHECK(read_binary(&idf, table, sizeof table) == UPD_E_FORMAT);
    check_said("both quotes", error, "Invalid magic bytes (b'\"\\'') for partition definition");
    table[32] = '\\';
    table[33] = 0x7F;
    CHECK(read_binary(&idf, table, sizeof table) == UPD_E_FORMAT);
    check_said("a backslash", error, "Invalid magic bytes (b'\\\\\\x7f') for partition definition");
    table[32] = '\t';
    table[33] = '\r';
    CHECK(read_binary(&idf, table, sizeof table) == UPD_E_FORMAT);
    check_said("blanks", error, "Invalid magic bytes (b'\\t\\r') for partition definition");

    CHECK(convert(&idf, "a, data, fat, , 4K, readonly") == UPD_OK);
    table[28] = 7;
    table[31] = 0x80;
    CHECK(read_binary(&idf, table, sizeof table) == UPD_E_AUTH && list.count == 0);
    CHECK(memcmp(error, "MD5 checksums don't match! (computed: 0x", 40) == 0);
    CHECK(memcmp(error + 72, ", parsed: 0xb'", 14) == 0 && log_.error.length == 120);
    check_said("unknown flags", warnings,
               "WARNING: Partition definition had unknown flag(s) 0x80000004. Newer binary "
               "format?\n");
    CHECK(read_binary(&rtos, table, sizeof table) == UPD_E_AUTH);
    check_said("flags of IDF, RTOS", warnings,
               "WARNING: Partition definition had unknown flag(s) 0x80000006. Newer binary "
               "format?\n");

    CHECK(convert(&idf, "a, data, fat, , 4K") == UPD_OK);
    table[12] = 0xC3;
    CHECK(read_binary(&idf, table, sizeof table) == UPD_E_FORMAT);
    check_said("a name that is no text", error,
               "Partition row 1 has a name that is not UTF-8 text");
}

static void test_an_md5_row_may_stand_anywhere(void)
{
    CHECK(convert(&idf, "a, data, fat, , 4K\nb, data, fat, , 4K") == UPD_OK);
    memmove(table + 96, table + 64, 32);
    CHECK(read_binary(&idf, table, sizeof table) == UPD_OK && list.count == 2); /* twice */
    CHECK(upd_partition_build(rows, 1, true, table) == UPD_OK);
    upd_partition_encode(&rows[1], table + 64);
    CHECK(read_binary(&idf, table, sizeof table) == UPD_OK && list.count == 2);
    CHECK(rows[1].offset == 0xA000);
}

static void test_verifying_a_binary(void)
{
    static const struct {
        const char *name;
        uint32_t offset, size;
        const char *error;
    } cases[] = {
        {"below the usable area", 0x8000, 0x1000, "Partition offset 0x8000 is below 0x9000"},
        {"in the other one", 0x10000, 0x1000, "Partition at 0x10000 overlaps 0x10000-0x1ffff"},
        {"into the other one", 0xF000, 0x2000, "Partition at 0x10000 overlaps 0xf000-0x10fff"},
        {"at its end", 0x1F000, 0x1000, "Partition at 0x1f000 overlaps 0x10000-0x1ffff"},
        {"around it", 0xF000, 0xFFFFF000, "Partition at 0x10000 overlaps 0xf000-0x10000dfff"},
        {"before it", 0xF000, 0x1000, ""},
        {"behind it", 0x20000, 0xFFFF0000, ""},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CHECK(convert(&idf, "a, data, fat, 0x10000, 64K\nb, data, fat, , 4K") == UPD_OK);
        rows[1].offset = cases[i].offset;
        rows[1].size = cases[i].size;
        clear_log();
        enum upd_err err = upd_partition_verify(&idf, &list, &log_);
        CHECK_THAT(cases[i].name, (err == UPD_OK) == same(cases[i].error, ""));
        check_said(cases[i].name, error, cases[i].error);
    }
}

static void test_names_that_csv_cannot_carry(void)
{
    static const struct {
        const char *name;
        bool fits;
    } names[] = {{"nvs", true},
                 {"", true},
                 {"a b", true},
                 {"a#b", true},
                 {"a$", true},
                 {"a$ b", true},
                 {"n\xC3\xA9", true},
                 {"sixteen_bytes_16", true},
                 {"a,b", false},
                 {" a", false},
                 {"a\t", false},
                 {"a\nb", false},
                 {"#a", false},
                 {"$a", false},
                 {"a$b", false},
                 {"a${b}", false},
                 {"a\xC2\x85"
                  "b",
                  false},
                 {"\xC3", false},
                 {"a\xE2\x80\x83", false}};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct upd_partition row = {0};
        memcpy(row.name, names[i].name, length(names[i].name));
        CHECK_THAT(names[i].name, upd_partition_name_fits_csv(&row) == names[i].fits);
    }
}

static void test_csv_output(void)
{
    struct upd_partition_rules rtos = UPD_PARTITION_RULES(RTOS);
    static const char body[] = "a,data,nvs,0x9000,16K,\nb,app,ota_15,0x10000,1M,encrypted\n"
                               "c,64,255,0x110000,0x801,\nd,data,129,0x111000,0M,\n";

    CHECK(convert(&idf, "a,data,nvs,,16K\nb,app,ota_15,,1M,encrypted\nc,0x40,255,,2049\n"
                        "d,data,0x81,,0") == UPD_OK);
    struct upd_text text = upd_text_on(csv, sizeof csv);
    upd_partition_csv_write(&idf, &list, &text);
    CHECK(memcmp(csv + 69, "a,data,nvs,0x9000,16K,\nb,app,ota_15,0x10000,1M,encrypted\n", 57) == 0);
    rows[3].subtype = 0x83; /* a keyword in IDF only */
    text = upd_text_on(csv, sizeof csv);
    upd_partition_csv_write(&rtos, &list, &text);
    CHECK(memcmp(csv,
                 "# Espressif ESP32 Partition Table\n# Name, Type, SubType, Offset, Size, "
                 "Flags\na,data,nvs",
                 87) == 0);
    CHECK(text.length == 77 + sizeof body - 1);
    CHECK(memcmp(csv + 77 + sizeof body - 1 - 24, "d,data,131,0x111000,0M,\n", 24) == 0);
    rows[0].flags = 3;
    text = upd_text_on(csv, sizeof csv);
    upd_partition_csv_write(&idf, &list, &text);
    CHECK(memcmp(csv + 69, "a,data,nvs,0x9000,16K,encrypted:readonly\n", 41) == 0);
}

/* --- The caller's memory ------------------------------------------------------------------------
 */

static void test_every_size_of_scratch_is_respected(void)
{
    static const char text[] =
        "first, data, fat, , 4K\n\n  # a comment\nsecond, data, fat, , $SIZE";
    struct upd_partition_rules rules = UPD_PARTITION_RULES(IDF);
    bool had_success = false;

    rules.variable = variable;
    for (uint32_t size = 0; size <= 2 * sizeof text; size++) {
        memset(scratch, '~', sizeof scratch);
        clear_log();
        enum upd_err err =
            upd_partition_csv_read(&rules, text, sizeof text - 1, scratch, size, &list, &log_);
        CHECK(err == UPD_OK || (err == UPD_E_SPACE && list.count == 0));
        CHECK(!had_success || err == UPD_OK);
        had_success = err == UPD_OK;
        if (err != UPD_OK) {
            CHECK(memcmp(error, "Line ", 5) == 0 &&
                  same(error + 6, " does not fit the memory set aside for it"));
        }
        for (uint32_t i = size; i < sizeof scratch; i++) {
            CHECK(scratch[i] == '~');
        }
    }
    CHECK(had_success && list.count == 2 && sources[1].name_size == 6);
}

/* `count` rows of 4K in scratch memory of the test's own. */
static uint32_t many_rows(char *text, uint32_t size, uint32_t count)
{
    struct upd_text out = upd_text_on(text, size);

    for (uint32_t i = 0; i < count; i++) {
        upd_text_decimal(&out, i);
        upd_text_add(&out, ",64,0,,4K\n");
    }
    return out.length;
}

static void test_too_many_rows(void)
{
    static char text[4096];
    struct upd_partition_rules no_md5 = UPD_PARTITION_RULES(IDF);

    no_md5.md5 = false;
    CHECK(convert_bytes(&idf, text, many_rows(text, sizeof text, 94), 0) == UPD_OK);
    CHECK(convert_bytes(&idf, text, many_rows(text, sizeof text, 95), 0) == UPD_E_SPACE);
    check_said("95 rows and MD5", error, "Binary partition table length (3072) longer than max");
    CHECK(convert_bytes(&no_md5, text, many_rows(text, sizeof text, 95), 0) == UPD_OK);
    CHECK(convert_bytes(&no_md5, text, many_rows(text, sizeof text, 96), 0) == UPD_E_SPACE);
    check_said("96 rows", error, "Binary partition table length (3072) longer than max");
    CHECK(convert_bytes(&idf, text, many_rows(text, sizeof text, 128), 0) == UPD_E_SPACE);
    check_said("128 rows", error, "Binary partition table length (4128) longer than max");
    /* More than the list holds are counted all the same. */
    list.capacity = 96;
    CHECK(convert_bytes(&idf, text, many_rows(text, sizeof text, 128), 0) == UPD_E_SPACE);
    check_said("128 rows into 96", error, "Binary partition table length (4128) longer than max");
    CHECK(list.count == 0);

    list.capacity = 3;
    CHECK(upd_partition_build(rows, 4, true, table) == UPD_OK);
    CHECK(read_binary(&idf, table, sizeof table) == UPD_E_SPACE && list.count == 0);
    list.capacity = 128;
}

static void test_short_texts_do_not_change_the_result(void)
{
    char small[8];

    clear_log();
    log_.error = upd_text_on(small, sizeof small);
    CHECK(upd_partition_csv_read(&idf, "a, b", 4, scratch, sizeof scratch, &list, &log_) ==
          UPD_E_FORMAT);
    CHECK(same(small, "Error a") && !upd_text_is_whole(&log_.error));
    log_.error = upd_text_on(NULL, 0);
    CHECK(upd_partition_csv_read(&idf, "a, b", 4, scratch, sizeof scratch, &list, &log_) ==
          UPD_E_FORMAT);
    CHECK(log_.error.length > 100);
}

int main(void)
{
    CHECK_RUN(test_built_in_tables_have_the_published_digests);
    CHECK_RUN(test_built_in_tables_round_trip);
    CHECK_RUN(test_the_other_built_in_tables_lie_where_published);
    CHECK_RUN(test_every_refusal_has_its_words);
    CHECK_RUN(test_warnings_do_not_refuse);
    CHECK_RUN(test_rtos_does_not_know_the_younger_checks);
    CHECK_RUN(test_the_boot_loader_lies_below_the_table);
    CHECK_RUN(test_numbers);
    CHECK_RUN(test_rows);
    CHECK_RUN(test_lines);
    CHECK_RUN(test_variables);
    CHECK_RUN(test_rows_with_a_place_of_their_own);
    CHECK_RUN(test_extra_subtypes);
    CHECK_RUN(test_every_encoding_gives_the_same_name);
    CHECK_RUN(test_what_is_no_text_is_refused);
    CHECK_RUN(test_what_is_wrong_with_a_binary);
    CHECK_RUN(test_an_md5_row_may_stand_anywhere);
    CHECK_RUN(test_verifying_a_binary);
    CHECK_RUN(test_names_that_csv_cannot_carry);
    CHECK_RUN(test_csv_output);
    CHECK_RUN(test_every_size_of_scratch_is_respected);
    CHECK_RUN(test_too_many_rows);
    CHECK_RUN(test_short_texts_do_not_change_the_result);
    check_end();
}
