#define _GNU_SOURCE

#include "pool.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "setup.h"

enum { PROCESSES_MAX = 64 };

static void *share(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED) {
        die("out of memory");
    }
    return memory;
}

void pool_run(uint32_t count, pool_work *work, void *ctx, void *results, size_t result_size)
{
    size_t size = count * result_size + 1;
    uint8_t *found = share(size);
    _Atomic uint32_t *next = share(sizeof *next);
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    pid_t children[PROCESSES_MAX];
    long processes = processors < PROCESSES_MAX ? processors : PROCESSES_MAX;

    fflush(NULL);
    for (long i = 0; i < processes; i++) {
        children[i] = fork();
        if (children[i] < 0) {
            die("no process: fork() failed");
        }
        if (children[i] > 0) {
            continue;
        }
        for (uint32_t index; (index = atomic_fetch_add(next, 1)) < count;) {
            work(index, ctx, found + index * result_size);
        }
        fflush(NULL);
        _exit(0);
    }
    for (long i = 0; i < processes; i++) {
        int status;
        if (waitpid(children[i], &status, 0) != children[i] || status != 0) {
            die("a process of the proof ended early");
        }
    }
    memcpy(results, found, count * result_size);
    (void)munmap(found, size);
    (void)munmap(next, sizeof *next);
}
