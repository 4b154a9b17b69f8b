/*
 * updraft: what a boot loader of updraft says about itself, in the last 16 bytes of flash sector 0.
 *
 * The original boot loaders are shorter than 4080 bytes or leave FF there, so a chip without this
 * record has one of those. Format: docs/formats/loader_record.md
 */
#ifndef UPDRAFT_LOADER_RECORD_H
#define UPDRAFT_LOADER_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include <updraft/err.h>

#define UPD_LOADER_RECORD_OFFSET 0xFF0u
#define UPD_LOADER_RECORD_SIZE 16u

struct upd_loader_record {
    uint8_t version;  /* of the loader */
    bool counts;      /* it counts the starts of an image on trial, and falls back */
    bool installs;    /* Arduino: it installs by the journal's note, and keeps its own sector */
    uint32_t journal; /* Arduino: flash offset of the journal; UPD_LOADER_NO_JOURNAL: by the map */
};
#define UPD_LOADER_NO_JOURNAL 0xFFFFFFFFu

void upd_loader_record_encode(const struct upd_loader_record *record,
                              uint8_t bytes[UPD_LOADER_RECORD_SIZE]);

/**
 * @return UPD_OK
 * @return UPD_E_NOT_FOUND  no loader of updraft's; *record is all zero, with no journal
 */
UPD_MUST_CHECK enum upd_err upd_loader_record_decode(const uint8_t bytes[UPD_LOADER_RECORD_SIZE],
                                                     struct upd_loader_record *record);

#endif
