#include <updraft/flash_map.h>

#include "application.h"

enum { TRIAL_S = 300, RESTART_MS = 5000 };

static enum upd_err start(struct application *application)
{
    const struct application_port *port = &application->port;
    const struct cloud_config config = {
        .server = application->config.server,
        .version = application->config.version,
        .mac = application->config.mac,
        .images = port->images,
        .orders = port->orders,
        .map = upd_flash_map(application->config.map),
        .trial_s = TRIAL_S,
        .mute = application->config.mute && application->view.on_trial,
        .random = port->random,
        .log = port->log,
        .ctx = port->ctx,
    };

    return cloud_init(&application->of.cloud, &config, &application->device);
}

static void begin(struct application *application, enum clock_action what, uint32_t now_ms)
{
    (void)now_ms;
    cloud_begin(&application->of.cloud, what == CLOCK_DO_CHECK && application->clock.by_hand);
}

/* The clock shows for a moment that it restarts; should it not get there, it restarts all the same. */
static void restart_at_last(struct application *application, uint32_t now_ms)
{
    const struct cloud *cloud = &application->of.cloud;

    if (cloud->agent.state == UPD_AGENT_RESTART && now_ms - cloud->agent.last_ms >= RESTART_MS) {
        application->port.restart(application->port.ctx);
    }
}

static bool step(struct application *application, uint32_t now_ms)
{
    struct clock_inputs *inputs = &application->inputs;
    bool busy = cloud_step(&application->of.cloud, now_ms, inputs);

    inputs->note = upd_link_orders.is_known(&application->of.cloud.link) ? "Online" : "No server";
    restart_at_last(application, now_ms);
    return busy;
}

const struct application_way application_cloud = {start, begin, step, true};
