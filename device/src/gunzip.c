#include <updraft/gunzip.h>

#include <updraft/bytes.h>

enum upd_err upd_gunzip_begin(struct upd_gunzip *gunzip, struct upd_writer *writer, uint8_t *window,
                              uint32_t window_size)
{
    uint32_t limit = writer->size < writer->area.size ? writer->size : writer->area.size;

    if (writer->state != UPD_WRITER_OPEN) {
        return UPD_E_STATE;
    }
    gunzip->writer = writer;
    return upd_gzip_init(&gunzip->gzip, window, window_size, limit);
}

/* What comes is not what was promised: nobody shall go on with it. */
static enum upd_err refuse(struct upd_gunzip *gunzip, enum upd_err err)
{
    if (gunzip->writer->state != UPD_WRITER_IDLE) {
        (void)(upd_writer_abort(gunzip->writer) == UPD_OK);
        gunzip->writer->err = err;
    }
    return err;
}

enum upd_err upd_gunzip_write(struct upd_gunzip *gunzip, const void *data, uint32_t size)
{
    struct upd_reader in = {data, size};

    if (gunzip->writer->state != UPD_WRITER_OPEN) {
        return UPD_E_STATE;
    }
    do {
        struct upd_reader out;
        enum upd_err err = upd_gzip_step(&gunzip->gzip, &in, &out);
        if (err == UPD_OK && out.left > 0) {
            err = upd_writer_write(gunzip->writer, out.at, out.left);
        } else if (err == UPD_OK && in.left == 0) {
            break;
        }
        if (err != UPD_OK) {
            return refuse(gunzip, err);
        }
    } while (true);
    return UPD_OK;
}

enum upd_err upd_gunzip_end(struct upd_gunzip *gunzip)
{
    enum upd_err err = upd_gzip_end(&gunzip->gzip);

    if (err == UPD_E_SHORT) {
        gunzip->writer->state = UPD_WRITER_IDLE; /* may be resumed */
        gunzip->writer->err = err;
        return err;
    }
    return err == UPD_OK ? upd_writer_end(gunzip->writer) : refuse(gunzip, err);
}
