/*
 * The radio: TCP connections of the program to the outside, through two FIFOs of the host to
 * updraft-radio (sim/radio), which does the networking. docs/emulator.md has the registers and the
 * frames.
 *
 * A frame belongs to one life of a connection: its tag holds the connection's number and how often
 * it was opened. So what was on its way when the program closed the connection, or the chip
 * restarted, is told from what comes later, and dropped.
 */
#include "rom.h"

enum { CONNECTIONS = 4, LIVES = 16 };
enum { HEAD = 4, FRAME = 4096 };
enum { OPEN = 'O', DATA = 'D', CLOSE = 'C' };
enum { SELECT = 0x00, ADDRESS = 0x04, SIZE = 0x08, COMMAND = 0x0C, MOVED = 0x10, STATE = 0x14 };
enum { COMMAND_OPEN = 1, COMMAND_CLOSE, COMMAND_SEND, COMMAND_RECEIVE };
enum { STATE_CLOSED, STATE_OPENING, STATE_OPEN, STATE_ENDED };
enum { PATIENCE_US = 10000000 };

static struct {
    int32_t in, out; /* -1: no radio */
    struct {
        uint8_t state;
        uint8_t life;
    } connection[CONNECTIONS];
    uint32_t selected;
    uint32_t address, size, moved;
    uint8_t head[HEAD]; /* of the frame that is being read */
    uint32_t head_size; /* bytes of it that have come */
    uint32_t left;      /* bytes of a DATA frame that have not been read */
} radio = {.in = -1, .out = -1};

void radio_attach(const char *in, const char *out)
{
    /* Opened for both directions a FIFO never waits for its other end, and never ends. */
    radio.in = host_open(in, HOST_READ_WRITE | HOST_NO_WAIT);
    radio.out = host_open(out, HOST_READ_WRITE | HOST_NO_WAIT);
    if (radio.in < 0 || radio.out < 0) {
        machine_fail("cannot open the radio's", radio.in < 0 ? in : out);
    }
}

static uint8_t tag(uint32_t number)
{
    return (uint8_t)(radio.connection[number].life << 4 | number);
}

/* Frames of up to FRAME bytes go into a FIFO whole or not at all. */
static bool put(uint8_t kind, uint32_t number, const void *data, uint32_t size)
{
    static uint8_t frame[FRAME];

    frame[0] = kind;
    frame[1] = tag(number);
    frame[2] = (uint8_t)size;
    frame[3] = (uint8_t)(size >> 8);
    memcpy(frame + HEAD, data, size);
    return host_put(radio.out, frame, HEAD + size) > 0;
}

static void put_surely(uint8_t kind, uint32_t number)
{
    while (!put(kind, number, NULL, 0)) {
        if (!host_writable(radio.out, PATIENCE_US)) {
            machine_fail("takes nothing any more:", "the radio");
        }
    }
}

/* True when the frame that begins with head[] is of the connection's present life. */
static bool head_is_current(void)
{
    uint32_t number = radio.head[1] & 15;
    return number < CONNECTIONS && radio.head[1] == tag(number) &&
           radio.connection[number].state != STATE_CLOSED;
}

/* Take the bytes of a frame that nobody wants. @return false when some have not come yet */
static bool drop(void)
{
    static uint8_t nowhere[256];

    while (radio.left > 0) {
        uint32_t size = radio.left < sizeof nowhere ? radio.left : sizeof nowhere;
        int32_t got = host_read(radio.in, nowhere, size);
        if (got <= 0) {
            return false;
        }
        radio.left -= (uint32_t)got;
    }
    return true;
}

/* Read frames up to the first that holds data for the program. */
static void pump(void)
{
    while (radio.in >= 0) {
        if (radio.head_size < HEAD) {
            int32_t got = host_read(radio.in, radio.head + radio.head_size, HEAD - radio.head_size);
            if (got <= 0) {
                return;
            }
            radio.head_size += (uint32_t)got;
            if (radio.head_size < HEAD) {
                continue;
            }
            radio.left = (uint32_t)(radio.head[2] | radio.head[3] << 8);
        }
        bool current = head_is_current();
        if (current && radio.head[0] == DATA && radio.left > 0) {
            return;
        }
        if (!drop()) {
            return;
        }
        radio.head_size = 0;
        if (current && radio.head[0] == OPEN) {
            radio.connection[radio.head[1] & 15].state = STATE_OPEN;
        } else if (current && radio.head[0] == CLOSE) {
            radio.connection[radio.head[1] & 15].state = STATE_ENDED;
        }
    }
}

static void open_connection(uint32_t number)
{
    if (radio.in < 0) {
        radio.connection[number].state = STATE_ENDED;
        return;
    }
    radio.connection[number].life = (uint8_t)((radio.connection[number].life + 1) % LIVES);
    radio.connection[number].state = STATE_OPENING;
    put_surely(OPEN, number);
}

static void close_connection(uint32_t number)
{
    if (radio.in >= 0 && radio.connection[number].state != STATE_CLOSED) {
        put_surely(CLOSE, number);
    }
    radio.connection[number].state = STATE_CLOSED;
}

/* The program's buffer. It must lie in data RAM. */
static uint8_t *buffer(void)
{
    const uint32_t first = 0x3FFE8000;
    const uint32_t limit = 0x40000000;

    if (radio.address < first || radio.address > limit || radio.size > limit - radio.address) {
        machine_fail("outside of data RAM:", "the radio's buffer");
    }
    return (uint8_t *)(uintptr_t)radio.address;
}

static void send(uint32_t number)
{
    const uint8_t *data = buffer();
    uint32_t size = radio.size < FRAME - HEAD ? radio.size : FRAME - HEAD;

    radio.moved = 0;
    if (radio.connection[number].state == STATE_OPEN && size > 0 && put(DATA, number, data, size)) {
        radio.moved = size;
    }
}

static void receive(uint32_t number)
{
    uint8_t *data = buffer();

    radio.moved = 0;
    for (pump(); radio.moved < radio.size; pump()) {
        if (radio.head_size < HEAD || radio.head[1] != tag(number) ||
            radio.connection[number].state != STATE_OPEN) {
            return;
        }
        uint32_t size = radio.size - radio.moved;
        int32_t got =
            host_read(radio.in, data + radio.moved, size < radio.left ? size : radio.left);
        if (got <= 0) {
            return;
        }
        radio.moved += (uint32_t)got;
        radio.left -= (uint32_t)got;
        if (radio.left == 0) {
            radio.head_size = 0;
        }
    }
}

void radio_restart(void)
{
    for (uint32_t i = 0; i < CONNECTIONS; i++) {
        close_connection(i);
    }
    radio.selected = radio.address = radio.size = radio.moved = 0;
}

bool radio_is_open(void)
{
    for (uint32_t i = 0; i < CONNECTIONS; i++) {
        if (radio.connection[i].state == STATE_OPENING || radio.connection[i].state == STATE_OPEN) {
            return true;
        }
    }
    return false;
}

void radio_wait(uint32_t us)
{
    (void)host_readable(radio.in, us);
}

bool radio_load(uint32_t offset, uint32_t *value)
{
    switch (offset) {
    case SELECT:
        *value = radio.selected;
        return true;
    case ADDRESS:
        *value = radio.address;
        return true;
    case SIZE:
        *value = radio.size;
        return true;
    case COMMAND:
        *value = 0;
        return true;
    case MOVED:
        *value = radio.moved;
        return true;
    case STATE:
        pump();
        *value = radio.connection[radio.selected].state;
        return true;
    default:
        return false;
    }
}

static void command(uint32_t what)
{
    switch (what) {
    case COMMAND_OPEN:
        close_connection(radio.selected);
        open_connection(radio.selected);
        break;
    case COMMAND_CLOSE:
        close_connection(radio.selected);
        break;
    case COMMAND_SEND:
        send(radio.selected);
        break;
    case COMMAND_RECEIVE:
        receive(radio.selected);
        break;
    default:
        machine_fail("not a command of", "the radio");
    }
}

bool radio_store(uint32_t offset, uint32_t value)
{
    switch (offset) {
    case SELECT:
        if (value >= CONNECTIONS) {
            machine_fail("not a connection of", "the radio");
        }
        radio.selected = value;
        return true;
    case ADDRESS:
        radio.address = value;
        return true;
    case SIZE:
        radio.size = value;
        return true;
    case COMMAND:
        command(value);
        return true;
    default:
        return false;
    }
}
