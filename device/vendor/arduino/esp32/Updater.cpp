#include "Update.h"

#include <cstring>

static constexpr uint32_t sector = 4096;
static constexpr uint32_t block = 65536;
static constexpr uint8_t imageMagic = 0xE9;
static constexpr uint32_t streamTries = 300; /* a tenth of a second each */

UpdateClass Update;

bool UpdateClass::fail(uint8_t error)
{
    reset();
    _error = error;
    return false;
}

void UpdateClass::reset()
{
    _buffered = _progress = _size = _erased = 0;
    _command = U_FLASH;
    if (_ledPin != -1) {
        digitalWrite(_ledPin, _ledOn == HIGH ? LOW : HIGH);
    }
}

void UpdateClass::abort()
{
    fail(UPDATE_ERROR_ABORT);
}

bool UpdateClass::begin(size_t size, int command, int ledPin, uint8_t ledOn, const char *label)
{
    if (_size > 0) {
        return false;
    }
    _ledPin = ledPin;
    _ledOn = ledOn;
    reset();
    clearError();
    _expected[0] = _calculated[0] = '\0';
    upd_md5_init(&_md5);
    if (size == 0) {
        return fail(UPDATE_ERROR_SIZE);
    }
    switch (command) {
    case U_FLASH:
        _partition = esp_ota_get_next_update_partition(nullptr);
        break;
    case U_SPIFFS:
        _partition = esp_partition_find_first(ESP_PARTITION_TYPE_DATA,
                                              ESP_PARTITION_SUBTYPE_DATA_SPIFFS, label);
        break;
    default:
        return fail(UPDATE_ERROR_BAD_ARGUMENT);
    }
    if (_partition == nullptr) {
        return fail(UPDATE_ERROR_NO_PARTITION);
    }
    if (size == UPDATE_SIZE_UNKNOWN) {
        size = _partition->size;
    } else if (size > _partition->size) {
        return fail(UPDATE_ERROR_SIZE);
    }
    if (updArduino.buffer == nullptr) {
        return false;
    }
    _size = static_cast<uint32_t>(size);
    _command = command;
    return true;
}

static bool isBlank(const uint8_t *data, uint32_t size)
{
    uint8_t all = 0xFF;

    for (uint32_t i = 0; i < size; i++) {
        all &= data[i];
    }
    return all == 0xFF;
}

/* A sector's worth of bytes, or the last ones, into flash; blocks are erased where they begin. */
bool UpdateClass::flush()
{
    uint8_t *const buffer = updArduino.buffer;
    const bool is_first = _progress == 0 && _command == U_FLASH;
    const uint32_t skip = is_first ? withheld < _buffered ? withheld : _buffered : 0;
    const uint32_t offset = _partition->address + _progress;
    const uint32_t room = _partition->size - _progress;

    if (is_first && buffer[0] != imageMagic) {
        return fail(UPDATE_ERROR_MAGIC_BYTE);
    }
    if (_progress == 0) {
        _onProgress(0, _size);
    }
    /* Whole blocks where they fit; sectors in front of the first block and behind the last one. */
    if (_progress >= _erased) {
        const bool whole = offset % block == 0 && _size - _progress >= block && room >= block;
        const uint32_t size = whole ? block : sector;
        if (esp_partition_erase_range(_partition, _progress, size) != ESP_OK) {
            return fail(UPDATE_ERROR_ERASE);
        }
        _erased = _progress + size;
    }
    if (is_first) {
        memcpy(_first, buffer, skip);
    }
    if (!isBlank(buffer + skip, _buffered - skip) &&
        esp_partition_write(_partition, _progress + skip, buffer + skip, _buffered - skip) !=
            ESP_OK) {
        return fail(UPDATE_ERROR_WRITE);
    }
    upd_md5_update(&_md5, buffer, _buffered);
    _progress += _buffered;
    _buffered = 0;
    _onProgress(_progress, _size);
    return true;
}

size_t UpdateClass::write(const uint8_t *data, size_t len)
{
    size_t left = len;

    if (hasError() || !isRunning()) {
        return 0;
    }
    if (len > remaining() - _buffered) {
        fail(UPDATE_ERROR_SPACE);
        return 0;
    }
    while (left > 0) {
        const size_t room = sector - _buffered;
        const size_t now = left < room ? left : room;
        memcpy(updArduino.buffer + _buffered, data + (len - left), now);
        _buffered += static_cast<uint32_t>(now);
        if ((_buffered == remaining() || (now < left && _buffered == sector)) && !flush()) {
            return len - left;
        }
        left -= now;
    }
    return len;
}

size_t UpdateClass::writeStream(Stream &data)
{
    size_t written = 0;
    uint32_t tries = 0;

    if (hasError() || !isRunning()) {
        return 0;
    }
    if (_command == U_FLASH && data.peek() != imageMagic) {
        fail(UPDATE_ERROR_MAGIC_BYTE);
        return 0;
    }
    if (_ledPin != -1) {
        pinMode(_ledPin, OUTPUT);
    }
    while (remaining() > 0) {
        const size_t room = sector - _buffered;
        const size_t left = remaining() - _buffered;
        if (_ledPin != -1) {
            digitalWrite(_ledPin, _ledOn);
        }
        const size_t got = data.readBytes(updArduino.buffer + _buffered, room < left ? room : left);
        if (_ledPin != -1) {
            digitalWrite(_ledPin, _ledOn == HIGH ? LOW : HIGH);
        }
        if (got == 0) {
            if (++tries >= streamTries) {
                fail(UPDATE_ERROR_STREAM);
                return written;
            }
            delay(100);
            continue;
        }
        tries = 0;
        _buffered += static_cast<uint32_t>(got);
        if ((_buffered == remaining() || _buffered == sector) && !flush()) {
            return written;
        }
        written += got;
    }
    return written;
}

/* Now the first bytes: from here on it is an image. */
bool UpdateClass::activate()
{
    uint8_t magic = 0;

    if (_command != U_FLASH) {
        reset();
        return true;
    }
    if (esp_partition_write(_partition, 0, _first, _size < withheld ? _size : withheld) != ESP_OK ||
        esp_partition_read(_partition, 0, &magic, sizeof magic) != ESP_OK || magic != imageMagic) {
        return fail(UPDATE_ERROR_READ);
    }
    if (esp_ota_set_boot_partition(_partition) != ESP_OK) {
        return fail(UPDATE_ERROR_ACTIVATE);
    }
    reset();
    return true;
}

bool UpdateClass::end(bool evenIfRemaining)
{
    uint8_t digest[UPD_MD5_SIZE];
    struct upd_md5 md5;

    if (hasError() || _size == 0) {
        return false;
    }
    if (!isFinished() && !evenIfRemaining) {
        return fail(UPDATE_ERROR_ABORT);
    }
    if (evenIfRemaining) {
        if (_buffered > 0 && !flush()) {
            return false;
        }
        _size = _progress;
    }
    md5 = _md5;
    upd_md5_final(&md5, digest);
    updMd5Hex(digest, _calculated);
    if (_expected[0] != '\0' && strcmp(_expected, _calculated) != 0) {
        return fail(UPDATE_ERROR_MD5);
    }
    return activate();
}

bool UpdateClass::setMD5(const char *expected)
{
    if (strlen(expected) != updMd5Text - 1) {
        return false;
    }
    for (uint32_t i = 0; i < updMd5Text; i++) {
        const char c = expected[i];
        _expected[i] = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
    return true;
}

bool UpdateClass::canRollBack() const
{
    const esp_partition_t *const other = esp_ota_get_next_update_partition(nullptr);
    uint8_t magic = 0;

    return _size == 0 && other != nullptr &&
           esp_partition_read(other, 0, &magic, sizeof magic) == ESP_OK && magic == imageMagic;
}

bool UpdateClass::rollBack()
{
    return canRollBack() &&
           esp_ota_set_boot_partition(esp_ota_get_next_update_partition(nullptr)) == ESP_OK;
}

const char *UpdateClass::errorString() const
{
    static const char *const texts[] = {
        "No Error",
        "Flash Write Failed",
        "Flash Erase Failed",
        "Flash Read Failed",
        "Not Enough Space",
        "Bad Size Given",
        "Stream Read Timeout",
        "MD5 Check Failed",
        "Wrong Magic Byte",
        "Could Not Activate The Firmware",
        "Partition Could Not be Found",
        "Bad Argument",
        "Aborted",
        "Decryption error",
        "Signature Verification Failed",
    };

    return _error < sizeof texts / sizeof texts[0] ? texts[_error] : "UNKNOWN";
}
