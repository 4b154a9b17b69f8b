#include <updraft/md5.h>

#include <updraft/bytes.h>

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

/*
 * One step: a = b + rotate(a + mix + word + constant, turn). Four steps, with the roles of the four
 * words moved on by one each time, leave them where they were: that is why every loop below takes
 * four steps, and none of them moves a word.
 */
#define STEP(a, b, mix, word, constant, turn)                                                      \
    do {                                                                                           \
        uint32_t sum = (a) + (mix) + (word) + (constant);                                          \
        (a) = (b) + (sum << (turn) | sum >> (32 - (turn)));                                        \
    } while (0)

/* The word of the block that is used at position i of a round. */
#define WORD(i) upd_get_le32(block + 4 * ((i)&15))

#define MIX_1(x, y, z) ((z) ^ ((x) & ((y) ^ (z))))
#define MIX_2(x, y, z) MIX_1(z, x, y)
#define MIX_3(x, y, z) ((x) ^ (y) ^ (z))
#define MIX_4(x, y, z) ((y) ^ ((x) | ~(z)))

/* Sixteen steps that differ in the constants and in the order of the words: `first`, then every
 * `stride`. */
#define ROUND(mix, constants, first, stride, turn_0, turn_1, turn_2, turn_3)                       \
    for (uint32_t i = 0; i < 16; i += 4) {                                                         \
        uint32_t k = (first) + (stride)*i;                                                         \
        STEP(a, b, mix(b, c, d), WORD(k), (constants)[i], turn_0);                                 \
        STEP(d, a, mix(a, b, c), WORD(k + (stride)), (constants)[i + 1], turn_1);                  \
        STEP(c, d, mix(d, a, b), WORD(k + 2 * (stride)), (constants)[i + 2], turn_2);              \
        STEP(b, c, mix(c, d, a), WORD(k + 3 * (stride)), (constants)[i + 3], turn_3);              \
    }

static void compress(uint32_t state[4], const uint8_t block[BLOCK])
{
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3];

    ROUND(MIX_1, sines, 0, 1, 7, 12, 17, 22)
    ROUND(MIX_2, sines + 16, 1, 5, 5, 9, 14, 20)
    ROUND(MIX_3, sines + 32, 5, 3, 4, 11, 16, 23)
    ROUND(MIX_4, sines + 48, 0, 7, 6, 10, 15, 21)
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
