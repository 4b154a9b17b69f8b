#include "life.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <updraft/gunzip.h>
#include <updraft/sysparam.h>

const char *const kind_names[KIND_COUNT] = {
#define X(name, text) text,
    KINDS(X)
#undef X
};
const char *const outcome_names[OUTCOME_COUNT] = {
#define X(name, text) text,
    OUTCOMES(X)
#undef X
};

bool life_verbose;

static void say(const struct life *life, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void say(const struct life *life, const char *format, ...)
{
    va_list arguments;

    (void)life;
    if (life_verbose) {
        va_start(arguments, format);
        vprintf(format, arguments);
        va_end(arguments);
    }
}

/* --- What must not happen --------------------------------------------------------------------- */

static enum end complain(struct life *life, bool *what, const char *text, uint32_t offset)
{
    if (life->complaint[0] == 0) {
        snprintf(life->complaint, sizeof life->complaint, "%s (flash offset 0x%x)", text, offset);
    }
    *what = true;
    return END_DEAD;
}

static bool lies_in(const struct upd_area *area, uint32_t offset)
{
    return offset >= area->offset && offset - area->offset < area->size;
}

/* No operation touches another sector than its own: so it is enough to look where each one goes. */
static void check_place(struct life *life, uint32_t offset)
{
    const struct setup *setup = life->setup;
    bool allowed = false;

    for (uint32_t i = 0; i < setup->area_count; i++) {
        allowed |= lies_in(&setup->area[i], offset);
    }
    if (!allowed) {
        complain(life, &life->lost, "a write to what is the user's", offset);
    }
    if (life->in_loader) {
        return;
    }
    struct upd_area running = {setup->slot[life->place].offset,
                               setup->image[life->runs][life->place].size};
    if (lies_in(&running, offset)) {
        complain(life, &life->lost, "a write to the image that runs", offset);
    }
}

static void on_operation(void *ctx, struct sim_flash *sim, const struct sim_op *op,
                         const void *data)
{
    struct life *life = ctx;

    (void)sim;
    say(life, "    %s 0x%06x %u\n", op->kind == SIM_ERASE ? "erase  " : "program", op->offset,
        op->size);
    check_place(life, op->offset);
    if (life->hook != NULL) {
        life->hook(life->hook_ctx, life, op, data);
    }
}

/* Byte by byte what the maker built, and no cell of it unstable. eboot's own sector is no part. */
static bool holds(const struct life *life, uint32_t place, enum version version)
{
    const struct file *image = &life->setup->image[version][place];
    uint32_t skip = life->setup->scheme == EBOOT ? SECTOR : 0;
    uint32_t offset = life->setup->slot[place].offset;
    uint8_t chunk[SECTOR];

    for (uint32_t at = skip; at < image->size; at += SECTOR) {
        uint32_t size = image->size - at < SECTOR ? image->size - at : SECTOR;
        sim_flash_peek(&life->sim, offset + at, chunk, size);
        if (memcmp(chunk, image->data + at, size) != 0) {
            return false;
        }
    }
    return sim_flash_unstable(&life->sim, offset + skip, image->size - skip) == 0;
}

/* What began to run, or false. */
static bool identify(struct life *life)
{
    for (life->place = 0; life->place < life->setup->slot_count; life->place++) {
        if (life->setup->slot[life->place].offset != life->boot.address) {
            continue;
        }
        for (uint32_t version = 0; version < VERSIONS; version++) {
            if (holds(life, life->place, (enum version)version)) {
                life->runs = (enum version)version;
                return true;
            }
        }
    }
    return false;
}

/* NONOS: the Wi-Fi settings lie behind the boot block, and move with it from copy to copy. */
bool life_has_settings(struct life *life)
{
    uint32_t base = upd_flash_map_sysparam(life->setup->loader.of.nonos.map);
    const struct upd_flash *flash = &life->sim.flash;
    uint8_t bytes[UPD_SYSPARAM_SDK_SIZE], flag;

    /* Read as a device reads it only where that is a matter of chance: a fault of reading that hits
     * this test loses nothing. */
    uint32_t at = base + UPD_SYSPARAM_SECTOR_FLAG * SECTOR;
    sim_flash_peek(&life->sim, at, &flag, 1);
    if (sim_flash_unstable(&life->sim, at, 1) > 0) {
        (void)!flash->read(flash->ctx, at, &flag, 1);
    }
    uint32_t copy = base + (flag == 0 ? 1u : 2u) * SECTOR;
    sim_flash_peek(&life->sim, copy, bytes, sizeof bytes);
    if (sim_flash_unstable(&life->sim, copy, sizeof bytes) > 0) {
        return false;
    }
    for (uint32_t i = UPD_BOOT_BLOCK_SIZE; i < sizeof bytes; i++) {
        if (bytes[i] != (uint8_t)(i * 7 + (i >> 8))) {
            return false;
        }
    }
    return true;
}

/* --- The application -------------------------------------------------------------------------- */

/* True when the session goes on; else *end says how it ended. */
static bool goes_on(struct life *life, enum upd_err err, const char *during, enum end *end)
{
    life->err = err;
    life->during = during;
    if (!sim_flash_has_power(&life->sim)) {
        *end = END_CUT;
        return false;
    }
    *end = END_FAILED;
    return err == UPD_OK;
}

static enum upd_err fuse_read(void *ctx, uint32_t *version)
{
    *version = ((struct life *)ctx)->fuse;
    return UPD_OK;
}

static enum upd_err fuse_burn(void *ctx, uint32_t version)
{
    ((struct life *)ctx)->fuse = version;
    return UPD_OK;
}

static enum upd_err rtc_write(void *ctx, const uint8_t block[UPD_EBOOT_COMMAND_SIZE])
{
    return sim_rtc_write(&((struct life *)ctx)->rtc, SIM_RTC_USER_BLOCK, block,
                         UPD_EBOOT_COMMAND_SIZE);
}

/* What the device's ports say of themselves. The union of all schemes; one per life is used. */
struct ports {
    struct upd_otadata_config otadata;
    struct upd_eboot_config eboot;
};

static enum upd_err open_device(struct life *life, struct ports *ports)
{
    const struct setup *setup = life->setup;

    switch (setup->scheme) {
    case NONOS: {
        struct upd_nonos_config config = {.running = life->boot.address,
                                          .flash_map = UPD_IMAGE_ANY};
        return upd_nonos_open(&life->device, &life->sim.flash, &config);
    }
    case OTADATA:
        ports->otadata = (struct upd_otadata_config){
            .rows = setup->rows,
            .count = setup->row_count,
            .running = life->boot.address,
            .loader = setup->loader.of.otadata.loader,
            .chip = setup->loader.of.otadata.loader == UPD_OTADATA_LOADER_RTOS ? UPD_CHIP_ESP8266
                                                                               : UPD_CHIP_ESP32,
            .chip_revision = UPD_IMAGE_ANY_REVISION,
            .efuse_revision = UPD_IMAGE_ANY_REVISION,
            .ctx = life};
        if (setup->loader.of.otadata.loader == UPD_OTADATA_LOADER_IDF_ANTI_ROLLBACK) {
            ports->otadata.fuse_read = fuse_read;
            ports->otadata.fuse_burn = fuse_burn;
        }
        return upd_otadata_open(&life->device, &life->sim.flash, &ports->otadata);
    case EBOOT:
        ports->eboot = (struct upd_eboot_config){.sketch_size = setup->image[life->runs][0].size,
                                                 .fs_start = setup->arduino.fs_start,
                                                 .max_sketch = setup->arduino.max_sketch,
                                                 .accept_no_way_back = !setup->way_back,
                                                 .rtc_write = rtc_write,
                                                 .ctx = life};
#ifdef WITHOUT_EBOOT
        return UPD_E_ARG;
#else
        return upd_eboot_open(&life->device, &life->sim.flash, &ports->eboot);
#endif
    }
    return UPD_E_ARG;
}

/* Bytes come as a network brings them: never as flash would like to have them. */
static uint32_t next_piece(uint32_t at)
{
    static const uint32_t pieces[] = {1460, 536, 1, 2920, 255, 257};

    return pieces[at / 1024 % (sizeof pieces / sizeof pieces[0])];
}

static enum upd_err feed(struct upd_writer *writer, const struct file *file, uint32_t from,
                         uint32_t to)
{
    enum upd_err err = UPD_OK;

    while (err == UPD_OK && from < to) {
        uint32_t size = next_piece(from);
        size = to - from < size ? to - from : size;
        err = upd_writer_write(writer, file->data + from, size);
        from += size;
    }
    return err;
}

static uint32_t target_place(const struct life *life)
{
    /* Slots are numbered from 0; in `slot` factory stands before them. */
    uint32_t first = 0;

    for (uint32_t i = 0; i < life->setup->row_count; i++) {
        first += life->setup->rows[i].type == UPD_PARTITION_APP &&
                 life->setup->rows[i].subtype == UPD_PARTITION_APP_FACTORY;
    }
    return life->setup->scheme == EBOOT ? 0 : first + (uint8_t)life->view.target;
}

static enum end download(struct life *life, struct upd_writer *writer, uint32_t place)
{
    const struct file *image = &life->setup->image[NEW][place];
    struct upd_update update = {.size = image->size, .validator = "v2", .validator_size = 2};
    uint32_t from = 0;
    enum end end;
    enum upd_err err = upd_writer_resume(writer, &life->device, &update, &from);

    if (err == UPD_E_NOT_FOUND || err == UPD_E_CHANGED) {
        from = 0;
        err = upd_writer_begin(writer, &life->device, &update);
    }
    if (!goes_on(life, err, "upd_writer_resume or _begin", &end)) {
        return end;
    }
    if (from < SECTOR) {
        uint32_t half = SECTOR + image->size / 2 % SECTOR;
        half = half < image->size ? half : image->size - 1;
        if (!goes_on(life, feed(writer, image, from, half), "upd_writer_write", &end)) {
            return end;
        }
        return END_RESTART;
    }
    err = feed(writer, image, from, image->size);
    if (err == UPD_E_CHANGED) {
        return END_RESTART; /* a cut left more than was kept; the next attempt takes none of it */
    }
    return goes_on(life, err, "upd_writer_write", &end) &&
                   goes_on(life, upd_writer_end(writer), "upd_writer_end", &end)
               ? END_DONE
               : end;
}

static enum end download_at_once(struct life *life, struct upd_writer *writer, uint32_t place)
{
    const struct file *image = &life->setup->image[NEW][place];
    static const struct upd_update nothing_known = {0};
    enum end end;

    if (!goes_on(life, upd_writer_begin(writer, &life->device, &nothing_known), "upd_writer_begin",
                 &end) ||
        !goes_on(life, feed(writer, image, 0, image->size), "upd_writer_write", &end) ||
        !goes_on(life, upd_writer_end(writer), "upd_writer_end", &end)) {
        return end;
    }
    return END_DONE;
}

static enum upd_err feed_gzip(struct upd_gunzip *gunzip, const struct file *file)
{
    enum upd_err err = UPD_OK;
    uint32_t from = 0;

    while (err == UPD_OK && from < file->size) {
        uint32_t size = next_piece(from);
        size = file->size - from < size ? file->size - from : size;
        err = upd_gunzip_write(gunzip, file->data + from, size);
        from += size;
    }
    return err;
}

static enum end download_gzip(struct life *life, struct upd_writer *writer, uint32_t place)
{
    static uint8_t window[32768];
    const struct file *gzip = &life->setup->gzip[place];
    struct upd_update update = {.validator = "v2.gz", .validator_size = 5, .gzip = true};
    struct upd_gunzip gunzip;
    uint32_t from = 0;
    enum end end;
    enum upd_err err = upd_writer_resume(writer, &life->device, &update, &from);

    if (err == UPD_E_NOT_FOUND || err == UPD_E_CHANGED) {
        err = upd_writer_begin(writer, &life->device, &update);
    }
    if (!goes_on(life, err, "upd_writer_resume or _begin", &end) ||
        !goes_on(life, upd_gunzip_begin(&gunzip, writer, window, sizeof window), "upd_gunzip_begin",
                 &end) ||
        !goes_on(life, feed_gzip(&gunzip, gzip), "upd_gunzip_write", &end) ||
        !goes_on(life, upd_gunzip_end(&gunzip), "upd_gunzip_end", &end)) {
        return end;
    }
    return END_DONE;
}

static enum end update(struct life *life)
{
    struct upd_writer writer;
    uint32_t place = target_place(life);
    enum end end;

    if (place >= life->setup->slot_count) {
        return complain(life, &life->brick, "there is no target", 0);
    }
    end = life->kind == KIND_FULL   ? download_at_once(life, &writer, place)
          : life->kind == KIND_GZIP ? download_gzip(life, &writer, place)
                                    : download(life, &writer, place);
    if (end != END_DONE ||
        !goes_on(life, upd_writer_activate(&writer), "upd_writer_activate", &end)) {
        return end;
    }
    return END_RESTART;
}

static enum end run_old(struct life *life)
{
    enum end end;

    if (life->view.pending) {
        return END_RESTART;
    }
    if (life->view.fall != UPD_FALL_NONE) {
        if (!goes_on(life, upd_device_acknowledge(&life->device), "upd_device_acknowledge", &end)) {
            return end;
        }
        if (life->outcome != OUTCOME_CONFIRMED) {
            return END_DONE;
        }
    }
    return update(life);
}

/* The word in which IDF's loader keeps the trial: does it read differently each time, and is it one that
 * the loader does not know? In one of the records at least. */
static void look_at_trial(const struct life *life, bool *undecided, bool *unknown)
{
    enum { STATE_AT = 24, STATE_SIZE = 4 };
    bool kept_by_loader = life->setup->scheme == OTADATA && life->setup->counts;

    *undecided = *unknown = false;
    for (uint32_t copy = 0; copy < 2 && kept_by_loader; copy++) {
        uint32_t at = life->setup->area[0].offset + copy * SECTOR + STATE_AT;
        uint8_t state[STATE_SIZE];
        sim_flash_peek(&life->sim, at, state, sizeof state);
        uint32_t value = upd_get_le32(state);
        *undecided |= sim_flash_unstable(&life->sim, at, STATE_SIZE) > 0;
        *unknown |= value > UPD_OTADATA_ABORTED && value != UPD_OTADATA_UNDEFINED;
    }
}

bool life_has_doubtful_trial(const struct life *life)
{
    bool undecided, unknown;

    look_at_trial(life, &undecided, &unknown);
    return (undecided || unknown) && life->outcome != OUTCOME_CONFIRMED;
}

static enum end run_new(struct life *life)
{
    enum end end;

    if (life->outcome == OUTCOME_CONFIRMED) {
        enum upd_err err = upd_device_confirm(&life->device);
        if (goes_on(life, err, "upd_device_confirm", &end)) {
            return END_DONE;
        }
        /* Another image is selected by now, as the library reads it: a restart settles that. */
        return err == UPD_E_STATE ? END_RESTART : end;
    }
    if (life->outcome == OUTCOME_NEVER) {
        /* While it is on trial it must not be able to overwrite what it would fall back to. */
        struct upd_writer writer;
        static const struct upd_update nothing_known = {0};
        enum upd_err err = upd_writer_begin(&writer, &life->device, &nothing_known);
        if (!goes_on(life, UPD_OK, "upd_writer_begin on trial", &end)) {
            return end;
        }
        if (err != UPD_E_STATE && life->setup->way_back) {
            bool unknown; /* the library is to see, and to mend */
            look_at_trial(life, &life->lost_trial, &unknown);
            return complain(life, &life->brick, "an image on trial may begin an update", 0);
        }
    }
    return END_RESTART;
}

static enum end run(struct life *life)
{
    struct ports ports;
    enum upd_start todo = UPD_START_GO_ON;
    enum end end;

    if (life->runs == NEW && life->outcome == OUTCOME_CRASHES && life->setup->counts) {
        return END_RESTART;
    }
    if (!goes_on(life, open_device(life, &ports), "open", &end) ||
        !goes_on(life, upd_device_start(&life->device, &todo), "upd_device_start", &end)) {
        return end;
    }
    if (todo == UPD_START_RESTART) {
        return END_RESTART;
    }
    if (!goes_on(life, upd_device_view(&life->device, &life->view), "upd_device_view", &end)) {
        return end;
    }
    return life->runs == NEW ? run_new(life) : run_old(life);
}

/* A promise of the library to the flash, broken. Each is said once. */
static bool breaks_contract(struct life *life)
{
    struct sim_violation violation = sim_flash_violation(&life->sim);
    bool more = violation.count > life->violations;

    life->violations = violation.count;
    if (more) {
        snprintf(life->complaint, sizeof life->complaint,
                 "the contract of the flash was broken; the first time at 0x%x, %u bytes",
                 violation.offset, violation.size);
    }
    return more;
}

bool life_boot(struct life *life, enum end *end)
{
    life->in_loader = true;
    sim_boot(&life->setup->loader, &life->sim, &life->rtc, &life->fuse, &life->boot);
    life->in_loader = false;
    if (life->boot.end == SIM_BOOT_CUT) {
        *end = END_CUT;
    } else if (life->boot.end == SIM_BOOT_DEAD) {
        *end = complain(life, &life->brick, life->boot.why, 0);
    } else if (!identify(life)) {
        *end = complain(life, &life->unverified, "what runs is no whole image", life->boot.address);
    } else {
        return true;
    }
    return false;
}

enum end life_session(struct life *life)
{
    enum end end;

    if (!life_boot(life, &end)) {
        return end;
    }
    if (life->setup->scheme == NONOS && !life_has_settings(life)) {
        return complain(life, &life->lost, "the settings are gone", 0);
    }
    end = run(life);
    return life->lost || breaks_contract(life) ? END_DEAD : end;
}

enum end life_to_end(struct life *life)
{
    static const char *const ends[] = {"cut", "restart", "done", "failed", "dead"};

    for (uint32_t i = 0; i < SESSIONS_MAX; i++) {
        enum end end = life_session(life);
        say(life, "  session %u: boot 0x%x %s, place %u, trial %d fall %d fallen %d: %s%s%s %s\n",
            i, life->boot.address, life->runs == NEW ? "new" : "old", life->place,
            life->view.on_trial, (int)life->view.fall, life->view.fallen, ends[end],
            end == END_FAILED ? ", " : "", end == END_FAILED ? life->during : "",
            end == END_FAILED ? upd_err_text(life->err) : life->complaint);
        if (end != END_RESTART) {
            return end;
        }
    }
    life->during = "too many sessions";
    life->err = UPD_OK;
    return END_FAILED;
}

/* --- Lives and states ------------------------------------------------------------------------- */

void life_begin(struct life *life, const struct setup *setup, enum kind kind, enum outcome outcome,
                uint64_t seed)
{
    memset(life, 0, sizeof *life);
    life->setup = setup;
    life->kind = kind;
    life->outcome = outcome;
    setup_flash(setup, &life->sim, seed);
    sim_rtc_power_on(&life->rtc, SIM_RTC_GARBAGE, seed);
    life->fuse = setup->fuse;
    sim_flash_set_hook(&life->sim, on_operation, life);
}

void life_fork(struct life *life, const struct life *source)
{
    *life = *source;
    sim_flash_fork(&life->sim, &source->sim);
    life->hook = NULL;
    sim_flash_set_hook(&life->sim, on_operation, life);
}

void life_end(struct life *life)
{
    sim_flash_free(&life->sim);
}

struct state life_save(const struct life *life)
{
    return (struct state){sim_flash_snapshot(&life->sim), life->rtc, life->fuse};
}

void life_restore(struct life *life, const struct state *state)
{
    sim_flash_restore(&life->sim, state->flash);
    life->rtc = state->rtc;
    life->fuse = state->fuse;
    life->brick = life->unverified = life->lost = life->lost_trial = false;
    life->complaint[0] = 0;
}

void state_free(struct state *state)
{
    sim_snapshot_free(state->flash);
    state->flash = NULL;
}

void life_tear(struct life *life, const struct sim_op *op, const void *data,
               const struct sim_tear *tear)
{
    const struct upd_flash *flash = &life->sim.flash;
    const struct sim_cut cut = {.op = 0, .tear = *tear};
    enum upd_err err;

    sim_flash_cut(&life->sim, &cut, 1, false);
    sim_flash_set_hook(&life->sim, NULL, NULL);
    err = op->kind == SIM_ERASE ? flash->erase(flash->ctx, op->offset)
                                : flash->write(flash->ctx, op->offset, data, op->size);
    if (err != UPD_E_IO || sim_flash_has_power(&life->sim)) {
        die("a torn operation did not cut the power");
    }
    sim_flash_set_hook(&life->sim, on_operation, life);
    sim_flash_cut(&life->sim, NULL, 0, false);
    sim_flash_power_on(&life->sim);
}
