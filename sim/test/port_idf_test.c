/*
 * The ports for ESP-IDF and the RTOS SDK, over stand-ins of the SDKs: flash over the simulated flash,
 * plain connections over the host's own sockets, esp-tls as a test tells it.
 *
 * What must hold: what flash.h and transport.h want of a port, each way that a connection comes and
 * goes by its own name, and nothing that is kept after the end.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <upd_port_idf.h>
#include <updraft/sim_flash.h>

#include <esp_random.h>
#include <esp_system.h>
#include <esp_timer.h>
#ifdef UPD_PORT_RTOS
#include <spi_flash.h>
#else
#include <esp_flash.h>
#endif

#include "check.h"

/* --- The SDK ----------------------------------------------------------------------------------- */

static struct sim_flash sim;
static esp_err_t refusal;
static uint32_t restarts;
static int64_t time_us;

static esp_err_t result_of(enum upd_err err)
{
    return refusal != ESP_OK ? refusal : err == UPD_OK ? ESP_OK : ESP_FAIL;
}

#ifdef UPD_PORT_RTOS
esp_err_t spi_flash_read(size_t src_addr, void *dest, size_t size)
{
    return result_of(sim.flash.read(sim.flash.ctx, (uint32_t)src_addr, dest, (uint32_t)size));
}

esp_err_t spi_flash_write(size_t dest_addr, const void *src, size_t size)
{
    return result_of(sim.flash.write(sim.flash.ctx, (uint32_t)dest_addr, src, (uint32_t)size));
}

esp_err_t spi_flash_erase_sector(size_t sector)
{
    return result_of(sim.flash.erase(sim.flash.ctx, (uint32_t)sector * 4096));
}
#else
esp_err_t esp_flash_read(esp_flash_t *chip, void *data, uint32_t address, uint32_t length)
{
    CHECK(chip == NULL);
    return result_of(sim.flash.read(sim.flash.ctx, address, data, length));
}

esp_err_t esp_flash_write(esp_flash_t *chip, const void *data, uint32_t address, uint32_t length)
{
    CHECK(chip == NULL);
    return result_of(sim.flash.write(sim.flash.ctx, address, data, length));
}

esp_err_t esp_flash_erase_region(esp_flash_t *chip, uint32_t start, uint32_t len)
{
    CHECK(chip == NULL && len == 4096);
    return result_of(sim.flash.erase(sim.flash.ctx, start));
}
#endif

int64_t esp_timer_get_time(void)
{
    return time_us;
}

uint32_t esp_random(void)
{
    return 0x12345678;
}

void esp_restart(void)
{
    restarts++;
}

struct esp_tls {
    int unused;
};
struct esp_tls_last_error {
    int unused;
};
static struct esp_tls session;
static struct {
    int shakes; /* what the next step of the handshake gives */
    int code, flags;
    ssize_t reads, writes;
    int open;
} tls;

esp_tls_t *esp_tls_init(void)
{
    tls.open++;
    return &session;
}

int esp_tls_conn_new_async(const char *hostname, int hostlen, int port, const esp_tls_cfg_t *cfg,
                           esp_tls_t *it)
{
    CHECK(strcmp(hostname, "server") == 0 && hostlen == 6 && port == 443 && it == &session);
    CHECK(cfg->non_block && cfg->cacert_bytes == 4);
    return tls.shakes;
}

ssize_t esp_tls_conn_write(esp_tls_t *it, const void *data, size_t datalen)
{
    (void)it;
    (void)data;
    (void)datalen;
    return tls.writes;
}

ssize_t esp_tls_conn_read(esp_tls_t *it, void *data, size_t datalen)
{
    (void)it;
    if (tls.reads > 0) {
        memset(data, 'x', (size_t)tls.reads < datalen ? (size_t)tls.reads : datalen);
    }
    return tls.reads;
}

int esp_tls_conn_destroy(esp_tls_t *it)
{
    CHECK(it == &session);
    tls.open--;
    return 0;
}

esp_err_t esp_tls_get_error_handle(esp_tls_t *it, esp_tls_error_handle_t *error_handle)
{
    static struct esp_tls_last_error error;

    (void)it;
    *error_handle = &error;
    return ESP_OK;
}

esp_err_t esp_tls_get_and_clear_last_error(esp_tls_error_handle_t h, int *esp_tls_code,
                                           int *esp_tls_flags)
{
    (void)h;
    *esp_tls_code = tls.code;
    *esp_tls_flags = tls.flags;
    return 0x8001;
}

/* --- */

static void test_flash_clock_random_and_restart(void)
{
    struct upd_flash flash;
    uint8_t data[300], back[300] = {0};

    sim_flash_init(&sim, &sim_flash_4m, 7);
    upd_port_flash_init(&flash, 4 * 1024 * 1024);
    memset(data, 0x35, sizeof data);
    CHECK(flash.write(flash.ctx, 0x6000, data, 300) == UPD_OK);
    CHECK(flash.read(flash.ctx, 0x6000, back, 300) == UPD_OK && memcmp(data, back, 300) == 0);
    CHECK(flash.erase(flash.ctx, 0x6000) == UPD_OK);
    CHECK(flash.read(flash.ctx, 0x6001, back, 1) == UPD_OK && back[0] == 0xFF);
    refusal = ESP_FAIL;
    CHECK(flash.read(flash.ctx, 0, back, 1) == UPD_E_IO);
    CHECK(flash.write(flash.ctx, 0, data, 4) == UPD_E_IO);
    CHECK(flash.erase(flash.ctx, 0) == UPD_E_IO);
    refusal = ESP_OK;
    sim_flash_free(&sim);
    time_us = 5000000000000;
    CHECK(upd_port_now_ms() == (uint32_t)5000000000u);
    CHECK(upd_port_random(NULL) == 0x12345678);
    upd_port_restart();
    CHECK(restarts == 1);
}

static struct upd_port_net net;
static enum upd_trouble why;

static enum upd_wire state(void)
{
    return net.transport.state(net.transport.ctx, &why);
}

static int listen_at(uint16_t *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    const int listener = socket(AF_INET, SOCK_STREAM, 0);

    CHECK(bind(listener, (struct sockaddr *)&address, size) == 0 && listen(listener, 4) == 0);
    CHECK(getsockname(listener, (struct sockaddr *)&address, &size) == 0);
    *port = ntohs(address.sin_port);
    return listener;
}

/* The kernel takes its time. */
static enum upd_wire state_after(enum upd_wire before)
{
    enum upd_wire now = state();

    for (uint32_t i = 0; i < 2000 && now == before; i++) {
        (void)poll(NULL, 0, 1);
        now = state();
    }
    return now;
}

static uint32_t receive(char *to, uint32_t size)
{
    uint32_t got = 0;

    for (uint32_t i = 0; i < 2000 && got == 0 && state() == UPD_WIRE_OPEN; i++) {
        got = net.transport.receive(net.transport.ctx, to, size);
        if (got == 0) {
            (void)poll(NULL, 0, 1);
        }
    }
    return got;
}

static void test_plain_connections(void)
{
    uint16_t port = 0;
    const struct linger now = {.l_onoff = 1};
    const int listener = listen_at(&port);
    char text[16] = "";

    upd_port_net_init(&net, NULL, 0);
    CHECK(state() == UPD_WIRE_CLOSED);
    for (uint32_t way = 0; way < 2; way++) {
        net.transport.connect(net.transport.ctx, "127.0.0.1", port, false);
        CHECK(state_after(UPD_WIRE_OPENING) == UPD_WIRE_OPEN);
        const int other = accept(listener, NULL, NULL);
        CHECK(net.transport.receive(net.transport.ctx, text, 4) == 0 && state() == UPD_WIRE_OPEN);
        CHECK(net.transport.send(net.transport.ctx, "hello", 5) == 5);
        CHECK(recv(other, text, 5, MSG_WAITALL) == 5 && memcmp(text, "hello", 5) == 0);
        CHECK(send(other, "there", 5, 0) == 5);
        CHECK(receive(text, 3) == 3 && receive(text + 3, 8) == 2 && memcmp(text, "there", 5) == 0);
        if (way == 1) {
            (void)setsockopt(other, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        }
        close(other);
        CHECK(receive(text, 1) == 0);
        CHECK(state() == (way == 0 ? UPD_WIRE_ENDED : UPD_WIRE_BROKEN) && net.socket == -1);
        CHECK(way == 0 || why == UPD_TROUBLE_CONNECTION_LOST);
    }
    close(listener);
    net.transport.connect(net.transport.ctx, "127.0.0.1", port, false);
    CHECK(state_after(UPD_WIRE_OPENING) == UPD_WIRE_BROKEN && why == UPD_TROUBLE_UNREACHABLE);
    net.transport.connect(net.transport.ctx, "not a name", port, false);
    CHECK(state() == UPD_WIRE_BROKEN && why == UPD_TROUBLE_NO_ADDRESS);
    net.transport.connect(net.transport.ctx, "server", 443, true);
    CHECK(state() == UPD_WIRE_BROKEN && why == UPD_TROUBLE_NO_TLS && tls.open == 0);
    net.transport.close(net.transport.ctx);
    CHECK(state() == UPD_WIRE_CLOSED);
}

static void test_tls(void)
{
    static const struct {
        const char *name;
        int code, flags;
        enum upd_trouble trouble;
    } rows[] = {
        {"expired", 0x2700, 0x01, UPD_TROUBLE_TLS_EXPIRED},
        {"another name", 0x2700, 0x04, UPD_TROUBLE_TLS_WRONG_HOST},
        {"unknown", 0x2700, 0x08, UPD_TROUBLE_TLS_UNKNOWN_CA},
        {"unknown, and expired", 0x2700, 0x09, UPD_TROUBLE_TLS_UNKNOWN_CA},
        {"tomorrow", 0x2700, 0x200, UPD_TROUBLE_TLS_NOT_YET},
        {"a weak key", 0x2700, 0x10000, UPD_TROUBLE_TLS_BAD_CERTIFICATE},
        {"no handshake", 0x7780, 0, UPD_TROUBLE_TLS_FAILED},
        {"nobody there", 0, 0, UPD_TROUBLE_UNREACHABLE},
    };
    static const struct {
        ssize_t reads;
        enum upd_wire state;
    } ends[] = {{0, UPD_WIRE_ENDED}, {-0x50, UPD_WIRE_BROKEN}};
    char text[8];

    upd_port_net_init(&net, "pem", 4);
    for (uint32_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        tls.shakes = 0;
        net.transport.connect(net.transport.ctx, "server", 443, true);
        CHECK_THAT(rows[i].name, state() == UPD_WIRE_OPENING && tls.open == 1);
        tls.shakes = -1;
        tls.code = rows[i].code;
        tls.flags = rows[i].flags;
        CHECK_THAT(rows[i].name, state() == UPD_WIRE_BROKEN && why == rows[i].trouble);
        CHECK_THAT(rows[i].name, tls.open == 0);
    }
    for (uint32_t i = 0; i < 2; i++) {
        tls.shakes = 1;
        net.transport.connect(net.transport.ctx, "server", 443, true);
        CHECK(state() == UPD_WIRE_OPEN);
        tls.writes = ESP_TLS_ERR_SSL_WANT_WRITE;
        CHECK(net.transport.send(net.transport.ctx, "x", 1) == 0 && state() == UPD_WIRE_OPEN);
        tls.writes = 1;
        CHECK(net.transport.send(net.transport.ctx, "x", 1) == 1);
        tls.reads = ESP_TLS_ERR_SSL_WANT_READ;
        CHECK(net.transport.receive(net.transport.ctx, text, 8) == 0 && state() == UPD_WIRE_OPEN);
        tls.reads = 3;
        CHECK(net.transport.receive(net.transport.ctx, text, 8) == 3);
        tls.reads = ends[i].reads;
        CHECK(net.transport.receive(net.transport.ctx, text, 8) == 0);
        CHECK(state() == ends[i].state && tls.open == 0);
    }
    CHECK(why == UPD_TROUBLE_TLS_BROKEN);
    tls.shakes = 1;
    net.transport.connect(net.transport.ctx, "server", 443, true);
    CHECK(state() == UPD_WIRE_OPEN);
    tls.writes = -0x4E;
    CHECK(net.transport.send(net.transport.ctx, "x", 1) == 0);
    CHECK(state() == UPD_WIRE_BROKEN && why == UPD_TROUBLE_CONNECTION_LOST && tls.open == 0);
}

int main(void)
{
    CHECK_RUN(test_flash_clock_random_and_restart);
    CHECK_RUN(test_plain_connections);
    CHECK_RUN(test_tls);
    check_end();
}
