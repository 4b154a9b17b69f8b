/*
 * updraft-radio: TCP for the emulated ESP8266. Connections that its firmware opens come as frames
 * out of one FIFO, and what their other ends say goes as frames into another one. The firmware
 * names no address: its connection number N leads to the N-th address of the command line.
 *
 * The frames: docs/emulator.md. The chip's side: sim/rom/radio.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNECTIONS = 4 };
enum { HEAD = 4, FRAME = 4096, PAYLOAD = FRAME - HEAD };
enum { OPEN = 'O', DATA = 'D', CLOSE = 'C' };
enum { EXIT_USAGE = 2, EXIT_NETWORK = 4 };

struct connection {
    struct addrinfo *address; /* NULL: the command line has none of this number */
    struct addrinfo *untried; /* what is left of it, while connecting */
    int socket;               /* -1: none */
    bool connecting;
    uint8_t tag;              /* of the frame that opened it */
    uint8_t waiting[PAYLOAD]; /* for the socket to take them */
    size_t waiting_size;
};

struct radio {
    int to_chip, from_chip;
    struct connection connection[CONNECTIONS];
    uint8_t frame[FRAME]; /* from the chip */
    size_t frame_size;
};

static _Noreturn void die(int status, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    fputs("updraft-radio: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(status);
}

static struct addrinfo *look_up(const char *text)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    char host[256];
    const char *colon = strrchr(text, ':');

    if (colon == NULL || colon == text || (size_t)(colon - text) >= sizeof host) {
        die(EXIT_USAGE, "%s: an address is HOST:PORT", text);
    }
    size_t size = (size_t)(colon - text);
    if (text[0] == '[' && colon[-1] == ']') { /* an IPv6 address */
        text++;
        size -= 2;
    }
    memcpy(host, text, size);
    host[size] = '\0';
    int problem = getaddrinfo(host, colon + 1, &hints, &found);
    if (problem != 0) {
        die(EXIT_NETWORK, "%s: %s", text, gai_strerror(problem));
    }
    return found;
}

/* Waits until the chip takes the frame: what it does not read in time waits in the TCP connection.
 */
static void tell_chip(struct radio *radio, uint8_t kind, uint8_t tag, const uint8_t *data,
                      size_t size)
{
    uint8_t frame[FRAME] = {kind, tag, (uint8_t)size, (uint8_t)(size >> 8)};

    if (size > 0) {
        memcpy(frame + HEAD, data, size);
    }
    for (size_t done = 0; done < HEAD + size;) {
        ssize_t put = write(radio->to_chip, frame + done, HEAD + size - done);
        if (put < 0) {
            exit(EXIT_SUCCESS); /* the emulator is gone */
        }
        done += (size_t)put;
    }
}

static void hang_up(struct connection *connection)
{
    if (connection->socket >= 0) {
        close(connection->socket);
    }
    connection->socket = -1;
    connection->connecting = false;
    connection->waiting_size = 0;
}

static void end(struct radio *radio, struct connection *connection)
{
    hang_up(connection);
    tell_chip(radio, CLOSE, connection->tag, NULL, 0);
}

/* A host may have several addresses: the first that answers is taken. */
static void try_next_address(struct radio *radio, struct connection *connection)
{
    while (connection->untried != NULL) {
        const struct addrinfo *address = connection->untried;
        connection->untried = address->ai_next;
        hang_up(connection);
        connection->socket =
            socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (connection->socket >= 0 &&
            (connect(connection->socket, address->ai_addr, address->ai_addrlen) == 0 ||
             errno == EINPROGRESS)) {
            connection->connecting = true;
            return;
        }
    }
    end(radio, connection);
}

static void begin(struct radio *radio, struct connection *connection, uint8_t tag)
{
    hang_up(connection);
    connection->tag = tag;
    connection->untried = connection->address;
    try_next_address(radio, connection);
}

/* The socket can be written to: it is connected, or it failed, or it takes what waits. */
static void push(struct radio *radio, struct connection *connection)
{
    if (connection->connecting) {
        int problem = 0;
        socklen_t size = sizeof problem;
        if (getsockopt(connection->socket, SOL_SOCKET, SO_ERROR, &problem, &size) != 0 ||
            problem != 0) {
            try_next_address(radio, connection);
            return;
        }
        connection->connecting = false;
        tell_chip(radio, OPEN, connection->tag, NULL, 0);
    }
    if (connection->waiting_size == 0) {
        return;
    }
    ssize_t put =
        send(connection->socket, connection->waiting, connection->waiting_size, MSG_NOSIGNAL);
    if (put < 0 && errno != EAGAIN && errno != EINTR) {
        end(radio, connection);
    } else if (put > 0) {
        connection->waiting_size -= (size_t)put;
        memmove(connection->waiting, connection->waiting + put, connection->waiting_size);
    }
}

static void pull(struct radio *radio, struct connection *connection)
{
    uint8_t data[PAYLOAD];
    ssize_t got = recv(connection->socket, data, sizeof data, 0);

    if (got > 0) {
        tell_chip(radio, DATA, connection->tag, data, (size_t)got);
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
        end(radio, connection);
    }
}

static void obey(struct radio *radio)
{
    uint8_t tag = radio->frame[1];
    size_t size = radio->frame_size - HEAD;

    if ((tag & 15) >= CONNECTIONS) {
        die(EXIT_FAILURE, "a frame of connection %d, which is none", tag & 15);
    }
    struct connection *connection = &radio->connection[tag & 15];
    switch (radio->frame[0]) {
    case OPEN:
        begin(radio, connection, tag);
        break;
    case CLOSE:
        if (connection->tag == tag) {
            hang_up(connection);
        }
        break;
    case DATA:
        /* Late data for a connection that its other end has closed is nobody's. */
        if (connection->tag == tag && connection->socket >= 0) {
            memcpy(connection->waiting, radio->frame + HEAD, size);
            connection->waiting_size = size;
            push(radio, connection);
        }
        break;
    default:
        die(EXIT_FAILURE, "a frame of unknown kind 0x%02x", radio->frame[0]);
    }
}

/* Read a piece of the chip's next frame, and obey it when it is whole. */
static void listen_to_chip(struct radio *radio)
{
    size_t want = HEAD;

    if (radio->frame_size >= HEAD) {
        want = HEAD + (size_t)(radio->frame[2] | radio->frame[3] << 8);
    }
    if (want > FRAME) {
        die(EXIT_FAILURE, "a frame of %zu bytes, which is longer than any", want);
    }
    if (radio->frame_size < want) {
        ssize_t got =
            read(radio->from_chip, radio->frame + radio->frame_size, want - radio->frame_size);
        if (got <= 0) {
            exit(EXIT_SUCCESS); /* the emulator is gone */
        }
        radio->frame_size += (size_t)got;
        if (radio->frame_size < want ||
            (want == HEAD && (radio->frame[2] | radio->frame[3]) != 0)) {
            return;
        }
    }
    obey(radio);
    radio->frame_size = 0;
}

static void run(struct radio *radio)
{
    for (;;) {
        struct pollfd watched[1 + CONNECTIONS] = {{radio->from_chip, POLLIN, 0}};

        for (size_t i = 0; i < CONNECTIONS; i++) {
            const struct connection *connection = &radio->connection[i];
            bool pushes = connection->connecting || connection->waiting_size > 0;
            watched[1 + i].fd = connection->socket;
            watched[1 + i].events =
                (short)((connection->connecting ? 0 : POLLIN) | (pushes ? POLLOUT : 0));
            if (connection->waiting_size > 0) {
                watched[0].fd = -1; /* one frame at a time */
            }
        }
        if (poll(watched, 1 + CONNECTIONS, -1) < 0 && errno != EINTR) {
            die(EXIT_FAILURE, "poll: %s", strerror(errno));
        }
        for (size_t i = 0; i < CONNECTIONS; i++) {
            struct connection *connection = &radio->connection[i];
            int events = connection->socket == watched[1 + i].fd ? watched[1 + i].revents : 0;
            if (connection->socket >= 0 && (events & (POLLOUT | POLLERR | POLLHUP)) != 0 &&
                (connection->connecting || connection->waiting_size > 0)) {
                push(radio, connection);
            } else if (connection->socket >= 0 && events != 0) {
                pull(radio, connection);
            }
        }
        if (watched[0].fd >= 0 && watched[0].revents != 0) {
            listen_to_chip(radio);
        }
    }
}

int main(int argc, char **argv)
{
    static struct radio radio;

    if (argc == 2 && (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0)) {
        puts("usage: updraft-radio TO_CHIP FROM_CHIP HOST:PORT...\n\n"
             "TCP for an emulated ESP8266: connects its radio, which is the two FIFOs, to the\n"
             "addresses. Ends when the emulator does.");
        return EXIT_SUCCESS;
    }
    if (argc < 4 || argc > 3 + CONNECTIONS) {
        die(EXIT_USAGE, "usage: updraft-radio TO_CHIP FROM_CHIP HOST:PORT... (at most %d)",
            CONNECTIONS);
    }
    for (int i = 0; i < CONNECTIONS; i++) {
        radio.connection[i].socket = -1;
        radio.connection[i].address = 3 + i < argc ? look_up(argv[3 + i]) : NULL;
    }
    signal(SIGPIPE, SIG_IGN);
    /* Each opening waits for the emulator. */
    radio.from_chip = open(argv[2], O_RDONLY | O_CLOEXEC);
    radio.to_chip = open(argv[1], O_WRONLY | O_CLOEXEC);
    if (radio.from_chip < 0 || radio.to_chip < 0) {
        die(EXIT_FAILURE, "%s: %s", argv[radio.from_chip < 0 ? 2 : 1], strerror(errno));
    }
    run(&radio);
}
