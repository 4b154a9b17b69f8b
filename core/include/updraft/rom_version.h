/*
 * updraft: names of firmware versions on Espressif's cloud, "v1.0.2t45772(a)".
 *
 *     v       1.0.2   t45772    (a)
 *     kind    number  product   how firmware of this version may be replaced
 *
 * Names that people give are read strictly; names that devices report are read leniently, by
 * another function, which tells what it repaired.
 *
 * Cost: no heap; at most 256 bytes of stack.                    Format: docs/formats/rom_version.md
 */
#ifndef UPDRAFT_ROM_VERSION_H
#define UPDRAFT_ROM_VERSION_H

#include <stdbool.h>
#include <stdint.h>

#include <updraft/err.h>

/** Longest name, "v999.999.999t9999999999(a)", and a buffer for it with its NUL. */
#define UPD_ROM_VERSION_MAX 26
#define UPD_ROM_VERSION_BUFFER (UPD_ROM_VERSION_MAX + 1)

/** Characters that a NONOS device keeps of a name: exactly so many arrive intact. */
#define UPD_ROM_VERSION_NONOS 15
/** Characters that the AT firmware has room for. */
#define UPD_ROM_VERSION_AT 11

/** A version. Equal spelling and equal fields are the same thing. */
struct upd_rom_version {
    char kind;          /* 'v' official, 'b' beta */
    char fota;          /* 'o' online, 'l' local, 'a' both, 'n' neither */
    uint16_t number[3]; /* 0..999 each */
    uint64_t ptype;     /* product type, 1..9999999999 */
};

/* What was expected where a name went wrong. X(NAME, sentence). */
#define UPD_ROM_VERSION_PROBLEMS(X)                                                                \
    X(NONE, "correct")                                                                             \
    X(KIND, "expected v or b")                                                                     \
    X(NUMBER, "expected a number")                                                                 \
    X(LEADING_ZERO, "a number has no leading zero")                                                \
    X(TOO_BIG, "a number is 0 to 999")                                                             \
    X(DOT, "expected a dot")                                                                       \
    X(T, "expected t")                                                                             \
    X(PTYPE, "expected a product type, a number from 1")                                           \
    X(PTYPE_TOO_LONG, "a product type has at most 10 digits")                                      \
    X(OPEN, "expected (")                                                                          \
    X(FOTA, "expected o, l, a or n")                                                               \
    X(CLOSE, "expected )")                                                                         \
    X(TRAILING, "nothing may follow the name")

enum upd_rom_version_problem {
#define X(name, text) UPD_ROM_VERSION_##name,
    UPD_ROM_VERSION_PROBLEMS(X)
#undef X
};

/** The sentence; "unknown" for a value that is not in the list. */
const char *upd_rom_version_problem_text(enum upd_rom_version_problem problem);

/** Where and what. `offset` counts bytes from the start of the text; it may be its length. */
struct upd_rom_version_error {
    uint32_t offset;
    enum upd_rom_version_problem problem;
};

/**
 * Read a name strictly, as for an upload.
 *
 * @param text     `size` bytes, no NUL needed; not NULL
 * @param version  out; not NULL
 * @param error    out, or NULL; written in every case, problem NONE when UPD_OK
 *
 * @return UPD_OK
 * @return UPD_E_SHORT   the text ends where the name goes on; *version is unchanged
 * @return UPD_E_FORMAT  not a name; *version is unchanged
 */
UPD_MUST_CHECK enum upd_err upd_rom_version_parse(const char *text, uint32_t size,
                                                  struct upd_rom_version *version,
                                                  struct upd_rom_version_error *error);

/** What upd_rom_version_read() repaired: bits. */
enum upd_rom_version_repair {
    UPD_ROM_VERSION_CAPITAL_O = 1, /* (O), as the demo firmware spells online */
    UPD_ROM_VERSION_QUOTE = 2, /* a quote and what followed it, as devices make of short names */
    UPD_ROM_VERSION_DOT_BEFORE_T = 4, /* as in the document's template */
    UPD_ROM_VERSION_CUT = 8,          /* cut after 15 characters, completed from the list */
};

/**
 * A list of versions to look through.
 *
 * next() writes the next version and answers true, or answers false at the end. A function that
 * takes a list walks it once, to its end.
 */
struct upd_rom_version_list {
    bool (*next)(void *ctx, struct upd_rom_version *version);
    void *ctx;
};

/**
 * Read what a device reports.
 *
 * A name that was cut after its 15th character is completed when exactly one version of the list
 * begins with it.
 *
 * @param text     `size` bytes; not NULL
 * @param known    versions that the product has; NULL: a cut name is not completed
 * @param version  out; not NULL
 * @param repairs  out, or NULL: bits of enum upd_rom_version_repair; 0: the name was correct
 *
 * @return UPD_OK
 * @return UPD_E_SHORT      cut, and no list was given
 * @return UPD_E_NOT_FOUND  cut, and no version of the list begins like that
 * @return UPD_E_STATE      cut, and several do
 * @return UPD_E_FORMAT     no version, not even leniently. In all these cases *version and *repairs
 *                          are unchanged
 */
UPD_MUST_CHECK enum upd_err upd_rom_version_read(const char *text, uint32_t size,
                                                 const struct upd_rom_version_list *known,
                                                 struct upd_rom_version *version,
                                                 uint32_t *repairs);

/**
 * Spell a version.
 *
 * @param version  fields in their ranges
 * @param text     NUL-terminated afterwards
 * @return length without the NUL, at most UPD_ROM_VERSION_MAX
 */
uint32_t upd_rom_version_format(const struct upd_rom_version *version,
                                char text[UPD_ROM_VERSION_BUFFER]);

/** Num1 * 1000000 + Num2 * 1000 + Num3: 0 .. 999999999. */
uint32_t upd_rom_version_value(const struct upd_rom_version *version);

/** True when same product and higher value. From b to v of one value is not newer. */
bool upd_rom_version_newer(const struct upd_rom_version *version,
                           const struct upd_rom_version *than);

/* Why a version cannot be added. X(NAME, sentence). */
#define UPD_ROM_VERSION_CLASHES(X)                                                                 \
    X(NO_CLASH, "no clash")                                                                        \
    X(DUPLICATE, "this version exists")                                                            \
    X(ONE_UPGRADABLE, "this product has an upgradable version (o, l or a) of the same number")     \
    X(ONE_FINAL, "this product has a version that cannot be upgraded (n) of the same number")      \
    X(MIXED_KINDS, "this product has a version of the same number of the other kind (v or b)")

enum upd_rom_version_clash {
#define X(name, text) UPD_ROM_VERSION_##name,
    UPD_ROM_VERSION_CLASHES(X)
#undef X
};

/** The sentence; "unknown" for a value that is not in the list. */
const char *upd_rom_version_clash_text(enum upd_rom_version_clash clash);

/**
 * May a version be added to those that exist?
 *
 * @param version   to be added
 * @param existing  all versions, of any product
 * @param strict    also refuse v and b of one number side by side
 * @param with      out, or NULL: the version it clashes with; unchanged when there is no clash
 *
 * @return NO_CLASH; or the strongest clash, that is the first of the list that any version causes
 */
enum upd_rom_version_clash upd_rom_version_check(const struct upd_rom_version *version,
                                                 const struct upd_rom_version_list *existing,
                                                 bool strict, struct upd_rom_version *with);

/** How a device gets an upgrade. */
enum upd_rom_version_way { UPD_ROM_VERSION_ONLINE, UPD_ROM_VERSION_LOCAL };

/** What an operator allows beyond the rules: bits. Absent means no. */
enum upd_rom_version_allow {
    UPD_ROM_VERSION_ALLOW_UNKNOWN = 1, /* the running version is not known */
    UPD_ROM_VERSION_ALLOW_BETA = 2,    /* beta versions; the original's app has this on */
    UPD_ROM_VERSION_ALLOW_FINAL = 4,   /* an n version, after which nothing can be upgraded */
};

/* The answer, X(NAME, sentence). */
#define UPD_ROM_VERSION_VERDICTS(X)                                                                \
    X(ALLOWED, "allowed")                                                                          \
    X(UNKNOWN, "the running version is too old or not known")                                      \
    X(WRONG_PTYPE, "made for another product type")                                                \
    X(NOT_NEWER, "not newer than the running version")                                             \
    X(LOCAL_ONLY, "running version allows local upgrade only")                                     \
    X(ONLINE_ONLY, "running version allows online upgrade only")                                   \
    X(NO_UPGRADE, "running version allows no upgrade")                                             \
    X(BETA, "a beta version, and beta versions are not offered")                                   \
    X(FINAL, "a version after which the device could not be upgraded again")

enum upd_rom_version_verdict {
#define X(name, text) UPD_ROM_VERSION_##name,
    UPD_ROM_VERSION_VERDICTS(X)
#undef X
};

/** The sentence; "unknown" for a value that is not in the list. */
const char *upd_rom_version_verdict_text(enum upd_rom_version_verdict verdict);

/**
 * May a device that runs one version get another one this way?
 *
 * @param running  NULL: what the device reported is no version
 * @param target   not NULL
 * @param allow    bits of enum upd_rom_version_allow
 *
 * @return ALLOWED, or the first reason of the list why not
 */
enum upd_rom_version_verdict upd_rom_version_allowed(const struct upd_rom_version *running,
                                                     const struct upd_rom_version *target,
                                                     enum upd_rom_version_way way, uint32_t allow);

/** What to warn of at an upload: bits. */
enum upd_rom_version_warning {
    UPD_ROM_VERSION_WARN_SHORT = 1, /* below 15 characters: devices append a quote to it */
    UPD_ROM_VERSION_WARN_LONG = 2,  /* above 15 characters: devices cut it */
    UPD_ROM_VERSION_WARN_AT = 4,    /* above 11 characters: too long for the AT firmware */
};

/** Warnings for a product of NONOS devices; 0 for none. A warning is not a refusal. */
uint32_t upd_rom_version_warnings(const struct upd_rom_version *version);

/** The sentence of one warning; "unknown" for a value that is not in the list. */
const char *upd_rom_version_warning_text(enum upd_rom_version_warning warning);

#endif
