#include "decide.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <updraft/rom_version.h>

static const struct {
    const char *code, *rule, *sentence;
} reasons[] = {
#define X(name, code, rule, sentence) {code, rule, sentence},
    REASONS(X)
#undef X
};

const char *reason_code(enum reason reason)
{
    return (size_t)reason < REASON_COUNT ? reasons[reason].code : "unknown";
}

const char *reason_rule(enum reason reason)
{
    return (size_t)reason < REASON_COUNT ? reasons[reason].rule : "unknown";
}

/* --- Versions -----------------------------------------------------------------------------------
 */

enum { NUMBERS = 6 };

struct version {
    uint64_t number[NUMBERS]; /* missing ones are 0: 1.2 is 1.2.0 */
    const char *suffix;       /* "rc1"; empty is newer than any */
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/** [letters][@] number {. number} [- suffix] */
static bool read_version(const char *text, struct version *version)
{
    memset(version, 0, sizeof *version);
    while ((*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z') || *text == '@') {
        text++;
    }
    for (size_t i = 0; i < NUMBERS; i++) {
        if (!is_digit(*text)) {
            return false;
        }
        for (size_t digits = 0; is_digit(*text); digits++, text++) {
            if (digits == 18) {
                return false;
            }
            version->number[i] = version->number[i] * 10 + (uint64_t)(*text - '0');
        }
        if (*text != '.') {
            break;
        }
        text++;
    }
    version->suffix = *text == '-' ? text + 1 : "";
    return *text == '\0' || (*text == '-' && text[1] != '\0');
}

static int compare_suffixes(const char *a, const char *b)
{
    if (*a == '\0' || *b == '\0') {
        return (*a == '\0') - (*b == '\0');
    }
    return strverscmp(a, b);
}

bool version_compare(const char *a, const char *b, int *order)
{
    struct version one, other;
    if (!read_version(a, &one) || !read_version(b, &other)) {
        return false;
    }
    for (size_t i = 0; i < NUMBERS; i++) {
        if (one.number[i] != other.number[i]) {
            *order = one.number[i] < other.number[i] ? -1 : 1;
            return true;
        }
    }
    *order = compare_suffixes(one.suffix, other.suffix);
    return true;
}

/* --- What the rules are asked about
 * --------------------------------------------------------------- */

struct question {
    const struct decide_input *input;
    const struct product *product;
    const struct device *device;
    const struct release *release; /* NULL: there is none */
    const struct image *image;     /* NULL: the release has none for this device */
    enum part part;                /* that the device needs */
    bool ordered;
    bool rom; /* Espressif's names and rules */
    bool running_known;
    struct upd_rom_version running, target; /* with rom */
};

static const char *channel_of(const struct decide_input *input, size_t *size)
{
    const char *channel = input->device->channel;
    if (channel[0] == '\0') {
        channel = input->product->channels;
    }
    *size = strcspn(channel, ",");
    return channel;
}

size_t decide_target(const struct decide_input *input, bool *ordered)
{
    size_t size, found = input->release_count;
    const char *channel = channel_of(input, &size);

    *ordered = false;
    for (size_t i = 0; i < input->release_count; i++) {
        const struct release *release = &input->releases[i];
        if (release->no == input->device->ordered && release->no != 0) {
            *ordered = true;
            return i;
        }
        if (release->current && release->withdrawn == 0 && strlen(release->channel) == size &&
            memcmp(release->channel, channel, size) == 0) {
            found = i;
        }
    }
    return found;
}

/** The part of a release that the device needs: for two slots the one that does not run. */
static bool needed_part(const struct question *question, enum part *part)
{
    *part = question->input->asked == ASKED_FILESYSTEM ? PART_FILESYSTEM : PART_APP;
    if (question->input->asked == ASKED_FILESYSTEM || question->product->kind != KIND_NONOS) {
        return true;
    }
    *part = strcmp(question->device->slot, "user1") == 0 ? PART_USER2 : PART_USER1;
    return strncmp(question->device->slot, "user", 4) == 0;
}

/** An image for the variant; else one for any. */
static const struct image *find_image(const struct question *question)
{
    const struct image *any = NULL;
    for (size_t i = 0; i < question->input->image_count && question->release != NULL; i++) {
        const struct image *image = &question->input->images[i];
        if (image->release != question->release->no || image->part != question->part) {
            continue;
        }
        if (image->variant[0] == '\0') {
            any = image;
        } else if (strcmp(image->variant, question->device->variant) == 0) {
            return image;
        }
    }
    return any;
}

struct walk {
    const struct decide_input *input;
    size_t at;
};

static bool next_version(void *ctx, struct upd_rom_version *version)
{
    struct walk *walk = ctx;
    while (walk->at < walk->input->release_count) {
        const char *text = walk->input->releases[walk->at++].version;
        if (upd_rom_version_parse(text, (uint32_t)strlen(text), version, NULL) == UPD_OK) {
            return true;
        }
    }
    return false;
}

static void read_versions(struct question *question)
{
    const char *running = question->device->version;
    const char *target = question->release->version;
    struct walk walk = {.input = question->input};
    struct upd_rom_version_list list = {next_version, &walk};

    question->rom =
        upd_rom_version_parse(target, (uint32_t)strlen(target), &question->target, NULL) == UPD_OK;
    if (!question->rom) {
        question->running_known = running[0] != '\0';
        return;
    }
    question->running_known = upd_rom_version_read(running, (uint32_t)strlen(running), &list,
                                                   &question->running, NULL) == UPD_OK;
}

/** The running version is a release that was made after the target. */
static bool runs_later_release(const struct question *question)
{
    for (size_t i = 0; i < question->input->release_count; i++) {
        const struct release *release = &question->input->releases[i];
        if (strcmp(release->version, question->device->version) == 0) {
            return release->no > question->release->no;
        }
    }
    return false;
}

static bool is_newer(const struct question *question)
{
    int order;
    if (question->rom) {
        return upd_rom_version_newer(&question->target, &question->running);
    }
    if (version_compare(question->release->version, question->device->version, &order)) {
        return order > 0;
    }
    /* Names without an order, as of a branch: the order in which they were released. */
    return !runs_later_release(question);
}

static bool fits_space(const struct question *question)
{
    int64_t file = (question->image->size + 4095) / 4096 * 4096;
    int64_t room = question->device->free_space;
    if (room == 0 || question->part != PART_APP) {
        return true;
    }
    if (file > room) {
        return false;
    }
    /* eboot inflates towards the staged file and must not reach it. */
    int64_t inflated = (question->image->payload_size + 4095) / 4096 * 4096;
    int64_t start = (question->device->sketch_size + 4095) / 4096 * 4096 + room;
    return question->image->payload_size <= question->image->size ||
           question->device->sketch_size == 0 || inflated <= start - file;
}

static bool owner_agreed(const struct question *question)
{
    if (question->product->consent != CONSENT_ASK_DOWNLOAD) {
        return true;
    }
    /* Without an owner there is nobody else to ask than the operator. */
    return question->device->accepted == question->release->no ||
           (question->device->owner == 0 && question->ordered);
}

/** Two MD5s that say that the very same bytes run; both have to be told. Some write capitals. */
static bool same_image(const struct question *question)
{
    const char *md5 = question->device->sketch_md5;
    return question->image != NULL && md5[0] != '\0' && question->part == PART_APP &&
           (strcasecmp(md5, question->image->payload_md5) == 0 ||
            strcasecmp(md5, question->image->md5) == 0);
}

/** Does a rule hold? Only asked when all before it held, except by the list of rules. */
static enum rule_result ask(const struct question *question, enum reason rule)
{
    const struct device *device = question->device;
    const struct release *release = question->release;
    const struct image *image = question->image;
    bool app = question->input->asked != ASKED_FILESYSTEM;
    bool unasked = false, holds = true;

    if (rule > REASON_NO_RELEASE && release == NULL) {
        return RULE_NOT_ASKED;
    }
    if (rule > REASON_NO_IMAGE && rule <= REASON_NO_SPACE && image == NULL &&
        rule != REASON_SLOT_UNKNOWN) {
        return RULE_NOT_ASKED;
    }
    switch (rule) {
    case REASON_NOT_ADMITTED:
        holds = device->standing != STANDING_NEW;
        break;
    case REASON_BLOCKED:
        holds = device->standing != STANDING_BLOCKED;
        break;
    case REASON_DISABLED:
        holds = device->standing != STANDING_DISABLED;
        break;
    case REASON_NO_RELEASE:
        holds = release != NULL;
        break;
    case REASON_WITHDRAWN:
        holds = release->withdrawn == 0;
        break;
    case REASON_CURRENT:
        unasked = !app;
        holds = question->rom && question->running_known
                    ? memcmp(&question->running, &question->target, sizeof question->running) != 0
                    : strcmp(device->version, release->version) != 0;
        break;
    case REASON_SAME_IMAGE:
        unasked = !app || image == NULL;
        holds = !same_image(question);
        break;
    case REASON_UNKNOWN_VERSION:
        unasked = !app;
        /* The MD5 of what runs tells at least that it is something else. */
        holds = question->running_known || question->ordered ||
                (!question->rom && device->sketch_md5[0] != '\0');
        break;
    case REASON_WRONG_PTYPE:
        unasked = !question->rom || !question->running_known;
        holds = question->running.ptype == question->target.ptype;
        break;
    case REASON_DOWNGRADE:
        unasked = !app || !question->running_known;
        holds = (question->ordered && device->downgrade) || unasked || is_newer(question);
        break;
    case REASON_LOCAL_ONLY:
        unasked = !question->rom || !question->running_known;
        holds = question->running.fota != 'l' || question->input->local;
        break;
    case REASON_ONLINE_ONLY:
        unasked = !question->rom || !question->running_known;
        holds = question->running.fota != 'o' || !question->input->local;
        break;
    case REASON_NO_UPGRADE:
        unasked = !question->rom || !question->running_known;
        holds = question->running.fota != 'n';
        break;
    case REASON_FINAL:
        unasked = !question->rom && release->letter[0] == '\0';
        holds = question->rom ? question->target.fota != 'n' : release->letter[0] != 'n';
        break;
    case REASON_NO_IMAGE:
        holds = image != NULL;
        break;
    case REASON_SLOT_UNKNOWN: {
        enum part part;
        /* Espressif's devices know themselves which of the two files they want. */
        unasked = question->product->kind != KIND_NONOS || device->protocol == PROTOCOL_NONE ||
                  device->protocol == PROTOCOL_ESPRESSIF_LINK ||
                  device->protocol == PROTOCOL_ESPRESSIF_HTTP;
        holds = needed_part(question, &part);
        break;
    }
    case REASON_WRONG_CHIP:
        holds = !app ||
                (image->chip == question->product->chip &&
                 (question->input->chip == UPD_CHIP_NONE || question->input->chip == image->chip));
        break;
    case REASON_FLASH_TOO_SMALL:
        unasked = device->chip_size == 0 || image->flash_size == 0;
        holds = image->flash_size <= device->chip_size;
        break;
    case REASON_NO_SPACE:
        unasked = device->free_space == 0;
        holds = fits_space(question);
        break;
    case REASON_LOOP:
        /* A download in pieces asks for its start twice. */
        holds = question->ordered ||
                ((device->failed != release->no || device->failures < DECIDE_LOOP_LIMIT ||
                  device->failures == DECIDE_ROLLED_BACK) &&
                 question->input->served < 2 * DECIDE_LOOP_LIMIT);
        break;
    case REASON_ROLLED_BACK:
        holds = question->ordered || device->failed != release->no ||
                device->failures != DECIDE_ROLLED_BACK;
        break;
    case REASON_DECLINED:
        holds = device->declined != release->no;
        break;
    case REASON_POSTPONED:
        holds = device->not_before <= question->input->now;
        break;
    case REASON_WAITS_OPERATOR:
        unasked = question->product->consent != CONSENT_OPERATOR;
        holds = question->ordered;
        break;
    case REASON_WAITS_OWNER:
        unasked = question->product->consent != CONSENT_ASK_DOWNLOAD;
        holds = owner_agreed(question);
        break;
    case REASON_OFFER:
    case REASON_COUNT:
        unasked = true;
        break;
    }
    return unasked ? RULE_NOT_ASKED : holds ? RULE_PASSED : RULE_FAILED;
}

/* --- The answer
 * ------------------------------------------------------------------------------------ */

void decide_explain(const struct decide_input *input, const struct decision *decision,
                    struct explanation *explanation)
{
    const char *sentence = reasons[decision->reason].sentence;
    const struct release *release = decision->release;
    const struct image *image = decision->image;
    const char *variant = input->device->variant;
    char channel[WORD_SIZE], wanted[2 * WORD_SIZE];
    size_t size;
    const char *name = channel_of(input, &size);
    enum upd_chip chip = input->chip != UPD_CHIP_NONE ? input->chip : input->product->chip;
    int32_t failures = input->device->failures;

    snprintf(channel, sizeof channel, "%.*s", (int)size, name);
    snprintf(wanted, sizeof wanted, "%s%s%s%s", part_word(decision->part),
             variant[0] != '\0' ? " (" : "", variant, variant[0] != '\0' ? ")" : "");
    const struct value values[] = {
        /* A release was found when it is spoken of. */
        {"release", release != NULL ? release->version : "", 0},
        {"version", input->device->version, 0},
        {"channel", channel, 0},
        {"image", wanted, 0},
        {"chip", upd_chip_text(chip), 0},
        {"size", NULL,
         image == NULL                                ? 0
         : decision->reason == REASON_FLASH_TOO_SMALL ? image->flash_size
                                                      : image->size},
        {"times", NULL, failures != 0 ? failures : input->served},
        {0},
    };
    sentence_write(explanation->text, sizeof explanation->text, sentence, values);
    sentence_detail(explanation->detail, sizeof explanation->detail, sentence, values);
}

void decide(const struct decide_input *input, struct decision *decision)
{
    struct question question = {
        .input = input,
        .product = input->product,
        .device = input->device,
    };
    size_t target = decide_target(input, &question.ordered);

    memset(decision, 0, sizeof *decision);
    (void)needed_part(&question, &question.part);
    if (target < input->release_count) {
        question.release = &input->releases[target];
        question.image = find_image(&question);
        read_versions(&question);
    }
    decision->reason = REASON_OFFER;
    decision->ordered = question.ordered;
    decision->release = question.release;
    decision->image = question.image;
    decision->part = question.part;
    for (size_t i = REASON_OFFER + 1; i < REASON_COUNT; i++) {
        decision->rules[i] = (uint8_t)ask(&question, (enum reason)i);
        if (decision->rules[i] == RULE_FAILED && decision->reason == REASON_OFFER) {
            decision->reason = (enum reason)i;
        }
    }
}
