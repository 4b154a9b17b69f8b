/*
 * Goal: the loader starts what is selected and verifies, counts the starts of an image on trial,
 * and goes back when they are used up; on an ordinary boot it writes nothing.
 * Method: the decisions one by one. That they hold together, whatever is cut: the search in
 * sim/test.
 */
#include <updraft/nonos_boot.h>

#include "check.h"
#include "nonos_device.h"

static bool asks(struct upd_nonos_step step, uint32_t what, uint32_t which)
{
    return step.what == what && step.which == which;
}

static void test_an_ordinary_boot_verifies_and_starts_and_writes_nothing(void)
{
    struct upd_nonos_state state = device();

    CHECK(asks(upd_nonos_boot(&state), UPD_NONOS_VERIFY, A));
    state.verdict[A] = UPD_VERDICT_GOOD;
    CHECK(asks(upd_nonos_boot(&state), UPD_NONOS_START, A));
    set_block(state.area.params.head[1], B);
    write_flag(&state.area, 1);
    CHECK(asks(upd_nonos_boot(&state), UPD_NONOS_VERIFY, B));
    state.verdict[B] = UPD_VERDICT_GOOD;
    CHECK(asks(upd_nonos_boot(&state), UPD_NONOS_START, B));
}

static void test_a_bad_image_gives_way_to_the_other_one(void)
{
    struct upd_nonos_state state = device();

    state.verdict[A] = UPD_VERDICT_BAD;
    CHECK(asks(upd_nonos_boot(&state), UPD_NONOS_VERIFY, B));
    state.verdict[B] = UPD_VERDICT_BAD;
    CHECK(asks(upd_nonos_boot(&state), UPD_NONOS_HALT, 0));
    state.verdict[B] = UPD_VERDICT_GOOD;
    /* The other copy does not select the other slot: it is written. */
    CHECK(asks(upd_nonos_boot(&state), UPD_NONOS_RETRY, B));
    /* When that changes nothing, what verifies starts all the same. */
    state.tries = 1; /* was spent on a flag sector in doubt: the choice is still to be written */
    CHECK(asks(upd_nonos_boot(&state), UPD_NONOS_RETRY, B));
    state.tries = 2;
    CHECK(asks(upd_nonos_boot(&state), UPD_NONOS_START, B));
    state.area.params.head[0][0] &= (uint8_t)~4u;
    CHECK(asks(upd_nonos_boot(&state), UPD_NONOS_START, B));
    /* A copy that does, and is sealed. */
    state = device();
    state.verdict[A] = UPD_VERDICT_BAD;
    state.verdict[B] = UPD_VERDICT_GOOD;
    set_block(state.area.params.head[1], B);
    CHECK(asks(upd_nonos_boot(&state), UPD_NONOS_RETRY, B));
    state.area.copy[1].sealed = true;
    CHECK(asks(upd_nonos_boot(&state), UPD_SELECT_FLAG, 1));
    write_flag(&state.area, 1);
    CHECK(asks(upd_nonos_boot(&state), UPD_NONOS_START, B));
}

static void test_a_frame_out_of_force_changes_nothing(void)
{
    static const struct {
        const char *name;
        bool framed;
        uint8_t slot;
        uint16_t marks;
    } rows[] = {
        {"no valid head", false, B, UPD_MARK_BIT(UPD_MARK_ARMED)},
        {"not armed", true, B, UPD_MARK_BIT(UPD_MARK_SWITCHED) | UPD_MARK_BIT(UPD_MARK_EXHAUSTED)},
        {"closed", true, B, UPD_MARK_BIT(UPD_MARK_ARMED) | UPD_MARK_BIT(UPD_MARK_CLOSED)},
        {"no such slot", true, 2, UPD_MARK_BIT(UPD_MARK_ARMED)},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct upd_nonos_state state = device();
        state.framed = rows[i].framed;
        state.slot = rows[i].slot;
        state.marks = rows[i].marks;
        CHECK_THAT(rows[i].name, !upd_nonos_in_force(&state));
        CHECK_THAT(rows[i].name, asks(upd_nonos_settle(&state), UPD_NONOS_DONE, 0));
        CHECK_THAT(rows[i].name, asks(upd_nonos_boot(&state), UPD_NONOS_VERIFY, A));
    }
}

static struct upd_nonos_state on_trial(uint32_t marks)
{
    struct upd_nonos_state state = device();

    set_block(state.area.params.head[1], B);
    write_flag(&state.area, 1);
    state.framed = true;
    state.slot = B;
    state.marks = (uint16_t)(marks | UPD_MARK_BIT(UPD_MARK_ARMED));
    return state;
}

static void test_an_image_on_trial_is_counted_before_it_starts(void)
{
    static const enum upd_journal_mark starts[] = {UPD_MARK_START_1, UPD_MARK_START_2,
                                                   UPD_MARK_START_3};
    uint32_t marks = 0;

    for (uint32_t i = 0; i < UPD_TRIAL_STARTS; i++) {
        struct upd_nonos_state state = on_trial(marks);
        CHECK(upd_nonos_on_trial(&state));
        CHECK(asks(upd_nonos_boot(&state), UPD_NONOS_VERIFY, B));
        state.verdict[B] = UPD_VERDICT_GOOD;
        CHECK(asks(upd_nonos_boot(&state), UPD_NONOS_MARK, starts[i]));
        marks |= UPD_MARK_BIT(starts[i]);
        state.marks |= (uint16_t)UPD_MARK_BIT(starts[i]);
        state.sure |= (uint16_t)UPD_MARK_BIT(starts[i]);
        CHECK(asks(upd_nonos_boot(&state), UPD_NONOS_START, B));
    }
}

static void test_an_exhausted_image_is_left_only_for_one_that_verifies(void)
{
    struct upd_nonos_state state = on_trial(UPD_MARK_BIT(UPD_MARK_START_3));

    CHECK(asks(upd_nonos_boot(&state), UPD_NONOS_VERIFY, A));
    state.verdict[A] = UPD_VERDICT_BAD;
    CHECK(asks(upd_nonos_boot(&state), UPD_NONOS_VERIFY, B));
    state.verdict[B] = UPD_VERDICT_GOOD;
    CHECK(asks(upd_nonos_boot(&state), UPD_NONOS_START, B));
    state.verdict[B] = UPD_VERDICT_BAD;
    CHECK(asks(upd_nonos_boot(&state), UPD_NONOS_HALT, 0));
    state.verdict[A] = UPD_VERDICT_GOOD;
    state.verdict[B] = UPD_VERDICT_UNKNOWN;
    CHECK(asks(upd_nonos_boot(&state), UPD_NONOS_MARK, UPD_MARK_EXHAUSTED));
}

static void test_a_damaged_image_on_trial_is_left_at_once(void)
{
    struct upd_nonos_state state = on_trial(0);

    state.verdict[B] = UPD_VERDICT_BAD;
    CHECK(asks(upd_nonos_boot(&state), UPD_NONOS_VERIFY, A));
    state.verdict[A] = UPD_VERDICT_GOOD;
    CHECK(asks(upd_nonos_boot(&state), UPD_NONOS_MARK, UPD_MARK_DAMAGED));
}

/* Do the step as the caller does, on the reduced device. */
static void do_step(struct upd_nonos_state *state, struct upd_nonos_step step)
{
    uint8_t current = upd_select_current(&state->area);

    switch (step.what) {
    case UPD_SELECT_SEAL:
        state->area.copy[current].sealed = true;
        state->progress.sealed = true;
        break;
    case UPD_SELECT_BREAK:
        state->area.copy[!current].sealed = false;
        state->progress.broken = true;
        break;
    case UPD_SELECT_COPY:
        set_block(state->area.params.head[!current], (enum upd_slot)step.which);
        state->area.copy[!current].sealed = true;
        break;
    case UPD_SELECT_FLAG:
        write_flag(&state->area, step.which);
        state->progress = (struct upd_select_progress){.sealed = false};
        break;
    default:
        CHECK(step.what == UPD_NONOS_MARK);
        state->marks |= (uint16_t)UPD_MARK_BIT(step.which);
        state->sure |= (uint16_t)UPD_MARK_BIT(step.which);
    }
}

static void test_a_given_up_image_is_left_for_good(void)
{
    struct upd_nonos_state state = on_trial(UPD_MARK_BIT(UPD_MARK_START_3));
    struct upd_nonos_step step = upd_nonos_give_up(&state, UPD_MARK_REFUSED);
    uint32_t steps = 0;

    CHECK(asks(step, UPD_NONOS_MARK, UPD_MARK_REFUSED));
    while (step.what != UPD_NONOS_DONE && steps++ < 20) {
        do_step(&state, step);
        step = upd_nonos_give_up(&state, UPD_MARK_REFUSED);
    }
    CHECK(upd_nonos_selected(&state) == A);
    CHECK((state.marks & UPD_MARK_BIT(UPD_MARK_CLOSED)) != 0);
    CHECK(!upd_nonos_in_force(&state));
    /* Only the copy of A is sealed: no reading of a torn flag sector brings B back. */
    CHECK(!state.area.copy[!upd_select_current(&state.area)].sealed);
    CHECK(asks(upd_nonos_boot(&state), UPD_NONOS_VERIFY, A));
}

static void test_activation_arms_the_trial_before_it_selects(void)
{
    struct upd_nonos_state state = device();
    struct upd_nonos_step step;
    bool armed = false;
    uint32_t steps = 0;

    state.framed = true;
    state.slot = B;
    while ((step = upd_nonos_activate(&state)).what != UPD_NONOS_DONE && steps++ < 20) {
        armed = armed || asks(step, UPD_NONOS_MARK, UPD_MARK_ARMED);
        CHECK(armed);
        do_step(&state, step);
    }
    CHECK(steps == 4); /* ARMED; seal, copy, flag */
    CHECK(upd_nonos_selected(&state) == B && upd_nonos_on_trial(&state));
}

int main(void)
{
    CHECK_RUN(test_an_ordinary_boot_verifies_and_starts_and_writes_nothing);
    CHECK_RUN(test_a_bad_image_gives_way_to_the_other_one);
    CHECK_RUN(test_a_frame_out_of_force_changes_nothing);
    CHECK_RUN(test_an_image_on_trial_is_counted_before_it_starts);
    CHECK_RUN(test_an_exhausted_image_is_left_only_for_one_that_verifies);
    CHECK_RUN(test_a_damaged_image_on_trial_is_left_at_once);
    CHECK_RUN(test_a_given_up_image_is_left_for_good);
    CHECK_RUN(test_activation_arms_the_trial_before_it_selects);
    check_end();
}
