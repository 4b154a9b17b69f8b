/*
 * Start-up and exceptions on the bare lx106. The emulator starts at 0x50000000; the exception
 * vectors are at VECBASE, which reset has set to 0x40000000, at the CPU's fixed offsets.
 */
#define PS_UM 0x20       /* user vector mode: exceptions go to offset 0x50 */
#define PS_NO_IRQ 0x0F   /* all interrupt levels masked */

    .section .reset, "ax"
    .global _reset
_reset:
    j       2f
    .align  4
1:  .word   _start
2:  l32r    a0, 1b
    jx      a0

    .section .vectors, "ax"
vectors:
    .org    0x10
    j       exception           /* debug */
    .org    0x20
    j       exception           /* non-maskable interrupt */
    .org    0x30
    j       exception           /* kernel mode */
    .org    0x50
    j       exception           /* user mode */
    .org    0x70
    j       double_exception
    .org    0x80
    .align  4
1:  .word   _stack_top
2:  .word   bare_exception
3:  .word   bare_double_exception
exception:
    l32r    a1, 1b              /* the old stack may be what is broken */
    rsr     a2, exccause
    rsr     a3, epc1
    rsr     a4, excvaddr
    mov     a5, a0              /* where the function that faulted came from, as a rule */
    l32r    a6, 2b
    jx      a6
double_exception:
    l32r    a6, 3b
    jx      a6

    .section .text.start, "ax"
    .literal_position
    .global _start
_start:
    movi    a1, _stack_top
    movi    a2, PS_UM | PS_NO_IRQ
    wsr     a2, ps
    rsync
    movi    a0, main
    callx0  a0
    movi    a3, check_exit
    callx0  a3

/*
 * int32_t bare_call(uint32_t number, uint32_t a, uint32_t b, uint32_t c): the emulator's `simcall`.
 * Its result comes back in a2; a3 is overwritten with errno, which nobody here asks for.
 */
    .section .text.bare_call, "ax"
    .global bare_call
    .type   bare_call, @function
bare_call:
    simcall
    ret
