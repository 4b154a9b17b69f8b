/*
 * The tool as a client of updraftd: one request, one JSON answer, failures reported like any other.
 *
 * Where the server is, and who asks, comes from the command line, then UPDRAFT_SERVER,
 * UPDRAFT_TOKEN and UPDRAFT_CA, then from what `updraft login` kept. The API is described by GET
 * /api/v1/openapi.json of any server.
 */
#ifndef UPDRAFT_TOOL_API_H
#define UPDRAFT_TOOL_API_H

#include "command.h"

/** The options of every command that talks to a server; the first member of its struct. */
struct server_options {
    const char *server;     /* http://HOST:PORT or https://HOST:PORT */
    const char *token_file; /* a file with the token in its first line */
    const char *ca_file;    /* who may vouch for the server; NULL: the system's list */
};

#define SERVER_OPTIONS(type, member)                                                               \
    {.name = "server",                                                                             \
     .kind = VALUE_TEXT,                                                                           \
     .value = "URL",                                                                               \
     .at = offsetof(type, member.server),                                                          \
     .help = "the server; else UPDRAFT_SERVER, else that of 'updraft login'"},                     \
        {.name = "token-file",                                                                     \
         .kind = VALUE_INPUT,                                                                      \
         .value = "FILE",                                                                          \
         .at = offsetof(type, member.token_file),                                                  \
         .help = "a file with the token; else UPDRAFT_TOKEN, else that of 'updraft login'"},       \
    {                                                                                              \
        .name = "ca-file", .kind = VALUE_INPUT, .value = "FILE",                                   \
        .at = offsetof(type, member.ca_file),                                                      \
        .help = "certificate of who vouches for the server; else UPDRAFT_CA, else that of "        \
                "'updraft login', else the system's"                                               \
    }

struct api;

/**
 * Prepare to talk to the server. Nothing is sent yet.
 *
 * @param anonymous  no token is needed: it is a log-in
 * @return NULL: reported. Else to be released with api_close()
 */
struct api *api_open(struct call *call, const struct server_options *options, bool anonymous);
void api_close(struct api *api);

/** Where the server is, as messages name it. */
const char *api_server(const struct api *api);

/**
 * Put a path together: each %s is replaced by an argument, as one segment in percent encoding.
 *
 * @return allocated, to be freed; NULL when out of memory
 */
char *api_path(const char *format, ...) __attribute__((format(printf, 1, 2)));

/**
 * Send a request and wait for its answer.
 *
 * @param method  "GET", "POST", "PUT", "PATCH", "DELETE"
 * @param path    below /api/v1, from api_path(); freed here. NULL: out of memory, reported
 * @param body    JSON, taken over; NULL: none
 *
 * @return the answer, a new reference (null when it was empty)
 * @return NULL  reported: EXIT_FAILED with the server's own sentence when it refused, with `field`
 * in the problem when it named one; EXIT_NETWORK when it could not be reached, or failed
 */
json_t *api_send(struct api *api, const char *method, char *path, json_t *body);

/** As api_send() of GET, for an answer that is a file; the caller frees *data, also when false. */
bool api_download(struct api *api, char *path, uint8_t **data, size_t *size);

/** As api_send(), with a file's bytes as the body and a progress line. */
json_t *api_upload(struct api *api, const char *method, char *path, const char *file);

/** Called with each event of a stream; `data` is its JSON. False ends the stream. */
typedef bool api_event(void *ctx, const char *id, const char *name, const char *data);

/**
 * Follow an event stream, until the function ends it or the program is interrupted. A connection
 * that is lost is made again, where it ended.
 *
 * @param after  number of the last event that is known; NULL: from now on
 * @return EXIT_DONE when the function ended it; else reported
 */
enum exit_code api_follow(struct api *api, char *path, const char *after, api_event *event,
                          void *ctx);

/** Keep server, token and certificate authority for later calls, readable to this user alone.
 * False: reported. */
bool api_keep(struct call *call, const struct api *api, const char *token);

/** The exit code of the failure that was reported. */
enum exit_code api_failure(const struct call *call);

/** The token that requests show; NULL: none. */
const char *api_token(const struct api *api);
/** The token that the next requests show, instead of what api_open() found. Copied. */
void api_use_token(struct api *api, const char *token);

#endif
