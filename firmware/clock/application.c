#include "application.h"

#include "calendar.h"
#include "text.h"

enum { TRIAL_MS = 300000 }; /* for an image to reach its server */

static void log_line(const struct application *application, const char *one, const char *two,
                     const char *three, const char *four)
{
    char line[APPLICATION_LINE];
    struct text text = text_on(line, sizeof line);

    text_add(&text, one);
    text_add(&text, two);
    text_add(&text, three);
    text_add(&text, four);
    application->port.log(application->port.ctx, line);
}

static const char *fall_row(enum upd_fall fall)
{
    static const char *const rows[] = {
        [UPD_FALL_NONE] = "",
        [UPD_FALL_EXHAUSTED] = "3 starts, no confirm",
        [UPD_FALL_UNCONFIRMED] = "reset, no confirm",
        [UPD_FALL_DAMAGED] = "it did not verify",
        [UPD_FALL_REFUSED] = "it gave itself up",
        [UPD_FALL_LOADER] = "the loader chose",
    };
    return (uint32_t)fall < sizeof rows / sizeof rows[0] ? rows[fall] : "unknown reason";
}

static uint32_t slot_address(const struct application *application, uint32_t slot)
{
    return slot == 0 ? UPD_USER1_ADDRESS : upd_flash_map(application->config.map)->user2;
}

static enum upd_err read_label(const struct application *application, uint32_t slot,
                               struct label *label)
{
    const struct upd_flash *flash = application->port.flash;

    return flash->read(flash->ctx, slot_address(application, slot) + LABEL_OFFSET, label,
                       sizeof *label);
}

/* The slot holds this image, and it is what runs. */
static bool passes_self_test(const struct application *application)
{
    const struct application_config *config = &application->config;
    const struct application_port *port = &application->port;
    struct label label;
    char version[CLOCK_VERSION_SIZE];

    if (read_label(application, config->slot - 1u, &label) != UPD_OK ||
        (port->sees != 0 && !port->sees(port->ctx, &label))) {
        return false;
    }
    return label_version(&label, version) && text_same(version, config->version) &&
           label.slot == config->slot;
}

static enum upd_err open_device(struct application *application, enum upd_start *todo)
{
    const struct upd_nonos_config config = {
        .running = slot_address(application, application->config.slot - 1u),
        .flash_map = application->config.map,
    };

    enum upd_err err = upd_nonos_open(&application->device, application->port.flash, &config);
    if (err == UPD_OK) {
        err = upd_device_start(&application->device, todo);
    }
    return err == UPD_OK ? upd_device_view(&application->device, &application->view) : err;
}

static void describe_boot(struct application *application, struct clock_config *config)
{
    const struct upd_view *view = &application->view;
    const char starts[] = {(char)('0' + view->starts % 10), '\0'};
    struct label label;

    config->boot = CLOCK_BOOT_ORDINARY;
    config->starts = view->starts;
    config->fallen = application->fallen;
    config->fall = fall_row(view->fall);
    if (application->device_err != UPD_OK) {
        return;
    }
    if (view->on_trial) {
        config->boot = passes_self_test(application) ? CLOCK_BOOT_TRIAL : CLOCK_BOOT_BROKEN;
        log_line(application, "on trial, start ", starts, " of 3", "");
    } else if (view->fall != UPD_FALL_NONE) {
        config->boot = CLOCK_BOOT_FALLEN;
        if (read_label(application, (uint32_t)view->fallen, &label) == UPD_OK) {
            (void)label_version(&label, application->fallen);
        }
        log_line(application, "version ", application->fallen,
                 " was given up: ", upd_fall_text(view->fall));
    }
}

bool application_start(struct application *application, const struct application_port *port,
                       const struct application_config *config, uint32_t unix_s)
{
    enum upd_start todo = UPD_START_GO_ON;
    struct clock_config clock = {
        .version = config->version,
        .id = config->id,
        .retry_ms = 1000,
        .tries = 100,
        .trial_ms = config->way->is_told ? UINT32_MAX : TRIAL_MS,
    };

    *application = (struct application){.port = *port, .config = *config};
    log_line(application, "clock ", config->version,
             config->slot == 1 ? " for user1" : " for user2", "");
    if (!config->way->is_told &&
        !calendar_parse_interval(config->check_every, &clock.check_every_s)) {
        log_line(application, "no interval: ", config->check_every,
                 "; there are no checks but at power up", "");
    }
    application->device_err = open_device(application, &todo);
    if (todo == UPD_START_RESTART) {
        log_line(application, "this image was given up: restarting", "", "", "");
        port->restart(port->ctx);
        return false;
    }
    describe_boot(application, &clock);
    if (application->device_err == UPD_OK) {
        application->device_err = config->way->start(application);
        /* What can never reach a server must not stay. */
        if (application->device_err != UPD_OK && clock.boot == CLOCK_BOOT_TRIAL) {
            clock.boot = CLOCK_BOOT_BROKEN;
        }
    }
    if (application->device_err != UPD_OK) {
        log_line(application, "no updates: ", upd_err_text(application->device_err), "", "");
    }
    application->is_broken = clock.boot == CLOCK_BOOT_BROKEN;
    clock_init(&application->clock, &clock);
    if (unix_s != 0) {
        clock_set_unix_s(&application->clock, unix_s);
    }
    return true;
}

static void begin_update(struct application *application, enum clock_action what, uint32_t now_ms)
{
    if (application->device_err == UPD_OK) {
        application->config.way->begin(application, what, now_ms);
    } else {
        application->inputs.news = CLOCK_EVENT_REFUSED;
        application->inputs.trouble = "No update possible";
    }
}

static void obey(struct application *application, enum clock_action action, uint32_t now_ms)
{
    const struct application_port *port = &application->port;

    switch (action) {
    case CLOCK_DO_NOTHING:
        break;
    case CLOCK_DO_PROBE:
    case CLOCK_DO_CHECK:
        begin_update(application, action, now_ms);
        break;
    case CLOCK_DO_CONFIRM:
        if (!application->config.way->is_told) {
            log_line(application,
                     "confirmed: ", upd_err_text(upd_device_confirm(&application->device)), "", "");
        }
        break;
    case CLOCK_DO_ROLL_BACK:
        log_line(application,
                 "rolled back: ", upd_err_text(upd_device_roll_back(&application->device)), "", "");
        break;
    case CLOCK_DO_RESTART:
        port->restart(port->ctx);
    }
}

bool application_step(struct application *application, uint32_t now_ms, bool mode_pressed)
{
    bool busy = false;

    application->inputs.mode_pressed = mode_pressed;
    if (application->device_err == UPD_OK && !application->is_broken) {
        busy = application->config.way->step(application, now_ms);
    }
    enum clock_action action = clock_step(&application->clock, now_ms, &application->inputs);
    application->inputs.news = CLOCK_EVENT_NONE;
    obey(application, action, now_ms);
    return busy;
}
