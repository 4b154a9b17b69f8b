#include "password.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

enum { SALT_SIZE = 16, HASH_SIZE = 32 };

static bool derive(const char *password, const uint8_t salt[SALT_SIZE], unsigned rounds,
                   uint8_t hash[HASH_SIZE])
{
    gnutls_datum_t key = {(unsigned char *)(uintptr_t)password, (unsigned)strlen(password)};
    gnutls_datum_t grain = {(unsigned char *)(uintptr_t)salt, SALT_SIZE};
    return gnutls_pbkdf2(GNUTLS_MAC_SHA256, &key, &grain, rounds, hash, HASH_SIZE) == 0;
}

static void hex(const uint8_t *bytes, size_t size, char *text)
{
    for (size_t i = 0; i < size; i++) {
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    }
}

static bool unhex(const char *text, uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        unsigned value;
        if (sscanf(text + 2 * i, "%2x", &value) != 1) {
            return false;
        }
        bytes[i] = (uint8_t)value;
    }
    return true;
}

bool password_hash(const char *password, int rounds, char text[PASSWORD_TEXT_SIZE])
{
    uint8_t salt[SALT_SIZE], hash[HASH_SIZE];
    char grain[2 * SALT_SIZE + 1], sum[2 * HASH_SIZE + 1];
    if (gnutls_rnd(GNUTLS_RND_NONCE, salt, sizeof salt) != 0 ||
        !derive(password, salt, (unsigned)rounds, hash)) {
        return false;
    }
    hex(salt, sizeof salt, grain);
    hex(hash, sizeof hash, sum);
    snprintf(text, PASSWORD_TEXT_SIZE, "pbkdf2-sha256$%d$%s$%s", rounds, grain, sum);
    return true;
}

bool password_check(const char *password, const char *text)
{
    uint8_t salt[SALT_SIZE] = {0}, hash[HASH_SIZE], want[HASH_SIZE];
    char grain[2 * SALT_SIZE + 1], sum[2 * HASH_SIZE + 1];
    unsigned rounds = 0;
    uint8_t differs = 0;
    bool good =
        sscanf(text, "pbkdf2-sha256$%9u$%32[0-9a-f]$%64[0-9a-f]", &rounds, grain, sum) == 3 &&
        strlen(grain) == 2 * SALT_SIZE && strlen(sum) == 2 * HASH_SIZE && rounds != 0 &&
        unhex(grain, salt, sizeof salt) && unhex(sum, want, sizeof want);
    if (!derive(password, salt, good ? rounds : PASSWORD_ROUNDS, hash) || !good) {
        return false;
    }
    for (size_t i = 0; i < sizeof hash; i++) {
        differs |= hash[i] ^ want[i];
    }
    return differs == 0;
}
