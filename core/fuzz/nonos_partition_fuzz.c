/*
 * Any table: what is accepted has no overlaps and ends on the chip. Input: map, header map, then
 * rows of type, address and size as words.
 */
#include <updraft/bytes.h>
#include <updraft/nonos_partition.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST = 24 };

static void require(bool truth)
{
    if (!truth) {
        __builtin_trap();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct upd_reader in = {data, (uint32_t)size};
    struct upd_nonos_partition items[MOST];
    struct upd_nonos_partition_problem problems[5];
    const uint8_t *maps, *row;
    uint32_t count = 0;

    if (!upd_take(&in, 2, &maps)) {
        return 0;
    }
    while (count < MOST && upd_take(&in, 12, &row)) {
        items[count++] = (struct upd_nonos_partition){upd_get_le32(row), upd_get_le32(row + 4),
                                                      upd_get_le32(row + 8)};
    }
    uint32_t broken = upd_nonos_partition_check(items, count, maps[0], maps[1], problems, 5);

    for (uint32_t i = 0; i < broken && i < 5; i++) {
        require(problems[i].item <= count && problems[i].other <= count);
        require(upd_nonos_partition_problem_text(problems[i].code)[0] != 'u');
    }
    for (uint32_t i = 0; broken == 0 && i < count; i++) {
        require(items[i].size <= upd_flash_map(maps[0])->size);
        for (uint32_t k = 0; k < i; k++) {
            require(items[i].address + items[i].size <= items[k].address ||
                    items[k].address + items[k].size <= items[i].address);
        }
    }
    return 0;
}
