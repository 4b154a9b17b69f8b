/*
 * Any request made by hand: first line target, then headers, an empty line, and the body, read as
 * JSON by rows of each kind. Every one is answered, with an answer that has no control characters
 * in its headers.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "http/http_test.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool truth)
{
    if (!truth) {
        __builtin_trap();
    }
}

struct given {
    const char *text, *lines, *choice, *digest;
    int64_t number;
    bool truth, has_text;
    json_t *object, *array;
};

static const char *const choices[] = {"one", "two", NULL};
#define AT(member) offsetof(struct given, member)
static const struct http_field fields[] = {
    {.name = "text",
     .kind = HTTP_TEXT,
     .required = true,
     .min = 1,
     .max = 5,
     .at = AT(text),
     .given = AT(has_text)},
    {.name = "lines", .kind = HTTP_LINES, .nullable = true, .at = AT(lines)},
    {.name = "truth", .kind = HTTP_BOOL, .at = AT(truth)},
    {.name = "number", .kind = HTTP_NUMBER, .min = -5, .max = 5, .at = AT(number)},
    {.name = "choice", .kind = HTTP_CHOICE, .choices = choices, .at = AT(choice)},
    {.name = "digest", .kind = HTTP_DIGEST, .at = AT(digest)},
    {.name = "object", .kind = HTTP_OBJECT, .at = AT(object)},
    {.name = "array", .kind = HTTP_ARRAY, .at = AT(array)},
    {0},
};

static void read_body(struct http_exchange *x)
{
    struct given given = {0};

    if (http_read_json(x, fields, &given)) {
        require(given.text != NULL && given.has_text && strlen(given.text) <= 20);
        require(given.number >= -5 && given.number <= 5);
        require(given.choice == NULL || given.choice == choices[0] || given.choice == choices[1]);
        http_answer_header(x, "X-Text", given.text);
        http_answer_text(x, 200, "%s", given.text);
    }
}

static void answer_path(struct http_exchange *x)
{
    struct http_file file = {.fd = -1,
                             .bytes = "0123456789",
                             .size = 10,
                             .etag = "abc",
                             .type = "text/plain",
                             .filename = http_path(x, "name")};
    http_answer_file(x, &file);
}

static const struct http_route routes[] = {
    {HTTP_POST, "/read", HTTP_PUBLIC, 0, 100000, read_body, NULL, NULL},
    {HTTP_GET, "/file/{name}", HTTP_PUBLIC, 0, 0, answer_path, NULL, NULL},
    {HTTP_GET, "/file/{name}.bin", HTTP_PUBLIC, 0, 0, answer_path, NULL, NULL},
    {HTTP_GET, "/all/{name...}", HTTP_PUBLIC, 0, 0, answer_path, NULL, NULL},
    {HTTP_DELETE, "/user", HTTP_USER, 0, 0, read_body, NULL, NULL},
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct http_router *router;
    static const struct http_table table = {HTTP_TABLE(routes), NULL};
    const char *headers[80];
    size_t count = 0;

    if (router == NULL) {
        router = http_router_new(&table, 1, NULL);
    }
    if (memchr(data, 0, size) != NULL) {
        return 0; /* a text of C ends there */
    }
    char *text = malloc(size + 2);
    memcpy(text, data, size);
    text[size] = '\n';
    text[size + 1] = 0;
    char *end = strchr(text, '\n');
    *end++ = 0;
    while (count < 79 && *end != '\n' && strchr(end, '\n') != NULL) {
        headers[count++] = end;
        end = strchr(end, '\n');
        *end++ = 0;
    }
    headers[count] = NULL;
    struct http_made made = {.method = text[0] == 'P'   ? HTTP_POST
                                       : text[0] == 'D' ? HTTP_DELETE
                                                        : HTTP_GET,
                             .target = text[0] != 0 ? text + 1 : text,
                             .headers = headers,
                             .body = end,
                             .size = strlen(end),
                             .plain = true,
                             .remote = count % 2 == 0};
    struct http_exchange *x = http_exchange_make(&made);
    struct http_shown shown;
    http_router_run(router, x);
    http_answer_of(x, &shown);
    require(shown.status >= 200 && shown.status < 600);
    require(shown.size == strlen(shown.body));
    http_exchange_free(x);
    free(text);
    return 0;
}
