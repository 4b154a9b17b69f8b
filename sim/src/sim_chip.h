/*
 * The inside of a simulated flash: sim_flash.c makes it, shows it and sets it up; sim_port.c is
 * what the library meets.
 */
#ifndef UPDRAFT_SIM_CHIP_H
#define UPDRAFT_SIM_CHIP_H

#include <updraft/sim_flash.h>

#include "sim_mirror.h"
#include "sim_store.h"

enum { SIM_FAULTS_MAX = 16 };

struct sim_armed_fault {
    struct sim_fault fault;
    uint64_t first; /* operation or read, as counted by the counters */
};

struct sim_chip {
    struct sim_store *store;
    struct sim_snapshot *root;
    struct sim_mirror *mirror; /* NULL: in memory only */
    uint64_t seed;

    enum sim_reads reads;
    uint32_t reads_turn;
    uint64_t reads_base;   /* the counters' reads when the readings of unstable cells began anew */
    uint64_t choices_base; /* the counters' operations when the choices of tears began anew */

    bool power;
    bool allow_overwrite;
    bool cure_by_program;
    bool settle_programs;
    uint32_t refused; /* since power went */

    struct sim_cut *cuts;
    uint32_t cut_count;
    uint32_t cut_next;
    bool cut_repeat;
    uint64_t cut_round;
    uint64_t cut_base; /* operation number 0 of the next cut */

    struct sim_armed_fault faults[SIM_FAULTS_MAX];
    uint32_t fault_count;

    struct sim_op *log;
    uint32_t log_capacity;
    sim_hook *hook;
    void *hook_ctx;

    struct sim_violation violation;
    bool violation_seen;
    uint32_t *wear; /* per sector */
};

/* End the program: a test that makes no sense, or a library that must not go on. */
_Noreturn void sim_die(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Bring a sector that has changed to the image file, if there is one. */
void sim_write_through(const struct sim_chip *chip, uint32_t index);

/* Set the three functions of the port. */
void sim_port_connect(struct sim_flash *sim);

#endif
