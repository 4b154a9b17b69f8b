#include "wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void wire_forget(struct wire_lines *lines)
{
    free(lines->held);
    lines->held = NULL;
    lines->size = 0;
}

size_t wire_room(const struct wire_lines *lines)
{
    const size_t most = 2 * (size_t)WIRE_LINE_MAX;

    return lines->size < most ? most - lines->size : 0;
}

/* Hand out complete lines of `bytes` from *at on; *at then is where the rest begins. */
static bool hand_out(const char *bytes, size_t size, size_t *at, wire_line *each, void *ctx)
{
    const char *end;

    while (*at < size && (end = memchr(bytes + *at, '\n', size - *at)) != NULL) {
        const char *line = bytes + *at;
        size_t length = (size_t)(end - line);

        if (length > WIRE_LINE_MAX) {
            return true; /* the caller sees a rest that is too long */
        }
        *at += length + 1;
        while (length > 0 && (line[length - 1] == '\r' || line[length - 1] == ' ')) {
            length--;
        }
        if (length > 0 && !each(ctx, line, length)) {
            return false;
        }
    }
    return true;
}

/* Keep bytes[at, size): of what is held already, or of what has just come. */
static bool keep(struct wire_lines *lines, const char *bytes, size_t at, size_t size)
{
    const size_t rest = size - at;

    if (rest == 0) {
        wire_forget(lines);
        return true;
    }
    if (bytes == lines->held) {
        memmove(lines->held, bytes + at, rest);
    } else {
        lines->held = malloc(rest);
        if (lines->held == NULL) {
            return false;
        }
        memcpy(lines->held, bytes + at, rest);
    }
    lines->size = (uint32_t)rest;
    return true;
}

enum wire_result wire_feed(struct wire_lines *lines, const char *bytes, size_t size,
                           wire_line *each, void *ctx)
{
    size_t at = 0;
    bool all;

    if (lines->size > 0) {
        char *joined = realloc(lines->held, lines->size + size);
        if (joined == NULL) {
            wire_forget(lines);
            return WIRE_NO_MEMORY;
        }
        if (size > 0) {
            memcpy(joined + lines->size, bytes, size);
        }
        lines->held = joined;
        size += lines->size;
        lines->size = (uint32_t)size;
        bytes = joined;
    }
    all = hand_out(bytes, size, &at, each, ctx);
    if (all && size - at > WIRE_LINE_MAX) {
        wire_forget(lines);
        return WIRE_TOO_LONG;
    }
    if (!keep(lines, bytes, at, size)) {
        return WIRE_NO_MEMORY;
    }
    return all ? WIRE_OK : WIRE_STOPPED;
}

size_t wire_number(const char *message, size_t size, int64_t nonce, char out[WIRE_MESSAGE_MAX])
{
    char first[32];
    size_t head = (size_t)snprintf(first, sizeof first, "{\"nonce\": %lld, ", (long long)nonce);

    /* The object's own brace gives way. */
    if (size == 0 || nonce < 0 || nonce > WIRE_NONCE_MAX || head + size - 1 > WIRE_MESSAGE_MAX) {
        return 0;
    }
    memcpy(out, first, head);
    memcpy(out + head, message + 1, size - 1);
    return head + size - 1;
}

size_t wire_write(const json_t *message, int64_t nonce, char out[WIRE_MESSAGE_MAX])
{
    char text[WIRE_MESSAGE_MAX];
    size_t size;

    if (!json_is_object(message) || json_object_size(message) == 0) {
        return 0;
    }
    size = json_dumpb(message, text, sizeof text - 1, JSON_ENSURE_ASCII);
    if (size == 0 || size > sizeof text - 1) {
        return 0;
    }
    text[size++] = '\n';
    if (nonce >= 0) {
        return wire_number(text, size, nonce, out);
    }
    memcpy(out, text, size);
    return size;
}

bool wire_version_arrives(const char *version)
{
    return strlen(version) == WIRE_VERSION_EXACT;
}
