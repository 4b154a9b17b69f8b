/*
 * Goal: the clock shows what the display of the smart clock shows, asks for updates when it should
 * and only then, and each way through an update ends. Method: step it through seconds and years of
 * time that the test invents, and read its display.
 */
#include "check.h"
#include "clock.h"
#include "text.h"

enum { STEP_MS = 10 };
enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE, DAY = 24 * HOUR };

/* A clock, its time, and what it asked for last. */
struct world {
    struct clock clock;
    struct clock_config config;
    struct clock_inputs inputs;
    uint32_t now_ms, step_ms;
    enum clock_action action; /* the last one that was not NOTHING */
    uint32_t actions;
};

static struct world new_world(enum clock_boot boot)
{
    struct world world = {
        .config = {.version = "1.0.0",
                   .id = "C10C33",
                   .check_every_s = 7 * 24 * 3600,
                   .retry_ms = 1000,
                   .tries = 100,
                   .trial_ms = 10 * MINUTE,
                   .boot = boot,
                   .starts = 2,
                   .fallen = "1.0.1",
                   .fall = "never confirmed"},
        .now_ms = 0xFFFFFF00, /* wraps at once */
        .step_ms = STEP_MS,
    };
    clock_init(&world.clock, &world.config);
    return world;
}

static void step(struct world *world)
{
    enum clock_action action = clock_step(&world->clock, world->now_ms, &world->inputs);

    if (action != CLOCK_DO_NOTHING) {
        world->action = action;
        world->actions++;
    }
    world->inputs.news = CLOCK_EVENT_NONE;
    world->inputs.unix_s = 0;
    world->now_ms += world->step_ms;
}

/* Let time pass; the time is over in the last step. */
static void wait(struct world *world, uint32_t ms)
{
    for (uint32_t passed = 0; passed < ms; passed += world->step_ms) {
        step(world);
    }
}

static void tell(struct world *world, enum clock_event news, const char *text)
{
    world->inputs.news = news;
    world->inputs.version = world->inputs.trouble = text;
    step(world);
}

static bool took(struct world *world, enum clock_action action)
{
    bool was = world->actions == 1 && world->action == action;
    world->actions = 0;
    return was;
}

static bool row_is(const struct world *world, uint32_t row, const char *text)
{
    struct display expected;

    display_clear(&expected);
    display_row(&expected, row, text);
    for (uint32_t i = 0; i < DISPLAY_COLUMNS; i++) {
        if (world->clock.display.cell[row][i] != expected.cell[row][i]) {
            return false;
        }
    }
    return true;
}

static bool shows(const struct world *world, const char *row2, const char *row3)
{
    return row_is(world, 0, "Version Firmware:") && row_is(world, 1, "1.0.0 - C10C33") &&
           row_is(world, 2, row2) && row_is(world, 3, row3);
}

/* A clock that shows the time, having checked. */
static struct world idle_world(uint32_t check_every_s)
{
    struct world world = new_world(CLOCK_BOOT_ORDINARY);

    world.clock.config.check_every_s = check_every_s;
    step(&world);
    tell(&world, CLOCK_EVENT_CURRENT, "");
    wait(&world, 1510);
    world.actions = 0;
    return world;
}

static void test_power_up_checks_and_the_current_version_is_the_latest(void)
{
    struct world world = new_world(CLOCK_BOOT_ORDINARY);

    step(&world);
    CHECK(took(&world, CLOCK_DO_CHECK));
    CHECK(shows(&world, "Checking for updates", "..."));
    wait(&world, 5 * SECOND);
    CHECK(world.actions == 0);
    tell(&world, CLOCK_EVENT_CURRENT, "");
    CHECK(shows(&world, "The current version ", "> > > > > > > > > > "));
    wait(&world, 800);
    CHECK(shows(&world, "      is the latest.", "> > > > > > > > > > "));
    wait(&world, 710);
    CHECK(row_is(&world, 0, "      --:--:--"));
    CHECK(row_is(&world, 2, "Version 1.0.0"));
    CHECK(row_is(&world, 3, "Check in 7d 0h"));
    CHECK(world.actions == 0);
}

static void test_an_update_is_shown_from_its_offer_to_its_restart(void)
{
    struct world world = new_world(CLOCK_BOOT_ORDINARY);

    step(&world);
    CHECK(took(&world, CLOCK_DO_CHECK));
    tell(&world, CLOCK_EVENT_OFFERED, "1.0.1");
    CHECK(shows(&world, "New: 1.0.1        0%", ""));
    for (uint32_t percent = 0; percent <= 100; percent++) {
        char row3[DISPLAY_COLUMNS + 1] = "";
        struct text text = text_on(row3, sizeof row3);
        for (uint32_t i = 0; i < percent / 10; i++) {
            text_add(&text, "> ");
        }
        world.inputs.percent = (uint8_t)percent;
        step(&world);
        CHECK(row_is(&world, 3, row3));
    }
    CHECK(shows(&world, "New: 1.0.1      100%", "> > > > > > > > > > "));
    tell(&world, CLOCK_EVENT_RECEIVED, "");
    CHECK(shows(&world, "Verify: 1.0.1", "> > > > > > > > > > "));
    tell(&world, CLOCK_EVENT_READY, "");
    CHECK(shows(&world, "Installed: 1.0.1", "> Restarting..."));
    wait(&world, 1490);
    CHECK(world.actions == 0);
    wait(&world, 20);
    CHECK(took(&world, CLOCK_DO_RESTART));
    wait(&world, MINUTE);
    CHECK(world.actions == 0);
}

static void test_failures_are_waited_for_a_hundred_times(void)
{
    struct world world = new_world(CLOCK_BOOT_ORDINARY);

    step(&world);
    for (uint32_t failures = 1; failures <= 100; failures++) {
        char row3[DISPLAY_COLUMNS + 1];
        struct text text = text_on(row3, sizeof row3);
        text_add(&text, "> Please waiting ");
        text_number(&text, 100 - failures, 2, '0');

        CHECK(took(&world, CLOCK_DO_CHECK));
        tell(&world, CLOCK_EVENT_FAILED, "No connection");
        CHECK(shows(&world, "No connection", row3));
        wait(&world, 990);
        CHECK(world.actions == 0);
        wait(&world, 20);
        CHECK(shows(&world, "Checking for updates", row3));
    }
    CHECK(took(&world, CLOCK_DO_CHECK));
    tell(&world, CLOCK_EVENT_FAILED, "Server says 503");
    step(&world);
    CHECK(shows(&world, "Server says 503", "> Skip updated...   "));
    wait(&world, 2010);
    CHECK(row_is(&world, 2, "Version 1.0.0"));
    CHECK(world.actions == 0);
}

static void test_a_failure_in_the_middle_is_tried_again(void)
{
    static const enum clock_event ways[][3] = {
        {CLOCK_EVENT_FAILED, CLOCK_EVENT_NONE, CLOCK_EVENT_NONE},
        {CLOCK_EVENT_OFFERED, CLOCK_EVENT_FAILED, CLOCK_EVENT_NONE},
        {CLOCK_EVENT_OFFERED, CLOCK_EVENT_RECEIVED, CLOCK_EVENT_FAILED},
    };
    for (uint32_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        struct world world = new_world(CLOCK_BOOT_ORDINARY);
        step(&world);
        for (uint32_t k = 0; k < 3; k++) {
            tell(&world, ways[i][k], "1.0.1");
        }
        world.actions = 0;
        wait(&world, 1010);
        CHECK(took(&world, CLOCK_DO_CHECK));
    }
}

static void test_what_is_refused_is_not_tried_again(void)
{
    static const enum clock_event ways[][3] = {
        {CLOCK_EVENT_REFUSED, CLOCK_EVENT_NONE, CLOCK_EVENT_NONE},
        {CLOCK_EVENT_OFFERED, CLOCK_EVENT_REFUSED, CLOCK_EVENT_NONE},
        {CLOCK_EVENT_OFFERED, CLOCK_EVENT_RECEIVED, CLOCK_EVENT_REFUSED},
    };
    for (uint32_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        struct world world = new_world(CLOCK_BOOT_ORDINARY);
        step(&world);
        for (uint32_t k = 0; k < 3; k++) {
            tell(&world, ways[i][k], "Image is damaged");
        }
        CHECK(shows(&world, "Image is damaged", "> Skip updated...   "));
        world.actions = 0;
        wait(&world, 10 * MINUTE);
        CHECK(world.actions == 0 && row_is(&world, 2, "Version 1.0.0"));
    }
}

static void test_seven_seconds_of_the_button_update_now(void)
{
    struct world world = idle_world(0);

    world.inputs.mode_pressed = true;
    wait(&world, 500);
    CHECK(row_is(&world, 1, "Mode Selection      "));
    CHECK(row_is(&world, 2, "0 s; 7 s: Update OTA"));
    wait(&world, 6000);
    CHECK(row_is(&world, 2, "6 s; 7 s: Update OTA"));
    wait(&world, 490);
    CHECK(row_is(&world, 1, "Mode Selection      ") && world.actions == 0);
    wait(&world, 20);
    CHECK(row_is(&world, 1, "Mode: >> Update OTA ") && world.actions == 0);
    wait(&world, 1000);
    CHECK(took(&world, CLOCK_DO_CHECK));
    CHECK(world.clock.by_hand);
    CHECK(shows(&world, "Checking for updates", "..."));

    /* Held on, it does not ask again; released and pressed once more, it does. */
    tell(&world, CLOCK_EVENT_CURRENT, "");
    wait(&world, MINUTE);
    CHECK(world.actions == 0 && row_is(&world, 2, "Version 1.0.0") && !world.clock.by_hand);
    world.inputs.mode_pressed = false;
    wait(&world, 100);
    world.inputs.mode_pressed = true;
    wait(&world, 8100);
    CHECK(took(&world, CLOCK_DO_CHECK));
}

static void test_a_button_released_early_changes_nothing(void)
{
    struct world world = idle_world(0);

    for (uint32_t ms = 0; ms < 6950; ms += 190) {
        world.inputs.mode_pressed = true;
        wait(&world, ms);
        world.inputs.mode_pressed = false;
        wait(&world, 100);
        CHECK(row_is(&world, 2, "Version 1.0.0"));
        CHECK(world.actions == 0);
    }
}

static void test_a_button_released_early_does_not_put_the_next_check_off(void)
{
    struct world world = idle_world(600);

    wait(&world, 300 * 1000);
    world.inputs.mode_pressed = true;
    wait(&world, 1000);
    world.inputs.mode_pressed = false;
    wait(&world, 290 * 1000);
    CHECK(world.actions == 0);
    wait(&world, 10 * 1000);
    CHECK(took(&world, CLOCK_DO_CHECK));
}

static void test_a_bouncing_button_is_one_press(void)
{
    struct world world = idle_world(0);

    for (uint32_t i = 0; i < 6; i++) {
        world.inputs.mode_pressed = i % 2 == 0;
        wait(&world, 20);
        CHECK(row_is(&world, 2, "Version 1.0.0"));
    }
    world.inputs.mode_pressed = true;
    wait(&world, 4000);
    world.inputs.mode_pressed = false;
    wait(&world, 20);
    world.inputs.mode_pressed = true;
    wait(&world, 2960);
    CHECK(row_is(&world, 1, "Mode Selection      "));
    wait(&world, 50);
    CHECK(row_is(&world, 1, "Mode: >> Update OTA "));
}

static void test_a_button_in_an_update_does_not_disturb_it(void)
{
    struct world world = new_world(CLOCK_BOOT_ORDINARY);

    step(&world);
    world.inputs.mode_pressed = true;
    wait(&world, 20 * SECOND);
    CHECK(took(&world, CLOCK_DO_CHECK));
    CHECK(shows(&world, "Checking for updates", "..."));
    tell(&world, CLOCK_EVENT_OFFERED, "1.0.1");
    wait(&world, 20 * SECOND);
    CHECK(world.actions == 0 && row_is(&world, 2, "New: 1.0.1        0%"));
}

/* Method: a step every ten minutes, through two intervals each. */
static void test_it_checks_at_intervals_up_to_a_year(void)
{
    static const uint32_t days[] = {7, 14, 30, 180, 365};

    for (uint32_t i = 0; i < sizeof days / sizeof days[0]; i++) {
        struct world world = idle_world(days[i] * 86400);
        world.step_ms = 10 * MINUTE;
        for (uint32_t round = 0; round < 2; round++) {
            uint32_t steps = 0;
            while (world.actions == 0 && steps < 1000000) {
                step(&world);
                steps++;
            }
            CHECK(took(&world, CLOCK_DO_CHECK));
            CHECK(!world.clock.by_hand);
            CHECK(steps == days[i] * 24 * 6 || steps == days[i] * 24 * 6 + 1);
            tell(&world, CLOCK_EVENT_CURRENT, "");
            step(&world); /* shows the time again, and counts from here */
            world.actions = 0;
        }
    }
}

static void test_it_checks_every_few_seconds_or_never(void)
{
    struct world world = idle_world(10);

    CHECK(row_is(&world, 3, "Check in 10s"));
    wait(&world, 8900); /* it counts whole seconds */
    CHECK(world.actions == 0);
    wait(&world, 1200);
    CHECK(took(&world, CLOCK_DO_CHECK));

    world = idle_world(0);
    CHECK(row_is(&world, 3, ""));
    world.step_ms = HOUR;
    for (uint32_t i = 0; i < 3 * 365 * 24; i++) {
        step(&world);
    }
    CHECK(world.actions == 0);
}

static void test_the_next_check_is_shown_in_its_two_largest_units(void)
{
    static const struct {
        uint32_t every_s;
        const char *row;
    } rows[] = {{31536000, "Check in 365d 0h"}, {90000, "Check in 1d 1h"},
                {86399, "Check in 23h 59min"},  {3600, "Check in 1h 0min"},
                {3599, "Check in 3599s"},       {1, "Check in 1s"}};
    for (uint32_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct world world = idle_world(rows[i].every_s);
        CHECK_THAT(rows[i].row, row_is(&world, 3, rows[i].row));
    }
}

static void test_the_time_comes_from_the_server_and_goes_on(void)
{
    struct world world = idle_world(0);

    CHECK(clock_unix_s(&world.clock) == 0);
    world.inputs.unix_s = 1795229855;
    step(&world);
    CHECK(row_is(&world, 0, "      02:57:35"));
    CHECK(row_is(&world, 1, "  Sat 21 Nov 2026"));
    world.step_ms = MINUTE;
    wait(&world, 2 * HOUR);
    CHECK(row_is(&world, 0, "      04:57:35") || row_is(&world, 0, "      04:56:35"));
    /* 49 days and more: the milliseconds have wrapped. */
    for (uint32_t day = 0; day < 60; day++) {
        wait(&world, DAY);
    }
    CHECK(row_is(&world, 1, "  Wed 20 Jan 2027"));
}

static void test_an_image_on_trial_confirms_itself_when_its_server_answers(void)
{
    static const enum clock_event answers[] = {CLOCK_EVENT_CURRENT, CLOCK_EVENT_OFFERED};

    for (uint32_t i = 0; i < 2; i++) {
        struct world world = new_world(CLOCK_BOOT_TRIAL);
        step(&world);
        CHECK(took(&world, CLOCK_DO_PROBE));
        CHECK(shows(&world, "Testing, start 2/3", "..."));
        tell(&world, CLOCK_EVENT_FAILED, "No connection");
        CHECK(shows(&world, "Testing, start 2/3", "No connection") && world.actions == 0);
        wait(&world, 1010);
        CHECK(took(&world, CLOCK_DO_PROBE));
        tell(&world, answers[i], "1.0.2");
        CHECK(took(&world, CLOCK_DO_CONFIRM));
        CHECK(shows(&world, "Update confirmed.", "> > > > > > > > > > "));
        wait(&world, 1510);
        CHECK(took(&world, CLOCK_DO_CHECK));
        CHECK(shows(&world, "Checking for updates", "..."));
    }
}

static void test_an_image_on_trial_that_hears_nothing_restarts(void)
{
    static const enum clock_event answers[] = {CLOCK_EVENT_NONE, CLOCK_EVENT_FAILED,
                                               CLOCK_EVENT_REFUSED};
    for (uint32_t i = 0; i < 3; i++) {
        struct world world = new_world(CLOCK_BOOT_TRIAL);
        world.step_ms = 100;
        for (uint32_t ms = 0; ms < 10 * MINUTE; ms += world.step_ms) {
            step(&world);
            CHECK(world.action == CLOCK_DO_PROBE);
            world.inputs.news = answers[i];
            world.inputs.trouble = "No connection";
        }
        world.inputs.news = CLOCK_EVENT_NONE;
        world.step_ms = STEP_MS;
        wait(&world, 20);
        CHECK(shows(&world, "Not confirmed.", "> Restarting..."));
        world.actions = 0;
        wait(&world, 1510);
        CHECK(took(&world, CLOCK_DO_RESTART));
    }
}

static void test_an_image_that_fails_its_self_test_is_rolled_back(void)
{
    struct world world = new_world(CLOCK_BOOT_BROKEN);

    step(&world);
    CHECK(took(&world, CLOCK_DO_ROLL_BACK));
    CHECK(shows(&world, "Self test failed.", "> Restarting..."));
    wait(&world, 1510);
    CHECK(took(&world, CLOCK_DO_RESTART));
}

static void test_a_fall_back_is_shown_with_its_reason(void)
{
    struct world world = new_world(CLOCK_BOOT_FALLEN);

    step(&world);
    CHECK(shows(&world, "1.0.1 given up:", "never confirmed") && world.actions == 0);
    wait(&world, 4010);
    CHECK(took(&world, CLOCK_DO_CHECK));
}

/* --- With a cloud, which tells instead of being asked ------------------------------------------ */

static struct world online_world(void)
{
    struct world world = new_world(CLOCK_BOOT_ORDINARY);

    world.clock.config.check_every_s = 0;
    world.inputs.note = "Online";
    step(&world);
    CHECK(took(&world, CLOCK_DO_CHECK));
    tell(&world, CLOCK_EVENT_LINKED, "");
    CHECK(shows(&world, "Online.", "> > > > > > > > > > "));
    wait(&world, 1510);
    CHECK(row_is(&world, 2, "Version 1.0.0") && row_is(&world, 3, "Online") && world.actions == 0);
    return world;
}

static void test_an_activation_is_shown_and_then_the_link(void)
{
    struct world world = new_world(CLOCK_BOOT_ORDINARY);

    step(&world);
    CHECK(took(&world, CLOCK_DO_CHECK));
    tell(&world, CLOCK_EVENT_ACTIVATED, "");
    CHECK(shows(&world, "Activated.", "> > > > > > > > > > "));
    wait(&world, 1510);
    CHECK(took(&world, CLOCK_DO_CHECK));
    tell(&world, CLOCK_EVENT_LINKED, "");
    CHECK(shows(&world, "Online.", "> > > > > > > > > > "));
}

static void test_an_update_that_is_told_waits_for_the_word_to_restart(void)
{
    struct world world = online_world();

    tell(&world, CLOCK_EVENT_OFFERED, "v1.0.1t45772(a)");
    CHECK(shows(&world, "New: v1.0.1       0%", ""));
    tell(&world, CLOCK_EVENT_RECEIVED, "");
    CHECK(shows(&world, "Verify: v1.0.1", "> > > > > > > > > > "));
    tell(&world, CLOCK_EVENT_LOADED, "");
    wait(&world, 10 * MINUTE);
    CHECK(shows(&world, "Have: v1.0.1", "> Restart: waiting") && world.actions == 0);
    tell(&world, CLOCK_EVENT_READY, "");
    CHECK(shows(&world, "Installed: v1.0.1", "> Restarting..."));
    wait(&world, 1510);
    CHECK(took(&world, CLOCK_DO_RESTART));
}

static void test_what_a_cloud_tells_at_a_bad_time_is_not_missed(void)
{
    struct world world = online_world();

    world.inputs.mode_pressed = true;
    wait(&world, SECOND);
    CHECK(row_is(&world, 1, "Mode Selection"));
    tell(&world, CLOCK_EVENT_OFFERED, "1.0.1");
    CHECK(shows(&world, "New: 1.0.1        0%", ""));
    tell(&world, CLOCK_EVENT_REFUSED, "KNOWN_BAD");
    CHECK(shows(&world, "KNOWN_BAD", "> Skip updated...   "));
    tell(&world, CLOCK_EVENT_OFFERED, "1.0.2");
    CHECK(shows(&world, "New: 1.0.2        0%", ""));
}

static void test_an_image_on_trial_is_proven_by_its_link(void)
{
    struct world world = new_world(CLOCK_BOOT_TRIAL);

    step(&world);
    CHECK(took(&world, CLOCK_DO_PROBE));
    tell(&world, CLOCK_EVENT_FAILED, "UNREACHABLE");
    wait(&world, 1010);
    CHECK(took(&world, CLOCK_DO_PROBE));
    tell(&world, CLOCK_EVENT_LINKED, "");
    CHECK(took(&world, CLOCK_DO_CONFIRM));
    CHECK(shows(&world, "Update confirmed.", "> > > > > > > > > > "));

    world = new_world(CLOCK_BOOT_TRIAL);
    step(&world);
    world.actions = 0;
    tell(&world, CLOCK_EVENT_TRIAL_OVER, "");
    CHECK(shows(&world, "Not confirmed.", "> Restarting..."));
    wait(&world, 1510);
    CHECK(took(&world, CLOCK_DO_RESTART));
}

/* Method: every event, in the state that each way leads to; nothing but the ways above asks for
 * anything, and texts of any length stay in their rows. */
static void test_events_out_of_place_change_nothing(void)
{
    static const char long_text[] = "a text that is much longer than twenty characters";

    for (uint32_t event = CLOCK_EVENT_CURRENT; event <= CLOCK_EVENT_LOADED; event++) {
        struct world world = idle_world(0);
        if (event == CLOCK_EVENT_OFFERED || event == CLOCK_EVENT_REFUSED) {
            continue; /* a cloud may say so at any time */
        }
        tell(&world, (enum clock_event)event, long_text);
        CHECK(world.actions == 0 && row_is(&world, 2, "Version 1.0.0"));
    }
    struct world world = new_world(CLOCK_BOOT_ORDINARY);
    step(&world);
    tell(&world, CLOCK_EVENT_OFFERED, long_text);
    CHECK(row_is(&world, 2, "New: a text that  0%"));
    CHECK(text_length(world.clock.version) == CLOCK_VERSION_SIZE - 1);
    tell(&world, CLOCK_EVENT_REFUSED, long_text);
    CHECK(row_is(&world, 2, "a text that is much "));
}

int main(void)
{
    CHECK_RUN(test_power_up_checks_and_the_current_version_is_the_latest);
    CHECK_RUN(test_an_update_is_shown_from_its_offer_to_its_restart);
    CHECK_RUN(test_an_activation_is_shown_and_then_the_link);
    CHECK_RUN(test_an_update_that_is_told_waits_for_the_word_to_restart);
    CHECK_RUN(test_what_a_cloud_tells_at_a_bad_time_is_not_missed);
    CHECK_RUN(test_an_image_on_trial_is_proven_by_its_link);
    CHECK_RUN(test_failures_are_waited_for_a_hundred_times);
    CHECK_RUN(test_a_failure_in_the_middle_is_tried_again);
    CHECK_RUN(test_what_is_refused_is_not_tried_again);
    CHECK_RUN(test_seven_seconds_of_the_button_update_now);
    CHECK_RUN(test_a_button_released_early_changes_nothing);
    CHECK_RUN(test_a_button_released_early_does_not_put_the_next_check_off);
    CHECK_RUN(test_a_bouncing_button_is_one_press);
    CHECK_RUN(test_a_button_in_an_update_does_not_disturb_it);
    CHECK_RUN(test_it_checks_at_intervals_up_to_a_year);
    CHECK_RUN(test_it_checks_every_few_seconds_or_never);
    CHECK_RUN(test_the_next_check_is_shown_in_its_two_largest_units);
    CHECK_RUN(test_the_time_comes_from_the_server_and_goes_on);
    CHECK_RUN(test_an_image_on_trial_confirms_itself_when_its_server_answers);
    CHECK_RUN(test_an_image_on_trial_that_hears_nothing_restarts);
    CHECK_RUN(test_an_image_that_fails_its_self_test_is_rolled_back);
    CHECK_RUN(test_a_fall_back_is_shown_with_its_reason);
    CHECK_RUN(test_events_out_of_place_change_nothing);
    check_end();
}
