/* SHA-256 with the SHA instructions of x86-64. Compiled to nothing for every other CPU. */
#include "sha256_blocks.h"

#if UPD_SHA256_X86

#include <cpuid.h>
#include <immintrin.h>

#define TARGET __attribute__((target("sha,sse4.1,ssse3")))

bool upd_sha256_x86_available(void)
{
    unsigned a, b, c, d;

    if (!__get_cpuid(1, &a, &b, &c, &d) || (c & bit_SSE4_1) == 0 || (c & bit_SSSE3) == 0) {
        return false;
    }
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_SHA) != 0;
}

/* The instructions hold the state as two registers, named by their words, highest first. */
struct halves {
    __m128i abef, cdgh;
};

/* Through void: no alignment is asked of the memory. */
TARGET static inline __m128i load(const void *at)
{
    return _mm_loadu_si128(at);
}

TARGET static inline void store(void *at, __m128i value)
{
    _mm_storeu_si128(at, value);
}

/* Four rounds: two for each instruction, with the round constants added to the schedule. */
TARGET static inline void four_rounds(struct halves *s, __m128i words, const uint32_t *constants)
{
    __m128i sum = _mm_add_epi32(words, load(constants));

    s->cdgh = _mm_sha256rnds2_epu32(s->cdgh, s->abef, sum);
    s->abef = _mm_sha256rnds2_epu32(s->abef, s->cdgh, _mm_shuffle_epi32(sum, 0x0E));
}

/* The next four words of the schedule from the sixteen before them, w0 being the oldest four. */
TARGET static inline __m128i next_words(__m128i w0, __m128i w1, __m128i w2, __m128i w3)
{
    __m128i sum = _mm_add_epi32(_mm_sha256msg1_epu32(w0, w1), _mm_alignr_epi8(w3, w2, 4));

    return _mm_sha256msg2_epu32(sum, w3);
}

TARGET static inline __m128i load_words(const uint8_t *data)
{
    const __m128i swap = _mm_set_epi8(12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3);

    return _mm_shuffle_epi8(load(data), swap);
}

TARGET static inline void compress(struct halves *s, const uint8_t *block)
{
    struct halves before = *s;
    const uint32_t *constants = upd_sha256_constants;
    __m128i w0 = load_words(block), w1 = load_words(block + 16);
    __m128i w2 = load_words(block + 32), w3 = load_words(block + 48);

    for (int i = 0;; i++) {
        four_rounds(s, w0, constants);
        four_rounds(s, w1, constants + 4);
        four_rounds(s, w2, constants + 8);
        four_rounds(s, w3, constants + 12);
        if (i == 3) {
            break;
        }
        constants += 16;
        w0 = next_words(w0, w1, w2, w3);
        w1 = next_words(w1, w2, w3, w0);
        w2 = next_words(w2, w3, w0, w1);
        w3 = next_words(w3, w0, w1, w2);
    }
    s->abef = _mm_add_epi32(s->abef, before.abef);
    s->cdgh = _mm_add_epi32(s->cdgh, before.cdgh);
}

TARGET void upd_sha256_blocks_x86(uint32_t state[8], const uint8_t *data, uint32_t count)
{
    __m128i badc = _mm_shuffle_epi32(load(&state[0]), 0xB1);
    __m128i efgh = _mm_shuffle_epi32(load(&state[4]), 0x1B);
    struct halves s = {_mm_alignr_epi8(badc, efgh, 8), _mm_blend_epi16(efgh, badc, 0xF0)};

    for (; count != 0; count--) {
        compress(&s, data);
        data += 64;
    }
    __m128i feba = _mm_shuffle_epi32(s.abef, 0x1B), dchg = _mm_shuffle_epi32(s.cdgh, 0xB1);

    store(&state[0], _mm_blend_epi16(feba, dchg, 0xF0));
    store(&state[4], _mm_alignr_epi8(dchg, feba, 8));
}

#endif
