#define _POSIX_C_SOURCE 200809L

#include "sim_mirror.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sim_store.h"

struct sim_mirror {
    uint8_t *bits;
    uint8_t *unstable; /* NULL until there is a file for it */
    uint32_t size;
    char *unstable_path;
};

/*
 * Map a file of `size` bytes. One that is missing is made, full of `blank`, when `make` is set;
 * otherwise it is no error, and *bytes is NULL.
 */
static enum upd_err map_file(const char *path, uint32_t size, bool make, uint8_t blank,
                             uint8_t **bytes)
{
    enum upd_err err = UPD_E_IO;
    struct stat status;
    bool made = false;
    int file = open(path, O_RDWR);

    *bytes = NULL;
    if (file < 0 && errno == ENOENT) {
        if (!make) {
            return UPD_OK;
        }
        file = open(path, O_RDWR | O_CREAT | O_EXCL, 0666);
        made = file >= 0;
    }
    if (file < 0) {
        return UPD_E_IO;
    }
    if ((made && ftruncate(file, size) != 0) || fstat(file, &status) != 0) {
        goto out;
    }
    if (status.st_size != (off_t)size) {
        err = UPD_E_SPACE;
        goto out;
    }
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (memory == MAP_FAILED) {
        goto out;
    }
    if (made && blank != 0) {
        memset(memory, blank, size);
    }
    *bytes = memory;
    err = UPD_OK;
out:
    close(file);
    return err;
}

enum upd_err sim_mirror_open(struct sim_mirror **mirror, const char *path, uint32_t size)
{
    static const char suffix[] = ".unstable";
    struct sim_mirror *new = sim_allocate(sizeof *new);

    new->size = size;
    size_t length = strlen(path);
    new->unstable_path = sim_allocate(length + sizeof suffix);
    memcpy(new->unstable_path, path, length);
    memcpy(new->unstable_path + length, suffix, sizeof suffix);

    enum upd_err err = map_file(path, size, true, 0xFF, &new->bits);
    if (err == UPD_OK) {
        err = map_file(new->unstable_path, size, false, 0, &new->unstable);
    }
    if (err != UPD_OK) {
        int saved = errno;
        sim_mirror_close(new);
        errno = saved;
        return err;
    }
    *mirror = new;
    return UPD_OK;
}

void sim_mirror_close(struct sim_mirror *mirror)
{
    if (mirror == NULL) {
        return;
    }
    if (mirror->bits != NULL) {
        munmap(mirror->bits, mirror->size);
    }
    if (mirror->unstable != NULL) {
        munmap(mirror->unstable, mirror->size);
    }
    free(mirror->unstable_path);
    free(mirror);
}

const uint8_t *sim_mirror_bits(const struct sim_mirror *mirror)
{
    return mirror->bits;
}

const uint8_t *sim_mirror_unstable(const struct sim_mirror *mirror)
{
    return mirror->unstable;
}

void sim_mirror_put(struct sim_mirror *mirror, uint32_t offset, const uint8_t *bits,
                    const uint8_t *unstable, uint32_t size)
{
    memcpy(mirror->bits + offset, bits, size);
    if (unstable != NULL && mirror->unstable == NULL &&
        map_file(mirror->unstable_path, mirror->size, true, 0, &mirror->unstable) != UPD_OK) {
        fprintf(stderr, "sim: %s: %s\n", mirror->unstable_path, strerror(errno));
        abort();
    }
    if (unstable != NULL) {
        memcpy(mirror->unstable + offset, unstable, size);
    } else if (mirror->unstable != NULL) {
        memset(mirror->unstable + offset, 0, size);
    }
}
