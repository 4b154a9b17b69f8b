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

typedef struct upd_md5 digest_state;
#define digest_init upd_md5_init
#define digest_update upd_md5_update
#define digest_final upd_md5_final
#define DIGEST_SIZE UPD_MD5_SIZE
#define DIGEST_NAME "md5"

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

static const char a_million_letters[] = "7707d6ae4e027c70eea2a935c2296f21";

static const struct {
    uint64_t before; /* bytes that the state claims to have seen: a multiple of 64 */
    const char *digest;
} forged[] = {
    {0x20000000, "b3a92e03774527e5a52e5b61d0a767ab"},
    {0x100000000, "daa1a373afb44d2540d6452013c23c82"},
    {0x1FFFFFFFFFFFFFC0, "bfb5e7546108235cd5ffe6487a592860"},
};

#include "digest_test.h"

int main(void)
{
    run_digest_tests();
    check_end();
}
