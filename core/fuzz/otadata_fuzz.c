/*
 * Any two records, and a byte each for: slots, what runs, images that verify, slots that are in the
 * table, options. What is missing of the input is 0xFF.
 *
 * Held: a boot loader starts only what verifies, and writes only what its struct has room for; a
 * plan touches no copy but 0 and 1; updraft's own way never touches the running slot's record, and
 * leads to what was selected.
 */
#include <updraft/bytes.h>
#include <updraft/otadata.h>

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HOLD(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

struct input {
    uint8_t copy[2][UPD_OTADATA_RECORD_SIZE];
    uint8_t slots, running, images, table, options;
};

static bool verifies(void *ctx, int8_t app)
{
    const struct input *input = ctx;

    return (input->images >> (app < 0 ? 8 + app : app % 6) & 1) != 0;
}

static bool all_verify(void *ctx, int8_t app)
{
    (void)ctx;
    (void)app;
    return true;
}

static bool secure_version(void *ctx, int8_t app, uint32_t *version)
{
    const struct input *input = ctx;

    *version = input->options + (uint32_t)(app & 3);
    return (input->options & 0x10) == 0 || app != 1;
}

static void decide(struct input *input)
{
    struct upd_otadata_boot boot = {
        .loader = (enum upd_otadata_loader)(input->options & 3),
        .layout = {.otadata_offset = input->table & 0x80,
                   .otadata_size = (input->table & 0x40) != 0 ? 0x2000 : 0x1000,
                   .slots = (uint16_t)(input->table * 0x101u),
                   .slot_count = input->slots % (UPD_PARTITION_MAX + 1),
                   .factory = (input->options & 4) != 0,
                   .test = (input->options & 8) != 0},
        .verifies = verifies,
        .secure_version = secure_version,
        .ctx = input,
        .fuse_version = input->running,
        .fuse_size = 32,
        .factory_reset_held = (input->options & 0x20) != 0,
        .factory_reset_erases_otadata = (input->table & 1) != 0,
        .test_held = (input->options & 0x40) != 0,
        .test_in_slot_1 = (input->table & 2) != 0,
        .copies_slot_1 = (input->options & 0x80) != 0,
    };
    struct upd_otadata_decision decision;

    memcpy(boot.copy, input->copy, sizeof boot.copy);
    upd_otadata_decide(&boot, &decision);
    HOLD(decision.write_count <= UPD_OTADATA_BOOT_WRITES_MAX);
    HOLD(decision.order_count <= UPD_OTADATA_APPS_MAX && decision.tried <= decision.order_count);
    HOLD((decision.outcome == UPD_OTADATA_STARTS) == (decision.chosen != UPD_OTADATA_NONE));
    if (decision.chosen != UPD_OTADATA_NONE) {
        HOLD(decision.order[decision.tried - 1] == decision.chosen);
        HOLD(verifies(input, decision.copies_slot_1 && decision.chosen == 0 ? 1 : decision.chosen));
    }
    for (uint32_t i = 0; i < decision.write_count; i++) {
        HOLD(decision.write[i].copy < 2);
    }
}

static void carry_out(struct upd_otadata *data, const struct upd_otadata_plan *plan)
{
    HOLD(plan->count <= 2);
    for (uint32_t i = 0; i < plan->count; i++) {
        HOLD(plan->write[i].copy < 2);
        memcpy(data->copy[plan->write[i].copy], plan->write[i].record, UPD_OTADATA_RECORD_SIZE);
    }
}

/* The copy that the running slot's record is in, by the predicates alone. */
static int record_of_running(const struct upd_otadata *data)
{
    int active = upd_otadata_active(data);

    for (int i = 0; i < 2 && active >= 0; i++) {
        int copy = i == 0 ? active : 1 - active;
        if (data->running >= 0 && upd_otadata_is_valid(data, (uint32_t)copy) &&
            upd_otadata_slot(data, (uint32_t)copy) == data->running) {
            return copy;
        }
    }
    return -1;
}

static void select_safely(struct upd_otadata data, int8_t slot, bool trial)
{
    const struct upd_otadata before = data;
    int kept = record_of_running(&data);
    struct upd_otadata_plan plan;

    if (upd_otadata_plan_boot(&data, UPD_OTADATA_SAFE, slot, trial, &plan) != UPD_OK) {
        HOLD(plan.count == 0);
        return;
    }
    carry_out(&data, &plan);
    if (slot == UPD_OTADATA_FACTORY) {
        HOLD(upd_otadata_active(&data) == UPD_OTADATA_NONE);
        return;
    }
    HOLD(kept < 0 || memcmp(data.copy[kept], before.copy[kept], UPD_OTADATA_RECORD_SIZE) == 0);
    int active = upd_otadata_active(&data);
    HOLD(active >= 0 && upd_otadata_slot(&data, (uint32_t)active) == slot);

    struct upd_otadata_boot boot = {
        .loader = data.rtos ? UPD_OTADATA_LOADER_RTOS : UPD_OTADATA_LOADER_IDF,
        .layout = {.otadata_offset = 0xD000,
                   .otadata_size = 0x2000,
                   .slots = 0xFFFF,
                   .slot_count = data.slots,
                   .factory = true},
        .verifies = all_verify,
    };
    struct upd_otadata_decision decision;
    memcpy(boot.copy, data.copy, sizeof boot.copy);
    upd_otadata_decide(&boot, &decision);
    HOLD(decision.chosen == slot && decision.write_count == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct input input;
    struct upd_otadata data;
    struct upd_otadata_plan plan;
    struct upd_otadata_images images;
    uint32_t state;
    int8_t slot;

    memset(&input, 0xFF, sizeof input);
    memcpy(&input, bytes, size < sizeof input ? size : sizeof input);
    decide(&input);

    memcpy(data.copy, input.copy, sizeof data.copy);
    data.slots = input.slots % (UPD_PARTITION_SLOT_MAX + 1);
    data.running = (int8_t)(input.running % 20 - 3);
    data.rtos = (input.options & 1) != 0;
    images = (struct upd_otadata_images){input.images, (input.options & 2) != 0};
    for (slot = -2; slot <= UPD_PARTITION_SLOT_MAX; slot++) {
        select_safely(data, slot, (input.options & 4) != 0);
        for (int style = UPD_OTADATA_SAFE; style <= UPD_OTADATA_AS_RTOS; style++) {
            struct upd_otadata changed = data;
            if (upd_otadata_plan_begin(&data, (enum upd_otadata_style)style, slot, &plan) ==
                UPD_OK) {
                carry_out(&changed, &plan);
                HOLD(record_of_running(&data) < 0 || record_of_running(&changed) >= 0);
            }
            if (upd_otadata_plan_boot(&data, (enum upd_otadata_style)style, slot, true, &plan) ==
                UPD_OK) {
                carry_out(&changed, &plan);
            }
        }
        (void)upd_otadata_state_of(&data, slot, &state);
    }
    for (int style = UPD_OTADATA_SAFE; style <= UPD_OTADATA_AS_RTOS; style++) {
        struct upd_otadata changed = data;
        if (upd_otadata_plan_confirm(&data, (enum upd_otadata_style)style, &plan) == UPD_OK) {
            carry_out(&changed, &plan);
            HOLD(upd_otadata_active(&changed) == upd_otadata_active(&data));
        }
    }
    if (upd_otadata_plan_reject(&data, &images, &plan) == UPD_OK) {
        struct upd_otadata changed = data;
        carry_out(&changed, &plan);
        HOLD(upd_otadata_active(&changed) != upd_otadata_active(&data));
    }
    if (upd_otadata_plan_forget(&data, &slot, &plan) == UPD_OK) {
        HOLD(slot >= 0 && slot < data.slots && slot != data.running);
    }
    (void)upd_otadata_last_invalid(&data, &images);
    return 0;
}
