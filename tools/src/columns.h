/* What a server answered, as text: rows of a list, and the fields of one object. */
#ifndef UPDRAFT_TOOL_COLUMNS_H
#define UPDRAFT_TOOL_COLUMNS_H

#include <jansson.h>

#include "api.h"
#include "command.h"

/** A column of a list, or a line of an object: its title, and where its value is ("product.name").
 */
struct column {
    const char *title;
    const char *path;
};

/**
 * Answer with a page of the API: `items` and `total` of the JSON object, or a table. Takes over
 * `page`; NULL is a failure that was reported.
 *
 * @param columns  ended by a row of NULLs
 * @param name     what the items are called in the JSON object: "products"
 */
enum exit_code show_list(struct call *call, json_t *page, const char *name,
                         const struct column *columns);

/** Likewise with one object: all of it in the JSON object, or a line for each column that has a
 * value. */
enum exit_code show_object(struct call *call, json_t *object, const struct column *lines);

/** All pages of a list, one request after the other, as one. `path` is freed. NULL: reported. */
json_t *all_pages(struct api *api, struct call *call, char *path);

/** A whole command: open the server, send one request, show its answer as show_object() does.
 * Takes over `path` and `body`, as api_send() does. */
enum exit_code ask_object(struct call *call, const struct server_options *server,
                          const char *method, char *path, json_t *body, const struct column *lines);

/** Likewise with all pages of a list, shown as show_list() does. */
enum exit_code ask_list(struct call *call, const struct server_options *server, char *path,
                        const char *name, const struct column *columns);

/** Add NAME=VALUE to the query of a path, in percent encoding; nothing when the value is NULL.
 * Frees `path` and gives the longer one; NULL when out of memory. */
char *add_query(char *path, const char *name, const char *value);

#endif
