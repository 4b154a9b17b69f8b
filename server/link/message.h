/*
 * updraftd: what devices say on the link, as values. Pure: no socket, no fleet.
 */
#ifndef UPDRAFT_SERVER_LINK_MESSAGE_H
#define UPDRAFT_SERVER_LINK_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

/*
 * X(NAME, path, method): what a device may ask for; "*" is one segment, method NULL is any. A path
 * is the same with and without its last slash.
 */
#define LINK_TOPICS(X)                                                                             \
    X(ACTIVATE, "/v1/device/activate", NULL)                                                       \
    X(IDENTIFY, "/v1/device/identify", NULL)                                                       \
    X(PING, "/v1/ping", NULL)                                                                      \
    X(SAYING, "/v1/messages", "POST")                                                              \
    X(TIMERS, "/v1/device/timers", NULL)                                                           \
    X(DATAPOINT, "/v1/datastreams/*/datapoint", NULL)                                              \
    X(DATAPOINTS, "/v1/datastreams/*/datapoints", NULL)

enum link_topic {
#define X(name, path, method) LINK_##name,
    LINK_TOPICS(X)
#undef X
        LINK_ANSWER, /* of the device to an rpc of ours */
    LINK_UNKNOWN,    /* a path that we do not serve */
};

/** All texts live as long as `json`; those that were not told are NULL. */
struct link_message {
    json_t *json;
    enum link_topic topic;
    const char *path;
    const char *method;
    const char *key;    /* what follows the word `token` in meta.Authorization */
    const char *action; /* get.action */
    const json_t *get;
    const json_t *body;
    int64_t nonce;  /* -1: none */
    int64_t status; /* LINK_ANSWER: what the device says; else 0 */
};

/** A fault of a message: `why` NULL is none. Texts are constants without words that a device
 *  looks for. */
struct link_fault {
    const char *why;
    const char *field; /* NULL: the whole */
};

/**
 * Read one line.
 *
 * @return true   *message is filled; link_message_free() it
 * @return false  *fault says why; *message holds nothing, but the nonce when there was one
 */
bool link_message_read(const char *line, size_t size, struct link_message *message,
                       struct link_fault *fault);
void link_message_free(struct link_message *message);

/** A text member of an object; NULL when `object` is NULL or has no such text. */
const char *link_text(const json_t *object, const char *name);

/** The text after the word `token`, in any case, and blanks; NULL when that is not how it begins.
 */
const char *link_key_of(const char *authorization);

#endif
