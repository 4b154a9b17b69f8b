/*
 * updraftd: the bytes of Espressif's device link: lines in, messages out.
 *
 * One JSON object per line. Devices are generous senders and poor readers: everything that their
 * parser needs of what we send is in this file, by name.      Format:
 * docs/formats/espressif-link.md
 */
#ifndef UPDRAFT_SERVER_LINK_WIRE_H
#define UPDRAFT_SERVER_LINK_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

enum {
    /* A device takes a piece of exactly this size for one that goes on. */
    WIRE_SEGMENT = 1460,
    /* So that a message, with its line end, is always smaller. */
    WIRE_MESSAGE_MAX = WIRE_SEGMENT - 1,
    /* Longest line that is taken from a device. */
    WIRE_LINE_MAX = 4096,
    /* A device copies the nonce into 11 bytes without looking; this one has ten digits. */
    WIRE_NONCE_MAX = 2147483647,
    /* A device copies 15 characters of a version; a shorter one keeps the quote after it. */
    WIRE_VERSION_EXACT = 15,
    /* A device takes what it receives at once for one message: wait so long between two, when it
     * has not answered in between. */
    WIRE_PAUSE_MS = 200,
    /* What a device has for the seconds of a timer list: ten digits, then a comma. */
    WIRE_TIMESTAMP_MAX = 2147483647,
};

/** Bytes of lines that are not complete. All zero: none, and no memory. */
struct wire_lines {
    char *held;
    uint32_t size;
};

enum wire_result {
    WIRE_OK,
    WIRE_STOPPED,  /* the function answered false: what is left is held; go on with size 0 */
    WIRE_TOO_LONG, /* a line is longer than WIRE_LINE_MAX */
    WIRE_NO_MEMORY,
};

/** A line without its end, never empty, not NUL-terminated, valid during the call. */
typedef bool wire_line(void *ctx, const char *line, size_t size);

/**
 * Take bytes as they come, cut or joined anywhere, and hand out the complete lines. Ends are LF or
 * CR LF; empty lines are skipped.
 *
 * @param each  answers whether to go on
 * @return as above; after TOO_LONG and NO_MEMORY nothing is held, and the link is to be closed
 */
enum wire_result wire_feed(struct wire_lines *lines, const char *bytes, size_t size,
                           wire_line *each, void *ctx);
/** Bytes that may be held while the reader is stopped; callers read no more than fit. */
size_t wire_room(const struct wire_lines *lines);
void wire_forget(struct wire_lines *lines);

/**
 * Write a message as a device can read it: one space after each colon and comma, ASCII alone, the
 * nonce first so that a comma follows it, one line, never WIRE_SEGMENT bytes.
 *
 * @param message  an object with at least one member, none of them "nonce"
 * @param nonce    0..WIRE_NONCE_MAX; negative: none
 * @param out      room for WIRE_MESSAGE_MAX bytes; no NUL is written
 * @return size in bytes, its line end included; 0: it does not fit, or is not such an object
 */
size_t wire_write(const json_t *message, int64_t nonce, char out[WIRE_MESSAGE_MAX]);

/**
 * Put a nonce before a message that wire_write() made without one.
 * @return size in bytes; 0: it does not fit
 */
size_t wire_number(const char *message, size_t size, int64_t nonce, char out[WIRE_MESSAGE_MAX]);

/** Whether a device keeps this version as it is. */
bool wire_version_arrives(const char *version);

#endif
