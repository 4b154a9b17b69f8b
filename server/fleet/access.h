/*
 * updraftd: who may do what; the one place that knows.
 *
 * Asking is two questions: may you know that the object exists, and may you do this to it. Who may
 * not know is told exactly what somebody is told who asks for nothing at all (HIDE, 404).
 */
#ifndef UPDRAFT_SERVER_ACCESS_H
#define UPDRAFT_SERVER_ACCESS_H

#include "model.h"

/*
 * X(NAME, "word", least role in the product, may the owner of the device, only administrators).
 * What has no product (USERS ...) is the administrators' alone.
 */
#define ACTIONS(X)                                                                                 \
    X(PRODUCT_SHOW, "product.show", VIEWER, false, false)                                          \
    X(PRODUCT_CREATE, "product.create", NONE, false, true)                                         \
    X(PRODUCT_EDIT, "product.edit", DEVELOPER, false, false)                                       \
    X(PRODUCT_DELETE, "product.delete", NONE, false, true)                                         \
    X(PRODUCT_KEY, "product.key", OPERATOR, false, false)                                          \
    X(MEMBER_EDIT, "member.edit", DEVELOPER, false, false)                                         \
    X(RELEASE_SHOW, "release.show", VIEWER, false, false)                                          \
    X(RELEASE_CREATE, "release.create", DEVELOPER, false, false)                                   \
    X(RELEASE_SET_CURRENT, "release.set_current", OPERATOR, false, false)                          \
    X(RELEASE_WITHDRAW, "release.withdraw", OPERATOR, false, false)                                \
    X(IMAGE_READ, "image.read", VIEWER, false, false)                                              \
    X(DEVICE_CREATE, "device.create", OPERATOR, false, false)                                      \
    X(DEVICE_SHOW, "device.show", VIEWER, true, false)                                             \
    X(DEVICE_KEYS, "device.keys", OPERATOR, false, false)                                          \
    X(DEVICE_EDIT, "device.edit", OPERATOR, false, false)                                          \
    X(DEVICE_DELETE, "device.delete", OPERATOR, false, false)                                      \
    X(DEVICE_ORDER, "device.order", OPERATOR, false, false)                                        \
    X(DEVICE_REBOOT, "device.reboot", OPERATOR, true, false)                                       \
    X(DEVICE_RPC, "device.rpc", OPERATOR, true, false)                                             \
    X(DEVICE_ANSWER, "device.answer", NONE, true, false)                                           \
    X(UPDATE_SHOW, "update.show", VIEWER, true, false)                                             \
    X(UPDATE_CANCEL, "update.cancel", OPERATOR, false, false)                                      \
    X(USERS, "users", NONE, false, true)                                                           \
    X(AUDIT, "audit", NONE, false, true)                                                           \
    X(SETTINGS, "settings", NONE, false, true)

enum action {
#define X(name, word, role, owner, administrator) ACTION_##name,
    ACTIONS(X)
#undef X
        ACTION_COUNT
};

enum access { ACCESS_ALLOW, ACCESS_HIDE, ACCESS_FORBID };

/* Who asks. All zero: nobody. */
enum actor_kind {
    ACTOR_NOBODY,
    ACTOR_DEVICE, /* speaks for itself through fleet_check(); no action of the API */
    ACTOR_USER,
    ACTOR_SYSTEM, /* the server itself: may all, and the audit log says "system" */
};

struct actor {
    enum actor_kind kind;
    int64_t user;   /* ACTOR_USER */
    int64_t device; /* ACTOR_DEVICE; ACTOR_USER with an owner key: this device alone */
    bool administrator;
    char name[NAME_SIZE]; /* for the audit log */
    int64_t token;        /* the credential that was shown */
    char csrf[KEY_SIZE];  /* non-empty: a session, changes need this header */
};

/** How the one who asks stands to the object. */
struct relation {
    enum role role; /* membership in the object's product */
    bool owner;     /* of the device */
    bool exists;    /* the object; when not, the answer never differs from HIDE */
};

const char *action_word(enum action action);

/** Pure. Actions without an object (create a product, users) pass exists = true. */
enum access access_check(const struct actor *actor, enum action action,
                         const struct relation *relation);

#endif
