/* Images on their way in, releases, and what is made of them. */
#include <stdio.h>
#include <string.h>

#include "api/inside.h"
#include "api/show.h"
#include "fleet/report.h"

/* --- Images ----------------------------------------------------------------------------------- */

enum { IMAGE_JSON_ROOM = 16384, IMAGE_MAX = 16 << 20 };

static void open_image(struct http_exchange *x)
{
    const char *word = http_query(x, "part");
    enum part part = PART_APP;
    struct fleet_upload *upload = NULL;
    struct fleet_error error;

    if (word != NULL && (!part_find(word, &part) || part > PART_FILESYSTEM)) {
        http_answer_error(x, 422, REFUSAL_INVALID_PART, "part", NULL);
    } else if (!api_failed(x,
                           fleet_upload_begin(api_fleet(x), api_actor(x), http_path(x, "product"),
                                              part, &upload, &error),
                           &error)) {
        http_state_set(x, upload);
    }
}

/* The first wrong byte ends it: no more is read. */
static void take_image(struct http_exchange *x, const void *bytes, size_t size)
{
    struct fleet_error error;

    (void)api_failed(x, fleet_upload_feed(http_state(x), bytes, size, &error), &error);
}

static void close_image(struct http_exchange *x)
{
    if (http_state(x) != NULL) {
        fleet_upload_abort(http_state(x));
        http_state_set(x, NULL);
    }
}

static void end_image(struct http_exchange *x)
{
    char *json = http_alloc(x, IMAGE_JSON_ROOM);
    struct fleet_upload *upload = http_state(x);
    struct image image;
    struct fleet_error error;

    json[0] = '\0';
    http_state_set(x, NULL); /* the end frees it, whatever comes of it */
    enum fleet_status status = fleet_upload_end(upload, &image, json, IMAGE_JSON_ROOM, &error);
    json_t *description = json[0] != '\0' ? json_loads(json, 0, NULL) : NULL;
    if (status == FLEET_OK) {
        json_t *object = show_image(&image);
        if (description != NULL) {
            json_object_set(object, "description", description);
        }
        http_answer_json(x, 201, object);
    } else if (status == FLEET_INVALID && description != NULL) {
        json_t *detail = api_detail(&error);
        json_object_set(detail, "image", description);
        http_answer_error_with(x, 422, error.code, error.field[0] != '\0' ? error.field : NULL,
                               detail, error.message);
    } else {
        (void)api_failed(x, status, &error);
    }
    json_decref(description);
}

static const struct http_stream image_stream = {open_image, take_image, close_image};

/* --- Releases --------------------------------------------------------------------------------- */

static void add_image(void *ctx, const struct image *image)
{
    json_array_append_new(ctx, show_image(image));
}

static json_t *states_json(const struct report_updates *report)
{
    json_t *states = json_object();

    for (int state = 0; state <= UPDATE_ROLLED_BACK; state++) {
        if (report->states[state] > 0) {
            json_object_set_new(states, update_state_word((enum update_state)state),
                                json_integer(report->states[state]));
        }
    }
    return states;
}

enum { HOUR_MS = 3600000 };

static json_t *whole(struct http_exchange *x, struct store_view *view,
                     const struct release *release, bool failures)
{
    json_t *object = show_release(release), *images = json_array();
    struct report_updates report;
    struct fleet_error error;

    (void)fleet_release_images(api_fleet(x), api_actor(x), release, add_image, images, &error);
    report_updates(view, release->product, release, 0, &report);
    json_object_set_new(object, "images", images);
    json_object_set_new(object, "devices", json_integer(report.devices));
    json_object_set_new(object, "updates", states_json(&report));
    json_object_set_new(
        object, "recent",
        json_integer(report_arrived(view, release, fleet_now(api_fleet(x)) - HOUR_MS)));
    if (failures) {
        json_t *rows = json_array();
        for (size_t i = 0; i < report.failure_count; i++) {
            const struct report_failure *failure = &report.failures[i];
            json_array_append_new(rows,
                                  json_pack("{s:s, s:s, s:I}", "code", failure->code, "text",
                                            failure->text, "count", (json_int_t)failure->count));
        }
        json_object_set_new(object, "failures", rows);
    }
    return object;
}

static bool find(struct http_exchange *x, const char *version, struct release *release)
{
    struct fleet_error error;

    return !api_failed(x,
                       fleet_release_show(api_fleet(x), api_actor(x), http_path(x, "product"),
                                          version, release, &error),
                       &error);
}

static void answer_release(struct http_exchange *x, unsigned status, const struct release *release)
{
    struct store_view *view = report_begin(api_fleet(x));

    http_answer_json(x, status, whole(x, view, release, true));
    report_end(view);
}

static void foretell(struct http_exchange *x)
{
    struct forecast found;
    struct fleet_error error;

    if (api_failed(x,
                   fleet_release_forecast(api_fleet(x), api_actor(x), http_path(x, "product"),
                                          http_path(x, "version"), &found, &error),
                   &error)) {
        return;
    }
    http_answer_json(x, 200,
                     json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o}", "done",
                               (json_int_t)found.done, "expected", (json_int_t)found.expected,
                               "silent", (json_int_t)found.silent, "unknown",
                               (json_int_t)found.unknown, "people", (json_int_t)found.people,
                               "refused", (json_int_t)found.refused, "per_hour",
                               (json_int_t)found.per_hour, "half", show_time(found.half), "most",
                               show_time(found.most), "all", show_time(found.all)));
}

static void show(struct http_exchange *x)
{
    struct release *release = http_alloc(x, sizeof *release);

    if (find(x, http_path(x, "version"), release)) {
        answer_release(x, 200, release);
    }
}

struct listing {
    struct release *releases;
    size_t count, room;
};

static void add_release(void *ctx, const struct release *release)
{
    struct listing *listing = ctx;

    if (listing->count < listing->room) {
        listing->releases[listing->count++] = *release;
    }
}

static void list(struct http_exchange *x)
{
    struct fleet_query query;
    struct fleet_page page;
    struct fleet_error error;
    struct listing listing = {0};

    if (!api_query(x, 0, &query)) {
        return;
    }
    query.product = http_path(x, "product");
    listing.room = (size_t)query.limit;
    listing.releases = http_alloc(x, listing.room * sizeof *listing.releases);
    if (api_failed(x,
                   fleet_release_list(api_fleet(x), api_actor(x), &query, add_release, &listing,
                                      &page, &error),
                   &error)) {
        return;
    }
    struct store_view *view = report_begin(api_fleet(x));
    json_t *items = json_array();
    for (size_t i = 0; i < listing.count; i++) {
        json_array_append_new(items, whole(x, view, &listing.releases[i], false));
    }
    report_end(view);
    api_answer_page(x, items, &page);
}

struct fields {
    const char *version, *channel, *letter, *notes;
    json_t *images;
    bool current;
};
static const char *const letters[] = {"o", "l", "a", "n", NULL};
static const struct http_field create_fields[] = {
    {.name = "version",
     .kind = HTTP_TEXT,
     .required = true,
     .min = 1,
     .max = VERSION_SIZE - 1,
     .at = offsetof(struct fields, version),
     .help = "a ROM version name such as v1.0.1t45772(a), or a free one"},
    {.name = "channel",
     .kind = HTTP_TEXT,
     .min = 1,
     .max = WORD_SIZE - 1,
     .at = offsetof(struct fields, channel),
     .help = "which devices get it; else the first"},
    {.name = "letter",
     .kind = HTTP_CHOICE,
     .nullable = true,
     .choices = letters,
     .at = offsetof(struct fields, letter),
     .help = "how it may be upgraded to; else as its name says"},
    {.name = "notes",
     .kind = HTTP_LINES,
     .max = 1000,
     .at = offsetof(struct fields, notes),
     .help = "what changes, for the owners of devices"},
    {.name = "images",
     .kind = HTTP_OBJECT,
     .required = true,
     .at = offsetof(struct fields, images),
     .help = "SHA-256 of uploaded images by part: app, user1, user2, filesystem; a variant "
             "follows a colon: app:rev2"},
    {.name = "current",
     .kind = HTTP_BOOL,
     .at = offsetof(struct fields, current),
     .help = "set it as current at once"},
    {0},
};
static const struct http_schema create_schema = {"NewRelease", create_fields};

enum { IMAGES_MAX = 64 };

/* "user1", "app:rev2" */
static bool read_images(struct http_exchange *x, json_t *object, struct fleet_release_image *images,
                        size_t *count)
{
    const char *key;
    json_t *value;

    json_object_foreach(object, key, value)
    {
        char *part = http_printf(x, "%s", key);
        char *variant = strchr(part, ':');
        if (variant != NULL) {
            *variant++ = '\0';
        }
        struct fleet_release_image *image = &images[*count];
        if (*count == IMAGES_MAX || !json_is_string(value) || !part_find(part, &image->part) ||
            image->part > PART_FILESYSTEM) {
            http_answer_error(x, 422, REFUSAL_INVALID_IMAGES, "images", VALUES({"slot", key, 0}));
            return false;
        }
        image->sha256 = json_string_value(value);
        image->variant = variant;
        (*count)++;
    }
    return true;
}

static void create(struct http_exchange *x)
{
    struct fields fields = {0};
    struct fleet_release_image *images = http_alloc(x, IMAGES_MAX * sizeof *images);
    struct release *release = http_alloc(x, sizeof *release);
    char warnings[SENTENCE_SIZE] = "";
    struct fleet_error error;
    size_t count = 0;

    memset(images, 0, IMAGES_MAX * sizeof *images);
    if (!http_read_json(x, create_fields, &fields) ||
        !read_images(x, fields.images, images, &count)) {
        return;
    }
    const struct fleet_release_new new = {.version = fields.version,
                                          .channel = fields.channel,
                                          .letter = fields.letter,
                                          .notes = fields.notes,
                                          .images = images,
                                          .image_count = count,
                                          .current = fields.current};
    if (api_failed(x,
                   fleet_release_create(api_fleet(x), api_actor(x), http_path(x, "product"), &new,
                                        release, warnings, &error),
                   &error)) {
        return;
    }
    struct store_view *view = report_begin(api_fleet(x));
    json_t *object = whole(x, view, release, true);
    report_end(view);
    if (warnings[0] != '\0') {
        json_object_set_new(object, "warnings", json_string(warnings));
    }
    http_answer_json(x, 201, object);
}

typedef enum fleet_status change(struct fleet *fleet, const struct actor *actor,
                                 const char *product, const char *version,
                                 struct fleet_error *error);

static void answer_changed(struct http_exchange *x, change *how)
{
    struct release *release = http_alloc(x, sizeof *release);
    struct fleet_error error;

    if (!api_failed(x,
                    how(api_fleet(x), api_actor(x), http_path(x, "product"),
                        http_path(x, "version"), &error),
                    &error) &&
        find(x, http_path(x, "version"), release)) {
        answer_release(x, 200, release);
    }
}

static void set_current(struct http_exchange *x)
{
    answer_changed(x, fleet_release_set_current);
}

/* Withdrawing cancels what nothing was downloaded of: stopping is the same, said by somebody in a
 * hurry. */
static void withdraw(struct http_exchange *x)
{
    answer_changed(x, fleet_release_withdraw);
}

/* --- Files for upgrades by hand ---------------------------------------------------------------- */

struct wanted {
    const char *part, *variant;
    struct image image; /* no is 0 until it is found */
};

static void find_image(void *ctx, const struct image *image)
{
    struct wanted *wanted = ctx;

    if (strcmp(part_word(image->part), wanted->part) == 0 &&
        strcmp(image->variant, wanted->variant) == 0) {
        wanted->image = *image;
    }
}

static void download(struct http_exchange *x)
{
    struct release *release = http_alloc(x, sizeof *release);
    struct wanted *wanted = http_alloc(x, sizeof *wanted);
    const char *variant = http_query(x, "variant");
    struct fleet_error error;
    int fd;

    *wanted = (struct wanted){http_path(x, "part"), variant != NULL ? variant : "", {0}};
    if (!find(x, http_path(x, "version"), release) ||
        api_failed(
            x,
            fleet_release_images(api_fleet(x), api_actor(x), release, find_image, wanted, &error),
            &error)) {
        return;
    }
    if (wanted->image.no == 0) {
        http_answer_not_found(x);
        return;
    }
    if (!api_failed(x, fleet_image_open(api_fleet(x), api_actor(x), &wanted->image, &fd, &error),
                    &error)) {
        const struct http_file file = {.fd = fd,
                                       .size = (uint64_t)wanted->image.size,
                                       .type = "application/octet-stream",
                                       .etag = wanted->image.sha256,
                                       .filename = wanted->image.file};
        http_answer_file(x, &file);
    }
}

/* --- Comparing -------------------------------------------------------------------------------- */

static void add_row(json_t *rows, const char *what, const char *before, const char *after)
{
    if (before == NULL || after == NULL || strcmp(before, after) != 0) {
        json_array_append_new(
            rows, json_pack("{s:s, s:s?, s:s?}", "what", what, "before", before, "after", after));
    }
}

/* The image of the other release in the same part and variant. */
static const json_t *counterpart(const json_t *images, const json_t *image)
{
    size_t index;
    json_t *other;

    json_array_foreach(images, index, other)
    {
        if (json_equal(json_object_get(other, "slot"), json_object_get(image, "slot")) &&
            json_equal(json_object_get(other, "variant"), json_object_get(image, "variant"))) {
            return other;
        }
    }
    return NULL;
}

static const char *text_of(struct http_exchange *x, const json_t *image, const char *key)
{
    const json_t *value = json_object_get(image, key);

    return json_is_string(value)    ? json_string_value(value)
           : json_is_integer(value) ? http_printf(x, "%lld", (long long)json_integer_value(value))
                                    : NULL;
}

static void compare_images(struct http_exchange *x, json_t *rows, const json_t *before,
                           const json_t *after, bool missing_only)
{
    static const char *const keys[] = {"size", "sha256"};
    size_t index;
    json_t *image;

    json_array_foreach(before, index, image)
    {
        const json_t *other = counterpart(after, image);
        for (size_t i = 0; i < 2 && !(missing_only && other != NULL); i++) {
            const char *what = http_printf(x, "%s %s", text_of(x, image, "slot"), keys[i]);
            const char *one = text_of(x, image, keys[i]);
            const char *two = other != NULL ? text_of(x, other, keys[i]) : NULL;
            add_row(rows, what, missing_only ? two : one, missing_only ? one : two);
        }
    }
}

static void compare(struct http_exchange *x)
{
    struct release *one = http_alloc(x, sizeof *one), *two = http_alloc(x, sizeof *two);
    json_t *rows, *before, *after;
    struct fleet_error error;

    if (!find(x, http_path(x, "other"), one) || !find(x, http_path(x, "version"), two)) {
        return;
    }
    rows = json_array();
    before = json_array();
    after = json_array();
    (void)fleet_release_images(api_fleet(x), api_actor(x), one, add_image, before, &error);
    (void)fleet_release_images(api_fleet(x), api_actor(x), two, add_image, after, &error);
    add_row(rows, "channel", one->channel, two->channel);
    add_row(rows, "letter", one->letter, two->letter);
    add_row(rows, "notes", one->notes, two->notes);
    compare_images(x, rows, before, after, false);
    compare_images(x, rows, after, before, true);
    json_decref(before);
    json_decref(after);
    http_answer_json(x, 200, json_pack("{s:o}", "rows", rows));
}

#define ABOUT(name, text, schema, answer, list)                                                    \
    static const struct api_about about_##name = {text, schema, answer, list}
ABOUT(image, "upload an image: its bytes are the body", NULL, "Image", false);
ABOUT(list, "releases of a product", NULL, "Release", true);
ABOUT(create, "make a release of uploaded images", &create_schema, "Release", false);
ABOUT(show, "one release", NULL, "Release", false);
ABOUT(current, "set a release as current in its channel", NULL, "Release", false);
ABOUT(withdraw, "withdraw a release", NULL, "Release", false);
ABOUT(stop, "stop updates to a release that have not begun, and withdraw it", NULL, "Release",
      false);
ABOUT(download,
      "an image's file, for an upgrade by hand; {part} is app, user1, user2 or filesystem", NULL,
      "", false);
ABOUT(foretell, "when it will be where it is going, by the habits of the devices that wait for it",
      NULL, "Forecast", false);
ABOUT(compare, "what differs from another release", NULL, "Difference", false);

#define RELEASES "/api/v1/products/{product}/releases"
#define RELEASE RELEASES "/{version}"
const struct http_route api_release_routes[] = {
    {HTTP_POST, "/api/v1/products/{product}/images", HTTP_DEVELOPER, 0, IMAGE_MAX, end_image,
     &image_stream, &about_image},
    {HTTP_GET, RELEASES, HTTP_VIEWER, 0, 0, list, NULL, &about_list},
    {HTTP_POST, RELEASES, HTTP_DEVELOPER, 0, 65536, create, NULL, &about_create},
    {HTTP_GET, RELEASE, HTTP_VIEWER, 0, 0, show, NULL, &about_show},
    {HTTP_POST, RELEASE "/current", HTTP_OPERATOR, 0, 4096, set_current, NULL, &about_current},
    {HTTP_POST, RELEASE "/withdraw", HTTP_OPERATOR, 0, 4096, withdraw, NULL, &about_withdraw},
    {HTTP_POST, RELEASE "/stop", HTTP_OPERATOR, 0, 4096, withdraw, NULL, &about_stop},
    {HTTP_GET, RELEASE "/images/{part}", HTTP_VIEWER, 0, 0, download, NULL, &about_download},
    {HTTP_GET, RELEASE "/forecast", HTTP_VIEWER, 0, 0, foretell, NULL, &about_foretell},
    {HTTP_GET, RELEASE "/compare/{other}", HTTP_VIEWER, 0, 0, compare, NULL, &about_compare},
};
const size_t api_release_count = sizeof api_release_routes / sizeof api_release_routes[0];
