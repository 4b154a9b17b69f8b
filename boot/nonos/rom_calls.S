/*
 * Functions of the mask ROM, within reach of a direct call: a call of a stub takes 3 bytes, where a
 * long call would take 6 and a literal.
 */
    .macro rom_function name, address
    .section .text.\name, "ax"
    .align  4
    .literal_position
    .global \name
\name:
    movi    a8, \address
    jx      a8
    .endm

    rom_function SPIRead, 0x40004b1c
    rom_function SPIWrite, 0x40004a4c
    rom_function SPIEraseSector, 0x40004a00
    rom_function ets_printf, 0x400024cc
    rom_function gpio_input_get, 0x40004cf0
    /* What a compiler calls by itself. */
    rom_function memcpy, 0x400018b4
    rom_function memset, 0x400018a4
    rom_function memcmp, 0x400018d4
