/*
 * updraft: a checked image described in JSON, as `updraft image info --json`, the server and the
 * web page show it. Devices do not need it.
 *
 * The keys, their units and which images have them: docs/guides/tool.md
 */
#ifndef UPDRAFT_IMAGE_JSON_H
#define UPDRAFT_IMAGE_JSON_H

#include <updraft/image.h>
#include <updraft/json.h>

/** Enough for the description of any image. */
#define UPD_IMAGE_JSON_SIZE 8192u

/**
 * Write what a checker found, as keys of the object that is open: from `format` to `covered`. A
 * digest that the format lacks has no key; anything else that is not told is null.
 *
 * @param json        within an object
 * @param info        of a checker, at its end or not; not NULL
 * @param descriptor  256 bytes, as options.descriptor took them; NULL: not kept, `app` is null
 */
void upd_image_json(struct upd_json *json, const struct upd_image_info *info,
                    const uint8_t *descriptor);

/**
 * Write whether it is a good image: `ok`, and `problem`, which is null or an object of `reason`
 * (a stable word), `text` (a sentence) and `offset` (bytes).
 */
void upd_image_problem_json(struct upd_json *json, const struct upd_image_info *info);

#endif
