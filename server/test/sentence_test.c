/*
 * Goal: sentences and their values are what the table says, whatever comes from outside: texts are
 * cut between characters, nothing is written beyond the room, and the values are always an object
 * of JSON, whole or empty.
 * Method: rows of forms and values; each form into every room from 1 byte to more than enough; each
 * cause of the table with values that are missing.
 */
#include "cm.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "fleet/cause.h"
#include "text/refusal.h"
#include "text/sentence.h"

static const struct value values[] = {
    {"user", "eva", 0},
    {"hours", NULL, -12},
    {"words", "a \"quoted\"\nword\x7F and \xC3\xA9\xFF", 0},
    {"empty", "", 0},
    {"braces", "{user}", 0},
    {0},
};

static const struct {
    const char *form, *sentence, *detail;
} rows[] = {
    {"", "", "{}"},
    {"as it stands", "as it stands", "{}"},
    {"ordered by {user}", "ordered by eva", "{\"user\":\"eva\"}"},
    {"{user}{hours}", "eva-12", "{\"user\":\"eva\",\"hours\":-12}"},
    {"{words}!", "a \"quoted\"?word? and \xC3\xA9?!",
     "{\"words\":\"a \\\"quoted\\\"?word? and \xC3\xA9?\"}"},
    {"[{empty}]", "[]", "{\"empty\":\"\"}"},
    {"{nobody} {use} {users} {user", "{nobody} {use} {users} {user", "{}"},
    {"{braces} {", "{user} {", "{\"braces\":\"{user}\"}"},
};

static void test_forms_and_values(void **state)
{
    (void)state;
    char text[300], json[300];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        sentence_write(text, sizeof text, rows[i].form, values);
        sentence_detail(json, sizeof json, rows[i].form, values);
        assert_string_equal(text, rows[i].sentence);
        assert_string_equal(json, rows[i].detail);
    }
}

static void test_every_room(void **state)
{
    (void)state;
    enum { ROOM = 80, GUARD = 4 };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (size_t size = 1; size < ROOM; size++) {
            char text[ROOM + GUARD];
            memset(text, '#', sizeof text);
            sentence_write(text, size, rows[i].form, values);
            assert_true(strlen(text) < size);
            assert_int_equal(strncmp(text, rows[i].sentence, strlen(text)), 0);
            assert_int_equal(text[size], '#');
            json_t *whole = json_pack("s", text); /* NULL when it is not UTF-8 */
            assert_non_null(whole);
            json_decref(whole);

            memset(text, '#', sizeof text);
            if (size >= sizeof "{}") {
                sentence_detail(text, size, rows[i].form, values);
                bool fits = strlen(rows[i].detail) < size;
                assert_string_equal(text, fits ? rows[i].detail : "{}");
                assert_int_equal(text[size], '#');
            }
        }
    }
}

static void test_a_long_value_leaves_room_for_the_others(void **state)
{
    (void)state;
    char longer[VALUE_TEXT_MAX + 50], text[DETAIL_SIZE], json[DETAIL_SIZE];
    memset(longer, 'x', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    const struct value both[] = {{"words", longer, 0}, {"days", NULL, 9}, {0}};
    sentence_write(text, sizeof text, "{words} {days}", both);
    assert_int_equal(strlen(text), VALUE_TEXT_MAX + 2);
    assert_string_equal(text + VALUE_TEXT_MAX, " 9");
    sentence_detail(json, sizeof json, "{words} {days}", both);
    json_t *object = json_loads(json, 0, NULL);
    assert_int_equal(json_string_length(json_object_get(object, "words")), VALUE_TEXT_MAX);
    assert_int_equal(json_integer_value(json_object_get(object, "days")), 9);
    json_decref(object);
}

/** Every row can be told: its values fit, and all of them stand in it. */
static void test_each_refusal_can_be_told(void **state)
{
    (void)state;
    static const char *const sentences[] = {
#define X(name, code, sentence) sentence,
        REFUSALS(X)
#undef X
    };
    for (size_t i = 0; i < sizeof sentences / sizeof sentences[0]; i++) {
        char text[512], json[DETAIL_SIZE];
        assert_string_equal(refusal_sentence((enum refusal)i), sentences[i]);
        const char *code = refusal_code((enum refusal)i);
        assert_int_equal(strspn(code, "abcdefghijklmnopqrstuvwxyz_-"), strlen(code));
        struct value some[4] = {{0}};
        char names[3][40];
        size_t count = 0;
        for (const char *at = strchr(sentences[i], '{'); at != NULL; at = strchr(at + 1, '{')) {
            assert_true(count < 3);
            snprintf(names[count], sizeof names[count], "%.*s", (int)strcspn(at + 1, "}"), at + 1);
            some[count] = (struct value){names[count], NULL, INT64_MIN};
            count++;
        }
        sentence_write(text, sizeof text, sentences[i], some);
        assert_null(strpbrk(text, "{}"));
        sentence_detail(json, sizeof json, sentences[i], some);
        json_t *object = json_loads(json, 0, NULL);
        assert_int_equal(json_object_size(object), count);
        json_decref(object);
    }
}

static void test_codes_are_words_and_differ(void **state)
{
    (void)state;
    static const char *const codes[] = {
#define X(name, code, reason, sentence) code,
        CAUSES(X)
#undef X
    };
    enum { COUNT = sizeof codes / sizeof codes[0] };
    for (size_t i = 0; i < COUNT; i++) {
        assert_string_equal(cause_code((enum cause_code)i), codes[i]);
        assert_true(strspn(codes[i], "abcdefghijklmnopqrstuvwxyz_") == strlen(codes[i]));
        for (size_t k = 0; k < i; k++) {
            assert_string_not_equal(codes[i], codes[k]);
        }
    }
    assert_string_equal(cause_reason(CAUSE_GAVE_UP), "rolled_back");
    assert_null(cause_reason(CAUSE_ORDERED));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms_and_values),
        cmocka_unit_test(test_every_room),
        cmocka_unit_test(test_a_long_value_leaves_room_for_the_others),
        cmocka_unit_test(test_each_refusal_can_be_told),
        cmocka_unit_test(test_codes_are_words_and_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
