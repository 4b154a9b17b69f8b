/* updraft image verify */
#include <stdio.h>

#include <updraft/image_info.h>

#include "commands.h"
#include "display.h"
#include "inspect.h"
#include "progress.h"
#include "target.h"

struct arguments {
    struct target_arguments target;
    struct words files;
};

static const struct option options[] = {
    TARGET_OPTIONS,
    {0},
};
static const struct operand operands[] = {
    {.name = "FILE",
     .kind = VALUE_INPUTS,
     .at = offsetof(struct arguments, files),
     .help = "an image, also one packed with gzip; '-' is standard input"},
    {0},
};
static const struct example examples[] = {
    {"updraft image verify user1.bin user2.bin", "are they whole?"},
    {"updraft image verify --slot user2 --map 2 user2.bin", "would this chip start it there?"},
    {"updraft image verify --partition-table partitions.csv --partition ota_0 app.bin",
     "does it fit the partition?"},
    {0},
};

/* A good image that does not fit has a problem too. */
static enum exit_code check_fit(const struct target *target, struct inspection *found)
{
    uint32_t offset;
    enum upd_image_problem problem = target_fits(target, &found->info, &offset);

    if (problem == UPD_IMAGE_OK) {
        return EXIT_DONE;
    }
    found->problem.name = upd_image_problem_name(problem);
    found->problem.offset = offset;
    found->problem.inside = found->packed;
    snprintf(found->problem.text, sizeof found->problem.text, "does not fit %s: %s", target->name,
             upd_image_problem_text(problem));
    return EXIT_VERIFY;
}

static json_t *file_row(const struct inspection *found)
{
    const struct upd_image_info *info = &found->info;
    const char *format = upd_image_format_text(info->format);

    return json_pack(
        "{s:o, s:o, s:o, s:I, s:b, s:o}", "path", display_json(found->path, SIZE_MAX), "format",
        info->format == UPD_FORMAT_UNKNOWN ? json_null() : json_string(format), "chip",
        info->chip == UPD_CHIP_NONE ? json_null() : json_string(upd_chip_text(info->chip)), "size",
        (json_int_t)found->size, "ok", found->problem.name == NULL, "problem",
        inspect_problem_json(found));
}

static void print_good(const struct inspection *found)
{
    printf("%s: %sok%s, %s for %s%s%s\n", found->path, colour_good(), colour_end(),
           upd_image_format_text(found->info.format), upd_chip_text(found->info.chip),
           found->info.slot == 0   ? ""
           : found->info.slot == 1 ? ", user1"
                                   : ", user2",
           found->packed ? ", packed with gzip" : "");
}

/* The worst of two exit codes: what could not be read says less than what was read and is bad. */
static enum exit_code worse(enum exit_code one, enum exit_code other)
{
    return one == EXIT_FAILED || other == EXIT_DONE ? one : other;
}

static enum exit_code run(struct call *call)
{
    const struct arguments *arguments = call->arguments;
    const struct words *files = &arguments->files;
    struct target target;
    enum exit_code result = target_make(call, &arguments->target, &target);
    json_t *rows = NULL;

    if (result != EXIT_DONE) {
        return result;
    }
    if (call->json != NULL) {
        rows = json_array();
        json_object_set_new(call->json, "images", rows);
    }
    for (size_t i = 0; i < files->count; i++) {
        struct inspection found;
        progress_show("images", i, files->count);
        enum exit_code code = inspect(call, files->word[i], false, &found);
        if (code == EXIT_DONE) {
            code = check_fit(&target, &found);
        }
        if (code == EXIT_VERIFY) {
            inspect_fail(call, &found);
        } else if (code == EXIT_DONE && rows == NULL) {
            progress_clear();
            print_good(&found);
        }
        if (rows != NULL && code != EXIT_FAILED) {
            json_array_append_new(rows, file_row(&found));
        }
        result = worse(result, code);
    }
    progress_clear();
    return result;
}

const struct command image_verify_command = {
    .group = "image",
    .name = "verify",
    .summary = "check that images are whole, and fit a place",
    .text = "Every digest that the format demands must be there and match. With a place, the image "
            "must also be one that the chip would start there. The exit status is 0 when all "
            "images are good, 3 when one is not, and 1 when one could not be read.\n\n"
            "Signatures are checked for damage; whose they are is not verified.",
    .examples = examples,
    .options = options,
    .operands = operands,
    .json = true,
    .size = sizeof(struct arguments),
    .run = run,
};
