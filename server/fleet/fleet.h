/*
 * updraftd: the operations on a fleet. Protocols, API and pages call these and nothing else.
 *
 * Each operation checks who asks (access.h), reads the store, asks the pure files (decide.h,
 * lifecycle.h, intake.h), writes the store in one transaction, with audit line and events, and
 * answers. What it answers with success is on disk.
 *
 * Every function that can fail returns enum fleet_status and, in *error (never NULL), a code, a
 * sentence and the field at fault. Outputs are written only with FLEET_OK, if nothing else is said.
 * Safe from any thread, fleet_open() and fleet_close() aside.
 *
 * Objects are named by their `id`; products and releases also by what people call them (name, or
 * key for products; version within the product).
 */
#ifndef UPDRAFT_SERVER_FLEET_H
#define UPDRAFT_SERVER_FLEET_H

#include "access.h"
#include "decide.h"
#include "forecast.h"
#include "lifecycle.h"
#include "model.h"
#include "store/blobs.h"
#include "store/store.h"

/* X(NAME, HTTP status that fits) */
#define FLEET_STATUSES(X)                                                                          \
    X(OK, 200)                                                                                     \
    X(INVALID, 422) /* a field is wrong: error.field */                                            \
    X(UNKNOWN, 401) /* the credential is missing or wrong */                                       \
    X(FORBIDDEN, 403)                                                                              \
    X(NOT_FOUND, 404) /* or the caller may not know of it */                                       \
    X(CONFLICT, 409)  /* the state does not allow it, or the name is taken */                      \
    X(THROTTLED, 429)                                                                              \
    X(FULL, 507) /* the disk is full */                                                            \
    X(FAILED, 500)

enum fleet_status {
#define X(name, http) FLEET_##name,
    FLEET_STATUSES(X)
#undef X
};
int fleet_status_http(enum fleet_status status);

struct fleet_error {
    enum fleet_status status;
    char code[WORD_SIZE];        /* stable: "no_such_release" */
    char field[WORD_SIZE];       /* at fault; empty: none */
    char message[SENTENCE_SIZE]; /* one sentence */
    char detail[DETAIL_SIZE];    /* what stands in it, as an object of JSON */
    int64_t offset;              /* in an uploaded file; -1: none */
    int64_t retry_after;         /* seconds, when throttled */
};

struct fleet;

/** Open the data directory: updraft.db, blobs/. On failure *fleet is NULL. */
enum fleet_status fleet_open(const char *data, struct fleet **fleet, struct fleet_error *error);
void fleet_close(struct fleet *fleet);
/** For the change feed, statistics and backup. */
struct store *fleet_store(struct fleet *fleet);
struct blobs *fleet_blobs(struct fleet *fleet);
/** Milliseconds since 1970; tests move it with fleet_set_clock(). */
int64_t fleet_now(const struct fleet *fleet);
void fleet_set_clock(struct fleet *fleet, int64_t (*now)(void *ctx), void *ctx);
/** What is done now and then, about once a minute: time-outs, collection of blobs, old events. */
void fleet_housekeeping(struct fleet *fleet);

extern const struct actor fleet_system; /* the server itself */

/* --- Lists --------------------------------------------------------------------------------- */

/** What to list. All zero: everything the actor may see, 100 of them. */
struct fleet_query {
    const char *product; /* id, name or key */
    const char *version;
    const char *state;    /* word of an update state; of devices also "updating" */
    const char *standing; /* word of a device's standing */
    const char *family;   /* group of devices */
    const char *text;     /* anywhere in name, serial, chip id, MAC; of one or two characters, in a
                             fleet of 20,000 and more: what begins with it;
                             of updates: the reason of a failure */
    const char *sort;     /* field, "-field" backwards; NULL: as made */
    const char *after;    /* cursor: `next` of the page before */
    const char *device;   /* id: updates of one device */
    int64_t heard_before; /* last seen earlier than this; 0: any */
    int64_t limit;        /* 1..500; 0: 100 */
    int online;           /* 1 yes, -1 no, 0 any */
};

struct fleet_page {
    int64_t total;
    bool more;     /* than total: of what a text finds no more are counted */
    char next[32]; /* cursor; empty: that was all */
};

/* --- Products ------------------------------------------------------------------------------ */

/** `*product` in: name, kind, chip, map, table, ptype, consent, strangers, channels, replies; map
 *  -1 and everything else 0 or empty for the default. Out: as stored, id and key set. */
enum fleet_status fleet_product_create(struct fleet *fleet, const struct actor *actor,
                                       struct product *product, struct fleet_error *error);
enum fleet_status fleet_product_show(struct fleet *fleet, const struct actor *actor,
                                     const char *name, struct product *product, enum role *role,
                                     struct fleet_error *error);
/** Change name, consent, strangers, channels, replies, strict_kinds, map, table of the product with
 *  product->id to what *product says; out: as stored. */
enum fleet_status fleet_product_edit(struct fleet *fleet, const struct actor *actor,
                                     struct product *product, struct fleet_error *error);
/** Only without devices. */
enum fleet_status fleet_product_delete(struct fleet *fleet, const struct actor *actor,
                                       const char *name, struct fleet_error *error);
enum fleet_status fleet_product_list(struct fleet *fleet, const struct actor *actor,
                                     const struct fleet_query *query,
                                     void (*each)(void *ctx, const struct product *product,
                                                  enum role role),
                                     void *ctx, struct fleet_page *page, struct fleet_error *error);
/** Set the role of a user in a product; ROLE_NONE removes. */
enum fleet_status fleet_member_set(struct fleet *fleet, const struct actor *actor,
                                   const char *product, const char *user, enum role role,
                                   struct fleet_error *error);
enum fleet_status fleet_member_list(struct fleet *fleet, const struct actor *actor,
                                    const char *product,
                                    void (*each)(void *ctx, const struct user *user,
                                                 enum role role),
                                    void *ctx, struct fleet_error *error);

/* --- Images and releases ------------------------------------------------------------------- */

/** A file on its way in: checked while it comes, on disk only when it is good. */
struct fleet_upload;
enum fleet_status fleet_upload_begin(struct fleet *fleet, const struct actor *actor,
                                     const char *product, enum part part,
                                     struct fleet_upload **upload, struct fleet_error *error);
/** The next bytes. A problem is told as soon as it shows; then end with fleet_upload_abort(). */
enum fleet_status fleet_upload_feed(struct fleet_upload *upload, const void *data, size_t size,
                                    struct fleet_error *error);
/** Judge and store; frees `upload` in every case. `part` of begin may be PART_APP for anything but
 * a file system: for NONOS the image itself says user1 or user2. `json`, room for `room` bytes,
 * takes the description as `updraft image info --json` has it, also when the image is refused; may
 * be NULL. */
enum fleet_status fleet_upload_end(struct fleet_upload *upload, struct image *image, char *json,
                                   size_t room, struct fleet_error *error);
void fleet_upload_abort(struct fleet_upload *upload);

struct fleet_release_image {
    enum part part;
    const char *sha256;  /* of an uploaded image of this product */
    const char *variant; /* NULL or empty: any */
};

struct fleet_release_new {
    const char *version;
    const char *channel; /* NULL: the product's first */
    const char *letter;  /* NULL: as the version says */
    const char *notes;   /* NULL: none */
    const struct fleet_release_image *images;
    size_t image_count;
    bool current; /* set as current at once */
};

/** All or nothing. `warnings` (SENTENCE_SIZE) takes what to know of, or is NULL. */
enum fleet_status fleet_release_create(struct fleet *fleet, const struct actor *actor,
                                       const char *product, const struct fleet_release_new *wanted,
                                       struct release *release, char *warnings,
                                       struct fleet_error *error);
enum fleet_status fleet_release_show(struct fleet *fleet, const struct actor *actor,
                                     const char *product, const char *version,
                                     struct release *release, struct fleet_error *error);
/** When it will be where it is going (forecast.h): from all devices that wait for it, or, of thousands,
 *  from some that stand for them; as quick in a fleet of any size. */
enum fleet_status fleet_release_forecast(struct fleet *fleet, const struct actor *actor,
                                         const char *product, const char *version,
                                         struct forecast *forecast, struct fleet_error *error);
enum fleet_status fleet_release_set_current(struct fleet *fleet, const struct actor *actor,
                                            const char *product, const char *version,
                                            struct fleet_error *error);
/** Withdraw; updates to it that nothing was downloaded for are cancelled. */
enum fleet_status fleet_release_withdraw(struct fleet *fleet, const struct actor *actor,
                                         const char *product, const char *version,
                                         struct fleet_error *error);
enum fleet_status fleet_release_list(struct fleet *fleet, const struct actor *actor,
                                     const struct fleet_query *query,
                                     void (*each)(void *ctx, const struct release *release),
                                     void *ctx, struct fleet_page *page, struct fleet_error *error);
enum fleet_status fleet_release_images(struct fleet *fleet, const struct actor *actor,
                                       const struct release *release,
                                       void (*each)(void *ctx, const struct image *image),
                                       void *ctx, struct fleet_error *error);
/** The file of a released image for those who may read it (IMAGE_READ): local upgrade, download. */
enum fleet_status fleet_image_open(struct fleet *fleet, const struct actor *actor,
                                   const struct image *image, int *fd, struct fleet_error *error);

/** The description of an image of a release, as fleet_upload_end() gave it: read from the file
 * anew. */
enum fleet_status fleet_image_describe(struct fleet *fleet, const struct actor *actor,
                                       const struct image *image, char *json, size_t room,
                                       struct fleet_error *error);

/* --- Files beside the firmware: OTAdrive's configuration (one, path "config"; one for each group, of
 * which the path is the name) and resources, each of the product or, with `group`, of a group --------
 */

/** Whether a text may be a name or a path: 1..100 characters without control characters, no blank at
 * either end. */
bool fleet_name_good(const char *text);
/** Put a file in the place of the one with this path of this group, if there is one. `group` NULL: of
 *  the product. */
enum fleet_status fleet_file_put(struct fleet *fleet, const struct actor *actor,
                                 const char *product, enum part part, const char *path,
                                 const char *group, const void *data, size_t size,
                                 struct image *image, struct fleet_error *error);
enum fleet_status fleet_file_remove(struct fleet *fleet, const struct actor *actor,
                                    const char *product, enum part part, const char *path,
                                    const char *group, struct fleet_error *error);
/** As they were first put; fleet_image_open() reads them. `group` NULL: all, the groups' too; else
 *  what a device of this group gets ("": of none): the group's, and of the product those whose path no
 *  file of the group has. */
enum fleet_status fleet_file_list(struct fleet *fleet, const struct actor *actor,
                                  const char *product, enum part part, const char *group,
                                  void (*each)(void *ctx, const struct image *image), void *ctx,
                                  struct fleet_error *error);

/* --- Devices: what protocols say ----------------------------------------------------------- */

/** What a device presented in one request. NULL, 0 and UPD_CHIP_NONE: not told. All texts are
 *  checked and cut here: hand them over as they came (NUL-terminated). */
/** What updraft's own agent says of itself: docs/formats/agent_report.md. */
enum report { REPORT_NONE, REPORT_TRIAL, REPORT_CONFIRMED, REPORT_FELL };

struct device_facts {
    enum protocol protocol;
    /* Who it is: one of these keys ... */
    const char *device_key;  /* 40 digits, Espressif */
    const char *product_key; /* in the path or query; with it serial, chip_id or mac */
    const char *product;     /* id or name in a path, for plain GETs */
    const char *serial;
    const char *chip_id;
    const char *mac;
    /* ... and how it is. */
    const char *version;
    const char *slot;
    const char *sketch_md5;
    const char *sdk;
    const char *address; /* of the peer */
    enum upd_chip chip;
    int64_t sketch_size;
    int64_t free_space;
    int64_t chip_size;
    int32_t map; /* -1: not told. Set it! */
    /* What it wants. */
    enum asked asked;
    const char *wanted_version; /* names a release itself: "v1.0.1t45772(a)", quirks included */
    const char *wanted_file;    /* "user1.bin", "user2.bin", or a released file's name */
    bool again;     /* a piece (Range) of a download that goes on: the choice stays as it was */
    bool only_asks; /* HEAD, or a mode that looks: no update is begun */
    bool counts_as_boot; /* says its version because it has just started */
    /* What updraft's agent says. */
    enum report report;
    const char *fall;   /* FELL: why, a word; NULL otherwise */
    const char *fallen; /* FELL: which version was given up; NULL: not told */
};

/**
 * Read the words of a report into the facts, from "trial", "confirmed" or "fell REASON [VERSION]".
 * Anything else is no report.
 *
 * @param text  changed, and kept by the facts; NULL: nothing was told
 */
void device_facts_report(struct device_facts *facts, char *text);

#define DEVICE_FACTS_INIT                                                                          \
    {                                                                                              \
        .map = -1                                                                                  \
    }

/** Who it turned out to be. */
enum recognised {
    RECOGNISED,
    RECOGNISED_NOBODY,   /* no key, or a wrong one */
    RECOGNISED_STRANGER, /* the product is right, the device is not registered, and strangers are
                            refused */
    RECOGNISED_NOT_ADMITTED, /* registered, and held or disabled */
    RECOGNISED_BLOCKED,
};

struct fleet_answer {
    enum recognised recognised;
    int reply;                  /* HTTP status for everything but RECOGNISED: as the product says */
    char product[ID_SIZE];      /* its id; empty when there is none */
    struct device device;       /* no is 0 when there is none */
    enum reason reason;         /* REASON_OFFER: the next three are set */
    int64_t release;            /* no of the release that was considered; 0 when there was none */
    char version[VERSION_SIZE]; /* of that release */
    struct image image;
    struct update update; /* no is 0 when there is none */
    bool reboot;          /* tell it to reboot now: downloaded, and whoever has to agree did */
};

/**
 * A device asks: recognise it, record what it said, decide. An offer makes the update (unless
 * only_asks), and moves one that the facts tell about. Nothing is written to disk when nothing but
 * last_seen changed.
 *
 * With wanted_version or wanted_file an offer is given for exactly that release and file when the
 * product has them and the device may fetch them: one that is current, ordered, or the device's
 * going update.
 *
 * @return FLEET_OK      *answer is filled, also for a refusal
 * @return FLEET_FULL    could not be recorded; *answer is filled when it still could be decided
 * @return FLEET_FAILED  the database cannot be read
 */
enum fleet_status fleet_check(struct fleet *fleet, const struct device_facts *facts,
                              struct fleet_answer *answer, struct fleet_error *error);

/**
 * The same where nothing may wait: a device that says nothing new is answered from what is read.
 *
 * @return true   *status is what fleet_check() returns
 * @return false  something has to be recorded: nothing was done, call fleet_check() where it may wait
 */
bool fleet_check_now(struct fleet *fleet, const struct device_facts *facts,
                     struct fleet_answer *answer, enum fleet_status *status,
                     struct fleet_error *error);

/**
 * The shortest way, to be gone first: is there nothing for this device, as when it was asked before?
 * True when it says what it said then, was recognised, was offered nothing, has no update going,
 * and no write since could make it otherwise. Never waits, and does not read the database. The
 * contact is noted.
 *
 * @return false  not known: call fleet_check_now() or fleet_check()
 */
bool fleet_check_quiet(struct fleet *fleet, const struct device_facts *facts);

/**
 * The image of an answer, for reading.
 *
 * @param fd  out: a file descriptor, size bytes, that the caller closes. NULL: only whether the answer
 *            has an image; the file is not looked at
 */
enum fleet_status fleet_answer_open(struct fleet *fleet, const struct fleet_answer *answer, int *fd,
                                    struct fleet_error *error);

/** A download of answer->image begins at `offset`; call for every GET that sends bytes. */
enum fleet_status fleet_download_begun(struct fleet *fleet, const struct fleet_answer *answer,
                                       int64_t offset, struct fleet_error *error);
/** So many bytes of it were sent, in all; telemetry, cheap. */
void fleet_download_progress(struct fleet *fleet, const struct fleet_answer *answer, int64_t sent);
/** The last byte was handed to the network. Inferred: the device has not said so. */
enum fleet_status fleet_download_finished(struct fleet *fleet, const struct fleet_answer *answer,
                                          struct fleet_error *error);

/* X(NAME): what devices say by themselves. */
#define SAYINGS(X)                                                                                 \
    X(ACKED)      /* heard the order and begins */                                                 \
    X(DOWNLOADED) /* device_upgrade_success; version: the new one as it parsed it */               \
    X(FAILED)     /* device_upgrade_failed, or a reason of its own in `text` */                    \
    X(REBOOTING)                                                                                   \
    X(RUNNING) /* version: what runs now (activate, identify, alive) */                            \
    X(HEALTHY) /* confirmed itself */                                                              \
    X(ROLLED_BACK)

enum saying {
#define X(name) SAYING_##name,
    SAYINGS(X)
#undef X
};

/** A device says something about its update. `version` and `text` may be NULL. Without an update
 *  that it could belong to, the fact is recorded alone. */
enum fleet_status fleet_device_said(struct fleet *fleet, const char *device_id, enum saying saying,
                                    const char *version, const char *text,
                                    struct fleet_error *error);

/** Espressif's activation: binds the device of a key to the user who made the activation token, and
 *  stores MAC and version. The token is used up once fleet_key_authorize() took it. */
enum fleet_status fleet_device_activate(struct fleet *fleet, const char *device_key,
                                        const char *token, const char *mac, const char *version,
                                        struct device *device, struct fleet_error *error);

/** The device link of a device opened or closed. */
enum fleet_status fleet_device_linked(struct fleet *fleet, const char *device_id, bool open,
                                      struct fleet_error *error);

/* --- Devices: what people do --------------------------------------------------------------- */

/** *device in: name, serial, mac, family, channel, variant, and device_key when it has one already.
 *  Out: as stored, with id, device_key and claim_code. */
enum fleet_status fleet_device_create(struct fleet *fleet, const struct actor *actor,
                                      const char *product, struct device *device,
                                      struct fleet_error *error);
enum fleet_status fleet_device_show(struct fleet *fleet, const struct actor *actor, const char *id,
                                    struct device *device, struct fleet_error *error);
/** Show it to one who may do `action` to it; else as fleet_device_show() refuses. */
enum fleet_status fleet_device_may(struct fleet *fleet, const struct actor *actor, const char *id,
                                   enum action action, struct device *device,
                                   struct fleet_error *error);
/** Change name, serial, family, channel, variant, standing of device->id; out: as stored. */
enum fleet_status fleet_device_edit(struct fleet *fleet, const struct actor *actor,
                                    struct device *device, struct fleet_error *error);
enum fleet_status fleet_device_delete(struct fleet *fleet, const struct actor *actor,
                                      const char *id, struct fleet_error *error);
enum fleet_status fleet_device_list(struct fleet *fleet, const struct actor *actor,
                                    const struct fleet_query *query,
                                    void (*each)(void *ctx, const struct device *device), void *ctx,
                                    struct fleet_page *page, struct fleet_error *error);
/** Devices that the actor owns. */
enum fleet_status fleet_my_devices(struct fleet *fleet, const struct actor *actor,
                                   void (*each)(void *ctx, const struct device *device), void *ctx,
                                   struct fleet_error *error);
/** Heard of lately, or linked. */
bool fleet_device_online(const struct fleet *fleet, const struct device *device);
/** When it is due by its habit; 0: it has none. */
int64_t fleet_device_due(const struct device *device);
/** Why no update, or which, for a person who asks. */
struct fleet_why {
    enum reason reason;
    char version[VERSION_SIZE]; /* of the release that was considered; empty when there was none */
    struct explanation words;
    uint8_t rules[REASON_COUNT]; /* enum rule_result by reason */
};
/** Decide as fleet_check() would for a device that asks for the app, and record nothing.
 *  @return FLEET_OK  *why is filled; else it is all zero, and *error says what is wrong */
enum fleet_status fleet_device_explain(struct fleet *fleet, const struct actor *actor,
                                       const char *id, struct fleet_why *why,
                                       struct fleet_error *error);
/** Order an update: `version` NULL is the current one. Makes the update; the caller then tells a
 *  linked device. */
enum fleet_status fleet_device_order(struct fleet *fleet, const struct actor *actor, const char *id,
                                     const char *version, bool downgrade, struct update *update,
                                     struct fleet_error *error);
/** Ask for a reboot; the update that waits for it goes on. */
enum fleet_status fleet_device_reboot(struct fleet *fleet, const struct actor *actor,
                                      const char *id, struct fleet_error *error);
enum fleet_status fleet_device_block(struct fleet *fleet, const struct actor *actor, const char *id,
                                     bool blocked, struct fleet_error *error);
/** Become the owner by claim code. */
enum fleet_status fleet_device_claim(struct fleet *fleet, const struct actor *actor,
                                     const char *code, struct device *device,
                                     struct fleet_error *error);

enum answer { ANSWER_NOW, ANSWER_TONIGHT, ANSWER_NO };
/** The owner answers for the going update: about the download, or the reboot when it is downloaded.
 *  "Tonight" is the next three o'clock of a clock that is so many minutes ahead of UTC. */
enum fleet_status fleet_device_answer(struct fleet *fleet, const struct actor *actor,
                                      const char *id, enum answer answer, int32_t east_minutes,
                                      struct fleet_error *error);

/* --- Updates ------------------------------------------------------------------------------- */

enum fleet_status fleet_update_show(struct fleet *fleet, const struct actor *actor, const char *id,
                                    struct update *update, struct fleet_error *error);
enum fleet_status fleet_update_steps(struct fleet *fleet, const struct actor *actor, const char *id,
                                     void (*each)(void *ctx, const struct step *step), void *ctx,
                                     struct fleet_error *error);
enum fleet_status fleet_update_list(struct fleet *fleet, const struct actor *actor,
                                    const struct fleet_query *query,
                                    void (*each)(void *ctx, const struct update *update), void *ctx,
                                    struct fleet_page *page, struct fleet_error *error);
enum fleet_status fleet_update_cancel(struct fleet *fleet, const struct actor *actor,
                                      const char *id, struct fleet_error *error);

/* --- Users, tokens, sessions --------------------------------------------------------------- */

enum { SECRET_SIZE = 68 };

enum fleet_status fleet_user_create(struct fleet *fleet, const struct actor *actor,
                                    const char *name, const char *password, bool administrator,
                                    struct user *user, struct fleet_error *error);
enum fleet_status fleet_user_show(struct fleet *fleet, const struct actor *actor, const char *id,
                                  struct user *user, struct fleet_error *error);
/** Change name, language, administrator, disabled of user->id; password NULL: stays. Users may
 *  change their own language and password. */
enum fleet_status fleet_user_edit(struct fleet *fleet, const struct actor *actor, struct user *user,
                                  const char *password, struct fleet_error *error);
enum fleet_status fleet_user_delete(struct fleet *fleet, const struct actor *actor, const char *id,
                                    struct fleet_error *error);
enum fleet_status fleet_user_list(struct fleet *fleet, const struct actor *actor,
                                  const struct fleet_query *query,
                                  void (*each)(void *ctx, const struct user *user), void *ctx,
                                  struct fleet_page *page, struct fleet_error *error);

/** Log in: slow on purpose (600,000 rounds of PBKDF2), call it on a worker. `secret` is the cookie;
 *  actor->csrf the header that changes need. Throttled by user and by address. */
enum fleet_status fleet_login(struct fleet *fleet, const char *name, const char *password,
                              const char *address, char secret[SECRET_SIZE], struct actor *actor,
                              struct fleet_error *error);
enum fleet_status fleet_logout(struct fleet *fleet, const struct actor *actor,
                               struct fleet_error *error);
/** Who shows this secret? Session cookies only as TOKEN_SESSION, all others only as not: what a
 *  browser sends by itself opens nothing else. */
enum fleet_status fleet_authenticate(struct fleet *fleet, const char *secret, bool session,
                                     struct actor *actor, struct fleet_error *error);
/** A token of the actor's own. `device`: id, for owner keys; `lifetime` in milliseconds, 0: no end.
 */
enum fleet_status fleet_token_create(struct fleet *fleet, const struct actor *actor,
                                     enum token_kind kind, const char *name, const char *device,
                                     int64_t lifetime, char secret[SECRET_SIZE],
                                     struct token *token, struct fleet_error *error);
enum fleet_status fleet_token_list(struct fleet *fleet, const struct actor *actor,
                                   void (*each)(void *ctx, const struct token *token), void *ctx,
                                   struct fleet_error *error);
enum fleet_status fleet_token_delete(struct fleet *fleet, const struct actor *actor, const char *id,
                                     struct fleet_error *error);
/** Espressif's /v1/key/authorize/: an activation token that a device came with becomes the owner
 * key of that device. */
enum fleet_status fleet_key_authorize(struct fleet *fleet, const struct actor *actor,
                                      const char *activation, char key[SECRET_SIZE],
                                      struct device *device, struct fleet_error *error);
/** True until somebody can log in with a password. fleet_setup_token() makes the first
 * administrator, who has no password yet, and a token of his, which also allows fleet_setup() once:
 * to give him a name and a password. Called again before that, another token takes the first one's
 * place. */
bool fleet_needs_setup(struct fleet *fleet);
enum fleet_status fleet_setup_token(struct fleet *fleet, char secret[SECRET_SIZE],
                                    struct fleet_error *error);
enum fleet_status fleet_setup(struct fleet *fleet, const char *secret, const char *name,
                              const char *password, struct user *user, struct fleet_error *error);

/* --- Audit, events, counts ----------------------------------------------------------------- */

struct fleet_chain {
    int64_t checked;
    int64_t broken_at; /* line whose hash does not follow; 0: none */
};
enum fleet_status fleet_audit_list(struct fleet *fleet, const struct actor *actor,
                                   const struct fleet_query *query,
                                   void (*each)(void *ctx, const struct audit *line), void *ctx,
                                   struct fleet_page *page, struct fleet_error *error);
enum fleet_status fleet_audit_check(struct fleet *fleet, const struct actor *actor,
                                    struct fleet_chain *chain, struct fleet_error *error);

/** Events after `seq` that the actor may see, oldest first, at most `limit`; *newest is the number
 *  to go on from. `seq` below 0: none, only where they end now. FLEET_CONFLICT ("gone"): `seq` is no longer kept: start again from a full state.
 */
enum fleet_status fleet_events(struct fleet *fleet, const struct actor *actor, int64_t seq,
                               int64_t limit, void (*each)(void *ctx, const struct event *event),
                               void *ctx, int64_t *newest, struct fleet_error *error);

struct fleet_overview {
    int64_t devices, online, products;
    int64_t updates[UPDATE_ROLLED_BACK + 1]; /* by state */
    int64_t waiting;                         /* for consent */
    int64_t silent;                          /* not heard of for a day, or twice their habit */
    int64_t fresh;                           /* devices that wait to be admitted */
};
enum fleet_status fleet_overview(struct fleet *fleet, const struct actor *actor,
                                 const char *product, struct fleet_overview *overview,
                                 struct fleet_error *error);
/** How many devices run which version. */
enum fleet_status fleet_versions(struct fleet *fleet, const struct actor *actor,
                                 const char *product,
                                 void (*each)(void *ctx, const char *version, int64_t devices),
                                 void *ctx, struct fleet_error *error);

#endif
