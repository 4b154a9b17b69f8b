/*
 * The ports for the NONOS SDK, over a stand-in of the SDK: flash over the simulated flash, connections
 * over a peer that does what a test tells it.
 *
 * What must hold: the promises of flash.h at every alignment, those of transport.h in every way that a
 * connection comes and goes, and a download through both that is what the server sent.
 */
#include <stdio.h>
#include <string.h>

#include <osapi.h>
#include <spi_flash.h>
#include <upd_port_nonos.h>
#include <user_interface.h>

#include <updraft/fetch.h>
#include <updraft/sim_flash.h>

#include "check.h"

/* --- The SDK ----------------------------------------------------------------------------------- */

static struct sim_flash sim;
static SpiFlashOpResult refusal; /* of the next operation */
static uint32_t fed, restarts, time_us;

static SpiFlashOpResult result_of(enum upd_err err)
{
    const SpiFlashOpResult result = refusal;

    refusal = SPI_FLASH_RESULT_OK;
    return result != SPI_FLASH_RESULT_OK ? result
           : err == UPD_OK               ? SPI_FLASH_RESULT_OK
                                         : SPI_FLASH_RESULT_ERR;
}

static bool is_word(uint32 address, const void *data, uint32 size)
{
    return address % 4 == 0 && size % 4 == 0 && (uintptr_t)data % 4 == 0;
}

SpiFlashOpResult spi_flash_read(uint32 src_addr, uint32 *des_addr, uint32 size)
{
    CHECK(is_word(src_addr, des_addr, size));
    return result_of(sim.flash.read(sim.flash.ctx, src_addr, des_addr, size));
}

SpiFlashOpResult spi_flash_write(uint32 des_addr, uint32 *src_addr, uint32 size)
{
    CHECK(is_word(des_addr, src_addr, size));
    return result_of(sim.flash.write(sim.flash.ctx, des_addr, src_addr, size));
}

SpiFlashOpResult spi_flash_erase_sector(uint16 sec)
{
    return result_of(sim.flash.erase(sim.flash.ctx, (uint32_t)sec * 4096));
}

uint32 system_get_time(void)
{
    return time_us;
}

void system_restart(void)
{
    restarts++;
}

void system_soft_wdt_feed(void)
{
    fed++;
}

unsigned long os_random(void)
{
    static unsigned long state = 7;

    state = state * 1664525 + 1013904223;
    return state >> 8;
}

int ets_strlen(const char *s)
{
    return (int)strlen(s);
}

int ets_strcmp(const char *s1, const char *s2)
{
    return strcmp(s1, s2);
}

/* A peer. */
static struct {
    err_t found; /* what the resolver says at once */
    sint8 connects, sends;
    struct espconn *connection;
    espconn_connect_callback connected, ended;
    espconn_reconnect_callback broken;
    espconn_recv_callback received;
    espconn_sent_callback sent;
    dns_found_callback told;
    uint32_t aborts, held, calls;
    char heard[2048];
    uint32_t heard_size;
} peer;

err_t espconn_gethostbyname(struct espconn *pespconn, const char *name, ip_addr_t *addr,
                            dns_found_callback found)
{
    (void)name;
    peer.connection = pespconn;
    peer.told = found;
    addr->addr = 0x0100007F;
    return peer.found;
}

sint8 espconn_connect(struct espconn *espconn)
{
    peer.connection = espconn;
    peer.calls++;
    return peer.connects;
}

sint8 espconn_abort(struct espconn *espconn)
{
    CHECK(espconn == peer.connection);
    peer.aborts++;
    return ESPCONN_OK;
}

sint8 espconn_send(struct espconn *espconn, uint8 *psent, uint16 length)
{
    CHECK(espconn == peer.connection);
    if (peer.sends != ESPCONN_OK) {
        return peer.sends;
    }
    memcpy(peer.heard + peer.heard_size, psent, length);
    peer.heard_size += length;
    peer.heard[peer.heard_size] = '\0';
    return ESPCONN_OK;
}

sint8 espconn_regist_connectcb(struct espconn *espconn, espconn_connect_callback connect_cb)
{
    (void)espconn;
    peer.connected = connect_cb;
    return ESPCONN_OK;
}

sint8 espconn_regist_reconcb(struct espconn *espconn, espconn_reconnect_callback recon_cb)
{
    (void)espconn;
    peer.broken = recon_cb;
    return ESPCONN_OK;
}

sint8 espconn_regist_disconcb(struct espconn *espconn, espconn_connect_callback discon_cb)
{
    (void)espconn;
    peer.ended = discon_cb;
    return ESPCONN_OK;
}

sint8 espconn_regist_recvcb(struct espconn *espconn, espconn_recv_callback recv_cb)
{
    (void)espconn;
    peer.received = recv_cb;
    return ESPCONN_OK;
}

sint8 espconn_regist_sentcb(struct espconn *espconn, espconn_sent_callback sent_cb)
{
    (void)espconn;
    peer.sent = sent_cb;
    return ESPCONN_OK;
}

sint8 espconn_recv_hold(struct espconn *espconn)
{
    (void)espconn;
    peer.held++;
    return ESPCONN_OK;
}

sint8 espconn_recv_unhold(struct espconn *espconn)
{
    (void)espconn;
    peer.held--;
    return ESPCONN_OK;
}

uint32 espconn_port(void)
{
    return 50000;
}

/* --- Flash ------------------------------------------------------------------------------------- */

static void test_flash_at_every_alignment(void)
{
    struct upd_flash flash;
    uint8_t data[200], back[200];

    sim_flash_init(&sim, &sim_flash_4m, 7);
    upd_port_flash_init(&flash, 4 * 1024 * 1024);
    for (uint32_t i = 0; i < sizeof data; i++) {
        data[i] = (uint8_t)(i * 7 + 1);
    }
    for (uint32_t from = 0; from < 4; from++) {
        CHECK(flash.erase(flash.ctx, 0x5000) == UPD_OK);
        CHECK(flash.write(flash.ctx, 0x5000, data + from, 160) == UPD_OK);
        for (uint32_t at = 0; at < 8; at++) {
            for (uint32_t size = 0; size <= 140; size++) {
                memset(back, 0xEE, sizeof back);
                CHECK(flash.read(flash.ctx, 0x5000 + at, back + from, size) == UPD_OK);
                CHECK(memcmp(back + from, data + from + at, size) == 0);
                CHECK(back[from + size] == 0xEE && (from == 0 || back[from - 1] == 0xEE));
            }
        }
    }
    CHECK(fed == 8);
    for (uint32_t i = 1; i <= 2; i++) {
        refusal = (SpiFlashOpResult)i;
        CHECK(flash.read(flash.ctx, 0x5001, back, 9) == UPD_E_IO);
        refusal = (SpiFlashOpResult)i;
        CHECK(flash.write(flash.ctx, 0x6000, data, 8) == UPD_E_IO);
        refusal = (SpiFlashOpResult)i;
        CHECK(flash.erase(flash.ctx, 0x5000) == UPD_E_IO);
    }
    sim_flash_free(&sim);
}

static void test_clock_random_and_restart(void)
{
    struct upd_port_clock clock = {0};
    uint32_t ms = 0;

    time_us = 0;
    for (uint32_t hour = 0; hour < 3000; hour++) {
        time_us += 3599999999u; /* wraps at each other call */
        ms = upd_port_now_ms(&clock);
    }
    CHECK(ms == (uint32_t)(3000ull * 3599999999u / 1000));
    CHECK(upd_port_random(NULL) != upd_port_random(NULL));
    upd_port_restart();
    CHECK(restarts == 1);
}

/* --- Connections ------------------------------------------------------------------------------- */

static struct upd_port_net net;
static uint8_t buffer[6000];
static enum upd_trouble why;

static enum upd_wire state(void)
{
    return net.transport.state(net.transport.ctx, &why);
}

static void begin(err_t found)
{
    memset(&peer, 0, sizeof peer);
    peer.found = found;
    why = UPD_TROUBLE_NONE;
    upd_port_net_init(&net, buffer, sizeof buffer);
    CHECK(state() == UPD_WIRE_CLOSED);
    net.transport.connect(net.transport.ctx, "server", 80, false);
}

static void say(const char *data, uint32_t size)
{
    char copy[1460];

    memcpy(copy, data, size);
    peer.received(peer.connection, copy, (unsigned short)size);
}

static void test_a_connection_comes_about(void)
{
    ip_addr_t address = {0x0200007F};
    char back[8];

    begin(ESPCONN_OK);
    CHECK(state() == UPD_WIRE_OPENING && peer.calls == 1);
    CHECK(net.tcp.remote_port == 80 && net.tcp.remote_ip[0] == 127 && net.tcp.remote_ip[3] == 1);
    CHECK(net.transport.send(net.transport.ctx, "x", 1) == 0);
    peer.connected(peer.connection);
    CHECK(state() == UPD_WIRE_OPEN);
    CHECK(net.transport.send(net.transport.ctx, "hello", 5) == 5);
    CHECK(net.transport.send(net.transport.ctx, "again", 5) == 0); /* one at a time */
    peer.sent(peer.connection);
    CHECK(net.transport.send(net.transport.ctx, "again", 5) == 5);
    CHECK(strcmp(peer.heard, "helloagain") == 0);
    peer.sent(peer.connection);
    peer.sends = ESPCONN_MEM;
    CHECK(net.transport.send(net.transport.ctx, "full", 4) == 0);

    /* What came before the end is had before the end is told. */
    say("abcdef", 6);
    CHECK(peer.held == 1);
    peer.ended(peer.connection);
    CHECK(state() == UPD_WIRE_OPEN);
    CHECK(net.transport.receive(net.transport.ctx, back, 4) == 4 && memcmp(back, "abcd", 4) == 0);
    CHECK(state() == UPD_WIRE_OPEN);
    CHECK(net.transport.receive(net.transport.ctx, back, 8) == 2 && memcmp(back, "ef", 2) == 0);
    CHECK(state() == UPD_WIRE_ENDED);
    CHECK(net.transport.receive(net.transport.ctx, back, 8) == 0);
    net.transport.close(net.transport.ctx);
    CHECK(state() == UPD_WIRE_CLOSED && peer.aborts == 0);

    /* The name is found later; an answer to another question is none. */
    begin(ESPCONN_INPROGRESS);
    CHECK(state() == UPD_WIRE_OPENING && peer.calls == 0);
    peer.told("other", &address, peer.connection);
    CHECK(peer.calls == 0);
    peer.told("server", &address, peer.connection);
    CHECK(peer.calls == 1 && net.tcp.remote_ip[3] == 2);
    net.transport.close(net.transport.ctx);
    CHECK(peer.aborts == 1);
    peer.told("server", &address, peer.connection);
    CHECK(peer.calls == 1 && state() == UPD_WIRE_CLOSED);
}

static void test_a_connection_fails_by_name(void)
{
    char host[100];

    begin(ESPCONN_ARG);
    CHECK(state() == UPD_WIRE_BROKEN && why == UPD_TROUBLE_NO_ADDRESS);
    begin(ESPCONN_INPROGRESS);
    peer.told("server", NULL, peer.connection);
    CHECK(state() == UPD_WIRE_BROKEN && why == UPD_TROUBLE_NO_ADDRESS);
    begin(ESPCONN_OK);
    peer.broken(peer.connection, ESPCONN_RTE);
    CHECK(state() == UPD_WIRE_BROKEN && why == UPD_TROUBLE_UNREACHABLE);
    begin(ESPCONN_OK);
    peer.connected(peer.connection);
    peer.broken(peer.connection, ESPCONN_RTE);
    CHECK(state() == UPD_WIRE_BROKEN && why == UPD_TROUBLE_CONNECTION_LOST);
    begin(ESPCONN_OK);
    net.transport.connect(net.transport.ctx, "server", 443, true);
    CHECK(state() == UPD_WIRE_BROKEN && why == UPD_TROUBLE_NO_TLS && peer.calls == 1);
    memset(host, 'a', sizeof host - 1);
    host[sizeof host - 1] = '\0';
    net.transport.connect(net.transport.ctx, host, 80, false);
    CHECK(state() == UPD_WIRE_BROKEN && why == UPD_TROUBLE_NO_ADDRESS);
    memset(&peer, 0, sizeof peer);
    peer.connects = ESPCONN_MEM;
    net.transport.connect(net.transport.ctx, "server", 80, false);
    CHECK(state() == UPD_WIRE_BROKEN && why == UPD_TROUBLE_UNREACHABLE);

    /* More than was asked to wait for: broken, and what came is still had. */
    begin(ESPCONN_OK);
    peer.connected(peer.connection);
    char full[1460] = {0};
    for (uint32_t i = 0; i < 5; i++) {
        say(full, sizeof full);
    }
    CHECK(state() == UPD_WIRE_OPEN);
    uint32_t got = 0;
    for (uint32_t count; (count = net.transport.receive(net.transport.ctx, full, 1000)) > 0;) {
        got += count;
    }
    CHECK(got == 4 * sizeof full && state() == UPD_WIRE_BROKEN);
    CHECK(why == UPD_TROUBLE_CONNECTION_LOST);
}

/* A server: a head, and bytes for as long as it is not held. */
static void test_a_download_is_what_was_sent(void)
{
    enum { SIZE = 50000 };
    static char answer[SIZE + 100];
    static uint8_t work[1024];
    struct upd_fetch fetch;
    const struct upd_request request = {.url = "http://server/f", .most = 1 << 20};
    const struct upd_fetch_config config = {.transport = &net.transport,
                                            .buffer = work,
                                            .buffer_size = sizeof work,
                                            .random = upd_port_random};
    const int head = snprintf(answer, 100, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", SIZE);
    uint32_t at = 0, got = 0, wrong = 0;
    enum upd_fetch_news news = UPD_FETCH_BUSY;

    for (uint32_t i = 0; i < SIZE; i++) {
        answer[(uint32_t)head + i] = (char)(i * 31 >> 3);
    }
    memset(&peer, 0, sizeof peer);
    upd_port_net_init(&net, buffer, sizeof buffer);
    upd_fetch_init(&fetch, &config);
    upd_fetch_begin(&fetch, &request, 0);
    for (uint32_t i = 0; i < 100000 && news != UPD_FETCH_DONE && news != UPD_FETCH_FAILED; i++) {
        news = upd_fetch_poll(&fetch, i / 100);
        if (peer.calls == 1) {
            peer.calls++;
            peer.connected(peer.connection);
        }
        if (net.is_sending) {
            peer.sent(peer.connection);
        }
        /* Up to two more segments come when it is held. */
        if (strstr(peer.heard, "\r\n\r\n") != NULL && at < SIZE + (uint32_t)head &&
            (peer.held == 0 || net.end - net.start < 2000)) {
            const uint32_t left = SIZE + (uint32_t)head - at;
            const uint32_t size = left < 1460 ? left : 1460;
            say(answer + at, size);
            at += size;
        }
        for (uint32_t j = 0; news == UPD_FETCH_BODY && j < fetch.piece_size; j++, got++) {
            wrong += fetch.piece[j] != (uint8_t)answer[(uint32_t)head + got];
        }
    }
    CHECK(news == UPD_FETCH_DONE && got == SIZE && wrong == 0 && fetch.failures == 0);
}

int main(void)
{
    CHECK_RUN(test_flash_at_every_alignment);
    CHECK_RUN(test_clock_random_and_restart);
    CHECK_RUN(test_a_connection_comes_about);
    CHECK_RUN(test_a_connection_fails_by_name);
    CHECK_RUN(test_a_download_is_what_was_sent);
    check_end();
}
