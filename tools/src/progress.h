/* A line on standard error that says how far a long command is; nothing unless it is a terminal. */
#ifndef UPDRAFT_TOOL_PROGRESS_H
#define UPDRAFT_TOOL_PROGRESS_H

#include <stdint.h>

/** Say that `done` of `total` steps are done. Cheap: it prints ten times a second at most. */
void progress_show(const char *what, uint64_t done, uint64_t total);
/** Take the line away. To be called before anything else is printed. */
void progress_clear(void);

#endif
