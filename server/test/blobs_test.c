/*
 * Goal: a blob is there whole or not at all, under the digest of its content, and goes only when
 * nothing uses it.
 * Method: write, abort and collect in a fresh directory, and look at what lies there; the disk is
 * full by a limit of the file size.
 */
#include "folder.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "store/blobs.h"

static char directory[FOLDER_SIZE];
static struct blobs *blobs;
static int files;

/* SHA-256 and MD5 of "abc". */
static const char abc_sha256[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
static const char abc_md5[] = "900150983cd24fb0d6963f7d28e17f72";

static int set_up(void **state)
{
    (void)state;
    make_folder(directory);
    blobs = blobs_open(directory);
    assert_non_null(blobs);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    blobs_close(blobs);
    return remove_folder(directory);
}

static int count_one(const char *path, const struct stat *info, int type, struct FTW *ftw)
{
    (void)path;
    (void)info;
    (void)ftw;
    files += type == FTW_F;
    return 0;
}

static int count_files(void)
{
    files = 0;
    assert_int_equal(nftw(directory, count_one, 16, FTW_PHYS), 0);
    return files;
}

static bool write_abc(void)
{
    char sha256[HEX64_SIZE], md5[HEX32_SIZE];
    int64_t size;
    struct blob_writer *writer = blob_begin(blobs);
    assert_non_null(writer);
    assert_true(blob_write(writer, "a", 1) && blob_write(writer, "", 0) &&
                blob_write(writer, "bc", 2));
    bool done = blob_commit(writer, sha256, md5, &size);
    assert_string_equal(sha256, abc_sha256);
    assert_string_equal(md5, abc_md5);
    assert_int_equal(size, 3);
    return done;
}

static void test_a_blob_is_found_by_its_digest(void **state)
{
    (void)state;
    char bytes[8] = "";
    int64_t size = 0;
    assert_true(write_abc());
    assert_true(write_abc()); /* the same again is the same file */
    assert_int_equal(count_files(), 1);
    int fd = blob_open(blobs, abc_sha256, &size);
    assert_true(fd >= 0);
    assert_int_equal(size, 3);
    assert_int_equal(read(fd, bytes, sizeof bytes), 3);
    assert_string_equal(bytes, "abc");
    close(fd);
}

static void test_only_digests_name_blobs(void **state)
{
    (void)state;
    static const char *const lies[] = {
        "",
        "ab",
        "../../../../etc/passwd",
        "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD",
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad0",
        "../816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad/"};
    char path[256];
    assert_true(write_abc());
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        assert_int_equal(blob_open(blobs, lies[i], NULL), -1);
        assert_int_equal(errno, ENOENT);
        assert_false(blob_path(blobs, lies[i], path, sizeof path));
    }
    assert_true(blob_path(blobs, abc_sha256, path, sizeof path));
    assert_false(blob_path(blobs, abc_sha256, path, 10));
}

static void test_an_abort_leaves_nothing(void **state)
{
    (void)state;
    struct blob_writer *writer = blob_begin(blobs);
    assert_true(blob_write(writer, "abc", 3));
    assert_int_equal(count_files(), 1);
    assert_int_equal(blob_open(blobs, abc_sha256, NULL), -1);
    blob_abort(writer);
    assert_int_equal(count_files(), 0);
    blob_abort(NULL);
}

static void test_what_a_kill_left_is_swept_at_the_start(void **state)
{
    (void)state;
    assert_true(write_abc());
    struct blob_writer *writer = blob_begin(blobs);
    assert_true(blob_write(writer, "abc", 3));
    assert_int_equal(count_files(), 2);
    struct blobs *next = blobs_open(directory);
    assert_non_null(next);
    assert_int_equal(count_files(), 1);
    blobs_close(next);
    blob_abort(writer);
    assert_int_equal(count_files(), 1);
}

static void test_a_full_disk_leaves_nothing(void **state)
{
    (void)state;
    struct rlimit before, small;
    static char data[64 * 1024];
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    small = before;
    small.rlim_cur = 100 * 1000;
    setrlimit(RLIMIT_FSIZE, &small);
    struct blob_writer *writer = blob_begin(blobs);
    bool first = blob_write(writer, data, sizeof data);
    bool second = blob_write(writer, data, sizeof data);
    int error = errno;
    blob_abort(writer);
    setrlimit(RLIMIT_FSIZE, &before);
    assert_true(first);
    assert_false(second);
    assert_int_equal(error, EFBIG);
    assert_int_equal(count_files(), 0);
    assert_true(write_abc());
}

static bool answer(void *ctx, const char *sha256)
{
    assert_string_equal(sha256, abc_sha256);
    return *(bool *)ctx;
}

static void test_collecting(void **state)
{
    (void)state;
    bool used = true;
    assert_true(write_abc());
    assert_int_equal(blobs_collect(blobs, 0, answer, &used), 0);
    used = false;
    assert_int_equal(blobs_collect(blobs, 3600 * 1000, answer, &used), 0); /* too young */
    assert_int_equal(count_files(), 1);
    assert_int_equal(blobs_collect(blobs, 0, answer, &used), 1);
    assert_int_equal(count_files(), 0);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(test_a_blob_is_found_by_its_digest), CASE(test_only_digests_name_blobs),
        CASE(test_an_abort_leaves_nothing),       CASE(test_what_a_kill_left_is_swept_at_the_start),
        CASE(test_a_full_disk_leaves_nothing),    CASE(test_collecting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
