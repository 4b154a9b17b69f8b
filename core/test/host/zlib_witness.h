/*
 * zlib as the witness of the gzip reader: both read the same bytes, and must say the same about
 * them. For the test and the fuzz target of hosts; core/ itself knows nothing of zlib.
 */
#ifndef UPDRAFT_ZLIB_WITNESS_H
#define UPDRAFT_ZLIB_WITNESS_H

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include <updraft/gzip.h>

/* What a reader made of a file. */
struct testimony {
    enum { WHOLE, CUT_SHORT, DAMAGED, TOO_LONG, GOES_ON } verdict;
    uint32_t consumed; /* when WHOLE or GOES_ON */
    uint32_t produced;
    uint8_t *bytes; /* max_output + 1 of them */
};

static inline void ask_zlib(const uint8_t *file, uint32_t size, uint32_t max_output,
                            struct testimony *zlib)
{
    z_stream stream = {.next_in = (Bytef *)(uintptr_t)file, .avail_in = size};
    int result;

    stream.next_out = zlib->bytes;
    stream.avail_out = max_output + 1;
    if (inflateInit2(&stream, 15 + 16) != Z_OK) {
        abort();
    }
    result = inflate(&stream, Z_SYNC_FLUSH);
    zlib->produced = (uint32_t)stream.total_out;
    zlib->consumed = (uint32_t)stream.total_in;
    if (result == Z_STREAM_END) {
        zlib->verdict = stream.avail_in != 0 ? GOES_ON : WHOLE;
    } else {
        zlib->verdict = result == Z_DATA_ERROR ? DAMAGED : CUT_SHORT;
    }
    if (zlib->produced > max_output) {
        zlib->verdict = TOO_LONG;
    }
    inflateEnd(&stream);
}

/* Pieces of sizes that begin with `piece` and differ: 0 gives the file whole. */
static inline void ask_updraft(const uint8_t *file, uint32_t size, uint32_t piece,
                               uint32_t window_size, uint32_t max_output, struct upd_gzip *gzip,
                               struct testimony *ours)
{
    uint8_t *window = malloc(window_size);
    enum upd_err err = UPD_OK;
    uint32_t random = piece;

    if (window == NULL || upd_gzip_init(gzip, window, window_size, max_output) != UPD_OK) {
        abort();
    }
    ours->produced = 0;
    for (uint32_t at = 0; at < size && err == UPD_OK;) {
        uint32_t now = piece == 0 ? size : 1 + (random >> 16) % (2 * piece);
        struct upd_reader in = {file + at, now < size - at ? now : size - at}, out;

        at += in.left;
        random = random * 1664525 + 1013904223;
        do {
            err = upd_gzip_step(gzip, &in, &out);
            memcpy(ours->bytes + ours->produced, out.at, out.left);
            ours->produced += out.left;
        } while (err == UPD_OK && (in.left != 0 || out.left != 0));
    }
    err = upd_gzip_end(gzip);
    ours->consumed = gzip->consumed - (gzip->reason == UPD_GZIP_TRAILING);
    ours->verdict = err == UPD_OK                       ? WHOLE
                    : err == UPD_E_SHORT                ? CUT_SHORT
                    : gzip->reason == UPD_GZIP_OUTPUT   ? TOO_LONG
                    : gzip->reason == UPD_GZIP_TRAILING ? GOES_ON
                                                        : DAMAGED;
    free(window);
}

/*
 * Where the file is cut short, the reader of updraft may know sooner what else is wrong: zlib takes
 * the header two bytes at a time, does not mind an empty code for code lengths until it made
 * something of it, and does not know the limit, which the size of a stored block may pass.
 */
static inline bool knows_sooner(enum upd_gzip_reason reason)
{
    return reason == UPD_GZIP_MAGIC || reason == UPD_GZIP_METHOD || reason == UPD_GZIP_HEADER_CRC ||
           reason == UPD_GZIP_LENGTHS_CODE || reason == UPD_GZIP_OUTPUT;
}

/**
 * Let both read the file.
 *
 * @return NULL when they agree, otherwise in what they do not
 */
static inline const char *disagreement(const uint8_t *file, uint32_t size, uint32_t piece,
                                       uint32_t max_output)
{
    struct testimony zlib = {.bytes = malloc(max_output + 1)};
    struct testimony ours = {.bytes = malloc(max_output + 1)};
    struct upd_gzip gzip;
    const char *result = NULL;

    if (zlib.bytes == NULL || ours.bytes == NULL) {
        abort();
    }
    ask_zlib(file, size, max_output, &zlib);
    ask_updraft(file, size, piece, UPD_GZIP_WINDOW_SIZE, max_output, &gzip, &ours);
    if (zlib.verdict == CUT_SHORT && knows_sooner((enum upd_gzip_reason)gzip.reason)) {
        zlib.verdict = ours.verdict;
    }
    if (ours.verdict != zlib.verdict) {
        result = "the verdict";
    } else if ((ours.verdict == WHOLE || ours.verdict == GOES_ON) &&
               ours.consumed != zlib.consumed) {
        result = "the size of the member";
    } else if (ours.verdict != DAMAGED && ours.verdict != TOO_LONG &&
               ours.produced != zlib.produced) {
        result = "the number of bytes";
    } else if (ours.produced > zlib.produced ||
               memcmp(ours.bytes, zlib.bytes, ours.produced) != 0) {
        result = "the bytes";
    }
    free(zlib.bytes);
    free(ours.bytes);
    return result;
}

/**
 * With a smaller window a file is read as with the largest, or is refused for the window alone.
 *
 * @return true when that holds
 */
static inline bool small_window_agrees(const uint8_t *file, uint32_t size, uint32_t piece,
                                       uint32_t window_size, uint32_t max_output)
{
    struct testimony large = {.bytes = malloc(max_output + 1)};
    struct testimony small = {.bytes = malloc(max_output + 1)};
    struct upd_gzip one, other;
    bool result;

    if (large.bytes == NULL || small.bytes == NULL) {
        abort();
    }
    ask_updraft(file, size, piece, UPD_GZIP_WINDOW_SIZE, max_output, &one, &large);
    ask_updraft(file, size, piece, window_size, max_output, &other, &small);
    result = other.reason == UPD_GZIP_WINDOW ||
             (one.reason == other.reason && one.offset == other.offset);
    result =
        result && memcmp(large.bytes, small.bytes,
                         small.produced < large.produced ? small.produced : large.produced) == 0;
    free(large.bytes);
    free(small.bytes);
    return result;
}

#endif
