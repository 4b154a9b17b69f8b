/*
 *     PAUSE --> CONNECT --> OPEN (identify, then pings and orders)
 *       ^          |          |
 *       '----------'----------'   lost, silent, malformed
 */
#include <updraft/link.h>

#include <updraft/bytes.h>
#include <updraft/fetch.h>
#include <updraft/http.h>
#include <updraft/json.h>

#include "json_find.h"

enum { PAUSE, CONNECT, OPEN };

enum {
    LINE_MOST = 1460,
    TICK_MS = 100,
    SILENCE_MS = 50000,
    ANSWER_MS = 20000,
    CONNECT_MS = 15000,
    PAUSE_MS = 1000,
    PAUSE_MOST_MS = 60000,
};

static char *out_of(const struct upd_link *link)
{
    return (char *)link->config.buffer + LINE_MOST;
}

static uint32_t out_room(const struct upd_link *link)
{
    return link->config.buffer_size - LINE_MOST;
}

static bool is_over(uint32_t since_ms, uint32_t now_ms, uint32_t limit_ms)
{
    return now_ms - since_ms >= limit_ms;
}

static void hang_up(struct upd_link *link, enum upd_trouble trouble, uint32_t now_ms)
{
    const struct upd_transport *transport = link->config.transport;

    transport->close(transport->ctx);
    link->trouble = trouble;
    link->failures++;
    link->pause_ms = upd_pause_ms(link->config.pause_ms, link->config.pause_most_ms, link->failures,
                                  link->config.random(link->config.ctx));
    link->state = PAUSE;
    link->since_ms = now_ms;
    link->is_said = link->is_known = link->wants_ping = link->pinged = link->wants_ack = false;
    link->in = link->out = link->sent = 0;
}

/* --- What the device says ---------------------------------------------------------------------- */

static void begin_line(struct upd_json *json)
{
    upd_json_open(json, NULL, '{');
}

static void write_meta(struct upd_json *json, const struct upd_asking *asking)
{
    char text[64];
    struct upd_text value = upd_text_on(text, sizeof text);

    upd_text_add(&value, "token ");
    upd_text_add(&value, asking->identity->device_key != NULL ? asking->identity->device_key : "");
    upd_json_open(json, "meta", '{');
    upd_json_string(json, "Authorization", text);
    upd_json_close(json, '}');
}

static void write_report(struct upd_json *json, const struct upd_asking *asking)
{
    switch (asking->report) {
    case UPD_REPORT_NOTHING:
        break;
    case UPD_REPORT_TRIAL:
        upd_json_string(json, "updraft", "trial");
        break;
    case UPD_REPORT_CONFIRMED:
        upd_json_string(json, "updraft", "confirmed");
        break;
    case UPD_REPORT_FELL:
        upd_json_string(json, "updraft", "fell");
        upd_json_string(json, "reason", asking->report_why);
        upd_json_string(json, "fallen", asking->report_version);
        break;
    }
}

static void write_identity(struct upd_link *link, const struct upd_asking *asking,
                           struct upd_json *json)
{
    const struct upd_identity *identity = asking->identity;
    const bool activates = link->config.token != NULL && !link->activated;

    link->own_nonce = link->config.random(link->config.ctx) % 0x7FFFFFFEu + 1;
    upd_json_number(json, "nonce", link->own_nonce);
    upd_json_string(json, "path", activates ? "/v1/device/activate/" : "/v1/device/identify");
    upd_json_string(json, "method", activates ? "POST" : "GET");
    upd_json_open(json, "body", '{');
    if (activates) {
        upd_json_string(json, "encrypt_method", "PLAIN");
        upd_json_string(json, "token", link->config.token);
        upd_json_string(json, "bssid", identity->mac != NULL ? identity->mac : "");
    }
    upd_json_string(json, "rom_version", identity->version != NULL ? identity->version : "");
    if (!activates) {
        write_report(json, asking);
    }
    upd_json_close(json, '}');
    write_meta(json, asking);
    link->said = (uint8_t)asking->report;
    link->is_said = true;
    link->is_known = false;
}

static void write_tale(const struct upd_link *link, const struct upd_asking *asking,
                       struct upd_json *json)
{
    const bool failed = link->tale == 1 + UPD_TALE_FAILED;

    upd_json_string(json, "path", "/v1/messages/");
    upd_json_string(json, "method", "POST");
    write_meta(json, asking);
    upd_json_open(json, "get", '{');
    upd_json_string(json, "action", failed ? "device_upgrade_failed" : "device_upgrade_success");
    upd_json_close(json, '}');
    upd_json_open(json, "body", '{');
    upd_json_string(json, "pre_rom_version",
                    asking->identity->version != NULL ? asking->identity->version : "");
    upd_json_string(json, "rom_version", asking->wanted);
    if (failed) {
        upd_json_string(json, "reason", asking->report_why);
    }
    upd_json_close(json, '}');
}

static void write_ack(const struct upd_link *link, struct upd_json *json)
{
    upd_json_number(json, "status", 200);
    upd_json_number(json, "nonce", link->nonce);
    upd_json_bool(json, "deliver_to_device", true);
}

static void write_ping(const struct upd_asking *asking, struct upd_json *json)
{
    upd_json_string(json, "path", "/v1/ping/");
    upd_json_string(json, "method", "POST");
    write_meta(json, asking);
}

/* The next line that is due. @return false: none is */
static bool write_line(struct upd_link *link, const struct upd_asking *asking, uint32_t now_ms)
{
    struct upd_json json = upd_json_on(out_of(link), out_room(link));
    const bool has_news = asking->report != UPD_REPORT_NOTHING && asking->report != link->said;

    begin_line(&json);
    if (!link->is_said || (link->is_known && has_news)) {
        write_identity(link, asking, &json);
        link->heard_ms = now_ms;
    } else if (!link->is_known) {
        return false;
    } else if (link->wants_ack) {
        write_ack(link, &json);
        link->wants_ack = false;
    } else if (link->tale != 0) {
        write_tale(link, asking, &json);
        link->tale = 0;
    } else if (link->wants_ping) {
        write_ping(asking, &json);
        link->wants_ping = false;
        link->pinged = true;
        link->heard_ms = now_ms;
    } else {
        return false;
    }
    upd_json_close(&json, '}');
    upd_text_add(&json.text, "\n");
    link->sent = 0;
    link->out = upd_text_is_whole(&json.text) ? json.text.length : 0;
    return true;
}

static void send_lines(struct upd_link *link, const struct upd_asking *asking, uint32_t now_ms)
{
    const struct upd_transport *transport = link->config.transport;

    while (link->sent < link->out || write_line(link, asking, now_ms)) {
        const uint32_t took =
            transport->send(transport->ctx, out_of(link) + link->sent, link->out - link->sent);
        link->sent += took;
        if (link->sent < link->out) {
            return;
        }
        link->sent = link->out = 0;
    }
}

/* --- What the server says ---------------------------------------------------------------------- */

static bool take_number(const char *line, uint32_t size, const char *path, uint32_t *number)
{
    char text[16];
    const char *at = text;

    return json_find(line, size, path, text, sizeof text) && upd_http_number(&at, number) &&
           *at == '\0';
}

static bool take_identity(struct upd_link *link, const char *line, uint32_t size)
{
    const bool activates = link->config.token != NULL && !link->activated;
    uint32_t status = 0;
    uint32_t nonce = 0;

    if (link->is_known || !take_number(line, size, "nonce", &nonce) || nonce != link->own_nonce) {
        return true;
    }
    if (activates) {
        if (!take_number(line, size, "activate_status", &status) || status != 1) {
            return false;
        }
        link->activated = true;
        link->is_said = false; /* and now it says what runs, and how that is */
        return true;
    }
    if (!take_number(line, size, "status", &status) || status != 200) {
        return false;
    }
    if (!json_find(line, size, "datetime", link->datetime, sizeof link->datetime)) {
        link->datetime[0] = '\0';
    }
    link->is_known = true;
    link->failures = 0;
    link->trouble = UPD_TROUBLE_NONE;
    return true;
}

static void take_order(struct upd_link *link, const char *line, uint32_t size, const char *action)
{
    uint32_t nonce = 0;

    if (upd_http_same(action, "sys_reboot")) {
        link->has_restart = true; /* as in the demo, without an answer */
    } else if (upd_http_same(action, "sys_upgrade") && take_number(line, size, "nonce", &nonce)) {
        link->nonce = nonce;
        link->wants_ack = true;
        link->has_update =
            json_find(line, size, "get.version", link->version, sizeof link->version) &&
            link->version[0] != '\0';
        if (!link->has_update) {
            link->trouble = UPD_TROUBLE_LINK_VERSION;
        }
    }
}

/* @return false: nobody goes on with such a server */
static bool take_line(struct upd_link *link, uint32_t size, uint32_t now_ms)
{
    const char *line = (const char *)link->config.buffer;
    char action[24];

    if (size == 0 || (size == 1 && line[0] == '\r')) {
        return true;
    }
    if (!json_is_whole(line, size)) {
        hang_up(link, UPD_TROUBLE_LINK_MESSAGE, now_ms);
        return false;
    }
    link->pinged = false;
    if (json_find(line, size, "get.action", action, sizeof action)) {
        take_order(link, line, size, action);
    } else if (!take_identity(link, line, size)) {
        hang_up(link, UPD_TROUBLE_LINK_REFUSED, now_ms);
        return false;
    }
    return true;
}

static bool take_bytes(struct upd_link *link, uint32_t now_ms)
{
    char *bytes = (char *)link->config.buffer;
    uint32_t at = 0;

    while (at < link->in) {
        if (bytes[at] != '\n') {
            at++;
            continue;
        }
        if (!take_line(link, at, now_ms)) {
            return false;
        }
        link->in -= at + 1;
        memmove(bytes, bytes + at + 1, link->in);
        at = 0;
    }
    if (link->in == LINE_MOST) {
        hang_up(link, UPD_TROUBLE_LINK_TOO_LONG, now_ms);
        return false;
    }
    return true;
}

static uint32_t talk(struct upd_link *link, const struct upd_asking *asking, enum upd_wire wire,
                     enum upd_trouble why, uint32_t now_ms)
{
    const struct upd_transport *transport = link->config.transport;
    const bool waits = !link->is_known || link->pinged;

    const uint32_t got =
        transport->receive(transport->ctx, link->config.buffer + link->in, LINE_MOST - link->in);
    link->in += got;
    if (got > 0) {
        link->heard_ms = now_ms;
        return take_bytes(link, now_ms) ? 0 : link->pause_ms;
    }
    if (wire != UPD_WIRE_OPEN) {
        hang_up(link, wire == UPD_WIRE_BROKEN ? why : UPD_TROUBLE_CONNECTION_LOST, now_ms);
        return link->pause_ms;
    }
    if (waits && link->is_said && is_over(link->heard_ms, now_ms, link->config.answer_ms)) {
        hang_up(link, UPD_TROUBLE_LINK_SILENT, now_ms);
        return link->pause_ms;
    }
    if (!waits && is_over(link->heard_ms, now_ms, link->config.silence_ms)) {
        link->wants_ping = true;
    }
    send_lines(link, asking, now_ms);
    if (waits || link->sent < link->out) {
        return TICK_MS;
    }
    const uint32_t silent = now_ms - link->heard_ms;
    return silent < link->config.silence_ms ? link->config.silence_ms - silent : TICK_MS;
}

/* --- */

static uint32_t poll(void *ctx, const struct upd_asking *asking, uint32_t now_ms,
                     enum upd_order *order, char version[UPD_VERSION_SIZE])
{
    struct upd_link *link = ctx;
    const struct upd_transport *transport = link->config.transport;
    enum upd_trouble why = UPD_TROUBLE_CONNECTION_LOST;
    uint32_t wait = 0;

    if (link->state == PAUSE) {
        const uint32_t passed = now_ms - link->since_ms;
        if (passed < link->pause_ms) {
            wait = link->pause_ms - passed;
        } else {
            transport->connect(transport->ctx, link->config.host, link->config.port,
                               link->config.tls);
            link->state = CONNECT;
            link->since_ms = now_ms;
        }
    } else {
        const enum upd_wire wire = transport->state(transport->ctx, &why);
        if (link->state == OPEN) {
            wait = talk(link, asking, wire, why, now_ms);
        } else if (wire == UPD_WIRE_OPEN) {
            link->state = OPEN;
            link->heard_ms = now_ms;
        } else if (wire != UPD_WIRE_OPENING) {
            hang_up(link, wire == UPD_WIRE_BROKEN ? why : UPD_TROUBLE_CONNECTION_LOST, now_ms);
        } else if (is_over(link->since_ms, now_ms, CONNECT_MS)) {
            hang_up(link, UPD_TROUBLE_CONNECT_TIMEOUT, now_ms);
        } else {
            wait = TICK_MS;
        }
    }
    if (asking->report == UPD_REPORT_NOTHING) {
        link->said = UPD_REPORT_NOTHING;
    }
    link->is_told = link->is_known && link->said == asking->report;
    *order = UPD_ORDER_NONE;
    if (link->has_update) {
        link->has_update = false;
        memcpy(version, link->version, UPD_VERSION_SIZE);
        *order = UPD_ORDER_UPDATE;
    } else if (link->has_restart) {
        link->has_restart = false;
        *order = UPD_ORDER_RESTART;
    }
    return wait;
}

static bool is_known(const void *ctx)
{
    const struct upd_link *link = ctx;

    return link->is_told;
}

static void tell(void *ctx, enum upd_tale tale)
{
    ((struct upd_link *)ctx)->tale = (uint8_t)(1 + tale);
}

const struct upd_orders upd_link_orders = {poll, is_known, tell};

static uint32_t or_usual(uint32_t value, uint32_t usual)
{
    return value != 0 ? value : usual;
}

void upd_link_init(struct upd_link *link, const struct upd_link_config *config, uint32_t now_ms)
{
    *link = (struct upd_link){.config = *config, .state = PAUSE, .since_ms = now_ms};
    link->config.silence_ms = or_usual(config->silence_ms, SILENCE_MS);
    link->config.answer_ms = or_usual(config->answer_ms, ANSWER_MS);
    link->config.pause_ms = or_usual(config->pause_ms, PAUSE_MS);
    link->config.pause_most_ms = or_usual(config->pause_most_ms, PAUSE_MOST_MS);
}
