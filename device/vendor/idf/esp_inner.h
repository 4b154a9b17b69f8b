/* Shared by the files of this folder. */
#ifndef UPDRAFT_ESP_INNER_H
#define UPDRAFT_ESP_INNER_H

#include "esp_ota.h"

/* The vendors' functions take no device: this is the one that upd_esp_init() was given. */
extern struct upd_esp *upd_esp;

static inline bool upd_esp_is_rtos(void)
{
    return upd_esp->config.loader == UPD_OTADATA_LOADER_RTOS;
}

/** The code of a flash error, by the rules that are followed. */
esp_err_t upd_esp_flash_failed(void);

#endif
