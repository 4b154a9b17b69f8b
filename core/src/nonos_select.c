#include <updraft/nonos_select.h>

#include <updraft/bytes.h>

#define HEAD UPD_SYSPARAM_HEAD_SIZE
#define BLOCK UPD_BOOT_BLOCK_SIZE
#define SEAL UPD_SEAL_SIZE
#define SEALS_AT UPD_FLAG_SEALS_OFFSET

/* The places of the flag sector's seals. The first is programmed to 0 before the record is, and so
 * tells a record of updraft's from the SDK's; the others hold the seal, one after the other. */
enum { BURNT, FIRST_SEAL, SECOND_SEAL };
enum { MAGIC_AT = 4, COUNTER_AT = 8, LENGTH_AT = 12, CHECKSUM_AT = 20, MAGIC_END_AT = 28 };
enum { SEAL_VALUE = SEAL - 2, ANY_COPY = 0xFF };
/* Where the buffer of the rows has its bytes. */
enum { ZEROS = UPD_FLAG_ZEROS, RECORD = UPD_FLAG_SEALS_SIZE, NEW_SEAL = RECORD + HEAD };

/* --- Seals ----------------------------------------------------------------------------------- */

static void make_seal(uint8_t seal[SEAL], uint8_t copy)
{
    static const uint8_t pattern[SEAL_VALUE] = {'u', 'p', 'd', 'r', 'a', 'f', 't',
                                                ' ', 's', 'e', 'a', 'l', ':', ' '};

    memcpy(seal, pattern, sizeof pattern);
    /* One value never becomes the other by clearing bits. */
    seal[SEAL_VALUE] = copy;
    seal[SEAL_VALUE + 1] = (uint8_t)~copy;
}

void upd_copy_seal(uint8_t seal[SEAL])
{
    make_seal(seal, ANY_COPY);
}

static bool is_blank(const uint8_t *bytes)
{
    uint8_t all = 0xFF;

    for (uint32_t i = 0; i < SEAL; i++) {
        all &= bytes[i];
    }
    return all == 0xFF;
}

static bool is_seal(const uint8_t bytes[SEAL], uint8_t copy)
{
    uint8_t seal[SEAL];

    make_seal(seal, copy);
    return memcmp(bytes, seal, SEAL) == 0;
}

void upd_copy_see_seal(struct upd_copy_sealing *sealing, uint32_t place,
                       const uint8_t mark[UPD_JOURNAL_MARK_SIZE], const uint8_t seal[SEAL])
{
    if (upd_journal_mark_is_set(mark)) {
        sealing->free = (uint8_t)(place + 1);
        sealing->sealed = sealing->sealed || is_seal(seal, ANY_COPY);
    }
}

/* --- What is there --------------------------------------------------------------------------- */

static const uint8_t *flag_place(const struct upd_select_area *area, uint32_t index)
{
    return &area->flag_seals[index * SEAL];
}

static uint8_t flagged(const struct upd_select_area *area)
{
    return area->params.flag[0] != 0;
}

static uint32_t version_of(const uint8_t block[BLOCK])
{
    return block[1] & 0x1Fu;
}

/* A boot block that some loader has set up: there are settings behind it, whatever it selects. */
static bool has_block(const struct upd_select_area *area, uint8_t copy)
{
    return version_of(area->params.head[copy]) - UPD_BOOT_V1_2 < UPD_BOOT_NONE - UPD_BOOT_V1_2;
}

enum upd_flag_trust upd_flag_trust(const struct upd_select_area *area)
{
    uint32_t magic = upd_get_le32(&area->params.flag[MAGIC_AT]);

    if (is_seal(flag_place(area, FIRST_SEAL), flagged(area)) ||
        is_seal(flag_place(area, SECOND_SEAL), flagged(area))) {
        return UPD_FLAG_SOUND;
    }
    if (!is_blank(flag_place(area, BURNT))) {
        return UPD_FLAG_DOUBT;
    }
    /* The SDK, or an original loader, which leaves everything behind byte 0 as the erase did. */
    if (magic == UPD_SYSPARAM_MAGIC || (magic == 0xFFFFFFFFu && area->params.flag[0] <= 1)) {
        return UPD_FLAG_SOUND;
    }
    return magic == 0xFFFFFFFFu && !(has_block(area, 0) && has_block(area, 1)) ? UPD_FLAG_NEW
                                                                               : UPD_FLAG_DOUBT;
}

/* How fit a copy is to be selected. On a new chip a block that is not sealed may be what a cut left
 * of the first one. */
static uint32_t fitness(const struct upd_select_area *area, enum upd_flag_trust trust, uint8_t copy)
{
    return area->copy[copy].sealed ? 2 : trust == UPD_FLAG_DOUBT && has_block(area, copy);
}

uint8_t upd_select_current(const struct upd_select_area *area)
{
    enum upd_flag_trust trust = upd_flag_trust(area);
    uint8_t current = flagged(area);

    if (trust != UPD_FLAG_SOUND && fitness(area, trust, !current) > fitness(area, trust, current)) {
        return !current;
    }
    return current;
}

enum upd_slot upd_block_slot(const uint8_t block[BLOCK], uint8_t version)
{
    uint32_t index = block[0] & 3u;
    bool first_try = (block[0] & 4u) != 0;
    bool second = index == first_try;

    if (version == UPD_BOOT_V1_2) {
        second = (block[0] & 0xFu) == 1;
    } else if (version_of(block) != version || index > 1) {
        second = false; /* what a loader sets such a block to */
    }
    return second ? UPD_SLOT_USER2 : UPD_SLOT_USER1;
}

/* --- What to write --------------------------------------------------------------------------- */

/* Byte 0 must be written before anything relies on it. On a new chip it may stay, until there is a
 * second copy that it could be torn to. */
static bool needs_flag(const struct upd_select_area *area)
{
    enum upd_flag_trust trust = upd_flag_trust(area);

    return trust == UPD_FLAG_DOUBT ||
           (trust == UPD_FLAG_NEW && upd_select_current(area) != flagged(area));
}

static struct upd_select_step flag_to(uint32_t copy)
{
    return (struct upd_select_step){.what = UPD_SELECT_FLAG, .which = (uint8_t)copy};
}

struct upd_select_step upd_select_slot(const struct upd_select_area *area,
                                       const struct upd_select_progress *progress, uint8_t version,
                                       enum upd_slot slot)
{
    uint8_t current = upd_select_current(area);
    struct upd_select_step step = {.what = UPD_SELECT_DONE};

    if (needs_flag(area)) {
        return flag_to(current);
    }
    if (upd_block_slot(area->params.head[current], version) == slot) {
        return step;
    }
    if (area->copy[!current].sealed &&
        upd_block_slot(area->params.head[!current], version) == slot) {
        return flag_to(!current);
    }
    step.what = UPD_SELECT_SEAL;
    if (progress->sealed) {
        if (!area->copy[current].sealed && upd_flag_trust(area) == UPD_FLAG_NEW) {
            return flag_to(current); /* (S5) */
        }
        step.what = UPD_SELECT_COPY;
        step.which = (uint8_t)slot;
    }
    return step;
}

struct upd_select_step upd_select_hold(const struct upd_select_area *area,
                                       const struct upd_select_progress *progress)
{
    struct upd_select_step step = {.what = UPD_SELECT_DONE};

    if (needs_flag(area)) {
        return flag_to(upd_select_current(area));
    }
    if (!progress->sealed) {
        step.what = UPD_SELECT_SEAL;
    } else if (!progress->broken) {
        step.what = UPD_SELECT_BREAK;
    }
    return step;
}

/* --- How the flag sector is written ---------------------------------------------------------- */

const struct upd_flag_write upd_flag_anew[UPD_FLAG_ANEW_COUNT] = {
    /* Neither a seal nor the SDK's magic is left for a torn erase to spare. */
    {SEALS_AT, UPD_FLAG_SEALS_SIZE, ZEROS},
    {MAGIC_AT, 4, ZEROS},
    {0, 0, ZEROS},
    {SEALS_AT, FIRST_SEAL *SEAL, ZEROS},
    {MAGIC_AT, HEAD - MAGIC_AT, RECORD + MAGIC_AT},
    {0, MAGIC_AT, RECORD},
    {SEALS_AT + FIRST_SEAL * SEAL, SEAL, NEW_SEAL},
};

/* Without an erase: the seal goes to the first place that is blank. */
enum { IN_PLACE_COUNT = 4 };
static const struct upd_flag_write to_first_seal[IN_PLACE_COUNT] = {
    {SEALS_AT, FIRST_SEAL *SEAL, ZEROS},
    {MAGIC_AT, HEAD - MAGIC_AT, RECORD + MAGIC_AT},
    {0, MAGIC_AT, RECORD},
    {SEALS_AT + FIRST_SEAL * SEAL, SEAL, NEW_SEAL},
};
static const struct upd_flag_write to_second_seal[IN_PLACE_COUNT] = {
    {SEALS_AT, SECOND_SEAL *SEAL, ZEROS},
    {MAGIC_AT, HEAD - MAGIC_AT, RECORD + MAGIC_AT},
    {0, MAGIC_AT, RECORD},
    {SEALS_AT + SECOND_SEAL * SEAL, SEAL, NEW_SEAL},
};

void upd_flag_bytes(const struct upd_select_area *area, uint8_t copy, uint8_t bytes[UPD_FLAG_BYTES])
{
    const uint8_t *flag = area->params.flag;
    uint8_t *record = &bytes[RECORD];
    uint32_t counter = upd_get_le32(&flag[COUNTER_AT]);

    memset(bytes, 0, RECORD);
    memset(record, 0xFF, HEAD);
    record[0] = copy;
    upd_put_le32(&record[MAGIC_AT], UPD_SYSPARAM_MAGIC);
    /* The magic may have been programmed to 0 by an attempt that was cut; the number goes on. */
    upd_put_le32(&record[COUNTER_AT], counter == 0xFFFFFFFFu ? 1 : counter + 1);
    upd_put_le32(&record[LENGTH_AT + 4u * copy], HEAD);
    upd_put_le32(&record[CHECKSUM_AT + 4u * copy], upd_sysparam_checksum(area->params.head[copy]));
    upd_put_le32(&record[MAGIC_END_AT], UPD_SYSPARAM_MAGIC_END);
    make_seal(&bytes[NEW_SEAL], copy);
}

/*
 * Turn the record in the buffer into what programming alone makes of the sector, for copy 0: byte 0
 * cleared, and copy 0's length and checksum beside those of copy 1. False: it takes an erase.
 */
static bool record_in_place(const struct upd_select_area *area, uint8_t record[HEAD])
{
    const uint8_t *flag = area->params.flag;
    uint32_t sets = 0; /* bits that only an erase does */

    if (upd_get_le32(&flag[MAGIC_AT]) == UPD_SYSPARAM_MAGIC) {
        memcpy(&record[COUNTER_AT], &flag[COUNTER_AT], 4);
        memcpy(&record[LENGTH_AT + 4], &flag[LENGTH_AT + 4], 4);
        memcpy(&record[CHECKSUM_AT + 4], &flag[CHECKSUM_AT + 4], 4);
    }
    for (uint32_t i = 0; i < HEAD; i++) {
        sets |= record[i] & ~(uint32_t)flag[i];
    }
    return sets == 0;
}

void upd_flag_brief(uint32_t copy, uint8_t bytes[UPD_FLAG_BYTES])
{
    memset(bytes, 0, RECORD);
    memset(&bytes[RECORD], 0xFF, HEAD);
    bytes[RECORD] = (uint8_t)copy;
    make_seal(&bytes[NEW_SEAL], (uint8_t)copy);
}

const struct upd_flag_write *upd_flag_writes(const struct upd_select_area *area, uint8_t copy,
                                             uint8_t bytes[UPD_FLAG_BYTES], uint32_t *count)
{
    bool first = is_blank(flag_place(area, FIRST_SEAL));
    bool room = is_blank(flag_place(area, SECOND_SEAL));

    upd_flag_bytes(area, copy, bytes);
    *count = IN_PLACE_COUNT;
    if (upd_flag_trust(area) == UPD_FLAG_SOUND && room && copy == 0 &&
        record_in_place(area, &bytes[RECORD])) {
        return first ? to_first_seal : to_second_seal;
    }
    upd_flag_bytes(area, copy, bytes);
    *count = UPD_FLAG_ANEW_COUNT;
    return upd_flag_anew;
}
