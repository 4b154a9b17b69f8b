/*
 * updraft: the random numbers of the simulation. They are the same on every platform and for ever,
 * so that one 64-bit seed replays a run; they are of no use for secrets.
 *
 * The generator is splitmix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number
 * generators", 2014): number n of a sequence is a mixing function of seed + (n + 1) * gamma. So the
 * n-th number can be had without the ones before it, and every number of a sequence is a good seed
 * of another one.
 */
#ifndef UPDRAFT_SIM_RANDOM_H
#define UPDRAFT_SIM_RANDOM_H

#include <stdint.h>

#define SIM_RANDOM_GAMMA 0x9E3779B97F4A7C15u

/** A sequence of numbers; set `state` to the seed to start it. */
struct sim_random {
    uint64_t state;
};

static inline uint64_t sim_random_mix(uint64_t value)
{
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9u;
    value = (value ^ (value >> 27)) * 0x94D049BB133111EBu;
    return value ^ (value >> 31);
}

/** The next 64 random bits. */
static inline uint64_t sim_random_next(struct sim_random *random)
{
    random->state += SIM_RANDOM_GAMMA;
    return sim_random_mix(random->state);
}

/** The number that sim_random_next() returns at its call `index`, counted from 0. */
static inline uint64_t sim_random_at(uint64_t seed, uint64_t index)
{
    return sim_random_mix(seed + (index + 1) * SIM_RANDOM_GAMMA);
}

/** A random number in [0, limit), or 0 when the limit is 0. */
static inline uint32_t sim_random_below(struct sim_random *random, uint32_t limit)
{
    return (uint32_t)(((sim_random_next(random) >> 32) * limit) >> 32);
}

#endif
