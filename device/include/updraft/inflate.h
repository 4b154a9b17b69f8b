/*
 * updraft: what stands between the fetch and the writer when content is compressed. A constant, so
 * that a build that takes no compressed images does not carry the code.
 */
#ifndef UPDRAFT_INFLATE_H
#define UPDRAFT_INFLATE_H

#include <updraft/gunzip.h>

/** The functions of gunzip.h, which say what they return. `ctx` is what the constant says. */
struct upd_inflate {
    enum upd_err (*begin)(void *ctx, struct upd_writer *writer);
    enum upd_err (*write)(void *ctx, const void *data, uint32_t size);
    enum upd_err (*end)(void *ctx);
};

/** The memory of upd_inflate_gzip. */
struct upd_inflate_memory {
    struct upd_gunzip gunzip;
    uint8_t *window;      /* set by the caller, as in upd_gunzip_begin() */
    uint32_t window_size; /* bytes, power of two */
};

/** gzip; its ctx is a struct upd_inflate_memory. */
extern const struct upd_inflate upd_inflate_gzip;

#endif
