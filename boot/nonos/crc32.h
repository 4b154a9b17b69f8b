/*
 * CRC-32 for the boot loader: crc32.c defines upd_crc32() of core's header in fewer bytes, for data
 * that is aligned to 4 bytes and whole words.
 */
#ifndef BOOT_NONOS_CRC32_H
#define BOOT_NONOS_CRC32_H

/** Compute the table. To be called before the first CRC. */
void boot_crc32_prepare(void);

#endif
