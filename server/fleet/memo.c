#include "memo.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

#include "store/store.h"

enum {
    WAYS = 4, /* places of a key, one after the other */
    COUNT_FIRST = 1 << 10,
    COUNT_MAX = 1 << 20,
};

struct memos {
    uint64_t secret[2];
    pthread_mutex_t lock; /* everything below */
    struct memo *table;   /* device 0: nothing is here */
    size_t count, used;
    unsigned turn; /* which way gives place next */
};

/* --- SipHash-2-4 with a result of 128 bits ------------------------------------------------------ */

static uint64_t turn_left(uint64_t word, unsigned bits)
{
    return word << bits | word >> (64 - bits);
}

static void rounds(uint64_t v[4], int count)
{
    while (count-- > 0) {
        v[0] += v[1];
        v[2] += v[3];
        v[1] = turn_left(v[1], 13) ^ v[0];
        v[3] = turn_left(v[3], 16) ^ v[2];
        v[0] = turn_left(v[0], 32);
        v[2] += v[1];
        v[0] += v[3];
        v[1] = turn_left(v[1], 17) ^ v[2];
        v[3] = turn_left(v[3], 21) ^ v[0];
        v[2] = turn_left(v[2], 32);
    }
}

struct memo_key memos_key(const struct memos *memos, const void *told, size_t size)
{
    const unsigned char *bytes = told;
    uint64_t last = (uint64_t)size << 56;
    uint64_t v[4] = {
        memos->secret[0] ^ 0x736f6d6570736575u,
        memos->secret[1] ^ 0x646f72616e646f6du ^ 0xee,
        memos->secret[0] ^ 0x6c7967656e657261u,
        memos->secret[1] ^ 0x7465646279746573u,
    };
    struct memo_key key;

    for (; size >= 8; size -= 8, bytes += 8) {
        /* In the order of this machine: keys leave neither it nor this process. */
        uint64_t word;
        memcpy(&word, bytes, sizeof word);
        v[3] ^= word;
        rounds(v, 2);
        v[0] ^= word;
    }
    for (size_t i = 0; i < size; i++) {
        last |= (uint64_t)bytes[i] << 8 * i;
    }
    v[3] ^= last;
    rounds(v, 2);
    v[0] ^= last;
    v[2] ^= 0xee;
    rounds(v, 4);
    key.word[0] = v[0] ^ v[1] ^ v[2] ^ v[3];
    v[1] ^= 0xdd;
    rounds(v, 4);
    key.word[1] = v[0] ^ v[1] ^ v[2] ^ v[3];
    return key;
}

/* --- The table ---------------------------------------------------------------------------------- */

struct memos *memos_new(void)
{
    struct memos *memos = calloc(1, sizeof *memos);

    if (memos == NULL) {
        return NULL;
    }
    memos->count = COUNT_FIRST;
    memos->table = calloc(memos->count, sizeof *memos->table);
    if (memos->table == NULL ||
        gnutls_rnd(GNUTLS_RND_KEY, memos->secret, sizeof memos->secret) < 0) {
        free(memos->table);
        free(memos);
        return NULL;
    }
    store_mutex_init(&memos->lock);
    return memos;
}

void memos_free(struct memos *memos)
{
    if (memos != NULL) {
        pthread_mutex_destroy(&memos->lock);
        free(memos->table);
        free(memos);
    }
}

/* The first of a key's places; the others follow. */
static struct memo *place(const struct memos *memos, const struct memo_key *key)
{
    return &memos->table[key->word[0] & (memos->count - WAYS)];
}

static bool same(const struct memo_key *a, const struct memo_key *b)
{
    return a->word[0] == b->word[0] && a->word[1] == b->word[1];
}

/* The memos of the smaller table go with it: what is still asked comes back by itself. */
static void grow(struct memos *memos)
{
    struct memo *larger = calloc(2 * memos->count, sizeof *larger);

    if (larger != NULL) {
        free(memos->table);
        memos->table = larger;
        memos->count *= 2;
        memos->used = 0;
    }
}

void memos_put(struct memos *memos, const struct memo *memo)
{
    pthread_mutex_lock(&memos->lock);
    if (memos->used > memos->count / 2 && memos->count < COUNT_MAX) {
        grow(memos);
    }
    struct memo *first = place(memos, &memo->key), *to = NULL;
    for (struct memo *at = first; at < first + WAYS; at++) {
        if (same(&at->key, &memo->key) && at->device != 0) {
            to = at;
            break;
        }
        to = to == NULL && at->device == 0 ? at : to;
    }
    if (to == NULL) {
        to = first + memos->turn++ % WAYS;
    }
    memos->used += to->device == 0;
    *to = *memo;
    pthread_mutex_unlock(&memos->lock);
}

bool memos_get(struct memos *memos, const struct memo_key *key, struct memo *memo)
{
    bool found = false;

    pthread_mutex_lock(&memos->lock);
    const struct memo *first = place(memos, key);
    for (const struct memo *at = first; at < first + WAYS && !found; at++) {
        found = at->device != 0 && same(&at->key, key);
        if (found) {
            *memo = *at;
        }
    }
    pthread_mutex_unlock(&memos->lock);
    return found;
}
