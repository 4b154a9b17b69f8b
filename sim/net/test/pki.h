/* Certificates, good ones and bad ones, made when the test runs: nothing expires in the repository. */
#ifndef SIM_TEST_PKI_H
#define SIM_TEST_PKI_H

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "check.h"

/** What a server shows. */
enum pki_kind {
    PKI_GOOD, /* for 127.0.0.1 */
    PKI_EXPIRED,
    PKI_NOT_YET,
    PKI_WRONG_ADDRESS,
    PKI_WRONG_NAME, /* a name that is not the address, and no address */
    PKI_UNKNOWN_CA,
    PKI_NAMESAKE, /* by an unknown authority with the name of the known one */
    PKI_SELF_SIGNED,
    PKI_FOR_CLIENTS, /* its purpose is another one */
    PKI_BY_NO_CA,    /* issued by somebody's own certificate, which is good */
    PKI_DAMAGED,     /* the signature is wrong */
    PKI_KINDS
};

struct pki {
    gnutls_x509_privkey_t key; /* everybody's */
    gnutls_x509_privkey_t ca_key;
    gnutls_datum_t ca_pem;
    gnutls_certificate_credentials_t kinds[PKI_KINDS];
    gnutls_priority_t usual;
    gnutls_priority_t old; /* TLS 1.0 and 1.1 only */
};

static inline void pki_must(int error)
{
    if (error < 0) {
        check_print(gnutls_strerror(error));
        check_print("\n");
        exit(2);
    }
}

static inline gnutls_x509_privkey_t pki_key(void)
{
    gnutls_x509_privkey_t key = NULL;

    pki_must(gnutls_x509_privkey_init(&key));
    pki_must(gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA,
                                          GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0));
    return key;
}

struct pki_wish {
    const char *name;
    const char *dns; /* NULL: none */
    uint8_t address; /* 127.0.0.N; 0: none */
    int from_days, to_days;
    bool is_ca, for_clients;
};

/* @param issuer  NULL: itself */
static inline gnutls_x509_crt_t pki_certificate(const struct pki_wish *wish,
                                                gnutls_x509_privkey_t key, gnutls_x509_crt_t issuer,
                                                gnutls_x509_privkey_t issuer_key)
{
    static uint8_t serial = 1;
    const uint8_t address[4] = {127, 0, 0, wish->address};
    const time_t day = 86400;
    const time_t now = time(NULL);
    gnutls_x509_crt_t crt = NULL;

    serial++;
    pki_must(gnutls_x509_crt_init(&crt));
    pki_must(gnutls_x509_crt_set_version(crt, 3));
    pki_must(gnutls_x509_crt_set_serial(crt, &serial, 1));
    pki_must(gnutls_x509_crt_set_dn(crt, wish->name, NULL));
    pki_must(gnutls_x509_crt_set_activation_time(crt, now + wish->from_days * day));
    pki_must(gnutls_x509_crt_set_expiration_time(crt, now + wish->to_days * day));
    pki_must(gnutls_x509_crt_set_key(crt, key));
    pki_must(gnutls_x509_crt_set_basic_constraints(crt, wish->is_ca, -1));
    if (wish->is_ca) {
        pki_must(gnutls_x509_crt_set_key_usage(crt, GNUTLS_KEY_KEY_CERT_SIGN));
    } else {
        pki_must(gnutls_x509_crt_set_key_usage(crt, GNUTLS_KEY_DIGITAL_SIGNATURE));
        pki_must(gnutls_x509_crt_set_key_purpose_oid(
            crt, wish->for_clients ? GNUTLS_KP_TLS_WWW_CLIENT : GNUTLS_KP_TLS_WWW_SERVER, 0));
    }
    if (wish->address != 0) {
        pki_must(gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_IPADDRESS, address,
                                                      sizeof address, GNUTLS_FSAN_APPEND));
    }
    if (wish->dns != NULL) {
        pki_must(gnutls_x509_crt_set_subject_alt_name(
            crt, GNUTLS_SAN_DNSNAME, wish->dns, (unsigned)strlen(wish->dns), GNUTLS_FSAN_APPEND));
    }
    pki_must(gnutls_x509_crt_sign2(crt, issuer != NULL ? issuer : crt, issuer_key,
                                   GNUTLS_DIG_SHA256, 0));
    return crt;
}

/* The last bytes of a certificate are its signature's. */
static inline gnutls_x509_crt_t pki_damage(gnutls_x509_crt_t crt)
{
    gnutls_datum_t der = {0};
    gnutls_x509_crt_t damaged = NULL;

    pki_must(gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_DER, &der));
    der.data[der.size - 3] ^= 1;
    pki_must(gnutls_x509_crt_init(&damaged));
    pki_must(gnutls_x509_crt_import(damaged, &der, GNUTLS_X509_FMT_DER));
    gnutls_free(der.data);
    gnutls_x509_crt_deinit(crt);
    return damaged;
}

static inline void pki_open(struct pki *pki)
{
    static const struct pki_wish ca = {
        .name = "CN=ca", .from_days = -9, .to_days = 9, .is_ca = true};
    static const struct pki_wish other = {
        .name = "CN=stranger", .from_days = -9, .to_days = 9, .is_ca = true};
    static const struct pki_wish wishes[PKI_KINDS] = {
        [PKI_GOOD] = {.name = "CN=good", .address = 1, .from_days = -1, .to_days = 1},
        [PKI_EXPIRED] = {.name = "CN=expired", .address = 1, .from_days = -2, .to_days = -1},
        [PKI_NOT_YET] = {.name = "CN=not yet", .address = 1, .from_days = 1, .to_days = 2},
        [PKI_WRONG_ADDRESS] = {.name = "CN=127.0.0.1", .address = 2, .from_days = -1, .to_days = 1},
        [PKI_WRONG_NAME] = {.name = "CN=n", .dns = "example.com", .from_days = -1, .to_days = 1},
        [PKI_UNKNOWN_CA] = {.name = "CN=unknown", .address = 1, .from_days = -1, .to_days = 1},
        [PKI_NAMESAKE] = {.name = "CN=unknown", .address = 1, .from_days = -1, .to_days = 1},
        [PKI_SELF_SIGNED] = {.name = "CN=self", .address = 1, .from_days = -1, .to_days = 1},
        [PKI_FOR_CLIENTS] =
            {.name = "CN=client", .address = 1, .from_days = -1, .to_days = 1, .for_clients = true},
        [PKI_BY_NO_CA] = {.name = "CN=by good", .address = 1, .from_days = -1, .to_days = 1},
        [PKI_DAMAGED] = {.name = "CN=damaged", .address = 1, .from_days = -1, .to_days = 1},
    };
    gnutls_x509_privkey_t stranger_key = pki_key();

    memset(pki, 0, sizeof *pki);
    pki->key = pki_key();
    pki->ca_key = pki_key();
    gnutls_x509_crt_t authority = pki_certificate(&ca, pki->ca_key, NULL, pki->ca_key);
    gnutls_x509_crt_t stranger = pki_certificate(&other, stranger_key, NULL, stranger_key);
    gnutls_x509_crt_t namesake = pki_certificate(&ca, stranger_key, NULL, stranger_key);
    gnutls_x509_crt_t good = pki_certificate(&wishes[PKI_GOOD], pki->key, authority, pki->ca_key);
    pki_must(gnutls_x509_crt_export2(authority, GNUTLS_X509_FMT_PEM, &pki->ca_pem));
    for (uint32_t i = 0; i < PKI_KINDS; i++) {
        gnutls_x509_crt_t chain[2] = {NULL, good};
        const bool by_self = i == PKI_SELF_SIGNED;
        const bool by_namesake = i == PKI_NAMESAKE;
        const bool by_stranger = i == PKI_UNKNOWN_CA || by_namesake;
        const bool by_good = i == PKI_BY_NO_CA;
        chain[0] = pki_certificate(&wishes[i], pki->key,
                                   by_self       ? NULL
                                   : by_namesake ? namesake
                                   : by_stranger ? stranger
                                   : by_good     ? good
                                                 : authority,
                                   by_stranger            ? stranger_key
                                   : (by_self || by_good) ? pki->key
                                                          : pki->ca_key);
        if (i == PKI_DAMAGED) {
            chain[0] = pki_damage(chain[0]);
        }
        pki_must(gnutls_certificate_allocate_credentials(&pki->kinds[i]));
        pki_must(gnutls_certificate_set_x509_key(pki->kinds[i], chain, by_good ? 2 : 1, pki->key));
        gnutls_x509_crt_deinit(chain[0]);
    }
    gnutls_x509_crt_deinit(good);
    gnutls_x509_crt_deinit(stranger);
    gnutls_x509_crt_deinit(namesake);
    gnutls_x509_crt_deinit(authority);
    gnutls_x509_privkey_deinit(stranger_key);
    pki_must(gnutls_priority_init(&pki->usual, "NORMAL", NULL));
    pki_must(gnutls_priority_init(&pki->old, "NORMAL:-VERS-ALL:+VERS-TLS1.1:+VERS-TLS1.0", NULL));
}

static inline void pki_close(struct pki *pki)
{
    for (uint32_t i = 0; i < PKI_KINDS; i++) {
        gnutls_certificate_free_credentials(pki->kinds[i]);
    }
    gnutls_priority_deinit(pki->usual);
    gnutls_priority_deinit(pki->old);
    gnutls_free(pki->ca_pem.data);
    gnutls_x509_privkey_deinit(pki->key);
    gnutls_x509_privkey_deinit(pki->ca_key);
}

#endif
