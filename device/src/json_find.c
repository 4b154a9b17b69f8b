#include "json_find.h"

#include <updraft/bytes.h>

enum { DEPTH = 8 };

/* An object or a list that the walk is in. */
struct level {
    const char *wanted; /* object: the rest of the path from here on; NULL: not on the way */
    bool is_object;
};

struct walk {
    const char *at;
    const char *end;
    char *value;
    uint32_t room;
    bool found;
    bool fits;
    const char *wanted; /* of the next value: "" means that it is the one; NULL: not on the way */
    uint32_t depth;
    struct level levels[DEPTH];
};

static void skip_blanks(struct walk *walk)
{
    while (walk->at < walk->end &&
           (*walk->at == ' ' || *walk->at == '\t' || *walk->at == '\r' || *walk->at == '\n')) {
        walk->at++;
    }
}

static bool take(struct walk *walk, char c)
{
    skip_blanks(walk);
    if (walk->at == walk->end || *walk->at != c) {
        return false;
    }
    walk->at++;
    return true;
}

/* A character of the value that is wanted. */
static void keep(struct walk *walk, uint32_t *length, char c)
{
    if (*length + 1 < walk->room) {
        walk->value[(*length)++] = c;
    } else {
        walk->fits = false;
    }
}

static bool take_hex(struct walk *walk, uint32_t *code)
{
    *code = 0;
    for (uint32_t i = 0; i < 4; i++) {
        if (walk->at == walk->end) {
            return false;
        }
        const char c = *walk->at++;
        const char low = (char)(c | 0x20);
        if (c >= '0' && c <= '9') {
            *code = *code << 4 | (uint32_t)(c - '0');
        } else if (low >= 'a' && low <= 'f') {
            *code = *code << 4 | (uint32_t)(low - 'a' + 10);
        } else {
            return false;
        }
    }
    return true;
}

/* Behind a backslash. @return the character; NUL: malformed */
static char take_escape(struct walk *walk)
{
    static const char names[] = "\"\\/bfnrt";
    static const char meant[] = "\"\\/\b\f\n\r\t";
    uint32_t code;

    if (walk->at == walk->end) {
        return '\0';
    }
    const char c = *walk->at++;
    if (c == 'u') {
        return !take_hex(walk, &code) ? '\0' : code >= ' ' && code <= '~' ? (char)code : '?';
    }
    for (uint32_t i = 0; names[i] != '\0'; i++) {
        if (names[i] == c) {
            return meant[i];
        }
    }
    return '\0';
}

/* The rest of a text, behind its first quote. `name`: what it is compared with; or NULL. */
static bool take_text(struct walk *walk, bool wanted, const char *name, uint32_t size, bool *same)
{
    uint32_t length = 0;
    uint32_t count = 0;
    bool equal = true;

    while (walk->at < walk->end && *walk->at != '"') {
        char c = *walk->at++;
        if (c == '\\') {
            c = take_escape(walk);
        }
        if ((unsigned char)c < ' ' && c != '\n' && c != '\t' && c != '\r' && c != '\b' &&
            c != '\f') {
            return false;
        }
        if (wanted) {
            keep(walk, &length, c);
        }
        equal = equal && count < size && name[count] == c;
        count++;
    }
    if (wanted) {
        walk->value[length] = '\0';
        walk->found = true;
    }
    if (same != NULL) {
        *same = equal && count == size;
    }
    return walk->at++ < walk->end;
}

static uint32_t size_of_name(const char *path)
{
    uint32_t size = 0;

    while (path[size] != '\0' && path[size] != '.') {
        size++;
    }
    return size;
}

/* The name of a member, and its colon: what is wanted of its value. Of two with one name the first counts. */
static bool take_name(struct walk *walk)
{
    const char *wanted = walk->levels[walk->depth - 1].wanted;
    const uint32_t size = wanted != NULL ? size_of_name(wanted) : 0;
    bool same = false;

    if (!take(walk, '"') || !take_text(walk, false, wanted, size, &same) || !take(walk, ':')) {
        return false;
    }
    walk->wanted =
        same && wanted != NULL && !walk->found ? wanted + size + (wanted[size] == '.') : NULL;
    return true;
}

static bool is_of_number(char c)
{
    return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
}

static bool is_word(const char *at, uint32_t size)
{
    static const char *const words[] = {"true", "false", "null"};

    for (uint32_t i = 0; i < 3; i++) {
        const uint32_t length = i == 1 ? 5 : 4;
        if (size == length && memcmp(at, words[i], length) == 0) {
            return true;
        }
    }
    return false;
}

/* A number, of which only the characters are looked at, or one of the three words. */
static bool walk_word(struct walk *walk, bool wanted)
{
    const char *start = walk->at;
    const bool number =
        walk->at < walk->end && is_of_number(*start) && *start < 'A' && *start != '+';
    uint32_t length = 0;

    while (walk->at < walk->end &&
           (number ? is_of_number(*walk->at) : *walk->at >= 'a' && *walk->at <= 'z')) {
        if (wanted) {
            keep(walk, &length, *walk->at);
        }
        walk->at++;
    }
    if (wanted) {
        walk->value[length] = '\0';
        walk->found = true;
    }
    return number || is_word(start, (uint32_t)(walk->at - start));
}

/* Behind the bracket that opens an object or a list which is not empty. */
static bool enter(struct walk *walk, bool is_object)
{
    const bool is_it = walk->wanted != NULL && *walk->wanted == '\0';

    if (walk->depth == DEPTH) {
        return false;
    }
    walk->levels[walk->depth++] =
        (struct level){is_it || !is_object ? NULL : walk->wanted, is_object};
    walk->wanted = NULL;
    return !is_object || take_name(walk);
}

/* A value without what it contains. *open: it is an object or a list, in which the next one lies. */
static bool take_value(struct walk *walk, bool *open)
{
    const bool is_it = walk->wanted != NULL && *walk->wanted == '\0';

    *open = false;
    if (take(walk, '{')) {
        *open = !take(walk, '}');
        return !*open || enter(walk, true);
    }
    if (take(walk, '[')) {
        *open = !take(walk, ']');
        return !*open || enter(walk, false);
    }
    if (take(walk, '"')) {
        return take_text(walk, is_it, "", 0, NULL);
    }
    return walk_word(walk, is_it);
}

/* From the end of a value to the next one, out of what ends there. *more: false: it was the last one */
static bool go_on(struct walk *walk, bool *more)
{
    for (*more = true; walk->depth > 0; walk->depth--) {
        const bool is_object = walk->levels[walk->depth - 1].is_object;
        walk->wanted = NULL;
        if (take(walk, ',')) {
            return !is_object || take_name(walk);
        }
        if (!take(walk, is_object ? '}' : ']')) {
            return false;
        }
    }
    *more = false;
    return true;
}

static bool walk_all(struct walk *walk)
{
    bool more = true;

    while (more) {
        bool open = false;
        if (!take_value(walk, &open) || (!open && !go_on(walk, &more))) {
            return false;
        }
    }
    return true;
}

bool json_is_whole(const char *text, uint32_t size)
{
    struct walk walk = {.at = text, .end = text + size};

    if (!walk_all(&walk)) {
        return false;
    }
    skip_blanks(&walk);
    return walk.at == walk.end;
}

bool json_find(const char *text, uint32_t size, const char *path, char *value, uint32_t room)
{
    struct walk walk = {
        .at = text, .end = text + size, .value = value, .room = room, .fits = true, .wanted = path};

    value[0] = '\0';
    return walk_all(&walk) && walk.found && walk.fits;
}
