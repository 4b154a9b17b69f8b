#include <updraft/gzip.h>

#include <updraft/crc32.h>

/* The fields in their order. All but the first are there only when their flag is set. */
enum field { FIXED, EXTRA_SIZE, EXTRA, NAME, COMMENT, CHECK, END };

enum { RESERVED_FLAGS = 0xE0 };

static const uint32_t flag_of[] = {
    [EXTRA_SIZE] = 0x04, [EXTRA] = 0x04, [NAME] = 0x08, [COMMENT] = 0x10, [CHECK] = 0x02,
};

static void next_field(struct upd_gzip_head *head)
{
    head->index = 0;
    do {
        head->field++;
    } while (head->field != END && (head->flags & flag_of[head->field]) == 0);
}

/* Byte `index` of the ten that every header has. Those after the flags are of no use to us. */
static enum upd_gzip_reason check_fixed(struct upd_gzip_head *head, uint8_t byte)
{
    switch (head->index) {
    case 0:
        return byte == 0x1F ? UPD_GZIP_OK : UPD_GZIP_MAGIC;
    case 1:
        return byte == 0x8B ? UPD_GZIP_OK : UPD_GZIP_MAGIC;
    case 2:
        return byte == 8 ? UPD_GZIP_OK : UPD_GZIP_METHOD;
    case 3:
        head->flags = byte;
        return (byte & RESERVED_FLAGS) == 0 ? UPD_GZIP_OK : UPD_GZIP_FLAGS;
    default:
        return UPD_GZIP_OK;
    }
}

/* Take one byte of the field: *ends says whether it is the field's last. */
static enum upd_gzip_reason take_byte(struct upd_gzip_head *head, uint8_t byte, bool *ends)
{
    *ends = false;
    switch ((enum field)head->field) {
    case FIXED:
        *ends = head->index == 9;
        return check_fixed(head, byte);
    case EXTRA_SIZE:
        head->left = (uint16_t)(head->left | byte << 8 * head->index);
        *ends = head->index == 1;
        return UPD_GZIP_OK;
    case EXTRA:
        head->left--;
        *ends = head->left == 0;
        return UPD_GZIP_OK;
    case NAME:
    case COMMENT:
        *ends = byte == 0;
        return UPD_GZIP_OK;
    case CHECK:
        *ends = head->index == 1;
        return byte == (uint8_t)(head->crc >> 8 * head->index) ? UPD_GZIP_OK : UPD_GZIP_HEADER_CRC;
    case END:
        break;
    }
    return UPD_GZIP_OK;
}

void upd_gzip_head_init(struct upd_gzip_head *head)
{
    *head = (struct upd_gzip_head){.crc = UPD_CRC32_INIT};
}

enum upd_gzip_reason upd_gzip_head_step(struct upd_gzip_head *head, struct upd_reader *in)
{
    const uint8_t *byte;

    while (head->field != END && upd_take(in, 1, &byte)) {
        bool ends;
        enum upd_gzip_reason reason;

        if (head->field != CHECK) {
            head->crc = upd_crc32(head->crc, byte, 1);
        }
        reason = take_byte(head, *byte, &ends);
        head->size++;
        head->index++;
        if (reason != UPD_GZIP_OK) {
            return reason;
        }
        if (ends) {
            next_field(head);
            if (head->field == EXTRA && head->left == 0) {
                next_field(head);
            }
        }
    }
    return UPD_GZIP_OK;
}

bool upd_gzip_head_complete(const struct upd_gzip_head *head)
{
    return head->field == END;
}
