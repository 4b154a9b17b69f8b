#include "lifecycle.h"

#include <stddef.h>
#include <string.h>

/*
 * THE table. What a device reports may arrive late, twice, or not at all, so that a state can be
 * jumped over: a stock client that was offered a release and then says that it runs it has
 * downloaded it, whether we saw the bytes go or not.
 */
static const struct {
    enum update_state from;
    enum update_event on;
    enum update_state to;
} transitions[] = {
    {UPDATE_OFFERED, UPDATE_ON_ACCEPT, UPDATE_ACCEPTED},
    {UPDATE_OFFERED, UPDATE_ON_DECLINE, UPDATE_DECLINED},
    {UPDATE_OFFERED, UPDATE_ON_BEGIN, UPDATE_DOWNLOADING},
    {UPDATE_OFFERED, UPDATE_ON_FETCHED, UPDATE_DOWNLOADED},
    {UPDATE_OFFERED, UPDATE_ON_RUNS_NEW, UPDATE_RUNNING},
    {UPDATE_OFFERED, UPDATE_ON_FAIL, UPDATE_FAILED},
    {UPDATE_OFFERED, UPDATE_ON_CANCEL, UPDATE_CANCELLED},

    {UPDATE_ACCEPTED, UPDATE_ON_DECLINE, UPDATE_DECLINED},
    {UPDATE_ACCEPTED, UPDATE_ON_BEGIN, UPDATE_DOWNLOADING},
    {UPDATE_ACCEPTED, UPDATE_ON_FETCHED, UPDATE_DOWNLOADED},
    {UPDATE_ACCEPTED, UPDATE_ON_RUNS_NEW, UPDATE_RUNNING},
    {UPDATE_ACCEPTED, UPDATE_ON_FAIL, UPDATE_FAILED},
    {UPDATE_ACCEPTED, UPDATE_ON_CANCEL, UPDATE_CANCELLED},

    /* The same again: the download is resumed, or starts anew. */
    {UPDATE_DOWNLOADING, UPDATE_ON_BEGIN, UPDATE_DOWNLOADING},
    {UPDATE_DOWNLOADING, UPDATE_ON_FETCHED, UPDATE_DOWNLOADED},
    {UPDATE_DOWNLOADING, UPDATE_ON_RUNS_NEW, UPDATE_RUNNING},
    {UPDATE_DOWNLOADING, UPDATE_ON_FAIL, UPDATE_FAILED},
    {UPDATE_DOWNLOADING, UPDATE_ON_CANCEL, UPDATE_CANCELLED},

    /* Fetched again: what we believed to have arrived did not. */
    {UPDATE_DOWNLOADED, UPDATE_ON_BEGIN, UPDATE_DOWNLOADING},
    {UPDATE_DOWNLOADED, UPDATE_ON_REBOOT, UPDATE_REBOOTING},
    {UPDATE_DOWNLOADED, UPDATE_ON_RUNS_NEW, UPDATE_RUNNING},
    {UPDATE_DOWNLOADED, UPDATE_ON_RUNS_OLD, UPDATE_FAILED},
    {UPDATE_DOWNLOADED, UPDATE_ON_FAIL, UPDATE_FAILED},
    {UPDATE_DOWNLOADED, UPDATE_ON_CANCEL, UPDATE_CANCELLED},

    {UPDATE_REBOOTING, UPDATE_ON_BEGIN, UPDATE_DOWNLOADING},
    {UPDATE_REBOOTING, UPDATE_ON_RUNS_NEW, UPDATE_RUNNING},
    {UPDATE_REBOOTING, UPDATE_ON_RUNS_OLD, UPDATE_ROLLED_BACK},
    {UPDATE_REBOOTING, UPDATE_ON_FAIL, UPDATE_FAILED},
    {UPDATE_REBOOTING, UPDATE_ON_CANCEL, UPDATE_CANCELLED},

    {UPDATE_RUNNING, UPDATE_ON_HEALTHY, UPDATE_CONFIRMED},
    {UPDATE_RUNNING, UPDATE_ON_RUNS_OLD, UPDATE_ROLLED_BACK},
    {UPDATE_RUNNING, UPDATE_ON_FAIL, UPDATE_FAILED},
    {UPDATE_RUNNING, UPDATE_ON_CANCEL, UPDATE_CANCELLED},
};

static const struct {
    const char *word;
    bool over;
} states[] = {
#define X(name, word, over) {word, over},
    UPDATE_STATES(X)
#undef X
};

static const char *const events[] = {
#define X(name, word) word,
    UPDATE_EVENTS(X)
#undef X
};

const char *update_state_word(enum update_state state)
{
    return (size_t)state < sizeof states / sizeof states[0] ? states[state].word : "unknown";
}

const char *update_event_word(enum update_event event)
{
    return (size_t)event < sizeof events / sizeof events[0] ? events[event] : "unknown";
}

bool update_state_find(const char *word, enum update_state *state)
{
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        if (strcmp(states[i].word, word) == 0) {
            *state = (enum update_state)i;
            return true;
        }
    }
    return false;
}

bool update_state_over(enum update_state state)
{
    return (size_t)state < sizeof states / sizeof states[0] && states[state].over;
}

bool update_step(enum update_state *state, enum update_event event)
{
    for (size_t i = 0; i < sizeof transitions / sizeof transitions[0]; i++) {
        if (transitions[i].from == *state && transitions[i].on == event) {
            *state = transitions[i].to;
            return true;
        }
    }
    return false;
}
