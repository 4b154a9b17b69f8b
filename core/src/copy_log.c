#include <updraft/copy_log.h>

#include <updraft/bytes.h>
#include <updraft/crc32.h>
#include <updraft/journal.h>

enum { VERSION = 2, ENTRY_CRC = UPD_COPY_ENTRY_SIZE - 4, FIRST_ENTRY_PAGE = 3 };

/* Within a note: the steps of one entry, in order. */
enum { BEGIN, EMPTY, TAKE, ENTER, SEAL };

uint32_t upd_copy_entry_offset(uint32_t place)
{
    return (FIRST_ENTRY_PAGE + place) * UPD_JOURNAL_PAGE_SIZE;
}

uint32_t upd_copy_taken_offset(uint32_t place)
{
    return place * UPD_JOURNAL_MARK_SIZE;
}

static void encode(const struct upd_copy_sector *sector, uint8_t bytes[UPD_COPY_ENTRY_SIZE])
{
    bytes[0] = 'U';
    bytes[1] = 'C';
    bytes[2] = VERSION;
    bytes[3] = sector->way;
    upd_put_le32(&bytes[4], sector->turn);
    upd_put_le32(&bytes[8], sector->done);
    upd_put_le32(&bytes[ENTRY_CRC], upd_crc32(UPD_CRC32_INIT, bytes, ENTRY_CRC));
}

void upd_copy_see(struct upd_copy_log *log, uint32_t sector, uint32_t place, bool taken,
                  const uint8_t entry[UPD_COPY_ENTRY_SIZE])
{
    struct upd_copy_sector *seen = &log->sector[sector];
    struct upd_copy_sector wanted = *seen;
    uint8_t bytes[UPD_COPY_ENTRY_SIZE];

    if (taken) {
        seen->used = wanted.used = (uint8_t)(place + 1);
    }
    wanted.way = entry[3];
    wanted.turn = upd_get_le32(&entry[4]);
    wanted.done = upd_get_le32(&entry[8]);
    encode(&wanted, bytes);
    if (wanted.turn != 0 && memcmp(entry, bytes, sizeof bytes) == 0) {
        *seen = wanted;
    }
}

/* The sector of which the last entry counts. */
static uint32_t current(const struct upd_copy_log *log)
{
    return log->sector[1].turn > log->sector[0].turn;
}

uint32_t upd_copy_way(const struct upd_copy_log *log)
{
    return log->sector[current(log)].way;
}

uint32_t upd_copy_done(const struct upd_copy_log *log)
{
    return log->sector[current(log)].done;
}

static struct upd_copy_step step(const struct upd_copy_log *log, enum upd_copy_do what,
                                 uint32_t place)
{
    return (struct upd_copy_step){(uint8_t)what, log->target, (uint8_t)place};
}

static struct upd_copy_step empty(struct upd_copy_log *log)
{
    struct upd_copy_sector *sector = &log->sector[log->target];

    if (log->left > 0) {
        /* The last one at the end: its TAKEN may be torn, and a session that reads it as not set
         * shall find it blank as long as it finds any other. */
        return step(log, UPD_COPY_WIPE, (uint32_t)(sector->used - log->left--));
    }
    *sector = (struct upd_copy_sector){.turn = log->sector[log->target ^ 1].turn + 1};
    log->sure = false;
    log->step = TAKE;
    return step(log, UPD_COPY_ERASE, 0);
}

/* Which sector takes the next entry, and whether it has to be emptied for it. */
static struct upd_copy_step begin(struct upd_copy_log *log)
{
    uint32_t now = current(log);
    const struct upd_copy_sector *sector = &log->sector[now];
    bool none = sector->turn == 0;

    log->target = (uint8_t)now;
    if (!none && sector->used < UPD_COPY_PLACES) {
        log->step = ENTER;
        return step(log, UPD_COPY_TAKE, sector->used);
    }
    log->step = EMPTY;
    if (none || !sector->sealed) {
        /* No session has come further than what the other sector says: begin this one anew. */
        log->left = sector->used;
        return empty(log);
    }
    log->target ^= 1;
    log->left = log->sector[log->target].used;
    /* What takes the place of the other one holds from here on. */
    return (struct upd_copy_step){UPD_COPY_SEAL, (uint8_t)now, 0};
}

struct upd_copy_step upd_copy_note(struct upd_copy_log *log, enum upd_copy_way way, uint32_t done)
{
    struct upd_copy_sector *sector = &log->sector[log->target];

    switch (log->step) {
    case BEGIN:
        return begin(log);
    case EMPTY:
        return empty(log);
    case TAKE:
        log->step = ENTER;
        return step(log, UPD_COPY_TAKE, sector->used);
    case ENTER:
        log->step = SEAL;
        sector->way = (uint8_t)way;
        sector->done = done;
        return step(log, UPD_COPY_ENTER, sector->used++);
    default:
        if (!log->sure) {
            log->sure = sector->sealed = true;
            return step(log, UPD_COPY_SEAL, 0);
        }
        log->step = BEGIN;
        return step(log, UPD_COPY_READY, 0);
    }
}

void upd_copy_entry(const struct upd_copy_log *log, uint8_t bytes[UPD_COPY_ENTRY_SIZE])
{
    encode(&log->sector[log->target], bytes);
}
