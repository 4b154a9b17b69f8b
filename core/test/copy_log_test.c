/*
 * Goal: whatever is cut, how often, and however what was torn reads later, the log of a copy never
 * says that a sector is whole which is not, and a session without a cut ends the copy. Method: a
 * model in which each thing that a cut tore reads as before or as after, anew in each session, and
 * stays so although it is programmed again; random cuts, mostly into the log itself, which is where
 * it hurts.
 */
#include <updraft/bytes.h>
#include <updraft/copy_log.h>
#include <updraft/journal.h>

#include "check.h"

enum { SECTORS = 40, LIVES = 3000, POWER_UPS = 200 };

/* Something that is written at once: it may read as either of two. */
struct cell {
    uint8_t one[UPD_COPY_ENTRY_SIZE], other[UPD_COPY_ENTRY_SIZE];
    bool torn;
};

struct sector {
    struct cell entry[UPD_COPY_PLACES];
    struct cell taken[UPD_COPY_PLACES], sealed; /* first byte: 0 set, FF not */
};

static struct sector flash[2];
static bool is_whole[SECTORS]; /* of the copy */
static uint32_t left;          /* operations until power goes */
static uint64_t noise;
static uint32_t bias; /* how often, of 4, what is torn reads as after */

static uint32_t draw(uint32_t below)
{
    noise = noise * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(noise >> 33) % below;
}

/* Power goes within this operation; afterwards it has not been done. */
static bool is_cut(void)
{
    return left == 0 || --left == 0;
}

static void program(struct cell *cell, const uint8_t *bytes)
{
    uint8_t now[UPD_COPY_ENTRY_SIZE];

    for (uint32_t i = 0; i < sizeof now; i++) {
        now[i] = cell->one[i] & bytes[i];
    }
    if (is_cut()) {
        memcpy(cell->other, now, sizeof now);
        cell->torn = true;
        return;
    }
    if (cell->torn) {
        /* Sound only where both are 0 already; what it shall be, or that with bits missing. */
        for (uint32_t i = 0; i < sizeof now; i++) {
            cell->other[i] &= bytes[i];
        }
    }
    memcpy(cell->one, now, sizeof now);
}

/* A mark is so large that it holds once it was set without a cut. */
static void set(struct cell *mark)
{
    mark->other[0] = 0;
    mark->torn = is_cut();
    if (!mark->torn) {
        mark->one[0] = 0;
    }
}

static void erase_cell(struct cell *cell, bool cut)
{
    memset(cell->other, 0xFF, sizeof cell->other);
    cell->torn = cut;
    if (!cut) {
        memset(cell->one, 0xFF, sizeof cell->one);
    }
}

static void erase(struct sector *sector)
{
    bool cut = is_cut();

    for (uint32_t i = 0; i < UPD_COPY_PLACES; i++) {
        erase_cell(&sector->entry[i], cut);
        erase_cell(&sector->taken[i], cut);
    }
    erase_cell(&sector->sealed, cut);
}

static const uint8_t *read(const struct cell *cell)
{
    return cell->torn && draw(4) < bias ? cell->other : cell->one;
}

static void look(struct upd_copy_log *log)
{
    memset(log, 0, sizeof *log);
    for (uint32_t s = 0; s < 2; s++) {
        for (uint32_t i = 0; i < UPD_COPY_PLACES; i++) {
            bool taken = read(&flash[s].taken[i])[0] == 0;
            upd_copy_see(log, s, i, taken, read(&flash[s].entry[i]));
        }
        log->sector[s].sealed = read(&flash[s].sealed)[0] == 0;
    }
}

static void note(struct upd_copy_log *log, uint32_t done)
{
    static const uint8_t zeros[UPD_COPY_ENTRY_SIZE];
    uint8_t bytes[UPD_COPY_ENTRY_SIZE], blank[UPD_COPY_ENTRY_SIZE];
    uint32_t steps = 0;

    memset(blank, 0xFF, sizeof blank);

    for (struct upd_copy_step step = {0}; step.what != UPD_COPY_READY && left > 0;) {
        step = upd_copy_note(log, UPD_COPY_INSTALL, done);
        struct sector *sector = &flash[step.sector];
        if (step.what == UPD_COPY_WIPE) {
            program(&sector->entry[step.place], zeros);
        } else if (step.what == UPD_COPY_ERASE) {
            erase(sector);
        } else if (step.what == UPD_COPY_TAKE) {
            set(&sector->taken[step.place]);
        } else if (step.what == UPD_COPY_ENTER) {
            upd_copy_entry(log, bytes);
            CHECK(memcmp(read(&sector->entry[step.place]), blank, sizeof blank) == 0); /* (C4) */
            program(&sector->entry[step.place], bytes);
        } else if (step.what == UPD_COPY_SEAL) {
            set(&sector->sealed);
        }
        CHECK(step.place < UPD_COPY_PLACES && ++steps < 24);
    }
}

/* A session of the loader; true when it ended the copy. */
static bool live(uint32_t *wrong)
{
    struct upd_copy_log log;
    uint32_t done;

    look(&log);
    done = upd_copy_done(&log);
    *wrong += done > SECTORS;
    for (uint32_t i = 0; i < done && i < SECTORS; i++) {
        *wrong += !is_whole[i];
    }
    for (note(&log, done); left > 0 && done < SECTORS;) {
        is_whole[done] = false;
        if (is_cut()) {
            return false;
        }
        is_whole[done++] = true;
        note(&log, done);
    }
    return left > 0;
}

static void begin(void)
{
    left = 1000000;
    memset(flash, 0, sizeof flash);
    memset(is_whole, 0, sizeof is_whole);
    erase(&flash[0]); /* as the library leaves it; the other one holds anything */
}

static void test_no_cut_makes_the_log_lie(void)
{
    uint32_t wrong = 0, ended = 0, least = SECTORS;

    for (uint32_t life = 0; life < LIVES; life++) {
        bool over = false;
        noise = life;
        begin();
        for (uint32_t i = 0; i < POWER_UPS && !over; i++) {
            /* Short sessions fill sectors with what is torn; long ones make something sound. */
            left = 1 + draw(life % 3 == 0 ? 6 : life % 3 == 1 ? 24 : 80);
            bias = draw(5);
            over = live(&wrong);
        }
        left = 1000000;
        CHECK(over || live(&wrong));
        ended += over;
        for (uint32_t i = 0; i < SECTORS; i++) {
            least = is_whole[i] ? least : 0;
        }
    }
    CHECK(wrong == 0 && least == SECTORS);
    CHECK(ended > 0 && ended < LIVES);
}

/* The bound that docs/update-engine.md states: a session of so many operations comes further. */
static void test_each_session_of_a_few_operations_comes_further(void)
{
    struct upd_copy_log log;
    uint32_t wrong = 0;

    noise = 1;
    begin();
    for (uint32_t done = 0; done < SECTORS;) {
        left = 36;
        (void)live(&wrong);
        look(&log);
        CHECK(upd_copy_done(&log) > done);
        done = upd_copy_done(&log);
    }
    CHECK(wrong == 0);
}

static void test_an_entry_is_read_back_and_a_changed_one_is_none(void)
{
    uint8_t bytes[UPD_COPY_ENTRY_SIZE];
    struct upd_copy_log log = {.sector = {{.turn = 7, .done = 5, .way = UPD_COPY_RESTORE}}};

    upd_copy_entry(&log, bytes);
    memset(&log, 0, sizeof log);
    CHECK(upd_copy_way(&log) == UPD_COPY_NONE);
    upd_copy_see(&log, 0, 0, true, bytes);
    CHECK(upd_copy_done(&log) == 5 && log.sector[0].turn == 7 && log.sector[0].used == 1);
    CHECK(upd_copy_way(&log) == UPD_COPY_RESTORE);
    for (uint32_t bit = 0; bit < 8 * sizeof bytes; bit++) {
        struct upd_copy_log none = {0};
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        upd_copy_see(&none, 1, 3, false, bytes);
        CHECK(none.sector[1].turn == 0 && none.sector[1].used == 0);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

static void test_offsets_are_those_of_the_format_page(void)
{
    CHECK(upd_copy_entry_offset(0) == 768 && upd_copy_entry_offset(12) == 3840);
    CHECK(upd_copy_taken_offset(0) == 0 && upd_copy_taken_offset(12) == 384);
    CHECK(UPD_COPY_SEALED_OFFSET == 512);
}

int main(void)
{
    CHECK_RUN(test_no_cut_makes_the_log_lie);
    CHECK_RUN(test_each_session_of_a_few_operations_comes_further);
    CHECK_RUN(test_an_entry_is_read_back_and_a_changed_one_is_none);
    CHECK_RUN(test_offsets_are_those_of_the_format_page);
    check_end();
}
