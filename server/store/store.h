/*
 * updraftd: the store. No SQL in this header: sqlite.c is one implementation of it.
 *
 * Records are the structs of fleet/model.h; fields in queries are the names of their members.
 *
 * Writes go through one writer thread that groups them: store_write() hands over a function, which
 * the writer runs with others in one transaction, each within a savepoint of its own, so that the
 * failure of one does not touch the others. When store_write() returns STORE_OK the change is on
 * disk. Readers see a snapshot and never wait for the writer.
 *
 * Telemetry (last seen, address, bytes sent) is written behind: a second later, or when tens of
 * thousands of devices are heard in that second, as late as keeps the writer free for the rest.
 *
 * Safe from any thread, store_open() and store_close() aside.
 */
#ifndef UPDRAFT_SERVER_STORE_H
#define UPDRAFT_SERVER_STORE_H

#include <pthread.h>

#include "fleet/model.h"

/* X(NAME, "sentence") */
#define STORE_RESULTS(X)                                                                           \
    X(OK, "ok")                                                                                    \
    X(NONE, "no such record")                                                                      \
    X(CLASH, "another record has this value already")                                              \
    X(FULL, "the disk is full")                                                                    \
    X(FAILED, "the database cannot be read or written")                                            \
    X(NEWER, "the database was made by a newer version of updraftd")                               \
    X(UNDONE, "the operation withdrew its changes")

enum store_result {
#define X(name, text) STORE_##name,
    STORE_RESULTS(X)
#undef X
};
const char *store_result_text(enum store_result result);

/* X(NAME, struct): the kinds of record. */
#define STORE_KINDS(X)                                                                             \
    X(PRODUCT, product)                                                                            \
    X(RELEASE, release)                                                                            \
    X(IMAGE, image)                                                                                \
    X(DEVICE, device)                                                                              \
    X(UPDATE, update)                                                                              \
    X(STEP, step)                                                                                  \
    X(USER, user)                                                                                  \
    X(MEMBER, member)                                                                              \
    X(TOKEN, token)                                                                                \
    X(AUDIT, audit)                                                                                \
    X(EVENT, event)                                                                                \
    X(SETTING, setting)

enum store_kind {
#define X(name, type) STORE_##name,
    STORE_KINDS(X)
#undef X
        STORE_KIND_COUNT
};

struct store;
/** A way to look at the records: a snapshot for reading, or the transaction of a write. */
struct store_view;

struct store_options {
    uint32_t group_max; /* writes in one transaction at most; 0: 256 */
};

/**
 * Open or make the database `path`, bring it to this version's form, start the writer.
 * @return STORE_OK, *store is to be closed; else *store is NULL and `why` (SENTENCE_SIZE) says why
 */
enum store_result store_open(const char *path, const struct store_options *options,
                             struct store **store, char *why);
/** Write what is pending, stop the writer, free. NULL: nothing. */
void store_close(struct store *store);

/** What a write does; any result but STORE_OK takes its changes back and is what the caller gets.
 *  Runs on the writer's thread: no waiting in it. */
typedef enum store_result store_work(struct store_view *view, void *ctx);

/** Do it and wait until it is on disk. */
enum store_result store_write(struct store *store, store_work *work, void *ctx);

/** Begin to read: a view of one moment, that of its first query; without one it costs nearly nothing.
 *  NULL when the database cannot be read. Always end it, soon: a view held open keeps the log from
 *  being reused. */
struct store_view *store_read(struct store *store);
void store_end(struct store_view *view);

/** A mutex for sections of a few instructions, which threads that serve devices meet at: whoever
 *  comes second waits a moment before he sleeps. */
void store_mutex_init(pthread_mutex_t *mutex);

/* --- Records ------------------------------------------------------------------------------- */

enum store_op {
    STORE_EQ,
    STORE_NE,
    STORE_LT,
    STORE_GT,
    STORE_LE,
    STORE_GE,
    STORE_LIKE,
    STORE_BEGINS,      /* begins with `text`, 1 or 2 characters, letter case ignored */
    STORE_OF_PRODUCTS, /* of any product: then an index that begins with the product serves */
    STORE_MEMBER_OF,   /* of products in which user `number` has a role */
    STORE_SEEN_BY,     /* devices of products in which user `number` has a role, and his own */
    STORE_OWN_ELSE, /* his own, without those of products in which he has a role; updates: of his own */
    STORE_GOING_IN, /* devices whose going update is in state `number` */
};

/** A condition. `text` NULL: `number` counts. LIKE: holds `text` anywhere, letter case ignored.
 *  `field` may name alternatives, "name|serial|mac": then one of them has to satisfy it.
 *  LIKE over STORE_DEVICE_TEXTS is quick from three characters on, in a fleet of any size. */
#define STORE_DEVICE_TEXTS "name|serial|chip_id|mac"
struct store_where {
    const char *field;
    enum store_op op;
    int64_t number;
    const char *text;
};

struct store_query {
    const struct store_where *where;
    size_t count;
    const char *order; /* a field; NULL: no */
    bool descending;
    int64_t limit;     /* 0: no limit */
    int64_t offset;    /* records to skip */
    int64_t count_max; /* store_count() counts no further; 0: to the end */
    /* How to find them, since nobody else knows how frequent what is: the condition, from 1, that
     * finds few: fetch those, look at the rest, and sort. 0: as the store sees fit. An equal
     * `product` is always looked up by an index. */
    size_t by;
    const struct store_set *within; /* only records whose number, */
    const char *within_field;       /* or whose field if one is named, is in here; NULL: all */
};

/** Numbers of records, a bit each: what a condition finds, where it finds many, in 60 ns a record. */
struct store_set *store_set_new(void);      /* empty; NULL without memory */
void store_set_free(struct store_set *set); /* NULL: nothing */
/** From here on it has all numbers that it had not. */
void store_set_invert(struct store_set *set);
bool store_set_inverted(const struct store_set *set);
/** How many numbers it has; of an inverted one, how many it has not. */
int64_t store_set_bits(const struct store_set *set);
/** Keep those that are in the other one too, which may become wider. false: no memory. */
bool store_set_keep(struct store_set *set, struct store_set *other);

/** Shorthands: STORE_NUMBER("product", 3) and STORE_TEXT("id", text), conditions of equality. */
#define STORE_NUMBER(name, value) ((struct store_where){(name), STORE_EQ, (value), NULL})
#define STORE_TEXT(name, value) ((struct store_where){(name), STORE_EQ, 0, (value)})

/** The first record of a query. STORE_NONE leaves *record unchanged. */
enum store_result store_get(struct store_view *view, enum store_kind kind,
                            const struct store_query *query, void *record);
/** The record of a number, or the one whose one field has a text. */
enum store_result store_get_no(struct store_view *view, enum store_kind kind, int64_t no,
                               void *record);
enum store_result store_get_text(struct store_view *view, enum store_kind kind, const char *field,
                                 const char *text, void *record);
/** Each record of a query in turn, until the function answers false. `record` is only valid during
 *  the call; the function may read through the same view. */
enum store_result store_each(struct store_view *view, enum store_kind kind,
                             const struct store_query *query,
                             bool (*each)(void *ctx, const void *record), void *ctx);
/** Whether few records hold a text anywhere, as far as the trigrams of STORE_DEVICE_TEXTS can tell:
 *  then a query with STORE_LIKE fetches those, and needs no `by`. */
bool store_text_few(struct store_view *view, enum store_kind kind, const char *text);
/** Add the numbers of what a query finds. Only conditions that one index holds beside the product
 *  are quick: among 700,000 devices 40 ms, else ten times that. */
enum store_result store_gather(struct store_view *view, enum store_kind kind,
                               const struct store_query *query, struct store_set *set);
/** Where the records of several queries stand in their common order: the numbers of `limit` of them
 *  from `offset` on. The queries have the same order, and no record is found by two of them; their own
 *  offset does not count, and their limit is how many they find, when that is known. *count says how
 *  many numbers were put down. */
enum store_result store_merge(struct store_view *view, enum store_kind kind,
                              const struct store_query *queries, size_t query_count, int64_t offset,
                              int64_t limit, int64_t *found, size_t *count);
enum store_result store_count(struct store_view *view, enum store_kind kind,
                              const struct store_query *query, int64_t *count);
/** How many records have each value of a field: (value as text, count), in order of the value. */
enum store_result store_tally(struct store_view *view, enum store_kind kind, const char *field,
                              const struct store_query *query,
                              void (*each)(void *ctx, const char *value, int64_t count), void *ctx);

/** The same of a product's updates by "state", or devices by "version" or "standing", which are kept
 *  as counts: as quick for a million. */
enum store_result store_kept(struct store_view *view, enum store_kind kind, const char *field,
                             int64_t product,
                             void (*each)(void *ctx, const char *value, int64_t count), void *ctx);

/* Only within store_write(). insert sets record's `no` when it was 0. */
enum store_result store_insert(struct store_view *view, enum store_kind kind, void *record);
enum store_result store_update(struct store_view *view, enum store_kind kind, const void *record);
/** Removes what the query finds; `limit`, `offset` and `order` do not count. *removed may be NULL.
 */
enum store_result store_remove(struct store_view *view, enum store_kind kind,
                               const struct store_query *query, int64_t *removed);

/* --- Change feed --------------------------------------------------------------------------- */

/** Called on the writer's thread after each commit that has events, with the newest number. Must
 *  not block and not call the store; wake somebody who does. */
typedef void store_listener(void *ctx, int64_t newest);
bool store_listen(struct store *store, store_listener *listener, void *ctx);
void store_unlisten(struct store *store, store_listener *listener, void *ctx);

/* --- Remembering what was read -------------------------------------------------------------- */

/** A moment, for store_unchanged(): take it before store_read(). */
uint64_t store_moment(struct store *store);

/**
 * Whether what was read after a moment still holds. A change is known here before the store_write()
 * that made it returns. Answers false more often than needed, true never wrongly.
 *
 * What it covers: the device `no`, and that no other device has been given a serial, chip id, MAC
 * address or device key of these. Not what store_note() changes.
 *
 * @param names  `count` texts as they are stored; empty ones are none
 */
bool store_unchanged(struct store *store, uint64_t moment, int64_t no, const char *const *names,
                     size_t count);

/* --- Telemetry, written behind -------------------------------------------------------------- */

struct telemetry {
    int64_t device;
    int64_t last_seen;
    int64_t poll_every;         /* 0: unchanged */
    int64_t polls;              /* 0: unchanged */
    char address[ADDRESS_SIZE]; /* empty: unchanged */
    int64_t update;             /* 0: none */
    int64_t bytes;
};

/** Note it; later notes of the same device replace earlier ones. Never fails: what cannot be
 *  written is lost, and said so in store_stats. */
void store_note(struct store *store, const struct telemetry *telemetry);
/** What was noted and is not written yet; false when nothing. */
bool store_noted(struct store *store, int64_t device, struct telemetry *telemetry);
/** Write now what was noted. */
enum store_result store_flush(struct store *store);

struct store_stats {
    int64_t writes;       /* functions that were run */
    int64_t transactions; /* commits that they took */
    int64_t notes_lost;
};
void store_stats(struct store *store, struct store_stats *stats);

/** Copy the database, as of one moment, to a new file that can be opened by store_open(). */
enum store_result store_backup(struct store *store, const char *path);

#endif
