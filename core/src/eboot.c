/* docs/formats/eboot.md */
#include <updraft/bytes.h>
#include <updraft/crc32.h>
#include <updraft/eboot.h>
#include <updraft/flash_map.h>

#define SECTOR UPD_FLASH_SECTOR
#define MAGIC 0xEB001000u
#define MAGIC_MASK 0xFFFFF000u

/* Offsets in the block. */
enum { ACTION_AT = 4, SOURCE_AT = 8, TARGET_AT = 12, SIZE_AT = 16, CRC_AT = 124 };

/* Header and trailer around no data at all: the shortest gzip member. */
#define GZIP_SHORTEST 18u

static uint32_t block_crc(const uint8_t block[UPD_EBOOT_COMMAND_SIZE])
{
    return upd_crc32_mpeg2(UPD_CRC32_MPEG2_INIT, block, CRC_AT);
}

void upd_eboot_build(const struct upd_eboot_command *command, uint8_t block[UPD_EBOOT_COMMAND_SIZE])
{
    memset(block, 0, UPD_EBOOT_COMMAND_SIZE);
    upd_put_le32(block, MAGIC);
    upd_put_le32(block + ACTION_AT, (uint32_t)command->action);
    upd_put_le32(block + SOURCE_AT, command->source);
    upd_put_le32(block + TARGET_AT, command->target);
    upd_put_le32(block + SIZE_AT, command->size);
    upd_put_le32(block + CRC_AT, block_crc(block));
}

enum upd_err upd_eboot_parse(const uint8_t block[UPD_EBOOT_COMMAND_SIZE],
                             struct upd_eboot_command *command)
{
    if ((upd_get_le32(block) & MAGIC_MASK) != MAGIC) {
        return UPD_E_NOT_FOUND;
    }
    if (upd_get_le32(block + CRC_AT) != block_crc(block)) {
        return UPD_E_FORMAT;
    }
    command->action = (int32_t)upd_get_le32(block + ACTION_AT);
    command->source = upd_get_le32(block + SOURCE_AT);
    command->target = upd_get_le32(block + TARGET_AT);
    command->size = upd_get_le32(block + SIZE_AT);
    return UPD_OK;
}

void upd_eboot_clear(uint8_t block[UPD_EBOOT_COMMAND_SIZE])
{
    upd_put_le32(block, 0);
    upd_put_le32(block + CRC_AT, 0);
}

void upd_eboot_decide(const uint8_t block[UPD_EBOOT_COMMAND_SIZE],
                      struct upd_eboot_decision *decision)
{
    struct upd_eboot_command command;

    *decision = (struct upd_eboot_decision){.next = UPD_EBOOT_NEXT_LOAD};
    if (upd_eboot_parse(block, &command) != UPD_OK) {
        return;
    }
    decision->clear = true;
    if (command.action == UPD_EBOOT_LOAD) {
        decision->address = command.source;
    } else {
        decision->next =
            command.action == UPD_EBOOT_COPY ? UPD_EBOOT_NEXT_COPY : UPD_EBOOT_NEXT_RESET;
    }
}

void upd_eboot_after_copy(const struct upd_eboot_command *command, enum upd_eboot_result result,
                          struct upd_eboot_decision *decision)
{
    bool copied = result == UPD_EBOOT_RESULT_OK;

    decision->next = copied ? UPD_EBOOT_NEXT_LOAD : UPD_EBOOT_NEXT_RESET;
    decision->clear = true;
    decision->address = copied ? command->target : 0;
}

const char *upd_eboot_result_text(enum upd_eboot_result result)
{
    static const char *const texts[] = {
#define X(name, value, text) [value] = text,
        UPD_EBOOT_RESULTS(X)
#undef X
    };

    return (uint32_t)result < sizeof texts / sizeof texts[0] ? texts[result] : "unknown";
}

static bool is_aligned(uint32_t address)
{
    return address % SECTOR == 0;
}

/* The size must be at most 2 GiB: callers see to it. */
static uint32_t whole_sectors(uint32_t size)
{
    return (size + (SECTOR - 1)) & ~(SECTOR - 1);
}

static bool overlap(uint32_t one, uint32_t one_size, uint32_t other, uint32_t other_size)
{
    return one < other ? other - one < one_size : one - other < other_size;
}

enum upd_err upd_eboot_copy(const struct upd_eboot_command *command, bool gzip, uint32_t isize,
                            struct upd_eboot_copy *copy)
{
    uint32_t source = command->source, target = command->target;
    uint32_t length = gzip ? isize : command->size;
    const uint32_t longest = INT32_MAX - (SECTOR - 1);

    if (command->action != UPD_EBOOT_COPY) {
        return UPD_E_ARG;
    }
    /* eboot counts down in a signed number of whole sectors: above 2 GiB there is nothing to do. */
    if (!is_aligned(source) || !is_aligned(target) || length == 0 || length > longest ||
        command->size == 0 || command->size > longest) {
        return UPD_E_FORMAT;
    }
    uint32_t read = whole_sectors(command->size), write = whole_sectors(length);

    if (read > UINT32_MAX - source || write > UINT32_MAX - target) {
        return UPD_E_ARG;
    }
    bool overlaps = overlap(source, read, target, write);

    copy->read = read;
    copy->write = write;
    copy->boot = target == 0;
    copy->repeatable = !overlaps;
    /* Raw sectors are read in rising order, each before it is overwritten. Inflating reads behind
     * what it writes. */
    copy->safe = !overlaps || (!gzip && target <= source);
    return UPD_OK;
}

enum upd_err upd_eboot_stage(uint32_t running, uint32_t fs_start, uint32_t size, uint32_t *start)
{
    if (size == 0) {
        return UPD_E_ARG;
    }
    if (running > fs_start || size > fs_start) {
        return UPD_E_SPACE;
    }
    uint32_t first_free = whole_sectors(running), need = whole_sectors(size);
    uint32_t staged = need >= fs_start ? 0 : fs_start - need;

    if (staged < first_free) {
        return UPD_E_SPACE;
    }
    *start = staged;
    return UPD_OK;
}

const char *upd_eboot_offer_text(enum upd_eboot_offer offer)
{
    static const char *const texts[] = {
#define X(name, text) text,
        UPD_EBOOT_OFFERS(X)
#undef X
    };

    return (uint32_t)offer < sizeof texts / sizeof texts[0] ? texts[offer] : "unknown";
}

static enum upd_eboot_offer check_gzip(const struct upd_eboot_question *question)
{
    uint32_t staged = question->file - question->trailer;

    if (staged < GZIP_SHORTEST) {
        return UPD_EBOOT_OFFER_NOT_GZIP;
    }
    if (question->member != staged) {
        return UPD_EBOOT_OFFER_TRAILING;
    }
    if (question->isize == 0 || question->isize != question->inflated) {
        return UPD_EBOOT_OFFER_NO_LENGTH;
    }
    return UPD_EBOOT_OFFER_OK;
}

enum upd_eboot_offer upd_eboot_offer(const struct upd_eboot_question *question)
{
    const uint32_t any_flash = 0x40000000; /* so that nothing below can overflow */

    if (question->file <= question->trailer) {
        return UPD_EBOOT_OFFER_EMPTY;
    }
    if (question->running > any_flash || question->free > any_flash || question->file > any_flash ||
        whole_sectors(question->file) > question->free) {
        return UPD_EBOOT_OFFER_NO_SPACE;
    }
    enum upd_eboot_offer offer = question->gzip ? check_gzip(question) : UPD_EBOOT_OFFER_OK;

    if (offer != UPD_EBOOT_OFFER_OK) {
        return offer;
    }
    uint32_t sketch = question->gzip ? question->inflated : question->file - question->trailer;

    if (sketch > question->limit || sketch > any_flash) {
        return UPD_EBOOT_OFFER_TOO_LARGE;
    }
    uint32_t staged_at =
        whole_sectors(question->running) + question->free - whole_sectors(question->file);

    if (whole_sectors(sketch) <= staged_at) {
        return UPD_EBOOT_OFFER_OK;
    }
    if (question->gzip) {
        return UPD_EBOOT_OFFER_OVERLAP;
    }
    return question->repeatable ? UPD_EBOOT_OFFER_NOT_REPEATABLE : UPD_EBOOT_OFFER_OK;
}
