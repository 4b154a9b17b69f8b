#include "check.h"
#include "text.h"

static bool is(const char *one, const char *other)
{
    return text_same(one, other);
}

static void test_numbers_are_padded_and_cut(void)
{
    char buffer[12];
    struct text text = text_on(buffer, sizeof buffer);

    CHECK(is(buffer, ""));
    text_number(&text, 7, 3, ' ');
    text_number(&text, 0, 2, '0');
    text_number(&text, 4294967295u, 1, '0');
    CHECK(is(buffer, "  700429496"));
    CHECK(text.length == 11);

    text = text_on(buffer, sizeof buffer);
    text_hex(&text, 0x00C10C33, 6);
    text_hex(&text, 0xF, 1);
    CHECK(is(buffer, "C10C33F"));

    text = text_on(buffer, 1);
    text_add(&text, "nothing fits");
    CHECK(is(buffer, "") && text.length == 0);
}

static void test_strings_are_compared_to_their_ends(void)
{
    CHECK(text_same("1.0.1", "1.0.1") && text_same("", ""));
    CHECK(!text_same("1.0.1", "1.0.10") && !text_same("1.0.10", "1.0.1") && !text_same("", "1"));
}

int main(void)
{
    CHECK_RUN(test_numbers_are_padded_and_cut);
    CHECK_RUN(test_strings_are_compared_to_their_ends);
    check_end();
}
