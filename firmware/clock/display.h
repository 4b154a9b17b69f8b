/*
 * A character display of four rows with twenty characters each, as the LCD2004 is: in memory, and
 * drawn as text wherever the clock runs.
 */
#ifndef CLOCK_DISPLAY_H
#define CLOCK_DISPLAY_H

#include <stdbool.h>
#include <stdint.h>

enum { DISPLAY_ROWS = 4, DISPLAY_COLUMNS = 20 };

struct display {
    char cell[DISPLAY_ROWS][DISPLAY_COLUMNS];
};

/** Blanks everywhere. */
void display_clear(struct display *display);

/**
 * Print at a cell, over what is there. What does not fit the row is cut off; characters that the
 * display does not have (other than 0x20 to 0x7E) become '?'. Rows and columns beyond the display
 * change nothing.
 */
void display_print(struct display *display, uint32_t row, uint32_t column, const char *text);

/** Print a row anew: the text, and blanks behind it. */
void display_row(struct display *display, uint32_t row, const char *text);

/** As display_row(), in the middle. */
void display_centre(struct display *display, uint32_t row, const char *text);

/** Print so that the text ends with the row; what is in front of it stays. */
void display_right(struct display *display, uint32_t row, const char *text);

bool display_same(const struct display *one, const struct display *other);

/** The display with a frame around it: six lines. */
enum { DISPLAY_DRAWING_SIZE = (DISPLAY_ROWS + 2) * (DISPLAY_COLUMNS + 3) + 1 };
void display_draw(const struct display *display, char drawing[DISPLAY_DRAWING_SIZE]);

#endif
