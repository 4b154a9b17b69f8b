/*
 * Goal: system_upgrade_start() and user_esp_platform_upgrade_begin() send what the SDK's send, and
 * make of each answer what the SDK's make of it: erase or not, fail at once, or say nothing until
 * check_times is over. Method: a server by script, segment by segment, over the simulated flash;
 * time goes on only when the test says so.
 */
#include <nonos_http.h>
#include <user_esp_platform.h>

#include <stdio.h>
#include <string.h>

#include <updraft/bytes.h>
#include <updraft/crc32.h>
#include <updraft/sim_flash.h>
#include <updraft/sysparam.h>

#include "check.h"

enum { SECTOR = 4096, USER1 = 0x1000, IMAGE = 3 * SECTOR + 20, TIMES = 60000 };

/* What the server sends in one TCP segment, after so many requests on the connection. */
struct segment {
    const char *text; /* NULL: bytes of the image */
    uint32_t size;    /* of the image */
    uint32_t after;
};

struct connection {
    const struct segment *segments;
    uint32_t count;
    enum upd_wire opens; /* OPEN; OPENING: for ever; BROKEN */
    bool ends;           /* behind the last segment; else it stays */
};

static struct sim_flash sim;
static struct upd_upgrade upgrade;
static struct upd_upgrade_http http;
static struct upd_transport transport;
static const struct upd_flash_map *map;
static struct upgrade_server_info server;
static const struct connection *script;
static uint32_t script_count, connections;
static bool is_open;
static uint32_t at_segment, at_image, requests;
static char log_text[4096]; /* what was sent, connection after connection */
static uint32_t log_size;
static uint8_t image[IMAGE];
static uint32_t calls, restarts;
static uint32_t now;

static void wire_connect(void *ctx, const char *host, uint16_t port, bool tls)
{
    char line[64];

    (void)ctx;
    CHECK(!tls && connections < script_count);
    log_size += (uint32_t)snprintf(line, sizeof line, "[%s:%u]", host, port);
    strcat(log_text, line);
    connections++;
    is_open = true;
    at_segment = requests = 0;
}

static enum upd_wire wire_state(void *ctx, enum upd_trouble *why)
{
    (void)ctx;
    (void)why;
    if (!is_open) {
        return UPD_WIRE_CLOSED;
    }
    const struct connection *connection = &script[connections - 1];
    if (connection->opens != UPD_WIRE_OPEN) {
        return connection->opens;
    }
    return at_segment == connection->count && connection->ends && requests > 0 ? UPD_WIRE_ENDED
                                                                               : UPD_WIRE_OPEN;
}

static uint32_t wire_send(void *ctx, const void *data, uint32_t size)
{
    (void)ctx;
    size = size < 100 ? size : 100; /* not all at once */
    CHECK(log_size + size < sizeof log_text);
    memcpy(log_text + log_size, data, size);
    log_size += size;
    log_text[log_size] = '\0';
    if (log_size >= 4 && strcmp(log_text + log_size - 4, "\r\n\r\n") == 0) {
        requests++;
    }
    return size;
}

static uint32_t wire_receive(void *ctx, void *data, uint32_t size)
{
    const struct connection *connection = &script[connections - 1];

    (void)ctx;
    if (at_segment == connection->count || connection->segments[at_segment].after > requests) {
        return 0;
    }
    const struct segment *segment = &connection->segments[at_segment++];
    uint32_t length = segment->text != NULL ? (uint32_t)strlen(segment->text) : 0;
    CHECK(length + segment->size <= size);
    memcpy(data, segment->text != NULL ? segment->text : "", length);
    memcpy((char *)data + length, image + at_image, segment->size);
    at_image += segment->size;
    return length + segment->size;
}

static void wire_close(void *ctx)
{
    (void)ctx;
    is_open = false;
}

static void restart(void *ctx)
{
    (void)ctx;
    restarts++;
}

static void called(void *arg)
{
    CHECK(arg == &server);
    calls++;
}

static const char request[] = "GET /fw/user2.bin HTTP/1.0\r\nHost: 192.0.2.10:80\r\n"
                              "Connection: keep-alive\r\nAccept-Encoding: gzip\r\n\r\n";

/* A chip that runs user1 on a map of 1 MiB, and an image of so many bytes for its other slot. */
static void begin(const struct connection *connections_of, uint32_t count)
{
    static const uint8_t block[] = {0xFC, 0xE7};

    map = upd_flash_map(2);
    sim_flash_init(&sim, &sim_flash_1m, 1);
    sim_flash_load(&sim, upd_flash_map_sysparam(map) + SECTOR, block, sizeof block);
    sim_flash_load(&sim, upd_flash_map_sysparam(map) + 3 * SECTOR, "", 1);
    transport =
        (struct upd_transport){wire_connect, wire_state, wire_send, wire_receive, wire_close, NULL};
    upd_upgrade_http_open(&http, &transport);
    const struct upd_upgrade_config config = {.flash = &sim.flash,
                                              .map = map,
                                              .start = upd_upgrade_http_start,
                                              .restart = restart,
                                              .ctx = &http};
    CHECK(upd_upgrade_open(&upgrade, &config) == UPD_OK);
    for (uint32_t i = 0; i < IMAGE; i++) {
        image[i] = (uint8_t)(i * 7 + i / 256);
    }
    memcpy(image, "\xEA\x04\x00\x02", 4);
    upd_put_le32(image + IMAGE - 4, upd_crc32_nonos(upd_crc32(UPD_CRC32_INIT, image, IMAGE - 4)));
    script = connections_of;
    script_count = count;
    connections = at_image = log_size = calls = restarts = 0;
    log_text[0] = '\0';
    now = 0xFFFFF000; /* the clock wraps on the way */
    server = (struct upgrade_server_info){.ip = {192, 0, 2, 10},
                                          .port = 80,
                                          .upgrade_flag = 9,
                                          .check_times = TIMES,
                                          .url = (uint8 *)request,
                                          .check_cb = called};
}

static void end(void)
{
    sim_flash_free(&sim);
}

/* Until it is called back, or nothing happens any more for so long. @return the time it took */
static uint32_t run(uint32_t longest)
{
    const uint32_t since = now;

    while (calls == 0 && now - since < longest) {
        for (uint32_t i = 0; i < 400 && calls == 0; i++) {
            upd_upgrade_http_poll(&http, now);
        }
        now += 1000;
    }
    return now - since;
}

#define LENGTH "Content-Length: 12308\r\n\r\n"
#define HEAD_ANSWER "HTTP/1.1 200 OK\r\nServer: x\r\n" LENGTH
_Static_assert(IMAGE == 12308, "the text states the size");
#define BODY                                                                                       \
    {NULL, 1460, 1}, {NULL, 1460, 1}, {NULL, 1460, 1}, {NULL, 1460, 1}, {NULL, 1460, 1},           \
        {NULL, 1460, 1}, {NULL, 1460, 1},                                                          \
    {                                                                                              \
        NULL, 1460, 1                                                                              \
    }

static const struct segment head_only[] = {{HEAD_ANSWER, 0, 1}};
static const struct segment header_apart[] = {{HEAD_ANSWER, 0, 1}, BODY, {NULL, 628, 1}};
static const struct segment header_with_bytes[] = {{HEAD_ANSWER, 1000, 1}, BODY};

static uint8_t at(uint32_t offset)
{
    uint8_t value = 0;

    sim_flash_peek(&sim, offset, &value, 1);
    return value;
}

static bool is_written(void)
{
    static uint8_t cells[IMAGE];

    sim_flash_peek(&sim, map->user2, cells, IMAGE);
    return memcmp(cells, image, IMAGE) == 0;
}

static const char transcript[] =
    "[192.0.2.10:80]"
    "HEAD /fw/user2.bin HTTP/1.0\r\nHost: 192.0.2.10:80\r\nConnection: close\r\n"
    "Accept-Encoding: gzip\r\n\r\n"
    "[192.0.2.10:80]"
    "GET /fw/user2.bin HTTP/1.0\r\nHost: 192.0.2.10:80\r\nConnection: keep-alive\r\n"
    "Accept-Encoding: gzip\r\n\r\n";

/* HEAD; the sectors that it takes; GET on another connection; the slot; and nothing restarts. */
static void test_the_sequence_of_the_sdk(void)
{
    static const struct connection good[] = {{head_only, 1, UPD_WIRE_OPEN, true},
                                             {header_apart, 10, UPD_WIRE_OPEN, true}};

    begin(good, 2);
    CHECK(system_upgrade_start(&server) && system_upgrade_flag_check() == UPGRADE_FLAG_START);
    CHECK(!system_upgrade_start(&server));
    (void)run(TIMES);
    CHECK(calls == 1 && server.upgrade_flag == 1 && is_written());
    CHECK(strcmp(log_text, transcript) == 0);
    CHECK(sim.counters.erases == (IMAGE + SECTOR - 1) / SECTOR && restarts == 0);
    CHECK(system_upgrade_flag_check() == UPGRADE_FLAG_FINISH && upgrade_get_process_rate() == 100);
    CHECK(system_upgrade_userbin_check() == UPGRADE_FW_BIN1);
    system_upgrade_deinit();
    system_upgrade_reboot();
    CHECK(restarts == 1 && system_upgrade_userbin_check() == UPGRADE_FW_BIN2);
    end();
}

static void test_the_way_back(void)
{
    static const struct connection good[] = {{head_only, 1, UPD_WIRE_OPEN, true},
                                             {header_apart, 10, UPD_WIRE_OPEN, true}};
    static const uint8_t runs_user2[] = {0xFD};

    begin(good, 2);
    sim_flash_load(&sim, upd_flash_map_sysparam(map) + SECTOR, runs_user2, 1);
    image[3] = 1; /* for user1 */
    upd_put_le32(image + IMAGE - 4, upd_crc32_nonos(upd_crc32(UPD_CRC32_INIT, image, IMAGE - 4)));
    CHECK(system_upgrade_start(&server));
    (void)run(TIMES);
    CHECK(server.upgrade_flag == 1 && at(USER1) == 0xEA);
    end();
}

struct row {
    const char *name;
    struct connection connections[2];
    uint32_t erases;
    int flag;      /* upgrade_flag; -1: a failure that check_times alone tells */
    uint32_t used; /* connections */
};

#define SEGMENTS(list) (list), sizeof(list) / sizeof((list)[0])
#define OPENS UPD_WIRE_OPEN, true
#define STAYS UPD_WIRE_OPEN, false

static const struct segment zero[] = {{"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 0, 1}};
static const struct segment slot_too_small[] = {
    {"HTTP/1.1 200 OK\r\nContent-Length: 503809\r\n\r\n", 0, 1}};
static const struct segment lower_case[] = {
    {"HTTP/1.1 200 OK\r\ncontent-length: 12308\r\n\r\n", 0, 1}};
static const struct segment no_blank[] = {
    {"HTTP/1.1 200 OK\r\nContent-Length:12308\r\n\r\n", 0, 1}};
static const struct segment not_found[] = {
    {"HTTP/1.1 404 Not Found\r\n" LENGTH "<html>not found", 0, 1}};
static const struct segment two_parts[] = {{"HTTP/1.1 200 OK\r\nServer: x\r\n", 0, 1},
                                           {"Date: x\r\n" LENGTH, 0, 1}};
static const struct segment no_head[] = {{"HTTP/1.1 405 No\r\n\r\n", 0, 1}, {HEAD_ANSWER, 99, 2}};
static const struct segment page[] = {{HEAD_ANSWER "<html>", 0, 1}};
static const struct segment cut[] = {{HEAD_ANSWER, 0, 1}, {NULL, 1460, 1}};
static const struct segment begun[] = {
    {"HTTP/1.1 200 OK\r\nServer: x\r\n", 0, 1}, {"Date: x\r\n" LENGTH, 1000, 1}, BODY};
static const struct segment by_bytes[] = {
    {HEAD_ANSWER, 1, 1}, {NULL, 1, 1}, {NULL, 1, 1}, {NULL, 997, 1}, BODY};
static const struct segment short_last[] = {{HEAD_ANSWER, 999, 1}, BODY};

static const struct row rows[] = {
    {"length 0", {{SEGMENTS(zero), OPENS}}, 0, 0, 1},
    {"larger than the slot", {{SEGMENTS(slot_too_small), OPENS}}, 0, 0, 1},
    {"another spelling", {{SEGMENTS(lower_case), OPENS}}, 0, -1, 1},
    {"no blank", {{SEGMENTS(no_blank), OPENS}}, 0, -1, 1},
    {"no server", {{NULL, 0, UPD_WIRE_BROKEN, false}}, 0, -1, 1},
    {"no answer to the connection", {{NULL, 0, UPD_WIRE_OPENING, false}}, 0, -1, 1},
    {"hangs up", {{NULL, 0, OPENS}}, 0, -1, 1},
    {"silent", {{NULL, 0, STAYS}}, 0, -1, 1},
    {"a page with a length is erased for",
     {{SEGMENTS(not_found), OPENS}, {SEGMENTS(page), OPENS}},
     4,
     0,
     2},
    {"no second connection",
     {{SEGMENTS(head_only), OPENS}, {NULL, 0, UPD_WIRE_BROKEN, false}},
     4,
     -1,
     2},
    {"cut within the body", {{SEGMENTS(head_only), OPENS}, {SEGMENTS(cut), OPENS}}, 4, -1, 2},
    {"stalls within the body", {{SEGMENTS(head_only), OPENS}, {SEGMENTS(cut), STAYS}}, 4, -1, 2},
    {"silent after GET", {{SEGMENTS(head_only), OPENS}, {NULL, 0, STAYS}}, 4, -1, 2},
    {"length 0 to GET", {{SEGMENTS(head_only), OPENS}, {SEGMENTS(zero), OPENS}}, 4, 0, 2},
    {"another spelling to GET",
     {{SEGMENTS(head_only), OPENS}, {SEGMENTS(no_blank), OPENS}},
     4,
     -1,
     2},
};

static void test_every_answer(void)
{
    for (uint32_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct row *row = &rows[i];
        begin(row->connections, 2);
        CHECK_THAT(row->name, system_upgrade_start(&server));
        const uint32_t took = run(2 * TIMES);
        CHECK_THAT(row->name, calls == 1 && server.upgrade_flag == 0);
        CHECK_THAT(row->name, system_upgrade_flag_check() == UPGRADE_FLAG_IDLE);
        CHECK_THAT(row->name,
                   row->flag == -1 ? took >= TIMES && took <= TIMES + 2000 : took < TIMES / 2);
        CHECK_THAT(row->name, sim.counters.erases == row->erases);
        CHECK_THAT(row->name, connections == row->used && !is_open && restarts == 0);
        /* Without a callback, what stalls stays as it is for ever. */
        end();
        begin(row->connections, 2);
        server.check_cb = NULL;
        CHECK_THAT(row->name, system_upgrade_start(&server));
        (void)run(3 * TIMES);
        CHECK_THAT(row->name, system_upgrade_flag_check() ==
                                  (row->flag == -1 ? UPGRADE_FLAG_START : UPGRADE_FLAG_IDLE));
        end();
    }
}

/* Segments as they may come: all give the same slot. */
static void test_segments(void)
{
    static const struct {
        const char *name;
        const struct segment *segments;
        uint32_t count;
    } cases[] = {{"bytes behind the header", header_with_bytes, 9},
                 {"a header in two segments", begun, 10},
                 {"the first bytes one by one", by_bytes, 12},
                 {"a short last one", short_last, 9}};
    static struct segment all[16];

    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint32_t size = 0;
        for (uint32_t k = 0; k < cases[i].count; k++) {
            all[k] = cases[i].segments[k];
            size += all[k].size;
        }
        all[cases[i].count] = (struct segment){NULL, 0, 1};
        if (size > IMAGE) { /* the last of them goes in part */
            size -= all[cases[i].count - 1].size;
            all[cases[i].count - 1].size = 0;
        }
        all[cases[i].count].size = IMAGE - size - (i == 3 ? 2 : 0);
        all[cases[i].count + 1] = (struct segment){NULL, 2, 1}; /* two bytes alone */
        const struct connection good[] = {
            {head_only, 1, UPD_WIRE_OPEN, true},
            {all, cases[i].count + 1 + (i == 3), UPD_WIRE_OPEN, true}};
        begin(good, 2);
        CHECK_THAT(cases[i].name, system_upgrade_start(&server));
        (void)run(TIMES);
        CHECK_THAT(cases[i].name, server.upgrade_flag == 1 && is_written());
        end();
    }

    /* The head of HEAD in two segments; and a server that does not know HEAD. */
    const struct connection split[] = {{SEGMENTS(two_parts), OPENS},
                                       {header_apart, 10, UPD_WIRE_OPEN, true}};
    begin(split, 2);
    CHECK(system_upgrade_start(&server));
    (void)run(TIMES);
    CHECK(server.upgrade_flag == 1 && is_written());
    end();
    const struct connection get_twice[] = {{SEGMENTS(no_head), OPENS},
                                           {header_apart, 10, UPD_WIRE_OPEN, true}};
    begin(get_twice, 2);
    CHECK(system_upgrade_start(&server));
    for (uint32_t i = 0; i < 40 && connections < 2; i++) {
        at_image = 0; /* what came with the first answer is not kept */
        upd_upgrade_http_poll(&http, now);
    }
    at_image = 0;
    (void)run(TIMES);
    CHECK(server.upgrade_flag == 1 && is_written() && connections == 2);
    CHECK(strstr(log_text, "\r\n\r\nGET /fw/user2.bin") != NULL);
    end();
}

/* A segment with this text in front of any NUL is taken for a head, and lost. */
static void test_what_looks_like_a_head_is_dropped(void)
{
    static const struct connection good[] = {{head_only, 1, UPD_WIRE_OPEN, true},
                                             {header_apart, 10, UPD_WIRE_OPEN, true}};

    for (uint32_t hidden = 0; hidden < 2; hidden++) {
        begin(good, 2);
        memset(image + 1460, 'x', 100);
        memcpy(image + 1500, "200 OK\r\n", 8);
        image[1460] = hidden == 1 ? 0 : 'x';
        upd_put_le32(image + IMAGE - 4,
                     upd_crc32_nonos(upd_crc32(UPD_CRC32_INIT, image, IMAGE - 4)));
        CHECK(system_upgrade_start(&server));
        (void)run(2 * TIMES);
        CHECK(calls == 1 && server.upgrade_flag == hidden);
        end();
    }
}

static void test_what_is_no_image_of_this_slot(void)
{
    static const struct connection good[] = {{head_only, 1, UPD_WIRE_OPEN, true},
                                             {header_apart, 10, UPD_WIRE_OPEN, true}};
    static const struct {
        const char *name;
        uint8_t first[4];
        bool good;
    } cases[] = {
        {"EA 04, user2", {0xEA, 4, 0, 2}, true},  {"E9 03, user2", {0xE9, 3, 0, 2}, true},
        {"EA 04, user1", {0xEA, 4, 0, 1}, false}, {"E9 04", {0xE9, 4, 0, 2}, false},
        {"EA 03", {0xEA, 3, 0, 2}, false},        {"blank", {0xFF, 0xFF, 0xFF, 0xFF}, false},
    };

    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        begin(good, 2);
        memcpy(image, cases[i].first, 4);
        upd_put_le32(image + IMAGE - 4,
                     upd_crc32_nonos(upd_crc32(UPD_CRC32_INIT, image, IMAGE - 4)));
        CHECK_THAT(cases[i].name, system_upgrade_start(&server));
        const uint32_t took = run(TIMES);
        CHECK_THAT(cases[i].name, calls == 1 && server.upgrade_flag == cases[i].good);
        CHECK_THAT(cases[i].name, took < TIMES && (cases[i].good || at(map->user2) == 0xFF));
        end();
    }
    for (uint32_t offset = 4; offset < IMAGE; offset += 411) { /* a damaged byte, anywhere */
        begin(good, 2);
        image[offset] ^= 1;
        CHECK(system_upgrade_start(&server));
        CHECK(run(TIMES) < TIMES && calls == 1 && server.upgrade_flag == 0);
        end();
    }
}

static void test_flash_and_sizes(void)
{
    static const struct segment huge[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 983041\r\n\r\n", 0, 1}};
    static const struct connection too_many[] = {{huge, 1, UPD_WIRE_OPEN, true}};
    static const struct connection good[] = {{head_only, 1, UPD_WIRE_OPEN, true},
                                             {header_apart, 10, UPD_WIRE_OPEN, true}};

    /* 241 sectors fit a slot of 1 MiB, and are never erased. */
    begin(too_many, 1);
    sim_flash_free(&sim);
    sim_flash_init(&sim, &sim_flash_2m, 1);
    map = upd_flash_map(5);
    const struct upd_upgrade_config config = {.flash = &sim.flash,
                                              .map = map,
                                              .start = upd_upgrade_http_start,
                                              .restart = restart,
                                              .ctx = &http};
    CHECK(upd_upgrade_open(&upgrade, &config) == UPD_OK && system_upgrade_start(&server));
    CHECK(run(2 * TIMES) >= TIMES && calls == 1 && server.upgrade_flag == 0);
    CHECK(sim.counters.erases == 0);
    end();

    begin(good, 2);
    sim_flash_fault(&sim, &(struct sim_fault){.kind = SIM_FAULT_FAILS, .at = 2, .count = 1});
    CHECK(system_upgrade_start(&server) && run(TIMES) < TIMES);
    CHECK(calls == 1 && server.upgrade_flag == 0 && connections == 1);
    end();

    begin(good, 2); /* a program that fails is found by the CRC */
    sim_flash_fault(&sim, &(struct sim_fault){.kind = SIM_FAULT_FAILS, .at = 30, .count = 1});
    CHECK(system_upgrade_start(&server) && run(TIMES) < TIMES);
    CHECK(calls == 1 && server.upgrade_flag == 0 && connections == 2);
    end();
}

static void test_requests_that_are_too_long(void)
{
    static const struct connection open[] = {{NULL, 0, UPD_WIRE_OPEN, false}};
    static char text[600];

    for (uint32_t size = 505; size <= 515; size++) {
        begin(open, 1);
        memset(text, 'x', size);
        memcpy(text, "GET /", 5);
        memcpy(text + size - 4, "\r\n\r\n", 5);
        server.url = (uint8 *)text;
        CHECK(system_upgrade_start(&server) && run(2 * TIMES) >= TIMES && calls == 1);
        /* HEAD is one byte longer than GET. */
        CHECK(log_size == strlen("[192.0.2.10:80]") + (size < 511 ? size + 1 : 0));
        end();
    }
    begin(open, 1);
    server.url = NULL;
    CHECK(system_upgrade_start(&server) && run(2 * TIMES) >= TIMES && calls == 1);
    end();
}

/* --- The cloud -------------------------------------------------------------------------------- */

static struct upd_platform platform;
static esp_tcp tcp = {.remote_ip = {192, 0, 2, 10}};
static struct espconn cloud = {.proto = {.tcp = &tcp}};
static char sent[512];
static bool takes;

static bool send_on(void *ctx, struct espconn *espconn, const void *data, uint16_t size)
{
    (void)ctx;
    CHECK(espconn == &cloud && size < sizeof sent);
    memcpy(sent, data, size);
    sent[size] = '\0';
    calls++; /* for run() */
    return takes;
}

static void test_the_cloud(void)
{
    static const char asked[] =
        "GET /v1/device/rom/?action=download_rom&version=v1.0.1t23701(a)&filename=user2.bin "
        "HTTP/1.0\r\nHost: 192.0.2.10:80\r\nConnection: keep-alive\r\nCache-Control: no-cache\r\n"
        "User-Agent: Mozilla/5.0 (Windows NT 5.1) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/30.0.1599.101 Safari/537.36 \r\nAccept: */*\r\n"
        "Authorization: token HERE_IS_THE_MASTER_DEVICE_KEY_0123456789\r\n"
        "Accept-Encoding: gzip,deflate,sdch\r\nAccept-Language: zh-CN,zh;q=0.8\r\n\r\n";
    static const char told[] =
        "{\"path\": \"/v1/messages/\", \"method\": \"POST\", \"meta\": {\"Authorization\": \"token "
        "HERE_IS_THE_MASTER_DEVICE_KEY_0123456789\"},\"get\":{\"action\":\"%s\"},\"body\":"
        "{\"pre_rom_version\":\"v1.0.0t23701(a)\",\"rom_version\":\"v1.0.1t23701(a)\"}}\n";
    static const struct connection good[] = {{head_only, 1, UPD_WIRE_OPEN, true},
                                             {header_apart, 10, UPD_WIRE_OPEN, true}};
    static const struct connection bad[] = {{zero, 1, UPD_WIRE_OPEN, true}};
    char expected[512];

    for (uint32_t fails = 0; fails < 2; fails++) {
        begin(fails ? bad : good, 2 - fails);
        strcpy(platform.device_key, "HERE_IS_THE_MASTER_DEVICE_KEY_0123456789");
        platform.send = send_on;
        upd_platform_open(&platform);
        takes = true;
        server = (struct upgrade_server_info){.upgrade_flag = 9};
        memcpy(server.pre_version, "v1.0.0t23701(a)", 16);
        user_esp_platform_upgrade_begin(&cloud, &server, "v1.0.1t23701(a)");
        CHECK(server.port == 80 && server.check_times == 120000 && server.pespconn == &cloud);
        CHECK(server.url != NULL && strcmp((const char *)server.url, asked) == 0);
        CHECK(system_upgrade_flag_check() == UPGRADE_FLAG_START);
        (void)run(2 * TIMES);
        snprintf(expected, sizeof expected, told,
                 fails ? "device_upgrade_failed" : "device_upgrade_success");
        CHECK(strcmp(sent, expected) == 0 && server.url == NULL);
        CHECK(server.upgrade_flag == !fails);
        end();
    }
    /* The version may stand in the structure; the other slot's file when user2 runs. */
    static const struct connection open[] = {{NULL, 0, UPD_WIRE_OPEN, false}};
    static const uint8_t runs_user2[] = {0xFD};
    begin(open, 1);
    sim_flash_load(&sim, upd_flash_map_sysparam(map) + SECTOR, runs_user2, 1);
    memcpy(server.upgrade_version, "v1.0.22t23701(a)", 16); /* no room for a NUL */
    server.port = 8000;
    user_esp_platform_upgrade_begin(&cloud, &server, NULL);
    CHECK(strstr(
        (const char *)server.url,
        "version=v1.0.22t23701(a)&filename=user1.bin HTTP/1.0\r\nHost: 192.0.2.10:8000\r\n"));
    uint8_t data[] = {1};
    CHECK(espconn_sent(&cloud, data, 1) == ESPCONN_OK &&
          espconn_sent(NULL, data, 1) == ESPCONN_ARG);
    CHECK(espconn_sent(&cloud, NULL, 1) == ESPCONN_ARG);
    takes = false;
    CHECK(espconn_sent(&cloud, data, 1) == ESPCONN_ARG);
    platform.send = NULL;
    CHECK(espconn_sent(&cloud, data, 1) == ESPCONN_ARG);
    end();
}

int main(void)
{
    CHECK_RUN(test_the_sequence_of_the_sdk);
    CHECK_RUN(test_the_way_back);
    CHECK_RUN(test_every_answer);
    CHECK_RUN(test_segments);
    CHECK_RUN(test_what_looks_like_a_head_is_dropped);
    CHECK_RUN(test_what_is_no_image_of_this_slot);
    CHECK_RUN(test_flash_and_sizes);
    CHECK_RUN(test_requests_that_are_too_long);
    CHECK_RUN(test_the_cloud);
    check_end();
}
