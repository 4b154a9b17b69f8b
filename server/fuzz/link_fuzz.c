/* Bytes of a link of any content, cut as the first byte says: every line is read or has a fault
 * that can be told, and what can be read can be written, and is read again as the same. */
#include "link/message.h"
#include "link/wire.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void insist(bool condition)
{
    if (!condition) {
        abort();
    }
}

static void write_again(const struct link_message *message)
{
    char bytes[WIRE_MESSAGE_MAX];
    json_t *copy = json_copy(message->json);
    struct link_message again;
    struct link_fault fault;
    size_t written;

    json_object_del(copy, "nonce");
    written = wire_write(copy, message->nonce, bytes);
    insist(written < WIRE_SEGMENT);
    if (written > 0) {
        insist(bytes[written - 1] == '\n' && memchr(bytes, '\n', written) == bytes + written - 1);
        insist(link_message_read(bytes, written, &again, &fault));
        insist(again.nonce == message->nonce && again.topic == message->topic);
        link_message_free(&again);
    }
    json_decref(copy);
}

static bool each(void *ctx, const char *line, size_t size)
{
    struct link_message message;
    struct link_fault fault;
    unsigned *count = ctx;

    insist(size > 0 && size <= WIRE_LINE_MAX && memchr(line, '\n', size) == NULL);
    if (link_message_read(line, size, &message, &fault)) {
        insist(fault.why == NULL && message.json != NULL);
        write_again(&message);
    } else {
        insist(fault.why != NULL && message.json == NULL);
    }
    link_message_free(&message);
    /* Stops now and then, as a link does while a worker is at it. */
    return ++*count % 3 != 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wire_lines lines = {NULL, 0};
    const char *bytes = (const char *)data;
    unsigned count = 0;
    enum wire_result result = WIRE_OK;
    const size_t step = size > 0 ? (size_t)data[0] + 1 : 1;

    for (size_t at = 1; at < size && result != WIRE_TOO_LONG;) {
        const size_t room = wire_room(&lines);
        size_t piece = size - at < step ? size - at : step;
        piece = piece < room ? piece : room;
        result = wire_feed(&lines, bytes + at, piece, each, &count);
        at += piece;
        while (result == WIRE_STOPPED) {
            result = wire_feed(&lines, NULL, 0, each, &count);
        }
        insist(result == WIRE_OK || result == WIRE_TOO_LONG);
        insist(lines.size <= WIRE_LINE_MAX);
    }
    wire_forget(&lines);
    return 0;
}
