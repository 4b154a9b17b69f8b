/*
 * Firmware images with random content, complete with every digest that their format has.
 */
#ifndef POWERCUT_IMAGES_H
#define POWERCUT_IMAGES_H

#include "setup.h"

/** What an image shall be. `size` is of the whole file; a little less is made where alignment
 *  wants it. */
struct recipe {
    uint32_t size;
    uint64_t seed;
    uint32_t offset;  /* where it will lie */
    uint8_t slot;     /* NONOS: 1 user1, 2 user2 */
    uint8_t map;      /* NONOS */
    uint32_t version; /* secure version, ESP-IDF */
};

struct file image_nonos(const struct recipe *recipe);
struct file image_idf(const struct recipe *recipe);
struct file image_rtos(const struct recipe *recipe);
struct file image_arduino(const struct recipe *recipe);

/** A gzip file with that content. */
struct file image_gzip(const struct file *file);

#endif
