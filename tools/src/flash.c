#include "flash.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <updraft/bytes.h>

#include "display.h"
#include "files.h"

#define SECTOR UPD_FLASH_SECTOR

const char *const flash_kinds[] = {"nonos", "partitions", "arduino", NULL};

bool flash_read(struct flash *flash, uint32_t offset, void *data, uint32_t size)
{
    uint8_t *target = data;
    uint32_t inside = offset < flash->size ? flash->size - offset : 0;

    inside = inside < size ? inside : size;
    memset(target + inside, 0xFF, size - inside);
    while (inside > 0) {
        ssize_t count = pread(flash->fd, target, inside, offset);
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count <= 0) {
            fail(flash->call, EXIT_FAILED, "read", "%s: %s", flash->path,
                 count < 0 ? strerror(errno) : "shrank while it was read");
            return false;
        }
        target += count;
        offset += (uint32_t)count;
        inside -= (uint32_t)count;
    }
    return true;
}

/* One step of a change in place: written and on the disk. */
static bool write_through(struct flash *flash, uint32_t offset, const uint8_t *data, uint32_t size)
{
    while (size > 0) {
        ssize_t count = pwrite(flash->fd, data, size, offset);
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count < 0) {
            fail(flash->call, EXIT_FAILED, "write", "%s: %s", flash->path, strerror(errno));
            return false;
        }
        data += count;
        offset += (uint32_t)count;
        size -= (uint32_t)count;
    }
    if (fdatasync(flash->fd) != 0) {
        fail(flash->call, EXIT_FAILED, "write", "%s: %s", flash->path, strerror(errno));
        return false;
    }
    return true;
}

static bool inside_file(struct flash *flash, uint32_t offset, uint32_t size)
{
    if (offset <= flash->size && size <= flash->size - offset) {
        return true;
    }
    fail(flash->call, EXIT_FAILED, "write", "%s: ends at 0x%x, before 0x%x that is to be changed",
         flash->path, flash->size, offset + size);
    return false;
}

bool flash_erase(struct flash *flash, uint32_t offset)
{
    uint8_t sector[SECTOR];

    memset(sector, 0xFF, sizeof sector);
    return inside_file(flash, offset, SECTOR) && write_through(flash, offset, sector, SECTOR);
}

bool flash_program(struct flash *flash, uint32_t offset, const void *data, uint32_t size)
{
    uint8_t old[SECTOR];
    const uint8_t *wanted = data;

    while (size > 0) {
        uint32_t count = size < SECTOR ? size : SECTOR;
        if (!inside_file(flash, offset, count) || !flash_read(flash, offset, old, count)) {
            return false;
        }
        for (uint32_t i = 0; i < count; i++) {
            old[i] &= wanted[i];
        }
        if (!write_through(flash, offset, old, count)) {
            return false;
        }
        wanted += count;
        offset += count;
        size -= count;
    }
    return true;
}

bool flash_inspect(struct flash *flash, uint32_t offset, uint32_t limit, struct inspection *found)
{
    const struct upd_image_options options = {.descriptor = found->descriptor, .in_flash = true};
    struct upd_image_checker checker;
    uint8_t piece[SECTOR];

    *found = (struct inspection){.path = flash->path};
    (void)!upd_image_begin(&checker, &options);
    while (limit > 0 && upd_image_wants_more(&checker)) {
        uint32_t count = limit < SECTOR ? limit : SECTOR;
        if (!flash_read(flash, offset, piece, count)) {
            return false;
        }
        (void)!upd_image_feed(&checker, piece, count);
        offset += count;
        limit -= count;
    }
    (void)!upd_image_end(&checker);
    inspect_take(found, &checker.info);
    return true;
}

const struct flash_region *flash_region(const struct flash *flash, const char *name)
{
    for (size_t i = 0; i < flash->region_count; i++) {
        if (strcmp(flash->regions[i].name, name) == 0) {
            return &flash->regions[i];
        }
    }
    return NULL;
}

bool flash_used(struct flash *flash, const struct flash_region *region, uint32_t *used)
{
    uint8_t piece[SECTOR];

    *used = 0;
    for (uint32_t at = 0; at < region->size; at += SECTOR) {
        uint32_t count = region->size - at < SECTOR ? region->size - at : SECTOR;
        if (!flash_read(flash, region->address + at, piece, count)) {
            return false;
        }
        while (count > 0 && piece[count - 1] == 0xFF) {
            count--;
        }
        *used = count > 0 ? at + count : *used;
    }
    return true;
}

static struct flash_region *add_region(struct flash *flash, uint32_t address, uint32_t size)
{
    if (flash->region_count == FLASH_REGIONS) {
        return &flash->regions[FLASH_REGIONS - 1]; /* cannot be: a table has fewer rows */
    }
    struct flash_region *region = &flash->regions[flash->region_count++];
    *region = (struct flash_region){.address = address, .size = size};
    return region;
}

static void name_region(struct flash_region *region, const char *name)
{
    snprintf(region->name, sizeof region->name, "%s", name);
}

static int by_address(const void *one, const void *other)
{
    const struct flash_region *left = one, *right = other;
    if (left->address != right->address) {
        return left->address < right->address ? -1 : 1;
    }
    return left->size == right->size ? 0 : left->size > right->size ? -1 : 1;
}

static void nonos_regions(struct flash *flash)
{
    struct upd_flash_span span;

    for (int i = 0; i < UPD_REGION_COUNT; i++) {
        enum upd_flash_region which = (enum upd_flash_region)i;
        if (upd_flash_map_region(flash->map, which, &span) == UPD_OK) {
            struct flash_region *region = add_region(flash, span.address, span.size);
            name_region(region, upd_flash_region_name(which));
            region->nested = upd_flash_map_region_parent(flash->map, which) != UPD_REGION_COUNT;
            region->slot = which == UPD_REGION_USER1 || which == UPD_REGION_USER2 ||
                           which == UPD_REGION_APP || which == UPD_REGION_BOOT;
        }
    }
}

/* An application begins like a boot loader. Taken for a flash it would be overwritten. */
static enum exit_code check_loader(struct flash *flash)
{
    struct inspection found;

    if (flash->chip != UPD_CHIP_ESP8266 && flash->chip != UPD_CHIP_NONE) {
        return fail(flash->call, EXIT_FAILED, "chip",
                    "%s: begins with an image for %s, and is no flash of the NONOS SDK",
                    flash->path, upd_chip_text(flash->chip));
    }
    if (!flash_inspect(flash, 0, SECTOR, &found)) {
        return EXIT_FAILED;
    }
    if (flash->map->fota && found.info.problem == UPD_IMAGE_TRUNCATED) {
        return fail(flash->call, EXIT_FAILED, "format",
                    "%s: begins with an application, and has no boot loader in its first %u bytes",
                    flash->path, SECTOR);
    }
    return EXIT_DONE;
}

static enum exit_code open_nonos(struct flash *flash)
{
    uint8_t number = flash->header[3] >> 4;

    flash->map = upd_flash_map(number);
    if (flash->header[0] != 0xE9 || flash->map == NULL) {
        return fail(flash->call, EXIT_FAILED, "format",
                    "%s: no boot loader with a flash map at its start (bytes %02x .. %02x)",
                    flash->path, flash->header[0], flash->header[3]);
    }
    enum exit_code code = check_loader(flash);
    if (code != EXIT_DONE) {
        return code;
    }
    if (flash->size < flash->map->size) {
        return fail(flash->call, EXIT_FAILED, "size",
                    "%s: has %u bytes, but its header says map %u, a chip of %u bytes", flash->path,
                    flash->size, number, flash->map->size);
    }
    nonos_regions(flash);
    return EXIT_DONE;
}

/* What a partition table does not list: boot loader, the table, and gaps. */
static void partition_regions(struct flash *flash)
{
    const struct upd_partition_list *list = &flash->table->list;
    bool has_loader = false;

    for (uint32_t i = 0; i < list->count; i++) {
        const struct upd_partition *row = &list->rows[i];
        struct flash_region *region = add_region(flash, row->offset, row->size);
        display(row->name, upd_partition_name_size(row), region->name, sizeof region->name);
        region->row = row;
        region->slot = row->type == UPD_PARTITION_APP || row->type == UPD_PARTITION_BOOTLOADER;
        has_loader = has_loader || row->offset < flash->table_offset;
    }
    if (!has_loader && flash->header_at < flash->table_offset) {
        struct flash_region *loader =
            add_region(flash, flash->header_at, flash->table_offset - flash->header_at);
        name_region(loader, "bootloader");
        loader->slot = true;
    }
    if (flash_region(flash, "partition-table") == NULL) {
        name_region(add_region(flash, flash->table_offset, SECTOR), "partition-table");
    }
}

static enum exit_code open_partitions(struct flash *flash)
{
    struct upd_partition_rules rules = UPD_PARTITION_RULES(
        flash->chip == UPD_CHIP_ESP8266 ? UPD_PARTITION_RTOS : UPD_PARTITION_IDF);
    uint8_t data[SECTOR];

    if (!flash_read(flash, flash->table_offset, data, sizeof data)) {
        return EXIT_FAILED;
    }
    if (!upd_partition_is_binary(data, sizeof data)) {
        return fail(flash->call, EXIT_FAILED, "format", "%s: no partition table at 0x%x",
                    flash->path, flash->table_offset);
    }
    rules.table_offset = flash->table_offset;
    enum exit_code code =
        table_take(flash->call, flash->path, data, UPD_PARTITION_TABLE_SIZE, &rules, &flash->table);
    if (code == EXIT_DONE) {
        partition_regions(flash);
    }
    return code;
}

static enum exit_code open_arduino(struct flash *flash)
{
    uint32_t chip_size = upd_image_flash_bytes(UPD_CHIP_ESP8266, flash->header[3] >> 4);
    struct inspection found;

    if (!flash_inspect(flash, 0, flash->size, &found)) {
        return EXIT_FAILED;
    }
    if (found.info.format != UPD_FORMAT_ARDUINO) {
        return fail(flash->call, EXIT_FAILED, "format", "%s: no Arduino sketch at its start",
                    flash->path);
    }
    struct flash_region *sketch = add_region(flash, 0, found.info.image_size);
    name_region(sketch, "sketch");
    sketch->slot = true;
    if (chip_size >= 5 * SECTOR && chip_size > found.info.image_size) {
        name_region(add_region(flash, chip_size - 5 * SECTOR, SECTOR), "eeprom");
        name_region(add_region(flash, chip_size - 4 * SECTOR, SECTOR), "rf-cal");
        name_region(add_region(flash, chip_size - 3 * SECTOR, 3 * SECTOR), "sdk-params");
    }
    return EXIT_DONE;
}

/* The image that the ROM starts: at 0, or where the chip's ROM looks otherwise. */
static bool find_header(struct flash *flash)
{
    static const uint32_t places[] = {0, 0x1000, 0x2000};
    uint8_t header[24];

    memset(flash->header, 0xFF, sizeof flash->header);
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        struct inspection found;
        if (!flash_read(flash, places[i], header, sizeof header)) {
            return false;
        }
        if (header[0] == 0xE9) {
            memcpy(flash->header, header, sizeof flash->header);
            flash->header_at = places[i];
            if (!flash_inspect(flash, places[i], flash->size - places[i], &found)) {
                return false;
            }
            flash->chip = found.info.chip;
            return true;
        }
    }
    return true;
}

/* A table at its place decides; else a sketch tells itself apart from a boot loader. */
static bool find_kind(struct flash *flash)
{
    uint8_t start[32];
    struct inspection found;

    if (!flash_read(flash, flash->table_offset, start, sizeof start)) {
        return false;
    }
    if (upd_partition_is_binary(start, sizeof start)) {
        flash->kind = FLASH_PARTITIONS;
        return true;
    }
    if (!flash_inspect(flash, 0, flash->size, &found)) {
        return false;
    }
    flash->kind = found.info.format == UPD_FORMAT_ARDUINO ? FLASH_ARDUINO : FLASH_NONOS;
    return true;
}

static enum exit_code open_file(struct flash *flash, bool change)
{
    struct input input;
    uint64_t size;

    if (change) {
        flash->fd = change_open(flash->call, flash->path, &size);
        if (flash->fd < 0) {
            return EXIT_FAILED;
        }
    } else {
        bool ok = input_open(flash->call, flash->path, &input);
        flash->fd = input.fd;
        if (!ok) {
            return EXIT_FAILED;
        }
        if (!input.regular) {
            return fail(flash->call, EXIT_FAILED, "read", "%s: a flash image must be a file",
                        input.path);
        }
        flash->path = input.path;
        size = input.size;
    }
    if (size == 0) {
        return fail(flash->call, EXIT_FAILED, "empty", "%s: is empty", flash->path);
    }
    if (size > FLASH_LIMIT) {
        return fail(flash->call, EXIT_FAILED, "size",
                    "%s: %llu bytes are more than any flash of these chips: at most %u",
                    flash->path, (unsigned long long)size, FLASH_LIMIT);
    }
    flash->size = (uint32_t)size;
    return EXIT_DONE;
}

enum exit_code flash_open(struct call *call, const char *path, const struct flash_options *options,
                          bool change, struct flash **result)
{
    struct flash *flash = calloc(1, sizeof *flash);
    enum exit_code code = EXIT_FAILED;

    *result = NULL;
    if (flash == NULL) {
        return fail(call, EXIT_FAILED, "memory", "out of memory");
    }
    flash->call = call;
    flash->path = path;
    flash->fd = -1;
    flash->table_offset =
        options->table_offset.given ? options->table_offset.value : UPD_PARTITION_TABLE_OFFSET;
    code = open_file(flash, change);
    if (code != EXIT_DONE) {
        goto out;
    }
    code = EXIT_FAILED;
    if (!find_header(flash) || (options->kind.word == NULL && !find_kind(flash))) {
        goto out;
    }
    if (options->kind.word != NULL) {
        flash->kind = (enum flash_kind)options->kind.index;
    }
    switch (flash->kind) {
    case FLASH_NONOS:
        code = open_nonos(flash);
        break;
    case FLASH_PARTITIONS:
        code = open_partitions(flash);
        break;
    case FLASH_ARDUINO:
        code = open_arduino(flash);
        break;
    }
    qsort(flash->regions, flash->region_count, sizeof flash->regions[0], by_address);
out:
    if (code != EXIT_DONE) {
        flash_close(flash);
        flash = NULL;
    }
    *result = flash;
    return code;
}

void flash_close(struct flash *flash)
{
    if (flash != NULL) {
        table_free(flash->table);
        if (flash->fd > STDIN_FILENO) {
            close(flash->fd);
        }
    }
    free(flash);
}
