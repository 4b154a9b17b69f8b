/* The program's log: a line on standard error for each thing that somebody who runs it should know.
 */
#ifndef UPDRAFT_SERVER_LOG_H
#define UPDRAFT_SERVER_LOG_H

#include <jansson.h>
#include <stdbool.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO };

/** Before anything is logged; text is the default. */
void log_open(bool json);
/** One sentence without line end; control characters come out as '?'. Any thread. */
void log_say(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** The same with members beside time, level and message; takes over `more`. */
void log_with(enum log_level level, json_t *more, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
