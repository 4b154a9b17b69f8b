#include "application.h"
#include "text.h"

enum { PATIENCE_MS = 15000 };

/* Images for other maps than that of 1 MiB say so in their names. */
static void name_flavour(struct application *application)
{
    struct text text = text_on(application->flavour, sizeof application->flavour);

    if (application->config.map != 2) {
        text_add(&text, "-map");
        text_number(&text, application->config.map, 1, ' ');
    }
}

static enum upd_err start(struct application *application)
{
    name_flavour(application);
    const struct update_config config = {
        .folder = "/",
        .version = application->config.version,
        .flavour = application->flavour,
        .slot = application->config.slot == 1 ? 2 : 1,
        .fallen = application->fallen,
        .patience_ms = PATIENCE_MS,
    };
    update_init(&application->of.update, &config, application->port.net, &application->device);
    return UPD_OK;
}

static void begin(struct application *application, enum clock_action what, uint32_t now_ms)
{
    enum update_goal goal = UPDATE_PROBE;

    if (what == CLOCK_DO_CHECK) {
        goal = application->clock.by_hand ? UPDATE_ANYWAY : UPDATE_INSTALL;
    }
    update_begin(&application->of.update, goal, now_ms);
}

static bool step(struct application *application, uint32_t now_ms)
{
    bool busy = update_step(&application->of.update, now_ms, &application->inputs);

    if (application->config.mute && application->view.on_trial) {
        application->inputs.news = CLOCK_EVENT_NONE;
    }
    return busy;
}

const struct application_way application_files = {start, begin, step, false};
