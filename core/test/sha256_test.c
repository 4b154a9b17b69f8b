/*
 * Goal: the digest of the standard, whatever the pieces, the alignment, the length and the engine.
 * Method: published messages; every length from 0 to 200 against hashlib's digests (lengths.bin,
 * written by make_digest_vectors.py); every split and every piece size of 200 bytes; a forged count
 * of earlier bytes, since nobody can feed 2^61.
 */
#include <updraft/bytes.h>
#include <updraft/sha256.h>

#include "check.h"
#include "hex.h"
#include "sha256_blocks.h"

typedef struct upd_sha256 digest_state;
#define digest_init upd_sha256_init
#define digest_update upd_sha256_update
#define digest_final upd_sha256_final
#define DIGEST_SIZE UPD_SHA256_SIZE
#define DIGEST_NAME "sha256"

static const struct {
    const char *message;
    uint32_t size;
    const char *digest;
} published[] = {
    {"", 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {"abc", 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56,
     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
     112, "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
};

static const char a_million_letters[] =
    "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";

static const struct {
    uint64_t before; /* bytes that the state claims to have seen: a multiple of 64 */
    const char *digest;
} forged[] = {
    {0x20000000, "4db189445d5fecccbe1560cc399d53b96bd1191f668f98cb193167f8aa2a00eb"},
    {0x100000000, "8267cd2abfacc0728163d6fb04593e11257a935c59b44d4f657145c3eaef6ff1"},
    {0x1FFFFFFFFFFFFFC0, "115c3c047b8887813e5ec9f6e68a8a658a06bcda0498cd13ffd6718353193e9e"},
};

#include "digest_test.h"

/* The digest tests run on whichever engine the CPU offers; this holds the two side by
 * side. */
static void test_both_engines_agree(void)
{
    uint8_t data[9 * 64];
    uint32_t random = 1;

    if (!upd_sha256_x86_available()) {
        check_skip("this CPU has no SHA instructions");
        return;
    }
    for (uint32_t round = 0; round < 500; round++) {
        uint32_t portable[8], accelerated[8], count = round % 9, at = round % 64;

        for (uint32_t i = 0; i < sizeof data; i++) {
            random = random * 1664525 + 1013904223;
            data[i] = (uint8_t)(random >> 24);
        }
        memcpy(portable, data, sizeof portable);
        memcpy(accelerated, data, sizeof accelerated);
        upd_sha256_blocks_portable(portable, data + at, count);
        upd_sha256_blocks_x86(accelerated, data + at, count);
        CHECK(memcmp(portable, accelerated, sizeof portable) == 0);
    }
}

/* The portable engine also digests whole messages where the other one usually does. */
static void test_the_portable_engine_digests_every_length(void)
{
    static uint8_t expected[(PATTERN + 1) * UPD_SHA256_SIZE];
    uint8_t pattern[PATTERN];

    make_pattern(pattern);
    CHECK(check_load(UPD_VECTORS "/sha256/lengths.bin", expected, sizeof expected) ==
          (int32_t)sizeof expected);
    for (uint32_t size = 0; size <= PATTERN; size++) {
        uint8_t digest[UPD_SHA256_SIZE];
        struct upd_sha256 sha256;

        upd_sha256_init(&sha256);
        sha256.accelerated = false;
        upd_sha256_update(&sha256, pattern, size);
        upd_sha256_final(&sha256, digest);
        CHECK(memcmp(digest, expected + size * UPD_SHA256_SIZE, sizeof digest) == 0);
    }
}

int main(void)
{
    run_digest_tests();
    CHECK_RUN(test_both_engines_agree);
    CHECK_RUN(test_the_portable_engine_digests_every_length);
    check_end();
}
