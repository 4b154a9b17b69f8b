#include <updraft/bytes.h>
#include <updraft/http.h>

#include "http_date.h"

enum { RETRY_AFTER_MOST = 3600 };

/* --- Texts ------------------------------------------------------------------------------------ */

static char lower_of(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool upd_http_take(const char **text, const char *lower)
{
    const char *at = *text;

    for (; *lower != '\0'; at++, lower++) {
        if (lower_of(*at) != *lower) {
            return false;
        }
    }
    *text = at;
    return true;
}

bool upd_http_same(const char *text, const char *lower)
{
    return upd_http_take(&text, lower) && *text == '\0';
}

bool upd_http_number(const char **text, uint32_t *number)
{
    const char *at = *text;
    uint32_t value = 0;

    for (; *at >= '0' && *at <= '9'; at++) {
        uint32_t digit = (uint32_t)(*at - '0');
        if (value > (UINT32_MAX - 1 - digit) / 10) {
            return false;
        }
        value = value * 10 + digit;
    }
    if (at == *text) {
        return false;
    }
    *number = value;
    *text = at;
    return true;
}

/* --- URLs ------------------------------------------------------------------------------------- */

static bool ends_server(char c)
{
    return c == '\0' || c == '/' || c == '?' || c == '#';
}

static bool is_of_host(char c, bool literal)
{
    c = lower_of(c);
    return (c >= 'a' && c <= (literal ? 'f' : 'z')) || (c >= '0' && c <= '9') || c == '.' ||
           (literal ? c == ':' : c == '-' || c == '_');
}

static bool same_host(const char *host, const char *other, uint32_t size)
{
    for (uint32_t i = 0; i < size; i++) {
        if (lower_of(host[i]) != lower_of(other[i])) {
            return false;
        }
    }
    return host[size] == '\0';
}

/* What is behind the server, without a fragment. */
static enum upd_trouble set_path(struct upd_url *url, const char *from)
{
    uint32_t at = url->path;

    if (*from != '/') {
        url->text[at++] = '/';
    }
    for (; *from != '\0' && *from != '#'; from++) {
        if (*from <= ' ' || *from > '~') {
            return UPD_TROUBLE_BAD_URL;
        }
        if (at + 1 >= url->room) {
            return UPD_TROUBLE_URL_TOO_LONG;
        }
        url->text[at++] = *from;
    }
    url->text[at] = '\0';
    return UPD_TROUBLE_NONE;
}

/* "host:port/path"; an IPv6 address is in brackets, which are not kept. */
static enum upd_trouble set_server(struct upd_url *url, const char *from, bool tls, bool follows)
{
    const bool literal = *from == '[';
    const char *host = from + literal;
    const char *at = host;
    uint32_t port = tls ? 443 : 80;

    while (!ends_server(*at) && *at != (literal ? ']' : ':')) {
        if (!is_of_host(*at++, literal)) {
            return UPD_TROUBLE_BAD_URL;
        }
    }
    const uint32_t size = (uint32_t)(at - host);
    if (size == 0 || (literal && *at++ != ']')) {
        return UPD_TROUBLE_BAD_URL;
    }
    if (*at == ':') {
        at++;
        if (!upd_http_number(&at, &port) || port == 0 || port > UINT16_MAX) {
            return UPD_TROUBLE_BAD_URL;
        }
    }
    if (!ends_server(*at)) {
        return UPD_TROUBLE_BAD_URL;
    }
    if (size + 3 > url->room) {
        return UPD_TROUBLE_URL_TOO_LONG;
    }
    url->foreign = follows && (url->foreign || tls != url->tls || port != url->port ||
                               !same_host(url->text, host, size));
    memcpy(url->text, host, size);
    url->text[size] = '\0';
    url->path = (uint16_t)(size + 1);
    url->port = (uint16_t)port;
    url->tls = tls;
    return set_path(url, at);
}

enum upd_trouble upd_url_set(struct upd_url *url, const char *from)
{
    const bool tls = upd_http_take(&from, "https://");

    if (!tls && !upd_http_take(&from, "http://")) {
        return UPD_TROUBLE_BAD_URL;
    }
    return set_server(url, from, tls, false);
}

enum upd_trouble upd_url_follow(struct upd_url *url, const char *location)
{
    enum upd_trouble trouble = UPD_TROUBLE_BAD_URL;
    bool tls = url->tls;

    if (location[0] == '/' && location[1] != '/') {
        trouble = set_path(url, location);
    } else {
        if (upd_http_take(&location, "https:")) {
            tls = true;
        } else if (upd_http_take(&location, "http:")) {
            tls = false;
        }
        if (url->tls && !tls) {
            return UPD_TROUBLE_REDIRECT_TO_PLAIN;
        }
        if (upd_http_take(&location, "//")) {
            trouble = set_server(url, location, tls, true);
        }
    }
    return trouble == UPD_TROUBLE_BAD_URL ? UPD_TROUBLE_BAD_REDIRECT : trouble;
}

/* --- The head --------------------------------------------------------------------------------- */

enum upd_trouble upd_http_status(struct upd_http_head *head, const char *line)
{
    uint32_t number = 0;

    *head = (struct upd_http_head){.status = 0};
    head->version_1_1 = upd_http_take(&line, "http/1.1 ");
    if (!head->version_1_1 && !upd_http_take(&line, "http/1.0 ")) {
        return UPD_TROUBLE_NOT_HTTP;
    }
    const char *digits = line;
    if (!upd_http_number(&line, &number) || line - digits != 3 || number < 100 || number > 599 ||
        (*line != ' ' && *line != '\0')) {
        return UPD_TROUBLE_BAD_STATUS;
    }
    head->status = (uint16_t)number;
    return UPD_TROUBLE_NONE;
}

static enum upd_trouble read_length(struct upd_http_head *head, const char *value)
{
    return upd_http_number(&value, &head->length) && *value == '\0' ? UPD_TROUBLE_NONE
                                                                    : UPD_TROUBLE_BAD_LENGTH;
}

/* "bytes 4096-8191/8192". Other statuses than 206 may say what they like: it is not looked at. */
static enum upd_trouble read_range(struct upd_http_head *head, const char *value)
{
    uint32_t last = 0;

    if (head->status != 206) {
        return UPD_TROUBLE_NONE;
    }
    if (!upd_http_take(&value, "bytes ") || !upd_http_number(&value, &head->first) ||
        !upd_http_take(&value, "-") || !upd_http_number(&value, &last) ||
        !upd_http_take(&value, "/") || !upd_http_number(&value, &head->total) || *value != '\0' ||
        head->first > last || last >= head->total) {
        return UPD_TROUBLE_BAD_PART;
    }
    head->until = last + 1;
    return UPD_TROUBLE_NONE;
}

/* HTTP/1.0 has no chunks; a server that sends them all the same is answered by what follows it. */
static enum upd_trouble read_coding(struct upd_http_head *head, const char *value)
{
    return head->version_1_1 && upd_http_same(value, "chunked") ? UPD_TROUBLE_NONE
                                                                : UPD_TROUBLE_BAD_CODING;
}

static enum upd_trouble read_content_coding(struct upd_http_head *head, const char *value)
{
    (void)head;
    return upd_http_same(value, "identity") ? UPD_TROUBLE_NONE : UPD_TROUBLE_COMPRESSED;
}

static enum upd_trouble read_location(struct upd_http_head *head, const char *value)
{
    (void)head;
    return *value != '\0' ? UPD_TROUBLE_NONE : UPD_TROUBLE_BAD_REDIRECT;
}

/* A weak one tells nothing about bytes. */
static enum upd_trouble read_etag(struct upd_http_head *head, const char *value)
{
    const bool weak = value[0] == 'W' && value[1] == '/';
    const char *tag = value + (weak ? 2 : 0);
    uint32_t size = 1;

    if (tag[0] != '"') {
        return UPD_TROUBLE_BAD_ETAG;
    }
    for (; tag[size] != '"'; size++) {
        if (tag[size] <= ' ' || tag[size] > '~') {
            return UPD_TROUBLE_BAD_ETAG;
        }
    }
    if (tag[++size] != '\0') {
        return UPD_TROUBLE_BAD_ETAG;
    }
    if (!weak && size < UPD_ETAG_SIZE) {
        memcpy(head->etag, tag, size + 1);
    }
    return UPD_TROUBLE_NONE;
}

static enum upd_trouble read_date(struct upd_http_head *head, const char *value)
{
    head->date_s = upd_http_date(value);
    return UPD_TROUBLE_NONE;
}

static enum upd_trouble read_retry_after(struct upd_http_head *head, const char *value)
{
    uint32_t seconds = 0;

    if (upd_http_number(&value, &seconds) && *value == '\0') {
        head->retry_after_s = seconds < RETRY_AFTER_MOST ? seconds : RETRY_AFTER_MOST;
    }
    return UPD_TROUBLE_NONE;
}

/* Fields that are understood. `bit` 0: may come twice. `refused`: when it comes twice, or does not
 * fit where lines are read; NONE: then it is as good as not there. */
static const struct {
    const char *name;
    enum upd_trouble (*read)(struct upd_http_head *head, const char *value);
    uint8_t bit;
    uint8_t twice;
    uint8_t too_long;
} fields[] = {
    {"content-length", read_length, UPD_HTTP_LENGTH, UPD_TROUBLE_TWO_LENGTHS,
     UPD_TROUBLE_BAD_LENGTH},
    {"content-range", read_range, UPD_HTTP_RANGE, UPD_TROUBLE_BAD_PART, UPD_TROUBLE_BAD_PART},
    {"transfer-encoding", read_coding, UPD_HTTP_CHUNKS, UPD_TROUBLE_BAD_CODING,
     UPD_TROUBLE_BAD_CODING},
    {"content-encoding", read_content_coding, 0, 0, UPD_TROUBLE_COMPRESSED},
    {"location", read_location, UPD_HTTP_LOCATION, UPD_TROUBLE_BAD_REDIRECT,
     UPD_TROUBLE_URL_TOO_LONG},
    {"etag", read_etag, UPD_HTTP_ETAG, UPD_TROUBLE_BAD_ETAG, UPD_TROUBLE_NONE},
    {"date", read_date, 0, 0, UPD_TROUBLE_NONE},
    {"retry-after", read_retry_after, 0, 0, UPD_TROUBLE_NONE},
};

static enum upd_trouble understand(struct upd_http_head *head, const char *name, const char *value,
                                   bool whole)
{
    for (uint32_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        if (!upd_http_same(name, fields[i].name)) {
            continue;
        }
        if (!whole) {
            return (enum upd_trouble)fields[i].too_long;
        }
        if ((head->seen & fields[i].bit) != 0) {
            return (enum upd_trouble)fields[i].twice;
        }
        head->seen |= fields[i].bit;
        return fields[i].read(head, value);
    }
    return UPD_TROUBLE_NONE;
}

enum upd_trouble upd_http_field(struct upd_http_head *head, char *line, uint32_t size, bool whole,
                                const char **name, const char **value)
{
    uint32_t colon = 0;
    uint32_t begin = 0;

    /* A folded line begins with a blank, and one in front of the colon makes two readings. */
    for (; colon < size && line[colon] != ':'; colon++) {
        if (line[colon] <= ' ' || line[colon] > '~') {
            return UPD_TROUBLE_BAD_LINE;
        }
        line[colon] = lower_of(line[colon]);
    }
    if (colon == 0 || colon == size) {
        return UPD_TROUBLE_BAD_LINE;
    }
    for (begin = colon + 1; begin < size && (line[begin] == ' ' || line[begin] == '\t'); begin++) {
    }
    while (size > begin && (line[size - 1] == ' ' || line[size - 1] == '\t')) {
        size--;
    }
    line[colon] = line[size] = '\0';
    *name = line;
    *value = line + begin;
    return understand(head, *name, *value, whole);
}

/* --- Chunks ----------------------------------------------------------------------------------- */

/* Where the next byte belongs. */
enum { SIZE, EXTENSION, SIZE_LF, DATA, DATA_CR, DATA_LF, TRAILER, OVER };

/* Of lines between two chunks, and of trailers; and digits of a size: 16 MiB are more than any. */
enum { LINES_MOST = 1024, DIGITS_MOST = 8 };

static int32_t hex_digit(uint8_t byte)
{
    const char c = lower_of((char)byte);

    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool take_size(struct upd_chunks *chunks, uint8_t c)
{
    const int32_t digit = hex_digit(c);

    if (digit >= 0) {
        chunks->left = chunks->left << 4 | (uint32_t)digit;
        return ++chunks->digits <= DIGITS_MOST;
    }
    chunks->state = c == '\r' ? SIZE_LF : EXTENSION;
    return chunks->digits > 0 && (c == '\r' || c == ';' || c == ' ' || c == '\t');
}

/* Lines up to an empty one. */
static bool take_trailer(struct upd_chunks *chunks, uint8_t c)
{
    if (chunks->has_cr != (c == '\n')) {
        return false;
    }
    if (c == '\n') {
        chunks->state = chunks->is_filled ? TRAILER : OVER;
        chunks->is_filled = false;
    } else if (c != '\r') {
        chunks->is_filled = true;
    }
    chunks->has_cr = c == '\r';
    return true;
}

static bool take_byte(struct upd_chunks *chunks, uint8_t c)
{
    switch (chunks->state) {
    case SIZE:
        return take_size(chunks, c);
    case EXTENSION:
        chunks->state = c == '\r' ? SIZE_LF : EXTENSION;
        return c == '\r' || c == '\t' || c >= ' ';
    case SIZE_LF:
        chunks->state = chunks->left > 0 ? DATA : TRAILER;
        return c == '\n';
    case DATA_CR:
        chunks->state = DATA_LF;
        return c == '\r';
    case DATA_LF:
        *chunks = (struct upd_chunks){.state = SIZE};
        return c == '\n';
    case TRAILER:
        return take_trailer(chunks, c);
    default:
        return false;
    }
}

bool upd_chunks_take(struct upd_chunks *chunks, const uint8_t *bytes, uint32_t size, uint32_t *used)
{
    for (*used = 0; *used < size; ++*used) {
        if (chunks->state == DATA && chunks->left == 0) {
            chunks->state = DATA_CR;
        }
        if (chunks->state == DATA || chunks->state == OVER) {
            return true;
        }
        if (++chunks->lines > LINES_MOST || !take_byte(chunks, bytes[*used])) {
            return false;
        }
    }
    return true;
}

uint32_t upd_chunks_data(const struct upd_chunks *chunks)
{
    return chunks->state == DATA ? chunks->left : 0;
}

bool upd_chunks_over(const struct upd_chunks *chunks)
{
    return chunks->state == OVER;
}
