/* The boot loaders of ESP-IDF and of the RTOS SDK: upd_otadata_decide(), with a flash. */
#include "sim_loader.h"

#include <string.h>

#include <updraft/bytes.h>

static const struct upd_partition *partition_of(const struct sim_loader *loader, int8_t app)
{
    uint8_t subtype = app == UPD_OTADATA_FACTORY ? UPD_PARTITION_APP_FACTORY
                      : app == UPD_OTADATA_TEST  ? UPD_PARTITION_APP_TEST
                                                : (uint8_t)(UPD_PARTITION_APP_OTA_0 + (uint8_t)app);

    return upd_partition_by_type(loader->of.otadata.rows, loader->of.otadata.count,
                                 UPD_PARTITION_APP, subtype);
}

/* esp_image_verify(): the image by itself; whether it is a good choice is not its question. */
static bool verify(struct sim_machine *machine, int8_t app, struct upd_image_info *info)
{
    const struct upd_partition *row = partition_of(machine->loader, app);

    return row != NULL && sim_loader_verify(machine, row->offset, row->size, NULL, info) &&
           info->image_size <= row->size;
}

static bool verifies(void *ctx, int8_t app)
{
    struct upd_image_info info;

    return verify(ctx, app, &info);
}

static bool secure_version(void *ctx, int8_t app, uint32_t *version)
{
    struct upd_image_info info;
    bool good = verify(ctx, app, &info) && info.descriptor == UPD_IMAGE_APP_DESCRIPTOR;

    *version = info.secure_version;
    return good;
}

/* Both loaders erase the sector and program the record at once, CRC and all. */
static bool write_copy(struct sim_machine *machine, uint32_t offset,
                       const uint8_t record[UPD_OTADATA_RECORD_SIZE])
{
    static const uint8_t blank[UPD_OTADATA_RECORD_SIZE] = {
        0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
        0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
        0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};

    return sim_loader_erase(machine, offset) &&
           (memcmp(record, blank, sizeof blank) == 0 ||
            sim_loader_program(machine, offset, record, UPD_OTADATA_RECORD_SIZE));
}

bool sim_loader_otadata(struct sim_machine *machine)
{
    const struct sim_loader *loader = machine->loader;
    struct upd_otadata_boot question = {
        .loader = loader->of.otadata.loader,
        .layout = upd_partition_layout(loader->of.otadata.rows, loader->of.otadata.count),
        .verifies = verifies,
        .secure_version = secure_version,
        .ctx = machine,
        .fuse_version = *machine->fuse,
        .fuse_size = loader->of.otadata.fuse_size,
    };
    struct upd_otadata_decision decision;

    for (uint32_t copy = 0; copy < 2 && question.layout.otadata_size != 0; copy++) {
        uint32_t offset = question.layout.otadata_offset + copy * UPD_OTADATA_COPY_DISTANCE;
        if (!sim_loader_read(machine, offset, question.copy[copy], UPD_OTADATA_RECORD_SIZE)) {
            return false;
        }
    }
    upd_otadata_decide(&question, &decision);
    for (uint32_t i = 0; i < decision.write_count; i++) {
        const struct upd_otadata_write *write = &decision.write[i];
        uint32_t offset = question.layout.otadata_offset + write->copy * UPD_OTADATA_COPY_DISTANCE;
        if (!write_copy(machine, offset, write->record)) {
            return false;
        }
    }
    *machine->fuse = decision.fuse_version;
    if (decision.outcome != UPD_OTADATA_STARTS) {
        return sim_loader_die(machine, decision.outcome == UPD_OTADATA_RESETS
                                           ? "no image verifies: the chip resets for ever"
                                           : "no image verifies: the loader returns");
    }
    return sim_loader_start(machine, partition_of(loader, decision.chosen)->offset);
}
