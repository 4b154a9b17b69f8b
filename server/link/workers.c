#include "workers.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

struct job {
    struct job *next;
    void (*work)(void *arg);
    void *arg;
};

struct worker {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct job *first, **last;
    bool stop;
};

struct workers {
    uint32_t count;
    struct worker worker[];
};

static struct job *take(struct worker *worker)
{
    struct job *job = worker->first;

    if (job != NULL) {
        worker->first = job->next;
        if (worker->first == NULL) {
            worker->last = &worker->first;
        }
    }
    return job;
}

static void *run(void *arg)
{
    struct worker *worker = arg;

    pthread_mutex_lock(&worker->lock);
    for (;;) {
        struct job *job = take(worker);
        if (job == NULL) {
            if (worker->stop) {
                break;
            }
            pthread_cond_wait(&worker->more, &worker->lock);
            continue;
        }
        pthread_mutex_unlock(&worker->lock);
        job->work(job->arg);
        free(job);
        pthread_mutex_lock(&worker->lock);
    }
    pthread_mutex_unlock(&worker->lock);
    return NULL;
}

/* What a job queued for a thread that had ended already. */
static void run_rest(struct workers *workers)
{
    bool any = true;

    while (any) {
        any = false;
        for (uint32_t i = 0; i < workers->count; i++) {
            struct job *job = take(&workers->worker[i]);
            if (job != NULL) {
                job->work(job->arg);
                free(job);
                any = true;
            }
        }
    }
}

static bool start(struct worker *worker)
{
    worker->first = NULL;
    worker->last = &worker->first;
    pthread_mutex_init(&worker->lock, NULL);
    pthread_cond_init(&worker->more, NULL);
    return pthread_create(&worker->thread, NULL, run, worker) == 0;
}

struct workers *workers_start(uint32_t count)
{
    struct workers *workers = calloc(1, sizeof *workers + count * sizeof workers->worker[0]);

    if (workers == NULL) {
        return NULL;
    }
    for (; workers->count < count; workers->count++) {
        if (!start(&workers->worker[workers->count])) {
            workers_stop(workers);
            return NULL;
        }
    }
    return workers;
}

void workers_add(struct workers *workers, uint64_t key, void (*work)(void *arg), void *arg)
{
    struct worker *worker = &workers->worker[key % workers->count];
    struct job *job = malloc(sizeof *job);

    if (job == NULL) {
        fputs("updraftd: out of memory\n", stderr);
        abort();
    }
    *job = (struct job){NULL, work, arg};
    pthread_mutex_lock(&worker->lock);
    *worker->last = job;
    worker->last = &job->next;
    pthread_cond_signal(&worker->more);
    pthread_mutex_unlock(&worker->lock);
}

void workers_stop(struct workers *workers)
{
    if (workers == NULL) {
        return;
    }
    for (uint32_t i = 0; i < workers->count; i++) {
        struct worker *worker = &workers->worker[i];
        pthread_mutex_lock(&worker->lock);
        worker->stop = true;
        pthread_cond_signal(&worker->more);
        pthread_mutex_unlock(&worker->lock);
    }
    for (uint32_t i = 0; i < workers->count; i++) {
        pthread_join(workers->worker[i].thread, NULL);
    }
    run_rest(workers);
    for (uint32_t i = 0; i < workers->count; i++) {
        pthread_mutex_destroy(&workers->worker[i].lock);
        pthread_cond_destroy(&workers->worker[i].more);
    }
    free(workers);
}
