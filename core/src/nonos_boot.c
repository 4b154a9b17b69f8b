#include <updraft/nonos_boot.h>

/* A flag sector in doubt is written anew, and then the way back is taken. */
enum { TRIES = 2 };

static bool has(uint32_t set, enum upd_journal_mark mark)
{
    return (set & UPD_MARK_BIT(mark)) != 0;
}

static struct upd_nonos_step step(uint32_t what, uint32_t which)
{
    return (struct upd_nonos_step){.what = (uint8_t)what, .which = (uint8_t)which};
}

static struct upd_nonos_step to_select(const struct upd_nonos_state *state, enum upd_slot slot)
{
    struct upd_select_step next =
        upd_select_slot(&state->area, &state->progress, state->version, slot);

    return step(next.what, next.which);
}

enum upd_slot upd_nonos_selected(const struct upd_nonos_state *state)
{
    return upd_block_slot(state->area.params.head[upd_select_current(&state->area)],
                          state->version);
}

bool upd_nonos_in_force(const struct upd_nonos_state *state)
{
    return state->framed && state->slot <= UPD_SLOT_USER2 && has(state->marks, UPD_MARK_ARMED) &&
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

/* Back to a slot by the other copy, which still selects it or is written for it. */
static struct upd_nonos_step fall_back(const struct upd_nonos_state *state, uint32_t current,
                                       uint32_t spare)
{
    uint32_t other = current ^ 1;

    if (state->tries < TRIES && state->area.copy[other].sealed &&
        upd_block_slot(state->area.params.head[other], state->version) == spare) {
        return step(UPD_SELECT_FLAG, other);
    }
    if (state->tries < TRIES) {
        return step(UPD_NONOS_RETRY, spare);
    }
    /* The block cannot be made to select it: better what is good, unselected, than nothing. */
    return state->verdict[spare] == UPD_VERDICT_GOOD  ? step(UPD_NONOS_START, spare)
           : state->verdict[spare] == UPD_VERDICT_BAD ? step(UPD_NONOS_HALT, 0)
                                                      : step(UPD_NONOS_VERIFY, spare);
}

struct upd_nonos_step upd_nonos_boot(const struct upd_nonos_state *state)
{
    uint32_t current = upd_select_current(&state->area);
    uint32_t slot = upd_block_slot(state->area.params.head[current], state->version);
    uint32_t spare = slot ^ 1;
    bool trial = upd_nonos_in_force(state) && slot == state->slot;
    bool counted = upd_journal_starts(state->sure) != 0;
    uint32_t count = trial ? upd_journal_starts(state->marks) : 0;
    bool allowed = counted || count < UPD_TRIAL_STARTS;
    uint32_t first = allowed ? slot : spare;

    /* Where the sector cannot be written, what it is read as has to do. */
    if (upd_flag_trust(&state->area) == UPD_FLAG_DOUBT && state->tries < TRIES) {
        return step(UPD_SELECT_FLAG, current);
    }
    if (trial && is_given_up(state)) {
        return fall_back(state, current, spare);
    }
    /* The one that has nothing against it, else the other. */
    if (state->verdict[first] == UPD_VERDICT_BAD) {
        first ^= 1;
    }
    if (state->verdict[first] != UPD_VERDICT_GOOD) {
        return state->verdict[first] == UPD_VERDICT_BAD ? step(UPD_NONOS_HALT, 0)
                                                        : step(UPD_NONOS_VERIFY, first);
    }
    if (first == slot) {
        return trial && allowed && !counted ? step(UPD_NONOS_MARK, UPD_MARK_START_1 + count)
                                            : step(UPD_NONOS_START, slot);
    }
    return trial ? step(UPD_NONOS_MARK, allowed ? UPD_MARK_DAMAGED : UPD_MARK_EXHAUSTED)
                 : fall_back(state, current, spare);
}

struct upd_nonos_step upd_nonos_hold(const struct upd_nonos_state *state)
{
    struct upd_select_step next = upd_select_hold(&state->area, &state->progress);

    return step(next.what, next.which);
}

struct upd_nonos_step upd_nonos_settle(const struct upd_nonos_state *state)
{
    enum upd_slot slot = upd_nonos_selected(state);

    if (upd_flag_trust(&state->area) == UPD_FLAG_DOUBT) {
        return to_select(state, slot);
    }
    if (!upd_nonos_in_force(state) || !is_given_up(state)) {
        return step(UPD_NONOS_DONE, 0);
    }
    if (slot == state->slot) {
        return to_select(state, slot == UPD_SLOT_USER1 ? UPD_SLOT_USER2 : UPD_SLOT_USER1);
    }
    struct upd_nonos_step next = upd_nonos_hold(state);
    return next.what == UPD_NONOS_DONE ? step(UPD_NONOS_MARK, UPD_MARK_CLOSED) : next;
}

struct upd_nonos_step upd_nonos_activate(const struct upd_nonos_state *state)
{
    if (!has(state->sure, UPD_MARK_ARMED)) {
        return step(UPD_NONOS_MARK, UPD_MARK_ARMED);
    }
    return to_select(state, (enum upd_slot)state->slot);
}

struct upd_nonos_step upd_nonos_confirm(const struct upd_nonos_state *state)
{
    struct upd_nonos_step next = upd_nonos_hold(state);

    /* The way back stays open, by the other copy's seal, until CLOSED is there. */
    if (has(state->marks, UPD_MARK_PROVEN)) {
        return step(UPD_NONOS_DONE, 0);
    }
    if (next.what == UPD_SELECT_BREAK && !has(state->sure, UPD_MARK_CLOSED)) {
        return step(UPD_NONOS_MARK, UPD_MARK_CLOSED);
    }
    return next.what == UPD_NONOS_DONE ? step(UPD_NONOS_MARK, UPD_MARK_PROVEN) : next;
}

struct upd_nonos_step upd_nonos_give_up(const struct upd_nonos_state *state,
                                        enum upd_journal_mark reason)
{
    if (upd_nonos_in_force(state) && !is_given_up(state)) {
        return step(UPD_NONOS_MARK, reason);
    }
    return upd_nonos_settle(state);
}
