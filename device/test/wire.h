/*
 * A transport in memory, and at its other end a server that follows a script: one line of it for
 * each connection, the last one for all that follow. Time goes on only when the test says so.
 */
#ifndef DEVICE_TEST_WIRE_H
#define DEVICE_TEST_WIRE_H

#include <updraft/transport.h>

#include <updraft/bytes.h>

#include "check.h"

/** How a connection ends, when all of the answer was taken. */
enum wire_end { WIRE_ENDS, WIRE_BREAKS, WIRE_HANGS };

/** What a server does with one connection. */
struct wire_line {
    const char *answer; /* NULL: takes the request, and says nothing */
    uint32_t size;      /* bytes of it; 0: a text */
    enum wire_end end;
    enum upd_trouble refuses; /* it does not come about; NONE: it does */
    bool opens_never;
    bool takes_nothing; /* of the request */
};

enum { WIRE_REQUEST = 700 };

struct wire {
    struct upd_transport transport;
    const struct wire_line *lines;
    uint32_t count;
    uint32_t piece; /* bytes that send() and receive() take at once; 0: all */
    bool muted;     /* nothing comes at the moment */
    bool early;     /* answers before it has heard all, and is gone; what it said can be received */
    /* What was seen. */
    uint32_t connections;
    char host[64];
    uint16_t port;
    bool tls;
    char request[WIRE_REQUEST]; /* of the last connection */
    uint32_t request_size;
    /* Its own. */
    const struct wire_line *line; /* NULL: closed */
    uint32_t at;
};

static inline uint32_t wire_length(const char *text)
{
    uint32_t length = 0;

    while (text != NULL && text[length] != '\0') {
        length++;
    }
    return length;
}

static inline uint32_t wire_size(const struct wire_line *line)
{
    return line->size != 0 ? line->size : wire_length(line->answer);
}

static inline void wire_connect(void *ctx, const char *host, uint16_t port, bool tls)
{
    struct wire *wire = ctx;
    uint32_t size = wire_length(host);

    CHECK(size < sizeof wire->host);
    memcpy(wire->host, host, size + 1);
    wire->port = port;
    wire->tls = tls;
    const uint32_t last = wire->count - 1;
    wire->line = &wire->lines[wire->connections < last ? wire->connections : last];
    wire->connections++;
    wire->at = wire->request_size = 0;
    wire->request[0] = '\0';
}

static inline bool wire_answers(const struct wire *wire)
{
    return wire->early || (wire->request_size >= 4 &&
                           memcmp(wire->request + wire->request_size - 4, "\r\n\r\n", 4) == 0);
}

static inline enum upd_wire wire_state(void *ctx, enum upd_trouble *why)
{
    const struct wire *wire = ctx;

    if (wire->line == NULL) {
        return UPD_WIRE_CLOSED;
    }
    if (wire->line->opens_never) {
        return UPD_WIRE_OPENING;
    }
    if (wire->line->refuses != UPD_TROUBLE_NONE) {
        *why = wire->line->refuses;
        return UPD_WIRE_BROKEN;
    }
    if (wire->early && wire->request_size > 0) {
        *why = UPD_TROUBLE_CONNECTION_LOST;
        return UPD_WIRE_BROKEN;
    }
    if (!wire_answers(wire) || wire->at < wire_size(wire->line) || wire->line->end == WIRE_HANGS) {
        return UPD_WIRE_OPEN;
    }
    if (wire->line->end == WIRE_BREAKS) {
        *why = UPD_TROUBLE_CONNECTION_LOST;
        return UPD_WIRE_BROKEN;
    }
    return UPD_WIRE_ENDED;
}

static inline uint32_t wire_bound(const struct wire *wire, uint32_t size)
{
    return wire->piece != 0 && size > wire->piece ? wire->piece : size;
}

static inline uint32_t wire_send(void *ctx, const void *data, uint32_t size)
{
    struct wire *wire = ctx;

    size = wire_bound(wire, size);
    if (wire->line == NULL || wire->line->takes_nothing ||
        (wire->early && wire->request_size > 0)) {
        return 0;
    }
    CHECK(wire->request_size + size < sizeof wire->request);
    memcpy(wire->request + wire->request_size, data, size);
    wire->request_size += size;
    wire->request[wire->request_size] = '\0';
    return size;
}

static inline uint32_t wire_receive(void *ctx, void *data, uint32_t size)
{
    struct wire *wire = ctx;

    if (wire->line == NULL || wire->muted || !wire_answers(wire)) {
        return 0;
    }
    const uint32_t left = wire_size(wire->line) - wire->at;
    size = wire_bound(wire, size < left ? size : left);
    if (size > 0) {
        memcpy(data, wire->line->answer + wire->at, size);
    }
    wire->at += size;
    return size;
}

static inline void wire_close(void *ctx)
{
    ((struct wire *)ctx)->line = NULL;
}

static inline void wire_open(struct wire *wire, const struct wire_line *lines, uint32_t count)
{
    *wire = (struct wire){.lines = lines, .count = count};
    wire->transport =
        (struct upd_transport){wire_connect, wire_state, wire_send, wire_receive, wire_close, wire};
}

#endif
