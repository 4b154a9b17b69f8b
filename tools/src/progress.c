#include "progress.h"

#include <stdbool.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define STEP_MS 100

static bool shown;
static int64_t started_ms, last_ms;

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void progress_show(const char *what, uint64_t done, uint64_t total)
{
    int64_t now = now_ms();

    if (started_ms == 0) {
        started_ms = now;
    }
    /* What is over in a blink needs no line. */
    if (now - started_ms < 2 * STEP_MS || now - last_ms < STEP_MS || !isatty(STDERR_FILENO)) {
        return;
    }
    last_ms = now;
    fprintf(stderr, "\r\x1b[K%s: %llu of %llu", what, (unsigned long long)done,
            (unsigned long long)total);
    fflush(stderr);
    shown = true;
}

void progress_clear(void)
{
    if (shown) {
        fputs("\r\x1b[K", stderr);
        shown = false;
    }
}
