/*
 * The parts of the proof. Each prints what it found, and returns the exit status.
 */
#ifndef POWERCUT_VERBS_H
#define POWERCUT_VERBS_H

int verb_cuts(int argc, char **argv);
int verb_closure(int argc, char **argv);
int verb_undecided(int argc, char **argv);
int verb_flips(int argc, char **argv);
int verb_faults(int argc, char **argv);
int verb_liveness(int argc, char **argv);
int verb_mirror(int argc, char **argv);
int verb_wear(int argc, char **argv);
int verb_states(int argc, char **argv);
int verb_replay(int argc, char **argv);

#endif
