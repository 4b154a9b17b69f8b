/*
 * updraft: SHA-256, fed in pieces of any size.
 *
 *     struct upd_sha256 sha;
 *     uint8_t digest[UPD_SHA256_SIZE];
 *
 *     upd_sha256_init(&sha);
 *     upd_sha256_update(&sha, data, size);      as often as needed
 *     upd_sha256_final(&sha, digest);
 *
 * The state is plain data: a copy of it (`struct upd_sha256 so_far = sha;`) may be finished by
 * itself, which gives the digest of the bytes up to here while the original goes on.
 *
 * Cost: 112 bytes of state; at most 144 bytes of stack; no heap.
 * Format: docs/formats/sha256.md
 */
#ifndef UPDRAFT_SHA256_H
#define UPDRAFT_SHA256_H

#include <stdbool.h>
#include <stdint.h>

/** Bytes of a digest. */
#define UPD_SHA256_SIZE 32

/** A digest in the making. Owned by the caller; its fields are the module's own. */
struct upd_sha256 {
    uint32_t state[8];
    uint8_t block[64]; /* the last size % 64 bytes, not yet digested */
    uint64_t size;     /* bytes fed so far */
    bool accelerated;  /* the CPU has the instructions that UPD_SHA256_X86 speaks of */
};
_Static_assert(sizeof(struct upd_sha256) <= 112, "upd_sha256: its header states the size");

/**
 * Begin a digest.
 *
 * @param sha  state, not NULL; what it held before does not matter
 *
 * Cost: some 3 microseconds on a virtual x86-64 CPU, which traps the question for its features.
 */
void upd_sha256_init(struct upd_sha256 *sha);

/**
 * Feed the next bytes of the message.
 *
 * @param sha   state begun by upd_sha256_init() and not yet finished; not NULL
 * @param data  `size` bytes at any alignment; may be NULL when size is 0
 * @param size  bytes, 0 allowed
 */
void upd_sha256_update(struct upd_sha256 *sha, const void *data, uint32_t size);

/**
 * Finish, and give the digest of all bytes fed.
 *
 * @param sha     state, not NULL; used up: only upd_sha256_init() may be called on it next
 * @param digest  out: 32 bytes, first byte of the digest first
 */
void upd_sha256_final(struct upd_sha256 *sha, uint8_t digest[UPD_SHA256_SIZE]);

#endif
