#include "fold.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <updraft/bytes.h>
#include <updraft/copy_log.h>
#include <updraft/crc32.h>
#include <updraft/journal.h>
#include <updraft/nonos_select.h>
#include <updraft/sim_random.h>

#include "map.h"
#include "sim_chip.h"

/* --- Cells ------------------------------------------------------------------------------------ */

/* Some cells of a sector. `weak` has a 1 for each unstable one, where `bits` has a 1 too. */
struct cells {
    uint8_t *bits;
    uint8_t *weak;
};

static struct cells at(struct cells cells, uint32_t offset)
{
    return (struct cells){cells.bits + offset, cells.weak + offset};
}

static bool all_are(const uint8_t *bytes, uint32_t size, uint8_t value)
{
    for (uint32_t i = 0; i < size; i++) {
        if (bytes[i] != value) {
            return false;
        }
    }
    return true;
}

static bool is_sound(struct cells cells, uint32_t size)
{
    return all_are(cells.weak, size, 0);
}

/* Some reading is all FF. */
static bool may_be_blank(struct cells cells, uint32_t size)
{
    return all_are(cells.bits, size, 0xFF);
}

/* Some reading is these bytes. */
static bool may_be(struct cells cells, const uint8_t *value, uint32_t size)
{
    for (uint32_t i = 0; i < size; i++) {
        if (((cells.bits[i] ^ value[i]) & ~cells.weak[i]) != 0) {
            return false;
        }
    }
    return true;
}

static void put(struct cells cells, const uint8_t *value, uint32_t size)
{
    memcpy(cells.bits, value, size);
    memset(cells.weak, 0, size);
}

static void put_blank(struct cells cells, uint32_t size)
{
    memset(cells.bits, 0xFF, size);
    memset(cells.weak, 0, size);
}

static void put_zeros(struct cells cells, uint32_t size)
{
    memset(cells.bits, 0, size);
    memset(cells.weak, 0, size);
}

/* Neither blank nor anything that is ever written. */
static void put_garbage(struct cells cells, uint32_t size)
{
    put_blank(cells, size);
    cells.bits[0] = 0;
}

/* One cell, which a program has to clear to make the value of it, does not hold. */
static void put_doubtful(struct cells cells, const uint8_t *value, uint32_t size)
{
    uint32_t i = 0;

    put(cells, value, size);
    while (i < size - 1 && value[i] == 0xFF) {
        i++;
    }
    uint8_t mask = (uint8_t)(~value[i] & (value[i] + 1));
    cells.bits[i] |= mask;
    cells.weak[i] |= mask;
}

static void put_doubtful_blank(struct cells cells, uint32_t size)
{
    put_blank(cells, size);
    cells.weak[0] = 1;
}

enum { UNITS_MAX = 16 };

/* What is known of the setup. */
static struct {
    const struct setup *setup;
    enum kind kind;
    struct file padded[VERSIONS][SLOTS_MAX]; /* whole sectors, as they lie in flash */
    struct map folded;                       /* hash of a sector as it is -> its normal form */
    struct map nodes;                        /* hash of a normal form -> it */
    struct sim_snapshot *fresh;              /* the device as it was made */
    struct sim_sector *junk;                 /* what verifies as nothing */
} known;

/* --- Items that are one of a few values ------------------------------------------------------- */

/*
 * Readers look whether such an item is one of its values, and whether it is blank; what else it
 * holds makes no difference to them.
 */
enum { VALUES_MAX = 96, VALUE_MAX = 64 };

struct values {
    uint8_t bytes[VALUES_MAX][VALUE_MAX];
    uint32_t count;
};

static struct values heads, notes, entries;

static void learn(struct values *values, const uint8_t *bytes, uint32_t size)
{
    for (uint32_t i = 0; i < values->count; i++) {
        if (memcmp(values->bytes[i], bytes, size) == 0) {
            return;
        }
    }
    if (values->count == VALUES_MAX) {
        die("more than %d values of one item", VALUES_MAX);
    }
    memcpy(values->bytes[values->count++], bytes, size);
}

void fold_learn(const void *data, uint32_t size)
{
    const uint8_t *bytes = data;
    struct upd_journal_head head;
    struct upd_journal_note note;

    if (size == UPD_JOURNAL_BODY_SIZE && upd_journal_head_decode(bytes, &head) == UPD_OK) {
        learn(&heads, bytes, size);
    }
    if (size == UPD_JOURNAL_NOTE_SIZE && upd_journal_note_decode(bytes, &note) == UPD_OK) {
        uint32_t count = notes.count;
        learn(&notes, bytes, size);
        if (notes.count != count) {
            map_free(&known.folded); /* other sectors are the log from now on */
            known.folded = (struct map){0};
        }
    }
    if (size == UPD_COPY_ENTRY_SIZE && bytes[0] == 'U' && bytes[1] == 'C') {
        learn(&entries, bytes, size);
    }
}

enum certainty { NO, PERHAPS, SURE };

/* Whether it is a value: the number of the value goes to *which. */
static enum certainty find_value(struct cells cells, const struct values *values, uint32_t size,
                                 uint32_t *which)
{
    for (*which = 0; *which < values->count; (*which)++) {
        if (may_be(cells, values->bytes[*which], size)) {
            return is_sound(cells, size) ? SURE : PERHAPS;
        }
    }
    return NO;
}

static enum certainty is_blank(struct cells cells, uint32_t size)
{
    return !may_be_blank(cells, size) ? NO : is_sound(cells, size) ? SURE : PERHAPS;
}

/* Fold one, and tell whether it is a value. */
static enum certainty fold_value(struct cells cells, const struct values *values, uint32_t size)
{
    uint32_t which;
    enum certainty blank = is_blank(cells, size);
    enum certainty is = find_value(cells, values, size, &which);

    if (is == PERHAPS && blank == PERHAPS) {
        /* All that it takes for the value is in doubt. */
        put_blank(cells, size);
        for (uint32_t i = 0; i < size; i++) {
            cells.weak[i] = (uint8_t)~values->bytes[which][i];
        }
    } else if (is == PERHAPS) {
        put_doubtful(cells, values->bytes[which], size);
    } else if (blank == PERHAPS) {
        put_doubtful_blank(cells, size);
    } else if (is == NO && blank == NO) {
        put_garbage(cells, size);
    }
    return is;
}

/* --- Marks ------------------------------------------------------------------------------------ */

enum { IS_SET = 80, TOUCHED = 32, NEARLY = 160, HOPELESS = 200 };

static uint32_t count_ones(const uint8_t *bytes, uint32_t size)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < size; i++) {
        for (uint32_t bits = bytes[i]; bits != 0; bits &= bits - 1) {
            count++;
        }
    }
    return count;
}

static enum certainty certainty_of_mark(struct cells mark)
{
    uint32_t weak = count_ones(mark.weak, UPD_JOURNAL_MARK_SIZE);
    uint32_t zeros = 8 * UPD_JOURNAL_MARK_SIZE - count_ones(mark.bits, UPD_JOURNAL_MARK_SIZE);

    return zeros >= IS_SET ? SURE : zeros + weak >= IS_SET ? PERHAPS : NO;
}

static void put_cells(struct cells mark, uint32_t zeros, uint32_t weak)
{
    put_blank(mark, UPD_JOURNAL_MARK_SIZE);
    for (uint32_t i = 0; i < zeros + weak; i++) {
        uint8_t mask = (uint8_t)(1u << i % 8);
        if (i < zeros) {
            mark.bits[i / 8] &= (uint8_t)~mask;
        } else {
            mark.weak[i / 8] |= mask;
        }
    }
}

/*
 * A mark is set or not by the number of its zeros; only whether it is blank is asked besides, by
 * eboot. One that was touched and is not set has as many as a tear of a neighbour leaves: what many
 * tears of one page would add up to is not followed.
 */
static enum certainty fold_mark(struct cells mark)
{
    uint32_t weak = count_ones(mark.weak, UPD_JOURNAL_MARK_SIZE);
    uint32_t zeros = 8 * UPD_JOURNAL_MARK_SIZE - count_ones(mark.bits, UPD_JOURNAL_MARK_SIZE);

    if (zeros >= IS_SET) {
        put_cells(mark, 8 * UPD_JOURNAL_MARK_SIZE, 0);
        return SURE;
    }
    if (zeros + weak < IS_SET) {
        if (zeros != 0) {
            put_cells(mark, TOUCHED, 0);
        } else if (weak != 0) {
            put_doubtful_blank(mark, UPD_JOURNAL_MARK_SIZE);
        }
        return NO;
    }
    /* Setting it again may not make it sure where too many cells are unstable. */
    if (weak > 8 * UPD_JOURNAL_MARK_SIZE - IS_SET) {
        put_cells(mark, 0, HOPELESS);
    } else if (zeros == 0) {
        put_cells(mark, 0, NEARLY);
    } else {
        put_cells(mark, IS_SET - 1, 1);
    }
    return PERHAPS;
}

/* --- The journal ------------------------------------------------------------------------------ */

static struct cells mark_at(struct cells frame, enum upd_journal_mark mark)
{
    return at(frame, upd_journal_mark_offset(mark));
}

static enum certainty find_cover(struct cells sector)
{
    uint8_t cover[UPD_JOURNAL_COVER_SIZE];
    struct cells cells = at(sector, UPD_JOURNAL_COVER_OFFSET);

    upd_journal_cover_encode(cover);
    return !may_be(cells, cover, sizeof cover) ? NO
           : is_sound(cells, sizeof cover)     ? SURE
                                               : PERHAPS;
}

/*
 * No cover and no head, for sure: to its readers it is no journal, and what takes it next empties
 * it, whatever is in it. It is only asked whether any frame is ARMED.
 */
static void fold_no_journal(struct cells sector, enum certainty armed)
{
    put_blank(sector, SECTOR);
    put_garbage(at(sector, UPD_JOURNAL_COVER_OFFSET), UPD_JOURNAL_COVER_SIZE);
    for (uint32_t i = 0; i < UPD_JOURNAL_FRAMES; i++) {
        put_garbage(at(sector, upd_journal_frame_offset(i)), UPD_JOURNAL_BODY_SIZE);
    }
    if (armed != NO) {
        put_cells(mark_at(at(sector, upd_journal_frame_offset(0)), UPD_MARK_ARMED),
                  armed == SURE ? 8 * UPD_JOURNAL_MARK_SIZE : IS_SET - 1, armed == SURE ? 0 : 1);
    }
}

/* Bytes that are read for nothing but whether they are blank, and with `ignored` not even for that. */
static void fold_rest(struct cells cells, uint32_t size, bool ignored)
{
    enum certainty blank = is_blank(cells, size);

    if (ignored || blank == SURE) {
        put_blank(cells, size);
    } else if (blank == PERHAPS) {
        put_doubtful_blank(cells, size);
    } else {
        put_garbage(cells, size);
    }
}

enum { FIRST_PAGES = 2 * UPD_JOURNAL_PAGE_SIZE };

/*
 * Progress is compared with the flash, from the first byte on. One that is no longer FF, and not
 * what the image in the flash wants, ends what is found, as FF does.
 */
static void fold_progress(struct cells frame, const uint8_t *wanted, uint32_t count, bool touched)
{
    struct cells progress = at(frame, upd_journal_progress_offset(0));
    uint32_t first_page = 224;

    for (uint32_t i = 0; i < count; i++) {
        struct cells byte = at(progress, i);
        if (wanted[i] != 0xFF && may_be(byte, &wanted[i], 1)) {
            if (is_sound(byte, 1)) {
                continue;
            }
            bool blank = may_be_blank(byte, 1);
            put(byte, &wanted[i], 1);
            if (blank) {
                put_blank(byte, 1);
                byte.weak[0] = (uint8_t)~wanted[i];
            }
        } else if (touched) {
            put_blank(byte, 1);
        }
    }
    fold_rest(at(progress, count), first_page - count, touched);
}

/* The progress that complete units of this frame's download have, FF behind them; how many. */
static uint32_t wanted_progress(const struct upd_journal_head *head, uint8_t wanted[UNITS_MAX])
{
    const struct setup *setup = known.setup;
    uint32_t place = 0;

    memset(wanted, 0xFF, UNITS_MAX);
    while (setup->scheme != EBOOT && place + 1 < setup->slot_count &&
           setup->slot[place].offset != head->offset) {
        place++;
    }
    const struct file *image = &setup->image[NEW][place];
    for (uint32_t i = 0; (i + 1) * SECTOR <= image->size; i++) {
        wanted[i] =
            upd_journal_progress_byte(upd_crc32(UPD_CRC32_INIT, image->data + i * SECTOR, SECTOR));
    }
    if (setup->scheme != EBOOT) {
        return image->size / SECTOR;
    }
    /* Behind them, at a whole word, those of the backup, two sectors each. */
    const struct file *old = &known.padded[OLD][0];
    uint32_t unit = (head->room / SECTOR + 3) & ~3u, from = SECTOR;
    for (; from < old->size && unit < UNITS_MAX; unit++, from += 2 * SECTOR) {
        uint32_t size = old->size - from < 2 * SECTOR ? old->size - from : 2 * SECTOR;
        wanted[unit] = upd_journal_progress_byte(upd_crc32(UPD_CRC32_INIT, old->data + from, size));
    }
    return unit;
}

static enum certainty head_of(struct cells frame)
{
    uint32_t which;

    return find_value(frame, &heads, UPD_JOURNAL_BODY_SIZE, &which);
}

/* Progress is read where a download may be resumed; elsewhere nobody looks at it. */
static uint32_t progress_of(struct cells frame, uint8_t wanted[UNITS_MAX])
{
    struct upd_journal_head head;
    uint32_t which;

    return find_value(frame, &heads, UPD_JOURNAL_BODY_SIZE, &which) != NO &&
                   upd_journal_head_decode(heads.bytes[which], &head) == UPD_OK && head.resumable
               ? wanted_progress(&head, wanted)
               : 0;
}

static enum certainty look_at_mark(struct cells frame, enum upd_journal_mark mark)
{
    return certainty_of_mark(mark_at(frame, mark));
}

static bool is_touched(struct cells frame, enum upd_journal_mark mark)
{
    return is_blank(mark_at(frame, mark), UPD_JOURNAL_MARK_SIZE) != SURE;
}

static void set_mark(struct cells frame, enum upd_journal_mark mark)
{
    put_zeros(mark_at(frame, mark), UPD_JOURNAL_MARK_SIZE);
}

static void clear_mark(struct cells frame, enum upd_journal_mark mark)
{
    put_blank(mark_at(frame, mark), UPD_JOURNAL_MARK_SIZE);
}

/* A frame in which no download, and no trial, is. */
static void put_lost(struct cells frame)
{
    put_blank(frame, UPD_JOURNAL_FRAME_SIZE);
    put_garbage(frame, UPD_JOURNAL_BODY_SIZE);
    set_mark(frame, UPD_MARK_TAKEN);
}

/* Three marks for one thing; the reason is told to the server and decides nothing. */
static void fold_given_up(struct cells frame)
{
    static const enum upd_journal_mark marks[] = {UPD_MARK_EXHAUSTED, UPD_MARK_DAMAGED,
                                                  UPD_MARK_REFUSED};
    uint8_t best_bits[UPD_JOURNAL_MARK_SIZE], best_weak[UPD_JOURNAL_MARK_SIZE];
    uint32_t best = 0;

    for (uint32_t i = 1; i < 3; i++) {
        enum certainty this = look_at_mark(frame, marks[i]),
                       so_far = look_at_mark(frame, marks[best]);
        if (this > so_far || (this == so_far && this == NO && is_touched(frame, marks[i]))) {
            best = i;
        }
    }
    struct cells from = mark_at(frame, marks[best]);
    memcpy(best_bits, from.bits, sizeof best_bits);
    memcpy(best_weak, from.weak, sizeof best_weak);
    for (uint32_t i = 0; i < 3; i++) {
        clear_mark(frame, marks[i]);
    }
    memcpy(mark_at(frame, marks[0]).bits, best_bits, sizeof best_bits);
    memcpy(mark_at(frame, marks[0]).weak, best_weak, sizeof best_weak);
}

/* The highest start that is set counts, and none when the trial is over. */
static void fold_starts(struct cells frame)
{
    bool over = look_at_mark(frame, UPD_MARK_CLOSED) == SURE ||
                look_at_mark(frame, UPD_MARK_EXHAUSTED) == SURE;

    for (uint32_t mark = UPD_MARK_START_3, set = 0; mark >= UPD_MARK_START_1; mark--) {
        if (over) {
            clear_mark(frame, (enum upd_journal_mark)mark);
        } else if (set != 0) {
            set_mark(frame, (enum upd_journal_mark)mark);
        }
        set |= look_at_mark(frame, (enum upd_journal_mark)mark) == SURE;
    }
}

/*
 * One frame. `above`: a higher frame was touched, for sure, so that nobody asks any more whether
 * this one is free, and nobody writes to it. `exposes`: a lower frame may be in force, and is hidden
 * by this one.
 */
static void fold_frame(struct cells frame, bool above, bool exposes)
{
    uint8_t wanted[UNITS_MAX];
    bool eboot = known.setup->scheme == EBOOT;
    enum certainty head = fold_value(frame, &heads, UPD_JOURNAL_BODY_SIZE);
    enum certainty blank = is_blank(frame, UPD_JOURNAL_BODY_SIZE);
    enum certainty taken = fold_mark(mark_at(frame, UPD_MARK_TAKEN));
    bool touched = above || taken == SURE || head == SURE || blank == NO ||
                   is_blank(mark_at(frame, UPD_MARK_TAKEN), UPD_JOURNAL_MARK_SIZE) == NO;
    uint32_t resumable = progress_of(frame, wanted);
    uint32_t end = 4 * UPD_JOURNAL_PAGE_SIZE;

    if (head == NO && touched) {
        put_lost(frame);
        return;
    }
    if (touched) {
        set_mark(frame, UPD_MARK_TAKEN);
    }
    fold_rest(at(frame, UPD_JOURNAL_BODY_SIZE), UPD_JOURNAL_PAGE_SIZE - UPD_JOURNAL_BODY_SIZE,
              touched);
    fold_progress(frame, wanted, resumable, touched);
    put_blank(at(frame, FIRST_PAGES), UPD_JOURNAL_PAGE_SIZE - UPD_JOURNAL_MARK_SIZE);
    for (uint32_t mark = 0; mark < UPD_MARK_COUNT; mark++) {
        struct cells cells = mark_at(frame, (enum upd_journal_mark)mark);
        if (mark == UPD_MARK_TAKEN) {
            continue;
        }
        /* Whether one is blank is asked by eboot alone; a frame below is not written any more. */
        enum certainty is = fold_mark(cells);
        if (!eboot && is == NO && (above || is_blank(cells, UPD_JOURNAL_MARK_SIZE) == PERHAPS)) {
            put_blank(cells, UPD_JOURNAL_MARK_SIZE);
        } else if (!eboot && is == PERHAPS && is_blank(cells, UPD_JOURNAL_MARK_SIZE) == PERHAPS) {
            put_cells(cells, IS_SET - 1, 1);
        }
    }
    if (known.setup->scheme == NONOS) {
        clear_mark(frame, UPD_MARK_SWITCHED);
        if (look_at_mark(frame, UPD_MARK_ARMED) == NO) {
            /* Each session takes a frame of its own: one that is not armed by now never is. */
            for (uint32_t mark = 0; mark < UPD_MARK_COUNT; mark++) {
                if (mark != UPD_MARK_TAKEN && (resumable == 0 || mark != UPD_MARK_CLOSED)) {
                    clear_mark(frame, (enum upd_journal_mark)mark);
                }
            }
            if (resumable == 0 && head == SURE && !exposes) {
                put_lost(frame);
                return;
            }
        }
    }
    fold_given_up(frame);
    fold_starts(frame);
    if (eboot) {
        struct cells note = at(frame, UPD_JOURNAL_NOTE_OFFSET);
        enum certainty noted = fold_value(note, &notes, UPD_JOURNAL_NOTE_SIZE);
        bool never = is_blank(mark_at(frame, UPD_MARK_ARMED), UPD_JOURNAL_MARK_SIZE) == SURE;
        bool tells = look_at_mark(frame, UPD_MARK_EXHAUSTED) != NO;
        /* Without a note nothing else of it counts, but why it was given up; nor is one below armed
         * any more. */
        if (resumable == 0 && head == SURE && !exposes &&
            ((noted == NO && !tells) || (above && never))) {
            put_lost(frame);
            return;
        }
        clear_mark(frame, UPD_MARK_SWITCHED);
    } else {
        put_blank(at(frame, UPD_JOURNAL_NOTE_OFFSET), UPD_JOURNAL_NOTE_SIZE);
    }
    put_blank(at(frame, end), UPD_JOURNAL_MARK_SIZE);
    put_blank(at(frame, end + 4 * UPD_JOURNAL_MARK_SIZE),
              UPD_JOURNAL_PAGE_SIZE - 4 * UPD_JOURNAL_MARK_SIZE);
}

static bool is_frame_touched(struct cells frame)
{
    return is_blank(frame, UPD_JOURNAL_BODY_SIZE) == NO ||
           is_blank(mark_at(frame, UPD_MARK_TAKEN), UPD_JOURNAL_MARK_SIZE) == NO;
}

static void fold_journal(struct cells sector)
{
    enum certainty cover = find_cover(sector), head = NO, armed = NO;
    uint8_t bytes[UPD_JOURNAL_COVER_SIZE];
    struct cells cover_at = at(sector, UPD_JOURNAL_COVER_OFFSET);
    enum certainty cover_blank = is_blank(cover_at, sizeof bytes);

    for (uint32_t i = 0; i < UPD_JOURNAL_FRAMES; i++) {
        struct cells frame = at(sector, upd_journal_frame_offset(i));
        enum certainty this = head_of(frame);
        head = this > head ? this : head;
        this = fold_mark(mark_at(frame, UPD_MARK_ARMED));
        armed = this > armed ? this : armed;
    }
    if (cover == NO && head == NO) {
        fold_no_journal(sector, armed);
        return;
    }
    put_blank(sector, UPD_JOURNAL_COVER_OFFSET);
    put_blank(at(sector, UPD_JOURNAL_COVER_OFFSET + sizeof bytes),
              UPD_JOURNAL_PAGE_SIZE - UPD_JOURNAL_COVER_OFFSET - sizeof bytes);
    upd_journal_cover_encode(bytes);
    if (cover == PERHAPS) {
        put_doubtful(cover_at, bytes, sizeof bytes);
    } else if (cover == NO) {
        /* It was wiped; blank it would be left alone, which is less. */
        (void)cover_blank;
        put_garbage(cover_at, sizeof bytes);
    }
    uint32_t end = upd_journal_frame_offset(UPD_JOURNAL_FRAMES);
    put_blank(at(sector, end), SECTOR - end);
    bool above = false;
    for (uint32_t i = UPD_JOURNAL_FRAMES; i > 0; i--) {
        struct cells frame = at(sector, upd_journal_frame_offset(i - 1));
        bool exposes = false;
        for (uint32_t k = 0; k + 1 < i; k++) {
            struct cells lower = at(sector, upd_journal_frame_offset(k));
            exposes |= head_of(lower) != NO && look_at_mark(lower, UPD_MARK_ARMED) != NO;
        }
        fold_frame(frame, above, exposes);
        above |= is_frame_touched(frame);
    }
}

/* --- Images ----------------------------------------------------------------------------------- */

/* What verifies as nothing, and is no block of a copy either. */
static void put_junk(struct cells cells)
{
    put_garbage(cells, SECTOR);
    cells.bits[1] = 0;
}

/* True when the sector is, or may be, sector `index` of an image. */
static bool fold_as_image(struct cells cells, const struct file *image, uint32_t index)
{
    const uint8_t *data = image->data + index * SECTOR;

    if (image->size <= index * SECTOR) {
        return false;
    }
    uint32_t size = image->size - index * SECTOR;
    size = size < SECTOR ? size : SECTOR;
    if (!may_be(cells, data, size)) {
        return false;
    }
    bool sound = is_sound(cells, size);
    put_blank(cells, SECTOR);
    if (sound) {
        put(cells, data, size);
    } else {
        put_doubtful(cells, data, size);
    }
    return true;
}

/* What lies in a slot at this sector: a version of its image, or nothing that would verify. */
static void fold_slot_sector(struct cells cells, uint32_t place, uint32_t index)
{
    for (uint32_t version = VERSIONS; version > 0; version--) {
        if (fold_as_image(cells, &known.setup->image[version - 1][place], index)) {
            return;
        }
    }
    put_junk(cells);
}

/* --- The parameters of the NONOS SDK ---------------------------------------------------------- */

static struct values blocks;

/* A seal is whole, or all zero, or blank, or something else. */
static void fold_seal(struct cells cells, const struct values *seals)
{
    if (!all_are(cells.bits, UPD_SEAL_SIZE, 0)) {
        (void)fold_value(cells, seals, UPD_SEAL_SIZE);
    }
}

static bool may_have_version(struct cells block, bool wanted)
{
    for (uint32_t reading = 0; reading < 256; reading++) {
        uint32_t version = (block.bits[1] & ~(uint32_t)(block.weak[1] & reading)) & 0x1F;
        if ((version - UPD_BOOT_V1_2 < UPD_BOOT_NONE - UPD_BOOT_V1_2) == wanted) {
            return true;
        }
    }
    return false;
}

/* A copy without all of its settings is never selected; but whether it has a block is asked. */
static void fold_torn_copy(struct cells cells)
{
    bool may = may_have_version(cells, true), may_not = may_have_version(cells, false);

    put_garbage(cells, SECTOR);
    cells.bits[1] = may ? UPD_BOOT_V1_2 : 0;
    cells.weak[1] = may && may_not ? UPD_BOOT_V1_2 : 0;
}

static bool holds_settings(struct cells cells)
{
    for (uint32_t i = UPD_BOOT_BLOCK_SIZE; i < UPD_SYSPARAM_SDK_SIZE; i++) {
        if (((cells.bits[i] ^ (i * 7 + (i >> 8))) & 0xFF & ~(uint32_t)cells.weak[i]) != 0) {
            return false;
        }
    }
    return true;
}

/*
 * The places of the seals that are taken for sure make no difference by their order, nor by how
 * many of them are whole: one is enough, and each is made invalid before the copy is written. What
 * is no seal in them is nothing.
 */
static void fold_places(struct cells cells, const struct values *seal)
{
    uint32_t taken = 0, which, found = 0;
    enum certainty is[UPD_COPY_SEALS];
    bool has[3] = {false, false, false}, touched = false;

    for (uint32_t i = 0; i < UPD_COPY_SEALS; i++) {
        struct cells mark = at(cells, UPD_COPY_MARK_OFFSET(i));
        is[i] = fold_mark(mark);
        fold_seal(at(cells, UPD_COPY_SEAL_OFFSET(i)), seal);
        taken = is[i] == SURE ? i + 1 : taken;
        touched |= is[i] == NO && is_blank(mark, UPD_JOURNAL_MARK_SIZE) != SURE;
        put_blank(at(cells, UPD_COPY_SEAL_OFFSET(i) + UPD_SEAL_SIZE), PAGE - UPD_SEAL_SIZE);
    }
    for (uint32_t i = 0; i < UPD_COPY_SEALS; i++) {
        struct cells mark = at(cells, UPD_COPY_MARK_OFFSET(i));
        struct cells place = at(cells, UPD_COPY_SEAL_OFFSET(i));
        enum certainty whole = find_value(place, seal, UPD_SEAL_SIZE, &which);
        if (i < taken) {
            has[whole < is[i] ? whole : is[i]] = true;
            put_zeros(mark, UPD_JOURNAL_MARK_SIZE);
            put_zeros(place, UPD_SEAL_SIZE);
        } else if (is[i] == PERHAPS) {
            put_cells(mark, IS_SET - 1, 1);
        } else if (touched) {
            put_cells(mark, TOUCHED, 0);
        }
    }
    if (taken > 0 && has[SURE]) {
        put(at(cells, UPD_COPY_SEAL_OFFSET(found++)), seal->bytes[0], UPD_SEAL_SIZE);
    }
    if (taken > found && has[PERHAPS]) {
        put_doubtful(at(cells, UPD_COPY_SEAL_OFFSET(found)), seal->bytes[0], UPD_SEAL_SIZE);
    }
}

static bool may_be_sealed(struct cells cells, const struct values *seal)
{
    uint32_t which;

    for (uint32_t i = 0; i < UPD_COPY_SEALS; i++) {
        if (certainty_of_mark(at(cells, UPD_COPY_MARK_OFFSET(i))) != NO &&
            find_value(at(cells, UPD_COPY_SEAL_OFFSET(i)), seal, UPD_SEAL_SIZE, &which) != NO) {
            return true;
        }
    }
    return false;
}

static void fold_copy(struct cells cells)
{
    static struct values seal = {.count = 1};

    upd_copy_seal(seal.bytes[0]);
    if (is_sound(cells, UPD_SYSPARAM_SDK_SIZE) && holds_settings(cells)) {
        learn(&blocks, cells.bits, UPD_BOOT_BLOCK_SIZE);
        fold_places(cells, &seal);
    } else if (!may_be_sealed(cells, &seal)) {
        /* It was being written, and is, again, from its erase on. Were it selected, the settings
         * would be gone, and the search says so. */
        fold_torn_copy(cells);
    } else {
        die("a copy is torn while it may be sealed");
    }
    put_blank(at(cells, UPD_SYSPARAM_SDK_SIZE), UPD_COPY_MARK_OFFSET(0) - UPD_SYSPARAM_SDK_SIZE);
    put_blank(at(cells, UPD_COPY_MARK_OFFSET(UPD_COPY_SEALS)),
              UPD_COPY_SEAL_OFFSET(0) - UPD_COPY_MARK_OFFSET(UPD_COPY_SEALS));
    put_blank(at(cells, UPD_COPY_SEAL_OFFSET(UPD_COPY_SEALS)),
              SECTOR - UPD_COPY_SEAL_OFFSET(UPD_COPY_SEALS));
}

static void make_flag_seal(uint8_t seal[UPD_SEAL_SIZE], uint8_t copy)
{
    upd_copy_seal(seal);
    seal[UPD_SEAL_SIZE - 2] = copy;
    seal[UPD_SEAL_SIZE - 1] = (uint8_t)~copy;
}

/* Byte 0: 0 or not is what selects; of an erased record, whether it is above 1. */
static void fold_selector(struct cells byte)
{
    if ((byte.bits[0] & ~byte.weak[0]) == 0 && byte.weak[0] != 0) {
        byte.bits[0] = byte.weak[0] = 1;
    } else if (byte.weak[0] != 0 || (byte.bits[0] > 1 && byte.bits[0] != 0xFF)) {
        byte.bits[0] = 0x7F;
        byte.weak[0] = 0;
    }
}

/*
 * The flag sector. A record is read in part only: whether its magic number is there, or blank. What
 * is in the fields behind it is carried over where the sector is SOUND, and then the whole of it is
 * sound; its number is counted up and compared with nothing.
 */
static void fold_flag(struct cells cells)
{
    enum { MAGIC = 4, COUNTER = 8, LENGTH = 12, HEAD = UPD_SYSPARAM_HEAD_SIZE };
    static struct values seals = {.count = 2}, magic = {.count = 1};
    struct cells places = at(cells, UPD_FLAG_SEALS_OFFSET);
    enum certainty sealed = NO;

    make_flag_seal(seals.bytes[0], 0);
    make_flag_seal(seals.bytes[1], 1);
    upd_put_le32(magic.bytes[0], UPD_SYSPARAM_MAGIC);
    fold_selector(cells);
    if (!is_sound(at(cells, 1), HEAD - 1)) {
        put_blank(at(cells, COUNTER), HEAD - COUNTER);
        put_blank(at(cells, 1), 3);
    }
    if (fold_value(at(cells, MAGIC), &magic, 4) != SURE) {
        put_blank(at(cells, COUNTER), HEAD - COUNTER);
        put_blank(at(cells, 1), 3);
    } else {
        upd_put_le32(cells.bits + COUNTER, 1);
    }
    fold_rest(places, UPD_SEAL_SIZE, false);
    for (uint32_t i = 1; i < 3; i++) {
        enum certainty this = fold_value(at(places, i * UPD_SEAL_SIZE), &seals, UPD_SEAL_SIZE);
        sealed = this > sealed ? this : sealed;
    }
    /* In DOUBT, for sure: all of it is written anew, and only byte 0 is read. */
    if (sealed == NO && is_blank(places, UPD_SEAL_SIZE) == NO) {
        put_garbage(at(cells, 1), HEAD - 1);
        put_zeros(places, UPD_FLAG_SEALS_SIZE);
        cells.bits[0] = cells.weak[0] == 0 && cells.bits[0] != 0 ? 0xFF : cells.bits[0];
    }
    put_blank(at(cells, HEAD), UPD_FLAG_SEALS_OFFSET - HEAD);
    put_blank(at(places, UPD_FLAG_SEALS_SIZE),
              SECTOR - UPD_FLAG_SEALS_OFFSET - UPD_FLAG_SEALS_SIZE);
}

/* --- Arduino ---------------------------------------------------------------------------------- */

/* The log of copies: places and marks. */
static void fold_log(struct cells cells)
{
    uint32_t end = upd_copy_taken_offset(UPD_COPY_PLACES);

    for (uint32_t i = 0; i < UPD_COPY_PLACES; i++) {
        (void)fold_mark(at(cells, upd_copy_taken_offset(i)));
        (void)fold_value(at(cells, upd_copy_entry_offset(i)), &entries, UPD_COPY_ENTRY_SIZE);
        put_blank(at(cells, upd_copy_entry_offset(i) + UPD_COPY_ENTRY_SIZE),
                  PAGE - UPD_COPY_ENTRY_SIZE);
    }
    put_blank(at(cells, end), UPD_COPY_SEALED_OFFSET - end);
    (void)fold_mark(at(cells, UPD_COPY_SEALED_OFFSET));
    end = UPD_COPY_SEALED_OFFSET + UPD_JOURNAL_MARK_SIZE;
    put_blank(at(cells, end), upd_copy_entry_offset(0) - end);
    end = upd_copy_entry_offset(UPD_COPY_PLACES);
    put_blank(at(cells, end), SECTOR - end);
}

static bool is_log(uint32_t offset)
{
    struct upd_journal_note note;

    for (uint32_t i = 0; i < notes.count; i++) {
        if (upd_journal_note_decode(notes.bytes[i], &note) == UPD_OK &&
            (offset == upd_journal_note_log(&note, 0) || offset == note.source)) {
            return true;
        }
    }
    return false;
}

/* Any sector of either sketch may lie anywhere: where it runs, staged, or kept. */
static void fold_sketch_sector(struct cells cells, uint32_t offset)
{
    for (uint32_t version = 0; version < VERSIONS; version++) {
        for (uint32_t i = 0; i * SECTOR < known.padded[version][0].size; i++) {
            if (fold_as_image(cells, &known.padded[version][0], i)) {
                return;
            }
        }
    }
    if (is_log(offset)) {
        fold_log(cells);
    } else {
        put_junk(cells);
    }
}

/* --- All of it -------------------------------------------------------------------------------- */

/* Which sector this is, and so what it may hold. */
static void fold_sector(struct cells cells, uint32_t area, uint32_t index)
{
    const struct setup *setup = known.setup;
    uint32_t offset = setup->area[area].offset + index * SECTOR;

    if (setup->scheme == NONOS && area == 0) {
        fold_journal(cells);
    } else if (setup->scheme == NONOS && area == 1 && index < 2) {
        fold_copy(cells);
    } else if (setup->scheme == NONOS && area == 1) {
        fold_flag(cells);
    } else if (setup->scheme == NONOS) {
        fold_slot_sector(cells, area - 2, index);
    } else if (setup->scheme == EBOOT && area == 0) {
        fold_journal(cells);
    } else if (setup->scheme == EBOOT) {
        fold_sketch_sector(cells, offset);
    }
}

static struct cells cells_of(struct sim_store *store, struct sim_sector *sector)
{
    struct sim_cells cells = sim_sector_open(store, sector);

    return (struct cells){cells.bits, cells.unstable};
}

/* One node for each content, in place of the one that is there. */
static struct sim_sector *share(struct sim_chip *chip, uint32_t index)
{
    struct sim_sector *sector = sim_sector_own(&chip->root, index);
    uint64_t hash = sim_sector_hash(chip->store, sector) | 1;
    uint64_t *node = map_at(&known.nodes, hash);

    if (*node == 0) {
        sector->refs++;
        *node = (uintptr_t)sector;
    }
    sim_sector_put(&chip->root, index, (struct sim_sector *)(uintptr_t)*node);
    return (struct sim_sector *)(uintptr_t)*node;
}

static struct sim_sector *node_at(const struct sim_chip *chip, uint32_t index)
{
    return chip->root->chunks[index / chip->store->chunk_width]
        ->sectors[index % chip->store->chunk_width];
}

static void fold_at(struct sim_chip *chip, uint32_t area, uint32_t within)
{
    uint32_t index = known.setup->area[area].offset / SECTOR + within;
    struct sim_sector *sector = node_at(chip, index);

    if (sector == sim_sector_at(known.fresh, index)) {
        return;
    }
    uint64_t key = sim_random_mix(sim_sector_hash(chip->store, sector) + index) | 1;
    uint64_t *node = map_at(&known.folded, key);
    if (*node != 0) {
        sim_sector_put(&chip->root, index, (struct sim_sector *)(uintptr_t)*node);
        return;
    }
    sector = sim_sector_own(&chip->root, index);
    fold_sector(cells_of(chip->store, sector), area, within);
    memset(sector->programs, 0, SECTOR / PAGE);
    sector->deceived = false;
    sim_sector_close(chip->store, sector);
    *node = (uintptr_t)share(chip, index);
}

/* Sectors that an update of this setup may write. */
static uint32_t sectors_of(uint32_t area)
{
    const struct setup *setup = known.setup;
    uint32_t count = setup->area[area].size / SECTOR, most = 0;

    if (area < setup->metadata_count) {
        return count;
    }
    if (setup->scheme == EBOOT) {
        return count - 1; /* the last one is the journal */
    }
    for (uint32_t place = 0; place < setup->slot_count; place++) {
        for (uint32_t version = 0; version < VERSIONS; version++) {
            uint32_t size = (setup->image[version][place].size + SECTOR - 1) / SECTOR;
            most = size > most ? size : most;
        }
    }
    return most;
}

static bool may_hold(const struct sim_chip *chip, uint32_t place, uint32_t version, uint32_t from,
                     uint32_t to)
{
    const struct file *image = &known.setup->image[version][place];

    for (uint32_t i = from; i < to && i * SECTOR < image->size; i++) {
        const struct sim_sector *sector =
            sim_sector_at(chip->root, known.setup->slot[place].offset / SECTOR + i);
        uint32_t size = image->size - i * SECTOR < SECTOR ? image->size - i * SECTOR : SECTOR;
        for (uint32_t k = 0; k < size; k++) {
            uint8_t weak = sector->unstable == NULL ? 0 : sector->unstable[k];
            if (((sector->bits[k] ^ image->data[i * SECTOR + k]) & ~weak) != 0) {
                return false;
            }
        }
    }
    return true;
}

/*
 * A slot in which no version can be whole is written from its first sector on, each sector erased
 * before; so it makes no difference what is in it. A download that is resumed keeps the sectors
 * that it finds whole, from the first one on.
 */
static void fold_slot(struct sim_chip *chip, uint32_t place, uint32_t sectors)
{
    uint32_t first = known.setup->slot[place].offset / SECTOR, kept = 0;

    if (may_hold(chip, place, NEW, 0, sectors) || may_hold(chip, place, OLD, 0, sectors)) {
        return;
    }
    while (known.kind == KIND_RESUMED && may_hold(chip, place, NEW, kept, kept + 1)) {
        kept++;
    }
    for (; kept < sectors; kept++) {
        sim_sector_put(&chip->root, first + kept, known.junk);
    }
}

/* The cells of a sector to look at; `none` stands for no unstable ones. */
static struct cells seen_at(const struct sim_chip *chip, uint32_t index)
{
    static uint8_t none[SECTOR];
    struct sim_sector *sector = node_at(chip, index);

    return (struct cells){sector->bits, sector->unstable == NULL ? none : sector->unstable};
}

/*
 * While the flag sector is sealed, for sure, the copy that it does not select is looked at for its
 * seals alone; without one it is written anew, from its erase on, before it is selected.
 */
static void fold_other_copy(struct sim_chip *chip)
{
    uint32_t base = known.setup->area[1].offset / SECTOR, which;
    struct cells flag = seen_at(chip, base + 2);
    struct values seal = {.count = 1};
    bool sealed = false;

    if (flag.weak[0] != 0) {
        return;
    }
    uint32_t current = flag.bits[0] != 0;
    make_flag_seal(seal.bytes[0], (uint8_t)current);
    for (uint32_t i = 1; i < 3; i++) {
        struct cells place = at(flag, UPD_FLAG_SEALS_OFFSET + i * UPD_SEAL_SIZE);
        sealed |= find_value(place, &seal, UPD_SEAL_SIZE, &which) == SURE;
    }
    upd_copy_seal(seal.bytes[0]);
    if (sealed && !may_be_sealed(seen_at(chip, base + !current), &seal)) {
        sim_sector_put(&chip->root, base + !current, known.junk);
    }
}

/* --- The log of copies, both sectors of it ------------------------------------------------------ */

static bool may_be_armed(struct cells journal)
{
    for (uint32_t i = 0; i < UPD_JOURNAL_FRAMES; i++) {
        struct cells frame = at(journal, upd_journal_frame_offset(i));
        if (head_of(frame) != NO && look_at_mark(frame, UPD_MARK_ARMED) != NO) {
            return true;
        }
    }
    return false;
}

static bool is_junk(const struct sim_sector *sector)
{
    return sector == known.junk;
}

/* The entry that a place holds or may hold; false: none. */
static bool find_entry(struct cells sector, uint32_t place, uint8_t entry[UPD_COPY_ENTRY_SIZE])
{
    uint32_t which;

    if (find_value(at(sector, upd_copy_entry_offset(place)), &entries, UPD_COPY_ENTRY_SIZE,
                   &which) == NO) {
        return false;
    }
    memcpy(entry, entries.bytes[which], UPD_COPY_ENTRY_SIZE);
    return true;
}

/* Turns are compared with one another, and one more is made of them: their order is all. */
static void fold_turns(struct sim_chip *chip, const uint32_t index[2])
{
    enum { TURNS_MAX = 64 };
    uint8_t entry[UPD_COPY_ENTRY_SIZE];
    bool used[TURNS_MAX] = {false};
    uint32_t rank[TURNS_MAX] = {0};
    bool changes = false;

    for (uint32_t i = 0; i < 2 * UPD_COPY_PLACES; i++) {
        if (find_entry(seen_at(chip, index[i % 2]), i / 2, entry)) {
            uint32_t turn = upd_get_le32(entry + 4);
            if (turn >= TURNS_MAX) {
                die("a turn of %u", turn);
            }
            used[turn] = true;
        }
    }
    for (uint32_t turn = 0, count = 0; turn < TURNS_MAX; turn++) {
        count += used[turn];
        rank[turn] = count;
        changes |= used[turn] && count != turn;
    }
    for (uint32_t i = 0; i < 2 && changes; i++) {
        struct sim_sector *sector = sim_sector_own(&chip->root, index[i]);
        struct cells cells = cells_of(chip->store, sector);
        for (uint32_t place = 0; place < UPD_COPY_PLACES; place++) {
            struct cells there = at(cells, upd_copy_entry_offset(place));
            if (find_entry(cells, place, entry)) {
                bool sound = is_sound(there, sizeof entry);
                bool blank = may_be_blank(there, sizeof entry);
                upd_put_le32(entry + 4, rank[upd_get_le32(entry + 4)]);
                upd_put_le32(entry + 12, upd_crc32(UPD_CRC32_INIT, entry, 12));
                learn(&entries, entry, sizeof entry);
                if (sound) {
                    put(there, entry, sizeof entry);
                } else if (!blank) {
                    put_doubtful(there, entry, sizeof entry);
                } else {
                    put_blank(there, sizeof entry);
                    for (uint32_t k = 0; k < sizeof entry; k++) {
                        there.weak[k] = (uint8_t)~entry[k];
                    }
                }
            }
        }
        sim_sector_close(chip->store, sector);
        (void)share(chip, index[i]);
    }
}

static bool is_image_sector(const struct sim_chip *chip, uint32_t index)
{
    struct cells cells = seen_at(chip, index);

    for (uint32_t version = 0; version < VERSIONS; version++) {
        const struct file *image = &known.padded[version][0];
        for (uint32_t i = 0; i * SECTOR < image->size; i++) {
            if (may_be(cells, image->data + i * SECTOR, SECTOR)) {
                return true;
            }
        }
    }
    return false;
}

/*
 * What is neither of the sketches nor their log is erased before it is written, and verifies as
 * nothing; and the log is read only while the loader has something to install or to put back.
 */
static void fold_sketches(struct sim_chip *chip)
{
    bool armed = may_be_armed(seen_at(chip, known.setup->area[0].offset / SECTOR));
    struct upd_journal_note note;

    /* Raw and from the first byte on: each sector is erased before it is written. */
    for (uint32_t i = known.padded[OLD][0].size / SECTOR;
         known.kind == KIND_FULL && !armed && i <= sectors_of(1); i++) {
        if (node_at(chip, i) != sim_sector_at(known.fresh, i) && !is_junk(node_at(chip, i)) &&
            i >= known.padded[NEW][0].size / SECTOR) {
            sim_sector_put(&chip->root, i, known.junk);
        }
    }

    for (uint32_t i = 0; i < notes.count; i++) {
        if (upd_journal_note_decode(notes.bytes[i], &note) != UPD_OK) {
            continue;
        }
        uint32_t index[2] = {upd_journal_note_log(&note, 0) / SECTOR, note.source / SECTOR};
        for (uint32_t k = 0; k < 2 && !armed; k++) {
            if (node_at(chip, index[k]) != sim_sector_at(known.fresh, index[k]) &&
                !is_junk(node_at(chip, index[k])) && !is_image_sector(chip, index[k])) {
                sim_sector_put(&chip->root, index[k], known.junk);
            }
        }
        if (armed) {
            fold_turns(chip, index);
        }
    }
}

bool fold_is_spent(const struct life *life)
{
    const struct sim_chip *chip = life->sim.chip;
    struct values seal = {.count = 1};
    bool spent = false;

    upd_copy_seal(seal.bytes[0]);
    for (uint32_t copy = 0; copy < 2 && known.setup->scheme == NONOS; copy++) {
        struct cells cells = seen_at(chip, known.setup->area[1].offset / SECTOR + copy);
        uint32_t taken = 0, sealed = 0, which;
        for (uint32_t i = 0; i < UPD_COPY_SEALS; i++) {
            taken += certainty_of_mark(at(cells, UPD_COPY_MARK_OFFSET(i))) != NO;
            sealed += find_value(at(cells, UPD_COPY_SEAL_OFFSET(i)), &seal, UPD_SEAL_SIZE,
                                 &which) == SURE;
        }
        spent |= taken == UPD_COPY_SEALS && sealed == 0 && holds_settings(cells);
    }
    return spent;
}

void fold(struct life *life)
{
    struct sim_chip *chip = life->sim.chip;

    for (uint32_t area = 0; area < known.setup->area_count; area++) {
        uint32_t count = sectors_of(area);
        for (uint32_t i = 0; i < count; i++) {
            fold_at(chip, area, i);
        }
    }
    if (known.setup->scheme == EBOOT) {
        fold_sketches(chip);
    }
    if (known.setup->scheme == NONOS) {
        fold_other_copy(chip);
        for (uint32_t place = 0; place < 2; place++) {
            fold_slot(chip, place, sectors_of(2 + place));
        }
    }
}

/* What lies where sketches are staged and kept makes no difference before they are. */
static void forget_residue(struct sim_chip *chip)
{
    for (uint32_t i = known.padded[NEW][0].size / SECTOR; i <= sectors_of(1); i++) {
        sim_sector_put(&chip->root, i, known.junk);
    }
}

void fold_begin(struct life *life)
{
    struct sim_flash scratch;

    memset(&known, 0, sizeof known);
    heads.count = notes.count = entries.count = blocks.count = 0;
    known.setup = life->setup;
    known.kind = life->kind;
    known.fresh = sim_flash_snapshot(&life->sim);
    sim_flash_fork(&scratch, &life->sim);
    struct sim_sector *sector = sim_sector_own(&scratch.chip->root, 0);
    put_junk(cells_of(scratch.chip->store, sector));
    sim_sector_close(scratch.chip->store, sector);
    known.junk = share(scratch.chip, 0);
    sim_flash_free(&scratch);
    for (uint32_t version = 0; version < VERSIONS && life->setup->scheme == EBOOT; version++) {
        const struct file *image = &life->setup->image[version][0];
        struct file *padded = &known.padded[version][0];
        padded->size = (image->size + SECTOR - 1) / SECTOR * SECTOR;
        padded->data = take(padded->size);
        memset(padded->data, 0xFF, padded->size);
        if (version == OLD) {
            sim_flash_peek(&life->sim, 0, padded->data, padded->size);
        }
        memcpy(padded->data, image->data, image->size);
    }
    if (life->setup->scheme == EBOOT) {
        forget_residue(life->sim.chip);
        sim_snapshot_free(known.fresh);
        known.fresh = sim_flash_snapshot(&life->sim);
    }
}

void fold_end(struct life *life)
{
    for (uint32_t i = 0; i < known.nodes.size; i++) {
        if (known.nodes.keys[i] != 0) {
            sim_sector_release(life->sim.chip->store,
                               (struct sim_sector *)(uintptr_t)known.nodes.values[i]);
        }
    }
    map_free(&known.nodes);
    map_free(&known.folded);
    sim_snapshot_free(known.fresh);
    for (uint32_t version = 0; version < VERSIONS; version++) {
        free(known.padded[version][0].data);
    }
    memset(&known, 0, sizeof known);
}
