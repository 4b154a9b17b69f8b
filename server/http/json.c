/* JSON bodies: read by rows, and refused by the name of the field. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <updraft/utf8.h>

#include "http/exchange.h"

static const char *const kind_texts[] = {
    [HTTP_TEXT] = "a text",          [HTTP_LINES] = "a text",
    [HTTP_BOOL] = "true or false",   [HTTP_NUMBER] = "a whole number",
    [HTTP_CHOICE] = "one of a list", [HTTP_DIGEST] = "64 hexadecimal digits in lower case",
    [HTTP_OBJECT] = "an object",     [HTTP_ARRAY] = "an array",
};

/* "images.user1": the field as the client knows it. */
static const char *full_name(struct http_exchange *x, const char *path, const char *name)
{
    return path != NULL && path[0] != 0 ? http_printf(x, "%s.%s", path, name) : name;
}

static bool refuse(struct http_exchange *x, const char *name, const char *what)
{
    http_answer_error(x, 422, REFUSAL_BAD_FIELD, name,
                      VALUES({"field", name, 0}, {"kind", what, 0}));
    return false;
}

static int64_t characters(const char *text, size_t size)
{
    int64_t count = 0;

    while (size > 0) {
        uint32_t taken = upd_utf8_read((const uint8_t *)text, size > 4 ? 4 : (uint32_t)size, NULL);
        if (taken == 0) {
            return -1;
        }
        text += taken;
        size -= taken;
        count++;
    }
    return count;
}

/* Control characters; of them, line ends and tabs are fine in texts of several lines. */
static bool has_controls(const char *text, bool lines)
{
    for (; *text != 0; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == 0x7F || (c < 0x20 && !(lines && (c == '\n' || c == '\r' || c == '\t')))) {
            return true;
        }
    }
    return false;
}

/* Texts are those of the parsed body, which the exchange keeps. */
static bool read_text(struct http_exchange *x, const struct http_field *field, const char *name,
                      const json_t *value, void *at)
{
    const char *text = json_string_value(value);
    size_t size = json_string_length(value);
    int64_t count;

    if (text == NULL) {
        return refuse(x, name, "a text");
    }
    count = characters(text, size);
    if (count < 0 || strlen(text) != size || has_controls(text, field->kind == HTTP_LINES)) {
        return refuse(x, name, "a text without control characters");
    }
    if (count < field->min || (field->max != 0 && count > field->max)) {
        return refuse(x, name,
                      field->max != 0 ? http_printf(x, "a text of %lld to %lld characters",
                                                    (long long)field->min, (long long)field->max)
                                      : http_printf(x, "a text of at least %lld characters",
                                                    (long long)field->min));
    }
    *(const char **)at = text;
    return true;
}

static bool read_number(struct http_exchange *x, const struct http_field *field, const char *name,
                        const json_t *value, void *at)
{
    int64_t number = (int64_t)json_integer_value(value);

    if (!json_is_integer(value)) {
        return refuse(x, name, "a whole number");
    }
    if (number < field->min || (field->max != 0 && number > field->max)) {
        return refuse(x, name,
                      field->max != 0
                          ? http_printf(x, "a whole number from %lld to %lld",
                                        (long long)field->min, (long long)field->max)
                          : http_printf(x, "a whole number, at least %lld", (long long)field->min));
    }
    *(int64_t *)at = number;
    return true;
}

static bool read_choice(struct http_exchange *x, const struct http_field *field, const char *name,
                        const json_t *value, void *at)
{
    const char *text = json_string_value(value);
    const char *list = "one of";

    for (const char *const *choice = field->choices; *choice != NULL; choice++) {
        if (text != NULL && strcmp(text, *choice) == 0) {
            *(const char **)at = *choice;
            return true;
        }
        list = http_printf(x, "%s %s%s", list, *choice, choice[1] != NULL ? "," : "");
    }
    return refuse(x, name, list);
}

static bool read_digest(struct http_exchange *x, const char *name, const json_t *value, void *at)
{
    const char *text = json_string_value(value);

    if (text == NULL || strlen(text) != 64 || strspn(text, "0123456789abcdef") != 64) {
        return refuse(x, name, kind_texts[HTTP_DIGEST]);
    }
    *(const char **)at = text;
    return true;
}

static bool read_field(struct http_exchange *x, const struct http_field *field, const char *name,
                       json_t *value, void *at)
{
    switch (field->kind) {
    case HTTP_TEXT:
    case HTTP_LINES:
        return read_text(x, field, name, value, at);
    case HTTP_NUMBER:
        return read_number(x, field, name, value, at);
    case HTTP_CHOICE:
        return read_choice(x, field, name, value, at);
    case HTTP_DIGEST:
        return read_digest(x, name, value, at);
    case HTTP_BOOL:
        if (!json_is_boolean(value)) {
            return refuse(x, name, kind_texts[field->kind]);
        }
        *(bool *)at = json_is_true(value);
        return true;
    case HTTP_OBJECT:
    case HTTP_ARRAY:
        if (field->kind == HTTP_OBJECT ? !json_is_object(value) : !json_is_array(value)) {
            return refuse(x, name, kind_texts[field->kind]);
        }
        *(json_t **)at = value;
        return true;
    }
    return false;
}

static bool known(const struct http_field *fields, const char *name)
{
    for (; fields->name != NULL; fields++) {
        if (strcmp(fields->name, name) == 0) {
            return true;
        }
    }
    return false;
}

static bool read_row(struct http_exchange *x, const json_t *object, const char *path,
                     const struct http_field *field, void *into)
{
    const char *name = full_name(x, path, field->name);
    json_t *value = json_object_get(object, field->name);
    char *base = into;

    if (value == NULL) {
        if (field->required) {
            http_answer_error(x, 422, REFUSAL_MISSING_FIELD, name, VALUES({"field", name, 0}));
        }
        return !field->required;
    }
    if (field->given != 0) {
        *(bool *)(base + field->given) = true;
    }
    if (json_is_null(value) && field->nullable) {
        return true;
    }
    return read_field(x, field, name, value, base + field->at);
}

bool http_read_object(struct http_exchange *x, const json_t *object, const char *path,
                      const struct http_field *fields, void *into)
{
    const char *name;
    json_t *value;

    /* jansson's iterator is of a mutable object; it is only read. */
    json_object_foreach((json_t *)(uintptr_t)object, name, value)
    {
        if (!known(fields, name)) {
            const char *full = full_name(x, path, name);
            http_answer_error(x, 422, REFUSAL_UNKNOWN_FIELD, full, VALUES({"field", full, 0}));
            return false;
        }
    }
    for (; fields->name != NULL; fields++) {
        if (!read_row(x, object, path, fields, into)) {
            return false;
        }
    }
    return true;
}

static bool is_json(const char *type)
{
    size_t size = strcspn(type, "; \t");

    return size == strlen("application/json") && strncasecmp(type, "application/json", size) == 0;
}

bool http_read_json(struct http_exchange *x, const struct http_field *fields, void *into)
{
    const char *type = http_header(x, "Content-Type");
    size_t size;
    const char *body = http_body(x, &size);
    json_error_t error;

    /* A form of another site can send text/plain without being asked, and JSON not. */
    if (type == NULL || !is_json(type)) {
        http_answer_error(x, 415, REFUSAL_NOT_JSON, NULL, NULL);
        return false;
    }
    json_t *object = json_loadb(body, size, JSON_REJECT_DUPLICATES, &error);
    if (object == NULL) {
        bool twice = json_error_code(&error) == json_error_duplicate_key;
        http_answer_error(x, twice ? 422 : 400, twice ? REFUSAL_DUPLICATE_FIELD : REFUSAL_BAD_JSON,
                          NULL,
                          VALUES({"line", NULL, error.line}, {"column", NULL, error.column},
                                 {"problem", error.text, 0}));
        return false;
    }
    if (!json_is_object(object)) {
        json_decref(object);
        http_answer_error(x, 400, REFUSAL_BAD_JSON_OBJECT, NULL, NULL);
        return false;
    }
    json_decref(x->json);
    x->json = object;
    return http_read_object(x, object, NULL, fields, into);
}
