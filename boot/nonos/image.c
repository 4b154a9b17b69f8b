#include "image.h"

#include <stdbool.h>

#include <esp8266_rom.h>
#include <updraft/crc32.h>

enum { OUTER_SIZE = 16, INNER_SIZE = 8, SEGMENT_SIZE = 8, LINE = 16 };
enum { CHECKSUM_SEED = 0xEF };
#define OUTER_MAGIC 0x04EAu /* bytes EA 04 */
#define INNER_MAGIC 0xE9u

/* Inline, since the call of a function is one instruction. */
static inline __attribute__((always_inline)) void check(struct boot_image *in, uint32_t wrong)
{
    in->wrong[0] |= wrong;
    in->wrong[1] |= wrong;
}

/* Take `size` bytes, a multiple of 4. `step` is 0: piece by piece, each over the one before it;
 * BOOT_BUFFER_SIZE: all of them behind each other. @return the XOR of their words */
static uint32_t pull(struct boot_image *in, uint32_t *to, uint32_t size, uint32_t step)
{
    uint32_t sum = 0;

    if (size % 4 != 0 || size > in->room) {
        check(in, 1);
        return 0;
    }
    in->room -= size;
    while (size > 0) {
        uint32_t now = size < BOOT_BUFFER_SIZE ? size : BOOT_BUFFER_SIZE;
        in->wrong[0] |= (uint32_t)SPIRead(in->at, to, now);
        in->crc = upd_crc32(in->crc, to, now);
        for (uint32_t i = 0; i < now / 4; i++) {
            sum ^= to[i];
        }
        in->at += now;
        size -= now;
        to += step / 4;
    }
    return sum;
}

/* Bytes from an address to the end of the RAM that images may fill; 0 elsewhere. */
static uint32_t ram_from(uint32_t address)
{
    uint32_t code = address - BOOT_CODE_FIRST;
    uint32_t data = address - BOOT_DATA_FIRST;

    return code < BOOT_CODE_SIZE   ? BOOT_CODE_SIZE - code
           : data < BOOT_DATA_SIZE ? BOOT_DATA_SIZE - data
                                   : 0;
}

/*
 * From the inner header to the CRC. `step` as for pull(): 0 leaves the segments in the buffer,
 * which is what verifying is; else they go where they belong.
 */
static uint32_t walk(struct boot_image *in, uint32_t *buffer, uint32_t step)
{
    uint32_t sum = 0;
    uint32_t entered = 0; /* segments that the entry lies in */

    pull(in, buffer, INNER_SIZE, 0);
    check(in, (buffer[0] & 0xFF) ^ INNER_MAGIC);
    uint32_t entry = buffer[1];
    for (uint32_t count = buffer[0] >> 8 & 0xFF; count > 0; count--) {
        pull(in, buffer, SEGMENT_SIZE, 0);
        uint32_t first = buffer[0], size = buffer[1];
        check(in, first % 4 | (size > ram_from(first)));
        if ((in->wrong[0] | in->wrong[1]) != 0) {
            break;
        }
        entered |= entry - first < size;
        sum ^= pull(in, step == 0 ? buffer : (uint32_t *)(uintptr_t)first, size, step);
    }
    /* Filler up to the last byte of a line, which is the checksum. */
    uint32_t filler = LINE - in->at % LINE;
    pull(in, buffer, filler, 0);
    sum ^= sum >> 16;
    sum ^= sum >> 8 ^ CHECKSUM_SEED ^ buffer[filler / 4 - 1] >> 24;
    uint32_t crc = upd_crc32_nonos(in->crc);
    pull(in, buffer, 4, 0);
    check(in, (sum & 0xFF) | (entered ^ 1));
    __asm__ volatile("" : : : "memory"); /* or the two become one, joined by one instruction */
    check(in, buffer[0] ^ crc);
    return entry;
}

uint32_t boot_image_verify(struct boot_image *image, uint32_t *buffer)
{
    image->crc = UPD_CRC32_INIT;
    image->wrong[0] = image->wrong[1] = image->at % LINE;
    pull(image, buffer, OUTER_SIZE, 0);
    check(image, ((buffer[0] & 0xFFFF) ^ OUTER_MAGIC) | buffer[3] % LINE);
    pull(image, buffer, buffer[3], 0);

    struct boot_image inner = *image;
    (void)walk(&inner, buffer, 0);
    image->wrong[1] |= inner.wrong[1];
    return (inner.wrong[0] | inner.wrong[1]) == 0;
}

uint32_t boot_image_load(const struct boot_image *image, uint32_t *buffer)
{
    struct boot_image inner = *image;

    /* Asked once more, by other instructions than the verdict. */
    if (image->wrong[1] != 0) {
        return 0;
    }
    uint32_t entry = walk(&inner, buffer, BOOT_BUFFER_SIZE);
    /* And an entry that is none, should the next comparison be skipped. */
    return inner.wrong[0] == 0 ? entry ^ inner.wrong[1] : 0;
}
