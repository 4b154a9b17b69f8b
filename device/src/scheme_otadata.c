/*
 * ESP-IDF and the RTOS SDK: two records, each in a sector of its own, name the slot.
 *
 *     sector of the copy that names what runs     never touched by an update
 *     the other sector, "staging"                 erased by prepare(), then the update's journal;
 *                                                 at last, in its first 32 bytes, the record that
 *                                                 names the new slot
 *
 * So an update costs one erase here, and one more where IDF wants a confirmation written.
 *
 * Who keeps the trial:
 *   - IDF with rollback: the state in the record. The boot loader starts a NEW image once and gives
 *     it up at the next reset unless the application confirmed it.
 *   - IDF without rollback, RTOS: the journal beside the record; the library counts the starts.
 *
 * (O1) Before the target is touched, a record names what runs (or none does, and factory runs), in
 *      a sector that no cut has touched since it was written.
 * (O2) The record of the new slot is written last, its CRC after everything else.
 * (O3) Its 32 bytes are programmed without an erase only where this power session erased them, or
 *      no earlier attempt can have touched them: no frame in that sector is ARMED.
 * (O4) A record whose writing may have been cut, so that it reads well now and not later, is
 *      written anew before the image that it names goes on: ARMED is set, SWITCHED is not.
 * (O5) Before a sector with a record in it is erased for good, the record is made invalid by
 *      programming it. Otherwise a torn erase could leave the record and take the journal, and with
 *      it the trial; or the state, which no CRC covers.
 */
#include <updraft/bytes.h>
#include <updraft/scheme.h>

#include "flash_ops.h"
#include "flash_verify.h"
#include "frame.h"

/* Of an application of the ESP32 family: its descriptor's second field. docs/formats/image.md */
enum { IMAGE_SECURE_VERSION = 32 + 4 };

enum { CRC_SIZE = UPD_OTADATA_RECORD_SIZE - UPD_OTADATA_CRC_OFFSET };

/* Of UPD_OTADATA_FOR. */
enum {
    WITH_FUSES = (UPD_OTADATA_FOR & UPD_OTADATA_FOR_IDF_ANTI_ROLLBACK) != 0,
    WITH_ROLLBACK = UPD_OTADATA_FOR_IDF_ROLLBACK | UPD_OTADATA_FOR_IDF_ANTI_ROLLBACK,
};

static const struct upd_otadata_config *config_of(const struct upd_device *device)
{
    return device->of.otadata.config;
}

static uint32_t copy_sector(const struct upd_device *device, int copy)
{
    return device->of.otadata.records + (uint32_t)copy * UPD_OTADATA_COPY_DISTANCE;
}

static enum upd_err read_records(struct upd_device *device, struct upd_otadata *data)
{
    data->slots = (uint8_t)device->slot_count;
    data->running = device->running;
    data->rtos = config_of(device)->loader == UPD_OTADATA_LOADER_RTOS;
    for (int copy = 0; copy < 2; copy++) {
        upd_flash_read(device, copy_sector(device, copy), data->copy[copy],
                       UPD_OTADATA_RECORD_SIZE);
    }
    return device->err;
}

static bool names(const struct upd_otadata *data, int copy, int slot)
{
    return slot >= 0 && upd_otadata_is_valid(data, (uint32_t)copy) &&
           upd_otadata_slot(data, (uint32_t)copy) == slot;
}

/*
 * The copy whose sector an update of what runs takes: the one that does not name it. The active one
 * may be another: that of an image which the boot loader started, or refused, and fell back from.
 */
static int staging_copy(const struct upd_otadata *data)
{
    int copy = upd_otadata_copy_of(data, data->running);

    if (copy == UPD_OTADATA_NONE) {
        copy = upd_otadata_active(data);
        if (copy == UPD_OTADATA_NONE || data->running < 0) {
            return copy == 1;
        }
    }
    return !copy;
}

/*
 * Make the record in a sector invalid: (O5). Cells that a cut left unstable may stay so; the record
 * must not be a good one.
 */
static enum upd_err forget_record(struct upd_device *device, const struct upd_otadata *data,
                                  int copy)
{
    uint32_t sector = copy_sector(device, copy);
    uint8_t record[UPD_OTADATA_RECORD_SIZE];

    if (upd_otadata_sequence(data->copy[copy]) == UINT32_MAX) {
        return device->err;
    }
    upd_flash_clear(device, sector + UPD_OTADATA_CRC_OFFSET, CRC_SIZE);
    upd_flash_clear(device, sector, CRC_SIZE); /* and the number */
    upd_flash_read(device, sector, record, sizeof record);
    return upd_otadata_crc_is_good(record) ? upd_flash_trouble(device, sector) : device->err;
}

/* Program a record into an erased sector, its CRC last: (O2). */
static enum upd_err write_record(struct upd_device *device, uint32_t sector, const uint8_t *record)
{
    upd_flash_program(device, sector, record, UPD_OTADATA_CRC_OFFSET);
    return upd_flash_program(device, sector + UPD_OTADATA_CRC_OFFSET,
                             record + UPD_OTADATA_CRC_OFFSET, CRC_SIZE);
}

/* Make a sector hold a record and nothing else, or nothing at all where the record is blank. */
static enum upd_err rewrite(struct upd_device *device, const struct upd_otadata *data, int copy,
                            const uint8_t *record)
{
    uint32_t sector = copy_sector(device, copy);
    uint32_t sequence = upd_otadata_sequence(record);

    if (sequence != upd_otadata_sequence(data->copy[copy])) {
        forget_record(device, data, copy);
    }
    upd_flash_erase(device, sector);
    return sequence == UINT32_MAX ? device->err : write_record(device, sector, record);
}

/* The same record, with another state. */
static enum upd_err write_state(struct upd_device *device, const struct upd_otadata *data, int copy,
                                uint32_t state)
{
    uint8_t record[UPD_OTADATA_RECORD_SIZE];

    upd_otadata_encode(record, upd_otadata_sequence(data->copy[copy]), state);
    return rewrite(device, data, copy, record);
}

/* Carry a plan out. The sectors' journals go with them. */
static enum upd_err carry_out(struct upd_device *device, const struct upd_otadata *data,
                              const struct upd_otadata_plan *plan)
{
    for (uint32_t i = 0; i < plan->count; i++) {
        rewrite(device, data, plan->write[i].copy, plan->write[i].record);
    }
    return device->err;
}

/* With rollback: what runs by this record was confirmed, or never had to be. */
static bool is_settled(const uint8_t record[UPD_OTADATA_RECORD_SIZE])
{
    uint32_t state = upd_otadata_state(record);

    return state == UPD_OTADATA_VALID || state == UPD_OTADATA_UNDEFINED;
}

/* A boot loader with rollback keeps the trial. A constant where a build knows it. */
static bool loader_has_trial(const struct upd_device *device)
{
    return (UPD_OTADATA_FOR & WITH_ROLLBACK) != 0 &&
           ((UPD_OTADATA_FOR & ~WITH_ROLLBACK) == 0 || device->loader_counts);
}

static enum upd_err find_frame(struct upd_device *device, int copy)
{
    return upd_frame_find(device, copy_sector(device, copy));
}

/* A frame that is about a slot, and in force. If that slot runs before it was selected, because no
 * other one verified, it is on trial all the same. */
static bool is_open(const struct upd_frame *frame, int slot)
{
    return upd_frame_exists(frame) && frame->head.slot == (uint8_t)slot &&
           !upd_frame_has(frame, UPD_MARK_CLOSED);
}

/*
 * Find the frame of the image that runs, where the library keeps its trial: true when there is one.
 * It is in the sector of the record that the boot loader followed, even if that record reads badly
 * now.
 */
static bool find_trial(struct upd_device *device, const struct upd_otadata *data)
{
    int staging = staging_copy(data);

    if (loader_has_trial(device) || device->running < 0) {
        device->frame.index = UPD_JOURNAL_FRAMES;
        return false;
    }
    find_frame(device, !staging);
    if (!is_open(&device->frame, device->running)) {
        find_frame(device, staging);
    }
    return is_open(&device->frame, device->running);
}

/*
 * With rollback: the record of what runs, where a cut of the boot loader's own writing left it such
 * that it does not read well any more, or reads as of an image that was given up; else NONE.
 */
static int doubtful_copy(const struct upd_otadata *data)
{
    for (int copy = 0; copy < 2; copy++) {
        uint32_t sequence = upd_otadata_sequence(data->copy[copy]);
        if (sequence != UINT32_MAX && sequence != 0 &&
            !upd_otadata_is_valid(data, (uint32_t)copy) &&
            (!upd_otadata_crc_is_good(data->copy[copy]) ||
             upd_otadata_slot(data, (uint32_t)copy) == data->running)) {
            return copy;
        }
    }
    return UPD_OTADATA_NONE;
}

/* With rollback: what runs was not confirmed. */
static bool loader_tries(const struct upd_otadata *data, int active, int selected)
{
    return selected == data->running ? active >= 0 && !is_settled(data->copy[active])
                                     : data->running >= 0 && doubtful_copy(data) >= 0;
}

/* Why the image that a copy tells of does not run any more. */
static void find_fall_in(struct upd_device *device, const struct upd_otadata *data, int copy,
                         struct upd_view *view)
{
    const uint8_t *record = data->copy[copy];
    const struct upd_frame *frame = &device->frame;
    bool good = upd_otadata_sequence(record) != UINT32_MAX && upd_otadata_crc_is_good(record);
    uint32_t state = upd_otadata_state(record);
    int slot = good ? upd_otadata_slot(data, (uint32_t)copy) : UPD_SLOT_NONE;

    find_frame(device, copy);
    if (!loader_has_trial(device)) {
        bool told = !upd_frame_exists(frame) || upd_frame_has(frame, UPD_MARK_REPORTED);
        slot = told ? UPD_SLOT_NONE : (int8_t)frame->head.slot;
        view->fall = told                                       ? UPD_FALL_NONE
                     : upd_frame_has(frame, UPD_MARK_EXHAUSTED) ? UPD_FALL_EXHAUSTED
                     : upd_frame_has(frame, UPD_MARK_DAMAGED)   ? UPD_FALL_DAMAGED
                     : upd_frame_has(frame, UPD_MARK_REFUSED)   ? UPD_FALL_REFUSED
                                                                : UPD_FALL_NONE;
    } else if (good) {
        view->fall = state == UPD_OTADATA_ABORTED   ? UPD_FALL_UNCONFIRMED
                     : state == UPD_OTADATA_INVALID ? UPD_FALL_REFUSED
                                                    : UPD_FALL_NONE;
    }
    if (view->fall != UPD_FALL_NONE && slot != device->running) {
        view->fallen = (int8_t)slot;
    } else {
        view->fall = UPD_FALL_NONE;
    }
}

/*
 * Why an image does not run any more, and which copy tells: the staging one, or while nothing is
 * selected any. device->frame is that copy's.
 */
static int find_fall(struct upd_device *device, const struct upd_otadata *data,
                     struct upd_view *view)
{
    int copy = !staging_copy(data);

    if (upd_otadata_active(data) == UPD_OTADATA_NONE) {
        find_fall_in(device, data, copy, view);
    }
    if (view->fall == UPD_FALL_NONE) {
        copy = !copy;
        find_fall_in(device, data, copy, view);
    }
    return copy;
}

/* What the device is, and for a fall the copy that tells of it. */
static enum upd_err look(struct upd_device *device, struct upd_otadata *data, struct upd_view *view,
                         int *copy)
{
    read_records(device, data);
    bool on_trial = find_trial(device, data);
    int active = upd_otadata_active(data);
    int selected = active >= 0                            ? upd_otadata_slot(data, (uint32_t)active)
                   : device->of.otadata.factory.size != 0 ? UPD_SLOT_FACTORY
                                                          : 0;
    int target = upd_otadata_next_slot(data, device->running);
    *view = (struct upd_view){
        .running = (int8_t)device->running,
        .selected = (int8_t)selected,
        .target = target == device->running ? UPD_SLOT_NONE : (int8_t)target,
        .loader_counts = device->loader_counts,
        .on_trial = on_trial,
        .starts = on_trial ? (uint8_t)upd_journal_starts(device->frame.marks) : 0,
        .pending = device->activated,
        .fallen = UPD_SLOT_NONE,
    };
    if (loader_has_trial(device)) {
        view->on_trial = loader_tries(data, active, selected);
        view->starts = view->on_trial ? 1 : 0;
    }
    if (view->on_trial || view->pending) {
        return device->err;
    }
    /* The last one to read the journal: device->frame is that of the staging sector then. */
    *copy = find_fall(device, data, view);
    if (selected != device->running && selected >= 0 && view->fall == UPD_FALL_NONE) {
        view->fall = UPD_FALL_LOADER; /* a reset since has not started what was selected */
        view->fallen = (int8_t)selected;
        *copy = active;
    }
    return device->err;
}

static enum upd_err otadata_view(struct upd_device *device, struct upd_view *view)
{
    struct upd_otadata data;
    int copy;

    return look(device, &data, view, &copy);
}

/* --- Before and after a download ----------------------------------------------------------------
 */

/* Make a copy's sector an empty journal. */
static enum upd_err empty(struct upd_device *device, const struct upd_otadata *data, int copy)
{
    forget_record(device, data, copy);
    return upd_frame_clear(device, copy_sector(device, copy));
}

static enum upd_err otadata_prepare(struct upd_device *device, uint32_t size, bool fresh,
                                    struct upd_area *area, uint32_t *journal)
{
    struct upd_otadata_plan plan;
    struct upd_otadata data;

    enum upd_err err = read_records(device, &data);
    if (err != UPD_OK) {
        return err;
    }
    int target = upd_otadata_next_slot(&data, device->running);
    if (target < 0 || target == device->running) {
        return UPD_E_NOT_FOUND;
    }
    *area = device->slots[target];
    if (size != UPD_SIZE_UNKNOWN && size > area->size) {
        return UPD_E_SPACE;
    }
    err = upd_otadata_plan_begin(&data, UPD_OTADATA_SAFE, target, &plan);
    if (err == UPD_OK) {
        err = carry_out(device, &data, &plan);
    }
    if (err == UPD_OK && plan.count > 0) {
        err = read_records(device, &data);
    }
    if (err == UPD_OK && WITH_FUSES && config_of(device)->fuse_read != NULL) {
        err = config_of(device)->fuse_read(config_of(device)->ctx, &device->target.secure_version);
    }
    if (err != UPD_OK) {
        return err;
    }
    device->target.offset = area->offset;
    device->target.size = area->size;
    *journal = copy_sector(device, staging_copy(&data));
    if (!fresh) {
        return UPD_OK;
    }
    return empty(device, &data, staging_copy(&data));
}

/* The frame, with room for the record in front of it: (O3). */
static void make_room(struct upd_device *device)
{
    struct upd_journal_head head = device->frame.head;
    uint32_t sector = device->frame.sector;
    struct upd_otadata data;

    if (upd_frame_any_armed(device, sector)) {
        read_records(device, &data);
        empty(device, &data, sector == copy_sector(device, 1));
        upd_frame_take(device, sector, &head);
    }
}

/* Select the slot of device->frame, which the image that runs may be itself: (O4). */
static enum upd_err select_slot(struct upd_device *device)
{
    struct upd_otadata_plan plan;
    struct upd_otadata data;

    make_room(device);
    enum upd_err err = read_records(device, &data);
    if (err == UPD_OK) {
        err = upd_otadata_plan_slot(&data, (int8_t)device->frame.head.slot,
                                    loader_has_trial(device), &plan);
    }
    if (err != UPD_OK) {
        return err;
    }
    uint32_t sector = device->frame.sector;
    const struct upd_otadata_write *last = &plan.write[plan.count - 1];
    if (copy_sector(device, last->copy) != sector) {
        return UPD_E_STATE; /* otadata was changed by somebody else since prepare() */
    }
    if (plan.count > 1) {
        /* The record of what runs, which a cut tore: it read well in prepare(), and not now. */
        plan.count = 1;
        carry_out(device, &data, &plan);
    }
    upd_frame_mark(device, UPD_MARK_ARMED);
    write_record(device, sector, last->record);
    return upd_frame_mark(device, UPD_MARK_SWITCHED);
}

static enum upd_err otadata_activate(struct upd_device *device, const struct upd_install *install)
{
    (void)install;
    enum upd_err err = select_slot(device);
    device->activated = err == UPD_OK;
    return err;
}

/* --- The trial ----------------------------------------------------------------------------------
 */

static bool verifies(struct upd_device *device, int app)
{
    struct upd_image_target target = device->target;
    const struct upd_area *area = app < 0 ? &device->of.otadata.factory : &device->slots[app];

    target.offset = area->offset;
    target.size = area->size;
    return area->size != 0 && upd_flash_verify(device, &target) == UPD_OK;
}

/* Where to go back to from what runs: what the records name, else factory, else any slot; NONE. */
static int way_back(struct upd_device *device, const struct upd_otadata *data)
{
    uint32_t first = upd_otadata_active(data) == 1;
    int slot = UPD_SLOT_NONE;

    for (uint32_t i = 0; i < 2; i++) {
        uint32_t copy = i ^ first;
        slot = upd_otadata_slot(data, copy);
        if (slot != device->running && upd_otadata_is_valid(data, copy) && verifies(device, slot)) {
            return slot;
        }
    }
    if (verifies(device, UPD_SLOT_FACTORY)) {
        return UPD_SLOT_FACTORY;
    }
    for (slot = (device->slot_count - 1); slot >= 0; slot--) {
        if (slot != device->running && verifies(device, slot)) {
            return slot;
        }
    }
    return UPD_SLOT_NONE;
}

/*
 * What runs is given up; otadata names another one that verifies. device->frame is its own.
 *
 * As a rule the way back has its record already. Then the one of what is given up is made invalid,
 * which costs no erase, and keeps the journal that tells why.
 */
static enum upd_err give_up(struct upd_device *device, const struct upd_otadata *data, int back,
                            enum upd_journal_mark reason)
{
    int own = names(data, 1, device->running) ? 1 : 0;
    struct upd_otadata_plan plan;
    enum upd_err err = UPD_OK;

    if (upd_frame_exists(&device->frame) && device->frame.head.slot == (uint8_t)device->running) {
        own = device->frame.sector == copy_sector(device, 1);
        upd_frame_mark(device, reason);
    }
    if (back == UPD_SLOT_FACTORY) {
        forget_record(device, data, !own);
    } else if (!names(data, !own, back)) {
        err = upd_otadata_plan_slot(data, back, false, &plan);
        carry_out(device, data, &plan);
    }
    if (err == UPD_OK) {
        err = forget_record(device, data, own);
    }
    device->activated = err == UPD_OK;
    return err;
}

/* Select what runs, by a record with a state. *copy: the one that has it. */
static enum upd_err record_running(struct upd_device *device, const struct upd_otadata *data,
                                   uint32_t state, int *copy)
{
    struct upd_otadata_plan plan;

    enum upd_err err = upd_otadata_plan_slot(data, device->running, false, &plan);
    if (err == UPD_OK) {
        struct upd_otadata_write *last = &plan.write[plan.count - 1];
        upd_otadata_encode(last->record, upd_otadata_sequence(last->record), state);
        *copy = last->copy;
        err = carry_out(device, data, &plan);
    }
    return err;
}

/* The reason that was noted before a cut, or that its starts are used up. */
static enum upd_journal_mark reason_of(const struct upd_frame *frame)
{
    return upd_frame_has(frame, UPD_MARK_REFUSED)   ? UPD_MARK_REFUSED
           : upd_frame_has(frame, UPD_MARK_DAMAGED) ? UPD_MARK_DAMAGED
                                                    : UPD_MARK_EXHAUSTED;
}

/*
 * With rollback: the boot loader writes PENDING before it starts a NEW image, and a cut of that may
 * leave a state that it does not know and takes for none: it would start the image for ever. So the
 * state that it meant is written.
 */
static enum upd_err mend_state(struct upd_device *device, const struct upd_otadata *data)
{
    int copy = upd_otadata_active(data);

    if (copy < 0 || !names(data, copy, device->running) || is_settled(data->copy[copy]) ||
        upd_otadata_state(data->copy[copy]) == UPD_OTADATA_PENDING) {
        return device->err;
    }
    return write_state(device, data, copy, UPD_OTADATA_PENDING);
}

static enum upd_err otadata_start(struct upd_device *device, enum upd_start *todo)
{
    static const enum upd_journal_mark starts[UPD_TRIAL_STARTS] = {
        UPD_MARK_START_1, UPD_MARK_START_2, UPD_MARK_START_3};
    struct upd_otadata data;

    *todo = UPD_START_GO_ON;
    read_records(device, &data);
    if (!find_trial(device, &data)) {
        return loader_has_trial(device) ? mend_state(device, &data) : device->err;
    }
    bool given_up = (device->frame.marks & UPD_MARKS_GIVEN_UP) != 0;
    if (!given_up && !upd_frame_has(&device->frame, UPD_MARK_SWITCHED)) {
        enum upd_err err = select_slot(device); /* (O4) */
        if (err != UPD_OK) {
            return err;
        }
    }
    uint32_t count = upd_journal_starts(device->frame.marks);
    if (!given_up && count < UPD_TRIAL_STARTS) {
        return upd_frame_mark(device, starts[count]);
    }
    int back = way_back(device, &data);
    if (back == UPD_SLOT_NONE) {
        return device->err; /* there is nothing else: it gets another start */
    }
    *todo = UPD_START_RESTART;
    return give_up(device, &data, back, reason_of(&device->frame));
}

/* The secure version of the image that runs, to be burned once it is confirmed. */
static uint32_t running_version(struct upd_device *device)
{
    uint8_t bytes[4];
    uint32_t offset = device->slots[device->running].offset + IMAGE_SECURE_VERSION;

    upd_flash_read(device, offset, bytes, sizeof bytes);
    return upd_get_le32(bytes);
}

/*
 * IDF with rollback: the state is the trial. Behind the record that says VALID a cover is written,
 * and without it the record is written anew: one that a cut tore may read well now and not later,
 * and the image that was confirmed would be gone: (O4).
 */
static enum upd_err confirm_record(struct upd_device *device, struct upd_otadata *data)
{
    const struct upd_otadata_config *config = config_of(device);
    int copy = !staging_copy(data);
    uint32_t state = upd_otadata_state(data->copy[copy]);
    enum upd_err err = UPD_OK;

    if (!names(data, copy, device->running)) {
        copy = doubtful_copy(data);
        if (device->running < 0 || copy == UPD_OTADATA_NONE) {
            return UPD_OK; /* factory runs, or a slot without a record: never on trial */
        }
        upd_flash_erase(device, copy_sector(device, copy));
        read_records(device, data);
        err = record_running(device, data, UPD_OTADATA_VALID, &copy);
    } else if (state == UPD_OTADATA_UNDEFINED ||
               (state == UPD_OTADATA_VALID &&
                upd_frame_is_covered(device, copy_sector(device, copy)))) {
        return device->err; /* never on trial, or confirmed for good */
    } else {
        write_state(device, data, copy, UPD_OTADATA_VALID);
    }
    if (err == UPD_OK) {
        err = upd_frame_write_cover(device, copy_sector(device, copy));
    }
    if (err == UPD_OK && WITH_FUSES && config->fuse_burn != NULL) {
        uint32_t version = running_version(device);
        err = device->err == UPD_OK ? config->fuse_burn(config->ctx, version) : device->err;
    }
    return err;
}

static enum upd_err otadata_confirm(struct upd_device *device)
{
    struct upd_otadata data;

    if (read_records(device, &data) == UPD_OK && loader_has_trial(device)) {
        return confirm_record(device, &data);
    }
    return find_trial(device, &data) ? upd_frame_mark(device, UPD_MARK_CLOSED) : device->err;
}

static enum upd_err otadata_roll_back(struct upd_device *device)
{
    struct upd_otadata data;

    read_records(device, &data);
    int back = way_back(device, &data);
    if (back == UPD_SLOT_NONE) {
        return device->err == UPD_OK ? UPD_E_NOT_FOUND : device->err;
    }
    if (!loader_has_trial(device)) {
        if (!find_trial(device, &data)) {
            find_frame(device, !staging_copy(&data));
        }
        return give_up(device, &data, back, UPD_MARK_REFUSED);
    }
    int active = upd_otadata_active(&data);
    if (active < 0 || active != upd_otadata_copy_of(&data, device->running)) {
        /* The record that the boot loader followed does not read well any more: a cut tore it. */
        forget_record(device, &data, staging_copy(&data));
    } else if (!(upd_otadata_is_valid(&data, !active) ? names(&data, !active, back)
                                                      : back == UPD_SLOT_FACTORY)) {
        /* The way back has no record yet: it gets one, and no state tells why. */
        return give_up(device, &data, back, UPD_MARK_REFUSED);
    } else {
        write_state(device, &data, active, UPD_OTADATA_INVALID);
    }
    device->activated = device->err == UPD_OK;
    return device->err;
}

static enum upd_err otadata_acknowledge(struct upd_device *device)
{
    struct upd_otadata_plan plan;
    struct upd_otadata data;
    struct upd_view view;
    int copy = 0;

    enum upd_err err = look(device, &data, &view, &copy);
    if (err != UPD_OK || view.fall == UPD_FALL_NONE) {
        return err;
    }
    if (view.fall != UPD_FALL_LOADER) {
        return loader_has_trial(device) ? forget_record(device, &data, copy)
                                        : upd_frame_mark(device, UPD_MARK_REPORTED);
    }
    /* What runs shall be what is selected. */
    err = upd_otadata_plan_begin(&data, UPD_OTADATA_SAFE, view.fallen, &plan);
    if (err == UPD_OK) {
        carry_out(device, &data, &plan);
        err = read_records(device, &data);
    }
    int active = upd_otadata_active(&data);
    return err == UPD_OK && active >= 0 && active != upd_otadata_copy_of(&data, device->running)
               ? forget_record(device, &data, active)
               : err;
}

const struct upd_scheme upd_scheme_otadata = {
    .name = "otadata",
    .view = otadata_view,
    .start = otadata_start,
    .prepare = otadata_prepare,
    .activate = otadata_activate,
    .confirm = otadata_confirm,
    .roll_back = otadata_roll_back,
    .acknowledge = otadata_acknowledge,
};

/* --- Opening ------------------------------------------------------------------------------------
 */

/* Take from the table what is needed of it. */
static void read_table(struct upd_device *device, const struct upd_otadata_config *config)
{
    for (uint32_t i = 0; i < config->count; i++) {
        const struct upd_partition *row = &config->rows[i];
        const struct upd_area area = {row->offset, row->size};
        uint32_t slot = (uint32_t)row->subtype - UPD_PARTITION_APP_OTA_0;
        int app = UPD_OTADATA_TEST;
        if (row->type == UPD_PARTITION_DATA && row->subtype == UPD_PARTITION_DATA_OTA &&
            row->size >= UPD_OTADATA_SIZE) {
            device->of.otadata.records = row->offset;
        }
        if (row->type != UPD_PARTITION_APP) {
            continue;
        }
        if (slot < UPD_DEVICE_SLOTS) {
            device->slots[slot] = area;
            app = (int)slot;
        } else if (row->subtype == UPD_PARTITION_APP_FACTORY) {
            device->of.otadata.factory = area;
            app = UPD_SLOT_FACTORY;
        }
        if (row->offset == config->running) {
            device->running = app;
        }
    }
    while (device->slot_count < UPD_DEVICE_SLOTS && device->slots[device->slot_count].size != 0) {
        device->slot_count++;
    }
    if (device->running >= device->slot_count) {
        device->running = UPD_OTADATA_TEST; /* a slot that the boot loader does not count */
    }
}

enum upd_err upd_otadata_open(struct upd_device *device, const struct upd_flash *flash,
                              const struct upd_otadata_config *config)
{
    bool burns = WITH_FUSES && config->loader == UPD_OTADATA_LOADER_IDF_ANTI_ROLLBACK;

    memset(device, 0, sizeof *device);
    if (flash->page_size != UPD_JOURNAL_PAGE_SIZE || flash->sector_size != UPD_JOURNAL_SIZE ||
        (UPD_OTADATA_FOR >> config->loader & 1) == 0 ||
        (burns && (config->fuse_read == NULL || config->fuse_burn == NULL))) {
        return UPD_E_ARG;
    }
    device->scheme = &upd_scheme_otadata;
    device->flash = flash;
    device->trouble = UINT32_MAX;
    device->frame.index = UPD_JOURNAL_FRAMES;
    device->loader_counts = (WITH_ROLLBACK >> config->loader & 1) != 0;
    device->running = UPD_SLOT_NONE;
    device->of.otadata.config = config;
    read_table(device, config);
    if (device->of.otadata.records == 0 || device->slot_count == 0) {
        return UPD_E_NOT_FOUND;
    }
    if (device->running == UPD_SLOT_NONE) {
        return UPD_E_ARG;
    }
    device->target.chip = config->chip;
    device->target.place = UPD_PLACE_PARTITION;
    device->target.flash_size = flash->total_size;
    device->target.chip_revision = config->chip_revision;
    device->target.efuse_revision = config->efuse_revision;
    device->target.flash_map = UPD_IMAGE_ANY;
    device->target.flash_mode = UPD_IMAGE_ANY;
    return UPD_OK;
}
