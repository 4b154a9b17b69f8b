/*
 * The thread of the link. All of struct link and struct rpc is its own; other threads reach it
 * through the inbox. What has to hold:
 *
 * (1) A link is busy while a worker has a message of it, and full while answers wait to be sent;
 *     then nothing is read from it.
 * (2) A message goes out alone: in one write, when the peer's TCP has all that went before, and
 *     either the peer has said something since or WIRE_PAUSE_MS are over.
 * (3) A device has one link, the newest. `presence` is told of changes in their order.
 * (4) Each rpc ends with one call of its `done`.
 * (5) An answer of a worker is for a link by index and generation: it never meets another link.
 */
#include "link.h"

#include "link/channel.h"
#include "link/wire.h"
#include "link/workers.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <gnutls/crypto.h>

enum {
    BLOCK = 256,       /* links that are allocated at once */
    QUEUE_MAX = 16,    /* messages that wait for one link */
    QUEUE_FULL = 8,    /* from here on nothing is read from it, until all of them are sent */
    FAULTS_MAX = 8,    /* malformed messages before a link is closed */
    TICK_MS = 20,      /* how often waiting messages are looked at */
    BUCKETS = 1 << 14, /* of the tables of devices and nonces */
    ACCEPT_AT_ONCE = 64,
    SOCKET_BUFFER = 16384,
    SCRATCH = 2 * WIRE_LINE_MAX,
};

/* What epoll tells that is no link: above every index. */
enum source { SOURCE_INBOX = 1, SOURCE_LISTENERS }; /* the last is the first of the listeners' */

struct queued {
    struct queued *next;
    struct rpc *rpc; /* NULL: an answer */
    uint64_t since;
    uint32_t size;
    char bytes[];
};

struct rpc {
    struct rpc *next_nonce;    /* in the table of nonces */
    struct rpc *older, *newer; /* by deadline */
    struct rpc *next_of_link;
    struct link *link;
    struct link_service *service;
    link_done *done;
    void *ctx;
    json_t *answer;
    uint64_t deadline;
    int64_t device;
    int64_t nonce;
    enum link_outcome outcome;
    bool answers;
};

enum phase { PHASE_FREE, PHASE_HANDSHAKE, PHASE_OPEN };

struct link {
    struct channel channel;
    struct wire_lines lines;
    struct queued *out;
    struct rpc *rpcs;
    struct link *newer, *older; /* in the list of its time-out, by `since` */
    struct link *next_device;   /* in the table of devices; of free links: the next free one */
    uint64_t since;             /* last heard; before it has identified itself: accepted */
    uint64_t quiet_until;
    int64_t device;
    uint32_t index;
    uint32_t generation;
    uint8_t phase;
    uint8_t faults;
    uint8_t out_count;
    bool busy : 1;
    bool full : 1;    /* QUEUE_FULL */
    bool watched : 1; /* epoll tells of bytes */
    bool doomed : 1;  /* closed at the end of this turn */
    bool waiting : 1; /* in the list of those that have messages to send */
    bool half_sent : 1;
    char id[LINK_ID_SIZE];
    char key[LINK_KEY_SIZE];
};

struct list {
    struct link *oldest, *newest;
};

struct listener {
    int fd;
    uint16_t port;
    bool tls;
    bool paused; /* no more sockets are to be had: looked at again in a second */
};

/* Sessions keep using the keys that they began with, so all that were read stay until the end. */
struct keys {
    struct channel_tls tls;
    struct keys *older;
};

enum order_kind { ORDER_RPC, ORDER_ANSWER, ORDER_END_RPCS };

/* What another thread wants of this one. */
struct order {
    struct order *next;
    enum order_kind kind;
    struct rpc *rpc; /* ORDER_RPC */
    struct link_peer peer;
    json_t *answer;
    int64_t nonce;
    uint32_t index, generation;
    uint32_t size;
    char bytes[];
};

struct link_service {
    struct link_options options;
    struct link_protocol protocol;
    struct workers *workers;
    _Atomic(struct keys *) keys; /* the newest; NULL: no TLS */
    struct listener listeners[LINK_LISTENERS];
    size_t listener_count;
    int epoll, inbox_fd;
    pthread_t thread;
    bool running;
    bool ending; /* no rpc is sent any more */

    pthread_mutex_t inbox_lock;
    struct order *inbox, **inbox_last;
    bool stop;

    pthread_mutex_t table_lock; /* of devices[] for link_each(); this thread reads without it */
    struct link *devices[BUCKETS];
    struct rpc *nonces[BUCKETS];
    struct rpc *oldest_rpc, *newest_rpc;
    struct link **blocks;
    uint32_t block_count;
    struct link *free_links;
    struct list strangers, known;
    struct link **waiting;
    size_t waiting_count, waiting_room;
    uint64_t now;
    uint64_t checked;
    struct link_stats stats;
    struct link_stats shown; /* a copy for others, under table_lock */
    char scratch[SCRATCH];
};

static const char *const outcome_texts[] = {
#define X(name, text) text,
    LINK_OUTCOMES(X)
#undef X
};

const char *link_outcome_text(enum link_outcome outcome)
{
    return (size_t)outcome < sizeof outcome_texts / sizeof outcome_texts[0] ? outcome_texts[outcome]
                                                                            : "unknown";
}

static void *must(void *memory)
{
    if (memory == NULL) {
        fputs("updraftd: out of memory\n", stderr);
        abort();
    }
    return memory;
}

static uint64_t clock_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* --- Lists and tables ------------------------------------------------------------------------ */

static void list_add(struct list *list, struct link *link)
{
    link->older = list->newest;
    link->newer = NULL;
    if (list->newest != NULL) {
        list->newest->newer = link;
    } else {
        list->oldest = link;
    }
    list->newest = link;
}

static void list_remove(struct list *list, struct link *link)
{
    *(link->older != NULL ? &link->older->newer : &list->oldest) = link->newer;
    *(link->newer != NULL ? &link->newer->older : &list->newest) = link->older;
}

static struct list *list_of(struct link_service *service, const struct link *link)
{
    return link->device != 0 ? &service->known : &service->strangers;
}

static size_t bucket(int64_t number)
{
    return (size_t)(((uint64_t)number * 0x9E3779B97F4A7C15u) >> 50) % BUCKETS;
}

static struct link *find_device(struct link_service *service, int64_t device)
{
    struct link *link = service->devices[bucket(device)];

    while (link != NULL && link->device != device) {
        link = link->next_device;
    }
    return link;
}

static void add_device(struct link_service *service, struct link *link)
{
    struct link **head = &service->devices[bucket(link->device)];

    pthread_mutex_lock(&service->table_lock);
    link->next_device = *head;
    *head = link;
    service->stats.devices++;
    pthread_mutex_unlock(&service->table_lock);
}

static void remove_device(struct link_service *service, struct link *link)
{
    struct link **at = &service->devices[bucket(link->device)];

    pthread_mutex_lock(&service->table_lock);
    while (*at != link) {
        at = &(*at)->next_device;
    }
    *at = link->next_device;
    service->stats.devices--;
    pthread_mutex_unlock(&service->table_lock);
}

static struct link *link_at(struct link_service *service, uint32_t index)
{
    return &service->blocks[index / BLOCK][index % BLOCK];
}

static struct link *take_link(struct link_service *service)
{
    struct link *link;

    if (service->free_links == NULL) {
        struct link *block = must(calloc(BLOCK, sizeof *block));
        service->blocks =
            must(realloc(service->blocks, (service->block_count + 1) * sizeof(void *)));
        for (uint32_t i = BLOCK; i-- > 0;) {
            block[i].index = service->block_count * BLOCK + i;
            block[i].next_device = service->free_links;
            service->free_links = &block[i];
        }
        service->blocks[service->block_count++] = block;
    }
    link = service->free_links;
    service->free_links = link->next_device;
    link->next_device = NULL;
    return link;
}

static void peer_of(const struct link *link, struct link_peer *peer)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof address;

    *peer = (struct link_peer){.device = link->device, .tls = link->channel.session != NULL};
    memcpy(peer->id, link->id, sizeof peer->id);
    memcpy(peer->key, link->key, sizeof peer->key);
    if (getpeername(link->channel.fd, (struct sockaddr *)&address, &size) == 0) {
        (void)getnameinfo((struct sockaddr *)&address, size, peer->address, sizeof peer->address,
                          NULL, 0, NI_NUMERICHOST);
    }
}

/* --- Work that may wait ---------------------------------------------------------------------- */

struct presence {
    struct link_service *service;
    struct link_peer peer;
    bool open;
};

static void tell_presence(void *arg)
{
    struct presence *presence = arg;
    const struct link_protocol *protocol = &presence->service->protocol;

    protocol->presence(protocol->ctx, &presence->peer, presence->open);
    free(presence);
}

static void presence_changed(struct link_service *service, const struct link *link, bool open)
{
    struct presence *presence = must(calloc(1, sizeof *presence));

    presence->service = service;
    presence->open = open;
    peer_of(link, &presence->peer);
    workers_add(service->workers, (uint64_t)link->device, tell_presence, presence);
}

static void tell_rpc(void *arg)
{
    struct rpc *rpc = arg;

    if (rpc->done != NULL) {
        rpc->done(rpc->ctx, rpc->outcome, rpc->nonce, rpc->answer);
    }
    json_decref(rpc->answer);
    free(rpc);
}

/* The rpc is in no table any more. */
static void end_rpc(struct link_service *service, struct rpc *rpc, enum link_outcome outcome)
{
    rpc->outcome = outcome;
    workers_add(service->workers, (uint64_t)rpc->device, tell_rpc, rpc);
}

static void order(struct link_service *service, struct order *what)
{
    const uint64_t one = 1;
    bool first;

    what->next = NULL;
    pthread_mutex_lock(&service->inbox_lock);
    first = service->inbox == NULL;
    *service->inbox_last = what;
    service->inbox_last = &what->next;
    pthread_mutex_unlock(&service->inbox_lock);
    if (first && write(service->inbox_fd, &one, sizeof one) != (ssize_t)sizeof one) {
        abort(); /* an event counter takes 2^64 - 2 of these */
    }
}

struct talk {
    struct link_service *service;
    struct order *order; /* the answer goes into it */
    size_t size;
    char line[];
};

static void talk(void *arg)
{
    struct talk *talk = arg;
    const struct link_protocol *protocol = &talk->service->protocol;
    struct order *answer = talk->order;
    struct link_message message;
    struct link_fault fault;

    /* It was read once on the link's thread, which found no fault. */
    if (link_message_read(talk->line, talk->size, &message, &fault)) {
        answer->nonce = message.nonce;
        answer->answer = protocol->message(protocol->ctx, &answer->peer, &message);
        link_message_free(&message);
    }
    order(talk->service, answer);
    free(talk);
}

/* --- Rpcs ------------------------------------------------------------------------------------ */

static void time_rpc(struct link_service *service, struct rpc *rpc)
{
    rpc->deadline = service->now + service->options.answer_ms;
    rpc->newer = NULL;
    rpc->older = service->newest_rpc;
    *(rpc->older != NULL ? &rpc->older->newer : &service->oldest_rpc) = rpc;
    service->newest_rpc = rpc;
}

static void untime_rpc(struct link_service *service, struct rpc *rpc)
{
    *(rpc->older != NULL ? &rpc->older->newer : &service->oldest_rpc) = rpc->newer;
    *(rpc->newer != NULL ? &rpc->newer->older : &service->newest_rpc) = rpc->older;
}

/* Take it out of all tables. Its message may still wait to be sent: it then goes out as one that
 * nobody asks after. */
static void forget_rpc(struct link_service *service, struct rpc *rpc)
{
    struct rpc **at = &service->nonces[bucket(rpc->nonce)];

    for (struct queued *queued = rpc->link->out; queued != NULL; queued = queued->next) {
        queued->rpc = queued->rpc == rpc ? NULL : queued->rpc;
    }

    while (*at != rpc) {
        at = &(*at)->next_nonce;
    }
    *at = rpc->next_nonce;
    at = &rpc->link->rpcs;
    while (*at != rpc) {
        at = &(*at)->next_of_link;
    }
    *at = rpc->next_of_link;
    untime_rpc(service, rpc);
    service->stats.waiting_rpcs--;
}

static void remember_rpc(struct link_service *service, struct rpc *rpc, struct link *link)
{
    struct rpc **head = &service->nonces[bucket(rpc->nonce)];

    rpc->next_nonce = *head;
    *head = rpc;
    rpc->link = link;
    rpc->next_of_link = link->rpcs;
    link->rpcs = rpc;
    time_rpc(service, rpc);
    service->stats.waiting_rpcs++;
}

static struct rpc *find_rpc(struct link_service *service, int64_t nonce)
{
    struct rpc *rpc = service->nonces[bucket(nonce)];

    while (rpc != NULL && rpc->nonce != nonce) {
        rpc = rpc->next_nonce;
    }
    return rpc;
}

/* A nonce that nobody can guess and no other rpc waits with. */
static int64_t new_nonce(struct link_service *service)
{
    uint32_t number;

    do {
        if (gnutls_rnd(GNUTLS_RND_NONCE, &number, sizeof number) < 0) {
            abort(); /* the system has no random numbers */
        }
        number &= WIRE_NONCE_MAX;
    } while (number == 0 || find_rpc(service, number) != NULL);
    return number;
}

/* --- Sending --------------------------------------------------------------------------------- */

static void drop_queue(struct link *link)
{
    while (link->out != NULL) {
        struct queued *next = link->out->next;
        free(link->out);
        link->out = next;
    }
    link->out_count = 0;
}

/* The message is with the network. */
static void is_sent(struct link_service *service, struct link *link, struct rpc *rpc)
{
    link->quiet_until = service->now + WIRE_PAUSE_MS;
    if (rpc != NULL && !rpc->answers) {
        forget_rpc(service, rpc);
        end_rpc(service, rpc, LINK_RPC_SENT);
    } else if (rpc != NULL) {
        /* The device's time begins now: the message may have waited for its turn. */
        untime_rpc(service, rpc);
        time_rpc(service, rpc);
    }
}

static bool may_send(const struct link_service *service, const struct link *link)
{
    return !link->half_sent && service->now >= link->quiet_until && channel_drained(&link->channel);
}

static void wait_to_send(struct link_service *service, struct link *link)
{
    if (link->waiting) {
        return;
    }
    if (service->waiting_count == service->waiting_room) {
        service->waiting_room = service->waiting_room * 2 + 64;
        service->waiting = must(realloc(service->waiting, service->waiting_room * sizeof(void *)));
    }
    service->waiting[service->waiting_count++] = link;
    link->waiting = true;
}

/* False: the link is broken. */
static bool put(struct link_service *service, struct link *link, const char *bytes, size_t size,
                struct rpc *rpc)
{
    const int result = channel_send(&link->channel, bytes, size);

    if (result == CHANNEL_BROKEN) {
        link->doomed = true;
        return false;
    }
    if (result == CHANNEL_AGAIN) {
        link->half_sent = true;
        wait_to_send(service, link);
    }
    is_sent(service, link, rpc);
    return true;
}

/* Send now or later. False: too many wait. */
static bool say(struct link_service *service, struct link *link, const char *bytes, size_t size,
                struct rpc *rpc)
{
    struct queued **at = &link->out;
    struct queued *queued;

    if (link->out == NULL && may_send(service, link)) {
        (void)put(service, link, bytes, size, rpc);
        return true;
    }
    if (link->out_count == QUEUE_MAX) {
        return false;
    }
    queued = must(malloc(sizeof *queued + size));
    *queued = (struct queued){NULL, rpc, service->now, (uint32_t)size};
    memcpy(queued->bytes, bytes, size);
    while (*at != NULL) {
        at = &(*at)->next;
    }
    *at = queued;
    link->out_count++;
    wait_to_send(service, link);
    return true;
}

/* Send what waits, as far as it goes. True: something still waits. */
static bool send_waiting(struct link_service *service, struct link *link)
{
    if (link->half_sent) {
        const int result = channel_resend(&link->channel);
        link->half_sent = result == CHANNEL_AGAIN;
        link->doomed = link->doomed || result == CHANNEL_BROKEN;
    }
    if (link->out != NULL && !link->doomed && may_send(service, link)) {
        struct queued *first = link->out;
        link->out = first->next;
        link->out_count--;
        (void)put(service, link, first->bytes, first->size, first->rpc);
        free(first);
    }
    if (link->out != NULL && service->now - link->out->since > service->options.stuck_ms) {
        link->doomed = true;
    }
    return link->out != NULL || link->half_sent;
}

static void say_json(struct link_service *service, struct link *link, json_t *message,
                     int64_t nonce)
{
    char bytes[WIRE_MESSAGE_MAX];
    const size_t size = wire_write(message, nonce, bytes);

    json_decref(message);
    if (size > 0 && !say(service, link, bytes, size, NULL)) {
        link->doomed = true; /* it asks without reading the answers */
    }
}

/* --- Opening and closing --------------------------------------------------------------------- */

static void close_link(struct link_service *service, struct link *link);

static bool may_read(const struct link *link)
{
    return !link->busy && !link->full && !link->doomed;
}

/* After each turn: close, or watch for what the link needs next. */
static void end_turn(struct link_service *service, struct link *link)
{
    struct epoll_event event = {.data.u64 = (uint64_t)link->index << 32 | link->generation};

    if (link->doomed) {
        close_link(service, link);
    } else if (link->watched != may_read(link)) {
        link->watched = may_read(link);
        event.events = link->watched ? EPOLLIN : 0;
        (void)epoll_ctl(service->epoll, EPOLL_CTL_MOD, link->channel.fd, &event);
    }
}

static void close_link(struct link_service *service, struct link *link)
{
    list_remove(list_of(service, link), link);
    while (link->rpcs != NULL) {
        struct rpc *rpc = link->rpcs;
        forget_rpc(service, rpc);
        end_rpc(service, rpc, LINK_RPC_LOST);
    }
    if (link->device != 0) {
        remove_device(service, link);
        if (find_device(service, link->device) == NULL) {
            presence_changed(service, link, false);
        }
    }
    if (link->waiting) {
        for (size_t i = 0; i < service->waiting_count; i++) {
            if (service->waiting[i] == link) {
                service->waiting[i] = service->waiting[--service->waiting_count];
                break;
            }
        }
    }
    drop_queue(link);
    wire_forget(&link->lines);
    channel_close(&link->channel); /* epoll forgets it with its last descriptor */
    service->stats.links--;
    const uint32_t index = link->index, generation = link->generation + 1;
    *link = (struct link){.index = index, .generation = generation, .channel.fd = -1};
    link->next_device = service->free_links;
    service->free_links = link;
}

static void open_link(struct link_service *service, int fd, bool tls)
{
    struct link *link = take_link(service);
    struct epoll_event event = {.events = EPOLLIN};

    event.data.u64 = (uint64_t)link->index << 32 | link->generation;
    if (!channel_open(&link->channel, fd, tls ? &atomic_load(&service->keys)->tls : NULL) ||
        epoll_ctl(service->epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
        channel_close(&link->channel);
        link->next_device = service->free_links;
        service->free_links = link;
        return;
    }
    link->phase = tls ? PHASE_HANDSHAKE : PHASE_OPEN;
    link->since = service->now;
    link->watched = true;
    list_add(&service->strangers, link);
    service->stats.links++;
}

static uint64_t source_of(const struct link_service *service, const struct listener *listener)
{
    return UINT64_MAX << 32 | (SOURCE_LISTENERS + (uint64_t)(listener - service->listeners));
}

static void listen_for(struct link_service *service, struct listener *listener, bool on)
{
    struct epoll_event event = {.events = on ? EPOLLIN : 0};

    event.data.u64 = source_of(service, listener);
    listener->paused = !on;
    (void)epoll_ctl(service->epoll, EPOLL_CTL_MOD, listener->fd, &event);
}

static void accept_links(struct link_service *service, struct listener *listener)
{
    for (int i = 0; i < ACCEPT_AT_ONCE; i++) {
        const int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
                listen_for(service, listener, false);
            }
            return;
        }
        if (service->stats.links >= service->options.links_max) {
            service->stats.refused++;
            close(fd);
            continue;
        }
        open_link(service, fd, listener->tls);
    }
}

/* --- Reading --------------------------------------------------------------------------------- */

static void answer_fault(struct link_service *service, struct link *link,
                         const struct link_fault *fault, int64_t nonce)
{
    json_t *answer = json_pack("{s:i, s:s}", "status", 400, "message", fault->why);

    if (fault->field != NULL) {
        json_object_set_new(answer, "field", json_string(fault->field));
    }
    say_json(service, link, answer, nonce);
    if (++link->faults == FAULTS_MAX) {
        service->stats.refused++;
        link->doomed = true;
    }
}

static void answer_ping(struct link_service *service, struct link *link, int64_t nonce)
{
    service->protocol.heard(service->protocol.ctx, link->device);
    say_json(service, link, json_pack("{s:i, s:s}", "status", 200, "message", "ping success"),
             nonce);
}

static void take_answer(struct link_service *service, struct link *link,
                        const struct link_message *message)
{
    struct rpc *rpc = find_rpc(service, message->nonce);

    /* Of another link, late or never asked for: nobody waits for it. */
    if (rpc != NULL && rpc->link == link) {
        forget_rpc(service, rpc);
        rpc->answer = json_incref(message->json);
        end_rpc(service, rpc, LINK_RPC_ANSWERED);
    }
}

static void to_worker(struct link_service *service, struct link *link, const char *line,
                      size_t size)
{
    struct talk *job = must(malloc(sizeof *job + size));
    struct order *answer = must(calloc(1, sizeof *answer));

    answer->kind = ORDER_ANSWER;
    answer->nonce = -1;
    answer->index = link->index;
    answer->generation = link->generation;
    peer_of(link, &answer->peer);
    job->service = service;
    job->order = answer;
    job->size = size;
    memcpy(job->line, line, size);
    link->busy = true;
    workers_add(service->workers, link->device != 0 ? (uint64_t)link->device : link->index, talk,
                job);
}

struct turn {
    struct link_service *service;
    struct link *link;
};

static bool take_line(void *ctx, const char *line, size_t size)
{
    struct link_service *service = ((struct turn *)ctx)->service;
    struct link *link = ((struct turn *)ctx)->link;
    struct link_message message;
    struct link_fault fault;

    service->stats.messages++;
    if (!link_message_read(line, size, &message, &fault)) {
        answer_fault(service, link, &fault, message.nonce);
    } else if (message.topic == LINK_ANSWER) {
        take_answer(service, link, &message);
    } else if (message.topic == LINK_PING && link->device != 0 && message.key != NULL &&
               strcmp(message.key, link->key) == 0) {
        answer_ping(service, link, message.nonce);
    } else {
        to_worker(service, link, line, size);
    }
    link_message_free(&message);
    link->full = link->out_count >= QUEUE_FULL;
    return may_read(link);
}

static void feed(struct link_service *service, struct link *link, const char *bytes, size_t size)
{
    struct turn turn = {service, link};
    const enum wire_result result = wire_feed(&link->lines, bytes, size, take_line, &turn);

    if (result == WIRE_TOO_LONG || result == WIRE_NO_MEMORY) {
        service->stats.refused++;
        link->doomed = true;
    }
}

static void hear(struct link_service *service, struct link *link)
{
    link->quiet_until = 0;
    if (link->device != 0) {
        list_remove(&service->known, link);
        link->since = service->now;
        list_add(&service->known, link);
    }
}

static void read_link(struct link_service *service, struct link *link)
{
    /* A session of TLS may hold bytes that epoll knows nothing of: read until there are none. */
    while (may_read(link)) {
        const ssize_t got =
            channel_receive(&link->channel, service->scratch, wire_room(&link->lines));
        if (got == CHANNEL_AGAIN) {
            return;
        }
        if (got <= 0) {
            link->doomed = true;
            return;
        }
        hear(service, link);
        feed(service, link, service->scratch, (size_t)got);
    }
}

/* What was held back first. */
static void go_on_reading(struct link_service *service, struct link *link)
{
    if (may_read(link)) {
        feed(service, link, NULL, 0);
        read_link(service, link);
    }
    end_turn(service, link);
}

static void link_event(struct link_service *service, struct link *link, uint32_t events)
{
    if (events & (EPOLLERR | EPOLLHUP)) {
        link->doomed = true;
    } else if (link->phase == PHASE_HANDSHAKE) {
        const int result = channel_handshake(&link->channel);
        link->doomed = result == CHANNEL_BROKEN;
        link->phase = result == 0 ? PHASE_OPEN : PHASE_HANDSHAKE;
    }
    if (!link->doomed && link->phase == PHASE_OPEN) {
        read_link(service, link);
    }
    end_turn(service, link);
}

/* --- The inbox ------------------------------------------------------------------------------- */

/* The link is a device's now: rule (3). */
static void becomes(struct link_service *service, struct link *link, const struct link_peer *peer)
{
    struct link *older;

    if (link->device != 0) {
        remove_device(service, link);
        if (link->device != peer->device && find_device(service, link->device) == NULL) {
            presence_changed(service, link, false);
        }
    }
    list_remove(list_of(service, link), link);
    older = find_device(service, peer->device);
    link->device = peer->device;
    memcpy(link->id, peer->id, sizeof link->id);
    memcpy(link->key, peer->key, sizeof link->key);
    link->since = service->now;
    list_add(&service->known, link);
    add_device(service, link);
    presence_changed(service, link, true);
    if (older != NULL) {
        close_link(service, older);
    }
}

static void take_order_answer(struct link_service *service, struct order *what)
{
    struct link *link = link_at(service, what->index);

    if (link->generation != what->generation) {
        json_decref(what->answer); /* closed meanwhile: rule (5) */
        return;
    }
    link->busy = false;
    if (what->peer.device != 0 &&
        (what->peer.device != link->device || strcmp(what->peer.key, link->key) != 0)) {
        becomes(service, link, &what->peer);
    }
    if (what->answer != NULL) {
        say_json(service, link, what->answer, what->nonce);
    }
    go_on_reading(service, link);
}

static void take_order_rpc(struct link_service *service, struct order *what)
{
    struct rpc *rpc = what->rpc;
    struct link *link = find_device(service, rpc->device);
    char bytes[WIRE_MESSAGE_MAX];
    size_t size;

    rpc->nonce = new_nonce(service);
    size = wire_number(what->bytes, what->size, rpc->nonce, bytes);
    if (link == NULL) {
        end_rpc(service, rpc, LINK_RPC_ABSENT);
        return;
    }
    if (size == 0) {
        end_rpc(service, rpc, LINK_RPC_TOO_LONG);
        return;
    }
    remember_rpc(service, rpc, link);
    if (!say(service, link, bytes, size, rpc)) {
        forget_rpc(service, rpc);
        end_rpc(service, rpc, LINK_RPC_CROWDED);
    }
    end_turn(service, link);
}

static struct order *empty_inbox(struct link_service *service, bool *stop)
{
    struct order *all;

    pthread_mutex_lock(&service->inbox_lock);
    all = service->inbox;
    service->inbox = NULL;
    service->inbox_last = &service->inbox;
    *stop = service->stop;
    pthread_mutex_unlock(&service->inbox_lock);
    return all;
}

/* True: stop. */
static void end_all_rpcs(struct link_service *service)
{
    service->ending = true;
    while (service->oldest_rpc != NULL) {
        struct rpc *rpc = service->oldest_rpc;
        forget_rpc(service, rpc);
        end_rpc(service, rpc, LINK_RPC_STOPPED);
    }
}

static bool take_orders(struct link_service *service)
{
    uint64_t count;
    bool stop;
    struct order *what;

    (void)!read(service->inbox_fd, &count, sizeof count);
    what = empty_inbox(service, &stop);
    while (what != NULL) {
        struct order *next = what->next;
        if (what->kind == ORDER_ANSWER) {
            take_order_answer(service, what);
        } else if (what->kind == ORDER_END_RPCS) {
            end_all_rpcs(service);
        } else if (service->ending) {
            end_rpc(service, what->rpc, LINK_RPC_STOPPED);
        } else {
            take_order_rpc(service, what);
        }
        free(what);
        what = next;
    }
    return stop;
}

/* --- Time ------------------------------------------------------------------------------------ */

static void send_all_waiting(struct link_service *service)
{
    for (size_t i = 0; i < service->waiting_count;) {
        struct link *link = service->waiting[i];
        if (send_waiting(service, link) && !link->doomed) {
            i++;
            continue;
        }
        service->waiting[i] = service->waiting[--service->waiting_count];
        link->waiting = false;
        link->full = false;
        go_on_reading(service, link);
    }
}

static void end_old_rpcs(struct link_service *service)
{
    while (service->oldest_rpc != NULL && service->oldest_rpc->deadline <= service->now) {
        struct rpc *rpc = service->oldest_rpc;
        forget_rpc(service, rpc);
        end_rpc(service, rpc, LINK_RPC_SILENT);
    }
}

static void end_old_links(struct link_service *service, struct list *list, uint32_t limit_ms)
{
    struct link *link = list->oldest;

    while (link != NULL && link->since + limit_ms <= service->now) {
        struct link *next = link->newer;
        if (!link->busy) {
            close_link(service, link);
        }
        link = next;
    }
}

static void keep_time(struct link_service *service)
{
    if (service->waiting_count > 0) {
        send_all_waiting(service);
    }
    end_old_rpcs(service);
    if (service->now - service->checked < 250) {
        return;
    }
    service->checked = service->now;
    pthread_mutex_lock(&service->table_lock);
    service->shown = service->stats;
    pthread_mutex_unlock(&service->table_lock);
    end_old_links(service, &service->strangers, service->options.identify_ms);
    end_old_links(service, &service->known, service->options.idle_ms);
    for (size_t i = 0; i < service->listener_count; i++) {
        if (service->listeners[i].paused) {
            listen_for(service, &service->listeners[i], true);
        }
    }
}

static void close_all(struct link_service *service)
{
    while (service->strangers.oldest != NULL) {
        close_link(service, service->strangers.oldest);
    }
    while (service->known.oldest != NULL) {
        close_link(service, service->known.oldest);
    }
}

static void *run(void *arg)
{
    struct link_service *service = arg;
    struct epoll_event events[256];
    bool stop = false;

    while (!stop) {
        const int wait = service->waiting_count > 0 ? TICK_MS : 250;
        const int count = epoll_wait(service->epoll, events, 256, wait);
        service->now = clock_ms();
        for (int i = 0; i < count; i++) {
            const uint32_t index = (uint32_t)(events[i].data.u64 >> 32);
            const uint32_t low = (uint32_t)events[i].data.u64;
            if (index != UINT32_MAX) {
                struct link *link = link_at(service, index);
                if (link->generation == low && link->phase != PHASE_FREE) {
                    link_event(service, link, events[i].events);
                }
            } else if (low == SOURCE_INBOX) {
                stop = take_orders(service);
            } else {
                accept_links(service, &service->listeners[low - SOURCE_LISTENERS]);
            }
        }
        keep_time(service);
    }
    close_all(service);
    return NULL;
}

/* --- The service ----------------------------------------------------------------------------- */

static bool split_address(const char *text, char host[256], const char **port)
{
    const char *colon = strrchr(text, ':');
    size_t size;

    if (colon == NULL || colon[1] == '\0') {
        return false;
    }
    if (text[0] == '[' && colon > text && colon[-1] == ']') {
        text++;
        size = (size_t)(colon - text) - 1;
    } else {
        size = (size_t)(colon - text);
    }
    if (size >= 256) {
        return false;
    }
    memcpy(host, text, size);
    host[size] = '\0';
    *port = colon + 1;
    return true;
}

static uint16_t port_of(int fd)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof address;

    if (getsockname(fd, (struct sockaddr *)&address, &size) != 0) {
        return 0;
    }
    return ntohs(address.ss_family == AF_INET6
                     ? ((const struct sockaddr_in6 *)(const void *)&address)->sin6_port
                     : ((const struct sockaddr_in *)(const void *)&address)->sin_port);
}

static int bind_to(const struct addrinfo *at)
{
    const int one = 1;
    const int buffer = SOCKET_BUFFER;
    const int fd = socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        return -1;
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    /* Accepted sockets inherit it: what a peer can make the system hold is bounded too. */
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
    if (bind(fd, at->ai_addr, at->ai_addrlen) != 0 || listen(fd, 4096) != 0) {
        const int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

/* Of no address in particular: IPv6 with IPv4 in it, where there is IPv6. */
static int bind_to_any_of(const struct addrinfo *found)
{
    int fd = -1;

    for (int six = 1; six >= 0 && fd < 0; six--) {
        for (const struct addrinfo *at = found; at != NULL && fd < 0; at = at->ai_next) {
            fd = (at->ai_family == AF_INET6) == six ? bind_to(at) : -1;
        }
    }
    return fd;
}

static bool listen_at(struct link_service *service, const char *text, bool tls, char *why)
{
    struct listener *listener = &service->listeners[service->listener_count];
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    char host[256];
    const char *port;
    int result;

    if (service->listener_count == LINK_LISTENERS) {
        snprintf(why, LINK_WHY_SIZE, "device link: more than %d addresses", LINK_LISTENERS);
        return false;
    }
    if (!split_address(text, host, &port)) {
        snprintf(why, LINK_WHY_SIZE, "device link: %.100s is not ADDRESS:PORT", text);
        return false;
    }
    result = getaddrinfo(host[0] != '\0' ? host : NULL, port, &hints, &found);
    if (result != 0) {
        snprintf(why, LINK_WHY_SIZE, "device link: %.100s: %s", text, gai_strerror(result));
        return false;
    }
    *listener = (struct listener){.fd = host[0] != '\0' ? bind_to(found) : bind_to_any_of(found),
                                  .tls = tls};
    freeaddrinfo(found);
    if (listener->fd < 0) {
        snprintf(why, LINK_WHY_SIZE, "device link: cannot listen at %.100s: %s", text,
                 strerror(errno));
        return false;
    }
    listener->port = port_of(listener->fd);
    service->listener_count++;
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = source_of(service, listener)};
    return epoll_ctl(service->epoll, EPOLL_CTL_ADD, listener->fd, &event) == 0;
}

static const char *copy(const char *text)
{
    return text == NULL ? NULL : must(strdup(text));
}

static void set_options(struct link_service *service, const struct link_options *options)
{
    static const struct {
        size_t at;
        uint32_t value;
    } defaults[] = {
        {offsetof(struct link_options, workers), 32},
        {offsetof(struct link_options, links_max), 200000},
        {offsetof(struct link_options, idle_ms), 165000},
        {offsetof(struct link_options, identify_ms), 60000},
        {offsetof(struct link_options, answer_ms), 10000},
        {offsetof(struct link_options, stuck_ms), 30000},
    };

    service->options = *options;
    /* Read again at each reload. */
    service->options.certificate = copy(options->certificate);
    service->options.private_key = copy(options->private_key);
    for (size_t i = 0; i < sizeof defaults / sizeof defaults[0]; i++) {
        uint32_t *value = (uint32_t *)(void *)((char *)&service->options + defaults[i].at);
        *value = *value != 0 ? *value : defaults[i].value;
    }
}

bool link_reload(struct link_service *service, char *why)
{
    const struct link_options *options = &service->options;

    if (options->tls == NULL || options->tls[0] == NULL) {
        return true;
    }
    if (options->certificate == NULL || options->private_key == NULL) {
        snprintf(why, LINK_WHY_SIZE, "device link: TLS needs a certificate and its key");
        return false;
    }
    struct keys *keys = must(calloc(1, sizeof *keys));
    if (!channel_tls_load(&keys->tls, options->certificate, options->private_key, options->old_tls,
                          why, LINK_WHY_SIZE)) {
        free(keys);
        return false;
    }
    keys->older = atomic_load(&service->keys);
    atomic_store(&service->keys, keys);
    return true;
}

static bool listen_at_all(struct link_service *service, const char *const *texts, bool tls,
                          char *why)
{
    for (; texts != NULL && *texts != NULL; texts++) {
        if (!listen_at(service, *texts, tls, why)) {
            return false;
        }
    }
    return true;
}

static bool begin(struct link_service *service, char *why)
{
    const struct link_options *options = &service->options;
    struct epoll_event event = {.events = EPOLLIN};

    snprintf(why, LINK_WHY_SIZE, "device link: the system has no memory, threads or sockets left");
    service->epoll = epoll_create1(EPOLL_CLOEXEC);
    service->inbox_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    event.data.u64 = UINT64_MAX << 32 | SOURCE_INBOX;
    if (service->epoll < 0 || service->inbox_fd < 0 ||
        epoll_ctl(service->epoll, EPOLL_CTL_ADD, service->inbox_fd, &event) != 0) {
        return false;
    }
    if (!link_reload(service, why) || !listen_at_all(service, options->plain, false, why) ||
        !listen_at_all(service, options->tls, true, why)) {
        return false;
    }
    service->workers = workers_start(options->workers);
    service->now = clock_ms();
    service->running =
        service->workers != NULL && pthread_create(&service->thread, NULL, run, service) == 0;
    return service->running;
}

struct link_service *link_open(const struct link_options *options,
                               const struct link_protocol *protocol, char *why)
{
    struct link_service *service = must(calloc(1, sizeof *service));

    pthread_mutex_init(&service->inbox_lock, NULL);
    pthread_mutex_init(&service->table_lock, NULL);
    service->inbox_last = &service->inbox;
    service->protocol = *protocol;
    service->epoll = service->inbox_fd = -1;
    service->stats.link_size = service->shown.link_size = sizeof(struct link);
    set_options(service, options);
    if (!begin(service, why)) {
        link_close(service);
        return NULL;
    }
    return service;
}

/* What came while the threads ended. */
static void fail_orders(struct link_service *service)
{
    bool stop;
    struct order *what;

    while ((what = empty_inbox(service, &stop)) != NULL) {
        while (what != NULL) {
            struct order *next = what->next;
            json_decref(what->answer);
            if (what->rpc != NULL) {
                what->rpc->outcome = LINK_RPC_STOPPED;
                tell_rpc(what->rpc);
            }
            free(what);
            what = next;
        }
    }
}

void link_close(struct link_service *service)
{
    if (service == NULL) {
        return;
    }
    if (service->running) {
        const uint64_t one = 1;
        pthread_mutex_lock(&service->inbox_lock);
        service->stop = true;
        pthread_mutex_unlock(&service->inbox_lock);
        (void)!write(service->inbox_fd, &one, sizeof one);
        pthread_join(service->thread, NULL);
    }
    workers_stop(service->workers);
    service->workers = NULL;
    fail_orders(service);
    for (uint32_t i = 0; i < service->block_count; i++) {
        free(service->blocks[i]);
    }
    free(service->blocks);
    free(service->waiting);
    for (size_t i = 0; i < service->listener_count; i++) {
        close(service->listeners[i].fd);
    }
    const int fds[] = {service->inbox_fd, service->epoll};
    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++) {
        if (fds[i] >= 0) {
            close(fds[i]);
        }
    }
    for (struct keys *keys = service->keys, *older; keys != NULL; keys = older) {
        older = keys->older;
        channel_tls_free(&keys->tls);
        free(keys);
    }
    free((void *)(uintptr_t)service->options.certificate);
    free((void *)(uintptr_t)service->options.private_key);
    pthread_mutex_destroy(&service->inbox_lock);
    pthread_mutex_destroy(&service->table_lock);
    free(service);
}

uint16_t link_port(const struct link_service *service, bool tls, size_t index)
{
    for (size_t i = 0; i < service->listener_count; i++) {
        if (service->listeners[i].tls == tls && index-- == 0) {
            return service->listeners[i].port;
        }
    }
    return 0;
}

void link_rpc(struct link_service *service, int64_t device, const json_t *message, bool answers,
              link_done *done, void *ctx)
{
    char bytes[WIRE_MESSAGE_MAX];
    const size_t size = wire_write(message, -1, bytes);
    struct rpc *rpc = must(calloc(1, sizeof *rpc));
    struct order *what = must(calloc(1, sizeof *what + size));

    rpc->service = service;
    rpc->device = device;
    rpc->answers = answers;
    rpc->done = done;
    rpc->ctx = ctx;
    what->kind = ORDER_RPC;
    what->rpc = rpc;
    what->size = (uint32_t)size;
    memcpy(what->bytes, bytes, size);
    order(service, what);
}

void link_end_rpcs(struct link_service *service)
{
    struct order *what = must(calloc(1, sizeof *what));

    what->kind = ORDER_END_RPCS;
    order(service, what);
}

void link_work(struct link_service *service, int64_t device, void (*work)(void *ctx), void *ctx)
{
    if (service->workers == NULL) {
        work(ctx);
    } else {
        workers_add(service->workers, (uint64_t)device, work, ctx);
    }
}

bool link_has(struct link_service *service, int64_t device)
{
    pthread_mutex_lock(&service->table_lock);
    bool has = find_device(service, device) != NULL;
    pthread_mutex_unlock(&service->table_lock);
    return has;
}

void link_each(struct link_service *service, void (*each)(void *ctx, int64_t device), void *ctx)
{
    pthread_mutex_lock(&service->table_lock);
    for (size_t i = 0; i < BUCKETS; i++) {
        for (const struct link *link = service->devices[i]; link != NULL;
             link = link->next_device) {
            each(ctx, link->device);
        }
    }
    pthread_mutex_unlock(&service->table_lock);
}

void link_stats(struct link_service *service, struct link_stats *stats)
{
    pthread_mutex_lock(&service->table_lock);
    *stats = service->shown;
    pthread_mutex_unlock(&service->table_lock);
}
