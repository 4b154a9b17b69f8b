/*
 * updraft-sim fleet: thousands of virtual devices in one process, one thread, with what happens to a
 * fleet: power cuts, bad networks, worn flash, sleepers, liars.
 *
 * A device is polled when its agent wants to be, or when one of its sockets has news.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <updraft/json.h>
#include <updraft/sim_device.h>
#include <updraft/sim_net.h>

#include "options.h"

enum { URL_SIZE = 256, KEY_SIZE = 41, HOST_SIZE = 128, EVENTS = 256, OFF_MS = 300 };

struct values {
    const char *server, *link, *device_keys, *from, *report, *ca_file;
    struct option_list products;
    uint32_t devices, ptype, size, every, arrive, seconds, seed, sleep;
    double cuts, drops, liars, bad_slots, sleepers;
    bool json, until_fallen;
};

#define TEXT_ROW(name, field, argument, help)                                                      \
    {                                                                                              \
        name, OPTION_TEXT, offsetof(struct values, field), argument, help, 0, 0                    \
    }
#define NUMBER_ROW(name, field, argument, help, least, most)                                       \
    {                                                                                              \
        name, OPTION_NUMBER, offsetof(struct values, field), argument, help, least, most           \
    }
#define PERCENT_ROW(name, field, help)                                                             \
    {                                                                                              \
        name, OPTION_PERCENT, offsetof(struct values, field), "PERCENT", help, 0, 0                \
    }
static const struct option_row rows[] = {
    NUMBER_ROW("--devices", devices, "N", "how many (100)", 1, 1000000),
    TEXT_ROW("--server", server, "URL", "http://HOST:PORT or https://HOST:PORT"),
    {"--product", OPTION_LIST, offsetof(struct values, products), "KIND=KEY",
     "nonos, rtos, idf, arduino or otadrive, and the product's key; once for each kind", 0, 0},
    TEXT_ROW("--device-keys", device_keys, "FILE", "nonos: a key of 40 digits for each device"),
    TEXT_ROW("--link", link, "HOST:PORT", "nonos: the device link"),
    TEXT_ROW("--ca-file", ca_file, "FILE", "whom to trust with https"),
    TEXT_ROW("--from", from, "VERSION", "what all run at first (1.0.0)"),
    NUMBER_ROW("--ptype", ptype, "N", "nonos: of the version names (45772)", 1, 999999),
    NUMBER_ROW("--size", size, "BYTES", "of that firmware (16K)", 4096, 1 << 19),
    NUMBER_ROW("--every", every, "SECONDS", "between two checks of a device (10)", 1, 1000000),
    NUMBER_ROW("--arrive", arrive, "SECONDS", "in which they are switched on (2)", 0, 1000000),
    NUMBER_ROW("--seconds", seconds, "N", "end after so long, whatever is left (120)", 1, 1000000),
    PERCENT_ROW("--cuts", cuts, "of the devices lose power within their update"),
    PERCENT_ROW("--drops", drops, "of the devices have a network that breaks"),
    PERCENT_ROW("--liars", liars, "of the devices lie: of their version, or never install"),
    PERCENT_ROW("--bad-slots", bad_slots, "of the devices have worn flash where the update goes"),
    PERCENT_ROW("--sleepers", sleepers, "of the devices have no power between two checks"),
    NUMBER_ROW("--sleep", sleep, "SECONDS", "of sleep of those (3)", 1, 1000000),
    NUMBER_ROW("--seed", seed, "N", "of all that is random (1)", 0, UINT32_MAX),
    TEXT_ROW("--report", report, "FILE", "a line of JSON for each device at the end"),
    {"--until-fallen", OPTION_FLAG, offsetof(struct values, until_fallen), NULL,
     "what has to come of it: all have tried an update, and are back where they were", 0, 0},
    {"--json", OPTION_FLAG, offsetof(struct values, json), NULL, "the table as JSON", 0, 0},
    {NULL, OPTION_FLAG, 0, NULL, NULL, 0, 0},
};

static const char usage[] =
    "usage: updraft-sim fleet --server URL --product KIND=KEY... [OPTION...]\n"
    "\n"
    "Devices of the given kinds, in turn, each with updraft's library. Ends when all that are honest\n"
    "and sound run another version, confirmed; status 1: some do not, 3: some do not start any more.\n"
    "\n";

/* A fleet that is looked at has less time than one on walls: pauses are ten times as short. */
static const struct upd_patience patience = {
    .connect_ms = 15000,
    .answer_ms = 20000,
    .idle_ms = 15000,
    .rate_ms = 10000,
    .rate_bytes = 256,
    .pause_ms = 200,
    .pause_most_ms = 6000,
    .tries = 5,
    .redirects = 5,
};

/* One kind of devices that was asked for. */
struct breed {
    enum sim_kind kind;
    const struct upd_protocol *protocol;
    const char *key; /* of the product */
    char url[URL_SIZE];
    char from[UPD_VERSION_SIZE];
    struct sim_image image;
    struct sim_flash base;
};

/* A socket that the loop waits for. */
struct watch {
    int fd;
    uint32_t connection;
    short events;
};

struct member {
    struct sim_device device;
    struct sim_net net, link;
    struct watch watches[2];
    struct fleet *fleet;
    const struct breed *breed;
    char serial[24], mac[20];
    const char *device_key;
    uint64_t due_ms;
    uint32_t place; /* in the heap */
    uint32_t downloads;
    bool made, lies, is_worn, sleeps, is_cut, drops, settled;
    bool fell; /* an image was given up, ever */
};

struct fleet {
    struct values values;
    struct member *members;
    struct breed breeds[OPTION_LIST_MOST];
    uint32_t breed_count;
    struct member **heap;
    uint32_t heap_count;
    char *keys; /* KEY_SIZE each */
    uint32_t key_count;
    char link_host[HOST_SIZE];
    uint16_t link_port;
    struct sim_net_trust *trust;
    struct sim_random random;
    uint32_t expected; /* honest and sound */
    uint32_t settled;  /* of them */
    uint32_t checks, falls;
    int epoll;
    uint64_t began_ms, settled_ms;
};

static uint64_t clock_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void *take(size_t count, size_t size)
{
    void *memory = calloc(count, size);

    if (memory == NULL) {
        fail("fleet", "out of memory");
    }
    return memory;
}

/* --- Who is due: a heap, the next one on top ------------------------------------------------------ */

static void put_at(struct fleet *fleet, uint32_t place, struct member *member)
{
    fleet->heap[place] = member;
    member->place = place;
}

static void lift(struct fleet *fleet, uint32_t place)
{
    struct member *member = fleet->heap[place];

    while (place > 0 && fleet->heap[(place - 1) / 2]->due_ms > member->due_ms) {
        put_at(fleet, place, fleet->heap[(place - 1) / 2]);
        place = (place - 1) / 2;
    }
    put_at(fleet, place, member);
}

static void sink(struct fleet *fleet, uint32_t place)
{
    struct member *member = fleet->heap[place];

    for (;;) {
        uint32_t child = 2 * place + 1;
        if (child >= fleet->heap_count) {
            break;
        }
        if (child + 1 < fleet->heap_count &&
            fleet->heap[child + 1]->due_ms < fleet->heap[child]->due_ms) {
            child++;
        }
        if (fleet->heap[child]->due_ms >= member->due_ms) {
            break;
        }
        put_at(fleet, place, fleet->heap[child]);
        place = child;
    }
    put_at(fleet, place, member);
}

static void due_at(struct fleet *fleet, struct member *member, uint64_t ms)
{
    member->due_ms = ms;
    lift(fleet, member->place);
    sink(fleet, member->place);
}

/* --- What happens to devices ---------------------------------------------------------------------- */

static bool by_chance(struct fleet *fleet, double percent)
{
    return (double)sim_random_below(&fleet->random, 1000000) < percent * 10000;
}

/* Power goes in one of the operations of the update: erases, pages, metadata. */
static void plan_cut(struct member *member)
{
    const uint32_t size = member->device.agent.fetch.size;
    const uint32_t operations = size / 256 + size / 4096 + 40;

    sim_flash_cut_at(&member->device.flash, sim_random_below(&member->fleet->random, operations),
                     SIM_TEAR_ANY);
}

static void hear(struct sim_device *device, enum upd_agent_event event)
{
    struct member *member = device->config.ctx;
    struct fleet *fleet = member->fleet;

    if (event == UPD_AGENT_ON_CHECK) {
        fleet->checks++;
    } else if (event == UPD_AGENT_ON_DOWNLOAD) {
        member->downloads++;
        if (member->is_cut) {
            member->is_cut = false; /* once */
            plan_cut(member);
        }
    } else if (event == UPD_AGENT_ON_FELL) {
        member->fell = true;
        fleet->falls++;
    }
}

/* Half of the liars say that they run something else; the others never install. */
static void started(struct sim_device *device)
{
    struct member *member = device->config.ctx;

    if (member->lies && device->config.consent == UPD_CONSENT_NONE) {
        snprintf(device->version, sizeof device->version, "9.9.9");
    }
}

/* The update goes where it is not: the first sector of the other slot takes no bit any more. */
static void wear_out(struct member *member)
{
    const struct sim_device *device = &member->device;
    struct sim_fault fault = {.kind = SIM_FAULT_PROGRAM_IGNORED, .count = UINT32_MAX};
    const int8_t target = device->view.target;

    /* Where eboot stages depends on the size of what comes; all of the free room is worn. */
    const bool is_staged = device->device.scheme == &upd_scheme_eboot;
    fault.at = is_staged ? device->device.of.eboot->fs_start - 2 * 4096
                         : device->device.slots[target < 0 ? 0 : target].offset;
    sim_flash_fault(&member->device.flash, &fault);
}

/* --- Making them ---------------------------------------------------------------------------------- */

static void make(struct fleet *fleet, struct member *member, uint64_t now)
{
    const struct values *values = &fleet->values;
    const struct breed *breed = member->breed;
    const struct sim_device_config config = {
        .kind = breed->kind,
        .base = &breed->base,
        .protocol = breed->protocol,
        .url = breed->url,
        .identity = {.chip = breed->kind == SIM_KIND_IDF ? UPD_CHIP_ESP32 : UPD_CHIP_ESP8266,
                     .serial = member->serial,
                     .product_key = breed->key,
                     .device_key = member->device_key,
                     .mac = member->mac,
                     .sdk = "updraft-sim"},
        .patience = &patience,
        .transport = &member->net.transport,
        .every_s = values->every,
        .consent = member->lies && member->serial[strlen(member->serial) - 1] % 2 == 0
                       ? UPD_CONSENT_RESTART
                       : UPD_CONSENT_NONE,
        .link_transport =
            breed->protocol == &upd_protocol_espressif ? &member->link.transport : NULL,
        .link_host = fleet->link_host,
        .link_port = fleet->link_port,
        .token = "0000000000000000000000000000000000000000",
        .seed = sim_random_next(&fleet->random),
        .event = hear,
        .started = started,
        .ctx = member,
    };

    sim_net_open(&member->net, fleet->trust);
    sim_net_open(&member->link, fleet->trust);
    if (member->drops) {
        const struct sim_net_weather weather = {
            .seed = (uint32_t)config.seed, .cut_permille = 400, .cut_most = values->size};
        sim_net_set_weather(&member->net, &weather);
    }
    member->made = true;
    /* In memory nothing can fail. */
    (void)(sim_device_make(&member->device, &config, NULL, (uint32_t)now) == UPD_OK);
    if (member->is_worn) {
        wear_out(member);
    }
}

static void draw_lots(struct fleet *fleet)
{
    const struct values *values = &fleet->values;
    uint32_t next_key = 0;

    fleet->members = take(values->devices, sizeof *fleet->members);
    fleet->heap = take(values->devices, sizeof(struct member *));
    for (uint32_t i = 0; i < values->devices; i++) {
        struct member *member = &fleet->members[i];
        member->fleet = fleet;
        member->breed = &fleet->breeds[i % fleet->breed_count];
        member->watches[0].fd = member->watches[1].fd = -1;
        snprintf(member->serial, sizeof member->serial, "sim-%u", (unsigned)i);
        snprintf(member->mac, sizeof member->mac, "5C:CF:7F:%02X:%02X:%02X", (i >> 16) & 0xFF,
                 (i >> 8) & 0xFF, i & 0xFF);
        if (member->breed->protocol == &upd_protocol_espressif) {
            if (next_key == fleet->key_count) {
                misuse("fleet", "--device-keys: %s has %u keys, which is too few",
                       values->device_keys, (unsigned)fleet->key_count);
            }
            member->device_key = fleet->keys + (size_t)KEY_SIZE * next_key++;
        }
        member->lies = by_chance(fleet, values->liars);
        member->is_worn = !member->lies && by_chance(fleet, values->bad_slots);
        member->is_cut = !member->lies && by_chance(fleet, values->cuts);
        member->drops = by_chance(fleet, values->drops);
        member->sleeps = member->breed->protocol->asks && by_chance(fleet, values->sleepers);
        fleet->expected += !member->lies && !member->is_worn;
        member->due_ms =
            fleet->began_ms + sim_random_below(&fleet->random, values->arrive * 1000 + 1);
        put_at(fleet, fleet->heap_count, member);
        lift(fleet, fleet->heap_count++);
    }
}

/* --- The loop ------------------------------------------------------------------------------------- */

static void watch(struct fleet *fleet, struct member *member, uint32_t which)
{
    const struct sim_net *net = which == 0 ? &member->net : &member->link;
    struct watch *watch = &member->watches[which];
    const int fd = sim_net_fd(net);
    const short events = fd >= 0 ? sim_net_events(net) : 0;
    const bool is_new = watch->fd != fd || watch->connection != net->connections;

    if (fd >= 0 && (is_new || watch->events != events)) {
        struct epoll_event event = {
            .events = (uint32_t)events,
            .data.u64 = 2 * (uint64_t)(member - fleet->members) + which,
        };
        if (epoll_ctl(fleet->epoll, is_new ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &event) != 0 &&
            errno == EEXIST) {
            (void)epoll_ctl(fleet->epoll, EPOLL_CTL_MOD, fd, &event);
        }
    }
    *watch = (struct watch){fd, net->connections, events};
}

/* It runs another version, on its own, and the server has heard so. */
static bool is_settled(const struct member *member)
{
    const struct sim_device *device = &member->device;

    const bool is_new = strcmp(device->version, member->breed->from) != 0;

    return device->state == SIM_DEVICE_RUNS && !device->agent.view.on_trial &&
           device->agent.is_answered && device->agent.asking.report == UPD_REPORT_NOTHING &&
           (member->fleet->values.until_fallen ? member->fell && !is_new : is_new);
}

static void note_settled(struct fleet *fleet, struct member *member)
{
    if (!member->settled && !member->lies && !member->is_worn && is_settled(member)) {
        member->settled = true;
        fleet->settled++;
        fleet->settled_ms = clock_ms();
    }
}

static void poll_member(struct fleet *fleet, struct member *member, uint64_t now)
{
    struct sim_device *device = &member->device;

    if (!member->made) {
        make(fleet, member, now);
    } else if (device->state == SIM_DEVICE_OFF && now >= member->due_ms) {
        sim_device_power_on(device, (uint32_t)now);
    }
    uint32_t wait = sim_device_poll(device, (uint32_t)now);
    note_settled(fleet, member);
    if (device->state == SIM_DEVICE_OFF) {
        wait = member->due_ms > now ? (uint32_t)(member->due_ms - now) : OFF_MS;
    } else if (member->sleeps && device->state == SIM_DEVICE_RUNS &&
               upd_agent_due_in_s(&device->agent) >= fleet->values.every / 2 + 1) {
        sim_device_power_off(device);
        wait = fleet->values.sleep * 1000;
    }
    watch(fleet, member, 0);
    watch(fleet, member, 1);
    due_at(fleet, member, wait == UINT32_MAX ? UINT64_MAX : now + wait);
}

static void run(struct fleet *fleet)
{
    struct epoll_event events[EVENTS];
    const uint64_t end = fleet->began_ms + (uint64_t)fleet->values.seconds * 1000;

    for (;;) {
        uint64_t now = clock_ms();
        if (now >= end || fleet->settled == fleet->expected) {
            return;
        }
        for (uint32_t i = 0; i < EVENTS && fleet->heap[0]->due_ms <= now; i++) {
            poll_member(fleet, fleet->heap[0], now);
        }
        now = clock_ms();
        const uint64_t next = fleet->heap[0]->due_ms < end ? fleet->heap[0]->due_ms : end;
        const int wait = next > now ? (int)(next - now < 1000 ? next - now : 1000) : 0;
        const int count = epoll_wait(fleet->epoll, events, EVENTS, wait);
        now = clock_ms();
        for (int i = 0; i < count; i++) {
            poll_member(fleet, &fleet->members[events[i].data.u64 / 2], now);
        }
    }
}

/* --- What came of it ------------------------------------------------------------------------------ */

struct result {
    uint32_t confirmed, failed, rolled_back, bricked, liars, worn, cuts, pending;
    uint32_t failures[UPD_TROUBLE_COUNT];
    uint64_t bytes, sent;
    uint32_t connections;
    double seconds;
    uint32_t memory; /* bytes for each device */
};

static uint32_t resident_bytes(void)
{
    unsigned long size = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");

    if (file != NULL) {
        if (fscanf(file, "%lu %lu", &size, &resident) != 2) {
            resident = 0;
        }
        fclose(file);
    }
    return (uint32_t)(resident * (unsigned long)sysconf(_SC_PAGESIZE) / 1024);
}

static void add_up(const struct fleet *fleet, struct result *result)
{
    memset(result, 0, sizeof *result);
    for (uint32_t i = 0; i < fleet->values.devices; i++) {
        const struct member *member = &fleet->members[i];
        const struct sim_device *device = &member->device;
        result->bytes += member->net.received + member->link.received;
        result->sent += member->net.sent + member->link.sent;
        result->connections += member->net.connections + member->link.connections;
        result->cuts += device->cuts;
        result->liars += member->lies;
        result->worn += member->is_worn;
        result->rolled_back += member->fell;
        if (member->made && device->state == SIM_DEVICE_DEAD) {
            result->bricked++;
        } else if (member->settled) {
            result->confirmed += !fleet->values.until_fallen;
        } else if (member->made && device->agent.trouble != UPD_TROUBLE_NONE) {
            result->failed++;
            result->failures[device->agent.trouble]++;
        } else if (!member->lies) {
            result->pending++;
        }
    }
    const uint64_t until = fleet->settled == fleet->expected ? fleet->settled_ms : clock_ms();
    result->seconds = (double)(until - fleet->began_ms) / 1000;
    result->memory = (uint32_t)((uint64_t)resident_bytes() * 1024 / fleet->values.devices);
}

static void print_json(const struct fleet *fleet, const struct result *result)
{
    static char text[8192];
    struct upd_json json = upd_json_on(text, sizeof text);

    upd_json_open(&json, NULL, '{');
    upd_json_number(&json, "schema", 1);
    upd_json_bool(&json, "ok", fleet->settled == fleet->expected && result->bricked == 0);
    upd_json_number(&json, "devices", fleet->values.devices);
    upd_json_number(&json, "expected", fleet->expected);
    upd_json_number(&json, "confirmed", result->confirmed);
    upd_json_open(&json, "failed", '{');
    for (uint32_t i = 0; i < UPD_TROUBLE_COUNT; i++) {
        if (result->failures[i] != 0) {
            upd_json_number(&json, upd_trouble_name((enum upd_trouble)i), result->failures[i]);
        }
    }
    upd_json_close(&json, '}');
    upd_json_number(&json, "rolled_back", result->rolled_back);
    upd_json_number(&json, "bricked", result->bricked);
    upd_json_number(&json, "pending", result->pending);
    upd_json_number(&json, "liars", result->liars);
    upd_json_number(&json, "bad_slots", result->worn);
    upd_json_number(&json, "power_cuts", result->cuts);
    upd_json_number(&json, "checks", fleet->checks);
    upd_json_number(&json, "bytes", (int64_t)result->bytes);
    upd_json_number(&json, "bytes_sent", (int64_t)result->sent);
    upd_json_number(&json, "connections", result->connections);
    upd_json_number(&json, "milliseconds", (int64_t)(result->seconds * 1000));
    upd_json_number(&json, "memory_per_device", result->memory);
    upd_json_close(&json, '}');
    puts(text);
}

static void print_table(const struct fleet *fleet, const struct result *result)
{
    printf("devices      %8u\n", (unsigned)fleet->values.devices);
    printf("confirmed    %8u  of %u that are honest and sound\n", (unsigned)result->confirmed,
           (unsigned)fleet->expected);
    for (uint32_t i = 0; i < UPD_TROUBLE_COUNT; i++) {
        if (result->failures[i] != 0) {
            printf("failed       %8u  %s\n", (unsigned)result->failures[i],
                   upd_trouble_text((enum upd_trouble)i));
        }
    }
    printf("rolled back  %8u\n", (unsigned)result->rolled_back);
    printf("bricked      %8u\n", (unsigned)result->bricked);
    printf("liars        %8u\n", (unsigned)result->liars);
    printf("worn flash   %8u\n", (unsigned)result->worn);
    printf("power cuts   %8u\n", (unsigned)result->cuts);
    printf("checks       %8u\n", (unsigned)fleet->checks);
    printf("received     %8.1f MB\n", (double)result->bytes / 1e6);
    printf("time         %8.1f s, %.0f updates a second\n", result->seconds,
           result->seconds > 0 ? result->confirmed / result->seconds : 0);
    printf("memory       %8u bytes for each device\n", (unsigned)result->memory);
}

static void write_report(const struct fleet *fleet)
{
    FILE *file = fopen(fleet->values.report, "w");
    char text[512];

    if (file == NULL) {
        fail("fleet", "%s: %s", fleet->values.report, strerror(errno));
    }
    for (uint32_t i = 0; i < fleet->values.devices; i++) {
        const struct member *member = &fleet->members[i];
        struct upd_json json = upd_json_on(text, sizeof text);
        upd_json_open(&json, NULL, '{');
        upd_json_string(&json, "serial", member->serial);
        upd_json_string(&json, "mac", member->mac);
        upd_json_string(&json, "kind", sim_kind_name(member->breed->kind));
        if (member->device_key != NULL) {
            upd_json_string(&json, "device_key", member->device_key);
        }
        upd_json_string(&json, "version", member->device.version);
        upd_json_string(&json, "state",
                        member->lies                              ? "liar"
                        : member->device.state == SIM_DEVICE_DEAD ? "bricked"
                        : member->settled && !member->fell        ? "confirmed"
                        : member->fell                            ? "rolled_back"
                                                                  : "failed");
        upd_json_string(&json, "trouble", upd_trouble_name(member->device.agent.trouble));
        upd_json_bool(&json, "worn", member->is_worn);
        upd_json_number(&json, "cuts", member->device.cuts);
        upd_json_number(&json, "downloads", member->downloads);
        upd_json_close(&json, '}');
        fprintf(file, "%s\n", text);
    }
    if (fclose(file) != 0) {
        fail("fleet", "%s: %s", fleet->values.report, strerror(errno));
    }
}

/* --- The command line ----------------------------------------------------------------------------- */

static void add_breed(struct fleet *fleet, const char *text)
{
    const struct values *values = &fleet->values;
    struct breed *breed = &fleet->breeds[fleet->breed_count++];
    const char *equals = strchr(text, '=');
    char name[16];

    if (equals == NULL || equals[1] == '\0' || (size_t)(equals - text) >= sizeof name) {
        misuse("fleet", "--product: KIND=KEY, not '%s'", text);
    }
    snprintf(name, sizeof name, "%.*s", (int)(equals - text), text);
    const bool otadrive = strcmp(name, "otadrive") == 0;
    if (!sim_kind_find(otadrive ? "arduino" : name, &breed->kind)) {
        misuse("fleet", "--product: there is no kind '%s'", name);
    }
    breed->key = equals + 1;
    breed->protocol = otadrive                          ? &upd_protocol_otadrive
                      : breed->kind == SIM_KIND_ARDUINO ? &upd_protocol_arduino
                      : breed->kind == SIM_KIND_NONOS   ? &upd_protocol_espressif
                                                        : &upd_protocol_plain;
    int length;
    if (breed->protocol == &upd_protocol_arduino) {
        length = snprintf(breed->url, URL_SIZE, "%s/update/%s", values->server, breed->key);
    } else if (breed->protocol == &upd_protocol_plain) {
        length = snprintf(breed->url, URL_SIZE, "%s/%s/app.bin", values->server, breed->key);
    } else {
        length = snprintf(breed->url, URL_SIZE, "%s", values->server);
    }
    if (length < 0 || length >= URL_SIZE) {
        misuse("fleet", "--server: the URL is too long");
    }
    if (breed->kind == SIM_KIND_NONOS) {
        snprintf(breed->from, sizeof breed->from, "v%.20st%u(a)", values->from,
                 (unsigned)values->ptype);
    } else {
        snprintf(breed->from, sizeof breed->from, "%.31s", values->from);
    }
    breed->image =
        sim_kind_image(breed->kind, 0, breed->from, SIM_PLAN_WORKS, values->size, values->seed);
    sim_device_base(breed->kind, &breed->image, &breed->base);
}

static bool has_link(const struct fleet *fleet)
{
    for (uint32_t i = 0; i < fleet->breed_count; i++) {
        if (fleet->breeds[i].protocol == &upd_protocol_espressif) {
            return true;
        }
    }
    return false;
}

static void read_link(struct fleet *fleet)
{
    const char *text = fleet->values.link;
    const char *colon = text != NULL ? strrchr(text, ':') : NULL;
    const unsigned long port = colon != NULL ? strtoul(colon + 1, NULL, 10) : 0;

    if (port < 1 || port > 65535 || (size_t)(colon - text) >= sizeof fleet->link_host) {
        misuse("fleet", "--link HOST:PORT is needed for nonos devices");
    }
    snprintf(fleet->link_host, sizeof fleet->link_host, "%.*s", (int)(colon - text), text);
    fleet->link_port = (uint16_t)port;
}

static void read_keys(struct fleet *fleet)
{
    const char *path = fleet->values.device_keys;
    char line[128];
    uint32_t room = 0;

    if (path == NULL) {
        misuse("fleet", "--device-keys is needed for nonos devices");
    }
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        fail("fleet", "%s: %s", path, strerror(errno));
    }
    while (fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\r\n")] = '\0';
        if (strlen(line) != KEY_SIZE - 1) {
            fail("fleet", "%s: line %u is no key of 40 digits", path,
                 (unsigned)fleet->key_count + 1);
        }
        if (fleet->key_count == room) {
            room = room == 0 ? 64 : 2 * room;
            fleet->keys = realloc(fleet->keys, (size_t)room * KEY_SIZE);
            if (fleet->keys == NULL) {
                fail("fleet", "out of memory");
            }
        }
        memcpy(fleet->keys + (size_t)KEY_SIZE * fleet->key_count++, line, KEY_SIZE);
    }
    fclose(file);
}

static void raise_limits(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static void prepare(struct fleet *fleet)
{
    const struct values *values = &fleet->values;
    const char *why = NULL;

    if (values->server == NULL || values->products.count == 0) {
        misuse("fleet", "--server and --product are needed");
    }
    if (strncmp(values->server, "https:", 6) == 0) {
        if (values->ca_file == NULL) {
            misuse("fleet", "--ca-file is needed for https");
        }
        fleet->trust = sim_net_trust_new(values->ca_file, &why);
        if (fleet->trust == NULL) {
            fail("fleet", "%s: %s", values->ca_file, why);
        }
    }
    raise_limits();
    fleet->random.state = values->seed;
    for (uint32_t i = 0; i < values->products.count; i++) {
        add_breed(fleet, values->products.texts[i]);
    }
    if (has_link(fleet)) {
        read_link(fleet);
        read_keys(fleet);
    }
    fleet->epoll = epoll_create1(EPOLL_CLOEXEC);
    fleet->began_ms = clock_ms();
    draw_lots(fleet);
}

static void end(struct fleet *fleet)
{
    for (uint32_t i = 0; i < fleet->values.devices; i++) {
        struct member *member = &fleet->members[i];
        if (member->made) {
            sim_device_free(&member->device);
            sim_net_close(&member->net);
            sim_net_close(&member->link);
        }
    }
    for (uint32_t i = 0; i < fleet->breed_count; i++) {
        sim_flash_free(&fleet->breeds[i].base);
        free(fleet->breeds[i].image.data);
    }
    sim_net_trust_free(fleet->trust);
    close(fleet->epoll);
    free(fleet->members);
    free(fleet->heap);
    free(fleet->keys);
}

int verb_fleet(int argc, char **argv)
{
    static struct fleet fleet;
    struct result result;

    fleet.values = (struct values){.devices = 100,
                                   .from = "1.0.0",
                                   .ptype = 45772,
                                   .size = 16384,
                                   .every = 10,
                                   .arrive = 2,
                                   .seconds = 120,
                                   .sleep = 3,
                                   .seed = 1};
    options_read("fleet", usage, rows, &fleet.values, argc, argv);
    prepare(&fleet);
    run(&fleet);
    add_up(&fleet, &result);
    if (fleet.values.json) {
        print_json(&fleet, &result);
    } else {
        print_table(&fleet, &result);
    }
    if (fleet.values.report != NULL) {
        write_report(&fleet);
    }
    const int status = result.bricked != 0               ? 3
                       : fleet.settled == fleet.expected ? EXIT_SUCCESS
                                                         : EXIT_FAILURE;
    end(&fleet);
    return status;
}
