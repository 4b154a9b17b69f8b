#include "host_net.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void net_close(void *ctx)
{
    struct host_net *net = ctx;

    if (net->socket >= 0) {
        close(net->socket);
    }
    net->socket = -1;
    net->state = NET_CLOSED;
}

static void net_open(void *ctx)
{
    struct host_net *net = ctx;
    const struct addrinfo *to = net->address;

    net_close(net);
    net->socket = socket(to->ai_family, to->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    net->state = NET_ENDED;
    if (net->socket >= 0 &&
        (connect(net->socket, to->ai_addr, to->ai_addrlen) == 0 || errno == EINPROGRESS)) {
        net->state = NET_OPENING;
    }
}

static enum net_state net_state(void *ctx)
{
    struct host_net *net = ctx;
    struct pollfd wait = {.fd = net->socket, .events = POLLOUT};
    int error = 0;
    socklen_t size = sizeof error;

    if (net->state == NET_OPENING && poll(&wait, 1, 0) == 1) {
        getsockopt(net->socket, SOL_SOCKET, SO_ERROR, &error, &size);
        net->state = error == 0 ? NET_OPEN : NET_ENDED;
    }
    return net->state;
}

static uint32_t net_send(void *ctx, const void *data, uint32_t size)
{
    struct host_net *net = ctx;
    ssize_t sent = net->state == NET_OPEN ? send(net->socket, data, size, MSG_NOSIGNAL) : 0;

    return sent > 0 ? (uint32_t)sent : 0;
}

static uint32_t net_receive(void *ctx, void *data, uint32_t size)
{
    struct host_net *net = ctx;
    ssize_t got = 0;

    if (net->state != NET_OPEN || size == 0) {
        return 0;
    }
    got = recv(net->socket, data, size, 0);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
        net->state = NET_ENDED;
    }
    return got > 0 ? (uint32_t)got : 0;
}

int host_net_init(struct host_net *net, const char *server)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    char host[256];
    const char *colon = strrchr(server, ':');

    *net = (struct host_net){.socket = -1};
    net->net = (struct net){net_open, net_state, net_send, net_receive, net_close, net};
    if (colon == NULL || (size_t)(colon - server) >= sizeof host) {
        return EAI_NONAME;
    }
    snprintf(host, sizeof host, "%.*s", (int)(colon - server), server);
    return getaddrinfo(host, colon + 1, &hints, &net->address);
}

void host_net_free(struct host_net *net)
{
    net_close(net);
    freeaddrinfo(net->address);
}
