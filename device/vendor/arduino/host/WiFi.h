/* A network that is always there, for the host. */
#ifndef WIFI_H
#define WIFI_H

#include "Arduino.h"
#include "WiFiClient.h"

enum WiFiMode_t { WIFI_OFF, WIFI_STA, WIFI_AP, WIFI_AP_STA };
enum wl_status_t { WL_IDLE_STATUS, WL_CONNECTED = 3 };

class WiFiClass
{
  public:
    bool mode(WiFiMode_t)
    {
        return true;
    }
    wl_status_t begin(const char *, const char *)
    {
        return WL_CONNECTED;
    }
    wl_status_t status() const
    {
        return WL_CONNECTED;
    }
    void printDiag(Print &out)
    {
        out.println("Mode: STA");
    }
    const char *localIP() const
    {
        return "127.0.0.1";
    }
};
extern WiFiClass WiFi;

#endif
