/*
 * Goal: the parameter area is read as loaders and SDK read it, and every plan leads to the slot
 * that is wanted, wherever power is cut. Method: every value of the two bytes that decide, against
 * the rules of docs/formats/sysparam.md written a second time; plans are carried out on four
 * sectors of memory that can only clear bits, cut at every step and torn in many ways, again and
 * again.
 */
#include <updraft/bytes.h>
#include <updraft/sysparam.h>

#include "check.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { SECTOR = 4096, FLAG = UPD_SYSPARAM_SECTOR_FLAG, COPY0 = UPD_SYSPARAM_SECTOR_COPY0 };

static uint32_t next_random(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

/* --- Reading --------------------------------------------------------------------------------- */

static void test_only_zero_selects_copy_0(void)
{
    struct upd_sysparam area;

    memset(&area, 0xFF, sizeof area);
    for (uint32_t byte = 0; byte < 256; byte++) {
        area.flag[0] = (uint8_t)byte;
        CHECK(upd_sysparam_current(&area) == (byte != 0));
        CHECK(upd_sysparam_block(&area) == area.head[byte != 0]);
    }
}

static void test_checksum(void)
{
    uint8_t head[UPD_SYSPARAM_HEAD_SIZE];

    memset(head, 0xFF, sizeof head);
    CHECK(upd_sysparam_checksum(head) == 0xEF);
    head[0] = 0xFD;
    head[1] = 0xE6;
    CHECK(upd_sysparam_checksum(head) == 0xF4);
    head[31] ^= 0x81;
    CHECK(upd_sysparam_checksum(head) == (0xF4 ^ 0x81));
}

/* The record of the worked example: copy 1 was written, its block is FD E6, the rest is erased. */
static const uint8_t example_record[UPD_SYSPARAM_HEAD_SIZE] = {
    0x01, 0xFF, 0xFF, 0xFF, 0xAA, 0x55, 0xAA, 0x55, 0x01, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xFF, 0xFF,
    0x20, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xFF, 0xFF, 0xF4, 0x00, 0x00, 0x00, 0x55, 0xAA, 0x55, 0xAA};

static void make_example(struct upd_sysparam *area)
{
    memset(area, 0xFF, sizeof *area);
    memcpy(area->flag, example_record, sizeof example_record);
    area->head[1][0] = 0xFD;
    area->head[1][1] = 0xE6;
}

static void test_a_record_survives_decode_and_encode(void)
{
    struct upd_sysparam_record record;
    uint8_t bytes[UPD_SYSPARAM_HEAD_SIZE];
    uint32_t seed = 7;

    upd_sysparam_record_decode(example_record, &record);
    CHECK(record.flag == 1 && record.magic == UPD_SYSPARAM_MAGIC && record.counter == 1);
    CHECK(record.length[0] == UINT32_MAX && record.length[1] == 32);
    CHECK(record.checksum[0] == UINT32_MAX && record.checksum[1] == 0xF4);
    CHECK(record.magic_end == UPD_SYSPARAM_MAGIC_END);

    for (uint32_t run = 0; run < 100; run++) {
        uint8_t random[UPD_SYSPARAM_HEAD_SIZE];
        for (uint32_t i = 0; i < sizeof random; i++) {
            random[i] = (uint8_t)next_random(&seed);
        }
        upd_sysparam_record_decode(random, &record);
        upd_sysparam_record_encode(&record, bytes);
        CHECK(memcmp(bytes, random, sizeof bytes) == 0);
    }
}

static void test_what_a_flag_sector_holds(void)
{
    struct upd_sysparam area;

    memset(&area, 0xFF, sizeof area);
    CHECK(upd_sysparam_flag(&area) == UPD_SYSPARAM_FLAG_ERASED && upd_sysparam_sdk_accepts(&area));
    area.flag[0] = 0;
    CHECK(upd_sysparam_flag(&area) == UPD_SYSPARAM_FLAG_BOOT && upd_sysparam_sdk_accepts(&area));
    area.flag[0] = 1;
    CHECK(upd_sysparam_flag(&area) == UPD_SYSPARAM_FLAG_BOOT && upd_sysparam_sdk_accepts(&area));
    area.flag[0] = 2;
    CHECK(upd_sysparam_flag(&area) == UPD_SYSPARAM_FLAG_DOUBTFUL);
    CHECK(upd_sysparam_sdk_accepts(&area));
    area.flag[0] = 0xFF;
    area.flag[31] = 0x7F;
    CHECK(upd_sysparam_flag(&area) == UPD_SYSPARAM_FLAG_DOUBTFUL);

    make_example(&area);
    CHECK(upd_sysparam_flag(&area) == UPD_SYSPARAM_FLAG_WHOLE && upd_sysparam_sdk_accepts(&area));
    /* The SDK takes an erased last magic, and so much the less is the record whole. */
    memset(area.flag + 28, 0xFF, 4);
    CHECK(upd_sysparam_flag(&area) == UPD_SYSPARAM_FLAG_DOUBTFUL);
    CHECK(upd_sysparam_sdk_accepts(&area));
    memset(area.flag + 4, 0xFF, 4);
    CHECK(upd_sysparam_sdk_accepts(&area));
}

/* Bytes 1 to 3, the counter and the fields of the other copy mean nothing; every other bit does. */
static void test_every_bit_of_a_record_and_of_its_copy(void)
{
    for (uint32_t bit = 0; bit < 64 * 8; bit++) {
        struct upd_sysparam area;
        uint32_t at = bit / 8;
        bool in_copy = at >= 32;
        bool free =
            !in_copy && ((at >= 1 && at < 4) || (at >= 8 && at < 16) || (at >= 20 && at < 24));

        make_example(&area);
        uint8_t *byte = in_copy ? &area.head[1][at - 32] : &area.flag[at];
        *byte ^= (uint8_t)(1u << bit % 8);
        bool whole = upd_sysparam_flag(&area) == UPD_SYSPARAM_FLAG_WHOLE;
        CHECK(whole == free);
        /* Byte 0 with another bit still selects copy 1: the SDK does not mind, updraft does. */
        bool other_flag = !in_copy && at == 0 && bit != 0;
        CHECK(upd_sysparam_sdk_accepts(&area) == (free || other_flag));
    }
}

static void test_flag_texts(void)
{
    const char *unknown = upd_sysparam_flag_text((enum upd_sysparam_flag)4);

    for (uint32_t i = 0; i < 4; i++) {
        CHECK(upd_sysparam_flag_text((enum upd_sysparam_flag)i) != unknown);
    }
    CHECK(unknown[0] == 'u');
}

/* --- The boot block -------------------------------------------------------------------------- */

static const uint8_t tail[6] = {0x11, 0x22, 0x33, 0x44, 0x55, 0x66};

static void make_block(uint8_t block[UPD_BOOT_BLOCK_SIZE], uint32_t b0, uint32_t b1)
{
    block[0] = (uint8_t)b0;
    block[1] = (uint8_t)b1;
    memcpy(block + 2, tail, sizeof tail);
}

static void test_every_field_of_every_block(void)
{
    bool right = true;

    for (uint32_t word = 0; word < 0x10000; word++) {
        uint32_t b0 = word & 255, b1 = word >> 8;
        uint8_t block[UPD_BOOT_BLOCK_SIZE], again[UPD_BOOT_BLOCK_SIZE];
        struct upd_boot_block fields;

        make_block(block, b0, b1);
        upd_boot_block_decode(block, &fields);
        right = right && fields.version == b1 % 32 && fields.nibble == b0 % 16;
        right = right && fields.index == b0 % 4 && fields.first_try == b0 / 4 % 2;
        right = right && fields.keeps_dio == b0 / 8 % 2 && fields.test_passed == !(b1 / 32 % 2);
        right = right && fields.test_selected == !(b1 / 64 % 2) && fields.enhanced == !(b1 / 128);
        right = right && fields.address[0] == 0x332211 && fields.address[1] == 0x665544;

        upd_boot_block_encode(&fields, again);
        block[0] |= 0xF0;
        right = right && memcmp(block, again, sizeof block) == 0;
    }
    CHECK(right);
}

static void test_what_the_sdk_answers(void)
{
    /* B0 & 7 to slot, "0→1, 1→0, 4→0, 5→1"; index 2 and 3 follow the rule "not 1". */
    static const uint8_t slot_of[8] = {1, 0, 1, 1, 0, 1, 0, 0};
    const struct upd_flash_map *map = upd_flash_map(6);
    bool right = true;

    for (uint32_t word = 0; word < 0x10000; word++) {
        uint32_t b0 = word & 255, b1 = word >> 8, version = b1 & 31;
        uint8_t block[UPD_BOOT_BLOCK_SIZE];
        uint32_t slot = version == 2 || version == 31 ? b0 % 16 == 1 : slot_of[b0 & 7];
        bool normal = version < 3 || version == 31 || b1 >= 128;
        uint32_t address = slot == 1 ? 0x101000 : 0x1000;

        if (version == 31) {
            address = 0;
        } else if (!normal) {
            address = (b0 & 4) != 0 ? 0x665544 : 0x332211;
        }
        make_block(block, b0, b1);
        right = right && upd_sdk_boot_version(block) == version;
        right = right && upd_sdk_boot_mode(block) == normal;
        right = right && (uint32_t)upd_sdk_userbin_check(block) == slot;
        right = right && upd_sdk_userbin_addr(block, map) == address;
    }
    CHECK(right);
}

static void test_the_sdk_toggles(void)
{
    bool right = true;

    for (uint32_t word = 0; word < 0x10000; word++) {
        uint32_t b0 = word & 255, b1 = word >> 8, version = b1 & 31;
        uint8_t block[UPD_BOOT_BLOCK_SIZE], meant[UPD_BOOT_BLOCK_SIZE];

        if (version == 2 || version == 31) {
            make_block(meant, (b0 & 0xF0) | (b0 % 16 == 1 ? 0 : 1), b1);
        } else {
            uint32_t index = b0 & 3;
            if ((b0 & 4) != 0) {
                index = index == 1 ? 0 : 1;
            }
            make_block(meant, (b0 & 0xF8) | 4 | index, b1 | 0x80);
        }
        make_block(block, b0, b1);
        bool known = version == 2 || version == 31 || (b0 & 3) < 2;
        enum upd_slot running = upd_sdk_userbin_check(block);
        upd_sdk_upgrade_reboot(block);
        right = right && memcmp(block, meant, sizeof block) == 0;
        /* It always ends at the slot that was not running. */
        right = right && (!known || upd_sdk_userbin_check(block) != running);
    }
    CHECK(right);
}

/* What a select must leave, said in fields. */
static bool selects(const uint8_t block[UPD_BOOT_BLOCK_SIZE], uint32_t version, uint32_t slot)
{
    struct upd_boot_block fields;

    upd_boot_block_decode(block, &fields);
    if (version == 2) {
        return block[1] == 2 && fields.nibble == slot && block[0] != 0xFF;
    }
    return fields.version == version && fields.index == slot && fields.first_try &&
           !fields.enhanced && !(fields.test_selected && !fields.test_passed);
}

/* A block that this version wrote keeps what is not about the slot; another one is thrown away. */
static bool keeps_the_rest(const uint8_t block[UPD_BOOT_BLOCK_SIZE], uint32_t b0, uint32_t b1,
                           uint32_t version)
{
    if (version == 2) {
        bool ours = b1 == 2 && b0 != 0xFF;
        return memcmp(block + 2, tail, sizeof tail) == 0 &&
               (block[0] & 0xF0) == (ours ? (b0 & 0xF0) : 0);
    }
    if ((b1 & 31) == version && (b0 & 3) != 3) {
        return memcmp(block + 2, tail, sizeof tail) == 0 && (block[0] & 0xF8) == (b0 & 0xF8) &&
               (block[1] & 0x20) == (b1 & 0x20);
    }
    static const uint8_t erased[6] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};
    return memcmp(block + 2, erased, sizeof erased) == 0 && (block[0] & 0xFC) == 0xFC &&
           block[1] == (0xE0 | version);
}

static void test_selecting_sets_and_does_not_toggle(void)
{
    static const uint8_t versions[] = {2, 3, 4, 6, 7, 8, 30};
    bool right = true;

    for (size_t v = 0; v < COUNT(versions); v++) {
        for (uint32_t word = 0; word < 0x20000; word++) {
            uint32_t b0 = word & 255, b1 = word >> 8 & 255, slot = word >> 16;
            uint8_t block[UPD_BOOT_BLOCK_SIZE], once[UPD_BOOT_BLOCK_SIZE];

            make_block(block, b0, b1);
            right =
                right && upd_boot_block_select(block, versions[v], (enum upd_slot)slot) == UPD_OK;
            right = right && selects(block, versions[v], slot);
            right = right && keeps_the_rest(block, b0, b1, versions[v]);
            memcpy(once, block, sizeof once);
            right =
                right && upd_boot_block_select(block, versions[v], (enum upd_slot)slot) == UPD_OK;
            right = right && memcmp(once, block, sizeof once) == 0;
        }
    }
    CHECK(right);
}

static void test_versions_that_read_no_block(void)
{
    static const uint8_t versions[] = {0, 1, 31, 32, 255};

    for (size_t i = 0; i < COUNT(versions); i++) {
        uint8_t block[UPD_BOOT_BLOCK_SIZE], before[UPD_BOOT_BLOCK_SIZE];
        struct upd_sysparam area;
        struct upd_sysparam_plan plan = {.count = 99};

        make_block(block, 0xFC, 0xE7);
        memcpy(before, block, sizeof before);
        CHECK(upd_boot_block_select(block, versions[i], UPD_SLOT_USER2) == UPD_E_ARG);
        CHECK(memcmp(block, before, sizeof before) == 0);

        memset(&area, 0xFF, sizeof area);
        CHECK(upd_sysparam_plan_slot(&area, UPD_SYSPARAM_SAFE, versions[i], UPD_SLOT_USER1,
                                     &plan) == UPD_E_ARG);
        CHECK(plan.count == 99);
    }
}

static const struct {
    const char *name;
    uint8_t b0, b1;
    uint8_t map, type;
    uint32_t address;
    enum upd_err err;
    uint8_t after[8];
} restarts[] = {
    {"from user1",
     0xFC,
     0xE7,
     2,
     UPD_SDK_RESTART_NORMAL,
     0x3C000,
     UPD_OK,
     {0xFC, 0x67, 0x00, 0x10, 0x00, 0x00, 0xC0, 0x03}},
    {"from user2",
     0xFD,
     0xE6,
     4,
     UPD_SDK_RESTART_NORMAL,
     0xFFF000,
     UPD_OK,
     {0xFD, 0x66, 0x00, 0x10, 0x08, 0x00, 0xF0, 0xFF}},
    {"from user2, fallen back",
     0xF8,
     0xE6,
     0,
     UPD_SDK_RESTART_NORMAL,
     0,
     UPD_OK,
     {0xFC, 0x66, 0x00, 0x10, 0x04, 0x00, 0x00, 0x00}},
    {"from an enhanced primary",
     0xFC,
     0x67,
     3,
     UPD_SDK_RESTART_NORMAL,
     0x100000,
     UPD_OK,
     {0xFC, 0x67, 0x44, 0x55, 0x66, 0x00, 0x00, 0x10}},
    {"test",
     0xFC,
     0xE7,
     6,
     UPD_SDK_RESTART_TEST,
     0x123456,
     UPD_OK,
     {0xFC, 0xA7, 0x56, 0x34, 0x12, 0x44, 0x55, 0x66}},
    {"map 5", 0xFC, 0xE7, 5, UPD_SDK_RESTART_NORMAL, 0, UPD_E_TARGET, {0}},
    {"map 6", 0xFC, 0xE7, 6, UPD_SDK_RESTART_NORMAL, 0, UPD_E_TARGET, {0}},
    {"map 1", 0xFC, 0xE7, 1, UPD_SDK_RESTART_NORMAL, 0, UPD_E_TARGET, {0}},
    {"map 7", 0xFC, 0xE7, 7, UPD_SDK_RESTART_NORMAL, 0, UPD_E_TARGET, {0}},
    {"map 8", 0xFC, 0xE7, 8, UPD_SDK_RESTART_NORMAL, 0, UPD_E_TARGET, {0}},
    {"map 9", 0xFC, 0xE7, 9, UPD_SDK_RESTART_NORMAL, 0, UPD_E_TARGET, {0}},
    {"test passed", 0xFC, 0xC7, 2, UPD_SDK_RESTART_TEST, 0, UPD_E_STATE, {0}},
    {"v1.2", 0x00, 0x02, 2, UPD_SDK_RESTART_NORMAL, 0, UPD_E_STATE, {0}},
    {"no loader", 0xFF, 0xFF, 2, UPD_SDK_RESTART_TEST, 0, UPD_E_STATE, {0}},
    {"no such type", 0xFC, 0xE7, 2, 2, 0, UPD_E_ARG, {0}},
    {"16 MiB", 0xFC, 0xE7, 2, UPD_SDK_RESTART_TEST, 0x1000000, UPD_E_ARG, {0}},
    {"16 MiB", 0xFC, 0xE7, 2, UPD_SDK_RESTART_NORMAL, 0x1000000, UPD_E_ARG, {0}},
};

static void test_restart_enhance(void)
{
    for (size_t i = 0; i < COUNT(restarts); i++) {
        uint8_t block[UPD_BOOT_BLOCK_SIZE], meant[UPD_BOOT_BLOCK_SIZE];

        make_block(block, restarts[i].b0, restarts[i].b1);
        memcpy(meant, restarts[i].err == UPD_OK ? restarts[i].after : block, sizeof meant);
        CHECK_THAT(restarts[i].name,
                   upd_sdk_restart_enhance(block, upd_flash_map(restarts[i].map),
                                           (enum upd_sdk_restart)restarts[i].type,
                                           restarts[i].address) == restarts[i].err);
        CHECK_THAT(restarts[i].name, memcmp(block, meant, sizeof meant) == 0);
    }
}

/* --- Four sectors of flash ------------------------------------------------------------------- */

/*
 * The area as a chip. Cells that a cut left half way are weak: they read 0 or 1, newly drawn at
 * every read, until their sector is erased. The journal lies elsewhere and is never torn here.
 */
struct chip {
    uint8_t sector[4][SECTOR];
    uint8_t weak[4][SECTOR]; /* bits */
    bool wavers[4];          /* the sector has weak cells */
    uint32_t erases[4];
    uint32_t seed;
    bool flag_in_doubt; /* the journal */
};

static struct chip chip; /* too large for the stack of the chips' CPU */
static struct chip saved;

static uint8_t read_byte(struct chip *at, uint32_t sector, uint32_t offset)
{
    uint8_t weak = at->weak[sector][offset];

    if (weak == 0) {
        return at->sector[sector][offset];
    }
    return (uint8_t)((at->sector[sector][offset] & ~weak) | (next_random(&at->seed) >> 11 & weak));
}

static bool is_firm(const struct chip *at, uint32_t sector)
{
    return !at->wavers[sector];
}

static void read_area(struct chip *at, struct upd_sysparam *area)
{
    for (uint32_t i = 0; i < UPD_SYSPARAM_HEAD_SIZE; i++) {
        area->flag[i] = read_byte(at, FLAG, i);
        area->head[0][i] = read_byte(at, COPY0, i);
        area->head[1][i] = read_byte(at, COPY0 + 1, i);
    }
    if (is_firm(at, COPY0) && is_firm(at, COPY0 + 1)) {
        area->same_settings =
            memcmp(at->sector[COPY0] + UPD_BOOT_BLOCK_SIZE,
                   at->sector[COPY0 + 1] + UPD_BOOT_BLOCK_SIZE, SECTOR - UPD_BOOT_BLOCK_SIZE) == 0;
        return;
    }
    area->same_settings = true;
    for (uint32_t i = UPD_BOOT_BLOCK_SIZE; i < SECTOR && area->same_settings; i++) {
        area->same_settings = read_byte(at, COPY0, i) == read_byte(at, COPY0 + 1, i);
    }
}

static void erase(struct chip *at, uint32_t sector)
{
    memset(at->sector[sector], 0xFF, SECTOR);
    if (at->wavers[sector]) {
        memset(at->weak[sector], 0, SECTOR);
        at->wavers[sector] = false;
    }
    at->erases[sector]++;
}

/* What a program of a step leaves in byte i of its sector, when it is not torn. */
static uint8_t programmed(const struct chip *at, const struct upd_sysparam_plan *plan,
                          const struct upd_sysparam_step *step, uint32_t i)
{
    const uint8_t *data = upd_sysparam_data(plan, step);
    uint8_t wanted;

    if (step->action == UPD_SYSPARAM_COPY) {
        wanted = i < UPD_BOOT_BLOCK_SIZE ? data[i] : at->sector[step->source][i];
    } else {
        wanted = data[i - step->offset];
    }
    return at->sector[step->sector][i] & wanted;
}

static void program(struct chip *at, const struct upd_sysparam_plan *plan,
                    const struct upd_sysparam_step *step, uint32_t from, uint32_t end)
{
    for (uint32_t i = from; i < end; i++) {
        at->sector[step->sector][i] = programmed(at, plan, step, i);
    }
}

static void check_step(const struct upd_sysparam_step *step)
{
    CHECK(step->sector >= COPY0 && step->sector <= FLAG);
    CHECK(step->offset % 4 == 0 && step->size % 4 == 0 && step->offset + step->size <= SECTOR);
    if (step->action == UPD_SYSPARAM_COPY) {
        CHECK(step->source != step->sector && step->source >= COPY0 && step->source < FLAG);
        CHECK(step->sector < FLAG && step->size >= UPD_BOOT_BLOCK_SIZE && step->offset == 0);
    } else if (step->action == UPD_SYSPARAM_PROGRAM) {
        CHECK(step->sector == FLAG && step->size > 0);
    } else {
        CHECK(step->action == UPD_SYSPARAM_ERASE && step->size == 0);
    }
}

static void carry_out(struct chip *at, const struct upd_sysparam_plan *plan,
                      const struct upd_sysparam_step *step)
{
    check_step(step);
    if (step->action == UPD_SYSPARAM_ERASE) {
        erase(at, step->sector);
        return;
    }
    /* Nothing is programmed over weak cells, nor copied from them. */
    CHECK(is_firm(at, step->sector));
    CHECK(step->action == UPD_SYSPARAM_PROGRAM || is_firm(at, step->source));
    program(at, plan, step, step->offset, (uint32_t)step->offset + step->size);
}

/* Ways in which an erase or the program of a page is torn, after docs/flash-model.md. */
enum tear {
    TEAR_BEFORE,
    TEAR_PREFIX,
    TEAR_SUFFIX,
    TEAR_BITS,
    TEAR_WEAK_BEFORE,
    TEAR_WEAK_AFTER,
    TEAR_MIXED,
    TEAR_ZEROES, /* erase: an erase programs all to 0 first; program: other bits of the page */
    TEAR_AFTER,
    TEARS
};

static void tear_byte(struct chip *at, uint32_t sector, uint32_t i, uint8_t after, enum tear tear,
                      bool within)
{
    uint8_t *byte = &at->sector[sector][i];
    uint8_t some = (uint8_t)(next_random(&at->seed) >> 9);
    uint8_t few = some & (uint8_t)(next_random(&at->seed) >> 9) & (uint8_t)next_random(&at->seed);

    switch (tear) {
    case TEAR_PREFIX:
    case TEAR_SUFFIX:
        *byte = within == (tear == TEAR_PREFIX) ? after : *byte;
        break;
    case TEAR_WEAK_AFTER:
        *byte = after;
        at->weak[sector][i] = few;
        break;
    case TEAR_WEAK_BEFORE:
        at->weak[sector][i] = few;
        break;
    case TEAR_MIXED:
        at->weak[sector][i] = few;
        *byte = (uint8_t)((*byte & ~some) | (after & some));
        break;
    case TEAR_ZEROES:
        *byte = within ? (*byte & some) : *byte;
        break;
    default:
        *byte = (uint8_t)((*byte & ~some) | (after & some));
        break;
    }
}

/* Pages before the torn one are done, those behind it untouched; an erase tears the whole sector.
 */
static void tear_step(struct chip *at, const struct upd_sysparam_plan *plan,
                      const struct upd_sysparam_step *step, enum tear tear)
{
    uint32_t from = 0, end = SECTOR, first = 0, last = SECTOR;

    if (tear == TEAR_BEFORE) {
        return;
    }
    if (tear == TEAR_AFTER) {
        carry_out(at, plan, step);
        return;
    }
    uint32_t random = next_random(&at->seed) >> 7;
    if (step->action != UPD_SYSPARAM_ERASE) {
        from = step->offset;
        end = from + step->size;
        first = step->action == UPD_SYSPARAM_COPY && random % 2 != 0 ? (random >> 1) % 16 * 256 : 0;
        last = first + 256;
        program(at, plan, step, from, first);
    }
    at->wavers[step->sector] |=
        tear == TEAR_WEAK_BEFORE || tear == TEAR_WEAK_AFTER || tear == TEAR_MIXED;
    /* The cut is often within the first bytes, which are the ones that matter. */
    uint32_t cut = first + (random >> 5) % (random % 3 == 0 ? last - first : 40);
    for (uint32_t i = first; i < last; i++) {
        bool meant = i >= from && i < end;
        uint8_t after = step->action == UPD_SYSPARAM_ERASE ? 0xFF
                        : meant                            ? programmed(at, plan, step, i)
                                                           : at->sector[step->sector][i];
        if (meant || tear == TEAR_ZEROES) {
            tear_byte(at, step->sector, i, after, tear, i < cut);
        }
    }
}

/* Settings behind the block, which no step may lose; those of the older copy differ. */
static uint8_t setting(uint32_t i)
{
    return (uint8_t)(i * 13 + (i >> 8) + 5);
}

static uint8_t settings[SECTOR]; /* of the copy that is current at first */

static void fill_copy(struct chip *at, uint32_t copy, const uint8_t block[UPD_BOOT_BLOCK_SIZE],
                      bool older)
{
    uint8_t *bytes = at->sector[COPY0 + copy];

    for (uint32_t i = 0; i < SECTOR; i++) {
        bytes[i] = i < UPD_BOOT_BLOCK_SIZE ? block[i] : (uint8_t)(setting(i) + older);
    }
}

static bool is_complete(const struct chip *at, uint32_t copy)
{
    return is_firm(at, COPY0 + copy) &&
           memcmp(at->sector[COPY0 + copy] + UPD_BOOT_BLOCK_SIZE, settings + UPD_BOOT_BLOCK_SIZE,
                  SECTOR - UPD_BOOT_BLOCK_SIZE) == 0;
}

static void write_flag(struct chip *at, uint8_t flag, bool sdk, bool other_too)
{
    struct upd_sysparam_record record = {
        .flag = flag,
        .kept = {0xFF, 0xFF, 0xFF},
        .magic = UPD_SYSPARAM_MAGIC,
        .counter = 41,
        .length = {UINT32_MAX, UINT32_MAX},
        .checksum = {UINT32_MAX, UINT32_MAX},
        .magic_end = UPD_SYSPARAM_MAGIC_END,
    };
    uint8_t bytes[UPD_SYSPARAM_HEAD_SIZE];

    erase(at, FLAG);
    record.length[flag] = 32;
    record.checksum[flag] = upd_sysparam_checksum(at->sector[COPY0 + flag]);
    if (other_too) {
        record.length[!flag] = 32;
        record.checksum[!flag] = 0x5A;
    }
    upd_sysparam_record_encode(&record, bytes);
    memcpy(at->sector[FLAG], bytes, sdk ? UPD_SYSPARAM_HEAD_SIZE : 4);
}

/* --- Plans ----------------------------------------------------------------------------------- */

/* States that a device is found in: who wrote the flag sector last, for which copy. */
enum writer { BY_NOBODY, BY_LOADER, BY_SDK_ONCE, BY_SDK_OFTEN, WRITERS };

/* Copy `current` has slot `running` selected for a loader of this version; the other is older. */
static void make_chip(enum writer writer, uint8_t current, uint8_t version, uint8_t running)
{
    uint8_t block[UPD_BOOT_BLOCK_SIZE];

    memset(&chip, 0, sizeof chip);
    memset(chip.sector, 0xFF, sizeof chip.sector);
    chip.seed = 0x1234567u + (uint32_t)writer * 7919 + current * 104729u + version * 31u + running;
    memset(block, 0xFF, sizeof block);
    CHECK(upd_boot_block_select(block, version, (enum upd_slot)running) == UPD_OK);
    fill_copy(&chip, current, block, false);
    CHECK(upd_boot_block_select(block, version, (enum upd_slot) !running) == UPD_OK);
    fill_copy(&chip, !current, block, true);
    if (writer != BY_NOBODY) {
        write_flag(&chip, current, writer != BY_LOADER, writer == BY_SDK_OFTEN);
    }
    memset(chip.erases, 0, sizeof chip.erases);
    memcpy(settings, chip.sector[COPY0 + current], SECTOR);
}

/* Which slot starts, the settings beside it being whole: the invariant of every moment. */
static uint8_t slot_that_starts(struct chip *at, uint8_t version)
{
    struct upd_sysparam area;

    read_area(at, &area);
    const uint8_t *block = upd_sysparam_block(&area);
    CHECK(selects(block, version, 0) || selects(block, version, 1));
    CHECK(is_complete(at, upd_sysparam_current(&area)));
    return selects(block, version, 1);
}

static void plan_now(struct chip *at, uint8_t version, uint8_t slot, struct upd_sysparam_plan *plan)
{
    struct upd_sysparam area;

    read_area(at, &area);
    CHECK(upd_sysparam_plan_slot(&area, UPD_SYSPARAM_SAFE, version, (enum upd_slot)slot, plan) ==
          UPD_OK);
    CHECK(plan->count <= COUNT(plan->step) && plan->flag_from <= plan->count);
}

/*
 * The loop of sysparam.h, with power for `budget` steps; then one more step is torn.
 *
 * @return true when the slot is set before power goes
 */
static bool set_slot(struct chip *at, uint8_t version, uint8_t slot, uint32_t budget,
                     enum tear tear)
{
    for (uint32_t rounds = 0; rounds < 4; rounds++) {
        struct upd_sysparam area;
        struct upd_sysparam_plan plan;
        bool repair = at->flag_in_doubt;

        if (repair) {
            read_area(at, &area);
            upd_sysparam_plan_flag(&area, version, (enum upd_slot)slot, &plan);
        } else {
            plan_now(at, version, slot, &plan);
            if (plan.count == 0) {
                return true;
            }
        }
        for (uint32_t i = 0; i < plan.count; i++, budget--) {
            CHECK((plan.step[i].sector == FLAG) == (i >= plan.flag_from));
            at->flag_in_doubt = at->flag_in_doubt || i == plan.flag_from;
            if (budget == 0) {
                tear_step(at, &plan, &plan.step[i], tear);
                return false;
            }
            carry_out(at, &plan, &plan.step[i]);
        }
        at->flag_in_doubt = false;
    }
    CHECK(false); /* two plans and an empty one are enough */
    return true;
}

#define FOR_EVER UINT32_MAX

static void check_end_state(struct chip *at, uint8_t version, uint8_t slot)
{
    struct upd_sysparam area;

    read_area(at, &area);
    CHECK(is_firm(at, FLAG));
    CHECK(upd_sysparam_flag(&area) != UPD_SYSPARAM_FLAG_DOUBTFUL);
    CHECK(upd_sysparam_sdk_accepts(&area));
    CHECK(slot_that_starts(at, version) == slot);
}

/* Every state that make_chip() knows; `run` gets each wanted slot too. */
static void for_every_chip(void (*run)(uint8_t version, uint8_t slot))
{
    static const uint8_t all[] = {2, 7};

    for (uint32_t writer = 0; writer < WRITERS; writer++) {
        for (uint32_t i = 0; i < COUNT(all) * 8; i++) {
            uint8_t current = i % 2, running = i / 2 % 2, slot = i / 4 % 2;
            if (writer == BY_NOBODY && current == 0) {
                continue; /* an erased flag selects copy 1 */
            }
            make_chip((enum writer)writer, current, all[i / 8], running);
            run(all[i / 8], slot);
        }
    }
}

static void set_once(uint8_t version, uint8_t slot)
{
    struct upd_sysparam area;
    uint32_t change = slot_that_starts(&chip, version) != slot;

    CHECK(set_slot(&chip, version, slot, FOR_EVER, TEAR_BEFORE));
    check_end_state(&chip, version, slot);
    CHECK(chip.erases[COPY0] + chip.erases[COPY0 + 1] == change);
    CHECK(chip.erases[FLAG] <= change);
    read_area(&chip, &area);
    CHECK(change == 0 || upd_sysparam_flag(&area) == UPD_SYSPARAM_FLAG_WHOLE);
}

static void test_a_slot_is_set_from_every_state(void)
{
    for_every_chip(set_once);
}

/* Cut at every step in every way, then finished; the random parts of a tear are drawn 4 times. */
static void cut_everywhere(uint8_t version, uint8_t slot)
{
    uint8_t before = slot_that_starts(&chip, version);
    bool done = false;

    memcpy(&saved, &chip, sizeof chip);
    for (uint32_t step = 0; !done; step++) {
        for (uint32_t run = 0; run < TEARS * 4u && !done; run++) {
            memcpy(&chip, &saved, sizeof chip);
            chip.seed += run + 1;
            done = set_slot(&chip, version, slot, step, (enum tear)(run % TEARS));
            for (uint32_t boots = 0; boots < 2; boots++) {
                uint8_t now = slot_that_starts(&chip, version);
                CHECK(now == before || now == slot);
            }
            CHECK(set_slot(&chip, version, slot, FOR_EVER, TEAR_BEFORE));
            check_end_state(&chip, version, slot);
        }
    }
}

static void test_one_cut_anywhere_changes_nothing_else(void)
{
    for_every_chip(cut_everywhere);
}

/* Power fails again and again, at a random step in a random way; now and then nothing is torn. */
static void cut_for_ever(uint8_t version, uint8_t slot)
{
    uint8_t before = slot_that_starts(&chip, version);

    memcpy(&saved, &chip, sizeof chip);
    for (uint32_t run = 0; run < 20; run++) {
        memcpy(&chip, &saved, sizeof chip);
        chip.seed += 77 * run + 1;
        for (uint32_t cuts = 0; cuts < 20; cuts++) {
            uint32_t random = next_random(&chip.seed) >> 9;
            if (set_slot(&chip, version, slot, random % 6, (enum tear)(random / 8 % TEARS))) {
                break;
            }
            for (uint32_t boots = 0; boots < 3; boots++) {
                uint8_t now = slot_that_starts(&chip, version);
                CHECK(now == before || now == slot);
            }
        }
        CHECK(set_slot(&chip, version, slot, FOR_EVER, TEAR_BEFORE));
        check_end_state(&chip, version, slot);
    }
}

static void test_any_number_of_cuts(void)
{
    for_every_chip(cut_for_ever);
}

/* With power for five steps at a time the slot is set, whatever happens to the sixth. */
static void five_steps_are_enough(uint8_t version, uint8_t slot)
{
    uint32_t cuts = 0;

    while (!set_slot(&chip, version, slot, 5, (enum tear)(next_random(&chip.seed) % TEARS)) &&
           cuts < 4) {
        cuts++;
    }
    CHECK(cuts < 4);
    check_end_state(&chip, version, slot);
}

static void test_progress_under_cuts(void)
{
    for_every_chip(five_steps_are_enough);
}

/* The flag sector of copy 1 becomes that of copy 0 without an erase: 1.5 erases per change. */
static void test_erases_are_spread(void)
{
    const uint32_t changes = 100;

    make_chip(BY_SDK_ONCE, 0, 7, 0);
    for (uint32_t change = 0; change < changes; change++) {
        uint8_t slot = (uint8_t)(change % 2 == 0);

        CHECK(set_slot(&chip, 7, slot, FOR_EVER, TEAR_BEFORE));
        check_end_state(&chip, 7, slot);
    }
    CHECK(chip.erases[COPY0] == changes / 2 && chip.erases[COPY0 + 1] == changes / 2);
    CHECK(chip.erases[FLAG] == changes / 2);
    CHECK(upd_get_le32(chip.sector[FLAG] + 8) == 41 + changes / 2);
}

/* An unknown flag over a current copy that is no block of the loader's: the other copy counts. */
static void test_a_flag_that_reads_wrong(void)
{
    struct upd_sysparam_plan plan;

    make_chip(BY_LOADER, 1, 7, 1);
    memset(chip.sector[COPY0], 0x5A, SECTOR);
    chip.sector[FLAG][0] = 0;
    CHECK(set_slot(&chip, 7, 1, FOR_EVER, TEAR_BEFORE));
    check_end_state(&chip, 7, 1);
    CHECK(chip.erases[COPY0 + 1] == 0 && chip.erases[FLAG] == 1);

    /* A whole record is believed, whatever the copy holds. */
    memset(chip.sector[COPY0], 0x5A, SECTOR);
    write_flag(&chip, 0, true, false);
    plan_now(&chip, 7, 1, &plan);
    CHECK(plan.count > 0 && plan.step[0].sector == COPY0 + 1);
}

/* A write by others was cut when both copies were complete: the record is made whole, whatever is
 * wanted. If the other copy is not one, it comes first. */
static void test_a_doubtful_flag_is_made_whole(void)
{
    for (uint32_t i = 0; i < 16; i++) {
        uint8_t current = i % 2, running = i / 2 % 2, slot = i / 4 % 2;
        bool other_is_sound = i / 8 % 2;
        struct upd_sysparam_plan plan;
        struct upd_sysparam area;

        make_chip(BY_SDK_ONCE, current, 7, running);
        chip.sector[FLAG][31] = 0xFF;
        if (!other_is_sound) {
            memset(chip.sector[COPY0 + !current], 0xFF, SECTOR);
        }
        plan_now(&chip, 7, slot, &plan);
        CHECK(plan.step[0].sector == (other_is_sound ? FLAG : COPY0 + !current));
        CHECK(set_slot(&chip, 7, slot, FOR_EVER, TEAR_BEFORE));
        check_end_state(&chip, 7, slot);
        read_area(&chip, &area);
        CHECK(upd_sysparam_flag(&area) == UPD_SYSPARAM_FLAG_WHOLE);
    }
}

/* A repair writes the flag sector alone, for the copy that names the slot if there is one, and
 * leaves it alone when the copies show that it cannot be torn. */
static void test_a_repair(void)
{
    for (uint32_t i = 0; i < 64; i++) {
        uint8_t current = i % 2, running = i / 2 % 2, slot = i / 4 % 2;
        bool same = i / 8 % 2, sound[2] = {i / 16 % 2, i / 32 % 2};
        struct upd_sysparam_plan plan;
        struct upd_sysparam area;

        make_chip(BY_SDK_ONCE, current, 7, running);
        read_area(&chip, &area);
        area.same_settings = same;
        for (uint32_t copy = 0; copy < 2; copy++) {
            area.head[copy][1] = sound[copy] ? area.head[copy][1] : 0xE6;
        }
        upd_sysparam_plan_flag(&area, 7, (enum upd_slot)slot, &plan);
        if (!same || !sound[0] || !sound[1]) {
            CHECK(plan.count == 0);
            continue;
        }
        CHECK(plan.count == 3 && plan.flag_from == 0);
        for (uint32_t k = 0; k < plan.count; k++) {
            CHECK(plan.step[k].sector == FLAG);
            carry_out(&chip, &plan, &plan.step[k]);
        }
        read_area(&chip, &area);
        CHECK(upd_sysparam_flag(&area) == UPD_SYSPARAM_FLAG_WHOLE);
        CHECK(selects(upd_sysparam_block(&area), 7, slot));
        CHECK(upd_get_le32(area.flag + 8) == 42);
    }
    /* A slot that neither copy names: the current one stays. */
    make_chip(BY_SDK_ONCE, 1, 7, 0);
    chip.sector[COPY0][0] = 0xF9;
    chip.sector[COPY0 + 1][0] = 0xF8;
    struct upd_sysparam area;
    struct upd_sysparam_plan plan;
    read_area(&chip, &area);
    area.same_settings = true;
    upd_sysparam_plan_flag(&area, 7, UPD_SLOT_USER1, &plan);
    CHECK(plan.count == 3 && upd_sysparam_data(&plan, &plan.step[2])[0] == 1);
}

/* --- The originals' writes ------------------------------------------------------------------- */

static void run_plan(enum upd_sysparam_style style, const uint8_t block[UPD_BOOT_BLOCK_SIZE])
{
    struct upd_sysparam area;
    struct upd_sysparam_plan plan;

    read_area(&chip, &area);
    upd_sysparam_plan_block(&area, style, block, &plan);
    for (uint32_t i = 0; i < plan.count; i++) {
        carry_out(&chip, &plan, &plan.step[i]);
    }
}

static bool sector_is(uint32_t sector, const uint8_t *bytes, uint32_t size)
{
    uint32_t i = size;

    while (i < SECTOR && chip.sector[sector][i] == 0xFF) {
        i++;
    }
    return i == SECTOR && (size == 0 || memcmp(chip.sector[sector], bytes, size) == 0);
}

/* The heads of flag sector, copy 0 and copy 1 are those of a file; nothing lies behind them. */
static bool area_is(const char *path)
{
    uint8_t heads[3 * UPD_SYSPARAM_HEAD_SIZE + 1];

    return check_load(path, heads, sizeof heads) == 3 * UPD_SYSPARAM_HEAD_SIZE &&
           sector_is(FLAG, heads, 32) && sector_is(COPY0, heads + 32, 32) &&
           sector_is(COPY0 + 1, heads + 64, 32);
}

/* The worked sequence: first boot of v1.6, an upgrade by the SDK, user2 fails, user1 again. */
static void test_the_worked_byte_sequences(void)
{
    static const uint8_t fresh[8] = {0xFC, 0xE6, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};
    static const uint8_t user2[8] = {0xFD, 0xE6, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};
    static const uint8_t failed[8] = {0xF9, 0xE6, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};
    static const uint8_t flag0[4] = {0x00, 0xFF, 0xFF, 0xFF};
    uint8_t block[UPD_BOOT_BLOCK_SIZE];

    memset(&chip, 0, sizeof chip);
    memset(chip.sector, 0xFF, sizeof chip.sector);
    CHECK(area_is(UPD_VECTORS "/sysparam/1-erased.bin"));
    run_plan(UPD_SYSPARAM_AS_BOOT, fresh);
    CHECK(area_is(UPD_VECTORS "/sysparam/2-first-boot.bin"));
    CHECK(sector_is(COPY0, fresh, 8) && sector_is(COPY0 + 1, fresh, 0) &&
          sector_is(FLAG, flag0, 4));

    memcpy(block, fresh, sizeof block);
    upd_sdk_upgrade_reboot(block);
    CHECK(memcmp(block, user2, sizeof block) == 0);
    run_plan(UPD_SYSPARAM_AS_SDK, block);
    CHECK(area_is(UPD_VECTORS "/sysparam/3-upgraded.bin"));
    CHECK(sector_is(COPY0, fresh, 8) && sector_is(COPY0 + 1, user2, 8));
    CHECK(sector_is(FLAG, example_record, sizeof example_record));

    run_plan(UPD_SYSPARAM_AS_BOOT, failed);
    CHECK(area_is(UPD_VECTORS "/sysparam/4-failed.bin"));
    CHECK(sector_is(COPY0, failed, 8) && sector_is(COPY0 + 1, user2, 8));
    CHECK(sector_is(FLAG, flag0, 4));
    CHECK(upd_sdk_userbin_check(failed) == UPD_SLOT_USER1);
}

static void test_v1_2_loses_the_settings(void)
{
    static const uint8_t user1[8] = {0x00, 0x02, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88};
    static const uint8_t flag1[4] = {0x01, 0xFF, 0xFF, 0xFF};

    make_chip(BY_SDK_ONCE, 0, 7, 0);
    run_plan(UPD_SYSPARAM_AS_BOOT_1_2, user1);
    CHECK(sector_is(COPY0 + 1, user1, 8) && sector_is(FLAG, flag1, 4));
}

/* The SDK carries over what it knows of, keeps the other copy's fields and counts. */
static void test_the_sdk_writes_its_part(void)
{
    static const uint8_t block[8] = {0xFD, 0xE7, 1, 2, 3, 4, 5, 6};
    struct upd_sysparam_record record;
    struct upd_sysparam area;
    struct upd_sysparam_plan plan;

    make_chip(BY_SDK_OFTEN, 1, 7, 0);
    memset(chip.sector[FLAG] + 1, 0x77, 3);
    run_plan(UPD_SYSPARAM_AS_SDK, block);
    upd_sysparam_record_decode(chip.sector[FLAG], &record);
    CHECK(record.flag == 0 && record.kept[0] == 0x77 && record.kept[2] == 0x77);
    CHECK(record.counter == 42 && record.length[0] == 32 && record.length[1] == 32);
    CHECK(record.checksum[0] == upd_sysparam_checksum(chip.sector[COPY0]));
    CHECK(record.checksum[1] == upd_sysparam_checksum(chip.sector[COPY0 + 1]));
    CHECK(chip.sector[COPY0][UPD_SYSPARAM_SDK_SIZE - 1] == setting(UPD_SYSPARAM_SDK_SIZE - 1));
    CHECK(chip.sector[COPY0][UPD_SYSPARAM_SDK_SIZE] == 0xFF);

    read_area(&chip, &area);
    upd_sysparam_plan_block(&area, UPD_SYSPARAM_AS_SDK, block, &plan);
    CHECK(plan.count == 0); /* nothing changed, nothing is written */

    /* A bad magic starts the counter anew. */
    chip.sector[FLAG][28] = 0;
    read_area(&chip, &area);
    CHECK(upd_sysparam_plan_slot(&area, UPD_SYSPARAM_AS_SDK, 7, UPD_SLOT_USER1, &plan) == UPD_OK);
    upd_sysparam_record_decode(upd_sysparam_data(&plan, &plan.step[plan.count - 1]), &record);
    CHECK(record.counter == 1 && record.flag == 1 && record.magic_end == UPD_SYSPARAM_MAGIC_END);
}

/* Order of the originals: the copy that is not used, then the flag. */
static void test_the_originals_write_in_their_order(void)
{
    static const enum upd_sysparam_style styles[] = {UPD_SYSPARAM_AS_SDK, UPD_SYSPARAM_AS_BOOT,
                                                     UPD_SYSPARAM_AS_BOOT_1_2};
    static const uint8_t actions[4] = {UPD_SYSPARAM_ERASE, UPD_SYSPARAM_COPY, UPD_SYSPARAM_ERASE,
                                       UPD_SYSPARAM_PROGRAM};
    static const uint8_t block[8] = {0xFC, 0xE7, 1, 2, 3, 4, 5, 6};

    for (uint32_t byte = 0; byte < 256; byte++) {
        struct upd_sysparam area;
        uint8_t target = (uint8_t)(COPY0 + (byte == 0));

        memset(&area, 0xFF, sizeof area);
        area.flag[0] = (uint8_t)byte;
        for (size_t s = 0; s < COUNT(styles); s++) {
            struct upd_sysparam_plan plan;

            upd_sysparam_plan_block(&area, styles[s], block, &plan);
            CHECK(plan.count == 4);
            for (uint32_t i = 0; i < 4; i++) {
                CHECK(plan.step[i].action == actions[i]);
                CHECK(plan.step[i].sector == (i < 2 ? target : FLAG));
            }
            CHECK(upd_sysparam_data(&plan, &plan.step[3])[0] == (byte == 0));
        }
    }
}

int main(void)
{
    CHECK_RUN(test_only_zero_selects_copy_0);
    CHECK_RUN(test_checksum);
    CHECK_RUN(test_a_record_survives_decode_and_encode);
    CHECK_RUN(test_what_a_flag_sector_holds);
    CHECK_RUN(test_every_bit_of_a_record_and_of_its_copy);
    CHECK_RUN(test_flag_texts);
    CHECK_RUN(test_every_field_of_every_block);
    CHECK_RUN(test_what_the_sdk_answers);
    CHECK_RUN(test_the_sdk_toggles);
    CHECK_RUN(test_selecting_sets_and_does_not_toggle);
    CHECK_RUN(test_versions_that_read_no_block);
    CHECK_RUN(test_restart_enhance);
    CHECK_RUN(test_a_slot_is_set_from_every_state);
    CHECK_RUN(test_one_cut_anywhere_changes_nothing_else);
    CHECK_RUN(test_any_number_of_cuts);
    CHECK_RUN(test_progress_under_cuts);
    CHECK_RUN(test_erases_are_spread);
    CHECK_RUN(test_a_flag_that_reads_wrong);
    CHECK_RUN(test_a_doubtful_flag_is_made_whole);
    CHECK_RUN(test_a_repair);
    CHECK_RUN(test_the_worked_byte_sequences);
    CHECK_RUN(test_v1_2_loses_the_settings);
    CHECK_RUN(test_the_sdk_writes_its_part);
    CHECK_RUN(test_the_originals_write_in_their_order);
    check_end();
}
