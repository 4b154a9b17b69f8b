/*
 * The ports for the Arduino core of the ESP8266, over the host's stand-in of the core and a client that
 * does what a test tells it. What must hold is what flash.h and transport.h want of a port.
 */
#include "check_cpp.h"

#include <string.h>

#include <Esp.h>
#include <upd_arduino.h>
#include <upd_port_arduino.h>

namespace
{
class Peer : public Client
{
  public:
    using Client::write;
    int answer = 1; /* of connect() */
    bool open = false;
    const char *says = "";
    uint32_t left = 0, heard = 0, stops = 0;

    int connect(const char *, uint16_t) override
    {
        open = answer == 1;
        return answer;
    }
    size_t write(uint8_t) override
    {
        heard++;
        return 1;
    }
    size_t write(const uint8_t *, size_t size) override
    {
        const size_t took = size < 4 ? size : 4;
        heard += static_cast<uint32_t>(took);
        return took;
    }
    int available() override
    {
        return static_cast<int>(left);
    }
    int read() override
    {
        uint8_t byte = 0;
        return read(&byte, 1) == 1 ? byte : -1;
    }
    int read(uint8_t *data, size_t size) override
    {
        CHECK(size <= left);
        memcpy(data, says, size);
        says += size;
        left -= static_cast<uint32_t>(size);
        return static_cast<int>(size);
    }
    int peek() override
    {
        return left > 0 ? *says : -1;
    }
    void stop() override
    {
        stops++;
        open = false;
    }
    uint8_t connected() override
    {
        return open || left > 0;
    }
    operator bool() override
    {
        return connected() != 0;
    }
};

struct sim_flash sim;
bool restarted;
enum upd_trouble why;

void test_flash_clock_random_and_restart()
{
    struct upd_flash flash;
    uint8_t data[256], back[256];
    UpdArduinoConfig config = {};

    sim_flash_init(&sim, &sim_flash_4m, 7);
    config.flash = &sim.flash;
    config.restart = [](void *) { restarted = true; };
    updArduinoBegin(config);
    updHost.millis = [](void *) -> uint32_t { return 1234; };
    updPortFlashInit(&flash, 4 * 1024 * 1024);
    for (uint32_t i = 0; i < sizeof data; i++) {
        data[i] = static_cast<uint8_t>(i);
    }
    CHECK(flash.write(flash.ctx, 0x7000, data, 256) == UPD_OK);
    for (uint32_t at = 0; at < 8; at++) {
        CHECK(flash.read(flash.ctx, 0x7000 + at, back, 100) == UPD_OK);
        CHECK(memcmp(back, data + at, 100) == 0);
    }
    CHECK(flash.read(flash.ctx, 0x7000, back, 0) == UPD_OK);
    CHECK(flash.erase(flash.ctx, 0x7000) == UPD_OK);
    CHECK(flash.read(flash.ctx, 0x7000, back, 1) == UPD_OK && back[0] == 0xFF);
    sim_flash_power_off(&sim);
    CHECK(flash.read(flash.ctx, 0x7000, back, 1) == UPD_E_IO);
    CHECK(flash.write(flash.ctx, 0x7000, data, 4) == UPD_E_IO);
    CHECK(flash.erase(flash.ctx, 0x7000) == UPD_E_IO);
    sim_flash_free(&sim);
    CHECK(updPortNowMs() == 1234);
    CHECK(updPortRandom(nullptr) != updPortRandom(nullptr));
    updPortRestart();
    CHECK(restarted);
}

void test_connections()
{
    UpdPortNet net;
    Peer plain, secure;
    const struct upd_transport &transport = net.transport;
    char text[8];

    net.begin(&plain, &secure);
    CHECK(transport.state(transport.ctx, &why) == UPD_WIRE_CLOSED);
    CHECK(transport.send(transport.ctx, "x", 1) == 0 &&
          transport.receive(transport.ctx, text, 8) == 0);
    for (uint32_t tls = 0; tls < 2; tls++) {
        Peer &peer = tls != 0 ? secure : plain;
        transport.connect(transport.ctx, "server", 80, tls != 0);
        CHECK(transport.state(transport.ctx, &why) == UPD_WIRE_OPEN);
        CHECK(transport.send(transport.ctx, "hello", 5) == 4 && peer.heard == 4);
        CHECK(transport.receive(transport.ctx, text, 8) == 0);
        peer.says = "there";
        peer.left = 5;
        peer.open = false; /* what came before the end is had before the end is told */
        CHECK(transport.state(transport.ctx, &why) == UPD_WIRE_OPEN);
        CHECK(transport.receive(transport.ctx, text, 3) == 3);
        CHECK(transport.state(transport.ctx, &why) == UPD_WIRE_OPEN);
        CHECK(transport.receive(transport.ctx, text + 3, 5) == 2 && memcmp(text, "there", 5) == 0);
        CHECK(transport.state(transport.ctx, &why) ==
              (tls != 0 ? UPD_WIRE_BROKEN : UPD_WIRE_ENDED));
        CHECK(tls == 0 || why == UPD_TROUBLE_TLS_BROKEN);
        transport.close(transport.ctx);
        CHECK(peer.stops == 1 && transport.state(transport.ctx, &why) == UPD_WIRE_CLOSED);
    }
    plain.answer = secure.answer = 0;
    transport.connect(transport.ctx, "server", 80, false);
    CHECK(transport.state(transport.ctx, &why) == UPD_WIRE_BROKEN &&
          why == UPD_TROUBLE_UNREACHABLE);
    transport.connect(transport.ctx, "server", 443, true);
    CHECK(transport.state(transport.ctx, &why) == UPD_WIRE_BROKEN && why == UPD_TROUBLE_TLS_FAILED);
    net.begin(&plain, nullptr);
    transport.connect(transport.ctx, "server", 443, true);
    CHECK(transport.state(transport.ctx, &why) == UPD_WIRE_BROKEN && why == UPD_TROUBLE_NO_TLS);
    CHECK(plain.heard == 4);
}
} // namespace

int main()
{
    CHECK_RUN(test_flash_clock_random_and_restart);
    CHECK_RUN(test_connections);
    check_end();
}
