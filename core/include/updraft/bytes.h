/*
 * updraft: bytes from outside, read and written one way everywhere.
 *
 * struct upd_reader is the only way in which a parser of core/ walks over bytes that it did not
 * make: upd_take() cannot pass the end. Integers are assembled from bytes, so the code is the same
 * on every byte order and every alignment.
 */
#ifndef UPDRAFT_BYTES_H
#define UPDRAFT_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The four functions that a freestanding C compiler may call by itself, and so every platform has
 * them. They are declared here because <string.h> is not a freestanding header.
 */
void *memcpy(void *restrict target, const void *restrict source, size_t size);
void *memmove(void *target, const void *source, size_t size);
void *memset(void *target, int value, size_t size);
int memcmp(const void *one, const void *other, size_t size);

/** Bytes still to be read. `at` points to `left` readable bytes, owned by the caller. */
struct upd_reader {
    const uint8_t *at;
    uint32_t left;
};

/**
 * Take the next `size` bytes.
 *
 * @return true   *bytes points to them, inside the reader's buffer; the reader moved on
 * @return false  fewer than `size` are left; neither the reader nor *bytes changed
 */
static inline bool upd_take(struct upd_reader *in, uint32_t size, const uint8_t **bytes)
{
    if (size > in->left) {
        return false;
    }
    *bytes = in->at;
    in->at += size;
    in->left -= size;
    return true;
}

static inline uint16_t upd_get_le16(const uint8_t *p)
{
    return (uint16_t)(p[0] | (uint16_t)(p[1] << 8));
}

static inline uint32_t upd_get_le24(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16;
}

static inline uint32_t upd_get_le32(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline void upd_put_le16(uint8_t *p, uint16_t value)
{
    p[0] = (uint8_t)value;
    p[1] = (uint8_t)(value >> 8);
}

static inline void upd_put_le24(uint8_t *p, uint32_t value)
{
    p[0] = (uint8_t)value;
    p[1] = (uint8_t)(value >> 8);
    p[2] = (uint8_t)(value >> 16);
}

static inline void upd_put_le32(uint8_t *p, uint32_t value)
{
    p[0] = (uint8_t)value;
    p[1] = (uint8_t)(value >> 8);
    p[2] = (uint8_t)(value >> 16);
    p[3] = (uint8_t)(value >> 24);
}

static inline uint32_t upd_get_be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline void upd_put_be32(uint8_t *p, uint32_t value)
{
    p[0] = (uint8_t)(value >> 24);
    p[1] = (uint8_t)(value >> 16);
    p[2] = (uint8_t)(value >> 8);
    p[3] = (uint8_t)value;
}

#endif
