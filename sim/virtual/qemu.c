#include "qemu.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "options.h"

enum { PATH_SIZE = 512, TICK_MS = 50, START_MS = 10000, TAIL = 128, PARTS = 5 };

/* The stand-in for the ROM takes ARGUMENTS_MOST bytes of arguments: the flash's path, and one in the folder
 * for each FIFO (host_argument() in sim/rom/host.c). */
enum { ARGUMENTS_MOST = 4000, FOLDER_SIZE = 256, PLACE_SIZE = FOLDER_SIZE + 16 };

struct run {
    const struct qemu_options *options;
    char folder[FOLDER_SIZE];
    char paths[PARTS][PLACE_SIZE]; /* of PART_... */
    pid_t radio, machine;
    int orders, reports, console;
    char tail[TAIL]; /* the last bytes of the console, for `until` that comes in two pieces */
};

enum { ORDERS, REPORTS, TO_CHIP, FROM_CHIP, CONSOLE };

static void make_places(struct run *run)
{
    static const char *const names[PARTS] = {"orders", "reports", "to-chip", "from-chip",
                                             "console"};
    const char *parent = getenv("TMPDIR");

    if (parent == NULL || parent[0] == '\0') {
        parent = "/tmp";
    }
    if (snprintf(run->folder, sizeof run->folder, "%s/updraft-sim-XXXXXX", parent) >= FOLDER_SIZE) {
        fail("device", "TMPDIR: its path is too long for an emulated chip, which takes %d bytes",
             FOLDER_SIZE - (int)sizeof "/updraft-sim-XXXXXX");
    }
    if (mkdtemp(run->folder) == NULL) {
        fail("device", "%s: %s", run->folder, strerror(errno));
    }
    for (int i = 0; i < PARTS; i++) {
        snprintf(run->paths[i], PLACE_SIZE, "%s/%s", run->folder, names[i]);
        if (i != CONSOLE && mkfifo(run->paths[i], 0600) != 0) {
            fail("device", "%s: %s", run->paths[i], strerror(errno));
        }
    }
}

/* A program that must not outlive this one. */
static pid_t start(const char *const words[])
{
    const pid_t pid = fork();

    if (pid < 0) {
        fail("device", "%s: %s", words[0], strerror(errno));
    }
    if (pid == 0) {
        const int null = open("/dev/null", O_RDWR);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(null, STDIN_FILENO);
        dup2(null, STDOUT_FILENO);
        execvp(words[0], (char *const *)words);
        fprintf(stderr, "updraft-sim device: %s: %s\n", words[0], strerror(errno));
        _exit(127);
    }
    return pid;
}

/* updraft-radio beside this program, as in out/; else the one in PATH. */
static const char *find_radio(char *path)
{
    const ssize_t size = readlink("/proc/self/exe", path, PATH_SIZE - 20);

    if (size > 0) {
        path[size] = '\0';
        char *slash = strrchr(path, '/');
        strcpy(slash + 1, "updraft-radio");
        if (access(path, X_OK) == 0) {
            return path;
        }
        strcpy(slash + 1, "radio/updraft-radio");
        if (access(path, X_OK) == 0) {
            return path;
        }
    }
    strcpy(path, "updraft-radio");
    return path;
}

/* What the chip is told. Two commas are one of the text, for qemu. */
static void describe_chip(const struct run *run, const char *flash, char *config)
{
    const char *const arguments[] = {"rom",
                                     flash,
                                     run->paths[ORDERS],
                                     run->paths[REPORTS],
                                     run->paths[TO_CHIP],
                                     run->paths[FROM_CHIP]};

    config = stpcpy(config, "enable=on,target=native");
    for (size_t i = 0; i < sizeof arguments / sizeof arguments[0]; i++) {
        config = stpcpy(config, ",arg=");
        for (const char *at = arguments[i]; *at != '\0'; at++) {
            *config++ = *at;
            if (*at == ',') {
                *config++ = ',';
            }
        }
    }
    *config = '\0';
}

static void start_all(struct run *run)
{
    const struct qemu_options *options = run->options;
    char radio[PATH_SIZE], config[2 * ARGUMENTS_MOST + 128], serial[PLACE_SIZE + 8];
    char *flash = realpath(options->flash, NULL);

    if (flash == NULL) {
        fail("device", "%s: %s", options->flash, strerror(errno));
    }
    if (strlen(flash) > ARGUMENTS_MOST - 4 * PLACE_SIZE) {
        fail("device", "%s: its path is too long for an emulated chip", options->flash);
    }
    (void)find_radio(radio);
    const char *const radio_words[] = {radio,         run->paths[TO_CHIP], run->paths[FROM_CHIP],
                                       options->peer, options->link,       NULL};
    run->radio = start(radio_words);
    describe_chip(run, flash, config);
    snprintf(serial, sizeof serial, "file:%s", run->paths[CONSOLE]);
    const char *const words[] = {"qemu-system-xtensa",
                                 "-M",
                                 "sim",
                                 "-cpu",
                                 "lx106",
                                 "-semihosting-config",
                                 config,
                                 "-monitor",
                                 "none",
                                 "-display",
                                 "none",
                                 "-serial",
                                 serial,
                                 "-kernel",
                                 options->rom,
                                 NULL};
    run->machine = start(words);
    free(flash);
}

static bool has_ended(pid_t pid)
{
    return waitpid(pid, NULL, WNOHANG) == pid;
}

/* Opening a FIFO to write waits for its reader. */
static bool power_on(struct run *run)
{
    static const char order[] = "boot live survive\n";

    run->reports = open(run->paths[REPORTS], O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    for (int waited = 0; waited < START_MS && !has_ended(run->machine); waited += TICK_MS) {
        run->orders = open(run->paths[ORDERS], O_WRONLY | O_NONBLOCK | O_CLOEXEC);
        if (run->orders >= 0) {
            return write(run->orders, order, sizeof order - 1) == (ssize_t)sizeof order - 1;
        }
        poll(NULL, 0, TICK_MS);
    }
    return false;
}

/* What is new on the console. @return true: `until` was shown */
static bool show_console(struct run *run)
{
    char piece[4096], both[TAIL + sizeof piece + 1];
    bool found = false;
    ssize_t size;

    if (run->console < 0) {
        run->console = open(run->paths[CONSOLE], O_RDONLY | O_CLOEXEC);
    }
    while (run->console >= 0 && (size = read(run->console, piece, sizeof piece)) > 0) {
        fwrite(piece, 1, (size_t)size, stdout);
        const size_t kept = strlen(run->tail);
        memcpy(both, run->tail, kept);
        for (ssize_t i = 0; i < size; i++) {
            both[kept + (size_t)i] = piece[i] != '\0' ? piece[i] : ' ';
        }
        both[kept + (size_t)size] = '\0';
        found = found || (run->options->until != NULL && strstr(both, run->options->until) != NULL);
        const size_t whole = strlen(both);
        snprintf(run->tail, sizeof run->tail, "%s",
                 both + (whole > sizeof run->tail - 1 ? whole - (sizeof run->tail - 1) : 0));
    }
    fflush(stdout);
    return found;
}

static void clean_up(struct run *run)
{
    kill(run->machine, SIGKILL);
    kill(run->radio, SIGKILL);
    waitpid(run->machine, NULL, 0);
    waitpid(run->radio, NULL, 0);
    for (int i = 0; i < PARTS; i++) {
        unlink(run->paths[i]);
    }
    rmdir(run->folder);
    close(run->orders);
    close(run->reports);
    close(run->console);
}

int qemu_run(const struct qemu_options *options, volatile const int *stopped)
{
    struct run run = {.options = options, .orders = -1, .reports = -1, .console = -1};
    int status = EXIT_FAILURE;

    if (access(options->rom, R_OK) != 0) {
        fail("device", "%s: %s", options->rom, strerror(errno));
    }
    make_places(&run);
    start_all(&run);
    const time_t began = time(NULL);
    if (!power_on(&run)) {
        fprintf(stderr, "updraft-sim device: the emulator does not start\n");
        clean_up(&run);
        return status;
    }
    struct pollfd report = {.fd = run.reports, .events = POLLIN};
    for (;;) {
        const bool ended = poll(&report, 1, TICK_MS) > 0;
        if (show_console(&run) || ended) {
            status = EXIT_SUCCESS;
            break;
        }
        if (*stopped != 0) {
            status = 130;
            break;
        }
        if (has_ended(run.machine) ||
            (options->seconds != 0 && time(NULL) - began >= (time_t)options->seconds)) {
            break;
        }
    }
    clean_up(&run);
    return status;
}
