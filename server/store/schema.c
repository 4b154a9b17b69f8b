/* How the records lie in tables, and the steps that make those. */
#include "schema.h"

#include <string.h>

#define NUMBER(kind, name)                                                                         \
    {                                                                                              \
#name, FIELD_NUMBER, offsetof(struct kind, name), sizeof(((struct kind *)0)->name)         \
    }
#define TEXT(kind, name)                                                                           \
    {                                                                                              \
#name, FIELD_TEXT, offsetof(struct kind, name), sizeof(((struct kind *)0)->name)           \
    }

/* clang-format off */
static const struct schema_field product_fields[] = {
    NUMBER(product, no), TEXT(product, id), TEXT(product, name), TEXT(product, key),
    TEXT(product, channels), TEXT(product, table), NUMBER(product, created), NUMBER(product, ptype),
    NUMBER(product, kind), NUMBER(product, chip), NUMBER(product, consent),
    NUMBER(product, strangers), NUMBER(product, map), NUMBER(product, reply_unknown),
    NUMBER(product, reply_blocked), NUMBER(product, strict_kinds),
};
static const struct schema_field release_fields[] = {
    NUMBER(release, no), NUMBER(release, product), TEXT(release, id), TEXT(release, version),
    TEXT(release, channel), TEXT(release, notes), TEXT(release, letter), NUMBER(release, created),
    NUMBER(release, withdrawn), NUMBER(release, current),
};
static const struct schema_field image_fields[] = {
    NUMBER(image, no), NUMBER(image, release), NUMBER(image, product), NUMBER(image, created),
    TEXT(image, sha256), TEXT(image, md5), TEXT(image, payload_md5), TEXT(image, variant),
    TEXT(image, file), TEXT(image, marker_key), TEXT(image, marker_version), NUMBER(image, size),
    NUMBER(image, payload_size), NUMBER(image, flash_size), NUMBER(image, part),
    NUMBER(image, chip), TEXT(image, family),
};
static const struct schema_field device_fields[] = {
    NUMBER(device, no), NUMBER(device, product), TEXT(device, id), TEXT(device, name),
    TEXT(device, serial), TEXT(device, chip_id), TEXT(device, mac), TEXT(device, device_key),
    TEXT(device, claim_code), TEXT(device, family), TEXT(device, channel), TEXT(device, variant),
    NUMBER(device, owner), TEXT(device, version), TEXT(device, slot), TEXT(device, sketch_md5),
    TEXT(device, sdk), TEXT(device, address), NUMBER(device, free_space), NUMBER(device, chip_size),
    NUMBER(device, sketch_size), NUMBER(device, created), NUMBER(device, activated),
    NUMBER(device, last_seen), NUMBER(device, version_since), NUMBER(device, poll_every),
    NUMBER(device, polls), NUMBER(device, ordered), NUMBER(device, declined),
    NUMBER(device, accepted), NUMBER(device, not_before), NUMBER(device, failed),
    NUMBER(device, failures), NUMBER(device, update), NUMBER(device, map), NUMBER(device, standing),
    NUMBER(device, protocol), NUMBER(device, downgrade), NUMBER(device, linked),
    NUMBER(device, reboot_wanted), NUMBER(device, reboot_accepted),
};
static const struct schema_field update_fields[] = {
    NUMBER(update, no), NUMBER(update, device), NUMBER(update, product), NUMBER(update, release),
    TEXT(update, id), TEXT(update, version), TEXT(update, before), TEXT(update, reason),
    TEXT(update, text), NUMBER(update, started), NUMBER(update, changed), NUMBER(update, bytes),
    NUMBER(update, size), NUMBER(update, state), NUMBER(update, served), NUMBER(update, inferred),
};
static const struct schema_field step_fields[] = {
    NUMBER(step, no), NUMBER(step, update), NUMBER(step, time), TEXT(step, cause),
    TEXT(step, code), TEXT(step, detail), NUMBER(step, state), NUMBER(step, inferred),
};
static const struct schema_field user_fields[] = {
    NUMBER(user, no), TEXT(user, id), TEXT(user, name), TEXT(user, password), TEXT(user, language),
    NUMBER(user, created), NUMBER(user, last_login), NUMBER(user, administrator),
    NUMBER(user, disabled),
};
static const struct schema_field member_fields[] = {
    NUMBER(member, no), NUMBER(member, product), NUMBER(member, user), NUMBER(member, role),
};
static const struct schema_field token_fields[] = {
    NUMBER(token, no), NUMBER(token, user), NUMBER(token, device), TEXT(token, id),
    TEXT(token, name), TEXT(token, hash), TEXT(token, csrf), NUMBER(token, created),
    NUMBER(token, last_used), NUMBER(token, expires), NUMBER(token, kind),
};
static const struct schema_field audit_fields[] = {
    NUMBER(audit, no), NUMBER(audit, time), TEXT(audit, who), TEXT(audit, what), TEXT(audit, object),
    TEXT(audit, before), TEXT(audit, after), TEXT(audit, hash),
};
static const struct schema_field event_fields[] = {
    NUMBER(event, no), NUMBER(event, time), NUMBER(event, product), NUMBER(event, device),
    NUMBER(event, user), TEXT(event, kind), TEXT(event, json),
};
static const struct schema_field setting_fields[] = {
    NUMBER(setting, no), TEXT(setting, key), TEXT(setting, value),
};
/* clang-format on */

static const struct schema_kind kinds[] = {
#define X(name, type)                                                                              \
    [STORE_##name] = {#type,                                                                       \
                      sizeof(struct type),                                                         \
                      type##_fields,                                                               \
                      sizeof type##_fields / sizeof type##_fields[0],                              \
                      STORE_##name == STORE_DEVICE ? STORE_DEVICE_TEXTS : NULL,                    \
                      STORE_##name == STORE_DEVICE ? "device_text" : NULL},
    STORE_KINDS(X)
#undef X
};

const struct schema_kind *schema_kind(enum store_kind kind)
{
    return &kinds[kind];
}

const struct schema_field *schema_field(enum store_kind kind, const char *name, size_t size)
{
    for (size_t i = 0; i < kinds[kind].count; i++) {
        const struct schema_field *field = &kinds[kind].fields[i];
        if (strlen(field->name) == size && memcmp(field->name, name, size) == 0) {
            return field;
        }
    }
    return NULL;
}

/*
 * An empty text is NULL: no two records may share a serial that is told, any number may lack one,
 * and the index serves `serial = ?`, which a partial index would not. Numbers of events and audit
 * lines are never given again (AUTOINCREMENT).
 */
/* clang-format off */
static const char version_1[] =
    "CREATE TABLE [product] ("
    "  [no] INTEGER PRIMARY KEY, [id] TEXT, [name] TEXT, [key] TEXT, "
    "  [channels] TEXT, [table] TEXT, [created] INTEGER NOT NULL, "
    "  [ptype] INTEGER NOT NULL, [kind] INTEGER NOT NULL, [chip] INTEGER NOT NULL, "
    "  [consent] INTEGER NOT NULL, [strangers] INTEGER NOT NULL, [map] INTEGER NOT NULL, "
    "  [reply_unknown] INTEGER NOT NULL, [reply_blocked] INTEGER NOT NULL, "
    "  [strict_kinds] INTEGER NOT NULL"
    ");"
    "CREATE TABLE [release] ("
    "  [no] INTEGER PRIMARY KEY, [product] INTEGER NOT NULL, [id] TEXT, "
    "  [version] TEXT, [channel] TEXT, [notes] TEXT, "
    "  [letter] TEXT, [created] INTEGER NOT NULL, [withdrawn] INTEGER NOT NULL, "
    "  [current] INTEGER NOT NULL"
    ");"
    "CREATE TABLE [image] ("
    "  [no] INTEGER PRIMARY KEY, [release] INTEGER NOT NULL, [product] INTEGER NOT NULL, "
    "  [created] INTEGER NOT NULL, [sha256] TEXT, [md5] TEXT, "
    "  [payload_md5] TEXT, [variant] TEXT, [file] TEXT, "
    "  [marker_key] TEXT, [marker_version] TEXT, [size] INTEGER NOT NULL, "
    "  [payload_size] INTEGER NOT NULL, [flash_size] INTEGER NOT NULL, [part] INTEGER NOT NULL, "
    "  [chip] INTEGER NOT NULL"
    ");"
    "CREATE TABLE [device] ("
    "  [no] INTEGER PRIMARY KEY, [product] INTEGER NOT NULL, [id] TEXT, "
    "  [name] TEXT, [serial] TEXT, [chip_id] TEXT, "
    "  [mac] TEXT, [device_key] TEXT, [claim_code] TEXT, "
    "  [family] TEXT, [channel] TEXT, [variant] TEXT, "
    "  [owner] INTEGER NOT NULL, [version] TEXT, [slot] TEXT, "
    "  [sketch_md5] TEXT, [sdk] TEXT, [address] TEXT, "
    "  [free_space] INTEGER NOT NULL, [chip_size] INTEGER NOT NULL, "
    "  [sketch_size] INTEGER NOT NULL, [created] INTEGER NOT NULL, "
    "  [activated] INTEGER NOT NULL, [last_seen] INTEGER NOT NULL, "
    "  [version_since] INTEGER NOT NULL, [poll_every] INTEGER NOT NULL, "
    "  [polls] INTEGER NOT NULL, [ordered] INTEGER NOT NULL, [declined] INTEGER NOT NULL, "
    "  [accepted] INTEGER NOT NULL, [not_before] INTEGER NOT NULL, [failed] INTEGER NOT NULL, "
    "  [failures] INTEGER NOT NULL, [update] INTEGER NOT NULL, [map] INTEGER NOT NULL, "
    "  [standing] INTEGER NOT NULL, [protocol] INTEGER NOT NULL, [downgrade] INTEGER NOT NULL, "
    "  [linked] INTEGER NOT NULL, [reboot_wanted] INTEGER NOT NULL, "
    "  [reboot_accepted] INTEGER NOT NULL"
    ");"
    "CREATE TABLE [update] ("
    "  [no] INTEGER PRIMARY KEY, [device] INTEGER NOT NULL, [product] INTEGER NOT NULL, "
    "  [release] INTEGER NOT NULL, [id] TEXT, [version] TEXT, "
    "  [before] TEXT, [reason] TEXT, [text] TEXT, "
    "  [started] INTEGER NOT NULL, [changed] INTEGER NOT NULL, [bytes] INTEGER NOT NULL, "
    "  [size] INTEGER NOT NULL, [state] INTEGER NOT NULL, [served] INTEGER NOT NULL, "
    "  [inferred] INTEGER NOT NULL"
    ");"
    "CREATE TABLE [step] ("
    "  [no] INTEGER PRIMARY KEY, [update] INTEGER NOT NULL, [time] INTEGER NOT NULL, "
    "  [cause] TEXT, [state] INTEGER NOT NULL, [inferred] INTEGER NOT NULL"
    ");"
    "CREATE TABLE [user] ("
    "  [no] INTEGER PRIMARY KEY, [id] TEXT, [name] TEXT, "
    "  [password] TEXT, [language] TEXT, [created] INTEGER NOT NULL, "
    "  [last_login] INTEGER NOT NULL, [administrator] INTEGER NOT NULL, "
    "  [disabled] INTEGER NOT NULL"
    ");"
    "CREATE TABLE [member] ("
    "  [no] INTEGER PRIMARY KEY, [product] INTEGER NOT NULL, [user] INTEGER NOT NULL, "
    "  [role] INTEGER NOT NULL"
    ");"
    "CREATE TABLE [token] ("
    "  [no] INTEGER PRIMARY KEY, [user] INTEGER NOT NULL, [device] INTEGER NOT NULL, "
    "  [id] TEXT, [name] TEXT, [hash] TEXT, [csrf] TEXT, "
    "  [created] INTEGER NOT NULL, [last_used] INTEGER NOT NULL, [expires] INTEGER NOT NULL, "
    "  [kind] INTEGER NOT NULL"
    ");"
    "CREATE TABLE [audit] ("
    "  [no] INTEGER PRIMARY KEY AUTOINCREMENT, [time] INTEGER NOT NULL, [who] TEXT, "
    "  [what] TEXT, [object] TEXT, [before] TEXT, "
    "  [after] TEXT, [hash] TEXT"
    ");"
    "CREATE TABLE [event] ("
    "  [no] INTEGER PRIMARY KEY AUTOINCREMENT, [time] INTEGER NOT NULL, "
    "  [product] INTEGER NOT NULL, [device] INTEGER NOT NULL, [user] INTEGER NOT NULL, "
    "  [kind] TEXT, [json] TEXT"
    ");"
    "CREATE TABLE [setting] ("
    "  [no] INTEGER PRIMARY KEY, [key] TEXT, [value] TEXT"
    ");"
    "CREATE UNIQUE INDEX product_id ON product(id);"
    "CREATE UNIQUE INDEX product_name ON product(name);"
    "CREATE UNIQUE INDEX product_key ON product(key);"
    "CREATE UNIQUE INDEX release_id ON [release](id);"
    "CREATE UNIQUE INDEX release_version ON [release](product, version);"
    "CREATE INDEX image_release ON image([release]);"
    "CREATE INDEX image_sha256 ON image(sha256);"
    "CREATE UNIQUE INDEX device_id ON device(id);"
    "CREATE UNIQUE INDEX device_serial ON device(product, serial);"
    "CREATE UNIQUE INDEX device_chip_id ON device(product, chip_id);"
    "CREATE INDEX device_mac ON device(product, mac);"
    "CREATE UNIQUE INDEX device_key ON device(device_key);"
    "CREATE UNIQUE INDEX device_claim ON device(claim_code);"
    "CREATE INDEX device_owner ON device(owner);"
    "CREATE INDEX device_version ON device(product, version);"
    "CREATE INDEX device_linked ON device(linked);"
    "CREATE INDEX device_seen ON device(last_seen);"
    "CREATE INDEX device_name ON device(name);"
    "CREATE INDEX device_of ON device(product);"
    "CREATE INDEX device_of_seen ON device(product, last_seen);"
    "CREATE INDEX device_of_name ON device(product, name);"
    "CREATE UNIQUE INDEX update_id ON [update](id);"
    "CREATE INDEX update_device ON [update](device);"
    "CREATE INDEX update_state ON [update](state, product);"
    "CREATE INDEX update_release ON [update]([release], state);"
    "CREATE INDEX step_update ON step([update]);"
    "CREATE UNIQUE INDEX user_id ON user(id);"
    "CREATE UNIQUE INDEX user_name ON user(name);"
    "CREATE UNIQUE INDEX member_of ON member(product, user);"
    "CREATE INDEX member_user ON member(user);"
    "CREATE UNIQUE INDEX token_id ON token(id);"
    "CREATE UNIQUE INDEX token_hash ON token(hash);"
    "CREATE INDEX token_user ON token(user);"
    "CREATE UNIQUE INDEX setting_key ON setting([key]);";

/*
 * For large fleets: counts by last contact, standing and going update from an index alone, and the
 * trigrams of what devices are searched by. device_text holds no text, only where a trigram occurs:
 * the condition on the columns still decides.
 */
#define TEXT_COLUMNS "name, serial, chip_id, mac"
#define DROP_TEXTS                                                                                 \
    "INSERT INTO device_text(device_text, rowid, " TEXT_COLUMNS                                    \
    ") VALUES ('delete', old.no, old.name, old.serial, old.chip_id, old.mac);"
#define ADD_TEXTS                                                                                  \
    "INSERT INTO device_text(rowid, " TEXT_COLUMNS                                                 \
    ") VALUES (new.no, new.name, new.serial, new.chip_id, new.mac);"
static const char version_2[] =
    "DROP INDEX device_seen;"
    "DROP INDEX device_of_seen;"
    "CREATE INDEX device_seen ON device(last_seen, linked);"
    "CREATE INDEX device_of_seen ON device(product, last_seen, linked);"
    "CREATE INDEX device_standing ON device(standing, product);"
    "CREATE INDEX device_update ON device([update]);"
    "CREATE INDEX device_failed ON device(failed);"
    "CREATE INDEX device_family ON device(family);"
    "CREATE VIRTUAL TABLE device_text USING fts5(" TEXT_COLUMNS ", content='device', "
    "  content_rowid='no', tokenize='trigram', detail=none, columnsize=0);"
    "INSERT INTO device_text(device_text) VALUES ('rebuild');"
    "CREATE TRIGGER device_text_add AFTER INSERT ON device BEGIN " ADD_TEXTS " END;"
    "CREATE TRIGGER device_text_drop AFTER DELETE ON device BEGIN " DROP_TEXTS " END;"
    "CREATE TRIGGER device_text_change AFTER UPDATE OF " TEXT_COLUMNS " ON device "
    "  WHEN old.name IS NOT new.name OR old.serial IS NOT new.serial OR "
    "       old.chip_id IS NOT new.chip_id OR old.mac IS NOT new.mac "
    "  BEGIN " DROP_TEXTS ADD_TEXTS " END;";

/*
 * For lists of a product's devices: what they are filtered and sorted by follows the product. And
 * what the overview and the page of a product count is kept as counts, which change with what they
 * count: rarely, while a device that only asks changes none of it.
 */
#define COUNT_UPDATE(row, by)                                                                      \
    "INSERT INTO update_count(product, state, count) VALUES (" row ".product, " row ".state, " by  \
    ") ON CONFLICT DO UPDATE SET count = count + excluded.count;"
#define COUNT_DEVICE(row, by)                                                                      \
    "INSERT INTO device_count(product, version, standing, count) VALUES (" row ".product, "        \
    "  ifnull(" row ".version, ''), " row ".standing, " by                                         \
    ") ON CONFLICT DO UPDATE SET count = count + excluded.count;"
static const char version_3[] =
    "DROP INDEX device_update;"
    "DROP INDEX device_failed;"
    "DROP INDEX device_family;"
    "CREATE INDEX device_update ON device(product, [update]);"
    "CREATE INDEX device_failed ON device(product, failed);"
    "DROP INDEX update_state;"
    "DROP INDEX update_release;"
    "CREATE INDEX update_state ON [update](state, product, changed, reason);"
    "CREATE INDEX update_release ON [update]([release], state, changed, reason);"
    "CREATE INDEX device_family ON device(product, family);"
    "CREATE TABLE update_count (product INTEGER NOT NULL, state INTEGER NOT NULL, "
    "  count INTEGER NOT NULL, PRIMARY KEY (product, state)) WITHOUT ROWID;"
    "INSERT INTO update_count SELECT product, state, count(*) FROM [update] GROUP BY 1, 2;"
    "CREATE TRIGGER update_count_add AFTER INSERT ON [update] BEGIN " COUNT_UPDATE("new", "1") " END;"
    "CREATE TRIGGER update_count_drop AFTER DELETE ON [update] BEGIN " COUNT_UPDATE("old", "-1") " END;"
    "CREATE TRIGGER update_count_change AFTER UPDATE OF state, product ON [update] "
    "  WHEN old.state <> new.state OR old.product <> new.product "
    "  BEGIN " COUNT_UPDATE("old", "-1") COUNT_UPDATE("new", "1") " END;"
    "CREATE TABLE device_count (product INTEGER NOT NULL, version TEXT NOT NULL, "
    "  standing INTEGER NOT NULL, count INTEGER NOT NULL, "
    "  PRIMARY KEY (product, version, standing)) WITHOUT ROWID;"
    "INSERT INTO device_count SELECT product, ifnull(version, ''), standing, count(*) FROM device "
    "  GROUP BY 1, 2, 3;"
    "CREATE TRIGGER device_count_add AFTER INSERT ON device BEGIN " COUNT_DEVICE("new", "1") " END;"
    "CREATE TRIGGER device_count_drop AFTER DELETE ON device BEGIN " COUNT_DEVICE("old", "-1") " END;"
    "CREATE TRIGGER device_count_change AFTER UPDATE OF product, version, standing ON device "
    "  WHEN old.product <> new.product OR old.version IS NOT new.version OR "
    "       old.standing <> new.standing "
    "  BEGIN " COUNT_DEVICE("old", "-1") COUNT_DEVICE("new", "1") " END;";

/* For pages in every language: the cause of a step by its code and values, beside its sentence. */
static const char version_4[] =
    "ALTER TABLE step ADD COLUMN [code] TEXT;"
    "ALTER TABLE step ADD COLUMN [detail] TEXT;";

/*
 * For lists in the order of the last contact, whose indexes had none among equals; and for lists of
 * a product's updates.
 */
static const char version_5[] =
    "DROP INDEX device_seen;"
    "DROP INDEX device_of_seen;"
    "CREATE INDEX device_seen ON device(last_seen, no, linked);"
    "CREATE INDEX device_of_seen ON device(product, last_seen, no, linked);"
    "DROP INDEX device_standing;"
    "DROP INDEX device_linked;"
    "CREATE INDEX device_standing ON device(product, standing);"
    "CREATE INDEX device_linked ON device(linked, product);"
    "CREATE INDEX update_of_started ON [update](product, started);"
    "CREATE INDEX update_of_changed ON [update](product, changed);"
    "CREATE INDEX update_of_version ON [update](product, version);"
    "CREATE INDEX update_of_state ON [update](product, state);"
    "CREATE INDEX update_of_reason ON [update](product, reason);";

/* For files that OTAdrive's devices of one group keep. */
static const char version_6[] = "ALTER TABLE image ADD COLUMN [family] TEXT;";

/* For the newest update of a product that is in a state, whose index had no order among equals. */
static const char version_7[] =
    "DROP INDEX update_state;"
    "CREATE INDEX update_state ON [update](state, product, changed, no, reason);";
/* clang-format on */

const char *const schema_steps[] = {version_1, version_2, version_3, version_4,
                                    version_5, version_6, version_7, NULL};
