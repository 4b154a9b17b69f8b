/* Goal: what is printed stands in its cells and nowhere else, whatever is printed where. */
#include "check.h"
#include "display.h"
#include "text.h"

static bool shows(const struct display *display, const char *drawing)
{
    char text[DISPLAY_DRAWING_SIZE];
    display_draw(display, text);
    return text_same(text, drawing);
}

static void test_the_drawing_is_a_frame_around_four_rows(void)
{
    struct display display;

    display_clear(&display);
    display_row(&display, 0, "Version Firmware:   ");
    display_row(&display, 1, "1.0.0 - C10C33");
    display_centre(&display, 2, "12:34:56");
    display_row(&display, 3, "New: 1.0.1");
    display_right(&display, 3, "45%");
    CHECK(shows(&display, "+--------------------+\n"
                          "|Version Firmware:   |\n"
                          "|1.0.0 - C10C33      |\n"
                          "|      12:34:56      |\n"
                          "|New: 1.0.1       45%|\n"
                          "+--------------------+\n"));
}

static void test_text_is_cut_at_the_end_of_its_row(void)
{
    struct display display;

    display_clear(&display);
    display_row(&display, 0, "abcdefghijklmnopqrstuvwxyz");
    display_print(&display, 1, 17, "abcdef");
    display_centre(&display, 2, "abcdefghijklmnopqrstuvwxyz");
    display_right(&display, 3, "abcdefghijklmnopqrstuvwxyz");
    CHECK(shows(&display, "+--------------------+\n"
                          "|abcdefghijklmnopqrst|\n"
                          "|                 abc|\n"
                          "|abcdefghijklmnopqrst|\n"
                          "|abcdefghijklmnopqrst|\n"
                          "+--------------------+\n"));
}

/* Method: every row and column from inside to far outside; count the cells that changed. */
static void test_nothing_is_printed_outside(void)
{
    static const uint32_t far[] = {0, 1, 3, 4, 5, 19, 20, 21, 1000, UINT32_MAX};

    for (uint32_t i = 0; i < sizeof far / sizeof far[0]; i++) {
        for (uint32_t k = 0; k < sizeof far / sizeof far[0]; k++) {
            struct {
                uint32_t before;
                struct display display;
                uint32_t after;
            } guarded = {0x5A5A5A5A, {{{0}}}, 0xA5A5A5A5};
            uint32_t printed = 0;

            display_clear(&guarded.display);
            display_print(&guarded.display, far[i], far[k], "xy");
            for (uint32_t row = 0; row < DISPLAY_ROWS; row++) {
                for (uint32_t column = 0; column < DISPLAY_COLUMNS; column++) {
                    char expected = row == far[i] && column == far[k]                     ? 'x'
                                    : row == far[i] && column > 0 && column - 1 == far[k] ? 'y'
                                                                                          : ' ';
                    printed += guarded.display.cell[row][column] != expected;
                }
            }
            CHECK(printed == 0 && guarded.before == 0x5A5A5A5A && guarded.after == 0xA5A5A5A5);
        }
    }
}

static void test_characters_that_it_does_not_have_are_question_marks(void)
{
    struct display display;

    display_clear(&display);
    display_row(&display, 0, "a\nb\x1B[2J\xC3\xA9~ \x7F");
    CHECK(display.cell[0][1] == '?' && display.cell[0][3] == '?' && display.cell[0][4] == '[');
    CHECK(display.cell[0][7] == '?' && display.cell[0][8] == '?' && display.cell[0][9] == '~');
    CHECK(display.cell[0][11] == '?');
}

static void test_displays_are_the_same_in_every_cell_or_not(void)
{
    struct display one, other;

    display_clear(&one);
    display_clear(&other);
    CHECK(display_same(&one, &other));
    for (uint32_t i = 0; i < DISPLAY_ROWS * DISPLAY_COLUMNS; i++) {
        other.cell[i / DISPLAY_COLUMNS][i % DISPLAY_COLUMNS] = 'x';
        CHECK(!display_same(&one, &other));
        other.cell[i / DISPLAY_COLUMNS][i % DISPLAY_COLUMNS] = ' ';
    }
}

int main(void)
{
    CHECK_RUN(test_the_drawing_is_a_frame_around_four_rows);
    CHECK_RUN(test_text_is_cut_at_the_end_of_its_row);
    CHECK_RUN(test_nothing_is_printed_outside);
    CHECK_RUN(test_characters_that_it_does_not_have_are_question_marks);
    CHECK_RUN(test_displays_are_the_same_in_every_cell_or_not);
    check_end();
}
