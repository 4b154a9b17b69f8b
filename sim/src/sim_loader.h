/*
 * The loaders that sim_boot.c chooses from, and what they have in common.
 */
#ifndef UPDRAFT_SIM_LOADER_H
#define UPDRAFT_SIM_LOADER_H

#include <stdbool.h>

#include <updraft/image.h>
#include <updraft/sim_boot.h>

enum { SIM_SECTOR = 4096 };

/* A chip that boots. */
struct sim_machine {
    const struct sim_loader *loader;
    struct sim_flash *sim;
    struct sim_rtc *rtc;
    uint32_t *fuse;
    struct sim_boot *boot;
};

/* Each runs from a reset to the next one: true when the chip resets, false when *boot is final. */
bool sim_loader_nonos_original(struct sim_machine *machine);
bool sim_loader_nonos(struct sim_machine *machine);
bool sim_loader_otadata(struct sim_machine *machine);
bool sim_loader_eboot_original(struct sim_machine *machine);
bool sim_loader_eboot(struct sim_machine *machine);

/*
 * Flash as a loader uses it. None of the originals looks at a result, so a failure is one only when
 * power is gone: then these are false, and *boot says CUT.
 */
bool sim_loader_read(struct sim_machine *machine, uint32_t offset, void *data, uint32_t size);
bool sim_loader_erase(struct sim_machine *machine, uint32_t offset);
bool sim_loader_program(struct sim_machine *machine, uint32_t offset, const void *data,
                        uint32_t size);

/* The image at [offset, offset + size) is complete, matches its digests, and fits *target. */
bool sim_loader_verify(struct sim_machine *machine, uint32_t offset, uint32_t size,
                       const struct upd_image_target *target, struct upd_image_info *info);

/* End with an image that runs, or with none. Both return false. */
bool sim_loader_start(struct sim_machine *machine, uint32_t address);
bool sim_loader_die(struct sim_machine *machine, const char *why);

#endif
