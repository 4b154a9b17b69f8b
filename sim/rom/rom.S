/*
 * Entry points of the mask ROM at their true addresses, exception vectors, and the switch from the
 * machine's start to the ROM's C code. An address that no line names holds zeros, an illegal
 * instruction: a call of a ROM function that is missing here stops with its address.
 */
#define PS_UM 0x20
#define PS_NO_IRQ 0x0F
#define REGISTERS 0x60000000    /* the 512 MiB region of the chip's registers */
#define NO_ACCESS 15            /* attribute of the CPU's region protection: every access is an exception */
#define FRAME 96        /* a0..a15, sar, epc1, exccause, excvaddr, ps: 21 words, 16-byte aligned */

    .section .power, "ax"
    .global _reset
_reset:
    j       2f
    .align  4
1:  .word   power_on
2:  l32r    a0, 1b
    jx      a0

    .section .entries, "ax"
    .macro entry address, function
    .org    \address
    j       \function
    .endm
    .org    0x10
    j       debug
    .org    0x20
    j       exception
    .org    0x30
    j       exception
    .org    0x50
    j       exception
    .org    0x70
    j       double_exception
    entry   0x0080, rom_restart             /* _ResetVector */
    entry   0x0650, __muldi3
    entry   0x18a4, memset
    entry   0x18b4, memcpy
    entry   0x18c4, memmove
    entry   0x18d4, memcmp
    entry   0x24cc, ets_printf
    entry   0x25e0, rtc_get_reset_reason
    entry   0x264c, software_reset
    entry   0x2ecc, ets_delay_us
    entry   0x39d8, uart_div_modify
    entry   0x43c8, spi_read_status
    entry   0x4400, spi_write_status
    entry   0x443c, spi_write_enable
    entry   0x448c, wait_spi_idle
    entry   0x4644, spi_flash_attach
    entry   0x4678, Cache_Read_Enable
    entry   0x47f0, Cache_Read_Disable
    entry   0x4878, SPIUnlock
    entry   0x48a8, SPILock
    entry   0x48ec, SPIReadModeCnfig
    entry   0x4984, SPIEraseChip
    entry   0x49b4, SPIEraseBlock
    entry   0x4a00, SPIEraseSector
    entry   0x4a4c, SPIWrite
    entry   0x4b1c, SPIRead
    entry   0x4b44, SPIEraseArea
    entry   0x4c2c, SPIParamCfg
    entry   0x4cf0, gpio_input_get
    entry   0xdc88, __divsi3
    entry   0xe21c, __udivsi3
    entry   0xe268, __umodsi3
    .org    0xFFFC
    .word   0

    .section .text.start, "ax"
    .align  4
    .literal_position
power_on:
    movi    a1, _rom_stack_top
    movi    a2, PS_UM | PS_NO_IRQ
    wsr     a2, ps
    rsync
    movi    a2, REGISTERS                   /* nothing is mapped there: without this, the emulator */
    movi    a3, NO_ACCESS                   /* would let loads give 0 and drop stores in silence */
    wdtlb   a3, a2
    dsync
    movi    a0, machine_main
    callx0  a0

/* _Noreturn void rom_start_code(uint32_t entry, uint32_t stack): run loaded code; a return ends in rom_returned(). */
    .align  4
    .global rom_start_code
rom_start_code:
    mov     a1, a3
    movi    a3, PS_UM                       /* the timer's interrupt finds hung programs */
    wsr     a3, ps
    rsync
    callx0  a2
    movi    a0, rom_returned
    movi    a1, _rom_stack_top
    callx0  a0

/* _Noreturn void rom_unwind(void (*function)(void)): forget every caller and go on in function. */
    .align  4
    .global rom_unwind
rom_unwind:
    movi    a1, _rom_stack_top
    movi    a3, PS_UM | PS_NO_IRQ
    wsr     a3, ps
    rsync
    callx0  a2

/*
 * An exception of the program: save its registers in a frame on a stack of the stand-in, let
 * rom_exception() look at it (and do a load or store to a register of the chip), go on behind it.
 */
    .align  4
exception:
    wsr     a1, excsave1
    movi    a1, exception_frame
    s32i    a0, a1, 0
    rsr     a0, excsave1
    s32i    a0, a1, 4
    s32i    a2, a1, 8
    s32i    a3, a1, 12
    s32i    a4, a1, 16
    s32i    a5, a1, 20
    s32i    a6, a1, 24
    s32i    a7, a1, 28
    s32i    a8, a1, 32
    s32i    a9, a1, 36
    s32i    a10, a1, 40
    s32i    a11, a1, 44
    s32i    a12, a1, 48
    s32i    a13, a1, 52
    s32i    a14, a1, 56
    s32i    a15, a1, 60
    rsr     a2, sar
    s32i    a2, a1, 64
    rsr     a2, epc1
    s32i    a2, a1, 68
    rsr     a2, exccause
    s32i    a2, a1, 72
    rsr     a2, excvaddr
    s32i    a2, a1, 76
    mov     a2, a1
    movi    a1, exception_stack_top
    movi    a0, rom_exception
    callx0  a0
    movi    a1, exception_frame
    l32i    a2, a1, 68
    wsr     a2, epc1
    l32i    a2, a1, 64
    wsr     a2, sar
    l32i    a15, a1, 60
    l32i    a14, a1, 56
    l32i    a13, a1, 52
    l32i    a12, a1, 48
    l32i    a11, a1, 44
    l32i    a10, a1, 40
    l32i    a9, a1, 36
    l32i    a8, a1, 32
    l32i    a7, a1, 28
    l32i    a6, a1, 24
    l32i    a5, a1, 20
    l32i    a4, a1, 16
    l32i    a3, a1, 12
    l32i    a2, a1, 8
    l32i    a0, a1, 0
    l32i    a1, a1, 4
    rfe
    .align  4
/* The breakpoint was reached: the program is not asked to go on. */
debug:
    movi    a1, exception_stack_top
    movi    a0, rom_stopped
    callx0  a0
    .align  4
double_exception:
    movi    a1, exception_stack_top
    movi    a0, rom_double_exception
    callx0  a0

/* int32_t host_call(uint32_t number, a, b, c, d, e): the emulator's simcall; a3, errno, is dropped. */
    .section .text.host_call, "ax"
    .global host_call
host_call:
    simcall
    ret

    .section .bss
    .align  16
exception_frame:
    .space  FRAME
    .space  8192
exception_stack_top:
    .space  16
