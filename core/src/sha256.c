#include "sha256_blocks.h"
#include "unroll.h"

#include <updraft/bytes.h>

enum { BLOCK = 64, SIZE_AT = 56 /* of the last block, where the length in bits lies */ };

const uint32_t upd_sha256_constants[64] = {
    0x428A2F98, 0x71374491, 0xB5C0FBCF, 0xE9B5DBA5, 0x3956C25B, 0x59F111F1, 0x923F82A4, 0xAB1C5ED5,
    0xD807AA98, 0x12835B01, 0x243185BE, 0x550C7DC3, 0x72BE5D74, 0x80DEB1FE, 0x9BDC06A7, 0xC19BF174,
    0xE49B69C1, 0xEFBE4786, 0x0FC19DC6, 0x240CA1CC, 0x2DE92C6F, 0x4A7484AA, 0x5CB0A9DC, 0x76F988DA,
    0x983E5152, 0xA831C66D, 0xB00327C8, 0xBF597FC7, 0xC6E00BF3, 0xD5A79147, 0x06CA6351, 0x14292967,
    0x27B70A85, 0x2E1B2138, 0x4D2C6DFC, 0x53380D13, 0x650A7354, 0x766A0ABB, 0x81C2C92E, 0x92722C85,
    0xA2BFE8A1, 0xA81A664B, 0xC24B8B70, 0xC76C51A3, 0xD192E819, 0xD6990624, 0xF40E3585, 0x106AA070,
    0x19A4C116, 0x1E376C08, 0x2748774C, 0x34B0BCB5, 0x391C0CB3, 0x4ED8AA4A, 0x5B9CCA4F, 0x682E6FF3,
    0x748F82EE, 0x78A5636F, 0x84C87814, 0x8CC70208, 0x90BEFFFA, 0xA4506CEB, 0xBEF9A3F7, 0xC67178F2,
};

static uint32_t rotate(uint32_t word, unsigned count)
{
    return word >> count | word << (32 - count);
}

/* The message schedule is kept as a ring of its last 16 words, so it costs 64 bytes and not 256. */
static uint32_t schedule(uint32_t ring[16], uint32_t i)
{
    uint32_t w15 = ring[(i + 1) & 15], w2 = ring[(i + 14) & 15];

    ring[i & 15] += (rotate(w15, 7) ^ rotate(w15, 18) ^ w15 >> 3) + ring[(i + 9) & 15] +
                    (rotate(w2, 17) ^ rotate(w2, 19) ^ w2 >> 10);
    return ring[i & 15];
}

static uint32_t scramble_e(uint32_t e, uint32_t f, uint32_t g)
{
    return (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + (g ^ (e & (f ^ g)));
}

static uint32_t scramble_a(uint32_t a, uint32_t b, uint32_t c)
{
    return (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) | (c & (a | b)));
}

#if UPD_SMALL

/* The eight words move on in memory: in registers, of which there are too few, they cost more. */
static void compress(uint32_t state[8], const uint8_t block[BLOCK])
{
    uint32_t at[8]; /* a to h */
    uint32_t ring[16];

    memcpy(at, state, sizeof at);
    for (uint32_t i = 0; i < 64; i++) {
        uint32_t word = i < 16 ? (ring[i] = upd_get_be32(block + 4 * i)) : schedule(ring, i);
        uint32_t one = at[7] + scramble_e(at[4], at[5], at[6]) + upd_sha256_constants[i] + word;
        uint32_t two = scramble_a(at[0], at[1], at[2]);

        for (uint32_t k = 7; k > 0; k--) {
            at[k] = at[k - 1];
        }
        at[4] += one;
        at[0] = one + two;
    }
    for (uint32_t i = 0; i < 8; i++) {
        state[i] += at[i];
    }
}

#else

static void compress(uint32_t state[8], const uint8_t block[BLOCK])
{
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
    uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
    uint32_t ring[16];

    UNROLL
    for (uint32_t i = 0; i < 64; i++) {
        uint32_t word = i < 16 ? (ring[i] = upd_get_be32(block + 4 * i)) : schedule(ring, i);
        uint32_t one = h + scramble_e(e, f, g) + upd_sha256_constants[i] + word;
        uint32_t two = scramble_a(a, b, c);

        h = g, g = f, f = e, e = d + one;
        d = c, c = b, b = a, a = one + two;
    }
    state[0] += a, state[1] += b, state[2] += c, state[3] += d;
    state[4] += e, state[5] += f, state[6] += g, state[7] += h;
}

#endif

void upd_sha256_blocks_portable(uint32_t state[8], const uint8_t *data, uint32_t count)
{
    for (; count != 0; count--) {
        compress(state, data);
        data += BLOCK;
    }
}

static void digest_blocks(struct upd_sha256 *sha, const uint8_t *data, uint32_t count)
{
    if (sha->accelerated) {
        upd_sha256_blocks_x86(sha->state, data, count);
    } else {
        upd_sha256_blocks_portable(sha->state, data, count);
    }
}

void upd_sha256_init(struct upd_sha256 *sha)
{
    static const uint32_t start[8] = {0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A,
                                      0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19};

    memcpy(sha->state, start, sizeof start);
    sha->size = 0;
    sha->accelerated = upd_sha256_x86_available();
}

void upd_sha256_update(struct upd_sha256 *sha, const void *data, uint32_t size)
{
    const uint8_t *at = data;

    while (size > 0) {
        uint32_t held = (uint32_t)sha->size % BLOCK;
        uint32_t part = size < BLOCK - held ? size : BLOCK - held;

        if (!UPD_SMALL && part == BLOCK) {
            /* Whole blocks are digested where they lie. */
            part = size / BLOCK * BLOCK;
            digest_blocks(sha, at, size / BLOCK);
        } else {
            memcpy(sha->block + held, at, part);
            if (held + part == BLOCK) {
                digest_blocks(sha, sha->block, 1);
            }
        }
        sha->size += part;
        at += part;
        size -= part;
    }
}

void upd_sha256_final(struct upd_sha256 *sha, uint8_t digest[UPD_SHA256_SIZE])
{
    uint64_t bits = sha->size * 8;
    uint8_t length[BLOCK - SIZE_AT];
    uint8_t byte = 0x80;

    /* One bit that is 1, and zeros up to where the length is the end of a block. */
    do {
        upd_sha256_update(sha, &byte, 1);
        byte = 0;
    } while (sha->size % BLOCK != SIZE_AT);
    upd_put_be32(length, (uint32_t)(bits >> 32));
    upd_put_be32(length + 4, (uint32_t)bits);
    upd_sha256_update(sha, length, sizeof length);
    for (uint32_t i = 0; i < 8; i++) {
        upd_put_be32(digest + 4 * i, sha->state[i]);
    }
}
