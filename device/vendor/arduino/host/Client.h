/* Arduino's Client, for the host. */
#ifndef CLIENT_H
#define CLIENT_H

#include "Arduino.h"

class Client : public Stream
{
  public:
    using Print::write;
    virtual int connect(const char *host, uint16_t port) = 0;
    virtual int read(uint8_t *data, size_t size) = 0;
    virtual void stop() = 0;
    /** Also true while bytes wait that came before the end. */
    virtual uint8_t connected() = 0;
    virtual operator bool() = 0;
    int read() override = 0;
};

#endif
