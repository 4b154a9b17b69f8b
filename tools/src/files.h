/*
 * Files that are read with a bound, and files that appear complete or not at all.
 *
 * What every function here promises:
 *   - A failure is reported once, with the file's path, through fail(); the caller returns.
 *   - An output has its name only after output_commit(). Until then, and after any failure or
 *     signal, the folder is as it was.
 *   - "-" is standard input or standard output.
 */
#ifndef UPDRAFT_TOOL_FILES_H
#define UPDRAFT_TOOL_FILES_H

#include "command.h"

/** No chip of these families starts an image larger than this. */
#define IMAGE_LIMIT (16u << 20)
/** Bytes that are read or written at once. */
#define PIECE_SIZE (256u << 10)

/** Catch signals that end the program, so that no half-written file is left. First in main(). */
void files_start(void);

struct input {
    struct call *call;
    const char *path; /* as given; "-" was replaced for messages */
    int fd;
    bool regular;  /* an ordinary file, which can be read at any place */
    bool sized;    /* `size` is known: not a pipe or a terminal */
    uint64_t size; /* bytes when it was opened */
    uint64_t at;   /* bytes read so far */
};

/**
 * Open a file to read it in pieces.
 *
 * @param call   running command
 * @param path   file, or "-"; kept by reference
 * @param input  out; close it with input_close(), also after a failure
 * @return true   open
 * @return false  reported
 */
bool input_open(struct call *call, const char *path, struct input *input);

/**
 * Read the next piece.
 *
 * @param data  out: up to `size` bytes
 * @param got   out: bytes read; less than `size` only at the end of the file
 * @return false  reported: the file could not be read, or ended before or went on after the size
 *                that it had when it was opened
 */
bool input_read(struct input *input, void *data, size_t size, size_t *got);
void input_close(struct input *input);

/**
 * Read a whole file of at most `limit` bytes.
 *
 * @param what  the thing that has this limit, for the message: "a partition table"
 * @param data  out: allocated, the caller frees it; NULL after a failure. There is always one
 *              byte of 0 behind the data
 * @return false  reported; EXIT_FAILED fits
 */
bool input_load(struct call *call, const char *path, uint64_t limit, const char *what,
                uint8_t **data, size_t *size);

struct output {
    struct call *call;
    const char *path; /* as given */
    char *target;     /* where it will stand: `path` with its links followed */
    char *temp;       /* where it is written; NULL when it goes to a device or a pipe directly */
    int fd;
};

/**
 * Begin a file.
 *
 * @param call    running command; its inputs must be open or already registered with
 *                output_spare(), so that none of them is overwritten
 * @param path    name that it will have, or "-"
 * @return false  reported
 */
bool output_open(struct call *call, const char *path, struct output *output);
bool output_write(struct output *output, const void *data, size_t size);
/** Write `size` bytes of one value. */
bool output_fill(struct output *output, uint8_t value, uint64_t size);
/** Bring everything to the disk. The file still has no name. */
bool output_sync(struct output *output);
/** Give the file its name, after output_sync() when that was not done. */
bool output_commit(struct output *output);
/** Forget the file: nothing is left of it. Also releases it after output_commit(). */
void output_close(struct output *output);

/** One call for the whole file: open, write, commit, close. */
bool output_store(struct call *call, const char *path, const void *data, size_t size);

/** Make a folder unless it exists; its parent must. */
bool folder_make(struct call *call, const char *path);

/**
 * Open a file for changes in place.
 *
 * @return descriptor, or -1: reported
 */
int change_open(struct call *call, const char *path, uint64_t *size);

/** Whether standard output can show colours: a terminal, and NO_COLOR unset. */
bool colours(void);

#endif
