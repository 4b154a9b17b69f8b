/*
 * Goal: the selection of a slot is a register that no cut damages, and what is written reads as
 * intended to the SDK and to the original boot loaders.
 * Method: the byte sequences of the originals for what they read; then every cut inside of a write
 * of the flag sector, with cells that may read as anything, against S1.
 */
#include <updraft/nonos_select.h>

#include <updraft/boot_original.h>

#include "check.h"
#include "nonos_device.h"

enum { SEAL = UPD_SEAL_SIZE };

static void test_a_block_selects_what_the_original_loaders_start(void)
{
    static const struct {
        uint8_t low, written_by;
        enum upd_slot slot;
    } rows[] = {
        {0xF8, 7, B}, {0xF9, 7, A}, {0xFA, 7, A}, {0xFB, 7, A}, {0xFC, 7, A}, {0xFD, 7, B},
        {0xFE, 7, A}, {0xFF, 7, A}, {0xFD, 6, A}, {0x00, 2, A}, {0x01, 2, B}, {0xF1, 2, B},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t block[UPD_BOOT_BLOCK_SIZE];
        memset(block, 0xFF, sizeof block);
        block[0] = rows[i].low;
        block[1] = (uint8_t)(0xE0 | rows[i].written_by);
        CHECK(upd_block_slot(block, rows[i].written_by == 6 ? 7 : rows[i].written_by) ==
              rows[i].slot);
    }
}

/* The SDK's own sequence for "upgrade to user2 finished", from the state that v1.6 leaves. */
static void test_the_flag_record_is_the_sdks(void)
{
    static const uint8_t wanted[UPD_SYSPARAM_HEAD_SIZE] = {
        0x01, 0xFF, 0xFF, 0xFF, 0xAA, 0x55, 0xAA, 0x55, 0x01, 0x00, 0x00,
        0x00, 0xFF, 0xFF, 0xFF, 0xFF, 0x20, 0x00, 0x00, 0x00, 0xFF, 0xFF,
        0xFF, 0xFF, 0xF4, 0x00, 0x00, 0x00, 0x55, 0xAA, 0x55, 0xAA,
    };
    struct upd_select_area area = blank_area();

    memcpy(area.params.head[0], "\xFC\xE6", 2);
    memcpy(area.params.head[1], "\xFD\xE6", 2);
    area.params.flag[0] = 0; /* 00 FF FF FF, as v1.6 leaves it */
    write_flag(&area, 1);
    CHECK(memcmp(area.params.flag, wanted, sizeof wanted) == 0);
    CHECK(upd_flag_trust(&area) == UPD_FLAG_SOUND);
    CHECK(upd_sysparam_sdk_accepts(&area.params));

    /* And back without an erase: copy 0's length and checksum join those of copy 1. */
    uint8_t back[UPD_SYSPARAM_HEAD_SIZE];
    memcpy(back, wanted, sizeof back);
    back[0] = 0;
    upd_put_le32(&back[12], 32);
    upd_put_le32(&back[20], 0xF5);
    write_flag(&area, 0);
    CHECK(memcmp(area.params.flag, back, sizeof back) == 0);
}

static uint32_t erases(const struct upd_flag_write *rows, uint32_t count)
{
    uint32_t found = 0;

    for (uint32_t i = 0; i < count; i++) {
        found += rows[i].size == 0;
    }
    return found;
}

static void test_every_second_change_of_the_flag_needs_no_erase(void)
{
    struct upd_select_area area = blank_area();

    write_flag(&area, 0);
    for (uint32_t i = 0; i < 10; i++) {
        uint8_t copy = (uint8_t)!upd_sysparam_current(&area.params);
        uint8_t bytes[UPD_FLAG_BYTES];
        uint32_t count;
        const struct upd_flag_write *rows = upd_flag_writes(&area, copy, bytes, &count);
        CHECK(erases(rows, count) == copy);
        write_flag(&area, copy);
        CHECK(upd_sysparam_current(&area.params) == copy);
        CHECK(upd_flag_trust(&area) == UPD_FLAG_SOUND);
        CHECK(upd_sysparam_sdk_accepts(&area.params));
    }
}

static void test_what_the_sdk_wrote_is_sound_and_changes_like_ours(void)
{
    for (uint8_t copy = 0; copy < 2; copy++) {
        struct upd_select_area area = blank_area();
        write_flag(&area, copy);
        memset(area.flag_seals, 0xFF, sizeof area.flag_seals); /* the SDK erases the sector */
        CHECK(upd_flag_trust(&area) == UPD_FLAG_SOUND);
        write_flag(&area, !copy);
        CHECK(upd_flag_trust(&area) == UPD_FLAG_SOUND);
        CHECK(upd_sysparam_current(&area.params) == !copy);
    }
}

static void test_trust_in_what_others_leave(void)
{
    struct upd_select_area area = blank_area();

    area.params.flag[0] = 0; /* an original loader's 4 bytes */
    CHECK(upd_flag_trust(&area) == UPD_FLAG_SOUND);
    memset(area.params.head[1], 0xFF, UPD_SYSPARAM_HEAD_SIZE);
    CHECK(upd_flag_trust(&area) == UPD_FLAG_SOUND);
    memset(area.params.flag, 0xFF, sizeof area.params.flag); /* a new chip */
    CHECK(upd_flag_trust(&area) == UPD_FLAG_NEW);
    CHECK(upd_select_current(&area) == 1); /* the block of the other one may be torn */
    area.copy[0].sealed = true;
    CHECK(upd_select_current(&area) == 0); /* it is not */
    area.copy[0].sealed = false;
    set_block(area.params.head[1], A);
    CHECK(upd_flag_trust(&area) == UPD_FLAG_DOUBT); /* erased, and both copies there: a cut */
    area.params.flag[0] = 1;
    area.params.flag[4] = 0;
    CHECK(upd_flag_trust(&area) == UPD_FLAG_DOUBT); /* a record that is not whole */
}

static void test_of_two_copies_the_sealed_one_counts_when_the_flag_is_in_doubt(void)
{
    struct upd_select_area area = blank_area();

    for (uint32_t flag = 0; flag < 2; flag++) {
        for (uint32_t sealed = 0; sealed < 4; sealed++) {
            area.params.flag[0] = (uint8_t)flag;
            area.params.flag[4] = 0; /* not whole */
            area.copy[0].sealed = (sealed & 1) != 0;
            area.copy[1].sealed = (sealed & 2) != 0;
            uint32_t wanted = sealed == 1 ? 0 : sealed == 2 ? 1 : flag;
            CHECK(upd_flag_trust(&area) == UPD_FLAG_DOUBT);
            CHECK(upd_select_current(&area) == wanted);
        }
    }
}

static void test_a_copy_is_sealed_by_a_whole_seal_in_any_place(void)
{
    uint8_t mark[2][UPD_JOURNAL_MARK_SIZE], blank[SEAL], zeros[SEAL], seal[SEAL];

    memset(mark[0], 0xFF, sizeof mark[0]);
    memset(mark[1], 0, sizeof mark[1]);
    memset(blank, 0xFF, sizeof blank);
    memset(zeros, 0, sizeof zeros);
    upd_copy_seal(seal);
    CHECK(memcmp(seal, "updraft seal: \xFF", SEAL) == 0);
    for (uint32_t used = 0; used <= UPD_COPY_SEALS; used++) {
        for (uint32_t whole = 0; whole <= UPD_COPY_SEALS; whole++) {
            struct upd_copy_sealing sealing = {.sealed = false};
            for (uint32_t place = 0; place < UPD_COPY_SEALS; place++) {
                upd_copy_see_seal(&sealing, place, mark[place < used],
                                  place == whole  ? seal
                                  : place < whole ? zeros
                                                  : blank);
            }
            CHECK(sealing.free == used);
            CHECK(sealing.sealed == (whole < used)); /* without its mark a place says nothing */
        }
    }
    for (uint32_t bit = 0; bit < SEAL * 8; bit++) {
        struct upd_copy_sealing sealing = {.sealed = false};
        seal[bit / 8] ^= (uint8_t)(1u << bit % 8);
        upd_copy_see_seal(&sealing, 0, mark[1], seal);
        CHECK(!sealing.sealed && sealing.free == 1);
        seal[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

/* Each place has a page, and none is in the bytes that the SDK writes. */
static void test_the_places_of_a_copy_have_pages_of_their_own(void)
{
    for (uint32_t place = 0; place < UPD_COPY_SEALS; place++) {
        uint32_t page = UPD_COPY_SEAL_OFFSET(place) / UPD_JOURNAL_PAGE_SIZE;
        CHECK(page > UPD_SYSPARAM_SDK_SIZE / UPD_JOURNAL_PAGE_SIZE && page < 16);
        for (uint32_t other = 0; other < UPD_COPY_SEALS; other++) {
            CHECK(other == place || page != UPD_COPY_SEAL_OFFSET(other) / UPD_JOURNAL_PAGE_SIZE);
            CHECK(page != UPD_COPY_MARK_OFFSET(other) / UPD_JOURNAL_PAGE_SIZE);
        }
        CHECK(UPD_COPY_MARK_OFFSET(place) >= UPD_SYSPARAM_SDK_SIZE);
    }
}

static void test_a_slot_is_selected_in_the_order_that_cuts_allow(void)
{
    struct upd_select_area area = blank_area();
    struct upd_select_progress progress = {.sealed = false};

    memset(area.params.head[1], 0xFF, UPD_SYSPARAM_HEAD_SIZE);
    area.copy[0].sealed = true;
    /* NEW, and byte 0 reads as copy 1, which is blank: first the flag, for the copy that counts. */
    struct upd_select_step step = upd_select_slot(&area, &progress, VERSION, B);
    CHECK(step.what == UPD_SELECT_FLAG && step.which == 0);
    write_flag(&area, 0);
    area.copy[0].sealed = false;
    CHECK(upd_select_slot(&area, &progress, VERSION, B).what == UPD_SELECT_SEAL);
    progress.sealed = true;
    step = upd_select_slot(&area, &progress, VERSION, B);
    CHECK(step.what == UPD_SELECT_COPY && step.which == B);
    set_block(area.params.head[1], B);
    area.copy[1].sealed = true;
    step = upd_select_slot(&area, &progress, VERSION, B);
    CHECK(step.what == UPD_SELECT_FLAG && step.which == 1);
    write_flag(&area, 1);
    CHECK(upd_select_slot(&area, &progress, VERSION, B).what == UPD_SELECT_DONE);
    /* Set, not toggled. */
    progress = (struct upd_select_progress){.sealed = false};
    CHECK(upd_select_slot(&area, &progress, VERSION, B).what == UPD_SELECT_DONE);
}

/* While copy 0 is blank, byte 0 stays as it is: torn, it could select that. */
static void test_on_a_new_chip_the_second_copy_comes_before_the_flag(void)
{
    struct upd_select_area area = blank_area();
    struct upd_select_progress progress = {.sealed = false};

    memset(area.params.head[0], 0xFF, UPD_SYSPARAM_HEAD_SIZE);
    CHECK(upd_flag_trust(&area) == UPD_FLAG_NEW && upd_select_current(&area) == 1);
    CHECK(upd_select_slot(&area, &progress, VERSION, B).what == UPD_SELECT_SEAL);
    progress.sealed = true;
    area.copy[1].sealed = true;
    CHECK(upd_select_slot(&area, &progress, VERSION, B).what == UPD_SELECT_COPY);
    /* No place took a seal: then the flag, as long as there is nothing else that it could select. */
    area.copy[1].sealed = false;
    area.copy[1].free = UPD_COPY_SEALS;
    struct upd_select_step flag = upd_select_slot(&area, &progress, VERSION, B);
    CHECK(flag.what == UPD_SELECT_FLAG && flag.which == 1);
    write_flag(&area, 1);
    CHECK(upd_select_slot(&area, &progress, VERSION, B).what == UPD_SELECT_COPY);
    memset(area.params.flag, 0xFF, sizeof area.params.flag);
    memset(area.flag_seals, 0xFF, sizeof area.flag_seals);
    set_block(area.params.head[0], B);
    area.copy[0].sealed = area.copy[1].sealed = true;
    struct upd_select_step step = upd_select_slot(&area, &progress, VERSION, B);
    CHECK(step.what == UPD_SELECT_FLAG);
}

static void test_holding_seals_one_copy_and_breaks_the_other(void)
{
    struct upd_select_area area = blank_area();
    struct upd_select_progress progress = {.sealed = false};

    write_flag(&area, 1);
    CHECK(upd_select_hold(&area, &progress).what == UPD_SELECT_SEAL);
    progress.sealed = true;
    CHECK(upd_select_hold(&area, &progress).what == UPD_SELECT_BREAK);
    progress.broken = true;
    CHECK(upd_select_hold(&area, &progress).what == UPD_SELECT_DONE);
}

/* --- Every cut of a write of the flag sector -------------------------------------------------- */

/* A flag sector some of whose cells may read as 0 or 1. */
struct cells {
    uint8_t bits[FLAG_SECTOR_SIZE];
    uint8_t unstable[FLAG_SECTOR_SIZE];
};

static bool may_read(const struct cells *cells, uint32_t at, const uint8_t *bytes, uint32_t size)
{
    for (uint32_t i = 0; i < size; i++) {
        if (((cells->bits[at + i] ^ bytes[i]) & ~cells->unstable[at + i]) != 0) {
            return false;
        }
    }
    return true;
}

/*
 * S1: there is no reading that is SOUND while byte 0 may also read as the other copy. A seal that
 * is in the sector neither before nor after the write that was cut can be read by chance alone,
 * which is left out.
 */
static void check_no_false_trust(const char *name, const struct cells *cells,
                                 const struct cells *before, const struct cells *after,
                                 const struct upd_select_area *area)
{
    for (uint8_t copy = 0; copy < 2; copy++) {
        struct upd_select_area sealed = *area;
        uint8_t byte = cells->bits[0], weak = cells->unstable[0];
        uint8_t wanted[SEAL];
        bool zero = (byte & ~weak) == 0, other = (byte | weak) != 0;
        memset(sealed.params.flag, 0xFF, sizeof sealed.params.flag);
        memset(sealed.flag_seals, 0xFF, sizeof sealed.flag_seals);
        write_flag(&sealed, copy);
        memcpy(wanted, &sealed.flag_seals[SEAL], SEAL);
        for (uint32_t place = 1; place < 3; place++) {
            uint32_t at = UPD_FLAG_SEALS_OFFSET + place * SEAL;
            bool real = may_read(before, at, wanted, SEAL) || may_read(after, at, wanted, SEAL);
            if (real && may_read(cells, at, wanted, SEAL)) {
                CHECK_THAT(name, copy == 0 ? !other : !zero);
            }
        }
    }
    /* The SDK's record, with nothing of updraft's in the sector. */
    uint8_t blank[SEAL];
    memset(blank, 0xFF, SEAL);
    if (may_read(cells, UPD_FLAG_SEALS_OFFSET, blank, SEAL)) {
        struct upd_select_area read = *area;
        load_flag(&read, cells->bits);
        if (upd_flag_trust(&read) == UPD_FLAG_SOUND) {
            CHECK_THAT(name, cells->unstable[0] == 0);
        }
    }
}

/*
 * What a torn program may leave: of the cells that were to be cleared all or some are untouched
 * (0), done (1), or unstable (2 to 5); and other cells of the page are unstable (3, 5): those that
 * matter most, and some more. That chance alone forges a seal out of blank cells is left out.
 */
static void tear_program(struct cells *cells, const struct upd_flag_write *write,
                         const uint8_t *data, uint32_t how, uint32_t seed)
{
    uint32_t page = write->offset / 256u * 256u;

    for (uint32_t i = 0; i < write->size; i++) {
        uint8_t clear = (uint8_t)(cells->bits[write->offset + i] & ~data[i]);
        uint8_t some = (uint8_t)((seed >> i % 24) | (how >= 4 ? 0xFF : 0));
        if (how == 1) {
            cells->bits[write->offset + i] &= (uint8_t) ~(clear & some);
        } else if (how != 0) {
            cells->unstable[write->offset + i] |= clear & some;
        }
    }
    if (how == 3 || how == 5) {
        for (uint32_t i = 0; i < 4; i++) {
            uint32_t far = page + (seed >> 8 * i) % 256u;
            cells->unstable[page + i] |= cells->bits[page + i];
            cells->unstable[far] |= cells->bits[far];
        }
    }
}

static void try_rows(const char *name, const struct upd_select_area *area,
                     const struct upd_flag_write *rows, uint32_t count, const uint8_t *bytes)
{
    struct cells whole;

    memset(&whole, 0, sizeof whole);
    store_flag(area, whole.bits);
    for (uint32_t i = 0; i < count; i++) {
        const struct upd_flag_write *write = &rows[i];
        const uint8_t *data = &bytes[write->data];
        struct cells after = whole;
        if (write->size == 0) {
            memset(after.bits, 0xFF, sizeof after.bits);
        }
        for (uint32_t k = 0; k < write->size; k++) {
            after.bits[write->offset + k] &= data[k];
        }
        for (uint32_t how = 0; write->size != 0 && how < 6; how++) {
            for (uint32_t seed = 0; seed < 64; seed++) {
                struct cells torn = whole;
                tear_program(&torn, write, data, how, seed * 0x9E3779B9u);
                check_no_false_trust(name, &torn, &whole, &after, area);
            }
        }
        /* An erase from either end, and one that stopped while all was 0. */
        for (uint32_t done = 0; write->size == 0 && done <= FLAG_SECTOR_SIZE; done++) {
            struct cells front = whole, back = whole, zeros = whole;
            memset(front.bits, 0xFF, done);
            memset(&back.bits[FLAG_SECTOR_SIZE - done], 0xFF, done);
            memset(zeros.bits, 0, done);
            check_no_false_trust(name, &front, &whole, &after, area);
            check_no_false_trust(name, &back, &whole, &after, area);
            check_no_false_trust(name, &zeros, &whole, &after, area);
        }
        whole = after;
        check_no_false_trust(name, &whole, &whole, &whole, area);
    }
}

static void try_cuts(const char *name, const struct upd_select_area *area, uint8_t copy)
{
    uint8_t bytes[UPD_FLAG_BYTES];
    uint32_t count;
    const struct upd_flag_write *rows = upd_flag_writes(area, copy, bytes, &count);

    try_rows(name, area, rows, count, bytes);
    upd_flag_bytes(area, copy, bytes);
    try_rows(name, area, upd_flag_anew, UPD_FLAG_ANEW_COUNT, bytes);
}

static void test_no_cut_leaves_a_flag_that_is_trusted_and_unstable(void)
{
    struct upd_select_area area = blank_area();

    for (uint8_t copy = 0; copy < 2; copy++) {
        try_cuts("new chip", &area, copy);
    }
    area.params.flag[0] = 0;
    for (uint8_t copy = 0; copy < 2; copy++) {
        try_cuts("original loader", &area, copy);
    }
    for (uint32_t i = 0; i < 6; i++) {
        uint8_t copy = (uint8_t)!upd_sysparam_current(&area.params);
        try_cuts("sealed, to the other copy", &area, copy);
        try_cuts("sealed, to the same copy", &area, (uint8_t)!copy);
        write_flag(&area, copy);
        struct upd_select_area sdk = area;
        memset(sdk.flag_seals, 0xFF, sizeof sdk.flag_seals);
        try_cuts("written by the SDK, to the other copy", &sdk, (uint8_t)!copy);
        try_cuts("written by the SDK, to the same copy", &sdk, copy);
    }
}

/* What updraft writes, read by the decisions of the original loaders. */
static void test_original_loaders_start_what_is_selected(void)
{
    static const enum upd_boot_version versions[] = {UPD_BOOT_V1_2, UPD_BOOT_V1_4, UPD_BOOT_V1_6,
                                                     UPD_BOOT_V1_7};
    for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++) {
        struct upd_select_area area = blank_area();
        uint8_t version = (uint8_t)versions[i];
        for (uint32_t k = 0; k < 2; k++) {
            area.params.head[k][0] = version == 2 ? 0 : 0xFC;
            area.params.head[k][1] = (uint8_t)(version == 2 ? 2 : 0xE0 | version);
        }
        area.params.flag[0] = 0;
        for (uint32_t round = 0; round < 4; round++) {
            enum upd_slot slot = round % 2 == 0 ? B : A;
            struct upd_select_progress progress = {.sealed = true};
            struct upd_select_step step;
            while ((step = upd_select_slot(&area, &progress, version, slot)).what !=
                   UPD_SELECT_DONE) {
                if (step.what == UPD_SELECT_FLAG) {
                    write_flag(&area, step.which);
                    progress = (struct upd_select_progress){.sealed = true};
                } else {
                    uint8_t current = upd_select_current(&area);
                    uint8_t *block = area.params.head[!current];
                    CHECK(step.what == UPD_SELECT_COPY && step.which == slot);
                    memcpy(block, area.params.head[current], UPD_BOOT_BLOCK_SIZE);
                    CHECK(upd_boot_block_select(block, version, slot) == UPD_OK);
                    area.copy[!current].sealed = true;
                    area.copy[current].sealed = false;
                }
            }
            struct upd_boot_decision decision;
            upd_boot_original_decide(versions[i], 2, upd_sysparam_block(&area.params), true,
                                     &decision);
            CHECK(decision.start == (slot == A ? UPD_BOOT_START_USER1 : UPD_BOOT_START_USER2));
            CHECK(!decision.save);
            CHECK(upd_sdk_userbin_check(upd_sysparam_block(&area.params)) == slot);
        }
    }
}

int main(void)
{
    CHECK_RUN(test_a_block_selects_what_the_original_loaders_start);
    CHECK_RUN(test_the_flag_record_is_the_sdks);
    CHECK_RUN(test_every_second_change_of_the_flag_needs_no_erase);
    CHECK_RUN(test_what_the_sdk_wrote_is_sound_and_changes_like_ours);
    CHECK_RUN(test_trust_in_what_others_leave);
    CHECK_RUN(test_of_two_copies_the_sealed_one_counts_when_the_flag_is_in_doubt);
    CHECK_RUN(test_a_copy_is_sealed_by_a_whole_seal_in_any_place);
    CHECK_RUN(test_the_places_of_a_copy_have_pages_of_their_own);
    CHECK_RUN(test_a_slot_is_selected_in_the_order_that_cuts_allow);
    CHECK_RUN(test_on_a_new_chip_the_second_copy_comes_before_the_flag);
    CHECK_RUN(test_holding_seals_one_copy_and_breaks_the_other);
    CHECK_RUN(test_no_cut_leaves_a_flag_that_is_trusted_and_unstable);
    CHECK_RUN(test_original_loaders_start_what_is_selected);
    check_end();
}
