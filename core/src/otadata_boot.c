/* The vendor boot loaders' decision. A device that boots with them does not link this file. */
#include <updraft/otadata.h>

#include <updraft/bytes.h>

/* A boot loader at work: its inputs, what it has decided so far, and otadata as it is by now. */
struct loader {
    const struct upd_otadata_boot *boot;
    struct upd_otadata_decision *decision;
    struct upd_otadata data;
    bool first_boot; /* the slot that starts will be written into otadata */
};

const char *upd_otadata_reason_text(enum upd_otadata_reason reason)
{
    switch (reason) {
#define X(name, text)                                                                              \
    case UPD_OTADATA_BECAUSE_##name:                                                               \
        return text;
        UPD_OTADATA_REASONS(X)
#undef X
    }
    return "unknown reason";
}

static bool has_rollback(const struct loader *loader)
{
    return loader->boot->loader == UPD_OTADATA_LOADER_IDF_ROLLBACK ||
           loader->boot->loader == UPD_OTADATA_LOADER_IDF_ANTI_ROLLBACK;
}

static bool has_anti_rollback(const struct loader *loader)
{
    return loader->boot->loader == UPD_OTADATA_LOADER_IDF_ANTI_ROLLBACK;
}

/* --- Writes --------------------------------------------------------------------------------- */

/* Write what loader->data holds for a copy. */
static void write_copy(struct loader *loader, uint32_t copy)
{
    struct upd_otadata_write *write = &loader->decision->write[loader->decision->write_count++];

    write->copy = (uint8_t)copy;
    memcpy(write->record, loader->data.copy[copy], UPD_OTADATA_RECORD_SIZE);
}

static void erase_otadata(struct loader *loader)
{
    memset(loader->data.copy, 0xFF, sizeof loader->data.copy);
    write_copy(loader, 0);
    write_copy(loader, 1);
}

/* Write a copy if the event changes its state. */
static void apply(struct loader *loader, uint32_t copy, enum upd_otadata_event event)
{
    uint8_t *record = loader->data.copy[copy];
    uint32_t state = upd_otadata_state(record);
    uint32_t after = upd_otadata_state_after(state, event);

    if (after != state) {
        upd_put_le32(record + 24, after);
        write_copy(loader, copy);
    }
}

/* --- Secure versions ------------------------------------------------------------------------ */

static bool is_new_enough(const struct loader *loader, int8_t app)
{
    uint32_t version;

    return !has_anti_rollback(loader) ||
           (loader->boot->secure_version(loader->boot->ctx, app, &version) &&
            version >= loader->decision->fuse_version);
}

static void burn_version(struct loader *loader, int8_t app)
{
    uint32_t version;

    if (has_anti_rollback(loader) &&
        loader->boot->secure_version(loader->boot->ctx, app, &version) &&
        version > loader->decision->fuse_version && version <= loader->boot->fuse_size) {
        loader->decision->fuse_version = version;
    }
}

/* --- Where to start ------------------------------------------------------------------------- */

static bool is_blank(const uint8_t *record)
{
    return upd_otadata_sequence(record) == 0xFFFFFFFFu || !upd_otadata_crc_is_good(record);
}

/* ESP-IDF's predicate; it does not look at the CRC. */
static bool is_empty(const uint8_t *record)
{
    uint32_t state = upd_otadata_state(record);

    return upd_otadata_sequence(record) == 0xFFFFFFFFu || state == UPD_OTADATA_INVALID ||
           state == UPD_OTADATA_ABORTED;
}

/* True when nothing was ever selected, by each boot loader's own idea of that. */
static bool names_no_slot(const struct loader *loader)
{
    const uint8_t *first = loader->data.copy[0], *second = loader->data.copy[1];

    if (loader->data.slots == 0) {
        return true;
    }
    switch (loader->boot->loader) {
    case UPD_OTADATA_LOADER_IDF:
    case UPD_OTADATA_LOADER_IDF_ROLLBACK:
        return is_empty(first) && is_empty(second);
    case UPD_OTADATA_LOADER_IDF_ANTI_ROLLBACK:
        return is_blank(first) && is_blank(second);
    case UPD_OTADATA_LOADER_RTOS:
        break;
    }
    return upd_otadata_sequence(first) == 0xFFFFFFFFu &&
           upd_otadata_sequence(second) == 0xFFFFFFFFu;
}

/* With anti-rollback, a copy whose slot is too old is no candidate. */
static int8_t active_copy(const struct loader *loader)
{
    struct upd_otadata candidates = loader->data;

    for (uint32_t copy = 0; copy < 2; copy++) {
        if (upd_otadata_is_valid(&loader->data, copy) &&
            !is_new_enough(loader, (int8_t)upd_otadata_slot(&loader->data, copy))) {
            memset(candidates.copy[copy], 0xFF, UPD_OTADATA_RECORD_SIZE);
        }
    }
    return (int8_t)upd_otadata_active(&candidates);
}

static int8_t because(struct loader *loader, enum upd_otadata_reason reason, int8_t start)
{
    loader->decision->reason = reason;
    return start;
}

/* Nothing was selected yet: factory, else slot 0, which ESP-IDF then writes into otadata. */
static int8_t start_unselected(struct loader *loader)
{
    bool is_rtos = loader->boot->loader == UPD_OTADATA_LOADER_RTOS;

    if (loader->boot->layout.factory && !has_anti_rollback(loader)) {
        return because(loader, UPD_OTADATA_BECAUSE_EMPTY, UPD_OTADATA_FACTORY);
    }
    loader->first_boot =
        !is_rtos && is_blank(loader->data.copy[0]) && is_blank(loader->data.copy[1]);
    return because(loader, UPD_OTADATA_BECAUSE_EMPTY, 0);
}

/* What otadata says; NONE when the boot loader gives up. */
static int8_t start_by_otadata(struct loader *loader)
{
    const struct upd_boot_layout *layout = &loader->boot->layout;
    int8_t active, slot;

    loader->first_boot = false;
    loader->decision->active = UPD_OTADATA_NONE;
    if (layout->otadata_offset == 0) {
        return because(loader, UPD_OTADATA_BECAUSE_NO_OTADATA, UPD_OTADATA_FACTORY);
    }
    if (layout->otadata_size < UPD_OTADATA_SIZE) {
        return because(loader, UPD_OTADATA_BECAUSE_TOO_SMALL, UPD_OTADATA_NONE);
    }
    if (has_rollback(loader)) {
        apply(loader, 0, UPD_OTADATA_ON_RESET);
        apply(loader, 1, UPD_OTADATA_ON_RESET);
    }
    if (names_no_slot(loader)) {
        return start_unselected(loader);
    }
    active = active_copy(loader);
    if (active < 0) {
        return because(loader, UPD_OTADATA_BECAUSE_DAMAGED, UPD_OTADATA_FACTORY);
    }
    loader->decision->active = active;
    slot = (int8_t)upd_otadata_slot(&loader->data, (uint32_t)active);
    if (has_rollback(loader)) {
        apply(loader, (uint32_t)active, UPD_OTADATA_ON_CHOSEN);
    }
    if (upd_otadata_state(loader->data.copy[active]) == UPD_OTADATA_VALID) {
        burn_version(loader, slot);
    }
    return because(loader, UPD_OTADATA_BECAUSE_ACTIVE, slot);
}

static int8_t start_test(struct loader *loader)
{
    if (loader->boot->loader == UPD_OTADATA_LOADER_RTOS && loader->boot->test_in_slot_1) {
        return because(loader, UPD_OTADATA_BECAUSE_TEST_PIN, 1);
    }
    if (loader->boot->layout.test) {
        return because(loader, UPD_OTADATA_BECAUSE_TEST_PIN, UPD_OTADATA_TEST);
    }
    return because(loader, UPD_OTADATA_BECAUSE_NO_TEST, UPD_OTADATA_NONE);
}

/* Otadata first, then the pins: what otadata's first look has written stays written. */
static int8_t choose_start(struct loader *loader)
{
    const struct upd_otadata_boot *boot = loader->boot;
    bool is_rtos = boot->loader == UPD_OTADATA_LOADER_RTOS;
    int8_t start = start_by_otadata(loader);

    if (start == UPD_OTADATA_NONE || (!is_rtos && boot->deep_sleep_wake)) {
        return start;
    }
    if (!is_rtos && boot->factory_reset_held) {
        loader->decision->factory_reset = true;
        if (boot->factory_reset_erases_otadata && boot->layout.otadata_offset != 0) {
            erase_otadata(loader);
        }
        return start_by_otadata(loader);
    }
    if (boot->test_held) {
        return start_test(loader);
    }
    if (is_rtos && boot->copies_slot_1 && start == 1) {
        loader->decision->copies_slot_1 = true;
        erase_otadata(loader);
        return 0;
    }
    return start;
}

/* --- The search ----------------------------------------------------------------------------- */

static void add_app(struct loader *loader, int app)
{
    const struct upd_boot_layout *layout = &loader->boot->layout;
    bool is_there = app == UPD_OTADATA_FACTORY ? layout->factory
                    : app == UPD_OTADATA_TEST
                        ? layout->test
                        : app < layout->slot_count && app < UPD_PARTITION_SLOT_MAX &&
                              (layout->slots >> app & 1) != 0;

    if (is_there) {
        loader->decision->order[loader->decision->order_count++] = (int8_t)app;
    }
}

/* Down from the start to factory, then up from the start, and the test app when all else fails. */
static void make_order(struct loader *loader, int start)
{
    if (start != UPD_OTADATA_TEST) {
        for (int app = start; app >= UPD_OTADATA_FACTORY; app--) {
            add_app(loader, app);
        }
        for (int app = start + 1; app < UPD_PARTITION_SLOT_MAX; app++) {
            add_app(loader, app);
        }
    }
    add_app(loader, UPD_OTADATA_TEST);
}

static bool would_start(const struct loader *loader, int8_t app)
{
    const struct upd_otadata_boot *boot = loader->boot;
    /* After the copy, slot 0 holds what slot 1 holds. */
    int8_t image = loader->decision->copies_slot_1 && app == 0 ? 1 : app;

    return is_new_enough(loader, app) && boot->verifies(boot->ctx, image);
}

static void search(struct loader *loader)
{
    struct upd_otadata_decision *decision = loader->decision;

    while (decision->chosen == UPD_OTADATA_NONE && decision->tried < decision->order_count) {
        int8_t app = decision->order[decision->tried++];
        if (would_start(loader, app)) {
            decision->chosen = app;
        }
    }
    if (decision->chosen >= 0 && loader->first_boot) {
        upd_otadata_encode(loader->data.copy[0], (uint32_t)decision->chosen + 1, UPD_OTADATA_VALID);
        write_copy(loader, 0);
        burn_version(loader, decision->chosen);
    }
}

void upd_otadata_decide(const struct upd_otadata_boot *boot, struct upd_otadata_decision *decision)
{
    struct loader loader = {.boot = boot, .decision = decision};
    bool is_rtos = boot->loader == UPD_OTADATA_LOADER_RTOS;

    memset(decision, 0, sizeof *decision);
    decision->chosen = UPD_OTADATA_NONE;
    decision->fuse_version = boot->fuse_version;
    loader.data.slots = boot->layout.slot_count;
    loader.data.running = UPD_OTADATA_NONE;
    loader.data.rtos = is_rtos;
    memcpy(loader.data.copy, boot->copy, sizeof loader.data.copy);

    decision->start = choose_start(&loader);
    if (decision->start != UPD_OTADATA_NONE) {
        make_order(&loader, decision->start);
        search(&loader);
    }
    decision->outcome = decision->chosen != UPD_OTADATA_NONE ? UPD_OTADATA_STARTS
                        : is_rtos                            ? UPD_OTADATA_STOPS
                                                             : UPD_OTADATA_RESETS;
}
