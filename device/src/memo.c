#include <updraft/memo.h>

#include <updraft/bytes.h>
#include <updraft/crc32.h>

enum {
    MAGIC = 0x314D4455,
    CRC_AT = 4,
    DUE_AT = 8,
    BAD_AT = 16,
    FAILURES_AT = 24,
    TRIALS_AT,
    TEXTS_AT = 28,
    CURRENT_AT = 220,
    MORE_BAD_AT = 224
};

_Static_assert(TEXTS_AT + UPD_VERSION_SIZE + 2 * UPD_ETAG_SIZE == CURRENT_AT, "as on the page");
_Static_assert(MORE_BAD_AT + 4 * (UPD_MEMO_BAD - 1) == UPD_MEMO_SIZE, "as on the page");

/* The last one has the place of the only one that there was room for once; the others are at the end. */
static uint32_t bad_at(uint32_t i)
{
    return i == 0 ? BAD_AT : MORE_BAD_AT + 4 * (i - 1);
}

static uint32_t crc_of(const uint8_t *bytes)
{
    return upd_crc32(UPD_CRC32_INIT, bytes + DUE_AT, UPD_MEMO_SIZE - DUE_AT);
}

void upd_memo_encode(const struct upd_memo *memo, uint8_t bytes[UPD_MEMO_SIZE])
{
    memset(bytes, 0, UPD_MEMO_SIZE);
    upd_put_le32(bytes, MAGIC);
    upd_put_le32(bytes + DUE_AT, memo->due_s);
    upd_put_le32(bytes + DUE_AT + 4, memo->tried);
    for (uint32_t i = 0; i < UPD_MEMO_BAD; i++) {
        upd_put_le32(bytes + bad_at(i), memo->bad[i]);
    }
    upd_put_le32(bytes + DUE_AT + 12, memo->declined);
    bytes[FAILURES_AT] = memo->failures;
    bytes[TRIALS_AT] = memo->trials;
    memcpy(bytes + TEXTS_AT, memo->version, UPD_VERSION_SIZE);
    memcpy(bytes + TEXTS_AT + UPD_VERSION_SIZE, memo->etag, UPD_ETAG_SIZE);
    memcpy(bytes + TEXTS_AT + UPD_VERSION_SIZE + UPD_ETAG_SIZE, memo->tried_etag, UPD_ETAG_SIZE);
    upd_put_le32(bytes + CURRENT_AT, memo->current);
    upd_put_le32(bytes + CRC_AT, crc_of(bytes));
}

/* A text that has no end within its place gets one. */
static void take_text(char *text, const uint8_t *bytes, uint32_t size)
{
    memcpy(text, bytes, size);
    text[size - 1] = '\0';
}

enum upd_err upd_memo_decode(const uint8_t bytes[UPD_MEMO_SIZE], struct upd_memo *memo)
{
    memset(memo, 0, sizeof *memo);
    if (upd_get_le32(bytes) != MAGIC) {
        return UPD_E_FORMAT;
    }
    if (upd_get_le32(bytes + CRC_AT) != crc_of(bytes)) {
        return UPD_E_AUTH;
    }
    memo->due_s = upd_get_le32(bytes + DUE_AT);
    memo->tried = upd_get_le32(bytes + DUE_AT + 4);
    for (uint32_t i = 0; i < UPD_MEMO_BAD; i++) {
        memo->bad[i] = upd_get_le32(bytes + bad_at(i));
    }
    memo->declined = upd_get_le32(bytes + DUE_AT + 12);
    memo->current = upd_get_le32(bytes + CURRENT_AT);
    memo->failures = bytes[FAILURES_AT];
    memo->trials = bytes[TRIALS_AT];
    take_text(memo->version, bytes + TEXTS_AT, UPD_VERSION_SIZE);
    take_text(memo->etag, bytes + TEXTS_AT + UPD_VERSION_SIZE, UPD_ETAG_SIZE);
    take_text(memo->tried_etag, bytes + TEXTS_AT + UPD_VERSION_SIZE + UPD_ETAG_SIZE, UPD_ETAG_SIZE);
    return UPD_OK;
}
