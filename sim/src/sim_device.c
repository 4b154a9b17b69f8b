#define _GNU_SOURCE /* memmem() */
#include <updraft/sim_device.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <updraft/arduino_layout.h>
#include <updraft/bytes.h>
#include <updraft/flash_map.h>
#include <updraft/journal.h>
#include <updraft/loader_record.h>
#include <updraft/partition_csv.h>
#include <updraft/sysparam.h>

enum { SECTOR = 4096, ROWS_MAX = 16, WATCHDOG_MS = 3000, LOOPS_MAX = 16, SCAN = 64 * 1024 };

/* --- The kinds --------------------------------------------------------------------------------- */

/* What a kind of chip is, once for the whole program. */
struct model {
    bool made;
    struct sim_geometry geometry;
    struct sim_loader loader;
    struct upd_partition rows[ROWS_MAX];
    uint32_t row_count;
    uint32_t slot[2]; /* flash offsets of the first two places */
    struct upd_otadata_config otadata;
    uint32_t fs_start;
    uint32_t max_sketch;
};

static struct model models[SIM_KIND_COUNT];

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "simulation: %s\n", what);
    exit(3);
}

const char *sim_kind_name(enum sim_kind kind)
{
    static const char *const names[] = {
#define X(NAME, name, text) name,
        SIM_KINDS(X)
#undef X
    };

    return (uint32_t)kind < SIM_KIND_COUNT ? names[kind] : "unknown";
}

bool sim_kind_find(const char *name, enum sim_kind *kind)
{
    for (uint32_t i = 0; i < SIM_KIND_COUNT; i++) {
        if (strcmp(name, sim_kind_name((enum sim_kind)i)) == 0) {
            *kind = (enum sim_kind)i;
            return true;
        }
    }
    return false;
}

static void make_nonos(struct model *model)
{
    const struct upd_flash_map *map = upd_flash_map(6);

    model->geometry = (struct sim_geometry)SIM_GEOMETRY(map->size);
    model->loader.kind = SIM_LOADER_NONOS;
    model->loader.of.nonos.map = map;
    model->loader.of.nonos.version = UPD_BOOT_V1_7;
    model->slot[0] = upd_flash_map_slot(map, UPD_SLOT_USER1);
    model->slot[1] = upd_flash_map_slot(map, UPD_SLOT_USER2);
}

static void make_otadata(struct model *model, enum sim_kind kind)
{
    const bool rtos = kind == SIM_KIND_RTOS;
    enum upd_partition_dialect dialect = rtos ? UPD_PARTITION_RTOS : UPD_PARTITION_IDF;
    struct upd_partition_rules rules = UPD_PARTITION_RULES(dialect);
    const struct upd_partition_builtin *table = upd_partition_builtin(dialect, "two_ota");
    char error[256], scratch[4096];
    struct upd_partition_log log = {.error = upd_text_on(error, sizeof error)};
    struct upd_partition_source sources[ROWS_MAX];
    struct upd_partition_list list = {
        .rows = model->rows, .sources = sources, .capacity = ROWS_MAX};
    uint32_t slots = 0;

    if (upd_partition_csv_read(&rules, table->csv, (uint32_t)strlen(table->csv), scratch,
                               sizeof scratch, &list, &log) != UPD_OK) {
        die(error);
    }
    model->row_count = list.count;
    model->geometry = (struct sim_geometry)SIM_GEOMETRY(0x400000);
    model->loader.kind = SIM_LOADER_OTADATA;
    model->loader.of.otadata.loader =
        rtos ? UPD_OTADATA_LOADER_RTOS : UPD_OTADATA_LOADER_IDF_ROLLBACK;
    model->loader.of.otadata.rows = model->rows;
    model->loader.of.otadata.count = model->row_count;
    model->loader.of.otadata.fuse_size = 31;
    for (uint32_t i = 0; i < model->row_count && slots < 2; i++) {
        const struct upd_partition *row = &model->rows[i];
        if (row->type == UPD_PARTITION_APP && row->subtype != UPD_PARTITION_APP_FACTORY) {
            model->slot[slots++] = row->offset;
        }
    }
    model->otadata = (struct upd_otadata_config){
        .rows = model->rows,
        .count = model->row_count,
        .loader = model->loader.of.otadata.loader,
        .chip = rtos ? UPD_CHIP_ESP8266 : UPD_CHIP_ESP32,
        .chip_revision = UPD_IMAGE_ANY_REVISION,
        .efuse_revision = UPD_IMAGE_ANY_REVISION,
    };
}

static void make_arduino(struct model *model)
{
    struct upd_arduino_layout layout;

    if (upd_arduino_layout_find("4m2m", 4, &layout) != UPD_OK) {
        die("there is no layout 4m2m");
    }
    model->geometry = (struct sim_geometry)SIM_GEOMETRY(layout.chip_size);
    model->loader.kind = SIM_LOADER_EBOOT;
    model->fs_start = layout.fs_start;
    model->max_sketch = layout.max_file;
}

static struct model *model_of(enum sim_kind kind)
{
    if ((uint32_t)kind >= SIM_KIND_COUNT) {
        die("there is no such kind of device");
    }
    struct model *model = &models[kind];
    if (!model->made) {
        switch (kind) {
        case SIM_KIND_NONOS:
            make_nonos(model);
            break;
        case SIM_KIND_RTOS:
        case SIM_KIND_IDF:
            make_otadata(model, kind);
            break;
        case SIM_KIND_ARDUINO:
            make_arduino(model);
            break;
        case SIM_KIND_COUNT:
            break;
        }
        model->made = true;
    }
    return model;
}

uint32_t sim_kind_places(enum sim_kind kind)
{
    return kind == SIM_KIND_NONOS ? 2 : 1;
}

struct sim_image sim_kind_image(enum sim_kind kind, uint32_t place, const char *version,
                                enum sim_plan plan, uint32_t size, uint64_t seed)
{
    const struct sim_recipe recipe = {
        .size = size,
        .seed = seed,
        .offset = model_of(kind)->slot[place],
        .slot = (uint8_t)(place + 1),
        .map = 6,
        .name = version,
        .plan = plan,
    };

    switch (kind) {
    case SIM_KIND_NONOS:
        return sim_image_nonos(&recipe);
    case SIM_KIND_RTOS:
        return sim_image_rtos(&recipe);
    case SIM_KIND_IDF:
        return sim_image_idf(&recipe);
    case SIM_KIND_ARDUINO:
    case SIM_KIND_COUNT:
        break;
    }
    return sim_image_arduino(&recipe);
}

/* --- A flash from the factory ------------------------------------------------------------------ */

static void load_record(struct sim_flash *flash, uint32_t journal, bool installs)
{
    const struct upd_loader_record record = {
        .version = 1, .counts = true, .installs = installs, .journal = journal};
    uint8_t bytes[UPD_LOADER_RECORD_SIZE];

    upd_loader_record_encode(&record, bytes);
    sim_flash_load(flash, UPD_LOADER_RECORD_OFFSET, bytes, sizeof bytes);
}

/* As the loader leaves it at its first start: user1, in the copy that the flag selects. */
static void load_nonos(const struct model *model, struct sim_flash *flash)
{
    const struct upd_flash_map *map = model->loader.of.nonos.map;
    const uint8_t header[4] = {0xE9, 3, 0, (uint8_t)(map->number << 4)};
    const uint8_t user1[2] = {0xFC, 0xE0 | UPD_BOOT_V1_7};
    const uint32_t base = upd_flash_map_sysparam(map);

    sim_flash_load(flash, 0, header, sizeof header);
    sim_flash_load(flash, base + SECTOR, user1, sizeof user1);
    sim_flash_load(flash, base + 3 * SECTOR, "", 1);
    load_record(flash, UPD_LOADER_NO_JOURNAL, false);
}

static void load_otadata(const struct model *model, struct sim_flash *flash)
{
    uint8_t table[UPD_PARTITION_TABLE_SIZE];
    uint8_t record[UPD_OTADATA_RECORD_SIZE];

    if (upd_partition_build(model->rows, model->row_count, true, table) != UPD_OK) {
        die("the partition table cannot be made");
    }
    sim_flash_load(flash, UPD_PARTITION_TABLE_OFFSET, table, sizeof table);
    upd_otadata_encode(record, 1, UPD_OTADATA_VALID);
    for (uint32_t i = 0; i < model->row_count; i++) {
        const struct upd_partition *row = &model->rows[i];
        if (row->type == UPD_PARTITION_DATA && row->subtype == UPD_PARTITION_DATA_OTA) {
            sim_flash_load(flash, row->offset, record, sizeof record);
        }
    }
}

static void load(enum sim_kind kind, const struct sim_image *image, struct sim_flash *flash)
{
    const struct model *model = model_of(kind);

    sim_flash_load(flash, kind == SIM_KIND_ARDUINO ? 0 : model->slot[0], image->data, image->size);
    switch (kind) {
    case SIM_KIND_NONOS:
        load_nonos(model, flash);
        break;
    case SIM_KIND_RTOS:
    case SIM_KIND_IDF:
        load_otadata(model, flash);
        break;
    case SIM_KIND_ARDUINO:
        load_record(flash, model->fs_start - SECTOR, true);
        break;
    case SIM_KIND_COUNT:
        break;
    }
}

void sim_device_base(enum sim_kind kind, const struct sim_image *image, struct sim_flash *flash)
{
    sim_flash_init(flash, &model_of(kind)->geometry, 1);
    load(kind, image, flash);
}

/* --- What runs --------------------------------------------------------------------------------- */

/* The text between two others in the first bytes of an image. */
static bool find_between(const uint8_t *bytes, uint32_t size, const char *before, const char *after,
                         char *text, uint32_t room)
{
    const size_t skip = strlen(before);
    const uint8_t *at = memmem(bytes, size, before, skip);

    if (at == NULL) {
        return false;
    }
    at += skip;
    const uint8_t *end = memmem(at, size - (uint32_t)(at - bytes), after, strlen(after));
    if (end == NULL || end == at || (size_t)(end - at) >= room) {
        return false;
    }
    memcpy(text, at, (size_t)(end - at));
    text[end - at] = '\0';
    return true;
}

/* Version and plan of the image that was started. */
static void read_label(struct sim_device *device)
{
    static uint8_t bytes[SCAN];
    const struct sim_flash *flash = &device->flash;
    uint32_t size = flash->flash.total_size - device->boot.address;
    char plan[16];

    size = size < sizeof bytes ? size : (uint32_t)sizeof bytes;
    sim_flash_peek(flash, device->boot.address, bytes, size);
    device->plan = SIM_PLAN_WORKS;
    if (find_between(bytes, size, "&FirmwareInfo_&plan=", "&", plan, sizeof plan)) {
        (void)sim_plan_find(plan, &device->plan);
    }
    if (find_between(bytes, size, "&v=", "&FirmwareInfo_&", device->version,
                     sizeof device->version)) {
        return;
    }
    static const uint8_t magic[4] = {0x32, 0x54, 0xCD, 0xAB};
    const uint8_t *descriptor = memmem(bytes, size < 512 ? size : 512, magic, sizeof magic);
    if (descriptor != NULL) {
        snprintf(device->version, sizeof device->version, "%.32s", (const char *)descriptor + 16);
    } else {
        snprintf(device->version, sizeof device->version, "%s",
                 device->config.identity.version != NULL ? device->config.identity.version : "");
    }
}

/* --- The ports of the library ------------------------------------------------------------------ */

static uint32_t random_bits(void *ctx)
{
    return (uint32_t)sim_random_next(&((struct sim_device *)ctx)->random);
}

static enum upd_err save_memo(void *ctx, const uint8_t *memo)
{
    struct sim_device *device = ctx;

    memcpy(device->memo, memo, sizeof device->memo);
    device->has_memo = true;
    return UPD_OK;
}

static enum upd_err load_memo(void *ctx, uint8_t *memo)
{
    const struct sim_device *device = ctx;

    if (!device->has_memo) {
        return UPD_E_NOT_FOUND;
    }
    memcpy(memo, device->memo, sizeof device->memo);
    return UPD_OK;
}

static void hear(void *ctx, const struct upd_agent *agent, enum upd_agent_event event)
{
    struct sim_device *device = ctx;

    (void)agent;
    /* What an agent says whose flash has no power, nobody hears. */
    if (device->config.event != NULL && sim_flash_has_power(&device->flash)) {
        device->config.event(device, event);
    }
}

static enum upd_err write_rtc(void *ctx, const uint8_t block[UPD_EBOOT_COMMAND_SIZE])
{
    return sim_rtc_write(&((struct sim_device *)ctx)->rtc, SIM_RTC_USER_BLOCK, block,
                         UPD_EBOOT_COMMAND_SIZE);
}

/* Bytes of the sketch that runs: its own length word, behind its loader. */
static uint32_t sketch_size(const struct sim_device *device)
{
    uint8_t word[4];

    sim_flash_peek(&device->flash, 0x1010, word, sizeof word);
    return upd_get_le32(word);
}

static enum upd_err open_scheme(struct sim_device *device)
{
    struct model *model = model_of(device->config.kind);

    switch (device->config.kind) {
    case SIM_KIND_NONOS: {
        const struct upd_nonos_config config = {.running = device->boot.address,
                                                .flash_map = UPD_IMAGE_ANY};
        return upd_nonos_open(&device->device, &device->flash.flash, &config);
    }
    case SIM_KIND_RTOS:
    case SIM_KIND_IDF:
        device->of.otadata = model->otadata;
        device->of.otadata.running = device->boot.address;
        return upd_otadata_open(&device->device, &device->flash.flash, &device->of.otadata);
    case SIM_KIND_ARDUINO:
    case SIM_KIND_COUNT:
        break;
    }
    device->of.eboot = (struct upd_eboot_config){
        .sketch_size = sketch_size(device),
        .fs_start = model->fs_start,
        .max_sketch = model->max_sketch,
        .rtc_write = write_rtc,
        .ctx = device,
    };
    return upd_eboot_open(&device->device, &device->flash.flash, &device->of.eboot);
}

static void start_agent(struct sim_device *device)
{
    const struct sim_device_config *config = &device->config;
    struct upd_agent_config agent = {
        .device = &device->device,
        .transport = config->transport,
        .patience = config->patience,
        .protocol = config->protocol,
        .url = config->url,
        .identity = &device->identity,
        .buffer = device->buffer,
        .buffer_size = sizeof device->buffer,
        .inflate = config->inflate,
        .inflate_ctx = config->inflate_ctx,
        .every_s = config->every_s,
        .trial_s = config->trial_s,
        .at_start = !config->quiet_start,
        .consent = config->consent,
        .random = random_bits,
        .clock = config->clock,
        .save = save_memo,
        .load = load_memo,
        .event = hear,
        .ctx = device,
    };

    device->identity = config->identity;
    device->identity.version = device->version;
    if (config->link_transport != NULL) {
        const struct upd_link_config link = {
            .transport = config->link_transport,
            .host = config->link_host,
            .port = config->link_port,
            .tls = config->link_tls,
            .token = config->token,
            .buffer = device->link_buffer,
            .buffer_size = UPD_LINK_BUFFER,
            .random = random_bits,
            .ctx = device,
        };
        const bool activated = device->link.activated;
        upd_link_init(&device->link, &link, device->now_ms);
        device->link.activated = activated;
        agent.orders = &upd_link_orders;
        agent.orders_ctx = &device->link;
    }
    upd_agent_init(&device->agent, &agent, device->now_ms);
}

/* --- Power and resets -------------------------------------------------------------------------- */

static void hang_up(struct sim_device *device)
{
    const struct sim_device_config *config = &device->config;

    if (config->transport != NULL) {
        config->transport->close(config->transport->ctx);
    }
    if (config->link_transport != NULL) {
        config->link_transport->close(config->link_transport->ctx);
    }
}

/* True when power went. */
static bool is_dark(struct sim_device *device)
{
    if (sim_flash_has_power(&device->flash)) {
        return false;
    }
    hang_up(device);
    device->state = SIM_DEVICE_OFF;
    device->cuts++;
    return true;
}

/* What the application does at its start. @return false: it resets the chip */
static bool start(struct sim_device *device)
{
    enum upd_start todo = UPD_START_GO_ON;

    read_label(device);
    if (device->config.started != NULL) {
        device->config.started(device);
    }
    if (device->plan == SIM_PLAN_CRASHES) {
        return false;
    }
    if (device->plan == SIM_PLAN_HANGS) {
        device->state = SIM_DEVICE_HANGS;
        device->since_ms = device->now_ms;
        return true;
    }
    if (open_scheme(device) != UPD_OK || upd_device_start(&device->device, &todo) != UPD_OK) {
        return is_dark(device); /* without power it is off; else the next start may go better */
    }
    if (todo == UPD_START_RESTART) {
        return false;
    }
    start_agent(device);
    device->view = device->agent.view;
    device->state = SIM_DEVICE_RUNS;
    return true;
}

/* From a reset to an image that runs. Crashes are followed through, up to a bound. */
static void reset(struct sim_device *device)
{
    hang_up(device);
    for (uint32_t i = 0; i < LOOPS_MAX; i++) {
        device->resets++;
        sim_boot(&device->loader, &device->flash, &device->rtc, &device->fuse, &device->boot);
        if (device->boot.end == SIM_BOOT_CUT) {
            (void)is_dark(device);
            return;
        }
        if (device->boot.end == SIM_BOOT_DEAD) {
            device->state = SIM_DEVICE_DEAD;
            return;
        }
        if (start(device)) {
            return;
        }
    }
    device->state = SIM_DEVICE_HANGS; /* goes on crashing, a little later */
    device->since_ms = device->now_ms;
}

void sim_device_power_on(struct sim_device *device, uint32_t now_ms)
{
    device->now_ms = now_ms;
    sim_flash_power_on(&device->flash);
    sim_rtc_power_on(&device->rtc, SIM_RTC_GARBAGE, sim_random_next(&device->random));
    reset(device);
}

void sim_device_power_off(struct sim_device *device)
{
    if (device->state != SIM_DEVICE_OFF) {
        sim_flash_power_off(&device->flash);
        (void)is_dark(device);
    }
}

uint32_t sim_device_poll(struct sim_device *device, uint32_t now_ms)
{
    uint32_t wait = UINT32_MAX;

    device->now_ms = now_ms;
    switch (device->state) {
    case SIM_DEVICE_OFF:
    case SIM_DEVICE_DEAD:
        break;
    case SIM_DEVICE_HANGS:
        wait = now_ms - device->since_ms;
        if (wait >= WATCHDOG_MS) {
            reset(device);
            wait = 0;
        } else {
            wait = WATCHDOG_MS - wait;
        }
        break;
    case SIM_DEVICE_RUNS:
        wait = upd_agent_poll(&device->agent, now_ms);
        if (!is_dark(device) && device->agent.state == UPD_AGENT_RESTART) {
            reset(device);
            wait = 0;
        }
        break;
    }
    return wait;
}

/* --- */

static enum upd_err open_flash(struct sim_device *device, const struct model *model)
{
    const struct sim_device_config *config = &device->config;

    if (config->file != NULL) {
        return sim_flash_open(&device->flash, config->file, &model->geometry, config->seed);
    }
    if (config->base != NULL) {
        sim_flash_fork(&device->flash, config->base);
    } else {
        sim_flash_init(&device->flash, &model->geometry, config->seed);
    }
    return UPD_OK;
}

enum upd_err sim_device_make(struct sim_device *device, const struct sim_device_config *config,
                             const uint8_t *memo, uint32_t now_ms)
{
    const struct model *model = model_of(config->kind);

    *device = (struct sim_device){.config = *config, .loader = model->loader, .now_ms = now_ms};
    device->random.state = config->seed;
    if (memo != NULL) {
        (void)save_memo(device, memo);
    }
    const enum upd_err err = open_flash(device, model);
    if (err != UPD_OK) {
        return err;
    }
    if (config->image != NULL) {
        load(config->kind, config->image, &device->flash);
    }
    if (config->link_transport != NULL) {
        device->link_buffer = malloc(UPD_LINK_BUFFER);
        if (device->link_buffer == NULL) {
            die("out of memory");
        }
    }
    sim_device_power_on(device, now_ms);
    return UPD_OK;
}

void sim_device_free(struct sim_device *device)
{
    hang_up(device);
    sim_flash_free(&device->flash);
    free(device->link_buffer);
}
