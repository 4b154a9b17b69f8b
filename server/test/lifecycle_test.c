/*
 * Goal: the life cycle of an update is the one of the design, and nothing else.
 * Method: a matrix, drawn independently of the code's table, has the answer for every state and
 * every event; words go there and back.
 */
#include "cm.h"

#include <string.h>

#include "fleet/lifecycle.h"

enum { STATES = UPDATE_ROLLED_BACK + 1, EVENTS = UPDATE_ON_CANCEL + 1 };

/* One letter per state: Offered Accepted declineD dowNloading downLoaded reBooting Running
 * Confirmed Failed canceLled=X rolled bacK; a dot: not allowed. Columns: accept decline begin
 * fetched reboot runs-new runs-old healthy fail cancel. */
static const char letters[STATES + 1] = "OADNLBRCFXK";
static const char *const expected[STATES] = {
    "ADNL.R..FX", /* offered */
    ".DNL.R..FX", /* accepted */
    "..........", /* declined */
    "..NL.R..FX", /* downloading */
    "..N.BRF.FX", /* downloaded */
    "..N..RK.FX", /* rebooting */
    "......KCFX", /* running */
    "..........", /* confirmed */
    "..........", /* failed */
    "..........", /* cancelled */
    "..........", /* rolled back */
};

static void test_each_event_in_each_state(void **unused)
{
    (void)unused;
    for (int state = 0; state < STATES; state++) {
        assert_int_equal(strlen(expected[state]), EVENTS);
        for (int event = 0; event < EVENTS; event++) {
            enum update_state moved = (enum update_state)state;
            bool done = update_step(&moved, (enum update_event)event);
            char want = expected[state][event], got = done ? letters[moved] : '.';
            if (got != want) {
                fail_msg("%s on %s: %c, and not %c", update_state_word((enum update_state)state),
                         update_event_word((enum update_event)event), got, want);
            }
            if (!done) {
                assert_int_equal(moved, state);
            }
        }
    }
}

static void test_what_is_over_stays(void **unused)
{
    (void)unused;
    for (int state = 0; state < STATES; state++) {
        bool dead = strspn(expected[state], ".") == EVENTS;
        assert_int_equal(update_state_over((enum update_state)state), dead);
    }
}

static void test_each_state_is_reached_and_left(void **unused)
{
    (void)unused;
    bool reached[STATES] = {[UPDATE_OFFERED] = true};
    for (int round = 0; round < STATES; round++) {
        for (int state = 0; state < STATES; state++) {
            for (int event = 0; event < EVENTS && reached[state]; event++) {
                enum update_state moved = (enum update_state)state;
                reached[update_step(&moved, (enum update_event)event) ? (int)moved : state] = true;
            }
        }
    }
    for (int state = 0; state < STATES; state++) {
        assert_true(reached[state]);
    }
}

static void test_words_go_there_and_back(void **unused)
{
    (void)unused;
    for (int state = 0; state < STATES; state++) {
        enum update_state found = UPDATE_OFFERED;
        assert_true(update_state_find(update_state_word((enum update_state)state), &found));
        assert_int_equal(found, state);
    }
    enum update_state unchanged = UPDATE_RUNNING;
    assert_false(update_state_find("Running", &unchanged));
    assert_false(update_state_find("", &unchanged));
    assert_int_equal(unchanged, UPDATE_RUNNING);
    assert_string_equal(update_state_word((enum update_state)99), "unknown");
    assert_false(update_state_over((enum update_state)99));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_event_in_each_state),
        cmocka_unit_test(test_what_is_over_stays),
        cmocka_unit_test(test_each_state_is_reached_and_left),
        cmocka_unit_test(test_words_go_there_and_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
