/* Certificates of the server: its own, made at the first start, or given ones; exchanged while it
 * runs. */
#ifndef UPDRAFT_SERVER_HTTP_TLS_H
#define UPDRAFT_SERVER_HTTP_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>

/** Files in PEM. */
struct http_tls_files {
    const char *certificate; /* with the chain up to, and without, the root */
    const char *key;
};

struct http_tls;

/** Load certificate and key; NULL with a sentence in `problem`. */
struct http_tls *http_tls_open(const struct http_tls_files *files, char *problem, size_t size);
/**
 * Load the same files again. Connections that are open keep what they have.
 *
 * @return false  nothing changed; `problem` says why
 */
bool http_tls_reload(struct http_tls *tls, char *problem, size_t size);
void http_tls_close(struct http_tls *tls);

/** SHA-256 of the certificate that clients see, in hex; `text` has 65 bytes. */
void http_tls_fingerprint(struct http_tls *tls, char text[65]);
/** When the certificate ends, in seconds since 1970. */
long long http_tls_expires(struct http_tls *tls);

/** What clients may speak on the main port: TLS 1.2 and 1.3, RSA key exchange for the oldest
 * devices. */
extern const char http_tls_priorities[];

/** Certificates for GnuTLS, of the store that http_tls_attach() told the session. */
int http_tls_retrieve(gnutls_session_t session, const struct gnutls_cert_retr_st *info,
                      gnutls_pcert_st **certificates, unsigned *count, gnutls_ocsp_data_st **ocsp,
                      unsigned *ocsp_count, gnutls_privkey_t *key, unsigned *flags);
/** Between a session and its socket: what was read beyond what the session wanted. GnuTLS asks for
 *  the five bytes of a record's header, then for the record; one read brings both. */
struct http_tls_pipe {
    int fd;
    /** Called once, when what the client had sent by then is worked through: it is its turn. */
    void (*begun)(void *ctx);
    /** Called each time the handshake comes to a point where nothing can be done before the client sends
     *  more. */
    void (*stalled)(void *ctx);
    void *ctx;
    bool was_begun, is_open;
    uint32_t at, filled;
    unsigned char bytes[2048];
};

/**
 * Prepare a new session before its handshake: tickets, so that clients resume without the
 * handshake's price, and its way to the socket.
 *
 * @param pipe  lives as long as the session; `fd`, the functions and `ctx` are the caller's to set, the
 *              rest is zero
 */
void http_tls_attach(struct http_tls *tls, gnutls_session_t session, struct http_tls_pipe *pipe);
/** After the handshake: records as small as the client asked for (max_fragment_length). */
void http_tls_settle(gnutls_session_t session);

/** What kind of keys a new authority and certificate have. */
enum http_tls_kind { HTTP_TLS_RSA, HTTP_TLS_ECDSA };

/**
 * Make what is missing in a folder: ca.key, ca.crt, server.key, server.crt. Files that are there
 * are left as they are. The server's certificate is made again when `names` are not all in it, or
 * when it ends within 30 days.
 *
 * @param folder  made if absent, mode 0700
 * @param names   host names and addresses; NULL-terminated
 * @return false  `problem` says why
 */
bool http_tls_make(const char *folder, const char *const *names, enum http_tls_kind kind,
                   char *problem, size_t size);

#endif
