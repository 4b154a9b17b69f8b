#include "upgrade.h"

#include <updraft/bytes.h>
#include <updraft/crc32.h>
#include <updraft/sysparam.h>

#include "nonos_upgrade.h"

enum { CHUNK = 64, WORD = 4, PLANS_MAX = 3 };

/* The SDK's functions take no device: this is the one that upd_upgrade_open() was given. */
static struct upd_upgrade *self;

enum upd_err upd_upgrade_open(struct upd_upgrade *upgrade, const struct upd_upgrade_config *config)
{
    if (config->flash == 0 || config->restart == 0) {
        return UPD_E_ARG;
    }
    if (config->map == 0 || !config->map->fota || config->map->size > config->flash->total_size) {
        return UPD_E_TARGET;
    }
    *upgrade = (struct upd_upgrade){.config = *config};
    self = upgrade;
    return UPD_OK;
}

/* --- The parameter area ---------------------------------------------------------------------- */

static enum upd_err read_area(struct upd_sysparam *area)
{
    const struct upd_flash *flash = self->config.flash;
    uint32_t base = upd_flash_map_sysparam(self->config.map);
    uint8_t *const heads[] = {area->head[0], area->head[1], area->flag};
    enum upd_err err = UPD_OK;

    area->same_settings = false;
    for (uint32_t i = 0; i < 3 && err == UPD_OK; i++) {
        err = flash->read(flash->ctx, base + (UPD_SYSPARAM_SECTOR_COPY0 + i) * flash->sector_size,
                          heads[i], UPD_SYSPARAM_HEAD_SIZE);
    }
    return err;
}

static enum upd_err copy_sector(uint32_t from, uint32_t to, uint32_t size, const uint8_t *block)
{
    const struct upd_flash *flash = self->config.flash;
    uint8_t chunk[CHUNK];
    enum upd_err err = UPD_OK;

    for (uint32_t at = 0; at < size && err == UPD_OK; at += CHUNK) {
        uint32_t now = size - at < CHUNK ? size - at : CHUNK;
        err = flash->read(flash->ctx, from + at, chunk, now);
        for (uint32_t i = 0; at == 0 && i < UPD_BOOT_BLOCK_SIZE; i++) {
            chunk[i] = block[i];
        }
        if (err == UPD_OK) {
            err = flash->write(flash->ctx, to + at, chunk, now);
        }
    }
    return err;
}

static enum upd_err do_step(const struct upd_sysparam_plan *plan,
                            const struct upd_sysparam_step *step)
{
    const struct upd_flash *flash = self->config.flash;
    uint32_t base = upd_flash_map_sysparam(self->config.map);
    uint32_t sector = base + step->sector * flash->sector_size;

    switch ((enum upd_sysparam_action)step->action) {
    case UPD_SYSPARAM_ERASE:
        return flash->erase(flash->ctx, sector);
    case UPD_SYSPARAM_COPY:
        return copy_sector(base + step->source * flash->sector_size, sector, step->size,
                           upd_sysparam_data(plan, step));
    case UPD_SYSPARAM_PROGRAM:
        return flash->write(flash->ctx, sector + step->offset, upd_sysparam_data(plan, step),
                            step->size);
    }
    return UPD_E_ARG;
}

/* Make a block the current one. A plan may repair the flag sector first; the last one is empty. */
static enum upd_err store(const uint8_t block[UPD_BOOT_BLOCK_SIZE])
{
    struct upd_sysparam area;
    struct upd_sysparam_plan plan;

    for (uint32_t i = 0; i < PLANS_MAX; i++) {
        enum upd_err err = read_area(&area);
        if (err != UPD_OK) {
            return err;
        }
        upd_sysparam_plan_block(&area, UPD_SYSPARAM_SAFE, block, &plan);
        if (plan.count == 0) {
            return UPD_OK;
        }
        for (uint32_t k = 0; k < plan.count && err == UPD_OK; k++) {
            err = do_step(&plan, &plan.step[k]);
        }
        if (err != UPD_OK) {
            return err;
        }
    }
    return UPD_E_VERIFY; /* what was written is not there */
}

uint8 system_upgrade_userbin_check(void)
{
    struct upd_sysparam area;

    return read_area(&area) == UPD_OK ? (uint8)upd_sdk_userbin_check(upd_sysparam_block(&area))
                                      : UPGRADE_FW_BIN1;
}

void system_upgrade_reboot(void)
{
    struct upd_sysparam area;
    uint8_t block[UPD_BOOT_BLOCK_SIZE];

    if (self->flag != UPGRADE_FLAG_FINISH || read_area(&area) != UPD_OK) {
        return;
    }
    for (uint32_t i = 0; i < UPD_BOOT_BLOCK_SIZE; i++) {
        block[i] = upd_sysparam_block(&area)[i];
    }
    upd_sdk_upgrade_reboot(block);
    if (store(block) == UPD_OK) {
        self->config.restart(self->config.ctx);
    }
}

/* --- The download ---------------------------------------------------------------------------- */

void system_upgrade_init(void)
{
    struct upd_flash_span span = {0};
    bool user1_runs = system_upgrade_userbin_check() == UPGRADE_FW_BIN1;

    if (upd_flash_map_region(self->config.map, user1_runs ? UPD_REGION_USER2 : UPD_REGION_USER1,
                             &span) != UPD_OK) {
        return;
    }
    self->slot = span.address;
    self->room = span.size;
    self->erased = self->written = self->total = 0;
    self->rest_size = 0;
    self->flag = UPGRADE_FLAG_IDLE;
}

void system_upgrade_deinit(void)
{
    self->slot = self->room = 0;
}

bool system_upgrade_erase_flash(uint16 len)
{
    const struct upd_flash *flash = self->config.flash;
    uint32_t sectors = (len + flash->sector_size - 1) / flash->sector_size;

    for (uint32_t i = 0; i < sectors && !self->failed; i++) {
        if (self->slot == 0 || self->erased >= self->room) {
            return false;
        }
        self->failed = flash->erase(flash->ctx, self->slot + self->erased) != UPD_OK;
        self->erased += flash->sector_size;
    }
    return !self->failed;
}

/* Flash takes whole words: what does not make one waits. */
static bool put(const uint8_t *data, uint32_t size)
{
    const struct upd_flash *flash = self->config.flash;
    uint8_t chunk[CHUNK];
    uint32_t filled = 0;

    for (; filled < self->rest_size; filled++) {
        chunk[filled] = self->rest[filled];
    }
    while (size > 0 || filled >= WORD) {
        for (; size > 0 && filled < CHUNK; size--) {
            chunk[filled++] = *data++;
        }
        uint32_t whole = filled - filled % WORD;
        if (whole == 0) {
            break;
        }
        uint32_t at = self->slot + self->written - self->rest_size;
        if (flash->write(flash->ctx, at, chunk, whole) != UPD_OK) {
            return false;
        }
        self->written += whole - self->rest_size;
        self->rest_size = 0;
        for (uint32_t i = whole; i < filled; i++) {
            chunk[i - whole] = chunk[i];
        }
        filled -= whole;
    }
    self->written += filled - self->rest_size;
    self->rest_size = (uint8_t)filled;
    for (uint32_t i = 0; i < filled; i++) {
        self->rest[i] = chunk[i];
    }
    return true;
}

bool system_upgrade(uint8 *data, uint16 len)
{
    if (len == 0 || data == 0) {
        return true;
    }
    return self->slot != 0 && len <= self->room - self->written && put(data, len);
}

bool upd_upgrade_expect(uint32_t total)
{
    self->total = total;
    return total > 0 && total <= self->room;
}

bool system_upgrade_start(struct upgrade_server_info *server)
{
    if (server == 0 || self->flag == UPGRADE_FLAG_START || self->config.start == 0) {
        return false;
    }
    system_upgrade_init();
    self->server = server;
    self->flag = UPGRADE_FLAG_START;
    self->config.start(self->config.ctx, server);
    return true;
}

bool upd_upgrade_crc_matches(void)
{
    const struct upd_flash *flash = self->config.flash;
    const uint32_t size = self->total >= WORD ? self->total - WORD : 0;
    uint32_t crc = UPD_CRC32_INIT;
    uint8_t chunk[CHUNK];

    for (uint32_t at = 0; at < size; at += CHUNK) {
        const uint32_t now = size - at < CHUNK ? size - at : CHUNK;
        if (flash->read(flash->ctx, self->slot + at, chunk, now) != UPD_OK) {
            return false;
        }
        crc = upd_crc32(crc, chunk, now);
    }
    return flash->read(flash->ctx, self->slot + size, chunk, WORD) == UPD_OK &&
           upd_get_le32(chunk) == upd_crc32_nonos(crc);
}

void upd_upgrade_done(bool good)
{
    struct upgrade_server_info *server = self->server;

    self->flag = good ? UPGRADE_FLAG_FINISH : UPGRADE_FLAG_IDLE;
    self->server = 0;
    if (server != 0) {
        server->upgrade_flag = good;
        if (server->check_cb != 0) {
            server->check_cb(server);
        }
    }
}

uint8 upgrade_get_process_rate(void)
{
    if (self->flag == UPGRADE_FLAG_FINISH) {
        return 100;
    }
    if (self->flag != UPGRADE_FLAG_START || self->total == 0) {
        return 0;
    }
    return (uint8)(self->written * 100 / self->total); /* a slot has less than 16 MiB */
}

uint8 system_upgrade_flag_check(void)
{
    return self->flag;
}

void system_upgrade_flag_set(uint8 flag)
{
    if (flag <= UPGRADE_FLAG_FINISH) {
        self->flag = flag;
    }
}
