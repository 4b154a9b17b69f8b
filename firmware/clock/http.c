#include "http.h"

#include "calendar.h"
#include "text.h"

void http_begin(struct http_head *head)
{
    *head = (struct http_head){.status = 0};
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Move *text behind a start that it has, case ignored. */
static bool take(const char **text, const char *start)
{
    const char *at = *text;

    for (; *start != '\0'; at++, start++) {
        if (lower(*at) != *start) {
            return false;
        }
    }
    *text = at;
    return true;
}

static bool take_number(const char **text, uint32_t *number)
{
    const char *at = *text;

    *number = 0;
    for (; *at >= '0' && *at <= '9'; at++) {
        uint32_t digit = (uint32_t)(*at - '0');
        if (*number > (UINT32_MAX - digit) / 10) {
            return false;
        }
        *number = *number * 10 + digit;
    }
    if (at == *text) {
        return false;
    }
    *text = at;
    return true;
}

/* "HTTP/1.1 200 OK" */
static enum upd_err read_status(struct http_head *head)
{
    const char *at = head->line;
    uint32_t number = 0;

    if ((!take(&at, "http/1.0 ") && !take(&at, "http/1.1 ")) || !take_number(&at, &number) ||
        number < 200 || number > 599 || (*at != ' ' && *at != '\0')) {
        return UPD_E_FORMAT;
    }
    head->status = (uint16_t)number;
    return UPD_OK;
}

static enum upd_err read_length(struct http_head *head, const char *value)
{
    if (head->has_length || !take_number(&value, &head->length) || *value != '\0') {
        return UPD_E_FORMAT;
    }
    head->has_length = true;
    return UPD_OK;
}

/* "bytes 4096-8191/8192" */
static enum upd_err read_range(struct http_head *head, const char *value)
{
    uint32_t last = 0;
    uint32_t all = 0;

    if (head->has_range || !take(&value, "bytes ") || !take_number(&value, &head->first) ||
        !take(&value, "-") || !take_number(&value, &last) || !take(&value, "/") ||
        !take_number(&value, &all) || *value != '\0' || head->first > last || last >= all) {
        return UPD_E_FORMAT;
    }
    head->has_range = true;
    return UPD_OK;
}

static enum upd_err read_field(struct http_head *head)
{
    const char *value = head->line;

    /* A line that goes on from the one before, or that has a blank in front of its colon. */
    for (; *value != ':'; value++) {
        if (*value <= ' ' || *value > '~') {
            return UPD_E_FORMAT;
        }
    }
    if (value == head->line) {
        return UPD_E_FORMAT;
    }
    const char *name = head->line;
    do {
        value++;
    } while (*value == ' ' || *value == '\t');
    if (head->line_size >= HTTP_LINE) {
        /* Its value is cut off: as good as not there, unless the answer depends on it. */
        return take(&name, "content-length:") || take(&name, "content-range:") ||
                       take(&name, "transfer-encoding:")
                   ? UPD_E_FORMAT
                   : UPD_OK;
    }
    if (take(&name, "content-length:")) {
        return read_length(head, value);
    }
    if (take(&name, "content-range:")) {
        return read_range(head, value);
    }
    if (take(&name, "transfer-encoding:") || take(&name, "content-encoding:")) {
        return UPD_E_FORMAT;
    }
    if (take(&name, "date:") && !calendar_parse(value, &head->date)) {
        head->date = 0;
    }
    return UPD_OK;
}

static enum upd_err read_line(struct http_head *head)
{
    uint32_t end = head->line_size < HTTP_LINE ? head->line_size : HTTP_LINE - 1;

    while (end > 0 && (head->line[end - 1] == ' ' || head->line[end - 1] == '\t')) {
        end--;
    }
    head->line[end] = '\0';
    return head->status == 0 ? read_status(head) : read_field(head);
}

enum upd_err http_feed(struct http_head *head, const uint8_t *data, uint32_t size, uint32_t *used)
{
    for (*used = 0; *used < size;) {
        char c = (char)data[(*used)++];

        if (++head->size > HTTP_HEAD || head->got_cr != (c == '\n') || c == '\0') {
            return UPD_E_FORMAT;
        }
        head->got_cr = c == '\r';
        if (c == '\n') {
            if (head->line_size == 0 && head->status != 0) {
                return UPD_OK;
            }
            enum upd_err err = read_line(head);
            if (err != UPD_OK) {
                return err;
            }
            head->line_size = 0;
        } else if (c != '\r') {
            if (head->line_size < HTTP_LINE - 1) {
                head->line[head->line_size] = c;
            }
            head->line_size++;
        }
    }
    return UPD_E_SHORT;
}

uint32_t http_request(char *request, uint32_t size, const char *path, uint32_t from)
{
    struct text text = text_on(request, size);

    text_add(&text, "GET ");
    text_add(&text, path);
    text_add(&text, " HTTP/1.0\r\n");
    if (from > 0) {
        text_add(&text, "Range: bytes=");
        text_number(&text, from, 1, ' ');
        text_add(&text, "-\r\n");
    }
    text_add(&text, "User-Agent: updraft-clock\r\n\r\n");
    return text.length + 1 < size ? text.length : 0;
}
