#include "nonos_http.h"

#include <updraft/bytes.h>
#include <updraft/text.h>

enum state { IDLE, CONNECT, SEND, HEAD_REPLY, ERASE, GET_REPLY, STALLED };

enum { CONNECT_MS = 10000, SECTOR = 4096, SECTORS_MOST = 240, NOT_FOUND = UINT32_MAX };
enum { FIRST = 4, USER1 = 1, USER2 = 2 };

/* Offset of a text in bytes, looked for up to the first NUL, as strstr() does. */
static uint32_t find(const char *bytes, uint32_t size, const char *text)
{
    for (uint32_t at = 0; at < size && bytes[at] != '\0'; at++) {
        uint32_t same = 0;
        while (text[same] != '\0' && at + same < size && bytes[at + same] == text[same]) {
            same++;
        }
        if (text[same] == '\0') {
            return at;
        }
    }
    return NOT_FOUND;
}

static uint32_t length_of(const char *text)
{
    uint32_t length = 0;

    while (text[length] != '\0') {
        length++;
    }
    return length;
}

static void hang_up(struct upd_upgrade_http *http)
{
    http->transport->close(http->transport->ctx);
}

static void finish(struct upd_upgrade_http *http, bool good)
{
    http->state = IDLE;
    hang_up(http);
    upd_upgrade_done(good);
}

void upd_upgrade_http_open(struct upd_upgrade_http *http, const struct upd_transport *transport)
{
    *http = (struct upd_upgrade_http){.transport = transport};
}

/* --- Asking ----------------------------------------------------------------------------------- */

/* The request's text, with all of one word in place of another. @return false: too long */
static bool copy_with(char to[UPD_UPGRADE_REQUEST], const char *from, const char *word,
                      const char *other)
{
    struct upd_text text = upd_text_on(to, UPD_UPGRADE_REQUEST);
    uint32_t size = length_of(from);

    while (size > 0) {
        const uint32_t at = find(from, size, word);
        const uint32_t before = at != NOT_FOUND ? at : size;
        upd_text_bytes(&text, from, before);
        from += before;
        size -= before;
        if (at != NOT_FOUND) {
            upd_text_add(&text, other);
            from += length_of(word);
            size -= length_of(word);
        }
    }
    return upd_text_is_whole(&text);
}

static void write_request(struct upd_upgrade_http *http, bool head)
{
    const char *text = (const char *)http->server->url;
    bool fits = text != NULL && length_of(text) < UPD_UPGRADE_REQUEST;

    if (fits && head) {
        /* The segment's room is free while nothing has come. */
        fits = copy_with(http->segment, text, "GET", "HEAD") &&
               copy_with(http->request, http->segment, "keep-alive", "close");
    } else if (fits) {
        memcpy(http->request, text, length_of(text) + 1);
    }
    http->asks_head = head;
    http->sent = 0;
    http->request_size = fits ? length_of(http->request) : 0;
    http->state = fits ? SEND : STALLED;
}

static void begin_connection(struct upd_upgrade_http *http, uint32_t now_ms)
{
    char host[16];
    struct upd_text text = upd_text_on(host, sizeof host);

    for (uint32_t i = 0; i < 4; i++) {
        upd_text_add(&text, i > 0 ? "." : "");
        upd_text_decimal(&text, http->server->ip[i]);
    }
    http->connect_ms = now_ms;
    http->state = CONNECT;
    http->transport->connect(http->transport->ctx, host, http->server->port, false);
}

void upd_upgrade_http_start(void *ctx, struct upgrade_server_info *server)
{
    struct upd_upgrade_http *http = ctx;
    const struct upd_transport *transport = http->transport;

    *http = (struct upd_upgrade_http){.transport = transport};
    http->server = server;
    http->asks_head = true;
    http->state = CONNECT;
}

static void connecting(struct upd_upgrade_http *http, uint32_t now_ms)
{
    enum upd_trouble why = UPD_TROUBLE_NONE;

    switch (http->transport->state(http->transport->ctx, &why)) {
    case UPD_WIRE_OPEN:
        write_request(http, http->asks_head);
        break;
    case UPD_WIRE_OPENING:
        if (now_ms - http->connect_ms >= CONNECT_MS) {
            http->state = STALLED;
        }
        break;
    default:
        http->state = STALLED;
        break;
    }
    if (http->state == STALLED) {
        hang_up(http);
    }
}

static void sending(struct upd_upgrade_http *http)
{
    enum upd_trouble why = UPD_TROUBLE_NONE;

    if (http->transport->state(http->transport->ctx, &why) != UPD_WIRE_OPEN) {
        http->state = STALLED;
        return;
    }
    http->sent += http->transport->send(http->transport->ctx, http->request + http->sent,
                                        http->request_size - http->sent);
    if (http->sent == http->request_size) {
        http->state = http->total == 0 ? HEAD_REPLY : GET_REPLY;
    }
}

/* --- The head of an answer -------------------------------------------------------------------- */

enum head { HEAD_NONE, HEAD_READ, HEAD_STALLS, HEAD_FAILS };

/* A head that is in one segment: its length, spelled as the SDK expects it. */
static enum head read_head(struct upd_upgrade_http *http, uint32_t size, uint32_t *body)
{
    static const char name[] = "Content-Length: ";
    const uint32_t end = find(http->segment, size, "\r\n\r\n");
    uint32_t total = 0;

    if (end == NOT_FOUND || find(http->segment, size, "Content-Length") == NOT_FOUND) {
        return HEAD_NONE;
    }
    uint32_t at = find(http->segment, size, name);
    if (at == NOT_FOUND) {
        return HEAD_STALLS;
    }
    for (at += sizeof name - 1; at < end; at++) {
        const char c = http->segment[at];
        if (c < '0' || c > '9' || total > UINT32_MAX / 10 - 1) {
            break;
        }
        total = total * 10 + (uint32_t)(c - '0');
    }
    *body = end + 4;
    http->total = total;
    return upd_upgrade_expect(total) ? HEAD_READ : HEAD_FAILS;
}

static void head_reply(struct upd_upgrade_http *http, uint32_t size)
{
    uint32_t body = 0;

    switch (read_head(http, size, &body)) {
    case HEAD_READ:
        hang_up(http);
        http->erased = 0;
        http->state = (http->total + SECTOR - 1) / SECTOR > SECTORS_MOST ? STALLED : ERASE;
        break;
    case HEAD_STALLS:
        http->state = STALLED;
        break;
    case HEAD_FAILS:
        finish(http, false);
        break;
    case HEAD_NONE:
        /* A server that does not know HEAD is asked for all of it, and its head is read. */
        if (find(http->segment, size, "200 OK\r\n") == NOT_FOUND) {
            if (http->asks_head) {
                write_request(http, false);
            }
        }
        break;
    }
}

static void erase_one(struct upd_upgrade_http *http, uint32_t now_ms)
{
    if (!system_upgrade_erase_flash(SECTOR)) {
        finish(http, false);
        return;
    }
    http->erased += SECTOR;
    if (http->erased >= http->total) {
        http->asks_head = false;
        begin_connection(http, now_ms);
    }
}

/* --- The body --------------------------------------------------------------------------------- */

/* "E9 03" or "EA 04", and behind it the slot that the image is for. */
static bool is_image_for_slot(const uint8_t first[FIRST])
{
    const uint8_t slot = system_upgrade_userbin_check() == UPGRADE_FW_BIN1 ? USER2 : USER1;

    return ((first[0] == 0xE9 && first[1] == 3) || (first[0] == 0xEA && first[1] == 4)) &&
           first[3] == slot;
}

static void take_body(struct upd_upgrade_http *http, char *bytes, uint32_t size)
{
    uint8_t *data = (uint8_t *)bytes;

    if (size > http->total - http->received) {
        size = http->total - http->received;
    }
    while (size > 0 && http->received < FIRST) {
        http->first[http->received++] = *data++;
        size--;
        if (http->received == FIRST) {
            if (!is_image_for_slot(http->first)) {
                finish(http, false);
                return;
            }
            (void)system_upgrade(http->first, FIRST);
        }
    }
    (void)system_upgrade(data, (uint16)size); /* what is not in flash, the CRC finds */
    http->received += size;
    if (http->received == http->total) {
        finish(http, upd_upgrade_crc_matches());
    }
}

static void get_reply(struct upd_upgrade_http *http, uint32_t size)
{
    uint32_t body = 0;

    if (!http->has_head) {
        const enum head head = read_head(http, size, &body);
        http->has_head = head == HEAD_READ;
        if (head == HEAD_FAILS) {
            finish(http, false);
        } else if (head == HEAD_STALLS) {
            http->state = STALLED;
        }
        if (head == HEAD_FAILS || head == HEAD_STALLS) {
            return;
        }
    }
    /* Also in the middle of a body: what looks like a head is none of its bytes. */
    if (body > 0 || find(http->segment, size, "200 OK\r\n") == NOT_FOUND) {
        take_body(http, http->segment + body, size - body);
    }
}

static void receiving(struct upd_upgrade_http *http)
{
    enum upd_trouble why = UPD_TROUBLE_NONE;
    const enum upd_wire wire = http->transport->state(http->transport->ctx, &why);
    const uint32_t got =
        wire >= UPD_WIRE_OPEN
            ? http->transport->receive(http->transport->ctx, http->segment, sizeof http->segment)
            : 0;

    if (got == 0) {
        if (wire != UPD_WIRE_OPEN) {
            hang_up(http);
            http->state = STALLED;
        }
    } else if (http->state == HEAD_REPLY) {
        head_reply(http, got);
    } else {
        get_reply(http, got);
    }
}

void upd_upgrade_http_poll(struct upd_upgrade_http *http, uint32_t now_ms)
{
    if (http->state == IDLE) {
        return;
    }
    if (!http->has_begun) {
        http->has_begun = true;
        http->since_ms = now_ms;
        begin_connection(http, now_ms);
        return;
    }
    if (http->server->check_cb != NULL && now_ms - http->since_ms >= http->server->check_times) {
        finish(http, false);
        return;
    }
    switch ((enum state)http->state) {
    case CONNECT:
        connecting(http, now_ms);
        break;
    case SEND:
        sending(http);
        break;
    case HEAD_REPLY:
    case GET_REPLY:
        receiving(http);
        break;
    case ERASE:
        erase_one(http, now_ms);
        break;
    case IDLE:
    case STALLED:
        break;
    }
}
