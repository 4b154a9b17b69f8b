/*
 * Pieces of text that are not NUL-terminated, as the CSV code of partition tables handles them.
 * Private to core/src/. Blanks and line ends are those of Python's str, which the original tools
 * work with: UTF-8 text may have them outside of ASCII too.
 */
#ifndef UPDRAFT_SLICE_H
#define UPDRAFT_SLICE_H

#include <stdbool.h>
#include <stdint.h>

struct slice {
    const char *at;
    uint32_t size;
};

struct slice upd_slice_of(const char *string);
bool upd_slice_equal(struct slice one, struct slice other);
/** Byte order, which in UTF-8 is the order of code points: below 0, 0 or above 0. */
int upd_slice_compare(struct slice one, struct slice other);
/** Without blanks at both ends. */
struct slice upd_slice_trim(struct slice text);
/** Take what stands before the first `separator`, which is dropped; all of it when there is none.
 */
struct slice upd_slice_split(struct slice *rest, char separator);

/**
 * Decode the first code point of UTF-8 text, as strictly as Python does.
 *
 * @return its bytes, 1 … 4; 0 when there is none, or none that is valid
 */
uint32_t upd_utf8_decode(const void *bytes, uint32_t left, uint32_t *point);
/** Encode a code point, which is valid; returns its bytes, 1 … 4. */
uint32_t upd_utf8_encode(uint32_t point, char bytes[4]);

bool upd_is_line_end(uint32_t point);
bool upd_is_blank(uint32_t point);
/** A letter, digit or underscore of ASCII. */
bool upd_is_word(char c);

#endif
