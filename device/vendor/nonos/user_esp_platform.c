#include "user_esp_platform.h"

#include <stddef.h>

#include <updraft/text.h>

enum { CHECK_MS = 120000, PORT = 80 };

static struct upd_platform *self;

void upd_platform_open(struct upd_platform *platform)
{
    self = platform;
}

sint8 espconn_sent(struct espconn *espconn, uint8_t *data, uint16_t length)
{
    return espconn != NULL && data != NULL && self->send != NULL &&
                   self->send(self->ctx, espconn, data, length)
               ? ESPCONN_OK
               : ESPCONN_ARG;
}

/* A version in its field: up to 16 characters, the NUL only where there is room. */
static void add_version(struct upd_text *text, const uint8_t version[16])
{
    uint32_t size = 0;

    while (size < 16 && version[size] != '\0') {
        size++;
    }
    upd_text_bytes(text, version, size);
}

static void write_request(struct upd_text *text, const struct upgrade_server_info *server)
{
    const bool user1_runs = system_upgrade_userbin_check() == UPGRADE_FW_BIN1;

    upd_text_add(text, "GET /v1/device/rom/?action=download_rom&version=");
    add_version(text, server->upgrade_version);
    upd_text_add(text, user1_runs ? "&filename=user2.bin" : "&filename=user1.bin");
    upd_text_add(text, " HTTP/1.0\r\nHost: ");
    for (uint32_t i = 0; i < 4; i++) {
        upd_text_add(text, i > 0 ? "." : "");
        upd_text_decimal(text, server->ip[i]);
    }
    upd_text_add(text, ":");
    upd_text_decimal(text, server->port);
    upd_text_add(text, "\r\nConnection: keep-alive\r\nCache-Control: no-cache\r\n"
                       "User-Agent: Mozilla/5.0 (Windows NT 5.1) AppleWebKit/537.36 "
                       "(KHTML, like Gecko) Chrome/30.0.1599.101 Safari/537.36 \r\n"
                       "Accept: */*\r\nAuthorization: token ");
    upd_text_add(text, self->device_key);
    upd_text_add(text, "\r\nAccept-Encoding: gzip,deflate,sdch\r\n"
                       "Accept-Language: zh-CN,zh;q=0.8\r\n\r\n");
}

void user_esp_platform_upgrade_begin(struct espconn *pespconn, struct upgrade_server_info *server,
                                     const char *version)
{
    struct upd_text text = upd_text_on(self->text, sizeof self->text);

    for (uint32_t i = 0; version != NULL && i < sizeof server->upgrade_version; i++) {
        server->upgrade_version[i] = (uint8)*version;
        version += *version != '\0';
    }
    server->pespconn = pespconn;
    for (uint32_t i = 0; i < 4; i++) {
        server->ip[i] = pespconn->proto.tcp->remote_ip[i];
    }
    if (server->port == 0) {
        server->port = PORT;
    }
    server->check_cb = user_esp_platform_upgrade_rsp;
    server->check_times = CHECK_MS;
    write_request(&text, server);
    server->url = (uint8 *)self->text;
    (void)system_upgrade_start(server); /* false: one goes on already, and its end is reported */
}

void user_esp_platform_upgrade_rsp(void *arg)
{
    struct upgrade_server_info *server = arg;
    struct upd_text text = upd_text_on(self->text, sizeof self->text);

    server->url = NULL;
    upd_text_add(&text, "{\"path\": \"/v1/messages/\", \"method\": \"POST\", "
                        "\"meta\": {\"Authorization\": \"token ");
    upd_text_add(&text, self->device_key);
    upd_text_add(&text, "\"},\"get\":{\"action\":\"");
    upd_text_add(&text,
                 server->upgrade_flag == 1 ? "device_upgrade_success" : "device_upgrade_failed");
    upd_text_add(&text, "\"},\"body\":{\"pre_rom_version\":\"");
    add_version(&text, server->pre_version);
    upd_text_add(&text, "\",\"rom_version\":\"");
    add_version(&text, server->upgrade_version);
    upd_text_add(&text, "\"}}\n");
    (void)espconn_sent(server->pespconn, (uint8_t *)self->text, (uint16_t)text.length);
}
