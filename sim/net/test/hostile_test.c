/*
 * Goal: whatever a server does, nothing wrong is installed, the running image stays as it is, what
 * went wrong is told by its own name, and the server is not asked again and again.
 *
 * Method: a table of what servers do wrong (hostile_cases.h). Each row is run as a whole download, and
 * as one that goes on after a restart in the middle; by HTTP and by HTTPS; by the fetch and the writer
 * alone, and by the agent, whom the server is left with for two hours. Sockets and TLS are real, the
 * flash is the simulated one, the time is a number that goes on when nobody has anything to do.
 */
#include <updraft/agent.h>
#include <updraft/sim_boot.h>

#include "hostile_run.h"

#define OTADATA 0xD000u
#define FIRST 0x10000u
enum { ROOM = 0x10000 };

/* --- The device ------------------------------------------------------------------------------- */

static const struct upd_partition rows[] = {
    {.offset = OTADATA,
     .size = UPD_OTADATA_SIZE,
     .type = UPD_PARTITION_DATA,
     .subtype = UPD_PARTITION_DATA_OTA},
    {.offset = FIRST, .size = ROOM, .type = UPD_PARTITION_APP, .subtype = UPD_PARTITION_APP_OTA_0},
    {.offset = FIRST + ROOM,
     .size = ROOM,
     .type = UPD_PARTITION_APP,
     .subtype = UPD_PARTITION_APP_OTA_0 + 1},
};
static const struct sim_loader loader = {
    .kind = SIM_LOADER_OTADATA,
    .of.otadata = {
        .loader = UPD_OTADATA_LOADER_IDF_ROLLBACK, .rows = rows, .count = 3, .fuse_size = 16}};

enum { BUFFER = 1024, CANARY = 64 };

static struct device {
    struct sim_flash sim;
    struct sim_rtc rtc;
    uint32_t fuse;
    struct sim_boot boot;
    struct upd_device device;
    struct upd_otadata_config config;
    struct sim_net net;
    char url[64];
    uint8_t buffer[BUFFER + CANARY];
    uint8_t memo[UPD_MEMO_SIZE];
    bool has_memo;
    uint32_t random;
    uint32_t now_ms;
    /* Seen. */
    enum upd_trouble first; /* trouble */
    enum upd_trouble ended; /* with which a check ended */
    uint32_t checks;
    uint32_t failed;
    bool restarts;
} d;

static uint32_t next_random(void *ctx)
{
    (void)ctx;
    d.random = d.random * 1664525 + 1013904223;
    return d.random >> 5;
}

static void saw(enum upd_trouble trouble)
{
    if (trouble != UPD_TROUBLE_NONE && d.first == UPD_TROUBLE_NONE) {
        d.first = trouble;
    }
}

/* A reset. @return false: nothing runs that could */
static bool start_device(void)
{
    enum upd_start todo = UPD_START_RESTART;

    for (uint32_t i = 0; i < 4 && todo == UPD_START_RESTART; i++) {
        sim_boot(&loader, &d.sim, &d.rtc, &d.fuse, &d.boot);
        if (d.boot.end != SIM_BOOT_STARTS) {
            return false;
        }
        d.config = (struct upd_otadata_config){.rows = rows,
                                               .count = 3,
                                               .running = d.boot.address,
                                               .loader = UPD_OTADATA_LOADER_IDF_ROLLBACK,
                                               .chip = UPD_CHIP_ESP32,
                                               .chip_revision = UPD_IMAGE_ANY_REVISION,
                                               .efuse_revision = UPD_IMAGE_ANY_REVISION};
        if (upd_otadata_open(&d.device, &d.sim.flash, &d.config) != UPD_OK ||
            upd_device_start(&d.device, &todo) != UPD_OK) {
            return false;
        }
    }
    return todo == UPD_START_GO_ON;
}

static bool holds(uint32_t address, const struct image *image)
{
    static uint8_t held[IMAGE_MAX];

    sim_flash_peek(&d.sim, address, held, image->size);
    return memcmp(held, image->bytes, image->size) == 0;
}

/* --- Two ways to drive it --------------------------------------------------------------------- */

/* The fetch and the writer, put together as fetch.h and writer.h show; one session. */
static struct bare {
    struct upd_fetch fetch;
    struct upd_writer writer;
    struct upd_request request;
    struct upd_asking asking;
    uint32_t failures;
    bool over;
} bare;

static enum upd_trouble bare_hear(void *ctx, const char *name, const char *value)
{
    (void)ctx;
    if (name == NULL || bare.writer.state == UPD_WRITER_OPEN) {
        return UPD_TROUBLE_NONE;
    }
    return upd_asking_hear(&bare.asking, name, value);
}

static void bare_begin(void)
{
    static struct upd_fetch_config config;

    config = (struct upd_fetch_config){.transport = &d.net.transport,
                                       .patience = &patience,
                                       .buffer = d.buffer,
                                       .buffer_size = BUFFER,
                                       .random = next_random};
    memset(&bare, 0, sizeof bare);
    bare.request =
        (struct upd_request){.url = d.url, .most = d.sim.flash.total_size, .heard = bare_hear};
    upd_fetch_init(&bare.fetch, &config);
    upd_fetch_begin(&bare.fetch, &bare.request, d.now_ms);
    d.checks = 1;
}

static void bare_end(enum upd_trouble trouble)
{
    upd_fetch_stop(&bare.fetch);
    saw(trouble);
    d.ended = trouble;
    d.failed += trouble != UPD_TROUBLE_NONE;
    bare.over = true;
}

static void bare_head(void)
{
    struct upd_fetch *fetch = &bare.fetch;
    enum upd_trouble trouble = UPD_TROUBLE_NONE;
    uint32_t from = 0;

    if (upd_asking_verdict(fetch->status, &trouble) != UPD_VERDICT_OFFER) {
        bare_end(trouble);
        return;
    }
    const struct upd_update update = {.size = fetch->has_size ? fetch->size : 0,
                                      .md5 = bare.asking.has_md5 ? bare.asking.md5 : NULL,
                                      .validator = fetch->etag,
                                      .validator_size = (uint32_t)strlen(fetch->etag)};
    enum upd_err err = upd_writer_resume(&bare.writer, &d.device, &update, &from);
    if (err == UPD_E_NOT_FOUND || err == UPD_E_CHANGED) {
        from = 0;
        err = upd_writer_begin(&bare.writer, &d.device, &update);
    }
    if (err != UPD_OK) {
        bare_end(upd_trouble_of(err));
    } else if (from > 0) {
        upd_fetch_seek(fetch, from, d.now_ms);
    }
}

static uint32_t bare_poll(void)
{
    struct upd_fetch *fetch = &bare.fetch;

    if (bare.over) {
        return UINT32_MAX;
    }
    const enum upd_fetch_news news = upd_fetch_poll(fetch, d.now_ms);
    if (fetch->failures != bare.failures) {
        bare.failures = fetch->failures;
        saw(fetch->trouble);
    }
    if (news == UPD_FETCH_HEAD) {
        bare_head();
    } else if (news == UPD_FETCH_BODY) {
        const enum upd_err err = upd_writer_write(&bare.writer, fetch->piece, fetch->piece_size);
        if (err != UPD_OK) {
            bare_end(upd_trouble_of(err));
        }
    } else if (news == UPD_FETCH_DONE) {
        enum upd_err err = bare.writer.written > 0 ? upd_writer_end(&bare.writer) : UPD_OK;
        if (bare.writer.written == 0) {
            bare_end(UPD_TROUBLE_EMPTY);
            return UINT32_MAX;
        }
        if (err == UPD_OK) {
            err = upd_writer_activate(&bare.writer);
        }
        d.restarts = err == UPD_OK;
        bare_end(err == UPD_E_SHORT && !fetch->has_end ? UPD_TROUBLE_BODY_CUT
                                                       : upd_trouble_of(err));
    } else if (news == UPD_FETCH_FAILED) {
        bare_end(fetch->trouble);
    }
    return news == UPD_FETCH_WAITS ? 100 : 0;
}

static struct upd_agent agent;

static void hear_agent(void *ctx, const struct upd_agent *from, enum upd_agent_event event)
{
    (void)ctx;
    d.checks += event == UPD_AGENT_ON_CHECK;
    if (event == UPD_AGENT_ON_FAILED) {
        d.failed++;
        d.ended = from->trouble;
        saw(from->trouble);
    }
}

static enum upd_err save_memo(void *ctx, const uint8_t *memo)
{
    (void)ctx;
    memcpy(d.memo, memo, sizeof d.memo);
    d.has_memo = true;
    return UPD_OK;
}

static enum upd_err load_memo(void *ctx, uint8_t *memo)
{
    (void)ctx;
    memcpy(memo, d.memo, sizeof d.memo);
    return d.has_memo ? UPD_OK : UPD_E_NOT_FOUND;
}

static uint32_t every_s;

static void agent_begin(void)
{
    static const struct upd_identity identity = {.chip = UPD_CHIP_ESP32, .version = "1"};
    const struct upd_agent_config config = {.device = &d.device,
                                            .transport = &d.net.transport,
                                            .patience = &patience,
                                            .protocol = &upd_protocol_plain,
                                            .url = d.url,
                                            .identity = &identity,
                                            .buffer = d.buffer,
                                            .buffer_size = BUFFER,
                                            .every_s = every_s,
                                            .at_start = true,
                                            .random = next_random,
                                            .save = save_memo,
                                            .load = load_memo,
                                            .event = hear_agent};

    upd_agent_init(&agent, &config, d.now_ms);
}

static uint32_t agent_poll(void)
{
    const uint32_t failures = agent.fetch.failures;
    const uint32_t wait = upd_agent_poll(&agent, d.now_ms);

    if (agent.fetch.failures > failures) {
        saw(agent.fetch.trouble);
    }
    d.restarts = agent.state == UPD_AGENT_RESTART;
    return wait;
}

static const struct driver {
    const char *name;
    void (*begin)(void);
    uint32_t (*poll)(void);
} drivers[] = {{"bare", bare_begin, bare_poll}, {"agent", agent_begin, agent_poll}};
enum { DRIVERS = 2 };

/* --- Running ---------------------------------------------------------------------------------- */

static const struct driver *driver;

static struct wire wire = {.net = &d.net, .peer = &server.peer};

static bool poll_driver(uint32_t *wait)
{
    *wait = driver->poll();
    return d.restarts || *wait == UINT32_MAX;
}

/* Until the device restarts, gives up, or the time is over. @return false: it never came to rest */
static bool run_for(uint32_t limit_ms)
{
    wire_begin(&wire);
    driver->begin();
    return wire_run(&wire, 1, &d.now_ms, limit_ms, poll_driver);
}

static struct sim_snapshot *fresh, *half[DRIVERS];

static void begin_device(struct sim_snapshot *flash, bool tls)
{
    sim_flash_restore(&d.sim, flash);
    memset(&d.rtc, 0, sizeof d.rtc);
    d.fuse = 0;
    d.has_memo = d.restarts = false;
    d.first = d.ended = UPD_TROUBLE_NONE;
    d.checks = d.failed = 0;
    d.random = 7;
    memset(d.buffer, 0xA5, sizeof d.buffer);
    server.peer.tls = tls;
    server.peer.connections = server.peer.requests = 0;
    server.peer.said = 0;
    server.turned = false;
    peer_hang_up(&server.peer, false);
    snprintf(d.url, sizeof d.url, "http%s://127.0.0.1:%u/fw", tls ? "s" : "", server.peer.port);
}

/* After a reset: what was installed? */
static enum ran judge(const char **what)
{
    if (!holds(FIRST, &old_image)) {
        *what = "the image that ran was touched";
        return INSTALLED_WRONG;
    }
    if (!start_device()) {
        *what = "nothing starts";
        return INSTALLED_WRONG;
    }
    if (d.boot.address == FIRST) {
        return INSTALLED_NOTHING;
    }
    *what = "what starts is no version that was ever made";
    return holds(d.boot.address, &new_image) || holds(d.boot.address, &other_image)
               ? INSTALLED_RIGHT
               : INSTALLED_WRONG;
}

static struct {
    uint32_t cells, sieges, wrong, undistinguished, hasty, leaks;
} sum;

static bool is_last_to_complain(const char *name, bool part, bool tls, const char *what)
{
    char text[300];

    snprintf(
        text, sizeof text, "%s (%s, %s, %s): %s; first %s, ended %s, %u checks, %u connections",
        name, driver->name, part ? "resumed" : "full", tls ? "https" : "http", what,
        upd_trouble_name(d.first), upd_trouble_name(d.ended), d.checks, server.peer.connections);
    CHECK_THAT(text, false);
    return false;
}

static void run_cell(const struct hostile *row, bool part, bool tls)
{
    const char *what = "";
    enum upd_trouble wanted = tls && row->tls != UPD_TROUBLE_NONE ? row->tls : row->trouble;
    wanted = part && row->part != UPD_TROUBLE_NONE ? row->part : wanted;

    begin_device(part ? half[driver - drivers] : fresh, tls);
    CHECK_THAT(row->name, start_device());
    server.hostile = row;
    server.resumes = part && row->door != DOOR_SHUT;
    shut_door(row);
    const bool rests = run_for(driver == &drivers[1] ? 2 * HOUR_MS : UINT32_MAX);
    d.net.transport.close(d.net.transport.ctx);
    open_door();
    sum.cells++;
    const uint32_t connections = server.peer.connections;
    const enum ran ran = judge(&what);
    if (ran == INSTALLED_WRONG || !rests) {
        sum.wrong++;
        is_last_to_complain(row->name, part, tls, rests ? what : "it never ends");
    }
    if (wanted == FINE ? d.first != UPD_TROUBLE_NONE || ran == INSTALLED_NOTHING
                       : d.first != wanted) {
        sum.undistinguished++;
        is_last_to_complain(row->name, part, tls,
                            wanted == FINE ? "wanted the image" : upd_trouble_name(wanted));
    }
    if (connections > connections_allowed(d.first)) {
        sum.hasty++;
        is_last_to_complain(row->name, part, tls, "too many connections");
    }
    for (uint32_t i = BUFFER; i < sizeof d.buffer; i++) {
        sum.leaks += d.buffer[i] != 0xA5;
    }
}

/* The flash of a device that was reset in the middle of a download. */
static struct sim_snapshot *make_half(void)
{
    begin_device(fresh, false);
    CHECK(start_device());
    server.hostile = NULL;
    server.resumes = false;
    (void)run_for(10000);
    d.net.transport.close(d.net.transport.ctx);
    CHECK(!d.restarts && !holds(FIRST + ROOM, &new_image));
    return sim_flash_snapshot(&d.sim);
}

static struct sim_net_trust *trust;

static void set_up(void)
{
    make_images();
    trust = begin_server();
    sim_net_open(&d.net, trust);
    every_s = 86400;
    sim_flash_init(&d.sim, &sim_flash_4m, 7);
    sim_flash_load(&d.sim, FIRST, old_image.bytes, old_image.size);
    driver = &drivers[0];
    fresh = sim_flash_snapshot(&d.sim);
    for (uint32_t i = 0; i < DRIVERS; i++) {
        driver = &drivers[i];
        half[i] = make_half();
    }
}

static void tear_down(void)
{
    sim_net_close(&d.net);
    end_server(trust);
    for (uint32_t i = 0; i < DRIVERS; i++) {
        sim_snapshot_free(half[i]);
    }
    sim_snapshot_free(fresh);
    sim_flash_free(&d.sim);
}

static const char *only; /* rows with this in their name; NULL: all */

static void test_no_server_gets_anything_wrong_installed(void)
{
    for (uint32_t i = 0; i < HOSTILES; i++) {
        if (only != NULL && strstr(hostiles[i].name, only) == NULL) {
            continue;
        }
        for (uint32_t way = 0; way < 8; way++) {
            const bool tls = (way & 1) != 0;
            driver = &drivers[way >> 2];
            if (tls || !hostiles[i].tls_only) {
                run_cell(&hostiles[i], (way & 2) != 0, tls);
            }
        }
    }
    CHECK(sum.leaks == 0);
}

/* --- Weeks with such a server ----------------------------------------------------------------- */

/*
 * The server is left alone with the agent, which checks once a day, for four weeks: how often it is
 * asked, what comes over the wire, and what the flash has to bear.
 */
enum { DAYS = 28, DAY_S = 86400 };

static const struct siege {
    const char *name;
    struct hostile row;
    bool renames, half, keeps_turning;
    bool ends_well;     /* the image is installed in the end */
    uint32_t downloads; /* of a whole image, at most */
    uint32_t checks;    /* at most */
    enum upd_trouble at_the_end;
} sieges[] = {
    {.name = "no update for ever",
     .row = {.head = "HTTP/1.1 304 Same\r\n\r\n", .body = BODY_NONE},
     .checks = DAYS + 4},
    {.name = "no update for ever, and a length",
     .row = {.head = "HTTP/1.1 304 Same\r\nETag: \"v1\"\r\nContent-Length: 20000\r\n\r\n"},
     .checks = DAYS + 4},
    {.name = "the same bad update for ever",
     .row = {.body = BODY_FLIPPED, .arg = 990},
     .downloads = 1,
     .checks = DAYS + 6,
     .at_the_end = T(KNOWN_BAD)},
    {.name = "the same bad update for ever, begun before",
     .row = {.body = BODY_FLIPPED, .arg = 990},
     .half = true,
     .downloads = 2, /* the second, from its first byte, tells whose fault it is */
     .checks = DAYS + 6,
     .at_the_end = T(KNOWN_BAD)},
    {.name = "the same bad update for ever, without a name",
     .row = {.head = "%S%L\r\n", .body = BODY_FLIPPED, .arg = 990},
     .downloads = 2 * DAYS + 12,
     .checks = 2 * DAYS + 12,
     .at_the_end = T(IMAGE_DIGEST)},
    {.name = "the same bad update for ever, each time by another name",
     .row = {.body = BODY_FLIPPED, .arg = 990},
     .renames = true,
     .downloads = 2 * DAYS + 12,
     .checks = 2 * DAYS + 12,
     .at_the_end = T(IMAGE_DIGEST)},
    {.name = "for ever busy",
     .row = {.head = "HTTP/1.1 503 Busy\r\n\r\n", .body = BODY_NONE},
     .checks = 2 * DAYS + 12,
     .at_the_end = T(BUSY)},
    {.name = "for ever half of it, which is the same half",
     .row = {.head = "HTTP/1.1 200 OK\r\n%E%MContent-Length: %T\r\n\r\n",
             .body = BODY_WHOLE,
             .place = IN_MIDDLE,
             .end = END_RESET},
     .downloads = TRIES * (2 * DAYS + 12),
     .checks = 2 * DAYS + 12,
     .at_the_end = T(CONNECTION_LOST)},
    {.name = "parts that are never right, wholes that are",
     .row = {.head = "HTTP/1.1 206 P\r\n%E%MContent-Range: bytes 0-99/%T\r\n\r\n"},
     .half = true,
     .keeps_turning = true,
     .ends_well = true,
     .downloads = 2,
     .checks = 4},
};

static void test_no_server_keeps_a_device_busy_for_weeks(void)
{
    driver = &drivers[1];
    every_s = DAY_S;
    for (uint32_t i = 0; i < sizeof sieges / sizeof sieges[0]; i++) {
        const struct siege *siege = &sieges[i];
        const char *what = "";
        if (only != NULL && strstr(siege->name, only) == NULL) {
            continue;
        }
        begin_device(siege->half ? half[1] : fresh, false);
        CHECK_THAT(siege->name, start_device());
        server.hostile = &siege->row;
        server.renames = siege->renames;
        server.resumes = server.keeps_turning = siege->keeps_turning;
        const uint64_t received = d.net.received;
        const uint64_t erases = d.sim.counters.erases;
        CHECK_THAT(siege->name, run_for((uint32_t)DAYS * DAY_S * 1000u));
        const uint64_t bytes = d.net.received - received;
        const uint64_t sectors = new_image.size / 4096 + 4; /* its own, and those of the journal */
        d.net.transport.close(d.net.transport.ctx);
        char text[200];
        snprintf(text, sizeof text, "%s: %u checks, %u connections, %u bytes, %u erases, ended %s",
                 siege->name, d.checks, server.peer.connections, (uint32_t)bytes,
                 (uint32_t)(d.sim.counters.erases - erases), upd_trouble_name(d.ended));
        CHECK_THAT(text, d.checks <= siege->checks);
        CHECK_THAT(text, siege->ends_well || d.checks >= DAYS - 2 || siege->renames);
        CHECK_THAT(text, bytes <= (uint64_t)siege->downloads * new_image.size +
                                      (uint64_t)server.peer.connections * 2048);
        CHECK_THAT(text, d.sim.counters.erases - erases <= siege->downloads * sectors);
        CHECK_THAT(text, siege->ends_well || d.ended == siege->at_the_end);
        const enum ran ran = judge(&what);
        CHECK_THAT(text, ran == (siege->ends_well ? INSTALLED_RIGHT : INSTALLED_NOTHING));
        sum.wrong += ran == INSTALLED_WRONG;
        sum.sieges++;
    }
    server.renames = server.keeps_turning = false;
}

int main(int argc, char **argv)
{
    only = argc > 1 ? argv[1] : NULL;
    set_up();
    CHECK_RUN(test_no_server_gets_anything_wrong_installed);
    CHECK_RUN(test_no_server_keeps_a_device_busy_for_weeks);
    tear_down();
    printf(
        "note: hostile cases: %u (%u runs), installed wrong: %u, undistinguished: %u, asked too often: %u\n",
        (unsigned)(HOSTILES + sizeof sieges / sizeof sieges[0]), sum.cells + sum.sieges, sum.wrong,
        sum.undistinguished, sum.hasty);
    check_end();
}
