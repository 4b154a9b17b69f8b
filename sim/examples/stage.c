#define _GNU_SOURCE /* memmem() */
#include "stage.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <updraft/sim_device.h>

#include "../../firmware/examples/settings.h"

enum { SCAN = 65536, PIECE = 4096, IMAGE_MAX = 1 << 20, WAITS_MS = 20 };

struct stage stage;
struct example_settings example = {.serial = "clock-1"};

static enum sim_kind kind;
static char version[64];
static struct sim_net_trust *trust;

static _Noreturn void die(const char *what, const char *which)
{
    fprintf(stderr, "example: %s%s\n", what, which);
    exit(2);
}

uint32_t stage_millis(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint32_t)(now.tv_sec * 1000 + now.tv_nsec / 1000000) + stage.skipped_ms;
}

void stage_delay(uint32_t ms)
{
    if (ms > WAITS_MS) {
        stage.skipped_ms += ms;
        return;
    }
    struct pollfd wait = {.fd = sim_net_fd(&stage.net), .events = sim_net_events(&stage.net)};
    (void)poll(&wait, wait.fd >= 0 ? 1 : 0, (int)ms);
}

/* --- Starting --------------------------------------------------------------------------------- */

/* The version in the label of the image that runs. */
static void read_version(void)
{
    static const char before[] = "&v=";
    static const char after[] = "&FirmwareInfo_&";
    static uint8_t bytes[SCAN];

    sim_flash_peek(&stage.flash, stage.boot.address, bytes, sizeof bytes);
    const uint8_t *at = memmem(bytes, sizeof bytes, before, sizeof before - 1);
    if (at == NULL) {
        die("what runs has no label", "");
    }
    at += sizeof before - 1;
    const uint8_t *end = memmem(at, (size_t)(bytes + sizeof bytes - at), after, sizeof after - 1);
    if (end == NULL || (size_t)(end - at) >= sizeof version) {
        die("the label of what runs does not end", "");
    }
    memcpy(version, at, (size_t)(end - at));
    version[end - at] = '\0';
    example.version = version;
}

static void start(void)
{
    sim_boot(&stage.loader, &stage.flash, &stage.rtc, &stage.fuse, &stage.boot);
    if (stage.boot.end != SIM_BOOT_STARTS) {
        die("nothing starts: ", stage.boot.why != NULL ? stage.boot.why : "");
    }
    read_version();
    printf("{\"event\": \"starts\", \"address\": %u, \"version\": \"%s\"}\n", stage.boot.address,
           version);
    fflush(stdout);
}

void stage_end(void)
{
    sim_net_close(&stage.net);
    sim_net_trust_free(trust);
    sim_flash_free(&stage.flash);
    fflush(stdout);
    _exit(0); /* in the middle of the example: what it holds is nobody's any more */
}

void stage_restart(void)
{
    printf("{\"event\": \"restarts\"}\n");
    start();
    stage_end();
}

/* --- Making ----------------------------------------------------------------------------------- */

static void fill(const char *image_file)
{
    static uint8_t bytes[IMAGE_MAX];
    static uint8_t piece[PIECE];
    struct sim_flash made;
    FILE *file = image_file != NULL ? fopen(image_file, "rb") : NULL;

    if (file == NULL) {
        die("there is no image for a new device", "");
    }
    const struct sim_image image = {.data = bytes,
                                    .size = (uint32_t)fread(bytes, 1, sizeof bytes, file)};
    fclose(file);
    sim_device_base(kind, &image, &made);
    for (uint32_t at = 0; at < made.flash.total_size; at += PIECE) {
        sim_flash_peek(&made, at, piece, sizeof piece);
        sim_flash_load(&stage.flash, at, piece, sizeof piece);
    }
    sim_flash_free(&made);
}

static void read_table(void)
{
    static uint8_t table[UPD_PARTITION_TABLE_SIZE];
    uint32_t at = 0;

    sim_flash_peek(&stage.flash, UPD_PARTITION_TABLE_OFFSET, table, sizeof table);
    stage.count = STAGE_ROWS;
    const enum upd_partition_reader reader =
        kind == SIM_KIND_RTOS ? UPD_PARTITION_BY_RTOS_BOOT : UPD_PARTITION_BY_IDF_BOOT;
    if (upd_partition_read(reader, table, sizeof table, stage.flash.flash.total_size, stage.rows,
                           &stage.count, &at) != UPD_OK) {
        die("the partition table cannot be read", "");
    }
}

static void choose_loader(void)
{
    switch (kind) {
    case SIM_KIND_NONOS:
        stage.loader.kind = SIM_LOADER_NONOS_ORIGINAL;
        stage.loader.of.nonos.map = upd_flash_map(6);
        stage.loader.of.nonos.version = UPD_BOOT_V1_7;
        break;
    case SIM_KIND_RTOS:
    case SIM_KIND_IDF:
        read_table();
        stage.loader.kind = SIM_LOADER_OTADATA;
        stage.loader.of.otadata.loader =
            kind == SIM_KIND_RTOS ? UPD_OTADATA_LOADER_RTOS : UPD_OTADATA_LOADER_IDF_ROLLBACK;
        stage.loader.of.otadata.rows = stage.rows;
        stage.loader.of.otadata.count = stage.count;
        stage.loader.of.otadata.fuse_size = 31;
        break;
    case SIM_KIND_ARDUINO:
    case SIM_KIND_COUNT:
        stage.loader.kind = SIM_LOADER_EBOOT_ORIGINAL;
        break;
    }
}

static void read_certificate(const char *path)
{
    static char pem[8192];
    const char *why = NULL;
    FILE *file = fopen(path, "rb");

    if (file == NULL) {
        die("cannot read ", path);
    }
    pem[fread(pem, 1, sizeof pem - 1, file)] = '\0';
    fclose(file);
    example.certificate = pem;
    trust = sim_net_trust_new(path, &why);
    if (trust == NULL) {
        die("no certificate: ", why);
    }
}

static void read_address(const char *server)
{
    unsigned ip[4];
    unsigned port = 0;

    if (sscanf(server, "http://%u.%u.%u.%u:%u", &ip[0], &ip[1], &ip[2], &ip[3], &port) == 5) {
        for (uint32_t i = 0; i < 4; i++) {
            example.cloud_address[i] = (uint8_t)ip[i];
        }
        example.cloud_port = (uint16_t)port;
    }
}

void stage_open(const char *kind_name, int argc, char **argv)
{
    static const struct sim_geometry *const sizes = &sim_flash_4m;
    const char *flash = NULL;
    const char *image = NULL;
    bool goes_on = false;

    if (!sim_kind_find(kind_name, &kind)) {
        die("there is no kind of device ", kind_name);
    }
    stage.when = "start";
    for (int i = 1; i + 1 < argc; i += 2) {
        const char *value = argv[i + 1];
        if (strcmp(argv[i], "--flash") == 0) {
            flash = value;
        } else if (strcmp(argv[i], "--image") == 0) {
            image = value;
        } else if (strcmp(argv[i], "--server") == 0) {
            example.server = value;
            read_address(value);
        } else if (strcmp(argv[i], "--product") == 0) {
            example.product = value;
        } else if (strcmp(argv[i], "--ca") == 0) {
            read_certificate(value);
        } else if (strcmp(argv[i], "--when") == 0) {
            stage.when = value;
        } else if (strcmp(argv[i], "--running") == 0) {
            stage.boot.address = (uint32_t)strtoul(value, NULL, 0);
            stage.boot.end = SIM_BOOT_STARTS;
            goes_on = true;
        } else if (strcmp(argv[i], "--order") == 0) {
            example.cloud_version = value;
        } else {
            die("unknown option ", argv[i]);
        }
    }
    if (argc % 2 == 0 || flash == NULL || example.server == NULL || example.product == NULL) {
        die("usage: --flash FILE [--image FILE] --server URL --product KEY [...]", "");
    }
    const bool is_new = access(flash, F_OK) != 0;
    if (sim_flash_open(&stage.flash, flash, sizes, 1) != UPD_OK) {
        die("cannot open ", flash);
    }
    if (is_new) {
        fill(image);
    }
    example.at_start = strcmp(stage.when, "start") == 0;
    sim_net_open(&stage.net, trust);
    sim_rtc_power_on(&stage.rtc, SIM_RTC_GARBAGE, 1);
    choose_loader();
    if (goes_on) {
        read_version();
    } else {
        start();
    }
}
