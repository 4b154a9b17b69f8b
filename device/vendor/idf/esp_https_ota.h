/*
 * ESP-IDF's and the RTOS SDK's updates by HTTPS: names, values, preconditions, order of checks and
 * results, over esp_ota_ops.h. The port calls upd_https_ota_open() once, before the first of them.
 *
 * Differences from the originals':
 *   - One update at a time; the second begin gives NO_MEM.
 *   - An address without TLS is refused with ESP_FAIL unless allow_http says so, also where a
 *     certificate is given.
 *   - Ten redirects in a row are followed, then MAX_REDIRECT; the originals follow for ever.
 *   - A part that is not the one that was asked for fails at once; the originals' images then do not
 *     verify. Each part comes over a connection of its own.
 *   - 401 is answered by Basic alone. Decryption is left out, and so are other images than
 *     applications.
 */
#ifndef ESP_HTTPS_OTA_H
#define ESP_HTTPS_OTA_H

#include <upd_exchange.h>

#include "esp_http_client.h"
#include "esp_ota_ops.h"

#define ESP_ERR_HTTPS_OTA_BASE 0x9000
#define ESP_ERR_HTTPS_OTA_IN_PROGRESS (ESP_ERR_HTTPS_OTA_BASE + 1)

typedef enum {
    ESP_HTTPS_OTA_START,
    ESP_HTTPS_OTA_CONNECTED,
    ESP_HTTPS_OTA_GET_IMG_DESC,
    ESP_HTTPS_OTA_VERIFY_CHIP_ID,       /* uint16_t */
    ESP_HTTPS_OTA_VERIFY_CHIP_REVISION, /* uint16_t */
    ESP_HTTPS_OTA_DECRYPT_CB,
    ESP_HTTPS_OTA_WRITE_FLASH,           /* int: bytes so far */
    ESP_HTTPS_OTA_UPDATE_BOOT_PARTITION, /* esp_partition_subtype_t */
    ESP_HTTPS_OTA_FINISH,
    ESP_HTTPS_OTA_ABORT,
} esp_https_ota_event_t;

typedef struct upd_https_ota *esp_https_ota_handle_t;
typedef esp_err_t (*http_client_init_cb_t)(esp_http_client_handle_t client);

typedef struct {
    const esp_http_client_config_t *http_config;
    http_client_init_cb_t http_client_init_cb; /* called once; an error ends begin() with it */
    bool bulk_flash_erase;                     /* all at once, instead of sector by sector */
    bool partial_http_download;                /* in parts of max_http_request_size */
    int max_http_request_size;                 /* 0: 65536 */
    bool ota_resumption;
    size_t ota_image_bytes_written; /* in flash already; below 1024: begin anew */
    struct {
        const esp_partition_t *staging; /* NULL: the next one */
        const esp_partition_t *final;   /* NULL: staging */
        bool finalize_with_copy;
    } partition;
} esp_https_ota_config_t;

/**
 * All of it. The caller restarts.
 *
 * @return ESP_OK; NOT_SUPPORTED with ota_resumption; else as begin, perform and finish
 */
esp_err_t esp_https_ota(const esp_https_ota_config_t *ota_config);

/**
 * Connect, and ask. Erases nothing yet.
 *
 * INVALID_ARG a NULL · INVALID_ARG nothing to verify the server by · NO_MEM · ESP_FAIL no URL ·
 * the callback's error · 0x7002 no connection · 0x7004 no head of an answer · 0x700E a field too
 * long · INVALID_ARG a redirect to nowhere · 0x700D a redirect from https to http · 0x7001 too many
 * · 0x7009 status 304 · 0x700A status 416 · ESP_FAIL other statuses · ESP_FAIL no partition. *handle
 * is NULL then.
 */
esp_err_t esp_https_ota_begin(const esp_https_ota_config_t *ota_config,
                              esp_https_ota_handle_t *handle);
/**
 * Read and write one piece. IN_PROGRESS: call again.
 *
 * ESP_OK all was read · INVALID_ARG NULL · ESP_FAIL: less than 1024 bytes, less than announced, the
 * connection broke · 0x10A, 0x1508 another chip · what esp_ota_begin() and esp_ota_write() give
 */
esp_err_t esp_https_ota_perform(esp_https_ota_handle_t https_ota_handle);
bool esp_https_ota_is_complete_data_received(esp_https_ota_handle_t https_ota_handle);
/** INVALID_ARG NULL · as esp_ota_end() · as esp_ota_set_boot_partition(). The handle is gone. */
esp_err_t esp_https_ota_finish(esp_https_ota_handle_t https_ota_handle);
/** INVALID_ARG NULL · as esp_ota_abort(). The handle is gone. */
esp_err_t esp_https_ota_abort(esp_https_ota_handle_t https_ota_handle);
/** INVALID_ARG NULL · INVALID_STATE before begin · ESP_FAIL: too short, or no descriptor */
esp_err_t esp_https_ota_get_img_desc(esp_https_ota_handle_t https_ota_handle,
                                     esp_app_desc_t *new_app_info);
/** Bytes written; -1 before the first perform. */
int esp_https_ota_get_image_len_read(esp_https_ota_handle_t https_ota_handle);
/** Bytes of the image; -1: not known. */
int esp_https_ota_get_image_size(esp_https_ota_handle_t https_ota_handle);
/** The last status of HTTP; -1: there was none. */
int esp_https_ota_get_status_code(esp_https_ota_handle_t https_ota_handle);

/**
 * The RTOS SDK's esp_https_ota(), which has the client's configuration alone: no status and no
 * length is looked at, and no redirect followed. A program for that SDK is built with
 * UPD_ESP_AS_RTOS defined, and calls it by its name.
 */
esp_err_t upd_rtos_https_ota(const esp_http_client_config_t *config);
#ifdef UPD_ESP_AS_RTOS
#define esp_https_ota upd_rtos_https_ota
#endif

/* --- What they stand on ----------------------------------------------------------------------- */

enum { UPD_HTTPS_FIELDS = 4, UPD_HTTPS_PIECE = 1024 };

struct upd_https_ota_config {
    const struct upd_transport *transport; /* must stay valid */
    uint32_t (*now_ms)(void *ctx);
    void (*rest)(void *ctx); /* while waiting; may be NULL */
    void (*event)(void *ctx, esp_https_ota_event_t event, const void *data,
                  size_t size); /* or NULL */
    void *ctx;
    char *buffer;         /* must stay valid */
    uint32_t buffer_size; /* at least UPD_EXCHANGE_BUFFER */
    bool allow_http;      /* CONFIG_ESP_HTTPS_OTA_ALLOW_HTTP, CONFIG_OTA_ALLOW_HTTP */
};

/** The caller's memory, 1.6 KiB; its fields are the functions' own. */
struct upd_https_ota {
    struct upd_https_ota_config config;
    const esp_http_client_config_t *http;
    struct upd_exchange exchange;
    uint8_t state; /* 0: free */
    bool bulk;
    bool partial;
    bool resumes;
    bool authorizes;
    bool asks_size; /* by HEAD */
    bool sends_range;
    esp_err_t redirect;    /* what is wrong with it; ESP_OK: it leads on */
    uint32_t request_size; /* of a part */
    uint32_t offset;       /* that is asked for */
    uint32_t last;         /* byte of it; UINT32_MAX: to the end */
    const esp_partition_t *staging;
    const esp_partition_t *final;
    bool copies;
    esp_ota_handle_t update;
    bool is_open; /* the update */
    int image_size;
    uint32_t written;
    const char *field_names[UPD_HTTPS_FIELDS];
    const char *field_values[UPD_HTTPS_FIELDS];
    uint32_t fields;
    uint32_t have; /* bytes in piece, whose descriptor is read where it lies */
    _Alignas(4) uint8_t piece[UPD_HTTPS_PIECE];
};

/** @param ota  must stay where it is. @param config  copied */
void upd_https_ota_open(struct upd_https_ota *ota, const struct upd_https_ota_config *config);

#endif
