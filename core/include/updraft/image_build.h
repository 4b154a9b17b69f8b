/*
 * updraft: images of the NONOS SDK, composed as its generator gen_appbin composes them.
 *
 * The caller takes the contents of four sections and the entry address from the linked program, and
 * gets the image in pieces through a function of his own. The same recipe gives the same bytes.
 *
 * Format: docs/formats/image.md
 */
#ifndef UPDRAFT_IMAGE_BUILD_H
#define UPDRAFT_IMAGE_BUILD_H

#include <stdint.h>

#include <updraft/err.h>

/** The SDK's boot modes, which its make files call BOOT=none, old and new. */
enum upd_image_boot {
    UPD_IMAGE_BOOT_NONE, /* eagle.flash.bin: a v1 image for offset 0; irom goes to 0x10000, by
                            itself, and its file is the bytes of .irom0.text as they are */
    UPD_IMAGE_BOOT_OLD,  /* user image for boot v1.1: v1, irom at 0x10000, CRC-32 */
    UPD_IMAGE_BOOT_NEW,  /* user image for boot v1.2 and later: v2, CRC-32 */
};

/** A section of the program; `data` is `size` bytes of the caller's. */
struct upd_image_section {
    uint32_t address; /* load address; that of irom is not looked at */
    uint32_t size;    /* bytes; padded with zeros to a multiple of 4 (irom of a v2 image: 16) */
    const uint8_t *data;
};

struct upd_image_recipe {
    enum upd_image_boot boot;
    uint32_t entry;                  /* address of call_user_start1 */
    struct upd_image_section text;   /* .text, at 0x40100000 */
    struct upd_image_section data;   /* .data, at _data_start */
    struct upd_image_section rodata; /* .rodata, at _rodata_start */
    struct upd_image_section irom;   /* .irom0.text */
    uint8_t slot;                    /* 1 user1, 2 user2; 0 for UPD_IMAGE_BOOT_NONE */
    uint8_t flash_mode;              /* 0 QIO, 1 QOUT, 2 DIO, 3 DOUT */
    uint8_t flash_freq;              /* 0 40 MHz, 1 26.7 MHz, 2 20 MHz, 15 80 MHz */
    uint8_t flash_map;               /* 0, 2, 3, 4, 5, 6, 8 or 9; 1 for UPD_IMAGE_BOOT_NONE alone */
};

/* X(name, text): what can be wrong with a recipe, as sentences like those of err.h. */
#define UPD_IMAGE_RECIPE_FAULTS(X)                                                                 \
    X(OK, "ok")                                                                                    \
    X(BOOT, "the boot mode is none of the three")                                                  \
    X(SLOT, "a user image needs slot 1 or 2, and an image without boot loader needs slot 0")       \
    X(FLASH_MODE, "the flash mode is not within 0 to 3")                                           \
    X(FLASH_FREQ, "the flash frequency is not 0, 1, 2 or 15")                                      \
    X(FLASH_MAP, "the boot mode does not work with this flash map")                                \
    X(TEXT, "the text section is empty, or outside the chip's instruction RAM")                    \
    X(DATA, "the data section is empty, or outside the chip's data RAM")                           \
    X(RODATA, "the rodata section is empty, or outside the chip's data RAM")                       \
    X(ENTRY, "the entry address is not inside the text section")                                   \
    X(RAM_SIZE, "text, data and rodata do not fit in front of the irom part at 0x10000")           \
    X(IROM, "the irom section is empty")                                                           \
    X(SLOT_SIZE, "the image is larger than a slot of this flash map")

enum upd_image_recipe_fault {
#define X(name, text) UPD_IMAGE_RECIPE_##name,
    UPD_IMAGE_RECIPE_FAULTS(X)
#undef X
};

/** The sentence of a fault; "unknown fault" for a value that is not in the list. */
const char *upd_image_recipe_fault_text(enum upd_image_recipe_fault fault);

/** Tell whether a recipe can be built. @param recipe not NULL. The first fault in the list's order.
 */
enum upd_image_recipe_fault upd_image_recipe_check(const struct upd_image_recipe *recipe);

/** Takes the next `size` bytes of the image; anything but UPD_OK ends the work. */
typedef enum upd_err upd_image_write(void *ctx, const void *data, uint32_t size);

/**
 * Compose an image.
 *
 * @param recipe  what to compose, not NULL
 * @param write   takes the bytes in order, not NULL
 * @param ctx     handed to write() untouched
 * @param size    out: bytes of the whole image; may be NULL
 *
 * @return UPD_OK     all bytes were written
 * @return UPD_E_ARG  upd_image_recipe_check() finds a fault; nothing was written, *size is
 * unchanged
 * @return what write() returned, when it was not UPD_OK; some bytes were written
 *
 * Cost: below 300 bytes of stack, and those of write(); no heap.
 */
UPD_MUST_CHECK enum upd_err upd_image_build(const struct upd_image_recipe *recipe,
                                            upd_image_write *write, void *ctx, uint32_t *size);

#endif
