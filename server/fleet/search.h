/*
 * updraftd: pages of devices and of updates, as filters and orders want them, in a fleet of any size.
 *
 * Exact, but for texts: of what holds a text anywhere SEARCH_FOUND_MAX are counted, and `more` says
 * that there are more. Cost: at most some 60 ns for each device (update) of the products that are
 * looked through and each condition, and as much for the order.
 */
#ifndef UPDRAFT_SERVER_SEARCH_H
#define UPDRAFT_SERVER_SEARCH_H

#include "fleet/fleet.h"
#include "store/store.h"

enum {
    SEARCH_CONDITIONS = 8, /* of a list, and who sees what */
    SEARCH_FOUND_MAX = 2000,
};

struct scope;

struct search {
    struct fleet *fleet;
    struct store_view *view;
    const struct actor *actor;
    enum store_kind kind; /* STORE_DEVICE or STORE_UPDATE */
    /* The conditions, from the second place on; the first is left for who sees what. */
    const struct store_where *where;
    struct store_query list; /* count (with that place), order, descending, limit, offset */
    struct store_where only; /* of one product, or one device; no field: of all that he sees */
    bool plain;              /* an index without a product serves it */
    int64_t total;           /* out */
    bool more;               /* out: there are more than total */
    struct scope *scopes;    /* from here on inside */
    size_t count, room;
    bool too_many; /* products */
};

/**
 * Find a page, and take its records one by one, in order: at most list.limit of them. Whether the
 * actor may see them is decided by `only`, or by who is a member of what and owns what; who takes one
 * still asks fleet_allowed() about it.
 *
 * @param take  reads and gives the record of this number; what it answers but STORE_OK ends the page
 * @param page  what is said of the whole list
 */
enum store_result fleet_search(struct search *search,
                               enum store_result (*take)(const struct search *search,
                                                         int64_t number, void *ctx),
                               void *ctx, struct fleet_page *page);

#endif
