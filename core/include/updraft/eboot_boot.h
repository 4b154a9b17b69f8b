/*
 * updraft: what updraft's boot loader for the Arduino layout does next, so that a verified sketch
 * runs whatever was cut: install the staged one, count its starts, put the old one back.
 *
 *     0       0x1000                                            journal
 *     +------+--------------------+------+---------+---------+--+----------------+
 *     |loader| sketch that runs   | free | backup  | staged  |jn| file system    |
 *     +------+--------------------+------+---------+---------+--+----------------+
 *
 * One step at a time. The caller reads the journal's frame and note, and the log of copies, asks,
 * does the one thing that it was told, and asks again until the answer is START or HALT. A cut
 * between or inside of any two steps needs no case of its own: neither the staged sketch nor the
 * backup is ever written by the loader.
 *
 *   (B1) Before the first sector at 0 is touched, the log (copy_log.h) says for sure that a copy was
 *        begun, and until it is whole, that it is not ended. Such a copy is ended, whatever the
 *        marks say: so no mark that a cut tore, and reads otherwise later, starts half a sketch.
 *   (B2) While no copy is unfinished, what lies at 0 is whole. The marks decide between whole
 *        sketches, and about nothing else.
 *   (B3) A cut may have torn the entry that ends a copy, or the one that begins to put the old sketch
 *        back. So what was only read of a copy that is ended is noted again before a mark is set that
 *        relies on it, and before a sketch is started that was given up and reads as confirmed.
 *
 * Pure. Cost: no heap; 48 bytes of stack.                         Format: docs/formats/journal.md
 */
#ifndef UPDRAFT_EBOOT_BOOT_H
#define UPDRAFT_EBOOT_BOOT_H

#include <stdbool.h>
#include <stdint.h>

#include <updraft/journal.h>

/** What can be verified: a place in flash against a CRC-32 of the note. */
enum upd_eboot_copy_of {
    UPD_EBOOT_STAGED,    /* note.source,  note.size,        note.crc32 */
    UPD_EBOOT_BACKUP,    /* note.backup,  note.backup_size, note.backup_crc32 */
    UPD_EBOOT_INSTALLED, /* 0,            note.size,        note.crc32 */
    UPD_EBOOT_RESTORED,  /* 0,            note.backup_size, note.backup_crc32 */
    UPD_EBOOT_COPIES
};

/** What VERIFY steps since the last reset found. */
enum upd_eboot_verdict { UPD_EBOOT_UNKNOWN, UPD_EBOOT_GOOD, UPD_EBOOT_BAD };

/** What was copied to 0 last, as the log says. */
enum upd_eboot_copied {
    UPD_EBOOT_NOTHING,      /* the sketch that ran before lies there */
    UPD_EBOOT_INSTALLING,   /* the staged sketch, not all of it */
    UPD_EBOOT_IS_INSTALLED, /* all of it */
    UPD_EBOOT_RESTORING,    /* the backup, not all of it */
    UPD_EBOOT_IS_RESTORED   /* all of it */
};

/** All that a step depends on. All zero: there is no frame, or no note that is valid. */
struct upd_eboot_state {
    bool noted;                        /* the frame that counts (J1) has a valid note */
    bool has_backup;                   /* note.backup_size is not 0 */
    bool anew;                         /* this session made the copy from its first sector on */
    bool held;                         /* this session noted `copied` in the log, for sure */
    uint8_t copied;                    /* enum upd_eboot_copied */
    uint16_t marks;                    /* of that frame, as read just now */
    uint16_t sure;                     /* marks of it that were set since the last reset */
    uint8_t verdict[UPD_EBOOT_COPIES]; /* enum upd_eboot_verdict */
};

enum upd_eboot_do {
    UPD_EBOOT_DO_START,  /* start the sketch at 0 */
    UPD_EBOOT_DO_VERIFY, /* enum upd_eboot_copy_of `which`: store the verdict */
    UPD_EBOOT_DO_MARK,   /* set mark `which`, and add it to marks and sure */
    /*
     * Copy the staged sketch, or the backup, from its byte 0x1000 on to 0x1000. `which` is 0: go on
     * where the log says; or 1: from the first sector on, as for a copy that the log does not tell
     * of. Afterwards `copied` is IS_INSTALLED or IS_RESTORED, `held` is set, `anew` tells whether it was made from
     * the first sector on, and the verdicts about what lies at 0 are UNKNOWN.
     */
    UPD_EBOOT_DO_INSTALL,
    UPD_EBOOT_DO_RESTORE,
    UPD_EBOOT_DO_HOLD, /* note in the log once more that the copy is ended, and set `held` */
    UPD_EBOOT_DO_HALT, /* no sketch verifies */
};

/** Small, so that it is returned in a register. */
struct upd_eboot_step {
    uint8_t what;  /* enum upd_eboot_do */
    uint8_t which; /* mark, enum upd_eboot_copy_of, or 0 or 1 */
};

/**
 * True when the frame is in force: a sketch is to be installed, on trial, or to be taken back. For
 * the library, which runs only when no copy is unfinished, NOTHING will do as `copied`.
 */
bool upd_eboot_in_force(const struct upd_eboot_state *state);

/**
 * The boot loader's decision. On an ordinary boot START at once; what was installed last is read
 * once more as long as nobody confirmed it.
 */
struct upd_eboot_step upd_eboot_boot(const struct upd_eboot_state *state);

#endif
