/*
 * The label of an image of the clock: the first bytes of its flash part, so that a clock can tell
 * which version lies in the other slot. Offset 0: "updclock"; 8: the version, NUL-padded to 16
 * bytes; 24: 1 for user1, 2 for user2; 25 to 31: 0.
 */
#ifndef CLOCK_LABEL_H
#define CLOCK_LABEL_H

#include <stdbool.h>
#include <stdint.h>

#include "clock.h"

enum { LABEL_OFFSET = 16 }; /* in the image, behind the header of its flash part */
enum { LABEL_SIZE = 32 };
#define LABEL_MAGIC "updclock"

struct label {
    char magic[8];
    char version[CLOCK_VERSION_SIZE];
    uint8_t slot;
    uint8_t zero[7];
};
_Static_assert(sizeof(struct label) == LABEL_SIZE, "the label's layout is that of the comment");

/**
 * True for the text of a version: 1 to 15 letters, digits, dots, plus, minus, parentheses. It goes into
 * paths.
 */
bool label_is_version(const char *text, uint32_t length);

/** @return false: it is no label; *version is "" */
bool label_version(const struct label *label, char version[CLOCK_VERSION_SIZE]);

#endif
