/* A TCP connection, and one with TLS, over updraft's transport port. */
#ifndef WIFI_CLIENT_H
#define WIFI_CLIENT_H

#include "Client.h"

class WiFiClient : public Client
{
  public:
    using Print::write;
    WiFiClient() = default;
    WiFiClient(const WiFiClient &) = delete;
    WiFiClient &operator=(const WiFiClient &) = delete;
    ~WiFiClient() override;
    /** Waits at most 5 s, or the time-out where that is longer. @return 1: connected */
    int connect(const char *host, uint16_t port) override;
    size_t write(uint8_t byte) override;
    size_t write(const uint8_t *data, size_t size) override;
    int available() override;
    int read() override;
    int read(uint8_t *data, size_t size) override;
    int peek() override;
    void stop() override;
    uint8_t connected() override;
    operator bool() override
    {
        return connected() != 0;
    }

  protected:
    bool _tls = false;

  private:
    void fill();

    bool _opened = false;
    uint8_t _waits[536] = {};
    size_t _start = 0;
    size_t _end = 0;
};

/** The host's transport decides whom it trusts. */
class WiFiClientSecure : public WiFiClient
{
  public:
    WiFiClientSecure()
    {
        _tls = true;
    }
};

#endif
