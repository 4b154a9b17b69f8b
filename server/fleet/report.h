/*
 * updraftd: what pages show about many objects at once: counts, names, what ran when.
 *
 * Reading only, but for the samples of what runs, which report_sample() takes. Whoever asks was
 * already found to be allowed to see the product that it is about: these functions do not check it
 * again.
 */
#ifndef UPDRAFT_SERVER_REPORT_H
#define UPDRAFT_SERVER_REPORT_H

#include "fleet/fleet.h"

/** Who and what an update is about, as pages name it. */
struct report_names {
    char device_id[ID_SIZE];
    char device[NAME_SIZE];
    char product_id[ID_SIZE];
    char product[NAME_SIZE];
};

/** A view for several questions in a row; NULL when the database cannot be read. */
struct store_view *report_begin(struct fleet *fleet);
void report_end(struct store_view *view);

/** Names of an update's device and product; empty for what is gone. */
void report_update(struct store_view *view, const struct update *update,
                   struct report_names *names);
/** A product by its number; false when it is gone. */
bool report_product(struct store_view *view, int64_t no, struct product *product);

/** A user by his number; false when he is gone. */
bool report_user(struct store_view *view, int64_t no, struct user *user);

struct report_failure {
    char code[WORD_SIZE];
    char text[SENTENCE_SIZE];
    int64_t count;
};
enum { REPORT_FAILURES = 10 };

struct report_updates {
    int64_t states[UPDATE_ROLLED_BACK + 1];
    struct report_failure failures[REPORT_FAILURES]; /* the most frequent first */
    size_t failure_count;
    int64_t devices; /* that run the release */
};

/** Updates of a product (release 0: to all of its releases) since a time, by state and by cause of
 * failure. */
void report_updates(struct store_view *view, int64_t product, const struct release *release,
                    int64_t since, struct report_updates *report);

/** How many updates to a release came to run since a time. */
int64_t report_arrived(struct store_view *view, const struct release *release, int64_t since);

/** How many devices ran a version at a time. */
struct report_sample {
    int64_t time;
    int64_t product;
    char version[VERSION_SIZE];
    int64_t devices;
};

/** Note what runs now, if the last note is older than an hour; notes are kept for 90 days. */
enum fleet_status report_sample(struct fleet *fleet, struct fleet_error *error);
/** The notes of a product since a time, oldest first. */
void report_history(struct store_view *view, int64_t product, int64_t since,
                    void (*each)(void *ctx, const struct report_sample *sample), void *ctx);

#endif
