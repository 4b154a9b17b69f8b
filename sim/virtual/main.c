/* updraft-sim: virtual devices, with the real library over a simulated flash. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"

static const char usage[] =
    "usage: updraft-sim VERB [OPTION...]\n"
    "\n"
    "    device   one device, in this terminal, over a flash image in a file\n"
    "    fleet    thousands of them, in this process, with power cuts, bad networks and liars\n"
    "    image    a firmware image for them\n"
    "    help     this text; each verb has --help\n"
    "\n"
    "    updraft-sim image --as arduino --version 1.0.0 -o one.bin\n"
    "    updraft-sim device --as arduino --flash lamp.flash --image one.bin \\\n"
    "        --server http://127.0.0.1:8070 --product-key KEY\n";

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(int argc, char **argv);
    } verbs[] = {{"device", verb_device}, {"fleet", verb_fleet}, {"image", verb_image}};

    if (argc >= 2) {
        for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
            if (strcmp(argv[1], verbs[i].name) == 0) {
                return verbs[i].run(argc, argv);
            }
        }
        if (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0) {
            fputs(usage, stdout);
            return EXIT_SUCCESS;
        }
        fprintf(stderr, "updraft-sim: there is no verb '%s'\n", argv[1]);
    }
    fputs(usage, stderr);
    return EXIT_USAGE;
}
