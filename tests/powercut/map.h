/* A set of numbers, each with one more. */
#ifndef POWERCUT_MAP_H
#define POWERCUT_MAP_H

#include <stdint.h>

/** All zero: empty. */
struct map {
    uint64_t *keys;
    uint64_t *values;
    uint32_t size; /* power of two */
    uint32_t count;
};

/** The value of a key, 0 when it is new; until the next call. Key 0 is none. */
uint64_t *map_at(struct map *map, uint64_t key);

void map_free(struct map *map);

#endif
