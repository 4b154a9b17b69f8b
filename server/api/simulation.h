/*
 * "Show me": a few virtual devices on the server's own machine, for who wants to see an update before he
 * has a device. updraft-sim, when it is installed, is started as a child, and asks the server as devices
 * do.
 */
#ifndef UPDRAFT_SERVER_API_SIMULATION_H
#define UPDRAFT_SERVER_API_SIMULATION_H

#include "http/http.h"

struct api_simulation;

/** @param program  path of updraft-sim; NULL: it is not installed. Borrowed. Never NULL. */
struct api_simulation *api_simulation_new(const char *program);
/** Ends the devices. */
void api_simulation_free(struct api_simulation *simulation);
/** Whether it can be started, and whether it runs. */
bool api_simulation_possible(const struct api_simulation *simulation);
bool api_simulation_runs(struct api_simulation *simulation);

/** POST and DELETE /api/v1/simulation. */
void api_simulation_start(struct http_exchange *x);
void api_simulation_stop(struct http_exchange *x);

#endif
