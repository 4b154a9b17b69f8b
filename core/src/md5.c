#include <updraft/md5.h>

#include <updraft/bytes.h>

#include "unroll.h"

enum { BLOCK = 64, SIZE_AT = 56 /* of the last block, where the length in bits lies */ };

/* floor(2^32 * |sin(i + 1)|) */
static const uint32_t sines[64] = {
    0xD76AA478, 0xE8C7B756, 0x242070DB, 0xC1BDCEEE, 0xF57C0FAF, 0x4787C62A, 0xA8304613, 0xFD469501,
    0x698098D8, 0x8B44F7AF, 0xFFFF5BB1, 0x895CD7BE, 0x6B901122, 0xFD987193, 0xA679438E, 0x49B40821,
    0xF61E2562, 0xC040B340, 0x265E5A51, 0xE9B6C7AA, 0xD62F105D, 0x02441453, 0xD8A1E681, 0xE7D3FBC8,
    0x21E1CDE6, 0xC33707D6, 0xF4D50D87, 0x455A14ED, 0xA9E3E905, 0xFCEFA3F8, 0x676F02D9, 0x8D2A4C8A,
    0xFFFA3942, 0x8771F681, 0x6D9D6122, 0xFDE5380C, 0xA4BEEA44, 0x4BDECFA9, 0xF6BB4B60, 0xBEBFBC70,
    0x289B7EC6, 0xEAA127FA, 0xD4EF3085, 0x04881D05, 0xD9D4D039, 0xE6DB99E5, 0x1FA27CF8, 0xC4AC5665,
    0xF4292244, 0x432AFF97, 0xAB9423A7, 0xFC93A039, 0x655B59C3, 0x8F0CCC92, 0xFFEFF47D, 0x85845DD1,
    0x6FA87E4F, 0xFE2CE6E0, 0xA3014314, 0x4E0811A1, 0xF7537E82, 0xBD3AF235, 0x2AD7D2BB, 0xEB86D391,
};

/* How far the sum of a step is turned: a word for each round, a byte for each of four steps. */
static const uint32_t turns[4] = {0x16110C07, 0x140E0905, 0x17100B04, 0x150F0A06};

static void compress(uint32_t state[4], const uint8_t block[BLOCK])
{
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
    uint32_t words[16];

    for (uint32_t i = 0; i < 16; i++) {
        words[i] = upd_get_le32(block + 4 * i);
    }
    UNROLL
    for (uint32_t i = 0; i < 64; i++) {
        uint32_t mix, k, turn = turns[i / 16] >> i % 4 * 8 & 31;

        switch (i / 16) {
        case 0:
            mix = d ^ (b & (c ^ d));
            k = i;
            break;
        case 1:
            mix = c ^ (d & (b ^ c));
            k = 5 * i + 1;
            break;
        case 2:
            mix = b ^ c ^ d;
            k = 3 * i + 5;
            break;
        default:
            mix = c ^ (b | ~d);
            k = 7 * i;
            break;
        }
        uint32_t sum = a + mix + words[k % 16] + sines[i];

        a = d, d = c, c = b;
        b += sum << turn | sum >> (32 - turn);
    }
    state[0] += a, state[1] += b, state[2] += c, state[3] += d;
}

void upd_md5_init(struct upd_md5 *md5)
{
    static const uint32_t start[4] = {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476};

    memcpy(md5->state, start, sizeof start);
    md5->size = 0;
}

void upd_md5_update(struct upd_md5 *md5, const void *data, uint32_t size)
{
    const uint8_t *at = data;
    uint32_t held = (uint32_t)md5->size % BLOCK;

    md5->size += size;
    if (held != 0) {
        uint32_t part = size < BLOCK - held ? size : BLOCK - held;

        for (uint32_t i = 0; i < part; i++) {
            md5->block[held + i] = at[i];
        }
        at += part;
        size -= part;
        if (held + part < BLOCK) {
            return;
        }
        compress(md5->state, md5->block);
    }
    for (; size >= BLOCK; size -= BLOCK) {
        compress(md5->state, at);
        at += BLOCK;
    }
    for (uint32_t i = 0; i < size; i++) {
        md5->block[i] = at[i];
    }
}

void upd_md5_final(struct upd_md5 *md5, uint8_t digest[UPD_MD5_SIZE])
{
    uint64_t bits = md5->size * 8;
    uint32_t held = (uint32_t)md5->size % BLOCK;

    md5->block[held++] = 0x80;
    if (held > SIZE_AT) {
        memset(md5->block + held, 0, BLOCK - held);
        compress(md5->state, md5->block);
        held = 0;
    }
    memset(md5->block + held, 0, SIZE_AT - held);
    upd_put_le32(md5->block + SIZE_AT, (uint32_t)bits);
    upd_put_le32(md5->block + SIZE_AT + 4, (uint32_t)(bits >> 32));
    compress(md5->state, md5->block);
    for (uint32_t i = 0; i < 4; i++) {
        upd_put_le32(digest + 4 * i, md5->state[i]);
    }
}
