/* ESP-IDF's HTTP client, as far as esp_https_ota.h needs its configuration and its errors. */
#ifndef ESP_HTTP_CLIENT_H
#define ESP_HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

#include "esp_err.h"

#define ESP_ERR_HTTP_BASE 0x7000
#define ESP_ERR_HTTP_MAX_REDIRECT (ESP_ERR_HTTP_BASE + 1)
#define ESP_ERR_HTTP_CONNECT (ESP_ERR_HTTP_BASE + 2)
#define ESP_ERR_HTTP_WRITE_DATA (ESP_ERR_HTTP_BASE + 3)
#define ESP_ERR_HTTP_FETCH_HEADER (ESP_ERR_HTTP_BASE + 4)
#define ESP_ERR_HTTP_INVALID_TRANSPORT (ESP_ERR_HTTP_BASE + 5)
#define ESP_ERR_HTTP_CONNECTING (ESP_ERR_HTTP_BASE + 6)
#define ESP_ERR_HTTP_EAGAIN (ESP_ERR_HTTP_BASE + 7)
#define ESP_ERR_HTTP_CONNECTION_CLOSED (ESP_ERR_HTTP_BASE + 8)
#define ESP_ERR_HTTP_NOT_MODIFIED (ESP_ERR_HTTP_BASE + 9)
#define ESP_ERR_HTTP_RANGE_NOT_SATISFIABLE (ESP_ERR_HTTP_BASE + 10)
#define ESP_ERR_HTTP_READ_TIMEOUT (ESP_ERR_HTTP_BASE + 11)
#define ESP_ERR_HTTP_INCOMPLETE_DATA (ESP_ERR_HTTP_BASE + 12)
#define ESP_ERR_HTTP_REDIRECT_DOWNGRADE (ESP_ERR_HTTP_BASE + 13)
#define ESP_ERR_HTTP_HEADER_TOO_LONG (ESP_ERR_HTTP_BASE + 14)

typedef struct {
    const char *url;
    const char *cert_pem; /* that there is one counts; whom to trust, the transport knows */
    size_t cert_len;
    bool use_global_ca_store;
    esp_err_t (*crt_bundle_attach)(void *conf);
    const char *username; /* asked for by 401, and sent as Basic */
    const char *password;
    int max_authorization_retries;    /* 0: 10; -1: none */
    const char *user_agent;           /* NULL: "ESP32 HTTP Client/1.0" */
    int timeout_ms;                   /* of each wait; 0: 5000 */
    bool keep_alive_enable;           /* of TCP: the transport's affair */
    bool skip_cert_common_name_check; /* likewise */
} esp_http_client_config_t;

typedef struct upd_https_ota *esp_http_client_handle_t;

/**
 * Send one field more with each request.
 *
 * @param key, value  must stay valid
 *
 * @return ESP_OK; INVALID_ARG a NULL; NO_MEM there are UPD_HTTPS_FIELDS already
 */
esp_err_t esp_http_client_set_header(esp_http_client_handle_t client, const char *key,
                                     const char *value);

#endif
