#include "api/show.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include <updraft/chip.h>

json_t *show_time(int64_t time)
{
    char text[40], day[24];
    time_t seconds = (time_t)(time / 1000);
    struct tm parts;

    if (time <= 0 || gmtime_r(&seconds, &parts) == NULL) {
        return json_null();
    }
    strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(text, sizeof text, "%s.%03dZ", day, (int)(time % 1000));
    return json_string(text);
}

json_t *show_text(const char *text)
{
    return text[0] != '\0' ? json_string(text) : json_null();
}

static json_t *show_number(int64_t value, int64_t none)
{
    return value != none ? json_integer(value) : json_null();
}

/* "stable,beta" as a list. */
static json_t *show_words(const char *text)
{
    json_t *words = json_array();

    while (*text != '\0') {
        size_t size = strcspn(text, ",");
        json_array_append_new(words, json_stringn(text, size));
        text += size + (text[size] == ',');
    }
    return words;
}

json_t *show_product(const struct product *product, enum role role, bool administrator)
{
    bool operates = administrator || role >= ROLE_OPERATOR;

    return json_pack(
        "{s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:s, s:s, s:o, s:i, s:i, s:b, s:o, s:s}", "id",
        product->id, "name", product->name, "kind", product_kind_word(product->kind), "chip",
        upd_chip_text(product->chip), "map", show_number(product->map, -1), "partition_table",
        show_text(product->table), "ptype", show_number(product->ptype, 0), "key",
        operates ? json_string(product->key) : json_null(), "consent",
        consent_word(product->consent), "strangers", strangers_word(product->strangers), "channels",
        show_words(product->channels), "reply_unknown", product->reply_unknown, "reply_blocked",
        product->reply_blocked, "strict_kinds", product->strict_kinds, "created",
        show_time(product->created), "role", administrator ? "administrator" : role_word(role));
}

json_t *show_release(const struct release *release)
{
    return json_pack("{s:s, s:s, s:s, s:o, s:s, s:b, s:b, s:o}", "id", release->id, "version",
                     release->version, "channel", release->channel, "letter",
                     show_text(release->letter), "notes", release->notes, "current",
                     release->current, "withdrawn", release->withdrawn != 0, "created",
                     show_time(release->created));
}

json_t *show_image(const struct image *image)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:I, s:o, s:o}", "slot", part_word(image->part),
                     "variant", image->variant, "sha256", image->sha256, "md5", image->md5, "size",
                     (json_int_t)image->size, "file", show_text(image->file), "description",
                     json_null());
}

json_t *show_device(const struct fleet *fleet, const struct device *device,
                    const struct product *product)
{
    /* A device that nobody named is called by what it calls itself. */
    const char *name = device->name[0] != '\0'      ? device->name
                       : device->serial[0] != '\0'  ? device->serial
                       : device->chip_id[0] != '\0' ? device->chip_id
                       : device->mac[0] != '\0'     ? device->mac
                                                    : device->id;

    return json_pack(
        "{s:s, s:s, s:{s:s, s:s}, s:o, s:o, s:o, s:s, s:o, s:o, s:o, s:b, s:o, s:s, s:b, s:n}",
        "id", device->id, "name", name, "product", "id", product->id, "name", product->name,
        "serial", show_text(device->serial), "chip_id", show_text(device->chip_id), "mac",
        show_text(device->mac), "group", device->family, "owner",
        device->owner != 0 ? json_true() : json_null(), "version", show_text(device->version),
        "slot", show_text(device->slot), "online", fleet_device_online(fleet, device), "last_seen",
        show_time(device->last_seen), "standing", standing_word(device->standing), "blocked",
        device->standing == STANDING_BLOCKED, "update");
}

json_t *show_update(const struct update *update)
{
    enum update_state state = (enum update_state)update->state;

    return json_pack("{s:s, s:s, s:o, s:s, s:o, s:b, s:I, s:I, s:o, s:o}", "id", update->id,
                     "version", update->version, "before", show_text(update->before), "state",
                     update_state_word(state), "reason",
                     update->reason[0] != '\0'
                         ? json_pack("{s:s, s:s}", "code", update->reason, "text",
                                     update->text[0] != '\0' ? update->text : update->reason)
                         : json_null(),
                     "inferred", update->inferred, "bytes", (json_int_t)update->bytes, "size",
                     (json_int_t)update->size, "started", show_time(update->started), "changed",
                     show_time(update->changed));
}

json_t *show_detail(const char *detail)
{
    json_t *object = json_loads(detail, 0, NULL);
    return object != NULL ? object : json_object();
}

json_t *show_step(const struct step *step)
{
    return json_pack("{s:s, s:o, s:s, s:o, s:o, s:b}", "state",
                     update_state_word((enum update_state)step->state), "time",
                     show_time(step->time), "cause", step->cause, "code", show_text(step->code),
                     "detail", show_detail(step->detail), "inferred", step->inferred);
}

json_t *show_user(const struct user *user)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:b}", "id", user->id, "name", user->name,
                     "role", user->administrator ? "administrator" : "none", "language",
                     user->language, "created", show_time(user->created), "last_login",
                     show_time(user->last_login), "disabled", user->disabled);
}

json_t *show_token(const struct token *token)
{
    return json_pack("{s:s, s:s, s:s, s:o, s:o, s:o}", "id", token->id, "name", token->name, "kind",
                     token_kind_word(token->kind), "created", show_time(token->created),
                     "last_used", show_time(token->last_used), "expires",
                     show_time(token->expires));
}

/* What was, what is: JSON when it is whole, else the text as it is. */
static json_t *show_state(const char *text)
{
    json_t *value = text[0] != '\0' ? json_loads(text, JSON_DECODE_ANY, NULL) : json_null();
    return value != NULL ? value : json_string(text);
}

json_t *show_audit(const struct audit *line)
{
    return json_pack("{s:I, s:o, s:s, s:s, s:s, s:o, s:o, s:s}", "seq", (json_int_t)line->no,
                     "time", show_time(line->time), "who", line->who, "what", line->what, "object",
                     line->object, "before", show_state(line->before), "after",
                     show_state(line->after), "hash", line->hash);
}
