#include <updraft/nonos_boot.h>

#include <updraft/bytes.h>

static bool has(uint32_t set, enum upd_journal_mark mark)
{
    return (set & UPD_MARK_BIT(mark)) != 0;
}

static struct upd_nonos_step simply(enum upd_nonos_do what)
{
    return (struct upd_nonos_step){.what = what};
}

static struct upd_nonos_step of_slot(enum upd_nonos_do what, enum upd_slot slot)
{
    return (struct upd_nonos_step){.what = what, .slot = slot};
}

static struct upd_nonos_step set_mark(enum upd_journal_mark mark)
{
    return (struct upd_nonos_step){.what = UPD_NONOS_MARK, .mark = mark};
}

static enum upd_slot other(enum upd_slot slot)
{
    return slot == UPD_SLOT_USER1 ? UPD_SLOT_USER2 : UPD_SLOT_USER1;
}

enum upd_slot upd_nonos_selected(const struct upd_nonos_state *state)
{
    uint8_t current = upd_select_current(&state->area);

    return upd_block_slot(state->area.params.head[current], state->version);
}

bool upd_nonos_in_force(const struct upd_nonos_state *state)
{
    return state->framed && state->slot <= 1 && has(state->marks, UPD_MARK_ARMED) &&
           !has(state->marks, UPD_MARK_CLOSED);
}

static bool is_given_up(const struct upd_nonos_state *state)
{
    return (state->marks & UPD_MARKS_GIVEN_UP) != 0;
}

bool upd_nonos_on_trial(const struct upd_nonos_state *state)
{
    return upd_nonos_in_force(state) && !is_given_up(state) &&
           upd_nonos_selected(state) == state->slot;
}

static struct upd_nonos_step select_slot(const struct upd_nonos_state *state, enum upd_slot slot)
{
    return (struct upd_nonos_step){
        .what = UPD_NONOS_SELECT,
        .select = upd_select_slot(&state->area, &state->progress, state->version, slot)};
}

struct upd_nonos_step upd_nonos_hold(const struct upd_nonos_state *state)
{
    struct upd_nonos_step step = {.what = UPD_NONOS_SELECT,
                                  .select = upd_select_hold(&state->area, &state->progress)};

    return step.select.what == UPD_SELECT_DONE ? simply(UPD_NONOS_DONE) : step;
}

struct upd_nonos_step upd_nonos_settle(const struct upd_nonos_state *state)
{
    if (upd_flag_trust(&state->area) == UPD_FLAG_DOUBT) {
        return select_slot(state, upd_nonos_selected(state));
    }
    if (!upd_nonos_in_force(state) || !is_given_up(state)) {
        return simply(UPD_NONOS_DONE);
    }
    if (upd_nonos_selected(state) == state->slot) {
        return select_slot(state, other((enum upd_slot)state->slot));
    }
    struct upd_nonos_step step = upd_nonos_hold(state);
    return step.what == UPD_NONOS_DONE ? set_mark(UPD_MARK_CLOSED) : step;
}

/* Start the selected slot if it verifies, else the other one, which is then selected for good. */
static struct upd_nonos_step start_or_other(const struct upd_nonos_state *state)
{
    enum upd_slot slot = upd_nonos_selected(state);
    enum upd_slot spare = other(slot);

    if (state->verdict[slot] == UPD_VERDICT_UNKNOWN) {
        return of_slot(UPD_NONOS_VERIFY, slot);
    }
    if (state->verdict[slot] == UPD_VERDICT_GOOD) {
        return of_slot(UPD_NONOS_START, slot);
    }
    if (state->verdict[spare] == UPD_VERDICT_UNKNOWN) {
        return of_slot(UPD_NONOS_VERIFY, spare);
    }
    return state->verdict[spare] == UPD_VERDICT_GOOD ? select_slot(state, spare)
                                                     : simply(UPD_NONOS_HALT);
}

/* The selected slot is on trial. */
static struct upd_nonos_step try_once(const struct upd_nonos_state *state)
{
    static const enum upd_journal_mark starts[UPD_TRIAL_STARTS] = {
        UPD_MARK_START_1, UPD_MARK_START_2, UPD_MARK_START_3};
    enum upd_slot slot = (enum upd_slot)state->slot;
    enum upd_slot spare = other(slot);
    uint32_t count = upd_journal_starts(state->marks);
    bool counted = upd_journal_starts(state->sure) != 0;

    if (counted || count < UPD_TRIAL_STARTS) {
        if (state->verdict[slot] == UPD_VERDICT_UNKNOWN) {
            return of_slot(UPD_NONOS_VERIFY, slot);
        }
        if (state->verdict[slot] == UPD_VERDICT_GOOD) {
            return counted ? of_slot(UPD_NONOS_START, slot) : set_mark(starts[count]);
        }
    }
    if (state->verdict[spare] == UPD_VERDICT_UNKNOWN) {
        return of_slot(UPD_NONOS_VERIFY, spare);
    }
    if (state->verdict[spare] == UPD_VERDICT_GOOD) {
        return set_mark(state->verdict[slot] == UPD_VERDICT_BAD ? UPD_MARK_DAMAGED
                                                                : UPD_MARK_EXHAUSTED);
    }
    return start_or_other(
        state); /* there is nothing else: it gets another start, or nothing runs */
}

struct upd_nonos_step upd_nonos_boot(const struct upd_nonos_state *state)
{
    struct upd_nonos_step step = upd_nonos_settle(state);

    if (step.what != UPD_NONOS_DONE) {
        return step;
    }
    return upd_nonos_on_trial(state) ? try_once(state) : start_or_other(state);
}

struct upd_nonos_step upd_nonos_activate(const struct upd_nonos_state *state)
{
    if (!has(state->sure, UPD_MARK_ARMED)) {
        return set_mark(UPD_MARK_ARMED);
    }
    struct upd_nonos_step step = select_slot(state, (enum upd_slot)state->slot);
    return step.select.what == UPD_SELECT_DONE ? simply(UPD_NONOS_DONE) : step;
}

struct upd_nonos_step upd_nonos_give_up(const struct upd_nonos_state *state,
                                        enum upd_journal_mark reason)
{
    if (upd_nonos_in_force(state) && !is_given_up(state)) {
        return set_mark(reason);
    }
    return upd_nonos_settle(state);
}
