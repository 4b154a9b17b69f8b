/* A name from a user against a name of ours. */
#ifndef UPDRAFT_SPELLED_H
#define UPDRAFT_SPELLED_H

#include <stdbool.h>
#include <stddef.h>

/** ASCII letters in one case, whatever the locale. */
static inline char folded(char letter)
{
    return letter >= 'A' && letter <= 'Z' ? (char)(letter - 'A' + 'a') : letter;
}

/** True when the `size` bytes of text are the NUL-terminated name, the case of letters aside. */
static inline bool spelled(const char *text, size_t size, const char *name)
{
    for (size_t i = 0; i < size; i++) {
        if (name[i] == '\0' || folded(text[i]) != folded(name[i])) {
            return false;
        }
    }
    return name[size] == '\0';
}

#endif
