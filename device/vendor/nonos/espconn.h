/* The NONOS SDK's connections, as far as updates need them. What sends is in user_esp_platform.h. */
#ifndef ESPCONN_H
#define ESPCONN_H

#include <stdint.h>

typedef int8_t sint8;

#define ESPCONN_OK 0
#define ESPCONN_ARG (-12)

typedef struct _esp_tcp {
    int remote_port;
    int local_port;
    uint8_t local_ip[4];
    uint8_t remote_ip[4];
} esp_tcp;

struct espconn {
    int type;
    int state;
    union {
        esp_tcp *tcp;
    } proto;
    void *reverse; /* the program's own */
};

/** @return ESPCONN_OK; ESPCONN_ARG: no connection, or the port does not take it */
sint8 espconn_sent(struct espconn *espconn, uint8_t *data, uint16_t length);

#endif
