/*
 * What updraft's own loader for the NONOS SDK's maps does with a flash: core/ decides, over a copy
 * of the sectors that it would write.
 */
#include <stdio.h>
#include <string.h>

#include <updraft/bytes.h>
#include <updraft/image_info.h>
#include <updraft/loader_record.h>
#include <updraft/nonos_boot.h>
#include <updraft/sysparam.h>

#include "boot.h"

enum { VERSION = UPD_BOOT_V1_7, PARAMS_SIZE = 4 * UPD_FLASH_SECTOR, STEPS_MAX = 100 };
/* Bits of the boot block's first two bytes: docs/formats/sysparam.md. */
enum { INDEX_NONE = 0x02, VERSION_BITS = 0x1F };

struct chip {
    struct flash *flash;
    struct boot_story *story;
    uint8_t params[PARAMS_SIZE];
    uint8_t journal[UPD_JOURNAL_SIZE];
    uint32_t frame; /* offset in the journal of the frame that counts */
    struct upd_nonos_state state;
    char problem[2][sizeof((struct boot_trial *)0)->problem]; /* of the image in each slot */
};

static uint8_t *sector(struct chip *chip, uint32_t index)
{
    return chip->params + index * UPD_FLASH_SECTOR;
}

static void see_area(struct chip *chip)
{
    struct upd_select_area *area = &chip->state.area;

    area->params.same_settings = false;
    memcpy(area->params.flag, sector(chip, UPD_SYSPARAM_SECTOR_FLAG), sizeof area->params.flag);
    memcpy(area->flag_seals, sector(chip, UPD_SYSPARAM_SECTOR_FLAG) + UPD_FLAG_SEALS_OFFSET,
           sizeof area->flag_seals);
    for (uint32_t copy = 0; copy < 2; copy++) {
        const uint8_t *bytes = sector(chip, UPD_SYSPARAM_SECTOR_COPY0 + copy);
        memcpy(area->params.head[copy], bytes, sizeof area->params.head[copy]);
        area->copy[copy] = (struct upd_copy_sealing){.sealed = false};
        for (uint32_t place = 0; place < UPD_COPY_SEALS; place++) {
            upd_copy_see_seal(&area->copy[copy], place, bytes + UPD_COPY_MARK_OFFSET(place),
                              bytes + UPD_COPY_SEAL_OFFSET(place));
        }
    }
}

/* The last frame with a head counts. */
static void see_journal(struct chip *chip)
{
    struct upd_nonos_state *state = &chip->state;
    struct upd_journal_head head = {0};

    state->framed = false;
    state->marks = 0;
    for (uint32_t i = UPD_JOURNAL_FRAMES; i > 0 && !state->framed; i--) {
        chip->frame = upd_journal_frame_offset(i - 1);
        state->framed = upd_journal_head_decode(chip->journal + chip->frame, &head) == UPD_OK;
    }
    state->slot = head.slot;
    for (uint32_t mark = 0; mark < UPD_MARK_COUNT && state->framed; mark++) {
        uint32_t at = chip->frame + upd_journal_mark_offset((enum upd_journal_mark)mark);
        if (upd_journal_mark_is_set(chip->journal + at)) {
            state->marks |= (uint16_t)UPD_MARK_BIT(mark);
        }
    }
}

static bool read_chip(struct chip *chip)
{
    const struct upd_flash_map *map = chip->flash->map;
    struct upd_flash_span journal = {0};

    (void)!upd_flash_map_region(map, UPD_REGION_RESERVED,
                                &journal); /* maps with two slots have it */
    return flash_read(chip->flash, upd_flash_map_sysparam(map), chip->params, PARAMS_SIZE) &&
           flash_read(chip->flash, journal.address, chip->journal, sizeof chip->journal);
}

static bool verify(struct chip *chip, uint32_t slot)
{
    const struct upd_flash_map *map = chip->flash->map;
    const struct upd_image_target target = {.chip = UPD_CHIP_ESP8266,
                                            .place = UPD_PLACE_NONOS,
                                            .offset = upd_flash_map_slot(map, (enum upd_slot)slot),
                                            .size = upd_flash_map_image_limit(map, UPD_SDK_ANY),
                                            .flash_size = UPD_IMAGE_ANY_SIZE,
                                            .slot = (uint8_t)(slot + 1),
                                            .flash_map = UPD_IMAGE_ANY,
                                            .flash_mode = UPD_IMAGE_ANY};
    struct inspection found;
    enum upd_image_problem problem;

    if (!flash_inspect(chip->flash, target.offset, target.size, &found)) {
        return false;
    }
    problem = upd_image_fits(&found.info, &target, NULL);
    chip->state.verdict[slot] =
        problem == UPD_IMAGE_OK && (found.info.digests & UPD_IMAGE_HAS_CRC32) ? UPD_VERDICT_GOOD
                                                                              : UPD_VERDICT_BAD;
    if (chip->state.verdict[slot] == UPD_VERDICT_BAD) {
        snprintf(chip->problem[slot], sizeof chip->problem[slot], "%s",
                 found.problem.name != NULL ? found.problem.text
                 : problem != UPD_IMAGE_OK  ? upd_image_problem_text(problem)
                                            : "has no CRC-32");
    }
    return true;
}

static void write_flag(struct chip *chip, uint8_t copy)
{
    uint8_t bytes[UPD_FLAG_BYTES];
    uint8_t *flag = sector(chip, UPD_SYSPARAM_SECTOR_FLAG);

    upd_flag_bytes(&chip->state.area, copy, bytes);
    for (uint32_t i = 0; i < UPD_FLAG_ANEW_COUNT; i++) {
        const struct upd_flag_write *row = &upd_flag_anew[i];
        if (row->size == 0) {
            memset(flag, 0xFF, UPD_FLASH_SECTOR);
        } else if (row->data == UPD_FLAG_ZEROS) {
            memset(flag + row->offset, 0, row->size);
        } else {
            memcpy(flag + row->offset, bytes + row->data, row->size);
        }
    }
    chip->state.progress = (struct upd_select_progress){.sealed = false};
    chip->story->writes++;
}

static uint8_t *current_block(struct chip *chip)
{
    return sector(chip, UPD_SYSPARAM_SECTOR_COPY0 + upd_select_current(&chip->state.area));
}

/* A block that the loader cannot use is replaced by one that selects the slot it was taken for. */
static void mend_block(struct chip *chip)
{
    uint8_t *block = current_block(chip);

    if ((block[1] & VERSION_BITS) != VERSION || (block[0] & INDEX_NONE) != 0) {
        enum upd_slot slot = upd_block_slot(block, block[1] & VERSION_BITS);
        (void)!upd_boot_block_select(block, VERSION, slot); /* the version is one of a loader */
        chip->story->writes += 2;
        see_area(chip);
    }
}

/* The slot becomes the selected one: the other copy is written, then the flag sector selects that.
 */
static void retry(struct chip *chip, enum upd_slot slot)
{
    uint8_t current = upd_select_current(&chip->state.area);
    uint8_t *other = sector(chip, UPD_SYSPARAM_SECTOR_COPY0 + (current ^ 1u));

    memcpy(other, current_block(chip), UPD_FLASH_SECTOR);
    (void)!upd_boot_block_select(other, VERSION, slot); /* the version is one of a loader */
    chip->story->writes++;
    see_area(chip);
    write_flag(chip, current ^ 1u);
}

static struct boot_trial *turn_to(struct chip *chip, uint32_t slot, const char *why)
{
    struct boot_story *story = chip->story;
    struct boot_trial *trial = &story->trial[story->count++];

    *trial = (struct boot_trial){
        .address = upd_flash_map_slot(chip->flash->map, (enum upd_slot)slot), .times = 1};
    snprintf(trial->name, sizeof trial->name, "user%u", slot + 1);
    snprintf(trial->why, sizeof trial->why, "%s", why);
    snprintf(trial->problem, sizeof trial->problem, "%s", chip->problem[slot]);
    return trial;
}

static const char *why_given_up(uint16_t marks)
{
    return marks & UPD_MARK_BIT(UPD_MARK_EXHAUSTED) ? "its starts on trial are used up"
           : marks & UPD_MARK_BIT(UPD_MARK_REFUSED) ? "its application gave itself up"
                                                    : "does not verify";
}

/* How the decision came about, for START and HALT. */
static void tell(struct chip *chip, struct upd_nonos_step step, uint32_t selected, bool on_trial)
{
    struct boot_story *story = chip->story;
    struct boot_trial *trial =
        turn_to(chip, selected,
                on_trial ? "the boot block selects it, on trial" : "the boot block selects it");

    if (step.what != UPD_NONOS_START || step.which != selected) {
        if (trial->problem[0] == '\0') {
            snprintf(trial->problem, sizeof trial->problem, "%s", why_given_up(chip->state.marks));
        }
        trial = turn_to(chip, selected ^ 1u, "the other one does not start");
    }
    trial->starts = step.what == UPD_NONOS_START;
    story->starts = trial->starts ? trial->name : NULL;
}

bool boot_is_updraft(struct flash *flash, struct upd_loader_record *record, bool *found)
{
    uint8_t bytes[UPD_LOADER_RECORD_SIZE];

    if (!flash_read(flash, UPD_LOADER_RECORD_OFFSET, bytes, sizeof bytes)) {
        return false;
    }
    *found = upd_loader_record_decode(bytes, record) == UPD_OK;
    return true;
}

enum exit_code boot_tell_updraft(struct flash *flash, struct boot_story *story)
{
    struct chip chip = {.flash = flash, .story = story, .state.version = VERSION};

    if (!read_chip(&chip)) {
        return EXIT_FAILED;
    }
    see_area(&chip);
    see_journal(&chip);
    mend_block(&chip);
    const bool on_trial = upd_nonos_on_trial(&chip.state);
    const uint32_t selected = upd_nonos_selected(&chip.state);
    for (uint32_t i = 0; i < STEPS_MAX; i++) {
        struct upd_nonos_step step = upd_nonos_boot(&chip.state);
        switch (step.what) {
        case UPD_NONOS_START:
        case UPD_NONOS_HALT:
            tell(&chip, step, selected, on_trial);
            return EXIT_DONE;
        case UPD_NONOS_VERIFY:
            if (!verify(&chip, step.which)) {
                return EXIT_FAILED;
            }
            break;
        case UPD_NONOS_MARK:
            memset(chip.journal + chip.frame +
                       upd_journal_mark_offset((enum upd_journal_mark)step.which),
                   0, UPD_JOURNAL_MARK_SIZE);
            chip.state.sure |= (uint16_t)UPD_MARK_BIT(step.which);
            break;
        case UPD_NONOS_RETRY:
            retry(&chip, (enum upd_slot)step.which);
            break;
        default: /* FLAG: of the SELECT steps the only one that a loader is told */
            write_flag(&chip, step.which);
            break;
        }
        see_area(&chip);
        see_journal(&chip);
    }
    return fail(flash->call, EXIT_FAILED, "format", "%s: the boot loader's decision finds no end",
                flash->path);
}
