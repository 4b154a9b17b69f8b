/*
 * The updater of the Arduino core for the ESP32: names, values, order of checks and results, over
 * esp_ota_ops.h. What it stands on: upd_arduino.h, which also lists the differences.
 *
 * The first 16 bytes of a sketch are written last: half an image never looks like one.
 */
#ifndef ESP32UPDATER_H
#define ESP32UPDATER_H

#include <Arduino.h>

#include "../upd_arduino.h"
#include "../upd_callback.h"
#include "../upd_esp_c.h"

#define UPDATE_ERROR_OK (0)
#define UPDATE_ERROR_WRITE (1)
#define UPDATE_ERROR_ERASE (2)
#define UPDATE_ERROR_READ (3)
#define UPDATE_ERROR_SPACE (4)
#define UPDATE_ERROR_SIZE (5)
#define UPDATE_ERROR_STREAM (6)
#define UPDATE_ERROR_MD5 (7)
#define UPDATE_ERROR_MAGIC_BYTE (8)
#define UPDATE_ERROR_ACTIVATE (9)
#define UPDATE_ERROR_NO_PARTITION (10)
#define UPDATE_ERROR_BAD_ARGUMENT (11)
#define UPDATE_ERROR_ABORT (12)
#define UPDATE_ERROR_DECRYPT (13)
#define UPDATE_ERROR_SIGN (14)

#define UPDATE_SIZE_UNKNOWN 0xFFFFFFFF

#define U_FLASH 0
#define U_SPIFFS 100
#define U_AUTH 200

class UpdateClass
{
  public:
    using THandlerFunction_Progress = UpdCallback<void(size_t, size_t)>;

    /**
     * @param size   bytes that will come; UPDATE_SIZE_UNKNOWN: all that the partition takes
     * @param label  of the partition, for U_SPIFFS; nullptr: the first one
     *
     * @return false: getError() tells; OK when another update runs, or there is no memory
     */
    bool begin(size_t size = UPDATE_SIZE_UNKNOWN, int command = U_FLASH, int ledPin = -1,
               uint8_t ledOn = LOW, const char *label = nullptr);
    /** @return bytes taken: all of them, or an error has ended the update */
    size_t write(const uint8_t *data, size_t len);
    /** Takes what is announced from a stream; an error 6 after 30 s without a byte. */
    size_t writeStream(Stream &data);
    /** Check, and select. @param evenIfRemaining  fewer bytes than announced are enough */
    bool end(bool evenIfRemaining = false);
    void abort();

    /** After begin(). @return false: not 32 digits */
    bool setMD5(const char *expected);
    String md5String() const
    {
        return _calculated;
    }
    UpdateClass &onProgress(THandlerFunction_Progress fn)
    {
        _onProgress = fn;
        return *this;
    }

    /** Is there an image in the other slot that has begun well? */
    bool canRollBack() const;
    bool rollBack();

    uint8_t getError() const
    {
        return _error;
    }
    bool hasError() const
    {
        return _error != UPDATE_ERROR_OK;
    }
    void clearError()
    {
        _error = UPDATE_ERROR_OK;
    }
    const char *errorString() const;
    void printError(Print &out) const
    {
        out.println(errorString());
    }

    bool isRunning() const
    {
        return _size > 0;
    }
    bool isFinished() const
    {
        return _progress == _size;
    }
    size_t size() const
    {
        return _size;
    }
    size_t progress() const
    {
        return _progress;
    }
    size_t remaining() const
    {
        return _size - _progress;
    }

  private:
    static constexpr uint32_t withheld = 16;

    bool fail(uint8_t error);
    void reset();
    bool flush();
    bool activate();

    uint8_t _error = UPDATE_ERROR_OK;
    int _command = U_FLASH;
    const esp_partition_t *_partition = nullptr;
    uint32_t _size = 0;
    uint32_t _progress = 0;
    uint32_t _buffered = 0;
    uint32_t _erased = 0; /* offset behind what was erased */
    uint8_t _first[withheld] = {};
    char _expected[updMd5Text] = "";
    char _calculated[updMd5Text] = "";
    struct upd_md5 _md5 = {};
    int _ledPin = -1;
    uint8_t _ledOn = LOW;
    THandlerFunction_Progress _onProgress;
};

extern UpdateClass Update;

#endif
