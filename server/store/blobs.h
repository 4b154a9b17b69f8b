/*
 * updraftd: files by the SHA-256 of their content, in DATA/blobs/ab/cdef….
 *
 * A blob is written to DATA/blobs/tmp/, synced, renamed to its name, and the directory is synced:
 * it is there whole or not at all, whatever happens to the power. What is in tmp/ at the start is
 * removed. Blobs do not change, so that any number may read while others come and go.
 */
#ifndef UPDRAFT_SERVER_BLOBS_H
#define UPDRAFT_SERVER_BLOBS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fleet/model.h"

struct blobs;
struct blob_writer;

/** Open or make the directory; NULL with errno set when that fails. Free with blobs_close(). */
struct blobs *blobs_open(const char *directory);
void blobs_close(struct blobs *blobs);

/** Begin a blob; NULL with errno set. */
struct blob_writer *blob_begin(struct blobs *blobs);
/** Append; false with errno set (ENOSPC): then only blob_abort() is left. */
bool blob_write(struct blob_writer *writer, const void *data, size_t size);
/** End: on disk and under its name when true, and `writer` is freed. False: errno, and no trace of
 *  it is left. `sha256` and `md5` take the digests in hexadecimal, `size` the bytes; none is NULL.
 */
bool blob_commit(struct blob_writer *writer, char sha256[HEX64_SIZE], char md5[HEX32_SIZE],
                 int64_t *size);
/** Drop it without a trace; `writer` is freed. NULL: nothing. */
void blob_abort(struct blob_writer *writer);

/** Open for reading: a file descriptor that the caller closes, or -1 with errno; ENOENT also for a
 *  text that is no digest. `size` takes its bytes; NULL: who asks knows them. */
int blob_open(struct blobs *blobs, const char *sha256, int64_t *size);
/** The path of a blob, for a proxy that serves it; false when it does not fit or is no digest. */
bool blob_path(const struct blobs *blobs, const char *sha256, char *path, size_t size);

/** Remove each blob older than `age_ms` of which used() is false; how many went. */
int blobs_collect(struct blobs *blobs, int64_t age_ms, bool (*used)(void *ctx, const char *sha256),
                  void *ctx);

#endif
