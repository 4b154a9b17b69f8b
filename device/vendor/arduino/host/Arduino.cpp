#include "Arduino.h"

#include <cstdio>
#include <cstring>

#include "../upd_arduino.h"
#include "Esp.h"
#include "LiquidCrystal_I2C.h"
#include "WiFi.h"

UpdHost updHost;
HardwareSerial Serial;
EspClass ESP;
WiFiClass WiFi;

uint32_t millis()
{
    return updHost.millis(updHost.ctx);
}

void delay(uint32_t ms)
{
    updHost.delay(updHost.ctx, ms);
}

void yield()
{
}

void pinMode(int, int)
{
}

int digitalRead(int pin)
{
    return updHost.pin != nullptr ? updHost.pin(updHost.ctx, pin) : HIGH;
}

void digitalWrite(int pin, int level)
{
    if (updHost.set_pin != nullptr) {
        updHost.set_pin(updHost.ctx, pin, level);
    }
}

uint32_t EspClass::getChipId() const
{
    const uint8_t *const mac = updArduino.sta_mac;

    return static_cast<uint32_t>(mac[3] << 16 | mac[4] << 8 | mac[5]);
}

uint32_t EspClass::getSketchSize() const
{
    return updArduino.sketch_size;
}

uint32_t EspClass::getFlashChipRealSize() const
{
    return updArduino.flash_size;
}

uint8_t EspClass::getBootMode() const
{
    return updArduino.boot_mode;
}

bool EspClass::flashEraseSector(uint32_t sector)
{
    const struct upd_flash *const flash = updArduino.flash;

    return flash->erase(flash->ctx, sector * flash->sector_size) == UPD_OK;
}

bool EspClass::flashWrite(uint32_t address, const uint8_t *data, size_t size)
{
    const struct upd_flash *const flash = updArduino.flash;

    return flash->write(flash->ctx, address, data, static_cast<uint32_t>(size)) == UPD_OK;
}

bool EspClass::flashRead(uint32_t address, uint8_t *data, size_t size)
{
    const struct upd_flash *const flash = updArduino.flash;

    return flash->read(flash->ctx, address, data, static_cast<uint32_t>(size)) == UPD_OK;
}

uint32_t EspClass::random() const
{
    static uint32_t state = 1;

    state = state * 1664525 + 1013904223;
    return state >> 4;
}

void EspClass::restart()
{
    updArduino.restart(updArduino.ctx);
}

/* --- Print and Stream ------------------------------------------------------------------------- */

size_t Print::write(const uint8_t *data, size_t size)
{
    size_t done = 0;

    while (done < size && write(data[done]) == 1) {
        done++;
    }
    return done;
}

size_t Print::write(const char *text)
{
    return write(reinterpret_cast<const uint8_t *>(text), strlen(text));
}

size_t Print::print(const char *text)
{
    return write(text);
}

size_t Print::print(const String &text)
{
    return write(text.c_str());
}

size_t Print::print(char c)
{
    return write(static_cast<uint8_t>(c));
}

size_t Print::print(int value, int base)
{
    return print(String(value, base));
}

size_t Print::print(unsigned value, int base)
{
    return print(String(value, base));
}

size_t Print::print(long value, int base)
{
    return print(String(value, base));
}

size_t Print::print(unsigned long value, int base)
{
    return print(String(value, base));
}

size_t Print::println()
{
    return write("\r\n");
}

size_t Print::printf(const char *format, ...)
{
    char text[256];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return write(text);
}

size_t Stream::readBytes(uint8_t *data, size_t size)
{
    size_t done = 0;
    uint32_t since = millis();

    while (done < size) {
        const int byte = read();
        if (byte >= 0) {
            data[done++] = static_cast<uint8_t>(byte);
            since = millis();
        } else if (millis() - since >= _timeout) {
            break;
        } else {
            delay(1);
        }
    }
    return done;
}

size_t HardwareSerial::write(uint8_t byte)
{
    return write(&byte, 1);
}

size_t HardwareSerial::write(const uint8_t *data, size_t size)
{
    if (updHost.print != nullptr) {
        updHost.print(updHost.ctx, reinterpret_cast<const char *>(data), size);
    }
    return size;
}

/* --- The display ------------------------------------------------------------------------------ */

size_t LiquidCrystal_I2C::write(uint8_t byte)
{
    const char text[] = {static_cast<char>(byte), '\0'};

    if (updHost.show != nullptr) {
        updHost.show(updHost.ctx, _column, _row, text);
    }
    _column++;
    return 1;
}

void LiquidCrystal_I2C::setCursor(uint8_t column, uint8_t row)
{
    _column = column;
    _row = row;
}

void LiquidCrystal_I2C::clear()
{
    for (uint8_t row = 0; row < _rows; row++) {
        setCursor(0, row);
        for (uint8_t column = 0; column < _columns; column++) {
            write(' ');
        }
    }
    setCursor(0, 0);
}

/* --- The network ------------------------------------------------------------------------------ */

WiFiClient::~WiFiClient()
{
    stop();
}

int WiFiClient::connect(const char *host, uint16_t port)
{
    const struct upd_transport *transport = updHost.transport;
    const uint32_t since = millis();
    enum upd_trouble why = UPD_TROUBLE_NONE;

    stop();
    if (transport == nullptr) {
        return 0;
    }
    transport->connect(transport->ctx, host, port, _tls);
    while (transport->state(transport->ctx, &why) == UPD_WIRE_OPENING) {
        if (millis() - since >= (_timeout > 5000 ? _timeout : 5000)) {
            break;
        }
        delay(1);
    }
    _opened = transport->state(transport->ctx, &why) >= UPD_WIRE_OPEN;
    if (transport->state(transport->ctx, &why) != UPD_WIRE_OPEN) {
        stop();
    }
    return _opened ? 1 : 0;
}

size_t WiFiClient::write(uint8_t byte)
{
    return write(&byte, 1);
}

size_t WiFiClient::write(const uint8_t *data, size_t size)
{
    const struct upd_transport *transport = updHost.transport;
    enum upd_trouble why = UPD_TROUBLE_NONE;
    const uint32_t since = millis();
    size_t done = 0;

    while (_opened && done < size && transport->state(transport->ctx, &why) == UPD_WIRE_OPEN) {
        const uint32_t sent =
            transport->send(transport->ctx, data + done, static_cast<uint32_t>(size - done));
        done += sent;
        if (sent == 0 && millis() - since >= _timeout) {
            break;
        }
        if (sent == 0) {
            delay(1);
        }
    }
    return done;
}

void WiFiClient::fill()
{
    const struct upd_transport *transport = updHost.transport;
    enum upd_trouble why = UPD_TROUBLE_NONE;

    if (_opened && _start == _end && transport->state(transport->ctx, &why) >= UPD_WIRE_OPEN) {
        _start = 0;
        _end = transport->receive(transport->ctx, _waits, sizeof _waits);
    }
}

int WiFiClient::available()
{
    fill();
    return static_cast<int>(_end - _start);
}

int WiFiClient::read()
{
    return available() > 0 ? _waits[_start++] : -1;
}

int WiFiClient::read(uint8_t *data, size_t size)
{
    const size_t there = static_cast<size_t>(available());

    size = size < there ? size : there;
    memcpy(data, _waits + _start, size);
    _start += size;
    return static_cast<int>(size);
}

int WiFiClient::peek()
{
    return available() > 0 ? _waits[_start] : -1;
}

uint8_t WiFiClient::connected()
{
    enum upd_trouble why = UPD_TROUBLE_NONE;

    if (!_opened) {
        return 0;
    }
    return available() > 0 ||
           updHost.transport->state(updHost.transport->ctx, &why) == UPD_WIRE_OPEN;
}

void WiFiClient::stop()
{
    if (_opened) {
        updHost.transport->close(updHost.transport->ctx);
    }
    _opened = false;
    _start = _end = 0;
}
