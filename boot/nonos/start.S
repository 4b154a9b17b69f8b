/*
 * Entry of the boot loader, called by the mask ROM. The loader runs on a stack of its own, above the
 * RAM that it fills, and gives the ROM's back to the application, as if the ROM had called that.
 */
    .section .text.start, "ax"
    .align  4
    .literal_position
    .global boot_start
boot_start:
    movi    a2, _stack_top
    addi    a2, a2, -16
    s32i    a0, a2, 0
    s32i    a1, a2, 4
    mov     a1, a2
    call0   boot_main                   /* gives the application's entry, or 0 */
    l32i    a0, a1, 0
    l32i    a1, a1, 4
    beqz    a2, 1f
    jx      a2                          /* returns to the ROM, should it ever */
1:  ret
