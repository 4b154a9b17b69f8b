#ifndef IP_ADDR_H
#define IP_ADDR_H

#include <c_types.h>

struct ip_addr {
    uint32 addr; /* as it is on the wire */
};
typedef struct ip_addr ip_addr_t;

#endif
