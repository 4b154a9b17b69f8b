#include "HTTPUpdate.h"

HTTPUpdate httpUpdate;

static const esp_partition_t *fileSystem()
{
    return esp_partition_find_first(ESP_PARTITION_TYPE_DATA, ESP_PARTITION_SUBTYPE_DATA_SPIFFS,
                                    nullptr);
}

static uint32_t roomOf(const esp_partition_t *partition)
{
    return partition != nullptr ? partition->size : 0;
}

/* MD5 of the sketch as it lies in flash. */
static void addSketchMd5(struct upd_text *text)
{
    const esp_partition_t *const running = esp_ota_get_running_partition();
    uint8_t digest[UPD_MD5_SIZE];
    char hex[updMd5Text];
    uint8_t piece[128];
    struct upd_md5 md5;

    upd_md5_init(&md5);
    for (uint32_t at = 0; at < updArduino.sketch_size; at += 128) {
        const uint32_t left = updArduino.sketch_size - at;
        const uint32_t now = left < 128 ? left : 128;
        if (esp_partition_read(running, at, piece, now) != ESP_OK) {
            break;
        }
        upd_md5_update(&md5, piece, now);
    }
    upd_md5_final(&md5, digest);
    updMd5Hex(digest, hex);
    upd_text_add(text, hex);
}

bool HTTPUpdate::line(uint32_t index, struct upd_text *text, bool moved)
{
    enum {
        REQUEST,
        HOST,
        AGENT,
        CONNECTION,
        AUTHORIZATION,
        CACHE,
        STA_MAC,
        AP_MAC,
        FREE_SPACE,
        SKETCH_SIZE,
        SKETCH_MD5,
        SKETCH_SHA256,
        CHIP_SIZE,
        SDK_VERSION,
        MODE,
        VERSION,
        LINES
    };
    static const char *const names[] = {"GET ",
                                        "Host: ",
                                        "User-Agent: ESP32-http-Update",
                                        "Connection: close",
                                        "Authorization: Basic ",
                                        "Cache-Control: no-cache",
                                        "x-ESP32-STA-MAC: ",
                                        "x-ESP32-AP-MAC: ",
                                        "x-ESP32-free-space: ",
                                        "x-ESP32-sketch-size: ",
                                        "x-ESP32-sketch-md5: ",
                                        "x-ESP32-sketch-sha256: ",
                                        "x-ESP32-chip-size: ",
                                        "x-ESP32-sdk-version: ",
                                        "x-ESP32-mode: ",
                                        "x-ESP32-version: "};

    if (index >= AUTHORIZATION && _authorization.isEmpty()) {
        index++;
    }
    if (index >= SKETCH_SHA256 && updArduino.sketch_sha256 == nullptr) {
        index++;
    }
    if (index >= LINES || (index > AUTHORIZATION && moved) ||
        (index == VERSION && _version.isEmpty())) {
        return false;
    }
    upd_text_add(text, names[index]);
    switch (index) {
    case REQUEST:
        upd_exchange_path(&_exchange, text);
        upd_text_add(text, " HTTP/1.0");
        break;
    case HOST:
        upd_exchange_host(&_exchange, text);
        break;
    case AUTHORIZATION:
        updAddString(text, _authorization);
        break;
    case STA_MAC:
        updAddMac(text, updArduino.sta_mac);
        break;
    case AP_MAC:
        updAddMac(text, updArduino.ap_mac);
        break;
    case FREE_SPACE:
        upd_text_decimal(text, roomOf(esp_ota_get_next_update_partition(nullptr)));
        break;
    case SKETCH_SIZE:
        upd_text_decimal(text, updArduino.sketch_size);
        break;
    case SKETCH_MD5:
        addSketchMd5(text);
        break;
    case SKETCH_SHA256:
        for (uint32_t i = 0; i < UPD_SHA256_SIZE; i++) {
            const char pair[] = {"0123456789ABCDEF"[updArduino.sketch_sha256[i] >> 4],
                                 "0123456789ABCDEF"[updArduino.sketch_sha256[i] & 15]};
            upd_text_bytes(text, pair, sizeof pair);
        }
        break;
    case CHIP_SIZE:
        upd_text_decimal(text, updArduino.flash_size);
        break;
    case SDK_VERSION:
        upd_text_add(text, updArduino.sdk_version);
        break;
    case MODE:
        upd_text_add(text, _mode);
        break;
    case VERSION:
        updAddString(text, _version);
        break;
    default:
        break;
    }
    return true;
}

t_httpUpdate_return HTTPUpdate::install(uint32_t size, bool is_fs)
{
    const esp_partition_t *const target =
        is_fs ? fileSystem() : esp_ota_get_next_update_partition(nullptr);
    Content content(_exchange);
    uint8_t head[4] = {};

    if (target == nullptr) {
        return failed(HTTP_UE_NO_PARTITION);
    }
    if (size > target->size) {
        return failed(HTTP_UE_TOO_LESS_SPACE);
    }
    _onStart();
    delay(100);
    if (!is_fs && (peekContent(head, sizeof head) < sizeof head || head[0] != 0xE9)) {
        return failed(HTTP_UE_BIN_VERIFY_HEADER_FAILED);
    }
    Update.onProgress([this](size_t done, size_t all) {
        _onProgress(static_cast<int>(done), static_cast<int>(all));
    });
    if (!Update.begin(size, is_fs ? U_SPIFFS : U_FLASH, _ledPin, _ledOn)) {
        return failed(Update.getError());
    }
    const String &md5 = _md5.isEmpty() ? _serverMd5 : _md5;
    if (!md5.isEmpty() && !Update.setMD5(md5.c_str())) {
        Update.abort();
        return failed(HTTP_UE_SERVER_FAULTY_MD5);
    }
    if (Update.writeStream(content) != size || !Update.end()) {
        return failed(Update.getError());
    }
    hangUp();
    _onEnd();
    if (_reboots && !is_fs) {
        updArduino.restart(updArduino.ctx);
    }
    return HTTP_UPDATE_OK;
}

static int errorOfStatus(int status)
{
    switch (status) {
    case 403:
        return HTTP_UE_SERVER_FORBIDDEN;
    case 404:
        return HTTP_UE_SERVER_FILE_NOT_FOUND;
    default:
        return status < 0 ? status : HTTP_UE_SERVER_WRONG_HTTP_CODE;
    }
}

t_httpUpdate_return HTTPUpdate::run(Client &client, const String &url, const String &version,
                                    bool is_fs)
{
    _version = version;
    _mode = is_fs ? "spiffs" : "sketch";
    const int status = ask(client, url);
    if (status == 304) {
        hangUp();
        return HTTP_UPDATE_NO_UPDATES;
    }
    if (status != 200) {
        return failed(errorOfStatus(status));
    }
    if (contentLength() == 0) {
        return failed(HTTP_UE_SERVER_NOT_REPORT_SIZE);
    }
    return install(contentLength(), is_fs);
}

t_httpUpdate_return HTTPUpdate::run(HTTPClient &http, const String &version, bool is_fs,
                                    HTTPUpdateRequestCB request)
{
    if (http.client() == nullptr) {
        return failed(HTTPC_ERROR_NOT_CONNECTED);
    }
    request(&http);
    askWith(http);
    return run(*http.client(), http.url(), version, is_fs);
}

t_httpUpdate_return HTTPUpdate::update(Client &client, const String &url, const String &version,
                                       HTTPUpdateRequestCB request)
{
    HTTPClient http;

    (void)http.begin(client, url); /* whether it is a URL, the request tells */
    return run(http, version, false, request);
}

t_httpUpdate_return HTTPUpdate::update(Client &client, const String &host, uint16_t port,
                                       const String &uri, const String &version,
                                       HTTPUpdateRequestCB request)
{
    HTTPClient http;

    (void)http.begin(client, host, port, uri);
    return run(http, version, false, request);
}

t_httpUpdate_return HTTPUpdate::update(HTTPClient &http, const String &version,
                                       HTTPUpdateRequestCB request)
{
    return run(http, version, false, request);
}

t_httpUpdate_return HTTPUpdate::updateSpiffs(Client &client, const String &url,
                                             const String &version, HTTPUpdateRequestCB request)
{
    HTTPClient http;

    (void)http.begin(client, url);
    return run(http, version, true, request);
}

t_httpUpdate_return HTTPUpdate::updateSpiffs(HTTPClient &http, const String &version,
                                             HTTPUpdateRequestCB request)
{
    return run(http, version, true, request);
}

String HTTPUpdate::getLastErrorString() const
{
    if (_lastError > 0) {
        return String("Update error: ") + Update.errorString();
    }
    switch (_lastError) {
    case HTTP_UE_TOO_LESS_SPACE:
        return "Not Enough space";
    case HTTP_UE_SERVER_NOT_REPORT_SIZE:
        return "Server Did Not Report Size";
    case HTTP_UE_SERVER_FILE_NOT_FOUND:
        return "File Not Found (404)";
    case HTTP_UE_SERVER_FORBIDDEN:
        return "Forbidden (403)";
    case HTTP_UE_SERVER_WRONG_HTTP_CODE:
        return "Wrong HTTP Code";
    case HTTP_UE_SERVER_FAULTY_MD5:
        return "Wrong MD5";
    case HTTP_UE_BIN_VERIFY_HEADER_FAILED:
        return "Verify Bin Header Failed";
    case HTTP_UE_BIN_FOR_WRONG_FLASH:
        return "New Binary Does Not Fit Flash Size";
    case HTTP_UE_NO_PARTITION:
        return "Partition Could Not be Found";
    default:
        break;
    }
    return _lastError > HTTP_UE_TOO_LESS_SPACE && _lastError < 0
               ? String("HTTP error: ") + updHttpErrorToString(_lastError)
               : String("");
}
