/*
 * What holds for each digest with blocks of 64 bytes, whatever the pieces, the alignment and the length. The
 * including file says before which digest it is, and what others found it to be:
 *
 *     digest_state; digest_init(), digest_update(), digest_final(); DIGEST_SIZE
 *     DIGEST_NAME, whose vectors lengths.bin are hashlib's digests of 0 to 200 bytes
 *     published[], a_million_letters, forged[]
 */
#ifndef UPDRAFT_TEST_DIGEST_TEST_H
#define UPDRAFT_TEST_DIGEST_TEST_H

enum { PATTERN = 200 };

static void make_pattern(uint8_t pattern[PATTERN])
{
    for (uint32_t i = 0; i < PATTERN; i++) {
        pattern[i] = (uint8_t)(7 * i + 3);
    }
}

static void digest_of(const void *data, uint32_t size, uint8_t digest[DIGEST_SIZE])
{
    digest_state state;

    digest_init(&state);
    digest_update(&state, data, size);
    digest_final(&state, digest);
}

static void test_published_messages(void)
{
    for (size_t i = 0; i < sizeof published / sizeof published[0]; i++) {
        uint8_t digest[DIGEST_SIZE];

        digest_of(published[i].message, published[i].size, digest);
        CHECK_THAT(published[i].message, hex_is(digest, sizeof digest, published[i].digest));
    }
}

static void test_a_million_letters(void)
{
    uint8_t letters[1000], digest[DIGEST_SIZE];
    digest_state state;

    memset(letters, 'a', sizeof letters);
    digest_init(&state);
    for (int i = 0; i < 1000; i++) {
        digest_update(&state, letters, sizeof letters);
    }
    digest_final(&state, digest);
    CHECK(hex_is(digest, sizeof digest, a_million_letters));
}

static void test_every_length_to_200(void)
{
    static uint8_t expected[(PATTERN + 1) * DIGEST_SIZE];
    uint8_t pattern[PATTERN];

    make_pattern(pattern);
    CHECK(check_load(UPD_VECTORS "/" DIGEST_NAME "/lengths.bin", expected, sizeof expected) ==
          (int32_t)sizeof expected);
    for (uint32_t size = 0; size <= PATTERN; size++) {
        uint8_t digest[DIGEST_SIZE];

        digest_of(pattern, size, digest);
        CHECK(memcmp(digest, expected + size * DIGEST_SIZE, sizeof digest) == 0);
    }
}

static void test_every_split_gives_the_same_digest(void)
{
    uint8_t pattern[PATTERN], whole[DIGEST_SIZE], digest[DIGEST_SIZE];
    digest_state state;

    make_pattern(pattern);
    digest_of(pattern, PATTERN, whole);
    for (uint32_t split = 0; split <= PATTERN; split++) {
        digest_init(&state);
        digest_update(&state, pattern, split);
        digest_update(&state, NULL, 0);
        digest_update(&state, pattern + split, PATTERN - split);
        digest_final(&state, digest);
        CHECK(memcmp(digest, whole, sizeof digest) == 0);
    }
}

static void test_every_piece_size_gives_the_same_digest(void)
{
    uint8_t pattern[PATTERN], whole[DIGEST_SIZE], digest[DIGEST_SIZE];
    digest_state state;

    make_pattern(pattern);
    digest_of(pattern, PATTERN, whole);
    for (uint32_t piece = 1; piece <= PATTERN; piece++) {
        digest_init(&state);
        for (uint32_t at = 0; at < PATTERN; at += piece) {
            digest_update(&state, pattern + at, piece < PATTERN - at ? piece : PATTERN - at);
        }
        digest_final(&state, digest);
        CHECK(memcmp(digest, whole, sizeof digest) == 0);
    }
}

static void test_every_alignment_gives_the_same_digest(void)
{
    uint8_t pattern[PATTERN], whole[DIGEST_SIZE], digest[DIGEST_SIZE];
    uint8_t moved[PATTERN + 32], *target = moved;

    make_pattern(pattern);
    digest_of(pattern, PATTERN, whole);
    for (; target <= moved + 32; target++) {
        memcpy(target, pattern, PATTERN);
        digest_of(target, PATTERN, digest);
        CHECK(memcmp(digest, whole, sizeof digest) == 0);
    }
}

static void test_a_copy_of_the_state_finishes_by_itself(void)
{
    uint8_t pattern[PATTERN], expected[DIGEST_SIZE], digest[DIGEST_SIZE];
    digest_state state, so_far;

    make_pattern(pattern);
    digest_init(&state);
    digest_update(&state, pattern, 100);
    so_far = state;
    digest_final(&so_far, digest);
    digest_of(pattern, 100, expected);
    CHECK(memcmp(digest, expected, sizeof digest) == 0);
    digest_update(&state, pattern + 100, PATTERN - 100);
    digest_final(&state, digest);
    digest_of(pattern, PATTERN, expected);
    CHECK(memcmp(digest, expected, sizeof digest) == 0);
}

static void test_the_length_has_64_bits(void)
{
    for (size_t i = 0; i < sizeof forged / sizeof forged[0]; i++) {
        uint8_t digest[DIGEST_SIZE];
        digest_state state;

        digest_init(&state);
        state.size = forged[i].before;
        digest_update(&state, "abc", 3);
        digest_final(&state, digest);
        CHECK_THAT(forged[i].digest, hex_is(digest, sizeof digest, forged[i].digest));
    }
}

static void run_digest_tests(void)
{
    CHECK_RUN(test_published_messages);
    CHECK_RUN(test_a_million_letters);
    CHECK_RUN(test_every_length_to_200);
    CHECK_RUN(test_every_split_gives_the_same_digest);
    CHECK_RUN(test_every_piece_size_gives_the_same_digest);
    CHECK_RUN(test_every_alignment_gives_the_same_digest);
    CHECK_RUN(test_a_copy_of_the_state_finishes_by_itself);
    CHECK_RUN(test_the_length_has_64_bits);
}

#endif
