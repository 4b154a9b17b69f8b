/*
 * What the programs that run firmware/examples/ have in common: a flash image in a file, made when
 * there is none; the chip's boot loader at the start and at each restart; the network; and what
 * happens, one line of JSON each, between the lines that the example prints.
 */
#ifndef EXAMPLES_STAGE_H
#define EXAMPLES_STAGE_H

#include <updraft/sim_boot.h>
#include <updraft/sim_net.h>

enum { STAGE_ROWS = UPD_PARTITION_MAX + 1 };

struct stage {
    struct sim_flash flash;
    struct sim_rtc rtc;
    struct sim_net net;
    struct sim_loader loader; /* the chip maker's */
    struct sim_boot boot;     /* what runs */
    uint32_t fuse;
    struct upd_partition rows[STAGE_ROWS];
    uint32_t count;
    const char *when; /* "start", "button", "week" */
    uint32_t skipped_ms;
};
extern struct stage stage;

/**
 * @param kind  of device: a name of SIM_KINDS()
 *
 * Read the options, make or open the flash, and start what it holds. Sets `example`.
 *
 *     --flash FILE         made, with --image in it, when there is none
 *     --image FILE         the firmware that a new device has
 *     --server URL         http://127.0.0.1:8080
 *     --product KEY        of the product; NONOS: the device's key
 *     --ca FILE            whom to trust
 *     --when WAY           start, button, week: when to look for an update
 *     --running ADDRESS    what the last run's restart started goes on: no reset in between
 *     --order VERSION      NONOS: what the cloud orders
 */
void stage_open(const char *kind, int argc, char **argv);

/** A reset: the boot loader runs, what it starts is told, and the program ends. */
_Noreturn void stage_restart(void);
/** The example has nothing more to do: the program ends. */
_Noreturn void stage_end(void);

/** Milliseconds, of which those that nobody needs to wait for are skipped. */
uint32_t stage_millis(void);
void stage_delay(uint32_t ms);

#endif
