#include "upd_http_update.h"

#include <cstring>

static constexpr int redirectsMost = 10;

/* --- A Client as a transport ------------------------------------------------------------------ */

/* connect() of a Client waits, and the client itself knows whether it speaks TLS. */
static bool opened;

static void clientConnect(void *ctx, const char *host, uint16_t port, bool)
{
    opened = static_cast<Client *>(ctx)->connect(host, port) == 1;
}

static enum upd_wire clientState(void *ctx, enum upd_trouble *why)
{
    Client *const client = static_cast<Client *>(ctx);

    if (!opened) {
        *why = UPD_TROUBLE_UNREACHABLE;
        return UPD_WIRE_BROKEN;
    }
    return client->available() > 0 || client->connected() != 0 ? UPD_WIRE_OPEN : UPD_WIRE_ENDED;
}

static uint32_t clientSend(void *ctx, const void *data, uint32_t size)
{
    return static_cast<uint32_t>(
        static_cast<Client *>(ctx)->write(static_cast<const uint8_t *>(data), size));
}

static uint32_t clientReceive(void *ctx, void *data, uint32_t size)
{
    Client *const client = static_cast<Client *>(ctx);

    if (client->available() <= 0) {
        return 0;
    }
    const int got = client->read(static_cast<uint8_t *>(data), size);
    return got > 0 ? static_cast<uint32_t>(got) : 0;
}

static void clientClose(void *ctx)
{
    static_cast<Client *>(ctx)->stop();
}

static uint32_t nowMs(void *)
{
    return millis();
}

static void rest(void *)
{
    delay(1);
}

/* --- The request ------------------------------------------------------------------------------ */

void updAddString(struct upd_text *text, const String &string)
{
    upd_text_add(text, string.c_str());
}

void updAddMac(struct upd_text *text, const uint8_t mac[6])
{
    for (uint32_t i = 0; i < 6; i++) {
        const char pair[] = {i > 0 ? ':' : '\0', "0123456789ABCDEF"[mac[i] >> 4],
                             "0123456789ABCDEF"[mac[i] & 15]};
        upd_text_bytes(text, pair + (i > 0 ? 0 : 1), i > 0 ? 3 : 2);
    }
}

static String base64Of(const String &plain)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const size_t size = plain.length();
    String text;

    for (size_t i = 0; i < size; i += 3) {
        uint32_t bits = 0;
        for (size_t k = i; k < i + 3; k++) {
            bits = bits << 8 | (k < size ? static_cast<uint8_t>(plain[k]) : 0U);
        }
        text += digits[bits >> 18];
        text += digits[bits >> 12 & 63];
        text += i + 1 < size ? digits[bits >> 6 & 63] : '=';
        text += i + 2 < size ? digits[bits & 63] : '=';
    }
    return text;
}

void UpdHttpUpdate::setAuthorization(const String &user, const String &password)
{
    _authorization = base64Of(user + ":" + password);
}

/* "http://user:password@host/": taken out of the URL. */
bool UpdHttpUpdate::takeCredentials(String &url)
{
    const int begin = url.indexOf("://");
    const int at = url.indexOf("@");

    if (begin < 0 || at < 0) {
        return begin >= 0;
    }
    const size_t host = static_cast<size_t>(begin) + 3;
    const int path = url.indexOf("/", host);
    if (path >= 0 && path < at) {
        return true;
    }
    _authorization = base64Of(url.substring(host, static_cast<size_t>(at)));
    url = url.substring(0, host) + url.substring(static_cast<size_t>(at) + 1);
    return true;
}

bool UpdHttpUpdate::writeLine(void *ctx, uint32_t index, struct upd_text *line)
{
    UpdHttpUpdate *const self = static_cast<UpdHttpUpdate *>(ctx);

    if (self->line(index, line, self->_moved)) {
        self->_fieldsIndex = index + 1;
        return true;
    }
    if (index != self->_fieldsIndex || self->_moved || self->_fields.isEmpty()) {
        return false;
    }
    updAddString(line, self->_fields);
    return true;
}

void UpdHttpUpdate::askWith(const HTTPClient &http)
{
    _fields = http.headers();
    if (!http.authorization().isEmpty()) {
        _authorization = http.authorization();
    }
}

/* --- The client of a sketch ------------------------------------------------------------------- */

bool HTTPClient::begin(Client &client, const String &url)
{
    const char *text = url.c_str();

    _client = &client;
    _url = url;
    _headers = "";
    _authorization = "";
    return upd_http_take(&text, "http://") || upd_http_take(&text, "https://");
}

bool HTTPClient::begin(Client &client, const String &host, uint16_t port, const String &uri)
{
    return begin(client,
                 String("http://") + host + ":" + String(static_cast<unsigned>(port)) + uri);
}

void HTTPClient::addHeader(const String &name, const String &value)
{
    static const char *const own[] = {"connection", "host", "user-agent", "authorization"};

    for (const char *one : own) {
        if (upd_http_same(name.c_str(), one)) {
            return;
        }
    }
    if (!_headers.isEmpty()) {
        _headers += "\r\n";
    }
    _headers += name + ": " + value;
}

void HTTPClient::setAuthorization(const String &user, const String &password)
{
    _authorization = base64Of(user + ":" + password);
}

static bool isRedirect(uint16_t status)
{
    return status == 301 || status == 302 || status == 303 || status == 307;
}

/* An absolute path, or a URL with the scheme that there is. */
static bool mayLeadTo(const char *location, bool tls)
{
    return location[0] == '/' || upd_http_take(&location, tls ? "https://" : "http://");
}

void UpdHttpUpdate::hear(void *ctx, const char *name, const char *value)
{
    UpdHttpUpdate *const self = static_cast<UpdHttpUpdate *>(ctx);
    struct upd_exchange &exchange = self->_exchange;

    if (isRedirect(exchange.head.status) && upd_http_same(name, "location")) {
        self->_moves = self->_follow != HTTPC_DISABLE_FOLLOW_REDIRECTS &&
                       mayLeadTo(value, exchange.url.tls) &&
                       upd_url_follow(&exchange.url, value) == UPD_TROUBLE_NONE;
    }
    self->heard(name, value);
}

void UpdHttpUpdate::heard(const char *name, const char *value)
{
    if (upd_http_same(name, "x-md5")) {
        if (!_serverMd5.isEmpty()) {
            _serverMd5 += ","; /* stated twice: no digest any more */
        }
        _serverMd5 += value;
    }
}

/* How the client of the cores calls what went wrong. */
static int errorOf(const struct upd_exchange &exchange)
{
    switch (exchange.trouble) {
    case UPD_TROUBLE_BAD_CODING:
    case UPD_TROUBLE_COMPRESSED:
        return HTTPC_ERROR_ENCODING;
    case UPD_TROUBLE_BAD_LENGTH:
    case UPD_TROUBLE_TWO_LENGTHS:
        return HTTP_UE_SERVER_NOT_REPORT_SIZE;
    case UPD_TROUBLE_ANSWER_TIMEOUT:
        return HTTPC_ERROR_READ_TIMEOUT;
    case UPD_TROUBLE_FIELD_TOO_LONG:
        return HTTPC_ERROR_SEND_HEADER_FAILED;
    case UPD_TROUBLE_CONNECTION_LOST:
    case UPD_TROUBLE_NO_ANSWER:
    case UPD_TROUBLE_HEAD_CUT:
        return exchange.asked ? HTTPC_ERROR_CONNECTION_LOST : HTTPC_ERROR_SEND_HEADER_FAILED;
    case UPD_TROUBLE_SEND_TIMEOUT:
        return HTTPC_ERROR_SEND_HEADER_FAILED;
    default:
        return exchange.asked ? HTTPC_ERROR_NO_HTTP_SERVER : HTTPC_ERROR_CONNECTION_FAILED;
    }
}

int UpdHttpUpdate::ask(Client &client, const String &url)
{
    static struct upd_transport transport;
    struct upd_exchange_config config = {};
    struct upd_question question = {};
    String plain = url;

    transport = {clientConnect, clientState, clientSend, clientReceive, clientClose, &client};
    config.transport = &transport;
    config.now_ms = nowMs;
    config.rest = rest;
    config.buffer = updArduino.http;
    config.buffer_size = updArduino.http_size;
    config.timeout_ms = static_cast<uint32_t>(_timeout);
    question.line = writeLine;
    question.heard = hear;
    question.ctx = this;

    client.setTimeout(static_cast<unsigned long>(_timeout));
    _lastError = 0;
    upd_exchange_init(&_exchange, &config);
    if (!takeCredentials(plain) || upd_exchange_to(&_exchange, plain.c_str()) != UPD_TROUBLE_NONE) {
        return HTTPC_ERROR_CONNECTION_FAILED;
    }
    _moved = false;
    for (int hops = 0;; hops++) {
        _serverMd5 = "";
        _moves = false;
        if (upd_exchange_ask(&_exchange, &question) != UPD_TROUBLE_NONE) {
            return errorOf(_exchange);
        }
        if (!_moves || hops == redirectsMost) {
            return _exchange.head.status;
        }
        _moved = true;
        upd_exchange_close(&_exchange);
    }
}

uint32_t UpdHttpUpdate::contentLength() const
{
    const uint8_t both = UPD_HTTP_LENGTH | UPD_HTTP_CHUNKS;

    return (_exchange.head.seen & both) == UPD_HTTP_LENGTH ? _exchange.head.length : 0;
}

uint32_t UpdHttpUpdate::peekContent(uint8_t *bytes, uint32_t size)
{
    const uint8_t *there = nullptr;
    const uint32_t got = upd_exchange_peek(&_exchange, &there, size);

    if (got > 0) {
        memcpy(bytes, there, got);
    }
    return got;
}

void UpdHttpUpdate::hangUp()
{
    if (_exchange.config.transport != nullptr) { /* else nothing was asked yet */
        upd_exchange_close(&_exchange);
    }
}

t_httpUpdate_return UpdHttpUpdate::failed(int error)
{
    hangUp();
    _lastError = error;
    _onError(error);
    return HTTP_UPDATE_FAILED;
}

/* --- The content ------------------------------------------------------------------------------ */

int UpdHttpUpdate::Content::available()
{
    return static_cast<int>(_exchange.end - _exchange.start);
}

int UpdHttpUpdate::Content::read()
{
    uint8_t value = 0;

    return upd_exchange_read(&_exchange, &value, 1) == 1 ? value : -1;
}

int UpdHttpUpdate::Content::peek()
{
    const uint8_t *there = nullptr;

    return upd_exchange_peek(&_exchange, &there, 1) == 1 ? *there : -1;
}

size_t UpdHttpUpdate::Content::readBytes(uint8_t *data, size_t size)
{
    uint32_t done = 0;

    while (done < size) {
        const uint32_t got =
            upd_exchange_read(&_exchange, data + done, static_cast<uint32_t>(size) - done);
        if (got == 0) {
            break;
        }
        done += got;
    }
    return done;
}

/* --- Errors ----------------------------------------------------------------------------------- */

String updHttpErrorToString(int error)
{
    static const char *const texts[] = {
        "connection failed",  "send header failed", "send payload failed",
        "not connected",      "connection lost",    "no stream",
        "no HTTP server",     "not enough ram",     "Transfer-Encoding not supported",
        "Stream write error", "read Timeout",
    };

    return error >= HTTPC_ERROR_READ_TIMEOUT && error < 0 ? texts[-error - 1] : "";
}
