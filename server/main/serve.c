/* updraftd serve: everything put together, and taken apart again when a signal says so. */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "api/api.h"
#include "api/openapi.h"
#include "compat/compat.h"
#include "compat/espressif.h"
#include "fleet/report.h"
#include "http/exchange.h"
#include "http/server.h"
#include "http/tls.h"
#include "main/log.h"
#include "main/verbs.h"
#include "web/web.h"

enum { HOUSEKEEPING_S = 60, PATH_SIZE = 4096, PROBLEM_SIZE = PATH_SIZE + 512 };

/* What each of the allocator's arenas keeps when it is free, and asks for at once. */
enum { FREE_KEPT = 2 * 1024 * 1024, TAKEN_AT_ONCE = 512 * 1024 };

struct service {
    const struct config *config;
    int lock;
    struct http_tls *tls;
    struct fleet *fleet;
    struct compat *compat;
    struct espressif *espressif;
    struct api *api;
    struct http_server *http;
    json_t *addresses;
    time_t started;
    bool fresh;                /* the data directory had no database */
    char simulator[PATH_SIZE]; /* updraft-sim; empty: there is none */
};

/* --- The server's own routes ------------------------------------------------------------------ */

static void answer_health(struct http_exchange *x)
{
    http_answer_static(x, 200, "text/plain; charset=utf-8", "ok\n", 3);
}

/* One sample of the text format of Prometheus. */
static const char *metric(struct http_exchange *x, const char *text, const char *name,
                          const char *kind, const char *help, uint64_t value)
{
    return http_printf(x, "%s# HELP updraft_%s %s\n# TYPE updraft_%s %s\nupdraft_%s %llu\n", text,
                       name, help, name, kind, name, (unsigned long long)value);
}

static void answer_metrics(struct http_exchange *x)
{
    static const char *const groups[] = {"none", "1xx", "2xx", "3xx", "4xx", "5xx"};
    struct service *service = http_context(x);
    struct http_stats stats;
    char text_start[] = "";
    const char *text = text_start;

    http_server_stats(service->http, &stats);
    text = http_printf(x, "# HELP updraft_http_requests_total Requests by status.\n"
                          "# TYPE updraft_http_requests_total counter\n");
    for (size_t i = 0; i < 6; i++) {
        text = http_printf(x, "%supdraft_http_requests_total{status=\"%s\"} %llu\n", text,
                           groups[i], (unsigned long long)stats.requests[i]);
    }
    text = metric(x, text, "http_connections", "gauge", "Connections that are open.",
                  stats.connections);
    text = metric(x, text, "http_connections_accepted_total", "counter", "Connections so far.",
                  stats.accepted);
    text = metric(x, text, "http_connections_refused_total", "counter",
                  "Connections that ended before a request.", stats.refused);
    text = metric(x, text, "http_connections_slow_total", "counter",
                  "Connections that were cut because they were too slow.", stats.timed_out);
    text = metric(x, text, "http_exchanges", "gauge", "Requests that are being served.",
                  stats.exchanges);
    text = metric(x, text, "http_event_streams", "gauge", "Event streams that are open.",
                  stats.streams);
    text = metric(x, text, "http_received_bytes_total", "counter",
                  "Bytes of bodies that were received.", stats.body_received);
    text = metric(x, text, "start_time_seconds", "gauge", "When the server was started.",
                  (uint64_t)service->started);
    text = metric(x, text, "certificate_expires_seconds", "gauge", "When the certificate ends.",
                  (uint64_t)http_tls_expires(service->tls));
    http_answer(x, 200, "text/plain; version=0.0.4; charset=utf-8", text, strlen(text));
}

/* Numbers about the server are nobody's business from outside without a name. */
static void answer_metrics_guarded(struct http_exchange *x)
{
    if (!http_peer(x)->loopback && http_principal(x)->who == NULL) {
        http_answer_not_found(x);
        return;
    }
    answer_metrics(x);
}

/* What clients of the server's own certificate have to trust. */
static void answer_authority(struct http_exchange *x)
{
    struct service *service = http_context(x);
    const char *path = http_printf(x, "%s/tls/ca.crt", service->config->data);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;

    if (fd < 0 || fstat(fd, &status) != 0) {
        if (fd >= 0) {
            close(fd);
        }
        http_answer_not_found(x);
        return;
    }
    struct http_file file = {.fd = fd,
                             .size = (uint64_t)status.st_size,
                             .type = "application/x-pem-file",
                             .filename = "updraft-ca.crt"};
    http_answer_file(x, &file);
}

static const struct http_route own_routes[] = {
    {HTTP_GET, "/healthz", HTTP_DEVICE, HTTP_INLINE, 0, answer_health, NULL, NULL},
    {HTTP_GET, "/metrics", HTTP_PUBLIC, 0, 0, answer_metrics_guarded, NULL, NULL},
    {HTTP_GET, "/ca.crt", HTTP_PUBLIC, 0, 0, answer_authority, NULL, NULL},
};

/* --- Around the server ------------------------------------------------------------------------ */

/* Tell systemd, when it is there (sd_notify(3)): a datagram, for which no library is needed. */
static void notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = {.sun_family = AF_UNIX};

    if (path == NULL || strlen(path) >= sizeof to.sun_path || (path[0] != '/' && path[0] != '@')) {
        return;
    }
    strcpy(to.sun_path, path);
    if (path[0] == '@') {
        to.sun_path[0] = 0;
    }
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0) {
        socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
        sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&to, size);
        close(fd);
    }
}

static void log_http(const char *line)
{
    log_say(LOG_LEVEL_WARNING, "%s", line);
}

/* Queries hold the keys of products and devices: they are left out. */
static void log_request(void *ctx, const struct http_logged *request)
{
    json_t *more = json_pack("{s:s, s:s?, s:s, s:i, s:I, s:I, s:b}", "peer", request->peer, "user",
                             request->user, "method", request->method, "status",
                             (int)request->status, "duration_us", (json_int_t)request->duration_us,
                             "size", (json_int_t)request->size, "tls", (int)request->tls);

    (void)ctx;
    log_with(LOG_LEVEL_INFO, more, "%s %s %.*s %u %llu us", request->peer, request->method,
             (int)strcspn(request->target, "?"), request->target, request->status,
             (unsigned long long)request->duration_us);
}

/* As many connections as the system allows: each is a file descriptor. */
static void raise_limits(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static json_t *link_ports(const struct service *service, bool tls)
{
    json_t *ports = json_array();
    uint16_t port;

    for (size_t i = 0; (port = espressif_port(service->espressif, tls, i)) != 0; i++) {
        json_array_append_new(ports, json_integer(port));
    }
    return ports;
}

static bool write_ports(struct service *service, char *problem, size_t size)
{
    char path[PATH_SIZE], fresh[PATH_SIZE + 8];
    json_t *ports = json_object();
    json_t *http = json_array();
    uint16_t port;

    for (size_t i = 0; (port = http_server_port(service->http, i)) != 0; i++) {
        json_array_append_new(http, json_integer(port));
    }
    json_object_set(ports, "http", json_array_get(http, 0));
    json_object_set(ports, "https", json_array_get(http, 0));
    json_object_set_new(ports, "listen", http);
    json_object_set_new(ports, "link", json_integer(espressif_port(service->espressif, false, 0)));
    json_object_set_new(ports, "link_tls",
                        json_integer(espressif_port(service->espressif, true, 0)));
    json_object_set_new(ports, "links", link_ports(service, false));
    json_object_set_new(ports, "links_tls", link_ports(service, true));
    json_object_set_new(ports, "pid", json_integer(getpid()));
    snprintf(path, sizeof path, "%s/ports.json", service->config->data);
    snprintf(fresh, sizeof fresh, "%s.new", path);
    bool good = json_dump_file(ports, fresh, JSON_INDENT(2)) == 0 && rename(fresh, path) == 0;
    if (!good) {
        snprintf(problem, size, "%s: %s", path, strerror(errno));
    }
    json_decref(ports);
    return good;
}

static void remove_ports(const struct service *service)
{
    char path[PATH_SIZE];

    snprintf(path, sizeof path, "%s/ports.json", service->config->data);
    unlink(path);
}

/* Two servers on one directory would each believe to be the only writer. */
static bool lock_data(struct service *service, char *problem, size_t size)
{
    char path[PATH_SIZE];

    snprintf(path, sizeof path, "%s/lock", service->config->data);
    service->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (service->lock < 0 || flock(service->lock, LOCK_EX | LOCK_NB) != 0) {
        snprintf(problem, size,
                 errno == EWOULDBLOCK ? "%s: another updraftd runs on this directory" : "%s: %s",
                 path, strerror(errno));
        return false;
    }
    return true;
}

bool prepare_data(const struct config *config, char *problem, size_t size)
{
    char folder[PATH_SIZE];
    enum http_tls_kind kind =
        strcmp(config->key_kind, "ecdsa") == 0 ? HTTP_TLS_ECDSA : HTTP_TLS_RSA;

    if (mkdir(config->data, 0750) != 0 && errno != EEXIST) {
        snprintf(problem, size, "%s: %s", config->data, strerror(errno));
        return false;
    }
    if (config->certificate[0] != 0) {
        return true;
    }
    snprintf(folder, sizeof folder, "%s/tls", config->data);
    return http_tls_make(folder, config->names.item, kind, problem, size);
}

/* --- Start and stop --------------------------------------------------------------------------- */

static void tls_paths(const struct config *config, char certificate[PATH_SIZE], char key[PATH_SIZE])
{
    bool own = config->certificate[0] == 0;

    snprintf(certificate, PATH_SIZE, own ? "%s/tls/server.crt" : "%s",
             own ? config->data : config->certificate);
    snprintf(key, PATH_SIZE, own ? "%s/tls/server.key" : "%s", own ? config->data : config->key);
}

static bool open_tls(struct service *service, char *problem, size_t size)
{
    const struct config *config = service->config;
    char certificate[PATH_SIZE], key[PATH_SIZE];

    tls_paths(config, certificate, key);
    service->tls = http_tls_open(&(struct http_tls_files){certificate, key}, problem, size);
    return service->tls != NULL;
}

static bool open_fleet(struct service *service, char *problem, size_t size)
{
    struct fleet_error error = {0};
    char path[PATH_SIZE];

    snprintf(path, sizeof path, "%s/updraft.db", service->config->data);
    service->fresh = access(path, F_OK) != 0;
    if (fleet_open(service->config->data, &service->fleet, &error) != FLEET_OK) {
        snprintf(problem, size, "%s", error.message);
        return false;
    }
    service->addresses = json_object();
    service->compat = compat_new(service->fleet);
    return true;
}

/* updraft-sim is installed beside this program, or on the path. */
static void find_simulator(struct service *service)
{
    static const char name[] = "updraft-sim";
    char folders[PATH_SIZE], *at = folders;
    ssize_t size = readlink("/proc/self/exe", folders, sizeof folders - 1);
    const char *path = getenv("PATH");

    folders[size > 0 ? size : 0] = 0;
    char *end = strrchr(folders, '/');
    size = end != NULL ? end - folders : 0;
    snprintf(folders + size, sizeof folders - (size_t)size, ":%s", path != NULL ? path : "");
    for (const char *folder; (folder = strsep(&at, ":")) != NULL;) {
        if (folder[0] == '/' &&
            (size_t)snprintf(service->simulator, sizeof service->simulator, "%s/%s", folder, name) <
                sizeof service->simulator &&
            access(service->simulator, X_OK) == 0) {
            return;
        }
    }
    service->simulator[0] = 0;
}

static bool open_link(struct service *service, char *problem, size_t size)
{
    const struct config *config = service->config;
    char certificate[PATH_SIZE], key[PATH_SIZE], why[LINK_WHY_SIZE];
    const struct link_options options = {
        .plain = config->link.item,
        .tls = config->link_tls.item,
        .certificate = certificate,
        .private_key = key,
        .old_tls = config->link_old_tls,
    };

    tls_paths(config, certificate, key);
    service->espressif = espressif_open(service->fleet, &options, why);
    if (service->espressif == NULL) {
        snprintf(problem, size, "%s", why);
        return false;
    }
    find_simulator(service);
    service->api = api_new(
        &(struct api_options){.fleet = service->fleet,
                              .simulator = service->simulator[0] != 0 ? service->simulator : NULL,
                              .addresses = service->addresses,
                              .link = espressif_api_link(service->espressif)});
    return true;
}

static bool open_http(struct service *service, char *problem, size_t size)
{
    const struct config *config = service->config;
    struct http_table tables[3 + API_TABLES + COMPAT_TABLES] = {{HTTP_TABLE(own_routes), service}};
    struct http_guard guard = api_guard(service->api);
    struct http_settings settings = {
        .listen = config->listen.item,
        .tables = tables,
        .table_count = sizeof tables / sizeof tables[0],
        .guard = &guard,
        .tls = service->tls,
        .proxies = config->proxies.item,
        .accel = config->accel[0] != 0 ? config->accel : NULL,
        .threads = (unsigned)config->threads,
        .workers = (unsigned)config->workers,
        .connections = (unsigned)config->connections,
        .head_ms = (uint32_t)config->head_seconds * 1000,
        .idle_ms = (uint32_t)config->idle_seconds * 1000,
        .body_rate = (uint32_t)config->body_rate,
        .log = config->log_requests ? log_request : NULL,
    };

    api_tables(service->api, tables + 1);
    compat_tables(service->compat, tables + 1 + API_TABLES);
    tables[1 + API_TABLES + COMPAT_TABLES] = espressif_table(service->espressif);
    tables[2 + API_TABLES + COMPAT_TABLES] = web_table();
    service->http = http_server_start(&settings, problem, size);
    return service->http != NULL;
}

/* What GET /api/v1/server tells. */
static void fill_addresses(struct service *service)
{
    const char *name =
        service->config->names.item[0] != NULL ? service->config->names.item[0] : "localhost";
    uint16_t port = http_server_port(service->http, 0);
    char fingerprint[65];

    http_tls_fingerprint(service->tls, fingerprint);
    json_object_set_new(service->addresses, "http", json_sprintf("http://%s:%u", name, port));
    json_object_set_new(service->addresses, "https", json_sprintf("https://%s:%u", name, port));
    if (espressif_port(service->espressif, false, 0) != 0) {
        json_object_set_new(
            service->addresses, "link",
            json_sprintf("%s:%u", name, espressif_port(service->espressif, false, 0)));
    }
    json_object_set_new(service->addresses, "fingerprint", json_string(fingerprint));
}

static bool start(struct service *service, char *problem, size_t size)
{
    if (!prepare_data(service->config, problem, size) || !lock_data(service, problem, size) ||
        !open_tls(service, problem, size) || !open_fleet(service, problem, size) ||
        !open_link(service, problem, size) || !open_http(service, problem, size)) {
        return false;
    }
    fill_addresses(service);
    return write_ports(service, problem, size);
}

static void stop(struct service *service)
{
    if (service->http != NULL) {
        remove_ports(service);
        espressif_stop_waiting(service->espressif);
        http_server_stop(service->http, (uint32_t)service->config->stop_seconds * 1000);
    }
    espressif_close(service->espressif);
    if (service->api != NULL) {
        api_free(service->api);
    }
    if (service->fleet != NULL) {
        compat_free(service->compat);
        fleet_close(service->fleet);
    }
    json_decref(service->addresses);
    http_tls_close(service->tls);
    if (service->lock >= 0) {
        close(service->lock);
    }
}

static void say_links(struct service *service, const struct config_list *where, bool tls)
{
    uint16_t port;

    for (size_t i = 0; (port = espressif_port(service->espressif, tls, i)) != 0; i++) {
        printf("listening on %s: port %u, device link%s\n", where->item[i], port,
               tls ? " by TLS" : "");
    }
}

static void say_started(struct service *service)
{
    struct fleet_error error = {0};
    char secret[SECRET_SIZE];
    uint16_t port;

    for (size_t i = 0; (port = http_server_port(service->http, i)) != 0; i++) {
        printf("listening on %s: port %u, HTTP and HTTPS\n", service->config->listen.item[i], port);
    }
    say_links(service, &service->config->link, false);
    say_links(service, &service->config->link_tls, true);
    if (!fleet_needs_setup(service->fleet)) {
        /* Somebody can log in. */
    } else if (!service->fresh) {
        /* The token was told when the directory was made, and is told once. */
        printf(
            "nobody can log in yet: use the token of the first start, or stop and run 'updraftd init'\n");
    } else if (fleet_setup_token(service->fleet, secret, &error) == FLEET_OK) {
        printf("nobody can log in yet: https://%s:%u/#setup=%s\n",
               service->config->names.item[0] != NULL ? service->config->names.item[0]
                                                      : "localhost",
               http_server_port(service->http, 0), secret);
    }
    fflush(stdout);
}

static void reload(struct service *service)
{
    char problem[512];

    notify("RELOADING=1");
    if (http_tls_reload(service->tls, problem, sizeof problem) &&
        espressif_reload(service->espressif, problem)) {
        log_say(LOG_LEVEL_INFO, "the certificate was read again");
    } else {
        log_say(LOG_LEVEL_ERROR, "the certificate stays as it was: %s", problem);
    }
    notify("READY=1");
}

/* Wait for signals; do the housekeeping meanwhile. */
static void run_until_stopped(struct service *service, const sigset_t *signals)
{
    const struct timespec minute = {.tv_sec = HOUSEKEEPING_S};

    for (;;) {
        int number = sigtimedwait(signals, NULL, &minute);

        if (number == SIGHUP) {
            reload(service);
        } else if (number == SIGTERM || number == SIGINT) {
            return;
        } else if (number < 0 && errno == EAGAIN) {
            struct fleet_error error = {0};

            fleet_housekeeping(service->fleet);
            if (report_sample(service->fleet, &error) != FLEET_OK) {
                log_say(LOG_LEVEL_ERROR, "%s", error.message);
            }
        }
    }
}

/* A thread of the sockets takes and frees some 25 KB for each request. With the C library's own 128 KB, a
 * dozen at once make it give memory back to the system and fault it in again all the time: of what a
 * download costs that was a tenth. */
static void keep_memory(void)
{
    (void)mallopt(M_TRIM_THRESHOLD, FREE_KEPT);
    (void)mallopt(M_TOP_PAD, TAKEN_AT_ONCE);
}

enum exit_code run_serve(const struct run *run)
{
    struct service service = {.config = run->config, .lock = -1, .started = time(NULL)};
    char problem[PROBLEM_SIZE];
    sigset_t signals;

    log_open(strcmp(run->config->log, "json") == 0);
    http_log_line = log_http;
    raise_limits();
    keep_memory();
    signal(SIGPIPE, SIG_IGN);
    /* Before any thread is started, so that all of them leave the signals to this one. */
    sigemptyset(&signals);
    sigaddset(&signals, SIGHUP);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    if (!start(&service, problem, sizeof problem)) {
        stop(&service);
        return complain(EXIT_FAILED, "%s", problem);
    }
    say_started(&service);
    log_say(LOG_LEVEL_INFO, "updraftd %s serves %s", UPD_VERSION, run->config->data);
    notify("READY=1");
    run_until_stopped(&service, &signals);
    notify("STOPPING=1");
    log_say(LOG_LEVEL_INFO, "stopping");
    stop(&service);
    log_say(LOG_LEVEL_INFO, "stopped");
    return EXIT_DONE;
}

enum exit_code run_init(const struct run *run)
{
    struct service service = {.config = run->config, .lock = -1};
    struct fleet_error error = {0};
    char problem[PROBLEM_SIZE], fingerprint[65], secret[SECRET_SIZE];
    enum exit_code code = EXIT_DONE;

    if (!prepare_data(run->config, problem, sizeof problem) ||
        !lock_data(&service, problem, sizeof problem) ||
        !open_tls(&service, problem, sizeof problem) ||
        !open_fleet(&service, problem, sizeof problem)) {
        stop(&service);
        return complain(EXIT_FAILED, "%s", problem);
    }
    http_tls_fingerprint(service.tls, fingerprint);
    if (!fleet_needs_setup(service.fleet)) {
        code = complain(EXIT_FAILED, "%s has been set up already; nothing was changed",
                        run->config->data);
    } else if (fleet_setup_token(service.fleet, secret, &error) != FLEET_OK) {
        code = complain(EXIT_FAILED, "%s", error.message);
    } else if (run->json) {
        json_t *object = json_pack("{s:i, s:b, s:s, s:s, s:s}", "schema", 1, "ok", 1, "data",
                                   run->config->data, "token", secret, "fingerprint", fingerprint);
        json_dumpf(object, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
        putchar('\n');
        json_decref(object);
    } else {
        printf("data directory      %s\ncertificate         SHA-256 %s\nadministrator token %s\n",
               run->config->data, fingerprint, secret);
    }
    stop(&service);
    return code;
}

/* --- What there is to ask for ------------------------------------------------------------------ */

enum exit_code run_routes(const struct run *run)
{
    struct http_table tables[API_PARTS + 6] = {{HTTP_TABLE(own_routes), NULL}};
    json_t *rows = json_array(), *row;
    size_t count = 1, index;

    api_parts(tables + count);
    count += API_PARTS;
    tables[count++] = (struct http_table){esphttpupdate_routes, esphttpupdate_count, NULL};
    tables[count++] = (struct http_table){otadrive_routes, otadrive_count, NULL};
    tables[count++] = (struct http_table){plain_routes, plain_count, NULL};
    tables[count++] = (struct http_table){espressif_routes, espressif_route_count, NULL};
    tables[count++] = web_table();
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < tables[i].count; k++) {
            const struct http_route *route = &tables[i].routes[k];
            json_array_append_new(
                rows, json_pack("{s:s, s:s, s:s}", "method", http_method_name(route->method),
                                "path", route->pattern, "for", api_access_word(route->access)));
        }
    }
    if (run->json) {
        json_t *object = json_pack("{s:i, s:b, s:O}", "schema", 1, "ok", 1, "routes", rows);
        json_dumpf(object, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
        putchar('\n');
        json_decref(object);
    } else {
        json_array_foreach(rows, index, row)
        {
            printf("%-7s %-66s %s\n", json_string_value(json_object_get(row, "method")),
                   json_string_value(json_object_get(row, "path")),
                   json_string_value(json_object_get(row, "for")));
        }
    }
    json_decref(rows);
    return EXIT_DONE;
}
