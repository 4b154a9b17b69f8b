/*
 * Work that is cut into numbered pieces and done by as many processes as there are processors. What
 * a piece finds is the same whoever does it, and is printed in the order of the numbers.
 */
#ifndef POWERCUT_POOL_H
#define POWERCUT_POOL_H

#include <stddef.h>
#include <stdint.h>

/** Do one piece, and leave what was found in `result`, which is all zero before. */
typedef void pool_work(uint32_t index, void *ctx, void *result);

/**
 * Do all pieces.
 *
 * @param results  out: `count` results of `result_size` bytes
 */
void pool_run(uint32_t count, pool_work *work, void *ctx, void *results, size_t result_size);

#endif
