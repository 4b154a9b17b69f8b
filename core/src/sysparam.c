/* docs/formats/sysparam.md */
#include <updraft/bytes.h>
#include <updraft/sysparam.h>

#define HEAD UPD_SYSPARAM_HEAD_SIZE
#define BLOCK UPD_BOOT_BLOCK_SIZE
#define ERASED_WORD 0xFFFFFFFFu

/* Offsets in the flag sector's record. */
enum { MAGIC_AT = 4, COUNTER_AT = 8, LENGTH_AT = 12, CHECKSUM_AT = 20, MAGIC_END_AT = 28 };

/* --- What is there --------------------------------------------------------------------------- */

uint8_t upd_sysparam_current(const struct upd_sysparam *area)
{
    return area->flag[0] != 0;
}

const uint8_t *upd_sysparam_block(const struct upd_sysparam *area)
{
    return area->head[upd_sysparam_current(area)];
}

uint8_t upd_sysparam_checksum(const uint8_t head[HEAD])
{
    uint8_t sum = 0xEF;

    for (uint32_t i = 0; i < HEAD; i++) {
        sum ^= head[i];
    }
    return sum;
}

void upd_sysparam_record_decode(const uint8_t bytes[HEAD], struct upd_sysparam_record *record)
{
    record->flag = bytes[0];
    memcpy(record->kept, bytes + 1, sizeof record->kept);
    record->magic = upd_get_le32(bytes + MAGIC_AT);
    record->counter = upd_get_le32(bytes + COUNTER_AT);
    for (uint32_t copy = 0; copy < 2; copy++) {
        record->length[copy] = upd_get_le32(bytes + LENGTH_AT + 4 * copy);
        record->checksum[copy] = upd_get_le32(bytes + CHECKSUM_AT + 4 * copy);
    }
    record->magic_end = upd_get_le32(bytes + MAGIC_END_AT);
}

void upd_sysparam_record_encode(const struct upd_sysparam_record *record, uint8_t bytes[HEAD])
{
    bytes[0] = record->flag;
    memcpy(bytes + 1, record->kept, sizeof record->kept);
    upd_put_le32(bytes + MAGIC_AT, record->magic);
    upd_put_le32(bytes + COUNTER_AT, record->counter);
    for (uint32_t copy = 0; copy < 2; copy++) {
        upd_put_le32(bytes + LENGTH_AT + 4 * copy, record->length[copy]);
        upd_put_le32(bytes + CHECKSUM_AT + 4 * copy, record->checksum[copy]);
    }
    upd_put_le32(bytes + MAGIC_END_AT, record->magic_end);
}

static bool magics_are_right(const struct upd_sysparam_record *record)
{
    return record->magic == UPD_SYSPARAM_MAGIC && record->magic_end == UPD_SYSPARAM_MAGIC_END;
}

static bool describes(const struct upd_sysparam_record *record, uint8_t copy,
                      const uint8_t head[HEAD])
{
    return record->length[copy] == HEAD && record->checksum[copy] == upd_sysparam_checksum(head);
}

static bool is_erased(const uint8_t *bytes, uint32_t size)
{
    while (size > 0 && *bytes == 0xFF) {
        bytes++;
        size--;
    }
    return size == 0;
}

enum upd_sysparam_flag upd_sysparam_flag(const struct upd_sysparam *area)
{
    struct upd_sysparam_record record;
    uint8_t current = upd_sysparam_current(area);

    upd_sysparam_record_decode(area->flag, &record);
    if (record.flag == current) {
        if (magics_are_right(&record) && describes(&record, current, area->head[current])) {
            return UPD_SYSPARAM_FLAG_WHOLE;
        }
        if (is_erased(area->flag + MAGIC_AT, HEAD - MAGIC_AT)) {
            return UPD_SYSPARAM_FLAG_BOOT;
        }
    }
    return is_erased(area->flag, HEAD) ? UPD_SYSPARAM_FLAG_ERASED : UPD_SYSPARAM_FLAG_DOUBTFUL;
}

const char *upd_sysparam_flag_text(enum upd_sysparam_flag flag)
{
    static const char *const texts[] = {
#define X(name, text) text,
        UPD_SYSPARAM_FLAGS(X)
#undef X
    };

    return (uint32_t)flag < sizeof texts / sizeof texts[0] ? texts[flag] : "unknown";
}

bool upd_sysparam_sdk_accepts(const struct upd_sysparam *area)
{
    struct upd_sysparam_record record;
    uint8_t current = upd_sysparam_current(area);

    upd_sysparam_record_decode(area->flag, &record);
    if (record.magic == ERASED_WORD) {
        return true;
    }
    return record.magic == UPD_SYSPARAM_MAGIC &&
           (record.magic_end == UPD_SYSPARAM_MAGIC_END || record.magic_end == ERASED_WORD) &&
           describes(&record, current, area->head[current]);
}

/* --- The boot block -------------------------------------------------------------------------- */

/* Bits of B0. */
#define INDEX 0x03u
#define FIRST_TRY 0x04u
#define KEEPS_DIO 0x08u
#define NIBBLE 0x0Fu
/* Bits of B1. */
#define VERSION 0x1Fu
#define NOT_PASSED 0x20u
#define NO_TEST 0x40u
#define NORMAL 0x80u
/* Where the two addresses are. */
enum { ADDRESS1_AT = 2, ADDRESS2_AT = 5 };

#define INDEX_UNSET 3u
#define VERSION_NONE ((uint8_t)UPD_BOOT_NONE)
/* What loaders up to v1.2 leave in the version field. */
#define VERSION_OLD ((uint8_t)UPD_BOOT_V1_2)

static uint8_t version_of(const uint8_t block[BLOCK])
{
    return block[1] & VERSION;
}

void upd_boot_block_decode(const uint8_t block[BLOCK], struct upd_boot_block *fields)
{
    *fields = (struct upd_boot_block){
        .version = version_of(block),
        .nibble = block[0] & NIBBLE,
        .index = block[0] & INDEX,
        .first_try = (block[0] & FIRST_TRY) != 0,
        .keeps_dio = (block[0] & KEEPS_DIO) != 0,
        .test_passed = (block[1] & NOT_PASSED) == 0,
        .test_selected = (block[1] & NO_TEST) == 0,
        .enhanced = (block[1] & NORMAL) == 0,
        .address = {upd_get_le24(block + ADDRESS1_AT), upd_get_le24(block + ADDRESS2_AT)},
    };
}

void upd_boot_block_encode(const struct upd_boot_block *fields, uint8_t block[BLOCK])
{
    block[0] = (uint8_t)(0xF0u | (fields->index & INDEX) | (fields->first_try ? FIRST_TRY : 0) |
                         (fields->keeps_dio ? KEEPS_DIO : 0));
    block[1] = (uint8_t)((fields->version & VERSION) | (fields->test_passed ? 0 : NOT_PASSED) |
                         (fields->test_selected ? 0 : NO_TEST) | (fields->enhanced ? 0 : NORMAL));
    upd_put_le24(block + ADDRESS1_AT, fields->address[0]);
    upd_put_le24(block + ADDRESS2_AT, fields->address[1]);
}

/* The loader of this version takes the block as it is, instead of setting it up anew. */
static bool belongs_to(const uint8_t block[BLOCK], uint8_t version)
{
    return version_of(block) == version &&
           (version == VERSION_OLD || (block[0] & INDEX) != INDEX_UNSET);
}

enum upd_err upd_boot_block_select(uint8_t block[BLOCK], uint8_t version, enum upd_slot slot)
{
    uint8_t index = slot == UPD_SLOT_USER2;

    if (version < VERSION_OLD || version >= VERSION_NONE) {
        return UPD_E_ARG;
    }
    if (version == VERSION_OLD) {
        bool ours = block[1] == VERSION_OLD && block[0] != 0xFF;
        block[0] = (uint8_t)((ours ? block[0] & ~NIBBLE : 0) | index);
        block[1] = VERSION_OLD;
        return UPD_OK;
    }
    if (!belongs_to(block, version)) {
        memset(block, 0xFF, BLOCK);
        block[1] = (uint8_t)(NORMAL | NO_TEST | NOT_PASSED | version);
    }
    if ((block[1] & NOT_PASSED) != 0) {
        block[1] |= NO_TEST; /* or the loader would start the test image */
    }
    block[0] = (uint8_t)((block[0] & ~INDEX) | FIRST_TRY | index);
    block[1] |= NORMAL;
    return UPD_OK;
}

uint8_t upd_sdk_boot_version(const uint8_t block[BLOCK])
{
    return version_of(block);
}

uint8_t upd_sdk_boot_mode(const uint8_t block[BLOCK])
{
    uint8_t version = version_of(block);

    return version <= VERSION_OLD || version == VERSION_NONE || (block[1] & NORMAL) != 0;
}

/* The block has the fields of v1.2 only. (Without a loader it is erased: no fields, same rule.) */
static bool is_plain(const uint8_t block[BLOCK])
{
    return version_of(block) == VERSION_OLD || version_of(block) == VERSION_NONE;
}

enum upd_slot upd_sdk_userbin_check(const uint8_t block[BLOCK])
{
    bool first_try = (block[0] & FIRST_TRY) != 0;
    bool user2 = is_plain(block)           ? (block[0] & NIBBLE) == 1
                 : (block[0] & INDEX) == 1 ? first_try
                                           : !first_try;

    return user2 ? UPD_SLOT_USER2 : UPD_SLOT_USER1;
}

uint32_t upd_sdk_userbin_addr(const uint8_t block[BLOCK], const struct upd_flash_map *map)
{
    if (upd_sdk_boot_mode(block) == 0) {
        return upd_get_le24(block + ((block[0] & FIRST_TRY) != 0 ? ADDRESS2_AT : ADDRESS1_AT));
    }
    return version_of(block) == VERSION_NONE
               ? 0
               : upd_flash_map_slot(map, upd_sdk_userbin_check(block));
}

void upd_sdk_upgrade_reboot(uint8_t block[BLOCK])
{
    if (is_plain(block)) {
        block[0] = (uint8_t)((block[0] & ~NIBBLE) | ((block[0] & NIBBLE) != 1));
        return;
    }
    if ((block[0] & FIRST_TRY) != 0) {
        block[0] = (uint8_t)((block[0] & ~INDEX) | ((block[0] & INDEX) != 1));
    }
    block[0] |= FIRST_TRY;
    block[1] |= NORMAL;
}

enum upd_err upd_sdk_restart_enhance(uint8_t block[BLOCK], const struct upd_flash_map *map,
                                     enum upd_sdk_restart type, uint32_t address)
{
    if (version_of(block) <= VERSION_OLD || version_of(block) == VERSION_NONE) {
        return UPD_E_STATE;
    }
    if (address > 0xFFFFFF || (type != UPD_SDK_RESTART_NORMAL && type != UPD_SDK_RESTART_TEST)) {
        return UPD_E_ARG;
    }
    if (type == UPD_SDK_RESTART_TEST) {
        if ((block[1] & NOT_PASSED) == 0) {
            return UPD_E_STATE;
        }
        block[1] &= (uint8_t)~NO_TEST;
        upd_put_le24(block + ADDRESS1_AT, address);
        return UPD_OK;
    }
    if (map->number != 0 && map->number != 2 && map->number != 3 && map->number != 4) {
        return UPD_E_TARGET;
    }
    uint32_t running = upd_sdk_userbin_addr(block, map);

    block[1] &= (uint8_t)~NORMAL;
    block[0] |= FIRST_TRY;
    upd_put_le24(block + ADDRESS1_AT, running);
    upd_put_le24(block + ADDRESS2_AT, address);
    return UPD_OK;
}

/* --- What to write --------------------------------------------------------------------------- */

/* Where a plan keeps its bytes. */
enum { BLOCK_AT = 0, RECORD_AT = BLOCK };

const uint8_t *upd_sysparam_data(const struct upd_sysparam_plan *plan,
                                 const struct upd_sysparam_step *step)
{
    return plan->bytes + step->data;
}

static void add(struct upd_sysparam_plan *plan, struct upd_sysparam_step step)
{
    plan->step[plan->count++] = step;
}

static void add_erase(struct upd_sysparam_plan *plan, uint8_t sector)
{
    add(plan, (struct upd_sysparam_step){.action = UPD_SYSPARAM_ERASE, .sector = sector});
}

static void add_copy(struct upd_sysparam_plan *plan, uint8_t from, uint8_t to, uint16_t size)
{
    uint8_t target = (uint8_t)(UPD_SYSPARAM_SECTOR_COPY0 + to);

    add_erase(plan, target);
    add(plan, (struct upd_sysparam_step){.action = UPD_SYSPARAM_COPY,
                                         .sector = target,
                                         .source = (uint8_t)(UPD_SYSPARAM_SECTOR_COPY0 + from),
                                         .size = size,
                                         .data = BLOCK_AT});
    plan->flag_from = plan->count;
}

static void add_flag(struct upd_sysparam_plan *plan, uint8_t offset, uint8_t size)
{
    add(plan, (struct upd_sysparam_step){.action = UPD_SYSPARAM_PROGRAM,
                                         .sector = UPD_SYSPARAM_SECTOR_FLAG,
                                         .offset = offset,
                                         .size = size,
                                         .data = (uint8_t)(RECORD_AT + offset)});
}

/* Byte 0 last: the moment it is there, the record that it belongs to is. */
static void add_record(struct upd_sysparam_plan *plan)
{
    add_flag(plan, MAGIC_AT, HEAD - MAGIC_AT);
    add_flag(plan, 0, MAGIC_AT);
}

static void describe(struct upd_sysparam_record *record, uint8_t copy, const uint8_t head[HEAD])
{
    record->flag = copy;
    record->length[copy] = HEAD;
    record->checksum[copy] = upd_sysparam_checksum(head);
}

/* A record that describes one copy. The fields of the other stay erased, to be programmed later. */
static struct upd_sysparam_record fresh_record(uint32_t counter, uint8_t copy,
                                               const uint8_t head[HEAD])
{
    struct upd_sysparam_record record = {
        .kept = {0xFF, 0xFF, 0xFF},
        .magic = UPD_SYSPARAM_MAGIC,
        .counter = counter,
        .length = {ERASED_WORD, ERASED_WORD},
        .checksum = {ERASED_WORD, ERASED_WORD},
        .magic_end = UPD_SYSPARAM_MAGIC_END,
    };

    describe(&record, copy, head);
    return record;
}

/* The counter of the record after this one. */
static uint32_t next_count(const struct upd_sysparam_record *record)
{
    return magics_are_right(record) ? record->counter + 1 : 1;
}

/* Programming clears bits and sets none. */
static bool can_program(const uint8_t from[HEAD], const uint8_t to[HEAD])
{
    for (uint32_t i = 0; i < HEAD; i++) {
        if ((from[i] & to[i]) != to[i]) {
            return false;
        }
    }
    return true;
}

/*
 * The record that follows the one on the chip, and whether it takes an erase. From copy 1 to copy 0
 * only bits are cleared, as long as copy 0's fields are erased: no erase.
 */
static bool next_record(const uint8_t flag[HEAD], uint8_t copy, const uint8_t head[HEAD],
                        bool fresh, uint8_t bytes[HEAD])
{
    struct upd_sysparam_record now, next;

    upd_sysparam_record_decode(flag, &now);
    next = magics_are_right(&now) ? now : fresh_record(1, copy, head);
    describe(&next, copy, head);
    upd_sysparam_record_encode(&next, bytes);
    if (!fresh && can_program(flag, bytes)) {
        return false;
    }
    next = fresh_record(next_count(&now), copy, head);
    upd_sysparam_record_encode(&next, bytes);
    return true;
}

bool upd_sysparam_flag_record(const struct upd_sysparam *area, uint8_t copy, bool fresh,
                              uint8_t record[HEAD])
{
    return next_record(area->flag, copy, area->head[copy], fresh, record);
}

/* Write the flag sector anew, for a copy that is complete. */
static void plan_repair(const struct upd_sysparam *area, uint8_t copy,
                        struct upd_sysparam_plan *plan)
{
    (void)upd_sysparam_flag_record(area, copy, true, plan->bytes + RECORD_AT);
    add_erase(plan, UPD_SYSPARAM_SECTOR_FLAG);
    add_record(plan);
}

/* The loader of this version starts a slot by this block, or an address that somebody chose. */
static bool is_sound(const uint8_t block[BLOCK], uint8_t version)
{
    uint8_t index = version == VERSION_OLD ? block[0] & NIBBLE : block[0] & INDEX;

    return version_of(block) == version && index <= 1;
}

static void plan_safe(const struct upd_sysparam *area, uint8_t base, uint8_t version,
                      struct upd_sysparam_plan *plan)
{
    bool doubtful = upd_sysparam_flag(area) == UPD_SYSPARAM_FLAG_DOUBTFUL;
    uint8_t head[HEAD];

    /* Whoever was cut here had both copies complete, or else it was not the flag that was cut. */
    if (base != upd_sysparam_current(area) ||
        (doubtful && is_sound(area->head[0], version) && is_sound(area->head[1], version))) {
        plan_repair(area, base, plan);
        return;
    }
    memcpy(head, area->head[base], HEAD);
    memcpy(head, plan->bytes + BLOCK_AT, BLOCK);
    if (!doubtful && memcmp(head, area->head[base], BLOCK) == 0) {
        return;
    }
    add_copy(plan, base, !base, UPD_FLASH_SECTOR);
    if (next_record(area->flag, !base, head, upd_sysparam_flag(area) != UPD_SYSPARAM_FLAG_WHOLE,
                    plan->bytes + RECORD_AT)) {
        add_erase(plan, UPD_SYSPARAM_SECTOR_FLAG);
    }
    add_record(plan);
}

/* What the SDK does not set it writes as it read it, the other copy's fields included. */
static void plan_as_sdk(const struct upd_sysparam *area, uint8_t base,
                        struct upd_sysparam_plan *plan)
{
    struct upd_sysparam_record record;
    uint8_t head[HEAD];

    if (memcmp(area->head[base], plan->bytes + BLOCK_AT, BLOCK) == 0) {
        return;
    }
    memcpy(head, area->head[base], HEAD);
    memcpy(head, plan->bytes + BLOCK_AT, BLOCK);
    upd_sysparam_record_decode(area->flag, &record);
    record.counter = next_count(&record);
    record.magic = UPD_SYSPARAM_MAGIC;
    record.magic_end = UPD_SYSPARAM_MAGIC_END;
    describe(&record, !base, head);
    upd_sysparam_record_encode(&record, plan->bytes + RECORD_AT);

    add_copy(plan, base, !base, UPD_SYSPARAM_SDK_SIZE);
    add_erase(plan, UPD_SYSPARAM_SECTOR_FLAG);
    add_flag(plan, 0, HEAD);
}

static void plan_as_boot(const struct upd_sysparam *area, uint8_t base, uint16_t size,
                         struct upd_sysparam_plan *plan)
{
    memcpy(plan->bytes + RECORD_AT, area->flag, MAGIC_AT);
    plan->bytes[RECORD_AT] = !base;

    add_copy(plan, base, !base, size);
    add_erase(plan, UPD_SYSPARAM_SECTOR_FLAG);
    add_flag(plan, 0, MAGIC_AT);
}

/*
 * The copy to start from: the current one, unless that is no copy at all while the other one is
 * sound, and the flag sector is not whole. Then the flag reads wrong.
 */
static uint8_t base_copy(const struct upd_sysparam *area, enum upd_sysparam_style style,
                         uint8_t version)
{
    uint8_t current = upd_sysparam_current(area);
    bool wrong = style == UPD_SYSPARAM_SAFE && upd_sysparam_flag(area) != UPD_SYSPARAM_FLAG_WHOLE &&
                 !is_sound(area->head[current], version) && is_sound(area->head[!current], version);

    return wrong ? !current : current;
}

void upd_sysparam_plan_block(const struct upd_sysparam *area, enum upd_sysparam_style style,
                             const uint8_t block[BLOCK], struct upd_sysparam_plan *plan)
{
    uint8_t base = base_copy(area, style, version_of(block));

    memset(plan, 0, sizeof *plan);
    memcpy(plan->bytes + BLOCK_AT, block, BLOCK);
    switch (style) {
    case UPD_SYSPARAM_SAFE:
        plan_safe(area, base, version_of(block), plan);
        break;
    case UPD_SYSPARAM_AS_SDK:
        plan_as_sdk(area, base, plan);
        break;
    case UPD_SYSPARAM_AS_BOOT:
        plan_as_boot(area, base, UPD_FLASH_SECTOR, plan);
        break;
    case UPD_SYSPARAM_AS_BOOT_1_2:
        plan_as_boot(area, base, BLOCK, plan);
        break;
    }
}

enum upd_err upd_sysparam_plan_slot(const struct upd_sysparam *area, enum upd_sysparam_style style,
                                    uint8_t version, enum upd_slot slot,
                                    struct upd_sysparam_plan *plan)
{
    uint8_t block[BLOCK];

    memcpy(block, area->head[base_copy(area, style, version)], BLOCK);
    enum upd_err err = upd_boot_block_select(block, version, slot);
    if (err == UPD_OK) {
        upd_sysparam_plan_block(area, style, block, plan);
    }
    return err;
}

/* The block selects the slot and needs no change for it. */
static bool names(const uint8_t block[BLOCK], uint8_t version, enum upd_slot slot)
{
    uint8_t selected[BLOCK];

    memcpy(selected, block, BLOCK);
    return upd_boot_block_select(selected, version, slot) == UPD_OK &&
           memcmp(selected, block, BLOCK) == 0;
}

void upd_sysparam_plan_flag(const struct upd_sysparam *area, uint8_t version, enum upd_slot slot,
                            struct upd_sysparam_plan *plan)
{
    uint8_t copy = upd_sysparam_current(area);

    memset(plan, 0, sizeof *plan);
    if (!is_sound(area->head[0], version) || !is_sound(area->head[1], version) ||
        !area->same_settings) {
        return;
    }
    if (!names(area->head[copy], version, slot) && names(area->head[!copy], version, slot)) {
        copy = !copy;
    }
    plan_repair(area, copy, plan);
}
