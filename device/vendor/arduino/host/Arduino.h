/*
 * What a sketch finds in the Arduino cores, as far as sketches that update themselves need it, for
 * the host. On a chip the core's own headers take this folder's place.
 */
#ifndef ARDUINO_H
#define ARDUINO_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "WString.h"

#define HIGH 1
#define LOW 0
#define INPUT 0
#define OUTPUT 1
#define INPUT_PULLUP 2
#define DEC 10
#define HEX 16

/** What the host's Arduino stands on; the program that runs a sketch sets it. */
struct UpdHost {
    const struct upd_transport *transport; /* what WiFiClient connects with */
    uint32_t (*millis)(void *ctx);
    void (*delay)(void *ctx, uint32_t ms);
    void (*print)(void *ctx, const char *text, size_t size);        /* Serial; NULL: to nobody */
    void (*show)(void *ctx, int column, int row, const char *text); /* the display; NULL: none */
    int (*pin)(void *ctx, int pin);                                 /* digitalRead(); NULL: HIGH */
    void (*set_pin)(void *ctx, int pin, int level);
    void *ctx;
};
extern UpdHost updHost;

uint32_t millis();
void delay(uint32_t ms);
void yield();
void pinMode(int pin, int mode);
int digitalRead(int pin);
void digitalWrite(int pin, int level);

class Print
{
  public:
    virtual ~Print() = default;
    virtual size_t write(uint8_t byte) = 0;
    virtual size_t write(const uint8_t *data, size_t size);
    size_t write(const char *text);
    size_t print(const char *text);
    size_t print(const String &text);
    size_t print(char c);
    size_t print(int value, int base = DEC);
    size_t print(unsigned value, int base = DEC);
    size_t print(long value, int base = DEC);
    size_t print(unsigned long value, int base = DEC);
    size_t println();
    template <typename Value> size_t println(const Value &value)
    {
        const size_t size = print(value);
        return size + println();
    }
    size_t printf(const char *format, ...) __attribute__((format(printf, 2, 3)));
};

class Stream : public Print
{
  public:
    virtual int available() = 0;
    virtual int read() = 0;
    virtual int peek() = 0;
    virtual void flush()
    {
    }
    /** Waits for each byte for at most the time-out. */
    virtual size_t readBytes(uint8_t *data, size_t size);
    void setTimeout(unsigned long ms)
    {
        _timeout = ms;
    }
    unsigned long getTimeout() const
    {
        return _timeout;
    }

  protected:
    unsigned long _timeout = 1000;
};

/** The serial port. */
class HardwareSerial : public Print
{
  public:
    using Print::write;
    void begin(unsigned long)
    {
    }
    size_t write(uint8_t byte) override;
    size_t write(const uint8_t *data, size_t size) override;
};
extern HardwareSerial Serial;

#endif
