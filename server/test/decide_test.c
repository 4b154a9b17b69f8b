/*
 * Goal: the right release for the right device, and the first rule that does not hold as the
 * reason. Method: one device, product and pair of releases that all rules hold for; each row of a
 * table changes one thing and names the answer. Versions and habits have tables of their own.
 */
#include "cm.h"

#include <stdio.h>
#include <string.h>

#include "fleet/decide.h"
#include "fleet/habit.h"

enum { NOW = 1000000 };

/** A world that gives an offer; rows change it. */
struct world {
    struct product product;
    struct device device;
    struct release releases[3]; /* 1.0.0, 1.1.0 current, 1.2.0 */
    struct image images[5];
    struct decide_input input;
};

static void name_release(struct release *release, int64_t no, const char *version)
{
    *release = (struct release){.no = no, .product = 1, .channel = "stable"};
    strcpy(release->version, version);
}

static void make_world(struct world *world, bool nonos)
{
    memset(world, 0, sizeof *world);
    world->product = (struct product){.no = 1,
                                      .kind = nonos ? KIND_NONOS : KIND_ARDUINO,
                                      .chip = UPD_CHIP_ESP8266,
                                      .channels = "stable,beta"};
    world->device = (struct device){.no = 1,
                                    .product = 1,
                                    .standing = STANDING_ADMITTED,
                                    .protocol = PROTOCOL_ESPHTTPUPDATE,
                                    .map = -1,
                                    .free_space = 1 << 20,
                                    .chip_size = 4 << 20,
                                    .slot = "user1"};
    strcpy(world->device.version, nonos ? "v1.0.0t45772(a)" : "1.0.0");
    name_release(&world->releases[0], 1, nonos ? "v1.0.0t45772(a)" : "1.0.0");
    name_release(&world->releases[1], 2, nonos ? "v1.1.0t45772(a)" : "1.1.0");
    name_release(&world->releases[2], 3, nonos ? "v1.2.0t45772(a)" : "1.2.0");
    world->releases[1].current = true;
    for (int i = 0; i < 3; i++) {
        world->images[i] = (struct image){.no = i + 1,
                                          .release = i + 1,
                                          .product = 1,
                                          .part = nonos ? PART_USER2 : PART_APP,
                                          .chip = UPD_CHIP_ESP8266,
                                          .size = 400000,
                                          .payload_size = 400000,
                                          .flash_size = 4 << 20};
    }
    strcpy(world->images[1].payload_md5, "11111111111111111111111111111111");
    world->images[3] = world->images[1];
    world->images[3].no = 4;
    world->images[3].part = nonos ? PART_USER1 : PART_FILESYSTEM;
    world->input = (struct decide_input){.product = &world->product,
                                         .device = &world->device,
                                         .releases = world->releases,
                                         .release_count = 3,
                                         .images = world->images,
                                         .image_count = 4,
                                         .now = NOW};
}

#define ROW(name, nonos, answer, ...)                                                              \
    static void change_##name(struct world *w)                                                     \
    {                                                                                              \
        (void)w;                                                                                   \
        __VA_ARGS__;                                                                               \
    }
#define ORDER(no) (w->device.ordered = (no))
#define RUNS(text) strcpy(w->device.version, text)
#define RENAME(text) strcpy(w->releases[1].version, text)

#define ROWS(X)                                                                                    \
    X(all_well, false, OFFER, (void)w)                                                             \
    X(all_well_nonos, true, OFFER, (void)w)                                                        \
    X(other_slot, true, OFFER, strcpy(w->device.slot, "user2"))                                    \
    X(held, false, NOT_ADMITTED, w->device.standing = STANDING_NEW)                                \
    X(blocked, false, BLOCKED, w->device.standing = STANDING_BLOCKED)                              \
    X(disabled, false, DISABLED, w->device.standing = STANDING_DISABLED)                           \
    X(blocked_beats_order, false, BLOCKED, w->device.standing = STANDING_BLOCKED; ORDER(2))        \
    X(none_current, false, NO_RELEASE, w->releases[1].current = false)                             \
    X(no_releases, false, NO_RELEASE, w->input.release_count = 0)                                  \
    X(other_channel, false, NO_RELEASE, strcpy(w->device.channel, "beta"))                         \
    X(channel_prefix, false, NO_RELEASE, strcpy(w->releases[1].channel, "sta"))                    \
    X(withdrawn_is_not_current, false, NO_RELEASE, w->releases[1].withdrawn = 1)                   \
    X(ordered_withdrawn, false, WITHDRAWN, ORDER(2); w->releases[1].withdrawn = 1)                 \
    X(same_version, false, CURRENT, RUNS("1.1.0"))                                                 \
    X(same_version_ordered, false, CURRENT, RUNS("1.1.0"); ORDER(2))                               \
    X(same_rom, true, CURRENT, RUNS("v1.1.0t45772(a)"))                                            \
    X(same_rom_capital, true, CURRENT, RENAME("v1.1.0t45772(o)"); RUNS("v1.1.0t45772(O)"))         \
    X(same_rom_quote, true, CURRENT, RUNS("v1.1.0t45772(a)\""))                                    \
    X(same_md5, false, SAME_IMAGE,                                                                 \
      strcpy(w->device.sketch_md5, "11111111111111111111111111111111"))                            \
    X(other_md5, false, OFFER, strcpy(w->device.sketch_md5, "21111111111111111111111111111111"))   \
    X(version_untold, false, UNKNOWN_VERSION, RUNS(""))                                            \
    X(version_untold_md5_told, false, OFFER, RUNS("");                                             \
      strcpy(w->device.sketch_md5, "21111111111111111111111111111111"))                            \
    X(version_untold_ordered, false, OFFER, RUNS(""); ORDER(2))                                    \
    X(rom_unreadable, true, UNKNOWN_VERSION, RUNS("1.0"))                                          \
    X(rom_unreadable_ordered, true, OFFER, RUNS("1.0"); ORDER(2))                                  \
    X(rom_md5_is_no_version, true, UNKNOWN_VERSION, RUNS("1.0");                                   \
      strcpy(w->device.sketch_md5, "21111111111111111111111111111111"))                            \
    X(other_ptype, true, WRONG_PTYPE, RUNS("v1.0.0t23701(a)"))                                     \
    X(other_ptype_ordered, true, WRONG_PTYPE, RUNS("v1.0.0t23701(a)"); ORDER(2))                   \
    X(runs_newer, false, DOWNGRADE, RUNS("1.2.0"))                                                 \
    X(runs_newer_ordered, false, DOWNGRADE, RUNS("1.2.0"); ORDER(2))                               \
    X(runs_newer_may_go_back, false, OFFER, RUNS("1.2.0"); ORDER(2); w->device.downgrade = true)   \
    X(flag_without_order, false, DOWNGRADE, RUNS("1.2.0"); w->device.downgrade = true)             \
    X(same_in_other_words, false, DOWNGRADE, RUNS("v1.1"))                                         \
    X(ten_is_more_than_nine, false, OFFER, RUNS("1.0.9"); RENAME("1.0.10"))                        \
    X(branch_names, false, OFFER, RUNS("main-a"); RENAME("main-b"))                                \
    X(branch_names_back, false, DOWNGRADE, strcpy(w->releases[2].version, "main-a");               \
      RUNS("main-a"); RENAME("main-b"))                                                            \
    X(rom_newer, true, DOWNGRADE, RUNS("v1.2.0t45772(a)"))                                         \
    X(rom_equal_value, true, DOWNGRADE, RUNS("b1.1.0t45772(a)"))                                   \
    X(letter_l, true, LOCAL_ONLY, RUNS("v1.0.0t45772(l)"))                                         \
    X(letter_l_local, true, OFFER, RUNS("v1.0.0t45772(l)"); w->input.local = true)                 \
    X(letter_o, true, OFFER, RUNS("v1.0.0t45772(o)"))                                              \
    X(letter_o_local, true, ONLINE_ONLY, RUNS("v1.0.0t45772(o)"); w->input.local = true)           \
    X(letter_n, true, NO_UPGRADE, RUNS("v1.0.0t45772(n)"))                                         \
    X(letter_n_ordered, true, NO_UPGRADE, RUNS("v1.0.0t45772(n)"); ORDER(2))                       \
    X(final, true, FINAL, RENAME("v1.1.0t45772(n)"))                                               \
    X(final_ordered, true, FINAL, RENAME("v1.1.0t45772(n)"); ORDER(2))                             \
    X(final_free, false, FINAL, strcpy(w->releases[1].letter, "n"))                                \
    X(no_image, false, NO_IMAGE, w->images[1].release = 1)                                         \
    X(variant_missing, false, NO_IMAGE, strcpy(w->images[1].variant, "big"))                       \
    X(variant_right, false, OFFER, strcpy(w->images[1].variant, "big");                            \
      strcpy(w->device.variant, "big"))                                                            \
    X(variant_falls_back, false, OFFER, strcpy(w->device.variant, "big"))                          \
    X(slot_untold, true, SLOT_UNKNOWN, w->device.slot[0] = '\0')                                   \
    X(slot_untold_espressif, true, OFFER, w->device.slot[0] = '\0';                                \
      w->device.protocol = PROTOCOL_ESPRESSIF_LINK)                                                \
    X(other_chip, false, WRONG_CHIP, w->images[1].chip = UPD_CHIP_ESP32)                           \
    X(small_flash, false, FLASH_TOO_SMALL, w->device.chip_size = 1 << 20)                          \
    X(flash_untold, false, OFFER, w->device.chip_size = 0)                                         \
    X(no_room, false, NO_SPACE, w->device.free_space = 400000)                                     \
    X(room_by_sectors, false, OFFER, w->device.free_space = 401408)                                \
    X(one_short, false, NO_SPACE, w->device.free_space = 401407)                                   \
    X(room_untold, false, OFFER, w->device.free_space = 0)                                         \
    X(inflates_into_itself, false, NO_SPACE, w->device.free_space = 405504;                        \
      w->device.sketch_size = 300000; w->images[1].payload_size = 800000)                          \
    X(inflates_well, false, OFFER, w->device.free_space = 1 << 20; w->device.sketch_size = 300000; \
      w->images[1].payload_size = 800000)                                                          \
    X(failed_often, false, LOOP, w->device.failed = 2; w->device.failures = DECIDE_LOOP_LIMIT)     \
    X(failed_once_less, false, OFFER, w->device.failed = 2;                                        \
      w->device.failures = DECIDE_LOOP_LIMIT - 1)                                                  \
    X(failed_other, false, OFFER, w->device.failed = 1; w->device.failures = 99)                   \
    X(failed_often_ordered, false, OFFER, w->device.failed = 2; w->device.failures = 99; ORDER(2)) \
    X(fetched_often, false, LOOP, w->input.served = 2 * DECIDE_LOOP_LIMIT)                         \
    X(rolled_back, false, ROLLED_BACK, w->device.failed = 2;                                       \
      w->device.failures = DECIDE_ROLLED_BACK)                                                     \
    X(rolled_back_ordered, false, OFFER, w->device.failed = 2;                                     \
      w->device.failures = DECIDE_ROLLED_BACK; ORDER(2))                                           \
    X(declined, false, DECLINED, w->device.declined = 2)                                           \
    X(declined_other, false, OFFER, w->device.declined = 1)                                        \
    X(tonight, false, POSTPONED, w->device.not_before = NOW + 1)                                   \
    X(tonight_came, false, OFFER, w->device.not_before = NOW)                                      \
    X(operator_only, false, WAITS_OPERATOR, w->product.consent = CONSENT_OPERATOR)                 \
    X(operator_ordered, false, OFFER, w->product.consent = CONSENT_OPERATOR; ORDER(2))             \
    X(ask, false, WAITS_OWNER, w->product.consent = CONSENT_ASK_DOWNLOAD; w->device.owner = 5)     \
    X(ask_nobody, false, WAITS_OWNER, w->product.consent = CONSENT_ASK_DOWNLOAD)                   \
    X(ask_accepted, false, OFFER, w->product.consent = CONSENT_ASK_DOWNLOAD; w->device.owner = 5;  \
      w->device.accepted = 2)                                                                      \
    X(ask_accepted_other, false, WAITS_OWNER, w->product.consent = CONSENT_ASK_DOWNLOAD;           \
      w->device.owner = 5; w->device.accepted = 1)                                                 \
    X(ask_ordered, false, WAITS_OWNER, w->product.consent = CONSENT_ASK_DOWNLOAD;                  \
      w->device.owner = 5; ORDER(2))                                                               \
    X(ask_ordered_ownerless, false, OFFER, w->product.consent = CONSENT_ASK_DOWNLOAD; ORDER(2))    \
    X(ask_reboot, false, OFFER, w->product.consent = CONSENT_ASK_REBOOT; w->device.owner = 5)      \
    X(order_of_another, false, OFFER, ORDER(3))                                                    \
    X(filesystem, false, OFFER, w->input.asked = ASKED_FILESYSTEM; RUNS("9.9"))                    \
    X(filesystem_missing, false, NO_IMAGE, w->input.asked = ASKED_FILESYSTEM;                      \
      w->input.image_count = 3)

ROWS(ROW)

static const struct {
    const char *name;
    bool nonos;
    enum reason answer;
    void (*change)(struct world *w);
} rows[] = {
#define X(name, nonos, answer, ...) {#name, nonos, REASON_##answer, change_##name},
    ROWS(X)
#undef X
};

static void test_each_row(void **unused)
{
    (void)unused;
    bool seen[REASON_COUNT] = {false};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct world world;
        struct decision decision;
        struct explanation why;
        make_world(&world, rows[i].nonos);
        rows[i].change(&world);
        decide(&world.input, &decision);
        decide_explain(&world.input, &decision, &why);
        if (decision.reason != rows[i].answer) {
            fail_msg("%s: %s (%s), and not %s", rows[i].name, reason_code(decision.reason),
                     why.text, reason_code(rows[i].answer));
        }
        seen[decision.reason] = true;
        /* The reason is the first rule that failed; and an offer has what it offers. */
        for (enum reason rule = REASON_NOT_ADMITTED; rule < REASON_COUNT; rule++) {
            bool before = decision.reason == REASON_OFFER || rule < decision.reason;
            assert_true(!before || decision.rules[rule] != RULE_FAILED);
        }
        if (decision.reason == REASON_OFFER) {
            assert_non_null(decision.release);
            assert_non_null(decision.image);
            assert_int_equal(decision.image->release, decision.release->no);
        } else {
            assert_int_equal(decision.rules[decision.reason], RULE_FAILED);
        }
        assert_true(why.text[0] != '\0' && strchr(why.text, '%') == NULL);
    }
    for (size_t i = 0; i < REASON_COUNT; i++) {
        if (!seen[i]) {
            fail_msg("no row has the answer %s", reason_code((enum reason)i));
        }
    }
}

static void test_which_image(void **unused)
{
    (void)unused;
    struct world world;
    struct decision decision;
    make_world(&world, true);
    decide(&world.input, &decision);
    assert_int_equal(decision.image->part, PART_USER2);
    strcpy(world.device.slot, "user2");
    decide(&world.input, &decision);
    assert_int_equal(decision.image->part, PART_USER1);

    make_world(&world, false);
    world.images[4] = world.images[1];
    world.images[4].no = 5;
    strcpy(world.images[4].variant, "big");
    world.input.image_count = 5;
    decide(&world.input, &decision);
    assert_int_equal(decision.image->no, 2);
    strcpy(world.device.variant, "big");
    decide(&world.input, &decision);
    assert_int_equal(decision.image->no, 5);
}

static void explain(const struct decide_input *input, struct explanation *why)
{
    struct decision decision;

    decide(input, &decision);
    decide_explain(input, &decision, why);
}

static void test_sentences(void **unused)
{
    (void)unused;
    struct world world;
    struct explanation why;
    make_world(&world, false);
    strcpy(world.device.version, "1.1.0");
    explain(&world.input, &why);
    assert_string_equal(why.text, "runs 1.1.0, which is current");
    make_world(&world, false);
    world.device.free_space = 4096;
    explain(&world.input, &why);
    assert_string_equal(why.text, "the image does not fit: it takes 400000 bytes");
    /* The longest texts are cut, and not written beyond the end. */
    make_world(&world, false);
    memset(world.device.version, 'v', sizeof world.device.version - 1);
    memset(world.releases[1].version, 'r', sizeof world.releases[1].version - 1);
    world.device.failed = 2;
    world.device.failures = 5;
    explain(&world.input, &why);
    assert_true(strlen(why.text) < SENTENCE_SIZE);
}

static void test_versions(void **unused)
{
    (void)unused;
    static const struct {
        const char *a, *b;
        int order; /* 2: not comparable */
    } table[] = {
        {"1.0.0", "1.0.0", 0},
        {"1.0", "1.0.0", 0},
        {"v1.0", "1.0", 0},
        {"1.0.9", "1.0.10", -1},
        {"v@2.5.5", "v@2.10.33", -1},
        {"1.0.0-rc1", "1.0.0", -1},
        {"1.0.0-rc2", "1.0.0-rc10", -1},
        {"2", "1.9.9.9", 1},
        {"1.0.0.7", "1.0.0.6", 1},
        {"", "1.0", 2},
        {"main", "1.0", 2},
        {"1.0.", "1.0", 2},
        {"1..0", "1.0", 2},
        {"1.0 ", "1.0", 2},
        {"1.0-", "1.0", 2},
        {"1.0+5", "1.0", 2},
        {"99999999999999999999", "1", 2},
        {"1.2.3.4.5.6.7", "1", 2},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        int order = 7, back = 7;
        bool done = version_compare(table[i].a, table[i].b, &order);
        if (done != (table[i].order != 2) ||
            version_compare(table[i].b, table[i].a, &back) != done) {
            fail_msg("%s and %s", table[i].a, table[i].b);
        }
        if (done) {
            assert_int_equal((order > 0) - (order < 0), table[i].order);
            assert_int_equal((back > 0) - (back < 0), -table[i].order);
        } else {
            assert_int_equal(order, 7);
        }
    }
}

static void test_habits(void **unused)
{
    (void)unused;
    struct habit habit = {0};
    int64_t at = 1000000;
    const int64_t hour = 3600 * 1000;
    assert_int_equal(habit_due(habit, at), 0);
    habit = habit_learn(habit, 0, at);
    assert_int_equal(habit.every, 0);
    for (int i = 0; i < 10; i++, at += hour) {
        habit = habit_learn(habit, at, at + hour);
        /* The requests of one update are one contact. */
        habit = habit_learn(habit, at + hour, at + hour + 500);
    }
    assert_int_equal(habit.every, hour);
    assert_int_equal(habit_due(habit, at), at + hour);
    /* A week in a drawer does not make it a weekly one. */
    struct habit after = habit_learn(habit, at, at + 7 * 24 * hour);
    assert_true(after.every < 2 * hour);
    assert_false(habit_silent(habit, at, at + 2 * hour, 0));
    assert_true(habit_silent(habit, at, at + 2 * hour + 1, 0));
    assert_false(habit_silent(habit, at, at + 3 * hour, 24 * hour));
    assert_false(habit_silent(habit, 0, at, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_row),  cmocka_unit_test(test_which_image),
        cmocka_unit_test(test_sentences), cmocka_unit_test(test_versions),
        cmocka_unit_test(test_habits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
