/* A device of the NONOS SDK, as the pure functions of core/ see it: for tests. */
#ifndef UPDRAFT_NONOS_DEVICE_H
#define UPDRAFT_NONOS_DEVICE_H

#include <updraft/bytes.h>
#include <updraft/nonos_boot.h>

enum { VERSION = 7, FLAG_SECTOR_SIZE = 512 };
#define A UPD_SLOT_USER1
#define B UPD_SLOT_USER2

static inline void set_block(uint8_t block[UPD_BOOT_BLOCK_SIZE], enum upd_slot slot)
{
    memset(block, 0xFF, UPD_BOOT_BLOCK_SIZE);
    block[0] = slot == A ? 0xFC : 0xFD;
    block[1] = 0xE0 | VERSION;
}

/* The part of a flag sector that anybody looks at. */
static inline void store_flag(const struct upd_select_area *area, uint8_t sector[FLAG_SECTOR_SIZE])
{
    memset(sector, 0xFF, FLAG_SECTOR_SIZE);
    memcpy(sector, area->params.flag, sizeof area->params.flag);
    memcpy(&sector[UPD_FLAG_SEALS_OFFSET], area->flag_seals, sizeof area->flag_seals);
}

static inline void load_flag(struct upd_select_area *area, const uint8_t sector[FLAG_SECTOR_SIZE])
{
    memcpy(area->params.flag, sector, sizeof area->params.flag);
    memcpy(area->flag_seals, &sector[UPD_FLAG_SEALS_OFFSET], sizeof area->flag_seals);
}

/* Do what rows say to the flag sector. */
static inline void write_flag(struct upd_select_area *area, uint8_t copy)
{
    uint8_t sector[FLAG_SECTOR_SIZE], bytes[UPD_FLAG_BYTES];
    uint32_t count;
    const struct upd_flag_write *row = upd_flag_writes(area, copy, bytes, &count);

    store_flag(area, sector);
    for (; count > 0; count--, row++) {
        if (row->size == 0) {
            memset(sector, 0xFF, FLAG_SECTOR_SIZE);
        }
        for (uint32_t k = 0; k < row->size; k++) {
            sector[row->offset + k] &= bytes[row->data + k];
        }
    }
    load_flag(area, sector);
}

/* Both copies start A, none is sealed; the flag sector is erased. */
static inline struct upd_select_area blank_area(void)
{
    struct upd_select_area area = {.copy = {{.sealed = false}, {.sealed = false}}};

    memset(&area.params, 0xFF, sizeof area.params);
    memset(area.flag_seals, 0xFF, sizeof area.flag_seals);
    set_block(area.params.head[0], A);
    set_block(area.params.head[1], A);
    return area;
}

/* A device that runs A by copy 0, and whose flag sector is sealed. */
static inline struct upd_nonos_state device(void)
{
    struct upd_nonos_state state = {.area = blank_area(), .version = VERSION};

    write_flag(&state.area, 0);
    return state;
}

#endif
