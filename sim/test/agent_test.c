/*
 * The agent, whole: over a simulated flash with a boot loader, against a server in memory that says
 * what a test wants it to. Time goes on only by what the agent asks for.
 *
 * What must hold: each state is reached and left as agent.h draws it; nothing is downloaded or
 * started without the consent that was configured; an image is confirmed only by an exchange with a
 * server that knows what it is; what was bad once is not fetched again, also after a restart; and
 * what the agent reports is what happened.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <updraft/bytes.h>
#include <updraft/crc32.h>
#include <updraft/sim_device.h>

#include "check.h"

enum { REQUEST = 2048, ANSWER = 1 << 16, LOG = 1 << 16 };

/* --- A server in memory -------------------------------------------------------------------------- */

struct server {
    struct upd_transport transport;
    /* Set by tests. */
    const char *version;           /* offered; NULL: 304 */
    const struct sim_image *image; /* its content */
    const char *md5;               /* sent as x-MD5; NULL: not */
    const char *etag;              /* NULL: none */
    int status;                    /* instead of all that; 0: not */
    uint32_t cut_at;               /* bytes of an answer, then the connection breaks; 0: never */
    bool is_down;
    bool is_naive;                       /* offers what it has, whatever runs */
    void (*turn)(struct server *server); /* before each answer; NULL: nothing changes */
    /* Seen. */
    uint32_t requests, connections;
    char request[REQUEST]; /* the last one */
    /* The connection. */
    bool open, answered;
    char *answer;
    uint32_t size, at, got;
};

static bool asks_for(const struct server *server, const char *text)
{
    return strstr(server->request, text) != NULL;
}

/* The device says so, in one of the ways of the protocols. */
static bool runs_it(const struct server *server)
{
    static const char *const ways[] = {"-version: %s\r\n", "&v=%s&", "&version=%s HTTP"};
    char text[128];

    snprintf(text, sizeof text, "If-None-Match: %s", server->etag != NULL ? server->etag : "-");
    bool runs = asks_for(server, text);
    for (uint32_t i = 0; i < 3; i++) {
        snprintf(text, sizeof text, ways[i], server->version);
        runs = runs || asks_for(server, text);
    }
    return runs;
}

static void make_answer(struct server *server)
{
    char head[512];
    char fields[300] = "";
    const uint8_t *body = NULL;
    uint32_t from = 0, size = 0;
    int status = server->status;

    server->requests++;
    if (server->turn != NULL) {
        server->turn(server);
    }
    if (status == 0) {
        status = server->version == NULL || (!server->is_naive && runs_it(server)) ? 304 : 200;
    }
    if (status == 200) {
        const char *range = strstr(server->request, "Range: bytes=");
        body = server->image->data;
        size = server->image->size;
        if (range != NULL) {
            from = (uint32_t)strtoul(range + 13, NULL, 10);
            status = 206;
        }
        snprintf(fields, sizeof fields, "x-version: %s\r\n", server->version);
        if (status == 206) {
            snprintf(fields + strlen(fields), sizeof fields - strlen(fields),
                     "Content-Range: bytes %u-%u/%u\r\n", (unsigned)from, (unsigned)size - 1,
                     (unsigned)size);
        }
        if (server->md5 != NULL) {
            snprintf(fields + strlen(fields), sizeof fields - strlen(fields), "x-MD5: %s\r\n",
                     server->md5);
        }
    }
    if (server->etag != NULL) {
        snprintf(fields + strlen(fields), sizeof fields - strlen(fields), "ETag: %s\r\n",
                 server->etag);
    }
    const int length = snprintf(head, sizeof head, "HTTP/1.1 %d x\r\n%sContent-Length: %u\r\n\r\n",
                                status, fields, (unsigned)(size - from));
    memcpy(server->answer, head, (size_t)length);
    if (body != NULL) {
        memcpy(server->answer + length, body + from, size - from);
    }
    server->size = (uint32_t)length + size - from;
    server->at = 0;
    server->answered = true;
}

static void server_connect(void *ctx, const char *host, uint16_t port, bool tls)
{
    struct server *server = ctx;

    (void)host;
    (void)port;
    (void)tls;
    server->connections++;
    server->open = true;
    server->answered = false;
    server->got = 0;
}

static enum upd_wire server_state(void *ctx, enum upd_trouble *why)
{
    struct server *server = ctx;

    if (!server->open) {
        return UPD_WIRE_CLOSED;
    }
    if (server->is_down) {
        *why = UPD_TROUBLE_UNREACHABLE;
        return UPD_WIRE_BROKEN;
    }
    if (server->answered && server->cut_at != 0 && server->at >= server->cut_at) {
        *why = UPD_TROUBLE_CONNECTION_LOST;
        return UPD_WIRE_BROKEN;
    }
    return server->answered && server->at == server->size ? UPD_WIRE_ENDED : UPD_WIRE_OPEN;
}

static uint32_t server_send(void *ctx, const void *data, uint32_t size)
{
    struct server *server = ctx;

    CHECK(server->got + size < sizeof server->request);
    memcpy(server->request + server->got, data, size);
    server->got += size;
    server->request[server->got] = '\0';
    if (strstr(server->request, "\r\n\r\n") != NULL) {
        make_answer(server);
    }
    return size;
}

static uint32_t server_receive(void *ctx, void *data, uint32_t size)
{
    struct server *server = ctx;
    uint32_t left = server->answered ? server->size - server->at : 0;

    if (server->cut_at != 0 && server->answered) {
        left = server->cut_at > server->at ? server->cut_at - server->at : 0;
    }
    size = size < left ? size : left;
    if (size > 0) {
        memcpy(data, server->answer + server->at, size);
        server->at += size;
    }
    return size;
}

static void server_close(void *ctx)
{
    ((struct server *)ctx)->open = false;
}

static void server_make(struct server *server)
{
    *server = (struct server){.answer = malloc(ANSWER)};
    server->transport = (struct upd_transport){server_connect, server_state, server_send,
                                               server_receive, server_close, server};
}

/* --- A device, and what happens to it ------------------------------------------------------------ */

struct stand {
    struct server server;
    struct sim_device device;
    struct sim_device_config config;
    struct sim_image old, new;
    uint64_t now_ms;
    bool overflows;
    char log[LOG]; /* names of events, each with a blank behind it */
};

static struct stand stand;

static void hear(struct sim_device *device, enum upd_agent_event event)
{
    (void)device;
    if (strlen(stand.log) + 20 >= sizeof stand.log) {
        stand.overflows = true;
        return;
    }
    strcat(stand.log, upd_agent_event_name(event));
    strcat(stand.log, " ");
}

static void begin_as(enum sim_kind kind, const struct upd_protocol *protocol, enum sim_plan plan,
                     uint8_t consent)
{
    memset(&stand, 0, sizeof stand);
    server_make(&stand.server);
    stand.old = sim_kind_image(kind, 0, "1.0.0", SIM_PLAN_WORKS, 9000, 1);
    stand.new = sim_kind_image(kind, sim_kind_places(kind) - 1, "1.0.1", plan, 14000, 2);
    stand.config = (struct sim_device_config){
        .kind = kind,
        .image = &stand.old,
        .protocol = protocol,
        .url = "http://server/file",
        .identity = {.chip = kind == SIM_KIND_IDF ? UPD_CHIP_ESP32 : UPD_CHIP_ESP8266,
                     .serial = "s1",
                     .product_key = "k1",
                     .mac = "5C:CF:7F:00:00:01",
                     .sdk = "test",
                     .sketch_size = 9000,
                     .free_space = 1000000,
                     .chip_size = 4194304,
                     .sketch_md5 = "00112233445566778899aabbccddeeff",
                     .chip_id = "123"},
        .transport = &stand.server.transport,
        .every_s = 3600,
        .consent = consent,
        .seed = 7,
        .event = hear,
    };
    CHECK(sim_device_make(&stand.device, &stand.config, NULL, 0) == UPD_OK);
}

static void begin(enum sim_plan plan, uint8_t consent)
{
    begin_as(SIM_KIND_IDF, &upd_protocol_arduino, plan, consent);
    stand.server.image = &stand.new;
}

static void end(void)
{
    CHECK(!stand.overflows);
    if (getenv("AGENT_LOG") != NULL)
        puts(stand.log);
    sim_device_free(&stand.device);
    free(stand.server.answer);
    free(stand.old.data);
    free(stand.new.data);
}

/* As the agent wants it: polled when it says, for so long at the most, or until nothing is to do. */
static void live(uint64_t most_ms)
{
    const uint64_t until = stand.now_ms + most_ms;

    for (uint32_t i = 0; i < 200000 && stand.now_ms <= until; i++) {
        const uint32_t wait = sim_device_poll(&stand.device, (uint32_t)stand.now_ms);
        if (stand.device.state == SIM_DEVICE_OFF || wait == UINT32_MAX) {
            return;
        }
        stand.now_ms += wait;
    }
}

static bool happened(const char *events)
{
    return strstr(stand.log, events) != NULL;
}

static uint32_t count(const char *event)
{
    uint32_t count = 0;

    for (const char *at = stand.log; (at = strstr(at, event)) != NULL; at++) {
        count++;
    }
    return count;
}

static bool runs(const char *version)
{
    return strcmp(stand.device.version, version) == 0;
}

/* --- What has to be so --------------------------------------------------------------------------- */

static void test_an_update_goes_all_the_way_and_is_told(void)
{
    begin(SIM_PLAN_WORKS, UPD_CONSENT_NONE);
    stand.server.version = "1.0.1";
    live(60000);
    CHECK(
        happened("check offer download downloaded verified restart trial check confirmed check "));
    CHECK(runs("1.0.1"));
    CHECK(!stand.device.agent.view.on_trial);
    CHECK(asks_for(&stand.server, "x-updraft: confirmed\r\n"));
    CHECK(asks_for(&stand.server, "x-ESP32-version: 1.0.1\r\n"));
    CHECK(asks_for(&stand.server, "x-ESP32-STA-MAC: 5C:CF:7F:00:00:01\r\n"));
    CHECK(asks_for(&stand.server, "x-ESP32-chip-size: 4194304\r\n"));
    /* It goes on to ask at its interval, and has nothing to report any more. */
    stand.server.version = NULL;
    const uint32_t before = stand.server.requests;
    live(2 * 3600 * 1000);
    CHECK(stand.server.requests >= before + 1 && stand.server.requests <= before + 3);
    CHECK(!asks_for(&stand.server, "x-updraft"));
    end();
}

static void test_every_protocol_updates_its_kind_of_device(void)
{
    static const struct {
        const char *name;
        enum sim_kind kind;
        const struct upd_protocol *protocol;
        const char *request;
    } rows[] = {
        {"arduino", SIM_KIND_ARDUINO, &upd_protocol_arduino, "GET /file HTTP/1.1\r\n"},
        {"otadrive", SIM_KIND_ARDUINO, &upd_protocol_otadrive,
         "GET /file/DeviceApi/update?k=k1&v=1.0.1&s=s1 HTTP/1.1\r\n"},
        {"plain", SIM_KIND_RTOS, &upd_protocol_plain, "GET /file?serial=s1&version=1.0.1 HTTP"},
        {"plain", SIM_KIND_IDF, &upd_protocol_plain, "GET /file?serial=s1&version=1.0.1 HTTP"},
    };

    for (uint32_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        begin_as(rows[i].kind, rows[i].protocol, SIM_PLAN_WORKS, UPD_CONSENT_NONE);
        stand.server.image = &stand.new;
        stand.server.version = "1.0.1";
        stand.server.etag = "\"two\"";
        live(60000);
        CHECK_THAT(rows[i].name, runs("1.0.1"));
        CHECK_THAT(rows[i].name, happened("confirmed"));
        CHECK_THAT(rows[i].name, asks_for(&stand.server, rows[i].request));
        end();
    }
}

static void test_consent_is_waited_for_and_a_no_is_kept(void)
{
    begin(SIM_PLAN_WORKS, UPD_CONSENT_DOWNLOAD | UPD_CONSENT_RESTART);
    stand.server.version = "1.0.1";
    live(10 * 60000);
    CHECK(stand.device.agent.state == UPD_AGENT_ASKS);
    CHECK(!happened("download"));
    upd_agent_allow(&stand.device.agent);
    live(60000);
    CHECK(stand.device.agent.state == UPD_AGENT_READY);
    CHECK(runs("1.0.0") && upd_agent_percent(&stand.device.agent) == 100);
    upd_agent_allow(&stand.device.agent);
    live(60000);
    CHECK(runs("1.0.1") && happened("confirmed"));
    end();

    begin(SIM_PLAN_WORKS, UPD_CONSENT_DOWNLOAD);
    stand.server.version = "1.0.1";
    live(60000);
    upd_agent_decline(&stand.device.agent);
    live(10 * 3600 * 1000);
    CHECK(!happened("download") && runs("1.0.0"));
    CHECK(stand.device.agent.state == UPD_AGENT_IDLE);
    CHECK(count("declined") > 5); /* asked at each interval, and answered by itself */
    end();

    begin(SIM_PLAN_WORKS, UPD_CONSENT_RESTART);
    stand.server.version = "1.0.1";
    live(60000);
    CHECK(stand.device.agent.state == UPD_AGENT_READY);
    upd_agent_decline(&stand.device.agent);
    sim_device_power_off(&stand.device);
    sim_device_power_on(&stand.device, (uint32_t)stand.now_ms);
    live(60000);
    CHECK(runs("1.0.0") && count("downloaded") == 1);
    end();
}

static void test_a_release_that_crashes_is_reported_and_not_fetched_again(void)
{
    begin(SIM_PLAN_CRASHES, UPD_CONSENT_NONE);
    stand.server.version = "1.0.1";
    live(60000);
    CHECK(runs("1.0.0") && happened("fell check failed"));
    CHECK(asks_for(&stand.server, "x-updraft: fell UNCONFIRMED 1.0.1\r\n"));
    CHECK(stand.device.agent.trouble == UPD_TROUBLE_KNOWN_BAD);
    live(24 * 3600 * 1000ull);
    CHECK(count("downloaded") == 1);
    CHECK(!asks_for(&stand.server, "x-updraft"));
    sim_device_power_off(&stand.device);
    sim_device_power_on(&stand.device, (uint32_t)stand.now_ms);
    live(24 * 3600 * 1000ull);
    CHECK(count("downloaded") == 1 && runs("1.0.0"));
    end();
}

static void test_an_image_without_a_server_goes_back(void)
{
    begin(SIM_PLAN_WORKS, UPD_CONSENT_NONE);
    stand.config.trial_s = 120;
    sim_device_free(&stand.device);
    CHECK(sim_device_make(&stand.device, &stand.config, NULL, 0) == UPD_OK);
    stand.server.version = "1.0.1";
    for (uint32_t i = 0; i < 100000 && !runs("1.0.1"); i++) {
        stand.now_ms += sim_device_poll(&stand.device, (uint32_t)stand.now_ms);
    }
    CHECK(runs("1.0.1") && stand.device.agent.view.on_trial);
    stand.server.is_down = true;
    live(119000);
    CHECK(runs("1.0.1"));
    live(60000);
    CHECK(runs("1.0.0"));
    CHECK(!happened("confirmed"));
    stand.server.is_down = false;
    live(600000);
    CHECK(happened("fell"));
    CHECK(count("downloaded") == 1);
    end();
}

/* A page of a hotel, with status 200 and something that is no image. */
static void test_a_trial_is_not_ended_by_just_any_answer(void)
{
    static uint8_t page[64] = "<html>Please log in</html>";
    const struct sim_image hotel = {page, sizeof page};

    begin(SIM_PLAN_WORKS, UPD_CONSENT_NONE);
    stand.server.version = "1.0.1";
    for (uint32_t i = 0; i < 100000 && !runs("1.0.1"); i++) {
        stand.now_ms += sim_device_poll(&stand.device, (uint32_t)stand.now_ms);
    }
    stand.server.version = "";
    stand.server.image = &hotel;
    live(60000);
    CHECK(stand.device.agent.view.on_trial && !happened("confirmed"));
    stand.server.status = 404;
    live(60000);
    CHECK(stand.device.agent.view.on_trial && !happened("confirmed"));
    stand.server.status = 0;
    stand.server.version = NULL;
    live(120000);
    CHECK(happened("confirmed") && runs("1.0.1"));
    end();
}

static void test_a_bad_image_is_reported_once_and_left_alone(void)
{
    begin(SIM_PLAN_WORKS, UPD_CONSENT_NONE);
    stand.server.version = "1.0.1";
    stand.new.data[9000] ^= 1;
    live(20000);
    CHECK(happened("download failed"));
    CHECK(runs("1.0.0") && !happened("verified"));
    CHECK(asks_for(&stand.server, "x-updraft: fell IMAGE_DIGEST 1.0.1\r\n"));
    live(24 * 3600 * 1000ull);
    CHECK(count("download ") == 1);
    CHECK(stand.device.agent.trouble == UPD_TROUBLE_KNOWN_BAD);
    end();

    begin(SIM_PLAN_WORKS, UPD_CONSENT_NONE);
    stand.server.version = "1.0.1";
    stand.server.md5 = "00000000000000000000000000000000";
    live(20000);
    CHECK(!happened("verified") && runs("1.0.0"));
    CHECK(asks_for(&stand.server, "x-updraft: fell IMAGE_DIGEST 1.0.1\r\n"));
    end();
}

/* A version in four, of which each is another file: the odd ones crash, the others are damaged. */
enum { OFFERS = 4 };
static struct sim_image offers[OFFERS];
static char offer_name[24];
static uint32_t offer_now;

static void make_offers(void)
{
    for (uint32_t i = 0; i < OFFERS; i++) {
        snprintf(offer_name, sizeof offer_name, "1.1.%u", (unsigned)i);
        offers[i] = sim_kind_image(SIM_KIND_IDF, 0, offer_name,
                                   i % 2 != 0 ? SIM_PLAN_CRASHES : SIM_PLAN_WORKS, 14000, 20 + i);
        offers[i].data[9000] ^= i % 2 == 0;
    }
}

static void free_offers(void)
{
    for (uint32_t i = 0; i < OFFERS; i++) {
        free(offers[i].data);
    }
}

static void offer_in_turn(struct server *server)
{
    offer_now = (offer_now + 1) % OFFERS;
    snprintf(offer_name, sizeof offer_name, "1.1.%u", (unsigned)offer_now);
    server->version = offer_name;
    server->image = &offers[offer_now];
}

/* What is offered has a new name each time, and crashes. */
static void offer_anew(struct server *server)
{
    snprintf(offer_name, sizeof offer_name, "2.%u", (unsigned)server->requests);
    server->version = offer_name;
    server->image = &offers[1];
}

static void test_bad_releases_that_are_offered_in_turn_are_tried_once_each(void)
{
    make_offers();
    begin(SIM_PLAN_WORKS, UPD_CONSENT_NONE);
    stand.server.turn = offer_in_turn;
    live(3 * 24 * 3600 * 1000ull);
    sim_device_power_off(&stand.device);
    sim_device_power_on(&stand.device, (uint32_t)stand.now_ms);
    live(24 * 3600 * 1000ull);
    CHECK(count("download ") == OFFERS);
    CHECK(count("verified") == OFFERS / 2 && count("fell") == OFFERS / 2);
    CHECK(runs("1.0.0") && stand.device.agent.trouble == UPD_TROUBLE_KNOWN_BAD);
    CHECK(count("check ") > 60 && count("check ") < 3 * 24 + 24 + 40);
    end();
    free_offers();
}

static void test_releases_that_crash_by_ever_new_names_are_tried_less_and_less(void)
{
    uint64_t erases = 0;

    make_offers();
    begin(SIM_PLAN_WORKS, UPD_CONSENT_NONE);
    stand.server.turn = offer_anew;
    for (uint32_t day = 0; day < 28; day++) {
        const uint32_t trials = count("verified");
        live(24 * 3600 * 1000ull);
        CHECK(day < 2 || count("verified") <= trials + 2);
        if (day == 27) {
            erases = stand.device.flash.counters.erases;
        }
    }
    CHECK(runs("1.0.0") && count("verified") >= 28 && count("verified") <= 2 * 28 + 12);
    CHECK(erases < count("verified") * 20);
    end();
    free_offers();
}

static void test_what_breaks_off_goes_on_from_there(void)
{
    begin(SIM_PLAN_WORKS, UPD_CONSENT_NONE);
    stand.server.version = "1.0.1";
    stand.server.etag = "\"two\"";
    stand.server.cut_at = 9000;
    live(2000);
    stand.server.cut_at = 0;
    live(600000);
    CHECK(happened("confirmed") && runs("1.0.1"));
    CHECK(count("check ") <= 4);
    end();

    /* And over a power cut, by what is in flash. */
    begin(SIM_PLAN_WORKS, UPD_CONSENT_NONE);
    stand.server.version = "1.0.1";
    stand.server.etag = "\"two\"";
    sim_flash_cut_at(&stand.device.flash, 40, SIM_TEAR_MIXED);
    live(60000);
    CHECK(stand.device.state == SIM_DEVICE_OFF);
    sim_device_power_on(&stand.device, (uint32_t)stand.now_ms);
    for (uint32_t i = 0; i < 100000 && !happened("downloaded"); i++) {
        stand.now_ms += sim_device_poll(&stand.device, (uint32_t)stand.now_ms);
    }
    CHECK(asks_for(&stand.server, "Range: bytes="));
    CHECK(asks_for(&stand.server, "If-Range: \"two\"\r\n"));
    live(60000);
    CHECK(happened("confirmed"));
    end();
}

static void test_plain_downloads_end_when_they_are_what_runs(void)
{
    begin_as(SIM_KIND_IDF, &upd_protocol_plain, SIM_PLAN_WORKS, UPD_CONSENT_NONE);
    stand.server.image = &stand.old;
    stand.server.version = "another name of the same";
    stand.server.etag = "\"one\"";
    live(60000);
    CHECK(happened("download current") && !happened("downloaded"));
    /* From then on the server is told which one that is. */
    live(3 * 3600 * 1000);
    CHECK(asks_for(&stand.server, "If-None-Match: \"one\"\r\n"));
    CHECK(count("download ") == 1);
    end();
}

static void test_the_same_release_is_not_installed_over_and_over(void)
{
    begin(SIM_PLAN_WORKS, UPD_CONSENT_NONE);
    stand.server.version = "1.0.1";
    stand.server.is_naive = true;
    live(24 * 3600 * 1000ull);
    CHECK(runs("1.0.1") && count("downloaded") == 1 && count("current") > 20);
    sim_device_power_off(&stand.device);
    sim_device_power_on(&stand.device, (uint32_t)stand.now_ms);
    live(3 * 3600 * 1000ull);
    CHECK(count("downloaded") == 1);
    end();
}

static void test_failures_are_further_and_further_apart(void)
{
    begin(SIM_PLAN_WORKS, UPD_CONSENT_NONE);
    stand.server.is_down = true;
    live(24 * 3600 * 1000ull);
    /* An hour is the interval, and five tries belong to a check. */
    CHECK(count("failed") >= 20 && count("failed") <= 60);
    CHECK(stand.device.agent.trouble == UPD_TROUBLE_UNREACHABLE);
    end();

    /* What trying again would not change waits for the interval. */
    begin(SIM_PLAN_WORKS, UPD_CONSENT_NONE);
    stand.server.status = 403;
    live(10 * 3600 * 1000);
    CHECK(count("failed") >= 9 && count("failed") <= 12);
    CHECK(stand.device.agent.trouble == UPD_TROUBLE_FORBIDDEN);
    end();
}

static void test_the_button_asks_when_it_was_held_long_enough(void)
{
    begin(SIM_PLAN_WORKS, UPD_CONSENT_NONE);
    live(60000);
    const uint32_t before = count("check ");
    struct upd_agent *agent = &stand.device.agent;
    CHECK(upd_agent_due_in_s(agent) > 3000 && upd_agent_due_in_s(agent) < 4000);
    upd_agent_button(agent, true, (uint32_t)stand.now_ms);
    upd_agent_button(agent, true, (uint32_t)stand.now_ms + 6000);
    upd_agent_button(agent, false, (uint32_t)stand.now_ms + 6999);
    CHECK(upd_agent_due_in_s(agent) > 3000);
    upd_agent_button(agent, true, (uint32_t)stand.now_ms + 8000);
    upd_agent_button(agent, false, (uint32_t)stand.now_ms + 15000);
    CHECK(upd_agent_due_in_s(agent) == 0);
    live(1000);
    CHECK(count("check ") == before + 1);
    end();
}

/* --- When, and who agrees: each with each ------------------------------------------------------- */

enum { EVERY_S = 3600 };

/* As live(), but not a millisecond longer. */
static void live_for(uint64_t ms)
{
    const uint64_t until = stand.now_ms + ms;

    while (stand.now_ms < until) {
        const uint32_t wait = sim_device_poll(&stand.device, (uint32_t)stand.now_ms);
        const uint64_t left = until - stand.now_ms;
        stand.now_ms += wait < left ? wait : left;
    }
    (void)sim_device_poll(&stand.device, (uint32_t)stand.now_ms);
}

static uint32_t unix_clock(void *device)
{
    (void)device;
    return 1790000000 + (uint32_t)(stand.now_ms / 1000);
}

static void sleep_for(uint64_t seconds)
{
    sim_device_power_off(&stand.device);
    stand.now_ms += seconds * 1000;
    sim_device_power_on(&stand.device, (uint32_t)stand.now_ms);
}

/* It wakes, is told that nothing is due, sleeps on, and is on time. */
static void sleep_until_due(void)
{
    const uint32_t due_s = upd_agent_due_in_s(&stand.device.agent);

    CHECK(due_s > EVERY_S * 8 / 10 && due_s <= EVERY_S * 11 / 10);
    for (uint32_t i = 0; i < 4; i++) {
        sleep_for(due_s / 5);
        CHECK(upd_agent_due_in_s(&stand.device.agent) <= due_s - due_s / 5 * (i + 1) + 1);
        live_for(1000);
    }
    CHECK(count("check ") == 1);
    sleep_for(due_s / 5 + 10);
}

static void hold_button(void)
{
    upd_agent_button(&stand.device.agent, true, (uint32_t)stand.now_ms);
    live_for(7000);
    upd_agent_button(&stand.device.agent, false, (uint32_t)stand.now_ms);
}

static void push(void)
{
    upd_agent_check(&stand.device.agent);
}

static void wait_for_interval(void)
{
    const uint32_t due_s = upd_agent_due_in_s(&stand.device.agent);

    CHECK(due_s > EVERY_S * 8 / 10 && due_s <= EVERY_S * 11 / 10);
    live_for((due_s - 5) * 1000u);
    CHECK(count("check ") == 1);
    live_for(10000);
}

static void restart_it(void)
{
    sleep_for(1);
}

static void test_each_way_to_check_with_each_consent(void)
{
    static const struct {
        const char *name;
        void (*wake)(void);
        bool quiet_start;
        bool knows_time;
        uint32_t checks; /* before */
    } rows[] = {
        {"start", restart_it, false, false, 1},
        {"interval", wait_for_interval, true, false, 1},
        {"wake from sleep", sleep_until_due, true, true, 1},
        {"button", hold_button, true, false, 1},
        {"push", push, true, false, 1},
    };

    for (uint32_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (uint8_t consent = 0; consent < 4; consent++) {
            begin(SIM_PLAN_WORKS, consent);
            stand.device.config.quiet_start = stand.config.quiet_start = rows[i].quiet_start;
            stand.device.config.clock = rows[i].knows_time ? unix_clock : NULL;
            live_for(1000); /* it was made with a check at its start */
            CHECK_THAT(rows[i].name, count("check ") == rows[i].checks);
            stand.server.version = "1.0.1";
            if (rows[i].knows_time) {
                /* And once more by its own clock, which the next start goes by. */
                stand.server.version = NULL;
                sleep_for(1);
                stand.log[0] = '\0';
                push();
                live_for(1000);
                stand.server.version = "1.0.1";
            }
            live_for(60000);
            CHECK_THAT(rows[i].name, count("check ") == 1 && !happened("offer"));
            rows[i].wake();
            live_for(60000);
            CHECK_THAT(rows[i].name, happened("offer"));
            if ((consent & UPD_CONSENT_DOWNLOAD) != 0) {
                CHECK_THAT(rows[i].name, stand.device.agent.state == UPD_AGENT_ASKS);
                CHECK_THAT(rows[i].name, !happened("download"));
                upd_agent_allow(&stand.device.agent);
                live_for(60000);
            }
            if ((consent & UPD_CONSENT_RESTART) != 0) {
                CHECK_THAT(rows[i].name, stand.device.agent.state == UPD_AGENT_READY);
                CHECK_THAT(rows[i].name, runs("1.0.0") && happened("verified"));
                upd_agent_allow(&stand.device.agent);
                live_for(60000);
            }
            live_for(60000);
            CHECK_THAT(rows[i].name, runs("1.0.1") && happened("confirmed"));
            end();
        }
    }
}

static void test_an_interval_of_years_and_a_clock_of_32_bits(void)
{
    const uint32_t year_s = 365 * 24 * 3600;

    begin(SIM_PLAN_WORKS, UPD_CONSENT_NONE);
    sim_device_free(&stand.device);
    stand.config.every_s = 2 * year_s;
    stand.now_ms = 0xFFFFF000u; /* the milliseconds wrap at once, and each 49 days */
    CHECK(sim_device_make(&stand.device, &stand.config, NULL, (uint32_t)stand.now_ms) == UPD_OK);
    live_for(60000);
    CHECK(count("check ") == 1);
    const uint32_t due_s = upd_agent_due_in_s(&stand.device.agent);
    CHECK(due_s > year_s * 2 - year_s / 5 - 100 && due_s <= year_s * 2 + year_s / 5);
    live_for((uint64_t)(due_s - 7200) * 1000);
    CHECK(count("check ") == 1);
    live_for(3 * 3600 * 1000);
    CHECK(count("check ") == 2);
    /* To be asked for once in a month and no more is enough. */
    for (uint32_t left_s = upd_agent_due_in_s(&stand.device.agent); left_s > 0;) {
        CHECK(count("check ") == 2);
        const uint32_t part_s = left_s < 24 * 24 * 3600 ? left_s : 24 * 24 * 3600;
        stand.now_ms += part_s * 1000ull;
        left_s -= part_s;
        (void)sim_device_poll(&stand.device, (uint32_t)stand.now_ms);
    }
    live_for(60000);
    CHECK(count("check ") == 3);
    end();
}

static void test_names(void)
{
    for (uint32_t i = 0; i <= UPD_AGENT_STATE_COUNT; i++) {
        const char *name = upd_agent_state_name((enum upd_agent_state)i);
        CHECK((strcmp(name, "unknown") == 0) == (i == UPD_AGENT_STATE_COUNT));
        CHECK(upd_agent_state_text((enum upd_agent_state)i)[0] != '\0');
    }
    CHECK(strcmp(upd_agent_event_name(UPD_AGENT_ON_FELL), "fell") == 0);
    CHECK(strcmp(upd_agent_event_name(UPD_AGENT_EVENT_COUNT), "unknown") == 0);
}

static void test_a_memo_is_what_was_remembered_or_nothing(void)
{
    struct upd_memo memo = {.due_s = 1,
                            .tried = 2,
                            .bad = {3, 31, 32, 33, 34, 35, 36, 37, 38},
                            .trials = 7,
                            .declined = 4,
                            .current = 6,
                            .failures = 5,
                            .version = "1.0.1",
                            .etag = "\"a\"",
                            .tried_etag = "\"b\""};
    struct upd_memo read;
    uint8_t bytes[UPD_MEMO_SIZE];

    upd_memo_encode(&memo, bytes);
    CHECK(upd_memo_decode(bytes, &read) == UPD_OK);
    CHECK(read.due_s == 1 && read.tried == 2 && memcmp(read.bad, memo.bad, sizeof memo.bad) == 0 &&
          read.declined == 4 && read.current == 6 && read.failures == 5 && read.trials == 7 &&
          strcmp(read.version, "1.0.1") == 0 && strcmp(read.etag, "\"a\"") == 0 &&
          strcmp(read.tried_etag, "\"b\"") == 0);
    for (uint32_t i = 0; i < UPD_MEMO_SIZE; i++) {
        bytes[i] ^= 0x40;
        CHECK(upd_memo_decode(bytes, &read) == (i < 4 ? UPD_E_FORMAT : UPD_E_AUTH));
        CHECK(read.bad[0] == 0 && read.bad[8] == 0 && read.version[0] == '\0');
        bytes[i] ^= 0x40;
    }
}

/* Bytes 25 and 224 to 255 were 0 once, and nobody read them. */
static void test_a_memo_of_before_is_read(void)
{
    static const uint8_t head[28] = {'U', 'D', 'M', '1', 0, 0, 0, 0, 1, 0, 0, 0, 2, 0,
                                     0,   0,   3,   0,   0, 0, 4, 0, 0, 0, 5, 0, 0, 0};
    uint8_t bytes[UPD_MEMO_SIZE] = {0};
    struct upd_memo read;

    memcpy(bytes, head, sizeof head);
    memcpy(bytes + 28, "1.0.1", 5);
    bytes[220] = 6;
    upd_put_le32(bytes + 4, upd_crc32(UPD_CRC32_INIT, bytes + 8, sizeof bytes - 8));
    CHECK(upd_memo_decode(bytes, &read) == UPD_OK);
    CHECK(read.bad[0] == 3 && read.bad[1] == 0 && read.trials == 0 && read.failures == 5);
    CHECK(read.current == 6 && read.declined == 4 && strcmp(read.version, "1.0.1") == 0);
}

int main(void)
{
    CHECK_RUN(test_an_update_goes_all_the_way_and_is_told);
    CHECK_RUN(test_every_protocol_updates_its_kind_of_device);
    CHECK_RUN(test_consent_is_waited_for_and_a_no_is_kept);
    CHECK_RUN(test_a_release_that_crashes_is_reported_and_not_fetched_again);
    CHECK_RUN(test_an_image_without_a_server_goes_back);
    CHECK_RUN(test_a_trial_is_not_ended_by_just_any_answer);
    CHECK_RUN(test_a_bad_image_is_reported_once_and_left_alone);
    CHECK_RUN(test_bad_releases_that_are_offered_in_turn_are_tried_once_each);
    CHECK_RUN(test_releases_that_crash_by_ever_new_names_are_tried_less_and_less);
    CHECK_RUN(test_what_breaks_off_goes_on_from_there);
    CHECK_RUN(test_plain_downloads_end_when_they_are_what_runs);
    CHECK_RUN(test_the_same_release_is_not_installed_over_and_over);
    CHECK_RUN(test_failures_are_further_and_further_apart);
    CHECK_RUN(test_the_button_asks_when_it_was_held_long_enough);
    CHECK_RUN(test_each_way_to_check_with_each_consent);
    CHECK_RUN(test_an_interval_of_years_and_a_clock_of_32_bits);
    CHECK_RUN(test_names);
    CHECK_RUN(test_a_memo_is_what_was_remembered_or_nothing);
    CHECK_RUN(test_a_memo_of_before_is_read);
    check_end();
}
