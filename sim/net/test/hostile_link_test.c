/*
 * Goal: whatever comes over Espressif's link, a device installs nothing wrong, says what is wrong by its
 * own name, and does not let itself be driven: orders that fail are carried out less and less often.
 *
 * Method: a whole device with two slots, whose link goes to one server and whose downloads come from
 * another, by TCP and by TLS. A row is what the link's server says when the device has identified itself,
 * and what is downloaded then. The servers are left with the device for two hours.
 */
#include "hostile_fields.h"
#include "hostile_run.h"

/* %N nonce of the identify   %Y the answer that it waits for   %O an order of version 1.0.1   %X 300 bytes */
#define KNOWN "%Y\n"
#define ORDERED "%Y\n%O\n"

enum outcome { NOTHING, UPDATED };

static const struct link_row {
    const char *name;
    const char *says;
    enum upd_trouble link;  /* of the link */
    enum upd_trouble agent; /* of the download */
    enum end end;
    bool again;           /* what is said behind the identification is said again and again */
    uint32_t connections; /* of the link, at most; 0: what pauses up to a minute allow */
    uint32_t downloads;   /* connections, at most */
    struct hostile file;  /* what is downloaded; no head, no body: the image */
    enum outcome outcome;
} rows[] = {
    /* clang-format off */
    {.name = "an order", .says = ORDERED, .downloads = 1, .connections = 1, .outcome = UPDATED},
    {.name = "nothing to do for ever", .says = KNOWN, .connections = 1},
    {.name = "never an answer", .says = "", .link = T(LINK_SILENT)},
    {.name = "the end", .says = "", .end = END_CLOSE, .link = T(CONNECTION_LOST)},
    {.name = "no JSON", .says = "hello\n", .link = T(LINK_MESSAGE)},
    {.name = "half a message", .says = "{\"status\": 200, \"nonce\n", .link = T(LINK_MESSAGE)},
    {.name = "half a message, and the end", .says = "{\"status\": 200, \"nonce", .end = END_CLOSE, .link = T(CONNECTION_LOST)},
    {.name = "half a message, and nothing", .says = "{\"status\": 200, \"nonce", .link = T(LINK_SILENT)},
    {.name = "two messages in a line", .says = "%Y%Y\n", .link = T(LINK_MESSAGE)},
    {.name = "text behind a message", .says = "%Y hello\n", .link = T(LINK_MESSAGE)},
    {.name = "a list", .says = "[1, 2]\n", .link = T(LINK_SILENT)},
    {.name = "nothing but a number", .says = "7\n", .link = T(LINK_SILENT)},
    {.name = "a message that is nested", .says = "{\"a\":[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]}\n", .link = T(LINK_MESSAGE)},
    {.name = "an escape that is none", .says = "{\"a\": \"\\q\"}\n", .link = T(LINK_MESSAGE)},
    {.name = "a control byte", .says = "{\"a\": \"\x01\"}\n", .link = T(LINK_MESSAGE)},
    {.name = "a message of 1,500 bytes", .says = "{\"a\": \"%X%X%X%X%X\"}\n", .link = T(LINK_TOO_LONG)},
    {.name = "a message without end", .says = "%Y\n{\"a\": \"%X", .again = true, .link = T(LINK_TOO_LONG)},
    {.name = "empty lines without end", .says = "%Y\n\n\r\n\n", .again = true, .connections = 1},
    {.name = "refused", .says = "{\"status\": 403, \"nonce\": %N}\n", .link = T(LINK_REFUSED)},
    {.name = "no status", .says = "{\"nonce\": %N}\n", .link = T(LINK_REFUSED)},
    {.name = "a status in text", .says = "{\"status\": \"ok\", \"nonce\": %N}\n", .link = T(LINK_REFUSED)},
    {.name = "a nonce of nobody", .says = "{\"status\": 200, \"nonce\": 1%N}\n", .link = T(LINK_SILENT)},
    {.name = "no nonce", .says = "{\"status\": 200}\n", .link = T(LINK_SILENT)},
    {.name = "a negative nonce", .says = "{\"status\": 200, \"nonce\": -%N}\n", .link = T(LINK_SILENT)},
    {.name = "a nonce beyond 32 bits", .says = "{\"status\": 200, \"nonce\": 99999999999999999999}\n", .link = T(LINK_SILENT)},
    {.name = "an unknown action", .says = "%Y\n{\"nonce\": 5, \"get\": {\"action\": \"sys_format\"}}\n", .connections = 1},
    {.name = "an action of 300 bytes", .says = "%Y\n{\"nonce\": 5, \"get\": {\"action\": \"%X\"}}\n", .connections = 1},
    {.name = "an action that is no text", .says = "%Y\n{\"nonce\": 5, \"get\": {\"action\": {\"sys_upgrade\": 1}}}\n", .connections = 1},
    {.name = "an order without a nonce", .says = "%Y\n{\"get\": {\"action\": \"sys_upgrade\", \"version\": \"1.0.1\"}}\n",
     .connections = 1},
    {.name = "an order without a version", .says = "%Y\n{\"nonce\": 5, \"get\": {\"action\": \"sys_upgrade\"}}\n",
     .link = T(LINK_VERSION), .connections = 1},
    {.name = "an order of an empty version", .says = "%Y\n{\"nonce\": 5, \"get\": {\"action\": \"sys_upgrade\", \"version\": \"\"}}\n",
     .link = T(LINK_VERSION), .connections = 1},
    {.name = "an order of a version of 300 bytes",
     .says = "%Y\n{\"nonce\": 5, \"get\": {\"action\": \"sys_upgrade\", \"version\": \"%X\"}}\n", .link = T(LINK_VERSION), .connections = 1},
    {.name = "an order of a version that is no text",
     .says = "%Y\n{\"nonce\": 5, \"get\": {\"action\": \"sys_upgrade\", \"version\": {\"a\": 1}}}\n", .link = T(LINK_VERSION),
     .connections = 1},
    {.name = "a version that breaks out of the request",
     .says = "%Y\n{\"nonce\": 5, \"get\": {\"action\": \"sys_upgrade\", \"version\": \"1 HTTP/1.1\\r\\nX: y\"}}\n", .agent = T(BAD_URL),
     .connections = 1},
    {.name = "a version with a blank", .says = "%Y\n{\"nonce\": 5, \"get\": {\"action\": \"sys_upgrade\", \"version\": \"1 0\"}}\n",
     .agent = T(BAD_URL), .connections = 1},
    {.name = "restarts without end", .says = "%Y\n{\"nonce\": 5, \"get\": {\"action\": \"sys_reboot\"}}\n", .again = true, .connections = 1},
    {.name = "orders without end", .says = ORDERED, .again = true, .downloads = 1, .connections = 1, .outcome = UPDATED},
    {.name = "orders without end of a bad image", .says = ORDERED, .again = true, .agent = T(IMAGE_DIGEST), .downloads = 12,
     .connections = 1, .file = {.body = BODY_FLIPPED, .arg = 700}},
    {.name = "orders without end of an image for another slot", .says = ORDERED, .again = true, .agent = T(IMAGE_TARGET),
     .downloads = 12, .connections = 1, .file = {.body = BODY_PLACE}},
    {.name = "orders without end of nothing", .says = ORDERED, .again = true, .agent = T(NOT_FOUND), .downloads = 12,
     .connections = 1, .file = {.head = "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", .body = BODY_NONE}},
    {.name = "orders without end, and a page", .says = ORDERED, .again = true, .agent = T(IMAGE_FORMAT), .downloads = 12,
     .connections = 1, .file = {.body = BODY_PAGE}},
    {.name = "orders without end, and half an image", .says = ORDERED, .again = true, .agent = T(BODY_CUT), .downloads = 40,
     .connections = 1, .file = {.place = IN_MIDDLE, .end = END_CLOSE}},
    {.name = "orders without end, and a redirect", .says = ORDERED, .again = true, .agent = T(TOO_MANY_REDIRECTS),
     .downloads = 48, .connections = 1,
     .file = {.head = "HTTP/1.1 302 F\r\nLocation: /fw\r\n\r\n", .body = BODY_NONE}},
    /* clang-format on */
};
enum { LINK_ROWS = sizeof rows / sizeof rows[0], LINK_CONNECTIONS = 2 * 120 + 12 };

static struct {
    struct sim_device device;
    struct sim_net net, link_net;
    struct sim_net_trust *trust;
    struct sim_flash fresh;
    char url[64];
    uint32_t now_ms;
    bool is_over;
    enum upd_trouble link, agent; /* the first ones that were seen */
} d;

static struct peer link_peer;
static const struct link_row *row;
static struct wire wires[2] = {{.net = &d.link_net, .peer = &link_peer},
                               {.net = &d.net, .peer = &server.peer}};

/* --- The link's server ------------------------------------------------------------------------- */

static void say(struct answer *answer, const char *template, uint32_t nonce)
{
    char text[100];

    for (; *template != '\0'; template ++) {
        snprintf(text, sizeof text, "%c", *template);
        if (*template == '%') {
            switch (*++template) {
            case 'N':
                snprintf(text, sizeof text, "%u", nonce);
                break;
            case 'Y':
                snprintf(text, sizeof text, "{\"status\": 200, \"nonce\": %u}", nonce);
                break;
            case 'O':
                snprintf(
                    text, sizeof text,
                    "{\"nonce\": 5, \"get\": {\"action\": \"sys_upgrade\", \"version\": \"1.0.1\"}}");
                break;
            default:
                for (uint32_t i = 0; i < 30; i++) {
                    add_text(answer, "1234567890");
                }
                text[0] = '\0';
                break;
            }
        }
        add_text(answer, text);
    }
}

static void answer_link(void *ctx, struct peer *peer)
{
    const char *ask = peer->ask.text;
    const char *at = strstr(ask, "\"nonce\":");
    const uint32_t nonce = at != NULL ? (uint32_t)strtoul(at + 8, NULL, 10) : 0;

    (void)ctx;
    if (strstr(ask, "/v1/ping/") != NULL) {
        add_text(&peer->answer, "{\"status\": 200, \"message\": \"ping success\"}\n");
    } else if (strstr(ask, "identify") != NULL && strncmp(row->says, "%Y", 2) == 0 &&
               strstr(ask, "\"updraft\":\"fell\"") != NULL) {
        say(&peer->answer, KNOWN, nonce);
    } else if (strstr(ask, "identify") != NULL) {
        say(&peer->answer, row->says, nonce);
        const uint8_t *line = memchr(peer->answer.bytes, '\n', peer->answer.size);
        peer->answer.loop = row->again ? (uint32_t)(line + 1 - peer->answer.bytes) : 0;
        peer->answer.end = row->end;
    }
    /* A line or two in 20 seconds, for ever. */
    if (row->again && peer->answer.loop != 0) {
        peer->answer.quick = peer->answer.loop;
        peer->answer.burst = 200;
        peer->answer.every_ms = 20000;
    }
}

static void greet_link(void *ctx, struct peer *peer)
{
    (void)ctx;
    (void)peer;
}

/* --- The device -------------------------------------------------------------------------------- */

static void hear(struct sim_device *device, enum upd_agent_event event)
{
    if (event == UPD_AGENT_ON_FAILED && d.agent == UPD_TROUBLE_NONE) {
        d.agent = device->agent.trouble;
    }
    d.is_over = d.is_over || event == UPD_AGENT_ON_VERIFIED;
}

static void begin_device(bool tls)
{
    const struct sim_device_config config = {
        .kind = SIM_KIND_NONOS,
        .base = &d.fresh,
        .protocol = &upd_protocol_espressif,
        .url = d.url,
        .identity = {.chip = UPD_CHIP_ESP8266,
                     .device_key = "0123456789012345678901234567890123456789"},
        .patience = &patience,
        .transport = &d.net.transport,
        .link_transport = &d.link_net.transport,
        .link_host = "127.0.0.1",
        .link_port = link_peer.port,
        .link_tls = tls,
        .every_s = 86400,
        .seed = 7,
        .event = hear,
    };

    snprintf(d.url, sizeof d.url, "http%s://127.0.0.1:%u", tls ? "s" : "", server.peer.port);
    d.link = d.agent = UPD_TROUBLE_NONE;
    d.is_over = false;
    server.hostile = &row->file;
    server.peer.tls = link_peer.tls = tls;
    server.peer.connections = server.peer.requests = link_peer.connections = 0;
    peer_hang_up(&server.peer, false);
    peer_hang_up(&link_peer, false);
    wire_begin(&wires[0]);
    wire_begin(&wires[1]);
    CHECK(sim_device_make(&d.device, &config, NULL, d.now_ms) == UPD_OK);
}

static bool poll_device(uint32_t *wait)
{
    *wait = sim_device_poll(&d.device, d.now_ms);
    if (d.link == UPD_TROUBLE_NONE) {
        d.link = d.device.link.trouble;
    }
    return d.is_over;
}

static bool run_for(uint32_t limit_ms)
{
    return wire_run(wires, 2, &d.now_ms, limit_ms, poll_device);
}

static bool holds(uint32_t address, const struct image *image)
{
    static uint8_t held[IMAGE_MAX];

    sim_flash_peek(&d.device.flash, address, held, image->size);
    return memcmp(held, image->bytes, image->size) == 0;
}

static struct {
    uint32_t cells, wrong, undistinguished, hasty;
} sum;

static void complain(bool tls, const char *what)
{
    char text[300];

    snprintf(text, sizeof text, "%s (%s): %s; link %s, agent %s, %u connections, %u downloads",
             row->name, tls ? "TLS" : "TCP", what, upd_trouble_name(d.link),
             upd_trouble_name(d.agent), link_peer.connections, server.peer.connections);
    CHECK_THAT(text, false);
}

static void run_cell(bool tls)
{
    const uint32_t most = row->connections != 0 ? row->connections : LINK_CONNECTIONS;

    begin_device(tls);
    const uint32_t address = d.device.boot.address;
    const bool rests = run_for(2 * HOUR_MS);
    sum.cells++;
    if (link_peer.connections > most || server.peer.connections > row->downloads) {
        sum.hasty++;
        complain(tls, "too many connections");
    }
    if (d.link != row->link || d.agent != row->agent || d.is_over != (row->outcome == UPDATED)) {
        sum.undistinguished++;
        complain(tls, d.is_over ? "verified" : upd_trouble_name(row->link));
    }
    /* Nothing is activated but by an order to restart: the old image runs in any case. */
    sim_device_power_off(&d.device);
    sim_device_power_on(&d.device, d.now_ms);
    if (!rests || d.device.state != SIM_DEVICE_RUNS || d.device.boot.address != address ||
        !holds(address, &old_image)) {
        sum.wrong++;
        complain(tls, rests ? "something wrong runs" : "it never ends");
    }
    sim_device_free(&d.device);
}

static const char *only; /* rows with this in their name; NULL: all */

static void test_no_link_drives_a_device(void)
{
    for (row = rows; row < rows + LINK_ROWS; row++) {
        if (only == NULL || strstr(row->name, only) != NULL) {
            run_cell(false);
            run_cell(true);
        }
    }
}

int main(int argc, char **argv)
{
    only = argc > 1 ? argv[1] : NULL;
    make_images_of(SIM_KIND_NONOS);
    const struct sim_image first = {old_image.bytes, old_image.size};
    sim_device_base(SIM_KIND_NONOS, &first, &d.fresh);
    d.trust = begin_server();
    peer_open(&link_peer, &server.pki);
    link_peer.greet = greet_link;
    link_peer.reply = answer_link;
    link_peer.lines = true;
    sim_net_open(&d.net, d.trust);
    sim_net_open(&d.link_net, d.trust);
    CHECK_RUN(test_no_link_drives_a_device);
    sim_net_close(&d.net);
    sim_net_close(&d.link_net);
    peer_close(&link_peer);
    end_server(d.trust);
    sim_flash_free(&d.fresh);
    printf(
        "note: hostile cases, link: %u (%u runs), installed wrong: %u, undistinguished: %u, asked too often: %u\n",
        (unsigned)LINK_ROWS, sum.cells, sum.wrong, sum.undistinguished, sum.hasty);
    check_end();
}
