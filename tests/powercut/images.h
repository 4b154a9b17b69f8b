/* The images of the setups, made by the simulation. */
#ifndef POWERCUT_IMAGES_H
#define POWERCUT_IMAGES_H

#include <updraft/sim_image.h>

#include "setup.h"

static inline struct file file_of(struct sim_image image)
{
    return (struct file){image.data, image.size};
}

#endif
