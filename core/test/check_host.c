/* check.h on a machine with a C library. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>

void check_print(const char *text)
{
    fputs(text, stdout);
}

void check_exit(int status)
{
    fflush(stdout);
    exit(status);
}

int32_t check_load(const char *path, void *data, uint32_t size)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return -1;
    }
    size_t got = fread(data, 1, size, file);
    int32_t result = ferror(file) || fgetc(file) != EOF ? -1 : (int32_t)got;
    fclose(file);
    return result;
}

int32_t check_read(const char *path, uint32_t offset, void *data, uint32_t size)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return -1;
    }
    int32_t result = -1;
    if (fseek(file, (long)offset, SEEK_SET) == 0) {
        size_t got = fread(data, 1, size, file);
        result = ferror(file) ? -1 : (int32_t)got;
    }
    fclose(file);
    return result;
}

const char *check_shared(void)
{
    const char *named = getenv("UPDRAFT_SHARED");
    return named != NULL ? named : UPD_SHARED;
}
