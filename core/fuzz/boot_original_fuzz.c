/*
 * Any boot block: every loader decides, and what it decides hangs together.
 *
 * Input: version, map number, blind, then the block, then four bytes of RTC memory.
 */
#include <updraft/boot_original.h>
#include <updraft/bytes.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool truth)
{
    if (!truth) {
        __builtin_trap();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct upd_reader in = {data, (uint32_t)size};
    struct upd_boot_decision decision;
    struct upd_boot_failure failure;
    const uint8_t *choice, *block, *rtc;

    if (!upd_take(&in, 3, &choice) || !upd_take(&in, UPD_BOOT_BLOCK_SIZE, &block) ||
        !upd_take(&in, 4, &rtc)) {
        return 0;
    }
    enum upd_boot_version version = (enum upd_boot_version)choice[0];

    upd_boot_original_decide(version, choice[1], block, choice[2] != 0, &decision);
    require((uint32_t)decision.start <= UPD_BOOT_START_BACKUP);
    require(decision.start != UPD_BOOT_START_NOTHING || decision.address == 0);
    require(upd_boot_reason_text(decision.reason)[0] != 'u' || decision.reason == 0);

    upd_boot_original_failed(version, &decision, upd_get_le32(rtc), &failure);
    require(!failure.save || failure.reset);
    require(failure.save || memcmp(failure.block, decision.block, UPD_BOOT_BLOCK_SIZE) == 0);
    require(upd_boot_original_pin(version, block[0]) <= 15);
    return 0;
}
