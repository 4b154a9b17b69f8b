/*
 * updraft-clock: the smart clock of firmware/ in a terminal. The same clock, update and engine as
 * on the chip, over a flash image in a file; at each start a model of updraft's boot loader decides
 * which slot's image that is, and its label says its version.
 */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <updraft/loader_record.h>
#include <updraft/sim_boot.h>
#include <updraft/sysparam.h>

#include <application.h>

#include "host_net.h"

enum { EXIT_USAGE = 2, EXIT_POWER_CUT = 3, IDLE_MS = 10, SEED = 1, SECTOR = 4096 };

static const char usage[] =
    "usage: updraft-clock FLASH --server HOST:PORT [OPTION...]\n"
    "\n"
    "The smart clock in this terminal. FLASH is a whole-flash image with updraft's boot loader\n"
    "(updraft flash build); it is changed, and holds all that the clock has when it ends.\n"
    "\n"
    "    --server HOST:PORT  a web server with release.txt and clock-VERSION-userN.bin\n"
    "    --every INTERVAL    between two checks: 30s, 10min, 1w, 3mo, 1y; 0 for never (1w)\n"
    "    --id TEXT           of the device, as shown (HOST)\n"
    "    --speed N           the clock's time goes N times as fast, 1 to 1000 (1)\n"
    "    --cut N             power fails in the N-th erase or page program: exit status 3\n"
    "    --mute              an image on trial hears nothing, and is given up\n"
    "    --until TEXT        end when the display shows this\n"
    "\n"
    "Keys: m presses the Mode button, and releases it; q ends. Any end is a loss of power.\n";

struct options {
    const char *flash, *server, *every, *id, *until;
    uint32_t speed, cut;
    bool mute;
};

struct host {
    struct options options;
    struct sim_flash flash;
    struct sim_rtc rtc;
    struct sim_loader loader;
    uint32_t fuse;
    struct host_net net;
    struct application application;
    struct display shown;
    char version[CLOCK_VERSION_SIZE];
    uint32_t unix_s; /* kept over restarts, as in the chip's RTC memory */
    bool restart, mode_pressed, quit, drawn;
};

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "updraft-clock: %s: %s\n", what, why);
    exit(EXIT_FAILURE);
}

/* --- The machine ----------------------------------------------------------------------------- */

/*
 * What the chip's loader does at its first start, and the model does not: a boot block that selects
 * user1, and a flag that selects the copy which holds it.
 */
static void first_start(struct host *host)
{
    static const uint8_t user1[] = {0xFC, 0xE0 | UPD_BOOT_V1_7};
    uint32_t copy_0 = upd_flash_map_sysparam(host->loader.of.nonos.map);
    uint32_t flag = copy_0 + 2 * SECTOR;
    uint8_t bytes[3];

    for (uint32_t i = 0; i < sizeof bytes; i++) {
        sim_flash_peek(&host->flash, copy_0 + i * SECTOR + 1, bytes + i, 1);
    }
    if (bytes[0] == 0xFF && bytes[1] == 0xFF && bytes[2] == 0xFF) {
        sim_flash_load(&host->flash, copy_0 + SECTOR, user1, sizeof user1);
        sim_flash_load(&host->flash, flag, "", 1);
    }
}

static void open_flash(struct host *host)
{
    struct sim_geometry geometry = SIM_GEOMETRY(0);
    uint8_t head[4];
    uint8_t tail[UPD_LOADER_RECORD_SIZE];
    struct upd_loader_record record;
    struct stat about;

    if (stat(host->options.flash, &about) != 0) {
        fail(host->options.flash, strerror(errno));
    }
    geometry.total_size = (uint32_t)about.st_size;
    if (about.st_size < 1 << 18 || about.st_size > 1 << 24 || about.st_size % 4096 != 0) {
        fail(host->options.flash, "a flash has 256 KiB to 16 MiB, in whole sectors");
    }
    if (sim_flash_open(&host->flash, host->options.flash, &geometry, SEED) != UPD_OK) {
        fail(host->options.flash, strerror(errno));
    }
    sim_flash_peek(&host->flash, 0, head, sizeof head);
    sim_flash_peek(&host->flash, UPD_LOADER_RECORD_OFFSET, tail, sizeof tail);
    const struct upd_flash_map *map = upd_flash_map(head[3] >> 4);
    if (upd_loader_record_decode(tail, &record) != UPD_OK) {
        fail(host->options.flash, "updraft's boot loader is not in its first sector");
    }
    if (map == NULL || !map->fota || map->size > geometry.total_size) {
        fail(host->options.flash, "its flash map has no two slots, or is larger than the flash");
    }
    host->loader.kind = SIM_LOADER_NONOS;
    host->loader.of.nonos.map = map;
    host->loader.of.nonos.version = UPD_BOOT_V1_7;
    sim_rtc_power_on(&host->rtc, SIM_RTC_GARBAGE, SEED);
    first_start(host);
    if (host->options.cut > 0) {
        sim_flash_cut_at(&host->flash, host->options.cut - 1, SIM_TEAR_ANY);
    }
}

static void restart(void *ctx)
{
    ((struct host *)ctx)->restart = true;
}

static void print_line(void *ctx, const char *line)
{
    (void)ctx;
    printf("%s\n", line);
}

/* From reset to the first instruction of the clock; false when power went on the way. */
static bool boot(struct host *host)
{
    struct sim_boot end;
    struct label label;
    const struct upd_flash_map *map = host->loader.of.nonos.map;

    host->restart = false;
    sim_boot(&host->loader, &host->flash, &host->rtc, &host->fuse, &end);
    if (end.end == SIM_BOOT_CUT) {
        return false;
    }
    if (end.end == SIM_BOOT_DEAD) {
        fail(host->options.flash, end.why);
    }
    sim_flash_peek(&host->flash, end.address + LABEL_OFFSET, &label, sizeof label);
    if (!label_version(&label, host->version)) {
        fail(host->options.flash, "the image that starts is not the clock's");
    }
    const struct application_port port = {
        .flash = &host->flash.flash,
        .net = &host->net.net,
        .restart = restart,
        .log = print_line,
        .ctx = host,
    };
    const struct application_config config = {
        .version = host->version,
        .check_every = host->options.every,
        .id = host->options.id,
        .slot = end.address == UPD_USER1_ADDRESS ? 1 : 2,
        .map = map->number,
        .mute = host->options.mute,
        .way = &application_files,
    };
    (void)application_start(&host->application, &port, &config, host->unix_s);
    return sim_flash_has_power(&host->flash);
}

/* --- The terminal ---------------------------------------------------------------------------- */

static void show(struct host *host)
{
    const struct clock *clock = &host->application.clock;
    char drawing[DISPLAY_DRAWING_SIZE];

    host->unix_s = clock_unix_s(clock);
    if (display_same(&host->shown, &clock->display)) {
        return;
    }
    host->shown = clock->display;
    display_draw(&host->shown, drawing);
    if (isatty(STDOUT_FILENO)) {
        printf("\033[H\033[J");
    }
    printf("%s", drawing);
    fflush(stdout);
    host->quit =
        host->quit || (host->options.until != NULL && strstr(drawing, host->options.until) != NULL);
}

/* Wait for a key, or a moment. What is closed has no keys. */
static void read_keys(struct host *host, int wait_ms)
{
    static bool closed;
    struct pollfd keys = {.fd = closed ? -1 : STDIN_FILENO, .events = POLLIN};
    char key = 0;

    if (poll(&keys, 1, wait_ms) <= 0) {
        return;
    }
    if (read(STDIN_FILENO, &key, 1) != 1) {
        closed = true;
    } else if (key == 'm') {
        host->mode_pressed = !host->mode_pressed;
    } else if (key == 'q') {
        host->quit = true;
    }
}

static uint32_t now_ms(const struct host *host)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    uint64_t ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
    return (uint32_t)(ms * host->options.speed);
}

static int run(struct host *host)
{
    bool powered = boot(host);

    while (powered && !host->quit) {
        if (host->restart) {
            powered = boot(host);
            continue;
        }
        bool busy = application_step(&host->application, now_ms(host), host->mode_pressed);
        powered = sim_flash_has_power(&host->flash);
        if (powered) {
            show(host);
            read_keys(host, busy ? 0 : IDLE_MS);
        }
    }
    if (!powered) {
        printf("power failed in operation %u of the flash\n", (unsigned)host->options.cut);
    }
    return powered ? EXIT_SUCCESS : EXIT_POWER_CUT;
}

/* --- The command line ------------------------------------------------------------------------ */

static _Noreturn void misuse(const char *what)
{
    fprintf(stderr, "updraft-clock: %s\n%s", what, usage);
    exit(EXIT_USAGE);
}

static uint32_t number(const char *option, const char *text, uint32_t most)
{
    char *end = NULL;
    unsigned long value = strtoul(text, &end, 10);

    if (*text < '0' || *text > '9' || *end != '\0' || value < 1 || value > most) {
        fprintf(stderr, "updraft-clock: %s: a number from 1 to %u, not '%s'\n", option,
                (unsigned)most, text);
        exit(EXIT_USAGE);
    }
    return (uint32_t)value;
}

static void read_options(struct options *options, int argc, char **argv)
{
    static const struct option known[] = {
        {"server", required_argument, NULL, 's'},
        {"every", required_argument, NULL, 'e'},
        {"id", required_argument, NULL, 'i'},
        {"speed", required_argument, NULL, 'x'},
        {"cut", required_argument, NULL, 'c'},
        {"mute", no_argument, NULL, 'm'},
        {"until", required_argument, NULL, 'u'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int option = 0;

    *options = (struct options){.every = "1w", .id = "HOST", .speed = 1};
    while ((option = getopt_long(argc, argv, "h", known, NULL)) != -1) {
        switch (option) {
        case 's':
            options->server = optarg;
            break;
        case 'e':
            options->every = optarg;
            break;
        case 'i':
            options->id = optarg;
            break;
        case 'x':
            options->speed = number("--speed", optarg, 1000);
            break;
        case 'c':
            options->cut = number("--cut", optarg, UINT32_MAX);
            break;
        case 'm':
            options->mute = true;
            break;
        case 'u':
            options->until = optarg;
            break;
        case 'h':
            printf("%s", usage);
            exit(EXIT_SUCCESS);
        default:
            misuse("see below");
        }
    }
    if (optind != argc - 1) {
        misuse("one FLASH is needed");
    }
    if (options->server == NULL) {
        misuse("--server is needed");
    }
    options->flash = argv[optind];
}

int main(int argc, char **argv)
{
    static struct host host;

    read_options(&host.options, argc, argv);
    int problem = host_net_init(&host.net, host.options.server);
    if (problem != 0) {
        fail(host.options.server, gai_strerror(problem));
    }
    open_flash(&host);
    int status = run(&host);
    host_net_free(&host.net);
    sim_flash_free(&host.flash);
    return status;
}
