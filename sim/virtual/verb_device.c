/*
 * updraft-sim device: one virtual device over a flash image in a file, which holds all that the
 * device has: the program may be killed at any moment, and goes on from there.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <updraft/json.h>
#include <updraft/sim_device.h>
#include <updraft/sim_net.h>

#include "options.h"
#include "qemu.h"

enum { EXIT_DEAD = 3, URL_SIZE = 512, BAR = 20 };

struct values {
    const char *flash, *as, *image, *server, *protocol, *product, *product_key, *device_key,
        *serial, *mac, *link, *link_tls, *token, *ca_file, *consent, *until, *qemu;
    uint32_t every, cut, seconds, off_ms;
    bool json;
};

#define TEXT_ROW(name, field, argument, help)                                                      \
    {                                                                                              \
        name, OPTION_TEXT, offsetof(struct values, field), argument, help, 0, 0                    \
    }
#define NUMBER_ROW(name, field, argument, help, least, most)                                       \
    {                                                                                              \
        name, OPTION_NUMBER, offsetof(struct values, field), argument, help, least, most           \
    }
static const struct option_row rows[] = {
    TEXT_ROW("--flash", flash, "FILE", "the whole flash; made when there is none"),
    TEXT_ROW("--as", as, "KIND", "nonos, rtos, idf or arduino"),
    TEXT_ROW("--image", image, "FILE", "firmware for a flash that is made (user1 for nonos)"),
    TEXT_ROW("--server", server, "URL", "http://HOST:PORT or https://HOST:PORT"),
    TEXT_ROW("--protocol", protocol, "NAME",
             "espressif, arduino, otadrive or plain (as the kind's stock firmware)"),
    TEXT_ROW("--product", product, "NAME", "plain: id, name or key of the product"),
    TEXT_ROW("--product-key", product_key, "KEY", "arduino, otadrive, plain"),
    TEXT_ROW("--device-key", device_key, "KEY", "espressif: 40 digits"),
    TEXT_ROW("--serial", serial, "TEXT", "of the device (sim-1)"),
    TEXT_ROW("--mac", mac, "MAC", "(5c:cf:7f:00:00:01)"),
    TEXT_ROW("--link", link, "HOST:PORT", "espressif: the device link"),
    TEXT_ROW("--link-tls", link_tls, "HOST:PORT", "the same with TLS"),
    TEXT_ROW("--token", token, "TOKEN", "espressif: to activate with"),
    TEXT_ROW("--ca-file", ca_file, "FILE",
             "PEM, whom to trust with TLS; 'curl URL/ca.crt' has the server's own"),
    TEXT_ROW("--consent", consent, "WHAT",
             "ask on standard input before: download, restart, both (none)"),
    NUMBER_ROW("--every", every, "SECONDS", "between two checks (60)", 1, 100000000),
    NUMBER_ROW("--cut", cut, "N", "power fails in the N-th flash operation from the start", 1,
               UINT32_MAX),
    NUMBER_ROW("--off", off_ms, "MS", "after a cut, until power comes back (500)", 0, 3600000),
    NUMBER_ROW("--seconds", seconds, "N", "end after so long, with status 1", 1, 100000000),
    TEXT_ROW("--until", until, "EVENT", "end after it: current, confirmed, fell, failed, ..."),
    TEXT_ROW("--qemu", qemu, "ROM",
             "emulate the chip with this stand-in for its ROM (build/lx106/sim/rom/rom.elf)"),
    {"--json", OPTION_FLAG, offsetof(struct values, json), NULL, "events as JSON, one a line", 0,
     0},
    {NULL, OPTION_FLAG, 0, NULL, NULL, 0, 0},
};

static const char usage[] =
    "usage: updraft-sim device --as KIND --flash FILE --server URL [OPTION...]\n"
    "\n"
    "A device with updraft's library and boot loader. Keys: y yes, n no, c check now, p pulls the\n"
    "plug for a moment, q ends. Exit status 3: nothing starts any more.\n"
    "With --qemu the flash itself runs, loader and firmware, on an emulated lx106; its connections\n"
    "lead to --server and --link, its console is shown, and --until is a text on it.\n"
    "\n";

struct host {
    struct values values;
    struct sim_device device;
    struct sim_net net, link;
    char url[URL_SIZE];
    char link_host[128];
    char memo_path[4096];
    uint32_t percent; /* shown */
    bool done, has_bar;
    uint64_t began_ms;
};

static volatile sig_atomic_t stopped;

static void stop(int signal)
{
    (void)signal;
    stopped = 1;
}

static uint64_t clock_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* --- What is shown ------------------------------------------------------------------------------- */

static void end_bar(struct host *host)
{
    if (host->has_bar) {
        fputc('\n', stdout);
        host->has_bar = false;
    }
}

static void say_json(struct host *host, const char *event)
{
    const struct sim_device *device = &host->device;
    const struct upd_agent *agent = &device->agent;
    char line[1024];
    struct upd_json json = upd_json_on(line, sizeof line);

    upd_json_open(&json, NULL, '{');
    upd_json_number(&json, "schema", 1);
    upd_json_string(&json, "event", event);
    upd_json_number(&json, "ms", (int64_t)(clock_ms() - host->began_ms));
    upd_json_string(&json, "version", device->version);
    upd_json_number(&json, "slot", device->view.running);
    upd_json_string(&json, "state", upd_agent_state_name(agent->state));
    upd_json_number(&json, "percent", upd_agent_percent(agent));
    if (agent->asking.version[0] != '\0') {
        upd_json_bytes(&json, "offered", agent->asking.version, sizeof agent->asking.version);
    }
    if (strcmp(event, "failed") == 0) {
        upd_json_string(&json, "trouble", upd_trouble_name(agent->trouble));
    }
    if (strcmp(event, "fell") == 0) {
        upd_json_string(&json, "fall", agent->asking.report_why);
    }
    upd_json_close(&json, '}');
    puts(line);
    fflush(stdout);
}

static void say(struct host *host, const char *event, const char *text, const char *more)
{
    if (host->values.json) {
        say_json(host, event);
        return;
    }
    end_bar(host);
    printf("%7.2f s  %s%s\n", (double)(clock_ms() - host->began_ms) / 1000, text, more);
    fflush(stdout);
}

static void show_progress(struct host *host)
{
    const struct upd_agent *agent = &host->device.agent;
    const uint32_t percent = upd_agent_percent(agent);
    char bar[BAR + 1];

    if (host->device.state != SIM_DEVICE_RUNS || agent->state != UPD_AGENT_DOWNLOADS ||
        percent == host->percent) {
        return;
    }
    host->percent = percent;
    if (host->values.json) {
        if (percent % 10 == 0) {
            say_json(host, "progress");
        }
    } else if (isatty(STDOUT_FILENO)) {
        for (uint32_t i = 0; i < BAR; i++) {
            bar[i] = i < percent * BAR / 100 ? '#' : '.';
        }
        bar[BAR] = '\0';
        printf("\r           [%s] %3u %%", bar, (unsigned)percent);
        fflush(stdout);
        host->has_bar = true;
    }
}

static void hear(struct sim_device *device, enum upd_agent_event event)
{
    struct host *host = device->config.ctx;
    const struct upd_agent *agent = &device->agent;
    const char *more = "";
    static const char *const texts[] = {
        [UPD_AGENT_ON_CHECK] = "asks the server",
        [UPD_AGENT_ON_CURRENT] = "nothing newer",
        [UPD_AGENT_ON_OFFER] = "a new version is there: ",
        [UPD_AGENT_ON_DOWNLOAD] = "downloads",
        [UPD_AGENT_ON_DOWNLOADED] = "has all of it",
        [UPD_AGENT_ON_VERIFIED] = "the flash holds it, verified",
        [UPD_AGENT_ON_RESTART] = "restarts",
        [UPD_AGENT_ON_TRIAL] = "is on trial",
        [UPD_AGENT_ON_CONFIRMED] = "reached its server, and confirms itself",
        [UPD_AGENT_ON_FELL] = "is back, because the new version was given up: ",
        [UPD_AGENT_ON_FAILED] = "failed: ",
        [UPD_AGENT_ON_DECLINED] = "not this one",
    };

    if (event == UPD_AGENT_ON_OFFER) {
        more = agent->asking.version[0] != '\0' ? agent->asking.version : "without a name";
    } else if (event == UPD_AGENT_ON_FELL) {
        more = upd_fall_text(agent->view.fall);
    } else if (event == UPD_AGENT_ON_FAILED) {
        more = upd_trouble_text(agent->trouble);
    }
    say(host, upd_agent_event_name(event), texts[event], more);
    host->done = host->done || (host->values.until != NULL &&
                                strcmp(host->values.until, upd_agent_event_name(event)) == 0);
}

static void started(struct sim_device *device)
{
    struct host *host = device->config.ctx;
    char text[128];

    snprintf(text, sizeof text, "%s starts at 0x%06x: version ", sim_kind_name(device->config.kind),
             (unsigned)device->boot.address);
    say(host, "start", text, device->version);
}

/* --- The memo, beside the flash image ------------------------------------------------------------ */

static bool load_memo(const struct host *host, uint8_t *memo)
{
    const int fd = open(host->memo_path, O_RDONLY | O_CLOEXEC);
    const bool whole = fd >= 0 && read(fd, memo, UPD_MEMO_SIZE) == (ssize_t)UPD_MEMO_SIZE;

    if (fd >= 0) {
        close(fd);
    }
    return whole;
}

static void save_memo(const struct host *host)
{
    if (!host->device.has_memo) {
        return;
    }
    const int fd = open(host->memo_path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);

    if (fd < 0 || pwrite(fd, host->device.memo, UPD_MEMO_SIZE, 0) != (ssize_t)UPD_MEMO_SIZE) {
        fail("device", "%s: %s", host->memo_path, strerror(errno));
    }
    close(fd);
}

/* --- The command line ---------------------------------------------------------------------------- */

static const struct upd_protocol *find_protocol(const char *name, enum sim_kind kind)
{
    static const struct upd_protocol *const all[] = {&upd_protocol_espressif, &upd_protocol_arduino,
                                                     &upd_protocol_otadrive, &upd_protocol_plain};

    if (name == NULL) {
        return kind == SIM_KIND_NONOS     ? &upd_protocol_espressif
               : kind == SIM_KIND_ARDUINO ? &upd_protocol_arduino
                                          : &upd_protocol_plain;
    }
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (strcmp(name, all[i]->name) == 0) {
            return all[i];
        }
    }
    misuse("device", "--protocol: there is no protocol '%s'", name);
}

static void make_url(struct host *host, const struct upd_protocol *protocol)
{
    const struct values *values = &host->values;
    const char *product = values->product != NULL ? values->product : values->product_key;
    int length;

    if (protocol == &upd_protocol_arduino || protocol == &upd_protocol_otadrive) {
        if (values->product_key == NULL) {
            misuse("device", "--product-key is needed for this protocol");
        }
    } else if (protocol == &upd_protocol_plain && product == NULL) {
        misuse("device", "--product or --product-key is needed for this protocol");
    } else if (protocol == &upd_protocol_espressif &&
               (values->device_key == NULL || (values->link == NULL && values->link_tls == NULL))) {
        misuse("device", "--device-key and --link or --link-tls are needed for this protocol");
    }
    if (protocol == &upd_protocol_arduino) {
        length = snprintf(host->url, sizeof host->url, "%s/update/%s", values->server,
                          values->product_key);
    } else if (protocol == &upd_protocol_plain) {
        length = snprintf(host->url, sizeof host->url, "%s/%s/app.bin", values->server, product);
    } else {
        length = snprintf(host->url, sizeof host->url, "%s", values->server);
    }
    if (length < 0 || (size_t)length >= sizeof host->url) {
        misuse("device", "the URL is too long");
    }
}

static void make_link(struct host *host, struct sim_device_config *config)
{
    const struct values *values = &host->values;
    const char *text = values->link_tls != NULL ? values->link_tls : values->link;
    const char *colon = text == NULL ? NULL : strrchr(text, ':');

    if (text == NULL) {
        return;
    }
    const unsigned long port = colon != NULL ? strtoul(colon + 1, NULL, 10) : 0;
    if (port < 1 || port > 65535 || (size_t)(colon - text) >= sizeof host->link_host) {
        misuse("device", "--link: HOST:PORT, not '%s'", text);
    }
    snprintf(host->link_host, sizeof host->link_host, "%.*s", (int)(colon - text), text);
    config->link_transport = &host->link.transport;
    config->link_host = host->link_host;
    config->link_port = (uint16_t)port;
    config->link_tls = values->link_tls != NULL;
    config->token = values->token;
}

static uint8_t read_consent(const char *text)
{
    static const char *const names[] = {"none", "download", "restart", "both"};

    for (uint8_t i = 0; i < 4; i++) {
        if (text == NULL || strcmp(text, names[i]) == 0) {
            return i;
        }
    }
    misuse("device", "--consent: none, download, restart or both, not '%s'", text);
}

static struct sim_image read_image(const char *path)
{
    struct sim_image image = {NULL, 0};
    struct stat about;
    FILE *file = fopen(path, "rb");

    if (file == NULL || fstat(fileno(file), &about) != 0) {
        fail("device", "%s: %s", path, strerror(errno));
    }
    if (!S_ISREG(about.st_mode) || about.st_size == 0 || about.st_size > 0x200000) {
        fail("device", "%s: an image has 1 byte to 2 MiB", path);
    }
    image.size = (uint32_t)about.st_size;
    image.data = malloc(image.size);
    if (image.data == NULL || fread(image.data, 1, image.size, file) != image.size) {
        fail("device", "%s: it cannot be read", path);
    }
    fclose(file);
    return image;
}

/* --- */

static void read_keys(struct host *host)
{
    char key;

    if (read(STDIN_FILENO, &key, 1) != 1) {
        return;
    }
    switch (key) {
    case 'y':
        upd_agent_allow(&host->device.agent);
        break;
    case 'n':
        upd_agent_decline(&host->device.agent);
        break;
    case 'c':
        upd_agent_check(&host->device.agent);
        break;
    case 'p':
        sim_device_power_off(&host->device);
        break;
    case 'q':
        host->done = true;
        break;
    default:
        break;
    }
}

static short events_of(const struct sim_net *net)
{
    return sim_net_fd(net) >= 0 ? sim_net_events(net) : 0;
}

static void wait_for_news(struct host *host, uint32_t wait_ms, bool *has_keys)
{
    struct pollfd fds[3] = {
        {.fd = sim_net_fd(&host->net), .events = events_of(&host->net)},
        {.fd = sim_net_fd(&host->link), .events = events_of(&host->link)},
        {.fd = *has_keys ? STDIN_FILENO : -1, .events = POLLIN},
    };
    const uint32_t most = 500;

    if (poll(fds, 3, (int)(wait_ms < most ? wait_ms : most)) > 0 && fds[2].revents != 0) {
        if ((fds[2].revents & POLLIN) != 0) {
            read_keys(host);
        } else {
            *has_keys = false;
        }
    }
}

static int run(struct host *host)
{
    const struct values *values = &host->values;
    struct sim_device *device = &host->device;
    bool has_keys = true;
    uint64_t off_since = 0;

    while (!host->done && stopped == 0) {
        const uint64_t now = clock_ms();
        if (values->seconds != 0 && now - host->began_ms >= (uint64_t)values->seconds * 1000) {
            say(host, "timeout", "time is over", "");
            return EXIT_FAILURE;
        }
        uint32_t wait = sim_device_poll(device, (uint32_t)now);
        save_memo(host);
        show_progress(host);
        if (device->state == SIM_DEVICE_DEAD) {
            say(host, "dead", "nothing starts any more: ", device->boot.why);
            return EXIT_DEAD;
        }
        if (device->state == SIM_DEVICE_OFF) {
            if (off_since == 0) {
                off_since = now;
                say(host, "off", "power is off", "");
            } else if (now - off_since >= values->off_ms) {
                off_since = 0;
                say(host, "on", "power is back", "");
                sim_device_power_on(device, (uint32_t)now);
            }
            wait = 20;
        }
        if (!host->done && wait > 0) {
            wait_for_news(host, wait, &has_keys);
        }
    }
    return host->done && stopped == 0 ? EXIT_SUCCESS : 130;
}

/* The server's address without what a chip has no use for. */
static int emulate(const struct values *values)
{
    const char *peer = values->server;

    if (strncmp(peer, "http://", 7) == 0) {
        peer += 7;
    }
    if (strchr(peer, '/') != NULL || strchr(peer, ':') == NULL) {
        misuse("device", "--server: http://HOST:PORT, for an emulated chip");
    }
    const struct qemu_options options = {.rom = values->qemu,
                                         .flash = values->flash,
                                         .peer = peer,
                                         .link = values->link,
                                         .until = values->until,
                                         .seconds = values->seconds};
    signal(SIGINT, stop);
    signal(SIGTERM, stop);
    return qemu_run(&options, &stopped);
}

int verb_device(int argc, char **argv)
{
    static struct host host;
    struct sim_net_trust *trust = NULL;
    struct sim_image image = {NULL, 0};
    struct stat about;
    enum sim_kind kind;
    const char *why = NULL;
    uint8_t memo[UPD_MEMO_SIZE];

    host.values =
        (struct values){.every = 60, .off_ms = 500, .serial = "sim-1", .mac = "5C:CF:7F:00:00:01"};
    options_read("device", usage, rows, &host.values, argc, argv);
    const struct values *values = &host.values;
    if (values->flash == NULL || values->as == NULL || values->server == NULL) {
        misuse("device", "--as, --flash and --server are needed");
    }
    if (!sim_kind_find(values->as, &kind)) {
        misuse("device", "--as: there is no kind '%s'", values->as);
    }
    if (values->qemu != NULL) {
        return emulate(values);
    }
    const bool fresh = stat(values->flash, &about) != 0;
    if (fresh && values->image == NULL) {
        misuse("device", "there is no flash image %s: --image is needed to make one",
               values->flash);
    }
    if (fresh) {
        image = read_image(values->image);
    }
    if (strncmp(values->server, "https:", 6) == 0 || values->link_tls != NULL) {
        if (values->ca_file == NULL) {
            misuse("device", "--ca-file is needed for TLS");
        }
        trust = sim_net_trust_new(values->ca_file, &why);
        if (trust == NULL) {
            fail("device", "%s: %s", values->ca_file, why);
        }
    }
    sim_net_open(&host.net, trust);
    sim_net_open(&host.link, trust);
    const struct upd_protocol *protocol = find_protocol(values->protocol, kind);
    make_url(&host, protocol);
    snprintf(host.memo_path, sizeof host.memo_path, "%s.memo", values->flash);
    struct sim_device_config config = {
        .kind = kind,
        .file = values->flash,
        .image = fresh ? &image : NULL,
        .protocol = protocol,
        .url = host.url,
        .identity = {.chip = kind == SIM_KIND_IDF ? UPD_CHIP_ESP32 : UPD_CHIP_ESP8266,
                     .serial = values->serial,
                     .product_key = values->product_key,
                     .device_key = values->device_key,
                     .mac = values->mac,
                     .sdk = "updraft-sim"},
        .transport = &host.net.transport,
        .every_s = values->every,
        .consent = read_consent(values->consent),
        .seed = clock_ms(),
        .event = hear,
        .started = started,
        .ctx = &host,
    };
    if (protocol == &upd_protocol_espressif) {
        make_link(&host, &config);
    }
    signal(SIGINT, stop);
    signal(SIGTERM, stop);
    host.began_ms = clock_ms();
    const bool has_memo = !fresh && load_memo(&host, memo);
    const enum upd_err err =
        sim_device_make(&host.device, &config, has_memo ? memo : NULL, (uint32_t)clock_ms());
    if (err != UPD_OK) {
        fail("device", "%s: %s", values->flash,
             err == UPD_E_SPACE ? "it is no flash of this kind of device: its size is another one"
                                : strerror(errno));
    }
    if (values->cut != 0) {
        sim_flash_cut_at(&host.device.flash, values->cut - 1, SIM_TEAR_ANY);
    }
    const int status = run(&host);
    end_bar(&host);
    save_memo(&host);
    sim_device_free(&host.device);
    sim_net_close(&host.net);
    sim_net_close(&host.link);
    sim_net_trust_free(trust);
    free(image.data);
    return status;
}
