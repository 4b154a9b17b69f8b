/*
 * Goal: Update and httpUpdate of the Arduino core for the ESP32 give each value and text for its
 * cause, leave the flash and the selection as the original does, and send what it sends. Method: a
 * partition table and a genuine image on the simulated flash; a server by script.
 */
#include <HTTPUpdate.h>

#include <cstdio>

extern "C" {
#define _Static_assert static_assert
#pragma GCC diagnostic ignored "-Wshadow"
#include <esp_ota.h>
}

#include "script_client.h"

namespace
{

enum { OTADATA, SLOT_0, SLOT_1, SPIFFS, ROWS };
constexpr uint32_t slot0 = 0x10000;
constexpr uint32_t slot1 = 0x89000; /* does not begin with a block */
constexpr uint32_t room = 0x50000;
constexpr uint32_t largeSize = 200000;

struct sim_flash sim;
ScriptClient client;
struct upd_partition rows[ROWS];
esp_partition_t table[ROWS];
struct upd_esp esp;
uint32_t now, restarts;
uint8_t buffer[4096];
char http[1024];
uint8_t image[8192];
uint32_t imageSize;
uint8_t large[largeSize];
char md5Hex[updMd5Text];
char events[64];
int lastError;

void happened(const char *what)
{
    const size_t size = strlen(events);

    if (size + strlen(what) < sizeof events && (size == 0 || events[size - 1] != what[0])) {
        strcat(events, what);
    }
}

uint32_t hostMillis(void *)
{
    return now;
}

void hostDelay(void *, uint32_t ms)
{
    now += ms;
}

void restart(void *)
{
    restarts++;
}

void assertion(void *, const char *what)
{
    CHECK_THAT(what, false);
}

struct upd_partition row(uint8_t type, uint8_t subtype, uint32_t offset, uint32_t size)
{
    struct upd_partition entry = {};

    entry.type = type;
    entry.subtype = subtype;
    entry.offset = offset;
    entry.size = size;
    memcpy(entry.name, "part", 4);
    return entry;
}

/* The first `count` rows of the table are there. */
void begin(uint32_t count = ROWS)
{
    static const uint8_t sta[] = {0x24, 0x0A, 0xC4, 0x01, 0x02, 0xFF};
    struct upd_esp_config config = {};
    UpdArduinoConfig board = {};
    uint8_t digest[UPD_MD5_SIZE];
    struct upd_md5 md5;

    sim_flash_init(&sim, &sim_flash_2m, 1);
    const int32_t size = check_load(UPD_IMAGES "esp32.bin", image, sizeof image);
    CHECK(size > 0);
    imageSize = static_cast<uint32_t>(size);
    sim_flash_load(&sim, slot0, image, imageSize);
    for (uint32_t i = 0; i < largeSize; i++) {
        large[i] = static_cast<uint8_t>(i * 7 + i / 256);
    }
    large[0] = 0xE9;
    rows[OTADATA] = row(UPD_PARTITION_DATA, UPD_PARTITION_DATA_OTA, 0xD000, 0x2000);
    rows[SLOT_0] = row(UPD_PARTITION_APP, UPD_PARTITION_APP_OTA_0, slot0, room);
    rows[SLOT_1] = row(UPD_PARTITION_APP, UPD_PARTITION_APP_OTA_0 + 1, slot1, room);
    rows[SPIFFS] = row(UPD_PARTITION_DATA, 0x82, 0x100000, room);
    config.flash = &sim.flash;
    config.rows = rows;
    config.count = count;
    config.table = table;
    config.running = slot0;
    config.loader = UPD_OTADATA_LOADER_IDF;
    config.chip = UPD_CHIP_ESP32;
    config.chip_revision = UPD_IMAGE_ANY_REVISION;
    config.efuse_revision = UPD_IMAGE_ANY_REVISION;
    config.restart = restart;
    config.assertion = assertion;
    CHECK(upd_esp_init(&esp, &config) == UPD_OK);
    board.buffer = buffer;
    board.buffer_size = sizeof buffer;
    board.http = http;
    board.http_size = sizeof http;
    board.sketch_size = imageSize;
    board.flash_size = 2 << 20;
    board.sdk_version = "v4.4.5";
    memcpy(board.sta_mac, sta, sizeof sta);
    memcpy(board.ap_mac, sta, sizeof sta);
    board.restart = restart;
    updArduinoBegin(board);
    upd_md5_init(&md5);
    upd_md5_update(&md5, image, imageSize);
    upd_md5_final(&md5, digest);
    updMd5Hex(digest, md5Hex);
    updHost = {};
    updHost.millis = hostMillis;
    updHost.delay = hostDelay;
    now = restarts = 0;
    events[0] = '\0';
    lastError = 0;
    Update = UpdateClass();
    httpUpdate = HTTPUpdate();
    httpUpdate.onStart([]() { happened("S"); });
    httpUpdate.onEnd([]() { happened("E"); });
    httpUpdate.onProgress([](int done, int all) {
        happened(done == 0 ? "0" : done == all ? "1" : "p");
    });
    httpUpdate.onError([](int error) {
        lastError = error;
        happened("!");
    });
}

void end()
{
    sim_flash_free(&sim);
}

bool holds(uint32_t offset, const uint8_t *expected, uint32_t size)
{
    static uint8_t cells[largeSize];

    sim_flash_peek(&sim, offset, cells, size);
    return memcmp(cells, expected, size) == 0;
}

bool isBlank(uint32_t offset, uint32_t size)
{
    static const uint8_t blank[16] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
                                      0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};

    return size <= sizeof blank && holds(offset, blank, size);
}

bool failedWith(uint8_t error, const char *text)
{
    return Update.getError() == error && Update.hasError() && !Update.isRunning() &&
           strcmp(Update.errorString(), text) == 0 &&
           esp_ota_get_boot_partition() == &table[SLOT_0];
}

/* --- Update */

void test_a_good_update_is_selected()
{
    begin();
    CHECK(esp_ota_get_boot_partition() == &table[SLOT_0] && !Update.canRollBack());
    CHECK(!Update.rollBack());
    CHECK(Update.begin(imageSize) && Update.setMD5(md5Hex) && Update.size() == imageSize);
    for (uint32_t at = 0, piece = 1; at < imageSize; at += piece++) {
        const uint32_t left = imageSize - at;
        CHECK(Update.write(image + at, left < piece ? left : piece) ==
              (left < piece ? left : piece));
        CHECK(isBlank(slot1, 16)); /* the first bytes wait for the end */
    }
    CHECK(Update.isFinished() && Update.remaining() == 0 && Update.end());
    CHECK(holds(slot1, image, imageSize) && esp_ota_get_boot_partition() == &table[SLOT_1]);
    CHECK(Update.md5String() == md5Hex && !Update.isRunning() && Update.canRollBack());
    CHECK(Update.rollBack());
    end();
}

/* Sectors up to the first block, blocks, and sectors behind the last block that is whole. */
void test_what_is_erased()
{
    static struct sim_op ops[8192];
    uint32_t behind = slot1;

    begin();
    sim_flash_log(&sim, ops, 8192);
    CHECK(Update.begin(largeSize) && Update.write(large, largeSize) == largeSize);
    CHECK(sim.counters.operations < 8192);
    for (uint64_t i = 0; i < sim.counters.operations; i++) {
        if (ops[i].kind == SIM_ERASE) {
            CHECK(ops[i].offset == behind); /* each once, in rising order */
            behind += 4096;
        }
    }
    CHECK(behind == slot1 + (largeSize + 4095) / 4096 * 4096);
    CHECK(holds(slot1 + 16, large + 16, largeSize - 16) && isBlank(slot1, 16));
    CHECK(!Update.end()); /* the bytes are no image */
    CHECK(failedWith(UPDATE_ERROR_ACTIVATE, "Could Not Activate The Firmware"));
    /* Sectors that are blank are not programmed. */
    memset(large + 4096, 0xFF, 3 * 4096);
    const uint64_t programmed = sim.counters.programmed;
    CHECK(Update.begin(largeSize) && Update.write(large, largeSize) == largeSize);
    CHECK(sim.counters.programmed - programmed == largeSize - 16 - 3 * 4096);
    end();
}

void test_begin_checks_in_order()
{
    begin();
    CHECK(!Update.begin(0, 55) && failedWith(UPDATE_ERROR_SIZE, "Bad Size Given"));
    CHECK(!Update.begin(1, U_AUTH) && failedWith(UPDATE_ERROR_BAD_ARGUMENT, "Bad Argument"));
    CHECK(!Update.begin(room + 1) && failedWith(UPDATE_ERROR_SIZE, "Bad Size Given"));
    CHECK(!Update.begin(1, U_SPIFFS, -1, LOW, "none"));
    CHECK(failedWith(UPDATE_ERROR_NO_PARTITION, "Partition Could Not be Found"));
    CHECK(Update.begin() && Update.size() == room);
    CHECK(!Update.begin() && !Update.hasError() && Update.isRunning()); /* one runs, and goes on */
    Update.abort();
    CHECK(failedWith(UPDATE_ERROR_ABORT, "Aborted"));
    UpdArduinoConfig board = updArduino;
    board.buffer = nullptr;
    updArduinoBegin(board);
    CHECK(!Update.begin() && !Update.hasError() && !Update.isRunning());
    end();
}

void test_what_is_refused()
{
    begin();
    CHECK(!Update.end() && Update.write(image, 1) == 0 && !Update.hasError());
    CHECK(Update.begin(imageSize) && Update.write(image, imageSize + 1) == 0);
    CHECK(failedWith(UPDATE_ERROR_SPACE, "Not Enough Space"));
    CHECK(Update.begin(imageSize) && Update.write(image, 100) == 100);
    CHECK(Update.write(image, imageSize - 99) == 0 && Update.getError() == UPDATE_ERROR_SPACE);
    CHECK(Update.begin(imageSize) && Update.write(image, 100) == 100 && !Update.end());
    CHECK(failedWith(UPDATE_ERROR_ABORT, "Aborted"));
    CHECK(Update.begin(imageSize) && Update.write(image + 1, imageSize) < imageSize);
    CHECK(failedWith(UPDATE_ERROR_MAGIC_BYTE, "Wrong Magic Byte"));
    CHECK(Update.begin(imageSize) && !Update.setMD5("1"));
    CHECK(Update.setMD5("00000000000000000000000000000000"));
    CHECK(Update.write(image, imageSize) == imageSize && !Update.end());
    CHECK(failedWith(UPDATE_ERROR_MD5, "MD5 Check Failed") && isBlank(slot1, 16));
    CHECK(Update.begin() && Update.setMD5(md5Hex) && Update.write(image, imageSize) == imageSize);
    CHECK(Update.end(true) && esp_ota_get_boot_partition() == &table[SLOT_1]);
    end();
}

void test_faults_of_the_flash()
{
    static const struct {
        enum sim_fault_kind kind;
        uint32_t at;
        uint8_t error;
        const char *text;
    } cases[] = {
        {SIM_FAULT_ERASE_FAILS, slot1, UPDATE_ERROR_ERASE, "Flash Erase Failed"},
        {SIM_FAULT_PROGRAM_FAILS, slot1, UPDATE_ERROR_WRITE, "Flash Write Failed"},
    };

    for (const auto &one : cases) {
        begin();
        struct sim_fault fault = {};
        fault.kind = one.kind;
        fault.at = one.at;
        fault.count = UINT32_MAX;
        sim_flash_fault(&sim, &fault);
        CHECK_THAT(one.text, Update.begin(imageSize));
        CHECK_THAT(one.text, Update.write(image, imageSize) < imageSize);
        CHECK_THAT(one.text, failedWith(one.error, one.text));
        end();
    }
    begin();
    CHECK(Update.begin(imageSize) && Update.write(image, imageSize) == imageSize);
    struct sim_fault fault = {};
    fault.kind = SIM_FAULT_PROGRAM_FAILS;
    fault.at = slot1;
    fault.count = UINT32_MAX;
    sim_flash_fault(&sim, &fault);
    CHECK(!Update.end() && Update.getError() == UPDATE_ERROR_READ);
    CHECK(strcmp(Update.errorString(), "Flash Read Failed") == 0);
    end();
}

/* A stream of so many bytes of the large image. */
class Bytes : public Stream
{
  public:
    explicit Bytes(size_t size) : _size(size)
    {
        _timeout = 0;
    }
    int available() override
    {
        return static_cast<int>(_size - _at);
    }
    int read() override
    {
        return _at < _size ? large[_at++] : -1;
    }
    int peek() override
    {
        return _at < _size ? large[_at] : -1;
    }
    size_t write(uint8_t) override
    {
        return 0;
    }

  private:
    size_t _size;
    size_t _at = 0;
};

void test_streams()
{
    begin();
    Bytes all(largeSize);
    CHECK(Update.begin(largeSize, U_SPIFFS) && Update.writeStream(all) == largeSize);
    CHECK(Update.end() && holds(0x100000, large, largeSize));
    CHECK(esp_ota_get_boot_partition() == &table[SLOT_0]);
    Bytes cut(10000);
    CHECK(Update.begin(largeSize) && Update.writeStream(cut) == 10000);
    CHECK(failedWith(UPDATE_ERROR_STREAM, "Stream Read Timeout") && now >= 29000 && now <= 31000);
    large[0] = 'x';
    Bytes other(largeSize);
    CHECK(Update.begin(largeSize) && Update.writeStream(other) == 0);
    CHECK(failedWith(UPDATE_ERROR_MAGIC_BYTE, "Wrong Magic Byte"));
    end();
}

void test_a_chip_without_another_slot()
{
    begin(SLOT_0 + 1);
    const ScriptAnswer good[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", large, 100, false}};
    client.follow(good, 1);
    CHECK(httpUpdate.updateSpiffs(client, "http://h/") == HTTP_UPDATE_FAILED);
    CHECK(httpUpdate.getLastError() == -108);
    CHECK(httpUpdate.getLastErrorString() == "Partition Could Not be Found");
    CHECK(!Update.begin(100, U_SPIFFS));
    CHECK(Update.getError() == UPDATE_ERROR_NO_PARTITION);
    end();
}

/* --- httpUpdate */

void test_the_request_is_the_originals()
{
    static const ScriptAnswer none[] = {{"HTTP/1.1 304 Not Modified\r\n\r\n", nullptr, 0, false}};
    static const uint8_t sha256[UPD_SHA256_SIZE] = {0xAB, 0x01};
    char expected[1024];

    begin();
    snprintf(expected, sizeof expected,
             "GET /x?k=1 HTTP/1.0\r\n"
             "Host: host.example:8080\r\n"
             "User-Agent: ESP32-http-Update\r\n"
             "Connection: close\r\n"
             "Authorization: Basic dXNlcjpwYXNz\r\n"
             "Cache-Control: no-cache\r\n"
             "x-ESP32-STA-MAC: 24:0A:C4:01:02:FF\r\n"
             "x-ESP32-AP-MAC: 24:0A:C4:01:02:FF\r\n"
             "x-ESP32-free-space: 327680\r\n"
             "x-ESP32-sketch-size: %u\r\n"
             "x-ESP32-sketch-md5: %s\r\n"
             "x-ESP32-sketch-sha256: AB01%060d\r\n"
             "x-ESP32-chip-size: 2097152\r\n"
             "x-ESP32-sdk-version: v4.4.5\r\n"
             "x-ESP32-mode: sketch\r\n"
             "x-ESP32-version: 2.0.0\r\n"
             "\r\n",
             imageSize, md5Hex, 0);
    UpdArduinoConfig board = updArduino;
    board.sketch_sha256 = sha256;
    updArduinoBegin(board);
    httpUpdate.setAuthorization("user", "pass");
    client.follow(none, 1);
    CHECK(httpUpdate.update(client, "host.example", 8080, "/x?k=1", "2.0.0") ==
          HTTP_UPDATE_NO_UPDATES);
    CHECK(strcmp(client.request, expected) == 0);

    board.sketch_sha256 = nullptr;
    updArduinoBegin(board);
    httpUpdate = HTTPUpdate();
    client.follow(none, 1);
    CHECK(httpUpdate.updateSpiffs(client, "http://h/fs") == HTTP_UPDATE_NO_UPDATES);
    CHECK(strstr(client.request, "Connection: close\r\nCache-Control") != nullptr);
    CHECK(strstr(client.request, "sha256") == nullptr);
    CHECK(strstr(client.request, "x-ESP32-mode: spiffs\r\n\r\n") != nullptr);
    end();
}

/* The sketch's own fields, by the hook of an update and by a client of its own. */
void test_requests_with_the_sketchs_own_fields()
{
    static const ScriptAnswer none[] = {{"HTTP/1.1 304 Not Modified\r\n\r\n", nullptr, 0, false}};
    const auto hook = [](HTTPClient *http) {
        http->addHeader("X-Token", "abc");
        http->addHeader("User-Agent", "mine"); /* which the updater says itself */
    };
    HTTPClient http;

    begin();
    client.follow(none, 1);
    CHECK(httpUpdate.update(client, "http://h/a", "1", hook) == HTTP_UPDATE_NO_UPDATES);
    CHECK(strstr(client.request, "x-ESP32-version: 1\r\nX-Token: abc\r\n\r\n") != nullptr);
    CHECK(strstr(client.request, "mine") == nullptr);
    client.follow(none, 1);
    CHECK(httpUpdate.updateSpiffs(client, "http://h/a", "", hook) == HTTP_UPDATE_NO_UPDATES);
    CHECK(strstr(client.request, "mode: spiffs\r\nX-Token: abc\r\n\r\n") != nullptr);
    client.follow(none, 1);
    CHECK(httpUpdate.update(client, "h", 81, "/b", "1", hook) == HTTP_UPDATE_NO_UPDATES);
    CHECK(strstr(client.request, "Host: h:81\r\n") != nullptr);
    CHECK(strstr(client.request, "X-Token: abc\r\n") != nullptr);
    client.follow(none, 1); /* and nothing is kept */
    CHECK(httpUpdate.update(client, "http://h/a", "1") == HTTP_UPDATE_NO_UPDATES);
    CHECK(strstr(client.request, "X-Token") == nullptr);

    CHECK(httpUpdate.update(http, "1") == HTTP_UPDATE_FAILED && lastError == -4);
    CHECK(httpUpdate.getLastErrorString() == "HTTP error: not connected");
    CHECK(!http.begin(client, "ftp://h/") && http.begin(client, "http://h/c"));
    http.setAuthorization("user", "pass");
    http.addHeader("A", "1");
    http.addHeader("B", "2");
    client.follow(none, 1);
    CHECK(httpUpdate.update(http, "1", hook) == HTTP_UPDATE_NO_UPDATES);
    CHECK(strstr(client.request, "GET /c HTTP/1.0\r\nHost: h\r\n") == client.request);
    CHECK(strstr(client.request, "Authorization: Basic dXNlcjpwYXNz\r\n") != nullptr);
    CHECK(strstr(client.request, "version: 1\r\nA: 1\r\nB: 2\r\nX-Token: abc\r\n\r\n") != nullptr);
    client.follow(none, 1);
    CHECK(httpUpdate.updateSpiffs(http) == HTTP_UPDATE_NO_UPDATES);
    CHECK(strstr(client.request, "x-ESP32-mode: spiffs\r\nA: 1\r\n") != nullptr);
    http.end();
    CHECK(httpUpdate.updateSpiffs(http) == HTTP_UPDATE_FAILED && lastError == -4);
    end();
}

void test_every_answer()
{
    static const struct {
        const char *name;
        const char *head;
        const uint8_t *body;
        uint32_t size;
        int error;
        const char *text;
    } cases[] = {
        {"401", "HTTP/1.1 401 x\r\n\r\n", nullptr, 0, -104, "Wrong HTTP Code"},
        {"403", "HTTP/1.1 403 x\r\n\r\n", nullptr, 0, -103, "Forbidden (403)"},
        {"404", "HTTP/1.1 404 x\r\n\r\n", nullptr, 0, -102, "File Not Found (404)"},
        {"500", "HTTP/1.1 500 x\r\n\r\n", nullptr, 0, -104, "Wrong HTTP Code"},
        {"no size", "HTTP/1.1 200 OK\r\n\r\n", large, 99, -101, "Server Did Not Report Size"},
        {"too large", "HTTP/1.1 200 OK\r\nContent-Length: 327681\r\n\r\n", large, 99, -100,
         "Not Enough space"},
        {"digest", "HTTP/1.1 200 OK\r\nContent-Length: 99\r\nx-MD5: 1\r\n\r\n", large, 99, -105,
         "Wrong MD5"},
        {"gzip", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n\x1F\x8B\x08", large, 1, -106,
         "Verify Bin Header Failed"},
        {"cut", "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", large, 50, 6,
         "Update error: Stream Read Timeout"},
        {"no image", "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n", large, 5000, 9,
         "Update error: Could Not Activate The Firmware"},
        {"coding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", nullptr, 0, -9,
         "HTTP error: Transfer-Encoding not supported"},
        {"no server", nullptr, nullptr, 0, -1, "HTTP error: connection failed"},
    };

    for (const auto &one : cases) {
        begin();
        const ScriptAnswer answer[] = {{one.head, one.body, one.size, false}};
        client.follow(answer, 1);
        CHECK_THAT(one.name, httpUpdate.update(client, "http://h/") == HTTP_UPDATE_FAILED);
        CHECK_THAT(one.name, httpUpdate.getLastError() == one.error && lastError == one.error);
        CHECK_THAT(one.name, httpUpdate.getLastErrorString() == one.text && restarts == 0);
        CHECK_THAT(one.name, esp_ota_get_boot_partition() == &table[SLOT_0]);
        end();
    }
    begin(); /* the digest of what came, and not of what is there */
    char head[128];
    snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %u\r\nx-MD5: %s\r\n\r\n",
             imageSize, md5Hex);
    for (char *c = strstr(head, "MD5: ") + 5; *c != '\r'; c++) {
        *c = *c >= 'a' && *c <= 'z' ? static_cast<char>(*c - 'a' + 'A') : *c;
    }
    const ScriptAnswer good[] = {{head, image, imageSize, false}};
    image[100] ^= 1;
    client.follow(good, 1);
    CHECK(httpUpdate.update(client, "http://h/") == HTTP_UPDATE_FAILED && lastError == 7);
    CHECK(httpUpdate.getLastErrorString() == "Update error: MD5 Check Failed");
    image[100] ^= 1;
    events[0] = '\0';
    client.follow(good, 1);
    CHECK(httpUpdate.update(client, "http://h/") == HTTP_UPDATE_OK && restarts == 1);
    CHECK(strcmp(events, "S0p1E") == 0 || strcmp(events, "S01E") == 0);
    CHECK(esp_ota_get_boot_partition() == &table[SLOT_1]);
    client.follow(good, 1);
    CHECK(httpUpdate.updateSpiffs(client, "http://h/") == HTTP_UPDATE_OK && restarts == 1);
    end();
}

} // namespace

int main()
{
    CHECK_RUN(test_a_good_update_is_selected);
    CHECK_RUN(test_what_is_erased);
    CHECK_RUN(test_begin_checks_in_order);
    CHECK_RUN(test_what_is_refused);
    CHECK_RUN(test_faults_of_the_flash);
    CHECK_RUN(test_streams);
    CHECK_RUN(test_a_chip_without_another_slot);
    CHECK_RUN(test_the_request_is_the_originals);
    CHECK_RUN(test_requests_with_the_sketchs_own_fields);
    CHECK_RUN(test_every_answer);
    check_end();
}
