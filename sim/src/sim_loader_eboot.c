/* The boot loaders of the Arduino core for the ESP8266. */
#include "sim_loader.h"

#include <string.h>

#include <updraft/bytes.h>
#include <updraft/copy_log.h>
#include <updraft/crc32.h>
#include <updraft/eboot.h>
#include <updraft/eboot_boot.h>
#include <updraft/loader_record.h>

/* What the ROM does before any loader runs: sector 0 is an image of its own. */
static bool rom_starts(struct sim_machine *machine)
{
    uint8_t sector[SIM_SECTOR];
    uint8_t sum = 0xEF;

    if (!sim_loader_read(machine, 0, sector, sizeof sector)) {
        return false;
    }
    uint32_t at = 8;
    for (uint32_t i = 0; i < sector[1]; i++) {
        uint32_t size = at + 8 <= sizeof sector ? upd_get_le32(sector + at + 4) : UINT32_MAX;
        at += 8;
        if (at > sizeof sector || size > sizeof sector - at) {
            return sim_loader_die(machine, "the ROM finds no loader in sector 0");
        }
        for (uint32_t k = 0; k < size; k++, at++) {
            sum ^= sector[at];
        }
    }
    if (sector[0] != 0xE9 || (at | 15) >= sizeof sector || sector[at | 15] != sum) {
        return sim_loader_die(machine, "the ROM finds no loader in sector 0");
    }
    return true;
}

/* Sector by sector; sector 0 is left alone when it is the same already. */
static enum upd_eboot_result copy(struct sim_machine *machine,
                                  const struct upd_eboot_command *command)
{
    uint8_t sector[SIM_SECTOR], there[SIM_SECTOR];

    if ((command->source | command->target) % SIM_SECTOR != 0) {
        return UPD_EBOOT_RESULT_ALIGN;
    }
    for (uint32_t at = 0; at < command->size; at += SIM_SECTOR) {
        uint32_t target = command->target + at;
        if (!sim_loader_read(machine, command->source + at, sector, sizeof sector)) {
            return UPD_EBOOT_RESULT_READ;
        }
        if (target == 0 && (!sim_loader_read(machine, 0, there, sizeof there) ||
                            memcmp(sector, there, sizeof there) == 0)) {
            continue;
        }
        if (!sim_loader_erase(machine, target)) {
            return UPD_EBOOT_RESULT_ERASE;
        }
        if (!sim_loader_program(machine, target, sector, sizeof sector)) {
            return UPD_EBOOT_RESULT_WRITE;
        }
    }
    return UPD_EBOOT_RESULT_OK;
}

/* Magic and segments; no sum is looked at. */
static bool load(struct sim_machine *machine, uint32_t address)
{
    uint8_t header[8];

    if (!sim_loader_read(machine, address + SIM_SECTOR, header, sizeof header)) {
        return false;
    }
    if (header[0] != 0xE9) {
        return true; /* "e:1", and a reset */
    }
    return sim_loader_start(machine, address);
}

bool sim_loader_eboot_original(struct sim_machine *machine)
{
    uint8_t block[UPD_EBOOT_COMMAND_SIZE];
    struct upd_eboot_command command;
    struct upd_eboot_decision decision;

    if (!rom_starts(machine)) {
        return false;
    }
    (void)!sim_rtc_read(machine->rtc, SIM_RTC_USER_BLOCK, block, sizeof block);
    upd_eboot_decide(block, &decision);
    if (decision.next == UPD_EBOOT_NEXT_COPY && upd_eboot_parse(block, &command) == UPD_OK) {
        enum upd_eboot_result result = copy(machine, &command);
        if (!sim_flash_has_power(machine->sim)) {
            return false;
        }
        upd_eboot_after_copy(&command, result, &decision);
    }
    if (decision.clear) {
        upd_eboot_clear(block);
        (void)!sim_rtc_write(machine->rtc, SIM_RTC_USER_BLOCK, block, sizeof block);
    }
    return decision.next == UPD_EBOOT_NEXT_RESET || load(machine, decision.address);
}

/* --- updraft's ---------------------------------------------------------------------------------
 */

struct eboot {
    struct sim_machine *machine;
    struct upd_eboot_state state;
    struct upd_journal_note note;
    struct upd_copy_log log; /* as it was read at the beginning, and what was noted since */
    uint32_t frame;          /* flash offset */
};

enum { STRIDE = 2 }; /* sectors between two notes in the log */

static uint32_t size_of(const struct eboot *eboot, bool back)
{
    return back ? eboot->note.backup_size : eboot->note.size;
}

/* Sectors of a copy: without the first one. */
static uint32_t count_of(const struct eboot *eboot, bool back)
{
    return (size_of(eboot, back) - 1) / SIM_SECTOR;
}

static bool read_log(struct eboot *eboot)
{
    uint8_t mark[UPD_JOURNAL_MARK_SIZE], entry[UPD_COPY_ENTRY_SIZE];
    struct upd_copy_log *log = &eboot->log;

    for (uint32_t sector = 0; sector < 2; sector++) {
        uint32_t base = upd_journal_note_log(&eboot->note, sector);
        for (uint32_t place = 0; place < UPD_COPY_PLACES; place++) {
            if (!sim_loader_read(eboot->machine, base + upd_copy_taken_offset(place), mark,
                                 sizeof mark) ||
                !sim_loader_read(eboot->machine, base + upd_copy_entry_offset(place), entry,
                                 sizeof entry)) {
                return false;
            }
            upd_copy_see(log, sector, place, upd_journal_mark_is_set(mark), entry);
        }
        if (!sim_loader_read(eboot->machine, base + UPD_COPY_SEALED_OFFSET, mark, sizeof mark)) {
            return false;
        }
        log->sector[sector].sealed = upd_journal_mark_is_set(mark);
    }
    uint32_t way = upd_copy_way(log);
    bool back = way == UPD_COPY_RESTORE, ended = upd_copy_done(log) >= count_of(eboot, back);
    eboot->state.copied = way == UPD_COPY_NONE ? UPD_EBOOT_NOTHING
                          : back               ? ended ? UPD_EBOOT_IS_RESTORED : UPD_EBOOT_RESTORING
                          : ended              ? UPD_EBOOT_IS_INSTALLED
                                               : UPD_EBOOT_INSTALLING;
    return true;
}

static bool read_journal(struct eboot *eboot, uint32_t journal)
{
    struct upd_eboot_state *state = &eboot->state;
    struct upd_journal_head head;
    uint8_t bytes[UPD_JOURNAL_BODY_SIZE];
    bool framed = false;

    /* A head that verifies tells by itself that it is sound: (J2), (J3). The cover may be torn. */
    for (uint32_t i = UPD_JOURNAL_FRAMES; i > 0 && !framed; i--) {
        eboot->frame = journal + upd_journal_frame_offset(i - 1);
        if (!sim_loader_read(eboot->machine, eboot->frame, bytes, sizeof bytes)) {
            return false;
        }
        framed = upd_journal_head_decode(bytes, &head) == UPD_OK;
    }
    for (uint32_t mark = 0; mark < UPD_MARK_COUNT && framed; mark++) {
        uint32_t at = eboot->frame + upd_journal_mark_offset((enum upd_journal_mark)mark);
        if (!sim_loader_read(eboot->machine, at, bytes, UPD_JOURNAL_MARK_SIZE)) {
            return false;
        }
        state->marks |= (uint16_t)(upd_journal_mark_is_set(bytes) ? UPD_MARK_BIT(mark) : 0);
    }
    if (!sim_loader_read(eboot->machine, eboot->frame + UPD_JOURNAL_NOTE_OFFSET, bytes,
                         UPD_JOURNAL_NOTE_SIZE)) {
        return false;
    }
    state->noted = framed && upd_journal_note_decode(bytes, &eboot->note) == UPD_OK;
    state->has_backup = state->noted && eboot->note.backup_size != 0;
    return !state->noted || read_log(eboot);
}

static bool verify(struct eboot *eboot, uint32_t which)
{
    const struct upd_journal_note *note = &eboot->note;
    bool back = which == UPD_EBOOT_BACKUP || which == UPD_EBOOT_RESTORED;
    uint32_t from = which == UPD_EBOOT_STAGED   ? note->source
                    : which == UPD_EBOOT_BACKUP ? note->backup
                                                : 0;
    uint32_t size = size_of(eboot, back);
    uint32_t crc32 = UPD_CRC32_INIT;
    uint8_t sector[SIM_SECTOR];

    for (uint32_t at = SIM_SECTOR; at < size; at += SIM_SECTOR) {
        uint32_t now = size - at < SIM_SECTOR ? size - at : SIM_SECTOR;
        if (!sim_loader_read(eboot->machine, from + at, sector, now)) {
            return false;
        }
        crc32 = upd_crc32(crc32, sector, now);
    }
    eboot->state.verdict[which] =
        crc32 == (back ? note->backup_crc32 : note->crc32) ? UPD_EBOOT_GOOD : UPD_EBOOT_BAD;
    return true;
}

static bool set_mark(struct eboot *eboot, enum upd_journal_mark mark)
{
    static const uint8_t zeros[UPD_JOURNAL_MARK_SIZE];

    eboot->state.marks |= (uint16_t)UPD_MARK_BIT(mark);
    eboot->state.sure |= (uint16_t)UPD_MARK_BIT(mark);
    return sim_loader_program(eboot->machine, eboot->frame + upd_journal_mark_offset(mark), zeros,
                              sizeof zeros);
}

static bool do_log_step(struct eboot *eboot, struct upd_copy_step step)
{
    static const uint8_t zeros[UPD_JOURNAL_MARK_SIZE];
    uint32_t base = upd_journal_note_log(&eboot->note, step.sector);
    uint8_t entry[UPD_COPY_ENTRY_SIZE];

    switch (step.what) {
    case UPD_COPY_WIPE:
        return sim_loader_program(eboot->machine, base + upd_copy_entry_offset(step.place), zeros,
                                  sizeof entry);
    case UPD_COPY_ERASE:
        return sim_loader_erase(eboot->machine, base);
    case UPD_COPY_TAKE:
        return sim_loader_program(eboot->machine, base + upd_copy_taken_offset(step.place), zeros,
                                  sizeof zeros);
    case UPD_COPY_ENTER:
        upd_copy_entry(&eboot->log, entry);
        return sim_loader_program(eboot->machine, base + upd_copy_entry_offset(step.place), entry,
                                  sizeof entry);
    case UPD_COPY_SEAL:
        return sim_loader_program(eboot->machine, base + UPD_COPY_SEALED_OFFSET, zeros,
                                  sizeof zeros);
    default:
        return true;
    }
}

/* Note, for sure, that so many sectors are copied. */
static bool note_done(struct eboot *eboot, enum upd_copy_way way, uint32_t done)
{
    struct upd_copy_step step = {0};

    while (step.what != UPD_COPY_READY) {
        step = upd_copy_note(&eboot->log, way, done);
        if (!do_log_step(eboot, step)) {
            return false;
        }
    }
    return true;
}

/* The loader's own sector is not part of it. What is found is noted before a sector is touched. */
static bool copy_sketch(struct eboot *eboot, bool back, bool anew)
{
    enum upd_copy_way way = back ? UPD_COPY_RESTORE : UPD_COPY_INSTALL;
    uint32_t source = back ? eboot->note.backup : eboot->note.source;
    uint32_t count = count_of(eboot, back);
    uint32_t done = anew || upd_copy_way(&eboot->log) != way ? 0 : upd_copy_done(&eboot->log);
    struct upd_eboot_state *state = &eboot->state;
    uint8_t sector[SIM_SECTOR];

    state->anew = done == 0;
    if (!note_done(eboot, way, done)) {
        return false;
    }
    while (done < count) {
        uint32_t at = (done + 1) * SIM_SECTOR;
        if (!sim_loader_read(eboot->machine, source + at, sector, sizeof sector) ||
            !sim_loader_erase(eboot->machine, at) ||
            !sim_loader_program(eboot->machine, at, sector, sizeof sector)) {
            return false;
        }
        done++;
        if ((done % STRIDE == 0 || done == count) && !note_done(eboot, way, done)) {
            return false;
        }
    }
    state->copied = back ? UPD_EBOOT_IS_RESTORED : UPD_EBOOT_IS_INSTALLED;
    state->held = true;
    state->verdict[UPD_EBOOT_INSTALLED] = UPD_EBOOT_UNKNOWN;
    state->verdict[UPD_EBOOT_RESTORED] = UPD_EBOOT_UNKNOWN;
    return true;
}

/* False when power went. */
static bool do_step(struct eboot *eboot, struct upd_eboot_step step)
{
    bool back;

    switch (step.what) {
    case UPD_EBOOT_DO_VERIFY:
        return verify(eboot, step.which);
    case UPD_EBOOT_DO_MARK:
        return set_mark(eboot, (enum upd_journal_mark)step.which);
    case UPD_EBOOT_DO_HOLD:
        eboot->state.held = true;
        back = upd_copy_way(&eboot->log) == UPD_COPY_RESTORE;
        return note_done(eboot, back ? UPD_COPY_RESTORE : UPD_COPY_INSTALL, count_of(eboot, back));
    case UPD_EBOOT_DO_INSTALL:
    case UPD_EBOOT_DO_RESTORE:
        return copy_sketch(eboot, step.what == UPD_EBOOT_DO_RESTORE, step.which != 0);
    default:
        return false;
    }
}

bool sim_loader_eboot(struct sim_machine *machine)
{
    struct eboot eboot = {.machine = machine};
    struct upd_loader_record record;
    struct upd_eboot_step step;
    uint8_t bytes[UPD_LOADER_RECORD_SIZE];

    if (!rom_starts(machine) ||
        !sim_loader_read(machine, UPD_LOADER_RECORD_OFFSET, bytes, sizeof bytes)) {
        return false;
    }
    if (upd_loader_record_decode(bytes, &record) == UPD_OK && record.installs &&
        !read_journal(&eboot, record.journal)) {
        return false;
    }
    for (step = upd_eboot_boot(&eboot.state);
         step.what != UPD_EBOOT_DO_START && step.what != UPD_EBOOT_DO_HALT;
         step = upd_eboot_boot(&eboot.state)) {
        if (!do_step(&eboot, step)) {
            return false;
        }
    }
    return step.what == UPD_EBOOT_DO_HALT ? sim_loader_die(machine, "no sketch verifies")
                                          : load(machine, 0);
}
