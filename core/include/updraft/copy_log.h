/*
 * updraft: how far a boot loader came with a copy, so that a cut does not throw back all of it.
 *
 * Flash that a cut tore may look like what was to be written, for now. So a look at the copy does
 * not tell which sectors are whole, and neither does a note that a cut may have torn: read as "not
 * there" it makes the loader write a sector once more, and read as "there" the next time it makes
 * the loader trust that sector. This is a log, in two sectors that take turns, in which each
 * session says first how far it found the copy, at a fresh place, and only then goes on with it.
 *
 * It tells besides whether a copy was begun and not ended. As long as one is, what is to be started
 * is no whole sketch, whatever the marks of the journal say: it is ended first.
 *
 * What holds at every moment, power cuts at any of them included:
 *   (C1) The last entry that is valid counts: of the sector with the higher turn, at the higher
 *        place.
 *   (C2) While a sector of the copy may be torn, the last entry that was written is sound, and says
 *        that the copy before that sector is whole.
 *   (C3) While no sector of the copy is torn, each entry that might count says so of a part that is
 *        whole. Which one counts may change from one reading to the next, and is right each time.
 *   (C4) An entry's page is programmed once, after its mark TAKEN is set for sure. A torn page may
 *        look blank; TAKEN tells that it is not.
 *   (C5) A sector is erased only after its entries were programmed to 0, and while the other one,
 *        or nothing at all, is what counts for sure. That is so, first, when the mark SEALED of the
 *        other one, which follows the first entry of a session, was set again.
 *   (C6) And it is so when SEALED is not there although the sector itself is full, which takes a
 *        cut in each of its entries: then no session went on with the copy after it began that
 *        sector, and the other one says the same. It is begun anew, as often as it takes; no number
 *        of cuts uses the places up.
 *
 * Pure: the caller reads, erases and programs. Cost: no heap; 48 bytes of stack.
 * Format: docs/formats/copy_log.md
 */
#ifndef UPDRAFT_COPY_LOG_H
#define UPDRAFT_COPY_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include <updraft/err.h>

/** Entries that a sector has room for. A proof that looks at every state takes fewer. */
#ifndef UPD_COPY_PLACES
#define UPD_COPY_PLACES 13u
#endif
#define UPD_COPY_ENTRY_SIZE 16u

/** What is copied. All zero: nothing yet. */
enum upd_copy_way { UPD_COPY_NONE, UPD_COPY_INSTALL, UPD_COPY_RESTORE };

/** Offsets in a sector. Marks are those of the journal: UPD_JOURNAL_MARK_SIZE bytes of 0. */
uint32_t upd_copy_entry_offset(uint32_t place);
uint32_t upd_copy_taken_offset(uint32_t place);
#define UPD_COPY_SEALED_OFFSET 512u

/** What one of the two sectors holds. All zero: nothing. */
struct upd_copy_sector {
    uint32_t turn; /* of its last valid entry; 0: there is none */
    uint32_t done; /* that entry: sectors that are copied */
    uint8_t way;   /* that entry: enum upd_copy_way */
    uint8_t used;  /* places from 0 on of which the last one is TAKEN */
    bool sealed;   /* the mark SEALED is set; the caller fills it in */
};

enum upd_copy_do {
    UPD_COPY_WIPE,  /* program the entry at `place` to 0 */
    UPD_COPY_ERASE, /* erase the sector */
    UPD_COPY_TAKE,  /* set the mark TAKEN of `place` */
    UPD_COPY_ENTER, /* program the entry at `place`: upd_copy_entry() */
    UPD_COPY_SEAL,  /* set the mark SEALED */
    UPD_COPY_READY, /* nothing: it is noted for sure */
};

/** Small, so that it is returned in a register. */
struct upd_copy_step {
    uint8_t what;   /* enum upd_copy_do */
    uint8_t sector; /* 0 or 1 */
    uint8_t place;
};

/** The log as a session knows it. Begin with all zero, then upd_copy_see(). */
struct upd_copy_log {
    struct upd_copy_sector sector[2];
    uint8_t step; /* within a note */
    uint8_t left; /* entries still to be wiped */
    uint8_t target;
    bool sure; /* an entry of this session, sealed, is in sector `target` */
};

/**
 * Take in what was read of one place of a sector; call it for places 0 to UPD_COPY_PLACES - 1. A
 * session reads the log once: what is torn may read otherwise the next time.
 *
 * @param taken  the mark TAKEN of the place is set
 */
void upd_copy_see(struct upd_copy_log *log, uint32_t sector, uint32_t place, bool taken,
                  const uint8_t entry[UPD_COPY_ENTRY_SIZE]);

/** What was copied last, enum upd_copy_way; and how many sectors of it are whole. */
uint32_t upd_copy_way(const struct upd_copy_log *log);
uint32_t upd_copy_done(const struct upd_copy_log *log);

/**
 * What to do next to note that `done` sectors are copied. The caller does it and asks again, with
 * the same values, until the answer is READY. A session notes what the log said, or less, or that
 * no sector of another copy is whole, before it touches the copy, and then more whenever it likes.
 */
struct upd_copy_step upd_copy_note(struct upd_copy_log *log, enum upd_copy_way way, uint32_t done);

/** The bytes of the entry that UPD_COPY_ENTER asks for. */
void upd_copy_entry(const struct upd_copy_log *log, uint8_t bytes[UPD_COPY_ENTRY_SIZE]);

#endif
