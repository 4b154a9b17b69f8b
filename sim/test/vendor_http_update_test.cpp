/*
 * Goal: ESPhttpUpdate of the Arduino core for the ESP8266 sends byte by byte what the original was
 * seen to send, and makes of each answer the value, the error and the text that the original makes
 * of it. Method: a server by script at the other end of a Client; the simulated flash below.
 */
#include <ESP8266httpUpdate.h>
#include <Esp.h>

#include <cstdio>

#include "script_client.h"

namespace
{

constexpr uint32_t imageSize = 200000;
constexpr uint32_t sketchSize = 400000;

struct sim_flash sim;
ScriptClient client;
uint32_t now;
uint32_t commands, restarts, closes;
struct upd_eboot_command command;
uint8_t buffer[4096];
char http[1024];
uint8_t image[imageSize];
char md5Hex[updMd5Text];
char goodHead[256];
char events[64]; /* of the callbacks, in their order: S, p, E, or the error */
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

void rtcWrite(void *, const uint8_t block[UPD_EBOOT_COMMAND_SIZE])
{
    commands++;
    CHECK(upd_eboot_parse(block, &command) == UPD_OK);
}

UpdArduinoConfig board()
{
    UpdArduinoConfig config = {};
    static const uint8_t sta[] = {0xDE, 0xBA, 0x7A, 0xEE, 0x12, 0x37};
    static const uint8_t ap[] = {0xDE, 0xBA, 0x7A, 0xB1, 0xE0, 0x42};

    config.flash = &sim.flash;
    config.buffer = buffer;
    config.buffer_size = sizeof buffer;
    config.http = http;
    config.http_size = sizeof http;
    config.sketch_size = sketchSize;
    config.flash_size = 4 << 20;
    config.fs_start = 0x2F2000;
    config.fs_end = 0x3FA000;
    config.sdk_version = "2.5.0";
    memcpy(config.sta_mac, sta, sizeof sta);
    memcpy(config.ap_mac, ap, sizeof ap);
    config.rtc_write = rtcWrite;
    config.restart = [](void *) { restarts++; };
    config.close_others = [](void *) { closes++; };
    return config;
}

void begin()
{
    static const uint8_t head[] = {0xE9, 1, 2, 0x40};
    uint8_t digest[UPD_MD5_SIZE];
    struct upd_md5 md5;

    sim_flash_init(&sim, &sim_flash_4m, 1);
    sim_flash_load(&sim, 0, head, sizeof head);
    for (uint32_t i = 0; i < imageSize; i++) {
        image[i] = static_cast<uint8_t>(i * 7 + i / 256);
    }
    memcpy(image, head, sizeof head);
    upd_md5_init(&md5);
    upd_md5_update(&md5, image, imageSize);
    upd_md5_final(&md5, digest);
    updMd5Hex(digest, md5Hex);
    snprintf(goodHead, sizeof goodHead,
             "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: %u\r\n"
             "X-MD5: %s\r\nConnection: close\r\n\r\n",
             imageSize, md5Hex);
    updHost = {};
    updHost.millis = hostMillis;
    updHost.delay = hostDelay;
    now = commands = restarts = closes = 0;
    events[0] = '\0';
    lastError = 0;
    updArduinoBegin(board());
    Update = UpdaterClass();
    ESPhttpUpdate = ESP8266HTTPUpdate();
    ESPhttpUpdate.onStart([]() { happened("S"); });
    ESPhttpUpdate.onEnd([]() { happened("E"); });
    ESPhttpUpdate.onProgress([](int done, int all) {
        CHECK(done <= all && all == static_cast<int>(imageSize));
        happened(done == 0 ? "0" : done == all ? "1" : "p");
    });
    ESPhttpUpdate.onError([](int error) {
        lastError = error;
        happened("!");
    });
}

void end()
{
    sim_flash_free(&sim);
}

const char clockUrl[] =
    "http://otadrive.com/DeviceApi/update?&s=15602487&_FirmwareInfo&k=KEY&v=2.0.0&"
    "FirmwareInfo_&";

/* The request of the clock, as it was seen on the wire, but for the digest of an empty flash. */
void test_the_request_is_the_originals()
{
    static const ScriptAnswer none[] = {{"HTTP/1.1 304 Not Modified\r\n\r\n", nullptr, 0, false}};
    static const char first[] =
        "GET /DeviceApi/update?&s=15602487&_FirmwareInfo&k=KEY&v=2.0.0&FirmwareInfo_& HTTP/1.0\r\n"
        "Host: otadrive.com\r\n"
        "User-Agent: ESP8266-http-Update\r\n"
        "Authorization: Basic dXNlcjpwYXNz\r\n"
        "Connection: close\r\n"
        "x-ESP8266-Chip-ID: 15602231\r\n"
        "x-ESP8266-STA-MAC: DE:BA:7A:EE:12:37\r\n"
        "x-ESP8266-AP-MAC: DE:BA:7A:B1:E0:42\r\n"
        "x-ESP8266-free-space: 2686976\r\n"
        "x-ESP8266-sketch-size: 400000\r\n"
        "x-ESP8266-sketch-md5: ";
    static const char last[] = "\r\n"
                               "x-ESP8266-chip-size: 4194304\r\n"
                               "x-ESP8266-sdk-version: 2.5.0\r\n"
                               "x-ESP8266-mode: sketch\r\n"
                               "x-ESP8266-version: 2.0.0\r\n"
                               "Content-Length: 0\r\n"
                               "\r\n";

    begin();
    client.follow(none, 1);
    ESPhttpUpdate.setAuthorization("user", "pass");
    CHECK(ESPhttpUpdate.update(client, clockUrl, "2.0.0") == HTTP_UPDATE_NO_UPDATES);
    CHECK(strcmp(client.lastHost, "otadrive.com") == 0 && client.lastPort == 80);
    CHECK(strncmp(client.request, first, strlen(first)) == 0);
    const size_t digest = strlen(first) + 32;
    CHECK(client.requestSize == digest + strlen(last) &&
          strcmp(client.request + digest, last) == 0);
    CHECK(ESPhttpUpdate.getLastError() == 0 && ESPhttpUpdate.getLastErrorString() == "");
    CHECK(restarts == 0 && commands == 0 && strcmp(events, "") == 0);

    /* The other ways to say it, and what they leave out. */
    client.follow(none, 1);
    ESPhttpUpdate = ESP8266HTTPUpdate();
    CHECK(ESPhttpUpdate.update(client, "host.example", 8080, "/x") == HTTP_UPDATE_NO_UPDATES);
    CHECK(strstr(client.request, "GET /x HTTP/1.0\r\nHost: host.example:8080\r\n") ==
          client.request);
    CHECK(strstr(client.request, "Authorization") == nullptr);
    CHECK(strstr(client.request, "x-ESP8266-version") == nullptr);
    CHECK(strstr(client.request, "mode: sketch\r\nContent-Length: 0\r\n\r\n") != nullptr);
    client.follow(none, 1);
    CHECK(ESPhttpUpdate.updateFS(client, "http://user:pass@h/fs", "1") == HTTP_UPDATE_NO_UPDATES);
    CHECK(strstr(client.request, "GET /fs HTTP/1.0\r\nHost: h\r\n") == client.request);
    CHECK(strstr(client.request, "\r\nAuthorization: Basic dXNlcjpwYXNz\r\nConnection") != nullptr);
    CHECK(strstr(client.request, "x-ESP8266-mode: spiffs\r\nx-ESP8266-version: 1\r\n") != nullptr);
    client.follow(none, 1);
    ESPhttpUpdate.setAuthorization("Zm9v");
    CHECK(ESPhttpUpdate.updateSpiffs(client, "https://h/a@b") == HTTP_UPDATE_NO_UPDATES);
    CHECK(strstr(client.request, "GET /a@b HTTP/1.0\r\nHost: h\r\n") == client.request);
    CHECK(strstr(client.request, "Basic Zm9v\r\n") != nullptr && client.lastPort == 443);
    end();
}

void test_a_client_of_the_sketchs_own()
{
    static const ScriptAnswer none[] = {{"HTTP/1.1 304 Not Modified\r\n\r\n", nullptr, 0, false}};
    static const ScriptAnswer moved[] = {
        {"HTTP/1.1 302 Found\r\nLocation: /new\r\n\r\n", nullptr, 0, false},
        {"HTTP/1.1 304 Not Modified\r\n\r\n", nullptr, 0, false}};
    HTTPClient own;

    begin();
    CHECK(ESPhttpUpdate.update(own, "1") == HTTP_UPDATE_FAILED && lastError == -4);
    CHECK(own.begin(client, "host.example", 8080, "/x"));
    own.addHeader("X-Token", "abc");
    own.addHeader("Host", "other");
    own.setAuthorization("Zm9v");
    client.follow(none, 1);
    CHECK(ESPhttpUpdate.update(own, "1") == HTTP_UPDATE_NO_UPDATES);
    CHECK(strstr(client.request, "GET /x HTTP/1.0\r\nHost: host.example:8080\r\n") ==
          client.request);
    CHECK(strstr(client.request, "Authorization: Basic Zm9v\r\n") != nullptr);
    CHECK(strstr(client.request, "Content-Length: 0\r\nX-Token: abc\r\n\r\n") != nullptr);
    CHECK(strstr(client.request, "other") == nullptr);
    client.follow(none, 1);
    CHECK(ESPhttpUpdate.updateFS(own) == HTTP_UPDATE_NO_UPDATES);
    CHECK(strstr(client.request, "x-ESP8266-mode: spiffs\r\n") != nullptr);
    client.follow(none, 1);
    CHECK(ESPhttpUpdate.updateSpiffs(own, "2") == HTTP_UPDATE_NO_UPDATES);
    CHECK(strstr(client.request, "x-ESP8266-version: 2\r\n") != nullptr);
    /* Fields are for one server: a redirect does not get them. */
    ESPhttpUpdate.setFollowRedirects(HTTPC_STRICT_FOLLOW_REDIRECTS);
    client.follow(moved, 2);
    CHECK(ESPhttpUpdate.update(own, "2") == HTTP_UPDATE_NO_UPDATES);
    CHECK(strstr(client.request, "GET /new ") != nullptr);
    CHECK(strstr(client.request, "X-Token") == nullptr);
    /* And nothing is kept. */
    client.follow(none, 1);
    CHECK(ESPhttpUpdate.update(client, "http://h/", "2") == HTTP_UPDATE_NO_UPDATES);
    CHECK(strstr(client.request, "X-Token") == nullptr);
    end();
}

/* A sketch as people write it, with key and version in one literal that the image holds too. */
#define ProductKey "0123456789abcdef"
#define Version "2.0.0"
#define MakeFirmwareInfo(k, v) "&_FirmwareInfo&k=" k "&v=" v "&FirmwareInfo_&"

void test_a_sketch_for_otadrive()
{
    static const ScriptAnswer none[] = {{"HTTP/1.1 304 Not Modified\r\n\r\n", nullptr, 0, false}};

    begin();
    client.follow(none, 1);
    String url = "http://otadrive.com/deviceapi/update?";
    url += "&s=" + String(ESP.getChipId());
    url += MakeFirmwareInfo(ProductKey, Version);
    const t_httpUpdate_return result = ESPhttpUpdate.update(client, url, Version);
    CHECK(result == HTTP_UPDATE_NO_UPDATES && result == 1 && HTTP_UPDATE_FAILED == 0);
    CHECK(strstr(client.request,
                 "GET /deviceapi/update?&s=15602231&_FirmwareInfo&k=0123456789abcdef&v=2.0.0&"
                 "FirmwareInfo_& HTTP/1.0\r\n") == client.request);
    end();
}

void test_an_update_is_staged_and_the_chip_restarts()
{
    begin();
    const ScriptAnswer good[] = {{goodHead, image, imageSize, false}};
    client.follow(good, 1);
    CHECK(ESPhttpUpdate.update(client, clockUrl, "1.2.0") == HTTP_UPDATE_OK);
    CHECK(restarts == 1 && commands == 1 && command.size == imageSize && closes == 1);
    CHECK(command.source == 0x2F2000 - 0x31000 && command.target == 0);
    CHECK(strcmp(events, "S0p1E") == 0 && ESPhttpUpdate.getLastError() == 0);

    ESPhttpUpdate.rebootOnUpdate(false);
    ESPhttpUpdate.closeConnectionsOnUpdate(false);
    ESPhttpUpdate.setMD5sum(md5Hex);
    client.follow(good, 1);
    CHECK(ESPhttpUpdate.update(client, clockUrl) == HTTP_UPDATE_OK);
    CHECK(restarts == 1 && commands == 2 && closes == 1);

    /* The sketch's own digest is worth more than the server's. */
    ESPhttpUpdate.setMD5sum("00000000000000000000000000000000");
    client.follow(good, 1);
    CHECK(ESPhttpUpdate.update(client, clockUrl) == HTTP_UPDATE_FAILED && lastError == 7);

    ESPhttpUpdate = ESP8266HTTPUpdate();
    client.follow(good, 1);
    CHECK(ESPhttpUpdate.updateFS(client, clockUrl) == HTTP_UPDATE_OK);
    CHECK(restarts == 1 && commands == 2); /* a file system in place: nothing to copy */
    end();
}

/* The LED shines while bytes are read, and not while they are written. */
void test_led()
{
    static uint32_t turns;
    static int level;

    begin();
    turns = 0;
    updHost.set_pin = [](void *, int pin, int to) {
        CHECK(pin == 2);
        turns += level != to;
        level = to;
    };
    level = HIGH;
    const ScriptAnswer good[] = {{goodHead, image, imageSize, false}};
    client.follow(good, 1);
    ESPhttpUpdate.setLedPin(2, LOW);
    CHECK(ESPhttpUpdate.update(client, clockUrl) == HTTP_UPDATE_OK);
    CHECK(turns >= 2 * imageSize / 4096 && level == HIGH);
    end();
}

struct Row {
    const char *name;
    const char *head;
    uint32_t size; /* bytes of the image that follow */
    int error;
    const char *text;
};

#define SIZED "HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n"
#define STATUS(status) "HTTP/1.1 " status "\r\nContent-Length: 0\r\n\r\n"

const Row rows[] = {
    {"401", STATUS("401 Unauthorized"), 0, -108, "Unauthorized (401)"},
    {"403", STATUS("403 Forbidden"), 0, -103, "Forbidden (403)"},
    {"404", STATUS("404 Not Found"), 0, -102, "File Not Found (404)"},
    {"204", "HTTP/1.1 204 No Content\r\n\r\n", 0, -104, "Wrong HTTP Code"},
    {"206", "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-9/10\r\n\r\n", 0, -104,
     "Wrong HTTP Code"},
    {"302", "HTTP/1.1 302 Found\r\nLocation: /x\r\n\r\n", 0, -104, "Wrong HTTP Code"},
    {"429", STATUS("429 Too Many Requests"), 0, -104, "Wrong HTTP Code"},
    {"500", STATUS("500 Internal Server Error"), 0, -104, "Wrong HTTP Code"},
    {"503", STATUS("503 Service Unavailable"), 0, -104, "Wrong HTTP Code"},
    {"no length", "HTTP/1.1 200 OK\r\n\r\n", imageSize, -101, "Server Did Not Report Size"},
    {"length 0", STATUS("200 OK"), 0, -101, "Server Did Not Report Size"},
    {"two lengths", SIZED "Content-Length: 5\r\n\r\n", 0, -101, "Server Did Not Report Size"},
    {"a length that is none", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", 0, -101,
     "Server Did Not Report Size"},
    {"chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 0, -101,
     "Server Did Not Report Size"},
    {"other coding", SIZED "Transfer-Encoding: gzip\r\n\r\n", 0, -9,
     "HTTP error: Transfer-Encoding not supported"},
    {"too large", "HTTP/1.1 200 OK\r\nContent-Length: 2686977\r\n\r\n", 0, -100,
     "Not Enough space"},
    {"short digest", SIZED "x-MD5: 123\r\n\r\n", imageSize, -105, "Wrong MD5"},
    {"digest stated twice",
     SIZED
     "x-MD5: 00000000000000000000000000000000\r\nx-MD5: 00000000000000000000000000000000\r\n\r\n",
     imageSize, -105, "Wrong MD5"},
    {"nothing behind the head", SIZED "\r\n", 0, -106, "Verify Bin Header Failed"},
    {"cut", SIZED "\r\n", 100000, 6, "Update error: ERROR[6]: Stream Read Timeout"},
    {"no connection", nullptr, 0, -1, "HTTP error: connection failed"},
    {"no answer", "", 0, -5, "HTTP error: connection lost"},
    {"half a head", "HTTP/1.1 200 OK\r\nCont", 0, -5, "HTTP error: connection lost"},
    {"a length beside chunks", SIZED "Transfer-Encoding: chunked\r\n\r\n", 0, -101,
     "Server Did Not Report Size"},
    {"a coding of the content", SIZED "Content-Encoding: gzip\r\n\r\n", 0, -9,
     "HTTP error: Transfer-Encoding not supported"},
    {"line feeds alone", "HTTP/1.1 200 OK\nContent-Length: 200000\n\n", 0, -7,
     "HTTP error: no HTTP server"},
    {"not HTTP", "SSH-2.0-x\r\n\r\n", 0, -7, "HTTP error: no HTTP server"},
};

void test_every_answer()
{
    for (const Row &row : rows) {
        begin();
        const ScriptAnswer answer[] = {{row.head, image, row.size, false}};
        client.follow(answer, 1);
        CHECK_THAT(row.name, ESPhttpUpdate.update(client, clockUrl, "1") == HTTP_UPDATE_FAILED);
        if (ESPhttpUpdate.getLastError() != row.error ||
            ESPhttpUpdate.getLastErrorString() != row.text) {
            printf("got %d %s\n", ESPhttpUpdate.getLastError(),
                   ESPhttpUpdate.getLastErrorString().c_str());
            CHECK_THAT(row.name, false);
        }
        CHECK_THAT(row.name, lastError == row.error && events[strlen(events) - 1] == '!');
        CHECK_THAT(row.name, commands == 0 && restarts == 0);
        /* Nothing is remembered: the next one may be good. */
        const ScriptAnswer good[] = {{goodHead, image, imageSize, false}};
        client.follow(good, 1);
        CHECK_THAT(row.name, ESPhttpUpdate.update(client, clockUrl, "1") == HTTP_UPDATE_OK);
        end();
    }
}

void expect(const char *name, const ScriptAnswer *answers, int error, const char *text)
{
    client.follow(answers, 1);
    CHECK_THAT(name, ESPhttpUpdate.update(client, clockUrl, "1") == HTTP_UPDATE_FAILED);
    CHECK_THAT(name, ESPhttpUpdate.getLastError() == error);
    CHECK_THAT(name, ESPhttpUpdate.getLastErrorString() == text);
    CHECK_THAT(name, commands == 0);
}

/* What is wrong with the bytes, or with the device. */
void test_the_content()
{
    begin();
    const ScriptAnswer plain[] = {{SIZED "\r\n", image, imageSize, false}};
    const ScriptAnswer summed[] = {{goodHead, image, imageSize, false}};
    image[0] = 'x';
    expect("magic", plain, -106, "Verify Bin Header Failed");
    image[0] = 0xE9;
    image[3] = 0x90;
    expect("flash", plain, -107, "New Binary Does Not Fit Flash Size");
    image[3] = 0x40;
    image[1000] ^= 1;
    String text = "Update error: ERROR[7]: MD5 verification failed: expected: ";
    text += md5Hex;
    client.follow(summed, 1);
    CHECK(ESPhttpUpdate.update(client, clockUrl, "1") == HTTP_UPDATE_FAILED);
    CHECK(ESPhttpUpdate.getLastError() == 7);
    CHECK(ESPhttpUpdate.getLastErrorString().startsWith(text + ", calculated: "));
    image[1000] ^= 1;

    UpdArduinoConfig config = board();
    config.buffer = nullptr;
    updArduinoBegin(config);
    expect("memory", plain, 14, "Update error: ERROR[14]: Out of memory");
    config = board();
    config.boot_mode = 1;
    updArduinoBegin(config);
    expect("boot mode", plain, 11,
           "Update error: ERROR[11]: Invalid bootstrapping state, reset ESP8266 before updating");
    config = board();
    config.finds_size = true;
    updArduinoBegin(config);
    image[3] = 0x90;
    client.follow(plain, 1);
    CHECK(ESPhttpUpdate.update(client, clockUrl, "1") == HTTP_UPDATE_OK);
    updArduinoBegin(board());
    image[0] = 0x1F; /* what is compressed is not looked into */
    image[1] = 0x8B;
    client.follow(plain, 1);
    CHECK(ESPhttpUpdate.update(client, clockUrl, "1") == HTTP_UPDATE_OK && commands == 2);
    end();
}

/* A connection that ends anywhere: nothing is handed to eboot. */
void test_every_cut()
{
    begin();
    const size_t head = strlen(goodHead);
    static char part[sizeof goodHead];
    for (size_t at = 0; at < head + 20000; at += at < head + 20 ? 1 : 1777) {
        const size_t of_head = at < head ? at : head;
        memcpy(part, goodHead, of_head);
        part[of_head] = '\0';
        const ScriptAnswer answer[] = {{part, image, at - of_head, false}};
        client.follow(answer, 1);
        CHECK(ESPhttpUpdate.update(client, clockUrl, "1") == HTTP_UPDATE_FAILED && commands == 0);
        CHECK(ESPhttpUpdate.getLastError() == (at < head ? -5 : at < head + 4 ? -106 : 6));
    }
    end();
}

/* A server that falls silent costs the time-out, or the minute of the updater. */
void test_silence()
{
    static const ScriptAnswer silent[] = {{"", nullptr, 0, true}};

    begin();
    expect("silent", silent, -11, "HTTP error: read Timeout");
    CHECK(now >= 8000 && now < 9000);
    ESPhttpUpdate.setClientTimeout(1000);
    now = 0;
    expect("silent", silent, -11, "HTTP error: read Timeout");
    CHECK(now >= 1000 && now < 2000);
    const ScriptAnswer stalls[] = {{SIZED "\r\n", image, 100000, true}};
    now = 0;
    expect("stalls", stalls, 6, "Update error: ERROR[6]: Stream Read Timeout");
    CHECK(now > 60000 && now < 75000);
    end();
}

void test_redirects()
{
    static const struct {
        const char *name;
        const char *status;
        const char *location;
        followRedirects_t mode;
        const char *host; /* that is asked then; nullptr: nobody */
        const char *path;
    } cases[] = {
        {"301", "301", "/x", HTTPC_STRICT_FOLLOW_REDIRECTS, "otadrive.com", "/x"},
        {"302", "302", "http://b.example:81/y", HTTPC_STRICT_FOLLOW_REDIRECTS, "b.example", "/y"},
        {"303", "303", "/x", HTTPC_FORCE_FOLLOW_REDIRECTS, "otadrive.com", "/x"},
        {"307", "307", "/x", HTTPC_FORCE_FOLLOW_REDIRECTS, "otadrive.com", "/x"},
        {"308", "308", "/x", HTTPC_FORCE_FOLLOW_REDIRECTS, nullptr, nullptr},
        {"off", "302", "/x", HTTPC_DISABLE_FOLLOW_REDIRECTS, nullptr, nullptr},
        {"other scheme", "302", "https://otadrive.com/", HTTPC_FORCE_FOLLOW_REDIRECTS, nullptr,
         nullptr},
        {"relative", "302", "x", HTTPC_FORCE_FOLLOW_REDIRECTS, nullptr, nullptr},
    };

    for (const auto &row : cases) {
        char head[128];
        begin();
        snprintf(head, sizeof head, "HTTP/1.1 %s Moved\r\nLocation: %s\r\n\r\n", row.status,
                 row.location);
        const ScriptAnswer answers[] = {{head, nullptr, 0, false},
                                        {goodHead, image, imageSize, false}};
        client.follow(answers, 2);
        ESPhttpUpdate.setFollowRedirects(row.mode);
        const t_httpUpdate_return result = ESPhttpUpdate.update(client, clockUrl, "1");
        if (row.host == nullptr) {
            CHECK_THAT(row.name, result == HTTP_UPDATE_FAILED && client.connections == 1);
            CHECK_THAT(row.name, ESPhttpUpdate.getLastError() == -104);
        } else {
            char request[256];
            const char *const port = client.lastPort == 80 ? "" : ":81";
            snprintf(request, sizeof request,
                     "GET %s HTTP/1.0\r\nHost: %s%s\r\nUser-Agent: ESP8266-http-Update\r\n"
                     "Connection: close\r\nContent-Length: 0\r\n\r\n",
                     row.path, row.host, port);
            CHECK_THAT(row.name, result == HTTP_UPDATE_OK && client.connections == 2);
            CHECK_THAT(row.name, strcmp(client.request, request) == 0);
        }
        end();
    }

    begin(); /* ten, and no more */
    ScriptAnswer answers[12];
    for (auto &answer : answers) {
        answer = {"HTTP/1.1 302 Found\r\nLocation: /x\r\n\r\n", nullptr, 0, false};
    }
    client.follow(answers, 12);
    ESPhttpUpdate.followRedirects(true);
    CHECK(ESPhttpUpdate.update(client, clockUrl, "1") == HTTP_UPDATE_FAILED);
    CHECK(client.connections == 11 && ESPhttpUpdate.getLastError() == -104);
    answers[10] = {goodHead, image, imageSize, false};
    client.follow(answers, 12);
    CHECK(ESPhttpUpdate.update(client, clockUrl, "1") == HTTP_UPDATE_OK);
    end();
}

void test_available_version()
{
    static const ScriptAnswer yes[] = {
        {"HTTP/1.1 200 OK\r\nX-Version: 2.0.1\r\nContent-Length: 3\r\n\r\nabc", nullptr, 0, false}};
    static const ScriptAnswer untold[] = {{STATUS("200 OK"), nullptr, 0, false}};
    static const ScriptAnswer none[] = {{"HTTP/1.1 304 x\r\n\r\n", nullptr, 0, false}};
    String version;

    begin();
    client.follow(yes, 1);
    CHECK(ESPhttpUpdate.getAvailableVersion(client, "h", 80, "/x", "2.0.0", version));
    CHECK(version == "2.0.1");
    CHECK(strstr(client.request, "x-ESP8266-mode: version\r\nx-ESP8266-version: 2.0.0") != nullptr);
    client.follow(untold, 1);
    CHECK(!ESPhttpUpdate.getAvailableVersion(client, "h", 80, "/x", "2.0.0", version));
    CHECK(ESPhttpUpdate.getLastError() == -109 && ESPhttpUpdate.getLastErrorString() == "");
    client.follow(none, 1);
    CHECK(!ESPhttpUpdate.getAvailableVersion(client, "h", 80, "/x", "2.0.0", version));
    CHECK(ESPhttpUpdate.getLastError() == -104 && version == "2.0.1");
    end();
}

/* A URL or a field that there is no room for, and one that is none. */
void test_what_cannot_be_asked()
{
    static const ScriptAnswer none[] = {{"HTTP/1.1 304 x\r\n\r\n", nullptr, 0, false}};
    String url = "http://h/";

    begin();
    client.follow(none, 0);
    CHECK(ESPhttpUpdate.update(client, "ftp://h/x") == HTTP_UPDATE_FAILED);
    CHECK(ESPhttpUpdate.getLastError() == -1);
    CHECK(ESPhttpUpdate.update(client, "nonsense") == HTTP_UPDATE_FAILED);
    for (uint32_t i = 0; i < 600; i++) {
        url += "x";
    }
    CHECK(ESPhttpUpdate.update(client, url) == HTTP_UPDATE_FAILED);
    CHECK(ESPhttpUpdate.getLastError() == -1);
    client.follow(none, 1);
    CHECK(ESPhttpUpdate.update(client, "http://h/", url) == HTTP_UPDATE_FAILED);
    CHECK(ESPhttpUpdate.getLastError() == -2);
    CHECK(ESPhttpUpdate.getLastErrorString() == "HTTP error: send header failed");
    end();
}

void test_texts_of_the_client()
{
    static const char *const texts[] = {
        "",
        "connection failed",
        "send header failed",
        "send payload failed",
        "not connected",
        "connection lost",
        "no stream",
        "no HTTP server",
        "not enough ram",
        "Transfer-Encoding not supported",
        "Stream write error",
        "read Timeout",
        "",
    };

    for (int i = 0; i < 13; i++) {
        CHECK_THAT(texts[i], updHttpErrorToString(-i) == texts[i]);
    }
}

} // namespace

int main()
{
    CHECK_RUN(test_the_request_is_the_originals);
    CHECK_RUN(test_a_client_of_the_sketchs_own);
    CHECK_RUN(test_a_sketch_for_otadrive);
    CHECK_RUN(test_an_update_is_staged_and_the_chip_restarts);
    CHECK_RUN(test_led);
    CHECK_RUN(test_every_answer);
    CHECK_RUN(test_the_content);
    CHECK_RUN(test_every_cut);
    CHECK_RUN(test_silence);
    CHECK_RUN(test_redirects);
    CHECK_RUN(test_available_version);
    CHECK_RUN(test_what_cannot_be_asked);
    CHECK_RUN(test_texts_of_the_client);
    check_end();
}
