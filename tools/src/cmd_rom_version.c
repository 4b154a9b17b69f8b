/* updraft rom-version check, compare, allowed: names of versions on Espressif's cloud. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <updraft/rom_version.h>

#include "commands.h"
#include "display.h"
#include "files.h"

/* A list of names is a small text: no product has more versions than this leaves room for. */
#define LIST_LIMIT (1u << 20)

/* Reads a name strictly; a wrong one is reported, with where it goes wrong. */
static bool parse(struct call *call, enum exit_code code, const char *text,
                  struct upd_rom_version *version)
{
    struct upd_rom_version_error error;
    size_t size = strlen(text);
    char shown[256];

    if (size > UINT16_MAX) {
        size = UINT16_MAX;
    }
    if (upd_rom_version_parse(text, (uint32_t)size, version, &error) == UPD_OK) {
        return true;
    }
    fail(call, code, "format", "%s: at character %u: %s", display(text, 50, shown, sizeof shown),
         error.offset + 1, upd_rom_version_problem_text(error.problem));
    problem_add(call, "offset", json_integer(error.offset));
    return false;
}

static json_t *version_json(const struct upd_rom_version *version)
{
    char text[UPD_ROM_VERSION_BUFFER];

    upd_rom_version_format(version, text);
    return json_pack("{s:s, s:s, s:[iii], s:I, s:I, s:s}", "name", text, "kind",
                     version->kind == 'v' ? "official" : "beta", "number", version->number[0],
                     version->number[1], version->number[2], "value",
                     (json_int_t)upd_rom_version_value(version), "ptype",
                     (json_int_t)version->ptype, "fota",
                     version->fota == 'o'   ? "online"
                     : version->fota == 'l' ? "local"
                     : version->fota == 'a' ? "both"
                                            : "none");
}

/* --- check ----------------------------------------------------------------------------------- */

struct check_arguments {
    const char *name;
    struct words existing;
    const char *list;
    struct choice device;
    bool strict;
};

/* What a name is too long or too short for; the first of them without --device. */
static const char *const devices[] = {"nonos", "at", "any", NULL};
static const uint32_t device_warnings[] = {UPD_ROM_VERSION_WARN_SHORT | UPD_ROM_VERSION_WARN_LONG,
                                           UPD_ROM_VERSION_WARN_AT, 0};

static const struct option check_options[] = {
    {.name = "existing",
     .kind = VALUE_WORDS,
     .value = "NAME",
     .at = offsetof(struct check_arguments, existing),
     .help = "a version that exists; may be repeated"},
    {.name = "existing-file",
     .kind = VALUE_INPUT,
     .value = "FILE",
     .at = offsetof(struct check_arguments, list),
     .help = "versions that exist, one a line"},
    {.name = "device",
     .kind = VALUE_CHOICE,
     .value = "DEVICE",
     .choices = devices,
     .at = offsetof(struct check_arguments, device),
     .help = "warn of names that such devices cannot keep; nonos without this option"},
    {.name = "strict",
     .kind = VALUE_FLAG,
     .at = offsetof(struct check_arguments, strict),
     .help = "also refuse an official and a beta version of one number"},
    {0},
};
static const struct operand check_operands[] = {
    {.name = "NAME",
     .kind = VALUE_TEXT,
     .at = offsetof(struct check_arguments, name),
     .help = "the version, such as 'v1.0.2t45772(a)'"},
    {0},
};
static const struct example check_examples[] = {
    {"updraft rom-version check 'v1.0.2t45772(a)'", "is this a name, and what does it say?"},
    {"updraft rom-version check 'v1.0.3t45772(a)' --existing 'v1.0.2t45772(a)'",
     "may it be added to those that exist?"},
    {0},
};

/* Versions that exist, in memory; walked by next(). */
struct versions {
    struct upd_rom_version *version;
    size_t count, next;
};

static bool next_version(void *ctx, struct upd_rom_version *version)
{
    struct versions *versions = ctx;
    if (versions->next == versions->count) {
        return false;
    }
    *version = versions->version[versions->next++];
    return true;
}

static bool add_version(struct call *call, struct versions *versions, const char *text)
{
    struct upd_rom_version *longer =
        realloc(versions->version, (versions->count + 1) * sizeof *longer);

    if (longer == NULL) {
        fail(call, EXIT_FAILED, "memory", "out of memory");
        return false;
    }
    versions->version = longer;
    if (!parse(call, EXIT_USAGE, text, &versions->version[versions->count])) {
        return false;
    }
    versions->count++;
    return true;
}

static bool add_lines(struct call *call, struct versions *versions, char *text)
{
    char *rest = NULL;
    for (char *line = strtok_r(text, "\r\n", &rest); line != NULL;
         line = strtok_r(NULL, "\r\n", &rest)) {
        if (!add_version(call, versions, line)) {
            return false;
        }
    }
    return true;
}

static bool load_versions(struct call *call, const struct check_arguments *arguments,
                          struct versions *versions, enum exit_code *code)
{
    uint8_t *text = NULL;
    size_t size;
    bool ok = true;

    *code = EXIT_USAGE;
    for (size_t i = 0; ok && i < arguments->existing.count; i++) {
        ok = add_version(call, versions, arguments->existing.word[i]);
    }
    if (ok && arguments->list != NULL) {
        ok = input_load(call, arguments->list, LIST_LIMIT, "a list of versions", &text, &size);
        *code = ok ? *code : EXIT_FAILED;
        ok = ok && add_lines(call, versions, (char *)text);
    }
    free(text);
    return ok;
}

static void print_checked(struct call *call, const struct upd_rom_version *version)
{
    const struct check_arguments *arguments = call->arguments;
    uint32_t warnings =
        upd_rom_version_warnings(version) & device_warnings[arguments->device.index];

    if (call->json != NULL) {
        json_object_set_new(call->json, "version", version_json(version));
    } else {
        char text[UPD_ROM_VERSION_BUFFER];
        upd_rom_version_format(version, text);
        printf("%s: %s version %u.%u.%u (value %u) of product %llu\n", text,
               version->kind == 'v' ? "official" : "beta", version->number[0], version->number[1],
               version->number[2], upd_rom_version_value(version),
               (unsigned long long)version->ptype);
    }
    for (uint32_t bit = 1; bit <= UPD_ROM_VERSION_WARN_AT; bit <<= 1) {
        if (warnings & bit) {
            warn(call, "%s",
                 upd_rom_version_warning_text((enum upd_rom_version_warning)(warnings & bit)));
        }
    }
}

static enum exit_code run_check(struct call *call)
{
    const struct check_arguments *arguments = call->arguments;
    struct versions versions = {0};
    struct upd_rom_version version, with;
    enum exit_code code = EXIT_VERIFY;
    char text[UPD_ROM_VERSION_BUFFER];

    if (!parse(call, EXIT_VERIFY, arguments->name, &version) ||
        !load_versions(call, arguments, &versions, &code)) {
        goto out;
    }
    print_checked(call, &version);
    const struct upd_rom_version_list list = {next_version, &versions};
    enum upd_rom_version_clash clash =
        upd_rom_version_check(&version, &list, arguments->strict, &with);
    code = EXIT_DONE;
    if (clash != UPD_ROM_VERSION_NO_CLASH) {
        upd_rom_version_format(&with, text);
        code = fail(call, EXIT_VERIFY, "clash", "%s clashes with %s: %s", arguments->name, text,
                    upd_rom_version_clash_text(clash));
        problem_add(call, "with", json_string(text));
    }
out:
    free(versions.version);
    return code;
}

const struct command rom_version_check_command = {
    .group = "rom-version",
    .name = "check",
    .summary = "check a version's name, and whether it may be added",
    .text = "A name is v (official) or b (beta), three numbers, t and the product type, and in "
            "brackets how firmware of this version may be replaced: o online, l locally, a both, "
            "n not at all.\n\n"
            "Of one product and number there may be one version with o, l or a, and one with n. "
            "The exit status is 3 when the name is wrong or clashes.",
    .examples = check_examples,
    .options = check_options,
    .operands = check_operands,
    .json = true,
    .size = sizeof(struct check_arguments),
    .run = run_check,
};

/* --- compare --------------------------------------------------------------------------------- */

struct compare_arguments {
    const char *one, *other;
};

static const struct operand compare_operands[] = {
    {.name = "NAME",
     .kind = VALUE_TEXT,
     .at = offsetof(struct compare_arguments, one),
     .help = "a version"},
    {.name = "OTHER",
     .kind = VALUE_TEXT,
     .at = offsetof(struct compare_arguments, other),
     .help = "the version that it is compared with"},
    {0},
};
static const struct example compare_examples[] = {
    {"updraft rom-version compare 'v1.0.3t45772(a)' 'v1.0.2t45772(a)'", "prints: newer"},
    {0},
};

static enum exit_code run_compare(struct call *call)
{
    const struct compare_arguments *arguments = call->arguments;
    struct upd_rom_version one, other;

    if (!parse(call, EXIT_USAGE, arguments->one, &one) ||
        !parse(call, EXIT_USAGE, arguments->other, &other)) {
        return EXIT_USAGE;
    }
    const char *order = one.ptype != other.ptype              ? "other-product"
                        : upd_rom_version_newer(&one, &other) ? "newer"
                        : upd_rom_version_newer(&other, &one) ? "older"
                                                              : "same";
    if (call->json != NULL) {
        json_object_set_new(call->json, "version", version_json(&one));
        json_object_set_new(call->json, "other", version_json(&other));
        json_object_set_new(call->json, "order", json_string(order));
    } else {
        puts(order);
    }
    return EXIT_DONE;
}

const struct command rom_version_compare_command = {
    .group = "rom-version",
    .name = "compare",
    .summary = "say which of two versions is newer",
    .text = "Prints what the first version is to the second: newer, older, same, or other-product. "
            "Only the three numbers count: a beta and an official version of one number are the "
            "same, and versions of two products are not compared.",
    .examples = compare_examples,
    .operands = compare_operands,
    .json = true,
    .size = sizeof(struct compare_arguments),
    .run = run_compare,
};

/* --- allowed --------------------------------------------------------------------------------- */

struct allowed_arguments {
    const char *running, *target;
    struct choice way;
    bool unknown, beta, final;
};

static const char *const ways[] = {"online", "local", NULL};

static const struct option allowed_options[] = {
    {.name = "way",
     .kind = VALUE_CHOICE,
     .value = "WAY",
     .choices = ways,
     .at = offsetof(struct allowed_arguments, way),
     .help = "ask for one way of upgrading instead of both"},
    {.name = "allow-unknown",
     .kind = VALUE_FLAG,
     .at = offsetof(struct allowed_arguments, unknown),
     .help = "allow it although the running version is no version"},
    {.name = "allow-beta",
     .kind = VALUE_FLAG,
     .at = offsetof(struct allowed_arguments, beta),
     .help = "allow beta versions"},
    {.name = "allow-final",
     .kind = VALUE_FLAG,
     .at = offsetof(struct allowed_arguments, final),
     .help = "allow a version after which nothing can be upgraded"},
    {0},
};
static const struct operand allowed_operands[] = {
    {.name = "RUNNING",
     .kind = VALUE_TEXT,
     .at = offsetof(struct allowed_arguments, running),
     .help = "what the device reports"},
    {.name = "TARGET",
     .kind = VALUE_TEXT,
     .at = offsetof(struct allowed_arguments, target),
     .help = "the version that it would get"},
    {0},
};
static const struct example allowed_examples[] = {
    {"updraft rom-version allowed 'v1.0.0t23701(a)' 'v1.0.1t23701(a)'", "both ways are allowed"},
    {"updraft rom-version allowed --way local 'v1.0.0t23701(l)' 'v1.0.1t23701(a)'",
     "a device that is upgraded by the phone beside it"},
    {0},
};

/* One way's verdict; true when it is allowed. */
static bool say_way(struct call *call, size_t way, enum upd_rom_version_verdict verdict)
{
    bool allowed = verdict == UPD_ROM_VERSION_ALLOWED;
    const char *text = upd_rom_version_verdict_text(verdict);

    if (call->json != NULL) {
        json_object_set_new(call->json, ways[way],
                            json_pack("{s:b, s:s}", "allowed", allowed, "reason", text));
    } else {
        printf("%s: %s%s\n", ways[way], allowed ? "" : "not allowed: ", text);
    }
    return allowed;
}

static enum exit_code run_allowed(struct call *call)
{
    const struct allowed_arguments *arguments = call->arguments;
    struct upd_rom_version running, target;
    enum upd_rom_version_verdict verdict = UPD_ROM_VERSION_UNKNOWN;
    uint32_t allow = (arguments->unknown ? UPD_ROM_VERSION_ALLOW_UNKNOWN : 0u) |
                     (arguments->beta ? UPD_ROM_VERSION_ALLOW_BETA : 0u) |
                     (arguments->final ? UPD_ROM_VERSION_ALLOW_FINAL : 0u);
    bool any = false;

    if (!parse(call, EXIT_USAGE, arguments->target, &target)) {
        return EXIT_USAGE;
    }
    bool known =
        upd_rom_version_read(arguments->running, (uint32_t)strnlen(arguments->running, 256), NULL,
                             &running, NULL) == UPD_OK;
    if (call->json != NULL) {
        json_object_set_new(call->json, "running", known ? version_json(&running) : json_null());
        json_object_set_new(call->json, "target", version_json(&target));
    }
    for (size_t way = 0; ways[way] != NULL; way++) {
        if (arguments->way.word == NULL || arguments->way.index == way) {
            verdict = upd_rom_version_allowed(known ? &running : NULL, &target,
                                              (enum upd_rom_version_way)way, allow);
            any = say_way(call, way, verdict) || any;
        }
    }
    return any ? EXIT_DONE
               : fail(call, EXIT_VERIFY, "not-allowed", "%s: not allowed: %s", arguments->target,
                      upd_rom_version_verdict_text(verdict));
}

const struct command rom_version_allowed_command = {
    .group = "rom-version",
    .name = "allowed",
    .summary = "say whether a device may be upgraded to a version",
    .text = "The letter of the running version decides which ways are open; the target must be "
            "newer and of the same product. The running version is read as devices report it. The "
            "exit status is 3 when no way is allowed.",
    .examples = allowed_examples,
    .options = allowed_options,
    .operands = allowed_operands,
    .json = true,
    .size = sizeof(struct allowed_arguments),
    .run = run_allowed,
};
