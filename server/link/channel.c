#include "channel.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* What SDKs of 2014 to 2018 speak: RSA key exchange, CBC, SHA-1. */
static const char priority_old[] =
    "NORMAL:+VERS-TLS1.0:+VERS-TLS1.1:+RSA:+AES-128-CBC:+AES-256-CBC:+SHA1:+SIGN-RSA-SHA1";
static const char priority_new[] = "NORMAL:-VERS-TLS1.0:-VERS-TLS1.1:-RSA";

bool channel_tls_load(struct channel_tls *tls, const char *certificate, const char *private_key,
                      bool old, char *why, size_t room)
{
    int result = gnutls_certificate_allocate_credentials(&tls->credentials);

    if (result == GNUTLS_E_SUCCESS) {
        result = gnutls_priority_init(&tls->priority, old ? priority_old : priority_new, NULL);
        if (result != GNUTLS_E_SUCCESS) {
            gnutls_certificate_free_credentials(tls->credentials);
        }
    }
    if (result != GNUTLS_E_SUCCESS) {
        snprintf(why, room, "TLS of the device link: %s", gnutls_strerror(result));
        return false;
    }
    result = gnutls_certificate_set_x509_key_file(tls->credentials, certificate, private_key,
                                                  GNUTLS_X509_FMT_PEM);
    if (result != GNUTLS_E_SUCCESS) {
        snprintf(why, room, "certificate %s with key %s: %s", certificate, private_key,
                 gnutls_strerror(result));
        channel_tls_free(tls);
        return false;
    }
    return true;
}

void channel_tls_free(struct channel_tls *tls)
{
    gnutls_certificate_free_credentials(tls->credentials);
    gnutls_priority_deinit(tls->priority);
}

bool channel_open(struct channel *channel, int fd, const struct channel_tls *tls)
{
    const int one = 1;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    channel->session = NULL;
    channel->fd = fd;
    if (tls == NULL) {
        return true;
    }
    if (gnutls_init(&channel->session, GNUTLS_SERVER | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL) < 0) {
        channel->session = NULL;
        return false;
    }
    if (gnutls_priority_set(channel->session, tls->priority) < 0 ||
        gnutls_credentials_set(channel->session, GNUTLS_CRD_CERTIFICATE, tls->credentials) < 0) {
        gnutls_deinit(channel->session);
        channel->session = NULL;
        return false;
    }
    gnutls_transport_set_int(channel->session, fd);
    return true;
}

void channel_close(struct channel *channel)
{
    if (channel->session != NULL) {
        (void)gnutls_bye(channel->session, GNUTLS_SHUT_WR);
        gnutls_deinit(channel->session);
        channel->session = NULL;
    }
    close(channel->fd);
    channel->fd = -1;
}

static int verdict(ssize_t result)
{
    if (result >= 0) {
        return 0;
    }
    return gnutls_error_is_fatal((int)result) ? CHANNEL_BROKEN : CHANNEL_AGAIN;
}

int channel_handshake(struct channel *channel)
{
    return channel->session == NULL ? 0 : verdict(gnutls_handshake(channel->session));
}

ssize_t channel_receive(struct channel *channel, void *bytes, size_t size)
{
    ssize_t got;

    if (channel->session != NULL) {
        got = gnutls_record_recv(channel->session, bytes, size);
        return got >= 0 ? got : verdict(got);
    }
    got = recv(channel->fd, bytes, size, MSG_DONTWAIT);
    if (got < 0) {
        return errno == EAGAIN || errno == EINTR ? CHANNEL_AGAIN : CHANNEL_BROKEN;
    }
    return got;
}

int channel_send(struct channel *channel, const void *bytes, size_t size)
{
    if (channel->session != NULL) {
        const ssize_t sent = gnutls_record_send(channel->session, bytes, size);
        if (sent >= 0 && (size_t)sent != size) {
            return CHANNEL_BROKEN;
        }
        return verdict(sent);
    }
    /* Nothing else is in the socket's buffer, so that a part of a message is no outcome: a peer
     * for whom there is not even so much room is given up. */
    return send(channel->fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)size
               ? 0
               : CHANNEL_BROKEN;
}

int channel_resend(struct channel *channel)
{
    return verdict(gnutls_record_send(channel->session, NULL, 0));
}

bool channel_drained(const struct channel *channel)
{
    int left = 0;

    return ioctl(channel->fd, SIOCOUTQ, &left) == 0 && left == 0;
}
