/*
 * HTTP updates of the Arduino core for the ESP8266: names, values, what goes over the wire and what
 * comes of it. What it stands on: upd_arduino.h, which also lists the differences.
 */
#ifndef ESP8266HTTPUPDATE_H
#define ESP8266HTTPUPDATE_H

#include <upd_http_update.h>

#include "Updater.h"

#define HTTP_UE_SERVER_UNAUTHORIZED (-108)
#define HTTP_UE_SERVER_NOT_REPORT_VERSION (-109)

class ESP8266HTTPUpdate : public UpdHttpUpdate
{
  public:
    ESP8266HTTPUpdate() : UpdHttpUpdate(8000)
    {
    }
    explicit ESP8266HTTPUpdate(int timeout) : UpdHttpUpdate(static_cast<uint32_t>(timeout))
    {
    }

    /**
     * Ask for another sketch than the one of this version, and install it.
     *
     * @return HTTP_UPDATE_OK          it is staged; not reached where rebootOnUpdate() holds
     * @return HTTP_UPDATE_NO_UPDATES  the server has none
     * @return HTTP_UPDATE_FAILED      getLastError() tells why
     */
    t_httpUpdate_return update(Client &client, const String &url, const String &version = "");
    t_httpUpdate_return update(Client &client, const String &host, uint16_t port,
                               const String &uri = "/", const String &version = "");
    /** Where `http` was told to; its fields go with the request. FAILED: it was told nothing. */
    t_httpUpdate_return update(HTTPClient &http, const String &version = "");
    /** A file system. */
    t_httpUpdate_return updateFS(Client &client, const String &url, const String &version = "");
    t_httpUpdate_return updateFS(HTTPClient &http, const String &version = "");
    t_httpUpdate_return updateSpiffs(Client &client, const String &url, const String &version = "")
    {
        return updateFS(client, url, version);
    }
    t_httpUpdate_return updateSpiffs(HTTPClient &http, const String &version = "")
    {
        return updateFS(http, version);
    }
    /** What the server would send, by its field x-version. @return false: getLastError() */
    bool getAvailableVersion(Client &client, const String &host, uint16_t port, const String &uri,
                             const String &current, String &available);

    /** The old name: strictly, or not at all. */
    void followRedirects(bool follow)
    {
        setFollowRedirects(follow ? HTTPC_STRICT_FOLLOW_REDIRECTS : HTTPC_DISABLE_FOLLOW_REDIRECTS);
    }
    void closeConnectionsOnUpdate(bool close)
    {
        _closes = close;
    }
    String getLastErrorString() const;

  private:
    t_httpUpdate_return run(HTTPClient &http, const String &version, const char *mode);
    bool line(uint32_t index, struct upd_text *text, bool moved) override;
    void heard(const char *name, const char *value) override;
    t_httpUpdate_return run(Client &client, const String &url, const String &version,
                            const char *mode);
    t_httpUpdate_return install(uint32_t size, bool is_fs);

    bool _closes = true;
    String _available;
};

extern ESP8266HTTPUpdate ESPhttpUpdate;

#endif
