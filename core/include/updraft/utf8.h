/*
 * updraft: text in UTF-8, looked at one character at a time (RFC 3629).
 *
 * Cost: no heap; at most 32 bytes of stack.
 */
#ifndef UPDRAFT_UTF8_H
#define UPDRAFT_UTF8_H

#include <stdint.h>

/**
 * Read the character at the start of some bytes.
 *
 * @param bytes  `size` bytes, not NULL when size is not 0
 * @param code   out: the code point, 0 .. 0x10FFFF, never a surrogate; unchanged when there is
 * none. May be NULL
 *
 * @return 1 .. 4  the bytes that it takes
 * @return 0       no byte is left, or they do not begin with a character in its shortest form
 */
uint32_t upd_utf8_read(const uint8_t *bytes, uint32_t size, uint32_t *code);

#endif
