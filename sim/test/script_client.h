/*
 * A Client of Arduino in memory, and at its other end a server that follows a script: one answer for
 * each connection. What came to it is kept. Time goes on by delay() alone.
 */
#ifndef SIM_SCRIPT_CLIENT_H
#define SIM_SCRIPT_CLIENT_H

#include <cstring>

#include <Client.h>

#include "check_cpp.h"

struct ScriptAnswer {
    const char *head;    /* nullptr: the connection does not come about */
    const uint8_t *body; /* behind it */
    size_t size;
    bool hangs; /* the connection stays open when all was sent */
};

class ScriptClient : public Client
{
  public:
    using Print::write;

    void follow(const ScriptAnswer *answers, size_t count)
    {
        _answers = answers;
        _count = count;
        connections = 0;
        requestSize = 0;
        stop();
    }
    int connect(const char *host, uint16_t port) override
    {
        stop();
        CHECK(connections < _count && strlen(host) < sizeof lastHost);
        strcpy(lastHost, host);
        lastPort = port;
        const ScriptAnswer *const answer = &_answers[connections++];
        if (answer->head == nullptr) {
            return 0;
        }
        _answer = answer;
        requestSize = 0;
        request[0] = '\0';
        return 1;
    }
    size_t write(uint8_t value) override
    {
        return write(&value, 1);
    }
    size_t write(const uint8_t *data, size_t size) override
    {
        if (_answer == nullptr) {
            return 0;
        }
        CHECK(requestSize + size < sizeof request);
        memcpy(request + requestSize, data, size);
        requestSize += size;
        request[requestSize] = '\0';
        return size;
    }
    int available() override
    {
        return static_cast<int>(total() - _at);
    }
    int read() override
    {
        uint8_t value = 0;

        return read(&value, 1) == 1 ? value : -1;
    }
    int read(uint8_t *data, size_t size) override
    {
        size_t done = 0;

        while (done < size && _at < total()) {
            const size_t head = strlen(_answer->head);
            data[done++] =
                _at < head ? static_cast<uint8_t>(_answer->head[_at]) : _answer->body[_at - head];
            _at++;
        }
        return static_cast<int>(done);
    }
    int peek() override
    {
        return -1;
    }
    void stop() override
    {
        _answer = nullptr;
        _at = 0;
    }
    uint8_t connected() override
    {
        return _answer != nullptr && (_at < total() || !asked() || _answer->hangs);
    }
    operator bool() override
    {
        return connected() != 0;
    }

    size_t connections = 0;
    char lastHost[64] = "";
    uint16_t lastPort = 0;
    char request[2048] = "";
    size_t requestSize = 0;

  private:
    bool asked() const
    {
        return requestSize >= 4 && strcmp(request + requestSize - 4, "\r\n\r\n") == 0;
    }
    size_t total() const
    {
        return _answer != nullptr && asked() ? strlen(_answer->head) + _answer->size : 0;
    }

    const ScriptAnswer *_answers = nullptr;
    size_t _count = 0;
    const ScriptAnswer *_answer = nullptr;
    size_t _at = 0;
};

#endif
