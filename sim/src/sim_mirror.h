/* The image file of a simulated flash, and the file of its unstable cells beside it. */
#ifndef UPDRAFT_SIM_MIRROR_H
#define UPDRAFT_SIM_MIRROR_H

#include <stdint.h>

#include <updraft/err.h>

struct sim_mirror;

/**
 * Map the files of an image; the image is made when there is none. Errors as sim_flash_open(), and
 * then *mirror is unchanged.
 */
UPD_MUST_CHECK enum upd_err sim_mirror_open(struct sim_mirror **mirror, const char *path,
                                            uint32_t size);
void sim_mirror_close(struct sim_mirror *mirror);

/** The bytes of the image; 0xFF when it was made. */
const uint8_t *sim_mirror_bits(const struct sim_mirror *mirror);

/** The mask of unstable cells; NULL when there is no such file. */
const uint8_t *sim_mirror_unstable(const struct sim_mirror *mirror);

/** Write one sector through. `unstable` is NULL when no cell of it is. */
void sim_mirror_put(struct sim_mirror *mirror, uint32_t offset, const uint8_t *bits,
                    const uint8_t *unstable, uint32_t size);

#endif
