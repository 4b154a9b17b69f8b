/*
 * updraft: otadata, how ESP-IDF and the ESP8266 RTOS SDK remember which slot to start.
 *
 * Two records of 32 bytes, one at the start of each of two sectors; the good one with the higher
 * sequence number names the slot. Nothing here touches flash: functions look at the two records as
 * they were read and answer with values; what is to be written is a struct upd_otadata_plan.
 *
 * How a plan is carried out, and why a power cut cannot hurt then:
 *   - Writes are done in their order, each wholly before the next one.
 *   - A write erases the sector of its one copy and programs the record; when the record is all FF
 *     the sector stays erased. The other sector is not touched.
 *   - Bytes 0 … 27 are programmed first, the CRC (bytes 28 … 31) last and by a call of its own. The
 *     CRC does not cover the state: written together, a cut could leave a record that is good but
 *     has lost its state NEW, and with it the trial.
 *
 * Format: docs/formats/otadata.md
 */
#ifndef UPDRAFT_OTADATA_H
#define UPDRAFT_OTADATA_H

#include <stdbool.h>
#include <stdint.h>

#include <updraft/err.h>
#include <updraft/partition.h>

#define UPD_OTADATA_RECORD_SIZE 32
/** Copy 1 lies this far behind copy 0. */
#define UPD_OTADATA_COPY_DISTANCE 0x1000
/** Bytes of a data/ota partition. */
#define UPD_OTADATA_SIZE 0x2000
/** The bytes of a record that are programmed before its CRC. */
#define UPD_OTADATA_CRC_OFFSET 28

/* States of a record; unsigned 32-bit numbers in flash. */
#define UPD_OTADATA_NEW 0u
#define UPD_OTADATA_PENDING 1u /* on trial */
#define UPD_OTADATA_VALID 2u   /* confirmed */
#define UPD_OTADATA_INVALID 3u /* refused by the app itself */
#define UPD_OTADATA_ABORTED 4u /* not confirmed before a reset */
#define UPD_OTADATA_UNDEFINED 0xFFFFFFFFu

/* What can be started, beside slots 0 … 15. */
#define UPD_OTADATA_FACTORY (-1)
#define UPD_OTADATA_TEST (-2)
#define UPD_OTADATA_NONE (-3) /* as an answer: no slot, no copy */

/**
 * The boot loaders that this build has to do with: the sum of the UPD_OTADATA_FOR_... below. A device
 * has but one, and each that is left out makes its code smaller: by up to 1.5 KiB for lx106.
 * upd_otadata_open() refuses a device with another one.
 *
 * Range: 1 .. 15. Default: all of them.
 */
#ifndef UPD_OTADATA_FOR
#define UPD_OTADATA_FOR UPD_OTADATA_FOR_ANY
#endif
#define UPD_OTADATA_FOR_IDF 1 /* without rollback */
#define UPD_OTADATA_FOR_IDF_ROLLBACK 2
#define UPD_OTADATA_FOR_IDF_ANTI_ROLLBACK 4
#define UPD_OTADATA_FOR_RTOS 8
#define UPD_OTADATA_FOR_ANY 15
_Static_assert(UPD_OTADATA_FOR >= 1 && UPD_OTADATA_FOR <= UPD_OTADATA_FOR_ANY,
               "UPD_OTADATA_FOR: see its comment");

/** All that a decision depends on. */
struct upd_otadata {
    int running; /* what runs: a slot, FACTORY, TEST, or NONE when not known (host tools) */
    uint8_t copy[2][UPD_OTADATA_RECORD_SIZE]; /* as read; FF when the partition is erased */
    uint8_t slots;                            /* OTA slots, 0 … 16: upd_partition_slot_count() */
    bool rtos; /* the chip's boot loader is the RTOS SDK's: it knows no states */
};

/* --- One record ----------------------------------------------------------------------------- */

uint32_t upd_otadata_sequence(const uint8_t record[UPD_OTADATA_RECORD_SIZE]);
uint32_t upd_otadata_state(const uint8_t record[UPD_OTADATA_RECORD_SIZE]);
/** True when the stored CRC belongs to the stored sequence number, by upd_crc32_otadata(). */
bool upd_otadata_crc_is_good(const uint8_t record[UPD_OTADATA_RECORD_SIZE]);
/** Make a record with an unused label (FF). */
void upd_otadata_encode(uint8_t record[UPD_OTADATA_RECORD_SIZE], uint32_t sequence, uint32_t state);
/** "new", "pending", "valid", "invalid", "aborted", "undefined"; NULL for any other value. */
const char *upd_otadata_state_name(uint32_t state);

/* --- Both records --------------------------------------------------------------------------- */

/** True when copy 0 or 1 may be chosen: numbered, CRC good, and neither INVALID nor ABORTED. */
bool upd_otadata_is_valid(const struct upd_otadata *data, uint32_t copy);
/** The copy that decides, 0 or 1; of two valid ones that with the higher number. Else NONE. */
int upd_otadata_active(const struct upd_otadata *data);
/** The valid copy that names a slot, the active one first; else NONE. */
int upd_otadata_copy_of(const struct upd_otadata *data, int slot);
/** The slot that a copy names whether it is valid or not; NONE when there are no slots. */
int upd_otadata_slot(const struct upd_otadata *data, uint32_t copy);
/** The slot to download into after `from` (a slot, or anything else for "from factory"); NONE. */
int upd_otadata_next_slot(const struct upd_otadata *data, int from);
/** What the SDK's application calls its boot partition: slot, FACTORY, TEST or NONE. */
int8_t upd_otadata_configured(const struct upd_otadata *data, const struct upd_boot_layout *layout);
/**
 * State of a slot. The first copy that names it with a good CRC answers, as in ESP-IDF, even where
 * the other one is newer.
 *
 * @return UPD_OK
 * @return UPD_E_NOT_FOUND  no copy names it; *state is unchanged
 */
UPD_MUST_CHECK enum upd_err upd_otadata_state_of(const struct upd_otadata *data, int slot,
                                                 uint32_t *state);

/* --- What to write -------------------------------------------------------------------------- */

/*
 * Each function below makes a plan anew: *plan is not read, and is empty when the call fails. They
 * cost no heap, and up to 272 bytes of stack on lx106.
 */

/** One sector: erase, then program. A record of FF bytes means erase only. */
struct upd_otadata_write {
    uint8_t copy; /* 0 or 1 */
    uint8_t record[UPD_OTADATA_RECORD_SIZE];
};

struct upd_otadata_plan {
    uint8_t count; /* 0: nothing has to change */
    struct upd_otadata_write write[2];
};

/**
 * Whether this build knows the SDKs' ways of writing, too. Devices update themselves in updraft's
 * own, and save 1 KiB of code for lx106 with 0: then every plan is made in that way, whatever is
 * asked for. Default: 1.
 */
#ifndef UPD_OTADATA_WITH_SDK_STYLES
#define UPD_OTADATA_WITH_SDK_STYLES 1
#endif

/** Whose way of writing. docs/formats/otadata.md section 4 compares them. */
enum upd_otadata_style {
    /*
     * updraft's own, readable by every vendor boot loader: the record of the running slot is never
     * touched, and a slot that runs without a record gets one first. A cut anywhere leaves the
     * running version as the one that boots.
     */
    UPD_OTADATA_SAFE,
    UPD_OTADATA_AS_IDF,   /* ESP-IDF 6.0 and later */
    UPD_OTADATA_AS_IDF_5, /* ESP-IDF up to 5.5 */
    UPD_OTADATA_AS_RTOS,  /* ESP8266 RTOS SDK; keeps the bytes of the state as they are */
};

/**
 * Make a slot, or factory, the one that boots next.
 *
 * @param slot   0 … slots - 1, or FACTORY: then both copies are erased
 * @param trial  true: state NEW, so that a boot loader with rollback starts it once and wants a
 *               confirmation; false: UNDEFINED. The RTOS boot loader has no trial: not looked at
 *
 * @return UPD_OK
 * @return UPD_E_ARG    no such slot
 * @return UPD_E_STATE  the sequence numbers are used up; erasing otadata cures it
 */
UPD_MUST_CHECK enum upd_err upd_otadata_plan_boot(const struct upd_otadata *data,
                                                  enum upd_otadata_style style, int slot,
                                                  bool trial, struct upd_otadata_plan *plan);
/** The same of a slot alone, in updraft's way. */
UPD_MUST_CHECK enum upd_err upd_otadata_plan_slot(const struct upd_otadata *data, int slot,
                                                  bool trial, struct upd_otadata_plan *plan);

/**
 * Before a slot is overwritten: make sure that no reset starts what is only half there.
 *
 * SAFE makes otadata name what runs, which it does already unless the boot loader had to fall back
 * to it or a slot runs that was never recorded. So it writes nothing as a rule. Factory is named by
 * having no record; when TEST or NONE runs, a record goes only if it names `slot`.
 *
 * The IDF styles do what esp_ota_begin() of a rollback build does: the inactive copy is erased if
 * it has a good CRC and does not name the running slot. RTOS writes nothing.
 *
 * @param slot  0 … slots - 1, and not the running one
 *
 * @return UPD_OK
 * @return UPD_E_ARG    no such slot, or it runs
 * @return UPD_E_STATE  the sequence numbers are used up
 */
UPD_MUST_CHECK enum upd_err upd_otadata_plan_begin(const struct upd_otadata *data,
                                                   enum upd_otadata_style style, int slot,
                                                   struct upd_otadata_plan *plan);

/**
 * The running app is good: end its trial.
 *
 * @return UPD_OK       one write, or none when the record says so already
 * @return UPD_E_STATE  nothing to confirm: no slots, or no active copy, as when factory runs
 *                      (ESP_FAIL). With SAFE also: no copy names the running slot, so that the
 *                      active one is another's
 */
UPD_MUST_CHECK enum upd_err upd_otadata_plan_confirm(const struct upd_otadata *data,
                                                     enum upd_otadata_style style,
                                                     struct upd_otadata_plan *plan);

/** Which images would start, found out by the caller. */
struct upd_otadata_images {
    uint16_t slots; /* bit i: slot i verifies and, where the boot loader looks, is new enough */
    bool factory;   /* factory verifies; false where the boot loader has anti-rollback */
};

/** True when there is something to fall back to: what the other copy names, else factory. */
bool upd_otadata_can_roll_back(const struct upd_otadata *data,
                               const struct upd_otadata_images *images);

/**
 * The running app is bad: give it up.
 *
 * An active record that names another slot than the running one is left alone; with `running`
 * NONE it is given up whatever it names, as the SDK does.
 *
 * @return UPD_OK           one write; a reset then starts what was there before
 * @return UPD_E_STATE      no slots, no active copy (ESP_FAIL), or it is another slot's
 * @return UPD_E_NOT_FOUND  nothing to fall back to (ESP_ERR_OTA_ROLLBACK_FAILED)
 */
UPD_MUST_CHECK enum upd_err upd_otadata_plan_reject(const struct upd_otadata *data,
                                                    const struct upd_otadata_images *images,
                                                    struct upd_otadata_plan *plan);

/** The slot that was rolled back from, if its image still verifies; else NONE. */
int8_t upd_otadata_last_invalid(const struct upd_otadata *data,
                                const struct upd_otadata_images *images);

/**
 * Forget what ran before: esp_ota_erase_last_boot_app_partition(), which erases the slot and then
 * carries out the plan, and esp_ota_invalidate_inactive_ota_data_slot(), which leaves the slot.
 *
 * @param slot  out: the slot that the inactive copy names; unchanged on failure
 *
 * @return UPD_OK       one write
 * @return UPD_E_STATE  no slots, no active copy, nothing in the other one, or it names the running
 *                      slot (ESP_FAIL)
 */
UPD_MUST_CHECK enum upd_err upd_otadata_plan_forget(const struct upd_otadata *data, int8_t *slot,
                                                    struct upd_otadata_plan *plan);

/* --- Who may change a state ----------------------------------------------------------------- */

enum upd_otadata_event {
    UPD_OTADATA_ON_SELECT,  /* app: set_boot_partition */
    UPD_OTADATA_ON_CHOSEN,  /* boot loader with rollback: this record decides */
    UPD_OTADATA_ON_RESET,   /* boot loader with rollback: start-up, whatever the cause */
    UPD_OTADATA_ON_CONFIRM, /* app: mark_app_valid_cancel_rollback */
    UPD_OTADATA_ON_REJECT,  /* app: mark_app_invalid_rollback */
};

/** What a record's state becomes; the same state where the event does not change it. */
uint32_t upd_otadata_state_after(uint32_t state, enum upd_otadata_event event);

/* --- The boot loaders' decision ------------------------------------------------------------- */

enum upd_otadata_loader {
    UPD_OTADATA_LOADER_IDF,
    UPD_OTADATA_LOADER_IDF_ROLLBACK,
    UPD_OTADATA_LOADER_IDF_ANTI_ROLLBACK, /* which includes rollback */
    UPD_OTADATA_LOADER_RTOS,
};

/** What a boot loader finds at a reset. */
struct upd_otadata_boot {
    enum upd_otadata_loader loader;
    struct upd_boot_layout layout;
    uint8_t copy[2][UPD_OTADATA_RECORD_SIZE];
    /** Would this app (slot, FACTORY or TEST) pass image verification? Not NULL. */
    bool (*verifies)(void *ctx, int8_t app);
    /**
     * The secure version in an app's descriptor; false when it has none that can be read. Only
     * asked for, and then not NULL, with anti-rollback.
     */
    bool (*secure_version)(void *ctx, int8_t app, uint32_t *version);
    void *ctx;
    uint32_t fuse_version;   /* secure version burned into the chip */
    uint8_t fuse_size;       /* highest version that the fuse field can hold */
    bool deep_sleep_wake;    /* IDF: pins are not looked at */
    bool factory_reset_held; /* the pin, for the whole hold time, and the option is built in */
    bool factory_reset_erases_otadata; /* CONFIG_BOOTLOADER_OTA_DATA_ERASE */
    bool test_held;                    /* as factory_reset_held, for the test app's pin */
    bool test_in_slot_1;               /* RTOS: CONFIG_BOOTLOADER_APP_TEST_IN_OTA_1 */
    bool copies_slot_1;                /* RTOS: CONFIG_ESP8266_BOOT_COPY_APP */
};

enum upd_otadata_outcome {
    UPD_OTADATA_STARTS, /* `chosen` runs */
    UPD_OTADATA_RESETS, /* the chip resets, for ever */
    UPD_OTADATA_STOPS,  /* RTOS: the boot loader returns and nothing runs */
};

/** Why the search starts where it does. */
#define UPD_OTADATA_REASONS(X)                                                                     \
    X(NO_OTADATA, "the table has no otadata partition")                                            \
    X(TOO_SMALL, "the otadata partition is smaller than two sectors")                              \
    X(EMPTY, "otadata names no slot")                                                              \
    X(ACTIVE, "otadata names it")                                                                  \
    X(DAMAGED, "otadata holds no record that can be used")                                         \
    X(TEST_PIN, "the test pin is held")                                                            \
    X(NO_TEST, "the test pin is held, but there is no test partition")

enum upd_otadata_reason {
#define X(name, text) UPD_OTADATA_BECAUSE_##name,
    UPD_OTADATA_REASONS(X)
#undef X
};
/** The sentence of a reason, without capital and full stop. Never NULL. */
const char *upd_otadata_reason_text(enum upd_otadata_reason reason);

#define UPD_OTADATA_APPS_MAX (UPD_PARTITION_SLOT_MAX + 2)
#define UPD_OTADATA_BOOT_WRITES_MAX 8

/** What the boot loader does. About 330 bytes. */
struct upd_otadata_decision {
    enum upd_otadata_outcome outcome;
    enum upd_otadata_reason reason;
    int8_t start;  /* where the search starts: slot, FACTORY, TEST; NONE: there was no search */
    int8_t active; /* the copy that decided, or NONE */
    int8_t chosen; /* what runs, or NONE */
    uint8_t order_count;
    uint8_t tried; /* how many of `order` were looked at, the chosen one included */
    int8_t order[UPD_OTADATA_APPS_MAX]; /* who would be tried, in this order */
    bool copies_slot_1;    /* RTOS: slot 1 is first copied over slot 0, before the erases below */
    bool factory_reset;    /* the data partitions of the factory reset are erased */
    uint32_t fuse_version; /* after the boot; higher than before when it burned */
    uint8_t write_count;
    struct upd_otadata_write write[UPD_OTADATA_BOOT_WRITES_MAX]; /* in the order of being done */
};

/**
 * Decide as a vendor boot loader does.
 *
 * Pure, apart from the questions that it asks through `boot`. In `write`, those before the search
 * come first; the one of a first boot, which needs to know what was chosen, is last.
 *
 * @param boot      not NULL
 * @param decision  out: every field is set
 *
 * Cost: no heap; 340 bytes of stack on lx106, beside what the two questions need.
 */
void upd_otadata_decide(const struct upd_otadata_boot *boot, struct upd_otadata_decision *decision);

#endif
