/*
 * Goal: the records, the boot loaders' decision and the writes are those of the SDKs, and updraft's
 * own way of writing leaves the running version as the one that boots wherever power is cut.
 * Method: the published vectors and scenarios; every combination of a small domain against a second
 * statement of the boot loaders' rules; and whole updates over such a domain, cut at every write.
 */
#include <updraft/bytes.h>
#include <updraft/otadata.h>

#include "check.h"

#define F UPD_OTADATA_FACTORY
#define NEW UPD_OTADATA_NEW
#define PENDING UPD_OTADATA_PENDING
#define VALID UPD_OTADATA_VALID
#define INVALID UPD_OTADATA_INVALID
#define ABORTED UPD_OTADATA_ABORTED
#define UNDEF UPD_OTADATA_UNDEFINED

/* --- Records made from what they mean ------------------------------------------------------- */

struct copy {
    uint32_t sequence, state;
    bool crc_is_bad;
};
/* clang-format off */
#define GOOD(sequence, state) {sequence, state, false}
#define BAD(sequence, state) {sequence, state, true}
#define BLANK {UINT32_MAX, UNDEF, true}
/* clang-format on */
static const struct copy blank = BLANK;

static void put(uint8_t record[32], struct copy copy)
{
    upd_otadata_encode(record, copy.sequence, copy.state);
    if (copy.sequence == UINT32_MAX && copy.state == UNDEF && copy.crc_is_bad) {
        memset(record, 0xFF, 32);
    } else if (copy.crc_is_bad) {
        record[28] ^= 0x01;
    }
}

static struct copy get(const uint8_t record[32])
{
    return (struct copy){upd_otadata_sequence(record), upd_otadata_state(record),
                         !upd_otadata_crc_is_good(record)};
}

static bool same(struct copy one, struct copy other)
{
    return one.sequence == other.sequence && one.state == other.state &&
           one.crc_is_bad == other.crc_is_bad;
}

static struct upd_otadata data_of(struct copy first, struct copy second, uint8_t slots,
                                  int8_t running)
{
    struct upd_otadata data = {.slots = slots, .running = running};

    put(data.copy[0], first);
    put(data.copy[1], second);
    return data;
}

static bool holds(const struct upd_otadata *data, struct copy first, struct copy second)
{
    return same(get(data->copy[0]), first) && same(get(data->copy[1]), second);
}

static void carry_out(struct upd_otadata *data, const struct upd_otadata_plan *plan)
{
    for (uint32_t i = 0; i < plan->count; i++) {
        memcpy(data->copy[plan->write[i].copy], plan->write[i].record, 32);
    }
}

/* --- Vectors -------------------------------------------------------------------------------- */

static void test_records_are_the_published_bytes(void)
{
    static const uint8_t first[32] = {0x01, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xFF, 0xFF,
                                      0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
                                      0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
                                      0xFF, 0xFF, 0xFF, 0xFF, 0x9A, 0x98, 0x43, 0x47};
    static const uint8_t second[32] = {0x02, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xFF, 0xFF,
                                       0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
                                       0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
                                       0x00, 0x00, 0x00, 0x00, 0x74, 0x37, 0xF6, 0x55};
    uint8_t record[32];

    upd_otadata_encode(record, 1, UNDEF);
    CHECK(memcmp(record, first, 32) == 0);
    upd_otadata_encode(record, 2, NEW);
    CHECK(memcmp(record, second, 32) == 0);
    CHECK(upd_otadata_sequence(second) == 2 && upd_otadata_state(second) == NEW);
    CHECK(upd_otadata_crc_is_good(second));
}

/* The CRC covers the sequence number and no other byte. */
static void test_every_flip_of_the_number_or_its_crc_is_seen(void)
{
    for (uint32_t bit = 0; bit < 256; bit++) {
        uint8_t record[32];
        upd_otadata_encode(record, 0x12345678, VALID);
        record[bit / 8] ^= (uint8_t)(1u << bit % 8);
        CHECK(upd_otadata_crc_is_good(record) == (bit >= 32 && bit < 224));
    }
}

static void test_states_have_names(void)
{
    CHECK(memcmp(upd_otadata_state_name(NEW), "new", 4) == 0);
    CHECK(memcmp(upd_otadata_state_name(ABORTED), "aborted", 8) == 0);
    CHECK(memcmp(upd_otadata_state_name(UNDEF), "undefined", 10) == 0);
    CHECK(upd_otadata_state_name(5) == NULL && upd_otadata_state_name(UNDEF - 1) == NULL);
}

static void test_states_change_as_drawn(void)
{
    static const uint32_t states[] = {NEW, PENDING, VALID, INVALID, ABORTED, UNDEF, 77};

    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        uint32_t s = states[i];
        CHECK(upd_otadata_state_after(s, UPD_OTADATA_ON_SELECT) == NEW);
        CHECK(upd_otadata_state_after(s, UPD_OTADATA_ON_CHOSEN) == (s == NEW ? PENDING : s));
        CHECK(upd_otadata_state_after(s, UPD_OTADATA_ON_RESET) == (s == PENDING ? ABORTED : s));
        CHECK(upd_otadata_state_after(s, UPD_OTADATA_ON_CONFIRM) == VALID);
        CHECK(upd_otadata_state_after(s, UPD_OTADATA_ON_REJECT) == INVALID);
    }
}

/* --- Which copy decides --------------------------------------------------------------------- */

static void test_the_active_copy(void)
{
    static const struct {
        const char *name;
        struct copy first, second;
        int8_t idf, rtos;
    } rows[] = {
        /* clang-format off */
        {"erased", BLANK, BLANK, UPD_OTADATA_NONE, UPD_OTADATA_NONE},
        {"first", GOOD(1, UNDEF), BLANK, 0, 0},
        {"second", BLANK, GOOD(2, UNDEF), 1, 1},
        {"higher wins", GOOD(1, UNDEF), GOOD(2, UNDEF), 1, 1},
        {"higher wins, turned round", GOOD(3, UNDEF), GOOD(2, UNDEF), 0, 0},
        {"of equals the first", GOOD(2, UNDEF), GOOD(2, UNDEF), 0, 0},
        {"numbers are unsigned", GOOD(0xFFFFFFFE, VALID), GOOD(4, VALID), 0, 0},
        {"zero is a number", GOOD(0, UNDEF), BLANK, 0, 0},
        {"all ones is none", GOOD(UINT32_MAX, VALID), BLANK, UPD_OTADATA_NONE, UPD_OTADATA_NONE},
        {"bad CRC", BAD(9, UNDEF), GOOD(2, UNDEF), 1, 1},
        {"both CRCs bad", BAD(9, VALID), BAD(2, VALID), UPD_OTADATA_NONE, UPD_OTADATA_NONE},
        {"invalid", GOOD(1, VALID), GOOD(2, INVALID), 0, 1},
        {"aborted", GOOD(1, VALID), GOOD(2, ABORTED), 0, 1},
        {"new and pending count", GOOD(1, NEW), GOOD(2, PENDING), 1, 1},
        {"a state that nobody knows", GOOD(1, VALID), GOOD(2, 77), 1, 1},
        /* clang-format on */
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct upd_otadata data = data_of(rows[i].first, rows[i].second, 2, F);
        CHECK_THAT(rows[i].name, upd_otadata_active(&data) == rows[i].idf);
        data.rtos = true;
        CHECK_THAT(rows[i].name, upd_otadata_active(&data) == rows[i].rtos);
    }
}

static void test_a_number_names_a_slot(void)
{
    static const struct {
        uint32_t sequence;
        uint8_t slots;
        int8_t slot;
    } rows[] = {{1, 2, 0},
                {2, 2, 1},
                {3, 2, 0},
                {1, 1, 0},
                {5, 1, 0},
                {6, 3, 2},
                {7, 3, 0},
                {16, 16, 15},
                {17, 16, 0},
                {0, 2, 1},
                {0, 3, 0},
                {0xFFFFFFFE, 2, 1},
                {1, 0, UPD_OTADATA_NONE}};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct upd_otadata data = data_of(blank, blank, rows[i].slots, F);
        upd_otadata_encode(data.copy[1], rows[i].sequence, VALID);
        CHECK(upd_otadata_slot(&data, 1) == rows[i].slot);
    }
}

static void test_the_next_slot_to_write(void)
{
    struct upd_otadata data = data_of(blank, blank, 3, F);

    CHECK(upd_otadata_next_slot(&data, F) == 0);
    CHECK(upd_otadata_next_slot(&data, 0) == 1);
    CHECK(upd_otadata_next_slot(&data, 1) == 2);
    CHECK(upd_otadata_next_slot(&data, 2) == 0);
    data.slots = 1;
    CHECK(upd_otadata_next_slot(&data, 0) == 0);
    data.slots = 0;
    CHECK(upd_otadata_next_slot(&data, F) == UPD_OTADATA_NONE);
}

static void test_the_configured_app(void)
{
    struct upd_boot_layout layout = {.slots = 6, .slot_count = 2, .factory = true, .test = true};
    struct upd_otadata data = data_of((struct copy)GOOD(2, VALID), blank, 2, F);

    CHECK(upd_otadata_configured(&data, &layout) == 1);
    data = data_of(blank, blank, 2, F);
    CHECK(upd_otadata_configured(&data, &layout) == F);
    layout.factory = false;
    CHECK(upd_otadata_configured(&data, &layout) == 1);
    layout.slots = 0;
    CHECK(upd_otadata_configured(&data, &layout) == UPD_OTADATA_TEST);
    layout.test = false;
    CHECK(upd_otadata_configured(&data, &layout) == UPD_OTADATA_NONE);
    data = data_of((struct copy)GOOD(2, VALID), blank, 0, F);
    CHECK(upd_otadata_configured(&data, &layout) == UPD_OTADATA_NONE);
}

static void test_the_state_of_a_slot(void)
{
    struct upd_otadata data =
        data_of((struct copy)GOOD(1, ABORTED), (struct copy)GOOD(3, VALID), 2, F);
    uint32_t state = 99;

    /* The SDK's quirk: the first copy answers although the second is newer. */
    CHECK(upd_otadata_state_of(&data, 0, &state) == UPD_OK && state == ABORTED);
    CHECK(upd_otadata_state_of(&data, 1, &state) == UPD_E_NOT_FOUND && state == ABORTED);
    CHECK(upd_otadata_state_of(&data, F, &state) == UPD_E_NOT_FOUND);
    data.copy[0][28] ^= 1;
    CHECK(upd_otadata_state_of(&data, 0, &state) == UPD_OK && state == VALID);
    data.slots = 0;
    CHECK(upd_otadata_state_of(&data, 0, &state) == UPD_E_NOT_FOUND);
}

/* --- Selecting as the SDKs do --------------------------------------------------------------- */

/* Three slots: select 0, 2, 1, 2, 0. The same numbers in every style. */
static void test_the_published_walk(void)
{
    static const int8_t selected[] = {0, 2, 1, 2, 0};
    static const uint32_t expected[][2] = {{1, UINT32_MAX}, {1, 3}, {5, 3}, {5, 6}, {7, 6}};
    static const enum upd_otadata_style styles[] = {UPD_OTADATA_SAFE, UPD_OTADATA_AS_IDF,
                                                    UPD_OTADATA_AS_IDF_5, UPD_OTADATA_AS_RTOS};

    for (size_t s = 0; s < 4; s++) {
        struct upd_otadata data = data_of(blank, blank, 3, F);
        data.rtos = styles[s] == UPD_OTADATA_AS_RTOS;
        for (size_t i = 0; i < 5; i++) {
            struct upd_otadata_plan plan;
            CHECK(upd_otadata_plan_boot(&data, styles[s], selected[i], false, &plan) == UPD_OK);
            CHECK(plan.count == 1);
            carry_out(&data, &plan);
            data.running = selected[i];
            CHECK(upd_otadata_sequence(data.copy[0]) == expected[i][0]);
            CHECK(upd_otadata_sequence(data.copy[1]) == expected[i][1]);
        }
    }
}

/* What a selection leaves, in each style; two slots unless said. */
static void test_selecting_by_style(void)
{
    static const struct {
        const char *name;
        enum upd_otadata_style style;
        struct copy first, second;
        int8_t running, slot;
        bool trial;
        struct copy then_first, then_second;
    } rows[] = {
        /* clang-format off */
        {"first of all", UPD_OTADATA_AS_IDF, BLANK, BLANK, F, 1, true, GOOD(2, NEW), BLANK},
        {"no trial", UPD_OTADATA_AS_IDF, BLANK, BLANK, F, 1, false, GOOD(2, UNDEF), BLANK},
        {"no valid copy: the first is rewritten", UPD_OTADATA_AS_IDF, GOOD(3, ABORTED),
         GOOD(2, INVALID), F, 0, true, GOOD(1, NEW), GOOD(2, INVALID)},
        {"same slot, IDF: in place", UPD_OTADATA_AS_IDF, GOOD(1, VALID), GOOD(2, VALID), 0, 1, true,
         GOOD(1, VALID), GOOD(2, NEW)},
        {"same slot, IDF 5: the other copy", UPD_OTADATA_AS_IDF_5, GOOD(1, VALID), GOOD(2, VALID),
         0, 1, true, GOOD(2, NEW), GOOD(2, VALID)},
        {"same slot, RTOS: the other copy, its state as it was", UPD_OTADATA_AS_RTOS,
         GOOD(1, INVALID), GOOD(2, UNDEF), 0, 1, true, GOOD(2, INVALID), GOOD(2, UNDEF)},
        {"equal numbers: the second copy", UPD_OTADATA_AS_RTOS, GOOD(2, UNDEF), GOOD(2, UNDEF), 1,
         0, false, GOOD(2, UNDEF), GOOD(3, UNDEF)},
        {"number zero: another zero, as the SDK computes it", UPD_OTADATA_AS_IDF, GOOD(0, VALID),
         BLANK, 1, 0, false, GOOD(0, VALID), GOOD(1, UNDEF)},
        {"safe: the running slot's record stays", UPD_OTADATA_SAFE, GOOD(1, VALID), GOOD(2, NEW), 0,
         1, true, GOOD(1, VALID), GOOD(2, NEW)},
        {"safe: also when it is the newer one", UPD_OTADATA_SAFE, GOOD(1, VALID), GOOD(2, VALID), 1,
         0, true, GOOD(3, NEW), GOOD(2, VALID)},
        {"safe: from factory, an old record of the slot goes", UPD_OTADATA_SAFE, GOOD(1, VALID),
         BLANK, F, 0, true, GOOD(1, NEW), BLANK},
        {"safe: from factory, both old records of the slot go", UPD_OTADATA_SAFE, GOOD(1, VALID),
         GOOD(3, VALID), F, 0, true, BLANK, GOOD(3, NEW)},
        {"safe: a trial that failed stays behind, below the new number", UPD_OTADATA_SAFE,
         GOOD(1, VALID), GOOD(2, PENDING), F, 0, true, GOOD(3, NEW), GOOD(2, PENDING)},
        {"safe: a slot without record gets one first", UPD_OTADATA_SAFE, BLANK, BLANK, 0, 1, true,
         GOOD(1, VALID), GOOD(2, NEW)},
        {"safe: back to the running slot", UPD_OTADATA_SAFE, GOOD(1, VALID), GOOD(2, NEW), 0, 0,
         false, GOOD(1, VALID), GOOD(3, UNDEF)},
        {"factory", UPD_OTADATA_SAFE, GOOD(1, VALID), GOOD(2, VALID), 1, F, true, BLANK, BLANK},
        /* clang-format on */
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct upd_otadata data = data_of(rows[i].first, rows[i].second, 2, rows[i].running);
        struct upd_otadata_plan plan = {0};
        data.rtos = rows[i].style == UPD_OTADATA_AS_RTOS;
        CHECK_THAT(rows[i].name, upd_otadata_plan_boot(&data, rows[i].style, rows[i].slot,
                                                       rows[i].trial, &plan) == UPD_OK);
        carry_out(&data, &plan);
        CHECK_THAT(rows[i].name, holds(&data, rows[i].then_first, rows[i].then_second));
    }
}

static void test_the_sdks_keep_a_label(void)
{
    struct upd_otadata data = data_of((struct copy)GOOD(1, VALID), blank, 2, 0);
    struct upd_otadata_plan plan;

    memcpy(data.copy[1] + 4, "label", 5);
    CHECK(upd_otadata_plan_boot(&data, UPD_OTADATA_AS_IDF, 1, false, &plan) == UPD_OK);
    CHECK(memcmp(plan.write[0].record + 4, "label", 5) == 0);
}

static void test_erasing_for_factory_ends_with_the_active_copy(void)
{
    struct upd_otadata data =
        data_of((struct copy)GOOD(3, VALID), (struct copy)GOOD(2, VALID), 2, 0);
    struct upd_otadata_plan plan;

    CHECK(upd_otadata_plan_boot(&data, UPD_OTADATA_SAFE, F, false, &plan) == UPD_OK);
    CHECK(plan.count == 2 && plan.write[0].copy == 1 && plan.write[1].copy == 0);
    CHECK(upd_otadata_plan_boot(&data, UPD_OTADATA_AS_IDF, F, false, &plan) == UPD_OK);
    CHECK(plan.count == 2 && plan.write[0].copy == 0 && plan.write[1].copy == 1);
}

static void test_a_selection_that_cannot_be_is_refused(void)
{
    static const enum upd_otadata_style styles[] = {UPD_OTADATA_SAFE, UPD_OTADATA_AS_IDF,
                                                    UPD_OTADATA_AS_IDF_5, UPD_OTADATA_AS_RTOS};

    for (size_t i = 0; i < 4; i++) {
        struct upd_otadata data =
            data_of((struct copy)GOOD(0xFFFFFFFE, VALID), (struct copy)GOOD(7, VALID), 2, 1);
        struct upd_otadata_plan plan = {.count = 77};
        CHECK(upd_otadata_plan_boot(&data, styles[i], 2, true, &plan) == UPD_E_ARG);
        CHECK(upd_otadata_plan_boot(&data, styles[i], UPD_OTADATA_TEST, true, &plan) == UPD_E_ARG);
        CHECK(upd_otadata_plan_begin(&data, styles[i], 1, &plan) == UPD_E_ARG);
        CHECK(upd_otadata_plan_begin(&data, styles[i], F, &plan) == UPD_E_ARG);
        /* 0xFFFFFFFE names slot 1; 0xFFFFFFFF, which would name slot 0, is no number. */
        CHECK(upd_otadata_plan_boot(&data, styles[i], 0, true, &plan) == UPD_E_STATE);
        data.slots = 0;
        CHECK(upd_otadata_plan_boot(&data, styles[i], 0, true, &plan) == UPD_E_ARG);
        CHECK(plan.count == 0);
    }
    struct upd_otadata data = data_of((struct copy)GOOD(0xFFFFFFFE, VALID), blank, 2, 0);
    struct upd_otadata_plan plan = {.count = 77};
    CHECK(upd_otadata_plan_begin(&data, UPD_OTADATA_SAFE, 1, &plan) == UPD_E_STATE);
    CHECK(upd_otadata_plan_boot(&data, UPD_OTADATA_SAFE, 1, true, &plan) == UPD_E_STATE);
    CHECK(plan.count == 0);
}

static void test_beginning_as_idf_forgets_the_inactive_copy(void)
{
    static const struct {
        const char *name;
        struct copy first, second;
        int8_t running, slot;
        uint8_t count, copy;
    } rows[] = {
        /* clang-format off */
        {"an old record", GOOD(1, VALID), GOOD(2, INVALID), 0, 1, 1, 1},
        {"nothing there", GOOD(1, VALID), BLANK, 0, 1, 0, 0},
        {"bad CRC", GOOD(1, VALID), BAD(2, VALID), 0, 1, 0, 0},
        {"the running slot's", GOOD(1, VALID), GOOD(2, NEW), 0, 1, 0, 0},
        {"no active copy", GOOD(1, INVALID), GOOD(2, ABORTED), F, 1, 0, 0},
        /* clang-format on */
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct upd_otadata data = data_of(rows[i].first, rows[i].second, 2, rows[i].running);
        struct upd_otadata_plan plan;
        CHECK_THAT(rows[i].name, upd_otadata_plan_begin(&data, UPD_OTADATA_AS_IDF, rows[i].slot,
                                                        &plan) == UPD_OK);
        CHECK_THAT(rows[i].name, plan.count == rows[i].count);
        CHECK_THAT(rows[i].name, plan.count == 0 || (plan.write[0].copy == rows[i].copy &&
                                                     plan.write[0].record[0] == 0xFF));
        CHECK_THAT(rows[i].name, upd_otadata_plan_begin(&data, UPD_OTADATA_AS_RTOS, rows[i].slot,
                                                        &plan) == UPD_OK &&
                                     plan.count == 0);
    }
}

/* --- Confirming and giving up --------------------------------------------------------------- */

static void test_confirming(void)
{
    static const struct {
        const char *name;
        struct copy first, second;
        int8_t running;
        enum upd_err idf, safe;
        uint8_t idf_writes, safe_writes;
        struct copy then_idf, then_safe; /* the first copy */
    } rows[] = {
        /* clang-format off */
        {"on trial", GOOD(3, PENDING), GOOD(2, VALID), 0, UPD_OK, UPD_OK, 1, 1, GOOD(3, VALID),
         GOOD(3, VALID)},
        {"never tried", GOOD(3, NEW), GOOD(2, VALID), 0, UPD_OK, UPD_OK, 1, 1, GOOD(3, VALID),
         GOOD(3, VALID)},
        {"confirmed", GOOD(3, VALID), GOOD(2, VALID), 0, UPD_OK, UPD_OK, 0, 0, GOOD(3, VALID),
         GOOD(3, VALID)},
        {"without states", GOOD(3, UNDEF), GOOD(2, VALID), 0, UPD_OK, UPD_OK, 1, 0, GOOD(3, VALID),
         GOOD(3, UNDEF)},
        {"factory runs", GOOD(3, INVALID), BLANK, F, UPD_E_STATE, UPD_E_STATE, 0, 0,
         GOOD(3, INVALID), GOOD(3, INVALID)},
        {"the active record is of a slot that did not start", GOOD(3, PENDING), BLANK, 1, UPD_OK,
         UPD_E_STATE, 1, 0, GOOD(3, VALID), GOOD(3, PENDING)},
        {"fell back to a slot with a record", GOOD(3, PENDING), GOOD(2, VALID), 1, UPD_OK, UPD_OK,
         1, 0, GOOD(3, VALID), GOOD(3, PENDING)},
        /* clang-format on */
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct upd_otadata data = data_of(rows[i].first, rows[i].second, 2, rows[i].running);
        struct upd_otadata idf = data, safe = data;
        struct upd_otadata_plan plan = {.count = 9};
        CHECK_THAT(rows[i].name,
                   upd_otadata_plan_confirm(&data, UPD_OTADATA_AS_IDF, &plan) == rows[i].idf);
        CHECK_THAT(rows[i].name, plan.count == rows[i].idf_writes);
        if (rows[i].idf == UPD_OK) {
            carry_out(&idf, &plan);
        }
        plan.count = 9;
        CHECK_THAT(rows[i].name,
                   upd_otadata_plan_confirm(&data, UPD_OTADATA_SAFE, &plan) == rows[i].safe);
        CHECK_THAT(rows[i].name, plan.count == rows[i].safe_writes);
        if (rows[i].safe == UPD_OK) {
            carry_out(&safe, &plan);
        }
        CHECK_THAT(rows[i].name, holds(&idf, rows[i].then_idf, rows[i].second));
        CHECK_THAT(rows[i].name, holds(&safe, rows[i].then_safe, rows[i].second));
        data.rtos = true;
        if (upd_otadata_active(&data) >= 0 && rows[i].safe == UPD_OK) {
            CHECK_THAT(rows[i].name,
                       upd_otadata_plan_confirm(&data, UPD_OTADATA_SAFE, &plan) == UPD_OK &&
                           plan.count == 0);
        }
    }
}

static void test_rolling_back_needs_something_to_go_to(void)
{
    static const struct {
        const char *name;
        struct copy first, second;
        uint16_t slots;
        bool factory, possible;
    } rows[] = {
        /* clang-format off */
        {"the other slot", GOOD(1, VALID), GOOD(2, PENDING), 1, false, true},
        {"the other slot is broken", GOOD(1, VALID), GOOD(2, PENDING), 2, true, false},
        {"factory", BLANK, GOOD(2, PENDING), 2, true, true},
        {"factory is broken", BLANK, GOOD(2, PENDING), 2, false, false},
        {"factory, past a record given up", GOOD(1, ABORTED), GOOD(2, VALID), 3, true, true},
        {"no active copy", GOOD(1, ABORTED), BLANK, 3, true, false},
        /* clang-format on */
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct upd_otadata data = data_of(rows[i].first, rows[i].second, 2, 1);
        struct upd_otadata_images images = {rows[i].slots, rows[i].factory};
        struct upd_otadata_plan plan = {.count = 77};
        CHECK_THAT(rows[i].name, upd_otadata_can_roll_back(&data, &images) == rows[i].possible);
        enum upd_err err = upd_otadata_plan_reject(&data, &images, &plan);
        if (rows[i].possible) {
            CHECK_THAT(rows[i].name, err == UPD_OK && plan.count == 1);
            carry_out(&data, &plan);
            CHECK_THAT(rows[i].name, upd_otadata_state(data.copy[1]) == INVALID);
            CHECK_THAT(rows[i].name, same(get(data.copy[0]), rows[i].first));
        } else {
            CHECK_THAT(rows[i].name,
                       err == (upd_otadata_active(&data) < 0 ? UPD_E_STATE : UPD_E_NOT_FOUND));
            CHECK_THAT(rows[i].name, plan.count == 0);
        }
    }
}

static void test_another_slots_record_is_not_given_up(void)
{
    struct upd_otadata data =
        data_of((struct copy)GOOD(1, VALID), (struct copy)GOOD(2, VALID), 2, 0);
    struct upd_otadata_images images = {3, true};
    struct upd_otadata_plan plan = {.count = 77};

    CHECK(upd_otadata_plan_reject(&data, &images, &plan) == UPD_E_STATE && plan.count == 0);
    data.running = UPD_OTADATA_NONE;
    CHECK(upd_otadata_plan_reject(&data, &images, &plan) == UPD_OK && plan.write[0].copy == 1);
    data.slots = 0;
    CHECK(upd_otadata_plan_reject(&data, &images, &plan) == UPD_E_STATE);
}

static void test_the_last_invalid_slot(void)
{
    static const struct {
        const char *name;
        struct copy first, second;
        uint16_t slots;
        int8_t slot;
    } rows[] = {
        /* clang-format off */
        {"invalid", GOOD(1, VALID), GOOD(2, INVALID), 3, 1},
        {"aborted", GOOD(3, ABORTED), GOOD(2, VALID), 3, 0},
        {"its image is gone", GOOD(1, VALID), GOOD(2, INVALID), 1, UPD_OTADATA_NONE},
        {"of two the smaller number", GOOD(5, ABORTED), GOOD(4, INVALID), 3, 1},
        {"of two the smaller number, turned round", GOOD(3, ABORTED), GOOD(4, INVALID), 3, 0},
        {"bad CRC", GOOD(1, VALID), BAD(2, INVALID), 3, UPD_OTADATA_NONE},
        {"blank with a state", GOOD(UINT32_MAX, INVALID), BLANK, 3, UPD_OTADATA_NONE},
        {"none", GOOD(1, VALID), GOOD(2, UNDEF), 3, UPD_OTADATA_NONE},
        /* clang-format on */
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct upd_otadata data = data_of(rows[i].first, rows[i].second, 2, 0);
        struct upd_otadata_images images = {rows[i].slots, true};
        CHECK_THAT(rows[i].name, upd_otadata_last_invalid(&data, &images) == rows[i].slot);
        data.slots = 0;
        CHECK_THAT(rows[i].name, upd_otadata_last_invalid(&data, &images) == UPD_OTADATA_NONE);
    }
}

static void test_forgetting_what_ran_before(void)
{
    static const struct {
        const char *name;
        struct copy first, second;
        int8_t running, slot;
    } rows[] = {
        /* clang-format off */
        {"the other slot", GOOD(1, VALID), GOOD(2, VALID), 1, 0},
        {"given up before", GOOD(3, VALID), GOOD(2, INVALID), 0, 1},
        {"blank", GOOD(1, VALID), BLANK, 0, UPD_OTADATA_NONE},
        {"bad CRC", GOOD(1, VALID), BAD(2, VALID), 0, UPD_OTADATA_NONE},
        {"it runs", GOOD(1, VALID), GOOD(2, VALID), 0, UPD_OTADATA_NONE},
        {"no active copy", GOOD(1, INVALID), GOOD(2, INVALID), F, UPD_OTADATA_NONE},
        /* clang-format on */
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct upd_otadata data = data_of(rows[i].first, rows[i].second, 2, rows[i].running);
        struct upd_otadata_plan plan = {.count = 77};
        int8_t slot = 55;
        enum upd_err err = upd_otadata_plan_forget(&data, &slot, &plan);
        if (rows[i].slot == UPD_OTADATA_NONE) {
            CHECK_THAT(rows[i].name, err == UPD_E_STATE && slot == 55 && plan.count == 0);
        } else {
            CHECK_THAT(rows[i].name, err == UPD_OK && slot == rows[i].slot && plan.count == 1);
            CHECK_THAT(rows[i].name, (int8_t)plan.write[0].copy != upd_otadata_active(&data));
        }
    }
}

/* --- The boot loaders' decision ------------------------------------------------------------- */

/* Which images would start, and their secure versions; the context of the two questions. */
struct apps {
    uint16_t slots;
    bool factory, test;
    uint32_t version[2];
};

static bool verifies(void *ctx, int8_t app)
{
    const struct apps *apps = ctx;

    return app == F                  ? apps->factory
           : app == UPD_OTADATA_TEST ? apps->test
                                     : (apps->slots >> app & 1) != 0;
}

static bool secure_version(void *ctx, int8_t app, uint32_t *version)
{
    const struct apps *apps = ctx;

    if (app < 0 || app > 1) {
        return false;
    }
    *version = apps->version[app];
    return true;
}

static struct upd_otadata_boot boot_of(enum upd_otadata_loader loader, struct copy first,
                                       struct copy second, uint8_t slots, bool factory,
                                       struct apps *apps)
{
    struct upd_otadata_boot boot = {
        .loader = loader,
        .layout = {.otadata_offset = 0xD000,
                   .otadata_size = 0x2000,
                   .slots = (uint16_t)((1u << slots) - 1),
                   .slot_count = slots,
                   .factory = factory},
        .verifies = verifies,
        .secure_version = secure_version,
        .ctx = apps,
        .fuse_size = 16,
    };

    put(boot.copy[0], first);
    put(boot.copy[1], second);
    return boot;
}

/* Boot, and let the boot loader's writes happen. */
static struct upd_otadata_decision boot_it(struct upd_otadata_boot *boot)
{
    struct upd_otadata_decision decision;

    upd_otadata_decide(boot, &decision);
    for (uint32_t i = 0; i < decision.write_count; i++) {
        memcpy(boot->copy[decision.write[i].copy], decision.write[i].record, 32);
    }
    return decision;
}

/* Two slots, with or without a factory partition, and with images that do or do not verify. */
static const struct truth {
    const char *name;
    struct copy first, second;
    bool factory;
    uint16_t good; /* slots that verify */
    bool good_factory;
    int8_t idf, rollback, rtos;          /* what starts */
    struct copy then_first, then_second; /* with rollback */
} truths[] = {
    /* clang-format off */
    {"erased", BLANK, BLANK, true, 3, true, F, F, F, BLANK, BLANK},
    {"erased, no factory", BLANK, BLANK, false, 3, false, 0, 0, 0, GOOD(1, VALID), BLANK},
    {"1", GOOD(1, UNDEF), BLANK, true, 3, true, 0, 0, 0, GOOD(1, UNDEF), BLANK},
    {"1, 2", GOOD(1, UNDEF), GOOD(2, UNDEF), true, 3, true, 1, 1, 1, GOOD(1, UNDEF),
     GOOD(2, UNDEF)},
    {"3, 2", GOOD(3, UNDEF), GOOD(2, UNDEF), true, 3, true, 0, 0, 0, GOOD(3, UNDEF),
     GOOD(2, UNDEF)},
    {"2, 2", GOOD(2, UNDEF), GOOD(2, UNDEF), true, 3, true, 1, 1, 1, GOOD(2, UNDEF),
     GOOD(2, UNDEF)},
    {"1 bad CRC", BAD(1, UNDEF), BLANK, true, 3, true, F, F, F, BAD(1, UNDEF), BLANK},
    {"1 bad CRC, no factory", BAD(1, UNDEF), BLANK, false, 3, false, 0, 0, 0, BAD(1, UNDEF), BLANK},
    {"both CRCs bad", BAD(1, UNDEF), BAD(2, UNDEF), true, 3, true, F, F, F, BAD(1, UNDEF),
     BAD(2, UNDEF)},
    {"1/VALID, 2/NEW", GOOD(1, VALID), GOOD(2, NEW), true, 3, true, 1, 1, 1, GOOD(1, VALID),
     GOOD(2, PENDING)},
    {"1/VALID, 2/PENDING", GOOD(1, VALID), GOOD(2, PENDING), true, 3, true, 1, 0, 1, GOOD(1, VALID),
     GOOD(2, ABORTED)},
    {"1/VALID, 2/INVALID", GOOD(1, VALID), GOOD(2, INVALID), true, 3, true, 0, 0, 1, GOOD(1, VALID),
     GOOD(2, INVALID)},
    {"1/VALID, 2/ABORTED", GOOD(1, VALID), GOOD(2, ABORTED), true, 3, true, 0, 0, 1, GOOD(1, VALID),
     GOOD(2, ABORTED)},
    {"1/INVALID, 2/ABORTED", GOOD(1, INVALID), GOOD(2, ABORTED), true, 3, true, F, F, 1,
     GOOD(1, INVALID), GOOD(2, ABORTED)},
    {"1/INVALID, 2/ABORTED, no factory", GOOD(1, INVALID), GOOD(2, ABORTED), false, 3, false, 0, 0,
     1, GOOD(1, INVALID), GOOD(2, ABORTED)},
    {"1/NEW", GOOD(1, NEW), BLANK, true, 3, true, 0, 0, 0, GOOD(1, PENDING), BLANK},
    {"1/PENDING", GOOD(1, PENDING), BLANK, true, 3, true, 0, F, 0, GOOD(1, ABORTED), BLANK},
    {"1/PENDING, no factory", GOOD(1, PENDING), BLANK, false, 3, false, 0, 0, 0, GOOD(1, ABORTED),
     BLANK},
    {"2/VALID is broken", GOOD(1, VALID), GOOD(2, VALID), true, 1, true, 0, 0, 0, GOOD(1, VALID),
     GOOD(2, VALID)},
    {"1/VALID is broken", GOOD(1, VALID), BLANK, true, 2, true, F, F, F, GOOD(1, VALID), BLANK},
    {"1/VALID is broken, no factory", GOOD(1, VALID), BLANK, false, 2, false, 1, 1, 1,
     GOOD(1, VALID), BLANK},
    {"1/VALID and factory are broken", GOOD(1, VALID), BLANK, true, 2, false, 1, 1, 1,
     GOOD(1, VALID), BLANK},
    {"number zero", GOOD(0, UNDEF), BLANK, true, 3, true, 1, 1, 1, GOOD(0, UNDEF), BLANK},
    {"highest number, 4", GOOD(0xFFFFFFFE, UNDEF), GOOD(4, UNDEF), true, 3, true, 1, 1, 1,
     GOOD(0xFFFFFFFE, UNDEF), GOOD(4, UNDEF)},
    /* clang-format on */
};

static void test_the_published_truth_table(void)
{
    for (size_t i = 0; i < sizeof truths / sizeof truths[0]; i++) {
        const struct truth *row = &truths[i];
        struct apps apps = {.slots = row->good, .factory = row->good_factory};
        const struct {
            enum upd_otadata_loader loader;
            int8_t chosen;
        } expected[] = {{UPD_OTADATA_LOADER_IDF, row->idf},
                        {UPD_OTADATA_LOADER_IDF_ROLLBACK, row->rollback},
                        {UPD_OTADATA_LOADER_RTOS, row->rtos}};
        for (size_t k = 0; k < 3; k++) {
            struct upd_otadata_boot boot =
                boot_of(expected[k].loader, row->first, row->second, 2, row->factory, &apps);
            struct upd_otadata_decision decision = boot_it(&boot);
            struct copy first = get(boot.copy[0]), second = get(boot.copy[1]);
            CHECK_THAT(row->name, decision.outcome == UPD_OTADATA_STARTS);
            CHECK_THAT(row->name, decision.chosen == expected[k].chosen);
            if (k == 1) {
                CHECK_THAT(row->name, same(first, row->then_first));
                CHECK_THAT(row->name, same(second, row->then_second));
            } else if (k == 2) {
                CHECK_THAT(row->name, decision.write_count == 0);
            } else {
                /* Without rollback nothing is written but the slot of a first boot. */
                bool is_first_boot = same(row->first, blank) && !row->factory;
                CHECK_THAT(row->name, decision.write_count == is_first_boot);
                CHECK_THAT(row->name,
                           same(first, is_first_boot ? (struct copy)GOOD(1, VALID) : row->first));
            }
        }
    }
}

/* Two slots and factory, a boot loader with rollback; otadata after each step. */
static void test_the_published_rollback_scenario(void)
{
    struct apps apps = {.slots = 3, .factory = true};
    struct upd_otadata_images images = {3, true};
    struct upd_otadata_boot boot =
        boot_of(UPD_OTADATA_LOADER_IDF_ROLLBACK, blank, blank, 2, true, &apps);
    struct upd_otadata data = data_of(blank, blank, 2, F);
    struct upd_otadata_plan plan;
    uint32_t state;

#define BOOTS(app)                                                                                 \
    do {                                                                                           \
        memcpy(boot.copy, data.copy, sizeof data.copy);                                            \
        CHECK(boot_it(&boot).chosen == (app));                                                     \
        memcpy(data.copy, boot.copy, sizeof data.copy);                                            \
        data.running = (app);                                                                      \
    } while (0)
#define DOES(call)                                                                                 \
    do {                                                                                           \
        CHECK((call) == UPD_OK);                                                                   \
        carry_out(&data, &plan);                                                                   \
    } while (0)

    BOOTS(F);
    DOES(upd_otadata_plan_boot(&data, UPD_OTADATA_AS_IDF, 0, true, &plan));
    CHECK(holds(&data, (struct copy)GOOD(1, NEW), blank));
    BOOTS(0);
    CHECK(holds(&data, (struct copy)GOOD(1, PENDING), blank));
    CHECK(upd_otadata_state_of(&data, 0, &state) == UPD_OK && state == PENDING);
    DOES(upd_otadata_plan_confirm(&data, UPD_OTADATA_AS_IDF, &plan));
    CHECK(holds(&data, (struct copy)GOOD(1, VALID), blank));
    DOES(upd_otadata_plan_boot(&data, UPD_OTADATA_AS_IDF, 1, true, &plan));
    CHECK(holds(&data, (struct copy)GOOD(1, VALID), (struct copy)GOOD(2, NEW)));
    BOOTS(1);
    CHECK(holds(&data, (struct copy)GOOD(1, VALID), (struct copy)GOOD(2, PENDING)));
    DOES(upd_otadata_plan_reject(&data, &images, &plan));
    CHECK(holds(&data, (struct copy)GOOD(1, VALID), (struct copy)GOOD(2, INVALID)));
    BOOTS(0);
    CHECK(upd_otadata_last_invalid(&data, &images) == 1);
    DOES(upd_otadata_plan_begin(&data, UPD_OTADATA_AS_IDF, 1, &plan));
    CHECK(holds(&data, (struct copy)GOOD(1, VALID), blank));
#undef BOOTS
#undef DOES
}

static void check_order(const char *name, const struct upd_otadata_boot *boot, int8_t start,
                        const int8_t *order, uint32_t count)
{
    struct upd_otadata_decision decision;

    upd_otadata_decide(boot, &decision);
    CHECK_THAT(name, decision.start == start);
    CHECK_THAT(name, decision.order_count == count);
    CHECK_THAT(name, memcmp(decision.order, order, count) == 0);
    CHECK_THAT(name, decision.tried == count && decision.chosen == UPD_OTADATA_NONE);
    CHECK_THAT(name,
               decision.outcome == (boot->loader == UPD_OTADATA_LOADER_RTOS ? UPD_OTADATA_STOPS
                                                                            : UPD_OTADATA_RESETS));
}

static void test_the_order_of_the_search(void)
{
    struct apps none = {0};
    struct copy third = GOOD(3, VALID);
    struct upd_otadata_boot boot = boot_of(UPD_OTADATA_LOADER_IDF, third, blank, 5, true, &none);

    boot.layout.test = true;
    check_order("from slot 2", &boot, 2, (const int8_t[]){2, 1, 0, F, 3, 4, UPD_OTADATA_TEST}, 7);
    boot.layout.slots = 0x15; /* slots 1 and 3 are empty */
    check_order("with gaps", &boot, 2, (const int8_t[]){2, 0, F, 4, UPD_OTADATA_TEST}, 5);
    boot.layout.slot_count = 3; /* as when ota_0, ota_2 and ota_4 are all there is */
    check_order("past the count", &boot, 2, (const int8_t[]){2, 0, F, UPD_OTADATA_TEST}, 4);
    boot.layout.slot_count = 0;
    check_order("no slots", &boot, F, (const int8_t[]){F, UPD_OTADATA_TEST}, 2);
    boot.loader = UPD_OTADATA_LOADER_RTOS;
    boot.layout.factory = false;
    check_order("RTOS stops", &boot, 0, (const int8_t[]){UPD_OTADATA_TEST}, 1);
    boot.layout = (struct upd_boot_layout){.slots = 0xFFFF, .slot_count = 16, .factory = true};
    boot.loader = UPD_OTADATA_LOADER_IDF;
    check_order("no otadata, all slots", &boot, F,
                (const int8_t[]){F, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, 17);
    boot.layout.slot_count = 20; /* a table may name a slot twice */
    check_order("more rows than slots", &boot, F,
                (const int8_t[]){F, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, 17);
}

static void test_reasons(void)
{
    struct apps all = {.slots = 3, .factory = true, .test = true};
    struct upd_otadata_boot boot =
        boot_of(UPD_OTADATA_LOADER_IDF, (struct copy)GOOD(2, VALID), blank, 2, true, &all);
    struct upd_otadata_decision decision;

    upd_otadata_decide(&boot, &decision);
    CHECK(decision.reason == UPD_OTADATA_BECAUSE_ACTIVE && decision.active == 0);
    CHECK(decision.chosen == 1 && decision.tried == 1 && decision.order_count == 3);

    boot.copy[0][0] ^= 1;
    upd_otadata_decide(&boot, &decision);
    CHECK(decision.reason == UPD_OTADATA_BECAUSE_DAMAGED && decision.active == UPD_OTADATA_NONE);
    memset(boot.copy, 0xFF, sizeof boot.copy);
    upd_otadata_decide(&boot, &decision);
    CHECK(decision.reason == UPD_OTADATA_BECAUSE_EMPTY && decision.chosen == F);

    boot.layout.otadata_size = 0x1FFF;
    upd_otadata_decide(&boot, &decision);
    CHECK(decision.reason == UPD_OTADATA_BECAUSE_TOO_SMALL);
    CHECK(decision.outcome == UPD_OTADATA_RESETS && decision.start == UPD_OTADATA_NONE);
    boot.loader = UPD_OTADATA_LOADER_RTOS;
    upd_otadata_decide(&boot, &decision);
    CHECK(decision.outcome == UPD_OTADATA_STOPS);

    boot.layout.otadata_offset = 0;
    upd_otadata_decide(&boot, &decision);
    CHECK(decision.reason == UPD_OTADATA_BECAUSE_NO_OTADATA && decision.chosen == F);

    for (int i = UPD_OTADATA_BECAUSE_NO_OTADATA; i <= UPD_OTADATA_BECAUSE_NO_TEST; i++) {
        CHECK(upd_otadata_reason_text((enum upd_otadata_reason)i) !=
              upd_otadata_reason_text((enum upd_otadata_reason)99));
    }
}

static void test_the_test_pin(void)
{
    struct apps all = {.slots = 3, .factory = true, .test = true};
    struct upd_otadata_boot boot =
        boot_of(UPD_OTADATA_LOADER_IDF, (struct copy)GOOD(1, VALID), blank, 2, true, &all);
    struct upd_otadata_decision decision;

    boot.test_held = true;
    upd_otadata_decide(&boot, &decision);
    CHECK(decision.outcome == UPD_OTADATA_RESETS && decision.reason == UPD_OTADATA_BECAUSE_NO_TEST);
    boot.layout.test = true;
    upd_otadata_decide(&boot, &decision);
    CHECK(decision.chosen == UPD_OTADATA_TEST && decision.order_count == 1);
    CHECK(decision.reason == UPD_OTADATA_BECAUSE_TEST_PIN && decision.write_count == 0);
    all.test = false; /* and no other app is tried */
    upd_otadata_decide(&boot, &decision);
    CHECK(decision.outcome == UPD_OTADATA_RESETS && decision.tried == 1);
    boot.deep_sleep_wake = true;
    upd_otadata_decide(&boot, &decision);
    CHECK(decision.chosen == 0);

    boot.loader = UPD_OTADATA_LOADER_RTOS; /* which looks at the pin after deep sleep too */
    boot.test_in_slot_1 = true;
    upd_otadata_decide(&boot, &decision);
    CHECK(decision.chosen == 1 && decision.reason == UPD_OTADATA_BECAUSE_TEST_PIN);
}

static void test_a_factory_reset(void)
{
    struct apps all = {.slots = 3, .factory = true};
    struct upd_otadata_boot boot =
        boot_of(UPD_OTADATA_LOADER_IDF_ROLLBACK, (struct copy)GOOD(1, VALID),
                (struct copy)GOOD(2, NEW), 2, true, &all);
    struct upd_otadata_decision decision;

    boot.factory_reset_held = true;
    boot.test_held = true; /* is not looked at then */
    /* The first look made the new record pending, the second one gives it up. */
    upd_otadata_decide(&boot, &decision);
    CHECK(decision.factory_reset && decision.chosen == 0 && decision.write_count == 2);
    CHECK(upd_otadata_state(decision.write[0].record) == PENDING);
    CHECK(upd_otadata_state(decision.write[1].record) == ABORTED);

    boot.factory_reset_erases_otadata = true;
    upd_otadata_decide(&boot, &decision);
    CHECK(decision.chosen == F && decision.write_count == 3);
    CHECK(decision.write[1].copy == 0 && decision.write[2].copy == 1);
    CHECK(decision.write[1].record[0] == 0xFF && decision.write[2].record[31] == 0xFF);

    boot.layout.factory = false; /* then slot 0 starts, and is recorded */
    upd_otadata_decide(&boot, &decision);
    CHECK(decision.chosen == 0 && decision.write_count == 4);
    CHECK(same(get(decision.write[3].record), (struct copy)GOOD(1, VALID)));

    boot.loader = UPD_OTADATA_LOADER_RTOS; /* the chip has no such pin */
    boot.test_held = false;
    upd_otadata_decide(&boot, &decision);
    CHECK(!decision.factory_reset && decision.chosen == 1 && decision.write_count == 0);
}

static void test_rtos_copies_slot_1_over_slot_0(void)
{
    struct apps apps = {.slots = 2};
    struct upd_otadata_boot boot =
        boot_of(UPD_OTADATA_LOADER_RTOS, (struct copy)GOOD(2, UNDEF), blank, 2, false, &apps);
    struct upd_otadata_decision decision;

    boot.copies_slot_1 = true;
    upd_otadata_decide(&boot, &decision);
    CHECK(decision.copies_slot_1 && decision.start == 0 && decision.chosen == 0);
    CHECK(decision.write_count == 2 && decision.write[0].record[0] == 0xFF);
    put(boot.copy[0], (struct copy)GOOD(1, UNDEF));
    apps.slots = 1;
    upd_otadata_decide(&boot, &decision);
    CHECK(!decision.copies_slot_1 && decision.chosen == 0 && decision.write_count == 0);
    boot.loader = UPD_OTADATA_LOADER_IDF;
    put(boot.copy[0], (struct copy)GOOD(2, UNDEF));
    upd_otadata_decide(&boot, &decision);
    CHECK(!decision.copies_slot_1 && decision.write_count == 0);
}

static void test_anti_rollback(void)
{
    static const struct {
        const char *name;
        struct copy first, second;
        uint16_t good;
        uint32_t fuse, version[2];
        int8_t start, chosen;
        uint32_t fuse_after;
        uint8_t writes;
    } rows[] = {
        /* clang-format off */
        {"first boot burns", BLANK, BLANK, 3, 0, {1, 0}, 0, 0, 1, 1},
        {"first boot, slot 0 is too old", BLANK, BLANK, 3, 1, {0, 2}, 0, 1, 2, 1},
        {"bad CRCs are a first boot", BAD(1, VALID), BLANK, 3, 0, {0, 0}, 0, 0, 0, 1},
        {"given up is not", GOOD(1, ABORTED), BLANK, 3, 0, {0, 0}, F, 0, 0, 0},
        {"valid burns", GOOD(1, VALID), GOOD(2, VALID), 3, 1, {1, 2}, 1, 1, 2, 0},
        {"new does not burn", GOOD(1, VALID), GOOD(2, NEW), 3, 1, {1, 2}, 1, 1, 1, 1},
        {"an older slot is no candidate", GOOD(1, VALID), GOOD(2, NEW), 3, 2, {2, 1}, 0, 0, 2, 0},
        {"no candidate: all are searched", GOOD(1, VALID), BLANK, 3, 1, {0, 1}, F, 1, 1, 0},
        {"all too old", GOOD(1, VALID), GOOD(2, VALID), 3, 3, {1, 2}, F, UPD_OTADATA_NONE, 3, 0},
        {"burned even if it does not verify", GOOD(1, VALID), GOOD(2, VALID), 1, 1, {2, 2}, 1, 0, 2,
         0},
        {"burning shuts the older slot out", GOOD(1, VALID), GOOD(2, VALID), 1, 1, {1, 2}, 1,
         UPD_OTADATA_NONE, 2, 0},
        {"more than the fuse can hold", GOOD(1, VALID), BLANK, 3, 1, {17, 0}, 0, 0, 1, 0},
        {"all that the fuse can hold", GOOD(1, VALID), BLANK, 3, 1, {16, 0}, 0, 0, 16, 0},
        /* clang-format on */
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct apps apps = {.slots = rows[i].good,
                            .version = {rows[i].version[0], rows[i].version[1]}};
        struct upd_otadata_boot boot = boot_of(UPD_OTADATA_LOADER_IDF_ANTI_ROLLBACK, rows[i].first,
                                               rows[i].second, 2, false, &apps);
        struct upd_otadata_decision decision;
        boot.fuse_version = rows[i].fuse;
        upd_otadata_decide(&boot, &decision);
        CHECK_THAT(rows[i].name, decision.start == rows[i].start);
        CHECK_THAT(rows[i].name, decision.chosen == rows[i].chosen);
        CHECK_THAT(rows[i].name, decision.fuse_version == rows[i].fuse_after);
        CHECK_THAT(rows[i].name, decision.write_count == rows[i].writes);
    }
}

/* --- The rules once more -------------------------------------------------------------------- */

/*
 * The boot loaders' rules, stated a second time over records that are already taken apart: which
 * app starts, and what the two records are afterwards.
 */
struct outcome {
    int chosen;
    struct copy copies[2];
};

static int pick(int start, int slots, bool factory, const struct apps *apps)
{
    for (int i = start; i >= 0; i--) {
        if (i < slots && (apps->slots >> i & 1) != 0) {
            return i;
        }
    }
    if (factory && apps->factory) {
        return F;
    }
    for (int i = start < 0 ? 0 : start + 1; i < slots; i++) {
        if ((apps->slots >> i & 1) != 0) {
            return i;
        }
    }
    return UPD_OTADATA_NONE;
}

static struct outcome restate_rtos(const struct copy copies[2], int slots, bool factory,
                                   const struct apps *apps)
{
    struct outcome outcome = {.copies = {copies[0], copies[1]}};
    bool good[2];
    uint32_t sequence;

    if (slots == 0 || (copies[0].sequence == UINT32_MAX && copies[1].sequence == UINT32_MAX)) {
        outcome.chosen = pick(factory ? -1 : 0, slots, factory, apps);
        return outcome;
    }
    for (int i = 0; i < 2; i++) {
        good[i] = copies[i].sequence != UINT32_MAX && !copies[i].crc_is_bad;
    }
    if (!good[0] && !good[1]) {
        outcome.chosen = pick(-1, slots, factory, apps);
        return outcome;
    }
    sequence = !good[0]                                  ? copies[1].sequence
               : !good[1]                                ? copies[0].sequence
               : copies[0].sequence > copies[1].sequence ? copies[0].sequence
                                                         : copies[1].sequence;
    outcome.chosen = pick((int)((sequence - 1) % (uint32_t)slots), slots, factory, apps);
    return outcome;
}

static struct outcome restate_idf(const struct copy copies[2], bool rollback, int slots,
                                  bool factory, const struct apps *apps)
{
    struct outcome outcome = {.copies = {copies[0], copies[1]}};
    struct copy *c = outcome.copies;
    bool empty[2], unreadable[2], valid[2];
    int active = -1;

    for (int i = 0; i < 2; i++) {
        if (rollback && c[i].state == PENDING) {
            c[i].state = ABORTED;
        }
        empty[i] = c[i].sequence == UINT32_MAX || c[i].state == INVALID || c[i].state == ABORTED;
        unreadable[i] = c[i].sequence == UINT32_MAX || c[i].crc_is_bad;
        valid[i] = !empty[i] && !c[i].crc_is_bad;
    }
    if ((empty[0] && empty[1]) || slots == 0) {
        outcome.chosen = pick(factory ? -1 : 0, slots, factory, apps);
        if (!factory && unreadable[0] && unreadable[1] && outcome.chosen >= 0) {
            c[0] = (struct copy){(uint32_t)outcome.chosen + 1, VALID, false};
        }
        return outcome;
    }
    for (int i = 0; i < 2; i++) {
        if (valid[i] && (active < 0 || c[i].sequence > c[active].sequence)) {
            active = i;
        }
    }
    if (active < 0) {
        outcome.chosen = pick(-1, slots, factory, apps);
        return outcome;
    }
    if (rollback && c[active].state == NEW) {
        c[active].state = PENDING;
    }
    outcome.chosen = pick((int)((c[active].sequence - 1) % (uint32_t)slots), slots, factory, apps);
    return outcome;
}

/* Those without fuses; they have a test of their own. */
static const enum upd_otadata_loader loaders[] = {
    UPD_OTADATA_LOADER_IDF, UPD_OTADATA_LOADER_IDF_ROLLBACK, UPD_OTADATA_LOADER_RTOS};

static void compare_with_restatement(const struct copy copies[2], uint8_t slots, bool factory,
                                     struct apps *apps)
{
    for (size_t k = 0; k < 3; k++) {
        struct upd_otadata_boot boot =
            boot_of(loaders[k], copies[0], copies[1], slots, factory, apps);
        struct outcome expected = loaders[k] == UPD_OTADATA_LOADER_RTOS
                                      ? restate_rtos(copies, slots, factory, apps)
                                      : restate_idf(copies, k == 1, slots, factory, apps);
        struct upd_otadata_decision decision = boot_it(&boot);
        CHECK(decision.chosen == expected.chosen);
        CHECK(same(get(boot.copy[0]), expected.copies[0]));
        CHECK(same(get(boot.copy[1]), expected.copies[1]));
    }
}

static const uint32_t all_states[] = {NEW, PENDING, VALID, INVALID, ABORTED, UNDEF, 77};
#define STATES (sizeof all_states / sizeof all_states[0])

/* The i-th record of the domain: numbers x states x CRC. */
static struct copy nth(uint32_t i)
{
    static const uint32_t sequences[] = {0, 1, 2, 3, 0xFFFFFFFE, UINT32_MAX};

    return (struct copy){sequences[i / (2 * STATES)], all_states[i / 2 % STATES], i % 2 != 0};
}

static void test_every_pair_of_records_boots_as_the_rules_say(void)
{
    const uint32_t count = 6 * 2 * STATES;

    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t k = 0; k < count; k++) {
            const struct copy copies[2] = {nth(i), nth(k)};
            /* Vary what is there and what verifies, without the whole product for each pair. */
            for (uint32_t v = 0; v < 4; v++) {
                uint32_t mix = (i * count + k) * 4 + v;
                uint8_t slots = (uint8_t)(mix / 3 % 4);
                struct apps apps = {.slots = (uint16_t)(mix / 16 % 8 & ((1u << slots) - 1)),
                                    .factory = mix / 7 % 2 != 0};
                compare_with_restatement(copies, slots, v % 2 != 0, &apps);
            }
        }
    }
}

/* --- updraft's way, cut anywhere ------------------------------------------------------------ */

/*
 * A device in the middle of its life: two records, some images good, and what its boot loader makes
 * of that is what runs. From there, a whole update of another slot.
 */
struct device {
    struct upd_otadata_boot boot; /* boot.copy is not used: data.copy is */
    struct upd_otadata data;
    struct apps apps;
    const char *what; /* is being tried */
};

static int8_t boots(const struct device *device, const uint8_t copy[2][32], uint32_t times)
{
    struct upd_otadata_boot boot = device->boot;
    struct apps apps = device->apps;
    int8_t chosen = UPD_OTADATA_NONE;

    boot.ctx = &apps;
    memcpy(boot.copy, copy, sizeof boot.copy);
    for (uint32_t i = 0; i < times; i++) {
        chosen = boot_it(&boot).chosen;
    }
    return chosen;
}

/* What a cut in the middle of a write may leave that can be told apart: old, erased, damaged. */
static void torn(uint8_t copy[2][32], const struct upd_otadata_write *write, uint32_t how)
{
    if (how == 1) {
        memset(copy[write->copy], 0xFF, 32);
    } else if (how == 2) {
        memcpy(copy[write->copy], write->record, 28); /* the CRC comes last */
        memset(copy[write->copy] + 28, 0xFF, 4);
    }
}

/* Cut each write of a plan: the next boot, and the one after it, start what ran. Then do it. */
static void do_with_cuts(struct device *device, const struct upd_otadata_plan *plan, int before)
{
    for (uint32_t i = 0; i < plan->count; i++) {
        for (uint32_t how = 0; how < 3; how++) {
            uint8_t copy[2][32];
            memcpy(copy, device->data.copy, sizeof copy);
            torn(copy, &plan->write[i], how);
            CHECK_THAT(device->what, boots(device, (const uint8_t(*)[32])copy, 1) == before);
            CHECK_THAT(device->what, boots(device, (const uint8_t(*)[32])copy, 2) == before);
        }
        memcpy(device->data.copy[plan->write[i].copy], plan->write[i].record, 32);
    }
}

static int8_t boots_now(const struct device *device, uint32_t times)
{
    return boots(device, (const uint8_t(*)[32])device->data.copy, times);
}

/* The trial of a new slot: confirmed, given up by the app, or not confirmed before a reset. */
static void check_trial(const struct device *device, int old, int8_t slot)
{
    bool has_trial = device->boot.loader == UPD_OTADATA_LOADER_IDF_ROLLBACK;
    struct upd_otadata_images images = {device->apps.slots,
                                        device->apps.factory && device->boot.layout.factory};
    struct device tried = *device, given_up;
    struct upd_otadata_plan plan;

    CHECK_THAT(device->what, boots_now(&tried, 1) == slot);
    CHECK_THAT(device->what, boots_now(&tried, 2) == (has_trial ? old : slot));
    CHECK_THAT(device->what, boots_now(&tried, 3) == (has_trial ? old : slot));

    /* The boot loader marks the record, and the slot runs. */
    tried.boot.ctx = &tried.apps;
    memcpy(tried.boot.copy, tried.data.copy, sizeof tried.data.copy);
    (void)boot_it(&tried.boot);
    memcpy(tried.data.copy, tried.boot.copy, sizeof tried.data.copy);
    tried.data.running = slot;

    given_up = tried;
    if (upd_otadata_can_roll_back(&given_up.data, &images)) {
        CHECK_THAT(device->what, upd_otadata_plan_reject(&given_up.data, &images, &plan) == UPD_OK);
        carry_out(&given_up.data, &plan);
        CHECK_THAT(device->what, boots_now(&given_up, 1) == old && boots_now(&given_up, 2) == old);
    }
    CHECK_THAT(device->what,
               upd_otadata_plan_confirm(&tried.data, UPD_OTADATA_SAFE, &plan) == UPD_OK);
    CHECK_THAT(device->what, plan.count <= 1);
    carry_out(&tried.data, &plan);
    CHECK_THAT(device->what, boots_now(&tried, 1) == slot && boots_now(&tried, 2) == slot);
}

static uint32_t updates; /* tried; a loop that leaves all of them out proves nothing */

/* An emulated CPU is a hundred times slower: it takes every seventh pair of records. */
#ifdef __XTENSA__
#define STRIDE 7
#else
#define STRIDE 1
#endif

/* Select a slot whose image is good, cut anywhere, and try it. */
static void select_with_cuts(struct device device, int8_t slot, uint32_t writes)
{
    int old = device.data.running;
    struct upd_otadata_plan plan;

    CHECK_THAT(device.what,
               upd_otadata_plan_boot(&device.data, UPD_OTADATA_SAFE, slot, true, &plan) == UPD_OK);
    CHECK_THAT(device.what, plan.count >= 1 && plan.count <= writes);
    do_with_cuts(&device, &plan, old);
    check_trial(&device, old, slot);
}

static bool stays(const struct device *device)
{
    int old = device->data.running;

    return boots_now(device, 1) == old && boots_now(device, 2) == old;
}

static void update(struct device device, int8_t slot)
{
    struct upd_otadata_plan plan;

    /* Only a device that stays with what it runs can promise to come back to it. */
    if (!stays(&device)) {
        return;
    }
    updates++;
    if ((device.apps.slots >> slot & 1) != 0) {
        select_with_cuts(device, slot, 2);
    }
    CHECK_THAT(device.what,
               upd_otadata_plan_begin(&device.data, UPD_OTADATA_SAFE, slot, &plan) == UPD_OK);
    do_with_cuts(&device, &plan, device.data.running);
    device.apps.slots &= (uint16_t) ~(1u << slot); /* half written */
    CHECK_THAT(device.what, stays(&device));
    device.apps.slots |= (uint16_t)(1u << slot); /* whole, and not yet selected */
    CHECK_THAT(device.what, stays(&device));
    select_with_cuts(device, slot, 1);
}

static void update_every_slot(enum upd_otadata_loader loader, struct copy first, struct copy second,
                              uint8_t slots, uint32_t factory, uint16_t good)
{
    struct device device = {.apps = {.slots = good, .factory = factory == 2}};
    struct upd_otadata_plan plan;
    struct upd_otadata_decision decision;

    device.what = loader == UPD_OTADATA_LOADER_IDF            ? "IDF"
                  : loader == UPD_OTADATA_LOADER_IDF_ROLLBACK ? "IDF with rollback"
                                                              : "RTOS";
    device.boot = boot_of(loader, first, second, slots, factory != 0, &device.apps);
    decision = boot_it(&device.boot);
    if (decision.chosen < F) {
        return; /* nothing runs */
    }
    if (loader == UPD_OTADATA_LOADER_IDF && (first.state == PENDING || second.state == PENDING)) {
        return; /* only a boot loader with rollback makes a record pending */
    }
    device.data = (struct upd_otadata){
        .slots = slots, .running = decision.chosen, .rtos = loader == UPD_OTADATA_LOADER_RTOS};
    memcpy(device.data.copy, device.boot.copy, sizeof device.data.copy);
    /* The SDK refuses an update during a trial, so it is over first. */
    if (upd_otadata_plan_confirm(&device.data, UPD_OTADATA_SAFE, &plan) == UPD_OK) {
        carry_out(&device.data, &plan);
    }
    for (int8_t slot = 0; slot < slots; slot++) {
        if (slot != device.data.running) {
            update(device, slot);
        }
    }
}

static void test_a_safe_update_cut_anywhere_starts_what_ran(void)
{
    static const uint32_t sequences[] = {1, 2, 3, 6},
                          states[] = {NEW, PENDING, VALID, INVALID, ABORTED, UNDEF};
    struct copy records[4 * 6 + 3] = {BLANK, BAD(6, VALID), GOOD(0, VALID)};
    const uint32_t count = sizeof records / sizeof records[0];

    for (uint32_t i = 3; i < count; i++) {
        records[i] = (struct copy){sequences[(i - 3) / 6], states[(i - 3) % 6], false};
    }
    updates = 0;
    for (uint32_t i = 0; i < count * count; i += STRIDE) {
        for (uint8_t slots = 1; slots <= 3; slots++) {
            for (uint32_t good = 0; good < 1u << slots; good++) {
                for (uint32_t factory = 0; factory < 3; factory++) {
                    for (uint32_t k = 0; k < 3; k++) {
                        update_every_slot(loaders[k], records[i / count], records[i % count], slots,
                                          factory, (uint16_t)good);
                    }
                }
            }
        }
    }
    CHECK(updates > 50000 / STRIDE);
}

/* Every style: once a selection is carried out, the slot boots if its image is good. */
static void test_every_style_starts_what_was_selected(void)
{
    const uint32_t count = 6 * 2 * STATES;

    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t k = 0; k < count; k++) {
            uint8_t slots = (uint8_t)(1 + (i + k) % 3);
            int8_t slot = (int8_t)((i * 7 + k) % slots), running = (int8_t)((int)(i % 5) - 2);
            enum upd_otadata_style style = (enum upd_otadata_style)((i / 3 + k) % 4);
            enum upd_otadata_loader loader = style == UPD_OTADATA_AS_RTOS || (i + k / 5) % 3 == 0
                                                 ? UPD_OTADATA_LOADER_RTOS
                                                 : UPD_OTADATA_LOADER_IDF_ROLLBACK;
            struct apps apps = {.slots = 7, .factory = true};
            struct upd_otadata_boot boot = boot_of(loader, nth(i), nth(k), slots, true, &apps);
            struct upd_otadata data = data_of(nth(i), nth(k), slots, running);
            struct upd_otadata_plan plan;
            data.rtos = loader == UPD_OTADATA_LOADER_RTOS;
            enum upd_err err = upd_otadata_plan_boot(&data, style, slot, true, &plan);
            if (err == UPD_OK) {
                carry_out(&data, &plan);
                memcpy(boot.copy, data.copy, sizeof data.copy);
                int8_t chosen = boot_it(&boot).chosen;
                /* The SDKs' arithmetic goes wrong from number 0, which they never write. */
                CHECK(chosen == slot || (style != UPD_OTADATA_SAFE &&
                                         (nth(i).sequence == 0 || nth(k).sequence == 0)));
            } else {
                CHECK(err == UPD_E_STATE &&
                      (nth(i).sequence == 0xFFFFFFFE || nth(k).sequence == 0xFFFFFFFE));
            }
        }
    }
}

int main(void)
{
    CHECK_RUN(test_records_are_the_published_bytes);
    CHECK_RUN(test_every_flip_of_the_number_or_its_crc_is_seen);
    CHECK_RUN(test_states_have_names);
    CHECK_RUN(test_states_change_as_drawn);
    CHECK_RUN(test_the_active_copy);
    CHECK_RUN(test_a_number_names_a_slot);
    CHECK_RUN(test_the_next_slot_to_write);
    CHECK_RUN(test_the_configured_app);
    CHECK_RUN(test_the_state_of_a_slot);
    CHECK_RUN(test_the_published_walk);
    CHECK_RUN(test_selecting_by_style);
    CHECK_RUN(test_the_sdks_keep_a_label);
    CHECK_RUN(test_erasing_for_factory_ends_with_the_active_copy);
    CHECK_RUN(test_a_selection_that_cannot_be_is_refused);
    CHECK_RUN(test_beginning_as_idf_forgets_the_inactive_copy);
    CHECK_RUN(test_confirming);
    CHECK_RUN(test_rolling_back_needs_something_to_go_to);
    CHECK_RUN(test_another_slots_record_is_not_given_up);
    CHECK_RUN(test_the_last_invalid_slot);
    CHECK_RUN(test_forgetting_what_ran_before);
    CHECK_RUN(test_the_published_truth_table);
    CHECK_RUN(test_the_published_rollback_scenario);
    CHECK_RUN(test_the_order_of_the_search);
    CHECK_RUN(test_reasons);
    CHECK_RUN(test_the_test_pin);
    CHECK_RUN(test_a_factory_reset);
    CHECK_RUN(test_rtos_copies_slot_1_over_slot_0);
    CHECK_RUN(test_anti_rollback);
    CHECK_RUN(test_every_pair_of_records_boots_as_the_rules_say);
    CHECK_RUN(test_a_safe_update_cut_anywhere_starts_what_ran);
    CHECK_RUN(test_every_style_starts_what_was_selected);
    check_end();
}
