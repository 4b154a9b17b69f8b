/* The proof that no power cut bricks a device: docs/powercut.md says what it does and found. */
#include <stdio.h>
#include <string.h>

#include "verbs.h"

static const struct verb {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *text;
} verbs[] = {
    {"cuts", verb_cuts, "[SETUP]  every single cut"},
    {"closure", verb_closure,
     "[SCHEME [WALKS [OUTCOMES [KINDS [STATES [DRAWS]]]]]]  any number of cuts"},
    {"undecided", verb_undecided,
     "[...]  the same, where torn programs leave unstable cells as well"},
    {"flips", verb_flips, "[all]  bits that turn by themselves"},
    {"faults", verb_faults, "every fault of a chip that has power"},
    {"liveness", verb_liveness, "power that goes every so many operations, for ever"},
    {"mirror", verb_mirror, "what the vendors' SDKs and loaders make of cuts by themselves"},
    {"wear", verb_wear, "[UPDATES]  erases of ten thousand updates"},
    {"states", verb_states, "SETUP EVERY  the flash after every so many-th cut, for other loaders"},
    {"replay", verb_replay, "SETUP KIND OUTCOME OPERATION TEAR DRAW SEED  one of them"},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < sizeof verbs / sizeof verbs[0]; i++) {
        if (strcmp(argv[1], verbs[i].name) == 0) {
            return verbs[i].run(argc - 2, argv + 2);
        }
    }
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        fprintf(stderr, "powercut %s %s\n", verbs[i].name, verbs[i].text);
    }
    return 2;
}
