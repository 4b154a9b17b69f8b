/* docs/formats/arduino_layout.md */
#include <updraft/arduino_layout.h>
#include <updraft/flash_map.h>

#include "spelled.h"

#define KIB 1024u
#define MIB (1024u * 1024u)
/* The image header of the sketch lies behind eboot, and its code 16 bytes behind that. */
#define SKETCH_RESERVE 4112u

/* Names give the size of the chip and of the file system. */
static const struct row {
    char name[8];
    uint16_t chip; /* KiB */
    uint16_t fs;   /* KiB */
} rows[UPD_ARDUINO_LAYOUT_COUNT] = {
    {"512k", 512, 0},         {"512k32", 512, 32},      {"512k64", 512, 64},  {"512k128", 512, 128},
    {"1m", 1024, 0},          {"1m64", 1024, 64},       {"1m128", 1024, 128}, {"1m144", 1024, 144},
    {"1m160", 1024, 160},     {"1m192", 1024, 192},     {"1m256", 1024, 256}, {"1m512", 1024, 512},
    {"2m", 2048, 0},          {"2m64", 2048, 64},       {"2m128", 2048, 128}, {"2m256", 2048, 256},
    {"2m512", 2048, 512},     {"2m1m", 2048, 1024},     {"4m", 4096, 0},      {"4m1m", 4096, 1024},
    {"4m2m", 4096, 2048},     {"4m3m", 4096, 3072},     {"8m6m", 8192, 6144}, {"8m7m", 8192, 7168},
    {"16m14m", 16384, 14336}, {"16m15m", 16384, 15360},
};

static uint32_t smaller(uint32_t one, uint32_t other)
{
    return one < other ? one : other;
}

/* The five sectors at the end are EEPROM, radio calibration and three of SDK parameters. On chips
 * above 1 MiB the file system begins on a round address and gives them up from its own end. */
static void compute(const struct row *row, struct upd_arduino_layout *out)
{
    uint32_t fs = row->fs * KIB;

    out->name = row->name;
    out->chip_size = row->chip * KIB;
    out->eeprom = out->chip_size - 5 * UPD_FLASH_SECTOR;
    out->rf_cal = out->chip_size - 4 * UPD_FLASH_SECTOR;
    out->sdk_params = out->chip_size - 3 * UPD_FLASH_SECTOR;

    out->fs_block = fs == 0 ? 0 : fs < 512 * KIB ? 0x1000 : 0x2000;
    out->fs_start = out->eeprom;
    out->fs_end = out->eeprom;
    if (fs != 0) {
        out->fs_start = (out->chip_size > MIB ? out->chip_size : out->eeprom) - fs;
        out->fs_end -= (out->eeprom - out->fs_start) & (out->fs_block - 1);
    }

    out->max_file = smaller(out->fs_start, MIB);
    out->max_sketch = out->max_file - SKETCH_RESERVE;
    out->max_ota = smaller(out->max_sketch, out->fs_start / 2);
    out->max_ota_file = smaller(out->max_file, out->fs_start / 2 & ~(UPD_FLASH_SECTOR - 1));
}

enum upd_err upd_arduino_layout(size_t index, struct upd_arduino_layout *layout)
{
    if (index >= UPD_ARDUINO_LAYOUT_COUNT) {
        return UPD_E_NOT_FOUND;
    }
    compute(&rows[index], layout);
    return UPD_OK;
}

enum upd_err upd_arduino_layout_find(const char *text, size_t size,
                                     struct upd_arduino_layout *layout)
{
    for (size_t i = 0; i < UPD_ARDUINO_LAYOUT_COUNT; i++) {
        if (spelled(text, size, rows[i].name)) {
            compute(&rows[i], layout);
            return UPD_OK;
        }
    }
    return UPD_E_NOT_FOUND;
}
