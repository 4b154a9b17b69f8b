/*
 * What the objects of the API look like. Each function makes a new JSON object; times are ISO 8601
 * in UTC with milliseconds, what is not told is null. web/src/shared/types.ts says the same to the
 * page.
 */
#ifndef UPDRAFT_SERVER_API_SHOW_H
#define UPDRAFT_SERVER_API_SHOW_H

#include <jansson.h>

#include "fleet/fleet.h"

/** A time, null for 0. */
json_t *show_time(int64_t time);
/** A text, null when it is empty. */
json_t *show_text(const char *text);
/** The values of a sentence, as they are kept; an empty object for none. */
json_t *show_detail(const char *detail);

json_t *show_product(const struct product *product, enum role role, bool administrator);
json_t *show_release(const struct release *release);
json_t *show_image(const struct image *image);
json_t *show_device(const struct fleet *fleet, const struct device *device,
                    const struct product *product);
json_t *show_update(const struct update *update);
json_t *show_step(const struct step *step);
json_t *show_user(const struct user *user);
json_t *show_token(const struct token *token);
json_t *show_audit(const struct audit *line);

#endif
