/*
 * UNROLL before a loop of a constant count writes its rounds out, unless UPD_SMALL. What the loop
 * chooses by its counter is then chosen by the compiler.
 */
#ifndef UPDRAFT_UNROLL_H
#define UPDRAFT_UNROLL_H

#include <updraft/config.h>

#if UPD_SMALL
#define UNROLL
#elif defined(__clang__)
#define UNROLL _Pragma("unroll")
#else
#define UNROLL _Pragma("GCC unroll 64")
#endif

#endif
