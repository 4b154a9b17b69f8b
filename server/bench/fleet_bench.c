/*
 * What a large fleet costs: time and memory of the operations that pages and devices wait for.
 *
 * Usage: fleet_bench DIRECTORY DEVICES
 *        fleet_bench fill DIRECTORY DEVICES KIND [spread]
 *
 * Fills an empty data directory with so many devices, opens it anew, and measures. One line per
 * figure: a name, a blank, a number. bench/fleet.py runs it and says what it means. `fill` does no
 * more than that, for bench/server.py and bench/pages.py: devices of a product of this kind, of
 * several versions, last seen at several times. With `spread` three devices of ten are of three
 * other products, and there are updates: behind every fourth device, going on on every thousandth,
 * failed on every five hundredth.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fleet/fleet.h"

enum { BATCH = 10000, POLLS = 20000, THREADS = 2 };

static const struct actor root = {.kind = ACTOR_USER, .administrator = true, .name = "bench"};

static struct fleet *fleet;
static struct product product = {
    .name = "bench", .kind = KIND_ARDUINO, .chip = UPD_CHIP_ESP8266, .map = -1};
static int64_t devices;
static bool spread;
enum { OTHERS = 3 };
static struct product others[OTHERS];

static void die(const char *message)
{
    fprintf(stderr, "fleet_bench: %s\n", message);
    exit(1);
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static long resident_kb(void)
{
    char line[256];
    long kb = 0;
    FILE *status = fopen("/proc/self/status", "r");
    while (status != NULL && fgets(line, sizeof line, status) != NULL) {
        if (strncmp(line, "VmRSS:", 6) == 0) {
            kb = strtol(line + 6, NULL, 10);
        }
    }
    if (status != NULL) {
        fclose(status);
    }
    return kb;
}

static void describe(long long no, struct device *device)
{
    const struct product *of = spread && no % 10 < OTHERS ? &others[no % 10] : &product;
    *device = (struct device){.product = of->no,
                              .map = -1,
                              .standing = STANDING_ADMITTED,
                              .protocol = PROTOCOL_ESPHTTPUPDATE,
                              .free_space = 1 << 20,
                              .chip_size = 4 << 20,
                              .sketch_size = 400000,
                              .last_seen = fleet_now(fleet) - 1000 * (no % 1000000)};
    snprintf(device->version, sizeof device->version, "1.0.%lld", no % 7 == 0 ? no % 5 : 0);
    if (product.kind == KIND_NONOS) {
        strcpy(device->version, "v1.0.0t23701(a)");
    }
    snprintf(device->sdk, sizeof device->sdk, "2.2.2");
    memset(device->sketch_md5, '0', 32);
    snprintf(device->family, sizeof device->family, "house %lld", no % 100);
    snprintf(device->id, sizeof device->id, "d_%016llx", no);
    snprintf(device->name, sizeof device->name, "device %lld", no);
    snprintf(device->chip_id, sizeof device->chip_id, "%lld", no);
    snprintf(device->serial, sizeof device->serial, "S%07lld", no);
    snprintf(device->mac, sizeof device->mac, "18:fe:34:%02llx:%02llx:%02llx", no >> 16 & 255,
             no >> 8 & 255, no & 255);
    snprintf(device->device_key, sizeof device->device_key, "%040llx", no);
    snprintf(device->claim_code, sizeof device->claim_code, "c%lld", no);
}

static enum store_result put_update(struct store_view *view, long long no, struct device *device)
{
    enum update_state state = no % 1000 == 1  ? UPDATE_DOWNLOADING
                              : no % 500 == 3 ? UPDATE_FAILED
                                              : UPDATE_CONFIRMED;
    struct update update = {.device = device->no,
                            .product = device->product,
                            .release = 1,
                            .started = device->last_seen - 60000,
                            .changed = device->last_seen,
                            .size = 400000,
                            .state = (int32_t)state};
    if (state == UPDATE_CONFIRMED && no % 4 != 0) {
        return STORE_OK;
    }
    snprintf(update.id, sizeof update.id, "x_%016llx", no);
    snprintf(update.version, sizeof update.version, "1.0.0");
    if (state == UPDATE_FAILED) {
        snprintf(update.reason, sizeof update.reason, "%s", no % 3 == 0 ? "sys_timeout" : "md5");
    }
    enum store_result result = store_insert(view, STORE_UPDATE, &update);
    if (result != STORE_OK || state == UPDATE_CONFIRMED) {
        return result;
    }
    *(state == UPDATE_FAILED ? &device->failed : &device->update) =
        state == UPDATE_FAILED ? update.release : update.no;
    return store_update(view, STORE_DEVICE, device);
}

static enum store_result put_batch(struct store_view *view, void *ctx)
{
    const int64_t *first = ctx;
    struct device device;
    enum store_result result = STORE_OK;
    for (long long no = *first; no < *first + BATCH && no < devices && result == STORE_OK; no++) {
        describe(no, &device);
        result = store_insert(view, STORE_DEVICE, &device);
        if (result == STORE_OK && spread) {
            result = put_update(view, no, &device);
        }
    }
    return result;
}

static void fill(const char *directory)
{
    struct fleet_error error;
    if (fleet_open(directory, &fleet, &error) != FLEET_OK ||
        fleet_product_create(fleet, &root, &product, &error) != FLEET_OK) {
        die(error.message);
    }
    for (int i = 0; spread && i < OTHERS; i++) {
        others[i] = product;
        others[i].no = 0;
        others[i].id[0] = others[i].key[0] = '\0';
        snprintf(others[i].name, sizeof others[i].name, "bench %d", i + 2);
        if (fleet_product_create(fleet, &root, &others[i], &error) != FLEET_OK) {
            die(error.message);
        }
    }
    for (int64_t first = 0; first < devices; first += BATCH) {
        if (store_write(fleet_store(fleet), put_batch, &first) != STORE_OK) {
            die("cannot fill the database");
        }
    }
    fleet_close(fleet);
}

static int only_fill(char **words)
{
    devices = strtoll(words[1], NULL, 10);
    if (!product_kind_find(words[2], &product.kind)) {
        die("there is no such kind");
    }
    product.map = product.kind == KIND_NONOS ? 2 : -1;
    product.ptype = product.kind == KIND_NONOS ? 23701 : 0;
    fill(words[0]);
    printf("id %s\nkey %s\n", product.id, product.key);
    return 0;
}

static void *poll_some(void *seed)
{
    static _Thread_local struct fleet_answer answer;
    unsigned state = *(unsigned *)seed;
    for (int i = 0; i < POLLS; i++) {
        char chip_id[24];
        struct fleet_error error;
        struct device_facts facts = DEVICE_FACTS_INIT;
        snprintf(chip_id, sizeof chip_id, "%lld", (long long)(rand_r(&state) % devices));
        facts.protocol = PROTOCOL_ESPHTTPUPDATE;
        facts.product_key = product.key;
        facts.chip_id = chip_id;
        facts.version = "1.0.0"; /* what nearly all of them run */
        if (fleet_check(fleet, &facts, &answer, &error) != FLEET_OK ||
            answer.recognised != RECOGNISED) {
            die("a device was not recognised");
        }
    }
    return NULL;
}

static double polls_per_second(void)
{
    pthread_t threads[THREADS];
    unsigned seeds[THREADS];
    double begun = seconds();
    for (unsigned i = 0; i < THREADS; i++) {
        seeds[i] = i + 1;
        pthread_create(&threads[i], NULL, poll_some, &seeds[i]);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    return THREADS * POLLS / (seconds() - begun);
}

static void ignore(void *ctx, const struct device *device)
{
    (void)ctx;
    (void)device;
}

static void list(const char *name, const char *sort, const char *text)
{
    struct fleet_query query = {.product = "bench", .sort = sort, .text = text};
    struct fleet_page page;
    struct fleet_error error;
    double begun = seconds();
    if (fleet_device_list(fleet, &root, &query, ignore, NULL, &page, &error) != FLEET_OK) {
        die(error.message);
    }
    printf("%s %.4f\n", name, seconds() - begun);
}

int main(int argc, char **argv)
{
    struct fleet_error error;
    struct fleet_overview overview;
    if ((argc == 5 || (argc == 6 && strcmp(argv[5], "spread") == 0)) &&
        strcmp(argv[1], "fill") == 0) {
        spread = argc == 6;
        return only_fill(argv + 2);
    }
    if (argc != 3 || (devices = strtoll(argv[2], NULL, 10)) <= 0) {
        die("usage: fleet_bench DIRECTORY DEVICES");
    }
    fill(argv[1]);
    double begun = seconds();
    if (fleet_open(argv[1], &fleet, &error) != FLEET_OK) {
        die(error.message);
    }
    printf("start_s %.4f\n", seconds() - begun);
    (void)polls_per_second(); /* the database's pages come in */
    printf("polls_per_s %.0f\n", polls_per_second());
    list("page_s", NULL, NULL);
    list("page_by_name_s", "name", NULL);
    list("page_by_last_seen_s", "-last_seen", NULL);
    list("search_s", NULL, "99999");
    begun = seconds();
    if (fleet_overview(fleet, &root, NULL, &overview, &error) != FLEET_OK) {
        die(error.message);
    }
    printf("overview_s %.4f\n", seconds() - begun);
    printf("resident_mb %.1f\n", (double)resident_kb() / 1024);
    fleet_close(fleet);
    return 0;
}
