/*
 * updraft: firmware for simulated devices, which no chip could run: complete images of every kind,
 * with all digests that their formats have, of any size, and with random content.
 *
 * An image with a name carries a label, by which a simulated device knows which version it "runs",
 * and what that version does: SIM_LABEL_FORMAT, which begins as the macro MakeFirmwareInfo() of
 * OTAdrive's sketches does.
 *
 * The functions end the program, with a message, when memory is short or there is no such image.
 */
#ifndef UPDRAFT_SIM_IMAGE_H
#define UPDRAFT_SIM_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

/* X(NAME, "name", "text"): what a simulated firmware does. */
#define SIM_PLANS(X)                                                                               \
    X(WORKS, "works", "reaches its server, and confirms itself")                                   \
    X(CRASHES, "crashes", "crashes at start")                                                      \
    X(HANGS, "hangs", "hangs at start, until the watchdog bites")                                  \
    X(MUTE, "mute", "runs, and does not find its server")

enum sim_plan {
#define X(NAME, name, text) SIM_PLAN_##NAME,
    SIM_PLANS(X)
#undef X
        SIM_PLAN_COUNT
};
const char *sim_plan_name(enum sim_plan plan);
bool sim_plan_find(const char *name, enum sim_plan *plan);

/** Arguments: version, name of the plan. */
#define SIM_LABEL_FORMAT "&_FirmwareInfo&k=simulation&v=%s&FirmwareInfo_&plan=%s&"
enum { SIM_LABEL_SIZE = 160 };

/** Bytes of a file, malloc'ed: free(image.data). */
struct sim_image {
    uint8_t *data;
    uint32_t size;
};

/** What an image shall be. `size` is of the whole file; a little less is made where alignment
 *  wants it. */
struct sim_recipe {
    uint32_t size;
    uint64_t seed;
    uint32_t offset;  /* where it will lie */
    uint8_t slot;     /* NONOS: 1 user1, 2 user2 */
    uint8_t map;      /* NONOS */
    uint32_t version; /* secure version, ESP-IDF */
    const char *name; /* version of the firmware; NULL: no label */
    enum sim_plan plan;
};

struct sim_image sim_image_nonos(const struct sim_recipe *recipe);
struct sim_image sim_image_idf(const struct sim_recipe *recipe);
struct sim_image sim_image_rtos(const struct sim_recipe *recipe);
struct sim_image sim_image_arduino(const struct sim_recipe *recipe);

/** A gzip file with that content. */
struct sim_image sim_image_gzip(const struct sim_image *image);

#endif
