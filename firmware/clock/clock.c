/*
 * Asking a server for its version:
 *
 *                    on trial             server answers
 *   STARTING -------------------> TESTING ---------------> CONFIRMED
 *      |  \  fallen                |   ^                       |
 *      |   `-------> FALLEN        v   | again                 |
 *      |               |       TEST_WAITING --- too long       |
 *      v               v           --- UNPROVEN ---> restart   |
 *   CHECKING <-----------------------------------------------' '
 *    |  |  ^ \
 *    |  |  |  `--- same version ---> LATEST ----.
 *    |  |  | again                              v
 *    |  |  WAITING --- too often --> SKIPPED -> TIME --- button ---> MODE
 *    |   `---^ failed                  ^         | due                | seven seconds
 *    v                                 |         v                    v
 *   FETCHING ---> VERIFYING ---> READY |       CHECKING <--------- CHOSEN
 *       `-------------`--- refused ----'
 *
 * With a cloud, which tells by itself:
 *
 *   CHECKING ------ linked ----> ONLINE ---> TIME         any that waits --- offered ---> FETCHING
 *    |   ^                                                VERIFYING --- loaded ---> LOADED
 *    '---' activated: ACTIVATED                           LOADED --- the cloud's word ---> READY
 */
#include "clock.h"

#include <stddef.h>

#include "calendar.h"
#include "text.h"

enum { BOUNCE_MS = 30, HOLD_MS = 7000 };

/* --- What each state shows ------------------------------------------------------------------- */

/* Of "v1.0.0t45772(a)", a name of Espressif's, what people need: the product's number is no news. */
static void add_version(struct text *text, const char *version)
{
    const uint32_t length = text_length(version);
    const bool is_rom_name = length > 0 && version[length - 1] == ')';

    for (uint32_t i = 0; i < length && !(is_rom_name && version[i] == 't'); i++) {
        text_char(text, version[i]);
    }
}

static void draw_version(struct display *display, const struct clock *clock)
{
    char row[DISPLAY_COLUMNS + 1];
    struct text text = text_on(row, sizeof row);

    add_version(&text, clock->config.version);
    text_add(&text, " - ");
    text_add(&text, clock->config.id);
    display_row(display, 0, "Version Firmware:   ");
    display_row(display, 1, row);
}

/* So many of ten arrows, which make a row. */
static void draw_arrows(struct display *display, uint32_t count)
{
    display_row(display, 3, "");
    for (uint32_t i = 0; i < count && i < DISPLAY_COLUMNS / 2; i++) {
        display_print(display, 3, 2 * i, "> ");
    }
}

static uint32_t left_of(uint32_t all, uint32_t gone)
{
    return gone < all ? all - gone : 0;
}

static void draw_patience(struct display *display, const struct clock *clock)
{
    char row[DISPLAY_COLUMNS + 1];
    struct text text = text_on(row, sizeof row);

    text_add(&text, "> Please waiting ");
    text_number(&text, left_of(clock->config.tries, clock->failures), 2, '0');
    display_row(display, 3, row);
}

static void draw_starting(struct display *display, const struct clock *clock)
{
    draw_version(display, clock);
}

static void draw_fallen(struct display *display, const struct clock *clock)
{
    char row[DISPLAY_COLUMNS + 1];
    struct text text = text_on(row, sizeof row);

    add_version(&text, clock->config.fallen[0] != '\0' ? clock->config.fallen : "Update");
    text_add(&text, " given up:");
    draw_version(display, clock);
    display_row(display, 2, row);
    display_row(display, 3, clock->config.fall);
}

static void draw_testing(struct display *display, const struct clock *clock)
{
    char row[DISPLAY_COLUMNS + 1];
    struct text text = text_on(row, sizeof row);

    text_add(&text, "Testing");
    if (clock->config.starts > 0) {
        text_add(&text, ", start ");
        text_number(&text, clock->config.starts, 1, ' ');
        text_add(&text, "/3");
    }
    draw_version(display, clock);
    display_row(display, 2, row);
    display_row(display, 3, clock->failures == 0 ? "..." : clock->trouble);
}

static void draw_confirmed(struct display *display, const struct clock *clock)
{
    draw_version(display, clock);
    display_row(display, 2, "Update confirmed.");
    draw_arrows(display, 10);
}

static void draw_unproven(struct display *display, const struct clock *clock)
{
    draw_version(display, clock);
    display_row(display, 2, "Not confirmed.");
    display_row(display, 3, "> Restarting...");
}

static void draw_broken(struct display *display, const struct clock *clock)
{
    draw_version(display, clock);
    display_row(display, 2, "Self test failed.");
    display_row(display, 3, "> Restarting...");
}

static void draw_checking(struct display *display, const struct clock *clock)
{
    draw_version(display, clock);
    display_row(display, 2, "Checking for updates");
    if (clock->failures == 0) {
        display_row(display, 3, "...");
    } else {
        draw_patience(display, clock);
    }
}

static void draw_waiting(struct display *display, const struct clock *clock)
{
    draw_version(display, clock);
    display_row(display, 2, clock->trouble);
    draw_patience(display, clock);
}

/* One sentence on one row, in two halves. */
static void draw_latest(struct display *display, const struct clock *clock)
{
    draw_version(display, clock);
    display_row(display, 2,
                clock->last_ms - clock->entered_ms < 750 ? "The current version "
                                                         : "      is the latest.");
    draw_arrows(display, 10);
}

static void draw_activated(struct display *display, const struct clock *clock)
{
    draw_version(display, clock);
    display_row(display, 2, "Activated.");
    draw_arrows(display, 10);
}

static void draw_online(struct display *display, const struct clock *clock)
{
    draw_version(display, clock);
    display_row(display, 2, "Online.");
    draw_arrows(display, 10);
}

static void draw_skipped(struct display *display, const struct clock *clock)
{
    draw_version(display, clock);
    display_row(display, 2, clock->trouble);
    display_row(display, 3, "> Skip updated...   ");
}

static void draw_new_version(struct display *display, const struct clock *clock, const char *what)
{
    char row[DISPLAY_COLUMNS + 1];
    struct text text = text_on(row, sizeof row);

    text_add(&text, what);
    add_version(&text, clock->version);
    draw_version(display, clock);
    display_row(display, 2, row);
}

static void draw_fetching(struct display *display, const struct clock *clock)
{
    char percent[5];
    struct text text = text_on(percent, sizeof percent);

    text_number(&text, clock->percent, 3, ' ');
    text_char(&text, '%');
    draw_new_version(display, clock, "New: ");
    display_right(display, 2, percent);
    draw_arrows(display, clock->percent / 10);
}

static void draw_verifying(struct display *display, const struct clock *clock)
{
    draw_new_version(display, clock, "Verify: ");
    draw_arrows(display, 10);
}

static void draw_loaded(struct display *display, const struct clock *clock)
{
    draw_new_version(display, clock, "Have: ");
    display_row(display, 3, "> Restart: waiting");
}

static void draw_ready(struct display *display, const struct clock *clock)
{
    draw_new_version(display, clock, "Installed: ");
    display_row(display, 3, "> Restarting...");
}

static void draw_time_of_day(struct display *display, uint32_t unix_s)
{
    char row[DISPLAY_COLUMNS + 1];
    struct calendar now = calendar_of(unix_s);
    struct text text = text_on(row, sizeof row);

    text_number(&text, now.hour, 2, '0');
    text_char(&text, ':');
    text_number(&text, now.minute, 2, '0');
    text_char(&text, ':');
    text_number(&text, now.second, 2, '0');
    display_centre(display, 0, row);

    text = text_on(row, sizeof row);
    text_add(&text, calendar_weekday_name(now.weekday));
    text_char(&text, ' ');
    text_number(&text, now.day, 1, ' ');
    text_char(&text, ' ');
    text_add(&text, calendar_month_name(now.month));
    text_char(&text, ' ');
    text_number(&text, now.year, 4, '0');
    display_centre(display, 1, row);
}

/* A time in the two largest units that it has. */
static void add_duration(struct text *text, uint32_t seconds)
{
    if (seconds >= 86400) {
        text_number(text, seconds / 86400, 1, ' ');
        text_add(text, "d ");
        text_number(text, seconds % 86400 / 3600, 1, ' ');
        text_char(text, 'h');
    } else if (seconds >= 3600) {
        text_number(text, seconds / 3600, 1, ' ');
        text_add(text, "h ");
        text_number(text, seconds % 3600 / 60, 1, ' ');
        text_add(text, "min");
    } else {
        text_number(text, seconds, 1, ' ');
        text_char(text, 's');
    }
}

static void draw_time(struct display *display, const struct clock *clock)
{
    char row[DISPLAY_COLUMNS + 1];
    struct text text = text_on(row, sizeof row);
    uint32_t unix_s = clock_unix_s(clock);

    if (unix_s != 0) {
        draw_time_of_day(display, unix_s);
    } else {
        display_centre(display, 0, "--:--:--");
        display_row(display, 1, "");
    }
    text_add(&text, "Version ");
    add_version(&text, clock->config.version);
    display_row(display, 2, row);
    display_row(display, 3, clock->note);
    if (clock->check_at_s != UINT32_MAX) {
        text = text_on(row, sizeof row);
        text_add(&text, "Check in ");
        add_duration(&text, left_of(clock->check_at_s, clock->uptime_s));
        display_row(display, 3, row);
    }
}

static void draw_mode(struct display *display, const struct clock *clock)
{
    char row[DISPLAY_COLUMNS + 1];
    struct text text = text_on(row, sizeof row);

    text_number(&text, (clock->last_ms - clock->pressed_ms) / 1000, 1, ' ');
    text_add(&text, " s; 7 s: Update OTA");
    draw_version(display, clock);
    display_row(display, 1, "Mode Selection      ");
    display_row(display, 2, row);
    display_row(display, 3, "");
}

static void draw_chosen(struct display *display, const struct clock *clock)
{
    draw_version(display, clock);
    display_row(display, 1, "Mode: >> Update OTA ");
    display_row(display, 2, "");
    display_row(display, 3, "");
}

/* X(NAME, draw_name, milliseconds until TIMEOUT; 0: none, or by the configuration) */
#define STATES(X)                                                                                  \
    X(STARTING, starting, 0)                                                                       \
    X(FALLEN, fallen, 4000)                                                                        \
    X(TESTING, testing, 0)                                                                         \
    X(TEST_WAITING, testing, 0)                                                                    \
    X(CONFIRMED, confirmed, 1500)                                                                  \
    X(UNPROVEN, unproven, 1500)                                                                    \
    X(BROKEN, broken, 1500)                                                                        \
    X(CHECKING, checking, 0)                                                                       \
    X(WAITING, waiting, 0)                                                                         \
    X(LATEST, latest, 1500)                                                                        \
    X(ACTIVATED, activated, 1500)                                                                  \
    X(ONLINE, online, 1500)                                                                        \
    X(SKIPPED, skipped, 2000)                                                                      \
    X(FETCHING, fetching, 0)                                                                       \
    X(VERIFYING, verifying, 0)                                                                     \
    X(LOADED, loaded, 0)                                                                           \
    X(READY, ready, 1500)                                                                          \
    X(RESTARTING, ready, 0)                                                                        \
    X(TIME, time, 0)                                                                               \
    X(MODE, mode, 0)                                                                               \
    X(CHOSEN, chosen, 1000)

enum state {
#define X(name, draw, ms) name,
    STATES(X)
#undef X
};

static const struct {
    void (*draw)(struct display *display, const struct clock *clock);
    uint32_t dwell_ms;
} states[] = {
#define X(name, draw, ms) {draw_##draw, ms},
    STATES(X)
#undef X
};

/* --- What leads from state to state ---------------------------------------------------------- */

#define ON(event) CLOCK_EVENT_##event
#define DO(action) CLOCK_DO_##action

static const struct transition {
    uint8_t from, on, to, action;
} transitions[] = {
    {STARTING, ON(ORDINARY), CHECKING, DO(CHECK)},
    {STARTING, ON(TRIAL), TESTING, DO(PROBE)},
    {STARTING, ON(BROKEN), BROKEN, DO(ROLL_BACK)},
    {STARTING, ON(FALLEN), FALLEN, DO(NOTHING)},

    {FALLEN, ON(TIMEOUT), CHECKING, DO(CHECK)},

    {TESTING, ON(CURRENT), CONFIRMED, DO(CONFIRM)},
    {TESTING, ON(OFFERED), CONFIRMED, DO(CONFIRM)},
    {TESTING, ON(FAILED), TEST_WAITING, DO(NOTHING)},
    {TESTING, ON(REFUSED), TEST_WAITING, DO(NOTHING)},
    {TESTING, ON(TRIAL_OVER), UNPROVEN, DO(NOTHING)},
    {TEST_WAITING, ON(TIMEOUT), TESTING, DO(PROBE)},
    {TEST_WAITING, ON(TRIAL_OVER), UNPROVEN, DO(NOTHING)},
    {CONFIRMED, ON(TIMEOUT), CHECKING, DO(CHECK)},
    {UNPROVEN, ON(TIMEOUT), RESTARTING, DO(RESTART)},
    {BROKEN, ON(TIMEOUT), RESTARTING, DO(RESTART)},

    {CHECKING, ON(CURRENT), LATEST, DO(NOTHING)},
    {CHECKING, ON(OFFERED), FETCHING, DO(NOTHING)},
    {CHECKING, ON(FAILED), WAITING, DO(NOTHING)},
    {CHECKING, ON(REFUSED), SKIPPED, DO(NOTHING)},
    {FETCHING, ON(RECEIVED), VERIFYING, DO(NOTHING)},
    {FETCHING, ON(FAILED), WAITING, DO(NOTHING)},
    {FETCHING, ON(REFUSED), SKIPPED, DO(NOTHING)},
    {VERIFYING, ON(READY), READY, DO(NOTHING)},
    {VERIFYING, ON(FAILED), WAITING, DO(NOTHING)},
    {VERIFYING, ON(REFUSED), SKIPPED, DO(NOTHING)},
    {READY, ON(TIMEOUT), RESTARTING, DO(RESTART)},
    {WAITING, ON(TRIES_OVER), SKIPPED, DO(NOTHING)},
    {WAITING, ON(TIMEOUT), CHECKING, DO(CHECK)},
    {LATEST, ON(TIMEOUT), TIME, DO(NOTHING)},
    {SKIPPED, ON(TIMEOUT), TIME, DO(NOTHING)},

    {TIME, ON(PRESSED), MODE, DO(NOTHING)},
    {TIME, ON(DUE), CHECKING, DO(CHECK)},
    {MODE, ON(HELD), CHOSEN, DO(NOTHING)},
    {MODE, ON(RELEASED), TIME, DO(NOTHING)},
    {CHOSEN, ON(TIMEOUT), CHECKING, DO(CHECK)},

    /* With a cloud */
    {CHECKING, ON(ACTIVATED), ACTIVATED, DO(NOTHING)},
    {CHECKING, ON(LINKED), ONLINE, DO(NOTHING)},
    {TESTING, ON(LINKED), CONFIRMED, DO(CONFIRM)},
    {ACTIVATED, ON(TIMEOUT), CHECKING, DO(CHECK)},
    {ONLINE, ON(TIMEOUT), TIME, DO(NOTHING)},
    {FALLEN, ON(OFFERED), FETCHING, DO(NOTHING)},
    {CONFIRMED, ON(OFFERED), FETCHING, DO(NOTHING)},
    {WAITING, ON(OFFERED), FETCHING, DO(NOTHING)},
    {ACTIVATED, ON(OFFERED), FETCHING, DO(NOTHING)},
    {ONLINE, ON(OFFERED), FETCHING, DO(NOTHING)},
    {SKIPPED, ON(OFFERED), FETCHING, DO(NOTHING)},
    {TIME, ON(OFFERED), FETCHING, DO(NOTHING)},
    {MODE, ON(OFFERED), FETCHING, DO(NOTHING)},
    {CHOSEN, ON(OFFERED), FETCHING, DO(NOTHING)},
    {ONLINE, ON(REFUSED), SKIPPED, DO(NOTHING)},
    {TIME, ON(REFUSED), SKIPPED, DO(NOTHING)},
    {VERIFYING, ON(LOADED), LOADED, DO(NOTHING)},
    {LOADED, ON(READY), READY, DO(NOTHING)},
    {LOADED, ON(REFUSED), SKIPPED, DO(NOTHING)},
};

static const struct transition *find(uint32_t from, enum clock_event on)
{
    for (uint32_t i = 0; i < sizeof transitions / sizeof transitions[0]; i++) {
        if (transitions[i].from == from && transitions[i].on == on) {
            return &transitions[i];
        }
    }
    return NULL;
}

/* What a state begins with. */
static void enter(struct clock *clock, uint32_t state)
{
    if (state == TIME && clock->state != MODE) {
        clock->check_at_s = clock->config.check_every_s == 0
                                ? UINT32_MAX
                                : clock->uptime_s + clock->config.check_every_s;
        clock->failures = 0;
        clock->by_hand = false;
    } else if (state == CHOSEN) {
        clock->by_hand = true;
        clock->used = true;
    } else if (state == CONFIRMED) {
        clock->failures = 0;
    }
    clock->state = (uint8_t)state;
    clock->entered_ms = clock->last_ms;
}

static bool passed(const struct clock *clock, uint32_t since_ms, uint32_t ms)
{
    return clock->last_ms - since_ms >= ms;
}

static bool is_over(const struct clock *clock)
{
    uint32_t dwell_ms = clock->state == WAITING || clock->state == TEST_WAITING
                            ? clock->config.retry_ms
                            : states[clock->state].dwell_ms;
    return dwell_ms != 0 && passed(clock, clock->entered_ms, dwell_ms);
}

static enum clock_event boot_event(const struct clock *clock)
{
    static const uint8_t events[] = {
        [CLOCK_BOOT_ORDINARY] = ON(ORDINARY),
        [CLOCK_BOOT_TRIAL] = ON(TRIAL),
        [CLOCK_BOOT_BROKEN] = ON(BROKEN),
        [CLOCK_BOOT_FALLEN] = ON(FALLEN),
    };
    return (enum clock_event)events[clock->config.boot];
}

/* Whether an event of the clock itself is there. They stay so until a state takes them. */
static bool happens(const struct clock *clock, enum clock_event event)
{
    switch (event) {
    case ON(TIMEOUT):
        return is_over(clock);
    case ON(TRIES_OVER):
        return clock->failures > clock->config.tries;
    case ON(TRIAL_OVER):
        return passed(clock, clock->born_ms, clock->config.trial_ms);
    case ON(DUE):
        return clock->uptime_s >= clock->check_at_s;
    case ON(PRESSED):
        return clock->pressed && !clock->used;
    case ON(RELEASED):
        return !clock->pressed;
    case ON(HELD):
        return clock->pressed && passed(clock, clock->pressed_ms, HOLD_MS);
    default:
        return event == boot_event(clock);
    }
}

/* --- The world ------------------------------------------------------------------------------- */

static void pass_time(struct clock *clock, uint32_t now_ms)
{
    if (!clock->started) {
        clock->started = true;
        clock->last_ms = clock->entered_ms = clock->born_ms = clock->raw_ms = now_ms;
    }
    clock->rest_ms += now_ms - clock->last_ms;
    clock->uptime_s += clock->rest_ms / 1000;
    clock->rest_ms %= 1000;
    clock->last_ms = now_ms;
}

/* A button bounces: it counts when it has been the same for a while, from the first moment on. */
static void watch_button(struct clock *clock, bool pressed)
{
    if (pressed != clock->raw) {
        clock->raw = pressed;
        clock->raw_ms = clock->last_ms;
    }
    if (clock->raw != clock->pressed && passed(clock, clock->raw_ms, BOUNCE_MS)) {
        clock->pressed = clock->raw;
        clock->pressed_ms = clock->raw_ms;
        clock->used = false;
    }
}

static void take_news(struct clock *clock, const struct clock_inputs *inputs)
{
    clock->percent = inputs->percent;
    text_copy(clock->note, sizeof clock->note, inputs->note != NULL ? inputs->note : "");
    if (inputs->unix_s != 0) {
        clock_set_unix_s(clock, inputs->unix_s);
    }
    if (inputs->news == ON(OFFERED)) {
        text_copy(clock->version, sizeof clock->version, inputs->version);
    } else if (inputs->news == ON(FAILED) || inputs->news == ON(REFUSED)) {
        text_copy(clock->trouble, sizeof clock->trouble, inputs->trouble);
        clock->failures++;
    }
}

/* --- */

void clock_init(struct clock *clock, const struct clock_config *config)
{
    *clock = (struct clock){.config = *config, .check_at_s = UINT32_MAX};
    display_clear(&clock->display);
}

uint32_t clock_unix_s(const struct clock *clock)
{
    return clock->unix_at_boot_s == 0 ? 0 : clock->unix_at_boot_s + clock->uptime_s;
}

void clock_set_unix_s(struct clock *clock, uint32_t unix_s)
{
    clock->unix_at_boot_s = unix_s - clock->uptime_s;
}

enum clock_action clock_step(struct clock *clock, uint32_t now_ms,
                             const struct clock_inputs *inputs)
{
    const struct transition *row = NULL;

    pass_time(clock, now_ms);
    watch_button(clock, inputs->mode_pressed);
    take_news(clock, inputs);
    if (inputs->news != ON(NONE)) {
        row = find(clock->state, inputs->news);
    }
    for (uint32_t i = 0; i < sizeof transitions / sizeof transitions[0] && row == NULL; i++) {
        if (transitions[i].from == clock->state && transitions[i].on >= ON(ORDINARY) &&
            happens(clock, (enum clock_event)transitions[i].on)) {
            row = &transitions[i];
        }
    }
    if (row != NULL) {
        enter(clock, row->to);
    }
    display_clear(&clock->display);
    states[clock->state].draw(&clock->display, clock);
    return row == NULL ? CLOCK_DO_NOTHING : (enum clock_action)row->action;
}
