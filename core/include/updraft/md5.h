/*
 * updraft: MD5, fed in pieces of any size.
 *
 *     struct upd_md5 md5;
 *     uint8_t digest[UPD_MD5_SIZE];
 *
 *     upd_md5_init(&md5);
 *     upd_md5_update(&md5, data, size);      as often as needed
 *     upd_md5_final(&md5, digest);
 *
 * Partition tables and Arduino's `x-MD5` header carry it. It finds damage; it proves nothing about
 * who made the bytes.
 *
 * The state is plain data: a copy of it may be finished by itself, which gives the digest of the
 * bytes up to here while the original goes on.
 *
 * Cost: 88 bytes of state; 64 bytes and a few words of stack; no heap.
 * Format: docs/formats/md5.md
 */
#ifndef UPDRAFT_MD5_H
#define UPDRAFT_MD5_H

#include <stdint.h>

/** Bytes of a digest. */
#define UPD_MD5_SIZE 16

/** A digest in the making. Owned by the caller; its fields are the module's own. */
struct upd_md5 {
    uint32_t state[4];
    uint8_t block[64]; /* the last size % 64 bytes, not yet digested */
    uint64_t size;     /* bytes fed so far */
};
_Static_assert(sizeof(struct upd_md5) <= 88, "upd_md5: its header states the size");

/**
 * Begin a digest.
 *
 * @param md5  state, not NULL; what it held before does not matter
 */
void upd_md5_init(struct upd_md5 *md5);

/**
 * Feed the next bytes of the message.
 *
 * @param md5   state begun by upd_md5_init() and not yet finished; not NULL
 * @param data  `size` bytes at any alignment; may be NULL when size is 0
 * @param size  bytes, 0 allowed
 */
void upd_md5_update(struct upd_md5 *md5, const void *data, uint32_t size);

/**
 * Finish, and give the digest of all bytes fed.
 *
 * @param md5     state, not NULL; used up: only upd_md5_init() may be called on it next
 * @param digest  out: 16 bytes, first byte of the digest first
 */
void upd_md5_final(struct upd_md5 *md5, uint8_t digest[UPD_MD5_SIZE]);

#endif
