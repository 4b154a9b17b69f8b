/* updraft otadata show, set, erase: which app an ESP-IDF or RTOS SDK chip starts. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <updraft/otadata.h>

#include "boot.h"
#include "commands.h"
#include "display.h"

struct arguments {
    const char *file;
    const char *app;
    struct choice loader;
    struct choice style;
    struct flash_options flash;
    bool trial;
};

static const char *const loader_words[] = {"idf", "idf-rollback", "rtos", NULL};
static const char *const style_words[] = {"safe", "idf", "idf-5", "rtos", NULL};
static const enum upd_otadata_style styles[] = {UPD_OTADATA_SAFE, UPD_OTADATA_AS_IDF,
                                                UPD_OTADATA_AS_IDF_5, UPD_OTADATA_AS_RTOS};

#define LOADER_OPTION                                                                              \
    {                                                                                              \
        .name = "loader", .kind = VALUE_CHOICE, .value = "LOADER", .choices = loader_words,        \
        .at = offsetof(struct arguments, loader),                                                  \
        .help =                                                                                    \
            "how the boot loader was built; rtos for the ESP8266, else idf, without this option"   \
    }

/* A flash with otadata, as it is now. */
struct place {
    struct flash *flash;
    struct upd_boot_layout layout;
    struct upd_otadata data;
};

static enum exit_code open_place(struct call *call, bool change, struct place *place)
{
    const struct arguments *arguments = call->arguments;
    struct flash_options options = arguments->flash;

    options.kind =
        (struct choice){.word = flash_kinds[FLASH_PARTITIONS], .index = FLASH_PARTITIONS};
    enum exit_code code = flash_open(call, arguments->file, &options, change, &place->flash);
    if (code != EXIT_DONE) {
        return code;
    }
    const struct upd_partition_list *list = &place->flash->table->list;
    place->layout = upd_partition_layout(list->rows, list->count);
    if (place->layout.otadata_size < UPD_OTADATA_SIZE) {
        return fail(call, EXIT_FAILED, "format", "%s: its table has no otadata partition%s",
                    place->flash->path, place->layout.otadata_size > 0 ? " of two sectors" : "");
    }
    place->data.slots = (uint8_t)upd_partition_slot_count(list->rows, list->count);
    place->data.running = UPD_OTADATA_NONE;
    place->data.rtos = place->flash->chip == UPD_CHIP_ESP8266;
    for (uint32_t copy = 0; copy < 2; copy++) {
        if (!flash_read(place->flash,
                        place->layout.otadata_offset + copy * UPD_OTADATA_COPY_DISTANCE,
                        place->data.copy[copy], UPD_OTADATA_RECORD_SIZE)) {
            return EXIT_FAILED;
        }
    }
    return EXIT_DONE;
}

static json_t *record_json(const struct upd_otadata *data, uint32_t copy)
{
    const uint8_t *record = data->copy[copy];
    const char *state = upd_otadata_state_name(upd_otadata_state(record));
    int slot = upd_otadata_slot(data, copy);

    return json_pack("{s:I, s:s?, s:I, s:b, s:b, s:o, s:o}", "sequence",
                     (json_int_t)upd_otadata_sequence(record), "state", state, "state_code",
                     (json_int_t)upd_otadata_state(record), "crc_ok",
                     upd_otadata_crc_is_good(record), "valid", upd_otadata_is_valid(data, copy),
                     "slot", slot >= 0 ? json_integer(slot) : json_null(), "bytes",
                     hex_json(record, UPD_OTADATA_RECORD_SIZE));
}

static void print_record(const struct upd_otadata *data, uint32_t copy)
{
    const uint8_t *record = data->copy[copy];
    const char *state = upd_otadata_state_name(upd_otadata_state(record));
    uint8_t erased[UPD_OTADATA_RECORD_SIZE];

    memset(erased, 0xFF, sizeof erased);
    if (memcmp(record, erased, sizeof erased) == 0) {
        printf("  copy %u  erased\n", copy);
        return;
    }
    printf("  copy %u  sequence %u, state %s, CRC %s", copy, upd_otadata_sequence(record),
           state != NULL ? state : "unknown", upd_otadata_crc_is_good(record) ? "good" : "wrong");
    if (upd_otadata_slot(data, copy) >= 0) {
        printf(", names ota_%d", upd_otadata_slot(data, copy));
    }
    puts(upd_otadata_active(data) == (int8_t)copy ? "  this one counts" : "");
}

static void show(struct call *call, const struct place *place)
{
    if (call->json != NULL) {
        int active = upd_otadata_active(&place->data);
        json_object_set_new(call->json, "offset", json_integer(place->layout.otadata_offset));
        json_object_set_new(call->json, "slots", json_integer(place->data.slots));
        json_object_set_new(
            call->json, "copies",
            json_pack("[o, o]", record_json(&place->data, 0), record_json(&place->data, 1)));
        json_object_set_new(call->json, "active", active >= 0 ? json_integer(active) : json_null());
        return;
    }
    printf("%s: otadata at 0x%x, %u slots\n", place->flash->path, place->layout.otadata_offset,
           place->data.slots);
    print_record(&place->data, 0);
    print_record(&place->data, 1);
}

static const struct operand file_operands[] = {
    {.name = "FLASH",
     .kind = VALUE_INPUT,
     .at = offsetof(struct arguments, file),
     .help = "an image of a whole flash, with its partition table"},
    {0},
};

/* --- show ------------------------------------------------------------------------------------ */

static const struct option show_options[] = {
    LOADER_OPTION,
    FLASH_OPTIONS(struct arguments, flash),
    {0},
};
static const struct example show_examples[] = {
    {"updraft otadata show esp32-flash.bin", "both records, and which app starts"},
    {0},
};

static enum exit_code run_show(struct call *call)
{
    const struct arguments *arguments = call->arguments;
    struct place place = {0};
    enum exit_code code = open_place(call, false, &place);

    if (code == EXIT_DONE) {
        show(call, &place);
        code = boot_say(call, place.flash, arguments->loader.word);
    }
    flash_close(place.flash);
    return code;
}

const struct command otadata_show_command = {
    .group = "otadata",
    .name = "show",
    .summary = "show which app an ESP-IDF or RTOS SDK chip starts, and why",
    .text = "Shows both records of the otadata partition, and follows the boot loader through its "
            "decision.",
    .examples = show_examples,
    .options = show_options,
    .operands = file_operands,
    .json = true,
    .size = sizeof(struct arguments),
    .run = run_show,
};

/* --- set and erase --------------------------------------------------------------------------- */

/* A write of the plan on the file: the CRC last, and by itself (otadata.h tells why). */
static bool do_write(struct place *place, const struct upd_otadata_write *write)
{
    uint32_t at = place->layout.otadata_offset + write->copy * UPD_OTADATA_COPY_DISTANCE;
    uint8_t erased[UPD_OTADATA_RECORD_SIZE];

    memset(erased, 0xFF, sizeof erased);
    if (!flash_erase(place->flash, at)) {
        return false;
    }
    return memcmp(write->record, erased, sizeof erased) == 0 ||
           (flash_program(place->flash, at, write->record, UPD_OTADATA_CRC_OFFSET) &&
            flash_program(place->flash, at + UPD_OTADATA_CRC_OFFSET,
                          write->record + UPD_OTADATA_CRC_OFFSET,
                          UPD_OTADATA_RECORD_SIZE - UPD_OTADATA_CRC_OFFSET));
}

static enum exit_code do_plan(struct call *call, struct place *place,
                              const struct upd_otadata_plan *plan)
{
    const struct arguments *arguments = call->arguments;

    for (uint8_t i = 0; i < plan->count; i++) {
        if (!do_write(place, &plan->write[i])) {
            return EXIT_FAILED;
        }
        memcpy(place->data.copy[plan->write[i].copy], plan->write[i].record,
               UPD_OTADATA_RECORD_SIZE);
    }
    if (call->json != NULL) {
        json_object_set_new(call->json, "writes", json_integer(plan->count));
    } else if (plan->count == 0) {
        printf("%s: nothing has to change\n", place->flash->path);
    }
    show(call, place);
    return boot_say(call, place->flash, arguments->loader.word);
}

/* "ota_1", "1" or "factory", and one that the table has. */
static enum exit_code parse_app(struct call *call, const struct place *place, const char *text,
                                int8_t *app)
{
    const char *digits = strncmp(text, "ota_", 4) == 0 ? text + 4 : text;

    if (strcmp(text, "factory") == 0 && place->layout.factory) {
        *app = UPD_OTADATA_FACTORY;
        return EXIT_DONE;
    }
    if (digits[0] >= '0' && digits[0] <= '9' && strlen(digits) <= 2 &&
        strspn(digits, "0123456789") == strlen(digits) && atoi(digits) < place->data.slots) {
        *app = (int8_t)atoi(digits);
        return EXIT_DONE;
    }
    return fail(call, EXIT_USAGE, "usage", "'%.60s' is no app of this table: it has%s%s%d slots",
                text, place->layout.factory ? " factory and " : " ",
                place->data.slots > 0 ? "ota_0 and on, " : "", place->data.slots);
}

static enum exit_code change(struct call *call, const char *app_text)
{
    const struct arguments *arguments = call->arguments;
    struct place place = {0};
    struct upd_otadata_plan plan;
    int8_t app = UPD_OTADATA_FACTORY;
    enum exit_code code = open_place(call, true, &place);

    if (code == EXIT_DONE && app_text != NULL) {
        code = parse_app(call, &place, app_text, &app);
    }
    if (code == EXIT_DONE && arguments->trial && place.data.rtos) {
        code = fail(call, EXIT_USAGE, "usage", "--trial: the RTOS SDK's boot loader has no trial");
    }
    if (code != EXIT_DONE) {
        goto out;
    }
    enum upd_err err = upd_otadata_plan_boot(&place.data, styles[arguments->style.index], app,
                                             arguments->trial, &plan);
    if (err != UPD_OK) {
        code = fail(call, EXIT_FAILED, "otadata", "%s: %s", place.flash->path,
                    err == UPD_E_STATE
                        ? "the sequence numbers are used up; 'updraft otadata erase' starts anew"
                        : upd_err_text(err));
        goto out;
    }
    code = do_plan(call, &place, &plan);
out:
    flash_close(place.flash);
    return code;
}

static const struct option set_options[] = {
    {.name = "trial",
     .kind = VALUE_FLAG,
     .at = offsetof(struct arguments, trial),
     .help = "start it once, and fall back unless it confirms itself; for boot loaders with "
             "rollback"},
    {.name = "style",
     .kind = VALUE_CHOICE,
     .value = "STYLE",
     .choices = style_words,
     .at = offsetof(struct arguments, style),
     .help = "whose way of writing, safe without this option"},
    LOADER_OPTION,
    FLASH_OPTIONS(struct arguments, flash),
    {0},
};
static const struct operand set_operands[] = {
    {.name = "FLASH",
     .kind = VALUE_INPUT,
     .at = offsetof(struct arguments, file),
     .help = "an image of a whole flash; it is changed in place"},
    {.name = "APP",
     .kind = VALUE_TEXT,
     .at = offsetof(struct arguments, app),
     .help = "ota_0, ota_1 and so on, or factory"},
    {0},
};
static const struct example set_examples[] = {
    {"updraft otadata set esp32-flash.bin ota_1", "from now on ota_1 starts"},
    {"updraft otadata set --trial --loader idf-rollback esp32-flash.bin ota_0",
     "ota_0 starts once, and stays if it confirms itself"},
    {0},
};

static enum exit_code run_set(struct call *call)
{
    const struct arguments *arguments = call->arguments;
    return change(call, arguments->app);
}

const struct command otadata_set_command = {
    .group = "otadata",
    .name = "set",
    .summary = "choose the app that an ESP-IDF or RTOS SDK chip starts",
    .text = "Changes the flash image in place, by the writes that a chip would do and in their "
            "order: wherever it is cut off, the boot loader finds the old choice or the new one.",
    .examples = set_examples,
    .options = set_options,
    .operands = set_operands,
    .json = true,
    .size = sizeof(struct arguments),
    .run = run_set,
};

static const struct option erase_options[] = {
    LOADER_OPTION,
    FLASH_OPTIONS(struct arguments, flash),
    {0},
};
static const struct example erase_examples[] = {
    {"updraft otadata erase esp32-flash.bin", "back to the factory app, or to ota_0"},
    {0},
};

static enum exit_code run_erase(struct call *call)
{
    return change(call, NULL);
}

const struct command otadata_erase_command = {
    .group = "otadata",
    .name = "erase",
    .summary = "forget which app was chosen",
    .text = "Erases both records in place, the one that counts last. The chip then starts the "
            "factory app, or ota_0 when there is none.",
    .examples = erase_examples,
    .options = erase_options,
    .operands = file_operands,
    .json = true,
    .size = sizeof(struct arguments),
    .run = run_erase,
};
