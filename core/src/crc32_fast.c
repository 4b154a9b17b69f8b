/* CRC-32 for hosts, eight bytes a step. Compiled to nothing where UPD_SMALL is 1. */
#include "crc32_engines.h"

#if !UPD_SMALL

#include <updraft/bytes.h>

/*
 * tables[k][n] is what the byte n does to the register after k more bytes have passed. A CRC is
 * linear: what a byte does is the sum (XOR) of what its bits do. So each table is written as its
 * eight rows for single bits, lowest bit first, and the compiler makes the other 248.
 */
#define BIT(n, bit, value) (((n) >> (bit)&1) != 0 ? (value) : 0u)
#define ROW(n, b0, b1, b2, b3, b4, b5, b6, b7)                                                     \
    (BIT(n, 0, b0) ^ BIT(n, 1, b1) ^ BIT(n, 2, b2) ^ BIT(n, 3, b3) ^ BIT(n, 4, b4) ^               \
     BIT(n, 5, b5) ^ BIT(n, 6, b6) ^ BIT(n, 7, b7))
#define ROWS_4(n, ...)                                                                             \
    ROW(n, __VA_ARGS__), ROW((n) + 1, __VA_ARGS__), ROW((n) + 2, __VA_ARGS__),                     \
        ROW((n) + 3, __VA_ARGS__)
#define ROWS_16(n, ...)                                                                            \
    ROWS_4(n, __VA_ARGS__), ROWS_4((n) + 4, __VA_ARGS__), ROWS_4((n) + 8, __VA_ARGS__),            \
        ROWS_4((n) + 12, __VA_ARGS__)
#define ROWS_64(n, ...)                                                                            \
    ROWS_16(n, __VA_ARGS__), ROWS_16((n) + 16, __VA_ARGS__), ROWS_16((n) + 32, __VA_ARGS__),       \
        ROWS_16((n) + 48, __VA_ARGS__)
#define TABLE(...)                                                                                 \
    {                                                                                              \
        ROWS_64(0, __VA_ARGS__), ROWS_64(64, __VA_ARGS__), ROWS_64(128, __VA_ARGS__),              \
            ROWS_64(192, __VA_ARGS__)                                                              \
    }

static const uint32_t lsb[8][256] = {
    TABLE(0x77073096, 0xEE0E612C, 0x076DC419, 0x0EDB8832, 0x1DB71064, 0x3B6E20C8, 0x76DC4190,
          0xEDB88320),
    TABLE(0x191B3141, 0x32366282, 0x646CC504, 0xC8D98A08, 0x4AC21251, 0x958424A2, 0xF0794F05,
          0x3B83984B),
    TABLE(0x01C26A37, 0x0384D46E, 0x0709A8DC, 0x0E1351B8, 0x1C26A370, 0x384D46E0, 0x709A8DC0,
          0xE1351B80),
    TABLE(0xB8BC6765, 0xAA09C88B, 0x8F629757, 0xC5B428EF, 0x5019579F, 0xA032AF3E, 0x9B14583D,
          0xED59B63B),
    TABLE(0x3D6029B0, 0x7AC05360, 0xF580A6C0, 0x30704BC1, 0x60E09782, 0xC1C12F04, 0x58F35849,
          0xB1E6B092),
    TABLE(0xCB5CD3A5, 0x4DC8A10B, 0x9B914216, 0xEC53826D, 0x03D6029B, 0x07AC0536, 0x0F580A6C,
          0x1EB014D8),
    TABLE(0xA6770BB4, 0x979F1129, 0xF44F2413, 0x33EF4E67, 0x67DE9CCE, 0xCFBD399C, 0x440B7579,
          0x8816EAF2),
    TABLE(0xCCAA009E, 0x4225077D, 0x844A0EFA, 0xD3E51BB5, 0x7CBB312B, 0xF9766256, 0x299DC2ED,
          0x533B85DA),
};

static const uint32_t msb[8][256] = {
    TABLE(0x04C11DB7, 0x09823B6E, 0x130476DC, 0x2608EDB8, 0x4C11DB70, 0x9823B6E0, 0x34867077,
          0x690CE0EE),
    TABLE(0xD219C1DC, 0xA0F29E0F, 0x452421A9, 0x8A484352, 0x10519B13, 0x20A33626, 0x41466C4C,
          0x828CD898),
    TABLE(0x01D8AC87, 0x03B1590E, 0x0762B21C, 0x0EC56438, 0x1D8AC870, 0x3B1590E0, 0x762B21C0,
          0xEC564380),
    TABLE(0xDC6D9AB7, 0xBC1A28D9, 0x7CF54C05, 0xF9EA980A, 0xF7142DA3, 0xEAE946F1, 0xD1139055,
          0xA6E63D1D),
    TABLE(0x490D678D, 0x921ACF1A, 0x20F48383, 0x41E90706, 0x83D20E0C, 0x036501AF, 0x06CA035E,
          0x0D9406BC),
    TABLE(0x1B280D78, 0x36501AF0, 0x6CA035E0, 0xD9406BC0, 0xB641CA37, 0x684289D9, 0xD08513B2,
          0xA5CB3AD3),
    TABLE(0x4F576811, 0x9EAED022, 0x399CBDF3, 0x73397BE6, 0xE672F7CC, 0xC824F22F, 0x9488F9E9,
          0x2DD0EE65),
    TABLE(0x5BA1DCCA, 0xB743B994, 0x6A466E9F, 0xD48CDD3E, 0xADD8A7CB, 0x5F705221, 0xBEE0A442,
          0x79005533),
};

uint32_t upd_crc32_fast_lsb(uint32_t reg, const uint8_t *data, uint32_t size)
{
    for (; size >= 8; size -= 8) {
        uint32_t one = reg ^ upd_get_le32(data), two = upd_get_le32(data + 4);

        reg = lsb[7][one & 255] ^ lsb[6][one >> 8 & 255] ^ lsb[5][one >> 16 & 255] ^
              lsb[4][one >> 24] ^ lsb[3][two & 255] ^ lsb[2][two >> 8 & 255] ^
              lsb[1][two >> 16 & 255] ^ lsb[0][two >> 24];
        data += 8;
    }
    for (; size != 0; size--) {
        reg = reg >> 8 ^ lsb[0][(reg ^ *data++) & 255];
    }
    return reg;
}

uint32_t upd_crc32_fast_msb(uint32_t reg, const uint8_t *data, uint32_t size)
{
    for (; size >= 8; size -= 8) {
        uint32_t one = reg ^ upd_get_be32(data), two = upd_get_be32(data + 4);

        reg = msb[7][one >> 24] ^ msb[6][one >> 16 & 255] ^ msb[5][one >> 8 & 255] ^
              msb[4][one & 255] ^ msb[3][two >> 24] ^ msb[2][two >> 16 & 255] ^
              msb[1][two >> 8 & 255] ^ msb[0][two & 255];
        data += 8;
    }
    for (; size != 0; size--) {
        reg = reg << 8 ^ msb[0][reg >> 24 ^ *data++];
    }
    return reg;
}

#endif
