/*
 * The compression function of SHA-256, of which there may be two: the portable one, which is always
 * there, and the one for x86-64. Private to sha256*.c and their test, which compares the two.
 */
#ifndef UPDRAFT_SHA256_BLOCKS_H
#define UPDRAFT_SHA256_BLOCKS_H

#include <updraft/config.h>
#include <updraft/sha256.h>

/** The round constants; docs/formats/sha256.md says where they come from. */
extern const uint32_t upd_sha256_constants[64];

/** Digest `count` blocks of 64 bytes into `state`. `data` may have any alignment. */
void upd_sha256_blocks_portable(uint32_t state[8], const uint8_t *data, uint32_t count);

#if UPD_SHA256_X86

/** True when upd_sha256_blocks_x86() runs on this CPU. Slow (two CPUID): ask once for each digest.
 */
bool upd_sha256_x86_available(void);

/** As upd_sha256_blocks_portable(), with the SHA instructions. */
void upd_sha256_blocks_x86(uint32_t state[8], const uint8_t *data, uint32_t count);

#else

static inline bool upd_sha256_x86_available(void)
{
    return false;
}

static inline void upd_sha256_blocks_x86(uint32_t state[8], const uint8_t *data, uint32_t count)
{
    upd_sha256_blocks_portable(state, data, count);
}

#endif
#endif
