/*
 *            .--------------------- a pause, after a failure that may pass ---------------------.
 *            v                                                                                 |
 *   IDLE -> START -> CONNECT -> SEND -> HEAD --------------> BODY --> DONE                   PAUSE
 *            ^                           |  redirect,         |
 *            '---------------------------'  other bytes       '------> FAILED
 *
 * The buffer: host and path of the URL, up to url.room; behind it "the wire": lines of the request
 * that are being sent, then bytes that came. Of those [start, end) wait to be looked at.
 *
 * Time-outs are judged only when the wire has nothing more to give: who is late then is the server,
 * and not an application that had other things to do.
 */
#include <updraft/bytes.h>
#include <updraft/fetch.h>

enum state { IDLE, START, CONNECT, SEND, HEAD, BODY, PAUSE, DONE, FAILED };

enum framing { NO_BODY, BY_LENGTH, BY_CHUNKS, BY_END };

enum { PROGRESS = 16384, NOT_KNOWN = UINT32_MAX };

const struct upd_patience upd_patience_usual = {
    .connect_ms = 15000,
    .answer_ms = 20000,
    .idle_ms = 15000,
    .rate_ms = 10000,
    .rate_bytes = 256,
    .pause_ms = 2000,
    .pause_most_ms = 60000,
    .tries = 5,
    .redirects = 5,
};

static const struct upd_patience *patience_of(const struct upd_fetch *fetch)
{
    return fetch->config.patience != NULL ? fetch->config.patience : &upd_patience_usual;
}

static char *wire_of(const struct upd_fetch *fetch)
{
    return (char *)fetch->config.buffer + fetch->url.room;
}

static uint32_t wire_room(const struct upd_fetch *fetch)
{
    return fetch->config.buffer_size - fetch->url.room;
}

static void enter(struct upd_fetch *fetch, enum state state, uint32_t now_ms)
{
    fetch->state = (uint8_t)state;
    fetch->since_ms = now_ms;
}

static bool is_over_ms(uint32_t since_ms, uint32_t now_ms, uint32_t limit_ms)
{
    return now_ms - since_ms >= limit_ms;
}

static void hang_up(struct upd_fetch *fetch)
{
    const struct upd_transport *transport = fetch->config.transport;

    transport->close(transport->ctx);
}

/* --- Failing ---------------------------------------------------------------------------------- */

uint32_t upd_pause_ms(uint32_t first_ms, uint32_t most_ms, uint32_t failures, uint32_t random)
{
    uint32_t pause = first_ms < most_ms ? first_ms : most_ms;

    for (; failures > 1 && pause < most_ms; failures--) {
        pause = pause > most_ms / 2 ? most_ms : pause * 2;
    }
    return pause - random % (pause / 2 + 1);
}

enum upd_trouble upd_trouble_of_status(uint16_t status)
{
    switch (status) {
    case 200:
    case 206:
    case 304:
        return UPD_TROUBLE_NONE;
    case 401:
    case 407:
        return UPD_TROUBLE_UNAUTHORIZED;
    case 403:
        return UPD_TROUBLE_FORBIDDEN;
    case 404:
    case 410:
        return UPD_TROUBLE_NOT_FOUND;
    case 408:
    case 429:
    case 503:
        return UPD_TROUBLE_BUSY;
    default:
        return status >= 500 ? UPD_TROUBLE_SERVER_FAILED : UPD_TROUBLE_UNEXPECTED_STATUS;
    }
}

/* For now, or for good. Content that changed is for good here: the caller has to begin again. */
static void fail(struct upd_fetch *fetch, enum upd_trouble trouble, uint32_t now_ms)
{
    const struct upd_patience *patience = patience_of(fetch);

    hang_up(fetch);
    fetch->trouble = trouble;
    fetch->failures++;
    if (fetch->next >= fetch->forgiven) {
        fetch->forgiven = fetch->next + PROGRESS;
        fetch->tries_left = patience->tries;
    }
    if (fetch->tries_left > 0) {
        fetch->tries_left--;
    }
    if (fetch->tries_left == 0 || trouble == UPD_TROUBLE_CHANGED ||
        upd_trouble_remedy(trouble) != UPD_REMEDY_AGAIN) {
        enter(fetch, FAILED, now_ms);
        return;
    }
    const uint32_t random = fetch->config.random(fetch->config.ctx);
    fetch->pause_ms = upd_pause_ms(patience->pause_ms, patience->pause_most_ms,
                                   (uint32_t)(patience->tries - fetch->tries_left), random);
    if (trouble == UPD_TROUBLE_BUSY) {
        fetch->pause_ms += fetch->head.retry_after_s * 1000;
    }
    fetch->hops = 0;
    enter(fetch, PAUSE, now_ms);
}

/* --- Asking ----------------------------------------------------------------------------------- */

/* Each try begins with the URL of the request: where a redirect led to may have been for once. */
static enum upd_trouble build_url(struct upd_fetch *fetch)
{
    struct upd_text text = upd_text_on(wire_of(fetch), wire_room(fetch));

    upd_text_add(&text, fetch->request->url);
    if (fetch->request->target != NULL) {
        fetch->request->target(fetch->request->ctx, &text);
    }
    return upd_text_is_whole(&text) ? upd_url_set(&fetch->url, text.start)
                                    : UPD_TROUBLE_URL_TOO_LONG;
}

static void start(struct upd_fetch *fetch, uint32_t now_ms)
{
    const struct upd_transport *transport = fetch->config.transport;
    const enum upd_trouble trouble = fetch->hops == 0 ? build_url(fetch) : UPD_TROUBLE_NONE;

    if (trouble != UPD_TROUBLE_NONE) {
        fail(fetch, trouble, now_ms);
        return;
    }
    fetch->resumes = fetch->announced && fetch->next > 0 && fetch->etag[0] != '\0';
    transport->connect(transport->ctx, fetch->url.text, fetch->url.port, fetch->url.tls);
    enter(fetch, CONNECT, now_ms);
}

static void write_first(const struct upd_fetch *fetch, struct upd_text *line)
{
    upd_text_add(line, fetch->request->head ? "HEAD " : "GET ");
    upd_text_add(line, fetch->url.text + fetch->url.path);
    upd_text_add(line, fetch->request->http_1_0 ? " HTTP/1.0" : " HTTP/1.1");
}

static void write_host(const struct upd_fetch *fetch, struct upd_text *line)
{
    const char *host = fetch->url.text;
    bool literal = false;

    for (uint32_t i = 0; host[i] != '\0'; i++) {
        literal = literal || host[i] == ':';
    }
    upd_text_add(line, literal ? "Host: [" : "Host: ");
    upd_text_add(line, host);
    upd_text_add(line, literal ? "]" : "");
    if (fetch->url.port != (fetch->url.tls ? 443 : 80)) {
        upd_text_add(line, ":");
        upd_text_decimal(line, fetch->url.port);
    }
}

/* Write line fetch->line of the request. @return false: there is none, and `line` is as it was */
static bool write_line(const struct upd_fetch *fetch, struct upd_text *line)
{
    static const char *const names[] = {"Range: bytes=", "If-Range: "};
    const struct upd_request *request = fetch->request;
    const uint32_t parts = fetch->resumes ? 2 : 0;

    switch (fetch->line) {
    case 0:
        write_first(fetch, line);
        return true;
    case 1:
        write_host(fetch, line);
        return true;
    case 2:
        upd_text_add(line, "Connection: close");
        return true;
    default:
        break;
    }
    const uint32_t index = fetch->line - 3;
    if (index < parts) {
        upd_text_add(line, names[index]);
        if (index == 0) {
            upd_text_decimal(line, fetch->next);
        }
        upd_text_add(line, index == 0 ? "-" : fetch->etag);
        return true;
    }
    return !fetch->url.foreign && request->field != NULL &&
           request->field(request->ctx, index - parts, line);
}

/* As many lines as fit at once. @return false: one does not fit at all */
static bool write_lines(struct upd_fetch *fetch)
{
    fetch->start = fetch->end = 0;
    while (fetch->line != NOT_KNOWN) {
        struct upd_text line =
            upd_text_on(wire_of(fetch) + fetch->end, wire_room(fetch) - fetch->end);
        const bool more = write_line(fetch, &line);
        if (more && line.length == 0) {
            fetch->line++; /* a field that is not told */
            continue;
        }
        upd_text_add(&line, "\r\n");
        if (!upd_text_is_whole(&line)) {
            return fetch->end > 0; /* when those before it are gone, it is written again */
        }
        fetch->end += line.length;
        fetch->line = more ? fetch->line + 1 : (uint32_t)NOT_KNOWN;
    }
    return true;
}

static enum upd_fetch_news send(struct upd_fetch *fetch, enum upd_wire wire, uint32_t now_ms)
{
    const struct upd_transport *transport = fetch->config.transport;

    if (fetch->start == fetch->end) {
        if (fetch->line == NOT_KNOWN) {
            fetch->start = fetch->end = 0;
            fetch->head = (struct upd_http_head){.status = 0};
            fetch->head_size = 0;
            fetch->has_cr = fetch->skips = false;
            fetch->state = HEAD; /* since_ms stays: the first byte of the request */
            return UPD_FETCH_BUSY;
        }
        if (!write_lines(fetch)) {
            fail(fetch, UPD_TROUBLE_FIELD_TOO_LONG, now_ms);
            return UPD_FETCH_WAITS;
        }
    }
    if (wire != UPD_WIRE_OPEN) {
        fetch->line = NOT_KNOWN; /* a server may answer, and hang up, before it has read it all */
        fetch->start = fetch->end;
        return UPD_FETCH_BUSY;
    }
    const uint32_t sent =
        transport->send(transport->ctx, wire_of(fetch) + fetch->start, fetch->end - fetch->start);
    fetch->start += sent;
    if (sent == 0 && is_over_ms(fetch->since_ms, now_ms, patience_of(fetch)->answer_ms)) {
        fail(fetch, UPD_TROUBLE_SEND_TIMEOUT, now_ms);
    }
    return sent > 0 ? UPD_FETCH_BUSY : UPD_FETCH_WAITS;
}

static enum upd_fetch_news connecting(struct upd_fetch *fetch, enum upd_wire wire,
                                      enum upd_trouble why, uint32_t now_ms)
{
    if (wire == UPD_WIRE_OPEN) {
        fetch->line = 0;
        fetch->start = fetch->end = 0;
        enter(fetch, SEND, now_ms);
        return UPD_FETCH_BUSY;
    }
    if (wire != UPD_WIRE_OPENING) {
        fail(fetch, wire == UPD_WIRE_BROKEN ? why : UPD_TROUBLE_CONNECTION_LOST, now_ms);
    } else if (is_over_ms(fetch->since_ms, now_ms, patience_of(fetch)->connect_ms)) {
        fail(fetch, UPD_TROUBLE_CONNECT_TIMEOUT, now_ms);
    }
    return UPD_FETCH_WAITS;
}

/* --- What a head means ------------------------------------------------------------------------ */

static bool is_redirect(uint16_t status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

static void begin_body(struct upd_fetch *fetch, uint32_t now_ms)
{
    const bool is_part = fetch->head.status == 206;

    fetch->at = is_part ? fetch->head.first : 0;
    fetch->until = is_part ? fetch->head.until : fetch->has_size ? fetch->size : NOT_KNOWN;
    if (fetch->status != 200 || fetch->request->head) {
        fetch->framing = NO_BODY;
    } else if ((fetch->head.seen & UPD_HTTP_CHUNKS) != 0) {
        fetch->framing = BY_CHUNKS;
    } else {
        fetch->framing = fetch->until != NOT_KNOWN ? BY_LENGTH : BY_END;
    }
    fetch->has_end = fetch->framing != BY_END;
    fetch->chunks = (struct upd_chunks){.left = 0};
    fetch->heard_ms = fetch->window_ms = now_ms;
    fetch->window_at = fetch->at;
    enter(fetch, BODY, now_ms);
}

/* The first answer about this content. */
static enum upd_trouble accept_first(struct upd_fetch *fetch)
{
    const struct upd_http_head *head = &fetch->head;

    if (head->status == 206) {
        return UPD_TROUBLE_NO_PART;
    }
    fetch->status = head->status;
    fetch->has_size = (head->seen & UPD_HTTP_LENGTH) != 0;
    fetch->size = fetch->has_size ? head->length : 0;
    memcpy(fetch->etag, head->etag, sizeof fetch->etag);
    if (head->status == 200 && fetch->has_size && fetch->size > fetch->request->most) {
        return UPD_TROUBLE_TOO_LONG;
    }
    return UPD_TROUBLE_NONE;
}

/* What a later answer states about the whole must be what an earlier one stated, if one did. */
static enum upd_trouble accept_total(struct upd_fetch *fetch, uint32_t total)
{
    if (!fetch->has_size && total > fetch->request->most) {
        return UPD_TROUBLE_TOO_LONG;
    }
    if (!fetch->has_size && total >= fetch->next) {
        fetch->has_size = true;
        fetch->size = total;
    }
    return fetch->has_size && fetch->size == total ? UPD_TROUBLE_NONE : UPD_TROUBLE_CHANGED;
}

/* A later answer, about content of which a part is there already. */
static enum upd_trouble accept_more(struct upd_fetch *fetch)
{
    const struct upd_http_head *head = &fetch->head;
    const bool has_length = (head->seen & UPD_HTTP_LENGTH) != 0;
    const bool is_part = head->status == 206;

    if (head->status == 416) {
        return UPD_TROUBLE_CHANGED;
    }
    if (is_part && !fetch->resumes) {
        return UPD_TROUBLE_NO_PART;
    }
    if (head->status != 200 && !is_part) {
        const enum upd_trouble trouble = upd_trouble_of_status(head->status);
        return trouble != UPD_TROUBLE_NONE ? trouble : UPD_TROUBLE_UNEXPECTED_STATUS;
    }
    if (is_part &&
        (head->etag[0] == '\0' || (head->seen & UPD_HTTP_RANGE) == 0 ||
         head->first != fetch->next || (has_length && head->length != head->until - head->first))) {
        return UPD_TROUBLE_BAD_PART;
    }
    if (fetch->etag[0] != '\0' && memcmp(fetch->etag, head->etag, sizeof fetch->etag) != 0) {
        return UPD_TROUBLE_CHANGED;
    }
    /* All of it: that was asked for, or the server knows no ranges. */
    return is_part      ? accept_total(fetch, head->total)
           : has_length ? accept_total(fetch, head->length)
                        : UPD_TROUBLE_NONE;
}

static enum upd_trouble follow(struct upd_fetch *fetch, uint32_t now_ms)
{
    if ((fetch->head.seen & UPD_HTTP_LOCATION) == 0) {
        return UPD_TROUBLE_BAD_REDIRECT;
    }
    if (fetch->hops >= patience_of(fetch)->redirects) {
        return UPD_TROUBLE_TOO_MANY_REDIRECTS;
    }
    fetch->hops++;
    hang_up(fetch);
    enter(fetch, START, now_ms);
    return UPD_TROUBLE_NONE;
}

/* The empty line at the end of a head. */
static enum upd_trouble end_head(struct upd_fetch *fetch, uint32_t now_ms)
{
    struct upd_http_head *head = &fetch->head;
    const enum upd_trouble meant = upd_trouble_of_status(head->status);
    const uint8_t both = UPD_HTTP_LENGTH | UPD_HTTP_CHUNKS;

    if (head->status < 200) {
        /* Informational: another head follows. 101 would make it another protocol. */
        const bool switches = head->status == 101;
        head->status = 0;
        return switches ? UPD_TROUBLE_UNEXPECTED_STATUS : UPD_TROUBLE_NONE;
    }
    if ((head->seen & both) == both) {
        return UPD_TROUBLE_LENGTH_AND_CHUNKS;
    }
    if (is_redirect(head->status)) {
        return follow(fetch, now_ms);
    }
    if (meant == UPD_TROUBLE_BUSY || meant == UPD_TROUBLE_SERVER_FAILED) {
        return meant;
    }
    const enum upd_trouble trouble = fetch->announced ? accept_more(fetch) : accept_first(fetch);
    if (trouble == UPD_TROUBLE_NONE) {
        begin_body(fetch, now_ms);
    }
    return trouble;
}

/* --- Reading a head --------------------------------------------------------------------------- */

static enum upd_trouble read_field(struct upd_fetch *fetch, char *line, uint32_t size, bool whole)
{
    const struct upd_request *request = fetch->request;
    const char *name = NULL;
    const char *value = NULL;

    enum upd_trouble trouble = upd_http_field(&fetch->head, line, size, whole, &name, &value);
    if (trouble != UPD_TROUBLE_NONE || !whole) {
        return trouble;
    }
    if (is_redirect(fetch->head.status)) {
        return upd_http_same(name, "location") ? upd_url_follow(&fetch->url, value)
                                               : UPD_TROUBLE_NONE;
    }
    if (fetch->head.date_s != 0) {
        fetch->date_s = fetch->head.date_s;
    }
    return request->heard != NULL ? request->heard(request->ctx, name, value) : UPD_TROUBLE_NONE;
}

static enum upd_trouble read_status(struct upd_fetch *fetch, const char *line)
{
    const struct upd_request *request = fetch->request;
    const enum upd_trouble trouble = upd_http_status(&fetch->head, line);

    return trouble == UPD_TROUBLE_NONE && request->heard != NULL
               ? request->heard(request->ctx, NULL, NULL)
               : trouble;
}

/* A line, without its end. */
static enum upd_trouble read_line(struct upd_fetch *fetch, char *line, uint32_t size,
                                  uint32_t now_ms)
{
    if (fetch->skips) {
        fetch->skips = false;
        return UPD_TROUBLE_NONE;
    }
    if (size == 0) {
        return fetch->head.status != 0 ? end_head(fetch, now_ms) : UPD_TROUBLE_NOT_HTTP;
    }
    if (fetch->head.status == 0) {
        line[size] = '\0';
        return read_status(fetch, line);
    }
    return read_field(fetch, line, size, true);
}

/* One line fills the wire: what is there of it decides, and the rest is skipped. */
static enum upd_trouble read_long_line(struct upd_fetch *fetch)
{
    enum upd_trouble trouble = UPD_TROUBLE_NONE;

    if (!fetch->skips) {
        trouble = fetch->head.status == 0
                      ? UPD_TROUBLE_NOT_HTTP
                      : read_field(fetch, wire_of(fetch), fetch->end - 1, false);
    }
    fetch->skips = true;
    fetch->end = 0;
    return trouble;
}

/* Lines that are complete; what is before `scan` was looked at. The state tells whether more come. */
static enum upd_trouble read_lines(struct upd_fetch *fetch, uint32_t scan, uint32_t now_ms)
{
    char *bytes = wire_of(fetch);
    uint32_t line = 0;

    while (scan < fetch->end && fetch->state == HEAD) {
        const char c = bytes[scan++];
        if (fetch->has_cr != (c == '\n') || c == '\0') {
            return fetch->head.status == 0 ? UPD_TROUBLE_NOT_HTTP : UPD_TROUBLE_BAD_LINE;
        }
        fetch->has_cr = c == '\r';
        if (++fetch->head_size > UPD_FETCH_HEAD_MOST) {
            return UPD_TROUBLE_HEAD_TOO_LONG;
        }
        if (c == '\n') {
            const uint32_t size = scan - line;
            const enum upd_trouble trouble =
                read_line(fetch, bytes + line, size > 2 ? size - 2 : 0, now_ms);
            if (trouble != UPD_TROUBLE_NONE) {
                return trouble;
            }
            line = scan;
        }
    }
    if (fetch->state != HEAD) {
        fetch->start = line;
        return UPD_TROUBLE_NONE;
    }
    memmove(bytes, bytes + line, fetch->end - line);
    fetch->end -= line;
    return fetch->end == wire_room(fetch) ? read_long_line(fetch) : UPD_TROUBLE_NONE;
}

static enum upd_fetch_news read_head(struct upd_fetch *fetch, enum upd_wire wire,
                                     enum upd_trouble why, uint32_t now_ms)
{
    const struct upd_transport *transport = fetch->config.transport;
    const uint32_t scan = fetch->end;
    const uint32_t got =
        transport->receive(transport->ctx, wire_of(fetch) + scan, wire_room(fetch) - scan);

    fetch->end += got;
    const enum upd_trouble trouble = read_lines(fetch, scan, now_ms);
    if (trouble != UPD_TROUBLE_NONE) {
        fail(fetch, trouble, now_ms);
        return UPD_FETCH_WAITS;
    }
    if (fetch->state == BODY && !fetch->announced) {
        fetch->announced = true;
        return UPD_FETCH_HEAD;
    }
    if (fetch->state == HEAD && got == 0 && wire != UPD_WIRE_OPEN) {
        const bool none = fetch->head_size == 0;
        fail(fetch,
             wire == UPD_WIRE_BROKEN ? why
             : none                  ? UPD_TROUBLE_NO_ANSWER
                                     : UPD_TROUBLE_HEAD_CUT,
             now_ms);
    } else if (fetch->state == HEAD && got < wire_room(fetch) - scan &&
               is_over_ms(fetch->since_ms, now_ms, patience_of(fetch)->answer_ms)) {
        fail(fetch, UPD_TROUBLE_ANSWER_TIMEOUT, now_ms);
    }
    return got > 0 ? UPD_FETCH_BUSY : UPD_FETCH_WAITS;
}

/* --- The body --------------------------------------------------------------------------------- */

/* The last byte of an answer was taken: of all of it, or of a part. */
static enum upd_fetch_news end_body(struct upd_fetch *fetch, uint32_t now_ms)
{
    const bool has_all = !fetch->has_size || fetch->framing == NO_BODY || fetch->at == fetch->size;

    if (!has_all || fetch->at < fetch->next) {
        fail(fetch, UPD_TROUBLE_BODY_CUT, now_ms);
        return UPD_FETCH_WAITS;
    }
    hang_up(fetch);
    fetch->offset = fetch->next;
    fetch->trouble = UPD_TROUBLE_NONE;
    enter(fetch, DONE, now_ms);
    return UPD_FETCH_DONE;
}

/* Hand out, or skip, what is on the wire of content, of which at most `most` bytes come next. */
static enum upd_fetch_news take_content(struct upd_fetch *fetch, uint32_t most, uint32_t now_ms)
{
    uint32_t size = fetch->end - fetch->start;

    size = size < most ? size : most;
    size = size < UPD_FETCH_PIECE ? size : UPD_FETCH_PIECE;
    if (fetch->at < fetch->next && size > fetch->next - fetch->at) {
        size = fetch->next - fetch->at;
    }
    if (size > fetch->request->most - fetch->at ||
        (fetch->until != NOT_KNOWN && size > fetch->until - fetch->at)) {
        fail(fetch, UPD_TROUBLE_TOO_LONG, now_ms);
        return UPD_FETCH_WAITS;
    }
    const bool is_new = fetch->at == fetch->next;
    fetch->piece = (const uint8_t *)wire_of(fetch) + fetch->start;
    fetch->piece_size = size;
    fetch->offset = fetch->at;
    fetch->start += size;
    fetch->at += size;
    fetch->chunks.left -= fetch->framing == BY_CHUNKS ? size : 0;
    if (!is_new) {
        return UPD_FETCH_BUSY;
    }
    fetch->next = fetch->at;
    return UPD_FETCH_BODY;
}

/* What is on the wire. WAITS: nothing of use. */
static enum upd_fetch_news take_wire(struct upd_fetch *fetch, uint32_t now_ms)
{
    uint32_t used = 0;

    if (fetch->framing == NO_BODY || (fetch->framing == BY_LENGTH && fetch->at == fetch->until)) {
        return end_body(fetch, now_ms);
    }
    if (fetch->framing != BY_CHUNKS) {
        return fetch->start < fetch->end ? take_content(fetch, fetch->until - fetch->at, now_ms)
                                         : UPD_FETCH_WAITS;
    }
    if (!upd_chunks_take(&fetch->chunks, (const uint8_t *)wire_of(fetch) + fetch->start,
                         fetch->end - fetch->start, &used)) {
        fail(fetch, UPD_TROUBLE_BAD_CHUNK, now_ms);
        return UPD_FETCH_WAITS;
    }
    fetch->start += used;
    if (upd_chunks_over(&fetch->chunks)) {
        return end_body(fetch, now_ms);
    }
    return fetch->start < fetch->end ? take_content(fetch, upd_chunks_data(&fetch->chunks), now_ms)
                                     : UPD_FETCH_WAITS;
}

/* Nothing more comes at the moment. */
static void judge_silence(struct upd_fetch *fetch, enum upd_wire wire, enum upd_trouble why,
                          bool heard, uint32_t now_ms)
{
    const struct upd_patience *patience = patience_of(fetch);

    if (!heard && wire != UPD_WIRE_OPEN) {
        if (fetch->framing == BY_END && wire == UPD_WIRE_ENDED) {
            (void)end_body(fetch, now_ms);
        } else {
            fail(fetch, wire == UPD_WIRE_BROKEN ? why : UPD_TROUBLE_BODY_CUT, now_ms);
        }
    } else if (is_over_ms(fetch->heard_ms, now_ms, patience->idle_ms)) {
        fail(fetch, UPD_TROUBLE_STALLED, now_ms);
    } else if (is_over_ms(fetch->window_ms, now_ms, patience->rate_ms)) {
        if (fetch->at - fetch->window_at < patience->rate_bytes) {
            fail(fetch, UPD_TROUBLE_TOO_SLOW, now_ms);
        }
        fetch->window_ms = now_ms;
        fetch->window_at = fetch->at;
    }
}

static enum upd_fetch_news read_body(struct upd_fetch *fetch, enum upd_wire wire,
                                     enum upd_trouble why, uint32_t now_ms)
{
    const struct upd_transport *transport = fetch->config.transport;
    const enum upd_fetch_news news = take_wire(fetch, now_ms);

    if (news != UPD_FETCH_WAITS || fetch->state != BODY) {
        return news;
    }
    fetch->start = 0;
    fetch->end = transport->receive(transport->ctx, wire_of(fetch), wire_room(fetch));
    if (fetch->end > 0) {
        fetch->heard_ms = now_ms;
    }
    if (fetch->end < wire_room(fetch)) {
        judge_silence(fetch, wire, why, fetch->end > 0, now_ms);
    }
    return fetch->state == DONE ? UPD_FETCH_DONE
           : fetch->end > 0     ? UPD_FETCH_BUSY
                                : UPD_FETCH_WAITS;
}

/* --- */

void upd_fetch_init(struct upd_fetch *fetch, const struct upd_fetch_config *config)
{
    const uint32_t room = (config->buffer_size - 32) / 2;

    *fetch = (struct upd_fetch){.config = *config};
    fetch->url.text = (char *)config->buffer;
    fetch->url.room = (uint16_t)(room < 1024 ? room : 1024);
}

void upd_fetch_begin(struct upd_fetch *fetch, const struct upd_request *request, uint32_t now_ms)
{
    const struct upd_fetch_config config = fetch->config;

    hang_up(fetch);
    upd_fetch_init(fetch, &config);
    fetch->request = request;
    fetch->tries_left = patience_of(fetch)->tries;
    fetch->forgiven = PROGRESS;
    enter(fetch, START, now_ms);
}

void upd_fetch_seek(struct upd_fetch *fetch, uint32_t offset, uint32_t now_ms)
{
    fetch->next = offset;
    fetch->forgiven = offset + PROGRESS;
    if (fetch->state == BODY && fetch->has_size && offset == fetch->size) {
        fetch->at = offset; /* no byte is wanted, and no server can be asked for none */
        fetch->framing = NO_BODY;
    }
    if (fetch->state == BODY && fetch->framing != NO_BODY && offset > 0 && fetch->etag[0] != '\0') {
        hang_up(fetch);
        fetch->hops = 0;
        enter(fetch, START, now_ms);
    }
}

void upd_fetch_stop(struct upd_fetch *fetch)
{
    hang_up(fetch);
    fetch->state = IDLE;
}

enum upd_fetch_news upd_fetch_poll(struct upd_fetch *fetch, uint32_t now_ms)
{
    const struct upd_transport *transport = fetch->config.transport;
    enum upd_fetch_news news = UPD_FETCH_WAITS;
    enum upd_trouble why = UPD_TROUBLE_CONNECTION_LOST;
    enum upd_wire wire = UPD_WIRE_CLOSED;

    if (fetch->state >= CONNECT && fetch->state <= BODY) {
        wire = transport->state(transport->ctx, &why);
    }
    switch ((enum state)fetch->state) {
    case IDLE:
        break;
    case START:
        start(fetch, now_ms);
        break;
    case CONNECT:
        news = connecting(fetch, wire, why, now_ms);
        break;
    case SEND:
        news = send(fetch, wire, now_ms);
        break;
    case HEAD:
        news = read_head(fetch, wire, why, now_ms);
        break;
    case BODY:
        news = read_body(fetch, wire, why, now_ms);
        break;
    case PAUSE:
        if (is_over_ms(fetch->since_ms, now_ms, fetch->pause_ms)) {
            enter(fetch, START, now_ms);
            news = UPD_FETCH_BUSY;
        }
        break;
    case DONE:
        return UPD_FETCH_DONE;
    case FAILED:
        break;
    }
    return fetch->state == FAILED ? UPD_FETCH_FAILED : news;
}
