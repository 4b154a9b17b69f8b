#include "sim_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <updraft/sim_random.h>

void *sim_allocate(size_t size)
{
    void *memory = calloc(1, size);

    if (memory == NULL) {
        fprintf(stderr, "sim: no memory for %zu bytes\n", size);
        abort();
    }
    return memory;
}

/* Sectors. */

static uint32_t page_count(const struct sim_store *store)
{
    return store->geometry.sector_size / store->geometry.page_size;
}

static struct sim_sector *sector_new(struct sim_store *store)
{
    uint32_t size = store->geometry.sector_size;
    struct sim_sector *sector = sim_allocate(sizeof *sector + size + page_count(store));

    sector->refs = 1;
    sector->programs = sector->bits + size;
    store->sectors_alive++;
    return sector;
}

static struct sim_sector *sector_copy(struct sim_store *store, const struct sim_sector *source)
{
    uint32_t size = store->geometry.sector_size;
    struct sim_sector *sector = sector_new(store);

    sector->deceived = source->deceived;
    memcpy(sector->bits, source->bits, size + page_count(store));
    if (source->unstable != NULL) {
        sector->unstable = sim_allocate(size);
        memcpy(sector->unstable, source->unstable, size);
    }
    return sector;
}

void sim_sector_release(struct sim_store *store, struct sim_sector *sector)
{
    if (--sector->refs == 0) {
        store->sectors_alive--;
        free(sector->unstable);
        free(sector);
    }
}

struct sim_cells sim_sector_open(struct sim_store *store, struct sim_sector *sector)
{
    uint32_t size = store->geometry.sector_size;

    if (sector->unstable == NULL) {
        sector->unstable = sim_allocate(size);
    }
    return (struct sim_cells){.bits = sector->bits, .unstable = sector->unstable, .size = size};
}

void sim_sector_close(struct sim_store *store, struct sim_sector *sector)
{
    for (uint32_t i = 0; i < store->geometry.sector_size; i++) {
        if (sector->unstable[i] != 0) {
            return;
        }
    }
    free(sector->unstable);
    sector->unstable = NULL;
}

/* Chunks. */

static size_t chunk_size(const struct sim_store *store)
{
    return sizeof(struct sim_chunk) + store->chunk_width * sizeof(struct sim_sector *);
}

static struct sim_chunk *chunk_copy(struct sim_store *store, const struct sim_chunk *source)
{
    struct sim_chunk *chunk = sim_allocate(chunk_size(store));

    memcpy(chunk, source, chunk_size(store));
    chunk->refs = 1;
    for (uint32_t i = 0; i < store->chunk_width; i++) {
        chunk->sectors[i]->refs++;
    }
    return chunk;
}

static struct sim_chunk *chunk_blank(struct sim_store *store)
{
    struct sim_chunk *chunk = sim_allocate(chunk_size(store));

    chunk->refs = 1;
    for (uint32_t i = 0; i < store->chunk_width; i++) {
        chunk->sectors[i] = store->blank;
        store->blank->refs++;
    }
    return chunk;
}

static void chunk_release(struct sim_store *store, struct sim_chunk *chunk)
{
    if (--chunk->refs == 0) {
        for (uint32_t i = 0; i < store->chunk_width; i++) {
            sim_sector_release(store, chunk->sectors[i]);
        }
        free(chunk);
    }
}

/* Roots. */

static size_t root_size(const struct sim_store *store)
{
    return sizeof(struct sim_snapshot) + store->chunk_count * sizeof(struct sim_chunk *);
}

static struct sim_snapshot *root_copy(const struct sim_snapshot *source)
{
    struct sim_store *store = source->store;
    struct sim_snapshot *root = sim_allocate(root_size(store));

    memcpy(root, source, root_size(store));
    root->refs = 1;
    sim_store_share(store);
    for (uint32_t i = 0; i < store->chunk_count; i++) {
        root->chunks[i]->refs++;
    }
    return root;
}

struct sim_snapshot *sim_snapshot_blank(struct sim_store *store)
{
    struct sim_snapshot *root = sim_allocate(root_size(store));
    struct sim_chunk *chunk = chunk_blank(store);

    root->refs = 1;
    root->store = sim_store_share(store);
    for (uint32_t i = 0; i < store->chunk_count; i++) {
        root->chunks[i] = chunk;
        chunk->refs++;
    }
    chunk_release(store, chunk);
    return root;
}

struct sim_snapshot *sim_snapshot_share(struct sim_snapshot *root)
{
    root->refs++;
    return root;
}

void sim_snapshot_free(struct sim_snapshot *root)
{
    if (root != NULL && --root->refs == 0) {
        for (uint32_t i = 0; i < root->store->chunk_count; i++) {
            chunk_release(root->store, root->chunks[i]);
        }
        sim_store_release(root->store);
        free(root);
    }
}

/* The chunk that holds a sector, owned and about to change. */
static struct sim_chunk *own_chunk(struct sim_snapshot **root, uint32_t index)
{
    struct sim_store *store = (*root)->store;

    if ((*root)->refs > 1) {
        struct sim_snapshot *copy = root_copy(*root);
        sim_snapshot_free(*root);
        *root = copy;
    }
    (*root)->hashed = false;

    struct sim_chunk **chunk = &(*root)->chunks[index / store->chunk_width];
    if ((*chunk)->refs > 1) {
        struct sim_chunk *copy = chunk_copy(store, *chunk);
        chunk_release(store, *chunk);
        *chunk = copy;
    }
    (*chunk)->hashed = false;
    return *chunk;
}

struct sim_sector *sim_sector_own(struct sim_snapshot **root, uint32_t index)
{
    struct sim_chunk *chunk = own_chunk(root, index);
    struct sim_store *store = (*root)->store;
    struct sim_sector **sector = &chunk->sectors[index % store->chunk_width];

    if ((*sector)->refs > 1) {
        struct sim_sector *copy = sector_copy(store, *sector);
        sim_sector_release(store, *sector);
        *sector = copy;
    }
    (*sector)->hashed = false;
    return *sector;
}

void sim_sector_put(struct sim_snapshot **root, uint32_t index, struct sim_sector *node)
{
    struct sim_chunk *chunk = own_chunk(root, index);
    struct sim_store *store = (*root)->store;
    struct sim_sector **sector = &chunk->sectors[index % store->chunk_width];

    node->refs++;
    sim_sector_release(store, *sector);
    *sector = node;
}

void sim_sector_blank(struct sim_snapshot **root, uint32_t index)
{
    sim_sector_put(root, index, (*root)->store->blank);
}

/* Stores. */

struct sim_store *sim_store_new(const struct sim_geometry *geometry)
{
    struct sim_store *store = sim_allocate(sizeof *store);

    store->geometry = *geometry;
    store->refs = 1;
    store->sector_count = geometry->total_size / geometry->sector_size;
    store->chunk_width = store->sector_count < SIM_CHUNK ? store->sector_count : SIM_CHUNK;
    store->chunk_count = (store->sector_count + store->chunk_width - 1) / store->chunk_width;
    store->blank = sector_new(store);
    memset(store->blank->bits, 0xFF, geometry->sector_size);
    return store;
}

struct sim_store *sim_store_share(struct sim_store *store)
{
    store->refs++;
    return store;
}

void sim_store_release(struct sim_store *store)
{
    if (--store->refs == 0) {
        sim_sector_release(store, store->blank);
        free(store);
    }
}

/* Hash and equality. */

static uint64_t get_le64(const uint8_t *p)
{
    return (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 24 |
           (uint64_t)p[4] << 32 | (uint64_t)p[5] << 40 | (uint64_t)p[6] << 48 |
           (uint64_t)p[7] << 56;
}

static uint64_t hash_step(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * SIM_RANDOM_GAMMA;
    return hash ^ (hash >> 29);
}

static uint64_t hash_bytes(uint64_t hash, const uint8_t *data, uint32_t size)
{
    uint32_t i = 0;

    for (; i + 8 <= size; i += 8) {
        hash = hash_step(hash, get_le64(data + i));
    }
    for (; i < size; i++) {
        hash = hash_step(hash, data[i]);
    }
    return sim_random_mix(hash);
}

uint64_t sim_sector_hash(const struct sim_store *store, struct sim_sector *sector)
{
    if (!sector->hashed) {
        sector->hash = hash_bytes(1, sector->bits, store->geometry.sector_size);
        if (sector->unstable != NULL) {
            sector->hash = hash_bytes(sector->hash, sector->unstable, store->geometry.sector_size);
        }
        sector->hashed = true;
    }
    return sector->hash;
}

static uint64_t chunk_hash(const struct sim_store *store, struct sim_chunk *chunk)
{
    if (!chunk->hashed) {
        chunk->hash = 2;
        for (uint32_t i = 0; i < store->chunk_width; i++) {
            chunk->hash = hash_step(chunk->hash, sim_sector_hash(store, chunk->sectors[i]));
        }
        chunk->hashed = true;
    }
    return chunk->hash;
}

uint64_t sim_snapshot_hash(struct sim_snapshot *root)
{
    if (!root->hashed) {
        root->hash = 3;
        for (uint32_t i = 0; i < root->store->chunk_count; i++) {
            root->hash = hash_step(root->hash, chunk_hash(root->store, root->chunks[i]));
        }
        root->hash = sim_random_mix(root->hash);
        root->hashed = true;
    }
    return root->hash;
}

static bool sectors_equal(const struct sim_store *store, const struct sim_sector *one,
                          const struct sim_sector *other)
{
    uint32_t size = store->geometry.sector_size;

    if (one == other) {
        return true;
    }
    if ((one->unstable == NULL) != (other->unstable == NULL)) {
        return false;
    }
    return memcmp(one->bits, other->bits, size) == 0 &&
           (one->unstable == NULL || memcmp(one->unstable, other->unstable, size) == 0);
}

static bool same_geometry(const struct sim_geometry *one, const struct sim_geometry *other)
{
    return one->total_size == other->total_size && one->sector_size == other->sector_size &&
           one->page_size == other->page_size && one->write_size == other->write_size;
}

bool sim_snapshot_equal(const struct sim_snapshot *one, const struct sim_snapshot *other)
{
    const struct sim_store *store = one->store;

    if (one == other) {
        return true;
    }
    if (!same_geometry(&store->geometry, &other->store->geometry)) {
        return false;
    }
    for (uint32_t i = 0; i < store->chunk_count; i++) {
        for (uint32_t k = 0; one->chunks[i] != other->chunks[i] && k < store->chunk_width; k++) {
            if (!sectors_equal(store, one->chunks[i]->sectors[k], other->chunks[i]->sectors[k])) {
                return false;
            }
        }
    }
    return true;
}
