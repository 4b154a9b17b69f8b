#include "esp_https_ota.h"

#include <updraft/bytes.h>

#include "esp_inner.h"

#undef esp_https_ota

enum state { FREE, OPENED, BEGIN, RESUME, IN_PROGRESS, SUCCESS };

enum {
    TIMEOUT_MS = 5000,
    REQUEST_SIZE = 65536,
    REDIRECTS_MOST = 10,
    RETRIES_USUAL = 10,
    RTOS_PIECE = 256,
    DESCRIPTOR = 24 + 8, /* behind the image's header and that of the first segment */
};

#define TO_THE_END UINT32_MAX

/* The vendors' functions take no port: this is the one that upd_https_ota_open() was given. */
static struct upd_https_ota *self;

void upd_https_ota_open(struct upd_https_ota *ota, const struct upd_https_ota_config *config)
{
    *ota = (struct upd_https_ota){.config = *config};
    self = ota;
}

static void tell(esp_https_ota_event_t event, const void *data, size_t size)
{
    if (self->config.event != NULL) {
        self->config.event(self->config.ctx, event, data, size);
    }
}

esp_err_t esp_http_client_set_header(esp_http_client_handle_t client, const char *key,
                                     const char *value)
{
    if (client == NULL || key == NULL || value == NULL) {
        return ESP_ERR_INVALID_ARG;
    }
    if (client->fields == UPD_HTTPS_FIELDS) {
        return ESP_ERR_NO_MEM;
    }
    client->field_names[client->fields] = key;
    client->field_values[client->fields++] = value;
    return ESP_OK;
}

/* --- One exchange ----------------------------------------------------------------------------- */

static void add_base64(struct upd_text *text, const char *user, const char *password)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *const parts[] = {user, ":", password};
    uint32_t bits = 0;
    uint32_t count = 0; /* bits that wait */
    uint32_t written = 0;

    for (uint32_t part = 0; part < 3; part++) {
        for (const char *c = parts[part] != NULL ? parts[part] : ""; *c != '\0'; c++) {
            bits = bits << 8 | (uint8_t)*c;
            for (count += 8; count >= 6; count -= 6, written++) {
                upd_text_bytes(text, &digits[bits >> (count - 6) & 63], 1);
            }
        }
    }
    if (count > 0) {
        upd_text_bytes(text, &digits[bits << (6 - count) & 63], 1);
        written++;
    }
    for (; written % 4 != 0; written++) {
        upd_text_add(text, "=");
    }
}

static bool write_line(void *ctx, uint32_t index, struct upd_text *line)
{
    const struct upd_https_ota *ota = ctx;
    enum { REQUEST, AGENT, HOST, FIELDS };
    const uint32_t range = FIELDS + ota->fields;
    const uint32_t authorization = range + ota->sends_range;

    if (index == REQUEST) {
        upd_text_add(line, ota->asks_size ? "HEAD " : "GET ");
        upd_exchange_path(&ota->exchange, line);
        upd_text_add(line, " HTTP/1.1");
    } else if (index == AGENT) {
        upd_text_add(line, "User-Agent: ");
        upd_text_add(line, ota->http->user_agent != NULL ? ota->http->user_agent
                                                         : "ESP32 HTTP Client/1.0");
    } else if (index == HOST) {
        upd_text_add(line, "Host: ");
        upd_exchange_host(&ota->exchange, line);
    } else if (index < range) {
        upd_text_add(line, ota->field_names[index - FIELDS]);
        upd_text_add(line, ": ");
        upd_text_add(line, ota->field_values[index - FIELDS]);
    } else if (index < authorization) {
        upd_text_add(line, "Range: bytes=");
        upd_text_decimal(line, ota->offset);
        upd_text_add(line, "-");
        if (ota->last != TO_THE_END) {
            upd_text_decimal(line, ota->last);
        }
    } else if (index == authorization && ota->authorizes) {
        upd_text_add(line, "Authorization: Basic ");
        add_base64(line, ota->http->username, ota->http->password);
    } else {
        return false;
    }
    return true;
}

static bool is_redirect(uint16_t status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* What is known here is not for another host. */
static void forget_credentials(struct upd_https_ota *ota)
{
    uint32_t kept = 0;

    ota->authorizes = false;
    for (uint32_t i = 0; i < ota->fields; i++) {
        if (!upd_http_same(ota->field_names[i], "authorization")) {
            ota->field_names[kept] = ota->field_names[i];
            ota->field_values[kept++] = ota->field_values[i];
        }
    }
    ota->fields = kept;
}

/* Where a redirect leads, and whether that is allowed. */
static void hear(void *ctx, const char *name, const char *value)
{
    struct upd_https_ota *ota = ctx;
    struct upd_url *url = &ota->exchange.url;
    const char *scheme = value;

    if (!is_redirect(ota->exchange.head.status) || !upd_http_same(name, "location")) {
        return;
    }
    if (url->tls && !upd_http_take(&scheme, "https://")) {
        ota->redirect = ESP_ERR_HTTP_REDIRECT_DOWNGRADE;
        return;
    }
    url->foreign = false;
    ota->redirect = upd_url_follow(url, value) == UPD_TROUBLE_NONE ? ESP_OK : ESP_ERR_INVALID_ARG;
    if (url->foreign) {
        forget_credentials(ota);
    }
}

static esp_err_t error_of(const struct upd_exchange *exchange)
{
    if (exchange->trouble == UPD_TROUBLE_FIELD_TOO_LONG) {
        return ESP_ERR_HTTP_HEADER_TOO_LONG;
    }
    return exchange->asked ? ESP_ERR_HTTP_FETCH_HEADER : ESP_ERR_HTTP_CONNECT;
}

/* Ask once. What the status means, the caller knows. */
static esp_err_t ask(struct upd_https_ota *ota)
{
    const struct upd_question question = {
        .no_body = ota->asks_size, .line = write_line, .heard = hear, .ctx = ota};

    ota->redirect = ESP_ERR_INVALID_ARG; /* to nowhere */
    upd_exchange_close(&ota->exchange);
    return upd_exchange_ask(&ota->exchange, &question) == UPD_TROUBLE_NONE
               ? ESP_OK
               : error_of(&ota->exchange);
}

/* Ask, follow redirects, and give credentials, until there is a status that is neither. */
static esp_err_t ask_on(struct upd_https_ota *ota)
{
    int retries = ota->http->max_authorization_retries;
    uint32_t redirects = 0;

    retries = retries == 0 ? RETRIES_USUAL : retries;
    for (;;) {
        const esp_err_t err = ask(ota);
        const uint16_t status = ota->exchange.head.status;
        if (err != ESP_OK) {
            return err;
        }
        if (is_redirect(status)) {
            if (ota->redirect != ESP_OK) {
                return ota->redirect;
            }
            if (++redirects > REDIRECTS_MOST) {
                return ESP_ERR_HTTP_MAX_REDIRECT;
            }
        } else if (status == 401) {
            if (ota->http->username == NULL || retries-- <= 0) {
                return ESP_FAIL;
            }
            ota->authorizes = true;
        } else {
            return ESP_OK;
        }
    }
}

/* --- Asking for the image --------------------------------------------------------------------- */

static int length_of_answer(const struct upd_https_ota *ota)
{
    const uint8_t both = UPD_HTTP_LENGTH | UPD_HTTP_CHUNKS;
    const struct upd_http_head *head = &ota->exchange.head;

    return (head->seen & both) == UPD_HTTP_LENGTH && head->length <= INT32_MAX ? (int)head->length
                                                                               : -1;
}

static esp_err_t judge(const struct upd_https_ota *ota)
{
    switch (ota->exchange.head.status) {
    case 200:
        return ESP_OK;
    case 206:
        return ota->sends_range && ota->exchange.head.first == ota->offset ? ESP_OK : ESP_FAIL;
    case 304:
        return ESP_ERR_HTTP_NOT_MODIFIED;
    case 416:
        return ESP_ERR_HTTP_RANGE_NOT_SATISFIABLE;
    default:
        return ESP_FAIL;
    }
}

/* How long the image is: by HEAD, or by its first byte. */
static esp_err_t find_size(struct upd_https_ota *ota)
{
    const struct upd_http_head *head = &ota->exchange.head;

    ota->asks_size = true;
    ota->sends_range = false;
    esp_err_t err = ask_on(ota);
    ota->asks_size = false;
    if (err == ESP_OK && head->status == 304) {
        return ESP_ERR_HTTP_NOT_MODIFIED;
    }
    if (err == ESP_OK && head->status != 200) {
        ota->sends_range = true;
        ota->offset = ota->last = 0;
        err = ask_on(ota);
        err = err == ESP_OK ? judge(ota) : err;
    }
    if (err != ESP_OK) {
        return err;
    }
    ota->image_size = head->status == 206 ? (int)head->total : length_of_answer(ota);
    return ota->image_size > 0 ? ESP_OK : ESP_FAIL;
}

/* The next part, from what is written on. */
static esp_err_t ask_for_part(struct upd_https_ota *ota, bool first)
{
    const uint32_t left = (uint32_t)ota->image_size - ota->written;

    ota->offset = ota->written;
    ota->last = TO_THE_END;
    ota->sends_range = true;
    if (left > ota->request_size) {
        ota->last = ota->offset + ota->request_size - 1;
    } else if (first && ota->offset == 0) {
        ota->sends_range = false;
    } else if (first) {
        ota->last = (uint32_t)ota->image_size; /* as the original asks: one too many */
    }
    esp_err_t err = ask_on(ota);
    err = err == ESP_OK ? judge(ota) : err;
    return err == ESP_OK && ota->exchange.head.status == 200 && ota->offset > 0 ? ESP_FAIL : err;
}

/* All of it; or, where some is in flash, the rest, or all of it anew. */
static esp_err_t ask_for_all(struct upd_https_ota *ota)
{
    ota->offset = ota->written;
    ota->last = TO_THE_END;
    ota->sends_range = ota->resumes;
    esp_err_t err = ask_on(ota);
    if (err == ESP_OK && ota->resumes && ota->exchange.head.status != 206) {
        ota->sends_range = false;
        ota->written = 0;
        ota->state = BEGIN;
        err = ask_on(ota);
    }
    err = err == ESP_OK ? judge(ota) : err;
    if (err == ESP_OK) {
        ota->image_size = ota->exchange.head.status == 206 ? (int)ota->exchange.head.total
                                                           : length_of_answer(ota);
    }
    return err;
}

/* --- begin, perform, finish ------------------------------------------------------------------- */

static bool is_verified(const esp_http_client_config_t *http)
{
    return http->cert_pem != NULL || http->use_global_ca_store || http->crt_bundle_attach != NULL;
}

static bool open_client(const esp_http_client_config_t *http)
{
    const struct upd_https_ota_config config = self->config;
    const struct upd_exchange_config exchange = {
        .transport = config.transport,
        .now_ms = config.now_ms,
        .rest = config.rest,
        .ctx = config.ctx,
        .buffer = config.buffer,
        .buffer_size = config.buffer_size,
        .timeout_ms = http->timeout_ms > 0 ? (uint32_t)http->timeout_ms : TIMEOUT_MS,
    };

    *self = (struct upd_https_ota){.config = config, .http = http, .image_size = -1};
    upd_exchange_init(&self->exchange, &exchange);
    return http->url != NULL && upd_exchange_to(&self->exchange, http->url) == UPD_TROUBLE_NONE &&
           (self->exchange.url.tls || config.allow_http);
}

static void release(struct upd_https_ota *ota)
{
    upd_exchange_close(&ota->exchange);
    ota->state = FREE;
}

static esp_err_t begin(const esp_https_ota_config_t *config)
{
    if (!open_client(config->http_config)) {
        return ESP_FAIL;
    }
    self->state = OPENED;
    self->bulk = config->bulk_flash_erase;
    self->partial = config->partial_http_download;
    self->request_size =
        config->max_http_request_size > 0 ? (uint32_t)config->max_http_request_size : REQUEST_SIZE;
    if (config->http_client_init_cb != NULL) {
        const esp_err_t err = config->http_client_init_cb(self);
        if (err != ESP_OK) {
            return err;
        }
    }
    self->state = BEGIN;
    self->resumes = config->ota_resumption;
    if (config->ota_resumption && config->ota_image_bytes_written >= UPD_HTTPS_PIECE) {
        self->state = RESUME;
        self->written = (uint32_t)config->ota_image_bytes_written;
    }
    esp_err_t err = ESP_OK;
    if (self->partial) {
        err = find_size(self);
        if (err == ESP_OK && self->written >= (uint32_t)self->image_size) {
            self->written = 0; /* another image than the one in flash */
            self->state = BEGIN;
        }
        err = err == ESP_OK ? ask_for_part(self, true) : err;
    } else {
        err = ask_for_all(self);
    }
    if (err != ESP_OK) {
        return err;
    }
    tell(ESP_HTTPS_OTA_CONNECTED, NULL, 0);
    self->staging = config->partition.staging != NULL
                        ? esp_partition_verify(config->partition.staging)
                        : esp_ota_get_next_update_partition(NULL);
    self->final = config->partition.final != NULL ? esp_partition_verify(config->partition.final)
                                                  : self->staging;
    self->copies = config->partition.finalize_with_copy;
    return self->staging != NULL && self->final != NULL ? ESP_OK : ESP_FAIL;
}

esp_err_t esp_https_ota_begin(const esp_https_ota_config_t *ota_config,
                              esp_https_ota_handle_t *handle)
{
    tell(ESP_HTTPS_OTA_START, NULL, 0);
    if (handle == NULL) {
        return ESP_ERR_INVALID_ARG;
    }
    *handle = NULL;
    if (ota_config == NULL || ota_config->http_config == NULL) {
        return ESP_ERR_INVALID_ARG;
    }
    if (!is_verified(ota_config->http_config) && !self->config.allow_http) {
        return ESP_ERR_INVALID_ARG;
    }
    if (self->state != FREE) {
        return ESP_ERR_NO_MEM;
    }
    const esp_err_t err = begin(ota_config);
    if (err != ESP_OK) {
        release(self);
        return err;
    }
    *handle = self;
    return ESP_OK;
}

/* The first bytes of the image, all of them. */
static esp_err_t read_head(struct upd_https_ota *ota)
{
    while (ota->have < sizeof ota->piece) {
        const uint32_t got = upd_exchange_read(&ota->exchange, ota->piece + ota->have,
                                               (uint32_t)sizeof ota->piece - ota->have);
        if (got == 0) {
            return ESP_FAIL;
        }
        ota->have += got;
    }
    return ESP_OK;
}

static esp_err_t check_head(const struct upd_https_ota *ota)
{
    const uint16_t chip = upd_get_le16(ota->piece + 12);
    const uint16_t revision = upd_get_le16(ota->piece + 15);
    const void *head = ota->piece;
    const void *desc = ota->piece + DESCRIPTOR;

    tell(ESP_HTTPS_OTA_VERIFY_CHIP_ID, &chip, sizeof chip);
    tell(ESP_HTTPS_OTA_VERIFY_CHIP_REVISION, &revision, sizeof revision);
    return esp_ota_check_image_validity(
        ESP_PARTITION_TYPE_APP, head,
        upd_get_le32(ota->piece + DESCRIPTOR) == ESP_APP_DESC_MAGIC_WORD ? desc : NULL);
}

static esp_err_t put(struct upd_https_ota *ota)
{
    const esp_err_t err = esp_ota_write(ota->update, ota->piece, ota->have);

    if (err != ESP_OK) {
        return err;
    }
    ota->written += ota->have;
    ota->have = 0;
    const int so_far = (int)ota->written;
    tell(ESP_HTTPS_OTA_WRITE_FLASH, &so_far, sizeof so_far);
    return ESP_ERR_HTTPS_OTA_IN_PROGRESS;
}

static esp_err_t first_piece(struct upd_https_ota *ota)
{
    uint32_t size = OTA_WITH_SEQUENTIAL_WRITES;

    if (ota->bulk) {
        size = ota->image_size > 0 ? (uint32_t)ota->image_size : OTA_SIZE_UNKNOWN;
    }
    esp_err_t err = esp_ota_begin(ota->staging, size, &ota->update);
    if (err != ESP_OK) {
        return err;
    }
    ota->is_open = true;
    ota->state = IN_PROGRESS;
    if (ota->final != ota->staging) {
        err = esp_ota_set_final_partition(ota->update, ota->final, ota->copies);
    }
    err = err == ESP_OK ? read_head(ota) : err;
    if (err == ESP_OK && !upd_esp_is_rtos()) {
        err = check_head(ota);
    }
    return err == ESP_OK ? put(ota) : err;
}

static esp_err_t next_piece(struct upd_https_ota *ota)
{
    ota->have = upd_exchange_read(&ota->exchange, ota->piece, sizeof ota->piece);
    if (ota->have > 0) {
        return put(ota);
    }
    if (ota->exchange.trouble == UPD_TROUBLE_STALLED) {
        return ESP_ERR_HTTPS_OTA_IN_PROGRESS;
    }
    if (ota->partial && ota->exchange.complete && ota->written < (uint32_t)ota->image_size) {
        const esp_err_t err = ask_for_part(ota, false);
        return err == ESP_OK ? ESP_ERR_HTTPS_OTA_IN_PROGRESS : err;
    }
    if (!esp_https_ota_is_complete_data_received(ota)) {
        return ESP_FAIL;
    }
    ota->state = SUCCESS;
    return ESP_OK;
}

esp_err_t esp_https_ota_perform(esp_https_ota_handle_t https_ota_handle)
{
    struct upd_https_ota *ota = https_ota_handle;
    esp_err_t err = ESP_OK;

    if (ota == NULL) {
        return ESP_ERR_INVALID_ARG;
    }
    switch ((enum state)ota->state) {
    case BEGIN:
        return first_piece(ota);
    case RESUME:
        err = esp_ota_resume(ota->staging, OTA_WITH_SEQUENTIAL_WRITES, ota->written, &ota->update);
        if (err != ESP_OK) {
            return err;
        }
        ota->is_open = true;
        ota->state = IN_PROGRESS;
        if (ota->final != ota->staging) {
            err = esp_ota_set_final_partition(ota->update, ota->final, ota->copies);
        }
        return err == ESP_OK ? next_piece(ota) : err;
    case IN_PROGRESS:
        return next_piece(ota);
    case SUCCESS:
        return ESP_OK;
    case FREE:
    case OPENED:
        break;
    }
    return ESP_FAIL;
}

bool esp_https_ota_is_complete_data_received(esp_https_ota_handle_t https_ota_handle)
{
    const struct upd_https_ota *ota = https_ota_handle;

    if (ota == NULL) {
        return false;
    }
    return ota->partial ? (int)ota->written == ota->image_size : ota->exchange.complete;
}

esp_err_t esp_https_ota_finish(esp_https_ota_handle_t https_ota_handle)
{
    struct upd_https_ota *ota = https_ota_handle;
    esp_err_t err = ESP_OK;

    if (ota == NULL) {
        return ESP_ERR_INVALID_ARG;
    }
    const bool is_whole = ota->state == SUCCESS;
    if (ota->is_open) {
        err = esp_ota_end(ota->update);
    }
    release(ota);
    const esp_partition_t *final = ota->final;
    if (err == ESP_OK && is_whole && final->type == ESP_PARTITION_TYPE_APP &&
        final->subtype != ESP_PARTITION_SUBTYPE_APP_FACTORY) {
        err = esp_ota_set_boot_partition(final);
        if (err == ESP_OK) {
            tell(ESP_HTTPS_OTA_UPDATE_BOOT_PARTITION, &final->subtype, sizeof final->subtype);
        }
    }
    tell(ESP_HTTPS_OTA_FINISH, NULL, 0);
    return err;
}

esp_err_t esp_https_ota_abort(esp_https_ota_handle_t https_ota_handle)
{
    struct upd_https_ota *ota = https_ota_handle;

    tell(ESP_HTTPS_OTA_ABORT, NULL, 0);
    if (ota == NULL) {
        return ESP_ERR_INVALID_ARG;
    }
    release(ota);
    return ota->is_open ? esp_ota_abort(ota->update) : ESP_OK;
}

esp_err_t esp_https_ota_get_img_desc(esp_https_ota_handle_t https_ota_handle,
                                     esp_app_desc_t *new_app_info)
{
    struct upd_https_ota *ota = https_ota_handle;

    if (ota == NULL || new_app_info == NULL) {
        return ESP_ERR_INVALID_ARG;
    }
    if (ota->state < BEGIN) {
        return ESP_ERR_INVALID_STATE;
    }
    tell(ESP_HTTPS_OTA_GET_IMG_DESC, NULL, 0);
    if (ota->state == RESUME) {
        return esp_ota_get_partition_description(ota->staging, new_app_info) == ESP_OK ? ESP_OK
                                                                                       : ESP_FAIL;
    }
    if (ota->state != BEGIN || read_head(ota) != ESP_OK ||
        upd_get_le32(ota->piece + DESCRIPTOR) != ESP_APP_DESC_MAGIC_WORD) {
        return ESP_FAIL;
    }
    memcpy(new_app_info, ota->piece + DESCRIPTOR, sizeof *new_app_info);
    return ESP_OK;
}

int esp_https_ota_get_image_len_read(esp_https_ota_handle_t https_ota_handle)
{
    const struct upd_https_ota *ota = https_ota_handle;

    return ota == NULL || ota->state < IN_PROGRESS ? -1 : (int)ota->written;
}

int esp_https_ota_get_image_size(esp_https_ota_handle_t https_ota_handle)
{
    const struct upd_https_ota *ota = https_ota_handle;

    return ota == NULL || ota->state < BEGIN ? -1 : ota->image_size;
}

int esp_https_ota_get_status_code(esp_https_ota_handle_t https_ota_handle)
{
    const struct upd_https_ota *ota = https_ota_handle;

    return ota == NULL || ota->state < BEGIN ? -1 : ota->exchange.head.status;
}

esp_err_t esp_https_ota(const esp_https_ota_config_t *ota_config)
{
    esp_https_ota_handle_t handle = NULL;

    if (ota_config == NULL) {
        return ESP_ERR_INVALID_ARG;
    }
    if (ota_config->ota_resumption) {
        return ESP_ERR_NOT_SUPPORTED;
    }
    esp_err_t err = esp_https_ota_begin(ota_config, &handle);
    if (err != ESP_OK) {
        return err;
    }
    do {
        err = esp_https_ota_perform(handle);
    } while (err == ESP_ERR_HTTPS_OTA_IN_PROGRESS);
    if (err != ESP_OK) {
        (void)esp_https_ota_abort(handle);
        return err;
    }
    return esp_https_ota_finish(handle);
}

/* --- The RTOS SDK ----------------------------------------------------------------------------- */

esp_err_t upd_rtos_https_ota(const esp_http_client_config_t *config)
{
    if (config == NULL) {
        return ESP_ERR_INVALID_ARG;
    }
    if ((config->cert_pem == NULL && !self->config.allow_http) || self->state != FREE ||
        !open_client(config)) {
        return ESP_FAIL;
    }
    /* An answer that cannot be read is one without content: that is found out at the end. */
    if (ask(self) == ESP_ERR_HTTP_CONNECT) {
        return ESP_ERR_HTTP_CONNECT;
    }
    esp_err_t err = ESP_OK;
    const bool answered = self->exchange.trouble == UPD_TROUBLE_NONE;
    const esp_partition_t *partition = esp_ota_get_next_update_partition(NULL);
    if (partition == NULL) {
        release(self);
        return ESP_FAIL;
    }
    err = esp_ota_begin(partition, OTA_SIZE_UNKNOWN, &self->update);
    if (err != ESP_OK) {
        release(self);
        return err;
    }
    while (answered && err == ESP_OK) {
        const uint32_t got = upd_exchange_read(&self->exchange, self->piece, RTOS_PIECE);
        if (got == 0) {
            break;
        }
        err = esp_ota_write(self->update, self->piece, got);
    }
    release(self);
    const esp_err_t end = esp_ota_end(self->update);
    err = err != ESP_OK ? err : end;
    return err == ESP_OK ? esp_ota_set_boot_partition(partition) : err;
}
