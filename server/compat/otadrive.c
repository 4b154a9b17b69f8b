/*
 * OTAdrive's devices: sketches with its macro, its library, its component for ESP-IDF.
 *
 *     GET, HEAD /DeviceApi/update      ?k=<product key>&v=<version>&s=<serial>      also in pieces,
 * by Range GET, POST /DeviceApi/alive       likewise: says what runs
 *     GET       /DeviceApi/getconfig   the configuration of the device's group, else of its product:
 *               /DeviceApi/config      JSON as it was given, or with `plain` lines of key=value
 *     GET       /DeviceApi/resource/list?plain   lines of path, key, MD5 for each file, the group's
 *                                                in the place of the product's with the same path
 *     GET       /DeviceApi/resource/get?fk=<file key>
 *
 * The path is written in any case by those who use it, and the query has parameters without values
 * or none at all. 404 says that no firmware is assigned, 304 that there is nothing newer.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "compat/compat.h"

static void read_facts(struct http_exchange *x, struct device_facts *facts)
{
    facts->protocol = PROTOCOL_OTADRIVE;
    facts->product_key = http_query(x, "k");
    facts->serial = http_query(x, "s");
    facts->version = http_query_plus(x, "v"); /* not encoded by its clients */
    compat_read_headers(x, facts);
    compat_read_report(x, facts);
}

static void update(struct http_exchange *x)
{
    struct device_facts facts = DEVICE_FACTS_INIT;
    struct fleet_answer *answer = http_alloc(x, sizeof *answer);

    read_facts(x, &facts);
    facts.only_asks = http_method(x) == HTTP_HEAD;
    facts.again = compat_range_start(x) > 0;
    if (!compat_check(x, &facts, answer)) {
        return;
    }
    if (answer->reason == REASON_OFFER) {
        compat_send_image(x, answer);
    } else {
        http_answer_empty(
            x,
            answer->reason == REASON_NO_RELEASE || answer->reason == REASON_NO_IMAGE ? 404 : 304);
    }
}

static void alive(struct http_exchange *x)
{
    struct device_facts facts = DEVICE_FACTS_INIT;
    struct fleet_answer *answer = http_alloc(x, sizeof *answer);

    read_facts(x, &facts);
    facts.only_asks = true;
    if (compat_check(x, &facts, answer)) {
        http_answer_text(x, 200, "OK");
    }
}

/* --- Configuration ---------------------------------------------------------------------------- */

/* A device that may have what belongs to its product; false: answered. */
static bool is_admitted(struct http_exchange *x, struct fleet_answer *answer)
{
    struct device_facts facts = DEVICE_FACTS_INIT;

    read_facts(x, &facts);
    facts.only_asks = true;
    return compat_check(x, &facts, answer);
}

/* Line ends within a value are told as two characters. */
static void write_value(FILE *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '\n' || *text == '\r') {
            fputs(*text == '\n' ? "\\n" : "\\r", out);
        } else {
            fputc(*text, out);
        }
    }
}

static void write_lines(FILE *out, const char *key, const json_t *value)
{
    const char *dot = key[0] != '\0' ? "." : "", *name;
    char *below = NULL;
    json_t *member;
    size_t index;

    if (json_is_object(value)) {
        json_object_foreach((json_t *)value, name, member)
        {
            if (asprintf(&below, "%s%s%s", key, dot, name) < 0) {
                abort();
            }
            write_lines(out, below, member);
            free(below);
        }
    } else if (json_is_array(value)) {
        json_array_foreach(value, index, member)
        {
            if (asprintf(&below, "%s%s%zu", key, dot, index) < 0) {
                abort();
            }
            write_lines(out, below, member);
            free(below);
        }
    } else {
        write_value(out, key);
        fputc('=', out);
        if (json_is_string(value)) {
            write_value(out, json_string_value(value));
        } else if (!json_is_null(value)) {
            json_dumpf(value, out, JSON_ENCODE_ANY);
        }
        fputc('\n', out);
    }
}

static void answer_lines(struct http_exchange *x, int fd)
{
    json_t *config = json_loadfd(fd, 0, NULL);
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    if (config == NULL || out == NULL) {
        http_answer_empty(x, 500);
    } else {
        write_lines(out, "", config);
    }
    if (out != NULL) {
        fclose(out);
        if (config != NULL) {
            http_answer(x, 200, "text/plain; charset=utf-8", text, size);
        }
    }
    free(text);
    json_decref(config);
}

/* The file of the product that has this key and this path. */
struct search {
    struct image image;     /* no is 0 until it is found */
    const char *key, *path; /* NULL: any */
};

static const char *file_key(const struct image *image)
{
    return image->md5;
}

static void find_file(void *ctx, const struct image *image)
{
    struct search *search = ctx;

    if ((search->key == NULL || strcasecmp(search->key, file_key(image)) == 0) &&
        (search->path == NULL || strcmp(search->path, image->file) == 0)) {
        search->image = *image;
    }
}

/* `group` as fleet_file_list() takes it. False: answered. Without such a file search->image.no stays 0. */
static bool look_for(struct http_exchange *x, const char *product, enum part part,
                     const char *group, struct search *search)
{
    const struct compat *compat = http_context(x);
    struct fleet_error error;

    if (fleet_file_list(compat_fleet(compat), &fleet_system, product, part, group, find_file,
                        search, &error) == FLEET_OK) {
        return true;
    }
    http_answer_empty(x, 500);
    return false;
}

/* Open what was found; -1: answered. */
static int open_file(struct http_exchange *x, const struct search *search)
{
    const struct compat *compat = http_context(x);
    struct fleet_error error;
    int fd = -1;

    if (search->image.no == 0) {
        http_answer_empty(x, 404);
    } else if (fleet_image_open(compat_fleet(compat), &fleet_system, &search->image, &fd, &error) !=
               FLEET_OK) {
        http_answer_empty(x, 500);
    }
    return fd;
}

/* That of the device's group, else that of its product. */
static bool find_config(struct http_exchange *x, const struct fleet_answer *answer,
                        struct search *search)
{
    const char *group = answer->device.family;

    *search = (struct search){.path = group};
    if (group[0] != '\0' && !look_for(x, answer->product, PART_GROUP_CONFIG, NULL, search)) {
        return false;
    }
    search->path = NULL;
    return search->image.no != 0 || look_for(x, answer->product, PART_CONFIG, NULL, search);
}

/* In one piece: the library reads what came together with the header, and no more. */
static void config(struct http_exchange *x)
{
    struct fleet_answer *answer = http_alloc(x, sizeof *answer);
    struct search *search = http_alloc(x, sizeof *search);
    int fd;

    if (!is_admitted(x, answer) || !find_config(x, answer, search) ||
        (fd = open_file(x, search)) < 0) {
        return;
    }
    if (http_query(x, "plain") != NULL) {
        answer_lines(x, fd);
    } else {
        char *text = http_alloc(x, (size_t)search->image.size + 1);
        ssize_t got = read(fd, text, (size_t)search->image.size);
        if (got == (ssize_t)search->image.size) {
            http_answer(x, 200, "application/json", text, (size_t)got);
        } else {
            http_answer_empty(x, 500);
        }
    }
    close(fd);
}

/* --- Resources -------------------------------------------------------------------------------- */

struct listing {
    struct http_exchange *x;
    const char *text; /* lines, or */
    json_t *items;    /* NULL: lines are wanted */
};

static void list_file(void *ctx, const struct image *image)
{
    struct listing *listing = ctx;

    if (listing->items != NULL) {
        json_array_append_new(listing->items, json_pack("{s:s, s:s, s:s}", "path", image->file,
                                                        "key", file_key(image), "md5", image->md5));
    } else {
        /* From the root of the device's file system on. */
        listing->text = http_printf(listing->x, "%s/%s\n%s\n%s\n", listing->text, image->file,
                                    file_key(image), image->md5);
    }
}

static void list_resources(struct http_exchange *x)
{
    const struct compat *compat = http_context(x);
    struct fleet_answer *answer = http_alloc(x, sizeof *answer);
    struct listing listing = {x, "", NULL};
    struct fleet_error error;

    if (!is_admitted(x, answer)) {
        return;
    }
    listing.items = http_query(x, "plain") != NULL ? NULL : json_array();
    if (fleet_file_list(compat_fleet(compat), &fleet_system, answer->product, PART_RESOURCE,
                        answer->device.family, list_file, &listing, &error) != FLEET_OK) {
        json_decref(listing.items);
        http_answer_empty(x, 500);
    } else if (listing.items != NULL) {
        http_answer_json(x, 200, listing.items);
    } else {
        http_answer(x, 200, "text/plain; charset=utf-8", listing.text, strlen(listing.text));
    }
}

static void get_resource(struct http_exchange *x)
{
    struct fleet_answer *answer = http_alloc(x, sizeof *answer);
    struct search *search = http_alloc(x, sizeof *search);
    int fd;

    *search = (struct search){.key = http_query(x, "fk")};
    if (!is_admitted(x, answer)) {
        return;
    }
    if (search->key == NULL) {
        http_answer_empty(x, 404);
        return;
    }
    if (look_for(x, answer->product, PART_RESOURCE, answer->device.family, search) &&
        (fd = open_file(x, search)) >= 0) {
        const struct http_file file = {.fd = fd,
                                       .size = (uint64_t)search->image.size,
                                       .type = "application/octet-stream",
                                       .etag = search->image.sha256};
        http_answer_file(x, &file);
    }
}

static const struct {
    const char *name;
    bool waits; /* for a disk */
    bool post;  /* also by POST */
    void (*handle)(struct http_exchange *x);
} calls[] = {
    {"update", false, false, update},
    {"alive", false, true, alive},
    {"config", true, false, config},
    {"getconfig", true, false, config},
    {"getjsonconfig", true, false, config},
    {"resource/list", true, false, list_resources},
    {"resource/get", true, false, get_resource},
};

static void call(struct http_exchange *x)
{
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        if (strcasecmp(http_path(x, "call"), calls[i].name) == 0) {
            if (http_method(x) == HTTP_POST && !calls[i].post) {
                http_answer_header(x, "Allow", "GET, HEAD");
                http_answer_empty(x, 405);
            } else if (calls[i].waits && http_must_not_wait(x)) {
                http_defer(x);
            } else {
                calls[i].handle(x);
            }
            return;
        }
    }
    http_answer_not_found(x);
}

#define ROWS(base)                                                                                 \
    {HTTP_GET, base "/{call...}", HTTP_DEVICE, HTTP_PLAIN | HTTP_BRIEF, 0, call, NULL, NULL},      \
    {                                                                                              \
        HTTP_POST, base "/{call...}", HTTP_DEVICE, HTTP_PLAIN | HTTP_BRIEF, 4096, call, NULL, NULL \
    }
const struct http_route otadrive_routes[] = {
    ROWS("/DeviceApi"), ROWS("/deviceapi"), ROWS("/DeviceAPI"),
    ROWS("/deviceApi"), ROWS("/DEVICEAPI"),
};
const size_t otadrive_count = sizeof otadrive_routes / sizeof otadrive_routes[0];
