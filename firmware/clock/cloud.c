#include "cloud.h"

#include "calendar.h"
#include "text.h"

enum { LOG_LINE = 96 };

static void log_line(const struct cloud *cloud, const char *one, const char *two)
{
    char line[LOG_LINE];
    struct text text = text_on(line, sizeof line);

    text_add(&text, one);
    text_add(&text, two);
    cloud->config.log(cloud->config.ctx, line);
}

/* --- What the agent tells ---------------------------------------------------------------------- */

static void push(struct cloud *cloud, enum clock_event event)
{
    if (cloud->pending_count < CLOUD_PENDING) {
        cloud->pending[cloud->pending_count++] = (uint8_t)event;
    }
}

static void log_download(const struct cloud *cloud, const struct upd_agent *agent)
{
    char from[11];
    struct text text = text_on(from, sizeof from);

    text_number(&text, agent->writer.written, 1, ' ');
    log_line(cloud, "download from byte ", from);
}

static void hear(void *ctx, const struct upd_agent *agent, enum upd_agent_event event)
{
    struct cloud *cloud = ctx;

    switch (event) {
    case UPD_AGENT_ON_OFFER:
        push(cloud, CLOCK_EVENT_OFFERED);
        break;
    case UPD_AGENT_ON_DOWNLOAD:
        log_download(cloud, agent);
        break;
    case UPD_AGENT_ON_DOWNLOADED:
        push(cloud, CLOCK_EVENT_RECEIVED);
        break;
    case UPD_AGENT_ON_VERIFIED:
        push(cloud, CLOCK_EVENT_LOADED);
        break;
    case UPD_AGENT_ON_RESTART:
        push(cloud,
             agent->trouble == UPD_TROUBLE_TRIAL_OVER ? CLOCK_EVENT_TRIAL_OVER : CLOCK_EVENT_READY);
        break;
    case UPD_AGENT_ON_CONFIRMED:
        log_line(cloud, "confirmed: ok", "");
        break;
    case UPD_AGENT_ON_FAILED:
        log_line(cloud, "update failed: ", upd_trouble_text(agent->trouble));
        text_copy(cloud->trouble, sizeof cloud->trouble, upd_trouble_name(agent->trouble));
        push(cloud, CLOCK_EVENT_REFUSED);
        break;
    case UPD_AGENT_ON_CHECK:
    case UPD_AGENT_ON_CURRENT:
    case UPD_AGENT_ON_TRIAL:
    case UPD_AGENT_ON_FELL:
    case UPD_AGENT_ON_DECLINED:
    case UPD_AGENT_EVENT_COUNT:
        break;
    }
}

/* --- What the agent needs ---------------------------------------------------------------------- */

static uint32_t random_bits(void *ctx)
{
    const struct cloud *cloud = ctx;

    return cloud->config.random(cloud->config.ctx);
}

static enum upd_err save_memo(void *ctx, const uint8_t *memo)
{
    return settings_save_memo(&((struct cloud *)ctx)->settings, memo);
}

static enum upd_err load_memo(void *ctx, uint8_t *memo)
{
    return settings_load_memo(&((struct cloud *)ctx)->settings, memo);
}

static void start(struct cloud *cloud, uint32_t now_ms)
{
    const struct cloud_config *config = &cloud->config;
    const struct settings *settings = &cloud->settings;
    const struct upd_link_config link = {
        .transport = config->orders,
        .host = config->server,
        .port = CLOUD_LINK_PORT,
        .token = settings->is_activated ? 0 : settings->token,
        .buffer = cloud->link_buffer,
        .buffer_size = sizeof cloud->link_buffer,
        .random = random_bits,
        .ctx = cloud,
    };
    const struct upd_agent_config agent = {
        .device = cloud->device,
        .transport = config->images,
        .protocol = &upd_protocol_espressif,
        .url = cloud->url,
        .identity = &cloud->identity,
        .buffer = cloud->fetch_buffer,
        .buffer_size = sizeof cloud->fetch_buffer,
        .orders = config->mute ? 0 : &upd_link_orders,
        .orders_ctx = &cloud->link,
        .trial_s = config->trial_s,
        .random = random_bits,
        .save = save_memo,
        .load = load_memo,
        .event = hear,
        .ctx = cloud,
    };

    upd_link_init(&cloud->link, &link, now_ms);
    upd_agent_init(&cloud->agent, &agent, now_ms);
    cloud->runs = true;
}

enum upd_err cloud_init(struct cloud *cloud, const struct cloud_config *config,
                        struct upd_device *device)
{
    *cloud = (struct cloud){.config = *config, .device = device};
    struct text url = text_on(cloud->url, sizeof cloud->url);

    text_add(&url, "http://");
    text_add(&url, config->server);
    cloud->identity = (struct upd_identity){
        .chip = UPD_CHIP_ESP8266,
        .version = config->version,
        .device_key = cloud->settings.key,
        .mac = config->mac,
    };
    return settings_open(&cloud->settings, device->flash, config->map);
}

void cloud_begin(struct cloud *cloud, bool again)
{
    const bool leaves = again && cloud->runs && upd_link_orders.is_known(&cloud->link);

    cloud->asked = true;
    cloud->failures = cloud->link.failures;
    if (leaves) {
        cloud->config.orders->close(cloud->config.orders->ctx);
        cloud->failures++; /* the link counts it as one */
    }
}

/* --- What the clock hears ---------------------------------------------------------------------- */

static void watch_activation(struct cloud *cloud)
{
    if (cloud->link.activated && !cloud->was_activated) {
        cloud->was_activated = true;
        /* One that cannot be kept is done again at the next start, and is as good then. */
        log_line(cloud, "activated: ", upd_err_text(settings_activate(&cloud->settings)));
        push(cloud, CLOCK_EVENT_ACTIVATED);
    }
}

/* The answer to cloud_begin(), once there is one. */
static void watch_link(struct cloud *cloud)
{
    const struct upd_link *link = &cloud->link;

    if (!cloud->asked) {
        return;
    }
    if (link->failures > cloud->failures) {
        log_line(cloud, "no link: ", upd_trouble_text(link->trouble));
        text_copy(cloud->trouble, sizeof cloud->trouble, upd_trouble_name(link->trouble));
        push(cloud, CLOCK_EVENT_FAILED);
        cloud->asked = false;
    } else if (upd_link_orders.is_known(link) && link->failures == 0 &&
               !cloud->agent.view.on_trial) {
        push(cloud, CLOCK_EVENT_LINKED);
        cloud->asked = false;
    }
}

static void watch_time(struct cloud *cloud, struct clock_inputs *news)
{
    news->unix_s = 0;
    if (!text_same(cloud->datetime, cloud->link.datetime)) {
        text_copy(cloud->datetime, sizeof cloud->datetime, cloud->link.datetime);
        (void)calendar_parse_plain(cloud->datetime, &news->unix_s);
    }
}

static void hand_over(struct cloud *cloud, struct clock_inputs *news)
{
    const struct upd_agent *agent = &cloud->agent;

    news->news = CLOCK_EVENT_NONE;
    news->version = agent->asking.wanted;
    news->trouble = cloud->trouble;
    news->percent = (uint8_t)upd_agent_percent(agent);
    if (cloud->pending_count > 0) {
        news->news = (enum clock_event)cloud->pending[0];
        cloud->pending_count--;
        for (uint32_t i = 0; i < cloud->pending_count; i++) {
            cloud->pending[i] = cloud->pending[i + 1];
        }
    }
}

bool cloud_step(struct cloud *cloud, uint32_t now_ms, struct clock_inputs *news)
{
    if (!cloud->runs) {
        start(cloud, now_ms);
    }
    const uint32_t wait_ms =
        cloud->agent.state == UPD_AGENT_RESTART ? 1 : upd_agent_poll(&cloud->agent, now_ms);
    watch_activation(cloud);
    if (!cloud->config.mute) {
        watch_link(cloud);
    }
    watch_time(cloud, news);
    hand_over(cloud, news);
    return wait_ms == 0 || cloud->pending_count > 0;
}
