#include "options.h"
int verb_fleet(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return 0;
}
