/*
 * Goal: nobody does what is not theirs, and nobody learns of what they may not see.
 * Method: a table, written independently of the code's, says for each action what each kind of
 * principal gets for an object that is there; for one that is not there it is HIDE for everybody.
 */
#include "cm.h"

#include <string.h>

#include "fleet/access.h"

/* Columns: nobody, device, stranger (a user without relation), viewer, operator, developer, owner,
 * owner by an owner key, administrator, administrator by an owner key of another's device, system.
 * A allow, H hide, F forbid. */
enum { PRINCIPALS = 11 };
static const struct {
    enum action action;
    const char *answers;
} rows[] = {
    {ACTION_PRODUCT_SHOW, "HHHAAAFFAHA"},
    {ACTION_PRODUCT_CREATE, "HHFFFFFFAFA"},
    {ACTION_PRODUCT_EDIT, "HHHFFAFFAHA"},
    {ACTION_PRODUCT_DELETE, "HHFFFFFFAFA"},
    {ACTION_PRODUCT_KEY, "HHHFAAFFAHA"},
    {ACTION_MEMBER_EDIT, "HHHFFAFFAHA"},
    {ACTION_RELEASE_SHOW, "HHHAAAFFAHA"},
    {ACTION_RELEASE_CREATE, "HHHFFAFFAHA"},
    {ACTION_RELEASE_SET_CURRENT, "HHHFAAFFAHA"},
    {ACTION_RELEASE_WITHDRAW, "HHHFAAFFAHA"},
    {ACTION_IMAGE_READ, "HHHAAAFFAHA"},
    {ACTION_DEVICE_CREATE, "HHHFAAFFAHA"},
    {ACTION_DEVICE_SHOW, "HHHAAAAAAHA"},
    {ACTION_DEVICE_KEYS, "HHHFAAFFAHA"},
    {ACTION_DEVICE_EDIT, "HHHFAAFFAHA"},
    {ACTION_DEVICE_DELETE, "HHHFAAFFAHA"},
    {ACTION_DEVICE_ORDER, "HHHFAAFFAHA"},
    {ACTION_DEVICE_REBOOT, "HHHFAAAAAHA"},
    {ACTION_DEVICE_RPC, "HHHFAAAAAHA"},
    {ACTION_DEVICE_ANSWER, "HHHFFFAAAHA"},
    {ACTION_UPDATE_SHOW, "HHHAAAAAAHA"},
    {ACTION_UPDATE_CANCEL, "HHHFAAFFAHA"},
    {ACTION_USERS, "HHFFFFFFAFA"},
    {ACTION_AUDIT, "HHFFFFFFAFA"},
    {ACTION_SETTINGS, "HHFFFFFFAFA"},
};

static const struct {
    const char *name;
    struct actor actor;
    struct relation relation;
} principals[PRINCIPALS] = {
    {"nobody", {.kind = ACTOR_NOBODY}, {0}},
    {"device", {.kind = ACTOR_DEVICE, .device = 1}, {0}},
    {"stranger", {.kind = ACTOR_USER, .user = 1}, {0}},
    {"viewer", {.kind = ACTOR_USER, .user = 1}, {.role = ROLE_VIEWER}},
    {"operator", {.kind = ACTOR_USER, .user = 1}, {.role = ROLE_OPERATOR}},
    {"developer", {.kind = ACTOR_USER, .user = 1}, {.role = ROLE_DEVELOPER}},
    {"owner", {.kind = ACTOR_USER, .user = 1}, {.owner = true}},
    {"owner key", {.kind = ACTOR_USER, .user = 1, .device = 1}, {.owner = true}},
    {"administrator", {.kind = ACTOR_USER, .user = 1, .administrator = true}, {0}},
    {"administrator's owner key",
     {.kind = ACTOR_USER, .user = 1, .administrator = true, .device = 1},
     {.role = ROLE_DEVELOPER}},
    {"system", {.kind = ACTOR_SYSTEM}, {0}},
};

static const char letters[] = "AHF";

static void test_each_action_by_each_principal(void **unused)
{
    (void)unused;
    assert_int_equal(sizeof rows / sizeof rows[0], ACTION_COUNT);
    for (size_t i = 0; i < ACTION_COUNT; i++) {
        assert_int_equal(rows[i].action, i);
        for (size_t j = 0; j < PRINCIPALS; j++) {
            struct relation relation = principals[j].relation;
            relation.exists = true;
            char got = letters[access_check(&principals[j].actor, rows[i].action, &relation)];
            if (got != rows[i].answers[j]) {
                fail_msg("%s by %s: %c, and not %c", action_word(rows[i].action),
                         principals[j].name, got, rows[i].answers[j]);
            }
        }
    }
}

static void test_what_does_not_exist_is_hidden_from_all(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ACTION_COUNT; i++) {
        for (size_t j = 0; j < PRINCIPALS; j++) {
            struct relation relation = principals[j].relation;
            relation.exists = false;
            assert_int_equal(access_check(&principals[j].actor, (enum action)i, &relation),
                             ACCESS_HIDE);
        }
    }
    struct relation relation = {.exists = true};
    assert_int_equal(access_check(&principals[8].actor, ACTION_COUNT, &relation), ACCESS_HIDE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_action_by_each_principal),
        cmocka_unit_test(test_what_does_not_exist_is_hidden_from_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
