/*
 * Goal: version names are taken, refused, ordered and admitted as docs/formats/rom_version.md says.
 * Method: its tables as rows; the grammar written a second time as a table of states, against every
 * string that differs from a name in one place; the uniqueness rules against the set they describe.
 */
#include <updraft/bytes.h>
#include <updraft/rom_version.h>

#include "check.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static uint32_t length_of(const char *text)
{
    uint32_t length = 0;

    while (text[length] != '\0') {
        length++;
    }
    return length;
}

static bool same_text(const char *one, const char *other)
{
    return length_of(one) == length_of(other) && memcmp(one, other, length_of(one)) == 0;
}

static bool same_version(const struct upd_rom_version *one, const struct upd_rom_version *other)
{
    return one->kind == other->kind && one->fota == other->fota &&
           one->number[0] == other->number[0] && one->number[1] == other->number[1] &&
           one->number[2] == other->number[2] && one->ptype == other->ptype;
}

/* A name that is right; the test fails when it is not. */
static struct upd_rom_version version_of(const char *text)
{
    struct upd_rom_version version = {0};

    CHECK_THAT(text, upd_rom_version_parse(text, length_of(text), &version, NULL) == UPD_OK);
    return version;
}

static const struct {
    const char *text;
    struct upd_rom_version version;
    uint32_t value;
} names[] = {
    {"v1.0.2t45772(a)", {'v', 'a', {1, 0, 2}, 45772}, 1000002},
    {"b1.0.3t23701(l)", {'b', 'l', {1, 0, 3}, 23701}, 1000003},
    {"v0.0.0t1(n)", {'v', 'n', {0, 0, 0}, 1}, 0},
    {"v999.999.999t45772(o)", {'v', 'o', {999, 999, 999}, 45772}, 999999999},
    {"b10.20.30t2355(o)", {'b', 'o', {10, 20, 30}, 2355}, 10020030},
    {"v999.999.999t9999999999(a)", {'v', 'a', {999, 999, 999}, 9999999999}, 999999999},
    {"v100.0.1t4294967296(a)", {'v', 'a', {100, 0, 1}, 4294967296}, 100000001},
    {"b0.10.0t10(n)", {'b', 'n', {0, 10, 0}, 10}, 10000},
};

static void test_names(void)
{
    for (size_t i = 0; i < COUNT(names); i++) {
        struct upd_rom_version version;
        struct upd_rom_version_error error = {7, UPD_ROM_VERSION_KIND};
        char text[UPD_ROM_VERSION_BUFFER];
        uint32_t length = length_of(names[i].text);

        CHECK_THAT(names[i].text,
                   upd_rom_version_parse(names[i].text, length, &version, &error) == UPD_OK);
        CHECK_THAT(names[i].text, same_version(&version, &names[i].version));
        CHECK_THAT(names[i].text, error.offset == 0 && error.problem == UPD_ROM_VERSION_NONE);
        CHECK_THAT(names[i].text, upd_rom_version_value(&version) == names[i].value);
        CHECK_THAT(names[i].text, upd_rom_version_format(&version, text) == length);
        CHECK_THAT(names[i].text, same_text(text, names[i].text));
    }
}

/* The files that the fuzz target starts from. */
static void test_stored_names(void)
{
    static const struct {
        const char *path, *name;
    } files[] = {
        {UPD_VECTORS "/rom_version/v1.0.2.txt", "v1.0.2t45772(a)"},
        {UPD_VECTORS "/rom_version/b1.0.3.txt", "b1.0.3t23701(l)"},
        {UPD_VECTORS "/rom_version/v0.0.0.txt", "v0.0.0t1(n)"},
        {UPD_VECTORS "/rom_version/v999.999.999.txt", "v999.999.999t45772(o)"},
        {UPD_VECTORS "/rom_version/b10.20.30.txt", "b10.20.30t2355(o)"},
        {UPD_VECTORS "/rom_version/quoted.txt", "v1.0.1t2355(a)"},
    };

    for (size_t i = 0; i < COUNT(files); i++) {
        char text[UPD_ROM_VERSION_BUFFER], again[UPD_ROM_VERSION_BUFFER];
        int32_t size = check_load(files[i].path, text, sizeof text);
        struct upd_rom_version version;

        CHECK_THAT(files[i].path, size > 0);
        CHECK_THAT(files[i].path,
                   upd_rom_version_read(text, (uint32_t)size, NULL, &version, NULL) == UPD_OK);
        CHECK_THAT(files[i].path,
                   upd_rom_version_format(&version, again) != 0 && same_text(again, files[i].name));
    }
}

static const struct {
    const char *text;
    uint32_t offset;
    enum upd_rom_version_problem problem;
} lies[] = {
    {"v1.0.2.t45772(a)", 6, UPD_ROM_VERSION_T},
    {"V1.0.2t45772(a)", 0, UPD_ROM_VERSION_KIND},
    {"v1.0t45772(a)", 4, UPD_ROM_VERSION_DOT},
    {"v1.0.1000t45772(a)", 8, UPD_ROM_VERSION_TOO_BIG},
    {"v1.0.02t45772(a)", 5, UPD_ROM_VERSION_LEADING_ZERO},
    {"v1.0.2t45772", 12, UPD_ROM_VERSION_OPEN},
    {"v1.0.2t45772(x)", 13, UPD_ROM_VERSION_FOTA},
    {"v1.0.2t(a)", 7, UPD_ROM_VERSION_PTYPE},
    {"v1.0.2t045772(a)", 7, UPD_ROM_VERSION_LEADING_ZERO},
    {"v-1.0.2t45772(a)", 1, UPD_ROM_VERSION_NUMBER},
    {"v1.0.2t45772(a) ", 15, UPD_ROM_VERSION_TRAILING},
    {" v1.0.2t45772(a)", 0, UPD_ROM_VERSION_KIND},
    {"v1.0.2t45772(oa)", 14, UPD_ROM_VERSION_CLOSE},
    {"", 0, UPD_ROM_VERSION_KIND},
    {"v", 1, UPD_ROM_VERSION_NUMBER},
    {"v1", 2, UPD_ROM_VERSION_DOT},
    {"v1.", 3, UPD_ROM_VERSION_NUMBER},
    {"v1..2t45772(a)", 3, UPD_ROM_VERSION_NUMBER},
    {"v1.0.2", 6, UPD_ROM_VERSION_T},
    {"v1.0.2t", 7, UPD_ROM_VERSION_PTYPE},
    {"v1.0.2t45772(", 13, UPD_ROM_VERSION_FOTA},
    {"v1.0.2t45772()", 13, UPD_ROM_VERSION_FOTA},
    {"v1.0.2t45772(a", 14, UPD_ROM_VERSION_CLOSE},
    {"v1.0.2t45772(O)", 13, UPD_ROM_VERSION_FOTA},
    {"v1.0.2T45772(a)", 6, UPD_ROM_VERSION_T},
    {"v1.0.2t45772[a]", 12, UPD_ROM_VERSION_OPEN},
    {"v1.0.2t0(a)", 7, UPD_ROM_VERSION_LEADING_ZERO},
    {"v1.0.2t-1(a)", 7, UPD_ROM_VERSION_PTYPE},
    {"v1.0.2t12345678901(a)", 17, UPD_ROM_VERSION_PTYPE_TOO_LONG},
    {"v1.0.2t99999999999999999999999(a)", 17, UPD_ROM_VERSION_PTYPE_TOO_LONG},
    {"v1000.0.2t1(a)", 4, UPD_ROM_VERSION_TOO_BIG},
    {"v1.1000.2t1(a)", 6, UPD_ROM_VERSION_TOO_BIG},
    {"v00.0.2t1(a)", 1, UPD_ROM_VERSION_LEADING_ZERO},
    {"v0.000.2t1(a)", 3, UPD_ROM_VERSION_LEADING_ZERO},
    {"v1.0.2.3t45772(a)", 6, UPD_ROM_VERSION_T},
    {"x1.0.2t45772(a)", 0, UPD_ROM_VERSION_KIND},
    {"v1,0,2t45772(a)", 2, UPD_ROM_VERSION_DOT},
    {"v1.0.2t45772(a)\n", 15, UPD_ROM_VERSION_TRAILING},
    {"v1.0.2t45772(a)v1.0.2t45772(a)", 15, UPD_ROM_VERSION_TRAILING},
    {"v+1.0.2t1(a)", 1, UPD_ROM_VERSION_NUMBER},
    {"v0x1.0.2t1(a)", 2, UPD_ROM_VERSION_DOT},
    {"v1.0.2t4577\xC2\xB2(a)", 11, UPD_ROM_VERSION_OPEN},
};

static void test_what_is_no_name_and_where(void)
{
    for (size_t i = 0; i < COUNT(lies); i++) {
        struct upd_rom_version version = {.kind = 'x'};
        struct upd_rom_version_error error;
        uint32_t length = length_of(lies[i].text);
        enum upd_err err = upd_rom_version_parse(lies[i].text, length, &version, &error);

        CHECK_THAT(lies[i].text, err == (lies[i].offset == length ? UPD_E_SHORT : UPD_E_FORMAT));
        CHECK_THAT(lies[i].text, error.offset == lies[i].offset);
        CHECK_THAT(lies[i].text, error.problem == lies[i].problem);
        CHECK_THAT(lies[i].text, version.kind == 'x');
    }
}

static void test_a_nul_is_a_character_like_others(void)
{
    static const char text[] = "v1.0.2t45772(a)\0v1.0.2t45772(a)";
    struct upd_rom_version version;
    struct upd_rom_version_error error;

    for (uint32_t size = 0; size < sizeof text; size++) {
        enum upd_err err = upd_rom_version_parse(text, size, &version, &error);
        CHECK(err == (size < 15 ? UPD_E_SHORT : size == 15 ? UPD_OK : UPD_E_FORMAT));
        CHECK(error.offset == (size < 15 ? size : size == 15 ? 0u : 15u));
    }
    CHECK(upd_rom_version_parse("v1\0.0.2t1(a)", 12, &version, &error) == UPD_E_FORMAT);
    CHECK(error.offset == 2);
}

/*
 * The grammar again, as a walk over states: k kind, a first digit, z after a zero, 1 2 3 digits so
 * far, p first digit of the product, q its digits, o letter, c closing, e end.
 */
static bool is_name(const char *text, uint32_t size)
{
    char state = 'k';
    uint32_t number = 0, digits = 0;

    for (uint32_t i = 0; i < size; i++) {
        char letter = text[i];
        bool digit = letter >= '0' && letter <= '9';

        if (state == 'k') {
            state = letter == 'v' || letter == 'b' ? 'a' : 'x';
        } else if (state == 'a') {
            state = letter == '0' ? 'z' : digit ? '1' : 'x';
        } else if ((state == '1' || state == '2') && digit) {
            state++;
        } else if (state == 'z' || (state >= '1' && state <= '3')) {
            state = letter == (number < 2 ? '.' : 't') ? (number < 2 ? 'a' : 'p') : 'x';
            number++;
        } else if (state == 'p') {
            state = digit && letter != '0' ? 'q' : 'x';
            digits = 1;
        } else if (state == 'q' && digit) {
            state = digits++ < 10 ? 'q' : 'x';
        } else if (state == 'q') {
            state = letter == '(' ? 'o' : 'x';
        } else if (state == 'o') {
            state = letter == 'o' || letter == 'l' || letter == 'a' || letter == 'n' ? 'c' : 'x';
        } else {
            state = state == 'c' && letter == ')' ? 'e' : 'x';
        }
    }
    return state == 'e';
}

static bool agrees(const char *text, uint32_t size)
{
    struct upd_rom_version version;
    struct upd_rom_version_error error;
    char again[UPD_ROM_VERSION_BUFFER];
    bool taken = upd_rom_version_parse(text, size, &version, &error) == UPD_OK;

    if (taken != is_name(text, size) || taken != (error.problem == UPD_ROM_VERSION_NONE)) {
        return false;
    }
    /* One value has one spelling. */
    return !taken ||
           (upd_rom_version_format(&version, again) == size && memcmp(again, text, size) == 0);
}

/* Every name of the table with any one character replaced, left out or put in. */
static void test_every_string_one_step_from_a_name(void)
{
    for (size_t i = 0; i < COUNT(names); i++) {
        uint32_t length = length_of(names[i].text);
        bool right = true;

        for (uint32_t at = 0; at <= length; at++) {
            for (uint32_t letter = 0; letter < 256; letter++) {
                char text[UPD_ROM_VERSION_MAX + 2];

                memcpy(text, names[i].text, length);
                if (at < length) {
                    text[at] = (char)letter;
                    right = right && agrees(text, length);
                }
                memcpy(text, names[i].text, at);
                text[at] = (char)letter;
                memcpy(text + at + 1, names[i].text + at, length - at);
                right = right && agrees(text, length + 1);
            }
            char text[UPD_ROM_VERSION_MAX];
            memcpy(text, names[i].text, at);
            if (at < length) {
                memcpy(text + at, names[i].text + at + 1, length - at - 1);
                right = right && agrees(text, length - 1);
            }
        }
        CHECK_THAT(names[i].text, right);
    }
}

/* --- Reading what devices report ------------------------------------------------------------- */

struct walk {
    const char *const *names;
    size_t count;
    size_t at;
};

static bool next_name(void *ctx, struct upd_rom_version *version)
{
    struct walk *walk = ctx;

    if (walk->at == walk->count) {
        return false;
    }
    *version = version_of(walk->names[walk->at++]);
    return true;
}

static const char *const known_names[] = {
    "v1.0.10t45772(a)",   "v1.0.11t45772(a)", "v1.0.11t45772(n)", "b10.20.30t45772(a)",
    "b10.20.30t45771(a)", "v1.0.2t123456(o)", "v1.0.20t45772(o)",
};

static const struct {
    const char *text;
    const char *name; /* what it is read as */
    enum upd_err err;
    uint32_t repairs;
} reports[] = {
    {"v1.0.2t45772(a)", "v1.0.2t45772(a)", UPD_OK, 0},
    {"v1.0.2t45772(O)", "v1.0.2t45772(o)", UPD_OK, UPD_ROM_VERSION_CAPITAL_O},
    {"v1.0.2.t45772(a)", "v1.0.2t45772(a)", UPD_OK, UPD_ROM_VERSION_DOT_BEFORE_T},
    {"v1.0.1t2355(a)\"", "v1.0.1t2355(a)", UPD_OK, UPD_ROM_VERSION_QUOTE},
    {"v1.0.1t235(a)\",", "v1.0.1t235(a)", UPD_OK, UPD_ROM_VERSION_QUOTE},
    {"v1.0.1t2(a)\", \"d", "v1.0.1t2(a)", UPD_OK, UPD_ROM_VERSION_QUOTE},
    {"v1.0.1.t2355(O)\"", "v1.0.1t2355(o)", UPD_OK,
     UPD_ROM_VERSION_QUOTE | UPD_ROM_VERSION_CAPITAL_O | UPD_ROM_VERSION_DOT_BEFORE_T},
    /* Cut after 15 characters. */
    {"v1.0.10t45772(a", "v1.0.10t45772(a)", UPD_OK, UPD_ROM_VERSION_CUT},
    {"v1.0.11t45772(n", "v1.0.11t45772(n)", UPD_OK, UPD_ROM_VERSION_CUT},
    {"v1.0.12t45772(a", NULL, UPD_E_NOT_FOUND, 0},
    {"v1.0.11t45772(o", NULL, UPD_E_NOT_FOUND, 0},
    {"b10.20.30t45772", "b10.20.30t45772(a)", UPD_OK, UPD_ROM_VERSION_CUT},
    {"b10.20.30t45773", NULL, UPD_E_NOT_FOUND, 0},
    {"v1.0.20t45772(O", "v1.0.20t45772(o)", UPD_OK,
     UPD_ROM_VERSION_CUT | UPD_ROM_VERSION_CAPITAL_O},
    {"v1.0.10.t45772(", "v1.0.10t45772(a)", UPD_OK,
     UPD_ROM_VERSION_CUT | UPD_ROM_VERSION_DOT_BEFORE_T},
    {"v1.0.11.t45772(", NULL, UPD_E_STATE, 0},
    {"v1.0.2t123456(o", "v1.0.2t123456(o)", UPD_OK, UPD_ROM_VERSION_CUT},
    /* Neither cut nor right. */
    {"v1.0.10t45772(", NULL, UPD_E_FORMAT, 0},
    {"v1.0.10t45772", NULL, UPD_E_FORMAT, 0},
    {"v1.0.10t45772(a\"", NULL, UPD_E_FORMAT, 0},
    {"v1.0.10t45772(ax", NULL, UPD_E_FORMAT, 0},
    {"v1.0.10t45772(x", NULL, UPD_E_FORMAT, 0},
    {"v1.0.010t4577(a", NULL, UPD_E_FORMAT, 0},
    {"V1.0.2t45772(a)", NULL, UPD_E_FORMAT, 0},
    {"v1.0.2t45772(A)", NULL, UPD_E_FORMAT, 0},
    {"v1.0.2..t45772(a)", NULL, UPD_E_FORMAT, 0},
    {"v1.0..2t45772(a)", NULL, UPD_E_FORMAT, 0},
    {"\"v1.0.2t45772(a)\"", NULL, UPD_E_FORMAT, 0},
    {"", NULL, UPD_E_FORMAT, 0},
    {"\"", NULL, UPD_E_FORMAT, 0},
    {"v1.0.5", NULL, UPD_E_FORMAT, 0},
    {"1.5.4.1(39cb9a3", NULL, UPD_E_FORMAT, 0},
};

static void test_what_devices_report(void)
{
    for (size_t i = 0; i < COUNT(reports); i++) {
        const char *text = reports[i].text;
        struct walk walk = {known_names, COUNT(known_names), 0};
        struct upd_rom_version_list known = {next_name, &walk};
        struct upd_rom_version version = {.kind = 'x'};
        uint32_t repairs = 99;

        CHECK_THAT(text, upd_rom_version_read(text, length_of(text), &known, &version, &repairs) ==
                             reports[i].err);
        if (reports[i].err == UPD_OK) {
            struct upd_rom_version meant = version_of(reports[i].name);
            CHECK_THAT(text, same_version(&version, &meant) && repairs == reports[i].repairs);
        } else {
            CHECK_THAT(text, version.kind == 'x' && repairs == 99);
        }
        /* Without a list a cut name stays cut, and everything else is read the same. */
        bool cut = reports[i].err == UPD_E_NOT_FOUND || reports[i].err == UPD_E_STATE ||
                   (reports[i].repairs & UPD_ROM_VERSION_CUT) != 0;
        CHECK_THAT(text, upd_rom_version_read(text, length_of(text), NULL, &version, NULL) ==
                             (cut ? UPD_E_SHORT : reports[i].err));
    }
}

/* Devices keep 15 characters: each known name, as they cut it, is found again or is ambiguous. */
static void test_every_known_name_cut(void)
{
    for (size_t i = 0; i < COUNT(known_names); i++) {
        struct walk walk = {known_names, COUNT(known_names), 0};
        struct upd_rom_version_list known = {next_name, &walk};
        struct upd_rom_version version, meant = version_of(known_names[i]);
        uint32_t repairs = 0;

        CHECK_THAT(known_names[i], upd_rom_version_read(known_names[i], UPD_ROM_VERSION_NONOS,
                                                        &known, &version, &repairs) == UPD_OK);
        CHECK_THAT(known_names[i], same_version(&version, &meant));
        CHECK_THAT(known_names[i], repairs == UPD_ROM_VERSION_CUT);
    }
}

/* --- Rules between versions ------------------------------------------------------------------ */

static void test_newer(void)
{
    static const struct {
        const char *one, *other;
        bool newer, older;
    } rows[] = {
        {"v1.0.1t1(a)", "v1.0.0t1(a)", true, false},
        {"v1.0.1t1(a)", "v1.0.1t1(a)", false, false},
        {"v1.0.1t1(a)", "b1.0.1t1(a)", false, false},
        {"v1.1.0t1(a)", "v1.0.999t1(n)", true, false},
        {"v2.0.0t1(o)", "b1.999.999t1(l)", true, false},
        {"v1.0.10t1(a)", "v1.0.9t1(a)", true, false},
        {"v1.0.1t2(a)", "v1.0.0t1(a)", false, false},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct upd_rom_version one = version_of(rows[i].one), other = version_of(rows[i].other);
        CHECK_THAT(rows[i].one, upd_rom_version_newer(&one, &other) == rows[i].newer);
        CHECK_THAT(rows[i].one, upd_rom_version_newer(&other, &one) == rows[i].older);
    }
}

static const struct {
    const char *existing[3];
    const char *adding;
    enum upd_rom_version_clash clash, strict;
} additions[] = {
    /* R1 */
    {{"b1.0.3t45772(o)"}, "v1.0.3t45772(o)", UPD_ROM_VERSION_ONE_UPGRADABLE, 0},
    {{"b1.0.3t45772(o)"}, "v1.0.3t45772(l)", UPD_ROM_VERSION_ONE_UPGRADABLE, 0},
    {{"b1.0.3t45772(o)"}, "v1.0.3t45772(a)", UPD_ROM_VERSION_ONE_UPGRADABLE, 0},
    {{"b1.0.3t45772(o)"}, "b1.0.3t45772(l)", UPD_ROM_VERSION_ONE_UPGRADABLE, 0},
    {{"b1.0.3t45772(o)"}, "b1.0.3t45772(a)", UPD_ROM_VERSION_ONE_UPGRADABLE, 0},
    /* R2 */
    {{"b1.0.3t45772(n)"}, "v1.0.3t45772(n)", UPD_ROM_VERSION_ONE_FINAL, 0},
    /* R3 */
    {{"b1.0.3t45772(n)"}, "v1.0.3t45772(o)", UPD_ROM_VERSION_NO_CLASH, UPD_ROM_VERSION_MIXED_KINDS},
    {{"b1.0.3t45772(n)"}, "b1.0.3t45772(o)", UPD_ROM_VERSION_NO_CLASH, UPD_ROM_VERSION_NO_CLASH},
    {{"b1.0.3t45772(n)", "v1.0.3t45772(o)"}, "b1.0.3t45772(a)", UPD_ROM_VERSION_ONE_UPGRADABLE, 0},
    {{"v1.0.3t45772(a)"}, "b1.0.3t45772(n)", UPD_ROM_VERSION_NO_CLASH, UPD_ROM_VERSION_MIXED_KINDS},
    /* R4 */
    {{"b1.0.3t45772(n)"}, "b1.0.3t12335(n)", UPD_ROM_VERSION_NO_CLASH, UPD_ROM_VERSION_NO_CLASH},
    {{"b1.0.3t45772(o)"}, "v1.0.3t12335(o)", UPD_ROM_VERSION_NO_CLASH, UPD_ROM_VERSION_NO_CLASH},
    /* The same name, and another number. */
    {{"v1.0.2t45772(a)"}, "v1.0.2t45772(a)", UPD_ROM_VERSION_DUPLICATE, 0},
    {{"v1.0.2t45772(n)"}, "v1.0.2t45772(n)", UPD_ROM_VERSION_DUPLICATE, 0},
    {{"v1.0.2t45772(a)"}, "v1.0.4t45772(a)", UPD_ROM_VERSION_NO_CLASH, UPD_ROM_VERSION_NO_CLASH},
    {{"v1.0.2t45772(a)"}, "v1.2.0t45772(a)", UPD_ROM_VERSION_NO_CLASH, UPD_ROM_VERSION_NO_CLASH},
    {{NULL}, "v1.0.2t45772(a)", UPD_ROM_VERSION_NO_CLASH, UPD_ROM_VERSION_NO_CLASH},
    /* The strongest of several, wherever it stands. */
    {{"b1.0.2t1(n)", "v1.0.2t1(a)"}, "v1.0.2t1(a)", UPD_ROM_VERSION_DUPLICATE, 0},
    {{"v1.0.2t1(a)", "b1.0.2t1(n)"}, "v1.0.2t1(a)", UPD_ROM_VERSION_DUPLICATE, 0},
};

static void test_what_may_be_added(void)
{
    for (size_t i = 0; i < COUNT(additions); i++) {
        const char *adding = additions[i].adding;
        size_t count = 0;
        struct upd_rom_version version = version_of(adding), with = {.kind = 'x'};

        while (count < 3 && additions[i].existing[count] != NULL) {
            count++;
        }
        for (uint32_t strict = 0; strict < 2; strict++) {
            struct walk walk = {additions[i].existing, count, 0};
            struct upd_rom_version_list existing = {next_name, &walk};
            enum upd_rom_version_clash meant = additions[i].clash;

            if (strict != 0 && meant == UPD_ROM_VERSION_NO_CLASH) {
                meant = additions[i].strict;
            }
            with.kind = 'x';
            CHECK_THAT(adding, upd_rom_version_check(&version, &existing, strict, &with) == meant);
            CHECK_THAT(adding, walk.at == count);
            CHECK_THAT(adding, (with.kind == 'x') == (meant == UPD_ROM_VERSION_NO_CLASH));
            CHECK_THAT(adding, with.kind == 'x' ||
                                   upd_rom_version_value(&with) == upd_rom_version_value(&version));
            walk.at = 0;
            CHECK_THAT(adding, upd_rom_version_check(&version, &existing, strict, NULL) == meant);
        }
    }
    /* The one that is named is the one that clashes most. */
    struct walk walk = {(const char *const[]){"b1.0.2t1(o)", "v1.0.2t1(a)"}, 2, 0};
    struct upd_rom_version_list existing = {next_name, &walk};
    struct upd_rom_version version = version_of("v1.0.2t1(a)"), with;

    CHECK(upd_rom_version_check(&version, &existing, false, &with) == UPD_ROM_VERSION_DUPLICATE);
    CHECK(same_version(&with, &version));
}

/* All eight versions of one number, added in every one of 8! / 4! orders of four: what is let in is
 * at most one that can be upgraded and one that cannot, of one kind when strict. */
static void test_the_rules_leave_one_of_each_class(void)
{
    static const char *const all[8] = {"v1.0.3t9(o)", "v1.0.3t9(l)", "v1.0.3t9(a)", "v1.0.3t9(n)",
                                       "b1.0.3t9(o)", "b1.0.3t9(l)", "b1.0.3t9(a)", "b1.0.3t9(n)"};

    for (uint32_t order = 0; order < 8 * 8 * 8 * 8 * 2; order++) {
        const char *in[4];
        bool strict = order >> 12 != 0;
        size_t count = 0, upgradable = 0, beta = 0;

        for (uint32_t i = 0; i < 4; i++) {
            uint32_t pick = order >> 3 * i & 7;
            struct walk walk = {in, count, 0};
            struct upd_rom_version_list existing = {next_name, &walk};
            struct upd_rom_version version = version_of(all[pick]);
            bool final = pick % 4 == 3, is_beta = pick >= 4;
            bool fits = final ? count - upgradable == 0 : upgradable == 0;

            fits = fits && (!strict || count == 0 || (beta == count) == is_beta);
            bool admitted = upd_rom_version_check(&version, &existing, strict, NULL) ==
                            UPD_ROM_VERSION_NO_CLASH;
            CHECK(admitted == fits);
            if (admitted) {
                in[count++] = all[pick];
                upgradable += !final;
                beta += is_beta;
            }
        }
        CHECK(count <= 2);
    }
}

#define BETA UPD_ROM_VERSION_ALLOW_BETA
#define FINAL UPD_ROM_VERSION_ALLOW_FINAL
#define ANY UPD_ROM_VERSION_ALLOW_UNKNOWN

static const struct {
    const char *running; /* NULL: no version */
    const char *target;
    uint32_t allow;
    enum upd_rom_version_verdict online, local;
} permissions[] = {
    {"v1.0.0t23701(a)", "v1.0.1t23701(a)", 0, UPD_ROM_VERSION_ALLOWED, UPD_ROM_VERSION_ALLOWED},
    {"v1.0.0t23701(o)", "v1.0.1t23701(a)", 0, UPD_ROM_VERSION_ALLOWED, UPD_ROM_VERSION_ONLINE_ONLY},
    {"v1.0.0t23701(l)", "v1.0.1t23701(a)", 0, UPD_ROM_VERSION_LOCAL_ONLY, UPD_ROM_VERSION_ALLOWED},
    {"v1.0.0t23701(n)", "v1.0.1t23701(a)", 0, UPD_ROM_VERSION_NO_UPGRADE,
     UPD_ROM_VERSION_NO_UPGRADE},
    {"v1.0.1t23701(a)", "b1.0.1t23701(n)", BETA | FINAL, UPD_ROM_VERSION_NOT_NEWER,
     UPD_ROM_VERSION_NOT_NEWER},
    {"v1.0.0t23701(a)", "v1.0.1t45772(a)", 0, UPD_ROM_VERSION_WRONG_PTYPE,
     UPD_ROM_VERSION_WRONG_PTYPE},
    {"v1.0.1t23701(a)", "v1.0.1t23701(a)", 0, UPD_ROM_VERSION_NOT_NEWER, UPD_ROM_VERSION_NOT_NEWER},
    {"v1.0.2t23701(a)", "v1.0.1t23701(a)", 0, UPD_ROM_VERSION_NOT_NEWER, UPD_ROM_VERSION_NOT_NEWER},
    {"b1.0.1t23701(a)", "v1.0.1t23701(a)", 0, UPD_ROM_VERSION_NOT_NEWER, UPD_ROM_VERSION_NOT_NEWER},
    {NULL, "v1.0.1t23701(a)", 0, UPD_ROM_VERSION_UNKNOWN, UPD_ROM_VERSION_UNKNOWN},
    {NULL, "v1.0.1t23701(a)", ANY, UPD_ROM_VERSION_ALLOWED, UPD_ROM_VERSION_ALLOWED},
    {NULL, "v1.0.1t23701(n)", ANY, UPD_ROM_VERSION_FINAL, UPD_ROM_VERSION_FINAL},
    {NULL, "b1.0.1t23701(a)", ANY, UPD_ROM_VERSION_BETA, UPD_ROM_VERSION_BETA},
    {"v1.0.0t23701(a)", "b1.0.1t23701(a)", 0, UPD_ROM_VERSION_BETA, UPD_ROM_VERSION_BETA},
    {"v1.0.0t23701(a)", "b1.0.1t23701(a)", BETA, UPD_ROM_VERSION_ALLOWED, UPD_ROM_VERSION_ALLOWED},
    {"v1.0.0t23701(a)", "v1.0.1t23701(n)", BETA, UPD_ROM_VERSION_FINAL, UPD_ROM_VERSION_FINAL},
    {"v1.0.0t23701(a)", "v1.0.1t23701(n)", FINAL, UPD_ROM_VERSION_ALLOWED, UPD_ROM_VERSION_ALLOWED},
    {"v1.0.0t23701(a)", "b1.0.1t23701(n)", BETA, UPD_ROM_VERSION_FINAL, UPD_ROM_VERSION_FINAL},
    {"v1.0.0t23701(o)", "v1.0.1t23701(n)", 0, UPD_ROM_VERSION_FINAL, UPD_ROM_VERSION_ONLINE_ONLY},
    /* The letter of the running version decides, not that of the target. */
    {"v1.0.0t23701(a)", "v1.0.1t23701(l)", 0, UPD_ROM_VERSION_ALLOWED, UPD_ROM_VERSION_ALLOWED},
    {"v1.0.0t23701(n)", "v1.0.1t23701(a)", ANY | BETA | FINAL, UPD_ROM_VERSION_NO_UPGRADE,
     UPD_ROM_VERSION_NO_UPGRADE},
};

static void test_who_may_be_upgraded_how(void)
{
    for (size_t i = 0; i < COUNT(permissions); i++) {
        struct upd_rom_version running, target = version_of(permissions[i].target);
        const struct upd_rom_version *given = NULL;

        if (permissions[i].running != NULL) {
            running = version_of(permissions[i].running);
            given = &running;
        }
        CHECK_THAT(permissions[i].target,
                   upd_rom_version_allowed(given, &target, UPD_ROM_VERSION_ONLINE,
                                           permissions[i].allow) == permissions[i].online);
        CHECK_THAT(permissions[i].target,
                   upd_rom_version_allowed(given, &target, UPD_ROM_VERSION_LOCAL,
                                           permissions[i].allow) == permissions[i].local);
    }
    /* A letter that nobody knows allows nothing. */
    struct upd_rom_version odd = {'v', '\0', {1, 0, 0}, 5}, target = {'v', 'a', {1, 0, 1}, 5};
    CHECK(upd_rom_version_allowed(&odd, &target, UPD_ROM_VERSION_ONLINE, 7) ==
          UPD_ROM_VERSION_NO_UPGRADE);
}

static void test_warnings_by_length(void)
{
    static const struct {
        const char *name;
        uint32_t warnings;
    } rows[] = {
        {"v1.0.2t1(a)", UPD_ROM_VERSION_WARN_SHORT},
        {"v1.0.2t12(a)", UPD_ROM_VERSION_WARN_SHORT | UPD_ROM_VERSION_WARN_AT},
        {"v1.0.1t2355(a)", UPD_ROM_VERSION_WARN_SHORT | UPD_ROM_VERSION_WARN_AT},
        {"v1.0.2t45772(a)", UPD_ROM_VERSION_WARN_AT},
        {"v1.0.10t45772(a)", UPD_ROM_VERSION_WARN_LONG | UPD_ROM_VERSION_WARN_AT},
        {"v999.999.999t9999999999(a)", UPD_ROM_VERSION_WARN_LONG | UPD_ROM_VERSION_WARN_AT},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct upd_rom_version version = version_of(rows[i].name);
        CHECK_THAT(rows[i].name, upd_rom_version_warnings(&version) == rows[i].warnings);
    }
    CHECK(upd_rom_version_warning_text(UPD_ROM_VERSION_WARN_SHORT)[0] == 'b');
    CHECK(upd_rom_version_warning_text(UPD_ROM_VERSION_WARN_LONG)[0] == 'a');
    CHECK(upd_rom_version_warning_text(UPD_ROM_VERSION_WARN_AT)[0] == 'a');
    CHECK(upd_rom_version_warning_text((enum upd_rom_version_warning)8)[0] == 'u');
}

static void test_every_answer_has_its_sentence(void)
{
    const char *unknown = upd_rom_version_problem_text((enum upd_rom_version_problem)13);

    for (uint32_t i = 0; i < 13; i++) {
        for (uint32_t k = 0; k < i; k++) {
            CHECK(!same_text(upd_rom_version_problem_text((enum upd_rom_version_problem)i),
                             upd_rom_version_problem_text((enum upd_rom_version_problem)k)));
        }
        CHECK(i >= 5 ||
              !same_text(upd_rom_version_clash_text((enum upd_rom_version_clash)i), unknown));
        CHECK(i >= 9 ||
              !same_text(upd_rom_version_verdict_text((enum upd_rom_version_verdict)i), unknown));
    }
    CHECK(same_text(unknown, "unknown"));
    CHECK(same_text(upd_rom_version_clash_text((enum upd_rom_version_clash)5), "unknown"));
    CHECK(same_text(upd_rom_version_verdict_text((enum upd_rom_version_verdict)9), "unknown"));
}

int main(void)
{
    CHECK_RUN(test_names);
    CHECK_RUN(test_stored_names);
    CHECK_RUN(test_what_is_no_name_and_where);
    CHECK_RUN(test_a_nul_is_a_character_like_others);
    CHECK_RUN(test_every_string_one_step_from_a_name);
    CHECK_RUN(test_what_devices_report);
    CHECK_RUN(test_every_known_name_cut);
    CHECK_RUN(test_newer);
    CHECK_RUN(test_what_may_be_added);
    CHECK_RUN(test_the_rules_leave_one_of_each_class);
    CHECK_RUN(test_who_may_be_upgraded_how);
    CHECK_RUN(test_warnings_by_length);
    CHECK_RUN(test_every_answer_has_its_sentence);
    check_end();
}
