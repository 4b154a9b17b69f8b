#include <updraft/inflate.h>

static enum upd_err begin(void *ctx, struct upd_writer *writer)
{
    struct upd_inflate_memory *memory = ctx;

    return upd_gunzip_begin(&memory->gunzip, writer, memory->window, memory->window_size);
}

static enum upd_err write(void *ctx, const void *data, uint32_t size)
{
    struct upd_inflate_memory *memory = ctx;

    return upd_gunzip_write(&memory->gunzip, data, size);
}

static enum upd_err end(void *ctx)
{
    struct upd_inflate_memory *memory = ctx;

    return upd_gunzip_end(&memory->gunzip);
}

const struct upd_inflate upd_inflate_gzip = {begin, write, end};
