/* The name of HTTPClient.h with the core for the ESP8266. */
#ifndef ESP8266_HTTP_CLIENT_H
#define ESP8266_HTTP_CLIENT_H

#include <HTTPClient.h>

#endif
