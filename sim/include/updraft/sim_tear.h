/*
 * updraft: what an interrupted erase or page program leaves in the cells of a NOR flash.
 *
 * Pure functions over the bytes of one sector: the simulated flash uses them on the host, and a
 * power switch of an emulated chip can use the same ones, since they need nothing but freestanding
 * C. Which kind of tear is known from which chip: docs/flash-model.md.
 */
#ifndef UPDRAFT_SIM_TEAR_H
#define UPDRAFT_SIM_TEAR_H

#include <stdbool.h>
#include <stdint.h>

/** The two operations that change cells. Each is the unit of a power cut. */
enum sim_op_kind {
    SIM_ERASE,   /* one sector */
    SIM_PROGRAM, /* bytes within one page */
};

/*
 * X(name, erase, program, text). The flags tell for which operation a kind exists. "Done" bytes or
 * bits are as if the operation had ended. The kind marked "beyond" leaves more damage than the
 * contract of struct upd_flash allows; SIM_TEAR_ANY never picks it.
 */
#define SIM_TEARS(X)                                                                               \
    X(ANY, 1, 1, "one of the kinds below, chosen by the seed")                                     \
    X(BEFORE, 1, 1, "nothing is done")                                                             \
    X(AFTER, 1, 1, "all is done, but nobody was told")                                             \
    X(PREFIX, 1, 1, "the first `amount` bytes are done")                                           \
    X(SUFFIX, 1, 1, "the last `amount` bytes are done")                                            \
    X(LAST_WORD, 1, 1, "all is done except for some bits of the last four bytes")                  \
    X(BITS, 1, 1, "a random subset of the bits is done")                                           \
    X(WEAK_BEFORE, 1, 1, "nothing is done, but some of the cells are unstable")                    \
    X(WEAK_AFTER, 1, 1, "all is done, but some of the cells are unstable")                         \
    X(MIXED, 1, 1, "each bit is done, untouched or unstable")                                      \
    X(ZERO_PREFIX, 1, 0, "the first `amount` bytes are programmed to 0, the rest is untouched")    \
    X(ZERO_SUFFIX, 1, 0, "the last `amount` bytes are programmed to 0, the rest is untouched")     \
    X(ZERO_BITS, 1, 0, "a random subset of the bits is programmed to 0")                           \
    X(DISTURB, 0, 1, "MIXED, and some other bits of the page are cleared or unstable")             \
    X(SECTOR_DISTURB, 0, 1, "MIXED, and some other bits of the sector are hit (beyond)")

enum sim_tear_kind {
#define X(name, erase, program, text) SIM_TEAR_##name,
    SIM_TEARS(X)
#undef X
        SIM_TEAR_COUNT
};

/** `amount` chosen by the seed: any number of bytes or, every other time, of whole words. */
#define SIM_TEAR_SEEDED UINT32_MAX

/** How an operation is torn. Equal values tear equal cells equally, on every platform. */
struct sim_tear {
    enum sim_tear_kind kind;
    uint32_t amount; /* bytes, or SIM_TEAR_SEEDED; above the size it means all */
    uint64_t seed;
};

/** The cells of one sector. */
struct sim_cells {
    uint8_t *bits; /* `size` bytes; 1 where the cell is unstable */
    /*
     * `size` bytes, a 1 for each unstable cell. NULL when the caller has no place for them: a cell
     * that would become unstable then gets a value as one reading would give it.
     */
    uint8_t *unstable;
    uint32_t size; /* of the sector, in bytes */
    /* A cell that would become unstable gets a value although there is a place. */
    bool settles;
};

/** True when the kind of tear exists for the operation. */
bool sim_tear_exists(enum sim_tear_kind tear, enum sim_op_kind op);

/** True when the contract of struct upd_flash allows what the kind of tear leaves. */
bool sim_tear_in_contract(enum sim_tear_kind tear);

/** The name of a kind as in the list, for example "ZERO_BITS". Never NULL. */
const char *sim_tear_name(enum sim_tear_kind tear);

/**
 * Program bytes of one page, wholly or torn.
 *
 * An unstable cell stays unstable: only an erase makes it sound again.
 *
 * @param cells      the sector; changed in place
 * @param page_size  bytes, power of two
 * @param offset     first byte, counted from the start of the sector
 * @param data       `size` bytes; a 0 clears the bit, a 1 leaves it
 * @param size       bytes; [offset, offset + size) lies in one page of the sector
 * @param tear       how the operation ends early; its kind exists for SIM_PROGRAM.
 *                   NULL: it ends well
 */
void sim_cells_program(const struct sim_cells *cells, uint32_t page_size, uint32_t offset,
                       const uint8_t *data, uint32_t size, const struct sim_tear *tear);

/**
 * Erase a sector, wholly or torn.
 *
 * @param cells  the sector; changed in place
 * @param tear   how the operation ends early; its kind exists for SIM_ERASE. NULL: it ends well
 */
void sim_cells_erase(const struct sim_cells *cells, const struct sim_tear *tear);

#endif
