/*
 * updraftd: uploaded images, read by core/ while they come: what is it, and is it good for this
 * product? A gzip is inflated on the way, and its inside judged as well.
 */
#ifndef UPDRAFT_SERVER_INTAKE_H
#define UPDRAFT_SERVER_INTAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <updraft/image.h>

#include "model.h"

struct intake;

/* X(NAME, "code", "sentence"): what is wrong with a file, beyond what core/ finds wrong with an image:
 * UPD_IMAGE_PROBLEMS. A code that is there too means the same. */
#define INTAKE_PROBLEMS(X)                                                                         \
    X(EMPTY, "empty", "there are no bytes")                                                        \
    X(TOO_LARGE, "too-large", "larger than 64 MiB")                                                \
    X(OTHER_CHIP, "wrong-chip", "made for another chip: {chip}, and the product's is {own}")       \
    X(NOT_INFLATED, "compressed",                                                                  \
      "compressed with gzip, which devices of this kind do not inflate")                           \
    X(GZIP, "gzip", "the gzip file {problem}")                                                     \
    X(GZIP_TRAILING, "gzip-trailing", "the gzip file {problem}")

struct intake_problem {
    const char *code;         /* stable word; NULL: none */
    int64_t offset;           /* in the file; inside of a gzip: in the inflated image */
    char text[SENTENCE_SIZE]; /* one sentence */
    char detail[DETAIL_SIZE]; /* what stands in it, as an object of JSON */
};

/** Begin; `product` is copied. `part` is PART_FILESYSTEM for a file system, which is taken as it
 * is, and anything else for firmware. NULL without memory. */
struct intake *intake_begin(const struct product *product, enum part part);
/** The next bytes. False: refused, intake_problem() says why; nothing more is looked at. */
bool intake_feed(struct intake *intake, const void *data, size_t size);
/** That was all. True: *image has part, chip, payload size and MD5, flash size and marker. */
bool intake_end(struct intake *intake, struct image *image);
const struct intake_problem *intake_problem(const struct intake *intake);
/** The description as `updraft image info --json` has it, at any moment. */
void intake_describe(const struct intake *intake, char *json, size_t room);
void intake_free(struct intake *intake);

/** The largest image, bytes, that the product's map or partition table takes; 0: not limited. */
int64_t intake_limit(const struct product *product);

#endif
