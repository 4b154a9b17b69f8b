/* The clock's network on the host: one TCP connection, of which no call waits. */
#ifndef CLOCK_HOST_NET_H
#define CLOCK_HOST_NET_H

#include <netdb.h>

#include <net.h>

struct host_net {
    struct net net; /* hand this to the clock */
    struct addrinfo *address;
    int socket; /* -1: closed */
    enum net_state state;
};

/**
 * @param net     out; must stay where it is
 * @param server  HOST:PORT
 * @return 0, or the error of getaddrinfo()
 */
int host_net_init(struct host_net *net, const char *server);
void host_net_free(struct host_net *net);

#endif
