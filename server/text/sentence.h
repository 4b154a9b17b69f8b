/*
 * updraftd: what is said to people, as a sentence in English and by parts, so that a page can say it
 * in another language: a form such as "ordered by {user}", which a stable code names, and the values
 * that stand in it.
 *
 *     struct value values[] = {{"user", "eva", 0}, {0}};
 *     sentence_write(text, sizeof text, "ordered by {user}", values);    ordered by eva
 *     sentence_detail(json, sizeof json, "ordered by {user}", values);   {"user":"eva"}
 *
 * Forms are ours, values come from anywhere. The page's texts have the same names in braces
 * (web/src/locales), and its tests hold them against the tables of forms.
 */
#ifndef UPDRAFT_SERVER_SENTENCE_H
#define UPDRAFT_SERVER_SENTENCE_H

#include <stddef.h>
#include <stdint.h>

enum {
    VALUE_TEXT_MAX = 200, /* bytes of a text that stand in a sentence; the rest is cut */
    DETAIL_SIZE = 512,    /* bytes that hold the values of any sentence as JSON */
};

/** A value, by the name that it has in the form. */
struct value {
    const char *name; /* NULL ends a list */
    const char *text; /* NULL: the number counts */
    int64_t number;
};

/** The values of a sentence, as an argument: VALUES({"user", name, 0}, {"hours", NULL, 12}). */
#define VALUES(...) ((const struct value[]){__VA_ARGS__, {0}})

/** Copy a text from outside, cut between characters at `size` bytes with its NUL; NULL is empty. What
 *  is no character in UTF-8, or a control character, becomes "?". */
void text_copy(char *to, size_t size, const char *from);

/** The form with its values, cut between characters at `size` bytes with its NUL. A name that has no
 *  value is left as it is. `values` NULL: there are none. */
void sentence_write(char *to, size_t size, const char *form, const struct value *values);

/** The values that stand in the form, as an object of JSON; "{}" also when `size` bytes do not hold
 *  them all: then the sentence is all that there is. */
void sentence_detail(char *json, size_t size, const char *form, const struct value *values);

#endif
