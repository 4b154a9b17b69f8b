/*
 * updraftd: what was said to devices for which there was nothing.
 *
 * Nearly all checks are by devices that say what they said before, and for which nothing has
 * changed. Such a check is remembered by all that the device told (by a hash with a secret key, of
 * 128 bits), so that the next one needs no database. A memo is good as long as nothing was written
 * that it depends on: store_unchanged() and the snapshot's generation know, and are asked each time.
 *
 * Safe from any thread.
 */
#ifndef UPDRAFT_SERVER_MEMO_H
#define UPDRAFT_SERVER_MEMO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct memo_key {
    uint64_t word[2];
};

struct memo {
    struct memo_key key;
    /* Before what was decided was read: of the store, and of the snapshot of products. */
    uint64_t moment, generation;
    int64_t device;
    /* Its habit (habit.h), as of its last contact that led here. */
    int64_t last_seen, poll_every, polls;
};

struct memos;

/** NULL: no memory. At most 2^20 memos of 72 bytes; the table grows as it fills. */
struct memos *memos_new(void);
void memos_free(struct memos *memos);

/** The key of what was told, as bytes. */
struct memo_key memos_key(const struct memos *memos, const void *told, size_t size);

/** The memo is copied; another one may be put aside for it. */
void memos_put(struct memos *memos, const struct memo *memo);

/** False: there is none of this key; *memo is not written. The caller asks whether it is still good. */
bool memos_get(struct memos *memos, const struct memo_key *key, struct memo *memo);

#endif
