/*
 * The device link, from the device's side, against a scripted peer: what is said and when, which lines
 * are taken, and that a peer that is silent, mad or gone is left after a bounded time.
 */
#include <updraft/link.h>

#include <updraft/bytes.h>

#include "../src/json_find.h"
#include "check.h"

enum { ROOM = 4096 };

/* A connection in memory: what the device said, and what it shall hear. */
struct peer {
    struct upd_transport transport;
    char said[ROOM];
    uint32_t said_size;
    char hears[ROOM];
    uint32_t hears_size, hears_at;
    uint32_t connections, piece;
    bool open, opens_never, gone;
};

static struct peer peer;
static struct upd_link link;
static uint8_t buffer[UPD_LINK_BUFFER];
static struct upd_identity identity;
static struct upd_asking asking;
static uint32_t now_ms;
static enum upd_order order;
static char version[UPD_VERSION_SIZE];

static uint32_t length_of(const char *text)
{
    uint32_t length = 0;

    while (text[length] != '\0') {
        length++;
    }
    return length;
}

static bool contains(const char *text, const char *part)
{
    const uint32_t size = length_of(part);

    for (uint32_t at = 0; text[at] != '\0'; at++) {
        if (memcmp(text + at, part, size) == 0) {
            return true;
        }
    }
    return false;
}

static void peer_connect(void *ctx, const char *host, uint16_t port, bool tls)
{
    (void)ctx;
    CHECK(contains(host, "server") && port == 8000 && !tls);
    peer.open = true;
    peer.connections++;
    peer.said_size = peer.hears_size = peer.hears_at = 0;
    peer.said[0] = '\0';
}

static enum upd_wire peer_state(void *ctx, enum upd_trouble *why)
{
    (void)ctx;
    if (!peer.open) {
        return UPD_WIRE_CLOSED;
    }
    if (peer.gone) {
        *why = UPD_TROUBLE_CONNECTION_LOST;
        return UPD_WIRE_BROKEN;
    }
    return peer.opens_never ? UPD_WIRE_OPENING : UPD_WIRE_OPEN;
}

static uint32_t peer_send(void *ctx, const void *data, uint32_t size)
{
    (void)ctx;
    size = peer.piece != 0 && size > peer.piece ? peer.piece : size;
    CHECK(peer.said_size + size < sizeof peer.said);
    memcpy(peer.said + peer.said_size, data, size);
    peer.said_size += size;
    peer.said[peer.said_size] = '\0';
    return size;
}

static uint32_t peer_receive(void *ctx, void *data, uint32_t size)
{
    const uint32_t left = peer.hears_size - peer.hears_at;

    (void)ctx;
    size = size < left ? size : left;
    size = peer.piece != 0 && size > peer.piece ? peer.piece : size;
    if (size > 0) {
        memcpy(data, peer.hears + peer.hears_at, size);
        peer.hears_at += size;
    }
    return size;
}

static void peer_close(void *ctx)
{
    (void)ctx;
    peer.open = false;
}

static uint32_t no_chance(void *ctx)
{
    (void)ctx;
    return 41; /* so that the first nonce is 42 */
}

static void begin(const char *token, uint32_t piece)
{
    static const char key[] = "0123456789012345678901234567890123456789";
    const struct upd_link_config config = {.transport = &peer.transport,
                                           .host = "server",
                                           .port = 8000,
                                           .token = token,
                                           .buffer = buffer,
                                           .buffer_size = sizeof buffer,
                                           .random = no_chance};

    memset(&peer, 0, sizeof peer);
    peer.piece = piece;
    peer.transport =
        (struct upd_transport){peer_connect, peer_state, peer_send, peer_receive, peer_close, NULL};
    identity = (struct upd_identity){
        .version = "v1.0.0t45772(a)", .device_key = key, .mac = "18:fe:34:00:00:01"};
    asking = (struct upd_asking){.identity = &identity, .report_why = "", .report_version = ""};
    now_ms = 1000;
    order = UPD_ORDER_NONE;
    upd_link_init(&link, &config, now_ms);
}

/* Poll until nothing happens at once any more; an order is kept. */
static uint32_t poll(void)
{
    uint32_t wait = 0;

    for (uint32_t i = 0; i < 6000; i++) {
        enum upd_order got = UPD_ORDER_NONE;
        wait = upd_link_orders.poll(&link, &asking, now_ms, &got, version);
        if (got != UPD_ORDER_NONE) {
            order = got;
        } else if (wait > 0 && (peer.piece == 0 || link.sent == link.out)) {
            break;
        }
    }
    return wait;
}

static void hear(const char *text)
{
    const uint32_t size = length_of(text);

    CHECK(peer.hears_size + size <= sizeof peer.hears);
    memcpy(peer.hears + peer.hears_size, text, size);
    peer.hears_size += size;
    (void)poll();
}

static void be_identified(void)
{
    (void)poll();
    hear("{\"nonce\": 42, \"status\": 200, \"device\": {}}\n");
    CHECK(upd_link_orders.is_known(&link));
    peer.said_size = 0;
    peer.said[0] = '\0';
}

static void test_it_says_who_it_is_and_what_has_to_be_reported(void)
{
    for (uint32_t piece = 0; piece <= 7; piece += 7) {
        begin(NULL, piece);
        asking.report = UPD_REPORT_FELL;
        asking.report_why = "EXHAUSTED";
        asking.report_version = "v1.0.1t45772(a)";
        (void)poll();
        CHECK(contains(peer.said, "\"path\":\"/v1/device/identify\""));
        CHECK(contains(peer.said, "\"rom_version\":\"v1.0.0t45772(a)\",\"updraft\":\"fell\","
                                  "\"reason\":\"EXHAUSTED\",\"fallen\":\"v1.0.1t45772(a)\""));
        CHECK(contains(peer.said, "token 0123456789012345678901234567890123456789"));
        CHECK(!upd_link_orders.is_known(&link));
        hear("{\"nonce\": 43, \"status\": 200}\n\n\r\n");
        CHECK(!upd_link_orders.is_known(&link)); /* an answer to somebody else's question */
        hear("{\"nonce\": 42, \"status\": 200}\r\n");
        CHECK(upd_link_orders.is_known(&link));
        /* What is new is told without being asked. */
        asking.report = UPD_REPORT_TRIAL;
        (void)poll();
        CHECK(contains(peer.said, "\"updraft\":\"trial\""));
        CHECK(!upd_link_orders.is_known(&link));
        hear("{\"nonce\": 42, \"status\": 200}\n");
        asking.report = UPD_REPORT_CONFIRMED;
        (void)poll();
        CHECK(contains(peer.said, "\"updraft\":\"confirmed\""));
    }
}

static void test_a_device_with_a_token_is_activated_first(void)
{
    begin("activation-token", 0);
    (void)poll();
    CHECK(contains(peer.said, "\"path\":\"/v1/device/activate/\",\"method\":\"POST\""));
    CHECK(contains(peer.said, "\"token\":\"activation-token\",\"bssid\":\"18:fe:34:00:00:01\""));
    hear("{\"activate_status\": 1, \"nonce\": 42, \"status\": 200}\n");
    CHECK(link.activated && !upd_link_orders.is_known(&link));
    CHECK(contains(peer.said, "/v1/device/identify"));
    hear("{\"nonce\": 42, \"status\": 200}\n");
    CHECK(upd_link_orders.is_known(&link));

    begin("activation-token", 0);
    (void)poll();
    hear("{\"activate_status\": 0, \"nonce\": 42, \"status\": 403}\n");
    CHECK(!link.activated && link.trouble == UPD_TROUBLE_LINK_REFUSED && !peer.open);
}

static void test_orders_are_taken_and_acknowledged(void)
{
    for (uint32_t piece = 0; piece <= 1; piece++) {
        begin(NULL, piece);
        be_identified();
        hear(
            "{\"body\": {}, \"nonce\": 855881582, \"get\": {\"action\": \"sys_upgrade\", \"version\": "
            "\"v1.0.1t45772(a)\", \"deliver_to_device\": \"true\"}, \"path\": \"/v1/device/rpc/\"}\n");
        CHECK(order == UPD_ORDER_UPDATE && contains(version, "v1.0.1t45772(a)"));
        CHECK(contains(peer.said,
                       "{\"status\":200,\"nonce\":855881582,\"deliver_to_device\":true}\n"));
        upd_link_orders.tell(&link, UPD_TALE_DOWNLOADED);
        memcpy(asking.wanted, version, sizeof version);
        (void)poll();
        CHECK(contains(peer.said, "\"action\":\"device_upgrade_success\""));
        CHECK(contains(peer.said, "\"pre_rom_version\":\"v1.0.0t45772(a)\",\"rom_version\":"
                                  "\"v1.0.1t45772(a)\""));
        peer.said[peer.said_size = 0] = '\0';
        order = UPD_ORDER_NONE;
        hear("{\"nonce\": 5, \"get\": {\"action\": \"sys_reboot\"}}\n");
        CHECK(order == UPD_ORDER_RESTART);
        CHECK(peer.said_size == 0); /* as in the demo: no answer */
        upd_link_orders.tell(&link, UPD_TALE_FAILED);
        asking.report_why = "IMAGE_DIGEST";
        (void)poll();
        CHECK(contains(peer.said, "device_upgrade_failed"));
        CHECK(contains(peer.said, "\"reason\":\"IMAGE_DIGEST\""));
    }
    begin(NULL, 0);
    be_identified();
    hear("{\"nonce\": 7, \"get\": {\"action\": \"sys_upgrade\"}}\n");
    CHECK(order == UPD_ORDER_NONE && link.trouble == UPD_TROUBLE_LINK_VERSION);
    CHECK(contains(peer.said, "\"nonce\":7"));
    /* Without a nonce nobody waits for an answer, and it is no order. */
    begin(NULL, 0);
    be_identified();
    hear("{\"get\": {\"action\": \"sys_upgrade\", \"version\": \"v1.0.1t45772(a)\"}}\n");
    CHECK(order == UPD_ORDER_NONE && peer.said_size == 0);
}

static void test_silence_is_pinged_and_then_left(void)
{
    begin(NULL, 0);
    be_identified();
    now_ms += 49999;
    (void)poll();
    CHECK(peer.said_size == 0);
    now_ms += 2;
    (void)poll();
    CHECK(contains(peer.said, "\"path\":\"/v1/ping/\""));
    hear("{\"status\": 200, \"message\": \"ping success\"}\n");
    now_ms += 50000;
    (void)poll();
    now_ms += 20001;
    (void)poll();
    CHECK(!peer.open && link.trouble == UPD_TROUBLE_LINK_SILENT);
    now_ms += 60001;
    (void)poll();
    CHECK(peer.connections == 2 && contains(peer.said, "identify"));
}

static void test_who_sends_nonsense_is_left(void)
{
    static const struct {
        const char *name;
        const char *line;
        enum upd_trouble trouble;
    } rows[] = {
        {"no JSON", "hello\n", UPD_TROUBLE_LINK_MESSAGE},
        {"half", "{\"nonce\": 42\n", UPD_TROUBLE_LINK_MESSAGE},
        {"two", "{}{}\n", UPD_TROUBLE_LINK_MESSAGE},
        {"deep", "[[[[[[[[[[1]]]]]]]]]]\n", UPD_TROUBLE_LINK_MESSAGE},
        {"text without end", "{\"a\": \"b\n", UPD_TROUBLE_LINK_MESSAGE},
        {"escape", "{\"a\": \"\\q\"}\n", UPD_TROUBLE_LINK_MESSAGE},
        {"refused", "{\"nonce\": 42, \"status\": 403}\n", UPD_TROUBLE_LINK_REFUSED},
        {"no status", "{\"nonce\": 42}\n", UPD_TROUBLE_LINK_REFUSED},
    };

    for (uint32_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        begin(NULL, 0);
        (void)poll();
        hear(rows[i].line);
        CHECK_THAT(rows[i].name, !peer.open && link.trouble == rows[i].trouble);
        CHECK_THAT(rows[i].name, !upd_link_orders.is_known(&link));
    }
    begin(NULL, 0);
    (void)poll();
    for (uint32_t i = 0; i < 1460; i++) {
        peer.hears[peer.hears_size++] = ' ';
    }
    (void)poll();
    CHECK(!peer.open && link.trouble == UPD_TROUBLE_LINK_TOO_LONG);
}

static void test_tries_are_further_and_further_apart(void)
{
    begin(NULL, 0);
    peer.gone = true;
    uint32_t before = 0;
    for (uint32_t i = 0; i < 12; i++) {
        now_ms += 60000;
        (void)poll();
        CHECK(peer.connections == before + 1 || i == 0);
        before = peer.connections;
    }
    CHECK(link.failures >= 11 && link.trouble == UPD_TROUBLE_CONNECTION_LOST);
    CHECK(link.pause_ms > 20000 && link.pause_ms <= 60000);
    peer.gone = false;
    peer.opens_never = true;
    now_ms += 60000;
    (void)poll();
    now_ms += 15001;
    (void)poll();
    CHECK(link.trouble == UPD_TROUBLE_CONNECT_TIMEOUT);
}

static void test_values_are_found_by_their_path_or_not_at_all(void)
{
    static const struct {
        const char *text;
        const char *path;
        const char *value; /* NULL: not there */
    } rows[] = {
        {"{\"a\":1}", "a", "1"},
        {" { \"a\" : \"x\" } ", "a", "x"},
        {"{\"b\":{\"a\":\"y\"},\"a\":\"x\"}", "a", "x"},
        {"{\"b\":{\"a\":\"y\"},\"a\":\"x\"}", "b.a", "y"},
        {"{\"b\":{\"a\":\"y\"}}", "b", NULL},
        {"{\"b\":[\"a\"]}", "b", NULL},
        {"{\"b\":{\"a\":\"y\"}}", "a", NULL},
        {"{\"ba\":1,\"b\":2}", "b", "2"},
        {"{\"b\":1,\"b\":2}", "b", "1"},
        {"{\"a\":\"\\\"a\\\":2\"}", "a", "\"a\":2"},
        {"{\"x\":\"\\\"a\\\":2\"}", "a", NULL},
        {"{\"\\u0061\":3}", "a", "3"},
        {"{\"a\":\"\\u00e9\\n\\u0041\"}", "a", "?\nA"},
        {"{\"a\":\"0123456789012345\"}", "a", NULL}, /* does not fit */
        {"{\"a\":true,\"c\":null}", "c", "null"},
        {"{}", "a", NULL},
        {"[]", "a", NULL},
        {"1", "a", NULL},
    };
    char value[16];

    for (uint32_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const uint32_t size = length_of(rows[i].text);
        CHECK_THAT(rows[i].text, json_is_whole(rows[i].text, size));
        const bool found = json_find(rows[i].text, size, rows[i].path, value, sizeof value);
        CHECK_THAT(rows[i].text, found == (rows[i].value != NULL));
        if (found && rows[i].value != NULL) {
            CHECK_THAT(rows[i].text,
                       memcmp(value, rows[i].value, length_of(rows[i].value) + 1) == 0);
        }
        /* No part of it is a whole one, but for white space. */
        for (uint32_t cut = 0; cut < size; cut++) {
            (void)json_find(rows[i].text, cut, rows[i].path, value, sizeof value);
            CHECK_THAT(rows[i].text, rows[i].text[0] == ' ' || !json_is_whole(rows[i].text, cut) ||
                                         rows[i].text[0] == '1');
        }
    }
}

int main(void)
{
    CHECK_RUN(test_it_says_who_it_is_and_what_has_to_be_reported);
    CHECK_RUN(test_a_device_with_a_token_is_activated_first);
    CHECK_RUN(test_orders_are_taken_and_acknowledged);
    CHECK_RUN(test_silence_is_pinged_and_then_left);
    CHECK_RUN(test_who_sends_nonsense_is_left);
    CHECK_RUN(test_tries_are_further_and_further_apart);
    CHECK_RUN(test_values_are_found_by_their_path_or_not_at_all);
    check_end();
}
