/*
 * Any command block, any question: what is read can be built again, and an offer that is taken
 * neither overflows nor overlaps. Input: a block of 128 bytes, then the words of a question.
 */
#include <updraft/bytes.h>
#include <updraft/eboot.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool truth)
{
    if (!truth) {
        __builtin_trap();
    }
}

static uint32_t take_word(struct upd_reader *in)
{
    const uint8_t *bytes;

    return upd_take(in, 4, &bytes) ? upd_get_le32(bytes) : 0;
}

static void try_block(const uint8_t *block)
{
    struct upd_eboot_command command, again;
    struct upd_eboot_decision decision;
    struct upd_eboot_copy copy;
    uint8_t built[UPD_EBOOT_COMMAND_SIZE];

    upd_eboot_decide(block, &decision);
    if (upd_eboot_parse(block, &command) != UPD_OK) {
        require(decision.next == UPD_EBOOT_NEXT_LOAD && decision.address == 0);
        /* Blocks with a right CRC are rare: the rest is worth trying with what is there. */
        command.action = UPD_EBOOT_COPY;
        command.source = upd_get_le32(block + 8);
        command.target = upd_get_le32(block + 12);
        command.size = upd_get_le32(block + 16);
    }
    upd_eboot_build(&command, built);
    require(upd_eboot_parse(built, &again) == UPD_OK);
    require(again.action == command.action && again.source == command.source &&
            again.target == command.target && again.size == command.size);
    if (upd_eboot_copy(&command, (block[20] & 1) != 0, upd_get_le32(block + 24), &copy) == UPD_OK) {
        require(copy.read != 0 && copy.write != 0);
        require(!copy.repeatable || copy.safe);
        require(command.source + (copy.read - 1) >= command.source);
        require(command.target + (copy.write - 1) >= command.target);
    }
}

static void try_question(struct upd_reader *in)
{
    struct upd_eboot_question question = {
        .running = take_word(in),
        .free = take_word(in),
        .limit = take_word(in),
        .file = take_word(in),
        .trailer = take_word(in),
        .inflated = take_word(in),
        .isize = take_word(in),
        .member = take_word(in),
    };
    uint32_t start;

    question.gzip = (take_word(in) & 1) != 0;
    if (upd_eboot_offer(&question) == UPD_EBOOT_OFFER_OK) {
        uint32_t fs_start = ((question.running + 4095) & ~4095u) + question.free;
        require(upd_eboot_stage(question.running, fs_start, question.file, &start) == UPD_OK);
        require((question.gzip ? question.inflated : question.file - question.trailer) <=
                question.limit);
        require(!question.gzip || question.inflated <= start);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct upd_reader in = {data, (uint32_t)size};
    const uint8_t *block;

    if (upd_take(&in, UPD_EBOOT_COMMAND_SIZE, &block)) {
        try_block(block);
        try_question(&in);
    }
    return 0;
}
