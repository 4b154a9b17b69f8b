/*
 * The cores' HTTPClient, as far as updates take one: where to, with which credentials, and what else is in
 * the request. It asks nothing by itself; the updater does, with updraft's own HTTP.
 */
#ifndef HTTPCLIENT_H
#define HTTPCLIENT_H

#include <Arduino.h>
#include <Client.h>

class HTTPClient
{
  public:
    /** @return false: no URL of http or https */
    bool begin(Client &client, const String &url);
    bool begin(Client &client, const String &host, uint16_t port, const String &uri = "/");
    /** As the originals', without effect for Connection, Host, User-Agent and Authorization. */
    void addHeader(const String &name, const String &value);
    void setAuthorization(const String &user, const String &password);
    /** `base64` of "user:password" */
    void setAuthorization(const String &base64)
    {
        _authorization = base64;
    }
    void end()
    {
        _client = nullptr;
    }

    /* For the updater. */
    Client *client() const
    {
        return _client;
    }
    const String &url() const
    {
        return _url;
    }
    const String &authorization() const
    {
        return _authorization;
    }
    /** Lines, CR LF between them. */
    const String &headers() const
    {
        return _headers;
    }

  private:
    Client *_client = nullptr;
    String _url;
    String _authorization;
    String _headers;
};

#endif
