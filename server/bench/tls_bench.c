/*
 * What TLS costs by itself: the server's side of GnuTLS, with the settings of the server, without
 * sockets and without HTTP. It is the least that the server can come to.
 *
 * Usage: tls_bench CERTIFICATE KEY
 *
 * Prints microseconds of processor time, one line per figure: a connection with a full handshake, one
 * that resumes a session, both with a request of 450 bytes and an answer of 130; such a request and
 * answer alone; 400 KB sent in records of 16 KB. bench/server.py runs it and says what it means.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <gnutls/gnutls.h>

#include "http/tls.h"

enum { PIPE = 1 << 17, CONNECTIONS = 400, REQUESTS = 20000, FILES = 100 };
enum { REQUEST = 450, ANSWER = 130, RECORD = 16 * 1024, FILE_SIZE = 400000 };

/* One direction between the two. */
struct pipe {
    unsigned char bytes[PIPE];
    size_t at, filled;
};

struct end {
    gnutls_session_t session;
    struct pipe *in, *out;
    bool drop; /* what is sent is not of interest */
};

static struct pipe to_server, to_client;
static gnutls_certificate_credentials_t server_credentials, client_credentials;
static gnutls_priority_t server_priority, client_priority;
static gnutls_datum_t ticket_key;

static void must(int error, const char *what)
{
    if (error < 0) {
        fprintf(stderr, "tls_bench: %s: %s\n", what, gnutls_strerror(error));
        exit(1);
    }
}

static ssize_t pull(gnutls_transport_ptr_t ctx, void *to, size_t size)
{
    struct pipe *pipe = ((struct end *)ctx)->in;
    const size_t left = pipe->filled - pipe->at;

    if (left == 0) {
        errno = EAGAIN;
        return -1;
    }
    size = size < left ? size : left;
    memcpy(to, pipe->bytes + pipe->at, size);
    pipe->at += size;
    if (pipe->at == pipe->filled) {
        pipe->at = pipe->filled = 0;
    }
    return (ssize_t)size;
}

static ssize_t push(gnutls_transport_ptr_t ctx, const void *from, size_t size)
{
    const struct end *end = ctx;
    struct pipe *pipe = end->out;

    if (!end->drop) {
        if (size > PIPE - pipe->filled) {
            errno = EAGAIN;
            return -1;
        }
        memcpy(pipe->bytes + pipe->filled, from, size);
        pipe->filled += size;
    }
    return (ssize_t)size;
}

static double processor_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void attach(struct end *end, gnutls_priority_t priority,
                   gnutls_certificate_credentials_t credentials)
{
    must(gnutls_priority_set(end->session, priority), "priority");
    must(gnutls_credentials_set(end->session, GNUTLS_CRD_CERTIFICATE, credentials), "credentials");
    gnutls_transport_set_ptr(end->session, end);
    gnutls_transport_set_pull_function(end->session, pull);
    gnutls_transport_set_push_function(end->session, push);
}

static void open_server(struct end *server)
{
    *server = (struct end){.in = &to_server, .out = &to_client};
    must(gnutls_init(&server->session, GNUTLS_SERVER | GNUTLS_NONBLOCK), "server");
    attach(server, server_priority, server_credentials);
    must(gnutls_session_ticket_enable_server(server->session, &ticket_key), "tickets");
}

static void open_client(struct end *client, const gnutls_datum_t *session)
{
    *client = (struct end){.in = &to_client, .out = &to_server};
    must(gnutls_init(&client->session, GNUTLS_CLIENT | GNUTLS_NONBLOCK), "client");
    attach(client, client_priority, client_credentials);
    if (session->size > 0) {
        must(gnutls_session_set_data(client->session, session->data, session->size), "session");
    }
}

/* Processor time of the server's side. */
static double shake(struct end *server, struct end *client)
{
    double spent = 0;
    int mine = GNUTLS_E_AGAIN;
    int peer = GNUTLS_E_AGAIN;

    while (mine != 0 || peer != 0) {
        if (peer != 0) {
            peer = gnutls_handshake(client->session);
            must(peer == GNUTLS_E_AGAIN ? 0 : peer, "client's handshake");
        }
        if (mine != 0) {
            const double begun = processor_us();
            mine = gnutls_handshake(server->session);
            spent += processor_us() - begun;
            must(mine == GNUTLS_E_AGAIN ? 0 : mine, "server's handshake");
        }
    }
    return spent;
}

static double exchange(struct end *server, struct end *client)
{
    static unsigned char bytes[RECORD];

    must((int)gnutls_record_send(client->session, bytes, REQUEST), "request");
    const double begun = processor_us();
    must((int)gnutls_record_recv(server->session, bytes, sizeof bytes), "request");
    must((int)gnutls_record_send(server->session, bytes, ANSWER), "answer");
    const double spent = processor_us() - begun;
    ssize_t got;
    do {
        got = gnutls_record_recv(client->session, bytes, sizeof bytes);
    } while (got == GNUTLS_E_AGAIN || got == GNUTLS_E_INTERRUPTED);
    must((int)got, "answer");
    return spent;
}

/* @param session  in: what to resume, if anything; out: what to resume the next time */
static double connection(gnutls_datum_t *session, bool resumes)
{
    struct end server, client;

    to_server.at = to_server.filled = to_client.at = to_client.filled = 0;
    double begun = processor_us();
    open_server(&server);
    double spent = processor_us() - begun;
    open_client(&client, session);
    spent += shake(&server, &client);
    spent += exchange(&server, &client);
    if (resumes != (gnutls_session_is_resumed(server.session) != 0)) {
        fprintf(stderr, "tls_bench: the session was %sresumed\n", resumes ? "not " : "");
        exit(1);
    }
    gnutls_free(session->data);
    must(gnutls_session_get_data2(client.session, session), "session");
    begun = processor_us();
    (void)gnutls_bye(server.session, GNUTLS_SHUT_WR);
    gnutls_deinit(server.session);
    spent += processor_us() - begun;
    gnutls_deinit(client.session);
    return spent;
}

static void connections(void)
{
    gnutls_datum_t session = {0};
    double full = 0;
    double resumed = 0;

    for (int i = 0; i < CONNECTIONS; i++) {
        gnutls_free(session.data);
        session = (gnutls_datum_t){0};
        full += connection(&session, false);
    }
    for (int i = 0; i < CONNECTIONS; i++) {
        resumed += connection(&session, true);
    }
    gnutls_free(session.data);
    printf("full %.2f\nresumed %.2f\n", full / CONNECTIONS, resumed / CONNECTIONS);
}

static void on_one_connection(void)
{
    static unsigned char bytes[RECORD];
    const gnutls_datum_t none = {0};
    struct end server, client;
    double spent = 0;

    to_server.at = to_server.filled = to_client.at = to_client.filled = 0;
    open_server(&server);
    open_client(&client, &none);
    shake(&server, &client);
    for (int i = 0; i < REQUESTS; i++) {
        spent += exchange(&server, &client);
    }
    printf("request %.3f\n", spent / REQUESTS);
    server.drop = true;
    const double begun = processor_us();
    for (int i = 0; i < FILES; i++) {
        for (size_t left = FILE_SIZE; left > 0;) {
            const size_t size = left < RECORD ? left : RECORD;
            must((int)gnutls_record_send(server.session, bytes, size), "file");
            left -= size;
        }
    }
    printf("file %.2f\n", (processor_us() - begun) / FILES);
    gnutls_deinit(server.session);
    gnutls_deinit(client.session);
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: tls_bench CERTIFICATE KEY\n");
        return 2;
    }
    must(gnutls_certificate_allocate_credentials(&server_credentials), "credentials");
    must(gnutls_certificate_allocate_credentials(&client_credentials), "credentials");
    must(gnutls_certificate_set_x509_key_file(server_credentials, argv[1], argv[2],
                                              GNUTLS_X509_FMT_PEM),
         argv[1]);
    must(gnutls_priority_init(&server_priority, http_tls_priorities, NULL), "priorities");
    must(gnutls_priority_init(&client_priority, "NORMAL:-GROUP-ALL:+GROUP-X25519", NULL),
         "priorities");
    must(gnutls_session_ticket_key_generate(&ticket_key), "tickets");
    connections();
    on_one_connection();
    gnutls_free(ticket_key.data);
    gnutls_priority_deinit(server_priority);
    gnutls_priority_deinit(client_priority);
    gnutls_certificate_free_credentials(server_credentials);
    gnutls_certificate_free_credentials(client_credentials);
    return 0;
}
