/*
 * updraft: what ESP-IDF's OTA functions (esp_ota_ops.h, esp_partition.h) stand on. The port calls
 * upd_esp_init() once, before the first of them.
 *
 * They give what the vendors' functions give: an image is selected without a trial of updraft's
 * (ESP-IDF with rollback has its own), and a download that was cut begins anew. Applications that
 * want more use the writer.
 *
 * Differences from the originals, which are none that a program can rely on:
 *   - Up to UPD_ESP_HANDLES updates and UPD_ESP_WALKS walks over partitions are open at a time; the
 *     originals allocate them.
 *   - A record of otadata is programmed before its CRC, in two calls: cut in between, it is none,
 *     where the originals may leave one that lost its state.
 *   - To select the test partition is refused (INVALID_ARG); the originals then select ota_0.
 *   - Where the originals stop with an assertion, config.assertion() is called; should it return,
 *     the function gives INVALID_STATE or NULL.
 *   - Flash encryption, external flash, signatures are left out.
 */
#ifndef UPDRAFT_ESP_OTA_H
#define UPDRAFT_ESP_OTA_H

#include <updraft/scheme.h>

#include "esp_ota_ops.h"

enum { UPD_ESP_HANDLES = 2, UPD_ESP_WALKS = 4 };

struct upd_esp_config {
    const struct upd_flash *flash;    /* must stay valid */
    const struct upd_partition *rows; /* the table, `count` rows; must stay valid */
    uint32_t count;
    esp_partition_t *table; /* room for `count`; the functions hand out pointers into it */
    uint32_t running;       /* flash offset of the partition that runs */
    /* Which rules: RTOS, or ESP-IDF 6.1 with what its boot loader was built with. */
    enum upd_otadata_loader loader;
    enum upd_chip chip;
    uint16_t chip_revision;  /* UPD_IMAGE_ANY_REVISION when not known */
    uint16_t efuse_revision; /* likewise */
    /* Anti-rollback only: the secure version in the eFuses, and burning a higher one. */
    enum upd_err (*fuse_read)(void *ctx, uint32_t *version);
    enum upd_err (*fuse_burn)(void *ctx, uint32_t version);
    void (*restart)(void *ctx);
    void (*assertion)(void *ctx, const char *what);
    void *ctx;
};

/** An open update. */
struct upd_esp_update {
    esp_ota_handle_t handle; /* 0: free */
    const esp_partition_t *partition;
    const esp_partition_t *final; /* where it belongs; NULL: there */
    uint32_t written;
    bool sequential;
    bool resumed;
    bool copies; /* to `final`, at the end */
};

/** A walk over partitions. */
struct upd_esp_walk {
    const esp_partition_t *at; /* NULL: free */
    esp_partition_type_t type;
    esp_partition_subtype_t subtype;
    const char *label;
};

/** The caller's memory; its fields are the functions' own. */
struct upd_esp {
    struct upd_esp_config config;
    struct upd_esp_update updates[UPD_ESP_HANDLES];
    struct upd_esp_walk walks[UPD_ESP_WALKS];
    esp_ota_handle_t last_handle;
};

/**
 * @param esp     must stay where it is
 * @param config  copied; restart and assertion are not NULL, the fuse's functions with
 *                anti-rollback
 *
 * @return UPD_OK
 * @return UPD_E_ARG  a pointer is missing, or no app partition begins at `running`
 */
UPD_MUST_CHECK enum upd_err upd_esp_init(struct upd_esp *esp, const struct upd_esp_config *config);

#endif
