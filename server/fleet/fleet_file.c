/* updraftd: files of a product beside its firmware: OTAdrive's configuration and resources. */
#include "internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct file_work {
    struct operation base;
    const char *product_name, *path, *group; /* group NULL: the product's own */
    enum part part;
    struct image *image;
};

enum { CONDITIONS = 5 };

/** With a path, the file of that path and group; else all. */
static struct store_query files_of(struct store_where where[CONDITIONS], int64_t product,
                                   enum part part, const char *path, const char *group)
{
    where[0] = (struct store_where)STORE_NUMBER("release", IMAGE_OF_PRODUCT);
    where[1] = (struct store_where)STORE_NUMBER("product", product);
    where[2] = (struct store_where)STORE_NUMBER("part", part);
    where[3] = (struct store_where)STORE_TEXT("file", path);
    where[4] = (struct store_where)STORE_TEXT("family", group != NULL ? group : "");
    return (struct store_query){
        .where = where, .count = path != NULL ? CONDITIONS : 3, .order = "no"};
}

static enum store_result note(struct store_view *view, struct file_work *work, const char *what,
                              const char *product, const char *sha256)
{
    char path[2 * NAME_SIZE + 8] = "", group[2 * NAME_SIZE + 8] = "null";
    char json[4 * NAME_SIZE + 256];

    fleet_json_string(path, sizeof path, work->path);
    if (work->group != NULL) {
        fleet_json_string(group, sizeof group, work->group);
    }
    snprintf(json, sizeof json, "{\"part\":\"%s\",\"path\":%s,\"group\":%s,\"sha256\":\"%s\"}",
             part_word(work->part), path, group, sha256);
    return fleet_audit(view, &work->base, what, product, NULL, json);
}

static enum store_result put(struct store_view *view, void *ctx)
{
    struct file_work *work = ctx;
    struct product product;
    struct image known, *image = work->image;
    struct store_where where[CONDITIONS];

    if (fleet_find_product(view, work->base.actor, ACTION_RELEASE_CREATE, work->product_name,
                           &product, work->base.error) != FLEET_OK) {
        return STORE_UNDONE;
    }
    const struct store_query query =
        files_of(where, product.no, work->part, work->path, work->group);
    enum store_result result = store_get(view, STORE_IMAGE, &query, &known);
    image->product = product.no;
    image->no = result == STORE_OK ? known.no : 0;
    if (result == STORE_OK) {
        result = store_update(view, STORE_IMAGE, image);
    } else if (result == STORE_NONE) {
        result = store_insert(view, STORE_IMAGE, image);
    }
    return result == STORE_OK ? note(view, work, "file.put", product.id, image->sha256) : result;
}

enum fleet_status fleet_file_put(struct fleet *fleet, const struct actor *actor,
                                 const char *product, enum part part, const char *path,
                                 const char *group, const void *data, size_t size,
                                 struct image *image, struct fleet_error *error)
{
    struct image made = {.release = IMAGE_OF_PRODUCT, .part = part, .created = fleet_now(fleet)};
    struct file_work work = {.base = {fleet, actor, error, false},
                             .product_name = product,
                             .path = path,
                             .group = group,
                             .part = part,
                             .image = &made};
    struct product found;

    /* Who may not is told so before a byte is stored. */
    struct store_view *view = fleet_view(fleet, error);
    if (view == NULL || fleet_find_product(view, actor, ACTION_RELEASE_CREATE, product, &found,
                                           error) != FLEET_OK) {
        store_end(view);
        return error->status;
    }
    store_end(view);
    if (!fleet_name_good(path)) {
        return fleet_fail(error, FLEET_INVALID, REFUSAL_BAD_PATH, "path", NULL);
    }
    if (group != NULL && !fleet_name_good(group)) {
        return fleet_fail(error, FLEET_INVALID, REFUSAL_BAD_GROUP, "group", NULL);
    }
    snprintf(made.family, sizeof made.family, "%s", group != NULL ? group : "");
    snprintf(made.file, sizeof made.file, "%s", path);
    struct blob_writer *blob = blob_begin(fleet->blobs);
    if (blob == NULL || !blob_write(blob, data, size)) {
        int cause = errno;
        blob_abort(blob);
        errno = cause;
        blob = NULL;
    }
    if (blob == NULL || !blob_commit(blob, made.sha256, made.md5, &made.size)) {
        return errno == ENOSPC || errno == EDQUOT
                   ? fleet_store_error(error, STORE_FULL)
                   : fleet_fail(error, FLEET_FAILED, REFUSAL_DISK, NULL,
                                VALUES({"problem", strerror(errno), 0}));
    }
    made.payload_size = made.size;
    enum fleet_status status = fleet_perform(put, &work);
    if (status == FLEET_OK) {
        *image = made;
    }
    return status;
}

static enum store_result take_away(struct store_view *view, void *ctx)
{
    struct file_work *work = ctx;
    struct product product;
    struct image image;
    struct store_where where[CONDITIONS];

    if (fleet_find_product(view, work->base.actor, ACTION_RELEASE_CREATE, work->product_name,
                           &product, work->base.error) != FLEET_OK) {
        return STORE_UNDONE;
    }
    const struct store_query query =
        files_of(where, product.no, work->part, work->path, work->group);
    enum store_result result = store_get(view, STORE_IMAGE, &query, &image);
    if (result == STORE_NONE) {
        return fleet_undo(fleet_hidden(work->base.error, "file"));
    }
    if (result == STORE_OK) {
        result = store_remove(view, STORE_IMAGE, &query, NULL);
    }
    return result == STORE_OK ? note(view, work, "file.remove", product.id, image.sha256) : result;
}

enum fleet_status fleet_file_remove(struct fleet *fleet, const struct actor *actor,
                                    const char *product, enum part part, const char *path,
                                    const char *group, struct fleet_error *error)
{
    struct file_work work = {.base = {fleet, actor, error, false},
                             .product_name = product,
                             .path = path,
                             .group = group,
                             .part = part};
    return fleet_perform(take_away, &work);
}

struct giving {
    struct store_view *view;
    const char *group; /* whose files; NULL: all */
    void (*each)(void *ctx, const struct image *image);
    void *ctx;
};

/** Whether the group has a file in the place of one of the product. */
static bool has_another(const struct giving *giving, const struct image *image)
{
    struct store_where where[CONDITIONS];
    const struct store_query query =
        files_of(where, image->product, image->part, image->file, giving->group);
    struct image another;

    return store_get(giving->view, STORE_IMAGE, &query, &another) == STORE_OK;
}

static bool give(void *ctx, const void *record)
{
    const struct giving *giving = ctx;
    const struct image *image = record;

    if (giving->group == NULL || strcmp(image->family, giving->group) == 0 ||
        (image->family[0] == '\0' && !has_another(giving, image))) {
        giving->each(giving->ctx, image);
    }
    return true;
}

enum fleet_status fleet_file_list(struct fleet *fleet, const struct actor *actor,
                                  const char *product, enum part part, const char *group,
                                  void (*each)(void *ctx, const struct image *image), void *ctx,
                                  struct fleet_error *error)
{
    struct product found;
    struct store_where where[CONDITIONS];
    struct store_view *view = fleet_view(fleet, error);
    struct giving giving = {view, group, each, ctx};

    if (view == NULL) {
        return error->status;
    }
    enum fleet_status status =
        fleet_find_product(view, actor, ACTION_RELEASE_SHOW, product, &found, error);
    if (status == FLEET_OK) {
        const struct store_query query = files_of(where, found.no, part, NULL, NULL);
        status = fleet_store_error(error, store_each(view, STORE_IMAGE, &query, give, &giving));
    }
    store_end(view);
    return status;
}
