/*
 * updraftd: how the structs of fleet/model.h lie in tables; for the implementations of store.h
 * only.
 */
#ifndef UPDRAFT_SERVER_SCHEMA_H
#define UPDRAFT_SERVER_SCHEMA_H

#include "store.h"

enum field_type { FIELD_NUMBER, FIELD_TEXT };

struct schema_field {
    const char *name; /* of the member, and of the column */
    enum field_type type;
    uint32_t offset; /* into the struct */
    uint32_t size;   /* bytes of the member: numbers take 1, 4 or 8 */
};

struct schema_kind {
    const char *table;
    size_t size;                       /* of the struct */
    const struct schema_field *fields; /* the first one is `no` */
    size_t count;
    const char *texts;      /* fields that are looked through together, as store_where has them */
    const char *text_index; /* table that holds their trigrams; NULL: there is none */
};

const struct schema_kind *schema_kind(enum store_kind kind);
/** The field of a name, `size` bytes of it; NULL. */
const struct schema_field *schema_field(enum store_kind kind, const char *name, size_t size);

/** The steps that make a database, or bring it on: step i takes it from version i to i + 1. Steps
 *  are only ever added. NULL ends. */
extern const char *const schema_steps[];

#endif
