/*
 * What the two cores' HTTP updaters have in common: settings, the request and its redirects, the
 * content as a stream. What differs stands in ESP8266httpUpdate.h and HTTPUpdate.h.
 */
#ifndef UPDRAFT_ARDUINO_HTTP_UPDATE_H
#define UPDRAFT_ARDUINO_HTTP_UPDATE_H

#include <Arduino.h>
#include <Client.h>
#include <HTTPClient.h>

#include "upd_arduino.h"
#include "upd_callback.h"

#define HTTP_UE_TOO_LESS_SPACE (-100)
#define HTTP_UE_SERVER_NOT_REPORT_SIZE (-101)
#define HTTP_UE_SERVER_FILE_NOT_FOUND (-102)
#define HTTP_UE_SERVER_FORBIDDEN (-103)
#define HTTP_UE_SERVER_WRONG_HTTP_CODE (-104)
#define HTTP_UE_SERVER_FAULTY_MD5 (-105)
#define HTTP_UE_BIN_VERIFY_HEADER_FAILED (-106)
#define HTTP_UE_BIN_FOR_WRONG_FLASH (-107)

#define HTTPC_ERROR_CONNECTION_FAILED (-1)
#define HTTPC_ERROR_SEND_HEADER_FAILED (-2)
#define HTTPC_ERROR_SEND_PAYLOAD_FAILED (-3)
#define HTTPC_ERROR_NOT_CONNECTED (-4)
#define HTTPC_ERROR_CONNECTION_LOST (-5)
#define HTTPC_ERROR_NO_STREAM (-6)
#define HTTPC_ERROR_NO_HTTP_SERVER (-7)
#define HTTPC_ERROR_TOO_LESS_RAM (-8)
#define HTTPC_ERROR_ENCODING (-9)
#define HTTPC_ERROR_STREAM_WRITE (-10)
#define HTTPC_ERROR_READ_TIMEOUT (-11)

enum HTTPUpdateResult { HTTP_UPDATE_FAILED, HTTP_UPDATE_NO_UPDATES, HTTP_UPDATE_OK };
typedef HTTPUpdateResult t_httpUpdate_return;

enum followRedirects_t {
    HTTPC_DISABLE_FOLLOW_REDIRECTS,
    HTTPC_STRICT_FOLLOW_REDIRECTS,
    HTTPC_FORCE_FOLLOW_REDIRECTS
};

/** The text of a client's error, -1 to -11; "" for others. */
String updHttpErrorToString(int error);

class UpdHttpUpdate
{
  public:
    using HTTPUpdateStartCB = UpdCallback<void()>;
    using HTTPUpdateEndCB = UpdCallback<void()>;
    using HTTPUpdateErrorCB = UpdCallback<void(int)>;
    using HTTPUpdateProgressCB = UpdCallback<void(int, int)>;
    using HTTPUpdateRequestCB = UpdCallback<void(HTTPClient *)>;

    void rebootOnUpdate(bool reboot)
    {
        _reboots = reboot;
    }
    void setFollowRedirects(followRedirects_t follow)
    {
        _follow = follow;
    }
    void setLedPin(int pin = -1, uint8_t level = HIGH)
    {
        _ledPin = pin;
        _ledOn = level;
    }
    void setMD5sum(const String &md5)
    {
        _md5 = md5;
    }
    void setAuthorization(const String &user, const String &password);
    /** `base64` of "user:password" */
    void setAuthorization(const String &base64)
    {
        _authorization = base64;
    }
    /** Of each wait, in milliseconds. */
    void setClientTimeout(int timeout)
    {
        _timeout = timeout;
    }
    void onStart(HTTPUpdateStartCB callback)
    {
        _onStart = callback;
    }
    void onEnd(HTTPUpdateEndCB callback)
    {
        _onEnd = callback;
    }
    void onError(HTTPUpdateErrorCB callback)
    {
        _onError = callback;
    }
    void onProgress(HTTPUpdateProgressCB callback)
    {
        _onProgress = callback;
    }
    int getLastError() const
    {
        return _lastError;
    }

  protected:
    explicit UpdHttpUpdate(uint32_t timeout_ms) : _timeout(static_cast<int>(timeout_ms))
    {
    }
    ~UpdHttpUpdate() = default;

    /** Write line `index` of the request; `moved` after a redirect. @return false: there is none */
    virtual bool line(uint32_t index, struct upd_text *text, bool moved) = 0;
    /** Hear a field of the answer. */
    virtual void heard(const char *name, const char *value);

    /** Ask, and follow redirects as far as they are allowed. @return the status, or an error */
    int ask(Client &client, const String &url);
    /** Bytes of content; 0: not stated, or not to be trusted. */
    uint32_t contentLength() const;
    /** Look at the first bytes of the content. @return how many there are of `size` */
    uint32_t peekContent(uint8_t *bytes, uint32_t size);
    void hangUp();

    t_httpUpdate_return failed(int error);
    /** The sketch's own fields, behind the updater's; for the next update alone. */
    void askWith(const HTTPClient &http);

    /** The content of the answer. */
    class Content : public Stream
    {
      public:
        using Stream::write;
        explicit Content(struct upd_exchange &exchange) : _exchange(exchange)
        {
        }
        int available() override;
        int read() override;
        int peek() override;
        size_t write(uint8_t) override
        {
            return 0;
        }
        size_t readBytes(uint8_t *data, size_t size) override;

      private:
        struct upd_exchange &_exchange;
    };

    struct upd_exchange _exchange = {};
    bool _reboots = true;
    followRedirects_t _follow = HTTPC_DISABLE_FOLLOW_REDIRECTS;
    int _ledPin = -1;
    uint8_t _ledOn = HIGH;
    String _md5;
    String _serverMd5;
    String _authorization;
    String _version; /* of the sketch that runs */
    const char *_mode = "sketch";
    int _timeout;
    int _lastError = 0;
    HTTPUpdateStartCB _onStart;
    HTTPUpdateEndCB _onEnd;
    HTTPUpdateErrorCB _onError;
    HTTPUpdateProgressCB _onProgress;

  private:
    static bool writeLine(void *ctx, uint32_t index, struct upd_text *line);
    static void hear(void *ctx, const char *name, const char *value);
    bool takeCredentials(String &url);

    String _fields;            /* the sketch's own; "": none */
    uint32_t _fieldsIndex = 0; /* of the line that they are */
    bool _moved = false;       /* a redirect was followed */
    bool _moves = false;       /* this answer leads to another place */
};

/* Of the request; each is one line, or a part of it. */
void updAddMac(struct upd_text *text, const uint8_t mac[6]);
void updAddString(struct upd_text *text, const String &string);

#endif
