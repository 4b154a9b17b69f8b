/*
 * Server-sent events of what changes: each open stream has a place in the change feed, and is woken
 * after commits.
 *
 * A stream begins with `hello`, whose id is where it stands; then one message for each change that
 * its user may see. A client that comes again with Last-Event-ID goes on there; when that is no
 * longer kept it is told `reset`.
 */
#ifndef UPDRAFT_SERVER_API_EVENTS_H
#define UPDRAFT_SERVER_API_EVENTS_H

#include "fleet/fleet.h"
#include "http/http.h"

struct api_feeds;

/** Never NULL. Starts the thread that reads the change feed for all streams. */
struct api_feeds *api_feeds_new(struct fleet *fleet);
/** Ends the thread; all streams were closed before. */
void api_feeds_free(struct api_feeds *feeds);

/** The number of the newest event, to listen from there on; 0 when the actor may hear of none. */
int64_t api_events_newest(struct fleet *fleet, const struct actor *actor);

/** The handler of GET /api/v1/events. */
void api_events(struct http_exchange *x);

#endif
