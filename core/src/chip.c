#include <updraft/chip.h>

#include <stdbool.h>

const char *upd_chip_text(enum upd_chip chip)
{
    switch (chip) {
    case UPD_CHIP_NONE:
        break;
#define X(name, id, text)                                                                          \
    case UPD_CHIP_##name:                                                                          \
        return text;
        UPD_CHIPS(X)
#undef X
    }
    return "none";
}

static bool same(const char *one, const char *other)
{
    while (*one != '\0' && *one == *other) {
        one++;
        other++;
    }
    return *one == *other;
}

enum upd_chip upd_chip_find(const char *text)
{
#define X(name, id, chip_text)                                                                     \
    if (same(text, chip_text)) {                                                                   \
        return UPD_CHIP_##name;                                                                    \
    }
    UPD_CHIPS(X)
#undef X
    return UPD_CHIP_NONE;
}
