#include "display.h"

#include "text.h"

static void blank(struct display *display, uint32_t row)
{
    for (uint32_t column = 0; column < DISPLAY_COLUMNS; column++) {
        display->cell[row][column] = ' ';
    }
}

void display_clear(struct display *display)
{
    for (uint32_t row = 0; row < DISPLAY_ROWS; row++) {
        blank(display, row);
    }
}

void display_print(struct display *display, uint32_t row, uint32_t column, const char *text)
{
    if (row >= DISPLAY_ROWS) {
        return;
    }
    for (; *text != '\0' && column < DISPLAY_COLUMNS; text++, column++) {
        display->cell[row][column] = *text >= ' ' && *text <= '~' ? *text : '?';
    }
}

void display_row(struct display *display, uint32_t row, const char *text)
{
    if (row < DISPLAY_ROWS) {
        blank(display, row);
        display_print(display, row, 0, text);
    }
}

static uint32_t room_beside(const char *text)
{
    uint32_t length = text_length(text);
    return length < DISPLAY_COLUMNS ? DISPLAY_COLUMNS - length : 0;
}

void display_centre(struct display *display, uint32_t row, const char *text)
{
    display_row(display, row, "");
    display_print(display, row, room_beside(text) / 2, text);
}

void display_right(struct display *display, uint32_t row, const char *text)
{
    display_print(display, row, room_beside(text), text);
}

bool display_same(const struct display *one, const struct display *other)
{
    for (uint32_t row = 0; row < DISPLAY_ROWS; row++) {
        for (uint32_t column = 0; column < DISPLAY_COLUMNS; column++) {
            if (one->cell[row][column] != other->cell[row][column]) {
                return false;
            }
        }
    }
    return true;
}

static void draw_edge(struct text *drawing)
{
    text_char(drawing, '+');
    for (uint32_t column = 0; column < DISPLAY_COLUMNS; column++) {
        text_char(drawing, '-');
    }
    text_add(drawing, "+\n");
}

void display_draw(const struct display *display, char drawing[DISPLAY_DRAWING_SIZE])
{
    struct text text = text_on(drawing, DISPLAY_DRAWING_SIZE);

    draw_edge(&text);
    for (uint32_t row = 0; row < DISPLAY_ROWS; row++) {
        text_char(&text, '|');
        for (uint32_t column = 0; column < DISPLAY_COLUMNS; column++) {
            text_char(&text, display->cell[row][column]);
        }
        text_add(&text, "|\n");
    }
    draw_edge(&text);
}
