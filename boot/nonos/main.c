/*
 * The boot loader for the flash maps of the ESP8266 NONOS SDK: at flash 0, in place of
 * boot_v1.7.bin.
 *
 * It selects as v1.7 does, from the same parameter area, but it starts nothing that it has not
 * verified from the first byte to the last, and it verifies before it overwrites anything. When the
 * selected image is bad, or used up its trial, it starts the other one. On an ordinary boot it
 * writes nothing. docs/boot-nonos.md lists every difference from the original, with its reason.
 *
 * One step at a time: read the flash, decide, do one thing, read again. What to do about the two
 * slots is decided by core/nonos_boot.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <esp8266_rom.h>
#include <updraft/boot_original.h>
#include <updraft/bytes.h>
#include <updraft/flash_map.h>
#include <updraft/journal.h>
#include <updraft/nonos_boot.h>
#include <updraft/sysparam.h>

#include "crc32.h"
#include "image.h"
#include "map.h"

/* What the loader answers in the boot block, so that an SDK sees the features of v1.7. */
#define VERSION ((uint32_t)UPD_BOOT_V1_7)

/* Bits of the boot block: docs/formats/sysparam.md. */
enum { FIRST_TRY = 0x04, INDEX_NONE = 0x02 };
enum { VERSION_BITS = 0x1F, TEST_NOT_PASSED = 0x20, NO_TEST = 0x40, NORMAL = 0x80 };

/* What write_block() selects: enum upd_slot, or this. */
enum { BACKUP = 2 };

/* Bytes of a copy before the marks of its seals: all that SDKs store, and more. */
enum { SETTINGS_SIZE = UPD_COPY_MARK_OFFSET(0) };

/*
 * More steps than any decision takes. A flash that does not take what is written to it would
 * otherwise keep the loader busy for ever.
 */
enum { MAX_STEPS = 50 };

struct boot {
    uint32_t *buffer; /* BOOT_BUFFER_SIZE bytes */
    struct boot_map map;
    uint32_t frame;             /* flash address of the journal's frame that counts */
    uint32_t failed;            /* bit n: there is no good image at address n of the boot block */
    struct boot_image image[2]; /* of the slots, by VERIFY steps */
    struct upd_nonos_state state;
};

uint32_t boot_main(void);

/* --- Flash ------------------------------------------------------------------------------------ */

static uint32_t sector_at(const struct boot *boot, uint32_t sector)
{
    return boot->map.sysparam + sector * UPD_FLASH_SECTOR;
}

_Static_assert(UPD_SYSPARAM_SECTOR_FLAG == UPD_SYSPARAM_SECTOR_COPY0 + 2, "after both copies");

/* Read what decides of the parameter area. @return 0, or what a read that failed returned */
static int read_area(struct boot *boot)
{
    struct upd_select_area *area = &boot->state.area;
    const uint8_t *bytes = (const uint8_t *)boot->buffer;
    int failed = 0;

    for (uint32_t copy = 0;; copy++) {
        failed |= SPIRead(sector_at(boot, UPD_SYSPARAM_SECTOR_COPY0 + copy), boot->buffer,
                          UPD_FLASH_SECTOR);
        if (copy == 2) {
            break;
        }
        memcpy(area->params.head[copy], bytes, UPD_SYSPARAM_HEAD_SIZE);
        memset(&area->copy[copy], 0, sizeof area->copy[copy]);
        for (uint32_t place = 0; place < UPD_COPY_SEALS; place++) {
            upd_copy_see_seal(&area->copy[copy], place, bytes + UPD_COPY_MARK_OFFSET(place),
                              bytes + UPD_COPY_SEAL_OFFSET(place));
        }
    }
    memcpy(area->params.flag, bytes, UPD_SYSPARAM_HEAD_SIZE);
    memcpy(area->flag_seals, bytes + UPD_FLAG_SEALS_OFFSET, UPD_FLAG_SEALS_SIZE);
    return failed;
}

/* Find the frame that counts, and its marks. The journal's cover is not asked: the library does not
 * ask it either, and one that a cut tore, so that it reads differently each time, would hide from
 * one of the two what the other sees. */
static void read_journal(struct boot *boot)
{
    const uint8_t *journal = (const uint8_t *)boot->buffer;
    uint32_t address = boot->map.user2 - UPD_JOURNAL_SIZE; /* the reserved sector before user2 */
    struct upd_nonos_state *state = &boot->state;
    int32_t slot = -1;

    if (SPIRead(address, boot->buffer, UPD_JOURNAL_SIZE) == 0) {
        for (uint32_t i = UPD_JOURNAL_FRAMES; i > 0 && slot < 0; i--) {
            uint32_t offset = upd_journal_frame_offset(i - 1);
            slot = upd_journal_head_slot(journal + offset);
            boot->frame = address + offset;
            state->marks = (uint16_t)upd_journal_marks(journal + offset);
        }
    }
    state->framed = slot >= 0;
    state->slot = (uint8_t)slot;
}

/* Program zeros: a mark, or a seal that shall hold no more. */
static int clear(struct boot *boot, uint32_t address)
{
    memset(boot->buffer, 0, UPD_JOURNAL_MARK_SIZE);
    return SPIWrite(address, boot->buffer, UPD_JOURNAL_MARK_SIZE);
}

/* Make a copy the current one. The record is as brief as those of the original loaders. */
static void write_flag(struct boot *boot, uint32_t copy)
{
    uint32_t address = sector_at(boot, UPD_SYSPARAM_SECTOR_FLAG);
    uint8_t *bytes = (uint8_t *)boot->buffer;
    int failed = 0;

    upd_flag_brief(copy, bytes);
    for (uint32_t i = 0; i < UPD_FLAG_ANEW_COUNT && failed == 0; i++) {
        const struct upd_flag_write *row = &upd_flag_anew[i];
        failed = row->size == 0 ? SPIEraseSector(address / UPD_FLASH_SECTOR)
                                : SPIWrite(address + row->offset, bytes + row->data, row->size);
    }
}

/*
 * Store a block that selects a slot; `which` may be BACKUP instead. The other copy is written while
 * the flag sector is sure to select this one, and is whole before the flag sector is touched; then
 * both hold the same settings, and it does not matter which one a torn flag sector selects.
 */
static void write_block(struct boot *boot, uint32_t which)
{
    struct upd_select_area *area = &boot->state.area;
    uint32_t current = upd_select_current(area);
    uint32_t source = sector_at(boot, UPD_SYSPARAM_SECTOR_COPY0 + current);
    uint32_t target = sector_at(boot, UPD_SYSPARAM_SECTOR_COPY0 + (current ^ 1));
    uint8_t *block = (uint8_t *)boot->buffer;
    int failed = 0;

    if (upd_flag_trust(area) == UPD_FLAG_DOUBT) {
        write_flag(boot, current);
        return;
    }
    for (uint32_t place = 0; place < UPD_COPY_SEALS; place++) {
        failed |= clear(boot, target + UPD_COPY_SEAL_OFFSET(place));
    }
    failed |= SPIRead(source, boot->buffer, SETTINGS_SIZE);
    if (which == BACKUP) {
        block[0] &= (uint8_t)~FIRST_TRY; /* the application learns from it which of the two runs */
    } else {
        if ((block[1] & VERSION_BITS) != VERSION) {
            memset(block, 0xFF, UPD_BOOT_BLOCK_SIZE);
        }
        block[0] = (uint8_t)((block[0] & 0xF8u) | FIRST_TRY | which);
        block[1] = (uint8_t)((block[1] & TEST_NOT_PASSED) | NORMAL | NO_TEST | VERSION);
    }
    if (failed == 0 && SPIEraseSector(target / UPD_FLASH_SECTOR) == 0 &&
        SPIWrite(target, boot->buffer, SETTINGS_SIZE) == 0) {
        write_flag(boot, current ^ 1);
    }
}

/* --- Starting --------------------------------------------------------------------------------- */

static bool verify(struct boot *boot, struct boot_image *image, uint32_t address, uint32_t room)
{
    image->at = address;
    image->room = room;
    if (boot_image_verify(image, boot->buffer) == 0) {
        ets_printf("bad image @ %x\n", address);
        return false;
    }
    return true;
}

/* Load an image that was verified. @return its entry, or 0 */
static uint32_t load(struct boot *boot, const struct boot_image *image, const char *name,
                     uint32_t address)
{
    ets_printf("jump to run %s @ %x\n\n", name, address);
    return boot_image_load(image, boot->buffer);
}

/*
 * Which address of the boot block is to be started instead of a slot: 1 is that of the test image
 * and of the backup image, 2 that of the primary image. 0: none.
 */
static uint32_t wanted_address(struct boot *boot, const uint8_t *block)
{
    uint32_t init[32];

    (void)SPIRead(boot->map.sysparam, init, sizeof init);
    /* A value of A0 + GPIO asks for the test image while that pin is low. */
    uint32_t pin = init[UPD_BOOT_PIN_OFFSET / 4] >> 24;
    if (((pin & 0xF0) == 0xA0 && (gpio_input_get() >> (pin & 15) & 1) == 0 && boot->failed == 0) ||
        (block[1] & (TEST_NOT_PASSED | NO_TEST)) == TEST_NOT_PASSED) {
        ets_printf("test mode, ");
        return 1;
    }
    if ((block[1] & NORMAL) != 0) {
        return 0;
    }
    ets_printf("enhance boot mode, ");
    return (block[0] & FIRST_TRY) != 0 ? 2 : 1;
}

/* A step that core/nonos_boot told. @return the entry of a loaded image, or 0 */
static uint32_t carry_out(struct boot *boot, struct upd_nonos_step step)
{
    static const char names[2][6] = {"user1", "user2"};
    struct upd_nonos_state *state = &boot->state;
    uint32_t which = step.which;
    uint32_t address = which == UPD_SLOT_USER1 ? UPD_USER1_ADDRESS : boot->map.user2;

    if (step.what == UPD_NONOS_VERIFY) {
        state->verdict[which] = verify(boot, &boot->image[which], address, boot->map.room)
                                    ? UPD_VERDICT_GOOD
                                    : UPD_VERDICT_BAD;
    } else if (step.what == UPD_NONOS_START) {
        state->verdict[which] = UPD_VERDICT_BAD; /* should it not load after all */
        return load(boot, &boot->image[which], names[which], address);
    } else if (step.what == UPD_NONOS_RETRY) {
        write_block(boot, which);
        state->tries++;
    } else if (step.what == UPD_SELECT_FLAG) {
        write_flag(boot, which);
        state->tries++;
    } else if (step.what == UPD_NONOS_MARK &&
               clear(boot, boot->frame + upd_journal_mark_offset((enum upd_journal_mark)which)) ==
                   0) {
        state->sure |= (uint16_t)UPD_MARK_BIT(which);
    }
    return 0;
}

/* Take one step. @return the entry of a loaded image, or 0 */
static uint32_t advance(struct boot *boot)
{
    struct upd_select_area *area = &boot->state.area;

    if (read_area(boot) != 0) {
        return 0; /* a new chip looks like that */
    }
    read_journal(boot);
    const uint8_t *block = area->params.head[upd_select_current(area)];
    uint32_t version = block[1] & VERSION_BITS;
    uint32_t slot = upd_block_slot(block, (uint8_t)version);

    if (version == VERSION && (block[0] & INDEX_NONE) == 0) {
        uint32_t number = wanted_address(boot, block);
        if (number == 0) {
            return carry_out(boot, upd_nonos_boot(&boot->state));
        }
        if ((boot->failed >> number & 1) == 0) {
            struct boot_image image;
            uint32_t address = upd_get_le24(block + 3 * number - 1);
            boot->failed |= 1u << number;
            return verify(boot, &image, address, boot->map.size - address)
                       ? load(boot, &image, "bin", address)
                       : 0;
        }
        slot = number == 2 ? BACKUP : slot;
    }
    write_block(boot, slot);
    return 0;
}

uint32_t boot_main(void)
{
    uint32_t buffer[BOOT_BUFFER_SIZE / 4];
    struct boot boot;
    uint32_t header;
    uint32_t entry = 0;

    memset(&boot, 0, sizeof boot);
    boot.buffer = buffer;
    boot.state.version = VERSION;
    ets_printf("\n2nd boot version : 1.7(updraft " UPD_VERSION ")\n");
    (void)SPIRead(0, &header, sizeof header);
    if (!boot_map(header >> 28, &boot.map)) {
        ets_printf("flash map not support\n");
        return 0;
    }
    /* The ROM believes in 4 MB until told otherwise: parameters of larger chips lie beyond. */
    flashchip->chip_size = boot.map.size;
    boot_crc32_prepare();
    for (uint32_t i = 0; i < MAX_STEPS && entry == 0; i++) {
        entry = advance(&boot);
    }
    if (entry == 0) {
        ets_printf("no good image: reset with GPIO0 low to flash one\n");
    }
    return entry;
}
