/*
 * Power on, restarts, and what a run ends with.
 *
 * Arguments of the machine: FLASH [ORDERS REPORTS [RADIO_IN RADIO_OUT]]. Without orders it powers
 * on once, `live`, runs until something ends the run, and exits. With them it reads orders, a line
 * each, from the file ORDERS (a FIFO as a rule), and answers each run with a line in the file
 * REPORTS:
 *
 *   boot [WORD...]    a power-on: nothing but flash survives. The words:
 *     rtc zero|keep|garbage     what RTC memory holds (zero)
 *     seed N                    for garbage, and for a tear
 *     cut N TEAR                power goes at flash operation N, torn as a kind of sim_tear.h
 *     amount N                  of that tear
 *     cells random|ones|zeros   how unstable cells read (random)
 *     new                       the flash is another one: no cell is unstable any more
 *     pin N LEVEL [at MS]       level of an input pin, from so many milliseconds of the chip on
 *     id N                      last three bytes of the MAC address (0xC10C33)
 *     stop ADDRESS              ends the run at that instruction
 *     survive                   a crash restarts the chip, as its watchdog does, if that is on
 *     live                      delays take the host's time
 *   pin N LEVEL       during a run: the level of an input pin, from now on
 *   halt              during a run: ends it; else nothing
 *   quit              ends the machine, as does the end of the file
 *
 * The answer is
 *
 *   EVENT VALUE ops=N read=ADDRESS restarts=N cycles=N stack=N
 *
 * with EVENT one of: app (the program reported VALUE), stopped (reached ADDRESS), cut (power went
 * during the operation on flash address VALUE), returned (the boot loader gave up), rom (the ROM
 * found no image), exception (VALUE is its pc), restarts (the machine restarts in circles), halted.
 * stack: bytes that applications have used since they opened the flash window, functions of the
 * ROM included; 0 when none did.
 */
#include "rom.h"

enum { MAX_RESTARTS = 64 };
#define REPORT_REGISTER                                                                            \
    0x60001FFCu /* no register of the chip: a program stores its report here                       \
                 */

static struct {
    int32_t orders, reports; /* -1: none */
    const char *pending;     /* an order that came during a run, and is for later; or NULL */
    bool no_more_orders;
    bool survive, live;
    enum reset_cause cause;
    uint32_t restarts;
    uint32_t first_cycle;
    uint32_t stop;
    bool stack_watched;
    uint32_t stack_used; /* bytes, the most so far */
} machine;

int32_t machine_main(void);
void rom_exception(uint32_t *frame);
_Noreturn void rom_double_exception(void);
_Noreturn void rom_stopped(void);
uint32_t rtc_get_reset_reason(void);
_Noreturn void software_reset(void);
_Noreturn void rom_restart(void);
void ets_delay_us(uint32_t us);
void uart_div_modify(uint32_t uart, uint32_t divisor);
uint32_t gpio_input_get(void);

static uint32_t cycles(void)
{
    uint32_t value;
    __asm__ volatile("rsr %0, ccount" : "=r"(value));
    return value;
}

static void set_timer(void)
{
    __asm__ volatile("wsr %0, ccompare0" ::"r"(cycles() + 1000000));
}

/* Memory after power on holds nothing that a program may count on. */
static void spoil_memory(void)
{
    for (uint32_t at = 0x3FFE8000; at < 0x3FFFC000; at += 4) {
        *(volatile uint32_t *)(uintptr_t)at = 0xA5A50000 ^ at;
    }
    for (uint32_t at = 0x40100000; at < 0x40110000; at += 4) {
        *(volatile uint32_t *)(uintptr_t)at = 0;
    }
}

#define STACK_BOTTOM (STACK_TOP - 0x2FF0u) /* far beyond what the chip has */
#define STACK_PAINT 0x5AC3A53Cu

static void note_stack(void)
{
    const volatile uint32_t *at = (const volatile uint32_t *)(uintptr_t)STACK_BOTTOM;

    while (machine.stack_watched && *at == STACK_PAINT) {
        at++;
    }
    uint32_t used = machine.stack_watched ? STACK_TOP - (uint32_t)(uintptr_t)at : 0;
    machine.stack_used = used > machine.stack_used ? used : machine.stack_used;
    machine.stack_watched = false;
}

void machine_watch_stack(uintptr_t top)
{
    enum { OWN_FRAME = 64 };
    volatile uint32_t *at = (volatile uint32_t *)(uintptr_t)STACK_BOTTOM;

    for (; (uintptr_t)at < top - OWN_FRAME; at++) {
        *at = STACK_PAINT;
    }
    machine.stack_watched = true;
}

static void report(const char *event, uint32_t value)
{
    note_stack();
    static char line[160];
    static const char digits[] = "0123456789abcdef";
    const struct {
        const char *name;
        uint32_t value;
    } fields[] = {
        {" 0x", value},
        {" ops=0x", spi_operations()},
        {" read=0x", spi_last_read()},
        {" restarts=0x", machine.restarts},
        {" cycles=0x", cycles() - machine.first_cycle},
        {" stack=0x", machine.stack_used},
    };
    uint32_t size = 0;

    for (const char *at = event; *at != '\0'; at++) {
        line[size++] = *at;
    }
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        for (const char *at = fields[i].name; *at != '\0'; at++) {
            line[size++] = *at;
        }
        for (uint32_t shift = 32; shift > 0; shift -= 4) {
            line[size++] = digits[fields[i].value >> (shift - 4) & 15];
        }
    }
    line[size++] = '\n';
    host_write(machine.reports < 0 ? 1 : machine.reports, line, size);
}

/* Read one order; NULL at the end of the file. */
static const char *next_order(void)
{
    static char line[1024];
    uint32_t size = 0;

    if (machine.pending != NULL) {
        const char *order = machine.pending;
        machine.pending = NULL;
        return order;
    }
    for (;;) {
        if (host_read(machine.orders, &line[size], 1) != 1) {
            return NULL;
        }
        if (line[size] == '\n') {
            line[size] = '\0';
            return line;
        }
        if (++size == sizeof line) {
            machine_fail("an order is longer than", "a line");
        }
    }
}

static void skip_blanks(const char **text)
{
    while (**text == ' ') {
        (*text)++;
    }
}

static bool take_word(const char **text, const char *word)
{
    skip_blanks(text);
    const char *at = *text;
    if (!text_starts(at, word)) {
        return false;
    }
    while (*word != '\0') {
        at++;
        word++;
    }
    if (*at != ' ' && *at != '\0') {
        return false;
    }
    *text = at;
    return true;
}

static uint32_t take_number(const char **text)
{
    skip_blanks(text);
    return text_number(text);
}

/* The position of the next word in a list, which must be there. */
static uint32_t take_choice(const char **text, const char *const *words, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (take_word(text, words[i])) {
            return i;
        }
    }
    machine_fail("not a word of this order:", *text);
}

static void take_pin(const char **order)
{
    uint32_t pin = take_number(order) & 15;
    uint32_t level = take_number(order) & 1;
    mmio_pin(pin, level, take_word(order, "at") ? take_number(order) : 0);
}

/* Obey what the host says during a run. */
static void look_at_orders(void)
{
    while (machine.orders >= 0 && machine.pending == NULL && !machine.no_more_orders &&
           host_readable(machine.orders, 0)) {
        const char *order = next_order();
        if (order == NULL) {
            machine.no_more_orders = true;
        } else if (take_word(&order, "halt")) {
            machine_end("halted", 0);
        } else if (take_word(&order, "pin")) {
            take_pin(&order);
        } else {
            machine.pending = order;
        }
    }
}

static _Noreturn void restart(void)
{
    note_stack();
    mmio_restart();
    spi_restart();
    radio_restart();
    set_timer();
    rom_boot();
}

static _Noreturn void power_on(const char *order)
{
    static const char *const kept[] = {"zero", "keep", "garbage"};
    static const char *const cells[] = {"random", "ones", "zeros"};
    static const char *const tears[] = {
#define X(name, erase, program, text) #name,
        SIM_TEARS(X)
#undef X
    };
    uint32_t keep = 0;
    uint32_t seed = 1;
    uint32_t cut = UINT32_MAX;
    enum sim_tear_kind kind = SIM_TEAR_ANY;
    uint32_t amount = SIM_TEAR_SEEDED;
    enum weak_reads reads = WEAK_RANDOM;

    machine.stop = 0;
    machine.restarts = 0;
    machine.stack_used = 0;
    machine.cause = RESET_POWER;
    machine.survive = false;
    machine.live = machine.orders < 0;
    time_power_on();
    mmio_power_on();
    mmio_id(0xC10C33);
    for (skip_blanks(&order); *order != '\0'; skip_blanks(&order)) {
        if (take_word(&order, "rtc")) {
            keep = take_choice(&order, kept, 3);
        } else if (take_word(&order, "seed")) {
            seed = take_number(&order);
        } else if (take_word(&order, "cut")) {
            cut = take_number(&order);
            kind = (enum sim_tear_kind)take_choice(&order, tears, SIM_TEAR_COUNT);
        } else if (take_word(&order, "amount")) {
            amount = take_number(&order);
        } else if (take_word(&order, "cells")) {
            reads = (enum weak_reads)take_choice(&order, cells, 3);
        } else if (take_word(&order, "new")) {
            spi_new_flash();
        } else if (take_word(&order, "pin")) {
            take_pin(&order);
        } else if (take_word(&order, "id")) {
            mmio_id(take_number(&order));
        } else if (take_word(&order, "survive")) {
            machine.survive = true;
        } else if (take_word(&order, "live")) {
            machine.live = true;
        } else if (take_word(&order, "stop")) {
            machine.stop = take_number(&order);
        } else {
            machine_fail("not understood:", order);
        }
    }
    spoil_memory();
    mmio_rtc(keep, seed);
    spi_power_on();
    spi_cut_at(cut, kind, amount, seed);
    spi_read_weak(reads);
    __asm__ volatile("wsr %0, ibreaka0" ::"r"(machine.stop));
    __asm__ volatile("wsr %0, ibreakenable" ::"r"(machine.stop != 0));
    machine.first_cycle = cycles();
    restart();
}

static void next(void)
{
    if (machine.orders < 0) {
        host_exit(0);
    }
    for (;;) {
        const char *order = machine.no_more_orders ? NULL : next_order();
        if (order == NULL || take_word(&order, "quit")) {
            host_exit(0);
        } else if (take_word(&order, "boot")) {
            power_on(order);
        } else if (!take_word(&order, "halt") && !take_word(&order, "pin")) {
            machine_fail("not an order:", order);
        }
    }
}

int32_t machine_main(void)
{
    const char *orders = host_argument(1);

    machine.orders = machine.reports = -1;
    __asm__ volatile("wsr %0, intenable" ::"r"(1 << 6)); /* the CPU's timer */
    if (host_argument(0)[0] == '\0') {
        machine_fail("no flash file;", "arguments are FLASH [ORDERS REPORTS]");
    }
    spi_attach(host_argument(0));
    if (orders[0] == '\0') {
        power_on("");
    }
    machine.orders = host_open(orders, HOST_READ);
    machine.reports = host_open(host_argument(2), HOST_WRITE);
    if (machine.orders < 0 || machine.reports < 0) {
        machine_fail("cannot open", machine.orders < 0 ? orders : host_argument(2));
    }
    if (host_argument(3)[0] != '\0') {
        radio_attach(host_argument(3), host_argument(4));
    }
    rom_unwind(next);
}

void machine_end(const char *event, uint32_t value)
{
    report(event, value);
    rom_unwind(next);
}

void machine_restart(enum reset_cause cause)
{
    machine.cause = cause;
    if (++machine.restarts > MAX_RESTARTS) {
        machine_end("restarts", machine.restarts);
    }
    rom_unwind(restart);
}

void machine_fail(const char *what, const char *name)
{
    ets_printf("machine: %s %s\n", what, name);
    host_exit(2);
}

enum reset_cause machine_cause(void)
{
    return machine.cause;
}

/* --- ROM functions around the machine --- */

uint32_t rtc_get_reset_reason(void)
{
    return machine.cause;
}

void software_reset(void)
{
    machine_restart(RESET_SOFTWARE);
}

void rom_restart(void)
{
    machine_restart(RESET_SOFTWARE);
}

/* A loop of delays in front of a starving watchdog is how the original loaders restart. */
void ets_delay_us(uint32_t us)
{
    look_at_orders();
    time_wait(us, machine.live);
    if (mmio_watchdog_starving()) {
        machine_restart(RESET_WATCHDOG);
    }
}

void uart_div_modify(uint32_t uart, uint32_t divisor)
{
    (void)uart;
    (void)divisor;
}

uint32_t gpio_input_get(void)
{
    uint32_t pins = 0;
    (void)mmio_load(0x60000318, &pins);
    return pins & 0xFFFF;
}

/* --- exceptions --- */

enum { CAUSE_INTERRUPT = 4 };
enum { FRAME_PC = 17, FRAME_CAUSE = 18, FRAME_ADDRESS = 19 };

/* Do the load or store at pc on a register of the chip. @return size of the instruction, 0 when it
 * is none */
static uint32_t emulate_access(uint32_t *frame)
{
    const uint8_t *code = (const uint8_t *)(uintptr_t)frame[FRAME_PC];
    uint32_t address = frame[FRAME_ADDRESS];
    uint32_t *reg = &frame[code[0] >> 4];
    uint32_t kind = code[0] & 15;

    if (kind == 8 || (kind == 2 && code[1] >> 4 == 2)) { /* l32i.n, l32i */
        return mmio_load(address, reg) ? (kind == 8 ? 2 : 3) : 0;
    }
    if (kind == 9 || (kind == 2 && code[1] >> 4 == 6)) { /* s32i.n, s32i */
        if (address == REPORT_REGISTER) {
            machine_end("app", *reg);
        }
        return mmio_store(address, *reg) ? (kind == 9 ? 2 : 3) : 0;
    }
    return 0;
}

void rom_exception(uint32_t *frame)
{
    if (frame[FRAME_CAUSE] == CAUSE_INTERRUPT) {
        set_timer();
        look_at_orders();
        if (spi_is_shut(frame[FRAME_PC])) {
            machine_fail("runs while shut:", "code in the flash window");
        }
        if (mmio_watchdog_starving()) {
            machine_restart(RESET_WATCHDOG);
        }
        return;
    }
    uint32_t size = emulate_access(frame);
    if (size == 0) {
        ets_printf("Fatal exception (%d): epc1=0x%08x, excvaddr=0x%08x\n", (int)frame[FRAME_CAUSE],
                   frame[FRAME_PC], frame[FRAME_ADDRESS]);
        if (machine.survive && mmio_watchdog_enabled()) {
            machine_restart(RESET_WATCHDOG);
        }
        machine_end("exception", frame[FRAME_PC]);
    }
    frame[FRAME_PC] += size;
}

void rom_stopped(void)
{
    machine_end("stopped", machine.stop);
}

void rom_double_exception(void)
{
    machine_fail("an exception", "within an exception");
}
