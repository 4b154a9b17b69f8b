#include "upd_port_arduino.h"

#include <string.h>

#include <Esp.h>

/* --- Flash: the core takes any size, from and to any address ------------------------------------ */

namespace
{
const uint32_t SECTOR = 4096;
const uint32_t PAGE = 256;

enum upd_err of(bool done)
{
    return done ? UPD_OK : UPD_E_IO;
}

enum upd_err flashRead(void *, uint32_t offset, void *data, uint32_t size)
{
    return of(size == 0 || ESP.flashRead(offset, static_cast<uint8_t *>(data), size));
}

enum upd_err flashWrite(void *, uint32_t offset, const void *data, uint32_t size)
{
    return of(size == 0 || ESP.flashWrite(offset, static_cast<const uint8_t *>(data), size));
}

enum upd_err flashErase(void *, uint32_t offset)
{
    return of(ESP.flashEraseSector(offset / SECTOR));
}
} // namespace

void updPortFlashInit(struct upd_flash *flash, uint32_t size)
{
    flash->read = flashRead;
    flash->write = flashWrite;
    flash->erase = flashErase;
    flash->ctx = nullptr;
    flash->total_size = size;
    flash->sector_size = SECTOR;
    flash->page_size = PAGE;
    flash->write_size = 4;
}

/* --- Clock, random, restart -------------------------------------------------------------------- */

uint32_t updPortNowMs()
{
    return millis();
}

uint32_t updPortRandom(void *)
{
    return ESP.random();
}

void updPortRestart()
{
    ESP.restart();
}

/* --- Transport --------------------------------------------------------------------------------- */

void UpdPortNet::begin(Client *plain, Client *secure)
{
    transport.connect = connect;
    transport.state = state;
    transport.send = send;
    transport.receive = receive;
    transport.close = close;
    transport.ctx = this;
    _plain = plain;
    _secure = secure;
    _client = nullptr;
    _state = UPD_WIRE_CLOSED;
    _why = UPD_TROUBLE_NONE;
}

void UpdPortNet::connect(void *ctx, const char *host, uint16_t port, bool tls)
{
    UpdPortNet *net = static_cast<UpdPortNet *>(ctx);

    close(ctx);
    net->_state = UPD_WIRE_BROKEN;
    net->_client = tls ? net->_secure : net->_plain;
    if (net->_client == nullptr) {
        net->_why = UPD_TROUBLE_NO_TLS;
    } else if (net->_client->connect(host, port) != 1) {
        net->_why = tls ? UPD_TROUBLE_TLS_FAILED : UPD_TROUBLE_UNREACHABLE;
        net->_client->stop();
        net->_client = nullptr;
    } else {
        net->_state = UPD_WIRE_OPEN;
    }
}

enum upd_wire UpdPortNet::state(void *ctx, enum upd_trouble *why)
{
    UpdPortNet *net = static_cast<UpdPortNet *>(ctx);

    if (net->_state == UPD_WIRE_OPEN && net->_client->connected() == 0 &&
        net->_client->available() <= 0) {
        net->_state = net->_client == net->_secure ? UPD_WIRE_BROKEN : UPD_WIRE_ENDED;
        net->_why = UPD_TROUBLE_TLS_BROKEN;
    }
    if (net->_state == UPD_WIRE_BROKEN) {
        *why = net->_why;
    }
    return net->_state;
}

uint32_t UpdPortNet::send(void *ctx, const void *data, uint32_t size)
{
    UpdPortNet *net = static_cast<UpdPortNet *>(ctx);

    return net->_state == UPD_WIRE_OPEN ? static_cast<uint32_t>(net->_client->write(
                                              static_cast<const uint8_t *>(data), size))
                                        : 0;
}

uint32_t UpdPortNet::receive(void *ctx, void *data, uint32_t size)
{
    UpdPortNet *net = static_cast<UpdPortNet *>(ctx);
    const int waits = net->_state == UPD_WIRE_OPEN ? net->_client->available() : 0;

    if (waits <= 0 || size == 0) {
        return 0;
    }
    const uint32_t most = static_cast<uint32_t>(waits);
    const int got = net->_client->read(static_cast<uint8_t *>(data), size < most ? size : most);
    return got > 0 ? static_cast<uint32_t>(got) : 0;
}

void UpdPortNet::close(void *ctx)
{
    UpdPortNet *net = static_cast<UpdPortNet *>(ctx);

    if (net->_client != nullptr) {
        net->_client->stop();
        net->_client = nullptr;
    }
    net->_state = UPD_WIRE_CLOSED;
}
