/*
 * Arduino on the ESP8266: one sketch, from 0 on, and a new one that is staged below the file
 * system.
 *
 *     0       0x1000                                            journal
 *     +------+--------------------+------+---------+---------+--+----------------+
 *     |loader| sketch that runs   | free | backup  | staged  |jn| file system    |
 *     +------+--------------------+------+---------+---------+--+----------------+
 *
 * With updraft's loader, activation copies the running sketch to the backup, writes the note and
 * sets ARMED; the rest is upd_eboot_boot()'s. With the stock one it leaves a command in RTC memory,
 * which a power cut takes back; nothing keeps a bad sketch from staying.
 *
 * (E1) What runs is never written by the library.
 * (E2) The staged sketch lies outside of what its installation overwrites, and so does the backup.
 * (E3) ARMED is set after staged sketch, backup and note were read back.
 */
#include <updraft/bytes.h>
#include <updraft/crc32.h>
#include <updraft/eboot_boot.h>
#include <updraft/loader_record.h>
#include <updraft/scheme.h>

#include "flash_ops.h"
#include "frame.h"

enum { CHUNK = 64, LOADER = 0x1000 };

/* Sectors of the backup that one byte of the journal's progress stands for: 128 of them will do. */
enum { PIECE = 2, PIECES = 128 };

static const struct upd_eboot_config *config_of(const struct upd_device *device)
{
    return device->of.eboot;
}

static uint32_t whole_sectors(const struct upd_device *device, uint32_t size)
{
    uint32_t sector = device->flash->sector_size;

    return (size + sector - 1) & ~(sector - 1);
}

static uint32_t running_end(const struct upd_device *device)
{
    return whole_sectors(device, config_of(device)->sketch_size);
}

/* The journal: (slots[1].offset); what is staged ends there. */
static uint32_t limit_of(const struct upd_device *device)
{
    return device->slots[1].offset;
}

static uint32_t larger(uint32_t one, uint32_t other)
{
    return one > other ? one : other;
}

static uint32_t smaller(uint32_t one, uint32_t other)
{
    return one < other ? one : other;
}

/* --- Places ------------------------------------------------------------------------------------
 */

/*
 * Where the running sketch is kept while the staged one, `size` bytes at `source`, is on trial:
 * below it, else above it; 0 when there is no room.
 */
static uint32_t find_backup(const struct upd_device *device, uint32_t source, uint32_t size)
{
    uint32_t own = running_end(device);
    uint32_t end = whole_sectors(device, size);

    if (!device->loader_counts) {
        return 0;
    }
    if (source >= own && source - own >= larger(own, end)) {
        return source - own;
    }
    return source <= limit_of(device) && limit_of(device) - source >= end &&
                   limit_of(device) - source - end >= own
               ? source + end
               : 0;
}

/* Room for a sketch whose size is not known: with a backup, unless that leaves too little. */
static uint32_t room_for_any(const struct upd_device *device)
{
    uint32_t own = running_end(device), limit = limit_of(device);
    uint32_t sector = UPD_JOURNAL_SIZE;
    uint32_t end = device->loader_counts ? limit - sector : limit; /* one for the log of copies */
    uint32_t alone = own < end ? smaller(end - own, end / 2) : 0;
    uint32_t kept = limit >= 2 * own ? smaller((limit - own) / 2, limit - 2 * own) : 0;

    if (device->loader_counts && (!config_of(device)->accept_no_way_back || kept >= own)) {
        alone = kept;
    }
    return smaller(alone, config_of(device)->max_sketch) & ~(sector - 1);
}

/* --- What the journal says ---------------------------------------------------------------------
 */

struct look {
    struct upd_eboot_state state; /* of which the library knows no verdicts */
    struct upd_journal_note note;
    bool in_force, given_up, on_trial;
    bool tried; /* the sketch that runs is on trial, or was until it was given up */
};

static enum upd_err look(struct upd_device *device, struct look *look)
{
    /* As the loader: a cover that a cut tore must not hide a frame from one of the two. */
    enum upd_err err = upd_frame_find(device, limit_of(device));

    memset(look, 0, sizeof *look);
    if (err != UPD_OK || !upd_frame_exists(&device->frame)) {
        return err;
    }
    look->state.noted = upd_frame_read_note(device, &look->note) && device->loader_counts;
    if (device->err != UPD_OK) {
        return device->err;
    }
    look->state.has_backup = look->state.noted && look->note.backup_size != 0;
    look->state.marks = device->frame.marks;
    look->in_force = upd_eboot_in_force(&look->state);
    look->given_up = (look->state.marks & UPD_MARKS_GIVEN_UP) != 0;
    /* Whoever is on trial was counted by the loader a moment ago. */
    look->tried =
        look->in_force && look->state.has_backup && upd_journal_starts(look->state.marks) > 0;
    look->on_trial = look->tried && !look->given_up;
    return UPD_OK;
}

/* The one of the reasons that was read. */
static enum upd_journal_mark reason_of(const struct upd_frame *frame)
{
    return upd_frame_has(frame, UPD_MARK_EXHAUSTED) ? UPD_MARK_EXHAUSTED
           : upd_frame_has(frame, UPD_MARK_DAMAGED) ? UPD_MARK_DAMAGED
                                                    : UPD_MARK_REFUSED;
}

static enum upd_err eboot_view(struct upd_device *device, struct upd_view *view)
{
    static const uint8_t falls[] = {UPD_FALL_EXHAUSTED, UPD_FALL_DAMAGED, UPD_FALL_REFUSED};
    struct look now;

    enum upd_err err = look(device, &now);
    if (err != UPD_OK) {
        return err;
    }
    *view = (struct upd_view){
        .running = 0,
        .selected = 0,
        .target = 0,
        .on_trial = now.on_trial,
        .starts = now.on_trial ? (uint8_t)upd_journal_starts(now.state.marks) : 0,
        .loader_counts = device->loader_counts,
        .pending = device->activated || (now.in_force && !now.on_trial),
        .fallen = UPD_SLOT_NONE,
    };
    if (now.given_up && !view->pending && !upd_frame_has(&device->frame, UPD_MARK_REPORTED)) {
        view->fall = (enum upd_fall)falls[reason_of(&device->frame) - UPD_MARK_EXHAUSTED];
        view->fallen = 0;
    }
    return UPD_OK;
}

/* --- Copies ------------------------------------------------------------------------------------
 */

/* Read bytes of flash for their CRC-32. */
static enum upd_err crc_of(struct upd_device *device, uint32_t offset, uint32_t size,
                           uint32_t *crc32)
{
    uint8_t chunk[CHUNK];
    enum upd_err err = UPD_OK;

    *crc32 = UPD_CRC32_INIT;
    for (uint32_t done = 0; done < size && err == UPD_OK; done += CHUNK) {
        uint32_t now = smaller(size - done, CHUNK);
        err = upd_flash_read(device, offset + done, chunk, now);
        *crc32 = upd_crc32(*crc32, chunk, now);
    }
    return err;
}

/* Copy flash from `from` to `end`, both at sectors, to `target`: whole pages, so a rest goes along.
 */
static enum upd_err copy(struct upd_device *device, uint32_t from, uint32_t end, uint32_t target)
{
    uint32_t sector = UPD_JOURNAL_SIZE;
    uint8_t page[UPD_JOURNAL_PAGE_SIZE];
    enum upd_err err = UPD_OK;

    for (uint32_t at = from; at < end && err == UPD_OK; at += sizeof page, target += sizeof page) {
        err = upd_flash_read(device, at, page, sizeof page);
        if (err == UPD_OK && at % sector == 0) {
            err = upd_flash_erase(device, target);
        }
        if (err == UPD_OK) {
            err = upd_flash_program(device, target, page, sizeof page);
        }
    }
    return err;
}

static uint32_t piece_end(const struct upd_device *device, uint32_t piece)
{
    return smaller(LOADER + (piece + 1) * PIECE * UPD_JOURNAL_SIZE, running_end(device));
}

static uint32_t piece_begin(const struct upd_device *device, uint32_t piece)
{
    return LOADER + piece * PIECE * device->flash->sector_size;
}

/* The journal's progress of the backup begins behind that of the download, at a whole word. */
static uint32_t first_unit(const struct upd_device *device, uint32_t room)
{
    return (room / device->flash->sector_size + 3) & ~3u;
}

static enum upd_err crc_of_piece(struct upd_device *device, uint32_t base, uint32_t piece,
                                 uint32_t *crc32)
{
    uint32_t begin = piece_begin(device, piece);

    return crc_of(device, base + begin, piece_end(device, piece) - begin, crc32);
}

/*
 * Pieces that an earlier session copied, from the first one on. One that a cut tore may look whole,
 * so the journal has to say that it was; what it says may be torn too, so both have to agree.
 */
static enum upd_err find_backed_up(struct upd_device *device, uint32_t room, uint32_t backup)
{
    uint32_t unit = first_unit(device, room);
    enum upd_err err = UPD_OK;

    device->backed_up = 0;
    while (err == UPD_OK && device->backed_up < PIECES &&
           piece_begin(device, device->backed_up) < running_end(device)) {
        uint32_t piece = device->backed_up, wanted, found = 0;
        uint8_t progress = 0xFF;
        err = upd_frame_progress(device, unit + piece, &progress, 1);
        if (err == UPD_OK) {
            err = crc_of_piece(device, 0, piece, &wanted);
        }
        if (err == UPD_OK) {
            err = crc_of_piece(device, backup, piece, &found);
        }
        if (err != UPD_OK || found != wanted || progress != upd_journal_progress_byte(wanted)) {
            break;
        }
        device->backed_up++;
    }
    return err;
}

/* What an earlier session made of the backup, into this session's frame. */
static enum upd_err keep_backed_up(struct upd_device *device, uint32_t unit)
{
    uint8_t progress[PIECES];
    enum upd_err err = UPD_OK;

    memset(progress, 0xFF, sizeof progress);
    for (uint32_t piece = 0; piece < device->backed_up && err == UPD_OK; piece++) {
        uint32_t crc32;
        err = crc_of_piece(device, 0, piece, &crc32);
        progress[piece] = upd_journal_progress_byte(crc32);
    }
    if (err == UPD_OK && device->backed_up > 0) {
        upd_frame_restore(device, unit, progress, device->backed_up);
        /* Progress that does not read well ends what a later session finds: no harm. */
        err = upd_flash_tolerate(device);
    }
    return err;
}

/* Copy what runs to the backup, and note each piece. */
static enum upd_err back_up(struct upd_device *device, uint32_t room, uint32_t backup)
{
    uint32_t unit = first_unit(device, room), piece = device->backed_up;
    enum upd_err err = keep_backed_up(device, unit);

    for (; piece_begin(device, piece) < running_end(device) && err == UPD_OK; piece++) {
        uint32_t begin = piece_begin(device, piece), crc32;
        err = copy(device, begin, piece_end(device, piece), backup + begin);
        if (err == UPD_OK) {
            err = crc_of_piece(device, 0, piece, &crc32);
        }
        if (err == UPD_OK && piece < PIECES) {
            upd_frame_advance(device, unit + piece, upd_journal_progress_byte(crc32));
            err = upd_flash_tolerate(device);
        }
    }
    return err;
}

/* --- Before and after a download ---------------------------------------------------------------
 */

static enum upd_err eboot_prepare(struct upd_device *device, uint32_t size, bool fresh,
                                  struct upd_area *area, uint32_t *journal)
{
    const struct upd_eboot_config *config = config_of(device);
    bool known = size != UPD_SIZE_UNKNOWN;
    uint32_t limit = limit_of(device);
    struct look now;

    if (known && size > smaller(config->max_sketch, limit)) {
        return UPD_E_SPACE;
    }
    uint32_t room = known ? whole_sectors(device, size) : room_for_any(device);
    uint32_t source = limit - room;
    /* Outside of what runs, and of what will be overwritten by it: (E1), (E2). */
    bool fits = room <= limit && source >= larger(running_end(device), room);
    bool back = fits && room != 0 && find_backup(device, source, room) != 0;
    if (fits && !back && device->loader_counts) {
        /* Where there is no backup, the log of copies takes a sector below what is staged. */
        fits = source - larger(running_end(device), room) >= UPD_JOURNAL_SIZE;
    }
    if (!back && !config->accept_no_way_back) {
        return fits && room != 0 ? UPD_E_ROLLBACK : known ? UPD_E_SPACE : UPD_E_ROLLBACK;
    }
    if (!fits || room == 0) {
        return UPD_E_SPACE;
    }
    /* The last frame is over, for sure, before another one takes its place: (J4). One with a note
     * may be ARMED, which a cut may have torn. Then its note goes: what the loader finds of it later,
     * behind a head that was torn or wiped, must not lead it to a log and copies that are gone. */
    enum upd_err err = look(device, &now);
    if (device->loader_counts && upd_frame_exists(&device->frame) &&
        !upd_frame_note_is_blank(device)) {
        upd_frame_mark(device, UPD_MARK_CLOSED);
        err = upd_frame_wipe_note(device);
    }
    device->backed_up = 0;
    if (err == UPD_OK && !fresh && back) {
        err = find_backed_up(device, room, find_backup(device, source, room));
    }
    *area = (struct upd_area){source, room};
    *journal = limit;
    device->target.size = smaller(config->max_sketch, room);
    return err;
}

static enum upd_err arm(struct upd_device *device, const struct upd_install *install,
                        uint32_t backup)
{
    uint32_t size = config_of(device)->sketch_size;
    struct upd_journal_note note = {
        .source = install->area.offset, .size = install->size, .crc32 = install->crc32};
    enum upd_err err = UPD_OK;

    if (backup != 0) {
        note.backup = backup;
        note.backup_size = size;
        /* Each page of it is read back, now or by the session that copied it. */
        err = back_up(device, install->area.size, backup);
        if (err == UPD_OK) {
            err = crc_of(device, LOADER, size - LOADER, &note.backup_crc32);
        }
    }
    if (err == UPD_OK) { /* no entry of an earlier update is in it */
        err = upd_flash_erase(device, upd_journal_note_log(&note, 0));
    }
    if (err == UPD_OK) {
        err = upd_frame_write_note(device, &note);
    }
    return err == UPD_OK ? upd_frame_mark(device, UPD_MARK_ARMED) : err;
}

/*
 * The stock loader copies its own sector too, when the staged one is another: cut there, nothing
 * starts any more. So what is staged gets the sector that is in use.
 */
static enum upd_err keep_loader(struct upd_device *device, uint32_t source)
{
    uint32_t mine, staged;
    enum upd_err err = crc_of(device, 0, LOADER, &mine);

    if (err == UPD_OK) {
        err = crc_of(device, source, LOADER, &staged);
    }
    if (err != UPD_OK || mine == staged) {
        return err;
    }
    /* What lies there is no more what was downloaded: nobody shall go on with it. */
    err = upd_frame_mark(device, UPD_MARK_CLOSED);
    return err == UPD_OK ? copy(device, 0, LOADER, source) : err;
}

static enum upd_err eboot_activate(struct upd_device *device, const struct upd_install *install)
{
    const struct upd_eboot_config *config = config_of(device);
    uint32_t backup = find_backup(device, install->area.offset, install->area.size);
    uint8_t block[UPD_EBOOT_COMMAND_SIZE];
    enum upd_err err;

    if (install->size <= LOADER) {
        return UPD_E_ARG;
    }
    if (backup == 0 && !config->accept_no_way_back) {
        return UPD_E_ROLLBACK;
    }
    if (device->loader_counts) {
        err = arm(device, install, backup);
    } else {
        struct upd_eboot_command command = {
            .action = UPD_EBOOT_COPY, .source = install->area.offset, .size = install->size};
        upd_eboot_build(&command, block);
        err = keep_loader(device, install->area.offset);
        if (err == UPD_OK) {
            err = config->rtc_write(config->ctx, block);
        }
    }
    device->activated = err == UPD_OK;
    return err;
}

/* --- The trial ---------------------------------------------------------------------------------
 */

/* The frame is over. PROVEN says that CLOSED is whole: (J4). */
static enum upd_err close(struct upd_device *device)
{
    enum upd_err err = upd_frame_mark(device, UPD_MARK_CLOSED);

    return err == UPD_OK ? upd_frame_mark(device, UPD_MARK_PROVEN) : err;
}

/* Does a copy that the note tells of still verify? */
static bool verifies(struct upd_device *device, uint32_t offset, uint32_t size, uint32_t wanted)
{
    uint32_t crc32;

    return crc_of(device, offset + LOADER, size - LOADER, &crc32) == UPD_OK && crc32 == wanted;
}

static bool backup_verifies(struct upd_device *device, const struct upd_journal_note *note)
{
    return verifies(device, note->backup, note->backup_size, note->backup_crc32);
}

/*
 * What the loader and the library read of a torn mark may differ. Then the mark is set again, and
 * the loader asked again; unless what it would copy is there already, or damaged.
 */
static enum upd_err eboot_start(struct upd_device *device, enum upd_start *todo)
{
    struct look now;
    const struct upd_journal_note *note = &now.note;

    *todo = UPD_START_GO_ON;
    enum upd_err err = look(device, &now);
    const struct upd_frame *frame = &device->frame;
    /* A torn CLOSED may have set PROVEN beside it. */
    bool over = upd_frame_has(frame, UPD_MARK_PROVEN) && upd_frame_has(frame, UPD_MARK_CLOSED);
    if (err != UPD_OK || !now.state.noted || over || now.on_trial) {
        return err;
    }
    /* Whatever was torn last is completed: what it says was right when it was begun. */
    if (!upd_frame_is_blank(device, UPD_MARK_CLOSED)) {
        return close(device);
    }
    enum upd_journal_mark again = UPD_MARK_ARMED;
    if (now.in_force) {
        bool back = now.given_up && now.state.has_backup;
        uint32_t source = back ? note->backup : note->source;
        uint32_t size = back ? note->backup_size : note->size;
        uint32_t crc32 = back ? note->backup_crc32 : note->crc32;
        if (verifies(device, 0, size, crc32) || !verifies(device, source, size, crc32)) {
            return close(device);
        }
        again = back ? reason_of(frame) : UPD_MARK_ARMED;
    } else if (upd_frame_is_blank(device, UPD_MARK_ARMED)) {
        return device->err;
    }
    /* Activation that was cut in its last step, before which all was ready, is completed, too. */
    if (device->err == UPD_OK) {
        *todo = UPD_START_RESTART;
    }
    return upd_frame_mark(device, again);
}

static enum upd_err eboot_confirm(struct upd_device *device)
{
    struct look now;

    enum upd_err err = look(device, &now);
    return err == UPD_OK && now.on_trial ? close(device) : err;
}

static enum upd_err eboot_roll_back(struct upd_device *device)
{
    struct look now;

    enum upd_err err = look(device, &now);
    if (err != UPD_OK) {
        return err;
    }
    /* A torn REFUSED may read as set by now. */
    if (!now.tried || !backup_verifies(device, &now.note)) {
        return UPD_E_NOT_FOUND;
    }
    err = upd_frame_mark(device, UPD_MARK_REFUSED);
    device->activated = err == UPD_OK;
    return err;
}

static enum upd_err eboot_acknowledge(struct upd_device *device)
{
    struct upd_view view;

    enum upd_err err = eboot_view(device, &view);
    return err == UPD_OK && view.fall != UPD_FALL_NONE ? upd_frame_mark(device, UPD_MARK_REPORTED)
                                                       : err;
}

const struct upd_scheme upd_scheme_eboot = {
    .name = "eboot",
    .view = eboot_view,
    .start = eboot_start,
    .prepare = eboot_prepare,
    .activate = eboot_activate,
    .confirm = eboot_confirm,
    .roll_back = eboot_roll_back,
    .acknowledge = eboot_acknowledge,
};

/* --- Opening -----------------------------------------------------------------------------------
 */

enum upd_err upd_eboot_open(struct upd_device *device, const struct upd_flash *flash,
                            const struct upd_eboot_config *config)
{
    uint8_t bytes[UPD_LOADER_RECORD_SIZE];
    struct upd_loader_record record;

    memset(device, 0, sizeof *device);
    if (flash->page_size != UPD_JOURNAL_PAGE_SIZE || flash->sector_size != UPD_JOURNAL_SIZE ||
        config->rtc_write == NULL || config->fs_start % UPD_JOURNAL_SIZE != 0 ||
        config->fs_start > flash->total_size || config->sketch_size <= LOADER ||
        config->fs_start < UPD_JOURNAL_SIZE ||
        config->sketch_size > config->fs_start - UPD_JOURNAL_SIZE) {
        return UPD_E_ARG;
    }
    device->scheme = &upd_scheme_eboot;
    device->flash = flash;
    device->trouble = UINT32_MAX;
    device->of.eboot = config;
    device->frame.index = UPD_JOURNAL_FRAMES;
    device->slot_count = 1;
    device->slots[0] = (struct upd_area){0, config->sketch_size};
    enum upd_err err = upd_flash_read(device, UPD_LOADER_RECORD_OFFSET, bytes, sizeof bytes);
    if (err != UPD_OK) {
        return err;
    }
    uint32_t journal = config->fs_start - UPD_JOURNAL_SIZE;
    if (upd_loader_record_decode(bytes, &record) == UPD_OK) {
        /* A loader that looks for its journal elsewhere would not see what is written here. */
        device->loader_counts = record.installs && record.counts && record.journal == journal;
    }
    device->slots[1] = (struct upd_area){journal, UPD_JOURNAL_SIZE};
    device->target = (struct upd_image_target){.chip = UPD_CHIP_ESP8266,
                                               .place = UPD_PLACE_SKETCH,
                                               .flash_size = flash->total_size,
                                               .chip_revision = UPD_IMAGE_ANY_REVISION,
                                               .efuse_revision = UPD_IMAGE_ANY_REVISION,
                                               .flash_map = UPD_IMAGE_ANY,
                                               .flash_mode = UPD_IMAGE_ANY};
    return UPD_OK;
}
