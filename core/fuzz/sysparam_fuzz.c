/*
 * Any parameter area, any wanted slot: the plan stays inside its bounds, and carrying it out on the
 * 32 bytes of each sector that matter makes the slot the selected one, for good.
 *
 * Input: flag sector, copy 0, copy 1, 32 bytes each as in core/test/vectors/sysparam; then version,
 * slot, whether the settings are the same.
 */
#include <updraft/bytes.h>
#include <updraft/sysparam.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool truth)
{
    if (!truth) {
        __builtin_trap();
    }
}

static uint8_t *sector_of(struct upd_sysparam *area, uint32_t sector)
{
    require(sector >= UPD_SYSPARAM_SECTOR_COPY0 && sector <= UPD_SYSPARAM_SECTOR_FLAG);
    return sector == UPD_SYSPARAM_SECTOR_FLAG ? area->flag
                                              : area->head[sector - UPD_SYSPARAM_SECTOR_COPY0];
}

static void carry_out(struct upd_sysparam *area, const struct upd_sysparam_plan *plan)
{
    require(plan->count <= sizeof plan->step / sizeof plan->step[0]);
    for (uint32_t i = 0; i < plan->count; i++) {
        const struct upd_sysparam_step *step = &plan->step[i];
        const uint8_t *bytes = upd_sysparam_data(plan, step);
        uint8_t *sector = sector_of(area, step->sector);

        switch (step->action) {
        case UPD_SYSPARAM_ERASE:
            memset(sector, 0xFF, UPD_SYSPARAM_HEAD_SIZE);
            break;
        case UPD_SYSPARAM_COPY:
            memcpy(sector, sector_of(area, step->source), UPD_SYSPARAM_HEAD_SIZE);
            memcpy(sector, bytes, UPD_BOOT_BLOCK_SIZE);
            break;
        case UPD_SYSPARAM_PROGRAM:
            require(step->offset + step->size <= UPD_SYSPARAM_HEAD_SIZE);
            for (uint32_t k = 0; k < step->size; k++) {
                sector[step->offset + k] &= bytes[k];
            }
            break;
        default:
            require(false);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct upd_reader in = {data, (uint32_t)size};
    const uint8_t *heads, *choice;
    struct upd_sysparam area;
    struct upd_sysparam_plan plan;
    uint8_t block[UPD_BOOT_BLOCK_SIZE];

    if (!upd_take(&in, 3 * UPD_SYSPARAM_HEAD_SIZE, &heads)) {
        return 0;
    }
    memcpy(area.flag, heads, UPD_SYSPARAM_HEAD_SIZE);
    memcpy(area.head, heads + UPD_SYSPARAM_HEAD_SIZE, 2 * UPD_SYSPARAM_HEAD_SIZE);
    choice = upd_take(&in, 3, &choice) ? choice : (const uint8_t *)"\7\1\0";
    area.same_settings = (choice[2] & 1) != 0;

    enum upd_slot slot = (choice[1] & 1) != 0 ? UPD_SLOT_USER2 : UPD_SLOT_USER1;

    upd_sysparam_plan_flag(&area, choice[0], slot, &plan);
    carry_out(&area, &plan);
    for (uint32_t round = 0; round < 3; round++) {
        enum upd_err err = upd_sysparam_plan_slot(&area, UPD_SYSPARAM_SAFE, choice[0], slot, &plan);
        require((err == UPD_OK) == (choice[0] >= 2 && choice[0] <= 30));
        if (err != UPD_OK) {
            return 0;
        }
        carry_out(&area, &plan);
    }
    require(plan.count == 0);
    memcpy(block, upd_sysparam_block(&area), sizeof block);
    require(upd_boot_block_select(block, choice[0], slot) == UPD_OK);
    require(memcmp(block, upd_sysparam_block(&area), sizeof block) == 0);
    require(upd_sdk_userbin_check(block) == slot);
    require(upd_sysparam_sdk_accepts(&area));
    return 0;
}
