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
    bool unfinished = state->copied == UPD_EBOOT_INSTALLING || state->copied == UPD_EBOOT_RESTORING;

    return state->noted && has(state->marks, UPD_MARK_ARMED) &&
           (unfinished || !has(state->marks, UPD_MARK_CLOSED));
}

/* The one of the reasons that was read. */
static enum upd_journal_mark reason_in(uint32_t marks)
{
    return has(marks, UPD_MARK_EXHAUSTED) ? UPD_MARK_EXHAUSTED
           : has(marks, UPD_MARK_DAMAGED) ? UPD_MARK_DAMAGED
                                          : UPD_MARK_REFUSED;
}

static struct upd_eboot_step verify(enum upd_eboot_copy_of what)
{
    return step(UPD_EBOOT_DO_VERIFY, what);
}

/* Nothing is left but what lies at 0: a bad sketch that is whole is better than none. */
static struct upd_eboot_step start_if_whole(const struct upd_eboot_state *state)
{
    uint32_t verdict = state->verdict[UPD_EBOOT_INSTALLED];

    return verdict == UPD_EBOOT_UNKNOWN
               ? verify(UPD_EBOOT_INSTALLED)
               : step(verdict == UPD_EBOOT_GOOD ? UPD_EBOOT_DO_START : UPD_EBOOT_DO_HALT, 0);
}

/* The sketch was given up: the backup goes back to its place. */
static struct upd_eboot_step take_back(const struct upd_eboot_state *state)
{
    bool again = state->copied == UPD_EBOOT_IS_RESTORED;

    if (again && state->verdict[UPD_EBOOT_RESTORED] == UPD_EBOOT_UNKNOWN) {
        return verify(UPD_EBOOT_RESTORED);
    }
    if (again && state->verdict[UPD_EBOOT_RESTORED] == UPD_EBOOT_GOOD) {
        return state->held ? step(UPD_EBOOT_DO_MARK, UPD_MARK_CLOSED)
                           : step(UPD_EBOOT_DO_HOLD, 0); /* (B3) */
    }
    if (again && state->anew) {
        return step(UPD_EBOOT_DO_HALT, 0);
    }
    if ((state->sure & UPD_MARKS_GIVEN_UP) == 0) {
        return step(UPD_EBOOT_DO_MARK, reason_in(state->marks)); /* a cut may have torn it: (J4) */
    }
    if (state->verdict[UPD_EBOOT_BACKUP] == UPD_EBOOT_UNKNOWN) {
        return verify(UPD_EBOOT_BACKUP);
    }
    return state->verdict[UPD_EBOOT_BACKUP] == UPD_EBOOT_GOOD ? step(UPD_EBOOT_DO_RESTORE, again)
                                                              : start_if_whole(state);
}

/* Give the sketch up, if what goes back in its place is good; else `otherwise`. */
static struct upd_eboot_step give_up(const struct upd_eboot_state *state,
                                     enum upd_journal_mark reason, enum upd_eboot_do otherwise)
{
    if (state->has_backup && state->verdict[UPD_EBOOT_BACKUP] == UPD_EBOOT_UNKNOWN) {
        return verify(UPD_EBOOT_BACKUP);
    }
    return state->has_backup && state->verdict[UPD_EBOOT_BACKUP] == UPD_EBOOT_GOOD
               ? step(UPD_EBOOT_DO_MARK, reason)
               : step(otherwise, 0);
}

/* The new sketch lies at 0, and is whole. Where there is nothing to go back to it is no trial. */
static struct upd_eboot_step try_out(const struct upd_eboot_state *state)
{
    uint32_t count = upd_journal_starts(state->marks);

    if (count == 0 && !state->held) {
        return step(UPD_EBOOT_DO_HOLD, 0); /* (B3) */
    }
    if (!state->has_backup || upd_journal_starts(state->sure) != 0) {
        return step(UPD_EBOOT_DO_START, 0);
    }
    return count >= UPD_TRIAL_STARTS ? give_up(state, UPD_MARK_EXHAUSTED, UPD_EBOOT_DO_START)
                                     : step(UPD_EBOOT_DO_MARK, UPD_MARK_START_1 + count);
}

static struct upd_eboot_step install(const struct upd_eboot_state *state)
{
    bool again = state->copied == UPD_EBOOT_IS_INSTALLED;

    if (again && state->verdict[UPD_EBOOT_INSTALLED] == UPD_EBOOT_UNKNOWN) {
        return verify(UPD_EBOOT_INSTALLED);
    }
    if (again && state->verdict[UPD_EBOOT_INSTALLED] == UPD_EBOOT_GOOD) {
        return try_out(state);
    }
    if (!has(state->sure, UPD_MARK_ARMED)) {
        /* A cut may have torn it. Were it to read as not set later, half a sketch would start. */
        return step(UPD_EBOOT_DO_MARK, UPD_MARK_ARMED);
    }
    if (state->verdict[UPD_EBOOT_STAGED] == UPD_EBOOT_UNKNOWN) {
        return verify(UPD_EBOOT_STAGED);
    }
    if (state->verdict[UPD_EBOOT_STAGED] == UPD_EBOOT_BAD || (again && state->anew)) {
        return give_up(state, UPD_MARK_DAMAGED,
                       state->copied == UPD_EBOOT_NOTHING ? UPD_EBOOT_DO_START : UPD_EBOOT_DO_HALT);
    }
    return step(UPD_EBOOT_DO_INSTALL, again);
}

struct upd_eboot_step upd_eboot_boot(const struct upd_eboot_state *state)
{
    bool given_up = (state->marks & UPD_MARKS_GIVEN_UP) != 0;
    bool back =
        given_up || state->copied == UPD_EBOOT_RESTORING || state->copied == UPD_EBOOT_IS_RESTORED;

    if (!upd_eboot_in_force(state)) {
        bool hold = given_up && state->copied == UPD_EBOOT_IS_INSTALLED && !state->held &&
                    !has(state->marks, UPD_MARK_PROVEN);
        return step(hold ? UPD_EBOOT_DO_HOLD : UPD_EBOOT_DO_START, 0); /* (B3) */
    }
    return back && state->has_backup ? take_back(state) : install(state);
}
