/* Any 16 bytes: what is taken for a record says the same again, and what is not says no to all. */
#include <updraft/bytes.h>
#include <updraft/loader_record.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool truth)
{
    if (!truth) {
        __builtin_trap();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct upd_loader_record record, again;
    uint8_t bytes[UPD_LOADER_RECORD_SIZE];

    if (size < sizeof bytes) {
        return 0;
    }
    if (upd_loader_record_decode(data, &record) != UPD_OK) {
        require(record.version == 0 && !record.counts && !record.installs &&
                record.journal == UPD_LOADER_NO_JOURNAL);
        /* A checksum is not met by chance: what the bytes say is put into a good record. */
        record = (struct upd_loader_record){.version = data[4],
                                            .counts = (data[5] & 1) != 0,
                                            .installs = (data[5] & 2) != 0,
                                            .journal = upd_get_le32(&data[8])};
    }
    upd_loader_record_encode(&record, bytes);
    require(upd_loader_record_decode(bytes, &again) == UPD_OK);
    require(again.version == record.version && again.counts == record.counts &&
            again.installs == record.installs && again.journal == record.journal);
    return 0;
}
