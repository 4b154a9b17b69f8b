/*
 * sim/rom: a stand-in for the ESP8266's mask ROM and the hardware around it, for
 * `qemu-system-xtensa -M sim -cpu lx106`: enough of the chip that boot loaders and firmware run
 * unmodified, over a flash image in a file of the host. docs/emulator.md is its manual.
 *
 *   machine.c  power on, restart, power cut, what a run ends with, the host's orders
 *   boot.c     the ROM's own loader: image at flash 0 -> RAM -> jump
 *   spi.c      SPIRead .. over the flash file, tearing, the 1 MiB window at 0x40200000
 *   mmio.c     registers of the chip, served from the exception that an access raises
 *   time.c     microseconds, and what becomes of delays
 *   radio.c    TCP connections of the program, through two FIFOs of the host
 *   libc.c     ets_printf and the memory functions
 *   host.c     files of the host through the emulator's simcalls
 */
#ifndef SIM_ROM_H
#define SIM_ROM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <updraft/sim_tear.h>

/* --- host.c: files of the host --- */

enum { HOST_READ = 0, HOST_WRITE = 1, HOST_READ_WRITE = 2, HOST_NO_WAIT = 0x800 };
int32_t host_call(uint32_t number, uint32_t a, uint32_t b, uint32_t c, uint32_t d, uint32_t e);
/** Open a file of the host that exists. @return descriptor, or -1. */
int32_t host_open(const char *path, uint32_t how);
/** Read `size` bytes at `offset`, or end the machine with a message. */
void host_read_at(int32_t file, uint32_t offset, void *data, uint32_t size);
void host_write_at(int32_t file, uint32_t offset, const void *data, uint32_t size);
/** @return size of the file in bytes; the machine ends with a message when it has none */
uint32_t host_size(int32_t file);
/** Read what is there, at most `size` bytes. @return bytes, 0 at the end, -1 on an error */
int32_t host_read(int32_t file, void *data, uint32_t size);
void host_write(int32_t file, const void *data, uint32_t size);
/** Write all or nothing. @return bytes, or -1 */
int32_t host_put(int32_t file, const void *data, uint32_t size);
/** Wait up to `us`. @return true when host_read() would not wait */
bool host_readable(int32_t file, uint32_t us);
/** Wait up to `us`. @return true when host_write() would not wait */
bool host_writable(int32_t file, uint32_t us);
/** Let so much time of the host pass. */
void host_sleep(uint32_t us);
_Noreturn void host_exit(uint32_t status);
/** Argument `index` of the machine, from 0; "" when it has none. */
const char *host_argument(uint32_t index);

/* --- libc.c --- */

int ets_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
void *memcpy(void *restrict target, const void *restrict source, size_t size);
void *memmove(void *target, const void *source, size_t size);
void *memset(void *target, int value, size_t size);
int memcmp(const void *one, const void *other, size_t size);
bool text_same(const char *one, const char *other);
bool text_starts(const char *text, const char *start);
/** Decimal or 0x number at *text, which moves behind it. */
uint32_t text_number(const char **text);

/* --- boot.c, rom.S --- */

/** Load the image at flash 0 as the chip's ROM does, and run it. */
_Noreturn void rom_boot(void);
_Noreturn void rom_start_code(uint32_t entry, uint32_t stack);
_Noreturn void rom_unwind(void (*function)(void));
_Noreturn void rom_returned(void);

/* --- machine.c --- */

/** Causes as rtc_get_reset_reason() gives them. */
enum reset_cause { RESET_POWER = 1, RESET_EXTERNAL = 2, RESET_WATCHDOG = 4, RESET_SOFTWARE = 5 };

/** What a run ended with: the line that the host gets. */
_Noreturn void machine_end(const char *event, uint32_t value);
/** Restart with RTC memory kept; never returns to the caller. */
_Noreturn void machine_restart(enum reset_cause cause);
/** The stand-in itself cannot go on: message, exit status 2. */
_Noreturn void machine_fail(const char *what, const char *name);
enum reset_cause machine_cause(void);
/** An application begins, which opens the flash window: from here its stack, below `top`, counts. */
void machine_watch_stack(uintptr_t top);
/** Where the stack of loaded code begins; it grows down. */
#define STACK_TOP 0x3FFFFFF0u

/* --- spi.c --- */

struct flashchip {
    uint32_t device_id, chip_size, block_size, sector_size, page_size, status_mask;
};
extern struct flashchip flashchip;

/** Take the flash file; its size is the size of the chip. */
void spi_attach(const char *path);
/** As after power on: operations are counted from 0. */
void spi_power_on(void);
/** As after any reset: parameters of the chip to their defaults, window unmapped. */
void spi_restart(void);
/** True when an instruction at `pc` lies in the flash window while it is shut. */
bool spi_is_shut(uint32_t pc);
/** Cut power at operation `at` (0 is the first; UINT32_MAX never), torn as sim_tear.h says. */
void spi_cut_at(uint32_t at, enum sim_tear_kind kind, uint32_t amount, uint32_t seed);
/** How unstable cells read from now on. */
enum weak_reads { WEAK_RANDOM, WEAK_ONES, WEAK_ZEROS };
void spi_read_weak(enum weak_reads how);
/** The host put another flash into the file: no cell is unstable any more. */
void spi_new_flash(void);
/** The flash file. */
int32_t spi_file(void);
/** Erases and page programs since power on. */
uint32_t spi_operations(void);
/** Flash address of the last SPIRead. */
uint32_t spi_last_read(void);
int SPIRead(uint32_t address, void *data, uint32_t size);

/* --- mmio.c --- */

/** Registers and pins as after power on; RTC memory is left to mmio_rtc(). */
void mmio_power_on(void);
/** RTC memory after power on: `keep` 0 zero, 1 kept, 2 garbage from `seed`. */
void mmio_rtc(uint32_t keep, uint32_t seed);
/** Registers as after a restart; RTC memory is kept. */
void mmio_restart(void);
/** The last three bytes of the chip's MAC address. */
void mmio_id(uint32_t number);
/** The level of an input pin, 0 or 1, for the GPIO input word, from `at_ms` after power on. Up to
 * 16 changes can wait for their time. */
void mmio_pin(uint32_t pin, uint32_t level, uint32_t at_ms);
/** Load from or store to a register. @return false for an address that has none */
bool mmio_load(uint32_t address, uint32_t *value);
bool mmio_store(uint32_t address, uint32_t value);
bool mmio_watchdog_enabled(void);
/** True when a program that started the watchdog has not fed it for long. */
bool mmio_watchdog_starving(void);

/* --- time.c --- */

void time_power_on(void);
/** Microseconds of the chip since power on. To be called every minute at least. */
uint64_t time_us(void);
/** Let so much time of the chip pass; `live`: and of the host. */
void time_wait(uint32_t us, bool live);

/* --- radio.c --- */

/** Take the FIFOs from and to updraft-radio. Without them no connection is ever made. */
void radio_attach(const char *in, const char *out);
/** All connections are closed, as by any reset. */
void radio_restart(void);
/** True while the program has a connection, or waits for one. */
bool radio_is_open(void);
/** Wait up to `us` of the host's time for a frame. */
void radio_wait(uint32_t us);
/** The registers, by their offset from RADIO_REGISTERS. @return false for an offset without one */
bool radio_load(uint32_t offset, uint32_t *value);
bool radio_store(uint32_t offset, uint32_t value);
#define RADIO_REGISTERS 0x60001F80u
enum { RADIO_REGISTERS_SIZE = 0x20 };

#endif
