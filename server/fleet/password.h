/* updraftd: passwords, hashed slowly (PBKDF2-HMAC-SHA-256 of GnuTLS). */
#ifndef UPDRAFT_SERVER_PASSWORD_H
#define UPDRAFT_SERVER_PASSWORD_H

#include <stdbool.h>

enum {
    PASSWORD_ROUNDS = 600000,
    PASSWORD_TEXT_SIZE = 160,
    PASSWORD_LEAST = 8,
    PASSWORD_MOST = 256
};

/** Hash into "pbkdf2-sha256$ROUNDS$SALT$HASH". False when GnuTLS fails. About 0.3 s. */
bool password_hash(const char *password, int rounds, char text[PASSWORD_TEXT_SIZE]);
/** True when it is the password of the text; takes as long as its rounds say. A text that is no
 * hash takes as long as PASSWORD_ROUNDS, so that users that do not exist are not told apart. */
bool password_check(const char *password, const char *text);

#endif
