/*
 * Goal: what hostile_test.c shows of an ESP32 with plain files holds for the other kinds of devices,
 * for compressed images, and for each protocol's own fields.
 *
 * Method: whole devices (sim_device.h) with their boot loaders, against the same server, which is left
 * with the agent for two hours. Rows of fields and of compressed content are run as a whole download and
 * as one that goes on after a restart, by HTTP and by HTTPS; the rows of hostile_cases.h in two of these
 * four ways, by turns.
 */
#include "hostile_fields.h"
#include "hostile_run.h"

enum { WINDOW = 32768 };

/* --- Kinds of devices -------------------------------------------------------------------------- */

static const struct way {
    const char *name;
    enum sim_kind kind;
    const struct upd_protocol *protocol;
    bool inflates;
    struct {
        const struct hostile *rows;
        uint32_t count;
    } tables[3];
} ways[] = {
    {"nonos, plain",
     SIM_KIND_NONOS,
     &upd_protocol_plain,
     false,
     {{hostiles, HOSTILES}, {ROWS(place_rows)}}},
    {"eboot, Arduino",
     SIM_KIND_ARDUINO,
     &upd_protocol_arduino,
     false,
     {{hostiles, HOSTILES}, {ROWS(field_rows)}, {place_rows + 1, 1}}},
    {"eboot, OTAdrive", SIM_KIND_ARDUINO, &upd_protocol_otadrive, false, {{ROWS(field_rows)}}},
    {"otadata, Arduino, gzip", SIM_KIND_IDF, &upd_protocol_arduino, true, {{ROWS(zip_rows)}}},
    {"nonos, Arduino, gzip", SIM_KIND_NONOS, &upd_protocol_arduino, true, {{ROWS(zip_rows)}}},
};
enum { WAYS = sizeof ways / sizeof ways[0] };

static const struct way *way;

static struct {
    struct sim_device device;
    struct sim_device_config config;
    struct sim_net net;
    struct sim_net_trust *trust;
    struct sim_flash fresh, half;
    struct upd_inflate_memory inflate;
    uint8_t window[WINDOW];
    char url[64];
    uint32_t now_ms;
    bool is_over; /* the new image was started, or the half of it is there */
    enum upd_trouble first, ended;
    uint32_t checks;
    uint32_t failures; /* of the fetch, when it was looked at last */
} d;

static struct wire wire = {.net = &d.net, .peer = &server.peer};

static void saw(enum upd_trouble trouble)
{
    if (d.first == UPD_TROUBLE_NONE) {
        d.first = trouble;
    }
}

static void hear(struct sim_device *device, enum upd_agent_event event)
{
    d.checks += event == UPD_AGENT_ON_CHECK;
    if (event == UPD_AGENT_ON_FAILED) {
        d.ended = device->agent.trouble;
        saw(d.ended);
    }
    d.is_over = d.is_over || event == UPD_AGENT_ON_RESTART;
}

static void begin_device(const struct sim_flash *base, bool tls)
{
    snprintf(d.url, sizeof d.url, "http%s://127.0.0.1:%u/fw", tls ? "s" : "", server.peer.port);
    d.inflate = (struct upd_inflate_memory){.window = d.window, .window_size = sizeof d.window};
    d.config = (struct sim_device_config){
        .kind = way->kind,
        .base = base,
        .protocol = way->protocol,
        .url = d.url,
        .identity = {.chip = way->kind == SIM_KIND_IDF ? UPD_CHIP_ESP32 : UPD_CHIP_ESP8266,
                     .product_key = "k",
                     .mac = "5C:CF:7F:00:00:01"},
        .patience = &patience,
        .transport = &d.net.transport,
        .inflate = way->inflates ? &upd_inflate_gzip : NULL,
        .inflate_ctx = &d.inflate,
        .every_s = 86400,
        .seed = 7,
        .event = hear,
    };
    d.first = d.ended = UPD_TROUBLE_NONE;
    d.is_over = false;
    d.checks = d.failures = 0;
    server.peer.tls = tls;
    server.peer.connections = server.peer.requests = 0;
    server.turned = false;
    peer_hang_up(&server.peer, false);
    wire_begin(&wire);
    CHECK(sim_device_make(&d.device, &d.config, NULL, d.now_ms) == UPD_OK);
}

static bool poll_device(uint32_t *wait)
{
    *wait = sim_device_poll(&d.device, d.now_ms);
    if (d.device.agent.fetch.failures > d.failures) {
        saw(d.device.agent.fetch.trouble);
    }
    d.failures = d.device.agent.fetch.failures;
    return d.is_over;
}

/* Until the device restarts into an image, or the time is over. @return false: it never came to rest */
static bool run_for(uint32_t limit_ms)
{
    return wire_run(&wire, 1, &d.now_ms, limit_ms, poll_device);
}

/* The first sector of a sketch is the loader's, which keeps its own there. */
static bool holds(uint32_t address, const struct image *image)
{
    static uint8_t held[IMAGE_MAX];
    const uint32_t skip = way->kind == SIM_KIND_ARDUINO ? 4096 : 0;

    sim_flash_peek(&d.device.flash, address + skip, held, image->size - skip);
    return memcmp(held, image->bytes + skip, image->size - skip) == 0;
}

/* eboot starts what lies behind its own sector of the file. */
static uint32_t address_of_image(void)
{
    return way->kind == SIM_KIND_ARDUINO ? 0 : d.device.boot.address;
}

/* What runs, now or after power was away? An image with a right checksum is as good as another, where
 * nothing else was said of it. */
static enum ran judge(const struct hostile *row, uint32_t old_address)
{

    if (!d.is_over) {
        if (!holds(old_address, &old_image)) {
            return INSTALLED_WRONG;
        }
        sim_device_power_off(&d.device);
        sim_device_power_on(&d.device, d.now_ms);
    }
    if (d.device.state != SIM_DEVICE_RUNS) {
        return INSTALLED_WRONG;
    }
    if (!d.is_over) {
        return address_of_image() == old_address && holds(old_address, &old_image)
                   ? INSTALLED_NOTHING
                   : INSTALLED_WRONG;
    }
    return holds(address_of_image(), &new_image) || holds(address_of_image(), &other_image) ||
                   (row->body == BODY_FORGED && holds(address_of_image(), &forged_image))
               ? INSTALLED_RIGHT
               : INSTALLED_WRONG;
}

/* --- Rows -------------------------------------------------------------------------------------- */

static struct {
    uint32_t cases, cells, wrong, undistinguished, hasty;
} sum;

static void complain(const struct hostile *row, bool part, bool tls, const char *what)
{
    char text[300];

    snprintf(
        text, sizeof text, "%s (%s, %s, %s): %s; first %s, ended %s, %u checks, %u connections",
        row->name, way->name, part ? "resumed" : "full", tls ? "https" : "http", what,
        upd_trouble_name(d.first), upd_trouble_name(d.ended), d.checks, server.peer.connections);
    CHECK_THAT(text, false);
}

static enum upd_trouble wanted_of(const struct hostile *row, bool part, bool tls)
{
    for (uint32_t i = 0; i < sizeof exceptions / sizeof exceptions[0]; i++) {
        const struct exception *it = &exceptions[i];
        const enum upd_trouble trouble = part ? it->part : it->full;
        if (strcmp(row->name, it->row) == 0 && strncmp(way->name, it->way, strlen(it->way)) == 0 &&
            trouble != UPD_TROUBLE_NONE) {
            return trouble;
        }
    }
    return part && row->part != UPD_TROUBLE_NONE ? row->part
           : tls && row->tls != UPD_TROUBLE_NONE ? row->tls
                                                 : row->trouble;
}

static void run_cell(const struct hostile *row, bool part, bool tls)
{
    const enum upd_trouble wanted = wanted_of(row, part, tls);

    begin_device(part ? &d.half : &d.fresh, tls);
    const uint32_t old_address = address_of_image();
    server.hostile = row;
    /* Compressed content goes on from its first byte. */
    server.resumes = part && row->door != DOOR_SHUT && !way->inflates;
    shut_door(row);
    const bool rests = run_for(2 * HOUR_MS);
    open_door();
    sum.cells++;
    const uint32_t connections = server.peer.connections;
    const enum ran ran = judge(row, old_address);
    if (ran == INSTALLED_WRONG || !rests) {
        sum.wrong++;
        complain(row, part, tls, rests ? "something wrong runs" : "it never ends");
    }
    if (wanted == FINE
            ? d.first != UPD_TROUBLE_NONE || ran == INSTALLED_NOTHING
            : d.first != wanted || (wanted == UPD_TROUBLE_NONE && ran != INSTALLED_NOTHING)) {
        sum.undistinguished++;
        complain(row, part, tls, wanted == FINE ? "wanted the image" : upd_trouble_name(wanted));
    }
    if (connections > connections_allowed(d.first)) {
        sum.hasty++;
        complain(row, part, tls, "too many connections");
    }
    sim_device_free(&d.device);
}

/* The flash of a device that was reset in the middle of a download. */
static void make_half(void)
{
    begin_device(&d.fresh, false);
    server.hostile = NULL;
    server.resumes = false;
    (void)run_for(10000);
    CHECK_THAT(way->name, !d.is_over && d.device.agent.writer.written > 4096);
    sim_device_power_off(&d.device);
    sim_flash_fork(&d.half, &d.device.flash);
    sim_flash_power_on(&d.half);
    sim_device_free(&d.device);
}

static void begin_way(void)
{
    make_images_of(way->kind);
    const struct sim_image first = {old_image.bytes, old_image.size};
    sim_device_base(way->kind, &first, &d.fresh);
    sent_image.size = way->inflates ? zip(&new_image, 0, 15, sent_image.bytes) : 0;
    make_half();
}

static const char *only; /* rows with this in their name; NULL: all */

static void test_no_kind_of_device_gets_anything_wrong_installed(void)
{
    for (way = ways; way < ways + WAYS; way++) {
        begin_way();
        for (uint32_t t = 0; t < 3; t++) {
            for (uint32_t i = 0; i < way->tables[t].count; i++) {
                const struct hostile *row = &way->tables[t].rows[i];
                if (only != NULL && strstr(row->name, only) == NULL) {
                    continue;
                }
                sum.cases++;
                for (uint32_t cell = 0; cell < 4; cell++) {
                    const bool part = (cell & 2) != 0;
                    const bool tls = (cell & 1) != 0;
                    /* The large table is run by turns: a whole by HTTP and a part by HTTPS, or the other way round. */
                    const bool turn = row->tls_only || way->tables[t].rows != hostiles ||
                                      (part != tls) == ((i & 1) != 0);
                    if (turn && (tls || !row->tls_only)) {
                        run_cell(row, part, tls);
                    }
                }
            }
        }
        sim_flash_free(&d.half);
        sim_flash_free(&d.fresh);
    }
}

int main(int argc, char **argv)
{
    only = argc > 1 ? argv[1] : NULL;
    d.trust = begin_server();
    sim_net_open(&d.net, d.trust);
    CHECK_RUN(test_no_kind_of_device_gets_anything_wrong_installed);
    sim_net_close(&d.net);
    end_server(d.trust);
    printf(
        "note: hostile cases, other devices: %u (%u runs), installed wrong: %u, undistinguished: %u, asked too "
        "often: %u\n",
        sum.cases, sum.cells, sum.wrong, sum.undistinguished, sum.hasty);
    check_end();
}
