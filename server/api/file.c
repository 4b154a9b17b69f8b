/* Files of a product beside its firmware: what OTAdrive's devices are configured with, and keep. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api/inside.h"
#include "api/show.h"

enum { CONFIG_MAX = 65536, RESOURCE_MAX = 4 << 20 };
static const char config_path[] = "config";

static json_t *show_file(const struct image *image)
{
    return json_pack("{s:s, s:s?, s:s, s:s, s:I, s:o}", "path", image->file, "group",
                     image->family[0] != '\0' ? image->family : NULL, "sha256", image->sha256,
                     "md5", image->md5, "size", (json_int_t)image->size, "changed",
                     show_time(image->created));
}

static void take_away(struct http_exchange *x, enum part part, const char *path, const char *group)
{
    struct fleet_error error;

    if (!api_failed(x,
                    fleet_file_remove(api_fleet(x), api_actor(x), http_path(x, "product"), part,
                                      path, group, &error),
                    &error)) {
        http_answer_empty(x, 204);
    }
}

/* --- Configuration ---------------------------------------------------------------------------- */

/* Whose configuration is asked for: the product's, or a group's. */
struct whose {
    enum part part;
    const char *path, *group; /* NULL: the product's */
};

/* NULL: of no group. False: answered. */
static bool read_group(struct http_exchange *x, const char **group)
{
    *group = http_query_plus(x, "group");
    if (*group != NULL && !fleet_name_good(*group)) {
        http_answer_error(x, 422, REFUSAL_BAD_GROUP, "group", NULL);
        return false;
    }
    return true;
}

/* False: answered. */
static bool read_whose(struct http_exchange *x, struct whose *whose)
{
    const char *group;

    if (!read_group(x, &group)) {
        return false;
    }
    *whose = group == NULL ? (struct whose){PART_CONFIG, config_path, NULL}
                           : (struct whose){PART_GROUP_CONFIG, group, group};
    return true;
}

static json_t *show_configuration(const struct image *image)
{
    return json_pack("{s:s?, s:s, s:s, s:I, s:o}", "group",
                     image->part == PART_GROUP_CONFIG ? image->file : NULL, "sha256", image->sha256,
                     "md5", image->md5, "size", (json_int_t)image->size, "changed",
                     show_time(image->created));
}

struct finding {
    const char *path;
    struct image *image;
};

static void take(void *ctx, const struct image *image)
{
    const struct finding *finding = ctx;

    if (strcmp(image->file, finding->path) == 0) {
        *finding->image = *image;
    }
}

/* As it was given, blanks and all: devices get these very bytes. */
static void show_config(struct http_exchange *x)
{
    struct image *image = http_alloc(x, sizeof *image);
    struct fleet_error error;
    struct whose whose;
    int fd;

    if (!read_whose(x, &whose)) {
        return;
    }
    struct finding finding = {whose.path, image};
    image->no = 0;
    if (api_failed(x,
                   fleet_file_list(api_fleet(x), api_actor(x), http_path(x, "product"), whose.part,
                                   NULL, take, &finding, &error),
                   &error)) {
        return;
    }
    if (image->no == 0) {
        http_answer_not_found(x);
        return;
    }
    if (api_failed(x, fleet_image_open(api_fleet(x), api_actor(x), image, &fd, &error), &error)) {
        return;
    }
    const struct http_file file = {
        .fd = fd, .size = (uint64_t)image->size, .type = "application/json", .etag = image->sha256};
    http_answer_file(x, &file);
}

static void put_config(struct http_exchange *x)
{
    struct image *image = http_alloc(x, sizeof *image);
    struct fleet_error error;
    struct whose whose;
    size_t size;
    const char *body = http_body(x, &size);
    json_error_t at;

    if (!read_whose(x, &whose)) {
        return;
    }
    json_t *json = json_loadb(body, size, JSON_REJECT_DUPLICATES, &at);
    if (!json_is_object(json)) {
        http_answer_error(x, 422, REFUSAL_INVALID_CONFIG, "config",
                          VALUES({"problem", json == NULL ? at.text : "it is something else", 0}));
    } else if (!api_failed(x,
                           fleet_file_put(api_fleet(x), api_actor(x), http_path(x, "product"),
                                          whose.part, whose.path, NULL, body, size, image, &error),
                           &error)) {
        http_answer_json(x, 200, show_configuration(image));
    }
    json_decref(json);
}

static void remove_config(struct http_exchange *x)
{
    struct whose whose;

    if (read_whose(x, &whose)) {
        take_away(x, whose.part, whose.path, NULL);
    }
}

static void add_config(void *ctx, const struct image *image)
{
    json_array_append_new(ctx, show_configuration(image));
}

/* The product's own, then those of its groups. */
static void list_configs(struct http_exchange *x)
{
    struct fleet_error error;
    json_t *items = json_array();
    static const enum part parts[] = {PART_CONFIG, PART_GROUP_CONFIG};

    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (api_failed(x,
                       fleet_file_list(api_fleet(x), api_actor(x), http_path(x, "product"),
                                       parts[i], NULL, add_config, items, &error),
                       &error)) {
            json_decref(items);
            return;
        }
    }
    const struct fleet_page page = {.total = (int64_t)json_array_size(items)};
    api_answer_page(x, items, &page);
}

/* --- Resources -------------------------------------------------------------------------------- */

static void add_file(void *ctx, const struct image *image)
{
    json_array_append_new(ctx, show_file(image));
}

/* All, or what the devices of a group get. */
static void list_resources(struct http_exchange *x)
{
    struct fleet_error error;
    const char *group;

    if (!read_group(x, &group)) {
        return;
    }
    json_t *items = json_array();
    if (api_failed(x,
                   fleet_file_list(api_fleet(x), api_actor(x), http_path(x, "product"),
                                   PART_RESOURCE, group, add_file, items, &error),
                   &error)) {
        json_decref(items);
        return;
    }
    const struct fleet_page page = {.total = (int64_t)json_array_size(items)};
    api_answer_page(x, items, &page);
}

static void put_resource(struct http_exchange *x)
{
    struct image *image = http_alloc(x, sizeof *image);
    struct fleet_error error;
    size_t size;
    const char *body = http_body(x, &size), *group;

    if (read_group(x, &group) &&
        !api_failed(x,
                    fleet_file_put(api_fleet(x), api_actor(x), http_path(x, "product"),
                                   PART_RESOURCE, http_path(x, "path"), group, body, size, image,
                                   &error),
                    &error)) {
        http_answer_json(x, 200, show_file(image));
    }
}

static void remove_resource(struct http_exchange *x)
{
    const char *group;

    if (read_group(x, &group)) {
        take_away(x, PART_RESOURCE, http_path(x, "path"), group);
    }
}

#define ABOUT(name, text, answer, list)                                                            \
    static const struct api_about about_##name = {text, NULL, answer, list}
ABOUT(config, "what OTAdrive's devices are configured with, as it was given; ?group= for a group's",
      "", false);
ABOUT(put_config,
      "configure OTAdrive's devices: the body is an object of JSON; ?group= for those of a group",
      "Config", false);
ABOUT(remove_config, "leave OTAdrive's devices, or with ?group= a group, without a configuration",
      NULL, false);
ABOUT(configs, "the configuration of the product and those of groups", "Config", true);
ABOUT(resources,
      "files that OTAdrive's devices keep beside the firmware: the product's and those of groups; "
      "?group= what the devices of a group get",
      "File", true);
ABOUT(put_resource, "put such a file: its bytes are the body; ?group= for the devices of a group",
      "File", false);
ABOUT(remove_resource, "remove such a file; ?group= that of a group, which then gets the product's",
      NULL, false);

#define PRODUCT "/api/v1/products/{product}"
const struct http_route api_file_routes[] = {
    {HTTP_GET, PRODUCT "/config", HTTP_VIEWER, 0, 0, show_config, NULL, &about_config},
    {HTTP_PUT, PRODUCT "/config", HTTP_DEVELOPER, 0, CONFIG_MAX, put_config, NULL,
     &about_put_config},
    {HTTP_DELETE, PRODUCT "/config", HTTP_DEVELOPER, 0, 0, remove_config, NULL,
     &about_remove_config},
    {HTTP_GET, PRODUCT "/configs", HTTP_VIEWER, 0, 0, list_configs, NULL, &about_configs},
    {HTTP_GET, PRODUCT "/resources", HTTP_VIEWER, 0, 0, list_resources, NULL, &about_resources},
    {HTTP_PUT, PRODUCT "/resources/{path...}", HTTP_DEVELOPER, 0, RESOURCE_MAX, put_resource, NULL,
     &about_put_resource},
    {HTTP_DELETE, PRODUCT "/resources/{path...}", HTTP_DEVELOPER, 0, 0, remove_resource, NULL,
     &about_remove_resource},
};
const size_t api_file_count = sizeof api_file_routes / sizeof api_file_routes[0];
