/*
 * What the API answers with, field by field, as openapi.json says it. The objects are made in
 * show.c and beside the handlers; the tests hold real answers against these rows.
 */
#include "api/openapi.h"

#include <string.h>

/*
 * A word per field: NAME:TYPE. Types: s text, t time, i whole number, n number, b true or false,
 * o any object, a any array, * anything, @NAME one of that shape, [NAME] an array of those. A
 * following ? says that it may be null; NAME? that it may be absent.
 */
static const struct {
    const char *name, *fields;
} shapes[] = {
    {"Named", "id:s name:s"},
    {"Server", "version:s started:t addresses:o? setup:b simulator:b simulating:b"},
    {"Overview", "devices:i online:i products:i versions:a history:o updates:o failures:[Failure] "
                 "attention:[Attention]"},
    {"Failure", "code:s text:s count:i"},
    {"Attention", "kind:s count:i product:@Named"},
    {"Session", "user:s name:s role:s csrf:s language:s seq:i"},
    {"Product", "id:s name:s kind:s chip:s map:i? partition_table:s? ptype:i? key:s? consent:s "
                "strangers:s channels:a reply_unknown:i reply_blocked:i strict_kinds:b created:t "
                "role:s current?:o devices?:i online?:i"},
    {"Member", "user:s name:s role:s"},
    {"Paste", "steps:[PasteStep]"},
    {"PasteStep", "title:s text:s"},
    {"Image", "slot:s variant:s sha256:s md5:s size:i file:s? description:o?"},
    {"Config", "group:s? sha256:s md5:s size:i changed:t"},
    {"File", "path:s group:s? sha256:s md5:s size:i changed:t"},
    {"Release", "id:s version:s channel:s letter:s? notes:s current:b withdrawn:b created:t "
                "images:[Image] devices:i updates:o recent:i failures?:[Failure] warnings?:s"},
    {"Forecast",
     "done:i expected:i silent:i unknown:i people:i refused:i per_hour:i half:t? most:t? all:t?"},
    {"Difference", "rows:[DifferenceRow]"},
    {"DifferenceRow", "what:s before:s? after:s?"},
#define DEVICE                                                                                     \
    "id:s name:s product:@Named serial:s? chip_id:s? mac:s? group:s owner:*? version:s? slot:s? "  \
    "online:b last_seen:t? standing:s blocked:b update:@Update?"
    {"Device", DEVICE},
    {"DevicePage", DEVICE " operates:b history:[Update] device_key:s? claim_code:s? chip:s map:i? "
                          "flash_size:i? address:s? channel:s? variant:s? polls:@Polls"},
    {"Polls", "how:s every:n? due:t?"},
    {"Update", "id:s version:s before:s? state:s reason:@Reason? inferred:b bytes:i size:i "
               "started:t changed:t device:@Named product:@Named steps?:[Step]"},
    {"Reason", "code:s text:s detail?:o"},
    {"Step", "state:s time:t cause:s code:s? detail:o inferred:b"},
    {"Decision", "offer:b reason:@Reason version:s? rules:[Rule]"},
    {"Rule", "rule:s passed:b? result:s text:s"},
    {"Told", "told:b"},
    {"OwnedDevice",
     "id:s name:s version:s? online:b last_seen:t? offer:@Offer? update:@OwnedUpdate?"},
    {"Offer", "update:s version:s notes:s question:s postponed:t?"},
    {"OwnedUpdate", "state:s bytes:i size:i version:s reason:@Reason?"},
    {"User", "id:s name:s role:s language:s created:t last_login:t? disabled:b"},
    {"Token", "id:s name:s kind:s created:t last_used:t? expires:t? token?:s"},
    {"Audit", "items:[AuditLine] next:s? total:i chain:@Chain"},
    {"AuditLine", "seq:i time:t who:s what:s object:s before:*? after:*? hash:s"},
    {"Chain", "ok:b checked:i broken_at:i?"},
};

static json_t *reference(const char *name, size_t size)
{
    json_t *schema = json_object();

    json_object_set_new(schema, "$ref", json_sprintf("#/components/schemas/%.*s", (int)size, name));
    return schema;
}

/* `type` is what follows the colon, without a question mark. */
static json_t *type_json(const char *type, size_t size, bool nullable)
{
    static const char *const words[128] = {
        ['s'] = "string",  ['t'] = "string", ['i'] = "integer", ['n'] = "number",
        ['b'] = "boolean", ['o'] = "object", ['a'] = "array"};
    json_t *schema;

    switch (type[0]) {
    case '*':
        return json_object();
    case '@':
        schema = reference(type + 1, size - 1);
        return nullable ? json_pack("{s:[o, {s:s}]}", "anyOf", schema, "type", "null") : schema;
    case '[':
        return json_pack("{s:s, s:o}", "type", "array", "items", reference(type + 1, size - 2));
    default:
        schema = nullable ? json_pack("{s:[s, s]}", "type", words[(unsigned char)type[0]], "null")
                          : json_pack("{s:s}", "type", words[(unsigned char)type[0]]);
        if (type[0] == 't') {
            json_object_set_new(schema, "format", json_string("date-time"));
        }
        return schema;
    }
}

static json_t *shape_json(const char *fields)
{
    json_t *properties = json_object(), *required = json_array();

    for (const char *at = fields; *at != '\0';) {
        size_t size = strcspn(at, " "), name = strcspn(at, ":");
        bool optional = at[name - 1] == '?', nullable = at[size - 1] == '?';
        size_t type = size - name - 1 - nullable;
        json_t *key = json_stringn(at, name - optional);

        json_object_set_new(properties, json_string_value(key),
                            type_json(at + name + 1, type, nullable));
        if (!optional) {
            json_array_append(required, key);
        }
        json_decref(key);
        at += size + (at[size] == ' ');
    }
    return json_pack("{s:s, s:o, s:o, s:b}", "type", "object", "properties", properties, "required",
                     required, "additionalProperties", 0);
}

void api_shapes(json_t *schemas)
{
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        json_object_set_new(schemas, shapes[i].name, shape_json(shapes[i].fields));
    }
}
