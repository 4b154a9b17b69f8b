/*
 * Goal: whatever is cut, however often, and however torn cells read: updraft's loader for the NONOS
 * SDK starts an image that verifies, from parameters that are whole; an image on trial gets three
 * starts and no more; a confirmed one stays.
 *
 * Method: every state that can be reached. The flash is reduced to what a step can tell apart (a
 * flag sector, a copy, a seal, a mark each be sound or torn, and a torn one reads as anything, anew
 * at each look), and a breadth-first search takes every step, every cut inside and between steps,
 * and every reading, until there is nothing new. The library's own steps are written down here as
 * the device folder does them.
 */
#include <updraft/nonos_boot.h>

#include "check.h"
#include "nonos_device.h"

/* What one thing in flash is. Torn ones read as one of their values, anew at each look. */
enum cell { UNSET, SET, TORN };
enum copy { NAMES_A, NAMES_B, RUINED };
/*
 * The flag sector: sealed, or as the SDK or an original loader left it; with a torn seal, so that
 * it is taken for sound or not, although it is; or torn, and then never taken for sound, which
 * nonos_select_test.c shows.
 */
enum flag { SEALED, MAYBE_SEALED, FLAG_TORN };

/* The marks that steps look at. */
static const enum upd_journal_mark watched[] = {
    UPD_MARK_CLOSED,  UPD_MARK_PROVEN,    UPD_MARK_ARMED,   UPD_MARK_START_1, UPD_MARK_START_2,
    UPD_MARK_START_3, UPD_MARK_EXHAUSTED, UPD_MARK_DAMAGED, UPD_MARK_REFUSED,
};
enum { WATCHED = sizeof watched / sizeof watched[0], FRAME_NONE = 2 };

/* Who runs, and what he is about to do. */
enum mode {
    LOADER,
    STARTED,  /* an image was started: the library settles what the loader did not see */
    RUNS,     /* and lets the application run */
    PREPARE,  /* A begins an update: the selection must hold */
    ACTIVATE, /* A makes B the next one */
    CONFIRM,  /* B confirms itself */
    GIVE_UP,  /* B refuses itself */
};

struct node {
    uint8_t mode;
    uint8_t flag;
    uint8_t current; /* copy that the flag sector selects, unless it is torn */
    uint8_t copy[2];
    uint8_t seal[2]; /* of the copies: enum cell */
    uint8_t head;    /* slot of the newest sound frame, or FRAME_NONE */
    uint8_t torn;    /* a frame on top whose head was torn: slot + 1, or 0 */
    uint8_t
        ended; /* the sound frame's head is torn by being wiped: reads as nothing or as it was */
    uint8_t mark[WATCHED];
    uint8_t good_b;    /* B holds a whole image */
    uint8_t runs;      /* slot, while an image runs */
    uint8_t confirmed; /* confirm() said that the image stays */
    uint8_t starts;    /* of B since it was activated */
    /* What lives in RAM, all zero after a cut. */
    uint8_t sealed, broken, verdict[2];
    uint8_t zero; /* so that there is no padding */
    uint16_t sure;
};
_Static_assert(sizeof(struct node) == 30, "no padding, for memcmp()");

enum { NODES = 1 << 19, KEYS = 1 << 21 };
static struct node nodes[NODES];
static uint32_t keys[KEYS]; /* index + 1 */
static uint32_t node_count;

static void add(const struct node *node)
{
    const uint8_t *bytes = (const uint8_t *)node;
    uint32_t hash = 2166136261u;

    for (uint32_t i = 0; i < sizeof *node; i++) {
        hash = (hash ^ bytes[i]) * 16777619u;
    }
    for (uint32_t at = (hash ^ hash >> 15) % KEYS;; at = (at + 1) % KEYS) {
        if (keys[at] == 0) {
            if (node_count < NODES) {
                nodes[node_count++] = *node;
                keys[at] = node_count;
            }
            return;
        }
        if (memcmp(&nodes[keys[at] - 1], node, sizeof *node) == 0) {
            return;
        }
    }
}

/* Power is lost: what is in RAM is gone. */
static void cut(struct node node)
{
    node.mode = LOADER;
    node.runs = 0;
    node.sealed = node.broken = node.verdict[0] = node.verdict[1] = 0;
    node.sure = 0;
    add(&node);
}

static uint32_t place_of(enum upd_journal_mark mark)
{
    uint32_t place = 0;

    while (watched[place] != mark) {
        place++;
    }
    return place;
}

static uint32_t choose(uint32_t *reading, uint32_t count)
{
    uint32_t choice = *reading % count;

    *reading /= count;
    return choice;
}

/* What the flag sector reads as, for each trust in it and each copy that it selects. */
static struct upd_select_area flags[3][2];

static void prepare_flags(void)
{
    for (uint8_t copy = 0; copy < 2; copy++) {
        struct upd_select_area *sound = &flags[UPD_FLAG_SOUND][copy];
        struct upd_select_area *doubt = &flags[UPD_FLAG_DOUBT][copy];
        *sound = device().area;
        write_flag(sound, copy);
        *doubt = *sound;
        memset(doubt->flag_seals, 0, sizeof doubt->flag_seals);
        CHECK(upd_flag_trust(sound) == UPD_FLAG_SOUND);
        CHECK(upd_flag_trust(doubt) == UPD_FLAG_DOUBT);
    }
}

/* Take one reading of a node. What is left of the number is not 0 when there are no more. */
static struct upd_nonos_state read_as(const struct node *node, uint32_t *reading)
{
    struct upd_nonos_state state = {.version = VERSION};
    bool doubt = node->flag == FLAG_TORN || (node->flag == MAYBE_SEALED && choose(reading, 2) != 0);
    uint32_t current = node->flag == FLAG_TORN ? choose(reading, 2) : node->current;
    bool top = node->torn != 0 && choose(reading, 2) != 0;
    bool gone = node->ended != 0 && choose(reading, 2) != 0;

    state.area = flags[doubt ? UPD_FLAG_DOUBT : UPD_FLAG_SOUND][current];
    for (uint32_t i = 0; i < 2; i++) {
        uint32_t name = node->copy[i] == RUINED ? choose(reading, 3) : node->copy[i];
        if (name == RUINED) {
            memset(state.area.params.head[i], 0xFF, UPD_BOOT_BLOCK_SIZE);
        } else {
            set_block(state.area.params.head[i], name == NAMES_B ? B : A);
        }
        state.area.copy[i].sealed =
            node->seal[i] == TORN ? choose(reading, 2) != 0 : node->seal[i] == SET;
    }
    state.framed = top || (node->head != FRAME_NONE && !gone);
    state.slot = top ? (uint8_t)(node->torn - 1) : node->head;
    for (uint32_t i = 0; i < WATCHED; i++) {
        bool set = node->mark[i] == TORN ? choose(reading, 2) != 0 : node->mark[i] == SET;
        state.marks |= (uint16_t)(set && !top ? UPD_MARK_BIT(watched[i]) : 0);
    }
    state.sure = node->sure;
    state.progress.sealed = node->sealed;
    state.progress.broken = node->broken;
    state.verdict[A] = (enum upd_verdict)node->verdict[A];
    state.verdict[B] = (enum upd_verdict)node->verdict[B];
    return state;
}

/* The flag sector selects a slot by parameters that are whole, at every reading. */
static bool names(const struct node *node, uint32_t slot)
{
    return node->flag != FLAG_TORN && node->copy[node->current] == (slot == A ? NAMES_A : NAMES_B);
}

/* The seals that are made invalid, the copy, or its new seal may be torn. */
static void write_copy(const struct node *node, uint32_t slot, struct node *whole)
{
    struct node torn = *node;
    uint8_t now = slot == A ? NAMES_A : NAMES_B;
    uint32_t copy = !node->current;

    CHECK(node->flag == SEALED || node->flag == MAYBE_SEALED);
    CHECK(node->seal[node->current] == SET);
    if (node->seal[copy] != UNSET) {
        torn.seal[copy] = TORN;
        cut(torn);
    }
    torn.copy[copy] = RUINED;
    torn.seal[copy] = UNSET;
    cut(torn);
    torn.copy[copy] = now;
    torn.seal[copy] = TORN;
    cut(torn);
    whole->copy[copy] = now;
    whole->seal[copy] = SET;
}

/* The old seal may be torn, or the sector, or the new seal. */
static void write_selection(const struct node *node, uint8_t copy, struct node *whole)
{
    struct node torn = *node;

    CHECK(node->copy[copy] != RUINED);
    if (node->flag == SEALED) {
        torn.flag = MAYBE_SEALED;
        cut(torn);
    }
    torn.flag = FLAG_TORN;
    torn.current = 0;
    cut(torn);
    torn.flag = MAYBE_SEALED;
    torn.current = copy;
    cut(torn);
    whole->flag = SEALED;
    whole->current = copy;
    whole->sealed = whole->broken = false;
}

/* Do a step that writes: once cut inside, once whole. */
static void write(const struct node *node, struct upd_nonos_step step, enum mode next)
{
    struct node torn = *node, whole = *node;
    uint32_t place;

    whole.mode = (uint8_t)next;
    switch (step.what) {
    case UPD_SELECT_SEAL:
        CHECK(node->flag == SEALED || node->flag == MAYBE_SEALED);
        torn.seal[node->current] = node->seal[node->current] == SET ? SET : TORN;
        whole.seal[node->current] = SET;
        whole.sealed = true;
        break;
    case UPD_SELECT_BREAK:
        CHECK(node->flag == SEALED || node->flag == MAYBE_SEALED);
        torn.seal[!node->current] = node->seal[!node->current] == UNSET ? UNSET : TORN;
        whole.seal[!node->current] = UNSET;
        whole.broken = true;
        break;
    case UPD_SELECT_COPY:
        write_copy(node, step.which, &whole);
        break;
    case UPD_SELECT_FLAG:
        write_selection(node, step.which, &whole);
        break;
    default:
        CHECK(step.what == UPD_NONOS_MARK);
        place = place_of((enum upd_journal_mark)step.which);
        torn.mark[place] = node->mark[place] == SET ? SET : TORN;
        whole.mark[place] = SET;
        whole.sure |= (uint16_t)UPD_MARK_BIT(step.which);
    }
    cut(torn);
    add(&whole);
}

static bool writes(uint32_t what)
{
    return what != UPD_NONOS_DONE && what <= UPD_NONOS_MARK;
}

static void load(const struct node *node, const struct upd_nonos_state *state)
{
    struct upd_nonos_step step = upd_nonos_boot(state);
    struct node next = *node;

    if (writes(step.what)) {
        write(node, step, LOADER);
        return;
    }
    if (step.what == UPD_NONOS_VERIFY) {
        next.verdict[step.which] =
            step.which == A || node->good_b ? UPD_VERDICT_GOOD : UPD_VERDICT_BAD;
        add(&next);
        return;
    }
    CHECK(step.what == UPD_NONOS_START); /* one image is good, and the other copy selects it */
    CHECK(step.which == A || node->good_b);
    CHECK(names(node, step.which)); /* the SDK and the next reset see what the loader saw */
    CHECK(!node->confirmed || step.which == B);
    next.mode = STARTED;
    next.runs = step.which;
    next.sealed = next.broken = 0; /* what the loader knew */
    next.sure = 0;
    next.verdict[A] = next.verdict[B] = UPD_VERDICT_UNKNOWN;
    /* Once B began to confirm itself the trial may read as ended. */
    if (step.which == B && node->mark[place_of(UPD_MARK_CLOSED)] == UNSET) {
        CHECK(next.starts < UPD_TRIAL_STARTS);
        next.starts++;
    }
    add(&next);
}

/* A journal frame is opened by A, for B. */
static void open_frame(const struct node *node)
{
    struct node torn = *node, whole = *node;

    torn.torn = B + 1;
    cut(torn);
    /* The sector was full: heads are wiped, and it is erased, before. */
    torn = *node;
    torn.ended = node->head != FRAME_NONE;
    cut(torn);
    whole.head = B;
    whole.torn = whole.ended = 0;
    memset(whole.mark, UNSET, sizeof whole.mark);
    whole.mode = ACTIVATE;
    whole.sure = 0;
    add(&whole);
}

/* What upd_device_start() does; a restart when the selection is another one then. */
static void settle(const struct node *node, const struct upd_nonos_state *state)
{
    struct upd_nonos_step step = upd_nonos_settle(state);
    struct node next = *node;

    if (writes(step.what)) {
        write(node, step, STARTED);
        return;
    }
    CHECK(step.what == UPD_NONOS_DONE);
    CHECK(node->flag != FLAG_TORN);
    cut(next);
    if (names(node, node->runs)) {
        next.mode = RUNS;
        add(&next);
    }
}

static void run(const struct node *node, const struct upd_nonos_state *state)
{
    struct node next = *node;

    cut(next);
    next.sealed = next.broken = 0;
    if (node->runs == A) {
        next.mode = PREPARE;
        add(&next);
    } else if (node->confirmed) {
        /* From here on B is the one that runs, and A's slot is the spare one: change names. */
        for (uint32_t i = 0; i < 2; i++) {
            next.copy[i] = next.copy[i] == NAMES_A   ? NAMES_B
                           : next.copy[i] == NAMES_B ? NAMES_A
                                                     : RUINED;
        }
        next.head = next.head == FRAME_NONE ? FRAME_NONE : !next.head;
        next.torn = next.torn == 0 ? 0 : (uint8_t)(3 - next.torn);
        next.confirmed = next.starts = 0;
        cut(next);
    } else {
        next.mode = CONFIRM;
        add(&next);
        if (upd_nonos_in_force(state)) {
            next.mode = GIVE_UP;
            add(&next);
        }
    }
}

static void prepare(const struct node *node, const struct upd_nonos_state *state)
{
    struct upd_nonos_step step = upd_nonos_hold(state);
    struct node next = *node;

    if (writes(step.what)) {
        write(node, step, PREPARE);
        return;
    }
    CHECK(step.what == UPD_NONOS_DONE);
    if (!names(node, A)) {
        cut(next); /* a seal that read well before did not now: the other image runs next */
        return;
    }
    next.good_b = false; /* the slot is being written; a cut leaves it so */
    next.starts = 0;
    cut(next);
    next.good_b = true; /* written, and verified */
    cut(next);
    next.sealed = next.broken = 0;
    open_frame(&next);
}

static void activate(const struct node *node, const struct upd_nonos_state *state)
{
    struct upd_nonos_step step = upd_nonos_activate(state);

    if (writes(step.what)) {
        write(node, step, ACTIVATE);
    } else {
        CHECK(step.what == UPD_NONOS_DONE);
        CHECK(names(node, B));
        cut(*node);
    }
}

static void confirm(const struct node *node, const struct upd_nonos_state *state)
{
    struct upd_nonos_step step = upd_nonos_confirm(state);
    struct node next = *node;

    if (!names(node, B)) {
        cut(next); /* as in prepare() */
    } else if (step.what == UPD_NONOS_DONE) {
        next.confirmed = true;
        next.mode = RUNS;
        add(&next);
    } else {
        write(node, step, CONFIRM);
    }
}

static void give_up(const struct node *node, const struct upd_nonos_state *state)
{
    struct upd_nonos_step step = upd_nonos_give_up(state, UPD_MARK_REFUSED);

    if (writes(step.what)) {
        write(node, step, GIVE_UP);
    } else {
        /* Who was cut in confirming and then refuses may find that the frame reads as closed. */
        CHECK(step.what == UPD_NONOS_DONE);
        CHECK(names(node, A) || node->mark[place_of(UPD_MARK_CLOSED)] == TORN);
        cut(*node);
    }
}

static void act(const struct node *node, const struct upd_nonos_state *state)
{
    switch ((enum mode)node->mode) {
    case LOADER:
        load(node, state);
        break;
    case STARTED:
        settle(node, state);
        break;
    case RUNS:
        run(node, state);
        break;
    case PREPARE:
        prepare(node, state);
        break;
    case ACTIVATE:
        activate(node, state);
        break;
    case CONFIRM:
        confirm(node, state);
        break;
    case GIVE_UP:
        give_up(node, state);
        break;
    }
}

static void begin(enum copy spare)
{
    struct node first = {
        .mode = LOADER, .flag = SEALED, .copy = {NAMES_A, (uint8_t)spare}, .head = FRAME_NONE};

    add(&first);
}

static void test_no_number_of_cuts_leaves_a_device_without_a_verified_image(void)
{
    uint32_t confirmed = 0, fallen = 0;

    prepare_flags();
    begin(NAMES_A);
    begin(RUINED); /* the SDK's own write of the other copy was cut */
    for (uint32_t i = 0; i < node_count && !check_totals.failing; i++) {
        const struct node node = nodes[i];
        uint32_t rest = 0;
        confirmed += node.mode == RUNS && node.confirmed;
        fallen += node.mode == RUNS && node.runs == A && node.starts != 0;
        for (uint32_t reading = 0; rest == 0; reading++) {
            rest = reading;
            struct upd_nonos_state state = read_as(&node, &rest);
            if (rest == 0) {
                act(&node, &state);
            }
        }
    }
    CHECK(node_count < NODES);
    CHECK(confirmed > 0 && fallen > 0);
}

int main(void)
{
    CHECK_RUN(test_no_number_of_cuts_leaves_a_device_without_a_verified_image);
    check_end();
}
