/* docs/formats/rom_version.md */
#include <updraft/bytes.h>
#include <updraft/rom_version.h>

/* A name in the making: what is left of it, where that is, and what went wrong. */
struct scan {
    const char *text;
    uint32_t size;
    uint32_t at;
    enum upd_rom_version_problem problem;
    uint32_t repairs; /* done so far */
    bool lenient;
};

static bool more(const struct scan *in)
{
    return in->at < in->size;
}

/* NUL stands for the end: no part of a name is NUL. */
static char peek(const struct scan *in)
{
    return more(in) ? in->text[in->at] : '\0';
}

static bool is_digit(char letter)
{
    return letter >= '0' && letter <= '9';
}

static bool fail(struct scan *in, enum upd_rom_version_problem problem)
{
    in->problem = problem;
    return false;
}

static bool take(struct scan *in, char letter, enum upd_rom_version_problem problem)
{
    if (peek(in) != letter) {
        return fail(in, problem);
    }
    in->at++;
    return true;
}

static bool take_number(struct scan *in, uint16_t *number)
{
    uint32_t first = in->at;
    uint32_t value = 0;

    while (is_digit(peek(in))) {
        if (in->at == first + 3) {
            return fail(in, UPD_ROM_VERSION_TOO_BIG);
        }
        value = value * 10 + (uint32_t)(peek(in) - '0');
        in->at++;
    }
    if (in->at == first) {
        return fail(in, UPD_ROM_VERSION_NUMBER);
    }
    if (in->at > first + 1 && in->text[first] == '0') {
        in->at = first;
        return fail(in, UPD_ROM_VERSION_LEADING_ZERO);
    }
    *number = (uint16_t)value;
    return true;
}

static bool take_ptype(struct scan *in, uint64_t *ptype)
{
    uint32_t first = in->at;

    *ptype = 0;
    while (is_digit(peek(in))) {
        if (peek(in) == '0' && in->at == first) {
            return fail(in, UPD_ROM_VERSION_LEADING_ZERO);
        }
        if (in->at == first + 10) {
            return fail(in, UPD_ROM_VERSION_PTYPE_TOO_LONG);
        }
        *ptype = *ptype * 10 + (uint32_t)(peek(in) - '0');
        in->at++;
    }
    return in->at > first || fail(in, UPD_ROM_VERSION_PTYPE);
}

static bool take_fota(struct scan *in, char *fota)
{
    char letter = peek(in);

    if (in->lenient && letter == 'O') {
        in->repairs |= UPD_ROM_VERSION_CAPITAL_O;
        letter = 'o';
    }
    if (letter != 'o' && letter != 'l' && letter != 'a' && letter != 'n') {
        return fail(in, UPD_ROM_VERSION_FOTA);
    }
    in->at++;
    *fota = letter;
    return true;
}

static bool take_name(struct scan *in, struct upd_rom_version *version)
{
    char kind = peek(in);

    if (kind != 'v' && kind != 'b') {
        return fail(in, UPD_ROM_VERSION_KIND);
    }
    in->at++;
    version->kind = kind;
    if (!take_number(in, &version->number[0]) || !take(in, '.', UPD_ROM_VERSION_DOT) ||
        !take_number(in, &version->number[1]) || !take(in, '.', UPD_ROM_VERSION_DOT) ||
        !take_number(in, &version->number[2])) {
        return false;
    }
    if (in->lenient && peek(in) == '.') {
        in->repairs |= UPD_ROM_VERSION_DOT_BEFORE_T;
        in->at++;
    }
    if (!take(in, 't', UPD_ROM_VERSION_T) || !take_ptype(in, &version->ptype) ||
        !take(in, '(', UPD_ROM_VERSION_OPEN) || !take_fota(in, &version->fota) ||
        !take(in, ')', UPD_ROM_VERSION_CLOSE)) {
        return false;
    }
    return !more(in) || fail(in, UPD_ROM_VERSION_TRAILING);
}

enum upd_err upd_rom_version_parse(const char *text, uint32_t size, struct upd_rom_version *version,
                                   struct upd_rom_version_error *error)
{
    struct scan in = {.text = text, .size = size};
    struct upd_rom_version found;
    bool correct = take_name(&in, &found);

    if (error != NULL) {
        *error = (struct upd_rom_version_error){correct ? 0 : in.at, in.problem};
    }
    if (!correct) {
        return more(&in) ? UPD_E_FORMAT : UPD_E_SHORT;
    }
    *version = found;
    return UPD_OK;
}

/* A cut name begins like the name of the version, a dot before t aside. */
static bool begins_with(const struct upd_rom_version *version, const struct scan *cut)
{
    char name[UPD_ROM_VERSION_BUFFER];
    uint32_t length = upd_rom_version_format(version, name);
    uint32_t skipped = 0;

    for (uint32_t i = 0; i < cut->size; i++) {
        char letter = cut->text[i];
        uint32_t at = i - skipped;
        if (at >= length) {
            return false;
        }
        if (letter == '.' && name[at] == 't') {
            skipped = 1;
        } else if (letter != name[at] && !(letter == 'O' && name[at] == 'o')) {
            return false;
        }
    }
    return true;
}

static enum upd_err complete(const struct scan *cut, const struct upd_rom_version_list *known,
                             struct upd_rom_version *version)
{
    struct upd_rom_version candidate;
    enum upd_err result = UPD_E_NOT_FOUND;

    while (known->next(known->ctx, &candidate)) {
        if (begins_with(&candidate, cut)) {
            result = result == UPD_E_NOT_FOUND ? UPD_OK : UPD_E_STATE;
            *version = candidate;
        }
    }
    return result;
}

enum upd_err upd_rom_version_read(const char *text, uint32_t size,
                                  const struct upd_rom_version_list *known,
                                  struct upd_rom_version *version, uint32_t *repairs)
{
    struct scan in = {.text = text, .lenient = true};
    struct upd_rom_version found;

    while (in.size < size && text[in.size] != '"') {
        in.size++;
    }
    if (in.size < size) {
        in.repairs = UPD_ROM_VERSION_QUOTE;
    }
    if (!take_name(&in, &found)) {
        /* Only a name that was too long is cut, and it was right up to there. */
        if (more(&in) || size != UPD_ROM_VERSION_NONOS || in.size != size) {
            return UPD_E_FORMAT;
        }
        if (known == NULL) {
            return UPD_E_SHORT;
        }
        enum upd_err err = complete(&in, known, &found);
        if (err != UPD_OK) {
            return err;
        }
        in.repairs |= UPD_ROM_VERSION_CUT;
    }
    *version = found;
    if (repairs != NULL) {
        *repairs = in.repairs;
    }
    return UPD_OK;
}

/* Digits are counted out: the chips' CPU has no division of 64 bits, and none of 32 bits either. */
static char *put_number(char *text, uint64_t value)
{
    static const uint32_t units[] = {1000000000, 100000000, 10000000, 1000000, 100000,
                                     10000,      1000,      100,      10,      1};
    const uint32_t count = sizeof units / sizeof units[0];
    char *first = text;

    for (uint32_t i = 0; i < count; i++) {
        char digit = '0';
        for (; value >= units[i] && digit < '9'; value -= units[i]) {
            digit++;
        }
        if (text != first || digit != '0' || i == count - 1) {
            *text++ = digit;
        }
    }
    return text;
}

uint32_t upd_rom_version_format(const struct upd_rom_version *version,
                                char text[UPD_ROM_VERSION_BUFFER])
{
    char *at = text;

    *at++ = version->kind;
    for (uint32_t i = 0; i < 3; i++) {
        at = put_number(at, version->number[i]);
        *at++ = i < 2 ? '.' : 't';
    }
    at = put_number(at, version->ptype);
    *at++ = '(';
    *at++ = version->fota;
    *at++ = ')';
    *at = '\0';
    return (uint32_t)(at - text);
}

uint32_t upd_rom_version_value(const struct upd_rom_version *version)
{
    return version->number[0] * 1000000u + version->number[1] * 1000u + version->number[2];
}

bool upd_rom_version_newer(const struct upd_rom_version *version,
                           const struct upd_rom_version *than)
{
    return version->ptype == than->ptype &&
           upd_rom_version_value(version) > upd_rom_version_value(than);
}

static enum upd_rom_version_clash clash_of(const struct upd_rom_version *one,
                                           const struct upd_rom_version *other, bool strict)
{
    bool one_final = one->fota == 'n', other_final = other->fota == 'n';

    if (one->ptype != other->ptype || upd_rom_version_value(one) != upd_rom_version_value(other)) {
        return UPD_ROM_VERSION_NO_CLASH;
    }
    if (one->kind == other->kind && one->fota == other->fota) {
        return UPD_ROM_VERSION_DUPLICATE;
    }
    if (one_final == other_final) {
        return one_final ? UPD_ROM_VERSION_ONE_FINAL : UPD_ROM_VERSION_ONE_UPGRADABLE;
    }
    return strict && one->kind != other->kind ? UPD_ROM_VERSION_MIXED_KINDS
                                              : UPD_ROM_VERSION_NO_CLASH;
}

enum upd_rom_version_clash upd_rom_version_check(const struct upd_rom_version *version,
                                                 const struct upd_rom_version_list *existing,
                                                 bool strict, struct upd_rom_version *with)
{
    enum upd_rom_version_clash strongest = UPD_ROM_VERSION_NO_CLASH;
    struct upd_rom_version other;

    while (existing->next(existing->ctx, &other)) {
        enum upd_rom_version_clash clash = clash_of(version, &other, strict);
        if (clash != UPD_ROM_VERSION_NO_CLASH &&
            (strongest == UPD_ROM_VERSION_NO_CLASH || clash < strongest)) {
            strongest = clash;
            if (with != NULL) {
                *with = other;
            }
        }
    }
    return strongest;
}

enum upd_rom_version_verdict upd_rom_version_allowed(const struct upd_rom_version *running,
                                                     const struct upd_rom_version *target,
                                                     enum upd_rom_version_way way, uint32_t allow)
{
    if (running == NULL) {
        if ((allow & UPD_ROM_VERSION_ALLOW_UNKNOWN) == 0) {
            return UPD_ROM_VERSION_UNKNOWN;
        }
    } else if (running->ptype != target->ptype) {
        return UPD_ROM_VERSION_WRONG_PTYPE;
    } else if (!upd_rom_version_newer(target, running)) {
        return UPD_ROM_VERSION_NOT_NEWER;
    } else if (running->fota == 'l' && way == UPD_ROM_VERSION_ONLINE) {
        return UPD_ROM_VERSION_LOCAL_ONLY;
    } else if (running->fota == 'o' && way == UPD_ROM_VERSION_LOCAL) {
        return UPD_ROM_VERSION_ONLINE_ONLY;
    } else if (running->fota != 'a' && running->fota != 'o' && running->fota != 'l') {
        return UPD_ROM_VERSION_NO_UPGRADE;
    }
    if (target->kind != 'v' && (allow & UPD_ROM_VERSION_ALLOW_BETA) == 0) {
        return UPD_ROM_VERSION_BETA;
    }
    if (target->fota == 'n' && (allow & UPD_ROM_VERSION_ALLOW_FINAL) == 0) {
        return UPD_ROM_VERSION_FINAL;
    }
    return UPD_ROM_VERSION_ALLOWED;
}

uint32_t upd_rom_version_warnings(const struct upd_rom_version *version)
{
    char name[UPD_ROM_VERSION_BUFFER];
    uint32_t length = upd_rom_version_format(version, name);
    uint32_t warnings = length > UPD_ROM_VERSION_AT ? UPD_ROM_VERSION_WARN_AT : 0;

    if (length < UPD_ROM_VERSION_NONOS) {
        warnings |= UPD_ROM_VERSION_WARN_SHORT;
    }
    if (length > UPD_ROM_VERSION_NONOS) {
        warnings |= UPD_ROM_VERSION_WARN_LONG;
    }
    return warnings;
}

const char *upd_rom_version_problem_text(enum upd_rom_version_problem problem)
{
    static const char *const texts[] = {
#define X(name, text) text,
        UPD_ROM_VERSION_PROBLEMS(X)
#undef X
    };

    return (uint32_t)problem < sizeof texts / sizeof texts[0] ? texts[problem] : "unknown";
}

const char *upd_rom_version_clash_text(enum upd_rom_version_clash clash)
{
    static const char *const texts[] = {
#define X(name, text) text,
        UPD_ROM_VERSION_CLASHES(X)
#undef X
    };

    return (uint32_t)clash < sizeof texts / sizeof texts[0] ? texts[clash] : "unknown";
}

const char *upd_rom_version_verdict_text(enum upd_rom_version_verdict verdict)
{
    static const char *const texts[] = {
#define X(name, text) text,
        UPD_ROM_VERSION_VERDICTS(X)
#undef X
    };

    return (uint32_t)verdict < sizeof texts / sizeof texts[0] ? texts[verdict] : "unknown";
}

const char *upd_rom_version_warning_text(enum upd_rom_version_warning warning)
{
    switch (warning) {
    case UPD_ROM_VERSION_WARN_SHORT:
        return "below 15 characters: NONOS devices report it with a quote at the end";
    case UPD_ROM_VERSION_WARN_LONG:
        return "above 15 characters: NONOS devices cut it";
    case UPD_ROM_VERSION_WARN_AT:
        return "above 11 characters: too long for the AT firmware";
    }
    return "unknown";
}
