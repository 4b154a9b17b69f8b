/*
 * The NONOS SDK: two slots, selected by the boot block of the SDK's parameters.
 *
 * What to do is decided in core/nonos_boot.c, one step at a time; here the steps are done. The boot
 * loader of updraft does the same steps with other hands.
 */
#include <updraft/bytes.h>
#include <updraft/crc32.h>
#include <updraft/loader_record.h>
#include <updraft/nonos_boot.h>
#include <updraft/scheme.h>

#include "flash_ops.h"
#include "flash_verify.h"
#include "frame.h"

enum { SECTOR = 4096, PAGE = UPD_JOURNAL_PAGE_SIZE };

static uint32_t sector_of(const struct upd_device *device, uint32_t index)
{
    return device->of.nonos.sysparam + index * SECTOR;
}

static uint32_t copy_sector(const struct upd_device *device, uint8_t copy)
{
    return sector_of(device, UPD_SYSPARAM_SECTOR_COPY0 + copy);
}

static uint32_t journal_of(const struct upd_device *device)
{
    struct upd_flash_span span = {0};

    /* Every map with two slots has the sector; open() has refused the others. */
    (void)(upd_flash_map_region(device->of.nonos.map, UPD_REGION_RESERVED, &span) == UPD_OK);
    return span.address;
}

static struct upd_image_target target_of(const struct upd_device *device, uint32_t slot)
{
    struct upd_image_target target = device->target;

    target.offset = device->slots[slot].offset;
    target.size = device->slots[slot].size;
    target.slot = (uint8_t)(slot + 1);
    return target;
}

/* --- What is there --------------------------------------------------------------------------- */

static void read_copy(struct upd_device *device, uint8_t copy, struct upd_select_area *area)
{
    uint8_t mark[UPD_JOURNAL_MARK_SIZE], seal[UPD_SEAL_SIZE];
    uint32_t sector = copy_sector(device, copy);

    area->copy[copy] = (struct upd_copy_sealing){.sealed = false};
    upd_flash_read(device, sector, area->params.head[copy], UPD_SYSPARAM_HEAD_SIZE);
    for (uint32_t place = 0; place < UPD_COPY_SEALS; place++) {
        upd_flash_read(device, sector + UPD_COPY_MARK_OFFSET(place), mark, sizeof mark);
        upd_flash_read(device, sector + UPD_COPY_SEAL_OFFSET(place), seal, sizeof seal);
        upd_copy_see_seal(&area->copy[copy], place, mark, seal);
    }
}

static void read_area(struct upd_device *device, struct upd_select_area *area)
{
    uint32_t sector = sector_of(device, UPD_SYSPARAM_SECTOR_FLAG);

    upd_flash_read(device, sector, area->params.flag, UPD_SYSPARAM_HEAD_SIZE);
    upd_flash_read(device, sector + UPD_FLAG_SEALS_OFFSET, area->flag_seals, UPD_FLAG_SEALS_SIZE);
    for (uint8_t copy = 0; copy < 2; copy++) {
        read_copy(device, copy, area);
    }
}

/* Read everything that a step depends on. What this session did so far stays in *state; what only boot
 * loaders keep there is not set. */
static enum upd_err read_state(struct upd_device *device, struct upd_nonos_state *state)
{
    const struct upd_frame *frame = &device->frame;

    read_area(device, &state->area);
    upd_frame_find(device, journal_of(device));
    const uint8_t *block = state->area.params.head[upd_select_current(&state->area)];
    state->framed = upd_frame_exists(frame);
    state->slot = frame->head.slot;
    state->marks = frame->marks;
    state->sure = frame->sure;
    state->version = upd_sdk_boot_version(block);
    if (device->err != UPD_OK) {
        return device->err;
    }
    return state->version >= UPD_BOOT_V1_2 && state->version < UPD_BOOT_NONE ? UPD_OK
                                                                             : UPD_E_TARGET;
}

static bool runs_selected(const struct upd_device *device, const struct upd_nonos_state *state)
{
    return (int)upd_nonos_selected(state) == device->running;
}

/* The frame is about the image that runs, and not closed. */
static bool is_ours(const struct upd_device *device, const struct upd_nonos_state *state)
{
    return upd_nonos_in_force(state) && state->slot == device->running;
}

static bool is_given_up(const struct upd_nonos_state *state)
{
    return (state->marks & UPD_MARKS_GIVEN_UP) != 0;
}

/* --- The steps ------------------------------------------------------------------------------- */

static enum upd_err program_seal(struct upd_device *device, uint8_t copy, uint32_t place)
{
    uint32_t sector = copy_sector(device, copy);
    uint8_t seal[UPD_SEAL_SIZE];

    upd_copy_seal(seal);
    upd_flash_clear(device, sector + UPD_COPY_MARK_OFFSET(place), UPD_JOURNAL_MARK_SIZE);
    return upd_flash_program(device, sector + UPD_COPY_SEAL_OFFSET(place), seal, sizeof seal);
}

static bool is_all(const uint8_t *bytes, uint32_t size, uint8_t value)
{
    for (uint32_t i = 0; i < size; i++) {
        if (bytes[i] != value) {
            return false;
        }
    }
    return true;
}

static void break_seal(struct upd_device *device, uint32_t offset)
{
    uint8_t seal[UPD_SEAL_SIZE], whole[UPD_SEAL_SIZE];

    upd_flash_read(device, offset, seal, sizeof seal);
    if (!is_all(seal, sizeof seal, 0)) {
        upd_flash_clear(device, offset, sizeof seal);
        upd_flash_read(device, offset, seal, sizeof seal);
        upd_copy_seal(whole);
        if (memcmp(seal, whole, sizeof seal) == 0) {
            upd_flash_trouble(device, offset);
        }
    }
}

static enum upd_err break_seals(struct upd_device *device, const struct upd_nonos_state *state,
                                uint8_t copy)
{
    uint32_t sector = copy_sector(device, copy);

    for (uint32_t place = 0; place < state->area.copy[copy].free; place++) {
        break_seal(device, sector + UPD_COPY_SEAL_OFFSET(place));
    }
    return device->err;
}

/* Pages of marks and seals, with whatever a cut made of them, are not carried over. */
static bool is_of_seals(uint32_t offset)
{
    return offset >= UPD_COPY_MARK_OFFSET(0) && offset < UPD_COPY_SEAL_OFFSET(UPD_COPY_SEALS);
}

/*
 * Read a page of the settings, which nobody can tell from wrong ones, until two readings in a row
 * are the same: a bit that was read wrong once is not carried over. A cell that is unstable since
 * the SDK's own write was cut has no right value.
 */
static void read_settings(struct upd_device *device, uint32_t offset, uint8_t page[PAGE])
{
    uint32_t before, now = 0;

    for (uint32_t i = 0; i < 4; i++) {
        before = now;
        upd_flash_read(device, offset, page, PAGE);
        now = upd_crc32(UPD_CRC32_INIT, page, PAGE);
        if (i > 0 && now == before) {
            break;
        }
    }
}

/* The other copy becomes the current one, with another slot in its boot block. */
static enum upd_err write_copy(struct upd_device *device, const struct upd_nonos_state *state,
                               enum upd_slot slot)
{
    uint8_t current = upd_select_current(&state->area);
    uint32_t source = copy_sector(device, current), target = copy_sector(device, !current);
    uint8_t page[PAGE];

    break_seals(device, state, !current);
    upd_flash_erase(device, target);
    for (uint32_t at = 0; at < SECTOR; at += PAGE) {
        read_settings(device, source + at, page);
        if (at == 0 && device->err == UPD_OK) {
            enum upd_err err = upd_boot_block_select(page, state->version, slot);
            if (err != UPD_OK) {
                return err;
            }
        }
        if (!is_of_seals(at) && !is_all(page, PAGE, 0xFF)) {
            upd_flash_program(device, target + at, page, PAGE);
        }
    }
    return program_seal(device, !current, 0);
}

static enum upd_err write_flag(struct upd_device *device, const struct upd_nonos_state *state,
                               uint8_t copy)
{
    uint8_t bytes[UPD_FLAG_BYTES];
    uint32_t sector = sector_of(device, UPD_SYSPARAM_SECTOR_FLAG);
    uint32_t count;
    const struct upd_flag_write *row = upd_flag_writes(&state->area, copy, bytes, &count);

    for (; count > 0; count--, row++) {
        uint32_t offset = sector + row->offset;
        if (row->size == 0) {
            upd_flash_erase(device, sector);
        } else if (row->data == UPD_FLAG_ZEROS) {
            upd_flash_clear(device, offset, row->size);
        } else {
            upd_flash_program(device, offset, &bytes[row->data], row->size);
        }
    }
    return device->err;
}

static enum upd_err do_step(struct upd_device *device, struct upd_nonos_state *state,
                            struct upd_nonos_step step)
{
    uint8_t current = upd_select_current(&state->area);
    uint8_t place = state->area.copy[current].free;
    enum upd_err err = UPD_OK;

    switch (step.what) {
    case UPD_SELECT_SEAL:
        if (place < UPD_COPY_SEALS) {
            err = program_seal(device, current, place);
        }
        state->progress.sealed = true;
        break;
    case UPD_SELECT_BREAK:
        err = break_seals(device, state, !current);
        state->progress.broken = true;
        break;
    case UPD_SELECT_COPY:
        err = write_copy(device, state, (enum upd_slot)step.which);
        break;
    case UPD_SELECT_FLAG:
        device->settled = false;
        err = write_flag(device, state, step.which);
        state->progress = (struct upd_select_progress){.sealed = false};
        break;
    default: /* MARK; the library is never told to verify or to start */
        err = upd_frame_mark(device, (enum upd_journal_mark)step.which);
    }
    return err;
}

typedef struct upd_nonos_step decide(const struct upd_nonos_state *state);

/* Ask, do, read again, until nothing is left. *state is what was read last. */
static enum upd_err carry_out(struct upd_device *device, struct upd_nonos_state *state,
                              decide *next)
{
    enum upd_err err = read_state(device, state);

    state->progress = (struct upd_select_progress){.sealed = false};
    if (err == UPD_OK && device->settled) {
        /* As long as the SDK did not write other copies, the current one was sealed just now. */
        uint8_t current = upd_select_current(&state->area);
        state->progress.sealed = state->area.copy[current].sealed;
    }
    while (err == UPD_OK) {
        struct upd_nonos_step step = next(state);
        if (step.what == UPD_NONOS_DONE) {
            break;
        }
        err = do_step(device, state, step);
        if (err == UPD_OK) {
            err = read_state(device, state);
        }
    }
    return err;
}

static struct upd_nonos_step give_up_exhausted(const struct upd_nonos_state *state)
{
    return upd_nonos_give_up(state, UPD_MARK_EXHAUSTED);
}

static struct upd_nonos_step give_up_refused(const struct upd_nonos_state *state)
{
    return upd_nonos_give_up(state, UPD_MARK_REFUSED);
}

/* Give the running image up, for the other one, which verifies. */
static enum upd_err leave(struct upd_device *device, struct upd_nonos_state *state, decide *next)
{
    enum upd_err err = carry_out(device, state, next);

    if (err == UPD_OK) {
        device->activated = !runs_selected(device, state);
        /* A mark that a cut tore in confirming may have read as set: nothing was changed then. */
        err = device->activated ? UPD_OK : UPD_E_STATE;
    }
    return err;
}

/* Whether the slot that does not run holds an image that would start. */
static bool other_verifies(struct upd_device *device)
{
    struct upd_image_target target = target_of(device, device->running == 0 ? 1 : 0);

    /* It ran here before, and whoever built it may have left these to the flashing tool. */
    target.flash_mode = UPD_IMAGE_ANY;
    target.flash_map = UPD_IMAGE_ANY;
    return upd_flash_verify(device, &target) == UPD_OK;
}

/* --- The scheme ------------------------------------------------------------------------------ */

static enum upd_fall fall_of(const struct upd_nonos_state *state)
{
    const uint8_t *block = state->area.params.head[upd_select_current(&state->area)];

    if ((state->marks & UPD_MARK_BIT(UPD_MARK_ARMED)) == 0) {
        return UPD_FALL_NONE;
    }
    if ((state->marks & UPD_MARK_BIT(UPD_MARK_DAMAGED)) != 0) {
        return UPD_FALL_DAMAGED;
    }
    if ((state->marks & UPD_MARK_BIT(UPD_MARK_EXHAUSTED)) != 0) {
        return UPD_FALL_EXHAUSTED;
    }
    if ((state->marks & UPD_MARK_BIT(UPD_MARK_REFUSED)) != 0) {
        return UPD_FALL_REFUSED;
    }
    /* An original loader leaves the failed slot in the block, and takes back the "first try". */
    return state->version > UPD_BOOT_V1_2 && (block[0] & 7u) == state->slot ? UPD_FALL_LOADER
                                                                            : UPD_FALL_NONE;
}

static enum upd_err view(struct upd_device *device, struct upd_view *view)
{
    struct upd_nonos_state state;

    enum upd_err err = read_state(device, &state);
    if (err != UPD_OK) {
        return err;
    }
    *view = (struct upd_view){
        .running = (int8_t)device->running,
        .selected = (int8_t)upd_nonos_selected(&state),
        .target = device->running == 0 ? 1 : 0,
        .on_trial = is_ours(device, &state) && !is_given_up(&state),
        .loader_counts = device->loader_counts,
        .fallen = UPD_SLOT_NONE,
    };
    view->starts = view->on_trial ? (uint8_t)upd_journal_starts(state.marks) : 0;
    view->pending =
        device->activated || (upd_nonos_in_force(&state) && !is_given_up(&state) &&
                              view->selected == view->target && state.slot == view->target);
    if (state.framed && state.slot == view->target && !view->pending &&
        (state.marks & UPD_MARK_BIT(UPD_MARK_REPORTED)) == 0) {
        view->fall = fall_of(&state);
        view->fallen = view->fall == UPD_FALL_NONE ? UPD_SLOT_NONE : view->target;
    }
    return UPD_OK;
}

/* An image on trial starts, and the loader did not count it. */
static enum upd_err count_start(struct upd_device *device, struct upd_nonos_state *state)
{
    uint32_t starts = upd_journal_starts(state->marks);

    if (starts < UPD_TRIAL_STARTS) {
        return upd_frame_mark(device, (enum upd_journal_mark)(UPD_MARK_START_1 + starts));
    }
    return other_verifies(device) ? leave(device, state, give_up_exhausted) : device->err;
}

static enum upd_err start(struct upd_device *device, enum upd_start *todo)
{
    struct upd_nonos_state state;

    enum upd_err err = read_state(device, &state);
    bool selected = err == UPD_OK && runs_selected(device, &state);
    if (err == UPD_OK) {
        err = carry_out(device, &state, upd_nonos_settle);
    }
    if (err == UPD_OK && is_ours(device, &state) && !is_given_up(&state) &&
        !device->loader_counts && upd_journal_starts(state.sure) == 0) {
        err = count_start(device, &state);
    }
    if (err == UPD_OK && selected) {
        *todo = runs_selected(device, &state) ? UPD_START_GO_ON : UPD_START_RESTART;
    }
    return err;
}

static enum upd_err prepare(struct upd_device *device, uint32_t size, bool fresh,
                            struct upd_area *area, uint32_t *journal)
{
    struct upd_nonos_state state;
    uint32_t target = device->running == 0 ? 1 : 0;

    (void)fresh; /* every update takes a frame of its own */
    if (size != UPD_SIZE_UNKNOWN && size > device->slots[target].size) {
        return UPD_E_SPACE;
    }
    enum upd_err err = carry_out(device, &state, upd_nonos_settle);
    if (err == UPD_OK && (is_ours(device, &state) || !runs_selected(device, &state))) {
        return UPD_E_STATE;
    }
    if (err == UPD_OK) {
        err = carry_out(device, &state, upd_nonos_hold);
    }
    if (err == UPD_OK && !runs_selected(device, &state)) {
        return UPD_E_STATE;
    }
    if (err == UPD_OK) {
        device->settled = true;
        device->target = target_of(device, target);
        *area = device->slots[target];
        *journal = journal_of(device);
    }
    return err;
}

static enum upd_err activate(struct upd_device *device, const struct upd_install *install)
{
    struct upd_nonos_state state;

    if (install->area.offset != device->slots[device->running == 0 ? 1 : 0].offset ||
        (device->frame.sure & UPD_MARK_BIT(UPD_MARK_TAKEN)) == 0) {
        return UPD_E_STATE;
    }
    enum upd_err err = carry_out(device, &state, upd_nonos_activate);
    if (err == UPD_OK) {
        device->activated = true;
    }
    return err;
}

/* The flag sector may turn out to select the other image after all: then there is no point. */
static struct upd_nonos_step confirm_running(const struct upd_nonos_state *state)
{
    return upd_nonos_selected(state) == state->slot ? upd_nonos_confirm(state)
                                                    : (struct upd_nonos_step){UPD_NONOS_DONE, 0};
}

static enum upd_err confirm(struct upd_device *device)
{
    struct upd_nonos_state state;

    enum upd_err err = read_state(device, &state);
    if (err != UPD_OK || !state.framed || state.slot != device->running ||
        (state.marks & UPD_MARK_BIT(UPD_MARK_ARMED)) == 0 ||
        (state.marks & UPD_MARK_BIT(UPD_MARK_PROVEN)) != 0) {
        return err;
    }
    if (is_given_up(&state) && upd_nonos_in_force(&state)) {
        return UPD_E_STATE;
    }
    err = carry_out(device, &state, confirm_running);
    return err == UPD_OK && !runs_selected(device, &state) ? UPD_E_STATE : err;
}

/* A frame that says of the running image, which is confirmed, that it is on its way out. */
static enum upd_err open_way_back(struct upd_device *device)
{
    const struct upd_area *slot = &device->slots[device->running];
    struct upd_journal_head head = {.offset = slot->offset,
                                    .room = slot->size,
                                    .size = UPD_SIZE_UNKNOWN,
                                    .slot = (uint8_t)device->running,
                                    .stride = 1};

    upd_frame_take(device, journal_of(device), &head);
    return upd_frame_mark(device, UPD_MARK_ARMED);
}

static enum upd_err roll_back(struct upd_device *device)
{
    struct upd_nonos_state state;

    if (!other_verifies(device)) {
        return device->err == UPD_OK ? UPD_E_NOT_FOUND : device->err;
    }
    enum upd_err err = carry_out(device, &state, upd_nonos_settle);
    if (err == UPD_OK && !runs_selected(device, &state)) {
        device->activated = true; /* that is where a restart leads already */
        return UPD_OK;
    }
    if (err == UPD_OK && !is_ours(device, &state)) {
        err = open_way_back(device);
    }
    return err == UPD_OK ? leave(device, &state, give_up_refused) : err;
}

static enum upd_err acknowledge(struct upd_device *device)
{
    struct upd_view now;

    enum upd_err err = view(device, &now);
    return err == UPD_OK && now.fall != UPD_FALL_NONE ? upd_frame_mark(device, UPD_MARK_REPORTED)
                                                      : err;
}

const struct upd_scheme upd_scheme_nonos = {
    .name = "nonos",
    .view = view,
    .start = start,
    .prepare = prepare,
    .activate = activate,
    .confirm = confirm,
    .roll_back = roll_back,
    .acknowledge = acknowledge,
};

/* --- Opening --------------------------------------------------------------------------------- */

/* What sector 0 says: flash mode, which boot loader is there, and the map, which is returned. */
static uint8_t read_sector_0(struct upd_device *device)
{
    uint8_t header[4], bytes[UPD_LOADER_RECORD_SIZE];
    struct upd_loader_record record;

    upd_flash_read(device, 0, header, sizeof header);
    upd_flash_read(device, UPD_LOADER_RECORD_OFFSET, bytes, sizeof bytes);
    device->target.flash_mode = header[2];
    device->loader_counts =
        upd_loader_record_decode(bytes, &record) == UPD_OK && record.counts && !record.installs;
    return header[3] >> 4;
}

enum upd_err upd_nonos_open(struct upd_device *device, const struct upd_flash *flash,
                            const struct upd_nonos_config *config)
{
    if (flash->sector_size != SECTOR || flash->page_size != PAGE) {
        return UPD_E_ARG;
    }
    *device = (struct upd_device){.scheme = &upd_scheme_nonos,
                                  .flash = flash,
                                  .trouble = 0xFFFFFFFFu,
                                  .frame = {.index = UPD_JOURNAL_FRAMES},
                                  .slot_count = 2,
                                  .running = UPD_SLOT_NONE};
    uint8_t number = read_sector_0(device);
    if (number != read_sector_0(device)) {
        /* Another map has its slots and settings elsewhere: a bit read wrong must not choose one.
         */
        upd_flash_trouble(device, 0);
    }
    if (device->err != UPD_OK) {
        return device->err;
    }
    number = config->flash_map == UPD_IMAGE_ANY ? number : config->flash_map;
    const struct upd_flash_map *map = upd_flash_map(number);
    if (map == NULL || !map->fota || map->size > flash->total_size) {
        return UPD_E_TARGET;
    }
    device->of.nonos.map = map;
    device->of.nonos.sysparam = upd_flash_map_sysparam(map);
    for (uint32_t i = 0; i < 2; i++) {
        device->slots[i].offset = upd_flash_map_slot(map, (enum upd_slot)i);
        device->slots[i].size = upd_flash_map_image_limit(map, UPD_SDK_ANY);
        if (config->running == device->slots[i].offset) {
            device->running = (int8_t)i;
        }
    }
    device->target.chip = UPD_CHIP_ESP8266;
    device->target.place = UPD_PLACE_NONOS;
    device->target.flash_size = map->size;
    device->target.flash_map = map->number;
    device->target.chip_revision = UPD_IMAGE_ANY_REVISION;
    device->target.efuse_revision = UPD_IMAGE_ANY_REVISION;
    return device->running == UPD_SLOT_NONE ? UPD_E_ARG : UPD_OK;
}
