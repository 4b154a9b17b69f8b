#include "habit.h"

struct habit habit_learn(struct habit habit, int64_t before, int64_t now)
{
    int64_t distance = now - before;
    if (before == 0 || distance < HABIT_SAME_CONTACT_MS) {
        return habit;
    }
    habit.polls++;
    if (habit.every == 0) {
        habit.every = distance;
        return habit;
    }
    /* A device that was switched off for a week has not changed its habit. */
    if (distance > 4 * habit.every && habit.polls > 4) {
        distance = 4 * habit.every;
    }
    habit.every += (distance - habit.every) / 4;
    return habit;
}

int64_t habit_due(struct habit habit, int64_t last)
{
    return habit.every == 0 || last == 0 ? 0 : last + habit.every;
}

bool habit_silent(struct habit habit, int64_t last, int64_t now, int64_t least)
{
    int64_t patience = 2 * habit.every;
    return last != 0 && now - last > (patience > least ? patience : least);
}
