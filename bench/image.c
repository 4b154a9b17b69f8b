/* What bench/image.py measures: check each image named, as the server does with an upload. */
#include <stdio.h>

#include <updraft/image.h>

static int check(const char *path)
{
    static unsigned char piece[65536];
    struct upd_image_checker checker;
    FILE *file = fopen(path, "rb");
    size_t size = 0;
    enum upd_err err = UPD_OK;

    if (file == NULL) {
        perror(path);
        return 1;
    }
    err = upd_image_begin(&checker, NULL);
    while (err == UPD_OK && (size = fread(piece, 1, sizeof piece, file)) > 0) {
        err = upd_image_feed(&checker, piece, (uint32_t)size);
    }
    fclose(file);
    if (err != UPD_OK || upd_image_end(&checker) != UPD_OK) {
        fprintf(stderr, "%s: refused\n", path);
        return 1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    int refused = 0;

    for (int i = 1; i < argc; i++) {
        refused += check(argv[i]);
    }
    return refused != 0;
}
