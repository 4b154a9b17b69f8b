/*
 * The smart clock on an ESP8266 without SDK: the start in RAM, then the clock's loop in the flash
 * window.
 */
#include "application.h"
#include "build.h"
#include "chip.h"
#include "chip_flash.h"
#include "radio.h"
#include "text.h"

enum { IDLE_US = 20000 };

/* Everything that the clock remembers. */
struct machine {
    struct chip_time time;
    struct chip_flash flash;
    struct application application;
    struct display shown;
    struct radio_wire images, orders;
    uint32_t kept_s;
    char id[7];
    char mac[CHIP_MAC_SIZE];
};

void call_user_start1(void);

extern uint32_t _bss_start, _bss_end;

/* --- In the flash window --------------------------------------------------------------------- */

static void restart(void *ctx)
{
    (void)ctx;
    software_reset();
}

static void print_line(void *ctx, const char *line)
{
    (void)ctx;
    ets_printf("%s\n", line);
}

/* The flash window shows the slot that this image was made for. */
static bool window_shows(void *ctx, const struct label *label)
{
    const volatile uint32_t *window = (const volatile uint32_t *)(uintptr_t)&build_label;
    uint32_t words[LABEL_SIZE / 4];

    (void)ctx;
    memcpy(words, label, sizeof words);
    for (uint32_t i = 0; i < LABEL_SIZE / 4; i++) {
        if (window[i] != words[i]) {
            return false;
        }
    }
    return true;
}

static uint32_t random_bits(void *ctx)
{
    (void)ctx;
    return chip_random();
}

static void show(struct machine *machine)
{
    const struct clock *clock = &machine->application.clock;
    char drawing[DISPLAY_DRAWING_SIZE];
    uint32_t unix_s = clock_unix_s(clock);

    if (!display_same(&machine->shown, &clock->display)) {
        machine->shown = clock->display;
        display_draw(&machine->shown, drawing);
        ets_printf("%s", drawing);
    }
    if (unix_s != machine->kept_s) {
        machine->kept_s = unix_s;
        chip_keep_time(unix_s);
    }
}

static void start(struct machine *machine, uint8_t map)
{
    struct text id = text_on(machine->id, sizeof machine->id);
    const struct application_port port = {
        .flash = &machine->flash.flash,
        .net = &radio_net,
        .images = &machine->images.transport,
        .orders = &machine->orders.transport,
        .random = random_bits,
        .restart = restart,
        .log = print_line,
        .sees = window_shows,
    };
    const struct application_config config = {
        .version = build.version,
        .check_every = build.check_every,
        .id = machine->id,
        .way = build.way,
        .server = build.server,
        .mac = machine->mac,
        .slot = build.slot,
        .map = map,
        .mute = build.fault == FAULT_MUTE,
    };

    chip_start_time(&machine->time);
    text_hex(&id, chip_id(), 6);
    chip_mac(machine->mac);
    radio_wire_init(&machine->images, RADIO_IMAGES);
    radio_wire_init(&machine->orders, RADIO_ORDERS);
    ets_printf("\n");
    (void)application_start(&machine->application, &port, &config, chip_kept_time());
}

/* Not to be drawn into its caller, which runs from RAM. */
static __attribute__((noinline)) _Noreturn void run(uint8_t map_number, uint8_t megabyte)
{
    static struct machine machine;
    const struct upd_flash_map *map = upd_flash_map(map_number);

    if (map == 0 || !map->fota) {
        ets_printf("flash map %u has no two slots\n", map_number);
        for (;;) {
            chip_feed_watchdog();
        }
    }
    chip_flash_init(&machine.flash, map->size, megabyte);
    start(&machine, map_number);
    for (;;) {
        chip_feed_watchdog();
        uint32_t now_ms = chip_time_ms(&machine.time);
        bool busy = application_step(&machine.application, now_ms, chip_button_is_pressed());
        show(&machine);
        if (!busy) {
            ets_delay_us(IDLE_US);
        }
    }
}

/* --- In RAM ---------------------------------------------------------------------------------- */

/* user2 of the maps with 1024 KiB a slot lies in the second megabyte. */
static IN_RAM uint8_t megabyte_of(uint8_t map)
{
    return map >= 5 && build.slot == 2 ? 1 : 0;
}

IN_RAM void call_user_start1(void)
{
    chip_start_watchdog();
    if (build.fault == FAULT_CRASH) {
        __asm__ volatile("ill");
    }
    if (build.fault == FAULT_HANG) {
        for (;;) {
        }
    }
    for (uint32_t *word = &_bss_start; word < &_bss_end; word++) {
        *word = 0;
    }
    uint8_t map = chip_flash_setting() >> 4;
    uint8_t megabyte = megabyte_of(map);
    chip_flash_open_window(megabyte);
    run(map, megabyte);
}
