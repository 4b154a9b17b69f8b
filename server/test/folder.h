/* A folder of a test's own, which goes with all that the test left in it. */
#ifndef UPDRAFT_SERVER_TEST_FOLDER_H
#define UPDRAFT_SERVER_TEST_FOLDER_H

#include "cm.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { FOLDER_SIZE = 32 };

static inline void make_folder(char folder[FOLDER_SIZE])
{
    strcpy(folder, "/tmp/updraft-test-XXXXXX");
    assert_non_null(mkdtemp(folder));
}

static inline int remove_one(const char *path, const struct stat *info, int type, struct FTW *ftw)
{
    (void)info;
    (void)type;
    (void)ftw;
    return remove(path);
}

/** @return 0: it is gone */
static inline int remove_folder(const char *folder)
{
    return nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

#endif
