/*
 * updraft: what the Arduino classes stand on. Who builds the sketch calls updArduinoBegin() once,
 * before the first of them; on the ESP32, upd_esp_init() of esp_ota.h as well.
 *
 * The classes give what those of the cores give: an image is selected without a trial, and a
 * download that was cut begins anew. Sketches that want more use the writer.
 *
 * Differences from the cores':
 *   - Memory is the port's: `buffer`, and `http`. Callbacks catch four pointers at most.
 *   - Nothing of HTTP that can be read in two ways is accepted: two lengths, and a length beside
 *     chunks, are error -101, lines that do not end in CR LF -7, and a Content-Encoding -9.
 *   - update() takes a client and a URL, or host, port and path; HTTPClient is left out.
 */
#ifndef UPDRAFT_ARDUINO_H
#define UPDRAFT_ARDUINO_H

#include "upd_c.h"

struct UpdArduinoConfig {
    const struct upd_flash *flash; /* ESP8266: must stay valid; its size is the chip's real one */
    uint8_t *buffer;      /* what the updater collects bytes in; nullptr: no memory is left */
    uint32_t buffer_size; /* 4096; ESP8266 with little memory: 256. Aligned to 4 */
    char *http;           /* for a request, and its answer */
    uint32_t http_size;   /* at least UPD_EXCHANGE_BUFFER */
    uint32_t sketch_size; /* bytes of the sketch that runs: ESP.getSketchSize() */
    uint32_t flash_size;  /* of the chip, in bytes: ESP.getFlashChipRealSize() */
    uint8_t sta_mac[6];
    uint8_t ap_mac[6];
    const char *sdk_version;
    void (*restart)(void *ctx);
    void (*close_others)(void *ctx); /* closeConnectionsOnUpdate(); nullptr: there are none */
    /* ESP8266 only. */
    uint32_t fs_start; /* flash offset of the file system; where there is none, of what follows */
    uint32_t fs_end;
    uint8_t boot_mode; /* as strapped at the last reset; 1: by the serial loader */
    bool atomic_fs;    /* file systems are staged, as built with ATOMIC_FS_UPDATE */
    bool finds_size;   /* the sketch was built to find the size of the flash by itself */
    /* Store eboot's command at UPD_EBOOT_COMMAND_ADDRESS of the RTC memory. */
    void (*rtc_write)(void *ctx, const uint8_t block[UPD_EBOOT_COMMAND_SIZE]);
    /* ESP32 only: SHA-256 of the running image, 32 bytes; nullptr: the field is left out. */
    const uint8_t *sketch_sha256;
    void *ctx;
};

/** @param config  copied */
void updArduinoBegin(const UpdArduinoConfig &config);
extern UpdArduinoConfig updArduino;

/** Room for the hexadecimal digits of an MD5 and a NUL. */
constexpr uint32_t updMd5Text = 2 * UPD_MD5_SIZE + 1;
void updMd5Hex(const uint8_t digest[UPD_MD5_SIZE], char hex[updMd5Text]);

#endif
