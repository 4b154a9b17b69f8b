/*
 * updraft: the boot loaders of the chips, over a simulated flash: what happens between a reset and
 * the first instruction of an application.
 *
 * What a loader decides is the pure code of core/ (boot_original.h, otadata.h, eboot.h,
 * nonos_boot.h, ...); here it gets the flash to read, and does the writes that it asks for, so that
 * power can be cut in each of them. A loader never knows better than the original: one that does
 * not verify images starts bad ones, and it is for the test to notice.
 */
#ifndef UPDRAFT_SIM_BOOT_H
#define UPDRAFT_SIM_BOOT_H

#include <stdint.h>

#include <updraft/flash_map.h>
#include <updraft/otadata.h>
#include <updraft/partition.h>
#include <updraft/sim_flash.h>
#include <updraft/sim_rtc.h>

enum sim_loader_kind {
    SIM_LOADER_NONOS_ORIGINAL, /* Espressif's: v1.2, v1.4, v1.6, v1.7 */
    SIM_LOADER_NONOS,          /* updraft's */
    SIM_LOADER_OTADATA,        /* ESP-IDF's, RTOS SDK's */
    SIM_LOADER_EBOOT_ORIGINAL, /* Arduino's */
    SIM_LOADER_EBOOT,          /* updraft's */
};

/** Which loader is on a chip, and what it was built with. */
struct sim_loader {
    enum sim_loader_kind kind;
    union {
        struct {
            const struct upd_flash_map *map;
            uint8_t version; /* NONOS_ORIGINAL: enum upd_boot_version; NONOS: of its boot block */
            /* NONOS_ORIGINAL v1.7 on a chip above 4 MB: something told the ROM the chip's size. */
            bool sees_all;
        } nonos;
        struct {
            enum upd_otadata_loader loader;
            const struct upd_partition *rows;
            uint32_t count;
            uint8_t fuse_size;
        } otadata;
    } of;
};

enum sim_boot_end {
    SIM_BOOT_STARTS, /* an image runs */
    SIM_BOOT_DEAD,   /* nothing runs, and no reset changes that */
    SIM_BOOT_CUT,    /* power went while the loader wrote */
};

struct sim_boot {
    enum sim_boot_end end;
    uint32_t address; /* flash offset of what runs */
    uint32_t resets;  /* that the loader asked for on the way */
    uint32_t writes;  /* erases and programs that it did */
    const char *why;  /* DEAD: a sentence */
};

/**
 * Reset the chip and run the loader until an image starts, nothing does, or power goes.
 *
 * @param flash  has power
 * @param rtc    kept over resets; the caller decides what a power cut makes of it
 * @param fuse   the secure version in the eFuses, which an anti-rollback loader burns higher
 */
void sim_boot(const struct sim_loader *loader, struct sim_flash *flash, struct sim_rtc *rtc,
              uint32_t *fuse, struct sim_boot *boot);

#endif
