/*
 * The content of a simulated flash, as a tree whose nodes are shared by all states that agree on
 * them:
 *
 *   struct sim_snapshot --> struct sim_chunk (64 sectors) --> struct sim_sector
 *
 * (1) A node with more than one reference is never changed; who wants to change it copies it.
 * (2) A node with one reference belongs to its parent alone, and may be changed in place.
 * (3) `hashed` tells that `hash` is right; it is cleared on the way down to a change.
 * (4) A cell is unstable where `unstable` has a 1; there `bits` has a 1 too, so that equal states
 *     have equal bytes. The mask is NULL when no cell of the sector is unstable.
 *
 * So a snapshot is one more reference to the root, going back costs what changed since, an erased
 * sector is one and the same node everywhere, and the hash of a state costs what changed.
 */
#ifndef UPDRAFT_SIM_STORE_H
#define UPDRAFT_SIM_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <updraft/sim_flash.h>
#include <updraft/sim_tear.h>

#define SIM_CHUNK 64

struct sim_sector {
    uint32_t refs;
    bool hashed;
    bool deceived; /* it was not erased although the library was told so: not part of equality */
    uint64_t hash;
    uint8_t *unstable;
    uint8_t *programs; /* per page, since it was erased; stops at 255; not part of equality */
    uint8_t bits[];    /* sector_size, and then what `programs` points to */
};

struct sim_chunk {
    uint32_t refs;
    bool hashed;
    uint64_t hash;
    struct sim_sector *sectors[]; /* chunk_width of the store */
};

struct sim_store {
    struct sim_geometry geometry;
    uint32_t refs;
    uint32_t sector_count;
    uint32_t chunk_width; /* sectors of a chunk; of the last one some may lie behind the end */
    uint32_t chunk_count;
    uint64_t sectors_alive; /* nodes, for tests of the sharing */
    struct sim_sector *blank;
};

struct sim_snapshot {
    uint32_t refs;
    bool hashed;
    uint64_t hash;
    struct sim_store *store; /* one reference */
    struct sim_chunk *chunks[];
};

/** calloc() that ends the program, with a message, when there is no memory. */
void *sim_allocate(size_t size);

/** A store with one reference. The geometry has been checked. */
struct sim_store *sim_store_new(const struct sim_geometry *geometry);
struct sim_store *sim_store_share(struct sim_store *store);
void sim_store_release(struct sim_store *store);

/** A blank flash, with one reference. */
struct sim_snapshot *sim_snapshot_blank(struct sim_store *store);
struct sim_snapshot *sim_snapshot_share(struct sim_snapshot *root);

/** The sector to read. */
static inline const struct sim_sector *sim_sector_at(const struct sim_snapshot *root,
                                                     uint32_t index)
{
    uint32_t width = root->store->chunk_width;
    return root->chunks[index / width]->sectors[index % width];
}

/** The sector to change. Copies what is shared on the way down; *root may become another node. */
struct sim_sector *sim_sector_own(struct sim_snapshot **root, uint32_t index);

/** Put a sector of the same store in place of another one. *root may become another node. */
void sim_sector_put(struct sim_snapshot **root, uint32_t index, struct sim_sector *node);

/** Put the blank sector in place of another one. */
void sim_sector_blank(struct sim_snapshot **root, uint32_t index);

/** The cells of an owned sector, with a mask of unstable cells; end with sim_sector_close(). */
struct sim_cells sim_sector_open(struct sim_store *store, struct sim_sector *sector);

/** Drop a mask in which no cell is left. */
void sim_sector_close(struct sim_store *store, struct sim_sector *sector);

/** Give one reference to a sector back. */
void sim_sector_release(struct sim_store *store, struct sim_sector *sector);

/** A hash of the cells of a sector, unstable ones included. Remembered. */
uint64_t sim_sector_hash(const struct sim_store *store, struct sim_sector *sector);

#endif
