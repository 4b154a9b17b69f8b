#include "radio.h"

#include "chip.h"

#define RADIO 0x60001F80u
enum { CONNECTION = 0x00, ADDRESS = 0x04, SIZE = 0x08, COMMAND = 0x0C, MOVED = 0x10, STATE = 0x14 };
enum { OPEN = 1, CLOSE, SEND, RECEIVE };

static void command(uint32_t what)
{
    *chip_register(RADIO + CONNECTION) = 0;
    *chip_register(RADIO + COMMAND) = what;
}

static void radio_open(void *ctx)
{
    (void)ctx;
    command(OPEN);
}

static void radio_close(void *ctx)
{
    (void)ctx;
    command(CLOSE);
}

static enum net_state radio_state(void *ctx)
{
    (void)ctx;
    *chip_register(RADIO + CONNECTION) = 0;
    return (enum net_state) * chip_register(RADIO + STATE); /* of the same values */
}

static uint32_t transfer(uint32_t what, const void *data, uint32_t size)
{
    *chip_register(RADIO + ADDRESS) = (uint32_t)(uintptr_t)data;
    *chip_register(RADIO + SIZE) = size;
    command(what);
    return *chip_register(RADIO + MOVED);
}

static uint32_t radio_send(void *ctx, const void *data, uint32_t size)
{
    (void)ctx;
    return transfer(SEND, data, size);
}

static uint32_t radio_receive(void *ctx, void *data, uint32_t size)
{
    (void)ctx;
    return transfer(RECEIVE, data, size);
}

const struct net radio_net = {
    radio_open, radio_state, radio_send, radio_receive, radio_close, 0,
};
