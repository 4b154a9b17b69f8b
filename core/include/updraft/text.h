/*
 * updraft: text put together in the caller's buffer.
 *
 * core/ has no printf: messages are made of these few calls. A writer never writes outside its
 * buffer, keeps the text NUL-terminated after every call, and remembers how long the whole text
 * would have been, so a caller that gave too little can tell, and can ask again with enough.
 *
 * Cost: no heap; at most 112 bytes of stack.
 */
#ifndef UPDRAFT_TEXT_H
#define UPDRAFT_TEXT_H

#include <stdbool.h>
#include <stdint.h>

/** A writer. Made by upd_text_on(); its fields are for reading only. */
struct upd_text {
    char *start;     /* NUL-terminated text; owned by the caller; NULL when size is 0 */
    uint32_t size;   /* bytes of the buffer, the NUL included */
    uint32_t length; /* bytes that were written to the writer, without the NUL */
};

/**
 * Start an empty text in a buffer.
 *
 * @param buffer  `size` bytes, owned by the caller and used until the writer is no longer needed;
 *                may be NULL when size is 0: then the writer only counts
 */
struct upd_text upd_text_on(char *buffer, uint32_t size);

/** True when all that was written is in the buffer. */
static inline bool upd_text_is_whole(const struct upd_text *text)
{
    return text->length < text->size;
}

/** Append `size` bytes; they may hold anything but should not hold NUL. */
void upd_text_bytes(struct upd_text *text, const void *bytes, uint32_t size);
/** Append a NUL-terminated string. */
void upd_text_add(struct upd_text *text, const char *string);
/** Append a number in decimal, with a minus sign when it is negative. */
void upd_text_decimal(struct upd_text *text, int64_t value);
/** Append a number in lower-case hexadecimal without "0x", at least `digits` (1 .. 16) long. */
void upd_text_hex(struct upd_text *text, int64_t value, uint32_t digits);

#endif
