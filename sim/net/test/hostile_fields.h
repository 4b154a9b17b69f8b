/*
 * What servers do wrong in the fields of their own protocols, and in compressed content: rows as in
 * hostile_cases.h.
 */
#ifndef SIM_TEST_HOSTILE_FIELDS_H
#define SIM_TEST_HOSTILE_FIELDS_H

#include "hostile_cases.h"

/* clang-format off */

/* ESPhttpUpdate and OTAdrive: x-MD5, Content-Length, x-version. */
static const struct hostile field_rows[] = {
    {.name = "no MD5", .trouble = FINE, .head = "%S%E%L\r\n"},
    {.name = "no MD5, and a forged image", .trouble = FINE, .part = T(CHANGED), .head = "%S%E%L\r\n",
     .body = BODY_FORGED},
    {.name = "an MD5 in capitals", .trouble = FINE, .head = "%S%Ex-MD5: %D\r\n%L\r\n"},
    {.name = "the MD5 twice", .trouble = FINE, .head = "%S%E%M%M%L\r\n"},
    {.name = "the MD5, and no length", .trouble = FINE, .head = "%S%E%M\r\n", .end = END_CLOSE},
    {.name = "the MD5, no length, and an end in the middle", .trouble = T(BODY_CUT), .head = "%S%E%M\r\n",
     .place = IN_MIDDLE, .end = END_CLOSE},
    {.name = "an MD5 of nothing", .trouble = T(IMAGE_DIGEST), .part = FINE,
     .head = "%S%Ex-MD5: d41d8cd98f00b204e9800998ecf8427e\r\n%L\r\n"},
    {.name = "two MD5s, the right one last", .trouble = T(BAD_DIGEST), .part = FINE,
     .head = "%S%Ex-MD5: d41d8cd98f00b204e9800998ecf8427e\r\n%M%L\r\n"},
    {.name = "an empty MD5", .trouble = T(BAD_DIGEST), .part = FINE, .head = "%S%Ex-MD5: \r\n%L\r\n"},
    {.name = "an MD5 of 31 digits", .trouble = T(BAD_DIGEST), .part = FINE,
     .head = "%S%Ex-MD5: d41d8cd98f00b204e9800998ecf8427\r\n%L\r\n"},
    {.name = "an MD5 of 33 digits", .trouble = T(BAD_DIGEST), .part = FINE, .head = "%S%Ex-MD5: %d0\r\n%L\r\n"},
    {.name = "an MD5 in quotes", .trouble = T(BAD_DIGEST), .part = FINE, .head = "%S%Ex-MD5: \"%d\"\r\n%L\r\n"},
    {.name = "an MD5 and another one after a comma", .trouble = T(BAD_DIGEST), .part = FINE,
     .head = "%S%Ex-MD5: %d, %d\r\n%L\r\n"},
    {.name = "an MD5 that is not hexadecimal", .trouble = T(BAD_DIGEST), .part = FINE,
     .head = "%S%Ex-MD5: g41d8cd98f00b204e9800998ecf8427e\r\n%L\r\n"},
    {.name = "an MD5 of 300 bytes", .trouble = T(BAD_DIGEST), .part = FINE, .head = "%S%Ex-MD5: %X\r\n%L\r\n"},
    {.name = "a version of 300 bytes", .trouble = FINE, .head = "%S%E%Mx-version: %X\r\n%L\r\n"},
    {.name = "two versions", .trouble = T(BAD_VERSION), .part = FINE,
     .head = "%S%E%Mx-version: 1.0.1\r\nx-version: 1.0.1\r\n%L\r\n"},
    {.name = "a version with a control byte", .trouble = T(BAD_VERSION), .part = FINE,
     .head = "%S%E%Mx-version: 1.\x01\r\n%L\r\n"},
    {.name = "a version in another script", .trouble = T(BAD_VERSION), .part = FINE,
     .head = "%S%E%Mx-version: \xC3\xA9\r\n%L\r\n"},
    {.name = "the version that runs, and another image", .trouble = FINE, .head = "%S%E%Mx-version: 1.0.0\r\n%L\r\n"},
    {.name = "nothing newer, and an image", .trouble = T(NONE), .part = T(UNEXPECTED_STATUS),
     .head = "HTTP/1.1 304 Same\r\n%M%Ex-version: 1.0.1\r\n%L\r\n"},
    {.name = "no MD5, and a flipped bit", .trouble = T(IMAGE_DIGEST), .part = T(CHANGED), .head = "%S%E%L\r\n",
     .body = BODY_FLIPPED, .arg = 700},
};

/* Compressed, by the Arduino cores' protocol. */
#define ZIPPED(what) .head = "HTTP/1.1 200 OK\r\n%E%L\r\n", .body = BODY_ZIP, .arg = what
static const struct hostile zip_rows[] = {
    {.name = "gzip", .trouble = FINE, ZIPPED(ZIP_GOOD)},
    {.name = "gzip that is not compressed", .trouble = FINE, ZIPPED(ZIP_STORED)},
    {.name = "gzip with a wrong CRC", .trouble = T(IMAGE_DIGEST), ZIPPED(ZIP_CRC)},
    {.name = "gzip with a wrong size", .trouble = T(IMAGE_FORMAT), ZIPPED(ZIP_SIZE)},
    {.name = "gzip with a huge size", .trouble = T(IMAGE_FORMAT), ZIPPED(ZIP_HUGE_SIZE)},
    {.name = "gzip with another magic", .trouble = T(IMAGE_FORMAT), ZIPPED(ZIP_MAGIC)},
    {.name = "gzip by another method", .trouble = T(IMAGE_FORMAT), ZIPPED(ZIP_METHOD)},
    {.name = "gzip with reserved flags", .trouble = T(IMAGE_FORMAT), ZIPPED(ZIP_FLAGS)},
    {.name = "gzip with a name without end", .trouble = T(IMAGE_SHORT), ZIPPED(ZIP_NAME)},
    {.name = "gzip with a flipped bit", .trouble = T(IMAGE_FORMAT), ZIPPED(ZIP_DAMAGED)},
    {.name = "gzip with bytes behind it", .trouble = T(IMAGE_FORMAT), ZIPPED(ZIP_TRAILING)},
    {.name = "gzip with a byte behind it", .trouble = T(IMAGE_FORMAT), ZIPPED(ZIP_ONE_MORE)},
    {.name = "gzip twice", .trouble = T(IMAGE_FORMAT), ZIPPED(ZIP_TWICE)},
    {.name = "half a gzip", .trouble = T(IMAGE_SHORT), ZIPPED(ZIP_HALF)},
    {.name = "gzip without its trailer", .trouble = T(IMAGE_SHORT), ZIPPED(ZIP_NO_TRAILER)},
    {.name = "gzip with half its trailer", .trouble = T(IMAGE_SHORT), ZIPPED(ZIP_HALF_TRAILER)},
    {.name = "a head of gzip", .trouble = T(IMAGE_SHORT), ZIPPED(ZIP_HEAD)},
    {.name = "a byte of gzip", .trouble = T(IMAGE_SHORT), ZIPPED(ZIP_BYTE)},
    {.name = "a bomb behind the image", .trouble = T(IMAGE_FORMAT), ZIPPED(ZIP_BOMB)},
    {.name = "a bomb of zeros", .trouble = T(IMAGE_FORMAT), ZIPPED(ZIP_ZEROS)},
    {.name = "gzip of another chip's image", .trouble = T(IMAGE_TARGET), ZIPPED(ZIP_CHIP)},
    {.name = "gzip of nothing", .trouble = T(IMAGE_SHORT), ZIPPED(ZIP_NOTHING)},
    {.name = "gzip of an image that is too short", .trouble = T(IMAGE_SHORT), ZIPPED(ZIP_SHORT)},
    {.name = "gzip of an image with a flipped bit", .trouble = T(IMAGE_DIGEST), ZIPPED(ZIP_FLIPPED)},
    {.name = "gzip in gzip", .trouble = T(IMAGE_FORMAT), ZIPPED(ZIP_IN_ZIP)},
    {.name = "gzip, and the end in the middle", .trouble = T(BODY_CUT), ZIPPED(ZIP_GOOD), .place = IN_MIDDLE,
     .end = END_CLOSE},
    {.name = "gzip that breaks off again and again", .trouble = T(CONNECTION_LOST), .place = IN_MIDDLE, .end = END_RESET,
     ZIPPED(ZIP_GOOD)},
};

/* Devices with larger slots, and two places. */
static const struct hostile place_rows[] = {
    {.name = "the image for the slot that runs", .trouble = T(IMAGE_TARGET), .body = BODY_PLACE, .head = "%S%E%L\r\n",
     .part = T(BAD_PART)},
    {.name = "a length that no slot has", .trouble = T(IMAGE_TOO_LARGE), .part = T(BAD_PART),
     .head = "%S%E%MContent-Length: 3000000\r\n\r\n"},
};

/* What some devices call by another name, because what is wrong shows earlier, or later. */
static const struct exception {
    const char *row;
    const char *way;         /* begins so */
    enum upd_trouble full;   /* NONE: as in the row */
    enum upd_trouble part;
} exceptions[] = {
    {"larger than the slot", "", T(IMAGE_FORMAT), T(NONE)}, /* these have larger slots */
    {"a chunk of 4 GiB", "eboot", T(NONE), T(CHANGED)},
    {"chunks shorter than they say", "eboot", T(IMAGE_FORMAT), T(NONE)},
    {"a bit at the beginning", "eboot", T(IMAGE_FORMAT), T(NONE)},
    {"gzip with a flipped bit", "otadata", T(NONE), T(CHANGED)},
    {"gzip of an image with a flipped bit", "", T(NONE), T(CHANGED)},
};
/* clang-format on */

#define ROWS(table) table, sizeof table / sizeof table[0]

#endif
