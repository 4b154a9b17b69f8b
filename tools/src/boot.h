/* What a chip with this flash would start, step by step, and why. */
#ifndef UPDRAFT_TOOL_BOOT_H
#define UPDRAFT_TOOL_BOOT_H

#include <updraft/loader_record.h>
#include <updraft/sysparam.h>

#include "flash.h"

/** Boot loaders by name, for --loader: NULL-terminated. */
extern const char *const boot_loaders[];

#define BOOT_TRIALS 20

/** One image that the boot loader turns to. */
struct boot_trial {
    char name[32];    /* user1, ota_0, factory, "0x101000" */
    uint32_t address; /* flash offset */
    unsigned times;   /* attempts in a row */
    bool starts;
    char why[120]; /* the boot loader turns to it */
    char
        problem[200]; /* why it does not start, or what the boot loader does not notice; or empty */
};

struct boot_story {
    const char *loader; /* of boot_loaders */
    bool assumed;       /* the loader was not recognised */
    const char *starts; /* name of the trial that starts; NULL: nothing does */
    size_t count;
    struct boot_trial trial[BOOT_TRIALS];
    unsigned writes; /* sectors that the boot loader itself rewrites on the way */
};

/**
 * Find out what starts.
 *
 * @param loader  of boot_loaders, or NULL: recognise it
 * @return EXIT_DONE, or the reported failure
 */
enum exit_code boot_tell(struct flash *flash, const char *loader, struct boot_story *story);

/** The version of an original NONOS boot loader, or 0 when it is none of them. */
uint8_t boot_version_of(const uint8_t *loader, uint32_t size);
/** Likewise of the one at offset 0. False: reported. */
bool boot_version(struct flash *flash, uint8_t *version);

/** Whether the loader of a flash is updraft's own, and what it says of itself. False: reported. */
bool boot_is_updraft(struct flash *flash, struct upd_loader_record *record, bool *found);
/** As boot_tell(), of updraft's own loader for the NONOS SDK's maps with the block in normal mode.
 */
enum exit_code boot_tell_updraft(struct flash *flash, struct boot_story *story);

/** Find out, and add it to the JSON object as `boot` or print it. EXIT_DONE, or as boot_tell(). */
enum exit_code boot_say(struct call *call, struct flash *flash, const char *loader);

/** Read what sysparam.h looks at of a parameter area at a flash address. False: reported. */
bool boot_read_area(struct flash *flash, uint32_t address, struct upd_sysparam *area);

#endif
