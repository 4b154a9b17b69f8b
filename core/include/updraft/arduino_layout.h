/*
 * updraft: flash layouts of the Arduino core for the ESP8266.
 *
 *     0         sketch, with eboot in its first sector        fs_start   fs_end  eeprom
 *     +----------------------------------+-------------------+----------+--+------+------+-------+
 *     | running sketch                   | staged new sketch | files    |  |EEPROM|RF cal|SDK    |
 *     +----------------------------------+-------------------+----------+--+------+------+-------+
 *                                                                            4 KiB  4 KiB  12 KiB
 *
 * Everything follows from the size of the chip and of the file system.
 *
 * Cost: no heap; a table of 26 rows.                        Format: docs/formats/arduino_layout.md
 */
#ifndef UPDRAFT_ARDUINO_LAYOUT_H
#define UPDRAFT_ARDUINO_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <updraft/err.h>

enum { UPD_ARDUINO_LAYOUT_COUNT = 26 };

/** A layout; all addresses are flash offsets, all sizes bytes. */
struct upd_arduino_layout {
    const char *name; /* "4m2m"; a constant */
    uint32_t chip_size;
    uint32_t max_sketch; /* limit of the sum of the loadable sections, which the linker enforces */
    uint32_t max_file; /* a .bin ends at or below this: start of the files, or of the second MiB */
    uint32_t fs_start; /* no file system: fs_start == fs_end == eeprom */
    uint32_t fs_end;
    uint32_t fs_block; /* 0: no file system */
    uint32_t eeprom;
    uint32_t rf_cal;
    uint32_t sdk_params; /* 12 KiB, to the end of the chip */
    /*
     * Largest sketch that can replace one of its own size: min(max_sketch, fs_start / 2), the
     * figure that is published. The updater counts whole sectors, so the file that is sure to fit
     * is `max_ota_file`, up to a sector less. A smaller running sketch leaves room for a larger
     * one: upd_eboot_stage() knows exactly.
     */
    uint32_t max_ota;
    uint32_t max_ota_file;
};

/**
 * Compute a layout.
 *
 * @param index   0 .. UPD_ARDUINO_LAYOUT_COUNT - 1, smaller chips first
 * @param layout  out; not NULL
 *
 * @return UPD_OK
 * @return UPD_E_NOT_FOUND  index beyond the last; *layout is unchanged
 */
UPD_MUST_CHECK enum upd_err upd_arduino_layout(size_t index, struct upd_arduino_layout *layout);

/**
 * Find a layout by its name, as in "4m2m" of eagle.flash.4m2m.ld.
 *
 * @param text  `size` bytes, case ignored
 * @return UPD_OK, or UPD_E_NOT_FOUND with *layout unchanged
 */
UPD_MUST_CHECK enum upd_err upd_arduino_layout_find(const char *text, size_t size,
                                                    struct upd_arduino_layout *layout);

#endif
