#include <updraft/otadata.h>

#include <updraft/bytes.h>
#include <updraft/crc32.h>

#define STATE_OFFSET 24
#define BLANK 0xFFFFFFFFu /* as a sequence number */

/* --- One record ----------------------------------------------------------------------------- */

uint32_t upd_otadata_sequence(const uint8_t record[UPD_OTADATA_RECORD_SIZE])
{
    return upd_get_le32(record);
}

uint32_t upd_otadata_state(const uint8_t record[UPD_OTADATA_RECORD_SIZE])
{
    return upd_get_le32(record + STATE_OFFSET);
}

bool upd_otadata_crc_is_good(const uint8_t record[UPD_OTADATA_RECORD_SIZE])
{
    return upd_get_le32(record + UPD_OTADATA_CRC_OFFSET) ==
           upd_crc32_otadata(upd_otadata_sequence(record));
}

static void number(uint8_t record[UPD_OTADATA_RECORD_SIZE], uint32_t sequence)
{
    upd_put_le32(record, sequence);
    upd_put_le32(record + UPD_OTADATA_CRC_OFFSET, upd_crc32_otadata(sequence));
}

void upd_otadata_encode(uint8_t record[UPD_OTADATA_RECORD_SIZE], uint32_t sequence, uint32_t state)
{
    memset(record, 0xFF, UPD_OTADATA_RECORD_SIZE);
    number(record, sequence);
    upd_put_le32(record + STATE_OFFSET, state);
}

const char *upd_otadata_state_name(uint32_t state)
{
    static const char *const names[] = {"new", "pending", "valid", "invalid", "aborted"};

    if (state < sizeof names / sizeof names[0]) {
        return names[state];
    }
    return state == UPD_OTADATA_UNDEFINED ? "undefined" : NULL;
}

/* --- Both records --------------------------------------------------------------------------- */

/* A constant where a build knows it. */
static bool is_rtos(const struct upd_otadata *data)
{
    return (UPD_OTADATA_FOR & UPD_OTADATA_FOR_RTOS) != 0 &&
           (UPD_OTADATA_FOR == UPD_OTADATA_FOR_RTOS || data->rtos);
}

bool upd_otadata_is_valid(const struct upd_otadata *data, uint32_t copy)
{
    const uint8_t *record = data->copy[copy];
    uint32_t state = upd_otadata_state(record);

    if (!is_rtos(data) && (state == UPD_OTADATA_INVALID || state == UPD_OTADATA_ABORTED)) {
        return false;
    }
    return upd_otadata_sequence(record) != BLANK && upd_otadata_crc_is_good(record);
}

int upd_otadata_active(const struct upd_otadata *data)
{
    bool first = upd_otadata_is_valid(data, 0), second = upd_otadata_is_valid(data, 1);

    if (first && second) {
        return upd_otadata_sequence(data->copy[0]) < upd_otadata_sequence(data->copy[1]);
    }
    return first ? 0 : second ? 1 : UPD_OTADATA_NONE;
}

int upd_otadata_slot(const struct upd_otadata *data, uint32_t copy)
{
    if (data->slots == 0) {
        return UPD_OTADATA_NONE;
    }
    return (int)((upd_otadata_sequence(data->copy[copy]) - 1) % data->slots);
}

int upd_otadata_next_slot(const struct upd_otadata *data, int from)
{
    if (data->slots == 0) {
        return UPD_OTADATA_NONE;
    }
    return from >= 0 && from + 1 < data->slots ? from + 1 : 0;
}

int8_t upd_otadata_configured(const struct upd_otadata *data, const struct upd_boot_layout *layout)
{
    int active = upd_otadata_active(data);

    if (active >= 0 && data->slots != 0) {
        return (int8_t)upd_otadata_slot(data, (uint32_t)active);
    }
    if (layout->factory) {
        return UPD_OTADATA_FACTORY;
    }
    for (int i = 0; i < UPD_PARTITION_SLOT_MAX; i++) {
        if ((layout->slots >> i & 1) != 0) {
            return (int8_t)i;
        }
    }
    return layout->test ? UPD_OTADATA_TEST : UPD_OTADATA_NONE;
}

enum upd_err upd_otadata_state_of(const struct upd_otadata *data, int slot, uint32_t *state)
{
    for (uint32_t copy = 0; copy < 2; copy++) {
        if (slot >= 0 && upd_otadata_slot(data, copy) == slot &&
            upd_otadata_crc_is_good(data->copy[copy])) {
            *state = upd_otadata_state(data->copy[copy]);
            return UPD_OK;
        }
    }
    return UPD_E_NOT_FOUND;
}

/* --- States --------------------------------------------------------------------------------- */

/*
 *   any ---select---> NEW ---chosen---> PENDING ---confirm---> VALID
 *                                          |  \
 *                                   reset  v   \ reject
 *                                      ABORTED  `--> INVALID
 *
 * Confirm and reject also work on a record that is not on trial: a boot loader without rollback
 * leaves NEW as it is, and knows UNDEFINED only.
 */
static const struct transition {
    bool from_any;
    uint8_t from, on, to;
} transitions[] = {
    {true, 0, UPD_OTADATA_ON_SELECT, UPD_OTADATA_NEW},
    {false, UPD_OTADATA_NEW, UPD_OTADATA_ON_CHOSEN, UPD_OTADATA_PENDING},
    {false, UPD_OTADATA_PENDING, UPD_OTADATA_ON_RESET, UPD_OTADATA_ABORTED},
    {true, 0, UPD_OTADATA_ON_CONFIRM, UPD_OTADATA_VALID},
    {true, 0, UPD_OTADATA_ON_REJECT, UPD_OTADATA_INVALID},
};

uint32_t upd_otadata_state_after(uint32_t state, enum upd_otadata_event event)
{
    for (uint32_t i = 0; i < sizeof transitions / sizeof transitions[0]; i++) {
        const struct transition *row = &transitions[i];
        if (row->on == event && (row->from_any || row->from == state)) {
            return row->to;
        }
    }
    return state;
}

/* --- What to write -------------------------------------------------------------------------- */

/* Add a write of the copy as it is now; the caller changes what has to change. */
static uint8_t *add_write(struct upd_otadata_plan *plan, const struct upd_otadata *data,
                          uint32_t copy)
{
    struct upd_otadata_write *write = &plan->write[plan->count++];

    write->copy = (uint8_t)copy;
    memcpy(write->record, data->copy[copy], UPD_OTADATA_RECORD_SIZE);
    return write->record;
}

static void add_erase(struct upd_otadata_plan *plan, uint32_t copy)
{
    struct upd_otadata_write *write = &plan->write[plan->count++];

    write->copy = (uint8_t)copy;
    memset(write->record, 0xFF, UPD_OTADATA_RECORD_SIZE);
}

static void add_state(struct upd_otadata_plan *plan, const struct upd_otadata *data, uint32_t copy,
                      uint32_t state)
{
    upd_put_le32(add_write(plan, data, copy) + STATE_OFFSET, state);
}

static bool is_slot(const struct upd_otadata *data, int app)
{
    return app >= 0 && app < data->slots;
}

/*
 * The least sequence number from `least` on that names the slot.
 *
 * @return false when there is none below 0xFFFFFFFF, which means "blank"
 */
static bool number_for(const struct upd_otadata *data, int slot, uint32_t least, uint32_t *sequence)
{
    *sequence = least;
    while ((*sequence - 1) % data->slots != (uint32_t)slot) {
        ++*sequence;
    }
    return *sequence >= least && *sequence != BLANK;
}

/*
 * Name a slot in `copy`, by a number above the other copy's, whatever state that is in, so that no
 * boot loader and no flipped bit of a state prefers it. When there is none the plan is empty.
 */
static enum upd_err add_record(struct upd_otadata_plan *plan, const struct upd_otadata *data,
                               int slot, uint32_t copy, uint32_t state)
{
    const uint8_t *other = data->copy[1 - copy];
    uint32_t sequence, least = 1;

    if (upd_otadata_sequence(other) != BLANK && upd_otadata_crc_is_good(other)) {
        least = upd_otadata_sequence(other) + 1;
    }
    if (!number_for(data, slot, least, &sequence)) {
        plan->count = 0;
        return UPD_E_STATE;
    }
    struct upd_otadata_write *write = &plan->write[plan->count++];
    write->copy = (uint8_t)copy;
    upd_otadata_encode(write->record, sequence, state);
    return UPD_OK;
}

int upd_otadata_copy_of(const struct upd_otadata *data, int slot)
{
    int active = upd_otadata_active(data);

    if (active < 0 || !is_slot(data, slot)) {
        return UPD_OTADATA_NONE;
    }
    if (upd_otadata_slot(data, (uint32_t)active) == slot) {
        return active;
    }
    uint32_t other = 1 - (uint32_t)active;
    return upd_otadata_is_valid(data, other) && upd_otadata_slot(data, other) == slot
               ? (int)other
               : UPD_OTADATA_NONE;
}

static uint32_t other_than(int copy)
{
    return copy < 0 ? 0 : 1 - (uint32_t)copy;
}

/*
 * The records as a reset will leave them: a trial that is not the running slot's is over, since the
 * boot loader had to fall back from it.
 */
static struct upd_otadata after_reset(const struct upd_otadata *data)
{
    struct upd_otadata settled = *data;

    for (uint32_t copy = 0; !is_rtos(data) && copy < 2; copy++) {
        uint8_t *record = settled.copy[copy];
        if (upd_otadata_slot(data, copy) != data->running &&
            upd_otadata_state(record) == UPD_OTADATA_PENDING) {
            upd_put_le32(record + STATE_OFFSET, UPD_OTADATA_ABORTED);
        }
    }
    return settled;
}

/* Give the running slot a record; the active copy is not touched. */
static enum upd_err record_running(const struct upd_otadata *data, struct upd_otadata_plan *plan)
{
    return add_record(plan, data, data->running, other_than(upd_otadata_active(data)),
                      is_rtos(data) ? UPD_OTADATA_UNDEFINED : UPD_OTADATA_VALID);
}

/*
 * updraft's way. What stays true after every single write, done or cut:
 *
 * (1) The running slot boots until the last write is done: its record is not touched, or, where it
 *     runs without one, what made the boot loader start it is not touched before it has one.
 * (2) When all is done, no valid record but the new one names the new slot, unless it is the one
 *     that runs; so giving up its trial cannot lead back to it.
 */
static enum upd_err select_safely(const struct upd_otadata *found, int slot, uint32_t state,
                                  struct upd_otadata_plan *plan)
{
    struct upd_otadata now = after_reset(found);
    int keep = upd_otadata_copy_of(&now, now.running);
    uint32_t copy;

    if (keep < 0 && is_slot(&now, now.running) && now.running != slot) {
        enum upd_err err = record_running(&now, plan);
        if (err != UPD_OK) {
            return err;
        }
        keep = plan->write[0].copy;
        memcpy(now.copy[keep], plan->write[0].record, UPD_OTADATA_RECORD_SIZE);
    }
    if (keep < 0) {
        keep = upd_otadata_active(&now);
    }
    copy = other_than(keep);
    if (keep >= 0 && now.running != slot && upd_otadata_slot(&now, (uint32_t)keep) == slot) {
        /* A record of what the slot held before: it goes, and so does a second one. */
        if (upd_otadata_is_valid(&now, copy) && upd_otadata_slot(&now, copy) == slot) {
            add_erase(plan, copy);
        }
        copy = (uint32_t)keep;
    }
    return add_record(plan, &now, slot, copy, state);
}

static bool is_safe(enum upd_otadata_style style)
{
    return !UPD_OTADATA_WITH_SDK_STYLES || style == UPD_OTADATA_SAFE;
}

/* The SDKs' ways. They keep the bytes that they do not set. */
static enum upd_err select_as_sdk(const struct upd_otadata *data, enum upd_otadata_style style,
                                  int slot, uint32_t state, struct upd_otadata_plan *plan)
{
    int active = upd_otadata_active(data);
    uint32_t copy = other_than(active);
    uint32_t sequence = (uint32_t)slot + 1;
    uint8_t *record;

    if (active >= 0) {
        sequence = upd_otadata_sequence(data->copy[active]);
        if (style == UPD_OTADATA_AS_IDF && upd_otadata_slot(data, (uint32_t)active) == slot) {
            copy = (uint32_t)active;
        } else if (!number_for(data, slot, sequence, &sequence)) {
            return UPD_E_STATE;
        }
    }
    record = add_write(plan, data, copy);
    number(record, sequence);
    if (style != UPD_OTADATA_AS_RTOS) {
        upd_put_le32(record + STATE_OFFSET, state);
    }
    return UPD_OK;
}

static uint32_t state_to_begin(const struct upd_otadata *data, bool trial)
{
    return trial && !is_rtos(data) ? UPD_OTADATA_NEW : UPD_OTADATA_UNDEFINED;
}

enum upd_err upd_otadata_plan_slot(const struct upd_otadata *data, int slot, bool trial,
                                   struct upd_otadata_plan *plan)
{
    plan->count = 0;
    return is_slot(data, slot) ? select_safely(data, slot, state_to_begin(data, trial), plan)
                               : UPD_E_ARG;
}

enum upd_err upd_otadata_plan_boot(const struct upd_otadata *data, enum upd_otadata_style style,
                                   int slot, bool trial, struct upd_otadata_plan *plan)
{
    plan->count = 0;
    if (slot == UPD_OTADATA_FACTORY) {
        /* The active copy goes last, so that a cut between the two changes nothing. */
        uint32_t first = is_safe(style) ? other_than(upd_otadata_active(data)) : 0;
        add_erase(plan, first);
        add_erase(plan, 1 - first);
        return UPD_OK;
    }
    if (is_safe(style)) {
        return upd_otadata_plan_slot(data, slot, trial, plan);
    }
    return is_slot(data, slot) ? select_as_sdk(data, style, slot, state_to_begin(data, trial), plan)
                               : UPD_E_ARG;
}

/*
 * Make otadata name what runs, so that neither the half-written slot nor the whole one boots before
 * it is selected. Otherwise it could, as the boot loader's way past an image that does not verify.
 */
static enum upd_err begin_safely(const struct upd_otadata *found, int slot,
                                 struct upd_otadata_plan *plan)
{
    const struct upd_otadata settled = after_reset(found);
    const struct upd_otadata *data = &settled;
    int active = upd_otadata_active(data);
    int named = active < 0 ? UPD_OTADATA_NONE : upd_otadata_slot(data, (uint32_t)active);
    uint32_t other = other_than(active);

    if (is_slot(data, data->running)) {
        if (named == data->running) {
            return UPD_OK;
        }
        if (upd_otadata_copy_of(data, data->running) < 0) {
            return record_running(data, plan);
        }
    } else if (active < 0 || (data->running != UPD_OTADATA_FACTORY && named != slot)) {
        return UPD_OK;
    } else if (upd_otadata_is_valid(data, other) &&
               (data->running == UPD_OTADATA_FACTORY || upd_otadata_slot(data, other) == slot)) {
        add_erase(plan, other);
    }
    add_erase(plan, (uint32_t)active);
    return UPD_OK;
}

/* The copy that does not decide, if it holds something that is not the running slot's. */
static int forgettable(const struct upd_otadata *data)
{
    int active = upd_otadata_active(data);
    uint32_t other = other_than(active);

    if (active < 0 || data->slots == 0 || upd_otadata_sequence(data->copy[other]) == BLANK ||
        !upd_otadata_crc_is_good(data->copy[other]) ||
        upd_otadata_slot(data, other) == data->running) {
        return UPD_OTADATA_NONE;
    }
    return (int)other;
}

enum upd_err upd_otadata_plan_begin(const struct upd_otadata *data, enum upd_otadata_style style,
                                    int slot, struct upd_otadata_plan *plan)
{
    plan->count = 0;
    if (!is_slot(data, slot) || slot == data->running) {
        return UPD_E_ARG;
    }
    if (is_safe(style)) {
        return begin_safely(data, slot, plan);
    }
    int copy = style == UPD_OTADATA_AS_RTOS ? UPD_OTADATA_NONE : forgettable(data);
    if (copy >= 0) {
        add_erase(plan, (uint32_t)copy);
    }
    return UPD_OK;
}

enum upd_err upd_otadata_plan_confirm(const struct upd_otadata *data, enum upd_otadata_style style,
                                      struct upd_otadata_plan *plan)
{
    int copy = upd_otadata_active(data);
    uint32_t state, confirmed;

    plan->count = 0;
    if (is_safe(style) && data->running != UPD_OTADATA_NONE) {
        copy = upd_otadata_copy_of(data, data->running);
    }
    if (copy < 0 || data->slots == 0) {
        return UPD_E_STATE;
    }
    state = upd_otadata_state(data->copy[copy]);
    confirmed = upd_otadata_state_after(state, UPD_OTADATA_ON_CONFIRM);
    /* UNDEFINED was never on trial: rewriting it would risk the record and gain nothing. */
    if (!is_rtos(data) && state != confirmed &&
        !(is_safe(style) && state == UPD_OTADATA_UNDEFINED)) {
        add_state(plan, data, (uint32_t)copy, confirmed);
    }
    return UPD_OK;
}

bool upd_otadata_can_roll_back(const struct upd_otadata *data,
                               const struct upd_otadata_images *images)
{
    int active = upd_otadata_active(data);
    uint32_t other = other_than(active);

    if (active < 0 || data->slots == 0) {
        return false;
    }
    if (!upd_otadata_is_valid(data, other)) {
        return images->factory;
    }
    return (images->slots >> upd_otadata_slot(data, other) & 1) != 0;
}

enum upd_err upd_otadata_plan_reject(const struct upd_otadata *data,
                                     const struct upd_otadata_images *images,
                                     struct upd_otadata_plan *plan)
{
    int active = upd_otadata_active(data);

    plan->count = 0;
    if (active < 0 || data->slots == 0 ||
        (data->running != UPD_OTADATA_NONE &&
         upd_otadata_slot(data, (uint32_t)active) != data->running)) {
        return UPD_E_STATE;
    }
    if (!upd_otadata_can_roll_back(data, images)) {
        return UPD_E_NOT_FOUND;
    }
    if (is_rtos(data)) {
        add_erase(plan, (uint32_t)active);
    } else {
        uint32_t state = upd_otadata_state(data->copy[active]);
        add_state(plan, data, (uint32_t)active,
                  upd_otadata_state_after(state, UPD_OTADATA_ON_REJECT));
    }
    return UPD_OK;
}

static bool was_given_up(const uint8_t *record)
{
    uint32_t state = upd_otadata_state(record);

    return upd_otadata_sequence(record) != BLANK && upd_otadata_crc_is_good(record) &&
           (state == UPD_OTADATA_INVALID || state == UPD_OTADATA_ABORTED);
}

int8_t upd_otadata_last_invalid(const struct upd_otadata *data,
                                const struct upd_otadata_images *images)
{
    bool first = was_given_up(data->copy[0]), second = was_given_up(data->copy[1]);
    int slot;

    if (data->slots == 0 || (!first && !second)) {
        return UPD_OTADATA_NONE;
    }
    /* Of two the SDK takes the smaller number. */
    if (first && second) {
        first = upd_otadata_sequence(data->copy[0]) <= upd_otadata_sequence(data->copy[1]);
    }
    slot = upd_otadata_slot(data, first ? 0 : 1);
    return (images->slots >> slot & 1) != 0 ? (int8_t)slot : UPD_OTADATA_NONE;
}

enum upd_err upd_otadata_plan_forget(const struct upd_otadata *data, int8_t *slot,
                                     struct upd_otadata_plan *plan)
{
    int copy = forgettable(data);

    plan->count = 0;
    if (copy < 0) {
        return UPD_E_STATE;
    }
    *slot = (int8_t)upd_otadata_slot(data, (uint32_t)copy);
    add_erase(plan, (uint32_t)copy);
    return UPD_OK;
}
