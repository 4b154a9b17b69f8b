#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * (1) Every temporary file stands in temps[] from before it exists until it was renamed or removed:
 *     the signals that end the program are held back while a file changes sides.
 * (2) The handler uses only what it may: unlink, _exit and raise.
 */
#define TEMP_COUNT 128
static char *volatile temps[TEMP_COUNT];
static const char *targets[TEMP_COUNT]; /* where each of them will stand */

/* Files that were opened for reading; none of them is overwritten. */
struct seen {
    dev_t device;
    ino_t inode;
    const char *path;
};
static struct seen *inputs;
static size_t input_count;

static const int ending_signals[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGQUIT};
#define SIGNAL_COUNT (sizeof ending_signals / sizeof ending_signals[0])

static void remove_temps(int signal_number)
{
    for (size_t i = 0; i < TEMP_COUNT; i++) {
        if (temps[i] != NULL) {
            unlink(temps[i]);
        }
    }
    if (signal_number == SIGINT) {
        _exit(EXIT_INTERRUPTED);
    }
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

static void forget_inputs(void)
{
    free(inputs);
}

void files_start(void)
{
    struct sigaction action = {.sa_handler = remove_temps}, old;

    /* A standard stream that the caller closed must not become the number of a file. */
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0) {
            (void)!open(fd == STDIN_FILENO ? "/dev/null" : "/dev/full", O_RDWR);
        }
    }
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < SIGNAL_COUNT; i++) {
        sigaddset(&action.sa_mask, ending_signals[i]);
    }
    for (size_t i = 0; i < SIGNAL_COUNT; i++) {
        /* nohup and shells ignore some for a reason. */
        if (sigaction(ending_signals[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN) {
            sigaction(ending_signals[i], &action, NULL);
        }
    }
    signal(SIGXFSZ, SIG_IGN); /* a file size limit is an error of write(), not the end */
    atexit(forget_inputs);
}

static void hold_signals(sigset_t *old)
{
    sigset_t all;
    sigemptyset(&all);
    for (size_t i = 0; i < SIGNAL_COUNT; i++) {
        sigaddset(&all, ending_signals[i]);
    }
    sigprocmask(SIG_BLOCK, &all, old);
}

static void remember_input(const struct stat *status, const char *path)
{
    struct seen *longer = realloc(inputs, (input_count + 1) * sizeof *inputs);
    if (longer != NULL) {
        inputs = longer;
        inputs[input_count++] = (struct seen){status->st_dev, status->st_ino, path};
    }
}

static bool fail_file(struct call *call, const char *reason, const char *path)
{
    fail(call, EXIT_FAILED, reason, "%s: %s", path, strerror(errno));
    return false;
}

bool input_open(struct call *call, const char *path, struct input *input)
{
    bool standard = strcmp(path, "-") == 0;
    struct stat status;

    *input = (struct input){.call = call, .path = standard ? "standard input" : path, .fd = -1};
    int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) != 0) {
        fail_file(call, "read", input->path);
        if (fd > STDIN_FILENO) {
            close(fd);
        }
        return false;
    }
    input->fd = fd;
    if (S_ISDIR(status.st_mode)) {
        fail(call, EXIT_FAILED, "read", "%s: is a directory, not a file", input->path);
        return false;
    }
    input->regular = S_ISREG(status.st_mode);
    if (input->regular) {
        /* Files of /proc say 0 and hold something; an empty file is found by reading it. */
        input->sized = status.st_size > 0 && (!standard || lseek(fd, 0, SEEK_CUR) == 0);
        input->size = (uint64_t)status.st_size;
        remember_input(&status, input->path);
    }
    return true;
}

bool input_read(struct input *input, void *data, size_t size, size_t *got)
{
    *got = 0;
    while (*got < size) {
        ssize_t count = read(input->fd, (uint8_t *)data + *got, size - *got);
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count < 0) {
            return fail_file(input->call, "read", input->path);
        }
        if (count == 0) {
            break;
        }
        *got += (size_t)count;
        input->at += (size_t)count;
    }
    if (input->sized && (input->at > input->size || (*got < size && input->at < input->size))) {
        fail(input->call, EXIT_FAILED, "read",
             "%s: %s while it was read: it had %llu bytes, now %llu were read", input->path,
             input->at > input->size ? "grew" : "shrank", (unsigned long long)input->size,
             (unsigned long long)input->at);
        return false;
    }
    return true;
}

void input_close(struct input *input)
{
    if (input->fd > STDIN_FILENO) {
        close(input->fd);
    }
    input->fd = -1;
}

bool input_load(struct call *call, const char *path, uint64_t limit, const char *what,
                uint8_t **data, size_t *size)
{
    struct input input;
    bool ok = false;

    *data = NULL;
    *size = 0;
    if (!input_open(call, path, &input)) {
        goto out;
    }
    /* The buffer has room for one byte more than it may hold: a pipe shows there that it is too
     * long, and the end of a file of known size is seen without another read. */
    uint64_t room = (input.sized && input.size <= limit ? input.size : limit) + 1;
    bool large = input.sized && input.size > limit;
    if (!large) {
        *data = malloc(room);
        if (*data == NULL) {
            fail(call, EXIT_FAILED, "memory", "%s: out of memory", input.path);
            goto out;
        }
        if (!input_read(&input, *data, room, size)) {
            goto out;
        }
        large = *size == room;
    }
    if (large) {
        char bytes[32] = "more";
        if (input.sized) {
            snprintf(bytes, sizeof bytes, "%llu", (unsigned long long)input.size);
        }
        fail(call, EXIT_FAILED, "size", "%s: %s bytes are too much for %s: at most %llu",
             input.path, bytes, what, (unsigned long long)limit);
        goto out;
    }
    (*data)[*size] = 0;
    ok = true;
out:
    if (!ok) {
        free(*data);
        *data = NULL;
        *size = 0;
    }
    input_close(&input);
    return ok;
}

/* The temporary file stands beside its target, so that the rename stays on one file system. */
static bool make_temp(struct output *output, mode_t mode)
{
    static const char pattern[] = ".updraft-XXXXXX";
    const char *slash = strrchr(output->target, '/');
    size_t folder = slash != NULL ? (size_t)(slash - output->target) + 1 : 0, slot = 0;
    sigset_t old;

    for (size_t i = 0; i < TEMP_COUNT; i++) {
        if (temps[i] != NULL && strcmp(targets[i], output->target) == 0) {
            fail(output->call, EXIT_USAGE, "usage", "%s: is to be written twice", output->path);
            return false;
        }
    }
    output->temp = malloc(folder + sizeof pattern);
    while (slot < TEMP_COUNT && temps[slot] != NULL) {
        slot++;
    }
    if (output->temp == NULL || slot == TEMP_COUNT) {
        errno = output->temp == NULL ? ENOMEM : EMFILE;
        return fail_file(output->call, "write", output->path);
    }
    memcpy(output->temp, output->target, folder);
    memcpy(output->temp + folder, pattern, sizeof pattern);
    hold_signals(&old);
    output->fd = mkostemp(output->temp, O_CLOEXEC);
    if (output->fd >= 0) {
        targets[slot] = output->target;
        temps[slot] = output->temp;
    }
    sigprocmask(SIG_SETMASK, &old, NULL);
    if (output->fd < 0) {
        fail_file(output->call, "write", output->path);
        free(output->temp);
        output->temp = NULL;
        return false;
    }
    if (fchmod(output->fd, mode) != 0) {
        return fail_file(output->call, "write", output->path);
    }
    return true;
}

static bool spares_inputs(struct output *output, const struct stat *status)
{
    for (size_t i = 0; i < input_count; i++) {
        if (inputs[i].device == status->st_dev && inputs[i].inode == status->st_ino) {
            fail(output->call, EXIT_USAGE, "usage", "%s: would overwrite the input %s",
                 output->path, inputs[i].path);
            return false;
        }
    }
    return true;
}

static bool open_standard_output(struct output *output)
{
    output->path = "standard output";
    output->fd = STDOUT_FILENO;
    if (isatty(STDOUT_FILENO)) {
        fail(output->call, EXIT_USAGE, "usage", "will not write bytes to a terminal; name a file");
        return false;
    }
    if (output->call->json != NULL) {
        fail(output->call, EXIT_USAGE, "usage", "standard output is taken by --json; name a file");
        return false;
    }
    return true;
}

/* One spelling for a file that is not there yet: its folder's real path, and its name. */
static char *resolve_new(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash == NULL ? strdup(".") : strndup(path, (size_t)(slash - path) + 1);
    char *real = folder != NULL ? realpath(folder, NULL) : NULL, *whole = NULL;

    if (real != NULL && asprintf(&whole, "%s/%s", real, slash != NULL ? slash + 1 : path) < 0) {
        whole = NULL;
    }
    free(folder);
    free(real);
    return whole;
}

bool output_open(struct call *call, const char *path, struct output *output)
{
    struct stat status;

    *output = (struct output){.call = call, .path = path, .fd = -1};
    if (strcmp(path, "-") == 0) {
        return open_standard_output(output);
    }
    if (stat(path, &status) != 0) {
        mode_t mask = umask(0);
        umask(mask);
        if (errno != ENOENT) {
            return fail_file(call, "write", path);
        }
        output->target = resolve_new(path);
        return output->target != NULL ? make_temp(output, 0666 & ~mask)
                                      : fail_file(call, "write", path);
    }
    if (S_ISDIR(status.st_mode)) {
        fail(call, EXIT_FAILED, "write", "%s: is a directory, not a file", path);
        return false;
    }
    if (!S_ISREG(status.st_mode)) { /* a device or a pipe cannot be replaced */
        output->fd = open(path, O_WRONLY | O_CLOEXEC);
        return output->fd >= 0 ? true : fail_file(call, "write", path);
    }
    if (!spares_inputs(output, &status)) {
        return false;
    }
    output->target = realpath(path, NULL); /* a link stays a link */
    if (output->target == NULL || access(output->target, W_OK) != 0) {
        return fail_file(call, "write", path);
    }
    return make_temp(output, status.st_mode & 0777);
}

bool output_write(struct output *output, const void *data, size_t size)
{
    while (size > 0) {
        ssize_t count = write(output->fd, data, size);
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count < 0) {
            return fail_file(output->call, "write", output->path);
        }
        data = (const uint8_t *)data + count;
        size -= (size_t)count;
    }
    return true;
}

bool output_fill(struct output *output, uint8_t value, uint64_t size)
{
    uint8_t piece[4096];

    memset(piece, value, sizeof piece);
    while (size > 0) {
        size_t count = size < sizeof piece ? (size_t)size : sizeof piece;
        if (!output_write(output, piece, count)) {
            return false;
        }
        size -= count;
    }
    return true;
}

bool output_sync(struct output *output)
{
    if (output->temp == NULL || fsync(output->fd) == 0) {
        return true;
    }
    return fail_file(output->call, "write", output->path);
}

/* The name itself is on the disk only when its folder is. File systems that cannot do that say so
 * with an error which changes nothing: the file has its name. */
static void sync_folder(const char *target)
{
    char *copy = strdup(target);
    if (copy == NULL) {
        return;
    }
    char *slash = strrchr(copy, '/');
    if (slash != NULL) {
        slash[slash == copy ? 1 : 0] = '\0';
    }
    int fd = open(slash != NULL ? copy : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)fsync(fd);
        close(fd);
    }
    free(copy);
}

static void release_temp(struct output *output)
{
    for (size_t i = 0; i < TEMP_COUNT; i++) {
        if (temps[i] == output->temp) {
            temps[i] = NULL;
        }
    }
    free(output->temp);
    output->temp = NULL;
}

bool output_commit(struct output *output)
{
    sigset_t old;
    bool ok = output_sync(output);

    if (!ok || output->temp == NULL) {
        return ok;
    }
    hold_signals(&old);
    ok = rename(output->temp, output->target) == 0;
    if (ok) {
        release_temp(output);
    }
    sigprocmask(SIG_SETMASK, &old, NULL);
    if (!ok) {
        return fail_file(output->call, "write", output->path);
    }
    sync_folder(output->target);
    return true;
}

void output_close(struct output *output)
{
    sigset_t old;

    hold_signals(&old);
    if (output->temp != NULL) {
        unlink(output->temp);
        release_temp(output);
    }
    sigprocmask(SIG_SETMASK, &old, NULL);
    if (output->fd > STDOUT_FILENO) {
        close(output->fd);
    }
    output->fd = -1;
    free(output->target);
    output->target = NULL;
}

bool output_store(struct call *call, const char *path, const void *data, size_t size)
{
    struct output output;
    bool ok = output_open(call, path, &output) && output_write(&output, data, size) &&
              output_commit(&output);
    output_close(&output);
    return ok;
}

bool folder_make(struct call *call, const char *path)
{
    struct stat status;
    if (mkdir(path, 0777) == 0) {
        return true;
    }
    int reason = errno;
    if (stat(path, &status) != 0) {
        errno = reason;
        return fail_file(call, "write", path);
    }
    if (!S_ISDIR(status.st_mode)) {
        fail(call, EXIT_FAILED, "write", "%s: is not a directory", path);
        return false;
    }
    return true;
}

int change_open(struct call *call, const char *path, uint64_t *size)
{
    struct stat status;
    int fd = open(path, O_RDWR | O_CLOEXEC);

    if (fd < 0 || fstat(fd, &status) != 0) {
        fail_file(call, "write", path);
    } else if (!S_ISREG(status.st_mode)) {
        fail(call, EXIT_FAILED, "write", "%s: is not an ordinary file", path);
    } else {
        *size = (uint64_t)status.st_size;
        return fd;
    }
    if (fd >= 0) {
        close(fd);
    }
    return -1;
}

bool colours(void)
{
    const char *off = getenv("NO_COLOR"), *terminal = getenv("TERM");
    return isatty(STDOUT_FILENO) && (off == NULL || *off == '\0') &&
           (terminal == NULL || strcmp(terminal, "dumb") != 0);
}
