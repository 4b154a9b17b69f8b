/*
 * The SPI flash: a file of the host, program clears bits only, one sector erase or one page program
 * an operation. The power switch cuts at a chosen operation and tears it as the flash model does.
 */
#include "rom.h"

#include <updraft/sim_random.h>

enum { SPI_OK = 0, SPI_ERROR = 1 };
enum { SECTOR = 4096, PAGE = 256, BLOCK = 65536 };
enum { WEAK_SECTORS = 16 };
#define CHIP_SIZE_AT_POWER_ON                                                                      \
    0x400000u /* whatever the chip really has: the header does not tell the ROM */
#define WINDOW 0x40200000u
#define WINDOW_SIZE 0x100000u
#define NEVER 0xFFFFFFFFu

struct flashchip flashchip __attribute__((section(".chip")));
/* Callers find the structure through this pointer, at 0x3FFFC714. */
struct flashchip *flashchip_pointer __attribute__((section(".chip.pointer")));

static struct {
    int32_t file;
    uint32_t size;
    uint32_t operations;
    uint32_t cut_at;
    struct sim_tear tear;
    struct weak {
        uint32_t sector;
        bool used;
        uint8_t mask[SECTOR]; /* a 1 for each unstable cell */
    } weak[WEAK_SECTORS];
    struct sim_random noise;
    enum weak_reads reads;
    uint32_t last_read;
    /* ABSENT: the window holds illegal instructions. SHUT: it holds what it held, because to take
     * that away and bring it back at each access to flash is slow; whoever runs there is found. */
    enum { WINDOW_ABSENT, WINDOW_SHUT, WINDOW_OPEN } window;
    uint32_t megabyte;
} spi;

int SPIWrite(uint32_t address, const void *data, uint32_t size);
int SPIEraseSector(uint32_t sector);
int SPIEraseBlock(uint32_t block);
int SPIEraseArea(uint32_t address, uint32_t size);
int SPIEraseChip(void);
int SPIUnlock(void);
int SPILock(void);
int SPIReadModeCnfig(uint32_t mode);
int SPIParamCfg(uint32_t device_id, uint32_t chip_size, uint32_t block_size, uint32_t sector_size,
                uint32_t page_size, uint32_t status_mask);
int spi_read_status(struct flashchip *chip, uint32_t *status);
int spi_write_status(struct flashchip *chip, uint32_t status);
int spi_write_enable(struct flashchip *chip);
int wait_spi_idle(struct flashchip *chip);
void spi_flash_attach(void);
void Cache_Read_Enable(uint8_t odd_even, uint8_t pair, uint8_t size);
void Cache_Read_Disable(void);

void spi_attach(const char *path)
{
    spi.file = host_open(path, HOST_READ_WRITE);
    if (spi.file < 0) {
        machine_fail("cannot open the flash file", path);
    }
    spi.size = host_size(spi.file);
    if (spi.size == 0 || spi.size % SECTOR != 0) {
        machine_fail("not a whole number of sectors:", path);
    }
}

void spi_power_on(void)
{
    spi.operations = 0;
    spi.last_read = NEVER;
}

void spi_restart(void)
{
    flashchip_pointer = &flashchip;
    flashchip = (struct flashchip){0x1640EF, CHIP_SIZE_AT_POWER_ON, BLOCK, SECTOR, PAGE, 0xFFFF};
    if (spi.window != WINDOW_ABSENT) {
        uint32_t *word = (uint32_t *)(uintptr_t)WINDOW;
        for (uint32_t i = 0; i < WINDOW_SIZE / 4; i++) {
            word[i] = 0;
        }
    }
    spi.window = WINDOW_ABSENT;
}

int32_t spi_file(void)
{
    return spi.file;
}

void spi_read_weak(enum weak_reads how)
{
    spi.reads = how;
}

void spi_cut_at(uint32_t at, enum sim_tear_kind kind, uint32_t amount, uint32_t seed)
{
    spi.cut_at = at;
    spi.tear = (struct sim_tear){kind, amount, seed};
    spi.noise = (struct sim_random){seed};
}

uint32_t spi_operations(void)
{
    return spi.operations;
}

uint32_t spi_last_read(void)
{
    return spi.last_read;
}

/* The ROM believes flashchip.chip_size, the chip its real size. */
static bool reachable(uint32_t address, uint32_t size)
{
    uint32_t limit = flashchip.chip_size < spi.size ? flashchip.chip_size : spi.size;
    return address <= limit && size <= limit - address;
}

static bool in_window(uintptr_t address)
{
    return address >= WINDOW && address - WINDOW < WINDOW_SIZE;
}

bool spi_is_shut(uint32_t pc)
{
    return spi.window == WINDOW_SHUT && in_window(pc);
}

/* On the chip, the window and the ROM's functions share the flash's bus. */
static void need_the_bus(void)
{
    if (spi.window == WINDOW_OPEN) {
        machine_fail("an access to flash while open:", "the flash window");
    }
}

/* What changed in flash shows in the window, if it lies in the mapped megabyte. */
static void refresh_window(uint32_t address, uint32_t size)
{
    if (spi.window != WINDOW_ABSENT && address / WINDOW_SIZE == spi.megabyte) {
        host_read_at(spi.file, address, (void *)(uintptr_t)(WINDOW + address % WINDOW_SIZE), size);
    }
}

/* The mask of the sector's unstable cells; NULL when it has none, unless `make` asks for one. */
static uint8_t *weak_cells(uint32_t sector, bool make)
{
    struct weak *free = NULL;
    for (uint32_t i = 0; i < WEAK_SECTORS; i++) {
        if (spi.weak[i].used && spi.weak[i].sector == sector) {
            return spi.weak[i].mask;
        }
        if (!spi.weak[i].used) {
            free = &spi.weak[i];
        }
    }
    if (!make) {
        return NULL;
    }
    if (free == NULL) {
        machine_fail("more torn sectors than", "spi.c keeps");
    }
    free->used = true;
    free->sector = sector;
    memset(free->mask, 0, SECTOR);
    return free->mask;
}

static void forget_weak_cells(uint32_t sector)
{
    for (uint32_t i = 0; i < WEAK_SECTORS; i++) {
        if (spi.weak[i].sector == sector) {
            spi.weak[i].used = false;
        }
    }
}

void spi_new_flash(void)
{
    for (uint32_t i = 0; i < WEAK_SECTORS; i++) {
        spi.weak[i].used = false;
    }
}

static uint8_t noise(void)
{
    return spi.reads == WEAK_RANDOM ? (uint8_t)sim_random_next(&spi.noise)
           : spi.reads == WEAK_ONES ? 0
                                    : 0xFF;
}

/* Unstable cells, which are 1 in the file, read anew each time. */
static void add_noise(uint32_t address, uint8_t *data, uint32_t size)
{
    for (uint32_t i = 0; i < size; i++) {
        uint8_t *mask = weak_cells((address + i) / SECTOR, false);
        if (mask == NULL) { /* go on in the next sector */
            i += SECTOR - 1 - (address + i) % SECTOR;
        } else if (mask[(address + i) % SECTOR] != 0) {
            data[i] ^= (uint8_t)(noise() & mask[(address + i) % SECTOR]);
        }
    }
}

/*
 * One operation: an erase when `data` is NULL, else the program of `size` bytes within a page. The
 * cells are torn by the same functions as those of the flash model (sim_tear.h).
 */
static void operate(uint32_t address, const uint8_t *data, uint32_t size)
{
    static uint8_t bits[SECTOR];
    uint32_t sector = address / SECTOR;
    uint32_t offset = address % SECTOR;
    bool cut = spi.operations == spi.cut_at;
    struct sim_cells cells = {.bits = bits, .unstable = weak_cells(sector, cut), .size = SECTOR};
    const struct sim_tear *tear = cut ? &spi.tear : NULL;

    spi.operations++;
    host_read_at(spi.file, sector * SECTOR, bits, SECTOR);
    if (data == NULL) {
        sim_cells_erase(&cells, tear);
    } else {
        sim_cells_program(&cells, PAGE, offset, data, size, tear);
    }
    if (data == NULL && !cut) {
        forget_weak_cells(sector);
    }
    if (data == NULL || cut) { /* a tear may change more than the bytes that were to be written */
        offset = 0;
        size = SECTOR;
    }
    host_write_at(spi.file, sector * SECTOR + offset, bits + offset, size);
    if (cut) {
        machine_end("cut", address);
    }
    refresh_window(sector * SECTOR + offset, size);
}

int SPIRead(uint32_t address, void *data, uint32_t size)
{
    need_the_bus();
    if (!reachable(address, size)) {
        return SPI_ERROR;
    }
    if (((uintptr_t)data | size) % 4 != 0) {
        machine_fail("SPIRead to an address or of a size", "that is not a multiple of 4");
    }
    spi.last_read = address;
    host_read_at(spi.file, address, data, size);
    add_noise(address, data, size);
    return SPI_OK;
}

int SPIWrite(uint32_t address, const void *data, uint32_t size)
{
    const uint8_t *from = data;

    need_the_bus();
    if (!reachable(address, size)) {
        return SPI_ERROR;
    }
    if ((address | (uintptr_t)data | size) % 4 != 0) {
        machine_fail("SPIWrite to an address or of a size", "that is not a multiple of 4");
    }
    while (size > 0) {
        uint32_t left_in_page = PAGE - address % PAGE;
        uint32_t now = size < left_in_page ? size : left_in_page;
        operate(address, from, now);
        address += now;
        from += now;
        size -= now;
    }
    return SPI_OK;
}

int SPIEraseSector(uint32_t sector)
{
    need_the_bus();
    if (sector > NEVER / SECTOR || !reachable(sector * SECTOR, SECTOR)) {
        return SPI_ERROR;
    }
    operate(sector * SECTOR, NULL, SECTOR);
    return SPI_OK;
}

int SPIEraseBlock(uint32_t block)
{
    return block > NEVER / BLOCK ? SPI_ERROR : SPIEraseArea(block * BLOCK, BLOCK);
}

int SPIEraseArea(uint32_t address, uint32_t size)
{
    if (!reachable(address, size)) {
        return SPI_ERROR;
    }
    for (uint32_t at = address / SECTOR; at < (address + size + SECTOR - 1) / SECTOR; at++) {
        if (SPIEraseSector(at) != SPI_OK) {
            return SPI_ERROR;
        }
    }
    return SPI_OK;
}

int SPIEraseChip(void)
{
    return SPIEraseArea(0, spi.size);
}

int SPIParamCfg(uint32_t device_id, uint32_t chip_size, uint32_t block_size, uint32_t sector_size,
                uint32_t page_size, uint32_t status_mask)
{
    flashchip =
        (struct flashchip){device_id, chip_size, block_size, sector_size, page_size, status_mask};
    return SPI_OK;
}

/* The chip is never busy and never protected here; the calls succeed and change nothing. */
int SPIUnlock(void)
{
    return SPI_OK;
}

int SPILock(void)
{
    return SPI_OK;
}

int SPIReadModeCnfig(uint32_t mode)
{
    (void)mode;
    return SPI_OK;
}

int spi_read_status(struct flashchip *chip, uint32_t *status)
{
    (void)chip;
    *status = 0;
    return SPI_OK;
}

int spi_write_status(struct flashchip *chip, uint32_t status)
{
    (void)chip;
    (void)status;
    return SPI_OK;
}

int spi_write_enable(struct flashchip *chip)
{
    (void)chip;
    return SPI_OK;
}

int wait_spi_idle(struct flashchip *chip)
{
    (void)chip;
    return SPI_OK;
}

void spi_flash_attach(void)
{
}

/*
 * One megabyte of flash appears at 0x40200000. Bytes of the window beyond the chip's end are
 * 0xFF. The 32-bit-loads-only rule of the window cannot be enforced here; the linker scripts of
 * firmware/ keep byte-wise data out of it.
 */
void Cache_Read_Enable(uint8_t odd_even, uint8_t pair, uint8_t size)
{
    (void)size;
    uint32_t megabyte = 2 * (uint32_t)(pair & 7) + (odd_even == 1);
    if (spi.window != WINDOW_ABSENT && spi.megabyte == megabyte) {
        spi.window = WINDOW_OPEN;
        return;
    }
    if (spi.window == WINDOW_ABSENT) {
        machine_watch_stack((uintptr_t)__builtin_frame_address(0));
    }
    spi.megabyte = megabyte;
    spi.window = WINDOW_OPEN;
    uint32_t first = spi.megabyte * WINDOW_SIZE;
    uint32_t there = first >= spi.size                ? 0
                     : spi.size - first < WINDOW_SIZE ? spi.size - first
                                                      : WINDOW_SIZE;
    host_read_at(spi.file, first, (void *)(uintptr_t)WINDOW, there);
    memset((void *)(uintptr_t)(WINDOW + there), 0xFF, WINDOW_SIZE - there);
}

void Cache_Read_Disable(void)
{
    if (spi.window == WINDOW_OPEN) {
        spi.window = WINDOW_SHUT;
    }
    if (in_window((uintptr_t)__builtin_return_address(0))) {
        machine_fail("Cache_Read_Disable called from", "the flash window");
    }
}
