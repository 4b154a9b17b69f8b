/*
 * Goal: whatever the journal says, whatever the log of copies says, and whatever verifies, updraft's
 * Arduino loader copies only what verified, ends a copy that is unfinished before it starts
 * anything, starts no sketch on trial that does not verify, and comes to an end. Method: every state
 * that marks, verdicts, log and what was done since the reset can make.
 */
#include <updraft/eboot_boot.h>

#include "check.h"

#define BIT(name) UPD_MARK_BIT(UPD_MARK_##name)

static const uint16_t marks[] = {
    BIT(ARMED),   BIT(START_1), BIT(START_2), BIT(START_3), BIT(EXHAUSTED),
    BIT(DAMAGED), BIT(REFUSED), BIT(CLOSED),  BIT(PROVEN),
};
enum {
    MARKS = sizeof marks / sizeof marks[0],
    MARK_SETS = 1 << MARKS,
    VERDICT_SETS = 81,
    COPIED = UPD_EBOOT_IS_RESTORED + 1,
    FLAG_SETS = 32
};

static uint16_t mark_set(uint32_t number)
{
    uint16_t set = 0;

    for (uint32_t i = 0; i < MARKS; i++) {
        set |= (number >> i & 1) != 0 ? marks[i] : (uint16_t)0;
    }
    return set;
}

static struct upd_eboot_state make_state(uint32_t mark_number, uint32_t verdicts, uint32_t copied,
                                         uint32_t flags)
{
    struct upd_eboot_state state = {.noted = (flags & 1) != 0,
                                    .has_backup = (flags & 2) != 0,
                                    .anew = (flags & 4) != 0,
                                    .held = (flags & 16) != 0,
                                    .copied = (uint8_t)copied,
                                    .marks = mark_set(mark_number)};

    for (uint32_t i = 0; i < UPD_EBOOT_COPIES; i++, verdicts /= 3) {
        state.verdict[i] = (uint8_t)(verdicts % 3);
    }
    /* Of the marks that are read, some were set since the reset. */
    state.sure = (flags & 8) != 0 ? state.marks : 0;
    return state;
}

static bool is_allowed(const struct upd_eboot_state *state, struct upd_eboot_step step)
{
    bool good[UPD_EBOOT_COPIES];
    bool given_up = (state->marks & UPD_MARKS_GIVEN_UP) != 0;
    bool half = state->copied == UPD_EBOOT_INSTALLING || state->copied == UPD_EBOOT_RESTORING;
    bool counted = upd_journal_starts(state->sure) != 0;

    for (uint32_t i = 0; i < UPD_EBOOT_COPIES; i++) {
        good[i] = state->verdict[i] == UPD_EBOOT_GOOD;
    }
    if (!state->noted || (state->marks & BIT(ARMED)) == 0 ||
        (!half && (state->marks & BIT(CLOSED)) != 0)) {
        /* Given up, and confirmed: the log is held to the latter until the library has proven it. */
        bool hold = given_up && state->copied == UPD_EBOOT_IS_INSTALLED && !state->held &&
                    (state->marks & BIT(PROVEN)) == 0;
        return step.what == (hold ? UPD_EBOOT_DO_HOLD : UPD_EBOOT_DO_START);
    }
    switch (step.what) {
    case UPD_EBOOT_DO_START:
        /* The new one is verified, and counted unless nothing can be taken back; or nothing was
         * copied, and nothing can be: the old one. */
        return (good[UPD_EBOOT_INSTALLED] && (counted || !state->has_backup ||
                                              state->verdict[UPD_EBOOT_BACKUP] == UPD_EBOOT_BAD)) ||
               (state->copied == UPD_EBOOT_NOTHING &&
                state->verdict[UPD_EBOOT_STAGED] == UPD_EBOOT_BAD &&
                (!state->has_backup || state->verdict[UPD_EBOOT_BACKUP] == UPD_EBOOT_BAD));
    case UPD_EBOOT_DO_VERIFY:
        return state->verdict[step.which] == UPD_EBOOT_UNKNOWN;
    case UPD_EBOOT_DO_INSTALL:
        return good[UPD_EBOOT_STAGED] && (state->sure & BIT(ARMED)) != 0 &&
               (state->copied == UPD_EBOOT_NOTHING || state->copied == UPD_EBOOT_INSTALLING
                    ? step.which == 0
                    : step.which == 1 && !state->anew &&
                          state->verdict[UPD_EBOOT_INSTALLED] == UPD_EBOOT_BAD) &&
               (!given_up || !state->has_backup);
    case UPD_EBOOT_DO_RESTORE:
        return good[UPD_EBOOT_BACKUP] && state->has_backup &&
               (state->sure & UPD_MARKS_GIVEN_UP) != 0 &&
               (state->copied != UPD_EBOOT_IS_RESTORED
                    ? step.which == 0
                    : step.which == 1 && !state->anew &&
                          state->verdict[UPD_EBOOT_RESTORED] == UPD_EBOOT_BAD);
    case UPD_EBOOT_DO_MARK:
        return step.which == UPD_MARK_CLOSED ? state->copied == UPD_EBOOT_IS_RESTORED &&
                                                   good[UPD_EBOOT_RESTORED] && state->held
               : (UPD_MARK_BIT(step.which) & UPD_MARKS_GIVEN_UP) != 0
                   ? given_up || half || state->copied == UPD_EBOOT_IS_RESTORED ||
                         good[UPD_EBOOT_BACKUP]
                   : step.which == UPD_MARK_ARMED ||
                         (good[UPD_EBOOT_INSTALLED] && step.which >= UPD_MARK_START_1 &&
                          step.which <= UPD_MARK_START_3 && !counted &&
                          (state->held || step.which != UPD_MARK_START_1));
    case UPD_EBOOT_DO_HOLD:
        return !state->held && (state->copied == UPD_EBOOT_IS_INSTALLED ? good[UPD_EBOOT_INSTALLED]
                                                                        : good[UPD_EBOOT_RESTORED]);
    default:
        return step.what == UPD_EBOOT_DO_HALT &&
               (!good[UPD_EBOOT_INSTALLED] || half || state->copied == UPD_EBOOT_IS_RESTORED);
    }
}

static void test_no_state_leads_to_a_wrong_step(void)
{
    uint32_t wrong = 0;

    for (uint32_t mark = 0; mark < MARK_SETS; mark++) {
        for (uint32_t verdicts = 0; verdicts < VERDICT_SETS; verdicts++) {
            for (uint32_t i = 0; i < COPIED * FLAG_SETS; i++) {
                struct upd_eboot_state state =
                    make_state(mark, verdicts, i / FLAG_SETS, i % FLAG_SETS);
                /* Without a backup nothing is ever restored, and without a note nothing copied. */
                bool exists = (state.has_backup || state.copied < UPD_EBOOT_RESTORING) &&
                              (state.noted || state.copied == UPD_EBOOT_NOTHING);
                wrong += exists && !is_allowed(&state, upd_eboot_boot(&state));
            }
        }
    }
    CHECK(wrong == 0);
}

/* What verifies after each copy; bit i: copy i verifies when it is looked at. */
static void do_step(struct upd_eboot_state *state, struct upd_eboot_step step, uint32_t truth)
{
    if (step.what == UPD_EBOOT_DO_VERIFY) {
        state->verdict[step.which] =
            (truth >> step.which & 1) != 0 ? UPD_EBOOT_GOOD : UPD_EBOOT_BAD;
    } else if (step.what == UPD_EBOOT_DO_MARK) {
        state->marks |= (uint16_t)UPD_MARK_BIT(step.which);
        state->sure |= (uint16_t)UPD_MARK_BIT(step.which);
    } else if (step.what == UPD_EBOOT_DO_HOLD) {
        state->held = true;
    } else {
        bool back = step.what == UPD_EBOOT_DO_RESTORE;
        bool goes_on = state->copied == (back ? UPD_EBOOT_RESTORING : UPD_EBOOT_INSTALLING);
        state->anew = step.which != 0 || !goes_on;
        state->held = true;
        state->copied = back ? UPD_EBOOT_IS_RESTORED : UPD_EBOOT_IS_INSTALLED;
        state->verdict[UPD_EBOOT_INSTALLED] = state->verdict[UPD_EBOOT_RESTORED] =
            UPD_EBOOT_UNKNOWN;
    }
}

static void test_every_boot_comes_to_an_end(void)
{
    uint32_t longest = 0;

    for (uint32_t mark = 0; mark < MARK_SETS; mark++) {
        for (uint32_t truth = 0; truth < 16; truth++) {
            for (uint32_t i = 0; i < COPIED * 4; i++) {
                struct upd_eboot_state state = make_state(mark, 0, i / 4, i % 4);
                struct upd_eboot_step step = upd_eboot_boot(&state);
                uint32_t steps = 0;
                for (; step.what != UPD_EBOOT_DO_START && step.what != UPD_EBOOT_DO_HALT &&
                       steps < 100;
                     steps++) {
                    do_step(&state, step, truth);
                    step = upd_eboot_boot(&state);
                }
                longest = steps > longest ? steps : longest;
                /* With all that is there verifying, something starts. */
                CHECK(truth != 15 || step.what == UPD_EBOOT_DO_START);
            }
        }
    }
    CHECK(longest < 20);
}

/* The brick of a mark that a cut tore: it reads as set while a sketch is only half there. */
static void test_no_mark_starts_half_a_sketch(void)
{
    for (uint32_t mark = 0; mark < MARK_SETS; mark++) {
        for (uint32_t i = 0; i < 2; i++) {
            struct upd_eboot_state state =
                make_state(mark, 0, i == 0 ? UPD_EBOOT_INSTALLING : UPD_EBOOT_RESTORING, 3);
            state.marks |= BIT(ARMED); /* which is set again before anything is copied */
            struct upd_eboot_step step = upd_eboot_boot(&state);
            while (step.what == UPD_EBOOT_DO_VERIFY || step.what == UPD_EBOOT_DO_MARK) {
                do_step(&state, step, 15);
                step = upd_eboot_boot(&state);
            }
            bool back = i == 1 || (state.marks & UPD_MARKS_GIVEN_UP) != 0;
            CHECK(step.what == (back ? UPD_EBOOT_DO_RESTORE : UPD_EBOOT_DO_INSTALL));
        }
    }
}

static void test_an_ordinary_boot_starts_at_once(void)
{
    struct upd_eboot_state state = {0};

    CHECK(upd_eboot_boot(&state).what == UPD_EBOOT_DO_START);
    state.noted = state.has_backup = true;
    state.copied = UPD_EBOOT_IS_INSTALLED;
    state.marks = BIT(ARMED) | BIT(START_1) | BIT(CLOSED);
    CHECK(upd_eboot_boot(&state).what == UPD_EBOOT_DO_START);
}

int main(void)
{
    CHECK_RUN(test_no_state_leads_to_a_wrong_step);
    CHECK_RUN(test_every_boot_comes_to_an_end);
    CHECK_RUN(test_no_mark_starts_half_a_sketch);
    CHECK_RUN(test_an_ordinary_boot_starts_at_once);
    check_end();
}
