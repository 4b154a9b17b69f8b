/*
 * Any parameter area, seals included: every reading has an answer, and whoever is told that nothing
 * is left to do has the slot selected.
 *
 * Input: loader version, slot, then the heads of flag sector and copies, the flag sector's seals,
 * and marks and places of both copies.
 */
#include <updraft/bytes.h>
#include <updraft/nonos_select.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool truth)
{
    if (!truth) {
        __builtin_trap();
    }
}

static bool take_into(struct upd_reader *in, void *target, uint32_t size)
{
    const uint8_t *bytes;

    if (!upd_take(in, size, &bytes)) {
        return false;
    }
    memcpy(target, bytes, size);
    return true;
}

static bool take_area(struct upd_reader *in, struct upd_select_area *area)
{
    const uint8_t *mark, *seal;

    memset(area, 0, sizeof *area);
    if (!take_into(in, area->params.flag, sizeof area->params.flag) ||
        !take_into(in, area->params.head, sizeof area->params.head) ||
        !take_into(in, area->flag_seals, sizeof area->flag_seals)) {
        return false;
    }
    for (uint32_t copy = 0; copy < 2; copy++) {
        for (uint32_t place = 0; place < UPD_COPY_SEALS; place++) {
            if (!upd_take(in, UPD_JOURNAL_MARK_SIZE, &mark) ||
                !upd_take(in, UPD_SEAL_SIZE, &seal)) {
                return false;
            }
            upd_copy_see_seal(&area->copy[copy], place, mark, seal);
        }
        require(area->copy[copy].free <= UPD_COPY_SEALS);
    }
    return true;
}

static void check_step(const struct upd_select_area *area, struct upd_select_step step)
{
    require(step.what <= UPD_SELECT_FLAG);
    require(step.what != UPD_SELECT_COPY || step.which <= UPD_SLOT_USER2);
    require(step.what != UPD_SELECT_FLAG || step.which <= 1);
    require(step.what != UPD_SELECT_DONE || upd_flag_trust(area) != UPD_FLAG_DOUBT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct upd_select_progress none, all = {true, true};
    struct upd_reader in = {data, (uint32_t)size};
    struct upd_select_area area;
    const uint8_t *choice;

    if (!upd_take(&in, 2, &choice) || !take_area(&in, &area)) {
        return 0;
    }
    uint8_t version = (uint8_t)(2 + choice[0] % 29);
    enum upd_slot slot = (choice[1] & 1) != 0 ? UPD_SLOT_USER2 : UPD_SLOT_USER1;
    uint8_t current = upd_select_current(&area);

    require(current <= 1);
    check_step(&area, upd_select_hold(&area, &none));
    check_step(&area, upd_select_hold(&area, &all));
    check_step(&area, upd_select_slot(&area, &none, version, slot));

    struct upd_select_step step = upd_select_slot(&area, &all, version, slot);
    check_step(&area, step);
    require(step.what != UPD_SELECT_DONE ||
            upd_block_slot(area.params.head[current], version) == slot);
    return 0;
}
