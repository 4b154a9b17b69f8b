/*
 * updraftd: why an update took a step: the one table of causes.
 *
 * A step keeps its cause three times: as a stable code, as the values that stand in its sentence,
 * and as the sentence in English. The API tells all three; a page says it in its own language.
 */
#ifndef UPDRAFT_SERVER_CAUSE_H
#define UPDRAFT_SERVER_CAUSE_H

#include "text/sentence.h"

/*
 * X(NAME, "code", "reason", "sentence"). Codes and the names in braces are stable. The reason is the
 * kind of a failure, by which failures are counted; empty: it is none.
 *
 * {words} are the device's own, from outside; {fall} is the word by which it tells what became of an
 * image; {state} is a state of lifecycle.h.
 */
#define CAUSES(X)                                                                                  \
    X(OFFERED, "offered", "", "{release} is offered")                                              \
    X(ASKS_OWNER, "asks_owner", "", "{release} waits for the owner's consent")                     \
    X(ORDERED, "ordered", "", "ordered by {user}")                                                 \
    X(AUTOMATIC, "automatic", "", "nobody else has to agree")                                      \
    X(ACCEPTED, "accepted", "", "accepted by the owner")                                           \
    X(DECLINED, "declined", "", "declined by the owner")                                           \
    X(CANCELLED, "cancelled", "", "cancelled by an operator")                                      \
    X(REPLACED, "replaced", "", "another release took its place")                                  \
    X(OTHER_ORDERED, "other_ordered", "", "another update was ordered")                            \
    X(BLOCKED, "blocked", "", "the device was blocked")                                            \
    X(WITHDRAWN, "withdrawn", "", "the release was withdrawn")                                     \
    X(BEGINS, "begins", "", "the device begins")                                                   \
    X(FETCHES, "fetches", "", "asked for the image")                                               \
    X(SENT, "sent", "", "the last byte was sent")                                                  \
    X(HAS_IT, "has_it", "", "the device says that it has it")                                      \
    X(HAD_IT, "had_it", "", "the device says that it had it")                                      \
    X(TOLD_TO_REBOOT, "told_to_reboot", "", "told to reboot on its link")                          \
    X(STARTED_IT, "started_it", "", "the device says that it started it")                          \
    X(STARTED_AGAIN, "started_again", "", "it started again without having installed it")          \
    X(CAME_BACK, "came_back", "", "it came back after the reboot")                                 \
    X(RUNS_IT, "runs_it", "", "the device says that it runs the new version")                      \
    X(HEARD_AGAIN, "heard_again", "", "heard again with the new version")                          \
    X(IS_WELL, "is_well", "", "the device says that it is well")                                   \
    X(RUNS_ANOTHER, "runs_another", "", "the device runs another version")                         \
    X(SAYS, "says", "", "the device says: {words}")                                                \
    X(REFUSED, "refused", "refused", "the device refused it: {fall}")                              \
    X(GAVE_UP, "gave_up", "rolled_back", "the device gave it up: {fall}")                          \
    X(WENT_BACK, "went_back", "rolled_back", "came back with version {version}")                   \
    X(NOT_INSTALLED, "not_installed", "not_installed", "came back with version {version}")         \
    X(ROLLED_BACK, "rolled_back", "rolled_back", "the device says that it went back")              \
    X(ROLLED_BACK_SAYS, "rolled_back_says", "rolled_back", "the device went back: {words}")        \
    X(FAILED, "failed", "device", "the device says that the update failed")                        \
    X(FAILED_SAYS, "failed_says", "device", "the device says that it failed: {words}")             \
    X(NOT_HEARD_OF, "not_heard_of", "not_heard_of", "{state}, and not heard of for {hours} hours") \
    X(STUCK, "stuck", "stuck", "{state} for {days} days, although the device is heard of")

enum cause_code {
#define X(name, code, reason, sentence) CAUSE_##name,
    CAUSES(X)
#undef X
};

/** A cause with what stands in its sentence; texts are the caller's. */
struct cause {
    enum cause_code code;
    struct value values[3]; /* the last one ends the list */
};

/** A cause without values, as an argument. */
#define CAUSE(name) (&(const struct cause){.code = CAUSE_##name})

const char *cause_code(enum cause_code code);
const char *cause_sentence(enum cause_code code);
/** The kind of the failure; NULL: it is none. */
const char *cause_reason(enum cause_code code);

#endif
