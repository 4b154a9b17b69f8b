/*
 * The answers of a server, over several connections, cut where it likes: what fetch.h promises
 * holds, (F1) to (F3), and so does what the parts were asked for.
 *
 * The input: a byte of options; then for each connection a byte that says how it ends and how many
 * bytes come at once, two bytes with the size of the answer, and the answer. After the last
 * connection there is none any more.
 */
#include <stdlib.h>

#include <updraft/bytes.h>
#include <updraft/fetch.h>

enum { MOST = 5000, HOUR_MS = 3600000 };

struct server {
    const uint8_t *input;
    size_t left;
    const uint8_t *answer;
    uint32_t size;
    uint32_t at;
    uint8_t how;
    bool is_open;
};

static void server_connect(void *ctx, const char *host, uint16_t port, bool tls)
{
    struct server *server = ctx;

    (void)tls;
    if (port == 0 || host[0] == '\0') {
        abort();
    }
    server->is_open = server->left >= 3;
    if (server->is_open) {
        server->how = server->input[0];
        server->size = upd_get_le16(server->input + 1);
        server->input += 3;
        server->left -= 3;
        server->size = server->size < server->left ? server->size : (uint32_t)server->left;
        server->answer = server->input;
        server->input += server->size;
        server->left -= server->size;
        server->at = 0;
    }
}

static enum upd_wire server_state(void *ctx, enum upd_trouble *why)
{
    static const enum upd_wire ends[] = {UPD_WIRE_OPEN, UPD_WIRE_ENDED, UPD_WIRE_BROKEN};
    const struct server *server = ctx;

    if (!server->is_open) {
        *why = UPD_TROUBLE_UNREACHABLE;
        return UPD_WIRE_BROKEN;
    }
    const enum upd_wire end = ends[(server->how & 3u) % 3u];
    if (server->at < server->size) {
        return UPD_WIRE_OPEN;
    }
    if (end == UPD_WIRE_BROKEN) {
        *why = UPD_TROUBLE_CONNECTION_LOST;
    }
    return end;
}

static uint32_t server_send(void *ctx, const void *data, uint32_t size)
{
    const struct server *server = ctx;
    const uint32_t most = server->how >> 2;

    (void)data;
    return most != 0 && size > most ? most : size;
}

static uint32_t server_receive(void *ctx, void *data, uint32_t size)
{
    struct server *server = ctx;
    const uint32_t most = server->how >> 2;
    const uint32_t left = server->size - server->at;

    size = most != 0 && size > most ? most : size;
    size = size < left ? size : left;
    if (size > 0) {
        memcpy(data, server->answer + server->at, size);
    }
    server->at += size;
    return size;
}

static void server_close(void *ctx)
{
    ((struct server *)ctx)->is_open = false;
}

static uint32_t no_chance(void *ctx)
{
    (void)ctx;
    return 0;
}

static void demand(bool condition)
{
    if (!condition) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) {
        return 0;
    }
    const uint8_t options = data[0];
    struct server server = {.input = data + 1, .left = size - 1};
    const struct upd_transport transport = {server_connect, server_state, server_send,
                                            server_receive, server_close, &server};
    const uint32_t buffer_size = UPD_FETCH_BUFFER + (options >> 4) * 32u;
    uint8_t *buffer = malloc(buffer_size); /* exactly so large, for the sanitizer to see */
    const struct upd_fetch_config config = {
        .transport = &transport, .buffer = buffer, .buffer_size = buffer_size, .random = no_chance};
    const struct upd_request request = {.url = "http://h/",
                                        .head = (options & 1) != 0,
                                        .http_1_0 = (options & 2) != 0,
                                        .most = MOST};
    struct upd_fetch fetch;
    uint32_t now_ms = 0;
    uint32_t got = 0;
    uint32_t heads = 0;
    uint32_t polls = 0;
    enum upd_fetch_news news = UPD_FETCH_WAITS;

    demand(buffer != NULL);
    upd_fetch_init(&fetch, &config);
    upd_fetch_begin(&fetch, &request, now_ms);
    while (news != UPD_FETCH_DONE && news != UPD_FETCH_FAILED) {
        news = upd_fetch_poll(&fetch, now_ms);
        if (news == UPD_FETCH_HEAD) {
            demand(heads++ == 0);
            if ((options & 4) != 0 && (!fetch.has_size || fetch.size >= 3)) {
                got = 3;
                upd_fetch_seek(&fetch, got, now_ms);
            }
        }
        if (news == UPD_FETCH_BODY) {
            demand(heads == 1 && !request.head && fetch.status == 200);
            demand(fetch.offset == got);
            demand(fetch.piece_size > 0 && fetch.piece_size <= UPD_FETCH_PIECE);
            demand(fetch.piece >= buffer && fetch.piece + fetch.piece_size <= buffer + buffer_size);
            got += fetch.piece_size;
            demand(got <= MOST && (!fetch.has_size || got <= fetch.size));
        }
        if (news == UPD_FETCH_WAITS) {
            now_ms += 500;
        }
        demand(now_ms < 24u * HOUR_MS && ++polls < 2000000);
    }
    if (news == UPD_FETCH_DONE) {
        demand(heads == 1 && fetch.trouble == UPD_TROUBLE_NONE);
        demand(!fetch.has_size || request.head || fetch.status != 200 ||
               fetch.offset == fetch.size);
    } else {
        demand(fetch.trouble != UPD_TROUBLE_NONE);
    }
    demand(!server.is_open);
    free(buffer);
    return 0;
}
