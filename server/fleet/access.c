#include "access.h"

/* From actions to what they need: the third to fifth column of ACTIONS. */
static const struct {
    const char *word;
    enum role least; /* NONE: no role is enough */
    bool owner;
    bool administrators;
} needs[] = {
#define X(name, word, role, owner, administrators) {word, ROLE_##role, owner, administrators},
    ACTIONS(X)
#undef X
};

const char *action_word(enum action action)
{
    return (size_t)action < ACTION_COUNT ? needs[action].word : "unknown";
}

enum access access_check(const struct actor *actor, enum action action,
                         const struct relation *relation)
{
    if ((size_t)action >= ACTION_COUNT || !relation->exists) {
        return ACCESS_HIDE;
    }
    if (actor->kind == ACTOR_SYSTEM) {
        return ACCESS_ALLOW;
    }
    if (actor->kind != ACTOR_USER) {
        return ACCESS_HIDE;
    }
    /* An owner key opens one device, whatever else its user may: the rest does not exist for it. */
    bool narrow = actor->device != 0;
    if (actor->administrator && !narrow) {
        return ACCESS_ALLOW;
    }
    if (needs[action].administrators) {
        return ACCESS_FORBID;
    }
    bool owner = relation->owner;
    enum role role = narrow ? ROLE_NONE : relation->role;
    if ((needs[action].owner && owner) ||
        (needs[action].least != ROLE_NONE && role >= needs[action].least)) {
        return ACCESS_ALLOW;
    }
    return owner || role != ROLE_NONE ? ACCESS_FORBID : ACCESS_HIDE;
}
