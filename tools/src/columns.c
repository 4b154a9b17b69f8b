#include "columns.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <updraft/utf8.h>

#include "api.h"
#include "display.h"

enum { CELL = 256, COLUMNS_MAX = 16 };

/* The value of a path such as "product.name"; NULL when there is none. Borrowed. */
static const json_t *value_at(const json_t *object, const char *path)
{
    char key[64];

    for (;;) {
        size_t size = strcspn(path, ".");
        snprintf(key, sizeof key, "%.*s", (int)size, path);
        object = json_object_get(object, key);
        if (path[size] == '\0' || object == NULL) {
            return object;
        }
        path += size + 1;
    }
}

/* A value in few characters: nothing for null, the elements of a list, "key value" for what is in
 * an object. */
static void write_value(const json_t *value, char *text, size_t size)
{
    const char *key;
    size_t index, length = 0;
    json_t *inner;
    char part[CELL];

    text[0] = '\0';
    if (json_is_string(value)) {
        display(json_string_value(value), json_string_length(value), text, size);
    } else if (json_is_integer(value)) {
        snprintf(text, size, "%lld", (long long)json_integer_value(value));
    } else if (json_is_real(value)) {
        snprintf(text, size, "%g", json_real_value(value));
    } else if (json_is_boolean(value)) {
        snprintf(text, size, "%s", json_is_true(value) ? "yes" : "no");
    } else if (json_is_array(value)) {
        json_array_foreach(value, index, inner)
        {
            write_value(inner, part, sizeof part);
            length +=
                (size_t)snprintf(text + length, size - length, "%s%s", index > 0 ? ", " : "", part);
            if (length >= size) {
                return;
            }
        }
    } else if (json_is_object(value)) {
        json_object_foreach((json_t *)value, key, inner)
        {
            write_value(inner, part, sizeof part);
            length += (size_t)snprintf(text + length, size - length, "%s%s %s",
                                       length > 0 ? ", " : "", key, part);
            if (length >= size) {
                return;
            }
        }
    }
}

/* Characters, not bytes: columns stand below each other in every language that has one cell a
 * character. */
static int width_of(const char *text)
{
    size_t left = strlen(text);
    int width = 0;

    while (left > 0) {
        uint32_t size = upd_utf8_read((const uint8_t *)text, (uint32_t)left, NULL);
        size = size > 0 ? size : 1;
        text += size;
        left -= size;
        width++;
    }
    return width;
}

static void print_table(const json_t *items, const struct column *columns)
{
    int widths[COLUMNS_MAX] = {0};
    size_t index, count = 0;
    json_t *item;
    char text[CELL];

    for (; columns[count].title != NULL && count < COLUMNS_MAX; count++) {
        widths[count] = width_of(columns[count].title);
    }
    json_array_foreach(items, index, item)
    {
        for (size_t i = 0; i < count; i++) {
            write_value(value_at(item, columns[i].path), text, sizeof text);
            int width = width_of(text);
            widths[i] = width > widths[i] ? width : widths[i];
        }
    }
    for (size_t i = 0; i < count; i++) {
        printf("%s%*s", columns[i].title,
               i + 1 < count ? widths[i] - width_of(columns[i].title) + 2 : 0, "");
    }
    putchar('\n');
    json_array_foreach(items, index, item)
    {
        for (size_t i = 0; i < count; i++) {
            write_value(value_at(item, columns[i].path), text, sizeof text);
            printf("%s%*s", text, i + 1 < count ? widths[i] - width_of(text) + 2 : 0, "");
        }
        putchar('\n');
    }
}

enum exit_code show_list(struct call *call, json_t *page, const char *name,
                         const struct column *columns)
{
    if (page == NULL) {
        return api_failure(call);
    }
    if (call->json != NULL) {
        json_object_set(call->json, name, json_object_get(page, "items"));
        json_object_set(call->json, "total", json_object_get(page, "total"));
    } else {
        print_table(json_object_get(page, "items"), columns);
    }
    json_decref(page);
    return EXIT_DONE;
}

enum exit_code show_object(struct call *call, json_t *object, const struct column *lines)
{
    char text[4096];

    if (object == NULL) {
        return api_failure(call);
    }
    if (call->json != NULL) {
        json_object_update(call->json, object);
    }
    for (; call->json == NULL && lines->title != NULL; lines++) {
        write_value(value_at(object, lines->path), text, sizeof text);
        if (text[0] != '\0') {
            printf("%-16s %s\n", lines->title, text);
        }
    }
    json_decref(object);
    return EXIT_DONE;
}

json_t *all_pages(struct api *api, struct call *call, char *path)
{
    json_t *whole = NULL;
    char *next = path != NULL ? strdup(path) : NULL;

    for (;;) {
        json_t *page = api_send(api, "GET", next, NULL);
        const char *after = json_string_value(json_object_get(page, "next"));
        if (page == NULL || !json_is_array(json_object_get(page, "items"))) {
            if (page != NULL) {
                fail(call, EXIT_NETWORK, "server", "%s: answered with no list", api_server(api));
            }
            json_decref(page);
            json_decref(whole);
            whole = NULL;
            break;
        }
        char *cursor = after != NULL ? api_path("%s", after) : NULL;
        bool last = cursor == NULL || asprintf(&next, "%s%safter=%s", path,
                                               strchr(path, '?') != NULL ? "&" : "?", cursor) < 0;
        free(cursor);
        if (whole == NULL) {
            whole = page;
        } else {
            json_array_extend(json_object_get(whole, "items"), json_object_get(page, "items"));
            json_decref(page);
        }
        if (last) {
            break;
        }
    }
    free(path);
    return whole;
}

enum exit_code ask_object(struct call *call, const struct server_options *server,
                          const char *method, char *path, json_t *body, const struct column *lines)
{
    struct api *api = api_open(call, server, false);

    if (api == NULL) {
        free(path);
        json_decref(body);
        return api_failure(call);
    }
    enum exit_code code = show_object(call, api_send(api, method, path, body), lines);
    api_close(api);
    return code;
}

enum exit_code ask_list(struct call *call, const struct server_options *server, char *path,
                        const char *name, const struct column *columns)
{
    struct api *api = api_open(call, server, false);

    if (api == NULL) {
        free(path);
        return api_failure(call);
    }
    enum exit_code code = show_list(call, all_pages(api, call, path), name, columns);
    api_close(api);
    return code;
}

char *add_query(char *path, const char *name, const char *value)
{
    char *encoded = value != NULL ? api_path("%s", value) : NULL;
    char *longer = NULL;

    if (value == NULL || path == NULL) {
        return path;
    }
    if (encoded == NULL || asprintf(&longer, "%s%s%s=%s", path,
                                    strchr(path, '?') != NULL ? "&" : "?", name, encoded) < 0) {
        longer = NULL;
    }
    free(encoded);
    free(path);
    return longer;
}
