/*
 * updraft: what to do next on an ESP8266 with the flash maps of the NONOS SDK, so that a verified
 * image runs whatever was cut: the boot loader's decision, and the library's.
 *
 * One step at a time. The caller reads the flash, asks, does the one thing that it was told, and
 * reads and asks again until the answer is START, HALT or DONE. Since each answer follows from what
 * is in flash, a cut between or inside of any two steps needs no case of its own.
 *
 * The selection is a register that no cut damages: nonos_select.h. What the journal's marks say
 * decides only which of two verified images starts.
 *
 * Pure. Cost: no heap; 160 bytes of stack.                        Format: docs/formats/journal.md
 */
#ifndef UPDRAFT_NONOS_BOOT_H
#define UPDRAFT_NONOS_BOOT_H

#include <stdbool.h>
#include <stdint.h>

#include <updraft/flash_map.h>
#include <updraft/journal.h>
#include <updraft/nonos_select.h>

/** What is known of the image in a slot. */
enum upd_verdict { UPD_VERDICT_UNKNOWN, UPD_VERDICT_GOOD, UPD_VERDICT_BAD };

/** All that a step depends on. */
struct upd_nonos_state {
    struct upd_select_area area; /* as read just now */
    struct upd_select_progress
        progress;                /* of the SELECT steps; all false when an operation begins */
    uint8_t version;             /* loader that reads the boot block: 2..30 */
    bool framed;                 /* the journal has a frame with a valid head: (J1) */
    uint8_t slot;                /* of that head */
    uint16_t marks;              /* of that frame, as read just now */
    uint16_t sure;               /* marks of it that were set since the last reset */
    uint8_t tries;               /* FLAG and RETRY steps done since the last reset */
    enum upd_verdict verdict[2]; /* of both slots, by VERIFY steps since the last reset */
};

enum upd_nonos_do {
    /* 0 to UPD_SELECT_FLAG as enum upd_select_do. DONE: nothing is left to do. */
    UPD_NONOS_DONE = UPD_SELECT_DONE,
    UPD_NONOS_MARK = UPD_SELECT_FLAG + 1, /* set mark `which`, and add it to `sure` */
    UPD_NONOS_VERIFY,                     /* verify the image in slot `which`: store the verdict */
    UPD_NONOS_START,                      /* start the image in slot `which`, which is verified */
    UPD_NONOS_HALT,                       /* neither slot holds an image that verifies */
    UPD_NONOS_RETRY, /* make slot `which` the selected one by writing the other copy, then the flag
                        sector, as docs/formats/nonos_select.md has it for boot loaders; then, as
                        after FLAG, `tries` is one more */
};

/** Small, so that it is returned in a register. */
struct upd_nonos_step {
    uint8_t what;  /* enum upd_nonos_do, or enum upd_select_do */
    uint8_t which; /* slot, mark, or as in struct upd_select_step */
};

/** True when the frame is in force: it is about the slot that is selected, or is to be. */
bool upd_nonos_in_force(const struct upd_nonos_state *state);

/** The slot that is selected. */
enum upd_slot upd_nonos_selected(const struct upd_nonos_state *state);

/** True when the selected slot is on trial. */
bool upd_nonos_on_trial(const struct upd_nonos_state *state);

/**
 * The boot loader's decision. An image on trial is started three times; then, or when it does not
 * verify, the other one for good, if that one verifies.
 *
 * The way back is to make the other copy the current one, which still selects the other slot. Only
 * if it does not, because the SDK stored settings since, or the slot went bad long after, the other
 * copy is written for it. Where that selects nothing better either, such as on a flash that does
 * not take what is written, the one that verifies is started although it is not selected.
 *
 * @return UPD_SELECT_FLAG, or any from MARK on. On an ordinary boot VERIFY, then START: nothing is
 *         written
 */
struct upd_nonos_step upd_nonos_boot(const struct upd_nonos_state *state);

/**
 * End what was interrupted, in the library: a flag sector in doubt, or a way back. Done when the
 * application starts; the boot loader does as much of it as must be done before.
 *
 * @return MARK, one of the SELECT steps, or DONE
 */
struct upd_nonos_step upd_nonos_settle(const struct upd_nonos_state *state);

/**
 * Make sure that the slot which is selected now stays so, whatever is cut, until another one is
 * asked for. To be done after settle(), before a frame is opened, and before one is closed.
 *
 * @return one of the SELECT steps, or DONE
 */
struct upd_nonos_step upd_nonos_hold(const struct upd_nonos_state *state);

/**
 * Make a slot, whose image the caller has verified, the one that starts next, on trial. The frame
 * is about that slot, and was opened in this power session.
 *
 * @return MARK, one of the SELECT steps, or DONE
 */
struct upd_nonos_step upd_nonos_activate(const struct upd_nonos_state *state);

/**
 * The running image, which is the selected one and the frame's, is good.
 *
 * @return MARK, one of the SELECT steps, or DONE: it stays, whatever is cut from now on
 */
struct upd_nonos_step upd_nonos_confirm(const struct upd_nonos_state *state);

/**
 * Give the selected image up, for a reason that is a mark of UPD_MARKS_GIVEN_UP. The frame is about
 * that image and in force; the caller has verified the other one.
 *
 * @return MARK, one of the SELECT steps, or DONE: the next reset starts the other image
 */
struct upd_nonos_step upd_nonos_give_up(const struct upd_nonos_state *state,
                                        enum upd_journal_mark reason);

#endif
