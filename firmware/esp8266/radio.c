#include "radio.h"

#include "chip.h"

#define RADIO 0x60001F80u
enum { CONNECTION = 0x00, ADDRESS = 0x04, SIZE = 0x08, COMMAND = 0x0C, MOVED = 0x10, STATE = 0x14 };
enum { OPEN = 1, CLOSE, SEND, RECEIVE };

static void command(uint32_t number, uint32_t what)
{
    *chip_register(RADIO + CONNECTION) = number;
    *chip_register(RADIO + COMMAND) = what;
}

static enum net_state state_of(uint32_t number)
{
    *chip_register(RADIO + CONNECTION) = number;
    return (enum net_state) * chip_register(RADIO + STATE); /* of the same values */
}

static uint32_t transfer(uint32_t number, uint32_t what, const void *data, uint32_t size)
{
    *chip_register(RADIO + ADDRESS) = (uint32_t)(uintptr_t)data;
    *chip_register(RADIO + SIZE) = size;
    command(number, what);
    return *chip_register(RADIO + MOVED);
}

/* --- For a server of files ------------------------------------------------------------------- */

static void net_open(void *ctx)
{
    (void)ctx;
    command(RADIO_IMAGES, OPEN);
}

static void net_close(void *ctx)
{
    (void)ctx;
    command(RADIO_IMAGES, CLOSE);
}

static enum net_state net_state(void *ctx)
{
    (void)ctx;
    return state_of(RADIO_IMAGES);
}

static uint32_t net_send(void *ctx, const void *data, uint32_t size)
{
    (void)ctx;
    return transfer(RADIO_IMAGES, SEND, data, size);
}

static uint32_t net_receive(void *ctx, void *data, uint32_t size)
{
    (void)ctx;
    return transfer(RADIO_IMAGES, RECEIVE, data, size);
}

const struct net radio_net = {
    net_open, net_state, net_send, net_receive, net_close, 0,
};

/* --- For the library ------------------------------------------------------------------------- */

static void wire_connect(void *ctx, const char *host, uint16_t port, bool tls)
{
    struct radio_wire *wire = ctx;

    /* Where it leads is the radio's affair; of TLS it knows nothing. */
    (void)host;
    (void)port;
    wire->was_open = false;
    command(wire->number, tls ? CLOSE : OPEN);
}

static enum upd_wire wire_state(void *ctx, enum upd_trouble *why)
{
    struct radio_wire *wire = ctx;

    switch (state_of(wire->number)) {
    case NET_CLOSED:
        break;
    case NET_OPENING:
        return UPD_WIRE_OPENING;
    case NET_OPEN:
        wire->was_open = true;
        return UPD_WIRE_OPEN;
    case NET_ENDED:
        if (!wire->was_open) {
            *why = UPD_TROUBLE_UNREACHABLE;
            return UPD_WIRE_BROKEN;
        }
        return UPD_WIRE_ENDED;
    }
    return UPD_WIRE_CLOSED;
}

static uint32_t wire_send(void *ctx, const void *data, uint32_t size)
{
    return transfer(((struct radio_wire *)ctx)->number, SEND, data, size);
}

static uint32_t wire_receive(void *ctx, void *data, uint32_t size)
{
    return transfer(((struct radio_wire *)ctx)->number, RECEIVE, data, size);
}

static void wire_close(void *ctx)
{
    command(((struct radio_wire *)ctx)->number, CLOSE);
}

void radio_wire_init(struct radio_wire *wire, uint32_t number)
{
    *wire = (struct radio_wire){
        .transport = {wire_connect, wire_state, wire_send, wire_receive, wire_close, wire},
        .number = number,
    };
}
