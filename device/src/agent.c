#include <updraft/agent.h>

#include <updraft/bytes.h>
#include <updraft/crc32.h>

enum {
    TICK_MS = 100,        /* between two looks at a connection that has no news */
    LONGEST_MS = 3600000, /* between two polls, so that 32 bits of milliseconds never lose count */
    TRIAL_S = 600,
    HOLD_MS = 7000,
    SOON_MS = 1000,           /* to report what was found out */
    AGAIN_MS = 60000,         /* after a failure that may pass; doubles ... */
    AGAIN_MOST_MS = 86400000, /* ... up to a day, or to the interval */
    ON_TRIAL_MS = 4000,
    ON_TRIAL_MOST_MS = 60000,
    GZIP_FIRST = 0x1F,
    LOOKED = 512, /* bytes of an image, in which its version is */
};

/* --- Names ------------------------------------------------------------------------------------ */

const char *upd_agent_state_name(enum upd_agent_state state)
{
    static const char *const names[] = {
#define X(NAME, name, text) name,
        UPD_AGENT_STATES(X)
#undef X
    };

    return (uint32_t)state < UPD_AGENT_STATE_COUNT ? names[state] : "unknown";
}

const char *upd_agent_state_text(enum upd_agent_state state)
{
    static const char *const texts[] = {
#define X(NAME, name, text) text,
        UPD_AGENT_STATES(X)
#undef X
    };

    return (uint32_t)state < UPD_AGENT_STATE_COUNT ? texts[state] : "is in no known state";
}

const char *upd_agent_event_name(enum upd_agent_event event)
{
    static const char *const names[] = {
#define X(NAME, name) name,
        UPD_AGENT_EVENTS(X)
#undef X
    };

    return (uint32_t)event < UPD_AGENT_EVENT_COUNT ? names[event] : "unknown";
}

static const char *name_of_fall(enum upd_fall fall)
{
    static const char *const names[] = {
#define X(name, text) #name,
        UPD_FALLS(X)
#undef X
    };

    return (uint32_t)fall < sizeof names / sizeof names[0] ? names[fall] : "UNKNOWN";
}

static void tell(struct upd_agent *agent, enum upd_agent_event event)
{
    if (agent->config.event != NULL) {
        agent->config.event(agent->config.ctx, agent, event);
    }
}

/* --- Time ------------------------------------------------------------------------------------- */

static uint32_t random_of(const struct upd_agent *agent)
{
    return agent->config.random(agent->config.ctx);
}

static uint32_t unix_now(const struct upd_agent *agent)
{
    return agent->config.clock != NULL ? agent->config.clock(agent->config.ctx) : 0;
}

static void pass_time(struct upd_agent *agent, uint32_t now_ms)
{
    const uint32_t passed = now_ms - agent->last_ms;

    agent->last_ms = now_ms;
    agent->now_s += passed / 1000;
    agent->part_ms += passed % 1000;
    if (agent->part_ms >= 1000) {
        agent->part_ms -= 1000;
        agent->now_s++;
    }
}

/* What only comes by orders is never asked for. */
static void due_in(struct upd_agent *agent, uint32_t seconds)
{
    if (!agent->config.protocol->asks) {
        seconds = UINT32_MAX;
    }
    agent->due_s = seconds < UINT32_MAX - agent->now_s ? agent->now_s + seconds : UINT32_MAX;
}

/* The interval, give or take a tenth. */
static uint32_t interval_s(const struct upd_agent *agent)
{
    const uint32_t every = agent->config.every_s;

    return every == 0 ? UINT32_MAX : every - every / 10 + random_of(agent) % (every / 5 + 1);
}

static void save(struct upd_agent *agent)
{
    uint8_t bytes[UPD_MEMO_SIZE];

    if (agent->config.save != NULL) {
        upd_memo_encode(&agent->memo, bytes);
        /* A memo that cannot be kept costs a check too many, and is not worth stopping for. */
        (void)agent->config.save(agent->config.ctx, bytes);
    }
}

/* When to ask again; kept for the next start when the device knows the time. */
static void due_at_interval(struct upd_agent *agent)
{
    const uint32_t in = interval_s(agent);
    const uint32_t unix_s = unix_now(agent);

    due_in(agent, in);
    agent->memo.due_s = unix_s != 0 && in < UINT32_MAX - unix_s ? unix_s + in : 0;
}

/* --- Ends of a check --------------------------------------------------------------------------- */

static void look(struct upd_agent *agent)
{
    const enum upd_err err = upd_device_view(agent->config.device, &agent->view);

    if (err != UPD_OK) {
        agent->trouble = upd_trouble_of(err);
    }
}

static void rest(struct upd_agent *agent)
{
    upd_fetch_stop(&agent->fetch);
    agent->state = UPD_AGENT_IDLE;
    agent->has_begun = false;
    agent->is_ordered = false;
}

static void end_well(struct upd_agent *agent, enum upd_agent_event event)
{
    rest(agent);
    agent->trouble = UPD_TROUBLE_NONE;
    agent->memo.failures = 0;
    due_at_interval(agent);
    save(agent);
    tell(agent, event);
}

/* Somewhen the same is asked again: soon, or at the next interval. */
static void due_after(struct upd_agent *agent, enum upd_remedy remedy)
{
    uint32_t first = AGAIN_MS;
    uint32_t most = AGAIN_MOST_MS;

    if (agent->view.on_trial) {
        first = ON_TRIAL_MS;
        most = ON_TRIAL_MOST_MS;
    } else if (remedy != UPD_REMEDY_AGAIN) {
        due_at_interval(agent);
        return;
    } else if (agent->config.every_s != 0 && agent->config.every_s < most / 1000) {
        most = agent->config.every_s * 1000;
    }
    due_in(agent, upd_pause_ms(first, most, agent->memo.failures, random_of(agent)) / 1000 + 1);
}

static bool is_known_bad(const struct upd_agent *agent, uint32_t tag)
{
    for (uint32_t i = 0; i < UPD_MEMO_BAD; i++) {
        if (agent->memo.bad[i] == tag) {
            return tag != 0;
        }
    }
    return false;
}

/* Of more than there is room for, the oldest one is forgotten. */
static void avoid(struct upd_agent *agent, uint32_t tag)
{
    uint32_t *bad = agent->memo.bad;

    if (tag != 0 && !is_known_bad(agent, tag)) {
        memmove(bad + 1, bad, sizeof agent->memo.bad - sizeof *bad);
        bad[0] = tag;
    }
}

/* Nobody but the device knows of these. */
static bool is_of_flash(enum upd_trouble trouble)
{
    return trouble == UPD_TROUBLE_FLASH_FAILED || trouble == UPD_TROUBLE_FLASH_HOLDS_OTHER;
}

/*
 * The server hears of it before the next interval. One that goes on offering what is bad, by another
 * name or by none, is asked less and less, and once a day in the end: each time costs erases.
 */
static uint32_t pause_after_bad_s(const struct upd_agent *agent, uint32_t times)
{
    return times > 1 ? upd_pause_ms(AGAIN_MS, AGAIN_MOST_MS, times, random_of(agent)) / 1000 + 1
                     : SOON_MS / 1000 + 1;
}

static void end_badly(struct upd_agent *agent, enum upd_trouble trouble)
{
    const enum upd_remedy remedy = upd_trouble_remedy(trouble);
    const bool ordered = agent->is_ordered;

    if (agent->has_begun && trouble == UPD_TROUBLE_BAD_PART) {
        /* A server that cannot send parts may well send all of it, next time. */
        (void)(upd_writer_abort(&agent->writer) == UPD_OK);
    }
    rest(agent);
    agent->trouble = trouble;
    if (agent->memo.failures < UINT8_MAX) {
        agent->memo.failures++;
    }
    due_after(agent, remedy);
    if (remedy == UPD_REMEDY_AVOID) {
        avoid(agent, agent->tag);
    }
    if (!ordered && (remedy == UPD_REMEDY_AVOID || is_of_flash(trouble))) {
        agent->asking.report = UPD_REPORT_FELL;
        agent->asking.report_why = upd_trouble_name(trouble);
        memcpy(agent->fell, agent->asking.version, sizeof agent->fell);
    }
    if (!ordered && remedy == UPD_REMEDY_AVOID) {
        due_in(agent, pause_after_bad_s(agent, agent->memo.failures));
    }
    if (ordered) {
        agent->deaf_until_s = agent->now_s + pause_after_bad_s(agent, agent->memo.failures);
        agent->asking.report_why = upd_trouble_name(trouble);
        agent->config.orders->tell(agent->config.orders_ctx, UPD_TALE_FAILED);
    }
    save(agent);
    tell(agent, UPD_AGENT_ON_FAILED);
}

static void restart(struct upd_agent *agent)
{
    upd_fetch_stop(&agent->fetch);
    agent->state = UPD_AGENT_RESTART;
    tell(agent, UPD_AGENT_ON_RESTART);
}

/* --- After an exchange ------------------------------------------------------------------------- */

/* The server has answered: what runs can be updated again, which is all that a trial is about. */
static bool confirm(struct upd_agent *agent)
{
    const enum upd_err err = upd_device_confirm(agent->config.device);

    if (err == UPD_E_STATE) {
        restart(agent); /* another image is selected by now */
        return false;
    }
    if (err != UPD_OK) {
        end_badly(agent, upd_trouble_of(err));
        return false;
    }
    look(agent);
    memcpy(agent->memo.etag, agent->memo.tried_etag, sizeof agent->memo.etag);
    agent->memo.current = agent->memo.tried;
    agent->memo.trials = 0;
    agent->asking.report = UPD_REPORT_CONFIRMED;
    tell(agent, UPD_AGENT_ON_CONFIRMED);
    return true;
}

/* @return false: that was all for now */
static bool is_answered(struct upd_agent *agent)
{
    const enum upd_report said = agent->asking.report;

    agent->is_answered = true;
    agent->asking.report = UPD_REPORT_NOTHING;
    if (said == UPD_REPORT_FELL && agent->view.fall != UPD_FALL_NONE) {
        const enum upd_err err = upd_device_acknowledge(agent->config.device);
        if (err != UPD_OK) {
            end_badly(agent, upd_trouble_of(err));
            return false;
        }
        look(agent);
    }
    if (!agent->view.on_trial) {
        return true;
    }
    if (confirm(agent)) {
        rest(agent);
        agent->memo.failures = 0;
        save(agent);
        due_in(agent, SOON_MS / 1000); /* tells the server, and asks what is next */
    }
    return false;
}

/* --- What is offered --------------------------------------------------------------------------- */

static bool same_text(const char *one, const char *other)
{
    for (; *one != '\0' && *one == *other; one++, other++) {
    }
    return *one == *other;
}

static uint32_t text_size(const char *text)
{
    uint32_t size = 0;

    while (text[size] != '\0') {
        size++;
    }
    return size;
}

/* Whatever names the content: what the writer resumes by, and its tag. */
static void name_content(const struct upd_agent *agent, struct upd_update *update)
{
    const struct upd_asking *asking = &agent->asking;

    if (agent->fetch.etag[0] != '\0') {
        update->validator = agent->fetch.etag;
        update->validator_size = text_size(agent->fetch.etag);
    } else if (asking->has_md5) {
        update->validator = asking->md5;
        update->validator_size = sizeof asking->md5;
    } else if (agent->is_ordered || asking->version[0] != '\0') {
        const char *version = agent->is_ordered ? asking->wanted : asking->version;
        update->validator = version;
        update->validator_size = text_size(version);
    }
}

static uint32_t tag_of(const struct upd_agent *agent)
{
    struct upd_update update = {.size = 0};

    name_content(agent, &update);
    if (update.validator == NULL) {
        return 0;
    }
    const uint32_t crc = upd_crc32(UPD_CRC32_INIT, update.validator, update.validator_size);
    return crc != 0 ? crc : 1;
}

/* Open the writer, where the download was interrupted if it was. */
static enum upd_err open_writer(struct upd_agent *agent, uint32_t *from)
{
    struct upd_update update = {
        .size = agent->fetch.has_size && !agent->is_zipped ? agent->fetch.size : 0,
        .md5 = agent->asking.has_md5 && !agent->is_zipped ? agent->asking.md5 : NULL,
        .gzip = agent->is_zipped,
    };

    name_content(agent, &update);
    *from = 0;
    enum upd_err err = upd_writer_resume(&agent->writer, agent->config.device, &update, from);
    if (err != UPD_OK && err != UPD_E_STATE) {
        /* Nothing to go on with; or what is there is bad, which a fresh download finds out too. */
        *from = 0;
        err = upd_writer_begin(&agent->writer, agent->config.device, &update);
    }
    if (err == UPD_OK && agent->is_zipped) {
        err = agent->config.inflate->begin(agent->config.inflate_ctx, &agent->writer);
    }
    agent->has_begun = err == UPD_OK;
    return err;
}

static void begin_download(struct upd_agent *agent)
{
    uint32_t from = 0;
    const enum upd_err err = open_writer(agent, &from);

    if (err != UPD_OK) {
        end_badly(agent, upd_trouble_of(err));
        return;
    }
    agent->state = UPD_AGENT_DOWNLOADS;
    tell(agent, UPD_AGENT_ON_DOWNLOAD);
    if (agent->fetch.has_size && from == agent->fetch.size) {
        upd_fetch_stop(&agent->fetch);
        agent->state = UPD_AGENT_VERIFIES;
        tell(agent, UPD_AGENT_ON_DOWNLOADED);
    } else if (from > 0) {
        upd_fetch_seek(&agent->fetch, from, agent->last_ms);
    }
}

static bool needs_consent(const struct upd_agent *agent)
{
    return (agent->config.consent & UPD_CONSENT_DOWNLOAD) != 0 && !agent->is_ordered &&
           !(agent->is_allowed && agent->allowed == agent->tag);
}

/* A server that does not look at what runs offers the same for ever. Where it tells another version
 * than the one that runs, the memo is of other days: somebody has flashed the device since. */
static bool is_installed(const struct upd_agent *agent)
{
    const char *version = agent->config.identity->version;

    return agent->tag != 0 && agent->tag == agent->memo.current && !agent->is_ordered &&
           (agent->asking.version[0] == '\0' || version == NULL ||
            same_text(agent->asking.version, version));
}

static void consider_offer(struct upd_agent *agent)
{
    if (agent->fetch.has_size && agent->fetch.size == 0) {
        end_badly(agent, UPD_TROUBLE_EMPTY);
        return;
    }
    agent->tag = tag_of(agent);
    if (is_installed(agent)) {
        end_well(agent, UPD_AGENT_ON_CURRENT);
        return;
    }
    if (is_known_bad(agent, agent->tag)) {
        end_badly(agent, UPD_TROUBLE_KNOWN_BAD);
        return;
    }
    if (agent->tag != 0 && agent->tag == agent->memo.declined && !agent->is_ordered) {
        end_well(agent, UPD_AGENT_ON_DECLINED);
        return;
    }
    tell(agent, UPD_AGENT_ON_OFFER);
    if (needs_consent(agent)) {
        upd_fetch_stop(&agent->fetch);
        agent->state = UPD_AGENT_ASKS;
        return;
    }
    agent->has_looked = false;
    agent->is_zipped = false;
    if (agent->config.inflate == NULL) {
        begin_download(agent);
    } else {
        agent->state = UPD_AGENT_DOWNLOADS; /* the first byte tells whether it is compressed */
    }
}

/* A hotel's log-in page is no answer of an update server. */
static bool is_from_a_server(const struct upd_agent *agent)
{
    return !agent->config.protocol->tells_itself || agent->asking.has_md5 ||
           agent->asking.version[0] != '\0' || agent->fetch.etag[0] != '\0';
}

static void consider(struct upd_agent *agent)
{
    enum upd_trouble trouble = UPD_TROUBLE_NONE;

    switch (upd_asking_verdict(agent->fetch.status, &trouble)) {
    case UPD_VERDICT_CURRENT:
        if (is_answered(agent)) {
            end_well(agent, UPD_AGENT_ON_CURRENT);
        }
        break;
    case UPD_VERDICT_OFFER:
        if (agent->view.on_trial && !is_from_a_server(agent)) {
            end_badly(agent, UPD_TROUBLE_UNEXPECTED_STATUS);
        } else if (is_answered(agent)) {
            consider_offer(agent);
        }
        break;
    case UPD_VERDICT_TROUBLE:
        end_badly(agent, trouble);
        break;
    }
}

/* --- The content ------------------------------------------------------------------------------- */

/* The image says its version, and it is the one that runs: there was nothing newer. */
static bool is_what_runs(const struct upd_agent *agent)
{
    const struct upd_image_info *info = &agent->writer.checker.info;
    const char *version = agent->config.identity->version;

    return agent->config.protocol->looks_inside && version != NULL &&
           info->descriptor == UPD_IMAGE_APP_DESCRIPTOR && info->version[0] != '\0' &&
           same_text(info->version, version);
}

static void leave_what_runs(struct upd_agent *agent)
{
    memcpy(agent->memo.etag, agent->fetch.etag, sizeof agent->memo.etag);
    (void)(upd_writer_abort(&agent->writer) == UPD_OK);
    end_well(agent, UPD_AGENT_ON_CURRENT);
}

static void take(struct upd_agent *agent)
{
    const struct upd_fetch *fetch = &agent->fetch;
    enum upd_err err = UPD_OK;

    if (!agent->has_begun) {
        agent->is_zipped = fetch->piece[0] == GZIP_FIRST;
        begin_download(agent);
        /* Nothing more of this piece when the writer goes on from somewhere else. */
        if (agent->state != UPD_AGENT_DOWNLOADS || agent->writer.written > 0) {
            return;
        }
    }
    if (agent->is_zipped) {
        err = agent->config.inflate->write(agent->config.inflate_ctx, fetch->piece,
                                           fetch->piece_size);
    } else {
        err = upd_writer_write(&agent->writer, fetch->piece, fetch->piece_size);
    }
    if (err == UPD_E_CHANGED) {
        err = upd_writer_abort(&agent->writer);
        end_badly(agent, err == UPD_OK ? UPD_TROUBLE_CHANGED : upd_trouble_of(err));
    } else if (err != UPD_OK) {
        end_badly(agent, upd_trouble_of(err));
    } else if (!agent->has_looked) {
        agent->has_looked = agent->writer.written >= LOOKED;
        if (is_what_runs(agent)) {
            leave_what_runs(agent);
        }
    }
}

static void download_is_over(struct upd_agent *agent)
{
    if (!agent->has_begun || agent->fetch.offset == 0) {
        end_badly(agent, UPD_TROUBLE_EMPTY);
        return;
    }
    agent->state = UPD_AGENT_VERIFIES;
    tell(agent, UPD_AGENT_ON_DOWNLOADED);
}

static void activate(struct upd_agent *agent)
{
    const char *version = agent->is_ordered ? agent->asking.wanted : agent->asking.version;

    /* Before the image can run, so that it is known whatever becomes of it. */
    agent->memo.tried = agent->tag;
    memcpy(agent->memo.version, version, sizeof agent->memo.version);
    memcpy(agent->memo.tried_etag, agent->fetch.etag, sizeof agent->memo.tried_etag);
    agent->memo.failures = 0;
    if (agent->memo.trials < UINT8_MAX) {
        agent->memo.trials++;
    }
    save(agent);
    const enum upd_err err = upd_writer_activate(&agent->writer);
    if (err != UPD_OK) {
        end_badly(agent, upd_trouble_of(err));
        return;
    }
    restart(agent);
}

static void verify(struct upd_agent *agent)
{
    const enum upd_err err = agent->is_zipped
                                 ? agent->config.inflate->end(agent->config.inflate_ctx)
                                 : upd_writer_end(&agent->writer);

    if (err != UPD_OK) {
        /* Where only the end of the connection was its end, what is short is not the release. */
        end_badly(agent, err == UPD_E_SHORT && !agent->fetch.has_end ? UPD_TROUBLE_BODY_CUT
                                                                     : upd_trouble_of(err));
        return;
    }
    tell(agent, UPD_AGENT_ON_VERIFIED);
    if (agent->is_ordered) {
        agent->config.orders->tell(agent->config.orders_ctx, UPD_TALE_DOWNLOADED);
        agent->state = UPD_AGENT_READY; /* the server orders the restart, too */
    } else if ((agent->config.consent & UPD_CONSENT_RESTART) != 0) {
        agent->state = UPD_AGENT_READY;
    } else {
        activate(agent);
    }
}

/* --- Asking ------------------------------------------------------------------------------------ */

static void write_target(void *ctx, struct upd_text *url)
{
    const struct upd_agent *agent = ctx;

    if (agent->config.protocol->target != NULL) {
        agent->config.protocol->target(&agent->asking, url);
    }
}

static bool write_field(void *ctx, uint32_t index, struct upd_text *line)
{
    const struct upd_agent *agent = ctx;

    return upd_asking_field(&agent->asking, agent->config.protocol, index, line);
}

static enum upd_trouble hear_field(void *ctx, const char *name, const char *value)
{
    struct upd_agent *agent = ctx;

    if (agent->state != UPD_AGENT_CHECKS) {
        return UPD_TROUBLE_NONE; /* of what goes on, all is known */
    }
    if (name == NULL) {
        upd_asking_begin(&agent->asking);
        return UPD_TROUBLE_NONE;
    }
    return upd_asking_hear(&agent->asking, name, value);
}

static void ask(struct upd_agent *agent)
{
    agent->request = (struct upd_request){
        .url = agent->config.url,
        .most = agent->config.device->flash->total_size,
        .target = write_target,
        .field = write_field,
        .heard = hear_field,
        .ctx = agent,
    };
    agent->asking.user = (uint8_t)(agent->view.target + 1);
    agent->state = UPD_AGENT_CHECKS;
    agent->due_s = UINT32_MAX;
    agent->has_begun = false;
    upd_fetch_begin(&agent->fetch, &agent->request, agent->last_ms);
    tell(agent, UPD_AGENT_ON_CHECK);
}

static uint32_t follow_fetch(struct upd_agent *agent)
{
    switch (upd_fetch_poll(&agent->fetch, agent->last_ms)) {
    case UPD_FETCH_WAITS:
        return TICK_MS;
    case UPD_FETCH_BUSY:
        break;
    case UPD_FETCH_HEAD:
        consider(agent);
        break;
    case UPD_FETCH_BODY:
        if (agent->state == UPD_AGENT_DOWNLOADS) {
            take(agent);
        }
        break;
    case UPD_FETCH_DONE:
        download_is_over(agent);
        break;
    case UPD_FETCH_FAILED:
        end_badly(agent, agent->fetch.trouble);
        break;
    }
    return 0;
}

/* --- Orders ------------------------------------------------------------------------------------ */

/* What has failed is not tried again at once because it is ordered again: it has failed as before. */
static void obey(struct upd_agent *agent, const char version[UPD_VERSION_SIZE])
{
    memcpy(agent->asking.wanted, version, sizeof agent->asking.wanted);
    if (agent->now_s < agent->deaf_until_s) {
        agent->config.orders->tell(agent->config.orders_ctx, UPD_TALE_FAILED);
        return;
    }
    agent->is_ordered = true;
    ask(agent);
}

static uint32_t follow_orders(struct upd_agent *agent)
{
    const struct upd_orders *orders = agent->config.orders;
    void *ctx = agent->config.orders_ctx;
    enum upd_order order = UPD_ORDER_NONE;
    char version[UPD_VERSION_SIZE];

    if (orders == NULL) {
        return UINT32_MAX;
    }
    const uint32_t wait = orders->poll(ctx, &agent->asking, agent->last_ms, &order, version);
    if (orders->is_known(ctx) &&
        (!agent->is_answered || agent->asking.report != UPD_REPORT_NOTHING)) {
        (void)is_answered(agent);
        if (order == UPD_ORDER_NONE) {
            return 0;
        }
    }
    if (order == UPD_ORDER_UPDATE && agent->state == UPD_AGENT_IDLE) {
        obey(agent, version);
    } else if (order == UPD_ORDER_RESTART && agent->state == UPD_AGENT_READY) {
        activate(agent);
    }
    return order != UPD_ORDER_NONE ? 0 : wait;
}

/* --- The trial --------------------------------------------------------------------------------- */

/* The server was not reached in time: the old image knows how to. */
static void judge_trial(struct upd_agent *agent)
{
    if (!agent->view.on_trial || agent->now_s < agent->trial_end_s ||
        agent->state == UPD_AGENT_RESTART) {
        return;
    }
    const enum upd_err err = upd_device_roll_back(agent->config.device);
    if (err == UPD_OK) {
        agent->trouble = UPD_TROUBLE_TRIAL_OVER;
        restart(agent);
        return;
    }
    agent->trouble = err == UPD_E_NOT_FOUND ? UPD_TROUBLE_NO_WAY_BACK : upd_trouble_of(err);
    agent->trial_end_s = agent->now_s + TRIAL_S; /* there is no other: go on trying */
}

/* --- From outside ------------------------------------------------------------------------------ */

void upd_agent_check(struct upd_agent *agent)
{
    if (agent->state == UPD_AGENT_IDLE) {
        due_in(agent, 0);
    }
}

void upd_agent_button(struct upd_agent *agent, bool pressed, uint32_t now_ms)
{
    if (pressed && !agent->is_held) {
        agent->held_ms = now_ms;
    } else if (!pressed && agent->is_held && now_ms - agent->held_ms >= agent->config.hold_ms) {
        upd_agent_check(agent);
    }
    agent->is_held = pressed;
}

void upd_agent_allow(struct upd_agent *agent)
{
    if (agent->state == UPD_AGENT_ASKS) {
        agent->is_allowed = true;
        agent->allowed = agent->tag;
        agent->state = UPD_AGENT_IDLE;
        upd_agent_check(agent);
    } else if (agent->state == UPD_AGENT_READY) {
        activate(agent);
    }
}

void upd_agent_decline(struct upd_agent *agent)
{
    if (agent->state != UPD_AGENT_ASKS && agent->state != UPD_AGENT_READY) {
        return;
    }
    if (agent->state == UPD_AGENT_READY) {
        (void)(upd_writer_abort(&agent->writer) == UPD_OK);
    }
    agent->memo.declined = agent->tag;
    end_well(agent, UPD_AGENT_ON_DECLINED);
}

uint32_t upd_agent_percent(const struct upd_agent *agent)
{
    const uint32_t size = agent->fetch.size;
    const uint32_t done = agent->is_zipped ? agent->fetch.offset : agent->writer.written;

    if (agent->state > UPD_AGENT_DOWNLOADS) {
        return 100;
    }
    if (agent->state != UPD_AGENT_DOWNLOADS || !agent->has_begun || !agent->fetch.has_size) {
        return 0;
    }
    return done >= size ? 100 : done / (size / 100 + 1);
}

uint32_t upd_agent_due_in_s(const struct upd_agent *agent)
{
    if (agent->state != UPD_AGENT_IDLE || agent->view.on_trial) {
        return 0;
    }
    if (agent->due_s == UINT32_MAX) {
        return UINT32_MAX;
    }
    return agent->due_s > agent->now_s ? agent->due_s - agent->now_s : 0;
}

/* --- */

/* What the memo says about when, as far as the device knows the time. */
static void remember(struct upd_agent *agent)
{
    uint8_t bytes[UPD_MEMO_SIZE];

    if (agent->config.load == NULL || agent->config.load(agent->config.ctx, bytes) != UPD_OK) {
        return;
    }
    (void)(upd_memo_decode(bytes, &agent->memo) == UPD_OK); /* zero when it is not one */
}

static void plan_first(struct upd_agent *agent)
{
    const uint32_t unix_s = unix_now(agent);

    if (!agent->config.protocol->asks) {
        agent->due_s = UINT32_MAX;
    } else if (agent->asking.report == UPD_REPORT_FELL && agent->memo.trials > 1) {
        due_in(agent, pause_after_bad_s(agent, agent->memo.trials));
    } else if (agent->config.at_start || agent->view.on_trial ||
               agent->asking.report == UPD_REPORT_FELL) {
        agent->due_s = 0;
    } else if (unix_s != 0 && agent->memo.due_s != 0) {
        /* A clock that was set back does not put it off for longer than the interval. */
        const uint32_t left = agent->memo.due_s > unix_s ? agent->memo.due_s - unix_s : 0;
        const uint32_t most = agent->config.every_s + agent->config.every_s / 10;
        due_in(agent, left < most ? left : most);
    } else {
        due_in(agent, interval_s(agent));
    }
}

void upd_agent_init(struct upd_agent *agent, const struct upd_agent_config *config, uint32_t now_ms)
{
    const struct upd_fetch_config fetch = {
        .transport = config->transport,
        .patience = config->patience,
        .buffer = config->buffer,
        .buffer_size = config->buffer_size,
        .random = config->random,
        .ctx = config->ctx,
    };

    *agent = (struct upd_agent){.config = *config, .last_ms = now_ms};
    agent->config.trial_s = config->trial_s != 0 ? config->trial_s : TRIAL_S;
    agent->config.hold_ms = config->hold_ms != 0 ? config->hold_ms : HOLD_MS;
    upd_fetch_init(&agent->fetch, &fetch);
    remember(agent);
    agent->asking.identity = config->identity;
    agent->asking.have_etag = agent->memo.etag;
    agent->asking.report_version = agent->fell;
    agent->asking.report_why = "";
    look(agent);
    if (agent->view.fall != UPD_FALL_NONE) {
        avoid(agent, agent->memo.tried);
        agent->asking.report = UPD_REPORT_FELL;
        agent->asking.report_why = name_of_fall(agent->view.fall);
        memcpy(agent->fell, agent->memo.version, sizeof agent->fell);
        save(agent);
        tell(agent, UPD_AGENT_ON_FELL);
    } else if (agent->view.on_trial) {
        agent->asking.report = UPD_REPORT_TRIAL;
        agent->trial_end_s = agent->config.trial_s;
        tell(agent, UPD_AGENT_ON_TRIAL);
    } else {
        agent->asking.report = UPD_REPORT_CONFIRMED;
    }
    plan_first(agent);
}

static uint32_t wait_for_due(struct upd_agent *agent)
{
    const uint32_t left = agent->due_s > agent->now_s ? agent->due_s - agent->now_s : 0;

    if (agent->due_s != UINT32_MAX && left == 0) {
        ask(agent);
        return 0;
    }
    return left < LONGEST_MS / 1000 ? left * 1000 : LONGEST_MS;
}

uint32_t upd_agent_poll(struct upd_agent *agent, uint32_t now_ms)
{
    uint32_t wait = LONGEST_MS;

    pass_time(agent, now_ms);
    judge_trial(agent);
    const uint32_t orders = agent->state != UPD_AGENT_RESTART ? follow_orders(agent) : UINT32_MAX;
    switch (agent->state) {
    case UPD_AGENT_IDLE:
        wait = wait_for_due(agent);
        break;
    case UPD_AGENT_CHECKS:
    case UPD_AGENT_DOWNLOADS:
        wait = follow_fetch(agent);
        break;
    case UPD_AGENT_VERIFIES:
        verify(agent);
        wait = 0;
        break;
    case UPD_AGENT_ASKS:
    case UPD_AGENT_READY:
    case UPD_AGENT_RESTART:
    case UPD_AGENT_STATE_COUNT:
        break;
    }
    if (agent->view.on_trial && agent->state == UPD_AGENT_IDLE && wait > SOON_MS) {
        wait = SOON_MS; /* its end must not be slept through */
    }
    return wait < orders ? wait : orders;
}
