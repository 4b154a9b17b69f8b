/*
 * The devices that the proof is about: for each kind of chip, loader and layout, a flash as it
 * leaves the bench, two firmware versions for it, and which bytes of it an update may touch.
 */
#ifndef POWERCUT_SETUP_H
#define POWERCUT_SETUP_H

#include <stdbool.h>
#include <stdint.h>

#include <updraft/partition.h>
#include <updraft/scheme.h>
#include <updraft/sim_boot.h>
#include <updraft/sim_flash.h>
#include <updraft/sim_rtc.h>

enum { SECTOR = 4096, PAGE = 256 };

enum scheme { NONOS, OTADATA, EBOOT };
enum version { OLD, NEW, VERSIONS };

/** Bytes of a file, malloc'ed. */
struct file {
    uint8_t *data;
    uint32_t size;
};

enum { SLOTS_MAX = 4, AREAS_MAX = 8, ROWS_MAX = 16 };

/** A device of one kind. */
struct setup {
    char name[64];
    enum scheme scheme;
    struct sim_loader loader;
    struct sim_geometry geometry;
    uint32_t slot_count; /* places that a loader can start, factory included */
    struct upd_area slot[SLOTS_MAX];
    uint32_t first;                         /* place that runs the old version at the beginning */
    struct file image[VERSIONS][SLOTS_MAX]; /* for each place; eboot: one place, sector 0 incl. */
    struct file gzip[SLOTS_MAX];            /* the new version, compressed */
    /* What the update engine and the loaders may write; metadata, which loaders read, first. */
    uint32_t area_count;
    uint32_t metadata_count;
    struct upd_area area[AREAS_MAX];
    bool counts;   /* the loader notices the crash of an image on trial by itself */
    bool way_back; /* a bad image is given up: not by eboot without room for the old sketch */
    uint32_t fuse; /* secure version at the beginning */
    struct upd_partition rows[ROWS_MAX];
    uint32_t row_count;
    struct upd_arduino {
        uint32_t fs_start;
        uint32_t max_sketch;
        uint32_t journal;
        bool ours; /* updraft's loader */
    } arduino;
};

/** How large the images of a setup are. */
enum sizes {
    SIZES_MINI,  /* some pages */
    SIZES_TINY,  /* a sector and some pages */
    SIZES_SMALL, /* some sectors */
    SIZES_LARGE, /* more than what a boot loader copies between two cuts */
    SIZES_FULL,  /* the new image fills the slot */
};

/** What there is, by number; the number is below setup_count(). */
uint32_t setup_count(void);
const char *setup_name(uint32_t number);
uint32_t setup_find(const char *name);
/** True when the name begins with the pattern; NULL suits all. */
bool setup_is_wanted(uint32_t number, const char *pattern);

/** Make a setup. End it with setup_free(). */
void setup_make(struct setup *setup, uint32_t number, enum sizes sizes);
void setup_free(struct setup *setup);

/** The flash, RTC memory and fuses of a device that was just made. */
void setup_flash(const struct setup *setup, struct sim_flash *sim, uint64_t seed);

/** End the program with a message: a mistake of the proof itself. */
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** malloc() that cannot fail. */
void *take(size_t size);

#endif
