#include "blobs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <updraft/md5.h>
#include <updraft/sha256.h>

enum { PATH_SIZE = 512 };

struct blobs {
    char root[PATH_SIZE - 100];
    int folder; /* the same, open: a short name within it is found faster than a path */
};

struct blob_writer {
    struct blobs *blobs;
    int fd;
    int64_t size;
    struct upd_sha256 sha256;
    struct upd_md5 md5;
    char path[PATH_SIZE]; /* in tmp/ */
};

static void hex(const uint8_t *bytes, size_t count, char *text)
{
    for (size_t i = 0; i < count; i++) {
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    }
}

static bool is_digest(const char *text)
{
    return strlen(text) == 64 && strspn(text, "0123456789abcdef") == 64;
}

/** Make a directory entry survive a power cut. */
static bool sync_directory(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    bool done = fsync(fd) == 0;
    int error = errno;
    close(fd);
    errno = error;
    return done;
}

static bool make_directory(const char *path)
{
    return mkdir(path, 0750) == 0 || errno == EEXIST;
}

/** What a process that was killed left in tmp/. */
static void sweep(const char *path)
{
    DIR *directory = opendir(path);
    if (directory == NULL) {
        return;
    }
    for (struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
        if (entry->d_name[0] != '.') {
            unlinkat(dirfd(directory), entry->d_name, 0);
        }
    }
    closedir(directory);
}

struct blobs *blobs_open(const char *directory)
{
    struct blobs *blobs = calloc(1, sizeof *blobs);
    if (blobs == NULL) {
        return NULL;
    }
    if (strlen(directory) >= sizeof blobs->root) {
        free(blobs);
        errno = ENAMETOOLONG;
        return NULL;
    }
    strcpy(blobs->root, directory);
    char tmp[PATH_SIZE];
    snprintf(tmp, sizeof tmp, "%s/tmp", directory);
    if (!make_directory(directory) || !make_directory(tmp) || !sync_directory(directory) ||
        (blobs->folder = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC)) < 0) {
        int error = errno;
        free(blobs);
        errno = error;
        return NULL;
    }
    sweep(tmp);
    return blobs;
}

void blobs_close(struct blobs *blobs)
{
    if (blobs != NULL) {
        close(blobs->folder);
        free(blobs);
    }
}

struct blob_writer *blob_begin(struct blobs *blobs)
{
    struct blob_writer *writer = calloc(1, sizeof *writer);
    uint8_t random[16];
    char name[33];
    if (writer == NULL || getrandom(random, sizeof random, 0) != (ssize_t)sizeof random) {
        free(writer);
        return NULL;
    }
    hex(random, sizeof random, name);
    snprintf(writer->path, sizeof writer->path, "%s/tmp/%s", blobs->root, name);
    writer->blobs = blobs;
    writer->fd = open(writer->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    if (writer->fd < 0) {
        int error = errno;
        free(writer);
        errno = error;
        return NULL;
    }
    upd_sha256_init(&writer->sha256);
    upd_md5_init(&writer->md5);
    return writer;
}

bool blob_write(struct blob_writer *writer, const void *data, size_t size)
{
    const uint8_t *bytes = data;
    for (size_t at = 0; at < size;) {
        size_t piece = size - at < 1u << 20 ? size - at : 1u << 20;
        ssize_t got = write(writer->fd, bytes + at, piece);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return false;
        }
        upd_sha256_update(&writer->sha256, bytes + at, (uint32_t)got);
        upd_md5_update(&writer->md5, bytes + at, (uint32_t)got);
        at += (size_t)got;
    }
    writer->size += (int64_t)size;
    return true;
}

void blob_abort(struct blob_writer *writer)
{
    if (writer != NULL) {
        int error = errno;
        close(writer->fd);
        unlink(writer->path);
        free(writer);
        errno = error;
    }
}

/** "ab/cdef…", within the folder of blobs. */
static bool read_name(const char *sha256, char name[HEX64_SIZE + 1])
{
    if (!is_digest(sha256)) {
        return false;
    }
    memcpy(name, sha256, 2);
    name[2] = '/';
    memcpy(name + 3, sha256 + 2, HEX64_SIZE - 2);
    return true;
}

bool blob_path(const struct blobs *blobs, const char *sha256, char *path, size_t size)
{
    char name[HEX64_SIZE + 1];
    int length = read_name(sha256, name) ? snprintf(path, size, "%s/%s", blobs->root, name) : 0;

    return length > 0 && (size_t)length < size;
}

bool blob_commit(struct blob_writer *writer, char sha256[HEX64_SIZE], char md5[HEX32_SIZE],
                 int64_t *size)
{
    uint8_t digest[UPD_SHA256_SIZE], sum[UPD_MD5_SIZE];
    char path[PATH_SIZE], directory[PATH_SIZE];

    upd_sha256_final(&writer->sha256, digest);
    upd_md5_final(&writer->md5, sum);
    hex(digest, sizeof digest, sha256);
    hex(sum, sizeof sum, md5);
    *size = writer->size;
    snprintf(directory, sizeof directory, "%s/%.2s", writer->blobs->root, sha256);
    if (!blob_path(writer->blobs, sha256, path, sizeof path) || fsync(writer->fd) != 0 ||
        !make_directory(directory) || !sync_directory(writer->blobs->root) ||
        rename(writer->path, path) != 0) {
        blob_abort(writer);
        return false;
    }
    close(writer->fd);
    free(writer);
    return sync_directory(directory);
}

int blob_open(struct blobs *blobs, const char *sha256, int64_t *size)
{
    char name[HEX64_SIZE + 1];
    struct stat info;
    if (!read_name(sha256, name)) {
        errno = ENOENT;
        return -1;
    }
    int fd = openat(blobs->folder, name, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && size != NULL) {
        if (fstat(fd, &info) != 0) {
            close(fd);
            return -1;
        }
        *size = info.st_size;
    }
    return fd;
}

int blobs_collect(struct blobs *blobs, int64_t age_ms, bool (*used)(void *ctx, const char *sha256),
                  void *ctx)
{
    int gone = 0;
    for (unsigned first = 0; first < 256; first++) {
        char path[PATH_SIZE], digest[PATH_SIZE];
        snprintf(path, sizeof path, "%s/%02x", blobs->root, first);
        DIR *directory = opendir(path);
        if (directory == NULL) {
            continue;
        }
        for (struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
            struct stat info;
            snprintf(digest, sizeof digest, "%02x%s", first, entry->d_name);
            if (!is_digest(digest) || fstatat(dirfd(directory), entry->d_name, &info, 0) != 0) {
                continue;
            }
            /* time() may be a tick behind the clock that the file system reads. */
            const int64_t since_s = (int64_t)time(NULL) - (int64_t)info.st_mtime;
            const int64_t age = since_s > 0 ? since_s * 1000 : 0;
            if (age >= age_ms && !used(ctx, digest) &&
                unlinkat(dirfd(directory), entry->d_name, 0) == 0) {
                gone++;
            }
        }
        closedir(directory);
    }
    return gone;
}
