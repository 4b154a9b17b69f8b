/*
 * updraft: what the agent remembers over restarts: when to ask again, and what it made of the
 * releases that it has seen. Losing it costs a check too many, or one more try of a bad release;
 * nothing else depends on it. Bytes: docs/formats/agent_memo.md.
 */
#ifndef UPDRAFT_MEMO_H
#define UPDRAFT_MEMO_H

#include <stdint.h>

#include <updraft/err.h>
#include <updraft/http.h>
#include <updraft/protocol.h>

#define UPD_MEMO_SIZE 256u
/** Releases that are known to be bad, at most: a server that offers several in turn has each tried once. */
#define UPD_MEMO_BAD 9u

/**
 * All zero: nothing is remembered. A "tag" is the CRC-32 of whatever names content: its ETag, MD5 or
 * version; 0: none.
 */
struct upd_memo {
    uint32_t due_s; /* the next check, in seconds since 1970; 0: not known */
    uint32_t tried; /* tag of the image that was activated last */
    /* Tags of images that were refused or given up, the last one first, 0 behind them: never to be fetched again. */
    uint32_t bad[UPD_MEMO_BAD];
    uint32_t declined; /* tag of an image that somebody declined */
    uint32_t current;  /* tag of the image that runs, where the agent has installed it */
    uint8_t failures;  /* checks in a row that failed */
    uint8_t trials;    /* images in a row that were activated, and none was confirmed */
    char version[UPD_VERSION_SIZE]; /* of the image that was activated last */
    char etag[UPD_ETAG_SIZE];       /* of the content that runs */
    char tried_etag[UPD_ETAG_SIZE]; /* of the image that was activated last */
};

/** Write the UPD_MEMO_SIZE bytes. */
void upd_memo_encode(const struct upd_memo *memo, uint8_t bytes[UPD_MEMO_SIZE]);

/**
 * Read them.
 *
 * @return UPD_OK
 * @return UPD_E_FORMAT  erased, or written by something else; *memo is all zero
 * @return UPD_E_AUTH    damaged; *memo is all zero
 */
UPD_MUST_CHECK enum upd_err upd_memo_decode(const uint8_t bytes[UPD_MEMO_SIZE],
                                            struct upd_memo *memo);

#endif
