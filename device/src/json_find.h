/* A value within a JSON text that somebody sent: found by its path, or not there. */
#ifndef DEVICE_JSON_FIND_H
#define DEVICE_JSON_FIND_H

#include <stdbool.h>
#include <stdint.h>

/** Whether the text is one whole JSON value; at most eight levels deep. */
bool json_is_whole(const char *text, uint32_t size);

/**
 * Find a text, a number, true, false or null.
 *
 * @param text   `size` bytes that json_is_whole()
 * @param path   names of members, with a dot between: "get.action"
 * @param value  out: NUL-terminated; characters that were escaped and are no ASCII become '?'
 * @param room   bytes of value
 * @return false  there is none, it is an object or a list, or it does not fit
 *
 * Cost: at most 400 bytes of stack.
 */
bool json_find(const char *text, uint32_t size, const char *path, char *value, uint32_t room);

#endif
