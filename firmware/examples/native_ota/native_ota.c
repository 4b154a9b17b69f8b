/*
 * An application of ESP-IDF, or of the RTOS SDK, that updates itself by the native functions: its own
 * request over a socket, the header's length, esp_ota_write() for what follows.
 */
#include "../app_main.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <esp_ota_ops.h>

#include "../settings.h"

enum { BUFFER = 1024, HEAD = 2048 };

/* "http://host:port" */
static int connect_to_server(char host[64])
{
    const struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    char port[8];
    int server = -1;

    if (sscanf(example.server, "http://%63[^:]:%7[0-9]", host, port) != 2 ||
        getaddrinfo(host, port, &hints, &found) != 0) {
        return -1;
    }
    server = socket(found->ai_family, found->ai_socktype, 0);
    if (server >= 0 && connect(server, found->ai_addr, found->ai_addrlen) != 0) {
        close(server);
        server = -1;
    }
    freeaddrinfo(found);
    return server;
}

static bool send_request(int server, const char *host)
{
    char request[512];
    const int size = snprintf(request, sizeof request,
                              "GET /%s/app.bin?serial=%s&version=%s HTTP/1.0\r\nHost: %s\r\n"
                              "User-Agent: esp-idf/1.0 esp32\r\n\r\n",
                              example.product, example.serial, example.version, host);

    return size > 0 && (size_t)size < sizeof request &&
           send(server, request, (size_t)size, 0) == size;
}

/* Read up to the empty line; what came behind it is moved to the front. @return bytes of that; -1 */
static int read_head(int server, char head[HEAD], long *length)
{
    size_t size = 0;

    for (;;) {
        const ssize_t got = recv(server, head + size, HEAD - 1 - size, 0);
        if (got <= 0) {
            return -1;
        }
        size += (size_t)got;
        head[size] = '\0';
        const char *end = strstr(head, "\r\n\r\n");
        const char *field = strstr(head, "Content-Length: ");
        if (end != NULL) {
            if (strstr(head, " 200 ") == NULL || field == NULL || field > end) {
                printf("ota: %.*s\n", (int)strcspn(head, "\r"), head);
                return -1;
            }
            *length = strtol(field + strlen("Content-Length: "), NULL, 10);
            const size_t body = size - (size_t)(end + 4 - head);
            memmove(head, end + 4, body);
            return (int)body;
        }
        if (size == HEAD - 1) {
            return -1;
        }
    }
}

static esp_err_t download(int server, esp_ota_handle_t update)
{
    static char buffer[HEAD];
    long length = 0;
    long done = 0;
    int got = read_head(server, buffer, &length);

    while (got > 0 || (got == 0 && done == 0)) {
        const esp_err_t err = esp_ota_write(update, buffer, (size_t)got);
        if (err != ESP_OK) {
            return err;
        }
        done += got;
        got = (int)recv(server, buffer, BUFFER, 0);
    }
    printf("ota: %ld of %ld bytes\n", done, length);
    return got == 0 && done == length ? ESP_OK : ESP_FAIL;
}

esp_err_t app_main(void)
{
    const esp_partition_t *running = esp_ota_get_running_partition();
    const esp_partition_t *next = esp_ota_get_next_update_partition(NULL);
    esp_ota_handle_t update = 0;
    char host[64];

    if (esp_ota_mark_app_valid_cancel_rollback() != ESP_OK) {
        printf("ota: what runs is not known to the boot loader\n");
    }
    printf("ota: running type %d subtype %d at 0x%x, writing to subtype %d at 0x%x\n",
           (int)running->type, (int)running->subtype, (unsigned)running->address,
           (int)next->subtype, (unsigned)next->address);
    const int server = connect_to_server(host);
    if (server < 0) {
        printf("ota: no server\n");
        return ESP_FAIL;
    }
    esp_err_t err = send_request(server, host) ? ESP_OK : ESP_FAIL;
    if (err == ESP_OK) {
        err = esp_ota_begin(next, OTA_SIZE_UNKNOWN, &update);
    }
    if (err == ESP_OK) {
        err = download(server, update);
        const esp_err_t end = esp_ota_end(update);
        err = err != ESP_OK ? err : end;
    }
    close(server);
    if (err == ESP_OK) {
        err = esp_ota_set_boot_partition(next);
    }
    printf(err == ESP_OK ? "ota: succeeded, restarting\n" : "ota: error 0x%x\n", (unsigned)err);
    return err;
}
