/*
 * HTTP updates of the Arduino core for the ESP32: names, values, what goes over the wire and what
 * comes of it. What it stands on: upd_arduino.h, which also lists the differences.
 */
#ifndef ESP32HTTPUPDATE_H
#define ESP32HTTPUPDATE_H

#include <upd_http_update.h>

#include "Update.h"

#define HTTP_UE_NO_PARTITION (-108)

class HTTPUpdate : public UpdHttpUpdate
{
  public:
    HTTPUpdate() : UpdHttpUpdate(8000)
    {
    }
    explicit HTTPUpdate(int timeout) : UpdHttpUpdate(static_cast<uint32_t>(timeout))
    {
    }

    /** As ESP8266HTTPUpdate has it. `request` is called before the request goes: addHeader(). */
    t_httpUpdate_return update(Client &client, const String &url, const String &version = "",
                               HTTPUpdateRequestCB request = nullptr);
    t_httpUpdate_return update(Client &client, const String &host, uint16_t port,
                               const String &uri = "/", const String &version = "",
                               HTTPUpdateRequestCB request = nullptr);
    t_httpUpdate_return update(HTTPClient &http, const String &version = "",
                               HTTPUpdateRequestCB request = nullptr);
    /** The partition of the file system; does not restart. */
    t_httpUpdate_return updateSpiffs(Client &client, const String &url, const String &version = "",
                                     HTTPUpdateRequestCB request = nullptr);
    t_httpUpdate_return updateSpiffs(HTTPClient &http, const String &version = "",
                                     HTTPUpdateRequestCB request = nullptr);
    String getLastErrorString() const;

  private:
    bool line(uint32_t index, struct upd_text *text, bool moved) override;
    t_httpUpdate_return run(HTTPClient &http, const String &version, bool is_fs,
                            HTTPUpdateRequestCB request);
    t_httpUpdate_return run(Client &client, const String &url, const String &version, bool is_fs);
    t_httpUpdate_return install(uint32_t size, bool is_fs);
};

extern HTTPUpdate httpUpdate;

#endif
