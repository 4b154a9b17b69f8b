/*
 * updraft: the agent, which keeps a device up to date: asks when it is time, fetches what is offered,
 * has it written and verified, restarts into it, and confirms it once the server has been reached.
 *
 *     upd_agent_init(&agent, &config, now_ms);
 *     for (;;) {
 *         sleep_at_most(upd_agent_poll(&agent, now_ms));       sooner when the transport has news
 *         show(agent.state, agent.trouble, upd_agent_percent(&agent));
 *         if (agent.state == UPD_AGENT_RESTART) restart();
 *     }
 *
 *                 .------------------------------------------------------------------.
 *                 v            nothing newer, or trouble                             |
 *     IDLE ---> CHECKS ------------------------------------------------------------->+--> IDLE
 *                 | an update is there                                               |
 *                 +--> ASKS ---- upd_agent_allow() ----.      upd_agent_decline() ---+
 *                 v                                    v                             |
 *             DOWNLOADS <--------------------------- CHECKS                          |
 *                 |   trouble: goes on from there at the next check -----------------'
 *                 v
 *             VERIFIES --> READY --- upd_agent_allow() ---> RESTART
 *                 '------------------------------------------^
 *
 * After the restart the new image is on trial. The agent asks the server at once; an exchange that was
 * completed, whatever it says about updates, confirms the image. Without one within trial_s the old
 * image comes back, whose agent reports what happened and does not fetch that release again.
 *
 * No call waits, allocates, or keeps anything but in the caller's memory. Each call does a bounded
 * piece of work: at most one sector of flash is erased, or what upd_writer_resume(), upd_writer_end()
 * and upd_writer_activate() do, which read the slot.
 *
 * Cost: the struct, about 1.7 KiB on lx106, and the buffer of the fetch (512 bytes or more); stack
 * below 900 bytes with what the flash port takes on top.
 */
#ifndef UPDRAFT_AGENT_H
#define UPDRAFT_AGENT_H

#include <stdbool.h>
#include <stdint.h>

#include <updraft/fetch.h>
#include <updraft/inflate.h>
#include <updraft/memo.h>
#include <updraft/orders.h>
#include <updraft/protocol.h>
#include <updraft/scheme.h>
#include <updraft/writer.h>

/* X(NAME, "name", "sentence"): what the agent does. */
#define UPD_AGENT_STATES(X)                                                                        \
    X(IDLE, "idle", "waits for the next check")                                                    \
    X(CHECKS, "checks", "asks the server")                                                         \
    X(ASKS, "asks", "an update is there: download it?")                                            \
    X(DOWNLOADS, "downloads", "downloads the update")                                              \
    X(VERIFIES, "verifies", "verifies what is in flash")                                           \
    X(READY, "ready", "the update is ready: restart now?")                                         \
    X(RESTART, "restart", "the device has to restart")

enum upd_agent_state {
#define X(NAME, name, text) UPD_AGENT_##NAME,
    UPD_AGENT_STATES(X)
#undef X
        UPD_AGENT_STATE_COUNT
};
const char *upd_agent_state_name(enum upd_agent_state state);
const char *upd_agent_state_text(enum upd_agent_state state);

/* X(NAME, "name"): what happened, told through config.event. */
#define UPD_AGENT_EVENTS(X)                                                                        \
    X(CHECK, "check")       /* a server is being asked */                                          \
    X(CURRENT, "current")   /* it has nothing newer */                                             \
    X(OFFER, "offer")       /* it has: agent.asking.version, agent.fetch.size */                   \
    X(DOWNLOAD, "download") /* bytes begin to come: from agent.writer.written on */                \
    X(DOWNLOADED, "downloaded")                                                                    \
    X(VERIFIED, "verified")                                                                        \
    X(RESTART, "restart")     /* agent.state is RESTART */                                         \
    X(TRIAL, "trial")         /* what runs is on trial */                                          \
    X(CONFIRMED, "confirmed") /* what runs has confirmed itself */                                 \
    X(FELL, "fell")           /* what was tried was given up: agent.view.fall */                   \
    X(FAILED, "failed")       /* agent.trouble */                                                  \
    X(DECLINED, "declined")

enum upd_agent_event {
#define X(NAME, name) UPD_AGENT_ON_##NAME,
    UPD_AGENT_EVENTS(X)
#undef X
        UPD_AGENT_EVENT_COUNT
};
const char *upd_agent_event_name(enum upd_agent_event event);

/** Who has to agree; a sum. What a server asks its owner is the server's affair. */
enum { UPD_CONSENT_NONE = 0, UPD_CONSENT_DOWNLOAD = 1, UPD_CONSENT_RESTART = 2 };

struct upd_agent;

struct upd_agent_config {
    /* Opened, and upd_device_start() called, which said GO_ON. Must stay valid, as all of these. */
    struct upd_device *device;
    const struct upd_transport *transport;
    const struct upd_patience *patience; /* NULL: upd_patience_usual */
    const struct upd_protocol *protocol;
    const char *url; /* of the server or of the file, as the protocol wants it */
    const struct upd_identity *identity;
    uint8_t *buffer; /* of the fetch */
    uint32_t buffer_size;
    /* For images that come compressed: &upd_inflate_gzip and its memory. NULL: they are refused. */
    const struct upd_inflate *inflate;
    void *inflate_ctx;
    /* Where orders come from, for upd_protocol_espressif: &upd_link_orders and a struct upd_link;
     * NULL: none come. */
    const struct upd_orders *orders;
    void *orders_ctx;

    uint32_t every_s; /* between two checks, give or take a tenth; 0: never by itself */
    uint32_t trial_s; /* for the new image to reach its server; 0: 600 */
    uint32_t hold_ms; /* that the button is held to check now; 0: 7000 */
    bool at_start;    /* check at each start, and not only when one is due */
    uint8_t consent;  /* sum of UPD_CONSENT_... */

    /* 32 random bits, so that a fleet does not come all at once. */
    uint32_t (*random)(void *ctx);
    /* Seconds since 1970, or 0 when the device does not know. NULL: it never knows. */
    uint32_t (*clock)(void *ctx);
    /* Keep and bring back UPD_MEMO_SIZE bytes. NULL: nothing is remembered. */
    enum upd_err (*save)(void *ctx, const uint8_t *memo);
    enum upd_err (*load)(void *ctx, uint8_t *memo);
    /* Hear what happens; calls nothing of the agent but its reading functions. NULL: nobody does. */
    void (*event)(void *ctx, const struct upd_agent *agent, enum upd_agent_event event);
    void *ctx;
};

/** The caller's memory. The first fields are for reading, the rest is the agent's own. */
struct upd_agent {
    enum upd_agent_state state;
    enum upd_trouble trouble; /* of the last check or download; NONE when it went well */
    struct upd_view view;     /* of the device, at the start and after each change */
    struct upd_asking asking;
    struct upd_fetch fetch;
    struct upd_writer writer;
    struct upd_memo memo;

    struct upd_agent_config config;
    struct upd_request request;
    uint32_t tag;     /* of the content that is offered */
    uint32_t allowed; /* tag that may be downloaded, with is_allowed */
    uint32_t last_ms; /* of the last poll */
    uint32_t part_ms; /* of a second that has begun */
    uint32_t now_s;   /* seconds since init */
    uint32_t due_s;   /* next check, in these; UINT32_MAX: never */
    uint32_t trial_end_s;
    uint32_t deaf_until_s; /* orders are not carried out before: the last one failed */
    uint32_t held_ms;
    bool is_held;
    bool is_zipped;
    bool has_begun;  /* the writer takes bytes */
    bool has_looked; /* at the first bytes of the content */
    bool is_allowed;
    bool is_ordered;             /* what is fetched was ordered by the server */
    bool is_answered;            /* an exchange was completed since the start */
    char fell[UPD_VERSION_SIZE]; /* asking.report_version */
};

/** Cannot fail: a device that cannot be read says so at the first poll. */
void upd_agent_init(struct upd_agent *agent, const struct upd_agent_config *config,
                    uint32_t now_ms);

/**
 * Go on.
 *
 * @param now_ms  milliseconds from any start; wraps. Calls are less than 24 days apart
 * @return milliseconds that may pass before the next call, unless the transport has news; 0: call
 *         again at once
 */
uint32_t upd_agent_poll(struct upd_agent *agent, uint32_t now_ms);

/** Check now: somebody asked for it, or a push came. Nothing while an update is under way. */
void upd_agent_check(struct upd_agent *agent);

/** The button is pressed, or not; to be told at each poll, or when it changes. */
void upd_agent_button(struct upd_agent *agent, bool pressed, uint32_t now_ms);

/** Yes: to the download in ASKS, to the restart in READY. Nothing in other states. */
void upd_agent_allow(struct upd_agent *agent);

/** No: in ASKS and READY. This release is not offered again, by this device. */
void upd_agent_decline(struct upd_agent *agent);

/** Of the download, 0 to 100; of the whole image, what was there before a cut included. */
uint32_t upd_agent_percent(const struct upd_agent *agent);

/** How long the device may sleep before it has to poll: seconds; UINT32_MAX: until somebody comes. */
uint32_t upd_agent_due_in_s(const struct upd_agent *agent);

#endif
