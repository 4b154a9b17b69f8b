/*
 * The smart clock on an ESP8266 without SDK: the start in RAM, then the clock's loop in the flash
 * window.
 */
#include <updraft/scheme.h>

#include "build.h"
#include "calendar.h"
#include "chip.h"
#include "chip_flash.h"
#include "clock.h"
#include "radio.h"
#include "text.h"
#include "update.h"

enum { IDLE_US = 20000 };

/* Everything that the clock remembers. */
struct application {
    struct chip_time time;
    struct chip_flash flash;
    struct upd_device device;
    struct upd_view view;
    enum upd_err device_err; /* why there is no updating; UPD_OK: there is */
    struct clock clock;
    struct clock_inputs inputs;
    struct update update;
    struct display shown;
    uint32_t kept_s;
    uint32_t map;
    char id[7];
    char flavour[8];
    char fallen[CLOCK_VERSION_SIZE];
};

void call_user_start1(void);

extern uint32_t _bss_start, _bss_end;

/* --- In the flash window --------------------------------------------------------------------- */

static const char *fall_row(enum upd_fall fall)
{
    static const char *const rows[] = {
        [UPD_FALL_NONE] = "",
        [UPD_FALL_EXHAUSTED] = "3 starts, no confirm",
        [UPD_FALL_UNCONFIRMED] = "reset, no confirm",
        [UPD_FALL_DAMAGED] = "it did not verify",
        [UPD_FALL_REFUSED] = "its self test failed",
        [UPD_FALL_LOADER] = "the loader chose",
    };
    return (uint32_t)fall < sizeof rows / sizeof rows[0] ? rows[fall] : "unknown reason";
}

static uint32_t slot_address(const struct application *application, uint32_t slot)
{
    return slot == 0 ? UPD_USER1_ADDRESS : upd_flash_map(application->map)->user2;
}

static enum upd_err read_label(const struct application *application, uint32_t slot,
                               struct label *label)
{
    const struct upd_flash *flash = &application->flash.flash;

    return flash->read(flash->ctx, slot_address(application, slot) + LABEL_OFFSET, label,
                       sizeof *label);
}

/* The flash window shows the slot that this image was made for, and it is this image. */
static bool passes_self_test(const struct application *application)
{
    struct label label;
    char version[CLOCK_VERSION_SIZE];
    const volatile uint32_t *window = (const volatile uint32_t *)(uintptr_t)&build_label;
    uint32_t words[LABEL_SIZE / 4];

    if (read_label(application, build.slot - 1u, &label) != UPD_OK) {
        return false;
    }
    memcpy(words, &label, sizeof words);
    for (uint32_t i = 0; i < LABEL_SIZE / 4; i++) {
        if (window[i] != words[i]) {
            return false;
        }
    }
    return label_version(&label, version) && text_same(version, build.version) &&
           label.slot == build.slot;
}

static enum upd_err open_device(struct application *application)
{
    enum upd_start todo = UPD_START_GO_ON;
    const struct upd_nonos_config config = {
        .running = slot_address(application, build.slot - 1u),
        .flash_map = (uint8_t)application->map,
    };

    enum upd_err err = upd_nonos_open(&application->device, &application->flash.flash, &config);
    if (err == UPD_OK) {
        err = upd_device_start(&application->device, &todo);
    }
    if (err == UPD_OK && todo == UPD_START_RESTART) {
        ets_printf("this image was given up: restarting\n");
        software_reset();
    }
    return err == UPD_OK ? upd_device_view(&application->device, &application->view) : err;
}

static void describe_boot(struct application *application, struct clock_config *config)
{
    const struct upd_view *view = &application->view;
    struct label label;

    config->boot = CLOCK_BOOT_ORDINARY;
    config->starts = view->starts;
    config->fallen = application->fallen;
    config->fall = fall_row(view->fall);
    if (application->device_err != UPD_OK) {
        ets_printf("no updates: %s\n", upd_err_text(application->device_err));
    } else if (view->on_trial) {
        config->boot = passes_self_test(application) ? CLOCK_BOOT_TRIAL : CLOCK_BOOT_BROKEN;
        ets_printf("on trial, start %u of 3\n", view->starts);
    } else if (view->fall != UPD_FALL_NONE) {
        config->boot = CLOCK_BOOT_FALLEN;
        if (read_label(application, (uint32_t)view->fallen, &label) == UPD_OK) {
            (void)label_version(&label, application->fallen);
        }
        ets_printf("user%d, version %s, was given up: %s\n", view->fallen + 1, application->fallen,
                   upd_fall_text(view->fall));
    }
}

/* Images for other maps than that of 1 MiB say so in their names. */
static void name_flavour(struct application *application)
{
    struct text text = text_on(application->flavour, sizeof application->flavour);

    if (application->map != 2) {
        text_add(&text, "-map");
        text_number(&text, application->map, 1, ' ');
    }
}

static void start(struct application *application)
{
    struct text id = text_on(application->id, sizeof application->id);
    struct clock_config clock = {
        .version = build.version,
        .id = application->id,
        .retry_ms = 1000,
        .tries = 100,
        .trial_ms = 300000,
    };
    const struct update_config update = {
        .folder = "/",
        .version = build.version,
        .flavour = application->flavour,
        .slot = build.slot == 1 ? 2 : 1,
        .fallen = application->fallen,
        .patience_ms = 15000,
    };

    ets_printf("\nclock %s for user%d, flash map %u\n", build.version, build.slot,
               application->map);
    chip_start_time(&application->time);
    text_hex(&id, chip_id(), 6);
    name_flavour(application);
    if (!calendar_parse_interval(build.check_every, &clock.check_every_s)) {
        ets_printf("no interval: %s; there are no checks but at power up\n", build.check_every);
    }
    application->device_err = open_device(application);
    describe_boot(application, &clock);
    update_init(&application->update, &update, &radio_net, &application->device);
    clock_init(&application->clock, &clock);
    if (chip_kept_time() != 0) {
        clock_set_unix_s(&application->clock, chip_kept_time());
    }
}

static void begin_update(struct application *application, enum update_goal goal, uint32_t now_ms)
{
    if (application->device_err == UPD_OK) {
        update_begin(&application->update, goal, now_ms);
    } else {
        application->inputs.news = CLOCK_EVENT_REFUSED;
        application->inputs.trouble = "No update possible";
    }
}

static void obey(struct application *application, enum clock_action action, uint32_t now_ms)
{
    enum upd_err err = UPD_OK;

    switch (action) {
    case CLOCK_DO_NOTHING:
        break;
    case CLOCK_DO_PROBE:
        begin_update(application, UPDATE_PROBE, now_ms);
        break;
    case CLOCK_DO_CHECK:
        begin_update(application, application->clock.by_hand ? UPDATE_ANYWAY : UPDATE_INSTALL,
                     now_ms);
        break;
    case CLOCK_DO_CONFIRM:
        err = upd_device_confirm(&application->device);
        ets_printf("confirmed: %s\n", upd_err_text(err));
        break;
    case CLOCK_DO_ROLL_BACK:
        err = upd_device_roll_back(&application->device);
        ets_printf("rolled back: %s\n", upd_err_text(err));
        break;
    case CLOCK_DO_RESTART:
        software_reset();
    }
}

static void show(struct application *application)
{
    char drawing[DISPLAY_DRAWING_SIZE];
    uint32_t unix_s = clock_unix_s(&application->clock);

    if (!display_same(&application->shown, &application->clock.display)) {
        application->shown = application->clock.display;
        display_draw(&application->shown, drawing);
        ets_printf("%s", drawing);
    }
    if (unix_s != application->kept_s) {
        application->kept_s = unix_s;
        chip_keep_time(unix_s);
    }
}

static bool step(struct application *application)
{
    uint32_t now_ms = chip_time_ms(&application->time);
    bool busy = false;

    application->inputs.mode_pressed = chip_button_is_pressed();
    if (application->device_err == UPD_OK) {
        busy = update_step(&application->update, now_ms, &application->inputs);
    }
    if (build.fault == FAULT_MUTE && application->view.on_trial) {
        application->inputs.news = CLOCK_EVENT_NONE;
    }
    enum clock_action action = clock_step(&application->clock, now_ms, &application->inputs);
    application->inputs.news = CLOCK_EVENT_NONE;
    obey(application, action, now_ms);
    show(application);
    return busy;
}

/* Not to be drawn into its caller, which runs from RAM. */
static __attribute__((noinline)) _Noreturn void run(uint8_t map_number, uint8_t megabyte)
{
    static struct application application;
    const struct upd_flash_map *map = upd_flash_map(map_number);

    application.map = map_number;
    if (map == NULL || !map->fota) {
        ets_printf("flash map %u has no two slots\n", map_number);
        for (;;) {
            chip_feed_watchdog();
        }
    }
    chip_flash_init(&application.flash, map->size, megabyte);
    start(&application);
    for (;;) {
        chip_feed_watchdog();
        if (!step(&application)) {
            ets_delay_us(IDLE_US);
        }
    }
}

/* --- In RAM ---------------------------------------------------------------------------------- */

/* user2 of the maps with 1024 KiB a slot lies in the second megabyte. */
static IN_RAM uint8_t megabyte_of(uint8_t map)
{
    return map >= 5 && build.slot == 2 ? 1 : 0;
}

IN_RAM void call_user_start1(void)
{
    chip_start_watchdog();
    if (build.fault == FAULT_CRASH) {
        __asm__ volatile("ill");
    }
    if (build.fault == FAULT_HANG) {
        for (;;) {
        }
    }
    for (uint32_t *word = &_bss_start; word < &_bss_end; word++) {
        *word = 0;
    }
    uint8_t map = chip_flash_setting() >> 4;
    uint8_t megabyte = megabyte_of(map);
    chip_flash_open_window(megabyte);
    run(map, megabyte);
}
