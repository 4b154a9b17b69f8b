/*
 * The updater of the Arduino core for the ESP8266: names, values, order of checks and results, over
 * updraft's flash port. What it stands on: upd_arduino.h, which also lists the differences.
 *
 * A sketch is staged right below the file system; eboot copies it at the next start. Any error ends
 * the update.
 */
#ifndef ESP8266UPDATER_H
#define ESP8266UPDATER_H

#include <Arduino.h>

#include "../upd_arduino.h"
#include "../upd_callback.h"

#define UPDATE_ERROR_OK (0)
#define UPDATE_ERROR_WRITE (1)
#define UPDATE_ERROR_ERASE (2)
#define UPDATE_ERROR_READ (3)
#define UPDATE_ERROR_SPACE (4)
#define UPDATE_ERROR_SIZE (5)
#define UPDATE_ERROR_STREAM (6)
#define UPDATE_ERROR_MD5 (7)
#define UPDATE_ERROR_FLASH_CONFIG (8)
#define UPDATE_ERROR_NEW_FLASH_CONFIG (9)
#define UPDATE_ERROR_MAGIC_BYTE (10)
#define UPDATE_ERROR_BOOTSTRAP (11)
#define UPDATE_ERROR_SIGN (12)
#define UPDATE_ERROR_NO_DATA (13)
#define UPDATE_ERROR_OOM (14)
#define UPDATE_ERROR_RUNNING_ALREADY (15)
#define UPDATE_ERROR_UNKNOWN_COMMAND (16)

#define U_FLASH 0
#define U_FS 100
#define U_SPIFFS U_FS
#define U_AUTH 200

/** SHA-256 for a signature; the cores hand in their own. */
class UpdaterHashClass
{
  public:
    virtual void begin() = 0;
    virtual void add(const void *data, uint32_t len) = 0;
    virtual void end() = 0;
    virtual int len() = 0;
    virtual const void *hash() = 0;
    virtual const unsigned char *oid() = 0;
};

class UpdaterVerifyClass
{
  public:
    /** Bytes of a signature. */
    virtual uint32_t length() = 0;
    virtual bool verify(UpdaterHashClass *hash, const void *signature, uint32_t signatureLen) = 0;
};

class UpdaterClass
{
  public:
    using THandlerFunction_Progress = UpdCallback<void(size_t, size_t)>;
    using THandlerFunction_Error = UpdCallback<void(uint8_t)>;
    using THandlerFunction = UpdCallback<void()>;

    /** @param size  bytes that will come. @return false: getError() tells */
    bool begin(size_t size, int command = U_FLASH, int ledPin = -1, uint8_t ledOn = LOW);
    /** Both must stay valid; nullptr, nullptr: images need no signature. */
    bool installSignature(UpdaterHashClass *hash, UpdaterVerifyClass *verify);
    /** @return bytes taken: all of them, or an error has ended the update */
    size_t write(const uint8_t *data, size_t len);
    /** Takes what is announced from a stream; an error 6 when none comes for `timeout` ms. */
    size_t writeStream(Stream &data, uint32_t timeout = 60000);
    /**
     * Check, and tell eboot. @param evenIfRemaining  bytes that were announced and did not come are
     * no reason to refuse
     */
    bool end(bool evenIfRemaining = false);

    /** After begin(). @return false: not 32 digits */
    bool setMD5(const char *expected);
    String md5String() const;

    void runAsync(bool async)
    {
        _async = async;
    }
    UpdaterClass &onStart(THandlerFunction fn);
    UpdaterClass &onEnd(THandlerFunction fn);
    UpdaterClass &onError(THandlerFunction_Error fn);
    UpdaterClass &onProgress(THandlerFunction_Progress fn);

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
    /** "ERROR[7]: ..." and the end of the line. */
    void printError(Print &out) const;
    String getErrorString() const;

    bool isRunning() const
    {
        return _size > 0;
    }
    bool isFinished() const
    {
        return _current == _start + _size;
    }
    size_t size() const
    {
        return _size;
    }
    size_t progress() const
    {
        return _current - _start;
    }
    size_t remaining() const
    {
        return _size - (_current - _start);
    }

  private:
    bool fail(uint8_t error);
    void reset();
    bool place(uint32_t size, int command);
    bool flush();
    bool verifyHeader(int first);
    bool verifySignature();
    bool verifyDigest();
    bool verifyImage();

    UpdaterHashClass *_hash = nullptr;
    UpdaterVerifyClass *_verify = nullptr;
    bool _async = false;
    uint8_t _error = UPDATE_ERROR_OK;
    int _command = U_FLASH;
    uint32_t _buffered = 0;
    uint32_t _size = 0;
    uint32_t _start = 0; /* flash offset */
    uint32_t _current = 0;
    char _expected[updMd5Text] = "";
    char _calculated[updMd5Text] = "";
    struct upd_md5 _md5 = {};
    int _ledPin = -1;
    uint8_t _ledOn = LOW;
    THandlerFunction _onStart;
    THandlerFunction _onEnd;
    THandlerFunction_Error _onError;
    THandlerFunction_Progress _onProgress;
};

extern UpdaterClass Update;

/** Bytes of flash that the high half of byte 3 of an image means; 0: none that the core knows. */
uint32_t updMagicFlashSize(uint8_t value);

#endif
