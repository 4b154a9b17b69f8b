#include "upd_port_nonos.h"

#include <osapi.h>
#include <spi_flash.h>
#include <user_interface.h>

#include <updraft/bytes.h>

/* --- Flash: the SDK takes whole words, from and to whole words --------------------------------- */

enum { SECTOR = 4096, PAGE = 256, PIECE = 64 };

static enum upd_err of(SpiFlashOpResult result)
{
    return result == SPI_FLASH_RESULT_OK ? UPD_OK : UPD_E_IO;
}

static enum upd_err read(void *ctx, uint32_t offset, void *data, uint32_t size)
{
    uint32 words[PIECE / 4];
    uint8_t *to = data;

    (void)ctx;
    while (size > 0) {
        const uint32_t skip = offset % 4;
        const uint32_t count = size < PIECE - skip ? size : PIECE - skip;
        const enum upd_err err = of(spi_flash_read(offset - skip, words, (skip + count + 3) & ~3u));
        if (err != UPD_OK) {
            return err;
        }
        memcpy(to, (const uint8_t *)words + skip, count);
        offset += count;
        to += count;
        size -= count;
    }
    return UPD_OK;
}

static enum upd_err write(void *ctx, uint32_t offset, const void *data, uint32_t size)
{
    uint32 words[PIECE / 4];
    const uint8_t *from = data;

    (void)ctx;
    system_soft_wdt_feed();
    while (size > 0) {
        const uint32_t count = size < PIECE ? size : PIECE;
        memcpy(words, from, count);
        const enum upd_err err = of(spi_flash_write(offset, words, count));
        if (err != UPD_OK) {
            return err;
        }
        offset += count;
        from += count;
        size -= count;
    }
    return UPD_OK;
}

static enum upd_err erase(void *ctx, uint32_t offset)
{
    (void)ctx;
    system_soft_wdt_feed();
    return of(spi_flash_erase_sector((uint16)(offset / SECTOR)));
}

void upd_port_flash_init(struct upd_flash *flash, uint32_t size)
{
    *flash = (struct upd_flash){.read = read,
                                .write = write,
                                .erase = erase,
                                .total_size = size,
                                .sector_size = SECTOR,
                                .page_size = PAGE,
                                .write_size = 4};
}

/* --- Clock, random, restart -------------------------------------------------------------------- */

/* The SDK's microseconds wrap after 71 minutes. */
uint32_t upd_port_now_ms(struct upd_port_clock *clock)
{
    const uint32_t now_us = system_get_time();
    const uint32_t passed = now_us - clock->last_us;

    clock->last_us = now_us;
    clock->ms += passed / 1000;
    clock->part_us += passed % 1000;
    if (clock->part_us >= 1000) {
        clock->part_us -= 1000;
        clock->ms++;
    }
    return clock->ms;
}

uint32_t upd_port_random(void *ctx)
{
    (void)ctx;
    return (uint32_t)os_random();
}

void upd_port_restart(void)
{
    system_restart();
}

/* --- Transport --------------------------------------------------------------------------------- */

static struct upd_port_net *net_of(void *connection)
{
    return ((struct espconn *)connection)->reverse;
}

static void end_as(struct upd_port_net *net, enum upd_wire state, enum upd_trouble why)
{
    net->is_open = false;
    net->is_over = true;
    net->state = state;
    net->why = why;
}

static void is_connected(void *connection)
{
    net_of(connection)->state = UPD_WIRE_OPEN;
}

static void is_ended(void *connection)
{
    end_as(net_of(connection), UPD_WIRE_ENDED, UPD_TROUBLE_NONE);
}

static void is_broken(void *connection, sint8 error)
{
    struct upd_port_net *net = net_of(connection);

    (void)error;
    end_as(net, UPD_WIRE_BROKEN,
           net->state == UPD_WIRE_OPENING ? UPD_TROUBLE_UNREACHABLE : UPD_TROUBLE_CONNECTION_LOST);
}

static void is_sent(void *connection)
{
    net_of(connection)->is_sending = false;
}

/* More than the buffer takes is lost, and the connection with it; the fetch goes on from there. */
static void is_received(void *connection, char *data, unsigned short size)
{
    struct upd_port_net *net = net_of(connection);

    if (net->state != UPD_WIRE_OPEN) {
        return;
    }
    if (net->end + size > net->size) {
        memmove(net->buffer, net->buffer + net->start, net->end - net->start);
        net->end -= net->start;
        net->start = 0;
    }
    if (net->end + size > net->size) {
        net->state = UPD_WIRE_BROKEN;
        net->why = UPD_TROUBLE_CONNECTION_LOST;
        return;
    }
    memcpy(net->buffer + net->end, data, size);
    net->end += size;
    if (!net->is_held) {
        net->is_held = espconn_recv_hold(&net->connection) == ESPCONN_OK;
    }
}

static void dial(struct upd_port_net *net)
{
    memcpy(net->tcp.remote_ip, &net->address.addr, sizeof net->tcp.remote_ip);
    net->tcp.remote_port = net->port;
    net->tcp.local_port = (int)espconn_port();
    net->connection.type = ESPCONN_TCP;
    net->connection.state = ESPCONN_NONE;
    net->connection.proto.tcp = &net->tcp;
    net->connection.reverse = net;
    espconn_regist_connectcb(&net->connection, is_connected);
    espconn_regist_reconcb(&net->connection, is_broken);
    espconn_regist_disconcb(&net->connection, is_ended);
    espconn_regist_recvcb(&net->connection, is_received);
    espconn_regist_sentcb(&net->connection, is_sent);
    net->is_open = espconn_connect(&net->connection) == ESPCONN_OK;
    if (!net->is_open) {
        end_as(net, UPD_WIRE_BROKEN, UPD_TROUBLE_UNREACHABLE);
    }
}

/* An answer may come late, to a question that nobody asks any more. */
static void is_found(const char *name, ip_addr_t *address, void *connection)
{
    struct upd_port_net *net = net_of(connection);

    if (net->state != UPD_WIRE_OPENING || net->is_open || os_strcmp(name, net->host) != 0) {
        return;
    }
    if (address == NULL || address->addr == 0) {
        end_as(net, UPD_WIRE_BROKEN, UPD_TROUBLE_NO_ADDRESS);
        return;
    }
    net->address = *address;
    dial(net);
}

static void hang_up(void *ctx)
{
    struct upd_port_net *net = ctx;

    if (net->is_open) {
        net->is_open = false;
        (void)espconn_abort(&net->connection);
    }
    net->state = UPD_WIRE_CLOSED;
}

static void begin(void *ctx, const char *host, uint16_t port, bool tls)
{
    struct upd_port_net *net = ctx;
    const uint32_t size = (uint32_t)os_strlen(host) + 1;

    hang_up(net);
    net->start = net->end = 0;
    net->is_over = net->is_held = net->is_sending = false;
    net->state = UPD_WIRE_OPENING;
    net->port = port;
    if (tls || size > sizeof net->host) {
        end_as(net, UPD_WIRE_BROKEN, tls ? UPD_TROUBLE_NO_TLS : UPD_TROUBLE_NO_ADDRESS);
        return;
    }
    memcpy(net->host, host, size);
    net->connection.reverse = net;
    const err_t found = espconn_gethostbyname(&net->connection, net->host, &net->address, is_found);
    if (found == ESPCONN_OK) {
        dial(net);
    } else if (found != ESPCONN_INPROGRESS) {
        end_as(net, UPD_WIRE_BROKEN, UPD_TROUBLE_NO_ADDRESS);
    }
}

/* What came before the end is to be had before the end is told. */
static enum upd_wire state_of(void *ctx, enum upd_trouble *why)
{
    const struct upd_port_net *net = ctx;

    if (net->start < net->end && net->state != UPD_WIRE_CLOSED) {
        return UPD_WIRE_OPEN;
    }
    if (net->state == UPD_WIRE_BROKEN) {
        *why = net->why;
    }
    return net->state;
}

static uint32_t send(void *ctx, const void *data, uint32_t size)
{
    struct upd_port_net *net = ctx;

    if (net->state != UPD_WIRE_OPEN || net->is_sending || size == 0) {
        return 0;
    }
    size = size < 1460 ? size : 1460;
    /* The SDK copies what it sends. */
    if (espconn_send(&net->connection, (uint8 *)(uintptr_t)data, (uint16)size) != ESPCONN_OK) {
        return 0;
    }
    net->is_sending = true;
    return size;
}

static uint32_t receive(void *ctx, void *data, uint32_t size)
{
    struct upd_port_net *net = ctx;
    const uint32_t waits = net->end - net->start;

    size = size < waits ? size : waits;
    memcpy(data, net->buffer + net->start, size);
    net->start += size;
    if (net->start == net->end) {
        net->start = net->end = 0;
        if (net->is_held && net->is_open) {
            net->is_held = false;
            (void)espconn_recv_unhold(&net->connection);
        }
    }
    return size;
}

void upd_port_net_init(struct upd_port_net *net, uint8_t *buffer, uint32_t size)
{
    *net = (struct upd_port_net){
        .transport = {begin, state_of, send, receive, hang_up, net},
        .buffer = buffer,
        .size = size,
        .state = UPD_WIRE_CLOSED,
    };
}
