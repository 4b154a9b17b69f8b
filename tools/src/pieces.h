/* Files that are put together into a flash image, each at its offset. */
#ifndef UPDRAFT_TOOL_PIECES_H
#define UPDRAFT_TOOL_PIECES_H

#include "command.h"

#define PIECES 128

struct piece {
    char name[68];    /* the region, as messages call it */
    char next[68];    /* what lies behind the region, or empty: the end of the flash */
    const char *path; /* the file, or NULL: made here */
    uint32_t address;
    uint32_t room; /* bytes of the region */
    uint8_t *data; /* owned */
    uint32_t size;
};

struct pieces {
    struct piece piece[PIECES];
    size_t count;
    uint32_t flash_size;
};

/**
 * Add a file.
 *
 * @param room  bytes that it may have; more is refused when the pieces are checked
 * @return the piece, or NULL: reported
 */
struct piece *pieces_load(struct call *call, struct pieces *pieces, const char *name,
                          const char *path, uint32_t address, uint32_t room);

/** Add bytes that were made here; they are copied. */
struct piece *pieces_add(struct call *call, struct pieces *pieces, const char *name,
                         const uint8_t *data, uint32_t size, uint32_t address, uint32_t room);

/** No piece runs over its region, into another piece or over the end of the flash, or: reported. */
bool pieces_check(struct call *call, struct pieces *pieces);

/** Write the flash image: the pieces, and FF between them. Reported when it fails. */
bool pieces_write(struct call *call, struct pieces *pieces, const char *path);
void pieces_free(struct pieces *pieces);

#endif
