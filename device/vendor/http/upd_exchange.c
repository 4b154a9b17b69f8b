#include "upd_exchange.h"

#include <updraft/bytes.h>

enum framing { NO_BODY, BY_LENGTH, BY_CHUNKS, BY_END };

/* Bytes of all the lines of a head. */
enum { HEAD_MOST = 8192 };

void upd_exchange_init(struct upd_exchange *exchange, const struct upd_exchange_config *config)
{
    const uint32_t room = (config->buffer_size - 32) / 2;

    *exchange = (struct upd_exchange){.config = *config};
    exchange->url.text = config->buffer;
    exchange->url.room = (uint16_t)(room < 1024 ? room : 1024);
    exchange->wire = exchange->url.room;
}

enum upd_trouble upd_exchange_to(struct upd_exchange *exchange, const char *url)
{
    return exchange->trouble = upd_url_set(&exchange->url, url);
}

void upd_exchange_host(const struct upd_exchange *exchange, struct upd_text *line)
{
    const char *host = exchange->url.text;
    bool literal = false;

    for (uint32_t i = 0; host[i] != '\0'; i++) {
        literal = literal || host[i] == ':';
    }
    upd_text_add(line, literal ? "[" : "");
    upd_text_add(line, host);
    upd_text_add(line, literal ? "]" : "");
    if (exchange->url.port != 80 && exchange->url.port != 443) {
        upd_text_add(line, ":");
        upd_text_decimal(line, exchange->url.port);
    }
}

void upd_exchange_path(const struct upd_exchange *exchange, struct upd_text *line)
{
    upd_text_add(line, exchange->url.text + exchange->url.path);
}

void upd_exchange_close(struct upd_exchange *exchange)
{
    const struct upd_transport *transport = exchange->config.transport;

    transport->close(transport->ctx);
}

static enum upd_trouble fail(struct upd_exchange *exchange, enum upd_trouble trouble)
{
    exchange->trouble = trouble;
    upd_exchange_close(exchange);
    return trouble;
}

/* --- Waiting ---------------------------------------------------------------------------------- */

/* Let time go on. @return false: it was too much */
static bool rest(const struct upd_exchange *exchange, uint32_t since_ms)
{
    const struct upd_exchange_config *config = &exchange->config;

    if (config->now_ms(config->ctx) - since_ms >= config->timeout_ms) {
        return false;
    }
    if (config->rest != NULL) {
        config->rest(config->ctx);
    }
    return true;
}

static enum upd_trouble connect(const struct upd_exchange *exchange)
{
    const struct upd_transport *transport = exchange->config.transport;
    const uint32_t since = exchange->config.now_ms(exchange->config.ctx);
    enum upd_trouble why = UPD_TROUBLE_UNREACHABLE;

    transport->connect(transport->ctx, exchange->url.text, exchange->url.port, exchange->url.tls);
    for (;;) {
        switch (transport->state(transport->ctx, &why)) {
        case UPD_WIRE_OPEN:
            return UPD_TROUBLE_NONE;
        case UPD_WIRE_OPENING:
            if (!rest(exchange, since)) {
                return UPD_TROUBLE_CONNECT_TIMEOUT;
            }
            break;
        default:
            return why;
        }
    }
}

static enum upd_trouble send(const struct upd_exchange *exchange, const char *data, uint32_t size)
{
    const struct upd_transport *transport = exchange->config.transport;
    uint32_t since = exchange->config.now_ms(exchange->config.ctx);
    enum upd_trouble why = UPD_TROUBLE_CONNECTION_LOST;

    while (size > 0) {
        if (transport->state(transport->ctx, &why) != UPD_WIRE_OPEN) {
            return UPD_TROUBLE_CONNECTION_LOST;
        }
        const uint32_t sent = transport->send(transport->ctx, data, size);
        data += sent;
        size -= sent;
        if (sent > 0) {
            since = exchange->config.now_ms(exchange->config.ctx);
        } else if (!rest(exchange, since)) {
            return UPD_TROUBLE_SEND_TIMEOUT;
        }
    }
    return UPD_TROUBLE_NONE;
}

/* Bytes behind those that wait. An end in good order is NONE, with nothing more than there was. */
static enum upd_trouble receive(struct upd_exchange *exchange)
{
    const struct upd_transport *transport = exchange->config.transport;
    const uint32_t since = exchange->config.now_ms(exchange->config.ctx);
    enum upd_trouble why = UPD_TROUBLE_CONNECTION_LOST;

    for (;;) {
        const enum upd_wire wire = transport->state(transport->ctx, &why);
        const uint32_t at = exchange->wire + exchange->end;
        uint32_t got = 0;
        if (wire >= UPD_WIRE_OPEN) {
            got = transport->receive(transport->ctx, exchange->config.buffer + at,
                                     exchange->config.buffer_size - at);
        }
        exchange->end += got;
        if (got > 0 || wire == UPD_WIRE_ENDED) {
            return UPD_TROUBLE_NONE;
        }
        if (wire != UPD_WIRE_OPEN) {
            return why;
        }
        if (!rest(exchange, since)) {
            return UPD_TROUBLE_STALLED;
        }
    }
}

/* --- The request and the head ----------------------------------------------------------------- */

static enum upd_trouble send_request(const struct upd_exchange *exchange,
                                     const struct upd_question *question)
{
    char *wire = exchange->config.buffer + exchange->wire;
    const uint32_t room = exchange->config.buffer_size - exchange->wire;
    enum upd_trouble trouble = UPD_TROUBLE_NONE;
    bool more = true;

    for (uint32_t index = 0; more && trouble == UPD_TROUBLE_NONE; index++) {
        struct upd_text line = upd_text_on(wire, room);
        more = question->line(question->ctx, index, &line);
        upd_text_add(&line, "\r\n");
        trouble = upd_text_is_whole(&line) ? send(exchange, wire, line.length)
                                           : UPD_TROUBLE_FIELD_TOO_LONG;
    }
    return trouble;
}

/* The next line, without its end: at start. A longer one than there is room for is cut: !*whole. */
static enum upd_trouble next_line(struct upd_exchange *exchange, uint32_t *head_left,
                                  uint32_t *size, bool *whole)
{
    char *wire = exchange->config.buffer + exchange->wire;
    uint32_t at = exchange->start;

    *whole = true;
    for (;;) {
        for (; at < exchange->end; at++) {
            if (*head_left == 0) {
                return UPD_TROUBLE_HEAD_TOO_LONG;
            }
            --*head_left;
            if (wire[at] == '\n') {
                *size = at - exchange->start;
                if (*size == 0 || wire[at - 1] != '\r') {
                    return UPD_TROUBLE_BAD_LINE;
                }
                --*size;
                return UPD_TROUBLE_NONE;
            }
        }
        memmove(wire, wire + exchange->start, exchange->end - exchange->start);
        exchange->end = at -= exchange->start;
        exchange->start = 0;
        if (exchange->wire + exchange->end == exchange->config.buffer_size) {
            at = exchange->end /= 2; /* its first half decides */
            *whole = false;
        }
        const uint32_t had = exchange->end;
        const enum upd_trouble trouble = receive(exchange);
        if (trouble != UPD_TROUBLE_NONE) {
            return trouble == UPD_TROUBLE_STALLED ? UPD_TROUBLE_ANSWER_TIMEOUT : trouble;
        }
        if (exchange->end == had) {
            return had == 0 && *head_left == HEAD_MOST ? UPD_TROUBLE_NO_ANSWER
                                                       : UPD_TROUBLE_HEAD_CUT;
        }
    }
}

static enum upd_trouble read_head(struct upd_exchange *exchange,
                                  const struct upd_question *question)
{
    uint32_t head_left = HEAD_MOST;
    const char *name = NULL;
    const char *value = NULL;
    bool whole = true;
    uint32_t size = 0;

    exchange->start = exchange->end = 0;
    exchange->head = (struct upd_http_head){.status = 0};
    for (;;) {
        enum upd_trouble trouble = next_line(exchange, &head_left, &size, &whole);
        if (trouble != UPD_TROUBLE_NONE) {
            return trouble;
        }
        char *line = exchange->config.buffer + exchange->wire + exchange->start;
        exchange->start += size + 2;
        if (exchange->head.status == 0) {
            line[size] = '\0';
            trouble = whole ? upd_http_status(&exchange->head, line) : UPD_TROUBLE_NOT_HTTP;
        } else if (size > 0) {
            trouble = upd_http_field(&exchange->head, line, size, whole, &name, &value);
            if (trouble == UPD_TROUBLE_NONE && whole && question->heard != NULL) {
                question->heard(question->ctx, name, value);
            }
        } else if (exchange->head.status >= 200) {
            return UPD_TROUBLE_NONE;
        } else {
            exchange->head.status = 0; /* informational: another head follows */
        }
        if (trouble != UPD_TROUBLE_NONE) {
            return trouble;
        }
    }
}

enum upd_trouble upd_exchange_ask(struct upd_exchange *exchange,
                                  const struct upd_question *question)
{
    const struct upd_http_head *head = &exchange->head;

    exchange->complete = exchange->asked = false;
    exchange->read = 0;
    exchange->chunks = (struct upd_chunks){.left = 0};
    enum upd_trouble trouble = connect(exchange);
    if (trouble == UPD_TROUBLE_NONE) {
        trouble = send_request(exchange, question);
    }
    if (trouble == UPD_TROUBLE_NONE) {
        exchange->asked = true;
        trouble = read_head(exchange, question);
    }
    if (trouble != UPD_TROUBLE_NONE) {
        return fail(exchange, trouble);
    }
    if (question->no_body || head->status == 204 || head->status == 304) {
        exchange->framing = NO_BODY;
    } else if ((head->seen & UPD_HTTP_CHUNKS) != 0) {
        exchange->framing = BY_CHUNKS;
    } else {
        exchange->framing = (head->seen & UPD_HTTP_LENGTH) != 0 ? BY_LENGTH : BY_END;
    }
    return exchange->trouble = UPD_TROUBLE_NONE;
}

/* --- The content ------------------------------------------------------------------------------ */

/* Bytes of content that come next, as far as the framing tells. 0: more must come first, or over. */
static enum upd_trouble content_next(struct upd_exchange *exchange, uint32_t *next)
{
    const uint8_t *wire = (const uint8_t *)exchange->config.buffer + exchange->wire;
    uint32_t used = 0;

    *next = UINT32_MAX;
    switch ((enum framing)exchange->framing) {
    case NO_BODY:
        *next = 0;
        exchange->complete = true;
        break;
    case BY_LENGTH:
        *next = exchange->head.length - exchange->read;
        exchange->complete = *next == 0;
        break;
    case BY_CHUNKS:
        if (!upd_chunks_take(&exchange->chunks, wire + exchange->start,
                             exchange->end - exchange->start, &used)) {
            return UPD_TROUBLE_BAD_CHUNK;
        }
        exchange->start += used;
        *next = upd_chunks_data(&exchange->chunks);
        exchange->complete = upd_chunks_over(&exchange->chunks);
        break;
    case BY_END:
        break;
    }
    return UPD_TROUBLE_NONE;
}

uint32_t upd_exchange_peek(struct upd_exchange *exchange, const uint8_t **data, uint32_t size)
{
    uint8_t *wire = (uint8_t *)exchange->config.buffer + exchange->wire;
    uint32_t next = 0;

    for (;;) {
        exchange->trouble = content_next(exchange, &next);
        const uint32_t there = exchange->end - exchange->start;
        if (exchange->trouble != UPD_TROUBLE_NONE || exchange->complete) {
            return 0;
        }
        const uint32_t most = size < next ? size : next;
        if (next > 0 && there >= most) {
            *data = wire + exchange->start;
            return most;
        }
        memmove(wire, wire + exchange->start, there);
        exchange->start = 0;
        exchange->end = there;
        const enum upd_trouble trouble = receive(exchange);
        if (trouble == UPD_TROUBLE_NONE && exchange->end > there) {
            continue;
        }
        if (there > 0 && next > 0) {
            *data = wire; /* fewer than asked for: that is all for now */
            return there;
        }
        exchange->trouble = trouble == UPD_TROUBLE_NONE ? UPD_TROUBLE_BODY_CUT : trouble;
        if (trouble == UPD_TROUBLE_NONE && exchange->framing == BY_END) {
            exchange->trouble = UPD_TROUBLE_NONE;
            exchange->complete = true;
        }
        return 0;
    }
}

uint32_t upd_exchange_read(struct upd_exchange *exchange, void *data, uint32_t size)
{
    const uint8_t *bytes = NULL;

    if (size == 0 || upd_exchange_peek(exchange, &bytes, 1) == 0) {
        return 0;
    }
    const uint32_t there = exchange->end - exchange->start;
    uint32_t next = UINT32_MAX;
    if (exchange->framing == BY_LENGTH) {
        next = exchange->head.length - exchange->read;
    } else if (exchange->framing == BY_CHUNKS) {
        next = upd_chunks_data(&exchange->chunks);
    }
    size = size < there ? size : there;
    size = size < next ? size : next;
    memcpy(data, bytes, size);
    exchange->start += size;
    exchange->read += size;
    exchange->chunks.left -= exchange->framing == BY_CHUNKS ? size : 0;
    exchange->complete = exchange->framing == BY_LENGTH && exchange->read == exchange->head.length;
    return size;
}
