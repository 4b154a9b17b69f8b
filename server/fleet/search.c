/*
 * A list is one query for each product of which the actor sees what is listed: each has its order and
 * its conditions from indexes that begin with the product, and store_merge() puts them together. How
 * frequent a condition is decides how its query looks for it; counting up to `few` costs little.
 * What a rare one finds is fetched, and the rest looked at. Of conditions that are all frequent the
 * sets are gathered, each from an index alone, and the order is gone through in its own index: no
 * record is looked at, so that it does not matter how the conditions and the order lie to each
 * other. Very many products are asked by one query.
 */
#include "search.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

enum {
    LESS = 10, /* times `few`: of what a condition does not find, to gather that instead */
};

struct scope {
    struct store_where where[SEARCH_CONDITIONS];
    struct store_query query;
    struct store_set *set; /* what its conditions find, when each is frequent; NULL */
    bool empty;
};

static void add_scope(struct search *search, const struct store_where *seen)
{
    if (search->count == search->room) {
        search->too_many = true;
        return;
    }
    struct scope *scope = &search->scopes[search->count++];
    memcpy(scope->where, search->where, sizeof scope->where);
    scope->query = search->list;
    scope->query.offset = 0;
    scope->query.limit = 0;
    if (seen != NULL) {
        scope->where[0] = *seen;
        scope->query.where = scope->where;
    } else {
        scope->query.where = scope->where + 1;
        scope->query.count--;
    }
}

static bool scope_of_product(void *ctx, const void *record)
{
    const struct store_where seen = STORE_NUMBER("product", ((const struct product *)record)->no);
    add_scope(ctx, &seen);
    return true;
}

static bool scope_of_member(void *ctx, const void *record)
{
    const struct member *member = record;
    const struct store_where seen = STORE_NUMBER("product", member->product);
    if (member->role > ROLE_NONE) {
        add_scope(ctx, &seen);
    }
    return true;
}

/** What access.c lets him see. */
static enum store_result find_scopes(struct search *search)
{
    const struct actor *actor = search->actor;
    const struct store_where mine = STORE_NUMBER("user", actor->user);
    const struct store_query members = {.where = &mine, .count = 1};
    const struct store_where own = {"owner", STORE_OWN_ELSE, actor->user, NULL};
    const struct store_where seen = {"product", STORE_SEEN_BY, actor->user, NULL};
    const struct store_where itself =
        STORE_NUMBER(search->kind == STORE_DEVICE ? "no" : "device", actor->device);
    bool all = actor->kind == ACTOR_SYSTEM || actor->administrator;
    const struct store_where many = {"product", all ? STORE_OF_PRODUCTS : STORE_MEMBER_OF,
                                     actor->user, NULL};
    enum store_result result = STORE_OK;
    if (search->only.field != NULL) {
        add_scope(search, &search->only);
        return STORE_OK;
    }
    if (actor->kind != ACTOR_USER && actor->kind != ACTOR_SYSTEM) {
        return STORE_OK;
    }
    if (actor->device != 0) {
        add_scope(search, &itself);
        return STORE_OK;
    }
    if (search->plain) {
        add_scope(search, all ? NULL : &seen);
        return STORE_OK;
    }
    if (all) {
        result = store_each(search->view, STORE_PRODUCT, NULL, scope_of_product, search);
    } else {
        result = store_each(search->view, STORE_MEMBER, &members, scope_of_member, search);
    }
    if (search->too_many) {
        search->count = 0;
        add_scope(search, &many);
    }
    search->room++; /* kept for this one */
    if (!all) {
        add_scope(search, &own);
    }
    return result;
}

/** Whether a query's first condition says of which products; then an index has it. */
static bool is_of_products(const struct store_query *query)
{
    const struct store_where *first = query->where;
    return query->count != 0 && strcmp(first->field, "product") == 0 && first->op != STORE_SEEN_BY;
}

/** Of more of them than are asked one by one: then no index has their order too. */
static bool is_of_many(const struct store_query *query)
{
    return is_of_products(query) && query->where[0].op != STORE_EQ;
}

/** The condition that finds the fewest, when those are few; *frequent counts those that an index
 *  has. Of texts no index tells quickly how many they find. */
static enum store_result find_rare(struct search *search, struct store_query *query,
                                   size_t *frequent)
{
    int64_t few = search->fleet->lists.few, fewest = few, count = 0;
    bool scoped = is_of_products(query);
    *frequent = 0;
    for (size_t i = scoped; i < query->count; i++) {
        const struct store_where *where = &query->where[i];
        if (where->op == STORE_LIKE) {
            continue;
        }
        (*frequent)++;
        if (where->op == STORE_BEGINS) {
            continue;
        }
        struct store_where both[] = {*where, query->where[0]};
        struct store_query alone = {.where = both, .count = 1 + scoped, .count_max = few, .by = 1};
        enum store_result result = store_count(search->view, search->kind, &alone, &count);
        if (result != STORE_OK) {
            return result;
        }
        if (count < fewest) {
            fewest = count;
            query->by = i + 1;
        }
    }
    return STORE_OK;
}

/** Devices whose going update is in a state: those whose update is among the updates in it. */
static enum store_result gather_going(struct search *search,
                                      const struct store_where products_and_state[2],
                                      struct store_set *set)
{
    const struct store_where in = STORE_NUMBER("state", products_and_state[1].number);
    const struct store_query all = {.where = &in, .count = 1};
    const struct store_where going[] = {products_and_state[0], {"update", STORE_GT, 0, NULL}};
    struct store_set *updates = store_set_new();
    enum store_result result =
        updates == NULL ? STORE_FAILED : store_gather(search->view, STORE_UPDATE, &all, updates);
    if (result == STORE_OK) {
        const struct store_query devices = {
            .where = going, .count = 2, .within = updates, .within_field = "update"};
        result = store_gather(search->view, STORE_DEVICE, &devices, set);
    }
    store_set_free(updates);
    return result;
}

enum { OTHERWISE = 3 };

/** The conditions of which one is true where this one is not; 0: they are not as simply found. */
static size_t otherwise(const struct store_where *where, struct store_where others[OTHERWISE])
{
    for (size_t i = 0; i < OTHERWISE; i++) {
        others[i] = *where;
    }
    switch (where->op) {
    case STORE_LT:
        others[0].op = STORE_GE;
        return 1;
    case STORE_GE:
        others[0].op = STORE_LT;
        return 1;
    case STORE_GT:
        others[0].op = STORE_LE;
        return 1;
    case STORE_EQ:
        if (strcmp(where->field, "linked") == 0) {
            others[0].number = where->number == 0;
            return 1;
        }
        others[0].op = STORE_LT;
        others[1].op = STORE_GT;
        others[2] = STORE_TEXT(where->field, ""); /* which is less and more than nothing */
        return where->text == NULL ? 2 : where->text[0] == '\0' ? 0 : 3;
    default:
        return 0;
    }
}

/** Into a set what is in a scope's products and satisfies one of some conditions. */
static enum store_result gather_any(struct search *search, const struct scope *scope,
                                    const struct store_where *any, size_t count,
                                    struct store_set *set)
{
    enum store_result result = STORE_OK;
    for (size_t i = 0; i < count && result == STORE_OK; i++) {
        const struct store_where both[] = {scope->where[0], any[i]};
        const struct store_query query = {.where = both, .count = 2};
        result = any[i].op == STORE_GOING_IN
                     ? gather_going(search, both, set)
                     : store_gather(search->view, search->kind, &query, set);
    }
    return result;
}

/** Whether conditions find few enough to be gathered rather than all that they do not find. */
static enum store_result is_less(struct search *search, const struct scope *scope,
                                 const struct store_where *any, size_t count, bool *less)
{
    int64_t left = LESS * search->fleet->lists.few;
    enum store_result result = STORE_OK;
    for (size_t i = 0; i < count && result == STORE_OK && left > 0; i++) {
        const struct store_where both[] = {scope->where[0], any[i]};
        const struct store_query query = {.where = both, .count = 2, .count_max = left};
        int64_t found = 0;
        result = store_count(search->view, search->kind, &query, &found);
        left -= found;
    }
    *less = count != 0 && left > 0;
    return result;
}

/** What a condition of a scope finds in its products: these numbers, or all but those. */
static enum store_result gather_condition(struct search *search, const struct scope *scope,
                                          const struct store_where *where, struct store_set *set)
{
    struct store_where others[OTHERWISE];
    size_t count = otherwise(where, others);
    bool less = false;
    enum store_result result = is_less(search, scope, others, count, &less);
    if (result != STORE_OK || !less) {
        return result != STORE_OK ? result : gather_any(search, scope, where, 1, set);
    }
    result = gather_any(search, scope, others, count, set);
    store_set_invert(set);
    return result;
}

/** Let the scope's set keep what is in another one, which is given away. */
static enum store_result keep_set(struct scope *scope, struct store_set *set,
                                  enum store_result result)
{
    if (scope->set == NULL) {
        scope->set = set;
        return result;
    }
    if (result == STORE_OK && !store_set_keep(scope->set, set)) {
        result = STORE_FAILED;
    }
    store_set_free(set);
    return result;
}

/** Into the scope's set what its conditions find, those that no index has aside. */
static enum store_result gather_scope(struct search *search, struct scope *scope)
{
    enum store_result result = STORE_OK;
    for (size_t i = 1; i < scope->query.count && result == STORE_OK; i++) {
        if (scope->where[i].op != STORE_LIKE) {
            struct store_set *set = store_set_new();
            result =
                set == NULL ? STORE_FAILED : gather_condition(search, scope, &scope->where[i], set);
            result = keep_set(scope, set, result);
        }
    }
    /* All but some are all but some of the products that he sees. */
    if (result == STORE_OK && scope->where[0].op == STORE_MEMBER_OF &&
        (scope->set == NULL || store_set_inverted(scope->set))) {
        const struct store_query products = {.where = scope->where, .count = 1};
        struct store_set *set = store_set_new();
        result =
            set == NULL ? STORE_FAILED : store_gather(search->view, search->kind, &products, set);
        result = keep_set(scope, set, result);
    }
    return result;
}

/** Leave of a query what its set does not hold: texts, and the product, whose index has the order. */
static void keep_rest(struct scope *scope)
{
    size_t kept = is_of_many(&scope->query) ? 0 : 1;
    for (size_t i = 1; i < scope->query.count; i++) {
        if (scope->where[i].op == STORE_LIKE) {
            scope->where[kept++] = scope->where[i];
        }
    }
    scope->query.count = kept;
    scope->query.within = scope->set;
}

static bool has_text(const struct store_query *query)
{
    return query->count != 0 && query->where[query->count - 1].op == STORE_LIKE;
}

/** How many devices of a scope its set has. */
static enum store_result count_set(struct search *search, const struct scope *scope, int64_t *count)
{
    const struct store_query products = {.where = scope->where, .count = 1};
    enum store_result result = STORE_OK;
    int64_t bits = store_set_bits(scope->set);
    *count = bits;
    if (store_set_inverted(scope->set)) {
        result = store_count(search->view, search->kind, &products, count);
        *count -= bits;
    }
    return result;
}

/** Choose how to look, and count. */
static enum store_result weigh(struct search *search, struct scope *scope)
{
    struct store_query *query = &scope->query;
    const struct store_where *first = query->where;
    size_t frequent = 0;
    int64_t count = 0;
    enum store_result result = STORE_OK;
    if (query->count != 0 && (first->op == STORE_OWN_ELSE ||
                              (first->op == STORE_EQ && strcmp(first->field, "product") != 0))) {
        /* Of what somebody owns, and of one device, there is no more than can be looked at. */
        query->by = 1;
    } else if (!search->plain) {
        result = find_rare(search, query, &frequent);
    }
    if (result == STORE_OK && query->by == 0 && is_of_products(query) &&
        (frequent != 0 || is_of_many(query))) {
        result = gather_scope(search, scope);
        keep_rest(scope);
    }
    bool held = scope->set != NULL && query->count <= 1 && !has_text(query);
    if (result == STORE_OK && held) {
        result = count_set(search, scope, &count);
    } else if (result == STORE_OK) {
        result = store_count(search->view, search->kind, query, &count);
    }
    search->total += count;
    if (query->count_max != 0 && count >= query->count_max && !held) {
        search->more = true;
    } else {
        query->limit = count;
        scope->empty = count == 0;
    }
    return result;
}

/** The numbers of a page; from the end of the list, when that is nearer. */
static enum store_result find_page(struct search *search, int64_t *numbers, size_t *count)
{
    int64_t offset = search->list.offset, limit = search->list.limit, total = search->total;
    struct store_query *queries = calloc(search->count + 1, sizeof *queries);
    size_t used = 0;
    if (queries == NULL) {
        return STORE_FAILED;
    }
    bool backwards = !search->more && offset > total / 2;
    limit = !search->more && total - offset < limit ? total - offset : limit;
    offset = backwards ? total - offset - limit : offset;
    for (size_t i = 0; i < search->count; i++) {
        struct store_query *query = &queries[used];
        *query = search->scopes[i].query;
        query->descending = query->descending != backwards;
        used += !search->scopes[i].empty;
    }
    enum store_result result =
        store_merge(search->view, search->kind, queries, used, offset, limit, numbers, count);
    for (size_t i = 0; backwards && i < *count / 2; i++) {
        int64_t number = numbers[i];
        numbers[i] = numbers[*count - 1 - i];
        numbers[*count - 1 - i] = number;
    }
    free(queries);
    return result;
}

static enum store_result find(struct search *search, int64_t *numbers, size_t *count)
{
    enum store_result result = STORE_OK;
    *count = 0;
    search->count = 0;
    search->room = search->fleet->lists.products;
    search->scopes = calloc(search->room + 1, sizeof *search->scopes);
    if (search->scopes == NULL) {
        return STORE_FAILED;
    }
    for (size_t i = 1; i < search->list.count; i++) {
        search->list.count_max =
            search->where[i].op == STORE_LIKE ? SEARCH_FOUND_MAX : search->list.count_max;
    }
    result = find_scopes(search);
    for (size_t i = 0; result == STORE_OK && i < search->count; i++) {
        result = weigh(search, &search->scopes[i]);
    }
    if (search->more && search->total > SEARCH_FOUND_MAX) {
        search->total = SEARCH_FOUND_MAX;
    }
    if (result == STORE_OK && (search->more || search->total > search->list.offset)) {
        result = find_page(search, numbers, count);
    }
    for (size_t i = 0; i < search->count; i++) {
        store_set_free(search->scopes[i].set);
    }
    free(search->scopes);
    search->scopes = NULL;
    return result;
}

static void describe_page(const struct search *search, size_t count, struct fleet_page *page)
{
    fleet_page_end(&search->list, search->total, page);
    page->more = search->more;
    if (search->more && page->next[0] == '\0' && count == (size_t)search->list.limit) {
        snprintf(page->next, sizeof page->next, "%lld",
                 (long long)search->list.offset + search->list.limit);
    }
}

enum store_result fleet_search(struct search *search,
                               enum store_result (*take)(const struct search *search,
                                                         int64_t number, void *ctx),
                               void *ctx, struct fleet_page *page)
{
    size_t count = 0;
    int64_t *numbers = calloc((size_t)search->list.limit, sizeof *numbers);
    enum store_result result = numbers == NULL ? STORE_FAILED : find(search, numbers, &count);

    for (size_t i = 0; result == STORE_OK && i < count; i++) {
        result = take(search, numbers[i], ctx);
    }
    free(numbers);
    describe_page(search, count, page);
    return result;
}
