#include "pieces.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "files.h"
#include "progress.h"

static struct piece *new_piece(struct call *call, struct pieces *pieces, const char *name,
                               uint32_t address, uint32_t room)
{
    if (pieces->count == PIECES) {
        fail(call, EXIT_USAGE, "usage", "more than %d files for one flash", PIECES);
        return NULL;
    }
    struct piece *piece = &pieces->piece[pieces->count++];
    *piece = (struct piece){.address = address, .room = room};
    snprintf(piece->name, sizeof piece->name, "%s", name);
    return piece;
}

struct piece *pieces_load(struct call *call, struct pieces *pieces, const char *name,
                          const char *path, uint32_t address, uint32_t room)
{
    struct piece *piece = new_piece(call, pieces, name, address, room);
    size_t size;

    if (piece == NULL ||
        !input_load(call, path, pieces->flash_size, "this flash", &piece->data, &size)) {
        return NULL;
    }
    if (size == 0) {
        fail(call, EXIT_FAILED, "empty", "%s: is empty", path);
        return NULL;
    }
    piece->path = path;
    piece->size = (uint32_t)size;
    return piece;
}

struct piece *pieces_add(struct call *call, struct pieces *pieces, const char *name,
                         const uint8_t *data, uint32_t size, uint32_t address, uint32_t room)
{
    struct piece *piece = new_piece(call, pieces, name, address, room);

    if (piece == NULL) {
        return NULL;
    }
    piece->data = malloc(size);
    if (piece->data == NULL) {
        fail(call, EXIT_FAILED, "memory", "out of memory");
        return NULL;
    }
    memcpy(piece->data, data, size);
    piece->size = size;
    return piece;
}

static int by_address(const void *one, const void *other)
{
    const struct piece *left = one, *right = other;
    return left->address == right->address ? 0 : left->address < right->address ? -1 : 1;
}

/* Name and file of a piece, as messages have it: "user1 (app.bin)". */
static const char *title(const struct piece *piece, char *text, size_t size)
{
    snprintf(text, size, "%s%s%.200s%s", piece->name, piece->path != NULL ? " (" : "",
             piece->path != NULL ? piece->path : "", piece->path != NULL ? ")" : "");
    return text;
}

bool pieces_check(struct call *call, struct pieces *pieces)
{
    char one[300], other[300];

    qsort(pieces->piece, pieces->count, sizeof pieces->piece[0], by_address);
    for (size_t i = 0; i < pieces->count; i++) {
        const struct piece *piece = &pieces->piece[i];
        uint64_t end = (uint64_t)piece->address + piece->size;
        title(piece, one, sizeof one);
        if (piece->size > piece->room) {
            fail(call, EXIT_FAILED, "overflow",
                 "%s: its %u bytes at 0x%x run over the end of the region at 0x%llx, into %s", one,
                 piece->size, piece->address, (unsigned long long)piece->address + piece->room,
                 piece->next[0] != '\0' ? piece->next : "what lies behind the flash");
            return false;
        }
        if (end > pieces->flash_size) {
            fail(call, EXIT_FAILED, "overflow",
                 "%s: its %u bytes at 0x%x run over the end of the flash at 0x%x", one, piece->size,
                 piece->address, pieces->flash_size);
            return false;
        }
        if (i + 1 < pieces->count && end > pieces->piece[i + 1].address) {
            fail(call, EXIT_FAILED, "overlap", "%s at 0x%x .. 0x%llx overlaps %s at 0x%x", one,
                 piece->address, (unsigned long long)end - 1,
                 title(&pieces->piece[i + 1], other, sizeof other), pieces->piece[i + 1].address);
            return false;
        }
    }
    return true;
}

bool pieces_write(struct call *call, struct pieces *pieces, const char *path)
{
    struct output output;
    uint32_t at = 0;
    bool ok = output_open(call, path, &output);

    for (size_t i = 0; ok && i < pieces->count; i++) {
        const struct piece *piece = &pieces->piece[i];
        progress_show("bytes", at, pieces->flash_size);
        ok = output_fill(&output, 0xFF, piece->address - at) &&
             output_write(&output, piece->data, piece->size);
        at = piece->address + piece->size;
    }
    ok = ok && output_fill(&output, 0xFF, pieces->flash_size - at) && output_commit(&output);
    progress_clear();
    output_close(&output);
    return ok;
}

void pieces_free(struct pieces *pieces)
{
    for (size_t i = 0; i < pieces->count; i++) {
        free(pieces->piece[i].data);
    }
    pieces->count = 0;
}
