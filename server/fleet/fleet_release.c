/* updraftd: images come in, become releases, and releases become current. */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <updraft/rom_version.h>

#include "intake.h"

struct fleet_upload {
    struct fleet *fleet;
    struct actor actor;
    struct product product;
    struct intake *intake;
    struct blob_writer *blob;
};

static enum fleet_status disk_error(struct fleet_error *error)
{
    if (errno == ENOSPC || errno == EDQUOT || errno == EFBIG) {
        return fleet_store_error(error, STORE_FULL);
    }
    return fleet_fail(error, FLEET_FAILED, REFUSAL_DISK, NULL,
                      VALUES({"problem", strerror(errno), 0}));
}

enum fleet_status fleet_upload_begin(struct fleet *fleet, const struct actor *actor,
                                     const char *product, enum part part,
                                     struct fleet_upload **upload, struct fleet_error *error)
{
    struct store_view *view = fleet_view(fleet, error);
    struct fleet_upload *begun = calloc(1, sizeof *begun);
    *upload = NULL;
    if (begun == NULL) {
        store_end(view);
        return fleet_fail(error, FLEET_FAILED, REFUSAL_MEMORY, NULL, NULL);
    }
    enum fleet_status status = view == NULL ? error->status
                                            : fleet_find_product(view, actor, ACTION_RELEASE_CREATE,
                                                                 product, &begun->product, error);
    store_end(view);
    if (status != FLEET_OK) {
        free(begun);
        return status;
    }
    begun->fleet = fleet;
    begun->actor = *actor;
    begun->intake = intake_begin(&begun->product, part);
    begun->blob = blob_begin(fleet->blobs);
    if (begun->intake == NULL || begun->blob == NULL) {
        status = disk_error(error);
        fleet_upload_abort(begun);
        return status;
    }
    *upload = begun;
    return FLEET_OK;
}

void fleet_upload_abort(struct fleet_upload *upload)
{
    if (upload != NULL) {
        blob_abort(upload->blob);
        intake_free(upload->intake);
        free(upload);
    }
}

static enum fleet_status refused(const struct fleet_upload *upload, struct fleet_error *error)
{
    const struct intake_problem *problem = intake_problem(upload->intake);
    (void)fleet_fail_with(error, FLEET_INVALID, problem->code, "image",
                          "At offset {offset}: {problem}.",
                          VALUES({"offset", NULL, problem->offset}, {"problem", problem->text, 0}));
    memcpy(error->detail, problem->detail, sizeof error->detail);
    error->offset = problem->offset;
    return FLEET_INVALID;
}

enum fleet_status fleet_upload_feed(struct fleet_upload *upload, const void *data, size_t size,
                                    struct fleet_error *error)
{
    (void)fleet_error_clear(error);
    if (!intake_feed(upload->intake, data, size)) {
        return refused(upload, error);
    }
    return blob_write(upload->blob, data, size) ? FLEET_OK : disk_error(error);
}

struct upload_work {
    struct operation base;
    struct image *image;
};

static enum store_result store_image(struct store_view *view, void *ctx)
{
    struct upload_work *work = ctx;
    struct image *image = work->image;
    char json[512];
    struct store_where where[] = {STORE_NUMBER("product", image->product),
                                  STORE_NUMBER("release", 0), STORE_TEXT("sha256", image->sha256)};
    struct image known;
    /* The same file again: what waits for its release waits anew. */
    if (store_get(view, STORE_IMAGE, &(struct store_query){.where = where, .count = 3}, &known) ==
        STORE_OK) {
        image->no = known.no;
        return store_update(view, STORE_IMAGE, image);
    }
    snprintf(json, sizeof json, "{\"sha256\":\"%s\",\"part\":\"%s\",\"size\":%lld}", image->sha256,
             part_word(image->part), (long long)image->size);
    enum store_result result = store_insert(view, STORE_IMAGE, image);
    return result == STORE_OK ? fleet_audit(view, &work->base, "image.upload", "", NULL, json)
                              : result;
}

enum fleet_status fleet_upload_end(struct fleet_upload *upload, struct image *image, char *json,
                                   size_t room, struct fleet_error *error)
{
    struct image made = {.product = upload->product.no, .created = fleet_now(upload->fleet)};
    bool good = intake_end(upload->intake, &made);
    enum fleet_status status = FLEET_OK;

    (void)fleet_error_clear(error);
    if (json != NULL) {
        intake_describe(upload->intake, json, room);
    }
    if (!good) {
        status = refused(upload, error);
    } else {
        struct blob_writer *blob = upload->blob;
        upload->blob = NULL;
        if (!blob_commit(blob, made.sha256, made.md5, &made.size)) {
            status = disk_error(error);
        }
    }
    if (status == FLEET_OK) {
        struct upload_work work = {.base = {upload->fleet, &upload->actor, error, false},
                                   .image = &made};
        status = fleet_perform(store_image, &work);
    }
    if (status == FLEET_OK) {
        *image = made;
    }
    fleet_upload_abort(upload);
    return status;
}

enum fleet_status fleet_image_describe(struct fleet *fleet, const struct actor *actor,
                                       const struct image *image, char *json, size_t room,
                                       struct fleet_error *error)
{
    struct product product = {0};
    struct image ignored;
    uint8_t bytes[16384];
    ssize_t got;
    int fd;
    enum fleet_status status = fleet_image_open(fleet, actor, image, &fd, error);
    if (status != FLEET_OK) {
        return status;
    }
    struct store_view *view = fleet_view(fleet, error);
    if (view == NULL || store_get_no(view, STORE_PRODUCT, image->product, &product) != STORE_OK) {
        store_end(view);
        close(fd);
        return fleet_hidden(error, "image");
    }
    store_end(view);
    struct intake *intake = intake_begin(&product, image->part);
    while (intake != NULL && (got = read(fd, bytes, sizeof bytes)) > 0 &&
           intake_feed(intake, bytes, (size_t)got)) {
    }
    close(fd);
    if (intake == NULL) {
        return fleet_fail(error, FLEET_FAILED, REFUSAL_MEMORY, NULL, NULL);
    }
    (void)intake_end(intake, &ignored);
    intake_describe(intake, json, room);
    intake_free(intake);
    return FLEET_OK;
}

/* --- A new release ------------------------------------------------------------------------------
 */

struct release_work {
    struct operation base;
    const char *product_name, *version;
    const struct fleet_release_new *wanted;
    struct product product;
    struct release release;
    char *warnings;
};

static bool has_channel(const struct product *product, const char *channel)
{
    size_t size = strlen(channel);
    for (const char *at = product->channels; *at != '\0';) {
        size_t length = strcspn(at, ",");
        if (length == size && memcmp(at, channel, size) == 0) {
            return true;
        }
        at += length + (at[length] == ',');
    }
    return false;
}

struct versions {
    struct upd_rom_version *items;
    size_t count, at;
};

static bool collect_version(void *ctx, const void *record)
{
    struct versions *versions = ctx;
    const struct release *release = record;
    struct upd_rom_version version;
    if (upd_rom_version_parse(release->version, (uint32_t)strlen(release->version), &version,
                              NULL) != UPD_OK) {
        return true;
    }
    struct upd_rom_version *items =
        reallocarray(versions->items, versions->count + 1, sizeof *items);
    if (items == NULL) {
        return false;
    }
    versions->items = items;
    items[versions->count++] = version;
    return true;
}

static bool next_version(void *ctx, struct upd_rom_version *version)
{
    struct versions *versions = ctx;
    if (versions->at == versions->count) {
        return false;
    }
    *version = versions->items[versions->at++];
    return true;
}

/** Espressif's rules for names, docs/formats/rom_version.md. */
static enum fleet_status check_rom_version(struct store_view *view, struct release_work *work)
{
    struct fleet_error *error = work->base.error;
    struct release *release = &work->release;
    const struct product *product = &work->product;
    struct upd_rom_version version, with;
    struct upd_rom_version_error wrong;
    struct versions known = {0};

    if (upd_rom_version_parse(release->version, (uint32_t)strlen(release->version), &version,
                              &wrong) != UPD_OK) {
        return fleet_fail(error, FLEET_INVALID, REFUSAL_BAD_ROM_VERSION, "version",
                          VALUES({"version", release->version, 0},
                                 {"place", NULL, (int64_t)(wrong.offset + 1)},
                                 {"problem", upd_rom_version_problem_text(wrong.problem), 0}));
    }
    if (product->ptype != 0 && version.ptype != (uint64_t)product->ptype) {
        return fleet_fail(
            error, FLEET_INVALID, REFUSAL_WRONG_PTYPE, "version",
            VALUES({"ptype", NULL, (int64_t)version.ptype}, {"own", NULL, product->ptype}));
    }
    release->letter[0] = version.fota;
    struct store_where where = STORE_NUMBER("product", product->no);
    struct store_query query = {.where = &where, .count = 1};
    enum store_result result = store_each(view, STORE_RELEASE, &query, collect_version, &known);
    struct upd_rom_version_list list = {next_version, &known};
    enum upd_rom_version_clash clash =
        upd_rom_version_check(&version, &list, product->strict_kinds, &with);
    free(known.items);
    if (result != STORE_OK) {
        return fleet_store_error(error, result);
    }
    if (clash != UPD_ROM_VERSION_NO_CLASH) {
        char text[UPD_ROM_VERSION_BUFFER];
        (void)upd_rom_version_format(&with, text);
        return fleet_fail(error, FLEET_CONFLICT, REFUSAL_VERSION_CLASH, "version",
                          VALUES({"version", release->version, 0}, {"other", text, 0},
                                 {"problem", upd_rom_version_clash_text(clash), 0}));
    }
    uint32_t warnings = upd_rom_version_warnings(&version);
    for (uint32_t bit = 1; bit <= UPD_ROM_VERSION_WARN_LONG && work->warnings != NULL; bit <<= 1) {
        if ((warnings & bit) != 0) {
            size_t length = strlen(work->warnings);
            snprintf(work->warnings + length, SENTENCE_SIZE - length, "%s%s",
                     length == 0 ? "" : "; ",
                     upd_rom_version_warning_text((enum upd_rom_version_warning)bit));
        }
    }
    return FLEET_OK;
}

static enum fleet_status check_version(struct store_view *view, struct release_work *work)
{
    struct fleet_error *error = work->base.error;
    const struct fleet_release_new *wanted = work->wanted;
    struct release *release = &work->release, other;

    if (wanted->version == NULL || !fleet_word_good(wanted->version, VERSION_SIZE - 3)) {
        return fleet_fail(error, FLEET_INVALID, REFUSAL_BAD_VERSION, "version", NULL);
    }
    strcpy(release->version, wanted->version);
    struct store_where where[] = {STORE_NUMBER("product", work->product.no),
                                  STORE_TEXT("version", release->version)};
    if (store_get(view, STORE_RELEASE, &(struct store_query){.where = where, .count = 2}, &other) ==
        STORE_OK) {
        return fleet_fail(error, FLEET_CONFLICT, REFUSAL_VERSION_EXISTS, "version",
                          VALUES({"version", release->version, 0}));
    }
    if (work->product.kind == KIND_NONOS) {
        enum fleet_status status = check_rom_version(view, work);
        if (status != FLEET_OK) {
            return status;
        }
    }
    const char *letter = wanted->letter == NULL ? "" : wanted->letter;
    if (letter[0] != '\0' && (strchr("olan", letter[0]) == NULL || letter[1] != '\0')) {
        return fleet_fail(error, FLEET_INVALID, REFUSAL_BAD_LETTER, "letter", NULL);
    }
    if (letter[0] != '\0' && release->letter[0] != '\0' && letter[0] != release->letter[0]) {
        return fleet_fail(error, FLEET_INVALID, REFUSAL_OTHER_LETTER, "letter",
                          VALUES({"letter", letter, 0}, {"own", release->letter, 0}));
    }
    if (letter[0] != '\0') {
        release->letter[0] = letter[0];
    }
    return FLEET_OK;
}

static enum store_result add_image(struct store_view *view, struct release_work *work,
                                   const struct fleet_release_image *wanted)
{
    struct image image;
    const char *variant = wanted->variant == NULL ? "" : wanted->variant;
    struct fleet_error *error = work->base.error;
    struct store_where where[] = {STORE_NUMBER("product", work->product.no),
                                  STORE_TEXT("sha256", wanted->sha256)};
    enum store_result result =
        store_get(view, STORE_IMAGE, &(struct store_query){.where = where, .count = 2}, &image);
    if (result == STORE_NONE || wanted->sha256[0] == '\0') {
        return fleet_undo(fleet_fail(error, FLEET_INVALID, REFUSAL_NO_SUCH_IMAGE,
                                     part_word(wanted->part),
                                     VALUES({"sha256", wanted->sha256, 0})));
    }
    if (result != STORE_OK) {
        return result;
    }
    if (image.part != wanted->part) {
        return fleet_undo(fleet_fail(
            error, FLEET_INVALID, REFUSAL_WRONG_SLOT, part_word(wanted->part),
            VALUES({"slot", part_word(image.part), 0}, {"given", part_word(wanted->part), 0})));
    }
    if (variant[0] != '\0' && !fleet_word_good(variant, WORD_SIZE)) {
        return fleet_undo(fleet_fail(error, FLEET_INVALID, REFUSAL_BAD_VARIANT, "variant",
                                     VALUES({"most", NULL, WORD_SIZE - 1})));
    }
    image.no = 0;
    image.release = work->release.no;
    snprintf(image.variant, sizeof image.variant, "%s", variant);
    const char *stem = image.part == PART_APP ? work->product.name : part_word(image.part);
    snprintf(image.file, sizeof image.file, "%.390s.bin", stem);
    return store_insert(view, STORE_IMAGE, &image);
}

/** One app, or a pair of slots, per variant; each once. */
static enum fleet_status check_set(const struct release_work *work)
{
    const struct fleet_release_new *wanted = work->wanted;
    struct fleet_error *error = work->base.error;
    size_t firmware = 0;
    for (size_t i = 0; i < wanted->image_count; i++) {
        const struct fleet_release_image *one = &wanted->images[i];
        const char *variant = one->variant == NULL ? "" : one->variant;
        bool pair = one->part != PART_USER1 && one->part != PART_USER2;
        firmware += one->part != PART_FILESYSTEM;
        for (size_t j = 0; j < wanted->image_count; j++) {
            const struct fleet_release_image *other = &wanted->images[j];
            const char *its = other->variant == NULL ? "" : other->variant;
            if (strcmp(its, variant) != 0) {
                continue;
            }
            if (i != j && other->part == one->part) {
                return fleet_fail(error, FLEET_INVALID, REFUSAL_IMAGE_TWICE, part_word(one->part),
                                  VALUES({"slot", part_word(one->part), 0}));
            }
            pair = pair || (one->part == PART_USER1 && other->part == PART_USER2) ||
                   (one->part == PART_USER2 && other->part == PART_USER1);
        }
        if (!pair) {
            const char *missing = one->part == PART_USER1 ? "user2" : "user1";
            return fleet_fail(error, FLEET_INVALID, REFUSAL_PAIR_INCOMPLETE, missing,
                              VALUES({"slot", part_word(one->part), 0}, {"missing", missing, 0}));
        }
    }
    if (firmware == 0) {
        return fleet_fail(error, FLEET_INVALID, REFUSAL_NO_IMAGES, "images", NULL);
    }
    return FLEET_OK;
}

static bool clear_current(void *ctx, const void *record)
{
    struct release *first = ctx;
    *first = *(const struct release *)record;
    return false;
}

/** The one current release of its channel from now on. */
static enum store_result make_current(struct store_view *view, struct release_work *work,
                                      struct release *release)
{
    struct release before = {0};
    struct store_where where[] = {STORE_NUMBER("product", release->product),
                                  STORE_NUMBER("current", 1),
                                  STORE_TEXT("channel", release->channel)};
    struct store_query query = {.where = where, .count = 3};
    char was[256], is[512];
    enum store_result result = store_each(view, STORE_RELEASE, &query, clear_current, &before);
    if (result == STORE_OK && before.no != 0) {
        before.current = false;
        result = store_update(view, STORE_RELEASE, &before);
    }
    release->current = true;
    if (result == STORE_OK) {
        result = store_update(view, STORE_RELEASE, release);
    }
    snprintf(was, sizeof was, "{\"version\":\"%s\"}", before.version);
    snprintf(is, sizeof is, "{\"product\":\"%s\",\"version\":\"%s\",\"channel\":\"%s\"}",
             work->product.id, release->version, release->channel);
    if (result == STORE_OK) {
        result = fleet_audit(view, &work->base, "release.set_current", release->id, was, is);
    }
    if (result == STORE_OK) {
        result = fleet_event(view, work->base.fleet, "release.current", release->product, NULL, is);
    }
    return result;
}

static enum store_result create(struct store_view *view, void *ctx)
{
    struct release_work *work = ctx;
    const struct fleet_release_new *wanted = work->wanted;
    struct release *release = &work->release;
    struct fleet_error *error = work->base.error;
    char json[512];

    if (fleet_find_product(view, work->base.actor, ACTION_RELEASE_CREATE, work->product_name,
                           &work->product, error) != FLEET_OK) {
        return STORE_UNDONE;
    }
    release->product = work->product.no;
    release->created = fleet_now(work->base.fleet);
    fleet_random_id('r', release->id);
    size_t first = strcspn(work->product.channels, ",");
    snprintf(release->channel, sizeof release->channel, "%.*s", (int)first, work->product.channels);
    if (check_version(view, work) != FLEET_OK || check_set(work) != FLEET_OK) {
        return STORE_UNDONE;
    }
    if (wanted->channel != NULL && wanted->channel[0] != '\0') {
        if (!has_channel(&work->product, wanted->channel)) {
            return fleet_undo(fleet_fail(error, FLEET_INVALID, REFUSAL_NO_SUCH_CHANNEL, "channel",
                                         VALUES({"channels", work->product.channels, 0})));
        }
        snprintf(release->channel, sizeof release->channel, "%s", wanted->channel);
    }
    if (wanted->notes != NULL && strlen(wanted->notes) >= NOTES_SIZE) {
        return fleet_undo(fleet_fail(error, FLEET_INVALID, REFUSAL_NOTES_TOO_LONG, "notes",
                                     VALUES({"most", NULL, NOTES_SIZE - 1})));
    }
    snprintf(release->notes, sizeof release->notes, "%s",
             wanted->notes == NULL ? "" : wanted->notes);
    enum store_result result = store_insert(view, STORE_RELEASE, release);
    for (size_t i = 0; i < wanted->image_count && result == STORE_OK; i++) {
        result = add_image(view, work, &wanted->images[i]);
    }
    snprintf(json, sizeof json, "{\"product\":\"%s\",\"version\":\"%s\",\"channel\":\"%s\"}",
             work->product.id, release->version, release->channel);
    if (result == STORE_OK) {
        result = fleet_audit(view, &work->base, "release.create", release->id, NULL, json);
    }
    if (result == STORE_OK) {
        result =
            fleet_event(view, work->base.fleet, "release.created", release->product, NULL, json);
    }
    if (result == STORE_OK && wanted->current) {
        result = make_current(view, work, release);
    }
    work->base.products_changed = true;
    return result;
}

enum fleet_status fleet_release_create(struct fleet *fleet, const struct actor *actor,
                                       const char *product, const struct fleet_release_new *wanted,
                                       struct release *release, char *warnings,
                                       struct fleet_error *error)
{
    struct release_work work = {.base = {fleet, actor, error, false},
                                .product_name = product,
                                .wanted = wanted,
                                .warnings = warnings};
    if (warnings != NULL) {
        warnings[0] = '\0';
    }
    enum fleet_status status = fleet_perform(create, &work);
    if (status == FLEET_OK) {
        *release = work.release;
    }
    return status;
}

/* --- What becomes of it -------------------------------------------------------------------------
 */

static enum store_result set_current(struct store_view *view, void *ctx)
{
    struct release_work *work = ctx;
    if (fleet_find_release(view, work->base.actor, ACTION_RELEASE_SET_CURRENT, work->product_name,
                           work->version, &work->product, &work->release,
                           work->base.error) != FLEET_OK) {
        return STORE_UNDONE;
    }
    if (work->release.withdrawn != 0) {
        return fleet_undo(fleet_fail(work->base.error, FLEET_CONFLICT, REFUSAL_WITHDRAWN, NULL,
                                     VALUES({"release", work->release.version, 0})));
    }
    work->base.products_changed = true;
    return make_current(view, work, &work->release);
}

enum fleet_status fleet_release_set_current(struct fleet *fleet, const struct actor *actor,
                                            const char *product, const char *version,
                                            struct fleet_error *error)
{
    struct release_work work = {
        .base = {fleet, actor, error, false}, .product_name = product, .version = version};
    return fleet_perform(set_current, &work);
}

static enum store_result cancel_waiting(struct store_view *view, struct fleet *fleet,
                                        const struct release *release)
{
    static const enum update_state waiting[] = {UPDATE_OFFERED, UPDATE_ACCEPTED};
    enum store_result result = STORE_OK;
    for (size_t i = 0; i < 2; i++) {
        struct store_where where[] = {STORE_NUMBER("release", release->no),
                                      STORE_NUMBER("state", waiting[i])};
        struct store_query query = {.where = where, .count = 2};
        struct update update;
        struct device device;
        while (result == STORE_OK && store_get(view, STORE_UPDATE, &query, &update) == STORE_OK) {
            result = store_get_no(view, STORE_DEVICE, update.device, &device);
            if (result == STORE_OK && !fleet_move(view, fleet, &update, &device, UPDATE_ON_CANCEL,
                                                  false, CAUSE(WITHDRAWN), &result)) {
                return STORE_FAILED;
            }
        }
    }
    return result;
}

static enum store_result withdraw(struct store_view *view, void *ctx)
{
    struct release_work *work = ctx;
    struct release *release = &work->release;
    char json[512];
    if (fleet_find_release(view, work->base.actor, ACTION_RELEASE_WITHDRAW, work->product_name,
                           work->version, &work->product, release, work->base.error) != FLEET_OK) {
        return STORE_UNDONE;
    }
    if (release->withdrawn != 0) {
        return STORE_OK;
    }
    release->withdrawn = fleet_now(work->base.fleet);
    release->current = false;
    snprintf(json, sizeof json, "{\"product\":\"%s\",\"version\":\"%s\",\"channel\":\"%s\"}",
             work->product.id, release->version, release->channel);
    enum store_result result = store_update(view, STORE_RELEASE, release);
    if (result == STORE_OK) {
        result = cancel_waiting(view, work->base.fleet, release);
    }
    if (result == STORE_OK) {
        result = fleet_audit(view, &work->base, "release.withdraw", release->id, NULL, json);
    }
    if (result == STORE_OK) {
        result =
            fleet_event(view, work->base.fleet, "release.withdrawn", release->product, NULL, json);
    }
    work->base.products_changed = true;
    return result;
}

enum fleet_status fleet_release_withdraw(struct fleet *fleet, const struct actor *actor,
                                         const char *product, const char *version,
                                         struct fleet_error *error)
{
    struct release_work work = {
        .base = {fleet, actor, error, false}, .product_name = product, .version = version};
    return fleet_perform(withdraw, &work);
}

enum fleet_status fleet_release_show(struct fleet *fleet, const struct actor *actor,
                                     const char *product, const char *version,
                                     struct release *release, struct fleet_error *error)
{
    struct store_view *view = fleet_view(fleet, error);
    struct product found;
    struct release its;
    if (view == NULL) {
        return error->status;
    }
    enum fleet_status status =
        fleet_find_release(view, actor, ACTION_RELEASE_SHOW, product, version, &found, &its, error);
    if (status == FLEET_OK) {
        *release = its;
    }
    store_end(view);
    return status;
}

struct each_release {
    void (*each)(void *ctx, const struct release *release);
    void (*image)(void *ctx, const struct image *image);
    void *ctx;
};

static bool give_release(void *ctx, const void *record)
{
    struct each_release *give = ctx;
    give->each(give->ctx, record);
    return true;
}

static bool give_image(void *ctx, const void *record)
{
    struct each_release *give = ctx;
    give->image(give->ctx, record);
    return true;
}

enum fleet_status fleet_release_list(struct fleet *fleet, const struct actor *actor,
                                     const struct fleet_query *query,
                                     void (*each)(void *ctx, const struct release *release),
                                     void *ctx, struct fleet_page *page, struct fleet_error *error)
{
    struct store_view *view = fleet_view(fleet, error);
    struct product product;
    if (view == NULL) {
        return error->status;
    }
    struct store_query list = {.order = "no", .descending = true};
    enum fleet_status status =
        fleet_find_product(view, actor, ACTION_RELEASE_SHOW, query->product, &product, error);
    if (status == FLEET_OK) {
        status = fleet_paging(query, "version created no", &list, error);
    }
    if (status == FLEET_OK) {
        int64_t total = 0;
        struct store_where where = STORE_NUMBER("product", product.no);
        struct each_release give = {.each = each, .ctx = ctx};
        list.where = &where;
        list.count = 1;
        enum store_result result = store_count(view, STORE_RELEASE, &list, &total);
        if (result == STORE_OK) {
            result = store_each(view, STORE_RELEASE, &list, give_release, &give);
        }
        fleet_page_end(&list, total, page);
        status = fleet_store_error(error, result);
    }
    store_end(view);
    return status;
}

enum fleet_status fleet_release_images(struct fleet *fleet, const struct actor *actor,
                                       const struct release *release,
                                       void (*each)(void *ctx, const struct image *image),
                                       void *ctx, struct fleet_error *error)
{
    struct store_view *view = fleet_view(fleet, error);
    if (view == NULL) {
        return error->status;
    }
    enum fleet_status status =
        fleet_allowed(view, actor, ACTION_RELEASE_SHOW, release->product, NULL, "release", error);
    if (status == FLEET_OK) {
        struct store_where where = STORE_NUMBER("release", release->no);
        struct store_query list = {.where = &where, .count = 1, .order = "no"};
        struct each_release give = {.image = each, .ctx = ctx};
        status = fleet_store_error(error, store_each(view, STORE_IMAGE, &list, give_image, &give));
    }
    store_end(view);
    return status;
}

enum fleet_status fleet_image_open(struct fleet *fleet, const struct actor *actor,
                                   const struct image *image, int *fd, struct fleet_error *error)
{
    struct store_view *view = fleet_view(fleet, error);
    if (view == NULL) {
        return error->status;
    }
    enum fleet_status status =
        fleet_allowed(view, actor, ACTION_IMAGE_READ, image->product, NULL, "image", error);
    store_end(view);
    if (status != FLEET_OK) {
        return status;
    }
    int opened = blob_open(fleet->blobs, image->sha256, NULL);
    if (opened < 0) {
        return fleet_fail(error, FLEET_FAILED, REFUSAL_BLOB_MISSING, NULL,
                          VALUES({"problem", strerror(errno), 0}));
    }
    *fd = opened;
    return FLEET_OK;
}
