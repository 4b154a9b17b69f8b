/* updraft-sim image: firmware for virtual devices. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <updraft/sim_device.h>

#include "options.h"

struct values {
    const char *as, *version, *slot, *plan, *out;
    uint32_t size, seed;
    bool gzip;
};

static const struct option_row rows[] = {
    {"--as", OPTION_TEXT, offsetof(struct values, as), "KIND", "nonos, rtos, idf or arduino", 0, 0},
    {"--version", OPTION_TEXT, offsetof(struct values, version), "TEXT",
     "of the firmware, which the device will report", 0, 0},
    {"--slot", OPTION_TEXT, offsetof(struct values, slot), "user1|user2",
     "nonos: the slot that it is linked for (user1)", 0, 0},
    {"--plan", OPTION_TEXT, offsetof(struct values, plan), "PLAN",
     "works, crashes, hangs, or mute: never reaches its server (works)", 0, 0},
    {"--size", OPTION_NUMBER, offsetof(struct values, size), "BYTES", "of the file (48K)", 4096,
     900 * 1024},
    {"--seed", OPTION_NUMBER, offsetof(struct values, seed), "N", "of its random content (1)", 0,
     UINT32_MAX},
    {"--gzip", OPTION_FLAG, offsetof(struct values, gzip), NULL, "compressed", 0, 0},
    {"-o", OPTION_TEXT, offsetof(struct values, out), "FILE", "to be written", 0, 0},
    {NULL, OPTION_FLAG, 0, NULL, NULL, 0, 0},
};

static const char usage[] =
    "usage: updraft-sim image --as KIND --version TEXT -o FILE [OPTION...]\n"
    "\n"
    "A complete firmware image of its kind, which no chip could run.\n"
    "\n";

static void write_file(const char *path, const struct sim_image *image)
{
    char fresh[4096];
    FILE *file;

    snprintf(fresh, sizeof fresh, "%s.new", path);
    file = fopen(fresh, "wb");
    if (file == NULL) {
        fail("image", "%s: %s", fresh, strerror(errno));
    }
    const bool whole = fwrite(image->data, 1, image->size, file) == image->size;
    if (fclose(file) != 0 || !whole || rename(fresh, path) != 0) {
        const int error = errno;
        remove(fresh);
        fail("image", "%s: %s", path, strerror(error));
    }
}

int verb_image(int argc, char **argv)
{
    struct values values = {.slot = "user1", .plan = "works", .size = 48 * 1024, .seed = 1};
    enum sim_kind kind;
    enum sim_plan plan;

    options_read("image", usage, rows, &values, argc, argv);
    if (values.as == NULL || values.version == NULL || values.out == NULL) {
        misuse("image", "--as, --version and -o are needed");
    }
    if (!sim_kind_find(values.as, &kind)) {
        misuse("image", "--as: there is no kind '%s'", values.as);
    }
    if (!sim_plan_find(values.plan, &plan)) {
        misuse("image", "--plan: there is no plan '%s'", values.plan);
    }
    if (strcmp(values.slot, "user1") != 0 && strcmp(values.slot, "user2") != 0) {
        misuse("image", "--slot: user1 or user2, not '%s'", values.slot);
    }
    if (strlen(values.version) >= 32 || strchr(values.version, '&') != NULL) {
        misuse("image", "--version: at most 31 characters, and no '&'");
    }
    const uint32_t place = sim_kind_places(kind) == 2 && values.slot[4] == '2' ? 1 : 0;
    struct sim_image image =
        sim_kind_image(kind, place, values.version, plan, values.size, values.seed);
    if (values.gzip) {
        const struct sim_image whole = image;
        image = sim_image_gzip(&whole);
        free(whole.data);
    }
    write_file(values.out, &image);
    free(image.data);
    return EXIT_SUCCESS;
}
