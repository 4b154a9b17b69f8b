/* A fleet in a folder of its own, somebody who may do everything, and images. */
#ifndef UPDRAFT_SERVER_TEST_FLEET_STAND_H
#define UPDRAFT_SERVER_TEST_FLEET_STAND_H

#include "folder.h"

#include <updraft/image_build.h>

#include "fleet/fleet.h"

static struct fleet *fleet;
static struct fleet_error error;
static char directory[FOLDER_SIZE];

static const struct actor root = {
    .kind = ACTOR_USER, .user = 1000000, .administrator = true, .name = "root"};

#define GOOD(call)                                                                                 \
    do {                                                                                           \
        if ((call) != FLEET_OK) {                                                                  \
            fail_msg("%s: %s: %s", #call, error.code, error.message);                              \
        }                                                                                          \
    } while (0)

static inline void begin_fleet(void)
{
    make_folder(directory);
    GOOD(fleet_open(directory, &fleet, &error));
}

/** @return 0: nothing is left of it */
static inline int end_fleet(void)
{
    fleet_close(fleet);
    fleet = NULL;
    return remove_folder(directory);
}

struct bytes {
    uint8_t data[1 << 20];
    size_t size;
};

static inline enum upd_err append(void *ctx, const void *data, uint32_t size)
{
    struct bytes *bytes = ctx;

    memcpy(bytes->data + bytes->size, data, size);
    bytes->size += size;
    return UPD_OK;
}

/** An image for one of the two slots of flash map 2, which another seed makes another. */
static inline void make_slot(struct bytes *bytes, uint8_t slot, uint8_t seed)
{
    static uint8_t code[4096];
    const struct upd_image_recipe recipe = {.boot = UPD_IMAGE_BOOT_NEW,
                                            .entry = 0x40100004,
                                            .text = {0x40100000, sizeof code, code},
                                            .data = {0x3FFE8000, 64, code},
                                            .rodata = {0x3FFE8100, 64, code},
                                            .irom = {0, sizeof code, code},
                                            .slot = slot,
                                            .flash_map = 2};

    memset(code, seed, sizeof code);
    bytes->size = 0;
    assert_int_equal(upd_image_build(&recipe, append, bytes, NULL), UPD_OK);
}

#endif
