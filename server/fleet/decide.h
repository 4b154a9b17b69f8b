/*
 * updraftd: the one decision: which release should this device get now, or why none?
 *
 * A pure function of the device's facts, the product's policy and its releases. Every protocol, the
 * API, the tool and the web page show this answer; none has a policy of its own.
 *
 * The rules are asked in the order of REASONS; the first that does not hold is the reason, and the
 * list of all is the explanation.
 */
#ifndef UPDRAFT_SERVER_DECIDE_H
#define UPDRAFT_SERVER_DECIDE_H

#include "model.h"

/*
 * X(NAME, "code", rule, sentence). Codes are stable. In a sentence {release} is its version, {version}
 * the running one, {size} bytes, {image} a part and the variant. The rule is what has to
 * hold, as the list of rules shows it.
 */
#define REASONS(X)                                                                                 \
    X(OFFER, "offer", "all rules hold", "{release} is offered")                                    \
    X(NOT_ADMITTED, "not_admitted", "the device is admitted",                                      \
      "the device registered itself and nobody has admitted it yet")                               \
    X(BLOCKED, "blocked", "the device is not blocked", "the device is blocked")                    \
    X(DISABLED, "disabled", "the device is in use", "the device is disabled")                      \
    X(NO_RELEASE, "no_release", "a release is current",                                            \
      "no release is current in channel {channel}")                                                \
    X(WITHDRAWN, "withdrawn", "the release stands", "{release} was withdrawn")                     \
    X(CURRENT, "current", "something else runs", "runs {version}, which is current")               \
    X(SAME_IMAGE, "same_image", "another image runs",                                              \
      "the device runs the very image of {release} already (same MD5)")                            \
    X(UNKNOWN_VERSION, "unknown_version", "the running version is known",                          \
      "the running version is not known, so that {release} might be a downgrade")                  \
    X(WRONG_PTYPE, "wrong_ptype", "made for this product type",                                    \
      "{release} is for another product type")                                                     \
    X(DOWNGRADE, "downgrade", "newer than what runs",                                              \
      "runs {version}, and {release} is not newer; only an operator's order goes back")            \
    X(LOCAL_ONLY, "local_only", "what runs allows online upgrade",                                 \
      "running version {version} allows local upgrade only")                                       \
    X(ONLINE_ONLY, "online_only", "what runs allows local upgrade",                                \
      "running version {version} allows online upgrade only")                                      \
    X(NO_UPGRADE, "no_upgrade", "what runs allows upgrade",                                        \
      "running version {version} allows no upgrade")                                               \
    X(FINAL, "final", "the device can be upgraded again afterwards",                               \
      "after {release} the device could not be upgraded again (n), so that it is never offered")   \
    X(NO_IMAGE, "no_image", "the release has an image for it",                                     \
      "{release} has no image {image} for this device")                                            \
    X(SLOT_UNKNOWN, "slot_unknown", "the running slot is known",                                   \
      "it is not known which slot the device runs from")                                           \
    X(WRONG_CHIP, "wrong_chip", "made for this chip",                                              \
      "{release} is made for another chip than {chip}")                                            \
    X(FLASH_TOO_SMALL, "flash_too_small", "the flash chip is large enough",                        \
      "{release} is made for a flash chip of {size} bytes, and this one is smaller")               \
    X(NO_SPACE, "no_space", "there is room for it",                                                \
      "the image does not fit: it takes {size} bytes")                                             \
    X(LOOP, "loop", "it helped before",                                                            \
      "was given {release} {times} times and still runs {version}; an order tries again")          \
    X(ROLLED_BACK, "rolled_back", "it did not go back from it",                                    \
      "the device went back from {release} to {version} by itself; an order tries again")          \
    X(DECLINED, "declined", "the owner has not declined", "declined by the owner")                 \
    X(POSTPONED, "postponed", "it is time", "postponed by the owner")                              \
    X(WAITS_OPERATOR, "waits_operator", "an operator ordered it",                                  \
      "{release} waits for an operator's order")                                                   \
    X(WAITS_OWNER, "waits_owner", "the owner agreed to the download",                              \
      "{release} waits for the owner's consent")

enum reason {
#define X(name, code, rule, sentence) REASON_##name,
    REASONS(X)
#undef X
        REASON_COUNT
};

/** What the device wants of us. */
enum asked {
    ASKED_APP,        /* firmware */
    ASKED_FILESYSTEM, /* mode spiffs */
    ASKED_VERSION,    /* only which version it would get */
};

/** How often an image is given to a device that does not change its version, before we stop. */
enum { DECIDE_LOOP_LIMIT = 5 };
/** device.failures of one that rolled back. */
enum { DECIDE_ROLLED_BACK = 1000 };

struct decide_input {
    const struct product *product;
    const struct device *device; /* with the facts of this very request already in it */
    /* All releases of the product, in the order in which they were made. */
    const struct release *releases;
    size_t release_count;
    /* All images of these releases, in any order. */
    const struct image *images;
    size_t image_count;
    int64_t now; /* only not_before is compared with it: fleet_check_quiet() relies on that */
    enum asked asked;
    enum upd_chip chip; /* as the device tells; UPD_CHIP_NONE: it does not */
    bool local;         /* a local upgrade by hand, not an online one */
    int32_t served;     /* how often the going update's image was sent from its start */
};

enum rule_result { RULE_NOT_ASKED, RULE_PASSED, RULE_FAILED };

struct decision {
    enum reason reason;            /* REASON_OFFER: release and image are set */
    const struct release *release; /* of the input; also set when one was considered and refused */
    const struct image *image;     /* of the input, or NULL */
    bool ordered;                  /* an operator ordered this release */
    enum part part;                /* that the device needs */
    uint8_t rules[REASON_COUNT];   /* enum rule_result by rule; [REASON_OFFER] is not used */
};

/** A decision in words, for those who ask why. */
struct explanation {
    char text[SENTENCE_SIZE]; /* the reason's sentence, filled in */
    char detail[DETAIL_SIZE]; /* what stands in it, as an object of JSON */
};

/** Decide. Writes all of *decision. Time: linear in releases and images; no heap. */
void decide(const struct decide_input *input, struct decision *decision);
/** Put it in words; `input` as decide() had it. */
void decide_explain(const struct decide_input *input, const struct decision *decision,
                    struct explanation *explanation);

const char *reason_code(enum reason reason);
const char *reason_rule(enum reason reason);

/**
 * Compare free version texts such as "1.10.0", "v2.3", "v@2.5.5", "1.0.0-rc1".
 *
 * @param order  out: below 0, 0, above 0 as a is older, the same, newer; unchanged when false
 * @return false when one of them does not follow that form: then they only are equal or differ
 */
bool version_compare(const char *a, const char *b, int *order);

/**
 * The current release of a device's channel, or what an operator ordered for it.
 * @return index into releases; release_count when there is none
 */
size_t decide_target(const struct decide_input *input, bool *ordered);

#endif
