/* Server-sent events as they go over the wire (HTML standard, 9.2). */
#include <stdio.h>
#include <string.h>

#include "http/exchange.h"

/* Adds to a text that may be too short; counts on. */
static size_t put(char *text, size_t size, size_t at, const char *from, size_t count)
{
    if (at + count <= size) {
        memcpy(text + at, from, count);
    }
    return at + count;
}

size_t http_event_write(const struct http_event *event, char *text, size_t size)
{
    char number[32];
    size_t at = 0;
    const char *line = event->data;

    if (event->id != 0) {
        int digits = snprintf(number, sizeof number, "id: %llu\n", (unsigned long long)event->id);
        at = put(text, size, at, number, (size_t)digits);
    }
    if (event->name != NULL) {
        at = put(text, size, at, "event: ", 7);
        at = put(text, size, at, event->name, strcspn(event->name, "\r\n"));
        at = put(text, size, at, "\n", 1);
    }
    /* Each line of the data has a line of its own; CR, LF and CRLF all end one for the reader. */
    for (;;) {
        size_t length = strcspn(line, "\r\n");

        at = put(text, size, at, "data: ", 6);
        at = put(text, size, at, line, length);
        at = put(text, size, at, "\n", 1);
        line += length;
        if (*line == 0) {
            return put(text, size, at, "\n", 1);
        }
        line += line[0] == '\r' && line[1] == '\n' ? 2 : 1;
    }
}
