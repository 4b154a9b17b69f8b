/* docs/formats/boot_original.md */
#include <updraft/boot_original.h>
#include <updraft/bytes.h>

#define BLOCK UPD_BOOT_BLOCK_SIZE

/* Of the block, as in sysparam.md section 3. */
#define FIRST_TRY 0x04u
#define TEST_BITS 0x60u
#define TEST_DUE 0x20u /* selected, not passed */
#define NORMAL 0x80u

/* v1.7 loads an image four times before it takes another. */
#define RETRIES 3u

const char *upd_boot_reason_text(enum upd_boot_reason reason)
{
    static const char *const texts[] = {
#define X(name, text) text,
        UPD_BOOT_REASONS(X)
#undef X
    };

    return (uint32_t)reason < sizeof texts / sizeof texts[0] ? texts[reason] : "unknown";
}

static void start_slot(struct upd_boot_decision *decision, bool user2, uint32_t user2_address,
                       enum upd_boot_reason reason)
{
    decision->start = user2 ? UPD_BOOT_START_USER2 : UPD_BOOT_START_USER1;
    decision->address = user2 ? user2_address : UPD_USER1_ADDRESS;
    decision->reason = reason;
}

static void decide_v1_2(struct upd_boot_decision *decision, uint32_t user2)
{
    uint8_t *block = decision->block;
    enum upd_boot_reason reason = UPD_BOOT_REASON_SELECTED;

    if (block[0] == 0xFF) {
        block[0] = 0;
        reason = UPD_BOOT_REASON_FRESH;
    }
    decision->save = block[1] != UPD_BOOT_V1_2;
    block[1] = UPD_BOOT_V1_2;

    uint8_t nibble = block[0] & 15;
    if (nibble > 1) {
        decision->reason = UPD_BOOT_REASON_BAD_INDEX;
        return;
    }
    start_slot(decision, nibble == 1, user2, reason);
}

/* The low three bits of B0: index and first-try bit. Index 3 has been set up anew before. */
static void decide_slot(struct upd_boot_decision *decision, enum upd_boot_version version,
                        uint32_t user2)
{
    switch (decision->block[0] & 7) {
    case 0:
        if (version < UPD_BOOT_V1_6) {
            start_slot(decision, false, user2, UPD_BOOT_REASON_RETRY_BUG);
        } else {
            start_slot(decision, true, user2, UPD_BOOT_REASON_FELL_BACK);
        }
        break;
    case 1:
        start_slot(decision, false, user2, UPD_BOOT_REASON_FELL_BACK);
        break;
    case 4:
        start_slot(decision, false, user2,
                   decision->save ? UPD_BOOT_REASON_FRESH : UPD_BOOT_REASON_SELECTED);
        break;
    case 5:
        start_slot(decision, true, user2, UPD_BOOT_REASON_SELECTED);
        break;
    default:
        decision->reason = UPD_BOOT_REASON_BAD_INDEX;
        break;
    }
}

static void decide_v1_4(struct upd_boot_decision *decision, enum upd_boot_version version,
                        uint32_t user2)
{
    uint8_t *block = decision->block;

    if ((block[1] & 0x1F) != (uint8_t)version || (block[0] & 3) == 3) {
        memset(block, 0xFF, BLOCK);
        block[0] = 0xFC;
        block[1] = (uint8_t)(0xE0u | (uint8_t)version);
        decision->save = true;
    }
    if ((block[1] & TEST_BITS) == TEST_DUE) {
        decision->start = UPD_BOOT_START_TEST;
        decision->reason = UPD_BOOT_REASON_TEST;
        decision->address = upd_get_le24(block + 2);
    } else if ((block[1] & NORMAL) == 0) {
        bool primary = (block[0] & FIRST_TRY) != 0;
        decision->start = primary ? UPD_BOOT_START_PRIMARY : UPD_BOOT_START_BACKUP;
        decision->reason = primary ? UPD_BOOT_REASON_ENHANCED : UPD_BOOT_REASON_FELL_BACK;
        decision->address = upd_get_le24(block + (primary ? 5 : 2));
    } else {
        decide_slot(decision, version, user2);
    }
}

/* The table of decisions is known for four versions; another one acts as the newest below it. */
static enum upd_boot_version known(enum upd_boot_version version)
{
    return version >= UPD_BOOT_V1_7   ? UPD_BOOT_V1_7
           : version >= UPD_BOOT_V1_6 ? UPD_BOOT_V1_6
           : version >= UPD_BOOT_V1_4 ? UPD_BOOT_V1_4
                                      : UPD_BOOT_V1_2;
}

void upd_boot_original_decide(enum upd_boot_version version, uint32_t number,
                              const uint8_t block[BLOCK], bool blind,
                              struct upd_boot_decision *decision)
{
    struct upd_flash_boot_view view = upd_flash_map_boot_view(version, number);

    version = known(version);
    *decision = (struct upd_boot_decision){.start = UPD_BOOT_START_NOTHING};
    memcpy(decision->block, block, BLOCK);

    if (!view.supported) {
        decision->reason = UPD_BOOT_REASON_BAD_MAP;
    } else if (blind && view.sysparam >= 0x400000) {
        start_slot(decision, false, view.user2, UPD_BOOT_REASON_BLIND);
    } else if (version == UPD_BOOT_V1_2) {
        decide_v1_2(decision, view.user2);
    } else {
        decide_v1_4(decision, version, view.user2);
    }
}

int upd_boot_original_pin(enum upd_boot_version version, uint8_t byte)
{
    version = known(version);
    if (version < UPD_BOOT_V1_6 || byte == 0 || (byte == 0xFF && version == UPD_BOOT_V1_7)) {
        return UPD_BOOT_PIN_OFF;
    }
    return (byte & 0xF0) == 0xA0 ? byte & 0x0F : UPD_BOOT_PIN_WRONG;
}

void upd_boot_original_failed(enum upd_boot_version version,
                              const struct upd_boot_decision *decision, uint32_t rtc,
                              struct upd_boot_failure *failure)
{
    *failure = (struct upd_boot_failure){.rtc = rtc};
    memcpy(failure->block, decision->block, BLOCK);
    version = known(version);
    if (version == UPD_BOOT_V1_2 || decision->start == UPD_BOOT_START_TEST ||
        decision->start == UPD_BOOT_START_NOTHING) {
        return;
    }
    if (version == UPD_BOOT_V1_7) {
        bool counting = (rtc & UPD_BOOT_RTC_MARK) == UPD_BOOT_RTC_MARK;
        uint8_t failures = counting ? (uint8_t)rtc : 0;
        if (failures < RETRIES) {
            failure->rtc = UPD_BOOT_RTC_MARK | (failures + 1u);
            failure->reset = true;
            return;
        }
    }
    if ((failure->block[0] & FIRST_TRY) == 0) {
        return; /* "backup boot failed." */
    }
    failure->block[0] &= (uint8_t)~FIRST_TRY;
    failure->save = true;
    failure->reset = true;
    if (version == UPD_BOOT_V1_7) {
        failure->rtc = UPD_BOOT_RTC_FALLEN;
    }
}
