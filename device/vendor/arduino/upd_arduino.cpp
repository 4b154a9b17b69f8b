#include "upd_arduino.h"

UpdArduinoConfig updArduino;

void updArduinoBegin(const UpdArduinoConfig &config)
{
    updArduino = config;
}

void updMd5Hex(const uint8_t digest[UPD_MD5_SIZE], char hex[updMd5Text])
{
    for (uint32_t i = 0; i < UPD_MD5_SIZE; i++) {
        hex[2 * i] = "0123456789abcdef"[digest[i] >> 4];
        hex[2 * i + 1] = "0123456789abcdef"[digest[i] & 15];
    }
    hex[updMd5Text - 1] = '\0';
}
