#include <updraft/nonos_select.h>

#include <updraft/bytes.h>
#include <updraft/crc32.h>

#define HEAD UPD_SYSPARAM_HEAD_SIZE
#define BLOCK UPD_BOOT_BLOCK_SIZE
#define SEAL UPD_SEAL_SIZE

/* The places of the flag sector's seals. The first is programmed to 0 before the record is, and so
 * tells a record of updraft's from the SDK's; the others hold the seal, one after the other. */
enum { BURNT, FIRST_SEAL, SECOND_SEAL, FLAG_PLACES };
enum { COPY_PLACES = UPD_COPY_SEALS_SIZE / UPD_SEAL_SIZE };
enum { MAGIC_AT = 4, SEAL_CRC = SEAL - 4, ANY_COPY = 0xFF };
/* Where a plan keeps its bytes. */
enum { ZEROS_AT = 0, RECORD_AT = UPD_FLAG_SEALS_SIZE, SEAL_AT = RECORD_AT + HEAD };

/* --- Seals ----------------------------------------------------------------------------------- */

static void make_seal(uint8_t seal[SEAL], uint8_t copy)
{
    memset(seal, 0xFF, SEAL);
    seal[0] = 'U';
    seal[1] = 'S';
    seal[2] = copy;
    upd_put_le32(&seal[SEAL_CRC], upd_crc32(UPD_CRC32_INIT, seal, SEAL_CRC));
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

/* True when one of the places holds the seal. */
static bool holds_seal(const uint8_t *places, uint32_t count, uint8_t copy)
{
    uint8_t seal[SEAL];
    bool found = false;

    make_seal(seal, copy);
    for (uint32_t i = 0; i < count; i++) {
        found = found || memcmp(&places[i * SEAL], seal, SEAL) == 0;
    }
    return found;
}

struct upd_copy_sealing upd_copy_sealing(const uint8_t seals[UPD_COPY_SEALS_SIZE])
{
    struct upd_copy_sealing sealing = {.sealed = holds_seal(seals, COPY_PLACES, ANY_COPY),
                                       .free = COPY_PLACES};

    /* A place before one that was used may look blank and be torn. */
    while (sealing.free > 0 && is_blank(&seals[(sealing.free - 1u) * SEAL])) {
        sealing.free--;
    }
    return sealing;
}

/* --- What is there --------------------------------------------------------------------------- */

static const uint8_t *flag_place(const struct upd_select_area *area, uint32_t index)
{
    return &area->flag_seals[index * SEAL];
}

/* A boot block that some loader has set up. */
static bool has_block(const struct upd_select_area *area, uint8_t copy)
{
    struct upd_boot_block fields;

    upd_boot_block_decode(area->params.head[copy], &fields);
    return fields.version >= UPD_BOOT_V1_2 && fields.version < UPD_BOOT_NONE &&
           (fields.version == UPD_BOOT_V1_2 || fields.index <= 1);
}

enum upd_flag_trust upd_flag_trust(const struct upd_select_area *area)
{
    enum upd_sysparam_flag looks = upd_sysparam_flag(&area->params);
    bool burnt = !is_blank(flag_place(area, BURNT));

    if (holds_seal(flag_place(area, FIRST_SEAL), FLAG_PLACES - FIRST_SEAL,
                   upd_sysparam_current(&area->params)) ||
        (looks == UPD_SYSPARAM_FLAG_WHOLE && !burnt)) {
        return UPD_FLAG_SOUND;
    }
    if (!burnt && (looks == UPD_SYSPARAM_FLAG_BOOT || !has_block(area, 0) || !has_block(area, 1))) {
        return UPD_FLAG_TRUSTED;
    }
    return UPD_FLAG_DOUBT;
}

/* How fit a copy is to be selected. */
static uint32_t fitness(const struct upd_select_area *area, uint8_t copy)
{
    return area->copy[copy].sealed ? 2 : has_block(area, copy) ? 1 : 0;
}

uint8_t upd_select_current(const struct upd_select_area *area)
{
    uint8_t current = upd_sysparam_current(&area->params);

    if (upd_flag_trust(area) != UPD_FLAG_SOUND &&
        fitness(area, !current) > fitness(area, current)) {
        return !current;
    }
    return current;
}

enum upd_slot upd_block_slot(const uint8_t block[BLOCK], uint8_t version)
{
    struct upd_boot_block fields;

    upd_boot_block_decode(block, &fields);
    if (version == UPD_BOOT_V1_2) {
        return fields.nibble == 1 ? UPD_SLOT_USER2 : UPD_SLOT_USER1;
    }
    if (fields.version != version || fields.index > 1) {
        return UPD_SLOT_USER1; /* what a loader sets such a block to */
    }
    return (fields.index == 1) == fields.first_try ? UPD_SLOT_USER2 : UPD_SLOT_USER1;
}

/* --- What to write --------------------------------------------------------------------------- */

struct upd_select_step upd_select_slot(const struct upd_select_area *area,
                                       const struct upd_select_progress *progress, uint8_t version,
                                       enum upd_slot slot)
{
    uint8_t current = upd_select_current(area);
    struct upd_select_step step = {.what = UPD_SELECT_DONE, .copy = current};

    if (upd_flag_trust(area) != UPD_FLAG_SOUND) {
        step.what = UPD_SELECT_FLAG;
    } else if (upd_block_slot(area->params.head[current], version) == slot) {
        step.what = UPD_SELECT_DONE;
    } else if (progress->copied) {
        step.what = UPD_SELECT_FLAG;
        step.copy = !current;
    } else if (!progress->sealed) {
        step.what = UPD_SELECT_SEAL;
    } else {
        step.what = UPD_SELECT_COPY;
        step.copy = !current;
        memcpy(step.block, area->params.head[current], BLOCK);
        /* A version that no loader has leaves the block as it is; nobody asks with one. */
        (void)(upd_boot_block_select(step.block, version, slot) == UPD_OK);
    }
    return step;
}

struct upd_select_step upd_select_hold(const struct upd_select_area *area,
                                       const struct upd_select_progress *progress)
{
    uint8_t current = upd_select_current(area);
    struct upd_select_step step = {.what = UPD_SELECT_DONE, .copy = current};

    if (upd_flag_trust(area) != UPD_FLAG_SOUND) {
        step.what = UPD_SELECT_FLAG;
    } else if (!progress->sealed) {
        step.what = UPD_SELECT_SEAL;
    } else if (!progress->broken) {
        step.what = UPD_SELECT_BREAK;
        step.copy = !current;
    }
    return step;
}

const uint8_t *upd_flag_data(const struct upd_flag_plan *plan, const struct upd_flag_write *write)
{
    return &plan->bytes[write->data];
}

static void add(struct upd_flag_plan *plan, uint32_t offset, uint32_t size, uint32_t data)
{
    plan->write[plan->count++] = (struct upd_flag_write){
        .offset = (uint16_t)offset, .size = (uint8_t)size, .data = (uint8_t)data};
}

void upd_flag_plan(const struct upd_select_area *area, uint8_t copy, struct upd_flag_plan *plan)
{
    uint8_t *record = &plan->bytes[RECORD_AT];
    bool sound = upd_flag_trust(area) == UPD_FLAG_SOUND;
    bool room = is_blank(flag_place(area, SECOND_SEAL));
    uint32_t seal = is_blank(flag_place(area, FIRST_SEAL)) ? FIRST_SEAL : SECOND_SEAL;

    plan->count = 0;
    memset(plan->bytes, 0, UPD_FLAG_SEALS_SIZE);
    make_seal(&plan->bytes[SEAL_AT], copy);
    if (upd_sysparam_flag_record(&area->params, copy, !sound || !room, record)) {
        /* Neither a seal nor the SDK's magic is left for a torn erase to spare. */
        add(plan, UPD_FLAG_SEALS_OFFSET, UPD_FLAG_SEALS_SIZE, ZEROS_AT);
        add(plan, MAGIC_AT, 4, ZEROS_AT);
        add(plan, 0, 0, 0);
        seal = FIRST_SEAL;
    }
    add(plan, UPD_FLAG_SEALS_OFFSET, seal * SEAL, ZEROS_AT);
    add(plan, MAGIC_AT, HEAD - MAGIC_AT, RECORD_AT + MAGIC_AT);
    add(plan, 0, MAGIC_AT, RECORD_AT);
    add(plan, UPD_FLAG_SEALS_OFFSET + seal * SEAL, SEAL, SEAL_AT);
}
