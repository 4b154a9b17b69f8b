/* The name of WiFi.h with the core for the ESP8266. */
#ifndef ESP8266_WIFI_H
#define ESP8266_WIFI_H

#include "WiFi.h"

#endif
