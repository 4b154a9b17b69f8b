/*
 * Goal: esp_https_ota() of ESP-IDF and of the RTOS SDK, in one call and step by step, ask what the
 * originals ask and give each value for its cause, in the order of their checks. Method: a server by
 * script over a transport in memory; a table of partitions and an image on the simulated
 * flash; the lines of a request are compared whole.
 */
#include <esp_https_ota.h>
#include <esp_ota.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <updraft/bytes.h>
#include <updraft/sim_flash.h>
#include <updraft/sim_image.h>

#include "wire.h"

enum { OTADATA, SLOT_0, SLOT_1, ROWS };
enum { ROOM = 0x10000, START = 0x10000, SECTOR = 4096, ANSWERS = 12 };

static struct upd_partition rows[ROWS];
static esp_partition_t table[ROWS];
static struct sim_flash sim;
static struct upd_esp esp;
static struct upd_https_ota ota;
static struct wire wire;
static struct wire_line lines[ANSWERS];
static uint32_t answers;
static char texts[ANSWERS][8192 + 512];
static char buffer[1024];
static uint8_t image[8192];
static uint32_t image_size;
static uint32_t now;
static char events[256];
static esp_http_client_config_t http;
static esp_https_ota_config_t config;
static esp_https_ota_handle_t handle;

static uint32_t now_ms(void *ctx)
{
    (void)ctx;
    return now;
}

static void rest(void *ctx)
{
    (void)ctx;
    now += 100;
}

/* One letter for each, those that repeat once. */
static void event(void *ctx, esp_https_ota_event_t what, const void *data, size_t size)
{
    static const char letters[] = "SCGIRDWBFA";
    const size_t length = strlen(events);

    (void)ctx;
    CHECK((data == NULL) == (size == 0) && length + 1 < sizeof events);
    if (what == ESP_HTTPS_OTA_WRITE_FLASH) {
        int written = 0;
        memcpy(&written, data, sizeof written);
        CHECK(size == sizeof written && written == esp_https_ota_get_image_len_read(&ota));
    }
    if (length == 0 || events[length - 1] != letters[what]) {
        events[length] = letters[what];
        events[length + 1] = '\0';
    }
}

static void restart(void *ctx)
{
    (void)ctx;
}

static void assertion(void *ctx, const char *what)
{
    (void)ctx;
    CHECK_THAT(what, false);
}

static struct upd_partition row(uint8_t type, uint8_t subtype, uint32_t offset, uint32_t size)
{
    return (struct upd_partition){
        .offset = offset, .size = size, .type = type, .subtype = subtype, .name = "part"};
}

static struct upd_https_ota_config port(void)
{
    return (struct upd_https_ota_config){.transport = &wire.transport,
                                         .now_ms = now_ms,
                                         .rest = rest,
                                         .event = event,
                                         .buffer = buffer,
                                         .buffer_size = sizeof buffer};
}

static void begin_with(enum upd_otadata_loader loader, uint32_t count)
{
    const bool rtos = loader == UPD_OTADATA_LOADER_RTOS;
    const struct upd_esp_config esp_config = {
        .flash = &sim.flash,
        .rows = rows,
        .count = count,
        .table = table,
        .running = START,
        .loader = loader,
        .chip = rtos ? UPD_CHIP_ESP8266 : UPD_CHIP_ESP32,
        .chip_revision = 100,
        .efuse_revision = UPD_IMAGE_ANY_REVISION,
        .restart = restart,
        .assertion = assertion,
    };
    const struct upd_https_ota_config https = port();
    const struct sim_recipe recipe = {.size = 4000, .seed = 1, .offset = START + ROOM};
    struct sim_image made = rtos ? sim_image_rtos(&recipe) : sim_image_idf(&recipe);

    CHECK(made.size > 1500 && made.size <= sizeof image);
    image_size = made.size;
    memcpy(image, made.data, made.size);
    free(made.data);
    rows[OTADATA] = row(UPD_PARTITION_DATA, UPD_PARTITION_DATA_OTA, 0xD000, 2 * SECTOR);
    rows[SLOT_0] = row(UPD_PARTITION_APP, UPD_PARTITION_APP_OTA_0, START, ROOM);
    rows[SLOT_1] = row(UPD_PARTITION_APP, UPD_PARTITION_APP_OTA_0 + 1, START + ROOM, ROOM);
    sim_flash_init(&sim, &sim_flash_1m, 1);
    sim_flash_load(&sim, START, image, image_size);
    CHECK(upd_esp_init(&esp, &esp_config) == UPD_OK);
    upd_https_ota_open(&ota, &https);
    wire_open(&wire, lines, 0);
    answers = 0;
    events[0] = '\0';
    http = (esp_http_client_config_t){.url = "https://192.168.0.3:8070/fw.bin",
                                      .cert_pem = "-----BEGIN"};
    config = (esp_https_ota_config_t){.http_config = &http};
    handle = NULL;
}

static void begin(void)
{
    begin_with(UPD_OTADATA_LOADER_IDF, ROWS);
}

static void end(void)
{
    sim_flash_free(&sim);
}

/* The next connection is answered with a head, and bytes of the image. */
static void answer(const char *head, uint32_t from, uint32_t size)
{
    char *text = texts[answers];
    const uint32_t length = (uint32_t)strlen(head);

    CHECK(answers < ANSWERS && length + size < sizeof texts[0] && from + size <= sizeof image);
    memcpy(text, head, length);
    memcpy(text + length, image + from, size);
    text[length + size] = '\0';
    lines[answers++] = (struct wire_line){.answer = text, .size = length + size, .end = WIRE_ENDS};
    wire.count = answers;
}

static void answer_sized(void)
{
    char head[128];

    snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %u\r\n\r\n", image_size);
    answer(head, 0, image_size);
}

static bool boots(uint32_t row_number)
{
    return esp_ota_get_boot_partition() == &table[row_number];
}

static bool is_written(void)
{
    static uint8_t cells[sizeof image];

    sim_flash_peek(&sim, START + ROOM, cells, image_size);
    return memcmp(cells, image, image_size) == 0;
}

static bool asked(const char *lines_of_it)
{
    if (strcmp(wire.request, lines_of_it) != 0) {
        printf("asked %s", wire.request);
    }
    return strcmp(wire.request, lines_of_it) == 0;
}

#define HEAD_LINES                                                                                 \
    " /fw.bin HTTP/1.1\r\nUser-Agent: ESP32 HTTP Client/1.0\r\nHost: 192.168.0.3:8070\r\n"

/* --- All at once ------------------------------------------------------------------------------ */

static void test_one_call(void)
{
    begin();
    answer_sized();
    CHECK(boots(SLOT_0) && esp_https_ota(&config) == ESP_OK);
    CHECK(asked("GET" HEAD_LINES "\r\n") && wire.tls && wire.port == 8070);
    CHECK(is_written() && boots(SLOT_1) && strcmp(events, "SCIRWBF") == 0);
    end();

    begin(); /* in chunks */
    char head[128];
    snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n",
             image_size);
    answer(head, 0, image_size);
    memcpy(texts[0] + lines[0].size, "\r\n0\r\n\r\n", 7);
    lines[0].size += 7;
    CHECK(esp_https_ota(&config) == ESP_OK && is_written() && boots(SLOT_1));
    end();

    begin(); /* up to the end of the connection */
    answer("HTTP/1.0 200 ok\r\nContent-type: text/plain\r\n\r\n", 0, image_size);
    CHECK(esp_https_ota(&config) == ESP_OK && is_written() && boots(SLOT_1));
    end();

    begin();
    CHECK(esp_https_ota(NULL) == ESP_ERR_INVALID_ARG && strcmp(events, "") == 0);
    config.ota_resumption = true;
    CHECK(esp_https_ota(&config) == ESP_ERR_NOT_SUPPORTED && wire.connections == 0);
    end();
}

/* What a server says, and what comes of it; nothing is selected, and the handle is free again. */
static void test_every_answer(void)
{
    static const struct {
        const char *name;
        const char *head;
        uint32_t size;
        esp_err_t err;
    } cases[] = {
        {"304", "HTTP/1.1 304 x\r\n\r\n", 0, 0x7009},
        {"401", "HTTP/1.1 401 x\r\n\r\n", 0, -1},
        {"403", "HTTP/1.1 403 x\r\n\r\n", 0, -1},
        {"404", "HTTP/1.1 404 x\r\nContent-Length: 5\r\n\r\nabcde", 0, -1},
        {"416", "HTTP/1.1 416 x\r\n\r\n", 0, 0x700A},
        {"500", "HTTP/1.1 500 x\r\n\r\n", 0, -1},
        {"503", "HTTP/1.1 503 x\r\n\r\n", 0, -1},
        {"a part that nobody asked for", "HTTP/1.1 206 x\r\nContent-Range: bytes 0-9/10\r\n\r\n",
         10, -1},
        {"a redirect to nowhere", "HTTP/1.1 302 x\r\n\r\n", 0, 0x102},
        {"a redirect to plain HTTP", "HTTP/1.1 302 x\r\nLocation: http://a/\r\n\r\n", 0, 0x700D},
        {"a relative redirect", "HTTP/1.1 302 x\r\nLocation: /a\r\n\r\n", 0, 0x700D},
        {"no head", "", 0, 0x7004},
        {"no HTTP", "SSH-2.0-OpenSSH\r\n\r\n", 0, 0x7004},
        {"nothing behind the head", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 0, -1},
        {"less than a header", "HTTP/1.1 200 OK\r\n\r\n", 1023, -1},
        {"cut", "HTTP/1.1 200 OK\r\nContent-Length: 8000\r\n\r\n", 1500, -1},
        {"short", "HTTP/1.1 200 OK\r\nContent-Length: 1500\r\n\r\n", 1500, 0x1503},
        {"chunks cut", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5dc\r\n", 1500, -1},
        {"a bad chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", 0, -1},
    };

    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        begin();
        answer(cases[i].head, 0, cases[i].size);
        const esp_err_t err = esp_https_ota(&config);
        if (err != cases[i].err) {
            printf("got 0x%x\n", (unsigned)err);
        }
        CHECK_THAT(cases[i].name, err == cases[i].err && boots(SLOT_0));
        answers = 0;
        wire.connections = 0;
        answer_sized();
        CHECK_THAT(cases[i].name, esp_https_ota(&config) == ESP_OK && boots(SLOT_1));
        end();
    }
    begin();
    lines[0] = (struct wire_line){.refuses = UPD_TROUBLE_UNREACHABLE};
    lines[1] = (struct wire_line){.opens_never = true};
    lines[2] = (struct wire_line){.end = WIRE_HANGS};
    wire.count = 3;
    CHECK(esp_https_ota(&config) == 0x7002);
    uint32_t since = now;
    CHECK(esp_https_ota(&config) == 0x7002 && now - since >= 5000 && now - since < 6000);
    http.timeout_ms = 1000;
    since = now;
    CHECK(esp_https_ota(&config) == 0x7004 && now - since >= 1000 && now - since < 2000);
    end();
}

/* Heads that are unusual: lines longer than there is room for, several of them, other ends of lines. */
static void test_heads(void)
{
    static char long_field[8600];
    static const struct {
        const char *name;
        const char *before;
        uint32_t fill; /* characters that are put between */
        const char *after;
        esp_err_t err;
    } cases[] = {
        {"a long field", "HTTP/1.1 200 OK\r\nSet-Cookie: ", 3000, "\r\n\r\n", ESP_OK},
        {"almost too long", "HTTP/1.1 200 OK\r\nX: ", 8100, "\r\n\r\n", ESP_OK},
        {"too long", "HTTP/1.1 200 OK\r\nX: ", 8200, "\r\n\r\n", ESP_ERR_HTTP_FETCH_HEADER},
        {"a long status line", "HTTP/1.1 200 ", 900, "\r\n\r\n", ESP_ERR_HTTP_FETCH_HEADER},
        {"a long length", "HTTP/1.1 200 OK\r\nContent-Length: 1", 900, "\r\n\r\n",
         ESP_ERR_HTTP_FETCH_HEADER},
        {"a long Location", "HTTP/1.1 302 x\r\nLocation: https://a/", 900, "\r\n\r\n",
         ESP_ERR_HTTP_FETCH_HEADER},
        {"an answer in advance", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 ", 3, "\r\n\r\n",
         ESP_OK},
        {"line feeds alone", "HTTP/1.1 200 OK\n", 0, "\n", ESP_ERR_HTTP_FETCH_HEADER},
        {"a folded line", "HTTP/1.1 200 OK\r\nX: a\r\n ", 1, "\r\n\r\n", ESP_ERR_HTTP_FETCH_HEADER},
        {"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2", 0, "\r\n\r\n",
         ESP_ERR_HTTP_FETCH_HEADER},
    };

    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (uint32_t piece = 0; piece < 3; piece++) {
            begin();
            const size_t before = strlen(cases[i].before);
            strcpy(long_field, cases[i].before);
            memset(long_field + before, 'x', cases[i].fill);
            strcpy(long_field + before + cases[i].fill, cases[i].after);
            /* Without a length: all that fits in is the image. */
            const uint32_t room = (uint32_t)(sizeof texts[0] - strlen(long_field) - 1);
            answer(long_field, 0, image_size < room ? image_size : 0);
            wire.piece = piece;
            const esp_err_t err = esp_https_ota_begin(&config, &handle);
            CHECK_THAT(cases[i].name, err == cases[i].err);
            if (err == ESP_OK) {
                CHECK_THAT(cases[i].name, esp_https_ota_get_status_code(handle) == 200);
                CHECK_THAT(cases[i].name, esp_https_ota_abort(handle) == ESP_OK);
            }
            end();
        }
    }
}

/* However the bytes come: all at once, or one by one. */
static void test_pieces(void)
{
    for (uint32_t piece = 1; piece < 70; piece += piece < 5 ? 1 : 16) {
        begin();
        answer_sized();
        wire.piece = piece;
        CHECK(esp_https_ota(&config) == ESP_OK && is_written() && boots(SLOT_1));
        end();
    }
}

/* A connection that ends, or breaks, anywhere: the image that runs stays selected. */
static void test_every_cut(void)
{
    begin();
    answer_sized();
    const uint32_t size = lines[0].size;
    end();
    for (uint32_t at = 1; at < size; at += at < 200 || at > size - 100 ? 1 : 61) {
        for (uint32_t how = 0; how < 2; how++) {
            begin();
            answer_sized();
            lines[0].size = at;
            lines[0].end = how == 0 ? WIRE_ENDS : WIRE_BREAKS;
            const esp_err_t err = esp_https_ota(&config);
            CHECK((err == ESP_FAIL || err == ESP_ERR_HTTP_FETCH_HEADER) && boots(SLOT_0));
            end();
        }
    }
}

/* --- Step by step ----------------------------------------------------------------------------- */

static esp_err_t fail_init(esp_http_client_handle_t client)
{
    CHECK(client == &ota);
    return 0x4711;
}

static esp_err_t add_fields(esp_http_client_handle_t client)
{
    CHECK(esp_http_client_set_header(NULL, "a", "b") == ESP_ERR_INVALID_ARG);
    CHECK(esp_http_client_set_header(client, NULL, "b") == ESP_ERR_INVALID_ARG);
    CHECK(esp_http_client_set_header(client, "a", NULL) == ESP_ERR_INVALID_ARG);
    CHECK(esp_http_client_set_header(client, "Authorization", "Bearer abc") == ESP_OK);
    CHECK(esp_http_client_set_header(client, "X-One", "1") == ESP_OK);
    CHECK(esp_http_client_set_header(client, "X-Two", "2") == ESP_OK);
    CHECK(esp_http_client_set_header(client, "X-Three", "3") == ESP_OK);
    CHECK(esp_http_client_set_header(client, "X-Four", "4") == ESP_ERR_NO_MEM);
    return ESP_OK;
}

static void test_begin_checks_in_order(void)
{
    esp_https_ota_handle_t other = &ota;
    char url[700];

    begin();
    CHECK(esp_https_ota_begin(&config, NULL) == ESP_ERR_INVALID_ARG);
    CHECK(esp_https_ota_begin(NULL, &other) == ESP_ERR_INVALID_ARG && other == NULL);
    config.http_config = NULL;
    CHECK(esp_https_ota_begin(&config, &handle) == ESP_ERR_INVALID_ARG);
    config.http_config = &http;
    http.cert_pem = NULL;
    http.url = NULL;
    CHECK(esp_https_ota_begin(&config, &handle) == ESP_ERR_INVALID_ARG && handle == NULL);
    http.use_global_ca_store = true;
    CHECK(esp_https_ota_begin(&config, &handle) == ESP_FAIL && handle == NULL);
    http.url = "ftp://a/";
    CHECK(esp_https_ota_begin(&config, &handle) == ESP_FAIL);
    http.url = "http://a/";
    CHECK(esp_https_ota_begin(&config, &handle) == ESP_FAIL);
    memset(url, 'x', sizeof url - 1);
    url[sizeof url - 1] = '\0';
    memcpy(url, "https://a/", 10);
    http.url = url;
    CHECK(esp_https_ota_begin(&config, &handle) == ESP_FAIL);
    http.url = "https://a/b";
    config.http_client_init_cb = fail_init;
    CHECK(esp_https_ota_begin(&config, &handle) == 0x4711 && handle == NULL);
    config.http_client_init_cb = NULL;
    http.user_agent = url;
    answer_sized();
    CHECK(esp_https_ota_begin(&config, &handle) == ESP_ERR_HTTP_HEADER_TOO_LONG);
    CHECK(strcmp(events, "S") == 0);
    http.user_agent = "mine";
    config.http_client_init_cb = add_fields;
    answer_sized();
    CHECK(esp_https_ota_begin(&config, &handle) == ESP_OK && handle != NULL);
    CHECK(asked("GET /b HTTP/1.1\r\nUser-Agent: mine\r\nHost: a\r\nAuthorization: Bearer abc\r\n"
                "X-One: 1\r\nX-Two: 2\r\nX-Three: 3\r\n\r\n"));
    CHECK(esp_https_ota_begin(&config, &other) == ESP_ERR_NO_MEM && other == NULL);
    CHECK(sim.counters.erases == 0 && esp_https_ota_abort(handle) == ESP_OK);
    CHECK(strcmp(events, "SCSA") == 0);
    end();

    begin_with(UPD_OTADATA_LOADER_IDF, SLOT_0 + 1); /* the slot that runs is the only one */
    answer_sized();
    CHECK(esp_https_ota(&config) == ESP_ERR_OTA_PARTITION_CONFLICT);
    end();
    begin();
    esp_partition_t unknown = {.type = ESP_PARTITION_TYPE_APP, .address = 0x7000};
    config.partition.staging = &unknown;
    answer_sized();
    CHECK(esp_https_ota_begin(&config, &handle) == ESP_FAIL && handle == NULL);
    config.partition.staging = &table[SLOT_1];
    answer_sized();
    CHECK(esp_https_ota(&config) == ESP_OK && boots(SLOT_1));
    end();

    begin(); /* where plain HTTP is allowed, nothing has to be there to verify by */
    struct upd_https_ota_config open_port = port();
    open_port.allow_http = true;
    upd_https_ota_open(&ota, &open_port);
    http.cert_pem = NULL;
    http.url = "http://a/b";
    answer_sized();
    CHECK(esp_https_ota(&config) == ESP_OK && !wire.tls && wire.port == 80);
    end();
}

static void test_what_is_asked_before_and_after(void)
{
    esp_app_desc_t desc;

    begin();
    CHECK(esp_https_ota_perform(NULL) == ESP_ERR_INVALID_ARG);
    CHECK(esp_https_ota_finish(NULL) == ESP_ERR_INVALID_ARG);
    CHECK(esp_https_ota_abort(NULL) == ESP_ERR_INVALID_ARG);
    CHECK(esp_https_ota_get_img_desc(NULL, &desc) == ESP_ERR_INVALID_ARG);
    CHECK(esp_https_ota_get_img_desc(&ota, NULL) == ESP_ERR_INVALID_ARG);
    CHECK(esp_https_ota_get_img_desc(&ota, &desc) == ESP_ERR_INVALID_STATE);
    CHECK(esp_https_ota_perform(&ota) == ESP_FAIL);
    CHECK(!esp_https_ota_is_complete_data_received(NULL));
    CHECK(esp_https_ota_get_image_size(NULL) == -1 && esp_https_ota_get_image_size(&ota) == -1);
    CHECK(esp_https_ota_get_image_len_read(NULL) == -1);
    CHECK(esp_https_ota_get_status_code(NULL) == -1 && esp_https_ota_get_status_code(&ota) == -1);

    answer_sized();
    CHECK(esp_https_ota_begin(&config, &handle) == ESP_OK);
    CHECK(esp_https_ota_get_image_len_read(handle) == -1);
    CHECK(esp_https_ota_get_image_size(handle) == (int)image_size);
    CHECK(esp_https_ota_get_status_code(handle) == 200);
    CHECK(esp_https_ota_get_img_desc(handle, &desc) == ESP_OK);
    CHECK(esp_https_ota_get_img_desc(handle, &desc) == ESP_OK); /* once more */
    CHECK(memcmp(&desc, image + 32, sizeof desc) == 0);
    CHECK(esp_https_ota_perform(handle) == ESP_ERR_HTTPS_OTA_IN_PROGRESS);
    CHECK(esp_https_ota_get_image_len_read(handle) == 1024);
    CHECK(esp_https_ota_get_img_desc(handle, &desc) == ESP_FAIL); /* it is gone */
    CHECK(sim.counters.erases == 1 && !esp_https_ota_is_complete_data_received(handle));
    esp_err_t err = ESP_OK;
    while ((err = esp_https_ota_perform(handle)) == ESP_ERR_HTTPS_OTA_IN_PROGRESS) {
    }
    CHECK(err == ESP_OK && esp_https_ota_perform(handle) == ESP_OK);
    CHECK(esp_https_ota_is_complete_data_received(handle));
    CHECK(esp_https_ota_get_image_len_read(handle) == (int)image_size && boots(SLOT_0));
    CHECK(esp_https_ota_finish(handle) == ESP_OK && boots(SLOT_1));
    end();

    begin(); /* without a length */
    answer("HTTP/1.1 200 OK\r\n\r\n", 0, image_size);
    CHECK(esp_https_ota_begin(&config, &handle) == ESP_OK);
    CHECK(esp_https_ota_get_image_size(handle) == -1 && esp_https_ota_finish(handle) == ESP_OK);
    CHECK(boots(SLOT_0) && sim.counters.erases == 0);
    answer("HTTP/1.1 200 OK\r\n\r\n", 0, 500);
    CHECK(esp_https_ota_begin(&config, &handle) == ESP_OK);
    CHECK(esp_https_ota_get_img_desc(handle, &desc) == ESP_FAIL);
    CHECK(esp_https_ota_abort(handle) == ESP_OK);
    image[32] ^= 1;
    answer("HTTP/1.1 200 OK\r\n\r\n", 0, image_size);
    CHECK(esp_https_ota_begin(&config, &handle) == ESP_OK);
    CHECK(esp_https_ota_get_img_desc(handle, &desc) == ESP_FAIL);
    CHECK(esp_https_ota_abort(handle) == ESP_OK);
    end();
}

static void test_an_early_end(void)
{
    begin(); /* all bytes are there, but nobody has seen their end: valid, and not selected */
    answer_sized();
    CHECK(esp_https_ota_begin(&config, &handle) == ESP_OK);
    while (!esp_https_ota_is_complete_data_received(handle)) {
        CHECK(esp_https_ota_perform(handle) == ESP_ERR_HTTPS_OTA_IN_PROGRESS);
    }
    CHECK(esp_https_ota_finish(handle) == ESP_OK && boots(SLOT_0));
    answer_sized();
    CHECK(esp_https_ota_begin(&config, &handle) == ESP_OK);
    CHECK(esp_https_ota_perform(handle) == ESP_ERR_HTTPS_OTA_IN_PROGRESS);
    CHECK(esp_https_ota_finish(handle) == ESP_ERR_OTA_VALIDATE_FAILED && boots(SLOT_0));
    answer_sized();
    CHECK(esp_https_ota_begin(&config, &handle) == ESP_OK);
    CHECK(esp_https_ota_perform(handle) == ESP_ERR_HTTPS_OTA_IN_PROGRESS);
    CHECK(esp_https_ota_abort(handle) == ESP_OK && boots(SLOT_0));
    answer_sized(); /* both handles are closed */
    answer_sized();
    CHECK(esp_https_ota(&config) == ESP_OK);
    end();
}

static void test_a_server_that_stalls(void)
{
    begin();
    char head[64];
    snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %u\r\n\r\n", image_size);
    answer(head, 0, 1500);
    lines[0].end = WIRE_HANGS;
    CHECK(esp_https_ota_begin(&config, &handle) == ESP_OK);
    CHECK(esp_https_ota_perform(handle) == ESP_ERR_HTTPS_OTA_IN_PROGRESS);
    CHECK(esp_https_ota_perform(handle) == ESP_ERR_HTTPS_OTA_IN_PROGRESS);
    const uint32_t since = now;
    for (uint32_t i = 0; i < 3; i++) { /* it may be waited for, for ever */
        CHECK(esp_https_ota_perform(handle) == ESP_ERR_HTTPS_OTA_IN_PROGRESS);
    }
    CHECK(now - since >= 15000 && esp_https_ota_get_image_len_read(handle) == 1500);
    lines[0].end = WIRE_BREAKS;
    CHECK(esp_https_ota_perform(handle) == ESP_FAIL && esp_https_ota_abort(handle) == ESP_OK);
    end();
}

static void test_images_for_others(void)
{
    static const struct {
        const char *name;
        uint32_t offset;
        uint8_t value;
        uint8_t mode; /* of flash, as the application that runs says */
        esp_err_t err;
    } cases[] = {
        {"another chip", 12, 5, 0, 0x10A},
        {"newer revision", 15, 101, 0, 0x10A},
        {"older revision", 17, 99, 0, 0x10A},
        {"magic", 0, 0xEA, 0, 0x1503},
        {"another mode of flash", 32 + 181, 1, 3, 0x1508},
        {"a mode that is not known here", 32 + 181, 1, 0, 0x1503}, /* its digest then is wrong */
        {"a mode that it does not say", 32 + 181, 0, 3, ESP_OK},
    };

    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        begin();
        sim_flash_load(&sim, START + 32 + 181, &cases[i].mode, 1);
        image[cases[i].offset] = cases[i].value;
        if (cases[i].offset == 17) {
            image[18] = 0;
        }
        answer_sized();
        const esp_err_t err = esp_https_ota(&config);
        if (err != cases[i].err) {
            printf("got 0x%x\n", (unsigned)err);
        }
        CHECK_THAT(cases[i].name, err == cases[i].err);
        CHECK_THAT(cases[i].name, boots(err == ESP_OK ? SLOT_1 : SLOT_0));
        end();
    }
}

/* Written to one place, and meant for another. */
static void test_a_final_partition(void)
{
    static uint8_t cells[sizeof image];

    for (uint32_t copies = 0; copies < 2; copies++) {
        begin_with(UPD_OTADATA_LOADER_IDF, SLOT_1 + 1);
        rows[OTADATA].size = 2 * SECTOR;
        const esp_partition_t unknown = {.type = ESP_PARTITION_TYPE_APP, .address = 0x7000};
        config.partition.final = &unknown;
        answer_sized();
        CHECK(esp_https_ota(&config) == ESP_FAIL);
        config.partition.staging = &table[SLOT_1];
        config.partition.final = &table[SLOT_0]; /* the one that runs: nothing asks */
        config.partition.finalize_with_copy = copies == 1;
        answer_sized();
        sim_flash_load(&sim, START, "\x00", 1);
        const esp_err_t err = esp_https_ota(&config);
        sim_flash_peek(&sim, START, cells, image_size);
        CHECK(err == (copies == 1 ? ESP_OK : ESP_ERR_OTA_VALIDATE_FAILED));
        CHECK((memcmp(cells, image, image_size) == 0) == (copies == 1) && is_written());
        end();
    }
}

static void test_erasing(void)
{
    begin();
    config.bulk_flash_erase = true;
    answer_sized();
    CHECK(esp_https_ota_begin(&config, &handle) == ESP_OK && sim.counters.erases == 0);
    CHECK(esp_https_ota_perform(handle) == ESP_ERR_HTTPS_OTA_IN_PROGRESS);
    CHECK(sim.counters.erases == (image_size + SECTOR - 1) / SECTOR);
    CHECK(esp_https_ota_abort(handle) == ESP_OK);
    answer("HTTP/1.1 200 OK\r\n\r\n", 0, image_size); /* not known: all of it */
    const uint64_t before = sim.counters.erases;
    CHECK(esp_https_ota_begin(&config, &handle) == ESP_OK);
    CHECK(esp_https_ota_perform(handle) == ESP_ERR_HTTPS_OTA_IN_PROGRESS);
    CHECK(sim.counters.erases - before == ROOM / SECTOR);
    CHECK(esp_https_ota_abort(handle) == ESP_OK);
    answer("HTTP/1.1 200 OK\r\nContent-Length: 65537\r\n\r\n", 0, image_size);
    CHECK(esp_https_ota(&config) == ESP_ERR_INVALID_SIZE); /* 0x104, before anything is erased */
    config.bulk_flash_erase = false;
    sim_flash_fault(&sim, &(struct sim_fault){.kind = SIM_FAULT_FAILS, .count = 1});
    answer_sized();
    CHECK(esp_https_ota(&config) == ESP_ERR_FLASH_OP_FAIL);
    sim_flash_heal(&sim);
    sim_flash_fault(&sim, &(struct sim_fault){.kind = SIM_FAULT_FAILS, .at = 9, .count = 1});
    answer_sized();
    CHECK(esp_https_ota(&config) == ESP_ERR_FLASH_OP_FAIL && boots(SLOT_0));
    end();
}

/* --- Redirects and credentials ---------------------------------------------------------------- */

static void test_redirects(void)
{
    static const uint16_t statuses[] = {301, 302, 303, 307, 308};
    char head[128];

    for (uint32_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        begin();
        snprintf(head, sizeof head, "HTTP/1.1 %u x\r\nLocation: HTTPS://b.example/c\r\n\r\n",
                 statuses[i]);
        answer(head, 0, 0);
        answer_sized();
        CHECK_THAT(head, esp_https_ota(&config) == ESP_OK && boots(SLOT_1));
        CHECK_THAT(head, asked("GET /c HTTP/1.1\r\nUser-Agent: ESP32 HTTP Client/1.0\r\n"
                               "Host: b.example\r\n\r\n"));
        end();
    }
    begin(); /* from plain HTTP to wherever */
    struct upd_https_ota_config open_port = port();
    open_port.allow_http = true;
    upd_https_ota_open(&ota, &open_port);
    http.url = "http://a/b";
    answer("HTTP/1.1 302 x\r\nLocation: /c\r\n\r\n", 0, 0);
    answer("HTTP/1.1 302 x\r\nLocation: https://d/\r\n\r\n", 0, 0);
    answer_sized();
    CHECK(esp_https_ota(&config) == ESP_OK && wire.tls && strcmp(wire.host, "d") == 0);
    end();

    begin();
    for (uint32_t i = 0; i < 11; i++) {
        answer("HTTP/1.1 302 x\r\nLocation: https://a/\r\n\r\n", 0, 0);
    }
    CHECK(esp_https_ota(&config) == ESP_ERR_HTTP_MAX_REDIRECT && wire.connections == 11);
    end();
}

static void test_credentials(void)
{
    static const char *const base64[] = {"YTpi", "YTpiYg==", "YTpiYmI="};
    static const char *const passwords[] = {"b", "bb", "bbb"};
    char line[256];

    for (uint32_t i = 0; i < 3; i++) {
        begin();
        http.username = "a";
        http.password = passwords[i];
        answer("HTTP/1.1 401 x\r\n\r\n", 0, 0);
        answer_sized();
        CHECK(esp_https_ota(&config) == ESP_OK && wire.connections == 2);
        snprintf(line, sizeof line, "GET" HEAD_LINES "Authorization: Basic %s\r\n\r\n", base64[i]);
        CHECK(asked(line));
        end();
    }
    static const struct {
        int retries;
        uint32_t connections;
    } cases[] = {{0, 11}, {2, 3}, {-1, 1}};
    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        begin();
        http.username = "a";
        http.max_authorization_retries = cases[i].retries;
        for (uint32_t k = 0; k < cases[i].connections; k++) {
            answer("HTTP/1.1 401 x\r\n\r\n", 0, 0);
        }
        CHECK(esp_https_ota(&config) == ESP_FAIL && wire.connections == cases[i].connections);
        end();
    }
    begin(); /* are not for another host */
    http.username = "a";
    http.password = "b";
    config.http_client_init_cb = add_fields;
    answer("HTTP/1.1 401 x\r\n\r\n", 0, 0);
    answer("HTTP/1.1 302 x\r\nLocation: https://evil.example/\r\n\r\n", 0, 0);
    answer_sized();
    CHECK(esp_https_ota(&config) == ESP_OK && strstr(wire.request, "Authorization") == NULL);
    CHECK(strstr(wire.request, "\r\nX-One: 1\r\nX-Two: 2\r\nX-Three: 3\r\n\r\n") != NULL);
    end();
}

/* --- In parts, and what was begun ------------------------------------------------------------- */

static void answer_part(uint32_t from, uint32_t until)
{
    char head[160];

    snprintf(head, sizeof head,
             "HTTP/1.1 206 x\r\nContent-Length: %u\r\nContent-Range: bytes %u-%u/%u\r\n\r\n",
             until - from, from, until - 1, image_size);
    answer(head, from, until - from);
}

static void answer_head(void)
{
    char head[64];

    snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %u\r\n\r\n", image_size);
    answer(head, 0, 0);
}

/* Perform until there is another connection, or an end. */
static esp_err_t perform(void)
{
    const uint32_t had = wire.connections;
    esp_err_t err = ESP_OK;

    do {
        err = esp_https_ota_perform(handle);
    } while (err == ESP_ERR_HTTPS_OTA_IN_PROGRESS && wire.connections == had);
    return err;
}

static void test_parts(void)
{
    char line[256];

    begin();
    config.partial_http_download = true;
    config.max_http_request_size = 1100;
    answer_head();
    answer_part(0, 1100);
    answer_part(1100, 2200 < image_size ? 2200 : image_size);
    CHECK(image_size > 1100 && image_size <= 4400);
    for (uint32_t from = 2200; from < image_size; from += 1100) {
        answer_part(from, from + 1100 < image_size ? from + 1100 : image_size);
    }
    CHECK(esp_https_ota_begin(&config, &handle) == ESP_OK);
    CHECK(asked("GET" HEAD_LINES "Range: bytes=0-1099\r\n\r\n") && wire.connections == 2);
    CHECK(esp_https_ota_get_image_size(handle) == (int)image_size);
    CHECK(esp_https_ota_get_status_code(handle) == 206);
    for (uint32_t from = 1100; from < image_size; from += 1100) {
        CHECK(perform() == ESP_ERR_HTTPS_OTA_IN_PROGRESS);
        CHECK(!esp_https_ota_is_complete_data_received(handle));
        if (image_size - from > 1100) {
            snprintf(line, sizeof line, "GET" HEAD_LINES "Range: bytes=%u-%u\r\n\r\n", from,
                     from + 1099);
        } else {
            snprintf(line, sizeof line, "GET" HEAD_LINES "Range: bytes=%u-\r\n\r\n", from);
        }
        CHECK(asked(line));
    }
    CHECK(perform() == ESP_OK && esp_https_ota_is_complete_data_received(handle));
    CHECK(esp_https_ota_finish(handle) == ESP_OK && is_written() && boots(SLOT_1));
    end();

    begin(); /* one request takes all: no range */
    config.partial_http_download = true;
    answer_head();
    answer_sized();
    CHECK(esp_https_ota(&config) == ESP_OK && asked("GET" HEAD_LINES "\r\n"));
    end();
}

static void test_parts_that_go_wrong(void)
{
    begin(); /* no HEAD: the first byte tells */
    config.partial_http_download = true;
    answer("HTTP/1.1 404 x\r\n\r\n", 0, 0);
    answer_part(0, 1);
    answer_sized();
    CHECK(esp_https_ota_begin(&config, &handle) == ESP_OK && wire.connections == 3);
    CHECK(esp_https_ota_get_image_size(handle) == (int)image_size);
    CHECK(esp_https_ota_abort(handle) == ESP_OK);
    end();

    static const struct {
        const char *name;
        const char *first;
        const char *second;
        esp_err_t err;
    } cases[] = {
        {"304", "HTTP/1.1 304 x\r\n\r\n", NULL, 0x7009},
        {"no length", "HTTP/1.1 200 x\r\n\r\n", NULL, -1},
        {"neither", "HTTP/1.1 405 x\r\n\r\n", "HTTP/1.1 404 x\r\n\r\n", -1},
        {"neither says it", "HTTP/1.1 405 x\r\n\r\n", "HTTP/1.1 200 x\r\n\r\n", -1},
        {"not there", "HTTP/1.1 200 x\r\nContent-Length: 99999\r\n\r\n", "HTTP/1.1 416 x\r\n\r\n",
         0x700A},
        {"another part", "HTTP/1.1 200 x\r\nContent-Length: 99999\r\n\r\n",
         "HTTP/1.1 206 x\r\nContent-Range: bytes 5-9/10\r\n\r\n", -1},
    };
    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        begin();
        config.partial_http_download = true;
        answer(cases[i].first, 0, 0);
        if (cases[i].second != NULL) {
            answer(cases[i].second, 0, 0);
        }
        CHECK_THAT(cases[i].name, esp_https_ota_begin(&config, &handle) == cases[i].err);
        CHECK_THAT(cases[i].name, handle == NULL && wire.connections == answers);
        end();
    }
    begin(); /* a server that forgets ranges on the way */
    config.partial_http_download = true;
    config.max_http_request_size = 1100;
    answer_head();
    answer_part(0, 1100);
    answer_sized();
    CHECK(esp_https_ota(&config) == ESP_FAIL && boots(SLOT_0));
    end();
}

static void test_resumption(void)
{
    const uint32_t had = 1500;

    for (uint32_t part = 0; part < 2; part++) {
        begin();
        sim_flash_load(&sim, START + ROOM, image, had);
        config.ota_resumption = true;
        config.ota_image_bytes_written = had;
        if (part == 1) {
            config.partial_http_download = true;
            answer_head();
        }
        answer_part(had, image_size);
        CHECK(esp_https_ota_begin(&config, &handle) == ESP_OK);
        char line[256];
        if (part == 1) {
            snprintf(line, sizeof line, "GET" HEAD_LINES "Range: bytes=%u-%u\r\n\r\n", had,
                     image_size);
        } else {
            snprintf(line, sizeof line, "GET" HEAD_LINES "Range: bytes=%u-\r\n\r\n", had);
        }
        CHECK(asked(line));
        esp_app_desc_t desc;
        CHECK(esp_https_ota_get_img_desc(handle, &desc) == ESP_OK);
        CHECK(memcmp(&desc, image + 32, sizeof desc) == 0);
        CHECK(perform() == ESP_OK && esp_https_ota_finish(handle) == ESP_OK);
        CHECK(is_written() && boots(SLOT_1) && sim_flash_wear(&sim, START + ROOM) == 0);
        end();
    }
    static const char *const others[] = {"HTTP/1.1 416 x\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n"};
    for (uint32_t i = 0; i < 2; i++) { /* then it begins anew, without a range */
        begin();
        config.ota_resumption = true;
        config.ota_image_bytes_written = had;
        answer(others[i], 0, i == 1 ? image_size : 0);
        answer_sized();
        CHECK(esp_https_ota_begin(&config, &handle) == ESP_OK && wire.connections == 2);
        CHECK(asked("GET" HEAD_LINES "\r\n") && perform() == ESP_OK);
        CHECK(esp_https_ota_finish(handle) == ESP_OK && is_written() && boots(SLOT_1));
        end();
    }
    begin(); /* too little to go on with: all of it, asked for as a range */
    config.ota_resumption = true;
    config.ota_image_bytes_written = 1023;
    answer_part(0, image_size);
    CHECK(esp_https_ota_begin(&config, &handle) == ESP_OK);
    CHECK(asked("GET" HEAD_LINES "Range: bytes=0-\r\n\r\n") && perform() == ESP_OK);
    CHECK(esp_https_ota_finish(handle) == ESP_OK && boots(SLOT_1));
    end();
}

/* --- The RTOS SDK ----------------------------------------------------------------------------- */

static void test_rtos(void)
{
    static const struct {
        const char *name;
        const char *head;
        uint32_t size; /* of the image; 1: all */
        esp_err_t err;
    } cases[] = {
        {"good", "HTTP/1.1 200 OK\r\n\r\n", 1, 0},
        {"the status does not matter", "HTTP/1.1 500 x\r\n\r\n", 1, 0},
        {"nor does a redirect", "HTTP/1.1 302 x\r\nLocation: http://a/\r\n\r\n", 1, 0},
        {"the length does not matter", "HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n", 1, 0},
        {"a page", "HTTP/1.1 404 x\r\n\r\n<html>not found</html>", 0, 0x1503},
        {"cut", "HTTP/1.1 200 OK\r\nContent-Length: 8000\r\n\r\n", 1500, 0x1503},
        {"empty", "HTTP/1.1 200 OK\r\n\r\n", 0, 0x102},
        {"no HTTP", "SSH\r\n\r\n", 0, 0x102},
    };

    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        begin_with(UPD_OTADATA_LOADER_RTOS, ROWS);
        answer(cases[i].head, 0, cases[i].size == 1 ? image_size : cases[i].size);
        CHECK_THAT(cases[i].name, upd_rtos_https_ota(&http) == cases[i].err);
        CHECK_THAT(cases[i].name, boots(cases[i].err == ESP_OK ? SLOT_1 : SLOT_0));
        CHECK_THAT(cases[i].name, asked("GET" HEAD_LINES "\r\n") && wire.connections == 1);
        CHECK_THAT(cases[i].name, sim_flash_wear(&sim, START + 2 * ROOM - 1) == 1);
        end();
    }
    begin_with(UPD_OTADATA_LOADER_RTOS, ROWS);
    CHECK(upd_rtos_https_ota(NULL) == ESP_ERR_INVALID_ARG);
    http.cert_pem = NULL;
    CHECK(upd_rtos_https_ota(&http) == ESP_FAIL);
    http.cert_pem = "x";
    http.url = NULL;
    CHECK(upd_rtos_https_ota(&http) == ESP_FAIL);
    http.url = "http://a/";
    CHECK(upd_rtos_https_ota(&http) == ESP_FAIL);
    http.url = "https://a/";
    lines[0] = (struct wire_line){.refuses = UPD_TROUBLE_TLS_UNKNOWN_CA};
    wire.count = 1;
    CHECK(upd_rtos_https_ota(&http) == 0x7002 && sim.counters.erases == 0);
    sim_flash_fault(&sim, &(struct sim_fault){.kind = SIM_FAULT_FAILS, .count = 1});
    answer_sized();
    answer_sized();
    CHECK(upd_rtos_https_ota(&http) == ESP_ERR_FLASH_OP_FAIL_RTOS);
    end();
    begin_with(UPD_OTADATA_LOADER_RTOS, SLOT_0 + 1);
    answer_sized();
    CHECK(upd_rtos_https_ota(&http) == ESP_ERR_OTA_PARTITION_CONFLICT);
    end();
}

int main(void)
{
    CHECK_RUN(test_one_call);
    CHECK_RUN(test_every_answer);
    CHECK_RUN(test_heads);
    CHECK_RUN(test_pieces);
    CHECK_RUN(test_every_cut);
    CHECK_RUN(test_begin_checks_in_order);
    CHECK_RUN(test_what_is_asked_before_and_after);
    CHECK_RUN(test_an_early_end);
    CHECK_RUN(test_a_server_that_stalls);
    CHECK_RUN(test_images_for_others);
    CHECK_RUN(test_a_final_partition);
    CHECK_RUN(test_erasing);
    CHECK_RUN(test_redirects);
    CHECK_RUN(test_credentials);
    CHECK_RUN(test_parts);
    CHECK_RUN(test_parts_that_go_wrong);
    CHECK_RUN(test_resumption);
    CHECK_RUN(test_rtos);
    check_end();
}
