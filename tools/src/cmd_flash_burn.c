/* updraft flash burn: regions of a flash image, handed to an installed esptool. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "commands.h"
#include "display.h"
#include "files.h"
#include "flash.h"

#define WORDS (2 * FLASH_REGIONS + 32)
#define PATH_SIZE 256
#define FOLDER_SIZE (PATH_SIZE - 16) /* leaves room for "/0x12345678.bin" */

struct arguments {
    const char *file;
    const char *port;
    struct number baud;
    const char *esptool;
    struct words regions;
    bool dry_run;
    struct flash_options flash;
};

static const struct option options[] = {
    {.name = "port",
     .letter = 'p',
     .kind = VALUE_TEXT,
     .value = "PORT",
     .at = offsetof(struct arguments, port),
     .help = "serial port; esptool looks for one without this option"},
    {.name = "baud",
     .letter = 'b',
     .kind = VALUE_NUMBER,
     .value = "BAUD",
     .min = 9600,
     .max = 4000000,
     .at = offsetof(struct arguments, baud),
     .help = "speed of the port"},
    {.name = "region",
     .kind = VALUE_WORDS,
     .value = "NAME",
     .at = offsetof(struct arguments, regions),
     .help = "only this region, all of it; may be repeated"},
    {.name = "dry-run",
     .letter = 'n',
     .kind = VALUE_FLAG,
     .at = offsetof(struct arguments, dry_run),
     .help = "print the command, and do nothing"},
    {.name = "esptool",
     .kind = VALUE_TEXT,
     .value = "PROGRAM",
     .at = offsetof(struct arguments, esptool),
     .help = "the esptool to use, instead of esptool, esptool.py or python3 -m esptool"},
    FLASH_OPTIONS(struct arguments, flash),
    {0},
};
static const struct operand operands[] = {
    {.name = "FLASH",
     .kind = VALUE_INPUT,
     .at = offsetof(struct arguments, file),
     .help = "an image of a whole flash"},
    {0},
};
static const struct example examples[] = {
    {"updraft flash burn --dry-run --port /dev/ttyUSB0 flash.bin", "the command that would run"},
    {"updraft flash burn --dry-run --port /dev/ttyUSB0 --region user2 flash.bin",
     "one region alone; without --dry-run it would be written"},
    {0},
};

/* The command line of esptool. Words are constants, or live in `paths`. */
struct command_line {
    const char *word[WORDS];
    size_t count;
    char paths[FLASH_REGIONS][PATH_SIZE];
    char offsets[FLASH_REGIONS][16];
    size_t files;
    char folder[FOLDER_SIZE]; /* of the files; removed at the end */
    char baud[16];
};

static void add(struct command_line *line, const char *word)
{
    if (line->count < WORDS - 1) {
        line->word[line->count++] = word;
    }
}

/* Run a program and read what it prints first; false when it cannot be run or fails. */
static bool ask(const char *const *words, char *answer, size_t size)
{
    int ends[2];
    size_t length = 0;
    ssize_t count;
    int status = -1;

    if (pipe(ends) != 0) {
        return false;
    }
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDOUT_FILENO);
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        execvp(words[0], (char *const *)(uintptr_t)words);
        _exit(127);
    }
    close(ends[1]);
    while (child > 0 && (count = read(ends[0], answer + length, size - 1 - length)) > 0) {
        length += (size_t)count;
        if (length == size - 1) {
            break;
        }
    }
    close(ends[0]);
    answer[length] = '\0';
    return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) &&
           WEXITSTATUS(status) == 0;
}

/* "esptool v5.1.0", "esptool.py v4.8" -> 5, 4. */
static int version_in(const char *text)
{
    for (const char *at = text; (at = strchr(at, 'v')) != NULL; at++) {
        if (at[1] >= '0' && at[1] <= '9') {
            return atoi(at + 1);
        }
    }
    return 0;
}

/* The first esptool that answers, and its version. Version 5 spells its words with dashes. */
static int find_esptool(const struct arguments *arguments, struct command_line *line)
{
    static const char *const programs[][4] = {
        {"esptool"}, {"esptool.py"}, {"python3", "-m", "esptool"}};
    const size_t count = sizeof programs / sizeof programs[0];
    char answer[4096];

    for (size_t i = 0; i < (arguments->esptool != NULL ? 1 : count); i++) {
        const char *words[5] = {0};
        size_t length = 0;
        if (arguments->esptool != NULL) {
            words[length++] = arguments->esptool;
        }
        while (arguments->esptool == NULL && length < 3 && programs[i][length] != NULL) {
            words[length] = programs[i][length];
            length++;
        }
        words[length] = "version";
        if (ask(words, answer, sizeof answer)) {
            for (size_t k = 0; k < length; k++) {
                add(line, words[k]);
            }
            return version_in(answer);
        }
    }
    return -1;
}

/*
 * What a fresh chip gets: every region that holds something, up to its last sector that does; and
 * erased, those in which an old chip keeps what it should start.
 */
static bool extent(struct flash *flash, const struct flash_region *region, uint32_t *size)
{
    uint32_t used;
    bool state = flash->kind == FLASH_NONOS
                     ? strcmp(region->name, upd_flash_region_name(UPD_REGION_SYSPARAM)) == 0
                     : region->row != NULL && region->row->type == UPD_PARTITION_DATA &&
                           region->row->subtype == UPD_PARTITION_DATA_OTA;

    if (!flash_used(flash, region, &used)) {
        return false;
    }
    used = (used + UPD_FLASH_SECTOR - 1) / UPD_FLASH_SECTOR * UPD_FLASH_SECTOR;
    *size = state || used > region->size ? region->size : used;
    return true;
}

static bool copy(struct flash *flash, const struct flash_region *region, uint32_t size,
                 const char *path)
{
    uint8_t *data = malloc(size);
    bool ok = data != NULL && flash_read(flash, region->address, data, size) &&
              output_store(flash->call, path, data, size);

    if (data == NULL) {
        fail(flash->call, EXIT_FAILED, "memory", "out of memory");
    }
    free(data);
    return ok;
}

static bool add_region(struct flash *flash, const struct flash_region *region, uint32_t size,
                       struct command_line *line, bool dry_run)
{
    char *path = line->paths[line->files], *offset = line->offsets[line->files];

    snprintf(path, PATH_SIZE, "%s/0x%x.bin", line->folder, region->address);
    snprintf(offset, sizeof line->offsets[0], "0x%x", region->address);
    line->files++;
    add(line, offset);
    add(line, path);
    return dry_run || copy(flash, region, size, path);
}

static bool add_regions(struct call *call, struct flash *flash, struct command_line *line)
{
    const struct arguments *arguments = call->arguments;
    const struct words *names = &arguments->regions;
    uint32_t size;

    for (size_t i = 0; i < names->count; i++) {
        const struct flash_region *region = flash_region(flash, names->word[i]);
        if (region == NULL) {
            fail(call, EXIT_USAGE, "usage",
                 "%s: has no region '%.60s'; 'updraft flash info' lists "
                 "them",
                 flash->path, names->word[i]);
            return false;
        }
        if (!add_region(flash, region, region->size, line, arguments->dry_run)) {
            return false;
        }
    }
    for (size_t i = 0; names->count == 0 && i < flash->region_count; i++) {
        const struct flash_region *region = &flash->regions[i];
        if (region->nested) {
            continue;
        }
        if (!extent(flash, region, &size) ||
            (size > 0 && !add_region(flash, region, size, line, arguments->dry_run))) {
            return false;
        }
    }
    return true;
}

/* The settings are in the image already: esptool is told to keep them. */
static void add_words(const struct arguments *arguments, const struct flash *flash, int version,
                      struct command_line *line)
{
    bool dashes = version >= 5;

    add(line, "--chip");
    add(line, flash->chip == UPD_CHIP_NONE ? "auto" : upd_chip_text(flash->chip));
    if (arguments->port != NULL) {
        add(line, "--port");
        add(line, arguments->port);
    }
    if (arguments->baud.given) {
        snprintf(line->baud, sizeof line->baud, "%u", arguments->baud.value);
        add(line, "--baud");
        add(line, line->baud);
    }
    add(line, dashes ? "write-flash" : "write_flash");
    add(line, dashes ? "--flash-mode" : "--flash_mode");
    add(line, "keep");
    add(line, dashes ? "--flash-freq" : "--flash_freq");
    add(line, "keep");
    add(line, dashes ? "--flash-size" : "--flash_size");
    add(line, "keep");
}

/* A word as a shell takes it. */
static void print_word(const char *word)
{
    if (*word != '\0' && strpbrk(word, " '\"\\$`&;|<>()*?#~!{}[]\t\n") == NULL) {
        fputs(word, stdout);
        return;
    }
    putchar('\'');
    for (; *word != '\0'; word++) {
        if (*word == '\'') {
            fputs("'\\''", stdout);
        } else {
            putchar(*word);
        }
    }
    putchar('\'');
}

static void say(struct call *call, const struct command_line *line)
{
    json_t *words = json_array();

    for (size_t i = 0; i < line->count; i++) {
        json_array_append_new(words, display_json(line->word[i], SIZE_MAX));
        if (call->json == NULL) {
            fputs(i > 0 ? " " : "", stdout);
            print_word(line->word[i]);
        }
    }
    if (call->json != NULL) {
        json_object_set(call->json, "command", words);
    } else {
        putchar('\n');
        fflush(stdout);
    }
    json_decref(words);
}

/* Run esptool with our own standard output; with --json that belongs to the object. */
static enum exit_code run_esptool(struct call *call, const struct command_line *line)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN}, interrupt;
    int status = 0;

    /* An interrupt is for esptool: the files are removed when it has ended. */
    sigaction(SIGINT, &ignore, &interrupt);
    pid_t child = fork();
    if (child == 0) {
        sigaction(SIGINT, &interrupt, NULL);
        if (call->json != NULL) {
            dup2(STDERR_FILENO, STDOUT_FILENO);
        }
        execvp(line->word[0], (char *const *)(uintptr_t)line->word);
        _exit(127);
    }
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    sigaction(SIGINT, &interrupt, NULL);
    if (child > 0 && WIFSIGNALED(status) && WTERMSIG(status) == SIGINT) {
        return fail(call, EXIT_INTERRUPTED, "interrupted", "esptool was interrupted");
    }
    if (child < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        return fail(call, EXIT_FAILED, "esptool", "esptool failed");
    }
    return EXIT_DONE;
}

static bool make_folder(struct call *call, struct command_line *line, bool dry_run)
{
    const char *parent = getenv("TMPDIR");

    if (parent == NULL || *parent == '\0') {
        parent = "/tmp";
    }
    if (snprintf(line->folder, sizeof line->folder, "%s/updraft-XXXXXX", parent) >= FOLDER_SIZE) {
        fail(call, EXIT_FAILED, "write", "TMPDIR: its path is too long, %d bytes at most",
             FOLDER_SIZE - (int)sizeof "/updraft-XXXXXX");
        line->folder[0] = '\0';
        return false;
    }
    if (!dry_run && mkdtemp(line->folder) == NULL) {
        fail(call, EXIT_FAILED, "write", "%s: %s", line->folder, strerror(errno));
        line->folder[0] = '\0';
        return false;
    }
    return true;
}

static void remove_folder(const struct command_line *line, bool dry_run)
{
    for (size_t i = 0; !dry_run && i < line->files; i++) {
        unlink(line->paths[i]);
    }
    if (!dry_run && line->folder[0] != '\0') {
        rmdir(line->folder);
    }
}

static enum exit_code run(struct call *call)
{
    const struct arguments *arguments = call->arguments;
    struct flash *flash = NULL;
    struct command_line *line = calloc(1, sizeof *line);

    if (line == NULL) {
        return fail(call, EXIT_FAILED, "memory", "out of memory");
    }
    if (flash_open(call, arguments->file, &arguments->flash, false, &flash) != EXIT_DONE) {
        goto out;
    }
    int version = find_esptool(arguments, line);
    if (version < 0 && !arguments->dry_run) {
        fail(call, EXIT_FAILED, "esptool",
             "no esptool answers (tried %s); install it: pip install esptool",
             arguments->esptool != NULL ? arguments->esptool
                                        : "esptool, esptool.py, python3 -m esptool");
        goto out;
    }
    if (version < 0) { /* a dry run shows today's spelling */
        add(line, arguments->esptool != NULL ? arguments->esptool : "esptool");
        version = 5;
    }
    add_words(arguments, flash, version, line);
    if (make_folder(call, line, arguments->dry_run) && add_regions(call, flash, line)) {
        say(call, line);
        if (!arguments->dry_run) {
            run_esptool(call, line);
        }
    }
    remove_folder(line, arguments->dry_run);
out:
    free(line);
    flash_close(flash);
    return call->code;
}

const struct command flash_burn_command = {
    .group = "flash",
    .name = "burn",
    .summary = "write a flash image to a chip, by an installed esptool",
    .text =
        "Hands every region that holds something to esptool, and the parameters or otadata of a "
        "fresh chip although they are erased. What lies elsewhere on the chip stays. The "
        "command is printed before it runs.",
    .examples = examples,
    .options = options,
    .operands = operands,
    .json = true,
    .size = sizeof(struct arguments),
    .run = run,
};
