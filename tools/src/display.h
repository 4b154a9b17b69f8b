/* Bytes of files, made fit to be shown: a file must not be able to send commands to a terminal. */
#ifndef UPDRAFT_TOOL_DISPLAY_H
#define UPDRAFT_TOOL_DISPLAY_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

/**
 * Copy text, up to its first NUL, with every control character and everything that is not UTF-8
 * written as \xNN.
 *
 * @param text   at most `count` bytes
 * @param shown  out: NUL-terminated, cut at `size`; 4 * count + 1 bytes take everything
 * @return shown
 */
const char *display(const void *text, size_t count, char *shown, size_t size);

/** Write text of several lines, each with `prefix` in front and as display() shows it. */
void display_lines(FILE *out, const char *text, const char *prefix);

/** The same text as a JSON string; what is not UTF-8 is written as by display(). New reference. */
json_t *display_json(const void *text, size_t count);

/** Bytes as lower-case hex, as a JSON string and as text; `hex` holds 2 * size + 1. */
json_t *hex_json(const uint8_t *bytes, size_t size);
const char *hex_text(const uint8_t *bytes, size_t size, char *hex);

/** "396900 bytes (387.6 KiB)" and the like, for text. */
const char *size_text(uint64_t size, char *text, size_t room);

/** Text in a colour when standard output shows colours, else plain. Good is green, bad is red. */
const char *colour_good(void);
const char *colour_bad(void);
const char *colour_end(void);

#endif
