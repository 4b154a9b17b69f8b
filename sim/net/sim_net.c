/*
 * TCP under everything, and on it, where it is wanted, a TLS session whose bytes go through pull()
 * and push() here: there they are counted, there the weather is made, and there one can see that
 * what answers is no TLS at all, which GnuTLS reports in several ways.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include <updraft/sim_net.h>

/* No compression, no old versions, and what the library thinks is sound otherwise. */
#define PRIORITY "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

/* A peer may send what is no data, such as warnings: so many at once are put up with. */
enum { PATIENCE = 16, HOST_SIZE = 256 };

struct sim_net_trust {
    gnutls_certificate_credentials_t credentials;
    gnutls_priority_t priority;
};

struct sim_net_session {
    gnutls_session_t tls;
    gnutls_typed_vdata_st wanted[2];
    char host[HOST_SIZE];
};

/* --- Trust ------------------------------------------------------------------------------------ */

static struct sim_net_trust *refuse(struct sim_net_trust *trust, const char *text, const char **why)
{
    sim_net_trust_free(trust);
    *why = text;
    return NULL;
}

static struct sim_net_trust *make_trust(const char **why)
{
    struct sim_net_trust *trust = calloc(1, sizeof *trust);
    int error = GNUTLS_E_MEMORY_ERROR;

    if (trust != NULL) {
        error = gnutls_certificate_allocate_credentials(&trust->credentials);
    }
    if (error == 0) {
        error = gnutls_priority_init(&trust->priority, PRIORITY, NULL);
    }
    return error == 0 ? trust : refuse(trust, gnutls_strerror(error), why);
}

/* @param count  certificates that were taken, or GnuTLS's error */
static struct sim_net_trust *judge_trust(struct sim_net_trust *trust, int count, const char **why)
{
    if (count < 0) {
        return refuse(trust, gnutls_strerror(count), why);
    }
    return count > 0 ? trust : refuse(trust, "no certificate in it", why);
}

struct sim_net_trust *sim_net_trust_new(const char *ca_file, const char **why)
{
    struct sim_net_trust *trust = make_trust(why);

    if (trust == NULL) {
        return NULL;
    }
    return judge_trust(
        trust,
        gnutls_certificate_set_x509_trust_file(trust->credentials, ca_file, GNUTLS_X509_FMT_PEM),
        why);
}

struct sim_net_trust *sim_net_trust_new_from(const void *pem, uint32_t size, const char **why)
{
    struct sim_net_trust *trust = make_trust(why);
    unsigned char *copy = malloc(size + 1u); /* GnuTLS's type for input is not const */

    if (trust == NULL || copy == NULL) {
        free(copy);
        return trust == NULL ? NULL : refuse(trust, "no memory", why);
    }
    memcpy(copy, pem, size);
    copy[size] = 0;
    const gnutls_datum_t text = {.data = copy, .size = size};
    const int count =
        gnutls_certificate_set_x509_trust_mem(trust->credentials, &text, GNUTLS_X509_FMT_PEM);
    free(copy);
    return judge_trust(trust, count, why);
}

void sim_net_trust_free(struct sim_net_trust *trust)
{
    if (trust == NULL) {
        return;
    }
    if (trust->credentials != NULL) {
        gnutls_certificate_free_credentials(trust->credentials);
    }
    if (trust->priority != NULL) {
        gnutls_priority_deinit(trust->priority);
    }
    free(trust);
}

/* --- Ending ----------------------------------------------------------------------------------- */

static void release(struct sim_net *net)
{
    if (net->session != NULL) {
        if (net->state == UPD_WIRE_OPEN) {
            (void)gnutls_bye(net->session->tls, GNUTLS_SHUT_WR);
        }
        gnutls_deinit(net->session->tls);
        free(net->session);
        net->session = NULL;
    }
    if (net->socket >= 0) {
        close(net->socket);
        net->socket = -1;
    }
    if (net->addresses != NULL) {
        freeaddrinfo(net->addresses);
        net->addresses = net->address = NULL;
    }
}

static void end(struct sim_net *net, enum upd_wire state, enum upd_trouble why)
{
    release(net);
    net->state = state;
    net->why = why;
}

static void net_close(void *ctx)
{
    end(ctx, UPD_WIRE_CLOSED, UPD_TROUBLE_NONE);
}

/* --- TCP -------------------------------------------------------------------------------------- */

static bool is_for_later(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

/* As recv(), with the weather in it. */
static ssize_t tcp_receive(struct sim_net *net, void *data, size_t size)
{
    const uint32_t dribble = net->weather.dribble;

    if (net->left == 0) {
        net->lost = true;
        errno = ECONNRESET;
        return -1;
    }
    size = size < net->left ? size : net->left;
    size = dribble != 0 && size > dribble ? dribble : size;
    const ssize_t got = recv(net->socket, data, size, 0);
    if (got > 0) {
        net->received += (uint64_t)got;
        net->left -= net->left != UINT32_MAX ? (uint32_t)got : 0;
    } else if (got < 0 && !is_for_later(errno)) {
        net->lost = true;
    }
    return got;
}

static ssize_t tcp_send(struct sim_net *net, const void *data, size_t size)
{
    const ssize_t sent = send(net->socket, data, size, MSG_NOSIGNAL);

    if (sent > 0) {
        net->sent += (uint64_t)sent;
    } else if (sent < 0 && !is_for_later(errno)) {
        net->lost = true;
    }
    return sent;
}

/* --- TLS -------------------------------------------------------------------------------------- */

static ssize_t pull(gnutls_transport_ptr_t ctx, void *data, size_t size)
{
    struct sim_net *net = ctx;
    const ssize_t got = tcp_receive(net, data, size);

    if (got > 0 && net->greets) {
        const uint8_t kind = *(const uint8_t *)data;
        net->greets = false;
        net->babble = kind != 21 && kind != 22; /* neither an alert nor a handshake */
    }
    if (got < 0) {
        gnutls_transport_set_errno(net->session->tls, errno == EINTR ? EAGAIN : errno);
    }
    return got;
}

static ssize_t push(gnutls_transport_ptr_t ctx, const void *data, size_t size)
{
    struct sim_net *net = ctx;
    const ssize_t sent = tcp_send(net, data, size);

    if (sent < 0) {
        gnutls_transport_set_errno(net->session->tls, errno == EINTR ? EAGAIN : errno);
    }
    return sent;
}

static bool is_address(const char *host)
{
    unsigned char bytes[16];

    return strchr(host, ':') != NULL || inet_pton(AF_INET, host, bytes) == 1;
}

static bool begin_tls(struct sim_net *net, const char *host)
{
    static char server_auth[] = GNUTLS_KP_TLS_WWW_SERVER;
    struct sim_net_session *session = calloc(1, sizeof *session);

    if (session == NULL || strlen(host) >= sizeof session->host ||
        gnutls_init(&session->tls, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL) != 0) {
        free(session);
        return false;
    }
    net->session = session;
    snprintf(session->host, sizeof session->host, "%s", host);
    session->wanted[0].type = GNUTLS_DT_DNS_HOSTNAME; /* an address is compared as one, too */
    session->wanted[0].data = (unsigned char *)session->host;
    session->wanted[1].type = GNUTLS_DT_KEY_PURPOSE_OID;
    session->wanted[1].data = (unsigned char *)server_auth;
    gnutls_session_set_verify_cert2(session->tls, session->wanted, 2, 0);
    gnutls_transport_set_ptr(session->tls, net);
    gnutls_transport_set_pull_function(session->tls, pull);
    gnutls_transport_set_push_function(session->tls, push);
    gnutls_handshake_set_timeout(session->tls, 0); /* time is the library's concern */
    if (!is_address(host) &&
        gnutls_server_name_set(session->tls, GNUTLS_NAME_DNS, host, strlen(host)) != 0) {
        return false;
    }
    return gnutls_priority_set(session->tls, net->trust->priority) == 0 &&
           gnutls_credentials_set(session->tls, GNUTLS_CRD_CERTIFICATE, net->trust->credentials) ==
               0;
}

/* Who vouches for it comes first: what an unknown one says of times and names means nothing. */
static enum upd_trouble why_not_verified(gnutls_session_t tls)
{
    static const struct {
        unsigned bit;
        enum upd_trouble trouble;
    } rows[] = {
        {GNUTLS_CERT_SIGNER_NOT_FOUND, UPD_TROUBLE_TLS_UNKNOWN_CA},
        {GNUTLS_CERT_SIGNATURE_FAILURE, UPD_TROUBLE_TLS_BAD_CERTIFICATE},
        {GNUTLS_CERT_SIGNER_NOT_CA, UPD_TROUBLE_TLS_BAD_CERTIFICATE},
        {GNUTLS_CERT_REVOKED, UPD_TROUBLE_TLS_BAD_CERTIFICATE},
        {GNUTLS_CERT_EXPIRED, UPD_TROUBLE_TLS_EXPIRED},
        {GNUTLS_CERT_NOT_ACTIVATED, UPD_TROUBLE_TLS_NOT_YET},
        {GNUTLS_CERT_UNEXPECTED_OWNER, UPD_TROUBLE_TLS_WRONG_HOST},
    };
    const unsigned status = gnutls_session_get_verify_cert_status(tls);

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if ((status & rows[i].bit) != 0) {
            return rows[i].trouble;
        }
    }
    return UPD_TROUBLE_TLS_BAD_CERTIFICATE;
}

static enum upd_trouble why_no_handshake(const struct sim_net *net, int error)
{
    gnutls_session_t tls = net->session->tls;

    if (net->babble) {
        return UPD_TROUBLE_TLS_NO_TLS;
    }
    if (net->lost) {
        return UPD_TROUBLE_CONNECTION_LOST;
    }
    switch (error) {
    case GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR:
        return why_not_verified(tls);
    case GNUTLS_E_CERTIFICATE_ERROR:
    case GNUTLS_E_NO_CERTIFICATE_FOUND:
        return UPD_TROUBLE_TLS_BAD_CERTIFICATE;
    case GNUTLS_E_UNSUPPORTED_VERSION_PACKET:
        return UPD_TROUBLE_TLS_OLD;
    case GNUTLS_E_FATAL_ALERT_RECEIVED:
        return gnutls_alert_get(tls) == GNUTLS_A_PROTOCOL_VERSION ? UPD_TROUBLE_TLS_OLD
                                                                  : UPD_TROUBLE_TLS_FAILED;
    default:
        return UPD_TROUBLE_TLS_FAILED;
    }
}

static void shake(struct sim_net *net)
{
    for (int i = 0; i < PATIENCE; i++) {
        const int error = gnutls_handshake(net->session->tls);
        if (error == 0) {
            net->shakes = false;
            net->state = UPD_WIRE_OPEN;
            return;
        }
        if (error == GNUTLS_E_AGAIN) {
            return;
        }
        if (gnutls_error_is_fatal(error)) {
            end(net, UPD_WIRE_BROKEN, why_no_handshake(net, error));
            return;
        }
    }
}

/* --- Connecting ------------------------------------------------------------------------------- */

static void try_address(struct sim_net *net)
{
    while (net->address != NULL) {
        const struct addrinfo *to = net->address;
        net->socket = socket(to->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (net->socket >= 0) {
            if (connect(net->socket, to->ai_addr, to->ai_addrlen) == 0 || errno == EINPROGRESS) {
                return;
            }
            close(net->socket);
            net->socket = -1;
        }
        net->address = to->ai_next;
    }
    end(net, UPD_WIRE_BROKEN, UPD_TROUBLE_UNREACHABLE);
}

static uint32_t draw(struct sim_net *net)
{
    net->random ^= net->random << 13;
    net->random ^= net->random >> 17;
    net->random ^= net->random << 5;
    return net->random;
}

static void net_connect(void *ctx, const char *host, uint16_t port, bool tls)
{
    struct sim_net *net = ctx;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    char service[8];

    net_close(net);
    net->connections++;
    net->shakes = net->full = net->owes = net->lost = net->babble = false;
    net->greets = true;
    net->left = UINT32_MAX;
    if (draw(net) % 1000 < net->weather.cut_permille) {
        net->left = draw(net) % (net->weather.cut_most + 1u);
    }
    if (tls && net->trust == NULL) {
        end(net, UPD_WIRE_BROKEN, UPD_TROUBLE_NO_TLS);
        return;
    }
    if (tls && !begin_tls(net, host)) {
        end(net, UPD_WIRE_BROKEN, UPD_TROUBLE_TLS_FAILED);
        return;
    }
    if (strcmp(host, "localhost") == 0) {
        host = "127.0.0.1";
    }
    hints.ai_flags |= is_address(host) ? AI_NUMERICHOST : 0;
    snprintf(service, sizeof service, "%u", port);
    if (getaddrinfo(host, service, &hints, &net->addresses) != 0) {
        net->addresses = NULL;
        end(net, UPD_WIRE_BROKEN, UPD_TROUBLE_NO_ADDRESS);
        return;
    }
    net->address = net->addresses;
    net->state = UPD_WIRE_OPENING;
    try_address(net);
}

static void see_tcp(struct sim_net *net)
{
    struct pollfd wait = {.fd = net->socket, .events = POLLOUT};
    socklen_t size = sizeof(int);
    int error = 0;

    if (poll(&wait, 1, 0) != 1) {
        return;
    }
    if (getsockopt(net->socket, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0) {
        if (error == ECONNRESET) { /* it was there, and broke before anybody looked */
            end(net, UPD_WIRE_BROKEN, UPD_TROUBLE_CONNECTION_LOST);
            return;
        }
        close(net->socket);
        net->socket = -1;
        net->address = net->address->ai_next;
        try_address(net);
        return;
    }
    freeaddrinfo(net->addresses);
    net->addresses = net->address = NULL;
    /* TLS's last word and the first request are two short segments: neither waits for the other. */
    setsockopt(net->socket, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    if (net->session != NULL) {
        net->shakes = true;
    } else {
        net->state = UPD_WIRE_OPEN;
    }
}

/* --- The port --------------------------------------------------------------------------------- */

static enum upd_wire net_state(void *ctx, enum upd_trouble *why)
{
    struct sim_net *net = ctx;

    if (net->state == UPD_WIRE_OPENING && !net->shakes) {
        see_tcp(net);
    }
    if (net->state == UPD_WIRE_OPENING && net->shakes) {
        shake(net);
    }
    if (net->state == UPD_WIRE_BROKEN) {
        *why = net->why;
    }
    return net->state;
}

/* @return true when nothing is left of what was taken before */
static bool flush(struct sim_net *net)
{
    if (net->owes) {
        const ssize_t sent = gnutls_record_send(net->session->tls, NULL, 0);
        net->owes = sent == GNUTLS_E_AGAIN || sent == GNUTLS_E_INTERRUPTED;
        net->lost = net->lost || (sent < 0 && !net->owes);
    }
    return !net->owes;
}

/* A record that TCP does not take is GnuTLS's to keep, and counts as taken. */
static ssize_t send_tls(struct sim_net *net, const void *data, uint32_t size)
{
    const size_t most = gnutls_record_get_max_size(net->session->tls);

    size = size < most ? size : (uint32_t)most;
    const ssize_t sent = gnutls_record_send(net->session->tls, data, size);
    net->owes = sent == GNUTLS_E_AGAIN || sent == GNUTLS_E_INTERRUPTED;
    net->lost = net->lost || (sent < 0 && !net->owes);
    return net->owes ? (ssize_t)size : sent;
}

static uint32_t net_send(void *ctx, const void *data, uint32_t size)
{
    struct sim_net *net = ctx;
    ssize_t sent = 0;

    if (net->state != UPD_WIRE_OPEN || size == 0) {
        return 0;
    }
    if (net->session != NULL) {
        sent = flush(net) ? send_tls(net, data, size) : 0;
    } else {
        sent = tcp_send(net, data, size);
    }
    if (net->lost) {
        /* What the peer said before it went away can still be received. */
        net->state = UPD_WIRE_BROKEN;
        net->why = UPD_TROUBLE_CONNECTION_LOST;
    }
    net->full = sent < (ssize_t)size;
    return sent > 0 ? (uint32_t)sent : 0;
}

static uint32_t receive_tls(struct sim_net *net, void *data, uint32_t size)
{
    for (int i = 0; i < PATIENCE; i++) {
        const ssize_t got = gnutls_record_recv(net->session->tls, data, size);
        if (got > 0) {
            return (uint32_t)got;
        }
        if (got == 0) {
            end(net, UPD_WIRE_ENDED, UPD_TROUBLE_NONE);
            return 0;
        }
        if (got == GNUTLS_E_AGAIN) {
            return 0;
        }
        if (gnutls_error_is_fatal((int)got)) {
            end(net, UPD_WIRE_BROKEN,
                net->lost ? UPD_TROUBLE_CONNECTION_LOST : UPD_TROUBLE_TLS_BROKEN);
            return 0;
        }
    }
    return 0;
}

static uint32_t net_receive(void *ctx, void *data, uint32_t size)
{
    struct sim_net *net = ctx;

    if (net->socket < 0 || net->state == UPD_WIRE_OPENING || size == 0) {
        return 0;
    }
    if (net->session != NULL) {
        (void)flush(net);
        return receive_tls(net, data, size);
    }
    const ssize_t got = tcp_receive(net, data, size);
    if (got > 0) {
        return (uint32_t)got;
    }
    if (net->lost) {
        end(net, UPD_WIRE_BROKEN, UPD_TROUBLE_CONNECTION_LOST);
    } else if (got == 0) {
        end(net, UPD_WIRE_ENDED, UPD_TROUBLE_NONE);
    }
    return 0;
}

void sim_net_open(struct sim_net *net, const struct sim_net_trust *trust)
{
    *net = (struct sim_net){.trust = trust, .socket = -1, .random = 1};
    net->transport =
        (struct upd_transport){net_connect, net_state, net_send, net_receive, net_close, net};
}

void sim_net_set_weather(struct sim_net *net, const struct sim_net_weather *weather)
{
    net->weather = *weather;
    net->random = weather->seed != 0 ? weather->seed : 1;
}

int sim_net_fd(const struct sim_net *net)
{
    return net->socket;
}

short sim_net_events(const struct sim_net *net)
{
    if (net->state != UPD_WIRE_OPENING) {
        return (short)(net->full || net->owes ? POLLIN | POLLOUT : POLLIN);
    }
    return net->shakes && gnutls_record_get_direction(net->session->tls) == 0 ? POLLIN : POLLOUT;
}

void sim_net_close(struct sim_net *net)
{
    net_close(net);
}
