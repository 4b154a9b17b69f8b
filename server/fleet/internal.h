/* updraftd: what the files of fleet/ share among themselves. */
#ifndef UPDRAFT_SERVER_FLEET_INTERNAL_H
#define UPDRAFT_SERVER_FLEET_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "cause.h"
#include "fleet.h"
#include "memo.h"
#include "text/refusal.h"

/** Products, releases and images as of one moment, for polls. Immutable; counted. */
struct snapshot {
    int references;
    struct product *products;
    size_t product_count;
    /* Sorted by product; a product's own are a run of it. */
    struct release *releases;
    size_t release_count;
    struct image *images;
    size_t image_count;
};

enum { THROTTLES = 1024 };

/** Failed log-ins of a name or an address, which forget with time. */
struct throttle {
    uint64_t key;
    double failures;
    int64_t last;
};

enum { LIST_FEW = 20000, LIST_PRODUCTS = 256 };

struct fleet {
    struct store *store;
    struct blobs *blobs;
    struct memos *memos;
    int64_t (*clock)(void *ctx);
    void *clock_ctx;
    struct {
        int64_t few;     /* what finds less is looked at record by record */
        size_t products; /* whose devices or updates are listed one by one and merged */
    } lists;
    bool products_changing; /* of the writer's thread: a snapshot gets old with the next commit */
    pthread_mutex_t lock;   /* everything below */
    struct snapshot *snapshot;        /* NULL: to be made */
    atomic_uint_least64_t generation; /* counts what made snapshots old; written under the lock */
    struct throttle throttles[THROTTLES];
};

/* --- Errors ------------------------------------------------------------------------------------
 */

enum fleet_status fleet_error_clear(struct fleet_error *error);
/** Fill *error and return its status. `field` NULL: none is at fault; `values` of the sentence, NULL:
 *  it has none. */
enum fleet_status fleet_fail(struct fleet_error *error, enum fleet_status status,
                             enum refusal refusal, const char *field, const struct value *values);
/** The same for a code and a sentence of another table. */
enum fleet_status fleet_fail_with(struct fleet_error *error, enum fleet_status status,
                                  const char *code, const char *field, const char *form,
                                  const struct value *values);
enum fleet_status fleet_hidden(struct fleet_error *error, const char *noun);
enum fleet_status fleet_store_error(struct fleet_error *error, enum store_result result);

/* --- Operations --------------------------------------------------------------------------------
 */

/** What every operation carries; the first member of its context. */
struct operation {
    struct fleet *fleet;
    const struct actor *actor;
    struct fleet_error *error;
    bool products_changed; /* set by the work: the snapshot is made anew */
};

/** Write: `ctx` begins with a struct operation. A work that fails calls fleet_fail() and returns
 *  STORE_UNDONE. */
enum fleet_status fleet_perform(store_work *work, void *ctx);

/** Within a work: end it with what fleet_fail() filled in. */
static inline enum store_result fleet_undo(enum fleet_status status)
{
    return status == FLEET_OK ? STORE_OK : STORE_UNDONE;
}

/* --- Texts -------------------------------------------------------------------------------------
 */

void fleet_random_id(char prefix, char id[ID_SIZE]);
/** `count` random characters of an alphabet that people can read to one another, and NUL. */
void fleet_random_text(char *text, size_t count);
void fleet_random_hex(char *text, size_t count);
void fleet_sha256_hex(const char *text, char hex[HEX64_SIZE]);
/** 1..size-1 bytes, printable, no blanks: versions, channels, variants, serials. */
bool fleet_word_good(const char *text, size_t size);
/** "18:FE:34-..." in any spelling to lower case with colons; false when it is no MAC address. */
bool fleet_mac(const char *text, char mac[MAC_SIZE]);
/** Append to JSON: `text` as a string with its quotes. */
void fleet_json_string(char *json, size_t room, const char *text);

/* --- Access ------------------------------------------------------------------------------------
 */

/** Is it allowed? Fills *error with 404 or 403. `owner`: user number of the device's owner. */
enum fleet_status fleet_allowed(struct store_view *view, const struct actor *actor,
                                enum action action, int64_t product, const struct device *device,
                                const char *noun, struct fleet_error *error);
enum role fleet_role(struct store_view *view, int64_t user, int64_t product);

/** Find and ask at once. */
enum fleet_status fleet_find_product(struct store_view *view, const struct actor *actor,
                                     enum action action, const char *name, struct product *product,
                                     struct fleet_error *error);
enum fleet_status fleet_find_release(struct store_view *view, const struct actor *actor,
                                     enum action action, const char *product, const char *version,
                                     struct product *found, struct release *release,
                                     struct fleet_error *error);
enum fleet_status fleet_find_device(struct store_view *view, const struct actor *actor,
                                    enum action action, const char *id, struct device *device,
                                    struct fleet_error *error);

/** A view for reading, or NULL with *error filled. */
struct store_view *fleet_view(struct fleet *fleet, struct fleet_error *error);

/* --- Records of what happened, within a work -----------------------------------------------------
 */

enum store_result fleet_audit(struct store_view *view, const struct operation *operation,
                              const char *what, const char *object, const char *before,
                              const char *after);
/** `json` NULL: {}. */
enum store_result fleet_event(struct store_view *view, struct fleet *fleet, const char *kind,
                              int64_t product, const struct device *device, const char *json);

/* --- Updates, within a work
 * ----------------------------------------------------------------------- */

/** Move an update by an event, note the step, tell the world. A cause of a failure is noted in the
 *  update too. False when the table has no such row: then nothing is changed. */
bool fleet_move(struct store_view *view, struct fleet *fleet, struct update *update,
                struct device *device, enum update_event event, bool inferred,
                const struct cause *cause, enum store_result *result);
/** The update that is going on for a device; false when there is none. */
bool fleet_going(struct store_view *view, const struct device *device, struct update *update);
/** Begin one; the device's `update` is set and the device written. */
enum store_result fleet_begin_update(struct store_view *view, struct fleet *fleet,
                                     struct device *device, const struct release *release,
                                     const struct image *image, const struct cause *cause,
                                     struct update *update);

/* --- The snapshot
 * ----------------------------------------------------------------------------------- */

struct snapshot *fleet_snapshot(struct fleet *fleet);
void fleet_snapshot_release(struct fleet *fleet, struct snapshot *snapshot);
void fleet_snapshot_drop(struct fleet *fleet);
const struct product *snapshot_product_no(const struct snapshot *snapshot, int64_t no);
const struct product *snapshot_product_key(const struct snapshot *snapshot, const char *key);
/** By id, name or key. */
const struct product *snapshot_product(const struct snapshot *snapshot, const char *name);
/** The input of decide() for a product: releases and images are set. */
void snapshot_releases(const struct snapshot *snapshot, const struct product *product,
                       struct decide_input *input);

/** Whether devices of this kind restart when they have an update, without being told. */
bool fleet_reboots_by_itself(const struct product *product);
/** Give up the updates that nothing is heard of for longer than their devices' habits allow. */
void fleet_give_up_stuck(struct fleet *fleet);

/** Page and order of a list, from what was asked: `sorts` are the fields that it may be sorted by,
 *  "name created"; without a wish, *into keeps its order. And the cursor of the next page. */
enum fleet_status fleet_paging(const struct fleet_query *query, const char *sorts,
                               struct store_query *into, struct fleet_error *error);
void fleet_page_end(const struct store_query *query, int64_t total, struct fleet_page *page);

#endif
