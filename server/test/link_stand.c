/*
 * The device link alone, without fleet and store: any key of 40 characters is a device. For tests
 * of the wire.
 *
 * usage: link_stand [--tls CERTIFICATE KEY [--old-tls]] [--answer-ms N] [--idle-ms N]
 *                   [--identify-ms N] [--stuck-ms N]
 *
 * Prints {"link": PORT, "link_tls": PORT}, then takes commands, one a line, on standard input, and
 * answers each with a line of JSON:
 *
 *     rpc KEY JSON     send; the outcome and the answer
 *     tell KEY JSON    send one that is not answered
 *     all JSON         send to all that are linked; how many, what became of them
 *     stats            counts
 *     events           messages and presences that were seen, as counts
 */
#include "link/link.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct stand {
    struct link_service *service;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t waiting;
    size_t outcomes[LINK_RPC_STOPPED + 1];
    json_t *last;
    int64_t *devices;
    size_t count;
    atomic_long messages, opened, closed, pings;
};

/* A number for a key, so that a device is the same one when it comes back. */
static int64_t number_of(const char *key)
{
    uint64_t hash = 14695981039346656037u;

    for (; *key != '\0'; key++) {
        hash = (hash ^ (unsigned char)*key) * 1099511628211u;
    }
    return (int64_t)(hash >> 2) + 1;
}

static json_t *on_message(void *ctx, struct link_peer *peer, const struct link_message *message)
{
    struct stand *stand = ctx;

    atomic_fetch_add(&stand->messages, 1);
    if (message->key == NULL || strlen(message->key) != 40) {
        return json_pack("{s:i, s:s}", "status", 403, "message", "this key is not known");
    }
    if (message->topic == LINK_UNKNOWN) {
        return json_pack("{s:i, s:s}", "status", 404, "message", "there is no such path");
    }
    peer->device = number_of(message->key);
    memcpy(peer->key, message->key, 41);
    if (message->topic == LINK_SAYING) {
        return json_pack("{s:i, s:s}", "status", 200, "message", "send message success");
    }
    if (message->topic == LINK_PING) {
        return json_pack("{s:i, s:s}", "status", 200, "message", "ping success");
    }
    return json_pack("{s:i, s:s, s:{s:s}}", "status", 200, "message", "device identified", "device",
                     "serial", "00000001");
}

static void on_presence(void *ctx, const struct link_peer *peer, bool open)
{
    struct stand *stand = ctx;

    (void)peer;
    atomic_fetch_add(open ? &stand->opened : &stand->closed, 1);
}

static void on_ping(void *ctx, int64_t device)
{
    struct stand *stand = ctx;

    (void)device;
    atomic_fetch_add(&stand->pings, 1);
}

static void on_done(void *ctx, enum link_outcome outcome, int64_t nonce, const json_t *answer)
{
    struct stand *stand = ctx;

    (void)nonce;
    pthread_mutex_lock(&stand->lock);
    stand->outcomes[outcome]++;
    json_decref(stand->last);
    stand->last = json_deep_copy(answer);
    stand->waiting--;
    pthread_cond_signal(&stand->changed);
    pthread_mutex_unlock(&stand->lock);
}

static void note(void *ctx, int64_t device)
{
    struct stand *stand = ctx;

    stand->devices = realloc(stand->devices, (stand->count + 1) * sizeof *stand->devices);
    if (stand->devices == NULL) {
        abort();
    }
    stand->devices[stand->count++] = device;
}

/* Send to devices[0, count) and print what became of it. */
static void send_all(struct stand *stand, const char *text, bool answers)
{
    json_t *message = text != NULL ? json_loads(text, 0, NULL) : NULL;
    json_t *report = json_object();

    pthread_mutex_lock(&stand->lock);
    memset(stand->outcomes, 0, sizeof stand->outcomes);
    stand->waiting = stand->count;
    pthread_mutex_unlock(&stand->lock);
    for (size_t i = 0; i < stand->count; i++) {
        link_rpc(stand->service, stand->devices[i], message, answers, on_done, stand);
    }
    pthread_mutex_lock(&stand->lock);
    while (stand->waiting > 0) {
        pthread_cond_wait(&stand->changed, &stand->lock);
    }
    for (size_t i = 0; i <= LINK_RPC_STOPPED; i++) {
        if (stand->outcomes[i] > 0) {
            json_object_set_new(report, link_outcome_text((enum link_outcome)i),
                                json_integer((json_int_t)stand->outcomes[i]));
        }
    }
    if (stand->last != NULL) {
        json_object_set_new(report, "answer", stand->last);
        stand->last = NULL;
    }
    pthread_mutex_unlock(&stand->lock);
    json_dumpf(report, stdout, 0);
    putchar('\n');
    json_decref(report);
    json_decref(message);
    stand->count = 0;
}

static void show_stats(struct stand *stand)
{
    struct link_stats stats;

    link_stats(stand->service, &stats);
    printf("{\"links\": %llu, \"devices\": %llu, \"waiting_rpcs\": %llu, \"messages\": %llu, "
           "\"refused\": %llu, \"link_size\": %llu}\n",
           (unsigned long long)stats.links, (unsigned long long)stats.devices,
           (unsigned long long)stats.waiting_rpcs, (unsigned long long)stats.messages,
           (unsigned long long)stats.refused, (unsigned long long)stats.link_size);
}

static void command(struct stand *stand, char *line)
{
    char *verb = strtok(line, " \n");

    if (verb == NULL) {
        return;
    }
    if (strcmp(verb, "rpc") == 0 || strcmp(verb, "tell") == 0) {
        const char *key = strtok(NULL, " ");
        note(stand, number_of(key != NULL ? key : ""));
        send_all(stand, strtok(NULL, "\n"), verb[0] == 'r');
    } else if (strcmp(verb, "all") == 0) {
        link_each(stand->service, note, stand);
        send_all(stand, strtok(NULL, "\n"), true);
    } else if (strcmp(verb, "stats") == 0) {
        show_stats(stand);
    } else {
        printf("{\"messages\": %ld, \"opened\": %ld, \"closed\": %ld, \"pings\": %ld}\n",
               atomic_load(&stand->messages), atomic_load(&stand->opened),
               atomic_load(&stand->closed), atomic_load(&stand->pings));
    }
    fflush(stdout);
}

static const char *const listen_on[] = {"127.0.0.1:0", NULL};

static void read_words(int count, char **words, struct link_options *options)
{
    for (int i = 1; i < count; i++) {
        if (strcmp(words[i], "--tls") == 0 && i + 2 < count) {
            options->tls = listen_on;
            options->certificate = words[++i];
            options->private_key = words[++i];
        } else if (strcmp(words[i], "--old-tls") == 0) {
            options->old_tls = true;
        } else if (strcmp(words[i], "--answer-ms") == 0 && i + 1 < count) {
            options->answer_ms = (uint32_t)strtoul(words[++i], NULL, 10);
        } else if (strcmp(words[i], "--idle-ms") == 0 && i + 1 < count) {
            options->idle_ms = (uint32_t)strtoul(words[++i], NULL, 10);
        } else if (strcmp(words[i], "--stuck-ms") == 0 && i + 1 < count) {
            options->stuck_ms = (uint32_t)strtoul(words[++i], NULL, 10);
        } else if (strcmp(words[i], "--identify-ms") == 0 && i + 1 < count) {
            options->identify_ms = (uint32_t)strtoul(words[++i], NULL, 10);
        }
    }
}

int main(int count, char **words)
{
    static struct stand stand = {.lock = PTHREAD_MUTEX_INITIALIZER,
                                 .changed = PTHREAD_COND_INITIALIZER};
    const struct link_protocol protocol = {on_message, on_presence, on_ping, &stand};
    struct link_options options = {.plain = listen_on};
    char why[LINK_WHY_SIZE];
    char line[8192];

    read_words(count, words, &options);
    stand.service = link_open(&options, &protocol, why);
    if (stand.service == NULL) {
        fprintf(stderr, "link_stand: %s\n", why);
        return 1;
    }
    printf("{\"link\": %u, \"link_tls\": %u}\n", link_port(stand.service, false, 0),
           link_port(stand.service, true, 0));
    fflush(stdout);
    while (fgets(line, sizeof line, stdin) != NULL) {
        command(&stand, line);
    }
    link_close(stand.service);
    free(stand.devices);
    return 0;
}
