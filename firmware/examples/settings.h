/*
 * What the examples of this folder would have compiled in, or in their settings, as products: here the
 * program that runs them says it.
 */
#ifndef EXAMPLE_SETTINGS_H
#define EXAMPLE_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

struct example_settings {
    const char *server;      /* "http://host:port" */
    const char *product;     /* key of the product */
    const char *version;     /* of the firmware that runs */
    const char *serial;      /* of this device */
    const char *certificate; /* of whom to trust, PEM */
    bool at_start;           /* look for an update at each start */
    uint8_t cloud_address[4];
    uint16_t cloud_port;
    const char *cloud_version; /* what the cloud orders */
};

extern struct example_settings example;

#endif
