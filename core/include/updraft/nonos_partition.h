/*
 * updraft: the partition table that an application of the NONOS SDK 3.x registers at its start.
 *
 * It lies in RAM, not in flash; updraft checks one before it builds a flash image by it, with the
 * SDK's rules and in the SDK's order.
 *
 * Cost: no heap; time grows with the square of the count.  Format: docs/formats/nonos_partition.md
 */
#ifndef UPDRAFT_NONOS_PARTITION_H
#define UPDRAFT_NONOS_PARTITION_H

#include <stddef.h>
#include <stdint.h>

#include <updraft/err.h>
#include <updraft/flash_map.h>

/* Types that the SDK names, X(NAME, value, "name"). Others are the application's, from 100 on. */
#define UPD_NONOS_PARTITION_TYPES(X)                                                               \
    X(INVALID, 0, "invalid")                                                                       \
    X(BOOTLOADER, 1, "bootloader")                                                                 \
    X(OTA_1, 2, "ota-1")                                                                           \
    X(OTA_2, 3, "ota-2")                                                                           \
    X(RF_CAL, 4, "rf-cal")                                                                         \
    X(PHY_DATA, 5, "phy-data")                                                                     \
    X(SYSTEM_PARAMETER, 6, "system-parameter")                                                     \
    X(AT_PARAMETER, 7, "at-parameter")                                                             \
    X(SSL_CLIENT_CERT, 8, "ssl-client-cert")                                                       \
    X(SSL_CLIENT_CA, 9, "ssl-client-ca")                                                           \
    X(SSL_SERVER_CERT, 10, "ssl-server-cert")                                                      \
    X(SSL_SERVER_CA, 11, "ssl-server-ca")                                                          \
    X(WPA2_CERT, 12, "wpa2-cert")                                                                  \
    X(WPA2_CA, 13, "wpa2-ca")                                                                      \
    X(CUSTOMER, 100, "customer")

enum upd_nonos_partition_type {
#define X(name, value, text) UPD_NONOS_##name = (value),
    UPD_NONOS_PARTITION_TYPES(X)
#undef X
};

/** Name of a type: as above, "customer" from 100 on, "unknown" between. */
const char *upd_nonos_partition_type_name(uint32_t type);

/** The type of a name, case ignored; "customer" is 100. UPD_E_NOT_FOUND: *type is unchanged. */
UPD_MUST_CHECK enum upd_err upd_nonos_partition_type_find(const char *text, size_t size,
                                                          uint32_t *type);

struct upd_nonos_partition {
    uint32_t type;    /* enum upd_nonos_partition_type, or above 100 */
    uint32_t address; /* in flash, bytes */
    uint32_t size;    /* bytes */
};

/* X(NAME, sentence). */
#define UPD_NONOS_PARTITION_PROBLEMS(X)                                                            \
    X(OTHER_MAP, "the map is not the one in the flash header")                                     \
    X(BAD_MAP, "the SDK takes maps 2, 3, 4, 5, 6, 8 and 9 only")                                   \
    X(UNALIGNED, "address or size is not a multiple of 4096")                                      \
    X(EMPTY, "size is 0")                                                                          \
    X(BOOTLOADER, "the boot loader must be at 0 and 4096 bytes long")                              \
    X(OTA_1, "OTA 1 must be at 0x1000 and at most 1 MiB long")                                     \
    X(OTA_2, "OTA 2 must be where the map has user2, and at most 1 MiB long")                      \
    X(ONE_SECTOR, "RF calibration and PHY data are one sector of 4096 bytes each")                 \
    X(THREE_SECTORS, "the system parameters are three sectors, 0x3000 bytes")                      \
    X(TWICE, "a type of the SDK occurs twice")                                                     \
    X(OVERLAP, "two partitions overlap")                                                           \
    X(BEYOND, "ends behind the end of the chip")                                                   \
    X(NO_RF_CAL, "there is no RF calibration partition")                                           \
    X(NO_PHY_DATA, "there is no PHY data partition")                                               \
    X(NO_SYSTEM_PARAMETER, "there is no system parameter partition")

enum upd_nonos_partition_code {
#define X(name, text) UPD_NONOS_PARTITION_##name,
    UPD_NONOS_PARTITION_PROBLEMS(X)
#undef X
};

/** The sentence; "unknown" for a value that is not in the list. */
const char *upd_nonos_partition_problem_text(enum upd_nonos_partition_code code);

/** A broken rule. `item` and `other` count from 0; both are the item count where none is meant. */
struct upd_nonos_partition_problem {
    enum upd_nonos_partition_code code;
    uint32_t item;
    uint32_t other; /* TWICE, OVERLAP: the earlier item */
};

/**
 * Check a table as system_partition_table_regist() does.
 *
 * @param items     `count` partitions in any order; may be NULL when count is 0
 * @param map       number that the application passes
 * @param header    map in the flash header, high nibble of byte 3
 * @param problems  out, room for `room`; may be NULL when room is 0
 *
 * @return how many rules are broken, which may be more than `room`; 0: the SDK accepts the table
 */
uint32_t upd_nonos_partition_check(const struct upd_nonos_partition *items, uint32_t count,
                                   uint32_t map, uint32_t header,
                                   struct upd_nonos_partition_problem *problems, uint32_t room);

/**
 * The first partition of a type.
 *
 * @return its index; `count` when there is none
 */
uint32_t upd_nonos_partition_find(const struct upd_nonos_partition *items, uint32_t count,
                                  uint32_t type);

/**
 * What system_partition_get_ota_partition_size() answers: the limit of the SDK's downloads.
 *
 * @param running  slot that runs; the other one's partition counts
 * @return bytes, at most 1 MiB; 0 when there is no such partition
 */
uint32_t upd_nonos_partition_ota_size(const struct upd_nonos_partition *items, uint32_t count,
                                      enum upd_slot running);

#endif
