#include "http/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <gnutls/crypto.h>
#include <gnutls/x509.h>

/* AES-128 before the rest: chips have it in hardware or compute it in two thirds of the time. X25519
 * before the rest: it is the one that clients send along at once with TLS 1.3, and any other costs
 * another round trip with most of them. */
const char http_tls_priorities[] =
    "NORMAL:-VERS-TLS1.0:-VERS-TLS1.1:-CIPHER-ALL:+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305:"
    "+AES-128-CCM:+AES-256-CCM:+AES-128-CBC:+AES-256-CBC:-GROUP-ALL:+GROUP-X25519:"
    "+GROUP-SECP256R1:+GROUP-SECP384R1:+GROUP-SECP521R1:+GROUP-X448:+GROUP-FFDHE2048:"
    "+GROUP-FFDHE3072:+GROUP-FFDHE4096:%SERVER_PRECEDENCE";

enum {
    CHAIN_MAX = 8,
    DAY_S = 86400,
    CA_DAYS = 7300,
    SERVER_DAYS = 3650, /* devices in the field have no way to be told a new one early */
    RENEW_DAYS = 30,
    RSA_BITS = 2048, /* what the oldest clients of the chips can check */
};

/* Certificates that were loaded together. Handshakes that run may use older ones: none goes before
 * the end. */
struct loaded {
    struct loaded *older;
    gnutls_pcert_st chain[CHAIN_MAX];
    unsigned count;
    gnutls_privkey_t key;
    char fingerprint[65];
    time_t expires;
};

struct http_tls {
    pthread_mutex_t lock;
    struct loaded *newest;
    char *certificate_file, *key_file;
    gnutls_datum_t ticket_key;
};

/* --- Loading ---------------------------------------------------------------------------------- */

static void set_fingerprint(struct loaded *loaded, const gnutls_datum_t *der)
{
    unsigned char digest[32];

    gnutls_hash_fast(GNUTLS_DIG_SHA256, der->data, der->size, digest);
    for (size_t i = 0; i < sizeof digest; i++) {
        snprintf(loaded->fingerprint + 2 * i, 3, "%02x", digest[i]);
    }
}

static int load_certificate(struct loaded *loaded, const char *file)
{
    gnutls_datum_t pem = {0};
    gnutls_x509_crt_t list[CHAIN_MAX];
    unsigned count = CHAIN_MAX;
    int error = gnutls_load_file(file, &pem);

    if (error < 0) {
        return error;
    }
    error = gnutls_x509_crt_list_import(list, &count, &pem, GNUTLS_X509_FMT_PEM,
                                        GNUTLS_X509_CRT_LIST_IMPORT_FAIL_IF_EXCEED);
    gnutls_free(pem.data);
    if (error < 0) {
        return error;
    }
    for (unsigned i = 0; i < count; i++) {
        if (error >= 0) {
            error = gnutls_pcert_import_x509(&loaded->chain[i], list[i], 0);
            loaded->count += error >= 0;
        }
        if (i == 0) {
            loaded->expires = gnutls_x509_crt_get_expiration_time(list[i]);
        }
        gnutls_x509_crt_deinit(list[i]);
    }
    if (error >= 0) {
        set_fingerprint(loaded, &loaded->chain[0].cert);
    }
    return error;
}

static int load_key(struct loaded *loaded, const char *file)
{
    gnutls_datum_t pem = {0};
    int error = gnutls_load_file(file, &pem);

    if (error < 0) {
        return error;
    }
    error = gnutls_privkey_init(&loaded->key);
    if (error >= 0) {
        error = gnutls_privkey_import_x509_raw(loaded->key, &pem, GNUTLS_X509_FMT_PEM, NULL, 0);
    }
    gnutls_memset(pem.data, 0, pem.size);
    gnutls_free(pem.data);
    return error;
}

static bool keys_match(const struct loaded *loaded)
{
    gnutls_pubkey_t public;
    unsigned char of_key[64], of_certificate[64];
    size_t key_size = sizeof of_key;
    size_t certificate_size = sizeof of_certificate;

    if (gnutls_pubkey_init(&public) < 0) {
        return false;
    }
    bool good = gnutls_pubkey_import_privkey(public, loaded->key, 0, 0) >= 0 &&
                gnutls_pubkey_get_key_id(public, GNUTLS_KEYID_USE_SHA256, of_key, &key_size) >= 0 &&
                gnutls_pubkey_get_key_id(loaded->chain[0].pubkey, GNUTLS_KEYID_USE_SHA256,
                                         of_certificate, &certificate_size) >= 0 &&
                key_size == certificate_size && memcmp(of_key, of_certificate, key_size) == 0;
    gnutls_pubkey_deinit(public);
    return good;
}

static void unload(struct loaded *loaded)
{
    for (unsigned i = 0; i < loaded->count; i++) {
        gnutls_pcert_deinit(&loaded->chain[i]);
    }
    if (loaded->key != NULL) {
        gnutls_privkey_deinit(loaded->key);
    }
    free(loaded);
}

bool http_tls_reload(struct http_tls *tls, char *problem, size_t size)
{
    struct loaded *loaded = calloc(1, sizeof *loaded);
    int error;

    if (loaded == NULL) {
        snprintf(problem, size, "out of memory");
        return false;
    }
    error = load_certificate(loaded, tls->certificate_file);
    if (error < 0) {
        snprintf(problem, size, "%s: %s", tls->certificate_file, gnutls_strerror(error));
        unload(loaded);
        return false;
    }
    error = load_key(loaded, tls->key_file);
    if (error < 0) {
        snprintf(problem, size, "%s: %s", tls->key_file, gnutls_strerror(error));
        unload(loaded);
        return false;
    }
    if (!keys_match(loaded)) {
        snprintf(problem, size, "%s is not the key of %s", tls->key_file, tls->certificate_file);
        unload(loaded);
        return false;
    }
    pthread_mutex_lock(&tls->lock);
    loaded->older = tls->newest;
    tls->newest = loaded;
    pthread_mutex_unlock(&tls->lock);
    return true;
}

struct http_tls *http_tls_open(const struct http_tls_files *files, char *problem, size_t size)
{
    struct http_tls *tls = calloc(1, sizeof *tls);

    if (tls == NULL || (tls->certificate_file = strdup(files->certificate)) == NULL ||
        (tls->key_file = strdup(files->key)) == NULL ||
        gnutls_session_ticket_key_generate(&tls->ticket_key) < 0) {
        snprintf(problem, size, "out of memory");
    } else {
        pthread_mutex_init(&tls->lock, NULL);
        if (http_tls_reload(tls, problem, size)) {
            return tls;
        }
    }
    http_tls_close(tls);
    return NULL;
}

void http_tls_close(struct http_tls *tls)
{
    if (tls == NULL) {
        return;
    }
    while (tls->newest != NULL) {
        struct loaded *loaded = tls->newest;
        tls->newest = loaded->older;
        unload(loaded);
    }
    if (tls->ticket_key.data != NULL) {
        gnutls_memset(tls->ticket_key.data, 0, tls->ticket_key.size);
        gnutls_free(tls->ticket_key.data);
    }
    free(tls->certificate_file);
    free(tls->key_file);
    free(tls);
}

static struct loaded *newest(struct http_tls *tls)
{
    pthread_mutex_lock(&tls->lock);
    struct loaded *loaded = tls->newest;
    pthread_mutex_unlock(&tls->lock);
    return loaded;
}

void http_tls_fingerprint(struct http_tls *tls, char text[65])
{
    memcpy(text, newest(tls)->fingerprint, 65);
}

long long http_tls_expires(struct http_tls *tls)
{
    return (long long)newest(tls)->expires;
}

/* --- Sessions --------------------------------------------------------------------------------- */

static void tell_begun(struct http_tls_pipe *pipe)
{
    if (!pipe->was_begun) {
        pipe->was_begun = true;
        pipe->begun(pipe->ctx);
    }
}

static void tell_stalled(struct http_tls_pipe *pipe)
{
    const int error = errno; /* GnuTLS reads it after the call */

    tell_begun(pipe);
    if (!pipe->is_open && (error == EAGAIN || error == EWOULDBLOCK)) {
        pipe->stalled(pipe->ctx);
    }
    errno = error;
}

/* The client's last word is there. */
static int on_finished(gnutls_session_t session, unsigned type, unsigned when, unsigned incoming,
                       const gnutls_datum_t *message)
{
    struct http_tls_pipe *pipe = gnutls_transport_get_ptr(session);

    (void)type;
    (void)when;
    (void)message;
    pipe->is_open = pipe->is_open || incoming;
    return 0;
}

static ssize_t pull(gnutls_transport_ptr_t ctx, void *to, size_t size)
{
    struct http_tls_pipe *pipe = ctx;

    if (pipe->at == pipe->filled) {
        bool small = size < sizeof pipe->bytes;
        ssize_t got =
            recv(pipe->fd, small ? (void *)pipe->bytes : to, small ? sizeof pipe->bytes : size, 0);
        if (got < 0) {
            tell_stalled(pipe);
        }
        if (!small || got <= 0) {
            return got; /* errno is that of the thread, as GnuTLS expects */
        }
        pipe->at = 0;
        pipe->filled = (uint32_t)got;
    }
    size_t count = pipe->filled - pipe->at;
    count = count < size ? count : size;
    memcpy(to, pipe->bytes + pipe->at, count);
    pipe->at += (uint32_t)count;
    return (ssize_t)count;
}

static ssize_t push(gnutls_transport_ptr_t ctx, const giovec_t *parts, int count)
{
    struct http_tls_pipe *pipe = ctx;
    struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)parts,
                             .msg_iovlen = (size_t)count};

    tell_begun(pipe);
    return sendmsg(pipe->fd, &message, MSG_NOSIGNAL);
}

void http_tls_attach(struct http_tls *tls, gnutls_session_t session, struct http_tls_pipe *pipe)
{
    /* The session's own pointer is the HTTP library's; this one is of a cache that we do not use.
     */
    gnutls_db_set_ptr(session, tls);
    gnutls_session_ticket_enable_server(session, &tls->ticket_key);
    gnutls_transport_set_ptr(session, pipe);
    gnutls_handshake_set_hook_function(session, GNUTLS_HANDSHAKE_FINISHED, GNUTLS_HOOK_POST,
                                       on_finished);
    gnutls_transport_set_pull_function(session, pull);
    gnutls_transport_set_vec_push_function(session, push);
}

void http_tls_settle(gnutls_session_t session)
{
    size_t size = gnutls_record_get_max_size(session);

    /* GnuTLS (3.7) keeps to it in the handshake, and in what follows only when it is told again. */
    if (size >= 512 && size < 16384) {
        gnutls_record_set_max_size(session, size);
    }
}

int http_tls_retrieve(gnutls_session_t session, const struct gnutls_cert_retr_st *info,
                      gnutls_pcert_st **certificates, unsigned *count, gnutls_ocsp_data_st **ocsp,
                      unsigned *ocsp_count, gnutls_privkey_t *key, unsigned *flags)
{
    struct http_tls *tls = gnutls_db_get_ptr(session);

    (void)info;
    if (tls == NULL) {
        return -1;
    }
    struct loaded *loaded = newest(tls);
    *certificates = loaded->chain;
    *count = loaded->count;
    *key = loaded->key;
    *ocsp = NULL;
    *ocsp_count = 0;
    *flags = 0;
    return 0;
}

/* --- An authority of our own ------------------------------------------------------------------ */

/* What is being made, and where a failure is noted. */
struct maker {
    const char *folder;
    enum http_tls_kind kind;
    int error; /* of GnuTLS; 0 */
    char *problem;
    size_t size;
};

static bool failed(struct maker *maker, const char *what, int error)
{
    snprintf(maker->problem, maker->size, "%s/%s: %s", maker->folder, what,
             error == 0 ? strerror(errno) : gnutls_strerror(error));
    return false;
}

static void path_of(const struct maker *maker, const char *name, char *path, size_t size)
{
    snprintf(path, size, "%s/%s", maker->folder, name);
}

static bool exists(const struct maker *maker, const char *name)
{
    char path[4096];

    path_of(maker, name, path, sizeof path);
    return access(path, F_OK) == 0;
}

/* Whole or not at all: a cut while it is written leaves the file that was there. */
static bool save(struct maker *maker, const char *name, const gnutls_datum_t *data, mode_t mode)
{
    char path[4096], fresh[4200];

    path_of(maker, name, path, sizeof path);
    snprintf(fresh, sizeof fresh, "%s.new", path);
    unlink(fresh);
    int fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    bool good =
        fd >= 0 && write(fd, data->data, data->size) == (ssize_t)data->size && fsync(fd) == 0;
    if (fd >= 0) {
        good = close(fd) == 0 && good;
    }
    good = good && rename(fresh, path) == 0;
    return good ? true : failed(maker, name, 0);
}

static bool load_own_key(struct maker *maker, const char *name, gnutls_x509_privkey_t key)
{
    char path[4096];
    gnutls_datum_t pem = {0};

    path_of(maker, name, path, sizeof path);
    int error = gnutls_load_file(path, &pem);
    if (error >= 0) {
        error = gnutls_x509_privkey_import(key, &pem, GNUTLS_X509_FMT_PEM);
        gnutls_memset(pem.data, 0, pem.size);
        gnutls_free(pem.data);
    }
    return error >= 0 ? true : failed(maker, name, error);
}

/* The key of a file, made when there is none. */
static bool need_key(struct maker *maker, const char *name, gnutls_x509_privkey_t key)
{
    gnutls_datum_t pem = {0};
    int error;

    if (exists(maker, name)) {
        return load_own_key(maker, name, key);
    }
    error = maker->kind == HTTP_TLS_ECDSA
                ? gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA,
                                               GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0)
                : gnutls_x509_privkey_generate(key, GNUTLS_PK_RSA, RSA_BITS, 0);
    if (error >= 0) {
        error = gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &pem);
    }
    if (error < 0) {
        return failed(maker, name, error);
    }
    bool good = save(maker, name, &pem, 0600);
    gnutls_memset(pem.data, 0, pem.size);
    gnutls_free(pem.data);
    return good;
}

static void note(struct maker *maker, int error)
{
    if (maker->error == 0 && error < 0) {
        maker->error = error;
    }
}

/* What authority and server have in common. */
static void fill(struct maker *maker, gnutls_x509_crt_t certificate, gnutls_x509_privkey_t key,
                 const char *name, int days)
{
    unsigned char serial[16];
    unsigned char id[32];
    size_t id_size = sizeof id;
    time_t now = time(NULL);

    gnutls_rnd(GNUTLS_RND_NONCE, serial, sizeof serial);
    serial[0] = (serial[0] & 0x7F) | 0x40; /* positive, and never shorter */
    note(maker, gnutls_x509_crt_set_version(certificate, 3));
    note(maker, gnutls_x509_crt_set_serial(certificate, serial, sizeof serial));
    /* Clocks of devices are behind, and many begin at 1970: a day is what a person's may be. */
    note(maker, gnutls_x509_crt_set_activation_time(certificate, now - DAY_S));
    note(maker, gnutls_x509_crt_set_expiration_time(certificate, now + (time_t)days * DAY_S));
    note(maker, gnutls_x509_crt_set_key(certificate, key));
    note(maker, gnutls_x509_crt_set_dn_by_oid(certificate, GNUTLS_OID_X520_COMMON_NAME, 0, name,
                                              (unsigned)strlen(name)));
    note(maker, gnutls_x509_crt_get_key_id(certificate, GNUTLS_KEYID_USE_SHA256, id, &id_size));
    note(maker, gnutls_x509_crt_set_subject_key_id(certificate, id, 20));
}

static bool save_certificate(struct maker *maker, const char *name, gnutls_x509_crt_t certificate)
{
    gnutls_datum_t pem = {0};

    note(maker, gnutls_x509_crt_export2(certificate, GNUTLS_X509_FMT_PEM, &pem));
    if (maker->error != 0) {
        return failed(maker, name, maker->error);
    }
    bool good = save(maker, name, &pem, 0644);
    gnutls_free(pem.data);
    return good;
}

static bool need_authority(struct maker *maker, gnutls_x509_privkey_t key,
                           gnutls_x509_crt_t authority)
{
    char path[4096];
    gnutls_datum_t pem = {0};

    if (!need_key(maker, "ca.key", key)) {
        return false;
    }
    if (!exists(maker, "ca.crt")) {
        fill(maker, authority, key, "updraft", CA_DAYS);
        note(maker, gnutls_x509_crt_set_basic_constraints(authority, 1, 0));
        note(maker, gnutls_x509_crt_set_key_usage(authority,
                                                  GNUTLS_KEY_KEY_CERT_SIGN | GNUTLS_KEY_CRL_SIGN));
        note(maker, gnutls_x509_crt_sign2(authority, authority, key, GNUTLS_DIG_SHA256, 0));
        return save_certificate(maker, "ca.crt", authority);
    }
    path_of(maker, "ca.crt", path, sizeof path);
    int error = gnutls_load_file(path, &pem);
    if (error >= 0) {
        error = gnutls_x509_crt_import(authority, &pem, GNUTLS_X509_FMT_PEM);
        gnutls_free(pem.data);
    }
    return error >= 0 ? true : failed(maker, "ca.crt", error);
}

static void add_name(struct maker *maker, gnutls_x509_crt_t certificate, const char *name)
{
    unsigned char address[16];
    size_t size = inet_pton(AF_INET, name, address) == 1    ? 4
                  : inet_pton(AF_INET6, name, address) == 1 ? 16
                                                            : 0;

    note(maker, gnutls_x509_crt_set_subject_alt_name(
                    certificate, size > 0 ? GNUTLS_SAN_IPADDRESS : GNUTLS_SAN_DNSNAME,
                    size > 0 ? (const void *)address : name,
                    (unsigned)(size > 0 ? size : strlen(name)), GNUTLS_FSAN_APPEND));
}

static bool make_server(struct maker *maker, const char *const *names, gnutls_x509_privkey_t ca_key,
                        gnutls_x509_crt_t authority, gnutls_x509_crt_t certificate)
{
    gnutls_x509_privkey_t key;
    unsigned char id[32];
    size_t id_size = sizeof id;

    if (gnutls_x509_privkey_init(&key) < 0) {
        return failed(maker, "server.key", GNUTLS_E_MEMORY_ERROR);
    }
    bool good = need_key(maker, "server.key", key);
    if (good) {
        fill(maker, certificate, key, names[0] != NULL ? names[0] : "localhost", SERVER_DAYS);
        note(maker, gnutls_x509_crt_set_basic_constraints(certificate, 0, -1));
        /* Key encipherment is for clients that know no other exchange than RSA. */
        note(maker, gnutls_x509_crt_set_key_usage(
                        certificate,
                        GNUTLS_KEY_DIGITAL_SIGNATURE |
                            (maker->kind == HTTP_TLS_RSA ? GNUTLS_KEY_KEY_ENCIPHERMENT : 0u)));
        note(maker, gnutls_x509_crt_set_key_purpose_oid(certificate, GNUTLS_KP_TLS_WWW_SERVER, 0));
        for (const char *const *name = names; *name != NULL; name++) {
            add_name(maker, certificate, *name);
        }
        note(maker, gnutls_x509_crt_get_subject_key_id(authority, id, &id_size, NULL));
        note(maker, gnutls_x509_crt_set_authority_key_id(certificate, id, id_size));
        note(maker, gnutls_x509_crt_sign2(certificate, authority, ca_key, GNUTLS_DIG_SHA256, 0));
        good = save_certificate(maker, "server.crt", certificate);
    }
    gnutls_x509_privkey_deinit(key);
    return good;
}

/* Whether the certificate that is there will do. */
static bool server_is_good(const struct maker *maker, const char *const *names)
{
    char path[4096];
    gnutls_datum_t pem = {0};
    gnutls_x509_crt_t certificate;
    bool good = exists(maker, "server.key");

    path_of(maker, "server.crt", path, sizeof path);
    if (!good || gnutls_load_file(path, &pem) < 0) {
        return false;
    }
    if (gnutls_x509_crt_init(&certificate) < 0) {
        gnutls_free(pem.data);
        return false;
    }
    good = gnutls_x509_crt_import(certificate, &pem, GNUTLS_X509_FMT_PEM) >= 0 &&
           gnutls_x509_crt_get_expiration_time(certificate) > time(NULL) + RENEW_DAYS * DAY_S;
    for (const char *const *name = names; good && *name != NULL; name++) {
        good = gnutls_x509_crt_check_hostname(certificate, *name) != 0;
    }
    gnutls_x509_crt_deinit(certificate);
    gnutls_free(pem.data);
    return good;
}

bool http_tls_make(const char *folder, const char *const *names, enum http_tls_kind kind,
                   char *problem, size_t size)
{
    struct maker maker = {.folder = folder, .kind = kind, .problem = problem, .size = size};
    gnutls_x509_privkey_t ca_key = NULL;
    gnutls_x509_crt_t authority = NULL;
    gnutls_x509_crt_t certificate = NULL;

    if (mkdir(folder, 0700) != 0 && errno != EEXIST) {
        snprintf(problem, size, "%s: %s", folder, strerror(errno));
        return false;
    }
    bool good = gnutls_x509_privkey_init(&ca_key) >= 0 && gnutls_x509_crt_init(&authority) >= 0 &&
                gnutls_x509_crt_init(&certificate) >= 0;
    if (!good) {
        failed(&maker, "ca.key", GNUTLS_E_MEMORY_ERROR);
    }
    good = good && need_authority(&maker, ca_key, authority);
    if (good && !server_is_good(&maker, names)) {
        good = make_server(&maker, names, ca_key, authority, certificate);
    }
    gnutls_x509_crt_deinit(certificate);
    gnutls_x509_crt_deinit(authority);
    gnutls_x509_privkey_deinit(ca_key);
    return good;
}
