/* Any name: a layout is found or not, and what is found hangs together. */
#include <updraft/arduino_layout.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct upd_arduino_layout layout;

    if (upd_arduino_layout_find((const char *)data, size, &layout) == UPD_OK &&
        (layout.fs_start > layout.fs_end || layout.fs_end > layout.eeprom ||
         layout.max_file > layout.fs_start || layout.sdk_params >= layout.chip_size)) {
        __builtin_trap();
    }
    return 0;
}
