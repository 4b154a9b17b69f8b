#include <updraft/bytes.h>
#include <updraft/partition_csv.h>

#include "slice.h"

/* What stands first in each text. */
#define HEAD "# Name, Type, SubType, Offset, Size, Flags\n"

const struct upd_partition_builtin upd_partition_builtins[] = {
    /* clang-format off */
    {"singleapp", UPD_PARTITION_IDF, true, UPD_PARTITION_TABLE_OFFSET, HEAD
     "nvs, data, nvs, , 0x6000\n"
     "phy_init, data, phy, , 0x1000\n"
     "factory, app, factory, , 1M\n"},
    {"singleapp_large", UPD_PARTITION_IDF, true, UPD_PARTITION_TABLE_OFFSET, HEAD
     "nvs, data, nvs, , 0x6000\n"
     "phy_init, data, phy, , 0x1000\n"
     "factory, app, factory, , 1500K\n"},
    {"singleapp_coredump", UPD_PARTITION_IDF, true, UPD_PARTITION_TABLE_OFFSET, HEAD
     "nvs, data, nvs, , 0x6000\n"
     "phy_init, data, phy, , 0x1000\n"
     "factory, app, factory, , 1M\n"
     "coredump, data, coredump, , 64K\n"},
    {"singleapp_large_coredump", UPD_PARTITION_IDF, true, UPD_PARTITION_TABLE_OFFSET, HEAD
     "nvs, data, nvs, , 0x6000\n"
     "phy_init, data, phy, , 0x1000\n"
     "factory, app, factory, , 1500K\n"
     "coredump, data, coredump, , 64K\n"},
    {"singleapp_encr_nvs", UPD_PARTITION_IDF, true, UPD_PARTITION_TABLE_OFFSET, HEAD
     "nvs, data, nvs, , 0x6000\n"
     "phy_init, data, phy, , 0x1000\n"
     "factory, app, factory, , 1M\n"
     "nvs_key, data, nvs_keys, , 0x1000, encrypted\n"},
    {"singleapp_large_encr_nvs", UPD_PARTITION_IDF, true, UPD_PARTITION_TABLE_OFFSET, HEAD
     "nvs, data, nvs, , 0x6000\n"
     "phy_init, data, phy, , 0x1000\n"
     "factory, app, factory, , 1500K\n"
     "nvs_key, data, nvs_keys, , 0x1000, encrypted\n"},
    {"singleapp_tee", UPD_PARTITION_IDF, true, UPD_PARTITION_TABLE_OFFSET, HEAD
     "tee, app, tee_0, , 256K\n"
     "secure_storage, data, nvs, , 64K\n"
     "factory, app, factory, , 1536K\n"
     "nvs, data, nvs, , 24K\n"
     "phy_init, data, phy, , 4K\n"},
    {"two_ota", UPD_PARTITION_IDF, true, UPD_PARTITION_TABLE_OFFSET, HEAD
     "nvs, data, nvs, , 0x4000\n"
     "otadata, data, ota, , 0x2000\n"
     "phy_init, data, phy, , 0x1000\n"
     "factory, app, factory, , 1M\n"
     "ota_0, app, ota_0, , 1M\n"
     "ota_1, app, ota_1, , 1M\n"},
    {"two_ota_large", UPD_PARTITION_IDF, true, UPD_PARTITION_TABLE_OFFSET, HEAD
     "nvs, data, nvs, , 0x6000\n"
     "otadata, data, ota, , 0x2000\n"
     "phy_init, data, phy, , 0x1000\n"
     "ota_0, app, ota_0, , 1700K\n"
     "ota_1, app, ota_1, , 1700K\n"},
    {"two_ota_coredump", UPD_PARTITION_IDF, true, UPD_PARTITION_TABLE_OFFSET, HEAD
     "nvs, data, nvs, , 0x4000\n"
     "otadata, data, ota, , 0x2000\n"
     "phy_init, data, phy, , 0x1000\n"
     "factory, app, factory, , 1M\n"
     "coredump, data, coredump, , 64K\n"
     "ota_0, app, ota_0, , 1M\n"
     "ota_1, app, ota_1, , 1M\n"},
    {"two_ota_encr_nvs", UPD_PARTITION_IDF, true, UPD_PARTITION_TABLE_OFFSET, HEAD
     "nvs, data, nvs, , 0x4000\n"
     "otadata, data, ota, , 0x2000\n"
     "phy_init, data, phy, , 0x1000\n"
     "factory, app, factory, , 1M\n"
     "ota_0, app, ota_0, , 1M\n"
     "ota_1, app, ota_1, , 1M\n"
     "nvs_key, data, nvs_keys, , 0x1000, encrypted\n"},
    {"two_ota_tee", UPD_PARTITION_IDF, true, UPD_PARTITION_TABLE_OFFSET, HEAD
     "tee_0, app, tee_0, , 256K\n"
     "tee_1, app, tee_1, , 256K\n"
     "tee_otadata, data, tee_ota, , 8K\n"
     "secure_storage, data, nvs, , 56K\n"
     "ota_0, app, ota_0, , 1536K\n"
     "ota_1, app, ota_1, , 1536K\n"
     "otadata, data, ota, , 8K\n"
     "nvs, data, nvs, , 24K\n"
     "phy_init, data, phy, , 4K\n"},
    {"singleapp", UPD_PARTITION_RTOS, false, UPD_PARTITION_TABLE_OFFSET, HEAD
     "nvs, data, nvs, 0x9000, 0x6000\n"
     "phy_init, data, phy, 0xF000, 0x1000\n"
     "factory, app, factory, 0x10000, 0xF0000\n"},
    {"two_ota", UPD_PARTITION_RTOS, false, UPD_PARTITION_TABLE_OFFSET, HEAD
     "nvs, data, nvs, 0x9000, 0x4000\n"
     "otadata, data, ota, 0xD000, 0x2000\n"
     "phy_init, data, phy, 0xF000, 0x1000\n"
     "ota_0, app, ota_0, 0x10000, 0xF0000\n"
     "ota_1, app, ota_1, 0x110000, 0xF0000\n"},
    {"two_ota.1MB", UPD_PARTITION_RTOS, false, UPD_PARTITION_TABLE_OFFSET, HEAD
     "nvs, data, nvs, 0x9000, 0x4000\n"
     "otadata, data, ota, 0xD000, 0x2000\n"
     "phy_init, data, phy, 0xF000, 0x1000\n"
     "ota_0, app, ota_0, 0x10000, 0x70000\n"
     "ota_1, app, ota_1, 0x80000, 0x70000\n"},
    {"two_ota_v2tov3.2MB", UPD_PARTITION_RTOS, false, UPD_PARTITION_TABLE_OFFSET, HEAD
     "nvs, data, nvs, 0x9000, 0x4000\n"
     "otadata, data, ota, 0xD000, 0x2000\n"
     "phy_init, data, phy, 0xF000, 0x1000\n"
     "ota_0, app, ota_0, 0x10000, 0xEC000\n"
     "ota_1, app, ota_1, 0x110000, 0xEC000\n"},
    {"two_ota_v2tov3.1MB", UPD_PARTITION_RTOS, false, 0x5000, HEAD
     "phy_init, data, phy, 0x6000, 0x1000\n"
     "ota_0, app, ota_0, 0x7000, 0x77000\n"
     "nvs, data, nvs, 0x7F000, 0x4000\n"
     "otadata, data, ota, 0x83000, 0x2000\n"
     "ota_1, app, ota_1, 0x85000, 0x77000\n"},
    /* clang-format on */
};
const uint32_t upd_partition_builtin_count =
    sizeof upd_partition_builtins / sizeof upd_partition_builtins[0];

const struct upd_partition_builtin *upd_partition_builtin(enum upd_partition_dialect dialect,
                                                          const char *name)
{
    for (uint32_t i = 0; i < upd_partition_builtin_count; i++) {
        const struct upd_partition_builtin *builtin = &upd_partition_builtins[i];
        if (builtin->dialect == dialect &&
            upd_slice_equal(upd_slice_of(builtin->name), upd_slice_of(name))) {
            return builtin;
        }
    }
    return NULL;
}
