#include "api/openapi.h"

#include <string.h>

#include "api/inside.h"

static const char *const access_words[HTTP_ACCESS_COUNT] = {
    [HTTP_PUBLIC] = "anybody",
    [HTTP_DEVICE] = "devices",
    [HTTP_USER] = "whoever is logged in",
    [HTTP_OWNER] = "the owner of the device",
    [HTTP_VIEWER] = "a viewer of the product",
    [HTTP_OPERATOR] = "an operator of the product",
    [HTTP_DEVELOPER] = "a developer of the product",
    [HTTP_ADMINISTRATOR] = "an administrator",
};

const char *api_access_word(enum http_access access)
{
    return access_words[access];
}

static json_t *field_json(const struct http_field *field)
{
    static const char *const types[] = {
        [HTTP_TEXT] = "string",    [HTTP_LINES] = "string",  [HTTP_BOOL] = "boolean",
        [HTTP_NUMBER] = "integer", [HTTP_CHOICE] = "string", [HTTP_DIGEST] = "string",
        [HTTP_OBJECT] = "object",  [HTTP_ARRAY] = "array"};
    const char *type = types[field->kind];
    json_t *schema = json_pack("{s:s}", "description", field->help);
    bool text = field->kind == HTTP_TEXT || field->kind == HTTP_LINES;

    json_object_set_new(schema, "type",
                        field->nullable ? json_pack("[s, s]", type, "null") : json_string(type));
    if (text && field->min > 0) {
        json_object_set_new(schema, "minLength", json_integer(field->min));
    }
    if (text && field->max > 0) {
        json_object_set_new(schema, "maxLength", json_integer(field->max));
    }
    if (field->kind == HTTP_NUMBER) {
        json_object_set_new(schema, "minimum", json_integer(field->min));
        if (field->max > 0) {
            json_object_set_new(schema, "maximum", json_integer(field->max));
        }
    }
    if (field->kind == HTTP_CHOICE) {
        json_t *words = json_array();
        for (const char *const *word = field->choices; *word != NULL; word++) {
            json_array_append_new(words, json_string(*word));
        }
        if (field->nullable) {
            json_array_append_new(words, json_null());
        }
        json_object_set_new(schema, "enum", words);
    }
    return schema;
}

static json_t *schema_json(const struct http_schema *schema)
{
    json_t *properties = json_object(), *required = json_array();

    for (const struct http_field *field = schema->fields; field->name != NULL; field++) {
        json_object_set_new(properties, field->name, field_json(field));
        if (field->required) {
            json_array_append_new(required, json_string(field->name));
        }
    }
    return json_pack("{s:s, s:o, s:o, s:b}", "type", "object", "properties", properties, "required",
                     required, "additionalProperties", 0);
}

/* "{product}" of a pattern is a parameter of its path. */
static json_t *parameters_json(const char *pattern)
{
    json_t *parameters = json_array();

    for (const char *at = strchr(pattern, '{'); at != NULL; at = strchr(at + 1, '{')) {
        json_array_append_new(parameters, json_pack("{s:s%, s:s, s:b, s:{s:s}}", "name", at + 1,
                                                    strcspn(at + 1, "}."), "in", "path", "required",
                                                    1, "schema", "type", "string"));
    }
    return parameters;
}

static json_t *ref(const char *name)
{
    json_t *reference = json_object();

    json_object_set_new(reference, "$ref", json_sprintf("#/components/schemas/%s", name));
    return reference;
}

static json_t *answer_json(const struct api_about *about)
{
    json_t *schema;

    if (about->answer == NULL) {
        return json_pack("{s:{s:s}}", "204", "description", "done");
    }
    if (about->answer[0] == '\0') {
        return json_pack("{s:{s:s}}", "200", "description", about->summary);
    }
    schema = ref(about->answer);
    if (about->list) {
        schema = json_pack(
            "{s:s, s:{s:{s:s, s:o}, s:{s:[s, s]}, s:{s:s}, s:{s:s, s:s}}, s:[s, s, s], s:b}",
            "type", "object", "properties", "items", "type", "array", "items", schema, "next",
            "type", "string", "null", "total", "type", "integer", "more", "type", "boolean",
            "description", "there are more than total: a search counts no further", "required",
            "items", "next", "total", "additionalProperties", 0);
    }
    return json_pack("{s:{s:s, s:{s:{s:o}}}}", "2XX", "description", about->summary, "content",
                     "application/json", "schema", schema);
}

static json_t *operation_json(const struct http_route *route)
{
    const struct api_about *about = route->about;
    json_t *answers = answer_json(about);
    json_t *operation = json_pack("{s:s, s:o, s:o, s:s+}", "summary", about->summary, "parameters",
                                  parameters_json(route->pattern), "responses", answers,
                                  "description", "For ", access_words[route->access]);

    json_object_set_new(answers, "default",
                        json_pack("{s:s, s:{s:{s:o}}}", "description", "an error", "content",
                                  "application/json", "schema", ref("Error")));
    if (about->request != NULL) {
        json_object_set_new(operation, "requestBody",
                            json_pack("{s:b, s:{s:{s:o}}}", "required", 1, "content",
                                      "application/json", "schema", ref(about->request->name)));
    }
    if (route->stream != NULL) {
        json_object_set_new(operation, "requestBody",
                            json_pack("{s:b, s:{s:{s:{s:s}}}}", "required", 1, "content",
                                      "application/octet-stream", "schema", "type", "string"));
    }
    if (route->access == HTTP_PUBLIC) {
        json_object_set_new(operation, "security", json_array());
    }
    return operation;
}

static void add_route(json_t *paths, json_t *schemas, const struct http_route *route)
{
    static const char *const methods[] = {[HTTP_GET] = "get",
                                          [HTTP_POST] = "post",
                                          [HTTP_PUT] = "put",
                                          [HTTP_PATCH] = "patch",
                                          [HTTP_DELETE] = "delete"};
    const struct api_about *about = route->about;
    const char *rest = strstr(route->pattern, "...}");
    json_t *pattern = rest != NULL
                          ? json_sprintf("%.*s}", (int)(rest - route->pattern), route->pattern)
                          : json_string(route->pattern);
    json_t *path = json_object_get(paths, json_string_value(pattern));

    if (path == NULL) {
        path = json_object();
        json_object_set_new(paths, json_string_value(pattern), path);
    }
    json_decref(pattern);
    json_object_set_new(path, methods[route->method], operation_json(route));
    if (about->request != NULL && json_object_get(schemas, about->request->name) == NULL) {
        json_object_set_new(schemas, about->request->name, schema_json(about->request));
    }
}

static void add_routes(json_t *paths, json_t *schemas, const struct http_route *routes,
                       size_t count)
{
    for (size_t i = 0; i < count; i++) {
        add_route(paths, schemas, &routes[i]);
    }
}

json_t *api_openapi(const char *origin)
{
    json_t *paths = json_object(), *schemas = json_object();
    struct http_table parts[API_PARTS];

    api_parts(parts);
    for (size_t i = 0; i < API_PARTS; i++) {
        add_routes(paths, schemas, parts[i].routes, parts[i].count);
    }
    api_shapes(schemas);
    json_object_set_new(
        schemas, "Error",
        json_pack("{s:s, s:[s], s:{s:{s:s, s:[s, s], s:{s:{s:s}, s:{s:s}, s:{s:s}, s:{s:s}}}}}",
                  "type", "object", "required", "error", "properties", "error", "type", "object",
                  "required", "code", "message", "properties", "code", "type", "string", "message",
                  "type", "string", "field", "type", "string", "detail", "type", "object"));
    return json_pack(
        "{s:s, s:{s:s, s:s, s:{s:s}}, s:[{s:s}], s:[{s:[]}, {s:[]}], s:o, s:{s:o, s:{s:{s:s, s:s}, "
        "s:{s:s, s:s, s:s}}}}",
        "openapi", "3.1.0", "info", "title", "updraft", "version", UPD_VERSION, "license", "name",
        "Apache-2.0", "servers", "url", origin, "security", "token", "session", "paths", paths,
        "components", "schemas", schemas, "securitySchemes", "token", "type", "http", "scheme",
        "bearer", "session", "type", "apiKey", "in", "cookie", "name", "session");
}
