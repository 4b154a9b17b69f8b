/* Reading a file through the image checker of core/, whatever it is wrapped in. */
#ifndef UPDRAFT_TOOL_INSPECT_H
#define UPDRAFT_TOOL_INSPECT_H

#include <updraft/image.h>
#include <updraft/loader_record.h>
#include <updraft/md5.h>
#include <updraft/sha256.h>

#include "command.h"

/** What keeps a file from being a good image; `name` is NULL while nothing does. */
struct inspection_problem {
    const char *name; /* stable word: those of image.h, and "gzip" */
    char text[160];   /* a sentence without its first capital and full stop */
    uint32_t offset;  /* of the byte that shows it */
    bool inside;      /* `offset` counts inflated bytes */
};

/** All that was found out about a file. */
struct inspection {
    const char *path;           /* as messages name it */
    uint64_t size;              /* bytes of the file, as far as it was read */
    struct upd_image_info info; /* of the image, inflated when it was packed */
    uint8_t descriptor[256];    /* see info.descriptor */
    bool packed;                /* with gzip */
    uint32_t member_size;       /* packed: bytes of the gzip member */
    uint32_t packed_signature;  /* packed: bytes of the signature behind it; 0: none */
    bool updraft_loader;        /* the sector of a boot loader of updraft: the next is known */
    struct upd_loader_record loader;
    bool digested;             /* the next two are known */
    uint8_t md5[UPD_MD5_SIZE]; /* of the file */
    uint8_t sha256[UPD_SHA256_SIZE];
    struct inspection_problem problem;
};

/**
 * Read a file and check it as an image.
 *
 * @param call     running command
 * @param path     file, or "-"
 * @param digests  also digest the file, to its end whatever the image is
 * @param found    out: filled whatever is returned
 *
 * @return EXIT_DONE    a good image
 * @return EXIT_VERIFY  it is not: found->problem; nothing was reported
 * @return EXIT_FAILED  it could not be read: reported
 */
enum exit_code inspect(struct call *call, const char *path, bool digests, struct inspection *found);

/** Check bytes in memory, as a whole; they are not unpacked. */
void inspect_bytes(const char *path, const uint8_t *data, uint32_t size, struct inspection *found);

/** Take over what a checker found elsewhere. */
void inspect_take(struct inspection *found, const struct upd_image_info *info);

/** Report what is wrong: one line, and `problem` with its offset. @return EXIT_VERIFY */
enum exit_code inspect_fail(struct call *call, const struct inspection *found);

/** The problem as JSON, null when there is none. New reference. */
json_t *inspect_problem_json(const struct inspection *found);

/** Add every key of `image info` to an object. */
void inspect_json(const struct inspection *found, json_t *object);
/** Print the same as text. */
void inspect_print(const struct inspection *found);

#endif
