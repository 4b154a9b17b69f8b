/*
 * Goal: whatever the journal says and whatever verifies, updraft's Arduino loader copies only what
 * verified, says that a copy is whole only after it was made and verified since the reset, starts
 * no sketch on trial that does not verify, and comes to an end. Method: every state that marks,
 * verdicts and what was done since the reset can make.
 */
#include <updraft/eboot_boot.h>

#include "check.h"

#define BIT(name) UPD_MARK_BIT(UPD_MARK_##name)

static const uint16_t marks[] = {
    BIT(ARMED),     BIT(SWITCHED), BIT(START_1), BIT(START_2),  BIT(START_3),
    BIT(EXHAUSTED), BIT(DAMAGED),  BIT(REFUSED), BIT(RESTORED), BIT(CLOSED),
};
enum { MARKS = sizeof marks / sizeof marks[0], MARK_SETS = 1 << MARKS, VERDICT_SETS = 81 };

static uint16_t mark_set(uint32_t number)
{
    uint16_t set = 0;

    for (uint32_t i = 0; i < MARKS; i++) {
        set |= (number >> i & 1) != 0 ? marks[i] : (uint16_t)0;
    }
    return set;
}

static struct upd_eboot_state make_state(uint32_t mark_number, uint32_t verdicts, uint32_t flags)
{
    struct upd_eboot_state state = {.noted = (flags & 1) != 0,
                                    .has_backup = (flags & 2) != 0,
                                    .installed = (uint8_t)((flags >> 2 & 3) % 3),
                                    .restored = (uint8_t)((flags >> 4 & 3) % 3),
                                    .marks = mark_set(mark_number)};

    for (uint32_t i = 0; i < UPD_EBOOT_COPIES; i++, verdicts /= 3) {
        state.verdict[i] = (uint8_t)(verdicts % 3);
    }
    /* Of the marks that are read, some were set since the reset. */
    state.sure = (flags & 64) != 0 ? state.marks : 0;
    return state;
}

static bool is_allowed(const struct upd_eboot_state *state, struct upd_eboot_step step)
{
    bool good[UPD_EBOOT_COPIES];
    bool given_up = (state->marks & UPD_MARKS_GIVEN_UP) != 0;

    for (uint32_t i = 0; i < UPD_EBOOT_COPIES; i++) {
        good[i] = state->verdict[i] == UPD_EBOOT_GOOD;
    }
    if (!upd_eboot_in_force(state)) {
        return step.what == UPD_EBOOT_DO_START;
    }
    switch (step.what) {
    case UPD_EBOOT_DO_START:
        /* The old sketch is back, nothing can be taken back, or the new one is verified. */
        return (given_up && (state->marks & BIT(RESTORED)) != 0) || !state->has_backup ||
               good[UPD_EBOOT_INSTALLED] ||
               (!given_up && (state->marks & BIT(SWITCHED)) == 0 &&
                state->verdict[UPD_EBOOT_STAGED] == UPD_EBOOT_BAD &&
                state->verdict[UPD_EBOOT_BACKUP] == UPD_EBOOT_BAD);
    case UPD_EBOOT_DO_VERIFY:
        return state->verdict[step.which] == UPD_EBOOT_UNKNOWN;
    case UPD_EBOOT_DO_INSTALL:
        return good[UPD_EBOOT_STAGED] && step.which == state->installed + 1 && !given_up &&
               (state->installed == 0 || state->verdict[UPD_EBOOT_INSTALLED] == UPD_EBOOT_BAD) &&
               (state->sure & BIT(ARMED)) != 0 && (state->marks & BIT(SWITCHED)) == 0;
    case UPD_EBOOT_DO_RESTORE:
        return good[UPD_EBOOT_BACKUP] && step.which == state->restored + 1 &&
               (state->restored == 0 || state->verdict[UPD_EBOOT_RESTORED] == UPD_EBOOT_BAD) &&
               (state->sure & UPD_MARKS_GIVEN_UP) != 0;
    case UPD_EBOOT_DO_MARK:
        return step.which == UPD_MARK_SWITCHED   ? state->installed && good[UPD_EBOOT_INSTALLED]
               : step.which == UPD_MARK_RESTORED ? state->restored && good[UPD_EBOOT_RESTORED]
               : (UPD_MARK_BIT(step.which) & UPD_MARKS_GIVEN_UP) != 0
                   ? given_up || good[UPD_EBOOT_BACKUP]
                   : step.which == UPD_MARK_ARMED ||
                         (good[UPD_EBOOT_INSTALLED] && step.which >= UPD_MARK_START_1 &&
                          step.which <= UPD_MARK_START_3);
    default:
        /* What was put back does not hold: no other verdict counts any more. */
        return step.what == UPD_EBOOT_DO_HALT &&
               (!good[UPD_EBOOT_INSTALLED] || (state->restored && !good[UPD_EBOOT_RESTORED]));
    }
}

static void test_no_state_leads_to_a_wrong_step(void)
{
    uint32_t wrong = 0;

    for (uint32_t mark = 0; mark < MARK_SETS; mark++) {
        for (uint32_t verdicts = 0; verdicts < VERDICT_SETS; verdicts++) {
            for (uint32_t flags = 0; flags < 128; flags++) {
                struct upd_eboot_state state = make_state(mark, verdicts, flags);
                wrong += !is_allowed(&state, upd_eboot_boot(&state));
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
    } else {
        *(step.what == UPD_EBOOT_DO_INSTALL ? &state->installed : &state->restored) = step.which;
        state->verdict[UPD_EBOOT_INSTALLED] = state->verdict[UPD_EBOOT_RESTORED] =
            UPD_EBOOT_UNKNOWN;
    }
}

static void test_every_boot_comes_to_an_end(void)
{
    uint32_t longest = 0;

    for (uint32_t mark = 0; mark < MARK_SETS; mark++) {
        for (uint32_t truth = 0; truth < 16; truth++) {
            for (uint32_t flags = 0; flags < 4; flags++) {
                struct upd_eboot_state state = make_state(mark, 0, flags);
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

static void test_an_ordinary_boot_starts_at_once(void)
{
    struct upd_eboot_state state = {0};

    CHECK(upd_eboot_boot(&state).what == UPD_EBOOT_DO_START);
    state.noted = state.has_backup = true;
    state.marks = BIT(ARMED) | BIT(SWITCHED) | BIT(START_1) | BIT(CLOSED);
    CHECK(upd_eboot_boot(&state).what == UPD_EBOOT_DO_START);
}

int main(void)
{
    CHECK_RUN(test_no_state_leads_to_a_wrong_step);
    CHECK_RUN(test_every_boot_comes_to_an_end);
    CHECK_RUN(test_an_ordinary_boot_starts_at_once);
    check_end();
}
