#include "upd_port_idf.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <esp_system.h>
#include <esp_timer.h>

#ifdef UPD_PORT_RTOS
#include <spi_flash.h>
#else
#include <esp_flash.h>
#include <esp_random.h>
#endif

/* --- Flash ------------------------------------------------------------------------------------- */

enum { SECTOR = 4096, PAGE = 256 };

static enum upd_err of(esp_err_t err)
{
    return err == ESP_OK ? UPD_OK : UPD_E_IO;
}

static enum upd_err flash_read(void *ctx, uint32_t offset, void *data, uint32_t size)
{
    (void)ctx;
#ifdef UPD_PORT_RTOS
    return of(spi_flash_read(offset, data, size));
#else
    return of(esp_flash_read(NULL, data, offset, size));
#endif
}

static enum upd_err flash_write(void *ctx, uint32_t offset, const void *data, uint32_t size)
{
    (void)ctx;
#ifdef UPD_PORT_RTOS
    return of(spi_flash_write(offset, data, size));
#else
    return of(esp_flash_write(NULL, data, offset, size));
#endif
}

static enum upd_err flash_erase(void *ctx, uint32_t offset)
{
    (void)ctx;
#ifdef UPD_PORT_RTOS
    return of(spi_flash_erase_sector(offset / SECTOR));
#else
    return of(esp_flash_erase_region(NULL, offset, SECTOR));
#endif
}

void upd_port_flash_init(struct upd_flash *flash, uint32_t size)
{
    *flash = (struct upd_flash){.read = flash_read,
                                .write = flash_write,
                                .erase = flash_erase,
                                .total_size = size,
                                .sector_size = SECTOR,
                                .page_size = PAGE,
                                .write_size = 4};
}

/* --- Clock, random, restart -------------------------------------------------------------------- */

uint32_t upd_port_now_ms(void)
{
    return (uint32_t)(esp_timer_get_time() / 1000);
}

uint32_t upd_port_random(void *ctx)
{
    (void)ctx;
    return esp_random();
}

void upd_port_restart(void)
{
    esp_restart();
}

/* --- Transport --------------------------------------------------------------------------------- */

static void drop(struct upd_port_net *net)
{
    if (net->tls != NULL) {
        (void)esp_tls_conn_destroy(net->tls);
        net->tls = NULL;
    }
    if (net->socket >= 0) {
        (void)close(net->socket);
        net->socket = -1;
    }
}

static void break_off(struct upd_port_net *net, enum upd_trouble why)
{
    drop(net);
    net->state = UPD_WIRE_BROKEN;
    net->why = why;
}

/* mbedTLS's bits of what a certificate lacks; the worst comes first. */
static enum upd_trouble why_no_tls(esp_tls_t *tls)
{
    static const struct {
        int flag;
        enum upd_trouble trouble;
    } meanings[] = {
        {0x08, UPD_TROUBLE_TLS_UNKNOWN_CA},    {0x04, UPD_TROUBLE_TLS_WRONG_HOST},
        {0x01, UPD_TROUBLE_TLS_EXPIRED},       {0x0200, UPD_TROUBLE_TLS_NOT_YET},
        {~0, UPD_TROUBLE_TLS_BAD_CERTIFICATE},
    };
    esp_tls_error_handle_t error = NULL;
    int code = 0;
    int flags = 0;

    if (esp_tls_get_error_handle(tls, &error) != ESP_OK ||
        esp_tls_get_and_clear_last_error(error, &code, &flags) == ESP_OK) {
        return UPD_TROUBLE_TLS_FAILED;
    }
    for (uint32_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++) {
        if ((flags & meanings[i].flag) != 0) {
            return meanings[i].trouble;
        }
    }
    return code == 0 ? UPD_TROUBLE_UNREACHABLE : UPD_TROUBLE_TLS_FAILED;
}

static void shake(struct upd_port_net *net)
{
    const int is =
        esp_tls_conn_new_async(net->host, (int)strlen(net->host), net->port, &net->trust, net->tls);

    if (is > 0) {
        net->state = UPD_WIRE_OPEN;
    } else if (is < 0) {
        break_off(net, why_no_tls(net->tls));
    }
}

/* The first address that takes a socket: a device's resolver gives one or two. */
static void dial(struct upd_port_net *net)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;

    if (getaddrinfo(net->host, NULL, &hints, &found) != 0 || found == NULL) {
        break_off(net, UPD_TROUBLE_NO_ADDRESS);
        return;
    }
    if (found->ai_family == AF_INET6) {
        ((struct sockaddr_in6 *)(void *)found->ai_addr)->sin6_port = htons(net->port);
    } else {
        ((struct sockaddr_in *)(void *)found->ai_addr)->sin_port = htons(net->port);
    }
    net->socket = socket(found->ai_family, SOCK_STREAM, 0);
    if (net->socket < 0 || fcntl(net->socket, F_SETFL, O_NONBLOCK) != 0 ||
        (connect(net->socket, found->ai_addr, found->ai_addrlen) != 0 && errno != EINPROGRESS)) {
        break_off(net, UPD_TROUBLE_UNREACHABLE);
    }
    freeaddrinfo(found);
}

static void begin(void *ctx, const char *host, uint16_t port, bool tls)
{
    struct upd_port_net *net = ctx;
    const size_t size = strlen(host) + 1;

    drop(net);
    net->state = UPD_WIRE_OPENING;
    net->port = port;
    if (size > sizeof net->host) {
        break_off(net, UPD_TROUBLE_NO_ADDRESS);
        return;
    }
    memcpy(net->host, host, size);
    if (!tls) {
        dial(net);
        return;
    }
    net->tls = net->trust.cacert_buf != NULL ? esp_tls_init() : NULL;
    if (net->tls == NULL) {
        break_off(net, UPD_TROUBLE_NO_TLS);
    }
}

static void look_at_socket(struct upd_port_net *net)
{
    struct timeval none = {0};
    fd_set writable;
    int error = 0;
    socklen_t size = sizeof error;

    FD_ZERO(&writable);
    FD_SET(net->socket, &writable);
    if (select(net->socket + 1, NULL, &writable, NULL, &none) <= 0) {
        return;
    }
    if (getsockopt(net->socket, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0) {
        break_off(net, UPD_TROUBLE_UNREACHABLE);
        return;
    }
    net->state = UPD_WIRE_OPEN;
}

static enum upd_wire state_of(void *ctx, enum upd_trouble *why)
{
    struct upd_port_net *net = ctx;

    if (net->state == UPD_WIRE_OPENING) {
        if (net->tls != NULL) {
            shake(net);
        } else {
            look_at_socket(net);
        }
    }
    if (net->state == UPD_WIRE_BROKEN) {
        *why = net->why;
    }
    return net->state;
}

static bool is_later(const struct upd_port_net *net, long result)
{
    return net->tls != NULL
               ? result == ESP_TLS_ERR_SSL_WANT_READ || result == ESP_TLS_ERR_SSL_WANT_WRITE
               : result < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

static uint32_t give(void *ctx, const void *data, uint32_t size)
{
    struct upd_port_net *net = ctx;

    if (net->state != UPD_WIRE_OPEN) {
        return 0;
    }
    const long sent = net->tls != NULL ? (long)esp_tls_conn_write(net->tls, data, size)
                                       : (long)send(net->socket, data, size, 0);
    if (sent > 0) {
        return (uint32_t)sent;
    }
    if (sent < 0 && !is_later(net, sent)) {
        break_off(net, UPD_TROUBLE_CONNECTION_LOST);
    }
    return 0;
}

/*
 * esp-tls says 0 to TLS's own end mark. A TCP connection that ends without one is an error of mbedTLS,
 * and is told as one.
 */
static uint32_t take(void *ctx, void *data, uint32_t size)
{
    struct upd_port_net *net = ctx;

    if (net->state != UPD_WIRE_OPEN || size == 0) {
        return 0;
    }
    const long got = net->tls != NULL ? (long)esp_tls_conn_read(net->tls, data, size)
                                      : (long)recv(net->socket, data, size, 0);
    if (got > 0) {
        return (uint32_t)got;
    }
    if (got == 0) {
        drop(net);
        net->state = UPD_WIRE_ENDED;
    } else if (!is_later(net, got)) {
        break_off(net, net->tls != NULL ? UPD_TROUBLE_TLS_BROKEN : UPD_TROUBLE_CONNECTION_LOST);
    }
    return 0;
}

static void hang_up(void *ctx)
{
    struct upd_port_net *net = ctx;

    drop(net);
    net->state = UPD_WIRE_CLOSED;
}

void upd_port_net_init(struct upd_port_net *net, const char *ca_pem, uint32_t ca_pem_size)
{
    *net = (struct upd_port_net){
        .transport = {begin, state_of, give, take, hang_up, net},
        .trust = {.cacert_buf = (const unsigned char *)ca_pem,
                  .cacert_bytes = ca_pem_size,
                  .non_block = true},
        .socket = -1,
        .state = UPD_WIRE_CLOSED,
    };
}
