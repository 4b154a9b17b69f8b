/* updraft image info, updraft image verify */
#include <stdio.h>

#include <updraft/image_info.h>

#include "commands.h"
#include "inspect.h"
#include "progress.h"

struct info_arguments {
    const char *file;
};

static const struct operand info_operands[] = {
    {.name = "FILE",
     .kind = VALUE_INPUT,
     .at = offsetof(struct info_arguments, file),
     .help = "an image, also one packed with gzip; '-' is standard input"},
    {0},
};
static const struct example info_examples[] = {
    {"updraft image info user1.bin", "format, chip, segments, slot, digests"},
    {"updraft image info --json user1.bin | jq .segments", "the same for a script"},
    {0},
};

static enum exit_code run_info(struct call *call)
{
    const struct info_arguments *arguments = call->arguments;
    struct inspection found;
    enum exit_code code = inspect(call, arguments->file, true, &found);

    if (code == EXIT_FAILED) {
        return code;
    }
    if (code == EXIT_VERIFY) {
        inspect_fail(call, &found);
    }
    if (call->json != NULL) {
        inspect_json(&found, call->json);
    } else {
        inspect_print(&found);
    }
    return code;
}

const struct command image_info_command = {
    .group = "image",
    .name = "info",
    .summary = "describe a firmware image",
    .text =
        "Tells what kind of image a file holds, for which chip and place, and whether its digests "
        "match. A damaged image is described as far as it can be read; the exit status is 3 "
        "then.\n\n"
        "With --json the object has format, chip, size, entry, segments, slot, flash, app, "
        "signatures, covered, ok and problem, and of checksum, crc32 and sha256 those that the "
        "format has; `file` has the MD5 and SHA-256 of the whole file. Addresses and sizes are "
        "numbers, digests are hex.",
    .examples = info_examples,
    .operands = info_operands,
    .json = true,
    .size = sizeof(struct info_arguments),
    .run = run_info,
};
