#include "Updater.h"

#include <cstring>

static constexpr uint32_t sector = 4096;
static constexpr uint32_t wordSize = 4;
static constexpr uint32_t hashed = 128; /* bytes at a time */
static constexpr uint8_t imageMagic = 0xE9;
static constexpr uint8_t gzipMagic[] = {0x1F, 0x8B};

UpdaterClass Update;

uint32_t updMagicFlashSize(uint8_t value)
{
    static const uint32_t kibibytes[16] = {512, 256, 1024, 2048, 4096, 0, 0, 0, 8192, 16384};

    return kibibytes[value >> 4] * 1024;
}

static uint32_t wholeSectors(uint32_t size)
{
    return (size + sector - 1) & ~(sector - 1);
}

static bool readFlash(uint32_t offset, void *data, uint32_t size)
{
    const struct upd_flash *flash = updArduino.flash;

    return upd_flash_contains(flash, offset, size) &&
           flash->read(flash->ctx, offset, data, size) == UPD_OK;
}

/* The size that the running image was built for. */
static uint32_t sketchFlashSize()
{
    uint8_t head[4] = {};

    return readFlash(0, head, sizeof head) ? updMagicFlashSize(head[3]) : 0;
}

bool UpdaterClass::fail(uint8_t error)
{
    _error = error;
    _onError(error);
    reset();
    return false;
}

void UpdaterClass::reset()
{
    if (_ledPin != -1) {
        digitalWrite(_ledPin, _ledOn == HIGH ? LOW : HIGH);
    }
    _buffered = 0;
    _size = _start = _current = 0;
    _command = U_FLASH;
}

/* --- begin() ---------------------------------------------------------------------------------- */

bool UpdaterClass::place(uint32_t size, int command)
{
    const uint32_t need = wholeSectors(size);
    const uint32_t used = wholeSectors(updArduino.sketch_size);
    const uint32_t below = updArduino.fs_start > need ? updArduino.fs_start - need : 0;

    switch (command) {
    case U_FS:
        if (size > updArduino.fs_end || updArduino.fs_start + need > updArduino.fs_end) {
            return fail(UPDATE_ERROR_SPACE);
        }
        if (!updArduino.atomic_fs) {
            _start = updArduino.fs_start;
            return true;
        }
        break;
    case U_FLASH:
        break;
    default:
        return fail(UPDATE_ERROR_UNKNOWN_COMMAND);
    }
    if (size > updArduino.fs_start || below < used) {
        return fail(UPDATE_ERROR_SPACE);
    }
    _start = below;
    return true;
}

bool UpdaterClass::begin(size_t size, int command, int ledPin, uint8_t ledOn)
{
    if (_size > 0) {
        return fail(UPDATE_ERROR_RUNNING_ALREADY);
    }
    _ledPin = ledPin;
    _ledOn = ledOn;
    if (updArduino.boot_mode == 1) {
        return fail(UPDATE_ERROR_BOOTSTRAP);
    }
    if (size == 0) {
        return fail(UPDATE_ERROR_SIZE);
    }
    if (updArduino.flash_size < sketchFlashSize()) {
        return fail(UPDATE_ERROR_FLASH_CONFIG);
    }
    reset();
    clearError();
    _expected[0] = _calculated[0] = '\0';
    upd_md5_init(&_md5);
    /* What no 32-bit address reaches has no room either. */
    if (!place(size < UINT32_MAX - sector ? static_cast<uint32_t>(size) : UINT32_MAX - sector,
               command)) {
        return false;
    }
    if (updArduino.buffer == nullptr) {
        return fail(UPDATE_ERROR_OOM);
    }
    _current = _start;
    _size = static_cast<uint32_t>(size);
    _command = command;
    _onStart();
    return true;
}

bool UpdaterClass::installSignature(UpdaterHashClass *hash, UpdaterVerifyClass *verify)
{
    if (_size > 0) {
        return fail(UPDATE_ERROR_RUNNING_ALREADY);
    }
    _hash = hash;
    _verify = verify;
    return true;
}

/* --- Bytes ------------------------------------------------------------------------------------ */

/* The bytes that were collected, into flash. */
bool UpdaterClass::flush()
{
    const struct upd_flash *flash = updArduino.flash;
    uint8_t *const buffer = updArduino.buffer;
    uint8_t mode = 0;
    bool patches = false;

    if (!_async) {
        yield();
    }
    if (_current % sector == 0 && flash->erase(flash->ctx, _current) != UPD_OK) {
        return fail(UPDATE_ERROR_ERASE);
    }
    upd_md5_update(&_md5, buffer, _buffered); /* of the bytes as they came */
    /* The chip's own flash mode is kept: that is how it is wired. */
    if (_current == _start && _command == U_FLASH && buffer[0] == imageMagic) {
        uint8_t head[4] = {};
        if (!readFlash(0, head, sizeof head)) {
            return fail(UPDATE_ERROR_READ);
        }
        patches = _buffered > 2 && buffer[2] != head[2];
        mode = buffer[2];
        buffer[2] = patches ? head[2] : mode;
    }
    uint32_t whole = _buffered;
    while (whole % flash->write_size != 0) {
        buffer[whole++] = 0xFF; /* a buffer's size is a multiple of that */
    }
    const bool done = flash->write(flash->ctx, _current, buffer, whole) == UPD_OK;
    if (patches) {
        buffer[2] = mode;
    }
    if (!done) {
        return fail(UPDATE_ERROR_WRITE);
    }
    _current += _buffered;
    _buffered = 0;
    return true;
}

size_t UpdaterClass::write(const uint8_t *data, size_t len)
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
        const size_t room = updArduino.buffer_size - _buffered;
        const size_t now = left < room ? left : room;
        memcpy(updArduino.buffer + _buffered, data + (len - left), now);
        _buffered += static_cast<uint32_t>(now);
        /* A full buffer waits for the byte behind it, or for being the last. */
        if ((_buffered == remaining() || (now < left && _buffered == updArduino.buffer_size)) &&
            !flush()) {
            return len - left;
        }
        left -= now;
    }
    return len;
}

bool UpdaterClass::verifyHeader(int first)
{
    if (_command == U_FLASH && first != imageMagic && first != gzipMagic[0]) {
        return fail(UPDATE_ERROR_MAGIC_BYTE);
    }
    return true;
}

size_t UpdaterClass::writeStream(Stream &data, uint32_t timeout)
{
    size_t written = 0;
    uint32_t since = millis();

    if (hasError() || !isRunning() || !verifyHeader(data.peek())) {
        return 0;
    }
    _onProgress(0, _size);
    if (_ledPin != -1) {
        pinMode(_ledPin, OUTPUT);
    }
    while (remaining() > 0) {
        if (_ledPin != -1) {
            digitalWrite(_ledPin, _ledOn);
        }
        const size_t room = updArduino.buffer_size - _buffered;
        const size_t left = remaining() - _buffered;
        const size_t got = data.readBytes(updArduino.buffer + _buffered, room < left ? room : left);
        if (got == 0) {
            if (millis() - since > timeout) {
                fail(UPDATE_ERROR_STREAM);
                return written;
            }
            delay(100);
            continue;
        }
        since = millis();
        if (_ledPin != -1) {
            digitalWrite(_ledPin, _ledOn == HIGH ? LOW : HIGH);
        }
        _buffered += static_cast<uint32_t>(got);
        if ((_buffered == remaining() || _buffered == updArduino.buffer_size) && !flush()) {
            return written;
        }
        written += got;
        _onProgress(progress(), _size);
        if (!_async) {
            yield();
        }
    }
    return written;
}

/* --- end() ------------------------------------------------------------------------------------ */

/* image | signature | its length, 4 bytes. What is behind the image is not copied by eboot. */
bool UpdaterClass::verifySignature()
{
    uint8_t word[wordSize] = {};
    uint8_t piece[hashed];
    const uint32_t length = _verify->length();

    if (_size < wordSize || !readFlash(_start + _size - wordSize, word, wordSize) ||
        (word[0] | static_cast<uint32_t>(word[1]) << 8 | static_cast<uint32_t>(word[2]) << 16 |
         static_cast<uint32_t>(word[3]) << 24) != length ||
        length > updArduino.buffer_size || _size - wordSize < length) {
        return fail(UPDATE_ERROR_SIGN);
    }
    const uint32_t size = _size - wordSize - length;
    _hash->begin();
    for (uint32_t at = 0; at < size; at += hashed) {
        const uint32_t now = size - at < hashed ? size - at : hashed;
        if (!readFlash(_start + at, piece, now)) {
            return fail(UPDATE_ERROR_SIGN);
        }
        _hash->add(piece, now);
    }
    _hash->end();
    if (!readFlash(_start + size, updArduino.buffer, length) ||
        !_verify->verify(_hash, updArduino.buffer, length)) {
        return fail(UPDATE_ERROR_SIGN);
    }
    _size = size;
    return true;
}

bool UpdaterClass::verifyDigest()
{
    uint8_t digest[UPD_MD5_SIZE];
    struct upd_md5 md5 = _md5;

    upd_md5_final(&md5, digest);
    updMd5Hex(digest, _calculated);
    return _expected[0] == '\0' || strcmp(_expected, _calculated) == 0 || fail(UPDATE_ERROR_MD5);
}

bool UpdaterClass::verifyImage()
{
    uint8_t head[4] = {};

    if (_command != U_FLASH) {
        return true;
    }
    if (!readFlash(_start, head, sizeof head)) {
        return fail(UPDATE_ERROR_READ);
    }
    if (head[0] == gzipMagic[0] && head[1] == gzipMagic[1]) {
        return true;
    }
    if (head[0] != imageMagic) {
        return fail(UPDATE_ERROR_MAGIC_BYTE);
    }
    return updArduino.finds_size || updMagicFlashSize(head[3]) <= updArduino.flash_size ||
           fail(UPDATE_ERROR_NEW_FLASH_CONFIG);
}

bool UpdaterClass::end(bool evenIfRemaining)
{
    if (_size == 0) {
        return false;
    }
    if (progress() == 0 && (!evenIfRemaining || _buffered == 0)) {
        return fail(UPDATE_ERROR_NO_DATA);
    }
    if (!isFinished() && !evenIfRemaining) {
        reset();
        return false;
    }
    if (evenIfRemaining) {
        if (_buffered > 0 && !flush()) {
            return false;
        }
        _size = static_cast<uint32_t>(progress());
    }
    if (!(_verify != nullptr ? verifySignature() : verifyDigest()) || !verifyImage()) {
        return false;
    }
    if (_command == U_FLASH || updArduino.atomic_fs) {
        uint8_t block[UPD_EBOOT_COMMAND_SIZE];
        const struct upd_eboot_command copy = {
            UPD_EBOOT_COPY, _start, _command == U_FLASH ? 0 : updArduino.fs_start, _size};
        upd_eboot_build(&copy, block);
        updArduino.rtc_write(updArduino.ctx, block);
    }
    _onEnd();
    reset();
    return true;
}

/* --- The rest --------------------------------------------------------------------------------- */

bool UpdaterClass::setMD5(const char *expected)
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

String UpdaterClass::md5String() const
{
    return _calculated;
}

UpdaterClass &UpdaterClass::onStart(THandlerFunction fn)
{
    _onStart = fn;
    return *this;
}

UpdaterClass &UpdaterClass::onEnd(THandlerFunction fn)
{
    _onEnd = fn;
    return *this;
}

UpdaterClass &UpdaterClass::onError(THandlerFunction_Error fn)
{
    _onError = fn;
    return *this;
}

UpdaterClass &UpdaterClass::onProgress(THandlerFunction_Progress fn)
{
    _onProgress = fn;
    return *this;
}

String UpdaterClass::getErrorString() const
{
    String text;

    switch (_error) {
    case UPDATE_ERROR_OK:
        return "No Error";
    case UPDATE_ERROR_WRITE:
        return "Flash Write Failed";
    case UPDATE_ERROR_ERASE:
        return "Flash Erase Failed";
    case UPDATE_ERROR_READ:
        return "Flash Read Failed";
    case UPDATE_ERROR_SPACE:
        return "Not Enough Space";
    case UPDATE_ERROR_SIZE:
        return "Bad Size Given";
    case UPDATE_ERROR_STREAM:
        return "Stream Read Timeout";
    case UPDATE_ERROR_MD5:
        text = "MD5 verification failed: expected: ";
        text += _expected;
        text += ", calculated: ";
        text += _calculated;
        return text;
    case UPDATE_ERROR_FLASH_CONFIG:
        text = "Flash config wrong: real: ";
        text += String(static_cast<unsigned long>(updArduino.flash_size));
        text += ", SDK: ";
        text += String(static_cast<unsigned long>(sketchFlashSize()));
        return text;
    case UPDATE_ERROR_NEW_FLASH_CONFIG:
        text = "new Flash config wrong, real size: ";
        text += String(static_cast<unsigned long>(updArduino.flash_size));
        return text;
    case UPDATE_ERROR_MAGIC_BYTE:
        return "Magic byte is not 0xE9";
    case UPDATE_ERROR_BOOTSTRAP:
        return "Invalid bootstrapping state, reset ESP8266 before updating";
    case UPDATE_ERROR_SIGN:
        return "Signature verification failed";
    case UPDATE_ERROR_NO_DATA:
        return "No data supplied";
    case UPDATE_ERROR_OOM:
        return "Out of memory";
    case UPDATE_ERROR_RUNNING_ALREADY:
        return "Update already running";
    case UPDATE_ERROR_UNKNOWN_COMMAND:
        return "Unknown update command";
    default:
        return "UNKNOWN";
    }
}

void UpdaterClass::printError(Print &out) const
{
    out.print("ERROR[");
    out.print(static_cast<int>(_error));
    out.print("]: ");
    out.println(getErrorString());
}
