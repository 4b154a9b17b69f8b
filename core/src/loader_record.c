#include <updraft/loader_record.h>

#include <updraft/bytes.h>
#include <updraft/crc32.h>

enum { FEATURE_COUNTS = 1, FEATURE_INSTALLS = 2, CRC = UPD_LOADER_RECORD_SIZE - 4 };

static const uint8_t magic[4] = {'U', 'P', 'D', 'L'};

void upd_loader_record_encode(const struct upd_loader_record *record,
                              uint8_t bytes[UPD_LOADER_RECORD_SIZE])
{
    memset(bytes, 0xFF, UPD_LOADER_RECORD_SIZE);
    memcpy(bytes, magic, sizeof magic);
    bytes[4] = record->version;
    bytes[5] = (uint8_t) ~((record->counts ? FEATURE_COUNTS : 0) |
                           (record->installs ? FEATURE_INSTALLS : 0));
    upd_put_le32(&bytes[8], record->journal);
    upd_put_le32(&bytes[CRC], upd_crc32(UPD_CRC32_INIT, bytes, CRC));
}

enum upd_err upd_loader_record_decode(const uint8_t bytes[UPD_LOADER_RECORD_SIZE],
                                      struct upd_loader_record *record)
{
    memset(record, 0, sizeof *record);
    record->journal = UPD_LOADER_NO_JOURNAL;
    if (memcmp(bytes, magic, sizeof magic) != 0 ||
        upd_get_le32(&bytes[CRC]) != upd_crc32(UPD_CRC32_INIT, bytes, CRC)) {
        return UPD_E_NOT_FOUND;
    }
    record->version = bytes[4];
    record->counts = (bytes[5] & FEATURE_COUNTS) == 0;
    record->installs = (bytes[5] & FEATURE_INSTALLS) == 0;
    record->journal = upd_get_le32(&bytes[8]);
    return UPD_OK;
}
