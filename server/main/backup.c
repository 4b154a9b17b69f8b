/*
 * updraftd backup and restore: the data directory as one consistent state, also while the server
 * runs.
 *
 * The database is copied by SQLite's online backup. Images are files that never change, named by
 * their digest; one that the copy of the database refers to was there when it was made, and is not
 * collected for a long time after it was dropped: so copying them before and after the database
 * finds all. The manifest has a line "SHA-256  path" for each file and is written last; a backup
 * without it is none.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>
#include <updraft/sha256.h>

#include "main/verbs.h"

enum { PATH_SIZE = 4096, HEX_SIZE = 65, DEPTH_MAX = 8 };

/* What is copied, and where a failure is told. */
struct job {
    const char *from, *to;
    FILE *manifest;
    unsigned long files;
    bool damaged;
    char problem[PATH_SIZE + 256];
};

static bool fail_at(struct job *job, const char *path)
{
    snprintf(job->problem, sizeof job->problem, "%s: %s", path, strerror(errno));
    return false;
}

static bool join(struct job *job, char *path, const char *folder, const char *name)
{
    if (snprintf(path, PATH_SIZE, "%s/%s", folder, name) < PATH_SIZE) {
        return true;
    }
    errno = ENAMETOOLONG;
    return fail_at(job, name);
}

/* --- Files ------------------------------------------------------------------------------------ */

static void to_hex(const uint8_t digest[UPD_SHA256_SIZE], char hex[HEX_SIZE])
{
    for (size_t i = 0; i < UPD_SHA256_SIZE; i++) {
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    }
}

/* Reads a file to its end: its digest, and a copy of it unless `to` is negative. */
static bool pump(int from, int to, char hex[HEX_SIZE])
{
    static uint8_t bytes[64 * 1024];
    struct upd_sha256 sha256;
    uint8_t digest[UPD_SHA256_SIZE];
    ssize_t got;

    upd_sha256_init(&sha256);
    while ((got = read(from, bytes, sizeof bytes)) > 0) {
        upd_sha256_update(&sha256, bytes, (uint32_t)got);
        if (to >= 0 && write(to, bytes, (size_t)got) != got) {
            errno = errno != 0 ? errno : ENOSPC;
            return false;
        }
    }
    upd_sha256_final(&sha256, digest);
    to_hex(digest, hex);
    return got == 0;
}

static bool digest_file(struct job *job, const char *path, char hex[HEX_SIZE])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        return fail_at(job, path);
    }
    bool good = pump(fd, -1, hex);
    close(fd);
    return good ? true : fail_at(job, path);
}

/* Copy with the same mode; on disk when it returns. */
static bool copy_file(struct job *job, const char *source, const char *target, char hex[HEX_SIZE])
{
    struct stat status;
    int from = open(source, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    if (from < 0 || fstat(from, &status) != 0) {
        if (from >= 0) {
            close(from);
        }
        return fail_at(job, source);
    }
    int to = open(target, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, status.st_mode & 0777);
    bool good = to >= 0 && pump(from, to, hex) && fsync(to) == 0;
    if (!good) {
        fail_at(job, target);
    }
    close(from);
    if (to >= 0) {
        close(to);
    }
    return good;
}

static bool sync_folder(struct job *job, const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool good = fd >= 0 && fsync(fd) == 0;

    if (fd >= 0) {
        close(fd);
    }
    return good ? true : fail_at(job, path);
}

/* --- Backup ----------------------------------------------------------------------------------- */

static bool note(struct job *job, const char *hex, const char *path)
{
    job->files++;
    return fprintf(job->manifest, "%s  %s\n", hex, path) > 0 ? true : fail_at(job, "manifest");
}

static bool copy_folder(struct job *job, const char *path, int depth);

static bool copy_entry(struct job *job, const char *path, int depth)
{
    char source[PATH_SIZE], target[PATH_SIZE], hex[HEX_SIZE];
    struct stat status;

    if (!join(job, source, job->from, path) || !join(job, target, job->to, path)) {
        return false;
    }
    if (lstat(source, &status) != 0) {
        /* Collected since the folder was read: nothing refers to it. */
        return errno == ENOENT ? true : fail_at(job, source);
    }
    if (S_ISDIR(status.st_mode)) {
        return copy_folder(job, path, depth + 1);
    }
    if (!S_ISREG(status.st_mode) || access(target, F_OK) == 0) {
        return true;
    }
    return copy_file(job, source, target, hex) && note(job, hex, path);
}

static bool copy_folder(struct job *job, const char *path, int depth)
{
    char source[PATH_SIZE], target[PATH_SIZE], entry_path[PATH_SIZE];
    struct dirent *entry;
    bool good = true;

    if (!join(job, source, job->from, path) || !join(job, target, job->to, path)) {
        return false;
    }
    DIR *folder = opendir(source);
    if (folder == NULL) {
        return errno == ENOENT ? true : fail_at(job, source);
    }
    if (mkdir(target, 0700) != 0 && errno != EEXIST) {
        good = fail_at(job, target);
    }
    while (good && depth < DEPTH_MAX && (entry = readdir(folder)) != NULL) {
        /* tmp/ holds uploads that are not complete. */
        if (entry->d_name[0] != '.' && strcmp(entry->d_name, "tmp") != 0) {
            good = join(job, entry_path, path, entry->d_name) && copy_entry(job, entry_path, depth);
        }
    }
    closedir(folder);
    return good && sync_folder(job, target);
}

static bool database_problem(struct job *job, const char *path, sqlite3 *database)
{
    snprintf(job->problem, sizeof job->problem, "%s: %s", path,
             database != NULL ? sqlite3_errmsg(database) : "out of memory");
    return false;
}

/* The whole database in one step, so that no writer comes between. */
static bool copy_database(struct job *job, const char *source, const char *target)
{
    sqlite3 *from = NULL;
    sqlite3 *to = NULL;
    bool good = true;

    if (sqlite3_open_v2(source, &from, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK) {
        good = database_problem(job, source, from);
    }
    if (good && sqlite3_open_v2(target, &to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) !=
                    SQLITE_OK) {
        good = database_problem(job, target, to);
    }
    if (good) {
        sqlite3_busy_timeout(from, 30000);
        sqlite3_backup *backup = sqlite3_backup_init(to, "main", from, "main");
        int code = SQLITE_ERROR;
        if (backup != NULL) {
            while ((code = sqlite3_backup_step(backup, -1)) == SQLITE_BUSY ||
                   code == SQLITE_LOCKED) {
                sqlite3_sleep(20);
            }
            sqlite3_backup_finish(backup);
        }
        good = code == SQLITE_DONE ? true : database_problem(job, target, to);
    }
    /* The copy is one file: no log beside it that could be forgotten. */
    if (good && sqlite3_exec(to, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL) != SQLITE_OK) {
        good = database_problem(job, target, to);
    }
    sqlite3_close(from);
    sqlite3_close(to);
    return good;
}

static bool check_database(struct job *job, const char *path)
{
    sqlite3 *database = NULL;
    sqlite3_stmt *statement = NULL;
    bool good =
        sqlite3_open_v2(path, &database, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK &&
        sqlite3_prepare_v2(database, "PRAGMA integrity_check", -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW &&
        strcmp((const char *)sqlite3_column_text(statement, 0), "ok") == 0;

    if (!good) {
        snprintf(job->problem, sizeof job->problem, "%s: the database is damaged: %s", path,
                 database != NULL ? sqlite3_errmsg(database) : "out of memory");
        job->damaged = true;
    }
    sqlite3_finalize(statement);
    sqlite3_close(database);
    return good;
}

static bool end_manifest(struct job *job, const char *path)
{
    bool good = fflush(job->manifest) == 0 && fsync(fileno(job->manifest)) == 0;

    good = fclose(job->manifest) == 0 && good;
    job->manifest = NULL;
    return good ? true : fail_at(job, path);
}

static bool make_backup(struct job *job)
{
    char source[PATH_SIZE], target[PATH_SIZE], manifest[PATH_SIZE], hex[HEX_SIZE];

    if (!join(job, source, job->from, "updraft.db") || !join(job, target, job->to, "updraft.db") ||
        !join(job, manifest, job->to, "manifest")) {
        return false;
    }
    if (access(source, R_OK) != 0) {
        return fail_at(job, source);
    }
    if (mkdir(job->to, 0700) != 0) {
        return fail_at(job, job->to);
    }
    job->manifest = fopen(manifest, "wxe");
    if (job->manifest == NULL) {
        return fail_at(job, manifest);
    }
    return copy_folder(job, "blobs", 0) && copy_database(job, source, target) &&
           check_database(job, target) && digest_file(job, target, hex) &&
           note(job, hex, "updraft.db") && copy_folder(job, "blobs", 0) &&
           copy_folder(job, "tls", 0) &&
           (access(join(job, source, job->from, "updraftd.conf") ? source : "", F_OK) != 0 ||
            copy_entry(job, "updraftd.conf", 0)) &&
           end_manifest(job, manifest) && sync_folder(job, job->to);
}

enum exit_code run_backup(const struct run *run)
{
    struct job job = {.from = run->config->data, .to = run->operand};

    if (run->operand == NULL) {
        return complain(EXIT_USAGE, "backup: a folder is missing; see 'updraftd backup --help'");
    }
    if (!make_backup(&job)) {
        if (job.manifest != NULL) {
            fclose(job.manifest);
        }
        return complain(EXIT_FAILED, "no backup: %s", job.problem);
    }
    printf("%lu files in %s\n", job.files, job.to);
    return EXIT_DONE;
}

/* --- Restore ---------------------------------------------------------------------------------- */

/* A path within the backup: no way out of it. */
static bool path_ok(const char *path)
{
    return path[0] != 0 && path[0] != '/' && strstr(path, "..") == NULL && strlen(path) < 512;
}

/* One line of the manifest; false at its end, or with a problem. */
static bool next_line(struct job *job, char hex[HEX_SIZE], char path[PATH_SIZE])
{
    char line[PATH_SIZE];

    if (fgets(line, sizeof line, job->manifest) == NULL) {
        return false;
    }
    line[strcspn(line, "\n")] = 0;
    if (strlen(line) < 67 || strspn(line, "0123456789abcdef") != 64 ||
        memcmp(line + 64, "  ", 2) != 0 || !path_ok(line + 66)) {
        snprintf(job->problem, sizeof job->problem, "%s/manifest: this is not a line of one: %.80s",
                 job->from, line);
        job->damaged = true;
        return false;
    }
    memcpy(hex, line, 64);
    hex[64] = 0;
    strcpy(path, line + 66);
    return true;
}

static bool check_files(struct job *job)
{
    char hex[HEX_SIZE], found[HEX_SIZE], path[PATH_SIZE], source[PATH_SIZE];

    while (next_line(job, hex, path)) {
        if (!join(job, source, job->from, path) || !digest_file(job, source, found)) {
            job->damaged = true;
            return false;
        }
        if (strcmp(hex, found) != 0) {
            snprintf(job->problem, sizeof job->problem, "%s: is not what the manifest says",
                     source);
            job->damaged = true;
            return false;
        }
        job->files++;
    }
    return !job->damaged && join(job, source, job->from, "updraft.db") &&
           check_database(job, source);
}

static bool make_folders(struct job *job, const char *path)
{
    char target[PATH_SIZE];

    if (!join(job, target, job->to, path)) {
        return false;
    }
    for (char *at = target + strlen(job->to) + 1; (at = strchr(at, '/')) != NULL; at++) {
        *at = 0;
        if (mkdir(target, 0750) != 0 && errno != EEXIST) {
            return fail_at(job, target);
        }
        *at = '/';
    }
    return true;
}

/* The database comes last, under another name until it is whole: without it the directory is none.
 */
static bool put_files(struct job *job)
{
    char hex[HEX_SIZE], path[PATH_SIZE], source[PATH_SIZE], target[PATH_SIZE], fresh[PATH_SIZE];

    rewind(job->manifest);
    while (next_line(job, hex, path)) {
        if (strcmp(path, "updraft.db") == 0) {
            continue;
        }
        if (!join(job, source, job->from, path) || !join(job, target, job->to, path) ||
            !make_folders(job, path)) {
            return false;
        }
        unlink(target);
        if (!copy_file(job, source, target, hex)) {
            return false;
        }
    }
    if (!join(job, source, job->from, "updraft.db") || !join(job, target, job->to, "updraft.db") ||
        !join(job, fresh, job->to, "updraft.db.new")) {
        return false;
    }
    unlink(fresh);
    if (!copy_file(job, source, fresh, hex)) {
        return false;
    }
    return rename(fresh, target) == 0 ? sync_folder(job, job->to) : fail_at(job, target);
}

static bool restore(struct job *job)
{
    char manifest[PATH_SIZE], database[PATH_SIZE];

    if (!join(job, manifest, job->from, "manifest") ||
        !join(job, database, job->to, "updraft.db")) {
        return false;
    }
    job->manifest = fopen(manifest, "re");
    if (job->manifest == NULL) {
        return fail_at(job, manifest);
    }
    if (access(database, F_OK) == 0) {
        snprintf(job->problem, sizeof job->problem,
                 "%s is there already; restore into an empty directory", database);
        return false;
    }
    if (!check_files(job)) {
        return false;
    }
    if (mkdir(job->to, 0750) != 0 && errno != EEXIST) {
        return fail_at(job, job->to);
    }
    return put_files(job);
}

enum exit_code run_restore(const struct run *run)
{
    struct job job = {.from = run->operand, .to = run->config->data};

    if (run->operand == NULL) {
        return complain(EXIT_USAGE, "restore: a folder is missing; see 'updraftd restore --help'");
    }
    bool good = restore(&job);
    if (job.manifest != NULL) {
        fclose(job.manifest);
    }
    if (!good) {
        return complain(job.damaged ? EXIT_VERIFY : EXIT_FAILED, "nothing was restored: %s",
                        job.problem);
    }
    printf("%lu files checked and restored in %s\n", job.files, job.to);
    return EXIT_DONE;
}
