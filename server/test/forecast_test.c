/*
 * Goal: what is foretold of a release follows from the habits of the devices that wait for it, and
 * from nothing that is not known of them.
 * Method: made-up fleets whose arrivals are known by construction: steady pollers, sleepers of weeks,
 * silent devices, fleets of which nothing has started, servers that are the bottle-neck, and each
 * fleet also as a sample of a larger one, which has to come to the same times.
 */
#include "cm.h"

#include <string.h>

#include "fleet/forecast.h"

enum { MANY = 1000, SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE, DAY = 24 * HOUR };
static const int64_t week = 7LL * DAY, now = 1800000000000;
static struct forecast_device devices[2 * MANY];

/** Devices with a habit, heard of at even distances over it: the first one just now. */
static void poll_steadily(size_t first, size_t count, int64_t every)
{
    for (size_t i = 0; i < count; i++) {
        devices[first + i] =
            (struct forecast_device){.fate = FORECAST_GETS,
                                     .last_seen = now - every * (int64_t)i / (int64_t)count,
                                     .every = every,
                                     .weight = 1};
    }
}

static struct forecast foretell(size_t count, const struct forecast_input *more)
{
    struct forecast_input input = *more;
    struct forecast found;
    input.now = now;
    input.age = input.age != 0 ? input.age : HOUR;
    input.devices = devices;
    input.count = count;
    memset(&found, 0xA5, sizeof found);
    forecast(&input, &found);
    return found;
}

static void near(int64_t found, int64_t expected, int64_t off)
{
    assert_in_range(found - now, expected - off, expected + off);
}

static void test_steady_pollers_come_within_their_habit(void **state)
{
    (void)state;
    poll_steadily(0, MANY, HOUR);
    struct forecast found = foretell(MANY, &(struct forecast_input){.lasts = 0});
    assert_int_equal(found.expected, MANY);
    assert_int_equal(found.done + found.silent + found.unknown + found.people + found.refused, 0);
    assert_int_equal(found.per_hour, 0);
    near(found.half, HOUR / 2, HOUR / MANY);
    near(found.most, HOUR * 9 / 10, HOUR / MANY);
    assert_int_equal(found.all, now + HOUR);

    /* What an update takes comes on top. */
    poll_steadily(0, MANY, HOUR);
    struct forecast later = foretell(MANY, &(struct forecast_input){.lasts = 5 * MINUTE});
    assert_int_equal(later.half, found.half + 5 * MINUTE);
    assert_int_equal(later.all, found.all + 5 * MINUTE);

    /* Half of the fleet runs it already. */
    poll_steadily(0, MANY, HOUR);
    found = foretell(MANY, &(struct forecast_input){.done = MANY});
    assert_int_equal(found.done, MANY);
    assert_int_equal(found.half, 0);
    near(found.most, HOUR * 8 / 10, HOUR / MANY);
    assert_int_equal(found.all, now + HOUR);
}

static void test_sleepers_of_weeks_decide_the_end_alone(void **state)
{
    (void)state;
    poll_steadily(0, MANY, MINUTE);
    poll_steadily(MANY, MANY / 20, week);
    struct forecast found = foretell(MANY + MANY / 20, &(struct forecast_input){.done = 0});
    assert_int_equal(found.expected, MANY + MANY / 20);
    near(found.half, MINUTE * 525 / MANY, SECOND);
    assert_in_range(found.most, now, now + MINUTE);
    assert_int_equal(found.all, now + week);
}

static void test_who_is_late_comes_at_the_next_of_his_times(void **state)
{
    (void)state;
    static const struct {
        int64_t seen_before, every, not_before, comes; /* comes: from now on; -1: not foreseen */
    } rows[] = {
        {0, HOUR, 0, HOUR},
        {HOUR, HOUR, 0, 0},
        {HOUR + 1, HOUR, 0, HOUR - 1},
        {2 * HOUR, HOUR, 0, 0},
        {2 * HOUR + 1, HOUR, 0, -1},
        {3 * MINUTE, SECOND, 0, 0},
        {10 * MINUTE, SECOND, 0, 0},
        {10 * MINUTE + 1, SECOND, 0, -1},
        {HOUR / 2, HOUR, 10 * HOUR, 10 * HOUR + HOUR / 2},
        {HOUR, HOUR, 10 * HOUR, 10 * HOUR},
        {0, week, 0, week},
        {2 * week, week, 0, 0},
        {2 * week + 1, week, 0, -1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        devices[0] = (struct forecast_device){
            .fate = FORECAST_GETS,
            .last_seen = now - rows[i].seen_before,
            .every = rows[i].every,
            .not_before = rows[i].not_before == 0 ? 0 : now + rows[i].not_before,
            .weight = 1};
        struct forecast found = foretell(1, &(struct forecast_input){.lasts = 7});
        bool known = rows[i].comes >= 0;
        assert_int_equal(found.expected, known);
        assert_int_equal(found.silent, !known);
        assert_int_equal(found.all, known ? now + rows[i].comes + 7 : 0);
        assert_int_equal(found.half, found.all);
    }
}

static void test_what_cannot_be_foreseen_is_counted(void **state)
{
    (void)state;
    poll_steadily(0, 100, HOUR);
    for (size_t i = 0; i < 100; i++) {
        struct forecast_device *device = &devices[i];
        if (i < 10) {
            device->last_seen = now - 3 * HOUR; /* silent */
        } else if (i < 30) {
            device->every = 0; /* heard of once */
        } else if (i < 35) {
            device->every = device->last_seen = 0; /* never heard of */
        } else if (i < 42) {
            device->fate = FORECAST_PEOPLE;
        } else if (i < 45) {
            device->fate = FORECAST_REFUSED;
        } else if (i < 49) {
            device->fate = FORECAST_ASIDE;
        } else if (i < 55) {
            device->fate = FORECAST_RUNS;
        }
    }
    struct forecast found = foretell(100, &(struct forecast_input){.done = 4});
    assert_int_equal(found.silent, 10);
    assert_int_equal(found.unknown, 25);
    assert_int_equal(found.people, 7);
    assert_int_equal(found.refused, 3);
    assert_int_equal(found.done, 10);
    assert_int_equal(found.expected, 45);
    assert_true(found.all > now);

    /* None of them can be foreseen: there are no times. */
    found = foretell(0, &(struct forecast_input){.done = 4});
    assert_int_equal(found.half + found.most + found.all + found.expected, 0);
    devices[0] = (struct forecast_device){.fate = FORECAST_GETS, .weight = 1};
    found = foretell(1, &(struct forecast_input){.done = 0});
    assert_int_equal(found.unknown, 1);
    assert_int_equal(found.half + found.most + found.all, 0);
}

static void test_linked_ones_and_those_that_began_need_no_habit(void **state)
{
    (void)state;
    devices[0] = (struct forecast_device){.fate = FORECAST_GETS, .linked = true, .weight = 1};
    devices[1] = (struct forecast_device){.fate = FORECAST_GETS, .going = true, .weight = 1};
    /* Silent for long by its habit, and linked. */
    devices[2] = (struct forecast_device){.fate = FORECAST_GETS,
                                          .linked = true,
                                          .last_seen = now - DAY,
                                          .every = MINUTE,
                                          .weight = 1};
    struct forecast found = foretell(3, &(struct forecast_input){.lasts = MINUTE});
    assert_int_equal(found.expected, 3);
    assert_int_equal(found.all, now + MINUTE);
    /* It began, and fell silent. */
    devices[0] = (struct forecast_device){
        .fate = FORECAST_GETS, .going = true, .last_seen = now - DAY, .every = MINUTE, .weight = 1};
    assert_int_equal(foretell(1, &(struct forecast_input){.lasts = MINUTE}).silent, 1);
}

static void test_no_faster_than_the_fastest_so_far(void **state)
{
    (void)state;
    for (size_t i = 0; i < MANY; i++) {
        devices[i] = (struct forecast_device){.fate = FORECAST_GETS, .linked = true, .weight = 1};
    }
    /* A hundred within the last minute, and nothing before: the next thousand take ten. */
    struct forecast_input input = {.arrived = {100, 100, 100, 100}};
    struct forecast found = foretell(MANY, &input);
    assert_int_equal(found.per_hour, 100);
    near(found.half, 5 * MINUTE, SECOND);
    near(found.most, 9 * MINUTE, SECOND);
    near(found.all, 10 * MINUTE, SECOND);

    /* A young release has no hour behind it; below a minute nothing is told of speed. */
    input.age = 10 * MINUTE;
    assert_int_equal(foretell(MANY, &input).per_hour, 600);
    input.age = 1;
    assert_int_equal(foretell(MANY, &input).per_hour, 6000);

    /* Too few to tell. */
    input = (struct forecast_input){.arrived = {9, 9, 9, 9}};
    found = foretell(MANY, &input);
    assert_int_equal(found.per_hour, 9);
    assert_int_equal(found.all, now);

    /* More than can be counted in an hour: a shorter window tells. */
    input = (struct forecast_input){
        .arrived = {FORECAST_ARRIVALS_MAX, FORECAST_ARRIVALS_MAX, 40000, 10000}};
    assert_int_equal(foretell(MANY, &input).per_hour, 480000);

    /* Those who come more slowly than that come as they always do. */
    poll_steadily(0, MANY, DAY);
    input = (struct forecast_input){.arrived = {1000, 250, 80, 16}};
    found = foretell(MANY, &input);
    near(found.half, DAY / 2, DAY / MANY);
    assert_int_equal(found.all, now + DAY);
}

static void test_a_sample_foretells_what_the_whole_does(void **state)
{
    (void)state;
    for (size_t share = 2; share <= 50; share += 4) {
        struct forecast_input input = {
            .done = MANY / 4, .lasts = MINUTE, .arrived = {40, 20, 15, 12}};
        poll_steadily(0, MANY, HOUR);
        poll_steadily(MANY, MANY, week);
        for (size_t i = 0; i < 2 * MANY; i += 10) {
            devices[i].every = 0;
        }
        struct forecast whole = foretell(2 * MANY, &input);
        poll_steadily(0, MANY, HOUR);
        poll_steadily(MANY, MANY, week);
        for (size_t i = 0; i < 2 * MANY; i += 10) {
            devices[i].every = 0;
        }
        size_t count = 0;
        for (size_t i = share / 2; i < 2 * MANY; i += share) {
            devices[count++] = devices[i];
        }
        for (size_t i = 0; i < count; i++) {
            devices[i].weight = 2.0 * MANY / (double)count;
        }
        struct forecast sample = foretell(count, &input);
        assert_int_equal(sample.expected + sample.unknown, 2 * MANY);
        assert_int_equal(whole.expected, 1800);
        assert_in_range(sample.expected, 1500, 2000);
        near(sample.most, whole.most - now, week / 10);
        near(sample.all, whole.all - now, week / 10);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steady_pollers_come_within_their_habit),
        cmocka_unit_test(test_sleepers_of_weeks_decide_the_end_alone),
        cmocka_unit_test(test_who_is_late_comes_at_the_next_of_his_times),
        cmocka_unit_test(test_what_cannot_be_foreseen_is_counted),
        cmocka_unit_test(test_linked_ones_and_those_that_began_need_no_habit),
        cmocka_unit_test(test_no_faster_than_the_fastest_so_far),
        cmocka_unit_test(test_a_sample_foretells_what_the_whole_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
