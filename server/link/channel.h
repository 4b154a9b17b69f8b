/* updraftd: a socket of the link, plain or TLS, that never waits. */
#ifndef UPDRAFT_SERVER_LINK_CHANNEL_H
#define UPDRAFT_SERVER_LINK_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <gnutls/gnutls.h>

/** What all TLS links share. */
struct channel_tls {
    gnutls_certificate_credentials_t credentials;
    gnutls_priority_t priority;
};

/** @return false  `why` (`room` bytes) says which file is wrong */
bool channel_tls_load(struct channel_tls *tls, const char *certificate, const char *private_key,
                      bool old, char *why, size_t room);
void channel_tls_free(struct channel_tls *tls);

/** session NULL: plain. */
struct channel {
    gnutls_session_t session;
    int fd;
};

enum { CHANNEL_AGAIN = -1, CHANNEL_BROKEN = -2 };

/** Take an accepted socket. @return false  no memory; the socket is still the caller's */
bool channel_open(struct channel *channel, int fd, const struct channel_tls *tls);
void channel_close(struct channel *channel);

/** 0: done, CHANNEL_AGAIN, CHANNEL_BROKEN. */
int channel_handshake(struct channel *channel);
/** Bytes read; 0: the peer has closed; CHANNEL_AGAIN, CHANNEL_BROKEN. */
ssize_t channel_receive(struct channel *channel, void *bytes, size_t size);
/** One message in one write. 0: gone; CHANNEL_AGAIN (TLS): call channel_resend() later. */
int channel_send(struct channel *channel, const void *bytes, size_t size);
int channel_resend(struct channel *channel);
/** Whether the peer's TCP has all that was sent, so that the next message is a segment of its own.
 */
bool channel_drained(const struct channel *channel);

#endif
