/* What partition_rules.c and partition_csv.c share. Private to core/src/. */
#ifndef UPDRAFT_PARTITION_RULES_H
#define UPDRAFT_PARTITION_RULES_H

#include <updraft/partition_csv.h>

#include "slice.h"

/**
 * Walk the keywords of a column in the original's order of definition, which its messages show.
 *
 * @param type   TYPES for the column of types, else the type whose subtypes are wanted
 * @param index  0, 1, 2 …
 * @return false past the last one
 */
#define UPD_PARTITION_TYPES 0x100u
bool upd_partition_keyword(const struct upd_partition_rules *rules, uint32_t type, uint32_t index,
                           struct slice *name, uint8_t *value);

/** Find a keyword's value. */
bool upd_partition_keyword_value(const struct upd_partition_rules *rules, uint32_t type,
                                 struct slice name, uint8_t *value);

/** True for bootloader/primary and partition_table/primary, which have a place of their own. */
bool upd_partition_is_primary(const struct upd_partition_rules *rules,
                              const struct upd_partition *row);

/** What offset alignment a type demands; a power of two. */
uint32_t upd_partition_alignment(const struct upd_partition_rules *rules, uint8_t type);

/** Say that the table has more rows than fit. */
void upd_partition_say_too_long(const struct upd_partition_rules *rules, uint32_t count,
                                struct upd_partition_log *log);

/** The flags that the dialect knows, one after the other: name and bit. */
bool upd_partition_flag(const struct upd_partition_rules *rules, uint32_t index, struct slice *name,
                        uint32_t *bit);

static inline void upd_text_slice(struct upd_text *text, struct slice slice)
{
    upd_text_bytes(text, slice.at, slice.size);
}

#endif
