#include <updraft/eboot_boot.h>

static bool has(uint32_t set, enum upd_journal_mark mark)
{
    return (set & UPD_MARK_BIT(mark)) != 0;
}

static struct upd_eboot_step step(enum upd_eboot_do what, uint32_t which)
{
    return (struct upd_eboot_step){.what = (uint8_t)what, .which = (uint8_t)which};
}

bool upd_eboot_in_force(const struct upd_eboot_state *state)
{
    return state->noted && has(state->marks, UPD_MARK_ARMED) && !has(state->marks, UPD_MARK_CLOSED);
}

/* The one of the reasons that was read. */
static enum upd_journal_mark reason_in(uint32_t marks)
{
    return has(marks, UPD_MARK_EXHAUSTED) ? UPD_MARK_EXHAUSTED
           : has(marks, UPD_MARK_DAMAGED) ? UPD_MARK_DAMAGED
                                          : UPD_MARK_REFUSED;
}

/* The new sketch, if it verifies. */
static struct upd_eboot_step start_verified(const struct upd_eboot_state *state)
{
    return state->verdict[UPD_EBOOT_INSTALLED] == UPD_EBOOT_UNKNOWN
               ? step(UPD_EBOOT_DO_VERIFY, UPD_EBOOT_INSTALLED)
           : state->verdict[UPD_EBOOT_INSTALLED] == UPD_EBOOT_GOOD ? step(UPD_EBOOT_DO_START, 0)
                                                                   : step(UPD_EBOOT_DO_HALT, 0);
}

/* The sketch was given up: the backup goes back to its place. */
static struct upd_eboot_step take_back(const struct upd_eboot_state *state)
{
    if (has(state->marks, UPD_MARK_RESTORED) || !state->has_backup) {
        return step(UPD_EBOOT_DO_START, 0);
    }
    if ((state->sure & UPD_MARKS_GIVEN_UP) == 0) {
        return step(UPD_EBOOT_DO_MARK, reason_in(state->marks)); /* a cut may have torn it: (J4) */
    }
    if (state->verdict[UPD_EBOOT_BACKUP] == UPD_EBOOT_UNKNOWN) {
        return step(UPD_EBOOT_DO_VERIFY, UPD_EBOOT_BACKUP);
    }
    if (state->verdict[UPD_EBOOT_BACKUP] == UPD_EBOOT_BAD) {
        return start_verified(state); /* a bad sketch that is whole is better than none */
    }
    if (state->restored == UPD_EBOOT_NOT_MADE) {
        return step(UPD_EBOOT_DO_RESTORE, UPD_EBOOT_ENDED);
    }
    if (state->verdict[UPD_EBOOT_RESTORED] == UPD_EBOOT_UNKNOWN) {
        return step(UPD_EBOOT_DO_VERIFY, UPD_EBOOT_RESTORED);
    }
    if (state->verdict[UPD_EBOOT_RESTORED] == UPD_EBOOT_BAD && state->restored == UPD_EBOOT_ENDED) {
        return step(UPD_EBOOT_DO_RESTORE, UPD_EBOOT_MADE_ANEW);
    }
    return state->verdict[UPD_EBOOT_RESTORED] == UPD_EBOOT_GOOD
               ? step(UPD_EBOOT_DO_MARK, UPD_MARK_RESTORED)
               : step(UPD_EBOOT_DO_HALT, 0);
}

/* Give the sketch up, if what goes back in its place is good; else `otherwise`. */
static struct upd_eboot_step give_up(const struct upd_eboot_state *state,
                                     enum upd_journal_mark reason, enum upd_eboot_do otherwise)
{
    if (state->has_backup && state->verdict[UPD_EBOOT_BACKUP] == UPD_EBOOT_UNKNOWN) {
        return step(UPD_EBOOT_DO_VERIFY, UPD_EBOOT_BACKUP);
    }
    return state->has_backup && state->verdict[UPD_EBOOT_BACKUP] == UPD_EBOOT_GOOD
               ? step(UPD_EBOOT_DO_MARK, reason)
               : step(otherwise, 0);
}

static struct upd_eboot_step install(const struct upd_eboot_state *state)
{
    if (!has(state->sure, UPD_MARK_ARMED)) {
        /* A cut may have torn it. Were it to read as not set later, half a sketch would start. */
        return step(UPD_EBOOT_DO_MARK, UPD_MARK_ARMED);
    }
    if (state->verdict[UPD_EBOOT_STAGED] == UPD_EBOOT_UNKNOWN) {
        return step(UPD_EBOOT_DO_VERIFY, UPD_EBOOT_STAGED);
    }
    if (state->verdict[UPD_EBOOT_STAGED] == UPD_EBOOT_BAD) {
        /* Without a backup nothing can be said of what lies at 0 but that it may be the old one. */
        return give_up(state, UPD_MARK_DAMAGED, UPD_EBOOT_DO_START);
    }
    if (state->installed == UPD_EBOOT_NOT_MADE) {
        return step(UPD_EBOOT_DO_INSTALL, UPD_EBOOT_ENDED);
    }
    if (state->verdict[UPD_EBOOT_INSTALLED] == UPD_EBOOT_UNKNOWN) {
        return step(UPD_EBOOT_DO_VERIFY, UPD_EBOOT_INSTALLED);
    }
    if (state->verdict[UPD_EBOOT_INSTALLED] == UPD_EBOOT_BAD &&
        state->installed == UPD_EBOOT_ENDED) {
        return step(UPD_EBOOT_DO_INSTALL, UPD_EBOOT_MADE_ANEW);
    }
    return state->verdict[UPD_EBOOT_INSTALLED] == UPD_EBOOT_GOOD
               ? step(UPD_EBOOT_DO_MARK, UPD_MARK_SWITCHED)
               : give_up(state, UPD_MARK_DAMAGED, UPD_EBOOT_DO_HALT);
}

struct upd_eboot_step upd_eboot_boot(const struct upd_eboot_state *state)
{
    bool counted = upd_journal_starts(state->sure) != 0;
    uint32_t count = upd_journal_starts(state->marks);

    if (!upd_eboot_in_force(state)) {
        return step(UPD_EBOOT_DO_START, 0);
    }
    if ((state->marks & UPD_MARKS_GIVEN_UP) != 0) {
        return take_back(state);
    }
    if (!has(state->marks, UPD_MARK_SWITCHED)) {
        return install(state);
    }
    if (!state->has_backup) {
        return step(UPD_EBOOT_DO_START, 0);
    }
    if (!counted && count >= UPD_TRIAL_STARTS) {
        struct upd_eboot_step next = give_up(state, UPD_MARK_EXHAUSTED, UPD_EBOOT_DO_START);
        /* Where there is nothing to go back to it gets another start. */
        return next.what == UPD_EBOOT_DO_START ? start_verified(state) : next;
    }
    if (state->verdict[UPD_EBOOT_INSTALLED] == UPD_EBOOT_BAD) {
        return give_up(state, UPD_MARK_DAMAGED, UPD_EBOOT_DO_HALT);
    }
    if (state->verdict[UPD_EBOOT_INSTALLED] == UPD_EBOOT_GOOD && !counted) {
        return step(UPD_EBOOT_DO_MARK, UPD_MARK_START_1 + count);
    }
    return start_verified(state);
}
