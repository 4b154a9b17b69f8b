#include "map.h"

#include <stdlib.h>
#include <string.h>

#include <updraft/sim_random.h>

#include "setup.h"

static void map_grow(struct map *map)
{
    struct map old = *map;

    map->size = old.size == 0 ? 4096 : old.size * 2;
    map->count = 0;
    map->keys = take(map->size * sizeof *map->keys);
    map->values = take(map->size * sizeof *map->values);
    memset(map->keys, 0, map->size * sizeof *map->keys);
    for (uint32_t i = 0; i < old.size; i++) {
        if (old.keys[i] != 0) {
            *map_at(map, old.keys[i]) = old.values[i];
        }
    }
    free(old.keys);
    free(old.values);
}

uint64_t *map_at(struct map *map, uint64_t key)
{
    if (map->count * 2 >= map->size) {
        map_grow(map);
    }
    uint32_t at = (uint32_t)sim_random_mix(key) & (map->size - 1);
    while (map->keys[at] != 0 && map->keys[at] != key) {
        at = (at + 1) & (map->size - 1);
    }
    if (map->keys[at] == 0) {
        map->keys[at] = key;
        map->values[at] = 0;
        map->count++;
    }
    return &map->values[at];
}

void map_free(struct map *map)
{
    free(map->keys);
    free(map->values);
}
