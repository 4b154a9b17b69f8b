/*
 * updraft: knobs that change how fast and how large core/ is, and never what it does.
 */
#ifndef UPDRAFT_CONFIG_H
#define UPDRAFT_CONFIG_H

/**
 * 1 where bytes of code are dearer than time: small tables, loops as loops. 0 where they are not:
 * CRC-32 with 16 KiB of tables, the rounds of MD5 and SHA-256 written out.
 *
 * Range: 0 or 1. Default: 1 for the chips' CPUs (Xtensa, RISC-V of 32 bits), 0 for every other.
 */
#ifndef UPD_SMALL
#if defined(__XTENSA__) || (defined(__riscv) && __riscv_xlen == 32)
#define UPD_SMALL 1
#else
#define UPD_SMALL 0
#endif
#endif
_Static_assert(UPD_SMALL == 0 || UPD_SMALL == 1, "UPD_SMALL: see its comment");

/**
 * 1 to build the compression function of SHA-256 that uses the SHA instructions of x86-64, beside
 * the portable one; upd_sha256_init() asks the CPU which of them may run. 0 to build the portable
 * one only.
 *
 * Range: 0 or 1. Default: 1 for x86-64, 0 for every other CPU.
 */
#ifndef UPD_SHA256_X86
#if defined(__x86_64__)
#define UPD_SHA256_X86 1
#else
#define UPD_SHA256_X86 0
#endif
#endif
_Static_assert(UPD_SHA256_X86 == 0 || UPD_SHA256_X86 == 1, "UPD_SHA256_X86: see its comment");

#endif
