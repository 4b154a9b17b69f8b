#include "api.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <curl/curl.h>

#include "display.h"
#include "files.h"
#include "progress.h"

/* No answer of the API is larger; what is, is not our API. */
#define ANSWER_LIMIT (64u << 20)
#define TOKEN_LIMIT 4096
#define CONNECT_SECONDS 15L
/* A server that sends less than a byte a second for so long has gone. */
#define STALL_SECONDS 60L
/* An event stream has a comment every 15 seconds. */
#define RECONNECT_SECONDS 2

struct api {
    struct call *call;
    CURL *curl;
    char *server; /* without a slash at its end */
    char *token;
    char *ca_file;
    char error[CURL_ERROR_SIZE];
};

/* --- What `updraft login` kept --------------------------------------------------------------- */

/* @return allocated; NULL: there is no home, or no memory */
static char *kept_path(bool folder)
{
    const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    char *path = NULL;
    int made = -1;

    if (config != NULL && *config != '\0') {
        made = asprintf(&path, "%s/updraft%s", config, folder ? "" : "/server.json");
    } else if (home != NULL && *home != '\0') {
        made = asprintf(&path, "%s/.config/updraft%s", home, folder ? "" : "/server.json");
    }
    return made < 0 ? NULL : path;
}

static json_t *read_kept(void)
{
    char *path = kept_path(false);
    json_t *kept = path != NULL ? json_load_file(path, 0, NULL) : NULL;

    free(path);
    if (!json_is_object(kept)) {
        json_decref(kept);
        kept = json_object();
    }
    return kept;
}

/* Folders on the way to a path that do not exist are made. */
static bool make_folders(char *path)
{
    for (char *at = strchr(path + 1, '/'); at != NULL; at = strchr(at + 1, '/')) {
        *at = '\0';
        bool made = mkdir(path, 0700) == 0 || errno == EEXIST;
        *at = '/';
        if (!made) {
            return false;
        }
    }
    return mkdir(path, 0700) == 0 || errno == EEXIST;
}

bool api_keep(struct call *call, const struct api *api, const char *token)
{
    char *folder = kept_path(true), *path = kept_path(false);
    json_t *kept =
        json_pack("{s:s, s:s, s:s?}", "server", api->server, "token", token, "ca", api->ca_file);
    char *text = json_dumps(kept, JSON_INDENT(2));
    bool done = false;

    if (folder == NULL || path == NULL || text == NULL) {
        fail(call, EXIT_FAILED, "home",
             "neither XDG_CONFIG_HOME nor HOME says where to keep the token");
    } else if (!make_folders(folder)) {
        fail(call, EXIT_FAILED, "write", "%s: %s", folder, strerror(errno));
    } else {
        mode_t before = umask(077);
        done = output_store(call, path, text, strlen(text));
        umask(before);
    }
    free(folder);
    free(path);
    free(text);
    json_decref(kept);
    return done;
}

/* --- Where the server is, and who asks ---------------------------------------------------------
 */

/* The first of the three that is there, as a copy. */
static char *choose(const char *given, const char *variable, const char *kept)
{
    const char *from = given != NULL ? given : getenv(variable);

    from = from != NULL && *from != '\0' ? from : kept;
    return from != NULL ? strdup(from) : NULL;
}

/* The first line of a file. */
static char *read_token(struct call *call, const char *path)
{
    uint8_t *data = NULL;
    size_t size;

    if (!input_load(call, path, TOKEN_LIMIT, "a token", &data, &size)) {
        return NULL;
    }
    data[strcspn((char *)data, "\r\n")] = '\0';
    if (data[0] == '\0') {
        fail(call, EXIT_FAILED, "token", "%s: its first line is empty, and no token", path);
        free(data);
        return NULL;
    }
    return (char *)data;
}

static bool find_server(struct api *api, const struct server_options *options, json_t *kept)
{
    api->server = choose(options->server, "UPDRAFT_SERVER",
                         json_string_value(json_object_get(kept, "server")));
    if (api->server == NULL) {
        fail(
            api->call, EXIT_USAGE, "usage",
            "which server? Say --server URL, set UPDRAFT_SERVER, or log in once with 'updraft login'");
        return false;
    }
    if (strncmp(api->server, "http://", 7) != 0 && strncmp(api->server, "https://", 8) != 0) {
        fail(api->call, EXIT_USAGE, "usage",
             "%s: a server is http://HOST:PORT or https://HOST:PORT", api->server);
        return false;
    }
    for (size_t end = strlen(api->server); end > 0 && api->server[end - 1] == '/'; end--) {
        api->server[end - 1] = '\0';
    }
    return true;
}

static bool find_token(struct api *api, const struct server_options *options, json_t *kept)
{
    const char *server = json_string_value(json_object_get(kept, "server"));
    /* A token is for the server that gave it, and for no other. */
    bool same = server != NULL && strcmp(server, api->server) == 0;

    const char *file =
        options->token_file != NULL ? options->token_file : getenv("UPDRAFT_TOKEN_FILE");

    api->token = file != NULL
                     ? read_token(api->call, file)
                     : choose(NULL, "UPDRAFT_TOKEN",
                              same ? json_string_value(json_object_get(kept, "token")) : NULL);
    if (api->token == NULL && api->call->code == EXIT_DONE) {
        fail(
            api->call, EXIT_USAGE, "usage",
            "who asks? Say --token-file FILE, set UPDRAFT_TOKEN, or log in to %s with 'updraft login'",
            api->server);
    }
    return api->token != NULL;
}

struct api *api_open(struct call *call, const struct server_options *options, bool anonymous)
{
    struct api *api = calloc(1, sizeof *api);
    json_t *kept = read_kept();
    bool open = false;

    if (api != NULL) {
        api->call = call;
        api->curl = curl_global_init(CURL_GLOBAL_DEFAULT) == 0 ? curl_easy_init() : NULL;
        api->ca_file =
            choose(options->ca_file, "UPDRAFT_CA", json_string_value(json_object_get(kept, "ca")));
    }
    if (api == NULL || api->curl == NULL) {
        fail(call, EXIT_FAILED, "memory", "out of memory");
    } else {
        open = find_server(api, options, kept) && (anonymous || find_token(api, options, kept));
    }
    json_decref(kept);
    if (!open) {
        api_close(api);
        return NULL;
    }
    return api;
}

void api_close(struct api *api)
{
    if (api != NULL) {
        curl_easy_cleanup(api->curl);
        free(api->server);
        free(api->token);
        free(api->ca_file);
        free(api);
    }
}

const char *api_server(const struct api *api)
{
    return api->server;
}

const char *api_token(const struct api *api)
{
    return api->token;
}

void api_use_token(struct api *api, const char *token)
{
    char *copy = strdup(token);

    if (copy != NULL) {
        free(api->token);
        api->token = copy;
    }
}

enum exit_code api_failure(const struct call *call)
{
    return call->code != EXIT_DONE ? call->code : EXIT_FAILED;
}

/* --- Paths ------------------------------------------------------------------------------------ */

char *api_path(const char *format, ...)
{
    va_list list;
    char *path = NULL;
    size_t size;
    FILE *out = open_memstream(&path, &size);

    if (out == NULL) {
        return NULL;
    }
    va_start(list, format);
    for (; *format != '\0'; format++) {
        if (format[0] != '%' || format[1] != 's') {
            fputc(*format, out);
            continue;
        }
        format++;
        for (const char *at = va_arg(list, const char *); *at != '\0'; at++) {
            bool plain =
                strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~", *at) !=
                NULL;
            fprintf(out, plain ? "%c" : "%%%02X", (unsigned char)*at);
        }
    }
    va_end(list);
    if (fclose(out) != 0) {
        free(path);
        return NULL;
    }
    return path;
}

/* --- Requests --------------------------------------------------------------------------------- */

struct answer {
    char *data; /* NUL-terminated */
    size_t size;
    bool too_large;
};

static size_t take(char *data, size_t unit, size_t count, void *ctx)
{
    struct answer *answer = ctx;
    size_t size = unit * count;
    char *longer;

    if (size > ANSWER_LIMIT - answer->size) {
        answer->too_large = true;
        return 0;
    }
    longer = realloc(answer->data, answer->size + size + 1);
    if (longer == NULL) {
        return 0;
    }
    answer->data = longer;
    memcpy(longer + answer->size, data, size);
    answer->size += size;
    longer[answer->size] = '\0';
    return size;
}

/* What every request has. @return its headers, to be freed */
static struct curl_slist *prepare(struct api *api, const char *path, const char *type)
{
    struct curl_slist *headers = curl_slist_append(NULL, "Accept: application/json");
    char *url = NULL, *line = NULL;

    curl_easy_reset(api->curl);
    if (asprintf(&url, "%s/api/v1%s", api->server, path) >= 0) {
        curl_easy_setopt(api->curl, CURLOPT_URL, url);
        free(url);
    }
    if (api->token != NULL && asprintf(&line, "Authorization: Bearer %s", api->token) >= 0) {
        headers = curl_slist_append(headers, line);
        free(line);
    }
    if (type != NULL && asprintf(&line, "Content-Type: %s", type) >= 0) {
        headers = curl_slist_append(headers, line);
        free(line);
    }
    headers = curl_slist_append(headers, "Expect:");
    if (api->ca_file != NULL) {
        curl_easy_setopt(api->curl, CURLOPT_CAINFO, api->ca_file);
    }
    api->error[0] = '\0';
    curl_easy_setopt(api->curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(api->curl, CURLOPT_ERRORBUFFER, api->error);
    curl_easy_setopt(api->curl, CURLOPT_USERAGENT, "updraft/" UPD_VERSION);
    curl_easy_setopt(api->curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(api->curl, CURLOPT_CONNECTTIMEOUT, CONNECT_SECONDS);
    curl_easy_setopt(api->curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(api->curl, CURLOPT_LOW_SPEED_TIME, STALL_SECONDS);
    curl_easy_setopt(api->curl, CURLOPT_NOSIGNAL, 1L);
    return headers;
}

static void fail_network(struct api *api, CURLcode code)
{
    const char *why = api->error[0] != '\0' ? api->error : curl_easy_strerror(code);

    if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE) {
        fail(api->call, EXIT_NETWORK, "certificate",
             "%s: %s. If it is a server of yours, name its authority with --ca-file", api->server,
             why);
    } else {
        fail(api->call, EXIT_NETWORK, "network", "%s: %s", api->server, why);
    }
}

/* The server's own sentence, made fit for a terminal. */
static void fail_refused(struct api *api, long status, const json_t *body)
{
    const json_t *error = json_object_get(body, "error");
    const char *code = json_string_value(json_object_get(error, "code"));
    const char *message = json_string_value(json_object_get(error, "message"));
    json_t *field = json_object_get(error, "field");
    json_t *detail = json_object_get(error, "detail");
    enum exit_code exit = status >= 500 ? EXIT_NETWORK : EXIT_FAILED;
    char shown[1024];

    if (message == NULL) {
        fail(api->call, EXIT_NETWORK, "server", "%s: answered %ld, and not as updraftd does",
             api->server, status);
        return;
    }
    fail(api->call, exit, code != NULL ? code : "refused", "%s",
         display(message, strlen(message), shown, sizeof shown));
    problem_add(api->call, "status", json_integer(status));
    if (field != NULL) {
        problem_add(api->call, "field", json_incref(field));
    }
    if (detail != NULL) {
        problem_add(api->call, "detail", json_incref(detail));
    }
}

/* Run what is prepared. @return true: `answer` is what came with a success; to be freed in any case */
static bool perform_bytes(struct api *api, struct curl_slist *headers, struct answer *answer)
{
    long status = 0;

    curl_easy_setopt(api->curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(api->curl, CURLOPT_WRITEDATA, answer);
    CURLcode code = curl_easy_perform(api->curl);
    progress_clear();
    curl_slist_free_all(headers);
    curl_easy_getinfo(api->curl, CURLINFO_RESPONSE_CODE, &status);
    if (answer->too_large) {
        fail(api->call, EXIT_NETWORK, "server", "%s: the answer is larger than any of updraftd's",
             api->server);
    } else if (code != CURLE_OK) {
        fail_network(api, code);
    } else if (status < 200 || status > 299) {
        json_t *body =
            answer->size > 0 ? json_loads(answer->data, JSON_DECODE_ANY, NULL) : json_null();
        fail_refused(api, status, body);
        json_decref(body);
    } else {
        return true;
    }
    return false;
}

/* @return as api_send() */
static json_t *perform(struct api *api, struct curl_slist *headers)
{
    struct answer answer = {0};
    json_t *body = NULL;

    if (perform_bytes(api, headers, &answer)) {
        body = answer.size > 0 ? json_loads(answer.data, JSON_DECODE_ANY, NULL) : json_null();
        if (body == NULL) {
            fail_refused(api, 200, NULL);
        }
    }
    free(answer.data);
    return body;
}

static bool has_path(struct api *api, const char *path)
{
    if (path == NULL) {
        fail(api->call, EXIT_FAILED, "memory", "out of memory");
    }
    return path != NULL;
}

json_t *api_send(struct api *api, const char *method, char *path, json_t *body)
{
    char *text = body != NULL ? json_dumps(body, JSON_COMPACT) : NULL;
    json_t *answer = NULL;

    json_decref(body);
    if (has_path(api, path)) {
        struct curl_slist *headers = prepare(api, path, text != NULL ? "application/json" : NULL);
        if (text != NULL) {
            curl_easy_setopt(api->curl, CURLOPT_POSTFIELDS, text);
        } else if (strcmp(method, "POST") == 0) {
            curl_easy_setopt(api->curl, CURLOPT_POSTFIELDS, "");
        }
        curl_easy_setopt(api->curl, CURLOPT_CUSTOMREQUEST, method);
        answer = perform(api, headers);
    }
    free(path);
    free(text);
    return answer;
}

bool api_download(struct api *api, char *path, uint8_t **data, size_t *size)
{
    struct answer answer = {0};
    bool done = has_path(api, path) && perform_bytes(api, prepare(api, path, NULL), &answer);

    *data = (uint8_t *)answer.data;
    *size = answer.size;
    free(path);
    return done;
}

struct upload {
    struct input input;
    bool failed;
};

static size_t give(char *data, size_t unit, size_t count, void *ctx)
{
    struct upload *upload = ctx;
    size_t got = 0;

    if (!input_read(&upload->input, data, unit * count, &got)) {
        upload->failed = true;
        return CURL_READFUNC_ABORT;
    }
    progress_show("bytes sent", upload->input.at, upload->input.size);
    return got;
}

json_t *api_upload(struct api *api, const char *method, char *path, const char *file)
{
    struct upload upload = {0};
    json_t *answer = NULL;

    if (has_path(api, path) && input_open(api->call, file, &upload.input)) {
        struct curl_slist *headers = prepare(api, path, "application/octet-stream");
        curl_easy_setopt(api->curl, CURLOPT_POST, 1L);
        curl_easy_setopt(api->curl, CURLOPT_CUSTOMREQUEST, method);
        curl_easy_setopt(api->curl, CURLOPT_READFUNCTION, give);
        curl_easy_setopt(api->curl, CURLOPT_READDATA, &upload);
        if (upload.input.sized) {
            curl_easy_setopt(api->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)upload.input.size);
        }
        /* A file that cannot be read was reported by itself. */
        enum exit_code before = api->call->code;
        answer = perform(api, headers);
        if (upload.failed && before == EXIT_DONE) {
            api->call->code = EXIT_FAILED;
        }
        input_close(&upload.input);
    }
    free(path);
    return answer;
}

/* --- Events ------------------------------------------------------------------------------------
 */

struct stream {
    api_event *event;
    void *ctx;
    char *line; /* being read */
    size_t size;
    char id[64], name[64];
    char *data;
    bool ended; /* by the function */
};

static void take_line(struct stream *stream, char *line)
{
    char *value = strchr(line, ':');

    if (*line == '\0') {
        if (stream->data != NULL) {
            stream->ended = !stream->event(stream->ctx, stream->id, stream->name, stream->data);
        }
        free(stream->data);
        stream->data = NULL;
        stream->name[0] = '\0';
        return;
    }
    if (value == NULL || value == line) { /* a comment */
        return;
    }
    *value++ = '\0';
    value += *value == ' ';
    if (strcmp(line, "id") == 0) {
        snprintf(stream->id, sizeof stream->id, "%s", value);
    } else if (strcmp(line, "event") == 0) {
        snprintf(stream->name, sizeof stream->name, "%s", value);
    } else if (strcmp(line, "data") == 0) {
        free(stream->data);
        stream->data = strdup(value);
    }
}

static size_t take_events(char *data, size_t unit, size_t count, void *ctx)
{
    struct stream *stream = ctx;
    size_t size = unit * count;

    for (size_t i = 0; i < size && !stream->ended; i++) {
        char *longer = realloc(stream->line, stream->size + 2);
        if (longer == NULL || stream->size > ANSWER_LIMIT) {
            return 0;
        }
        stream->line = longer;
        stream->line[stream->size++] = data[i];
        if (data[i] == '\n') {
            stream->line[stream->size - 1] = '\0';
            stream->line[strcspn(stream->line, "\r")] = '\0';
            take_line(stream, stream->line);
            stream->size = 0;
        }
    }
    return stream->ended ? 0 : size;
}

/* @return true to connect again */
static bool follow_once(struct api *api, const char *path, struct stream *stream, bool first)
{
    struct curl_slist *headers = prepare(api, path, NULL);
    char *line = NULL;
    long status = 0;

    headers = curl_slist_append(headers, "Accept: text/event-stream");
    if (stream->id[0] != '\0' && asprintf(&line, "Last-Event-ID: %s", stream->id) >= 0) {
        headers = curl_slist_append(headers, line);
        free(line);
    }
    curl_easy_setopt(api->curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(api->curl, CURLOPT_FAILONERROR, 1L);
    curl_easy_setopt(api->curl, CURLOPT_WRITEFUNCTION, take_events);
    curl_easy_setopt(api->curl, CURLOPT_WRITEDATA, stream);
    CURLcode code = curl_easy_perform(api->curl);
    curl_slist_free_all(headers);
    curl_easy_getinfo(api->curl, CURLINFO_RESPONSE_CODE, &status);
    stream->size = 0;
    if (stream->ended) {
        return false;
    }
    if (code == CURLE_HTTP_RETURNED_ERROR) {
        fail(api->call, status >= 500 ? EXIT_NETWORK : EXIT_FAILED, "refused",
             "%s: refused the event stream (%ld)", api->server, status);
        return false;
    }
    if (first && status == 0) {
        fail_network(api, code);
        return false;
    }
    return true;
}

enum exit_code api_follow(struct api *api, char *path, const char *after, api_event *event,
                          void *ctx)
{
    struct stream stream = {.event = event, .ctx = ctx};
    bool first = true;

    if (after != NULL) {
        snprintf(stream.id, sizeof stream.id, "%s", after);
    }
    while (has_path(api, path) && follow_once(api, path, &stream, first)) {
        first = false;
        sleep(RECONNECT_SECONDS);
    }
    free(path);
    free(stream.line);
    free(stream.data);
    return stream.ended ? EXIT_DONE : api_failure(api->call);
}
