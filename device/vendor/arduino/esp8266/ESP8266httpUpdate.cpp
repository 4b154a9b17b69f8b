#include "ESP8266httpUpdate.h"

#include <cstring>

ESP8266HTTPUpdate ESPhttpUpdate;

static constexpr uint32_t sector = 4096;

static uint32_t freeSpace()
{
    const uint32_t used = (updArduino.sketch_size + sector - 1) & ~(sector - 1);

    return updArduino.fs_start > used ? updArduino.fs_start - used : 0;
}

/* MD5 of the sketch as it lies in flash. */
static void addSketchMd5(struct upd_text *text)
{
    const struct upd_flash *flash = updArduino.flash;
    uint8_t digest[UPD_MD5_SIZE];
    char hex[updMd5Text];
    uint8_t piece[128];
    struct upd_md5 md5;

    upd_md5_init(&md5);
    for (uint32_t at = 0; at < updArduino.sketch_size; at += 128) {
        const uint32_t left = updArduino.sketch_size - at;
        const uint32_t now = left < 128 ? left : 128;
        if (flash->read(flash->ctx, at, piece, now) != UPD_OK) {
            break;
        }
        upd_md5_update(&md5, piece, now);
    }
    upd_md5_final(&md5, digest);
    updMd5Hex(digest, hex);
    upd_text_add(text, hex);
}

/* The lines, in the order in which the original was seen to send them. */
bool ESP8266HTTPUpdate::line(uint32_t index, struct upd_text *text, bool moved)
{
    enum {
        REQUEST,
        HOST,
        AGENT,
        AUTHORIZATION,
        CONNECTION,
        CHIP_ID,
        STA_MAC,
        AP_MAC,
        FREE_SPACE,
        SKETCH_SIZE,
        SKETCH_MD5,
        CHIP_SIZE,
        SDK_VERSION,
        MODE,
        VERSION,
        LENGTH
    };
    static const char *const names[] = {"GET ",
                                        "Host: ",
                                        "User-Agent: ESP8266-http-Update",
                                        "Authorization: Basic ",
                                        "Connection: close",
                                        "x-ESP8266-Chip-ID: ",
                                        "x-ESP8266-STA-MAC: ",
                                        "x-ESP8266-AP-MAC: ",
                                        "x-ESP8266-free-space: ",
                                        "x-ESP8266-sketch-size: ",
                                        "x-ESP8266-sketch-md5: ",
                                        "x-ESP8266-chip-size: ",
                                        "x-ESP8266-sdk-version: ",
                                        "x-ESP8266-mode: ",
                                        "x-ESP8266-version: ",
                                        "Content-Length: 0"};
    const uint8_t *const mac = updArduino.sta_mac;

    if (index >= AUTHORIZATION && _authorization.isEmpty()) {
        index++;
    }
    if (index > CONNECTION && moved) {
        index += LENGTH - CHIP_ID; /* what says who asks is not for another place */
    } else if (index >= VERSION && _version.isEmpty()) {
        index++;
    }
    if (index > LENGTH) {
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
    case CHIP_ID:
        upd_text_decimal(text, mac[3] << 16 | mac[4] << 8 | mac[5]);
        break;
    case STA_MAC:
        updAddMac(text, mac);
        break;
    case AP_MAC:
        updAddMac(text, updArduino.ap_mac);
        break;
    case FREE_SPACE:
        upd_text_decimal(text, freeSpace());
        break;
    case SKETCH_SIZE:
        upd_text_decimal(text, updArduino.sketch_size);
        break;
    case SKETCH_MD5:
        addSketchMd5(text);
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

void ESP8266HTTPUpdate::heard(const char *name, const char *value)
{
    if (upd_http_same(name, "x-version")) {
        _available = value;
    }
    UpdHttpUpdate::heard(name, value);
}

static int errorOfStatus(int status)
{
    switch (status) {
    case 401:
        return HTTP_UE_SERVER_UNAUTHORIZED;
    case 403:
        return HTTP_UE_SERVER_FORBIDDEN;
    case 404:
        return HTTP_UE_SERVER_FILE_NOT_FOUND;
    default:
        return status < 0 ? status : HTTP_UE_SERVER_WRONG_HTTP_CODE;
    }
}

t_httpUpdate_return ESP8266HTTPUpdate::install(uint32_t size, bool is_fs)
{
    const uint32_t room = is_fs ? updArduino.fs_end - updArduino.fs_start : freeSpace();
    uint8_t head[4] = {};
    Content content(_exchange);

    if (size > room) {
        return failed(HTTP_UE_TOO_LESS_SPACE);
    }
    _onStart();
    if (_closes && updArduino.close_others != nullptr) {
        updArduino.close_others(updArduino.ctx);
    }
    delay(100);
    if (!is_fs) {
        const uint32_t got = peekContent(head, sizeof head);
        if (got < sizeof head || (head[0] != 0xE9 && head[0] != 0x1F)) {
            return failed(HTTP_UE_BIN_VERIFY_HEADER_FAILED);
        }
        if (head[0] == 0xE9 && !updArduino.finds_size &&
            updMagicFlashSize(head[3]) > updArduino.flash_size) {
            return failed(HTTP_UE_BIN_FOR_WRONG_FLASH);
        }
    }
    Update.onProgress([this](size_t done, size_t all) {
        _onProgress(static_cast<int>(done), static_cast<int>(all));
    });
    if (!Update.begin(size, is_fs ? U_FS : U_FLASH, _ledPin, _ledOn)) {
        return failed(Update.getError());
    }
    const String &md5 = _md5.isEmpty() ? _serverMd5 : _md5;
    if (!md5.isEmpty() && !Update.setMD5(md5.c_str())) {
        (void)Update.end();
        return failed(HTTP_UE_SERVER_FAULTY_MD5);
    }
    if (Update.writeStream(content) != size || !Update.end()) {
        return failed(Update.getError());
    }
    hangUp();
    _onEnd();
    if (_reboots && (!is_fs || updArduino.atomic_fs)) {
        updArduino.restart(updArduino.ctx);
    }
    return HTTP_UPDATE_OK;
}

t_httpUpdate_return ESP8266HTTPUpdate::run(Client &client, const String &url, const String &version,
                                           const char *mode)
{
    _version = version;
    _mode = mode;
    _available = "";
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
    return install(contentLength(), strcmp(mode, "spiffs") == 0);
}

t_httpUpdate_return ESP8266HTTPUpdate::update(Client &client, const String &url,
                                              const String &version)
{
    return run(client, url, version, "sketch");
}

static String urlOf(const String &host, uint16_t port, const String &uri)
{
    return String("http://") + host + ":" + String(static_cast<unsigned>(port)) + uri;
}

t_httpUpdate_return ESP8266HTTPUpdate::update(Client &client, const String &host, uint16_t port,
                                              const String &uri, const String &version)
{
    return run(client, urlOf(host, port, uri), version, "sketch");
}

t_httpUpdate_return ESP8266HTTPUpdate::updateFS(Client &client, const String &url,
                                                const String &version)
{
    return run(client, url, version, "spiffs");
}

bool ESP8266HTTPUpdate::getAvailableVersion(Client &client, const String &host, uint16_t port,
                                            const String &uri, const String &current,
                                            String &available)
{
    _version = current;
    _mode = "version";
    _available = "";
    const int status = ask(client, urlOf(host, port, uri));
    if (status != 200) {
        (void)failed(errorOfStatus(status));
        return false;
    }
    if (_available.isEmpty()) {
        (void)failed(HTTP_UE_SERVER_NOT_REPORT_VERSION);
        return false;
    }
    hangUp();
    available = _available;
    return true;
}

t_httpUpdate_return ESP8266HTTPUpdate::run(HTTPClient &http, const String &version,
                                           const char *mode)
{
    if (http.client() == nullptr) {
        return failed(HTTPC_ERROR_NOT_CONNECTED);
    }
    askWith(http);
    const t_httpUpdate_return result = run(*http.client(), http.url(), version, mode);
    askWith(HTTPClient());
    return result;
}

t_httpUpdate_return ESP8266HTTPUpdate::update(HTTPClient &http, const String &version)
{
    return run(http, version, "sketch");
}

t_httpUpdate_return ESP8266HTTPUpdate::updateFS(HTTPClient &http, const String &version)
{
    return run(http, version, "spiffs");
}

String ESP8266HTTPUpdate::getLastErrorString() const
{
    if (_lastError > 0) {
        return String("Update error: ERROR[") + String(_lastError) +
               "]: " + Update.getErrorString();
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
    case HTTP_UE_SERVER_UNAUTHORIZED:
        return "Unauthorized (401)";
    default:
        break;
    }
    return _lastError > HTTP_UE_TOO_LESS_SPACE && _lastError < 0
               ? String("HTTP error: ") + updHttpErrorToString(_lastError)
               : String("");
}
