/*
 * updraft: a simulated NOR flash behind the port of <updraft/flash.h>, built to break each promise
 * of that port on demand, and to notice when the library breaks one of its own.
 *
 *     struct sim_flash sim;
 *     sim_flash_init(&sim, &sim_flash_4m, seed);
 *     sim_flash_cut_at(&sim, 17, SIM_TEAR_MIXED);        the 18th operation from here is torn
 *     ... let the library work with &sim.flash: it sees UPD_E_IO, and then nothing else ...
 *     sim_flash_power_on(&sim);
 *     ... look at what it does next ...
 *     sim_flash_free(&sim);                              fails loudly on a broken contract
 *
 * The unit of all counting is the operation: the erase of one sector, or the program of bytes
 * within one page. A write() over three pages is three operations, and can be cut at each.
 *
 * Everything that happens follows from the seeds and the calls; there is no other source of chance.
 * The functions end the program, with a message, when memory is short or a test makes no sense.
 * What the model holds and what it leaves out: docs/flash-model.md.
 */
#ifndef UPDRAFT_SIM_FLASH_H
#define UPDRAFT_SIM_FLASH_H

#include <stdbool.h>
#include <stdint.h>

#include <updraft/flash.h>
#include <updraft/sim_tear.h>

/**
 * Sizes in bytes. Each divides the next larger one; write, page and sector size are powers of two.
 * Small sectors make small state spaces.
 */
struct sim_geometry {
    uint32_t total_size;
    uint32_t sector_size;
    uint32_t page_size;
    uint32_t write_size;
};

/** The chips of ESP8266 and ESP32 boards: 4 KiB sectors, 256-byte pages, 4-byte writes. */
#define SIM_GEOMETRY(total)                                                                        \
    {                                                                                              \
        (total), 4096, 256, 4                                                                      \
    }
extern const struct sim_geometry sim_flash_512k, sim_flash_1m, sim_flash_2m, sim_flash_4m,
    sim_flash_16m;

enum sim_outcome {
    SIM_DONE,   /* as asked */
    SIM_CUT,    /* power was cut */
    SIM_FAILED, /* a fault, reported */
    SIM_LIED,   /* a fault, reported as UPD_OK */
};

/** One operation, as in the log. */
struct sim_op {
    uint64_t sequence; /* 0 for the first one of the flash's life */
    enum sim_op_kind kind;
    uint32_t offset;
    uint32_t size;
    enum sim_outcome outcome;
};

/** What this simulated flash has done since it was made; no snapshot takes it back. */
struct sim_counters {
    uint64_t operations; /* begun: the sequence of the next one */
    uint64_t erases;     /* that touched cells, torn ones included */
    uint64_t programs;
    uint64_t programmed; /* bytes asked for by those programs */
    uint64_t reads;      /* calls of read() with power, failed ones included */
    uint64_t read;       /* bytes */
    uint64_t refused;    /* calls of any kind while power was off */
    uint64_t cuts;
};

/** The simulated chip. Not to be moved or copied while in use: sim_flash_fork() makes a second. */
struct sim_flash {
    struct upd_flash flash; /* for the library */
    struct sim_counters counters;
    struct sim_chip *chip; /* private */
};

/**
 * Make a blank flash in memory.
 *
 * @param geometry  sizes; copied
 * @param seed      of whatever is left to chance and gets no seed of its own
 */
void sim_flash_init(struct sim_flash *sim, const struct sim_geometry *geometry, uint64_t seed);

/**
 * Make a flash over an image file, which always holds what the cells hold.
 *
 * A file holds no unstable cells (they are 1 in it): those are in a second file, PATH.unstable,
 * which is as large, has a 1 for each of them, and is made when there is the first.
 *
 * @param path  image; made, blank, when there is none
 *
 * @return UPD_OK
 * @return UPD_E_SPACE  a file is not total_size bytes long; it is unchanged, *sim is not made
 * @return UPD_E_IO     a file cannot be opened or mapped: errno tells; *sim is not made
 */
UPD_MUST_CHECK enum upd_err sim_flash_open(struct sim_flash *sim, const char *path,
                                           const struct sim_geometry *geometry, uint64_t seed);

/**
 * Make a second flash, in memory, with the same content and the same readings of unstable cells. It
 * has power and its counters are 0; cuts, faults, log, hook and file stay with the first one.
 * Costs next to nothing until the two become different.
 */
void sim_flash_fork(struct sim_flash *sim, const struct sim_flash *source);

/**
 * End a flash. Ends the program, with a message, when a violation was recorded that nobody asked
 * for with sim_flash_violation(): a test cannot forget to look.
 */
void sim_flash_free(struct sim_flash *sim);

/* ------------------------------------------------------------------ the library's own promises */

/** How the library can break its side of the contract of struct upd_flash. */
enum sim_violation_kind {
    SIM_NO_VIOLATION,
    SIM_OUTSIDE,    /* beyond the end of the chip */
    SIM_UNALIGNED,  /* offset or size */
    SIM_NO_DATA,    /* NULL, although size is not 0 */
    SIM_SETS_A_BIT, /* a program asks for a 1 where the flash holds a 0 */
};

struct sim_violation {
    uint32_t count; /* of all violations; what follows is the first one */
    enum sim_violation_kind kind;
    uint32_t offset;
    uint32_t size;
    uint64_t sequence; /* operations begun before it */
};

/**
 * The violations so far. The call that broke the contract got UPD_E_ARG, and changed nothing from
 * the offending page on. A program over a sector whose erase the simulation only pretended to do
 * (SIM_LIED) is none.
 */
struct sim_violation sim_flash_violation(struct sim_flash *sim);

/** Let a program that asks for a 1 over a 0 leave the 0, as chips do, and record nothing. */
void sim_flash_allow_overwrite(struct sim_flash *sim, bool allow);

/* ------------------------------------------------------------------------------------- content */

/** Put bytes into the flash as a programmer on the bench does: any offset; no operation counted. */
void sim_flash_load(struct sim_flash *sim, uint32_t offset, const void *data, uint32_t size);

/** See what the cells hold, with power or without; 1 for an unstable cell. Not counted. */
void sim_flash_peek(const struct sim_flash *sim, uint32_t offset, void *data, uint32_t size);

/** Turn the bits of `mask` in one byte; unstable cells become stable. Not counted. */
void sim_flash_flip(struct sim_flash *sim, uint32_t offset, uint8_t mask);

/** Make the cells of `mask` in one byte unstable. Not counted. */
void sim_flash_weaken(struct sim_flash *sim, uint32_t offset, uint8_t mask);

/** Count the unstable cells in a range. */
uint32_t sim_flash_unstable(const struct sim_flash *sim, uint32_t offset, uint32_t size);

/** How unstable cells read. All of them read alike, except with SIM_READS_RANDOM. */
enum sim_reads {
    SIM_READS_RANDOM, /* each cell anew at each read; by the seed. The default */
    SIM_READS_ONES,
    SIM_READS_ZEROS,
    SIM_READS_ALTERNATE, /* 1 at the first read() from now, 0 at the next one, and so on */
    SIM_READS_ONES_THEN_ZEROS,
    SIM_READS_ZEROS_THEN_ONES,
};

/**
 * Choose how unstable cells read from now on.
 *
 * @param first  for the last two: the number of calls of read(), of whatever bytes, before the turn
 */
void sim_flash_set_reads(struct sim_flash *sim, enum sim_reads how, uint32_t first);

/** Start whatever is left to chance anew, from another seed or the same one. */
void sim_flash_seed(struct sim_flash *sim, uint64_t seed);

/**
 * Let a program of a 0 make an unstable cell a sound 0. By default the cell stays unstable until
 * its sector is erased, which is what the contract warns of.
 */
void sim_flash_cure_by_program(struct sim_flash *sim, bool cure);

/**
 * Let a torn program leave each cell a sound 0 or a sound 1, at random where it would be unstable.
 * By default it may leave unstable ones, as a torn erase does in any case.
 */
void sim_flash_settle_programs(struct sim_flash *sim, bool settle);

/* ----------------------------------------------------------------------------------- power cuts */

/** A cut: operations before number `op` end well, and that one is torn. */
struct sim_cut {
    uint32_t op; /* counted from 0 at the call of sim_flash_cut(), and anew at each power-on */
    struct sim_tear tear;
};

/**
 * Schedule power cuts, in place of those scheduled before.
 *
 * The torn operation, and every call after it, returns UPD_E_IO until sim_flash_power_on(). Then
 * the next cut of the list counts. A million calls without power end the program: something loops.
 * A kind of tear that does not exist for the operation it meets ends the program too; SIM_TEAR_ANY
 * always exists.
 *
 * @param cuts    list, copied; NULL when count is 0
 * @param repeat  start over after the last one; the seeds of the tears change each time
 */
void sim_flash_cut(struct sim_flash *sim, const struct sim_cut *cuts, uint32_t count, bool repeat);

/**
 * Schedule one cut, at operation `op` from now. What the kind of tear leaves open follows from the
 * seed of the flash and from the number of that operation since chance last started anew.
 */
void sim_flash_cut_at(struct sim_flash *sim, uint32_t op, enum sim_tear_kind kind);

/** Cut power now, between two operations. */
void sim_flash_power_off(struct sim_flash *sim);

/** Give power, or do nothing when there is power. */
void sim_flash_power_on(struct sim_flash *sim);

bool sim_flash_has_power(const struct sim_flash *sim);

/* --------------------------------------------------------------------------------------- faults */

/** What can be wrong with a chip that has power. */
enum sim_fault_kind {
    /* Operations number `at` to at + count - 1 from now: */
    SIM_FAULT_FAILS,      /* UPD_E_IO, nothing is done */
    SIM_FAULT_FAILS_DONE, /* UPD_E_IO, although all is done */
    SIM_FAULT_FAILS_TORN, /* UPD_E_IO, torn as `tear` tells */
    SIM_FAULT_IGNORED,    /* UPD_OK, nothing is done */
    SIM_FAULT_TORN,       /* UPD_OK, torn as `tear` tells */
    /* Calls of read() number `at` to at + count - 1 from now: */
    SIM_FAULT_READ_FAILS, /* UPD_E_IO, the buffer is unchanged */
    SIM_FAULT_READ_FLIPS, /* UPD_OK, one bit is wrong; which one, the seed tells */
    /* The byte at offset `at`: */
    SIM_FAULT_STUCK_0, /* the cells of `mask` read 0 whatever they should hold */
    SIM_FAULT_STUCK_1, /* the cells of `mask` read 1 */
    /* The sector at offset `at`: */
    SIM_FAULT_ERASE_FAILS,     /* UPD_E_IO, nothing is done */
    SIM_FAULT_ERASE_IGNORED,   /* UPD_OK, nothing is done */
    SIM_FAULT_PROGRAM_FAILS,   /* UPD_E_IO, nothing is done */
    SIM_FAULT_PROGRAM_IGNORED, /* UPD_OK, nothing is done */
};

struct sim_fault {
    enum sim_fault_kind kind;
    uint32_t at;
    uint32_t count; /* UINT32_MAX: for ever */
    uint8_t mask;
    struct sim_tear tear;
};

/** Add a fault. At most 16 at a time; of several for one operation the first added counts. */
void sim_flash_fault(struct sim_flash *sim, const struct sim_fault *fault);

/** Remove all faults. What they did to cells stays. */
void sim_flash_heal(struct sim_flash *sim);

/* -------------------------------------------------------------------------- what happened to it */

/**
 * Keep the newest operations in a ring: operation number n is entries[n % capacity].
 *
 * @param entries  `capacity` entries, the caller's, in use until the log is set again; NULL: no log
 */
void sim_flash_log(struct sim_flash *sim, struct sim_op *entries, uint32_t capacity);

/** Erases of the sector around `offset`, torn ones included, over the flash's whole life. */
uint32_t sim_flash_wear(const struct sim_flash *sim, uint32_t offset);

/** Programs of the page around `offset` since it was last erased; stops at 255. */
uint32_t sim_flash_programs(const struct sim_flash *sim, uint32_t offset);

/**
 * Be called before each operation, with its data (NULL for an erase).
 *
 * Since nothing but the flash survives a power cut, all cuts of a run can be tried without running
 * it again: the hook takes a snapshot, and another flash, restored from it, gets the one operation
 * torn. The hook may look at the flash and take snapshots, and nothing else.
 */
typedef void sim_hook(void *ctx, struct sim_flash *sim, const struct sim_op *op, const void *data);
void sim_flash_set_hook(struct sim_flash *sim, sim_hook *hook, void *ctx);

/* ------------------------------------------------------------------------------------ snapshots */

/**
 * The cells of a flash at one moment, unstable ones and the program counts included. Snapshots and
 * flashes share what they have in common, so one costs a few dozen bytes plus what changes.
 * They belong to one thread, with the flash they came from and its forks.
 */
struct sim_snapshot;

/** Take a snapshot; free it with sim_snapshot_free(). Takes constant time. */
struct sim_snapshot *sim_flash_snapshot(const struct sim_flash *sim);

/**
 * Make the flash one that has these cells and no past: power is on, no cut and no fault is
 * pending, and whatever is left to chance starts anew from the seed. Counters, log and hook go on.
 * The snapshot stays the caller's. It was taken from this flash or from one that is related to it
 * by sim_flash_fork().
 */
void sim_flash_restore(struct sim_flash *sim, struct sim_snapshot *snapshot);

/** Free a snapshot; NULL is nothing. */
void sim_snapshot_free(struct sim_snapshot *snapshot);

/** True when all cells are equal, and equally unstable. Program counts do not matter. */
bool sim_snapshot_equal(const struct sim_snapshot *one, const struct sim_snapshot *other);

/** A hash of what sim_snapshot_equal() compares; the same on every platform. Remembers parts. */
uint64_t sim_snapshot_hash(struct sim_snapshot *snapshot);

#endif
