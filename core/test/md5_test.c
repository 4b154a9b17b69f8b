/*
 * Goal: the digest of the standard, whatever the pieces, the alignment and the length.
 * Method: published messages; every length from 0 to 200 against hashlib's digests (lengths.bin,
 * written by make_digest_vectors.py); every split and every piece size of 200 bytes; a forged count
 * of earlier bytes, since nobody can feed 2^61.
 */
#include <updraft/bytes.h>
#include <updraft/md5.h>

#include "check.h"
#include "hex.h"

enum { PATTERN = 200 };

static void make_pattern(uint8_t pattern[PATTERN])
{
    for (uint32_t i = 0; i < PATTERN; i++) {
        pattern[i] = (uint8_t)(7 * i + 3);
    }
}

static void digest_of(const void *data, uint32_t size, uint8_t digest[UPD_MD5_SIZE])
{
    struct upd_md5 md5;

    upd_md5_init(&md5);
    upd_md5_update(&md5, data, size);
    upd_md5_final(&md5, digest);
}

static const struct {
    const char *message;
    uint32_t size;
    const char *digest;
} published[] = {
    {"", 0, "d41d8cd98f00b204e9800998ecf8427e"},
    {"a", 1, "0cc175b9c0f1b6a831c399e269772661"},
    {"abc", 3, "900150983cd24fb0d6963f7d28e17f72"},
    {"message digest", 14, "f96b697d7cb7938d525a2f31aaf161d0"},
    {"abcdefghijklmnopqrstuvwxyz", 26, "c3fcd3d76192e4007dfb496cca67e13b"},
    {"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", 62,
     "d174ab98d277d9f5a5611c2c9f419d9f"},
    {"12345678901234567890123456789012345678901234567890123456789012345678901234567890", 80,
     "57edf4a22be3c955ac49da2e2107b67a"},
};

static void test_published_messages(void)
{
    for (size_t i = 0; i < sizeof published / sizeof published[0]; i++) {
        uint8_t digest[UPD_MD5_SIZE];

        digest_of(published[i].message, published[i].size, digest);
        CHECK_THAT(published[i].message, hex_is(digest, sizeof digest, published[i].digest));
    }
}

static void test_a_million_letters(void)
{
    uint8_t letters[1000], digest[UPD_MD5_SIZE];
    struct upd_md5 md5;

    memset(letters, 'a', sizeof letters);
    upd_md5_init(&md5);
    for (int i = 0; i < 1000; i++) {
        upd_md5_update(&md5, letters, sizeof letters);
    }
    upd_md5_final(&md5, digest);
    CHECK(hex_is(digest, sizeof digest, "7707d6ae4e027c70eea2a935c2296f21"));
}

static void test_every_length_to_200(void)
{
    static uint8_t expected[(PATTERN + 1) * UPD_MD5_SIZE];
    uint8_t pattern[PATTERN];

    make_pattern(pattern);
    CHECK(check_load(UPD_VECTORS "/md5/lengths.bin", expected, sizeof expected) ==
          (int32_t)sizeof expected);
    for (uint32_t size = 0; size <= PATTERN; size++) {
        uint8_t digest[UPD_MD5_SIZE];

        digest_of(pattern, size, digest);
        CHECK(memcmp(digest, expected + size * UPD_MD5_SIZE, sizeof digest) == 0);
    }
}

static void test_every_split_gives_the_same_digest(void)
{
    uint8_t pattern[PATTERN], whole[UPD_MD5_SIZE], digest[UPD_MD5_SIZE];
    struct upd_md5 md5;

    make_pattern(pattern);
    digest_of(pattern, PATTERN, whole);
    for (uint32_t split = 0; split <= PATTERN; split++) {
        upd_md5_init(&md5);
        upd_md5_update(&md5, pattern, split);
        upd_md5_update(&md5, NULL, 0);
        upd_md5_update(&md5, pattern + split, PATTERN - split);
        upd_md5_final(&md5, digest);
        CHECK(memcmp(digest, whole, sizeof digest) == 0);
    }
}

static void test_every_piece_size_gives_the_same_digest(void)
{
    uint8_t pattern[PATTERN], whole[UPD_MD5_SIZE], digest[UPD_MD5_SIZE];
    struct upd_md5 md5;

    make_pattern(pattern);
    digest_of(pattern, PATTERN, whole);
    for (uint32_t piece = 1; piece <= PATTERN; piece++) {
        upd_md5_init(&md5);
        for (uint32_t at = 0; at < PATTERN; at += piece) {
            upd_md5_update(&md5, pattern + at, piece < PATTERN - at ? piece : PATTERN - at);
        }
        upd_md5_final(&md5, digest);
        CHECK(memcmp(digest, whole, sizeof digest) == 0);
    }
}

static void test_every_alignment_gives_the_same_digest(void)
{
    uint8_t pattern[PATTERN], whole[UPD_MD5_SIZE], digest[UPD_MD5_SIZE];
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
    uint8_t pattern[PATTERN], expected[UPD_MD5_SIZE], digest[UPD_MD5_SIZE];
    struct upd_md5 md5, so_far;

    make_pattern(pattern);
    upd_md5_init(&md5);
    upd_md5_update(&md5, pattern, 100);
    so_far = md5;
    upd_md5_final(&so_far, digest);
    digest_of(pattern, 100, expected);
    CHECK(memcmp(digest, expected, sizeof digest) == 0);
    upd_md5_update(&md5, pattern + 100, PATTERN - 100);
    upd_md5_final(&md5, digest);
    digest_of(pattern, PATTERN, expected);
    CHECK(memcmp(digest, expected, sizeof digest) == 0);
}

static const struct {
    uint64_t before; /* bytes that the state claims to have seen: a multiple of 64 */
    const char *digest;
} forged[] = {
    {0x20000000, "b3a92e03774527e5a52e5b61d0a767ab"},
    {0x100000000, "daa1a373afb44d2540d6452013c23c82"},
    {0x1FFFFFFFFFFFFFC0, "bfb5e7546108235cd5ffe6487a592860"},
};

static void test_the_length_has_64_bits(void)
{
    for (size_t i = 0; i < sizeof forged / sizeof forged[0]; i++) {
        uint8_t digest[UPD_MD5_SIZE];
        struct upd_md5 md5;

        upd_md5_init(&md5);
        md5.size = forged[i].before;
        upd_md5_update(&md5, "abc", 3);
        upd_md5_final(&md5, digest);
        CHECK_THAT(forged[i].digest, hex_is(digest, sizeof digest, forged[i].digest));
    }
}

int main(void)
{
    CHECK_RUN(test_published_messages);
    CHECK_RUN(test_a_million_letters);
    CHECK_RUN(test_every_length_to_200);
    CHECK_RUN(test_every_split_gives_the_same_digest);
    CHECK_RUN(test_every_piece_size_gives_the_same_digest);
    CHECK_RUN(test_every_alignment_gives_the_same_digest);
    CHECK_RUN(test_a_copy_of_the_state_finishes_by_itself);
    CHECK_RUN(test_the_length_has_64_bits);
    check_end();
}
