/*
 * Goal: the gzip reader accepts what zlib accepts, gives the bytes that zlib gives, and refuses the
 * rest.
 * Method: ask both, about every vector, its truncations and the flips of its bits; and about what
 * zlib writes at every level, by every strategy and with every window.
 */
#include "zlib_witness.h"

#include <dirent.h>
#include <stdio.h>

#include "check.h"

enum { FILE_SIZE = 65536, CONTENT_SIZE = 40000, MAX_OUTPUT = 1 << 16 };

static uint8_t file[FILE_SIZE];

static uint32_t load(const char *name)
{
    char path[512];
    int32_t size;

    snprintf(path, sizeof path, "%s/gzip/%s", UPD_VECTORS, name);
    size = check_load(path, file, sizeof file);
    CHECK_THAT(path, size > 0);
    return size > 0 ? (uint32_t)size : 0;
}

static void check_agreement(const char *name, uint32_t size, uint32_t piece)
{
    const char *what = disagreement(file, size, piece, MAX_OUTPUT);

    if (what != NULL) {
        printf("%s, %u bytes in pieces of about %u: they differ in %s\n", name, size, piece, what);
        CHECK_THAT(name, what == NULL);
    }
}

/* Run `test` on every vector; there are as many as there were when this was written, or more. */
static void for_every_vector(void (*test)(const char *name, uint32_t size))
{
    DIR *folder = opendir(UPD_VECTORS "/gzip");
    uint32_t count = 0;

    CHECK(folder != NULL);
    if (folder == NULL) {
        return;
    }
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        size_t length = strlen(entry->d_name);

        if (length > 3 && strcmp(entry->d_name + length - 3, ".gz") == 0) {
            test(entry->d_name, load(entry->d_name));
            count++;
        }
    }
    closedir(folder);
    CHECK(count >= 66);
}

static void try_pieces(const char *name, uint32_t size)
{
    for (uint32_t piece = 0; piece < 40; piece++) {
        check_agreement(name, size, piece);
    }
    for (uint32_t window_size = 256; window_size < UPD_GZIP_WINDOW_SIZE; window_size *= 2) {
        CHECK_THAT(name, small_window_agrees(file, size, 0, window_size, MAX_OUTPUT));
        CHECK_THAT(name, small_window_agrees(file, size, 9, window_size, MAX_OUTPUT));
    }
}

static void test_every_vector(void)
{
    for_every_vector(try_pieces);
}

/* The large vectors are many ways to say the same: of each of them every so many will do. */
static uint32_t stride(uint32_t size, uint32_t of_large)
{
    return size < 500 ? 1 : of_large;
}

static void try_truncations(const char *name, uint32_t size)
{
    for (uint32_t cut = 0; cut < size; cut += stride(size, 5)) {
        check_agreement(name, cut, 0);
    }
}

static void test_truncations(void)
{
    for_every_vector(try_truncations);
}

static void try_flips(const char *name, uint32_t size)
{
    for (uint32_t bit = 0; bit < 8 * size; bit += stride(size, 23)) {
        file[bit / 8] ^= (uint8_t)(1 << bit % 8);
        check_agreement(name, size, 0);
        file[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

static void test_flips_of_a_bit(void)
{
    for_every_vector(try_flips);
}

/* Words of a small vocabulary between runs and noise. */
static void make_content(uint8_t content[CONTENT_SIZE], uint32_t seed)
{
    for (uint32_t at = 0, random = seed; at < CONTENT_SIZE;) {
        uint32_t size = random >> 27, kind = random >> 24 & 7;

        for (uint32_t i = 0; i < size && at < CONTENT_SIZE; i++, at++) {
            content[at] = kind == 0  ? (uint8_t)random
                          : kind < 3 ? (uint8_t)(random * (i + 1) >> 13)
                                     : (uint8_t)(kind * 31 + i);
        }
        random = random * 1664525 + 1013904223;
    }
}

static uint32_t compress_content(uint8_t content[CONTENT_SIZE], int level, int strategy, int bits,
                                 int memory)
{
    z_stream stream = {.next_in = content, .avail_in = CONTENT_SIZE};

    CHECK(deflateInit2(&stream, level, Z_DEFLATED, bits + 16, memory, strategy) == Z_OK);
    stream.next_out = file;
    stream.avail_out = sizeof file;
    CHECK(deflate(&stream, Z_FINISH) == Z_STREAM_END);
    deflateEnd(&stream);
    return (uint32_t)stream.total_out;
}

static void test_whatever_zlib_writes(void)
{
    static uint8_t content[CONTENT_SIZE], inflated[CONTENT_SIZE];

    for (int level = 0; level <= 9; level++) {
        for (int strategy = Z_DEFAULT_STRATEGY; strategy <= Z_FIXED; strategy++) {
            for (int bits = 9; bits <= 15; bits++) {
                struct testimony ours = {.bytes = inflated};
                struct upd_gzip gzip;
                uint32_t size;

                make_content(content, (uint32_t)(level * 100 + strategy * 10 + bits));
                size = compress_content(content, level, strategy, bits, 1 + level % 9);
                /* The window that zlib compressed with is enough to inflate with. */
                ask_updraft(file, size, (uint32_t)bits, 1u << bits, CONTENT_SIZE, &gzip, &ours);
                CHECK(ours.verdict == WHOLE && ours.produced == CONTENT_SIZE);
                CHECK(memcmp(ours.bytes, content, CONTENT_SIZE) == 0);
                check_agreement("written by zlib", size, 100);
            }
        }
    }
}

int main(void)
{
    CHECK_RUN(test_every_vector);
    CHECK_RUN(test_truncations);
    CHECK_RUN(test_flips_of_a_bit);
    CHECK_RUN(test_whatever_zlib_writes);
    check_end();
}
