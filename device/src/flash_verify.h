/*
 * Is the image that lies somewhere in flash whole, and would this chip run it? Private to device/.
 */
#ifndef UPDRAFT_FLASH_VERIFY_H
#define UPDRAFT_FLASH_VERIFY_H

#include <updraft/scheme.h>

/**
 * Read an image from flash through the image checker.
 *
 * @param target  the place, its offset and size included
 *
 * @return UPD_OK              it verifies and fits
 * @return an image's problem  as upd_image_end()
 * @return an error of the flash
 *
 * Cost: on lx106 850 bytes of stack, and what the port needs; reads the image once.
 */
UPD_MUST_CHECK enum upd_err upd_flash_verify(struct upd_device *device,
                                             const struct upd_image_target *target);

#endif
