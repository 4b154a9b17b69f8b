/* updraftd: a few threads that may wait. What has one key runs in order, on one of them. */
#ifndef UPDRAFT_SERVER_LINK_WORKERS_H
#define UPDRAFT_SERVER_LINK_WORKERS_H

#include <stdbool.h>
#include <stdint.h>

struct workers;

/** NULL: no memory or no threads. */
struct workers *workers_start(uint32_t count);
/** Queue work(arg); from any thread. Out of memory ends the program: there is nobody to tell. */
void workers_add(struct workers *workers, uint64_t key, void (*work)(void *arg), void *arg);
/** Do what is queued, end the threads, free. NULL: nothing. */
void workers_stop(struct workers *workers);

#endif
